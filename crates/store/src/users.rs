//! People's accounts.

use stoa_domain::{
    ids::UserId,
    time::Ts,
    users::{DELETED, User},
};

use crate::{Conn, Row, StoreError, Tx, Value, members, params, value::contains, values};

/// What [`user`] reads, of the table `users` as `u`.
pub(crate) const COLUMNS: &str = "u.id, u.email, u.name, u.operator, u.created_at, u.suspended_at";

/// How many columns [`COLUMNS`] has.
const WIDTH: usize = 6;

/// Reads [`COLUMNS`] that begin at `from`.
pub(crate) fn user(row: &Row, from: usize) -> Result<User, StoreError> {
    Ok(User {
        id: row.get(from)?,
        email: row.get(from + 1)?,
        name: row.get(from + 2)?,
        operator: row.get(from + 3)?,
        created_at: row.get(from + 4)?,
        suspended: row.get::<Option<Ts>>(from + 5)?.is_some(),
    })
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
    let sql = format!("select {COLUMNS} from users u where u.id = $1");
    conn.fetch_optional(&sql, params![id]).await?.map(|row| user(&row, 0)).transpose()
}

/// An account by its address (in lower case), with its password hash.
///
/// # Errors
/// Those of the database.
pub async fn find_by_email(conn: &mut Conn, email: &str) -> Result<Option<(User, Option<String>)>, StoreError> {
    let sql = format!("select {COLUMNS}, u.password_hash from users u where u.email = $1");
    conn.fetch_optional(&sql, params![email]).await?.map(|row| Ok((user(&row, 0)?, row.get(WIDTH)?))).transpose()
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

fn of_emails(emails: &[String]) -> (String, Vec<Value>) {
    let sql = format!("select {COLUMNS} from users u where u.email in ({}) order by u.id", placeholders(1, emails.len()));
    (sql, emails.iter().map(Value::from).collect())
}

/// The accounts of several addresses, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn find_by_emails(conn: &mut Conn, emails: &[String]) -> Result<Vec<User>, StoreError> {
    if emails.is_empty() {
        return Ok(Vec::new());
    }
    let (sql, values) = of_emails(emails);
    conn.fetch_all(&sql, &values).await?.iter().map(|row| user(row, 0)).collect()
}

/// The accounts of several addresses, in one statement, locked for the rest of the transaction: none of them is deleted or gets
/// another address meanwhile.
///
/// # Errors
/// Those of the database.
pub async fn lock_by_emails(tx: &mut Tx, emails: &[String]) -> Result<Vec<User>, StoreError> {
    if emails.is_empty() {
        return Ok(Vec::new());
    }
    let (sql, values) = of_emails(emails);
    tx.lock(&sql, &values).await?.iter().map(|row| user(row, 0)).collect()
}

/// Adds accounts without passwords, in one statement.
///
/// # Errors
/// [`StoreError::Duplicate`] of `email` when an address has an account.
pub async fn insert_many(tx: &mut Tx, users: &[User]) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value>> =
        users.iter().map(|user| values![user.id, &user.email, &user.name, user.operator, user.created_at]).collect();
    tx.insert_many("insert into users (id, email, name, operator, created_at)", 5, &rows, "").await?;
    Ok(())
}

/// A page of all accounts in the order of their addresses; `search` is a part of address or name, `after` the address of the
/// last one of the page before.
///
/// # Errors
/// Those of the database.
pub async fn list(conn: &mut Conn, search: &str, after: Option<&str>, limit: i64) -> Result<Vec<User>, StoreError> {
    let mut values = values![limit, after.unwrap_or("")];
    let mut sql = format!("select {COLUMNS} from users u where u.email > $2 and u.deleted_at is null");
    if !search.trim().is_empty() {
        values.push(contains(&search.trim().to_lowercase()).into());
        sql.push_str(" and (u.email like $3 escape '!' or lower(u.name) like $3 escape '!')");
    }
    sql.push_str(" order by u.email limit $1");
    conn.fetch_all(&sql, &values).await?.iter().map(|row| user(row, 0)).collect()
}

