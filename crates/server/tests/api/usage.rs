//! Usage: reporting, counting once, refusing, reading.

use reqwest::Method;
use serde_json::{Value, json};
use stoa_testkit::{Answer, Client, Person, TestApp, api_tests};

/// A consumer with three projects, of which a service may use two, and the service with a token of its own.
pub(crate) struct World {
    /// Maintains the organization `grid`, which consumes.
    pub ada: Person,
    /// Maintains the organization `lens`, which provides.
    pub bob: Person,
    /// The provider's application.
    pub application: String,
    /// Its secret.
    pub secret: String,
    /// The service.
    pub service: Value,
    /// The subscription.
    pub subscription: String,
    anonymous: Client,
}

/// A plan with everything that costs something.
pub(crate) fn plan() -> Value {
    json!({"name": "Standard", "currency": "EUR", "one_time": "5", "monthly": "31", "monthly_per_project": "3.1", "meters": [
        {"name": "requests", "unit": "request", "unit_price": "0.0000004"},
        {"name": "storage", "unit": "GB", "charge_model": "graduated",
            "tiers": [{"up_to": "10", "unit_price": "1"}, {"up_to": null, "unit_price": "0.5"}]},
    ]})
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}")).to_owned()
}

impl World {
    pub(crate) async fn new(app: &TestApp, plan: Value) -> Self {
        let (ada, bob) = (app.person("ada").await, app.person("bob").await);
        ada.post("/api/v1/organizations", json!({"name": "Grid"})).await.expect(201);
        bob.post("/api/v1/organizations", json!({"name": "Lens"})).await.expect(201);
        for name in ["North", "South", "West"] {
            ada.post("/api/v1/organizations/grid/projects", json!({"name": name})).await.expect(201);
        }
        let application =
            text(&bob.post("/api/v1/applications", json!({"name": "Reader", "organization": "lens"})).await.expect(201), "id");
        let secret = text(&bob.post(&format!("/api/v1/applications/{application}/secrets"), json!({})).await.expect(201), "secret");
        let service = published(&bob, &application, "Load forecast", plan).await;
        let subscription = subscribed(&ada, &service).await;
        Self { ada, bob, application, secret, service, subscription, anonymous: app.anonymous() }
    }

    /// A client with a fresh token of the service itself.
    pub(crate) async fn reporter(&self) -> Client {
        self.anonymous.with_token(&token(&self.anonymous, &self.application, &self.secret, None).await)
    }

    /// An event of this subscription.
    pub(crate) fn event(&self, id: &str, project: &str, meter: &str, quantity: &str, time: &str) -> Value {
        json!({"specversion": "1.0", "id": id, "source": "/collector/1", "type": "stoa.usage.v1", "time": time,
            "subject": self.subscription, "data": {"project": project, "meter": meter, "quantity": quantity}})
    }

    /// Reports a batch.
    pub(crate) async fn report(&self, events: Value) -> Answer {
        send(&self.reporter().await, "application/cloudevents-batch+json", events.to_string()).await
    }

    /// What was reported, grouped; each row as `project meter quantity`.
    pub(crate) async fn usage(&self, query: &str) -> Vec<String> {
        let answer = self.ada.get(&format!("/api/v1/organizations/grid/usage{query}")).await.expect(200);
        let row = |item: &Value| {
            let project = item["project"]["handle"].as_str().unwrap_or("-");
            format!("{project} {} {}", item["meter"].as_str().unwrap(), item["quantity"].as_str().unwrap())
        };
        answer["items"].as_array().unwrap().iter().map(row).collect()
    }
}

/// Drafts and publishes a service of the organization `lens`.
pub(crate) async fn published(bob: &Person, application: &str, name: &str, plan: Value) -> Value {
    let new = json!({"application": application, "name": name, "summary": "Reads", "description": "Reads data", "categories": ["analytics"],
        "visibility": "public", "contract": {"level": "organization", "permissions": ["resources:read"], "plans": [plan]}});
    let service = bob.post("/api/v1/organizations/lens/services", new).await.expect(201);
    bob.post(&format!("/api/v1/services/{}/publish", text(&service, "id")), json!({})).await.expect(200);
    service
}

/// Subscribes a service for the projects `north` and `south` of the organization `grid`.
pub(crate) async fn subscribed(ada: &Person, service: &Value) -> String {
    let new = json!({"service": service["id"], "projects": {"mode": "selected", "projects": ["north", "south"]}, "accept_terms": true});
    let subscription = ada.post("/api/v1/organizations/grid/subscriptions", new).await.expect(201);
    assert_eq!(subscription["state"], "active");
    text(&subscription, "id")
}

