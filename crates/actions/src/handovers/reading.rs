//! Reading hand-overs: one, those of a service, those of an organization, those that wait for somebody.

use std::collections::{BTreeMap, BTreeSet};

use stoa_domain::{
    handovers::{Handover, HandoverState},
    ids::{HandoverId, OrganizationId, ServiceId, UserId},
    organizations::Key,
    permissions::{Permission, Verdict, verdict},
    services::Service,
};
use stoa_store::{
    Conn,
    handovers::{self, Offered, Wanted},
    organizations::{self, Named},
    users,
};

use super::{Seen, seen};
use crate::{
    Caller, Error, Result,
    seats::{self, Seat},
    services::own_at_once,
};

/// A hand-over with names.
#[derive(Debug, Clone)]
pub struct Details {
    /// The hand-over.
    pub handover: Handover,
    /// Who offers.
    pub from: Named,
    /// To whom.
    pub to: Named,
    /// The service, and what goes along with it now.
    pub service: Offered,
    /// Who offered it.
    pub offered_by: (UserId, String),
    /// Who accepted, declined or took it back.
    pub decided_by: Option<(UserId, String)>,
}

/// What the caller may do with a hand-over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// Accept or decline it.
    pub may_decide: bool,
    /// Take it back.
    pub may_withdraw: bool,
}

/// One hand-over, for members of either organization, with what the caller may do with it.
///
/// # Errors
/// 401, 404.
pub async fn get(conn: &mut Conn, caller: &Caller, id: HandoverId) -> Result<(Details, Standing)> {
    let Seen { handover, giving, taking } = seen(conn, caller, id).await?;
    let open = handover.state == HandoverState::Open && handover.expires_at > caller.now;
    let may = |seat: Option<&Seat>| {
        open && seat.is_some_and(|seat| {
            seat.organization.suspension.is_none() && verdict(seat.role, Permission::HandOverServices) == Verdict::Allowed
        })
    };
    let standing = Standing { may_decide: may(taking.as_ref()), may_withdraw: may(giving.as_ref()) };
    Ok((of_one(conn, handover).await?, standing))
}

/// Everything about a hand-over that an action has just answered.
///
/// # Errors
/// Those of the database.
pub async fn of_one(conn: &mut Conn, handover: Handover) -> Result<Details> {
    details(conn, vec![handover]).await?.pop().ok_or(Error::NotFound("hand-over"))
}

/// A page of the hand-overs in which an organization offers or is offered something, newest first.
///
/// # Errors
/// 401, 404.
pub async fn list(conn: &mut Conn, caller: &Caller, org: &Key<OrganizationId>, wanted: Wanted, limit: i64) -> Result<(Seat, Vec<Details>)> {
    let seat = seats::allowed(conn, caller, org, Permission::View).await?;
    let page = handovers::list(conn, seat.organization.id, wanted, limit).await?;
    Ok((seat, details(conn, page).await?))
}

/// A page of the hand-overs of a service that its provider made or took part in, newest first; for the provider's members.
///
/// # Errors
/// 401, 404, 403.
pub async fn list_of_service(
    conn: &mut Conn,
    caller: &Caller,
    key: &Key<ServiceId>,
    before: Option<HandoverId>,
    limit: i64,
) -> Result<Vec<Details>> {
    let service = own_at_once(conn, caller, key, Permission::View).await?;
    let wanted = Wanted { service: Some(service.id), before, ..Wanted::default() };
    let page = handovers::list(conn, service.provider, wanted, limit).await?;
    details(conn, page).await
}

/// The open hand-over of a service, for those who were let see its provider's side of it.
///
/// # Errors
/// Those of the database.
pub async fn open_of_service(conn: &mut Conn, service: &Service) -> Result<Option<Details>> {
    match handovers::find_open(conn, service.id).await? {
        Some(open) => Ok(Some(of_one(conn, open).await?)),
        None => Ok(None),
    }
}

/// How many hand-overs [`waiting_for`] names.
const MOST_WAITING: i64 = 20;

/// What waits for the caller to be accepted, over all organizations.
///
/// # Errors
/// 401.
pub async fn waiting_for(conn: &mut Conn, caller: &Caller) -> Result<Vec<Details>> {
    let viewer = caller.viewer()?;
    let mut waiting = handovers::waiting_for(conn, viewer.user, caller.now, MOST_WAITING).await?;
    waiting.retain(|one| viewer.sees(one.to));
    details(conn, waiting).await
}

/// Names and what goes along of several hand-overs, in a fixed number of statements.
async fn details(conn: &mut Conn, all: Vec<Handover>) -> Result<Vec<Details>> {
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let parties: BTreeSet<_> = all.iter().flat_map(|one| [one.from, one.to]).collect();
    let names: BTreeMap<_, _> = organizations::names(conn, &Vec::from_iter(parties)).await?.into_iter().map(|one| (one.id, one)).collect();
    let people: BTreeSet<_> = all.iter().flat_map(|one| [Some(one.offered_by), one.decided_by]).flatten().collect();
    let people: BTreeMap<_, _> = users::names(conn, &Vec::from_iter(people)).await?.into_iter().collect();
    let services: BTreeSet<_> = all.iter().map(|one| one.service).collect();
    let services = handovers::offered(conn, &Vec::from_iter(services)).await?;
    let named = |id| names.get(&id).cloned().ok_or(Error::NotFound("organization"));
    let person = |id: UserId| (id, people.get(&id).cloned().unwrap_or_default());
    all.into_iter()
        .map(|handover| {
            Ok(Details {
                from: named(handover.from)?,
                to: named(handover.to)?,
                service: services.get(&handover.service).cloned().ok_or(Error::NotFound("service"))?,
                offered_by: person(handover.offered_by),
                decided_by: handover.decided_by.map(person),
                handover,
            })
        })
        .collect()
}
