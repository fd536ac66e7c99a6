//! Requests: the inbox, and decisions.

use axum::{Json, http::StatusCode, response::IntoResponse};
use serde::{Deserialize, Serialize};
use stoa_actions::{
    Act, Error,
    requests::{self, Details, Wanted},
};
use stoa_domain::{
    ids::{RequestId, SubscriptionId},
    organizations::Key,
    requests::{Decision, DecisionRecord, NotARequestState, Request, RequestKind, RequestState, Step},
    time::Ts,
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    api::subscriptions::{ChoiceView, OrganizationRef, ProjectRef, ServiceRef, UserRef},
    extract::{Api, ApiJson, ApiMaybe, ApiPath, ApiQuery, ApiResult, answer},
    paging::{Page, Paging},
    problem::Refusals,
};

/// One decision on a request.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DecisionView {
    /// At which step: `internal` or `provider`.
    #[schema(value_type = String)]
    pub step: Step,
    /// `approved`, `rejected` or `withdrawn`.
    #[schema(value_type = String)]
    pub decision: Decision,
    /// By whom.
    pub decided_by: UserRef,
    /// Why.
    pub comment: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub decided_at: Ts,
}

impl From<DecisionRecord> for DecisionView {
    fn from(record: DecisionRecord) -> Self {
        let decided_by = UserRef::from((record.decided_by, record.decided_by_name));
        Self { step: record.step, decision: record.decision, decided_by, comment: record.comment, decided_at: record.decided_at }
    }
}

/// A request.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RequestView {
    /// `req_…`
    #[schema(value_type = String)]
    pub id: RequestId,
    /// `subscribe`, `add_projects`, `cancel` or `publish`.
    #[schema(value_type = String)]
    pub kind: RequestKind,
    /// `open`, `approved`, `rejected`, `withdrawn`, …
    #[schema(value_type = String)]
    pub state: RequestState,
    /// Whose decision is waited for (or was last): `internal` or `provider`.
    #[schema(value_type = String)]
    pub step: Step,
    /// Who asks.
    pub organization: OrganizationRef,
    /// The provider, where its decision is needed too.
    pub provider: Option<OrganizationRef>,
    /// The service concerned.
    pub service: ServiceRef,
    /// The subscription concerned, `sub_…`.
    #[schema(value_type = Option<String>)]
    pub subscription: Option<SubscriptionId>,
    /// The choice of projects that is asked for.
    pub projects: Option<ChoiceView>,
    /// The projects that it adds to a subscription.
    pub adds: Vec<ProjectRef>,
    /// What the requester wrote.
    pub note: String,
    /// Who asked.
    pub requested_by: UserRef,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Ts,
    /// When it was closed.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub decided_at: Option<Ts>,
    /// Who decided what, when and why, in order.
    pub decisions: Vec<DecisionView>,
}

impl From<Details> for RequestView {
    fn from(details: Details) -> Self {
        let Details { request, organization, provider, service, requested_by, subscription, projects, decisions, .. } = details;
        let subscribed = subscription.filter(|_| request.kind == RequestKind::Subscribe).map(|one| one.choice);
        let choice = request.asked.choice.clone().or(subscribed);
        let all: Vec<_> = projects.into_iter().map(ProjectRef::from).collect();
        let some = |wanted: &std::collections::BTreeSet<_>| all.iter().filter(|one| wanted.contains(&one.id)).cloned().collect();
        Self {
            id: request.id,
            kind: request.kind,
            state: request.state,
            step: request.step,
            organization: organization.into(),
            provider: provider.map(OrganizationRef::from),
            service: service.into(),
            subscription: request.subscription,
            projects: choice.map(|choice| ChoiceView {
                mode: choice.mode,
                projects: some(&choice.projects),
                include_future: choice.for_new_project(),
            }),
            adds: some(&request.asked.add),
            note: request.note,
            requested_by: requested_by.into(),
            created_at: request.created_at,
            decided_at: request.decided_at,
            decisions: decisions.into_iter().map(DecisionView::from).collect(),
        }
    }
}

/// An approval.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct ApproveBody {
    /// What the requester shall read.
    #[serde(default)]
    pub comment: Option<String>,
}

/// A rejection.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct RejectBody {
    /// Why; required.
    #[serde(default)]
    pub reason: String,
}

