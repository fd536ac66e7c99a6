//! By what usage and costs are grouped, and the sums.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use crate::{
    amounts::{Cost, Quantity},
    costs::{Component, CostLine},
    ids::{ProjectId, ServiceId, SubscriptionId},
    money::{Currency, Overflow},
    time::Day,
};

/// A word one can group by.
pub trait GroupWord: Copy + Eq + 'static {
    /// All words, in the order in which they are offered.
    const ALL: &'static [Self];
    /// The word as it is written in `group_by`.
    fn word(self) -> &'static str;
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$of])* $variant,)* }

        impl GroupWord for $name {
            const ALL: &'static [Self] = &[$(Self::$variant,)*];
            fn word(self) -> &'static str { match self { $(Self::$variant => $word,)* } }
        }
    };
}

words! {
    /// By what costs can be grouped.
    CostWord {
        /// One service.
        Service = "service",
        /// One subscription.
        Subscription = "subscription",
        /// One project.
        Project = "project",
        /// One component of the plan.
        Component = "component",
        /// One day.
        Day = "day",
        /// One calendar month.
        Month = "month",
    }
}

words! {
    /// By what usage can be grouped.
    UsageWord {
        /// One service.
        Service = "service",
        /// One subscription.
        Subscription = "subscription",
        /// One project.
        Project = "project",
        /// One meter.
        Meter = "meter",
        /// One day.
        Day = "day",
        /// One calendar month.
        Month = "month",
    }
}

/// What one groups by: some words, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grouping<W>(Vec<W>);

/// Why a text is no grouping.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAGrouping {
    /// A word nobody knows.
    #[error("\"{word}\" is nothing to group by; write some of {allowed}, separated by commas")]
    Unknown {
        /// The word.
        word: String,
        /// The words that are known.
        allowed: String,
    },
    /// A word that stands there twice.
    #[error("\"{0}\" stands there twice")]
    Twice(String),
}

impl<W: GroupWord> Grouping<W> {
    /// Groups by these.
    pub fn by(words: &[W]) -> Self {
        Self(words.to_vec())
    }

    /// Reads `service,project,day`. Nothing at all groups everything together.
    ///
    /// # Errors
    /// [`NotAGrouping`] names the words that are known.
    pub fn parse(text: &str) -> Result<Self, NotAGrouping> {
        let mut words = Vec::new();
        for word in text.split(',').map(str::trim).filter(|_| !text.trim().is_empty()) {
            let Some(known) = W::ALL.iter().copied().find(|known| known.word() == word) else {
                let allowed = W::ALL.iter().map(|known| known.word()).collect::<Vec<_>>().join(", ");
                return Err(NotAGrouping::Unknown { word: word.chars().take(40).collect(), allowed });
            };
            if words.contains(&known) {
                return Err(NotAGrouping::Twice(word.to_owned()));
            }
            words.push(known);
        }
        Ok(Self(words))
    }

    /// Whether one groups by this.
    pub fn has(&self, word: W) -> bool {
        self.0.contains(&word)
    }

    fn of<T>(&self, word: W, value: T) -> Option<T> {
        self.has(word).then_some(value)
    }
}

impl<W: GroupWord> fmt::Display for Grouping<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.iter().map(|word| word.word()).collect::<Vec<_>>().join(","))
    }
}

/// A calendar month (UTC), written `2026-03`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(Day);

impl Month {
    /// The month a day is in.
    pub fn of(day: Day) -> Self {
        Self(day.month_start())
    }

    /// Its first day.
    pub fn first(self) -> Day {
        self.0
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month) = self.0.year_month();
        write!(f, "{year:04}-{month:02}")
    }
}

impl fmt::Debug for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Month {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

/// Of which subscription a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The service.
    pub service: ServiceId,
    /// The subscription.
    pub subscription: SubscriptionId,
    /// The currency of its plan.
    pub currency: Currency,
}

/// What tells the rows of a summary apart; what is not grouped by is `None`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CostKey {
    /// Of which service.
    pub service: Option<ServiceId>,
    /// Of which subscription.
    pub subscription: Option<SubscriptionId>,
    /// Of which project; also `None` for what belongs to no project.
    pub project: Option<ProjectId>,
    /// Of which component.
    pub component: Option<Component>,
    /// On which day.
    pub day: Option<Day>,
    /// In which month.
    pub month: Option<Month>,
    /// In which currency. Currencies are never added up, so rows are always apart by it.
    pub currency: Currency,
}

