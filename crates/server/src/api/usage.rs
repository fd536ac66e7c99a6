//! Usage: reported by services, read by organizations.

use axum::{
    Json,
    body::{Body, to_bytes},
    http::{HeaderMap, StatusCode, header},
    response::IntoResponse,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use stoa_actions::{
    Error,
    costs::Named,
    usage::{self, UsageRow},
};
use stoa_domain::{
    amounts::Quantity,
    groupings::{Grouping, Month, UsageWord},
    ids::{ProjectId, ServiceId, SubscriptionId},
    organizations::Key,
    periods::{MOST_DAYS, MOST_DAYS_TOGETHER, Period},
    text::Faults,
    time::Day,
    usage::parse_batch,
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    exports::{self, Format},
    extract::{Api, ApiPath, ApiQuery, ApiResult, answer},
    once::LARGEST_BODY,
    problem::{ApiError, Refusals},
};

/// Rows that one answer may have.
pub(crate) const MOST_ROWS: usize = 100_000;

/// A report of usage: a CloudEvents 1.0 event.
#[derive(Debug, Deserialize, ToSchema)]
pub struct UsageEventBody {
    /// `1.0`; may be left out.
    pub specversion: Option<String>,
    /// The event's name within its source. The same id again is counted once.
    pub id: String,
    /// Who counts.
    pub source: String,
    /// `stoa.usage.v1`.
    pub r#type: String,
    /// When it was used, RFC 3339; at most a day ahead.
    pub time: String,
    /// The subscription, `sub_…`.
    pub subject: String,
    /// What was used.
    pub data: UsageDataBody,
}

/// What was used.
#[derive(Debug, Deserialize, ToSchema)]
pub struct UsageDataBody {
    /// The project, by id or handle.
    pub project: String,
    /// The name of a meter of the subscription's plan.
    pub meter: String,
    /// A decimal string; a correction is negative.
    pub quantity: String,
}

/// What became of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReportedView {
    /// Events that were counted.
    pub accepted: usize,
    /// Events that had been counted before, or stood in the batch already.
    pub duplicates: usize,
}

/// Reports usage, by a service: one CloudEvents event, or a batch of at most 1,000. A batch is counted as a whole or not
/// at all; events that were counted before (same subscription, source and id) are not counted again.
#[utoipa::path(post, path = "/api/v1/usage", tag = "usage", request_body(content((UsageEventBody = "application/cloudevents+json"), (Vec<UsageEventBody> = "application/cloudevents-batch+json"), (UsageEventBody = "application/json")), description = "One event, or a batch"), responses((status = 200, description = "Counted", body = ReportedView), (status = 413, description = "More than 4 MiB", body = crate::problem::Problem, content_type = "application/problem+json"), (status = 415, description = "Neither of the media types", body = crate::problem::Problem, content_type = "application/problem+json"), Refusals))]
pub async fn report(api: Api, headers: HeaderMap, body: Body) -> ApiResult {
    usage::reporter(&api.caller)?;
    let shape = Shape::of(&headers)?;
    let bytes = to_bytes(body, LARGEST_BODY)
        .await
        .map_err(|_| ApiError::request(StatusCode::PAYLOAD_TOO_LARGE, "too_large", format!("a batch has at most {LARGEST_BODY} bytes")))?;
    let body: Value = serde_json::from_slice(&bytes)
        .map_err(|bad| ApiError::request(StatusCode::BAD_REQUEST, "malformed_json", format!("the body is not JSON: {bad}")))?;
    let (events, one) = shape.events(body)?;
    let reading = parse_batch(&events, api.caller.now).map_err(|faults| placed(faults.into(), one))?;
    let mut act = api.begin().await?;
    let reported = usage::report(&mut act, &reading).await.map_err(|error| placed(error, one))?;
    let view = ReportedView { accepted: reported.accepted, duplicates: reported.duplicates };
    answer(act, StatusCode::OK, &view).await
}

/// What the media type promises.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    One,
    Batch,
    Either,
}

impl Shape {
    fn of(headers: &HeaderMap) -> ApiResult<Self> {
        let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/cloudevents+json" => Ok(Self::One),
            "application/cloudevents-batch+json" => Ok(Self::Batch),
            "application/json" => Ok(Self::Either),
            _ => Err(ApiError::request(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "send one event as application/cloudevents+json or a batch as application/cloudevents-batch+json",
            )),
        }
    }

    /// The events, and whether it is one without a batch around it.
    fn events(self, body: Value) -> Result<(Vec<Value>, bool), Error> {
        match (self, body) {
            (Self::Batch | Self::Either, Value::Array(events)) => Ok((events, false)),
            (Self::One | Self::Either, event @ Value::Object(_)) => Ok((vec![event], true)),
            (Self::One, _) => Err(Error::fault("", "application/cloudevents+json holds one event, a JSON object")),
            (Self::Batch, _) => Err(Error::fault("", "application/cloudevents-batch+json holds a batch, a JSON array of events")),
            (Self::Either, _) => Err(Error::fault("", "send an event (a JSON object) or a batch (a JSON array of events)")),
        }
    }
}

