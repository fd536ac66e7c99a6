//! Budgets: what a subscription may cost in a calendar month before it is held up.

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
}
