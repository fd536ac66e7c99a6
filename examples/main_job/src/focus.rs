//! A FOCUS file as the job sees it: who pays, which projects they have, which services were used and at which prices.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io::Read,
};

use rust_decimal::Decimal;
use serde::Deserialize;

use crate::exact::{self, Inexact};

/// The columns that are read; a file may have others.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Line {
    billing_account_name: String,
    sub_account_name: String,
    provider_name: String,
    service_name: String,
    service_category: String,
    charge_category: String,
    charge_period_start: String,
    charge_period_end: String,
    pricing_quantity: String,
    pricing_unit: String,
    list_unit_price: String,
    list_cost: String,
    billing_currency: String,
    sku_price_id: String,
}

/// The position of an organization in [`Focus::organizations`], and of the other things in their lists.
pub type Index = usize;

/// Everything of a file.
#[derive(Debug, Default)]
pub struct Focus {
    /// The billing accounts.
    pub organizations: Vec<String>,
    /// The sub accounts.
    pub projects: Vec<Project>,
    /// Who provides services.
    pub providers: Vec<String>,
    /// The services.
    pub services: Vec<Service>,
    /// The lines, each of which is one report of usage.
    pub charges: Vec<Charge>,
    /// How many lines are no usage (taxes, credits, purchases) and were left out.
    pub other_lines: usize,
}

/// A sub account.
#[derive(Debug, PartialEq, Eq)]
pub struct Project {
    /// Whose.
    pub organization: Index,
    /// Its name; what has the same name in the same billing account is the same project.
    pub name: String,
}

/// A service.
#[derive(Debug, PartialEq, Eq)]
pub struct Service {
    /// Whose.
    pub provider: Index,
    /// Its name.
    pub name: String,
    /// Where it is listed.
    pub categories: BTreeSet<String>,
    /// What its prices are in.
    pub currency: String,
    /// One for each SKU, unit and price.
    pub meters: Vec<Meter>,
}

/// A price of a service.
#[derive(Debug, PartialEq, Eq)]
pub struct Meter {
    /// The SKU, with unit and price where the SKU has several.
    pub name: String,
    /// What is counted.
    pub unit: String,
    /// What one costs.
    pub unit_price: Decimal,
}

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub struct Charge {
    /// Its number in the file; the heading is line 1.
    pub line: u64,
    /// Who used it.
    pub project: Index,
    /// What was used.
    pub service: Index,
    /// At which of the service's prices.
    pub meter: Index,
    /// How much, as it is written.
    pub quantity: String,
    /// Quantity × unit price, exactly.
    pub cost: Decimal,
    /// The cost as the file has it, rounded.
    pub list_cost: Decimal,
    /// How far the file's cost may be from the exact one.
    pub tolerance: Decimal,
    /// The first instant of the time it was used in (RFC 3339).
    pub start: String,
    /// The end of that time.
    pub end: String,
}

/// A subscription: which projects of an organization used a service.
#[derive(Debug, PartialEq, Eq)]
pub struct Use {
    /// Whose projects.
    pub organization: Index,
    /// What they used.
    pub service: Index,
    /// The projects that used it.
    pub projects: BTreeSet<Index>,
}

