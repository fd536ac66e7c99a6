//! Moving a service through its life. What a move brings about is read by whoever asks before, and once more, under the
//! locks, by the move itself: one reading for both, so that nothing happens that was not said.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use stoa_domain::{
    events::{EventKind, Subject},
    ids::{OrganizationId, ServiceId},
    organizations::Key,
    permissions::{Permission, Verdict},
    policies::{Monthly, Need, Wish},
    requests::{Asked, Request, RequestKind, Step},
    services::{
        Circumstances, Deprecation, Lack, Service, ServiceMove, ServiceState, ServiceSuspension, WrongServiceState, blocking,
        deprecation_day,
    },
    subscriptions::{Subscription, SubscriptionState},
    text::{self, Faults},
};
use stoa_store::{Conn, marketplace, organizations, policies, requests as kept_requests, services, subscriptions as kept};

use super::{again, lock_application, locked, missing, own, own_again, own_at_once, own_locked, seen};
use crate::{
    Act, Caller, Error, Result,
    requests::{self, NewRequest},
    seats,
    subscriptions::{self, Concerned},
};

/// The longest note to whoever decides, in characters.
const NOTE: usize = 2_000;

/// What became of the wish to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one is made per request, and the large one is the usual one")]
pub enum Published {
    /// The service is published, or waits for the operator's review; its state tells which.
    Now(Service),
    /// The wish waits for a reviewer or maintainer.
    Requested(Box<Request>),
}

/// A subscription that a move concerns, with its names.
pub type Affected = (Subscription, Concerned);

/// What a move of a service brings about.
#[derive(Debug, Clone)]
pub struct Consequences {
    /// The service before.
    pub service: Service,
    /// The move.
    pub step: ServiceMove,
    /// The state after, or why the move is not possible from here.
    pub to: Result<ServiceState, WrongServiceState>,
    /// The subscriptions in force.
    pub live: Vec<Affected>,
    /// The subscriptions that are only asked for.
    pub requested: Vec<Affected>,
    /// The open requests about those and about the publication of the service.
    pub open: Vec<Request>,
    /// What the service lacks, where that counts.
    pub missing: Vec<Lack>,
}

impl Consequences {
    /// The subscriptions that end.
    pub fn ending(&self) -> &[Affected] {
        if self.closes_for_good() { &self.requested } else { &[] }
    }

    /// The requests that are withdrawn.
    pub fn withdrawn(&self) -> Vec<&Request> {
        let publication = matches!(self.step, ServiceMove::Publish | ServiceMove::Retire);
        let of = |request: &&Request| if request.kind == RequestKind::Publish { publication } else { self.closes_for_good() };
        self.open.iter().filter(of).collect()
    }

    /// The requests that stay open but cannot be approved for now.
    pub fn waiting(&self) -> usize {
        let closes = matches!(self.step, ServiceMove::Pause | ServiceMove::Suspend);
        if closes { self.open.iter().filter(|request| request.kind != RequestKind::Publish).count() } else { 0 }
    }

    /// The organizations whose logs tell of it, beside the provider's own.
    pub fn told(&self) -> BTreeSet<OrganizationId> {
        match self.step {
            ServiceMove::Deprecate | ServiceMove::Suspend | ServiceMove::Unsuspend => {
                self.live.iter().map(|(one, _)| one.organization).collect()
            }
            _ => BTreeSet::new(),
        }
    }

    /// Whether no subscription can ever be made again.
    fn closes_for_good(&self) -> bool {
        matches!(self.step, ServiceMove::Deprecate | ServiceMove::Retire)
    }

    /// The state after, if nothing stands in the way.
    ///
    /// # Errors
    /// `wrong_state`, `not_ready` (with what is missing), `in_use` (with what is live) (409).
    pub fn check(&self) -> Result<ServiceState> {
        let to = self.to?;
        if matches!(self.step, ServiceMove::Publish | ServiceMove::Approve) {
            let blocked = blocking(&self.missing);
            if !blocked.is_empty() {
                let detail = format!("{} can't be published: {}", self.service.name, blocked[0].detail.trim_end_matches('.'));
                return Err(Error::Blocked { code: "not_ready", detail, because: blocked.into_iter().fold(Faults::new(), noted) });
            }
        }
        if self.step == ServiceMove::Retire && !self.live.is_empty() {
            let count = self.live.len();
            let what = if count == 1 { "subscription is".to_owned() } else { "subscriptions are".to_owned() };
            let detail =
                format!("{} can't be retired: {count} {what} in force; deprecate it and wait until they have ended", self.service.name);
            let mut because = Faults::new();
            for (one, concerned) in &self.live {
                because.add(format!("/subscriptions/{}", one.id), format!("{}: {}", concerned.organization.name, one.state));
            }
            return Err(Error::Blocked { code: "in_use", detail, because });
        }
        Ok(to)
    }
}

