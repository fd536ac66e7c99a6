//! `Idempotency-Key`: reads the key and the fingerprint of the request before its handler does.

use axum::{
    body::{Body, Bytes},
    extract::Request,
    http::{Method, StatusCode},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use sha2::{Digest, Sha256};

use crate::problem::ApiError;

/// The largest body of an API request other than a resource's bytes.
pub const LARGEST_BODY: usize = 4 * 1024 * 1024;

/// The key of a request and the fingerprint of what it asks.
#[derive(Debug, Clone)]
pub struct OnceKey {
    /// The header's value.
    pub key: String,
    /// SHA-256 of method, path with query, and body.
    pub fingerprint: [u8; 32],
}

/// Reads the key of a POST. Requests without one pass unchanged.
pub async fn layer(request: Request, next: Next) -> Response {
    let key = request.headers().get("idempotency-key").map(|value| value.to_str().unwrap_or("\u{0}").to_owned());
    let Some(key) = key.filter(|_| request.method() == Method::POST) else { return next.run(request).await };
    let (mut parts, body) = request.into_parts();
    let bytes = match collect(body).await {
        Ok(bytes) => bytes,
        Err(refusal) => return refusal.into_response(),
    };
    let mut hasher = Sha256::new();
    hasher.update(parts.method.as_str());
    hasher.update([0]);
    hasher.update(parts.uri.path_and_query().map_or("", |path| path.as_str()));
    hasher.update([0]);
    hasher.update(&bytes);
    parts.extensions.insert(OnceKey { key, fingerprint: hasher.finalize().into() });
    next.run(Request::from_parts(parts, Body::from(bytes))).await
}

async fn collect(body: Body) -> Result<Bytes, ApiError> {
    match Limited::new(body, LARGEST_BODY).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(ApiError::request(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            format!("a request with an Idempotency-Key has at most {LARGEST_BODY} bytes"),
        )),
        Err(error) => Err(ApiError::request(StatusCode::BAD_REQUEST, "bad_body", error.to_string())),
    }
}
