//! Browser sessions. The id is stored as a hash, so that the database opens nothing.

use stoa_domain::{ids::UserId, secrets::SecretHash, time::Ts};

use crate::{Conn, StoreError, Tx, params};

/// A session as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// SHA-256 of its id.
    pub id_hash: SecretHash,
    /// Who is signed in.
    pub user: Option<UserId>,
    /// What the session holds, as JSON.
    pub data: String,
    /// When it ends.
    pub expires_at: Ts,
}

/// Writes a session, new or anew.
///
/// # Errors
/// Those of the database.
pub async fn save(tx: &mut Tx, session: &SessionRow, now: Ts) -> Result<(), StoreError> {
    tx.execute(
        "insert into sessions (id_hash, user_id, data, created_at, expires_at) values ($1, $2, $3, $4, $5)
         on conflict (id_hash) do update set user_id = excluded.user_id, data = excluded.data, expires_at = excluded.expires_at",
        params![session.id_hash, session.user, &session.data, now, session.expires_at],
    )
    .await?;
    Ok(())
}

/// A session that has not ended.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, id_hash: SecretHash, now: Ts) -> Result<Option<SessionRow>, StoreError> {
    conn.fetch_optional(
        "select id_hash, user_id, data, expires_at from sessions where id_hash = $1 and expires_at > $2",
        params![id_hash, now],
    )
    .await?
    .map(|row| Ok(SessionRow { id_hash: row.get(0)?, user: row.get(1)?, data: row.get(2)?, expires_at: row.get(3)? }))
    .transpose()
}

/// Ends a session.
///
/// # Errors
/// Those of the database.
pub async fn delete(tx: &mut Tx, id_hash: SecretHash) -> Result<(), StoreError> {
    tx.execute("delete from sessions where id_hash = $1", params![id_hash]).await?;
    Ok(())
}

/// Removes sessions that have ended.
///
/// # Errors
/// Those of the database.
pub async fn delete_expired(tx: &mut Tx, now: Ts) -> Result<u64, StoreError> {
    tx.execute("delete from sessions where expires_at <= $1", params![now]).await
}
