//! Subscribing, changing the projects of a subscription, cancelling it.

mod details;
mod effects;
mod ending;
mod hooks;
mod offering;
mod pausing;
mod resubmitting;
mod terms;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use stoa_domain::{
    events::EventKind,
    ids::{OrganizationId, PlanId, ProjectId, ServiceId, SubscriptionId},
    locks::{GrantTerms, TermsInput, check_terms},
    organizations::Key,
    permissions::{Permission, Verdict, verdict},
    policies::Need,
    requests::{Asked, Request, RequestKind, Step},
    services::{Contract, Level, Service, ServiceState},
    subscriptions::{ChoiceChange, ChoiceInput, IncludeFuture, Mode, ProjectChoice, Subscription, SubscriptionState, WrongState},
    suspensions::Cause,
    text::{self, Faults},
    time::Ts,
};
use stoa_store::{
    grants::{self, KeptGrant},
    level_changes, organizations, policies,
    services::{self, KeptPlan},
    subscriptions,
};

pub use details::{
    Details, EndingDetails, GrantDetails, Provided, SuspensionDetails, get, list, list_of_service, of_one, of_service, one_of_service,
    projects, provided,
};
pub use effects::{Concerned, concerned};
pub(crate) use effects::{concerned_all, expire, final_of, lapse, reject, resolve, state_at, still_offered, withdraw};
pub use ending::{cancel, end_due, keep};
pub use hooks::{close_due, lock_partners, organization_deleted, project_created, project_deleted};
pub(crate) use hooks::{end_requested, lock_partners_and};
pub(crate) use hooks::{project_end, take_in};
pub use offering::{NeedOfPlan, Offering, allow_several, offering, several};
pub(crate) use offering::{permission_of, seen};
pub(crate) use pausing::{hold, lift};
pub use pausing::{pause, pause_as_operator, pause_as_provider, resume, resume_as_operator, resume_as_provider};
pub(crate) use resubmitting::{Changed, Terms, reask, resubmit, terms};
pub use stoa_store::subscriptions::{Candidate, Filter, Offer};
pub use terms::{Acceptance, ContractStanding, Held, Waiting, accept, change_plan, refuse, side_of, standing, waiting_of};

use crate::{
    Act, Error, Result, handovers, locks,
    requests::{self, NewRequest},
    seats::{self, Seat},
};

/// The longest label of a subscription, in characters.
pub const LABEL: usize = 60;

/// The longest note of a requester, in characters.
pub const NOTE: usize = 2_000;

/// A subscription as somebody asks for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewSubscription {
    /// The service, by handle or id.
    pub service: String,
    /// The plan, by id or name; needed when there are several.
    pub plan: Option<String>,
    /// The choice of projects, for a service at organization level.
    pub projects: Option<ChoiceInput>,
    /// The project, by handle or id, for a service at project level.
    pub project: Option<String>,
    /// Whether the terms are accepted.
    pub accept_terms: bool,
    /// What tells it apart from others of the same service, where the service allows several.
    pub label: String,
    /// What the approvers shall read.
    pub note: String,
}

/// A subscription after an action, with the request that the rest of the action waits for.
#[derive(Debug, Clone)]
pub struct Done {
    /// The subscription.
    pub subscription: Subscription,
    /// The request; `None` when everything happened at once.
    pub request: Option<Request>,
}

