//! The terms of a subscription: another plan, and the consent to a new contract.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use stoa_domain::{
    consents::ConsentKind,
    differences::{ContractDifference, Side},
    events::EventKind,
    ids::{ContractId, OrganizationId, PlanId, ProjectId, RequestId, SubscriptionId, UserId},
    offers::{ContractOffer, OfferState},
    organizations::Key,
    permissions::{Permission, Verdict, verdict},
    policies::Need,
    requests::{Asked, Request, RequestKind, Step},
    services::Contract,
    subscriptions::{IncludeFuture, Mode, ProjectChoice, Subscription},
    text::{self, Faults},
    time::Ts,
};
use stoa_store::{
    Conn, grants, offers, policies, requests as kept_requests,
    services::{self, KeptPlan},
    subscriptions::{self, Candidate, Offer},
    terms,
};

use super::{
    Done, NOTE, Terms as PolicyTerms, check_plan,
    details::{self, Details},
    effects::{self, Adopted, concerned, in_force},
    find_all, locked_for, offering,
};
use crate::{
    Act, Caller, Error, Result,
    consents::{self, ConsentDetails, Given},
    requests::{self, NewRequest},
    seats::{self, Seat},
};

/// The most consents that a subscription's page shows.
const MOST_CONSENTS: i64 = 200;

/// A consent to a new contract as somebody gives it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Acceptance {
    /// The contract that was read; it must still be the one that is offered.
    pub contract: String,
    /// The plan of the new contract, by id or name; the one that follows the present plan when absent.
    pub plan: Option<String>,
    /// The only projects for which it is accepted, by handle or id; the others are taken out. All when absent.
    pub projects: Option<Vec<String>>,
    /// What the approvers shall read.
    pub note: String,
}

/// Terms that a subscription had from an instant on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Since when.
    pub since: Ts,
    /// Contract and plan.
    pub offer: Offer,
}

/// A contract that waits for a subscription's consent.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// The offer.
    pub offer: ContractOffer,
    /// The contract.
    pub contract: Contract,
    /// Its plans.
    pub plans: Vec<KeptPlan>,
    /// The plan that follows the present one; `None` where the subscriber chooses it.
    pub next: Option<KeptPlan>,
    /// What would change; `None` where the plan is not told yet.
    pub difference: Option<ContractDifference>,
    /// The request for it that waits for a decision.
    pub request: Option<RequestId>,
}

/// All about the contract of a subscription.
#[derive(Debug, Clone)]
pub struct ContractStanding {
    /// What it had since when, oldest first.
    pub held: Vec<Held>,
    /// The plans of its present contract.
    pub plans: Vec<KeptPlan>,
    /// The contract that waits for consent.
    pub waiting: Option<Waiting>,
    /// Who consented to what, oldest first.
    pub consents: Vec<ConsentDetails>,
    /// What the caller may do with plan and contract: at once, or by asking.
    pub verdict: Verdict,
}

/// What the seat may do with the contract of a subscription: as with subscribing it.
async fn may(conn: &mut Conn, seat: &Seat, subscription: &Subscription) -> Result<Verdict> {
    let contract = services::find_contract(conn, subscription.provider, subscription.contract).await?;
    Ok(verdict(seat.role, offering::permission(&contract.ok_or(Error::NotFound("contract"))?)))
}

fn asks(subscription: &Subscription, kind: RequestKind, asked: Asked, note: String, rule: String) -> NewRequest {
    NewRequest {
        kind,
        step: Step::Internal,
        organization: subscription.organization,
        provider: None,
        service: subscription.service,
        subscription: Some(subscription.id),
        asked,
        note,
        rule,
    }
}

/// Whether another plan or contract needs an approval of the organization itself: by the role, as with subscribing, or by a
/// rule of its policy where it asks for more than the subscription has.
async fn need(act: &mut Act, seat: &Seat, subscription: &Subscription, kind: RequestKind, plan: PlanId) -> Result<Need> {
    let verdict = may(&mut act.tx, seat, subscription).await?;
    let known = subscriptions::offers(&mut act.tx, &[subscription.provider], &[subscription.plan, plan]).await?;
    let of = |plan: PlanId| known.iter().find(|offer| offer.plan == plan).ok_or(Error::NotFound("plan"));
    let (before, after) = (of(subscription.plan)?, of(plan)?);
    if before.level != after.level {
        let detail = "this contract is at another level: accept the change of level for all subscriptions of the service together";
        return Err(Error::conflict("changes_level", detail));
    }
    if verdict == Verdict::Allowed && difference(before, after).applies_at_once() {
        return Ok(Need::Nothing);
    }
    let projects = granted(&mut act.tx, subscription, act.caller.now).await?.len();
    let policy = policies::find(&mut act.tx, seat.organization.id).await?;
    Ok(policy.need(&PolicyTerms::of(&after.prices, &after.permissions, projects).wish(seat.role, verdict, kind)))
}

