//! The map: which service runs on which project's data.

use axum::{Json, http::HeaderMap, response::IntoResponse};
use serde::{Deserialize, Serialize};
use stoa_actions::{
    Caller, Error,
    map::{self, MapLine, MapQuery},
};
use stoa_domain::{
    ids::{GrantId, OrganizationId, RequestId, SubscriptionId},
    organizations::Key,
    services::DataPermission,
    subscriptions::SubscriptionState,
    text::Faults,
    time::Ts,
};
use stoa_store::Conn;
use utoipa::{IntoParams, ToSchema};

use crate::{
    api::{
        costs::AmountView,
        subscriptions::{OrganizationRef, ProjectRef, ServiceRef, UserRef},
    },
    exports::{Format, map as files},
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
    /// Who provides it.
    pub provider: OrganizationRef,
    /// By which subscription, `sub_…`.
    #[schema(value_type = String)]
    pub subscription: SubscriptionId,
    /// What tells the subscription apart from others of the same service; mostly empty.
    pub label: String,
    /// The project.
    pub project: ProjectRef,
    /// What the service may do.
    #[schema(value_type = Vec<String>)]
    pub permissions: Vec<DataPermission>,
    /// Where the subscription was at that time: `active`, `suspended` (nothing is open) or `ending`.
    #[schema(value_type = String)]
    pub state: SubscriptionState,
    /// What the project is used for; may be empty.
    pub purpose: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub since: Ts,
    /// Until when, in the past or to come; `null` while no end is known.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Ts>,
    /// By whose approval the service may do what it may: of the project, or of the contract that was accepted since.
    pub approved_by: Option<UserRef>,
    /// The request that was approved, `req_…`.
    #[schema(value_type = Option<String>)]
    pub request: Option<RequestId>,
    /// What the service costs for this project in the calendar month (UTC) of that time, exact; fees of the subscription as a
    /// whole belong to no project and are not in it.
    pub costs: Vec<AmountView>,
}

impl From<MapLine> for MapLineView {
    fn from(line: MapLine) -> Self {
        Self {
            id: line.grant.id,
            service: line.service.into(),
            provider: line.provider.into(),
            subscription: line.grant.subscription,
            label: line.label,
            project: line.project.into(),
            permissions: line.permissions,
            state: line.state,
            purpose: line.grant.purpose,
            since: line.grant.since,
            until: line.until,
            approved_by: line.approved_by.map(UserRef::from),
            request: line.grant.request,
            costs: line.costs.into_iter().map(|(currency, amount)| AmountView { amount, currency }).collect(),
        }
    }
}

/// Which part of the map.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MapParams {
    /// As it was at this time (RFC 3339, or a day, which means its end); now when absent.
    #[serde(default)]
    pub at: Option<String>,
    /// Of this service only, by handle or id.
    #[serde(default)]
    pub service: Option<String>,
    /// Of this provider only, by handle or id.
    #[serde(default)]
    pub provider: Option<String>,
    /// Of this project only, by handle or id; deleted ones too.
    #[serde(default)]
    pub project: Option<String>,
    /// Of services that may do this only, such as `resources:write`.
    #[serde(default)]
    pub permission: Option<String>,
    /// Of subscriptions that were in this state only: `active`, `suspended` or `ending`.
    #[serde(default)]
    pub state: Option<String>,
    /// `json` or `csv` (all lines at once); by the `Accept` header when absent.
    #[serde(default)]
    pub format: Option<String>,
    /// How many, at most 200; 50 when absent.
    #[param(value_type = Option<i64>)]
    #[serde(default)]
    pub limit: Option<String>,
    /// The `next_cursor` of the page before.
    #[serde(default)]
    pub cursor: Option<String>,
}

impl MapParams {
    /// The part of the map that is meant.
    ///
    /// # Errors
    /// 422, with all that is wrong.
    pub fn query(&self, now: Ts) -> Result<MapQuery, Error> {
        let given = |text: &Option<String>| text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        let mut faults = Faults::new();
        let at = given(&self.at).and_then(|text| faults.check("/at", stoa_domain::periods::instant(&text, now)));
        let permission = given(&self.permission).and_then(|word| faults.check("/permission", word.parse::<DataPermission>()));
        let state = given(&self.state).and_then(|word| faults.check("/state", word.parse::<SubscriptionState>()));
        let query = MapQuery {
            at,
            service: given(&self.service).map(|key| Key::read(&key)),
            provider: given(&self.provider).map(|key| Key::read(&key)),
            project: given(&self.project).map(|key| Key::read(&key)),
            permission,
            state,
        };
        Ok(faults.or(Some(query))?)
    }
}

/// Which service may use which project's data, with which permissions, since when, by whose approval and at what cost; at
/// any time.
#[utoipa::path(get, path = "/api/v1/organizations/{org}/grants", tag = "grants", params(("org" = String, Path, description = "Handle or id"), MapParams), responses((status = 200, description = "A page; with `Accept: text/csv` all lines as CSV", content((Page<MapLineView> = "application/json"), (String = "text/csv"))), Refusals))]
pub async fn list(api: Api, ApiPath(org): ApiPath<String>, ApiQuery(params): ApiQuery<MapParams>, headers: HeaderMap) -> ApiResult {
    let format = Format::of(&headers, params.format.as_deref(), &[("json", Format::Json), ("csv", Format::Csv)])?;
    let mut conn = api.read().await?;
    if format == Format::Csv {
        return exported(&mut conn, &api.caller, &Key::read(&org), &params).await;
    }
    let paging = Paging { limit: params.limit.clone(), cursor: params.cursor.clone() };
    let (limit, after) = (paging.limit()?, paging.cursor()?);
    let query = params.query(api.caller.now)?;
    let (_, lines) = map::list(&mut conn, &api.caller, &Key::read(&org), &query, after, limit + 1).await?;
    Ok(Json(Page::cut(lines, limit, |line: &MapLine| (line.grant.subscription, line.grant.id), MapLineView::from)).into_response())
}

/// The most lines of a file.
const MOST_LINES: i64 = 250_000;

/// All lines as a CSV file; also for the page, which offers it to download.
pub(crate) async fn exported(conn: &mut Conn, caller: &Caller, org: &Key<OrganizationId>, params: &MapParams) -> ApiResult {
    let query = params.query(caller.now)?;
    let (seat, lines) = map::list(conn, caller, org, &query, None, MOST_LINES + 1).await?;
    if lines.len() > usize::try_from(MOST_LINES).unwrap_or(usize::MAX) {
        return Err(Error::fault("/format", format!("a file has at most {MOST_LINES} lines; ask for one service or one project")).into());
    }
    Ok(files::file(&seat, &lines, query.at.unwrap_or(caller.now))?)
}
