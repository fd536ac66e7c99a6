//! Metered quantities and rated costs: exact sums and products, never rounded behind one's back.
//!
//! `rust_decimal` carries 28 digits and silently rounds a sum or product that needs more: a quantity such as
//! `168.000000301748514` times a price such as `0.0000166667` already fills it. So quantities are whole counts of 10⁻¹⁵
//! and costs are whole units plus a count of 10⁻²⁷, which is what a quantity (15 decimals) times a price (12 decimals)
//! needs: every sum and product is exact, and what does not fit is an [`Overflow`], far beyond any amount of money.

use std::{fmt, str::FromStr};

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::money::{BadDecimal, Currency, Money, Overflow, PRICE_PLACES, RawDecimal, grouped, plain};

/// Decimals a quantity may have.
pub const QUANTITY_PLACES: u32 = 15;
/// Digits a reported quantity may have before the point.
pub const QUANTITY_DIGITS: u32 = 15;
const COST_PLACES: u32 = QUANTITY_PLACES + PRICE_PLACES;

const QUANTITY_ONE: i128 = 10_i128.pow(QUANTITY_PLACES);
const PRICE_ONE: i128 = 10_i128.pow(PRICE_PLACES);
const COST_ONE: i128 = 10_i128.pow(COST_PLACES);

/// A metered quantity in its meter's unit; corrections are negative. Written as a decimal string without trailing zeros.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(i128);

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Whether it is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Whether it is below zero.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// The exact sum.
    ///
    /// # Errors
    /// [`Overflow`].
    pub fn plus(self, other: Self) -> Result<Self, Overflow> {
        self.0.checked_add(other.0).map(Self).ok_or(Overflow)
    }

    /// The exact difference.
    ///
    /// # Errors
    /// [`Overflow`].
    pub fn minus(self, other: Self) -> Result<Self, Overflow> {
        self.0.checked_sub(other.0).map(Self).ok_or(Overflow)
    }

    /// The exact sum of all.
    ///
    /// # Errors
    /// [`Overflow`].
    pub fn sum(all: impl IntoIterator<Item = Self>) -> Result<Self, Overflow> {
        all.into_iter().try_fold(Self::ZERO, Self::plus)
    }

    /// Itself, or nothing when it is negative.
    #[must_use]
    pub fn or_nothing(self) -> Self {
        self.max(Self::ZERO)
    }

    /// How many packages of `size` hold it: the quotient rounded up. Nothing and less need none.
    ///
    /// # Errors
    /// [`Overflow`], also for packages of nothing.
    pub fn packages_of(self, size: Self) -> Result<Self, Overflow> {
        if self.0 <= 0 {
            return Ok(Self::ZERO);
        }
        let (count, rest) = (self.0.checked_div(size.0).ok_or(Overflow)?, self.0.checked_rem(size.0).ok_or(Overflow)?);
        count.checked_add(i128::from(rest != 0)).and_then(|n| n.checked_mul(QUANTITY_ONE)).map(Self).ok_or(Overflow)
    }

    /// For pages: commas between thousands.
    pub fn shown(self) -> String {
        grouped(&self.to_string(), 0)
    }
}

impl FromStr for Quantity {
    type Err = BadDecimal;
    fn from_str(text: &str) -> Result<Self, BadDecimal> {
        let parts = plain(text)?;
        // Sums of many reports are larger than one report may be, and are read back through here too.
        if parts.whole.len() > 22 {
            return Err(BadDecimal::Digits(22));
        }
        if parts.places.len() > QUANTITY_PLACES as usize {
            return Err(BadDecimal::Places(QUANTITY_PLACES));
        }
        let digits = format!("{}{:0<width$}", parts.whole, parts.places, width = QUANTITY_PLACES as usize);
        let count: i128 = digits.parse().map_err(|_| BadDecimal::Digits(22))?;
        Ok(Self(if parts.negative { -count } else { count }))
    }
}

