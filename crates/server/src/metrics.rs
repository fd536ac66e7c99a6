//! Measures for Prometheus: requests by route and status, and how long they took.

use std::sync::OnceLock;

use axum::{
    extract::{MatchedPath, Request, State},
    http::header,
    middleware::Next,
    response::{IntoResponse, Response},
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use stoa_actions::{Error, passwords};

use crate::{App, problem::ApiError};

/// Seconds; most requests take about a millisecond.
const BUCKETS: [f64; 12] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

const REQUESTS: &str = "stoa_http_requests_total";
const PASSWORDS: &str = "stoa_passwords_verified_total";
const SECONDS: &str = "stoa_http_request_duration_seconds";

static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Begins to measure, once in a process.
fn handle() -> Option<&'static PrometheusHandle> {
    let begin = || {
        let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Full(SECONDS.to_owned()), &BUCKETS).ok()?;
        let handle = builder.install_recorder().ok()?;
        metrics::describe_counter!(REQUESTS, "Requests answered, by route, method and status");
        metrics::describe_counter!(PASSWORDS, "Passwords verified, those of accounts that are not there too");
        metrics::describe_histogram!(SECONDS, metrics::Unit::Seconds, "How long a request took until its answer began");
        Some(handle)
    };
    HANDLE.get_or_init(begin).as_ref()
}

/// Counts a request under its route (never its path, which would name people's data and have no end).
pub async fn layer(State(app): State<App>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("none", |path| path.as_str()).to_owned();
    let method = request.method().to_string();
    let begun = app.stoa.clock.now();
    let response = next.run(request).await;
    if handle().is_some() {
        let took = u64::try_from(app.stoa.clock.now().micros() - begun.micros()).unwrap_or(0);
        let status = response.status().as_u16().to_string();
        metrics::counter!(REQUESTS, "route" => route.clone(), "method" => method, "status" => status).increment(1);
        metrics::histogram!(SECONDS, "route" => route).record(std::time::Duration::from_micros(took));
    }
    response
}

/// `GET /metrics`, in the text format of Prometheus.
pub async fn get() -> Response {
    match handle() {
        Some(handle) => {
            metrics::counter!(PASSWORDS).absolute(passwords::verified());
            handle.run_upkeep();
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], handle.render()).into_response()
        }
        None => ApiError::from(Error::NotFound("page")).into_response(),
    }
}
