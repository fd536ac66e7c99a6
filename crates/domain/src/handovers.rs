//! Hand-overs: a service that one organization offers to another, which becomes its provider by accepting.

use crate::{
    applications::Owner,
    ids::{HandoverId, OrganizationId, ServiceId, UserId},
    services::{ServiceState, WrongServiceState},
    text::Faults,
    time::{DAY, Ts},
    words::words,
};

/// For how many days an offer waits where nothing else is said.
pub const USUAL_DAYS: i64 = 14;

/// The most days an offer may wait.
pub const MOST_DAYS: i64 = 90;

/// The longest note to the other organization, in characters.
pub const NOTE: usize = 2_000;

/// Whoever takes requests over with a service has at least so long to decide them, in microseconds.
pub const TIME_TO_DECIDE: i64 = 7 * DAY;

words! {
    /// Where a hand-over is in its life. Only one that is open changes any more.
    HandoverState, NotAHandoverState, "a state of a hand-over" {
        /// It waits for the other organization.
        Open = "open",
        /// The other organization provides the service.
        Accepted = "accepted",
        /// The other organization does not want it.
        Declined = "declined",
        /// It was taken back.
        Withdrawn = "withdrawn",
        /// Nobody answered in time.
        Expired = "expired",
    }
}

words! {
    /// On which side of a hand-over an organization stands.
    Direction, NotADirection, "a direction" {
        /// The service is offered to it.
        Incoming = "incoming",
        /// It offers the service.
        Outgoing = "outgoing",
    }
}

/// What can happen to a hand-over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The other organization takes the service.
    Accept,
    /// The other organization does not want it.
    Decline,
    /// Whoever offered takes it back.
    Withdraw,
    /// Its time is over.
    Expire,
}

impl Step {
    /// The step as it continues “only a maintainer of … may …”.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Accept => "accept it",
            Self::Decline => "decline it",
            Self::Withdraw => "take it back",
            Self::Expire => "let it expire",
        }
    }
}

/// A hand-over as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handover {
    /// Its id.
    pub id: HandoverId,
    /// Who provides the service and offers it.
    pub from: OrganizationId,
    /// To whom.
    pub to: OrganizationId,
    /// What.
    pub service: ServiceId,
    /// Where it is in its life.
    pub state: HandoverState,
    /// What the other organization shall read; may be empty.
    pub note: String,
    /// Who offered it.
    pub offered_by: UserId,
    /// When.
    pub offered_at: Ts,
    /// When it can no longer be accepted.
    pub expires_at: Ts,
    /// Who accepted, declined or took it back; nobody where its time was over.
    pub decided_by: Option<UserId>,
    /// When.
    pub decided_at: Option<Ts>,
}

/// Why a step is not possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CannotDecide {
    /// It is over.
    #[error("this hand-over is already {0}")]
    Closed(HandoverState),
    /// Its time is over.
    #[error("this hand-over expired at {0}; the service can be offered again")]
    Expired(Ts),
    /// Its time is not over yet.
    #[error("this hand-over can still be accepted")]
    NotYet,
}

impl Handover {
    /// The hand-over after a step.
    ///
    /// # Errors
    /// [`CannotDecide`].
    pub fn after(&self, step: Step, by: Option<UserId>, now: Ts) -> Result<Self, CannotDecide> {
        if self.state != HandoverState::Open {
            return Err(CannotDecide::Closed(self.state));
        }
        let over = self.expires_at <= now;
        let state = match step {
            Step::Accept | Step::Decline | Step::Withdraw if over => return Err(CannotDecide::Expired(self.expires_at)),
            Step::Expire if !over => return Err(CannotDecide::NotYet),
            Step::Accept => HandoverState::Accepted,
            Step::Decline => HandoverState::Declined,
            Step::Withdraw => HandoverState::Withdrawn,
            Step::Expire => HandoverState::Expired,
        };
        Ok(Self { state, decided_by: by, decided_at: Some(now), ..self.clone() })
    }

    /// The step that closes an open one when one of its organizations is deleted.
    pub fn when_deleted(&self, organization: OrganizationId, now: Ts) -> Step {
        match organization == self.from {
            _ if self.expires_at <= now => Step::Expire,
            true => Step::Withdraw,
            false => Step::Decline,
        }
    }

    /// On which side an organization stands; `None` for one that it does not concern.
    pub fn direction(&self, of: OrganizationId) -> Option<Direction> {
        match of {
            one if one == self.to => Some(Direction::Incoming),
            one if one == self.from => Some(Direction::Outgoing),
            _ => None,
        }
    }
}

