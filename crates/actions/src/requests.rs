//! Requests: asking, deciding, taking back; and the inbox of those who decide.

mod answers;
mod deadlines;
mod details;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use stoa_domain::{
    deadlines as rules,
    events::{EventKind, Subject},
    ids::{OrganizationId, ProjectId, RequestId, ServiceId, SubscriptionId, UserId},
    organizations::Key,
    permissions::{Permission, Role, Verdict, verdict},
    policies::{Need, Policy},
    requests::{Approvals, Asked, CannotDecide, Decision, DecisionRecord, Request, RequestKind, RequestState, Step, may_decide},
    services::Service,
    subscriptions::Subscription,
    text::{self, Faults},
};
use stoa_store::{Conn, delegations, members, organizations, policies, requests, services as kept_services, subscriptions as kept};

pub use answers::{Answer, answer, ask};
pub use deadlines::{Due, act_on_due};
pub use details::{
    Alternatives, Details, Named, Standing, View, alternatives, count_waiting, counts, get, is_of_asking, list, of_one, of_organization,
    of_subscriptions, standing,
};
pub use stoa_store::requests::{Counts, Wanted};

use crate::{
    Act, Caller, Error, Result, Who, handovers, level_changes,
    seats::{self, Seat},
    services, subscriptions,
};

/// The longest comment on a decision, in characters.
pub const COMMENT: usize = 2_000;

/// A change to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRequest {
    /// What is asked for.
    pub kind: RequestKind,
    /// Whose decision comes first.
    pub step: Step,
    /// The organization that asks.
    pub organization: OrganizationId,
    /// The provider, where its decision is needed after (or instead of) the organization's own.
    pub provider: Option<OrganizationId>,
    /// The service concerned.
    pub service: ServiceId,
    /// The subscription concerned.
    pub subscription: Option<SubscriptionId>,
    /// The change, as far as kind and subject do not say it.
    pub asked: Asked,
    /// What the approvers shall read.
    pub note: String,
    /// The rule of the organization's policy that makes it wait, in words; may be empty.
    pub rule: String,
}

/// The request of more projects for a subscription that is already theirs to decide by the organization itself.
pub(crate) fn for_projects(of: &Subscription, add: BTreeSet<ProjectId>) -> NewRequest {
    NewRequest {
        kind: RequestKind::AddProjects,
        step: Step::Internal,
        organization: of.organization,
        provider: None,
        service: of.service,
        subscription: Some(of.id),
        asked: Asked { add, ..Asked::default() },
        note: String::new(),
        rule: String::new(),
    }
}

/// Opens a request. Authorization is the caller's, who knows what is asked for.
///
/// # Errors
/// `already_requested` (409) when the same is asked for already.
pub async fn open(act: &mut Act, new: NewRequest) -> Result<Request> {
    let once = [RequestKind::Publish, RequestKind::Cancel, RequestKind::ChangePlan, RequestKind::AcceptContract, RequestKind::ChangeLevel];
    if once.contains(&new.kind)
        && let Some(open) = requests::find_open(&mut act.tx, new.organization, new.kind, new.service, new.subscription).await?
    {
        let detail = format!("this was asked for already and waits for a decision ({})", open.id);
        return Err(Error::conflict("already_requested", detail));
    }
    let user = act.caller.user_id()?;
    let mut opened = open_all(act, vec![(new, user)]).await?;
    opened.pop().ok_or(Error::NotFound("request"))
}

