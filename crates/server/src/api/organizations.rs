//! Organizations.

use axum::{Json, http::StatusCode, response::IntoResponse};
use serde::{Deserialize, Serialize};
use stoa_actions::organizations::{self, Seat};
use stoa_domain::{
    countries::Country,
    ids::OrganizationId,
    naming::NewNaming,
    organizations::{DetailsInput, Key, NewOrganization, OrganizationChange, Suspension},
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
    /// The name of the legal party.
    pub legal_name: Option<String>,
    /// Its postal address, without the country; several lines.
    pub address: Option<String>,
    /// The two letters of its country (ISO 3166-1 alpha-2).
    #[schema(value_type = Option<String>)]
    pub country: Option<Country>,
    /// Its VAT number or another number of its tax office.
    pub tax_id: Option<String>,
    /// Whom to write to.
    pub contact_email: Option<String>,
    /// Whom to call, such as `+49 40 1234567`.
    pub contact_phone: Option<String>,
    /// Where the public reads about it; an `https` address.
    pub website: Option<String>,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Ts,
    /// When its details last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Ts,
    /// `viewer`, `reviewer`, `editor` or `maintainer`.
    #[schema(value_type = String)]
    pub role: Role,
    /// That an operator suspended it: it can be looked at but not changed.
    pub suspension: Option<SuspensionView>,
}

/// A suspension of an organization by an operator, who alone can lift it.
#[derive(Debug, Serialize, ToSchema)]
pub struct SuspensionView {
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub since: Ts,
    /// Why.
    pub reason: String,
}

impl From<Suspension> for SuspensionView {
    fn from(suspension: Suspension) -> Self {
        Self { since: suspension.since, reason: suspension.reason }
    }
}

impl From<Seat> for OrganizationView {
    fn from(seat: Seat) -> Self {
        let Seat { organization, role } = seat;
        let details = organization.details;
        Self {
            id: organization.id,
            handle: organization.handle,
            name: organization.name,
            description: organization.description,
            billing_email: details.billing_email,
            legal_name: details.legal_name,
            address: details.address,
            country: details.country,
            tax_id: details.tax_id,
            contact_email: details.contact_email,
            contact_phone: details.contact_phone,
            website: details.website,
            created_at: organization.created_at,
            updated_at: organization.updated_at,
            role,
            suspension: organization.suspension.map(SuspensionView::from),
        }
    }
}

/// Whom to bill and whom to ask. All of it is optional, but legal name, address, country and billing address are given
/// together, and with a tax id: a bill needs them all. A billing address alone is fine.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct DetailsBody {
    /// Where bills go.
    pub billing_email: Option<String>,
    /// The name of the legal party.
    pub legal_name: Option<String>,
    /// Its postal address, without the country; several lines.
    pub address: Option<String>,
    /// The two letters of its country (ISO 3166-1 alpha-2).
    pub country: Option<String>,
    /// Its VAT number or another number of its tax office.
    pub tax_id: Option<String>,
    /// Whom to write to.
    pub contact_email: Option<String>,
    /// Whom to call, such as `+49 40 1234567`.
    pub contact_phone: Option<String>,
    /// Where the public reads about it; an `https` address.
    pub website: Option<String>,
}

impl From<DetailsBody> for DetailsInput {
    fn from(body: DetailsBody) -> Self {
        let DetailsBody { billing_email, legal_name, address, country, tax_id, contact_email, contact_phone, website } = body;
        Self { billing_email, legal_name, address, country, tax_id, contact_email, contact_phone, website }
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
    /// Whom to bill and whom to ask.
    #[serde(flatten)]
    pub details: DetailsBody,
}

/// A change of an organization; what is absent stays, an empty text removes what is there.
#[derive(Debug, Deserialize, ToSchema)]
pub struct OrganizationChangeBody {
    /// A new name.
    pub name: Option<String>,
    /// A new handle. The old one leads to the organization for a year, in the API as an alias; nobody else gets it meanwhile.
    pub handle: Option<String>,
    /// A new description.
    pub description: Option<String>,
    /// Whom to bill and whom to ask.
    #[serde(flatten)]
    pub details: DetailsBody,
}

/// Which organizations.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OrganizationsQuery {
    /// A part of the name or the handle.
    #[serde(default)]
    pub q: String,
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
    let naming = NewNaming { name: body.name, handle: body.handle, description: body.description };
    let new = NewOrganization { naming, details: body.details.into() };
    let seat = organizations::create(&mut act, new).await?;
    answer(act, StatusCode::CREATED, &OrganizationView::from(seat)).await
}

/// The organizations you belong to, by name; all, or those whose name or handle has a text in it.
#[utoipa::path(get, path = "/api/v1/organizations", tag = "organizations", params(OrganizationsQuery, Paging), responses((status = 200, description = "A page", body = Page<OrganizationView>), Refusals))]
pub async fn list(api: Api, ApiQuery(query): ApiQuery<OrganizationsQuery>, ApiQuery(paging): ApiQuery<Paging>) -> ApiResult {
    let limit = paging.limit()?;
    let after: Option<(String, OrganizationId)> = paging.cursor()?;
    let mut conn = api.read().await?;
    let after = after.as_ref().map(|(name, id)| (name.as_str(), *id));
    let seats = organizations::list(&mut conn, &api.caller, &query.q, after, limit + 1).await?;
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
    let change = OrganizationChange { name: body.name, handle: body.handle, description: body.description, details: body.details.into() };
    let seat = organizations::update(&mut act, &Key::read(&org), change).await?;
    answer(act, StatusCode::OK, &OrganizationView::from(seat)).await
}

/// Deletes an organization. An operator can restore it for 14 days; then it is erased.
#[utoipa::path(delete, path = "/api/v1/organizations/{org}", tag = "organizations", params(("org" = String, Path, description = "Handle or id"), Confirm), responses((status = 204, description = "Deleted"), Refusals))]
pub async fn delete(api: Api, ApiPath(org): ApiPath<String>, ApiQuery(confirm): ApiQuery<Confirm>) -> ApiResult {
    let mut act = api.begin().await?;
    organizations::delete(&mut act, &Key::read(&org), &confirm.confirm).await?;
    done(act).await
}
