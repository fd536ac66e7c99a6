//! How a service is subscribed: once or several times by one organization, at once or after it was set up.

use axum::{Json, http::StatusCode, response::IntoResponse};
use serde::{Deserialize, Serialize};
use stoa_actions::subscriptions::{self, MannerChange};
use stoa_domain::organizations::Key;
use utoipa::ToSchema;

use crate::{
    extract::{Api, ApiJson, ApiPath, ApiResult, answer},
    problem::Refusals,
};

/// Whether one organization may have several subscriptions of a service at the same time.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Several {
    /// Then each new one needs a name of its own (`label`) once there is one.
    pub several: bool,
}

/// Whether the provider sets subscriptions of a service up.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SettingUp {
    /// Then an approved subscription is `provisioning` until the provider or the service itself says `ready` or `fail`.
    pub setup: bool,
}

/// Whether one organization may have several subscriptions of a service; for members of its provider.
#[utoipa::path(get, path = "/api/v1/services/{service}/several", tag = "services", params(("service" = String, Path, description = "Handle or id")), responses((status = 200, description = "Whether it may", body = Several), Refusals))]
pub async fn several(api: Api, ApiPath(service): ApiPath<String>) -> ApiResult {
    let mut conn = api.read().await?;
    let manner = subscriptions::manner(&mut conn, &api.caller, &Key::read(&service)).await?;
    Ok(Json(Several { several: manner.several }).into_response())
}

/// Lets one organization have several subscriptions of a service, or not any more; those there are stay.
#[utoipa::path(put, path = "/api/v1/services/{service}/several", tag = "services", params(("service" = String, Path, description = "Handle or id")), request_body = Several, responses((status = 200, description = "Whether it may now", body = Several), Refusals))]
pub async fn set_several(api: Api, ApiPath(service): ApiPath<String>, ApiJson(body): ApiJson<Several>) -> ApiResult {
    let mut act = api.begin().await?;
    let change = MannerChange { several: Some(body.several), ..MannerChange::default() };
    subscriptions::set_manner(&mut act, &Key::read(&service), change).await?;
    answer(act, StatusCode::OK, &body).await
}

/// Whether the provider sets subscriptions of a service up before they come into force; for members of its provider.
#[utoipa::path(get, path = "/api/v1/services/{service}/setup", tag = "services", params(("service" = String, Path, description = "Handle or id")), responses((status = 200, description = "Whether it does", body = SettingUp), Refusals))]
pub async fn setup(api: Api, ApiPath(service): ApiPath<String>) -> ApiResult {
    let mut conn = api.read().await?;
    let manner = subscriptions::manner(&mut conn, &api.caller, &Key::read(&service)).await?;
    Ok(Json(SettingUp { setup: manner.setup }).into_response())
}

/// Lets the provider set subscriptions of a service up before they come into force, or not any more. It counts for those that
/// are approved from now on.
#[utoipa::path(put, path = "/api/v1/services/{service}/setup", tag = "services", params(("service" = String, Path, description = "Handle or id")), request_body = SettingUp, responses((status = 200, description = "Whether it does now", body = SettingUp), Refusals))]
pub async fn set_setup(api: Api, ApiPath(service): ApiPath<String>, ApiJson(body): ApiJson<SettingUp>) -> ApiResult {
    let mut act = api.begin().await?;
    let change = MannerChange { setup: Some(body.setup), ..MannerChange::default() };
    subscriptions::set_manner(&mut act, &Key::read(&service), change).await?;
    answer(act, StatusCode::OK, &body).await
}
