//! Accepting a service: from one instant to the next, another organization provides it.

use std::collections::BTreeSet;

use serde_json::json;
use stoa_domain::{
    events::{EventKind, Subject},
    handovers::{Handover, Step},
    ids::{HandoverId, OrganizationId},
    organizations::Key,
    services::Service,
};
use stoa_store::{applications, handovers, marketplace, organizations, services, sharing, subscriptions};

use super::{Foreseen, data, for_step, foresee, moved, not_suspended, told};
use crate::{Act, Error, Result, requests};

/// Accepts a service that was offered: the organization provides it from now on, with its contracts and subscriptions, its
/// pictures and lists, the requests that wait for its provider and, where only this service uses it, its application with
/// all secrets. For its subscribers nothing changes but who provides it; tokens go on.
///
/// All who subscribe it are locked with both organizations, so that no log tells of it before another, and nothing of the
/// service changes in between.
///
/// # Errors
/// 401, 404, 403; `handover_closed`, `handover_expired`, `organization_suspended`, `wrong_state`, `application_in_use`,
/// `application_not_owned` (409).
pub async fn accept(act: &mut Act, id: HandoverId) -> Result<Handover> {
    let (conn, caller) = act.reading();
    let first = for_step(conn, caller, id, Step::Accept).await?;
    let mut parties: BTreeSet<OrganizationId> = subscriptions::subscribers(conn, first.from, first.service).await?.into_iter().collect();
    parties.extend([first.from, first.to]);
    let live = organizations::lock(&mut act.tx, &Vec::from_iter(parties.iter().copied())).await?;
    // Read again under the locks: the other side may have been faster, and the caller's role may have changed.
    let (conn, caller) = act.reading();
    let open = for_step(conn, caller, id, Step::Accept).await?;
    let accepted = match open.after(Step::Accept, Some(caller.user_id()?), caller.now) {
        Ok(accepted) => accepted,
        Err(reason) => return Err(told(conn, &open, reason).await?),
    };
    for party in [open.from, open.to].iter().filter(|party| !live.contains(party)) {
        not_suspended(conn, *party).await?;
    }
    let service = services::find(conn, &Key::Id(open.service)).await?.ok_or(Error::NotFound("service"))?;
    // Nobody gives the application another service, or deletes it, before this is over.
    applications::lock(&mut act.tx, service.application).await?;
    let foreseen = foresee(&mut act.tx, service, Some(open.to)).await?;
    foreseen.check()?;
    let subscribers = subscriptions::subscribers(&mut act.tx, open.from, open.service).await?;
    if foreseen.service.provider != open.from || !subscribers.iter().all(|one| parties.contains(one)) {
        return Err(moved());
    }
    let service = carry(act, &accepted, &foreseen).await?;
    handovers::update(&mut act.tx, &accepted).await?;
    tell(act, &accepted, &foreseen, &service, &subscribers).await?;
    Ok(accepted)
}

/// Moves all that goes along. Answers the service as it is then.
async fn carry(act: &mut Act, accepted: &Handover, foreseen: &Foreseen) -> Result<Service> {
    let (from, to, now) = (accepted.from, accepted.to, act.now());
    requests::withdraw_all(act, foreseen.closes.clone(), "the service was handed over to another organization").await?;
    let stand_in = act.mint();
    handovers::carry(&mut act.tx, accepted.service, (from, to), stand_in, now).await?;
    handovers::give_time(&mut act.tx, to, accepted.service, now).await?;
    if let Some(application) = foreseen.taken_along() {
        sharing::transfer(&mut act.tx, to, &[application.id], now).await?;
        sharing::delete_all(&mut act.tx, application.id).await?;
    }
    let service = Service { provider: to, updated_at: now, ..foreseen.service.clone() };
    let provider = organizations::find(&mut act.tx, to).await?.ok_or(Error::NotFound("organization"))?;
    marketplace::index(&mut act.tx, &service, &provider).await?;
    Ok(service)
}

/// Records it: in the logs of both sides with what went along, in those of all who subscribe without that.
async fn tell(act: &mut Act, accepted: &Handover, foreseen: &Foreseen, service: &Service, subscribers: &[OrganizationId]) -> Result<()> {
    let sides = [accepted.from, accepted.to];
    let told = data(act, accepted, service).await?;
    let subject = || Subject::new("service", service.id);
    let mut full = told.clone();
    if let Some(full) = full.as_object_mut() {
        let along = foreseen.taken_along().map(|application| json!({"id": application.id, "name": application.name}));
        full.insert("handover".into(), json!(accepted.id));
        full.insert("offered_by".into(), json!(accepted.offered_by));
        full.insert("application".into(), json!(along));
        full.insert("subscriptions".into(), json!(foreseen.load.subscriptions));
        full.insert("requests".into(), json!(foreseen.load.requests));
    }
    act.record(&sides, EventKind::ServiceHandedOver, subject(), full);
    let others: Vec<OrganizationId> = subscribers.iter().copied().filter(|one| !sides.contains(one)).collect();
    act.record(&others, EventKind::ServiceHandedOver, subject(), told);
    if let Some(application) = foreseen.taken_along() {
        let data = json!({
            "name": application.name, "organization": accepted.to, "from": accepted.from, "cause": "handed_over",
            "service": {"id": service.id, "name": service.name},
        });
        act.record(&sides, EventKind::ApplicationTransferred, Subject::new("application", application.id), data);
    }
    Ok(())
}
