//! What becomes of a subscription once it is decided: grants, states, events in the logs of both organizations.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use stoa_domain::{
    consents::{ConsentKind, TextHash},
    events::{EventKind, Subject},
    ids::{ProjectId, RequestId, SubscriptionId, UserId},
    locks::GrantTerms,
    organizations::Key,
    requests::{Asked, Request, RequestKind},
    services::Service,
    subscriptions::{IncludeFuture, Mode, Move, ProjectChoice, Subscription, SubscriptionState, WrongState},
    time::Ts,
};
use stoa_store::{
    Conn,
    grants::{self, KeptGrant},
    organizations::{self, Named},
    services,
    subscriptions::{self, Candidate, Offer},
};

use super::{ending, setting_up};
use crate::{
    Act, Error, Result,
    consents::{self, Given},
    locks, requests,
};

/// Whom and what a subscription is about, by name: what its events tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concerned {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// Who subscribes.
    pub organization: Named,
    /// Who provides.
    pub provider: Named,
    /// The service with the accepted contract and plan.
    pub offer: Offer,
}

impl Concerned {
    /// The data of an event: the names, and what else there is to tell.
    pub fn data(&self, more: Value) -> Value {
        let mut data = json!({
            "service": {"id": self.offer.service, "name": self.offer.service_name},
            "organization": {"id": self.organization.id, "name": self.organization.name},
            "provider": {"id": self.provider.id, "name": self.provider.name},
        });
        if let (Some(data), Value::Object(more)) = (data.as_object_mut(), more) {
            data.extend(more);
        }
        data
    }

    /// Records an event of the subscription in both logs.
    pub fn record(&self, act: &mut Act, kind: EventKind, data: Value) {
        act.record(&[self.organization.id, self.provider.id], kind, Subject::new("subscription", self.subscription), data);
    }
}

/// The names of all that several subscriptions are about.
///
/// # Errors
/// Those of the database.
pub(crate) async fn concerned_all(conn: &mut Conn, all: &[Subscription]) -> Result<BTreeMap<SubscriptionId, Concerned>> {
    let parties: BTreeSet<_> = all.iter().flat_map(|one| [one.organization, one.provider]).collect();
    let providers: BTreeSet<_> = all.iter().map(|one| one.provider).collect();
    let plans: BTreeSet<_> = all.iter().map(|one| one.plan).collect();
    let names = organizations::names(conn, &Vec::from_iter(parties)).await?;
    let offers = subscriptions::offers(conn, &Vec::from_iter(providers), &Vec::from_iter(plans)).await?;
    let names: BTreeMap<_, _> = names.into_iter().map(|one| (one.id, one)).collect();
    let offers: BTreeMap<_, _> = offers.into_iter().map(|one| (one.plan, one)).collect();
    let of = |one: &Subscription| {
        Some(Concerned {
            subscription: one.id,
            organization: names.get(&one.organization)?.clone(),
            provider: names.get(&one.provider)?.clone(),
            offer: offers.get(&one.plan)?.clone(),
        })
    };
    all.iter().map(|one| Ok((one.id, of(one).ok_or(Error::NotFound("plan"))?))).collect()
}

/// The names of all that a subscription is about.
///
/// # Errors
/// Those of the database.
pub async fn concerned(conn: &mut Conn, subscription: &Subscription) -> Result<Concerned> {
    let mut all = concerned_all(conn, std::slice::from_ref(subscription)).await?;
    all.remove(&subscription.id).ok_or(Error::NotFound("subscription"))
}

/// Ids and names of projects, for events; by name, as everywhere.
pub(super) fn named(ids: &BTreeSet<ProjectId>, candidates: &[Candidate]) -> Value {
    candidates.iter().filter(|one| ids.contains(&one.id)).map(|one| json!({"id": one.id, "name": one.name})).collect()
}

/// A choice with names, for events.
pub(super) fn choice_data(choice: &ProjectChoice, candidates: &[Candidate]) -> Value {
    json!({"mode": choice.mode, "projects": named(&choice.projects, candidates), "include_future": choice.include_future})
}

/// Purpose and end of some projects with names, for events.
pub(super) fn terms_data(terms: &BTreeMap<ProjectId, GrantTerms>, of: &BTreeSet<ProjectId>, candidates: &[Candidate]) -> Value {
    let told = candidates.iter().filter(|one| of.contains(&one.id));
    told.filter_map(|one| {
        let terms = terms.get(&one.id)?;
        Some(json!({"id": one.id, "name": one.name, "purpose": terms.purpose, "until": terms.until}))
    })
    .collect()
}

