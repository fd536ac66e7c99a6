//! Plans and meters: what a service costs, how it is written in the API and what it comes to for a month's quantity.

use std::collections::HashSet;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{
    amounts::{Cost, Quantity, parse_quantity},
    money::{BadDecimal, Currency, Overflow, RawDecimal, parse_price},
    text::{self, Faults},
};

/// Meters a plan may have.
pub const MAX_METERS: usize = 500;
/// Tiers a meter may have.
pub const MAX_TIERS: usize = 50;
/// Characters a plan's or meter's name may have.
pub const MAX_NAME: usize = 120;
/// Characters a meter's unit may have.
pub const MAX_UNIT: usize = 60;

/// One step of a tiered price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tier {
    /// The last quantity it covers; the last tier is open.
    pub up_to: Option<Quantity>,
    /// Price of one unit in this tier.
    pub unit_price: Decimal,
    /// Charged once when the tier is reached.
    #[serde(skip_serializing_if = "Decimal::is_zero")]
    pub flat_fee: Decimal,
}

/// How the quantity of a month becomes a cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Price {
    /// Quantity times price.
    Standard {
        /// Price of one unit.
        unit_price: Decimal,
    },
    /// Each part of the quantity at the price of the tier it falls into, plus the flat fee of every tier reached.
    Graduated {
        /// Ascending; the last is open.
        tiers: Vec<Tier>,
    },
    /// The whole quantity at the price of the tier its total falls into, plus that tier's flat fee.
    Volume {
        /// Ascending; the last is open.
        tiers: Vec<Tier>,
    },
    /// Begun packages times price.
    Package {
        /// Units in a package.
        size: Quantity,
        /// Price of a package.
        price: Decimal,
    },
}

impl Price {
    /// The cost of `quantity` in one month. Only [`Price::Standard`] gives a negative quantity a (negative) cost; the
    /// others have no price for less than nothing, and none for nothing: no quantity, no flat fee.
    ///
    /// # Errors
    /// [`Overflow`].
    pub fn of(&self, quantity: Quantity) -> Result<Cost, Overflow> {
        match self {
            Self::Standard { unit_price } => Cost::of(quantity, *unit_price),
            _ if quantity <= Quantity::ZERO => Ok(Cost::ZERO),
            Self::Graduated { tiers } => {
                let (mut cost, mut from) = (Cost::ZERO, Quantity::ZERO);
                for tier in tiers {
                    if quantity <= from {
                        break;
                    }
                    let to = tier.up_to.map_or(quantity, |end| end.min(quantity));
                    cost = cost.plus(Cost::of(to.minus(from)?, tier.unit_price)?)?.plus(Cost::flat(tier.flat_fee)?)?;
                    from = to;
                }
                Ok(cost)
            }
            Self::Volume { tiers } => match tiers.iter().find(|tier| tier.up_to.is_none_or(|end| quantity <= end)) {
                Some(tier) => Cost::of(quantity, tier.unit_price)?.plus(Cost::flat(tier.flat_fee)?),
                None => Ok(Cost::ZERO),
            },
            Self::Package { size, price } => Cost::of(quantity.packages_of(*size)?, *price),
        }
    }
}

/// Something a service counts and charges for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "MeterInput", into = "MeterInput")]
pub struct Meter {
    /// Its name, unique in the plan; usage is reported under it.
    pub name: String,
    /// What is counted: `GB`, `requests`.
    pub unit: String,
    /// How the quantity becomes a cost.
    pub price: Price,
    /// The part of each month's quantity that is not charged.
    pub free_units: Quantity,
}

/// What a contract's subscribers pay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "PlanInput", into = "PlanInput")]
pub struct Plan {
    /// Its name, unique in the contract.
    pub name: String,
    /// The currency of all its prices.
    pub currency: Currency,
    /// Charged once, on the day of the first activation.
    pub one_time: Decimal,
    /// Base fee of a calendar month.
    pub monthly: Decimal,
    /// Fee of a calendar month for each granted project.
    pub monthly_per_project: Decimal,
    /// What is charged by quantity.
    pub meters: Vec<Meter>,
}

