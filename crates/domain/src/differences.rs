//! What changes between two contracts, in plain words, and whether it needs somebody's consent.
//!
//! Only what is less for certain applies at once: no further permission, no other terms, the same level and currency, and
//! no price that could be higher for any quantity. Prices that cannot be compared count as other prices, which need consent.

use std::cmp::Ordering;

use rust_decimal::Decimal;

use crate::{
    costs::Component,
    meters::{Meter, Plan, Price, Tier},
    money::{Currency, Money},
    services::{DataPermission, Level},
    words::words,
};

words! {
    /// What becomes of a price.
    Direction, NotADirection, "what becomes of a price" {
        /// Lower for some quantity, and higher for none.
        Lower = "lower",
        /// Higher for some quantity, and lower for none.
        Higher = "higher",
        /// Another price, of which neither can be said.
        Other = "other",
        /// There was none.
        Added = "added",
        /// There is none any more.
        Removed = "removed",
    }
}

words! {
    /// How much a change asks of a subscriber.
    Weight, NotAWeight, "the weight of a change" {
        /// Less than before.
        Less = "less",
        /// Something else than before.
        Other = "other",
        /// More than before.
        More = "more",
    }
}

/// One side of a difference: a contract and one of its plans.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// What one subscription serves.
    pub level: Level,
    /// What the service may do.
    pub permissions: &'a [DataPermission],
    /// Where the terms are to be read.
    pub terms_url: Option<&'a str>,
    /// What it costs.
    pub plan: &'a Plan,
}

/// A price that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceChange {
    /// What it is for. The one-time fee is never among them: it is not charged again.
    pub component: Component,
    /// What becomes of it.
    pub direction: Direction,
    /// The price before, in words.
    pub before: Option<String>,
    /// The price after, in words.
    pub after: Option<String>,
    /// Whether it may cost more for some quantity.
    pub may_cost_more: bool,
}

/// What changes from one contract and plan to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractDifference {
    /// What one subscription serves, before and after.
    pub level: Option<(Level, Level)>,
    /// What the service may do that it might not before.
    pub gained: Vec<DataPermission>,
    /// What it may do no longer.
    pub lost: Vec<DataPermission>,
    /// Where the terms are, before and after.
    pub terms: Option<(Option<String>, Option<String>)>,
    /// The currency, before and after.
    pub currency: Option<(Currency, Currency)>,
    /// The prices that change: the fees, then the meters by name.
    pub prices: Vec<PriceChange>,
}

/// A change in a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    /// The sentence.
    pub text: String,
    /// How much it asks.
    pub weight: Weight,
}

impl ContractDifference {
    /// What changes from `old` to `new`.
    pub fn between(old: Side<'_>, new: Side<'_>) -> Self {
        let without = |some: &[DataPermission], others: &[DataPermission]| -> Vec<DataPermission> {
            DataPermission::ALL.iter().copied().filter(|one| some.contains(one) && !others.contains(one)).collect()
        };
        let terms = (old.terms_url.map(str::to_owned), new.terms_url.map(str::to_owned));
        Self {
            level: (old.level != new.level).then_some((old.level, new.level)),
            gained: without(new.permissions, old.permissions),
            lost: without(old.permissions, new.permissions),
            terms: (old.terms_url != new.terms_url).then_some(terms),
            currency: (old.plan.currency != new.plan.currency).then_some((old.plan.currency, new.plan.currency)),
            prices: price_changes(old.plan, new.plan),
        }
    }

    /// Whether nothing changes at all.
    pub fn is_nothing(&self) -> bool {
        self.level.is_none()
            && self.gained.is_empty()
            && self.lost.is_empty()
            && self.terms.is_none()
            && self.currency.is_none()
            && self.prices.is_empty()
    }

    /// Whether it needs nobody's consent: it asks for less, or for nothing else.
    pub fn applies_at_once(&self) -> bool {
        self.level.is_none()
            && self.gained.is_empty()
            && self.terms.is_none()
            && self.currency.is_none()
            && self.prices.iter().all(|price| !price.may_cost_more)
    }

