//! Subscribing, changing the projects of a subscription, cancelling it.

mod details;
mod effects;
mod ending;
mod hooks;
mod offering;
mod pausing;
mod resubmitting;
mod setting_up;
mod subscribing;
mod terms;

use std::collections::{BTreeMap, BTreeSet};

use stoa_domain::{
    ids::{OrganizationId, PlanId, ProjectId, SubscriptionId},
    locks::{GrantTerms, TermsInput, check_terms},
    organizations::Key,
    permissions::{Permission, Verdict, verdict},
    policies::Need,
    requests::{Asked, Request, RequestKind, Step},
    services::{Contract, Level, Service, ServiceState},
    subscriptions::{ChoiceChange, ChoiceInput, IncludeFuture, Mode, ProjectChoice, Subscription, SubscriptionState},
    text::{self, Faults},
    time::Ts,
};
use stoa_store::{
    grants::{self, KeptGrant},
    level_changes, organizations, policies,
    services::KeptPlan,
    subscriptions,
};

pub use details::{
    Details, EndingDetails, GrantDetails, Provided, SetupDetails, SuspensionDetails, followers, get, list, list_of_service, of_one,
    of_service, one_of_service, projects, provided,
};
pub use effects::{Concerned, concerned};
pub(crate) use effects::{concerned_all, expire, final_of, in_force, lapse, reject, resolve, state_at, still_offered, withdraw};
pub use ending::{cancel, end_due, keep};
pub use hooks::{close_due, lock_partners, organization_deleted, project_created, project_deleted};
pub(crate) use hooks::{end_requested, lock_partners_and};
pub(crate) use hooks::{project_end, take_in};
pub use offering::{MannerChange, NeedOfPlan, Offering, manner, offering, set_manner};
pub(crate) use offering::{permission_of, seen};
pub(crate) use pausing::{held_up, hold, lift};
pub use pausing::{pause, pause_as_operator, pause_as_provider, resume, resume_as_operator, resume_as_provider};
pub(crate) use resubmitting::{Changed, Terms, offers_of, reask, reask_contract, reask_plan, resubmit, terms};
pub use setting_up::{fail, fail_due, ready};
pub use stoa_store::subscriptions::{Candidate, Filter, Offer};
pub use subscribing::{subscribe, subscribe_in_full};
pub use terms::{Acceptance, ContractStanding, Held, Waiting, accept, agreed, change_plan, refuse, side_of, standing, waiting_of};

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

/// The projects that a choice takes by name, so that a lock of one is worth a refusal.
fn named_by(subscription: &Subscription) -> BTreeSet<ProjectId> {
    if subscription.choice.mode == Mode::Selected { subscription.choice.projects.clone() } else { BTreeSet::new() }
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

/// The projects that a list names, each at its place in the input; `otherwise` is what is said of one that is not `among` those
/// that may be named.
pub(crate) fn find_all(
    candidates: &[Candidate],
    given: &[String],
    at: &str,
    among: &BTreeSet<ProjectId>,
    otherwise: &str,
    faults: &mut Faults,
) -> BTreeSet<ProjectId> {
    let mut found = BTreeSet::new();
    for (index, key) in given.iter().enumerate() {
        match find(candidates, key.trim()).filter(|id| among.contains(id)) {
            Some(id) => drop(found.insert(id)),
            None => faults.add(format!("{at}/{index}"), format!("{otherwise}; write its handle or id")),
        }
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

/// Like [`locked`], for whoever may do this to the organization's subscriptions, or ask for it; what the caller may is decided
/// under the locks as well.
pub(crate) async fn locked_for(
    act: &mut Act,
    org: &Key<OrganizationId>,
    id: SubscriptionId,
    permission: Permission,
) -> Result<(Seat, Verdict, Subscription)> {
    let (seat, _) = seats::at_least_request(&mut act.tx, &act.caller, org, permission).await?;
    let subscription = locked(act, seat.organization.id, id).await?;
    let (seat, verdict) = seats::still_at_least_request(act, &seat, permission).await?;
    Ok((seat, verdict, subscription))
}

/// Like [`locked_for`], for whoever may do it at once.
pub(crate) async fn locked_for_allowed(
    act: &mut Act,
    org: &Key<OrganizationId>,
    id: SubscriptionId,
    permission: Permission,
) -> Result<(Seat, Subscription)> {
    let seat = seats::allowed(&mut act.tx, &act.caller, org, permission).await?;
    let subscription = locked(act, seat.organization.id, id).await?;
    Ok((seats::still(act, &seat, permission).await?, subscription))
}

/// Refuses changes of a subscription that is an alias of another one by a change of level.
async fn no_alias(act: &mut Act, of: &Subscription) -> Result<()> {
    if of.state != SubscriptionState::Suspended {
        return Ok(());
    }
    let Some(holders) = level_changes::stand_ins(&mut act.tx, &[of.id]).await?.remove(&of.id) else { return Ok(()) };
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
    let (seat, may_add, subscription) = locked_for(act, org, id, Permission::AddProjects).await?;
    if subscription.project.is_some() {
        return Err(Error::conflict("project_level", "a subscription at project level serves its one project; subscribe another project"));
    }
    let now = act.now();
    in_force(&subscription, now, "changed")?;
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
    let (seat, may_add, subscription) = locked_for(act, org, id, Permission::AddProjects).await?;
    let now = act.now();
    in_force(&subscription, now, "changed")?;
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
