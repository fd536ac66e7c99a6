//! The switch to the subscriptions that follow, the way back, and the announced day.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use stoa_domain::time::Ts;
use stoa_domain::{
    events::EventKind,
    ids::{LevelChangeId, OrganizationId, ProjectId, SubscriptionId},
    level_changes::{LevelChange, LevelChangeState, LevelMove, Part},
    offers::OfferState,
    organizations::Key,
    permissions::{Permission, Verdict, verdict},
    services::Level,
    subscriptions::{Subscription, SubscriptionState},
    suspensions::{Cause, Suspension},
};
use stoa_store::{
    Conn,
    grants::{self, KeptGrant},
    level_changes as kept, offers,
    organizations::{self, Seat},
    services, subscriptions, suspensions,
};

use super::{Details, budgets, tell};
use crate::{
    Act, Caller, Error, Result, Stoa, handovers, requests, seats,
    subscriptions::{held_up, permission_of, state_at},
};

/// How many changes one round of [`tick`] looks at; the next round goes on.
const ROUND: i64 = 200;

/// Whether the caller may switch and undo: whoever may subscribe at the new level at once, and whoever publishes services for
/// the provider.
pub(super) async fn right(conn: &mut Conn, caller: &Caller, change: &LevelChange, level: Level) -> Result<()> {
    let viewer = caller.viewer()?;
    let mut refusal: Option<Error> = None;
    for (organization, permission) in sides(change, level) {
        let Some(seat) = organizations::find_for(conn, &Key::Id(organization), &viewer, caller.now).await? else { continue };
        match judge(&seat, permission) {
            Ok(()) => return Ok(()),
            Err(error) => refusal = Some(error),
        }
    }
    Err(refusal.unwrap_or(Error::NotFound("change of level")))
}

/// Both organizations, and what it takes in each.
pub(super) const fn sides(change: &LevelChange, level: Level) -> [(OrganizationId, Permission); 2] {
    [(change.organization, permission_of(level)), (change.provider, Permission::PublishServices)]
}

fn judge(seat: &Seat, permission: Permission) -> Result<()> {
    if verdict(seat.role, permission) != Verdict::Allowed {
        return Err(seats::refusal(seat, permission));
    }
    seats::not_suspended(&seat.organization)
}

/// The change under the locks of both organizations, for those who may move it.
async fn locked(act: &mut Act, id: LevelChangeId) -> Result<(LevelChange, Level)> {
    let missing = || Error::NotFound("change of level");
    act.caller.viewer()?;
    let found = kept::find(&mut act.tx, id).await?.ok_or_else(missing)?;
    let contract = services::find_contract(&mut act.tx, found.provider, found.contract).await?.ok_or(Error::NotFound("contract"))?;
    right(&mut act.tx, &act.caller, &found, contract.level).await?;
    organizations::lock(&mut act.tx, &[found.organization, found.provider]).await?;
    right(&mut act.tx, &act.caller, &found, contract.level).await?;
    let again = kept::find(&mut act.tx, id).await?.ok_or_else(missing)?;
    if again.provider == found.provider { Ok((again, contract.level)) } else { Err(handovers::moved()) }
}

/// Lets the subscriptions that follow take over, in one transaction: from this instant on they hold the projects, and those
/// of before answer as their aliases. What was paused or is about to end meanwhile stays behind.
///
/// # Errors
/// 401, 404, 403; `wrong_state`, `nothing_to_switch` (409).
pub async fn switch(act: &mut Act, id: LevelChangeId) -> Result<Details> {
    let (change, _) = locked(act, id).await?;
    let detail = "no subscription of before is active any more, so that nothing can be switched; undo the change of level";
    switch_now(act, change).await?.ok_or_else(|| Error::conflict("nothing_to_switch", detail))
}

