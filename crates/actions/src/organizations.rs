//! Creating, reading, editing, deleting and restoring organizations.

mod ending;
mod erasing;

use serde_json::{Map, Value, json};
use stoa_domain::{
    events::{EventKind, Subject},
    ids::OrganizationId,
    members::Member,
    naming,
    organizations::{Details, Key, NewOrganization, OLD_HANDLE, Organization, OrganizationChange},
    permissions::{Permission, Role},
    text,
    time::Ts,
};
use stoa_store::{Conn, StoreError, marketplace, members, organizations};

pub use ending::{Ending, EndingService, Restoring, delete, ending, restore};
pub use erasing::{Erased, erase_next};
pub use stoa_store::organizations::{Counts, Seat, Sizes};

use crate::{Act, Caller, Error, Result, seats};

/// Creates an organization; whoever creates it becomes its maintainer.
///
/// # Errors
/// What is wrong with the input; `handle_taken` (409) when the handle that was asked for is taken.
pub async fn create(act: &mut Act, new: NewOrganization) -> Result<Seat> {
    let user = act.caller.whole_person()?.clone();
    let organization = add(act, new).await?;
    let member = Member::new(&user, Role::Maintainer, act.now());
    members::insert(&mut act.tx, organization.id, &[member]).await?;
    let data = json!({"role": Role::Maintainer});
    act.record(&[organization.id], EventKind::MemberAdded, Subject::new("user", user.id), data);
    Ok(Seat { organization, role: Role::Maintainer })
}

/// Adds an organization without members.
pub(crate) async fn add(act: &mut Act, new: NewOrganization) -> Result<Organization> {
    let (named, details) = new.check()?;
    let handle = free_handle(act, &named.handle, named.handle_given).await?;
    let now = act.now();
    let organization = Organization {
        id: act.mint(),
        handle,
        name: named.name,
        description: named.description,
        details,
        created_at: now,
        updated_at: now,
        suspension: None,
    };
    organizations::insert(&mut act.tx, &organization).await.map_err(handle_taken)?;
    let subject = Subject::new("organization", organization.id);
    let data = json!({"name": organization.name, "handle": organization.handle});
    act.record(&[organization.id], EventKind::OrganizationCreated, subject, data);
    Ok(organization)
}

async fn free_handle(act: &mut Act, wanted: &str, given: bool) -> Result<String> {
    if !organizations::handle_taken(&mut act.tx, wanted, None, act.caller.now).await? {
        return Ok(wanted.to_owned());
    }
    if given {
        return Err(taken());
    }
    Ok(naming::with_suffix(wanted, act.mint::<OrganizationId>()))
}

fn taken() -> Error {
    Error::conflict("handle_taken", "this handle is taken; choose another")
}

fn handle_taken(error: StoreError) -> Error {
    match error {
        StoreError::Duplicate { .. } => taken(),
        other => other.into(),
    }
}

/// Whether the caller could give a handle to a new organization, or to the one under `of`.
///
/// # Errors
/// 401; 404; 422 for what is no handle; `handle_taken` (409).
pub async fn check_handle(conn: &mut Conn, caller: &Caller, handle: &str, of: Option<&Key<OrganizationId>>) -> Result<String> {
    caller.user_id()?;
    let own = match of {
        Some(key) => Some(get(conn, caller, key).await?.organization),
        None => None,
    };
    if let Some(own) = own.as_ref().filter(|own| own.handle == handle.trim()) {
        return Ok(own.handle.clone());
    }
    let handle = text::handle(handle).map_err(|bad| Error::fault("/handle", bad.to_string()))?;
    if organizations::handle_taken(conn, &handle, own.map(|own| own.id), caller.now).await? { Err(taken()) } else { Ok(handle) }
}

/// An organization the caller belongs to.
///
/// # Errors
/// 401, 404.
pub async fn get(conn: &mut Conn, caller: &Caller, key: &Key<OrganizationId>) -> Result<Seat> {
    seats::allowed(conn, caller, key, Permission::View).await
}