/// Faults of a single event point into the event and not into a batch that was not sent.
fn placed(error: Error, one: bool) -> Error {
    match error {
        Error::Invalid(faults) if one => {
            let mut of_event = Faults::new();
            for fault in faults.into_vec() {
                let pointer = fault.pointer.strip_prefix("/0").unwrap_or(&fault.pointer);
                of_event.add(pointer, fault.detail);
            }
            Error::Invalid(of_event)
        }
        other => other,
    }
}

/// A service or a project as usage and costs name it.
#[derive(Debug, Serialize, ToSchema)]
pub struct NamedView {
    /// `svc_…` or `prj_…`
    pub id: String,
    /// Its URL-safe name.
    pub handle: String,
    /// Its name; a deleted project keeps it.
    pub name: String,
}

impl NamedView {
    pub(crate) fn of(id: impl ToString, named: Option<&Named>) -> Self {
        let id = id.to_string();
        match named {
            Some(named) => Self { id, handle: named.handle.clone(), name: named.name.clone() },
            None => Self { handle: id.clone(), name: id.clone(), id },
        }
    }
}

/// Which usage.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct UsageQuery {
    /// The first day (`2026-03-01`), or an instant within it; the beginning of the current month when absent.
    pub from: Option<String>,
    /// The day after the last one, or an instant, up to which days are taken in; the end of the current month when absent.
    pub to: Option<String>,
    /// Some of `service`, `subscription`, `project`, `meter`, `day`, `month`, separated by commas;
    /// `service,project,meter` when absent. Rows are always apart by service and meter.
    pub group_by: Option<String>,
    /// `json` or `csv`; by the `Accept` header when absent.
    pub format: Option<String>,
}

/// The usage of a period.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsageView {
    /// The first day.
    #[schema(value_type = String, format = Date)]
    pub from: Day,
    /// The day after the last one.
    #[schema(value_type = String, format = Date)]
    pub to: Day,
    /// By what the rows are grouped.
    pub group_by: Vec<String>,
    /// The rows.
    pub items: Vec<UsageItem>,
}

/// One row of usage. What is not grouped by is left out.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsageItem {
    /// The service.
    pub service: NamedView,
    /// `sub_…`
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub subscription: Option<SubscriptionId>,
    /// The project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<NamedView>,
    /// The meter.
    pub meter: String,
    /// What the meter counts, where all plans concerned agree on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The UTC day.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Date)]
    pub day: Option<Day>,
    /// The calendar month, `2026-03`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub month: Option<Month>,
    /// An exact decimal string.
    #[schema(value_type = String)]
    pub quantity: Quantity,
}

/// The usage that services reported for an organization.
#[utoipa::path(get, path = "/api/v1/organizations/{org}/usage", tag = "usage", params(("org" = String, Path, description = "Handle or id"), UsageQuery), responses((status = 200, description = "The usage; with `Accept: text/csv` the same rows as CSV", content((UsageView = "application/json"), (String = "text/csv"))), Refusals))]
pub async fn list(api: Api, ApiPath(org): ApiPath<String>, ApiQuery(query): ApiQuery<UsageQuery>, headers: HeaderMap) -> ApiResult {
    let format = Format::of(&headers, query.format.as_deref(), &[("json", Format::Json), ("csv", Format::Csv)])?;
    let by = Grouping::<UsageWord>::parse(query.group_by.as_deref().unwrap_or("service,project,meter"));
    let by = by.map_err(|bad| Error::fault("/group_by", bad.to_string()))?;
    let most = if by.has(UsageWord::Day) { MOST_DAYS } else { MOST_DAYS_TOGETHER };
    let period = Period::read(query.from.as_deref(), query.to.as_deref(), api.caller.now, most)?;
    let mut conn = api.read().await?;
    let usage = usage::of_organization(&mut conn, &api.caller, &Key::read(&org), period, &by).await?;
    drop(conn);
    if format == Format::Csv {
        return Ok(exports::download(exports::usage(&usage, &by)?, "usage", &usage.seat.organization.handle, period));
    }
    check_rows(usage.rows.len())?;
    let service = |id: ServiceId| NamedView::of(id, usage.names.services.get(&id));
    let project = |id: ProjectId| NamedView::of(id, usage.names.projects.get(&id));
    let item = |row: &UsageRow| UsageItem {
        service: service(row.key.service),
        subscription: row.key.subscription,
        project: row.key.project.map(project),
        meter: row.key.meter.clone(),
        unit: row.unit.clone(),
        day: row.key.day,
        month: row.key.month,
        quantity: row.quantity,
    };
    let items = usage.rows.iter().map(item).collect();
    Ok(Json(UsageView { from: period.from, to: period.to, group_by: words(&by.to_string()), items }).into_response())
}

pub(crate) fn words(grouping: &str) -> Vec<String> {
    grouping.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

pub(crate) fn check_rows(rows: usize) -> Result<(), Error> {
    if rows <= MOST_ROWS {
        return Ok(());
    }
    let detail = format!("these are {rows} rows, more than the {MOST_ROWS} of one answer; ask for fewer days, group by less, or take CSV");
    Err(Error::Unfit { code: "too_many_rows", detail })
}
