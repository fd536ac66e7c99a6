//! Offers: what becomes of a new contract for the subscriptions that are there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    ids::{ContractId, OrganizationId, ServiceId, SubscriptionId, UserId},
    meters::Plan,
    text::Faults,
    time::{DAY, Ts},
    words::words,
};

/// How long subscribers have at least before a subscription that did not accept a contract ends, in microseconds.
pub const NOTICE: i64 = 30 * DAY;
/// How long before that day they are reminded, in microseconds.
pub const REMINDER: i64 = 7 * DAY;

words! {
    /// What became of a contract that came while a subscription was there.
    OfferState, NotAnOfferState, "an offer's state" {
        /// It waits for a consent.
        Open = "open",
        /// It asked for nothing more, so it applied at once.
        Applied = "applied",
        /// It was accepted.
        Accepted = "accepted",
        /// It was refused; it may still be accepted until its day.
        Refused = "refused",
        /// A newer contract took its place.
        Superseded = "superseded",
        /// Nobody accepted it until its day, on which the subscription ended.
        Lapsed = "lapsed",
        /// It was not offered: the subscription keeps the contract it has.
        Kept = "kept",
    }
}

/// What cannot be done with an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the contract is {0} already")]
pub struct NotOpen(pub OfferState);

impl OfferState {
    /// Whether it can be accepted.
    pub const fn waits(self) -> bool {
        matches!(self, Self::Open | Self::Refused)
    }

    /// After a consent.
    ///
    /// # Errors
    /// [`NotOpen`] unless it waits.
    pub fn accept(self) -> Result<Self, NotOpen> {
        if self.waits() { Ok(Self::Accepted) } else { Err(NotOpen(self)) }
    }

    /// After a refusal, which may be changed until the day.
    ///
    /// # Errors
    /// [`NotOpen`] unless it waits.
    pub fn refuse(self) -> Result<Self, NotOpen> {
        if self.waits() { Ok(Self::Refused) } else { Err(NotOpen(self)) }
    }

    /// When a consent is taken back, as that to a change of level may be.
    ///
    /// # Errors
    /// [`NotOpen`] unless it was accepted.
    pub fn reopen(self) -> Result<Self, NotOpen> {
        if self == Self::Accepted { Ok(Self::Open) } else { Err(NotOpen(self)) }
    }

    /// When its day has come.
    ///
    /// # Errors
    /// [`NotOpen`] unless it waits.
    pub fn lapse(self) -> Result<Self, NotOpen> {
        if self.waits() { Ok(Self::Lapsed) } else { Err(NotOpen(self)) }
    }
}

/// A contract as it is offered to one subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContractOffer {
    /// Who subscribes.
    pub organization: OrganizationId,
    /// The subscription.
    pub subscription: SubscriptionId,
    /// The contract.
    pub contract: ContractId,
    /// Who provides.
    pub provider: OrganizationId,
    /// The service.
    pub service: ServiceId,
    /// What became of it.
    pub state: OfferState,
    /// When it was offered.
    pub offered_at: Ts,
    /// When the subscription ends if nobody accepts; `None` when it keeps its contract for good.
    pub until: Option<Ts>,
    /// Who accepted or refused.
    pub decided_by: Option<UserId>,
    /// When.
    pub decided_at: Option<Ts>,
}

/// Reads until when those keep their contract who do not accept a new one.
pub fn check_notice(given: Option<&str>, now: Ts, faults: &mut Faults) -> Option<Ts> {
    let given = given.map(str::trim).filter(|text| !text.is_empty())?;
    let until = faults.check("/notice_until", given.parse::<Ts>())?;
    if until < now.plus(NOTICE) {
        faults.add("/notice_until", format!("give subscribers at least {} days: {} or later", NOTICE / DAY, now.plus(NOTICE)));
        return None;
    }
    Some(until)
}

/// Which plan of a new contract follows which plan of the contracts before, by their names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlanPaths(pub BTreeMap<String, String>);

