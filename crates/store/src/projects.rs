//! Projects.

use std::collections::BTreeSet;

use stoa_domain::{
    ids::{OrganizationId, ProjectId},
    organizations::Key,
    projects::Project,
    time::Ts,
};

use crate::{Conn, Row, StoreError, Tx, Value, params, users::placeholders};

const COLUMNS: &str = "p.id, p.handle, p.name, p.description, p.created_at, p.updated_at";

fn project(row: &Row) -> Result<Project, StoreError> {
    Ok(Project {
        id: row.get(0)?,
        handle: row.get(1)?,
        name: row.get(2)?,
        description: row.get(3)?,
        created_at: row.get(4)?,
        updated_at: row.get(5)?,
    })
}

/// Adds a project.
///
/// # Errors
/// [`StoreError::Duplicate`] when the handle is taken in the organization.
pub async fn insert(tx: &mut Tx, organization: OrganizationId, project: &Project) -> Result<(), StoreError> {
    tx.execute(
        "insert into projects (organization_id, id, handle, name, description, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
        params![organization, project.id, &project.handle, &project.name, &project.description, project.created_at, project.updated_at,],
    )
    .await?;
    Ok(())
}

/// Whether a handle is taken in an organization.
///
/// # Errors
/// Those of the database.
pub async fn handle_taken(conn: &mut Conn, organization: OrganizationId, handle: &str) -> Result<bool, StoreError> {
    let found =
        conn.fetch_optional("select id from projects where organization_id = $1 and handle = $2", params![organization, handle]).await?;
    Ok(found.is_some())
}

/// Writes changed details.
///
/// # Errors
/// Those of the database.
pub async fn update(tx: &mut Tx, organization: OrganizationId, project: &Project) -> Result<(), StoreError> {
    tx.execute(
        "update projects set name = $3, description = $4, updated_at = $5 where organization_id = $1 and id = $2",
        params![organization, project.id, &project.name, &project.description, project.updated_at],
    )
    .await?;
    Ok(())
}

/// Marks a project as deleted. Its name stays for its costs; its handle becomes free for another project, because the
/// row takes its id in place of it, which no handle can be.
///
/// # Errors
/// Those of the database.
pub async fn delete(tx: &mut Tx, organization: OrganizationId, id: ProjectId, now: Ts) -> Result<(), StoreError> {
    tx.execute(
        "update projects set deleted_at = $3, handle = $4 where organization_id = $1 and id = $2",
        params![organization, id, now, id.to_string()],
    )
    .await?;
    Ok(())
}

/// A project of an organization by handle or id; `None` when there is none or it was deleted.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, organization: OrganizationId, key: &Key<ProjectId>) -> Result<Option<Project>, StoreError> {
    let (filter, value) = match key {
        Key::Id(id) => ("p.id = $2", Value::from(*id)),
        Key::Handle(handle) => ("p.handle = $2", Value::from(handle)),
    };
    let sql = format!("select {COLUMNS} from projects p where p.organization_id = $1 and {filter} and p.deleted_at is null");
    conn.fetch_optional(&sql, &[Value::from(organization), value]).await?.as_ref().map(project).transpose()
}

/// The ids of an organization's projects that are not deleted.
///
/// # Errors
/// Those of the database.
pub async fn list_ids(conn: &mut Conn, organization: OrganizationId) -> Result<BTreeSet<ProjectId>, StoreError> {
    conn.fetch_all("select id from projects where organization_id = $1 and deleted_at is null", params![organization])
        .await?
        .iter()
        .map(|row| row.get(0))
        .collect()
}

/// Handles and names of projects, deleted ones included; a deleted one has its id for a handle.
///
/// # Errors
/// Those of the database.
pub async fn names(
    conn: &mut Conn,
    organization: OrganizationId,
    ids: &[ProjectId],
) -> Result<Vec<(ProjectId, String, String)>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!("select id, handle, name from projects where organization_id = $1 and id in ({})", placeholders(2, ids.len()));
    let values: Vec<Value> = std::iter::once(Value::from(organization)).chain(ids.iter().map(Value::from)).collect();
    conn.fetch_all(&sql, &values).await?.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).collect()
}

/// The names of the services that have a live grant on each of some projects, in the order of their names.
///
/// # Errors
/// Those of the database.
pub async fn services_using(
    conn: &mut Conn,
    organization: OrganizationId,
    ids: &[ProjectId],
    now: Ts,
) -> Result<Vec<(ProjectId, String)>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "select distinct g.project_id, v.name from grants g
         join subscriptions s on s.organization_id = g.organization_id and s.id = g.subscription_id
         join services v on v.organization_id = s.provider_id and v.id = s.service_id
         where g.organization_id = $1 and g.until is null and (g.ends_at is null or g.ends_at > $2) and g.project_id in ({})
         order by v.name, g.project_id",
        placeholders(3, ids.len())
    );
    let values: Vec<Value> = [organization.into(), now.into()].into_iter().chain(ids.iter().map(Value::from)).collect();
    conn.fetch_all(&sql, &values).await?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// A project with how many resources it holds and how many bytes they have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The project.
    pub project: Project,
    /// How many resources.
    pub resources: i64,
    /// How many bytes.
    pub bytes: i64,
}

/// A page of an organization's projects in the order of their names; `after` is name and id of the last one of the page
/// before.
///
/// # Errors
/// Those of the database.
pub async fn list(
    conn: &mut Conn,
    organization: OrganizationId,
    after: Option<(&str, ProjectId)>,
    limit: i64,
) -> Result<Vec<Listed>, StoreError> {
    let counted = format!(
        "select {COLUMNS},
           (select count(*) from resources r where r.organization_id = p.organization_id and r.project_id = p.id),
           (select cast(coalesce(sum(r.size), 0) as bigint) from resources r
             where r.organization_id = p.organization_id and r.project_id = p.id)
         from projects p where p.organization_id = $1 and p.deleted_at is null"
    );
    let rows = match after {
        None => conn.fetch_all(&format!("{counted} order by p.name, p.id limit $2"), params![organization, limit]).await?,
        Some((name, id)) => {
            let sql = format!("{counted} and (p.name, p.id) > ($3, $4) order by p.name, p.id limit $2");
            conn.fetch_all(&sql, params![organization, limit, name, id]).await?
        }
    };
    rows.iter().map(|row| Ok(Listed { project: project(row)?, resources: row.get(6)?, bytes: row.get(7)? })).collect()
}