/// Gives a subscription another plan of its contract: at once, or by a request where the caller may only ask. The new
/// prices hold from the present UTC day on; what is paid once is not paid again.
///
/// # Errors
/// 401, 404, 422; `wrong_state`, `already_requested` (409).
pub async fn change_plan(act: &mut Act, org: &Key<OrganizationId>, id: SubscriptionId, plan: &str, note: &str) -> Result<Done> {
    let (seat, _, subscription) = locked_for(act, org, id, Permission::SubscribeOrganization).await?;
    let plans = services::list_plans(&mut act.tx, subscription.provider, subscription.contract).await?;
    let mut faults = Faults::new();
    let plan = check_plan(Some(plan).filter(|plan| !plan.trim().is_empty()), &plans, &mut faults);
    let note = faults.check("/note", text::block(note, NOTE));
    let (plan, note) = faults.or(plan.zip(note))?;
    in_force(&subscription, act.now(), "given another plan")?;
    if plan == subscription.plan {
        return Ok(Done { subscription, request: None });
    }
    let need = need(act, &seat, &subscription, RequestKind::ChangePlan, plan).await?;
    if !need.is_needed() {
        let user = act.caller.user_id()?;
        let subscription = set_plan(act, subscription, plan, user, None).await?;
        return Ok(Done { subscription, request: None });
    }
    let asked = Asked { plan: Some(plan), ..Asked::default() };
    let request = requests::open(act, asks(&subscription, RequestKind::ChangePlan, asked, note, need.rule())).await?;
    Ok(Done { subscription, request: Some(request) })
}

/// Does what an approved request for another plan asks for.
///
/// # Errors
/// `wrong_state`, `plan_gone` (409).
pub(super) async fn resolve_plan(act: &mut Act, subscription: Subscription, request: &Request) -> Result<Subscription> {
    in_force(&subscription, act.now(), "given another plan")?;
    let plan = request.asked.plan.ok_or(Error::NotFound("plan"))?;
    if services::find_plan(&mut act.tx, subscription.provider, subscription.contract, plan).await?.is_none() {
        let detail = "the subscription has another contract meanwhile, which does not have this plan; reject the request";
        return Err(Error::conflict("plan_gone", detail));
    }
    if plan == subscription.plan {
        return Ok(subscription);
    }
    set_plan(act, subscription, plan, request.requested_by, Some(request.id)).await
}

async fn set_plan(
    act: &mut Act,
    mut subscription: Subscription,
    plan: PlanId,
    accepted_by: UserId,
    request: Option<RequestId>,
) -> Result<Subscription> {
    let now = act.now();
    let before = concerned(&mut act.tx, &subscription).await?.offer;
    subscription.plan = plan;
    terms::change(&mut act.tx, &subscription, now).await?;
    let concerned = concerned(&mut act.tx, &subscription).await?;
    let projects = granted(&mut act.tx, &subscription, now).await?;
    let given = Given::now(act, ConsentKind::PlanChanged, accepted_by, request)?;
    let consent = consents::keep(act, &subscription, &concerned.offer, given, projects).await?;
    let data = concerned.data(json!({
        "from": {"id": before.plan, "name": before.prices.name},
        "to": {"id": plan, "name": concerned.offer.prices.name},
        "changes": difference(&before, &concerned.offer).sentences().into_iter().map(|one| one.text).collect::<Vec<_>>(),
        "consent": consent,
        "request": request,
    }));
    concerned.record(act, EventKind::SubscriptionPlanChanged, data);
    Ok(subscription)
}

fn difference(old: &Offer, new: &Offer) -> ContractDifference {
    ContractDifference::between(side_of(old), side_of(new))
}

/// One side of a difference: what a subscription accepted.
pub fn side_of(offer: &Offer) -> Side<'_> {
    Side { level: offer.level, permissions: &offer.permissions, terms_url: offer.terms_url.as_deref(), plan: &offer.prices }
}

/// The projects a subscription is granted now, with their names.
async fn granted(conn: &mut Conn, subscription: &Subscription, now: Ts) -> Result<Vec<(ProjectId, String)>> {
    let live: Vec<_> =
        grants::live(conn, subscription.organization, subscription.id, now).await?.into_iter().map(|grant| grant.project).collect();
    let named = subscriptions::project_names(conn, &[subscription.organization], &live).await?;
    Ok(named.into_iter().map(|one| (one.id, one.name)).collect())
}

