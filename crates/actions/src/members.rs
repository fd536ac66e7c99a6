//! Members: adding, changing roles, removing, leaving.

use std::collections::BTreeSet;

use serde_json::json;
use stoa_domain::{
    events::{EventKind, Subject},
    ids::{ApplicationId, OrganizationId, UserId},
    invitations::Invitation,
    members::{Member, keep_a_maintainer},
    organizations::Key,
    permissions::{Permission, Role},
    teams::Team,
    text::{self, Faults},
    time::Ts,
    users::{SignUp, User},
};
use stoa_store::{Conn, invitations as kept, members, requests, sharing as shared, teams, tokens, users};

use crate::{
    Act, Caller, Error, Result, Stoa, delegations,
    invitations::{self, Invitee},
    seats, sharing,
};

/// The most people that one call of the API may add.
pub const MOST_ADDED: usize = 100;

/// The most names that [`who_may`] gives.
pub const MOST_NAMED: i64 = 5;

/// One person to add.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewMember {
    /// The address of the person's account, or to which an invitation goes.
    pub email: String,
    /// What the person is called, for the invitation; may be empty.
    pub name: String,
    /// The role to give.
    pub role: String,
}

/// What is to become of one person to add. [`add`] does exactly this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Planned {
    /// Has an account and becomes a member at once.
    Add(Member),
    /// Has no account and gets an invitation.
    Invite {
        /// The address.
        email: String,
        /// The name; may be empty.
        name: String,
        /// The role.
        role: Role,
        /// Whether it takes the place of one that waits.
        again: bool,
        /// Why the person can't make the account that it takes; `None` where they can.
        obstacle: Option<String>,
    },
    /// Is a member already; nothing changes.
    AlreadyMember(Member),
    /// Can't be added, for this reason.
    Invalid {
        /// What is wrong and what to do.
        reason: String,
    },
}

/// What became of one person to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Added {
    /// Is a member now.
    Added(Member),
    /// Was sent an invitation.
    Invited {
        /// The invitation.
        invitation: Invitation,
        /// Why the person can't make the account that it takes; `None` where they can.
        obstacle: Option<String>,
    },
    /// Was a member before; nothing changed.
    AlreadyMember(Member),
    /// Was not added, for this reason.
    Invalid {
        /// What is wrong and what to do.
        reason: String,
    },
}

/// A page of an organization's members, all or those who have words in name or address that begin with each word of
/// `search`; `after` is the last user of the page before.
///
/// # Errors
/// 401, 404.
pub async fn list(
    conn: &mut Conn,
    caller: &Caller,
    key: &Key<OrganizationId>,
    search: Option<&str>,
    after: Option<UserId>,
    limit: i64,
) -> Result<(seats::Seat, Vec<Member>)> {
    let seat = seats::allowed(conn, caller, key, Permission::View).await?;
    let page = members::list(conn, seat.organization.id, search, after, limit).await?;
    Ok((seat, page))
}

/// How many members get their words in one transaction.
const TOGETHER: i64 = 500;

/// Keeps the words of members who have none yet, such as those who came before members were found by words; answers of how
/// many.
///
/// # Errors
/// Those of the database; the next round does what was left.
pub async fn keep_words(stoa: &Stoa) -> Result<u64> {
    let mut worded = 0;
    loop {
        let mut tx = stoa.db.begin().await?;
        let some = members::keep_some(&mut tx, TOGETHER).await?;
        tx.commit().await?;
        worded += some as u64;
        if some == 0 {
            return Ok(worded);
        }
    }
}