fn noted(mut faults: Faults, fault: text::Fault) -> Faults {
    faults.add(fault.pointer, fault.detail);
    faults
}

/// What a move would bring about now: the one reading that both the question and the move use.
async fn foresee(conn: &mut Conn, service: Service, step: ServiceMove, review: bool) -> Result<Consequences> {
    let all = kept::list_of_service(conn, service.provider, service.id).await?;
    let mut names = subscriptions::concerned_all(conn, &all).await?;
    let mut named = |one: Subscription| names.remove(&one.id).map(|concerned| (one, concerned));
    let (requested, live): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| one.state == SubscriptionState::Requested);
    let open = kept_requests::list_open_about(conn, service.provider, service.id).await?;
    let missing = match step {
        ServiceMove::Publish | ServiceMove::Approve => missing(conn, &service).await?,
        _ => Vec::new(),
    };
    let suspended_from = service.suspension.as_ref().map(|suspension| suspension.from);
    Ok(Consequences {
        to: service.state.after(step, Circumstances { review, suspended_from }),
        live: live.into_iter().filter_map(&mut named).collect(),
        requested: requested.into_iter().filter_map(&mut named).collect(),
        open,
        missing,
        service,
        step,
    })
}

/// What a move would bring about, for members of the provider; the operator's moves for operators.
///
/// # Errors
/// 401, 404.
pub async fn consequences(conn: &mut Conn, caller: &Caller, key: &Key<ServiceId>, step: ServiceMove, review: bool) -> Result<Consequences> {
    let service = if step.is_providers() {
        let (service, _) = own(conn, caller, key, Permission::View).await?;
        service
    } else {
        super::operating::find(conn, caller, key).await?.service
    };
    foresee(conn, service, step, review).await
}

/// What beside the state a move writes and tells.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// How it ends.
    pub deprecation: Option<Deprecation>,
    /// Why the operator does it.
    pub reason: Option<String>,
    /// More for the event.
    pub more: Option<Value>,
}

const fn kind(step: ServiceMove, to: ServiceState) -> EventKind {
    match (step, to) {
        (ServiceMove::Publish, ServiceState::InReview) => EventKind::ServiceReviewAsked,
        (ServiceMove::Publish | ServiceMove::Approve, _) => EventKind::ServicePublished,
        (ServiceMove::Withdraw, _) => EventKind::ServiceReviewWithdrawn,
        (ServiceMove::Pause, _) => EventKind::ServicePaused,
        (ServiceMove::Deprecate, _) => EventKind::ServiceDeprecated,
        (ServiceMove::Retire, _) => EventKind::ServiceRetired,
        (ServiceMove::Reject, _) => EventKind::ServiceReviewRejected,
        (ServiceMove::Suspend, _) => EventKind::ServiceSuspended,
        (ServiceMove::Unsuspend, _) => EventKind::ServiceUnsuspended,
    }
}

/// Does a move: the caller has decided that it may be, and holds the locks.
pub(super) async fn carry_out(act: &mut Act, service: Service, step: ServiceMove, told: Told) -> Result<Service> {
    let review = act.stoa().review_services;
    let seen = foresee(&mut act.tx, service, step, review).await?;
    let to = seen.check()?;
    let now = act.now();
    let before = &seen.service;
    let mut after = Service { state: to, updated_at: now, ..before.clone() };
    if to == ServiceState::Published {
        after.published_at = before.published_at.or(Some(now));
        after.review_note = None;
    }
    if told.deprecation.is_some() {
        after.deprecation = told.deprecation;
    }
    match step {
        ServiceMove::Reject => after.review_note.clone_from(&told.reason),
        ServiceMove::Suspend => {
            after.suspension = Some(ServiceSuspension { from: before.state, reason: told.reason.clone().unwrap_or_default() });
        }
        ServiceMove::Unsuspend => after.suspension = None,
        _ => {}
    }
    services::set_state(&mut act.tx, &after).await?;
    marketplace::relist(&mut act.tx, &after).await?;
    let cause = if to == ServiceState::Retired { "service_retired" } else { "service_deprecated" };
    subscriptions::end_requested(act, &after, seen.ending(), cause).await?;
    let withdrawn: Vec<Request> = seen.withdrawn().into_iter().cloned().collect();
    requests::withdraw_all(act, withdrawn, &format!("the service is {}", to.words())).await?;
    let provider = organizations::names(&mut act.tx, &[after.provider]).await?.pop().ok_or(Error::NotFound("organization"))?;
    let mut data = json!({
        "name": after.name, "handle": after.handle, "from": before.state, "to": to, "visibility": after.visibility,
        "provider": {"id": provider.id, "name": provider.name}, "subscriptions": seen.live.len(),
    });
    if let Some(data) = data.as_object_mut() {
        data.extend(told.reason.map(|reason| ("reason".to_owned(), json!(reason))));
        if let Some(Value::Object(more)) = told.more {
            data.extend(more);
        }
    }
    let mut concerned = vec![after.provider];
    concerned.extend(seen.told());
    act.record(&concerned, kind(step, to), Subject::new("service", after.id), data);
    Ok(after)
}