/// Subscribes a service: at once where the caller may and the provider takes everybody, otherwise by a request.
///
/// # Errors
/// 401, 404, 422; `service_not_open`, `not_offered`, `already_subscribed` (409).
pub async fn subscribe(act: &mut Act, org: &Key<OrganizationId>, new: NewSubscription) -> Result<Done> {
    let (seat, _) = seats::at_least_request(&mut act.tx, &act.caller, org, Permission::SubscribeOrganization).await?;
    let key = Key::read(new.service.trim());
    let service = offering::seen(&mut act.tx, &act.caller, &key).await?;
    let live = organizations::lock(&mut act.tx, &[seat.organization.id, service.provider]).await?;
    if !live.contains(&seat.organization.id) {
        return Err(Error::NotFound("organization"));
    }
    let provider = service.provider;
    let (service, contract) = open_to_all(act, service.id, live.contains(&provider)).await?;
    if service.provider != provider {
        return Err(handovers::moved());
    }
    offering::offered_to(&mut act.tx, &service, seat.organization.id).await?;
    let plans = services::list_plans(&mut act.tx, service.provider, contract.id).await?;
    let candidates = subscriptions::candidates(&mut act.tx, seat.organization.id).await?;
    let checked = check(&new, &contract, &plans, &candidates, act.now())?;
    let last = free_to_subscribe(act, &seat, &service, &checked).await?;

    let need = need(act, &seat, &contract, &plans, &checked, &candidates).await?;
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
        state: if at_once { SubscriptionState::Active } else { SubscriptionState::Requested },
        choice: checked.choice,
        note: checked.note,
        requested_by: user,
        approved_by: at_once.then_some(user),
        created_at: act.now(),
        activated_at: at_once.then(|| act.now()),
        ends_at: None,
        ended_at: None,
        label: checked.label,
        previous: last,
    };
    locks::not_locked(&mut act.tx, &subscription, named_by(&subscription)).await?;
    subscriptions::insert(&mut act.tx, &subscription).await?;
    stoa_store::terms::begin(&mut act.tx, &subscription).await?;
    let concerned = concerned(&mut act.tx, &subscription).await?;
    if at_once {
        effects::open_grants(act, &subscription, &concerned, &candidates, &checked.terms, None).await?;
        return Ok(Done { subscription, request: None });
    }
    let data = concerned.data(json!({
        "plan": {"id": subscription.plan, "name": concerned.offer.prices.name},
        "projects": effects::choice_data(&subscription.choice, &candidates),
        "note": subscription.note,
    }));
    concerned.record(act, EventKind::SubscriptionRequested, data);
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
    let request = requests::open(act, asks).await?;
    Ok(Done { subscription, request: Some(request) })
}

/// The projects that a choice takes by name, so that a lock of one is worth a refusal.
fn named_by(subscription: &Subscription) -> BTreeSet<ProjectId> {
    if subscription.choice.mode == Mode::Selected { subscription.choice.projects.clone() } else { BTreeSet::new() }
}

