//! Registering applications, their secrets, giving them away, and deleting them.

use serde_json::json;
use stoa_domain::{
    access::Reason,
    applications::{Application, ApplicationChange, ApplicationSecret, MOST_LIVE_SECRETS, NewApplication, Owner},
    events::{EventKind, Subject},
    ids::{ApplicationId, OrganizationId, SecretId},
    organizations::Key,
    permissions::Permission,
    secrets::{Secret, SecretKind},
    sharing::{self, Tie},
};
use stoa_store::{Conn, applications, organizations, sharing as shares, tokens, users};

pub use stoa_store::{
    applications::{Seen, Uses, Which},
    sharing::Share,
};

use crate::{Act, Caller, Error, Refusal, Result, handovers, seats};

/// An application with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    /// The application.
    pub seen: Seen,
    /// Its live secrets, oldest first.
    pub secrets: Vec<ApplicationSecret>,
    /// The services, not retired, that it stands behind.
    pub services: Vec<Uses>,
    /// With whom it is shared.
    pub shares: Vec<Share>,
    /// The name of the person whose it is; empty where it belongs to an organization.
    pub owner_name: String,
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
        Some(key) => Some(seats::locked(act, key, Permission::ManageResources).await?),
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
        created_by: Some(user),
    };
    applications::insert(&mut act.tx, &application).await?;
    let data = json!({
        "name": application.name, "description": application.description, "redirect_uris": application.redirect_uris,
    });
    let concerned: Vec<_> = seat.iter().map(|seat| seat.organization.id).collect();
    act.record(&concerned, EventKind::ApplicationCreated, Subject::new("application", application.id), data);
    let organization = seat.as_ref().map(|seat| (seat.organization.handle.clone(), seat.organization.name.clone()));
    let tie = seat.as_ref().map_or(Tie::Owner, |seat| Tie::Member { role: seat.role, open: true, creator: true, suspended: false });
    Ok(Seen { application, ties: vec![tie], organization, live_secrets: 0 })
}

/// The application, if the caller sees it and may do `permission` with it.
pub(crate) async fn allowed(conn: &mut Conn, caller: &Caller, id: ApplicationId, permission: Permission) -> Result<Seen> {
    let seen = applications::find_for(conn, id, &caller.viewer()?).await?.ok_or(Error::NotFound("application"))?;
    let decided = sharing::decide(&seen.ties, permission);
    if decided.reason.allows() {
        return Ok(seen);
    }
    let Some(role) = decided.path.and_then(|path| path.role()) else { return Err(Error::NotFound("application")) };
    let (organization_id, organization) = home(conn, &seen).await?.ok_or(Error::NotFound("application"))?;
    if decided.reason == Reason::OrganizationSuspended
        && let Some(suspended) = organizations::find(conn, organization_id).await?
    {
        seats::not_suspended(&suspended)?;
    }
    Err(Refusal { role, organization, organization_id, permission }.into())
}

/// The organization within which an application is used: the one that owns it, or with which it is shared.
async fn home(conn: &mut Conn, seen: &Seen) -> Result<Option<(OrganizationId, String)>> {
    if let (Owner::Organization(id), Some((_, name))) = (seen.application.owner, &seen.organization) {
        return Ok(Some((id, name.clone())));
    }
    let shared = shares::list(conn, seen.application.id).await?;
    Ok(shared.into_iter().next().map(|share| (share.organization, share.name)))
}

/// An application that the caller may see, with its live secrets and the services it stands behind.
///
/// # Errors
/// 401, 404.
pub async fn get(conn: &mut Conn, caller: &Caller, id: ApplicationId) -> Result<Whole> {
    let seen = allowed(conn, caller, id, Permission::View).await?;
    let secrets = applications::list_secrets(conn, id).await?;
    let services = applications::services_of(conn, &[id]).await?;
    let shares = shares::list(conn, id).await?;
    let owner_name = owner_name(conn, caller, &seen).await?;
    Ok(Whole { seen, secrets, services, shares, owner_name })
}

async fn owner_name(conn: &mut Conn, caller: &Caller, seen: &Seen) -> Result<String> {
    let me = caller.person()?;
    match seen.application.owner {
        Owner::Organization(_) => Ok(String::new()),
        Owner::User(id) if id == me.id => Ok(me.name.clone()),
        Owner::User(id) => Ok(users::names(conn, &[id]).await?.pop().map(|(_, name)| name).unwrap_or_default()),
    }
}

/// Which applications to list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filter<'a> {
    /// Only the caller's own.
    pub own: bool,
    /// Only those of this organization and those shared with it or with its teams.
    pub organization: Option<&'a Key<OrganizationId>>,
    /// Only those whose name has this in it.
    pub search: Option<&'a str>,
}

/// A page of the applications the caller sees, in the order of their names.
///
/// # Errors
/// 401, 404 for an organization the caller does not belong to.
pub async fn list(
    conn: &mut Conn,
    caller: &Caller,
    filter: Filter<'_>,
    after: Option<(&str, ApplicationId)>,
    limit: i64,
) -> Result<Vec<Seen>> {
    let viewer = caller.viewer()?;
    let organization = match filter.organization {
        Some(key) => Some(seats::allowed(conn, caller, key, Permission::View).await?.organization.id),
        None => None,
    };
    let which = Which { own: filter.own, organization, search: filter.search };
    Ok(applications::list_for(conn, &viewer, which, after, limit).await?)
}