/// The offer that waits, if it is of the contract that was read.
pub(super) async fn offered(conn: &mut Conn, subscription: &Subscription, contract: &str) -> Result<ContractOffer> {
    let offer = offers::waiting(conn, subscription.organization, subscription.id).await?;
    let none = || Error::conflict("no_offer", "no new contract waits for the consent of this subscription");
    let offer = offer.ok_or_else(none)?;
    match contract.trim().parse::<ContractId>() {
        Ok(id) if id == offer.contract => Ok(offer),
        Ok(_) => Err(changed(offer.contract)),
        Err(_) => Err(Error::fault("/contract", "write the id of the contract that you read, ctr_…")),
    }
}

fn changed(contract: ContractId) -> Error {
    Error::conflict("offer_changed", format!("another contract is offered meanwhile ({contract}); read what it changes"))
}

/// Consents to the contract that is offered: at once, or by a request where the caller may only ask. With projects named,
/// the consent is for those only: the others are taken out, and future ones are not included.
///
/// # Errors
/// 401, 404, 422; `no_offer`, `offer_changed`, `wrong_state`, `already_requested` (409).
pub async fn accept(act: &mut Act, org: &Key<OrganizationId>, id: SubscriptionId, given: &Acceptance) -> Result<Done> {
    let (seat, _, subscription) = locked_for(act, org, id, Permission::SubscribeOrganization).await?;
    let offer = offered(&mut act.tx, &subscription, &given.contract).await?;
    in_force(&subscription, act.now(), "given another contract")?;
    let mut faults = Faults::new();
    let plan = next_plan(act, &subscription, &offer, given.plan.as_deref(), &mut faults).await?;
    let only = consented(act, &subscription, "/projects", given.projects.as_deref(), &mut faults).await?;
    let note = faults.check("/note", text::block(&given.note, NOTE));
    let (plan, note) = faults.or(plan.zip(note))?;
    let need = need(act, &seat, &subscription, RequestKind::AcceptContract, plan).await?;
    if !need.is_needed() {
        let user = act.caller.user_id()?;
        let subscription = adopt_contract(act, subscription, offer, plan, only.as_ref(), user, None).await?;
        return Ok(Done { subscription, request: None });
    }
    let asked = Asked { contract: Some(offer.contract), plan: Some(plan), consented: only, ..Asked::default() };
    let request = requests::open(act, asks(&subscription, RequestKind::AcceptContract, asked, note, need.rule())).await?;
    Ok(Done { subscription, request: Some(request) })
}

/// The plan of the new contract: the one that was chosen, or the one that follows the present plan.
async fn next_plan(
    act: &mut Act,
    subscription: &Subscription,
    offer: &ContractOffer,
    given: Option<&str>,
    faults: &mut Faults,
) -> Result<Option<PlanId>> {
    let plans = services::list_plans(&mut act.tx, offer.provider, offer.contract).await?;
    if let Some(given) = given.filter(|plan| !plan.trim().is_empty()) {
        return Ok(check_plan(Some(given), &plans, faults));
    }
    let now = services::find_plan(&mut act.tx, subscription.provider, subscription.contract, subscription.plan).await?;
    let now = now.ok_or(Error::NotFound("plan"))?;
    let paths = offers::terms(&mut act.tx, offer.provider, offer.contract).await?.paths;
    let next = paths.next(&now.plan.name, &plans, |kept| &kept.plan).map(|kept| kept.id);
    Ok(next.or_else(|| check_plan(None, &plans, faults)))
}

/// The projects for which a consent is given, where it names some; `at` is their place in the input.
pub(super) async fn consented(
    act: &mut Act,
    subscription: &Subscription,
    at: &str,
    given: Option<&[String]>,
    faults: &mut Faults,
) -> Result<Option<BTreeSet<ProjectId>>> {
    let Some(given) = given else { return Ok(None) };
    if subscription.project.is_some() {
        faults.add(at, "this subscription serves one project; accept the contract for it, or refuse it");
        return Ok(None);
    }
    if given.is_empty() {
        faults.add(at, "choose at least one project; to accept it for none, refuse it");
    }
    let candidates = subscriptions::candidates(&mut act.tx, subscription.organization).await?;
    let now = act.now();
    let granted: BTreeSet<_> =
        grants::live(&mut act.tx, subscription.organization, subscription.id, now).await?.into_iter().map(|grant| grant.project).collect();
    Ok(Some(find_all(&candidates, given, at, &granted, "the service has no such project at present", faults)))
}

