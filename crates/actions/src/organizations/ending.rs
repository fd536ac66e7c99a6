//! Deleting an organization, what ends with it, and bringing it back.

use std::collections::BTreeMap;

use serde_json::json;
use stoa_domain::{
    amounts::Cost,
    events::{EventKind, Subject},
    groupings::Grouping,
    ids::{OrganizationId, ServiceId, UserId},
    members::Member,
    money::Currency,
    organizations::{Key, Organization},
    periods::Period,
    permissions::{Permission, Role},
    subscriptions::Subscription,
    text,
    time::Ts,
    users::User,
};
use stoa_store::{
    Conn, applications, domains, members,
    organizations::{self, Counts, Kept},
    subscriptions as kept, users,
};

use crate::{Act, Caller, Error, Result, costs, handovers, operators, seats, seats::Seat, subscriptions};

/// What ends when an organization is deleted.
#[derive(Debug, Clone)]
pub struct Ending {
    /// How many members, teams, applications, … lose it.
    pub counts: Counts,
    /// What is running up this month, in each currency.
    pub costs: BTreeMap<Currency, Cost>,
    /// The services it provides that somebody subscribes, by name.
    pub services: Vec<EndingService>,
    /// The live subscriptions that end: what it consumes and what others consume of it.
    pub subscriptions: Vec<Subscription>,
    /// Whose they are.
    organization: OrganizationId,
}

/// A service whose subscriptions end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndingService {
    /// The service.
    pub id: ServiceId,
    /// Its name.
    pub name: String,
    /// How many organizations subscribe it.
    pub subscribers: usize,
}

impl Ending {
    /// How many subscriptions of its own end.
    pub fn consumed(&self) -> usize {
        self.subscriptions.iter().filter(|one| one.organization == self.organization).count()
    }
}

/// What ends: read by the page that asks, and once more, under the locks, by the deletion itself.
async fn read(conn: &mut Conn, organization: OrganizationId, now: Ts) -> Result<Ending> {
    let counts = organizations::counts(conn, organization).await?;
    let live = kept::list_live(conn, organization).await?;
    let month = costs::of_month(conn, organization, now, Period::month_of(now.day())).await?;
    let costs = month.summary(&Grouping::by(&[]))?.totals;
    let names = subscriptions::concerned_all(conn, &live).await?;
    let mut services: BTreeMap<ServiceId, EndingService> = BTreeMap::new();
    for one in live.iter().filter(|one| one.provider == organization) {
        let name = names.get(&one.id).map(|concerned| concerned.offer.service_name.clone()).unwrap_or_default();
        services.entry(one.service).or_insert(EndingService { id: one.service, name, subscribers: 0 }).subscribers += 1;
    }
    let mut services = Vec::from_iter(services.into_values());
    services.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(Ending { counts, costs, services, subscriptions: live, organization })
}

/// What would end if the caller deleted an organization.
///
/// # Errors
/// 401, 404, 403; `organization_suspended` (409).
pub async fn ending(conn: &mut Conn, caller: &Caller, key: &Key<OrganizationId>) -> Result<(Seat, Ending)> {
    let seat = seats::allowed(conn, caller, key, Permission::DeleteOrganization).await?;
    let ending = read(conn, seat.organization.id, caller.now).await?;
    Ok((seat, ending))
}

/// Deletes an organization: from the next request on nobody finds it, its secrets and tokens open nothing, and its
/// subscriptions, both those it consumes and those of its services, end. For 14 days the operator may restore it; then its
/// data is erased.
///
/// All partners are locked with it, in one transaction, however many they are: their logs tell of the end at the same
/// instant at which access ends, in the order of their ids as everywhere, so that no partner sees a subscription of an
/// organization that is gone, and a failure leaves everything as it was. See `docs/decisions/0014`.
///
/// # Errors
/// 401, 404, 403; `not_confirmed` (422) unless `confirm` is its exact name; `organization_suspended` (409).
pub async fn delete(act: &mut Act, key: &Key<OrganizationId>, confirm: &str) -> Result<Ending> {
    let seat = seats::allowed(&mut act.tx, &act.caller, key, Permission::DeleteOrganization).await?;
    let others = handovers::partners(&mut act.tx, seat.organization.id).await?;
    let Seat { organization, .. } = subscriptions::lock_partners_and(act, &seat, Permission::DeleteOrganization, &others).await?;
    if confirm != organization.name {
        return Err(Error::Unfit {
            code: "not_confirmed",
            detail: format!("to delete the organization, confirm with its exact name: {}", organization.name),
        });
    }
    let now = act.now();
    let ending = read(&mut act.tx, organization.id, now).await?;
    subscriptions::organization_deleted(act, &organization, &ending.subscriptions).await?;
    handovers::organization_deleted(act, organization.id, &others).await?;
    applications::revoke_secrets_of(&mut act.tx, organization.id, now).await?;
    // Its mail domains are free for others; restored, it verifies them anew.
    domains::delete_of(&mut act.tx, organization.id).await?;
    organizations::delete(&mut act.tx, organization.id, now).await?;
    let data = json!({
        "name": organization.name, "handle": organization.handle, "members": ending.counts.members, "teams": ending.counts.teams,
        "projects": ending.counts.projects, "applications": ending.counts.applications, "subscriptions": ending.consumed(),
        "subscribers": ending.subscriptions.len() - ending.consumed(),
    });
    act.record(&[organization.id], EventKind::OrganizationDeleted, Subject::new("organization", organization.id), data);
    Ok(ending)
}

