//! The first line of every action: the organization, seen by the caller, and for this permission.

use stoa_domain::{
    access::{Action, Reason},
    ids::OrganizationId,
    organizations::{Key, Organization},
    permissions::{Permission, Verdict},
};
use stoa_store::{Conn, organizations};

pub use organizations::Seat;

use crate::{Act, Caller, Error, Refusal, Result};

/// The organization under `key` and the caller's role in it, if the role may do `permission` at once.
///
/// # Errors
/// 401 without a person, 404 when the person is not a member, 403 when the role may not (or may only request it);
/// `organization_suspended` (409) for a change of a suspended organization.
pub async fn allowed(conn: &mut Conn, caller: &Caller, key: &Key<OrganizationId>, permission: Permission) -> Result<Seat> {
    match at_least_request(conn, caller, key, permission).await? {
        (seat, Verdict::Allowed) => Ok(seat),
        (seat, _) => Err(refusal(&seat, permission)),
    }
}

/// Like [`allowed`], with the organization locked: what is read from here on stays as it is. The seat is looked up again
/// under the lock, so that whoever lost it while waiting for the lock is refused like anybody else.
///
/// # Errors
/// Those of [`allowed`].
pub async fn locked(act: &mut Act, key: &Key<OrganizationId>, permission: Permission) -> Result<Seat> {
    let seat = allowed(&mut act.tx, &act.caller, key, permission).await?;
    organizations::lock(&mut act.tx, &[seat.organization.id]).await?;
    still(act, &seat, permission).await
}

/// The seat once more, for who has locked its organization together with others.
///
/// # Errors
/// Those of [`allowed`].
pub async fn still(act: &mut Act, seat: &Seat, permission: Permission) -> Result<Seat> {
    allowed(&mut act.tx, &act.caller, &Key::Id(seat.organization.id), permission).await
}

/// Like [`still`], for a role that may ask for it.
///
/// # Errors
/// Those of [`at_least_request`].
pub async fn still_at_least_request(act: &mut Act, seat: &Seat, permission: Permission) -> Result<(Seat, Verdict)> {
    at_least_request(&mut act.tx, &act.caller, &Key::Id(seat.organization.id), permission).await
}

/// Like [`allowed`], but a role that may ask for it passes too; the verdict says which.
///
/// # Errors
/// 401 without a person, 404 when the person is not a member, 403 when the role may not even request it;
/// `organization_suspended` (409) for a change of a suspended organization.
pub async fn at_least_request(
    conn: &mut Conn,
    caller: &Caller,
    key: &Key<OrganizationId>,
    permission: Permission,
) -> Result<(Seat, Verdict)> {
    let seat = organizations::find_for(conn, key, &caller.viewer()?, caller.now).await?.ok_or(Error::NotFound("organization"))?;
    let decided = Action::Role(permission).decide_in(Some(seat.standing()));
    if decided == Reason::OrganizationSuspended {
        not_suspended(&seat.organization)?;
    }
    match decided {
        Reason::RoleAllows => Ok((seat, Verdict::Allowed)),
        Reason::NeedsRequest => Ok((seat, Verdict::Request)),
        _ => Err(refusal(&seat, permission)),
    }
}

/// Refuses changes of an organization that the operator suspended. For those who were let see it.
///
/// # Errors
/// `organization_suspended` (409).
pub fn not_suspended(organization: &Organization) -> Result<()> {
    let Some(suspension) = &organization.suspension else { return Ok(()) };
    let detail = format!(
        "{} is suspended by the operator of this installation ({}): it can be looked at but not changed until an operator lifts that",
        organization.name, suspension.reason
    );
    Err(Error::conflict("organization_suspended", detail))
}

/// The 403 for a seat without a permission.
pub fn refusal(seat: &Seat, permission: Permission) -> Error {
    Error::Refused(Refusal {
        role: seat.role,
        organization: seat.organization.name.clone(),
        organization_id: seat.organization.id,
        permission,
    })
}
