//! Reporting usage, and reading what was reported.

mod aliases;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use stoa_domain::{
    amounts::Quantity,
    groupings::{Grouping, UsageKey, UsageLine, UsageWord, summarise_usage},
    ids::{OrganizationId, ProjectId, SubscriptionId},
    level_changes::Kinship,
    money::Overflow,
    organizations::Key,
    periods::Period,
    permissions::Permission,
    terms::at,
    text::Faults,
    time::{Span, Ts},
    usage::{Delivery, ProjectRef, UsageEvent},
};
use stoa_store::{
    Conn, level_changes, subscriptions, suspensions, terms,
    usage::{self, Counted, DayKey, EventKey, Granted, Reportable},
};

use crate::{
    Act, Caller, Error, Result, ServiceCaller, Who,
    costs::{Names, too_large},
    seats,
};

/// Meters that a refusal names.
const MOST_NAMED: usize = 10;

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reported {
    /// Events that were counted.
    pub accepted: usize,
    /// Events that had been counted before, or stood in the batch already.
    pub duplicates: usize,
}

/// The service that reports.
///
/// # Errors
/// 401 without credentials, `services_only` (403) for a person.
pub fn reporter(caller: &Caller) -> Result<&ServiceCaller> {
    match &caller.who {
        Who::Service(service) => Ok(service),
        Who::Anonymous => Err(Error::Unauthenticated),
        Who::User(_) | Who::System => Err(Error::ServicesOnly),
    }
}

/// Counts a batch of usage events: all of them or none. An event that was counted before is not counted again, so a batch
/// whose answer was lost is sent again as it is.
///
/// # Errors
/// 401, 403; 422 for a subscription that is not the service's, a meter that the plan does not have, a project without a
/// grant at the time; `usage_conflict` (409) for an event that was counted before with another content.
pub async fn report(act: &mut Act, events: &[UsageEvent]) -> Result<Reported> {
    let service = reporter(&act.caller)?.clone();
    let kinship = Kinship::of(level_changes::kin(&mut act.tx, &named(events)).await?);
    let mut concerned = subjects(&mut act.tx, &service, events, &kinship).await?;
    let held = subscriptions::lock(&mut act.tx, concerned.keys().copied()).await?;
    for (id, provider) in held {
        if let Some(one) = concerned.get_mut(&id) {
            one.provider = provider;
        }
    }
    let placed = aliases::resolved(&mut act.tx, &concerned, &kinship, events).await?;
    let fresh = undelivered(&mut act.tx, &concerned, &placed).await?;
    let duplicates = events.len() - fresh.len();
    let mut counted = place(&mut act.tx, &concerned, &fresh).await?;
    // One order for all batches, in which the database's own locks are taken.
    counted.sort_by(|a, b| key(a.event).cmp(&key(b.event)));
    let now = act.now();
    usage::insert(&mut act.tx, &counted, now).await?;
    add_up(act, &counted).await?;
    Ok(Reported { accepted: counted.len(), duplicates })
}

type Subscriptions = BTreeMap<SubscriptionId, Reportable>;

/// The subscriptions that the events name, each once.
fn named(events: &[UsageEvent]) -> Vec<SubscriptionId> {
    let named: BTreeSet<SubscriptionId> = events.iter().map(|event| event.subscription).collect();
    named.into_iter().collect()
}

/// The subscriptions that the events name, if the service may report for each, and those they are tied to by a change of
/// level.
async fn subjects(conn: &mut Conn, service: &ServiceCaller, events: &[UsageEvent], kinship: &Kinship) -> Result<Subscriptions> {
    let named: BTreeSet<SubscriptionId> = named(events).into_iter().chain(kinship.all()).collect();
    let named: Vec<SubscriptionId> = named.into_iter().collect();
    let found = usage::reportable(conn, service.application, &named).await?;
    let found: Subscriptions = found.into_iter().map(|one| (one.id, one)).collect();
    let mut faults = Faults::new();
    for (index, event) in events.iter().enumerate() {
        let only = service.subscription.map(|(_, subscription)| subscription);
        if only.is_some_and(|only| only != event.subscription) {
            faults.add(
                format!("/{index}/subject"),
                "the token is for another subscription; name its own or use a token of the service itself",
            );
        } else if !found.contains_key(&event.subscription) {
            faults.add(format!("/{index}/subject"), "this is no subscription of a service of this application");
        }
    }
    faults.or(Some(found)).map_err(Error::from)
}

fn key(event: &UsageEvent) -> (SubscriptionId, &str, &str) {
    (event.subscription, &event.source, &event.id)
}

