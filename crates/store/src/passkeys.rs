//! Passkeys: the public halves of key pairs whose private halves never leave people's devices.

use stoa_domain::{
    ids::{PasskeyId, UserId},
    time::Ts,
};

use crate::{Conn, Row, StoreError, Tx, params};

/// A passkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasskeyRow {
    /// Its id.
    pub id: PasskeyId,
    /// Whose it is.
    pub user: UserId,
    /// What its owner calls it.
    pub name: String,
    /// How its authenticator knows it.
    pub credential_id: Vec<u8>,
    /// The public key with what is known of it, as the WebAuthn library writes it.
    pub credential: String,
    /// When it was made.
    pub created_at: Ts,
    /// When it was last used.
    pub last_used_at: Option<Ts>,
}

const COLUMNS: &str = "id, user_id, name, credential_id, credential, created_at, last_used_at";

fn passkey(row: &Row) -> Result<PasskeyRow, StoreError> {
    Ok(PasskeyRow {
        id: row.get(0)?,
        user: row.get(1)?,
        name: row.get(2)?,
        credential_id: row.get(3)?,
        credential: row.get(4)?,
        created_at: row.get(5)?,
        last_used_at: row.get(6)?,
    })
}

/// Adds a passkey.
///
/// # Errors
/// [`StoreError::Duplicate`] when the credential is known already.
pub async fn insert(tx: &mut Tx, new: &PasskeyRow) -> Result<(), StoreError> {
    tx.execute(
        "insert into passkeys (id, user_id, name, credential_id, credential, created_at, last_used_at) values ($1, $2, $3, $4, $5, $6, $7)",
        params![new.id, new.user, &new.name, &new.credential_id, &new.credential, new.created_at, new.last_used_at],
    )
    .await?;
    Ok(())
}

/// A user's passkeys, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list(conn: &mut Conn, user: UserId) -> Result<Vec<PasskeyRow>, StoreError> {
    let sql = format!("select {COLUMNS} from passkeys where user_id = $1 order by id");
    conn.fetch_all(&sql, params![user]).await?.iter().map(passkey).collect()
}

/// The passkey that an authenticator knows by this id.
///
/// # Errors
/// Those of the database.
pub async fn find_by_credential(conn: &mut Conn, credential_id: &[u8]) -> Result<Option<PasskeyRow>, StoreError> {
    let sql = format!("select {COLUMNS} from passkeys where credential_id = $1");
    conn.fetch_optional(&sql, params![credential_id]).await?.as_ref().map(passkey).transpose()
}

/// Notes a use, with what the authenticator said of itself.
///
/// # Errors
/// Those of the database.
pub async fn set_used(tx: &mut Tx, user: UserId, id: PasskeyId, credential: &str, now: Ts) -> Result<(), StoreError> {
    tx.execute("update passkeys set credential = $3, last_used_at = $4 where user_id = $1 and id = $2", params![user, id, credential, now])
        .await?;
    Ok(())
}

/// Removes a user's passkey; answers whether there was one.
///
/// # Errors
/// Those of the database.
pub async fn delete(tx: &mut Tx, user: UserId, id: PasskeyId) -> Result<bool, StoreError> {
    Ok(tx.execute("delete from passkeys where user_id = $1 and id = $2", params![user, id]).await? > 0)
}

/// Removes all passkeys of a user.
///
/// # Errors
/// Those of the database.
pub async fn delete_of(tx: &mut Tx, user: UserId) -> Result<(), StoreError> {
    tx.execute("delete from passkeys where user_id = $1", params![user]).await?;
    Ok(())
}