/// Both sides of a change as they are now, locked.
struct Sides {
    parts: Vec<Part>,
    olds: BTreeMap<SubscriptionId, Subscription>,
    news: BTreeMap<SubscriptionId, Subscription>,
    grants: BTreeMap<(SubscriptionId, ProjectId), KeptGrant>,
}

impl Sides {
    async fn read(act: &mut Act, change: &LevelChange) -> Result<Self> {
        let now = act.now();
        let parts: Vec<_> = kept::parts(&mut act.tx, std::slice::from_ref(change)).await?.into_iter().map(|(_, part)| part).collect();
        let (olds, news): (BTreeSet<_>, BTreeSet<_>) = parts.iter().map(|part| (part.old, part.new)).unzip();
        let all = Vec::from_iter(olds.union(&news).copied());
        subscriptions::lock(&mut act.tx, all.iter().copied()).await?;
        let found = subscriptions::find_many(&mut act.tx, &all).await?;
        let ids: Vec<_> = found.iter().map(|one| (one.organization, one.id)).collect();
        let live = grants::live_of(&mut act.tx, &ids, now).await?;
        let (olds, news) = found.into_iter().map(|one| (one.id, one)).partition(|(id, _)| olds.contains(id));
        let grants = live.into_iter().map(|grant| ((grant.subscription, grant.project), grant)).collect();
        Ok(Self { parts, olds, news, grants })
    }

    fn grant(&self, of: SubscriptionId, project: ProjectId) -> Option<&KeptGrant> {
        self.grants.get(&(of, project))
    }
}

fn ids<'a>(of: impl IntoIterator<Item = &'a SubscriptionId>) -> Vec<SubscriptionId> {
    of.into_iter().copied().collect()
}

/// Switches what can go along; `None` when nothing can.
async fn switch_now(act: &mut Act, mut change: LevelChange) -> Result<Option<Details>> {
    let now = act.now();
    change.state = change.state.after(LevelMove::Switch, change.until, now)?;
    let sides = Sides::read(act, &change).await?;
    let goes = |part: &Part| {
        let old = sides.olds.get(&part.old).is_some_and(|one| state_at(one, now) == SubscriptionState::Active);
        let new = sides.news.get(&part.new).is_some_and(|one| one.state.in_force());
        old && new && sides.grant(part.old, part.project).is_some()
    };
    let (going, staying): (Vec<Part>, Vec<Part>) = sides.parts.iter().partition(|part| goes(part));
    if going.is_empty() {
        return Ok(None);
    }
    let (olds, news): (BTreeSet<_>, BTreeSet<_>) = going.iter().map(|part| (part.old, part.new)).unzip();
    stay_behind(act, &change, &staying, &olds, &news).await?;
    let by = act.caller.user_id().ok();
    let held: Vec<_> = olds.iter().map(|id| held_up(act, change.organization, *id, Cause::LevelChange, "", by)).collect();
    suspensions::insert_many(&mut act.tx, &held).await?;
    let (olds, news) = (ids(&olds), ids(&news));
    subscriptions::set_states(&mut act.tx, change.organization, &olds, SubscriptionState::Suspended, None).await?;
    suspensions::lift_cause(&mut act.tx, change.organization, &news, Cause::LevelChange, now, by).await?;
    subscriptions::set_states(&mut act.tx, change.organization, &news, SubscriptionState::Active, None).await?;
    let mut opened: BTreeMap<(SubscriptionId, ProjectId), KeptGrant> = BTreeMap::new();
    for part in going.iter().filter(|part| sides.grant(part.new, part.project).is_none()) {
        let Some(old) = sides.grant(part.old, part.project) else { continue };
        let new = KeptGrant {
            id: act.mint(),
            subscription: part.new,
            since: now,
            until: None,
            // Who approved the contract under which the project is served from now on.
            approved_by: sides.news.get(&part.new).and_then(|one| one.approved_by).or(old.approved_by),
            request: change.request,
            ..old.clone()
        };
        opened.entry((part.new, part.project)).or_insert(new);
    }
    grants::insert_many(&mut act.tx, change.organization, &opened.into_values().collect::<Vec<_>>()).await?;
    withdraw_requests(act, change.organization, &olds, "another subscription stands in for this one since a change of level").await?;
    (change.switched_at, change.switched_by) = (Some(now), by);
    kept::set_state(&mut act.tx, &change).await?;
    let budgets = budgets::carry(act, &change, &going).await?;
    let left_behind: BTreeSet<_> = staying.iter().map(|part| part.old).collect();
    let told = json!({"left_behind": left_behind, "budgets": budgets});
    tell(act, change, EventKind::LevelChangeSwitched, told).await.map(Some)
}

