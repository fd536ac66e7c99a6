//! New versions of contracts: what applies at once, what waits for consent, and what each consent proves.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use stoa_domain::{
    consents::{digits, text_hash},
    time::{DAY, HOUR, Ts},
};
use stoa_store::params;
use stoa_testkit::{Answer, Person, TestApp, api_tests};

use super::{
    trade::{Trade, decide, events, id},
    usage, world,
};

/// A contract with the plan `Basic`.
fn contract(permissions: &[&str], monthly: &str) -> Value {
    json!({"level": "organization", "permissions": permissions, "plans": [{"name": "Basic", "currency": "EUR", "monthly": monthly}]})
}

const READ: &[&str] = &["resources:read"];
const BOTH: &[&str] = &["resources:read", "resources:write"];

async fn offer(who: &Person, service: &str, body: Value) -> Answer {
    who.post(&format!("/api/v1/services/{service}/contracts"), body).await
}

fn at(subscription: &str, rest: &str) -> String {
    format!("/api/v1/organizations/grid/subscriptions/{subscription}{rest}")
}

async fn standing(trade: &Trade, subscription: &str) -> Value {
    trade.vic.get(&at(subscription, "/contract")).await.expect(200)
}

async fn consents(trade: &Trade, subscription: &str) -> Vec<Value> {
    trade.vic.get(&at(subscription, "/consents")).await.expect(200)["items"].as_array().unwrap().clone()
}

fn words(standing: &Value) -> Vec<&str> {
    standing["offer"]["difference"]["in_words"].as_array().unwrap().iter().map(|one| one["text"].as_str().unwrap()).collect()
}

fn now(app: &TestApp) -> Ts {
    app.stoa.clock.now()
}

/// A trade with a subscription of north and south under version 1, and version 2 that asks to write and costs more.
async fn waiting(app: &TestApp, notice: Option<Ts>) -> (Trade, String, String, String) {
    let trade = Trade::new(app).await;
    let service = trade.service("Forecast", "public").await;
    let subscription = trade.active(&service, json!({"mode": "selected", "projects": ["north", "south"]})).await;
    app.clock.advance(HOUR);
    // Those of the members are others' concern.
    app.write_mails().await;
    app.mails().await;
    let mut body = contract(BOTH, "12");
    body["notice_until"] = json!(notice);
    let offered = offer(&trade.pia, &service, body).await.expect(201);
    assert_eq!(offered["subscribers"], json!({"applied": 0, "offered": 1, "kept": 0, "more": false}));
    app.clock.advance(HOUR);
    (trade, service, subscription, id(&offered))
}

