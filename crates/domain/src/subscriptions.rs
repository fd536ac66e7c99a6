//! Subscriptions: a service subscribed by an organization, and the choice of projects it may use.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    ids::{ContractId, OrganizationId, PlanId, ProjectId, ServiceId, SubscriptionId, UserId},
    locks::TermsInput,
    text::Faults,
    time::Ts,
    words::words,
};

words! {
    /// Where a subscription is in its life.
    SubscriptionState, NotASubscriptionState, "a subscription's state" {
        /// Waits for an approval.
        Requested = "requested",
        /// Approved; the provider sets it up. It opens nothing yet.
        Provisioning = "provisioning",
        /// In force: its grants open projects.
        Active = "active",
        /// Held up; its grants open nothing.
        Suspended = "suspended",
        /// Will end.
        Ending = "ending",
        /// Over.
        Ended = "ended",
        /// Somebody said no.
        Rejected = "rejected",
        /// The requester took it back.
        Withdrawn = "withdrawn",
        /// Nobody answered in time.
        Expired = "expired",
        /// The provider could not set it up.
        Failed = "failed",
    }
}

words! {
    /// How a choice of projects is meant.
    Mode, NotAMode, "a mode" {
        /// All projects.
        All = "all",
        /// All projects but those named.
        AllExcept = "all_except",
        /// The projects named.
        Selected = "selected",
    }
}

words! {
    /// What happens with projects that are created later, where the mode is `all` or `all_except`; from the widest to the
    /// narrowest.
    IncludeFuture, NotAnIncludeFuture, "include_future" {
        /// They are granted at once.
        Yes = "yes",
        /// A request is opened for each.
        Ask = "ask",
        /// They are left out.
        No = "no",
    }
}

/// A move that a subscription's state does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the subscription is {state}; it can't be {verb}")]
pub struct WrongState {
    /// Where it is.
    pub state: SubscriptionState,
    /// What was asked, as a participle.
    pub verb: &'static str,
}

/// What can happen to a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// All approvals are there.
    Approve,
    /// All approvals are there; the provider sets it up first.
    Provision,
    /// The provider has set it up.
    Ready,
    /// The provider could not set it up.
    Fail,
    /// An approver said no.
    Reject,
    /// The requester took it back.
    Withdraw,
    /// Nobody decided in time.
    Expire,
    /// The consumer ends it.
    Cancel,
}

impl SubscriptionState {
    /// The state after a move.
    ///
    /// # Errors
    /// [`WrongState`] when the move is not possible from here; nothing ended is revived.
    pub fn after(self, step: Move) -> Result<Self, WrongState> {
        match (self, step) {
            (Self::Requested, Move::Approve) | (Self::Provisioning, Move::Ready) => Ok(Self::Active),
            (Self::Requested, Move::Provision) => Ok(Self::Provisioning),
            (Self::Requested, Move::Reject) => Ok(Self::Rejected),
            (Self::Requested | Self::Provisioning, Move::Withdraw | Move::Cancel) => Ok(Self::Withdrawn),
            (Self::Requested, Move::Expire) => Ok(Self::Expired),
            (Self::Provisioning, Move::Fail) => Ok(Self::Failed),
            (Self::Active | Self::Suspended | Self::Ending, Move::Cancel) => Ok(Self::Ended),
            (state, step) => Err(WrongState {
                state,
                verb: match step {
                    Move::Approve | Move::Provision => "approved",
                    Move::Ready => "reported as set up",
                    Move::Fail => "reported as failed",
                    Move::Reject => "rejected",
                    Move::Withdraw => "withdrawn",
                    Move::Expire => "expired",
                    Move::Cancel => "cancelled",
                },
            }),
        }
    }

    /// Whether it stands in the way of another subscription of the same service.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Requested | Self::Provisioning | Self::Active | Self::Suspended | Self::Ending)
    }

    /// Whether it has not come into force yet and still may: nothing is granted, and whoever asked for it takes it back.
    pub const fn is_ahead(self) -> bool {
        matches!(self, Self::Requested | Self::Provisioning)
    }

    /// Whether it came into force and is not over.
    pub const fn in_force(self) -> bool {
        matches!(self, Self::Active | Self::Suspended | Self::Ending)
    }

    /// Whether its grants open projects now.
    pub const fn opens(self) -> bool {
        matches!(self, Self::Active | Self::Ending)
    }
}

/// A choice of projects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectChoice {
    /// How it is meant.
    pub mode: Mode,
    /// The projects it names: taken for `selected`, left out for `all_except`, none for `all`.
    #[serde(default)]
    pub projects: BTreeSet<ProjectId>,
    /// What happens with future projects; `no` for `selected`.
    pub include_future: IncludeFuture,
}

