//! What somebody needs to know before subscribing: plans, projects, and whose approval it will take.

use serde_json::json;
use stoa_domain::{
    events::{EventKind, Subject},
    ids::{OrganizationId, PlanId, ServiceId},
    organizations::Key,
    permissions::{Permission, Verdict, verdict},
    policies::{Need, Policy},
    requests::RequestKind,
    services::{Contract, Level, Manner, Service, Visibility},
};
use stoa_store::{
    Conn, organizations,
    organizations::Named,
    policies,
    services::{self, KeptPlan},
    subscriptions::{self, Candidate},
};

use super::Terms;
use crate::{Act, Caller, Error, Result, seats, seats::Seat};

/// The most organizations that a form offers to choose from.
const MOST_SEATS: i64 = 200;

/// A service as it is offered to the caller.
#[derive(Debug, Clone)]
pub struct Offering {
    /// The service.
    pub service: Service,
    /// Its provider.
    pub provider: Named,
    /// The contract that a new subscription gets.
    pub contract: Contract,
    /// Its plans.
    pub plans: Vec<KeptPlan>,
    /// The caller's organizations, by name.
    pub seats: Vec<Seat>,
    /// The organization chosen, or the first in which the caller may subscribe at once, or the first.
    pub chosen: Option<Seat>,
    /// The projects of the chosen organization.
    pub projects: Vec<Candidate>,
    /// How it is subscribed.
    pub manner: Manner,
    /// Why it takes no subscriptions at present.
    pub closed: Option<String>,
    /// Which plans need an approval of the chosen organization itself, and why.
    pub needs: Vec<NeedOfPlan>,
}

/// From how many projects on a plan needs an approval of the organization itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeedOfPlan {
    /// The plan.
    pub plan: PlanId,
    /// The number of projects.
    pub projects: usize,
    /// Why.
    pub need: Need,
}

impl Offering {
    /// What subscribing it takes, by its level.
    pub fn permission(&self) -> Permission {
        permission(&self.contract)
    }

    /// Whether the chosen organization itself has to approve first, whatever the plan and the projects.
    pub fn internal(&self) -> bool {
        self.chosen.is_some() && self.plans.iter().all(|kept| self.need(kept.id).is_some_and(|need| need.projects <= 1))
    }

    /// Whether and why a plan needs an approval of the chosen organization itself.
    pub fn need(&self, plan: PlanId) -> Option<&NeedOfPlan> {
        self.needs.iter().find(|one| one.plan == plan)
    }

    /// Whether the provider has to approve.
    pub fn provider_approves(&self) -> bool {
        self.chosen.as_ref().is_some_and(|seat| provider_approves(&self.service, seat.organization.id))
    }
}

/// What subscribing under a contract takes.
pub(super) fn permission(contract: &Contract) -> Permission {
    permission_of(contract.level)
}

/// What subscribing at a level takes.
pub(crate) const fn permission_of(level: Level) -> Permission {
    match level {
        Level::Organization => Permission::SubscribeOrganization,
        Level::Project => Permission::SubscribeProject,
    }
}

/// Whether the provider approves a subscription of that organization. Who provides a service needs no further approval of
/// its own to subscribe it.
pub(super) fn provider_approves(service: &Service, organization: OrganizationId) -> bool {
    service.visibility == Visibility::OnRequest && service.provider != organization
}

/// A service that the caller may know of: it has been on the marketplace (a private one for an organization of the caller's),
/// one of the caller's organizations subscribes it, or the caller is a member of its provider.
pub(crate) async fn seen(conn: &mut Conn, caller: &Caller, key: &Key<ServiceId>) -> Result<Service> {
    let seen = services::find_open_for(conn, key, &caller.viewer()?).await?.ok_or(Error::NotFound("service"))?;
    let listed = seen.service.published_at.is_some() && (seen.named || seen.service.visibility != Visibility::Private);
    if listed || seen.subscribed || seen.role.is_some() { Ok(seen.service) } else { Err(Error::NotFound("service")) }
}

/// `not_offered` unless a service is offered to an organization: a private one is to its provider and to those it names.
///
/// # Errors
/// `not_offered` (409).
pub(super) async fn offered_to(conn: &mut Conn, service: &Service, organization: OrganizationId) -> Result<()> {
    let named = service.visibility != Visibility::Private
        || service.provider == organization
        || services::audience::contains(conn, service, organization).await?;
    if named {
        return Ok(());
    }
    let name = organizations::names(conn, &[organization]).await?.pop().map_or_else(|| "this organization".to_owned(), |one| one.name);
    let detail = format!("{} is offered to the organizations that its provider names, and {name} is not among them", service.name);
    Err(Error::conflict("not_offered", detail))
}

/// How a service is subscribed, for members of its provider.
///
/// # Errors
/// 401, 404.
pub async fn manner(conn: &mut Conn, caller: &Caller, key: &Key<ServiceId>) -> Result<Manner> {
    let service = services::find(conn, key).await?.ok_or(Error::NotFound("service"))?;
    own(conn, caller, &service, Permission::View).await?;
    Ok(services::manner(conn, service.provider, service.id).await?)
}

