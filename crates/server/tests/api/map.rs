//! The map: which service runs on which project's data, now and at any time.

use serde_json::{Value, json};
use stoa_testkit::api_tests;

use crate::{
    replay::{mapped, replay},
    trade::Trade,
};

fn pairs(page: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value["name"].as_str().unwrap().to_owned();
    let mut pairs: Vec<_> = page["items"].as_array().unwrap().iter().map(|line| (text(&line["service"]), text(&line["project"]))).collect();
    pairs.sort();
    pairs
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(service, project)| ((*service).to_owned(), (*project).to_owned())).collect()
}

api_tests! {
    async fn the_map_tells_service_project_permissions_since_and_approval_at_any_time(app: &TestApp) {
        let trade = Trade::new(app).await;
        let (one, two) = (trade.service("One", "public").await, trade.service("Two", "public").await);
        let first = trade.active(&one, json!({"mode": "selected", "projects": ["north", "south"]})).await;
        trade.active(&two, json!({"mode": "selected", "projects": ["north"]})).await;
        let path = "/api/v1/organizations/grid/grants";
        let page = trade.vic.get(path).await.expect(200);
        assert_eq!(pairs(&page), owned(&[("One", "North"), ("One", "South"), ("Two", "North")]));
        // Ids of the same instant are in no order.
        let line = page["items"].as_array().unwrap().iter().find(|line| line["subscription"] == first).unwrap();
        assert_eq!(line["permissions"], json!(["resources:read"]));
        assert_eq!((line["state"].as_str(), line["approved_by"]["name"].as_str()), (Some("active"), Some("mia")));
        assert!(line["since"].as_str().unwrap().starts_with("2026-03-10T12:00:0"), "{line}");

        app.clock.set("2026-04-01T00:00:00Z");
        trade.choose(&trade.mia, &first, json!({"mode": "selected", "projects": ["south"]})).await.expect(200);
        app.clock.set("2026-05-01T00:00:00Z");
        trade.mia.delete("/api/v1/organizations/grid/projects/south").await.expect(204);
        app.clock.set("2026-06-01T00:00:00Z");
        trade.cancel(&trade.mia, &first).await.expect(200);
        let at = |time: &'static str| { let vic = trade.vic.clone(); async move { pairs(&vic.get(&format!("{path}?at={time}")).await.expect(200)) } };
        assert_eq!(at("2026-03-09T00:00:00Z").await, []);
        assert_eq!(at("2026-03-31T23:59:59Z").await, owned(&[("One", "North"), ("One", "South"), ("Two", "North")]));
        assert_eq!(at("2026-04-01T00:00:00Z").await, owned(&[("One", "South"), ("Two", "North")]));
        assert_eq!(at("2026-05-01T00:00:00Z").await, owned(&[("Two", "North")]));
        let past = trade.vic.get(&format!("{path}?at=2026-04-02T00:00:00Z&service=one")).await.expect(200);
        assert_eq!((past["items"][0]["state"].as_str(), past["items"][0]["project"]["name"].as_str()), (Some("active"), Some("South")));
    }

    async fn the_map_is_filtered_and_paged(app: &TestApp) {
        let trade = Trade::new(app).await;
        let (one, two) = (trade.service("One", "public").await, trade.service("Two", "public").await);
        trade.active(&one, json!({"mode": "all"})).await;
        trade.active(&two, json!({"mode": "all"})).await;
        let path = "/api/v1/organizations/grid/grants";
        let only = trade.vic.get(&format!("{path}?service=two&project=north")).await.expect(200);
        assert_eq!(pairs(&only), owned(&[("Two", "North")]));
        assert_eq!(trade.vic.get(&format!("{path}?service={one}")).await.expect(200)["items"].as_array().unwrap().len(), 3);
        assert_eq!(trade.vic.get(&format!("{path}?service=unknown")).await.expect(200)["items"], json!([]));
        assert_eq!(trade.vic.get(&format!("{path}?project=unknown")).await.expect(200)["items"], json!([]));
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = trade.vic.get(&format!("{path}?limit=4&cursor={cursor}")).await.expect(200);
            seen.extend(pairs(&page));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        seen.sort();
        assert_eq!(seen, pairs(&trade.vic.get(path).await.expect(200)));
        let read = trade.vic.get(&format!("{path}?provider=borealis&permission=resources:read&state=active&limit=200")).await.expect(200);
        assert_eq!(pairs(&read).len(), 6);
        for nothing in ["permission=resources:write", "state=suspended", "state=requested", "provider=grid", "provider=unknown"] {
            assert_eq!(trade.vic.get(&format!("{path}?{nothing}")).await.expect(200)["items"], json!([]), "{nothing}");
        }
        let problem = trade.vic.get(&format!("{path}?at=yesterday&permission=all&state=odd")).await.expect_problem(422, "invalid");
        let pointers: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
        assert_eq!(pointers, ["/at", "/permission", "/state"]);
        trade.sam.get(path).await.expect_problem(404, "not_found");
        app.anonymous().get(path).await.expect_problem(401, "unauthenticated");
    }

    async fn the_map_as_csv_and_with_costs_says_the_same(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.draft("=Forecast", "public", "organization", &["Basic"]).await;
        let plans = json!([{"name": "Basic", "currency": "EUR", "monthly": "10", "monthly_per_project": "3.1"}]);
        let contract = json!({"level": "organization", "permissions": ["resources:read", "resources:write"], "plans": plans});
        trade.pia.post(&format!("/api/v1/services/{service}/contracts"), contract).await.expect(201);
        trade.pia.post(&format!("/api/v1/services/{service}/publish"), json!({})).await.expect(200);
        let details = json!([{"project": "north", "purpose": "winter, mostly", "until": "2026-06-30"}]);
        trade.active(&service, json!({"mode": "selected", "projects": ["north", "south"], "details": details})).await;
        let path = "/api/v1/organizations/grid/grants";
        let page = trade.vic.get(path).await.expect(200);
        let north = page["items"].as_array().unwrap().iter().find(|line| line["project"]["handle"] == "north").unwrap();
        assert_eq!(north["costs"], json!([{"amount": "0.1", "currency": "EUR"}]), "the day's part of the fee for the project");
        assert_eq!((north["purpose"].as_str(), north["provider"]["handle"].as_str()), (Some("winter, mostly"), Some("borealis")));
        let answer = trade.vic.get(&format!("{path}?format=csv")).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "text/csv; charset=utf-8"));
        assert!(answer.header("content-disposition").contains("map-grid-2026-03-10.csv"));
        let text = answer.text();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
        let records: Vec<Vec<String>> = reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect();
        let cell = |record: &[String], name: &str| record[header.iter().position(|one| one == name).unwrap()].clone();
        assert_eq!(records.len(), 2);
        let record = records.iter().find(|record| cell(record, "project") == "north").unwrap();
        for (name, value) in [("service_name", "'=Forecast"), ("permissions", "resources:read resources:write"), ("state", "active"),
            ("purpose", "winter, mostly"), ("until", "2026-07-01T00:00:00.000000Z"), ("cost", "0.1"), ("currency", "EUR"), ("approved_by", "mia")] {
            assert_eq!(cell(record, name), value, "{name}");
        }
        let accepted = trade.vic.send(trade.vic.request(reqwest::Method::GET, path).header("accept", "text/csv")).await;
        assert_eq!(accepted.text(), text);
        trade.vic.get(&format!("{path}?format=xlsx")).await.expect_problem(422, "invalid");
    }

    async fn the_map_at_any_past_time_is_the_log_replayed_to_it(app: &TestApp) {
        let trade = Trade::new(app).await;
        let subscriptions = "/api/v1/organizations/grid/subscriptions";
        let verb = async |id: &str, verb: &str, body: Value| trade.mia.post(&format!("{subscriptions}/{id}/{verb}"), body).await.expect(200);
        let mut times = vec!["2026-03-10T12:00:00Z".to_owned()];
        let mut later = |days: i64| {
            app.clock.advance(days * 24 * 3_600_000_000);
            times.push(app.stoa.clock.now().to_string());
        };
        let (one, two) = (trade.service("One", "public").await, trade.service("Two", "public").await);
        later(1);
        let first = trade.active(&one, json!({"mode": "all", "include_future": "yes"})).await;
        later(1);
        let details = json!([{"project": "north", "until": "2026-03-20"}]);
        let second = trade.active(&two, json!({"mode": "selected", "projects": ["north", "south"], "details": details})).await;
        later(1);
        verb(&first, "pause", json!({})).await;
        later(1);
        trade.project("West").await;
        let lock = trade.mia.post("/api/v1/organizations/grid/projects/east/locks", json!({"service": "one"})).await.expect(201);
        later(1);
        verb(&first, "resume", json!({})).await;
        trade.mia.delete(&format!("/api/v1/organizations/grid/projects/east/locks/{}", lock["id"].as_str().unwrap())).await.expect(204);
        later(1);
        verb(&second, "cancel", json!({"when": "period_end"})).await;
        trade.choose(&trade.mia, &first, json!({"mode": "all_except", "projects": ["south"]})).await.expect(200);
        later(6);
        verb(&second, "keep", json!({})).await;
        trade.mia.delete("/api/v1/organizations/grid/projects/south").await.expect(204);
        later(1);
        verb(&second, "cancel", json!({"when": "period_end"})).await;
        verb(&second, "pause", json!({})).await;
        later(20);
        verb(&first, "cancel", json!({})).await;
        later(1);

        let log = trade.mia.get("/api/v1/organizations/grid/events?limit=200").await.expect(200);
        assert_eq!(log["next_cursor"], Value::Null);
        let log = log["items"].as_array().unwrap();
        for at in &times {
            let at = at.parse().unwrap();
            assert_eq!(mapped(&trade.vic, at).await, replay(log, at), "at {at}");
        }
    }
}
