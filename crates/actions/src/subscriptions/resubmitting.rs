//! Asking for something else than at first: a request that is changed with the answer to a question.

use std::collections::{BTreeMap, BTreeSet};

use stoa_domain::{
    ids::{OrganizationId, PlanId, ProjectId},
    locks::{GrantTerms, check_terms},
    meters::Plan,
    permissions::{Role, Verdict},
    policies::{Monthly, Wish},
    requests::{Asked, Extent, Request, RequestKind},
    services::{DataPermission, Level, Service},
    subscriptions::{ChoiceChange, ChoiceInput, IncludeFuture, Mode, ProjectChoice, Subscription},
    text::Faults,
};
use stoa_store::{
    Conn, grants, offers, services,
    subscriptions::{self, Candidate, Offer},
};

use super::{NewSubscription, check, check_plan, concerned, effects, find, named_by};
use crate::{Act, Error, Result, locks, requests::Answer};

/// What a policy judges a wish by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Terms {
    monthly: Option<Monthly>,
    permissions: Vec<DataPermission>,
}

impl Terms {
    /// Those of a plan and a contract's permissions, for so many projects.
    pub(crate) fn of(plan: &Plan, permissions: &[DataPermission], projects: usize) -> Self {
        Self { monthly: Some(Monthly::of(plan, projects)), permissions: permissions.to_vec() }
    }

    /// Those of what follows a change to a level, for so many projects.
    pub(crate) fn at_level(level: Level, plan: &Plan, permissions: &[DataPermission], projects: usize) -> Self {
        let monthly = match level {
            Level::Organization => Monthly::of(plan, projects),
            Level::Project => Monthly::of_each(plan, projects),
        };
        Self { monthly: Some(monthly), permissions: permissions.to_vec() }
    }

    /// The wish of somebody with a role.
    pub(crate) fn wish(&self, role: Role, verdict: Verdict, kind: RequestKind) -> Wish<'_> {
        Wish { role, verdict, kind, monthly: self.monthly, permissions: &self.permissions }
    }
}

/// What a policy judges a subscription by.
pub(crate) async fn terms(conn: &mut Conn, subscription: &Subscription) -> Result<Terms> {
    let offer = concerned(conn, subscription).await?.offer;
    let candidates = subscriptions::candidates(conn, subscription.organization).await?;
    let all = candidates.iter().map(|one| one.id).collect();
    Ok(Terms::of(&offer.prices, &offer.permissions, subscription.choice.chosen(&all).len()))
}

/// What became of what is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Changed {
    /// What a policy judges it by now.
    pub terms: Terms,
    /// What changed, each in words.
    pub words: Vec<String>,
    /// Whether it is more than before in any respect.
    pub exceeds: bool,
}

impl Changed {
    /// What became of something that was asked for in one extent and is in another now.
    pub(crate) fn between(was: &Extent, is: &Extent, candidates: &[Candidate]) -> Self {
        let permissions = Vec::from_iter(is.permissions.iter().copied());
        Self {
            terms: Terms::of(&is.plan, &permissions, is.projects.len()),
            words: differences(was, is, candidates),
            exceeds: is.exceeds(was),
        }
    }
}