impl Plan {
    /// The meter of that name.
    pub fn meter(&self, name: &str) -> Option<&Meter> {
        self.meters.iter().find(|meter| meter.name == name)
    }

    /// Whether nothing in it costs anything.
    pub fn is_free(&self) -> bool {
        self.one_time.is_zero()
            && self.monthly.is_zero()
            && self.monthly_per_project.is_zero()
            && self.meters.iter().all(|meter| meter.price.is_free())
    }
}

/// A tier as the API writes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TierInput {
    /// The last quantity it covers; null or absent in the last tier.
    #[serde(default)]
    pub up_to: Option<RawDecimal>,
    /// Price of one unit.
    #[serde(default)]
    pub unit_price: Option<RawDecimal>,
    /// Charged once when the tier is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flat_fee: Option<RawDecimal>,
}

/// A meter as the API writes it. Fields that are missing are faults at their place, not an unreadable body.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeterInput {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// What is counted.
    #[serde(default)]
    pub unit: String,
    /// `standard` (default), `graduated`, `volume` or `package`.
    #[serde(default)]
    pub charge_model: Option<String>,
    /// For `standard`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_price: Option<RawDecimal>,
    /// For `graduated` and `volume`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tiers: Option<Vec<TierInput>>,
    /// For `package`: units in a package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package_size: Option<RawDecimal>,
    /// For `package`: price of a package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package_price: Option<RawDecimal>,
    /// The part of each month's quantity that is not charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_units: Option<RawDecimal>,
}

/// A plan as the API writes it. Fees are decimal strings in the plan's currency; the money object
/// `{"amount", "currency"}` is understood too when its currency is the plan's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanInput {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// The currency of all its prices.
    #[serde(default)]
    pub currency: String,
    /// Charged once.
    #[serde(default)]
    pub one_time: Option<RawDecimal>,
    /// Base fee of a month.
    #[serde(default)]
    pub monthly: Option<RawDecimal>,
    /// Fee of a month for each granted project.
    #[serde(default)]
    pub monthly_per_project: Option<RawDecimal>,
    /// What is charged by quantity.
    #[serde(default)]
    pub meters: Vec<MeterInput>,
}

fn price_at(faults: &mut Faults, pointer: String, raw: Option<&RawDecimal>) -> Option<Decimal> {
    match raw {
        Some(raw) => faults.check(pointer, raw.text().and_then(parse_price)),
        None => {
            faults.add(pointer, "this is missing; write a decimal string such as \"12.50\", or \"0\"");
            None
        }
    }
}

fn amount_at(faults: &mut Faults, pointer: String, raw: &RawDecimal, zero: bool) -> Option<Quantity> {
    let read = raw.text().and_then(parse_quantity).and_then(|quantity| match quantity {
        negative if negative.is_negative() => Err(BadDecimal::Negative),
        none if none.is_zero() && !zero => Err(BadDecimal::Zero),
        good => Ok(good),
    });
    faults.check(pointer, read)
}

impl TierInput {
    fn validate(&self, at: &str, faults: &mut Faults) -> Option<Tier> {
        let up_to = match &self.up_to {
            Some(raw) => amount_at(faults, format!("{at}/up_to"), raw, false).map(Some),
            None => Some(None),
        };
        let unit_price = price_at(faults, format!("{at}/unit_price"), self.unit_price.as_ref());
        let flat_fee = match &self.flat_fee {
            Some(raw) => price_at(faults, format!("{at}/flat_fee"), Some(raw)),
            None => Some(Decimal::ZERO),
        };
        Some(Tier { up_to: up_to?, unit_price: unit_price?, flat_fee: flat_fee? })
    }
}

