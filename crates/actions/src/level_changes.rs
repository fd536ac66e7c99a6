//! Changes of level: an organization goes from subscriptions of a service at one level to subscriptions at the other.
//!
//! A contract at the other level, offered with an announced day, waits for each subscriber's consent like any other. The
//! consent to it is given for all subscriptions of the service together, for all or some of their projects, and makes the
//! subscriptions that follow. Until the switch, and again after an undo, the subscriptions of before hold the projects.

mod budgets;
mod details;
mod moves;
mod preview;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use stoa_domain::{
    consents::ConsentKind,
    events::{EventKind, Subject},
    ids::{ContractId, OrganizationId, PlanId, ProjectId, RequestId, ServiceId, UserId},
    level_changes::{LevelChange, LevelChangeState, Part, common_plan},
    meters::Plan,
    offers::{OfferState, PlanPaths},
    organizations::Key,
    permissions::{Permission, verdict},
    requests::{Asked, Extent, Request, RequestKind, Step},
    services::{Contract, Level, Service},
    subscriptions::{IncludeFuture, Mode, ProjectChoice, Subscription, SubscriptionState},
    suspensions::Cause,
    terms::TermsSince,
    text::{self, Faults},
    time::Ts,
};
use stoa_store::{
    grants::{self, KeptGrant},
    level_changes as kept, offers, organizations, policies,
    services::{self, KeptPlan},
    subscriptions::{self, Candidate, Offer},
    suspensions, terms,
};

pub use details::{Details, get, list, may_accept, movable, of_service};
pub use moves::{switch, tick, undo};
pub(crate) use preview::of_requests;
pub use preview::{Choosing, Outlook, OutlookPart, Own, draft_outlooks, outlooks, own_outlooks};

use crate::{
    Act, Error, Result,
    consents::{self, Given},
    handovers,
    requests::{self, Answer, NewRequest},
    seats,
    subscriptions::{Changed, Terms as PolicyTerms, check_plan, concerned, find_all, held_up, offers_of, permission_of, state_at},
};

/// The longest note of a requester, in characters.
const NOTE: usize = crate::subscriptions::NOTE;

/// The consent to a change of level as somebody gives it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accepting {
    /// The service, by handle or id.
    pub service: String,
    /// The contract that was read; required, and it must still be the one that is offered.
    pub contract: Option<String>,
    /// The only projects that go along, by handle or id; all when absent.
    pub projects: Option<Vec<String>>,
    /// The plan of the subscriptions that follow, by id or name; the one to which those of before lead when absent.
    pub plan: Option<String>,
    /// What the approvers shall read.
    pub note: String,
}

/// What became of a consent.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// The change; `None` while the request waits.
    pub change: Option<Details>,
    /// The request; `None` when it happened at once.
    pub request: Option<Request>,
}

/// What may change its level: the subscriptions at the other level whose consent is waited for.
struct Source {
    service: Service,
    contract: Contract,
    plans: Vec<KeptPlan>,
    until: Ts,
    subscriptions: Vec<Subscription>,
    live: Vec<KeptGrant>,
}

impl Source {
    /// What a policy judges by where these projects go along: each of their subscriptions pays, at project level.
    fn wanted(&self, prices: &Plan, projects: &BTreeSet<ProjectId>) -> PolicyTerms {
        let going = self.live.iter().filter(|grant| projects.contains(&grant.project)).count();
        let follow = if self.contract.level == Level::Organization { projects.len() } else { going };
        PolicyTerms::at_level(self.contract.level, prices, &self.contract.permissions, follow)
    }

    /// `offer_changed` when a request asks for another contract than the one that is offered now.
    fn still(&self, request: &Request) -> Result<()> {
        if request.asked.contract == Some(self.contract.id) {
            return Ok(());
        }
        let detail = format!("another contract is offered meanwhile ({}); reject the request", self.contract.id);
        Err(Error::conflict("offer_changed", detail))
    }
}

