//! What becomes of budgets with a change of level, so that no limit goes without a word.

use std::collections::{BTreeMap, BTreeSet};

use stoa_domain::{
    budgets::{Budget, CarriedBudget},
    ids::SubscriptionId,
    level_changes::{LevelChange, Part},
    money::{Currency, Money},
    services::Level,
};
use stoa_store::{budgets, services};

use crate::{Act, Error, Result};

/// What becomes of budgets, each with the subscription of before it is about; with the first of several that merge. `going`
/// tells for each subscription that goes along how many follow it.
pub(super) fn carried(
    level: Level,
    going: &BTreeMap<SubscriptionId, usize>,
    budgets: &BTreeMap<SubscriptionId, Money>,
    currency: Currency,
) -> BTreeMap<SubscriptionId, CarriedBudget> {
    match level {
        Level::Organization => {
            let all: Vec<_> = going.keys().map(|old| budgets.get(old).copied()).collect();
            going.keys().next().copied().zip(CarriedBudget::merged(&all, currency)).into_iter().collect()
        }
        Level::Project => {
            let of = |(old, among): (&SubscriptionId, &usize)| Some((*old, CarriedBudget::divided(*budgets.get(old)?, *among, currency)));
            going.iter().filter_map(of).collect()
        }
    }
}

/// How many subscriptions follow each of those of before.
pub(super) fn followed(parts: &[Part]) -> BTreeMap<SubscriptionId, usize> {
    let mut going: BTreeMap<SubscriptionId, BTreeSet<SubscriptionId>> = BTreeMap::new();
    for part in parts {
        going.entry(part.old).or_default().insert(part.new);
    }
    going.into_iter().map(|(old, news)| (old, news.len())).collect()
}

/// Gives what follows the budgets of what it follows. Answers what became of each, in words.
pub(super) async fn carry(act: &mut Act, change: &LevelChange, going: &[Part]) -> Result<Vec<String>> {
    let olds: BTreeSet<_> = going.iter().map(|part| part.old).collect();
    let before = budgets::of(&mut act.tx, change.organization, &Vec::from_iter(olds)).await?;
    let Some(last) = before.iter().max_by_key(|one| one.set_at) else { return Ok(Vec::new()) };
    let contract = services::find_contract(&mut act.tx, change.provider, change.contract).await?.ok_or(Error::NotFound("contract"))?;
    let plans = services::list_plans(&mut act.tx, change.provider, change.contract).await?;
    let news: BTreeSet<_> = going.iter().map(|part| part.new).collect();
    let follower = stoa_store::subscriptions::find_many(&mut act.tx, &Vec::from_iter(news.iter().copied().take(1))).await?;
    // All that follow have the same plan.
    let plan = follower.first().and_then(|one| plans.iter().find(|kept| kept.id == one.plan)).ok_or(Error::NotFound("plan"))?;
    let amounts = before.iter().map(|one| (one.subscription, one.amount)).collect();
    let carried = carried(contract.level, &followed(going), &amounts, plan.plan.currency);
    let now = act.now();
    let amount = |part: &Part| match contract.level {
        Level::Organization => carried.values().next().and_then(CarriedBudget::each),
        Level::Project => carried.get(&part.old).and_then(CarriedBudget::each),
    };
    let new: BTreeMap<_, _> = going.iter().filter_map(|part| Some((part.new, amount(part)?))).collect();
    let budget =
        |(subscription, amount)| Budget { organization: change.organization, subscription, amount, set_by: last.set_by, set_at: now };
    budgets::insert_many(&mut act.tx, &new.into_iter().map(budget).collect::<Vec<_>>()).await?;
    Ok(carried.values().map(CarriedBudget::words).collect())
}

/// The budgets that end with what followed, because something that it followed has none; in words. The others are as they were.
pub(super) async fn given_back(act: &mut Act, change: &LevelChange, back: &[Part]) -> Result<Vec<String>> {
    let both: BTreeSet<_> = back.iter().flat_map(|part| [part.old, part.new]).collect();
    let all = budgets::of(&mut act.tx, change.organization, &Vec::from_iter(both)).await?;
    let of = |id: SubscriptionId| all.iter().find(|one| one.subscription == id).map(|one| one.amount);
    let ending = back.iter().filter(|part| of(part.old).is_none()).filter_map(|part| Some((part.new, of(part.new)?)));
    let ending: BTreeMap<_, _> = ending.collect();
    let words = |of: Money| CarriedBudget::Lost { of: vec![of], why: "what it followed has none" }.words();
    Ok(ending.into_values().map(words).collect())
}
