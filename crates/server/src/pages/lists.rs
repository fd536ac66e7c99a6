//! Long lists: what their addresses ask for, and how they are cut into pages.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use stoa_actions::Error;

use super::Pager;
use crate::paging::{Paging, cut_off};

/// How many rows a page of a list shows.
pub const SHOWN: i64 = 50;

/// What a list is asked for by its address.
#[derive(Debug, Default, Deserialize)]
pub struct ListQuery {
    /// The dialog to open, such as `new`.
    #[serde(default)]
    pub open: String,
    /// The page of the list.
    pub cursor: Option<String>,
    /// What to look for; empty for everything.
    #[serde(default)]
    pub q: String,
}

impl ListQuery {
    /// Where the page begins; `None` for the first.
    ///
    /// # Errors
    /// 422 when the cursor is none of this list.
    pub fn after<C: DeserializeOwned>(&self) -> Result<Option<C>, Error> {
        Paging { limit: None, cursor: self.cursor.clone() }.cursor()
    }

    /// What to look for, where something is.
    #[must_use]
    pub fn search(&self) -> Option<&str> {
        Some(self.q.trim()).filter(|text| !text.is_empty())
    }

    /// The list's address with what is looked for.
    #[must_use]
    pub fn address(&self, path: &str) -> String {
        match self.search() {
            None => path.to_owned(),
            Some(text) => format!("{path}?q={}", percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)),
        }
    }
}

/// Cuts rows that were read with one more than [`SHOWN`], and makes what leads to the next page; `what` the rows are, and
/// `of` how many there are in all, where that is known.
pub fn pager<R, C: Serialize>(
    rows: &mut Vec<R>,
    address: &str,
    what: &str,
    of: Option<u64>,
    is_first: bool,
    cursor: impl Fn(&R) -> C,
) -> Pager {
    let next = cut_off(rows, SHOWN, cursor);
    let pager = Pager::new(address, what, rows.len(), is_first, next.as_deref());
    match of {
        Some(all) => Pager { summary: format!("{} of {all} {what}", rows.len()), ..pager },
        None => pager,
    }
}

#[cfg(test)]
mod tests {
    use super::{ListQuery, pager};

    #[test]
    fn a_list_is_cut_and_keeps_what_was_looked_for() {
        let query = ListQuery { q: " a&b ".into(), ..ListQuery::default() };
        let address = query.address("/organizations/grid/teams");
        assert_eq!(address, "/organizations/grid/teams?q=a%26b");
        let mut rows: Vec<i64> = (0..51).collect();
        let made = pager(&mut rows, &address, "teams", Some(80), true, |row| *row);
        assert_eq!((rows.len(), made.summary.as_str(), made.first.as_str()), (50, "50 of 80 teams", ""));
        assert!(made.next.starts_with("/organizations/grid/teams?q=a%26b&cursor="));
    }
}
