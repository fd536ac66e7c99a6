//! Money and decimals: currencies, prices, billed amounts, and the one way decimals are read.
//!
//! Prices and billed amounts are [`Decimal`]s of bounded size ([`PRICE_PLACES`], [`PRICE_DIGITS`]). What is metered and
//! rated ([`crate::amounts::Quantity`], [`crate::amounts::Cost`]) needs more than the 28 digits a `Decimal` carries and has
//! its own exact types. Decimals travel as JSON strings; a JSON number has passed through floating point somewhere.

use std::{fmt, str::FromStr};

use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Decimals a price or fee may have.
pub const PRICE_PLACES: u32 = 12;
/// Digits a price or fee may have before the point.
pub const PRICE_DIGITS: u32 = 12;

/// Why a text is not the decimal it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadDecimal {
    /// Nothing at all.
    #[error("write a decimal number such as \"12.50\"")]
    Empty,
    /// Something else than digits, one point and a minus.
    #[error(
        "\"{0}\" is not a plain decimal number; write digits and at most one point, such as \"12.50\": no spaces, no plus sign, no exponent, no thousands separators"
    )]
    Form(String),
    /// A JSON number, a list, an object …
    #[error("write decimal numbers as JSON strings, such as \"12.50\", so that no digit is lost on the way")]
    NotAString,
    /// Below zero where that makes no sense.
    #[error("this must not be negative")]
    Negative,
    /// Zero where that makes no sense.
    #[error("this must be greater than zero")]
    Zero,
    /// Too many decimals.
    #[error("this may have at most {0} decimals")]
    Places(u32),
    /// Too many digits before the point.
    #[error("this may have at most {0} digits before the point")]
    Digits(u32),
}

/// A result that does not fit its type. Nothing is ever rounded or wrapped to make it fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this amount is larger than can be calculated exactly")]
pub struct Overflow;

/// A decimal in plain notation, taken apart: what all decimals are read through.
pub(crate) struct Plain<'a> {
    pub(crate) negative: bool,
    pub(crate) whole: &'a str,
    pub(crate) places: &'a str,
}

/// Takes apart `-?digits(.digits)?`, without leading zeros in the whole part and trailing zeros in the places.
pub(crate) fn plain(text: &str) -> Result<Plain<'_>, BadDecimal> {
    if text.is_empty() {
        return Err(BadDecimal::Empty);
    }
    let form = || BadDecimal::Form(text.chars().filter(|c| !c.is_control()).take(40).collect());
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, places) = match rest.split_once('.') {
        Some((whole, places)) if digits(places) => (whole, places),
        Some(_) => return Err(form()),
        None => (rest, ""),
    };
    if !digits(whole) {
        return Err(form());
    }
    Ok(Plain { negative, whole: whole.trim_start_matches('0'), places: places.trim_end_matches('0') })
}

/// Reads a decimal in plain notation, with at most `digits` digits before the point and `places` after it (leading and
/// trailing zeros not counted). The written number of decimals is kept where it fits, so that `12.50` stays `12.50`.
///
/// # Errors
/// [`BadDecimal`] says what to write.
pub fn parse_decimal(text: &str, digits: u32, places: u32) -> Result<Decimal, BadDecimal> {
    let parts = plain(text)?;
    if parts.whole.len() > digits as usize {
        return Err(BadDecimal::Digits(digits));
    }
    if parts.places.len() > places as usize {
        return Err(BadDecimal::Places(places));
    }
    let sign = if parts.negative { "-" } else { "" };
    let written = text.split_once('.').map_or("", |(_, written)| written);
    let kept = if written.len() > places as usize { parts.places } else { written };
    let whole = if parts.whole.is_empty() { "0" } else { parts.whole };
    let exact = if kept.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{kept}") };
    let value = Decimal::from_str_exact(&exact).map_err(|_| BadDecimal::Digits(digits))?;
    // There is one zero, not two.
    Ok(if value.is_zero() { value.abs() } else { value })
}

/// Reads a price or fee: not negative, within [`PRICE_DIGITS`] and [`PRICE_PLACES`].
///
/// # Errors
/// [`BadDecimal`] says what to write.
pub fn parse_price(text: &str) -> Result<Decimal, BadDecimal> {
    let price = parse_decimal(text, PRICE_DIGITS, PRICE_PLACES)?;
    if price.is_sign_negative() { Err(BadDecimal::Negative) } else { Ok(price) }
}

