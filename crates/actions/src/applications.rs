//! Registering applications, their secrets, and deleting them.

use serde_json::json;
use stoa_domain::{
    applications::{Application, ApplicationChange, ApplicationSecret, MOST_LIVE_SECRETS, NewApplication, Owner},
    events::{EventKind, Subject},
    ids::{ApplicationId, OrganizationId, SecretId},
    organizations::Key,
    permissions::Permission,
    secrets::{Secret, SecretKind},
};
use stoa_store::{Conn, applications, organizations, tokens};

pub use stoa_store::applications::{Seen, Uses};

use crate::{Act, Caller, Error, Result, seats};

/// An application with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    /// The application.
    pub seen: Seen,
    /// Its live secrets, oldest first.
    pub secrets: Vec<ApplicationSecret>,
    /// The services, not retired, that it stands behind.
    pub services: Vec<Uses>,
}

/// Registers an application of the caller, or of an organization.
///
/// # Errors
/// 401, 404, 403, 422.
pub async fn create(act: &mut Act, owner: Option<&Key<OrganizationId>>, new: NewApplication) -> Result<Seen> {
    let user = match owner {
        Some(_) => act.caller.user_id()?,
        None => act.caller.whole_person()?.id,
    };
    let seat = match owner {
        Some(key) => Some(seats::allowed(&mut act.tx, &act.caller, key, Permission::ManageResources).await?),
        None => None,
    };
    let draft = new.check()?;
    let now = act.now();
    let application = Application {
        id: act.mint(),
        owner: seat.as_ref().map_or(Owner::User(user), |seat| Owner::Organization(seat.organization.id)),
        name: draft.name,
        description: draft.description,
        redirect_uris: draft.redirect_uris,
        created_at: now,
        updated_at: now,
    };
    applications::insert(&mut act.tx, &application).await?;
    let data = json!({
        "name": application.name, "description": application.description, "redirect_uris": application.redirect_uris,
    });
    let concerned: Vec<_> = seat.iter().map(|seat| seat.organization.id).collect();
    act.record(&concerned, EventKind::ApplicationCreated, Subject::new("application", application.id), data);
    let organization = seat.as_ref().map(|seat| (seat.organization.handle.clone(), seat.organization.name.clone()));
    Ok(Seen { application, role: seat.map(|seat| seat.role), organization, live_secrets: 0 })
}

/// The application, if the caller sees it and may do `permission` with it: with one's own everything, with an
/// organization's by role.
async fn allowed(conn: &mut Conn, caller: &Caller, id: ApplicationId, permission: Permission) -> Result<Seen> {
    let seen = applications::find_for(conn, id, &caller.viewer()?).await?.ok_or(Error::NotFound("application"))?;
    if let Owner::Organization(owner) = seen.application.owner
        && !permission.only_looks()
    {
        seats::allowed(conn, caller, &Key::Id(owner), permission).await?;
    }
    Ok(seen)
}

/// An application that the caller may see, with its live secrets and the services it stands behind.
///
/// # Errors
/// 401, 404.
pub async fn get(conn: &mut Conn, caller: &Caller, id: ApplicationId) -> Result<Whole> {
    let seen = allowed(conn, caller, id, Permission::View).await?;
    let secrets = applications::list_secrets(conn, id).await?;
    let services = applications::services_of(conn, &[id]).await?;
    Ok(Whole { seen, secrets, services })
}

/// A page of the caller's applications and of those of the caller's organizations (or of one of them), in the order of
/// their names.
///
/// # Errors
/// 401, 404 for an organization the caller does not belong to.
pub async fn list(
    conn: &mut Conn,
    caller: &Caller,
    organization: Option<&Key<OrganizationId>>,
    after: Option<(&str, ApplicationId)>,
    limit: i64,
) -> Result<Vec<Seen>> {
    let viewer = caller.viewer()?;
    let organization = match organization {
        Some(key) => Some(seats::allowed(conn, caller, key, Permission::View).await?.organization.id),
        None => None,
    };
    Ok(applications::list_for(conn, &viewer, organization, after, limit).await?)
}

/// The services, not retired, that applications stand behind; for those who were let see the applications.
///
/// # Errors
/// Those of the database.
pub async fn services_of(conn: &mut Conn, seen: &[Seen]) -> Result<Vec<Uses>> {
    let ids: Vec<_> = seen.iter().map(|one| one.application.id).collect();
    Ok(applications::services_of(conn, &ids).await?)
}

