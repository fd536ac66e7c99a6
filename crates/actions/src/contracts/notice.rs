//! What happens by itself: contracts reach the subscriptions that are left, subscribers are reminded before the announced
//! day, and on it the subscriptions end whose subscribers did not accept.

use serde_json::json;
use stoa_domain::{
    events::EventKind,
    offers::{ContractOffer, REMINDER},
    services::Contract,
    subscriptions::Subscription,
    time::Ts,
};
use stoa_store::{offers, organizations, services, subscriptions as kept};

use super::rollout;
use crate::{Act, Caller, Error, Result, Stoa, subscriptions};

/// How many of each one round looks at; the next round goes on.
const MOST: i64 = 500;
/// How many batches of a contract's way to its subscriptions one round does.
const MOST_BATCHES: usize = 20;

/// What a round came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Round {
    /// Subscriptions that a new contract reached.
    pub reached: u64,
    /// Subscribers who were reminded.
    pub reminded: u64,
    /// Subscriptions that ended.
    pub ended: u64,
}

/// One round. Any number of nodes may do so at once: each step looks again under the locks of those concerned.
///
/// # Errors
/// Those of the database; the next round does what was left.
pub async fn tick(stoa: &Stoa, now: Ts) -> Result<Round> {
    let mut round = Round::default();
    for _ in 0..MOST_BATCHES {
        match rollout::go_on(stoa, now).await? {
            Some(reached) => round.reached += u64::try_from(reached).unwrap_or(0),
            None => break,
        }
    }
    let mut conn = stoa.db.read().await?;
    let lapsed = offers::due(&mut conn, now, MOST).await?;
    let unreminded = offers::unreminded(&mut conn, now.plus(REMINDER), MOST).await?;
    drop(conn);
    for offer in lapsed {
        round.ended += u64::from(lapse(stoa, &offer, now).await?);
    }
    for offer in unreminded {
        round.reminded += u64::from(remind(stoa, &offer, now).await?);
    }
    Ok(round)
}

/// The offer and its subscription under the locks of both organizations, if it still waits.
async fn locked(act: &mut Act, of: &ContractOffer) -> Result<Option<(ContractOffer, Subscription)>> {
    organizations::lock(&mut act.tx, &[of.organization, of.provider]).await?;
    let waiting = offers::waiting(&mut act.tx, of.organization, of.subscription).await?;
    let same = |offer: &ContractOffer| offer.contract == of.contract && offer.provider == of.provider;
    let Some(offer) = waiting.filter(same) else { return Ok(None) };
    let subscription = kept::find(&mut act.tx, of.organization, of.subscription).await?;
    Ok(subscription.map(|subscription| (offer, subscription)))
}

/// Ends a subscription whose subscriber did not accept a contract until its day.
async fn lapse(stoa: &Stoa, of: &ContractOffer, now: Ts) -> Result<bool> {
    let mut act = Act::begin(stoa, Caller::system(now)).await?;
    let Some((mut offer, subscription)) = locked(&mut act, of).await? else { return Ok(false) };
    if offer.until.is_none_or(|until| until > now) {
        return Ok(false);
    }
    offer.state = offer.state.lapse()?;
    offers::set_state(&mut act.tx, &offer).await?;
    let live = subscription.state.is_live();
    if live {
        let contract = services::find_contract(&mut act.tx, offer.provider, offer.contract).await?.ok_or(Error::NotFound("contract"))?;
        let why = json!({"cause": "contract_not_accepted", "contract": {"id": contract.id, "version": contract.version}});
        subscriptions::lapse(&mut act, subscription, why).await?;
    }
    act.commit().await?;
    Ok(live)
}

/// From which level to which a contract leads, if to another one, and whether this subscription speaks for all others of its
/// organization.
async fn change_of_level(act: &mut Act, held: &kept::Offer, contract: &Contract, offer: &ContractOffer) -> Result<serde_json::Value> {
    if held.level == contract.level {
        return Ok(serde_json::Value::Null);
    }
    let waiting = offers::waiting_in(&mut act.tx, offer.organization, offer.service).await?;
    let first = waiting.iter().find(|one| one.contract == offer.contract).is_none_or(|one| one.subscription == offer.subscription);
    Ok(json!({"from": held.level, "to": contract.level, "first": first}))
}

/// Reminds a subscriber of a contract whose day comes near.
async fn remind(stoa: &Stoa, of: &ContractOffer, now: Ts) -> Result<bool> {
    let mut act = Act::begin(stoa, Caller::system(now)).await?;
    let Some((offer, subscription)) = locked(&mut act, of).await? else { return Ok(false) };
    let live = subscription.state.is_live();
    if !live || !offers::set_reminded(&mut act.tx, &offer, now).await? {
        return Ok(false);
    }
    let concerned = subscriptions::concerned(&mut act.tx, &subscription).await?;
    let contract = services::find_contract(&mut act.tx, offer.provider, offer.contract).await?.ok_or(Error::NotFound("contract"))?;
    let data = concerned.data(json!({
        "contract": {"id": contract.id, "version": contract.version},
        "keeps": {"id": concerned.offer.contract, "version": concerned.offer.version},
        "until": offer.until, "refused": offer.decided_by.is_some(),
        "change_of_level": change_of_level(&mut act, &concerned.offer, &contract, &offer).await?,
    }));
    let subject = stoa_domain::events::Subject::new("subscription", subscription.id);
    act.record(&[subscription.organization], EventKind::SubscriptionContractReminded, subject, data);
    act.commit().await?;
    Ok(true)
}