/// Opens grants of these projects by the caller's approval, and answers them.
pub(super) async fn grant(
    act: &mut Act,
    subscription: &Subscription,
    projects: impl IntoIterator<Item = ProjectId>,
    terms: &BTreeMap<ProjectId, GrantTerms>,
    request: Option<RequestId>,
) -> Result<Vec<KeptGrant>> {
    let new: Vec<KeptGrant> = projects
        .into_iter()
        .map(|project| {
            let terms = terms.get(&project).cloned().unwrap_or_default();
            KeptGrant {
                id: act.mint(),
                subscription: subscription.id,
                project,
                since: act.now(),
                until: None,
                ends_at: terms.until,
                purpose: terms.purpose,
                approved_by: subscription.approved_by,
                request,
            }
        })
        .collect();
    grants::insert_many(&mut act.tx, subscription.organization, &new).await?;
    Ok(new)
}

/// Opens the grants of a subscription that has just come into force, and says so in both logs.
///
/// Projects created after it was asked for are taken in where the choice includes future projects, and asked for where it
/// says so: nobody approved them. Projects that are locked for the service stay closed.
pub(super) async fn open_grants(
    act: &mut Act,
    subscription: &Subscription,
    concerned: &Concerned,
    candidates: &[Candidate],
    terms: &BTreeMap<ProjectId, GrantTerms>,
    request: Option<RequestId>,
) -> Result<()> {
    let all = locks::open_projects(&mut act.tx, subscription, candidates).await?;
    let text = consents::text_of(&mut act.tx, subscription.provider, subscription.contract).await?;
    let known = Known { candidates, all: &all, text };
    open_known(act, subscription, concerned, &known, terms, request).await.map(drop)
}

/// What [`open_grants`] reads first.
pub(super) struct Known<'a> {
    /// The organization's projects.
    pub candidates: &'a [Candidate],
    /// Those that are not locked for the service.
    pub all: &'a BTreeSet<ProjectId>,
    /// The hash of the contract's words.
    pub text: TextHash,
}

/// Like [`open_grants`], where what it reads is known; answers the grants.
pub(super) async fn open_known(
    act: &mut Act,
    subscription: &Subscription,
    concerned: &Concerned,
    known: &Known<'_>,
    terms: &BTreeMap<ProjectId, GrantTerms>,
    request: Option<RequestId>,
) -> Result<Vec<KeptGrant>> {
    let candidates = known.candidates;
    let mut chosen = subscription.choice.chosen(known.all);
    let mut later = BTreeSet::new();
    if subscription.choice.for_new_project() != IncludeFuture::Yes {
        later = candidates.iter().filter(|one| one.created_at > subscription.created_at).map(|one| one.id).collect();
        later.retain(|id| chosen.contains(id) && !subscription.choice.projects.contains(id));
        chosen.retain(|id| !later.contains(id));
    }
    // What has an end that went by while it waited is not opened at all.
    let now = act.now();
    chosen.retain(|id| terms.get(id).and_then(|terms| terms.until).is_none_or(|until| until > now));
    let opened = grant(act, subscription, chosen.iter().copied(), terms, request).await?;
    // It may come into force long after it was approved, by whoever set it up.
    let approved_by = subscription.approved_by.filter(|_| request.is_some());
    let given = Given { kind: ConsentKind::Subscribed, accepted_by: subscription.requested_by, request, approved_by };
    let projects = candidates.iter().filter(|one| chosen.contains(&one.id)).map(|one| (one.id, one.name.clone())).collect();
    let consent = consents::keep_of(act, subscription, &concerned.offer, given, projects, known.text).await?;
    let data = concerned.data(json!({
        "plan": {"id": subscription.plan, "name": concerned.offer.prices.name},
        "contract": {"id": subscription.contract, "version": concerned.offer.version},
        "permissions": concerned.offer.permissions,
        "choice": choice_data(&subscription.choice, candidates),
        "projects": named(&chosen, candidates),
        "terms": terms_data(terms, &chosen, candidates),
        "label": subscription.label,
        "request": request,
        "consent": consent,
    }));
    concerned.record(act, EventKind::SubscriptionActivated, data);
    if subscription.choice.for_new_project() == IncludeFuture::Ask && !later.is_empty() {
        let asks = requests::for_projects(subscription, later);
        requests::open_all(act, vec![(asks, subscription.requested_by)]).await?;
    }
    Ok(opened)
}

