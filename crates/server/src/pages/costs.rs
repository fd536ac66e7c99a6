//! The costs of an organization, and those of one subscription.

use std::collections::BTreeMap;

use axum::{
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use stoa_actions::{
    Caller,
    costs::{self, Costs},
    organizations,
    seats::Seat,
};
use stoa_domain::{
    amounts::Cost,
    groupings::{CostKey, CostSummary, CostWord, Grouping},
    ids::{OrganizationId, ProjectId, SubscriptionId},
    money::Currency,
    organizations::Key,
    periods::{MOST_DAYS, MOST_DAYS_TOGETHER, Period},
    subscriptions::Subscription,
    text::Faults,
    time::{Day, Ts},
};
use stoa_store::Conn;

use super::{
    Choice, Field, Kpi, OrgHead, Shell,
    budgets::BudgetCard,
    chart::Chart,
    figures::{self, Drawn, Step, component_name, project_name, service_name, side_by_side},
    filters,
    form::sentence,
    page::{self, Page, PageResult},
    subscriptions::{UsageRow, UsageTab},
    times,
};
use crate::{
    api::costs::{CostsQuery, exported},
    extract::{ApiPath, ApiQuery},
    problem::ApiError,
};

/// `GET /organizations/{org}/costs?from=&to=&group_by=&step=`; `to` is the last day.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "costs.html")]
pub struct CostsPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization.
    pub org: OrgHead,
    /// Figures such as this month, last month, services, projects with costs.
    pub kpis: Vec<Kpi>,
    /// Such as “Costs by service”.
    pub heading: String,
    /// Such as “1 September to 30 November 2026”.
    pub period: String,
    /// The first day, as `2026-09-01`.
    pub from: Field,
    /// The last day, as `2026-11-30`.
    pub to: Field,
    /// What to group by.
    pub groupings: Vec<Choice>,
    /// By month or by day.
    pub steps: Vec<Choice>,
    /// Where the same rows are as CSV.
    pub csv_href: String,
    /// Where the days are as FOCUS.
    pub focus_href: String,
    /// The headings of the cells, one for each thing grouped by.
    pub columns: Vec<String>,
    /// One for each currency: amounts of different currencies are never added up.
    pub sections: Vec<CostSection>,
}

/// The costs in one currency.
#[derive(Debug, Clone, Default)]
pub struct CostSection {
    /// The currency's code.
    pub currency: String,
    /// Such as “Costs by service in EUR”.
    pub heading: String,
    /// The chart.
    pub chart: Chart,
    /// The names of the chart's series.
    pub series: Vec<String>,
    /// The chart's numbers: a label and each series' cost.
    pub figures: Vec<(String, Vec<String>)>,
    /// The rows.
    pub rows: Vec<CostRow>,
    /// The sum.
    pub total: String,
}

/// One row of costs.
#[derive(Debug, Clone, Default)]
pub struct CostRow {
    /// What it is for, as many cells as there are columns.
    pub cells: Vec<String>,
    /// Its share in thousandths, 0 to 1000.
    pub per_mille: u32,
    /// Its share, such as “38.0 %”.
    pub share: String,
    /// The exact cost with its currency.
    pub cost: String,
}

impl CostsPage {
    /// The heading of a column.
    #[must_use]
    pub fn column(&self, index: &usize) -> &str {
        self.columns.get(*index).map_or("", String::as_str)
    }

    /// What is wrong with the time asked for.
    #[must_use]
    pub fn period_error(&self) -> Option<&String> {
        self.from.error.as_ref().or(self.to.error.as_ref())
    }
}

/// What the page is asked for.
#[derive(Debug, Default, Deserialize)]
pub struct Asked {
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    group_by: String,
    #[serde(default)]
    step: String,
}

/// What costs are shown by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Service,
    Project,
    Both,
}

impl By {
    const ALL: [(Self, &'static str, &'static str); 3] = [
        (Self::Service, "service", "Service"),
        (Self::Project, "project", "Project"),
        (Self::Both, "service,project", "Service and project"),
    ];

    fn read(word: &str) -> Self {
        Self::ALL.into_iter().find(|(_, known, _)| *known == word).map_or(Self::Service, |(by, ..)| by)
    }