/// One row of a summary of costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostRow {
    /// What it is about.
    pub key: CostKey,
    /// The quantity, where all lines of the row are of one meter of one service.
    pub quantity: Option<Quantity>,
    /// The exact cost.
    pub cost: Cost,
}

/// A summary of costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostSummary {
    /// The rows, ordered by key.
    pub rows: Vec<CostRow>,
    /// The exact total in each currency that occurs.
    pub totals: BTreeMap<Currency, Cost>,
}

struct Sum {
    /// Of what the quantity is; `None` once it is of several things.
    of: Option<(ServiceId, Component)>,
    quantity: Option<Quantity>,
    cost: Cost,
}

/// Adds cost lines up.
///
/// # Errors
/// [`Overflow`].
pub fn summarise_costs(lines: impl IntoIterator<Item = (Origin, CostLine)>, by: &Grouping<CostWord>) -> Result<CostSummary, Overflow> {
    let mut sums: BTreeMap<CostKey, Sum> = BTreeMap::new();
    let mut totals: BTreeMap<Currency, Cost> = BTreeMap::new();
    for (origin, line) in lines {
        let key = CostKey {
            service: by.of(CostWord::Service, origin.service),
            subscription: by.of(CostWord::Subscription, origin.subscription),
            project: line.project.filter(|_| by.has(CostWord::Project)),
            component: by.of(CostWord::Component, line.component.clone()),
            day: by.of(CostWord::Day, line.day),
            month: by.has(CostWord::Month).then(|| Month::of(line.day)),
            currency: origin.currency,
        };
        let total = totals.entry(origin.currency).or_default();
        *total = total.plus(line.cost)?;
        match sums.get_mut(&key) {
            None => {
                sums.insert(key, Sum { of: Some((origin.service, line.component)), quantity: line.quantity, cost: line.cost });
            }
            Some(sum) => {
                sum.cost = sum.cost.plus(line.cost)?;
                let same = sum.of.as_ref().is_some_and(|(service, component)| *service == origin.service && *component == line.component);
                match (sum.quantity, line.quantity) {
                    (Some(a), Some(b)) if same => sum.quantity = Some(a.plus(b)?),
                    _ => sum.quantity = None,
                }
                sum.of = sum.of.take().filter(|_| same);
            }
        }
    }
    let rows = sums.into_iter().map(|(key, sum)| CostRow { key, quantity: sum.quantity, cost: sum.cost }).collect();
    Ok(CostSummary { rows, totals })
}

/// One reported amount, as it is summed up: by subscription, project, meter and day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageLine {
    /// Of which service.
    pub service: ServiceId,
    /// Of which subscription.
    pub subscription: SubscriptionId,
    /// With which project's data.
    pub project: ProjectId,
    /// On which meter.
    pub meter: String,
    /// On which day.
    pub day: Day,
    /// How much.
    pub quantity: Quantity,
}

/// What tells the rows of a summary of usage apart. Quantities of different meters are never added up, so rows are always
/// apart by service and meter; what else is not grouped by is `None`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UsageKey {
    /// Of which service.
    pub service: ServiceId,
    /// Of which subscription.
    pub subscription: Option<SubscriptionId>,
    /// With which project's data.
    pub project: Option<ProjectId>,
    /// On which meter.
    pub meter: String,
    /// On which day.
    pub day: Option<Day>,
    /// In which month.
    pub month: Option<Month>,
}

