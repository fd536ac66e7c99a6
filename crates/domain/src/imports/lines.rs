//! On which line of a JSON text each value begins.

use std::collections::BTreeMap;

/// The lines of a text that is known to be JSON, by the path of the value: `2`, `2.teams`, `2.teams[3].members[0]`, where the
/// first number is the place in the list that the text is.
pub(super) struct Lines(BTreeMap<String, usize>);

impl Lines {
    /// Reads where everything is.
    pub(super) fn of(text: &str) -> Self {
        let mut scan = Scan { bytes: text.as_bytes(), at: 0, line: 1, lines: BTreeMap::new() };
        scan.value("");
        Self(scan.lines)
    }

    /// The line of an entry of the organization at `index`; of what it stands in, where it is not written.
    pub(super) fn find(&self, index: usize, entry: &str) -> usize {
        let mut path = format!("{index}.{entry}");
        loop {
            if let Some(line) = self.0.get(&path) {
                return *line;
            }
            match path.rfind(['.', '[']) {
                Some(cut) => path.truncate(cut),
                None => return 1,
            }
        }
    }
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
    lines: BTreeMap<String, usize>,
}

impl Scan<'_> {
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    fn step(&mut self) {
        if self.peek() == b'\n' {
            self.line += 1;
        }
        self.at += 1;
    }

    fn skip_space(&mut self) {
        while self.peek().is_ascii_whitespace() {
            self.step();
        }
    }

    /// The text of a string, as it is written between its quotation marks.
    fn string(&mut self) -> String {
        self.step();
        let from = self.at;
        while !matches!(self.peek(), b'"' | 0) {
            if self.peek() == b'\\' {
                self.step();
            }
            self.step();
        }
        let text = String::from_utf8_lossy(self.bytes.get(from..self.at).unwrap_or_default()).into_owned();
        self.step();
        text
    }

    fn value(&mut self, path: &str) {
        self.skip_space();
        self.lines.insert(path.to_owned(), self.line);
        match self.peek() {
            b'[' => self.inside(b']', |scan, number| {
                scan.value(&if path.is_empty() { number.to_string() } else { format!("{path}[{number}]") });
            }),
            b'{' => self.inside(b'}', |scan, _| {
                let key = scan.string();
                scan.skip_space();
                // The colon.
                scan.step();
                scan.value(&format!("{path}.{key}"));
            }),
            b'"' => drop(self.string()),
            _ => {
                while !matches!(self.peek(), b',' | b']' | b'}' | 0) && !self.peek().is_ascii_whitespace() {
                    self.step();
                }
            }
        }
    }

    /// Reads what is between two brackets, numbered from 0.
    fn inside(&mut self, end: u8, mut one: impl FnMut(&mut Self, usize)) {
        self.step();
        let mut number = 0;
        loop {
            self.skip_space();
            match self.peek() {
                found if found == end || found == 0 => break,
                b',' => self.step(),
                _ => {
                    one(self, number);
                    number += 1;
                }
            }
        }
        self.step();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn each_value_is_found_and_what_is_missing_by_what_it_would_stand_in() {
        let text = "[\n {\"name\": \"a, \\\"]}\",\n  \"teams\": [\n   {\"name\": \"x\",\n    \"members\": [\n     \"ben\",\n     -1.5e3]}]},\n {}]";
        serde_json::from_str::<Value>(text).unwrap();
        let lines = Lines::of(text);
        for (index, entry, line) in [
            (0, "name", 2),
            (0, "teams", 3),
            (0, "teams[0].name", 4),
            (0, "teams[0].members[0]", 6),
            (0, "teams[0].members[1]", 7),
            (0, "teams[0].parent", 4),
            (0, "maintainers", 2),
            (0, "all of it", 2),
            (1, "all of it", 8),
            (9, "all of it", 1),
        ] {
            assert_eq!(lines.find(index, entry), line, "{index} {entry}");
        }
    }

    fn tree() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".*".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map("[a-z]{1,5}", inner, 0..5).prop_map(|map| json!(map)),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_json_is_read_to_its_end(value in tree(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_string_pretty(&value).unwrap() } else { value.to_string() };
            let mut scan = Scan { bytes: text.as_bytes(), at: 0, line: 1, lines: BTreeMap::new() };
            scan.value("");
            prop_assert_eq!(scan.at, text.len());
            prop_assert_eq!(scan.line, text.lines().count().max(1));
        }
    }
}
