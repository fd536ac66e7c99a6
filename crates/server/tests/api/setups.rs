//! Subscriptions that their provider sets up before they come into force: who says so, what opens when, and what fails.

use reqwest::Method;
use serde_json::{Value, json};
use stoa_actions::jobs;
use stoa_domain::time::{DAY, HOUR};
use stoa_testkit::{Answer, Client, TestApp, api_tests};

use crate::{
    trade::{Trade, decide, events, id, names},
    usage,
};

const SUBSCRIPTIONS: &str = "/api/v1/organizations/grid/subscriptions";

fn north() -> Value {
    json!({"mode": "selected", "projects": ["north"], "details": [{"project": "north", "purpose": "the winter", "until": "2027-01-01"}]})
}

/// A published service whose subscriptions are set up first.
async fn service(trade: &Trade, visibility: &str) -> String {
    let service = trade.service("Forecast", visibility).await;
    let path = format!("/api/v1/services/{service}/setup");
    assert_eq!(trade.pia.put(&path, json!({"setup": true})).await.expect(200), json!({"setup": true}));
    service
}

fn path(service: &str, subscription: &str, verb: &str) -> String {
    format!("/api/v1/services/{service}/subscriptions/{subscription}/{verb}")
}

async fn say(who: &Client, service: &str, subscription: &str, verb: &str) -> Answer {
    let body = if verb == "fail" { json!({"reason": "no licence is left"}) } else { json!({}) };
    who.send(who.request(Method::POST, &path(service, subscription, verb)).json(&body)).await
}

/// Writes the mails and takes them: to whom, and their subjects; sorted.
async fn told(app: &TestApp) -> Vec<(String, String)> {
    app.write_mails().await;
    let mut mails: Vec<_> = app.mails().await.into_iter().map(|mail| (mail.to, mail.rendered.subject)).collect();
    mails.sort();
    mails
}

fn to(who: &str, what: &str) -> (String, String) {
    (format!("{who}@people.example"), what.to_owned())
}

