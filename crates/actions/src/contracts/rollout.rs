//! How a new contract reaches the subscriptions that are there.
//!
//! What becomes of it depends on nothing but the plan that a subscription has, so it is decided once for each plan and done
//! for all its subscriptions together. The transaction that offers the contract reaches the first thousand; where there are
//! more, a job goes on, a thousand at a time. What is left is found by what is not noted yet, so nothing is done twice.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use stoa_domain::{
    differences::ContractDifference,
    events::{EventKind, Subject},
    ids::{OrganizationId, PlanId, ServiceId},
    offers::{ContractOffer, OfferState},
    organizations::Key,
    services::{Contract, Level, Service},
    terms::TermsSince,
    time::Ts,
};
use stoa_store::{
    Conn,
    offers::{self, Terms, Unreached},
    organizations,
    services::{self, KeptPlan},
    subscriptions::{self, Offer},
    terms,
};

use super::{held, side};
use crate::{Act, Caller, Error, Result, Stoa, subscriptions::side_of};

/// How many subscriptions one transaction reaches.
const BATCH: usize = 1_000;

/// What became of a contract for those who subscribed before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RolledOut {
    /// Subscriptions that have it now, because it asks them for nothing more.
    pub applied: usize,
    /// Subscriptions whose consent it waits for.
    pub offered: usize,
    /// Subscriptions that keep theirs, because it is at another level and no day was announced.
    pub kept: usize,
    /// Whether there are more, which are reached within minutes.
    pub more: bool,
}

fn limit() -> i64 {
    i64::try_from(BATCH + 1).unwrap_or(i64::MAX)
}

/// Locks a service's provider and the subscribers that one transaction reaches, in the order of their ids.
pub(super) async fn lock(act: &mut Act, service: &Service) -> Result<BTreeSet<OrganizationId>> {
    let mut parties: BTreeSet<_> = offers::subscribers(&mut act.tx, service, limit()).await?.into_iter().collect();
    parties.insert(service.provider);
    organizations::lock(&mut act.tx, &Vec::from_iter(parties.iter().copied())).await?;
    Ok(parties)
}

/// The names of the plans that live subscriptions are on, at one level or at any.
pub(super) async fn plans_in_use(conn: &mut Conn, service: &Service, level: Option<Level>) -> Result<BTreeSet<String>> {
    let plans = offers::plans_in_use(conn, service).await?;
    let held = held(conn, service, &plans).await?;
    Ok(held.into_iter().filter(|offer| level.is_none_or(|level| offer.level == level)).map(|offer| offer.prices.name).collect())
}

/// What becomes of a contract for the subscriptions of one plan.
enum Fate<'a> {
    Apply(&'a KeptPlan, ContractDifference),
    Offer(Option<ContractDifference>),
    Keep,
}

fn fate<'a>(old: &Offer, contract: &Contract, plans: &'a [KeptPlan], terms: &Terms) -> Fate<'a> {
    // A change of level takes its time, so it is offered where a day is announced.
    if old.level != contract.level && terms.notice_until.is_none() {
        return Fate::Keep;
    }
    let Some(next) = terms.paths.next(&old.prices.name, plans, |kept| &kept.plan) else { return Fate::Offer(None) };
    let difference = ContractDifference::between(side_of(old), side(contract, &next.plan));
    if difference.applies_at_once() { Fate::Apply(next, difference) } else { Fate::Offer(Some(difference)) }
}

/// Brings a service's contract to subscriptions that it has not reached yet and whose organizations are locked.
pub(super) async fn roll_out(
    act: &mut Act,
    service: &Service,
    contract: &Contract,
    plans: &[KeptPlan],
    terms: &Terms,
    locked: &BTreeSet<OrganizationId>,
) -> Result<RolledOut> {
    let now = act.now();
    let found = offers::unreached(&mut act.tx, service, limit()).await?;
    let more = found.len() > BATCH || found.iter().any(|one| !locked.contains(&one.organization));
    let batch: Vec<Unreached> = found.into_iter().filter(|one| locked.contains(&one.organization)).take(BATCH).collect();
    let in_use: BTreeSet<PlanId> = batch.iter().map(|one| one.plan).collect();
    let held = held(&mut act.tx, service, &Vec::from_iter(in_use)).await?;
    let fates: BTreeMap<PlanId, (&Offer, Fate<'_>)> = held.iter().map(|old| (old.plan, (old, fate(old, contract, plans, terms)))).collect();
    let telling = Telling::of(act, service, contract, terms, &batch).await?;
    let mut done = RolledOut { more, ..RolledOut::default() };
    let mut asked: BTreeSet<OrganizationId> = BTreeSet::new();
    let mut notes = Vec::with_capacity(batch.len());
    let mut changed = Vec::new();
    for one in &batch {
        let Some((old, fate)) = fates.get(&one.plan) else { continue };
        let (state, until) = match fate {
            Fate::Apply(next, difference) => {
                done.applied += 1;
                changed.push((one.organization, one.subscription, TermsSince { since: now, contract: contract.id, plan: next.id }));
                telling.applied(act, one, old, next, difference);
                (OfferState::Applied, None)
            }
            Fate::Offer(difference) => {
                done.offered += 1;
                let first = asked.insert(one.organization);
                telling.offered(act, one, old, difference.as_ref(), first);
                (OfferState::Open, terms.notice_until)
            }
            Fate::Keep => {
                done.kept += 1;
                (OfferState::Kept, None)
            }
        };
        notes.push(ContractOffer {
            organization: one.organization,
            subscription: one.subscription,
            contract: contract.id,
            provider: service.provider,
            service: service.id,
            state,
            offered_at: now,
            until,
            decided_by: None,
            decided_at: None,
        });
    }
    subscriptions::lock(&mut act.tx, changed.iter().map(|(_, subscription, _)| *subscription)).await?;
    for (plan, (_, fate)) in &fates {
        if let Fate::Apply(next, _) = fate {
            let of_plan: Vec<_> = batch.iter().filter(|one| one.plan == *plan).copied().collect();
            offers::apply(&mut act.tx, &of_plan, contract.id, next.id).await?;
        }
    }
    terms::insert_many(&mut act.tx, &changed).await?;
    offers::insert_many(&mut act.tx, &notes).await?;
    offers::set_rollout(&mut act.tx, service, more, now).await?;
    Ok(done)
}

/// What the events tell.
struct Telling<'a> {
    service: &'a Service,
    contract: &'a Contract,
    until: Option<Ts>,
    names: BTreeMap<OrganizationId, String>,
}

