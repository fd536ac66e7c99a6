//! Requests: the inbox, and decisions.

use axum::{Json, http::StatusCode, response::IntoResponse};
use serde::{Deserialize, Serialize};
use stoa_actions::{
    Act, Error,
    requests::{self, Answer, Details, View, Wanted},
};
use stoa_domain::{
    ids::{ContractId, PlanId, RequestId, SubscriptionId},
    organizations::Key,
    requests::{Decision, DecisionRecord, NotARequestState, Request, RequestKind, RequestState, Step},
    subscriptions::ChoiceInput,
    time::Ts,
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    api::level_changes::OutlookView,
    api::subscriptions::{ChoiceBody, ChoiceView, OrganizationRef, ProjectRef, ServiceRef, UserRef},
    extract::{self, Api, ApiJson, ApiMaybe, ApiPath, ApiQuery, ApiResult},
    paging::{Page, Paging},
    problem::Refusals,
};

/// One decision on a request, question about it, or answer.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DecisionView {
    /// At which step: `internal` or `provider`.
    #[schema(value_type = String)]
    pub step: Step,
    /// `approved`, `rejected` or `withdrawn`; `asked` for a question, `answered` for its answer.
    #[schema(value_type = String)]
    pub decision: Decision,
    /// By whom.
    pub decided_by: UserRef,
    /// In whose stead, where somebody was away.
    pub on_behalf_of: Option<UserRef>,
    /// Why; the question; the answer.
    pub comment: String,
    /// What an answer changed of what is asked for, each in words.
    pub changes: Vec<String>,
    /// Whether it counts no more, because more is asked for since.
    pub void: bool,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub decided_at: Ts,
}

impl From<DecisionRecord> for DecisionView {
    fn from(record: DecisionRecord) -> Self {
        Self {
            step: record.step,
            decision: record.decision,
            decided_by: UserRef::from((record.decided_by, record.decided_by_name)),
            on_behalf_of: record.on_behalf_of.map(UserRef::from),
            comment: record.comment,
            changes: record.changes,
            void: record.void,
            decided_at: record.decided_at,
        }
    }
}

/// The plan that a request asks for.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AskedPlanView {
    /// `pln_…`
    #[schema(value_type = String)]
    pub id: PlanId,
    /// Its name.
    pub name: String,
}

/// The contract that a request would accept.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AskedContractView {
    /// `ctr_…`
    #[schema(value_type = String)]
    pub id: ContractId,
    /// 1, 2, 3, …
    pub version: i64,
}

/// A request.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RequestView {
    /// `req_…`
    #[schema(value_type = String)]
    pub id: RequestId,
    /// `subscribe`, `add_projects`, `change_plan`, `accept_contract`, `change_level`, `cancel` or `publish`.
    #[schema(value_type = String)]
    pub kind: RequestKind,
    /// `open`, `needs_info`, `approved`, `rejected`, `withdrawn` or `expired`.
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
    /// The plan that is asked for.
    pub plan: Option<AskedPlanView>,
    /// The contract that would be accepted.
    pub contract: Option<AskedContractView>,
    /// The only projects for which that contract would be accepted; `null` for all.
    pub consented: Option<Vec<ProjectRef>>,
    /// What a change of level that waits would come to now; `null` for all other requests, and for whoever does not belong to the
    /// organization that asks.
    pub level_change: Option<OutlookView>,
    /// What the requester wrote.
    pub note: String,
    /// The rule of the organization's policy for which it has to approve itself, for its own members; empty where the requester's
    /// role may only ask, and once it waits for the provider.
    pub rule: String,
    /// Who asked.
    pub requested_by: UserRef,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Ts,
    /// When it expires unless it is decided before.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Ts,
    /// When it was closed.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub decided_at: Option<Ts>,
    /// Who decided what, when and why, in order.
    pub decisions: Vec<DecisionView>,
}

