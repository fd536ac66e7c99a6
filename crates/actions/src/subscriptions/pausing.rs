//! Pausing and resuming: by the organization that subscribed, by the provider, by the operator; each lifts what it set.

use serde_json::json;
use stoa_domain::{
    events::EventKind,
    ids::{OrganizationId, ServiceId, SubscriptionId, UserId},
    organizations::Key,
    permissions::Permission,
    subscriptions::Subscription,
    suspensions::{Cause, Suspension, Turn},
    text::{self, Faults},
};
use stoa_store::{services, subscriptions, suspensions};

use super::{concerned, ending::standing, locked, locked_for_allowed};
use crate::{Act, Error, Result, handovers, operators, seats};

/// The longest reason that is given to the other side, in characters.
pub const REASON: usize = 500;

fn checked(reason: &str) -> Result<String> {
    let mut faults = Faults::new();
    let reason = faults.check("/reason", text::optional_line(reason, REASON));
    Ok(faults.or(reason)?)
}

/// A reason that the organization concerned reads, so it is never empty.
pub(super) fn told(reason: &str) -> Result<String> {
    let mut faults = Faults::new();
    let reason = faults.check("/reason", text::line(reason, REASON));
    Ok(faults.or(reason)?)
}

/// Pauses a subscription as the organization that subscribed: from now on its grants open nothing.
///
/// # Errors
/// 401, 404, 403, 422; `wrong_state`, `already_paused` (409).
pub async fn pause(act: &mut Act, org: &Key<OrganizationId>, id: SubscriptionId, reason: &str) -> Result<Subscription> {
    let (_, subscription) = locked_for_allowed(act, org, id, Permission::ReduceSubscription).await?;
    let reason = checked(reason)?;
    hold(act, subscription, Cause::Consumer, reason).await
}

/// Resumes a subscription that the organization itself paused. It opens what was approved and nothing else, so it takes no
/// more than pausing did.
///
/// # Errors
/// 401, 404, 403; `wrong_state`, `not_paused` (409).
pub async fn resume(act: &mut Act, org: &Key<OrganizationId>, id: SubscriptionId) -> Result<Subscription> {
    let (_, subscription) = locked_for_allowed(act, org, id, Permission::ReduceSubscription).await?;
    lift(act, subscription, Cause::Consumer).await
}

/// A subscription of a service, for those who decide subscriptions on the provider's side; locked.
pub(super) async fn provided(act: &mut Act, service: &Key<ServiceId>, id: SubscriptionId) -> Result<Subscription> {
    let viewer = act.caller.viewer()?;
    let service = services::find(&mut act.tx, service).await?.ok_or(Error::NotFound("service"))?;
    let provider = Key::Id(service.provider);
    let seat = stoa_store::organizations::find_for(&mut act.tx, &provider, &viewer, act.caller.now).await?;
    seat.ok_or(Error::NotFound("service"))?;
    let seat = seats::allowed(&mut act.tx, &act.caller, &provider, Permission::DecideSubscriptions).await?;
    let found = subscriptions::find_by_id(&mut act.tx, id).await?.filter(|found| found.service == service.id);
    let found = found.ok_or(Error::NotFound("subscription"))?;
    let found = locked(act, found.organization, id).await?;
    seats::still(act, &seat, Permission::DecideSubscriptions).await?;
    if found.provider == service.provider { Ok(found) } else { Err(handovers::moved()) }
}

/// Pauses a subscription as its provider, with a reason that the subscriber reads.
///
/// # Errors
/// 401, 404, 403, 422; `wrong_state`, `already_paused` (409).
pub async fn pause_as_provider(act: &mut Act, service: &Key<ServiceId>, id: SubscriptionId, reason: &str) -> Result<Subscription> {
    let subscription = provided(act, service, id).await?;
    let reason = told(reason)?;
    hold(act, subscription, Cause::Provider, reason).await
}

