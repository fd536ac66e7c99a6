//! What a search looks through, whom it shows what, and how relevant each hit is.

use stoa_domain::marketplace::{
    Search,
    spelling::{MOST_PHRASES, Reading},
};

use crate::{Engine, Value, Viewer};

/// The texts of a service that are searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fields {
    /// All of them.
    All,
    /// Name, provider and categories.
    Labels,
    /// The name.
    Name,
    /// The provider.
    Provider,
}

/// How many services the search for a provider's name looks at: providers may have many each.
const MOST_OF_PROVIDERS: usize = 5_000;

/// Tables, conditions and bind values of a search.
#[derive(Default)]
pub(super) struct Found {
    pub tables: String,
    pub conditions: String,
    pub values: Vec<Value>,
}

impl Found {
    pub fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    pub fn only(&mut self, condition: &str) {
        self.conditions.push_str(" and ");
        self.conditions.push_str(condition);
    }

    pub fn join(&mut self, hits: &str) {
        self.tables.push_str(&format!(" join ({hits}) h on h.service_id = s.id"));
    }

    /// What somebody may see of the marketplace: published services that are public or subscribed on request, and the
    /// private ones of one's own organizations; nothing of providers that are deleted or suspended.
    pub fn begin(&mut self, viewer: &Viewer) {
        self.tables = "services s".to_owned();
        self.conditions = "s.state = 'published'".to_owned();
        let visible = visible(viewer, &mut self.values);
        self.only(&visible);
        self.only("s.organization_id not in (select id from organizations where deleted_at is not null or suspended_at is not null)");
    }

    /// What the search's filters leave.
    pub fn filter(&mut self, search: &Search) {
        let category = self.of_category(search, "s.id");
        let level = self.of_level(search, "c.level").map(|level| {
            format!("exists (select 1 from contracts c where c.organization_id = s.organization_id and c.id = s.contract_id and {level})")
        });
        let provider = self.of_provider(search, "s.organization_id");
        for condition in [category, level, provider].into_iter().flatten() {
            self.only(&condition);
        }
    }

    pub fn of_category(&mut self, search: &Search, service: &str) -> Option<String> {
        let category = self.bind(search.category.as_ref()?.to_lowercase());
        Some(format!("exists (select 1 from service_categories k where k.category = {category} and k.service_id = {service})"))
    }

    pub fn of_level(&mut self, search: &Search, level: &str) -> Option<String> {
        let wanted = self.bind(search.level?.word());
        Some(format!("{level} = {wanted}"))
    }

    pub fn of_provider(&mut self, search: &Search, organization: &str) -> Option<String> {
        let wanted = self.bind(search.provider.as_ref()?);
        Some(format!("{organization} in (select id from organizations where handle = {wanted})"))
    }
}

/// The services in whose fields all words are, as typed (or with more letters after them) or corrected. Ranked, each has a
/// `tier` (4: all words in the name just so; 3: begun in the name; 2: in name, provider and categories; 1: anywhere), how
/// `long` its name is as it is searched, and the engine's `score`, where provider and categories weigh more than the summary and the summary more than the
/// description.
pub(super) fn hits(engine: Engine, reading: &Reading, fields: Fields, ranked: bool, found: &mut Found) -> String {
    let mut bound = |fields, begun| {
        let query = match engine {
            Engine::Sqlite => fts5(reading, fields, begun),
            Engine::Postgres => tsquery(reading, fields, begun),
        };
        found.bind(query)
    };
    let all = bound(fields, true);
    match (engine, ranked) {
        (Engine::Sqlite, false) => format!(
            "select r.service_id from service_search join service_search_rows r on r.number = service_search.rowid
             where service_search match {all}{}",
            capped(fields)
        ),
        (Engine::Postgres, false) => {
            // A tsvector keeps provider and categories under one weight.
            let provider = match fields {
                Fields::Provider => format!(" and to_tsvector('simple', x.provider) @@ to_tsquery('simple', {})", bound(Fields::All, true)),
                _ => String::new(),
            };
            format!(
                "select x.service_id from service_search x cross join to_tsquery('simple', {all}) as q (q)
                 where x.document @@ q.q{provider}{}",
                capped(fields)
            )
        }
        (Engine::Sqlite, true) => {
            let [just, begun, labels] = [(Fields::Name, false), (Fields::Name, true), (Fields::Labels, true)].map(|(fields, begun)| {
                format!("service_search.rowid in (select rowid from service_search where service_search match {})", bound(fields, begun))
            });
            format!(
                "select r.service_id, cast(-bm25(service_search, 10.0, 4.0, 4.0, 2.0, 1.0) * 1000000 as integer) as score, length(service_search.name) as long,
                   case when {just} then 4 when {begun} then 3 when {labels} then 2 else 1 end as tier
                 from service_search join service_search_rows r on r.number = service_search.rowid
                 where service_search match {all}"
            )
        }
        (Engine::Postgres, true) => {
            let [just, begun, labels] = [(Fields::Name, false), (Fields::Name, true), (Fields::Labels, true)]
                .map(|(fields, begun)| format!("x.document @@ to_tsquery('simple', {})", bound(fields, begun)));
            format!(
                "select x.service_id, cast(ts_rank('{{0.1, 0.2, 0.4, 1.0}}', x.document, q.q) * 1000000000 as bigint) as score, length(x.name) as long,
                   case when {just} then 4 when {begun} then 3 when {labels} then 2 else 1 end as tier
                 from service_search x cross join to_tsquery('simple', {all}) as q (q) where x.document @@ q.q"
            )
        }
    }
}