/// Adds usage up; the rows are ordered by key.
///
/// # Errors
/// [`Overflow`].
pub fn summarise_usage(
    lines: impl IntoIterator<Item = UsageLine>,
    by: &Grouping<UsageWord>,
) -> Result<Vec<(UsageKey, Quantity)>, Overflow> {
    let mut sums: BTreeMap<UsageKey, Quantity> = BTreeMap::new();
    for line in lines {
        let key = UsageKey {
            service: line.service,
            subscription: by.of(UsageWord::Subscription, line.subscription),
            project: by.of(UsageWord::Project, line.project),
            meter: line.meter,
            day: by.of(UsageWord::Day, line.day),
            month: by.has(UsageWord::Month).then(|| Month::of(line.day)),
        };
        let sum = sums.entry(key).or_default();
        *sum = sum.plus(line.quantity)?;
    }
    Ok(sums.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ids::Id as _, time::Ts};

    fn id<I: crate::ids::Id>(n: u8) -> I {
        I::mint(Ts::from_micros(1_790_000_000_000_000), [n; 10])
    }

    fn origin(service: u8, currency: &str) -> Origin {
        Origin {
            service: id(service),
            subscription: SubscriptionId::mint(Ts::from_micros(0), [9; 10]),
            currency: currency.parse().unwrap(),
        }
    }

    fn line(day: &str, meter: &str, project: u8, quantity: &str, cost: &str) -> CostLine {
        CostLine {
            day: day.parse().unwrap(),
            component: format!("meter:{meter}").parse().unwrap(),
            project: Some(id(project)),
            quantity: Some(quantity.parse().unwrap()),
            cost: cost.parse().unwrap(),
        }
    }

    #[test]
    fn groupings_are_read_and_unknown_words_answered_with_the_known() {
        let by = Grouping::<CostWord>::parse("service, project,day").unwrap();
        assert_eq!(by.to_string(), "service,project,day");
        assert!(by.has(CostWord::Day) && !by.has(CostWord::Month));
        assert_eq!(Grouping::<CostWord>::parse("").unwrap(), Grouping::by(&[]));
        let unknown = Grouping::<UsageWord>::parse("service,component").unwrap_err().to_string();
        assert_eq!(
            unknown,
            "\"component\" is nothing to group by; write some of service, subscription, project, meter, day, month, separated by commas"
        );
        assert_eq!(Grouping::<CostWord>::parse("day,day"), Err(NotAGrouping::Twice("day".into())));
        assert!(Grouping::<CostWord>::parse("day,").is_err());
    }

    #[test]
    fn costs_add_up_by_what_one_groups_by_and_currencies_stay_apart() {
        let lines = || {
            [
                (origin(1, "EUR"), line("2026-01-31", "requests", 1, "2", "0.2")),
                (origin(1, "EUR"), line("2026-02-01", "requests", 2, "3", "0.3")),
                (origin(1, "EUR"), line("2026-02-01", "storage", 2, "7", "1")),
                (origin(2, "USD"), line("2026-02-01", "requests", 2, "1", "5")),
            ]
        };
        let shown = |by: &str| {
            let summary = summarise_costs(lines(), &Grouping::parse(by).unwrap()).unwrap();
            let quantity = |row: &CostRow| row.quantity.map_or("-".to_owned(), |q| q.to_string());
            summary.rows.iter().map(|row| format!("{} {} {}", row.key.currency, quantity(row), row.cost)).collect::<Vec<_>>()
        };
        assert_eq!(shown(""), ["EUR - 1.5", "USD 1 5"]);
        assert_eq!(shown("component"), ["EUR 5 0.5", "USD 1 5", "EUR 7 1"]);
        assert_eq!(shown("project"), ["EUR 2 0.2", "EUR - 1.3", "USD 1 5"]);
        assert_eq!(shown("month"), ["EUR 2 0.2", "EUR - 1.3", "USD 1 5"]);
        let totals = summarise_costs(lines(), &Grouping::by(&[])).unwrap().totals;
        assert_eq!(totals.values().map(Cost::to_string).collect::<Vec<_>>(), ["1.5", "5"]);
    }

    #[test]
    fn usage_of_different_meters_is_never_added() {
        let line = |meter: &str, project: u8, quantity: &str| UsageLine {
            service: id(1),
            subscription: id(1),
            project: id(project),
            meter: meter.to_owned(),
            day: "2026-02-01".parse().unwrap(),
            quantity: quantity.parse().unwrap(),
        };
        let lines = [line("a", 1, "1"), line("b", 1, "2"), line("a", 2, "-0.5")];
        let rows = summarise_usage(lines.clone(), &Grouping::by(&[])).unwrap();
        assert_eq!(rows.iter().map(|(key, sum)| format!("{} {sum}", key.meter)).collect::<Vec<_>>(), ["a 0.5", "b 2"]);
        assert_eq!(summarise_usage(lines, &Grouping::parse("project").unwrap()).unwrap().len(), 3);
    }
}
