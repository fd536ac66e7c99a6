//! The marketplace: how services are searched for and in which order they are shown.

pub mod spelling;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    ids::ServiceId,
    services::Level,
    text::{BadText, Faults},
    words::words,
};

/// The longest text that is searched for, in characters.
pub const LONGEST_SEARCH: usize = 200;

/// The most words of one service whose typing mistakes are forgiven; its name, provider, categories and summary come first.
const MOST_FORGIVEN_WORDS: usize = 400;

words! {
    /// The way the marketplace is sorted.
    #[derive(Default)]
    Sort, NotASort, "a sort order" {
        /// Best match first; newest first where nothing is searched for.
        #[default]
        Relevance = "relevance",
        /// By name.
        Name = "name",
        /// Newest first.
        Newest = "newest",
    }
}

/// What somebody looks for, as they wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchInput {
    /// Words, each of which a service must have, or one that begins with it, or that it was mistyped for.
    pub q: Option<String>,
    /// A category.
    pub category: Option<String>,
    /// A level.
    pub level: Option<String>,
    /// A provider's handle.
    pub provider: Option<String>,
    /// The order.
    pub sort: Option<String>,
}

/// What somebody looks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    /// The words of what was written; empty when nothing is searched for.
    pub words: Vec<String>,
    /// Services of this category only.
    pub category: Option<String>,
    /// Services of this level only.
    pub level: Option<Level>,
    /// Services of the provider with this handle only.
    pub provider: Option<String>,
    /// The order.
    pub sort: Sort,
}

/// Where a page ended: what the last service of it is sorted by, and its id, which tells equals apart.
///
/// By relevance the place is the rank itself and not a count of pages, so that no page repeats or skips a service while
/// the catalogue stands; a change of the catalogue between two pages may shift ranks, as it may change any answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In the order of relevance.
    Rank(i64, ServiceId),
    /// In the order of names.
    Name(String, ServiceId),
    /// In the order of first publication, in microseconds.
    Published(i64, ServiceId),
}

impl SearchInput {
    /// Checks everything at once.
    ///
    /// # Errors
    /// What is wrong, with the parameters as pointers.
    pub fn check(self) -> Result<Search, Faults> {
        let given = |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let mut faults = Faults::new();
        let q = self.q.unwrap_or_default();
        if q.chars().count() > LONGEST_SEARCH {
            faults.add("/q", BadText::TooLong(LONGEST_SEARCH).to_string());
        }
        let level = given(self.level).and_then(|level| faults.check("/level", level.parse()));
        let sort = given(self.sort).and_then(|sort| faults.check("/sort", sort.parse())).unwrap_or_default();
        let search = Search { words: words_of(&q), category: given(self.category), level, provider: given(self.provider), sort };
        faults.or(Some(search))
    }
}

impl Search {
    /// The order in which the services come: without words none is more relevant than another, so the newest come first.
    pub fn order(&self) -> Sort {
        match self.sort {
            Sort::Relevance if self.words.is_empty() => Sort::Newest,
            sort => sort,
        }
    }

    /// Whether a place is one of this order: a cursor of another order has no meaning here.
    pub fn continues_at(&self, place: &Place) -> bool {
        matches!(
            (self.order(), place),
            (Sort::Relevance, Place::Rank(..)) | (Sort::Name, Place::Name(..)) | (Sort::Newest, Place::Published(..))
        )
    }
}

/// The words of a text, folded: lower case, without accents, without anything that is not a letter or digit. What is
/// searched and what is searched for go through it alike, so both databases index the same words and no text that a user
/// writes can mean anything to their query languages.
pub fn words_of(text: &str) -> Vec<String> {
    let mut folded = String::with_capacity(text.len());
    for c in text.chars().flat_map(char::to_lowercase) {
        match c {
            // Combining marks: an accent written as a character of its own.
            '\u{300}'..='\u{36f}' => {}
            'ß' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'þ' => folded.push_str("th"),
            c if c.is_alphanumeric() => folded.push(plain(c)),
            _ => folded.push(' '),
        }
    }
    folded.split_ascii_whitespace().map(str::to_owned).collect()
}

/// The words of several texts, as one text: what is indexed.
pub fn folded(texts: &[&str]) -> String {
    let words: Vec<String> = texts.iter().flat_map(|text| words_of(text)).collect();
    words.join(" ")
}

/// What a name is searched by: its words, and the words that are written together in it. `LoadForecastAPI` is found as
/// `loadforecastapi` and as `load forecast api`.
pub fn searched_name(name: &str) -> String {
    let mut words = words_of(name);
    let mut apart = String::with_capacity(name.len() + 8);
    let letters: Vec<char> = name.chars().collect();
    for (at, letter) in letters.iter().enumerate() {
        let (before, after) = (at.checked_sub(1).and_then(|before| letters.get(before)), letters.get(at + 1));
        let begins = letter.is_uppercase()
            && before
                .is_some_and(|before| before.is_lowercase() || before.is_uppercase() && after.is_some_and(|after| after.is_lowercase()));
        if begins {
            apart.push(' ');
        }
        apart.push(*letter);
    }
    let parts: Vec<String> = words_of(&apart).into_iter().filter(|part| !words.contains(part)).collect();
    words.extend(parts);
    words.join(" ")
}