/// Opens several requests, each in somebody's name, in as many statements as one.
pub(crate) async fn open_all(act: &mut Act, new: Vec<(NewRequest, UserId)>) -> Result<Vec<Request>> {
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let names = service_names(act, new.iter().map(|(one, _)| one.service)).await?;
    let asking: BTreeSet<_> = new.iter().map(|(one, _)| one.organization).collect();
    let days = policies::request_days(&mut act.tx, &Vec::from_iter(asking)).await?;
    let now = act.now();
    let mut opened = Vec::with_capacity(new.len());
    for (one, requested_by) in new {
        let expires_at = rules::expiry(now, days.get(&one.organization).copied().unwrap_or(rules::USUAL_DAYS));
        let request = Request {
            id: act.mint(),
            organization: one.organization,
            provider: one.provider,
            kind: one.kind,
            state: RequestState::Open,
            step: one.step,
            service: one.service,
            subscription: one.subscription,
            asked: one.asked,
            note: one.note,
            rule: one.rule,
            requested_by,
            created_at: now,
            expires_at,
            due_at: rules::next_due(now, expires_at, now),
            decided_at: None,
        };
        let mut data = data(&request, names.get(&request.service).map_or("", String::as_str));
        if let Some(data) = data.as_object_mut() {
            data.insert("note".into(), json!(request.note));
            data.insert("asked".into(), json!(request.asked));
            data.insert("rule".into(), json!(request.rule));
            data.insert("expires_at".into(), json!(request.expires_at));
        }
        record(act, &request, EventKind::RequestOpened, data);
        opened.push(request);
    }
    requests::insert_many(&mut act.tx, &opened).await?;
    Ok(opened)
}

fn data(request: &Request, service_name: &str) -> Value {
    json!({
        "kind": request.kind,
        "service": {"id": request.service, "name": service_name},
        "subscription": request.subscription,
        "step": request.step,
        "requested_by": request.requested_by,
    })
}

/// Records what became of a request in the logs of both organizations. The rule that makes it wait is told to the organization
/// whose rule it is, and to nobody else: rules tell from which amounts on an organization looks twice.
fn record(act: &mut Act, request: &Request, kind: EventKind, mut data: Value) {
    let subject = Subject::new("request", request.id);
    act.record(&[request.organization], kind, subject.clone(), data.clone());
    if let Some(provider) = request.provider.filter(|provider| *provider != request.organization) {
        if let Some(data) = data.as_object_mut() {
            data.remove("rule");
        }
        act.record(&[provider], kind, subject, data);
    }
}

async fn service_names(act: &mut Act, ids: impl Iterator<Item = ServiceId>) -> Result<BTreeMap<ServiceId, String>> {
    let ids: BTreeSet<_> = ids.collect();
    let names = kept_services::names(&mut act.tx, &Vec::from_iter(ids)).await?;
    Ok(names.into_iter().map(|(id, _, name)| (id, name)).collect())
}

/// Withdraws requests whose subject is over or replaced: it is kept and told who did it and why, nothing is applied.
pub(crate) async fn withdraw_all(act: &mut Act, open: Vec<Request>, why: &str) -> Result<()> {
    if open.is_empty() {
        return Ok(());
    }
    // What Stoa itself takes back was decided by nobody; the event says why.
    let record_of = match act.caller.who {
        Who::System => None,
        _ => Some(decision_record(act, Decision::Withdrawn, why.to_owned())?),
    };
    withdraw_as(act, open, why, record_of).await
}

/// Withdraws requests like [`withdraw_all`], where a job does what somebody decided before.
pub(crate) async fn withdraw_all_for(act: &mut Act, open: Vec<Request>, why: &str, by: UserId) -> Result<()> {
    if open.is_empty() {
        return Ok(());
    }
    let record_of = DecisionRecord {
        step: Step::Internal,
        decision: Decision::Withdrawn,
        decided_by: by,
        decided_by_name: String::new(),
        on_behalf_of: None,
        comment: why.to_owned(),
        changes: Vec::new(),
        void: false,
        decided_at: act.now(),
    };
    withdraw_as(act, open, why, Some(record_of)).await
}

