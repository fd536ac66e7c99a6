//! Budgets: what a subscription may cost in a calendar month before it is held up.

use rust_decimal::{Decimal, RoundingStrategy};

use crate::{
    amounts::Cost,
    ids::{OrganizationId, SubscriptionId, UserId},
    money::{BadDecimal, Currency, Money, Overflow, parse_price},
    time::Ts,
};

/// A budget of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// Who subscribes.
    pub organization: OrganizationId,
    /// The subscription.
    pub subscription: SubscriptionId,
    /// What a calendar month (UTC) may cost, in the currency of the plan.
    pub amount: Money,
    /// Who set it.
    pub set_by: UserId,
    /// When.
    pub set_at: Ts,
}

/// Why an amount is no budget.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadBudget {
    /// It does not read as an amount.
    #[error(transparent)]
    Decimal(#[from] BadDecimal),
    /// It allows nothing.
    #[error("write an amount above zero; to stop a subscription, pause it")]
    Nothing,
    /// It is finer than the currency's smallest unit.
    #[error("write at most {places} decimals, as {currency} has")]
    TooFine {
        /// How many there are.
        places: u32,
        /// The currency.
        currency: Currency,
    },
}

/// Reads the amount of a budget: above zero, in units of the currency.
///
/// # Errors
/// [`BadBudget`] says what to write.
pub fn check_amount(text: &str, currency: Currency) -> Result<Money, BadBudget> {
    let amount = parse_price(text.trim())?;
    if amount.is_zero() {
        return Err(BadBudget::Nothing);
    }
    let places = currency.minor_places();
    if amount.normalize().scale() > places {
        return Err(BadBudget::TooFine { places, currency });
    }
    Ok(Money::new(amount, currency))
}

impl Budget {
    /// Whether a month that came to `spent` so far has used it up.
    ///
    /// # Errors
    /// [`Overflow`] for amounts beyond all measure.
    pub fn is_used_up(&self, spent: Cost) -> Result<bool, Overflow> {
        Ok(spent >= Cost::flat(self.amount.amount())?)
    }

    /// Whether it allows more than another one did.
    pub fn allows_more_than(&self, before: &Self) -> bool {
        self.amount.currency() != before.amount.currency() || self.amount.amount() > before.amount.amount()
    }
}

/// What becomes of budgets where other subscriptions follow those that have them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CarriedBudget {
    /// One follows one, with the same budget.
    Same(Money),
    /// One follows several, with the sum of their budgets.
    Summed(Money),
    /// Several follow one, each with an equal part, so that together they may not cost more.
    Divided {
        /// The budget.
        of: Money,
        /// The part of each.
        each: Money,
        /// How many follow.
        among: usize,
    },
    /// Nothing is carried over.
    Lost {
        /// The budgets.
        of: Vec<Money>,
        /// Why, as it continues “because …”.
        why: &'static str,
    },
}

impl CarriedBudget {
    /// The budget of one subscription with prices in `currency` that follows others; an entry for each of those, with its
    /// budget if it has one. `None` where none has.
    pub fn merged(budgets: &[Option<Money>], currency: Currency) -> Option<Self> {
        let of: Vec<Money> = budgets.iter().copied().flatten().collect();
        let first = *of.first()?;
        let lost = |why| Some(Self::Lost { of: of.clone(), why });
        if of.len() < budgets.len() {
            return lost("not all subscriptions of before have one");
        }
        if of.iter().any(|one| one.currency() != currency) {
            return lost("the new prices are in another currency");
        }
        if of.len() == 1 {
            return Some(Self::Same(first));
        }
        let sum = of.iter().try_fold(Decimal::ZERO, |sum, one| sum.checked_add(one.amount()));
        sum.map_or_else(|| lost("their sum is too large"), |sum| Some(Self::Summed(Money::new(sum, currency))))
    }

    /// The budget of each of so many subscriptions with prices in `currency` that follow one with a budget.
    pub fn divided(of: Money, among: usize, currency: Currency) -> Self {
        let lost = |why| Self::Lost { of: vec![of], why };
        if of.currency() != currency {
            return lost("the new prices are in another currency");
        }
        if among == 1 {
            return Self::Same(of);
        }
        let part = of.amount().checked_div(Decimal::from(among)).unwrap_or_default();
        let each = part.round_dp_with_strategy(currency.minor_places(), RoundingStrategy::ToZero);
        if each.is_zero() {
            return lost("it is too small to be divided");
        }
        Self::Divided { of, each: Money::new(each, currency), among }
    }

