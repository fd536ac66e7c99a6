//! Taking over organizations from a file of another system.

use std::collections::BTreeSet;

use serde_json::json;
use stoa_domain::{
    events::{EventKind, Subject},
    imports::ImportedOrganization,
    members::Member,
    naming::NewNaming,
    organizations::{Key, NewOrganization, Organization},
    users::{self as rules, User},
};
use stoa_store::{members, users};

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

/// Takes an organization over: creates it, or adds what is missing of it. Nobody is removed and no role is changed, so that
/// the same file may be imported again. By an operator or the command line; all of it or nothing, with the act.
///
/// # Errors
/// 401, 404; 409 when its handle is another organization's, or it was deleted.
pub async fn organization(act: &mut Act, new: &ImportedOrganization) -> Result<Imported> {
    let mut imported = Imported::default();
    let organization = found_or_added(act, new, &mut imported).await?;
    let members = enrol(act, &organization, new, &mut imported).await?;
    let _ = members;
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
        added.push(Member { user: user.id, email: user.email.clone(), name: user.name.clone(), role, since: act.now() });
        act.record(&[organization.id], EventKind::MemberAdded, Subject::new("user", user.id), json!({"role": role, "imported": true}));
    }
    members::insert_many(&mut act.tx, organization.id, &added).await?;
    imported.members = added.len();
    Ok(people)
}