impl<'a> Telling<'a> {
    async fn of(act: &mut Act, service: &'a Service, contract: &'a Contract, terms: &Terms, batch: &[Unreached]) -> Result<Self> {
        let parties: BTreeSet<_> = batch.iter().map(|one| one.organization).chain([service.provider]).collect();
        let names = organizations::names(&mut act.tx, &Vec::from_iter(parties)).await?;
        let names = names.into_iter().map(|one| (one.id, one.name)).collect();
        Ok(Self { service, contract, until: terms.notice_until, names })
    }

    fn data(&self, of: &Unreached, old: &Offer, difference: Option<&ContractDifference>) -> serde_json::Value {
        let name = |id: OrganizationId| self.names.get(&id).cloned().unwrap_or_default();
        let changes: Vec<_> = difference.map(ContractDifference::sentences).unwrap_or_default().into_iter().map(|one| one.text).collect();
        json!({
            "service": {"id": self.service.id, "name": self.service.name},
            "organization": {"id": of.organization, "name": name(of.organization)},
            "provider": {"id": self.service.provider, "name": name(self.service.provider)},
            "from": {"id": old.contract, "version": old.version, "plan": old.prices.name},
            "changes": changes,
        })
    }

    fn applied(&self, act: &mut Act, one: &Unreached, old: &Offer, next: &KeptPlan, difference: &ContractDifference) {
        let mut data = self.data(one, old, Some(difference));
        if let Some(data) = data.as_object_mut() {
            data.insert("to".into(), json!({"id": self.contract.id, "version": self.contract.version, "plan": next.plan.name}));
            data.insert("permissions".into(), json!(self.contract.permissions));
            data.insert("accepted".into(), json!(false));
        }
        let subject = Subject::new("subscription", one.subscription);
        act.record(&[one.organization, self.service.provider], EventKind::SubscriptionContractChanged, subject, data);
    }

    fn offered(&self, act: &mut Act, one: &Unreached, old: &Offer, difference: Option<&ContractDifference>, first: bool) {
        let mut data = self.data(one, old, difference);
        if let Some(data) = data.as_object_mut() {
            data.insert("contract".into(), json!({"id": self.contract.id, "version": self.contract.version}));
            data.insert("until".into(), json!(self.until));
            // A change of level is decided for all subscriptions together, so one of them speaks for all.
            if old.level != self.contract.level {
                data.insert("change_of_level".into(), json!({"from": old.level, "to": self.contract.level, "first": first}));
            }
        }
        // The provider's own log tells how many it was offered to.
        act.record(&[one.organization], EventKind::SubscriptionContractOffered, Subject::new("subscription", one.subscription), data);
    }
}

/// Brings a contract to the next thousand subscriptions of a service that it has not reached yet; answers how many, or
/// `None` when there is no such service.
///
/// # Errors
/// Those of the database; the next round does what was left.
pub(super) async fn go_on(stoa: &Stoa, now: Ts) -> Result<Option<usize>> {
    let mut conn = stoa.db.read().await?;
    let next: Option<ServiceId> = offers::rollouts(&mut conn, 1).await?.pop();
    drop(conn);
    let Some(id) = next else { return Ok(None) };
    let mut act = Act::begin(stoa, Caller::system(now)).await?;
    let seen = services::find(&mut act.tx, &Key::Id(id)).await?.ok_or(Error::NotFound("service"))?;
    let unreached = offers::unreached(&mut act.tx, &seen, limit()).await?;
    let mut locked: BTreeSet<_> = unreached.iter().map(|one| one.organization).collect();
    locked.insert(seen.provider);
    organizations::lock(&mut act.tx, &Vec::from_iter(locked.iter().copied())).await?;
    let service = services::find(&mut act.tx, &Key::Id(id)).await?.ok_or(Error::NotFound("service"))?;
    if service.provider != seen.provider {
        // It went to another provider meanwhile, and is found there the next time.
        return Ok(None);
    }
    let contract = services::find_contract(&mut act.tx, service.provider, service.contract).await?.ok_or(Error::NotFound("contract"))?;
    let plans = services::list_plans(&mut act.tx, service.provider, service.contract).await?;
    let terms = offers::terms(&mut act.tx, service.provider, service.contract).await?;
    let done = roll_out(&mut act, &service, &contract, &plans, &terms, &locked).await?;
    act.commit().await?;
    Ok(Some(done.applied + done.offered + done.kept))
}
