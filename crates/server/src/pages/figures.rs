//! Costs as people read them: figures, charts and the tables that belong to them.

use std::collections::{BTreeMap, BTreeSet};

use stoa_actions::costs::Costs;
use stoa_domain::{
    amounts::Cost,
    costs::Component,
    groupings::{CostKey, CostRow, CostSummary, CostWord, Grouping, Month},
    ids::{ProjectId, ServiceId},
    money::Currency,
    periods::Period,
    time::Day,
};

use super::{
    chart::{Chart, ChartData, ChartSeries},
    times,
};

/// What belongs to no project.
pub const OF_THE_WHOLE: &str = "All projects";

/// The name of a service in costs.
#[must_use]
pub fn service_name(costs: &Costs, id: Option<ServiceId>) -> String {
    id.map_or(String::new(), |id| costs.names.services.get(&id).map_or_else(|| id.to_string(), |named| named.name.clone()))
}

/// The name of a project in costs.
#[must_use]
pub fn project_name(costs: &Costs, id: Option<ProjectId>) -> String {
    match id {
        None => OF_THE_WHOLE.to_owned(),
        Some(id) => costs.names.projects.get(&id).map_or_else(|| id.to_string(), |named| named.name.clone()),
    }
}

/// A component in plain words.
#[must_use]
pub fn component_name(component: &Component) -> String {
    match component {
        Component::OneTime => "One-time fee".to_owned(),
        Component::Monthly => "Monthly fee".to_owned(),
        Component::MonthlyPerProject => "Monthly fee for the project".to_owned(),
        Component::Meter(name) => name.to_string(),
    }
}

/// The amounts of several currencies side by side: `EUR 12.00 · USD 3.10`.
#[must_use]
pub fn side_by_side(totals: &BTreeMap<Currency, Cost>) -> String {
    let shown: Vec<_> = totals.iter().map(|(currency, cost)| cost.shown(*currency)).collect();
    if shown.is_empty() { "–".to_owned() } else { shown.join(" · ") }
}

/// The change from one amount to another, such as “▲ 6.1 %”, with its tone; empty where there is nothing to compare.
#[must_use]
pub fn trend(from: Cost, to: Cost, currency: Currency) -> (String, &'static str) {
    let amounts = from.rounded(currency).ok().zip(to.rounded(currency).ok());
    let Some((from, to)) = amounts.map(|(from, to)| (from.amount(), to.amount())) else { return Default::default() };
    let share = (to - from).checked_mul(100.into()).and_then(|change| change.checked_div(from)).map(|share| share.round_dp(1));
    match share {
        Some(share) if from.is_sign_positive() && share.is_zero() => ("unchanged".to_owned(), ""),
        Some(share) if from.is_sign_positive() && share.is_sign_positive() => (format!("▲ {share:.1} %"), "up"),
        Some(share) if from.is_sign_positive() => (format!("▼ {:.1} %", share.abs()), "down"),
        _ => Default::default(),
    }
}

/// The share of a part in thousandths, 0 to 1000; corrections have none.
#[must_use]
pub fn per_mille(part: Cost, whole: Cost) -> u32 {
    let places = places_for([whole].iter());
    let (part, whole) = (i128::from(counted(part, places)), i128::from(counted(whole, places)));
    if part <= 0 || whole <= 0 { 0 } else { u32::try_from((part * 1_000 / whole).min(1_000)).unwrap_or(0) }
}

/// How many decimals a chart needs, so that costs far below the smallest unit of a currency are seen and those of any
/// size fit.
fn places_for<'a>(costs: impl Iterator<Item = &'a Cost>) -> u32 {
    let highest = costs.copied().max().unwrap_or_default();
    (0..=15).find(|places| counted(highest, *places) >= 1_000).unwrap_or(if highest > Cost::ZERO { 15 } else { 0 })
}

/// A cost as a count of units with so many decimals, cut.
fn counted(cost: Cost, places: u32) -> i64 {
    let text = cost.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let fraction: String = fraction.chars().chain(std::iter::repeat('0')).take(places as usize).collect();
    format!("{whole}{fraction}").parse().unwrap_or(if cost.is_negative() { i64::MIN } else { i64::MAX })
}

/// How wide the columns of a chart are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A day.
    Day,
    /// A calendar month.
    Month,
}

impl Step {
    /// The word of a grouping.
    #[must_use]
    pub const fn word(self) -> CostWord {
        match self {
            Self::Day => CostWord::Day,
            Self::Month => CostWord::Month,
        }
    }

    /// The columns of a period, each by its first day and its label.
    fn columns(self, period: Period) -> Vec<(Day, String)> {
        let mut columns = Vec::new();
        let mut day = period.from;
        while day < period.to {
            match self {
                Self::Day => {
                    let label = times::short_day(day);
                    columns.push((day, label.rsplit_once(' ').map_or(label.clone(), |(label, _)| label.to_owned())));
                    day = day.next();
                }
                Self::Month => {
                    columns.push((day.month_start(), times::month_of(day)));
                    day = day.next_month();
                }
            }
        }
        columns
    }

    fn of(self, key: &CostKey) -> Option<Day> {
        match self {
            Self::Day => key.day,
            Self::Month => key.month.map(Month::first),
        }
    }
}

