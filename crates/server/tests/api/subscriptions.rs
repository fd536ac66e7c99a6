//! Subscribing, changing projects, cancelling; what happens when projects and organizations come and go.

use serde_json::{Value, json};
use stoa_testkit::api_tests;

use crate::trade::{Trade, decide, events, id, names};

fn all() -> Value {
    json!({"mode": "all", "include_future": "no"})
}

fn selected(projects: &[&str]) -> Value {
    json!({"mode": "selected", "projects": projects})
}

api_tests! {
    async fn a_maintainer_subscribes_at_once_and_both_logs_tell(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "public").await;
        let made = trade.subscribe(&trade.mia, "forecast", selected(&["north", "south"])).await.expect(201);
        assert_eq!(made["state"], "active");
        assert_eq!(made["request"], Value::Null);
        assert_eq!(made["resource"], format!("{}/subscriptions/{}", app.url, id(&made)));
        assert_eq!(made["service"]["id"], service);
        assert_eq!(made["plan"]["name"], "Basic");
        assert_eq!(made["contract"]["version"], 1);
        assert_eq!(made["permissions"], json!(["resources:read"]));
        assert_eq!(names(&made["projects"]["projects"]), ["North", "South"]);
        assert_eq!(made["projects"]["include_future"], "no");
        assert_eq!(trade.granted(&id(&made)).await, ["north", "south"]);
        assert_eq!(made["grants"][0]["approved_by"]["name"], "mia");

        for (who, organization) in [(&trade.mia, "grid"), (&trade.pia, "borealis")] {
            let events = events(who, organization, "subscription.activated").await;
            assert_eq!(events.len(), 1, "{organization}");
            assert_eq!(names(&events[0]["data"]["projects"]), ["North", "South"]);
            assert_eq!(events[0]["data"]["organization"]["name"], "Grid");
            assert_eq!(events[0]["data"]["service"]["name"], "Forecast");
        }
        let listed = trade.vic.get("/api/v1/organizations/grid/subscriptions?state=active").await.expect(200);
        assert_eq!(listed["items"][0]["id"], made["id"]);
        assert_eq!(trade.vic.get("/api/v1/organizations/grid/subscriptions?state=ended").await.expect(200)["items"], json!([]));
        trade.vic.get("/api/v1/organizations/grid/subscriptions?state=odd").await.expect_problem(422, "invalid");
    }

    async fn everything_wrong_is_said_at_once_and_at_its_place(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.draft("Forecast", "public", "organization", &["Basic", "Plus"]).await;
        trade.pia.post(&format!("/api/v1/services/{service}/publish"), json!({})).await.expect(200);
        let path = "/api/v1/organizations/grid/subscriptions";
        let pointers = |problem: Value| -> Vec<String> {
            problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
        };
        let body = json!({"service": service, "projects": selected(&["nowhere"])});
        let problem = trade.mia.post(path, body).await.expect_problem(422, "invalid");
        assert!(problem["errors"][1]["detail"].as_str().unwrap().contains("Basic, Plus"), "{problem}");
        assert_eq!(pointers(problem), ["/accept_terms", "/plan", "/projects/projects/0"]);
        let body = json!({"service": service, "plan": "Plus", "accept_terms": true});
        assert_eq!(pointers(trade.mia.post(path, body).await.expect_problem(422, "invalid")), ["/projects"]);
        let body = json!({"service": service, "plan": "Plus", "accept_terms": true, "projects": selected(&[])});
        assert_eq!(pointers(trade.mia.post(path, body).await.expect_problem(422, "invalid")), ["/projects/projects"]);
        let body = json!({"service": service, "plan": "Plus", "accept_terms": true, "projects": all(), "project": "north"});
        assert_eq!(pointers(trade.mia.post(path, body).await.expect_problem(422, "invalid")), ["/project"]);
        let body = json!({"service": service, "plan": "Plus", "accept_terms": true, "projects": all()});
        assert_eq!(trade.mia.post(path, body).await.expect(201)["plan"]["name"], "Plus");
    }

    async fn only_services_that_are_open_and_known_are_subscribed_and_each_once(app: &TestApp) {
        let trade = Trade::new(app).await;
        let draft = trade.draft("Draft", "public", "organization", &["Basic"]).await;
        trade.subscribe(&trade.mia, &draft, all()).await.expect_problem(404, "not_found");
        trade.subscribe(&trade.mia, "nothing", all()).await.expect_problem(404, "not_found");
        let service = trade.service("Forecast", "public").await;
        let first = trade.active(&service, all()).await;
        trade.subscribe(&trade.mia, &service, all()).await.expect_problem(409, "already_subscribed");
        trade.pia.post(&format!("/api/v1/services/{service}/pause"), json!({})).await.expect(200);
        trade.cancel(&trade.mia, &first).await.expect(200);
        let problem = trade.subscribe(&trade.mia, &service, all()).await.expect_problem(409, "service_not_open");
        assert!(problem["detail"].as_str().unwrap().contains("paused"), "{problem}");
        trade.pia.post(&format!("/api/v1/services/{service}/publish"), json!({})).await.expect(200);
        let second = trade.subscribe(&trade.mia, &service, all()).await.expect(201);
        assert_eq!(second["previous"], first);
        trade.sam.get("/api/v1/organizations/grid/subscriptions").await.expect_problem(404, "not_found");
        trade.sam.get(&format!("/api/v1/organizations/grid/subscriptions/{first}")).await.expect_problem(404, "not_found");
        app.anonymous().get("/api/v1/organizations/grid/subscriptions").await.expect_problem(401, "unauthenticated");
    }

    async fn many_at_once_make_one_subscription(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "public").await;
        let tries = (0..6).map(|_| trade.subscribe(&trade.mia, &service, all()));
        let statuses: Vec<_> = futures::future::join_all(tries).await.into_iter().map(|answer| answer.status).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 5, "{statuses:?}");
    }

    async fn a_provider_subscribes_its_own_service_without_asking_itself(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "on_request").await;
        let body = json!({"service": service, "projects": all(), "accept_terms": true});
        let made = trade.pia.post("/api/v1/organizations/borealis/subscriptions", body).await.expect(201);
        assert_eq!(made["state"], "active");
        assert_eq!(events(&trade.pia, "borealis", "subscription.activated").await.len(), 1);
    }

    async fn a_service_at_project_level_serves_one_project(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.draft("Cam", "public", "project", &["Basic"]).await;
        trade.pia.post(&format!("/api/v1/services/{service}/publish"), json!({})).await.expect(200);
        let path = "/api/v1/organizations/grid/subscriptions";
        let body = |project: &str| json!({"service": service, "project": project, "accept_terms": true});
        trade.mia.post(path, json!({"service": service, "projects": all(), "accept_terms": true})).await.expect_problem(422, "invalid");
        let made = trade.eva.post(path, body("north")).await.expect(201);
        assert_eq!((made["state"].as_str(), made["project"]["name"].as_str()), (Some("active"), Some("North")));
        trade.eva.post(path, body("north")).await.expect_problem(409, "already_subscribed");
        trade.eva.post(path, body("south")).await.expect(201);
        assert_eq!(trade.vic.post(path, body("east")).await.expect(201)["state"], "requested");
        trade.choose(&trade.mia, &id(&made), selected(&["south"])).await.expect_problem(409, "project_level");
        trade.mia.delete("/api/v1/organizations/grid/projects/north").await.expect(204);
        assert_eq!(trade.read(&id(&made)).await["state"], "ended");
    }

    async fn additions_of_others_wait_and_reductions_do_not(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "public").await;
        let subscription = trade.active(&service, selected(&["north", "south"])).await;
        let answer = trade.choose(&trade.eva, &subscription, selected(&["south", "east"])).await.expect(202);
        assert_eq!(names(&answer["request"]["adds"]), ["East"]);
        assert_eq!(answer["request"]["kind"], "add_projects");
        assert_eq!(trade.granted(&subscription).await, ["south"], "taken out at once, added not yet");
        let request = id(&answer["request"]);
        assert_eq!(decide(&trade.rob, &request, "approve").await.expect(200)["state"], "approved");
        assert_eq!(trade.granted(&subscription).await, ["east", "south"]);
        let read = trade.read(&subscription).await;
        let east = read["grants"].as_array().unwrap().iter().find(|grant| grant["project"]["handle"] == "east").unwrap();
        assert_eq!((east["approved_by"]["name"].as_str(), east["request"].as_str()), (Some("rob"), Some(request.as_str())));
        for (who, organization) in [(&trade.mia, "grid"), (&trade.pia, "borealis")] {
            let told = events(who, organization, "subscription.projects_changed").await;
            assert_eq!((names(&told[0]["data"]["removed"]), names(&told[0]["data"]["added"])), (vec!["North"], vec![]));
            assert_eq!((names(&told[1]["data"]["removed"]), names(&told[1]["data"]["added"])), (vec![], vec!["East"]));
        }
    }

    async fn roles_decide_what_happens_to_a_choice(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "public").await;
        let subscription = trade.active(&service, selected(&["north", "south"])).await;
        trade.choose(&trade.vic, &subscription, selected(&["north"])).await.expect_problem(403, "forbidden");
        trade.choose(&trade.vic, &subscription, selected(&["north", "east"])).await.expect_problem(403, "forbidden");
        trade.choose(&trade.vic, &subscription, selected(&["north", "south", "east"])).await.expect(202);
        trade.choose(&trade.vic, &subscription, selected(&["north", "south"])).await.expect(200);
        for who in [&trade.rob, &trade.eva] {
            trade.choose(who, &subscription, selected(&["north"])).await.expect(200);
            trade.choose(&trade.mia, &subscription, selected(&["north", "south"])).await.expect(200);
        }
        assert_eq!(trade.granted(&subscription).await, ["north", "south"]);
        trade.choose(&trade.sam, &subscription, all()).await.expect_problem(404, "not_found");
        let problem = trade.choose(&trade.mia, &subscription, json!({"mode": "selected", "projects": ["x"]})).await;
        assert_eq!(problem.expect_problem(422, "invalid")["errors"][0]["pointer"], "/projects/0");
        trade.cancel(&trade.mia, &subscription).await.expect(200);
        trade.choose(&trade.mia, &subscription, all()).await.expect_problem(409, "wrong_state");
    }

    async fn an_approved_addition_never_brings_back_what_was_taken_out_meanwhile(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "public").await;
        let subscription = trade.active(&service, selected(&["north", "south"])).await;
        let asked = trade.choose(&trade.eva, &subscription, json!({"mode": "all", "include_future": "yes"})).await.expect(202);
        app.clock.advance(1_000_000);
        trade.choose(&trade.rob, &subscription, selected(&["south"])).await.expect(200);
        let later = trade.project("West").await;
        trade.mia.delete("/api/v1/organizations/grid/projects/east").await.expect(204);
        decide(&trade.mia, &id(&asked["request"]), "approve").await.expect(200);
        assert_eq!(trade.granted(&subscription).await, ["south", "west"]);
        let read = trade.read(&subscription).await;
        assert_eq!((read["projects"]["mode"].as_str(), names(&read["projects"]["projects"])), (Some("all_except"), vec!["North"]));
        assert_eq!(read["projects"]["include_future"], "yes");
        assert!(later.starts_with("prj_"));
    }

    async fn asking_again_takes_the_place_of_what_one_asked_before(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "public").await;
        let subscription = trade.active(&service, selected(&["north"])).await;
        let first = trade.choose(&trade.eva, &subscription, selected(&["north", "south"])).await.expect(202);
        let second = trade.choose(&trade.eva, &subscription, selected(&["north", "east"])).await.expect(202);
        let first = trade.eva.get(&format!("/api/v1/requests/{}", id(&first["request"]))).await.expect(200);
        assert_eq!(first["state"], "withdrawn");
        assert_eq!(second["request"]["state"], "open");
    }

    async fn future_projects_are_granted_asked_for_or_left_out(app: &TestApp) {
        let trade = Trade::new(app).await;
        let mut made = Vec::new();
        for future in ["yes", "ask", "no"] {
            let service = trade.service(&format!("Forecast {future}"), "public").await;
            made.push(trade.active(&service, json!({"mode": "all_except", "projects": ["east"], "include_future": future})).await);
        }
        app.clock.advance(1_000_000);
        trade.eva.post("/api/v1/organizations/grid/projects", json!({"name": "West"})).await.expect(201);
        assert_eq!(trade.granted(&made[0]).await, ["north", "south", "west"]);
        assert_eq!(trade.granted(&made[1]).await, ["north", "south"]);
        assert_eq!(trade.granted(&made[2]).await, ["north", "south"]);
        let read = trade.read(&made[0]).await;
        assert_eq!(read["grants"][2]["approved_by"]["name"], "mia", "by the approval of the choice");
        let inbox = trade.rob.get("/api/v1/requests?as=approver&state=open").await.expect(200);
        assert_eq!(inbox["items"].as_array().unwrap().len(), 1);
        assert_eq!(inbox["items"][0]["requested_by"]["name"], "eva");
        decide(&trade.rob, &id(&inbox["items"][0]), "approve").await.expect(200);
        assert_eq!(trade.granted(&made[1]).await, ["north", "south", "west"]);
        assert_eq!(names(&trade.read(&made[1]).await["projects"]["projects"]), ["East"]);

        trade.mia.delete("/api/v1/organizations/grid/projects/west").await.expect(204);
        for subscription in &made {
            assert_eq!(trade.granted(subscription).await, ["north", "south"]);
        }
        let told = events(&trade.pia, "borealis", "subscription.projects_changed").await;
        assert_eq!(names(&told.last().unwrap()["data"]["removed"]), ["West"]);
    }

    async fn a_deleted_project_takes_the_request_for_it_along(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "public").await;
        let subscription = trade.active(&service, json!({"mode": "all", "include_future": "ask"})).await;
        trade.project("West").await;
        let asked = trade.eva.get("/api/v1/organizations/grid/requests?state=open").await.expect(200);
        trade.mia.delete("/api/v1/organizations/grid/projects/west").await.expect(204);
        let request = trade.vic.get(&format!("/api/v1/requests/{}", id(&asked["items"][0]))).await.expect(200);
        assert_eq!((request["state"].as_str(), request["decisions"][0]["comment"].as_str()), (Some("withdrawn"), Some("the project was deleted")));
        assert_eq!(trade.granted(&subscription).await, ["east", "north", "south"]);
    }

    async fn cancelling_ends_at_once_or_by_request_and_closes_everything(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "public").await;
        let subscription = trade.active(&service, all()).await;
        trade.choose(&trade.mia, &subscription, selected(&["north"])).await.expect(200);
        let adding = trade.choose(&trade.eva, &subscription, selected(&["north", "east"])).await.expect(202);
        let asked = trade.cancel(&trade.vic, &subscription).await.expect(202);
        assert_eq!((asked["state"].as_str(), asked["request"]["kind"].as_str()), (Some("active"), Some("cancel")));
        trade.cancel(&trade.eva, &subscription).await.expect_problem(409, "already_requested");
        decide(&trade.rob, &id(&asked["request"]), "approve").await.expect(200);
        let read = trade.read(&subscription).await;
        assert_eq!(read["state"], "ended");
        assert!(read["grants"].as_array().unwrap().iter().all(|grant| !grant["until"].is_null()));
        let adding = read["requests"].as_array().unwrap().iter().find(|one| one["id"] == adding["request"]["id"]).unwrap();
        assert_eq!(adding["state"], "withdrawn");
        trade.cancel(&trade.mia, &subscription).await.expect_problem(409, "wrong_state");
        assert_eq!(events(&trade.pia, "borealis", "subscription.ended").await.len(), 1);
    }

    async fn one_only_asked_for_is_withdrawn_by_who_asked_or_a_maintainer(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "on_request").await;
        let asked = trade.subscribe(&trade.eva, &service, all()).await.expect(201);
        trade.cancel(&trade.rob, &id(&asked)).await.expect_problem(403, "forbidden");
        let gone = trade.cancel(&trade.eva, &id(&asked)).await.expect(200);
        assert_eq!((gone["state"].as_str(), gone["requests"][0]["state"].as_str()), (Some("withdrawn"), Some("withdrawn")));
        let asked = trade.subscribe(&trade.eva, &service, all()).await.expect(201);
        assert_eq!(trade.cancel(&trade.mia, &id(&asked)).await.expect(200)["state"], "withdrawn");
        assert_eq!(events(&trade.pia, "borealis", "subscription.withdrawn").await.len(), 2);
    }

    async fn a_deleted_organization_ends_what_it_consumes_and_what_it_provides(app: &TestApp) {
        let trade = Trade::new(app).await;
        let (one, two) = (trade.service("One", "public").await, trade.service("Two", "on_request").await);
        let active = trade.active(&one, all()).await;
        let asked = id(&trade.subscribe(&trade.mia, &two, all()).await.expect(201));
        trade.pia.delete("/api/v1/organizations/borealis?confirm=Borealis").await.expect(204);
        let read = trade.read(&active).await;
        assert_eq!(read["state"], "ended");
        assert!(read["grants"].as_array().unwrap().iter().all(|grant| !grant["until"].is_null()));
        let read = trade.read(&asked).await;
        assert_eq!((read["state"].as_str(), read["requests"][0]["state"].as_str()), (Some("withdrawn"), Some("withdrawn")));
        let told = events(&trade.mia, "grid", "subscription.ended").await;
        assert_eq!(told[0]["data"]["cause"], "provider_deleted");
        trade.subscribe(&trade.mia, &one, all()).await.expect_problem(404, "not_found");
    }

    async fn a_provider_is_told_when_a_subscriber_is_deleted(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("One", "public").await;
        trade.active(&service, all()).await;
        trade.mia.delete("/api/v1/organizations/grid?confirm=Grid").await.expect(204);
        let told = events(&trade.pia, "borealis", "subscription.ended").await;
        assert_eq!((told[0]["data"]["cause"].as_str(), told[0]["data"]["organization"]["name"].as_str()), (Some("organization_deleted"), Some("Grid")));
        let listed = trade.pol.get(&format!("/api/v1/services/{service}/subscriptions")).await.expect(200);
        assert_eq!(listed["items"][0]["state"], "ended");
    }

    async fn the_provider_lists_all_subscriptions_of_its_service(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "public").await;
        let subscription = trade.active(&service, selected(&["north"])).await;
        let path = format!("/api/v1/services/{service}/subscriptions");
        let listed = trade.pol.get(&format!("{path}?state=active")).await.expect(200);
        assert_eq!((listed["items"][0]["id"].as_str(), listed["items"][0]["organization"]["name"].as_str()), (Some(subscription.as_str()), Some("Grid")));
        assert_eq!(names(&listed["items"][0]["projects"]), ["North"]);
        assert_eq!(trade.pol.get(&format!("{path}?state=ended")).await.expect(200)["items"], json!([]));
        trade.mia.get(&path).await.expect_problem(404, "not_found");
        app.anonymous().get(&path).await.expect_problem(401, "unauthenticated");
    }

    async fn the_list_is_paged_newest_first(app: &TestApp) {
        let trade = Trade::new(app).await;
        let mut made = Vec::new();
        for name in ["One", "Two", "Three"] {
            app.clock.advance(1_000_000);
            let service = trade.service(name, "public").await;
            made.insert(0, trade.active(&service, all()).await);
        }
        let first = trade.vic.get("/api/v1/organizations/grid/subscriptions?limit=2").await.expect(200);
        let cursor = first["next_cursor"].as_str().unwrap();
        let rest = trade.vic.get(&format!("/api/v1/organizations/grid/subscriptions?limit=2&cursor={cursor}")).await.expect(200);
        let ids: Vec<_> = first["items"].as_array().unwrap().iter().chain(rest["items"].as_array().unwrap()).map(id).collect();
        assert_eq!(ids, made);
        assert_eq!(rest["next_cursor"], Value::Null);
    }

    async fn statements_do_not_depend_on_the_number_of_projects(app: &TestApp) {
        let trade = Trade::new(app).await;
        trade.project("Four").await;
        let few = trade.service("Few", "public").await;
        let many = trade.service("Many", "public").await;
        let before = app.statements();
        let first = trade.active(&few, all()).await;
        let subscribing = app.statements() - before;
        // The first use of a token is noted, the next ones of the same hour are not.
        trade.read(&first).await;
        let before = app.statements();
        trade.read(&first).await;
        let reading = app.statements() - before;
        for number in 0..60 {
            trade.project(&format!("P{number}")).await;
        }
        let before = app.statements();
        let second = trade.active(&many, all()).await;
        assert_eq!(app.statements() - before, subscribing, "subscribing 4 and 64 projects");
        let before = app.statements();
        trade.read(&second).await;
        assert_eq!(app.statements() - before, reading, "reading 4 and 64 grants");
        assert_eq!(trade.granted(&second).await.len(), 64);
    }
}
