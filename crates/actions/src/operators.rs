//! What operators do: they run the installation, and are no members of the organizations in it.
//!
//! Everything here takes an operator, or the command line; for everybody else there is nothing here.

use serde_json::json;
use stoa_domain::{
    events::{EventKind, Subject},
    ids::{OrganizationId, UserId},
    mail::Mail,
    members::Member,
    operators::{self as rules, View},
    organizations::{Key, Organization, Suspension},
    subscriptions::Subscription,
    text::{self, Faults},
    users::User,
};
use stoa_store::{
    Conn, ceremonies, members,
    organizations::{self, Counts},
    passkeys, second_factors as factors, sessions,
    subscriptions::{self, Filter},
    users,
};

pub use stoa_store::{
    organizations::{Kept, Wanted},
    second_factors::Factors,
};

use crate::{Act, Caller, Error, Result, Who, mail};

/// The longest reason, in characters.
pub const REASON: usize = 500;

/// How many members or subscriptions one look shows.
pub const SHOWN: i64 = 200;

/// Passes operators and the command line.
///
/// # Errors
/// 401 for nobody, 404 for everybody else.
pub fn allowed(caller: &Caller) -> Result<()> {
    if matches!(caller.who, Who::System) { Ok(()) } else { caller.operator().map(drop) }
}

/// Why an operator does something: read by those whom it concerns, so it is never empty.
///
/// # Errors
/// 422.
pub fn reason(text: &str) -> Result<String> {
    let mut faults = Faults::new();
    let reason = faults.check("/reason", text::line(text, REASON));
    Ok(faults.or(reason)?)
}

/// A page of all accounts in the order of their addresses; `search` is a part of address or name, `after` the address of the
/// last one of the page before.
///
/// # Errors
/// 401, 404.
pub async fn users(conn: &mut Conn, caller: &Caller, search: &str, after: Option<&str>, limit: i64) -> Result<Vec<User>> {
    allowed(caller)?;
    Ok(users::list(conn, search, after, limit).await?)
}

/// An account for a change, with all operators locked, so that two operators who take the role from each other at the same
/// moment see each other.
async fn user_for_change(act: &mut Act, id: UserId) -> Result<(User, Vec<UserId>)> {
    allowed(&act.caller)?;
    let operators = users::lock_operators(&mut act.tx).await?;
    let user = users::lock(&mut act.tx, id).await?.ok_or(Error::NotFound("account"))?;
    Ok((user, operators))
}

/// An account.
///
/// # Errors
/// 401, 404.
pub async fn user(act: &mut Act, id: UserId) -> Result<User> {
    Ok(user_for_change(act, id).await?.0)
}

/// Suspends an account: its sessions end, its tokens are refused, nobody signs in to it.
///
/// # Errors
/// 401, 404; `last_operator` (409).
pub async fn suspend_user(act: &mut Act, id: UserId) -> Result<User> {
    let (user, operators) = user_for_change(act, id).await?;
    if user.suspended {
        return Ok(user);
    }
    rules::keep_an_operator(&operators, id)?;
    let now = act.now();
    users::set_suspended(&mut act.tx, id, Some(now)).await?;
    sessions::delete_of(&mut act.tx, id).await?;
    tracing::info!(user = %id, by = act.caller.principal(), "an operator suspended an account");
    Ok(User { suspended: true, ..user })
}

/// Lifts the suspension of an account.
///
/// # Errors
/// 401, 404.
pub async fn unsuspend_user(act: &mut Act, id: UserId) -> Result<User> {
    let (user, _) = user_for_change(act, id).await?;
    if !user.suspended {
        return Ok(user);
    }
    users::set_suspended(&mut act.tx, id, None).await?;
    tracing::info!(user = %id, by = act.caller.principal(), "an operator lifted the suspension of an account");
    Ok(User { suspended: false, ..user })
}

