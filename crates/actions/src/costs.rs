//! What subscriptions cost: rated from daily sums of usage and from the days on which fees accrue.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use stoa_domain::{
    costs::{CostLine, DailyQuantity, PlanSince, RatingError, SubscriptionTerms, rate_by_plan, usage_needed},
    groupings::{CostSummary, CostWord, Grouping, Origin, summarise_costs},
    ids::{OrganizationId, PlanId, ProjectId, ServiceId, SubscriptionId},
    level_changes::Kinship,
    meters::Plan,
    money::{Currency, Overflow},
    organizations::Key,
    periods::Period,
    permissions::Permission,
    subscriptions::Subscription,
    suspensions::Cause,
    time::{Span, Ts},
};
use stoa_store::{Conn, StoreError, costs, level_changes, suspensions, usage};

pub use stoa_store::costs::Billed;

use crate::{Caller, Error, Result, seats};

/// Amounts that cannot be calculated exactly are refused rather than rounded.
pub(crate) fn too_large(overflow: Overflow) -> Error {
    Error::Unfit { code: "amount_too_large", detail: overflow.to_string() }
}

fn unrated(error: RatingError) -> Error {
    match error {
        RatingError::Overflow(overflow) => too_large(overflow),
        // Reports are checked against the plan of their time, and no plan ever changes.
        RatingError::UnknownMeter(_) => Error::Store(StoreError::Corrupt { column: 0, reason: error.to_string() }),
    }
}

/// A thing under its handle and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its handle.
    pub handle: String,
    /// Its name.
    pub name: String,
}

/// The names of what costs and usage are told of.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// The services.
    pub services: BTreeMap<ServiceId, Named>,
    /// The organization's projects, deleted ones included.
    pub projects: BTreeMap<ProjectId, Named>,
}

impl Names {
    pub(crate) async fn read(conn: &mut Conn, organization: OrganizationId, billed: &[Billed]) -> Result<Self> {
        let projects = costs::project_names(conn, organization).await?;
        let projects = projects.into_iter().map(|(id, (handle, name))| (id, Named { handle, name })).collect();
        let service = |one: &Billed| (one.service, Named { handle: one.service_handle.clone(), name: one.service_name.clone() });
        Ok(Self { services: billed.iter().map(service).collect(), projects })
    }
}

/// The cost lines of a period, with all that is needed to group, name and export them.
#[derive(Debug, Clone)]
pub struct Costs {
    /// Which days.
    pub period: Period,
    /// The subscriptions that were in force in the period, once for each contract and plan they had.
    pub subscriptions: Vec<Billed>,
    /// Their plans.
    pub plans: HashMap<PlanId, Arc<Plan>>,
    /// The lines, each with the position of its subscription under the plan that priced it.
    pub lines: Vec<(usize, CostLine)>,
    /// The names of services and projects.
    pub names: Names,
}

impl Costs {
    /// What is counted on a meter of that name, by the latest plan that has it.
    pub fn unit(&self, meter: &str) -> Option<&str> {
        let plans = (0..self.subscriptions.len()).rev().filter_map(|position| self.plan(position));
        plans.filter_map(|plan| plan.meter(meter)).map(|meter| meter.unit.as_str()).next()
    }

    /// The plan of the subscription at a position.
    pub fn plan(&self, position: usize) -> Option<&Plan> {
        self.plans.get(&self.subscriptions.get(position)?.plan).map(Arc::as_ref)
    }

    /// The currencies of all subscriptions of the period, also of those that cost nothing.
    pub fn currencies(&self) -> BTreeSet<Currency> {
        let period = Span::new(self.period.from.start(), Some(self.period.to.start()));
        let held = |position: &usize| self.subscriptions.get(*position).is_some_and(|one| !one.held.within(period).is_empty());
        (0..self.subscriptions.len()).filter(held).filter_map(|position| Some(self.plan(position)?.currency)).collect()
    }

