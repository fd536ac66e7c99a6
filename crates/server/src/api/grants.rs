//! The map: which service runs on which project's data.

use axum::{Json, response::IntoResponse};
use serde::{Deserialize, Serialize};
use stoa_actions::{
    Error,
    grants::{self, MapLine, MapQuery},
};
use stoa_domain::{
    ids::{GrantId, SubscriptionId},
    organizations::Key,
    services::DataPermission,
    subscriptions::SubscriptionState,
    time::Ts,
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    api::subscriptions::{ProjectRef, ServiceRef, UserRef},
    extract::{Api, ApiPath, ApiQuery, ApiResult},
    paging::{Page, Paging},
    problem::Refusals,
};

/// One line of the map.
#[derive(Debug, Serialize, ToSchema)]
pub struct MapLineView {
    /// The grant, `gra_…`.
    #[schema(value_type = String)]
    pub id: GrantId,
    /// The service that may use the project's data.
    pub service: ServiceRef,
    /// By which subscription, `sub_…`.
    #[schema(value_type = String)]
    pub subscription: SubscriptionId,
    /// The project.
    pub project: ProjectRef,
    /// What the service may do.
    #[schema(value_type = Vec<String>)]
    pub permissions: Vec<DataPermission>,
    /// Where the subscription was at that time.
    #[schema(value_type = String)]
    pub state: SubscriptionState,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub since: Ts,
    /// Until when; `null` while it goes on.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Ts>,
    /// By whose approval.
    pub approved_by: Option<UserRef>,
}

impl From<MapLine> for MapLineView {
    fn from(line: MapLine) -> Self {
        Self {
            id: line.grant.id,
            service: line.service.into(),
            subscription: line.grant.subscription,
            project: line.project.into(),
            permissions: line.permissions,
            state: line.state,
            since: line.grant.since,
            until: line.grant.until,
            approved_by: line.approved_by.map(UserRef::from),
        }
    }
}

/// Which part of the map.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MapParams {
    /// As it was at this time (RFC 3339); now when absent.
    pub at: Option<String>,
    /// Of this service only, by handle or id.
    pub service: Option<String>,
    /// Of this project only, by handle or id; deleted ones too.
    pub project: Option<String>,
    /// How many, at most 200; 50 when absent.
    #[param(value_type = Option<i64>)]
    pub limit: Option<String>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Which service may use which project's data, with which permissions, since when and by whose approval; at any time.
#[utoipa::path(get, path = "/api/v1/organizations/{org}/grants", tag = "grants", params(("org" = String, Path, description = "Handle or id"), MapParams), responses((status = 200, description = "A page", body = Page<MapLineView>), Refusals))]
pub async fn map(api: Api, ApiPath(org): ApiPath<String>, ApiQuery(params): ApiQuery<MapParams>) -> ApiResult {
    let paging = Paging { limit: params.limit, cursor: params.cursor };
    let (limit, after) = (paging.limit()?, paging.cursor()?);
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let at = match given(params.at) {
        None => None,
        Some(text) => Some(text.parse::<Ts>().map_err(|bad| Error::fault("/at", bad.to_string()))?),
    };
    let query = MapQuery {
        at,
        service: given(params.service).map(|key| Key::read(&key)),
        project: given(params.project).map(|key| Key::read(&key)),
    };
    let mut conn = api.read().await?;
    let (_, lines) = grants::map(&mut conn, &api.caller, &Key::read(&org), &query, after, limit + 1).await?;
    Ok(Json(Page::cut(lines, limit, |line: &MapLine| (line.grant.subscription, line.grant.id), MapLineView::from)).into_response())
}
