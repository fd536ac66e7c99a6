//! The marketplace: what is searched, how it is found, in which order, and how many of each there are.
//!
//! One of the few places that ask which engine runs: SQLite searches with FTS5, PostgreSQL with a `tsvector`. Only
//! [`hits`] and the upkeep of the searched texts differ; every other part of a statement is the same.

use stoa_domain::{
    contracts::PriceHint,
    ids::{OrganizationId, ServiceId, SubscriptionId},
    marketplace::{Place, Search, Sort, folded},
    organizations::Organization,
    services::{Contract, Level, Service},
    subscriptions::{Mode, SubscriptionState},
};

use crate::{
    Conn, Engine, Row, StoreError, Tx, Value, Viewer, params,
    services::{self, COLUMNS, CONTRACT, CONTRACT_WIDTH, WIDTH},
    values,
};

/// The most values of one facet.
const MOST_VALUES: i64 = 100;

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

/// The filter that a facet is not counted with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Without {
    Nothing,
    Category,
    Level,
    Provider,
}

/// Tables, conditions and bind values of a search.
struct Found {
    tables: String,
    conditions: String,
    values: Vec<Value>,
}

impl Found {
    fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    fn only(&mut self, condition: &str) {
        self.conditions.push_str(" and ");
        self.conditions.push_str(condition);
    }
}

/// What somebody may see of a search: published services that are public or subscribed on request, and the private ones
/// of one's own organizations.
fn found(engine: Engine, viewer: &Viewer, search: &Search, without: Without) -> Found {
    let mut found = Found {
        tables: "services s
             join organizations o on o.id = s.organization_id and o.deleted_at is null and o.suspended_at is null
             join contracts c on c.organization_id = s.organization_id and c.id = s.contract_id"
            .to_owned(),
        conditions: "s.state = 'published'".to_owned(),
        values: Vec::new(),
    };
    let user = found.bind(viewer.user);
    let within = viewer.only("organization_id", &mut found.values);
    found.only(&format!(
        "(s.visibility in ('public', 'on_request')
          or s.organization_id in (select organization_id from memberships where user_id = {user}{within}))"
    ));
    if !search.words.is_empty() {
        let hits = hits(engine, &search.words, &mut found);
        found.tables.push_str(&format!(" join ({hits}) h on h.service_id = s.id"));
    }
    if let Some(category) = search.category.as_ref().filter(|_| without != Without::Category) {
        let category = found.bind(category.to_lowercase());
        found.only(&format!("exists (select 1 from service_categories k where k.category = {category} and k.service_id = s.id)"));
    }
    if let Some(level) = search.level.filter(|_| without != Without::Level) {
        let level = found.bind(level.word());
        found.only(&format!("c.level = {level}"));
    }
    if let Some(provider) = search.provider.as_ref().filter(|_| without != Without::Provider) {
        let provider = found.bind(provider);
        found.only(&format!("o.handle = {provider}"));
    }
    found
}

/// The services that have all words (or words that begin with them), each with its rank: those of just that name first,
/// then those that have all words in their name, then as the engine ranks them, where provider and categories weigh more
/// than the summary and the summary more than the description.
fn hits(engine: Engine, words: &[String], found: &mut Found) -> String {
    let name = found.bind(words.join(" "));
    match engine {
        Engine::Sqlite => {
            let all: Vec<String> = words.iter().map(|word| format!("\"{word}\"*")).collect();
            let all = all.join(" AND ");
            let (named, all) = (found.bind(format!("name : ({all})")), found.bind(all));
            format!(
                "select r.service_id, cast(-bm25(service_search, 10.0, 4.0, 4.0, 2.0, 1.0) * 1000000000 as integer)
                   + case when service_search.name = {name} then 2000000000000000
                          when service_search.rowid in (select rowid from service_search where service_search match {named})
                          then 1000000000000000 else 0 end as rank
                 from service_search join service_search_rows r on r.number = service_search.rowid
                 where service_search match {all}"
            )
        }
        Engine::Postgres => {
            let with = |mark: &str| words.iter().map(|word| format!("'{word}':*{mark}")).collect::<Vec<_>>().join(" & ");
            let (named, all) = (found.bind(with("A")), found.bind(with("")));
            format!(
                "select x.service_id, cast(ts_rank('{{0.1, 0.2, 0.4, 1.0}}', x.document, q.q) * 1000000000 as bigint)
                   + case when x.name = {name} then 2000000000000000
                          when x.document @@ to_tsquery('simple', {named}) then 1000000000000000 else 0 end as rank
                 from service_search x cross join to_tsquery('simple', {all}) as q (q) where x.document @@ q.q"
            )
        }
    }
}