/// Reads a quantity of one report, which is smaller than the sums made of them.
///
/// # Errors
/// [`BadDecimal`] says what to write.
pub fn parse_quantity(text: &str) -> Result<Quantity, BadDecimal> {
    let parts = plain(text)?;
    if parts.whole.len() > QUANTITY_DIGITS as usize {
        return Err(BadDecimal::Digits(QUANTITY_DIGITS));
    }
    text.parse()
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.0.unsigned_abs();
        let one = QUANTITY_ONE.unsigned_abs();
        write_parts(f, self.0 < 0, size / one, size % one, QUANTITY_PLACES)
    }
}

/// An exact cost in the currency of its plan, written as a decimal string without trailing zeros.
///
/// The value is `whole + fraction / 10²⁷` with `0 ≤ fraction < 10²⁷`, so the derived order is the order of values.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cost {
    whole: i128,
    fraction: i128,
}

impl Cost {
    /// Nothing.
    pub const ZERO: Self = Self { whole: 0, fraction: 0 };

    /// Whether it is nothing.
    pub const fn is_zero(self) -> bool {
        self.whole == 0 && self.fraction == 0
    }

    /// Whether it is below zero.
    pub const fn is_negative(self) -> bool {
        self.whole < 0
    }

    /// `quantity × price`, exactly.
    ///
    /// # Errors
    /// [`Overflow`], also for a price with more than [`PRICE_PLACES`] decimals.
    pub fn of(quantity: Quantity, price: Decimal) -> Result<Self, Overflow> {
        let price = price.normalize();
        let missing = PRICE_PLACES.checked_sub(price.scale()).ok_or(Overflow)?;
        let price = price.mantissa().checked_mul(10_i128.pow(missing)).ok_or(Overflow)?;
        let (q, q_rest) = (quantity.0.div_euclid(QUANTITY_ONE), quantity.0.rem_euclid(QUANTITY_ONE));
        let (p, p_rest) = (price.div_euclid(PRICE_ONE), price.rem_euclid(PRICE_ONE));
        let by_price_rest = q.checked_mul(p_rest).ok_or(Overflow)?;
        let by_quantity_rest = p.checked_mul(q_rest).ok_or(Overflow)?;
        let whole = q
            .checked_mul(p)
            .and_then(|n| n.checked_add(by_price_rest.div_euclid(PRICE_ONE)))
            .and_then(|n| n.checked_add(by_quantity_rest.div_euclid(QUANTITY_ONE)))
            .ok_or(Overflow)?;
        // Each of the three is below one whole, so their sum fits.
        let fraction =
            by_price_rest.rem_euclid(PRICE_ONE) * QUANTITY_ONE + by_quantity_rest.rem_euclid(QUANTITY_ONE) * PRICE_ONE + q_rest * p_rest;
        Self::settled(whole, fraction)
    }

    /// A price or fee as a cost.
    ///
    /// # Errors
    /// [`Overflow`] for more than [`PRICE_PLACES`] decimals.
    pub fn flat(price: Decimal) -> Result<Self, Overflow> {
        Self::of(Quantity(QUANTITY_ONE), price)
    }

    /// The exact sum.
    ///
    /// # Errors
    /// [`Overflow`].
    pub fn plus(self, other: Self) -> Result<Self, Overflow> {
        let whole = self.whole.checked_add(other.whole).ok_or(Overflow)?;
        Self::settled(whole, self.fraction + other.fraction)
    }

    /// The exact difference.
    ///
    /// # Errors
    /// [`Overflow`].
    pub fn minus(self, other: Self) -> Result<Self, Overflow> {
        let whole = self.whole.checked_sub(other.whole).ok_or(Overflow)?;
        Self::settled(whole, self.fraction - other.fraction)
    }

    /// The exact sum of all.
    ///
    /// # Errors
    /// [`Overflow`].
    pub fn sum(all: impl IntoIterator<Item = Self>) -> Result<Self, Overflow> {
        all.into_iter().try_fold(Self::ZERO, Self::plus)
    }