impl PlanPaths {
    /// The plan that follows the one of that name: as it was said, or else the one of the same name, or else the only one.
    pub fn next<'a, T>(&self, name: &str, plans: &'a [T], plan: impl Fn(&T) -> &Plan) -> Option<&'a T> {
        let wanted = self.0.get(name).map_or(name, String::as_str);
        let named = plans.iter().find(|one| plan(one).name == wanted);
        match plans {
            [only] if !self.0.contains_key(name) => named.or(Some(only)),
            _ => named,
        }
    }

    /// Checks that each path leads to a plan, and that each plan in use has one.
    pub fn check(&self, used: &[&str], plans: &[Plan], faults: &mut Faults) {
        let names: Vec<_> = plans.iter().map(|plan| plan.name.as_str()).collect();
        for (from, to) in self.0.iter().filter(|(_, to)| !names.contains(&to.as_str())) {
            faults.add(format!("/plan_paths/{}", pointer(from)), format!("there is no plan {to}; choose one of {}", names.join(", ")));
        }
        for name in used.iter().filter(|name| !self.0.contains_key(**name) && self.next(name, plans, |plan| plan).is_none()) {
            let detail = format!("subscribers are on the plan {name}; say which of {} follows it", names.join(", "));
            faults.add(format!("/plan_paths/{}", pointer(name)), detail);
        }
    }
}

/// A name as a part of a JSON Pointer (RFC 6901).
fn pointer(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plans(names: &[&str]) -> Vec<Plan> {
        names.iter().map(|name| serde_json::from_value(serde_json::json!({"name": name, "currency": "EUR"})).unwrap()).collect()
    }

    fn paths(pairs: &[(&str, &str)]) -> PlanPaths {
        PlanPaths(pairs.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect())
    }

    #[test]
    fn a_plan_is_followed_by_the_one_that_was_said_or_its_namesake_or_the_only_one() {
        let next = |paths: &PlanPaths, name: &str, names: &[&str]| {
            let plans = plans(names);
            paths.next(name, &plans, |plan| plan).map(|plan| plan.name.clone())
        };
        assert_eq!(next(&paths(&[("Basic", "Plus")]), "Basic", &["Basic", "Plus"]).as_deref(), Some("Plus"));
        assert_eq!(next(&paths(&[]), "Basic", &["Basic", "Plus"]).as_deref(), Some("Basic"));
        assert_eq!(next(&paths(&[]), "Basic", &["Plus"]).as_deref(), Some("Plus"));
        assert_eq!(next(&paths(&[]), "Basic", &["Plus", "Max"]), None);
    }

    #[test]
    fn a_path_is_asked_for_where_none_can_be_told() {
        let faults_of = |paths: PlanPaths, used: &[&str], names: &[&str]| {
            let mut faults = Faults::new();
            paths.check(used, &plans(names), &mut faults);
            faults.into_vec().into_iter().map(|fault| fault.pointer).collect::<Vec<_>>()
        };
        assert!(faults_of(paths(&[]), &["Basic"], &["Basic", "Plus"]).is_empty());
        assert_eq!(faults_of(paths(&[]), &["a/b"], &["Basic", "Plus"]), ["/plan_paths/a~1b"]);
        assert_eq!(faults_of(paths(&[("Basic", "Max")]), &["Basic"], &["Basic", "Plus"]), ["/plan_paths/Basic"]);
    }

    #[test]
    fn subscribers_have_thirty_days_at_least() {
        let now: Ts = "2026-03-01T00:00:00Z".parse().unwrap();
        let read = |text: Option<&str>| {
            let mut faults = Faults::new();
            let until = check_notice(text, now, &mut faults);
            (until.map(|at| at.to_string()), faults.into_vec().len())
        };
        assert_eq!(read(None), (None, 0));
        assert_eq!(read(Some("2026-03-31T00:00:00Z")), (Some("2026-03-31T00:00:00.000000Z".into()), 0));
        assert_eq!(read(Some("2026-03-30T23:59:59Z")), (None, 1));
        assert_eq!(read(Some("soon")), (None, 1));
    }

    #[test]
    fn a_refusal_may_be_changed_and_what_is_decided_stays() {
        assert_eq!(OfferState::Refused.accept(), Ok(OfferState::Accepted));
        assert_eq!(OfferState::Open.refuse(), Ok(OfferState::Refused));
        for state in [OfferState::Applied, OfferState::Accepted, OfferState::Superseded, OfferState::Lapsed, OfferState::Kept] {
            assert_eq!(state.accept(), Err(NotOpen(state)));
            assert_eq!(state.refuse(), Err(NotOpen(state)));
            assert_eq!(state.lapse(), Err(NotOpen(state)));
        }
    }
}