/// The service with its provider and all who subscribe it locked, for moves that end up in the logs of all of them.
pub(super) async fn locked_with_subscribers(act: &mut Act, service: &Service) -> Result<Service> {
    lock_with_subscribers(act, service).await?;
    again(act, service).await
}

async fn lock_with_subscribers(act: &mut Act, service: &Service) -> Result<()> {
    let mut parties = kept::subscribers(&mut act.tx, service.provider, service.id).await?;
    parties.push(service.provider);
    organizations::lock(&mut act.tx, &parties).await?;
    Ok(())
}

async fn own_with_subscribers(act: &mut Act, key: &Key<ServiceId>) -> Result<Service> {
    let (conn, caller) = act.reading();
    let service = own_at_once(conn, caller, key, Permission::PublishServices).await?;
    lock_with_subscribers(act, &service).await?;
    own_again(act, &service, Permission::PublishServices).await
}

/// Publishes a draft (or sends it to review), or opens a paused service to new subscriptions again. Who may not do it at once
/// asks for it.
///
/// # Errors
/// 401, 404, 403; `wrong_state`, `not_ready` (409).
pub async fn publish(act: &mut Act, key: &Key<ServiceId>, note: &str) -> Result<Published> {
    let (conn, caller) = act.reading();
    let (service, _) = own(conn, caller, key, Permission::PublishServices).await?;
    let service = locked(act, &service).await?;
    let (conn, caller) = act.reading();
    let (_, verdict) = own(conn, caller, &Key::Id(service.id), Permission::PublishServices).await?;
    let need = need_to_publish(act, &service, verdict).await?;
    if !need.is_needed() {
        return Ok(Published::Now(publish_now(act, service).await?));
    }
    let note = text::block(note, NOTE).map_err(|bad| Error::fault("/note", bad.to_string()))?;
    let review = act.stoa().review_services;
    let asked = foresee(&mut act.tx, service, ServiceMove::Publish, review).await?;
    asked.check()?;
    let asked = NewRequest {
        organization: asked.service.provider,
        provider: None,
        kind: RequestKind::Publish,
        step: Step::Internal,
        service: asked.service.id,
        subscription: None,
        asked: Asked::default(),
        note,
        rule: need.rule(),
    };
    Ok(Published::Requested(Box::new(requests::open(act, asked).await?)))
}

/// Whether publishing waits for somebody's approval, by the caller's role or by a rule of the provider's policy.
async fn need_to_publish(act: &mut Act, service: &Service, verdict: Verdict) -> Result<Need> {
    let seat = seats::allowed(&mut act.tx, &act.caller, &Key::Id(service.provider), Permission::View).await?;
    let contract = services::find_contract(&mut act.tx, service.provider, service.contract).await?;
    let permissions = contract.map(|contract| contract.permissions).unwrap_or_default();
    let policy = policies::find(&mut act.tx, service.provider).await?;
    let plans = services::list_plans(&mut act.tx, service.provider, service.contract).await?;
    // A rule's price is reached where any plan reaches it.
    let prices = plans.iter().map(|kept| Some(Monthly::of(&kept.plan, 1)));
    let need = |monthly| policy.need(&Wish { role: seat.role, verdict, kind: RequestKind::Publish, monthly, permissions: &permissions });
    Ok(prices.map(need).find(Need::is_needed).unwrap_or_else(|| need(None)))
}

/// Publishes a service, or sends it to review where the operator wants that. The caller holds the provider's lock, and has
/// decided that it may be: a maintainer, or the approval of a request.
///
/// # Errors
/// `wrong_state`, `not_ready` (409).
pub async fn publish_now(act: &mut Act, service: Service) -> Result<Service> {
    // Nobody deletes the application between this look at it and the end of the transaction.
    lock_application(act, service.provider, service.application).await?;
    carry_out(act, service, ServiceMove::Publish, Told::default()).await
}

