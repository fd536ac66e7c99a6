//! SPDX licence expressions: `MIT OR (Apache-2.0 WITH LLVM-exception AND ISC)`, and the old `MIT/Apache-2.0`.

use std::collections::BTreeSet;

/// Whether the expression can be fulfilled with the allowed licences alone.
pub(super) fn allowed(text: &str, allow: &BTreeSet<String>) -> Result<bool, String> {
    let spaced = text.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader { words: &words, allow };
    let answer = reader.any()?;
    if reader.words.is_empty() { Ok(answer) } else { Err(format!("unexpected `{}`", reader.words[0])) }
}

struct Reader<'a> {
    words: &'a [&'a str],
    allow: &'a BTreeSet<String>,
}

impl<'a> Reader<'a> {
    /// One or more parts joined by OR.
    fn any(&mut self) -> Result<bool, String> {
        let mut answer = self.all()?;
        while self.take("OR") {
            answer |= self.all()?;
        }
        Ok(answer)
    }

    /// One or more parts joined by AND, which binds stronger.
    fn all(&mut self) -> Result<bool, String> {
        let mut answer = self.one()?;
        while self.take("AND") {
            answer &= self.one()?;
        }
        Ok(answer)
    }

    fn one(&mut self) -> Result<bool, String> {
        if self.take("(") {
            let answer = self.any()?;
            return if self.take(")") { Ok(answer) } else { Err("a parenthesis is not closed".to_owned()) };
        }
        let name = self.word()?;
        if self.take("WITH") {
            let exception = self.word()?;
            return Ok(self.allow.contains(&format!("{name} WITH {exception}")));
        }
        Ok(self.allow.contains(name))
    }

    fn take(&mut self, word: &str) -> bool {
        let next = self.words.first() == Some(&word);
        if next {
            self.words = &self.words[1..];
        }
        next
    }

    fn word(&mut self) -> Result<&'a str, String> {
        let (first, rest) = self.words.split_first().ok_or("it ends too early")?;
        if ["AND", "OR", "WITH", ")"].contains(first) {
            return Err(format!("unexpected `{first}`"));
        }
        self.words = rest;
        Ok(first)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::allowed;

    fn ask(text: &str) -> Result<bool, String> {
        let allow: BTreeSet<String> = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).into();
        allowed(text, &allow)
    }

    #[test]
    fn either_side_of_or_and_both_of_and_must_be_allowed() {
        assert_eq!(ask("MIT"), Ok(true));
        assert_eq!(ask("GPL-3.0"), Ok(false));
        assert_eq!(ask("GPL-3.0 OR MIT"), Ok(true));
        assert_eq!(ask("GPL-3.0 AND MIT"), Ok(false));
        assert_eq!(ask("MIT/GPL-3.0"), Ok(true));
    }

    #[test]
    fn and_binds_stronger_than_or() {
        assert_eq!(ask("MIT OR GPL-3.0 AND GPL-2.0"), Ok(true));
        assert_eq!(ask("(MIT OR GPL-3.0) AND GPL-2.0"), Ok(false));
        assert_eq!(ask("(MIT OR GPL-3.0) AND ISC"), Ok(true));
    }

    #[test]
    fn an_exception_counts_with_its_licence_only() {
        assert_eq!(ask("Apache-2.0 WITH LLVM-exception"), Ok(true));
        assert_eq!(ask("Apache-2.0"), Ok(false));
        assert_eq!(ask("MIT WITH LLVM-exception"), Ok(false));
    }

    #[test]
    fn what_cannot_be_read_is_not_allowed() {
        for text in ["", "MIT OR", "(MIT", "MIT ISC", "AND MIT", "MIT)"] {
            assert!(ask(text).is_err(), "{text}");
        }
    }
}