/// Why a file can't be used; names the line.
#[derive(Debug, thiserror::Error)]
pub enum BadFile {
    /// The file can't be read as the columns of FOCUS.
    #[error("{0}")]
    Csv(#[from] csv::Error),
    /// An amount that is none, or that is too long to be exact.
    #[error("line {0}, {1}: {2}")]
    Amount(u64, &'static str, Inexact),
    /// A text that must not be empty.
    #[error("line {0}: {1} is empty")]
    Empty(u64, &'static str),
    /// A line whose cost is not what it says.
    #[error("line {0}: PricingQuantity × ListUnitPrice is {1}, but ListCost is {2}: the price is not the same for every unit")]
    Cost(u64, Decimal, Decimal),
    /// A service with prices in two currencies.
    #[error("line {0}: {1} has prices in {2} and in {3}; a plan has one currency")]
    Currency(u64, String, String, String),
    /// Nothing in it.
    #[error("there is no line of usage")]
    NoUsage,
    /// Nothing that could be taken out and leave something, or nothing that is not granted.
    #[error("{0}")]
    TooSmall(&'static str),
}

/// A list without repetitions, and where each thing stands in it.
struct Known<K, T> {
    places: HashMap<K, Index>,
    things: Vec<T>,
}

impl<K: std::hash::Hash + Eq, T> Known<K, T> {
    fn new() -> Self {
        Self { places: HashMap::new(), things: Vec::new() }
    }

    fn place(&mut self, key: K, new: impl FnOnce() -> T) -> Index {
        *self.places.entry(key).or_insert_with(|| {
            self.things.push(new());
            self.things.len() - 1
        })
    }
}

/// What has been read so far.
struct Reading {
    organizations: Known<String, String>,
    projects: Known<(Index, String), Project>,
    providers: Known<String, String>,
    services: Known<(Index, String), Service>,
    meters: Known<(Index, String, String, Decimal), ()>,
    /// For each meter the service it is of and its position there.
    positions: Vec<Index>,
    charges: Vec<Charge>,
}

impl Focus {
    /// Reads a file.
    ///
    /// # Errors
    /// [`BadFile`] names the line.
    pub fn read(from: impl Read) -> Result<Self, BadFile> {
        let mut reading = Reading {
            organizations: Known::new(),
            projects: Known::new(),
            providers: Known::new(),
            services: Known::new(),
            meters: Known::new(),
            positions: Vec::new(),
            charges: Vec::new(),
        };
        let mut other_lines = 0;
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(from);
        let heading = reader.headers()?.clone();
        for record in reader.records() {
            let record = record?;
            let number = record.position().map_or(0, csv::Position::line);
            let line: Line = record.deserialize(Some(&heading))?;
            if line.charge_category == "Usage" { reading.add(number, line)? } else { other_lines += 1 }
        }
        let mut services = reading.services.things;
        services.iter_mut().for_each(tell_apart);
        let focus = Self {
            organizations: reading.organizations.things,
            projects: reading.projects.things,
            providers: reading.providers.things,
            services,
            charges: reading.charges,
            other_lines,
        };
        if focus.charges.is_empty() { Err(BadFile::NoUsage) } else { Ok(focus) }
    }

    /// Whether everything can be shown with this file.
    ///
    /// # Errors
    /// [`BadFile::TooSmall`] says what is missing.
    pub fn suffices(&self) -> Result<(), BadFile> {
        let uses = self.uses();
        if !uses.iter().any(|one| one.projects.len() > 1) {
            return Err(BadFile::TooSmall("no service is used by two projects, so that one could be taken out and the other stay"));
        }
        if uses.iter().all(|one| self.ungranted(one).next().is_none()) {
            return Err(BadFile::TooSmall("every service is used by every project, so none is closed to any"));
        }
        Ok(())
    }

    /// The subscriptions the file shows, in the order of organizations and services.
    pub fn uses(&self) -> Vec<Use> {
        let mut uses: BTreeMap<(Index, Index), BTreeSet<Index>> = BTreeMap::new();
        for charge in &self.charges {
            if let Some(project) = self.projects.get(charge.project) {
                uses.entry((project.organization, charge.service)).or_default().insert(charge.project);
            }
        }
        uses.into_iter().map(|((organization, service), projects)| Use { organization, service, projects }).collect()
    }

    /// The projects a use does not take in: those of the same organization, then all others.
    pub fn ungranted<'a>(&'a self, one: &'a Use) -> impl Iterator<Item = Index> + 'a {
        let places = |own: bool| {
            let here = move |(_, project): &(Index, &Project)| (project.organization == one.organization) == own;
            self.projects.iter().enumerate().filter(here).map(|(place, _)| place)
        };
        places(true).chain(places(false)).filter(|place| !one.projects.contains(place))
    }

    /// The lines of a use, with their positions.
    pub fn charges_of<'a>(&'a self, one: &'a Use) -> impl Iterator<Item = &'a Charge> + 'a {
        self.charges.iter().filter(|charge| charge.service == one.service && one.projects.contains(&charge.project))
    }
}

impl Reading {
    fn add(&mut self, number: u64, line: Line) -> Result<(), BadFile> {
        for (column, text) in [
            ("BillingAccountName", &line.billing_account_name),
            ("SubAccountName", &line.sub_account_name),
            ("ProviderName", &line.provider_name),
            ("ServiceName", &line.service_name),
            ("SkuPriceId", &line.sku_price_id),
        ] {
            if text.is_empty() {
                return Err(BadFile::Empty(number, column));
            }
        }
        let amount = |column, text: &str| exact::read(text).map_err(|error| BadFile::Amount(number, column, error));
        let quantity = amount("PricingQuantity", &line.pricing_quantity)?;
        let unit_price = amount("ListUnitPrice", &line.list_unit_price)?;
        let list_cost = amount("ListCost", &line.list_cost)?;
        let cost =
            exact::product(quantity, unit_price).map_err(|error| BadFile::Amount(number, "PricingQuantity × ListUnitPrice", error))?;
        let tolerance = tolerance(list_cost).map_err(|error| BadFile::Amount(number, "ListCost", error))?;
        if (cost - list_cost).abs() > tolerance {
            return Err(BadFile::Cost(number, cost, list_cost));
        }
        let start = instant(&line.charge_period_start);
        let end = instant(&line.charge_period_end);
        let written = quantity.to_string();
        let organization = self.organizations.place(line.billing_account_name.clone(), || line.billing_account_name.clone());
        let project = self
            .projects
            .place((organization, line.sub_account_name.clone()), || Project { organization, name: line.sub_account_name.clone() });
        let (service, meter) = self.meter(number, line, unit_price)?;
        self.charges.push(Charge { line: number, project, service, meter, quantity: written, cost, list_cost, tolerance, start, end });
        Ok(())
    }

    fn meter(&mut self, number: u64, line: Line, unit_price: Decimal) -> Result<(Index, Index), BadFile> {
        let provider = self.providers.place(line.provider_name.clone(), || line.provider_name.clone());
        let place = self.services.place((provider, line.service_name.clone()), || Service {
            provider,
            name: line.service_name.clone(),
            categories: BTreeSet::new(),
            currency: line.billing_currency.clone(),
            meters: Vec::new(),
        });
        let unit = if line.pricing_unit.is_empty() { "Units".to_owned() } else { line.pricing_unit };
        let meters = self.meters.things.len();
        let known = self.meters.place((place, line.sku_price_id.clone(), unit.clone(), unit_price), || ());
        let service = &mut self.services.things[place];
        if service.currency != line.billing_currency {
            return Err(BadFile::Currency(number, line.service_name, service.currency.clone(), line.billing_currency));
        }
        if !line.service_category.is_empty() {
            service.categories.insert(line.service_category);
        }
        if known == meters {
            self.positions.push(service.meters.len());
            service.meters.push(Meter { name: line.sku_price_id, unit, unit_price });
        }
        Ok((place, self.positions[known]))
    }
}

/// Names meters of the same SKU by their unit and price as well.
fn tell_apart(service: &mut Service) {
    let mut times: HashMap<String, usize> = HashMap::new();
    for meter in &service.meters {
        *times.entry(meter.name.clone()).or_default() += 1;
    }
    for meter in &mut service.meters {
        if times.get(&meter.name).is_some_and(|&times| times > 1) {
            meter.name = format!("{} at {} per {}", meter.name, meter.unit_price, meter.unit);
        }
    }
}

/// The rounding of a cost in such files: at most 0.00000002, or a ten-thousandth of the cost.
fn tolerance(list_cost: Decimal) -> Result<Decimal, Inexact> {
    Ok(exact::product(list_cost.abs(), Decimal::new(1, 4))?.max(Decimal::new(2, 8)))
}

/// The file writes `2024-09-18 22:00:00` and means UTC; RFC 3339 is `2024-09-18T22:00:00Z`.
fn instant(text: &str) -> String {
    let joined = text.trim_end_matches(" UTC").replace(' ', "T");
    if joined.ends_with('Z') || joined.is_empty() { joined } else { format!("{joined}Z") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADING: &str = "BillingAccountName,SubAccountName,ProviderName,ServiceName,ServiceCategory,ChargeCategory,ChargePeriodStart,ChargePeriodEnd,PricingQuantity,PricingUnit,ListUnitPrice,ListCost,BillingCurrency,SkuPriceId,Extra";

    fn file(lines: &[&str]) -> Result<Focus, BadFile> {
        let lines: Vec<String> = lines
            .iter()
            .map(|line| {
                let [account, project, service, quantity, unit, price, cost, sku] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
                format!("{account},{project},Cloud,{service},Compute,Usage,2024-09-18 22:00:00,2024-09-18 23:00:00,{quantity},{unit},{price},{cost},USD,{sku},x")
            })
            .collect();
        Focus::read(format!("{HEADING}\n{}\n", lines.join("\n")).as_bytes())
    }

    #[test]
    fn lines_are_grouped_by_account_project_service_and_price() {
        let focus = file(&[
            "A red s1 2.000 GB 0.5 1.00000001 k1",
            "A red s1 1 GB 0.5 0.5 k1",
            "A blue s1 1 GB 0.25 0.25 k1",
            "B red s2 -0.00000001 Hours 0.1 0 k1",
            "A blue s2 3 Hours 0.1 0.3 k1",
        ])
        .unwrap();
        assert_eq!(focus.organizations, ["A", "B"]);
        let projects: Vec<_> = focus.projects.iter().map(|project| (project.organization, project.name.as_str())).collect();
        assert_eq!(projects, [(0, "red"), (0, "blue"), (1, "red")]);
        let meters: Vec<Vec<&str>> =
            focus.services.iter().map(|one| one.meters.iter().map(|meter| meter.name.as_str()).collect()).collect();
        assert_eq!(meters, [vec!["k1 at 0.5 per GB", "k1 at 0.25 per GB"], vec!["k1"]]);
        let charges: Vec<_> =
            focus.charges.iter().map(|one| (one.line, one.project, one.service, one.meter, one.quantity.as_str())).collect();
        assert_eq!(charges, [(2, 0, 0, 0, "2"), (3, 0, 0, 0, "1"), (4, 1, 0, 1, "1"), (5, 2, 1, 0, "-0.00000001"), (6, 1, 1, 0, "3")]);
        assert_eq!(focus.charges[3].cost.to_string(), "-0.000000001");
        assert_eq!((focus.charges[0].start.as_str(), focus.charges[0].end.as_str()), ("2024-09-18T22:00:00Z", "2024-09-18T23:00:00Z"));
        let uses: Vec<_> = focus.uses().into_iter().map(|one| (one.organization, one.service, Vec::from_iter(one.projects))).collect();
        assert_eq!(uses, [(0, 0, vec![0, 1]), (0, 1, vec![1]), (1, 1, vec![2])]);
        assert_eq!(focus.ungranted(&focus.uses()[1]).collect::<Vec<_>>(), [0, 2]);
        assert_eq!(focus.charges_of(&focus.uses()[0]).map(|one| one.line).collect::<Vec<_>>(), [2, 3, 4]);
        focus.suffices().unwrap();
    }

    #[test]
    fn what_can_not_be_proved_is_refused_with_its_line() {
        let said = |lines: &[&str]| file(lines).unwrap_err().to_string();
        assert!(said(&["A red s1 2 GB 0.5 1.1 k1"]).starts_with("line 2: PricingQuantity × ListUnitPrice is 1, but ListCost is 1.1"));
        assert!(said(&["A red s1 2 GB 0.5 1 k1", "A red s1 two GB 0.5 1 k1"]).starts_with("line 3, PricingQuantity: `two`"));
        assert!(said(&["A red s1 2 GB 0.5 1 "]).contains("SkuPriceId is empty"));
        assert_eq!(Focus::read(HEADING.as_bytes()).unwrap_err().to_string(), "there is no line of usage");
        assert!(file(&["A red s1 2 GB 0.5 1 k1"]).unwrap().suffices().is_err());
        assert!(file(&["A red s1 2 GB 0.5 1 k1", "A blue s1 2 GB 0.5 1 k1"]).unwrap().suffices().is_err());
    }

    #[test]
    fn the_sample_suffices() {
        let focus = Focus::read(crate::SAMPLE.as_bytes()).unwrap();
        focus.suffices().unwrap();
        assert!(focus.charges.iter().any(|charge| charge.quantity.starts_with('-')), "a correction");
        assert!(focus.services.iter().flat_map(|one| &one.meters).any(|meter| meter.name.contains(" at ")), "a SKU at two prices");
    }
}
