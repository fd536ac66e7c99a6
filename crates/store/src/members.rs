//! Memberships.

mod words;

use stoa_domain::{
    ids::{OrganizationId, UserId},
    members::{Member, typed},
    permissions::Role,
};

pub use self::words::keep_some;
pub(crate) use self::words::renew;
use crate::{Conn, Row, StoreError, Tx, Value, params, users::placeholders, values};

pub(crate) fn member(row: &Row) -> Result<Member, StoreError> {
    Ok(Member { user: row.get(0)?, email: row.get(1)?, name: row.get(2)?, role: row.parse(3)?, since: row.get(4)? })
}

/// Adds members, with the words by which they are found. The organization is to be locked.
///
/// # Errors
/// [`StoreError::Duplicate`] when one is a member already.
pub async fn insert(tx: &mut Tx, organization: OrganizationId, members: &[Member]) -> Result<(), StoreError> {
    if members.is_empty() {
        return Ok(());
    }
    let rows: Vec<Vec<Value>> =
        members.iter().map(|member| values![organization, member.user, member.role.word(), member.since, true]).collect();
    tx.insert_many("insert into memberships (organization_id, user_id, role, since, worded)", 5, &rows, "").await?;
    words::keep(tx, organization, members).await?;
    count(tx, organization, rows.len() as i64).await
}

/// Counts so many more members of an organization.
async fn count(tx: &mut Tx, organization: OrganizationId, more: i64) -> Result<(), StoreError> {
    tx.execute("update organizations set members = members + $2 where id = $1", params![organization, more]).await?;
    Ok(())
}

/// Sets a member's role.
///
/// # Errors
/// Those of the database.
pub async fn set_role(tx: &mut Tx, organization: OrganizationId, user: UserId, role: Role) -> Result<(), StoreError> {
    tx.execute("update memberships set role = $3 where organization_id = $1 and user_id = $2", params![organization, user, role.word()])
        .await?;
    Ok(())
}

/// Ends a membership. The organization is to be locked.
///
/// # Errors
/// Those of the database.
pub async fn delete(tx: &mut Tx, organization: OrganizationId, user: UserId) -> Result<(), StoreError> {
    let gone = tx.execute("delete from memberships where organization_id = $1 and user_id = $2", params![organization, user]).await?;
    count(tx, organization, -(gone as i64)).await
}

/// One member.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, organization: OrganizationId, user: UserId) -> Result<Option<Member>, StoreError> {
    conn.fetch_optional(
        "select u.id, u.email, u.name, m.role, m.since from memberships m join users u on u.id = m.user_id
         where m.organization_id = $1 and m.user_id = $2",
        params![organization, user],
    )
    .await?
    .as_ref()
    .map(member)
    .transpose()
}

/// A page of members in the order in which they came, all or those who have words in name or address that begin with each of
/// those that were typed; `after` is the last user of the page before.
///
/// # Errors
/// Those of the database.
pub async fn list(
    conn: &mut Conn,
    organization: OrganizationId,
    search: Option<&str>,
    after: Option<UserId>,
    limit: i64,
) -> Result<Vec<Member>, StoreError> {
    let mut values = values![organization, limit];
    let mut found = Some(words::Found::default());
    if let Some(search) = search {
        found = words::find(conn, organization, &typed(search), &mut values).await?;
    }
    let Some(words::Found { table, condition }) = found else { return Ok(Vec::new()) };
    let mut filter = condition;
    if let Some(after) = after {
        values.push(after.into());
        filter.push_str(&format!(" and m.user_id > ${}", values.len()));
    }
    // Written with `cross join`, SQLite begins with the organization's members, however many people of others there are.
    let sql = format!(
        "select u.id, u.email, u.name, m.role, m.since from {table}memberships m cross join users u
         where m.organization_id = $1 and u.id = m.user_id{filter} order by m.user_id limit $2"
    );
    conn.fetch_all(&sql, &values).await?.iter().map(member).collect()
}

/// The maintainers of an organization.
///
/// # Errors
/// Those of the database.
pub async fn maintainers(conn: &mut Conn, organization: OrganizationId) -> Result<Vec<UserId>, StoreError> {
    let sql = "select user_id from memberships where organization_id = $1 and role = 'maintainer' order by user_id";
    conn.fetch_all(sql, params![organization]).await?.iter().map(|row| row.get(0)).collect()
}

/// How many maintainers an organization has.
///
/// # Errors
/// Those of the database.
pub async fn count_maintainers(conn: &mut Conn, organization: OrganizationId) -> Result<usize, StoreError> {
    let row = conn
        .fetch_one("select count(*) from memberships where organization_id = $1 and role = 'maintainer'", params![organization])
        .await?;
    Ok(usize::try_from(row.get::<i64>(0)?).unwrap_or(0))
}

/// All memberships of a user, those in deleted organizations too, each with its organization.
///
/// # Errors
/// Those of the database.
pub async fn of_user(conn: &mut Conn, user: UserId) -> Result<Vec<(OrganizationId, Member)>, StoreError> {
    let rows = conn
        .fetch_all(
            "select u.id, u.email, u.name, m.role, m.since, m.organization_id from memberships m join users u on u.id = m.user_id
             where m.user_id = $1 order by m.organization_id",
            params![user],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get(5)?, member(row)?))).collect()
}

/// Those of the users who are members, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn find_many(conn: &mut Conn, organization: OrganizationId, users: &[UserId]) -> Result<Vec<Member>, StoreError> {
    if users.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "select u.id, u.email, u.name, m.role, m.since from memberships m cross join users u
         where m.organization_id = $1 and u.id = m.user_id and m.user_id in ({})",
        placeholders(2, users.len())
    );
    let values: Vec<Value> = std::iter::once(Value::from(organization)).chain(users.iter().copied().map(Value::from)).collect();
    conn.fetch_all(&sql, &values).await?.iter().map(member).collect()
}

/// The names of some members with one of the roles, those who came first before others.
///
/// # Errors
/// Those of the database.
pub async fn names_with_roles(
    conn: &mut Conn,
    organization: OrganizationId,
    roles: &[Role],
    limit: i64,
) -> Result<Vec<String>, StoreError> {
    if roles.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "select u.name from memberships m cross join users u
         where m.organization_id = $1 and u.id = m.user_id and m.role in ({}) order by m.since, m.user_id limit $2",
        placeholders(3, roles.len())
    );
    let mut values = values![organization, limit];
    values.extend(roles.iter().map(|role| Value::from(role.word())));
    conn.fetch_all(&sql, &values).await?.iter().map(|row| row.get(0)).collect()
}
