//! Rating: what usage and fees come to, by day, component and project.
//!
//! Every line is exact, and lines add up exactly to what they are parts of:
//!
//! - `one_time` falls on the day of the first activation.
//! - `monthly` accrues on each UTC day on which the subscription is active at any moment; `monthly_per_project` on each
//!   such day of each project whose grant and the subscription are both live at some moment of it. The fee up to the nth
//!   day of a month of m days is `fee × n / m`, rounded half to even at 8 decimals (more only if the fee has more), and a
//!   day's part is the difference to the day before: a full month is exactly the fee. Nothing accrues after today.
//! - A standard meter costs `quantity × unit_price` per day and project. Corrections are negative and cost negatively.
//!   Free units are used up through the month in the order of days (within a day, of project ids).
//! - Tiers and packages are applied to the quantity of the calendar month over all projects, less the free units. Their
//!   cost is shared among the projects by their quantity of the month, and within a project among its days, cut at 12
//!   decimals with the rest on the last. A project whose corrections outweigh its usage has no share.
//! - With free units, tiers or packages a month never costs less than nothing. A correction carries the time of what it
//!   corrects, and so lowers the month that was charged too much.
//!
//! Lines of tiered meters of a month that is not over change as more is reported: the share follows the whole month.
//!
//! A subscription's plan may change. Each UTC day belongs to the plan that holds at its end, and each line is the line that
//! the same month would have under the plan of its day alone: a fee's part of that day, and a meter's share of what the
//! quantity of the whole month comes to. So a plan that changes nothing changes no cost, one that is nowhere dearer never
//! costs more than staying, and nothing is charged twice. The one-time fee is that of the plan of the first activation. A
//! meter that the plan of a day does not have is priced by the last one before that held on this day and has it.
//!
//! By a change of level other subscriptions may go on with the projects of one. Then each line is the line that the same
//! month would have if all of it had been reported for the subscription of its day: what was reported for the others counts
//! towards free units, tiers and packages, and is charged there.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    str::FromStr,
    sync::Arc,
};

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{
    amounts::{Cost, Quantity},
    ids::ProjectId,
    meters::{Meter, Plan, Price},
    money::{Overflow, PRICE_PLACES},
    time::{Day, Span, Ts},
};

/// Decimals at which accrued fees are rounded, unless the fee itself has more.
const FEE_PLACES: u32 = 8;

/// What a cost is for. Written `one_time`, `monthly`, `monthly_per_project` or `meter:` and the meter's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// The one-time fee.
    OneTime,
    /// The base fee of a month.
    Monthly,
    /// The fee of a month for each project.
    MonthlyPerProject,
    /// What was counted on the meter of that name.
    Meter(Arc<str>),
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneTime => f.write_str("one_time"),
            Self::Monthly => f.write_str("monthly"),
            Self::MonthlyPerProject => f.write_str("monthly_per_project"),
            Self::Meter(name) => write!(f, "meter:{name}"),
        }
    }
}

/// Why a text is not a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write one_time, monthly, monthly_per_project or meter: and the name of a meter")]
pub struct NotAComponent;

impl FromStr for Component {
    type Err = NotAComponent;
    fn from_str(text: &str) -> Result<Self, NotAComponent> {
        match text {
            "one_time" => Ok(Self::OneTime),
            "monthly" => Ok(Self::Monthly),
            "monthly_per_project" => Ok(Self::MonthlyPerProject),
            _ => text.strip_prefix("meter:").map(|name| Self::Meter(name.into())).ok_or(NotAComponent),
        }
    }
}

impl Serialize for Component {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Component {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(D::Error::custom)
    }
}

/// The sum of what was reported for a project on a meter on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DailyQuantity {
    /// With which project's data.
    pub project: ProjectId,
    /// On which meter of the plan.
    pub meter: Arc<str>,
    /// On which UTC day.
    pub day: Day,
    /// How much.
    pub quantity: Quantity,
}

/// A plan that holds from an instant on, until the next one does.
#[derive(Debug, Clone)]
pub struct PlanSince {
    /// Its first instant; of the first plan it does not matter.
    pub since: Ts,
    /// The plan.
    pub plan: Arc<Plan>,
}

