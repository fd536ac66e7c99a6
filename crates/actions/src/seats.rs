//! The first line of every action: the organization, seen by the caller, and for this permission.

use stoa_domain::{
    ids::OrganizationId,
    organizations::Key,
    permissions::{Permission, Verdict, verdict},
};
use stoa_store::{Conn, organizations};

pub use organizations::Seat;

use crate::{Caller, Error, Refusal, Result};

/// The organization under `key` and the caller's role in it, if the role may do `permission` at once.
///
/// # Errors
/// 401 without a person, 404 when the person is not a member, 403 when the role may not (or may only request it).
pub async fn allowed(conn: &mut Conn, caller: &Caller, key: &Key<OrganizationId>, permission: Permission) -> Result<Seat> {
    match at_least_request(conn, caller, key, permission).await? {
        (seat, Verdict::Allowed) => Ok(seat),
        (seat, _) => Err(refusal(&seat, permission)),
    }
}

/// Like [`allowed`], but a role that may ask for it passes too; the verdict says which.
///
/// # Errors
/// 401 without a person, 404 when the person is not a member, 403 when the role may not even request it.
pub async fn at_least_request(
    conn: &mut Conn,
    caller: &Caller,
    key: &Key<OrganizationId>,
    permission: Permission,
) -> Result<(Seat, Verdict)> {
    let seat = organizations::find_for(conn, key, &caller.viewer()?).await?.ok_or(Error::NotFound("organization"))?;
    match verdict(seat.role, permission) {
        Verdict::Refused => Err(refusal(&seat, permission)),
        verdict => Ok((seat, verdict)),
    }
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
