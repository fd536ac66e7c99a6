//! Changes of level: the dry run, both ways of access, the switch in one transaction, the way back, and the announced day.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use stoa_domain::time::HOUR;
use stoa_testkit::{Answer, Client, Person, TestApp, api_tests};

use crate::{
    forms::{member, shows},
    trade::{Trade, decide, events, id},
    usage::token,
};

/// A service of Borealis that is subscribed for single projects of Grid.
struct Moving {
    trade: Trade,
    service: String,
    /// The subscriptions of north (Basic), south (Plus) and east (Basic).
    olds: [String; 3],
    application: String,
    secret: String,
    app: Client,
}

fn plans(monthly: [&str; 2]) -> Value {
    let meters = json!([{"name": "calls", "unit": "call", "charge_model": "graduated", "free_units": "10",
        "tiers": [{"up_to": "100", "unit_price": "1"}, {"up_to": null, "unit_price": "0.5"}]}]);
    json!([{"name": "Basic", "currency": "EUR", "one_time": "7", "monthly": monthly[0], "meters": meters},
        {"name": "Plus", "currency": "EUR", "one_time": "7", "monthly": monthly[1], "meters": meters}])
}

const UNTIL: &str = "2026-06-01T00:00:00Z";

/// The contract of the service at the other level.
fn contract(level: &str) -> Value {
    json!({"level": level, "permissions": ["resources:read"], "plans": plans(["31", "62"]), "notice_until": UNTIL})
}

impl Moving {
    /// At project level since 10 March, three subscriptions.
    async fn new(app: &TestApp) -> Self {
        let trade = Trade::new(app).await;
        let (application, secret) = trade.credentials().await;
        let body = json!({"application": application, "name": "Forecast", "summary": "Reads", "description": "Reads data",
            "categories": ["energy"], "visibility": "public",
            "contract": {"level": "project", "permissions": ["resources:read"], "plans": plans(["3.1", "6.2"])}});
        let service = id(&trade.pia.post("/api/v1/organizations/borealis/services", body).await.expect(201));
        trade.pia.post(&format!("/api/v1/services/{service}/publish"), json!({})).await.expect(200);
        let mut olds = Vec::new();
        for (project, plan) in [("north", "Basic"), ("south", "Plus"), ("east", "Basic")] {
            let path = format!("/api/v1/organizations/grid/projects/{project}/resources/a.csv");
            trade.mia.send(trade.mia.request(Method::PUT, &path).body("a,b")).await.expect(201);
            let body = json!({"service": service, "project": project, "plan": plan, "accept_terms": true});
            olds.push(id(&trade.mia.post("/api/v1/organizations/grid/subscriptions", body).await.expect(201)));
        }
        let olds = olds.try_into().unwrap();
        Self { trade, service, olds, application, secret, app: app.anonymous() }
    }

    /// The same, with the contract at organization level offered.
    async fn offered(app: &TestApp) -> Self {
        let moving = Self::new(app).await;
        app.clock.set("2026-04-10T12:00:00Z");
        let offered = moving.offer(contract("organization")).await.expect(201);
        assert_eq!(offered["subscribers"], json!({"applied": 0, "offered": 3, "kept": 0, "more": false}));
        moving
    }

    async fn offer(&self, body: Value) -> Answer {
        self.trade.pia.post(&format!("/api/v1/services/{}/contracts", self.service), body).await
    }

    async fn accept(&self, who: &Person, more: Value) -> Answer {
        let offered = self.trade.pia.get(&format!("/api/v1/services/{}", self.service)).await.expect(200)["contract"]["id"].clone();
        let mut body = json!({"service": self.service, "contract": offered});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        who.post("/api/v1/organizations/grid/level-changes", body).await
    }

    /// A change that was accepted for all projects: its id and the subscription that follows.
    async fn accepted(&self) -> (String, String) {
        let change = self.accept(&self.trade.mia, json!({"plan": "Basic"})).await.expect(201)["change"].clone();
        assert_eq!(change["state"], "accepted");
        (id(&change), change["parts"][0]["to"].as_str().unwrap().to_owned())
    }

    async fn step(&self, who: &Person, change: &str, verb: &str) -> Answer {
        who.post(&format!("/api/v1/level-changes/{change}/{verb}"), json!({})).await
    }

    /// A client with a token of a subscription.
    async fn with_token(&self, app: &TestApp, subscription: &str) -> Client {
        let resource = format!("{}/subscriptions/{subscription}", app.stoa.public_url.trim_end_matches('/'));
        self.app.with_token(&token(&self.app, &self.application, &self.secret, Some(resource)).await)
    }

