//! Consents: the evidence of what somebody agreed to.

use axum::{Json, response::IntoResponse};
use serde::Serialize;
use stoa_actions::consents::{self, ConsentDetails};
use stoa_domain::{
    consents::{ConsentKind, digits},
    ids::{ConsentId, ContractId, PlanId, ProjectId, RequestId, SubscriptionId},
    meters::PlanInput,
    organizations::Key,
    services::DataPermission,
    time::Ts,
};
use utoipa::ToSchema;

use crate::{
    api::subscriptions::UserRef,
    extract::{Api, ApiPath, ApiQuery, ApiResult},
    paging::{Page, Paging},
    problem::Refusals,
};

/// A project as it was called then.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConsentProjectView {
    /// `prj_…`
    #[schema(value_type = String)]
    pub id: ProjectId,
    /// Its name.
    pub name: String,
}

/// The contract that was consented to.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConsentContractView {
    /// `ctr_…`
    #[schema(value_type = String)]
    pub id: ContractId,
    /// 1, 2, 3, …
    pub version: i64,
    /// SHA-256 of its words, in hexadecimal digits.
    pub text_sha256: String,
}

/// The plan that was consented to.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConsentPlanView {
    /// `pln_…`
    #[schema(value_type = String)]
    pub id: PlanId,
    /// Its prices.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub prices: PlanInput,
}

/// A consent.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConsentView {
    /// `con_…`
    #[schema(value_type = String)]
    pub id: ConsentId,
    /// `subscribed`, `accepted` (another contract) or `plan_changed`.
    #[schema(value_type = String)]
    pub kind: ConsentKind,
    /// Who did it, or asked for it.
    pub accepted_by: UserRef,
    /// Who approved it, where it had to be asked for.
    pub approved_by: Option<UserRef>,
    /// From when on it holds.
    #[schema(value_type = String, format = DateTime)]
    pub at: Ts,
    /// The contract.
    pub contract: ConsentContractView,
    /// What the service may do.
    #[schema(value_type = Vec<String>)]
    pub permissions: Vec<DataPermission>,
    /// The plan with its prices.
    pub plan: ConsentPlanView,
    /// The projects it was given for.
    pub projects: Vec<ConsentProjectView>,
    /// The request that was approved, `req_…`.
    #[schema(value_type = Option<String>)]
    pub request: Option<RequestId>,
    /// The words of the contract, exactly as they were hashed; left out of lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub text: Option<String>,
}

impl ConsentView {
    /// A consent, with the words of its contract where they are shown.
    pub fn new(details: ConsentDetails, text: Option<String>) -> Self {
        let ConsentDetails { consent, accepted_by, approved_by } = details;
        Self {
            id: consent.id,
            kind: consent.kind,
            accepted_by: accepted_by.into(),
            approved_by: approved_by.map(UserRef::from),
            at: consent.at,
            contract: ConsentContractView { id: consent.contract, version: consent.version, text_sha256: digits(&consent.text_hash) },
            permissions: consent.permissions,
            plan: ConsentPlanView { id: consent.plan, prices: consent.prices.into() },
            projects: consent.projects.into_iter().map(|(id, name)| ConsentProjectView { id, name }).collect(),
            request: consent.request,
            text,
        }
    }
}

/// The consents of a subscription, oldest first. Of what was agreed before evidence was kept there is none.
#[utoipa::path(get, path = "/api/v1/organizations/{org}/subscriptions/{subscription}/consents", tag = "subscriptions", params(("org" = String, Path, description = "Handle or id"), ("subscription" = String, Path, description = "sub_…"), Paging), responses((status = 200, description = "A page", body = Page<ConsentView>), Refusals))]
pub async fn list(api: Api, ApiPath((org, id)): ApiPath<(String, SubscriptionId)>, ApiQuery(paging): ApiQuery<Paging>) -> ApiResult {
    let (limit, after) = (paging.limit()?, paging.cursor()?);
    let mut conn = api.read().await?;
    let page = consents::list(&mut conn, &api.caller, &Key::read(&org), id, after, limit + 1).await?;
    Ok(Json(Page::cut(page, limit, |one: &ConsentDetails| one.consent.id, |one| ConsentView::new(one, None))).into_response())
}

/// One consent, with the words of the contract exactly as they were hashed.
#[utoipa::path(get, path = "/api/v1/organizations/{org}/subscriptions/{subscription}/consents/{consent}", tag = "subscriptions", params(("org" = String, Path, description = "Handle or id"), ("subscription" = String, Path, description = "sub_…"), ("consent" = String, Path, description = "con_…")), responses((status = 200, description = "The consent", body = ConsentView), Refusals))]
pub async fn get(api: Api, ApiPath((org, subscription, id)): ApiPath<(String, SubscriptionId, ConsentId)>) -> ApiResult {
    let mut conn = api.read().await?;
    let (details, text) = consents::get(&mut conn, &api.caller, &Key::read(&org), subscription, id).await?;
    Ok(Json(ConsentView::new(details, Some(text))).into_response())
}