/// A decimal as a client sent it, not yet judged: so that a wrong one is a fault at its place and not an unreadable body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RawDecimal(serde_json::Value);

impl RawDecimal {
    /// The text of a JSON string.
    ///
    /// # Errors
    /// [`BadDecimal::NotAString`].
    pub fn text(&self) -> Result<&str, BadDecimal> {
        self.0.as_str().ok_or(BadDecimal::NotAString)
    }

    /// What was sent.
    pub fn value(&self) -> &serde_json::Value {
        &self.0
    }
}

impl From<&str> for RawDecimal {
    fn from(text: &str) -> Self {
        Self(serde_json::Value::from(text))
    }
}

impl From<String> for RawDecimal {
    fn from(text: String) -> Self {
        Self(serde_json::Value::from(text))
    }
}

impl From<Decimal> for RawDecimal {
    fn from(value: Decimal) -> Self {
        Self(serde_json::Value::from(value.to_string()))
    }
}

/// A currency of ISO 4217 in which prices can be set, written as its code: `EUR`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency(iso_currency::Currency);

/// Why a text is not a currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write a currency as its three-letter code of ISO 4217 in capitals, such as EUR, CHF or USD")]
pub struct NotACurrency;

impl Currency {
    /// The three-letter code.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// Its English name.
    pub fn name(self) -> String {
        self.0.name().to_owned()
    }

    /// Decimals of its smallest unit: 2 for EUR, 0 for JPY, 3 for TND.
    pub fn minor_places(self) -> u32 {
        self.0.exponent().map_or(2, u32::from)
    }
}

impl FromStr for Currency {
    type Err = NotACurrency;
    fn from_str(text: &str) -> Result<Self, NotACurrency> {
        let currency = iso_currency::Currency::from_code(text).ok_or(NotACurrency)?;
        // Codes for gold, for testing, for "no currency" have no minor unit: nothing can be paid in them.
        if currency.exponent().is_none() { Err(NotACurrency) } else { Ok(Self(currency)) }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(D::Error::custom)
    }
}

/// An amount in a currency: `{"amount": "12.50", "currency": "EUR"}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    amount: Decimal,
    currency: Currency,
}

impl Money {
    /// An amount in a currency.
    pub fn new(amount: Decimal, currency: Currency) -> Self {
        Self { amount, currency }
    }

    /// Reads a price: see [`parse_price`].
    ///
    /// # Errors
    /// [`BadDecimal`] says what to write.
    pub fn price(amount: &str, currency: Currency) -> Result<Self, BadDecimal> {
        Ok(Self { amount: parse_price(amount)?, currency })
    }

    /// The number.
    pub fn amount(self) -> Decimal {
        self.amount
    }

    /// The currency.
    pub fn currency(self) -> Currency {
        self.currency
    }

    /// Rounded to the currency's smallest unit, halves away from zero as invoices do. For a line of a statement and for
    /// showing, nowhere else.
    #[must_use]
    pub fn rounded(self) -> Self {
        let places = self.currency.minor_places();
        Self { amount: self.amount.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero), ..self }
    }

    /// Every digit, for pages: `EUR 0.0000004`, `EUR 1,234.50`.
    pub fn exact(self) -> String {
        format!("{} {}", self.currency, grouped(&self.amount.normalize().to_string(), self.currency.minor_places()))
    }

    /// The amount as the API writes it: at least the decimals of the currency's smallest unit.
    fn written(self) -> String {
        padded(&self.amount.to_string(), self.currency.minor_places())
    }
}

/// For pages: `EUR 1,234.50`, rounded to the smallest unit.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rounded().exact())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MoneyShape {
    amount: RawDecimal,
    currency: Currency,
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        MoneyShape { amount: self.written().into(), currency: self.currency }.serialize(s)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let shape = MoneyShape::deserialize(d)?;
        let amount = shape.amount.text().and_then(|text| parse_decimal(text, 16, PRICE_PLACES)).map_err(D::Error::custom)?;
        Ok(Self { amount, currency: shape.currency })
    }
}

/// A plain decimal with at least `places` decimals.
pub(crate) fn padded(plain: &str, places: u32) -> String {
    let written = plain.split_once('.').map_or(0, |(_, written)| written.len());
    let missing = (places as usize).saturating_sub(written);
    let point = if written == 0 && missing > 0 { "." } else { "" };
    format!("{plain}{point}{}", "0".repeat(missing))
}