    /// The changes in sentences, what asks for more first.
    pub fn sentences(&self) -> Vec<Sentence> {
        let mut all: Vec<Sentence> = Vec::new();
        let mut say = |weight, text: String| all.push(Sentence { text, weight });
        if let Some((old, new)) = self.level {
            say(Weight::Other, format!("One subscription serves {} instead of {}.", serves(new), serves(old)));
        }
        for permission in &self.gained {
            say(Weight::More, format!("The service may also {}.", permission.words()));
        }
        for permission in &self.lost {
            say(Weight::Less, format!("The service may no longer {}.", permission.words()));
        }
        match &self.terms {
            Some((Some(old), Some(new))) => say(Weight::Other, format!("The terms are at {new} instead of {old}.")),
            Some((None, Some(new))) => say(Weight::Other, format!("There are terms, at {new}; there were none.")),
            Some((Some(old), None)) => say(Weight::Other, format!("There are no terms any more; they were at {old}.")),
            Some((None, None)) | None => {}
        }
        if let Some((old, new)) = self.currency {
            say(Weight::Other, format!("Prices are in {new} instead of {old}."));
        }
        for price in &self.prices {
            say(price.weight(), price.sentence());
        }
        all.sort_by_key(|one| std::cmp::Reverse(one.weight));
        all
    }
}

const fn serves(level: Level) -> &'static str {
    match level {
        Level::Organization => "all or selected projects",
        Level::Project => "one project",
    }
}

impl PriceChange {
    /// How much the change asks.
    pub fn weight(&self) -> Weight {
        match self.direction {
            Direction::Lower | Direction::Removed => Weight::Less,
            Direction::Higher => Weight::More,
            Direction::Added if self.may_cost_more => Weight::More,
            Direction::Added | Direction::Other => Weight::Other,
        }
    }

    fn sentence(&self) -> String {
        let (what, verb) = match &self.component {
            Component::OneTime => ("The one-time fee".to_owned(), "is"),
            Component::Monthly => ("The monthly fee".to_owned(), "is"),
            Component::MonthlyPerProject => ("The monthly fee for each project".to_owned(), "is"),
            Component::Meter(name) => (format!("“{name}”"), "costs"),
        };
        let (before, after) = (self.before.as_deref().unwrap_or("nothing"), self.after.as_deref().unwrap_or("nothing"));
        match self.direction {
            Direction::Added => format!("{what} is new: {after}."),
            Direction::Removed => format!("{what} is not charged any more; it was {before}."),
            Direction::Lower => format!("{what} is lower: {after} instead of {before}."),
            Direction::Higher => format!("{what} is higher: {after} instead of {before}."),
            Direction::Other => format!("{what} {verb} {after} instead of {before}."),
        }
    }
}

fn price_changes(old: &Plan, new: &Plan) -> Vec<PriceChange> {
    let mut changes = Vec::new();
    let fees =
        [(Component::Monthly, old.monthly, new.monthly), (Component::MonthlyPerProject, old.monthly_per_project, new.monthly_per_project)];
    for (component, before, after) in fees {
        let direction = match (before.is_zero(), after.is_zero(), after.cmp(&before)) {
            (_, _, Ordering::Equal) => continue,
            (true, ..) => Direction::Added,
            (_, true, _) => Direction::Removed,
            (_, _, Ordering::Less) => Direction::Lower,
            (_, _, Ordering::Greater) => Direction::Higher,
        };
        let said = |amount: Decimal, currency| (!amount.is_zero()).then(|| Money::new(amount, currency).exact());
        let (before, after) = (said(before, old.currency), said(after, new.currency));
        let may_cost_more = matches!(direction, Direction::Added | Direction::Higher);
        changes.push(PriceChange { component, direction, before, after, may_cost_more });
    }
    let mut meters: Vec<PriceChange> = Vec::new();
    for meter in &old.meters {
        meters.extend(meter_change(Some(meter), new.meter(&meter.name), old.currency, new.currency));
    }
    for meter in new.meters.iter().filter(|meter| old.meter(&meter.name).is_none()) {
        meters.extend(meter_change(None, Some(meter), old.currency, new.currency));
    }
    meters.sort_by(|a, b| a.component.cmp(&b.component));
    changes.extend(meters);
    changes
}

