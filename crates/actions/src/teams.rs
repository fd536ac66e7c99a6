//! Teams: creating, editing and deleting them, and who is in them.

use std::collections::BTreeMap;

use serde_json::json;
use stoa_domain::{
    events::{EventKind, Subject},
    ids::{ApplicationId, OrganizationId, TeamId, UserId},
    members::Member,
    organizations::Key,
    permissions::Permission,
    sharing::{self as rules, Tie},
    teams::{NewTeam, Team, TeamChange},
    time::Ts,
};
use stoa_store::{Conn, StoreError, members, sharing, teams};

pub use stoa_store::teams::Listed;

use crate::{Act, Caller, Error, Result, seats, seats::Seat};

/// The most members that one call puts into a team.
pub const MOST_ADDED: usize = 100;

/// The most applications that a team's page names.
const MOST_SHOWN: i64 = 200;

/// Creates a team without members.
///
/// # Errors
/// 401, 404, 403, 422; `name_taken` (409).
pub async fn create(act: &mut Act, org: &Key<OrganizationId>, new: NewTeam) -> Result<(Seat, Listed)> {
    let seat = for_change(act, org).await?;
    let organization = seat.organization.id;
    let draft = new.check()?;
    let now = act.now();
    let team = Team { id: act.mint(), name: draft.name, description: draft.description, created_at: now, updated_at: now };
    teams::insert(&mut act.tx, organization, &team).await.map_err(name_taken)?;
    let data = json!({"name": team.name, "description": team.description});
    act.record(&[organization], EventKind::TeamCreated, Subject::new("team", team.id), data);
    Ok((seat, Listed { team, members: 0, applications: 0 }))
}

/// The organization, locked, for somebody who may manage its teams.
async fn for_change(act: &mut Act, org: &Key<OrganizationId>) -> Result<Seat> {
    seats::locked(act, org, Permission::ManageResources).await
}

fn name_taken(error: StoreError) -> Error {
    match error {
        StoreError::Duplicate { .. } => Error::conflict("name_taken", "another team of this organization has this name; choose another"),
        other => other.into(),
    }
}

/// A team of an organization the caller belongs to.
///
/// # Errors
/// 401, 404.
pub async fn get(conn: &mut Conn, caller: &Caller, org: &Key<OrganizationId>, team: TeamId) -> Result<(Seat, Listed)> {
    let seat = seats::allowed(conn, caller, org, Permission::View).await?;
    let found = teams::find(conn, seat.organization.id, team).await?.ok_or(Error::NotFound("team"))?;
    Ok((seat, found))
}

/// A page of an organization's teams by name, all or those whose name has `search` in it; `after` is the sort key of the
/// last one before.
///
/// # Errors
/// 401, 404.
pub async fn list(
    conn: &mut Conn,
    caller: &Caller,
    org: &Key<OrganizationId>,
    search: Option<&str>,
    after: Option<&str>,
    limit: i64,
) -> Result<(Seat, Vec<Listed>)> {
    let seat = seats::allowed(conn, caller, org, Permission::View).await?;
    let page = teams::list(conn, seat.organization.id, search, after, limit).await?;
    Ok((seat, page))
}

/// Changes a team's details.
///
/// # Errors
/// 401, 404, 403, 422; `name_taken` (409).
pub async fn update(act: &mut Act, org: &Key<OrganizationId>, team: TeamId, change: TeamChange) -> Result<(Seat, Listed)> {
    let seat = for_change(act, org).await?;
    let organization = seat.organization.id;
    let mut listed = teams::find(&mut act.tx, organization, team).await?.ok_or(Error::NotFound("team"))?;
    let before = listed.team.clone();
    let mut changed = change.apply(&before)?;
    if changed == before {
        return Ok((seat, listed));
    }
    changed.updated_at = act.now();
    teams::update(&mut act.tx, organization, &changed).await.map_err(name_taken)?;
    let mut data = json!({"team": changed.name});
    for (what, from, to) in [("name", &before.name, &changed.name), ("description", &before.description, &changed.description)] {
        if from != to {
            data[what] = json!({"from": from, "to": to});
        }
    }
    act.record(&[organization], EventKind::TeamUpdated, Subject::new("team", team), data);
    listed.team = changed;
    Ok((seat, listed))
}

/// What comes open with the deletion of a team: applications of the organization that are shared with this team and with nobody
/// else are seen by all its members then.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opening {
    /// The names of those that the caller sees.
    pub names: Vec<String>,
    /// How many more there are, which the caller does not see.
    pub more: usize,
}

/// What would come open; for those who were let see the team and `shared`, which is what they see of what is shared with it.
///
/// # Errors
/// Those of the database.
pub async fn opening(conn: &mut Conn, seat: &Seat, team: TeamId, shared: &[(ApplicationId, String, Ts)]) -> Result<Opening> {
    let hidden = teams::hidden_by(conn, seat.organization.id, team, MOST_SHOWN).await?;
    let (seen, unseen): (Vec<_>, Vec<_>) = hidden.into_iter().partition(|(id, _)| shared.iter().any(|(other, ..)| other == id));
    Ok(Opening { names: seen.into_iter().map(|(_, name)| name).collect(), more: unseen.len() })
}

