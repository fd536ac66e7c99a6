//! The subscriptions of one service, whoever subscribes: what a move of the service concerns.

use stoa_domain::{
    ids::{OrganizationId, ServiceId},
    services::{Level, Service},
    subscriptions::Subscription,
    time::Ts,
};

use super::{COLUMNS, LIVE, lock_where, subscription, with_named};
use crate::{
    Conn, StoreError, Tx, Value, params,
    users::{columns_of, placeholders},
};

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
    let asked = "provider_id = $1 and service_id = $2 and state = 'requested'";
    lock_where(tx, asked, params![provider, service]).await?;
    let sql = format!("update subscriptions set state = 'withdrawn', ended_at = $3 where {asked}");
    tx.execute(&sql, params![provider, service, now]).await?;
    Ok(())
}

/// What is in force and not on its way to another level.
const UNMOVED: &str = "s.state in ('active', 'suspended', 'ending')
         and not exists (select 1 from level_change_parts p join level_changes l on l.organization_id = p.organization_id
           and l.id = p.change_id where p.organization_id = s.organization_id and p.old_id = s.id and l.state in ('accepted', 'switched'))
         and not exists (select 1 from subscription_suspensions x where x.organization_id = s.organization_id
           and x.subscription_id = s.id and x.cause = 'level_change' and x.until is null)";

/// The subscriptions that some organizations have of some services and that are in force, whatever their level, and not on
/// their way to another one.
///
/// # Errors
/// Those of the database.
pub async fn list_unmoved(
    conn: &mut Conn,
    organizations: &[OrganizationId],
    services: &[ServiceId],
) -> Result<Vec<Subscription>, StoreError> {
    if organizations.is_empty() || services.is_empty() {
        return Ok(Vec::new());
    }
    let columns = columns_of("s", COLUMNS);
    let sql = format!(
        "select {columns} from subscriptions s where s.organization_id in ({}) and s.service_id in ({}) and {UNMOVED}
         order by s.organization_id, s.id",
        placeholders(1, organizations.len()),
        placeholders(1 + organizations.len(), services.len())
    );
    let values: Vec<Value> = organizations.iter().map(Value::from).chain(services.iter().map(Value::from)).collect();
    let rows = conn.fetch_all(&sql, &values).await?;
    with_named(conn, &rows).await
}

/// The subscriptions of a service that are in force under a contract at another level and not on their way to it yet: of one
/// organization, or of the next ones after another, so many organizations at most.
///
/// # Errors
/// Those of the database.
pub async fn list_at_other_level(
    conn: &mut Conn,
    service: &Service,
    level: Level,
    of: Option<OrganizationId>,
    after: Option<OrganizationId>,
    limit: i64,
) -> Result<Vec<Subscription>, StoreError> {
    let at = format!(
        "s.provider_id = $1 and s.service_id = $2 and {UNMOVED}
         and exists (select 1 from contracts c where c.organization_id = s.provider_id and c.id = s.contract_id and c.level <> $3)
         and (cast($4 as bytea) is null or s.organization_id = $4) and (cast($5 as bytea) is null or s.organization_id > $5)"
    );
    let columns = columns_of("s", COLUMNS);
    let sql = format!(
        "select {columns} from subscriptions s where {at} and s.organization_id in
           (select distinct s.organization_id from subscriptions s where {at} order by s.organization_id limit $6)
         order by s.organization_id, s.id"
    );
    let rows = conn.fetch_all(&sql, params![service.provider, service.id, level.word(), of, after, limit]).await?;
    with_named(conn, &rows).await
}