/// Takes a service off the marketplace for now: no new subscriptions, live ones go on.
///
/// # Errors
/// 401, 404, 403; `wrong_state` (409).
pub async fn pause(act: &mut Act, key: &Key<ServiceId>) -> Result<Service> {
    let service = own_locked(act, key, Permission::PublishServices).await?;
    carry_out(act, service, ServiceMove::Pause, Told::default()).await
}

/// Takes a service back from review: it is a draft again.
///
/// # Errors
/// 401, 404, 403; `wrong_state` (409).
pub async fn withdraw(act: &mut Act, key: &Key<ServiceId>) -> Result<Service> {
    let service = own_locked(act, key, Permission::PublishServices).await?;
    carry_out(act, service, ServiceMove::Withdraw, Told::default()).await
}

/// How a service shall end, as somebody wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewDeprecation {
    /// The day, such as `2026-03-12`; 90 days from now (or what was said before) when absent.
    pub date: Option<String>,
    /// What to use instead, by handle or id.
    pub successor: Option<String>,
}

/// Announces the end of a service: no new subscriptions any more, what is only asked for is taken back, and all who subscribe
/// it are told. Done again, it moves the day later or names another successor.
///
/// # Errors
/// 401, 404, 403, 422; `wrong_state` (409).
pub async fn deprecate(act: &mut Act, key: &Key<ServiceId>, new: NewDeprecation) -> Result<Service> {
    let service = own_with_subscribers(act, key).await?;
    service.state.after(ServiceMove::Deprecate, Circumstances::default())?;
    let known = service.deprecation.map(|end| end.on);
    let mut faults = Faults::new();
    let on = deprecation_day(new.date.as_deref(), known, act.now())
        .map_err(|bad| bad.into_vec().into_iter().for_each(|one| faults.add(one.pointer, one.detail)));
    let successor = successor(act, &service, new.successor.as_deref(), &mut faults).await?;
    let on = faults.or(on.ok())?;
    let named = successor.as_ref().map(|other| json!({"id": other.id, "handle": other.handle, "name": other.name}));
    let told = Told {
        deprecation: Some(Deprecation { on, successor: successor.map(|other| other.id) }),
        more: Some(json!({"deprecation": {"date": on, "successor": named}})),
        ..Told::default()
    };
    carry_out(act, service, ServiceMove::Deprecate, told).await
}

/// The service that is recommended instead: another one, on the marketplace, that whoever names it sees.
async fn successor(act: &mut Act, service: &Service, given: Option<&str>, faults: &mut Faults) -> Result<Option<Service>> {
    let Some(key) = given.map(str::trim).filter(|key| !key.is_empty()) else { return Ok(None) };
    let (conn, caller) = act.reading();
    let found = match seen(conn, caller, &Key::read(key)).await {
        Ok(found) => Some(found.service),
        Err(Error::NotFound(_)) => None,
        Err(other) => return Err(other),
    };
    let fits = found.filter(|other| other.id != service.id && other.state.takes_subscriptions());
    if fits.is_none() {
        faults.add("/successor", "write the handle or id of another service that is published");
    }
    Ok(fits)
}

/// Ends a service for good, once nothing live is left of it.
///
/// Tokens of its application stay valid: the application may stand behind other services, and without a live subscription
/// they open no data.
///
/// # Errors
/// 401, 404, 403; `wrong_state`, `in_use` (with what is live) (409).
pub async fn retire(act: &mut Act, key: &Key<ServiceId>) -> Result<Service> {
    let service = own_with_subscribers(act, key).await?;
    carry_out(act, service, ServiceMove::Retire, Told::default()).await
}

/// A service that was named as another one's successor, if the caller sees it.
///
/// # Errors
/// 401.
pub async fn successor_of(conn: &mut Conn, caller: &Caller, service: &Service) -> Result<Option<Service>> {
    let Some(id) = service.deprecation.and_then(|end| end.successor) else { return Ok(None) };
    match seen(conn, caller, &Key::Id(id)).await {
        Ok(found) => Ok(Some(found.service)),
        Err(Error::NotFound(_)) => Ok(None),
        Err(other) => Err(other),
    }
}

/// Refuses what only members of the provider may ask; answers the member's seat.
///
/// # Errors
/// 401, 404, 403.
pub async fn member(conn: &mut Conn, caller: &Caller, key: &Key<ServiceId>) -> Result<(Service, seats::Seat)> {
    let (service, _) = own(conn, caller, key, Permission::View).await?;
    let seat = seats::allowed(conn, caller, &Key::Id(service.provider), Permission::View).await?;
    Ok((service, seat))
}
