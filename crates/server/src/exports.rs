//! Usage and costs as CSV: the same rows as the API's JSON, and FinOps FOCUS 1.0.

pub mod events;
pub mod map;

use axum::{
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use csv::{Terminator, WriterBuilder};
use stoa_actions::{
    Error,
    costs::{Billed, Costs, Named},
    seats::Seat,
    usage::Usage,
};
use stoa_domain::{
    costs::{Component, CostLine},
    groupings::{CostRow, CostSummary, CostWord, Grouping, Month, UsageWord},
    meters::{Meter, Plan, Price},
    periods::Period,
    time::Day,
};

/// In which form an answer is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON.
    Json,
    /// The same rows as CSV.
    Csv,
    /// FinOps FOCUS 1.0, which is CSV with columns of its own.
    Focus,
}

impl Format {
    /// By `?format=`, which wins, or by the `Accept` header.
    ///
    /// # Errors
    /// 422 for a word that is not among `offered`.
    pub fn of(headers: &HeaderMap, asked: Option<&str>, offered: &[(&str, Self)]) -> Result<Self, Error> {
        if let Some(asked) = asked.filter(|asked| !asked.is_empty()) {
            let known = offered.iter().find(|(word, _)| *word == asked);
            let words = || offered.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
            return known.map(|(_, format)| *format).ok_or_else(|| Error::fault("/format", format!("a format is one of {}", words())));
        }
        let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let accepted = accepted.collect::<Vec<_>>().join(",");
        let (csv, json) = (weight(&accepted, "text/csv"), weight(&accepted, "application/json"));
        Ok(if csv > json { Self::Csv } else { Self::Json })
    }
}

/// Thousandths of preference that an `Accept` header gives to a media type (RFC 9110, section 12.5.1), the most specific
/// range deciding.
fn weight(accept: &str, media_type: &str) -> u16 {
    let kind = media_type.split('/').next().unwrap_or_default();
    let mut best = (0, 0);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let specific = match name.as_str() {
            "*/*" => 1,
            _ if name == media_type => 3,
            _ if name.strip_suffix("/*") == Some(kind) => 2,
            _ => continue,
        };
        let given = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        if specific > best.0 {
            best = (specific, given.map_or(1_000, thousandths));
        }
    }
    best.1
}

/// `0.85` as 850; what is no such number is nothing.
fn thousandths(text: &str) -> u16 {
    let (whole, places) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{places:0<3}").parse().ok().filter(|weight| *weight <= 1_000).unwrap_or(0)
}

/// A table on its way to a CSV file.
struct Table(csv::Writer<Vec<u8>>);

impl Table {
    fn new(columns: &[&str]) -> Result<Self, csv::Error> {
        let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
        // A later part of a table has none.
        if !columns.is_empty() {
            writer.write_record(columns)?;
        }
        Ok(Self(writer))
    }

    fn row(&mut self, cells: &[Cell]) -> Result<(), csv::Error> {
        for cell in cells {
            match cell {
                Cell::Text(text) => self.0.write_field(harmless(text))?,
                Cell::Figure(text) => self.0.write_field(text)?,
                Cell::Empty => self.0.write_field("")?,
            }
        }
        self.0.write_record(None::<&[u8]>)
    }

    fn finish(self) -> Result<Vec<u8>, csv::Error> {
        self.0.into_inner().map_err(|bad| csv::Error::from(bad.into_error()))
    }
}

/// One cell of a table.
enum Cell {
    /// What people wrote.
    Text(String),
    /// What was calculated here: numbers, days, ids.
    Figure(String),
    /// Nothing.
    Empty,
}

fn text(value: impl ToString) -> Cell {
    Cell::Text(value.to_string())
}

fn figure(value: impl ToString) -> Cell {
    Cell::Figure(value.to_string())
}

fn maybe(value: Option<impl ToString>) -> Cell {
    value.map_or(Cell::Empty, figure)
}

/// A text that a spreadsheet would take for a formula gets an apostrophe before it.
fn harmless(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    if formula { format!("'{text}") } else { text.to_owned() }
}

fn failed(bad: &csv::Error) -> Error {
    Error::Unfit { code: "not_exportable", detail: bad.to_string() }
}