async fn withdraw_as(act: &mut Act, open: Vec<Request>, why: &str, record_of: Option<DecisionRecord>) -> Result<()> {
    let names = service_names(act, open.iter().map(|one| one.service)).await?;
    if let Some(record_of) = record_of {
        requests::insert_decisions(&mut act.tx, &open, &record_of).await?;
    }
    requests::withdraw_many(&mut act.tx, &open, act.caller.now).await?;
    for request in &open {
        let mut data = data(request, names.get(&request.service).map_or("", String::as_str));
        if let Some(data) = data.as_object_mut() {
            data.insert("comment".into(), json!(why));
        }
        record(act, request, EventKind::RequestWithdrawn, data);
    }
    Ok(())
}

fn decision_record(act: &Act, decision: Decision, comment: String) -> Result<DecisionRecord> {
    let user = act.caller.person()?;
    Ok(DecisionRecord {
        step: Step::Internal,
        decision,
        decided_by: user.id,
        decided_by_name: user.name.clone(),
        on_behalf_of: None,
        comment,
        changes: Vec::new(),
        void: false,
        decided_at: act.now(),
    })
}

/// A request as one of the organizations it concerns sees it, with the caller's seats in both.
pub(crate) struct Seen {
    /// The request.
    pub request: Request,
    /// The seat in the organization that asks.
    pub asking: Option<Seat>,
    /// The seat in the provider whose decision is needed.
    pub providing: Option<Seat>,
}

/// The request, for members of the organizations it concerns.
pub(crate) async fn seen(conn: &mut Conn, caller: &Caller, id: RequestId) -> Result<Seen> {
    let viewer = caller.viewer()?;
    let request = requests::find(conn, id).await?.ok_or(Error::NotFound("request"))?;
    let asking = organizations::find_for(conn, &Key::Id(request.organization), &viewer, caller.now).await?;
    let providing = match request.provider {
        Some(provider) => organizations::find_for(conn, &Key::Id(provider), &viewer, caller.now).await?,
        None => None,
    };
    if asking.is_none() && providing.is_none() {
        return Err(Error::NotFound("request"));
    }
    Ok(Seen { request, asking, providing })
}

/// The request under the locks of all organizations that its outcome concerns, with its subscription and service.
struct Locked {
    seen: Seen,
    service: Service,
    subscription: Option<Subscription>,
}

async fn locked(act: &mut Act, id: RequestId) -> Result<Locked> {
    let first = seen(&mut act.tx, &act.caller, id).await?;
    let service = kept_services::find(&mut act.tx, &Key::Id(first.request.service)).await?.ok_or(Error::NotFound("service"))?;
    let parties = [first.request.organization, service.provider];
    let live = organizations::lock(&mut act.tx, &parties).await?;
    for party in parties.iter().filter(|party| !live.contains(party)) {
        // Of a deleted one all requests are closed, which is told below.
        if let Some(party) = organizations::find(&mut act.tx, *party).await? {
            seats::not_suspended(&party)?;
        }
    }
    // Read again under the locks: the request and the caller's roles may have changed meanwhile.
    let seen = seen(&mut act.tx, &act.caller, id).await?;
    let again = kept_services::find(&mut act.tx, &Key::Id(service.id)).await?.ok_or(Error::NotFound("service"))?;
    if again.provider != service.provider {
        return Err(handovers::moved());
    }
    let service = again;
    let subscription = match seen.request.subscription {
        Some(subscription) => kept::find(&mut act.tx, seen.request.organization, subscription).await?,
        None => None,
    };
    Ok(Locked { seen, service, subscription })
}

/// The permission that decides a step.
pub(crate) const fn permission_of(step: Step) -> Permission {
    match step {
        Step::Internal => Permission::DecideRequests,
        Step::Provider => Permission::DecideSubscriptions,
    }
}

/// By what right somebody decides.
#[derive(Debug, Clone, Default)]
pub(crate) struct Right {
    /// One's own request, as the sole maintainer.
    own: bool,
    /// In whose stead, with that person's name.
    absent: Option<(UserId, String)>,
}

