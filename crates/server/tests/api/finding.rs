//! Finding services although words are mistyped, suggestions while typing, and how well a real catalogue is found.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use stoa_actions::{Caller, jobs, marketplace};
use stoa_domain::marketplace::{SearchInput, words_of};
use stoa_testkit::{Client, Person, TestApp, api_tests};

use crate::{
    catalogue,
    marketplace::{names, search},
    services::{draft, provider, published, service},
};

async fn suggested(client: &Client, typed: &str) -> Vec<(String, String, String)> {
    let request = client.request(reqwest::Method::GET, "/api/v1/marketplace/suggestions").query(&[("q", typed)]);
    let found = client.send(request).await.expect(200);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    found["items"].as_array().unwrap().iter().map(|one| (text(&one["kind"]), text(&one["name"]), text(&one["path"]))).collect()
}

/// How many listed words there are of this spelling.
async fn known(app: &TestApp, spelling: &str) -> i64 {
    let mut conn = app.stoa.db.read().await.unwrap();
    let sql = "select count(*) from search_spellings where spelling = $1";
    conn.fetch_one(sql, stoa_store::params![spelling]).await.unwrap().get(0).unwrap()
}

fn named(name: &str, engine: &str, summary: &str, categories: &[&str]) -> Value {
    let mut body = service(engine, name);
    body["summary"] = json!(summary);
    body["categories"] = json!(categories);
    body
}

/// A catalogue whose services are differently relevant to “forecast”.
async fn forecasts(app: &TestApp) -> Person {
    let ada = app.person("ada").await;
    let (org, engine) = provider(&ada, "Grid").await;
    for (name, summary, category) in [
        ("Mentions", "A forecast somewhere in it", "maps"),
        ("Listed", "It is in a category of that name", "forecast"),
        ("Forecasts of all", "Begins with a longer word", "maps"),
        ("Long name with a forecast in it", "The word is in the name", "maps"),
        ("Load forecast", "The word is in the shorter name", "maps"),
        ("Forecast engine", "The name begins with it", "maps"),
        ("Forecast", "Just that", "maps"),
    ] {
        app.clock.advance(1_000_000);
        published(&ada, &org, &named(name, &engine, summary, &[category])).await;
    }
    ada
}

const BY_RELEVANCE: [&str; 7] =
    ["Forecast", "Forecast engine", "Load forecast", "Long name with a forecast in it", "Forecasts of all", "Listed", "Mentions"];

