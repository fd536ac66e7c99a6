//! Lists of people as they are pasted or come as CSV: who is named, by address, and as what.

use crate::permissions::Role;

/// The most lines that one list may have.
pub const MOST_LINES: usize = 1_000;

/// One person of a list, as it is written there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// The line of the list, from 1.
    pub line: u64,
    /// The address, not checked yet.
    pub email: String,
    /// The name; may be empty.
    pub name: String,
    /// The role, not checked yet; empty where the list says none.
    pub role: String,
}

/// Why a list cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadList {
    /// Nobody stands in it.
    #[error("nobody stands in this list; write e-mail addresses, one a line or with commas between them")]
    Empty,
    /// Too many people.
    #[error("a list may have at most {MOST_LINES} people; give the rest in another one")]
    TooLong,
    /// A heading without addresses.
    #[error("the first line names columns, but none of them is email; name it email")]
    NoEmail,
    /// Not to be read as CSV.
    #[error("line {0} is not to be read as CSV; look at its quotation marks")]
    Malformed(u64),
}

/// Reads a list: CSV with the columns email, role and name under a heading; or lines with an address, a role and a name in
/// any order; or addresses with commas, semicolons or line breaks between them, each perhaps as `Name <address>`. A byte
/// order mark is passed over.
///
/// # Errors
/// [`BadList`].
pub fn read(text: &str) -> Result<Vec<Listed>, BadList> {
    let text = text.trim_start_matches('\u{feff}');
    let delimiter = delimiter(text);
    let mut rows =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).trim(csv::Trim::All).from_reader(text.as_bytes());
    let mut heading: Option<Heading> = None;
    let mut people = Vec::new();
    for (index, row) in rows.records().enumerate() {
        let row = row.map_err(|bad| BadList::Malformed(bad.position().map_or(0, csv::Position::line)))?;
        let line = line_at(text, row.position().map_or(0, csv::Position::byte));
        let cells: Vec<&str> = row.iter().collect();
        if index == 0 {
            heading = Heading::of(&cells)?;
            if heading.is_some() {
                continue;
            }
        }
        match &heading {
            Some(heading) => people.extend(heading.person(&cells, line)),
            None => people.extend(loose(&cells, line)),
        }
        if people.len() > MOST_LINES {
            return Err(BadList::TooLong);
        }
    }
    if people.is_empty() { Err(BadList::Empty) } else { Ok(people) }
}

/// The line, from 1, of the row that begins at a byte, apart from blank lines before it.
fn line_at(text: &str, byte: u64) -> u64 {
    let (before, rest) = usize::try_from(byte).ok().and_then(|byte| text.split_at_checked(byte)).unwrap_or(("", text));
    let blank = &rest[..rest.len() - rest.trim_start_matches(['\r', '\n']).len()];
    let breaks = before.matches('\n').count() + blank.matches('\n').count();
    u64::try_from(breaks + 1).unwrap_or(u64::MAX)
}

/// What stands most often between the cells of the first lines that have addresses.
fn delimiter(text: &str) -> u8 {
    let count = |byte: u8| text.lines().take(20).map(|line| line.bytes().filter(|one| *one == byte).count()).sum::<usize>();
    [b';', b'\t'].into_iter().fold(b',', |most, one| if count(one) > count(most) { one } else { most })
}

/// Which column is which.
struct Heading {
    email: usize,
    name: Option<usize>,
    role: Option<usize>,
}

impl Heading {
    /// The heading that a first row is; `None` when it names people.
    fn of(cells: &[&str]) -> Result<Option<Self>, BadList> {
        let find = |words: &[&str]| cells.iter().position(|cell| words.contains(&cell.to_lowercase().as_str()));
        let (name, role) = (find(&["name", "full name", "person"]), find(&["role"]));
        match find(&["email", "e-mail", "mail", "email address", "e-mail address", "address"]) {
            Some(email) => Ok(Some(Self { email, name, role })),
            None if (name.is_some() || role.is_some()) && cells.iter().all(|cell| !cell.contains('@')) => Err(BadList::NoEmail),
            None => Ok(None),
        }
    }

    fn person(&self, cells: &[&str], line: u64) -> Option<Listed> {
        let cell = |column: Option<usize>| column.and_then(|column| cells.get(column)).map(|cell| (*cell).to_owned()).unwrap_or_default();
        if cells.iter().all(|cell| cell.is_empty()) {
            return None;
        }
        let (name, email) = named(&cell(Some(self.email)));
        let given = cell(self.name);
        Some(Listed { line, email, name: if given.is_empty() { name } else { given }, role: cell(self.role).to_lowercase() })
    }
}

