//! Requests: changes that wait for somebody's approval, with an internal step and a provider step.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    ids::{OrganizationId, ProjectId, RequestId, ServiceId, SubscriptionId, UserId},
    locks::GrantTerms,
    subscriptions::{IncludeFuture, ProjectChoice},
    time::Ts,
    words::words,
};

words! {
    /// What is asked for.
    RequestKind, NotARequestKind, "a request's kind" {
        /// A new subscription.
        Subscribe = "subscribe",
        /// More projects for a subscription.
        AddProjects = "add_projects",
        /// The end of a subscription.
        Cancel = "cancel",
        /// A service to be published.
        Publish = "publish",
    }
}

words! {
    /// Whose decision is waited for.
    Step, NotAStep, "a step" {
        /// The asking organization's own.
        Internal = "internal",
        /// The provider's.
        Provider = "provider",
    }
}

words! {
    /// Where a request is in its life.
    RequestState, NotARequestState, "a request's state" {
        /// Waits for a decision.
        Open = "open",
        /// Waits for an answer of the requester.
        NeedsInfo = "needs_info",
        /// Granted.
        Approved = "approved",
        /// Refused.
        Rejected = "rejected",
        /// Taken back by the requester.
        Withdrawn = "withdrawn",
        /// Nobody decided in time.
        Expired = "expired",
    }
}

words! {
    /// What somebody decided.
    Decision, NotADecision, "a decision" {
        /// Yes.
        Approved = "approved",
        /// No.
        Rejected = "rejected",
        /// Taken back by the requester.
        Withdrawn = "withdrawn",
    }
}

/// The change that is asked for, as far as the request's kind and subject do not say it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The choice of projects to set when approved.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub choice: Option<ProjectChoice>,
    /// The projects it adds to those granted when it was asked for.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub add: BTreeSet<ProjectId>,
    /// What shall happen with future projects, where that changes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub include_future: Option<IncludeFuture>,
    /// Purpose and end of projects, for those added and those whose grants shall last longer or serve something else.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub details: BTreeMap<ProjectId, GrantTerms>,
    /// Whether the subscription shall end with the calendar month rather than at once.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub at_period_end: bool,
}

/// A request as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its id.
    pub id: RequestId,
    /// The organization that asks.
    pub organization: OrganizationId,
    /// The provider, where its decision may be needed.
    pub provider: Option<OrganizationId>,
    /// What is asked for.
    pub kind: RequestKind,
    /// Where it is in its life.
    pub state: RequestState,
    /// Whose decision is waited for (or was last).
    pub step: Step,
    /// The service concerned.
    pub service: ServiceId,
    /// The subscription concerned.
    pub subscription: Option<SubscriptionId>,
    /// The change that is asked for.
    pub asked: Asked,
    /// What the requester wrote.
    pub note: String,
    /// Who asked.
    pub requested_by: UserId,
    /// When.
    pub created_at: Ts,
    /// When it was closed.
    pub decided_at: Option<Ts>,
}

/// One decision on a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionRecord {
    /// At which step.
    pub step: Step,
    /// What was decided.
    pub decision: Decision,
    /// By whom.
    pub decided_by: UserId,
    /// That person's name.
    pub decided_by_name: String,
    /// Why.
    pub comment: String,
    /// When.
    pub decided_at: Ts,
}

/// Why a decision is not possible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotDecide {
    /// It is over.
    #[error("the request is already {0}")]
    Closed(RequestState),
    /// It is one's own, and there is somebody else who may decide.
    #[error("nobody decides their own request; ask another reviewer or maintainer")]
    Own,
}

impl RequestState {
    /// Whether it still waits.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::NeedsInfo)
    }

    /// State and step after a decision at `step`.
    ///
    /// # Errors
    /// [`CannotDecide::Closed`]: nothing closed is decided again.
    pub fn after(self, step: Step, decision: Decision, provider_approves: bool) -> Result<(Self, Step), CannotDecide> {
        if !self.is_open() {
            return Err(CannotDecide::Closed(self));
        }
        Ok(match decision {
            Decision::Approved => step_after(step, provider_approves).map_or((Self::Approved, step), |next| (Self::Open, next)),
            Decision::Rejected => (Self::Rejected, step),
            Decision::Withdrawn => (Self::Withdrawn, step),
        })
    }
}

/// The step after an approval at `step`: `None` when the request is then approved as a whole.
pub fn step_after(step: Step, provider_approves: bool) -> Option<Step> {
    match step {
        Step::Internal if provider_approves => Some(Step::Provider),
        Step::Internal | Step::Provider => None,
    }
}

/// Whether `decider` may decide a request in `state` that `requested_by` made. Nobody decides their own request; a sole
/// maintainer may (and the event says so: the answer is `true` when that exception was used).
///
/// # Errors
/// [`CannotDecide`].
pub fn may_decide(
    state: RequestState,
    requested_by: UserId,
    decider: UserId,
    decider_is_sole_maintainer: bool,
) -> Result<bool, CannotDecide> {
    if !state.is_open() {
        return Err(CannotDecide::Closed(state));
    }
    match (requested_by == decider, decider_is_sole_maintainer) {
        (false, _) => Ok(false),
        (true, true) => Ok(true),
        (true, false) => Err(CannotDecide::Own),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ids::Id;

    proptest! {
        #[test]
        fn a_request_is_closed_once_and_approved_only_through_all_its_steps(
            provider_approves: bool,
            decisions in prop::collection::vec(prop::sample::select(Decision::ALL), 0..12),
        ) {
            let (mut state, mut step) = (RequestState::Open, Step::Internal);
            let mut approvals = 0;
            for decision in decisions {
                let before = (state, step);
                match state.after(step, decision, provider_approves) {
                    Ok(next) => {
                        prop_assert!(before.0.is_open());
                        approvals += usize::from(decision == Decision::Approved);
                        (state, step) = next;
                    }
                    Err(refusal) => {
                        prop_assert_eq!(refusal, CannotDecide::Closed(before.0));
                        prop_assert!(!before.0.is_open());
                    }
                }
            }
            prop_assert_eq!(state == RequestState::Approved, approvals == 1 + usize::from(provider_approves));
            prop_assert!(step == Step::Internal || provider_approves);
        }
    }

    #[test]
    fn nobody_decides_their_own_request_but_a_sole_maintainer() {
        let me = UserId::mint(Ts::from_micros(1), [1; 10]);
        let other = UserId::mint(Ts::from_micros(1), [2; 10]);
        assert_eq!(may_decide(RequestState::Open, other, me, false), Ok(false));
        assert_eq!(may_decide(RequestState::Open, me, me, false), Err(CannotDecide::Own));
        assert_eq!(may_decide(RequestState::Open, me, me, true), Ok(true));
        assert_eq!(may_decide(RequestState::Approved, other, me, true), Err(CannotDecide::Closed(RequestState::Approved)));
    }

    #[test]
    fn the_provider_is_asked_after_the_organization_itself() {
        assert_eq!(step_after(Step::Internal, true), Some(Step::Provider));
        assert_eq!(step_after(Step::Internal, false), None);
        assert_eq!(step_after(Step::Provider, true), None);
    }
}
