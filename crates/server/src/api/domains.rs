//! The mail domains of organizations: claimed, verified by a mailed code, and joined through.

use axum::{Json, http::StatusCode, response::IntoResponse};
use serde::{Deserialize, Serialize};
use stoa_actions::{
    Error,
    domains::{self, Domain, NewDomain},
};
use stoa_domain::{organizations::Key, permissions::Role, time::Ts};
use utoipa::ToSchema;

use crate::{
    extract::{Api, ApiJson, ApiPath, ApiResult, answer, done, refuse},
    paging::Page,
    problem::Refusals,
};

/// A mail domain.
#[derive(Debug, Serialize, ToSchema)]
pub struct DomainView {
    /// The domain, in lower case.
    pub domain: String,
    /// As what its people join.
    #[schema(value_type = String)]
    pub role: Role,
    /// The address of the domain to which the last code was sent.
    pub contact: String,
    /// Since when it is verified; null while its code is waited for.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub verified_at: Option<Ts>,
    /// Until when the code counts; null when it is verified.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub code_expires_at: Option<Ts>,
    /// When it was first claimed.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Ts,
}

impl From<Domain> for DomainView {
    fn from(one: Domain) -> Self {
        Self {
            domain: one.domain,
            role: one.role,
            contact: one.contact,
            verified_at: one.verified_at,
            code_expires_at: one.code_expires_at,
            created_at: one.created_at,
        }
    }
}

/// A domain to claim.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewDomainBody {
    /// The domain, such as `company.example`.
    pub domain: String,
    /// As what its people join: `viewer`, `reviewer`, `editor` or `maintainer`.
    pub role: String,
    /// To which role address of it the code is sent: `postmaster`, `hostmaster`, `webmaster`, `admin` or `administrator`.
    pub contact: String,
}

/// Another role.
#[derive(Debug, Deserialize, ToSchema)]
pub struct DomainRoleBody {
    /// As what people join from now on.
    pub role: String,
}

/// The code of the mail.
#[derive(Debug, Deserialize, ToSchema)]
pub struct DomainCodeBody {
    /// As it stands in the mail; letter case, spaces and hyphens do not matter.
    pub code: String,
}

/// As it is kept: in lower case.
fn named(domain: &str) -> String {
    domain.trim().to_lowercase()
}

/// The organization's mail domains, by name; at most 20.
#[utoipa::path(get, path = "/api/v1/organizations/{org}/domains", tag = "domains", params(("org" = String, Path, description = "Handle or id")), responses((status = 200, description = "All of them", body = Page<DomainView>), Refusals))]
pub async fn list(api: Api, ApiPath(org): ApiPath<String>) -> ApiResult {
    let mut conn = api.read().await?;
    let (_, domains) = domains::list(&mut conn, &api.caller, &Key::read(&org)).await?;
    Ok(Json(Page::whole(domains.into_iter().map(DomainView::from).collect())).into_response())
}

/// Claims a mail domain: a code goes to the role address, which counts for a day. Claiming it again sends a new one.
#[utoipa::path(post, path = "/api/v1/organizations/{org}/domains", tag = "domains", params(("org" = String, Path, description = "Handle or id")), request_body = NewDomainBody, responses((status = 201, description = "The domain, which waits for its code", body = DomainView), Refusals))]
pub async fn claim(api: Api, ApiPath(org): ApiPath<String>, ApiJson(body): ApiJson<NewDomainBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let new = NewDomain { domain: body.domain, role: body.role, contact: body.contact };
    let one = domains::claim(&mut act, &Key::read(&org), &new).await?;
    answer(act, StatusCode::CREATED, &DomainView::from(one)).await
}

/// Verifies a domain by the code of the mail. After five wrong codes a new one must be sent (409 `code_over`).
#[utoipa::path(post, path = "/api/v1/organizations/{org}/domains/{domain}/verify", tag = "domains", params(("org" = String, Path, description = "Handle or id"), ("domain" = String, Path, description = "The domain")), request_body = DomainCodeBody, responses((status = 200, description = "The domain, verified", body = DomainView), Refusals))]
pub async fn verify(api: Api, ApiPath((org, domain)): ApiPath<(String, String)>, ApiJson(body): ApiJson<DomainCodeBody>) -> ApiResult {
    let mut act = api.begin().await?;
    match domains::verify(&mut act, &Key::read(&org), &named(&domain), &body.code).await? {
        Some(one) => answer(act, StatusCode::OK, &DomainView::from(one)).await,
        // That it was wrong counts.
        None => refuse(act, Error::fault("/code", "that is not the code; after five wrong ones a new one must be sent")).await,
    }
}

/// Changes as what people of a domain join; those who are members keep their role.
#[utoipa::path(patch, path = "/api/v1/organizations/{org}/domains/{domain}", tag = "domains", params(("org" = String, Path, description = "Handle or id"), ("domain" = String, Path, description = "The domain")), request_body = DomainRoleBody, responses((status = 200, description = "The domain", body = DomainView), Refusals))]
pub async fn set_role(api: Api, ApiPath((org, domain)): ApiPath<(String, String)>, ApiJson(body): ApiJson<DomainRoleBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let one = domains::set_role(&mut act, &Key::read(&org), &named(&domain), &body.role).await?;
    answer(act, StatusCode::OK, &DomainView::from(one)).await
}

/// Gives a domain up. Who joined through it stays.
#[utoipa::path(delete, path = "/api/v1/organizations/{org}/domains/{domain}", tag = "domains", params(("org" = String, Path, description = "Handle or id"), ("domain" = String, Path, description = "The domain")), responses((status = 204, description = "Given up"), Refusals))]
pub async fn remove(api: Api, ApiPath((org, domain)): ApiPath<(String, String)>) -> ApiResult {
    let mut act = api.begin().await?;
    domains::remove(&mut act, &Key::read(&org), &named(&domain)).await?;
    done(act).await
}
