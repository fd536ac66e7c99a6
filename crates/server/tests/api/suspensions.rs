//! Pausing and resuming by each side, and ends that are decided for later: what they open, close and cost.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use stoa_actions::jobs;
use stoa_testkit::{Answer, Client, TestApp, api_tests};

use crate::{
    trade::{Trade, decide, events, id},
    usage, world,
};

const SUBSCRIPTIONS: &str = "/api/v1/organizations/grid/subscriptions";

async fn post(who: &Client, path: &str, body: Value) -> Answer {
    who.send(who.request(Method::POST, path).json(&body)).await
}

/// Does something to a subscription as a member of the consumer.
async fn ask(who: &Client, subscription: &str, verb: &str, body: Value) -> Answer {
    post(who, &format!("{SUBSCRIPTIONS}/{subscription}/{verb}"), body).await
}

/// The state, and who holds it up; by name, because those of one instant are in no order.
fn standing(of: &Value) -> (String, Vec<String>) {
    let mut causes: Vec<_> = of["paused_by"].as_array().unwrap().iter().map(|cause| cause.as_str().unwrap().to_owned()).collect();
    causes.sort();
    (of["state"].as_str().unwrap().to_owned(), causes)
}

fn is(state: &str, causes: &[&str]) -> (String, Vec<String>) {
    (state.to_owned(), causes.iter().map(|cause| (*cause).to_owned()).collect())
}

async fn tick(app: &TestApp) -> jobs::Swept {
    jobs::tick(&app.stoa, app.stoa.clock.now()).await.unwrap()
}