/// All that decides what a subscription costs.
#[derive(Debug, Clone)]
pub struct SubscriptionTerms {
    /// Its plans, one after the other; at least one.
    pub plans: Vec<PlanSince>,
    /// When it was active.
    pub active: Vec<Span>,
    /// Which projects were granted when.
    pub grants: Vec<(ProjectId, Span)>,
    /// What was reported, in any order, for at least the days of [`usage_needed`].
    pub usage: Vec<DailyQuantity>,
    /// What was reported in those days for the same projects while another subscription stood in for this one, by a change
    /// of level. It counts towards free units, tiers and packages of its month, and costs nothing here.
    pub elsewhere: Vec<DailyQuantity>,
    /// Whether it goes on where another subscription stopped, so that the one-time fee was paid before.
    pub follows: bool,
}

/// A part of the cost of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostLine {
    /// On which UTC day.
    pub day: Day,
    /// For what.
    pub component: Component,
    /// For which project; `None` for what belongs to none.
    pub project: Option<ProjectId>,
    /// The reported quantity, for meters.
    pub quantity: Option<Quantity>,
    /// The exact cost in the currency of the plan.
    pub cost: Cost,
}

/// Why a cost cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RatingError {
    /// Usage on a meter the plan does not have.
    #[error("the plan has no meter named \"{0}\"")]
    UnknownMeter(Arc<str>),
    /// Amounts beyond all measure.
    #[error(transparent)]
    Overflow(#[from] Overflow),
}

/// From which day until (not including) which day usage must be known to rate the days from `from` until `to`: tiers,
/// packages and free units look at whole months.
pub fn usage_needed(from: Day, to: Day) -> (Day, Day) {
    let last = Day::from_number(to.number().saturating_sub(1)).max(from);
    (from.month_start(), last.next_month())
}

/// The cost lines of the days from `from` until (not including) `to`, ordered by day, component and project. Lines that
/// say nothing (no quantity, no cost) are left out.
///
/// # Errors
/// [`RatingError`].
pub fn rate(terms: &SubscriptionTerms, now: Ts, from: Day, to: Day) -> Result<Vec<CostLine>, RatingError> {
    Ok(rate_by_plan(terms, now, from, to)?.into_iter().map(|(_, line)| line).collect())
}

/// Like [`rate`], each line with the position of the plan that priced it.
///
/// # Errors
/// [`RatingError`].
pub fn rate_by_plan(terms: &SubscriptionTerms, now: Ts, from: Day, to: Day) -> Result<Vec<(usize, CostLine)>, RatingError> {
    let mut lines = Vec::new();
    if from >= to {
        return Ok(lines);
    }
    let turns = Turns::of(&terms.plans);
    rate_fees(terms, &turns, now, from, to, &mut lines)?;
    rate_meters(terms, &turns, from, to, &mut lines)?;
    lines.sort_by(|(_, a), (_, b)| (a.day, &a.component, a.project).cmp(&(b.day, &b.component, b.project)));
    Ok(lines)
}

/// Which plan's turn it is.
struct Turns<'a> {
    plans: &'a [PlanSince],
    meters: Vec<HashMap<&'a str, &'a Meter>>,
}

impl<'a> Turns<'a> {
    fn of(plans: &'a [PlanSince]) -> Self {
        let meters = |one: &'a PlanSince| one.plan.meters.iter().map(|meter| (meter.name.as_str(), meter)).collect();
        Self { plans, meters: plans.iter().map(meters).collect() }
    }

    /// The plan of an instant: the last that began.
    fn at(&self, at: Ts) -> usize {
        self.plans.partition_point(|one| one.since <= at).saturating_sub(1)
    }

    /// The plan of a day: the one that holds at its end.
    fn of_day(&self, day: Day) -> usize {
        self.plans.partition_point(|one| one.since.day() <= day).saturating_sub(1)
    }

