//! Invitations: asking people without an account to join, and what they answer.

use serde_json::{Value, json};
use stoa_domain::{
    events::{EventKind, Subject},
    ids::{InvitationId, OrganizationId},
    invitations::{CannotAnswer, Invitation, InvitationState, LIFE, Step},
    limits::Letter,
    members::Member,
    organizations::{Key, Organization},
    permissions::{Permission, Role},
    secrets::{Secret, SecretKind},
    time::Ts,
    users::User,
};
use stoa_store::{Conn, invitations, members, organizations, users};

use crate::{Act, Caller, Error, Result, Stoa, limits, seats};

impl From<CannotAnswer> for Error {
    fn from(reason: CannotAnswer) -> Self {
        let code = match reason {
            CannotAnswer::Closed(_) | CannotAnswer::NotYet => "invitation_closed",
            CannotAnswer::Expired => "invitation_expired",
        };
        Self::conflict(code, reason.to_string())
    }
}

/// Somebody to invite, with a checked address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Invitee {
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) role: Role,
}

/// Invites people into an organization that the caller was let manage and has locked. An invitation takes the place of one
/// for the same address that still waits.
///
/// # Errors
/// [`Error::TooMany`].
pub(crate) async fn invite(act: &mut Act, organization: OrganizationId, people: Vec<Invitee>) -> Result<Vec<Invitation>> {
    let emails: Vec<String> = people.iter().map(|one| one.email.clone()).collect();
    let waiting = invitations::pending_for(&mut act.tx, organization, &emails).await?;
    let (now, invited_by) = (act.now(), act.caller.user_id()?);
    let replaced: Vec<InvitationId> = waiting.iter().map(|one| one.id).collect();
    invitations::revoke_many(&mut act.tx, organization, &replaced, now).await?;
    let mut made = Vec::with_capacity(people.len());
    for one in people {
        let invitation = Invitation {
            id: act.mint(),
            organization,
            email: one.email,
            name: one.name,
            role: one.role,
            state: InvitationState::Pending,
            invited_by,
            created_at: now,
            sent_at: now,
            expires_at: now.plus(LIFE),
            closed_at: None,
        };
        let mut data = data(&invitation);
        if let Some(before) = waiting.iter().find(|before| before.email == invitation.email) {
            data["replaces"] = json!(before.id);
        }
        act.record(&[organization], EventKind::InvitationCreated, subject(&invitation), data);
        made.push(invitation);
    }
    invitations::insert_many(&mut act.tx, &made).await?;
    // Last, because the counts of the installation stay locked until the commit.
    limits::take_letters(act, Letter::Invitation, organization, &emails).await?;
    Ok(made)
}

/// Takes back the invitations into an organization, which is locked, that wait for some addresses: whoever comes or goes in another
/// way has no use for them, and an old link must not bring back somebody who was removed.
pub(crate) async fn close_waiting(act: &mut Act, organization: OrganizationId, emails: &[String], cause: &str) -> Result<()> {
    let waiting = invitations::pending_for(&mut act.tx, organization, emails).await?;
    let (ids, now) = (waiting.iter().map(|one| one.id).collect::<Vec<_>>(), act.now());
    invitations::revoke_many(&mut act.tx, organization, &ids, now).await?;
    for one in &waiting {
        let data = json!({"role": one.role, "cause": cause});
        act.record(&[organization], EventKind::InvitationRevoked, subject(one), data);
    }
    Ok(())
}

fn subject(invitation: &Invitation) -> Subject {
    Subject::new("invitation", invitation.id)
}

/// What an event tells of an invitation. Not the address: the log is kept when the organization is erased, and whoever is
/// invited may never have had an account here. Readers look it up in the invitation, which goes with the organization.
fn data(invitation: &Invitation) -> Value {
    json!({"role": invitation.role})
}

/// A page of an organization's invitations, newest first; `before` is the last one of the page before.
///
/// # Errors
/// 401, 404, 403.
pub async fn list(
    conn: &mut Conn,
    caller: &Caller,
    org: &Key<OrganizationId>,
    state: Option<InvitationState>,
    before: Option<InvitationId>,
    limit: i64,
) -> Result<Vec<Invitation>> {
    let seat = seats::allowed(conn, caller, org, Permission::ManageMembers).await?;
    Ok(invitations::list(conn, seat.organization.id, state, before, limit).await?)
}

/// Takes an invitation back: its link opens nothing any more.
///
/// # Errors
/// 401, 404, 403; `invitation_closed` (409).
pub async fn revoke(act: &mut Act, org: &Key<OrganizationId>, id: InvitationId) -> Result<Invitation> {
    step(act, org, id, Step::Revoke, EventKind::InvitationRevoked).await
}

/// Sends an invitation once more, with another link, and begins its time anew.
///
/// # Errors
/// 401, 404, 403; `invitation_closed` (409); [`Error::TooMany`].
pub async fn resend(act: &mut Act, org: &Key<OrganizationId>, id: InvitationId) -> Result<Invitation> {
    let sent = step(act, org, id, Step::Resend, EventKind::InvitationResent).await?;
    limits::take_letters(act, Letter::Invitation, sent.organization, std::slice::from_ref(&sent.email)).await?;
    Ok(sent)
}

async fn step(act: &mut Act, org: &Key<OrganizationId>, id: InvitationId, step: Step, kind: EventKind) -> Result<Invitation> {
    let organization = seats::locked(act, org, Permission::ManageMembers).await?.organization.id;
    let found = invitations::find(&mut act.tx, organization, id).await?.ok_or(Error::NotFound("invitation"))?;
    let changed = found.after(step, act.now())?;
    invitations::update(&mut act.tx, &changed).await?;
    act.record(&[organization], kind, subject(&changed), data(&changed));
    Ok(changed)
}