    /// Which of the projects a client opens.
    async fn opens(&self, client: &Client) -> Vec<&'static str> {
        let mut open = Vec::new();
        for project in ["north", "south", "east"] {
            let answer = client.get(&format!("/api/v1/organizations/grid/projects/{project}/resources/a.csv")).await;
            if answer.status == 200 {
                open.push(project);
            }
        }
        open
    }

    fn event(&self, number: &str, subject: &str, project: &str, quantity: &str, time: &str) -> Value {
        json!({"specversion": "1.0", "id": number, "source": "/c", "type": "stoa.usage.v1", "time": time, "subject": subject,
            "data": {"project": project, "meter": "calls", "quantity": quantity}})
    }

    /// Reports with a token of the service itself.
    async fn report(&self, batch: Value) -> Answer {
        let reporter = self.app.with_token(&token(&self.app, &self.application, &self.secret, None).await);
        let request = reporter.request(Method::POST, "/api/v1/usage").header("content-type", "application/cloudevents-batch+json");
        reporter.send(request.body(batch.to_string())).await
    }

    async fn rows(&self, what: &str, query: &str) -> Vec<String> {
        let answer = self.trade.vic.get(&format!("/api/v1/organizations/grid/{what}?{query}")).await.expect(200);
        let row = |item: &Value| {
            let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
            let amount = if what == "usage" { &item["quantity"] } else { &item["cost"] };
            let what = if item["component"].is_null() { text(&item["project"]["handle"]) } else { text(&item["component"]) };
            format!("{what} {}", text(amount))
        };
        answer["items"].as_array().unwrap().iter().map(row).collect()
    }

    async fn state(&self, subscription: &str) -> (String, Vec<String>) {
        let read = self.trade.read(subscription).await;
        let causes = read["paused_by"].as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect();
        (read["state"].as_str().unwrap().to_owned(), causes)
    }

    async fn set_budget(&self, of: &str, amount: &str) {
        let path = format!("/api/v1/organizations/grid/subscriptions/{of}/budget");
        self.trade.mia.put(&path, json!({"amount": amount})).await.expect(200);
    }

    /// The amount of a subscription's budget.
    async fn budget(&self, of: &str) -> Value {
        let path = format!("/api/v1/organizations/grid/subscriptions/{of}/budget");
        self.trade.vic.get(&path).await.expect(200)["amount"]["amount"].clone()
    }

    /// What the dry run says of budgets.
    async fn budgets_told(&self) -> Vec<String> {
        let path = format!("/api/v1/organizations/grid/level-changes/outlook?service={}", self.service);
        let told = self.trade.vic.get(&path).await.expect(200)["budgets"].clone();
        told.as_array().unwrap().iter().map(|words| words.as_str().unwrap().to_owned()).collect()
    }

    /// The lines of the map at an instant: service and project.
    async fn map(&self, at: &str) -> Vec<(String, String)> {
        let page = self.trade.vic.get(&format!("/api/v1/organizations/grid/grants?at={at}")).await.expect(200);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let mut lines: Vec<_> =
            page["items"].as_array().unwrap().iter().map(|one| (text(&one["project"]["handle"]), text(&one["subscription"]))).collect();
        lines.sort();
        lines
    }
}

fn active() -> (String, Vec<String>) {
    ("active".to_owned(), Vec::new())
}

fn alias() -> (String, Vec<String>) {
    ("suspended".to_owned(), vec!["level_change".to_owned()])
}