/// The people of a row without a heading: one with role and name beside the address, or several addresses.
fn loose(cells: &[&str], line: u64) -> Vec<Listed> {
    // A row cut at commas may still have semicolons in its cells, and the other way round.
    let cells: Vec<&str> =
        cells.iter().flat_map(|cell| cell.split([',', ';', '\t'])).map(str::trim).filter(|cell| !cell.is_empty()).collect();
    let addresses = cells.iter().filter(|cell| cell.contains('@')).count();
    if addresses == 1 {
        let mut person = Listed { line, ..Listed::default() };
        let mut rest = Vec::new();
        for cell in cells {
            if cell.contains('@') {
                let (name, email) = named(cell);
                person.email = email;
                rest.extend(Some(name).filter(|name| !name.is_empty()));
            } else if person.role.is_empty() && cell.to_lowercase().parse::<Role>().is_ok() {
                person.role = cell.to_lowercase();
            } else {
                rest.push(cell.to_owned());
            }
        }
        person.name = rest.join(" ");
        return vec![person];
    }
    let person = |cell: &str| {
        let (name, email) = named(cell);
        Listed { line, email, name, role: String::new() }
    };
    cells.into_iter().map(person).collect()
}

/// Name and address of `Name <address>`, or the address alone.
fn named(cell: &str) -> (String, String) {
    match cell.split_once('<') {
        Some((name, rest)) => {
            let name = name.trim().trim_matches('"').trim();
            (name.to_owned(), rest.trim_end().trim_end_matches('>').trim().to_owned())
        }
        None => (String::new(), cell.trim().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn people(text: &str) -> Vec<(String, String, String)> {
        read(text).unwrap().into_iter().map(|one| (one.email, one.name, one.role)).collect()
    }

    fn person(email: &str, name: &str, role: &str) -> (String, String, String) {
        (email.to_owned(), name.to_owned(), role.to_owned())
    }

    #[test]
    fn addresses_are_pasted_as_they_come() {
        let expected = [person("a@x.example", "", ""), person("b@x.example", "Ben Lo", ""), person("c@x.example", "", "")];
        for text in [
            "a@x.example, Ben Lo <b@x.example>, c@x.example",
            "a@x.example; Ben Lo <b@x.example>;c@x.example;",
            "a@x.example\r\nBen Lo <b@x.example>\n\n  c@x.example\n",
            "\u{feff}a@x.example, \"Ben Lo\" <b@x.example>\nc@x.example",
            "a@x.example; Ben Lo <b@x.example>, c@x.example",
        ] {
            assert_eq!(people(text), expected, "{text}");
        }
    }

    #[test]
    fn a_file_has_its_columns_in_any_order_with_or_without_a_heading() {
        let expected = [person("a@x.example", "Ada Lo", "editor"), person("b@x.example", "", ""), person("c@x.example", "Cleo", "boss")];
        assert_eq!(people("Email,Role,Name\na@x.example,Editor,Ada Lo\nb@x.example,,\nc@x.example,boss,Cleo\n"), expected);
        assert_eq!(people("\u{feff}name;e-mail;role\n\"Ada Lo\";a@x.example;editor\n;b@x.example\nCleo;c@x.example;boss"), expected);
        assert_eq!(people("a@x.example,editor,Ada Lo\nb@x.example"), expected[..2]);
        assert_eq!(people("Ada Lo\tEDITOR\ta@x.example"), expected[..1]);
    }

    #[test]
    fn what_is_no_address_is_kept_to_be_told() {
        assert_eq!(people("a@x.example\nnobody"), [person("a@x.example", "", ""), person("nobody", "", "")]);
        assert_eq!(read("name,role\nAda,editor"), Err(BadList::NoEmail));
        assert_eq!(read(" \n,;\n"), Err(BadList::Empty));
        assert_eq!(read(&"a@x.example\n".repeat(MOST_LINES + 1)), Err(BadList::TooLong));
        assert_eq!(read("email\n\na@x.example").unwrap()[0].line, 3);
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reading(text in "\\PC{0,200}") {
            if let Ok(people) = read(&text) {
                prop_assert!(!people.is_empty() && people.len() <= MOST_LINES);
            }
        }

        #[test]
        fn each_address_of_a_list_comes_out_once_and_in_order(
            locals in prop::collection::vec("[a-z]{1,8}", 1..40),
            between in prop::sample::select(vec![",", ", ", ";", "\n", " ;\n", "\r\n"]),
        ) {
            let emails: Vec<String> = locals.iter().map(|local| format!("{local}@people.example")).collect();
            let read: Vec<String> = read(&emails.join(between)).unwrap().into_iter().map(|one| one.email).collect();
            prop_assert_eq!(read, emails);
        }
    }
}