/// Whether the caller may decide the request at its present step, and by what right: by the own role, or in the stead of
/// somebody who is away.
async fn may(act: &mut Act, seen: &Seen) -> Result<Right> {
    let user = act.caller.user_id()?;
    let permission = permission_of(seen.request.step);
    let (seat, other) = match seen.request.step {
        Step::Internal => (&seen.asking, &seen.providing),
        Step::Provider => (&seen.providing, &seen.asking),
    };
    let Some(seat) = seat else {
        let whose = if seen.request.step == Step::Provider { "the provider" } else { "the organization that asks" };
        let detail = match other {
            Some(other) => format!("this waits for a decision of {whose}, not of {}", other.organization.name),
            None => format!("this waits for a decision of {whose}"),
        };
        return Err(Error::NotYours { detail });
    };
    let (state, requester) = (seen.request.state, seen.request.requested_by);
    let (absent, sole) = if verdict(seat.role, permission) == Verdict::Allowed {
        let own = requester == user && seat.role == Role::Maintainer;
        (None, own && members::count_maintainers(&mut act.tx, seat.organization.id).await? == 1)
    } else {
        let now = act.now();
        let away = delegations::absent_for(&mut act.tx, seat.organization.id, user, now).await?;
        let other = away.iter().find(|(absent, _)| *absent != requester).or(away.first()).cloned();
        (Some(other.ok_or_else(|| seats::refusal(seat, permission))?), false)
    };
    match may_decide(state, requester, user, absent.as_ref().map(|(id, _)| *id), sole) {
        Err(CannotDecide::Closed(_)) => Err(closed(act, &seen.request).await?),
        Err(refusal) => Err(refusal.into()),
        Ok(own) => Ok(Right { own, absent }),
    }
}

/// `request_closed`, telling by whom and when.
async fn closed(act: &mut Act, request: &Request) -> Result<Error> {
    let decisions = requests::decisions(&mut act.tx, &[request.id]).await?;
    let detail = match (decisions.last(), request.decided_at) {
        (_, Some(at)) if request.state == RequestState::Expired => {
            format!("the request expired at {at}, because nobody decided it in time")
        }
        (Some((_, last)), _) => format!("the request is already {}, by {} at {}", request.state, last.decided_by_name, last.decided_at),
        (None, _) => format!("the request is already {}", request.state),
    };
    Ok(Error::conflict("request_closed", detail))
}

/// What asking for a change takes.
fn permission_to_ask(request: &Request, subscription: Option<&Subscription>) -> Permission {
    match request.kind {
        RequestKind::Subscribe | RequestKind::ChangePlan | RequestKind::AcceptContract
            if subscription.is_some_and(|one| one.project.is_some()) =>
        {
            Permission::SubscribeProject
        }
        RequestKind::Subscribe | RequestKind::ChangePlan | RequestKind::AcceptContract => Permission::SubscribeOrganization,
        // Every role may at least ask, whichever level it leads to.
        RequestKind::ChangeLevel => Permission::SubscribeOrganization,
        RequestKind::AddProjects => Permission::AddProjects,
        RequestKind::Cancel => Permission::CancelSubscription,
        RequestKind::Publish => Permission::PublishServices,
    }
}

/// Whether what is asked for could be asked for now as well: by the same person, of the same offer. Answers what the table of
/// roles says of the requester.
///
/// # Errors
/// `requester_gone`, `service_not_open`, `contract_changed`, `project_deleted` (409).
async fn still_asked(act: &mut Act, locked: &Locked) -> Result<(Role, Verdict)> {
    let request = &locked.seen.request;
    let gone = |detail: &str| Error::conflict("requester_gone", format!("{detail}; reject the request"));
    let member = members::find(&mut act.tx, request.organization, request.requested_by).await?;
    let role = member.ok_or_else(|| gone("whoever asked for this is no longer a member of the organization that asks"))?.role;
    let verdict = verdict(role, permission_to_ask(request, locked.subscription.as_ref()));
    if verdict == Verdict::Refused {
        return Err(gone(&format!("whoever asked for this is {} now and may not even ask for it", role.with_article())));
    }
    if let (RequestKind::Subscribe, Some(subscription)) = (request.kind, &locked.subscription) {
        subscriptions::still_offered(act, subscription, &locked.service).await?;
    }
    Ok((role, verdict))
}

