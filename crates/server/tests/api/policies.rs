//! What an organization wants to be approved beyond what the roles ask for.

use serde_json::{Value, json};
use stoa_testkit::{Answer, Person, api_tests};

use crate::trade::{Trade, decide, events, id};

const POLICY: &str = "/api/v1/organizations/grid/policy";

async fn set(who: &Person, rules: Value) -> Answer {
    who.put(POLICY, json!({"rules": rules})).await
}

fn large(amount: &str) -> Value {
    json!([{"name": "Large", "monthly_from": [{"amount": amount, "currency": "EUR"}]}])
}

fn all() -> Value {
    json!({"mode": "all", "include_future": "no"})
}

fn rule_of(request: &Value) -> String {
    request["rule"].as_str().unwrap().to_owned()
}

api_tests! {
    async fn maintainers_set_it_all_read_it_and_the_log_tells_it(app: &TestApp) {
        let trade = Trade::new(app).await;
        let read = trade.vic.get(POLICY).await.expect(200);
        assert_eq!(read, json!({"request_days": 30, "rules": []}));
        let rules = json!([{"name": "Large", "roles": ["editor", "maintainer"], "kinds": ["subscribe"],
            "monthly_from": [{"amount": "500", "currency": "EUR"}], "permissions": ["resources:write"]}]);
        for (who, status) in [(&trade.vic, 403), (&trade.rob, 403), (&trade.eva, 403), (&trade.pia, 404)] {
            assert_eq!(set(who, rules.clone()).await.status, status, "{}", who.user.name);
        }
        assert_eq!(app.anonymous().get(POLICY).await.status, 401);
        let made = trade.mia.put(POLICY, json!({"request_days": 10, "rules": rules})).await.expect(200);
        let words = "an editor or a maintainer who subscribes a service, for fees of EUR 500.00 a month or more, where the service may \
            write, replace and delete resources of the chosen projects";
        assert_eq!(made["rules"][0]["words"], words);
        assert_eq!(made["rules"][0]["monthly_from"], json!([{"amount": "500.00", "currency": "EUR"}]));
        let read = trade.vic.get(POLICY).await.expect(200);
        assert_eq!(read, made);
        // What was read can be sent back, which changes nothing.
        trade.mia.put(POLICY, read).await.expect(200);
        let told = events(&trade.vic, "grid", "policy.changed").await;
        assert_eq!((told.len(), told[0]["data"]["to"]["request_days"].as_i64()), (1, Some(10)));
        trade.sam.get(POLICY).await.expect_problem(404, "not_found");

        let wrong = json!({"request_days": 400, "rules": [{"name": " ", "roles": ["king"], "kinds": ["cancel"],
            "monthly_from": [{"amount": "-5", "currency": "EUR"}]}]});
        let problem = trade.mia.put(POLICY, wrong).await.expect_problem(422, "invalid");
        let pointers: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|one| one["pointer"].as_str().unwrap()).collect();
        assert_eq!(pointers, ["/request_days", "/rules/0/name", "/rules/0/roles/0", "/rules/0/kinds", "/rules/0/monthly_from/0/amount"]);
    }

    async fn a_maintainer_waits_for_another_person_where_a_rule_fits(app: &TestApp) {
        let trade = Trade::new(app).await;
        set(&trade.mia, large("10")).await.expect(200);
        let service = trade.service("Forecast", "public").await;
        let asked = trade.subscribe(&trade.mia, &service, all()).await.expect(201);
        let request = asked["request"].clone();
        assert_eq!((asked["state"].as_str(), request["step"].as_str()), (Some("requested"), Some("internal")));
        let rule = "Large: EUR 10.00 a month or more needs another person's approval; this comes to EUR 10.00 a month";
        assert_eq!(request["rule"], rule);
        // Mia is the only maintainer, so she may decide her own request; the log says so.
        decide(&trade.vic, &id(&request), "approve").await.expect_problem(403, "forbidden");
        decide(&trade.mia, &id(&request), "approve").await.expect(200);
        assert_eq!(events(&trade.mia, "grid", "request.approved").await[0]["data"]["own"], true);
        // With a second maintainer she waits for somebody else.
        let role = format!("/api/v1/organizations/grid/members/{}", trade.eva.id());
        trade.mia.patch(&role, json!({"role": "maintainer"})).await.expect(200);
        let service = trade.service("Second", "public").await;
        let asked = trade.subscribe(&trade.mia, &service, all()).await.expect(201);
        decide(&trade.mia, &id(&asked["request"]), "approve").await.expect_problem(409, "own_request");
        decide(&trade.rob, &id(&asked["request"]), "approve").await.expect(200);
        // Below the rule nobody waits.
        set(&trade.mia, large("10.01")).await.expect(200);
        let service = trade.service("Third", "public").await;
        assert_eq!(trade.subscribe(&trade.mia, &service, all()).await.expect(201)["state"], "active");
    }

    async fn more_projects_and_publishing_wait_where_a_rule_fits_and_reducing_never(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "public").await;
        let subscription = trade.active(&service, json!({"mode": "selected", "projects": ["north", "south"]})).await;
        set(&trade.mia, json!([{"name": "Four eyes", "kinds": ["add_projects"]}])).await.expect(200);
        let both = json!({"mode": "selected", "projects": ["north", "east"]});
        let asked = trade.choose(&trade.mia, &subscription, both).await.expect(202);
        assert_eq!(asked["request"]["rule"], "Four eyes: another person approves this here");
        assert_eq!(trade.granted(&subscription).await, ["north"], "what is taken out is out at once");
        decide(&trade.rob, &id(&asked["request"]), "approve").await.expect(200);
        assert_eq!(trade.granted(&subscription).await, ["east", "north"]);
        let only = json!({"mode": "selected", "projects": ["north"]});
        assert_eq!(trade.choose(&trade.mia, &subscription, only).await.expect(200)["request"], Value::Null);
        trade.cancel(&trade.mia, &subscription).await.expect(200);

        let rules = json!({"rules": [{"name": "Launch", "roles": ["maintainer"], "kinds": ["publish"]}]});
        trade.pia.put("/api/v1/organizations/borealis/policy", rules).await.expect(200);
        let draft = trade.draft("Second", "public", "organization", &["Basic"]).await;
        let asked = trade.pia.post(&format!("/api/v1/services/{draft}/publish"), json!({})).await.expect(202);
        decide(&trade.pat, &id(&asked["request"]), "approve").await.expect(200);
        assert_eq!(trade.sam.get(&format!("/api/v1/marketplace/{draft}")).await.expect(200)["name"], "Second");
    }

    async fn a_change_of_level_is_judged_by_all_that_will_be_paid(app: &TestApp) {
        let trade = Trade::new(app).await;
        for number in 4..=20 {
            trade.project(&format!("P{number}")).await;
        }
        let service = trade.service("Forecast", "public").await;
        trade.active(&service, all()).await;
        set(&trade.mia, large("100")).await.expect(200);
        let plans = json!([{"name": "Basic", "currency": "EUR", "monthly": "31"}]);
        let body = json!({"level": "project", "permissions": ["resources:read"], "plans": plans, "notice_until": "2026-06-01T00:00:00Z"});
        let contract = trade.pia.post(&format!("/api/v1/services/{service}/contracts"), body).await.expect(201)["id"].clone();
        let accept = |body: Value| { let mia = trade.mia.clone(); async move {
            mia.post("/api/v1/organizations/grid/level-changes", body).await
        } };
        let asked = accept(json!({"service": service, "contract": contract})).await.expect(202);
        let request = trade.vic.get(&format!("/api/v1/requests/{}", asked["request"].as_str().unwrap())).await.expect(200);
        let rule = "Large: EUR 100.00 a month or more needs another person's approval; this comes to EUR 620.00 a month";
        assert_eq!(request["rule"], rule);
        let path = format!("/api/v1/requests/{}", id(&request));
        trade.rob.post(&format!("{path}/ask"), json!({"question": "for all of them?"})).await.expect(200);
        let answer = json!({"text": "for four", "consented": ["north", "south", "east", "p4"]});
        let answered = trade.mia.post(&format!("{path}/answer"), answer).await.expect(200);
        assert!(answered["rule"].as_str().unwrap().ends_with("this comes to EUR 124.00 a month"), "{answered}");
        // Three subscriptions of 31 are below it.
        decide(&trade.mia, &id(&request), "withdraw").await.expect(200);
        let some = json!({"service": service, "contract": contract, "projects": ["north", "south", "east"]});
        assert_eq!(accept(some).await.expect(201)["change"]["parts"].as_array().unwrap().len(), 3);
    }

    async fn publishing_waits_where_any_plan_reaches_the_price_of_a_rule(app: &TestApp) {
        let trade = Trade::new(app).await;
        let policy = "/api/v1/organizations/borealis/policy";
        let rules = |amount: &str| json!({"rules": [{"name": "Dear", "kinds": ["publish"], "monthly_from": [{"amount": amount, "currency": "EUR"}]}]});
        let made = trade.pia.put(policy, rules("30")).await.expect(200);
        assert_eq!(made["rules"][0]["words"], "anybody who publishes a service, for fees of EUR 30.00 a month or more");
        let draft = trade.draft("Forecast", "public", "organization", &["Basic"]).await;
        let plans = json!([{"name": "Basic", "currency": "EUR", "monthly": "10"}, {"name": "Plus", "currency": "EUR", "monthly": "25", "monthly_per_project": "5"}]);
        let contract = json!({"level": "organization", "permissions": ["resources:read"], "plans": plans});
        trade.pia.post(&format!("/api/v1/services/{draft}/contracts"), contract).await.expect(201);
        let asked = trade.pia.post(&format!("/api/v1/services/{draft}/publish"), json!({})).await.expect(202);
        let request = trade.pia.get(&format!("/api/v1/requests/{}", id(&asked["request"]))).await.expect(200);
        assert!(request["rule"].as_str().unwrap().ends_with("this comes to EUR 30.00 a month"), "{request}");
        decide(&trade.pia, &id(&request), "withdraw").await.expect(200);
        trade.pia.put(policy, rules("30.01")).await.expect(200);
        trade.pia.post(&format!("/api/v1/services/{draft}/publish"), json!({})).await.expect(200);
    }

    async fn a_rule_made_meanwhile_asks_the_organization_itself_before_it_happens(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "on_request").await;
        let asked = trade.subscribe(&trade.mia, &service, all()).await.expect(201);
        let request = id(&asked["request"]);
        assert_eq!(asked["request"]["step"], "provider");
        set(&trade.mia, large("5")).await.expect(200);
        let sent_back = decide(&trade.pat, &request, "approve").await.expect(200);
        assert_eq!((sent_back["state"].as_str(), sent_back["step"].as_str()), (Some("open"), Some("internal")));
        let asked_again = trade.mia.get(&format!("/api/v1/requests/{request}")).await.expect(200);
        assert!(asked_again["rule"].as_str().unwrap().starts_with("Large: EUR 5.00"), "{asked_again}");
        assert_eq!(trade.read(&id(&asked)).await["state"], "requested");
        // Both approvals are there then; the provider is not asked again.
        let done = decide(&trade.rob, &request, "approve").await.expect(200);
        assert_eq!(done["state"], "approved");
        assert_eq!(trade.read(&id(&asked)).await["state"], "active");
        // A role that may only ask by now needs an approval too.
        let second = trade.service("Second", "on_request").await;
        set(&trade.mia, json!([])).await.expect(200);
        let role = format!("/api/v1/organizations/grid/members/{}", trade.eva.id());
        trade.mia.patch(&role, json!({"role": "maintainer"})).await.expect(200);
        let asked = trade.subscribe(&trade.eva, &second, all()).await.expect(201);
        trade.mia.patch(&role, json!({"role": "viewer"})).await.expect(200);
        let sent_back = decide(&trade.pat, &id(&asked["request"]), "approve").await.expect(200);
        assert_eq!((sent_back["state"].as_str(), sent_back["step"].as_str()), (Some("open"), Some("internal")));
    }

    async fn a_rule_is_told_to_those_whose_rule_it_is_and_only_while_they_decide(app: &TestApp) {
        let trade = Trade::new(app).await;
        set(&trade.mia, large("5")).await.expect(200);
        let service = trade.service("Forecast", "on_request").await;
        app.write_mails().await;
        app.mails().await;
        let asked = trade.subscribe(&trade.mia, &service, all()).await.expect(201);
        let request = id(&asked["request"]);
        let rule = async |who: &Person| rule_of(&who.get(&format!("/api/v1/requests/{request}")).await.expect(200));
        let told = async |who: &Person, organization: &str, kind: &str| events(who, organization, kind).await[0]["data"].clone();
        assert!(rule(&trade.rob).await.starts_with("Large: EUR 5.00"));
        assert_eq!(rule(&trade.pat).await, "");
        assert!(told(&trade.mia, "grid", "request.opened").await["rule"].as_str().unwrap().starts_with("Large"));
        assert_eq!(told(&trade.pia, "borealis", "request.opened").await["rule"], Value::Null);
        app.write_mails().await;
        let mails = app.mails().await;
        assert!(!mails.is_empty() && mails.iter().all(|mail| mail.rendered.text.contains("Large: EUR 5.00")), "{mails:#?}");

        // Once the organization itself has approved, its rule explains nothing any more.
        decide(&trade.rob, &request, "approve").await.expect(200);
        assert_eq!((rule(&trade.rob).await, rule(&trade.pat).await), (String::new(), String::new()));
        assert_eq!(trade.read(&id(&asked)).await["requests"][0]["rule"], "");
        app.write_mails().await;
        let mails = app.mails().await;
        assert!(mails.iter().any(|mail| mail.to.starts_with("pat@")), "{mails:#?}");
        decide(&trade.pat, &request, "approve").await.expect(200);
        app.write_mails().await;
        let later = app.mails().await;
        assert!(mails.iter().chain(&later).all(|mail| !mail.rendered.text.contains("Large")), "{mails:#?} {later:#?}");
        let log = trade.pia.get("/api/v1/organizations/borealis/events?limit=200").await.expect(200).to_string();
        assert!(log.contains("request.forwarded") && !log.contains("Large"), "{log}");
    }

    async fn an_answer_is_judged_by_the_policy_too(app: &TestApp) {
        let trade = Trade::new(app).await;
        let plans = json!([{"name": "Small", "currency": "EUR", "monthly": "10"}, {"name": "Big", "currency": "EUR", "monthly": "900"}]);
        let draft = trade.draft("Forecast", "on_request", "organization", &["Small"]).await;
        let contract = json!({"level": "organization", "permissions": ["resources:read"], "plans": plans});
        trade.pia.post(&format!("/api/v1/services/{draft}/contracts"), contract).await.expect(201);
        trade.pia.post(&format!("/api/v1/services/{draft}/publish"), json!({})).await.expect(200);
        set(&trade.mia, large("500")).await.expect(200);
        let body = json!({"service": draft, "plan": "Small", "projects": all(), "accept_terms": true});
        let asked = trade.mia.post("/api/v1/organizations/grid/subscriptions", body).await.expect(201);
        let path = format!("/api/v1/requests/{}", id(&asked["request"]));
        assert_eq!(asked["request"]["step"], "provider");
        trade.pat.post(&format!("{path}/ask"), json!({"question": "so small?"})).await.expect(200);
        let answered = trade.mia.post(&format!("{path}/answer"), json!({"text": "then big", "plan": "Big"})).await.expect(200);
        assert_eq!((answered["step"].as_str(), answered["state"].as_str()), (Some("internal"), Some("open")));
        assert!(answered["rule"].as_str().unwrap().contains("EUR 900.00"), "{answered}");
    }
}