/// A CSV file to download.
pub fn download(bytes: Vec<u8>, what: &str, organization: &str, period: Period) -> Response {
    let last = Day::from_number(period.to.number() - 1);
    let disposition = format!("attachment; filename=\"{what}-{organization}-{}-{last}.csv\"", period.from);
    ([(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, disposition)], bytes).into_response()
}

fn named<I: ToString>(columns: &mut Vec<Cell>, id: Option<I>, name: Option<&Named>) {
    columns.push(maybe(id));
    columns.push(name.map_or(Cell::Empty, |name| figure(&name.handle)));
    columns.push(name.map_or(Cell::Empty, |name| text(&name.name)));
}

/// The rows of a summary of costs.
///
/// # Errors
/// Never in practice: writing to memory does not fail.
pub fn costs(costs: &Costs, summary: &CostSummary, by: &Grouping<CostWord>) -> Result<Vec<u8>, Error> {
    write_costs(costs, summary, by).map_err(|bad| failed(&bad))
}

fn write_costs(costs: &Costs, summary: &CostSummary, by: &Grouping<CostWord>) -> Result<Vec<u8>, csv::Error> {
    let mut columns = Vec::new();
    for (word, names) in [
        (CostWord::Service, &["service_id", "service_handle", "service_name"][..]),
        (CostWord::Subscription, &["subscription_id"]),
        (CostWord::Project, &["project_id", "project_handle", "project_name"]),
        (CostWord::Component, &["component"]),
        (CostWord::Day, &["day"]),
        (CostWord::Month, &["month"]),
    ] {
        if by.has(word) {
            columns.extend_from_slice(names);
        }
    }
    columns.extend_from_slice(&["quantity", "cost", "currency"]);
    let mut table = Table::new(&columns)?;
    for CostRow { key, quantity, cost } in &summary.rows {
        let mut cells = Vec::with_capacity(columns.len());
        if by.has(CostWord::Service) {
            named(&mut cells, key.service, key.service.and_then(|id| costs.names.services.get(&id)));
        }
        if by.has(CostWord::Subscription) {
            cells.push(maybe(key.subscription));
        }
        if by.has(CostWord::Project) {
            named(&mut cells, key.project, key.project.and_then(|id| costs.names.projects.get(&id)));
        }
        if by.has(CostWord::Component) {
            cells.push(key.component.as_ref().map_or(Cell::Empty, text));
        }
        if by.has(CostWord::Day) {
            cells.push(maybe(key.day));
        }
        if by.has(CostWord::Month) {
            cells.push(maybe(key.month));
        }
        cells.extend([maybe(*quantity), figure(cost), figure(key.currency)]);
        table.row(&cells)?;
    }
    table.finish()
}

/// The rows of reported usage.
///
/// # Errors
/// Never in practice: writing to memory does not fail.
pub fn usage(usage: &Usage, by: &Grouping<UsageWord>) -> Result<Vec<u8>, Error> {
    write_usage(usage, by).map_err(|bad| failed(&bad))
}

fn write_usage(usage: &Usage, by: &Grouping<UsageWord>) -> Result<Vec<u8>, csv::Error> {
    let mut columns = vec!["service_id", "service_handle", "service_name"];
    for (word, names) in [
        (UsageWord::Subscription, &["subscription_id"][..]),
        (UsageWord::Project, &["project_id", "project_handle", "project_name"]),
        (UsageWord::Day, &["day"]),
        (UsageWord::Month, &["month"]),
    ] {
        if by.has(word) {
            columns.extend_from_slice(names);
        }
    }
    columns.extend_from_slice(&["meter", "unit", "quantity"]);
    let mut table = Table::new(&columns)?;
    for row in &usage.rows {
        let key = &row.key;
        let mut cells = Vec::with_capacity(columns.len());
        named(&mut cells, Some(key.service), usage.names.services.get(&key.service));
        if by.has(UsageWord::Subscription) {
            cells.push(maybe(key.subscription));
        }
        if by.has(UsageWord::Project) {
            named(&mut cells, key.project, key.project.and_then(|id| usage.names.projects.get(&id)));
        }
        if by.has(UsageWord::Day) {
            cells.push(maybe(key.day));
        }
        if by.has(UsageWord::Month) {
            cells.push(maybe(key.month));
        }
        cells.extend([text(&key.meter), row.unit.as_ref().map_or(Cell::Empty, text), figure(row.quantity)]);
        table.row(&cells)?;
    }
    table.finish()
}