/// Makes somebody an operator, or takes that back.
///
/// # Errors
/// 401, 404; `last_operator` (409).
pub async fn set_operator(act: &mut Act, id: UserId, operator: bool) -> Result<User> {
    let (user, operators) = user_for_change(act, id).await?;
    if operator == user.operator {
        return Ok(user);
    }
    if !operator {
        rules::keep_an_operator(&operators, id)?;
    }
    users::set_operator(&mut act.tx, id, operator).await?;
    tracing::info!(user = %id, operator, by = act.caller.principal(), "an operator made somebody an operator, or took that back");
    Ok(User { operator, ..user })
}

/// What second factors an account has: what [`reset_second_factors`] would take away.
///
/// # Errors
/// 401, 404.
pub async fn second_factors(conn: &mut Conn, caller: &Caller, id: UserId) -> Result<(User, Factors)> {
    allowed(caller)?;
    let user = users::find_many(conn, &[id]).await?.pop().ok_or(Error::NotFound("account"))?;
    Ok((user, factors::factors(conn, id).await?))
}

/// Takes away the second factors of somebody who has lost them: authenticator app, recovery codes and passkeys. All their
/// sessions end, they are told by mail, and it stands in the log of each organization they belong to, with the reason.
///
/// Operators reset those of others only: for their own they prove who they are under Security.
///
/// # Errors
/// 401, 404; 422 without a reason; `no_second_factor`, `own_account` (409).
pub async fn reset_second_factors(act: &mut Act, id: UserId, why: &str) -> Result<User> {
    allowed(&act.caller)?;
    let why = reason(why)?;
    // Organizations before people, in the order in which all are locked.
    let mine: Vec<_> = members::of_user(&mut act.tx, id).await?.into_iter().map(|(organization, _)| organization).collect();
    let concerned = organizations::lock_there(&mut act.tx, &mine).await?;
    let (user, _) = user_for_change(act, id).await?;
    if act.caller.user_id().is_ok_and(|me| me == id) {
        return Err(Error::conflict("own_account", "you change your own second factors under Account, Security; this is for other people"));
    }
    let had = factors::factors(&mut act.tx, id).await?;
    if had == Factors::default() {
        return Err(Error::conflict("no_second_factor", format!("{} has no second factor", user.email)));
    }
    let now = act.now();
    factors::delete_totp(&mut act.tx, id).await?;
    factors::replace_recovery_codes(&mut act.tx, id, &[], now).await?;
    passkeys::delete_of(&mut act.tx, id).await?;
    ceremonies::delete_of(&mut act.tx, id).await?;
    sessions::delete_of(&mut act.tx, id).await?;
    let data = json!({"reason": why});
    act.record(&concerned, EventKind::SecondFactorsReset, Subject::new("user", id), data);
    let link = format!("{}/account/security", act.stoa().public_url);
    mail::send(act, &user.email, Mail::SecondFactorsReset { at: now, reason: why, link }).await?;
    tracing::info!(user = %id, by = act.caller.principal(), "an operator reset second factors");
    Ok(user)
}

/// A page of all organizations in the order of their names, deleted ones too.
///
/// # Errors
/// 401, 404.
pub async fn organizations(
    conn: &mut Conn,
    caller: &Caller,
    wanted: Wanted,
    search: &str,
    after: Option<(&str, OrganizationId)>,
    limit: i64,
) -> Result<Vec<Kept>> {
    allowed(caller)?;
    Ok(organizations::list_kept(conn, wanted, search, after, limit, caller.now).await?)
}

/// An organization that may be deleted, locked.
///
/// # Errors
/// 401, 404.
pub async fn kept(act: &mut Act, key: &Key<OrganizationId>) -> Result<Kept> {
    allowed(&act.caller)?;
    let now = act.now();
    organizations::find_kept(&mut act.tx, key, now).await?.ok_or(Error::NotFound("organization"))
}