/// The services, not retired, that applications stand behind; for those who were let see the applications.
///
/// # Errors
/// Those of the database.
pub async fn services_of(conn: &mut Conn, seen: &[Seen]) -> Result<Vec<Uses>> {
    let ids: Vec<_> = seen.iter().map(|one| one.application.id).collect();
    Ok(applications::services_of(conn, &ids).await?)
}

/// An application that is being changed: locked, with what depends on it.
pub(crate) struct Changing {
    pub(crate) seen: Seen,
    /// The services, not retired, that it stands behind.
    pub(crate) services: Vec<Uses>,
    /// With whom it is shared.
    pub(crate) shares: Vec<Share>,
    /// The organizations whose logs tell of it: its owner, the one it is shared with, and the providers of those services,
    /// because their tokens depend on it.
    pub(crate) concerned: Vec<OrganizationId>,
}

/// The application for a change, locked, and with it the organizations concerned and `also`. It is read, and whether the
/// caller may change it decided, once more under the locks.
pub(crate) async fn for_change(act: &mut Act, id: ApplicationId, also: &[OrganizationId]) -> Result<Changing> {
    let seen = allowed(&mut act.tx, &act.caller, id, Permission::ManageResources).await?;
    let mut concerned = Vec::new();
    if let Owner::Organization(owner) = seen.application.owner {
        concerned.push(owner);
    }
    // Organizations before the application, in one order, as wherever services are written.
    concerned.extend(applications::services_of(&mut act.tx, &[id]).await?.iter().map(|one| one.provider));
    concerned.extend(shares::list(&mut act.tx, id).await?.iter().map(|share| share.organization));
    let locked: Vec<_> = concerned.iter().chain(also).copied().collect();
    organizations::lock(&mut act.tx, &locked).await?;
    match applications::lock_owned(&mut act.tx, id).await? {
        None => return Err(Error::NotFound("application")),
        // It went to another organization while this waited: whoever may no longer change it is told so the next time.
        Some(owner) if owner != seen.application.owner => return Err(handovers::moved()),
        Some(_) => {}
    }
    let seen = allowed(&mut act.tx, &act.caller, id, Permission::ManageResources).await?;
    let services = applications::services_of(&mut act.tx, &[id]).await?;
    let shares = shares::list(&mut act.tx, id).await?;
    concerned.extend(services.iter().map(|one| one.provider));
    concerned.extend(shares.iter().map(|share| share.organization));
    Ok(Changing { seen, services, shares, concerned })
}

/// Refuses what is for the owner alone: a share gives the use of an application, not the right to give it away.
fn for_owner(caller: &Caller, seen: &Seen, what: &str) -> Result<()> {
    match seen.application.owner {
        Owner::User(owner) if owner != caller.user_id()? => {
            Err(Error::NotYours { detail: format!("this application belongs to the person who registered it, who alone may {what}") })
        }
        _ => Ok(()),
    }
}

/// Changes an application's details.
///
/// # Errors
/// 401, 404, 403, 422.
pub async fn update(act: &mut Act, id: ApplicationId, change: ApplicationChange) -> Result<Whole> {
    let Changing { mut seen, services, shares, concerned } = for_change(act, id, &[]).await?;
    let secrets = applications::list_secrets(&mut act.tx, id).await?;
    let before = seen.application.clone();
    let mut changed = change.apply(&before)?;
    if changed != before {
        changed.updated_at = act.now();
        applications::update(&mut act.tx, &changed).await?;
        act.record(&concerned, EventKind::ApplicationUpdated, Subject::new("application", id), difference(&before, &changed));
        seen.application = changed;
    }
    let (conn, caller) = act.reading();
    let owner_name = owner_name(conn, caller, &seen).await?;
    Ok(Whole { seen, secrets, services, shares, owner_name })
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

/// What the deletion of an application takes along. [`delete`] does exactly this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// The application.
    pub seen: Seen,
    /// The services, not retired, that stand in its way.
    pub services: Vec<Uses>,
    /// How many live subscriptions those have.
    pub subscriptions: i64,
    /// The secrets that open nothing any more.
    pub secrets: Vec<ApplicationSecret>,
    /// How many access tokens open nothing any more.
    pub tokens: i64,
    /// Who does not see it any more.
    pub shares: Vec<Share>,
}

impl Deletion {
    /// Why it cannot happen yet; `None` where it can.
    pub fn blocked(&self) -> Option<String> {
        let names: Vec<_> = self.services.iter().map(|service| service.name.as_str()).collect();
        let live = match self.subscriptions {
            0 => String::new(),
            1 => " (1 live subscription)".to_owned(),
            more => format!(" ({more} live subscriptions)"),
        };
        match names.as_slice() {
            [] => None,
            [one] => Some(format!("{one}{live} signs in with this application; retire the service first")),
            more => Some(format!("{}{live} sign in with this application; retire these services first", more.join(", "))),
        }
    }
}