/// How an operator brings a deleted organization back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Restoring<'a> {
    /// Why; its members read it.
    pub reason: &'a str,
    /// Who becomes its maintainer, by id or by address: where none is left, and only there.
    pub maintainer: Option<&'a str>,
}

/// Brings a deleted organization back, by the operator, within 14 days: its members, projects with their resources,
/// applications and services are there again. Subscriptions stay ended and secrets revoked.
///
/// Its last maintainer may have deleted the account since; then the operator names who becomes its maintainer, because an
/// organization without one could be changed by nobody.
///
/// # Errors
/// 401, 404 for everybody but operators; `cannot_restore`, `no_maintainer`, `has_maintainer` (409); 422 without a reason, or
/// for a maintainer who has no account that can be used.
pub async fn restore(act: &mut Act, key: &Key<OrganizationId>, restoring: Restoring<'_>) -> Result<Organization> {
    let reason = operators::reason(restoring.reason)?;
    let Kept { organization, standing, .. } = operators::kept(act, key).await?;
    standing.restore().map_err(|reason| Error::conflict("cannot_restore", reason.to_string()))?;
    let has_maintainer = members::count_maintainers(&mut act.tx, organization.id).await? > 0;
    let named = restoring.maintainer.map(str::trim).filter(|named| !named.is_empty());
    let maintainer = match (has_maintainer, named) {
        (true, None) => None,
        (true, Some(_)) => {
            let detail = format!("{} has a maintainer, who can make others maintainers; restore it without naming one", organization.name);
            return Err(Error::conflict("has_maintainer", detail));
        }
        (false, None) => return Err(Error::conflict("no_maintainer", without_maintainer(&organization))),
        (false, Some(named)) => Some(account(act, named).await?),
    };
    organizations::restore(&mut act.tx, organization.id).await?;
    let data = json!({"name": organization.name, "reason": reason});
    act.record(&[organization.id], EventKind::OrganizationRestored, Subject::new("organization", organization.id), data);
    if let Some(user) = maintainer {
        make_maintainer(act, &organization, &user).await?;
    }
    Ok(organization)
}

fn without_maintainer(organization: &Organization) -> String {
    format!(
        "nobody who maintained {} has an account any more; name a person who becomes its maintainer, so that it can be changed by somebody",
        organization.name
    )
}

/// The account that an operator names, locked so that it is not deleted meanwhile.
async fn account(act: &mut Act, named: &str) -> Result<User> {
    let wrong = |detail: String| Error::fault("/maintainer", detail);
    let found = match named.parse::<UserId>() {
        Ok(id) => users::lock(&mut act.tx, id).await?,
        Err(_) => {
            let email = text::email(named).map_err(|_| wrong("name a person by e-mail address or by id (usr_…)".to_owned()))?;
            users::lock_by_emails(&mut act.tx, &[email]).await?.pop()
        }
    };
    match found {
        Some(user) if user.suspended => {
            Err(wrong(format!("the account of {} is suspended; lift that first, or name somebody else", user.email)))
        }
        Some(user) => Ok(user),
        None => Err(wrong(format!("nobody has the account {named}; create it first, or name somebody else"))),
    }
}

async fn make_maintainer(act: &mut Act, organization: &Organization, user: &User) -> Result<()> {
    let (id, now) = (organization.id, act.now());
    let subject = Subject::new("user", user.id);
    match members::find(&mut act.tx, id, user.id).await? {
        Some(member) => {
            members::set_role(&mut act.tx, id, user.id, Role::Maintainer).await?;
            let data = json!({"from": member.role, "to": Role::Maintainer, "cause": "restored"});
            act.record(&[id], EventKind::MemberRoleChanged, subject, data);
        }
        None => {
            crate::members::admit(act, id, &[Member::new(user, Role::Maintainer, now)]).await?;
            let data = json!({"role": Role::Maintainer, "cause": "restored"});
            act.record(&[id], EventKind::MemberAdded, subject, data);
        }
    }
    Ok(())
}