fn capped(fields: Fields) -> String {
    if fields == Fields::Provider { format!(" limit {MOST_OF_PROVIDERS}") } else { String::new() }
}

/// The condition on which somebody sees a listed service `s`: everybody those that are public or subscribed on request, a
/// private one the members of its provider and of the organizations it is for.
fn visible(viewer: &Viewer, values: &mut Vec<Value>) -> String {
    values.push(viewer.user.into());
    let user = values.len();
    let within = viewer.only("organization_id", values);
    let own = format!("select organization_id from memberships where user_id = ${user}{within}");
    format!(
        "(s.visibility in ('public', 'on_request')
           or s.organization_id in ({own})
           or s.id in (select a.service_id from service_audience a
                       join organizations g on g.id = a.audience_id and g.deleted_at is null where a.audience_id in ({own})))"
    )
}

/// Whether a word is also found where it only begins one. A single letter begins too many.
const fn begins(word: &str) -> bool {
    word.len() > 1
}

/// The words of a reading, combined; each alternative is written by `one`, which is told whether it may go on.
fn combined(reading: &Reading, begun: bool, or: &str, and: &str, one: impl Fn(&str, bool) -> String) -> String {
    let words: Vec<String> = reading
        .words
        .iter()
        .map(|word| {
            let typed = one(&word.typed, begun && begins(&word.typed));
            let corrected = word.corrections.iter().map(|word| one(word, false));
            format!("({})", std::iter::once(typed).chain(corrected).collect::<Vec<_>>().join(or))
        })
        .collect();
    words.join(and)
}

fn fts5(reading: &Reading, fields: Fields, begun: bool) -> String {
    let all = combined(reading, begun, " OR ", " AND ", |word, more| format!("\"{word}\"{}", if more { " *" } else { "" }));
    match fields {
        Fields::All => all,
        Fields::Labels => format!("{{name provider categories}} : ({all})"),
        Fields::Name => format!("name : ({all})"),
        Fields::Provider => format!("provider : ({all})"),
    }
}

fn tsquery(reading: &Reading, fields: Fields, begun: bool) -> String {
    let weights = match fields {
        Fields::All => "",
        Fields::Labels => "AB",
        Fields::Name => "A",
        Fields::Provider => "B",
    };
    combined(reading, begun, " | ", " & ", |word, more| match (more, weights) {
        (false, "") => format!("'{word}'"),
        (true, weights) => format!("'{word}':*{weights}"),
        (false, weights) => format!("'{word}':{weights}"),
    })
}

/// How relevant a hit is, as one number that is the same for each page: first the services of just that name, then those
/// whose name begins with it, then the tiers of [`hits`]. Of names with all words the shorter come first, for more of
/// them is what was looked for; as long as they are searched, so that words written apart come before those written together.
pub(super) fn rank(reading: &Reading, found: &mut Found) -> String {
    let mut phrases = reading.phrases();
    // As many for each search that is corrected, so that the caches of prepared statements keep few texts.
    if let Some(last) = phrases.last().cloned().filter(|_| reading.is_corrected()) {
        phrases.resize(MOST_PHRASES, last);
    }
    let (mut just, mut begins) = (Vec::new(), Vec::new());
    for phrase in phrases {
        begins.push(format!("s.name_key like {}", found.bind(format!("{phrase} %"))));
        just.push(found.bind(phrase));
    }
    let (just, begins) = (just.join(", "), begins.join(" or "));
    format!(
        "(case when s.name_key in ({just}) then 6 when {begins} then 5 else h.tier end * 1000000000000
          + case when h.tier > 2 then 1000000 - h.long else h.score end)"
    )
}