/// An access token of an application: of the service itself, or of a subscription.
pub(crate) async fn token(anonymous: &Client, application: &str, secret: &str, resource: Option<String>) -> String {
    let mut form = vec![("grant_type", "client_credentials".to_owned())];
    form.extend(resource.map(|resource| ("resource", resource)));
    let request = anonymous.request(Method::POST, "/oauth2/token").basic_auth(application, Some(secret)).form(&form);
    text(&anonymous.send(request).await.expect(200), "access_token")
}

async fn send(client: &Client, media_type: &str, body: String) -> Answer {
    client.send(client.request(Method::POST, "/api/v1/usage").header("content-type", media_type).body(body)).await
}

fn pointers(problem: &Value) -> Vec<&str> {
    problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect()
}

const NOON: &str = "2026-03-10T12:00:00Z";

api_tests! {
    async fn what_services_report_is_read_by_project_meter_and_day(app: &TestApp) {
        let world = World::new(app, plan()).await;
        app.clock.advance(2 * 24 * 3_600_000_000);
        let batch = json!([
            world.event("1", "north", "requests", "0.0000001453", NOON),
            world.event("2", "north", "requests", "2.000000000000001", "2026-03-11T00:00:00.000Z"),
            world.event("3", "south", "storage", "12.5", "2026-03-11T23:59:59+00:00"),
            world.event("4", "south", "storage", "-2.5", "2026-03-11T23:59:59.999999Z"),
        ]);
        assert_eq!(world.report(batch).await.expect(200), json!({"accepted": 4, "duplicates": 0}));
        assert_eq!(world.usage("").await, ["north requests 2.000000145300001", "south storage 10"]);
        assert_eq!(world.usage("?group_by=project,day&from=2026-03-11").await, ["north requests 2.000000000000001", "south storage 10"]);
        assert_eq!(world.usage("?to=2026-03-11&group_by=").await, ["- requests 0.0000001453"]);
        assert_eq!(world.usage("?from=2026-04-01&to=2026-05-01").await, Vec::<String>::new());

        let answer = world.ada.get("/api/v1/organizations/grid/usage?group_by=service,project,day").await.expect(200);
        assert_eq!((answer["from"].as_str(), answer["to"].as_str()), (Some("2026-03-01"), Some("2026-04-01")));
        let first = &answer["items"][0];
        assert_eq!(first["service"], json!({"id": world.service["id"], "handle": world.service["handle"], "name": "Load forecast"}));
        assert_eq!((&first["project"]["name"], &first["day"], &first["unit"]), (&json!("North"), &json!("2026-03-10"), &json!("request")));

        let csv = world.ada.get("/api/v1/organizations/grid/usage?group_by=project&format=csv").await;
        assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
        assert!(csv.header("content-disposition").contains("usage-grid-2026-03-01-2026-03-31.csv"), "{csv:?}");
        let lines: Vec<_> = csv.text().lines().map(|line| line.rsplit(',').take(3).collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(lines, ["quantity unit meter", "2.000000145300001 request requests", "10 GB storage"]);
    }

    async fn an_event_sent_again_is_counted_once_and_another_content_is_a_conflict(app: &TestApp) {
        let world = World::new(app, plan()).await;
        let first = world.event("1", "north", "requests", "1.50", NOON);
        let batch = json!([first, first, world.event("2", "north", "requests", "1", NOON)]);
        assert_eq!(world.report(batch.clone()).await.expect(200), json!({"accepted": 2, "duplicates": 1}));
        assert_eq!(world.report(batch).await.expect(200), json!({"accepted": 0, "duplicates": 3}));
        // The same said in other words.
        let again = world.event("1", "north", "requests", "1.5", "2026-03-10T13:00:00+01:00");
        assert_eq!(world.report(json!([again])).await.expect(200), json!({"accepted": 0, "duplicates": 1}));
        // The key is of its source: the same id of another source is another event.
        let mut other = world.event("1", "north", "requests", "1", NOON);
        other["source"] = json!("/collector/2");
        assert_eq!(world.report(json!([other])).await.expect(200), json!({"accepted": 1, "duplicates": 0}));
        assert_eq!(world.usage("").await, ["north requests 3.5"]);

        let conflict = json!([world.event("9", "north", "requests", "1", NOON), world.event("1", "north", "requests", "7", NOON)]);
        let problem = world.report(conflict).await.expect_problem(409, "usage_conflict");
        assert!(problem["detail"].as_str().unwrap().contains("event 1 of the batch (id \"1\", source \"/collector/1\")"), "{problem}");
        let within = json!([world.event("8", "north", "requests", "1", NOON), world.event("8", "north", "requests", "2", NOON)]);
        world.report(within).await.expect_problem(409, "usage_conflict");
        assert_eq!(world.usage("").await, ["north requests 3.5"]);
        // What was counted stays counted when its project goes, and saying so again is no error.
        world.ada.delete("/api/v1/organizations/grid/projects/north").await.expect(204);
        let again = world.event("1", "north", "requests", "1.5", NOON);
        assert_eq!(world.report(json!([again])).await.expect(200), json!({"accepted": 0, "duplicates": 1}));
    }

    async fn a_batch_with_anything_wrong_is_not_counted_at_all(app: &TestApp) {
        let world = World::new(app, plan()).await;
        let good = world.event("1", "north", "requests", "1", NOON);
        let mut foreign = world.event("2", "north", "requests", "1", NOON);
        foreign["subject"] = json!("sub_01h455vb4pex5vsknk084sn02q");
        let problem = world.report(json!([good, foreign])).await.expect_problem(422, "invalid");
        assert_eq!(pointers(&problem), ["/1/subject"]);
        let batch = json!([
            good,
            world.event("3", "west", "requests", "1", NOON),
            world.event("4", "nowhere", "requests", "1", NOON),
            world.event("5", "north", "calls", "1", NOON),
            world.event("6", "north", "requests", "1", "2026-03-10T11:59:58Z"),
        ]);
        let problem = world.report(batch).await.expect_problem(422, "invalid");
        assert_eq!(pointers(&problem), ["/1/data/project", "/2/data/project", "/3/data/meter", "/4/data/project"]);
        assert_eq!(problem["errors"][2]["detail"], "the plan has no such meter; its meters are requests, storage");
        assert!(problem["errors"][3]["detail"].as_str().unwrap().contains("but since 2026-03-10T12:00:00."), "{problem}");
        let mut wrong = good.clone();
        wrong["data"]["quantity"] = json!(1.5);
        let problem = world.report(json!([good, wrong])).await.expect_problem(422, "invalid");
        assert_eq!(pointers(&problem), ["/1/data/quantity"]);
        assert_eq!(world.usage("").await, Vec::<String>::new());
        assert_eq!(world.report(json!([good])).await.expect(200), json!({"accepted": 1, "duplicates": 0}));
    }

    async fn usage_falls_under_the_grant_of_its_time(app: &TestApp) {
        app.clock.advance(500_000);
        let world = World::new(app, plan()).await;
        app.clock.set("2026-03-12T08:00:00Z");
        let chosen = json!({"mode": "selected", "projects": ["south"]});
        world.ada.put(&format!("/api/v1/organizations/grid/subscriptions/{}/projects", world.subscription), chosen).await.expect(200);
        app.clock.set("2026-03-13T00:00:00Z");
        // In the very second in which the subscription became active, which was half a second before.
        world.report(json!([world.event("1", "north", "requests", "1", NOON)])).await.expect(200);
        world.report(json!([world.event("2", "north", "requests", "1", "2026-03-12T07:59:59Z")])).await.expect(200);
        let problem = world.report(json!([world.event("3", "north", "requests", "1", "2026-03-12T08:00:00Z")])).await;
        let problem = problem.expect_problem(422, "invalid");
        let detail = problem["errors"][0]["detail"].as_str().unwrap();
        assert!(detail.contains("until 2026-03-12T08:00:00.000000Z"), "{detail}");
        world.report(json!([world.event("4", "south", "requests", "1", "2026-03-12T23:00:00Z")])).await.expect(200);
        world.report(json!([world.event("5", "south", "requests", "1", "2026-03-14T00:00:01Z")])).await.expect_problem(422, "invalid");
    }

    async fn only_the_service_reports_for_its_own_subscriptions(app: &TestApp) {
        let world = World::new(app, plan()).await;
        let event = world.event("1", "north", "requests", "1", NOON);
        let batch = json!([event]).to_string();
        let media = "application/cloudevents-batch+json";
        send(&app.anonymous(), media, batch.clone()).await.expect_problem(401, "unauthenticated");
        send(&world.bob, media, batch.clone()).await.expect_problem(403, "services_only");
        let other = text(&world.bob.post("/api/v1/applications", json!({"name": "Other", "organization": "lens"})).await.expect(201), "id");
        let secret = text(&world.bob.post(&format!("/api/v1/applications/{other}/secrets"), json!({})).await.expect(201), "secret");
        let stranger = app.anonymous().with_token(&token(&app.anonymous(), &other, &secret, None).await);
        let problem = send(&stranger, media, batch.clone()).await.expect_problem(422, "invalid");
        assert_eq!(pointers(&problem), ["/0/subject"]);

        // A token of one subscription reports for that one only.
        let second = published(&world.bob, &world.application, "Geo tiles", plan()).await;
        let second = subscribed(&world.ada, &second).await;
        let resource = world.ada.get(&format!("/api/v1/organizations/grid/subscriptions/{second}")).await.expect(200);
        let narrow = token(&app.anonymous(), &world.application, &world.secret, Some(text(&resource, "resource"))).await;
        let narrow = app.anonymous().with_token(&narrow);
        let problem = send(&narrow, media, batch).await.expect_problem(422, "invalid");
        assert_eq!(pointers(&problem), ["/0/subject"]);
        let mut own = event;
        own["subject"] = json!(second);
        send(&narrow, media, json!([own]).to_string()).await.expect(200);
    }

    async fn media_types_and_shapes_are_told_apart(app: &TestApp) {
        let world = World::new(app, plan()).await;
        let event = |id: &str| world.event(id, "north", "requests", "1", NOON);
        let reporter = world.reporter().await;
        let one = "application/cloudevents+json; charset=utf-8";
        let batch = "application/cloudevents-batch+json";
        send(&reporter, one, event("1").to_string()).await.expect(200);
        send(&reporter, "application/json", event("2").to_string()).await.expect(200);
        send(&reporter, "application/json", json!([event("3")]).to_string()).await.expect(200);
        send(&reporter, one, json!([event("4")]).to_string()).await.expect_problem(422, "invalid");
        send(&reporter, batch, event("4").to_string()).await.expect_problem(422, "invalid");
        send(&reporter, "text/plain", event("4").to_string()).await.expect_problem(415, "unsupported_media_type");
        send(&reporter, batch, "[".to_owned()).await.expect_problem(400, "malformed_json");
        send(&reporter, batch, "[]".to_owned()).await.expect_problem(422, "invalid");
        send(&reporter, batch, Value::from(vec![event("4"); 1_001]).to_string()).await.expect_problem(422, "invalid");
        // Faults of one event point into that event.
        let problem = send(&reporter, one, json!({"id": "5"}).to_string()).await.expect_problem(422, "invalid");
        assert!(pointers(&problem).contains(&"/subject"), "{problem}");
        let problem = send(&reporter, one, world.event("5", "west", "requests", "1", NOON).to_string()).await;
        assert_eq!(pointers(&problem.expect_problem(422, "invalid")), ["/data/project"]);
        assert_eq!(world.usage("").await, ["north requests 3"]);
    }

    async fn an_idempotency_key_gives_the_first_answer_again(app: &TestApp) {
        let world = World::new(app, plan()).await;
        let batch = json!([world.event("1", "north", "requests", "1", NOON)]);
        let reporter = world.reporter().await;
        let ask = || reporter.request(Method::POST, "/api/v1/usage").header("idempotency-key", "batch-1").json(&batch);
        assert_eq!(reporter.send(ask()).await.expect(200), json!({"accepted": 1, "duplicates": 0}));
        assert_eq!(reporter.send(ask()).await.expect(200), json!({"accepted": 1, "duplicates": 0}));
    }

    async fn batches_at_the_same_time_add_up_exactly(app: &TestApp) {
        let world = World::new(app, plan()).await;
        let reporter = world.reporter().await;
        // Twelve batches of forty of a hundred events, each overlapping the next, in different orders.
        let event = |n: usize| {
            let project = if n.is_multiple_of(2) { "north" } else { "south" };
            world.event(&n.to_string(), project, "requests", "0.000000000000001", NOON)
        };
        let batches = (0..12_usize).map(|batch| {
            let mut events: Vec<Value> = (0..40).map(|n| event((batch * 17 + n) % 100)).collect();
            if batch.is_multiple_of(2) {
                events.reverse();
            }
            let reporter = reporter.clone();
            async move { send(&reporter, "application/json", Value::from(events).to_string()).await }
        });
        let mut accepted = 0;
        for answer in futures::future::join_all(batches).await {
            accepted += answer.expect(200)["accepted"].as_u64().unwrap();
        }
        assert_eq!(accepted, 100);
        assert_eq!(world.usage("").await, ["north requests 0.00000000000005", "south requests 0.00000000000005"]);
    }

    async fn a_batch_takes_as_many_statements_whatever_its_size(app: &TestApp) {
        let world = World::new(app, plan()).await;
        let reporter = world.reporter().await;
        let mut counts = Vec::new();
        for (round, size) in [1_usize, 16, 512].into_iter().enumerate() {
            let events: Vec<Value> = (0..size).map(|n| world.event(&format!("{round}-{n}"), "north", "requests", "1", NOON)).collect();
            let before = app.statements();
            send(&reporter, "application/json", Value::from(events).to_string()).await.expect(200);
            counts.push(app.statements() - before);
        }
        assert_eq!(counts, vec![counts[0]; 3]);
        assert!(counts[0] <= 12, "{counts:?}");
    }
}
