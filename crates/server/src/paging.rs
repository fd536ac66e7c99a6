//! Lists: `?limit=&cursor=` in, `{"items": […], "next_cursor": …}` out.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use stoa_actions::Error;
use utoipa::{IntoParams, ToSchema};

/// The items of a page when nothing else is asked for.
const USUAL: i64 = 50;
/// The most items of a page.
const MOST: i64 = 200;

/// Which page of a list.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// How many items, at most 200; 50 when absent.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    pub limit: Option<String>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

impl Paging {
    /// How many items.
    ///
    /// # Errors
    /// 422 unless it is a number from 1 to 200.
    pub fn limit(&self) -> Result<i64, Error> {
        match self.limit.as_deref() {
            None | Some("") => Ok(USUAL),
            Some(text) => match text.parse::<i64>() {
                Ok(limit) if (1..=MOST).contains(&limit) => Ok(limit),
                _ => Err(Error::fault("/limit", format!("limit is a number from 1 to {MOST}"))),
            },
        }
    }

    /// What the cursor says; `None` for the first page.
    ///
    /// # Errors
    /// 422 when it is not one of ours.
    pub fn cursor<C: DeserializeOwned>(&self) -> Result<Option<C>, Error> {
        let Some(text) = self.cursor.as_deref().filter(|text| !text.is_empty()) else { return Ok(None) };
        let bad = || Error::fault("/cursor", "this is not a cursor of this list; take next_cursor of the page before");
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| bad())?;
        serde_json::from_slice(&bytes).map(Some).map_err(|_| bad())
    }
}

/// Which page of a list, and of which rows.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Finding {
    /// Only those that have this in their name; of people: whose names or addresses have words that begin with each of these.
    pub q: Option<String>,
    /// How many items, at most 200; 50 when absent.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    pub limit: Option<String>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

impl Finding {
    /// What to look for, where something is.
    pub fn search(&self) -> Option<&str> {
        self.q.as_deref().map(str::trim).filter(|text| !text.is_empty())
    }

    /// Which page.
    pub fn paging(&self) -> Paging {
        Paging { limit: self.limit.clone(), cursor: self.cursor.clone() }
    }
}

/// A page of a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Page<T: ToSchema> {
    /// The items.
    pub items: Vec<T>,
    /// What to send as `cursor` for the next page; `null` when this is the last.
    pub next_cursor: Option<String>,
}

impl<T: ToSchema> Page<T> {
    /// Cuts a list that was read with one item more than `limit` and names the cursor of the next page after the last
    /// item shown.
    pub fn cut<R, C: Serialize>(mut rows: Vec<R>, limit: i64, cursor: impl Fn(&R) -> C, show: impl FnMut(R) -> T) -> Self {
        let next_cursor = cut_off(&mut rows, limit, cursor);
        Self { items: rows.into_iter().map(show).collect(), next_cursor }
    }

    /// A list that is always whole.
    pub fn whole(items: Vec<T>) -> Self {
        Self { items, next_cursor: None }
    }
}

/// Cuts a list that was read with one item more than `limit`, and answers the cursor of the next page.
pub fn cut_off<R, C: Serialize>(rows: &mut Vec<R>, limit: i64, cursor: impl Fn(&R) -> C) -> Option<String> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    if more { rows.last().map(|row| encode(&cursor(row))) } else { None }
}

/// The text of a cursor.
pub fn encode<C: Serialize>(cursor: &C) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(cursor).unwrap_or_default())
}
