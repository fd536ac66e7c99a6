//! A catalogue of made-up services, with everything that is searched.

use stoa_domain::{
    ids::{ApplicationId, ContractId, OrganizationId, ServiceId},
    marketplace::{forgiven_words, spelling::spellings},
};
use stoa_store::{Engine, Value, params, values};

use super::{Bulk, id};
use crate::Failure;

/// Services of one provider.
const OF_ONE: usize = 10;
/// Different words there are.
const WORDS: usize = 4_000;
/// Different categories there are.
const CATEGORIES: usize = 40;
/// Words of a name, a summary and a description.
const LENGTHS: [usize; 3] = [3, 8, 25];

/// What is written the same in each contract.
struct Contract {
    permissions: String,
    price_hint: String,
}

impl Bulk {
    /// Adds published services from number `from` to number `to`, ten of each provider. Before, one must be there that was made
    /// over the API.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn catalogue(&self, from: usize, to: usize) -> Result<(), Failure> {
        let row = self.db.read().await?.fetch_one("select permissions, price_hint from contracts limit 1", &[]).await?;
        let contract = Contract { permissions: row.get(0)?, price_hint: row.get(1)? };
        self.catalogue_providers(from / OF_ONE, to.div_ceil(OF_ONE)).await?;
        self.catalogue_services(from, to, &contract).await?;
        self.catalogue_index(from, to).await?;
        self.analyze().await
    }

    async fn catalogue_providers(&self, from: usize, to: usize) -> Result<(), Failure> {
        let now = self.now;
        let head = "insert into organizations (id, handle, name, description, created_at, updated_at)";
        self.insert(head, 6, to - from, |number| {
            let number = from + number;
            let [handle, name] = [provider(number).replace(' ', "-"), provider(number)];
            values![provider_id(self, number), handle, name, "", now, now]
        })
        .await?;
        self.logs(to - from, |number| provider_id(self, from + number)).await?;
        let head = "insert into applications (id, organization_id, name, description, redirect_uris, created_at, updated_at)";
        self.insert(head, 7, to - from, |number| {
            let number = from + number;
            values![application_id(self, number), provider_id(self, number), "Engine", "", "[]", now, now]
        })
        .await
    }

    async fn catalogue_services(&self, from: usize, to: usize, contract: &Contract) -> Result<(), Failure> {
        let head = "insert into services (organization_id, id, handle, application_id, name, name_key, summary, description, categories, \
                    visibility, state, contract_id, created_at, updated_at, published_at)";
        self.insert(head, 15, to - from, |number| {
            let number = from + number;
            let of = number / OF_ONE;
            let [name, summary, description] = texts(number);
            let at = self.now.plus(-(number as i64));
            values![
                provider_id(self, of),
                service_id(self, number),
                format!("catalogue-{number}"),
                application_id(self, of),
                &name,
                &name,
                summary,
                description,
                format!("[\"{}\"]", category(number)),
                "public",
                "published",
                contract_id(self, number),
                at,
                at,
                at
            ]
        })
        .await?;
        let head = "insert into contracts (organization_id, id, service_id, version, level, permissions, price_hint, created_at)";
        self.insert(head, 8, to - from, |number| {
            let number = from + number;
            let level = if number.is_multiple_of(3) { "project" } else { "organization" };
            let provider = provider_id(self, number / OF_ONE);
            let texts = (&contract.permissions, &contract.price_hint);
            values![provider, contract_id(self, number), service_id(self, number), 1_i64, level, texts.0, texts.1, self.now]
        })
        .await?;
        let head = "insert into service_categories (category, service_id, organization_id)";
        self.insert(head, 3, to - from, |number| {
            let number = from + number;
            values![category(number), service_id(self, number), provider_id(self, number / OF_ONE)]
        })
        .await
    }

    /// What the actions write with each service.
    async fn catalogue_index(&self, from: usize, to: usize) -> Result<(), Failure> {
        let indexed = |number: usize| -> [String; 5] {
            let [name, summary, description] = texts(number);
            [name, provider(number / OF_ONE), category(number), summary, description]
        };
        let keyed = |key: Value, number: usize| -> Vec<Value> { std::iter::once(key).chain(indexed(number).map(Value::from)).collect() };
        match self.db.engine() {
            Engine::Sqlite => {
                let first: i64 =
                    self.db.read().await?.fetch_one("select coalesce(max(number), 0) from service_search_rows", &[]).await?.get(0)?;
                let row = |number: usize| first + 1 + number as i64;
                let head = "insert into service_search_rows (number, service_id)";
                self.insert(head, 2, to - from, |number| values![row(number), service_id(self, from + number)]).await?;
                let head = "insert into service_search (rowid, name, provider, categories, summary, description)";
                self.insert(head, 6, to - from, |number| keyed(row(number).into(), from + number)).await?;
            }
            Engine::Postgres => {
                let head = "insert into service_search (service_id, name, provider, categories, summary, description)";
                self.insert(head, 6, to - from, |number| keyed(service_id(self, from + number).into(), from + number)).await?;
            }
        }
        let mut words = std::collections::BTreeSet::new();
        for number in from..to {
            words.extend(forgiven_words(&indexed(number).each_ref().map(String::as_str)));
        }
        let mut tx = self.db.begin().await?;
        let rows: Vec<Vec<Value>> =
            words.iter().flat_map(|word| spellings(word).into_iter().map(move |spelling| values![spelling, word])).collect();
        tx.insert_many("insert into search_spellings (spelling, word)", 2, &rows, "on conflict do nothing").await?;
        // What the API made before is indexed already; its words must not be seen as new ones.
        tx.execute("delete from search_queue", params![]).await?;
        tx.commit().await?;
        Ok(())
    }
}