/// Changes a subscription that is only asked for, as the answer says, and judges it as for the first time, by what is offered
/// now. The caller holds the locks of both organizations.
///
/// # Errors
/// 422; `service_not_open`, `not_offered`, `already_subscribed`, `project_locked` (409).
pub(crate) async fn resubmit(
    act: &mut Act,
    subscription: &Subscription,
    service: &Service,
    asked: &Asked,
    new: &Answer,
) -> Result<(Subscription, Asked, Changed)> {
    effects::still_open(act, subscription).await?;
    let contract = services::find_contract(&mut act.tx, service.provider, service.contract).await?.ok_or(Error::NotFound("contract"))?;
    let plans = services::list_plans(&mut act.tx, service.provider, contract.id).await?;
    let candidates = subscriptions::candidates(&mut act.tx, subscription.organization).await?;
    let before = concerned(&mut act.tx, subscription).await?.offer;
    let same = contract.id == subscription.contract;
    let plan = if same { subscription.plan.to_string() } else { before.prices.name.clone() };
    let project_level = contract.level == Level::Project;
    let asks = NewSubscription {
        service: String::new(),
        plan: Some(new.plan.clone().unwrap_or(plan)),
        projects: new.projects.clone().or_else(|| (!project_level).then(|| written(&subscription.choice))),
        project: new.project.clone().or_else(|| subscription.project.filter(|_| project_level).map(|id| id.to_string())),
        accept_terms: same || new.accept_terms,
        label: subscription.label.clone(),
        note: new.note.clone().unwrap_or_else(|| subscription.note.clone()),
    };
    let checked = check(&asks, &contract, &plans, &candidates, act.now())?;
    if checked.project != subscription.project {
        nothing_else_subscribes(act, subscription, service, checked.project).await?;
    }
    let prices = plans.iter().find(|kept| kept.id == checked.plan).map(|kept| &kept.plan).ok_or(Error::NotFound("plan"))?;
    let after = Subscription {
        contract: contract.id,
        plan: checked.plan,
        project: checked.project,
        choice: checked.choice,
        note: checked.note,
        ..subscription.clone()
    };
    locks::not_locked(&mut act.tx, &after, named_by(&after)).await?;
    subscriptions::set_terms(&mut act.tx, &after).await?;
    subscriptions::set_choice(&mut act.tx, &after).await?;
    stoa_store::terms::begin_anew(&mut act.tx, &after).await?;
    if !same {
        answer_offer(act, &after).await?;
    }

    let all = locks::open_projects(&mut act.tx, &after, &candidates).await?;
    let extent = |of: &Subscription, plan: &Plan, permissions: &[DataPermission]| Extent {
        plan: plan.clone(),
        projects: of.choice.chosen(&all),
        future: of.choice.for_new_project(),
        permissions: permissions.iter().copied().collect(),
    };
    let (was, is) = (extent(subscription, &before.prices, &before.permissions), extent(&after, prices, &contract.permissions));
    let mut words = Vec::new();
    if !same {
        words.push(format!("accepts version {} of the contract", contract.version));
    }
    words.extend(differences(&was, &is, &candidates));
    let details = details(&asked.details, checked.terms, &is.projects);
    let (other, wider) = other_terms(&asked.details, &details, &was.projects, &is.projects);
    words.extend(terms_words(&other, &candidates));
    if after.note != subscription.note {
        words.push("another note".to_owned());
    }
    let exceeds = wider || is.exceeds(&was);
    let changed = Changed { terms: Terms::of(prices, &contract.permissions, is.projects.len()), words, exceeds };
    Ok((after, Asked { details, ..asked.clone() }, changed))
}

/// A subscription that is asked for under the present contract needs no further consent to it.
async fn answer_offer(act: &mut Act, of: &Subscription) -> Result<()> {
    let Some(mut offer) = offers::waiting(&mut act.tx, of.organization, of.id).await? else { return Ok(()) };
    offer.state = offer.state.accept()?;
    (offer.decided_by, offer.decided_at) = (Some(act.caller.user_id()?), Some(act.now()));
    Ok(offers::set_state(&mut act.tx, &offer).await?)
}

/// `already_subscribed` when the project that an answer chooses is served by another subscription.
async fn nothing_else_subscribes(act: &mut Act, of: &Subscription, service: &Service, project: Option<ProjectId>) -> Result<()> {
    if services::manner(&mut act.tx, service.provider, service.id).await?.several {
        return Ok(());
    }
    let other = subscriptions::last_of_service(&mut act.tx, of.organization, service.id, project).await?;
    match other.filter(|(id, state)| state.is_live() && *id != of.id) {
        Some((id, state)) => {
            let detail = format!("this project has a subscription of {} already ({id}, {state})", service.name);
            Err(Error::conflict("already_subscribed", detail))
        }
        None => Ok(()),
    }
}

/// Purpose and end of the projects that are asked for: those an answer writes, and those of before where it does not.
fn details(
    before: &BTreeMap<ProjectId, GrantTerms>,
    written: BTreeMap<ProjectId, GrantTerms>,
    projects: &BTreeSet<ProjectId>,
) -> BTreeMap<ProjectId, GrantTerms> {
    let mut details = before.clone();
    details.extend(written);
    details.retain(|id, _| projects.contains(id));
    details
}

/// The projects asked for before and now whose purpose or end is another, and whether one lasts longer or serves another
/// purpose.
fn other_terms(
    before: &BTreeMap<ProjectId, GrantTerms>,
    after: &BTreeMap<ProjectId, GrantTerms>,
    was: &BTreeSet<ProjectId>,
    is: &BTreeSet<ProjectId>,
) -> (BTreeSet<ProjectId>, bool) {
    let mut other = BTreeSet::new();
    let mut wider = false;
    let none = GrantTerms::default();
    for id in was.intersection(is) {
        let (before, after) = (before.get(id).unwrap_or(&none), after.get(id).unwrap_or(&none));
        if before != after {
            other.insert(*id);
            wider |= after.widens(before);
        }
    }
    (other, wider)
}

