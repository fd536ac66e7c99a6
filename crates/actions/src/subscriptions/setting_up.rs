//! Between approval and coming into force: the provider, or the service itself, sets a subscription up, and says how it went.
//!
//! Nothing is granted meanwhile. What was approved is kept and granted when the subscription is set up.

use std::collections::BTreeMap;

use serde_json::json;
use stoa_domain::{
    events::EventKind,
    ids::{ProjectId, RequestId, ServiceId, SubscriptionId, UserId},
    locks::GrantTerms,
    organizations::Key,
    setups::{Outcome, Setup, TIME_TO_SET_UP},
    subscriptions::{Move, Subscription, SubscriptionState},
    time::Ts,
};
use stoa_store::{services, setups, subscriptions};

use super::{
    Concerned, concerned, effects, ending, locked,
    pausing::{provided, told},
};
use crate::{Act, Error, Result, Stoa, Who, handovers};

/// Lets the provider set up a subscription that is approved, and says so in both logs. It was written as provisioning.
pub(super) async fn begin(
    act: &mut Act,
    subscription: &Subscription,
    concerned: &Concerned,
    terms: BTreeMap<ProjectId, GrantTerms>,
    request: Option<RequestId>,
) -> Result<()> {
    let now = act.now();
    let due_at = now.plus(TIME_TO_SET_UP);
    let (organization, id) = (subscription.organization, subscription.id);
    let setup = Setup { organization, subscription: id, request, terms, since: now, due_at, outcome: None };
    setups::insert(&mut act.tx, &setup).await?;
    let plan = json!({"id": subscription.plan, "name": concerned.offer.prices.name});
    concerned.record(
        act,
        EventKind::SubscriptionProvisioning,
        concerned.data(json!({
            "plan": plan,
            "due_at": due_at,
            "request": request,
            "requested_by": subscription.requested_by,
        })),
    );
    Ok(())
}

/// A subscription of a service, for its provider's deciders and for the service itself; locked.
async fn of_service(act: &mut Act, key: &Key<ServiceId>, id: SubscriptionId) -> Result<Subscription> {
    let Who::Service(by) = act.caller.who.clone() else { return provided(act, key, id).await };
    let service = services::find(&mut act.tx, key).await?.ok_or(Error::NotFound("service"))?;
    by.speaks_for(&service)?;
    let found = subscriptions::find_by_id(&mut act.tx, id).await?.filter(|found| found.service == service.id);
    let found = locked(act, found.ok_or(Error::NotFound("subscription"))?.organization, id).await?;
    if found.provider == service.provider { Ok(found) } else { Err(handovers::moved()) }
}

async fn finish(act: &mut Act, of: &Subscription, failed: Option<String>) -> Result<Option<Setup>> {
    let found = setups::of(&mut act.tx, &[(of.organization, of.id)]).await?.remove(&of.id);
    let outcome = Outcome { at: act.now(), by: act.caller.user_id().ok(), failed };
    setups::finish(&mut act.tx, of.organization, of.id, &outcome).await?;
    Ok(found.map(|(setup, _)| setup))
}

/// Brings a subscription into force that is set up: what was approved is granted from now on.
///
/// # Errors
/// 401, 404, 403; `wrong_state` (409).
pub async fn ready(act: &mut Act, service: &Key<ServiceId>, id: SubscriptionId) -> Result<Subscription> {
    let mut subscription = of_service(act, service, id).await?;
    subscription.state = subscription.state.after(Move::Ready)?;
    subscription.activated_at = Some(act.now());
    subscriptions::set_state(&mut act.tx, &subscription).await?;
    let setup = finish(act, &subscription, None).await?;
    let (terms, request) = setup.map(|setup| (setup.terms, setup.request)).unwrap_or_default();
    let candidates = subscriptions::candidates(&mut act.tx, subscription.organization).await?;
    let concerned = concerned(&mut act.tx, &subscription).await?;
    let data = json!({"requested_by": subscription.requested_by, "request": request});
    concerned.record(act, EventKind::SubscriptionReady, concerned.data(data));
    effects::open_grants(act, &subscription, &concerned, &candidates, &terms, request).await?;
    Ok(subscription)
}

/// Closes a subscription that can't be set up, for a reason that the subscriber reads.
///
/// # Errors
/// 401, 404, 403, 422; `wrong_state` (409).
pub async fn fail(act: &mut Act, service: &Key<ServiceId>, id: SubscriptionId, reason: &str) -> Result<Subscription> {
    let subscription = of_service(act, service, id).await?;
    let reason = told(reason)?;
    let by = act.caller.user_id().ok();
    failed(act, subscription, reason, by).await
}

async fn failed(act: &mut Act, subscription: Subscription, reason: String, by: Option<UserId>) -> Result<Subscription> {
    subscription.state.after(Move::Fail)?;
    finish(act, &subscription, Some(reason.clone())).await?;
    effects::fail(act, subscription, by, &reason).await
}

/// How many subscriptions one round of [`fail_due`] closes.
const ROUND: i64 = 200;

/// Closes the subscriptions that were not set up in time; any node may do so, each is closed once. Answers how many.
///
/// # Errors
/// Those of the database; the next round does what was left.
pub async fn fail_due(stoa: &Stoa, now: Ts) -> Result<u64> {
    let mut conn = stoa.db.read().await?;
    let due = setups::due(&mut conn, now, ROUND).await?;
    drop(conn);
    let mut closed = 0;
    for (organization, id) in due {
        let Some((mut act, found)) = ending::begin_due(stoa, now, organization, id).await? else { continue };
        if found.state != SubscriptionState::Provisioning {
            continue;
        }
        failed(&mut act, found, "its provider did not set it up in time".to_owned(), None).await?;
        act.commit().await?;
        closed += 1;
    }
    Ok(closed)
}