/// The words of indexed texts that may be mistyped by whoever looks for them; of an endless text only the first ones.
pub fn forgiven_words(indexed: &[&str]) -> BTreeSet<String> {
    let words = indexed.iter().flat_map(|text| text.split_ascii_whitespace()).filter(|word| spelling::forgiven(word));
    let mut first = BTreeSet::new();
    for word in words {
        if first.len() == MOST_FORGIVEN_WORDS {
            break;
        }
        first.insert(word.to_owned());
    }
    first
}

/// A lower-case Latin letter without its accent.
const fn plain(c: char) -> char {
    match c {
        'à'..='å' | 'ā' | 'ă' | 'ą' | 'ǎ' => 'a',
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => 'c',
        'ð' | 'ď' | 'đ' => 'd',
        'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => 'e',
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => 'g',
        'ĥ' | 'ħ' => 'h',
        'ì'..='ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' | 'ǐ' => 'i',
        'ĵ' => 'j',
        'ķ' => 'k',
        'ĺ' | 'ļ' | 'ľ' | 'ŀ' | 'ł' => 'l',
        'ñ' | 'ń' | 'ņ' | 'ň' => 'n',
        'ò'..='ö' | 'ø' | 'ō' | 'ŏ' | 'ő' | 'ǒ' => 'o',
        'ŕ' | 'ŗ' | 'ř' => 'r',
        'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => 's',
        'ţ' | 'ť' | 'ŧ' | 'ț' => 't',
        'ù'..='ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' | 'ǔ' => 'u',
        'ŵ' => 'w',
        'ý' | 'ÿ' | 'ŷ' => 'y',
        'ź' | 'ż' | 'ž' => 'z',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_folded_alike_whoever_writes_them() {
        assert_eq!(words_of("  Zürich's load-forecast (v2)!"), ["zurich", "s", "load", "forecast", "v2"]);
        assert_eq!(words_of("Cafe\u{301}"), words_of("CAFÉ"));
        assert_eq!(words_of("Straße"), words_of("STRASSE"));
        assert_eq!(words_of("\"* NEAR:-()&|!"), ["near"]);
        assert_eq!(words_of("電力 予測"), ["電力", "予測"]);
        assert_eq!(folded(&["Load forecast", "", "grid-works"]), "load forecast grid works");
    }

    #[test]
    fn without_words_the_newest_come_first() {
        let search = |q: &str| SearchInput { q: Some(q.into()), ..Default::default() }.check().unwrap();
        assert_eq!(search("...").order(), Sort::Newest);
        assert_eq!(search("load").order(), Sort::Relevance);
    }

    #[test]
    fn everything_wrong_with_a_search_is_said_at_once() {
        let input = SearchInput {
            q: Some("x".repeat(LONGEST_SEARCH + 1)),
            level: Some("galaxy".into()),
            sort: Some("price".into()),
            ..Default::default()
        };
        let pointers: Vec<_> = input.check().unwrap_err().into_vec().into_iter().map(|fault| fault.pointer).collect();
        assert_eq!(pointers, ["/q", "/level", "/sort"]);
    }

    #[test]
    fn a_name_is_found_by_the_words_written_together_in_it() {
        assert_eq!(searched_name("Load forecast"), "load forecast");
        assert_eq!(searched_name("SqlManagementClient"), "sqlmanagementclient sql management client");
        assert_eq!(searched_name("HDInsight APIs v2"), "hdinsight apis v2 hd insight ap is");
        assert_eq!(searched_name("ÉclairÖl"), "eclairol eclair ol");
        assert_eq!(searched_name("NASA"), "nasa");
    }

    #[test]
    fn short_words_and_numbers_are_not_forgiven() {
        let words = forgiven_words(&["load forecast v2", "forecast of 20260101 the grid"]);
        assert_eq!(words.into_iter().collect::<Vec<_>>(), ["forecast", "grid", "load"]);
        let long: Vec<String> = (0..1000).map(|number| format!("word{number}")).collect();
        assert_eq!(forgiven_words(&[&long.join(" ")]).len(), MOST_FORGIVEN_WORDS);
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_written_becomes_plain_words_and_stays_so(text in "\\PC{0,80}") {
            let words = words_of(&text);
            for word in &words {
                proptest::prop_assert!(!word.is_empty() && word.chars().all(char::is_alphanumeric), "{:?}", word);
            }
            proptest::prop_assert_eq!(words_of(&words.join(" ")), words);
        }
    }
}