/// The end of an offer that is made now, with what is wrong in `faults`.
pub fn check_days(days: Option<i64>, now: Ts, faults: &mut Faults) -> Option<Ts> {
    let days = days.unwrap_or(USUAL_DAYS);
    if !(1..=MOST_DAYS).contains(&days) {
        faults.add("/days", format!("write a number of days from 1 to {MOST_DAYS}"));
        return None;
    }
    Some(now.plus(days * DAY))
}

impl ServiceState {
    /// Whether a service may be handed over; the state stays.
    ///
    /// # Errors
    /// [`WrongServiceState`]: one in review was asked to be published by its present provider, one that an operator stopped
    /// was stopped under it, and a retired one is over.
    pub fn hand_over(self) -> Result<(), WrongServiceState> {
        let wrong = |verb| Err(WrongServiceState { state: self, verb });
        match self {
            Self::Draft | Self::Published | Self::Paused | Self::Deprecated => Ok(()),
            Self::InReview => wrong("handed over before it is taken back from review or published"),
            Self::Suspended => wrong("handed over until an operator lets it go on"),
            Self::Retired => wrong("handed over"),
        }
    }
}

/// Why a service can't take its application along.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotTakeAlong {
    /// It belongs to a person.
    #[error(
        "it signs in with {application}, which belongs to a person; let its owner give {application} to the providing organization first"
    )]
    Personal {
        /// The application's name.
        application: String,
    },
    /// It belongs to a third organization.
    #[error("it signs in with {application}, which belongs to another organization")]
    Elsewhere {
        /// The application's name.
        application: String,
    },
    /// Other services use it too.
    #[error(
        "{} with the same application, {application}, which can't belong to two organizations; retire what is not needed any more, or draft \
         the service anew with an application of its own", sign_in(.services)
    )]
    InUse {
        /// The application's name.
        application: String,
        /// The names of the other services.
        services: Vec<String>,
    },
}

/// The other services as the beginning of a sentence: “Forecast signs in”, “Forecast and Archive sign in”.
fn sign_in(services: &[String]) -> String {
    match services {
        [one] => format!("{one} signs in"),
        [most @ .., last] => format!("{} and {last} sign in", most.join(", ")),
        [] => "another service signs in".to_owned(),
    }
}

