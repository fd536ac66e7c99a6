//! Organizations: create, read, edit, delete.

use serde_json::json;
use stoa_testkit::api_tests;

api_tests! {
    async fn whoever_creates_an_organization_becomes_its_maintainer(app: &TestApp) {
        let ada = app.person("ada").await;
        let made = ada.post("/api/v1/organizations", json!({"name": "Grid Works", "billing_email": "bills@grid.example"})).await.expect(201);
        assert_eq!(made["handle"], "grid-works");
        assert_eq!(made["role"], "maintainer");

        let listed = ada.get("/api/v1/organizations").await.expect(200);
        assert_eq!(listed["items"][0]["id"], made["id"]);
        assert_eq!(listed["next_cursor"], serde_json::Value::Null);

        let events = ada.get("/api/v1/organizations/grid-works/events").await.expect(200);
        let kinds: Vec<_> = events["items"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["organization.created", "member.added"]);
        assert_eq!(events["items"][0]["sequence"], 1);
        assert_eq!(events["items"][0]["actor"]["id"], json!(ada.id()));
    }

    async fn everything_wrong_with_the_input_is_said_at_once(app: &TestApp) {
        let ada = app.person("ada").await;
        let wrong = json!({"name": "", "handle": "A B", "billing_email": "nowhere"});
        let problem = ada.post("/api/v1/organizations", wrong).await.expect_problem(422, "invalid");
        let pointers: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
        assert_eq!(pointers, ["/name", "/handle", "/billing_email"]);
        ada.send(ada.request(reqwest::Method::POST, "/api/v1/organizations").header("content-type", "application/json").body("{")).await
            .expect_problem(400, "malformed_json");
        ada.post("/api/v1/organizations", json!({"name": 7})).await.expect_problem(422, "invalid");
    }

    async fn a_handle_that_was_asked_for_and_is_taken_is_a_conflict_a_made_one_gets_a_suffix(app: &TestApp) {
        let ada = app.person("ada").await;
        ada.post("/api/v1/organizations", json!({"name": "Grid"})).await.expect(201);
        ada.post("/api/v1/organizations", json!({"name": "Another", "handle": "grid"})).await.expect_problem(409, "handle_taken");
        let second = ada.post("/api/v1/organizations", json!({"name": "Grid"})).await.expect(201);
        assert!(second["handle"].as_str().unwrap().starts_with("grid-"));
    }

    async fn a_deleted_organization_is_gone_at_once_and_takes_its_exact_name(app: &TestApp) {
        let ada = app.person("ada").await;
        ada.post("/api/v1/organizations", json!({"name": "Grid"})).await.expect(201);
        ada.delete("/api/v1/organizations/grid?confirm=grid").await.expect_problem(422, "not_confirmed");
        ada.delete("/api/v1/organizations/grid?confirm=Grid").await.expect(204);
        ada.get("/api/v1/organizations/grid").await.expect_problem(404, "not_found");
        assert_eq!(ada.get("/api/v1/organizations").await.expect(200)["items"], json!([]));
    }

    async fn the_list_is_paged_by_name_without_gaps_or_repeats(app: &TestApp) {
        let ada = app.person("ada").await;
        for name in ["Delta", "Alpha", "Charlie", "Bravo", "Alpha"] {
            ada.post("/api/v1/organizations", json!({"name": name})).await.expect(201);
        }
        let mut names = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = ada.get(&format!("/api/v1/organizations?limit=2&cursor={cursor}")).await.expect(200);
            names.extend(page["items"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        assert_eq!(names, ["Alpha", "Alpha", "Bravo", "Charlie", "Delta"]);
        ada.get("/api/v1/organizations?limit=0").await.expect_problem(422, "invalid");
        ada.get("/api/v1/organizations?cursor=zzz").await.expect_problem(422, "invalid");
    }
}
