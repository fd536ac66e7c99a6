//! Subscribing.

use std::collections::BTreeMap;

use serde_json::json;
use stoa_domain::{
    consents::TextHash,
    events::EventKind,
    ids::{OrganizationId, PlanId, ProjectId, SubscriptionId},
    locks::GrantTerms,
    organizations::Key,
    permissions::{Permission, verdict},
    policies::{Need, Policy},
    requests::{Asked, RequestKind, Step},
    services::{Contract, Service},
    subscriptions::{IncludeFuture, Subscription, SubscriptionState},
};
use stoa_store::{
    StoreError,
    services::KeptPlan,
    subscriptions::{self, Candidate, Ground, Offer, Offered},
};

use super::{
    Checked, Concerned, Details, Done, NewSubscription, Terms, check, details, effects, ending, named_by, offering, setting_up,
    takes_subscriptions,
};
use crate::{
    Act, Error, Result, consents, locks,
    requests::{self, NewRequest},
    seats::{self, Seat},
};

/// Subscribes a service: at once where the caller may and the provider takes everybody, otherwise by a request.
///
/// # Errors
/// 401, 404, 422; `service_not_open`, `not_offered`, `already_subscribed` (409).
pub async fn subscribe(act: &mut Act, org: &Key<OrganizationId>, new: NewSubscription) -> Result<Done> {
    subscribe_in_full(act, org, new).await.map(|(done, _)| done)
}

/// Like [`subscribe`], with all that [`of_one`] would read, where that is known already.
///
/// # Errors
/// Those of [`subscribe`].
pub async fn subscribe_in_full(act: &mut Act, org: &Key<OrganizationId>, new: NewSubscription) -> Result<(Done, Option<Details>)> {
    let (seat, _) = seats::at_least_request(&mut act.tx, &act.caller, org, Permission::SubscribeOrganization).await?;
    let key = Key::read(new.service.trim());
    let service = offering::seen(&mut act.tx, &act.caller, &key).await?;
    let ground = subscriptions::ground(&mut act.tx, seat.organization.id, service.provider, service.id).await?;
    let (seat, _) = seats::still_at_least_request(act, &seat, Permission::SubscribeOrganization).await?;
    let Offered { service, contract, text, manner } = open_to_all(&service, &ground)?;
    offering::offered_to(&mut act.tx, &service, seat.organization.id).await?;
    let plans = act.stoa().plans.clone().of(&mut act.tx, service.provider, contract.id).await?;
    let candidates = &ground.candidates;
    let checked = check(&new, &contract, &plans, candidates, act.now())?;
    let last = free_to_subscribe(act, &seat, &service, &checked, manner.several, ground.last).await?;

    let need = need(&ground.policy, &seat, &contract, &plans, &checked, candidates)?;
    let internal = need.is_needed();
    let provider_approves = offering::provider_approves(&service, seat.organization.id);
    let at_once = !internal && !provider_approves;
    let user = act.caller.user_id()?;
    let subscription = Subscription {
        id: act.mint(),
        organization: seat.organization.id,
        provider: service.provider,
        service: service.id,
        contract: contract.id,
        plan: checked.plan,
        project: checked.project,
        state: match (at_once, manner.setup) {
            (false, _) => SubscriptionState::Requested,
            (true, true) => SubscriptionState::Provisioning,
            (true, false) => SubscriptionState::Active,
        },
        choice: checked.choice,
        note: checked.note,
        requested_by: user,
        approved_by: at_once.then_some(user),
        created_at: act.now(),
        activated_at: (at_once && !manner.setup).then(|| act.now()),
        ends_at: None,
        ended_at: None,
        label: checked.label,
        previous: last,
    };
    not_locked(&subscription, &ground)?;
    subscriptions::insert(&mut act.tx, &subscription).await?;
    stoa_store::terms::begin(&mut act.tx, &subscription).await?;
    let concerned = Concerned {
        subscription: subscription.id,
        organization: ground.own.named.clone(),
        provider: ground.provider.named.clone(),
        offer: offer(&service, &contract, &plans, checked.plan)?,
    };
    if at_once && manner.setup {
        setting_up::begin(act, &subscription, &concerned, checked.terms, None).await?;
        return Ok((Done { subscription, request: None }, None));
    }
    if at_once {
        let details = open(act, &subscription, &concerned, &ground, text, &checked.terms).await?;
        return Ok((Done { subscription, request: None }, details));
    }
    let asks = NewRequest {
        kind: RequestKind::Subscribe,
        step: if internal { Step::Internal } else { Step::Provider },
        organization: seat.organization.id,
        provider: provider_approves.then_some(service.provider),
        service: service.id,
        subscription: Some(subscription.id),
        asked: Asked { details: checked.terms, ..Asked::default() },
        note: subscription.note.clone(),
        rule: need.rule(),
    };
    tell_requested(act, &subscription, &concerned, candidates);
    let request = requests::open(act, asks).await?;
    Ok((Done { subscription, request: Some(request) }, None))
}

/// Says in both logs that a subscription is asked for.
fn tell_requested(act: &mut Act, subscription: &Subscription, concerned: &Concerned, candidates: &[Candidate]) {
    let data = concerned.data(json!({
        "plan": {"id": subscription.plan, "name": concerned.offer.prices.name},
        "projects": effects::choice_data(&subscription.choice, candidates),
        "note": subscription.note,
    }));
    concerned.record(act, EventKind::SubscriptionRequested, data);
}

