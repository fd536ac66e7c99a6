//! Sums and products that are exact or refused: a decimal has 28 digits here and would be rounded silently beyond.

use rust_decimal::Decimal;

/// Why an amount is not exact.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Inexact {
    /// Not a decimal number.
    #[error("`{0}` is not a decimal number of at most 28 digits")]
    NotADecimal(String),
    /// More digits than there is room for.
    #[error("{0} needs more than 28 digits")]
    TooLong(String),
}

/// Reads a decimal without dropping digits.
///
/// # Errors
/// [`Inexact`] names the text.
pub fn read(text: &str) -> Result<Decimal, Inexact> {
    let text = text.trim();
    let read = if text.contains(['e', 'E']) { Decimal::from_scientific(text) } else { Decimal::from_str_exact(text) };
    read.map(|number| number.normalize()).map_err(|_| Inexact::NotADecimal(text.to_owned()))
}

/// `a × b`.
///
/// # Errors
/// [`Inexact::TooLong`].
pub fn product(a: Decimal, b: Decimal) -> Result<Decimal, Inexact> {
    let (a, b) = (a.normalize(), b.normalize());
    if a.is_zero() || b.is_zero() {
        return Ok(Decimal::ZERO);
    }
    match a.checked_mul(b) {
        // A product that lost digits has fewer decimals than its factors together.
        Some(product) if product.scale() == a.scale() + b.scale() => Ok(product.normalize()),
        _ => Err(Inexact::TooLong(format!("{a} × {b}"))),
    }
}

/// `a + b`.
///
/// # Errors
/// [`Inexact::TooLong`].
pub fn sum(a: Decimal, b: Decimal) -> Result<Decimal, Inexact> {
    let (a, b) = (a.normalize(), b.normalize());
    if a.is_zero() || b.is_zero() {
        return Ok(a + b);
    }
    match a.checked_add(b) {
        Some(sum) if sum.scale() == a.scale().max(b.scale()) => Ok(sum.normalize()),
        _ => Err(Inexact::TooLong(format!("{a} + {b}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Decimal {
        read(text).unwrap()
    }

    #[test]
    fn what_fits_is_exact_and_what_does_not_is_refused() {
        assert_eq!(product(d("0.0000001453"), d("0.0000004")).unwrap().to_string(), "0.00000000000005812");
        assert_eq!(product(d("4651.000000000000000"), d("-0.0000166667")).unwrap().to_string(), "-0.0775168217");
        assert_eq!(product(d("0"), d("0.0000166667")).unwrap(), Decimal::ZERO);
        assert_eq!(sum(d("0.00000000000005812"), d("168")).unwrap().to_string(), "168.00000000000005812");
        assert_eq!(sum(d("-1.5"), d("1.50")).unwrap(), Decimal::ZERO);
        assert!(product(d("0.123456789012345678"), d("0.123456789012345678")).is_err());
        assert!(sum(d("1234567890123456789"), d("0.0000000000000000001")).is_err());
        assert_eq!(d("1.4E-7").to_string(), "0.00000014");
        for wrong in ["", "twelve", "1,5", "0.00000000000000000000000000001"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
