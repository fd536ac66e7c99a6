//! What operators do with services.

use axum::{Json, http::StatusCode, response::IntoResponse};
use serde::{Deserialize, Serialize};
use stoa_actions::{
    Act,
    services::{
        self,
        operating::{self, Operated, OperatedFilter},
    },
};
use stoa_domain::{
    ids::ServiceId,
    organizations::Key,
    services::{Service, ServiceState, Visibility},
    text::Faults,
    time::Ts,
};
use utoipa::{IntoParams, ToSchema};

use super::{ProviderView, ServiceView};
use crate::{
    api::operator::ReasonBody,
    extract::{Api, ApiJson, ApiMaybe, ApiPath, ApiQuery, ApiResult, answer},
    paging::{Page, Paging},
    problem::Refusals,
};

/// A service in the operator's list.
#[derive(Debug, Serialize, ToSchema)]
pub struct OperatedServiceView {
    /// `svc_…`
    #[schema(value_type = String)]
    pub id: ServiceId,
    /// Its URL-safe name.
    pub handle: String,
    /// Its name.
    pub name: String,
    /// What it does, in one line.
    pub summary: String,
    /// Who provides it.
    pub provider: ProviderView,
    /// `in_review`, `published`, `paused`, `deprecated`, `retired` or `suspended`.
    #[schema(value_type = String)]
    pub state: ServiceState,
    /// `public`, `on_request` or `private`.
    #[schema(value_type = String)]
    pub visibility: Visibility,
    /// Why it is stopped, while that lasts.
    pub suspension: Option<String>,
    /// When it last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Ts,
}

impl From<Operated> for OperatedServiceView {
    fn from(operated: Operated) -> Self {
        let Operated { service, provider, .. } = operated;
        Self {
            id: service.id,
            handle: service.handle,
            name: service.name,
            summary: service.summary,
            provider: ProviderView { id: provider.id, handle: provider.handle, name: provider.name },
            state: service.state,
            visibility: service.visibility,
            suspension: service.suspension.map(|suspension| suspension.reason),
            updated_at: service.updated_at,
        }
    }
}

/// Which services.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OperatedQuery {
    /// A part of the name.
    #[serde(default)]
    pub q: String,
    /// In this state only, such as `in_review`; all but drafts when absent.
    #[serde(default)]
    pub state: String,
}

/// What the operator says to the provider; may be empty.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct CommentBody {
    /// What to say.
    #[serde(default)]
    pub comment: String,
    /// The `updated_at` of the service that was read: 409 `service_changed` when it was changed since. Whatever it is now when
    /// absent.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub updated_at: Option<Ts>,
}

async fn moved(mut act: Act, service: Service) -> ApiResult {
    let details = services::details(&mut act.tx, service).await?;
    answer(act, StatusCode::OK, &ServiceView::from(details)).await
}

/// The services of all organizations, by name, without drafts.
#[utoipa::path(get, path = "/api/v1/operator/services", tag = "operator", params(OperatedQuery, Paging), responses((status = 200, description = "A page", body = Page<OperatedServiceView>), Refusals))]
pub async fn list(api: Api, ApiQuery(query): ApiQuery<OperatedQuery>, ApiQuery(paging): ApiQuery<Paging>) -> ApiResult {
    let limit = paging.limit()?;
    let after: Option<(String, ServiceId)> = paging.cursor()?;
    let mut faults = Faults::new();
    let state = match query.state.as_str() {
        "" => Some(None),
        word => faults.check("/state", word.parse()).map(Some),
    };
    let state = faults.or(state)?;
    let filter = OperatedFilter { state, search: &query.q, after: after.as_ref().map(|(name, id)| (name.as_str(), *id)) };
    let found = operating::list(&mut api.read().await?, &api.caller, filter, limit + 1).await?;
    let cursor = |one: &Operated| (one.name_key.clone(), one.service.id);
    Ok(Json(Page::cut(found, limit, cursor, OperatedServiceView::from)).into_response())
}

/// One service, as its provider wants it to be seen; a draft is its provider's alone.
#[utoipa::path(get, path = "/api/v1/operator/services/{service}", tag = "operator", params(("service" = String, Path, description = "Handle or id")), responses((status = 200, description = "The service", body = ServiceView), Refusals))]
pub async fn get(api: Api, ApiPath(service): ApiPath<String>) -> ApiResult {
    let details = operating::find(&mut api.read().await?, &api.caller, &Key::read(&service)).await?;
    Ok(Json(ServiceView::from(details)).into_response())
}

/// Lets a service in review on the marketplace, as it is now.
#[utoipa::path(post, path = "/api/v1/operator/services/{service}/approve", tag = "operator", params(("service" = String, Path, description = "Handle or id")), request_body = Option<CommentBody>, responses((status = 200, description = "Published", body = ServiceView), Refusals))]
pub async fn approve(api: Api, ApiPath(service): ApiPath<String>, ApiMaybe(body): ApiMaybe<CommentBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let service = operating::approve(&mut act, &Key::read(&service), &body.comment, body.updated_at).await?;
    moved(act, service).await
}

/// Does not let a service in review on the marketplace; its provider reads why.
#[utoipa::path(post, path = "/api/v1/operator/services/{service}/reject", tag = "operator", params(("service" = String, Path, description = "Handle or id")), request_body = ReasonBody, responses((status = 200, description = "A draft again", body = ServiceView), Refusals))]
pub async fn reject(api: Api, ApiPath(service): ApiPath<String>, ApiJson(body): ApiJson<ReasonBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let service = operating::reject(&mut act, &Key::read(&service), &body.reason).await?;
    moved(act, service).await
}

/// Stops a service: nobody subscribes it, and its tokens open no project from the next request on.
#[utoipa::path(post, path = "/api/v1/operator/services/{service}/suspend", tag = "operator", params(("service" = String, Path, description = "Handle or id")), request_body = ReasonBody, responses((status = 200, description = "Suspended", body = ServiceView), Refusals))]
pub async fn suspend(api: Api, ApiPath(service): ApiPath<String>, ApiJson(body): ApiJson<ReasonBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let service = operating::suspend(&mut act, &Key::read(&service), &body.reason).await?;
    moved(act, service).await
}

/// Lets a stopped service go on where it was.
#[utoipa::path(post, path = "/api/v1/operator/services/{service}/unsuspend", tag = "operator", params(("service" = String, Path, description = "Handle or id")), responses((status = 200, description = "It goes on", body = ServiceView), Refusals))]
pub async fn unsuspend(api: Api, ApiPath(service): ApiPath<String>) -> ApiResult {
    let mut act = api.begin().await?;
    let service = operating::unsuspend(&mut act, &Key::read(&service)).await?;
    moved(act, service).await
}
