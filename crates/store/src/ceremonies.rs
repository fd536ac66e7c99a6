//! What is half done: sign-ins before their second step, passkeys being made, visits to other providers. Short-lived,
//! found by the hash of a secret that only the browser has; the state is sealed.

use stoa_domain::{ids::UserId, secrets::SecretHash, time::Ts};

use crate::{Conn, Row, StoreError, Tx, params};

/// Something half done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ceremony {
    /// SHA-256 of its secret.
    pub id_hash: SecretHash,
    /// What is being done.
    pub kind: String,
    /// By whom, if that is known.
    pub user: Option<UserId>,
    /// What it must remember, sealed.
    pub sealed_state: Vec<u8>,
    /// How often it failed.
    pub attempts: i64,
    /// When it is given up.
    pub expires_at: Ts,
}

const COLUMNS: &str = "id_hash, kind, user_id, sealed_state, attempts, expires_at";

fn ceremony(row: &Row) -> Result<Ceremony, StoreError> {
    Ok(Ceremony {
        id_hash: row.get(0)?,
        kind: row.get(1)?,
        user: row.get(2)?,
        sealed_state: row.get(3)?,
        attempts: row.get(4)?,
        expires_at: row.get(5)?,
    })
}

/// Begins one.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx, new: &Ceremony, now: Ts) -> Result<(), StoreError> {
    tx.execute(
        "insert into ceremonies (id_hash, kind, user_id, sealed_state, attempts, created_at, expires_at) values ($1, $2, $3, $4, $5, $6, $7)",
        params![new.id_hash, &new.kind, new.user, &new.sealed_state, new.attempts, now, new.expires_at],
    )
    .await?;
    Ok(())
}

/// One of a kind that is not given up.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, id_hash: SecretHash, kind: &str, now: Ts) -> Result<Option<Ceremony>, StoreError> {
    let sql = format!("select {COLUMNS} from ceremonies where id_hash = $1 and kind = $2 and expires_at > $3");
    conn.fetch_optional(&sql, params![id_hash, kind, now]).await?.as_ref().map(ceremony).transpose()
}

/// Like [`find`], locked for the rest of the transaction, so that of two who end it only one succeeds.
///
/// # Errors
/// Those of the database.
pub async fn lock(tx: &mut Tx, id_hash: SecretHash, kind: &str, now: Ts) -> Result<Option<Ceremony>, StoreError> {
    let sql = format!("select {COLUMNS} from ceremonies where id_hash = $1 and kind = $2 and expires_at > $3");
    tx.lock(&sql, params![id_hash, kind, now]).await?.first().map(ceremony).transpose()
}

/// Counts a failure.
///
/// # Errors
/// Those of the database.
pub async fn count_attempt(tx: &mut Tx, id_hash: SecretHash) -> Result<(), StoreError> {
    tx.execute("update ceremonies set attempts = attempts + 1 where id_hash = $1", params![id_hash]).await?;
    Ok(())
}

/// Ends one.
///
/// # Errors
/// Those of the database.
pub async fn delete(tx: &mut Tx, id_hash: SecretHash) -> Result<(), StoreError> {
    tx.execute("delete from ceremonies where id_hash = $1", params![id_hash]).await?;
    Ok(())
}

/// Ends all of a user.
///
/// # Errors
/// Those of the database.
pub async fn delete_of(tx: &mut Tx, user: UserId) -> Result<(), StoreError> {
    tx.execute("delete from ceremonies where user_id = $1", params![user]).await?;
    Ok(())
}

/// Removes those that were given up.
///
/// # Errors
/// Those of the database.
pub async fn delete_expired(tx: &mut Tx, now: Ts) -> Result<u64, StoreError> {
    tx.execute("delete from ceremonies where expires_at <= $1", params![now]).await
}