    fn words(self) -> &'static [CostWord] {
        match self {
            Self::Service => &[CostWord::Service],
            Self::Project => &[CostWord::Project],
            Self::Both => &[CostWord::Service, CostWord::Project],
        }
    }

    fn columns(self) -> Vec<String> {
        let word = |word: &CostWord| if *word == CostWord::Service { "Service" } else { "Project" };
        self.words().iter().map(|one| word(one).to_owned()).collect()
    }

    fn cells(self, costs: &Costs, key: &CostKey) -> Vec<String> {
        let name =
            |word: &CostWord| if *word == CostWord::Service { service_name(costs, key.service) } else { project_name(costs, key.project) };
        self.words().iter().map(name).collect()
    }
}

/// The three months up to the end of the current one.
fn usual_period(now: Ts) -> Period {
    let this = Period::month_of(now.day());
    let before = |day: Day| Day::from_number(day.number() - 1).month_start();
    Period { from: before(before(this.from)), to: this.to }
}

fn read_period(asked: &Asked, now: Ts) -> (Period, Field, Field) {
    let usual = usual_period(now);
    let last = |period: Period| Day::from_number(period.to.number() - 1).to_string();
    let read = || {
        // The page names the last day, everything else the day after it.
        let to = asked.to.parse::<Day>().map_or_else(|_| asked.to.clone(), |day| day.next().to_string());
        let (from, to) = match (asked.from.is_empty(), to.is_empty()) {
            (true, true) => return Ok(usual),
            (true, false) => (String::new(), to),
            (false, true) => (asked.from.clone(), usual.to.to_string()),
            (false, false) => (asked.from.clone(), to),
        };
        Period::read(Some(&from), Some(&to), now, MOST_DAYS_TOGETHER)
    };
    match read() {
        Ok(period) => (period, Field::new(period.from.to_string()), Field::new(last(period))),
        Err(faults) => (usual, wrong(&faults, "/from", &asked.from), wrong(&faults, "/to", &asked.to)),
    }
}

fn wrong(faults: &Faults, pointer: &str, value: &str) -> Field {
    let fault = faults.clone().into_vec().into_iter().find(|fault| fault.pointer == pointer);
    match fault {
        // The field names the last day, so the fault is told in its words.
        Some(_) if pointer == "/to" && value.parse::<Day>().is_ok() => {
            Field::wrong(value, "The last day must not lie before the first, nor more than ten years after it.")
        }
        Some(fault) => Field::wrong(value, sentence(&fault.detail)),
        None => Field::new(value),
    }
}

/// `GET /organizations/{org}/costs`.
pub async fn show(page: Page, ApiPath(org): ApiPath<String>, ApiQuery(asked): ApiQuery<Asked>) -> PageResult {
    let now = page.caller.now;
    let (period, from, to) = read_period(&asked, now);
    let by = By::read(&asked.group_by);
    let long = period.days() > MOST_DAYS;
    let step = match asked.step.as_str() {
        "day" if !long => Step::Day,
        "month" => Step::Month,
        _ if period.days() > 62 => Step::Month,
        _ => Step::Day,
    };
    let mut conn = page.read().await?;
    let (seat, costs) = costs::of_organization(&mut conn, &page.caller, &Key::read(&org), period).await?;
    let counts = organizations::counts(&mut conn, &seat).await?;
    let months = recent(&mut conn, &page, &org, period, &costs).await?;
    let handle = &seat.organization.handle;
    let same = format!("/organizations/{handle}/costs.csv?from={}&to={}", period.from, period.to);
    let words = by.words().iter().map(|word| stoa_domain::groupings::GroupWord::word(*word)).collect::<Vec<_>>().join(",");
    let shown = CostsPage {
        shell: page.shell(&mut conn, "organizations").await?,
        org: page::head(&seat, "costs", &counts),
        kpis: kpis(months.as_ref().unwrap_or(&costs), now, counts.projects)?,
        heading: format!("Costs by {}", by.columns().join(" and ").to_lowercase()),
        period: format!("{} to {}", times::long_day(period.from), times::long_day(Day::from_number(period.to.number() - 1))),
        from,
        to,
        groupings: By::ALL.into_iter().map(|(one, word, label)| Choice::new(word, label, one == by)).collect(),
        steps: vec![Choice::new("month", "Month", step == Step::Month), Choice::new("day", "Day", step == Step::Day)],
        csv_href: format!("{same}&group_by={words},{}", stoa_domain::groupings::GroupWord::word(step.word())),
        focus_href: if long { String::new() } else { format!("{same}&format=focus") },
        columns: by.columns(),
        sections: sections(&costs, by, step)?,
    };
    Ok(shown.into_response())
}

