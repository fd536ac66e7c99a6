//! Countries by their codes (ISO 3166-1 alpha-2).

use std::{fmt, str::FromStr, sync::LazyLock};

use serde::{Serialize, Serializer};

/// A country or territory with a code of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Country(iso_currency::Country);

/// The text is not the code of a country.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write the country's two letters (ISO 3166-1 alpha-2), such as DE, FR or US")]
pub struct NotACountry;

impl Country {
    /// The two letters.
    pub fn code(self) -> String {
        self.0.to_string()
    }

    /// Its English name.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// All of them, by name.
    pub fn all() -> &'static [Self] {
        static ALL: LazyLock<Vec<Country>> = LazyLock::new(|| {
            let letters = || 'A'..='Z';
            let codes = letters().flat_map(|first| letters().map(move |second| format!("{first}{second}")));
            let mut all: Vec<Country> = codes.filter_map(|code| code.parse().ok()).collect();
            all.sort_by_key(|country| country.name());
            all
        });
        &ALL
    }
}

impl FromStr for Country {
    type Err = NotACountry;
    fn from_str(text: &str) -> Result<Self, NotACountry> {
        let code = text.trim().to_ascii_uppercase();
        let known = if code.len() == 2 { code.parse::<iso_currency::Country>().ok() } else { None };
        known.filter(|country| !country.name().is_empty()).map(Self).ok_or(NotACountry)
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.code())
    }
}

impl Serialize for Country {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_have_two_letters_and_a_name() {
        assert_eq!(" de".parse::<Country>().unwrap().name(), "Germany");
        for bad in ["", "D", "DEU", "ZZ", "1A", "Germany", "é"] {
            assert_eq!(bad.parse::<Country>(), Err(NotACountry), "{bad}");
        }
        let all = Country::all();
        assert!(all.len() > 240, "{}", all.len());
        assert!(all.iter().all(|country| country.code().parse() == Ok(*country)));
    }
}
