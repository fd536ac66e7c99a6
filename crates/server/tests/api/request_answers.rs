//! Questions about requests, answers, and other wishes with them.

use serde_json::{Value, json};
use stoa_testkit::{Answer, Client, Person, api_tests};

use crate::trade::{Trade, decide, events, id, names};

fn selected(projects: &[&str]) -> Value {
    json!({"mode": "selected", "projects": projects})
}

async fn say(who: &Client, request: &str, verb: &str, body: Value) -> Answer {
    who.post(&format!("/api/v1/requests/{request}/{verb}"), body).await
}

async fn ask(who: &Person, request: &str) -> Value {
    say(who, request, "ask", json!({"question": "which winter?"})).await.expect(200)
}

/// What was said and decided, in order: who, what, and whether it counts.
fn said(request: &Value) -> Vec<(String, String, bool)> {
    let one = |said: &Value| {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&said["decided_by"]["name"]), text(&said["decision"]), !said["void"].as_bool().unwrap())
    };
    request["decisions"].as_array().unwrap().iter().map(one).collect()
}

fn is(who: &str, what: &str, counts: bool) -> (String, String, bool) {
    (who.to_owned(), what.to_owned(), counts)
}

api_tests! {
    async fn a_question_is_answered_in_rounds_and_decided_then(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "on_request").await;
        let asked = trade.subscribe(&trade.vic, &service, selected(&["north"])).await.expect(201);
        let request = id(&asked["request"]);
        say(&trade.vic, &request, "answer", json!({"text": "early"})).await.expect_problem(409, "nothing_asked");
        let problem = say(&trade.rob, &request, "ask", json!({"question": " "})).await.expect_problem(422, "invalid");
        assert_eq!(problem["errors"][0]["pointer"], "/question");
        for (who, status) in [(&trade.vic, 403), (&trade.eva, 403), (&trade.pat, 403), (&trade.sam, 404)] {
            assert_eq!(say(who, &request, "ask", json!({"question": "why?"})).await.status, status, "{}", who.user.name);
        }
        assert_eq!(say(&app.anonymous(), &request, "ask", json!({"question": "why?"})).await.status, 401);

        assert_eq!(ask(&trade.rob, &request).await["state"], "needs_info");
        let inbox = async |who: &Person, view: &str| who.get(&format!("/api/v1/requests?as={view}")).await.expect(200)["items"].as_array().unwrap().len();
        assert_eq!((inbox(&trade.rob, "waiting").await, inbox(&trade.vic, "waiting").await, inbox(&trade.mia, "approver").await), (0, 1, 1));
        say(&trade.mia, &request, "ask", json!({"question": "and which cost centre?"})).await.expect(200);
        let problem = say(&trade.vic, &request, "answer", json!({"text": ""})).await.expect_problem(422, "invalid");
        assert_eq!(problem["errors"][0]["pointer"], "/text");
        for (who, status) in [(&trade.rob, 403), (&trade.pat, 403), (&trade.sam, 404)] {
            assert_eq!(say(who, &request, "answer", json!({"text": "x"})).await.status, status, "{}", who.user.name);
        }
        let answered = say(&trade.vic, &request, "answer", json!({"text": "this one, 4711"})).await.expect(200);
        assert_eq!((answered["state"].as_str(), answered["step"].as_str()), (Some("open"), Some("internal")));
        assert_eq!((inbox(&trade.rob, "waiting").await, inbox(&trade.vic, "waiting").await), (1, 0));
        decide(&trade.rob, &request, "approve").await.expect(200);

        // The provider asks as well; what the organization asked itself is not the provider's to read.
        let seen = trade.pat.get(&format!("/api/v1/requests/{request}")).await.expect(200);
        assert_eq!(said(&seen), [is("rob", "approved", true)]);
        assert_eq!(events(&trade.pia, "borealis", "request.asked").await.len(), 0);
        ask(&trade.pat, &request).await;
        say(&trade.vic, &request, "answer", json!({"text": "the next"})).await.expect(200);
        assert_eq!(events(&trade.pia, "borealis", "request.answered").await[0]["data"]["comment"], "the next");
        let done = decide(&trade.pat, &request, "approve").await.expect(200);
        assert_eq!(done["state"], "approved");
        let history = trade.read(&id(&asked)).await["requests"][0].clone();
        let all = ["rob asked", "mia asked", "vic answered", "rob approved", "pat asked", "vic answered", "pat approved"];
        let told: Vec<_> = said(&history).into_iter().map(|(who, what, _)| format!("{who} {what}")).collect();
        assert_eq!(told, all);
        assert_eq!(history["decisions"][2]["comment"], "this one, 4711");
        say(&trade.vic, &request, "answer", json!({"text": "late"})).await.expect_problem(409, "request_closed");
        say(&trade.pat, &request, "ask", json!({"question": "late?"})).await.expect_problem(409, "request_closed");
    }

    async fn asking_for_more_voids_what_was_approved_and_asking_for_less_does_not(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.draft("Forecast", "on_request", "organization", &["Basic", "Same"]).await;
        trade.pia.post(&format!("/api/v1/services/{service}/publish"), json!({})).await.expect(200);
        let body = json!({"service": service, "plan": "Basic", "projects": selected(&["north", "south"]), "accept_terms": true, "note": "first"});
        let asked = trade.eva.post("/api/v1/organizations/grid/subscriptions", body).await.expect(201);
        let request = id(&asked["request"]);
        decide(&trade.rob, &request, "approve").await.expect(200);

        ask(&trade.pia, &request).await;
        let less = say(&trade.eva, &request, "answer", json!({"text": "one is enough", "projects": selected(&["north"])})).await.expect(200);
        assert_eq!((less["state"].as_str(), less["step"].as_str()), (Some("open"), Some("provider")));
        assert_eq!(less["decisions"][2]["changes"], json!(["without South"]));
        assert_eq!(names(&less["projects"]["projects"]), ["North"]);
        assert_eq!(said(&less)[0], is("rob", "approved", true));

        ask(&trade.pia, &request).await;
        let body = json!({"text": "more after all", "plan": "Same", "note": "second", "projects": {"mode": "all", "include_future": "yes"}});
        let more = say(&trade.eva, &request, "answer", body).await.expect(200);
        assert_eq!((more["state"].as_str(), more["step"].as_str(), more["note"].as_str()), (Some("open"), Some("internal"), Some("second")));
        let changes = json!(["plan Same instead of Basic", "with East, South", "future projects are included", "another note"]);
        assert_eq!(more["decisions"].as_array().unwrap().last().unwrap()["changes"], changes);
        assert_eq!(said(&more)[0], is("rob", "approved", false));
        decide(&trade.pia, &request, "approve").await.expect_problem(403, "forbidden");
        decide(&trade.mia, &request, "approve").await.expect(200);
        decide(&trade.pia, &request, "approve").await.expect(200);
        assert_eq!(trade.granted(&id(&asked)).await, ["east", "north", "south"]);
        let read = trade.read(&id(&asked)).await;
        assert_eq!((read["plan"]["name"].as_str(), read["projects"]["include_future"].as_str(), read["note"].as_str()), (Some("Same"), Some("yes"), Some("second")));
    }

    async fn other_wishes_are_judged_as_for_the_first_time(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "on_request").await;
        let asked = trade.subscribe(&trade.mia, &service, selected(&["north"])).await.expect(201);
        let request = id(&asked["request"]);
        ask(&trade.pat, &request).await;
        let wrong = json!({"text": "x", "plan": "Gold", "project": "north", "projects": {"mode": "selected", "projects": ["nowhere"]}});
        let problem = say(&trade.mia, &request, "answer", wrong).await.expect_problem(422, "invalid");
        let pointers: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|one| one["pointer"].as_str().unwrap()).collect();
        assert_eq!(pointers, ["/plan", "/project", "/projects/projects/0"]);
        say(&trade.mia, &request, "answer", json!({"text": "x", "colour": "red"})).await.expect_problem(422, "invalid");
        trade.pia.post(&format!("/api/v1/services/{service}/pause"), json!({})).await.expect(200);
        say(&trade.mia, &request, "answer", json!({"text": "x", "projects": selected(&["south"])})).await.expect_problem(409, "service_not_open");
        trade.pia.post(&format!("/api/v1/services/{service}/publish"), json!({})).await.expect(200);
        // A refused answer has changed nothing.
        let read = trade.mia.get(&format!("/api/v1/requests/{request}")).await.expect(200);
        assert_eq!((read["state"].as_str(), names(&read["projects"]["projects"])), (Some("needs_info"), vec!["North"]));
    }

    async fn a_newer_contract_is_accepted_in_the_answer_before_it_can_be_approved(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "on_request").await;
        let asked = trade.subscribe(&trade.mia, &service, selected(&["north"])).await.expect(201);
        let request = id(&asked["request"]);
        let contract = json!({"level": "organization", "permissions": ["resources:read", "resources:write"],
            "plans": [{"name": "Basic", "currency": "EUR", "monthly": "12"}]});
        trade.pia.post(&format!("/api/v1/services/{service}/contracts"), contract).await.expect(201);
        let problem = decide(&trade.pat, &request, "approve").await.expect_problem(409, "contract_changed");
        assert!(problem["detail"].as_str().unwrap().contains("newer contract"), "{problem}");
        ask(&trade.pat, &request).await;
        let problem = say(&trade.mia, &request, "answer", json!({"text": "fine"})).await.expect_problem(422, "invalid");
        assert_eq!(problem["errors"][0]["pointer"], "/accept_terms");
        let answered = say(&trade.mia, &request, "answer", json!({"text": "fine", "accept_terms": true})).await.expect(200);
        let said = answered["decisions"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(said["changes"], json!(["accepts version 2 of the contract", "plan Basic at its new prices"]));
        decide(&trade.pat, &request, "approve").await.expect(200);
        let read = trade.read(&id(&asked)).await;
        assert_eq!((read["contract"]["version"].as_i64(), read["state"].as_str()), (Some(2), Some("active")));
        assert_eq!(read["permissions"], json!(["resources:read", "resources:write"]));
        // Nothing waits for consent any more, and all it ever had is what was asked for last.
        let standing = trade.vic.get(&format!("/api/v1/organizations/grid/subscriptions/{}/contract", id(&asked))).await.expect(200);
        assert_eq!(standing["offer"], Value::Null);
        let versions: Vec<_> = standing["history"].as_array().unwrap().iter().map(|held| held["version"].clone()).collect();
        assert_eq!(versions, [2]);
    }

    async fn more_projects_can_be_asked_for_otherwise(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "public").await;
        let subscription = trade.active(&service, selected(&["north"])).await;
        let asked = trade.choose(&trade.eva, &subscription, selected(&["north", "south", "east"])).await.expect(202);
        let request = id(&asked["request"]);
        ask(&trade.rob, &request).await;
        for (body, pointer) in [
            (json!({"text": "x", "plan": "Basic"}), "/plan"),
            (json!({"text": "x", "projects": selected(&["south"])}), "/projects"),
            (json!({"text": "x", "projects": selected(&["north"])}), "/projects"),
        ] {
            let problem = say(&trade.eva, &request, "answer", body).await.expect_problem(422, "invalid");
            assert_eq!(problem["errors"][0]["pointer"], pointer);
        }
        let answered = say(&trade.eva, &request, "answer", json!({"text": "only this", "projects": selected(&["north", "east"])})).await.expect(200);
        assert_eq!(names(&answered["adds"]), ["East"]);
        decide(&trade.rob, &request, "approve").await.expect(200);
        assert_eq!(trade.granted(&subscription).await, ["east", "north"]);
        // A cancellation has nothing to change.
        let cancel = trade.cancel(&trade.eva, &subscription).await.expect(202);
        let request = id(&cancel["request"]);
        ask(&trade.rob, &request).await;
        let problem = say(&trade.eva, &request, "answer", json!({"text": "x", "projects": selected(&["north"])})).await.expect_problem(422, "invalid");
        assert_eq!(problem["errors"][0]["pointer"], "/projects");
        say(&trade.eva, &request, "answer", json!({"text": "it is too slow"})).await.expect(200);
        decide(&trade.rob, &request, "approve").await.expect(200);
    }

    async fn another_plan_can_be_asked_for_otherwise(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.draft("Forecast", "public", "organization", &["Basic", "Plus", "Max"]).await;
        trade.pia.post(&format!("/api/v1/services/{service}/publish"), json!({})).await.expect(200);
        let body = json!({"service": service, "plan": "Basic", "projects": selected(&["north"]), "accept_terms": true});
        let subscription = id(&trade.mia.post("/api/v1/organizations/grid/subscriptions", body).await.expect(201));
        let path = format!("/api/v1/organizations/grid/subscriptions/{subscription}/plan");
        let asked = trade.eva.post(&path, json!({"plan": "Plus"})).await.expect(202);
        let request = id(&asked["request"]);
        ask(&trade.rob, &request).await;
        for (body, pointer) in [
            (json!({"text": "x", "plan": "Gold"}), "/plan"),
            (json!({"text": "x", "plan": "Basic"}), "/plan"),
            (json!({"text": "x", "projects": selected(&["south"])}), "/projects"),
            (json!({"text": "x", "consented": ["north"]}), "/consented"),
        ] {
            let problem = say(&trade.eva, &request, "answer", body).await.expect_problem(422, "invalid");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        }
        let answered = say(&trade.eva, &request, "answer", json!({"text": "more", "plan": "Max", "note": "for winter"})).await.expect(200);
        assert_eq!((answered["state"].as_str(), answered["plan"]["name"].as_str()), (Some("open"), Some("Max")));
        assert_eq!(answered["decisions"][1]["changes"], json!(["plan Max instead of Plus", "another note"]));
        assert_eq!((answered["step"].as_str(), answered["note"].as_str()), (Some("internal"), Some("for winter")));
        decide(&trade.rob, &request, "approve").await.expect(200);
        assert_eq!(trade.read(&subscription).await["plan"]["name"], "Max");
    }

    async fn a_project_level_request_can_go_to_another_project(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.draft("Forecast", "on_request", "project", &["Basic"]).await;
        trade.pia.post(&format!("/api/v1/services/{service}/publish"), json!({})).await.expect(200);
        let of = |project: &str| json!({"service": service, "project": project, "accept_terms": true});
        let asked = trade.mia.post("/api/v1/organizations/grid/subscriptions", of("north")).await.expect(201);
        trade.mia.post("/api/v1/organizations/grid/subscriptions", of("south")).await.expect(201);
        let request = id(&asked["request"]);
        ask(&trade.pat, &request).await;
        say(&trade.mia, &request, "answer", json!({"text": "x", "project": "south"})).await.expect_problem(409, "already_subscribed");
        say(&trade.mia, &request, "answer", json!({"text": "x", "project": "east"})).await.expect(200);
        decide(&trade.pat, &request, "approve").await.expect(200);
        assert_eq!(trade.read(&id(&asked)).await["project"]["handle"], "east");
        assert_eq!(trade.granted(&id(&asked)).await, ["east"]);
    }

    async fn what_is_no_longer_there_is_not_approved(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "public").await;
        // Whoever asked has left.
        let asked = trade.subscribe(&trade.vic, &service, selected(&["north"])).await.expect(201);
        let request = id(&asked["request"]);
        trade.vic.delete(&format!("/api/v1/organizations/grid/members/{}", trade.vic.id())).await.expect(204);
        let problem = decide(&trade.rob, &request, "approve").await.expect_problem(409, "requester_gone");
        assert!(problem["detail"].as_str().unwrap().contains("no longer a member"), "{problem}");
        decide(&trade.rob, &request, "reject").await.expect(200);
        // Its projects were deleted.
        let asked = trade.subscribe(&trade.eva, &service, selected(&["north"])).await.expect(201);
        trade.mia.delete("/api/v1/organizations/grid/projects/north").await.expect(204);
        decide(&trade.rob, &id(&asked["request"]), "approve").await.expect_problem(409, "project_deleted");
        decide(&trade.rob, &id(&asked["request"]), "reject").await.expect(200);
        // Whoever asked to publish may not even ask any more.
        let draft = trade.draft("Second", "public", "organization", &["Basic"]).await;
        let role = format!("/api/v1/organizations/borealis/members/{}", trade.pol.id());
        trade.pia.patch(&role, json!({"role": "editor"})).await.expect(200);
        let asked = trade.pol.post(&format!("/api/v1/services/{draft}/publish"), json!({})).await.expect(202);
        trade.pia.patch(&role, json!({"role": "viewer"})).await.expect(200);
        decide(&trade.pat, &id(&asked["request"]), "approve").await.expect_problem(409, "requester_gone");
    }

    async fn a_suspended_organization_decides_nothing(app: &TestApp) {
        let trade = Trade::new(app).await;
        let olga = app.operator("olga").await;
        let service = trade.service("Forecast", "on_request").await;
        let asked = trade.subscribe(&trade.mia, &service, selected(&["north"])).await.expect(201);
        let request = id(&asked["request"]);
        for organization in ["grid", "borealis"] {
            olga.post(&format!("/api/v1/operator/organizations/{organization}/suspend"), json!({"reason": "unpaid"})).await.expect(204);
            decide(&trade.pat, &request, "approve").await.expect_problem(409, "organization_suspended");
            say(&trade.pat, &request, "ask", json!({"question": "why?"})).await.expect_problem(409, "organization_suspended");
            olga.post(&format!("/api/v1/operator/organizations/{organization}/unsuspend"), json!({})).await.expect(204);
        }
        decide(&trade.pat, &request, "approve").await.expect(200);
    }
}
