//! Terms in time: the contracts and plans that subscriptions had from when on.

use std::collections::HashMap;

use stoa_domain::{
    ids::{OrganizationId, SubscriptionId},
    subscriptions::Subscription,
    terms::TermsSince,
};

use crate::{Conn, Row, StoreError, Tx, Value, params, users::placeholders, values};

fn terms(row: &Row) -> Result<(SubscriptionId, TermsSince), StoreError> {
    Ok((row.get(0)?, TermsSince { since: row.get(1)?, contract: row.get(2)?, plan: row.get(3)? }))
}

fn by_subscription(rows: &[Row]) -> Result<HashMap<SubscriptionId, Vec<TermsSince>>, StoreError> {
    let mut found: HashMap<SubscriptionId, Vec<TermsSince>> = HashMap::new();
    for row in rows {
        let (subscription, terms) = terms(row)?;
        found.entry(subscription).or_default().push(terms);
    }
    Ok(found)
}

/// Notes the terms that subscriptions have from an instant on. Of two changes at the same instant the later counts.
///
/// # Errors
/// Those of the database.
pub async fn insert_many(tx: &mut Tx, new: &[(OrganizationId, SubscriptionId, TermsSince)]) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value>> = new
        .iter()
        .map(|(organization, subscription, terms)| values![organization, subscription, terms.since, terms.contract, terms.plan])
        .collect();
    let head = "insert into subscription_terms (organization_id, subscription_id, since, contract_id, plan_id)";
    let tail = "on conflict (organization_id, subscription_id, since)
                do update set contract_id = excluded.contract_id, plan_id = excluded.plan_id";
    tx.send_many(head, 5, &rows, tail).await
}

/// Notes the terms of a new subscription, from when it was asked for.
///
/// # Errors
/// Those of the database.
pub async fn begin(tx: &mut Tx, new: &Subscription) -> Result<(), StoreError> {
    let terms = TermsSince { since: new.created_at, contract: new.contract, plan: new.plan };
    insert_many(tx, &[(new.organization, new.id, terms)]).await
}

/// Notes the terms of a subscription that is only asked for in place of all it had before.
///
/// # Errors
/// Those of the database.
pub async fn begin_anew(tx: &mut Tx, of: &Subscription) -> Result<(), StoreError> {
    let sql = "delete from subscription_terms where organization_id = $1 and subscription_id = $2";
    tx.execute(sql, params![of.organization, of.id]).await?;
    begin(tx, of).await
}

/// Gives a subscription other terms from an instant on, in its own row and in its history.
///
/// # Errors
/// Those of the database.
pub async fn change(tx: &mut Tx, changed: &Subscription, since: stoa_domain::time::Ts) -> Result<(), StoreError> {
    tx.execute(
        "update subscriptions set contract_id = $3, plan_id = $4 where organization_id = $1 and id = $2",
        params![changed.organization, changed.id, changed.contract, changed.plan],
    )
    .await?;
    let terms = TermsSince { since, contract: changed.contract, plan: changed.plan };
    insert_many(tx, &[(changed.organization, changed.id, terms)]).await
}

/// All terms that an organization's subscriptions (or some of them) ever had, each in the order of their beginnings.
///
/// # Errors
/// Those of the database.
pub async fn of_organization(
    conn: &mut Conn,
    organization: OrganizationId,
    only: Option<&[SubscriptionId]>,
) -> Result<HashMap<SubscriptionId, Vec<TermsSince>>, StoreError> {
    let select = "select subscription_id, since, contract_id, plan_id from subscription_terms where organization_id = $1";
    let mut sql = select.to_owned();
    let mut values = values![organization];
    if let Some(only) = only {
        if only.is_empty() {
            return Ok(HashMap::new());
        }
        sql.push_str(&format!(" and subscription_id in ({})", placeholders(2, only.len())));
        values.extend(only.iter().map(Value::from));
    }
    sql.push_str(" order by subscription_id, since");
    by_subscription(&conn.fetch_all(&sql, &values).await?)
}

/// All terms that subscriptions of several organizations ever had, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn of_many(
    conn: &mut Conn,
    of: impl IntoIterator<Item = (OrganizationId, SubscriptionId)>,
) -> Result<HashMap<SubscriptionId, Vec<TermsSince>>, StoreError> {
    let given: Vec<Vec<Value>> = of.into_iter().map(|(organization, subscription)| values![organization, subscription]).collect();
    let rows = conn
        .fetch_given(
            "with given (organization_id, subscription_id) as ({rows})
             select distinct t.subscription_id, t.since, t.contract_id, t.plan_id from given cross join subscription_terms t
             where t.organization_id = given.organization_id and t.subscription_id = given.subscription_id
             order by t.subscription_id, t.since",
            &given,
        )
        .await?;
    by_subscription(&rows)
}
