//! Grants: the rights of services to use projects' data, those of now and those that are over.

use stoa_domain::{
    ids::{GrantId, OrganizationId, ProjectId, RequestId, SubscriptionId, UserId},
    locks::GrantTerms,
    time::Ts,
};

use crate::{Conn, Row, StoreError, Tx, Value, params, users::placeholders, values};

/// A grant as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptGrant {
    /// Its id.
    pub id: GrantId,
    /// The subscription whose service may use the project.
    pub subscription: SubscriptionId,
    /// The project.
    pub project: ProjectId,
    /// Its first instant.
    pub since: Ts,
    /// The first instant after it; `None` until it was closed.
    pub until: Option<Ts>,
    /// The instant from which it opens nothing any more, where one was set, whether or not it was closed yet.
    pub ends_at: Option<Ts>,
    /// What the service uses the project for; mostly empty.
    pub purpose: String,
    /// By whose approval.
    pub approved_by: Option<UserId>,
    /// The request that was approved.
    pub request: Option<RequestId>,
}

impl KeptGrant {
    /// The first instant after it, gone by or to come; `None` where it goes on without an end.
    pub fn end(&self) -> Option<Ts> {
        self.until.or(self.ends_at)
    }

    /// Whether it is in force.
    pub fn is_live(&self, now: Ts) -> bool {
        self.end().is_none_or(|end| end > now)
    }

    /// Its purpose and its end.
    pub fn terms(&self) -> GrantTerms {
        GrantTerms { purpose: self.purpose.clone(), until: self.ends_at }
    }
}

const COLUMNS: &str = "id, subscription_id, project_id, since, until, approved_by, request_id, ends_at, purpose";

/// When a grant that is closed at `$3` ends: at its own end, if that came first.
const CLOSED_AT: &str = "case when ends_at < $3 then ends_at else $3 end";

/// A grant from a row that begins with [`COLUMNS`].
pub(crate) fn grant(row: &Row) -> Result<KeptGrant, StoreError> {
    Ok(KeptGrant {
        id: row.get(0)?,
        subscription: row.get(1)?,
        project: row.get(2)?,
        since: row.get(3)?,
        until: row.get(4)?,
        approved_by: row.get(5)?,
        request: row.get(6)?,
        ends_at: row.get(7)?,
        purpose: row.get(8)?,
    })
}

/// Opens grants of one organization's subscriptions.
///
/// # Errors
/// Those of the database.
pub async fn insert_many(tx: &mut Tx, organization: OrganizationId, grants: &[KeptGrant]) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value>> = grants
        .iter()
        .map(|one| {
            values![
                organization,
                one.subscription,
                one.id,
                one.project,
                one.since,
                one.until,
                one.approved_by,
                one.request,
                one.ends_at,
                &one.purpose,
            ]
        })
        .collect();
    let head = "insert into grants (organization_id, subscription_id, id, project_id, since, until, approved_by, request_id, ends_at, \
                purpose)";
    tx.send_many(head, 10, &rows, "").await
}

/// Closes all live grants of a subscription.
///
/// # Errors
/// Those of the database.
pub async fn close_all(tx: &mut Tx, organization: OrganizationId, subscription: SubscriptionId, now: Ts) -> Result<(), StoreError> {
    close_all_of(tx, organization, &[subscription], now).await
}

/// Closes a subscription's live grants of these projects.
///
/// # Errors
/// Those of the database.
pub async fn close(
    tx: &mut Tx,
    organization: OrganizationId,
    subscription: SubscriptionId,
    projects: &[ProjectId],
    now: Ts,
) -> Result<(), StoreError> {
    for some in projects.chunks(10_000) {
        let sql = format!(
            "update grants set until = {CLOSED_AT}
             where organization_id = $1 and subscription_id = $2 and until is null and project_id in ({})",
            placeholders(4, some.len())
        );
        let mut values = values![organization, subscription, now];
        values.extend(some.iter().map(Value::from));
        tx.execute(&sql, &values).await?;
    }
    Ok(())
}

/// Closes all live grants of several subscriptions of an organization.
///
/// # Errors
/// Those of the database.
pub async fn close_all_of(tx: &mut Tx, organization: OrganizationId, of: &[SubscriptionId], now: Ts) -> Result<(), StoreError> {
    for some in of.chunks(10_000) {
        let sql = format!(
            "update grants set until = case when ends_at < $2 then ends_at else $2 end
             where organization_id = $1 and until is null and subscription_id in ({})",
            placeholders(3, some.len())
        );
        let mut values = values![organization, now];
        values.extend(some.iter().map(Value::from));
        tx.execute(&sql, &values).await?;
    }
    Ok(())
}

/// Closes all live grants of a project.
///
/// # Errors
/// Those of the database.
pub async fn close_project(tx: &mut Tx, organization: OrganizationId, project: ProjectId, now: Ts) -> Result<(), StoreError> {
    let sql = format!("update grants set until = {CLOSED_AT} where organization_id = $1 and project_id = $2 and until is null");
    tx.execute(&sql, params![organization, project, now]).await?;
    Ok(())
}

/// Closes the live grants that some subscriptions have of a project.
///
/// # Errors
/// Those of the database.
pub async fn close_project_of(
    tx: &mut Tx,
    organization: OrganizationId,
    project: ProjectId,
    subscriptions: &[SubscriptionId],
    now: Ts,
) -> Result<(), StoreError> {
    if subscriptions.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "update grants set until = {CLOSED_AT}
         where organization_id = $1 and project_id = $2 and until is null and subscription_id in ({})",
        placeholders(4, subscriptions.len())
    );
    let mut values = values![organization, project, now];
    values.extend(subscriptions.iter().map(Value::from));
    tx.execute(&sql, &values).await?;
    Ok(())
}

