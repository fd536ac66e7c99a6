//! Whether one organization may have several subscriptions of a service at the same time.

use axum::{Json, http::StatusCode, response::IntoResponse};
use serde::{Deserialize, Serialize};
use stoa_actions::subscriptions;
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

/// Whether one organization may have several subscriptions of a service; for members of its provider.
#[utoipa::path(get, path = "/api/v1/services/{service}/several", tag = "services", params(("service" = String, Path, description = "Handle or id")), responses((status = 200, description = "Whether it may", body = Several), Refusals))]
pub async fn get(api: Api, ApiPath(service): ApiPath<String>) -> ApiResult {
    let mut conn = api.read().await?;
    let several = subscriptions::several(&mut conn, &api.caller, &Key::read(&service)).await?;
    Ok(Json(Several { several }).into_response())
}

/// Lets one organization have several subscriptions of a service, or not any more; those there are stay.
#[utoipa::path(put, path = "/api/v1/services/{service}/several", tag = "services", params(("service" = String, Path, description = "Handle or id")), request_body = Several, responses((status = 200, description = "Whether it may now", body = Several), Refusals))]
pub async fn set(api: Api, ApiPath(service): ApiPath<String>, ApiJson(body): ApiJson<Several>) -> ApiResult {
    let mut act = api.begin().await?;
    subscriptions::allow_several(&mut act, &Key::read(&service), body.several).await?;
    answer(act, StatusCode::OK, &body).await
}