    /// The lines of a part of the period, added up.
    ///
    /// # Errors
    /// `amount_too_large` (422).
    pub fn summary_of(&self, part: Period, by: &Grouping<CostWord>) -> Result<CostSummary> {
        let lines = self.lines.iter().filter(|(_, line)| (part.from..part.to).contains(&line.day));
        let lines = lines.filter_map(|(position, line)| {
            let one = self.subscriptions.get(*position)?;
            let origin = Origin { service: one.service, subscription: one.id, currency: self.plan(*position)?.currency };
            Some((origin, line.clone()))
        });
        let mut summary = summarise_costs(lines, by).map_err(too_large)?;
        // What costs nothing so far still has a total, of nothing.
        for currency in self.currencies() {
            summary.totals.entry(currency).or_default();
        }
        Ok(summary)
    }

    /// All lines, added up.
    ///
    /// # Errors
    /// `amount_too_large` (422).
    pub fn summary(&self, by: &Grouping<CostWord>) -> Result<CostSummary> {
        self.summary_of(self.period, by)
    }
}

/// The costs of an organization in a period. The number of statements is the same whatever the number of subscriptions,
/// and only daily sums are read, however many events they are made of.
///
/// # Errors
/// 401, 404; `amount_too_large` (422).
pub async fn of_organization(conn: &mut Conn, caller: &Caller, key: &Key<OrganizationId>, period: Period) -> Result<(seats::Seat, Costs)> {
    let seat = seats::allowed(conn, caller, key, Permission::View).await?;
    let costs = rated(conn, seat.organization.id, Part::default(), caller.now, period).await?;
    Ok((seat, costs))
}

/// The costs of one subscription in a period, for those who were let see the subscription.
///
/// # Errors
/// Those of the database; `amount_too_large` (422).
pub async fn of_subscription(conn: &mut Conn, subscription: &Subscription, now: Ts, period: Period) -> Result<Costs> {
    let only = [subscription.id];
    let part = Part { subscriptions: Some(&only), projects: None };
    rated(conn, subscription.organization, part, now, period).await
}

/// What an organization runs up in a period, for those who were let see it; as [`of_organization`].
///
/// # Errors
/// Those of the database; `amount_too_large` (422).
pub(crate) async fn of_month(conn: &mut Conn, organization: OrganizationId, now: Ts, month: Period) -> Result<Costs> {
    rated(conn, organization, Part::default(), now, month).await
}

/// Which part of an organization's costs is wanted; all of it by default.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Part<'a> {
    /// Of these subscriptions only.
    pub subscriptions: Option<&'a [SubscriptionId]>,
    /// Fees for projects of these projects only. What was used is told of all, since tiers look at all of it.
    pub projects: Option<&'a [ProjectId]>,
}

/// What some subscriptions cost in a period, for those who were let see them.
///
/// # Errors
/// Those of the database; `amount_too_large` (422).
pub(crate) async fn of_part(conn: &mut Conn, organization: OrganizationId, part: Part<'_>, now: Ts, month: Period) -> Result<Costs> {
    rated(conn, organization, part, now, month).await
}

