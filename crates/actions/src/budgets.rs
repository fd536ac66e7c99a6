//! Budgets: setting what a subscription may cost in a month, and holding it up when that is used up.

use std::collections::BTreeMap;

use serde_json::json;
use stoa_domain::{
    amounts::Cost,
    budgets::{Budget, check_amount},
    events::EventKind,
    groupings::{CostWord, Grouping},
    ids::{OrganizationId, SubscriptionId},
    organizations::Key,
    periods::Period,
    permissions::{Permission, Verdict, verdict},
    subscriptions::Subscription,
    suspensions::Cause,
    text::Faults,
    time::Ts,
};
use stoa_store::{Conn, budgets, organizations, subscriptions as kept, suspensions};

use crate::{
    Act, Caller, Error, Result, Stoa,
    costs::{self, too_large},
    seats::{self, Seat},
    subscriptions::{self, concerned, in_force},
};

/// What is refused to a subscription that is not in force.
const VERB: &str = "given a budget";

/// A budget with what the month came to so far.
#[derive(Debug, Clone)]
pub struct BudgetDetails {
    /// The budget.
    pub budget: Budget,
    /// What the calendar month (UTC) came to so far, in the currency of the budget.
    pub spent: Cost,
}

impl BudgetDetails {
    /// Whether the month has used it up.
    ///
    /// # Errors
    /// `amount_too_large` (422).
    pub fn is_used_up(&self) -> Result<bool> {
        self.budget.is_used_up(self.spent).map_err(too_large)
    }
}

/// The budget of a subscription, if it has one.
///
/// # Errors
/// 401, 404; `amount_too_large` (422).
pub async fn get(conn: &mut Conn, caller: &Caller, org: &Key<OrganizationId>, id: SubscriptionId) -> Result<(Seat, Option<BudgetDetails>)> {
    let seat = seats::allowed(conn, caller, org, Permission::View).await?;
    let found = kept::find(conn, seat.organization.id, id).await?.ok_or(Error::NotFound("subscription"))?;
    let details = of_one(conn, &found, caller.now).await?;
    Ok((seat, details))
}

/// The budget of a subscription that was let see, with what the month came to so far.
///
/// # Errors
/// Those of the database; `amount_too_large` (422).
pub async fn of_one(conn: &mut Conn, subscription: &Subscription, now: Ts) -> Result<Option<BudgetDetails>> {
    let budget = budgets::find(conn, subscription.organization, subscription.id).await?;
    Ok(with_spent(conn, budget.into_iter().collect(), now).await?.pop())
}

/// Budgets of subscriptions of one organization, with what the month came to so far.
async fn with_spent(conn: &mut Conn, of: Vec<Budget>, now: Ts) -> Result<Vec<BudgetDetails>> {
    let Some(first) = of.first() else { return Ok(Vec::new()) };
    let ids: Vec<_> = of.iter().map(|one| one.subscription).collect();
    let part = costs::Part { subscriptions: Some(&ids), projects: None };
    let costs = costs::of_part(conn, first.organization, part, now, Period::month_of(now.day())).await?;
    let rows = costs.summary(&Grouping::by(&[CostWord::Subscription]))?.rows;
    let spent: BTreeMap<_, _> = rows.into_iter().map(|row| ((row.key.subscription, row.key.currency), row.cost)).collect();
    let details = |budget: Budget| {
        let spent = spent.get(&(Some(budget.subscription), budget.amount.currency())).copied().unwrap_or_default();
        BudgetDetails { budget, spent }
    };
    Ok(of.into_iter().map(details).collect())
}

/// Sets what a calendar month (UTC) of a subscription may cost. Allowing less takes what pausing takes; allowing more than the
/// budget of before takes what adding projects takes. Where the month has used it up, the subscription is held up at once, and
/// goes on at once where it has not any more.
///
/// # Errors
/// 401, 404, 403, 422; `wrong_state`, `replaced` (409).
pub async fn set(act: &mut Act, org: &Key<OrganizationId>, id: SubscriptionId, amount: &str) -> Result<Option<BudgetDetails>> {
    let (seat, subscription) = subscriptions::locked_for_allowed(act, org, id, Permission::ReduceSubscription).await?;
    in_force(&subscription, act.now(), VERB)?;
    let concerned = concerned(&mut act.tx, &subscription).await?;
    let mut faults = Faults::new();
    let amount = faults.check("/amount", check_amount(amount, concerned.offer.prices.currency));
    let amount = faults.or(amount)?;
    let new =
        Budget { organization: subscription.organization, subscription: id, amount, set_by: act.caller.user_id()?, set_at: act.now() };
    let before = budgets::find(&mut act.tx, subscription.organization, id).await?;
    if before.as_ref().is_some_and(|before| new.allows_more_than(before)) {
        allows_more(&seat)?;
    }
    budgets::set(&mut act.tx, &new).await?;
    let data = json!({"amount": new.amount, "was": before.map(|before| before.amount)});
    concerned.record(act, EventKind::SubscriptionBudgetSet, concerned.data(data));
    let now = act.now();
    let details = with_spent(&mut act.tx, vec![new], now).await?.pop();
    // What goes on from today on costs something today.
    let changed = settle(act, subscription.clone(), details.as_ref()).await?;
    if changed { of_one(&mut act.tx, &subscription, now).await } else { Ok(details) }
}

