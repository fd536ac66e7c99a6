//! Members: adding, changing roles, removing, leaving.

use serde_json::json;
use stoa_domain::{
    events::{EventKind, Subject},
    ids::{OrganizationId, UserId},
    members::{Member, keep_a_maintainer},
    organizations::Key,
    permissions::{Permission, Role},
    text::{self, Faults},
};
use stoa_store::{Conn, members, organizations, users};

use crate::{Act, Caller, Error, Result, seats};

/// The most members that one call may add.
pub const MOST_ADDED: usize = 100;

/// The most names that [`who_may`] gives.
pub const MOST_NAMED: i64 = 5;

/// One person to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMember {
    /// The address of the person's account.
    pub email: String,
    /// The role to give.
    pub role: String,
}

/// What became of one person to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Added {
    /// Is a member now.
    Added(Member),
    /// Was a member before; nothing changed.
    AlreadyMember(Member),
    /// Was not added, for this reason.
    Invalid {
        /// What is wrong and what to do.
        reason: String,
    },
}

/// A page of an organization's members; `after` is the last user of the page before.
///
/// # Errors
/// 401, 404.
pub async fn list(
    conn: &mut Conn,
    caller: &Caller,
    key: &Key<OrganizationId>,
    after: Option<UserId>,
    limit: i64,
) -> Result<(seats::Seat, Vec<Member>)> {
    let seat = seats::allowed(conn, caller, key, Permission::View).await?;
    let page = members::list(conn, seat.organization.id, after, limit).await?;
    Ok((seat, page))
}

/// The names of some members whose role allows `permission`: whom to ask. For those who were let see the organization.
///
/// # Errors
/// Those of the database.
pub async fn who_may(conn: &mut Conn, organization: OrganizationId, permission: Permission) -> Result<Vec<String>> {
    Ok(members::names_with_roles(conn, organization, &permission.allowed_roles(), MOST_NAMED).await?)
}

/// Adds people who have an account, each with a role; answers what became of each, in the order given.
///
/// # Errors
/// 401, 404, 403; 422 unless 1 to 100 people are given.
pub async fn add(act: &mut Act, key: &Key<OrganizationId>, new: &[NewMember]) -> Result<Vec<Added>> {
    let seat = seats::allowed(&mut act.tx, &act.caller, key, Permission::ManageMembers).await?;
    let organization = seat.organization.id;
    if new.is_empty() || new.len() > MOST_ADDED {
        return Err(Error::fault("/members", format!("give 1 to {MOST_ADDED} people")));
    }
    organizations::lock(&mut act.tx, &[organization]).await?;
    let checked: Vec<Result<(String, Role), String>> = new.iter().map(check).collect();
    let emails: Vec<String> = checked.iter().flatten().map(|(email, _)| email.clone()).collect();
    let accounts = users::lock_by_emails(&mut act.tx, &emails).await?;
    let ids: Vec<UserId> = accounts.iter().map(|user| user.id).collect();
    let mut present = members::find_many(&mut act.tx, organization, &ids).await?;
    let now = act.now();
    let mut results = Vec::with_capacity(new.len());
    let mut added = Vec::new();
    for one in checked {
        let (email, role) = match one {
            Ok(good) => good,
            Err(reason) => {
                results.push(Added::Invalid { reason });
                continue;
            }
        };
        let Some(user) = accounts.iter().find(|user| user.email == email) else {
            let reason = "nobody has an account with this address; ask the operator to create one".to_owned();
            results.push(Added::Invalid { reason });
            continue;
        };
        if let Some(member) = present.iter().find(|member| member.user == user.id) {
            results.push(Added::AlreadyMember(member.clone()));
            continue;
        }
        let member = Member { user: user.id, email, name: user.name.clone(), role, since: now };
        act.record(&[organization], EventKind::MemberAdded, Subject::new("user", user.id), json!({"role": role}));
        present.push(member.clone());
        added.push(member.clone());
        results.push(Added::Added(member));
    }
    members::insert_many(&mut act.tx, organization, &added).await?;
    Ok(results)
}

fn check(new: &NewMember) -> Result<(String, Role), String> {
    let email = text::email(&new.email).map_err(|bad| bad.to_string())?;
    let role = new.role.parse::<Role>().map_err(|bad| bad.to_string())?;
    Ok((email, role))
}

/// Gives a member another role.
///
/// # Errors
/// 401, 404, 403, 422; `last_maintainer` (409).
pub async fn change_role(act: &mut Act, key: &Key<OrganizationId>, user: UserId, role: &str) -> Result<Member> {
    let seat = seats::allowed(&mut act.tx, &act.caller, key, Permission::ManageMembers).await?;
    let organization = seat.organization.id;
    let mut faults = Faults::new();
    let role = faults.check("/role", role.parse::<Role>());
    let role = faults.or(role)?;
    let member = locked(act, organization, user, Some(role)).await?;
    if member.role == role {
        return Ok(member);
    }
    members::set_role(&mut act.tx, organization, user, role).await?;
    let data = json!({"from": member.role, "to": role});
    act.record(&[organization], EventKind::MemberRoleChanged, Subject::new("user", user), data);
    Ok(Member { role, ..member })
}

/// Removes a member. Members may always remove themselves (leave); others take a maintainer.
///
/// # Errors
/// 401, 404, 403; `last_maintainer` (409).
pub async fn remove(act: &mut Act, key: &Key<OrganizationId>, user: UserId) -> Result<Member> {
    let leaves = act.caller.user_id()? == user;
    let permission = if leaves { Permission::View } else { Permission::ManageMembers };
    let seat = seats::allowed(&mut act.tx, &act.caller, key, permission).await?;
    let organization = seat.organization.id;
    let member = locked(act, organization, user, None).await?;
    end(act, organization, &member, leaves).await?;
    Ok(member)
}

/// Ends a membership with all that hangs on it, on whatever path; the guard of the last maintainer has passed it, and the
/// organization is locked.
pub(crate) async fn end(act: &mut Act, organization: OrganizationId, member: &Member, leaves: bool) -> Result<()> {
    members::delete(&mut act.tx, organization, member.user).await?;
    let data = json!({"role": member.role, "left": leaves});
    act.record(&[organization], EventKind::MemberRemoved, Subject::new("user", member.user), data);
    Ok(())
}

/// The member, read under the organization's lock so that two changes at the same moment see each other, if the change
/// to `to` leaves the organization a maintainer.
async fn locked(act: &mut Act, organization: OrganizationId, user: UserId, to: Option<Role>) -> Result<Member> {
    organizations::lock(&mut act.tx, &[organization]).await?;
    let member = members::find(&mut act.tx, organization, user).await?.ok_or(Error::NotFound("member"))?;
    let maintainers = members::count_maintainers(&mut act.tx, organization).await?;
    keep_a_maintainer(maintainers, member.role, to)?;
    Ok(member)
}
