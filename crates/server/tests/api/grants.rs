//! The map: which service runs on which project's data, now and at any time.

use serde_json::{Value, json};
use stoa_testkit::api_tests;

use crate::trade::Trade;

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
        let line = &page["items"][0];
        assert_eq!(line["permissions"], json!(["resources:read"]));
        assert_eq!((line["state"].as_str(), line["approved_by"]["name"].as_str()), (Some("active"), Some("mia")));
        assert!(line["since"].as_str().unwrap().starts_with("2026-03-10T12:00:0"), "{line}");
        assert_eq!(line["subscription"], first);

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
        trade.vic.get(&format!("{path}?at=yesterday")).await.expect_problem(422, "invalid");
        trade.sam.get(path).await.expect_problem(404, "not_found");
        app.anonymous().get(path).await.expect_problem(401, "unauthenticated");
    }
}
