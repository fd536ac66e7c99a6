//! Typing mistakes: which words were meant by one that nobody wrote.
//!
//! Two words that differ by one letter more, less, other or by two exchanged neighbours have a spelling in common when
//! each is also written with any one of its letters left out. So the words that are near another are found through an
//! equality, on any database; [`distance`] then tells how near they are.

use std::collections::{BTreeSet, HashMap};

/// The fewest and the most letters of a word whose typing mistakes are forgiven.
const LETTERS: std::ops::RangeInclusive<usize> = 4..=40;

/// From this number of letters on, two mistakes in a word are forgiven.
const LONG: usize = 8;

/// The most words that one mistyped word is read as.
pub const MOST_CORRECTIONS: usize = 8;

/// The most words of a search whose typing mistakes are forgiven.
pub const MOST_FORGIVEN: usize = 12;

/// The most whole phrases that a search is read as.
pub const MOST_PHRASES: usize = 8;

/// Whether typing mistakes in a folded word are forgiven: it is neither too short for that nor a number.
pub fn forgiven(word: &str) -> bool {
    LETTERS.contains(&word.chars().count()) && word.chars().any(char::is_alphabetic)
}

/// A word, and the word with each of its letters left out.
pub fn spellings(word: &str) -> BTreeSet<String> {
    let mut all: BTreeSet<String> =
        word.char_indices().map(|(at, letter)| format!("{}{}", &word[..at], &word[at + letter.len_utf8()..])).collect();
    all.insert(word.to_owned());
    all
}

/// How many letters are more, less, other or exchanged with their neighbour.
pub fn distance(one: &str, other: &str) -> usize {
    strsim::osa_distance(one, other)
}

/// What a mistyped word may have been meant as, of words that have a spelling in common with it: the nearest first, among
/// equals those with the same first letter, which people rarely mistype.
pub fn corrections(typed: &str, near: &BTreeSet<String>) -> Vec<String> {
    let most = if typed.chars().count() < LONG { 1 } else { 2 };
    let first = typed.chars().next();
    let mut found: Vec<_> = near
        .iter()
        .map(|word| (distance(typed, word), word.chars().next() != first, word))
        .filter(|(distance, _, _)| (1..=most).contains(distance))
        .collect();
    found.sort();
    found.into_iter().take(MOST_CORRECTIONS).map(|(_, _, word)| word.clone()).collect()
}

/// What is known of the words of a search: for each, the listed words that have a spelling in common with it.
pub type Near = HashMap<String, BTreeSet<String>>;

/// How well a search is answered as it was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answered {
    /// Nothing has all words.
    Not,
    /// All words are only mentioned somewhere in a summary or description.
    Mentioned,
    /// A name, provider and categories have all words.
    Named,
}

/// A word of a search and what else it is read as.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadWord {
    /// As it was typed, folded.
    pub typed: String,
    /// Listed words that may have been meant, the likeliest first.
    pub corrections: Vec<String>,
}

/// How a search is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// Its words.
    pub words: Vec<ReadWord>,
}

impl Reading {
    /// As it was typed.
    pub fn plain(words: &[String]) -> Self {
        Self { words: words.iter().map(|word| ReadWord { typed: word.clone(), corrections: Vec::new() }).collect() }
    }

    /// As it may have been meant. What is named just so needs no other reading. Otherwise words that nobody wrote are
    /// taken for mistyped; and where nothing at all is found, each word, for a mistake may make another word of it.
    pub fn meant(words: &[String], near: &Near, answered: Answered) -> Self {
        let unknown = |word: &String| forgiven(word) && near.get(word).is_none_or(|near| !near.contains(word));
        let all = answered == Answered::Not && !words.iter().any(unknown);
        let corrected = |word: &String| {
            let wanted = answered < Answered::Named && (all || unknown(word));
            let near = near.get(word).filter(|_| wanted);
            ReadWord { typed: word.clone(), corrections: near.map(|near| corrections(word, near)).unwrap_or_default() }
        };
        Self { words: words.iter().map(corrected).collect() }
    }

    /// Whether a word is also read as another.
    pub fn is_corrected(&self) -> bool {
        self.words.iter().any(|word| !word.corrections.is_empty())
    }

    /// The whole texts that the search may stand for, the likeliest first; at most [`MOST_PHRASES`].
    pub fn phrases(&self) -> Vec<String> {
        let mut phrases = vec![String::new()];
        for word in &self.words {
            let readings: Vec<&String> = std::iter::once(&word.typed).chain(&word.corrections).collect();
            let longer = readings.iter().flat_map(|reading| {
                phrases.iter().map(move |phrase| if phrase.is_empty() { (*reading).clone() } else { format!("{phrase} {reading}") })
            });
            phrases = longer.take(MOST_PHRASES).collect();
        }
        phrases
    }
}

/// A word that was also read as others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// As it was typed, folded.
    pub typed: String,
    /// What it was read as, in what was found.
    pub read_as: Vec<String>,
}