/// Closes all live grants of what an organization consumes or provides.
///
/// # Errors
/// Those of the database.
pub async fn close_organization(tx: &mut Tx, organization: OrganizationId, now: Ts) -> Result<(), StoreError> {
    tx.execute(
        "update grants set until = case when ends_at < $2 then ends_at else $2 end where organization_id = $1 and until is null",
        params![organization, now],
    )
    .await?;
    tx.execute(
        "update grants set until = case when ends_at < $2 then ends_at else $2 end where until is null
         and (organization_id, subscription_id) in (select organization_id, id from subscriptions where provider_id = $1)",
        params![organization, now],
    )
    .await?;
    Ok(())
}

/// Writes purpose and end of some live grants of a subscription.
///
/// # Errors
/// Those of the database.
pub async fn set_terms(tx: &mut Tx, organization: OrganizationId, changed: &[KeptGrant]) -> Result<(), StoreError> {
    // A row that is there already is changed; the rest of it is written as it is.
    let rows: Vec<Vec<Value>> = changed
        .iter()
        .map(|one| values![organization, one.subscription, one.id, one.project, one.since, one.ends_at, &one.purpose])
        .collect();
    let head = "insert into grants (organization_id, subscription_id, id, project_id, since, ends_at, purpose)";
    let tail = "on conflict (organization_id, subscription_id, id) do update set ends_at = excluded.ends_at, purpose = excluded.purpose";
    tx.insert_many(head, 7, &rows, tail).await?;
    Ok(())
}

/// Which subscriptions have grants whose end has come and that are not closed yet, the longest over first.
///
/// # Errors
/// Those of the database.
pub async fn due(conn: &mut Conn, now: Ts, limit: i64) -> Result<Vec<(OrganizationId, SubscriptionId)>, StoreError> {
    let sql = "select organization_id, subscription_id from grants where ends_at <= $1 and until is null
               group by organization_id, subscription_id order by min(ends_at), subscription_id limit $2";
    conn.fetch_all(sql, params![now, limit]).await?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// The grants of a subscription that are not closed; the end of some may have come already.
///
/// # Errors
/// Those of the database.
pub async fn unclosed(conn: &mut Conn, organization: OrganizationId, subscription: SubscriptionId) -> Result<Vec<KeptGrant>, StoreError> {
    let sql = format!("select {COLUMNS} from grants where organization_id = $1 and subscription_id = $2 and until is null order by id");
    conn.fetch_all(&sql, params![organization, subscription]).await?.iter().map(grant).collect()
}

/// The live grants of a subscription.
///
/// # Errors
/// Those of the database.
pub async fn live(
    conn: &mut Conn,
    organization: OrganizationId,
    subscription: SubscriptionId,
    now: Ts,
) -> Result<Vec<KeptGrant>, StoreError> {
    let mut found = unclosed(conn, organization, subscription).await?;
    found.retain(|grant| grant.is_live(now));
    Ok(found)
}

/// The live grants of a project.
///
/// # Errors
/// Those of the database.
pub async fn live_of_project(
    conn: &mut Conn,
    organization: OrganizationId,
    project: ProjectId,
    now: Ts,
) -> Result<Vec<KeptGrant>, StoreError> {
    let sql = format!(
        "select {COLUMNS} from grants where organization_id = $1 and project_id = $2 and until is null
         and (ends_at is null or ends_at > $3) order by id"
    );
    conn.fetch_all(&sql, params![organization, project, now]).await?.iter().map(grant).collect()
}

/// The live grants of several subscriptions, with the organization that subscribed each.
///
/// # Errors
/// Those of the database.
pub async fn live_of(conn: &mut Conn, subscriptions: &[(OrganizationId, SubscriptionId)], now: Ts) -> Result<Vec<KeptGrant>, StoreError> {
    if subscriptions.is_empty() {
        return Ok(Vec::new());
    }
    let mut organizations: Vec<_> = subscriptions.iter().map(|one| one.0).collect();
    organizations.sort_unstable();
    organizations.dedup();
    let sql = format!(
        "select {COLUMNS} from grants where organization_id in ({}) and subscription_id in ({}) and until is null order by id",
        placeholders(1, organizations.len()),
        placeholders(1 + organizations.len(), subscriptions.len())
    );
    let values: Vec<Value> = organizations.into_iter().map(Value::from).chain(subscriptions.iter().map(|one| Value::from(one.1))).collect();
    let mut found = conn.fetch_all(&sql, &values).await?.iter().map(grant).collect::<Result<Vec<_>, _>>()?;
    found.retain(|grant| grant.is_live(now));
    Ok(found)
}

/// All grants that several subscriptions of an organization ever had, in the order in which they were opened.
///
/// # Errors
/// Those of the database.
pub async fn history(
    conn: &mut Conn,
    organization: OrganizationId,
    subscriptions: &[SubscriptionId],
) -> Result<Vec<KeptGrant>, StoreError> {
    let mut found = Vec::new();
    for some in subscriptions.chunks(10_000) {
        let sql = format!(
            "select {COLUMNS} from grants where organization_id = $1 and subscription_id in ({}) order by since, id",
            placeholders(2, some.len())
        );
        let values: Vec<Value> = std::iter::once(Value::from(organization)).chain(some.iter().map(Value::from)).collect();
        for row in conn.fetch_all(&sql, &values).await? {
            found.push(grant(&row)?);
        }
    }
    Ok(found)
}
