//! The moves of a service: which states each is possible from, and where it leads.

use super::{ServiceState, WrongServiceState};
use crate::{
    ids::ServiceId,
    text::Faults,
    time::{Day, Ts},
    words::words,
};

words! {
    /// What is done with a service.
    ServiceMove, NotAServiceMove, "what is done with a service" {
        /// A draft goes live (or to review), a paused one takes new subscriptions again.
        Publish = "publish",
        /// Taken back from review by its provider.
        Withdraw = "withdraw",
        /// No new subscriptions for now.
        Pause = "pause",
        /// No new subscriptions any more; a day of its end is named.
        Deprecate = "deprecate",
        /// Its end.
        Retire = "retire",
        /// The operator lets it on the marketplace.
        Approve = "approve",
        /// The operator does not.
        Reject = "reject",
        /// The operator stops it.
        Suspend = "suspend",
        /// The operator lets it go on.
        Unsuspend = "unsuspend",
    }
}

impl ServiceMove {
    /// What providers do; the others are the operator's.
    pub const PROVIDERS: [Self; 5] = [Self::Publish, Self::Withdraw, Self::Pause, Self::Deprecate, Self::Retire];

    /// Whether a provider does it.
    pub fn is_providers(self) -> bool {
        Self::PROVIDERS.contains(&self)
    }
}

/// What a move depends on beside the state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// Whether the operator reviews services before they are published.
    pub review: bool,
    /// Where a suspended service was before.
    pub suspended_from: Option<ServiceState>,
}

impl ServiceState {
    /// The state after a move.
    ///
    /// # Errors
    /// [`WrongServiceState`] when the move is not possible from here.
    pub fn after(self, step: ServiceMove, circumstances: Circumstances) -> Result<Self, WrongServiceState> {
        let wrong = |verb| Err(WrongServiceState { state: self, verb });
        match step {
            ServiceMove::Publish => match self.publish()? {
                Self::Published if self == Self::Draft && circumstances.review => Ok(Self::InReview),
                state => Ok(state),
            },
            ServiceMove::Withdraw if self == Self::InReview => Ok(Self::Draft),
            ServiceMove::Withdraw => wrong("taken back from review"),
            ServiceMove::Pause => self.pause(),
            ServiceMove::Deprecate if matches!(self, Self::Published | Self::Paused | Self::Deprecated) => Ok(Self::Deprecated),
            ServiceMove::Deprecate => wrong("deprecated"),
            ServiceMove::Retire => match self {
                Self::Draft | Self::Paused | Self::Deprecated => Ok(Self::Retired),
                Self::Published => wrong("retired before it is paused or deprecated"),
                Self::InReview => wrong("retired before it is taken back from review"),
                Self::Retired | Self::Suspended => wrong("retired"),
            },
            ServiceMove::Approve if self == Self::InReview => Ok(Self::Published),
            ServiceMove::Approve => wrong("approved"),
            ServiceMove::Reject if self == Self::InReview => Ok(Self::Draft),
            ServiceMove::Reject => wrong("rejected"),
            ServiceMove::Suspend if matches!(self, Self::Published | Self::Paused | Self::Deprecated) => Ok(Self::Suspended),
            ServiceMove::Suspend => wrong("suspended"),
            ServiceMove::Unsuspend => match (self, circumstances.suspended_from) {
                // Of one that was suspended in a way nobody noted, the most careful is assumed.
                (Self::Suspended, before) => Ok(before.unwrap_or(Self::Paused)),
                _ => wrong("let go on"),
            },
        }
    }

    /// The state as it stands in a sentence.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Draft => "a draft",
            Self::InReview => "in review",
            Self::Published => "published",
            Self::Paused => "paused",
            Self::Deprecated => "deprecated",
            Self::Retired => "retired",
            Self::Suspended => "suspended by the operator",
        }
    }
}

/// How a service ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deprecation {
    /// From that day on its provider means to retire it.
    pub on: Day,
    /// What its provider recommends instead.
    pub successor: Option<ServiceId>,
}

/// That the operator stopped a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSuspension {
    /// Where it was before, and will be again.
    pub from: ServiceState,
    /// Why.
    pub reason: String,
}

/// How many days of notice a deprecation gives when its provider names no day.
pub const NOTICE_DAYS: i64 = 90;

/// The furthest a deprecation may lie ahead, in days.
const FURTHEST_DAYS: i64 = 3_660;