impl MeterInput {
    /// Judges it. Faults are noted under `at`, such as `/contract/plans/0/meters/3`; a meter without faults is returned.
    pub fn validate(&self, at: &str, faults: &mut Faults) -> Option<Meter> {
        let name = faults.check(format!("{at}/name"), text::line(&self.name, MAX_NAME));
        let unit = faults.check(format!("{at}/unit"), text::line(&self.unit, MAX_UNIT));
        let free_units = match &self.free_units {
            Some(raw) => amount_at(faults, format!("{at}/free_units"), raw, true),
            None => Some(Quantity::ZERO),
        };
        let price = self.validate_price(at, faults);
        Some(Meter { name: name?, unit: unit?, price: price?, free_units: free_units? })
    }

    fn validate_price(&self, at: &str, faults: &mut Faults) -> Option<Price> {
        let model = self.charge_model.as_deref().unwrap_or("standard");
        let (unit_price, tiers, package) = match model {
            "standard" => (true, false, false),
            "graduated" | "volume" => (false, true, false),
            "package" => (false, false, true),
            _ => {
                faults.add(format!("{at}/charge_model"), "choose one of standard, graduated, volume, package");
                return None;
            }
        };
        let mut foreign = |field: &str, given: bool, belongs: bool| {
            if given && !belongs {
                faults.add(format!("{at}/{field}"), format!("this does not belong to the charge model {model}; leave it out"));
            }
        };
        foreign("unit_price", self.unit_price.is_some(), unit_price);
        foreign("tiers", self.tiers.is_some(), tiers);
        foreign("package_size", self.package_size.is_some(), package);
        foreign("package_price", self.package_price.is_some(), package);
        match model {
            "graduated" => Some(Price::Graduated { tiers: self.validate_tiers(at, faults)? }),
            "volume" => Some(Price::Volume { tiers: self.validate_tiers(at, faults)? }),
            "package" => {
                let size = match &self.package_size {
                    Some(raw) => amount_at(faults, format!("{at}/package_size"), raw, false),
                    None => {
                        faults.add(format!("{at}/package_size"), "this is missing; write how many units a package has, such as \"1000\"");
                        None
                    }
                };
                let price = price_at(faults, format!("{at}/package_price"), self.package_price.as_ref());
                Some(Price::Package { size: size?, price: price? })
            }
            _ => Some(Price::Standard { unit_price: price_at(faults, format!("{at}/unit_price"), self.unit_price.as_ref())? }),
        }
    }

    fn validate_tiers(&self, at: &str, faults: &mut Faults) -> Option<Vec<Tier>> {
        let given = self.tiers.as_deref().unwrap_or_default();
        if given.is_empty() || given.len() > MAX_TIERS {
            faults.add(format!("{at}/tiers"), format!("write 1 to {MAX_TIERS} tiers"));
            return None;
        }
        let read: Vec<_> = given.iter().enumerate().map(|(i, tier)| tier.validate(&format!("{at}/tiers/{i}"), faults)).collect();
        let last = given.len() - 1;
        let mut before = Quantity::ZERO;
        let mut sound = true;
        for (i, tier) in given.iter().enumerate() {
            let end = read.get(i).and_then(Option::as_ref).and_then(|tier| tier.up_to);
            let wrong = match (&tier.up_to, end) {
                (Some(_), _) if i == last => Some("the last tier is open; write null"),
                (None, _) if i < last => Some("only the last tier is open; write the last quantity this tier covers"),
                (_, Some(end)) if end <= before => Some("each tier must reach further than the one before it"),
                _ => None,
            };
            if let Some(wrong) = wrong {
                faults.add(format!("{at}/tiers/{i}/up_to"), wrong);
                sound = false;
            }
            before = end.unwrap_or(before);
        }
        let tiers: Option<Vec<_>> = read.into_iter().collect();
        tiers.filter(|_| sound)
    }
}