/// The columns of FOCUS 1.0 that have a meaning here, in its order: all that it requires, and those that a reader needs
/// to check a charge.
const FOCUS: [&str; 38] = [
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "ListUnitPrice",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "RegionId",
    "RegionName",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "ServiceCategory",
    "ServiceName",
    "SkuId",
    "SkuPriceId",
    "SubAccountId",
    "SubAccountName",
    "Tags",
    "x_Component",
];

/// The daily cost lines as FinOps FOCUS 1.0: the organization is the billing account, its projects are the sub accounts,
/// a meter's lines are usage and fees are purchases. Nothing is discounted, so all four costs are the same.
///
/// # Errors
/// Never in practice: writing to memory does not fail.
pub fn focus(seat: &Seat, costs: &Costs) -> Result<Vec<u8>, Error> {
    write_focus(seat, costs).map_err(|bad| failed(&bad))
}

fn write_focus(seat: &Seat, costs: &Costs) -> Result<Vec<u8>, csv::Error> {
    let mut table = Table::new(&FOCUS)?;
    for (position, line) in &costs.lines {
        let (Some(billed), Some(plan)) = (costs.subscriptions.get(*position), costs.plan(*position)) else { continue };
        table.row(&focus_row(seat, costs, billed, plan, line))?;
    }
    table.finish()
}

fn focus_row(seat: &Seat, costs: &Costs, billed: &Billed, plan: &Plan, line: &CostLine) -> [Cell; 38] {
    let midnight = |day: Day| figure(format!("{day}T00:00:00Z"));
    let month = Month::of(line.day).first();
    let charge = Charge::of(plan, line);
    let project = line.project.and_then(|id| costs.names.projects.get(&id));
    let cost = || figure(line.cost);
    [
        cost(),
        figure(seat.organization.id),
        text(&seat.organization.name),
        figure(plan.currency),
        midnight(month.next_month()),
        midnight(month),
        figure(charge.category),
        Cell::Empty,
        text(&charge.description),
        figure(charge.frequency),
        midnight(line.day.next()),
        midnight(line.day),
        maybe(line.quantity),
        charge.consumed_unit.as_ref().map_or(Cell::Empty, text),
        cost(),
        maybe(charge.unit_price.as_ref()),
        cost(),
        text(&billed.provider_name),
        cost(),
        maybe(charge.unit_price.as_ref()),
        figure("Standard"),
        figure(&charge.pricing_quantity),
        text(&charge.pricing_unit),
        text(&billed.provider_name),
        text(&billed.provider_name),
        Cell::Empty,
        Cell::Empty,
        figure(billed.id),
        Cell::Empty,
        figure("Subscription"),
        figure(service_category(&billed.categories)),
        text(&billed.service_name),
        text(format!("{}/{}", billed.service_handle, line.component)),
        text(format!("{}/{}", billed.plan, line.component)),
        maybe(line.project),
        project.map_or(Cell::Empty, |project| text(&project.name)),
        Cell::Empty,
        text(&line.component),
    ]
}

/// What FOCUS wants to know of a line.
struct Charge {
    category: &'static str,
    frequency: &'static str,
    description: String,
    consumed_unit: Option<String>,
    pricing_quantity: String,
    pricing_unit: String,
    /// Only where quantity times price is the cost: tiers and packages have no one price.
    unit_price: Option<String>,
}

impl Charge {
    fn of(plan: &Plan, line: &CostLine) -> Self {
        let fee = |frequency, unit: &str, description: &str| Self {
            category: "Purchase",
            frequency,
            description: format!("{description}, plan {}", plan.name),
            consumed_unit: None,
            pricing_quantity: "1".to_owned(),
            pricing_unit: unit.to_owned(),
            unit_price: Some(line.cost.to_string()),
        };
        match &line.component {
            Component::OneTime => fee("One-Time", "Units", "One-time fee"),
            Component::Monthly => fee("Recurring", "Days", "One day of the monthly fee"),
            Component::MonthlyPerProject => fee("Recurring", "Days", "One day of the monthly fee for a project"),
            Component::Meter(name) => Self::metered(plan.meter(name), name, line),
        }
    }

