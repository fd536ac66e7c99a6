//! The terms of a subscription: its contract and plan in time, the contract that waits for consent, and another plan.

use axum::{Json, http::StatusCode, response::IntoResponse};
use serde::{Deserialize, Serialize};
use stoa_actions::subscriptions::{self, Acceptance, ContractStanding, Done, Held, Waiting};
use stoa_domain::{
    ids::{ContractId, PlanId, RequestId, SubscriptionId},
    offers::OfferState,
    organizations::Key,
    time::Ts,
};
use utoipa::ToSchema;

use crate::{
    api::{
        contracts::DifferenceView,
        services::{ContractView, PlanView},
        subscriptions::{SubscriptionView, answer_done},
    },
    extract::{Api, ApiJson, ApiPath, ApiResult},
    problem::Refusals,
};

/// Terms that a subscription had from an instant on.
#[derive(Debug, Serialize, ToSchema)]
pub struct HeldView {
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub since: Ts,
    /// The contract, `ctr_…`.
    #[schema(value_type = String)]
    pub contract: ContractId,
    /// Its version.
    pub version: i64,
    /// The plan, `pln_…`.
    #[schema(value_type = String)]
    pub plan: PlanId,
    /// The plan's name.
    pub plan_name: String,
}

impl From<Held> for HeldView {
    fn from(held: Held) -> Self {
        let offer = held.offer;
        Self { since: held.since, contract: offer.contract, version: offer.version, plan: offer.plan, plan_name: offer.prices.name }
    }
}

/// A contract that waits for consent.
#[derive(Debug, Serialize, ToSchema)]
pub struct WaitingView {
    /// The contract with its plans.
    pub contract: ContractView,
    /// The plan that follows the present one; `null` where one has to be chosen.
    pub plan: Option<PlanView>,
    /// `open`, or `refused`: it may still be accepted.
    #[schema(value_type = String)]
    pub state: OfferState,
    /// When it was offered.
    #[schema(value_type = String, format = DateTime)]
    pub offered_at: Ts,
    /// When the subscription ends unless it is accepted; `null` when the subscription keeps its contract for good.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Ts>,
    /// What would change; `null` where a plan has to be chosen.
    pub difference: Option<DifferenceView>,
    /// The request for it that waits for a decision, `req_…`.
    #[schema(value_type = Option<String>)]
    pub request: Option<RequestId>,
}

impl From<Waiting> for WaitingView {
    fn from(waiting: Waiting) -> Self {
        Self {
            contract: ContractView::new(waiting.contract, Some(waiting.plans)),
            plan: waiting.next.map(PlanView::from),
            state: waiting.offer.state,
            offered_at: waiting.offer.offered_at,
            until: waiting.offer.until,
            difference: waiting.difference.map(DifferenceView::from),
            request: waiting.request,
        }
    }
}

/// The contract of a subscription.
#[derive(Debug, Serialize, ToSchema)]
pub struct StandingView {
    /// What it had since when, oldest first; the last is that of now.
    pub history: Vec<HeldView>,
    /// The plans of its present contract.
    pub plans: Vec<PlanView>,
    /// The contract that waits for consent.
    pub offer: Option<WaitingView>,
}

impl From<ContractStanding> for StandingView {
    fn from(standing: ContractStanding) -> Self {
        Self {
            history: standing.held.into_iter().map(HeldView::from).collect(),
            plans: standing.plans.into_iter().map(PlanView::from).collect(),
            offer: standing.waiting.map(WaitingView::from),
        }
    }
}

/// A consent to a contract.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct AcceptBody {
    /// The contract that was read, `ctr_…`; it must still be the one that is offered.
    #[serde(default)]
    pub contract: String,
    /// The plan of the new contract, by id or name; absent, it is the one that follows the present plan.
    #[serde(default)]
    pub plan: Option<String>,
    /// The only projects for which it is accepted, by handle or id: the others are taken out, and future ones are not
    /// included. Absent, it is accepted for all.
    #[serde(default)]
    pub projects: Option<Vec<String>>,
    /// What the approvers shall read.
    #[serde(default)]
    pub note: Option<String>,
}

