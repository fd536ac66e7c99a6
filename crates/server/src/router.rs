//! Every URL on one page.

use axum::{Router, middleware, response::IntoResponse, routing::get};
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{App, api, health, once, problem::ApiError, request_id};

#[derive(OpenApi)]
#[openapi(
    info(title = "Stoa", description = "A self-hosted marketplace of services for organizations that keep their data in projects."),
    servers((url = "/"))
)]
struct Document;

/// The JSON API with its OpenAPI 3.1 document.
fn api() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        // account
        .routes(routes!(api::me::get))
        .routes(routes!(api::me::tokens_list, api::me::tokens_create))
        .routes(routes!(api::me::tokens_revoke))
        // organizations
        .routes(routes!(api::organizations::list, api::organizations::create))
        .routes(routes!(api::organizations::get, api::organizations::update, api::organizations::delete))
        .routes(routes!(api::members::list, api::members::add))
        .routes(routes!(api::members::change_role, api::members::remove))
        // subscriptions
        .routes(routes!(api::subscriptions::list, api::subscriptions::create))
        .routes(routes!(api::subscriptions::get))
        .routes(routes!(api::subscriptions::set_projects))
        .routes(routes!(api::subscriptions::cancel))
        .routes(routes!(api::subscriptions::list_of_service))
        .routes(routes!(api::grants::map))
        // requests
        .routes(routes!(api::requests::list))
        .routes(routes!(api::requests::list_of_organization))
        .routes(routes!(api::requests::get))
        .routes(routes!(api::requests::approve))
        .routes(routes!(api::requests::reject))
        .routes(routes!(api::requests::withdraw))
        .routes(routes!(api::events::list))
}

/// The OpenAPI document: served at `/api/openapi.json`, printed by `stoa openapi`.
pub fn openapi() -> utoipa::openapi::OpenApi {
    api().into_openapi()
}

/// All of Stoa over HTTP.
pub fn router(app: App) -> Router {
    let (api, document) = api().split_for_parts();
    let document = document.to_pretty_json().unwrap_or_default();
    let api = api.layer(middleware::from_fn(once::layer));
    Router::new()
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/api/openapi.json", get(move || async move { ([("content-type", "application/json")], document) }))
        .merge(api)
        .fallback(|| async { ApiError::from(stoa_actions::Error::NotFound("page")).into_response() })
        .layer(middleware::from_fn_with_state(app.clone(), request_id::layer))
        .with_state(app)
}