/// Whether anybody maintains an organization; one that is not maintained is restored with a maintainer only. For those who were
/// let see it.
///
/// # Errors
/// Those of the database.
pub async fn is_maintained(conn: &mut Conn, kept: &Kept) -> Result<bool> {
    Ok(members::count_maintainers(conn, kept.organization.id).await? > 0)
}

async fn there(act: &mut Act, key: &Key<OrganizationId>) -> Result<Organization> {
    let found = kept(act, key).await?;
    match found.deleted_at {
        None => Ok(found.organization),
        Some(_) => Err(Error::conflict("deleted", format!("{} is deleted; restore it first", found.organization.name))),
    }
}

/// Suspends an organization: its members may look but change nothing, its services' tokens and its grants are closed.
///
/// # Errors
/// 401, 404, 422; `deleted` (409).
pub async fn suspend_organization(act: &mut Act, key: &Key<OrganizationId>, why: &str) -> Result<Organization> {
    let why = reason(why)?;
    let organization = there(act, key).await?;
    if organization.suspension.is_some() {
        return Ok(organization);
    }
    let suspension = Suspension { since: act.now(), reason: why };
    organizations::set_suspension(&mut act.tx, organization.id, Some(&suspension)).await?;
    let data = json!({"name": organization.name, "reason": suspension.reason});
    act.record(&[organization.id], EventKind::OrganizationSuspended, Subject::new("organization", organization.id), data);
    Ok(Organization { suspension: Some(suspension), ..organization })
}

/// Lifts the suspension of an organization.
///
/// # Errors
/// 401, 404; `deleted` (409).
pub async fn unsuspend_organization(act: &mut Act, key: &Key<OrganizationId>) -> Result<Organization> {
    let organization = there(act, key).await?;
    if organization.suspension.is_none() {
        return Ok(organization);
    }
    organizations::set_suspension(&mut act.tx, organization.id, None).await?;
    let data = json!({"name": organization.name});
    act.record(&[organization.id], EventKind::OrganizationUnsuspended, Subject::new("organization", organization.id), data);
    Ok(Organization { suspension: None, ..organization })
}

/// What an operator saw of an organization.
#[derive(Debug, Clone)]
pub struct Viewed {
    /// The organization and whether it is deleted.
    pub kept: Kept,
    /// How much it has.
    pub counts: Counts,
    /// Its members, where they were looked at; at most [`SHOWN`].
    pub members: Vec<Member>,
    /// What it subscribes, where that was looked at; at most [`SHOWN`], newest first.
    pub subscriptions: Vec<(Subscription, String)>,
}

/// Looks into an organization. That it was looked into, by whom and why, stands in its log.
///
/// # Errors
/// 401, 404; 422 without a reason.
pub async fn view(act: &mut Act, key: &Key<OrganizationId>, what: View, why: &str) -> Result<Viewed> {
    let why = reason(why)?;
    let kept = kept(act, key).await?;
    let id = kept.organization.id;
    let counts = organizations::counts(&mut act.tx, id).await?;
    let members = match what {
        View::Members => members::list(&mut act.tx, id, None, None, SHOWN).await?,
        View::Details | View::Subscriptions => Vec::new(),
    };
    let subscriptions = match what {
        View::Subscriptions => {
            let all = subscriptions::list(&mut act.tx, id, Filter::default(), SHOWN).await?;
            let names = crate::subscriptions::concerned_all(&mut act.tx, &all).await?;
            let name = |one: &Subscription| names.get(&one.id).map(|concerned| concerned.offer.service_name.clone()).unwrap_or_default();
            all.into_iter().map(|one| (one.clone(), name(&one))).collect()
        }
        View::Details | View::Members => Vec::new(),
    };
    let data = json!({"what": what, "reason": why});
    act.record(&[id], EventKind::OperatorViewed, Subject::new("organization", id), data);
    Ok(Viewed { kept, counts, members, subscriptions })
}