/// Opens the grants of a subscription that is in force at once; what is to be shown of it, unless something is asked for
/// beside it.
async fn open(
    act: &mut Act,
    subscription: &Subscription,
    concerned: &Concerned,
    ground: &Ground,
    text: Option<TextHash>,
    terms: &BTreeMap<ProjectId, GrantTerms>,
) -> Result<Option<Details>> {
    let all = ground.candidates.iter().map(|one| one.id).filter(|id| !ground.locked.contains(id)).collect();
    let text = match text {
        Some(text) => text,
        None => consents::text_of(&mut act.tx, subscription.provider, subscription.contract).await?,
    };
    let known = effects::Known { candidates: &ground.candidates, all: &all, text };
    let grants = effects::open_known(act, subscription, concerned, &known, terms, None).await?;
    if subscription.choice.for_new_project() == IncludeFuture::Ask {
        return Ok(None);
    }
    details::of_new(act, subscription.clone(), concerned.clone(), grants, &ground.candidates).map(Some)
}

/// `project_locked` when a project that the choice takes by name is locked for the service.
fn not_locked(subscription: &Subscription, ground: &Ground) -> Result<()> {
    let named = named_by(subscription);
    let hit = |one: &&Candidate| named.contains(&one.id) && ground.locked.contains(&one.id);
    let hit: Vec<_> = ground.candidates.iter().filter(hit).cloned().collect();
    if hit.is_empty() { Ok(()) } else { Err(locks::keeps_out(&hit)) }
}

/// What a subscription of a plan accepts.
fn offer(service: &Service, contract: &Contract, plans: &[KeptPlan], plan: PlanId) -> Result<Offer> {
    let kept = plans.iter().find(|kept| kept.id == plan).ok_or(Error::NotFound("plan"))?;
    Ok(Offer {
        plan,
        prices: kept.plan.clone(),
        contract: contract.id,
        version: contract.version,
        level: contract.level,
        permissions: contract.permissions.clone(),
        terms_url: contract.terms_url.clone(),
        service: service.id,
        service_handle: service.handle.clone(),
        service_name: service.name.clone(),
    })
}

/// The subscription that a new one of the same service follows, if none stands in its way: the last one of the same label,
/// where the service allows several with labels of their own, or the last one.
async fn free_to_subscribe(
    act: &mut Act,
    seat: &Seat,
    service: &Service,
    checked: &Checked,
    several: bool,
    last: Option<(SubscriptionId, SubscriptionState)>,
) -> Result<Option<SubscriptionId>> {
    let organization = seat.organization.id;
    if several {
        let labels = subscriptions::live_labels(&mut act.tx, organization, service.id).await?;
        if !labels.is_empty() && checked.label.is_empty() {
            let detail = format!("{} is subscribed already; give this subscription a name of its own", service.name);
            return Err(Error::fault("/label", detail));
        }
        if labels.iter().any(|label| label.to_lowercase() == checked.label.to_lowercase()) {
            return Err(Error::fault("/label", "another subscription of this service has this name"));
        }
        let last = subscriptions::last_labelled(&mut act.tx, organization, service.id, &checked.label, checked.project).await?;
        return Ok(last);
    }
    let last = match checked.project {
        None => last,
        project => subscriptions::last_of_service(&mut act.tx, organization, service.id, project).await?,
    };
    let Some((id, state)) = last else { return Ok(None) };
    if state.is_live() {
        // One whose end has come without being written down yet stands in nobody's way.
        let found = subscriptions::find(&mut act.tx, organization, id).await?.ok_or(Error::NotFound("subscription"))?;
        if ending::end_if_due(act, found).await?.is_none() {
            let detail = format!("{} has a subscription of {} already ({id}, {state})", seat.organization.name, service.name);
            return Err(Error::conflict("already_subscribed", detail));
        }
    }
    Ok(Some(id))
}

/// Whether a subscription needs an approval of the organization itself, by the role or by a rule of its policy.
fn need(
    policy: &Policy,
    seat: &Seat,
    contract: &Contract,
    plans: &[KeptPlan],
    checked: &Checked,
    candidates: &[Candidate],
) -> Result<Need> {
    let prices = plans.iter().find(|kept| kept.id == checked.plan).map(|kept| &kept.plan).ok_or(Error::NotFound("plan"))?;
    let all = candidates.iter().map(|one| one.id).collect();
    let terms = Terms::of(prices, &contract.permissions, checked.choice.chosen(&all).len());
    Ok(policy.need(&terms.wish(seat.role, verdict(seat.role, offering::permission(contract)), RequestKind::Subscribe)))
}

/// What is offered now, as it was read under the provider's lock, if the service takes subscriptions.
fn open_to_all(seen: &Service, ground: &Ground) -> Result<Offered> {
    let offered = ground.offered.clone().ok_or(Error::NotFound("service"))?;
    // It went to another provider while its own was waited for, which is not held: the next attempt finds it there.
    if offered.service.provider != seen.provider {
        return Err(StoreError::Busy.into());
    }
    takes_subscriptions(&offered.service, ground.provider.live)?;
    Ok(offered)
}