/// This and the last month; read anew only where the period does not hold them.
async fn recent(conn: &mut Conn, page: &Page, org: &str, period: Period, costs: &Costs) -> PageResult<Option<Costs>> {
    let two = two_months(page.caller.now);
    if period.from <= two.from && period.to >= two.to {
        debug_assert_eq!(costs.period, period);
        return Ok(None);
    }
    Ok(Some(costs::of_organization(conn, &page.caller, &Key::read(org), two).await?.1))
}

fn two_months(now: Ts) -> Period {
    let this = Period::month_of(now.day());
    Period { from: Day::from_number(this.from.number() - 1).month_start(), to: this.to }
}

/// `GET /organizations/{org}/costs.csv`, with the query of the API.
pub async fn file(page: Page, ApiPath(org): ApiPath<String>, ApiQuery(mut query): ApiQuery<CostsQuery>) -> PageResult<Response> {
    query.format.get_or_insert_with(|| "csv".to_owned());
    let mut conn = page.read().await?;
    exported(&mut conn, &page.caller, &Key::read(&org), query, &HeaderMap::new()).await
}

fn kpis(costs: &Costs, now: Ts, projects: i64) -> Result<Vec<Kpi>, ApiError> {
    let this = Period::month_of(now.day());
    let last = Period::month_of(Day::from_number(this.from.number() - 1));
    let of = |part: Period| costs.summary_of(part, &Grouping::by(&[CostWord::Project]));
    let (this_month, last_month) = (of(this)?, of(last)?);
    let (change, tone) = match (this_month.totals.iter().next(), this_month.totals.len()) {
        (Some((currency, cost)), 1) => figures::trend(last_month.totals.get(currency).copied().unwrap_or_default(), *cost, *currency),
        _ => Default::default(),
    };
    let services: std::collections::BTreeSet<_> =
        costs.subscriptions.iter().filter(|one| one.active.contains(now)).map(|one| one.service).collect();
    let kpi = |label: &str, value: String| Kpi { label: label.to_owned(), value, ..Kpi::default() };
    Ok(vec![
        Kpi {
            trend: change.clone(),
            trend_tone: tone,
            note: if change.is_empty() {
                format!("{} so far", times::month_of(this.from))
            } else {
                format!("so far, against {}", times::month_of(last.from))
            },
            ..kpi("This month", side_by_side(&this_month.totals))
        },
        Kpi { note: times::month_of(last.from), ..kpi("Last month", side_by_side(&last_month.totals)) },
        kpi("Subscribed services", services.len().to_string()),
        Kpi {
            suffix: format!("of {projects}"),
            note: "this month".to_owned(),
            ..kpi("Projects with costs", figures::projects_with_costs(&this_month).to_string())
        },
    ])
}

fn sections(costs: &Costs, by: By, step: Step) -> Result<Vec<CostSection>, ApiError> {
    let summary = costs.summary(&Grouping::by(by.words()))?;
    let drawn = costs.summary(&figures::with_step(by.words(), step))?;
    let several = summary.totals.len() > 1;
    let section = |(currency, total): (&Currency, &Cost)| {
        let name = |key: &CostKey| by.cells(costs, key).join(", ");
        let Drawn { chart, series, figures } = figures::draw(&drawn.rows, *currency, costs.period, step, name);
        let mut rows: Vec<_> = summary.rows.iter().filter(|row| row.key.currency == *currency).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.cost));
        let row = |row: &stoa_domain::groupings::CostRow| {
            let per_mille = figures::per_mille(row.cost, *total);
            CostRow {
                cells: by.cells(costs, &row.key),
                per_mille,
                share: format!("{}.{} %", per_mille / 10, per_mille % 10),
                cost: row.cost.shown(*currency),
            }
        };
        let by = by.columns().join(" and ").to_lowercase();
        CostSection {
            currency: currency.code().to_owned(),
            heading: if several { format!("Costs by {by} in {currency}") } else { format!("Costs by {by}") },
            chart,
            series,
            figures,
            rows: rows.into_iter().map(row).collect(),
            total: total.shown(*currency),
        }
    };
    let used = |(currency, _): &(&Currency, &Cost)| summary.rows.iter().any(|row| row.key.currency == **currency);
    Ok(summary.totals.iter().filter(used).map(section).collect())
}