/// An invitation as whoever has its link sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The invitation.
    pub invitation: Invitation,
    /// Into which organization.
    pub organization: Organization,
    /// The name of who invites.
    pub by: String,
}

/// The invitation of a link.
///
/// # Errors
/// 404 for a link that is of none, or of one that is answered or was sent again.
pub async fn open(conn: &mut Conn, token: &str) -> Result<Opened> {
    let missing = || Error::NotFound("invitation");
    let secret = Secret::read(token.trim()).filter(|secret| secret.kind() == SecretKind::Invitation).ok_or_else(missing)?;
    let invitation = invitations::find_by_token(conn, secret.hash()).await?.ok_or_else(missing)?;
    let organization = organizations::find(conn, invitation.organization).await?.ok_or_else(missing)?;
    let by = users::names(conn, &[invitation.invited_by]).await?.pop().map(|(_, name)| name).unwrap_or_default();
    Ok(Opened { invitation, organization, by })
}

/// The invitation of a link, locked, if it is for the caller's address.
async fn mine(act: &mut Act, token: &str) -> Result<Opened> {
    let person = act.caller.whole_person()?.clone();
    let opened = open(&mut act.tx, token).await?;
    if opened.invitation.email != person.email {
        let detail =
            format!("this invitation is for another address than yours ({}); sign in with the address it was sent to", person.email);
        return Err(Error::NotYours { detail });
    }
    organizations::lock(&mut act.tx, &[opened.organization.id]).await?;
    // Read again under the lock: it may have been answered in the meantime.
    open(&mut act.tx, token).await
}

/// Takes an invitation up: whoever has its link and its address becomes a member, once.
///
/// # Errors
/// 401, 404; 403 with another address or a limited token; `invitation_expired`, `organization_suspended` (409).
pub async fn accept(act: &mut Act, token: &str) -> Result<(Organization, Member)> {
    let opened = mine(act, token).await?;
    seats::not_suspended(&opened.organization)?;
    let user = act.caller.whole_person()?.clone();
    let member = take_up(act, &opened.invitation, &user).await?;
    Ok((opened.organization, member))
}

/// Takes up all invitations that wait for the address of somebody who has just proved it to be theirs by signing up.
/// Answers the organizations joined.
///
/// # Errors
/// Those of the database.
pub async fn accept_all(act: &mut Act, user: &User) -> Result<Vec<OrganizationId>> {
    let waiting = invitations::pending_of(&mut act.tx, &user.email).await?;
    if waiting.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<_> = waiting.iter().map(|one| one.organization).collect();
    let live = organizations::lock(&mut act.tx, &ids).await?;
    // Read again under the lock: some may have been taken back meanwhile.
    let waiting = invitations::pending_of(&mut act.tx, &user.email).await?;
    let mut joined = Vec::new();
    for invitation in waiting.iter().filter(|one| live.contains(&one.organization)) {
        if invitation.after(Step::Accept, act.now()).is_ok() {
            take_up(act, invitation, user).await?;
            joined.push(invitation.organization);
        }
    }
    Ok(joined)
}

async fn take_up(act: &mut Act, invitation: &Invitation, user: &User) -> Result<Member> {
    let now = act.now();
    let accepted = invitation.after(Step::Accept, now)?;
    let organization = accepted.organization;
    invitations::update(&mut act.tx, &accepted).await?;
    act.record(&[organization], EventKind::InvitationAccepted, subject(&accepted), data(&accepted));
    if let Some(member) = members::find(&mut act.tx, organization, user.id).await? {
        return Ok(member);
    }
    let member = Member::new(user, accepted.role, now);
    crate::members::admit(act, organization, std::slice::from_ref(&member)).await?;
    let data = json!({"role": accepted.role, "invitation": accepted.id, "invited_by": accepted.invited_by});
    act.record(&[organization], EventKind::MemberAdded, Subject::new("user", user.id), data);
    Ok(member)
}

/// Turns an invitation down.
///
/// # Errors
/// 401, 404; 403 with another address or a limited token; `invitation_expired` (409).
pub async fn decline(act: &mut Act, token: &str) -> Result<Organization> {
    let opened = mine(act, token).await?;
    let declined = opened.invitation.after(Step::Decline, act.now())?;
    invitations::update(&mut act.tx, &declined).await?;
    act.record(&[declined.organization], EventKind::InvitationDeclined, subject(&declined), data(&declined));
    Ok(opened.organization)
}

/// How many invitations one round of [`expire`] closes.
const ROUND: i64 = 200;

/// Closes invitations whose time is over. Answers how many.
///
/// # Errors
/// Those of the database; the next round does what was left.
pub async fn expire(stoa: &Stoa, now: Ts) -> Result<u64> {
    let mut conn = stoa.db.read().await?;
    let overdue = invitations::overdue(&mut conn, now, ROUND).await?;
    drop(conn);
    let mut closed = 0;
    for one in overdue {
        let mut act = Act::begin(stoa, Caller::system(now)).await?;
        organizations::lock(&mut act.tx, &[one.organization]).await?;
        let Some(found) = invitations::find(&mut act.tx, one.organization, one.id).await? else { continue };
        let Ok(expired) = found.after(Step::Expire, now) else { continue };
        invitations::update(&mut act.tx, &expired).await?;
        act.record(&[one.organization], EventKind::InvitationExpired, subject(&expired), data(&expired));
        act.commit().await?;
        closed += 1;
    }
    Ok(closed)
}