    /// What each subscription that follows may cost; `None` where nothing is carried over.
    pub fn each(&self) -> Option<Money> {
        match self {
            Self::Same(each) | Self::Summed(each) | Self::Divided { each, .. } => Some(*each),
            Self::Lost { .. } => None,
        }
    }

    /// A sentence that tells it.
    pub fn words(&self) -> String {
        match self {
            Self::Same(budget) => format!("The budget of {} a month goes along.", budget.exact()),
            Self::Summed(sum) => {
                format!("The subscription that follows has a budget of {} a month, the sum of those of before.", sum.exact())
            }
            Self::Divided { of, each, among } => {
                format!(
                    "The budget of {} a month is divided: each of the {among} subscriptions that follow has {}.",
                    of.exact(),
                    each.exact()
                )
            }
            Self::Lost { of, why } => {
                let (noun, verb) = if of.len() == 1 { ("budget", "is") } else { ("budgets", "are") };
                let amounts: Vec<_> = of.iter().map(|one| one.exact()).collect();
                format!(
                    "The {noun} of {} a month {verb} not carried over, because {why}. Set a budget for what follows.",
                    amounts.join(" and ")
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_an_amount_above_zero_in_units_of_its_currency() {
        let check =
            |text: &str, code: &str| check_amount(text, code.parse().unwrap()).map(|money| money.exact()).map_err(|bad| bad.to_string());
        assert_eq!(check(" 99.50 ", "EUR").unwrap(), "EUR 99.50");
        assert_eq!(check("0.000", "EUR").unwrap_err(), "write an amount above zero; to stop a subscription, pause it");
        assert_eq!(check("1.005", "EUR").unwrap_err(), "write at most 2 decimals, as EUR has");
        assert_eq!(check("1.5", "JPY").unwrap_err(), "write at most 0 decimals, as JPY has");
        assert!(check("-1", "EUR").is_err() && check("much", "EUR").is_err() && check("", "EUR").is_err());
    }

    #[test]
    fn it_is_used_up_when_the_month_reaches_it() {
        use crate::ids::Id;
        let budget = |text: &str| Budget {
            organization: OrganizationId::mint(Ts::from_micros(1), [1; 10]),
            subscription: SubscriptionId::mint(Ts::from_micros(1), [1; 10]),
            amount: check_amount(text, "EUR".parse().unwrap()).unwrap(),
            set_by: UserId::mint(Ts::from_micros(1), [1; 10]),
            set_at: Ts::from_micros(1),
        };
        let used = |spent: &str| budget("10").is_used_up(spent.parse().unwrap()).unwrap();
        assert_eq!((used("9.999999999"), used("10"), used("11"), used("-3")), (false, true, true, false));
        assert!(budget("11").allows_more_than(&budget("10")) && !budget("10").allows_more_than(&budget("10")));
    }

    #[test]
    fn what_follows_may_never_cost_more_than_what_it_follows() {
        let money = |text: &str, code: &str| check_amount(text, code.parse().unwrap()).unwrap();
        let eur = "EUR".parse().unwrap();
        let merged = |budgets: &[Option<Money>]| CarriedBudget::merged(budgets, eur).map(|found| found.words());
        let (ten, five) = (Some(money("10", "EUR")), Some(money("5.50", "EUR")));
        assert_eq!(merged(&[]), None);
        assert_eq!(merged(&[None, None]), None);
        assert_eq!(merged(&[ten]).unwrap(), "The budget of EUR 10.00 a month goes along.");
        let sum = "The subscription that follows has a budget of EUR 15.50 a month, the sum of those of before.";
        assert_eq!(merged(&[ten, five]).unwrap(), sum);
        let lost = "The budgets of EUR 10.00 and EUR 5.50 a month are not carried over, because not all subscriptions of before have one. \
                    Set a budget for what follows.";
        assert_eq!(merged(&[ten, None, five]).unwrap(), lost);
        assert!(merged(&[ten, Some(money("5", "USD"))]).unwrap().contains("another currency"));

        let divided = |budget: Money, among| CarriedBudget::divided(budget, among, eur);
        assert_eq!(divided(money("10", "EUR"), 3).each(), Some(money("3.33", "EUR")));
        let words = "The budget of EUR 10.00 a month is divided: each of the 3 subscriptions that follow has EUR 3.33.";
        assert_eq!(divided(money("10", "EUR"), 3).words(), words);
        assert_eq!(divided(money("10", "EUR"), 1), CarriedBudget::Same(money("10", "EUR")));
        assert_eq!(divided(money("0.02", "EUR"), 3).each(), None);
        assert_eq!(divided(money("10", "USD"), 2).each(), None);
    }
}