impl ProjectChoice {
    /// The projects of `all` that are chosen.
    pub fn chosen(&self, all: &BTreeSet<ProjectId>) -> BTreeSet<ProjectId> {
        match self.mode {
            Mode::All => all.clone(),
            Mode::AllExcept => all.difference(&self.projects).copied().collect(),
            Mode::Selected => all.intersection(&self.projects).copied().collect(),
        }
    }

    /// The same choice with these projects chosen too.
    #[must_use]
    pub fn with(&self, add: &BTreeSet<ProjectId>) -> Self {
        let projects = match self.mode {
            Mode::All => BTreeSet::new(),
            Mode::AllExcept => self.projects.difference(add).copied().collect(),
            Mode::Selected => self.projects.union(add).copied().collect(),
        };
        Self { projects, ..self.clone() }
    }

    /// The same choice with these projects chosen no more.
    #[must_use]
    pub fn without(&self, gone: &BTreeSet<ProjectId>) -> Self {
        let (mode, projects) = match self.mode {
            Mode::All => (Mode::AllExcept, gone.clone()),
            Mode::AllExcept => (Mode::AllExcept, self.projects.union(gone).copied().collect()),
            Mode::Selected => (Mode::Selected, self.projects.difference(gone).copied().collect()),
        };
        Self { mode, projects, include_future: self.include_future }
    }

    /// The choice after additions to it, asked for earlier as the choice `asked`, are approved: it chooses exactly `target`
    /// of `all`. What was taken out meanwhile stays out, because it is not in `target`; `future` is what the request
    /// changes about future projects, if anything.
    #[must_use]
    pub fn extended(&self, asked: &Self, future: Option<IncludeFuture>, target: &BTreeSet<ProjectId>, all: &BTreeSet<ProjectId>) -> Self {
        if self.mode == Mode::Selected && asked.mode == Mode::Selected {
            return Self { mode: Mode::Selected, projects: target.clone(), include_future: IncludeFuture::No };
        }
        let include_future = future.unwrap_or_else(|| self.for_new_project());
        let left_out: BTreeSet<_> = all.difference(target).copied().collect();
        if left_out.is_empty() && (self.mode == Mode::All || asked.mode == Mode::All) {
            return Self { mode: Mode::All, projects: left_out, include_future };
        }
        Self { mode: Mode::AllExcept, projects: left_out, include_future }
    }

    /// What happens with a project that has just been created.
    pub fn for_new_project(&self) -> IncludeFuture {
        if self.mode == Mode::Selected { IncludeFuture::No } else { self.include_future }
    }
}

/// A choice of projects as somebody wrote it: words, and handles or ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChoiceInput {
    /// `all`, `all_except` or `selected`.
    pub mode: String,
    /// The projects it names, by handle or id.
    pub projects: Vec<String>,
    /// `yes`, `ask` or `no`; absent, it is `no` for `selected` and `yes` otherwise.
    pub include_future: Option<String>,
    /// Purpose and end of some of the projects chosen; what is not named here stays as it is.
    pub details: Vec<TermsInput>,
}

impl ChoiceInput {
    /// Judges it. Faults are noted under `at`, such as `/projects`; `find` looks a project up by handle or id.
    pub fn check(&self, at: &str, find: impl Fn(&str) -> Option<ProjectId>, faults: &mut Faults) -> Option<ProjectChoice> {
        let mode = faults.check(format!("{at}/mode"), self.mode.parse::<Mode>());
        let given = self.include_future.as_deref().filter(|word| !word.is_empty());
        let include_future = match given {
            Some(word) => faults.check(format!("{at}/include_future"), word.parse::<IncludeFuture>()),
            None => Some(if mode == Some(Mode::Selected) { IncludeFuture::No } else { IncludeFuture::Yes }),
        };
        let mut projects = BTreeSet::new();
        for (index, key) in self.projects.iter().enumerate() {
            match find(key.trim()) {
                Some(id) => drop(projects.insert(id)),
                None => faults.add(format!("{at}/projects/{index}"), "the organization has no such project; write its handle or id"),
            }
        }
        let (mode, include_future) = (mode?, include_future?);
        match mode {
            Mode::All if !self.projects.is_empty() => {
                faults.add(format!("{at}/projects"), "mode all names no projects; to leave some out, choose all_except");
            }
            Mode::Selected if self.projects.is_empty() => faults.add(format!("{at}/projects"), "choose at least one project"),
            Mode::Selected if include_future != IncludeFuture::No => {
                let detail = "selected projects have no future ones; write no, or choose all or all_except";
                faults.add(format!("{at}/include_future"), detail);
            }
            Mode::All | Mode::AllExcept | Mode::Selected => {}
        }
        Some(ProjectChoice { mode, projects, include_future })
    }
}