fn provider_id(bulk: &Bulk, number: usize) -> OrganizationId {
    id(bulk.now, 211, number)
}

fn application_id(bulk: &Bulk, number: usize) -> ApplicationId {
    id(bulk.now, 212, number)
}

fn service_id(bulk: &Bulk, number: usize) -> ServiceId {
    id(bulk.now, 213, number)
}

fn contract_id(bulk: &Bulk, number: usize) -> ContractId {
    id(bulk.now, 214, number)
}

fn provider(number: usize) -> String {
    format!("{} {number}", word(number.wrapping_mul(31) % WORDS))
}

/// The category of a service.
pub fn category(number: usize) -> String {
    word(WORDS + number % CATEGORIES)
}

/// The name of a service, as it is searched.
pub fn name(number: usize) -> String {
    let [name, ..] = texts(number);
    name
}

/// Name, summary and description. Few words are frequent and many are rare, as in texts that people write.
fn texts(number: usize) -> [String; 3] {
    let mut state = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    LENGTHS.map(|length| {
        let words: Vec<String> = (0..length)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let dice = usize::try_from(state >> 40).unwrap_or(0);
                // The square of an even throw: half of all words are of the first quarter.
                let even = dice % WORDS;
                word(even * even / WORDS)
            })
            .collect();
        words.join(" ")
    })
}

/// The word of a number: three or four syllables, different for each.
pub fn word(number: usize) -> String {
    const CONSONANTS: [char; 16] = ['b', 'd', 'f', 'g', 'h', 'k', 'l', 'm', 'n', 'p', 'r', 's', 't', 'v', 'w', 'z'];
    const VOWELS: [char; 5] = ['a', 'e', 'i', 'o', 'u'];
    let mut rest = number.wrapping_mul(7_919) % 512_000;
    let mut word = String::new();
    for _ in 0..3 {
        word.push(CONSONANTS[rest % 16]);
        rest /= 16;
        word.push(VOWELS[rest % 5]);
        rest /= 5;
    }
    word
}
