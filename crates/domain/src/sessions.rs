//! Browser sessions: what their owner is told about them, and how long a proof of who sits there counts.

use crate::time::{SECOND, Ts};

/// For how long a person who has just proved who they are is not asked again, in microseconds.
pub const PROOF_COUNTS: i64 = 15 * 60 * SECOND;

/// Whether a proof given at `proved_at` still counts.
pub fn proof_counts(proved_at: Ts, now: Ts) -> bool {
    now.micros() - proved_at.micros() <= PROOF_COUNTS
}

/// The browsers that are told apart; those that name others in their own text come first.
const BROWSERS: [(&str, &str); 8] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("Chrome", "Chrome"),
    ("CriOS", "Chrome"),
    ("Safari", "Safari"),
];

/// The systems that are told apart, in the same manner.
const SYSTEMS: [(&str, &str); 8] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
    ("X11", "Unix"),
];

/// A `User-Agent` as a person says it: `Firefox on Linux`. Of a program that is no browser, its own name.
pub fn browser(user_agent: &str) -> String {
    let find = |list: &[(&str, &'static str)]| list.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name);
    match (find(&BROWSERS), find(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(name), None) | (None, Some(name)) => name.to_owned(),
        (None, None) => {
            let name: String =
                user_agent.split(['/', ' ', '(']).next().unwrap_or("").chars().filter(|c| !c.is_control()).take(40).collect();
            if name.is_empty() { "Unknown browser".to_owned() } else { name }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_named_as_people_name_them() {
        let chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";
        for (agent, name) in [
            (chrome.to_owned(), "Chrome on Windows"),
            (format!("{chrome} Edg/142.0.0.0"), "Edge on Windows"),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0".to_owned(), "Firefox on Linux"),
            ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1".to_owned(), "Safari on iPhone"),
            ("curl/8.5.0".to_owned(), "curl"),
            (String::new(), "Unknown browser"),
            ("\u{7}".to_owned(), "Unknown browser"),
        ] {
            assert_eq!(browser(&agent), name);
        }
    }

    #[test]
    fn a_proof_counts_for_fifteen_minutes() {
        let proved = Ts::from_micros(1_790_000_000_000_000);
        assert!(proof_counts(proved, proved.plus(15 * 60 * SECOND)));
        assert!(!proof_counts(proved, proved.plus(15 * 60 * SECOND + 1)));
    }
}
