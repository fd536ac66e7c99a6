//! What operators do with services: review them before they are published, stop them and let them go on.

use serde_json::json;
use stoa_domain::{
    ids::ServiceId,
    organizations::Key,
    services::{Service, ServiceMove, ServiceState},
    text::{self, Faults},
    time::Ts,
};
use stoa_store::{Conn, organizations, services};

pub use stoa_store::services::{Operated, OperatedFilter};

use super::{
    ServiceDetails, details, lock_application, locked,
    moves::{Told, carry_out, locked_with_subscribers},
};
use crate::{Act, Caller, Error, Result, operators};

/// A page of the services of all organizations by name, without drafts.
///
/// # Errors
/// 401, 404.
pub async fn list(conn: &mut Conn, caller: &Caller, filter: OperatedFilter<'_>, limit: i64) -> Result<Vec<Operated>> {
    operators::allowed(caller)?;
    Ok(services::list_operated(conn, filter, limit).await?)
}

/// A service as an operator sees it: what its provider wants to be seen. A draft is its provider's alone.
///
/// # Errors
/// 401, 404.
pub async fn find(conn: &mut Conn, caller: &Caller, key: &Key<ServiceId>) -> Result<ServiceDetails> {
    operators::allowed(caller)?;
    let service = services::find(conn, key).await?.filter(|service| service.state != ServiceState::Draft);
    details(conn, service.ok_or(Error::NotFound("service"))?).await
}

async fn there(act: &mut Act, key: &Key<ServiceId>) -> Result<Service> {
    operators::allowed(&act.caller)?;
    let service = services::find(&mut act.tx, key).await?.ok_or(Error::NotFound("service"))?;
    organizations::find(&mut act.tx, service.provider).await?.ok_or(Error::NotFound("service"))?;
    Ok(service)
}

/// Lets a service in review on the marketplace, as it is now: where it is said as of when it was read, only if nobody has
/// changed it since. What the operator says goes to its provider.
///
/// # Errors
/// 401, 404, 422; `wrong_state`, `not_ready`, `service_changed` (409).
pub async fn approve(act: &mut Act, key: &Key<ServiceId>, comment: &str, read: Option<Ts>) -> Result<Service> {
    let service = there(act, key).await?;
    let mut faults = Faults::new();
    let comment = faults.check("/comment", text::optional_line(comment, operators::REASON));
    let comment = faults.or(comment)?;
    let service = locked(act, &service).await?;
    if service.state == ServiceState::InReview && read.is_some_and(|read| read != service.updated_at) {
        let detail = "its provider has changed the service since you read it; look at it again, then approve it";
        return Err(Error::conflict("service_changed", detail));
    }
    lock_application(act, service.provider, service.application).await?;
    let reason = Some(comment).filter(|comment| !comment.is_empty());
    carry_out(act, service, ServiceMove::Approve, Told { reason, more: Some(json!({"reviewed": true})), ..Told::default() }).await
}

/// Does not let a service in review on the marketplace: it is a draft again, and its provider reads why.
///
/// # Errors
/// 401, 404, 422; `wrong_state` (409).
pub async fn reject(act: &mut Act, key: &Key<ServiceId>, reason: &str) -> Result<Service> {
    let service = there(act, key).await?;
    let reason = operators::reason(reason)?;
    let service = locked(act, &service).await?;
    carry_out(act, service, ServiceMove::Reject, Told { reason: Some(reason), ..Told::default() }).await
}

/// Stops a service: nobody subscribes it, and its tokens open no project any more, from the next request on.
///
/// # Errors
/// 401, 404, 422; `wrong_state` (409).
pub async fn suspend(act: &mut Act, key: &Key<ServiceId>, reason: &str) -> Result<Service> {
    let service = there(act, key).await?;
    let reason = operators::reason(reason)?;
    let service = locked_with_subscribers(act, &service).await?;
    carry_out(act, service, ServiceMove::Suspend, Told { reason: Some(reason), ..Told::default() }).await
}

/// Lets a stopped service go on where it was.
///
/// # Errors
/// 401, 404; `wrong_state` (409).
pub async fn unsuspend(act: &mut Act, key: &Key<ServiceId>) -> Result<Service> {
    let service = there(act, key).await?;
    let service = locked_with_subscribers(act, &service).await?;
    carry_out(act, service, ServiceMove::Unsuspend, Told::default()).await
}
