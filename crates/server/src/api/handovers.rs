//! Handing services over to other organizations.

use axum::{Json, http::StatusCode, response::IntoResponse};
use serde::{Deserialize, Serialize};
use stoa_actions::{
    Act, Error,
    handovers::{self, Details, NewHandover, Offered, Wanted},
};
use stoa_domain::{
    handovers::{Direction, Handover, HandoverState},
    ids::{ApplicationId, HandoverId, OrganizationId, ServiceId},
    organizations::Key,
    services::ServiceState,
    time::Ts,
};
use stoa_store::organizations::Named;
use utoipa::{IntoParams, ToSchema};

use crate::{
    api::subscriptions::UserRef,
    extract::{Api, ApiJson, ApiPath, ApiQuery, ApiResult, answer},
    paging::{Page, Paging},
    problem::Refusals,
};

/// A service as those read of it to whom it is offered.
#[derive(Debug, Serialize, ToSchema)]
pub struct OfferedServiceView {
    /// `svc_…`
    #[schema(value_type = String)]
    pub id: ServiceId,
    /// Its handle.
    pub handle: String,
    /// Its name.
    pub name: String,
    /// What it does, in one line.
    pub summary: String,
    /// Its state, which stays.
    #[schema(value_type = String)]
    pub state: ServiceState,
}

/// One side of a hand-over.
#[derive(Debug, Serialize, ToSchema)]
pub struct HandoverSideView {
    /// `org_…`
    #[schema(value_type = String)]
    pub id: OrganizationId,
    /// Its handle.
    pub handle: String,
    /// Its name.
    pub name: String,
}

impl From<Named> for HandoverSideView {
    fn from(named: Named) -> Self {
        Self { id: named.id, handle: named.handle, name: named.name }
    }
}

/// The application that a service signs in with.
#[derive(Debug, Serialize, ToSchema)]
pub struct AlongView {
    /// `app_…`
    #[schema(value_type = String)]
    pub id: ApplicationId,
    /// Its name.
    pub name: String,
}

/// What goes along with a service.
#[derive(Debug, Serialize, ToSchema)]
pub struct BringsView {
    /// Its application, whose secrets and tokens work on; `null` when it has none any more.
    pub application: Option<AlongView>,
    /// How many organizations have a subscription in force.
    pub subscribers: u64,
    /// How many subscriptions are in force, paused ones included.
    pub subscriptions: u64,
    /// How many open requests its provider decides, or will.
    pub requests: u64,
    /// How many versions its contract has.
    pub contracts: u64,
    /// For how many organizations it is listed while it is private.
    pub audience: u64,
}

/// The hand-over of a service.
#[derive(Debug, Serialize, ToSchema)]
pub struct HandoverView {
    /// `hov_…`
    #[schema(value_type = String)]
    pub id: HandoverId,
    /// `open`, `accepted`, `declined`, `withdrawn` or `expired`.
    #[schema(value_type = String)]
    pub state: HandoverState,
    /// The service.
    pub service: OfferedServiceView,
    /// Who offers it.
    pub from: HandoverSideView,
    /// To whom.
    pub to: HandoverSideView,
    /// What whoever offers it wrote.
    pub note: String,
    /// What goes along, as of now; `null` once it is closed.
    pub brings: Option<BringsView>,
    /// Who offered it.
    pub offered_by: UserRef,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub offered_at: Ts,
    /// Until when it can be accepted.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Ts,
    /// Who accepted, declined or took it back.
    pub decided_by: Option<UserRef>,
    /// When it was closed.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub decided_at: Option<Ts>,
}

impl From<Details> for HandoverView {
    fn from(details: Details) -> Self {
        let Details { handover, from, to, service, offered_by, decided_by } = details;
        let Offered { id, handle, name, summary, state, application, load } = service;
        let brings = BringsView {
            application: application.map(|(id, name)| AlongView { id, name }),
            subscribers: load.subscribers,
            subscriptions: load.subscriptions,
            requests: load.requests,
            contracts: load.contracts,
            audience: load.audience,
        };
        Self {
            id: handover.id,
            state: handover.state,
            service: OfferedServiceView { id, handle, name, summary, state },
            from: from.into(),
            to: to.into(),
            note: handover.note,
            brings: Some(brings).filter(|_| handover.state == HandoverState::Open),
            offered_by: offered_by.into(),
            offered_at: handover.offered_at,
            expires_at: handover.expires_at,
            decided_by: decided_by.map(UserRef::from),
            decided_at: handover.decided_at,
        }
    }
}

/// To whom a service is offered.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandoverBody {
    /// The organization that shall provide it: handle or id.
    #[serde(default)]
    pub organization: String,
    /// What its members shall read.
    #[serde(default)]
    pub note: String,
    /// For how many days the offer waits, 1 to 90; 14 when absent.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 90)]
    pub days: Option<i64>,
}

/// Which hand-overs.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct HandoversQuery {
    /// `incoming` for what is offered to the organization, `outgoing` for what it offers; both when absent.
    pub direction: Option<String>,
    /// `open`, `accepted`, `declined`, `withdrawn` or `expired`; all when absent.
    pub state: Option<String>,
    /// How many items, at most 200; 50 when absent.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    pub limit: Option<String>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

