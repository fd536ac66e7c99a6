//! Taking over a catalogue of services: the sample of the tree, and the real file where `STOA_SHARED_DATA` names it.

use std::path::PathBuf;

use serde_json::json;
use stoa_actions::{
    Act, Caller, Error,
    imports::catalogue::{self, Taken},
};
use stoa_domain::{imports::catalogue::read, users::User};
use stoa_testkit::{TestApp, api_tests};

/// The file, and whether it is the real one.
pub fn file() -> (String, bool) {
    let (path, real) = match std::env::var_os("STOA_SHARED_DATA") {
        Some(folder) => (PathBuf::from(folder).join("catalogue.jsonl"), true),
        None => (PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/api/data/catalogue.jsonl"), false),
    };
    (std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())), real)
}

/// The sample of the tree.
fn sample() -> String {
    include_str!("data/catalogue.jsonl").to_owned()
}

/// Takes each provider over, in an act of its own.
pub async fn import(app: &TestApp, maintainer: &User, text: &str) -> Vec<Result<Taken, Error>> {
    let mut taken = Vec::new();
    for provider in read(text) {
        let provider = provider.expect("a fit provider");
        let mut act = Act::begin(&app.stoa, Caller::user(maintainer.clone(), app.stoa.clock.now())).await.unwrap();
        let one = catalogue::provider(&mut act, &provider).await;
        if one.is_ok() {
            act.commit().await.unwrap();
        }
        taken.push(one);
    }
    taken
}

fn sum(taken: &[Result<Taken, Error>]) -> (usize, usize, usize, usize) {
    let all = taken.iter().map(|one| one.as_ref().unwrap());
    all.fold((0, 0, 0, 0), |sum, one| (sum.0 + usize::from(one.created), sum.1 + one.added, sum.2 + one.changed, sum.3 + one.unchanged))
}

async fn count(app: &TestApp, table: &str) -> i64 {
    let mut conn = app.stoa.db.read().await.unwrap();
    conn.fetch_one(&format!("select count(*) from {table}"), &[]).await.unwrap().get(0).unwrap()
}

api_tests! {
    async fn a_catalogue_is_taken_over_and_a_second_time_changes_nothing(app: &TestApp) {
        let ada = app.person("ada").await;
        let taken = import(app, &ada.user, &sample()).await;
        assert_eq!(sum(&taken), (7, 25, 0, 0));
        let (events, organizations) = (count(app, "events").await, count(app, "organizations").await);
        app.clock.advance(1_000_000);
        let again = import(app, &ada.user, &sample()).await;
        assert_eq!(sum(&again), (0, 0, 0, 25));
        assert!(again.iter().all(|one| one.as_ref().unwrap().is_nothing()));
        assert_eq!((count(app, "events").await, count(app, "organizations").await), (events, organizations));

        let eve = app.person_with_password("eve").await;
        let load = eve.get("/api/v1/marketplace/borealis-example-load").await.expect(200);
        assert_eq!((&load["name"], &load["state"], &load["visibility"]), (&json!("Load Forecast API"), &json!("published"), &json!("public")));
        assert_eq!(load["provider"]["name"], "borealis.example");
        assert_eq!(load["summary"], "Forecasts the load of each feeder for the next 48 hours.");
        assert_eq!(load["contract"]["level"], "organization");
        assert_eq!(load["contract"]["permissions"], json!(["resources:read"]));
        assert_eq!(load["contract"]["terms_url"], "https://borealis.example/terms");
        assert_eq!(load["contract"]["plans"][0]["name"], "Free");
        assert!(load["description"].as_str().unwrap().ends_with("- Version: 1.0\n- Licence: Apache 2.0\n- Contact: <https://borealis.example/contact>"));
        let browser = app.signed_in(&eve).await;
        let page = browser.get("/marketplace/borealis-example-yield").await.text();
        assert!(page.contains("How much the sun will give") && !page.contains("alert(1)"), "what others wrote is cleaned");
        assert_eq!(ada.get("/api/v1/organizations/borealis-example").await.expect(200)["role"], "maintainer");
        eve.get("/api/v1/organizations/borealis-example").await.expect_problem(404, "not_found");
    }

    async fn what_the_file_has_otherwise_is_changed_and_what_is_new_added(app: &TestApp) {
        let ada = app.person("ada").await;
        import(app, &ada.user, &sample()).await;
        ada.post("/api/v1/services/borealis-example-outage/pause", json!({})).await.expect(200);
        let more = json!({"name": "New", "provider": "borealis.example", "service": "new"}).to_string();
        let text = sample().replace("each feeder for", "every feeder for").replace("https://borealis.example/terms", "https://borealis.example/terms-2") + &more;
        app.clock.advance(1_000_000);
        assert_eq!(sum(&import(app, &ada.user, &text).await), (0, 1, 2, 23));
        let load = ada.get("/api/v1/services/borealis-example-load").await.expect(200);
        assert_eq!(load["summary"], "Forecasts the load of every feeder for the next 48 hours.");
        assert_eq!(load["contract"]["version"], 2, "other terms are another contract");
        let outage = ada.get("/api/v1/services/borealis-example-outage").await.expect(200);
        assert_eq!(outage["state"], "paused", "what its provider paused stays so");
        assert_eq!(sum(&import(app, &ada.user, &text).await), (0, 0, 0, 26));
    }

    async fn a_provider_is_taken_over_whole_or_not_at_all(app: &TestApp) {
        let (ada, ben) = (app.person("ada").await, app.person("ben").await);
        ben.post("/api/v1/organizations", json!({"name": "Somebody", "handle": "borealis-example"})).await.expect(201);
        let quay = ben.post("/api/v1/organizations", json!({"name": "quayside.example"})).await.expect(201)["handle"].clone();
        let viewer = json!({"members": [{"email": ada.user.email, "role": "viewer"}]});
        ben.post(&format!("/api/v1/organizations/{}/members", quay.as_str().unwrap()), viewer).await.expect(200);
        // The name of a service is longer than names are, and a handle of the last provider is taken.
        let long = json!({"name": "Paper ".repeat(50), "provider": "paper.example", "service": "x"}).to_string();
        assert!(read(&long)[0].as_ref().unwrap_err().faults[0].to_string().starts_with("line 1, name: this may have at most"));
        let application = ben.post("/api/v1/applications", json!({"name": "E", "organization": quay})).await.expect(201)["id"].clone();
        let body = json!({
            "application": application, "name": "Twin", "handle": "lattice-example-twin", "summary": "x", "description": "", "categories": [],
            "visibility": "public", "contract": {"level": "project", "permissions": ["resources:read"], "plans": [{"name": "A", "currency": "EUR"}]},
        });
        ben.post("/api/v1/organizations/quayside-example/services", body).await.expect(201);

        let taken = import(app, &ada.user, &sample()).await;
        let refused: Vec<_> = taken.iter().filter_map(|one| one.as_ref().err()).map(ToString::to_string).collect();
        assert_eq!(refused.len(), 3, "{refused:?}");
        assert!(refused[0].contains("the handle borealis-example is taken by an organization of which"), "{}", refused[0]);
        assert!(refused[1].contains("is only viewer in it"), "{}", refused[1]);
        assert!(refused[2].starts_with("line 24: another provider has a service under the handle lattice-example-twin"), "{}", refused[2]);
        ada.get("/api/v1/organizations/lattice-example").await.expect_problem(404, "not_found");
        ada.get("/api/v1/services/lattice-example-anomaly").await.expect_problem(404, "not_found");
        ada.get("/api/v1/services/atlas-example-tiles").await.expect(200);
    }
}
