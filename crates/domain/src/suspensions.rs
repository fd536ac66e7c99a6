//! What holds a subscription up, and its end: from the moment of the decision until the moment it takes effect.
//!
//! A subscription that came into force is active, unless something holds it up (then it is suspended) or its end was decided
//! for later (then it is ending; held up as well, it is suspended all the same and still ends). Each cause is set and lifted
//! by its own side only. From the decided instant on it is over, whether or not that was written down yet.

use std::collections::BTreeSet;

use crate::{
    ids::{OrganizationId, SubscriptionId, SuspensionId, UserId},
    subscriptions::{Move, SubscriptionState, WrongState},
    time::Ts,
    words::words,
};

words! {
    /// On whose side the cause of a suspension lies; only that side lifts it.
    Cause, NotACause, "a cause of a suspension" {
        /// The organization that subscribed paused it.
        Consumer = "consumer",
        /// The provider paused it.
        Provider = "provider",
        /// The operator of the installation paused it.
        Operator = "operator",
        /// A budget was used up.
        Budget = "budget",
        /// Another subscription stands in for it, by a change of level; it answers as that one's alias.
        LevelChange = "level_change",
    }
}

impl Cause {
    /// Who set it, as it continues “paused by …”.
    pub const fn who(self) -> &'static str {
        match self {
            Self::Consumer => "the organization that subscribed",
            Self::Provider => "the provider",
            Self::Operator => "the operator",
            Self::Budget => "a budget that is used up",
            Self::LevelChange => "a change of level, by which another subscription stands in for it",
        }
    }
}

/// Why a subscription was held up, and from when until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspension {
    /// Its id.
    pub id: SuspensionId,
    /// Who subscribed.
    pub organization: OrganizationId,
    /// What is held up.
    pub subscription: SubscriptionId,
    /// On whose side the cause lies.
    pub cause: Cause,
    /// Its first instant.
    pub since: Ts,
    /// The first instant after it; `None` while it goes on.
    pub until: Option<Ts>,
    /// Why.
    pub reason: String,
    /// By whom; `None` when by Stoa itself.
    pub set_by: Option<UserId>,
    /// Who lifted it.
    pub lifted_by: Option<UserId>,
}

/// An end that was decided for later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// Its id.
    pub id: SuspensionId,
    /// Who subscribed.
    pub organization: OrganizationId,
    /// What ends.
    pub subscription: SubscriptionId,
    /// When it was decided.
    pub since: Ts,
    /// The first instant after the end.
    pub ends_at: Ts,
    /// By whom.
    pub set_by: Option<UserId>,
    /// When it was taken back.
    pub undone_at: Option<Ts>,
    /// By whom.
    pub undone_by: Option<UserId>,
}

/// When a cancelled subscription ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum When {
    /// At once.
    #[default]
    Now,
    /// With the calendar month (UTC).
    PeriodEnd,
}

/// The word is neither `now` nor `period_end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write now or period_end")]
pub struct NotAWhen;

impl std::str::FromStr for When {
    type Err = NotAWhen;
    fn from_str(word: &str) -> Result<Self, NotAWhen> {
        match word {
            "now" => Ok(Self::Now),
            "period_end" => Ok(Self::PeriodEnd),
            _ => Err(NotAWhen),
        }
    }
}

/// The first instant after the calendar month (UTC) that `now` is in.
pub fn period_end(now: Ts) -> Ts {
    now.day().next_month().start()
}

/// Where a subscription is, by all that decides it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its state.
    pub state: SubscriptionState,
    /// What holds it up.
    pub causes: BTreeSet<Cause>,
    /// When it ends, where that was decided.
    pub ends_at: Option<Ts>,
}

/// What the parties can do to a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// What changes its state alone.
    Move(Move),
    /// A cause holds it up from now on.
    Pause(Cause),
    /// The cause does not hold it up any more.
    Resume(Cause),
    /// It will end at that instant.
    EndAt(Ts),
    /// It will not end after all.
    Keep,
}

