//! Requests: changes that wait for somebody's approval, with an internal step and a provider step.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    ids::{ContractId, OrganizationId, PlanId, ProjectId, RequestId, ServiceId, SubscriptionId, UserId},
    locks::GrantTerms,
    meters::Plan,
    services::DataPermission,
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
        /// Another plan for a subscription.
        ChangePlan = "change_plan",
        /// The consent to a new contract.
        AcceptContract = "accept_contract",
        /// The consent to a contract at the other level, for all subscriptions of the service together.
        ChangeLevel = "change_level",
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
    /// What somebody decided or said on the way to a decision.
    Decision, NotADecision, "a decision" {
        /// Yes.
        Approved = "approved",
        /// No.
        Rejected = "rejected",
        /// Taken back by the requester.
        Withdrawn = "withdrawn",
        /// Neither yet: a question to the requester.
        Asked = "asked",
        /// The requester's answer to a question.
        Answered = "answered",
    }
}

impl RequestKind {
    /// What an organization asks for, as a sentence without its end: “Grid asks to subscribe Forecast”.
    pub fn title(self, organization: &str, service: &str) -> String {
        match self {
            Self::Subscribe => format!("{organization} asks to subscribe {service}"),
            Self::AddProjects => format!("{organization} asks to add projects to {service}"),
            Self::ChangePlan => format!("{organization} asks for another plan of {service}"),
            Self::AcceptContract => format!("{organization} asks to accept the new contract of {service}"),
            Self::ChangeLevel => format!("{organization} asks to change the level of {service}"),
            Self::Cancel => format!("{organization} asks to cancel {service}"),
            Self::Publish => format!("{organization} asks to publish {service}"),
        }
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
    /// The plan to set when approved.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub plan: Option<PlanId>,
    /// The contract to accept when approved.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub contract: Option<ContractId>,
    /// The only projects for which that contract is accepted; all when absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub consented: Option<BTreeSet<ProjectId>>,
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
    /// Why the organization itself has to approve, where a rule of its policy asks for that; may be empty.
    pub rule: String,
    /// Who asked.
    pub requested_by: UserId,
    /// When.
    pub created_at: Ts,
    /// Until when it waits.
    pub expires_at: Ts,
    /// When those it waits for are reminded next, or it expires: see [`deadlines`](crate::deadlines).
    pub due_at: Ts,
    /// When it was closed.
    pub decided_at: Option<Ts>,
}

/// One decision on a request, question about it, or answer.
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
    /// In whose stead, and that person's name.
    pub on_behalf_of: Option<(UserId, String)>,
    /// Why; the question; the answer.
    pub comment: String,
    /// What an answer changed of what is asked for, each in words.
    pub changes: Vec<String>,
    /// Whether it counts no more, because more is asked for since.
    pub void: bool,
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
    /// It was made by the person in whose stead one would decide.
    #[error("nobody decides their own request, nor does whoever stands in for them; ask another reviewer or maintainer")]
    OwnOfAbsent,
    /// There is no question to answer.
    #[error("nobody asked anything about this request; it waits for a decision")]
    NothingAsked,
}

/// Whether a step's approval is needed, and there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    None,
    Missing,
    Given,
}

/// Which approvals a request needs, and which of them it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Approvals {
    internal: Need,
    provider: Need,
}

impl Approvals {
    /// What is needed of the organization itself and of the provider; nothing is there yet.
    pub const fn needed(internal: bool, provider: bool) -> Self {
        const fn need(needed: bool) -> Need {
            if needed { Need::Missing } else { Need::None }
        }
        Self { internal: need(internal), provider: need(provider) }
    }

    /// With the approval of a step.
    #[must_use]
    pub const fn with(self, step: Step) -> Self {
        match step {
            Step::Internal => Self { internal: Need::Given, ..self },
            Step::Provider => Self { provider: Need::Given, ..self },
        }
    }

    /// Whose approval is waited for: first the organization's own, then the provider's; `None` when all are there.
    pub fn next(self) -> Option<Step> {
        match (self.internal, self.provider) {
            (Need::Missing, _) => Some(Step::Internal),
            (_, Need::Missing) => Some(Step::Provider),
            _ => None,
        }
    }
}

