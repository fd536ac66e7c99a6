//! Locks that keep services out of projects, and what grants are given for and until when.

use serde_json::{Value, json};
use stoa_actions::jobs;
use stoa_testkit::api_tests;

use crate::{
    trade::{Trade, decide, events, id, names},
    world,
};

const LOCKS: &str = "/api/v1/organizations/grid/projects/north/locks";

fn selected(projects: &[&str]) -> Value {
    json!({"mode": "selected", "projects": projects})
}

fn terms(of: &Value, project: &str) -> (String, Value) {
    let grants = of["grants"].as_array().unwrap();
    let grant = grants.iter().rfind(|grant| grant["project"]["handle"] == project).unwrap();
    (grant["purpose"].as_str().unwrap().to_owned(), grant["until"].clone())
}

api_tests! {
    async fn a_lock_keeps_a_service_out_whatever_its_subscription_says(app: &TestApp) {
        let trade = Trade::new(app).await;
        let (one, two) = (trade.service("One", "public").await, trade.service("Two", "public").await);
        let all = trade.active(&one, json!({"mode": "all", "include_future": "yes"})).await;
        let some = trade.active(&two, selected(&["north", "south"])).await;
        trade.vic.post(LOCKS, json!({})).await.expect_problem(403, "forbidden");
        trade.sam.post(LOCKS, json!({})).await.expect_problem(404, "not_found");
        app.anonymous().post(LOCKS, json!({})).await.expect_problem(401, "unauthenticated");
        trade.rob.post(LOCKS, json!({"service": "unknown"})).await.expect_problem(404, "not_found");
        trade.rob.post(LOCKS, json!({"reason": "x".repeat(501)})).await.expect_problem(422, "invalid");
        let lock = trade.rob.post(LOCKS, json!({"service": "one", "reason": "audit"})).await.expect(201);
        assert_eq!((lock["service"]["name"].as_str(), lock["reason"].as_str(), lock["set_by"]["name"].as_str()), (Some("One"), Some("audit"), Some("rob")));
        trade.eva.post(LOCKS, json!({"service": one})).await.expect_problem(409, "already_locked");
        assert_eq!(trade.granted(&all).await, ["east", "south"]);
        assert_eq!(trade.granted(&some).await, ["north", "south"], "the other service stays");
        assert_eq!(names(&json!([trade.vic.get(LOCKS).await.expect(200)["items"][0]["service"]])), ["One"]);

        let problem = trade.choose(&trade.mia, &all, selected(&["north", "south"])).await.expect_problem(409, "project_locked");
        assert!(problem["detail"].as_str().unwrap().contains("North"), "{problem}");
        trade.choose(&trade.mia, &all, json!({"mode": "all_except", "projects": ["east"], "include_future": "yes"})).await.expect(200);
        trade.choose(&trade.mia, &all, json!({"mode": "all", "include_future": "yes"})).await.expect(200);
        assert_eq!(trade.granted(&all).await, ["east", "south"], "all means all that are not locked");

        trade.eva.post(LOCKS, json!({})).await.expect(201);
        assert_eq!(trade.granted(&some).await, ["south"]);
        let three = trade.service("Three", "public").await;
        trade.subscribe(&trade.mia, &three, selected(&["north"])).await.expect_problem(409, "project_locked");
        assert_eq!(trade.granted(&trade.active(&three, json!({"mode": "all", "include_future": "no"})).await).await, ["east", "south"]);

        for organization in ["grid", "borealis"] {
            let who = if organization == "grid" { &trade.mia } else { &trade.pia };
            let told = events(who, organization, "subscription.projects_changed").await;
            let locked: Vec<_> = told.iter().filter(|event| event["data"]["cause"] == "project_locked").collect();
            assert_eq!(locked.len(), 2, "{organization}");
            assert_eq!(names(&locked[0]["data"]["removed"]), ["North"]);
        }
        assert_eq!(events(&trade.mia, "grid", "project.locked").await.len(), 2);
    }

    async fn a_lifted_lock_makes_the_project_like_a_new_one(app: &TestApp) {
        let trade = Trade::new(app).await;
        let mut made = Vec::new();
        for future in ["yes", "ask", "no"] {
            let service = trade.service(&format!("Forecast {future}"), "public").await;
            made.push(trade.active(&service, json!({"mode": "all", "include_future": future})).await);
        }
        let service = trade.service("Chosen", "public").await;
        made.push(trade.active(&service, selected(&["north", "south"])).await);
        let cam = trade.draft("Cam", "public", "project", &["Basic"]).await;
        trade.pia.post(&format!("/api/v1/services/{cam}/publish"), json!({})).await.expect(200);
        let body = json!({"service": cam, "project": "north", "accept_terms": true});
        made.push(id(&trade.mia.post("/api/v1/organizations/grid/subscriptions", body).await.expect(201)));
        let every = trade.mia.post(LOCKS, json!({})).await.expect(201);
        let one = trade.mia.post(LOCKS, json!({"service": "forecast-yes"})).await.expect(201);
        for subscription in &made {
            assert!(!trade.granted(subscription).await.contains(&"north".to_owned()));
        }
        let lift = |lock: &Value| format!("{LOCKS}/{}", id(lock));
        for who in [&trade.vic, &trade.rob, &trade.eva] {
            who.delete(&lift(&every)).await.expect_problem(403, "forbidden");
        }
        trade.mia.delete(&lift(&every)).await.expect(204);
        trade.mia.delete(&lift(&every)).await.expect_problem(404, "not_found");
        let has = async |index: usize| trade.granted(&made[index]).await.contains(&"north".to_owned());
        assert!(!has(0).await, "the other lock is still set");
        assert_eq!((has(1).await, has(2).await, has(3).await, has(4).await), (false, false, false, true));
        let waiting = trade.rob.get("/api/v1/requests?as=approver&state=open").await.expect(200);
        assert_eq!(waiting["items"].as_array().unwrap().len(), 1, "one asks");
        trade.mia.delete(&lift(&one)).await.expect(204);
        assert!(has(0).await);
        assert_eq!(names(&trade.read(&made[3]).await["projects"]["projects"]), ["South"], "what selected it selects it no more");
        assert_eq!(events(&trade.mia, "grid", "project.unlocked").await.len(), 2);
    }

    async fn a_lock_holds_against_a_request_that_is_approved_later(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "public").await;
        let subscription = trade.active(&service, selected(&["south"])).await;
        let asked = trade.choose(&trade.eva, &subscription, selected(&["north", "south", "east"])).await.expect(202);
        trade.rob.post(LOCKS, json!({})).await.expect(201);
        decide(&trade.mia, &id(&asked["request"]), "approve").await.expect(200);
        assert_eq!(trade.granted(&subscription).await, ["east", "south"]);
    }

    async fn a_lock_closes_at_once(app: &TestApp) {
        let world = world::World::new(app).await;
        let service = world.service(app, "resources:read").await;
        let path = "/api/v1/organizations/grid-works/projects/north";
        service.get(&format!("{path}/resources")).await.expect(200);
        let lock = world.ada.post(&format!("{path}/locks"), json!({})).await.expect(201);
        service.get(&format!("{path}/resources")).await.expect_problem(404, "not_found");
        world.ada.delete(&format!("{path}/locks/{}", id(&lock))).await.expect(204);
        service.get(&format!("{path}/resources")).await.expect_problem(404, "not_found");
    }

    async fn a_grant_says_what_for_and_ends_by_itself(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "public").await;
        let details = json!([{"project": "north", "purpose": "winter", "until": "2026-03-31"}]);
        let choice = json!({"mode": "selected", "projects": ["north", "south"], "details": details});
        let subscription = trade.active(&service, choice).await;
        assert_eq!(terms(&trade.read(&subscription).await, "north"), ("winter".into(), json!("2026-04-01T00:00:00.000000Z")));
        assert_eq!(terms(&trade.read(&subscription).await, "south"), (String::new(), Value::Null));

        let change = |until: Value| json!({"mode": "selected", "projects": ["north", "south"], "details": [{"project": "north", "purpose": "winter", "until": until}]});
        trade.choose(&trade.vic, &subscription, change(json!("2026-03-20"))).await.expect_problem(403, "forbidden");
        trade.choose(&trade.rob, &subscription, change(json!("2026-03-20"))).await.expect(200);
        let longer = trade.choose(&trade.eva, &subscription, change(json!(null))).await.expect(202);
        assert_eq!(terms(&trade.read(&subscription).await, "north").1, "2026-03-21T00:00:00.000000Z", "a longer time waits");
        decide(&trade.mia, &id(&longer["request"]), "approve").await.expect(200);
        assert_eq!(terms(&trade.read(&subscription).await, "north").1, Value::Null);
        trade.choose(&trade.mia, &subscription, change(json!("2026-03-25"))).await.expect(200);
        let bad = json!({"mode": "selected", "projects": ["north"], "details": [{"project": "north", "until": "2026-01-01"}, {"project": "x", "until": "soon"}]});
        let problem = trade.choose(&trade.mia, &subscription, bad).await.expect_problem(422, "invalid");
        let pointers: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
        assert_eq!(pointers, ["/details/0/until", "/details/1/until", "/details/1/project"]);
        let foreign = json!({"mode": "selected", "projects": ["north"], "details": [{"project": "east"}]});
        trade.choose(&trade.mia, &subscription, foreign).await.expect_problem(422, "invalid");

        app.clock.set("2026-03-26T00:00:00Z");
        let path = "/api/v1/organizations/grid/grants";
        assert_eq!(trade.vic.get(path).await.expect(200)["items"].as_array().unwrap().len(), 1, "closed before any job ran");
        let line = &trade.vic.get(&format!("{path}?at=2026-03-25T23:59:59Z&project=north")).await.expect(200)["items"][0];
        assert_eq!((line["purpose"].as_str(), line["until"].as_str()), (Some("winter"), Some("2026-03-26T00:00:00.000000Z")));
        app.clock.advance(60_000_000);
        let now = app.stoa.clock.now();
        let (one, other) = tokio::join!(jobs::tick(&app.stoa, now), jobs::tick(&app.stoa, now));
        assert_eq!(one.unwrap().grants + other.unwrap().grants, 1, "two nodes write it once");
        let told = events(&trade.pia, "borealis", "subscription.projects_changed").await;
        let told = told.last().unwrap();
        assert_eq!((names(&told["data"]["removed"]), told["data"]["cause"].as_str()), (vec!["North"], Some("grant_ended")));
        let read = trade.read(&subscription).await;
        assert_eq!(names(&read["projects"]["projects"]), ["South"]);
        assert_eq!(terms(&read, "north").1, "2026-03-26T00:00:00.000000Z");
    }

    async fn a_grants_end_closes_in_its_very_instant(app: &TestApp) {
        let world = world::World::new(app).await;
        let path = "/api/v1/organizations/grid-works";
        let details = json!([{"project": "north", "until": "2026-03-10T12:30:00Z"}]);
        let choice = json!({"mode": "selected", "projects": ["north", "south"], "details": details});
        world.ada.put(&format!("{path}/subscriptions/{}/projects", world.subscription), choice).await.expect(200);
        let service = world.service(app, "resources:read").await;
        let north = format!("{path}/projects/north/resources");
        app.clock.set("2026-03-10T12:29:59Z");
        service.get(&north).await.expect(200);
        app.clock.set("2026-03-10T12:30:00Z");
        service.get(&north).await.expect_problem(404, "not_found");
        service.get(&format!("{path}/projects/south/resources")).await.expect(200);
        let gone = json!({"mode": "selected", "projects": ["south"]});
        world.ada.put(&format!("{path}/subscriptions/{}/projects", world.subscription), gone).await.expect(200);
        let read = world.ada.get(&format!("{path}/subscriptions/{}", world.subscription)).await.expect(200);
        assert_eq!(terms(&read, "north").1, "2026-03-10T12:30:00.000000Z", "taken out later, it still ended then");
    }
}