/// Whether the application of a service goes along when it is handed over: `true` for one that only this service uses,
/// `false` for one that is the receiving organization's already. Its credentials work on either way.
///
/// # Errors
/// [`CannotTakeAlong`].
pub fn goes_along(
    application: &str,
    owner: Owner,
    (from, to): (OrganizationId, Option<OrganizationId>),
    others: &[String],
) -> Result<bool, CannotTakeAlong> {
    let application = application.to_owned();
    match owner {
        Owner::Organization(owner) if Some(owner) == to => Ok(false),
        Owner::Organization(owner) if owner != from => Err(CannotTakeAlong::Elsewhere { application }),
        Owner::User(_) => Err(CannotTakeAlong::Personal { application }),
        Owner::Organization(_) if !others.is_empty() => Err(CannotTakeAlong::InUse { application, services: others.to_vec() }),
        Owner::Organization(_) => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ids::Id;

    fn organization(number: u8) -> OrganizationId {
        OrganizationId::mint(Ts::from_micros(1), [number; 10])
    }

    fn handover() -> Handover {
        let now = Ts::from_micros(1_790_000_000_000_000);
        Handover {
            id: HandoverId::mint(now, [1; 10]),
            from: organization(1),
            to: organization(2),
            service: ServiceId::mint(now, [1; 10]),
            state: HandoverState::Open,
            note: String::new(),
            offered_by: UserId::mint(now, [1; 10]),
            offered_at: now,
            expires_at: check_days(None, now, &mut Faults::new()).unwrap(),
            decided_by: None,
            decided_at: None,
        }
    }

    #[test]
    fn it_is_decided_until_its_deadline_and_expires_then() {
        let open = handover();
        assert_eq!(open.expires_at, open.offered_at.plus(14 * DAY));
        let last = open.expires_at.plus(-1);
        for (step, state) in
            [(Step::Accept, HandoverState::Accepted), (Step::Decline, HandoverState::Declined), (Step::Withdraw, HandoverState::Withdrawn)]
        {
            let after = open.after(step, Some(open.offered_by), last).unwrap();
            assert_eq!((after.state, after.decided_at), (state, Some(last)));
            assert_eq!(open.after(step, None, open.expires_at), Err(CannotDecide::Expired(open.expires_at)));
            assert_eq!(after.after(step, None, last), Err(CannotDecide::Closed(state)));
        }
        assert_eq!(open.after(Step::Expire, None, last), Err(CannotDecide::NotYet));
        assert_eq!(open.after(Step::Expire, None, open.expires_at).unwrap().state, HandoverState::Expired);
    }

    #[test]
    fn it_closes_with_either_organization() {
        let open = handover();
        assert_eq!(open.when_deleted(open.from, open.offered_at), Step::Withdraw);
        assert_eq!(open.when_deleted(open.to, open.offered_at), Step::Decline);
        assert_eq!(open.when_deleted(open.to, open.expires_at), Step::Expire);
    }

    #[test]
    fn the_days_have_bounds() {
        let now = Ts::from_micros(0);
        for (given, due) in
            [(None, Some(14)), (Some(1), Some(1)), (Some(90), Some(90)), (Some(0), None), (Some(91), None), (Some(-1), None)]
        {
            let mut faults = Faults::new();
            assert_eq!(check_days(given, now, &mut faults), due.map(|days| now.plus(days * DAY)), "{given:?}");
            assert_eq!(faults.is_empty(), due.is_some());
        }
    }

    #[test]
    fn what_is_over_stopped_or_under_review_stays_where_it_is() {
        for state in ServiceState::ALL.iter().copied() {
            let may = matches!(state, ServiceState::Draft | ServiceState::Published | ServiceState::Paused | ServiceState::Deprecated);
            assert_eq!(state.hand_over().is_ok(), may, "{state}");
        }
        let refused = ServiceState::InReview.hand_over().unwrap_err().to_string();
        assert_eq!(refused, "the service is in review; it can't be handed over before it is taken back from review or published");
    }

    #[test]
    fn an_application_goes_along_when_nothing_else_needs_it() {
        let (from, to) = (organization(1), organization(2));
        let between = (from, Some(to));
        let own = Owner::Organization(from);
        assert_eq!(goes_along("Engine", own, between, &[]), Ok(true));
        assert_eq!(goes_along("Engine", Owner::Organization(to), between, &["Other".into()]), Ok(false));
        let in_use = goes_along("Engine", own, between, &["Map".into(), "Archive".into()]).unwrap_err().to_string();
        assert!(in_use.starts_with("Map and Archive sign in with the same application, Engine,"), "{in_use}");
        let person = Owner::User(UserId::mint(Ts::from_micros(1), [1; 10]));
        assert!(matches!(goes_along("Engine", person, between, &[]), Err(CannotTakeAlong::Personal { .. })));
        assert!(matches!(goes_along("Engine", Owner::Organization(to), (from, None), &[]), Err(CannotTakeAlong::Elsewhere { .. })));
    }

    proptest! {
        #[test]
        fn it_is_closed_once_and_for_all_and_nothing_else_of_it_changes(
            steps in prop::collection::vec(
                (prop::sample::select(vec![Step::Accept, Step::Decline, Step::Withdraw, Step::Expire]), 0..8 * DAY), 0..30)
        ) {
            let first = handover();
            let mut handover = first.clone();
            let mut now = handover.offered_at;
            let mut closed = 0;
            for (step, wait) in steps {
                now = now.plus(wait);
                let before = handover.clone();
                match handover.after(step, Some(first.offered_by), now) {
                    Ok(after) => {
                        prop_assert_eq!(before.state, HandoverState::Open);
                        prop_assert_eq!(step == Step::Expire, now >= before.expires_at);
                        prop_assert_eq!(after.decided_at, Some(now));
                        closed += 1;
                        handover = after;
                    }
                    Err(CannotDecide::Closed(state)) => prop_assert_eq!(state, before.state),
                    Err(CannotDecide::Expired(at)) => prop_assert!(now >= at && step != Step::Expire),
                    Err(CannotDecide::NotYet) => prop_assert!(now < before.expires_at && step == Step::Expire),
                }
                let kept = Handover { state: first.state, decided_by: None, decided_at: None, ..handover.clone() };
                prop_assert_eq!(&kept, &first);
                prop_assert_eq!(handover.state == HandoverState::Open, closed == 0);
            }
            prop_assert!(closed <= 1);
        }
    }
}