/// Why a turn is not possible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotTurn {
    /// Its state does not allow it.
    #[error(transparent)]
    State(#[from] WrongState),
    /// The cause holds it up already.
    #[error("the subscription is paused by {} already", .0.who())]
    Paused(Cause),
    /// The cause does not hold it up, but these may.
    #[error("{}", not_paused(*cause, others))]
    NotPaused {
        /// The cause that was to be lifted.
        cause: Cause,
        /// What holds it up instead.
        others: BTreeSet<Cause>,
    },
    /// Its end is decided already.
    #[error("the subscription ends at {0} already; end it now, or keep it first")]
    Ending(Ts),
    /// Its end is not decided.
    #[error("the subscription is not about to end")]
    NotEnding,
}

fn not_paused(cause: Cause, others: &BTreeSet<Cause>) -> String {
    if others.is_empty() {
        return "the subscription is not paused".to_owned();
    }
    let others: Vec<_> = others.iter().map(|one| one.who()).collect();
    format!("the subscription is paused by {}, not by {}; whoever paused it resumes it", others.join(" and by "), cause.who())
}

impl Standing {
    /// The state at an instant: over from the decided end on.
    pub fn state_at(&self, now: Ts) -> SubscriptionState {
        if self.is_due(now) { SubscriptionState::Ended } else { self.state }
    }

    /// Whether its end is decided and has come, so that it only remains to be written down.
    pub fn is_due(&self, now: Ts) -> bool {
        self.state.in_force() && self.ends_at.is_some_and(|end| end <= now)
    }

    /// Where it is after a turn at `now`.
    ///
    /// # Errors
    /// [`CannotTurn`].
    pub fn after(&self, turn: Turn, now: Ts) -> Result<Self, CannotTurn> {
        let state = self.state_at(now);
        let refuse = |verb| CannotTurn::State(WrongState { state, verb });
        let in_force = state.in_force();
        match turn {
            Turn::Move(step) => {
                let state = state.after(step)?;
                Ok(if state.in_force() { self.clone().with_state(state) } else { Self { state, ..Self::new() } })
            }
            Turn::Pause(_) if !in_force => Err(refuse("paused")),
            Turn::Pause(cause) if self.causes.contains(&cause) => Err(CannotTurn::Paused(cause)),
            Turn::Pause(cause) => {
                let causes = self.causes.iter().copied().chain([cause]).collect();
                Ok(Self { causes, ..self.clone() }.settled())
            }
            Turn::Resume(_) if !in_force => Err(refuse("resumed")),
            Turn::Resume(cause) if !self.causes.contains(&cause) => Err(CannotTurn::NotPaused { cause, others: self.causes.clone() }),
            Turn::Resume(cause) => {
                let causes = self.causes.iter().copied().filter(|one| *one != cause).collect();
                Ok(Self { causes, ..self.clone() }.settled())
            }
            Turn::EndAt(_) if !in_force => Err(refuse("cancelled")),
            Turn::EndAt(at) => match self.ends_at {
                Some(end) => Err(CannotTurn::Ending(end)),
                None => Ok(Self { ends_at: Some(at), ..self.clone() }.settled()),
            },
            Turn::Keep if !in_force => Err(refuse("kept")),
            Turn::Keep if self.ends_at.is_none() => Err(CannotTurn::NotEnding),
            Turn::Keep => Ok(Self { ends_at: None, ..self.clone() }.settled()),
        }
    }

    fn new() -> Self {
        Self { state: SubscriptionState::Requested, causes: BTreeSet::new(), ends_at: None }
    }

    fn with_state(self, state: SubscriptionState) -> Self {
        Self { state, ..self }
    }

