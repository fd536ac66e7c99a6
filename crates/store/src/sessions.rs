//! Browser sessions. The id is stored as a hash, so that the database opens nothing.

use stoa_domain::{
    ids::{SessionId, UserId},
    secrets::SecretHash,
    time::Ts,
    users::User,
};

use crate::{
    Conn, Row, StoreError, Tx, params,
    users::{self, user},
};

/// A session as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// By what its owner tells it from others.
    pub id: SessionId,
    /// SHA-256 of its secret.
    pub id_hash: SecretHash,
    /// Who is signed in.
    pub user: User,
    /// What the session holds, as JSON.
    pub data: String,
    /// When it began.
    pub created_at: Ts,
    /// When it was last used, to the hour.
    pub last_used_at: Ts,
    /// When the person last proved who they are.
    pub proved_at: Ts,
    /// In which browser, in a person's words.
    pub browser: String,
    /// From which network address.
    pub address: String,
    /// When it ends.
    pub expires_at: Ts,
}

/// A session to add: it begins now, and now the person has proved who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession<'a> {
    /// By what its owner tells it from others.
    pub id: SessionId,
    /// SHA-256 of its secret.
    pub id_hash: SecretHash,
    /// Who signs in.
    pub user: UserId,
    /// In which browser.
    pub browser: &'a str,
    /// From which network address.
    pub address: &'a str,
}

/// Adds a session.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx, new: &NewSession<'_>, now: Ts, expires_at: Ts) -> Result<(), StoreError> {
    tx.execute(
        "insert into sessions (id, id_hash, user_id, data, browser, address, created_at, last_used_at, proved_at, expires_at)
         values ($1, $2, $3, '{}', $4, $5, $6, $6, $6, $7)",
        params![new.id, new.id_hash, new.user, new.browser, new.address, now, expires_at],
    )
    .await?;
    Ok(())
}

const COLUMNS: &str = "s.id, s.id_hash, s.data, s.created_at, s.last_used_at, s.proved_at, s.browser, s.address, s.expires_at";

/// How many columns [`COLUMNS`] has; those of the user follow.
const WIDTH: usize = 9;

fn session(row: &Row) -> Result<SessionRow, StoreError> {
    Ok(SessionRow {
        id: row.get(0)?,
        id_hash: row.get(1)?,
        user: user(row, WIDTH)?,
        data: row.get(2)?,
        created_at: row.get(3)?,
        last_used_at: row.get(4)?,
        proved_at: row.get(5)?,
        browser: row.get(6)?,
        address: row.get(7)?,
        expires_at: row.get(8)?,
    })
}

/// A session that has not ended, with the account of who is signed in, unless that is suspended.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, id_hash: SecretHash, now: Ts) -> Result<Option<SessionRow>, StoreError> {
    let sql = format!(
        "select {COLUMNS}, {} from sessions s join users u on u.id = s.user_id
         where s.id_hash = $1 and s.expires_at > $2 and u.suspended_at is null",
        users::COLUMNS
    );
    conn.fetch_optional(&sql, params![id_hash, now]).await?.as_ref().map(session).transpose()
}

/// The sessions of a user that have not ended, the last used first.
///
/// # Errors
/// Those of the database.
pub async fn list(conn: &mut Conn, user: UserId, now: Ts) -> Result<Vec<SessionRow>, StoreError> {
    let sql = format!(
        "select {COLUMNS}, {} from sessions s join users u on u.id = s.user_id
         where s.user_id = $1 and s.expires_at > $2 order by s.last_used_at desc, s.id desc",
        users::COLUMNS
    );
    conn.fetch_all(&sql, params![user, now]).await?.iter().map(session).collect()
}

/// Notes a use, by which the session's end may move on.
///
/// # Errors
/// Those of the database.
pub async fn set_used(tx: &mut Tx, id_hash: SecretHash, now: Ts, expires_at: Ts) -> Result<(), StoreError> {
    tx.execute("update sessions set last_used_at = $2, expires_at = $3 where id_hash = $1", params![id_hash, now, expires_at]).await?;
    Ok(())
}

/// Notes that the person has just proved who they are.
///
/// # Errors
/// Those of the database.
pub async fn set_proved(tx: &mut Tx, id_hash: SecretHash, now: Ts) -> Result<(), StoreError> {
    tx.execute("update sessions set proved_at = $2 where id_hash = $1", params![id_hash, now]).await?;
    Ok(())
}

/// Ends one session of a user; answers whether there was one.
///
/// # Errors
/// Those of the database.
pub async fn delete_one_of(tx: &mut Tx, user: UserId, id: SessionId) -> Result<bool, StoreError> {
    Ok(tx.execute("delete from sessions where user_id = $1 and id = $2", params![user, id]).await? > 0)
}

/// Ends all sessions of a user but one.
///
/// # Errors
/// Those of the database.
pub async fn delete_others_of(tx: &mut Tx, user: UserId, keep: SecretHash) -> Result<u64, StoreError> {
    tx.execute("delete from sessions where user_id = $1 and id_hash <> $2", params![user, keep]).await
}

/// Writes what a session holds; a session that has ended meanwhile stays ended.
///
/// # Errors
/// Those of the database.
pub async fn set_data(tx: &mut Tx, id_hash: SecretHash, data: &str) -> Result<(), StoreError> {
    tx.execute("update sessions set data = $2 where id_hash = $1", params![id_hash, data]).await?;
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
