//! How much of each allowance of attempts is used.

use stoa_domain::{limits::KeyHash, time::Ts};

use crate::{Row, StoreError, Tx, Value, params, users::placeholders, values};

/// The keys, locked for the rest of the transaction, with the instant until which each is used; keys not met before are
/// added. In the order of the keys, as for everybody, so that two transactions never wait for each other.
///
/// # Errors
/// Those of the database.
pub async fn lock(tx: &mut Tx, keys: &[KeyHash]) -> Result<Vec<(KeyHash, Ts)>, StoreError> {
    let mut sorted = keys.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let rows: Vec<Vec<Value>> = sorted.iter().map(|key| values![*key, 0_i64]).collect();
    tx.insert_many("insert into attempts (key_hash, spent_until)", 2, &rows, "on conflict (key_hash) do nothing").await?;
    let sql = format!("select key_hash, spent_until from attempts where key_hash in ({}) order by key_hash", placeholders(1, sorted.len()));
    let values: Vec<Value> = sorted.into_iter().map(Value::from).collect();
    let read = |row: &Row| Ok((row.get(0)?, row.get(1)?));
    tx.lock(&sql, &values).await?.iter().map(read).collect()
}

/// Writes until when each key is used.
///
/// # Errors
/// Those of the database.
pub async fn set(tx: &mut Tx, keys: &[(KeyHash, Ts)]) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value>> = keys.iter().map(|(key, until)| values![*key, *until]).collect();
    let tail = "on conflict (key_hash) do update set spent_until = excluded.spent_until";
    tx.insert_many("insert into attempts (key_hash, spent_until)", 2, &rows, tail).await?;
    Ok(())
}

/// Forgets keys of which all was regained.
///
/// # Errors
/// Those of the database.
pub async fn delete_regained(tx: &mut Tx, now: Ts) -> Result<u64, StoreError> {
    tx.execute("delete from attempts where spent_until < $1", params![now]).await
}
