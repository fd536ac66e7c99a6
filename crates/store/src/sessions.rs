//! Browser sessions. The id is stored as a hash, so that the database opens nothing.

use stoa_domain::{ids::UserId, secrets::SecretHash, time::Ts, users::User};

use crate::{Conn, StoreError, Tx, params};

/// A session as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// SHA-256 of its id.
    pub id_hash: SecretHash,
    /// Who is signed in.
    pub user: User,
    /// What the session holds, as JSON.
    pub data: String,
    /// When it ends.
    pub expires_at: Ts,
}

/// Adds a session.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx, id_hash: SecretHash, user: UserId, data: &str, now: Ts, expires_at: Ts) -> Result<(), StoreError> {
    tx.execute(
        "insert into sessions (id_hash, user_id, data, created_at, expires_at) values ($1, $2, $3, $4, $5)",
        params![id_hash, user, data, now, expires_at],
    )
    .await?;
    Ok(())
}

/// A session that has not ended, with the account of who is signed in.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, id_hash: SecretHash, now: Ts) -> Result<Option<SessionRow>, StoreError> {
    conn.fetch_optional(
        "select s.id_hash, s.data, s.expires_at, u.id, u.email, u.name, u.operator, u.created_at
         from sessions s join users u on u.id = s.user_id where s.id_hash = $1 and s.expires_at > $2",
        params![id_hash, now],
    )
    .await?
    .map(|row| {
        let user = User { id: row.get(3)?, email: row.get(4)?, name: row.get(5)?, operator: row.get(6)?, created_at: row.get(7)? };
        Ok(SessionRow { id_hash: row.get(0)?, user, data: row.get(1)?, expires_at: row.get(2)? })
    })
    .transpose()
}

/// Writes what a session holds; a session that has ended meanwhile stays ended.
///
/// # Errors
/// Those of the database.
pub async fn set_data(tx: &mut Tx, id_hash: SecretHash, data: &str) -> Result<(), StoreError> {
    tx.execute("update sessions set data = $2 where id_hash = $1", params![id_hash, data]).await?;
    Ok(())
}

/// Moves the end of a session on; one that has ended meanwhile stays ended.
///
/// # Errors
/// Those of the database.
pub async fn set_expiry(tx: &mut Tx, id_hash: SecretHash, expires_at: Ts) -> Result<(), StoreError> {
    tx.execute("update sessions set expires_at = $2 where id_hash = $1", params![id_hash, expires_at]).await?;
    Ok(())
}

/// Ends a session.
///
/// # Errors
/// Those of the database.
pub async fn delete(tx: &mut Tx, id_hash: SecretHash) -> Result<(), StoreError> {
    tx.execute("delete from sessions where id_hash = $1", params![id_hash]).await?;
    Ok(())
}

/// Ends all sessions of a user.
///
/// # Errors
/// Those of the database.
pub async fn delete_of(tx: &mut Tx, user: UserId) -> Result<u64, StoreError> {
    tx.execute("delete from sessions where user_id = $1", params![user]).await
}

/// Removes sessions that have ended.
///
/// # Errors
/// Those of the database.
pub async fn delete_expired(tx: &mut Tx, now: Ts) -> Result<u64, StoreError> {
    tx.execute("delete from sessions where expires_at <= $1", params![now]).await
}
