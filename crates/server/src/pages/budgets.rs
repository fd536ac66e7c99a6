//! The budget of a subscription, on its tab of usage.

use axum::response::IntoResponse;
use serde::Deserialize;
use stoa_actions::{
    budgets::{self, BudgetDetails},
    seats::Seat,
    subscriptions,
};
use stoa_domain::{
    ids::SubscriptionId,
    organizations::Key,
    permissions::{Permission, Role},
};
use stoa_store::Conn;

use super::{
    Field, Flash,
    costs::usage_tab,
    form::{FormErrors, PageForm},
    page::{Page, PageResult, may},
    subscriptions::{SubscriptionTab, whole},
};
use crate::extract::ApiPath;

/// The budget as the tab shows it.
#[derive(Debug, Clone, Default)]
pub struct BudgetCard {
    /// What it is and how far it is used up, in a sentence.
    pub text: String,
    /// Whether it holds the subscription up.
    pub used_up: bool,
    /// The amount.
    pub amount: Field,
    /// The currency of the plan.
    pub currency: String,
    /// Whether I may set it.
    pub can_set: bool,
    /// Whether I may remove it; then there is one.
    pub can_remove: bool,
    /// What I may not do and who could; may be empty.
    pub note: String,
    /// Errors of the form as a whole.
    pub errors: Vec<String>,
}

impl BudgetCard {
    /// What the field is for.
    #[must_use]
    pub fn label(&self) -> String {
        format!("At most, in {}", self.currency)
    }
}

/// The card for a subscription that was let see.
pub(super) async fn card(page: &Page, conn: &mut Conn, seat: &Seat, details: &subscriptions::Details) -> PageResult<BudgetCard> {
    let found = budgets::of_one(conn, &details.subscription, page.caller.now).await?;
    let state = details.state_at(page.caller.now);
    let open = state.in_force() && !details.is_alias();
    let raises = may(seat, Permission::AddProjects);
    let (text, used_up) = match &found {
        None => ("It may cost whatever it comes to.".to_owned(), false),
        Some(details @ BudgetDetails { budget, spent }) => {
            let used_up = details.is_used_up()?;
            let spent = spent.shown(budget.amount.currency());
            let then = if used_up { "It is used up: nothing is open to the service until it is raised or the month is over." } else { "" };
            (format!("{} of {} this month. {then}", spent, budget.amount.exact()).trim_end().to_owned(), used_up)
        }
    };
    let sets = may(seat, Permission::ReduceSubscription);
    let who = |permission: Permission| permission.allowed_roles().into_iter().map(Role::with_article).collect::<Vec<_>>().join(" or ");
    let note = match &found {
        _ if !open || raises => String::new(),
        Some(_) => format!("Only {} raises or removes it.", who(Permission::AddProjects)),
        None if sets => format!("Once there is one, only {} raises or removes it.", who(Permission::AddProjects)),
        None => format!("Only {} sets one.", who(Permission::ReduceSubscription)),
    };
    Ok(BudgetCard {
        text,
        used_up,
        amount: Field::new(found.as_ref().map(|one| one.budget.amount.amount().to_string()).unwrap_or_default()),
        currency: details.concerned.offer.prices.currency.code().to_owned(),
        can_set: open && sets,
        can_remove: open && raises && found.is_some(),
        note,
        errors: Vec::new(),
    })
}

/// The amount as it was sent.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct BudgetForm {
    /// The amount.
    pub amount: String,
}

async fn again(page: &Page, org: &str, id: SubscriptionId, amount: &str, error: stoa_actions::Error) -> PageResult {
    let mut errors = FormErrors::of(error)?;
    let status = errors.status;
    let mut conn = page.read().await?;
    let (seat, details) = subscriptions::get(&mut conn, &page.caller, &Key::read(org), id).await?;
    let mut tab = usage_tab(&mut conn, &details.subscription, page.caller.now, None).await?;
    tab.budget = card(page, &mut conn, &seat, &details).await?;
    tab.budget.amount = errors.field("/amount", amount);
    tab.budget.errors = errors.rest();
    Ok(FormErrors::again(status, whole(page, &mut conn, &seat, &details, SubscriptionTab::Usage(tab)).await?.into_response()))
}

/// `POST /organizations/{org}/subscriptions/{subscription}/budget`.
pub async fn set(page: Page, ApiPath((org, id)): ApiPath<(String, SubscriptionId)>, PageForm(form): PageForm<BudgetForm>) -> PageResult {
    let mut act = page.begin().await?;
    match budgets::set(&mut act, &Key::read(&org), id, &form.amount).await {
        Ok(_) => page.done(act, format!("/organizations/{org}/subscriptions/{id}/usage"), Flash::ok("The budget is set.")).await,
        Err(error) => {
            drop(act);
            again(&page, &org, id, &form.amount, error).await
        }
    }
}

/// `POST /organizations/{org}/subscriptions/{subscription}/budget/remove`.
pub async fn remove(page: Page, ApiPath((org, id)): ApiPath<(String, SubscriptionId)>) -> PageResult {
    let mut act = page.begin().await?;
    match budgets::remove(&mut act, &Key::read(&org), id).await {
        Ok(()) => page.done(act, format!("/organizations/{org}/subscriptions/{id}/usage"), Flash::ok("The budget is removed.")).await,
        Err(error) => {
            drop(act);
            again(&page, &org, id, "", error).await
        }
    }
}
