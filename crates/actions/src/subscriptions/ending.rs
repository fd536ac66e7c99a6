//! The end of a subscription: at once, by request, or with the calendar month, and taken back until then.

use stoa_domain::{
    events::EventKind,
    ids::{OrganizationId, SubscriptionId},
    organizations::Key,
    permissions::{Permission, Verdict},
    requests::{Asked, RequestKind, Step},
    subscriptions::{Move, Subscription},
    suspensions::{Ending, Standing, Turn, When, period_end},
    text::{self, Faults},
    time::Ts,
};
use stoa_store::{organizations, subscriptions, suspensions};

use super::{Done, NOTE, concerned, effects, locked_for, locked_for_allowed};
use crate::{
    Act, Caller, Result, Stoa,
    requests::{self, NewRequest},
    seats,
};

/// Where a subscription is, by all that decides it.
pub(super) async fn standing(act: &mut Act, of: &Subscription) -> Result<Standing> {
    let open = suspensions::open(&mut act.tx, of.organization, of.id).await?;
    Ok(Standing { state: of.state, causes: open.iter().map(|one| one.cause).collect(), ends_at: of.ends_at })
}

/// Cancels a subscription: it ends at once or with the calendar month, or by a request where the caller may only ask. One
/// that is only asked for or being set up is withdrawn by whoever asked, or by a maintainer.
///
/// # Errors
/// 401, 404, 403; `wrong_state`, `already_ending`, `already_requested` (409).
pub async fn cancel(act: &mut Act, org: &Key<OrganizationId>, id: SubscriptionId, when: When, note: &str) -> Result<Done> {
    let (seat, may, subscription) = locked_for(act, org, id, Permission::CancelSubscription).await?;
    let user = act.caller.user_id()?;
    let now = act.now();
    let allowed = may == Verdict::Allowed;
    let standing = standing(act, &subscription).await?;
    if subscription.state.is_ahead() {
        if !allowed && subscription.requested_by != user {
            return Err(seats::refusal(&seat, Permission::CancelSubscription));
        }
        let subscription = effects::withdraw(act, subscription).await?;
        return Ok(Done { subscription, request: None });
    }
    let turn = match when {
        When::Now => Turn::Move(Move::Cancel),
        When::PeriodEnd => Turn::EndAt(period_end(now)),
    };
    standing.after(turn, now)?;
    if allowed {
        let subscription = match when {
            When::Now => end(act, subscription).await?,
            When::PeriodEnd => end_with_period(act, subscription).await?,
        };
        return Ok(Done { subscription, request: None });
    }
    let mut faults = Faults::new();
    let note = faults.check("/note", text::block(note, NOTE));
    let note = faults.or(note)?;
    let asks = NewRequest {
        kind: RequestKind::Cancel,
        step: Step::Internal,
        organization: subscription.organization,
        provider: None,
        service: subscription.service,
        subscription: Some(subscription.id),
        asked: Asked { at_period_end: when == When::PeriodEnd, ..Asked::default() },
        note,
        rule: String::new(),
    };
    let request = requests::open(act, asks).await?;
    Ok(Done { subscription, request: Some(request) })
}

/// Ends a subscription that is in force: its grants close, its open requests are withdrawn.
///
/// # Errors
/// `wrong_state` (409) when it is over.
pub(crate) async fn end(act: &mut Act, subscription: Subscription) -> Result<Subscription> {
    let now = act.now();
    standing(act, &subscription).await?.after(Turn::Move(Move::Cancel), now)?;
    let by = act.caller.user_id()?;
    effects::finish_for(act, subscription, Move::Cancel, EventKind::SubscriptionEnded, by).await
}