/// The subscription that a new one of the same service follows, if none stands in its way: the service allows several with
/// labels of their own, or the last one is over.
async fn free_to_subscribe(act: &mut Act, seat: &Seat, service: &Service, checked: &Checked) -> Result<Option<SubscriptionId>> {
    let organization = seat.organization.id;
    if services::allows_several(&mut act.tx, service.provider, service.id).await? {
        let labels = subscriptions::live_labels(&mut act.tx, organization, service.id).await?;
        if !labels.is_empty() && checked.label.is_empty() {
            let detail = format!("{} is subscribed already; give this subscription a name of its own", service.name);
            return Err(Error::fault("/label", detail));
        }
        if labels.iter().any(|label| label.to_lowercase() == checked.label.to_lowercase()) {
            return Err(Error::fault("/label", "another subscription of this service has this name"));
        }
        return Ok(None);
    }
    let last = subscriptions::last_of_service(&mut act.tx, organization, service.id, checked.project).await?;
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
async fn need(
    act: &mut Act,
    seat: &Seat,
    contract: &Contract,
    plans: &[KeptPlan],
    checked: &Checked,
    candidates: &[Candidate],
) -> Result<Need> {
    let prices = plans.iter().find(|kept| kept.id == checked.plan).map(|kept| &kept.plan).ok_or(Error::NotFound("plan"))?;
    let all = candidates.iter().map(|one| one.id).collect();
    let terms = Terms::of(prices, &contract.permissions, checked.choice.chosen(&all).len());
    let policy = policies::find(&mut act.tx, seat.organization.id).await?;
    Ok(policy.need(&terms.wish(seat.role, verdict(seat.role, offering::permission(contract)), RequestKind::Subscribe)))
}

/// The service and its present contract, read under the provider's lock, if it takes subscriptions.
async fn open_to_all(act: &mut Act, id: ServiceId, provider_lives: bool) -> Result<(Service, Contract)> {
    let service = services::find(&mut act.tx, &Key::Id(id)).await?.ok_or(Error::NotFound("service"))?;
    takes_subscriptions(&service, provider_lives)?;
    let contract = services::find_contract(&mut act.tx, service.provider, service.contract).await?;
    Ok((service, contract.ok_or(Error::NotFound("contract"))?))
}

/// `service_not_open` with the cause, unless the service takes subscriptions.
pub(crate) fn takes_subscriptions(service: &Service, provider_lives: bool) -> Result<()> {
    let cause = match service.state {
        _ if !provider_lives => "its provider was deleted or suspended".to_owned(),
        state if state.takes_subscriptions() => return Ok(()),
        ServiceState::Draft => "it is a draft; its provider has to publish it first".to_owned(),
        state => format!("it is {}", state.words()),
    };
    Err(Error::conflict("service_not_open", format!("{} takes no new subscriptions: {cause}", service.name)))
}

struct Checked {
    plan: PlanId,
    project: Option<ProjectId>,
    choice: ProjectChoice,
    terms: BTreeMap<ProjectId, GrantTerms>,
    label: String,
    note: String,
}

fn check(new: &NewSubscription, contract: &Contract, plans: &[KeptPlan], candidates: &[Candidate], now: Ts) -> Result<Checked> {
    let mut faults = Faults::new();
    if !new.accept_terms {
        faults.add("/accept_terms", "a subscription needs the terms accepted: write true");
    }
    let plan = check_plan(new.plan.as_deref(), plans, &mut faults);
    let (project, choice) = match contract.level {
        Level::Organization => (None, check_choice(new, candidates, &mut faults)),
        Level::Project => {
            let project = check_project(new, candidates, &mut faults);
            let choice =
                project.map(|id| ProjectChoice { mode: Mode::Selected, projects: BTreeSet::from([id]), include_future: IncludeFuture::No });
            (project, choice)
        }
    };
    let details = new.projects.as_ref().map(|input| input.details.as_slice()).unwrap_or_default();
    let terms = check_terms(details, "/projects/details", now, |key| find(candidates, key), &mut faults);
    let label = faults.check("/label", text::optional_line(&new.label, LABEL)).unwrap_or_default();
    let note = faults.check("/note", text::block(&new.note, NOTE));
    let checked = plan.zip(choice).zip(note).map(|((plan, choice), note)| Checked { plan, project, choice, terms, label, note });
    Ok(faults.or(checked)?)
}

pub(crate) fn check_plan(given: Option<&str>, plans: &[KeptPlan], faults: &mut Faults) -> Option<PlanId> {
    let given = given.map(str::trim).filter(|plan| !plan.is_empty());
    let found = match (given, plans) {
        (None, [only]) => Some(only),
        (None, _) => None,
        (Some(key), plans) => plans.iter().find(|kept| kept.plan.name == key || kept.id.to_string() == key),
    };
    if found.is_none() {
        let names: Vec<_> = plans.iter().map(|kept| kept.plan.name.as_str()).collect();
        faults.add("/plan", format!("choose one of the service's plans: {}", names.join(", ")));
    }
    found.map(|kept| kept.id)
}

fn check_choice(new: &NewSubscription, candidates: &[Candidate], faults: &mut Faults) -> Option<ProjectChoice> {
    if new.project.is_some() {
        faults.add("/project", "this service is subscribed at organization level; choose its projects in projects");
    }
    match &new.projects {
        Some(input) => input.check("/projects", |key| find(candidates, key), faults),
        None => {
            faults.add("/projects", "choose which projects it may use: mode all, all_except or selected");
            None
        }
    }
}

fn check_project(new: &NewSubscription, candidates: &[Candidate], faults: &mut Faults) -> Option<ProjectId> {
    if new.projects.is_some() {
        faults.add("/projects", "this service is subscribed at project level; name the project in project");
    }
    let Some(key) = new.project.as_deref() else {
        faults.add("/project", "this service is subscribed at project level; name the project, by handle or id");
        return None;
    };
    let found = find(candidates, key.trim());
    if found.is_none() {
        faults.add("/project", "the organization has no such project; write its handle or id");
    }
    found
}

pub(crate) fn find(candidates: &[Candidate], key: &str) -> Option<ProjectId> {
    match Key::<ProjectId>::read(key) {
        Key::Id(id) => candidates.iter().find(|one| one.id == id),
        Key::Handle(handle) => candidates.iter().find(|one| one.handle == handle),
    }
    .map(|one| one.id)
}

/// A subscription read under the locks of both organizations, so that what a rule decides by cannot change meanwhile.
pub(crate) async fn locked(act: &mut Act, organization: OrganizationId, id: SubscriptionId) -> Result<Subscription> {
    let missing = || Error::NotFound("subscription");
    let found = subscriptions::find(&mut act.tx, organization, id).await?.ok_or_else(missing)?;
    organizations::lock(&mut act.tx, &[organization, found.provider]).await?;
    let again = subscriptions::find(&mut act.tx, organization, id).await?.ok_or_else(missing)?;
    if again.provider != found.provider {
        return Err(handovers::moved());
    }
    no_alias(act, &again).await?;
    Ok(again)
}

/// Refuses changes of a subscription that is an alias of another one by a change of level.
async fn no_alias(act: &mut Act, of: &Subscription) -> Result<()> {
    if of.state != SubscriptionState::Suspended {
        return Ok(());
    }
    let open = stoa_store::suspensions::open(&mut act.tx, of.organization, of.id).await?;
    if !open.iter().any(|one| one.cause == Cause::LevelChange) {
        return Ok(());
    }
    let holders: BTreeSet<_> = level_changes::holders(&mut act.tx, of.id).await?.into_iter().map(|(holder, _)| holder).collect();
    let named = holders.iter().take(3).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let more = if holders.len() > 3 { format!(" and {} more", holders.len() - 3) } else { String::new() };
    let detail =
        format!("since a change of level {named}{more} holds the projects of this subscription; change that, or undo the change of level");
    Err(Error::conflict("replaced", detail))
}

/// Sets the choice of projects. What is taken out is out at once; what is added may wait for a request.
///
/// # Errors
/// 401, 404, 403, 422; `wrong_state`, `project_level` (409).
pub async fn change_projects(act: &mut Act, org: &Key<OrganizationId>, id: SubscriptionId, input: &ChoiceInput) -> Result<Done> {
    let (seat, may_add) = seats::at_least_request(&mut act.tx, &act.caller, org, Permission::AddProjects).await?;
    let subscription = locked(act, seat.organization.id, id).await?;
    if subscription.project.is_some() {
        return Err(Error::conflict("project_level", "a subscription at project level serves its one project; subscribe another project"));
    }
    let now = act.now();
    let state = effects::state_at(&subscription, now);
    if !matches!(state, SubscriptionState::Active | SubscriptionState::Suspended | SubscriptionState::Ending) {
        return Err(WrongState { state, verb: "changed" }.into());
    }
    let candidates = subscriptions::candidates(&mut act.tx, seat.organization.id).await?;
    let mut faults = Faults::new();
    let checked = input.check("", |key| find(&candidates, key), &mut faults);
    let terms = check_terms(&input.details, "/details", now, |key| find(&candidates, key), &mut faults);
    let choice = faults.or(checked)?;
    let all = locks::open_projects(&mut act.tx, &subscription, &candidates).await?;
    let wanted = Wanted { choice, terms, all };
    change(act, &seat, may_add, subscription, wanted, &candidates).await
}

/// Sets purpose and end of projects that are granted. An earlier end works at once; a later one or another purpose may wait
/// for a request.
///
/// # Errors
/// 401, 404, 403, 422; `wrong_state` (409).
pub async fn change_terms(act: &mut Act, org: &Key<OrganizationId>, id: SubscriptionId, details: &[TermsInput]) -> Result<Done> {
    let (seat, may_add) = seats::at_least_request(&mut act.tx, &act.caller, org, Permission::AddProjects).await?;
    let subscription = locked(act, seat.organization.id, id).await?;
    let now = act.now();
    let state = effects::state_at(&subscription, now);
    if !matches!(state, SubscriptionState::Active | SubscriptionState::Suspended | SubscriptionState::Ending) {
        return Err(WrongState { state, verb: "changed" }.into());
    }
    let candidates = subscriptions::candidates(&mut act.tx, seat.organization.id).await?;
    let mut faults = Faults::new();
    let terms = check_terms(details, "/details", now, |key| find(&candidates, key), &mut faults);
    let terms = faults.or(Some(terms))?;
    // What is granted stays granted and nothing is added, whatever the choice would take in by now.
    let live = grants::live(&mut act.tx, subscription.organization, subscription.id, now).await?;
    let all = live.iter().map(|grant| grant.project).collect();
    let wanted = Wanted { choice: subscription.choice.clone(), terms, all };
    change(act, &seat, may_add, subscription, wanted, &candidates).await
}

/// A choice to set, with purpose and end of some projects, and the projects that are not locked for the service.
struct Wanted {
    choice: ProjectChoice,
    terms: BTreeMap<ProjectId, GrantTerms>,
    all: BTreeSet<ProjectId>,
}

/// What becomes of the terms of projects that are granted and stay so.
#[derive(Default)]
struct TermsChange {
    /// Terms that last longer or serve another purpose; they may need an approval.
    wider: BTreeMap<ProjectId, GrantTerms>,
    /// Terms that end sooner; they never wait.
    narrower: BTreeMap<ProjectId, GrantTerms>,
}

impl TermsChange {
    fn between(live: &[KeptGrant], wanted: &BTreeMap<ProjectId, GrantTerms>, remove: &BTreeSet<ProjectId>) -> Self {
        let mut change = Self::default();
        for grant in live.iter().filter(|grant| !remove.contains(&grant.project)) {
            let (Some(terms), before) = (wanted.get(&grant.project), grant.terms()) else { continue };
            if terms.widens(&before) {
                change.wider.insert(grant.project, terms.clone());
            } else if *terms != before {
                change.narrower.insert(grant.project, terms.clone());
            }
        }
        change
    }
}

async fn change(
    act: &mut Act,
    seat: &Seat,
    may_add: Verdict,
    subscription: Subscription,
    wanted: Wanted,
    candidates: &[Candidate],
) -> Result<Done> {
    let now = act.now();
    let Wanted { choice: new, terms, all } = wanted;
    let live = grants::live(&mut act.tx, subscription.organization, subscription.id, now).await?;
    let granted: BTreeSet<ProjectId> = live.iter().map(|grant| grant.project).collect();
    let change = ChoiceChange::between(&subscription.choice, &granted, &new, &all);
    let target = new.chosen(&all);
    if new.mode == Mode::Selected {
        let named = new.projects.iter().copied().filter(|id| !granted.contains(id));
        locks::not_locked(&mut act.tx, &subscription, named).await?;
    }
    if let Some(id) = terms.keys().find(|id| !target.contains(*id)) {
        return Err(Error::fault("/details", format!("{id} is not among the projects chosen, or it is locked for the service")));
    }
    let kept = TermsChange::between(&live, &terms, &change.remove);
    let (adds, reduces) = (change.adds() || !kept.wider.is_empty(), change.reduces() || !kept.narrower.is_empty());
    if new == subscription.choice && !adds && !reduces {
        return Ok(Done { subscription, request: None });
    }
    if (reduces || !adds) && verdict(seat.role, Permission::ReduceSubscription) != Verdict::Allowed {
        return Err(seats::refusal(seat, Permission::ReduceSubscription));
    }
    let concerned = concerned(&mut act.tx, &subscription).await?;
    let need = if adds { need_to_add(act, seat, may_add, &concerned, target.len()).await? } else { Need::Nothing };
    if !need.is_needed() {
        let adopted = effects::Adopted { choice: new, add: change.add, remove: change.remove, terms, request: None };
        let subscription = effects::adopt(act, subscription, &concerned, candidates, adopted).await?;
        return Ok(Done { subscription, request: None });
    }
    let mut left = subscription;
    if reduces {
        let choice = change.reduced(&left.choice, &granted, &new, &all);
        let (add, remove) = (BTreeSet::new(), change.remove.clone());
        let adopted = effects::Adopted { choice, add, remove, terms: kept.narrower, request: None };
        left = effects::adopt(act, left, &concerned, candidates, adopted).await?;
    }
    let mut asked = kept.wider;
    asked.extend(terms.into_iter().filter(|(id, _)| change.add.contains(id)));
    let request = ask_for_projects(act, &left, &change, new, asked, need.rule()).await?;
    Ok(Done { subscription: left, request: Some(request) })
}

/// Whether a choice of so many projects that adds something needs an approval of the organization itself.
async fn need_to_add(act: &mut Act, seat: &Seat, may_add: Verdict, concerned: &Concerned, projects: usize) -> Result<Need> {
    let policy = policies::find(&mut act.tx, seat.organization.id).await?;
    let terms = Terms::of(&concerned.offer.prices, &concerned.offer.permissions, projects);
    Ok(policy.need(&terms.wish(seat.role, may_add, RequestKind::AddProjects)))
}

async fn ask_for_projects(
    act: &mut Act,
    kept: &Subscription,
    change: &ChoiceChange,
    new: ProjectChoice,
    details: BTreeMap<ProjectId, GrantTerms>,
    rule: String,
) -> Result<Request> {
    let user = act.caller.user_id()?;
    // The whole choice is asked for anew, so what the same person asked for before is taken back.
    let mut earlier = stoa_store::requests::list_open_of(&mut act.tx, kept.organization, &[kept.id]).await?;
    earlier.retain(|request| request.kind == RequestKind::AddProjects && request.requested_by == user);
    requests::withdraw_all(act, earlier, "a newer request of the same person takes its place").await?;
    let future = new.for_new_project();
    let asked = Asked {
        add: change.add.clone(),
        include_future: (future != kept.choice.for_new_project()).then_some(future),
        choice: Some(new),
        details,
        ..Asked::default()
    };
    let asks = NewRequest {
        kind: RequestKind::AddProjects,
        step: Step::Internal,
        organization: kept.organization,
        provider: None,
        service: kept.service,
        subscription: Some(kept.id),
        asked,
        note: String::new(),
        rule,
    };
    requests::open(act, asks).await
}