/// What each subscription of an organization costs this month, for lists.
///
/// # Errors
/// 401, 404, 503; `amount_too_large` (422).
pub async fn of_this_month(conn: &mut Conn, caller: &Caller, seat: &Seat) -> Result<BTreeMap<SubscriptionId, String>, ApiError> {
    let month = Period::month_of(caller.now.day());
    let (_, costs) = costs::of_organization(conn, caller, &Key::Id(seat.organization.id), month).await?;
    let summary = costs.summary(&Grouping::by(&[CostWord::Subscription]))?;
    Ok(summary.rows.iter().filter_map(|row| Some((row.key.subscription?, row.cost.shown(row.key.currency)))).collect())
}

/// What each project of an organization cost this month, in each currency; a project that cost nothing is not among them.
///
/// # Errors
/// 404, 503.
pub async fn of_projects_this_month(
    conn: &mut Conn,
    caller: &Caller,
    org: &Key<OrganizationId>,
) -> PageResult<BTreeMap<ProjectId, String>> {
    let (_, costs) = costs::of_organization(conn, caller, org, Period::month_of(caller.now.day())).await?;
    let mut totals: BTreeMap<ProjectId, BTreeMap<Currency, Cost>> = BTreeMap::new();
    for row in costs.summary(&Grouping::by(&[CostWord::Project]))?.rows {
        if let Some(project) = row.key.project.filter(|_| !row.cost.is_zero()) {
            totals.entry(project).or_default().insert(row.key.currency, row.cost);
        }
    }
    Ok(totals.into_iter().map(|(project, totals)| (project, side_by_side(&totals))).collect())
}

/// Months to choose from on a subscription's page.
const MOST_MONTHS: usize = 36;

/// The Usage tab of a subscription: a month's usage and cost by project and meter. `month` is `2026-03`; without it, or
/// with one in which the subscription was not in force, the last one.
///
/// # Errors
/// 503; `amount_too_large` (422).
pub async fn usage_tab(conn: &mut Conn, subscription: &Subscription, now: Ts, month: Option<&str>) -> Result<UsageTab, ApiError> {
    let first = subscription.activated_at.unwrap_or(subscription.created_at).day().month_start();
    let last = subscription.ended_at.filter(|end| *end < now).unwrap_or(now).day().month_start();
    let mut months = vec![last.max(first)];
    while months.len() < MOST_MONTHS && months.last().is_some_and(|month| *month > first) {
        months.extend(months.last().map(|month| Day::from_number(month.number() - 1).month_start()));
    }
    let asked = month.and_then(|month| format!("{month}-01").parse::<Day>().ok());
    let chosen = asked.filter(|asked| months.contains(asked)).or(months.first().copied()).unwrap_or(last);
    let period = Period::month_of(chosen);
    let before = Period::month_of(Day::from_number(period.from.number() - 1));
    let both = Period { from: before.from, to: period.to };
    let costs = costs::of_subscription(conn, subscription, now, both).await?;
    let summary = costs.summary_of(period, &Grouping::by(&[CostWord::Project, CostWord::Component]))?;
    let earlier = costs.summary_of(before, &Grouping::by(&[]))?;
    let daily = costs.summary_of(period, &figures::with_step(&[CostWord::Project], Step::Day))?;
    let currency = summary.totals.keys().next().copied();
    let name = |key: &CostKey| project_name(&costs, key.project);
    let drawn = currency.map(|currency| figures::draw(&daily.rows, currency, period, Step::Day, name)).unwrap_or_default();
    let so_far = if period.to > now.day() { " so far" } else { "" };
    Ok(UsageTab {
        kpis: tab_kpis(&summary, &earlier, period, before, so_far),
        period: format!("{}{so_far}, without tax", times::month_of(chosen)),
        months: months
            .iter()
            .map(|month| Choice::new(stoa_domain::groupings::Month::of(*month).to_string(), times::month_of(*month), *month == chosen))
            .collect(),
        chart: drawn.chart,
        rows: usage_rows(&costs, &summary),
        total: side_by_side(&summary.totals),
        budget: BudgetCard::default(),
    })
}

fn tab_kpis(summary: &CostSummary, earlier: &CostSummary, period: Period, before: Period, so_far: &str) -> Vec<Kpi> {
    let (change, tone) = match summary.totals.iter().next() {
        Some((currency, cost)) => figures::trend(earlier.totals.get(currency).copied().unwrap_or_default(), *cost, *currency),
        None => Default::default(),
    };
    let kpi = |label: String, value: String| Kpi { label, value, ..Kpi::default() };
    let note = if change.is_empty() { String::new() } else { format!("against {}", times::month_of(before.from)) };
    vec![
        Kpi {
            trend: change,
            trend_tone: tone,
            note,
            ..kpi(format!("{}{so_far}", times::month_of(period.from)), side_by_side(&summary.totals))
        },
        kpi(times::month_of(before.from), side_by_side(&earlier.totals)),
        kpi("Projects with costs".to_owned(), figures::projects_with_costs(summary).to_string()),
    ]
}