/// Deletes a team: its members stay in the organization, what was shared with it is not any more. An application of the
/// organization that was shared with this team and nobody else is seen by all members from then on.
///
/// # Errors
/// 401, 404, 403.
pub async fn delete(act: &mut Act, org: &Key<OrganizationId>, team: TeamId) -> Result<(Seat, Team)> {
    let seat = for_change(act, org).await?;
    let organization = seat.organization.id;
    let listed = teams::find(&mut act.tx, organization, team).await?.ok_or(Error::NotFound("team"))?;
    let shared = teams::shared_with(&mut act.tx, organization, team, MOST_SHOWN).await?;
    teams::delete(&mut act.tx, organization, team).await?;
    let applications: Vec<_> = shared.into_iter().map(|(id, name, _)| json!({"id": id, "name": name})).collect();
    let data = json!({"name": listed.team.name, "members": listed.members, "applications": applications});
    act.record(&[organization], EventKind::TeamDeleted, Subject::new("team", team), data);
    Ok((seat, listed.team))
}

/// A page of the members of a team with their roles in the organization; `after` is the last user of the page before.
///
/// # Errors
/// 401, 404.
pub async fn list_members(
    conn: &mut Conn,
    caller: &Caller,
    org: &Key<OrganizationId>,
    team: TeamId,
    after: Option<UserId>,
    limit: i64,
) -> Result<(Seat, Listed, Vec<Member>)> {
    let (seat, listed) = get(conn, caller, org, team).await?;
    let page = teams::members(conn, seat.organization.id, team, after, limit).await?;
    Ok((seat, listed, page))
}

/// What is shared with a team, as far as the caller sees it: each application with its name and since when; for those who
/// were let see the team. Two statements.
///
/// # Errors
/// Those of the database.
pub async fn shared_with(conn: &mut Conn, caller: &Caller, seat: &Seat, team: TeamId) -> Result<Vec<(ApplicationId, String, Ts)>> {
    let viewer = caller.viewer()?;
    let mut shared = teams::shared_with(conn, seat.organization.id, team, MOST_SHOWN).await?;
    let ids: Vec<_> = shared.iter().map(|(id, ..)| *id).collect();
    let mut ties: BTreeMap<ApplicationId, Vec<Tie>> = BTreeMap::new();
    for one in sharing::ties(conn, &[viewer.user], &ids).await?.into_iter().filter(|one| one.counts_for(&viewer)) {
        ties.entry(one.application).or_default().push(one.tie);
    }
    shared.retain(|(id, ..)| ties.get(id).is_some_and(|ties| !rules::paths(ties).is_empty()));
    Ok(shared)
}

/// The teams of an organization, at most `limit` of them, by name; for those who were let see it.
///
/// # Errors
/// Those of the database.
pub async fn names(conn: &mut Conn, seat: &Seat, limit: i64) -> Result<Vec<Team>> {
    Ok(teams::list(conn, seat.organization.id, None, None, limit).await?.into_iter().map(|one| one.team).collect())
}

/// Those of several members who are in a team; for those who were let see it.
///
/// # Errors
/// Those of the database.
pub async fn present(conn: &mut Conn, seat: &Seat, team: TeamId, users: &[UserId]) -> Result<Vec<UserId>> {
    Ok(teams::present(conn, seat.organization.id, team, users).await?)
}

/// Puts members of the organization into a team; who is in it already stays. Answers who came.
///
/// # Errors
/// 401, 404 (for somebody who is not a member of the organization, too), 403; 422 unless 1 to 100 people are given.
pub async fn add_members(act: &mut Act, org: &Key<OrganizationId>, team: TeamId, users: &[UserId]) -> Result<(Seat, Vec<Member>)> {
    let seat = for_change(act, org).await?;
    let organization = seat.organization.id;
    if users.is_empty() || users.len() > MOST_ADDED {
        return Err(Error::fault("/members", format!("give 1 to {MOST_ADDED} people")));
    }
    let listed = teams::find(&mut act.tx, organization, team).await?.ok_or(Error::NotFound("team"))?;
    let found = members::find_many(&mut act.tx, organization, users).await?;
    if let Some(missing) = users.iter().find(|user| found.iter().all(|member| member.user != **user)) {
        tracing::debug!(%missing, "not a member, and so not for a team");
        return Err(Error::NotFound("member"));
    }
    let present = teams::present(&mut act.tx, organization, team, users).await?;
    let new: Vec<Member> = found.into_iter().filter(|member| !present.contains(&member.user)).collect();
    let now = act.now();
    let ids: Vec<UserId> = new.iter().map(|member| member.user).collect();
    teams::add_members(&mut act.tx, organization, team, &ids, now).await?;
    for member in &new {
        let data = json!({"team": listed.team.name, "user": member.user});
        act.record(&[organization], EventKind::TeamMemberAdded, Subject::new("team", team), data);
    }
    Ok((seat, new))
}

/// Takes a member out of a team. Members may take themselves out; others take somebody who manages teams.
///
/// # Errors
/// 401, 404, 403.
pub async fn remove_member(act: &mut Act, org: &Key<OrganizationId>, team: TeamId, user: UserId) -> Result<Seat> {
    let leaves = act.caller.user_id()? == user;
    let permission = if leaves { Permission::View } else { Permission::ManageResources };
    let seat = seats::locked(act, org, permission).await?;
    let organization = seat.organization.id;
    let listed = teams::find(&mut act.tx, organization, team).await?.ok_or(Error::NotFound("team"))?;
    if !teams::remove_member(&mut act.tx, organization, team, user).await? {
        return Err(Error::NotFound("member"));
    }
    let data = json!({"team": listed.team.name, "user": user});
    act.record(&[organization], EventKind::TeamMemberRemoved, Subject::new("team", team), data);
    Ok(seat)
}

/// The teams of an organization in which a member is; for those who were let see the organization.
///
/// # Errors
/// Those of the database.
pub async fn of_member(conn: &mut Conn, seat: &Seat, user: UserId) -> Result<Vec<Team>> {
    Ok(teams::of_member(conn, seat.organization.id, user).await?)
}
