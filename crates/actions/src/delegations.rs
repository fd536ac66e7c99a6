//! Deciding in somebody's stead while they are away.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use stoa_domain::{
    delegations::{Delegation, Span},
    events::{EventKind, Subject},
    ids::{DelegationId, OrganizationId, UserId},
    members::Member,
    organizations::Key,
    permissions::{Permission, Role, Verdict, verdict},
    text::{self, Faults},
    time::Ts,
};
use stoa_store::{Conn, delegations, members, users};

use crate::{
    Act, Caller, Error, Result,
    seats::{self, Seat},
};

/// The most delegations that are shown of one organization.
const MOST: i64 = 500;

/// A delegation with names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Details {
    /// The delegation.
    pub delegation: Delegation,
    /// The name of who is away.
    pub absent: String,
    /// The name of who decides meanwhile.
    pub delegate: String,
}

/// Whom to name, and for when.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewDelegation {
    /// The member who shall decide, by id or address.
    pub to: String,
    /// From when until when.
    pub span: Span,
}

/// The delegations of an organization that hold now or will, the earliest first.
///
/// # Errors
/// 401, 404.
pub async fn list(conn: &mut Conn, caller: &Caller, org: &Key<OrganizationId>) -> Result<(Seat, Vec<Details>)> {
    let seat = seats::allowed(conn, caller, org, Permission::View).await?;
    let found = delegations::ahead(conn, seat.organization.id, None, caller.now, MOST).await?;
    let found = details(conn, found).await?;
    Ok((seat, found))
}

async fn details(conn: &mut Conn, all: Vec<Delegation>) -> Result<Vec<Details>> {
    let ids: BTreeSet<_> = all.iter().flat_map(|one| [one.absent, one.delegate]).collect();
    let names: BTreeMap<_, _> = users::names(conn, &Vec::from_iter(ids)).await?.into_iter().collect();
    let name = |id: UserId| names.get(&id).cloned().unwrap_or_default();
    Ok(all.into_iter().map(|one| Details { absent: name(one.absent), delegate: name(one.delegate), delegation: one }).collect())
}

/// Names another member to decide requests in the caller's stead for a while: what the caller could decide, but never the
/// caller's own requests, nor those of whoever stands in.
///
/// # Errors
/// 401, 404, 403, 422; `already_delegated` (409) when somebody stands in for part of that time already.
pub async fn create(act: &mut Act, org: &Key<OrganizationId>, new: &NewDelegation) -> Result<Details> {
    let organization = seats::locked(act, org, Permission::DecideRequests).await?.organization.id;
    let (me, now) = (act.caller.person()?.clone(), act.now());
    let mut faults = Faults::new();
    let delegate = find_member(&mut act.tx, organization, &new.to).await?;
    match &delegate {
        None => faults.add("/to", "name a member of the organization, by address or id"),
        Some(member) if member.user == me.id => faults.add("/to", "name somebody else than yourself"),
        Some(_) => {}
    }
    let span = new.span.check(now, &mut faults);
    let (delegate, (starts_at, ends_at)) = faults.or(delegate.zip(span))?;
    let delegation = Delegation {
        id: act.mint(),
        organization,
        absent: me.id,
        delegate: delegate.user,
        starts_at,
        ends_at,
        ended_at: None,
        created_at: now,
    };
    let ahead = delegations::ahead(&mut act.tx, organization, Some(me.id), now, MOST).await?;
    if let Some(other) = ahead.iter().find(|one| one.absent == me.id && one.overlaps(&delegation)) {
        let detail = format!("somebody stands in for you from {} until {} already; end that first", other.starts_at, other.ends_at);
        return Err(Error::conflict("already_delegated", detail));
    }
    delegations::insert(&mut act.tx, &delegation).await?;
    let made = Details { absent: me.name, delegate: delegate.name, delegation };
    record(act, &made, EventKind::DelegationCreated, "");
    Ok(made)
}

async fn find_member(conn: &mut Conn, organization: OrganizationId, key: &str) -> Result<Option<Member>> {
    if let Ok(id) = key.trim().parse::<UserId>() {
        return Ok(members::find(conn, organization, id).await?);
    }
    let Ok(email) = text::email(key) else { return Ok(None) };
    match users::find_by_emails(conn, &[email]).await?.into_iter().next() {
        Some(user) => Ok(members::find(conn, organization, user.id).await?),
        None => Ok(None),
    }
}

fn record(act: &mut Act, of: &Details, kind: EventKind, cause: &str) {
    let one = &of.delegation;
    let data = json!({
        "absent": {"id": one.absent, "name": of.absent}, "delegate": {"id": one.delegate, "name": of.delegate},
        "from": one.starts_at, "until": one.ends_at, "cause": cause,
    });
    act.record(&[one.organization], kind, Subject::new("delegation", one.id), data);
}

/// Ends a delegation before its time: by whoever is away, whoever stands in, or a maintainer.
///
/// # Errors
/// 401, 404, 403; `delegation_over` (409).
pub async fn end(act: &mut Act, org: &Key<OrganizationId>, id: DelegationId) -> Result<()> {
    let seat = seats::locked(act, org, Permission::View).await?;
    seats::not_suspended(&seat.organization)?;
    let organization = seat.organization.id;
    let found = delegations::find(&mut act.tx, organization, id).await?.ok_or(Error::NotFound("delegation"))?;
    let (user, now) = (act.caller.user_id()?, act.now());
    if ![found.absent, found.delegate].contains(&user) && verdict(seat.role, Permission::ManageMembers) != Verdict::Allowed {
        let detail = "only whoever is away, whoever stands in, or a maintainer ends this".to_owned();
        return Err(Error::NotYours { detail });
    }
    if !found.is_ahead(now) {
        return Err(Error::conflict("delegation_over", "this delegation is over already"));
    }
    let found = details(&mut act.tx, vec![found]).await?;
    end_all(act, organization, &found, "").await
}

async fn end_all(act: &mut Act, organization: OrganizationId, all: &[Details], cause: &str) -> Result<()> {
    let now = act.now();
    let ids: Vec<_> = all.iter().map(|one| one.delegation.id).collect();
    delegations::end_many(&mut act.tx, organization, &ids, now).await?;
    for one in all {
        record(act, one, EventKind::DelegationEnded, cause);
    }
    Ok(())
}

/// The delegations, now or to come, in which a member is away or stands in.
pub(crate) async fn of_member(conn: &mut Conn, organization: OrganizationId, user: UserId, now: Ts) -> Result<Vec<Details>> {
    let ahead = delegations::ahead(conn, organization, Some(user), now, i64::MAX).await?;
    details(conn, ahead).await
}

/// A member has gone: nobody stands in for them, nor they for anybody.
pub(crate) async fn member_gone(act: &mut Act, organization: OrganizationId, theirs: &[Details]) -> Result<()> {
    end_all(act, organization, theirs, "member_gone").await
}

/// A member's role changed: where it decides nothing any more, nobody stands in for them.
pub(crate) async fn role_changed(act: &mut Act, organization: OrganizationId, user: UserId, to: Role) -> Result<()> {
    if verdict(to, Permission::DecideRequests) == Verdict::Allowed {
        return Ok(());
    }
    let now = act.now();
    let mut theirs = of_member(&mut act.tx, organization, user, now).await?;
    theirs.retain(|one| one.delegation.absent == user);
    end_all(act, organization, &theirs, "role_changed").await
}