    /// The plans with their days between `from` and `to`.
    fn stretches(&self, from: Day, to: Day) -> impl Iterator<Item = (usize, &'a Plan, Day, Day)> + use<'a> {
        let plans = self.plans;
        let begins = move |turn: usize| if turn == 0 { from } else { plans.get(turn).map_or(to, |one| one.since.day()) };
        let stretch = move |(turn, one): (usize, &'a PlanSince)| {
            let (first, end) = (begins(turn).max(from), begins(turn + 1).min(to));
            (first < end).then_some((turn, one.plan.as_ref(), first, end))
        };
        plans.iter().enumerate().filter_map(stretch)
    }

    /// The meter that prices a day's quantity, with its plan: that of the day's plan, or else of the last before that held
    /// on this day.
    fn meter(&self, day: Day, name: &str) -> Option<(usize, &'a Meter)> {
        let mut turn = self.of_day(day);
        loop {
            if let Some(meter) = self.meters.get(turn)?.get(name) {
                return Some((turn, meter));
            }
            if turn == 0 || self.plans.get(turn)?.since <= day.start() {
                return None;
            }
            turn -= 1;
        }
    }
}

/// Overlapping and touching spans become one; what lies after `now` is cut off.
fn merged(spans: &[Span], now: Ts) -> Vec<Span> {
    let past = Span::new(Ts::from_micros(i64::MIN), Some(now.plus(1)));
    let mut spans: Vec<_> = spans.iter().map(|span| span.within(past)).filter(|span| !span.is_empty()).collect();
    spans.sort_unstable();
    let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match merged.last_mut() {
            Some(last) if last.to.is_none_or(|end| span.from <= end) => {
                last.to = last.to.zip(span.to).map(|(a, b)| a.max(b));
            }
            _ => merged.push(span),
        }
    }
    merged
}

/// Each day from `from` until `to` that one of the spans touches, once. The spans are ordered.
fn days(spans: impl IntoIterator<Item = Span>, from: Day, to: Day) -> Vec<Day> {
    let mut days = Vec::new();
    let mut next = from;
    let latest = Day::from_number(to.number() - 1);
    for span in spans {
        let Some(last) = span.last_day(latest) else { continue };
        next = next.max(span.from.day());
        while next <= last {
            days.push(next);
            next = next.next();
        }
    }
    days
}

type Lines = Vec<(usize, CostLine)>;

fn rate_fees(terms: &SubscriptionTerms, turns: &Turns<'_>, now: Ts, from: Day, to: Day, lines: &mut Lines) -> Result<(), RatingError> {
    let active = merged(&terms.active, now);
    let first = active.first().map(|span| span.from).filter(|first| !terms.follows && (from..to).contains(&first.day()));
    if let Some(first) = first {
        let turn = turns.at(first);
        if let Some(one) = turns.plans.get(turn).filter(|one| !one.plan.one_time.is_zero()) {
            lines.push((turn, fee(first.day(), Component::OneTime, None, Cost::flat(one.plan.one_time)?)));
        }
    }
    let mut grants: BTreeMap<ProjectId, Vec<Span>> = BTreeMap::new();
    for (project, span) in &terms.grants {
        grants.entry(*project).or_default().push(*span);
    }
    let live: Vec<_> = grants.into_iter().map(|(project, spans)| (project, both(&merged(&spans, now), &active))).collect();
    for (turn, plan, from, to) in turns.stretches(from, to) {
        if !plan.monthly.is_zero() {
            accrue(plan.monthly, days(active.iter().copied(), from, to), (turn, Component::Monthly, None), lines)?;
        }
        if !plan.monthly_per_project.is_zero() {
            for (project, spans) in &live {
                let of = (turn, Component::MonthlyPerProject, Some(*project));
                accrue(plan.monthly_per_project, days(spans.iter().copied(), from, to), of, lines)?;
            }
        }
    }
    Ok(())
}

fn fee(day: Day, component: Component, project: Option<ProjectId>, cost: Cost) -> CostLine {
    CostLine { day, component, project, quantity: None, cost }
}

fn accrue(
    amount: Decimal,
    days: Vec<Day>,
    (turn, component, project): (usize, Component, Option<ProjectId>),
    lines: &mut Lines,
) -> Result<(), Overflow> {
    for day in days {
        let cost = fee_of_day(amount, day)?;
        if !cost.is_zero() {
            lines.push((turn, fee(day, component.clone(), project, cost)));
        }
    }
    Ok(())
}

/// What two ordered lists of spans, each without overlaps, have in common.
fn both(some: &[Span], others: &[Span]) -> Vec<Span> {
    let mut common = Vec::new();
    let mut begin = 0;
    for span in some {
        while others.get(begin).is_some_and(|other| other.to.is_some_and(|end| end <= span.from)) {
            begin += 1;
        }
        let overlapping = others.iter().skip(begin).take_while(|other| span.to.is_none_or(|end| other.from < end));
        common.extend(overlapping.map(|other| span.within(*other)).filter(|both| !both.is_empty()));
    }
    common
}