    /// Rounded to the smallest unit of `currency`, halves away from zero. For a line of a statement, nowhere else.
    ///
    /// # Errors
    /// [`Overflow`] beyond about 10²⁵.
    pub fn rounded(self, currency: Currency) -> Result<Money, Overflow> {
        let places = currency.minor_places();
        let unit = 10_i128.pow(places);
        let (negative, whole, fraction) = self.size();
        let step = COST_ONE / unit;
        let cents = fraction / step + i128::from(fraction % step * 2 >= step);
        let count = whole.checked_mul(unit).and_then(|n| n.checked_add(cents)).ok_or(Overflow)?;
        let count = if negative { -count } else { count };
        Decimal::try_from_i128_with_scale(count, places).map(|amount| Money::new(amount, currency)).map_err(|_| Overflow)
    }

    /// For pages: rounded as `EUR 1,234.50`, unless that would show something as nothing: `EUR 0.0000008`.
    pub fn shown(self, currency: Currency) -> String {
        match self.rounded(currency) {
            Ok(money) if self.is_zero() || !money.amount().is_zero() => money.to_string(),
            _ => self.exact(currency),
        }
    }

    /// For pages: every digit, `EUR 1,234.5000008`.
    pub fn exact(self, currency: Currency) -> String {
        format!("{currency} {}", grouped(&self.to_string(), currency.minor_places()))
    }

    /// `self × part / total` for `0 ≤ part ≤ total`, cut (never up) after 12 decimals, give or take one in the last.
    /// Monotone in `part`; the caller gives the last share whatever remains, so that the shares add up exactly.
    ///
    /// # Errors
    /// [`Overflow`] when the part is not within the total.
    pub fn share(self, part: Quantity, total: Quantity) -> Result<Self, Overflow> {
        if part.0 < 0 || total.0 <= 0 || part.0 > total.0 {
            return Err(Overflow);
        }
        let (negative, whole, fraction) = self.size();
        let (part, total) = (part.0.unsigned_abs(), total.0.unsigned_abs());
        let (count, rest) = mul_div(whole.unsigned_abs(), part, total)?;
        let one = PRICE_ONE.unsigned_abs();
        let (rest, _) = mul_div(one, rest, total)?;
        let (places, _) = mul_div(fraction.unsigned_abs() / QUANTITY_ONE.unsigned_abs(), part, total)?;
        let places = i128::try_from(rest + places).map_err(|_| Overflow)?;
        let share = Self::settled(i128::try_from(count).map_err(|_| Overflow)?, places * QUANTITY_ONE)?;
        if negative { Self::ZERO.minus(share) } else { Ok(share) }
    }

    fn settled(whole: i128, fraction: i128) -> Result<Self, Overflow> {
        let whole = whole.checked_add(fraction.div_euclid(COST_ONE)).ok_or(Overflow)?;
        // The lowest value of all could not be negated.
        if whole == i128::MIN { Err(Overflow) } else { Ok(Self { whole, fraction: fraction.rem_euclid(COST_ONE) }) }
    }

    /// Sign, whole part and fraction of the absolute value.
    fn size(self) -> (bool, i128, i128) {
        match (self.whole < 0, self.fraction) {
            (false, fraction) => (false, self.whole, fraction),
            (true, 0) => (true, -self.whole, 0),
            (true, fraction) => (true, -(self.whole + 1), COST_ONE - fraction),
        }
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (negative, whole, fraction) = self.size();
        write_parts(f, negative, whole.unsigned_abs(), fraction.unsigned_abs(), COST_PLACES)
    }
}