/// Reads it under the locks of both organizations.
async fn source(act: &mut Act, organization: OrganizationId, service: ServiceId) -> Result<Source> {
    let none = || Error::conflict("no_offer", "no contract at another level waits for the consent of this organization");
    let now = act.now();
    let service = services::find(&mut act.tx, &Key::Id(service)).await?.ok_or(Error::NotFound("service"))?;
    if let Some(open) = kept::find_open(&mut act.tx, organization, service.id).await? {
        let detail =
            format!("a change of the level of {} is {} already ({}); undo it to accept it anew", service.name, open.state, open.id);
        return Err(Error::conflict("already_accepted", detail));
    }
    let contract = services::find_contract(&mut act.tx, service.provider, service.contract).await?.ok_or(Error::NotFound("contract"))?;
    let plans = services::list_plans(&mut act.tx, service.provider, contract.id).await?;
    let mut offers = offers::waiting_in(&mut act.tx, organization, service.id).await?;
    offers.retain(|offer| offer.contract == contract.id);
    let at_other = subscriptions::list_at_other_level(&mut act.tx, &service, contract.level, Some(organization), None, 1).await?;
    offers.retain(|offer| at_other.iter().any(|one| one.id == offer.subscription));
    let until = offers.iter().filter_map(|offer| offer.until).min().ok_or_else(none)?;
    let mut subscriptions = at_other;
    subscriptions.retain(|one| offers.iter().any(|offer| offer.subscription == one.id));
    // What is paused or about to end stays behind: nobody else may lift a pause, and an end that was decided comes.
    subscriptions.retain(|one| state_at(one, now) == SubscriptionState::Active);
    let ids: Vec<_> = subscriptions.iter().map(|one| (organization, one.id)).collect();
    let live = grants::live_of(&mut act.tx, &ids, now).await?;
    Ok(Source { service, contract, plans, until, subscriptions, live })
}

/// Consents to the change of level that a service offers: at once, or by a request where the caller may only ask or the
/// organization's policy says so.
///
/// # Errors
/// 401, 404, 422; `no_offer`, `offer_changed`, `already_accepted`, `already_requested` (409).
pub async fn accept(act: &mut Act, org: &Key<OrganizationId>, given: &Accepting) -> Result<Accepted> {
    let (seat, _) = seats::at_least_request(&mut act.tx, &act.caller, org, Permission::SubscribeOrganization).await?;
    let service = crate::subscriptions::seen(&mut act.tx, &act.caller, &Key::read(given.service.trim())).await?;
    organizations::lock(&mut act.tx, &[seat.organization.id, service.provider]).await?;
    let (seat, _) = seats::still_at_least_request(act, &seat, Permission::SubscribeOrganization).await?;
    let source = source(act, seat.organization.id, service.id).await?;
    if source.service.provider != service.provider {
        return Err(handovers::moved());
    }
    let mut faults = Faults::new();
    match given.contract.as_deref().map(str::trim).unwrap_or_default().parse::<ContractId>() {
        Ok(id) if id == source.contract.id => {}
        Ok(_) => {
            let detail = format!("another contract is offered meanwhile ({}); read what it changes", source.contract.id);
            return Err(Error::conflict("offer_changed", detail));
        }
        Err(_) => faults.add("/contract", "write the id of the contract that you read and accept, ctr_…; the dry run names it"),
    }
    let candidates = subscriptions::candidates(&mut act.tx, seat.organization.id).await?;
    let projects = chosen(&source, &candidates, "/projects", given.projects.as_deref(), &mut faults);
    let plan = match given.plan.as_deref().filter(|plan| !plan.trim().is_empty()) {
        Some(plan) => check_plan(Some(plan), &source.plans, &mut faults),
        None => following(act, &source).await?.or_else(|| check_plan(None, &source.plans, &mut faults)),
    };
    let note = faults.check("/note", text::block(&given.note, NOTE));
    let ((plan, projects), note) = faults.or(plan.zip(projects).zip(note))?;

    let may = verdict(seat.role, permission_of(source.contract.level));
    let prices = source.plans.iter().find(|kept| kept.id == plan).map(|kept| &kept.plan).ok_or(Error::NotFound("plan"))?;
    let policy = policies::find(&mut act.tx, seat.organization.id).await?;
    let wanted = source.wanted(prices, &projects);
    let need = policy.need(&wanted.wish(seat.role, may, RequestKind::ChangeLevel));
    if !need.is_needed() {
        let by = act.caller.user_id()?;
        let change = apply(act, source, plan, &projects, by, None).await?;
        return Ok(Accepted { change: Some(change), request: None });
    }
    let asks = NewRequest {
        kind: RequestKind::ChangeLevel,
        step: Step::Internal,
        organization: seat.organization.id,
        provider: None,
        service: source.service.id,
        // It is about several, and outlives each.
        subscription: None,
        asked: Asked { contract: Some(source.contract.id), plan: Some(plan), consented: Some(projects), ..Asked::default() },
        note,
        rule: need.rule(),
    };
    let request = requests::open(act, asks).await?;
    Ok(Accepted { change: None, request: Some(request) })
}