/// The members of an organization with these addresses.
///
/// # Errors
/// 401, 404; 422 for an address of nobody who is a member.
pub async fn by_emails(conn: &mut Conn, caller: &Caller, key: &Key<OrganizationId>, emails: &[&str]) -> Result<Vec<Member>> {
    let seat = seats::allowed(conn, caller, key, Permission::View).await?;
    if emails.len() > MOST_ADDED {
        return Err(Error::fault("/members", format!("give at most {MOST_ADDED} people")));
    }
    let mut faults = Faults::new();
    let emails: Vec<String> = emails.iter().filter_map(|email| faults.check("/emails", text::email(email))).collect();
    let accounts = users::find_by_emails(conn, &emails).await?;
    let ids: Vec<UserId> = accounts.iter().map(|user| user.id).collect();
    let found = members::find_many(conn, seat.organization.id, &ids).await?;
    for email in emails.iter().filter(|email| found.iter().all(|member| member.email != **email)) {
        faults.add("/emails", format!("{email} is not a member of {}", seat.organization.name));
    }
    Ok(faults.or(Some(found))?)
}

/// The names of some members whose role allows `permission`: whom to ask. For those who were let see the organization.
///
/// # Errors
/// Those of the database.
pub async fn who_may(conn: &mut Conn, organization: OrganizationId, permission: Permission) -> Result<Vec<String>> {
    Ok(members::names_with_roles(conn, organization, &permission.allowed_roles(), MOST_NAMED).await?)
}

/// Adds people, each with a role: who has an account is a member at once, others get an invitation. Answers what became of
/// each, in the order given.
///
/// # Errors
/// 401, 404, 403; 422 unless 1 to `most` people are given.
pub async fn add(act: &mut Act, key: &Key<OrganizationId>, new: &[NewMember], most: usize) -> Result<Vec<Added>> {
    let organization = seats::locked(act, key, Permission::ManageMembers).await?.organization.id;
    let now = act.now();
    let checked = check_all(new, most)?;
    let accounts = users::lock_by_emails(&mut act.tx, &emails(&checked)).await?;
    let sign_up = act.stoa().sign_up.clone();
    let planned = plan(&mut act.tx, &sign_up, organization, checked, &accounts, now).await?;
    let mut added = Vec::new();
    let mut invitees = Vec::new();
    for one in &planned {
        match one {
            Planned::Add(member) => {
                act.record(&[organization], EventKind::MemberAdded, Subject::new("user", member.user), json!({"role": member.role}));
                added.push(member.clone());
            }
            Planned::Invite { email, name, role, .. } => invitees.push(Invitee { email: email.clone(), name: name.clone(), role: *role }),
            Planned::AlreadyMember(_) | Planned::Invalid { .. } => {}
        }
    }
    admit(act, organization, &added).await?;
    let mut invited = invitations::invite(act, organization, invitees).await?.into_iter();
    let result = |one: Planned| match one {
        Planned::Add(member) => Added::Added(member),
        Planned::Invite { obstacle, .. } => match invited.next() {
            Some(invitation) => Added::Invited { invitation, obstacle },
            None => Added::Invalid { reason: "the invitation was not made; try again".to_owned() },
        },
        Planned::AlreadyMember(member) => Added::AlreadyMember(member),
        Planned::Invalid { reason } => Added::Invalid { reason },
    };
    Ok(planned.into_iter().map(result).collect())
}

/// Makes people members of an organization, which is locked, on whatever path. Invitations that wait for them are closed.
pub(crate) async fn admit(act: &mut Act, organization: OrganizationId, new: &[Member]) -> Result<()> {
    members::insert(&mut act.tx, organization, new).await?;
    let emails: Vec<String> = new.iter().map(|member| member.email.clone()).collect();
    invitations::close_waiting(act, organization, &emails, "member_added").await
}

/// What [`add`] would do with each person, without doing it.
///
/// # Errors
/// 401, 404, 403; 422 unless 1 to `most` people are given.
pub async fn preview(
    stoa: &Stoa,
    conn: &mut Conn,
    caller: &Caller,
    key: &Key<OrganizationId>,
    new: &[NewMember],
    most: usize,
) -> Result<Vec<Planned>> {
    let seat = seats::allowed(conn, caller, key, Permission::ManageMembers).await?;
    let checked = check_all(new, most)?;
    let accounts = users::find_by_emails(conn, &emails(&checked)).await?;
    plan(conn, &stoa.sign_up, seat.organization.id, checked, &accounts, caller.now).await
}

