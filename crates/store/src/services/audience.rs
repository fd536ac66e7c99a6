//! The organizations that a private service is listed for.

use stoa_domain::{
    ids::{OrganizationId, ServiceId},
    organizations::Key,
    services::Service,
    time::Ts,
};

use crate::{Conn, Row, StoreError, Tx, Value, organizations::Named, params};

fn named(row: &Row) -> Result<Named, StoreError> {
    Ok(Named { id: row.get(0)?, handle: row.get(1)?, name: row.get(2)? })
}

/// An organization that may be named, whoever asks; `None` when there is none or it was deleted.
///
/// # Errors
/// Those of the database.
pub async fn organization(conn: &mut Conn, key: &Key<OrganizationId>) -> Result<Option<Named>, StoreError> {
    let (filter, value) = match key {
        Key::Id(id) => ("id = $1", Value::from(*id)),
        Key::Handle(handle) => ("handle = $1", Value::from(handle)),
    };
    let sql = format!("select id, handle, name from organizations where {filter} and deleted_at is null");
    conn.fetch_optional(&sql, &[value]).await?.as_ref().map(named).transpose()
}

/// The organizations that a service is listed for, by name, each with since when.
///
/// # Errors
/// Those of the database.
pub async fn list(conn: &mut Conn, provider: OrganizationId, service: ServiceId) -> Result<Vec<(Named, Ts)>, StoreError> {
    let rows = conn
        .fetch_all(
            "select o.id, o.handle, o.name, a.since from service_audience a
             join organizations o on o.id = a.audience_id and o.deleted_at is null
             where a.organization_id = $1 and a.service_id = $2 order by o.name, o.id",
            params![provider, service],
        )
        .await?;
    rows.iter().map(|row| Ok((named(row)?, row.get(3)?))).collect()
}

/// Whether a service is listed for an organization.
///
/// # Errors
/// Those of the database.
pub async fn contains(conn: &mut Conn, service: &Service, organization: OrganizationId) -> Result<bool, StoreError> {
    let sql = "select 1 from service_audience where organization_id = $1 and service_id = $2 and audience_id = $3";
    Ok(conn.fetch_optional(sql, params![service.provider, service.id, organization]).await?.is_some())
}

/// Lists a service for an organization; answers `false` when it was before.
///
/// # Errors
/// Those of the database.
pub async fn add(tx: &mut Tx, service: &Service, organization: OrganizationId, now: Ts) -> Result<bool, StoreError> {
    let rows = tx
        .execute(
            "insert into service_audience (organization_id, service_id, audience_id, since) values ($1, $2, $3, $4) on conflict do nothing",
            params![service.provider, service.id, organization, now],
        )
        .await?;
    Ok(rows > 0)
}

/// Lists a service for an organization no more; answers `false` when it was not before.
///
/// # Errors
/// Those of the database.
pub async fn remove(tx: &mut Tx, service: &Service, organization: OrganizationId) -> Result<bool, StoreError> {
    let sql = "delete from service_audience where organization_id = $1 and service_id = $2 and audience_id = $3";
    Ok(tx.execute(sql, params![service.provider, service.id, organization]).await? > 0)
}
