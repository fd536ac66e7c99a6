//! Costs of an organization.

use axum::{Json, http::HeaderMap, response::IntoResponse};
use serde::{Deserialize, Serialize};
use stoa_actions::{
    Caller, Error,
    costs::{self, Costs},
};
use stoa_domain::{
    amounts::{Cost, Quantity},
    costs::Component,
    groupings::{CostRow, CostSummary, CostWord, Grouping, Month},
    ids::{OrganizationId, SubscriptionId},
    money::Currency,
    organizations::Key,
    periods::{MOST_DAYS, MOST_DAYS_TOGETHER, Period},
    time::Day,
};
use stoa_store::Conn;
use utoipa::{IntoParams, ToSchema};

use crate::{
    api::usage::{NamedView, check_rows, words},
    exports::{self, Format},
    extract::{Api, ApiPath, ApiQuery, ApiResult},
    problem::Refusals,
};

/// Which costs.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CostsQuery {
    /// The first day (`2026-03-01`), or an instant within it; the beginning of the current month when absent.
    pub from: Option<String>,
    /// The day after the last one, or an instant, up to which days are taken in; the end of the current month when absent.
    /// Fees accrue up to today.
    pub to: Option<String>,
    /// Some of `service`, `subscription`, `project`, `component`, `day`, `month`, separated by commas;
    /// `service,project,component` when absent. Rows are always apart by currency.
    pub group_by: Option<String>,
    /// `json`, `csv` or `focus` (FinOps FOCUS 1.0, one row a day, not grouped); by the `Accept` header when absent.
    pub format: Option<String>,
}

/// The costs of a period.
#[derive(Debug, Serialize, ToSchema)]
pub struct CostsView {
    /// The first day.
    #[schema(value_type = String, format = Date)]
    pub from: Day,
    /// The day after the last one.
    #[schema(value_type = String, format = Date)]
    pub to: Day,
    /// By what the rows are grouped.
    pub group_by: Vec<String>,
    /// The rows.
    pub items: Vec<CostItem>,
    /// The sum of all rows, where there is one currency; currencies are never added up.
    pub total: Option<AmountView>,
    /// The sum of all rows in each currency.
    pub totals: Vec<AmountView>,
}

/// An exact amount in a currency.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct AmountView {
    /// An exact decimal string, not rounded to cents.
    #[schema(value_type = String)]
    pub amount: Cost,
    /// The code of ISO 4217.
    #[schema(value_type = String)]
    pub currency: Currency,
}

/// One row of costs. What is not grouped by is left out.
#[derive(Debug, Serialize, ToSchema)]
pub struct CostItem {
    /// The service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<NamedView>,
    /// `sub_…`
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub subscription: Option<SubscriptionId>,
    /// The project; `null` for fees of the organization as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<NamedView>)]
    pub project: Option<Option<NamedView>>,
    /// `one_time`, `monthly`, `monthly_per_project`, or `meter:` and the meter's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub component: Option<Component>,
    /// The UTC day.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Date)]
    pub day: Option<Day>,
    /// The calendar month, `2026-03`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub month: Option<Month>,
    /// The quantity, where the row is of one meter.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub quantity: Option<Quantity>,
    /// An exact decimal string in the plan's currency.
    #[schema(value_type = String)]
    pub cost: Cost,
    /// The plan's currency.
    #[schema(value_type = String)]
    pub currency: Currency,
}

/// What an organization's subscriptions cost. Fees accrue for each UTC day on which a subscription is active, usage costs
/// what the plan says; nothing is rounded.
#[utoipa::path(get, path = "/api/v1/organizations/{org}/costs", tag = "costs", params(("org" = String, Path, description = "Handle or id"), CostsQuery), responses((status = 200, description = "The costs; with `Accept: text/csv` the same rows as CSV, with `format=focus` a FOCUS 1.0 file", content((CostsView = "application/json"), (String = "text/csv"))), Refusals))]
pub async fn list(api: Api, ApiPath(org): ApiPath<String>, ApiQuery(query): ApiQuery<CostsQuery>, headers: HeaderMap) -> ApiResult {
    let mut conn = api.read().await?;
    exported(&mut conn, &api.caller, &Key::read(&org), query, &headers).await
}

/// The costs in the form that is wanted; also for the pages, which offer the files to download.
pub(crate) async fn exported(
    conn: &mut Conn,
    caller: &Caller,
    org: &Key<OrganizationId>,
    query: CostsQuery,
    headers: &HeaderMap,
) -> ApiResult {
    let offered = [("json", Format::Json), ("csv", Format::Csv), ("focus", Format::Focus)];
    let format = Format::of(headers, query.format.as_deref(), &offered)?;
    let by = Grouping::<CostWord>::parse(query.group_by.as_deref().unwrap_or("service,project,component"));
    let by = by.map_err(|bad| Error::fault("/group_by", bad.to_string()))?;
    let daily = by.has(CostWord::Day) || format == Format::Focus;
    let most = if daily { MOST_DAYS } else { MOST_DAYS_TOGETHER };
    let period = Period::read(query.from.as_deref(), query.to.as_deref(), caller.now, most)?;
    let (seat, costs) = costs::of_organization(conn, caller, org, period).await?;
    let handle = &seat.organization.handle;
    if format == Format::Focus {
        return Ok(exports::download(exports::focus(&seat, &costs)?, "focus", handle, period));
    }
    let summary = costs.summary(&by)?;
    if format == Format::Csv {
        return Ok(exports::download(exports::costs(&costs, &summary, &by)?, "costs", handle, period));
    }
    check_rows(summary.rows.len())?;
    Ok(Json(view(&costs, &by, summary)).into_response())
}

/// A summary as the API shows it.
pub(crate) fn view(costs: &Costs, by: &Grouping<CostWord>, summary: CostSummary) -> CostsView {
    let items = summary.rows.into_iter().map(|row| item(costs, by, row)).collect();
    let totals: Vec<AmountView> = summary.totals.into_iter().map(|(currency, amount)| AmountView { amount, currency }).collect();
    let total = if let [total] = totals.as_slice() { Some(*total) } else { None };
    CostsView { from: costs.period.from, to: costs.period.to, group_by: words(&by.to_string()), items, total, totals }
}

fn item(costs: &Costs, by: &Grouping<CostWord>, row: CostRow) -> CostItem {
    let project = row.key.project.map(|id| NamedView::of(id, costs.names.projects.get(&id)));
    CostItem {
        service: row.key.service.map(|id| NamedView::of(id, costs.names.services.get(&id))),
        subscription: row.key.subscription,
        project: by.has(CostWord::Project).then_some(project),
        component: row.key.component,
        day: row.key.day,
        month: row.key.month,
        quantity: row.quantity,
        cost: row.cost,
        currency: row.key.currency,
    }
}