impl PlanInput {
    /// Judges it. Faults are noted under `at`, such as `/contract/plans/0`; a plan without faults is returned.
    pub fn validate(&self, at: &str, faults: &mut Faults) -> Option<Plan> {
        let name = faults.check(format!("{at}/name"), text::line(&self.name, MAX_NAME));
        let currency = faults.check(format!("{at}/currency"), self.currency.parse::<Currency>());
        let one_time = self.fee(at, "one_time", self.one_time.as_ref(), faults);
        let monthly = self.fee(at, "monthly", self.monthly.as_ref(), faults);
        let monthly_per_project = self.fee(at, "monthly_per_project", self.monthly_per_project.as_ref(), faults);
        if self.meters.len() > MAX_METERS {
            faults.add(format!("{at}/meters"), format!("a plan may have at most {MAX_METERS} meters"));
            return None;
        }
        let mut names = HashSet::new();
        let mut meters = Vec::with_capacity(self.meters.len());
        for (i, input) in self.meters.iter().enumerate() {
            let at = format!("{at}/meters/{i}");
            let meter = input.validate(&at, faults);
            if !input.name.trim().is_empty() && !names.insert(input.name.trim()) {
                faults.add(format!("{at}/name"), "another meter of this plan has this name");
                continue;
            }
            meters.extend(meter);
        }
        let complete = meters.len() == self.meters.len();
        let plan = Plan {
            name: name?,
            currency: currency?,
            one_time: one_time?,
            monthly: monthly?,
            monthly_per_project: monthly_per_project?,
            meters,
        };
        complete.then_some(plan)
    }

    fn fee(&self, at: &str, field: &str, raw: Option<&RawDecimal>, faults: &mut Faults) -> Option<Decimal> {
        let Some(raw) = raw else { return Some(Decimal::ZERO) };
        let money = raw.value().as_object();
        let Some(money) = money else { return price_at(faults, format!("{at}/{field}"), Some(raw)) };
        if money.get("currency").and_then(|c| c.as_str()) != Some(self.currency.as_str()) {
            faults.add(format!("{at}/{field}/currency"), "all prices of a plan are in the plan's currency");
            return None;
        }
        let amount = money.get("amount").and_then(|a| a.as_str()).ok_or(BadDecimal::NotAString).and_then(parse_price);
        faults.check(format!("{at}/{field}/amount"), amount)
    }
}

fn raw_quantity(quantity: Quantity) -> RawDecimal {
    RawDecimal::from(quantity.to_string())
}

impl From<Tier> for TierInput {
    fn from(tier: Tier) -> Self {
        Self {
            up_to: tier.up_to.map(raw_quantity),
            unit_price: Some(tier.unit_price.into()),
            flat_fee: (!tier.flat_fee.is_zero()).then(|| tier.flat_fee.into()),
        }
    }
}

impl From<Meter> for MeterInput {
    fn from(meter: Meter) -> Self {
        let mut input = Self { name: meter.name, unit: meter.unit, ..Self::default() };
        let tiers = |tiers: Vec<Tier>| Some(tiers.into_iter().map(TierInput::from).collect());
        let model = match meter.price {
            Price::Standard { unit_price } => {
                input.unit_price = Some(unit_price.into());
                "standard"
            }
            Price::Graduated { tiers: all } => {
                input.tiers = tiers(all);
                "graduated"
            }
            Price::Volume { tiers: all } => {
                input.tiers = tiers(all);
                "volume"
            }
            Price::Package { size, price } => {
                input.package_size = Some(raw_quantity(size));
                input.package_price = Some(price.into());
                "package"
            }
        };
        input.charge_model = Some(model.to_owned());
        input.free_units = (!meter.free_units.is_zero()).then(|| raw_quantity(meter.free_units));
        input
    }
}