/// What cannot go along is no part of the change any more: the offer waits again, and what should have followed ends.
async fn stay_behind(
    act: &mut Act,
    change: &LevelChange,
    staying: &[Part],
    olds: &BTreeSet<SubscriptionId>,
    news: &BTreeSet<SubscriptionId>,
) -> Result<()> {
    let now = act.now();
    kept::drop_parts(&mut act.tx, change, staying).await?;
    let back: BTreeSet<_> = staying.iter().map(|part| part.old).filter(|old| !olds.contains(old)).collect();
    offers::set_states(&mut act.tx, change.organization, &ids(&back), change.contract, OfferState::Accepted.reopen()?, None).await?;
    let over: BTreeSet<_> = staying.iter().map(|part| part.new).filter(|new| !news.contains(new)).collect();
    let over = ids(&over);
    grants::close_all_of(&mut act.tx, change.organization, &over, now).await?;
    Ok(subscriptions::set_states(&mut act.tx, change.organization, &over, SubscriptionState::Ended, Some(now)).await?)
}

async fn withdraw_requests(act: &mut Act, organization: OrganizationId, of: &[SubscriptionId], why: &str) -> Result<()> {
    let open = stoa_store::requests::list_open_of(&mut act.tx, organization, of).await?;
    requests::withdraw_all(act, open, why).await
}

/// Takes a change back until the announced day: the subscriptions of before go on, and those that followed end. What was
/// taken out, paused or ended meanwhile stays so: reducing is never undone.
///
/// # Errors
/// 401, 404, 403; `wrong_state`, `too_late`, `already_ending` (409).
pub async fn undo(act: &mut Act, id: LevelChangeId) -> Result<Details> {
    let (change, level) = locked(act, id).await?;
    undo_now(act, change, level, LevelMove::Undo).await
}

async fn undo_now(act: &mut Act, mut change: LevelChange, level: Level, step: LevelMove) -> Result<Details> {
    let now = act.now();
    let before = change.state;
    change.state = change.state.after(step, change.until, now)?;
    let sides = Sides::read(act, &change).await?;
    let by = act.caller.user_id().ok();
    let olds: BTreeSet<_> = sides.parts.iter().map(|part| part.old).collect();
    let (over, budgets) = match before {
        LevelChangeState::Switched => go_back(act, &change, &sides, level).await?,
        _ => (BTreeSet::new(), Vec::new()),
    };
    let news = ids(sides.news.keys());
    grants::close_all_of(&mut act.tx, change.organization, &news, now).await?;
    let ending: Vec<_> = sides.news.values().filter(|one| one.state.is_live()).map(|one| one.id).collect();
    if before == LevelChangeState::Switched && over.len() < olds.len() {
        // The day belongs to those of before that go on, and so does its fee.
        let held: Vec<_> = ending.iter().map(|id| held_up(act, change.organization, *id, Cause::LevelChange, "", by)).collect();
        suspensions::insert_many(&mut act.tx, &held).await?;
    }
    subscriptions::set_states(&mut act.tx, change.organization, &ending, SubscriptionState::Ended, Some(now)).await?;
    withdraw_requests(act, change.organization, &news, "the change of level was undone").await?;
    let going_on: Vec<_> = olds.iter().copied().filter(|id| !over.contains(id)).collect();
    offer_again(act, &change, &going_on).await?;
    (change.undone_at, change.undone_by) = (Some(now), by);
    kept::set_state(&mut act.tx, &change).await?;
    tell(act, change, EventKind::LevelChangeUndone, json!({"was": before, "ended": over, "budgets": budgets})).await
}

