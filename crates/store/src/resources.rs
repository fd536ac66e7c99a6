//! What is known of resources; their bytes lie in [`blobs`](crate::blobs).

use stoa_domain::{
    ids::{OrganizationId, ProjectId},
    resources::Resource,
};

use crate::{Conn, Row, StoreError, Tx, params};

const COLUMNS: &str = "id, name, media_type, size, etag, blob_key, created_at, updated_at";

fn resource(row: &Row) -> Result<Resource, StoreError> {
    Ok(Resource {
        id: row.get(0)?,
        name: row.get(1)?,
        media_type: row.get(2)?,
        size: row.get(3)?,
        etag: row.get(4)?,
        blob_key: row.get(5)?,
        created_at: row.get(6)?,
        updated_at: row.get(7)?,
    })
}

/// A resource of a project by its name.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, organization: OrganizationId, project: ProjectId, name: &str) -> Result<Option<Resource>, StoreError> {
    let sql = format!("select {COLUMNS} from resources where organization_id = $1 and project_id = $2 and name = $3");
    conn.fetch_optional(&sql, params![organization, project, name]).await?.as_ref().map(resource).transpose()
}

/// A page of a project's resources in the order of their names; `after` is the last name of the page before.
///
/// # Errors
/// Those of the database.
pub async fn list(
    conn: &mut Conn,
    organization: OrganizationId,
    project: ProjectId,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Resource>, StoreError> {
    // No name is empty, so all names come after the empty one.
    let sql =
        format!("select {COLUMNS} from resources where organization_id = $1 and project_id = $2 and name > $3 order by name limit $4");
    conn.fetch_all(&sql, params![organization, project, after.unwrap_or(""), limit]).await?.iter().map(resource).collect()
}

/// How many resources a project holds, and how many bytes they have.
///
/// # Errors
/// Those of the database.
pub async fn totals(conn: &mut Conn, organization: OrganizationId, project: ProjectId) -> Result<(i64, i64), StoreError> {
    let row = conn
        .fetch_one(
            "select count(*), cast(coalesce(sum(size), 0) as bigint) from resources where organization_id = $1 and project_id = $2",
            params![organization, project],
        )
        .await?;
    Ok((row.get(0)?, row.get(1)?))
}

/// Adds a resource, or puts it in the place of the one with the same name.
///
/// # Errors
/// Those of the database.
pub async fn put(tx: &mut Tx, organization: OrganizationId, project: ProjectId, resource: &Resource) -> Result<(), StoreError> {
    tx.execute(
        "insert into resources (organization_id, project_id, name, id, media_type, size, etag, blob_key, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         on conflict (organization_id, project_id, name) do update
           set media_type = excluded.media_type, size = excluded.size, etag = excluded.etag, blob_key = excluded.blob_key,
               updated_at = excluded.updated_at",
        params![
            organization,
            project,
            &resource.name,
            resource.id,
            &resource.media_type,
            resource.size,
            &resource.etag,
            &resource.blob_key,
            resource.created_at,
            resource.updated_at,
        ],
    )
    .await?;
    Ok(())
}

/// Removes a resource.
///
/// # Errors
/// Those of the database.
pub async fn delete(tx: &mut Tx, organization: OrganizationId, project: ProjectId, name: &str) -> Result<(), StoreError> {
    tx.execute("delete from resources where organization_id = $1 and project_id = $2 and name = $3", params![organization, project, name])
        .await?;
    Ok(())
}

/// Removes all resources of a project; their blobs must be abandoned before.
///
/// # Errors
/// Those of the database.
pub async fn delete_all(tx: &mut Tx, organization: OrganizationId, project: ProjectId) -> Result<u64, StoreError> {
    tx.execute("delete from resources where organization_id = $1 and project_id = $2", params![organization, project]).await
}
