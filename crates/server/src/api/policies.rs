//! What an organization wants to be approved, beyond what the roles ask for.

use axum::{Json, http::StatusCode, response::IntoResponse};
use serde::{Deserialize, Serialize};
use stoa_actions::policies;
use stoa_domain::{
    money::Money,
    organizations::Key,
    permissions::Role,
    policies::{AmountInput, Policy, PolicyInput, Rule, RuleInput},
    requests::RequestKind,
    services::DataPermission,
};
use utoipa::ToSchema;

use crate::{
    api::services::MoneyDocument,
    extract::{Api, ApiJson, ApiPath, ApiResult, answer},
    problem::Refusals,
};

/// A policy.
#[derive(Debug, Serialize, ToSchema)]
pub struct PolicyView {
    /// For how many days a request waits before it expires.
    pub request_days: u16,
    /// The rules, in order; the first that fits is named.
    pub rules: Vec<RuleView>,
}

/// When another person has to approve: when all conditions hold.
#[derive(Debug, Serialize, ToSchema)]
pub struct RuleView {
    /// What it is called.
    pub name: String,
    /// The rule in words.
    pub words: String,
    /// The roles it concerns; empty for all.
    #[schema(value_type = Vec<String>)]
    pub roles: Vec<Role>,
    /// `subscribe`, `add_projects`, `publish`; empty for all of them.
    #[schema(value_type = Vec<String>)]
    pub kinds: Vec<RequestKind>,
    /// From which fees a month on, one amount for each currency; empty for any. Fees in a currency that is not named can't be
    /// compared, so they need an approval too.
    #[schema(value_type = Vec<MoneyDocument>)]
    pub monthly_from: Vec<Money>,
    /// Any of these permissions; empty for any or none.
    #[schema(value_type = Vec<String>)]
    pub permissions: Vec<DataPermission>,
}

impl From<Policy> for PolicyView {
    fn from(policy: Policy) -> Self {
        Self { request_days: policy.request_days, rules: policy.rules.into_iter().map(RuleView::from).collect() }
    }
}

impl From<Rule> for RuleView {
    fn from(rule: Rule) -> Self {
        Self {
            words: rule.words(),
            name: rule.name,
            roles: Vec::from_iter(rule.roles),
            kinds: Vec::from_iter(rule.kinds),
            monthly_from: rule.monthly_from,
            permissions: Vec::from_iter(rule.permissions),
        }
    }
}

/// A policy to set; it takes the place of the one before.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyBody {
    /// For how many days a request waits before it expires, 1 to 365; 30 when absent.
    pub request_days: Option<i64>,
    /// The rules; none when absent.
    #[serde(default)]
    pub rules: Vec<RuleBody>,
}

/// A rule to set.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct RuleBody {
    /// What it is called; requesters and approvers read it.
    #[serde(default)]
    pub name: String,
    /// The roles it concerns; all when empty.
    #[serde(default)]
    pub roles: Vec<String>,
    /// `subscribe`, `add_projects`, `publish`; all when empty.
    #[serde(default)]
    pub kinds: Vec<String>,
    /// From which fees a month on.
    #[serde(default)]
    pub monthly_from: Vec<AmountBody>,
    /// Any of these permissions.
    #[serde(default)]
    pub permissions: Vec<String>,
}

/// An amount of money.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct AmountBody {
    /// A decimal, such as `"500"`.
    #[serde(default)]
    pub amount: String,
    /// The code of its currency (ISO 4217).
    #[serde(default)]
    pub currency: String,
}

impl From<PolicyBody> for PolicyInput {
    fn from(body: PolicyBody) -> Self {
        let amount = |one: AmountBody| AmountInput { amount: one.amount, currency: one.currency };
        let rule = |one: RuleBody| RuleInput {
            name: one.name,
            roles: one.roles,
            kinds: one.kinds,
            monthly_from: one.monthly_from.into_iter().map(amount).collect(),
            permissions: one.permissions,
        };
        Self { request_days: body.request_days, rules: body.rules.into_iter().map(rule).collect() }
    }
}

/// What the organization wants to be approved, and for how long its requests wait.
#[utoipa::path(get, path = "/api/v1/organizations/{org}/policy", tag = "policies", params(("org" = String, Path, description = "Handle or id")), responses((status = 200, description = "The policy", body = PolicyView), Refusals))]
pub async fn get(api: Api, ApiPath(org): ApiPath<String>) -> ApiResult {
    let mut conn = api.read().await?;
    let (_, policy) = policies::get(&mut conn, &api.caller, &Key::read(&org)).await?;
    Ok(Json(PolicyView::from(policy)).into_response())
}

/// Sets what the organization wants to be approved, beyond what the roles ask for. It counts for what is asked for or approved
/// from then on.
#[utoipa::path(put, path = "/api/v1/organizations/{org}/policy", tag = "policies", params(("org" = String, Path, description = "Handle or id")), request_body = PolicyBody, responses((status = 200, description = "The policy", body = PolicyView), Refusals))]
pub async fn set(api: Api, ApiPath(org): ApiPath<String>, ApiJson(body): ApiJson<PolicyBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let policy = policies::set(&mut act, &Key::read(&org), &body.into()).await?;
    answer(act, StatusCode::OK, &PolicyView::from(policy)).await
}
