//! Handing a service over: one organization offers it, another accepts and provides it from then on.
//!
//! What would go along, and what stands in the way, is read by one function ([`foresee`]): by whoever asks before offering,
//! by the offer, and once more, under the locks, by the acceptance.

mod accepting;
mod reading;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use stoa_domain::{
    applications::Application,
    events::{EventKind, Subject},
    handovers::{self as rules, CannotDecide, CannotTakeAlong, Handover, HandoverState, NOTE, Step},
    ids::{HandoverId, OrganizationId, ServiceId},
    organizations::Key,
    permissions::{Permission, Verdict, verdict},
    requests::{Request, RequestKind},
    services::{Service, WrongServiceState},
    text::{self, Faults},
    time::Ts,
};
use stoa_store::{
    Conn, StoreError, applications,
    handovers::{self, Load},
    organizations::{self, Named},
    requests,
    services::{self, audience},
    users,
};

pub use accepting::accept;
pub use reading::{Details, Standing, get, list, list_of_service, of_one, open_of_service, waiting_for};
pub use stoa_store::handovers::{Offered, Wanted};

use crate::{
    Act, Caller, Error, Result, Stoa,
    seats::{self, Seat},
    services::{own_again, own_at_once},
};

impl From<CannotDecide> for Error {
    fn from(reason: CannotDecide) -> Self {
        let code = match reason {
            CannotDecide::Closed(_) | CannotDecide::NotYet => "handover_closed",
            CannotDecide::Expired(_) => "handover_expired",
        };
        Self::conflict(code, reason.to_string())
    }
}

impl From<&CannotTakeAlong> for Error {
    fn from(reason: &CannotTakeAlong) -> Self {
        let code = match reason {
            CannotTakeAlong::InUse { .. } => "application_in_use",
            CannotTakeAlong::Personal { .. } | CannotTakeAlong::Elsewhere { .. } => "application_not_owned",
        };
        Self::conflict(code, format!("the service can't be handed over: {reason}"))
    }
}

/// A hand-over as somebody offers it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewHandover {
    /// To which organization, by handle or id.
    pub organization: String,
    /// What its members shall read.
    pub note: String,
    /// For how many days it waits; two weeks when absent.
    pub days: Option<i64>,
}

/// What handing a service over would take along, and what stands in its way.
#[derive(Debug, Clone)]
pub struct Foreseen {
    /// The service before.
    pub service: Service,
    /// Whether its state lets it be handed over.
    pub state: Result<(), WrongServiceState>,
    /// The application it signs in with; `None` when that was deleted.
    pub application: Option<Application>,
    /// Whether that goes along, or why it can't.
    pub goes_along: Result<bool, CannotTakeAlong>,
    /// What else goes along, in numbers.
    pub load: Load,
    /// The open requests for its publication: they are closed, because nobody is left who could decide them.
    pub closes: Vec<Request>,
}

impl Foreseen {
    /// Whether nothing stands in the way.
    ///
    /// # Errors
    /// `wrong_state`, `application_in_use`, `application_not_owned` (409).
    pub fn check(&self) -> Result<()> {
        self.state?;
        self.goes_along.as_ref().map(drop).map_err(Error::from)
    }

    /// The application, if it goes along.
    pub fn taken_along(&self) -> Option<&Application> {
        self.application.as_ref().filter(|_| self.goes_along == Ok(true))
    }
}

/// What handing a service over would bring about now; to an organization, or to any that does not own its application yet.
async fn foresee(conn: &mut Conn, service: Service, to: Option<OrganizationId>) -> Result<Foreseen> {
    let application = applications::find(conn, service.application).await?;
    let uses = applications::services_of(conn, &[service.application]).await?;
    let others: Vec<String> = uses.into_iter().filter(|one| one.service != service.id).map(|one| one.name).collect();
    let goes_along = match &application {
        Some(found) => rules::goes_along(&found.name, found.owner, (service.provider, to), &others),
        None => Ok(false),
    };
    let load = handovers::offered(conn, &[service.id]).await?.remove(&service.id).map(|offered| offered.load).unwrap_or_default();
    let mut closes = requests::list_open_about(conn, service.provider, service.id).await?;
    closes.retain(|request| request.kind == RequestKind::Publish);
    Ok(Foreseen { state: service.state.hand_over(), application, goes_along, load, closes, service })
}