/// What changes between the projects granted now and those of a new choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChoiceChange {
    /// Projects to grant; may need approval.
    pub add: BTreeSet<ProjectId>,
    /// Projects to take out; never waits.
    pub remove: BTreeSet<ProjectId>,
    /// Whether future projects would be granted that would not have been before; counts as an addition.
    pub widens_future: bool,
    /// Whether less happens with future projects than before; counts as a reduction.
    pub narrows_future: bool,
}

impl ChoiceChange {
    /// Compares a new choice with the choice and the grants of now.
    pub fn between(now: &ProjectChoice, granted: &BTreeSet<ProjectId>, new: &ProjectChoice, all: &BTreeSet<ProjectId>) -> Self {
        let target = new.chosen(all);
        Self {
            add: target.difference(granted).copied().collect(),
            remove: granted.difference(&target).copied().collect(),
            widens_future: new.for_new_project() == IncludeFuture::Yes && now.for_new_project() != IncludeFuture::Yes,
            narrows_future: new.for_new_project() > now.for_new_project(),
        }
    }

    /// Whether anything is taken out or narrowed, which never waits.
    pub fn reduces(&self) -> bool {
        !self.remove.is_empty() || self.narrows_future
    }

    /// Whether anything is added, so that somebody may have to approve.
    pub fn adds(&self) -> bool {
        !self.add.is_empty() || self.widens_future
    }

    /// The choice to keep while the additions wait: what was granted and still is, and no more; the future as narrow as
    /// the narrower of both choices.
    pub fn reduced(
        &self,
        now: &ProjectChoice,
        granted: &BTreeSet<ProjectId>,
        new: &ProjectChoice,
        all: &BTreeSet<ProjectId>,
    ) -> ProjectChoice {
        let kept: BTreeSet<_> = granted.difference(&self.remove).copied().collect();
        let include_future = now.for_new_project().max(new.for_new_project());
        match now.mode {
            Mode::Selected => ProjectChoice { mode: Mode::Selected, projects: kept, include_future: IncludeFuture::No },
            Mode::All if self.remove.is_empty() => ProjectChoice { mode: Mode::All, projects: BTreeSet::new(), include_future },
            Mode::All => ProjectChoice { mode: Mode::AllExcept, projects: all.difference(&kept).copied().collect(), include_future },
            Mode::AllExcept => ProjectChoice {
                mode: Mode::AllExcept,
                projects: now.projects.iter().copied().chain(all.difference(&kept).copied()).collect(),
                include_future,
            },
        }
    }
}

/// A subscription as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Its id.
    pub id: SubscriptionId,
    /// Who subscribed.
    pub organization: OrganizationId,
    /// Who provides.
    pub provider: OrganizationId,
    /// What is subscribed.
    pub service: ServiceId,
    /// Under which contract.
    pub contract: ContractId,
    /// At which prices.
    pub plan: PlanId,
    /// The one project it serves, at project level.
    pub project: Option<ProjectId>,
    /// Where it is in its life.
    pub state: SubscriptionState,
    /// Which projects it may use.
    pub choice: ProjectChoice,
    /// What the requester wrote.
    pub note: String,
    /// Who asked for it.
    pub requested_by: UserId,
    /// Who last approved its choice of projects: the decider of a request, or the maintainer who needed none. What the
    /// choice grants later (future projects) is granted by this approval.
    pub approved_by: Option<UserId>,
    /// When it was asked for.
    pub created_at: Ts,
    /// When it came into force.
    pub activated_at: Option<Ts>,
    /// When it will end, where that was decided; from then on it is over, whether or not that was written down yet.
    pub ends_at: Option<Ts>,
    /// When it ended.
    pub ended_at: Option<Ts>,
    /// What tells it apart from others of the same service; mostly empty.
    pub label: String,
    /// The subscription of the same service that this one follows.
    pub previous: Option<SubscriptionId>,
}

impl Subscription {
    /// The resource indicator (RFC 8707) that an application names when it asks for a token of this subscription:
    /// `<public URL>/subscriptions/<id>`.
    pub fn resource(public_url: &str, id: SubscriptionId) -> String {
        format!("{}/subscriptions/{id}", public_url.trim_end_matches('/'))
    }