/// The contract waits for consent again, or the newer one does that came meanwhile.
async fn offer_again(act: &mut Act, change: &LevelChange, olds: &[SubscriptionId]) -> Result<()> {
    let service = services::find(&mut act.tx, &Key::Id(change.service)).await?.ok_or(Error::NotFound("service"))?;
    let current = service.contract == change.contract;
    let state = if current { OfferState::Accepted.reopen()? } else { OfferState::Superseded };
    offers::set_states(&mut act.tx, change.organization, olds, change.contract, state, None).await?;
    if !current {
        offers::set_rollout(&mut act.tx, &service, true, act.caller.now).await?;
    }
    Ok(())
}

/// Gives the projects back to the subscriptions of before. Answers which of them end, because nothing of them is left, and
/// what becomes of budgets.
async fn go_back(act: &mut Act, change: &LevelChange, sides: &Sides, level: Level) -> Result<(BTreeSet<SubscriptionId>, Vec<String>)> {
    let now = act.now();
    let by = act.caller.user_id().ok();
    if let Some(one) = sides.news.values().find(|one| state_at(one, now).in_force() && one.ends_at.is_some()) {
        let detail = format!("{} is about to end; keep it first, or let it end", one.id);
        return Err(Error::conflict("already_ending", detail));
    }
    let open: Vec<_> = sides.news.values().map(|one| (one.organization, one.id)).collect();
    let causes = suspensions::open_of(&mut act.tx, &open).await?;
    let in_force = |id: &SubscriptionId| sides.news.get(id).is_some_and(|one| state_at(one, now).in_force());
    let still = |part: &&Part| in_force(&part.new) && sides.grant(part.new, part.project).is_some();
    let back: Vec<&Part> = sides.parts.iter().filter(still).collect();
    let going_on: BTreeSet<_> = back.iter().map(|part| part.old).collect();
    let over: BTreeSet<_> = sides.olds.keys().copied().filter(|id| !going_on.contains(id)).collect();
    // What ends here was an alias to its end, so that no fee of this day is its.
    suspensions::lift_cause(&mut act.tx, change.organization, &ids(&going_on), Cause::LevelChange, now, by).await?;
    // Whoever paused a subscription that followed has paused what it stands for, from then on.
    let mut held = BTreeMap::new();
    for part in &back {
        // A budget that is used up holds up nothing but what has it.
        for one in causes.iter().filter(|one| one.subscription == part.new && !matches!(one.cause, Cause::LevelChange | Cause::Budget)) {
            held.entry((part.old, one.cause)).or_insert_with(|| Suspension {
                since: one.since,
                ..held_up(act, change.organization, part.old, one.cause, &one.reason, one.set_by)
            });
        }
    }
    let paused: BTreeSet<_> = held.keys().map(|(id, _)| *id).collect();
    suspensions::insert_many(&mut act.tx, &held.into_values().collect::<Vec<_>>()).await?;
    let active: Vec<_> = going_on.iter().copied().filter(|id| !paused.contains(id)).collect();
    subscriptions::set_states(&mut act.tx, change.organization, &active, SubscriptionState::Active, None).await?;
    let gone = ids(&over);
    grants::close_all_of(&mut act.tx, change.organization, &gone, now).await?;
    subscriptions::set_states(&mut act.tx, change.organization, &gone, SubscriptionState::Ended, Some(now)).await?;
    keep_reductions(act, change, sides, &back, level).await?;
    let back: Vec<Part> = back.into_iter().copied().collect();
    Ok((over, budgets::given_back(act, change, &back).await?))
}