/// The day of a deprecation as somebody wrote it (`2026-03-12`), checked against today and, where one is moved, the day
/// subscribers know of: they rely on it, so it moves later only.
///
/// # Errors
/// What is wrong, at `/date`.
pub fn deprecation_day(given: Option<&str>, known: Option<Day>, now: Ts) -> Result<Day, Faults> {
    let mut faults = Faults::new();
    let today = now.day();
    let day = match given.map(str::trim).filter(|text| !text.is_empty()) {
        None => Some(known.unwrap_or(Day::from_number(today.number() + NOTICE_DAYS))),
        Some(text) => faults.check("/date", text.parse::<Day>().map_err(|_| "write a day, such as 2027-03-31")),
    };
    match (day, known) {
        (Some(day), Some(known)) if day < known => {
            faults.add("/date", format!("subscribers were told {known}; that day may be moved later only"));
        }
        (Some(day), None) if day < today => faults.add("/date", format!("write today ({today}) or a later day")),
        (Some(day), _) if day.number() > today.number() + FURTHEST_DAYS => faults.add("/date", "write a day within ten years"),
        _ => {}
    }
    faults.or(day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REVIEWED: Circumstances = Circumstances { review: true, suspended_from: None };
    const OPEN: Circumstances = Circumstances { review: false, suspended_from: None };

    #[test]
    fn a_reviewed_draft_waits_for_the_operator_and_a_paused_service_does_not() {
        assert_eq!(ServiceState::Draft.after(ServiceMove::Publish, OPEN), Ok(ServiceState::Published));
        assert_eq!(ServiceState::Draft.after(ServiceMove::Publish, REVIEWED), Ok(ServiceState::InReview));
        assert_eq!(ServiceState::Paused.after(ServiceMove::Publish, REVIEWED), Ok(ServiceState::Published));
        let refused = ServiceState::InReview.after(ServiceMove::Publish, REVIEWED).unwrap_err();
        assert_eq!(refused.to_string(), "the service is in review; it can't be published");
    }

    #[test]
    fn nothing_leads_on_from_a_retired_service() {
        for step in ServiceMove::ALL {
            assert!(ServiceState::Retired.after(*step, REVIEWED).is_err(), "{step}");
        }
        let refused = ServiceState::Published.after(ServiceMove::Retire, OPEN).unwrap_err();
        assert_eq!(refused.to_string(), "the service is published; it can't be retired before it is paused or deprecated");
    }

    #[test]
    fn the_day_of_the_end_moves_later_only() {
        let now: Ts = "2026-03-10T12:00:00Z".parse().unwrap();
        let day = |text: &str| text.parse::<Day>().unwrap();
        assert_eq!(deprecation_day(None, None, now), Ok(day("2026-06-08")));
        assert_eq!(deprecation_day(Some("2026-03-10"), None, now), Ok(day("2026-03-10")));
        assert_eq!(deprecation_day(Some("2026-07-01"), Some(day("2026-06-08")), now), Ok(day("2026-07-01")));
        let said = |given: &str, known: Option<&str>| deprecation_day(Some(given), known.map(day), now).unwrap_err().into_vec().remove(0);
        assert_eq!(said("2026-03-09", None).detail, "write today (2026-03-10) or a later day");
        assert_eq!(said("2026-06-07", Some("2026-06-08")).detail, "subscribers were told 2026-06-08; that day may be moved later only");
        assert_eq!(said("soon", None).pointer, "/date");
        assert!(deprecation_day(Some("2226-01-01"), None, now).is_err());
    }

    /// A service with its live subscriptions, moved by provider, operator and subscribers as the actions move it.
    #[derive(Debug, Clone, Copy)]
    struct Model {
        state: ServiceState,
        live: u32,
        suspended_from: Option<ServiceState>,
        published: bool,
        approved: bool,
    }

    #[derive(Debug, Clone, Copy)]
    enum Step {
        Move(ServiceMove),
        Subscribe,
        Cancel,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            6 => proptest::sample::select(ServiceMove::ALL).prop_map(Step::Move),
            2 => Just(Step::Subscribe),
            2 => Just(Step::Cancel),
        ];
        proptest::collection::vec(step, 0..60)
    }

    fn take(model: &mut Model, step: Step, review: bool) {
        match step {
            Step::Subscribe if model.state.takes_subscriptions() => model.live += 1,
            Step::Subscribe => {}
            Step::Cancel => model.live = model.live.saturating_sub(1),
            Step::Move(ServiceMove::Retire) if model.live > 0 => {}
            Step::Move(step) => {
                let circumstances = Circumstances { review, suspended_from: model.suspended_from };
                let Ok(to) = model.state.after(step, circumstances) else { return };
                model.suspended_from = (to == ServiceState::Suspended).then_some(model.state);
                model.approved |= step == ServiceMove::Approve;
                model.published |= to == ServiceState::Published;
                model.state = to;
            }
        }
    }

    proptest! {
        #[test]
        fn no_sequence_of_moves_reaches_an_illegal_state(steps in steps(), review in any::<bool>()) {
            let mut model =
                Model { state: ServiceState::Draft, live: 0, suspended_from: None, published: false, approved: false };
            for step in steps {
                let before = model;
                take(&mut model, step, review);
                // Retired is the end, and nothing live is left behind.
                prop_assert!(before.state != ServiceState::Retired || model.state == ServiceState::Retired);
                prop_assert!(model.state != ServiceState::Retired || model.live == 0);
                // Nobody subscribes what was never published, and under review nothing is published unapproved.
                prop_assert!(model.live == 0 || model.published);
                prop_assert!(!review || !model.published || model.approved);
                prop_assert!(review || model.state != ServiceState::InReview);
                // Only what had been published is paused, deprecated or suspended, and it never becomes a draft again.
                let later = [ServiceState::Paused, ServiceState::Deprecated, ServiceState::Suspended];
                prop_assert!(!later.contains(&model.state) || model.published);
                prop_assert!(!model.published || !matches!(model.state, ServiceState::Draft | ServiceState::InReview));
                // A suspension ends where it began, and a deprecation never leads back to the marketplace.
                if before.state == ServiceState::Suspended && model.state != ServiceState::Suspended {
                    prop_assert_eq!(Some(model.state), before.suspended_from);
                }
                prop_assert_eq!(model.state == ServiceState::Suspended, model.suspended_from.is_some());
                prop_assert!(before.state != ServiceState::Deprecated || !model.state.takes_subscriptions());
            }
        }
    }
}
