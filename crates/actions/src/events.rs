//! Reading an organization's log.

use stoa_domain::{events::Event, ids::OrganizationId, organizations::Key, permissions::Permission};
use stoa_store::{Conn, events};

use crate::{Caller, Result, seats};

/// Events after a sequence, ascending and gapless (of one type when given).
///
/// # Errors
/// 401, 404.
pub async fn after(
    conn: &mut Conn,
    caller: &Caller,
    key: &Key<OrganizationId>,
    sequence: i64,
    kind: Option<&str>,
    limit: i64,
) -> Result<Vec<Event>> {
    let seat = seats::allowed(conn, caller, key, Permission::ReadActivity).await?;
    Ok(events::after(conn, seat.organization.id, sequence, kind, limit).await?)
}

/// Events before a sequence, newest first.
///
/// # Errors
/// 401, 404.
pub async fn before(
    conn: &mut Conn,
    caller: &Caller,
    key: &Key<OrganizationId>,
    sequence: i64,
    limit: i64,
) -> Result<(seats::Seat, Vec<Event>)> {
    let seat = seats::allowed(conn, caller, key, Permission::ReadActivity).await?;
    let page = events::before(conn, seat.organization.id, sequence, limit).await?;
    Ok((seat, page))
}