/// That projects have another purpose or end, in words.
fn terms_words(other: &BTreeSet<ProjectId>, candidates: &[Candidate]) -> Option<String> {
    let names: Vec<_> = candidates.iter().filter(|one| other.contains(&one.id)).map(|one| one.name.as_str()).collect();
    (!names.is_empty()).then(|| format!("another purpose or end for {}", names.join(", ")))
}

/// A choice as somebody would write it.
fn written(choice: &ProjectChoice) -> ChoiceInput {
    let future = (choice.mode != Mode::Selected).then(|| choice.include_future.word().to_owned());
    let projects = if choice.mode == Mode::All { Vec::new() } else { choice.projects.iter().map(ToString::to_string).collect() };
    ChoiceInput { mode: choice.mode.word().to_owned(), projects, include_future: future, details: Vec::new() }
}

/// What differs, each in words.
fn differences(was: &Extent, is: &Extent, candidates: &[Candidate]) -> Vec<String> {
    let names = |some: BTreeSet<ProjectId>| {
        let names: Vec<_> = candidates.iter().filter(|one| some.contains(&one.id)).map(|one| one.name.as_str()).collect();
        names.join(", ")
    };
    let mut words = Vec::new();
    if was.plan.name != is.plan.name {
        words.push(format!("plan {} instead of {}", is.plan.name, was.plan.name));
    } else if was.plan != is.plan {
        words.push(format!("plan {} at its new prices", is.plan.name));
    }
    let added: BTreeSet<_> = is.projects.difference(&was.projects).copied().collect();
    if !added.is_empty() {
        words.push(format!("with {}", names(added)));
    }
    let gone: BTreeSet<_> = was.projects.difference(&is.projects).copied().collect();
    if !gone.is_empty() {
        words.push(format!("without {}", names(gone)));
    }
    if was.future != is.future {
        words.push(match is.future {
            IncludeFuture::Yes => "future projects are included".to_owned(),
            IncludeFuture::Ask => "future projects are asked for".to_owned(),
            IncludeFuture::No => "future projects are left out".to_owned(),
        });
    }
    words
}

/// Changes which projects a request adds, as the answer says. The caller holds the locks of both organizations.
///
/// # Errors
/// 422; `wrong_state` (409) when the subscription is over.
pub(crate) async fn reask(
    act: &mut Act,
    request: &Request,
    subscription: &Subscription,
    input: Option<&ChoiceInput>,
) -> Result<(Asked, Changed)> {
    let now = act.now();
    effects::in_force(subscription, now, "given more projects")?;
    let offer = concerned(&mut act.tx, subscription).await?.offer;
    let candidates = subscriptions::candidates(&mut act.tx, subscription.organization).await?;
    let all = locks::open_projects(&mut act.tx, subscription, &candidates).await?;
    let live = grants::live(&mut act.tx, subscription.organization, subscription.id, now).await?;
    let granted: BTreeSet<_> = live.iter().map(|grant| grant.project).collect();
    let extent = |asked: &Asked| Extent {
        plan: offer.prices.clone(),
        projects: granted.union(&asked.add).copied().collect(),
        future: asked.include_future.unwrap_or_else(|| subscription.choice.for_new_project()),
        permissions: offer.permissions.iter().copied().collect(),
    };
    let was = extent(&request.asked);
    let mut asked = request.asked.clone();
    if let Some(input) = input {
        let mut faults = Faults::new();
        let new = input.check("/projects", |key| find(&candidates, key), &mut faults);
        let written = check_terms(&input.details, "/projects/details", now, |key| find(&candidates, key), &mut faults);
        let change = new.as_ref().map(|new| ChoiceChange::between(&subscription.choice, &granted, new, &all));
        if change.as_ref().is_some_and(ChoiceChange::reduces) {
            faults.add(
                "/projects",
                "an answer can't take projects out; change the projects of the subscription for that, which works at once",
            );
        }
        let chosen = new.as_ref().map(|new| new.chosen(&all)).unwrap_or_default();
        let details = details(&asked.details, written, &chosen);
        let wider = live.iter().any(|grant| details.get(&grant.project).is_some_and(|terms| terms.widens(&grant.terms())));
        if change.as_ref().is_some_and(|change| !change.adds() && !wider) {
            faults.add("/projects", "this adds nothing; take the request back instead");
        }
        let (new, change) = faults.or(new.zip(change))?;
        if new.mode == Mode::Selected {
            locks::not_locked(&mut act.tx, subscription, change.add.iter().copied()).await?;
        }
        let future = new.for_new_project();
        let widens = (future != subscription.choice.for_new_project()).then_some(future);
        asked = Asked { add: change.add, include_future: widens, choice: Some(new), details, ..asked };
    }
    let is = extent(&asked);
    let (other, wider) = other_terms(&request.asked.details, &asked.details, &was.projects, &is.projects);
    let mut changed = Changed::between(&was, &is, &candidates);
    changed.words.extend(terms_words(&other, &candidates));
    changed.exceeds |= wider;
    Ok((asked, changed))
}