fn meter_change(old: Option<&Meter>, new: Option<&Meter>, before: Currency, after: Currency) -> Option<PriceChange> {
    let (direction, may_cost_more) = match (old, new) {
        (None, None) => return None,
        (Some(_), None) => (Direction::Removed, false),
        (None, Some(new)) => (Direction::Added, !new.price.is_free()),
        (Some(old), Some(new)) => match compare(old, new) {
            Compared::Same => return None,
            Compared::Lower => (Direction::Lower, false),
            Compared::Higher => (Direction::Higher, true),
            Compared::Other => (Direction::Other, true),
        },
    };
    let name = old.or(new).map(|meter| meter.name.as_str()).unwrap_or_default();
    Some(PriceChange {
        component: Component::Meter(name.into()),
        direction,
        before: old.map(|meter| meter.words(before)),
        after: new.map(|meter| meter.words(after)),
        may_cost_more,
    })
}

/// How the costs of any quantity compare.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Compared {
    Same,
    Lower,
    Higher,
    Other,
}

impl Compared {
    fn of(ordering: Ordering) -> Self {
        match ordering {
            Ordering::Less => Self::Lower,
            Ordering::Equal => Self::Same,
            Ordering::Greater => Self::Higher,
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Same, one) | (one, Self::Same) => one,
            (Self::Lower, Self::Lower) => Self::Lower,
            (Self::Higher, Self::Higher) => Self::Higher,
            _ => Self::Other,
        }
    }
}

fn compare(old: &Meter, new: &Meter) -> Compared {
    if old.unit != new.unit {
        return Compared::Other;
    }
    // Free units of nothing are nothing.
    match (old.price.is_free(), new.price.is_free()) {
        (true, true) => return Compared::Same,
        (false, true) => return Compared::Lower,
        (true, false) => return Compared::Higher,
        (false, false) => {}
    }
    let prices = match (&old.price, &new.price) {
        (Price::Standard { unit_price: old }, Price::Standard { unit_price: new }) => Compared::of(new.cmp(old)),
        (Price::Graduated { tiers: old }, Price::Graduated { tiers: new }) => compare_tiers(old, new),
        (Price::Volume { tiers: old }, Price::Volume { tiers: new }) => compare_tiers(old, new),
        (Price::Package { size: was, price: old }, Price::Package { size, price: new }) if was == size => Compared::of(new.cmp(old)),
        _ => Compared::Other,
    };
    let free = match (new.free_units.cmp(&old.free_units), &new.price) {
        (Ordering::Equal, _) => Compared::Same,
        // By volume, fewer units may fall into a dearer tier.
        (_, Price::Volume { .. }) => Compared::Other,
        (Ordering::Greater, _) => Compared::Lower,
        (Ordering::Less, _) => Compared::Higher,
    };
    prices.and(free)
}

