//! What changed when: how kept entries are known to be out of date, without looking for them.

use std::collections::HashMap;

use parking_lot::RwLock;
use stoa_domain::ids::{ApplicationId, OrganizationId, ServiceId, SubscriptionId};

/// What an entry of the index depends on, and an event may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Dependency {
    /// The organization itself: it may be deleted. Also stands for everything that concerns it, where an event does not
    /// say more.
    Organization(OrganizationId),
    /// Which projects an organization has.
    Projects(OrganizationId),
    /// A subscription's state and grants.
    Subscription(SubscriptionId),
    /// An application with its secrets and tokens.
    Application(ApplicationId),
    /// A service.
    Service(ServiceId),
}

impl Dependency {
    /// What an event changes; `None` when it opens or closes nothing.
    ///
    /// An event that this version does not know, such as one of a newer node, is taken to change everything of its
    /// organization.
    pub(crate) fn of(organization: OrganizationId, kind: &str, subject: &str) -> Option<Self> {
        let everything = Self::Organization(organization);
        match kind.split_once('.').map_or(kind, |(noun, _)| noun) {
            // Each effect of a request or hand-over has an event of its own, and people's roles are not kept here.
            "resource" | "member" | "request" | "policy" | "delegation" | "invitation" | "team" | "operator" | "handover" => None,
            "project" => Some(Self::Projects(organization)),
            "subscription" => Some(subject.parse().map_or(everything, Self::Subscription)),
            "application" => Some(subject.parse().map_or(everything, Self::Application)),
            "service" => Some(subject.parse().map_or(everything, Self::Service)),
            // It is about many subscriptions at once, and seldom.
            "level_change" => Some(everything),
            _ => Some(everything),
        }
    }
}

/// A point in the order of changes. Taken before the database is read, it tells later whether what was read may have
/// changed since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark(u64);

/// For so many things the last change is remembered; beyond, everything counts as changed, once.
const MOST: usize = 100_000;

/// When which thing last changed, as far as this node was told.
#[derive(Default)]
pub(crate) struct Changes {
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    /// How many changes there were.
    count: u64,
    /// Entries read before this change are out of date, whatever they depend on.
    floor: u64,
    last: HashMap<Dependency, u64>,
}

impl Changes {
    /// The present point.
    pub(crate) fn mark(&self) -> Mark {
        Mark(self.state.read().count)
    }

    /// Notes changes. An entry whose mark was taken before is out of date from now on, even if it is inserted later.
    pub(crate) fn note(&self, changed: impl IntoIterator<Item = Dependency>) {
        let mut changed = changed.into_iter().peekable();
        if changed.peek().is_none() {
            return;
        }
        let mut state = self.state.write();
        state.count += 1;
        let count = state.count;
        for dependency in changed {
            state.last.insert(dependency, count);
        }
        if state.last.len() > MOST {
            state.floor = count;
            state.last.clear();
        }
    }

    /// Makes everything that was read before out of date.
    pub(crate) fn note_all(&self) {
        let mut state = self.state.write();
        state.count += 1;
        state.floor = state.count;
        state.last.clear();
    }

    /// Whether nothing that an entry depends on changed since its mark.
    pub(crate) fn none_since(&self, mark: Mark, dependencies: &[Dependency]) -> bool {
        let state = self.state.read();
        mark.0 >= state.floor && dependencies.iter().all(|one| state.last.get(one).is_none_or(|last| *last <= mark.0))
    }
}

#[cfg(test)]
mod tests {
    use stoa_domain::{ids::Id, time::Ts};

    use super::*;

    fn organization(number: u64) -> OrganizationId {
        let mut random = [0; 10];
        random[2..].copy_from_slice(&number.to_be_bytes());
        OrganizationId::mint(Ts::from_micros(1), random)
    }

    #[test]
    fn a_change_outdates_what_was_read_before_it_and_nothing_else() {
        let changes = Changes::default();
        let (one, other) = (Dependency::Organization(organization(1)), Dependency::Organization(organization(2)));
        let before = changes.mark();
        changes.note([one]);
        assert!(!changes.none_since(before, &[other, one]));
        assert!(changes.none_since(before, &[other]));
        assert!(changes.none_since(changes.mark(), &[other, one]));
    }

    #[test]
    fn what_is_remembered_is_bounded_and_forgetting_outdates_everything_read_before() {
        let changes = Changes::default();
        let quiet = [Dependency::Projects(organization(0))];
        let before = changes.mark();
        changes.note((0..=MOST as u64).map(|number| Dependency::Organization(organization(number))));
        assert!(!changes.none_since(before, &quiet));
        assert!(changes.none_since(changes.mark(), &quiet));
        assert!(changes.state.read().last.is_empty());
    }

    #[test]
    fn an_event_changes_what_it_names_or_else_all_of_its_organization() {
        let organization = organization(1);
        let subscription = SubscriptionId::mint(Ts::from_micros(1), [1; 10]);
        let of = |kind, subject: &str| Dependency::of(organization, kind, subject);
        assert_eq!(of("subscription.ended", &subscription.to_string()), Some(Dependency::Subscription(subscription)));
        assert_eq!(of("application.secret_revoked", "sec_unreadable"), Some(Dependency::Organization(organization)));
        assert_eq!(of("project.deleted", "prj_x"), Some(Dependency::Projects(organization)));
        assert_eq!(of("organization.deleted", "org_x"), Some(Dependency::Organization(organization)));
        assert_eq!(of("something.newer", ""), Some(Dependency::Organization(organization)));
        assert_eq!(of("resource.written", "readings"), None);
    }
}
