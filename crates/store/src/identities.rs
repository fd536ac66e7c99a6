//! Accounts at other providers (OpenID Connect), linked to people's accounts here.

use stoa_domain::{
    ids::{IdentityId, UserId},
    time::Ts,
};

use crate::{Conn, Row, StoreError, Tx, params};

/// An account at another provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its id here.
    pub id: IdentityId,
    /// To whose account it is linked.
    pub user: UserId,
    /// The provider.
    pub issuer: String,
    /// How the provider knows the person.
    pub subject: String,
    /// The address that the provider told when it was linked.
    pub email: String,
    /// When it was linked.
    pub created_at: Ts,
    /// When it was last used to sign in.
    pub last_used_at: Option<Ts>,
}

const COLUMNS: &str = "id, user_id, issuer, subject, email, created_at, last_used_at";

fn identity(row: &Row) -> Result<Identity, StoreError> {
    Ok(Identity {
        id: row.get(0)?,
        user: row.get(1)?,
        issuer: row.get(2)?,
        subject: row.get(3)?,
        email: row.get(4)?,
        created_at: row.get(5)?,
        last_used_at: row.get(6)?,
    })
}

/// Links one.
///
/// # Errors
/// [`StoreError::Duplicate`] when it is linked already.
pub async fn insert(tx: &mut Tx, new: &Identity) -> Result<(), StoreError> {
    tx.execute(
        "insert into identities (issuer, subject, id, user_id, email, created_at, last_used_at) values ($1, $2, $3, $4, $5, $6, $7)",
        params![&new.issuer, &new.subject, new.id, new.user, &new.email, new.created_at, new.last_used_at],
    )
    .await?;
    Ok(())
}

/// The one that a provider knows under that subject.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, issuer: &str, subject: &str) -> Result<Option<Identity>, StoreError> {
    let sql = format!("select {COLUMNS} from identities where issuer = $1 and subject = $2");
    conn.fetch_optional(&sql, params![issuer, subject]).await?.as_ref().map(identity).transpose()
}

/// Those of a user, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list(conn: &mut Conn, user: UserId) -> Result<Vec<Identity>, StoreError> {
    let sql = format!("select {COLUMNS} from identities where user_id = $1 order by id");
    conn.fetch_all(&sql, params![user]).await?.iter().map(identity).collect()
}

/// Notes a use.
///
/// # Errors
/// Those of the database.
pub async fn set_used(tx: &mut Tx, issuer: &str, subject: &str, now: Ts) -> Result<(), StoreError> {
    tx.execute("update identities set last_used_at = $3 where issuer = $1 and subject = $2", params![issuer, subject, now]).await?;
    Ok(())
}

/// Unlinks one of a user; answers whether there was one.
///
/// # Errors
/// Those of the database.
pub async fn delete(tx: &mut Tx, user: UserId, id: IdentityId) -> Result<bool, StoreError> {
    Ok(tx.execute("delete from identities where user_id = $1 and id = $2", params![user, id]).await? > 0)
}

/// Unlinks all of a user.
///
/// # Errors
/// Those of the database.
pub async fn delete_of(tx: &mut Tx, user: UserId) -> Result<(), StoreError> {
    tx.execute("delete from identities where user_id = $1", params![user]).await?;
    Ok(())
}