/// Does what an approved request to accept a contract asks for.
///
/// # Errors
/// `wrong_state`, `no_offer`, `offer_changed`, `nothing_consented` (409).
pub(super) async fn resolve_contract(act: &mut Act, subscription: Subscription, request: &Request) -> Result<Subscription> {
    in_force(&subscription, act.now(), "given another contract")?;
    let (contract, plan) = request.asked.contract.zip(request.asked.plan).ok_or(Error::NotFound("contract"))?;
    let offer = offered(&mut act.tx, &subscription, &contract.to_string()).await?;
    adopt_contract(act, subscription, offer, plan, request.asked.consented.as_ref(), request.requested_by, Some(request.id)).await
}

async fn adopt_contract(
    act: &mut Act,
    subscription: Subscription,
    mut offer: ContractOffer,
    plan: PlanId,
    only: Option<&BTreeSet<ProjectId>>,
    accepted_by: UserId,
    request: Option<RequestId>,
) -> Result<Subscription> {
    let now = act.now();
    offer.state = offer.state.accept()?;
    let mut subscription = match only {
        Some(only) => reduce(act, subscription, only, request).await?,
        None => subscription,
    };
    let before = concerned(&mut act.tx, &subscription).await?.offer;
    subscription.contract = offer.contract;
    subscription.plan = plan;
    terms::change(&mut act.tx, &subscription, now).await?;
    (offer.decided_by, offer.decided_at) = (Some(act.caller.user_id()?), Some(now));
    offers::set_state(&mut act.tx, &offer).await?;
    let concerned = concerned(&mut act.tx, &subscription).await?;
    let projects = granted(&mut act.tx, &subscription, now).await?;
    let given = Given::now(act, ConsentKind::Accepted, accepted_by, request)?;
    let consent = consents::keep(act, &subscription, &concerned.offer, given, projects).await?;
    let data = concerned.data(json!({
        "from": {"id": before.contract, "version": before.version, "plan": before.prices.name},
        "to": {"id": concerned.offer.contract, "version": concerned.offer.version, "plan": concerned.offer.prices.name},
        "changes": difference(&before, &concerned.offer).sentences().into_iter().map(|one| one.text).collect::<Vec<_>>(),
        "permissions": concerned.offer.permissions,
        "accepted": true,
        "consent": consent,
        "request": request,
    }));
    concerned.record(act, EventKind::SubscriptionContractChanged, data);
    let mut open = kept_requests::list_open_of(&mut act.tx, subscription.organization, &[subscription.id]).await?;
    open.retain(|one| matches!(one.kind, RequestKind::AcceptContract | RequestKind::ChangePlan));
    requests::withdraw_all(act, open, "the new contract was accepted").await?;
    Ok(subscription)
}

/// Takes all projects out but those for which a contract is accepted.
async fn reduce(act: &mut Act, subscription: Subscription, only: &BTreeSet<ProjectId>, request: Option<RequestId>) -> Result<Subscription> {
    let candidates: Vec<Candidate> = subscriptions::candidates(&mut act.tx, subscription.organization).await?;
    let now = act.now();
    let granted: BTreeSet<ProjectId> =
        grants::live(&mut act.tx, subscription.organization, subscription.id, now).await?.into_iter().map(|grant| grant.project).collect();
    let kept: BTreeSet<_> = only.intersection(&granted).copied().collect();
    if kept.is_empty() {
        let detail = "none of the projects for which the contract would be accepted is in the subscription any more";
        return Err(Error::conflict("nothing_consented", detail));
    }
    let remove = granted.difference(&kept).copied().collect();
    let choice = ProjectChoice { mode: Mode::Selected, projects: kept, include_future: IncludeFuture::No };
    let concerned = concerned(&mut act.tx, &subscription).await?;
    let adopted = Adopted { choice, add: BTreeSet::new(), remove, terms: BTreeMap::new(), request };
    effects::adopt(act, subscription, &concerned, &candidates, adopted).await
}

