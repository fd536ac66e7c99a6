//! What an organization wants to be approved, beyond what the roles ask for.

use serde_json::json;
use stoa_domain::{
    events::{EventKind, Subject},
    ids::OrganizationId,
    organizations::Key,
    permissions::Permission,
    policies::{Policy, PolicyInput},
};
use stoa_store::{Conn, policies};

use crate::{
    Act, Caller, Result,
    seats::{self, Seat},
};

/// The policy of an organization.
///
/// # Errors
/// 401, 404.
pub async fn get(conn: &mut Conn, caller: &Caller, org: &Key<OrganizationId>) -> Result<(Seat, Policy)> {
    let seat = seats::allowed(conn, caller, org, Permission::View).await?;
    let policy = policies::find(conn, seat.organization.id).await?;
    Ok((seat, policy))
}

/// The policy of an organization, for those who were let see it.
///
/// # Errors
/// Those of the database.
pub async fn of(conn: &mut Conn, seat: &Seat) -> Result<Policy> {
    Ok(policies::find(conn, seat.organization.id).await?)
}

/// Sets the policy of an organization. It counts for what is asked for or approved from now on.
///
/// # Errors
/// 401, 404, 403; what is wrong with the input.
pub async fn set(act: &mut Act, org: &Key<OrganizationId>, input: &PolicyInput) -> Result<Policy> {
    let organization = seats::locked(act, org, Permission::ManagePolicies).await?.organization.id;
    let policy = input.check()?;
    let before = policies::find(&mut act.tx, organization).await?;
    if policy != before {
        let (user, now) = (act.caller.user_id()?, act.now());
        policies::set(&mut act.tx, organization, &policy, user, now).await?;
        let data = json!({"from": before, "to": policy});
        act.record(&[organization], EventKind::PolicyChanged, Subject::new("organization", organization), data);
    }
    Ok(policy)
}
