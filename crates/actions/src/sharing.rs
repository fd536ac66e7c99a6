//! Sharing applications with an organization or with teams of it.

use serde_json::{Value, json};
use stoa_domain::{
    applications::Owner,
    events::{EventKind, Subject},
    ids::{ApplicationId, OrganizationId, TeamId, UserId},
    organizations::Key,
    permissions::Permission,
    sharing::MOST_SHARES,
};
use stoa_store::{Conn, sharing, teams};

pub use stoa_store::sharing::Place;

use crate::{
    Act, Caller, Error, Result,
    applications::{self, Seen, Whole},
    seats::{self, Seat},
};

/// With whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum With {
    /// With all members of an organization.
    Organization(Key<OrganizationId>),
    /// With the members of a team.
    Team(TeamId),
}

/// Whom a share is for, once it was found for somebody who belongs there.
struct Target {
    seat: Seat,
    team: Option<(TeamId, String)>,
}

impl Target {
    fn team(&self) -> Option<TeamId> {
        self.team.as_ref().map(|(id, _)| *id)
    }

    fn data(&self, application: &str) -> Value {
        let with = match &self.team {
            Some((id, name)) => json!({"kind": "team", "id": id, "name": name}),
            None => json!({"kind": "organization", "id": self.seat.organization.id, "name": self.seat.organization.name}),
        };
        json!({"application": application, "with": with})
    }
}

async fn target(act: &mut Act, with: &With, permission: Permission) -> Result<Target> {
    let team = match with {
        With::Organization(key) => {
            let seat = seats::allowed(&mut act.tx, &act.caller, key, permission).await?;
            return Ok(Target { seat, team: None });
        }
        With::Team(team) => *team,
    };
    let missing = || Error::NotFound("team");
    act.caller.user_id()?;
    let organization = teams::organization_of(&mut act.tx, team).await?.ok_or_else(missing)?;
    let seat = match seats::allowed(&mut act.tx, &act.caller, &Key::Id(organization), permission).await {
        Err(Error::NotFound(_)) => return Err(missing()),
        other => other?,
    };
    let found = teams::find(&mut act.tx, organization, team).await?.ok_or_else(missing)?;
    Ok(Target { seat, team: Some((team, found.team.name)) })
}

/// Shares an application with an organization or a team in which the caller manages applications. Sharing twice is the
/// same as once.
///
/// # Errors
/// 401, 404, 403; `other_organization` (409) for an organization's own application outside of it, `shared_elsewhere` (409)
/// while it is shared within another organization, `too_many_shares` (409).
pub async fn share(act: &mut Act, id: ApplicationId, with: &With) -> Result<Seen> {
    let organization = target(act, with, Permission::ManageResources).await?.seat.organization.id;
    let changing = applications::for_change(act, id, &[organization]).await?;
    // The organization is locked now: neither a team that has gone nor whoever lost the seat meanwhile shares anything.
    let target = target(act, with, Permission::ManageResources).await?;
    if let Owner::Organization(owner) = changing.seen.application.owner
        && owner != organization
    {
        let detail = "this application belongs to an organization and is shared within it only";
        return Err(Error::conflict("other_organization", detail));
    }
    if let Some(share) = changing.shares.iter().find(|share| share.organization != organization) {
        return Err(applications::shared_elsewhere(&share.name));
    }
    if changing.shares.len() >= MOST_SHARES {
        let detail = format!("an application is shared with at most {MOST_SHARES}; share it with the organization as a whole");
        return Err(Error::conflict("too_many_shares", detail));
    }
    let (user, now) = (act.caller.user_id()?, act.now());
    if sharing::insert(&mut act.tx, id, organization, target.team(), user, now).await? {
        let data = target.data(&changing.seen.application.name);
        act.record(&[organization], EventKind::ApplicationShared, Subject::new("application", id), data);
    }
    Ok(changing.seen)
}

/// The most places that [`places`] names.
const MOST_PLACES: i64 = 200;

/// Where the caller may share an application: for one that belongs to an organization or is shared with one, this
/// organization and its teams; for any other, all in which the caller manages applications. One statement.
///
/// # Errors
/// 401.
pub async fn places(conn: &mut Conn, caller: &Caller, whole: &Whole) -> Result<Vec<Place>> {
    let user = caller.user_id()?;
    let home = match whole.seen.application.owner {
        Owner::Organization(id) => Some(id),
        Owner::User(_) => whole.shares.first().map(|share| share.organization),
    };
    let roles = Permission::ManageResources.allowed_roles();
    Ok(sharing::places(conn, user, &roles, home, MOST_PLACES).await?)
}

/// Takes a share back.
///
/// # Errors
/// 401, 404 (when it is not shared so, too), 403.
pub async fn unshare(act: &mut Act, id: ApplicationId, with: &With) -> Result<Seen> {
    let seen = applications::allowed(&mut act.tx, &act.caller, id, Permission::ManageResources).await?;
    let own = seen.application.owner == Owner::User(act.caller.user_id()?);
    // Whose it is takes it back, whatever the role in the organization is now.
    let permission = if own { Permission::View } else { Permission::ManageResources };
    let target = target(act, with, permission).await?;
    let organization = target.seat.organization.id;
    let changing = applications::for_change(act, id, &[organization]).await?;
    if !sharing::delete(&mut act.tx, id, organization, target.team()).await? {
        return Err(Error::NotFound("share"));
    }
    let data = target.data(&changing.seen.application.name);
    act.record(&[organization], EventKind::ApplicationUnshared, Subject::new("application", id), data);
    Ok(changing.seen)
}

/// What of a member's is shared with the organization stays there when the member goes: it becomes the organization's.
pub(crate) async fn member_gone(
    act: &mut Act,
    organization: OrganizationId,
    user: UserId,
    shared: &[(ApplicationId, String)],
) -> Result<()> {
    let ids: Vec<_> = shared.iter().map(|(id, _)| *id).collect();
    let now = act.now();
    sharing::transfer(&mut act.tx, organization, &ids, now).await?;
    for (id, name) in shared {
        let data = json!({"name": name, "organization": organization, "from": user, "cause": "member_gone"});
        act.record(&[organization], EventKind::ApplicationTransferred, Subject::new("application", id), data);
    }
    Ok(())
}
