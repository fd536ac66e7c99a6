//! What held subscriptions up and when, and ends that were decided for later: those of now and those that are over.

use std::collections::BTreeMap;

use stoa_domain::{
    ids::{OrganizationId, SubscriptionId, UserId},
    suspensions::{Cause, Ending, Suspension},
    time::{Span, Ts},
};

use crate::{
    Conn, Row, StoreError, Tx, Value, params,
    users::{columns_of, placeholders},
    values,
};

const SUSPENSION: &str = "organization_id, subscription_id, id, cause, since, until, reason, set_by, lifted_by";
const ENDING: &str = "organization_id, subscription_id, id, since, ends_at, set_by, undone_at, undone_by";

fn suspension(row: &Row) -> Result<Suspension, StoreError> {
    Ok(Suspension {
        organization: row.get(0)?,
        subscription: row.get(1)?,
        id: row.get(2)?,
        cause: row.parse(3)?,
        since: row.get(4)?,
        until: row.get(5)?,
        reason: row.get(6)?,
        set_by: row.get(7)?,
        lifted_by: row.get(8)?,
    })
}

fn ending(row: &Row) -> Result<Ending, StoreError> {
    Ok(Ending {
        organization: row.get(0)?,
        subscription: row.get(1)?,
        id: row.get(2)?,
        since: row.get(3)?,
        ends_at: row.get(4)?,
        set_by: row.get(5)?,
        undone_at: row.get(6)?,
        undone_by: row.get(7)?,
    })
}

/// Adds a suspension.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx, new: &Suspension) -> Result<(), StoreError> {
    insert_many(tx, std::slice::from_ref(new)).await
}

/// Adds several suspensions in one statement.
///
/// # Errors
/// Those of the database.
pub async fn insert_many(tx: &mut Tx, new: &[Suspension]) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value>> = new
        .iter()
        .map(|one| {
            values![
                one.organization,
                one.subscription,
                one.id,
                one.cause.word(),
                one.since,
                one.until,
                &one.reason,
                one.set_by,
                one.lifted_by,
            ]
        })
        .collect();
    tx.insert_many(&format!("insert into subscription_suspensions ({SUSPENSION})"), 9, &rows, "").await?;
    Ok(())
}

/// Lifts one cause of several subscriptions of an organization.
///
/// # Errors
/// Those of the database.
pub async fn lift_cause(
    tx: &mut Tx,
    organization: OrganizationId,
    of: &[SubscriptionId],
    cause: Cause,
    now: Ts,
    by: Option<UserId>,
) -> Result<(), StoreError> {
    if of.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "update subscription_suspensions set until = $3, lifted_by = $4
         where organization_id = $1 and cause = $2 and until is null and subscription_id in ({})",
        placeholders(5, of.len())
    );
    let mut values = values![organization, cause.word(), now, by];
    values.extend(of.iter().map(Value::from));
    tx.execute(&sql, &values).await?;
    Ok(())
}

/// Lifts a suspension.
///
/// # Errors
/// Those of the database.
pub async fn lift(tx: &mut Tx, of: &Suspension, now: Ts, by: Option<UserId>) -> Result<(), StoreError> {
    tx.execute(
        "update subscription_suspensions set until = $4, lifted_by = $5
         where organization_id = $1 and subscription_id = $2 and id = $3 and until is null",
        params![of.organization, of.subscription, of.id, now, by],
    )
    .await?;
    Ok(())
}

/// Adds an end that was decided for later.
///
/// # Errors
/// Those of the database.
pub async fn insert_ending(tx: &mut Tx, new: &Ending) -> Result<(), StoreError> {
    let sql = format!("insert into subscription_endings ({ENDING}) values ($1, $2, $3, $4, $5, $6, $7, $8)");
    let values = params![new.organization, new.subscription, new.id, new.since, new.ends_at, new.set_by, new.undone_at, new.undone_by];
    tx.execute(&sql, values).await?;
    Ok(())
}

/// Takes back the end of a subscription that was decided for later.
///
/// # Errors
/// Those of the database.
pub async fn undo_ending(
    tx: &mut Tx,
    organization: OrganizationId,
    subscription: SubscriptionId,
    now: Ts,
    by: Option<UserId>,
) -> Result<(), StoreError> {
    tx.execute(
        "update subscription_endings set undone_at = $3, undone_by = $4
         where organization_id = $1 and subscription_id = $2 and undone_at is null",
        params![organization, subscription, now, by],
    )
    .await?;
    Ok(())
}