/// Decides that a subscription ends with the calendar month (UTC). Until then everything goes on, and it can be taken back.
///
/// # Errors
/// `wrong_state`, `already_ending` (409).
pub(crate) async fn end_with_period(act: &mut Act, mut subscription: Subscription) -> Result<Subscription> {
    let now = act.now();
    let ends_at = period_end(now);
    let after = standing(act, &subscription).await?.after(Turn::EndAt(ends_at), now)?;
    let ending = Ending {
        id: act.mint(),
        organization: subscription.organization,
        subscription: subscription.id,
        since: now,
        ends_at,
        set_by: Some(act.caller.user_id()?),
        undone_at: None,
        undone_by: None,
    };
    suspensions::insert_ending(&mut act.tx, &ending).await?;
    (subscription.state, subscription.ends_at) = (after.state, after.ends_at);
    subscriptions::set_state(&mut act.tx, &subscription).await?;
    let concerned = concerned(&mut act.tx, &subscription).await?;
    let data = concerned.data(serde_json::json!({"state": subscription.state, "ends_at": ends_at}));
    concerned.record(act, EventKind::SubscriptionEnding, data);
    Ok(subscription)
}

/// Keeps a subscription whose end was decided for later.
///
/// # Errors
/// 401, 404, 403; `not_ending`, `wrong_state` (409).
pub async fn keep(act: &mut Act, org: &Key<OrganizationId>, id: SubscriptionId) -> Result<Subscription> {
    let (_, mut subscription) = locked_for_allowed(act, org, id, Permission::CancelSubscription).await?;
    let now = act.now();
    let after = standing(act, &subscription).await?.after(Turn::Keep, now)?;
    let by = Some(act.caller.user_id()?);
    suspensions::undo_ending(&mut act.tx, subscription.organization, subscription.id, now, by).await?;
    (subscription.state, subscription.ends_at) = (after.state, after.ends_at);
    subscriptions::set_state(&mut act.tx, &subscription).await?;
    let concerned = concerned(&mut act.tx, &subscription).await?;
    concerned.record(act, EventKind::SubscriptionKept, concerned.data(serde_json::json!({"state": subscription.state})));
    Ok(subscription)
}

/// How many subscriptions one round of [`end_due`] ends.
const ROUND: i64 = 200;

/// Writes down the ends that were decided and have come. Any node may do so; each is written once, because it is looked at
/// again under the locks of both organizations. Answers how many.
///
/// # Errors
/// Those of the database; the next round does what was left.
pub async fn end_due(stoa: &Stoa, now: Ts) -> Result<u64> {
    let mut conn = stoa.db.read().await?;
    let due = subscriptions::due(&mut conn, now, ROUND).await?;
    drop(conn);
    let mut ended = 0;
    for (organization, id) in due {
        let Some((mut act, found)) = begin_due(stoa, now, organization, id).await? else { continue };
        if end_if_due(&mut act, found).await?.is_some() {
            act.commit().await?;
            ended += 1;
        }
    }
    Ok(ended)
}

/// Begins what is due of a subscription, read under the locks of both organizations; `None` where it is gone, or has another
/// provider meanwhile: then the next round finds it there.
pub(super) async fn begin_due(
    stoa: &Stoa,
    now: Ts,
    organization: OrganizationId,
    id: SubscriptionId,
) -> Result<Option<(Act, Subscription)>> {
    let mut act = Act::begin(stoa, Caller::system(now)).await?;
    let Some(found) = subscriptions::find(&mut act.tx, organization, id).await? else { return Ok(None) };
    organizations::lock(&mut act.tx, &[organization, found.provider]).await?;
    let again = subscriptions::find(&mut act.tx, organization, id).await?;
    Ok(again.filter(|again| again.provider == found.provider).map(|again| (act, again)))
}

/// Ends a subscription whose decided end has come, in the name of whoever decided it; `None` when it has not.
pub(super) async fn end_if_due(act: &mut Act, subscription: Subscription) -> Result<Option<Subscription>> {
    let now = act.now();
    if effects::state_at(&subscription, now) == subscription.state {
        return Ok(None);
    }
    let endings = suspensions::endings(&mut act.tx, subscription.organization, &[subscription.id]).await?;
    let by = endings.last().and_then(|ending| ending.set_by).unwrap_or(subscription.requested_by);
    let ended = effects::finish_for(act, subscription, Move::Cancel, EventKind::SubscriptionEnded, by).await?;
    Ok(Some(ended))
}