/// What is needed of both organizations by the rules of now, and which approvals count; with the rule, where one asks for
/// more than was asked for when the request was made.
async fn approvals(act: &mut Act, locked: &Locked, policy: &Policy, (role, verdict): (Role, Verdict)) -> Result<(Approvals, Need)> {
    let request = &locked.seen.request;
    let mut approved: Vec<Step> = Vec::new();
    for (_, record) in requests::decisions(&mut act.tx, &[request.id]).await? {
        if record.decision == Decision::Approved && !record.void {
            approved.push(record.step);
        }
    }
    let mut need = Need::Nothing;
    if request.step == Step::Provider
        && !approved.contains(&Step::Internal)
        && let Some(subscription) = &locked.subscription
    {
        let terms = subscriptions::terms(&mut act.tx, subscription).await?;
        need = policy.need(&terms.wish(role, verdict, request.kind));
    }
    let internal = request.step == Step::Internal || approved.contains(&Step::Internal) || need.is_needed();
    let needed = Approvals::needed(internal, request.provider.is_some());
    Ok((approved.into_iter().fold(needed, Approvals::with), need))
}

/// Approves the present step of a request. When all approvals that are needed are there, what was asked for happens. All is
/// judged again by what is true now.
///
/// # Errors
/// 401, 404, 403, 422; `request_closed`, `own_request`, `requester_gone`, `service_not_open`, `contract_changed`,
/// `project_deleted`, `wrong_state` (409).
pub async fn approve(act: &mut Act, id: RequestId, comment: &str) -> Result<Request> {
    let mut faults = Faults::new();
    let comment = faults.check("/comment", text::block(comment, COMMENT));
    let mut locked = locked(act, id).await?;
    let right = may(act, &locked.seen).await?;
    let comment = faults.or(comment)?;
    let asking = still_asked(act, &locked).await?;
    let policy = policies::find(&mut act.tx, locked.seen.request.organization).await?;
    let (approvals, need) = approvals(act, &locked, &policy, asking).await?;
    if need.is_needed() {
        locked.seen.request.rule = need.rule();
    }
    let said = Said { decision: Decision::Approved, comment, changes: Vec::new(), right };
    let request = decide(act, &locked, approvals, &said, policy.request_days).await?;
    if request.state == RequestState::Open {
        tell(act, &locked, &request, EventKind::RequestForwarded, &said);
        return Ok(request);
    }
    tell(act, &locked, &request, EventKind::RequestApproved, &said);
    match (request.kind, locked.subscription) {
        (RequestKind::Publish, _) => drop(services::publish_now(act, locked.service).await?),
        (RequestKind::ChangeLevel, _) => {
            level_changes::resolve(act, &request).await?;
        }
        (_, Some(subscription)) => drop(subscriptions::resolve(act, &request, subscription).await?),
        (_, None) => return Err(Error::NotFound("subscription")),
    }
    Ok(request)
}

/// Rejects a request, with the reason.
///
/// # Errors
/// 401, 404, 403, 422; `request_closed`, `own_request` (409).
pub async fn reject(act: &mut Act, id: RequestId, reason: &str) -> Result<Request> {
    let mut faults = Faults::new();
    let reason = faults.check("/reason", text::block(reason, COMMENT));
    if reason.as_deref() == Some("") {
        faults.add("/reason", "say why; the requester reads it");
    }
    let locked = locked(act, id).await?;
    let right = may(act, &locked.seen).await?;
    let said = Said { decision: Decision::Rejected, comment: faults.or(reason)?, changes: Vec::new(), right };
    let request = decide(act, &locked, NONE, &said, rules::USUAL_DAYS).await?;
    tell(act, &locked, &request, EventKind::RequestRejected, &said);
    if let (RequestKind::Subscribe, Some(subscription)) = (request.kind, locked.subscription) {
        subscriptions::reject(act, subscription).await?;
    }
    Ok(request)
}

