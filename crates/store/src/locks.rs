//! Locks that keep services out of projects: those of now and those that were lifted.

use std::collections::{BTreeMap, BTreeSet};

use stoa_domain::{
    ids::{LockId, OrganizationId, ProjectId, ServiceId, UserId},
    locks::Lock,
    time::Ts,
};

use crate::{
    Conn, Row, StoreError, Tx, Value, params,
    users::{columns_of, placeholders},
};

const COLUMNS: &str = "organization_id, project_id, id, service_id, reason, set_by, since, until, lifted_by";

fn lock(row: &Row) -> Result<Lock, StoreError> {
    Ok(Lock {
        organization: row.get(0)?,
        project: row.get(1)?,
        id: row.get(2)?,
        service: row.get(3)?,
        reason: row.get(4)?,
        set_by: row.get(5)?,
        since: row.get(6)?,
        until: row.get(7)?,
        lifted_by: row.get(8)?,
    })
}

/// Adds a lock.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx, new: &Lock) -> Result<(), StoreError> {
    let sql = format!("insert into project_locks ({COLUMNS}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)");
    let values = params![new.organization, new.project, new.id, new.service, &new.reason, new.set_by, new.since, new.until, new.lifted_by,];
    tx.execute(&sql, values).await?;
    Ok(())
}

/// Lifts a lock.
///
/// # Errors
/// Those of the database.
pub async fn lift(tx: &mut Tx, of: &Lock, now: Ts, by: UserId) -> Result<(), StoreError> {
    tx.execute(
        "update project_locks set until = $4, lifted_by = $5 where organization_id = $1 and project_id = $2 and id = $3",
        params![of.organization, of.project, of.id, now, by],
    )
    .await?;
    Ok(())
}

/// The locks of a project that are not lifted, the oldest first.
///
/// # Errors
/// Those of the database.
pub async fn of_project(conn: &mut Conn, organization: OrganizationId, project: ProjectId) -> Result<Vec<Lock>, StoreError> {
    let sql =
        format!("select {COLUMNS} from project_locks where organization_id = $1 and project_id = $2 and until is null order by since, id");
    conn.fetch_all(&sql, params![organization, project]).await?.iter().map(lock).collect()
}

/// A lock of a project that is not lifted.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, organization: OrganizationId, project: ProjectId, id: LockId) -> Result<Option<Lock>, StoreError> {
    let sql = format!("select {COLUMNS} from project_locks where organization_id = $1 and project_id = $2 and id = $3 and until is null");
    conn.fetch_optional(&sql, params![organization, project, id]).await?.as_ref().map(lock).transpose()
}

/// The projects of an organization from which each of some services is kept out.
///
/// # Errors
/// Those of the database.
pub async fn keeping_out(
    conn: &mut Conn,
    organization: OrganizationId,
    services: &[ServiceId],
) -> Result<BTreeMap<ServiceId, BTreeSet<ProjectId>>, StoreError> {
    let mut found: BTreeMap<ServiceId, BTreeSet<ProjectId>> = BTreeMap::new();
    if services.is_empty() {
        return Ok(found);
    }
    let sql = format!(
        "select l.project_id, l.service_id from project_locks l
         join projects p on p.organization_id = l.organization_id and p.id = l.project_id and p.deleted_at is null
         where l.organization_id = $1 and l.until is null and (l.service_id is null or l.service_id in ({}))",
        placeholders(2, services.len())
    );
    let values: Vec<Value> = std::iter::once(Value::from(organization)).chain(services.iter().map(Value::from)).collect();
    for row in conn.fetch_all(&sql, &values).await? {
        let project: ProjectId = row.get(0)?;
        match row.get::<Option<ServiceId>>(1)? {
            Some(service) => _ = found.entry(service).or_default().insert(project),
            None => services.iter().for_each(|service| _ = found.entry(*service).or_default().insert(project)),
        }
    }
    Ok(found)
}

/// The locks that keep a service out of an organization's projects, with the handles and names of the projects and the names
/// of who set them; by project.
///
/// # Errors
/// Those of the database.
pub async fn of_service(
    conn: &mut Conn,
    organization: OrganizationId,
    service: ServiceId,
) -> Result<Vec<(Lock, String, String, String)>, StoreError> {
    let columns = columns_of("l", COLUMNS);
    let sql = format!(
        "select {columns}, p.handle, p.name, u.name from project_locks l
         join projects p on p.organization_id = l.organization_id and p.id = l.project_id and p.deleted_at is null
         join users u on u.id = l.set_by
         where l.organization_id = $1 and l.until is null and (l.service_id is null or l.service_id = $2) order by p.name, l.id"
    );
    let rows = conn.fetch_all(&sql, params![organization, service]).await?;
    rows.iter().map(|row| Ok((lock(row)?, row.get(9)?, row.get(10)?, row.get(11)?))).collect()
}

/// Names of people and services for locks: who set each, and which service it keeps out; in one statement.
///
/// # Errors
/// Those of the database.
pub async fn names(
    conn: &mut Conn,
    organization: OrganizationId,
    project: ProjectId,
) -> Result<BTreeMap<LockId, (String, Option<(String, String)>)>, StoreError> {
    let rows = conn
        .fetch_all(
            "select l.id, u.name, v.handle, v.name from project_locks l join users u on u.id = l.set_by
             left join services v on v.id = l.service_id
             where l.organization_id = $1 and l.project_id = $2 and l.until is null",
            params![organization, project],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let service = row.get::<Option<String>>(2)?.zip(row.get::<Option<String>>(3)?);
            Ok((row.get(0)?, (row.get(1)?, service)))
        })
        .collect()
}