fn usage_rows(costs: &Costs, summary: &CostSummary) -> Vec<UsageRow> {
    let unit = |meter: &str| costs.unit(meter).unwrap_or_default();
    let row = |row: &stoa_domain::groupings::CostRow| {
        let component = row.key.component.as_ref();
        let quantity = match (row.quantity, component) {
            (Some(quantity), Some(stoa_domain::costs::Component::Meter(meter))) => format!("{} {}", quantity.shown(), unit(meter)),
            _ => String::new(),
        };
        UsageRow {
            project: project_name(costs, row.key.project),
            component: component.map(component_name).unwrap_or_default(),
            quantity,
            cost: row.cost.shown(row.key.currency),
        }
    };
    summary.rows.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::{Asked, CostRow, CostSection, CostsPage, read_period};
    use crate::pages::{Choice, Field, Kpi, sample};

    #[test]
    fn the_chart_has_its_numbers_as_a_table() {
        let row = |service: &str, project: &str, per_mille| CostRow {
            cells: vec![service.into(), project.into()],
            per_mille,
            share: format!("{}.{} %", per_mille / 10, per_mille % 10),
            cost: "EUR 1,604.12".into(),
        };
        let kpi = |label: &str, value: &str| Kpi { label: label.into(), value: value.into(), ..Kpi::default() };
        let section = |currency: &str| CostSection {
            currency: currency.into(),
            heading: format!("Costs by service and project in {currency}"),
            chart: sample::chart(),
            series: vec!["Load forecast".into(), "Geo tiles".into()],
            figures: vec![("October 2026".into(), vec!["EUR 1.00".into(), "EUR 2.00".into()])],
            rows: vec![row("Load forecast", "Wind park Delta", 380), row("Geo tiles", "Grid planning", 233)],
            total: format!("{currency} 4,218.36"),
        };
        let mut page = CostsPage {
            shell: sample::shell("organizations"),
            org: sample::org("costs"),
            kpis: vec![kpi("This month", "EUR 4,218.36"), kpi("Last month", "EUR 3,975.80"), kpi("Subscribed services", "4")],
            heading: "Costs by service and project".into(),
            period: "1 September to 30 November 2026".into(),
            from: Field::new("2026-09-01"),
            to: Field::new("2026-11-30"),
            groupings: vec![Choice::new("service", "Service", true), Choice::new("project", "Project", false)],
            steps: vec![Choice::new("month", "Month", true), Choice::new("day", "Day", false)],
            csv_href: "/organizations/aurelia/costs.csv?from=2026-09-01&to=2026-11-30".into(),
            focus_href: "/organizations/aurelia/costs.csv?from=2026-09-01&to=2026-11-30&format=focus".into(),
            columns: vec!["Service".into(), "Project".into()],
            sections: vec![section("EUR"), section("USD")],
        };
        let html = sample::render("costs", &page);
        assert!(html.contains("Total in EUR") && html.contains("Total in USD") && html.contains("October 2026"));
        page.sections.clear();
        page.to = Field::wrong("2026-08-01", "The end is before the beginning.");
        let html = sample::render("costs-empty", &page);
        assert!(html.contains("No costs in this time") && html.contains("before the beginning"));
    }

    #[test]
    fn the_page_names_the_last_day_and_shows_three_months_at_first() {
        let now = "2026-03-12T12:00:00Z".parse().unwrap();
        let read = |from: &str, to: &str| {
            let (period, from, to) = read_period(&Asked { from: from.into(), to: to.into(), ..Asked::default() }, now);
            format!("{} {} {} {} {}", period.from, period.to, from.value, to.value, to.error.is_some() || from.error.is_some())
        };
        assert_eq!(read("", ""), "2026-01-01 2026-04-01 2026-01-01 2026-03-31 false");
        assert_eq!(read("2026-02-01", "2026-02-28"), "2026-02-01 2026-03-01 2026-02-01 2026-02-28 false");
        assert_eq!(read("2026-02-02", "2026-02-01"), "2026-01-01 2026-04-01 2026-02-02 2026-02-01 true");
        assert_eq!(read("soon", ""), "2026-01-01 2026-04-01 soon  true");
    }
}