/// The events that are not counted yet, each once, with their places in the batch. An event is the same whichever of the
/// subscriptions that are tied by a change of level it was counted for.
async fn undelivered<'a>(
    conn: &mut Conn,
    subscriptions: &Subscriptions,
    placed: &'a [aliases::Placed<'a>],
) -> Result<Vec<(usize, &'a UsageEvent)>> {
    let copies: Vec<UsageEvent> = placed.iter().flat_map(aliases::Placed::for_others).collect();
    let every = placed.iter().map(|one| one.event.as_ref()).chain(&copies);
    let named: Vec<(OrganizationId, &UsageEvent)> =
        every.filter_map(|event| Some((subscriptions.get(&event.subscription)?.organization, event))).collect();
    let mut known: HashMap<EventKey, [u8; 32]> = usage::known(conn, &named).await?;
    let mut fresh = Vec::with_capacity(placed.len());
    for (index, one) in placed.iter().enumerate() {
        let event = one.event.as_ref();
        let key = (event.subscription, event.source.clone(), event.id.clone());
        let of = |id: &SubscriptionId| known.get(&(*id, event.source.clone(), event.id.clone()));
        let before = known.get(&key).or_else(|| one.others.iter().find_map(of));
        match event.against(before.map(<[u8; 32]>::as_slice)) {
            Delivery::New => {
                known.insert(key, event.body_hash);
                fresh.push((index, event));
            }
            Delivery::Duplicate => {}
            Delivery::Conflict => {
                let (source, id) = (&event.source, &event.id);
                return Err(Error::conflict(
                    "usage_conflict",
                    format!(
                        "event {index} of the batch (id \"{id}\", source \"{source}\") was reported before with another content; report a \
                         correction as an event with an id of its own"
                    ),
                ));
            }
        }
    }
    Ok(fresh)
}

/// The events with the projects they name, if each meter exists and each project was granted at the time.
async fn place<'a>(conn: &mut Conn, subscriptions: &Subscriptions, fresh: &[(usize, &'a UsageEvent)]) -> Result<Vec<Counted<'a>>> {
    let mut faults = Faults::new();
    let concerned: Vec<Reportable> = subscriptions.values().copied().collect();
    // Read under the lock on the subscriptions, so that no plan changes meanwhile.
    let terms = terms::of_many(conn, concerned.iter().map(|one| (one.organization, one.id))).await?;
    let mut held = Vec::with_capacity(concerned.len());
    for one in &concerned {
        held.push((one.provider, one.contract, one.plan));
        held.extend(terms.get(&one.id).into_iter().flatten().map(|terms| (one.provider, terms.contract, terms.plan)));
    }
    let meters = usage::meter_names(conn, held).await?;
    let named: HashMap<(SubscriptionId, &ProjectRef), OrganizationId> = fresh
        .iter()
        .filter_map(|(_, event)| Some(((event.subscription, &event.project), subscriptions.get(&event.subscription)?.organization)))
        .collect();
    let named: Vec<_> = named.into_iter().map(|((subscription, project), organization)| (organization, subscription, project)).collect();
    let granted = usage::granted(conn, &named).await?;
    let subjects: Vec<_> = concerned.iter().map(|one| (one.organization, one.id)).collect();
    let held = suspensions::spans_of(conn, &subjects).await?;
    let granted: HashMap<(SubscriptionId, &ProjectRef), &Granted> =
        granted.iter().map(|((subscription, project), granted)| ((*subscription, project), granted)).collect();
    let mut counted = Vec::with_capacity(fresh.len());
    for &(index, event) in fresh {
        let Some(subscription) = subscriptions.get(&event.subscription) else { continue };
        let history = terms.get(&subscription.id).map_or(&[][..], Vec::as_slice);
        let plan = |then| at(history, then).map_or(subscription.plan, |terms| terms.plan);
        let names = |plan| meters.get(&plan).map_or(&[][..], Vec::as_slice);
        // A time written in whole seconds means that second, in which the plan may have changed.
        let then = names(plan(event.time.until.plus(-1)));
        if !then.contains(&event.meter) && !names(plan(event.time.at)).contains(&event.meter) {
            faults.add(format!("/{index}/data/meter"), unknown_meter(then));
        }
        let in_force = InForce { until: subscription.end, held: held.get(&event.subscription).map(Vec::as_slice).unwrap_or_default() };
        match granted_project(granted.get(&(event.subscription, &event.project)).copied(), &in_force, event) {
            Ok(project) => counted.push(Counted { organization: subscription.organization, project, event }),
            Err(refusal) => faults.add(format!("/{index}/data/project"), refusal),
        }
    }
    faults.or(Some(counted)).map_err(Error::from)
}

fn unknown_meter(names: &[String]) -> String {
    let shown = names.iter().take(MOST_NAMED).cloned().collect::<Vec<_>>().join(", ");
    match names.len() {
        0 => "the plan of this subscription has no meters".to_owned(),
        count if count > MOST_NAMED => {
            format!("the plan has no such meter; its meters are {shown} and {} more", count - MOST_NAMED)
        }
        _ => format!("the plan has no such meter; its meters are {shown}"),
    }
}

