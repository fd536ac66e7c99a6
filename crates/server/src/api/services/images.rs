//! Icons and screenshots of services.

use axum::{
    Json,
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use stoa_actions::{
    Stoa,
    services::{
        self, KeptImage,
        images::{self, ScreenshotChange, Which},
    },
};
use stoa_domain::{ids::ServiceId, organizations::Key, services::Service};
use utoipa::{IntoParams, ToSchema};

use super::ServiceView;
use crate::{
    api::resources::drain,
    extract::{Api, ApiJson, ApiPath, ApiQuery, ApiResult, answer},
    problem::Refusals,
};

/// A screenshot.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ScreenshotView {
    /// 1, 2, 3, … in their order.
    pub number: i64,
    /// The address of its bytes.
    pub url: String,
    /// What it shows.
    pub alt: String,
    /// Its width in pixels.
    pub width: i64,
    /// Its height in pixels.
    pub height: i64,
}

/// The address of a picture.
pub fn address(service: ServiceId, hash: &str) -> String {
    format!("/api/v1/services/{service}/images/{hash}")
}

/// The screenshots among the pictures of a service.
pub fn screenshots(service: ServiceId, images: &[KeptImage]) -> Vec<ScreenshotView> {
    let view = |one: &KeptImage| ScreenshotView {
        number: one.position,
        url: address(service, &one.hash),
        alt: one.alt.clone(),
        width: one.width,
        height: one.height,
    };
    images.iter().filter(|one| one.position > 0).map(view).collect()
}

/// What a screenshot shows.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AltQuery {
    /// What it shows, for those who do not see it; at most 300 characters.
    #[serde(default)]
    pub alt: String,
}

/// A change of a screenshot; what is absent stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct ScreenshotChangeBody {
    /// Another text.
    pub alt: Option<String>,
    /// Another place among the screenshots, counted from 1.
    pub number: Option<usize>,
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok())
}

async fn put(api: &Api, service: &str, which: Which, headers: &HeaderMap, body: Body) -> ApiResult {
    let key = Key::read(service);
    let mut body = body.into_data_stream();
    match images::put(&api.app.stoa, &api.caller, &key, which, length(headers), &mut body).await {
        Ok(service) => {
            let mut conn = api.read().await?;
            let missing = services::missing(&mut conn, &service).await?;
            let details = services::details(&mut conn, service).await?;
            Ok(Json(ServiceView::own(details, missing)).into_response())
        }
        Err(error) => {
            if !headers.contains_key(header::EXPECT) {
                drain(&mut body).await;
            }
            Err(error.into())
        }
    }
}

async fn changed(mut act: stoa_actions::Act, service: Service) -> ApiResult {
    let missing = services::missing(&mut act.tx, &service).await?;
    let details = services::details(&mut act.tx, service).await?;
    answer(act, StatusCode::OK, &ServiceView::own(details, missing)).await
}

/// Puts the icon of a service: a square PNG, JPEG or WebP of 64 to 1024 pixels and at most 512 KiB. What it is follows from its
/// bytes.
#[utoipa::path(put, path = "/api/v1/services/{service}/icon", tag = "services", params(("service" = String, Path, description = "Handle or id")), request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The bytes"), responses((status = 200, description = "The service", body = ServiceView), (status = 413, description = "Too many bytes", body = crate::problem::Problem, content_type = "application/problem+json"), Refusals))]
pub async fn put_icon(api: Api, ApiPath(service): ApiPath<String>, headers: HeaderMap, body: Body) -> ApiResult {
    put(&api, &service, Which::Icon, &headers, body).await
}

/// Removes the icon of a service.
#[utoipa::path(delete, path = "/api/v1/services/{service}/icon", tag = "services", params(("service" = String, Path, description = "Handle or id")), responses((status = 200, description = "The service", body = ServiceView), Refusals))]
pub async fn remove_icon(api: Api, ApiPath(service): ApiPath<String>) -> ApiResult {
    let mut act = api.begin().await?;
    let service = images::remove(&mut act, &Key::read(&service), None).await?;
    changed(act, service).await
}