/// Brings a requested subscription into force, or lets its provider set it up. Whether it is [still offered](still_offered) was judged before.
///
/// # Errors
/// `wrong_state` (409).
pub(crate) async fn activate(act: &mut Act, mut subscription: Subscription, request: &Request) -> Result<Subscription> {
    let setup = services::manner(&mut act.tx, subscription.provider, subscription.service).await?.setup;
    subscription.state = subscription.state.after(if setup { Move::Provision } else { Move::Approve })?;
    subscription.activated_at = (!setup).then(|| act.now());
    subscription.approved_by = Some(act.caller.user_id()?);
    subscriptions::set_state(&mut act.tx, &subscription).await?;
    let concerned = concerned(&mut act.tx, &subscription).await?;
    if setup {
        setting_up::begin(act, &subscription, &concerned, request.asked.details.clone(), Some(request.id)).await?;
        return Ok(subscription);
    }
    let candidates = subscriptions::candidates(&mut act.tx, subscription.organization).await?;
    open_grants(act, &subscription, &concerned, &candidates, &request.asked.details, Some(request.id)).await?;
    Ok(subscription)
}

/// Whether a subscription that is asked for could be asked for now as well.
///
/// # Errors
/// `service_not_open`, `not_offered`, `contract_changed`, `project_deleted`, `project_locked` (409).
pub(crate) async fn still_offered(act: &mut Act, subscription: &Subscription, service: &Service) -> Result<()> {
    still_open(act, subscription).await?;
    if service.contract != subscription.contract {
        let detail = format!(
            "{} is offered under a newer contract than the one that was asked for; ask whoever made the request to accept it in the answer",
            service.name
        );
        return Err(Error::conflict("contract_changed", detail));
    }
    let candidates = subscriptions::candidates(&mut act.tx, subscription.organization).await?;
    let all: BTreeSet<_> = candidates.iter().map(|one| one.id).collect();
    if subscription.choice.mode == Mode::Selected && subscription.choice.chosen(&all).is_empty() {
        return Err(Error::conflict("project_deleted", "the projects this was asked for were deleted; reject the request"));
    }
    locks::not_locked(&mut act.tx, subscription, subscription.project).await
}

/// `service_not_open` unless the subscription's service still takes subscriptions, `not_offered` unless from this organization.
///
/// # Errors
/// `service_not_open`, `not_offered` (409).
pub(super) async fn still_open(act: &mut Act, subscription: &Subscription) -> Result<()> {
    let provider = organizations::find(&mut act.tx, subscription.provider).await?;
    let service = services::find(&mut act.tx, &Key::Id(subscription.service)).await?.ok_or(Error::NotFound("service"))?;
    super::takes_subscriptions(&service, provider.is_some_and(|provider| provider.suspension.is_none()))?;
    super::offering::offered_to(&mut act.tx, &service, subscription.organization).await
}

/// A choice to adopt, with what it adds and takes out.
pub(super) struct Adopted {
    /// The choice to keep from now on.
    pub choice: ProjectChoice,
    /// Projects to grant.
    pub add: BTreeSet<ProjectId>,
    /// Projects to take out.
    pub remove: BTreeSet<ProjectId>,
    /// Purpose and end of projects to grant, and of those granted whose terms change.
    pub terms: BTreeMap<ProjectId, GrantTerms>,
    /// The request that was approved.
    pub request: Option<RequestId>,
}

/// Keeps a choice, opens and closes grants, and says so in both logs.
pub(super) async fn adopt(
    act: &mut Act,
    mut subscription: Subscription,
    concerned: &Concerned,
    candidates: &[Candidate],
    adopted: Adopted,
) -> Result<Subscription> {
    let now = act.now();
    if !adopted.add.is_empty() || adopted.choice.for_new_project() < subscription.choice.for_new_project() {
        subscription.approved_by = Some(act.caller.user_id()?);
    }
    subscription.choice = adopted.choice;
    subscriptions::set_choice(&mut act.tx, &subscription).await?;
    let out = Vec::from_iter(adopted.remove.iter().copied());
    grants::close(&mut act.tx, subscription.organization, subscription.id, &out, now).await?;
    let mut changed = grants::live(&mut act.tx, subscription.organization, subscription.id, now).await?;
    changed.retain(|grant| adopted.terms.get(&grant.project).is_some_and(|terms| *terms != grant.terms()));
    for grant in &mut changed {
        let terms = adopted.terms.get(&grant.project).cloned().unwrap_or_default();
        (grant.purpose, grant.ends_at) = (terms.purpose, terms.until);
    }
    grants::set_terms(&mut act.tx, subscription.organization, &changed).await?;
    grant(act, &subscription, adopted.add.iter().copied(), &adopted.terms, adopted.request).await?;
    let told: BTreeSet<ProjectId> = changed.iter().map(|grant| grant.project).chain(adopted.add.iter().copied()).collect();
    let data = concerned.data(json!({
        "choice": choice_data(&subscription.choice, candidates),
        "added": named(&adopted.add, candidates),
        "removed": named(&adopted.remove, candidates),
        "terms": terms_data(&adopted.terms, &told, candidates),
        "request": adopted.request,
    }));
    concerned.record(act, EventKind::SubscriptionProjectsChanged, data);
    Ok(subscription)
}

