//! The setting up of subscriptions by their providers.

use std::collections::BTreeMap;

use stoa_domain::{
    ids::{OrganizationId, SubscriptionId, UserId},
    setups::{Outcome, Setup},
    time::Ts,
};

use crate::{Conn, Row, StoreError, Tx, Value, params, values};

const COLUMNS: &str = "u.organization_id, u.subscription_id, u.request_id, u.terms, u.since, u.due_at, u.done_at, u.done_by, u.failed";

fn setup(row: &Row) -> Result<Setup, StoreError> {
    let outcome = match row.get::<Option<Ts>>(6)? {
        Some(at) => Some(Outcome { at, by: row.get(7)?, failed: row.get(8)? }),
        None => None,
    };
    Ok(Setup {
        organization: row.get(0)?,
        subscription: row.get(1)?,
        request: row.get(2)?,
        terms: row.json(3)?,
        since: row.get(4)?,
        due_at: row.get(5)?,
        outcome,
    })
}

/// Adds one that goes on.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx, new: &Setup) -> Result<(), StoreError> {
    let terms = serde_json::to_string(&new.terms).map_err(|bad| StoreError::Corrupt { column: 3, reason: bad.to_string() })?;
    tx.execute(
        "insert into subscription_setups (organization_id, subscription_id, request_id, terms, since, due_at) values ($1, $2, $3, $4, $5, $6)",
        params![new.organization, new.subscription, new.request, terms, new.since, new.due_at],
    )
    .await?;
    Ok(())
}

/// Those of several subscriptions, each with whoever said how it went, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn of(
    conn: &mut Conn,
    subscriptions: &[(OrganizationId, SubscriptionId)],
) -> Result<BTreeMap<SubscriptionId, (Setup, Option<(UserId, String)>)>, StoreError> {
    let given: Vec<Vec<Value>> = subscriptions.iter().map(|(organization, id)| values![*organization, *id]).collect();
    let sql = format!(
        "with given (organization_id, id) as ({{rows}})
         select {COLUMNS}, p.name from given cross join subscription_setups u left join users p on p.id = u.done_by
         where u.organization_id = given.organization_id and u.subscription_id = given.id"
    );
    let mut found = BTreeMap::new();
    for row in conn.fetch_given(&sql, &given).await? {
        let setup = setup(&row)?;
        let by = setup.outcome.as_ref().and_then(|outcome| outcome.by).zip(row.get::<Option<String>>(9)?);
        found.insert(setup.subscription, (setup, by));
    }
    Ok(found)
}

/// Writes how it went.
///
/// # Errors
/// Those of the database.
pub async fn finish(tx: &mut Tx, organization: OrganizationId, subscription: SubscriptionId, outcome: &Outcome) -> Result<(), StoreError> {
    tx.execute(
        "update subscription_setups set done_at = $3, done_by = $4, failed = $5 where organization_id = $1 and subscription_id = $2",
        params![organization, subscription, outcome.at, outcome.by, outcome.failed.as_deref()],
    )
    .await?;
    Ok(())
}

/// Subscriptions that were not set up in time, the oldest first.
///
/// # Errors
/// Those of the database.
pub async fn due(conn: &mut Conn, now: Ts, limit: i64) -> Result<Vec<(OrganizationId, SubscriptionId)>, StoreError> {
    let sql = "select s.organization_id, s.id from subscriptions s
               join subscription_setups u on u.organization_id = s.organization_id and u.subscription_id = s.id
               where s.state = 'provisioning' and u.due_at <= $1 order by u.due_at, s.id limit $2";
    conn.fetch_all(sql, params![now, limit]).await?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}
