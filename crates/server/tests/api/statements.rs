//! How many SQL statements each operation runs: a snapshot of each engine, the same for few and for many
//! rows. The cheapest guard of speed there is: a query in a loop shows at once.

use std::{collections::BTreeMap, fmt::Write as _};

use reqwest::Method;
use serde_json::json;
use stoa_testkit::{TestApp, api_tests};

use crate::authorization::{Gate, Row, World, rows};

/// How many more of everything there are in the small world and in the large one. Not none: what is not there at all is
/// rightly passed over.
const FEW: usize = 2;
const MANY: usize = 10;

/// Operations that change what others need get a world of their own.
fn needs_its_own_world(row: &Row) -> bool {
    let verbs = [
        "/suspend",
        "/publish",
        "/pause",
        "/resume",
        "/keep",
        "/locks",
        "/deprecate",
        "/retire",
        "/cancel",
        "/approve",
        "/reject",
        "/ask",
        "/accept",
        "/decline",
        "/withdraw",
        "/refuse",
        "/plan",
    ];
    row.method == Method::DELETE || row.method == Method::PUT || verbs.iter().any(|verb| row.path.ends_with(verb))
}

/// Operations that are not counted here, with the reason.
fn counted(row: &Row) -> bool {
    if row.method == Method::DELETE && row.path == "/api/v1/me" {
        // The maintainer who asks is the only one and stays; what a deletion runs grows with the memberships it ends.
        return false;
    }
    match row.gate {
        // They need an application's credentials; their statements are counted in the tests of tokens and usage.
        Gate::Service | Gate::ClientCredentials => false,
        // They take an organization that is deleted, a service in review, or one that is suspended.
        Gate::Operator => !["/restore", "/approve", "/reject", "services/{service}/unsuspend"].iter().any(|end| row.path.ends_with(end)),
        // It takes a service in review.
        Gate::Roles(_) if row.path == "/api/v1/services/{service}/withdraw" => false,
        // Nobody but the requester may, or there is no such token in the world.
        Gate::Roles("-") => false,
        Gate::Anybody | Gate::Anyone | Gate::Roles(_) => true,
    }
}

async fn enlarge(app: &TestApp, world: &World, size: usize) {
    let m = &world.maintainer.client;
    let mut members = Vec::new();
    for number in 0..size {
        let person = app.person(&format!("person{number}")).await;
        members.push(json!({"email": person.user.email, "role": "viewer"}));
        members.push(json!({"email": format!("invited{number}@people.example"), "role": "viewer"}));
        let name = format!("Project {number}");
        m.post("/api/v1/organizations/grid/projects", json!({"name": name})).await.expect(201);
        let path = format!("/api/v1/organizations/grid/projects/north/resources/file{number}.csv");
        m.send(m.request(Method::PUT, &path).body("a,b")).await.expect(201);
        m.post("/api/v1/applications", json!({"name": format!("Application {number}"), "organization": "grid"})).await.expect(201);
        m.post("/api/v1/organizations", json!({"name": format!("Organization {number}")})).await.expect(201);
        let team = m.post("/api/v1/organizations/grid/teams", json!({"name": format!("Team {number}")})).await.expect(201);
        let team = team["id"].as_str().unwrap();
        m.send(m.request(Method::PUT, &format!("/api/v1/applications/{}/shares/teams/{team}", world.application))).await.expect(204);
        let service = world.draft(&format!("Service {number}")).await;
        m.post(&format!("/api/v1/services/{service}/publish"), json!({})).await.expect(200);
        let subscribe = json!({"service": service, "projects": {"mode": "all", "include_future": "yes"}, "accept_terms": true});
        m.post("/api/v1/organizations/grid/subscriptions", subscribe).await.expect(201);
        // Of projects that no other operation is about.
        let chosen = json!({"mode": "selected", "projects": [format!("project-{number}")]});
        let subscribe = json!({"service": world.taken, "projects": chosen, "accept_terms": true, "label": format!("Number {number}")});
        m.post("/api/v1/organizations/grid/subscriptions", subscribe).await.expect(201);
        m.put(&format!("/api/v1/services/{}/audience/organization-{number}", world.taken), json!({})).await.expect(204);
    }
    for _ in 0..size {
        let contract = json!({"level": "organization", "permissions": ["resources:read", "resources:write"],
            "plans": [{"name": "Basic", "currency": "EUR", "monthly": "10"}]});
        m.post(&format!("/api/v1/services/{}/contracts", world.taken), contract).await.expect(201);
    }
    m.post("/api/v1/organizations/grid/members", json!({"members": members})).await.expect(200);
    let all = json!({"mode": "all", "include_future": "yes"});
    m.put(&format!("/api/v1/organizations/grid/subscriptions/{}/projects", world.subscription), all).await.expect(200);
}

async fn count(app: &TestApp, world: &World, row: &Row) -> u64 {
    let before = app.statements();
    let person = if row.gate == Gate::Operator { &world.operator } else { &world.maintainer };
    let status = world.ask(row, &person.client).await;
    // The world's application stands behind services, so that its deletion is refused after all has been looked at.
    let in_use = ["/api/v1/applications/{application}", "/api/v1/applications/{application}/transfer"].contains(&row.path) && status == 409;
    assert!((200..300).contains(&status) || in_use, "{} {} answered {status}", row.method, row.path);
    app.statements() - before
}

async fn counts(app: &TestApp, size: usize) -> BTreeMap<String, u64> {
    let first = TestApp::start(app.database().fresh().await).await;
    let world = World::new(&first).await;
    enlarge(&first, &world, size).await;
    let frozen = first.freeze().await;
    let shared = frozen.thaw().await;
    let common = world.at(&shared);
    let mut counts = BTreeMap::new();
    for row in rows().iter().filter(|row| counted(row)) {
        let name = format!("{} {}", row.path, row.method);
        let number = if needs_its_own_world(row) {
            let own = frozen.thaw().await;
            let number = count(&own, &world.at(&own), row).await;
            own.finish().await;
            number
        } else {
            count(&shared, &common, row).await
        };
        counts.insert(name, number);
    }
    shared.mails().await;
    shared.finish().await;
    counts
}

api_tests! {
    async fn each_operation_runs_as_many_statements_as_before_and_for_many_rows_as_for_few(app: &TestApp) {
        let few = counts(app, FEW).await;
        let many = counts(app, MANY).await;
        let grown: Vec<_> = few.iter().filter(|(name, number)| many.get(*name) != Some(*number)).map(|(name, number)| (name, number, many.get(name))).collect();
        assert!(grown.is_empty(), "these run more statements for more rows: {grown:#?}");
        let mut table = String::new();
        for (name, number) in &few {
            writeln!(table, "{number:>3}  {name}").unwrap();
        }
        // The engines differ only where a service is indexed for the search, which SQLite keeps in two tables.
        let engine = format!("{:?}", app.stoa.db.engine()).to_lowercase();
        insta::assert_snapshot!(format!("statements-{engine}"), table);
    }
}
