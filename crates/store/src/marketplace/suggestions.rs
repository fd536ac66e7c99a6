//! Providers and categories that are suggested while somebody types.

use stoa_domain::marketplace::spelling::Reading;

use super::hits::{Fields, Found, hits};
use crate::{Conn, StoreError, Viewer};

/// How many categories are looked through.
const MOST_CATEGORIES: i64 = 1_000;

/// Providers of services that somebody may see, with all words in their name or handle: handle and name, by name.
///
/// # Errors
/// Those of the database.
pub async fn providers(conn: &mut Conn, viewer: &Viewer, reading: &Reading, limit: i64) -> Result<Vec<(String, String)>, StoreError> {
    let mut found = Found::default();
    found.begin(viewer);
    let hits = hits(conn.engine(), reading, Fields::Provider, false, &mut found);
    found.join(&hits);
    let limit = found.bind(limit);
    let sql = format!(
        "select o.handle, o.name from organizations o where o.id in (select s.organization_id from {} where {})
         order by o.name, o.handle limit {limit}",
        found.tables, found.conditions
    );
    conn.fetch_all(&sql, &found.values).await?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Categories of services that somebody may see, which begin with the words or have them after a hyphen. The categories are
/// walked through by the index, from each to the next, however many services each of them has.
///
/// # Errors
/// Those of the database.
pub async fn categories(conn: &mut Conn, viewer: &Viewer, words: &[String], limit: i64) -> Result<Vec<String>, StoreError> {
    let mut found = Found::default();
    found.begin(viewer);
    let begun = words.join("-");
    let (first, later) = (found.bind(format!("{begun}%")), found.bind(format!("%-{begun}%")));
    let limit = found.bind(limit);
    let sql = format!(
        "with recursive k (category, number) as (
           select min(category), cast(1 as bigint) from service_categories
           union all
           select (select min(f.category) from service_categories f where f.category > k.category), k.number + 1
           from k where k.category is not null and k.number < {MOST_CATEGORIES}
         )
         select k.category from k where (k.category like {first} or k.category like {later})
           and exists (select 1 from {} join service_categories f on f.organization_id = s.organization_id and f.service_id = s.id
                       where {} and f.category = k.category)
         order by k.category limit {limit}",
        found.tables, found.conditions
    );
    conn.fetch_all(&sql, &found.values).await?.iter().map(|row| row.get(0)).collect()
}
