//! Grants: the rights of services to use projects' data, those of now and those that are over.

use stoa_domain::{
    ids::{GrantId, OrganizationId, PlanId, ProjectId, RequestId, ServiceId, SubscriptionId, UserId},
    subscriptions::SubscriptionState,
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
    /// The first instant after it; `None` while it goes on.
    pub until: Option<Ts>,
    /// By whose approval.
    pub approved_by: Option<UserId>,
    /// The request that was approved.
    pub request: Option<RequestId>,
}

const COLUMNS: &str = "id, subscription_id, project_id, since, until, approved_by, request_id";

fn grant(row: &Row) -> Result<KeptGrant, StoreError> {
    Ok(KeptGrant {
        id: row.get(0)?,
        subscription: row.get(1)?,
        project: row.get(2)?,
        since: row.get(3)?,
        until: row.get(4)?,
        approved_by: row.get(5)?,
        request: row.get(6)?,
    })
}

/// Opens grants of one organization's subscriptions.
///
/// # Errors
/// Those of the database.
pub async fn insert_many(tx: &mut Tx, organization: OrganizationId, grants: &[KeptGrant]) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value>> = grants
        .iter()
        .map(|one| values![organization, one.subscription, one.id, one.project, one.since, one.until, one.approved_by, one.request])
        .collect();
    let head = "insert into grants (organization_id, subscription_id, id, project_id, since, until, approved_by, request_id)";
    tx.insert_many(head, 8, &rows, "").await?;
    Ok(())
}

/// Closes all live grants of a subscription.
///
/// # Errors
/// Those of the database.
pub async fn close_all(tx: &mut Tx, organization: OrganizationId, subscription: SubscriptionId, now: Ts) -> Result<(), StoreError> {
    tx.execute(
        "update grants set until = $3 where organization_id = $1 and subscription_id = $2 and until is null",
        params![organization, subscription, now],
    )
    .await?;
    Ok(())
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
            "update grants set until = $3 where organization_id = $1 and subscription_id = $2 and until is null and project_id in ({})",
            placeholders(4, some.len())
        );
        let mut values = values![organization, subscription, now];
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
    tx.execute(
        "update grants set until = $3 where organization_id = $1 and project_id = $2 and until is null",
        params![organization, project, now],
    )
    .await?;
    Ok(())
}

/// Closes all live grants of what an organization consumes or provides.
///
/// # Errors
/// Those of the database.
pub async fn close_organization(tx: &mut Tx, organization: OrganizationId, now: Ts) -> Result<(), StoreError> {
    tx.execute("update grants set until = $2 where organization_id = $1 and until is null", params![organization, now]).await?;
    tx.execute(
        "update grants set until = $2 where until is null
         and (organization_id, subscription_id) in (select organization_id, id from subscriptions where provider_id = $1)",
        params![organization, now],
    )
    .await?;
    Ok(())
}

/// The live grants of a subscription.
///
/// # Errors
/// Those of the database.
pub async fn live(conn: &mut Conn, organization: OrganizationId, subscription: SubscriptionId) -> Result<Vec<KeptGrant>, StoreError> {
    let sql = format!("select {COLUMNS} from grants where organization_id = $1 and subscription_id = $2 and until is null order by id");
    conn.fetch_all(&sql, params![organization, subscription]).await?.iter().map(grant).collect()
}

/// The live grants of several subscriptions, with the organization that subscribed each.
///
/// # Errors
/// Those of the database.
pub async fn live_of(conn: &mut Conn, subscriptions: &[(OrganizationId, SubscriptionId)]) -> Result<Vec<KeptGrant>, StoreError> {
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
    conn.fetch_all(&sql, &values).await?.iter().map(grant).collect()
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

/// Which grants of an organization the map shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MapFilter {
    /// Those in force at this instant.
    pub at: Ts,
    /// Of this service only.
    pub service: Option<ServiceId>,
    /// Of this project only.
    pub project: Option<ProjectId>,
    /// After this one, the last of the page before.
    pub after: Option<(SubscriptionId, GrantId)>,
}

/// One line of the map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapRow {
    /// The grant.
    pub grant: KeptGrant,
    /// The service that may use the project.
    pub service: ServiceId,
    /// Its provider.
    pub provider: OrganizationId,
    /// The plan, which tells the contract that names the permissions.
    pub plan: PlanId,
    /// Where the subscription is now.
    pub state: SubscriptionState,
}

/// A page of the map of an organization: which service might use which project's data at an instant.
///
/// # Errors
/// Those of the database.
pub async fn map(conn: &mut Conn, organization: OrganizationId, filter: MapFilter, limit: i64) -> Result<Vec<MapRow>, StoreError> {
    let mut sql = String::from(
        "select g.id, g.subscription_id, g.project_id, g.since, g.until, g.approved_by, g.request_id,
                s.service_id, s.provider_id, s.plan_id, s.state
         from grants g join subscriptions s on s.organization_id = g.organization_id and s.id = g.subscription_id
         where g.organization_id = $1 and g.since <= $2 and (g.until is null or g.until > $2)",
    );
    let mut values = values![organization, filter.at];
    if let Some(service) = filter.service {
        values.push(service.into());
        sql.push_str(&format!(" and s.service_id = ${}", values.len()));
    }
    if let Some(project) = filter.project {
        values.push(project.into());
        sql.push_str(&format!(" and g.project_id = ${}", values.len()));
    }
    if let Some((subscription, grant)) = filter.after {
        values.extend(values![subscription, grant]);
        sql.push_str(&format!(" and (g.subscription_id, g.id) > (${}, ${})", values.len() - 1, values.len()));
    }
    values.push(limit.into());
    sql.push_str(&format!(" order by g.subscription_id, g.id limit ${}", values.len()));
    let rows = conn.fetch_all(&sql, &values).await?;
    rows.iter()
        .map(|row| Ok(MapRow { grant: grant(row)?, service: row.get(7)?, provider: row.get(8)?, plan: row.get(9)?, state: row.parse(10)? }))
        .collect()
}
