//! Reading an organization's log.

use std::collections::{BTreeMap, BTreeSet};

use stoa_domain::{
    events::Event,
    ids::{ApplicationId, OrganizationId, UserId},
    organizations::Key,
    permissions::Permission,
};
use stoa_store::{Conn, applications, events, users};

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

/// Events before a sequence, newest first; with a noun only those about it.
///
/// # Errors
/// 401, 404.
pub async fn before(
    conn: &mut Conn,
    caller: &Caller,
    key: &Key<OrganizationId>,
    sequence: i64,
    noun: Option<&str>,
    limit: i64,
) -> Result<(seats::Seat, Vec<Event>)> {
    let seat = seats::allowed(conn, caller, key, Permission::ReadActivity).await?;
    let page = events::before(conn, seat.organization.id, sequence, noun, limit).await?;
    Ok((seat, page))
}

/// The latest events, newest first, for those who were let see the organization: every role reads the log.
///
/// # Errors
/// Those of the database.
pub async fn latest(conn: &mut Conn, seat: &seats::Seat, limit: i64) -> Result<Vec<Event>> {
    Ok(events::before(conn, seat.organization.id, i64::MAX, None, limit).await?)
}

/// The names of the people and of the applications that events tell of, by their ids as events write them; a statement
/// each.
///
/// # Errors
/// Those of the database.
pub async fn people(conn: &mut Conn, events: &[Event]) -> Result<BTreeMap<String, String>> {
    let mut ids = BTreeSet::new();
    let mut programs = BTreeSet::new();
    for event in events {
        let actor = event.actor_id.as_deref().unwrap_or_default();
        ids.extend([actor, &event.subject.id].into_iter().filter_map(|id| id.parse::<UserId>().ok()));
        programs.extend(actor.parse::<ApplicationId>().ok());
    }
    let people = users::names(conn, &Vec::from_iter(ids)).await?.into_iter().map(|(id, name)| (id.to_string(), name));
    let programs = applications::names(conn, &Vec::from_iter(programs)).await?.into_iter().map(|(id, name)| (id.to_string(), name));
    Ok(people.chain(programs).collect())
}
