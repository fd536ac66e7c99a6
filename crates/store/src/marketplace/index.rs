//! The upkeep of what is searched, in the transaction of each change: the texts of services, folded to words, and the
//! spellings of the words that everybody may read.

use std::collections::BTreeSet;

use stoa_domain::{
    ids::{OrganizationId, ServiceId},
    marketplace::{folded, forgiven_words, searched_name, spelling::spellings},
    organizations::Organization,
    services::Service,
};

use super::ListedService;
use crate::{
    Engine, Row, StoreError, Tx, params,
    services::{COLUMNS, WIDTH, service},
    values,
};

/// Words that are looked up together.
const TOGETHER: usize = 4_096;

/// A service that everybody may see, as a condition on `s` and its provider `o`.
const SEEN_BY_ALL: &str = "s.state = 'published' and s.visibility <> 'private' and o.deleted_at is null";

/// The searched texts of a service: name, provider, categories, summary, description.
struct Texts([String; 5]);

impl Texts {
    fn new(service: &Service, provider: (&str, &str)) -> Self {
        let categories: Vec<&str> = service.categories.iter().map(String::as_str).collect();
        Self([
            searched_name(&service.name),
            folded(&[provider.0, provider.1]),
            folded(&categories),
            folded(&[&service.summary, &service.handle]),
            folded(&[&service.description]),
        ])
    }

    fn read(row: &Row, from: usize) -> Result<Self, StoreError> {
        Ok(Self([row.get(from)?, row.get(from + 1)?, row.get(from + 2)?, row.get(from + 3)?, row.get(from + 4)?]))
    }

    fn words(&self) -> BTreeSet<String> {
        forgiven_words(&self.0.each_ref().map(String::as_str))
    }
}

/// The id and texts of services, as `x.service_id, x.name, …`; a statement goes on with what is asked of `x`.
const fn indexed(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => {
            "select x.service_id, f.name, f.provider, f.categories, f.summary, f.description
             from service_search_rows x join service_search f on f.rowid = x.number"
        }
        Engine::Postgres => "select x.service_id, x.name, x.provider, x.categories, x.summary, x.description from service_search x",
    }
}

/// The words of a service by which it may be found although they are mistyped.
pub fn words(listed: &ListedService) -> BTreeSet<String> {
    Texts::new(&listed.service, (&listed.provider_name, &listed.provider_handle)).words()
}

async fn texts_of(tx: &mut Tx, service: ServiceId) -> Result<Option<Texts>, StoreError> {
    let sql = format!("{} where x.service_id = $1", indexed(tx.engine()));
    tx.fetch_optional(&sql, params![service]).await?.map(|row| Texts::read(&row, 1)).transpose()
}

/// Writes anew what is searched of a service.
///
/// # Errors
/// Those of the database.
pub async fn index(tx: &mut Tx, service: &Service, provider: &Organization) -> Result<(), StoreError> {
    index_under(tx, service, (&provider.name, &provider.handle)).await
}

async fn index_under(tx: &mut Tx, service: &Service, provider: (&str, &str)) -> Result<(), StoreError> {
    let before = texts_of(tx, service.id).await?.map(|texts| texts.words()).unwrap_or_default();
    let texts = Texts::new(service, provider);
    write(tx, service.id, &texts).await?;
    let words = if service.listed_for_all() { texts.words() } else { BTreeSet::new() };
    learn(tx, &words).await?;
    forget(tx, before.difference(&words)).await
}