/// Takes a request back, by whoever made it. Others of the organization reject it, or cancel the subscription.
///
/// # Errors
/// 401, 404, 403; `request_closed` (409).
pub async fn withdraw(act: &mut Act, id: RequestId) -> Result<Request> {
    let locked = locked(act, id).await?;
    let user = act.caller.user_id()?;
    if locked.seen.asking.is_none() || locked.seen.request.requested_by != user {
        return Err(Error::NotYours { detail: "only whoever made a request takes it back; a reviewer or maintainer can reject it".into() });
    }
    if !locked.seen.request.state.is_open() {
        return Err(closed(act, &locked.seen.request).await?);
    }
    let said = Said { decision: Decision::Withdrawn, comment: String::new(), changes: Vec::new(), right: Right::default() };
    let request = decide(act, &locked, NONE, &said, rules::USUAL_DAYS).await?;
    tell(act, &locked, &request, EventKind::RequestWithdrawn, &said);
    if let (RequestKind::Subscribe, Some(subscription)) = (request.kind, locked.subscription) {
        subscriptions::withdraw(act, subscription).await?;
    }
    Ok(request)
}

/// No approvals: for decisions that need none.
const NONE: Approvals = Approvals::needed(false, false);

/// What somebody decided or said about a request.
struct Said {
    decision: Decision,
    comment: String,
    changes: Vec<String>,
    right: Right,
}

/// Keeps a decision and the request's new state and step. Whose turn it becomes has time to act.
async fn decide(act: &mut Act, locked: &Locked, approvals: Approvals, said: &Said, days: u16) -> Result<Request> {
    let mut request = locked.seen.request.clone();
    (request.state, request.step) = request.state.after(request.step, said.decision, approvals)?;
    if request.step == Step::Provider {
        // What the organization itself had to approve is approved.
        request.rule.clear();
    }
    let record = DecisionRecord {
        on_behalf_of: said.right.absent.clone(),
        changes: said.changes.clone(),
        ..decision_record(act, said.decision, said.comment.clone())?
    };
    requests::insert_decision(&mut act.tx, &request, &record).await?;
    let now = act.now();
    if request.state.is_open() {
        request.expires_at = rules::prolonged(request.expires_at, now, days);
        request.due_at = rules::next_due(request.created_at, request.expires_at, now);
    } else {
        request.decided_at = Some(now);
    }
    requests::update(&mut act.tx, &request).await?;
    Ok(request)
}

/// Records what was decided or said at the request's step of before, in the logs of both organizations. What an organization
/// asks and answers itself before the provider's turn stays its own.
fn tell(act: &mut Act, locked: &Locked, request: &Request, kind: EventKind, said: &Said) {
    let before = locked.seen.request.step;
    let mut data = data(request, &locked.service.name);
    if let Some(data) = data.as_object_mut() {
        data.insert("step".into(), json!(before));
        data.insert("comment".into(), json!(said.comment));
        data.insert("own".into(), json!(said.right.own));
        if let Some((id, name)) = &said.right.absent {
            data.insert("on_behalf_of".into(), json!({"id": id, "name": name}));
        }
        if !said.changes.is_empty() {
            data.insert("changes".into(), json!(said.changes));
        }
        if request.state.is_open() {
            data.insert("next".into(), json!(request.step));
            data.insert("rule".into(), json!(request.rule));
            data.insert("expires_at".into(), json!(request.expires_at));
        }
    }
    let between_them = matches!(said.decision, Decision::Asked | Decision::Answered) && before == Step::Internal;
    let concerned = Request { provider: request.provider.filter(|_| !between_them), ..request.clone() };
    record(act, &concerned, kind, data);
}
