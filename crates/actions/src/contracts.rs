//! Contracts: offering a new version of what a service offers, and what becomes of it for those who subscribed.

mod notice;
mod rollout;

use std::collections::BTreeMap;

use serde_json::json;
use stoa_domain::{
    contracts::NewContract,
    differences::{ContractDifference, Side},
    events::{EventKind, Subject},
    ids::{ContractId, ServiceId, SubscriptionId},
    meters::Plan,
    offers::{ContractOffer, PlanPaths, check_notice},
    organizations::Key,
    permissions::Permission,
    services::{Contract, Service},
    text::Faults,
    time::Ts,
};
use stoa_store::{
    Conn, offers,
    services::{self as kept, KeptPlan},
    subscriptions,
};

pub use notice::{Round, tick};
pub use rollout::RolledOut;
pub use stoa_store::offers::Version;

use crate::{
    Act, Caller, Error, Result, seats,
    services::{self, ServiceDetails},
};

/// A new contract as its provider offers it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewVersion {
    /// The contract.
    pub contract: NewContract,
    /// Until when subscribers who don't accept it keep theirs (RFC 3339); for good when absent.
    pub notice_until: Option<String>,
    /// Which plan follows which, by name; namesakes follow each other by themselves.
    pub plan_paths: BTreeMap<String, String>,
}

/// A contract that was offered.
#[derive(Debug, Clone)]
pub struct Offered {
    /// The service with its new contract.
    pub details: ServiceDetails,
    /// Until when subscribers who don't accept it keep theirs.
    pub notice_until: Option<Ts>,
    /// What became of it for those who subscribed before.
    pub rolled_out: RolledOut,
}

/// Offers a new contract: new subscriptions get it at once. For those that are there it applies at once where it asks for
/// less, or for nothing else; otherwise it waits for each subscriber's consent. Subscriptions at another level are asked to
/// change it where a day is announced, and keep their contract otherwise.
///
/// # Errors
/// 401, 404, 403; `wrong_state` (409) when the service is over; what is wrong with the input.
pub async fn offer(act: &mut Act, key: &Key<ServiceId>, new: NewVersion) -> Result<Offered> {
    let (conn, caller) = act.reading();
    let seen = services::own_at_once(conn, caller, key, Permission::DraftServices).await?;
    let locked = rollout::lock(act, &seen).await?;
    let mut service = services::own_again(act, &seen, Permission::DraftServices).await?;
    let mut faults = Faults::new();
    let draft = new.contract.check("", &mut faults);
    let notice_until = check_notice(new.notice_until.as_deref(), act.now(), &mut faults);
    let paths = PlanPaths(new.plan_paths);
    if let Some(draft) = &draft {
        let level = if notice_until.is_some() { None } else { Some(draft.level) };
        let used = rollout::plans_in_use(&mut act.tx, &service, level).await?;
        let used: Vec<_> = used.iter().map(String::as_str).collect();
        paths.check(&used, &draft.plans, &mut faults);
    }
    let draft = faults.or(draft)?;
    service.state.offer()?;
    let version = kept::latest_version(&mut act.tx, service.provider, service.id).await? + 1;
    let (contract, plans) = services::mint_contract(act, service.id, version, draft);
    services::keep_contract(act, &service, &contract, &plans).await?;
    let terms = offers::Terms { notice_until, paths };
    offers::set_terms(&mut act.tx, service.provider, contract.id, &terms).await?;
    service.contract = contract.id;
    service.updated_at = act.now();
    kept::set_contract(&mut act.tx, &service, contract.id, service.updated_at).await?;
    offers::supersede(&mut act.tx, &service, contract.id).await?;
    let rolled_out = rollout::roll_out(act, &service, &contract, &plans, &terms, &locked).await?;
    let mut data = json!({
        "service": service.name, "contract": services::contract_data(&contract, &plans), "notice_until": notice_until,
    });
    if let Some(data) = data.as_object_mut() {
        data.insert("applied".into(), json!(rolled_out.applied));
        data.insert("offered".into(), json!(rolled_out.offered));
    }
    act.record(&[service.provider], EventKind::ServiceContractAdded, Subject::new("service", service.id), data);
    let details = services::details(&mut act.tx, service).await?;
    Ok(Offered { details, notice_until, rolled_out })
}

