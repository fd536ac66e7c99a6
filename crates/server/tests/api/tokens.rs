//! Personal tokens.

use serde_json::{Value, json};
use stoa_domain::time::{DAY, HOUR};
use stoa_testkit::api_tests;

api_tests! {
    async fn a_token_is_shown_once_opens_the_api_and_closes_when_revoked(app: &TestApp) {
        let ada = app.person("ada").await;
        let made = ada.post("/api/v1/me/tokens", json!({"name": "deploy"})).await.expect(201);
        let secret = made["secret"].as_str().unwrap();
        assert!(secret.starts_with("stoa_pat_"));
        let other = app.anonymous().with_token(secret);
        assert_eq!(other.get("/api/v1/me").await.expect(200)["email"], "ada@people.example");

        let listed = ada.get("/api/v1/me/tokens").await.expect(200);
        assert_eq!(listed["items"][1]["name"], "deploy");
        assert_eq!(listed["items"][1]["last_used_at"], "2026-03-10T12:00:00.001000Z");
        assert!(!listed.to_string().contains(secret));

        let id = made["id"].as_str().unwrap();
        ada.delete(&format!("/api/v1/me/tokens/{id}")).await.expect(204);
        other.get("/api/v1/me").await.expect_problem(401, "unauthenticated");
        ada.delete(&format!("/api/v1/me/tokens/{id}")).await.expect_problem(404, "not_found");
    }

    async fn a_token_ends_and_then_says_so(app: &TestApp) {
        let ada = app.person("ada").await;
        let made = ada.post("/api/v1/me/tokens", json!({"name": "usual"})).await.expect(201);
        assert_eq!(made["expires_at"], "2026-06-08T12:00:00.001000Z");
        assert_eq!(made["organizations"], Value::Null);
        let day = ada.post("/api/v1/me/tokens", json!({"name": "day", "expires_in_days": 1})).await.expect(201);
        let until = json!({"name": "until", "expires_at": "2026-03-10T13:00:00Z"});
        let until = ada.post("/api/v1/me/tokens", until).await.expect(201);
        let with = |made: &Value| app.anonymous().with_token(made["secret"].as_str().unwrap());
        with(&until).get("/api/v1/me").await.expect(200);
        app.clock.advance(HOUR);
        let told = with(&until).get("/api/v1/me").await;
        assert!(told.header("www-authenticate").contains("invalid_token"));
        let told = told.expect_problem(401, "token_expired");
        assert!(told["detail"].as_str().unwrap().contains("2026-03-10T13:00:00.000000Z"), "{told}");
        with(&day).get("/api/v1/me").await.expect(200);
        app.clock.advance(DAY);
        with(&day).get("/api/v1/me").await.expect_problem(401, "token_expired");
        with(&made).get("/api/v1/me").await.expect(200);
        for wrong in [
            json!({"name": "x", "expires_in_days": 0}),
            json!({"name": "x", "expires_in_days": 366}),
            json!({"name": "x", "expires_at": "2020-01-01T00:00:00Z"}),
            json!({"name": "x", "expires_at": "2027-12-01T00:00:00Z"}),
            json!({"name": "x", "expires_in_days": 3, "expires_at": "2026-06-01T00:00:00Z"}),
            json!({"name": "x", "organizations": []}),
            json!({"name": "x", "organizations": ["nowhere"]}),
        ] {
            ada.post("/api/v1/me/tokens", wrong).await.expect_problem(422, "invalid");
        }
    }

    async fn for_a_limited_token_other_organizations_do_not_exist(app: &TestApp) {
        let (ada, eve) = (app.person("ada").await, app.person("eve").await);
        for name in ["Grid Works", "Water Works"] {
            ada.post("/api/v1/organizations", json!({"name": name})).await.expect(201);
        }
        eve.post("/api/v1/organizations", json!({"name": "Strangers"})).await.expect(201);
        let project = json!({"name": "North"});
        let north = ada.post("/api/v1/organizations/water-works/projects", project).await.expect(201)["id"].as_str().unwrap().to_owned();
        let mut applications = Vec::new();
        for owner in [json!({"name": "G", "organization": "grid-works"}), json!({"name": "W", "organization": "water-works"}), json!({"name": "Own"})] {
            applications.push(ada.post("/api/v1/applications", owner).await.expect(201)["id"].as_str().unwrap().to_owned());
        }
        ada.post("/api/v1/me/tokens", json!({"name": "x", "organizations": ["strangers"]})).await.expect_problem(422, "invalid");
        let made = ada.post("/api/v1/me/tokens", json!({"name": "grid only", "organizations": ["grid-works"]})).await.expect(201);
        assert_eq!(made["organizations"][0]["handle"], "grid-works");
        let limited = app.anonymous().with_token(made["secret"].as_str().unwrap());
        limited.get("/api/v1/me").await.expect(200);
        limited.get("/api/v1/organizations/grid-works").await.expect(200);
        for hidden in ["", "/members", "/projects", "/projects/north", "/services", "/subscriptions", "/requests", "/events", "/costs", "/grants"] {
            limited.get(&format!("/api/v1/organizations/water-works{hidden}")).await.expect_problem(404, "not_found");
        }
        let names = |list: Value| list["items"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        assert_eq!(names(limited.get("/api/v1/organizations").await.expect(200)), ["Grid Works"]);
        assert_eq!(names(limited.get("/api/v1/applications").await.expect(200)), ["G"]);
        for hidden in &applications[1..] {
            limited.get(&format!("/api/v1/applications/{hidden}")).await.expect_problem(404, "not_found");
        }
        let path = format!("/gateway/authorize?project={north}&permission=resources:read");
        assert_eq!(ada.get(&path).await.status, 200);
        assert_eq!(limited.get(&path).await.status, 403);
        let question = |subject: Value| json!({"subject": subject, "action": {"name": "resources:read"}, "resource": {"type": "project", "id": north}});
        let by_token = question(json!({"type": "token", "id": made["secret"]}));
        assert_eq!(ada.post("/access/v1/evaluation", by_token).await.expect(200)["decision"], false);
        let about_me = question(json!({"type": "user", "id": ada.id()}));
        assert_eq!(ada.post("/access/v1/evaluation", about_me.clone()).await.expect(200)["decision"], true);
        assert_eq!(limited.post("/access/v1/evaluation", about_me).await.expect(200)["decision"], false);
    }

    async fn a_limited_token_does_not_speak_for_the_person_as_a_whole_nor_beyond_the_role(app: &TestApp) {
        let (ada, ben) = (app.person("ada").await, app.person("ben").await);
        ada.post("/api/v1/organizations", json!({"name": "Grid Works"})).await.expect(201);
        let members = json!({"members": [{"email": "ben@people.example", "role": "viewer"}]});
        ada.post("/api/v1/organizations/grid-works/members", members).await.expect(200);
        let made = ben.post("/api/v1/me/tokens", json!({"name": "x", "organizations": ["grid-works"]})).await.expect(201);
        let limited = app.anonymous().with_token(made["secret"].as_str().unwrap());
        limited.post("/api/v1/organizations/grid-works/projects", json!({"name": "North"})).await.expect_problem(403, "forbidden");
        limited.post("/api/v1/me/tokens", json!({"name": "wider"})).await.expect_problem(403, "forbidden");
        limited.post("/api/v1/organizations", json!({"name": "New"})).await.expect_problem(403, "forbidden");
        limited.post("/api/v1/applications", json!({"name": "Own"})).await.expect_problem(403, "forbidden");
        limited.get("/api/v1/me/sessions").await.expect_problem(403, "forbidden");
        let path = format!("/api/v1/organizations/grid-works/members/{}", ben.id());
        ada.delete(&path).await.expect(204);
        limited.get("/api/v1/organizations/grid-works").await.expect_problem(404, "not_found");
    }

    async fn the_inbox_of_a_limited_token_shows_its_organizations_only(app: &TestApp) {
        let (ada, ben) = (app.person("ada").await, app.person("ben").await);
        let mut requests = Vec::new();
        for name in ["Grid Works", "Water Works"] {
            let org = ada.post("/api/v1/organizations", json!({"name": name})).await.expect(201)["handle"].as_str().unwrap().to_owned();
            let members = json!({"members": [{"email": "ben@people.example", "role": "editor"}]});
            ada.post(&format!("/api/v1/organizations/{org}/members"), members).await.expect(200);
            let application = ada.post("/api/v1/applications", json!({"name": "A", "organization": org})).await.expect(201)["id"].clone();
            let contract = json!({"level": "organization", "permissions": ["resources:read"], "plans": [{"name": "Basic", "currency": "EUR"}]});
            let new = json!({"application": application, "name": name, "summary": "S", "description": "D", "categories": ["energy"],
                "visibility": "public", "contract": contract});
            let service = ada.post(&format!("/api/v1/organizations/{org}/services"), new).await.expect(201)["id"].as_str().unwrap().to_owned();
            let asked = ben.post(&format!("/api/v1/services/{service}/publish"), json!({})).await;
            assert_eq!(asked.status, 202, "{asked:?}");
            requests.push(org);
        }
        let made = ada.post("/api/v1/me/tokens", json!({"name": "x", "organizations": ["grid-works"]})).await.expect(201);
        let limited = app.anonymous().with_token(made["secret"].as_str().unwrap());
        let count = |list: Value| list["items"].as_array().unwrap().len();
        let path = "/api/v1/requests?as=approver&state=open";
        assert_eq!(count(ada.get(path).await.expect(200)), 2);
        let seen = limited.get(path).await.expect(200);
        assert_eq!(seen["items"].as_array().unwrap().len(), 1, "{seen}");
        let all = ada.get(path).await.expect(200);
        let hidden = all["items"].as_array().unwrap().iter().find(|one| one["id"] != seen["items"][0]["id"]).unwrap()["id"].as_str().unwrap().to_owned();
        limited.get(&format!("/api/v1/requests/{hidden}")).await.expect_problem(404, "not_found");
        limited.post(&format!("/api/v1/requests/{hidden}/approve"), json!({})).await.expect_problem(404, "not_found");
    }

    async fn nobody_revokes_another_persons_token_or_presents_a_wrong_one(app: &TestApp) {
        let ada = app.person("ada").await;
        let ben = app.person("ben").await;
        let made = ada.post("/api/v1/me/tokens", json!({"name": "deploy"})).await.expect(201);
        ben.delete(&format!("/api/v1/me/tokens/{}", made["id"].as_str().unwrap())).await.expect_problem(404, "not_found");
        ada.post("/api/v1/me/tokens", json!({"name": ""})).await.expect_problem(422, "invalid");
        for wrong in ["stoa_pat_0000", "Ünïcode", ""] {
            let answer = app.anonymous().with_token(wrong).get("/api/v1/me").await;
            assert!(answer.header("www-authenticate").starts_with("Bearer"));
            answer.expect_problem(401, "unauthenticated");
        }
    }
}
