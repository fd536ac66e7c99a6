//! Usage of subscriptions that are tied by a change of level: it is counted for the one that held the project at the time.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use stoa_domain::{
    ids::{OrganizationId, ProjectId, SubscriptionId},
    level_changes::Kinship,
    time::{Span, Ts},
    usage::{ProjectRef, UsageEvent},
};
use stoa_store::{
    Conn, suspensions,
    usage::{self, Granted},
};

use super::Subscriptions;
use crate::Result;

/// An event with the subscription for which it is to be counted.
#[derive(Debug)]
pub(super) struct Placed<'a> {
    /// The event; its subscription is the one that held the project at its time.
    pub event: Cow<'a, UsageEvent>,
    /// Those for which it may have been counted before.
    pub others: BTreeSet<SubscriptionId>,
}

impl Placed<'_> {
    /// The event once for each of the others, so that it is found if it was counted for one of them.
    pub(super) fn for_others(&self) -> Vec<UsageEvent> {
        self.others.iter().map(|id| UsageEvent { subscription: *id, ..self.event.as_ref().clone() }).collect()
    }
}

/// The events with the subscriptions for which they are to be counted: under whichever of those that are tied they were
/// reported, it is the one that held the project at their time. What none of them held stays as it was written, and is
/// refused for it.
pub(super) async fn resolved<'a>(
    conn: &mut Conn,
    subscriptions: &Subscriptions,
    kinship: &Kinship,
    events: &'a [UsageEvent],
) -> Result<Vec<Placed<'a>>> {
    if kinship.is_empty() {
        return Ok(events.iter().map(|event| Placed { event: Cow::Borrowed(event), others: BTreeSet::new() }).collect());
    }
    let organization = |event: &UsageEvent| subscriptions.get(&event.subscription).map(|one| one.organization);
    let handles: BTreeSet<(OrganizationId, &str)> = events
        .iter()
        .filter_map(|event| match &event.project {
            ProjectRef::Handle(handle) => Some((organization(event)?, handle.as_str())),
            ProjectRef::Id(_) => None,
        })
        .collect();
    let by_handle = usage::projects_by_handle(conn, &Vec::from_iter(handles)).await?;
    let project = |event: &UsageEvent| match &event.project {
        ProjectRef::Id(id) => Some(*id),
        ProjectRef::Handle(handle) => by_handle.get(&(organization(event)?, handle.clone())).copied(),
    };
    let related: HashMap<(SubscriptionId, ProjectId), BTreeSet<SubscriptionId>> = events
        .iter()
        .filter_map(|event| Some((event.subscription, project(event)?)))
        .map(|(id, project)| ((id, project), kinship.relatives(id, project)))
        .filter(|(_, relatives)| !relatives.is_empty())
        .collect();
    let asked: BTreeSet<(SubscriptionId, ProjectId)> =
        related.iter().flat_map(|((id, project), relatives)| relatives.iter().chain([id]).map(|id| (*id, *project))).collect();
    let refs: Vec<_> =
        asked.iter().filter_map(|(id, project)| Some((subscriptions.get(id)?.organization, *id, ProjectRef::Id(*project)))).collect();
    let named: Vec<_> = refs.iter().map(|(organization, id, project)| (*organization, *id, project)).collect();
    let granted = usage::granted(conn, &named).await?;
    let tied: BTreeSet<_> = refs.iter().map(|(organization, id, _)| (*organization, *id)).collect();
    let held = suspensions::spans_of(conn, &Vec::from_iter(tied)).await?;
    let granted = granted.into_iter().map(|((id, _), granted)| ((id, granted.project), granted)).collect();
    let kin = Kin { subscriptions, held, granted };
    let place = |event: &'a UsageEvent| {
        let relatives = project(event).and_then(|project| Some((project, related.get(&(event.subscription, project))?)));
        let Some((project, relatives)) = relatives else { return Placed { event: Cow::Borrowed(event), others: BTreeSet::new() } };
        kin.place(event, project, relatives)
    };
    Ok(events.iter().map(place).collect())
}

struct Kin<'a> {
    subscriptions: &'a Subscriptions,
    held: BTreeMap<SubscriptionId, Vec<Span>>,
    granted: HashMap<(SubscriptionId, ProjectId), Granted>,
}

impl Kin<'_> {
    /// Whether a subscription held the project at the time of an event.
    fn holds(&self, id: SubscriptionId, project: ProjectId, event: &UsageEvent) -> bool {
        let (Some(granted), Some(subscription)) = (self.granted.get(&(id, project)), self.subscriptions.get(&id)) else { return false };
        let ever = Span::new(Ts::from_micros(i64::MIN), subscription.end);
        let held = self.held.get(&id).map(Vec::as_slice).unwrap_or_default();
        let mut open = granted.spans.iter().flat_map(|span| span.within(ever).without(held));
        open.any(|span| event.time.covered_by(span))
    }

    fn place<'a>(&self, event: &'a UsageEvent, project: ProjectId, relatives: &BTreeSet<SubscriptionId>) -> Placed<'a> {
        let all: BTreeSet<_> = relatives.iter().copied().chain([event.subscription]).collect();
        let own = self.holds(event.subscription, project, event);
        let holder = if own { None } else { relatives.iter().copied().find(|id| self.holds(*id, project, event)) };
        let event = match holder {
            Some(holder) => Cow::Owned(UsageEvent { subscription: holder, ..event.clone() }),
            None => Cow::Borrowed(event),
        };
        let others = all.into_iter().filter(|id| *id != event.subscription).collect();
        Placed { event, others }
    }
}