/// The provider's seat for a service, unseen by others.
async fn own(conn: &mut Conn, caller: &Caller, service: &Service, permission: Permission) -> Result<()> {
    match seats::allowed(conn, caller, &Key::Id(service.provider), permission).await {
        Err(Error::NotFound(_)) => Err(Error::NotFound("service")),
        other => other.map(drop),
    }
}

/// What is to change of how a service is subscribed; `None` stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MannerChange {
    /// Whether an organization may have several subscriptions of it at the same time; those there are stay.
    pub several: Option<bool>,
    /// Whether subscriptions come into force only once the provider has set them up; those approved before are not asked.
    pub setup: Option<bool>,
}

/// Changes how a service is subscribed from now on.
///
/// # Errors
/// 401, 404, 403.
pub async fn set_manner(act: &mut Act, key: &Key<ServiceId>, change: MannerChange) -> Result<()> {
    let service = services::find(&mut act.tx, key).await?.ok_or(Error::NotFound("service"))?;
    own(&mut act.tx, &act.caller, &service, Permission::DraftServices).await?;
    let service = crate::services::locked(act, &service).await?;
    own(&mut act.tx, &act.caller, &service, Permission::DraftServices).await?;
    let before = services::manner(&mut act.tx, service.provider, service.id).await?;
    let after = Manner { several: change.several.unwrap_or(before.several), setup: change.setup.unwrap_or(before.setup) };
    if before == after {
        return Ok(());
    }
    services::set_manner(&mut act.tx, service.provider, service.id, after).await?;
    let both = [("several", before.several, after.several), ("setup", before.setup, after.setup)];
    let changes: serde_json::Map<_, _> = both
        .into_iter()
        .filter(|(_, from, to)| from != to)
        .map(|(name, from, to)| (name.to_owned(), json!({"from": from, "to": to})))
        .collect();
    let data = json!({"service": {"id": service.id, "name": service.name}, "changes": changes});
    act.record(&[service.provider], EventKind::ServiceUpdated, Subject::new("service", service.id), data);
    Ok(())
}

/// What the caller can subscribe, for which of the caller's organizations.
///
/// # Errors
/// 401, 404.
pub async fn offering(
    conn: &mut Conn,
    caller: &Caller,
    key: &Key<ServiceId>,
    organization: Option<&Key<OrganizationId>>,
) -> Result<Offering> {
    let viewer = caller.viewer()?;
    let service = seen(conn, caller, key).await?;
    let contract = services::find_contract(conn, service.provider, service.contract).await?.ok_or(Error::NotFound("contract"))?;
    let plans = services::list_plans(conn, service.provider, contract.id).await?;
    let provider = organizations::names(conn, &[service.provider]).await?.pop().ok_or(Error::NotFound("organization"))?;
    let lives = organizations::find(conn, service.provider).await?.is_some_and(|provider| provider.suspension.is_none());
    let seats = organizations::list_for(conn, &viewer, "", None, MOST_SEATS).await?;
    let chosen = match organization {
        Some(key) => Some(organizations::find_for(conn, key, &viewer, caller.now).await?.ok_or(Error::NotFound("organization"))?),
        None => seats.iter().find(|seat| verdict(seat.role, permission(&contract)) == Verdict::Allowed).or(seats.first()).cloned(),
    };
    let projects = match &chosen {
        Some(seat) => subscriptions::candidates(conn, seat.organization.id).await?,
        None => Vec::new(),
    };
    let manner = services::manner(conn, service.provider, service.id).await?;
    let needs = match &chosen {
        Some(seat) => {
            let policy = policies::find(conn, seat.organization.id).await?;
            plans.iter().filter_map(|kept| need(&policy, seat, &contract, kept, projects.len())).collect()
        }
        None => Vec::new(),
    };
    let closed = super::takes_subscriptions(&service, lives).err().map(|refusal| refusal.to_string());
    Ok(Offering { service, provider, contract, plans, seats, chosen, projects, manner, closed, needs })
}

/// The least number of projects with which a plan needs an approval of the organization itself. More projects never need
/// less.
fn need(policy: &Policy, seat: &Seat, contract: &Contract, kept: &KeptPlan, projects: usize) -> Option<NeedOfPlan> {
    let verdict = verdict(seat.role, permission(contract));
    let most = if contract.level == Level::Project { 1 } else { projects.max(1) };
    let need =
        |number: usize| policy.need(&Terms::of(&kept.plan, &contract.permissions, number).wish(seat.role, verdict, RequestKind::Subscribe));
    let (mut from, mut to) = (1, most);
    if !need(most).is_needed() {
        return None;
    }
    while from < to {
        let middle = from.midpoint(to);
        if need(middle).is_needed() { to = middle } else { from = middle + 1 }
    }
    Some(NeedOfPlan { plan: kept.id, projects: from, need: need(from) })
}