/// Whether a subscription came into force and is not over; `verb` is what is wanted of it, as a participle.
///
/// # Errors
/// `wrong_state` (409).
pub(crate) fn in_force(subscription: &Subscription, now: Ts, verb: &'static str) -> Result<()> {
    let state = state_at(subscription, now);
    if state.in_force() { Ok(()) } else { Err(WrongState { state, verb }.into()) }
}

/// Adds the projects that an approved request asks for, as far as they are still there and were not taken out meanwhile.
///
/// # Errors
/// `wrong_state` (409) when the subscription is over.
pub(crate) async fn extend(act: &mut Act, subscription: Subscription, request: &Request) -> Result<Subscription> {
    let now = act.now();
    in_force(&subscription, now, "given more projects")?;
    let candidates = subscriptions::candidates(&mut act.tx, subscription.organization).await?;
    let all = locks::open_projects(&mut act.tx, &subscription, &candidates).await?;
    let history = grants::history(&mut act.tx, subscription.organization, &[subscription.id]).await?;
    let granted: BTreeSet<_> = history.iter().filter(|one| one.is_live(now)).map(|one| one.project).collect();
    let taken_out: BTreeSet<_> =
        history.iter().filter(|one| !one.is_live(now) && one.end() > Some(request.created_at)).map(|one| one.project).collect();
    let Asked { choice, add, include_future, details, .. } = &request.asked;
    let asked = choice.as_ref().unwrap_or(&subscription.choice);
    let wanted = if asked.for_new_project() == IncludeFuture::Yes { asked.chosen(&all) } else { add.intersection(&all).copied().collect() };
    let mut terms = details.clone();
    terms.retain(|_, terms| terms.until.is_none_or(|until| until > now));
    let over = |id: &ProjectId| details.contains_key(id) && !terms.contains_key(id);
    let add: BTreeSet<_> = wanted.into_iter().filter(|id| !granted.contains(id) && !taken_out.contains(id) && !over(id)).collect();
    let target: BTreeSet<_> = granted.union(&add).copied().collect();
    let choice = match choice {
        Some(asked) => subscription.choice.extended(asked, *include_future, &target, &all),
        None => subscription.choice.with(&add),
    };
    if choice == subscription.choice && add.is_empty() && terms.is_empty() {
        return Ok(subscription);
    }
    let concerned = concerned(&mut act.tx, &subscription).await?;
    let adopted = Adopted { choice, add, remove: BTreeSet::new(), terms, request: Some(request.id) };
    adopt(act, subscription, &concerned, &candidates, adopted).await
}

/// Takes back a subscription that was only asked for, with its request.
///
/// # Errors
/// `wrong_state` (409).
pub(crate) async fn withdraw(act: &mut Act, subscription: Subscription) -> Result<Subscription> {
    finish(act, subscription, Move::Withdraw, EventKind::SubscriptionWithdrawn).await
}

/// Closes a subscription that was not approved.
///
/// # Errors
/// `wrong_state` (409).
pub(crate) async fn reject(act: &mut Act, subscription: Subscription) -> Result<Subscription> {
    finish(act, subscription, Move::Reject, EventKind::SubscriptionRejected).await
}

/// Closes a subscription that could not be set up.
///
/// # Errors
/// `wrong_state` (409).
pub(super) async fn fail(act: &mut Act, subscription: Subscription, by: Option<UserId>, reason: &str) -> Result<Subscription> {
    let more = json!({"reason": reason, "requested_by": subscription.requested_by});
    close(act, subscription, Closing { step: Move::Fail, kind: EventKind::SubscriptionFailed, by, more }).await
}

/// Closes a subscription that nobody approved in time.
///
/// # Errors
/// `wrong_state` (409).
pub(crate) async fn expire(act: &mut Act, subscription: Subscription) -> Result<Subscription> {
    let closing = Closing { step: Move::Expire, kind: EventKind::SubscriptionExpired, by: None, more: Value::Null };
    close(act, subscription, closing).await
}

