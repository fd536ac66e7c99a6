//! The marketplace: how services are found, in which order, and how many of each there are.
//!
//! One of the few places that ask which engine runs: SQLite searches with FTS5, PostgreSQL with a `tsvector`. Only
//! [`hits`] and the upkeep of the searched texts differ; every other part of a statement is the same.

mod facets;
mod hits;
mod index;
mod suggestions;

use stoa_domain::{
    contracts::PriceHint,
    ids::{ServiceId, SubscriptionId},
    marketplace::{
        Place, Search, Sort,
        spelling::{self, Answered, Near, Reading},
    },
    services::{Contract, Service},
    subscriptions::{Mode, SubscriptionState},
};

use self::hits::{Found, hits};
pub use self::{
    facets::{Facets, facets},
    hits::Fields,
    index::{index, index_provider, index_queued, relist, unindex_some, words},
    suggestions::{categories, providers},
};
use crate::{
    Conn, Row, StoreError, Value, Viewer,
    services::{self, COLUMNS, CONTRACT, CONTRACT_WIDTH, WIDTH},
    values,
};

/// A service on the marketplace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedService {
    /// The service.
    pub service: Service,
    /// The contract that new subscriptions get.
    pub contract: Contract,
    /// The price it is advertised with.
    pub price: PriceHint,
    /// The provider's handle.
    pub provider_handle: String,
    /// The provider's name.
    pub provider_name: String,
    /// Where it stands in the order that was asked for.
    pub place: Place,
}

/// The most words that are near one mistyped word; of more, the search would be no wiser.
const MOST_NEAR: i64 = 2_000;

/// The listed words that have a spelling in common with one of those that were typed, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn near(conn: &mut Conn, typed: &[String]) -> Result<Near, StoreError> {
    let mut given: Vec<Vec<Value>> = Vec::new();
    for word in typed.iter().filter(|word| spelling::forgiven(word)).take(spelling::MOST_FORGIVEN) {
        given.extend(spelling::spellings(word).into_iter().map(|spelling| values![word, spelling]));
    }
    let sql = format!(
        "with given (typed, spelling) as ({{rows}})
         select distinct given.typed, p.word from given cross join search_spellings p where p.spelling = given.spelling limit {MOST_NEAR}"
    );
    let mut near = Near::new();
    for row in conn.fetch_given(&sql, &given).await? {
        near.entry(row.get(0)?).or_default().insert(row.get(1)?);
    }
    Ok(near)
}

/// How well a search for these words is answered as it was typed, whatever its filters.
///
/// # Errors
/// Those of the database.
pub async fn answered(conn: &mut Conn, viewer: &Viewer, words: &[String]) -> Result<Answered, StoreError> {
    let (engine, reading) = (conn.engine(), Reading::plain(words));
    let mut found = Found::default();
    let mut some = |fields| {
        found.begin(viewer);
        let hits = hits(engine, &reading, fields, false, &mut found);
        found.join(&hits);
        format!("exists (select 1 from {} where {})", found.tables, found.conditions)
    };
    let (named, mentioned) = (some(Fields::Labels), some(Fields::All));
    let sql = format!("select cast(case when {named} then 2 when {mentioned} then 1 else 0 end as bigint)");
    Ok(match conn.fetch_one(&sql, &found.values).await?.get::<i64>(0)? {
        0 => Answered::Not,
        1 => Answered::Mentioned,
        _ => Answered::Named,
    })
}