api_tests! {
    async fn each_side_pauses_and_only_the_same_side_resumes(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "public").await;
        let subscription = trade.active(&service, json!({"mode": "all"})).await;
        let provided = format!("/api/v1/services/{service}/subscriptions/{subscription}");
        let operated = format!("/api/v1/operator/subscriptions/{subscription}");
        let operator = app.operator("opa").await;

        let paused = ask(&trade.eva, &subscription, "pause", json!({"reason": "holidays"})).await.expect(200);
        assert_eq!(standing(&paused), is("suspended", &["consumer"]));
        assert_eq!((paused["suspensions"][0]["reason"].as_str(), paused["suspensions"][0]["set_by"]["name"].as_str()), (Some("holidays"), Some("eva")));
        ask(&trade.rob, &subscription, "pause", json!({})).await.expect_problem(409, "already_paused");
        app.clock.advance(1_000_000);
        let body = json!({"reason": "overload"});
        assert_eq!(standing(&post(&trade.pat, &format!("{provided}/pause"), body.clone()).await.expect(200)), is("suspended", &["consumer", "provider"]));
        assert_eq!(post(&operator, &format!("{operated}/pause"), body).await.expect(200)["state"], "suspended");
        assert_eq!(standing(&trade.read(&subscription).await), is("suspended", &["consumer", "operator", "provider"]));

        assert_eq!(standing(&ask(&trade.rob, &subscription, "resume", json!({})).await.expect(200)), is("suspended", &["operator", "provider"]));
        let problem = ask(&trade.mia, &subscription, "resume", json!({})).await.expect_problem(409, "not_paused");
        assert!(problem["detail"].as_str().unwrap().contains("paused by the provider and by the operator"), "{problem}");
        post(&trade.pia, &format!("{provided}/resume"), json!({})).await.expect(200);
        assert_eq!(standing(&post(&operator, &format!("{operated}/resume"), json!({})).await.expect(200)), is("active", &[]));
        post(&trade.pia, &format!("{provided}/resume"), json!({})).await.expect_problem(409, "not_paused");

        let read = trade.read(&subscription).await;
        assert_eq!(read["suspensions"].as_array().unwrap().len(), 3);
        assert_eq!(read["suspensions"][0]["lifted_by"]["name"], "rob");
        for (who, organization) in [(&trade.mia, "grid"), (&trade.pia, "borealis")] {
            let told = events(who, organization, "subscription.paused").await;
            let sides: Vec<_> = told.iter().map(|event| event["data"]["by"].as_str().unwrap()).collect();
            assert_eq!(sides, ["consumer", "provider", "operator"]);
            assert_eq!(events(who, organization, "subscription.resumed").await.len(), 3);
        }
    }

    async fn who_may_not_pause_is_told_so(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "public").await;
        let subscription = trade.active(&service, json!({"mode": "all"})).await;
        let provided = format!("/api/v1/services/{service}/subscriptions/{subscription}/pause");
        ask(&trade.vic, &subscription, "pause", json!({})).await.expect_problem(403, "forbidden");
        ask(&trade.sam, &subscription, "pause", json!({})).await.expect_problem(404, "not_found");
        ask(&app.anonymous(), &subscription, "pause", json!({})).await.expect_problem(401, "unauthenticated");
        ask(&trade.mia, &subscription, "pause", json!({"reason": "x".repeat(501)})).await.expect_problem(422, "invalid");
        ask(&trade.mia, &subscription, "resume", json!({})).await.expect_problem(409, "not_paused");
        post(&trade.pol, &provided, json!({"reason": "x"})).await.expect_problem(403, "forbidden");
        post(&trade.mia, &provided, json!({"reason": "x"})).await.expect_problem(404, "not_found");
        assert_eq!(post(&trade.pat, &provided, json!({})).await.expect_problem(422, "invalid")["errors"][0]["pointer"], "/reason");
        let other = trade.service("Other", "public").await;
        let elsewhere = format!("/api/v1/services/{other}/subscriptions/{subscription}/pause");
        post(&trade.pat, &elsewhere, json!({"reason": "x"})).await.expect_problem(404, "not_found");
        post(&trade.mia, &format!("/api/v1/operator/subscriptions/{subscription}/pause"), json!({"reason": "x"})).await.expect_problem(404, "not_found");
        let asked = trade.subscribe(&trade.eva, &other, json!({"mode": "all"})).await.expect(201);
        ask(&trade.mia, &id(&asked), "pause", json!({})).await.expect_problem(409, "wrong_state");
        ask(&trade.mia, &id(&asked), "cancel", json!({"when": "period_end"})).await.expect(200);
        trade.cancel(&trade.mia, &subscription).await.expect(200);
        for verb in ["pause", "resume", "keep"] {
            ask(&trade.mia, &subscription, verb, json!({})).await.expect_problem(409, "wrong_state");
        }
    }

    async fn a_pause_closes_at_once_and_a_resumption_opens_at_once(app: &TestApp) {
        let world = world::World::new(app).await;
        let service = world.service(app, "resources:read").await;
        let path = "/api/v1/organizations/grid-works/projects/north/resources";
        let subscription = format!("/api/v1/organizations/grid-works/subscriptions/{}", world.subscription);
        service.get(path).await.expect(200);
        post(&world.ada, &format!("{subscription}/pause"), json!({})).await.expect(200);
        service.get(path).await.expect_problem(401, "unauthenticated");
        let resource = world.resource(app);
        let fields = [("grant_type", "client_credentials"), ("resource", resource.as_str())];
        assert_eq!(world.form(app, "/oauth2/token", &fields).await.status, 400, "no token for what is paused");
        post(&world.ada, &format!("{subscription}/resume"), json!({})).await.expect(200);
        service.get(path).await.expect(200);
    }

    async fn a_decided_end_closes_in_its_very_instant_and_is_written_once(app: &TestApp) {
        let world = world::World::new(app).await;
        let path = "/api/v1/organizations/grid-works/projects/north/resources";
        let subscription = format!("/api/v1/organizations/grid-works/subscriptions/{}", world.subscription);
        let ending = post(&world.ada, &format!("{subscription}/cancel"), json!({"when": "period_end"})).await.expect(200);
        assert_eq!((ending["state"].as_str(), ending["ends_at"].as_str()), (Some("ending"), Some("2026-04-01T00:00:00.000000Z")));
        post(&world.ada, &format!("{subscription}/cancel"), json!({"when": "period_end"})).await.expect_problem(409, "already_ending");
        post(&world.ada, &format!("{subscription}/cancel"), json!({"when": "soon"})).await.expect_problem(422, "invalid");
        app.clock.set("2026-03-31T23:59:59Z");
        let service = world.service(app, "resources:read").await;
        service.get(path).await.expect(200);
        app.clock.set("2026-04-01T00:00:00Z");
        service.get(path).await.expect_problem(401, "unauthenticated");
        let read = world.ada.get(&subscription).await.expect(200);
        assert_eq!(read["state"], "ended", "before any job ran");
        post(&world.ada, &format!("{subscription}/keep"), json!({})).await.expect_problem(409, "wrong_state");
        post(&world.ada, &format!("{subscription}/pause"), json!({})).await.expect_problem(409, "wrong_state");
        assert_eq!(world.ada.get("/api/v1/organizations/grid-works/grants").await.expect(200)["items"], json!([]));

        app.clock.set("2026-04-01T00:07:00Z");
        let (one, other) = tokio::join!(tick(app), tick(app));
        assert_eq!(one.subscriptions + other.subscriptions, 1, "two nodes write it once");
        let read = world.ada.get(&subscription).await.expect(200);
        assert_eq!((read["state"].as_str(), read["ended_at"].as_str()), (Some("ended"), Some("2026-04-01T00:00:00.000000Z")));
        assert_eq!(read["grants"][0]["until"], "2026-04-01T00:00:00.000000Z");
        for organization in ["grid-works", "forecasters"] {
            let who = if organization == "grid-works" { &world.ada } else { &world.eve };
            let told = events(who, organization, "subscription.ended").await;
            assert_eq!((told.len(), told[0]["data"]["cause"].as_str(), told[0]["actor"]["kind"].as_str()), (1, Some("period_end"), Some("system")));
        }
    }

    async fn until_its_end_a_cancelled_subscription_can_be_kept_and_asked_for(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "public").await;
        let subscription = trade.active(&service, json!({"mode": "selected", "projects": ["north"]})).await;
        let asked = ask(&trade.eva, &subscription, "cancel", json!({"when": "period_end", "note": "too dear"})).await.expect(202);
        assert_eq!(asked["state"], "active");
        decide(&trade.rob, &id(&asked["request"]), "approve").await.expect(200);
        assert_eq!(trade.read(&subscription).await["state"], "ending");
        trade.choose(&trade.rob, &subscription, json!({"mode": "selected", "projects": ["north", "south"]})).await.expect(202);
        trade.choose(&trade.mia, &subscription, json!({"mode": "selected", "projects": ["south"]})).await.expect(200);
        assert_eq!(ask(&trade.rob, &subscription, "pause", json!({})).await.expect(200)["state"], "suspended");
        for who in [&trade.eva, &trade.rob, &trade.vic] {
            ask(who, &subscription, "keep", json!({})).await.expect_problem(403, "forbidden");
        }
        let kept = ask(&trade.mia, &subscription, "keep", json!({})).await.expect(200);
        assert_eq!((standing(&kept), kept["ends_at"].clone()), (is("suspended", &["consumer"]), Value::Null));
        ask(&trade.mia, &subscription, "keep", json!({})).await.expect_problem(409, "not_ending");
        assert_eq!(ask(&trade.eva, &subscription, "resume", json!({})).await.expect(200)["state"], "active");
        app.clock.set("2026-05-01T00:00:00Z");
        assert_eq!(tick(app).await.subscriptions, 0);
        assert_eq!(trade.read(&subscription).await["state"], "active");
        assert_eq!(events(&trade.pia, "borealis", "subscription.kept").await.len(), 1);
    }

    async fn what_has_ended_unwritten_stands_in_nobodys_way(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "public").await;
        let first = trade.active(&service, json!({"mode": "all", "include_future": "yes"})).await;
        ask(&trade.mia, &first, "cancel", json!({"when": "period_end"})).await.expect(200);
        trade.subscribe(&trade.mia, &service, json!({"mode": "all"})).await.expect_problem(409, "already_subscribed");
        app.clock.set("2026-04-02T00:00:00Z");
        trade.project("West").await;
        trade.choose(&trade.mia, &first, json!({"mode": "all"})).await.expect_problem(409, "wrong_state");
        let second = trade.subscribe(&trade.mia, &service, json!({"mode": "all"})).await.expect(201);
        assert_eq!(second["previous"], first.as_str());
        let read = trade.read(&first).await;
        assert_eq!((read["state"].as_str(), read["ended_at"].as_str()), (Some("ended"), Some("2026-04-01T00:00:00.000000Z")));
        assert!(read["grants"].as_array().unwrap().iter().all(|grant| grant["project"]["handle"] != "west"));
        assert_eq!(tick(app).await.subscriptions, 0, "it was written by who needed it");
    }

    async fn paused_days_cost_nothing_and_the_last_day_is_the_last_of_the_month(app: &TestApp) {
        let world = usage::World::new(app, usage::plan()).await;
        let subscription = format!("{SUBSCRIPTIONS}/{}", world.subscription);
        let fees = async |from: &str, to: &str| {
            let path = format!("/api/v1/organizations/grid/costs?from={from}&to={to}&group_by=component");
            let answer = world.ada.get(&path).await.expect(200);
            let row = |item: &Value| format!("{} {}", item["component"].as_str().unwrap(), item["cost"].as_str().unwrap());
            answer["items"].as_array().unwrap().iter().map(row).collect::<Vec<_>>()
        };
        app.clock.set("2026-03-12T12:00:00Z");
        post(&world.ada, &format!("{subscription}/pause"), json!({})).await.expect(200);
        app.clock.set("2026-03-20T12:00:00Z");
        let event = world.event("1", "north", "requests", "1", "2026-03-15T12:00:00Z");
        let refused = world.report(json!([event])).await.expect_problem(422, "invalid");
        assert!(refused["errors"][0]["detail"].as_str().unwrap().contains("paused at that time"), "{refused}");
        post(&world.ada, &format!("{subscription}/resume"), json!({})).await.expect(200);
        post(&world.ada, &format!("{subscription}/cancel"), json!({"when": "period_end"})).await.expect(200);
        app.clock.set("2026-04-05T12:00:00Z");
        // Active on 10, 11, 12 March and from 20 to 31 March: 15 days at 1 and, for two projects, at 0.2.
        let march = ["one_time 5", "monthly 15", "monthly_per_project 3"];
        assert_eq!(fees("2026-03-01", "2026-05-01").await, march, "before the end is written down");
        tick(app).await;
        assert_eq!(fees("2026-03-01", "2026-05-01").await, march);
    }

    async fn a_cancellation_and_a_change_of_projects_at_once_end_in_one_order(app: &TestApp) {
        let trade = Trade::new(app).await;
        let both = json!({"mode": "selected", "projects": ["north", "south"]});
        let mut seen = BTreeSet::new();
        let mut round = 0;
        while round < 4 || seen.len() < 2 {
            round += 1;
            assert!(round <= 30, "one order only: {seen:?}");
            let service = trade.service(&format!("Forecast {round}"), "public").await;
            let subscription = trade.active(&service, json!({"mode": "selected", "projects": ["north"]})).await;
            let (cancel, change) = (trade.cancel(&trade.mia, &subscription), trade.choose(&trade.mia, &subscription, both.clone()));
            // Either has the better start in turn.
            let (cancelled, changed) = if round % 2 == 0 {
                tokio::join!(cancel, change)
            } else {
                let (changed, cancelled) = tokio::join!(change, cancel);
                (cancelled, changed)
            };
            cancelled.expect(200);
            seen.insert(changed.status);
            let sequence = async |kind: &str| {
                let told = events(&trade.mia, "grid", kind).await;
                told.into_iter().find(|event| event["subject"]["id"] == json!(subscription)).map(|event| event["sequence"].as_i64().unwrap())
            };
            let (told, ended) = (sequence("subscription.projects_changed").await, sequence("subscription.ended").await);
            let read = trade.read(&subscription).await;
            let mut granted: Vec<_> = read["grants"].as_array().unwrap().iter().map(|grant| grant["project"]["handle"].as_str().unwrap()).collect();
            granted.sort_unstable();
            if changed.status == 200 {
                assert!(told.is_some() && told < ended, "the change came first: {told:?} {ended:?}");
                assert_eq!(granted, ["north", "south"]);
            } else {
                let problem = changed.expect_problem(409, "wrong_state");
                assert!(problem["detail"].as_str().unwrap().contains("ended"), "{problem}");
                assert!(told.is_none() && ended.is_some(), "nothing of the change is told: {told:?} {ended:?}");
                assert_eq!(granted, ["north"]);
            }
            assert_eq!(read["state"], "ended");
            let live = trade.vic.get(&format!("/api/v1/organizations/grid/grants?service={service}")).await.expect(200);
            assert_eq!(live["items"], json!([]), "no grant outlives its subscription");
        }
    }

    async fn a_pause_and_a_cancellation_at_once_end_in_one_order(app: &TestApp) {
        let trade = Trade::new(app).await;
        for round in 0..4 {
            let service = trade.service(&format!("Forecast {round}"), "public").await;
            let subscription = trade.active(&service, json!({"mode": "all"})).await;
            let (paused, again, cancelled) = tokio::join!(
                ask(&trade.eva, &subscription, "pause", json!({})),
                ask(&trade.rob, &subscription, "pause", json!({})),
                trade.cancel(&trade.mia, &subscription)
            );
            cancelled.expect(200);
            let won = [&paused, &again].into_iter().filter(|answer| answer.status == 200).count();
            assert!(won <= 1, "two pauses of one side");
            for lost in [paused, again].into_iter().filter(|answer| answer.status != 200) {
                let problem = lost.json();
                assert!(["wrong_state", "already_paused"].contains(&problem["code"].as_str().unwrap()), "{problem}");
                assert_eq!(lost.status, 409);
            }
            assert_eq!(standing(&trade.read(&subscription).await), is("ended", &[]));
        }
    }

    async fn an_organization_has_several_subscriptions_where_the_service_allows_it(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "public").await;
        let first = trade.active(&service, json!({"mode": "selected", "projects": ["north"]})).await;
        let path = format!("/api/v1/services/{service}/several");
        trade.subscribe(&trade.mia, &service, json!({"mode": "all"})).await.expect_problem(409, "already_subscribed");
        trade.pat.put(&path, json!({"several": true})).await.expect_problem(403, "forbidden");
        trade.mia.put(&path, json!({"several": true})).await.expect_problem(404, "not_found");
        trade.pia.put(&path, json!({"several": "yes"})).await.expect_problem(422, "invalid");
        assert_eq!(trade.pia.put(&path, json!({"several": true})).await.expect(200), json!({"several": true}));
        assert_eq!(trade.pol.get(&path).await.expect(200)["several"], true);
        let ask = async |label: &str| {
            let body = json!({"service": service, "projects": {"mode": "all"}, "accept_terms": true, "label": label});
            trade.mia.post(SUBSCRIPTIONS, body).await
        };
        assert_eq!(ask("").await.expect_problem(422, "invalid")["errors"][0]["pointer"], "/label");
        let second = ask("Winter").await.expect(201);
        assert_eq!((second["state"].as_str(), second["label"].as_str()), (Some("active"), Some("Winter")));
        ask("winter").await.expect_problem(422, "invalid");
        let map = trade.vic.get("/api/v1/organizations/grid/grants?project=north").await.expect(200);
        let labels: BTreeSet<_> = map["items"].as_array().unwrap().iter().map(|line| line["label"].as_str().unwrap()).collect();
        assert_eq!(labels, BTreeSet::from(["", "Winter"]));
        trade.cancel(&trade.mia, &first).await.expect(200);
        assert_eq!(trade.read(&id(&second)).await["state"], "active", "each on its own");
        // Subscribing again under a label follows the last one of that label, whichever others there are.
        trade.cancel(&trade.mia, &id(&second)).await.expect(200);
        let other = ask("Summer").await.expect(201);
        let third = ask("Winter").await.expect(201);
        assert_eq!((&other["previous"], &third["previous"]), (&Value::Null, &second["id"]));
        trade.cancel(&trade.mia, &id(&other)).await.expect(200);
        let viewer = app.person_with_password("una").await;
        let member = json!({"members": [{"email": viewer.user.email, "role": "viewer"}]});
        trade.mia.post("/api/v1/organizations/grid/members", member).await.expect(200);
        let viewer = app.signed_in(&viewer).await;
        for (of, word, to) in [(&third, "Follows", &second), (&second, "Followed by", &third)] {
            let text = viewer.get(&format!("/organizations/grid/subscriptions/{}/permissions", id(of))).await.text();
            let link = format!("{word} <a href=\"/organizations/grid/subscriptions/{0}/permissions\">{0}</a>.", id(to));
            assert!(text.contains(&link), "no {link} in {text}");
        }
        trade.pia.put(&path, json!({"several": false})).await.expect(200);
        trade.subscribe(&trade.mia, &service, json!({"mode": "all"})).await.expect_problem(409, "already_subscribed");
    }
}