/// A refusal of a contract.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct RefuseBody {
    /// The contract that was read, `ctr_…`; it must still be the one that is offered.
    #[serde(default)]
    pub contract: String,
}

/// Another plan.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct PlanBody {
    /// A plan of the present contract, by id or name.
    #[serde(default)]
    pub plan: String,
    /// What the approvers shall read.
    #[serde(default)]
    pub note: Option<String>,
}

/// The contract of a subscription: what it had since when, and the contract that waits for consent, with what it changes.
#[utoipa::path(get, path = "/api/v1/organizations/{org}/subscriptions/{subscription}/contract", tag = "subscriptions", params(("org" = String, Path, description = "Handle or id"), ("subscription" = String, Path, description = "sub_…")), responses((status = 200, description = "The contract", body = StandingView), Refusals))]
pub async fn get(api: Api, ApiPath((org, id)): ApiPath<(String, SubscriptionId)>) -> ApiResult {
    let mut conn = api.read().await?;
    let (_, _, standing) = subscriptions::standing(&mut conn, &api.caller, &Key::read(&org), id).await?;
    Ok(Json(StandingView::from(standing)).into_response())
}

/// Consents to the contract that is offered, for all projects or for some: the others are taken out at once.
#[utoipa::path(post, path = "/api/v1/organizations/{org}/subscriptions/{subscription}/contract/accept", tag = "subscriptions", params(("org" = String, Path, description = "Handle or id"), ("subscription" = String, Path, description = "sub_…")), request_body = AcceptBody, responses((status = 200, description = "The subscription under the new contract", body = SubscriptionView), (status = 202, description = "The consent waits for the request", body = SubscriptionView), Refusals))]
pub async fn accept(api: Api, ApiPath((org, id)): ApiPath<(String, SubscriptionId)>, ApiJson(body): ApiJson<AcceptBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let given = Acceptance { contract: body.contract, plan: body.plan, projects: body.projects, note: body.note.unwrap_or_default() };
    let done = subscriptions::accept(&mut act, &Key::read(&org), id, &given).await?;
    answer_done(&api, act, done, StatusCode::OK, StatusCode::ACCEPTED).await
}

/// Refuses the contract that is offered: the subscription keeps its own until the announced day, on which it ends, or for
/// good where no day was announced. Until then it may still be accepted.
#[utoipa::path(post, path = "/api/v1/organizations/{org}/subscriptions/{subscription}/contract/refuse", tag = "subscriptions", params(("org" = String, Path, description = "Handle or id"), ("subscription" = String, Path, description = "sub_…")), request_body = RefuseBody, responses((status = 200, description = "The subscription, as it was", body = SubscriptionView), Refusals))]
pub async fn refuse(api: Api, ApiPath((org, id)): ApiPath<(String, SubscriptionId)>, ApiJson(body): ApiJson<RefuseBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let subscription = subscriptions::refuse(&mut act, &Key::read(&org), id, &body.contract).await?;
    answer_done(&api, act, Done { subscription, request: None }, StatusCode::OK, StatusCode::OK).await
}

/// Gives a subscription another plan of its contract. The new prices hold from the present UTC day on; what is paid once is
/// not paid again.
#[utoipa::path(post, path = "/api/v1/organizations/{org}/subscriptions/{subscription}/plan", tag = "subscriptions", params(("org" = String, Path, description = "Handle or id"), ("subscription" = String, Path, description = "sub_…")), request_body = PlanBody, responses((status = 200, description = "The subscription on the plan", body = SubscriptionView), (status = 202, description = "The change waits for the request", body = SubscriptionView), Refusals))]
pub async fn change_plan(api: Api, ApiPath((org, id)): ApiPath<(String, SubscriptionId)>, ApiJson(body): ApiJson<PlanBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let note = body.note.unwrap_or_default();
    let done = subscriptions::change_plan(&mut act, &Key::read(&org), id, &body.plan, &note).await?;
    answer_done(&api, act, done, StatusCode::OK, StatusCode::ACCEPTED).await
}