/// The part of a monthly fee that falls on a day.
fn fee_of_day(fee: Decimal, day: Day) -> Result<Cost, Overflow> {
    let fee = fee.normalize();
    let places = fee.scale().max(FEE_PLACES);
    if places > PRICE_PLACES {
        return Err(Overflow);
    }
    let units = fee.mantissa().checked_mul(10_i128.pow(places - fee.scale())).ok_or(Overflow)?;
    let month = i128::from(day.days_in_month());
    let until = |n: i128| {
        let product = units.checked_mul(n).ok_or(Overflow)?;
        let (count, rest) = (product.div_euclid(month), product.rem_euclid(month));
        let up = rest * 2 > month || (rest * 2 == month && count % 2 != 0);
        Ok(count + i128::from(up))
    };
    let n = i128::from(day.day_of_month());
    let part = until(n)? - until(n - 1)?;
    Cost::flat(Decimal::try_from_i128_with_scale(part, places).map_err(|_| Overflow)?)
}

/// A day's quantity of a project on the meter at hand.
type Row = (Day, ProjectId, Quantity);

/// How much of each row was reported elsewhere; empty where nothing was.
type Elsewhere = BTreeMap<(Day, ProjectId), Quantity>;

/// What was reported elsewhere on a meter, and the rows with it.
fn with_elsewhere(terms: &SubscriptionTerms, name: &str, first: Day, end: Day, rows: &mut Vec<Row>) -> Result<Elsewhere, Overflow> {
    let mut elsewhere = Elsewhere::new();
    for used in terms.elsewhere.iter().filter(|used| &*used.meter == name && (first..end).contains(&used.day)) {
        rows.push((used.day, used.project, used.quantity));
        let sum = elsewhere.entry((used.day, used.project)).or_default();
        *sum = sum.plus(used.quantity)?;
    }
    Ok(elsewhere)
}

/// The own part of a row: what is left of its quantity, and its share of the cost.
fn own_part(meter: &Meter, quantity: Quantity, elsewhere: Option<&Quantity>, cost: Cost) -> Result<(Quantity, Cost), Overflow> {
    let Some(elsewhere) = elsewhere else { return Ok((quantity, cost)) };
    let own = quantity.minus(*elsewhere)?;
    if let Price::Standard { unit_price } = &meter.price
        && meter.free_units.is_zero()
    {
        return Ok((own, Cost::of(own, *unit_price)?));
    }
    // Of a day of corrections the corrections have their share, of any other day what was used.
    let sized = |part: Quantity| {
        if quantity < Quantity::ZERO { Quantity::ZERO.minus(part).map(Quantity::or_nothing) } else { Ok(part.or_nothing()) }
    };
    let (mine, theirs) = (sized(own)?, sized(*elsewhere)?);
    let cost = match (mine.is_zero(), theirs.is_zero()) {
        (true, _) => Cost::ZERO,
        (false, true) => cost,
        (false, false) => cost.share(mine, mine.plus(theirs)?)?,
    };
    Ok((own, cost))
}

fn rate_meters(terms: &SubscriptionTerms, turns: &Turns<'_>, from: Day, to: Day, lines: &mut Lines) -> Result<(), RatingError> {
    let mut by_name: HashMap<&str, Vec<Row>> = HashMap::new();
    let (first, end) = usage_needed(from, to);
    for used in terms.usage.iter().filter(|used| (first..end).contains(&used.day)) {
        by_name.entry(&used.meter).or_default().push((used.day, used.project, used.quantity));
    }
    for (name, mut rows) in by_name {
        let component = Component::Meter(name.into());
        let elsewhere = with_elsewhere(terms, name, first, end, &mut rows)?;
        // The stable sort takes no time on what a database has sorted already.
        rows.sort_by_key(|(day, project, _)| (*day, *project));
        let rows = one_per_project_and_day(rows)?;
        let mut rest = rows.as_slice();
        while let Some((first, _, _)) = rest.first() {
            let end = first.next_month();
            let month;
            (month, rest) = rest.split_at(rest.partition_point(|row| row.0 < end));
            // What the month comes to by each meter that prices a part of it; usually there is one.
            let mut rated: Vec<(&Meter, Vec<Cost>)> = Vec::new();
            for (index, &(day, project, quantity)) in month.iter().enumerate() {
                if elsewhere.get(&(day, project)).is_some_and(|elsewhere| *elsewhere == quantity) {
                    continue;
                }
                let (turn, meter) = turns.meter(day, name).ok_or_else(|| RatingError::UnknownMeter(name.into()))?;
                let known = rated.iter().position(|(known, _)| std::ptr::eq(*known, meter) || *known == meter);
                let position = match known {
                    Some(position) => position,
                    None => {
                        rated.push((meter, rate_month(meter, month)?));
                        rated.len() - 1
                    }
                };
                let Some(cost) = rated.get(position).and_then(|(_, costs)| costs.get(index)).copied() else { continue };
                let (quantity, cost) = own_part(meter, quantity, elsewhere.get(&(day, project)), cost)?;
                if (from..to).contains(&day) && !(quantity.is_zero() && cost.is_zero()) {
                    lines.push((
                        turn,
                        CostLine { day, component: component.clone(), project: Some(project), quantity: Some(quantity), cost },
                    ));
                }
            }
        }
    }
    Ok(())
}

