//! Whom a private service is listed for.

use axum::{Json, response::IntoResponse};
use serde::Serialize;
use stoa_actions::services::audience;
use stoa_domain::{ids::OrganizationId, organizations::Key, time::Ts};
use utoipa::ToSchema;

use crate::{
    extract::{Api, ApiPath, ApiResult, done},
    problem::Refusals,
};

/// An organization that a service is listed for.
#[derive(Debug, Serialize, ToSchema)]
pub struct AudienceView {
    /// `org_…`
    #[schema(value_type = String)]
    pub id: OrganizationId,
    /// Its URL-safe name.
    pub handle: String,
    /// Its name.
    pub name: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub since: Ts,
}

/// The organizations that a service is listed for.
#[derive(Debug, Serialize, ToSchema)]
pub struct AudienceListView {
    /// By name; at most 500.
    pub items: Vec<AudienceView>,
}

/// The organizations that a private service is listed for, for members of its provider.
#[utoipa::path(get, path = "/api/v1/services/{service}/audience", tag = "services", params(("service" = String, Path, description = "Handle or id")), responses((status = 200, description = "The organizations", body = AudienceListView), Refusals))]
pub async fn list(api: Api, ApiPath(service): ApiPath<String>) -> ApiResult {
    let (_, named) = audience::list(&mut api.read().await?, &api.caller, &Key::read(&service)).await?;
    let view =
        |(one, since): (stoa_store::organizations::Named, Ts)| AudienceView { id: one.id, handle: one.handle, name: one.name, since };
    Ok(Json(AudienceListView { items: named.into_iter().map(view).collect() }).into_response())
}

/// Lists a private service for an organization: its members find it and may subscribe it.
#[utoipa::path(put, path = "/api/v1/services/{service}/audience/{org}", tag = "services", params(("service" = String, Path, description = "Handle or id"), ("org" = String, Path, description = "Handle or id of the organization it is for")), responses((status = 204, description = "It is listed for it"), Refusals))]
pub async fn add(api: Api, ApiPath((service, org)): ApiPath<(String, String)>) -> ApiResult {
    let mut act = api.begin().await?;
    audience::add(&mut act, &Key::read(&service), &Key::read(&org)).await?;
    done(act).await
}

/// Lists a private service for an organization no more. A live subscription of it goes on.
#[utoipa::path(delete, path = "/api/v1/services/{service}/audience/{org}", tag = "services", params(("service" = String, Path, description = "Handle or id"), ("org" = String, Path, description = "Handle or id of the organization it is for")), responses((status = 204, description = "It is not listed for it"), Refusals))]
pub async fn remove(api: Api, ApiPath((service, org)): ApiPath<(String, String)>) -> ApiResult {
    let mut act = api.begin().await?;
    audience::remove(&mut act, &Key::read(&service), &Key::read(&org)).await?;
    done(act).await
}