/// A row that was given, with its address and role if they are such.
type Checked<'a> = (&'a NewMember, Result<(String, Role), String>);

/// What becomes of each row, given the accounts that have their addresses.
async fn plan(
    conn: &mut Conn,
    sign_up: &SignUp,
    organization: OrganizationId,
    checked: Vec<Checked<'_>>,
    accounts: &[User],
    now: Ts,
) -> Result<Vec<Planned>> {
    let emails = emails(&checked);
    let ids: Vec<UserId> = accounts.iter().map(|user| user.id).collect();
    let mut present = members::find_many(conn, organization, &ids).await?;
    let waiting = kept::pending_for(conn, organization, &emails).await?;
    let mut invited: BTreeSet<String> = BTreeSet::new();
    let mut planned = Vec::with_capacity(checked.len());
    for (new, one) in checked {
        let (email, role) = match one {
            Ok(good) => good,
            Err(reason) => {
                planned.push(Planned::Invalid { reason });
                continue;
            }
        };
        let Some(user) = accounts.iter().find(|user| user.email == email) else {
            let again = waiting.iter().any(|one| one.email == email);
            planned.push(match (text::optional_line(&new.name, 120), invited.insert(email.clone())) {
                (_, false) => Planned::Invalid { reason: "this address stands in the list before".to_owned() },
                (Err(bad), true) => Planned::Invalid { reason: format!("the name: {bad}") },
                (Ok(name), true) => Planned::Invite { obstacle: obstacle(sign_up, &email), email, name, role, again },
            });
            continue;
        };
        if let Some(member) = present.iter().find(|member| member.user == user.id) {
            planned.push(Planned::AlreadyMember(member.clone()));
            continue;
        }
        let member = Member::new(user, role, now);
        present.push(member.clone());
        planned.push(Planned::Add(member));
    }
    Ok(planned)
}

/// Why somebody with an address can't take an invitation up by signing up. See `docs/decisions/0016`.
fn obstacle(sign_up: &SignUp, email: &str) -> Option<String> {
    let why = match (sign_up, sign_up.admits(email)) {
        (_, Ok(())) => return None,
        (SignUp::Closed, Err(_)) => "nobody signs up here by themselves".to_owned(),
        (_, Err(other)) => other.to_string(),
    };
    Some(format!("the invitation waits for an account, and {why}; ask whoever runs this installation to make it"))
}

fn check_all(new: &[NewMember], most: usize) -> Result<Vec<Checked<'_>>> {
    if new.is_empty() || new.len() > most {
        return Err(Error::fault("/members", format!("give 1 to {most} people")));
    }
    Ok(new.iter().map(|one| (one, check(one))).collect())
}

fn emails(checked: &[Checked<'_>]) -> Vec<String> {
    checked.iter().flat_map(|(_, one)| one).map(|(email, _)| email.clone()).collect()
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
    let organization = seats::locked(act, key, Permission::ManageMembers).await?.organization.id;
    let mut faults = Faults::new();
    let role = faults.check("/role", role.parse::<Role>());
    let role = faults.or(role)?;
    let member = changeable(act, organization, user, Some(role)).await?;
    if member.role == role {
        return Ok(member);
    }
    members::set_role(&mut act.tx, organization, user, role).await?;
    delegations::role_changed(act, organization, user, role).await?;
    let data = json!({"from": member.role, "to": role});
    act.record(&[organization], EventKind::MemberRoleChanged, Subject::new("user", user), data);
    Ok(Member { role, ..member })
}

/// What ends with a membership. [`leaving`] tells it, and [`end`] ends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// The teams in which the member is.
    pub teams: Vec<Team>,
    /// The member's own applications that are shared with the organization and stay there.
    pub applications: Vec<(ApplicationId, String)>,
    /// The delegations, now or to come, in which the member is away or stands in.
    pub delegations: Vec<delegations::Details>,
}

