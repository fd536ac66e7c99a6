//! Deleting an organization, what ends with it, and bringing it back.

use std::collections::BTreeMap;

use serde_json::json;
use stoa_domain::{
    amounts::Cost,
    events::{EventKind, Subject},
    groupings::Grouping,
    ids::{OrganizationId, ServiceId},
    money::Currency,
    organizations::{Key, Organization},
    periods::Period,
    permissions::Permission,
    subscriptions::Subscription,
    time::Ts,
};
use stoa_store::{
    Conn, applications, domains,
    organizations::{self, Counts, Kept},
    subscriptions as kept,
};

use crate::{Act, Caller, Error, Result, costs, operators, seats, seats::Seat, subscriptions};

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
    let organization = seat.organization;
    if confirm != organization.name {
        return Err(Error::Unfit {
            code: "not_confirmed",
            detail: format!("to delete the organization, confirm with its exact name: {}", organization.name),
        });
    }
    subscriptions::lock_partners(act, organization.id).await?;
    let now = act.now();
    let ending = read(&mut act.tx, organization.id, now).await?;
    subscriptions::organization_deleted(act, &organization, &ending.subscriptions).await?;
    applications::revoke_secrets_of(&mut act.tx, organization.id, now).await?;
    // Its mail domains are free for others; restored, it verifies them anew.
    domains::delete_of(&mut act.tx, organization.id).await?;
    organizations::delete(&mut act.tx, organization.id, now).await?;
    let data = json!({
        "name": organization.name, "handle": organization.handle, "members": ending.counts.members,
        "projects": ending.counts.projects, "applications": ending.counts.applications, "subscriptions": ending.consumed(),
        "subscribers": ending.subscriptions.len() - ending.consumed(),
    });
    act.record(&[organization.id], EventKind::OrganizationDeleted, Subject::new("organization", organization.id), data);
    Ok(ending)
}

/// Brings a deleted organization back, by the operator, within 14 days: its members, projects with their resources,
/// applications and services are there again. Subscriptions stay ended and secrets revoked.
///
/// # Errors
/// 401, 404 for everybody but operators; `cannot_restore` (409); 422 without a reason.
pub async fn restore(act: &mut Act, key: &Key<OrganizationId>, reason: &str) -> Result<Organization> {
    let reason = operators::reason(reason)?;
    let Kept { organization, standing, .. } = operators::kept(act, key).await?;
    standing.restore().map_err(|reason| Error::conflict("cannot_restore", reason.to_string()))?;
    organizations::restore(&mut act.tx, organization.id).await?;
    let data = json!({"name": organization.name, "reason": reason});
    act.record(&[organization.id], EventKind::OrganizationRestored, Subject::new("organization", organization.id), data);
    Ok(organization)
}
