//! Reading an organization's log.

use std::collections::{BTreeMap, BTreeSet};

use stoa_domain::{
    events::{Event, EventFilter},
    ids::{ApplicationId, Id as _, InvitationId, OrganizationId, UserId},
    organizations::Key,
    permissions::Permission,
    text,
    time::Ts,
};
use stoa_store::{Conn, applications, events, invitations, users};

use crate::{Caller, Result, seats};

/// Events after a sequence, ascending; gapless unless a filter is given.
///
/// # Errors
/// 401, 404.
pub async fn after(
    conn: &mut Conn,
    caller: &Caller,
    key: &Key<OrganizationId>,
    sequence: i64,
    filter: &EventFilter,
    limit: i64,
) -> Result<Vec<Event>> {
    let seat = seats::allowed(conn, caller, key, Permission::ReadActivity).await?;
    Ok(events::after(conn, seat.organization.id, sequence, filter, limit).await?)
}

/// Events before a sequence that fit a filter, newest first.
///
/// # Errors
/// 401, 404.
pub async fn before(
    conn: &mut Conn,
    caller: &Caller,
    key: &Key<OrganizationId>,
    sequence: i64,
    filter: &EventFilter,
    limit: i64,
) -> Result<(seats::Seat, Vec<Event>)> {
    let seat = seats::allowed(conn, caller, key, Permission::ReadActivity).await?;
    let page = events::before(conn, seat.organization.id, sequence, filter, limit).await?;
    Ok((seat, page))
}

/// The latest events, newest first, for those who were let see the organization: every role reads the log.
///
/// # Errors
/// Those of the database.
pub async fn latest(conn: &mut Conn, seat: &seats::Seat, limit: i64) -> Result<Vec<Event>> {
    Ok(events::before(conn, seat.organization.id, i64::MAX, &EventFilter::default(), limit).await?)
}

/// The id by which events name the person with this address as the one who acted; for an address without an account one that
/// no event has, so that a filter finds the same for it as for somebody who did nothing.
///
/// # Errors
/// Those of the database.
pub async fn actor_of_address(conn: &mut Conn, address: &str) -> Result<String> {
    let found = match text::email(address) {
        Ok(email) => users::find_by_email(conn, &email).await?,
        Err(_) => None,
    };
    Ok(found.map_or_else(|| UserId::mint(Ts::from_micros(0), [0; 10]).to_string(), |(user, _)| user.id.to_string()))
}

/// Whoever may take the log away as a file, with the organization.
///
/// # Errors
/// 401, 404, 403.
pub async fn exporter(conn: &mut Conn, caller: &Caller, key: &Key<OrganizationId>) -> Result<seats::Seat> {
    seats::allowed(conn, caller, key, Permission::ExportActivity).await
}

/// The next part of an export, ascending, with the names of those the events tell of; for those whom [`exporter`] let.
///
/// # Errors
/// Those of the database.
pub async fn export_part(
    conn: &mut Conn,
    seat: &seats::Seat,
    after: i64,
    filter: &EventFilter,
    limit: i64,
) -> Result<(Vec<Event>, BTreeMap<String, String>)> {
    let part = events::after(conn, seat.organization.id, after, filter, limit).await?;
    let people = people(conn, &part).await?;
    Ok((part, people))
}

/// The names of the people and of the applications that events of one organization tell of, and the addresses of who was
/// invited, by their ids as events write them; a statement each.
///
/// # Errors
/// Those of the database.
pub async fn people(conn: &mut Conn, events: &[Event]) -> Result<BTreeMap<String, String>> {
    let mut ids = BTreeSet::new();
    let mut programs = BTreeSet::new();
    let mut invited = BTreeSet::new();
    for event in events {
        let actor = event.actor_id.as_deref().unwrap_or_default();
        let data = event.json();
        let named = data["user"].as_str().unwrap_or_default();
        ids.extend([actor, &event.subject.id, named].into_iter().filter_map(|id| id.parse::<UserId>().ok()));
        programs.extend(actor.parse::<ApplicationId>().ok());
        invited.extend(event.subject.id.parse::<InvitationId>().ok());
    }
    let people = users::names(conn, &Vec::from_iter(ids)).await?.into_iter().map(|(id, name)| (id.to_string(), name));
    let programs = applications::names(conn, &Vec::from_iter(programs)).await?.into_iter().map(|(id, name)| (id.to_string(), name));
    let invited = match events.first() {
        Some(event) => invitations::addresses(conn, event.organization, &Vec::from_iter(invited)).await?,
        None => Vec::new(),
    };
    let invited = invited.into_iter().map(|(id, address)| (id.to_string(), address));
    Ok(people.chain(programs).chain(invited).collect())
}