fn one_per_project_and_day(sorted: Vec<Row>) -> Result<Vec<Row>, Overflow> {
    let mut rows: Vec<Row> = Vec::with_capacity(sorted.len());
    for row in sorted {
        match rows.last_mut() {
            Some(last) if (last.0, last.1) == (row.0, row.1) => last.2 = last.2.plus(row.2)?,
            _ => rows.push(row),
        }
    }
    Ok(rows)
}

/// The cost of each row of one month, ordered by day and project.
fn rate_month(meter: &Meter, month: &[Row]) -> Result<Vec<Cost>, Overflow> {
    match &meter.price {
        Price::Standard { unit_price } if meter.free_units.is_zero() => {
            month.iter().map(|(_, _, quantity)| Cost::of(*quantity, *unit_price)).collect()
        }
        Price::Standard { unit_price } => {
            let (mut used, mut charged) = (Quantity::ZERO, Quantity::ZERO);
            let mut costs = Vec::with_capacity(month.len());
            for (_, _, quantity) in month {
                used = used.plus(*quantity)?;
                let due = used.minus(meter.free_units)?.or_nothing();
                costs.push(Cost::of(due.minus(charged)?, *unit_price)?);
                charged = due;
            }
            Ok(costs)
        }
        price => {
            let used = Quantity::sum(month.iter().map(|row| row.2))?;
            share_out(price.of(used.minus(meter.free_units)?.or_nothing())?, month)
        }
    }
}

/// How far the cost of a project has been shared out among its days.
#[derive(Default)]
struct Account {
    /// Its quantity of the month, corrections taken off.
    net: Quantity,
    /// The sum of its days that are not negative.
    gross: Quantity,
    /// Its share of the cost.
    cost: Cost,
    /// The part of `gross` that has been seen.
    seen: Quantity,
    /// The part of `cost` that has been given to days.
    given: Cost,
}

/// Shares a month's cost among its rows, without losing or inventing anything.
fn share_out(cost: Cost, month: &[Row]) -> Result<Vec<Cost>, Overflow> {
    if cost.is_zero() {
        return Ok(vec![Cost::ZERO; month.len()]);
    }
    let mut accounts: BTreeMap<ProjectId, Account> = BTreeMap::new();
    for (_, project, quantity) in month {
        let account = accounts.entry(*project).or_default();
        account.net = account.net.plus(*quantity)?;
        account.gross = account.gross.plus(quantity.or_nothing())?;
    }
    let total = Quantity::sum(accounts.values().map(|account| account.net.or_nothing()))?;
    let (mut seen, mut given) = (Quantity::ZERO, Cost::ZERO);
    for account in accounts.values_mut() {
        seen = seen.plus(account.net.or_nothing())?;
        let until = up_to(cost, seen, total)?;
        account.cost = until.minus(given)?;
        given = until;
    }
    let mut costs = Vec::with_capacity(month.len());
    for (_, project, quantity) in month {
        let account = accounts.entry(*project).or_default();
        account.seen = account.seen.plus(quantity.or_nothing())?;
        let until = up_to(account.cost, account.seen, account.gross)?;
        costs.push(until.minus(account.given)?);
        account.given = until;
    }
    Ok(costs)
}

/// The share of `part`; the whole for the whole.
fn up_to(cost: Cost, part: Quantity, whole: Quantity) -> Result<Cost, Overflow> {
    if part == whole { Ok(cost) } else { cost.share(part, whole) }
}