api_tests! {
    async fn nothing_is_open_or_charged_until_the_provider_has_set_it_up(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = service(&trade, "public").await;
        told(app).await;
        let made = trade.subscribe(&trade.mia, &service, north()).await.expect(201);
        let subscription = id(&made);
        assert_eq!((made["state"].as_str(), &made["activated_at"], &made["grants"]), (Some("provisioning"), &Value::Null, &json!([])));
        assert_eq!(made["setup"]["reason"], Value::Null);
        assert!(made["setup"]["due_at"].as_str() > made["setup"]["since"].as_str(), "{made}");
        assert_eq!(told(app).await, [to("pia", "Grid waits for you to set up Forecast")]);
        let (application, secret) = trade.credentials().await;
        let form = [("grant_type", "client_credentials"), ("resource", made["resource"].as_str().unwrap())];
        let anonymous = app.anonymous();
        let asked = anonymous.request(Method::POST, "/oauth2/token").basic_auth(&application, Some(&secret)).form(&form);
        assert_eq!(anonymous.send(asked).await.expect(400)["error"], "invalid_target");
        trade.choose(&trade.mia, &subscription, json!({"mode": "all"})).await.expect_problem(409, "wrong_state");
        for verb in ["pause", "resume", "keep"] {
            trade.mia.post(&format!("{SUBSCRIPTIONS}/{subscription}/{verb}"), json!({})).await.expect_problem(409, "wrong_state");
        }
        trade.subscribe(&trade.mia, &service, north()).await.expect_problem(409, "already_subscribed");

        app.clock.advance(HOUR);
        let ready = say(&trade.pat, &service, &subscription, "ready").await.expect(200);
        assert_eq!((ready["state"].as_str(), names(&ready["projects"])), (Some("active"), vec!["North"]));
        let read = trade.read(&subscription).await;
        assert_eq!(read["activated_at"], read["grants"][0]["since"], "granted from the moment on at which it is ready");
        assert!(read["activated_at"].as_str() > read["created_at"].as_str(), "{read}");
        assert_eq!((read["grants"][0]["purpose"].as_str(), read["setup"].clone()), (Some("the winter"), Value::Null));
        assert_eq!(read["grants"][0]["approved_by"]["name"], "mia", "who subscribed approved it, not the provider");
        assert_eq!(told(app).await, [to("mia", "Forecast is set up for Grid")]);
        let resource = Some(read["resource"].as_str().unwrap().to_owned());
        assert!(!usage::token(&app.anonymous(), &application, &secret, resource).await.is_empty());
        for verb in ["ready", "fail"] {
            let problem = say(&trade.pia, &service, &subscription, verb).await.expect_problem(409, "wrong_state");
            assert!(problem["detail"].as_str().unwrap().starts_with("the subscription is active; it can't be reported as"), "{problem}");
        }
        for organization in [(&trade.mia, "grid"), (&trade.pia, "borealis")] {
            for kind in ["subscription.provisioning", "subscription.ready", "subscription.activated"] {
                assert_eq!(events(organization.0, organization.1, kind).await.len(), 1, "{kind}");
            }
        }
    }

    async fn an_approved_request_waits_for_the_provider_and_grants_what_it_asked_for(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = service(&trade, "on_request").await;
        let asked = trade.subscribe(&trade.eva, &service, north()).await.expect(201);
        let (subscription, request) = (id(&asked), id(&asked["request"]));
        say(&trade.pia, &service, &subscription, "ready").await.expect_problem(409, "wrong_state");
        decide(&trade.rob, &request, "approve").await.expect(200);
        decide(&trade.pat, &request, "approve").await.expect(200);
        let read = trade.read(&subscription).await;
        assert_eq!((read["state"].as_str(), read["grants"].clone()), (Some("provisioning"), json!([])));
        told(app).await;
        say(&trade.pat, &service, &subscription, "ready").await.expect(200);
        let read = trade.read(&subscription).await;
        assert_eq!((read["state"].as_str(), read["grants"][0]["purpose"].as_str()), (Some("active"), Some("the winter")));
        assert_eq!((&read["grants"][0]["request"], read["grants"][0]["approved_by"]["name"].as_str()), (&json!(request), Some("pat")));
        let both = [to("eva", "Forecast is set up for Grid"), to("mia", "Forecast is set up for Grid")];
        assert_eq!(told(app).await, both, "whoever asked and the maintainers");
    }

    async fn whoever_says_ready_is_not_taken_for_who_approved_it(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = service(&trade, "on_request").await;
        trade.pia.put(&format!("/api/v1/services/{service}/several"), json!({"several": true})).await.expect(200);
        let approved = async |label: &str| {
            let body = json!({"service": service, "projects": {"mode": "all"}, "accept_terms": true, "label": label});
            let asked = trade.eva.post(SUBSCRIPTIONS, body).await.expect(201);
            decide(&trade.rob, &id(&asked["request"]), "approve").await.expect(200);
            decide(&trade.pat, &id(&asked["request"]), "approve").await.expect(200);
            (id(&asked), id(&asked["request"]))
        };
        let (first, second) = (approved("One").await, approved("Two").await);
        let (application, secret) = trade.credentials().await;
        let anonymous = app.anonymous();
        let own = anonymous.with_token(&usage::token(&anonymous, &application, &secret, None).await);
        for (who, (subscription, request)) in [(&own, first), (&*trade.pia, second)] {
            assert_eq!(say(who, &service, &subscription, "ready").await.expect(200)["state"], "active");
            let consents = trade.vic.get(&format!("{SUBSCRIPTIONS}/{subscription}/consents")).await.expect(200);
            let consent = &consents["items"][0];
            assert_eq!((&consent["accepted_by"]["name"], &consent["approved_by"]["name"]), (&json!("eva"), &json!("pat")));
            assert_eq!((consents["items"].as_array().unwrap().len(), &consent["request"]), (1, &json!(request)));
            assert_eq!(trade.read(&subscription).await["grants"][0]["approved_by"]["name"], "pat");
        }
    }

    async fn the_service_itself_finds_what_waits_and_says_how_it_went(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = service(&trade, "public").await;
        trade.pia.put(&format!("/api/v1/services/{service}/several"), json!({"several": true})).await.expect(200);
        let subscribe = async |label: &str| {
            let body = json!({"service": service, "projects": {"mode": "all"}, "accept_terms": true, "label": label});
            id(&trade.mia.post(SUBSCRIPTIONS, body).await.expect(201))
        };
        let (first, second) = (subscribe("One").await, subscribe("Two").await);
        let (application, secret) = trade.credentials().await;
        let anonymous = app.anonymous();
        let own = anonymous.with_token(&usage::token(&anonymous, &application, &secret, None).await);
        let waiting = own.get(&format!("/api/v1/services/{service}/subscriptions?state=provisioning")).await.expect(200);
        assert_eq!(waiting["items"].as_array().unwrap().len(), 2);
        assert_eq!(say(&own, &service, &first, "ready").await.expect(200)["state"], "active");
        let failed = say(&own, &service, &second, "fail").await.expect(200);
        assert_eq!((failed["state"].as_str(), failed["setup"]["reason"].as_str()), (Some("failed"), Some("no licence is left")));
        assert_eq!(failed["setup"]["failed_by"], Value::Null, "the service said so, nobody else");
        // A token of a subscription speaks for that one only, another application's for nothing here.
        let resource = Some(trade.read(&first).await["resource"].as_str().unwrap().to_owned());
        let narrow = anonymous.with_token(&usage::token(&anonymous, &application, &secret, resource).await);
        say(&narrow, &service, &first, "ready").await.expect_problem(403, "forbidden");
        let other = id(&trade.mia.post("/api/v1/applications", json!({"name": "Other"})).await.expect(201));
        let made = trade.mia.post(&format!("/api/v1/applications/{other}/secrets"), json!({})).await.expect(201);
        let foreign = usage::token(&anonymous, &other, made["secret"].as_str().unwrap(), None).await;
        say(&anonymous.with_token(&foreign), &service, &first, "ready").await.expect_problem(404, "not_found");
    }

    async fn what_can_not_be_set_up_is_closed_with_a_reason_and_subscribed_again(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = service(&trade, "public").await;
        let subscription = id(&trade.subscribe(&trade.mia, &service, north()).await.expect(201));
        told(app).await;
        for reason in ["", "  ", &"x".repeat(501)] {
            let problem = trade.pia.post(&path(&service, &subscription, "fail"), json!({"reason": reason})).await.expect_problem(422, "invalid");
            assert_eq!(problem["errors"][0]["pointer"], "/reason");
        }
        trade.pol.post(&path(&service, &subscription, "fail"), json!({"reason": "x"})).await.expect_problem(403, "forbidden");
        trade.mia.post(&path(&service, &subscription, "fail"), json!({"reason": "x"})).await.expect_problem(404, "not_found");
        say(&app.anonymous(), &service, &subscription, "fail").await.expect_problem(401, "unauthenticated");
        say(&trade.pia, &service, "sub_01h455vb4pex5vsknk084sn02q", "ready").await.expect_problem(404, "not_found");
        say(&trade.pia, &service, &subscription, "fail").await.expect(200);
        let read = trade.read(&subscription).await;
        assert_eq!((read["state"].as_str(), read["setup"]["reason"].as_str()), (Some("failed"), Some("no licence is left")));
        assert_eq!((read["setup"]["failed_by"]["name"].as_str(), &read["activated_at"]), (Some("pia"), &Value::Null));
        assert_eq!(told(app).await, [to("mia", "Forecast could not be set up for Grid")]);
        let costs = trade.mia.get("/api/v1/organizations/grid/costs?from=2026-01-01&to=2026-12-31").await.expect(200);
        assert!(!costs.to_string().contains("Forecast"), "{costs}");
        let again = trade.subscribe(&trade.mia, &service, north()).await.expect(201);
        assert_eq!(again["state"], "provisioning");
    }

    async fn it_is_taken_back_until_it_is_ready_and_fails_when_the_time_is_over(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = service(&trade, "public").await;
        let subscription = id(&trade.subscribe(&trade.mia, &service, north()).await.expect(201));
        trade.cancel(&trade.vic, &subscription).await.expect_problem(403, "forbidden");
        assert_eq!(trade.cancel(&trade.mia, &subscription).await.expect(200)["state"], "withdrawn");
        say(&trade.pia, &service, &subscription, "ready").await.expect_problem(409, "wrong_state");
        let second = id(&trade.subscribe(&trade.mia, &service, north()).await.expect(201));
        told(app).await;
        let tick = async || jobs::tick(&app.stoa, app.stoa.clock.now()).await.unwrap().setups;
        app.clock.advance(14 * DAY - HOUR);
        assert_eq!(tick().await, 0);
        app.clock.advance(HOUR);
        let (one, other) = tokio::join!(tick(), tick());
        assert_eq!(one + other, 1, "two nodes close it once");
        let read = trade.read(&second).await;
        assert_eq!((read["state"].as_str(), read["setup"]["reason"].as_str()), (Some("failed"), Some("its provider did not set it up in time")));
        assert_eq!(told(app).await, [to("mia", "Forecast could not be set up for Grid")]);
        assert_eq!(tick().await, 0);
    }

    async fn ready_fail_and_taking_back_at_the_same_moment_end_in_one_of_them(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = service(&trade, "public").await;
        for _ in 0..6 {
            let subscription = id(&trade.subscribe(&trade.mia, &service, north()).await.expect(201));
            let (ready, failed, back) = tokio::join!(
                say(&trade.pat, &service, &subscription, "ready"),
                say(&trade.pia, &service, &subscription, "fail"),
                trade.cancel(&trade.mia, &subscription)
            );
            let read = trade.read(&subscription).await;
            let state = read["state"].as_str().unwrap();
            // What came into force first is ended by the cancellation, which then comes second.
            let won: Vec<u16> = [&ready, &failed, &back].iter().map(|answer| answer.status).collect();
            let expected = match state {
                "ended" => [200, 409, 200],
                "active" => [200, 409, 409],
                "failed" => [409, 200, 409],
                "withdrawn" => [409, 409, 200],
                other => panic!("{other}"),
            };
            assert_eq!(won, expected, "{state}");
            for lost in [ready, failed, back].into_iter().filter(|answer| answer.status == 409) {
                lost.expect_problem(409, "wrong_state");
            }
            let live: Vec<_> = read["grants"].as_array().unwrap().iter().filter(|grant| grant["until"].is_null()).collect();
            assert_eq!(live.is_empty(), state != "active", "no grant without an active subscription");
            if state == "active" {
                trade.cancel(&trade.mia, &subscription).await.expect(200);
            }
        }
    }

    async fn whether_a_service_is_set_up_first_is_its_providers_to_say_and_counts_from_then_on(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "public").await;
        let path = format!("/api/v1/services/{service}/setup");
        assert_eq!(trade.pol.get(&path).await.expect(200), json!({"setup": false}));
        trade.pat.put(&path, json!({"setup": true})).await.expect_problem(403, "forbidden");
        trade.mia.put(&path, json!({"setup": true})).await.expect_problem(404, "not_found");
        trade.pia.put(&path, json!({"setup": "yes"})).await.expect_problem(422, "invalid");
        let active = trade.active(&service, json!({"mode": "all"})).await;
        trade.pia.put(&path, json!({"setup": true})).await.expect(200);
        assert_eq!(trade.read(&active).await["state"], "active");
        trade.cancel(&trade.mia, &active).await.expect(200);
        let waiting = id(&trade.subscribe(&trade.mia, &service, json!({"mode": "all"})).await.expect(201));
        trade.pia.put(&path, json!({"setup": false})).await.expect(200);
        assert_eq!(trade.read(&waiting).await["state"], "provisioning", "it is still to be set up");
        say(&trade.pia, &service, &waiting, "ready").await.expect(200);
        trade.project("West").await;
        assert_eq!(trade.granted(&waiting).await, ["east", "north", "south", "west"]);
        let changed = events(&trade.pia, "borealis", "service.updated").await;
        assert!(changed.iter().any(|event| event["data"]["changes"]["setup"] == json!({"from": false, "to": true})), "{changed:?}");
    }

    async fn deleting_the_project_or_the_organization_takes_back_what_is_being_set_up(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.draft("Forecast", "public", "project", &["Basic"]).await;
        trade.pia.post(&format!("/api/v1/services/{service}/publish"), json!({})).await.expect(200);
        trade.pia.put(&format!("/api/v1/services/{service}/setup"), json!({"setup": true})).await.expect(200);
        let subscribe = async |project: &str| {
            let body = json!({"service": service, "project": project, "accept_terms": true});
            id(&trade.mia.post(SUBSCRIPTIONS, body).await.expect(201))
        };
        let (north, south) = (subscribe("north").await, subscribe("south").await);
        trade.mia.delete("/api/v1/organizations/grid/projects/north").await.expect(204);
        assert_eq!(trade.read(&north).await["state"], "withdrawn");
        trade.pia.post(&format!("/api/v1/services/{service}/pause"), json!({})).await.expect(200);
        trade.pia.post(&format!("/api/v1/services/{service}/retire"), json!({})).await.expect_problem(409, "in_use");
        trade.mia.delete("/api/v1/organizations/grid?confirm=Grid").await.expect(204);
        say(&trade.pia, &service, &south, "ready").await.expect_problem(409, "wrong_state");
        app.clock.advance(15 * DAY);
        jobs::tick(&app.stoa, app.stoa.clock.now()).await.unwrap();
    }
}
