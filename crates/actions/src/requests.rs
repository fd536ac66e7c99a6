//! Requests: asking, deciding, taking back; and the inbox of those who decide.

mod details;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use stoa_domain::{
    events::{EventKind, Subject},
    ids::{OrganizationId, ProjectId, RequestId, ServiceId, SubscriptionId, UserId},
    organizations::Key,
    permissions::{Permission, Role, Verdict, verdict},
    requests::{Asked, CannotDecide, Decision, DecisionRecord, Request, RequestKind, RequestState, Step, may_decide},
    services::Service,
    subscriptions::Subscription,
    text::{self, Faults},
};
use stoa_store::{Conn, members, organizations, requests, services as kept_services, subscriptions as kept};

pub use details::{Details, Named, Standing, count_waiting, get, list, of_one, of_organization, of_subscriptions, standing};
pub use stoa_store::requests::{Wanted, Whose};

use crate::{
    Act, Caller, Error, Result,
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
    }
}

/// Opens a request. Authorization is the caller's, who knows what is asked for.
///
/// # Errors
/// `already_requested` (409) when the same is asked for already.
pub async fn open(act: &mut Act, new: NewRequest) -> Result<Request> {
    if matches!(new.kind, RequestKind::Publish | RequestKind::Cancel)
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
    let mut opened = Vec::with_capacity(new.len());
    for (one, requested_by) in new {
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
            requested_by,
            created_at: act.now(),
            decided_at: None,
        };
        let mut data = data(&request, names.get(&request.service).map_or("", String::as_str));
        if let Some(data) = data.as_object_mut() {
            data.insert("note".into(), json!(request.note));
            data.insert("asked".into(), json!(request.asked));
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

fn record(act: &mut Act, request: &Request, kind: EventKind, data: Value) {
    let mut concerned = vec![request.organization];
    concerned.extend(request.provider);
    act.record(&concerned, kind, Subject::new("request", request.id), data);
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
    let record_of = decision_record(act, Decision::Withdrawn, why.to_owned())?;
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
        comment: why.to_owned(),
        decided_at: act.now(),
    };
    withdraw_as(act, open, why, record_of).await
}

async fn withdraw_as(act: &mut Act, open: Vec<Request>, why: &str, record_of: DecisionRecord) -> Result<()> {
    let names = service_names(act, open.iter().map(|one| one.service)).await?;
    requests::insert_decisions(&mut act.tx, &open, &record_of).await?;
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
        comment,
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
    let request = requests::find(&mut act.tx, id).await?.ok_or(Error::NotFound("request"))?;
    let service = kept_services::find(&mut act.tx, &Key::Id(service.id)).await?.ok_or(Error::NotFound("service"))?;
    let subscription = match request.subscription {
        Some(subscription) => kept::find(&mut act.tx, request.organization, subscription).await?,
        None => None,
    };
    Ok(Locked { seen: Seen { request, ..first }, service, subscription })
}

/// The permission that decides a step.
pub(crate) const fn permission_of(step: Step) -> Permission {
    match step {
        Step::Internal => Permission::DecideRequests,
        Step::Provider => Permission::DecideSubscriptions,
    }
}

/// Whether the caller may decide the request at its present step; the answer is `true` when somebody decides their own
/// as the sole maintainer.
async fn may(act: &mut Act, seen: &Seen) -> Result<bool> {
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
    if verdict(seat.role, permission) != Verdict::Allowed {
        return Err(seats::refusal(seat, permission));
    }
    let own = seen.request.requested_by == user;
    let sole = own && seat.role == Role::Maintainer && members::count_maintainers(&mut act.tx, seat.organization.id).await? == 1;
    match may_decide(seen.request.state, seen.request.requested_by, user, sole) {
        Err(CannotDecide::Closed(_)) => Err(closed(act, &seen.request).await?),
        other => Ok(other?),
    }
}

/// `request_closed`, telling by whom and when.
async fn closed(act: &mut Act, request: &Request) -> Result<Error> {
    let decisions = requests::decisions(&mut act.tx, &[request.id]).await?;
    let detail = match decisions.last() {
        Some((_, last)) => format!("the request is already {}, by {} at {}", request.state, last.decided_by_name, last.decided_at),
        None => format!("the request is already {}", request.state),
    };
    Ok(Error::conflict("request_closed", detail))
}

/// Approves the present step of a request. After the last one, what was asked for happens.
///
/// # Errors
/// 401, 404, 403, 422; `request_closed`, `own_request`, `service_not_open` (409).
pub async fn approve(act: &mut Act, id: RequestId, comment: &str) -> Result<Request> {
    let mut faults = Faults::new();
    let comment = faults.check("/comment", text::block(comment, COMMENT));
    let locked = locked(act, id).await?;
    let own = may(act, &locked.seen).await?;
    let comment = faults.or(comment)?;
    let (mut request, before) = decide(act, &locked, Decision::Approved, &comment).await?;
    if request.state == RequestState::Open {
        if let Some(subscription) = &locked.subscription {
            subscriptions::still_open(act, subscription).await?;
        }
        tell(act, &request, before, &locked.service, EventKind::RequestForwarded, &comment, own);
        return Ok(request);
    }
    request.decided_at = Some(act.now());
    tell(act, &request, before, &locked.service, EventKind::RequestApproved, &comment, own);
    match (request.kind, locked.subscription) {
        (RequestKind::Publish, _) => drop(services::publish_now(act, &locked.service).await?),
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
    let own = may(act, &locked.seen).await?;
    let reason = faults.or(reason)?;
    let (request, before) = decide(act, &locked, Decision::Rejected, &reason).await?;
    tell(act, &request, before, &locked.service, EventKind::RequestRejected, &reason, own);
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
    let (request, before) = decide(act, &locked, Decision::Withdrawn, "").await?;
    tell(act, &request, before, &locked.service, EventKind::RequestWithdrawn, "", false);
    if let (RequestKind::Subscribe, Some(subscription)) = (request.kind, locked.subscription) {
        subscriptions::withdraw(act, subscription).await?;
    }
    Ok(request)
}

/// Keeps the decision and the request's new state and step; answers also the step that was decided.
async fn decide(act: &mut Act, locked: &Locked, decision: Decision, comment: &str) -> Result<(Request, Step)> {
    let mut request = locked.seen.request.clone();
    let before = request.step;
    (request.state, request.step) = request.state.after(request.step, decision, request.provider.is_some())?;
    let record = decision_record(act, decision, comment.to_owned())?;
    requests::insert_decisions(&mut act.tx, std::slice::from_ref(&request), &record).await?;
    request.decided_at = (!request.state.is_open()).then(|| act.now());
    requests::set_state(&mut act.tx, &request).await?;
    Ok((request, before))
}

fn tell(act: &mut Act, request: &Request, step: Step, service: &Service, kind: EventKind, comment: &str, own: bool) {
    let mut data = data(request, &service.name);
    if let Some(data) = data.as_object_mut() {
        data.insert("step".into(), json!(step));
        data.insert("comment".into(), json!(comment));
        data.insert("own".into(), json!(own));
    }
    record(act, request, kind, data);
}