/// Changes under which plan, and for which projects, a request accepts a change of level, as the answer says. The caller holds
/// the locks of both organizations.
///
/// # Errors
/// 422; `no_offer`, `offer_changed`, `already_accepted` (409).
pub(crate) async fn reask(act: &mut Act, request: &Request, new: &Answer) -> Result<(Asked, Changed)> {
    let source = source(act, request.organization, request.service).await?;
    source.still(request)?;
    let candidates = subscriptions::candidates(&mut act.tx, request.organization).await?;
    let mut faults = Faults::new();
    let projects = match &new.consented {
        Some(given) => chosen(&source, &candidates, "/consented", given.as_deref(), &mut faults),
        None => request.asked.consented.clone(),
    };
    let plan = match &new.plan {
        Some(plan) => check_plan(Some(plan), &source.plans, &mut faults),
        None => request.asked.plan,
    };
    let (plan, projects) = faults.or(plan.zip(projects))?;
    let (was, is) = offers_of(act, source.service.provider, request.asked.plan, plan).await?;
    let extent = |offer: &Offer, projects: &BTreeSet<ProjectId>| Extent {
        plan: offer.prices.clone(),
        projects: projects.clone(),
        future: IncludeFuture::No,
        permissions: offer.permissions.iter().copied().collect(),
    };
    let before = request.asked.consented.clone().unwrap_or_default();
    let changed = Changed::between(&extent(&was, &before), &extent(&is, &projects), &candidates);
    let changed = Changed { terms: source.wanted(&is.prices, &projects), ..changed };
    Ok((Asked { plan: Some(plan), consented: Some(projects), ..request.asked.clone() }, changed))
}

/// The projects that go along; `at` is their place in the input.
fn chosen(
    source: &Source,
    candidates: &[Candidate],
    at: &str,
    given: Option<&[String]>,
    faults: &mut Faults,
) -> Option<BTreeSet<ProjectId>> {
    let granted: BTreeSet<_> = source.live.iter().map(|grant| grant.project).collect();
    let Some(given) = given else {
        if granted.is_empty() {
            faults.add(at, "no project of an active subscription can go along; resume one first, or subscribe the service anew");
        }
        return Some(granted);
    };
    if given.is_empty() {
        faults.add(at, "choose at least one project; to change nothing, let the offer be");
    }
    Some(find_all(candidates, given, at, &granted, "no active subscription of the service has such a project", faults))
}

/// The plan to which the plans of before lead.
async fn following(act: &mut Act, source: &Source) -> Result<Option<PlanId>> {
    let paths = offers::terms(&mut act.tx, source.service.provider, source.contract.id).await?.paths;
    let held: BTreeSet<_> = source.subscriptions.iter().map(|one| one.plan).collect();
    let held = subscriptions::offers(&mut act.tx, &[source.service.provider], &Vec::from_iter(held)).await?;
    let name = |one: &Subscription| held.iter().find(|offer| offer.plan == one.plan).map(|offer| offer.prices.name.as_str());
    Ok(leads_to(source.subscriptions.iter().filter_map(name), &paths, &source.plans).map(|kept| kept.id))
}

