//! Budgets of subscriptions.

use axum::{Json, http::StatusCode, response::IntoResponse};
use serde::{Deserialize, Serialize};
use stoa_actions::budgets::{self, BudgetDetails};
use stoa_domain::{
    ids::{SubscriptionId, UserId},
    money::Money,
    organizations::Key,
    time::Ts,
};
use utoipa::ToSchema;

use crate::{
    api::costs::AmountView,
    extract::{Api, ApiJson, ApiPath, ApiResult, answer, done},
    problem::Refusals,
};

/// A budget to set.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct BudgetBody {
    /// What a calendar month (UTC) may cost, as a decimal in the currency of the plan.
    #[serde(default)]
    pub amount: String,
}

/// What a subscription may cost in a calendar month (UTC).
#[derive(Debug, Serialize, ToSchema)]
pub struct BudgetView {
    /// The amount.
    #[schema(value_type = AmountView)]
    pub amount: Money,
    /// What the month came to so far.
    pub spent: AmountView,
    /// Whether that holds the subscription up.
    pub used_up: bool,
    /// Who set it, `usr_…`.
    #[schema(value_type = String)]
    pub set_by: UserId,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub set_at: Ts,
}

impl BudgetView {
    fn of(details: BudgetDetails) -> Result<Self, stoa_actions::Error> {
        let used_up = details.is_used_up()?;
        let BudgetDetails { budget, spent } = details;
        Ok(Self {
            used_up,
            amount: budget.amount,
            spent: AmountView { amount: spent, currency: budget.amount.currency() },
            set_by: budget.set_by,
            set_at: budget.set_at,
        })
    }
}

/// The budget of a subscription; `null` when it has none.
#[utoipa::path(get, path = "/api/v1/organizations/{org}/subscriptions/{subscription}/budget", tag = "subscriptions", params(("org" = String, Path, description = "Handle or id"), ("subscription" = String, Path, description = "sub_…")), responses((status = 200, description = "The budget", body = Option<BudgetView>), Refusals))]
pub async fn get(api: Api, ApiPath((org, id)): ApiPath<(String, SubscriptionId)>) -> ApiResult {
    let mut conn = api.read().await?;
    let (_, details) = budgets::get(&mut conn, &api.caller, &Key::read(&org), id).await?;
    Ok(Json(details.map(BudgetView::of).transpose()?).into_response())
}

/// Sets what a calendar month of a subscription may cost. When the month has come to it, nothing is open to the service and no fee
/// accrues until the budget is raised or the month is over.
#[utoipa::path(put, path = "/api/v1/organizations/{org}/subscriptions/{subscription}/budget", tag = "subscriptions", params(("org" = String, Path, description = "Handle or id"), ("subscription" = String, Path, description = "sub_…")), request_body = BudgetBody, responses((status = 200, description = "The budget", body = Option<BudgetView>), Refusals))]
pub async fn set(api: Api, ApiPath((org, id)): ApiPath<(String, SubscriptionId)>, ApiJson(body): ApiJson<BudgetBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let details = budgets::set(&mut act, &Key::read(&org), id, &body.amount).await?;
    answer(act, StatusCode::OK, &details.map(BudgetView::of).transpose()?).await
}

/// Removes the budget of a subscription.
#[utoipa::path(delete, path = "/api/v1/organizations/{org}/subscriptions/{subscription}/budget", tag = "subscriptions", params(("org" = String, Path, description = "Handle or id"), ("subscription" = String, Path, description = "sub_…")), responses((status = 204, description = "It has none any more"), Refusals))]
pub async fn remove(api: Api, ApiPath((org, id)): ApiPath<(String, SubscriptionId)>) -> ApiResult {
    let mut act = api.begin().await?;
    budgets::remove(&mut act, &Key::read(&org), id).await?;
    done(act).await
}
