//! Taking over organizations from a file of another system.

pub mod catalogue;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use stoa_domain::{
    events::{EventKind, Subject},
    ids::{TeamId, UserId},
    imports::ImportedOrganization,
    members::Member,
    naming::NewNaming,
    organizations::{Key, NewOrganization, Organization},
    teams::Team,
    users::{self as rules, User},
};
use stoa_store::{members, teams as stored, users};

use crate::{Act, Error, Result, operators, organizations};

/// What an import changed; nothing, when the file was imported before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imported {
    /// Whether the organization is new.
    pub created: bool,
    /// Accounts, without passwords, of people who had none.
    pub accounts: usize,
    /// Members.
    pub members: usize,
    /// Teams.
    pub teams: usize,
    /// Places of members in teams.
    pub places: usize,
}

impl Imported {
    /// Whether everything was there.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// Takes an organization over: creates it, or adds what is missing of it. Nobody is removed, no role and no team's description
/// is changed, so that the same file may be imported again. By an operator or the command line; all of it or nothing, with the
/// act. It runs the same number of statements however many members and teams there are.
///
/// # Errors
/// 401, 404; 409 when its handle is another organization's, or it was deleted.
pub async fn organization(act: &mut Act, new: &ImportedOrganization) -> Result<Imported> {
    let mut imported = Imported::default();
    let organization = found_or_added(act, new, &mut imported).await?;
    let people = enrol(act, &organization, new, &mut imported).await?;
    let teams = form_teams(act, &organization, new, &mut imported).await?;
    imported.places = place(act, &organization, new, &people, &teams).await?;
    Ok(imported)
}

async fn found_or_added(act: &mut Act, new: &ImportedOrganization, imported: &mut Imported) -> Result<Organization> {
    match operators::kept(act, &Key::Handle(new.handle.clone())).await {
        Ok(kept) if kept.deleted_at.is_some() => {
            Err(Error::conflict("deleted", format!("{} was deleted; restore it first, or rename it in the file", new.name)))
        }
        Ok(kept) if kept.organization.name != new.name => {
            let detail = format!("the handle {} is taken by {}; rename it in the file", new.handle, kept.organization.name);
            Err(Error::conflict("handle_taken", detail))
        }
        Ok(kept) => Ok(kept.organization),
        Err(Error::NotFound("organization")) => {
            let naming = NewNaming { name: new.name.clone(), handle: Some(new.handle.clone()), description: Some(new.description.clone()) };
            imported.created = true;
            organizations::add(act, NewOrganization { naming, ..NewOrganization::default() }).await
        }
        Err(other) => Err(other),
    }
}

/// Makes accounts and members of those who are none; answers all members of the file.
async fn enrol(act: &mut Act, organization: &Organization, new: &ImportedOrganization, imported: &mut Imported) -> Result<Vec<User>> {
    let emails: Vec<String> = new.members.keys().cloned().collect();
    let mut people = users::lock_by_emails(&mut act.tx, &emails).await?;
    let known: BTreeSet<String> = people.iter().map(|user| user.email.clone()).collect();
    let fresh: Vec<User> = emails
        .iter()
        .filter(|email| !known.contains(*email))
        .map(|email| User {
            id: act.mint(),
            email: email.clone(),
            name: rules::name_from_email(email),
            operator: false,
            created_at: act.now(),
            suspended: false,
        })
        .collect();
    users::insert_many(&mut act.tx, &fresh).await?;
    imported.accounts = fresh.len();
    people.extend(fresh);
    let ids: Vec<_> = people.iter().map(|user| user.id).collect();
    let present = members::find_many(&mut act.tx, organization.id, &ids).await?;
    let present: BTreeSet<_> = present.into_iter().map(|member| member.user).collect();
    let mut added = Vec::new();
    for user in people.iter().filter(|user| !present.contains(&user.id)) {
        let Some(role) = new.members.get(&user.email).copied() else { continue };
        added.push(Member::new(user, role, act.now()));
        act.record(&[organization.id], EventKind::MemberAdded, Subject::new("user", user.id), json!({"role": role, "imported": true}));
    }
    crate::members::admit(act, organization.id, &added).await?;
    imported.members = added.len();
    Ok(people)
}

/// Forms the teams that are missing; answers all teams of the file with their ids, by what names are compared by.
async fn form_teams(
    act: &mut Act,
    organization: &Organization,
    new: &ImportedOrganization,
    imported: &mut Imported,
) -> Result<BTreeMap<String, Team>> {
    let now = act.now();
    let wanted: Vec<Team> = new
        .teams
        .iter()
        .map(|team| Team {
            id: act.mint(),
            name: team.name.clone(),
            description: team.description.clone(),
            created_at: now,
            updated_at: now,
        })
        .collect();
    let keys: Vec<String> = wanted.iter().map(Team::name_key).collect();
    let there = stored::find_by_names(&mut act.tx, organization.id, &keys).await?;
    let mut all: BTreeMap<String, Team> = there.into_iter().map(|team| (team.name_key(), team)).collect();
    let fresh: Vec<Team> = wanted.into_iter().filter(|team| !all.contains_key(&team.name_key())).collect();
    stored::insert_many(&mut act.tx, organization.id, &fresh).await?;
    imported.teams = fresh.len();
    for team in fresh {
        let data = json!({"name": team.name, "description": team.description, "imported": true});
        act.record(&[organization.id], EventKind::TeamCreated, Subject::new("team", team.id), data);
        all.insert(team.name_key(), team);
    }
    Ok(all)
}

/// Puts into the teams of the file who is missing there; answers how many that were.
async fn place(
    act: &mut Act,
    organization: &Organization,
    new: &ImportedOrganization,
    people: &[User],
    teams: &BTreeMap<String, Team>,
) -> Result<usize> {
    let taken: BTreeSet<(TeamId, UserId)> = stored::places(&mut act.tx, organization.id).await?.into_iter().collect();
    let ids: BTreeMap<&str, UserId> = people.iter().map(|user| (user.email.as_str(), user.id)).collect();
    let mut added = Vec::new();
    for (team, members) in new.teams.iter().filter_map(|one| Some((teams.get(&one.name.to_lowercase())?, &one.members))) {
        for user in members.iter().filter_map(|email| ids.get(email.as_str())).copied().filter(|user| !taken.contains(&(team.id, *user))) {
            added.push((team.id, user));
            let data = json!({"team": team.name, "user": user, "imported": true});
            act.record(&[organization.id], EventKind::TeamMemberAdded, Subject::new("team", team.id), data);
        }
    }
    let now = act.now();
    stored::add_places(&mut act.tx, organization.id, &added, now).await?;
    Ok(added.len())
}
