//! People's accounts.

use stoa_domain::{ids::UserId, time::Ts, users::User};

use crate::{Conn, Row, StoreError, Tx, Value, params};

fn user(row: &Row) -> Result<User, StoreError> {
    Ok(User { id: row.get(0)?, email: row.get(1)?, name: row.get(2)?, operator: row.get(3)?, created_at: row.get(4)? })
}

/// Adds an account.
///
/// # Errors
/// [`StoreError::Duplicate`] of `email` when the address has an account.
pub async fn insert(tx: &mut Tx, user: &User, password_hash: Option<&str>) -> Result<(), StoreError> {
    tx.execute(
        "insert into users (id, email, name, password_hash, operator, created_at) values ($1, $2, $3, $4, $5, $6)",
        params![user.id, &user.email, &user.name, password_hash, user.operator, user.created_at],
    )
    .await?;
    Ok(())
}

/// An account by id.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, id: UserId) -> Result<Option<User>, StoreError> {
    conn.fetch_optional("select id, email, name, operator, created_at from users where id = $1", params![id])
        .await?
        .as_ref()
        .map(user)
        .transpose()
}

/// An account by its address (in lower case), with its password hash.
///
/// # Errors
/// Those of the database.
pub async fn find_by_email(conn: &mut Conn, email: &str) -> Result<Option<(User, Option<String>)>, StoreError> {
    conn.fetch_optional("select id, email, name, operator, created_at, password_hash from users where email = $1", params![email])
        .await?
        .as_ref()
        .map(|row| Ok((user(row)?, row.get(5)?)))
        .transpose()
}

/// Whether the address of an account was proved to be the person's own.
///
/// # Errors
/// Those of the database.
pub async fn email_is_verified(conn: &mut Conn, id: UserId) -> Result<bool, StoreError> {
    let row = conn.fetch_optional("select email_verified_at from users where id = $1", params![id]).await?;
    Ok(row.map(|row| row.get::<Option<Ts>>(0)).transpose()?.flatten().is_some())
}

/// Notes that the address of an account was proved to be the person's own.
///
/// # Errors
/// Those of the database.
pub async fn set_email_verified(tx: &mut Tx, id: UserId, now: Ts) -> Result<(), StoreError> {
    tx.execute("update users set email_verified_at = $2 where id = $1", params![id, now]).await?;
    Ok(())
}

/// The password hash of an account; `None` for an account without a password.
///
/// # Errors
/// Those of the database.
pub async fn password_hash(conn: &mut Conn, id: UserId) -> Result<Option<String>, StoreError> {
    match conn.fetch_optional("select password_hash from users where id = $1", params![id]).await? {
        Some(row) => row.get(0),
        None => Ok(None),
    }
}

/// The accounts of several addresses, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn find_by_emails(conn: &mut Conn, emails: &[String]) -> Result<Vec<User>, StoreError> {
    if emails.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!("select id, email, name, operator, created_at from users where email in ({})", placeholders(1, emails.len()));
    let values: Vec<Value> = emails.iter().map(Value::from).collect();
    conn.fetch_all(&sql, &values).await?.iter().map(user).collect()
}

/// The accounts of several ids that are not deleted, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn find_many(conn: &mut Conn, ids: &[UserId]) -> Result<Vec<User>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "select id, email, name, operator, created_at from users where id in ({}) and deleted_at is null",
        placeholders(1, ids.len())
    );
    let values: Vec<Value> = ids.iter().copied().map(Value::from).collect();
    conn.fetch_all(&sql, &values).await?.iter().map(user).collect()
}

/// The names of several users, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn names(conn: &mut Conn, ids: &[UserId]) -> Result<Vec<(UserId, String)>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!("select id, name from users where id in ({})", placeholders(1, ids.len()));
    let values: Vec<Value> = ids.iter().copied().map(Value::from).collect();
    conn.fetch_all(&sql, &values).await?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// `$from, $from+1, …`, `count` of them, for an `in (…)`.
pub(crate) fn placeholders(from: usize, count: usize) -> String {
    (from..from + count).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ")
}