/// A page of a search, as it is read; `after` is the place of the last service of the page before, in the same order.
/// Searched are all texts of a service, or some of its fields.
///
/// # Errors
/// Those of the database.
pub async fn page(
    conn: &mut Conn,
    viewer: &Viewer,
    (search, reading, fields): (&Search, &Reading, Fields),
    after: Option<&Place>,
    limit: i64,
) -> Result<Vec<ListedService>, StoreError> {
    let mut found = Found::default();
    found.begin(viewer);
    found.filter(search);
    let order = search.order();
    if !reading.words.is_empty() {
        let hits = hits(conn.engine(), reading, fields, order == Sort::Relevance, &mut found);
        found.join(&hits);
    }
    let (key, turn) = match order {
        Sort::Relevance => (hits::rank(reading, &mut found), "desc"),
        Sort::Name => ("s.name_key".to_owned(), "asc"),
        Sort::Newest => ("s.published_at".to_owned(), "desc"),
    };
    if let Some(place) = after {
        let (value, id) = match place {
            Place::Rank(value, id) | Place::Published(value, id) => (Value::from(*value), *id),
            Place::Name(name, id) => (Value::from(name), *id),
        };
        let (value, id) = (found.bind(value), found.bind(id));
        let sign = if turn == "asc" { ">" } else { "<" };
        found.only(&format!("({key}, s.id) {sign} ({value}, {id})"));
    }
    let limit = found.bind(limit);
    // What is shown of a service is read for those of the page only.
    let sql = format!(
        "select {COLUMNS}, {CONTRACT}, c.price_hint, o.handle, o.name, p.place from
           (select s.organization_id, s.id, {key} as place from {} where {} order by place {turn}, s.id {turn} limit {limit}) p
         join services s on s.organization_id = p.organization_id and s.id = p.id
         join organizations o on o.id = s.organization_id
         join contracts c on c.organization_id = s.organization_id and c.id = s.contract_id
         order by p.place {turn}, p.id {turn}",
        found.tables, found.conditions
    );
    conn.fetch_all(&sql, &found.values).await?.iter().map(|row| listed(row, order)).collect()
}

fn listed(row: &Row, order: Sort) -> Result<ListedService, StoreError> {
    let rest = WIDTH + CONTRACT_WIDTH;
    let service = services::service(row)?;
    let place = match order {
        Sort::Relevance => Place::Rank(row.get(rest + 3)?, service.id),
        Sort::Name => Place::Name(row.get(rest + 3)?, service.id),
        Sort::Newest => Place::Published(row.get(rest + 3)?, service.id),
    };
    Ok(ListedService {
        contract: services::contract(row, WIDTH)?,
        price: row.json(rest)?,
        provider_handle: row.get(rest + 1)?,
        provider_name: row.get(rest + 2)?,
        service,
        place,
    })
}

/// A live subscription of one of a user's organizations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribed {
    /// The organization's handle.
    pub organization_handle: String,
    /// The organization's name.
    pub organization_name: String,
    /// The subscription.
    pub subscription: SubscriptionId,
    /// How its projects are chosen.
    pub mode: Mode,
    /// Its state.
    pub state: SubscriptionState,
}

/// The live subscriptions of a service by organizations to which somebody belongs, by their names.
///
/// # Errors
/// Those of the database.
pub async fn subscribed(conn: &mut Conn, viewer: &Viewer, service: ServiceId, limit: i64) -> Result<Vec<Subscribed>, StoreError> {
    let mut values = values![viewer.user, service, limit];
    let within = viewer.only("o.id", &mut values);
    let sql = format!(
        "select o.handle, o.name, b.id, b.mode, b.state from memberships m
         join subscriptions b on b.organization_id = m.organization_id and b.service_id = $2
         join organizations o on o.id = m.organization_id and o.deleted_at is null
         where m.user_id = $1 and b.state in ('requested', 'provisioning', 'active', 'suspended', 'ending'){within}
         order by o.name, b.id limit $3"
    );
    let rows = conn.fetch_all(&sql, &values).await?;
    rows.iter()
        .map(|row| {
            Ok(Subscribed {
                organization_handle: row.get(0)?,
                organization_name: row.get(1)?,
                subscription: row.get(2)?,
                mode: row.parse(3)?,
                state: row.parse(4)?,
            })
        })
        .collect()
}