impl From<Plan> for PlanInput {
    fn from(plan: Plan) -> Self {
        Self {
            name: plan.name,
            currency: plan.currency.code().to_owned(),
            one_time: Some(plan.one_time.into()),
            monthly: Some(plan.monthly.into()),
            monthly_per_project: Some(plan.monthly_per_project.into()),
            meters: plan.meters.into_iter().map(MeterInput::from).collect(),
        }
    }
}

/// A stored plan or meter that no longer passes its own rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pointer}: {detail}")]
pub struct NotAPlan {
    /// Where in the plan.
    pub pointer: String,
    /// What is wrong.
    pub detail: String,
}

fn first_fault<T>(faults: Faults, value: Option<T>) -> Result<T, NotAPlan> {
    faults.or(value).map_err(|faults| match faults.into_vec().into_iter().next() {
        Some(fault) => NotAPlan { pointer: fault.pointer, detail: fault.detail },
        None => NotAPlan { pointer: String::new(), detail: "incomplete".to_owned() },
    })
}

impl TryFrom<MeterInput> for Meter {
    type Error = NotAPlan;
    fn try_from(input: MeterInput) -> Result<Self, NotAPlan> {
        let mut faults = Faults::new();
        let meter = input.validate("", &mut faults);
        first_fault(faults, meter)
    }
}

