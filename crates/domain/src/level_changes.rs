//! Changes of level: the way of an organization's subscriptions of a service from one level to the other.
//!
//! The organization accepts a contract at the other level for all or some of its projects. From then on there are two
//! sides: the subscriptions of before and those that follow them. One side holds the projects, the other answers as its
//! alias: the old one until the switch and after an undo, the new one in between and for good once the announced day has
//! come. A subscription that is an alias is held up by [`Cause::LevelChange`](crate::suspensions::Cause), so nothing is
//! opened, counted or charged on both sides at the same time.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    ids::{ContractId, LevelChangeId, OrganizationId, ProjectId, RequestId, ServiceId, SubscriptionId, UserId},
    time::Ts,
    words::words,
};

words! {
    /// Where a change of level is.
    LevelChangeState, NotALevelChangeState, "the state of a change of level" {
        /// Accepted: both ways of access work, the old subscriptions hold the projects.
        Accepted = "accepted",
        /// Switched: both ways of access work, the new subscriptions hold the projects.
        Switched = "switched",
        /// Taken back: everything is as it was before.
        Undone = "undone",
        /// Switched for good: the announced day has come and the old subscriptions are over.
        Settled = "settled",
    }
}

/// Which subscriptions hold the projects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Those of before.
    Old,
    /// Those that follow.
    New,
}

/// What can happen to a change of level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LevelMove {
    /// The new subscriptions take over.
    Switch,
    /// The old subscriptions go on.
    Undo,
    /// The announced day has come.
    Settle,
    /// The announced day has come and nothing is left to switch.
    GiveUp,
}

/// Why a change of level does not go this way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CannotChangeLevel {
    /// Its state does not allow it.
    #[error("the change of level is {state}; it can't be {verb}")]
    State {
        /// Where it is.
        state: LevelChangeState,
        /// What was asked, as a participle.
        verb: &'static str,
    },
    /// The announced day has come.
    #[error("the change of level could be undone until {0}")]
    TooLate(Ts),
    /// The announced day has not come.
    #[error("the change of level can be undone until {0}; it settles then")]
    TooEarly(Ts),
}

impl LevelChangeState {
    /// Which side holds the projects.
    pub const fn holder(self) -> Side {
        match self {
            Self::Accepted | Self::Undone => Side::Old,
            Self::Switched | Self::Settled => Side::New,
        }
    }

    /// Whether it still can go either way.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Accepted | Self::Switched)
    }

    /// The state after a move at `now`; `until` is the announced day.
    ///
    /// # Errors
    /// [`CannotChangeLevel`].
    pub fn after(self, step: LevelMove, until: Ts, now: Ts) -> Result<Self, CannotChangeLevel> {
        match (self, step) {
            (Self::Accepted, LevelMove::Switch) => Ok(Self::Switched),
            (Self::Accepted | Self::Switched, LevelMove::Undo) if now < until => Ok(Self::Undone),
            (Self::Accepted | Self::Switched, LevelMove::Undo) => Err(CannotChangeLevel::TooLate(until)),
            (Self::Accepted, LevelMove::GiveUp) if now >= until => Ok(Self::Undone),
            (Self::Accepted, LevelMove::GiveUp) => Err(CannotChangeLevel::TooEarly(until)),
            (Self::Switched, LevelMove::Settle) if now >= until => Ok(Self::Settled),
            (Self::Switched, LevelMove::Settle) => Err(CannotChangeLevel::TooEarly(until)),
            (state, step) => Err(CannotChangeLevel::State {
                state,
                verb: match step {
                    LevelMove::Switch => "switched",
                    LevelMove::Undo => "undone",
                    LevelMove::Settle => "settled",
                    LevelMove::GiveUp => "given up",
                },
            }),
        }
    }
}

/// A change of level as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LevelChange {
    /// Its id.
    pub id: LevelChangeId,
    /// Who subscribes.
    pub organization: OrganizationId,
    /// Who provides.
    pub provider: OrganizationId,
    /// The service.
    pub service: ServiceId,
    /// The contract at the new level.
    pub contract: ContractId,
    /// Where it is.
    pub state: LevelChangeState,
    /// Until when it can be undone; then it settles.
    pub until: Ts,
    /// Who accepted it.
    pub accepted_by: UserId,
    /// When.
    pub accepted_at: Ts,
    /// The request that was approved.
    pub request: Option<RequestId>,
    /// When it was switched.
    pub switched_at: Option<Ts>,
    /// By whom; `None` when by Stoa itself on the announced day.
    pub switched_by: Option<UserId>,
    /// When it was undone.
    pub undone_at: Option<Ts>,
    /// By whom; `None` when by Stoa itself, because nothing was left to switch.
    pub undone_by: Option<UserId>,
    /// When it was settled.
    pub settled_at: Option<Ts>,
}

/// A project that goes from one subscription to another with a change of level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// The subscription of before.
    pub old: SubscriptionId,
    /// The one that follows it.
    pub new: SubscriptionId,
    /// The project.
    pub project: ProjectId,
}

/// How subscriptions are tied by changes of level, whichever side holds what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kinship {
    ties: BTreeMap<ProjectId, Vec<(SubscriptionId, SubscriptionId)>>,
}

