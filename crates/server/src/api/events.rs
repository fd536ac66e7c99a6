//! The log of an organization.

use axum::{Json, response::IntoResponse};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use stoa_actions::{Caller, Error, Stoa, events};
use stoa_domain::{
    events::{Event, EventConditions, EventFilter},
    ids::{EventId, OrganizationId},
    organizations::Key,
    time::Ts,
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    exports::{self, events::LogFormat},
    extract::{Api, ApiPath, ApiQuery, ApiResult},
    paging::{Page, Paging},
    problem::Refusals,
};

/// One line of the log.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventView {
    /// 1, 2, 3, … without gaps.
    pub sequence: i64,
    /// `evt_…`
    #[schema(value_type = String)]
    pub id: EventId,
    /// What happened, such as `member.added`.
    pub r#type: String,
    /// Who did it.
    pub actor: PartyView,
    /// To what.
    pub subject: PartyView,
    /// The details.
    #[schema(value_type = Object)]
    pub data: Value,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub occurred_at: Ts,
}

/// A noun and an id.
#[derive(Debug, Serialize, ToSchema)]
pub struct PartyView {
    /// The noun, such as `user`.
    pub kind: String,
    /// The id; `null` for Stoa itself.
    pub id: Option<String>,
}

impl From<Event> for EventView {
    fn from(event: Event) -> Self {
        Self {
            sequence: event.sequence,
            id: event.id,
            data: event.json(),
            actor: PartyView { kind: event.actor_kind, id: event.actor_id },
            subject: PartyView { kind: event.subject.kind, id: Some(event.subject.id) },
            r#type: event.kind,
            occurred_at: event.occurred_at,
        }
    }
}

/// Which part of the log.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// Events after this sequence; 0 when absent.
    #[param(value_type = Option<i64>)]
    pub after: Option<String>,
    /// How many, at most 200; 50 when absent.
    #[param(value_type = Option<i64>)]
    pub limit: Option<String>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Which events.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EventFilterQuery {
    /// Events of this type, such as `member.added`, or of all types of a noun, such as `member`.
    pub r#type: Option<String>,
    /// Events done by this user (`usr_…`) or application (`app_…`).
    pub actor: Option<String>,
    /// Events done to the subject with this id (of a resource, its name).
    pub subject: Option<String>,
    /// From this day on, or from this instant (RFC 3339) on.
    pub from: Option<String>,
    /// Up to the end of this day, or before this instant.
    pub to: Option<String>,
}

impl EventFilterQuery {
    /// The filter.
    ///
    /// # Errors
    /// 422 with what is wrong.
    pub fn filter(&self) -> Result<EventFilter, Error> {
        Ok(EventFilter::read(&EventConditions {
            kind: self.r#type.as_deref(),
            actor: self.actor.as_deref(),
            subject: self.subject.as_deref(),
            from: self.from.as_deref(),
            to: self.to.as_deref(),
        })?)
    }
}

/// The log of an organization, ascending.
#[utoipa::path(get, path = "/api/v1/organizations/{org}/events", tag = "events", params(("org" = String, Path, description = "Handle or id"), EventsQuery, EventFilterQuery), responses((status = 200, description = "A page", body = Page<EventView>), Refusals))]
pub async fn list(
    api: Api,
    ApiPath(org): ApiPath<String>,
    ApiQuery(query): ApiQuery<EventsQuery>,
    ApiQuery(filter): ApiQuery<EventFilterQuery>,
) -> ApiResult {
    let paging = Paging { limit: query.limit, cursor: query.cursor };
    let limit = paging.limit()?;
    let after = match (paging.cursor::<i64>()?, query.after.as_deref()) {
        (Some(cursor), _) => cursor,
        (None, None | Some("")) => 0,
        (None, Some(text)) => {
            text.parse().ok().filter(|after: &i64| *after >= 0).ok_or_else(|| Error::fault("/after", "after is a sequence, 0 or more"))?
        }
    };
    let filter = filter.filter()?;
    let mut conn = api.read().await?;
    let events = events::after(&mut conn, &api.caller, &Key::read(&org), after, &filter, limit + 1).await?;
    Ok(Json(Page::cut(events, limit, |event| event.sequence, EventView::from)).into_response())
}

/// In which form.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ExportQuery {
    /// `csv` (the default) or `jsonl`.
    pub format: Option<String>,
}

/// The log of an organization, or what fits the filter, as a file: CSV with a sentence for each event, or JSON lines.
#[utoipa::path(get, path = "/api/v1/organizations/{org}/events/export", tag = "events", params(("org" = String, Path, description = "Handle or id"), ExportQuery, EventFilterQuery), responses((status = 200, description = "The file", content((String = "text/csv"), (String = "application/jsonl"))), Refusals))]
pub async fn export(
    api: Api,
    ApiPath(org): ApiPath<String>,
    ApiQuery(query): ApiQuery<ExportQuery>,
    ApiQuery(filter): ApiQuery<EventFilterQuery>,
) -> ApiResult {
    exported(&api.app.stoa, &api.caller, &Key::read(&org), query.format.as_deref(), &filter).await
}

/// The file; also for the page, which offers it to download.
pub(crate) async fn exported(
    stoa: &Stoa,
    caller: &Caller,
    org: &Key<OrganizationId>,
    format: Option<&str>,
    filter: &EventFilterQuery,
) -> ApiResult {
    let mut conn = stoa.db.read().await?;
    let seat = events::exporter(&mut conn, caller, org).await?;
    drop(conn);
    let (format, filter) = (LogFormat::of(format)?, filter.filter()?);
    Ok(exports::events::download(stoa.db.clone(), seat, filter, format, caller.now.day()).await?)
}
