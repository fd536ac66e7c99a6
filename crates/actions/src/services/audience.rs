//! Whom a private service is listed for, by name.

use serde_json::json;
use stoa_domain::{
    events::{EventKind, Subject},
    ids::{OrganizationId, ServiceId},
    organizations::Key,
    permissions::Permission,
    services::Service,
    time::Ts,
};
use stoa_store::{
    Conn,
    organizations::Named,
    services::audience::{self, organization},
};

use super::{own, own_locked};
use crate::{Act, Caller, Error, Result};

/// The most organizations that one service names.
pub const MOST: usize = 500;

/// The organizations that a service is listed for, by name, for members of its provider.
///
/// # Errors
/// 401, 404, 403.
pub async fn list(conn: &mut Conn, caller: &Caller, key: &Key<ServiceId>) -> Result<(Service, Vec<(Named, Ts)>)> {
    let (service, _) = own(conn, caller, key, Permission::View).await?;
    let named = audience::list(conn, service.provider, service.id).await?;
    Ok((service, named))
}

/// Lists a private service for an organization: its members find it and may subscribe it. Kept while the service is not
/// private, and without meaning then.
///
/// # Errors
/// 401, 404, 403; `too_many` (409).
pub async fn add(act: &mut Act, key: &Key<ServiceId>, named: &Key<OrganizationId>) -> Result<Named> {
    let service = own_locked(act, key, Permission::DraftServices).await?;
    let named = organization(&mut act.tx, named).await?.ok_or(Error::NotFound("organization"))?;
    if audience::list(&mut act.tx, service.provider, service.id).await?.len() >= MOST {
        return Err(Error::conflict("too_many", format!("a service names at most {MOST} organizations")));
    }
    let now = act.now();
    if audience::add(&mut act.tx, &service, named.id, now).await? {
        record(act, &service, &named, EventKind::ServiceAudienceAdded);
    }
    Ok(named)
}

/// Lists a private service for an organization no more. A live subscription of it stays as it is.
///
/// # Errors
/// 401, 404, 403.
pub async fn remove(act: &mut Act, key: &Key<ServiceId>, named: &Key<OrganizationId>) -> Result<Named> {
    let service = own_locked(act, key, Permission::DraftServices).await?;
    let named = organization(&mut act.tx, named).await?.ok_or(Error::NotFound("organization"))?;
    if audience::remove(&mut act.tx, &service, named.id).await? {
        record(act, &service, &named, EventKind::ServiceAudienceRemoved);
    }
    Ok(named)
}

fn record(act: &mut Act, service: &Service, named: &Named, kind: EventKind) {
    let data = json!({"service": service.name, "organization": {"id": named.id, "name": named.name}});
    act.record(&[service.provider], kind, Subject::new("service", service.id), data);
}