/// Purpose and end of a grant, and projects that were taken out, are as they were made meanwhile.
async fn keep_reductions(act: &mut Act, change: &LevelChange, sides: &Sides, back: &[&Part], level: Level) -> Result<()> {
    let now = act.now();
    let mut changed = Vec::new();
    for part in back {
        let (Some(old), Some(new)) = (sides.grant(part.old, part.project), sides.grant(part.new, part.project)) else { continue };
        if old.terms() != new.terms() {
            changed.push(KeptGrant { ends_at: new.ends_at, purpose: new.purpose.clone(), ..old.clone() });
        }
    }
    grants::set_terms(&mut act.tx, change.organization, &changed).await?;
    if level == Level::Organization {
        return Ok(());
    }
    for old in sides.olds.values() {
        let kept: BTreeSet<_> = back.iter().filter(|part| part.old == old.id).map(|part| part.project).collect();
        let gone: BTreeSet<_> =
            sides.parts.iter().filter(|part| part.old == old.id && !kept.contains(&part.project)).map(|part| part.project).collect();
        if kept.is_empty() || gone.is_empty() {
            continue;
        }
        grants::close(&mut act.tx, change.organization, old.id, &Vec::from_iter(gone.iter().copied()), now).await?;
        let reduced = Subscription { choice: old.choice.without(&gone), ..old.clone() };
        subscriptions::set_choice(&mut act.tx, &reduced).await?;
    }
    Ok(())
}

/// One round of what the announced day brings: what was accepted is switched, and what was switched is settled. Any number
/// of nodes may do so at once: each change is looked at again under the locks of both organizations. Answers how many.
///
/// # Errors
/// Those of the database; the next round does what was left.
pub async fn tick(stoa: &Stoa, now: Ts) -> Result<u64> {
    let mut conn = stoa.db.read().await?;
    let due = kept::due(&mut conn, now, ROUND).await?;
    drop(conn);
    let mut settled = 0;
    for one in due {
        let mut act = Act::begin(stoa, Caller::system(now)).await?;
        organizations::lock_there(&mut act.tx, &[one.organization, one.provider]).await?;
        // What another organization was given meanwhile is looked at in the next round, under its lock.
        let same = |found: &LevelChange| found.state.is_open() && found.provider == one.provider;
        let Some(change) = kept::find(&mut act.tx, one.id).await?.filter(same) else { continue };
        settle(&mut act, change).await?;
        act.commit().await?;
        settled += 1;
    }
    Ok(settled)
}

async fn settle(act: &mut Act, mut change: LevelChange) -> Result<()> {
    let now = act.now();
    if change.state == LevelChangeState::Accepted {
        change = match switch_now(act, change.clone()).await? {
            Some(switched) => switched.change,
            None => {
                let contract = services::find_contract(&mut act.tx, change.provider, change.contract).await?;
                let level = contract.ok_or(Error::NotFound("contract"))?.level;
                return undo_now(act, change, level, LevelMove::GiveUp).await.map(drop);
            }
        };
    }
    change.state = change.state.after(LevelMove::Settle, change.until, now)?;
    // What was switched before the day is over with the day, whenever that is written down.
    let at = change.switched_at.map_or(change.until, |switched| switched.max(change.until));
    let sides = Sides::read(act, &change).await?;
    let olds: Vec<_> = sides.olds.values().filter(|one| one.state.is_live()).map(|one| one.id).collect();
    grants::close_all_of(&mut act.tx, change.organization, &olds, at).await?;
    subscriptions::set_states(&mut act.tx, change.organization, &olds, SubscriptionState::Ended, Some(at)).await?;
    withdraw_requests(act, change.organization, &olds, "the subscription is over").await?;
    change.settled_at = Some(at);
    kept::set_state(&mut act.tx, &change).await?;
    tell(act, change, EventKind::LevelChangeSettled, json!({})).await.map(drop)
}