impl RequestState {
    /// Whether it still waits.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::NeedsInfo)
    }

    /// State and step after a decision at `step`, given the approvals before it.
    ///
    /// # Errors
    /// [`CannotDecide::Closed`]: nothing closed is decided again. [`CannotDecide::NothingAsked`]: an answer without a question.
    pub fn after(self, step: Step, decision: Decision, approvals: Approvals) -> Result<(Self, Step), CannotDecide> {
        match (self, decision) {
            (state, _) if !state.is_open() => Err(CannotDecide::Closed(state)),
            (Self::Open, Decision::Answered) => Err(CannotDecide::NothingAsked),
            (_, Decision::Approved) => Ok(approvals.with(step).next().map_or((Self::Approved, step), |next| (Self::Open, next))),
            (_, Decision::Rejected) => Ok((Self::Rejected, step)),
            (_, Decision::Withdrawn) => Ok((Self::Withdrawn, step)),
            (_, Decision::Asked) => Ok((Self::NeedsInfo, step)),
            // What the answer changed may need approvals that were not needed before, or void those that were there.
            (_, Decision::Answered) => Ok((Self::Open, approvals.next().unwrap_or(step))),
        }
    }

    /// The state when nobody decided in time.
    ///
    /// # Errors
    /// [`CannotDecide::Closed`].
    pub const fn expire(self) -> Result<Self, CannotDecide> {
        if self.is_open() { Ok(Self::Expired) } else { Err(CannotDecide::Closed(self)) }
    }
}

/// Whether `decider` may decide a request in `state` that `requested_by` made, in somebody's stead where `absent` is given.
/// Nobody decides their own request; a sole maintainer may (and the event says so: the answer is `true` when that
/// exception was used), but nobody else for them.
///
/// # Errors
/// [`CannotDecide`].
pub fn may_decide(
    state: RequestState,
    requested_by: UserId,
    decider: UserId,
    absent: Option<UserId>,
    decider_is_sole_maintainer: bool,
) -> Result<bool, CannotDecide> {
    if !state.is_open() {
        return Err(CannotDecide::Closed(state));
    }
    if absent == Some(requested_by) {
        return Err(CannotDecide::OwnOfAbsent);
    }
    match (requested_by == decider, decider_is_sole_maintainer && absent.is_none()) {
        (false, _) => Ok(false),
        (true, true) => Ok(true),
        (true, false) => Err(CannotDecide::Own),
    }
}

/// What a request comes to, so that one that is changed can be compared with what was approved before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// The prices.
    pub plan: Plan,
    /// The projects that are opened.
    pub projects: BTreeSet<ProjectId>,
    /// What happens with future projects.
    pub future: IncludeFuture,
    /// What the service may do with their data.
    pub permissions: BTreeSet<DataPermission>,
}

impl Extent {
    /// Whether it is more than `before` in any respect: a project, a permission, future projects, or a price. Approvals of
    /// less are then void.
    pub fn exceeds(&self, before: &Self) -> bool {
        !self.projects.is_subset(&before.projects)
            || !self.permissions.is_subset(&before.permissions)
            || self.future < before.future
            || dearer(&self.plan, &before.plan)
    }
}