    fn metered(meter: Option<&Meter>, name: &str, line: &CostLine) -> Self {
        let unit = meter.map_or("", |meter| meter.unit.as_str());
        let price = meter.and_then(|meter| match &meter.price {
            Price::Standard { unit_price } if meter.free_units.is_zero() => Some(unit_price.normalize().to_string()),
            _ => None,
        });
        Self {
            category: "Usage",
            frequency: "Usage-Based",
            description: format!("{name}, counted in {unit}"),
            consumed_unit: Some(unit.to_owned()),
            pricing_quantity: line.quantity.unwrap_or_default().to_string(),
            pricing_unit: unit.to_owned(),
            unit_price: price,
        }
    }
}

/// The service categories of FOCUS 1.0.
const SERVICE_CATEGORIES: [&str; 18] = [
    "AI and Machine Learning",
    "Analytics",
    "Business Applications",
    "Compute",
    "Databases",
    "Developer Tools",
    "Multicloud",
    "Identity",
    "Integration",
    "Internet of Things",
    "Management and Governance",
    "Media",
    "Migration",
    "Mobile",
    "Networking",
    "Security",
    "Storage",
    "Web",
];

/// The first of a service's categories that FOCUS knows.
fn service_category(categories: &[String]) -> &'static str {
    let folded = |known: &str| known.to_lowercase().replace(' ', "-");
    let known = |category: &String| {
        let category = category.replace('&', "and");
        SERVICE_CATEGORIES.into_iter().find(|known| folded(known) == category)
    };
    categories.iter().find_map(known).unwrap_or("Other")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format_of(accept: &str) -> Format {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, accept.parse().unwrap());
        Format::of(&headers, None, &[]).unwrap()
    }

    #[test]
    fn csv_is_given_to_who_prefers_it() {
        assert_eq!(format_of("text/csv"), Format::Csv);
        assert_eq!(format_of("text/csv, */*;q=0.8"), Format::Csv);
        assert_eq!(format_of("text/*, application/json;q=0.5"), Format::Csv);
        for other in ["*/*", "application/json", "application/json, text/csv", "text/csv;q=0.1, application/json;q=0.25", "text/csv;q=0"] {
            assert_eq!(format_of(other), Format::Json, "{other}");
        }
        let offered = [("json", Format::Json), ("csv", Format::Csv)];
        assert_eq!(Format::of(&HeaderMap::new(), Some("csv"), &offered).unwrap(), Format::Csv);
        assert_eq!(Format::of(&HeaderMap::new(), None, &offered).unwrap(), Format::Json);
        assert!(Format::of(&HeaderMap::new(), Some("xlsx"), &offered).is_err());
    }

    #[test]
    fn no_text_is_taken_for_a_formula_and_no_figure_is_changed() {
        let mut table = Table::new(&["name", "cost"]).unwrap();
        for name in ["=1+1", "+1", "-1", "@sum", "\tx", "a=b", "line\nbreak", "comma, \"quote\""] {
            table.row(&[text(name), figure("-0.5")]).unwrap();
        }
        let written = String::from_utf8(table.finish().unwrap()).unwrap();
        assert_eq!(
            written,
            "name,cost\r\n'=1+1,-0.5\r\n'+1,-0.5\r\n'-1,-0.5\r\n'@sum,-0.5\r\n'\tx,-0.5\r\na=b,-0.5\r\n\"line\nbreak\",-0.5\r\n\"comma, \"\"quote\"\"\",-0.5\r\n"
        );
    }

    #[test]
    fn a_category_is_one_of_focus() {
        assert_eq!(service_category(&["energy".into(), "machine-learning".into()]), "Other");
        assert_eq!(service_category(&["energy".into(), "ai-&-machine-learning".into()]), "AI and Machine Learning");
        assert_eq!(service_category(&["compute".into()]), "Compute");
    }
}