impl From<Details> for RequestView {
    fn from(details: Details) -> Self {
        let Details { request, organization, provider, service, requested_by, subscription, asked, outlook, projects, decisions, .. } =
            details;
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
            plan: asked.as_ref().map(|offer| AskedPlanView { id: offer.plan, name: offer.prices.name.clone() }),
            contract: asked
                .filter(|_| matches!(request.kind, RequestKind::AcceptContract | RequestKind::ChangeLevel))
                .map(|offer| AskedContractView { id: offer.contract, version: offer.version }),
            consented: request.asked.consented.as_ref().map(some),
            level_change: outlook.map(OutlookView::from),
            note: request.note,
            rule: request.rule,
            requested_by: requested_by.into(),
            created_at: request.created_at,
            expires_at: request.expires_at,
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

/// A question.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct AskBody {
    /// What to ask whoever made the request; required.
    #[serde(default)]
    pub question: String,
}

/// An answer, with what shall be different about the request, if anything.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerBody {
    /// What to say; required.
    #[serde(default)]
    pub text: String,
    /// Another plan, by id or name.
    pub plan: Option<String>,
    /// Another choice of projects.
    pub projects: Option<ChoiceBody>,
    /// Another project, by handle or id; for services at project level.
    pub project: Option<String>,
    /// Of a consent to a contract: the only projects for which it is given, by handle or id; `null` for all of them.
    #[serde(default, deserialize_with = "null_or")]
    #[schema(value_type = Option<Vec<String>>)]
    pub consented: Option<Option<Vec<String>>>,
    /// Another note.
    pub note: Option<String>,
    /// Whether the present terms are accepted; must be `true` where the service has a newer contract than the request.
    #[serde(default)]
    pub accept_terms: bool,
}

/// Tells `null` from what is left out.
fn null_or<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Option<Vec<String>>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// Which requests.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct InboxQuery {
    /// `approver` (when absent): those you may decide. `requester`: those you made. `waiting`: those that wait for you, to be
    /// decided or to be explained. `member`: all you may see.
    pub r#as: Option<String>,
    /// In this state only: `open`, `needs_info`, `approved`, `rejected`, `withdrawn` or `expired`.
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
    /// In this state only: `open`, `needs_info`, `approved`, `rejected`, `withdrawn` or `expired`.
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
    let view = match query.r#as.as_deref() {
        None | Some("" | "approver") => View::Approver,
        Some("requester") => View::Requester,
        Some("waiting") => View::Waiting,
        Some("member") => View::All,
        Some(_) => return Err(Error::fault("/as", "as is one of approver, requester, waiting, member").into()),
    };
    let state = read_state(query.state.as_deref())?;
    let paging = Paging { limit: query.limit, cursor: query.cursor };
    let (limit, before) = (paging.limit()?, paging.cursor()?);
    let mut conn = api.read().await?;
    let page = requests::list(&mut conn, &api.caller, view, state, before, limit + 1).await?;
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
    let (conn, caller) = act.reading();
    let details = requests::of_one(conn, caller, request).await?;
    extract::answer(act, StatusCode::OK, &RequestView::from(details)).await
}

/// Approves the present step of a request. With the last approval that is needed, what was asked for happens.
#[utoipa::path(post, path = "/api/v1/requests/{request}/approve", tag = "requests", params(("request" = String, Path, description = "req_…")), request_body = Option<ApproveBody>, responses((status = 200, description = "The request: `approved`, or still `open` at the step whose approval is needed next", body = RequestView), Refusals))]
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

/// Asks whoever made a request something about it; it waits for the answer then.
#[utoipa::path(post, path = "/api/v1/requests/{request}/ask", tag = "requests", params(("request" = String, Path, description = "req_…")), request_body = AskBody, responses((status = 200, description = "The request, in state `needs_info`", body = RequestView), Refusals))]
pub async fn ask(api: Api, ApiPath(id): ApiPath<RequestId>, ApiJson(body): ApiJson<AskBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let request = requests::ask(&mut act, id, &body.question).await?;
    answer_with(act, request).await
}

/// Answers the question about one's own request, perhaps with other wishes. Where more is asked for than before, earlier
/// approvals are void.
#[utoipa::path(post, path = "/api/v1/requests/{request}/answer", tag = "requests", params(("request" = String, Path, description = "req_…")), request_body = AnswerBody, responses((status = 200, description = "The request, `open` again", body = RequestView), Refusals))]
pub async fn answer(api: Api, ApiPath(id): ApiPath<RequestId>, ApiJson(body): ApiJson<AnswerBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let new = Answer {
        text: body.text,
        plan: body.plan,
        projects: body.projects.map(ChoiceInput::from),
        project: body.project,
        consented: body.consented,
        note: body.note,
        accept_terms: body.accept_terms,
    };
    let request = requests::answer(&mut act, id, &new).await?;
    answer_with(act, request).await
}

/// Takes a request back.
#[utoipa::path(post, path = "/api/v1/requests/{request}/withdraw", tag = "requests", params(("request" = String, Path, description = "req_…")), responses((status = 200, description = "The request", body = RequestView), Refusals))]
pub async fn withdraw(api: Api, ApiPath(id): ApiPath<RequestId>) -> ApiResult {
    let mut act = api.begin().await?;
    let request = requests::withdraw(&mut act, id).await?;
    answer_with(act, request).await
}
