//! Services: drafting, editing, publishing, pausing, offering contracts.

use serde_json::{Value, json};
use stoa_testkit::{Person, TestApp, api_tests};

/// An organization of a person with an application.
pub async fn provider(person: &Person, name: &str) -> (String, String) {
    let made = person.post("/api/v1/organizations", json!({"name": name})).await.expect(201);
    let org = made["handle"].as_str().unwrap().to_owned();
    let application = person.post("/api/v1/applications", json!({"name": "Engine", "organization": org})).await.expect(201);
    (org, application["id"].as_str().unwrap().to_owned())
}

/// The body of a new service.
pub fn service(application: &str, name: &str) -> Value {
    json!({
        "application": application, "name": name, "summary": format!("{name} in one line"), "description": "What it **does**.",
        "categories": ["analytics"], "visibility": "public",
        "contract": {
            "level": "organization", "permissions": ["resources:read"], "terms_url": "https://terms.example/v1",
            "plans": [{"name": "Basic", "currency": "EUR", "monthly": "12.50"}],
        },
    })
}

/// Drafts a service and answers its handle.
pub async fn draft(person: &Person, org: &str, body: &Value) -> String {
    let made = person.post(&format!("/api/v1/organizations/{org}/services"), body.clone()).await.expect(201);
    made["handle"].as_str().unwrap().to_owned()
}

/// Drafts and publishes a service and answers its handle.
pub async fn published(person: &Person, org: &str, body: &Value) -> String {
    let handle = draft(person, org, body).await;
    person.post(&format!("/api/v1/services/{handle}/publish"), json!({})).await.expect(200);
    handle
}

async fn member(app: &TestApp, of: &Person, org: &str, role: &str) -> Person {
    let person = app.person(role).await;
    let body = json!({"members": [{"email": person.user.email, "role": role}]});
    of.post(&format!("/api/v1/organizations/{org}/members"), body).await.expect(200);
    person
}

fn pointers(problem: &Value) -> Vec<&str> {
    problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect()
}