impl Ending {
    async fn read(conn: &mut Conn, organization: OrganizationId, user: UserId, now: Ts) -> Result<Self> {
        Ok(Self {
            teams: teams::of_member(conn, organization, user).await?,
            applications: shared::of_owner(conn, organization, user).await?,
            delegations: delegations::of_member(conn, organization, user, now).await?,
        })
    }
}

/// What a member loses by going.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaving {
    /// The member.
    pub member: Member,
    /// What ends. The rest is lost without being ended, because only a member has it.
    pub ending: Ending,
    /// How many open requests of the organization the member could decide.
    pub requests: i64,
    /// How many open requests of the organization the member made; nobody can approve them any more.
    pub own_requests: i64,
    /// How many personal tokens open the organization for the member.
    pub tokens: usize,
}

/// What a member would lose by going; for the member, and for those who may remove members.
///
/// # Errors
/// 401, 404, 403.
pub async fn leaving(conn: &mut Conn, caller: &Caller, key: &Key<OrganizationId>, user: UserId) -> Result<Leaving> {
    let leaves = caller.user_id()? == user;
    let permission = if leaves { Permission::View } else { Permission::ManageMembers };
    let organization = seats::allowed(conn, caller, key, permission).await?.organization.id;
    let member = members::find(conn, organization, user).await?.ok_or(Error::NotFound("member"))?;
    let tokens = tokens::list_personal(conn, user).await?;
    Ok(Leaving {
        member,
        ending: Ending::read(conn, organization, user, caller.now).await?,
        requests: requests::count_decidable_in(conn, user, organization, caller.now).await?,
        own_requests: requests::count_own_in(conn, user, organization).await?,
        tokens: tokens.iter().filter(|token| token.opens(organization, caller.now)).count(),
    })
}

/// Removes a member. Members may always remove themselves (leave); others take a maintainer.
///
/// # Errors
/// 401, 404, 403; `last_maintainer` (409).
pub async fn remove(act: &mut Act, key: &Key<OrganizationId>, user: UserId) -> Result<Member> {
    let leaves = act.caller.user_id()? == user;
    let permission = if leaves { Permission::View } else { Permission::ManageMembers };
    let organization = seats::locked(act, key, permission).await?.organization.id;
    let member = changeable(act, organization, user, None).await?;
    end(act, organization, &member, leaves).await?;
    Ok(member)
}

/// Ends a membership with all that hangs on it, on whatever path; the guard of the last maintainer has passed it, and the
/// organization is locked. Invitations to the address end too: an old link must not bring the person back.
pub(crate) async fn end(act: &mut Act, organization: OrganizationId, member: &Member, leaves: bool) -> Result<()> {
    let now = act.now();
    let Ending { teams, applications, delegations } = Ending::read(&mut act.tx, organization, member.user, now).await?;
    teams::remove_from_all(&mut act.tx, organization, member.user).await?;
    sharing::member_gone(act, organization, member.user, &applications).await?;
    delegations::member_gone(act, organization, &delegations).await?;
    tokens::leave(&mut act.tx, organization, member.user).await?;
    invitations::close_waiting(act, organization, std::slice::from_ref(&member.email), "member_gone").await?;
    members::delete(&mut act.tx, organization, member.user).await?;
    let data = json!({
        "role": member.role, "left": leaves, "teams": teams.len(), "applications": applications.len(), "delegations": delegations.len(),
    });
    act.record(&[organization], EventKind::MemberRemoved, Subject::new("user", member.user), data);
    Ok(())
}

/// The member, if the change to `to` leaves the organization a maintainer. The organization is locked, so that two changes
/// at the same moment see each other.
async fn changeable(act: &mut Act, organization: OrganizationId, user: UserId, to: Option<Role>) -> Result<Member> {
    let member = members::find(&mut act.tx, organization, user).await?.ok_or(Error::NotFound("member"))?;
    let maintainers = members::count_maintainers(&mut act.tx, organization).await?;
    keep_a_maintainer(maintainers, member.role, to)?;
    Ok(member)
}