/// Which requests.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct InboxQuery {
    /// `approver` (when absent): those that wait for your decision. `requester`: those you made.
    pub r#as: Option<String>,
    /// In this state only: `open`, `approved`, `rejected`, `withdrawn`, …
    pub state: Option<String>,
    /// How many, at most 200; 50 when absent.
    #[param(value_type = Option<i64>)]
    pub limit: Option<String>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Which requests of an organization.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RequestsQuery {
    /// In this state only: `open`, `approved`, `rejected`, `withdrawn`, …
    pub state: Option<String>,
    /// How many, at most 200; 50 when absent.
    #[param(value_type = Option<i64>)]
    pub limit: Option<String>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

fn read_state(word: Option<&str>) -> Result<Wanted, Error> {
    let Some(word) = word.filter(|word| !word.is_empty()) else { return Ok(Wanted::Any) };
    word.parse().map(Wanted::In).map_err(|bad: NotARequestState| Error::fault("/state", bad.to_string()))
}

/// Your inbox over all organizations, or your own requests; newest first.
#[utoipa::path(get, path = "/api/v1/requests", tag = "requests", params(InboxQuery), responses((status = 200, description = "A page", body = Page<RequestView>), Refusals))]
pub async fn list(api: Api, ApiQuery(query): ApiQuery<InboxQuery>) -> ApiResult {
    let requester = match query.r#as.as_deref() {
        None | Some("" | "approver") => false,
        Some("requester") => true,
        Some(_) => return Err(Error::fault("/as", "as is one of approver, requester").into()),
    };
    let state = read_state(query.state.as_deref())?;
    let paging = Paging { limit: query.limit, cursor: query.cursor };
    let (limit, before) = (paging.limit()?, paging.cursor()?);
    let mut conn = api.read().await?;
    let page = requests::list(&mut conn, &api.caller, requester, state, before, limit + 1).await?;
    Ok(Json(Page::cut(page, limit, |one: &Details| one.request.id, RequestView::from)).into_response())
}

/// The requests in which an organization asks or, as provider, decides; newest first.
#[utoipa::path(get, path = "/api/v1/organizations/{org}/requests", tag = "requests", params(("org" = String, Path, description = "Handle or id"), RequestsQuery), responses((status = 200, description = "A page", body = Page<RequestView>), Refusals))]
pub async fn list_of_organization(api: Api, ApiPath(org): ApiPath<String>, ApiQuery(query): ApiQuery<RequestsQuery>) -> ApiResult {
    let state = read_state(query.state.as_deref())?;
    let paging = Paging { limit: query.limit, cursor: query.cursor };
    let (limit, before) = (paging.limit()?, paging.cursor()?);
    let mut conn = api.read().await?;
    let (_, page) = requests::of_organization(&mut conn, &api.caller, &Key::read(&org), state, before, limit + 1).await?;
    Ok(Json(Page::cut(page, limit, |one: &Details| one.request.id, RequestView::from)).into_response())
}

/// One request, for members of the organizations it concerns.
#[utoipa::path(get, path = "/api/v1/requests/{request}", tag = "requests", params(("request" = String, Path, description = "req_…")), responses((status = 200, description = "The request", body = RequestView), Refusals))]
pub async fn get(api: Api, ApiPath(id): ApiPath<RequestId>) -> ApiResult {
    let mut conn = api.read().await?;
    let details = requests::get(&mut conn, &api.caller, id).await?;
    Ok(Json(RequestView::from(details)).into_response())
}

async fn answer_with(mut act: Act, request: Request) -> ApiResult {
    let details = requests::of_one(&mut act.tx, request).await?;
    answer(act, StatusCode::OK, &RequestView::from(details)).await
}

/// Approves the present step of a request. After the last one, what was asked for happens.
#[utoipa::path(post, path = "/api/v1/requests/{request}/approve", tag = "requests", params(("request" = String, Path, description = "req_…")), request_body = Option<ApproveBody>, responses((status = 200, description = "The request: `approved`, or still `open` at the provider's step", body = RequestView), Refusals))]
pub async fn approve(api: Api, ApiPath(id): ApiPath<RequestId>, ApiMaybe(body): ApiMaybe<ApproveBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let request = requests::approve(&mut act, id, body.comment.as_deref().unwrap_or("")).await?;
    answer_with(act, request).await
}

/// Rejects a request, with the reason.
#[utoipa::path(post, path = "/api/v1/requests/{request}/reject", tag = "requests", params(("request" = String, Path, description = "req_…")), request_body = RejectBody, responses((status = 200, description = "The request", body = RequestView), Refusals))]
pub async fn reject(api: Api, ApiPath(id): ApiPath<RequestId>, ApiJson(body): ApiJson<RejectBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let request = requests::reject(&mut act, id, &body.reason).await?;
    answer_with(act, request).await
}

/// Takes a request back.
#[utoipa::path(post, path = "/api/v1/requests/{request}/withdraw", tag = "requests", params(("request" = String, Path, description = "req_…")), responses((status = 200, description = "The request", body = RequestView), Refusals))]
pub async fn withdraw(api: Api, ApiPath(id): ApiPath<RequestId>) -> ApiResult {
    let mut act = api.begin().await?;
    let request = requests::withdraw(&mut act, id).await?;
    answer_with(act, request).await
}