fn compare_tiers(old: &[Tier], new: &[Tier]) -> Compared {
    if old.len() != new.len() || old.iter().zip(new).any(|(old, new)| old.up_to != new.up_to) {
        return Compared::Other;
    }
    old.iter().zip(new).fold(Compared::Same, |so_far, (old, new)| {
        so_far.and(Compared::of(new.unit_price.cmp(&old.unit_price))).and(Compared::of(new.flat_fee.cmp(&old.flat_fee)))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn plan(fields: Value) -> Plan {
        let mut plan = json!({"name": "Basic", "currency": "EUR"});
        plan.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        serde_json::from_value(plan).unwrap()
    }

    const READ: &[DataPermission] = &[DataPermission::ResourcesRead];
    const BOTH: &[DataPermission] = &[DataPermission::ResourcesRead, DataPermission::ResourcesWrite];

    fn side<'a>(permissions: &'a [DataPermission], plan: &'a Plan) -> Side<'a> {
        Side { level: Level::Organization, permissions, terms_url: None, plan }
    }

    fn said(old: Side<'_>, new: Side<'_>) -> (Vec<String>, bool) {
        let difference = ContractDifference::between(old, new);
        (difference.sentences().into_iter().map(|one| one.text).collect(), difference.applies_at_once())
    }

    #[test]
    fn each_change_is_a_sentence_and_what_asks_for_more_comes_first() {
        let old = plan(json!({"monthly": "10", "meters": [
            {"name": "calls", "unit": "call", "unit_price": "0.02"}, {"name": "rows", "unit": "row", "unit_price": "1"}]}));
        let new = plan(json!({"monthly": "9.50", "monthly_per_project": "1", "meters": [
            {"name": "calls", "unit": "call", "unit_price": "0.03"}, {"name": "free", "unit": "row", "unit_price": "0"}]}));
        let (sentences, at_once) = said(side(READ, &old), side(BOTH, &new));
        assert_eq!(
            sentences,
            [
                "The service may also write, replace and delete resources of the chosen projects.",
                "The monthly fee for each project is new: EUR 1.00.",
                "“calls” is higher: EUR 0.03 per call instead of EUR 0.02 per call.",
                "“free” is new: EUR 0.00 per row.",
                "The monthly fee is lower: EUR 9.50 instead of EUR 10.00.",
                "“rows” is not charged any more; it was EUR 1.00 per row.",
            ]
        );
        assert!(!at_once);
    }

    #[test]
    fn less_applies_at_once_and_other_terms_do_not() {
        let old = plan(json!({"monthly": "10", "one_time": "5"}));
        let new = plan(json!({"monthly": "10.00", "one_time": "500"}));
        let (sentences, at_once) = said(side(BOTH, &old), side(READ, &new));
        assert_eq!(sentences, ["The service may no longer write, replace and delete resources of the chosen projects."]);
        assert!(at_once, "the one-time fee is not charged again");
        let terms = Side { terms_url: Some("https://terms.example/2"), ..side(READ, &old) };
        assert!(!ContractDifference::between(side(READ, &old), terms).applies_at_once());
        let level = Side { level: Level::Project, ..side(READ, &old) };
        assert!(!ContractDifference::between(side(READ, &old), level).applies_at_once());
        let dollars = plan(json!({"currency": "USD", "monthly": "1"}));
        let (sentences, at_once) = said(side(READ, &old), side(READ, &dollars));
        assert_eq!((sentences[0].as_str(), at_once), ("Prices are in USD instead of EUR.", false));
    }

    #[test]
    fn prices_that_cannot_be_compared_are_other_prices() {
        let meter = |fields: Value| {
            let mut meter = json!({"name": "m", "unit": "u"});
            meter.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            plan(json!({"meters": [meter]}))
        };
        let direction = |old: Value, new: Value| {
            let (old, new) = (meter(old), meter(new));
            ContractDifference::between(side(READ, &old), side(READ, &new)).prices.first().map(|price| price.direction)
        };
        let tiers = |first: &str, second: &str| json!([{"up_to": "10", "unit_price": first}, {"unit_price": second}]);
        let graduated = |first, second| json!({"charge_model": "graduated", "tiers": tiers(first, second)});
        let volume = |free: &str| json!({"charge_model": "volume", "tiers": tiers("2", "1"), "free_units": free});
        assert_eq!(direction(graduated("2", "1"), graduated("2", "1.0")), None);
        assert_eq!(direction(graduated("2", "1"), graduated("1", "1")), Some(Direction::Lower));
        assert_eq!(direction(graduated("2", "1"), graduated("1", "2")), Some(Direction::Other));
        assert_eq!(direction(volume("1"), volume("2")), Some(Direction::Other));
        assert_eq!(direction(json!({"unit_price": "1"}), json!({"unit_price": "1", "free_units": "5"})), Some(Direction::Lower));
        assert_eq!(direction(json!({"unit_price": "1", "free_units": "5"}), json!({"unit_price": "1"})), Some(Direction::Higher));
        assert_eq!(direction(json!({"unit_price": "1"}), graduated("1", "1")), Some(Direction::Other));
        assert_eq!(direction(json!({"unit_price": "1"}), json!({"unit": "other", "unit_price": "1"})), Some(Direction::Other));
        assert_eq!(direction(graduated("1", "1"), json!({"unit_price": "0"})), Some(Direction::Lower));
        let package = |size: &str, price: &str| json!({"charge_model": "package", "package_size": size, "package_price": price});
        assert_eq!(direction(package("10", "5"), package("10", "4")), Some(Direction::Lower));
        assert_eq!(direction(package("10", "5"), package("20", "5")), Some(Direction::Other));
    }
}