impl FromStr for Cost {
    type Err = BadDecimal;
    fn from_str(text: &str) -> Result<Self, BadDecimal> {
        let parts = plain(text)?;
        if parts.places.len() > COST_PLACES as usize {
            return Err(BadDecimal::Places(COST_PLACES));
        }
        let number = |digits: &str| if digits.is_empty() { Ok(0) } else { digits.parse().map_err(|_| BadDecimal::Digits(38)) };
        let whole: i128 = number(parts.whole)?;
        let fraction: i128 = number(&format!("{:0<width$}", parts.places, width = COST_PLACES as usize))?;
        let size = Self { whole, fraction };
        if parts.negative { Self::ZERO.minus(size).map_err(|Overflow| BadDecimal::Digits(38)) } else { Ok(size) }
    }
}

/// `a × b / c` and its remainder through a product of 256 bits.
fn mul_div(a: u128, b: u128, c: u128) -> Result<(u128, u128), Overflow> {
    if let Some(product) = a.checked_mul(b) {
        return Ok((product.checked_div(c).ok_or(Overflow)?, product % c));
    }
    let low = |n: u128| n & u128::from(u64::MAX);
    let (a1, a0, b1, b0) = (a >> 64, low(a), b >> 64, low(b));
    let middle = ((a0 * b0) >> 64) + low(a1 * b0) + low(a0 * b1);
    let lower = (middle << 64) | low(a0 * b0);
    let upper = a1 * b1 + ((a1 * b0) >> 64) + ((a0 * b1) >> 64) + (middle >> 64);
    if upper >= c {
        return Err(Overflow);
    }
    // Long division, bit by bit: rare, since amounts of everyday size take the short way above.
    let (mut quotient, mut rest) = (0_u128, upper);
    for bit in (0..128).rev() {
        let carried = rest >> 127 == 1;
        rest = (rest << 1) | ((lower >> bit) & 1);
        if carried || rest >= c {
            rest = rest.wrapping_sub(c);
            quotient |= 1 << bit;
        }
    }
    Ok((quotient, rest))
}

fn write_parts(f: &mut fmt::Formatter<'_>, negative: bool, whole: u128, fraction: u128, places: u32) -> fmt::Result {
    let sign = if negative { "-" } else { "" };
    if fraction == 0 {
        return write!(f, "{sign}{whole}");
    }
    let digits = format!("{fraction:0width$}", width = places as usize);
    write!(f, "{sign}{whole}.{}", digits.trim_end_matches('0'))
}

macro_rules! as_decimal_string {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Display::fmt(self, f) }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> { s.collect_str(self) }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let raw = RawDecimal::deserialize(d)?;
                raw.text().and_then(str::parse).map_err(D::Error::custom)
            }
        }
    )*};
}

