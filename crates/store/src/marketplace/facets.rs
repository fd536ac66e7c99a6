//! How many services of a search there are of each kind.

use std::cmp::Reverse;

use stoa_domain::{
    marketplace::{Search, spelling::Reading},
    services::Level,
};

use super::hits::{Fields, Found, hits};
use crate::{Conn, StoreError, Viewer};

/// The most values of one facet.
const MOST_VALUES: i64 = 100;

/// How many services of a search there are by category, level and provider. Each facet is counted with the filters of
/// all others but not with its own, so that it tells what choosing another value would show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facets {
    /// Category and count, most first.
    pub categories: Vec<(String, i64)>,
    /// Level and count.
    pub levels: Vec<(Level, i64)>,
    /// Handle, name and count, most first.
    pub providers: Vec<(String, String, i64)>,
}

impl Facets {
    /// How many services of the search there are: those of the level that was asked for, or of all.
    pub fn total(&self, search: &Search) -> i64 {
        self.levels.iter().filter(|(level, _)| search.level.is_none_or(|wanted| wanted == *level)).map(|(_, count)| count).sum()
    }
}

/// The facets of a search, in one statement, which finds the services once and counts them three times.
///
/// # Errors
/// Those of the database.
pub async fn facets(conn: &mut Conn, viewer: &Viewer, search: &Search, reading: &Reading) -> Result<Facets, StoreError> {
    let mut found = Found::default();
    found.begin(viewer);
    if !reading.words.is_empty() {
        let hits = hits(conn.engine(), reading, Fields::All, false, &mut found);
        found.join(&hits);
    }
    let both = |conditions: [Option<String>; 2]| {
        let conditions: Vec<String> = conditions.into_iter().flatten().collect();
        if conditions.is_empty() { String::new() } else { format!(" where {}", conditions.join(" and ")) }
    };
    let [category, level, provider] =
        [found.of_category(search, "m.id"), found.of_level(search, "m.level"), found.of_provider(search, "m.organization_id")];
    let of_category = both([level.clone(), provider.clone()]);
    let of_level = both([category.clone(), provider]);
    let of_provider = both([category, level]);
    let most = found.bind(MOST_VALUES);
    // Only what is counted by is carried along, and names are looked up for what is shown.
    let sql = format!(
        "with m as materialized (
           select s.id, s.organization_id, c.level from {} join contracts c on c.organization_id = s.organization_id and c.id = s.contract_id
           where {})
         select kind, value, label, found from (
           select * from (select 'category' as kind, f.category as value, '' as label, count(*) as found
             from m join service_categories f on f.service_id = m.id{of_category} group by f.category order by found desc, value limit {most}) a
           union all
           select * from (select 'level' as kind, m.level as value, '' as label, count(*) as found from m{of_level} group by m.level) b
           union all
           select 'provider' as kind, o.handle as value, o.name as label, g.found from
             (select m.organization_id, count(*) as found from m{of_provider} group by m.organization_id
              order by found desc, m.organization_id limit {most}) g
             join organizations o on o.id = g.organization_id
         ) d",
        found.tables, found.conditions
    );
    let mut facets = Facets::default();
    for row in conn.fetch_all(&sql, &found.values).await? {
        match row.get::<String>(0)?.as_str() {
            "category" => facets.categories.push((row.get(1)?, row.get(3)?)),
            "level" => facets.levels.push((row.parse(1)?, row.get(3)?)),
            _ => facets.providers.push((row.get(1)?, row.get(2)?, row.get(3)?)),
        }
    }
    // What a union gives has no order.
    facets.categories.sort_by(|(one, many), (other, more)| (Reverse(many), one).cmp(&(Reverse(more), other)));
    facets.levels.sort_by_key(|(level, count)| (Reverse(*count), level.word()));
    facets.providers.sort_by(|(one, _, many), (other, _, more)| (Reverse(many), one).cmp(&(Reverse(more), other)));
    Ok(facets)
}
