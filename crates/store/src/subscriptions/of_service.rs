//! The subscriptions of one service, whoever subscribes: what a move of the service concerns.

use stoa_domain::{
    ids::{OrganizationId, ServiceId},
    subscriptions::Subscription,
    time::Ts,
};

use super::{COLUMNS, LIVE, subscription};
use crate::{Conn, StoreError, Tx, params};

/// All live subscriptions of a service, those only asked for included, in the order of their organizations. Their choices are
/// without the projects they name.
///
/// # Errors
/// Those of the database.
pub async fn list_of_service(conn: &mut Conn, provider: OrganizationId, service: ServiceId) -> Result<Vec<Subscription>, StoreError> {
    let sql = format!(
        "select {COLUMNS} from subscriptions where provider_id = $1 and service_id = $2 and state in {LIVE} order by organization_id, id"
    );
    conn.fetch_all(&sql, params![provider, service]).await?.iter().map(subscription).collect()
}

/// The organizations with a live subscription of a service, those that only asked included.
///
/// # Errors
/// Those of the database.
pub async fn subscribers(conn: &mut Conn, provider: OrganizationId, service: ServiceId) -> Result<Vec<OrganizationId>, StoreError> {
    let sql = format!("select distinct organization_id from subscriptions where provider_id = $1 and service_id = $2 and state in {LIVE}");
    conn.fetch_all(&sql, params![provider, service]).await?.iter().map(|row| row.get(0)).collect()
}

/// Withdraws all subscriptions of a service that were only asked for.
///
/// # Errors
/// Those of the database.
pub async fn withdraw_requested(tx: &mut Tx, provider: OrganizationId, service: ServiceId, now: Ts) -> Result<(), StoreError> {
    tx.execute(
        "update subscriptions set state = 'withdrawn', ended_at = $3 where provider_id = $1 and service_id = $2 and state = 'requested'",
        params![provider, service, now],
    )
    .await?;
    Ok(())
}
