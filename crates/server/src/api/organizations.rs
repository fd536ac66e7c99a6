//! Organizations.

use axum::{Json, http::StatusCode, response::IntoResponse};
use serde::{Deserialize, Serialize};
use stoa_actions::organizations::{self, Seat};
use stoa_domain::{
    ids::OrganizationId,
    organizations::{Key, NewOrganization, OrganizationChange},
    permissions::Role,
    time::Ts,
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    extract::{Api, ApiJson, ApiPath, ApiQuery, ApiResult, answer, done},
    paging::{Page, Paging},
    problem::Refusals,
};

/// An organization with the caller's role in it.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrganizationView {
    /// `org_…`
    #[schema(value_type = String)]
    pub id: OrganizationId,
    /// Its URL-safe name.
    pub handle: String,
    /// Its name.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// Where bills go.
    pub billing_email: Option<String>,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Ts,
    /// When its details last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Ts,
    /// `viewer`, `reviewer`, `editor` or `maintainer`.
    #[schema(value_type = String)]
    pub role: Role,
}

impl From<Seat> for OrganizationView {
    fn from(seat: Seat) -> Self {
        let organization = seat.organization;
        Self {
            id: organization.id,
            handle: organization.handle,
            name: organization.name,
            description: organization.description,
            billing_email: organization.billing_email,
            created_at: organization.created_at,
            updated_at: organization.updated_at,
            role: seat.role,
        }
    }
}

/// An organization to create.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewOrganizationBody {
    /// Its name.
    pub name: String,
    /// Its URL-safe name; made from the name when absent.
    pub handle: Option<String>,
    /// What it is about.
    pub description: Option<String>,
    /// Where bills go.
    pub billing_email: Option<String>,
}

/// A change of an organization; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
pub struct OrganizationChangeBody {
    /// A new name.
    pub name: Option<String>,
    /// A new description.
    pub description: Option<String>,
    /// A new billing address; empty removes it.
    pub billing_email: Option<String>,
}

/// The confirmation of a deletion.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Confirm {
    /// The exact name of the organization.
    #[serde(default)]
    pub confirm: String,
}

/// Creates an organization; you become its maintainer.
#[utoipa::path(post, path = "/api/v1/organizations", tag = "organizations", request_body = NewOrganizationBody, responses((status = 201, description = "The organization", body = OrganizationView), Refusals))]
pub async fn create(api: Api, ApiJson(body): ApiJson<NewOrganizationBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let new = NewOrganization { name: body.name, handle: body.handle, description: body.description, billing_email: body.billing_email };
    let seat = organizations::create(&mut act, new).await?;
    answer(act, StatusCode::CREATED, &OrganizationView::from(seat)).await
}

/// The organizations you belong to, by name.
#[utoipa::path(get, path = "/api/v1/organizations", tag = "organizations", params(Paging), responses((status = 200, description = "A page", body = Page<OrganizationView>), Refusals))]
pub async fn list(api: Api, ApiQuery(paging): ApiQuery<Paging>) -> ApiResult {
    let limit = paging.limit()?;
    let after: Option<(String, OrganizationId)> = paging.cursor()?;
    let mut conn = api.read().await?;
    let after = after.as_ref().map(|(name, id)| (name.as_str(), *id));
    let seats = organizations::list(&mut conn, &api.caller, after, limit + 1).await?;
    let cursor = |seat: &Seat| (seat.organization.name.clone(), seat.organization.id);
    Ok(Json(Page::cut(seats, limit, cursor, OrganizationView::from)).into_response())
}

/// One organization.
#[utoipa::path(get, path = "/api/v1/organizations/{org}", tag = "organizations", params(("org" = String, Path, description = "Handle or id")), responses((status = 200, description = "The organization", body = OrganizationView), Refusals))]
pub async fn get(api: Api, ApiPath(org): ApiPath<String>) -> ApiResult {
    let mut conn = api.read().await?;
    let seat = organizations::get(&mut conn, &api.caller, &Key::read(&org)).await?;
    Ok(Json(OrganizationView::from(seat)).into_response())
}

/// Changes an organization's details.
#[utoipa::path(patch, path = "/api/v1/organizations/{org}", tag = "organizations", params(("org" = String, Path, description = "Handle or id")), request_body = OrganizationChangeBody, responses((status = 200, description = "The organization", body = OrganizationView), Refusals))]
pub async fn update(api: Api, ApiPath(org): ApiPath<String>, ApiJson(body): ApiJson<OrganizationChangeBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let change = OrganizationChange { name: body.name, description: body.description, billing_email: body.billing_email };
    let seat = organizations::update(&mut act, &Key::read(&org), change).await?;
    answer(act, StatusCode::OK, &OrganizationView::from(seat)).await
}

/// Deletes an organization.
#[utoipa::path(delete, path = "/api/v1/organizations/{org}", tag = "organizations", params(("org" = String, Path, description = "Handle or id"), Confirm), responses((status = 204, description = "Deleted"), Refusals))]
pub async fn delete(api: Api, ApiPath(org): ApiPath<String>, ApiQuery(confirm): ApiQuery<Confirm>) -> ApiResult {
    let mut act = api.begin().await?;
    organizations::delete(&mut act, &Key::read(&org), &confirm.confirm).await?;
    done(act).await
}