as_decimal_string!(Quantity, Cost);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn q(text: &str) -> Quantity {
        text.parse().unwrap()
    }

    fn c(text: &str) -> Cost {
        text.parse().unwrap()
    }

    #[test]
    fn tiny_quantities_and_prices_lose_nothing() {
        let cost = |quantity: &str, price: &str| Cost::of(q(quantity), price.parse().unwrap()).unwrap().to_string();
        assert_eq!(cost("0.0000001453", "0.0000004"), "0.00000000000005812");
        assert_eq!(cost("2.000000000000000", "0.0000004"), "0.0000008");
        assert_eq!(cost("-0.000000301748514", "0.0000166667"), "-0.0000000000050291519582838");
        assert_eq!(
            cost("999999999999999.999999999999999", "999999999999.999999999999"),
            "999999999999999999999998999.999000000000000000000000001"
        );
        assert_eq!(cost("-7", "1.50"), "-10.5");
    }

    #[test]
    fn amounts_read_back_from_strings_and_numbers_are_refused() {
        for text in ["0", "-0.5", "1234567890123456789.000000000000001", "-3"] {
            assert_eq!(q(text).to_string(), text);
            assert_eq!(c(text).to_string(), text);
            let json = serde_json::to_string(&c(text)).unwrap();
            assert_eq!(json, format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<Cost>(&json).unwrap(), c(text));
        }
        assert_eq!(q("-0.0"), Quantity::ZERO);
        assert!(serde_json::from_str::<Quantity>("1.5").unwrap_err().to_string().contains("JSON strings"));
        assert_eq!(parse_quantity("1000000000000000"), Err(BadDecimal::Digits(QUANTITY_DIGITS)));
        assert_eq!(parse_quantity("0.0000000000000001"), Err(BadDecimal::Places(QUANTITY_PLACES)));
        assert_eq!(parse_quantity("1e3"), Err(BadDecimal::Form("1e3".into())));
    }

    #[test]
    fn what_does_not_fit_is_an_overflow() {
        let most = c("170141183460469231731687303715884105727");
        assert_eq!(most.plus(c("1")), Err(Overflow));
        assert_eq!(Cost::ZERO.minus(most).unwrap().minus(c("1")), Err(Overflow));
        assert_eq!(most.rounded("EUR".parse().unwrap()), Err(Overflow));
        assert_eq!(Quantity(i128::MAX).plus(q("1")), Err(Overflow));
        assert!("170141183460469231731687303715884105728".parse::<Cost>().is_err());
    }

    #[test]
    fn costs_are_rounded_on_statements_and_never_shown_as_nothing() {
        let eur = "EUR".parse().unwrap();
        assert_eq!(c("1234.495").shown(eur), "EUR 1,234.50");
        assert_eq!(c("-1234.495").shown(eur), "EUR -1,234.50");
        assert_eq!(c("0.0000008").shown(eur), "EUR 0.0000008");
        assert_eq!(c("0").shown(eur), "EUR 0.00");
        assert_eq!(c("1234.5").exact(eur), "EUR 1,234.50");
        assert_eq!(c("0.994").rounded(eur).unwrap().to_string(), "EUR 0.99");
        assert_eq!(c("0.995").rounded(eur).unwrap().to_string(), "EUR 1.00");
    }

    proptest! {
        #[test]
        fn sums_are_exact_and_undone_by_differences(a in any::<i64>(), b in any::<i64>(), p in 0_i64.., r in 0_i64..) {
            let (price, other) = (Decimal::new(p, 12), Decimal::new(r, 7));
            let (x, y) = (Cost::of(Quantity(a.into()), price).unwrap(), Cost::of(Quantity(b.into()), other).unwrap());
            prop_assert_eq!(x.plus(y).unwrap().minus(y), Ok(x));
            prop_assert_eq!(x.plus(y), y.plus(x));
            prop_assert_eq!(x.to_string().parse::<Cost>(), Ok(x));
            let negated = Cost::ZERO.minus(x).unwrap();
            prop_assert_eq!(Cost::of(Quantity(-i128::from(a)), price), Ok(negated));
        }

        #[test]
        fn a_product_of_a_sum_is_the_sum_of_products(a in any::<i64>(), b in any::<i64>(), p in 0_i64..) {
            let (price, a, b) = (Decimal::new(p, 12), Quantity(a.into()), Quantity(b.into()));
            let whole = Cost::of(a.plus(b).unwrap(), price).unwrap();
            prop_assert_eq!(Cost::of(a, price).unwrap().plus(Cost::of(b, price).unwrap()), Ok(whole));
        }

        #[test]
        fn long_division_agrees_with_multiplication(a in any::<u128>(), b in any::<u128>(), c in 1_u128..) {
            let b = b % c;
            let (quotient, rest) = mul_div(a, b, c).unwrap();
            prop_assert!(rest < c);
            // Compared modulo 2^128, and by size through the bound b < c.
            prop_assert_eq!(quotient.wrapping_mul(c).wrapping_add(rest), a.wrapping_mul(b));
            prop_assert!(quotient <= a);
        }

        #[test]
        fn shares_never_exceed_the_whole(whole in 0_i128..=i128::MAX - 1, fraction in 0..COST_ONE, part in 0_i128.., more in 0_i128..) {
            let total = Quantity(part.saturating_add(more).max(1));
            let cost = Cost { whole, fraction };
            let share = cost.share(Quantity(part), total).unwrap();
            prop_assert!(share >= Cost::ZERO && share <= cost);
        }
    }
}
