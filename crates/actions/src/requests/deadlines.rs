//! Deadlines of requests: reminders, and the end of what nobody decides.

use serde_json::json;
use stoa_domain::{
    deadlines,
    events::{EventKind, Subject},
    ids::RequestId,
    organizations::Key,
    requests::{Request, RequestKind, RequestState, Step},
    services::Service,
    time::Ts,
};
use stoa_store::{organizations, requests, services, subscriptions as kept};

use super::{data, record};
use crate::{Act, Caller, Result, Stoa, subscriptions};

/// How many requests one round looks at.
const ROUND: i64 = 200;

/// What a round of [`act_on_due`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Due {
    /// Requests that expired.
    pub expired: u64,
    /// Requests of which somebody was reminded.
    pub reminded: u64,
}

/// Notes reminders that are due, and ends requests whose time is over. Any number of nodes may do so at once: each is looked
/// at again under the locks of its organizations, so that it happens once.
///
/// # Errors
/// Those of the database; the next round does what was left.
pub async fn act_on_due(stoa: &Stoa, now: Ts) -> Result<Due> {
    let mut conn = stoa.db.read().await?;
    let found = requests::due(&mut conn, now, ROUND).await?;
    drop(conn);
    let mut done = Due::default();
    for one in found {
        match act_on(stoa, one.id, now).await? {
            Some(RequestState::Expired) => done.expired += 1,
            Some(_) => done.reminded += 1,
            None => {}
        }
    }
    Ok(done)
}

/// The state of a request after something was done about it; `None` when there was nothing to do any more.
async fn act_on(stoa: &Stoa, id: RequestId, now: Ts) -> Result<Option<RequestState>> {
    let mut act = Act::begin(stoa, Caller::system(now)).await?;
    let Some(seen) = requests::find(&mut act.tx, id).await? else { return Ok(None) };
    let Some(service) = services::find(&mut act.tx, &Key::Id(seen.service)).await? else { return Ok(None) };
    organizations::lock(&mut act.tx, &[seen.organization, service.provider]).await?;
    let Some(request) = requests::find(&mut act.tx, id).await? else { return Ok(None) };
    // What went to another provider meanwhile is looked at again the next time.
    if request.provider != seen.provider {
        return Ok(None);
    }
    if !request.state.is_open() || request.due_at > now {
        return Ok(None);
    }
    let changed =
        if request.expires_at <= now { expire(&mut act, request, &service).await? } else { remind(&mut act, request, &service).await? };
    act.commit().await?;
    Ok(Some(changed.state))
}

async fn expire(act: &mut Act, request: Request, service: &Service) -> Result<Request> {
    let expired = Request { state: request.state.expire()?, decided_at: Some(act.now()), ..request };
    requests::update(&mut act.tx, &expired).await?;
    let data = data(&expired, &service.name);
    record(act, &expired, EventKind::RequestExpired, data);
    if let (RequestKind::Subscribe, Some(id)) = (expired.kind, expired.subscription)
        && let Some(subscription) = kept::find(&mut act.tx, expired.organization, id).await?
    {
        subscriptions::expire(act, subscription).await?;
    }
    Ok(expired)
}

/// Notes a reminder in the log of those it waits for.
async fn remind(act: &mut Act, request: Request, service: &Service) -> Result<Request> {
    let due_at = deadlines::next_due(request.created_at, request.expires_at, act.now());
    let reminded = Request { due_at, ..request };
    requests::update(&mut act.tx, &reminded).await?;
    let whose = match (reminded.state, reminded.step, reminded.provider) {
        (RequestState::Open, Step::Provider, Some(provider)) => provider,
        _ => reminded.organization,
    };
    let mut data = data(&reminded, &service.name);
    if let Some(data) = data.as_object_mut() {
        data.insert("state".into(), json!(reminded.state));
        data.insert("expires_at".into(), json!(reminded.expires_at));
    }
    act.record(&[whose], EventKind::RequestReminded, Subject::new("request", reminded.id), data);
    Ok(reminded)
}