/// The application for a change, locked, with the services it stands behind and the organizations whose logs tell of it:
/// the owner, and the providers of those services, because their tokens depend on it.
async fn for_change(act: &mut Act, id: ApplicationId) -> Result<(Seen, Vec<Uses>, Vec<OrganizationId>)> {
    let seen = allowed(&mut act.tx, &act.caller, id, Permission::ManageResources).await?;
    let mut concerned = Vec::new();
    if let Owner::Organization(owner) = seen.application.owner {
        concerned.push(owner);
    }
    // Organizations before the application, in one order, as wherever services are written.
    concerned.extend(applications::services_of(&mut act.tx, &[id]).await?.iter().map(|one| one.provider));
    organizations::lock(&mut act.tx, &concerned).await?;
    if !applications::lock(&mut act.tx, id).await? {
        return Err(Error::NotFound("application"));
    }
    let services = applications::services_of(&mut act.tx, &[id]).await?;
    concerned.extend(services.iter().map(|one| one.provider));
    Ok((seen, services, concerned))
}

/// Changes an application's details.
///
/// # Errors
/// 401, 404, 403, 422.
pub async fn update(act: &mut Act, id: ApplicationId, change: ApplicationChange) -> Result<Whole> {
    let (mut seen, services, concerned) = for_change(act, id).await?;
    let secrets = applications::list_secrets(&mut act.tx, id).await?;
    let before = seen.application.clone();
    let mut changed = change.apply(&before)?;
    if changed != before {
        changed.updated_at = act.now();
        applications::update(&mut act.tx, &changed).await?;
        act.record(&concerned, EventKind::ApplicationUpdated, Subject::new("application", id), difference(&before, &changed));
        seen.application = changed;
    }
    Ok(Whole { seen, secrets, services })
}

fn difference(from: &Application, to: &Application) -> serde_json::Value {
    let mut data = json!({"application": to.name});
    if from.name != to.name {
        data["name"] = json!({"from": from.name, "to": to.name});
    }
    if from.description != to.description {
        data["description"] = json!({"from": from.description, "to": to.description});
    }
    if from.redirect_uris != to.redirect_uris {
        data["redirect_uris"] = json!({"from": from.redirect_uris, "to": to.redirect_uris});
    }
    data
}

/// Deletes an application: its secrets and tokens open nothing from the next request on.
///
/// # Errors
/// 401, 404, 403; `in_use` (409) while a service that is not retired stands on it.
pub async fn delete(act: &mut Act, id: ApplicationId) -> Result<Seen> {
    let (seen, services, concerned) = for_change(act, id).await?;
    if !services.is_empty() {
        let names: Vec<_> = services.iter().map(|service| service.name.as_str()).collect();
        let detail = format!("{} signs in with this application; retire it first, or give it another application", names.join(", "));
        return Err(Error::conflict("in_use", detail));
    }
    let now = act.now();
    applications::delete(&mut act.tx, id, now).await?;
    tokens::delete_access_of(&mut act.tx, id, None).await?;
    let data = json!({"name": seen.application.name});
    act.record(&concerned, EventKind::ApplicationDeleted, Subject::new("application", id), data);
    Ok(seen)
}

/// Makes a secret for an application. Its text is shown once.
///
/// # Errors
/// 401, 404, 403; `too_many_secrets` (409).
pub async fn create_secret(act: &mut Act, id: ApplicationId) -> Result<(Seen, ApplicationSecret, Secret)> {
    let (seen, _, concerned) = for_change(act, id).await?;
    if applications::list_secrets(&mut act.tx, id).await?.len() >= MOST_LIVE_SECRETS {
        let detail = format!("an application has at most {MOST_LIVE_SECRETS} live secrets; revoke one that is not used any more");
        return Err(Error::conflict("too_many_secrets", detail));
    }
    let text = act.secret(SecretKind::ApplicationSecret);
    let secret = ApplicationSecret { id: act.mint(), hint: text.hint(), created_at: act.now(), last_used_at: None };
    applications::insert_secret(&mut act.tx, id, &secret, text.hash()).await?;
    let data = json!({"application": seen.application.name, "secret": secret.id, "hint": secret.hint});
    act.record(&concerned, EventKind::SecretCreated, Subject::new("application", id), data);
    Ok((seen, secret, text))
}

/// Revokes a secret: it, and the access tokens issued with it, open nothing from the next request on.
///
/// # Errors
/// 401, 404, 403.
pub async fn revoke_secret(act: &mut Act, id: ApplicationId, secret: SecretId) -> Result<Seen> {
    let (seen, _, concerned) = for_change(act, id).await?;
    let live = applications::list_secrets(&mut act.tx, id).await?;
    let revoked = live.into_iter().find(|one| one.id == secret).ok_or(Error::NotFound("secret"))?;
    let now = act.now();
    applications::revoke_secret(&mut act.tx, id, secret, now).await?;
    tokens::delete_access_of(&mut act.tx, id, Some(secret)).await?;
    let data = json!({"application": seen.application.name, "secret": secret, "hint": revoked.hint});
    act.record(&concerned, EventKind::SecretRevoked, Subject::new("application", id), data);
    Ok(seen)
}