/// Resumes a subscription that its provider paused.
///
/// # Errors
/// 401, 404, 403; `wrong_state`, `not_paused` (409).
pub async fn resume_as_provider(act: &mut Act, service: &Key<ServiceId>, id: SubscriptionId) -> Result<Subscription> {
    let subscription = provided(act, service, id).await?;
    lift(act, subscription, Cause::Provider).await
}

/// Pauses a subscription as operator of the installation, with a reason that both sides read.
///
/// # Errors
/// 401, 404, 422; `wrong_state`, `already_paused` (409).
pub async fn pause_as_operator(act: &mut Act, id: SubscriptionId, reason: &str) -> Result<Subscription> {
    let subscription = operated(act, id).await?;
    let reason = told(reason)?;
    hold(act, subscription, Cause::Operator, reason).await
}

/// Resumes a subscription that an operator paused.
///
/// # Errors
/// 401, 404; `wrong_state`, `not_paused` (409).
pub async fn resume_as_operator(act: &mut Act, id: SubscriptionId) -> Result<Subscription> {
    let subscription = operated(act, id).await?;
    lift(act, subscription, Cause::Operator).await
}

async fn operated(act: &mut Act, id: SubscriptionId) -> Result<Subscription> {
    operators::allowed(&act.caller)?;
    let found = subscriptions::find_by_id(&mut act.tx, id).await?.ok_or(Error::NotFound("subscription"))?;
    locked(act, found.organization, id).await
}

/// A cause that holds a subscription up from now on, not yet kept.
pub(crate) fn held_up(
    act: &Act,
    organization: OrganizationId,
    subscription: SubscriptionId,
    cause: Cause,
    reason: &str,
    by: Option<UserId>,
) -> Suspension {
    Suspension {
        id: act.mint(),
        organization,
        subscription,
        cause,
        since: act.now(),
        until: None,
        reason: reason.to_owned(),
        set_by: by,
        lifted_by: None,
    }
}

/// Lets a cause hold a subscription up from now on. The subscription was read under the locks of both organizations.
///
/// # Errors
/// `wrong_state`, `already_paused` (409).
pub(crate) async fn hold(act: &mut Act, mut subscription: Subscription, cause: Cause, reason: String) -> Result<Subscription> {
    let now = act.now();
    let after = standing(act, &subscription).await?.after(Turn::Pause(cause), now)?;
    let suspension = held_up(act, subscription.organization, subscription.id, cause, &reason, act.caller.user_id().ok());
    suspensions::insert(&mut act.tx, &suspension).await?;
    subscription.state = after.state;
    subscriptions::set_state(&mut act.tx, &subscription).await?;
    let concerned = concerned(&mut act.tx, &subscription).await?;
    let data = json!({"state": after.state, "by": cause, "reason": reason, "paused_by": after.causes});
    concerned.record(act, EventKind::SubscriptionPaused, concerned.data(data));
    Ok(subscription)
}

/// Lifts a cause that held a subscription up.
///
/// # Errors
/// `wrong_state`, `not_paused` (409).
pub(crate) async fn lift(act: &mut Act, mut subscription: Subscription, cause: Cause) -> Result<Subscription> {
    let now = act.now();
    let after = standing(act, &subscription).await?.after(Turn::Resume(cause), now)?;
    let by = act.caller.user_id().ok();
    for open in suspensions::open(&mut act.tx, subscription.organization, subscription.id).await? {
        if open.cause == cause {
            suspensions::lift(&mut act.tx, &open, now, by).await?;
        }
    }
    subscription.state = after.state;
    subscriptions::set_state(&mut act.tx, &subscription).await?;
    let concerned = concerned(&mut act.tx, &subscription).await?;
    let data = json!({"state": after.state, "by": cause, "paused_by": after.causes});
    concerned.record(act, EventKind::SubscriptionResumed, concerned.data(data));
    Ok(subscription)
}