async fn rated(conn: &mut Conn, organization: OrganizationId, part: Part<'_>, now: Ts, period: Period) -> Result<Costs> {
    let (from, to, only) = (period.from, period.to, part.subscriptions);
    let subscriptions = costs::stretches(conn, organization, only, from.start(), to.start()).await?;
    let plans = costs::plans(conn, &subscriptions).await?;
    let held = suspensions::spans(conn, organization, only, from.start(), to.start()).await?;
    let kinship = Kinship::of(level_changes::parts_of_organization(conn, organization).await?);
    let grants = costs::grants(conn, organization, only, part.projects, from.start(), to.start()).await?;
    let (first, end) = usage_needed(from, to);
    let with_kin = only.map(|only| with_kin(only, &kinship));
    let daily = usage::daily(conn, organization, with_kin.as_deref(), first, end).await?;
    let names = Names::read(conn, organization, &subscriptions).await?;
    let mut terms: Vec<(usize, SubscriptionTerms)> = Vec::new();
    let mut positions: HashMap<SubscriptionId, usize> = HashMap::new();
    for (first, one) in subscriptions.iter().enumerate() {
        let position = *positions.entry(one.id).or_insert(terms.len());
        let plan = PlanSince { since: one.held.from, plan: plan_of(one, &plans)? };
        match terms.get_mut(position) {
            Some((_, terms)) => terms.plans.push(plan),
            None => {
                // While something holds it up, no fee accrues.
                let held: Vec<_> = held.get(&one.id).into_iter().flatten().map(free_of_fees).collect();
                let new = SubscriptionTerms {
                    plans: vec![plan],
                    active: one.active.without(&held),
                    grants: Vec::new(),
                    usage: Vec::new(),
                    elsewhere: Vec::new(),
                    follows: one.follows,
                };
                terms.push((first, new));
            }
        }
    }
    for (subscription, project, span) in grants {
        if let Some((_, terms)) = positions.get(&subscription).and_then(|position| terms.get_mut(*position)) {
            terms.grants.push((project, span));
        }
    }
    let mut interned: BTreeSet<Arc<str>> = BTreeSet::new();
    let mut relatives: HashMap<(SubscriptionId, ProjectId), BTreeSet<SubscriptionId>> = HashMap::new();
    for one in daily {
        let meter = interned.get(one.meter.as_str()).cloned().unwrap_or_else(|| {
            let meter: Arc<str> = one.meter.into();
            interned.insert(Arc::clone(&meter));
            meter
        });
        let used = DailyQuantity { project: one.project, meter, day: one.day, quantity: one.quantity };
        let of = (one.subscription, one.project);
        for relative in relatives.entry(of).or_insert_with(|| kinship.relatives(of.0, of.1)).iter() {
            if let Some((_, terms)) = positions.get(relative).and_then(|position| terms.get_mut(*position)) {
                terms.elsewhere.push(used.clone());
            }
        }
        if let Some((_, terms)) = positions.get(&one.subscription).and_then(|position| terms.get_mut(*position)) {
            terms.usage.push(used);
        }
    }
    let mut lines = Vec::new();
    for (first, terms) in &terms {
        lines.extend(rate_by_plan(terms, now, from, to).map_err(unrated)?.into_iter().map(|(turn, line)| (first + turn, line)));
    }
    Ok(Costs { period, subscriptions, plans, lines, names })
}

/// Some subscriptions, and those that served or serve their projects in their stead.
fn with_kin(only: &[SubscriptionId], kinship: &Kinship) -> Vec<SubscriptionId> {
    let kin = |id: &SubscriptionId| {
        let projects: Vec<_> = kinship.projects_of(*id).collect();
        projects.into_iter().flat_map(|project| kinship.relatives(*id, project)).collect::<Vec<_>>()
    };
    let all: BTreeSet<_> = only.iter().flat_map(kin).chain(only.iter().copied()).collect();
    all.into_iter().collect()
}

/// The time for which no fee accrues because something held a subscription up. The day on which another one takes over
/// belongs to the one that has it at its end, so that it is charged once.
fn free_of_fees((cause, span): &(Cause, Span)) -> Span {
    match cause {
        Cause::LevelChange => Span::new(span.from.day().start(), span.to.map(|to| to.day().start())),
        Cause::Consumer | Cause::Provider | Cause::Operator | Cause::Budget => *span,
    }
}

fn plan_of(one: &Billed, plans: &HashMap<PlanId, Arc<Plan>>) -> Result<Arc<Plan>> {
    // A plan is never deleted, so a missing one is damage.
    let missing = || StoreError::Corrupt { column: 0, reason: format!("the plan {} of the subscription {} is missing", one.plan, one.id) };
    Ok(Arc::clone(plans.get(&one.plan).ok_or_else(missing)?))
}