api_tests! {
    async fn fewer_permissions_and_lower_prices_apply_with_the_next_request(app: &TestApp) {
        let world = world::World::new(app).await;
        let service = world.service(app, "resources:read resources:write").await;
        let path = "/api/v1/organizations/grid-works/projects/north/resources/a.csv";
        let put = || service.request(Method::PUT, path).body("a,b");
        service.send(put()).await.expect(201);
        app.clock.advance(HOUR / 2);
        let offered = offer(&world.eve, &world.service.to_string(), contract(READ, "9.50")).await.expect(201);
        assert_eq!(offered["subscribers"], json!({"applied": 1, "offered": 0, "kept": 0, "more": false}));
        service.send(put()).await.expect_problem(403, "insufficient_scope");
        assert_eq!(service.get(path).await.status, 200);

        let url = format!("/api/v1/organizations/grid-works/subscriptions/{}", world.subscription);
        let read = world.ada.get(&url).await.expect(200);
        assert_eq!((&read["contract"]["version"], &read["plan"]["monthly"]), (&json!(2), &json!("9.50")));
        assert_eq!(read["permissions"], json!(["resources:read"]));
        let standing = world.ada.get(&format!("{url}/contract")).await.expect(200);
        assert_eq!(standing["offer"], Value::Null);
        let versions: Vec<_> = standing["history"].as_array().unwrap().iter().map(|one| one["version"].as_i64().unwrap()).collect();
        assert_eq!(versions, [1, 2]);
        // Nobody was asked, so nobody consented.
        let consents = world.ada.get(&format!("{url}/consents")).await.expect(200);
        assert_eq!(consents["items"].as_array().unwrap().len(), 1);
        for (who, organization) in [(&world.ada, "grid-works"), (&world.eve, "forecasters")] {
            let told = events(who, organization, "subscription.contract_changed").await;
            assert_eq!(told.len(), 1, "{organization}");
            assert_eq!(told[0]["data"]["accepted"], false);
            assert_eq!(told[0]["data"]["changes"][0], "The service may no longer write, replace and delete resources of the chosen projects.");
        }
        assert_eq!(events(&world.eve, "forecasters", "service.contract_added").await[0]["data"]["applied"], 1);
    }

    async fn more_waits_for_consent_and_an_editor_asks_for_it(app: &TestApp) {
        let (trade, service, subscription, contract) = waiting(app, None).await;
        let before = trade.read(&subscription).await;
        assert_eq!((&before["contract"]["version"], &before["permissions"]), (&json!(1), &json!(["resources:read"])));
        let seen = standing(&trade, &subscription).await;
        assert_eq!(
            words(&seen),
            [
                "The service may also write, replace and delete resources of the chosen projects.",
                "The monthly fee is higher: EUR 12.00 instead of EUR 10.00.",
            ]
        );
        assert_eq!((&seen["offer"]["state"], &seen["offer"]["until"]), (&json!("open"), &Value::Null));
        assert_eq!(seen["offer"]["plan"]["name"], "Basic");
        app.write_mails().await;
        let mail = app.mail_to(&trade.mia.user.email).await;
        assert!(mail.rendered.text.contains("Borealis offers version 2 of the contract of Forecast"), "{}", mail.rendered.text);

        let asked = trade.eva.post(&at(&subscription, "/contract/accept"), json!({"contract": contract, "note": "we need it"})).await.expect(202);
        let request = id(&asked["request"]);
        assert_eq!((&asked["request"]["kind"], &asked["request"]["contract"]["version"]), (&json!("accept_contract"), &json!(2)));
        trade.vic.post(&at(&subscription, "/contract/accept"), json!({"contract": contract})).await.expect_problem(409, "already_requested");
        assert_eq!(standing(&trade, &subscription).await["offer"]["request"], json!(request));
        decide(&trade.vic, &request, "approve").await.expect_problem(403, "forbidden");
        decide(&trade.rob, &request, "approve").await.expect(200);
        let after = trade.read(&subscription).await;
        assert_eq!((&after["contract"]["version"], &after["plan"]["monthly"]), (&json!(2), &json!("12")));
        assert_eq!(trade.granted(&subscription).await, ["north", "south"]);

        let kept = consents(&trade, &subscription).await;
        assert_eq!(kept.iter().map(|one| one["kind"].as_str().unwrap()).collect::<Vec<_>>(), ["subscribed", "accepted"]);
        let last = &kept[1];
        assert_eq!((&last["accepted_by"]["name"], &last["approved_by"]["name"], &last["request"]), (&json!("eva"), &json!("rob"), &json!(request)));
        assert_eq!((&last["permissions"], &last["plan"]["monthly"]), (&json!(BOTH), &json!("12")));
        let whole = trade.vic.get(&at(&subscription, &format!("/consents/{}", id(last)))).await.expect(200);
        let text = whole["text"].as_str().unwrap();
        assert_eq!(digits(&text_hash(text)), last["contract"]["text_sha256"].as_str().unwrap());
        assert!(text.contains(&contract) && text.contains("resources:write"), "{text}");
        let told = events(&trade.vic, "grid", "subscription.contract_changed").await;
        assert_eq!((&told[0]["data"]["accepted"], &told[0]["data"]["consent"]["id"]), (&json!(true), &last["id"]));
        assert_eq!(trade.vic.get(&at(&subscription, "/consents/con_01h455vb4pex5vsknk084sn02q")).await.status, 404);

        trade.mia.post(&at(&subscription, "/contract/accept"), json!({"contract": contract})).await.expect_problem(409, "no_offer");
        let versions = trade.pol.get(&format!("/api/v1/services/{service}/contracts")).await.expect(200);
        let shown = versions["items"].as_array().unwrap();
        assert_eq!((&shown[0]["version"], &shown[0]["current"], &shown[0]["subscriptions"]), (&json!(2), &json!(true), &json!(1)));
        assert_eq!((&shown[1]["subscriptions"], &shown[0]["undecided"]), (&json!(0), &json!(0)));
        assert_eq!((&shown[0]["changes"][0]["plan"], &shown[0]["changes"][0]["difference"]["applies_at_once"]), (&json!("Basic"), &json!(false)));
        assert_eq!(trade.sam.get(&format!("/api/v1/services/{service}/contracts")).await.status, 403);
    }

    async fn a_consent_may_be_for_some_projects_and_takes_the_others_out(app: &TestApp) {
        let (trade, _, subscription, contract) = waiting(app, None).await;
        let accept = at(&subscription, "/contract/accept");
        let wrong = async |projects: Value| {
            let body = json!({"contract": contract, "projects": projects});
            trade.mia.post(&accept, body).await.expect_problem(422, "invalid")["errors"][0]["pointer"].clone()
        };
        assert_eq!(wrong(json!([])).await, "/projects");
        assert_eq!(wrong(json!(["north", "east"])).await, "/projects/1");
        trade.mia.post(&accept, json!({"contract": "ctr_01h455vb4pex5vsknk084sn02q"})).await.expect_problem(409, "offer_changed");
        trade.mia.post(&accept, json!({"contract": "x"})).await.expect_problem(422, "invalid");
        trade.mia.post(&accept, json!({"contract": contract, "plan": "Max"})).await.expect_problem(422, "invalid");
        assert_eq!(trade.sam.post(&accept, json!({"contract": contract})).await.status, 404);
        assert_eq!(app.anonymous().post(&accept, json!({"contract": contract})).await.status, 401);
        trade.mia.post(&accept, json!({"contract": contract, "projects": ["north"]})).await.expect(200);
        assert_eq!(trade.granted(&subscription).await, ["north"]);
        let read = trade.read(&subscription).await;
        assert_eq!((&read["projects"]["mode"], &read["contract"]["version"]), (&json!("selected"), &json!(2)));
        let kept = consents(&trade, &subscription).await;
        assert_eq!(kept[1]["projects"].as_array().unwrap().len(), 1);
        assert_eq!(kept[1]["projects"][0]["name"], "North");
        assert_eq!(kept[1]["approved_by"], Value::Null);
        let told = events(&trade.vic, "grid", "subscription.projects_changed").await;
        assert_eq!(told[0]["data"]["removed"][0]["name"], "South");
    }

    async fn an_answer_may_consent_for_other_projects(app: &TestApp) {
        let (trade, service, subscription, contract) = waiting(app, None).await;
        let asked = trade.eva.post(&at(&subscription, "/contract/accept"), json!({"contract": contract})).await.expect(202);
        let path = format!("/api/v1/requests/{}", id(&asked["request"]));
        let question = async || trade.rob.post(&format!("{path}/ask"), json!({"question": "for both?"})).await.expect(200);
        let answer = async |mut body: Value| {
            body["text"] = json!("so");
            trade.eva.post(&format!("{path}/answer"), body).await
        };
        question().await;
        for (body, pointer) in [
            (json!({"consented": []}), "/consented"),
            (json!({"consented": ["north", "east"]}), "/consented/1"),
            (json!({"plan": "Max"}), "/plan"),
            (json!({"projects": {"mode": "all"}}), "/projects"),
        ] {
            assert_eq!(answer(body).await.expect_problem(422, "invalid")["errors"][0]["pointer"], pointer);
        }
        let changes = |request: &Value| request["decisions"].as_array().unwrap().last().unwrap()["changes"].clone();
        let less = answer(json!({"consented": ["north"]})).await.expect(200);
        assert_eq!((changes(&less), &less["consented"][0]["name"]), (json!(["without South"]), &json!("North")));
        question().await;
        let all = answer(json!({"consented": null})).await.expect(200);
        assert_eq!((changes(&all), &all["consented"]), (json!(["with South"]), &Value::Null));
        question().await;
        answer(json!({"consented": ["north"]})).await.expect(200);
        question().await;
        // An answer without other wishes changes nothing.
        assert_eq!(changes(&answer(json!({})).await.expect(200)), json!([]));
        decide(&trade.rob, &id(&asked["request"]), "approve").await.expect(200);
        assert_eq!(trade.granted(&subscription).await, ["north"]);
        assert_eq!(trade.read(&subscription).await["contract"]["version"], 2);
        // The map names who approved what the service may do now, and who did at first.
        let approver = async |at: &str| {
            let map = trade.vic.get(&format!("/api/v1/organizations/grid/grants?project=north&at={at}")).await.expect(200);
            (map["items"][0]["approved_by"]["name"].clone(), map["items"][0]["request"].clone())
        };
        assert_eq!(approver("").await, (json!("rob"), json!(id(&asked["request"]))));
        assert_eq!(approver("2026-03-10T12:30:00Z").await, (json!("mia"), Value::Null));

        // What was agreed to without a request is told as well, and so is what needed nobody's consent.
        app.clock.advance(HOUR);
        trade.choose(&trade.mia, &subscription, json!({"mode": "selected", "projects": ["north", "east"]})).await.expect(200);
        app.clock.advance(HOUR);
        offer(&trade.pia, &service, self::contract(READ, "9")).await.expect(201);
        app.clock.advance(HOUR);
        trade.choose(&trade.mia, &subscription, json!({"mode": "selected", "projects": ["east"]})).await.expect(200);
        app.clock.advance(HOUR);
        let third = id(&offer(&trade.pia, &service, self::contract(BOTH, "20")).await.expect(201));
        trade.mia.post(&at(&subscription, "/contract/accept"), json!({"contract": third})).await.expect(200);
        let viewer = app.person_with_password("una").await;
        let member = json!({"members": [{"email": viewer.user.email, "role": "viewer"}]});
        trade.mia.post("/api/v1/organizations/grid/members", member).await.expect(200);
        let viewer = app.signed_in(&viewer).await;
        let text = viewer.get(&format!("/organizations/grid/subscriptions/{subscription}/permissions")).await.text();
        for told in [
            "subscribed plan Basic and accepted version 1 of the contract",
            "ended its access to South",
            "gave it access to East",
            "put version 3 of the contract in place, plan Basic",
            "ended its access to North",
            "accepted version 4 of the contract, plan Basic",
        ] {
            assert!(text.contains(told), "no “{told}” in {text}");
        }
    }

    async fn a_rule_makes_what_costs_more_wait_and_nothing_else(app: &TestApp) {
        let (trade, service, subscription, contract) = waiting(app, None).await;
        let rules = json!([{"name": "Large", "monthly_from": [{"amount": "12", "currency": "EUR"}]}]);
        trade.mia.put("/api/v1/organizations/grid/policy", json!({"rules": rules})).await.expect(200);
        let asked = trade.mia.post(&at(&subscription, "/contract/accept"), json!({"contract": contract})).await.expect(202);
        assert!(asked["request"]["rule"].as_str().unwrap().starts_with("Large: "), "{asked}");
        decide(&trade.rob, &id(&asked["request"]), "approve").await.expect(200);
        assert_eq!(trade.read(&subscription).await["contract"]["version"], 2);

        let plans = json!([
            {"name": "Basic", "currency": "EUR", "monthly": "12"},
            {"name": "Less", "currency": "EUR", "monthly": "11"},
            {"name": "Plus", "currency": "EUR", "monthly": "20"},
        ]);
        offer(&trade.pia, &service, json!({"level": "organization", "permissions": BOTH, "plans": plans})).await.expect(201);
        let change = async |plan: &str| trade.mia.post(&at(&subscription, "/plan"), json!({"plan": plan})).await;
        change("Less").await.expect(200);
        let asked = change("Plus").await.expect(202);
        assert!(asked["request"]["rule"].as_str().unwrap().starts_with("Large: "), "{asked}");
        decide(&trade.rob, &id(&asked["request"]), "approve").await.expect(200);
        assert_eq!(change("Basic").await.expect(200)["plan"]["name"], "Basic");
    }

    async fn a_refusal_keeps_the_contract_until_the_day_and_then_the_subscription_ends(app: &TestApp) {
        let until = now(app).plus(40 * DAY);
        let (trade, _, subscription, contract) = waiting(app, Some(until)).await;
        app.write_mails().await;
        assert!(app.mail_to(&trade.mia.user.email).await.rendered.text.contains("the subscription ends on that day"));
        let refuse = at(&subscription, "/contract/refuse");
        for (who, status) in [(&trade.vic, 403), (&trade.eva, 403), (&trade.rob, 403), (&trade.sam, 404)] {
            assert_eq!(who.post(&refuse, json!({"contract": contract})).await.status, status);
        }
        // A request to accept it is over with the refusal.
        let asked = trade.eva.post(&at(&subscription, "/contract/accept"), json!({"contract": contract})).await.expect(202);
        trade.mia.post(&refuse, json!({"contract": contract})).await.expect(200);
        assert_eq!(trade.vic.get(&format!("/api/v1/requests/{}", id(&asked["request"]))).await.expect(200)["state"], "withdrawn");
        trade.mia.post(&refuse, json!({"contract": contract})).await.expect(200);
        assert_eq!(standing(&trade, &subscription).await["offer"]["state"], "refused");
        assert_eq!(events(&trade.pol, "borealis", "subscription.contract_refused").await.len(), 1);

        // Waits for a decision when the day comes.
        let plan = trade.eva.post(&at(&subscription, "/contract/accept"), json!({"contract": contract})).await.expect(202);
        app.write_mails().await;
        let told: BTreeSet<String> = app.mails().await.into_iter().map(|mail| mail.rendered.subject).collect();
        assert_eq!(told, BTreeSet::from(["Waits for you: Grid asks to accept the new contract of Forecast".to_owned()]));
        let round = async || stoa_actions::contracts::tick(&app.stoa, now(app)).await.unwrap();
        assert_eq!((round().await.reminded, round().await.ended), (0, 0));
        app.clock.advance(33 * DAY - 2 * HOUR);
        assert_eq!(round().await.reminded, 1);
        assert_eq!(round().await.reminded, 0);
        app.write_mails().await;
        assert!(app.mail_to(&trade.mia.user.email).await.mail.subject().contains("loses Forecast soon"));
        app.clock.advance(7 * DAY - HOUR);
        assert_eq!(round().await.ended, 0);
        assert_eq!(trade.read(&subscription).await["state"], "active");
        app.clock.advance(2 * HOUR);
        assert_eq!(round().await.ended, 1);
        assert_eq!(round().await.ended, 0);
        let read = trade.read(&subscription).await;
        assert_eq!((&read["state"], &read["contract"]["version"]), (&json!("ended"), &json!(1)));
        assert!(trade.granted(&subscription).await.is_empty());
        let told = events(&trade.vic, "grid", "subscription.ended").await;
        assert_eq!((&told[0]["data"]["cause"], &told[0]["actor"]["kind"]), (&json!("contract_not_accepted"), &json!("system")));
        assert_eq!(trade.vic.get(&format!("/api/v1/requests/{}", id(&plan["request"]))).await.expect(200)["state"], "withdrawn");
        app.write_mails().await;
        assert!(app.mail_to(&trade.mia.user.email).await.rendered.text.contains("was not accepted in time"));
        trade.mia.post(&at(&subscription, "/contract/accept"), json!({"contract": contract})).await.expect_problem(409, "no_offer");
    }

    async fn a_refused_contract_may_still_be_accepted_and_a_newer_one_takes_its_place(app: &TestApp) {
        let until = now(app).plus(31 * DAY);
        let (trade, service, subscription, second) = waiting(app, Some(until)).await;
        trade.mia.post(&at(&subscription, "/contract/refuse"), json!({"contract": second})).await.expect(200);
        let third = offer(&trade.pia, &service, contract(BOTH, "11")).await.expect(201);
        trade.mia.post(&at(&subscription, "/contract/accept"), json!({"contract": second})).await.expect_problem(409, "offer_changed");
        let seen = standing(&trade, &subscription).await;
        assert_eq!((&seen["offer"]["contract"]["version"], &seen["offer"]["state"]), (&json!(3), &json!("open")));
        trade.mia.post(&at(&subscription, "/contract/refuse"), json!({"contract": third["id"]})).await.expect(200);
        trade.mia.post(&at(&subscription, "/contract/accept"), json!({"contract": third["id"]})).await.expect(200);
        // The day of the second one concerns nobody any more.
        app.clock.advance(32 * DAY);
        assert_eq!(stoa_actions::contracts::tick(&app.stoa, now(app)).await.unwrap().ended, 0);
        // A fourth that asks for less than what was accepted applies at once.
        let fourth = offer(&trade.pia, &service, contract(READ, "11")).await.expect(201);
        assert_eq!(fourth["subscribers"]["applied"], 1);
        assert_eq!(trade.read(&subscription).await["contract"]["version"], 4);
        let versions: Vec<_> = standing(&trade, &subscription).await["history"].as_array().unwrap().iter().map(|one| one["version"].clone()).collect();
        assert_eq!(versions, [json!(1), json!(3), json!(4)]);
    }

    async fn an_approval_is_judged_again_and_a_newer_contract_makes_it_void(app: &TestApp) {
        let (trade, service, subscription, second) = waiting(app, None).await;
        let asked = trade.eva.post(&at(&subscription, "/contract/accept"), json!({"contract": second, "projects": ["south"]})).await.expect(202);
        let request = id(&asked["request"]);
        assert_eq!(asked["request"]["consented"][0]["handle"], "south");
        trade.choose(&trade.mia, &subscription, json!({"mode": "selected", "projects": ["north"]})).await.expect(200);
        decide(&trade.rob, &request, "approve").await.expect_problem(409, "nothing_consented");
        trade.choose(&trade.mia, &subscription, json!({"mode": "selected", "projects": ["north", "south"]})).await.expect(200);
        offer(&trade.pia, &service, contract(BOTH, "20")).await.expect(201);
        decide(&trade.rob, &request, "approve").await.expect_problem(409, "offer_changed");
        decide(&trade.rob, &request, "reject").await.expect(200);
        assert_eq!(trade.read(&subscription).await["contract"]["version"], 1);
    }

    async fn subscribers_at_another_level_keep_theirs_and_paths_are_asked_for(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "public").await;
        let subscription = trade.active(&service, json!({"mode": "all"})).await;
        let plans = |names: &[&str]| names.iter().map(|name| json!({"name": name, "currency": "EUR", "monthly": "10"})).collect::<Vec<_>>();
        let with = |names: &[&str], paths: Value| json!({"level": "organization", "permissions": READ, "plans": plans(names), "plan_paths": paths});
        let refused = offer(&trade.pia, &service, with(&["Plus", "Max"], json!({}))).await.expect_problem(422, "invalid");
        assert_eq!(refused["errors"][0]["pointer"], "/plan_paths/Basic");
        let refused = offer(&trade.pia, &service, with(&["Plus", "Max"], json!({"Basic": "Mini"}))).await.expect_problem(422, "invalid");
        assert_eq!(refused["errors"][0]["pointer"], "/plan_paths/Basic");
        let soon = json!({"level": "organization", "permissions": READ, "plans": plans(&["Basic"]), "notice_until": now(app).plus(29 * DAY)});
        assert_eq!(offer(&trade.pia, &service, soon).await.expect_problem(422, "invalid")["errors"][0]["pointer"], "/notice_until");
        let moved = offer(&trade.pia, &service, with(&["Plus", "Max"], json!({"Basic": "Max"}))).await.expect(201);
        assert_eq!(moved["subscribers"]["applied"], 1);
        assert_eq!(trade.read(&subscription).await["plan"]["name"], "Max");
        let other = json!({"level": "project", "permissions": READ, "plans": plans(&["Each"])});
        let kept = offer(&trade.pia, &service, other).await.expect(201);
        assert_eq!(kept["subscribers"], json!({"applied": 0, "offered": 0, "kept": 1, "more": false}));
        let read = trade.read(&subscription).await;
        assert_eq!((&read["contract"]["version"], &read["contract"]["level"]), (&json!(2), &json!("organization")));
        assert_eq!(standing(&trade, &subscription).await["offer"], Value::Null);
        for who in [&trade.pat, &trade.pol] {
            offer(who, &service, contract(READ, "1")).await.expect_problem(403, "forbidden");
        }
    }

    async fn what_one_transaction_does_not_reach_a_job_does(app: &TestApp) {
        let (trade, service, subscription, contract) = waiting(app, None).await;
        // As if it had not been reached.
        let mut tx = app.stoa.db.begin().await.unwrap();
        tx.execute("delete from contract_offers", params![]).await.unwrap();
        let service: stoa_domain::ids::ServiceId = service.parse().unwrap();
        tx.execute(
            "insert into contract_rollouts (organization_id, service_id, contract_id, started_at)
             select organization_id, id, contract_id, 1 from services where id = $1",
            params![service],
        )
        .await
        .unwrap();
        tx.commit().await.unwrap();
        assert_eq!(standing(&trade, &subscription).await["offer"], Value::Null);
        let round = stoa_actions::contracts::tick(&app.stoa, now(app)).await.unwrap();
        assert_eq!(round.reached, 1);
        assert_eq!(standing(&trade, &subscription).await["offer"]["contract"]["id"], json!(contract));
        assert_eq!(stoa_actions::contracts::tick(&app.stoa, now(app)).await.unwrap().reached, 0);
    }

    async fn another_plan_holds_from_its_day_and_is_charged_once(app: &TestApp) {
        app.clock.set("2026-04-01T00:00:00Z");
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "public").await;
        let plans = json!([
            {"name": "Basic", "currency": "EUR", "one_time": "5", "monthly": "30"},
            {"name": "Plus", "currency": "EUR", "one_time": "50", "monthly": "60"},
        ]);
        offer(&trade.pia, &service, json!({"level": "organization", "permissions": READ, "plans": plans})).await.expect(201);
        let body = json!({"service": service, "plan": "Basic", "projects": {"mode": "selected", "projects": ["north"]}, "accept_terms": true});
        let subscription = id(&trade.mia.post("/api/v1/organizations/grid/subscriptions", body).await.expect(201));
        let change = at(&subscription, "/plan");
        app.clock.set("2026-04-11T10:00:00Z");
        trade.mia.post(&change, json!({"plan": "Max"})).await.expect_problem(422, "invalid");
        trade.mia.post(&change, json!({})).await.expect_problem(422, "invalid");
        assert_eq!(trade.sam.post(&change, json!({"plan": "Plus"})).await.status, 404);
        assert_eq!(app.anonymous().post(&change, json!({"plan": "Plus"})).await.status, 401);
        assert_eq!(trade.mia.post(&change, json!({"plan": "Basic"})).await.expect(200)["plan"]["name"], "Basic");
        assert!(events(&trade.vic, "grid", "subscription.plan_changed").await.is_empty());

        let asked = trade.vic.post(&change, json!({"plan": "Plus", "note": "more"})).await.expect(202);
        let request = id(&asked["request"]);
        assert_eq!((&asked["request"]["kind"], &asked["request"]["plan"]["name"]), (&json!("change_plan"), &json!("Plus")));
        decide(&trade.rob, &request, "reject").await.expect(200);
        assert_eq!(trade.read(&subscription).await["plan"]["name"], "Basic");
        let asked = trade.eva.post(&change, json!({"plan": "Plus"})).await.expect(202);
        decide(&trade.rob, &id(&asked["request"]), "approve").await.expect(200);
        assert_eq!(trade.read(&subscription).await["plan"]["name"], "Plus");
        let told = events(&trade.pol, "borealis", "subscription.plan_changed").await;
        assert_eq!((&told[0]["data"]["from"]["name"], &told[0]["data"]["to"]["name"]), (&json!("Basic"), &json!("Plus")));
        let kept = consents(&trade, &subscription).await;
        assert_eq!((&kept[1]["kind"], &kept[1]["plan"]["name"]), (&json!("plan_changed"), &json!("Plus")));

        app.clock.set("2026-05-20T00:00:00Z");
        let costs = |from: &str, to: &str| format!("/api/v1/organizations/grid/costs?from={from}&to={to}&group_by=component");
        let cost = |answer: Value| {
            let row = |item: &Value| format!("{} {}", item["component"].as_str().unwrap(), item["cost"].as_str().unwrap());
            answer["items"].as_array().unwrap().iter().map(row).collect::<Vec<_>>()
        };
        // Ten days at 1, twenty at 2; what is paid once is the first plan's.
        assert_eq!(cost(trade.vic.get(&costs("2026-04-01", "2026-05-01")).await.expect(200)), ["one_time 5", "monthly 50"]);
        let by_day = trade.vic.get("/api/v1/organizations/grid/costs?from=2026-04-10&to=2026-04-12&group_by=day").await.expect(200);
        assert_eq!(by_day["items"].as_array().unwrap().iter().map(|item| item["cost"].as_str().unwrap()).collect::<Vec<_>>(), ["1", "2"]);
        trade.cancel(&trade.mia, &subscription).await.expect(200);
        trade.mia.post(&change, json!({"plan": "Basic"})).await.expect_problem(409, "wrong_state");
    }

    async fn usage_counts_on_the_meters_that_the_plan_had_at_its_time(app: &TestApp) {
        let world = usage::World::new(app, usage::plan()).await;
        app.clock.set("2026-03-20T12:00:00Z");
        let service = world.service["id"].as_str().unwrap();
        let plan = json!({"name": "Standard", "currency": "EUR", "monthly": "31", "monthly_per_project": "3.1",
            "meters": [{"name": "requests", "unit": "request", "unit_price": "0.0000003"}]});
        let body = json!({"level": "organization", "permissions": READ, "plans": [plan]});
        assert_eq!(offer(&world.bob, service, body).await.expect(201)["subscribers"]["applied"], 1);
        app.clock.set("2026-03-21T12:00:00Z");
        let event = |id: &str, meter: &str, time: &str| world.event(id, "north", meter, "1", time);
        world.report(json!([event("1", "storage", "2026-03-20T13:00:00Z")])).await.expect_problem(422, "invalid");
        world.report(json!([event("1", "storage", "2026-03-20T11:59:59Z"), event("2", "requests", "2026-03-21T10:00:00Z")])).await.expect(200);
        let costs = world.ada.get("/api/v1/organizations/grid/costs?from=2026-03-01&to=2026-04-01&group_by=component").await.expect(200);
        let shown: Vec<_> = costs["items"].as_array().unwrap().iter().map(|item| format!("{} {}", item["component"].as_str().unwrap(), item["cost"].as_str().unwrap())).collect();
        assert_eq!(shown, ["one_time 5", "monthly 12", "monthly_per_project 2.4", "meter:requests 0.0000003", "meter:storage 1"]);
    }
}
