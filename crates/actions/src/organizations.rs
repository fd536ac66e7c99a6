//! Creating, reading, editing and deleting organizations.

use serde_json::json;
use stoa_domain::{
    events::{EventKind, Subject},
    ids::OrganizationId,
    organizations::{Key, NewOrganization, Organization, OrganizationChange},
    permissions::{Permission, Role},
    time::Ts,
};
use stoa_store::{Conn, marketplace, members, organizations};

pub use stoa_store::organizations::{Counts, Seat, Sizes};

use crate::{Act, Caller, Error, Result, seats, subscriptions};

/// Creates an organization; whoever creates it becomes its maintainer.
///
/// # Errors
/// What is wrong with the input; `handle_taken` (409) when the handle that was asked for is taken.
pub async fn create(act: &mut Act, new: NewOrganization) -> Result<Seat> {
    let user = act.caller.whole_person()?.id;
    let draft = new.check()?;
    let handle = free_handle(act, &draft.handle, draft.handle_given).await?;
    let now = act.now();
    let organization = Organization {
        id: act.mint(),
        handle,
        name: draft.name,
        description: draft.description,
        billing_email: draft.billing_email,
        created_at: now,
        updated_at: now,
    };
    organizations::insert(&mut act.tx, &organization).await.map_err(handle_taken)?;
    members::insert(&mut act.tx, organization.id, user, Role::Maintainer, now).await?;
    let subject = Subject::new("organization", organization.id);
    act.record(
        &[organization.id],
        EventKind::OrganizationCreated,
        subject,
        json!({"name": organization.name, "handle": organization.handle}),
    );
    let data = json!({"role": Role::Maintainer});
    act.record(&[organization.id], EventKind::MemberAdded, Subject::new("user", user), data);
    Ok(Seat { organization, role: Role::Maintainer })
}

async fn free_handle(act: &mut Act, wanted: &str, given: bool) -> Result<String> {
    if !organizations::handle_taken(&mut act.tx, wanted).await? {
        return Ok(wanted.to_owned());
    }
    if given {
        return Err(taken());
    }
    // A made-up handle gets a suffix from a new id, which is unique enough to need no second look.
    let suffix = act.mint::<OrganizationId>().to_string();
    Ok(format!("{wanted}-{}", &suffix[suffix.len() - 6..]))
}

fn taken() -> Error {
    Error::conflict("handle_taken", "this handle is taken; choose another")
}

fn handle_taken(error: stoa_store::StoreError) -> Error {
    match error {
        stoa_store::StoreError::Duplicate { .. } => taken(),
        other => other.into(),
    }
}

/// An organization the caller belongs to.
///
/// # Errors
/// 401, 404.
pub async fn get(conn: &mut Conn, caller: &Caller, key: &Key<OrganizationId>) -> Result<Seat> {
    seats::allowed(conn, caller, key, Permission::View).await
}

/// A page of the organizations the caller belongs to, in the order of their names.
///
/// # Errors
/// 401.
pub async fn list(conn: &mut Conn, caller: &Caller, after: Option<(&str, OrganizationId)>, limit: i64) -> Result<Vec<Seat>> {
    Ok(organizations::list_for(conn, &caller.viewer()?, after, limit).await?)
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

/// Changes an organization's details.
///
/// # Errors
/// 401, 404, 403, 422.
pub async fn update(act: &mut Act, key: &Key<OrganizationId>, change: OrganizationChange) -> Result<Seat> {
    let seat = seats::allowed(&mut act.tx, &act.caller, key, Permission::EditOrganization).await?;
    let mut changed = change.apply(&seat.organization)?;
    if changed == seat.organization {
        return Ok(seat);
    }
    changed.updated_at = act.now();
    organizations::update(&mut act.tx, &changed, changed.updated_at).await?;
    if changed.name != seat.organization.name {
        marketplace::index_provider(&mut act.tx, &changed).await?;
    }
    let data = difference(&seat.organization, &changed);
    act.record(&[changed.id], EventKind::OrganizationUpdated, Subject::new("organization", changed.id), data);
    Ok(Seat { organization: changed, role: seat.role })
}

fn difference(from: &Organization, to: &Organization) -> serde_json::Value {
    let mut changes = serde_json::Map::new();
    let mut note = |what: &str, from: &str, to: &str| {
        if from != to {
            changes.insert(what.to_owned(), json!({"from": from, "to": to}));
        }
    };
    note("name", &from.name, &to.name);
    note("description", &from.description, &to.description);
    note("billing_email", from.billing_email.as_deref().unwrap_or(""), to.billing_email.as_deref().unwrap_or(""));
    serde_json::Value::Object(changes)
}

/// Deletes an organization: from the next request on nobody finds it, and its subscriptions, both those it consumes and
/// those of its services, end.
///
/// # Errors
/// 401, 404, 403; `not_confirmed` (422) unless `confirm` is its exact name.
pub async fn delete(act: &mut Act, key: &Key<OrganizationId>, confirm: &str) -> Result<()> {
    let seat = seats::allowed(&mut act.tx, &act.caller, key, Permission::DeleteOrganization).await?;
    let organization = seat.organization;
    if confirm != organization.name {
        return Err(Error::Unfit {
            code: "not_confirmed",
            detail: format!("to delete the organization, confirm with its exact name: {}", organization.name),
        });
    }
    subscriptions::lock_partners(act, organization.id).await?;
    subscriptions::organization_deleted(act, &organization).await?;
    let now: Ts = act.now();
    organizations::delete(&mut act.tx, organization.id, now).await?;
    let subject = Subject::new("organization", organization.id);
    act.record(&[organization.id], EventKind::OrganizationDeleted, subject, json!({"name": organization.name}));
    Ok(())
}