impl TryFrom<PlanInput> for Plan {
    type Error = NotAPlan;
    fn try_from(input: PlanInput) -> Result<Self, NotAPlan> {
        let mut faults = Faults::new();
        let plan = input.validate("", &mut faults);
        first_fault(faults, plan)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn faults_of(meter: Value) -> Vec<(String, String)> {
        let input: MeterInput = serde_json::from_value(meter).unwrap();
        let mut faults = Faults::new();
        input.validate("/m", &mut faults);
        faults.into_vec().into_iter().map(|f| (f.pointer, f.detail)).collect()
    }

    fn meter(value: Value) -> Meter {
        serde_json::from_value(value).unwrap()
    }

    fn cost(meter: &Meter, quantity: &str) -> String {
        meter.price.of(quantity.parse().unwrap()).unwrap().to_string()
    }

    #[test]
    fn every_charge_model_reads_and_writes_the_shape_of_the_api() {
        for shape in [
            json!({"name": "requests", "unit": "requests", "charge_model": "standard", "unit_price": "0.0000004"}),
            json!({"name": "a", "unit": "GB", "charge_model": "graduated", "free_units": "5",
                "tiers": [{"up_to": "1000", "unit_price": "0.10", "flat_fee": "1.00"}, {"up_to": null, "unit_price": "0.05"}]}),
            json!({"name": "b", "unit": "GB", "charge_model": "volume", "tiers": [{"up_to": null, "unit_price": "0.05"}]}),
            json!({"name": "c", "unit": "mails", "charge_model": "package", "package_size": "1000", "package_price": "2.50"}),
        ] {
            assert_eq!(serde_json::to_value(meter(shape.clone())).unwrap(), shape);
        }
        let plain = meter(json!({"name": "r", "unit": "u", "unit_price": "1"}));
        assert_eq!(plain.price, Price::Standard { unit_price: Decimal::ONE });
    }

    #[test]
    fn all_faults_are_named_at_their_place() {
        let pointers = |value| faults_of(value).into_iter().map(|(pointer, _)| pointer).collect::<Vec<_>>();
        assert_eq!(pointers(json!({})), ["/m/name", "/m/unit", "/m/unit_price"]);
        assert_eq!(
            pointers(json!({"name": "r", "unit": "u", "unit_price": 1, "tiers": [], "package_size": "1", "free_units": "-1"})),
            ["/m/free_units", "/m/tiers", "/m/package_size", "/m/unit_price"]
        );
        assert_eq!(pointers(json!({"name": "r", "unit": "u", "charge_model": "stairs"})), ["/m/charge_model"]);
        assert_eq!(
            pointers(json!({"name": "r", "unit": "u", "charge_model": "volume", "tiers": [
                {"up_to": "10", "unit_price": "1"}, {"up_to": "10", "unit_price": "-1"}, {"unit_price": "1"}, {"up_to": "30"}]})),
            ["/m/tiers/1/unit_price", "/m/tiers/3/unit_price", "/m/tiers/2/up_to", "/m/tiers/3/up_to"]
        );
        assert_eq!(
            pointers(json!({"name": "r", "unit": "u", "charge_model": "graduated", "tiers": [
                {"up_to": "20", "unit_price": "1"}, {"up_to": "10", "unit_price": "1"}, {"up_to": null, "unit_price": "1"}]})),
            ["/m/tiers/1/up_to"]
        );
        assert_eq!(
            pointers(json!({"name": "r", "unit": "u", "charge_model": "package", "package_size": "0"})),
            ["/m/package_size", "/m/package_price"]
        );
        assert!(faults_of(json!({"name": "r", "unit": "u", "unit_price": 1}))[0].1.contains("JSON strings"));
        assert!(serde_json::from_value::<MeterInput>(json!({"price": "1"})).is_err());
    }

    #[test]
    fn tiers_and_packages_price_a_months_quantity() {
        let tiers = json!([{"up_to": "100", "unit_price": "1", "flat_fee": "5"}, {"up_to": null, "unit_price": "0.5", "flat_fee": "3"}]);
        let graduated = meter(json!({"name": "g", "unit": "u", "charge_model": "graduated", "tiers": tiers}));
        let volume = meter(json!({"name": "v", "unit": "u", "charge_model": "volume", "tiers": tiers}));
        let package = meter(json!({"name": "p", "unit": "u", "charge_model": "package", "package_size": "10", "package_price": "2"}));
        for (quantity, by_graduated, by_volume, by_package) in [
            ("-3", "0", "0", "0"),
            ("0", "0", "0", "0"),
            ("0.5", "5.5", "5.5", "2"),
            ("100", "105", "105", "20"),
            ("100.5", "108.25", "53.25", "22"),
        ] {
            assert_eq!(cost(&graduated, quantity), by_graduated, "graduated {quantity}");
            assert_eq!(cost(&volume, quantity), by_volume, "volume {quantity}");
            assert_eq!(cost(&package, quantity), by_package, "package {quantity}");
        }
    }

    #[test]
    fn a_plan_holds_many_meters_with_names_of_their_own() {
        let named = |i: usize| json!({"name": format!("meter {i}"), "unit": "u", "unit_price": "0.01"});
        let plan = |meters: Vec<Value>| json!({"name": "Standard", "currency": "EUR", "monthly": "9.90", "one_time": {"amount": "5.00", "currency": "EUR"}, "meters": meters});
        let good: Plan = serde_json::from_value(plan((0..MAX_METERS).map(named).collect())).unwrap();
        assert_eq!(good.meters.len(), MAX_METERS);
        assert_eq!(good.one_time.to_string(), "5.00");
        assert!(!good.is_free());
        assert_eq!(serde_json::from_str::<Plan>(&serde_json::to_string(&good).unwrap()).unwrap(), good);
        assert!(serde_json::from_value::<Plan>(plan((0..=MAX_METERS).map(named).collect())).is_err());
        let twice = serde_json::from_value::<Plan>(plan(vec![named(1), named(1)])).unwrap_err().to_string();
        assert_eq!(twice, "/meters/1/name: another meter of this plan has this name");
        let input: PlanInput = serde_json::from_value(json!({"name": "", "currency": "euro", "monthly": "-1", "one_time": 3})).unwrap();
        let mut faults = Faults::new();
        assert!(input.validate("/contract/plans/0", &mut faults).is_none());
        let at: Vec<_> = faults.into_vec().into_iter().map(|f| f.pointer).collect();
        let expected = ["name", "currency", "one_time", "monthly"].map(|field| format!("/contract/plans/0/{field}"));
        assert_eq!(at, expected);
    }
}