/// Whether a plan may cost more than another. Prices by quantity are taken to cost more wherever they differ.
fn dearer(plan: &Plan, than: &Plan) -> bool {
    plan.currency != than.currency
        || plan.one_time > than.one_time
        || plan.monthly > than.monthly
        || plan.monthly_per_project > than.monthly_per_project
        || plan.meters != than.meters
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{ids::Id, money::Currency};

    fn step() -> impl Strategy<Value = Step> {
        prop::sample::select(Step::ALL)
    }

    proptest! {
        #[test]
        fn a_request_is_closed_once_and_approved_only_with_all_approvals_it_needs(
            (internal, provider) in any::<(bool, bool)>(),
            decisions in prop::collection::vec((prop::sample::select(Decision::ALL), any::<bool>()), 0..24),
        ) {
            // An approval whose request grows is void; `given` is what counts of those there were.
            let needed = Approvals::needed(internal, provider);
            let Some(first) = needed.next() else { return Ok(()) };
            let (mut state, mut step) = (RequestState::Open, first);
            let mut given: Vec<Step> = Vec::new();
            for (decision, grows) in decisions {
                let before = (state, step);
                if decision == Decision::Answered && grows && state == RequestState::NeedsInfo {
                    given.clear();
                }
                let approvals = given.iter().fold(needed, |all, step| all.with(*step));
                match state.after(step, decision, approvals) {
                    Ok(next) => {
                        prop_assert!(before.0.is_open());
                        prop_assert!(decision != Decision::Answered || before.0 == RequestState::NeedsInfo);
                        if decision == Decision::Approved {
                            given.push(before.1);
                        }
                        (state, step) = next;
                        prop_assert_eq!(state == RequestState::NeedsInfo, decision == Decision::Asked);
                    }
                    Err(CannotDecide::NothingAsked) => prop_assert_eq!((before.0, decision), (RequestState::Open, Decision::Answered)),
                    Err(refusal) => {
                        prop_assert_eq!(refusal, CannotDecide::Closed(before.0));
                        prop_assert!(!before.0.is_open());
                    }
                }
                prop_assert_eq!((state, step), if before.0.is_open() { (state, step) } else { before });
            }
            if state == RequestState::Approved {
                prop_assert!(!internal || given.contains(&Step::Internal));
                prop_assert!(!provider || given.contains(&Step::Provider));
            }
            if state.is_open() {
                let approvals = given.iter().fold(needed, |all, step| all.with(*step));
                prop_assert_eq!(approvals.next(), Some(step));
            }
        }

        #[test]
        fn nothing_closed_expires_and_what_waits_does(state in prop::sample::select(RequestState::ALL)) {
            prop_assert_eq!(state.expire().is_ok(), state.is_open());
        }

        #[test]
        fn nobody_decides_their_own_request_in_whatever_stead(
            state in prop::sample::select(RequestState::ALL), requester in 0_u8..4, decider in 0_u8..4, absent in prop::option::of(0_u8..4), sole: bool,
        ) {
            let id = |number: u8| UserId::mint(Ts::from_micros(1), [number; 10]);
            let verdict = may_decide(state, id(requester), id(decider), absent.map(id), sole);
            match verdict {
                Ok(true) => prop_assert!(state.is_open() && requester == decider && sole && absent.is_none()),
                Ok(false) => prop_assert!(state.is_open() && requester != decider && absent != Some(requester)),
                Err(CannotDecide::Closed(_)) => prop_assert!(!state.is_open()),
                Err(_) => prop_assert!(requester == decider || absent == Some(requester)),
            }
        }

        #[test]
        fn a_step_that_is_approved_is_not_asked_again((internal, provider) in any::<(bool, bool)>(), approved in step()) {
            prop_assert_ne!(Approvals::needed(internal, provider).with(approved).next(), Some(approved));
        }
    }

    #[test]
    fn nobody_decides_their_own_request_but_a_sole_maintainer() {
        let me = UserId::mint(Ts::from_micros(1), [1; 10]);
        let other = UserId::mint(Ts::from_micros(1), [2; 10]);
        assert_eq!(may_decide(RequestState::Open, other, me, None, false), Ok(false));
        assert_eq!(may_decide(RequestState::Open, me, me, None, false), Err(CannotDecide::Own));
        assert_eq!(may_decide(RequestState::Open, me, me, None, true), Ok(true));
        assert_eq!(may_decide(RequestState::Open, other, me, Some(other), true), Err(CannotDecide::OwnOfAbsent));
        let closed = may_decide(RequestState::Approved, other, me, None, true);
        assert_eq!(closed, Err(CannotDecide::Closed(RequestState::Approved)));
    }

    #[test]
    fn the_provider_is_asked_after_the_organization_itself() {
        let both = Approvals::needed(true, true);
        assert_eq!(both.next(), Some(Step::Internal));
        assert_eq!(both.with(Step::Internal).next(), Some(Step::Provider));
        assert_eq!(both.with(Step::Provider).next(), Some(Step::Internal));
        assert_eq!(Approvals::needed(true, false).with(Step::Internal).next(), None);
    }

    #[test]
    fn whatever_is_more_exceeds_what_was_before() {
        let project = |number: u8| ProjectId::mint(Ts::from_micros(1), [number; 10]);
        let price = |text: &str| crate::money::parse_price(text).unwrap();
        let currency: Currency = "EUR".parse().unwrap();
        let plan = Plan {
            name: "Basic".into(),
            currency,
            one_time: price("0"),
            monthly: price("10"),
            monthly_per_project: price("2"),
            meters: Vec::new(),
        };
        let before = Extent {
            plan: plan.clone(),
            projects: BTreeSet::from([project(1), project(2)]),
            future: IncludeFuture::Ask,
            permissions: BTreeSet::from([DataPermission::ResourcesRead]),
        };
        assert!(!before.exceeds(&before));
        let fewer = Extent { projects: BTreeSet::from([project(1)]), future: IncludeFuture::No, ..before.clone() };
        assert!(!fewer.exceeds(&before) && before.exceeds(&fewer));
        let cheaper = Extent { plan: Plan { name: "Small".into(), monthly: price("5"), ..plan.clone() }, ..before.clone() };
        assert!(!cheaper.exceeds(&before) && before.exceeds(&cheaper));
        let other = Extent { plan: Plan { currency: "USD".parse().unwrap(), monthly: price("1"), ..plan }, ..before.clone() };
        assert!(other.exceeds(&before), "prices in another currency can't be compared");
        let writes = Extent { permissions: DataPermission::ALL.iter().copied().collect(), ..before.clone() };
        assert!(writes.exceeds(&before));
    }
}
