//! Budgets of subscriptions.

use stoa_domain::{
    budgets::Budget,
    ids::{OrganizationId, SubscriptionId},
    money::Money,
};

use crate::{Conn, Row, StoreError, Tx, Value, params, users::placeholders, values};

const COLUMNS: &str = "b.organization_id, b.subscription_id, b.amount, b.currency, b.set_by, b.set_at";

fn budget(row: &Row) -> Result<Budget, StoreError> {
    let amount: String = row.get(2)?;
    let amount = Money::price(&amount, row.parse(3)?).map_err(|bad| StoreError::Corrupt { column: 2, reason: bad.to_string() })?;
    Ok(Budget { organization: row.get(0)?, subscription: row.get(1)?, amount, set_by: row.get(4)?, set_at: row.get(5)? })
}

/// The budget of a subscription.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, organization: OrganizationId, subscription: SubscriptionId) -> Result<Option<Budget>, StoreError> {
    let sql = format!("select {COLUMNS} from budgets b where b.organization_id = $1 and b.subscription_id = $2");
    conn.fetch_optional(&sql, params![organization, subscription]).await?.as_ref().map(budget).transpose()
}

/// The budgets of some subscriptions of an organization.
///
/// # Errors
/// Those of the database.
pub async fn of(conn: &mut Conn, organization: OrganizationId, ids: &[SubscriptionId]) -> Result<Vec<Budget>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let some = placeholders(2, ids.len());
    let sql = format!("select {COLUMNS} from budgets b where b.organization_id = $1 and b.subscription_id in ({some})");
    let values: Vec<Value> = std::iter::once(Value::from(organization)).chain(ids.iter().map(Value::from)).collect();
    conn.fetch_all(&sql, &values).await?.iter().map(budget).collect()
}

/// Adds budgets of subscriptions that have none, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn insert_many(tx: &mut Tx, new: &[Budget]) -> Result<(), StoreError> {
    let row = |one: &Budget| {
        let (amount, currency) = (one.amount.amount().to_string(), one.amount.currency());
        values![one.organization, one.subscription, amount, currency.code(), one.set_by, one.set_at]
    };
    let head = "insert into budgets (organization_id, subscription_id, amount, currency, set_by, set_at)";
    tx.insert_many(head, 6, &new.iter().map(row).collect::<Vec<_>>(), "").await?;
    Ok(())
}

/// Sets the budget of a subscription, in place of the one it has.
///
/// # Errors
/// Those of the database.
pub async fn set(tx: &mut Tx, new: &Budget) -> Result<(), StoreError> {
    tx.execute(
        "insert into budgets (organization_id, subscription_id, amount, currency, set_by, set_at) values ($1, $2, $3, $4, $5, $6)
         on conflict (organization_id, subscription_id)
         do update set amount = excluded.amount, currency = excluded.currency, set_by = excluded.set_by, set_at = excluded.set_at",
        params![new.organization, new.subscription, new.amount.amount().to_string(), new.amount.currency().code(), new.set_by, new.set_at,],
    )
    .await?;
    Ok(())
}

/// Removes the budget of a subscription.
///
/// # Errors
/// Those of the database.
pub async fn remove(tx: &mut Tx, organization: OrganizationId, subscription: SubscriptionId) -> Result<(), StoreError> {
    let sql = "delete from budgets where organization_id = $1 and subscription_id = $2";
    tx.execute(sql, params![organization, subscription]).await?;
    Ok(())
}

/// A page of the budgets of subscriptions in force, in the order of their keys, after one of them.
///
/// # Errors
/// Those of the database.
pub async fn list_in_force(
    conn: &mut Conn,
    after: Option<(OrganizationId, SubscriptionId)>,
    limit: i64,
) -> Result<Vec<Budget>, StoreError> {
    let (organization, subscription) = after.unzip();
    let sql = format!(
        "select {COLUMNS} from budgets b
         join subscriptions s on s.organization_id = b.organization_id and s.id = b.subscription_id
         where s.state in ('active', 'suspended', 'ending')
           and (cast($1 as bytea) is null or (b.organization_id, b.subscription_id) > ($1, $2))
         order by b.organization_id, b.subscription_id limit $3"
    );
    conn.fetch_all(&sql, params![organization, subscription, limit]).await?.iter().map(budget).collect()
}