/// Changes which plan a request asks for, as the answer says. The caller holds the locks of both organizations.
///
/// # Errors
/// 422; `wrong_state` (409) when the subscription is over.
pub(crate) async fn reask_plan(act: &mut Act, request: &Request, subscription: &Subscription, new: &Answer) -> Result<(Asked, Changed)> {
    let now = act.now();
    effects::in_force(subscription, now, "given another plan")?;
    let plans = services::list_plans(&mut act.tx, subscription.provider, subscription.contract).await?;
    let mut faults = Faults::new();
    let plan = match (&new.plan, request.asked.plan) {
        (None, Some(asked)) if plans.iter().any(|kept| kept.id == asked) => Some(asked),
        // Of a contract that the subscription has no more: one of the present ones has to be chosen.
        (given, _) => check_plan(Some(given.as_deref().unwrap_or_default()), &plans, &mut faults),
    };
    if plan == Some(subscription.plan) {
        faults.add("/plan", "the subscription has this plan already; take the request back instead");
    }
    let plan = faults.or(plan)?;
    let (was, is) = offers_of(act, subscription.provider, request.asked.plan, plan).await?;
    let candidates = subscriptions::candidates(&mut act.tx, subscription.organization).await?;
    let live = grants::live(&mut act.tx, subscription.organization, subscription.id, now).await?;
    let extent = |offer: &Offer| Extent {
        plan: offer.prices.clone(),
        projects: live.iter().map(|grant| grant.project).collect(),
        future: subscription.choice.for_new_project(),
        permissions: offer.permissions.iter().copied().collect(),
    };
    let changed = Changed::between(&extent(&was), &extent(&is), &candidates);
    Ok((Asked { plan: Some(plan), ..request.asked.clone() }, changed))
}

/// Changes under which plan, and for which projects, a request accepts a contract, as the answer says. The caller holds the
/// locks of both organizations.
///
/// # Errors
/// 422; `wrong_state`, `no_offer`, `offer_changed` (409).
pub(crate) async fn reask_contract(
    act: &mut Act,
    request: &Request,
    subscription: &Subscription,
    new: &Answer,
) -> Result<(Asked, Changed)> {
    let now = act.now();
    effects::in_force(subscription, now, "given another contract")?;
    let contract = request.asked.contract.ok_or(Error::NotFound("contract"))?;
    let waiting = super::terms::offered(&mut act.tx, subscription, &contract.to_string()).await?;
    let plans = services::list_plans(&mut act.tx, waiting.provider, waiting.contract).await?;
    let mut faults = Faults::new();
    let plan = match &new.plan {
        Some(plan) => check_plan(Some(plan), &plans, &mut faults),
        None => request.asked.plan,
    };
    let only = match &new.consented {
        Some(given) => super::terms::consented(act, subscription, "/consented", given.as_deref(), &mut faults).await?,
        None => request.asked.consented.clone(),
    };
    let plan = faults.or(plan)?;
    let (was, is) = offers_of(act, subscription.provider, request.asked.plan, plan).await?;
    let candidates = subscriptions::candidates(&mut act.tx, subscription.organization).await?;
    let live = grants::live(&mut act.tx, subscription.organization, subscription.id, now).await?;
    let granted: BTreeSet<_> = live.iter().map(|grant| grant.project).collect();
    let extent = |offer: &Offer, only: Option<&BTreeSet<ProjectId>>| Extent {
        plan: offer.prices.clone(),
        projects: only.map_or_else(|| granted.clone(), |only| only.intersection(&granted).copied().collect()),
        future: if only.is_some() { IncludeFuture::No } else { subscription.choice.for_new_project() },
        permissions: offer.permissions.iter().copied().collect(),
    };
    let (was, is) = (extent(&was, request.asked.consented.as_ref()), extent(&is, only.as_ref()));
    let changed = Changed::between(&was, &is, &candidates);
    Ok((Asked { plan: Some(plan), consented: only, ..request.asked.clone() }, changed))
}

/// What the plan that was asked for accepts, and what the one does that is asked for now.
pub(crate) async fn offers_of(act: &mut Act, provider: OrganizationId, was: Option<PlanId>, is: PlanId) -> Result<(Offer, Offer)> {
    let was = was.unwrap_or(is);
    let known = subscriptions::offers(&mut act.tx, &[provider], &[was, is]).await?;
    let of = |plan: PlanId| known.iter().find(|offer| offer.plan == plan).cloned().ok_or(Error::NotFound("plan"));
    Ok((of(was)?, of(is)?))
}