/// What handing a service over would bring about, for those who may offer it.
///
/// # Errors
/// 401, 404, 403.
pub async fn foreseen(conn: &mut Conn, caller: &Caller, key: &Key<ServiceId>) -> Result<Foreseen> {
    let service = own_at_once(conn, caller, key, Permission::HandOverServices).await?;
    foresee(conn, service, None).await
}

/// An offer that could be made now.
#[derive(Debug, Clone)]
pub struct Considered {
    /// What it would bring about.
    pub foreseen: Foreseen,
    /// To whom.
    pub to: Named,
    /// What the members there shall read.
    pub note: String,
    /// Until when it would wait.
    pub expires_at: Ts,
}

/// What an offer would be, for those who may make it: whom it goes to, until when, and what it takes along. [`offer`] makes
/// exactly this.
///
/// # Errors
/// 401, 404, 403, 422; `organization_suspended` and those of [`Foreseen::check`] (409).
pub async fn consider(conn: &mut Conn, caller: &Caller, key: &Key<ServiceId>, new: &NewHandover) -> Result<Considered> {
    let service = own_at_once(conn, caller, key, Permission::HandOverServices).await?;
    let mut faults = Faults::new();
    let to = receiver(conn, &service, new.organization.trim(), &mut faults).await?;
    let note = faults.check("/note", text::block(&new.note, NOTE));
    let expires_at = rules::check_days(new.days, caller.now, &mut faults);
    let (to, (note, expires_at)) = faults.or(to.zip(note.zip(expires_at)))?;
    let foreseen = foresee(conn, service, Some(to.id)).await?;
    foreseen.check()?;
    not_suspended(conn, to.id).await?;
    Ok(Considered { foreseen, to, note, expires_at })
}

/// Whom a service is offered to, whoever they are.
async fn receiver(conn: &mut Conn, service: &Service, given: &str, faults: &mut Faults) -> Result<Option<Named>> {
    if given.is_empty() {
        faults.add("/organization", "write the handle or id of the organization that shall provide it");
        return Ok(None);
    }
    let found = audience::organization(conn, &Key::read(given)).await?;
    match &found {
        None => faults.add("/organization", "there is no organization with this handle or id"),
        Some(found) if found.id == service.provider => {
            faults.add("/organization", format!("{} provides it already; name another organization", found.name));
        }
        Some(_) => return Ok(found),
    }
    Ok(None)
}

/// Refuses hand-overs from and to an organization that the operator suspended, without telling others why.
async fn not_suspended(conn: &mut Conn, id: OrganizationId) -> Result<()> {
    let found = organizations::find(conn, id).await?.ok_or(Error::NotFound("organization"))?;
    if found.suspension.is_none() {
        return Ok(());
    }
    let detail = format!(
        "{} is suspended by the operator of this installation; until that is lifted it neither hands services over nor takes any",
        found.name
    );
    Err(Error::conflict("organization_suspended", detail))
}

/// What a transaction found that waited for locks while a service went to another provider: sent again, it finds it there.
pub(crate) const fn moved() -> Error {
    Error::Store(StoreError::Busy)
}

/// Offers a service to another organization. Until that accepts, nothing changes.
///
/// # Errors
/// Those of [`consider`]; `handover_open` (409) while it is offered to somebody already.
pub async fn offer(act: &mut Act, key: &Key<ServiceId>, new: &NewHandover) -> Result<Handover> {
    let (conn, caller) = act.reading();
    let Considered { foreseen, to, note, expires_at } = consider(conn, caller, key, new).await?;
    let from = foreseen.service.provider;
    let mut parties = vec![from, to.id];
    parties.extend(handovers::find_open(&mut act.tx, foreseen.service.id).await?.map(|open| open.to));
    let live = organizations::lock(&mut act.tx, &parties).await?;
    // Read again under the locks.
    for party in [from, to.id].iter().filter(|party| !live.contains(party)) {
        not_suspended(&mut act.tx, *party).await?;
    }
    let service = own_again(act, &foreseen.service, Permission::HandOverServices).await?;
    let foreseen = foresee(&mut act.tx, service, Some(to.id)).await?;
    foreseen.check()?;
    if let Some(open) = handovers::find_open(&mut act.tx, foreseen.service.id).await? {
        make_room(act, open, &parties).await?;
    }
    let handover = Handover {
        id: act.mint(),
        from,
        to: to.id,
        service: foreseen.service.id,
        state: HandoverState::Open,
        note,
        offered_by: act.caller.user_id()?,
        offered_at: act.now(),
        expires_at,
        decided_by: None,
        decided_at: None,
    };
    handovers::insert(&mut act.tx, &handover).await?;
    let mut data = data(act, &handover, &foreseen.service).await?;
    if let Some(data) = data.as_object_mut() {
        data.insert("note".into(), json!(handover.note));
        data.insert("expires_at".into(), json!(handover.expires_at));
    }
    record(act, &handover, EventKind::HandoverOffered, data);
    Ok(handover)
}