/// Puts a screenshot: PNG, JPEG or WebP of 320 to 4096 pixels a side and at most 3 MiB. A number one beyond the last adds one; at
/// most 8.
#[utoipa::path(put, path = "/api/v1/services/{service}/screenshots/{number}", tag = "services", params(("service" = String, Path, description = "Handle or id"), ("number" = usize, Path, description = "1 to 8"), AltQuery), request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The bytes"), responses((status = 200, description = "The service", body = ServiceView), (status = 413, description = "Too many bytes", body = crate::problem::Problem, content_type = "application/problem+json"), Refusals))]
pub async fn put_screenshot(
    api: Api,
    ApiPath((service, number)): ApiPath<(String, usize)>,
    ApiQuery(query): ApiQuery<AltQuery>,
    headers: HeaderMap,
    body: Body,
) -> ApiResult {
    put(&api, &service, Which::Screenshot { number, alt: query.alt }, &headers, body).await
}

/// Changes what a screenshot's text says, or its place among the others.
#[utoipa::path(patch, path = "/api/v1/services/{service}/screenshots/{number}", tag = "services", params(("service" = String, Path, description = "Handle or id"), ("number" = usize, Path, description = "1 to 8")), request_body = ScreenshotChangeBody, responses((status = 200, description = "The service", body = ServiceView), Refusals))]
pub async fn change_screenshot(
    api: Api,
    ApiPath((service, number)): ApiPath<(String, usize)>,
    ApiJson(body): ApiJson<ScreenshotChangeBody>,
) -> ApiResult {
    let mut act = api.begin().await?;
    let change = ScreenshotChange { alt: body.alt, number: body.number };
    let service = images::change(&mut act, &Key::read(&service), number, change).await?;
    changed(act, service).await
}

/// Removes a screenshot; those after it move up.
#[utoipa::path(delete, path = "/api/v1/services/{service}/screenshots/{number}", tag = "services", params(("service" = String, Path, description = "Handle or id"), ("number" = usize, Path, description = "1 to 8")), responses((status = 200, description = "The service", body = ServiceView), Refusals))]
pub async fn remove_screenshot(api: Api, ApiPath((service, number)): ApiPath<(String, usize)>) -> ApiResult {
    let mut act = api.begin().await?;
    let service = images::remove(&mut act, &Key::read(&service), Some(number)).await?;
    changed(act, service).await
}

/// The bytes of a picture of a service that you see. The address names them by their hash, so they may be kept for ever.
#[utoipa::path(get, path = "/api/v1/services/{service}/images/{hash}", tag = "services", params(("service" = String, Path, description = "Handle or id"), ("hash" = String, Path, description = "SHA-256 of the bytes")), responses((status = 200, description = "The bytes", body = Vec<u8>, content_type = "image/png"), (status = 304, description = "You have them"), Refusals))]
pub async fn get(api: Api, ApiPath((service, hash)): ApiPath<(String, String)>, headers: HeaderMap) -> ApiResult {
    let image = images::find(&mut api.read().await?, &api.caller, &Key::read(&service), &hash).await?;
    represent(&api.app.stoa, &image, &headers).await
}

/// What a picture is answered with. The bytes are somebody's upload: their type is the one they were found to have, no browser
/// guesses another, and nothing in them runs.
///
/// # Errors
/// 503.
pub async fn represent(stoa: &Stoa, image: &KeptImage, asked: &HeaderMap) -> ApiResult<Response> {
    let etag = format!("\"{}\"", image.hash);
    let mut headers = HeaderMap::new();
    let value = |text: &str| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""));
    headers.insert(header::ETAG, value(&etag));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=31536000, immutable"));
    let known = asked.get(header::IF_NONE_MATCH).and_then(|known| known.to_str().ok());
    if known.is_some_and(|known| known.split(',').any(|one| one.trim().trim_start_matches("W/") == etag)) {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    headers.insert(header::CONTENT_TYPE, value(&image.media_type));
    headers.insert(header::CONTENT_LENGTH, image.size.into());
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    let body = Body::from_stream(images::bytes(stoa, image).await?);
    Ok((StatusCode::OK, headers, body).into_response())
}