/// A chart and its numbers as a table.
#[derive(Debug, Clone, Default)]
pub struct Drawn {
    /// The chart; empty where nothing cost anything.
    pub chart: Chart,
    /// The series' names.
    pub series: Vec<String>,
    /// A row for each column of the chart that cost anything: its label and each series' cost.
    pub figures: Vec<(String, Vec<String>)>,
}

/// Draws the rows of one currency, grouped by `step` and by what `name` tells apart; the dearest series come first.
#[must_use]
pub fn draw(rows: &[CostRow], currency: Currency, period: Period, step: Step, name: impl Fn(&CostKey) -> String) -> Drawn {
    let mut series: BTreeMap<String, BTreeMap<Day, Cost>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.key.currency == currency) {
        let Some(column) = step.of(&row.key) else { continue };
        let cost = series.entry(name(&row.key)).or_default().entry(column).or_default();
        // Sums beyond all measure are refused before anything is drawn.
        *cost = cost.plus(row.cost).unwrap_or(*cost);
    }
    let total = |costs: &BTreeMap<Day, Cost>| Cost::sum(costs.values().copied()).unwrap_or_default();
    let mut series: Vec<_> = series.into_iter().collect();
    series.sort_by_key(|(_, costs)| std::cmp::Reverse(total(costs)));
    let columns = step.columns(period);
    let sum_of = |day: &Day| Cost::sum(series.iter().filter_map(|(_, costs)| costs.get(day).copied())).unwrap_or_default();
    let highest: Vec<Cost> = columns.iter().map(|(day, _)| sum_of(day)).collect();
    let decimals = places_for(highest.iter()).max(if highest.iter().any(|cost| *cost > Cost::ZERO) { currency.minor_places() } else { 0 });
    let data = ChartData {
        columns: columns.iter().map(|(_, label)| label.clone()).collect(),
        series: series
            .iter()
            .map(|(label, costs)| {
                let value = |(day, _): &(Day, String)| costs.get(day).map_or(0, |cost| counted(*cost, decimals));
                ChartSeries { label: label.clone(), values: columns.iter().map(value).collect() }
            })
            .collect(),
        prefix: format!("{currency} "),
        decimals,
    };
    let figures = columns
        .iter()
        .filter(|(day, _)| series.iter().any(|(_, costs)| costs.contains_key(day)))
        .map(|(day, label)| {
            (label.clone(), series.iter().map(|(_, costs)| costs.get(day).copied().unwrap_or_default().shown(currency)).collect())
        })
        .collect();
    Drawn { chart: Chart::stacked(&data), series: series.into_iter().map(|(label, _)| label).collect(), figures }
}

/// The projects that a part of a period cost anything for.
#[must_use]
pub fn projects_with_costs(summary: &CostSummary) -> usize {
    summary.rows.iter().filter(|row| !row.cost.is_zero()).filter_map(|row| row.key.project).collect::<BTreeSet<_>>().len()
}

/// The grouping of a chart.
#[must_use]
pub fn with_step(words: &[CostWord], step: Step) -> Grouping<CostWord> {
    let mut words = words.to_vec();
    words.push(step.word());
    Grouping::by(&words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eur() -> Currency {
        "EUR".parse().unwrap()
    }

    fn cost(text: &str) -> Cost {
        text.parse().unwrap()
    }

    fn row(day: &str, amount: &str) -> CostRow {
        let key = CostKey {
            service: None,
            subscription: None,
            project: None,
            component: None,
            day: Some(day.parse().unwrap()),
            month: None,
            currency: eur(),
        };
        CostRow { key, quantity: None, cost: cost(amount) }
    }

    #[test]
    fn changes_are_told_in_per_cent_where_there_is_something_to_compare() {
        let told = |from: &str, to: &str| trend(cost(from), cost(to), eur());
        assert_eq!(told("100", "106.1"), ("▲ 6.1 %".to_owned(), "up"));
        assert_eq!(told("100", "50"), ("▼ 50.0 %".to_owned(), "down"));
        assert_eq!(told("100", "100"), ("unchanged".to_owned(), ""));
        assert_eq!(told("0", "5"), (String::new(), ""));
    }

    #[test]
    fn tiny_costs_are_drawn_and_written_with_their_digits() {
        let period = Period { from: "2026-03-01".parse().unwrap(), to: "2026-03-04".parse().unwrap() };
        let drawn = draw(&[row("2026-03-02", "0.0000000001")], eur(), period, Step::Day, |_| "Forecast".to_owned());
        assert_eq!(drawn.chart.bars.len(), 1);
        assert_eq!(drawn.figures, [("2 Mar".to_owned(), vec!["EUR 0.0000000001".to_owned()])]);
        let drawn = draw(&[row("2026-03-02", "12345.678")], eur(), period, Step::Day, |_| "Forecast".to_owned());
        assert_eq!(drawn.chart.bars[0].tip, "Forecast, 2 Mar: EUR 12,345.67");
        assert!(draw(&[], eur(), period, Step::Day, |_| String::new()).chart.series.is_empty());
    }

    #[test]
    fn shares_are_thousandths() {
        assert_eq!(per_mille(cost("1"), cost("3")), 333);
        assert_eq!(per_mille(cost("0.0000000001"), cost("0.0000000002")), 500);
        assert_eq!(per_mille(cost("-1"), cost("3")), 0);
        assert_eq!(per_mille(cost("3"), cost("3")), 1000);
    }
}