async fn write(tx: &mut Tx, service: ServiceId, texts: &Texts) -> Result<(), StoreError> {
    let [name, provider, categories, summary, description] = &texts.0;
    let texts = params![service, name, provider, categories, summary, description].to_vec();
    match tx.engine() {
        Engine::Sqlite => {
            tx.execute("insert into service_search_rows (service_id) values ($1) on conflict do nothing", params![service]).await?;
            let of_service = "(select number from service_search_rows where service_id = $1)";
            tx.execute(&format!("delete from service_search where rowid = {of_service}"), params![service]).await?;
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

/// Takes the words of a service in or out after it moved to another state.
///
/// # Errors
/// Those of the database.
pub async fn relist(tx: &mut Tx, service: &Service) -> Result<(), StoreError> {
    let Some(texts) = texts_of(tx, service.id).await? else { return Ok(()) };
    if service.listed_for_all() { learn(tx, &texts.words()).await } else { forget(tx, &texts.words()).await }
}

/// Keeps words under their spellings, so that they are found although they are mistyped.
async fn learn(tx: &mut Tx, words: &BTreeSet<String>) -> Result<(), StoreError> {
    // In the order of the words, so that two who learn the same ones wait for one another and not in a circle.
    let rows: Vec<_> = words.iter().flat_map(|word| spellings(word).into_iter().map(move |spelling| values![spelling, word])).collect();
    tx.insert_many("insert into search_spellings (spelling, word)", 2, &rows, "on conflict do nothing").await?;
    Ok(())
}

/// Forgets those of the words that no service has any more which everybody may see.
async fn forget(tx: &mut Tx, words: impl IntoIterator<Item = &String>) -> Result<(), StoreError> {
    let has_word = match tx.engine() {
        Engine::Sqlite => {
            "service_search join service_search_rows x on x.number = service_search.rowid
             join services s on s.id = x.service_id join organizations o on o.id = s.organization_id
             where service_search match '\"' || given.word || '\"'"
        }
        Engine::Postgres => {
            "service_search x join services s on s.id = x.service_id join organizations o on o.id = s.organization_id
             where x.document @@ to_tsquery('simple', '''' || given.word || '''')"
        }
    };
    let kept = format!(
        "with given (word) as ({{rows}})
         select distinct given.word from given where exists (select 1 from {has_word} and {SEEN_BY_ALL})"
    );
    let words: Vec<&String> = words.into_iter().collect();
    for words in words.chunks(TOGETHER) {
        let given: Vec<_> = words.iter().map(|word| values![*word]).collect();
        let mut gone: BTreeSet<&str> = words.iter().map(|word| word.as_str()).collect();
        for row in tx.fetch_given(&kept, &given).await? {
            gone.remove(row.get::<String>(0)?.as_str());
        }
        let gone: Vec<_> = gone.into_iter().map(|word| values![word]).collect();
        let forgotten = "with given (word) as ({rows}) delete from search_spellings where word in (select word from given)";
        tx.fetch_given(forgotten, &gone).await?;
    }
    Ok(())
}

/// Writes anew under which name the services of a provider are found.
///
/// # Errors
/// Those of the database.
pub async fn index_provider(tx: &mut Tx, provider: &Organization) -> Result<(), StoreError> {
    let of_provider = "x.service_id in (select id from services where organization_id = $1)";
    let one = format!("{} where {of_provider} limit 1", indexed(tx.engine()));
    let before = tx.fetch_optional(&one, params![provider.id]).await?;
    let before = before.map(|row| row.get::<String>(2)).transpose()?.unwrap_or_default();
    let name = folded(&[&provider.name, &provider.handle]);
    let sql = match tx.engine() {
        Engine::Sqlite => {
            "update service_search set provider = $2 where rowid in (select r.number from service_search_rows r
             join services s on s.id = r.service_id where s.organization_id = $1)"
        }
        Engine::Postgres => {
            "update service_search set provider = $2 where service_id in (select id from services where organization_id = $1)"
        }
    };
    tx.execute(sql, params![provider.id, &name]).await?;
    let seen = format!(
        "select s.id from services s join organizations o on o.id = s.organization_id where s.organization_id = $1 and {SEEN_BY_ALL} limit 1"
    );
    let seen = tx.fetch_optional(&seen, params![provider.id]).await?.is_some();
    let words = if seen { forgiven_words(&[&name]) } else { BTreeSet::new() };
    learn(tx, &words).await?;
    forget(tx, forgiven_words(&[&before]).difference(&words)).await
}

/// Removes what is searched of up to so many services of a provider; answers of how many.
///
/// # Errors
/// Those of the database.
pub async fn unindex_some(tx: &mut Tx, provider: OrganizationId, limit: i64) -> Result<u64, StoreError> {
    let of_provider = "x.service_id in (select id from services where organization_id = $1)";
    let some = format!("{} where {of_provider} limit $2", indexed(tx.engine()));
    let rows = tx.fetch_all(&some, params![provider, limit]).await?;
    let mut words = BTreeSet::new();
    let mut given = Vec::with_capacity(rows.len());
    for row in &rows {
        words.extend(Texts::read(row, 1)?.words());
        given.push(values![row.get::<ServiceId>(0)?]);
    }
    let removed: &[&str] = match tx.engine() {
        Engine::Sqlite => &[
            "delete from service_search where rowid in (select number from service_search_rows where service_id in (select service_id from given))",
            "delete from service_search_rows where service_id in (select service_id from given)",
        ],
        Engine::Postgres => &["delete from service_search where service_id in (select service_id from given)"],
    };
    for statement in removed {
        for given in given.chunks(TOGETHER) {
            tx.fetch_given(&format!("with given (service_id) as ({{rows}}) {statement}"), given).await?;
        }
    }
    forget(tx, &words).await?;
    Ok(rows.len() as u64)
}

/// Indexes up to so many services that wait for it; answers how many there were.
///
/// # Errors
/// Those of the database.
pub async fn index_queued(tx: &mut Tx, limit: i64) -> Result<usize, StoreError> {
    let sql = format!(
        "select {COLUMNS}, o.name, o.handle from search_queue q
         join services s on s.organization_id = q.organization_id and s.id = q.service_id
         join organizations o on o.id = s.organization_id
         order by q.organization_id, q.service_id limit $1"
    );
    let rows = tx.fetch_all(&sql, params![limit]).await?;
    for row in &rows {
        let service = service(row)?;
        index_under(tx, &service, (&row.get::<String>(WIDTH)?, &row.get::<String>(WIDTH + 1)?)).await?;
        tx.execute("delete from search_queue where organization_id = $1 and service_id = $2", params![service.provider, service.id])
            .await?;
    }
    Ok(rows.len())
}