    /// Reads a resource indicator back; `None` when it is none of this installation.
    pub fn from_resource(public_url: &str, resource: &str) -> Option<SubscriptionId> {
        resource.strip_prefix(public_url.trim_end_matches('/'))?.strip_prefix("/subscriptions/")?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ids::Id;

    fn project(number: u8) -> ProjectId {
        ProjectId::mint(Ts::from_micros(1_000_000), [number; 10])
    }

    fn projects() -> impl Strategy<Value = BTreeSet<ProjectId>> {
        prop::collection::btree_set((0_u8..12).prop_map(project), 0..12)
    }

    fn choice() -> impl Strategy<Value = ProjectChoice> {
        (prop::sample::select(Mode::ALL), projects(), prop::sample::select(IncludeFuture::ALL))
            .prop_map(|(mode, projects, include_future)| ProjectChoice { mode, projects, include_future })
    }

    proptest! {
        #[test]
        fn applying_a_change_grants_exactly_the_chosen_projects(now in choice(), new in choice(), all in projects()) {
            let granted = now.chosen(&all);
            let change = ChoiceChange::between(&now, &granted, &new, &all);
            let after: BTreeSet<_> = granted.difference(&change.remove).chain(&change.add).copied().collect();
            prop_assert_eq!(after, new.chosen(&all));
        }

        #[test]
        fn what_is_taken_out_of_a_choice_is_not_chosen_and_everything_else_still_is(now in choice(), gone in projects(), all in projects()) {
            let chosen: BTreeSet<_> = now.chosen(&all).difference(&gone).copied().collect();
            prop_assert_eq!(now.without(&gone).chosen(&all), chosen);
            prop_assert_eq!(now.without(&gone).for_new_project(), now.for_new_project());
        }

        #[test]
        fn while_additions_wait_nothing_is_granted_that_was_not(now in choice(), new in choice(), all in projects()) {
            let granted = now.chosen(&all);
            let change = ChoiceChange::between(&now, &granted, &new, &all);
            let reduced = change.reduced(&now, &granted, &new, &all);
            let kept: BTreeSet<_> = granted.difference(&change.remove).copied().collect();
            prop_assert_eq!(reduced.chosen(&all), kept);
            prop_assert!(reduced.for_new_project() != IncludeFuture::Yes || now.for_new_project() == IncludeFuture::Yes);
        }

        #[test]
        fn an_approved_addition_chooses_exactly_its_target(now in choice(), asked in choice(), all in projects(), some in projects(),
                future in prop::option::of(prop::sample::select(IncludeFuture::ALL))) {
            let target: BTreeSet<_> = some.intersection(&all).copied().collect();
            let extended = now.extended(&asked, future, &target, &all);
            prop_assert_eq!(extended.chosen(&all), target);
            let widest = future.unwrap_or_else(|| now.for_new_project());
            prop_assert!(extended.for_new_project() >= widest || future.is_some());
        }

        #[test]
        fn nothing_terminal_ever_moves_again(moves in prop::collection::vec(prop::sample::select(vec![Move::Approve, Move::Provision, Move::Ready, Move::Fail, Move::Reject, Move::Withdraw, Move::Expire, Move::Cancel]), 0..20)) {
            let mut state = SubscriptionState::Requested;
            for step in moves {
                let (live, ahead) = (state.is_live(), state.is_ahead());
                match state.after(step) {
                    Ok(next) => {
                        prop_assert!(live);
                        prop_assert!(ahead || !next.is_ahead(), "what came into force never waits again");
                        prop_assert!(!next.opens() || matches!(step, Move::Approve | Move::Ready));
                        state = next;
                    }
                    Err(refusal) => prop_assert_eq!(refusal.state, state),
                }
            }
        }
    }

    #[test]
    fn everything_wrong_with_a_choice_is_said_at_its_place() {
        let find = |key: &str| (key == "north").then(|| project(1));
        let pointers = |mode: &str, projects: &[&str], future: Option<&str>| {
            let input = ChoiceInput {
                mode: mode.into(),
                projects: projects.iter().map(|one| (*one).to_owned()).collect(),
                include_future: future.map(str::to_owned),
                details: Vec::new(),
            };
            let mut faults = Faults::new();
            let checked = input.check("/projects", find, &mut faults);
            (checked, faults.into_vec().into_iter().map(|fault| fault.pointer).collect::<Vec<_>>())
        };
        assert_eq!(pointers("some", &["south"], Some("later")).1, ["/projects/mode", "/projects/include_future", "/projects/projects/0"]);
        assert_eq!(pointers("selected", &[], None).1, ["/projects/projects"]);
        assert_eq!(pointers("all", &["north"], None).1, ["/projects/projects"]);
        assert_eq!(pointers("selected", &["north"], Some("yes")).1, ["/projects/include_future"]);
        let (selected, none) = pointers("selected", &["north"], None);
        assert_eq!((selected.unwrap().include_future, none.len()), (IncludeFuture::No, 0));
        assert_eq!(pointers("all", &[], None).0.unwrap().include_future, IncludeFuture::Yes);
    }

    #[test]
    fn a_resource_indicator_reads_back_only_under_its_own_address() {
        let id = SubscriptionId::mint(Ts::from_micros(5), [1; 10]);
        let resource = Subscription::resource("https://stoa.example/", id);
        assert_eq!(Subscription::from_resource("https://stoa.example", &resource), Some(id));
        assert_eq!(Subscription::from_resource("https://other.example", &resource), None);
    }
}