impl Reading {
    /// The corrections that led to something, given the words of each service that was found: what none of them has is
    /// nothing that was found, and nobody's to know.
    pub fn used<'a>(&self, found: impl IntoIterator<Item = &'a BTreeSet<String>>) -> Vec<Correction> {
        let mut used: Vec<BTreeSet<&str>> = vec![BTreeSet::new(); self.words.len()];
        for words in found {
            for (word, used) in self.words.iter().zip(&mut used) {
                if words.range(word.typed.clone()..).next().is_some_and(|next| next.starts_with(&word.typed)) {
                    continue;
                }
                used.extend(word.corrections.iter().filter(|one| words.contains(*one)).map(String::as_str));
            }
        }
        let corrected = self.words.iter().zip(used).filter(|(_, used)| !used.is_empty());
        corrected
            .map(|(word, used)| Correction {
                typed: word.typed.clone(),
                read_as: word.corrections.iter().filter(|one| used.contains(one.as_str())).cloned().collect(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn near(words: &[&str]) -> BTreeSet<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn the_nearest_come_first_and_the_far_ones_not_at_all() {
        assert_eq!(corrections("forcast", &near(&["forecast", "forecasts", "broadcast", "forcast"])), ["forecast"]);
        assert_eq!(corrections("loda", &near(&["load", "soda", "yoda"])), ["load", "soda", "yoda"]);
        assert_eq!(corrections("managmnet", &near(&["management", "manager"])), ["management"], "two mistakes in a long word");
        let many: Vec<String> = ('a'..='z').map(|letter| format!("oad{letter}")).collect();
        assert_eq!(corrections("oadx1", &many.into_iter().collect()).len(), 1);
    }

    #[test]
    fn only_what_nobody_wrote_is_corrected_unless_nothing_is_found() {
        let words = ["grid".to_owned(), "forcast".to_owned()];
        let known = Near::from([("grid".to_owned(), near(&["grid", "grids"])), ("forcast".to_owned(), near(&["forecast"]))]);
        let read = |answered| Reading::meant(&words, &known, answered).words.into_iter().map(|word| word.corrections).collect::<Vec<_>>();
        assert_eq!(read(Answered::Named), [vec![""; 0], vec![]]);
        assert_eq!(read(Answered::Mentioned), [vec![], vec!["forecast"]]);
        assert_eq!(read(Answered::Not), [vec![], vec!["forecast"]]);
        let words = ["grid".to_owned()];
        assert_eq!(Reading::meant(&words, &known, Answered::Not).words[0].corrections, ["grids"]);
        assert!(!Reading::meant(&words, &known, Answered::Mentioned).is_corrected());
        assert!(!forgiven("v2x") && !forgiven("20260131") && forgiven("365d"));
    }

    #[test]
    fn phrases_begin_with_what_was_typed_and_are_few() {
        let word = |typed: &str, corrections: &[&str]| ReadWord {
            typed: typed.into(),
            corrections: corrections.iter().map(|one| (*one).to_owned()).collect(),
        };
        let reading = Reading { words: vec![word("lod", &["load"]), word("forcast", &["forecast"])] };
        assert_eq!(reading.phrases(), ["lod forcast", "load forcast", "lod forecast", "load forecast"]);
        let wide = ["a", "b", "c", "d", "e"];
        assert_eq!(Reading { words: vec![word("x", &wide), word("y", &wide)] }.phrases().len(), MOST_PHRASES);
        assert_eq!(Reading::plain(&[]).phrases(), [""]);
    }

    #[test]
    fn a_correction_is_told_only_where_it_led_to_something() {
        let words = ["grid".to_owned(), "forcast".to_owned()];
        let known = Near::from([("forcast".to_owned(), near(&["forecast", "forecase"]))]);
        let reading = Reading::meant(&words, &known, Answered::Not);
        let told = |found: &[&str]| reading.used([&near(found)]).into_iter().map(|one| (one.typed, one.read_as)).collect::<Vec<_>>();
        assert_eq!(told(&["grid", "forecast"]), [("forcast".to_owned(), vec!["forecast".to_owned()])]);
        assert_eq!(told(&["grid", "forcasting", "forecast"]), [], "as it was typed");
        assert_eq!(told(&["grid"]), []);
    }

    /// A word with one mistake of each kind at some place.
    fn mistaken(word: &str, kind: u8, at: usize, letter: char) -> String {
        let mut letters: Vec<char> = word.chars().collect();
        let at = at % letters.len();
        match kind % 4 {
            0 => letters[at] = letter,
            1 => letters.insert(at, letter),
            2 => drop(letters.remove(at)),
            _ if at + 1 < letters.len() => letters.swap(at, at + 1),
            _ => {}
        }
        letters.into_iter().collect()
    }

    proptest! {
        #[test]
        fn a_word_with_one_mistake_has_a_spelling_in_common_with_it(word in "\\PC{4,12}", kind: u8, at: usize, letter in "[a-zé電]") {
            let typed = mistaken(&word, kind, at, letter.chars().next().unwrap());
            prop_assert!(distance(&word, &typed) <= 1);
            prop_assert!(spellings(&word).intersection(&spellings(&typed)).next().is_some(), "{} {}", word, typed);
            if word != typed {
                prop_assert_eq!(corrections(&typed, &BTreeSet::from([word.clone()])), [word]);
            }
        }
    }
}
