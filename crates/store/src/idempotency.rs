//! Answers to POSTs that carried an `Idempotency-Key`, kept in the transaction of their effect.
//!
//! Neither the key nor the answer is kept in the clear: the key as a hash, the answer sealed under what only the key
//! gives. An answer may hold a secret that is shown once.

use stoa_domain::time::Ts;

use crate::{Conn, StoreError, Tx, params};

/// What is kept of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// SHA-256 of method, path and body of the request that used it first.
    pub fingerprint: [u8; 32],
    /// The status it was answered with; `None` within the transaction that answers it.
    pub status: Option<i64>,
    /// The body it was answered with, sealed.
    pub sealed_body: Vec<u8>,
}

/// Claims a key for this transaction; answers `false` when it is taken. A concurrent transaction with the same key waits.
///
/// # Errors
/// Those of the database.
pub async fn claim(tx: &mut Tx, principal: &str, key_hash: [u8; 32], fingerprint: [u8; 32], now: Ts) -> Result<bool, StoreError> {
    let rows = tx
        .execute(
            "insert into idempotency_keys (principal, key_hash, fingerprint, created_at) values ($1, $2, $3, $4)
             on conflict (principal, key_hash) do nothing",
            params![principal, key_hash, fingerprint, now],
        )
        .await?;
    Ok(rows > 0)
}

/// What is kept of a key.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, principal: &str, key_hash: [u8; 32]) -> Result<Option<Kept>, StoreError> {
    conn.fetch_optional(
        "select fingerprint, status, sealed_body from idempotency_keys where principal = $1 and key_hash = $2",
        params![principal, key_hash],
    )
    .await?
    .map(|row| Ok(Kept { fingerprint: row.get(0)?, status: row.get(1)?, sealed_body: row.get::<Option<Vec<u8>>>(2)?.unwrap_or_default() }))
    .transpose()
}

/// Keeps the answer.
///
/// # Errors
/// Those of the database.
pub async fn answer(tx: &mut Tx, principal: &str, key_hash: [u8; 32], status: u16, sealed_body: &[u8]) -> Result<(), StoreError> {
    tx.send(
        "update idempotency_keys set status = $3, sealed_body = $4 where principal = $1 and key_hash = $2",
        params![principal, key_hash, i64::from(status), sealed_body],
    )
    .await
}

/// Forgets keys older than an instant.
///
/// # Errors
/// Those of the database.
pub async fn delete_before(tx: &mut Tx, before: Ts) -> Result<u64, StoreError> {
    tx.execute("delete from idempotency_keys where created_at < $1", params![before]).await
}
