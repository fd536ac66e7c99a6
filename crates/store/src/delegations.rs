//! Delegations: who decides in whose stead for a while.

use stoa_domain::{
    delegations::Delegation,
    ids::{DelegationId, OrganizationId, UserId},
    time::Ts,
};

use crate::{Conn, Row, StoreError, Tx, Value, params, users::placeholders};

const COLUMNS: &str = "d.organization_id, d.id, d.absent_id, d.delegate_id, d.starts_at, d.ends_at, d.ended_at, d.created_at";

fn delegation(row: &Row) -> Result<Delegation, StoreError> {
    Ok(Delegation {
        organization: row.get(0)?,
        id: row.get(1)?,
        absent: row.get(2)?,
        delegate: row.get(3)?,
        starts_at: row.get(4)?,
        ends_at: row.get(5)?,
        ended_at: row.get(6)?,
        created_at: row.get(7)?,
    })
}

/// Adds a delegation.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx, new: &Delegation) -> Result<(), StoreError> {
    tx.execute(
        "insert into delegations (organization_id, id, absent_id, delegate_id, starts_at, ends_at, ended_at, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        params![new.organization, new.id, new.absent, new.delegate, new.starts_at, new.ends_at, new.ended_at, new.created_at],
    )
    .await?;
    Ok(())
}

/// One delegation of an organization.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, organization: OrganizationId, id: DelegationId) -> Result<Option<Delegation>, StoreError> {
    let sql = format!("select {COLUMNS} from delegations d where d.organization_id = $1 and d.id = $2");
    conn.fetch_optional(&sql, params![organization, id]).await?.as_ref().map(delegation).transpose()
}

/// Ends delegations before their time.
///
/// # Errors
/// Those of the database.
pub async fn end_many(tx: &mut Tx, organization: OrganizationId, ids: &[DelegationId], now: Ts) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "update delegations set ended_at = $2 where organization_id = $1 and ended_at is null and id in ({})",
        placeholders(3, ids.len())
    );
    let values: Vec<Value> = [organization.into(), now.into()].into_iter().chain(ids.iter().map(Value::from)).collect();
    tx.execute(&sql, &values).await?;
    Ok(())
}

/// The delegations of an organization that hold at `now` or later, the earliest first; with `of` those of one member only,
/// as who is away or who decides.
///
/// # Errors
/// Those of the database.
pub async fn ahead(
    conn: &mut Conn,
    organization: OrganizationId,
    of: Option<UserId>,
    now: Ts,
    limit: i64,
) -> Result<Vec<Delegation>, StoreError> {
    let mut values = crate::values![organization, now, limit];
    let mut only = "";
    if let Some(user) = of {
        values.push(user.into());
        only = " and (d.absent_id = $4 or d.delegate_id = $4)";
    }
    let sql = format!(
        "select {COLUMNS} from delegations d where d.organization_id = $1 and d.ended_at is null and d.ends_at > $2{only}
         order by d.starts_at, d.id limit $3"
    );
    conn.fetch_all(&sql, &values).await?.iter().map(delegation).collect()
}

/// In whose stead somebody decides in an organization at an instant: those who are away, with their names, as far as their
/// roles decide requests.
///
/// # Errors
/// Those of the database.
pub async fn absent_for(
    conn: &mut Conn,
    organization: OrganizationId,
    delegate: UserId,
    at: Ts,
) -> Result<Vec<(UserId, String)>, StoreError> {
    conn.fetch_all(
        "select d.absent_id, u.name from delegations d
         join memberships a on a.organization_id = d.organization_id and a.user_id = d.absent_id
         join memberships m on m.organization_id = d.organization_id and m.user_id = d.delegate_id
         join users u on u.id = d.absent_id
         where d.organization_id = $1 and d.delegate_id = $2 and d.ended_at is null and d.starts_at <= $3 and d.ends_at > $3
           and a.role in ('reviewer', 'maintainer')
         order by d.starts_at, d.id",
        params![organization, delegate, at],
    )
    .await?
    .iter()
    .map(|row| Ok((row.get(0)?, row.get(1)?)))
    .collect()
}

/// Who may decide requests of an organization at an instant: those whose role does, and those who stand in for them; each
/// with address and whether the person is a maintainer, those who came first before others.
///
/// # Errors
/// Those of the database.
pub async fn deciders(conn: &mut Conn, organization: OrganizationId, at: Ts, limit: i64) -> Result<Vec<Decider>, StoreError> {
    conn.fetch_all(
        "select u.id, u.email, m.role, null from memberships m join users u on u.id = m.user_id
         where m.organization_id = $1 and m.role in ('reviewer', 'maintainer')
         union all
         select u.id, u.email, m.role, d.absent_id from delegations d
         join memberships a on a.organization_id = d.organization_id and a.user_id = d.absent_id
         join memberships m on m.organization_id = d.organization_id and m.user_id = d.delegate_id
         join users u on u.id = d.delegate_id
         where d.organization_id = $1 and d.ended_at is null and d.starts_at <= $2 and d.ends_at > $2
           and a.role in ('reviewer', 'maintainer')
         order by 1 limit $3",
        params![organization, at, limit],
    )
    .await?
    .iter()
    .map(|row| Ok(Decider { user: row.get(0)?, email: row.get(1)?, role: row.parse(2)?, absent: row.get(3)? }))
    .collect()
}

/// Somebody who may decide requests of an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decider {
    /// Who.
    pub user: UserId,
    /// The address.
    pub email: String,
    /// The role.
    pub role: stoa_domain::permissions::Role,
    /// In whose stead.
    pub absent: Option<UserId>,
}
