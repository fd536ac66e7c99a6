//! Who decides requests in whose stead for a while.

use axum::{Json, http::StatusCode, response::IntoResponse};
use serde::{Deserialize, Serialize};
use stoa_actions::delegations::{self, Details, NewDelegation};
use stoa_domain::{delegations::Span, ids::DelegationId, organizations::Key, time::Ts};
use utoipa::ToSchema;

use crate::{
    api::subscriptions::UserRef,
    extract::{Api, ApiJson, ApiPath, ApiResult, answer, done},
    problem::Refusals,
};

/// Somebody who decides in another member's stead for a while.
#[derive(Debug, Serialize, ToSchema)]
pub struct DelegationView {
    /// `dlg_…`
    #[schema(value_type = String)]
    pub id: DelegationId,
    /// Who is away.
    pub absent: UserRef,
    /// Who decides meanwhile.
    pub delegate: UserRef,
    /// From when.
    #[schema(value_type = String, format = DateTime)]
    pub from: Ts,
    /// Until when.
    #[schema(value_type = String, format = DateTime)]
    pub until: Ts,
}

impl From<Details> for DelegationView {
    fn from(details: Details) -> Self {
        let Details { delegation, absent, delegate } = details;
        Self {
            id: delegation.id,
            absent: (delegation.absent, absent).into(),
            delegate: (delegation.delegate, delegate).into(),
            from: delegation.starts_at,
            until: delegation.ends_at,
        }
    }
}

/// The delegations of an organization.
#[derive(Debug, Serialize, ToSchema)]
pub struct DelegationsView {
    /// Those that hold now or will, the earliest first.
    pub items: Vec<DelegationView>,
}

/// Whom to name, and for when.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DelegationBody {
    /// The member who shall decide, by address or id.
    #[serde(default)]
    pub to: String,
    /// The first day, or an instant (RFC 3339); at once when absent.
    pub from: Option<String>,
    /// The last day, or the instant of the end.
    #[serde(default)]
    pub until: String,
}

/// Who decides in whose stead, now and later.
#[utoipa::path(get, path = "/api/v1/organizations/{org}/delegations", tag = "requests", params(("org" = String, Path, description = "Handle or id")), responses((status = 200, description = "The delegations", body = DelegationsView), Refusals))]
pub async fn list(api: Api, ApiPath(org): ApiPath<String>) -> ApiResult {
    let mut conn = api.read().await?;
    let (_, found) = delegations::list(&mut conn, &api.caller, &Key::read(&org)).await?;
    Ok(Json(DelegationsView { items: found.into_iter().map(DelegationView::from).collect() }).into_response())
}

/// Names another member to decide requests in your stead while you are away: what you could decide, but never your own
/// requests.
#[utoipa::path(post, path = "/api/v1/organizations/{org}/delegations", tag = "requests", params(("org" = String, Path, description = "Handle or id")), request_body = DelegationBody, responses((status = 201, description = "The delegation", body = DelegationView), Refusals))]
pub async fn create(api: Api, ApiPath(org): ApiPath<String>, ApiJson(body): ApiJson<DelegationBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let new = NewDelegation { to: body.to, span: Span { from: body.from, until: body.until } };
    let made = delegations::create(&mut act, &Key::read(&org), &new).await?;
    answer(act, StatusCode::CREATED, &DelegationView::from(made)).await
}

/// Ends a delegation before its time: by whoever is away, whoever stands in, or a maintainer.
#[utoipa::path(delete, path = "/api/v1/organizations/{org}/delegations/{delegation}", tag = "requests", params(("org" = String, Path, description = "Handle or id"), ("delegation" = String, Path, description = "dlg_…")), responses((status = 204, description = "Ended"), Refusals))]
pub async fn end(api: Api, ApiPath((org, id)): ApiPath<(String, DelegationId)>) -> ApiResult {
    let mut act = api.begin().await?;
    delegations::end(&mut act, &Key::read(&org), id).await?;
    done(act).await
}