/// What the deletion of an application would take along, for whoever may delete it.
///
/// # Errors
/// 401, 404, 403.
pub async fn deletion(conn: &mut Conn, caller: &Caller, id: ApplicationId) -> Result<Deletion> {
    let seen = allowed(conn, caller, id, Permission::ManageResources).await?;
    let services = applications::services_of(conn, &[id]).await?;
    let shares = shares::list(conn, id).await?;
    plan_deletion(conn, caller, seen, services, shares).await
}

async fn plan_deletion(conn: &mut Conn, caller: &Caller, seen: Seen, services: Vec<Uses>, shares: Vec<Share>) -> Result<Deletion> {
    for_owner(caller, &seen, "delete it")?;
    let id = seen.application.id;
    Ok(Deletion {
        subscriptions: applications::count_subscriptions(conn, id).await?,
        secrets: applications::list_secrets(conn, id).await?,
        tokens: tokens::count_access_of(conn, id, caller.now).await?,
        seen,
        services,
        shares,
    })
}

/// Deletes an application: its secrets and tokens open nothing from the next request on, and nobody sees it any more.
///
/// # Errors
/// 401, 404, 403; `in_use` (409) while a service that is not retired stands on it.
pub async fn delete(act: &mut Act, id: ApplicationId) -> Result<Seen> {
    let Changing { seen, services, shares: shared, concerned } = for_change(act, id, &[]).await?;
    let (conn, caller) = act.reading();
    let deletion = plan_deletion(conn, caller, seen, services, shared).await?;
    if let Some(reason) = deletion.blocked() {
        return Err(Error::conflict("in_use", reason));
    }
    let now = act.now();
    applications::delete(&mut act.tx, id, now).await?;
    tokens::delete_access_of(&mut act.tx, id, None).await?;
    shares::delete_all(&mut act.tx, id).await?;
    let data = json!({
        "name": deletion.seen.application.name, "secrets": deletion.secrets.len(), "tokens": deletion.tokens,
        "shares": deletion.shares.len(),
    });
    act.record(&concerned, EventKind::ApplicationDeleted, Subject::new("application", id), data);
    Ok(deletion.seen)
}

/// Gives the caller's application to an organization, which it then belongs to for good.
///
/// # Errors
/// 401, 404, 403; `transferred` (409) when it belongs to an organization already, `shared_elsewhere` (409) when it is
/// shared with another one.
pub async fn transfer(act: &mut Act, id: ApplicationId, to: &Key<OrganizationId>) -> Result<Seen> {
    let seat = seats::allowed(&mut act.tx, &act.caller, to, Permission::ManageResources).await?;
    let organization = seat.organization.id;
    let changing = for_change(act, id, &[organization]).await?;
    seats::still(act, &seat, Permission::ManageResources).await?;
    for_owner(&act.caller, &changing.seen, "give it away")?;
    if let Owner::Organization(_) = changing.seen.application.owner {
        return Err(Error::conflict("transferred", "this application belongs to an organization already and stays there"));
    }
    if let Some(share) = changing.shares.iter().find(|share| share.organization != organization) {
        return Err(shared_elsewhere(&share.name));
    }
    let now = act.now();
    shares::transfer(&mut act.tx, organization, &[id], now).await?;
    let mut concerned = changing.concerned;
    concerned.push(organization);
    let data = json!({"name": changing.seen.application.name, "organization": organization, "cause": "given"});
    act.record(&concerned, EventKind::ApplicationTransferred, Subject::new("application", id), data);
    let viewer = act.caller.viewer()?;
    applications::find_for(&mut act.tx, id, &viewer).await?.ok_or(Error::NotFound("application"))
}

/// The refusal to use an application within two organizations.
pub(crate) fn shared_elsewhere(with: &str) -> Error {
    let detail =
        format!("this application is shared with {with}; an application is shared within one organization, so take it back there first");
    Error::conflict("shared_elsewhere", detail)
}

/// Makes a secret for an application. Its text is shown once.
///
/// # Errors
/// 401, 404, 403; `too_many_secrets` (409).
pub async fn create_secret(act: &mut Act, id: ApplicationId) -> Result<(Seen, ApplicationSecret, Secret)> {
    let Changing { seen, concerned, .. } = for_change(act, id, &[]).await?;
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
    let Changing { seen, concerned, .. } = for_change(act, id, &[]).await?;
    let live = applications::list_secrets(&mut act.tx, id).await?;
    let revoked = live.into_iter().find(|one| one.id == secret).ok_or(Error::NotFound("secret"))?;
    let now = act.now();
    applications::revoke_secret(&mut act.tx, id, secret, now).await?;
    tokens::delete_access_of(&mut act.tx, id, Some(secret)).await?;
    let data = json!({"application": seen.application.name, "secret": secret, "hint": revoked.hint});
    act.record(&concerned, EventKind::SecretRevoked, Subject::new("application", id), data);
    Ok(seen)
}
