//! What surrounds every answer: headers that keep browsers safe, forms from other sites refused, panics answered.

use std::any::Any;

use axum::{
    body::Body,
    http::{Extensions, HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header},
    response::{IntoResponse, Response},
};
use tower_http::{
    compression::{CompressionLayer, predicate::Predicate},
    csrf::{CsrfLayer, ProtectionError},
};
use url::Url;

use crate::problem::ApiError;

/// Scripts, styles and images come from this installation only, and no other site frames its pages.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; object-src 'none'; \
                                       frame-ancestors 'none'; form-action 'self'; base-uri 'none'";

const HEADERS: [(HeaderName, &str); 4] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
];

/// Adds the security headers; a handler's own (stricter) ones stay.
pub async fn headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

type Refuse = fn(ProtectionError) -> Response;

/// Refuses requests that change something and come from another site, by `Sec-Fetch-Site` and `Origin`. Pages need it
/// because browsers send their cookie along; the API does not, because it takes bearer tokens only.
pub fn same_site(public_url: &str) -> CsrfLayer<Refuse> {
    let mut layer = CsrfLayer::new();
    // Behind a proxy that changes the Host header, the address users see is still ours.
    if let Ok(url) = Url::parse(public_url)
        && let Ok(trusting) = layer.clone().add_trusted_origin(url.origin().ascii_serialization())
    {
        layer = trusting;
    }
    layer.with_rejection_response(cross_site as Refuse)
}

fn cross_site(_: ProtectionError) -> Response {
    ApiError::request(
        StatusCode::FORBIDDEN,
        "cross_site",
        "the form was sent from another site, so nothing was done; open the page here and send it again",
    )
    .into_response()
}

/// The answer to a request whose handler panicked; the panic itself is in the log.
pub fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!(panic = text.unwrap_or("unknown"), "a handler panicked");
    ApiError::request(StatusCode::INTERNAL_SERVER_ERROR, "internal", "something went wrong here; the log has it under this request's id")
        .into_response()
}

/// Compresses texts from a kilobyte on. What has versions and ranges of its own (resources) is left as it is.
pub fn compression() -> CompressionLayer<impl Predicate> {
    CompressionLayer::new().gzip(true).quality(tower_http::CompressionLevel::Fastest).compress_when(is_text)
}

fn is_text(_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    let kind = text(header::CONTENT_TYPE);
    let long = text(header::CONTENT_LENGTH).parse::<u64>().map_or(true, |bytes| bytes >= 1024);
    let compressible = kind.starts_with("text/") || kind.contains("json") || kind.contains("javascript") || kind.contains("svg");
    long && compressible && !headers.contains_key(header::ACCEPT_RANGES) && !headers.contains_key(header::CONTENT_DISPOSITION)
}

/// Whether a response has a body of HTML.
pub fn is_html(response: &Response<Body>) -> bool {
    response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}
