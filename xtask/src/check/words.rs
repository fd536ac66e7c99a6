//! What must not stand in any tracked file: things left open, hosts of package registries, and paths of somebody's machine.

use std::path::Path;
use std::process::Command;

use crate::commands::{Failure, Outcome, output};

/// Where a rule looks.
enum Place {
    /// Our own code: neither vendored nor minified.
    Code,
    /// Lock files.
    Locks,
    /// Every text file.
    All,
}

struct Rule {
    place: Place,
    /// The forbidden text.
    text: &'static str,
    /// Only where it does not continue a word or a path to the left.
    alone: bool,
    why: &'static str,
}

const fn rule(place: Place, text: &'static str, alone: bool, why: &'static str) -> Rule {
    Rule { place, text, alone, why }
}

const OPEN: &str = "nothing is left open: finish it or file an issue";
const HOST: &str = "whose package registry somebody uses is their own affair";
const PATH: &str = "a path of one machine means nothing on another";

/// The texts are written in two parts so that this file passes its own rules.
const RULES: [Rule; 18] = [
    rule(Place::Code, concat!("to", "do!("), true, OPEN),
    rule(Place::Code, concat!("unimple", "mented!("), true, OPEN),
    rule(Place::Code, concat!("TO", "DO"), true, OPEN),
    rule(Place::Code, concat!("FIX", "ME"), true, OPEN),
    rule(Place::Code, concat!("#[ig", "nore"), false, "a test runs or is removed"),
    rule(Place::Code, concat!("test", ".skip("), true, "a test runs or is removed"),
    rule(Place::Code, concat!("test", ".only("), true, "all tests run"),
    rule(Place::Code, concat!("#[al", "low("), false, "use #[expect(…, reason = \"…\")]"),
    rule(Place::Locks, concat!("\"resol", "ved\""), false, HOST),
    rule(Place::Locks, concat!("sparse", "+"), false, HOST),
    rule(Place::All, concat!("registry.", "npmjs.org"), false, HOST),
    rule(Place::All, concat!("index.", "crates.io"), false, HOST),
    rule(Place::All, concat!("static.", "crates.io"), false, HOST),
    rule(Place::All, concat!("files.", "pythonhosted.org"), false, HOST),
    rule(Place::All, concat!("deb.", "debian.org"), false, HOST),
    rule(Place::All, concat!("/wo", "rk/"), true, PATH),
    rule(Place::All, concat!("/ro", "ot/"), true, PATH),
    rule(Place::All, concat!("/ho", "me/"), true, PATH),
];

/// Looks through every tracked file.
pub(super) fn check(root: &Path) -> Outcome {
    let listed = output(Command::new("git").args(["ls-files", "-z"]).current_dir(root))?;
    let mut found = Vec::new();
    let mut files = 0_usize;
    for name in String::from_utf8_lossy(&listed).split('\0').filter(|name| !name.is_empty()) {
        // A file removed but not yet committed is listed and gone; one that is not text has no words.
        if let Ok(text) = std::fs::read_to_string(root.join(name)) {
            files += 1;
            found.extend(in_file(name, &text));
        }
    }
    if found.is_empty() {
        println!("{files} files, nothing found");
        Ok(())
    } else {
        Err(Failure::new(found.join("\n")))
    }
}

fn in_file(name: &str, text: &str) -> Vec<String> {
    let lock = Path::new(name).file_name().is_some_and(|file| file == "Cargo.lock" || file == "package-lock.json");
    let vendored = name.contains("/vendor/") || name.contains(".min.");
    let code = !lock && !vendored && [".rs", ".mjs", ".js", ".css", ".html", ".sql", ".toml", ".sh"].iter().any(|end| name.ends_with(end));
    let rules = RULES.iter().filter(|rule| match rule.place {
        Place::Code => code,
        Place::Locks => lock,
        Place::All => true,
    });
    rules
        .flat_map(|rule| {
            let lines = text.lines().enumerate().filter(|(_, line)| contains(line, rule));
            lines.map(move |(index, _)| format!("{name}:{}: {} — {}", index + 1, rule.text, rule.why))
        })
        .collect()
}

fn contains(line: &str, rule: &Rule) -> bool {
    line.match_indices(rule.text).any(|(at, _)| {
        let left = line[..at].chars().next_back();
        !rule.alone || !left.is_some_and(|letter| letter.is_alphanumeric() || "_-./}".contains(letter))
    })
}

#[cfg(test)]
mod tests {
    use super::in_file;

    #[test]
    fn what_is_left_open_is_found_in_code_and_not_in_vendored_files() {
        let line = concat!("// TO", "DO: later\n");
        assert_eq!(in_file("crates/domain/src/lib.rs", line).len(), 1);
        assert!(in_file("crates/server/assets/vendor/htmx.js", line).is_empty());
        assert!(in_file("docs/guide.md", line).is_empty());
    }

    #[test]
    fn machine_paths_are_found_but_not_parts_of_an_address() {
        assert_eq!(in_file("README.md", concat!("see /wo", "rk/data\n")).len(), 1);
        assert!(in_file("README.md", concat!("see https://docs.example/wo", "rk/data\n")).is_empty());
    }

    #[test]
    fn a_lock_file_names_no_host() {
        let line = concat!("\"resol", "ved\": \"https://packages.example/a.tgz\"\n");
        assert_eq!(in_file("e2e/package-lock.json", line).len(), 1);
        assert!(in_file("crates/server/src/words.rs", line).is_empty());
    }
}
