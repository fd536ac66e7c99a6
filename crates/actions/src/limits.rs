//! Counting attempts, in the database, so that all nodes count together.

use std::collections::BTreeMap;

use stoa_domain::{
    ids::OrganizationId,
    limits::{Attempt, KeyHash, Letter, Letters, Limit, TooMany},
    time::Ts,
};
use stoa_store::{Tx, limits};

use crate::{Act, Error, Result, Stoa};

/// Counts an attempt before it is made, in a transaction of its own: it counts whatever becomes of it.
///
/// # Errors
/// [`Error::TooMany`] when the account, the network or the installation has used up its allowance; that does not count.
pub async fn take(stoa: &Stoa, attempt: Attempt<'_>, now: Ts) -> Result<()> {
    let keys = attempt.keys().map(|(key, limit)| (key, limit, 1));
    let mut tx = stoa.db.begin().await?;
    take_all(&mut tx, &keys, now).await?;
    Ok(tx.commit().await?)
}

/// Counts mails to others in the transaction that sends them: what comes to nothing does not count.
///
/// # Errors
/// [`Error::TooMany`] when the account, the organization, an address or the installation has used up its allowance.
pub(crate) async fn take_letters(act: &mut Act, letter: Letter, organization: OrganizationId, to: &[String]) -> Result<()> {
    if to.is_empty() {
        return Ok(());
    }
    let (account, now) = (act.caller.user_id()?, act.now());
    take_all(&mut act.tx, &Letters { letter, account, organization, to }.keys(), now).await
}

async fn take_all(tx: &mut Tx, keys: &[(KeyHash, Limit, u32)], now: Ts) -> Result<()> {
    let names: Vec<KeyHash> = keys.iter().map(|(key, ..)| *key).collect();
    let known: BTreeMap<KeyHash, Ts> = limits::lock(tx, &names).await?.into_iter().collect();
    let mut after: Vec<(KeyHash, Ts)> = Vec::with_capacity(keys.len());
    let mut longest: Option<TooMany> = None;
    for (key, limit, many) in keys {
        let spent = known.get(key).copied().unwrap_or(Ts::from_micros(0));
        match limit.take_many(spent, now, *many) {
            Ok(until) => after.push((*key, until)),
            Err(wait) => longest = Some(longest.map_or(wait, |other| TooMany(other.0.max(wait.0)))),
        }
    }
    if let Some(wait) = longest {
        return Err(Error::TooMany(wait));
    }
    Ok(limits::set(tx, &sorted(after)).await?)
}

/// Takes an attempt back that was no guess: what the account used is regained at once, network and installation get
/// theirs back.
///
/// # Errors
/// Those of the database.
pub async fn give_back(stoa: &Stoa, attempt: Attempt<'_>) -> Result<()> {
    let keys = attempt.keys();
    let mut tx = stoa.db.begin().await?;
    let known = limits::lock(&mut tx, &keys.map(|(key, _)| key)).await?;
    let [account, network, total] = keys;
    let after = vec![
        (account.0, Ts::from_micros(0)),
        (network.0, network.1.give_back(spent(&known, network.0))),
        (total.0, total.1.give_back(spent(&known, total.0))),
    ];
    limits::set(&mut tx, &sorted(after)).await?;
    Ok(tx.commit().await?)
}

fn spent(known: &[(KeyHash, Ts)], key: KeyHash) -> Ts {
    known.iter().find(|(one, _)| *one == key).map_or(Ts::from_micros(0), |(_, until)| *until)
}

/// In the order in which all rows are locked.
fn sorted(mut keys: Vec<(KeyHash, Ts)>) -> Vec<(KeyHash, Ts)> {
    keys.sort_unstable_by_key(|(key, _)| *key);
    keys
}