impl Kinship {
    /// From all parts that name one of the subscriptions, or are tied to such a one.
    pub fn of(parts: impl IntoIterator<Item = Part>) -> Self {
        let mut ties: BTreeMap<ProjectId, Vec<_>> = BTreeMap::new();
        for part in parts {
            ties.entry(part.project).or_default().push((part.old, part.new));
        }
        Self { ties }
    }

    /// Whether nobody is tied to anybody.
    pub fn is_empty(&self) -> bool {
        self.ties.is_empty()
    }

    /// All subscriptions that any change of level ties.
    pub fn all(&self) -> BTreeSet<SubscriptionId> {
        self.ties.values().flatten().flat_map(|(old, new)| [*old, *new]).collect()
    }

    /// The projects for which a subscription is tied to others.
    pub fn projects_of(&self, of: SubscriptionId) -> impl Iterator<Item = ProjectId> {
        self.ties.iter().filter(move |(_, ties)| ties.iter().any(|(old, new)| *old == of || *new == of)).map(|(project, _)| *project)
    }

    /// The subscriptions that served, serve or will serve a project in another's stead, directly or by way of others; without
    /// itself.
    pub fn relatives(&self, of: SubscriptionId, project: ProjectId) -> BTreeSet<SubscriptionId> {
        let ties = self.ties.get(&project).map_or(&[][..], Vec::as_slice);
        let mut found = BTreeSet::from([of]);
        loop {
            let next: Vec<_> = ties
                .iter()
                .flat_map(|(old, new)| [(*old, *new), (*new, *old)])
                .filter(|(from, to)| found.contains(from) && !found.contains(to))
                .map(|(_, to)| to)
                .collect();
            if next.is_empty() {
                found.remove(&of);
                return found;
            }
            found.extend(next);
        }
    }
}

/// The plan for a subscription that follows several: the one to which most of them lead, of equals the first of the
/// contract.
pub fn common_plan<T: Copy + PartialEq>(next: &[T], plans: &[T]) -> Option<T> {
    let count = |plan: &T| next.iter().filter(|one| *one == plan).count();
    let mut best: Option<(usize, T)> = None;
    for plan in plans {
        let count = count(plan);
        if count > 0 && best.is_none_or(|(most, _)| count > most) {
            best = Some((count, *plan));
        }
    }
    best.map(|(_, plan)| plan)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ids::Id;

    fn subscription(number: u8) -> SubscriptionId {
        SubscriptionId::mint(Ts::from_micros(1_000_000), [number; 10])
    }

    fn project(number: u8) -> ProjectId {
        ProjectId::mint(Ts::from_micros(1_000_000), [number; 10])
    }

    fn part(old: u8, new: u8, of: u8) -> Part {
        Part { old: subscription(old), new: subscription(new), project: project(of) }
    }

    #[test]
    fn relatives_are_those_tied_by_the_same_project_directly_or_not() {
        // Two of one project each became one, which became two again.
        let kinship = Kinship::of([part(1, 9, 1), part(2, 9, 2), part(9, 11, 1), part(9, 12, 2)]);
        let of = |one: u8, of: u8| Vec::from_iter(kinship.relatives(subscription(one), project(of)));
        assert_eq!(of(1, 1), [subscription(9), subscription(11)]);
        assert_eq!(of(9, 2), [subscription(2), subscription(12)]);
        assert!(of(1, 2).is_empty(), "a subscription is no alias for another one's project");
        assert_eq!(Vec::from_iter(kinship.projects_of(subscription(9))), [project(1), project(2)]);
        assert_eq!(kinship.all().len(), 5);
    }

    #[test]
    fn the_common_plan_is_that_of_most_and_of_equals_the_first() {
        assert_eq!(common_plan(&[1, 2, 2], &[1, 2, 3]), Some(2));
        assert_eq!(common_plan(&[2, 1], &[1, 2]), Some(1));
        assert_eq!(common_plan(&[], &[1, 2]), None);
        assert_eq!(common_plan(&[4], &[1, 2]), None);
    }

    fn moves() -> impl Strategy<Value = Vec<(LevelMove, i64)>> {
        let step = prop::sample::select(vec![LevelMove::Switch, LevelMove::Undo, LevelMove::Settle, LevelMove::GiveUp]);
        prop::collection::vec((step, 0_i64..20), 0..12)
    }

    proptest! {
        #[test]
        fn nothing_that_is_over_moves_and_nothing_is_undone_after_its_day(moves in moves()) {
            let until = Ts::from_micros(10);
            let mut state = LevelChangeState::Accepted;
            let mut now = 0;
            for (step, later) in moves {
                now += later;
                let at = Ts::from_micros(now);
                match state.after(step, until, at) {
                    Ok(next) => {
                        prop_assert!(state.is_open(), "{state} is over");
                        prop_assert!(next != LevelChangeState::Undone || at < until || step == LevelMove::GiveUp);
                        prop_assert!(next != LevelChangeState::Settled || (at >= until && state == LevelChangeState::Switched));
                        prop_assert_ne!(next, state);
                        state = next;
                    }
                    Err(CannotChangeLevel::TooLate(_)) => prop_assert!(at >= until && state.is_open()),
                    Err(CannotChangeLevel::TooEarly(_)) => prop_assert!(at < until),
                    Err(CannotChangeLevel::State { state: told, .. }) => prop_assert_eq!(told, state),
                }
            }
        }
    }
}
