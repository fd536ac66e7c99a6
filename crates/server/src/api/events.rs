//! The log of an organization.

use axum::{Json, response::IntoResponse};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use stoa_actions::{Error, events};
use stoa_domain::{
    events::{Event, EventKind},
    ids::EventId,
    organizations::Key,
    time::Ts,
};
use utoipa::{IntoParams, ToSchema};

use crate::{
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
    /// Events of this type only.
    pub r#type: Option<String>,
    /// How many, at most 200; 50 when absent.
    #[param(value_type = Option<i64>)]
    pub limit: Option<String>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// The log of an organization, ascending.
#[utoipa::path(get, path = "/api/v1/organizations/{org}/events", tag = "events", params(("org" = String, Path, description = "Handle or id"), EventsQuery), responses((status = 200, description = "A page", body = Page<EventView>), Refusals))]
pub async fn list(api: Api, ApiPath(org): ApiPath<String>, ApiQuery(query): ApiQuery<EventsQuery>) -> ApiResult {
    let paging = Paging { limit: query.limit, cursor: query.cursor };
    let limit = paging.limit()?;
    let after = match (paging.cursor::<i64>()?, query.after.as_deref()) {
        (Some(cursor), _) => cursor,
        (None, None | Some("")) => 0,
        (None, Some(text)) => {
            text.parse().ok().filter(|after: &i64| *after >= 0).ok_or_else(|| Error::fault("/after", "after is a sequence, 0 or more"))?
        }
    };
    let kind = query.r#type.as_deref().filter(|kind| !kind.is_empty());
    if let Some(bad) = kind.and_then(|kind| kind.parse::<EventKind>().err()) {
        return Err(Error::fault("/type", bad.to_string()).into());
    }
    let mut conn = api.read().await?;
    let events = events::after(&mut conn, &api.caller, &Key::read(&org), after, kind, limit + 1).await?;
    Ok(Json(Page::cut(events, limit, |event| event.sequence, EventView::from)).into_response())
}
