//! Contracts: one immutable version of what a service offers, and the price it is advertised with.

use std::collections::HashSet;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{
    meters::{Meter, Plan, PlanInput, Price, Tier},
    money::{Currency, Money},
    services::{DataPermission, Level, check_permissions},
    text::{self, Faults},
    words::words,
};

/// Plans a contract may have.
pub const MAX_PLANS: usize = 20;

/// What somebody wrote for a contract.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewContract {
    /// What one subscription serves.
    pub level: String,
    /// What the service may do with granted projects' data.
    pub permissions: Vec<String>,
    /// Where the terms are to be read.
    pub terms_url: Option<String>,
    /// What subscribers choose from.
    pub plans: Vec<PlanInput>,
}

/// Checked content of a contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractDraft {
    /// What one subscription serves.
    pub level: Level,
    /// What the service may do with granted projects' data.
    pub permissions: Vec<DataPermission>,
    /// Where the terms are to be read.
    pub terms_url: Option<String>,
    /// What subscribers choose from; at least one.
    pub plans: Vec<Plan>,
}

impl NewContract {
    /// Checks everything at once; faults are noted under `at`, such as `/contract`.
    pub fn check(self, at: &str, faults: &mut Faults) -> Option<ContractDraft> {
        let level = faults.check(format!("{at}/level"), self.level.parse::<Level>());
        let permissions = check_permissions(faults, &format!("{at}/permissions"), &self.permissions);
        let terms_url = match self.terms_url.as_deref().map(str::trim) {
            None | Some("") => Some(None),
            Some(address) => faults.check(format!("{at}/terms_url"), text::url(address)).map(Some),
        };
        let plans = check_plans(&self.plans, &format!("{at}/plans"), faults);
        Some(ContractDraft { level: level?, permissions, terms_url: terms_url?, plans: plans? })
    }
}

fn check_plans(given: &[PlanInput], at: &str, faults: &mut Faults) -> Option<Vec<Plan>> {
    if given.is_empty() {
        faults.add(at, "write at least one plan; a free service has a plan without prices");
    } else if given.len() > MAX_PLANS {
        faults.add(at, format!("a contract may have at most {MAX_PLANS} plans"));
        return None;
    }
    let mut names = HashSet::new();
    let mut plans = Vec::with_capacity(given.len());
    for (index, input) in given.iter().enumerate() {
        let plan = input.validate(&format!("{at}/{index}"), faults);
        if !input.name.trim().is_empty() && !names.insert(input.name.trim()) {
            faults.add(format!("{at}/{index}/name"), "another plan of this contract has this name");
            continue;
        }
        plans.extend(plan);
    }
    (!plans.is_empty() && plans.len() == given.len()).then_some(plans)
}

words! {
    /// What an advertised price is for. In the order of commitment: the first that a contract has is advertised.
    PriceBasis, NotAPriceBasis, "what a price is for" {
        /// Nothing costs anything.
        Free = "free",
        /// One unit of a meter; there is no fee beside it.
        Unit = "unit",
        /// A month for each project.
        ProjectMonth = "project_month",
        /// A month.
        Month = "month",
        /// Once.
        Once = "once",
    }
}

/// The price a service is advertised with: “from EUR 0.10 per GB”.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceHint {
    /// What it is for.
    pub basis: PriceBasis,
    /// The price; zero when free.
    pub price: Money,
    /// The unit, where it is for one.
    pub unit: Option<String>,
    /// Whether there are other prices beside it, so that it is a “from”.
    pub from: bool,
}

impl PriceHint {
    /// The price to advertise of a contract's plans: that of the plan which binds least, and the lowest among equals.
    /// `None` for no plans.
    pub fn of(plans: &[Plan]) -> Option<Self> {
        let hints: Vec<Self> = plans.iter().map(of_plan).collect();
        let lowest = hints.iter().min_by(|a, b| (a.basis, a.price.amount()).cmp(&(b.basis, b.price.amount())))?.clone();
        Some(Self { from: plans.len() > 1 || lowest.from, ..lowest })
    }

    /// In words, for pages: `free`, `from EUR 12.50 a month`.
    pub fn words(&self) -> String {
        let from = if self.from { "from " } else { "" };
        let price = self.price.exact();
        match self.basis {
            PriceBasis::Free if self.from => "free to start".to_owned(),
            PriceBasis::Free => "free".to_owned(),
            PriceBasis::Unit => format!("{from}{price} per {}", self.unit.as_deref().unwrap_or("unit")),
            PriceBasis::ProjectMonth => format!("{from}{price} a month per project"),
            PriceBasis::Month => format!("{from}{price} a month"),
            PriceBasis::Once => format!("{from}{price} once"),
        }
    }
}

fn of_plan(plan: &Plan) -> PriceHint {
    let units: Vec<_> = plan.meters.iter().filter_map(unit_price).collect();
    let fees = [&plan.monthly, &plan.monthly_per_project, &plan.one_time].into_iter().filter(|fee| !fee.is_zero()).count();
    let hint = |basis, amount: Decimal, unit: Option<String>| PriceHint {
        basis,
        price: Money::new(amount, plan.currency),
        from: fees + units.len() > 1,
        unit,
    };
    if !plan.monthly.is_zero() {
        hint(PriceBasis::Month, plan.monthly, None)
    } else if !plan.monthly_per_project.is_zero() {
        hint(PriceBasis::ProjectMonth, plan.monthly_per_project, None)
    } else if let Some((amount, unit)) = units.first() {
        hint(PriceBasis::Unit, *amount, Some(unit.clone()))
    } else if !plan.one_time.is_zero() {
        hint(PriceBasis::Once, plan.one_time, None)
    } else {
        hint(PriceBasis::Free, Decimal::ZERO, None)
    }
}