api_tests! {
    async fn the_dry_run_tells_both_sides_what_merges_and_what_it_would_have_cost(app: &TestApp) {
        let moving = Moving::new(app).await;
        let (trade, olds) = (&moving.trade, &moving.olds);
        app.clock.set("2026-04-10T12:00:00Z");
        let batch = json!([
            moving.event("1", &olds[0], "north", "70", "2026-03-12T00:00:00Z"),
            moving.event("2", &olds[1], "south", "60", "2026-03-12T00:00:00Z"),
        ]);
        moving.report(batch).await.expect(200);
        let path = format!("/api/v1/services/{}/level-changes/outlook", moving.service);
        let dry = trade.pia.post(&path, contract("organization")).await.expect(200);
        assert_eq!(dry["level"], "organization");
        let one = &dry["items"][0];
        assert_eq!((&one["organization"]["name"], &one["subscriptions_after"]), (&json!("Grid"), &json!(1)));
        let parts: Vec<_> = one["parts"].as_array().unwrap().iter()
            .map(|part| format!("{} {} {}", part["project_name"].as_str().unwrap(), part["from_plan"].as_str().unwrap(), part["to_plan"].as_str().unwrap()))
            .collect();
        assert_eq!(parts, ["East Basic Basic", "North Basic Basic", "South Plus Plus"]);
        // Before: 3.1 + 6.2 + 3.1, and 60 and 50 calls beyond the free ones. After: 31, and 120 calls of which 100 at full price.
        assert_eq!((&one["month"], &one["cost_before"][0]["amount"], &one["cost_after"]["amount"]), (&json!("2026-03-01"), &json!("122.4"), &json!("141")));
        assert_eq!((&one["permissions_gained"], &one["meters_lost"]), (&json!([]), &json!([])));
        // Nothing of it is kept.
        assert_eq!(trade.pia.get(&format!("/api/v1/services/{}/contracts", moving.service)).await.expect(200)["items"].as_array().unwrap().len(), 1);
        assert_eq!(trade.vic.get(&format!("/api/v1/organizations/grid/level-changes/outlook?service={}", moving.service)).await.expect(200), Value::Null);

        moving.offer(contract("organization")).await.expect(201);
        let own = trade.vic.get(&format!("/api/v1/organizations/grid/level-changes/outlook?service={}", moving.service)).await.expect(200);
        assert_eq!((&own["cost_before"], &own["cost_after"], &own["plan"]["name"]), (&one["cost_before"], &one["cost_after"], &json!("Basic")));
        assert_eq!(own["until"], "2026-06-01T00:00:00.000000Z");
        let seen = trade.pol.get(&path).await.expect(200);
        assert_eq!(seen["items"][0]["parts"], own["parts"]);

        let problem = trade.pia.post(&path, json!({"level": "organization", "permissions": [], "plans": []})).await.expect_problem(422, "invalid");
        assert_eq!(problem["errors"][0]["pointer"], "/permissions", "{problem}");
        trade.pol.post(&path, contract("organization")).await.expect_problem(403, "forbidden");
        trade.sam.get(&path).await.expect_problem(403, "forbidden");
        trade.vic.get("/api/v1/organizations/grid/level-changes/outlook?service=unknown").await.expect_problem(404, "not_found");
    }

    async fn both_ways_of_access_work_before_and_after_the_switch_and_close_together(app: &TestApp) {
        let moving = Moving::offered(app).await;
        let (trade, olds) = (&moving.trade, &moving.olds);
        let before = moving.with_token(app, &olds[0]).await;
        let (change, new) = moving.accepted().await;
        let follows = moving.with_token(app, &new).await;
        assert_eq!((moving.opens(&before).await, moving.opens(&follows).await), (vec!["north"], vec!["north", "south", "east"]));
        assert_eq!((moving.state(&olds[0]).await, moving.state(&new).await), (active(), alias()));
        // A pause on the side that holds the projects closes both ways at once.
        let path = format!("/api/v1/organizations/grid/subscriptions/{}", olds[0]);
        trade.mia.post(&format!("{path}/pause"), json!({})).await.expect(200);
        assert_eq!((moving.opens(&before).await, moving.opens(&follows).await), (vec![], vec!["south", "east"]));
        trade.mia.post(&format!("{path}/resume"), json!({})).await.expect(200);
        assert_eq!(moving.opens(&follows).await, ["north", "south", "east"]);

        app.clock.advance(HOUR / 2);
        let switched = moving.step(&trade.pia, &change, "switch").await.expect(200);
        assert_eq!((&switched["state"], switched["parts"].as_array().unwrap().len()), (&json!("switched"), 3));
        assert_eq!((moving.state(&olds[0]).await, moving.state(&new).await), (alias(), active()));
        assert_eq!((moving.opens(&before).await, moving.opens(&follows).await), (vec!["north"], vec!["north", "south", "east"]));
        let fresh = moving.with_token(app, &olds[2]).await;
        assert_eq!(moving.opens(&fresh).await, ["east"]);
        // The old id answers, and says which one holds its project.
        assert_eq!(trade.read(&olds[0]).await["replaced_by"], json!([new]));
        trade.choose(&trade.mia, &olds[0], json!({"mode": "selected", "projects": ["south"]})).await.expect_problem(409, "replaced");
        trade.mia.post(&format!("{path}/pause"), json!({})).await.expect_problem(409, "replaced");
        let map: Vec<_> = moving.map("").await.into_iter().map(|line| line.1).collect();
        assert_eq!(map, [new.clone(), new.clone(), new.clone()]);
        let map: BTreeSet<_> = moving.map("2026-04-10T12:29:00Z").await.into_iter().map(|line| line.1).collect();
        assert_eq!(map, olds.iter().cloned().collect());

        // Taking a project out of the one that holds it closes both ways, and nobody else's.
        trade.choose(&trade.rob, &new, json!({"mode": "selected", "projects": ["south", "east"]})).await.expect(200);
        assert_eq!((moving.opens(&before).await, moving.opens(&follows).await, moving.opens(&fresh).await), (vec![], vec!["south", "east"], vec!["east"]));
        let told = events(&trade.pol, "borealis", "level_change.switched").await;
        assert_eq!((told.len(), told[0]["data"]["parts"].as_array().unwrap().len()), (1, 3));
    }

    async fn usage_counts_once_for_whoever_held_the_project_at_its_time(app: &TestApp) {
        let moving = Moving::offered(app).await;
        let (trade, olds) = (&moving.trade, &moving.olds);
        let (change, new) = moving.accepted().await;
        app.clock.advance(HOUR);
        moving.step(&trade.mia, &change, "switch").await.expect(200);
        app.clock.advance(HOUR);
        // Before the switch at 13:00 the old one held it, after it the new one, under whichever name.
        let batch = json!([
            moving.event("1", &new, "north", "1", "2026-04-10T12:30:00Z"),
            moving.event("2", &olds[0], "north", "2", "2026-04-10T12:30:00Z"),
            moving.event("3", &olds[0], "north", "4", "2026-04-10T13:30:00Z"),
            moving.event("4", &new, "north", "8", "2026-04-10T13:30:00Z"),
        ]);
        assert_eq!(moving.report(batch.clone()).await.expect(200), json!({"accepted": 4, "duplicates": 0}));
        assert_eq!(moving.report(batch).await.expect(200), json!({"accepted": 0, "duplicates": 4}));
        let of = |id: String| { let vic = trade.vic.clone(); async move {
            let read = vic.get(&format!("/api/v1/organizations/grid/subscriptions/{id}")).await.expect(200);
            read["costs"]["items"].as_array().unwrap().iter().filter_map(|row| row["quantity"].as_str().map(str::to_owned)).collect::<Vec<_>>()
        } };
        assert_eq!((of(olds[0].clone()).await, of(new.clone()).await), (vec!["3".to_owned()], vec!["12".to_owned()]));
        assert_eq!(moving.rows("usage", "group_by=project").await, ["north 15"]);
        // The same event under another name, or at a time at which another one held the project, is the same event.
        for changed in [moving.event("1", &olds[0], "north", "1", "2026-04-10T12:30:00Z"), moving.event("1", &new, "north", "1", "2026-04-10T13:30:00Z")] {
            moving.report(json!([changed])).await.expect_problem(409, "usage_conflict");
        }
        // An alias serves its own project only.
        let problem = moving.report(json!([moving.event("9", &olds[0], "south", "1", "2026-04-10T13:30:00Z")])).await.expect_problem(422, "invalid");
        assert_eq!(problem["errors"][0]["pointer"], "/0/data/project");
        // A token of an alias reports for it.
        let alias = moving.with_token(app, &olds[1]).await;
        let body = json!([moving.event("10", &olds[1], "south", "5", "2026-04-10T13:59:00Z")]).to_string();
        let request = alias.request(Method::POST, "/api/v1/usage").header("content-type", "application/cloudevents-batch+json").body(body);
        alias.send(request).await.expect(200);
        let mut rows = moving.rows("usage", "group_by=project").await;
        rows.sort();
        assert_eq!(rows, ["north 15", "south 5"]);
    }

    async fn nothing_is_charged_twice_on_the_day_of_the_switch_nor_in_its_month(app: &TestApp) {
        let moving = Moving::offered(app).await;
        let (trade, olds) = (&moving.trade, &moving.olds);
        let (change, new) = moving.accepted().await;
        moving.step(&trade.mia, &change, "switch").await.expect(200);
        app.clock.set("2026-04-20T12:00:00Z");
        let batch = json!([
            moving.event("1", &olds[0], "north", "60", "2026-04-05T12:00:00Z"),
            moving.event("2", &new, "north", "60", "2026-04-15T12:00:00Z"),
        ]);
        moving.report(batch).await.expect(200);
        app.clock.set("2026-05-01T12:00:00Z");
        // Fees: nine days of 3.1 + 6.2 + 3.1, 21 days of 31, all of 30. The one-time fee was paid in March.
        let april = "from=2026-04-01&to=2026-05-01&group_by=component";
        // Of the 120 calls ten are free, 100 cost one and ten a half: 105, of which each day pays its half.
        assert_eq!(moving.rows("costs", april).await, ["monthly 25.42", "meter:calls 105"]);
        assert_eq!(moving.rows("costs", "from=2026-03-01&to=2026-04-01&group_by=component").await[0], "one_time 21");
    }

    async fn an_undo_charges_no_day_on_which_nothing_was_active(app: &TestApp) {
        let moving = Moving::offered(app).await;
        let (trade, new) = (&moving.trade, moving.accepted().await);
        app.clock.set("2026-05-01T12:00:00Z");
        moving.step(&trade.mia, &new.0, "switch").await.expect(200);
        let may = "from=2026-05-01&to=2026-06-01&group_by=component";
        app.clock.set("2026-05-05T12:00:00Z");
        trade.choose(&trade.rob, &new.1, json!({"mode": "selected", "projects": ["north", "south"]})).await.expect(200);
        app.clock.set("2026-05-10T12:00:00Z");
        // A day of 31 is one, one of 3.1 a tenth.
        assert_eq!(moving.rows("costs", may).await, ["monthly 10"]);
        moving.step(&trade.mia, &new.0, "undo").await.expect(200);
        // The day goes to those of before that go on, north and south; east was taken out five days ago.
        assert_eq!(moving.rows("costs", may).await, ["monthly 9.3"]);
        app.clock.set("2026-05-12T12:00:00Z");
        let again = moving.accept(&trade.mia, json!({"plan": "Basic"})).await.expect(201)["change"].clone();
        let (change, new) = (id(&again), again["parts"][0]["to"].as_str().unwrap().to_owned());
        moving.step(&trade.mia, &change, "switch").await.expect(200);
        app.clock.advance(HOUR);
        trade.pia.post(&format!("/api/v1/services/{}/subscriptions/{new}/pause", moving.service), json!({"reason": "an incident"})).await.expect(200);
        app.clock.set("2026-05-15T12:00:00Z");
        // Two days of north and south, and the one on which it was paused.
        assert_eq!(moving.rows("costs", may).await, ["monthly 10.6"]);
        moving.step(&trade.pia, &change, "undo").await.expect(200);
        assert_eq!(moving.rows("costs", may).await, ["monthly 10.6"], "paused before and after");
        app.clock.set("2026-05-17T12:00:00Z");
        assert_eq!(moving.rows("costs", may).await, ["monthly 10.6"]);
    }

    async fn budgets_merge_into_their_sum_and_come_back_with_an_undo(app: &TestApp) {
        let moving = Moving::offered(app).await;
        let (trade, olds) = (&moving.trade, &moving.olds);
        assert_eq!(moving.budgets_told().await, Vec::<String>::new());
        for (old, amount) in olds.iter().zip(["10", "20.5", "30"]) {
            moving.set_budget(old, amount).await;
        }
        let told = "The subscription that follows has a budget of EUR 60.50 a month, the sum of those of before.";
        assert_eq!(moving.budgets_told().await, [told]);
        // The provider sees no budget in its dry run.
        let seen = trade.pia.get(&format!("/api/v1/services/{}/level-changes/outlook", moving.service)).await.expect(200);
        assert_eq!(seen["items"][0]["budgets"], json!([]));
        let (change, new) = moving.accepted().await;
        assert_eq!(moving.budget(&new).await, Value::Null);
        app.write_mails().await;
        drop(app.mails().await);
        moving.step(&trade.pia, &change, "switch").await.expect(200);
        assert_eq!(moving.budget(&new).await, "60.50");
        assert_eq!(events(&trade.vic, "grid", "level_change.switched").await[0]["data"]["budgets"], json!([told]));
        app.write_mails().await;
        let mails = app.mails().await;
        let text = |to: &str| mails.iter().find(|mail| mail.to.starts_with(to)).map(|mail| mail.rendered.text.replace('\n', " "));
        assert!(text("mia@").unwrap().contains("EUR 60.50"), "{mails:?}");
        assert!(text("pia@").is_none_or(|text| !text.contains("EUR 60.50")), "{mails:?}");
        // The day's 1.03 is beyond this one, which holds up what follows and nothing else.
        moving.set_budget(&new, "0.5").await;
        assert_eq!(moving.state(&new).await, ("suspended".to_owned(), vec!["budget".to_owned()]));
        moving.step(&trade.mia, &change, "undo").await.expect(200);
        for (old, amount) in olds.iter().zip(["10.00", "20.50", "30.00"]) {
            assert_eq!((moving.state(old).await, moving.budget(old).await), (active(), json!(amount)));
        }
        assert_eq!(events(&trade.vic, "grid", "level_change.undone").await[0]["data"]["budgets"], json!([]));
    }

    async fn a_budget_that_can_not_be_carried_over_is_never_lost_without_a_word(app: &TestApp) {
        let moving = Moving::offered(app).await;
        let (trade, olds) = (&moving.trade, &moving.olds);
        moving.set_budget(&olds[0], "10").await;
        let told = "The budget of EUR 10.00 a month is not carried over, because not all subscriptions of before have one. Set a budget for what follows.";
        assert_eq!(moving.budgets_told().await, [told]);
        let (change, new) = moving.accepted().await;
        moving.step(&trade.pia, &change, "switch").await.expect(200);
        assert_eq!(moving.budget(&new).await, Value::Null);
        assert_eq!(events(&trade.vic, "grid", "level_change.switched").await[0]["data"]["budgets"], json!([told]));
        // What the side that followed was given goes with it, where what goes on has none.
        moving.set_budget(&new, "50").await;
        moving.step(&trade.pia, &change, "undo").await.expect(200);
        assert_eq!((moving.budget(&olds[0]).await, moving.budget(&olds[1]).await), (json!("10.00"), Value::Null));
        let told = &events(&trade.vic, "grid", "level_change.undone").await[0]["data"]["budgets"];
        assert!(told[0].as_str().unwrap().starts_with("The budget of EUR 50.00 a month is not carried over"), "{told}");
    }

    async fn a_budget_is_divided_among_those_that_follow_one(app: &TestApp) {
        let moving = Moving::offered(app).await;
        let (trade, (change, whole)) = (&moving.trade, moving.accepted().await);
        moving.step(&trade.mia, &change, "switch").await.expect(200);
        moving.set_budget(&whole, "100").await;
        app.clock.set("2026-06-01T00:00:00Z");
        stoa_actions::jobs::tick(&app.stoa, app.stoa.clock.now()).await.unwrap();
        let mut back = contract("project");
        back["notice_until"] = json!("2026-09-01T00:00:00Z");
        moving.offer(back).await.expect(201);
        let told = "The budget of EUR 100.00 a month is divided: each of the 3 subscriptions that follow has EUR 33.33.";
        assert_eq!(moving.budgets_told().await, [told]);
        let split = moving.accept(&trade.mia, json!({"projects": ["north", "south", "east"]})).await.expect(201)["change"].clone();
        moving.step(&trade.mia, &id(&split), "switch").await.expect(200);
        for part in split["parts"].as_array().unwrap() {
            assert_eq!(moving.budget(part["to"].as_str().unwrap()).await, "33.33");
        }
        moving.step(&trade.mia, &id(&split), "undo").await.expect(200);
        assert_eq!((moving.state(&whole).await, moving.budget(&whole).await), (active(), json!("100.00")));
    }

    async fn undoing_restores_what_was_and_keeps_what_was_taken_out_or_paused(app: &TestApp) {
        let moving = Moving::offered(app).await;
        let (trade, olds) = (&moving.trade, &moving.olds);
        let (change, new) = moving.accepted().await;
        let follows = moving.with_token(app, &new).await;
        moving.step(&trade.mia, &change, "switch").await.expect(200);
        app.clock.advance(HOUR / 6);
        trade.choose(&trade.rob, &new, json!({"mode": "selected", "projects": ["north", "south"]})).await.expect(200);
        trade.pia.post(&format!("/api/v1/services/{}/subscriptions/{new}/pause", moving.service), json!({"reason": "an incident"})).await.expect(200);
        app.clock.advance(HOUR / 6);
        let undone = moving.step(&trade.pia, &change, "undo").await.expect(200);
        assert_eq!(undone["state"], "undone");
        assert_eq!(moving.state(&new).await.0, "ended");
        assert_eq!(moving.state(&olds[2]).await.0, "ended", "what was taken out stays out");
        assert_eq!(moving.state(&olds[0]).await, ("suspended".to_owned(), vec!["provider".to_owned()]));
        assert_eq!(moving.opens(&follows).await, Vec::<&str>::new());
        for old in &olds[..2] {
            trade.pia.post(&format!("/api/v1/services/{}/subscriptions/{old}/resume", moving.service), json!({})).await.expect(200);
        }
        assert_eq!(moving.state(&olds[0]).await, active());
        // Tokens of what followed go on working too, by the subscriptions that hold the projects again.
        assert_eq!(moving.opens(&follows).await, ["north", "south"]);
        // It may be accepted again, and undone again.
        let again = moving.accept(&trade.mia, json!({"projects": ["north"]})).await.expect(201);
        let again = id(&again["change"]);
        moving.step(&trade.mia, &again, "undo").await.expect(200);
        moving.step(&trade.mia, &again, "undo").await.expect_problem(409, "wrong_state");
        assert_eq!(moving.state(&olds[0]).await, active());
        assert_eq!(moving.opens(&follows).await, ["north", "south"]);
    }

    async fn on_the_announced_day_what_was_accepted_is_switched_and_settled_and_the_rest_ends(app: &TestApp) {
        let moving = Moving::offered(app).await;
        let (trade, olds) = (&moving.trade, &moving.olds);
        let accepted = moving.accept(&trade.mia, json!({"projects": ["north", "south"]})).await.expect(201);
        let (change, new) = (id(&accepted["change"]), accepted["change"]["parts"][0]["to"].as_str().unwrap().to_owned());
        trade.mia.post(&format!("/api/v1/organizations/grid/subscriptions/{}/pause", olds[1]), json!({})).await.expect(200);
        app.clock.set("2026-06-01T00:00:00Z");
        moving.step(&trade.mia, &change, "undo").await.expect_problem(409, "too_late");
        // Both nodes do what is due; it is done once.
        let (one, two) = tokio::join!(stoa_actions::jobs::tick(&app.stoa, app.stoa.clock.now()), stoa_actions::jobs::tick(&app.stoa, app.stoa.clock.now()));
        let (one, two) = (one.unwrap(), two.unwrap());
        assert_eq!(one.level_changes + two.level_changes, 1);
        let settled = trade.vic.get(&format!("/api/v1/level-changes/{change}")).await.expect(200);
        assert_eq!((&settled["state"], settled["parts"].as_array().unwrap().len()), (&json!("settled"), 1));
        assert_eq!(moving.state(&new).await, active());
        // The paused one stayed behind, and nobody accepted for east: both ended on their day.
        for old in olds {
            assert_eq!(moving.state(old).await.0, "ended");
        }
        assert_eq!(moving.opens(&moving.with_token(app, &olds[0]).await).await, ["north"]);
        assert_eq!(moving.map("2026-06-01T00:00:00Z").await, [("north".to_owned(), new)]);
        moving.step(&trade.mia, &change, "undo").await.expect_problem(409, "wrong_state");
        assert_eq!(events(&trade.vic, "grid", "level_change.settled").await.len(), 1);
    }

    async fn an_organization_level_splits_into_its_projects_and_comes_back(app: &TestApp) {
        let moving = Moving::offered(app).await;
        let (trade, olds) = (&moving.trade, &moving.olds);
        let (change, whole) = moving.accepted().await;
        moving.step(&trade.mia, &change, "switch").await.expect(200);
        app.clock.set("2026-06-01T00:00:00Z");
        stoa_actions::jobs::tick(&app.stoa, app.stoa.clock.now()).await.unwrap();
        let mut back = contract("project");
        back["notice_until"] = json!("2026-09-01T00:00:00Z");
        assert_eq!(moving.offer(back).await.expect(201)["subscribers"]["offered"], 1);
        // An editor subscribes projects, so an editor accepts this at once; what was not chosen goes with the switch.
        let accepted = moving.accept(&trade.eva, json!({"projects": ["north", "east"]})).await.expect(201)["change"].clone();
        let split = id(&accepted);
        let parts = accepted["parts"].as_array().unwrap().clone();
        assert_eq!((parts.len(), &parts[0]["from"]), (2, &json!(whole)));
        let of = |project: &str| parts.iter().find(|part| part["project_name"] == project).unwrap()["to"].as_str().unwrap().to_owned();
        let (north, east) = (of("North"), of("East"));
        let through = moving.with_token(app, &whole).await;
        assert_eq!(moving.opens(&through).await, ["north", "south", "east"]);
        moving.step(&trade.eva, &split, "switch").await.expect(200);
        assert_eq!(moving.opens(&through).await, ["north", "east"]);
        assert_eq!(moving.opens(&moving.with_token(app, &olds[0]).await).await, ["north"], "an alias of an alias");
        assert_eq!((moving.state(&north).await, moving.state(&whole).await), (active(), alias()));
        trade.cancel(&trade.mia, &east).await.expect(200);
        assert_eq!(moving.opens(&through).await, ["north"]);
        moving.step(&trade.pia, &split, "undo").await.expect(200);
        // South was never part of it, and goes on; east was cancelled, and does not.
        assert_eq!((moving.state(&whole).await, trade.granted(&whole).await), (active(), vec!["north".to_owned(), "south".to_owned()]));
        assert_eq!(moving.opens(&through).await, ["north", "south"]);
    }

    async fn who_may_only_ask_asks_and_what_is_wrong_is_told(app: &TestApp) {
        let moving = Moving::offered(app).await;
        let (trade, olds) = (&moving.trade, &moving.olds);
        let accept = format!("/api/v1/organizations/grid/subscriptions/{}/contract/accept", olds[0]);
        let contract_id = trade.pia.get(&format!("/api/v1/services/{}", moving.service)).await.expect(200)["contract"]["id"].clone();
        trade.mia.post(&accept, json!({"contract": contract_id})).await.expect_problem(409, "changes_level");
        let problem = moving.accept(&trade.mia, json!({"projects": ["north", "nowhere"], "plan": "Gold", "contract": "x"})).await.expect_problem(422, "invalid");
        let pointers: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|one| one["pointer"].as_str().unwrap()).collect();
        assert_eq!(pointers, ["/contract", "/projects/1", "/plan"]);
        for unread in [json!({"contract": null}), json!({"contract": " "})] {
            let problem = moving.accept(&trade.mia, unread).await.expect_problem(422, "invalid");
            assert_eq!(problem["errors"][0]["pointer"], "/contract", "{problem}");
        }
        let mine = trade.vic.get(&format!("/api/v1/organizations/grid/level-changes/outlook?service={}", moving.service)).await.expect(200);
        assert_eq!(mine["contract"], contract_id, "the dry run names the contract that is accepted");
        moving.accept(&trade.mia, json!({"contract": "ctr_01h455vb4pex5vsknk084sn02q"})).await.expect_problem(409, "offer_changed");
        trade.mia.post("/api/v1/organizations/grid/level-changes", json!({"service": "unknown"})).await.expect_problem(404, "not_found");
        app.anonymous().post("/api/v1/organizations/grid/level-changes", json!({})).await.expect_problem(401, "unauthenticated");
        moving.accept(&trade.sam, json!({})).await.expect_problem(404, "not_found");

        let asked = moving.accept(&trade.eva, json!({"projects": ["north", "east"], "note": "fewer contracts"})).await.expect(202);
        assert_eq!(asked["change"], Value::Null);
        let request = asked["request"].as_str().unwrap().to_owned();
        moving.accept(&trade.vic, json!({})).await.expect_problem(409, "already_requested");
        decide(&trade.eva, &request, "approve").await.expect_problem(403, "forbidden");
        trade.cancel(&trade.mia, &olds[2]).await.expect(200);
        decide(&trade.rob, &request, "approve").await.expect(200);
        let changes = trade.vic.get("/api/v1/organizations/grid/level-changes").await.expect(200);
        let change = &changes["items"][0];
        assert_eq!((changes["items"].as_array().unwrap().len(), change["parts"].as_array().unwrap().len()), (1, 1));
        moving.accept(&trade.mia, json!({})).await.expect_problem(409, "already_accepted");
        let (change, path) = (id(change), format!("/api/v1/level-changes/{}", id(change)));
        for (who, verb) in [(&trade.eva, "switch"), (&trade.rob, "undo"), (&trade.pat, "switch"), (&trade.pol, "undo")] {
            moving.step(who, &change, verb).await.expect_problem(403, "forbidden");
        }
        moving.step(&trade.sam, &change, "undo").await.expect_problem(404, "not_found");
        trade.sam.get(&path).await.expect_problem(404, "not_found");
        app.anonymous().get(&path).await.expect_problem(401, "unauthenticated");
        let listed = trade.pol.get(&format!("/api/v1/services/{}/level-changes", moving.service)).await.expect(200);
        assert_eq!(id(&listed["items"][0]), change);
        // Without an announced day nobody is asked to change the level.
        let mut quiet = contract("project");
        quiet["notice_until"] = Value::Null;
        moving.step(&trade.mia, &change, "undo").await.expect(200);
        moving.offer(quiet).await.expect(201);
        moving.accept(&trade.mia, json!({})).await.expect_problem(409, "no_offer");
    }

    async fn whoever_approves_sees_what_it_comes_to_and_an_answer_may_change_it(app: &TestApp) {
        let moving = Moving::offered(app).await;
        let (trade, olds) = (&moving.trade, &moving.olds);
        let batch = json!([
            moving.event("1", &olds[0], "north", "70", "2026-03-12T00:00:00Z"),
            moving.event("2", &olds[1], "south", "60", "2026-03-12T00:00:00Z"),
        ]);
        moving.report(batch).await.expect(200);
        let costs = |of: &Value| (of["cost_before"][0]["amount"].clone(), of["cost_after"]["amount"].clone());
        // The dry run of a choice: 31 or 62 a month, and 60 calls beyond the free ones.
        let dry = format!("/api/v1/organizations/grid/level-changes/outlook?service={}", moving.service);
        let chosen = trade.vic.get(&format!("{dry}&plan=Plus&projects=north,east")).await.expect(200);
        assert_eq!((costs(&chosen), &chosen["plan"]["name"]), ((json!("66.2"), json!("122")), &json!("Plus")));
        let pointer = async |query: &str| trade.vic.get(&format!("{dry}&{query}")).await.expect_problem(422, "invalid")["errors"][0]["pointer"].clone();
        assert_eq!((pointer("plan=Gold").await, pointer("projects=north,nowhere").await), (json!("/plan"), json!("/projects/1")));

        let (editor, page) = member(app, &trade.mia, "grid", "edi", "editor").await;
        let (_, reviewer) = member(app, &trade.mia, "grid", "ria", "reviewer").await;
        let asked = moving.accept(&editor, json!({"projects": ["north", "east"], "plan": "Basic"})).await.expect(202);
        let request = asked["request"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/requests/{request}");
        let seen = trade.rob.get(&path).await.expect(200);
        let outlook = &seen["level_change"];
        assert_eq!((&seen["plan"]["name"], &seen["contract"]["version"]), (&json!("Basic"), &json!(2)));
        assert_eq!((costs(outlook), &outlook["subscriptions_after"]), ((json!("66.2"), json!("91")), &json!(1)));
        let goes = |of: &Value| of["parts"].as_array().unwrap().iter().map(|part| part["goes"].as_bool().unwrap()).collect::<Vec<_>>();
        assert_eq!(goes(outlook), [true, true, false], "East and North, not South");
        let listed = trade.rob.get("/api/v1/requests").await.expect(200);
        assert_eq!(&listed["items"][0]["level_change"], outlook);
        trade.pia.get(&path).await.expect_problem(404, "not_found");
        for url in ["/requests".to_owned(), format!("/requests/{request}")] {
            let facts = ["2 subscriptions become 1", "EUR 66.20", "EUR 91.00", "North (Basic → Basic)", "Stays behind", "South (Plus)", "Read the resources"];
            shows(&reviewer.get(&url).await, 200, &facts);
        }

        trade.rob.post(&format!("{path}/ask"), json!({"question": "why not south?"})).await.expect(200);
        for (body, pointer) in [
            (json!({"plan": "Gold"}), "/plan"),
            (json!({"consented": ["nowhere"]}), "/consented/0"),
            (json!({"projects": {"mode": "all"}}), "/projects"),
        ] {
            let mut body = body;
            body["text"] = json!("x");
            let problem = editor.post(&format!("{path}/answer"), body).await.expect_problem(422, "invalid");
            assert_eq!(problem["errors"][0]["pointer"], pointer);
        }
        shows(&page.get(&format!("/requests/{request}")).await, 200, &["Ask for something else", "For which projects", "Plus", "South"]);
        let form = [("text", "now with it"), ("scope", "some"), ("plan", "Plus"), ("consented", "north"), ("consented", "south"), ("consented", "east"), ("note", "")];
        let sent = page.send(page.request(Method::POST, &format!("/requests/{request}/answer")).form(&form)).await;
        assert_eq!(sent.status, 303, "{sent:?}");
        let seen = trade.rob.get(&path).await.expect(200);
        assert_eq!(seen["decisions"][1]["changes"], json!(["plan Plus instead of Basic", "with South"]));
        // Ten calls are free, 100 cost one and 20 a half.
        assert_eq!(costs(&seen["level_change"]), (json!("122.4"), json!("172")));
        decide(&trade.rob, &request, "approve").await.expect(200);
        let change = trade.vic.get("/api/v1/organizations/grid/level-changes").await.expect(200)["items"][0].clone();
        assert_eq!(change["parts"].as_array().unwrap().len(), 3);
        let seen = trade.rob.get(&path).await.expect(200);
        assert_eq!((&seen["plan"]["name"], &seen["level_change"]), (&json!("Plus"), &Value::Null));
        // The map names who approved the present contract.
        moving.step(&trade.mia, &id(&change), "switch").await.expect(200);
        let map = trade.vic.get("/api/v1/organizations/grid/grants").await.expect(200);
        let by: BTreeSet<_> = map["items"].as_array().unwrap().iter().map(|line| line["approved_by"]["name"].as_str().unwrap()).collect();
        assert_eq!(by, BTreeSet::from(["rob"]));
    }

    async fn the_page_tells_the_cost_of_what_is_chosen(app: &TestApp) {
        let moving = Moving::offered(app).await;
        let trade = &moving.trade;
        moving.report(json!([moving.event("1", &moving.olds[0], "north", "70", "2026-03-12T00:00:00Z")])).await.expect(200);
        let (_, page) = member(app, &trade.mia, "grid", "edi", "editor").await;
        let own = trade.vic.get(&format!("/api/v1/organizations/grid/level-changes/outlook?service={}", moving.service)).await.expect(200);
        let north = own["parts"][1]["project"].as_str().unwrap();
        let url = "/organizations/grid/level-changes/forecast";
        shows(&page.get(url).await, 200, &["Show what this costs", "EUR 72.40", "EUR 91.00"]);
        let chosen = page.get(&format!("{url}?contract=x&plan=Plus&project={north}&note=for+winter")).await;
        shows(&chosen, 200, &["EUR 63.10", "EUR 122.00", "1 subscription becomes 1", "for winter"]);
        // What is not there any more is left out of account.
        shows(&page.get(&format!("{url}?contract=x&plan=Gold")).await, 200, &["EUR 72.40"]);
        let unmarked = page.get(&format!("{url}?contract=x&plan=Plus")).await;
        shows(&unmarked, 200, &["Nothing active goes along"]);
    }

    async fn of_two_at_the_same_moment_one_wins_and_the_other_is_told_why(app: &TestApp) {
        let moving = Moving::offered(app).await;
        let (mia, pia) = (&moving.trade.mia, &moving.trade.pia);
        let (one, two) = tokio::join!(moving.accept(mia, json!({"plan": "Basic"})), moving.accept(mia, json!({"plan": "Plus"})));
        let mut codes = [one.status, two.status];
        codes.sort_unstable();
        assert_eq!(codes, [201, 409]);
        let lost = if one.status == 409 { one } else { two };
        lost.expect_problem(409, "already_accepted");
        let change = id(&moving.trade.vic.get("/api/v1/organizations/grid/level-changes").await.expect(200)["items"][0]);
        let (one, two) = tokio::join!(moving.step(mia, &change, "switch"), moving.step(pia, &change, "switch"));
        let mut codes = [one.status, two.status];
        codes.sort_unstable();
        assert_eq!(codes, [200, 409]);
        let (one, two) = tokio::join!(moving.step(mia, &change, "undo"), moving.step(pia, &change, "undo"));
        let lost = if one.status == 409 { one } else { assert_eq!(one.status, 200); two };
        lost.expect_problem(409, "wrong_state");
        for old in &moving.olds {
            assert_eq!(moving.state(old).await, active());
        }
    }
}