/// Closes an offer whose time is over, so that another can be made.
async fn make_room(act: &mut Act, open: Handover, locked: &[OrganizationId]) -> Result<()> {
    if open.expires_at > act.now() {
        let to = organizations::names(&mut act.tx, &[open.to]).await?.pop().map(|to| to.name).unwrap_or_default();
        let detail = format!("the service is offered to {to} already, until {}; take that back first", open.expires_at);
        return Err(Error::conflict("handover_open", detail));
    }
    if !locked.contains(&open.to) {
        return Err(moved());
    }
    close(act, &open, Step::Expire).await.map(drop)
}

/// Who offers what to whom, for events.
async fn data(act: &mut Act, of: &Handover, service: &Service) -> Result<Value> {
    let names = organizations::names(&mut act.tx, &[of.from, of.to]).await?;
    Ok(named(of, (&service.name, &service.handle), &names))
}

fn named(of: &Handover, (name, handle): (&str, &str), names: &[Named]) -> Value {
    let side = |id| names.iter().find(|one| one.id == id).map(|one| json!({"id": one.id, "name": one.name}));
    json!({"service": {"id": of.service, "name": name, "handle": handle}, "from": side(of.from), "to": side(of.to)})
}

fn record(act: &mut Act, of: &Handover, kind: EventKind, data: Value) {
    act.record(&[of.from, of.to], kind, Subject::new("handover", of.id), data);
}

/// Closes a hand-over whose organizations are locked, and records it.
async fn close(act: &mut Act, open: &Handover, step: Step) -> Result<Handover> {
    let by = act.caller.user_id().ok().filter(|_| step != Step::Expire);
    let closed = open.after(step, by, act.now())?;
    handovers::update(&mut act.tx, &closed).await?;
    let service = services::find(&mut act.tx, &Key::Id(open.service)).await?.ok_or(Error::NotFound("service"))?;
    let data = data(act, &closed, &service).await?;
    record(act, &closed, kind(step), data);
    Ok(closed)
}

/// What a step is in the log.
const fn kind(step: Step) -> EventKind {
    match step {
        Step::Accept => EventKind::ServiceHandedOver,
        Step::Decline => EventKind::HandoverDeclined,
        Step::Withdraw => EventKind::HandoverWithdrawn,
        Step::Expire => EventKind::HandoverExpired,
    }
}

/// A hand-over as one of its organizations sees it, with the caller's seats in both.
struct Seen {
    handover: Handover,
    giving: Option<Seat>,
    taking: Option<Seat>,
}

/// The hand-over, for members of either organization.
async fn seen(conn: &mut Conn, caller: &Caller, id: HandoverId) -> Result<Seen> {
    let viewer = caller.viewer()?;
    let missing = || Error::NotFound("hand-over");
    let handover = handovers::find(conn, id).await?.ok_or_else(missing)?;
    let giving = organizations::find_for(conn, &Key::Id(handover.from), &viewer, caller.now).await?;
    let taking = organizations::find_for(conn, &Key::Id(handover.to), &viewer, caller.now).await?;
    if giving.is_none() && taking.is_none() {
        return Err(missing());
    }
    Ok(Seen { handover, giving, taking })
}

/// The hand-over for whoever may take a step: the receiving side accepts and declines, the offering side takes back.
async fn for_step(conn: &mut Conn, caller: &Caller, id: HandoverId, step: Step) -> Result<Handover> {
    let Seen { handover, giving, taking } = seen(conn, caller, id).await?;
    let (seat, whose) = if step == Step::Withdraw { (giving, handover.from) } else { (taking, handover.to) };
    let Some(seat) = seat else {
        let name = organizations::names(conn, &[whose]).await?.pop().map(|one| one.name).unwrap_or_default();
        return Err(Error::NotYours { detail: format!("only a maintainer of {name} may {}", step.words()) });
    };
    if verdict(seat.role, Permission::HandOverServices) != Verdict::Allowed {
        return Err(seats::refusal(&seat, Permission::HandOverServices));
    }
    seats::not_suspended(&seat.organization)?;
    Ok(handover)
}