/// The plan to which the plans of these names lead, by the most of them; an only plan follows all.
fn leads_to<'a, 'b>(names: impl Iterator<Item = &'b str>, paths: &PlanPaths, plans: &'a [KeptPlan]) -> Option<&'a KeptPlan> {
    let next: Vec<_> = names.filter_map(|name| paths.next(name, plans, |kept| &kept.plan)).map(|kept| kept.id).collect();
    let ids: Vec<_> = plans.iter().map(|kept| kept.id).collect();
    let common = common_plan(&next, &ids);
    plans.iter().find(|kept| common == Some(kept.id) || plans.len() == 1)
}

/// Does what an approved request to change the level asks for.
///
/// # Errors
/// `no_offer`, `offer_changed`, `already_accepted`, `nothing_consented` (409).
pub(crate) async fn resolve(act: &mut Act, request: &Request) -> Result<Details> {
    let plan = request.asked.plan.ok_or(Error::NotFound("plan"))?;
    let source = source(act, request.organization, request.service).await?;
    source.still(request)?;
    let granted: BTreeSet<_> = source.live.iter().map(|grant| grant.project).collect();
    let projects: BTreeSet<_> = request.asked.consented.iter().flatten().copied().filter(|id| granted.contains(id)).collect();
    if projects.is_empty() {
        let detail = "none of the projects that should go along is in an active subscription any more";
        return Err(Error::conflict("nothing_consented", detail));
    }
    apply(act, source, plan, &projects, request.requested_by, Some(request.id)).await
}

/// The subscriptions that follow, and which projects go to which.
fn followers(
    act: &Act,
    source: &Source,
    plan: PlanId,
    projects: &BTreeSet<ProjectId>,
    by: UserId,
) -> Result<(Vec<Subscription>, Vec<Part>)> {
    let now = act.now();
    let approved_by = Some(act.caller.user_id()?);
    let new = |of: &Subscription, project: Option<ProjectId>, taken: BTreeSet<ProjectId>| Subscription {
        id: act.mint(),
        contract: source.contract.id,
        plan,
        project,
        state: SubscriptionState::Suspended,
        choice: ProjectChoice { mode: Mode::Selected, projects: taken, include_future: IncludeFuture::No },
        note: String::new(),
        requested_by: by,
        approved_by,
        created_at: now,
        activated_at: Some(now),
        ends_at: None,
        ended_at: None,
        previous: Some(of.id),
        ..of.clone()
    };
    let going: Vec<_> = source.live.iter().filter(|grant| projects.contains(&grant.project)).collect();
    let first = source.subscriptions.first().ok_or(Error::NotFound("subscription"))?;
    Ok(match source.contract.level {
        Level::Organization => {
            let one = Subscription { label: String::new(), ..new(first, None, projects.clone()) };
            let parts = going.iter().map(|grant| Part { old: grant.subscription, new: one.id, project: grant.project }).collect();
            (vec![one], parts)
        }
        Level::Project => {
            let follow = |grant: &&KeptGrant| {
                let old = source.subscriptions.iter().find(|one| one.id == grant.subscription)?;
                let one = new(old, Some(grant.project), BTreeSet::from([grant.project]));
                let part = Part { old: old.id, new: one.id, project: grant.project };
                Some((one, part))
            };
            going.iter().filter_map(follow).unzip()
        }
    })
}

