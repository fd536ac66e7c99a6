//! How services are subscribed.

use stoa_domain::{
    ids::{OrganizationId, ServiceId},
    services::Manner,
};

use crate::{Conn, Row, StoreError, Tx, params};

/// How a service is subscribed.
///
/// # Errors
/// Those of the database.
pub async fn manner(conn: &mut Conn, provider: OrganizationId, id: ServiceId) -> Result<Manner, StoreError> {
    let row =
        conn.fetch_optional("select several, setup from services where organization_id = $1 and id = $2", params![provider, id]).await?;
    row.map(|row| manner_at(&row, 0)).transpose().map(Option::unwrap_or_default)
}

/// Reads `several, setup` from that column on.
pub(crate) fn manner_at(row: &Row, from: usize) -> Result<Manner, StoreError> {
    Ok(Manner { several: row.get::<i64>(from)? == 1, setup: row.get::<i64>(from + 1)? == 1 })
}

/// Writes how a service is subscribed.
///
/// # Errors
/// Those of the database.
pub async fn set_manner(tx: &mut Tx, provider: OrganizationId, id: ServiceId, manner: Manner) -> Result<(), StoreError> {
    tx.execute(
        "update services set several = $3, setup = $4 where organization_id = $1 and id = $2",
        params![provider, id, manner.several, manner.setup],
    )
    .await?;
    Ok(())
}