/// Removes the budget of a subscription, which goes on at once where only that held it up.
///
/// # Errors
/// 401, 404, 403; `wrong_state`, `replaced` (409).
pub async fn remove(act: &mut Act, org: &Key<OrganizationId>, id: SubscriptionId) -> Result<()> {
    let (seat, subscription) = subscriptions::locked_for_allowed(act, org, id, Permission::ReduceSubscription).await?;
    in_force(&subscription, act.now(), VERB)?;
    allows_more(&seat)?;
    let Some(before) = budgets::find(&mut act.tx, subscription.organization, id).await? else { return Ok(()) };
    budgets::remove(&mut act.tx, subscription.organization, id).await?;
    let concerned = concerned(&mut act.tx, &subscription).await?;
    concerned.record(act, EventKind::SubscriptionBudgetRemoved, concerned.data(json!({"was": before.amount})));
    settle(act, subscription, None).await.map(drop)
}

fn allows_more(seat: &Seat) -> Result<()> {
    if verdict(seat.role, Permission::AddProjects) == Verdict::Allowed {
        Ok(())
    } else {
        Err(seats::refusal(seat, Permission::AddProjects))
    }
}

/// Holds a subscription up where its budget is used up, and lets it go on where it is not; answers whether that changed anything.
/// It was read under the locks of both organizations.
async fn settle(act: &mut Act, subscription: Subscription, budget: Option<&BudgetDetails>) -> Result<bool> {
    let used_up = budget.map_or(Ok(false), BudgetDetails::is_used_up)?;
    let open = suspensions::open(&mut act.tx, subscription.organization, subscription.id).await?;
    let held = open.iter().any(|one| one.cause == Cause::Budget);
    let alias = open.iter().any(|one| one.cause == Cause::LevelChange);
    match (used_up, held) {
        (true, false) if !alias => {
            let amount = budget.map(|of| of.budget.amount.exact()).unwrap_or_default();
            subscriptions::hold(act, subscription, Cause::Budget, format!("{amount} a month are used up")).await?;
        }
        (false, true) => {
            subscriptions::lift(act, subscription, Cause::Budget).await?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// How many budgets a round reads at a time.
const PAGE: i64 = 500;

/// One round: holds up what has used up its budget, and lets go on what has not any more, such as in a new month. Any number of
/// nodes may do so at once: each subscription is looked at again under the locks of both organizations. Answers how many
/// changed.
///
/// # Errors
/// Those of the database; the next round does what was left.
pub async fn tick(stoa: &Stoa, now: Ts) -> Result<u64> {
    let mut changed = 0;
    let mut after = None;
    loop {
        let mut conn = stoa.db.read().await?;
        let page = budgets::list_in_force(&mut conn, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(changed) };
        after = Some((last.organization, last.subscription));
        let mut due = Vec::new();
        for of_one in page.chunk_by(|a, b| a.organization == b.organization) {
            let ids: Vec<_> = of_one.iter().map(|one| (one.organization, one.subscription)).collect();
            let held = suspensions::open_of(&mut conn, &ids).await?;
            for details in with_spent(&mut conn, of_one.to_vec(), now).await? {
                let (organization, id) = (details.budget.organization, details.budget.subscription);
                let held_by = |cause| held.iter().any(|one| one.subscription == id && one.cause == cause);
                let is = held_by(Cause::Budget);
                if (is || !held_by(Cause::LevelChange)) && details.is_used_up()? != is {
                    due.push((organization, id));
                }
            }
        }
        drop(conn);
        for (organization, id) in due {
            changed += u64::from(look_again(stoa, organization, id, now).await?);
        }
    }
}

async fn look_again(stoa: &Stoa, organization: OrganizationId, id: SubscriptionId, now: Ts) -> Result<bool> {
    let mut act = Act::begin(stoa, Caller::system(now)).await?;
    let Some(found) = kept::find(&mut act.tx, organization, id).await? else { return Ok(false) };
    organizations::lock(&mut act.tx, &[organization, found.provider]).await?;
    let Some(found) = kept::find(&mut act.tx, organization, id).await? else { return Ok(false) };
    let details = of_one(&mut act.tx, &found, now).await?;
    if in_force(&found, now, VERB).is_err() || details.is_none() {
        return Ok(false);
    }
    let changed = settle(&mut act, found, details.as_ref()).await?;
    act.commit().await?;
    Ok(changed)
}