async fn answered(mut act: Act, status: StatusCode, handover: Handover) -> ApiResult {
    let details = handovers::of_one(&mut act.tx, handover).await?;
    answer(act, status, &HandoverView::from(details)).await
}

/// Offers a service to another organization. Until a maintainer there accepts, nothing changes. The answer shows what would go
/// along; a service whose application other services use too can't be handed over.
#[utoipa::path(post, path = "/api/v1/services/{service}/handovers", tag = "services", params(("service" = String, Path, description = "Handle or id")), request_body = HandoverBody, responses((status = 201, description = "Offered", body = HandoverView), Refusals))]
pub async fn offer(api: Api, ApiPath(service): ApiPath<String>, ApiJson(body): ApiJson<HandoverBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let new = NewHandover { organization: body.organization, note: body.note, days: body.days };
    let handover = handovers::offer(&mut act, &Key::read(&service), &new).await?;
    answered(act, StatusCode::CREATED, handover).await
}

/// The hand-overs of a service that its provider made or took part in, newest first; for members of its provider.
#[utoipa::path(get, path = "/api/v1/services/{service}/handovers", tag = "services", params(("service" = String, Path, description = "Handle or id"), Paging), responses((status = 200, description = "The hand-overs", body = Page<HandoverView>), Refusals))]
pub async fn list_of_service(api: Api, ApiPath(service): ApiPath<String>, ApiQuery(paging): ApiQuery<Paging>) -> ApiResult {
    let limit = paging.limit()?;
    let before: Option<HandoverId> = paging.cursor()?;
    let mut conn = api.read().await?;
    let page = handovers::list_of_service(&mut conn, &api.caller, &Key::read(&service), before, limit + 1).await?;
    Ok(Json(Page::cut(page, limit, |one| one.handover.id, HandoverView::from)).into_response())
}

/// The hand-overs in which an organization offers or is offered a service, newest first.
#[utoipa::path(get, path = "/api/v1/organizations/{org}/handovers", tag = "services", params(("org" = String, Path, description = "Handle or id"), HandoversQuery), responses((status = 200, description = "The hand-overs", body = Page<HandoverView>), Refusals))]
pub async fn list(api: Api, ApiPath(org): ApiPath<String>, ApiQuery(query): ApiQuery<HandoversQuery>) -> ApiResult {
    let paging = Paging { limit: query.limit, cursor: query.cursor };
    let limit = paging.limit()?;
    let given = |word: Option<String>| word.filter(|word| !word.is_empty());
    let direction = given(query.direction).map(|word| word.parse::<Direction>()).transpose();
    let state = given(query.state).map(|word| word.parse::<HandoverState>()).transpose();
    let wanted = Wanted {
        direction: direction.map_err(|bad| Error::fault("/direction", bad.to_string()))?,
        state: state.map_err(|bad| Error::fault("/state", bad.to_string()))?,
        service: None,
        before: paging.cursor()?,
    };
    let mut conn = api.read().await?;
    let (_, page) = handovers::list(&mut conn, &api.caller, &Key::read(&org), wanted, limit + 1).await?;
    Ok(Json(Page::cut(page, limit, |one| one.handover.id, HandoverView::from)).into_response())
}

/// One hand-over, for members of either organization.
#[utoipa::path(get, path = "/api/v1/handovers/{handover}", tag = "services", params(("handover" = String, Path, description = "hov_…")), responses((status = 200, description = "The hand-over", body = HandoverView), Refusals))]
pub async fn get(api: Api, ApiPath(handover): ApiPath<HandoverId>) -> ApiResult {
    let (details, _) = handovers::get(&mut api.read().await?, &api.caller, handover).await?;
    Ok(Json(HandoverView::from(details)).into_response())
}

/// Accepts a service that was offered to your organization, which provides it from then on. Subscriptions, prices, access and
/// tokens go on as they were.
#[utoipa::path(post, path = "/api/v1/handovers/{handover}/accept", tag = "services", params(("handover" = String, Path, description = "hov_…")), responses((status = 200, description = "Accepted", body = HandoverView), Refusals))]
pub async fn accept(api: Api, ApiPath(handover): ApiPath<HandoverId>) -> ApiResult {
    let mut act = api.begin().await?;
    let accepted = handovers::accept(&mut act, handover).await?;
    answered(act, StatusCode::OK, accepted).await
}

/// Declines a service that was offered to your organization.
#[utoipa::path(post, path = "/api/v1/handovers/{handover}/decline", tag = "services", params(("handover" = String, Path, description = "hov_…")), responses((status = 200, description = "Declined", body = HandoverView), Refusals))]
pub async fn decline(api: Api, ApiPath(handover): ApiPath<HandoverId>) -> ApiResult {
    let mut act = api.begin().await?;
    let declined = handovers::decline(&mut act, handover).await?;
    answered(act, StatusCode::OK, declined).await
}

/// Takes back an offer of your organization while it waits.
#[utoipa::path(post, path = "/api/v1/handovers/{handover}/withdraw", tag = "services", params(("handover" = String, Path, description = "hov_…")), responses((status = 200, description = "Taken back", body = HandoverView), Refusals))]
pub async fn withdraw(api: Api, ApiPath(handover): ApiPath<HandoverId>) -> ApiResult {
    let mut act = api.begin().await?;
    let withdrawn = handovers::withdraw(&mut act, handover).await?;
    answered(act, StatusCode::OK, withdrawn).await
}