/// Locks all operators for the rest of the transaction, and answers which of them are not suspended.
///
/// # Errors
/// Those of the database.
pub async fn lock_operators(tx: &mut Tx) -> Result<Vec<UserId>, StoreError> {
    let rows = tx.lock("select id, suspended_at from users where operator = 1 and deleted_at is null order by id", params![]).await?;
    let mut live = Vec::with_capacity(rows.len());
    for row in &rows {
        if row.get::<Option<Ts>>(1)?.is_none() {
            live.push(row.get(0)?);
        }
    }
    Ok(live)
}

/// The operators that are not suspended.
///
/// # Errors
/// Those of the database.
pub async fn operators(conn: &mut Conn) -> Result<Vec<User>, StoreError> {
    let sql =
        format!("select {COLUMNS} from users u where u.operator = 1 and u.deleted_at is null and u.suspended_at is null order by u.id");
    conn.fetch_all(&sql, params![]).await?.iter().map(|row| user(row, 0)).collect()
}

/// Suspends an account, or lifts its suspension.
///
/// # Errors
/// Those of the database.
pub async fn set_suspended(tx: &mut Tx, id: UserId, since: Option<Ts>) -> Result<(), StoreError> {
    tx.execute("update users set suspended_at = $2 where id = $1", params![id, since]).await?;
    Ok(())
}

/// Makes somebody an operator, or takes that back.
///
/// # Errors
/// Those of the database.
pub async fn set_operator(tx: &mut Tx, id: UserId, operator: bool) -> Result<(), StoreError> {
    tx.execute("update users set operator = $2 where id = $1", params![id, operator]).await?;
    Ok(())
}

/// An account by id, locked for the rest of the transaction; `None` for a deleted one.
///
/// # Errors
/// Those of the database.
pub async fn lock(tx: &mut Tx, id: UserId) -> Result<Option<User>, StoreError> {
    let sql = format!("select {COLUMNS} from users u where u.id = $1 and u.deleted_at is null");
    tx.lock(&sql, params![id]).await?.first().map(|row| user(row, 0)).transpose()
}

/// Changes what a person is called.
///
/// # Errors
/// Those of the database.
pub async fn set_name(tx: &mut Tx, id: UserId, name: &str) -> Result<(), StoreError> {
    tx.execute("update users set name = $2 where id = $1", params![id, name]).await?;
    members::renew(tx, id).await
}

/// Sets a password, or takes it away.
///
/// # Errors
/// Those of the database.
pub async fn set_password(tx: &mut Tx, id: UserId, password_hash: Option<&str>) -> Result<(), StoreError> {
    tx.execute("update users set password_hash = $2 where id = $1", params![id, password_hash]).await?;
    Ok(())
}

/// Gives an account another address.
///
/// # Errors
/// [`StoreError::Duplicate`] of `email` when the address has an account.
pub async fn set_email(tx: &mut Tx, id: UserId, email: &str) -> Result<(), StoreError> {
    tx.execute("update users set email = $2 where id = $1", params![id, email]).await?;
    members::renew(tx, id).await
}

/// Erases what is personal in an account. The row stays, because rows that tell what happened refer to it; its address, which
/// must be unique, becomes the id, which is no address.
///
/// # Errors
/// Those of the database.
pub async fn erase(tx: &mut Tx, id: UserId, now: Ts) -> Result<(), StoreError> {
    tx.execute(
        "update users set email = $2, name = $3, password_hash = null, operator = 0, deleted_at = $4 where id = $1",
        params![id, id.to_string(), DELETED, now],
    )
    .await?;
    Ok(())
}

/// The accounts of several ids that are not deleted, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn find_many(conn: &mut Conn, ids: &[UserId]) -> Result<Vec<User>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!("select {COLUMNS} from users u where u.id in ({}) and u.deleted_at is null", placeholders(1, ids.len()));
    let values: Vec<Value> = ids.iter().copied().map(Value::from).collect();
    conn.fetch_all(&sql, &values).await?.iter().map(|row| user(row, 0)).collect()
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

/// A list of columns, each with the name of its table before it.
pub(crate) fn columns_of(table: &str, columns: &str) -> String {
    columns.split(", ").map(|column| format!("{table}.{column}")).collect::<Vec<_>>().join(", ")
}