/// What the end of a subscription takes with it at an instant: its live grants, which close, and its open requests, which are
/// withdrawn. An action that ends it does exactly this.
pub(crate) async fn final_of(conn: &mut Conn, subscription: &Subscription, now: Ts) -> Result<(Vec<KeptGrant>, Vec<Request>)> {
    let grants = grants::live(conn, subscription.organization, subscription.id, now).await?;
    let requests = stoa_store::requests::list_open_of(conn, subscription.organization, &[subscription.id]).await?;
    Ok((grants, requests))
}

async fn finish(act: &mut Act, subscription: Subscription, step: Move, kind: EventKind) -> Result<Subscription> {
    let by = act.caller.user_id()?;
    finish_for(act, subscription, step, kind, by).await
}

/// Closes a subscription, at the instant that was decided where that has come already. Open requests are withdrawn in the
/// name of `by`.
pub(super) async fn finish_for(act: &mut Act, subscription: Subscription, step: Move, kind: EventKind, by: UserId) -> Result<Subscription> {
    close(act, subscription, Closing { step, kind, by: Some(by), more: Value::Null }).await
}

/// Ends a subscription, or closes one that is only asked for, because Stoa itself does what was announced.
///
/// # Errors
/// `wrong_state` (409) when it is over.
pub(crate) async fn lapse(act: &mut Act, subscription: Subscription, more: Value) -> Result<Subscription> {
    let kind = match subscription.state {
        state if state.is_ahead() => EventKind::SubscriptionWithdrawn,
        _ => EventKind::SubscriptionEnded,
    };
    close(act, subscription, Closing { step: Move::Cancel, kind, by: None, more }).await
}

/// How a subscription is closed.
struct Closing {
    step: Move,
    kind: EventKind,
    /// In whose name open requests are withdrawn; `None` where nobody decided it.
    by: Option<UserId>,
    /// What else its event tells, unless the end that was decided before has come.
    more: Value,
}

async fn close(act: &mut Act, mut subscription: Subscription, closing: Closing) -> Result<Subscription> {
    let now = act.now();
    let planned = subscription.ends_at.take().filter(|end| *end <= now && subscription.state.in_force());
    let at = planned.unwrap_or(now);
    let (live, open) = final_of(&mut act.tx, &subscription, now).await?;
    subscription.state = subscription.state.after(closing.step)?;
    subscription.ended_at = Some(at);
    subscriptions::set_state(&mut act.tx, &subscription).await?;
    grants::close_all(&mut act.tx, subscription.organization, subscription.id, at).await?;
    let concerned = concerned(&mut act.tx, &subscription).await?;
    let projects: BTreeSet<_> = live.iter().map(|grant| grant.project).collect();
    let mut data = json!({"state": subscription.state, "ended_at": at, "projects": projects, "cause": planned.map(|_| "period_end")});
    if let (Some(data), Value::Object(more), None) = (data.as_object_mut(), closing.more, planned) {
        data.extend(more);
    }
    concerned.record(act, closing.kind, concerned.data(data));
    let why = "the subscription is over";
    match closing.by {
        Some(by) => requests::withdraw_all_for(act, open, why, by).await?,
        None => requests::withdraw_all(act, open, why).await?,
    }
    Ok(subscription)
}

/// The state of a subscription at an instant: over from the decided end on.
pub(crate) fn state_at(subscription: &Subscription, now: Ts) -> SubscriptionState {
    let due = subscription.state.in_force() && subscription.ends_at.is_some_and(|end| end <= now);
    if due { SubscriptionState::Ended } else { subscription.state }
}

/// Does what an approved request about a subscription asks for.
///
/// # Errors
/// 409 when it can no longer be done, with the cause.
pub(crate) async fn resolve(act: &mut Act, request: &Request, subscription: Subscription) -> Result<Subscription> {
    match request.kind {
        RequestKind::Subscribe => activate(act, subscription, request).await,
        RequestKind::AddProjects => extend(act, subscription, request).await,
        RequestKind::Cancel if request.asked.at_period_end => ending::end_with_period(act, subscription).await,
        RequestKind::Cancel => ending::end(act, subscription).await,
        RequestKind::ChangePlan => super::terms::resolve_plan(act, subscription, request).await,
        RequestKind::AcceptContract => super::terms::resolve_contract(act, subscription, request).await,
        // Of the whole organization, and of its own.
        RequestKind::ChangeLevel => Ok(subscription),
        RequestKind::Publish => Ok(subscription),
    }
}