api_tests! {
    async fn a_service_is_drafted_edited_published_and_paused(app: &TestApp) {
        let ada = app.person("ada").await;
        let (org, application) = provider(&ada, "Grid Works").await;
        let made = ada.post(&format!("/api/v1/organizations/{org}/services"), service(&application, "Load forecast")).await.expect(201);
        assert_eq!(made["state"], "draft");
        assert_eq!(made["handle"], "load-forecast");
        assert_eq!(made["provider"]["handle"], "grid-works");
        assert_eq!(made["application"], application.as_str());
        assert_eq!(made["contract"]["version"], 1);
        assert_eq!(made["contract"]["permissions"], json!(["resources:read"]));
        assert!(made["contract"]["plans"][0]["id"].as_str().unwrap().starts_with("pln_"));
        assert_eq!(made["contract"]["plans"][0]["monthly"], "12.50");
        assert_eq!(made["published_at"], Value::Null);
        let url = format!("/api/v1/services/{}", made["id"].as_str().unwrap());

        assert_eq!(ada.get(&url).await.expect(200), made);
        app.clock.advance(1_000_000);
        let change = json!({"name": "Load forecast 2", "categories": ["Energy", "energy"], "visibility": "on_request"});
        let changed = ada.patch(&url, change).await.expect(200);
        assert_eq!(changed["name"], "Load forecast 2");
        assert_eq!(changed["summary"], made["summary"]);
        assert_eq!(changed["categories"], json!(["energy"]));
        assert_eq!(changed["visibility"], "on_request");

        ada.post(&format!("{url}/pause"), json!({})).await.expect_problem(409, "wrong_state");
        let live = ada.post(&format!("{url}/publish"), json!({})).await.expect(200);
        assert_eq!(live["state"], "published");
        assert_eq!(live.get("request"), None);
        ada.post(&format!("{url}/publish"), json!({})).await.expect_problem(409, "wrong_state");
        app.clock.advance(1_000_000);
        assert_eq!(ada.post(&format!("{url}/pause"), json!({})).await.expect(200)["state"], "paused");
        let again = ada.send(ada.request(reqwest::Method::POST, &format!("{url}/publish"))).await.expect(200);
        assert_eq!(again["published_at"], live["published_at"], "the first publication counts");

        let log = ada.get(&format!("/api/v1/organizations/{org}/events")).await.expect(200);
        let kinds: Vec<_> = log["items"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect();
        let of_services: Vec<_> = kinds.into_iter().filter(|kind| kind.starts_with("service.")).collect();
        assert_eq!(of_services, ["service.created", "service.updated", "service.published", "service.paused", "service.published"]);
    }

    async fn everything_wrong_with_a_service_is_said_at_once(app: &TestApp) {
        let ada = app.person("ada").await;
        let (org, application) = provider(&ada, "Grid").await;
        let own = ada.post("/api/v1/applications", json!({"name": "Mine"})).await.expect(201)["id"].clone();
        let url = format!("/api/v1/organizations/{org}/services");
        let wrong = json!({
            "application": own, "name": "", "summary": "", "description": "x", "categories": ["a/b"], "visibility": "secret",
            "contract": {"level": "galaxy", "permissions": [], "terms_url": "nowhere", "plans": [{"name": "Basic", "currency": "EUR", "meters": [
                {"name": "a", "unit": "x", "unit_price": "1"}, {"name": "b", "unit": "x", "unit_price": "1"},
                {"name": "c", "unit": "x", "unit_price": "1"}, {"name": "d", "unit": "x", "unit_price": "cheap"}]}]},
        });
        let problem = ada.post(&url, wrong).await.expect_problem(422, "invalid");
        let said = pointers(&problem);
        for pointer in [
            "/application", "/name", "/summary", "/categories/0", "/visibility", "/contract/level", "/contract/permissions",
            "/contract/terms_url", "/contract/plans/0/meters/3/unit_price",
        ] {
            assert!(said.contains(&pointer), "{pointer} is not in {said:?}");
        }
        assert_eq!(said.len(), 9, "{said:?}");
        let problem = ada.post(&url, json!({})).await.expect_problem(422, "invalid");
        assert!(pointers(&problem).contains(&"/contract/plans"), "{problem}");
        let mut other = service(&application, "Load");
        other["application"] = json!("app_00000000000000000000000000");
        assert_eq!(pointers(&ada.post(&url, other).await.expect_problem(422, "invalid")), ["/application"]);
    }

    async fn a_taken_handle_is_a_conflict_and_a_made_one_gets_a_suffix(app: &TestApp) {
        let ada = app.person("ada").await;
        let (org, application) = provider(&ada, "Grid").await;
        let mut body = service(&application, "Load");
        draft(&ada, &org, &body).await;
        assert!(draft(&ada, &org, &body).await.starts_with("load-"));
        body["handle"] = json!("load");
        ada.post(&format!("/api/v1/organizations/{org}/services"), body).await.expect_problem(409, "handle_taken");
    }

    async fn all_charge_models_come_back_as_they_were_written(app: &TestApp) {
        let ada = app.person("ada").await;
        let (org, application) = provider(&ada, "Grid").await;
        let meters = json!([
            {"name": "rows", "unit": "row", "charge_model": "standard", "unit_price": "0.0000004"},
            {"name": "calls", "unit": "call", "charge_model": "graduated", "tiers": [
                {"up_to": "1000", "unit_price": "0.10"}, {"up_to": null, "unit_price": "0.05", "flat_fee": "3"}]},
            {"name": "hours", "unit": "hour", "charge_model": "volume", "tiers": [{"up_to": null, "unit_price": "2"}], "free_units": "10"},
            {"name": "mails", "unit": "mail", "charge_model": "package", "package_size": "1000", "package_price": "1.50"},
        ]);
        let mut body = service(&application, "Load");
        body["contract"]["plans"] =
            json!([{"name": "All", "currency": "CHF", "one_time": "90", "monthly": "5", "monthly_per_project": "0.5", "meters": meters}]);
        let handle = draft(&ada, &org, &body).await;
        let plan = ada.get(&format!("/api/v1/services/{handle}")).await.expect(200)["contract"]["plans"][0].clone();
        assert_eq!(plan["meters"], meters);
        assert_eq!((&plan["currency"], &plan["one_time"], &plan["monthly"]), (&json!("CHF"), &json!("90"), &json!("5")));
        assert_eq!(plan["monthly_per_project"], "0.5");
    }

    async fn another_contract_is_for_new_subscriptions(app: &TestApp) {
        let ada = app.person("ada").await;
        let (org, application) = provider(&ada, "Grid").await;
        let handle = published(&ada, &org, &service(&application, "Load")).await;
        let url = format!("/api/v1/services/{handle}");
        let first = ada.get(&url).await.expect(200)["contract"].clone();
        let contract = json!({"level": "project", "permissions": ["resources:read", "resources:write"],
            "plans": [{"name": "Free", "currency": "EUR"}]});
        let second = ada.post(&format!("{url}/contracts"), contract).await.expect(201);
        assert_eq!(second["version"], 2);
        assert_ne!(second["id"], first["id"]);
        let now = ada.get(&url).await.expect(200);
        for field in ["id", "version", "level", "permissions", "plans"] {
            assert_eq!(now["contract"][field], second[field]);
        }
        assert_eq!(second["subscribers"], json!({"applied": 0, "offered": 0, "kept": 0, "more": false}));
        assert_eq!(now["price"]["text"], "free");
        let problem = ada.post(&format!("{url}/contracts"), json!({"level": "project", "permissions": ["x"]})).await.expect_problem(422, "invalid");
        assert_eq!(pointers(&problem), ["/permissions/0", "/plans"]);
    }

    async fn the_list_is_paged_by_name_and_its_statements_do_not_grow(app: &TestApp) {
        let ada = app.person("ada").await;
        let (org, application) = provider(&ada, "Grid").await;
        let url = format!("/api/v1/organizations/{org}/services");
        draft(&ada, &org, &service(&application, "delta")).await;
        let before = app.statements();
        ada.get(&url).await.expect(200);
        let cost = app.statements() - before;
        for name in ["Alpha", "charlie", "Bravo", "alpha"] {
            draft(&ada, &org, &service(&application, name)).await;
        }
        let before = app.statements();
        ada.get(&url).await.expect(200);
        assert_eq!(app.statements() - before, cost);
        let (mut names, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = ada.get(&format!("{url}?limit=2&cursor={cursor}")).await.expect(200);
            names.extend(page["items"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        assert_eq!(names, ["Alpha", "alpha", "Bravo", "charlie", "delta"]);
    }

    async fn drafts_are_unseen_by_strangers_and_published_ones_are_refused_to_them(app: &TestApp) {
        let ada = app.person("ada").await;
        let eve = app.person("eve").await;
        let (org, application) = provider(&ada, "Grid").await;
        let handle = draft(&ada, &org, &service(&application, "Load")).await;
        let url = format!("/api/v1/services/{handle}");
        eve.get(&url).await.expect_problem(404, "not_found");
        eve.patch(&url, json!({"name": "Mine"})).await.expect_problem(404, "not_found");
        eve.post(&format!("{url}/publish"), json!({})).await.expect_problem(404, "not_found");
        eve.get(&format!("/api/v1/organizations/{org}/services")).await.expect_problem(404, "not_found");
        eve.post(&format!("/api/v1/organizations/{org}/services"), service(&application, "x")).await.expect_problem(404, "not_found");

        ada.post(&format!("{url}/publish"), json!({})).await.expect(200);
        assert_eq!(eve.get(&url).await.expect(200)["name"], "Load");
        eve.patch(&url, json!({"name": "Mine"})).await.expect_problem(403, "forbidden");
        eve.post(&format!("{url}/pause"), json!({})).await.expect_problem(403, "forbidden");
        ada.patch(&url, json!({"visibility": "private"})).await.expect(200);
        eve.get(&url).await.expect_problem(404, "not_found");
        ada.patch(&url, json!({"visibility": "public"})).await.expect(200);
        ada.post(&format!("{url}/pause"), json!({})).await.expect(200);
        eve.get(&url).await.expect_problem(404, "not_found");

        let nobody = app.anonymous();
        for answer in [
            nobody.get(&url).await,
            nobody.patch(&url, json!({})).await,
            nobody.post(&format!("{url}/publish"), json!({})).await,
            nobody.post(&format!("{url}/pause"), json!({})).await,
            nobody.post(&format!("{url}/contracts"), json!({})).await,
            nobody.get(&format!("/api/v1/organizations/{org}/services")).await,
            nobody.post(&format!("/api/v1/organizations/{org}/services"), json!({})).await,
        ] {
            answer.expect_problem(401, "unauthenticated");
        }
    }

    async fn each_role_does_what_the_matrix_says(app: &TestApp) {
        let ada = app.person("ada").await;
        let (org, application) = provider(&ada, "Grid").await;
        let handle = draft(&ada, &org, &service(&application, "Load")).await;
        let url = format!("/api/v1/services/{handle}");
        let services = format!("/api/v1/organizations/{org}/services");
        for role in ["viewer", "reviewer"] {
            let person = member(app, &ada, &org, role).await;
            assert_eq!(person.get(&url).await.expect(200)["state"], "draft");
            person.get(&services).await.expect(200);
            person.post(&services, service(&application, "Other")).await.expect_problem(403, "forbidden");
            person.patch(&url, json!({"name": "Other"})).await.expect_problem(403, "forbidden");
            person.post(&format!("{url}/contracts"), json!({})).await.expect_problem(403, "forbidden");
            person.post(&format!("{url}/publish"), json!({})).await.expect_problem(403, "forbidden");
            person.post(&format!("{url}/pause"), json!({})).await.expect_problem(403, "forbidden");
        }
        let editor = member(app, &ada, &org, "editor").await;
        draft(&editor, &org, &service(&application, "Other")).await;
        editor.patch(&url, json!({"summary": "Better"})).await.expect(200);
        let asked = editor.post(&format!("{url}/publish"), json!({"note": "It is ready."})).await.expect(202);
        assert_eq!(asked["state"], "draft");
        assert_eq!(asked["request"]["kind"], "publish");
        assert_eq!(asked["request"]["state"], "open");
        assert_eq!(asked["request"]["step"], "internal");
        editor.post(&format!("{url}/publish"), json!({})).await.expect_problem(409, "already_requested");
        let request = asked["request"]["id"].as_str().unwrap();
        ada.post(&format!("/api/v1/requests/{request}/approve"), json!({"comment": "Go."})).await.expect(200);
        assert_eq!(editor.get(&url).await.expect(200)["state"], "published");
        editor.post(&format!("{url}/pause"), json!({})).await.expect_problem(403, "forbidden");
        editor.post(&format!("{url}/publish"), json!({})).await.expect_problem(409, "wrong_state");
    }

    async fn a_service_needs_its_application_to_be_published(app: &TestApp) {
        let ada = app.person("ada").await;
        let eve = app.person("eve").await;
        let (org, application) = provider(&ada, "Grid").await;
        let (_, foreign) = provider(&eve, "Other").await;
        let url = format!("/api/v1/organizations/{org}/services");
        let problem = ada.post(&url, service(&foreign, "Load")).await.expect_problem(422, "invalid");
        assert_eq!(pointers(&problem), ["/application"]);
        draft(&ada, &org, &service(&application, "Load")).await;
    }
}
