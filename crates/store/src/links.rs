//! Links that were sent to an address. Only the hash of a link's secret is kept.

use stoa_domain::{
    ids::UserId,
    links::{Link, Purpose},
    secrets::SecretHash,
    time::Ts,
};

use crate::{Conn, StoreError, Tx, params};

/// Adds a link.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx, hash: SecretHash, link: &Link, now: Ts) -> Result<(), StoreError> {
    tx.execute(
        "insert into account_links (token_hash, purpose, email, user_id, created_at, expires_at) values ($1, $2, $3, $4, $5, $6)",
        params![hash, link.purpose.word(), &link.email, link.user, now, link.expires_at],
    )
    .await?;
    Ok(())
}

/// A link that still works.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, hash: SecretHash, purpose: Purpose, now: Ts) -> Result<Option<Link>, StoreError> {
    conn.fetch_optional(
        "select email, user_id, expires_at from account_links where token_hash = $1 and purpose = $2 and expires_at > $3",
        params![hash, purpose.word(), now],
    )
    .await?
    .map(|row| Ok(Link { purpose, email: row.get(0)?, user: row.get(1)?, expires_at: row.get(2)? }))
    .transpose()
}

/// Uses a link up; answers whether it was still there: of two at the same moment one is told no.
///
/// # Errors
/// Those of the database.
pub async fn delete(tx: &mut Tx, hash: SecretHash) -> Result<bool, StoreError> {
    Ok(tx.execute("delete from account_links where token_hash = $1", params![hash]).await? > 0)
}

/// Takes away the links of an account, those of one purpose or all.
///
/// # Errors
/// Those of the database.
pub async fn delete_of(tx: &mut Tx, user: UserId, purpose: Option<Purpose>) -> Result<u64, StoreError> {
    match purpose {
        Some(purpose) => tx.execute("delete from account_links where user_id = $1 and purpose = $2", params![user, purpose.word()]).await,
        None => tx.execute("delete from account_links where user_id = $1", params![user]).await,
    }
}

/// Takes away the links that were sent to an address, of one purpose.
///
/// # Errors
/// Those of the database.
pub async fn delete_to(tx: &mut Tx, email: &str, purpose: Purpose) -> Result<u64, StoreError> {
    tx.execute("delete from account_links where email = $1 and purpose = $2", params![email, purpose.word()]).await
}

/// Removes links that have stopped to work.
///
/// # Errors
/// Those of the database.
pub async fn delete_expired(tx: &mut Tx, now: Ts) -> Result<u64, StoreError> {
    tx.execute("delete from account_links where expires_at <= $1", params![now]).await
}