/// A version of a contract with its plans, and what it changes against the one before, plan by plan.
#[derive(Debug, Clone)]
pub struct VersionDetails {
    /// The version with its numbers.
    pub version: Version,
    /// Its plans.
    pub plans: Vec<KeptPlan>,
    /// For each plan that the version before has a predecessor of: the plan's name and what changes.
    pub changes: Vec<(String, ContractDifference)>,
}

/// The versions of a service's contract, the newest first; `before` is the version of the last one before. For members of
/// its provider.
///
/// # Errors
/// 401, 404, 403.
pub async fn versions(
    conn: &mut Conn,
    caller: &Caller,
    key: &Key<ServiceId>,
    before: Option<i64>,
    limit: i64,
) -> Result<(Service, Vec<VersionDetails>)> {
    let seen = services::seen(conn, caller, key).await?;
    if seen.role.is_none() {
        let detail = format!("only members of {} see all versions of its contract", seen.provider_name);
        return Err(Error::NotYours { detail });
    }
    seats::allowed(conn, caller, &Key::Id(seen.service.provider), Permission::View).await?;
    let page = versions_of(conn, &seen.service, before, limit).await?;
    Ok((seen.service, page))
}

/// The versions of a service's contract, for those who were let see them.
///
/// # Errors
/// Those of the database.
pub async fn versions_of(conn: &mut Conn, service: &Service, before: Option<i64>, limit: i64) -> Result<Vec<VersionDetails>> {
    // One more, for what the last one changes.
    let mut page = offers::versions(conn, service, before, limit + 1).await?;
    let ids: Vec<ContractId> = page.iter().map(|one| one.contract.id).collect();
    let mut plans: BTreeMap<ContractId, Vec<KeptPlan>> = BTreeMap::new();
    for (contract, plan) in offers::plans_of(conn, service.provider, &ids).await? {
        plans.entry(contract).or_default().push(plan);
    }
    let earlier: Vec<_> = page.iter().skip(1).map(|one| one.contract.clone()).collect();
    page.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let mut found = Vec::with_capacity(page.len());
    for (index, version) in page.into_iter().enumerate() {
        let own = plans.get(&version.contract.id).cloned().unwrap_or_default();
        let changes = match earlier.get(index) {
            Some(old) => {
                let before = plans.get(&old.id).map_or(&[][..], Vec::as_slice);
                changes(old, before, &version.contract, &own, &version.terms.paths)
            }
            None => Vec::new(),
        };
        found.push(VersionDetails { version, plans: own, changes });
    }
    Ok(found)
}

/// What a contract changes against the one before it, for each of that one's plans.
fn changes(
    old: &Contract,
    old_plans: &[KeptPlan],
    new: &Contract,
    new_plans: &[KeptPlan],
    paths: &PlanPaths,
) -> Vec<(String, ContractDifference)> {
    let change = |kept: &KeptPlan| {
        let next = paths.next(&kept.plan.name, new_plans, |kept| &kept.plan)?;
        Some((kept.plan.name.clone(), ContractDifference::between(side(old, &kept.plan), side(new, &next.plan))))
    };
    old_plans.iter().filter_map(change).collect()
}

/// The names of the plans that live subscriptions of a service are on at its present level, for those who were let see it.
///
/// # Errors
/// Those of the database.
pub async fn plans_in_use(conn: &mut Conn, service: &Service) -> Result<Vec<String>> {
    let contract = kept::find_contract(conn, service.provider, service.contract).await?.ok_or(Error::NotFound("contract"))?;
    Ok(rollout::plans_in_use(conn, service, Some(contract.level)).await?.into_iter().collect())
}

/// One side of a difference: a contract with one of its plans.
pub(crate) fn side<'a>(contract: &'a Contract, plan: &'a Plan) -> Side<'a> {
    Side { level: contract.level, permissions: &contract.permissions, terms_url: contract.terms_url.as_deref(), plan }
}

/// What waits for the consent of some subscriptions of a service, for those who were let see them; in one statement.
///
/// # Errors
/// Those of the database.
pub async fn waiting_for(conn: &mut Conn, service: &Service, of: &[SubscriptionId]) -> Result<Vec<ContractOffer>> {
    Ok(offers::waiting_of(conn, service, of).await?)
}

/// What subscriptions of a plan accepted, by plan.
async fn held(conn: &mut Conn, service: &Service, plans: &[stoa_domain::ids::PlanId]) -> Result<Vec<subscriptions::Offer>> {
    Ok(subscriptions::offers(conn, &[service.provider], plans).await?)
}
