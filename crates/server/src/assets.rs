//! Styles, scripts, symbols and fonts, in the binary.

use axum::{
    extract::{Path, RawQuery},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::problem::ApiError;

#[derive(RustEmbed)]
#[folder = "assets/"]
struct Assets;

/// The first characters of a file's hash: its version in addresses.
fn version(file: &EmbeddedFile) -> String {
    file.metadata.sha256_hash().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The address of an asset with its version, under which it may be kept for ever.
pub fn address(name: &str) -> String {
    match Assets::get(name) {
        Some(file) => format!("/assets/{name}?v={}", version(&file)),
        None => format!("/assets/{name}"),
    }
}

/// `GET /assets/{path}`.
pub async fn get(Path(path): Path<String>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let Some(file) = Assets::get(&path) else { return ApiError::from(stoa_actions::Error::NotFound("file")).into_response() };
    let version = version(&file);
    let etag = format!("\"{version}\"");
    let asked = query.as_deref().and_then(|query| query.strip_prefix("v="));
    let lasting = asked == Some(version.as_str()) || path.ends_with(".woff2");
    let cache = if lasting { "public, max-age=31536000, immutable" } else { "public, max-age=300" };
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let known = known.is_some_and(|known| known.split(',').any(|one| one.trim().trim_start_matches("W/") == etag));
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, file.metadata.mimetype())], file.data).into_response()
    };
    let answer = response.headers_mut();
    answer.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        answer.insert(header::ETAG, etag);
    }
    response
}

/// `GET /favicon.ico`, for programs that ask without reading the page.
pub async fn favicon() -> Redirect {
    Redirect::permanent("/assets/favicon.svg")
}
