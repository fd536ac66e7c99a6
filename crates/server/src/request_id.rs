//! The id of each HTTP request: in the answer's `x-request-id`, in the log, and in the events that come of it.

use axum::{
    extract::{Request, State},
    http::HeaderValue,
    middleware::Next,
    response::Response,
};
use tracing::Instrument as _;

use crate::App;

/// The id of an HTTP request; made here, never taken from the client, so that it can be trusted in the log.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// Gives each request an id and a log span.
pub async fn layer(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let mut random = [0; 8];
    app.stoa.entropy.fill(&mut random);
    let id = format!("{:016x}", u64::from_be_bytes(random));
    request.extensions_mut().insert(RequestId(id.clone()));
    let span = tracing::info_span!("request", id = %id, method = %request.method(), path = %request.uri().path());
    let mut response = next.run(request).instrument(span).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", value);
    }
    response
}