/// Refuses the contract that is offered: the subscription keeps its own until the announced day, on which it ends, or for
/// good where no day was announced. Until then it may still be accepted.
///
/// # Errors
/// 401, 404, 403, 422; `no_offer`, `offer_changed` (409).
pub async fn refuse(act: &mut Act, org: &Key<OrganizationId>, id: SubscriptionId, contract: &str) -> Result<Subscription> {
    let (seat, _, subscription) = locked_for(act, org, id, Permission::SubscribeOrganization).await?;
    let mut offer = offered(&mut act.tx, &subscription, contract).await?;
    let present = services::find_contract(&mut act.tx, subscription.provider, subscription.contract).await?;
    let permission = offering::permission(&present.ok_or(Error::NotFound("contract"))?);
    if verdict(seat.role, permission) != Verdict::Allowed {
        return Err(seats::refusal(&seat, permission));
    }
    if offer.state == OfferState::Refused {
        return Ok(subscription);
    }
    offer.state = offer.state.refuse()?;
    (offer.decided_by, offer.decided_at) = (Some(act.caller.user_id()?), Some(act.now()));
    offers::set_state(&mut act.tx, &offer).await?;
    let new = services::find_contract(&mut act.tx, offer.provider, offer.contract).await?.ok_or(Error::NotFound("contract"))?;
    let concerned = concerned(&mut act.tx, &subscription).await?;
    let data = concerned.data(json!({
        "contract": {"id": new.id, "version": new.version},
        "keeps": {"id": concerned.offer.contract, "version": concerned.offer.version},
        "until": offer.until,
    }));
    concerned.record(act, EventKind::SubscriptionContractRefused, data);
    let mut open = kept_requests::list_open_of(&mut act.tx, subscription.organization, &[subscription.id]).await?;
    open.retain(|one| one.kind == RequestKind::AcceptContract);
    requests::withdraw_all(act, open, "the new contract was refused").await?;
    Ok(subscription)
}

/// All about the contract of a subscription: what it had since when, what waits, who consented to what.
///
/// # Errors
/// 401, 404.
pub async fn standing(
    conn: &mut Conn,
    caller: &Caller,
    org: &Key<OrganizationId>,
    id: SubscriptionId,
) -> Result<(Seat, Details, ContractStanding)> {
    let (seat, details) = details::get(conn, caller, org, id).await?;
    let subscription = &details.subscription;
    let held = held(conn, subscription).await?;
    let standing = ContractStanding {
        held,
        plans: services::list_plans(conn, subscription.provider, subscription.contract).await?,
        waiting: waiting_of(conn, &details).await?,
        consents: consents::of_subscription(conn, subscription, None, MOST_CONSENTS).await?,
        verdict: verdict(seat.role, level_permission(&details)),
    };
    Ok((seat, details, standing))
}

/// What a subscription agreed to over time, for those who were let see it: its terms and its consents, both oldest first.
///
/// # Errors
/// Those of the database.
pub async fn agreed(conn: &mut Conn, of: &Subscription) -> Result<(Vec<Held>, Vec<ConsentDetails>)> {
    Ok((held(conn, of).await?, consents::of_subscription(conn, of, None, MOST_CONSENTS).await?))
}

async fn held(conn: &mut Conn, of: &Subscription) -> Result<Vec<Held>> {
    let history = terms::of_organization(conn, of.organization, Some(&[of.id])).await?.remove(&of.id).unwrap_or_default();
    let plans: BTreeSet<_> = history.iter().map(|one| one.plan).collect();
    let known = subscriptions::offers(conn, &[of.provider], &Vec::from_iter(plans)).await?;
    let held = history.iter().filter_map(|terms| {
        let offer = known.iter().find(|offer| offer.plan == terms.plan)?.clone();
        Some(Held { since: terms.since, offer })
    });
    Ok(held.collect())
}

fn level_permission(details: &Details) -> Permission {
    offering::permission_of(details.concerned.offer.level)
}

/// The contract that waits for a subscription's consent, with what it would change.
///
/// # Errors
/// Those of the database.
pub async fn waiting_of(conn: &mut Conn, details: &Details) -> Result<Option<Waiting>> {
    let subscription = &details.subscription;
    if !subscription.state.is_live() {
        return Ok(None);
    }
    let Some(offer) = offers::waiting(conn, subscription.organization, subscription.id).await? else { return Ok(None) };
    let contract = services::find_contract(conn, offer.provider, offer.contract).await?.ok_or(Error::NotFound("contract"))?;
    let plans = services::list_plans(conn, offer.provider, offer.contract).await?;
    let paths = offers::terms(conn, offer.provider, offer.contract).await?.paths;
    let present = &details.concerned.offer;
    let next = paths.next(&present.prices.name, &plans, |kept| &kept.plan).cloned();
    let difference = next.as_ref().map(|next| {
        let new =
            Side { level: contract.level, permissions: &contract.permissions, terms_url: contract.terms_url.as_deref(), plan: &next.plan };
        ContractDifference::between(side_of(present), new)
    });
    let asked = |one: &&requests::Details| one.request.state.is_open() && one.request.kind == RequestKind::AcceptContract;
    let request = details.requests.iter().find(asked).map(|one| one.request.id);
    Ok(Some(Waiting { offer, contract, plans, next, difference, request }))
}