/// Why a step is not possible any more: what became of the hand-over, by whom and when.
async fn told(conn: &mut Conn, of: &Handover, reason: CannotDecide) -> Result<Error> {
    let (CannotDecide::Closed(state), Some(at)) = (reason, of.decided_at) else { return Ok(reason.into()) };
    let what = if state == HandoverState::Withdrawn { "taken back" } else { state.word() };
    let by = match of.decided_by {
        Some(by) => users::names(conn, &[by]).await?.pop().map(|(_, name)| format!(", by {name}")).unwrap_or_default(),
        None => String::new(),
    };
    Ok(Error::conflict("handover_closed", format!("this hand-over is already {what}{by} at {at}")))
}

async fn decide(act: &mut Act, id: HandoverId, step: Step) -> Result<Handover> {
    let (conn, caller) = act.reading();
    let first = for_step(conn, caller, id, step).await?;
    organizations::lock(&mut act.tx, &[first.from, first.to]).await?;
    // Read again under the locks: the other side may have been faster, and the caller's role may have changed.
    let (conn, caller) = act.reading();
    let open = for_step(conn, caller, id, step).await?;
    if let Err(reason) = open.after(step, None, caller.now) {
        return Err(told(conn, &open, reason).await?);
    }
    close(act, &open, step).await
}

/// Declines a service that was offered.
///
/// # Errors
/// 401, 404, 403; `handover_closed`, `handover_expired`, `organization_suspended` (409).
pub async fn decline(act: &mut Act, id: HandoverId) -> Result<Handover> {
    decide(act, id, Step::Decline).await
}

/// Takes an offer back.
///
/// # Errors
/// 401, 404, 403; `handover_closed`, `handover_expired`, `organization_suspended` (409).
pub async fn withdraw(act: &mut Act, id: HandoverId) -> Result<Handover> {
    decide(act, id, Step::Withdraw).await
}

/// The other organizations of the open hand-overs of one.
pub(crate) async fn partners(conn: &mut Conn, organization: OrganizationId) -> Result<Vec<OrganizationId>> {
    let open = handovers::list_open_of(conn, organization).await?;
    Ok(open.into_iter().map(|one| if one.from == organization { one.to } else { one.from }).collect())
}

/// An organization is being deleted: what it offers is taken back, what it is offered declined. It is locked with the other
/// organizations of its open hand-overs, as far as those were there before.
pub(crate) async fn organization_deleted(act: &mut Act, organization: OrganizationId, others: &[OrganizationId]) -> Result<()> {
    let open = handovers::list_open_of(&mut act.tx, organization).await?;
    let parties: BTreeSet<_> = open.iter().flat_map(|one| [one.from, one.to]).collect();
    if parties.iter().any(|one| *one != organization && !others.contains(one)) {
        return Err(moved());
    }
    let names = organizations::names(&mut act.tx, &Vec::from_iter(parties)).await?;
    let about: BTreeSet<_> = open.iter().map(|one| one.service).collect();
    let about = services::names(&mut act.tx, &Vec::from_iter(about)).await?;
    let (by, now) = (act.caller.user_id().ok(), act.now());
    for one in &open {
        let (step, service) = (one.when_deleted(organization, now), about.iter().find(|(id, ..)| *id == one.service));
        let mut data = named(one, service.map_or(("", ""), |(_, handle, name)| (name, handle)), &names);
        if let Some(data) = data.as_object_mut() {
            data.insert("cause".into(), json!("organization_deleted"));
        }
        record(act, one, kind(step), data);
    }
    Ok(handovers::close_of(&mut act.tx, organization, by, now).await?)
}

/// How many hand-overs one round of [`expire`] closes.
const ROUND: i64 = 200;

/// Closes hand-overs whose time is over. Any node may do so; each is closed once, because it is looked at again under the
/// locks of both organizations. Answers how many.
///
/// # Errors
/// Those of the database; the next round does what was left.
pub async fn expire(stoa: &Stoa, now: Ts) -> Result<u64> {
    let mut conn = stoa.db.read().await?;
    let overdue = handovers::overdue(&mut conn, now, ROUND).await?;
    drop(conn);
    let mut closed = 0;
    for one in overdue {
        let mut act = Act::begin(stoa, Caller::system(now)).await?;
        organizations::lock(&mut act.tx, &[one.from, one.to]).await?;
        let Some(found) = handovers::find(&mut act.tx, one.id).await? else { continue };
        if found.after(Step::Expire, None, now).is_err() {
            continue;
        }
        close(&mut act, &found, Step::Expire).await?;
        act.commit().await?;
        closed += 1;
    }
    Ok(closed)
}