impl Price {
    /// Whether no quantity costs anything.
    pub fn is_free(&self) -> bool {
        match self {
            Self::Standard { unit_price } => unit_price.is_zero(),
            Self::Graduated { tiers } | Self::Volume { tiers } => {
                tiers.iter().all(|tier| tier.unit_price.is_zero() && tier.flat_fee.is_zero())
            }
            Self::Package { price, .. } => price.is_zero(),
        }
    }
}

impl Meter {
    /// How it charges: `EUR 0.012 per GB, 1,000 free each month`.
    pub fn words(&self, currency: Currency) -> String {
        let money = |amount| Money::new(amount, currency).exact();
        let unit = &self.unit;
        let price = match &self.price {
            Price::Standard { unit_price } => format!("{} per {unit}", money(*unit_price)),
            Price::Package { size, price } => format!("{} per {} {unit}", money(*price), size.shown()),
            Price::Graduated { tiers } | Price::Volume { tiers } => {
                let tier = |tier: &Tier| {
                    let flat = if tier.flat_fee.is_zero() { String::new() } else { format!(" + {}", money(tier.flat_fee)) };
                    let reach = tier.up_to.map_or_else(|| "beyond".to_owned(), |end| format!("up to {}", end.shown()));
                    format!("{} {reach}{flat}", money(tier.unit_price))
                };
                let tiers: Vec<_> = tiers.iter().map(tier).collect();
                let kind = if matches!(self.price, Price::Volume { .. }) { "all at the tier reached" } else { "each part at its tier" };
                format!("per {unit}: {} ({kind})", tiers.join(", "))
            }
        };
        if self.free_units.is_zero() { price } else { format!("{price}, {} free each month", self.free_units.shown()) }
    }
}

/// What the first unit that is charged costs, and of what.
fn unit_price(meter: &Meter) -> Option<(Decimal, String)> {
    let unit = meter.unit.clone();
    match &meter.price {
        Price::Standard { unit_price } => Some((*unit_price, unit)),
        Price::Graduated { tiers } | Price::Volume { tiers } => {
            let flat = |fee: Decimal| (fee, format!("month of {}", meter.name));
            tiers.iter().find_map(|tier| match (tier.unit_price.is_zero(), tier.flat_fee.is_zero()) {
                (false, _) => Some((tier.unit_price, unit.clone())),
                (true, false) => Some(flat(tier.flat_fee)),
                (true, true) => None,
            })
        }
        Price::Package { size, price } => Some((*price, format!("{size} {unit}"))),
    }
    .filter(|(price, _)| !price.is_zero())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plan(json: serde_json::Value) -> Plan {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn everything_wrong_with_a_contract_is_said_at_its_place() {
        let mut faults = Faults::new();
        let meters = json!([{"name": "rows", "unit": "row", "unit_price": "0.1"}, {"name": "calls", "unit": "call", "unit_price": 7}]);
        let contract = NewContract {
            level: "galaxy".into(),
            permissions: vec!["resources:admin".into()],
            terms_url: Some("ftp://terms.example".into()),
            plans: serde_json::from_value(json!([
                {"name": "Basic", "currency": "EUR", "meters": meters},
                {"name": "Basic", "currency": "euro"},
            ]))
            .unwrap(),
        };
        assert_eq!(contract.check("/contract", &mut faults), None);
        let pointers: Vec<_> = faults.into_vec().into_iter().map(|fault| fault.pointer).collect();
        assert_eq!(
            pointers,
            [
                "/contract/level",
                "/contract/permissions/0",
                "/contract/terms_url",
                "/contract/plans/0/meters/1/unit_price",
                "/contract/plans/1/currency",
                "/contract/plans/1/name",
            ]
        );
    }

    #[test]
    fn a_contract_without_plans_is_none() {
        let mut faults = Faults::new();
        let contract = NewContract { level: "project".into(), permissions: vec!["resources:read".into()], ..Default::default() };
        assert_eq!(contract.check("", &mut faults), None);
        assert_eq!(faults.into_vec()[0].pointer, "/plans");
    }

    #[test]
    fn the_price_that_binds_least_is_advertised() {
        let basic = plan(json!({"name": "Basic", "currency": "EUR", "monthly": "12.50"}));
        let metered = plan(json!({"name": "Metered", "currency": "EUR", "meters": [
            {"name": "rows", "unit": "1,000 rows", "charge_model": "graduated",
             "tiers": [{"up_to": "10", "unit_price": "0"}, {"unit_price": "0.0000004"}]}]}));
        let once = plan(json!({"name": "Once", "currency": "EUR", "one_time": "90", "monthly": "5"}));
        let free = plan(json!({"name": "Free", "currency": "EUR"}));
        let words = |plans: &[&Plan]| PriceHint::of(&plans.iter().copied().cloned().collect::<Vec<_>>()).map(|hint| hint.words());
        assert_eq!(words(&[]), None);
        assert_eq!(words(&[&basic]).as_deref(), Some("EUR 12.50 a month"));
        assert_eq!(words(&[&once]).as_deref(), Some("from EUR 5.00 a month"));
        assert_eq!(words(&[&basic, &once]).as_deref(), Some("from EUR 5.00 a month"));
        assert_eq!(words(&[&basic, &metered]).as_deref(), Some("from EUR 0.0000004 per 1,000 rows"));
        assert_eq!(words(&[&free]).as_deref(), Some("free"));
        assert_eq!(words(&[&free, &basic]).as_deref(), Some("free to start"));
    }
}