fn of_some(columns: &str, table: &str, organization: OrganizationId, ids: &[SubscriptionId]) -> (String, Vec<Value>) {
    let sql = format!(
        "select {columns} from {table} where organization_id = $1 and subscription_id in ({}) order by since, id",
        placeholders(2, ids.len())
    );
    (sql, std::iter::once(Value::from(organization)).chain(ids.iter().map(Value::from)).collect())
}

/// All suspensions of some subscriptions of an organization, in the order in which they began.
///
/// # Errors
/// Those of the database.
pub async fn history(conn: &mut Conn, organization: OrganizationId, ids: &[SubscriptionId]) -> Result<Vec<Suspension>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let (sql, values) = of_some(SUSPENSION, "subscription_suspensions", organization, ids);
    conn.fetch_all(&sql, &values).await?.iter().map(suspension).collect()
}

/// All ends of some subscriptions of an organization that were decided for later, in the order of the decisions.
///
/// # Errors
/// Those of the database.
pub async fn endings(conn: &mut Conn, organization: OrganizationId, ids: &[SubscriptionId]) -> Result<Vec<Ending>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let (sql, values) = of_some(ENDING, "subscription_endings", organization, ids);
    conn.fetch_all(&sql, &values).await?.iter().map(ending).collect()
}

/// What holds a subscription up now.
///
/// # Errors
/// Those of the database.
pub async fn open(conn: &mut Conn, organization: OrganizationId, id: SubscriptionId) -> Result<Vec<Suspension>, StoreError> {
    let sql = format!(
        "select {SUSPENSION} from subscription_suspensions where organization_id = $1 and subscription_id = $2 and until is null
         order by since, id"
    );
    conn.fetch_all(&sql, params![organization, id]).await?.iter().map(suspension).collect()
}

/// What holds some subscriptions up now, whoever subscribed.
///
/// # Errors
/// Those of the database.
pub async fn open_of(conn: &mut Conn, of: &[(OrganizationId, SubscriptionId)]) -> Result<Vec<Suspension>, StoreError> {
    let given: Vec<Vec<Value>> = of.iter().map(|(organization, id)| vec![Value::from(organization), Value::from(id)]).collect();
    let columns = columns_of("x", SUSPENSION);
    let sql = format!(
        "with given (organization_id, subscription_id) as ({{rows}})
         select distinct {columns} from given cross join subscription_suspensions x
         where x.organization_id = given.organization_id and x.subscription_id = given.subscription_id and x.until is null
         order by x.since, x.id"
    );
    conn.fetch_given(&sql, &given).await?.iter().map(suspension).collect()
}

/// When the subscriptions of an organization (or some of them) were held up and by what, as far as it lies at or after an
/// instant and before another.
///
/// # Errors
/// Those of the database.
pub async fn spans(
    conn: &mut Conn,
    organization: OrganizationId,
    only: Option<&[SubscriptionId]>,
    from: Ts,
    to: Ts,
) -> Result<BTreeMap<SubscriptionId, Vec<(Cause, Span)>>, StoreError> {
    let some = only.map_or_else(String::new, |ids| format!(" and subscription_id in ({})", placeholders(4, ids.len())));
    let sql = format!(
        "select subscription_id, since, until, cause from subscription_suspensions
         where organization_id = $1 and since < $3 and (until is null or until > $2){some}"
    );
    let values = [Value::from(organization), from.into(), to.into()].into_iter();
    let values: Vec<Value> = values.chain(only.unwrap_or_default().iter().map(Value::from)).collect();
    let mut found: BTreeMap<SubscriptionId, Vec<(Cause, Span)>> = BTreeMap::new();
    for row in conn.fetch_all(&sql, &values).await? {
        found.entry(row.get(0)?).or_default().push((row.parse(3)?, Span::new(row.get(1)?, row.get(2)?)));
    }
    Ok(found)
}

/// When each of some subscriptions was held up, whoever subscribed.
///
/// # Errors
/// Those of the database.
pub async fn spans_of(conn: &mut Conn, of: &[(OrganizationId, SubscriptionId)]) -> Result<BTreeMap<SubscriptionId, Vec<Span>>, StoreError> {
    let given: Vec<Vec<Value>> = of.iter().map(|(organization, id)| vec![Value::from(organization), Value::from(id)]).collect();
    let rows = conn
        .fetch_given(
            "with given (organization_id, subscription_id) as ({rows})
             select x.subscription_id, x.since, x.until from given cross join subscription_suspensions x
             where x.organization_id = given.organization_id and x.subscription_id = given.subscription_id",
            &given,
        )
        .await?;
    let mut found: BTreeMap<SubscriptionId, Vec<Span>> = BTreeMap::new();
    for row in &rows {
        found.entry(row.get(0)?).or_default().push(Span::new(row.get(1)?, row.get(2)?));
    }
    Ok(found)
}
