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

    async fn all_details_are_kept_shown_and_changed(app: &TestApp) {
        let ada = app.person("ada").await;
        let details = json!({"billing_email": "bills@grid.example", "legal_name": "Grid Works GmbH", "address": "Quay 1\n20457 Hamburg",
            "country": "de", "tax_id": "DE123456789", "contact_email": "Hello@Grid.example", "contact_phone": "+49 40 1234567",
            "website": "https://grid.example"});
        let mut new = details.clone();
        new["name"] = json!("Grid");
        let made = ada.post("/api/v1/organizations", new).await.expect(201);
        for (key, value) in [("country", "DE"), ("contact_email", "hello@grid.example"), ("address", "Quay 1\n20457 Hamburg"), ("website", "https://grid.example")] {
            assert_eq!(made[key], value, "{key}");
        }
        let problem = ada.patch("/api/v1/organizations/grid", json!({"country": "", "contact_phone": "12"})).await.expect_problem(422, "invalid");
        assert_eq!(problem["errors"][0]["pointer"], "/contact_phone");
        let problem = ada.patch("/api/v1/organizations/grid", json!({"country": ""})).await.expect_problem(422, "invalid");
        assert_eq!(problem["errors"][0]["pointer"], "/country");
        let none = json!({"legal_name": "", "address": "", "country": "", "tax_id": ""});
        let changed = ada.patch("/api/v1/organizations/grid", none).await.expect(200);
        assert_eq!((&changed["country"], &changed["billing_email"]), (&serde_json::Value::Null, &json!("bills@grid.example")));
        // What tells about people stands nowhere in the log, which is kept for ever.
        let events = ada.get("/api/v1/organizations/grid/events").await.expect(200).to_string();
        assert!(events.contains("legal_name") && !events.contains("GmbH") && !events.contains("bills@"), "{events}");
    }

    async fn the_list_is_searched_by_parts_of_name_and_handle(app: &TestApp) {
        let ada = app.person("ada").await;
        for (name, handle) in [("Énergie du Nord", "nord"), ("Grid Works", "works"), ("100% Water_Works", "water")] {
            ada.post("/api/v1/organizations", json!({"name": name, "handle": handle})).await.expect(201);
        }
        for (words, found) in [("energie", vec!["nord"]), ("ORK", vec!["water", "works"]), ("nor", vec!["nord"]), ("100%25", vec!["water"]), ("%25", vec![]), ("_", vec![]), ("zzz", vec![])] {
            let page = ada.get(&format!("/api/v1/organizations?q={words}")).await.expect(200);
            let handles: Vec<_> = page["items"].as_array().unwrap().iter().map(|one| one["handle"].as_str().unwrap().to_owned()).collect();
            assert_eq!(handles, found, "{words}");
        }
        let first = ada.get("/api/v1/organizations?q=work&limit=1").await.expect(200);
        let next = ada.get(&format!("/api/v1/organizations?q=work&limit=1&cursor={}", first["next_cursor"].as_str().unwrap())).await.expect(200);
        assert_eq!((&first["items"][0]["handle"], &next["items"][0]["handle"], &next["next_cursor"]), (&json!("water"), &json!("works"), &serde_json::Value::Null));
    }

    async fn an_old_handle_leads_to_the_organization_for_a_year_and_is_nobody_elses(app: &TestApp) {
        let (ada, eve) = (app.person_with_password("ada").await, app.person("eve").await);
        ada.post("/api/v1/organizations", json!({"name": "Grid"})).await.expect(201);
        ada.post("/api/v1/organizations/grid/projects", json!({"name": "North"})).await.expect(201);
        let renamed = ada.patch("/api/v1/organizations/grid", json!({"handle": "power"})).await.expect(200);
        assert_eq!(renamed["handle"], "power");
        // The API takes the old one as an alias; pages lead on and keep the rest of the address.
        assert_eq!(ada.get("/api/v1/organizations/grid").await.expect(200)["handle"], "power");
        ada.get("/api/v1/organizations/grid/projects/north").await.expect(200);
        ada.post("/api/v1/organizations/grid/projects", json!({"name": "South"})).await.expect(201);
        let browser = app.signed_in(&ada).await;
        let moved = browser.get("/organizations/grid/projects/north?open=x").await;
        assert_eq!((moved.status, moved.header("location")), (308, "/organizations/power/projects/north?open=x"));
        assert_eq!(browser.get("/organizations/grid").await.header("location"), "/organizations/power");
        assert_eq!(browser.get("/organizations/power").await.status, 200);
        // To others it is as if it never was, and they can't have it.
        eve.get("/api/v1/organizations/grid").await.expect_problem(404, "not_found");
        eve.post("/api/v1/organizations", json!({"name": "Mine", "handle": "grid"})).await.expect_problem(409, "handle_taken");
        assert_ne!(eve.post("/api/v1/organizations", json!({"name": "Grid"})).await.expect(201)["handle"], "grid");
        // Renaming back is possible, and turns the two round.
        ada.patch("/api/v1/organizations/power", json!({"handle": "grid"})).await.expect(200);
        assert_eq!(ada.get("/api/v1/organizations/power").await.expect(200)["handle"], "grid");
        ada.patch("/api/v1/organizations/grid", json!({"handle": "power"})).await.expect(200);
        app.clock.advance(366 * stoa_domain::time::DAY);
        let (ada, eve) = (app.token_of(&ada.user).await, app.token_of(&eve.user).await);
        ada.get("/api/v1/organizations/grid").await.expect_problem(404, "not_found");
        eve.post("/api/v1/organizations", json!({"name": "Mine", "handle": "grid"})).await.expect(201);
        ada.patch("/api/v1/organizations/power", json!({"handle": "grid"})).await.expect_problem(409, "handle_taken");
        let swept = stoa_actions::jobs::tick(&app.stoa, app.stoa.clock.now()).await.unwrap();
        assert_eq!(swept.old_handles, 1);
    }

    async fn of_two_who_take_a_handle_at_once_one_gets_it(app: &TestApp) {
        let mut people = Vec::new();
        for number in 0..6 {
            let person = app.person(&format!("person{number}")).await;
            person.post("/api/v1/organizations", json!({"name": "Mine", "handle": format!("mine{number}")})).await.expect(201);
            people.push(person);
        }
        let asked = people.iter().enumerate().map(|(number, person)| async move {
            let path = format!("/api/v1/organizations/mine{number}");
            person.patch(&path, json!({"handle": "wanted"})).await.status
        });
        let mut answers = futures::future::join_all(asked).await;
        answers.sort_unstable();
        assert_eq!(answers, [200, 409, 409, 409, 409, 409]);
    }

    async fn whether_a_handle_is_free_is_told_while_it_is_typed(app: &TestApp) {
        let ada = app.person_with_password("ada").await;
        ada.post("/api/v1/organizations", json!({"name": "Grid"})).await.expect(201);
        let browser = app.signed_in(&ada).await;
        for (query, said) in [("handle=power", "power is free."), ("handle=grid", "This handle is taken"), ("handle=A%20B", "A handle has 2 to 63"), ("handle=grid&of=grid", "grid is free."), ("handle=new", "reserved")] {
            let answer = browser.get(&format!("/organizations/handle?{query}")).await;
            assert!(answer.status == 200 && answer.text().contains(said), "{query}: {answer:?}");
        }
        let anonymous = app.browser().get("/organizations/handle?handle=x").await;
        assert_eq!(anonymous.status, 303);
    }
}