/// A page of the organizations the caller belongs to, in the order of their names; `search` is a part of name or handle.
///
/// # Errors
/// 401.
pub async fn list(conn: &mut Conn, caller: &Caller, search: &str, after: Option<(&str, OrganizationId)>, limit: i64) -> Result<Vec<Seat>> {
    Ok(organizations::list_for(conn, &caller.viewer()?, search, after, limit).await?)
}

/// The handles that an organization had and that still lead to it, each with the end of that; for those who were let see it.
///
/// # Errors
/// Those of the database.
pub async fn old_handles(conn: &mut Conn, seat: &Seat, now: Ts) -> Result<Vec<(String, Ts)>> {
    Ok(organizations::old_handles(conn, seat.organization.id, now).await?)
}

/// How many members, projects, … an organization has; for those who were let see it.
///
/// # Errors
/// Those of the database.
pub async fn counts(conn: &mut Conn, seat: &Seat) -> Result<Counts> {
    Ok(organizations::counts(conn, seat.organization.id).await?)
}

/// How many members, projects and subscriptions each of several organizations has; for those who were let see them.
///
/// # Errors
/// Those of the database.
pub async fn sizes(conn: &mut Conn, seats: &[Seat]) -> Result<Vec<(OrganizationId, Sizes)>> {
    let ids: Vec<_> = seats.iter().map(|seat| seat.organization.id).collect();
    Ok(organizations::sizes(conn, &ids).await?)
}

/// Changes an organization's details. A changed handle leads to it for a year more, and is nobody else's meanwhile.
///
/// # Errors
/// 401, 404, 403, 422; `handle_taken`, `organization_suspended` (409).
pub async fn update(act: &mut Act, key: &Key<OrganizationId>, change: OrganizationChange) -> Result<Seat> {
    // Read under the lock: all details are written, and a change of another one at the same moment would be taken back.
    let seat = seats::locked(act, key, Permission::EditOrganization).await?;
    let before = &seat.organization;
    let mut changed = change.apply(before)?;
    if changed == *before {
        return Ok(seat);
    }
    let now = act.now();
    changed.updated_at = now;
    let renamed = changed.handle != before.handle;
    if renamed && organizations::handle_taken(&mut act.tx, &changed.handle, Some(changed.id), now).await? {
        return Err(taken());
    }
    organizations::update(&mut act.tx, &changed).await.map_err(handle_taken)?;
    if renamed {
        organizations::keep_old_handle(&mut act.tx, &changed, &before.handle, now.plus(OLD_HANDLE)).await?;
    }
    if renamed || changed.name != before.name {
        marketplace::index_provider(&mut act.tx, &changed).await?;
    }
    let data = difference(before, &changed);
    act.record(&[changed.id], EventKind::OrganizationUpdated, Subject::new("organization", changed.id), data);
    Ok(Seat { organization: changed, role: seat.role })
}

/// What changed. Of what may tell about people (addresses, telephone and tax numbers) only that it did: the log is kept
/// when the organization is erased.
fn difference(from: &Organization, to: &Organization) -> Value {
    let mut changes = Map::new();
    for (what, from, to) in
        [("name", &from.name, &to.name), ("handle", &from.handle, &to.handle), ("description", &from.description, &to.description)]
    {
        if from != to {
            changes.insert(what.to_owned(), json!({"from": from, "to": to}));
        }
    }
    let parts = |details: &Details| {
        let country = details.country.map(|country| country.code());
        let Details { billing_email, legal_name, address, tax_id, contact_email, contact_phone, website, .. } = details.clone();
        [
            ("billing_email", billing_email),
            ("legal_name", legal_name),
            ("address", address),
            ("country", country),
            ("tax_id", tax_id),
            ("contact_email", contact_email),
            ("contact_phone", contact_phone),
            ("website", website),
        ]
    };
    for ((what, from), (_, to)) in parts(&from.details).into_iter().zip(parts(&to.details)) {
        if from != to {
            changes.insert(what.to_owned(), json!({"changed": true}));
        }
    }
    Value::Object(changes)
}