/// When a subscription was in force.
struct InForce<'a> {
    /// Its end, gone by or to come.
    until: Option<Ts>,
    /// When it was held up.
    held: &'a [Span],
}

fn granted_project(granted: Option<&Granted>, in_force: &InForce<'_>, event: &UsageEvent) -> Result<ProjectId, String> {
    let Some(granted) = granted else {
        return Err("the subscription has never been granted such a project".to_owned());
    };
    let ever = Span::new(Ts::from_micros(i64::MIN), in_force.until);
    let mut open = granted.spans.iter().flat_map(|span| span.within(ever).without(in_force.held));
    if open.any(|span| event.time.covered_by(span)) {
        return Ok(granted.project);
    }
    if let Some(held) = in_force.held.iter().find(|held| event.time.covered_by(**held)) {
        return Err(format!("the subscription was paused at that time, {}", written(held)));
    }
    let mut spans = granted.spans.clone();
    spans.sort_unstable();
    let last = spans.iter().rev().take(3).rev().map(written).collect::<Vec<_>>().join(" and ");
    Err(format!("the project was not granted to the subscription at that time, but {last}"))
}

fn written(span: &Span) -> String {
    match span.to {
        Some(to) => format!("from {} until {to}", span.from),
        None => format!("since {}", span.from),
    }
}

/// Adds events to the sums of their days, under the lock on their subscriptions.
async fn add_up(act: &mut Act, counted: &[Counted<'_>]) -> Result<()> {
    let mut added: BTreeMap<DayKey, Quantity> = BTreeMap::new();
    for one in counted {
        let key = DayKey {
            organization: one.organization,
            subscription: one.event.subscription,
            project: one.project,
            meter: one.event.meter.clone(),
            day: one.event.time.at.day(),
        };
        let sum = added.entry(key).or_default();
        *sum = sum.plus(one.event.quantity).map_err(too_large)?;
    }
    let keys: Vec<&DayKey> = added.keys().collect();
    let kept = usage::sums(&mut act.tx, &keys).await?;
    for (key, sum) in &mut added {
        if let Some(before) = kept.get(key) {
            *sum = sum.plus(*before).map_err(too_large)?;
        }
        // A sum that could not be read back would spoil every cost it is part of.
        sum.to_string().parse::<Quantity>().map_err(|_| too_large(Overflow))?;
    }
    usage::set_sums(&mut act.tx, &added).await?;
    Ok(())
}

/// One row of reported usage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRow {
    /// What it is about.
    pub key: UsageKey,
    /// The meter's unit, where all plans concerned agree on it.
    pub unit: Option<String>,
    /// How much.
    pub quantity: Quantity,
}

/// What was reported for an organization's subscriptions.
#[derive(Debug, Clone)]
pub struct Usage {
    /// The organization and the caller's role.
    pub seat: seats::Seat,
    /// The rows, ordered by key.
    pub rows: Vec<UsageRow>,
    /// The names of services and projects.
    pub names: Names,
}

/// What was reported for an organization's subscriptions in a period.
///
/// # Errors
/// 401, 404.
pub async fn of_organization(
    conn: &mut Conn,
    caller: &Caller,
    key: &Key<OrganizationId>,
    period: Period,
    by: &Grouping<UsageWord>,
) -> Result<Usage> {
    let seat = seats::allowed(conn, caller, key, Permission::View).await?;
    let organization = seat.organization.id;
    let billed = stoa_store::costs::stretches(conn, organization, None, period.from.start(), period.to.start()).await?;
    let plans = stoa_store::costs::plans(conn, &billed).await?;
    let daily = usage::daily(conn, organization, None, period.from, period.to).await?;
    let names = Names::read(conn, organization, &billed).await?;
    let services: HashMap<SubscriptionId, &stoa_store::costs::Billed> = billed.iter().map(|one| (one.id, one)).collect();
    let mut units: BTreeMap<(_, String), Option<String>> = BTreeMap::new();
    for one in &billed {
        for meter in plans.get(&one.plan).into_iter().flat_map(|plan| &plan.meters) {
            let unit = units.entry((one.service, meter.name.clone())).or_insert_with(|| Some(meter.unit.clone()));
            *unit = unit.take().filter(|unit| *unit == meter.unit);
        }
    }
    let lines = daily.into_iter().filter_map(|one| {
        let service = services.get(&one.subscription)?.service;
        let (subscription, project, meter) = (one.subscription, one.project, one.meter);
        Some(UsageLine { service, subscription, project, meter, day: one.day, quantity: one.quantity })
    });
    let sums = summarise_usage(lines, by).map_err(too_large)?;
    let row = |(key, quantity): (UsageKey, Quantity)| {
        let unit = units.get(&(key.service, key.meter.clone())).cloned().flatten();
        UsageRow { key, unit, quantity }
    };
    Ok(Usage { seat, rows: sums.into_iter().map(row).collect(), names })
}