/// A plain decimal with at least `places` decimals and commas between thousands.
pub(crate) fn grouped(plain: &str, places: u32) -> String {
    let padded = padded(plain, places);
    let (sign, rest) = padded.strip_prefix('-').map_or(("", padded.as_str()), |rest| ("-", rest));
    let (whole, fraction) = rest.split_once('.').map_or((rest, None), |(whole, fraction)| (whole, Some(fraction)));
    let mut shown = String::from(sign);
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    if let Some(fraction) = fraction {
        shown.push('.');
        shown.push_str(fraction);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eur() -> Currency {
        "EUR".parse().unwrap()
    }

    #[test]
    fn decimals_are_read_strictly() {
        for bad in ["", " ", " 1", "1 ", "+1", "1e3", "NaN", "inf", "1,000", "1_000", ".5", "5.", "-", "--1", "1.2.3", "0x10", "١"] {
            assert!(parse_decimal(bad, 12, 12).is_err(), "{bad:?}");
        }
        assert_eq!(parse_decimal("12.50", 12, 12).unwrap().to_string(), "12.50");
        assert_eq!(parse_decimal("-0", 12, 12).unwrap().to_string(), "0");
        assert_eq!(parse_decimal("0000012.5", 2, 1).unwrap().to_string(), "12.5");
        assert_eq!(parse_decimal("1.5000000000000000000000000", 1, 1).unwrap().to_string(), "1.5");
        assert_eq!(parse_decimal("1.25", 1, 1), Err(BadDecimal::Places(1)));
        assert_eq!(parse_decimal("10", 1, 1), Err(BadDecimal::Digits(1)));
        assert_eq!(parse_price("-0.01"), Err(BadDecimal::Negative));
        assert!(parse_price("999999999999.999999999999").is_ok());
    }

    #[test]
    fn currencies_are_those_one_can_pay_in() {
        assert_eq!(eur().minor_places(), 2);
        assert_eq!("JPY".parse::<Currency>().unwrap().minor_places(), 0);
        assert_eq!("TND".parse::<Currency>().unwrap().minor_places(), 3);
        for bad in ["eur", "EURO", "", "XXX", "XAU", "ZZZ"] {
            assert_eq!(bad.parse::<Currency>(), Err(NotACurrency), "{bad}");
        }
    }

    #[test]
    fn money_is_written_with_its_cents_and_read_from_strings_only() {
        let money = Money::price("12.5", eur()).unwrap();
        let json = serde_json::to_string(&money).unwrap();
        assert_eq!(json, r#"{"amount":"12.50","currency":"EUR"}"#);
        assert_eq!(serde_json::from_str::<Money>(&json).unwrap(), money);
        let refused = serde_json::from_str::<Money>(r#"{"amount":12.5,"currency":"EUR"}"#).unwrap_err().to_string();
        assert!(refused.contains("JSON strings"), "{refused}");
    }

    #[test]
    fn money_is_shown_with_thousands_and_tiny_prices_keep_their_digits() {
        let shown = |text: &str| Money::new(text.parse().unwrap(), eur());
        assert_eq!(shown("1234.5").to_string(), "EUR 1,234.50");
        assert_eq!(shown("-1234567.895").to_string(), "EUR -1,234,567.90");
        assert_eq!(shown("0.005").to_string(), "EUR 0.01");
        assert_eq!(shown("0.0000004").exact(), "EUR 0.0000004");
        assert_eq!(shown("0.0000004").to_string(), "EUR 0.00");
        let yen: Currency = "JPY".parse().unwrap();
        assert_eq!(Money::new("1234.5".parse().unwrap(), yen).to_string(), "JPY 1,235");
        assert_eq!(serde_json::to_string(&Money::price("120", yen).unwrap()).unwrap(), r#"{"amount":"120","currency":"JPY"}"#);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_reading_panic_and_what_is_read_is_what_was_written(text in "-?[0-9.e+ ]{0,40}") {
            if let Ok(value) = parse_decimal(&text, 12, 12) {
                let again = parse_decimal(&value.to_string(), 12, 12);
                proptest::prop_assert_eq!(again, Ok(value));
            }
        }
    }
}