api_tests! {
    async fn names_come_before_labels_and_labels_before_what_is_only_mentioned(app: &TestApp) {
        let ada = forecasts(app).await;
        assert_eq!(names(&search(&ada, &[("q", "forecast")]).await), BY_RELEVANCE);
        let typo = search(&ada, &[("q", "forcast")]).await;
        assert_eq!(names(&typo)[..4], BY_RELEVANCE[..4], "in the same order where the word was mistyped");
        assert_eq!(typo["corrections"], json!([{"typed": "forcast", "read_as": ["forecast"]}]));
        assert_eq!(typo["total"], 6, "facets and total count what is shown");
        assert_eq!(typo["facets"]["categories"], json!([{"name": "maps", "count": 5}, {"name": "forecast", "count": 1}]));
        let within = search(&ada, &[("q", "forcast"), ("category", "forecast"), ("sort", "name")]).await;
        assert_eq!(names(&within), ["Listed"]);
    }

    async fn one_letter_more_less_other_or_exchanged_is_forgiven_and_what_is_right_left_alone(app: &TestApp) {
        let ada = forecasts(app).await;
        for typed in ["forecastt", "forecat", "forecaxt", "forceast", "orecast", "load forcast", "FORCAST"] {
            let found = search(&ada, &[("q", typed)]).await;
            assert!(names(&found).contains(&"Load forecast"), "{typed}: {found}");
        }
        for typed in ["forecast", "fore", "load forecast", "engine", "forecasts"] {
            assert_eq!(search(&ada, &[("q", typed)]).await["corrections"], json!([]), "{typed}");
        }
        assert_eq!(names(&search(&ada, &[("q", "lod")]).await), [""; 0], "short words are not guessed at");
        assert_eq!(names(&search(&ada, &[("q", "forxxast")]).await), [""; 0]);
    }

    async fn words_written_together_are_found_apart(app: &TestApp) {
        let ada = app.person("ada").await;
        let (org, engine) = provider(&ada, "Grid").await;
        published(&ada, &org, &service(&engine, "SqlManagementClient")).await;
        for typed in ["SqlManagementClient", "sqlmanagementclient", "sql management", "managment client", "SqlManagmentClient"] {
            assert_eq!(names(&search(&ada, &[("q", typed)]).await), ["SqlManagementClient"], "{typed}");
        }
    }

    async fn nothing_is_learned_of_what_is_not_for_everybody(app: &TestApp) {
        let (ada, eve) = (app.person("ada").await, app.person("eve").await);
        let (org, engine) = provider(&ada, "Grid").await;
        // The words of a handle are searched as well and stay.
        let handled = |mut body: Value, handle: &str| {
            body["handle"] = json!(handle);
            body
        };
        let mut secret = handled(named("Zeppelin tracker", &engine, "Follows them", &["airships"]), "one");
        secret["visibility"] = json!("private");
        let secret = published(&ada, &org, &secret).await;
        draft(&ada, &org, &named("Quokka census", &engine, "Counts them", &["marsupials"])).await;
        let open = published(&ada, &org, &handled(named("Harbour cranes", &engine, "Lifts them", &["transport"]), "two")).await;
        let twin = published(&ada, &org, &handled(named("Harbour lights", &engine, "Shows them", &["transport"]), "three")).await;
        for typed in ["zepelin", "zeppelin", "quoka", "airships", "marsupals"] {
            let found = search(&eve, &[("q", typed)]).await;
            assert_eq!((&found["total"], &found["corrections"]), (&json!(0), &json!([])), "{typed}");
            assert_eq!(suggested(&eve, typed).await, []);
        }
        assert_eq!(known(app, "zeppelin").await + known(app, "quokka").await + known(app, "airships").await, 0);
        assert_eq!(names(&search(&ada, &[("q", "zeppelin")]).await), ["Zeppelin tracker"], "its own organization finds it");
        assert_eq!(suggested(&ada, "zepp").await.len(), 1);

        let corrected = json!([{"typed": "harbuor", "read_as": ["harbour"]}]);
        assert_eq!(search(&eve, &[("q", "harbuor")]).await["corrections"], corrected);
        ada.post(&format!("/api/v1/services/{open}/pause"), json!({})).await.expect(200);
        assert_eq!((known(app, "harbour").await, known(app, "cranes").await), (1, 0), "another service has one of the words");
        assert_eq!(search(&eve, &[("q", "crnes")]).await["total"], 0);
        ada.post(&format!("/api/v1/services/{open}/publish"), json!({})).await.expect(200);
        assert_eq!(names(&search(&eve, &[("q", "crnes")]).await), ["Harbour cranes"]);
        ada.patch(&format!("/api/v1/services/{twin}"), json!({"name": "Lanterns", "visibility": "private"})).await.expect(200);
        ada.patch(&format!("/api/v1/services/{open}"), json!({"name": "Wharf winches"})).await.expect(200);
        assert_eq!((known(app, "cranes").await, known(app, "winches").await, known(app, "lanterns").await), (0, 1, 0));
        ada.patch(&format!("/api/v1/services/{secret}"), json!({"visibility": "public"})).await.expect(200);
        assert_eq!(names(&search(&eve, &[("q", "zepelin")]).await), ["Zeppelin tracker"]);

        ada.patch(&format!("/api/v1/organizations/{org}"), json!({"name": "Northern Lines"})).await.expect(200);
        assert_eq!(names(&search(&eve, &[("q", "norhtern winches")]).await), ["Wharf winches"]);
        ada.delete(&format!("/api/v1/organizations/{org}?confirm=Northern%20Lines")).await.expect(204);
        for typed in ["norhtern", "wihnches", "zepelin"] {
            let found = search(&eve, &[("q", typed)]).await;
            assert_eq!((&found["total"], &found["corrections"]), (&json!(0), &json!([])), "{typed}: a deleted provider");
            assert_eq!(suggested(&eve, typed).await, []);
        }
    }

    async fn suggestions_are_services_providers_and_categories_with_their_addresses(app: &TestApp) {
        let ada = forecasts(app).await;
        let (org, engine) = provider(&ada, "Forecasters & Sons").await;
        published(&ada, &org, &named("Other", &engine, "x", &["open-forecasts"])).await;
        let found = suggested(&ada, "foreca").await;
        let of = |kind: &str| found.iter().filter(|one| one.0 == kind).map(|one| (one.1.as_str(), one.2.as_str())).collect::<Vec<_>>();
        assert_eq!(of("service")[0].1, "/marketplace/forecast");
        let services: BTreeSet<_> = of("service").into_iter().map(|one| one.0).collect();
        assert_eq!(services, BY_RELEVANCE[..5].iter().copied().collect());
        assert_eq!(of("provider"), [("Forecasters & Sons", "/marketplace?provider=forecasters-sons")]);
        assert_eq!(of("category"), [("forecast", "/marketplace?category=forecast"), ("open-forecasts", "/marketplace?category=open-forecasts")]);
        assert_eq!(suggested(&ada, "forcast").await[0].1, "Forecast", "mistyped");
        for nothing in ["", "f", "  ", "***", "%", "_____", "nothing like it"] {
            assert_eq!(suggested(&ada, nothing).await, [], "{nothing}");
        }
        ada.get(&format!("/api/v1/marketplace/suggestions?q={}", "x".repeat(201))).await.expect_problem(422, "invalid");
        app.anonymous().get("/api/v1/marketplace/suggestions?q=load").await.expect_problem(401, "unauthenticated");
        let body = named("Suggestions", &engine, "x", &[]);
        let named = draft(&ada, &org, &body).await;
        assert_ne!(named, "suggestions", "the address is taken");
    }

    async fn the_pages_tell_what_was_looked_for_instead(app: &TestApp) {
        forecasts(app).await;
        let eve = app.person_with_password("eve").await;
        let browser = app.signed_in(&eve).await;
        let page = browser.get("/marketplace?q=load+forcast&sort=name").await.text();
        assert!(page.contains("Nothing has “load forcast”"), "{page}");
        assert!(page.contains(r#"<a href="/marketplace?q=load+forecast&#38;sort=name">load forecast</a>"#), "{page}");
        assert!(!browser.get("/marketplace?q=load+forecast").await.text().contains("Nothing has"));
        let part = browser.get("/marketplace/suggestions?q=load").await.text();
        assert!(part.contains(r#"role="option""#) && part.contains(r#"data-href="/marketplace/load-forecast""#), "{part}");
        assert!(!part.contains("<html"));
    }

    async fn services_that_wait_for_it_are_indexed_in_the_background(app: &TestApp) {
        let ada = forecasts(app).await;
        let mut tx = app.stoa.db.begin().await.unwrap();
        tx.execute("delete from search_spellings", &[]).await.unwrap();
        tx.execute("insert into search_queue (organization_id, service_id) select organization_id, id from services", &[]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(search(&ada, &[("q", "forcast")]).await["total"], 0);
        assert_eq!(jobs::tick(&app.stoa, app.stoa.clock.now()).await.unwrap().indexed, 7);
        assert_eq!(search(&ada, &[("q", "forcast")]).await["total"], 6);
        assert_eq!(jobs::tick(&app.stoa, app.stoa.clock.now()).await.unwrap().indexed, 0);
    }

    async fn services_of_a_catalogue_are_found_by_name_by_two_words_and_mistyped(app: &TestApp) {
        let ada = app.person("ada").await;
        let (text, real) = catalogue::file();
        let taken = catalogue::import(app, &ada.user, &text).await;
        let added: usize = taken.iter().map(|one| one.as_ref().unwrap().added).sum();
        assert_eq!(added, if real { 869 } else { 25 });
        let mut tx = app.stoa.db.begin().await.unwrap();
        tx.execute("analyze", &[]).await.unwrap();
        tx.commit().await.unwrap();
        let all: BTreeSet<String> = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["name"].as_str().unwrap().trim().to_owned()).collect();
        let mut tried = Tried::default();
        for name in &all {
            tried.one(app, &ada, name).await;
        }
        tried.judge();
    }
}

/// How often services were found.
#[derive(Default)]
struct Tried {
    names: Share,
    pairs: Share,
    mistyped_names: Share,
    mistyped_pairs: Share,
}

/// How many of those that were looked for were found.
#[derive(Default)]
struct Share {
    of: usize,
    missed: Vec<String>,
}

impl Share {
    fn note(&mut self, found: bool, typed: &str) {
        self.of += 1;
        if !found {
            self.missed.push(typed.to_owned());
        }
    }

    fn at_least(&self, percent: usize, what: &str) {
        let found = self.of - self.missed.len();
        println!("{what}: {found} of {}", self.of);
        assert!(found * 100 >= self.of * percent, "{what}: {found} of {}, missed {:?}", self.of, self.missed);
    }
}

impl Tried {
    async fn one(&mut self, app: &TestApp, who: &Person, name: &str) {
        self.names.note(finds(app, who, name, name, 3).await, name);
        let mut dice = Dice::of(name);
        let words = words_of(name);
        let distinct: Vec<&String> =
            words.iter().enumerate().filter(|(at, word)| !words[..*at].contains(word)).map(|(_, word)| word).collect();
        let pairs: Vec<[&str; 2]> = (0..distinct.len())
            .flat_map(|first| (first + 1..distinct.len()).map(move |second| (first, second)))
            .map(|(first, second)| [distinct[first].as_str(), distinct[second].as_str()])
            .collect();
        for pair in &pairs {
            let typed = pair.join(" ");
            self.pairs.note(finds(app, who, &typed, name, 10).await, &typed);
        }
        if let Some(typed) = dice.mistype(&words) {
            self.mistyped_names.note(finds(app, who, &typed, name, 10).await, &typed);
        }
        let at = dice.below(pairs.len().max(1));
        let long = |pair: &&[&str; 2]| pair.iter().any(|word| word.chars().count() >= 5);
        if let Some(pair) = pairs.iter().cycle().skip(at).take(pairs.len()).find(long)
            && let Some(typed) = dice.mistype(&pair.map(str::to_owned))
        {
            self.mistyped_pairs.note(finds(app, who, &typed, name, 10).await, &typed);
        }
    }

    fn judge(&self) {
        self.names.at_least(100, "found by name among the first three");
        self.pairs.at_least(95, "found by two words among the first ten");
        self.mistyped_names.at_least(90, "found by the mistyped name among the first ten");
        self.mistyped_pairs.at_least(90, "found by two words, one mistyped, among the first ten");
    }
}

async fn finds(app: &TestApp, who: &Person, typed: &str, name: &str, first: i64) -> bool {
    let caller = Caller::user(who.user.clone(), app.stoa.clock.now());
    let input = SearchInput { q: Some(typed.to_owned()), ..SearchInput::default() };
    let mut conn = app.stoa.db.read().await.unwrap();
    let results = marketplace::search(&mut conn, &caller, input, None, first).await.unwrap();
    results.services.iter().any(|listed| listed.service.name == name)
}

/// Numbers that look thrown and are the same in each run.
struct Dice(u64);

impl Dice {
    fn of(text: &str) -> Self {
        Self(text.bytes().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)))
    }

    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    /// The words with one mistake in one that has five letters or more: a letter other, more, less, or exchanged.
    fn mistype(&mut self, words: &[String]) -> Option<String> {
        let long: Vec<usize> = (0..words.len()).filter(|at| words[*at].chars().count() >= 5).collect();
        let at = *long.get(self.below(long.len().max(1)))?;
        let mut letters: Vec<char> = words[at].chars().collect();
        while letters.iter().collect::<String>() == words[at] {
            let place = self.below(letters.len());
            let letter = char::from(b'a' + u8::try_from(self.below(26)).unwrap());
            match self.below(4) {
                0 => letters[place] = letter,
                1 => letters.insert(place, letter),
                2 => drop(letters.remove(place)),
                _ => letters.swap(place, (place + 1).min(words[at].chars().count() - 1)),
            }
        }
        let mut words = words.to_vec();
        words[at] = letters.into_iter().collect();
        Some(words.join(" "))
    }
}