/// A page of a search; `after` is the place of the last service of the page before, in the same order.
///
/// # Errors
/// Those of the database.
pub async fn page(
    conn: &mut Conn,
    viewer: &Viewer,
    search: &Search,
    after: Option<&Place>,
    limit: i64,
) -> Result<Vec<ListedService>, StoreError> {
    let mut found = found(conn.engine(), viewer, search, Without::Nothing);
    let (key, turn) = match search.order() {
        Sort::Relevance => ("h.rank", "desc"),
        Sort::Name => ("s.name_key", "asc"),
        Sort::Newest => ("s.published_at", "desc"),
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
    let sql = format!(
        "select {COLUMNS}, {CONTRACT}, c.price_hint, o.handle, o.name, {key} from {} where {} order by {key} {turn}, s.id {turn} limit {limit}",
        found.tables, found.conditions
    );
    conn.fetch_all(&sql, &found.values).await?.iter().map(|row| listed(row, search.order())).collect()
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

/// The facets of a search, in three statements.
///
/// # Errors
/// Those of the database.
pub async fn facets(conn: &mut Conn, viewer: &Viewer, search: &Search) -> Result<Facets, StoreError> {
    let engine = conn.engine();
    let counted = |what: &str, join: &str, without: Without| {
        let mut found = found(engine, viewer, search, without);
        let most = found.bind(MOST_VALUES);
        let sql = format!(
            "select {what}, count(*) from {} {join} where {} group by {what} order by count(*) desc, {what} limit {most}",
            found.tables, found.conditions
        );
        (sql, found.values)
    };
    let (sql, values) = counted(
        "f.category",
        "join service_categories f on f.organization_id = s.organization_id and f.service_id = s.id",
        Without::Category,
    );
    let categories = conn.fetch_all(&sql, &values).await?;
    let (sql, values) = counted("c.level", "", Without::Level);
    let levels = conn.fetch_all(&sql, &values).await?;
    let (sql, values) = counted("o.handle, o.name", "", Without::Provider);
    let providers = conn.fetch_all(&sql, &values).await?;
    Ok(Facets {
        categories: categories.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Result<_, StoreError>>()?,
        levels: levels.iter().map(|row| Ok((row.parse(0)?, row.get(1)?))).collect::<Result<_, StoreError>>()?,
        providers: providers.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).collect::<Result<_, StoreError>>()?,
    })
}

/// Writes anew what is searched of a service.
///
/// # Errors
/// Those of the database.
pub async fn index(tx: &mut Tx, service: &Service, provider: &Organization) -> Result<(), StoreError> {
    let categories: Vec<&str> = service.categories.iter().map(String::as_str).collect();
    let texts = params![
        service.id,
        services::name_key(service),
        folded(&[&provider.name, &provider.handle]),
        folded(&categories),
        folded(&[&service.summary, &service.handle]),
        folded(&[&service.description]),
    ]
    .to_vec();
    match tx.engine() {
        Engine::Sqlite => {
            tx.execute("insert into service_search_rows (service_id) values ($1) on conflict do nothing", params![service.id]).await?;
            let of_service = "(select number from service_search_rows where service_id = $1)";
            tx.execute(&format!("delete from service_search where rowid = {of_service}"), params![service.id]).await?;
            let sql = format!(
                "insert into service_search (rowid, name, provider, categories, summary, description) values ({of_service}, $2, $3, $4, $5, $6)"
            );
            tx.execute(&sql, &texts).await?;
        }
        Engine::Postgres => {
            tx.execute(
                "insert into service_search (service_id, name, provider, categories, summary, description) values ($1, $2, $3, $4, $5, $6)
                 on conflict (service_id) do update set name = excluded.name, provider = excluded.provider,
                   categories = excluded.categories, summary = excluded.summary, description = excluded.description",
                &texts,
            )
            .await?;
        }
    }
    Ok(())
}

/// Writes anew under which name the services of a provider are found.
///
/// # Errors
/// Those of the database.
pub async fn index_provider(tx: &mut Tx, provider: &Organization) -> Result<(), StoreError> {
    let sql = match tx.engine() {
        Engine::Sqlite => {
            "update service_search set provider = $2 where rowid in (select r.number from service_search_rows r
             join services s on s.id = r.service_id where s.organization_id = $1)"
        }
        Engine::Postgres => {
            "update service_search set provider = $2 where service_id in (select id from services where organization_id = $1)"
        }
    };
    tx.execute(sql, params![provider.id, folded(&[&provider.name, &provider.handle])]).await?;
    Ok(())
}

/// Removes what is searched of up to so many services of a provider; answers of how many.
///
/// # Errors
/// Those of the database.
pub async fn unindex_some(tx: &mut Tx, provider: OrganizationId, limit: i64) -> Result<u64, StoreError> {
    match tx.engine() {
        Engine::Sqlite => {
            let some = "(select r.number from service_search_rows r join services s on s.id = r.service_id
                         where s.organization_id = $1 order by r.number limit $2)";
            tx.execute(&format!("delete from service_search where rowid in {some}"), params![provider, limit]).await?;
            tx.execute(&format!("delete from service_search_rows where number in {some}"), params![provider, limit]).await
        }
        Engine::Postgres => {
            let sql = "delete from service_search where service_id in
                         (select x.service_id from service_search x join services s on s.id = x.service_id
                          where s.organization_id = $1 limit $2)";
            tx.execute(sql, params![provider, limit]).await
        }
    }
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