async fn apply(
    act: &mut Act,
    source: Source,
    plan: PlanId,
    projects: &BTreeSet<ProjectId>,
    accepted_by: UserId,
    request: Option<RequestId>,
) -> Result<Details> {
    let now = act.now();
    let (new, parts) = followers(act, &source, plan, projects, accepted_by)?;
    let first = source.subscriptions.first().ok_or(Error::NotFound("subscription"))?;
    let change = LevelChange {
        id: act.mint(),
        organization: first.organization,
        provider: source.service.provider,
        service: source.service.id,
        contract: source.contract.id,
        state: LevelChangeState::Accepted,
        until: source.until,
        accepted_by,
        accepted_at: now,
        request,
        switched_at: None,
        switched_by: None,
        undone_at: None,
        undone_by: None,
        settled_at: None,
    };
    subscriptions::insert_many(&mut act.tx, &new).await?;
    let since = |one: &Subscription| (one.organization, one.id, TermsSince { since: now, contract: one.contract, plan: one.plan });
    terms::insert_many(&mut act.tx, &new.iter().map(since).collect::<Vec<_>>()).await?;
    let held: Vec<_> =
        new.iter().map(|one| held_up(act, one.organization, one.id, Cause::LevelChange, "", act.caller.user_id().ok())).collect();
    suspensions::insert_many(&mut act.tx, &held).await?;
    kept::insert(&mut act.tx, &change, &parts).await?;
    let going: BTreeSet<_> = parts.iter().map(|part| part.old).collect();
    let decided = Some((act.caller.user_id()?, now));
    let olds = Vec::from_iter(going.iter().copied());
    offers::set_states(&mut act.tx, change.organization, &olds, change.contract, OfferState::Accepted, decided).await?;
    withdraw_accepting(act, &change, request).await?;
    let consents = keep_consents(act, &source, &new, &parts, plan, accepted_by, request).await?;
    tell(act, change, EventKind::LevelChangeAccepted, json!({"consents": consents, "request": request})).await
}

/// Whoever asked for the same before has it now.
async fn withdraw_accepting(act: &mut Act, change: &LevelChange, but: Option<RequestId>) -> Result<()> {
    let kind = RequestKind::ChangeLevel;
    let open = stoa_store::requests::find_open(&mut act.tx, change.organization, kind, change.service, None).await?;
    let open = open.into_iter().filter(|one| Some(one.id) != but).collect();
    requests::withdraw_all(act, open, "the change of level was accepted").await
}

/// Keeps the consent: under the one subscription that follows, or, where several do, under the one they follow.
async fn keep_consents(
    act: &mut Act,
    source: &Source,
    new: &[Subscription],
    parts: &[Part],
    plan: PlanId,
    accepted_by: UserId,
    request: Option<RequestId>,
) -> Result<Vec<Value>> {
    let under: Vec<Subscription> = match source.contract.level {
        Level::Organization => new.to_vec(),
        Level::Project => {
            let with = |one: &Subscription| Subscription { contract: source.contract.id, plan, ..one.clone() };
            source.subscriptions.iter().filter(|one| parts.iter().any(|part| part.old == one.id)).map(with).collect()
        }
    };
    let mut kept = Vec::with_capacity(under.len());
    for one in &under {
        let of: Vec<_> = parts.iter().filter(|part| part.old == one.id || part.new == one.id).map(|part| part.project).collect();
        let named = subscriptions::project_names(&mut act.tx, &[one.organization], &of).await?;
        let projects = named.into_iter().map(|one| (one.id, one.name)).collect();
        let offer = concerned(&mut act.tx, one).await?.offer;
        let given = Given::now(act, ConsentKind::LevelChanged, accepted_by, request)?;
        kept.push(consents::keep(act, one, &offer, given, projects).await?);
    }
    Ok(kept)
}

/// Records what became of a change in the logs of both organizations, and answers it with its names.
async fn tell(act: &mut Act, change: LevelChange, kind: EventKind, more: Value) -> Result<Details> {
    let details = details::of_one(&mut act.tx, change).await?;
    let mut data = details.told();
    if let (Some(data), Value::Object(more)) = (data.as_object_mut(), more) {
        data.extend(more);
    }
    let change = &details.change;
    act.record(&[change.organization, change.provider], kind, Subject::new("level_change", change.id), data);
    Ok(details)
}
