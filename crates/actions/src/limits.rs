//! Counting attempts, in the database, so that all nodes count together.

use stoa_domain::{
    limits::{Attempt, KeyHash, TooMany},
    time::Ts,
};
use stoa_store::limits;

use crate::{Error, Result, Stoa};

/// Counts an attempt before it is made, in a transaction of its own: it counts whatever becomes of it.
///
/// # Errors
/// [`Error::TooMany`] when the account, the network or the installation has used up its allowance; that does not count.
pub async fn take(stoa: &Stoa, attempt: Attempt<'_>, now: Ts) -> Result<()> {
    let keys = attempt.keys();
    let mut tx = stoa.db.begin().await?;
    let known = limits::lock(&mut tx, &keys.map(|(key, _)| key)).await?;
    let mut after: Vec<(KeyHash, Ts)> = Vec::with_capacity(keys.len());
    let mut longest: Option<TooMany> = None;
    for (key, limit) in keys {
        match limit.take(spent(&known, key), now) {
            Ok(until) => after.push((key, until)),
            Err(wait) => longest = Some(longest.map_or(wait, |other| TooMany(other.0.max(wait.0)))),
        }
    }
    if let Some(wait) = longest {
        return Err(Error::TooMany(wait));
    }
    limits::set(&mut tx, &sorted(after)).await?;
    Ok(tx.commit().await?)
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