    /// The state that follows from causes and end.
    fn settled(self) -> Self {
        let state = match (self.causes.is_empty(), self.ends_at) {
            (false, _) => SubscriptionState::Suspended,
            (true, Some(_)) => SubscriptionState::Ending,
            (true, None) => SubscriptionState::Active,
        };
        self.with_state(state)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STEP: i64 = 1_000;

    fn turns() -> impl Strategy<Value = Turn> {
        let cause = || prop::sample::select(Cause::ALL);
        prop_oneof![
            prop::sample::select(vec![Move::Approve, Move::Provision, Move::Ready, Move::Fail, Move::Reject, Move::Withdraw, Move::Cancel])
                .prop_map(Turn::Move),
            cause().prop_map(Turn::Pause),
            cause().prop_map(Turn::Resume),
            (1..20_i64).prop_map(|steps| Turn::EndAt(Ts::from_micros(steps * STEP))),
            Just(Turn::Keep),
        ]
    }

    fn is_legal(one: &Standing) -> bool {
        match one.state {
            SubscriptionState::Active => one.causes.is_empty() && one.ends_at.is_none(),
            SubscriptionState::Suspended => !one.causes.is_empty(),
            SubscriptionState::Ending => one.causes.is_empty() && one.ends_at.is_some(),
            _ => one.causes.is_empty() && one.ends_at.is_none(),
        }
    }

    proptest! {
        #[test]
        fn whatever_the_parties_do_the_state_follows_from_causes_and_end(turns in prop::collection::vec(turns(), 0..40)) {
            let mut now = Standing::new();
            let mut over = None;
            for (index, turn) in turns.into_iter().enumerate() {
                let at = Ts::from_micros(i64::try_from(index).unwrap() * STEP);
                let before = now.state_at(at);
                if let Ok(next) = now.after(turn, at) {
                    prop_assert!(over.is_none(), "{:?} after it was over", turn);
                    prop_assert!(is_legal(&next), "{:?} led to {:?}", turn, next);
                    now = next;
                } else {
                    prop_assert_eq!(now.state_at(at), before);
                }
                if !now.state_at(at).is_live() {
                    over = Some(now.state_at(at));
                }
            }
        }

        #[test]
        fn a_cause_is_lifted_only_by_its_own_side(causes in prop::collection::btree_set(prop::sample::select(Cause::ALL), 1..4), by in prop::sample::select(Cause::ALL)) {
            let now = Standing { state: SubscriptionState::Suspended, causes: causes.clone(), ends_at: None };
            match now.after(Turn::Resume(by), Ts::from_micros(0)) {
                Ok(next) => {
                    prop_assert!(causes.contains(&by));
                    prop_assert_eq!(next.causes.len(), causes.len() - 1);
                    prop_assert_eq!(next.state == SubscriptionState::Active, causes.len() == 1);
                }
                Err(error) => prop_assert_eq!(error, CannotTurn::NotPaused { cause: by, others: causes }),
            }
        }
    }

    #[test]
    fn a_paused_subscription_that_ends_stays_paused_and_still_ends() {
        let at = |micros| Ts::from_micros(micros);
        let active = Standing { state: SubscriptionState::Active, ..Standing::new() };
        let ending = active.after(Turn::EndAt(at(10)), at(1)).unwrap();
        assert_eq!(ending.state, SubscriptionState::Ending);
        let paused = ending.after(Turn::Pause(Cause::Consumer), at(2)).unwrap();
        assert_eq!(
            (paused.state, paused.state_at(at(9)), paused.state_at(at(10))),
            (SubscriptionState::Suspended, SubscriptionState::Suspended, SubscriptionState::Ended)
        );
        let kept = paused.after(Turn::Keep, at(3)).unwrap();
        assert_eq!((kept.state, kept.ends_at), (SubscriptionState::Suspended, None));
        assert!(paused.after(Turn::Keep, at(10)).is_err(), "what is over is not kept");
        let refusal = paused.after(Turn::Resume(Cause::Provider), at(3)).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "the subscription is paused by the organization that subscribed, not by the provider; whoever paused it resumes it"
        );
    }

    #[test]
    fn a_period_ends_with_the_calendar_month() {
        assert_eq!(period_end("2026-02-28T23:59:59.999999Z".parse().unwrap()).to_string(), "2026-03-01T00:00:00.000000Z");
        assert_eq!(period_end("2026-03-01T00:00:00Z".parse().unwrap()).to_string(), "2026-04-01T00:00:00.000000Z");
    }
}
