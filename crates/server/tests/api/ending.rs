//! Deleting an organization, what ends with it, restoring and erasing it.

use reqwest::Method;
use serde_json::{Value, json};
use stoa_actions::{jobs, organizations::erase_next};
use stoa_domain::mail::Mail;
use stoa_domain::time::{DAY, SECOND};
use stoa_store::{
    Engine,
    organizations::{ERASED, LEDGER},
    params,
};
use stoa_testkit::{TestApp, api_tests};

use crate::{providing::png, world::World};

async fn count(app: &TestApp, sql: &str, world: &World) -> i64 {
    let mut conn = app.stoa.db.read().await.unwrap();
    conn.fetch_one(sql, params![world.consumer]).await.unwrap().get(0).unwrap()
}

async fn text(app: &TestApp, sql: &str, world: &World) -> Option<String> {
    let mut conn = app.stoa.db.read().await.unwrap();
    conn.fetch_one(sql, params![world.consumer]).await.unwrap().get(0).unwrap()
}

/// The tables in which rows belong to an organization.
async fn tables(app: &TestApp) -> Vec<String> {
    let sql = match app.stoa.db.engine() {
        Engine::Sqlite => {
            "select m.name from sqlite_master m join pragma_table_info(m.name) c where m.type = 'table' and c.name = 'organization_id' order by 1"
        }
        Engine::Postgres => {
            "select cast(table_name as text) from information_schema.columns
             where table_schema = current_schema() and column_name = 'organization_id' order by 1"
        }
    };
    let mut conn = app.stoa.db.read().await.unwrap();
    let rows = conn.fetch_all(sql, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0).unwrap()).collect()
}

/// Adds to the consumer what else an organization can have, so that each table that is erased has rows of it.
async fn furnish(app: &TestApp, world: &World) {
    let ada = &world.ada;
    let path = "/api/v1/organizations/grid-works";
    let id = |made: &Value| made["id"].as_str().unwrap().to_owned();
    ada.send(ada.request(Method::PUT, &format!("{path}/projects/north/resources/one.csv")).body("a,b")).await.expect(201);
    ada.post(&format!("{path}/members"), json!({"members": [{"email": "new@people.example", "role": "viewer"}]})).await.expect(200);
    let team = id(&ada.post(&format!("{path}/teams"), json!({"name": "Meters"})).await.expect(201));
    ada.put(&format!("{path}/teams/{team}/members/{}", ada.id()), json!({})).await.expect(204);
    let application = id(&ada.post("/api/v1/applications", json!({"name": "Mine", "organization": "grid-works"})).await.expect(201));
    for share in ["organizations/grid-works".to_owned(), format!("teams/{team}")] {
        ada.put(&format!("/api/v1/applications/{application}/shares/{share}"), json!({})).await.expect(204);
    }
    let contract = json!({"level": "organization", "permissions": ["resources:read"], "plans": [{"name": "Basic", "currency": "EUR"}]});
    let new = json!({"application": application, "name": "Own", "summary": "x", "description": "x", "categories": ["energy"],
        "visibility": "public", "contract": contract});
    let service = id(&ada.post(&format!("{path}/services"), new).await.expect(201));
    let icon = ada.request(Method::PUT, &format!("/api/v1/services/{service}/icon")).body(png(128, 128, 1));
    ada.send(icon.header("content-type", "image/png")).await.expect(200);
    ada.put(&format!("/api/v1/services/{service}/audience/forecasters"), json!({})).await.expect(204);
    // Only an update of the program queues services.
    let mut tx = app.stoa.db.begin().await.unwrap();
    let queue =
        "insert into search_queue (organization_id, service_id) select organization_id, id from services where organization_id = $1";
    tx.execute(queue, params![world.consumer]).await.unwrap();
    tx.commit().await.unwrap();
    ada.post("/api/v1/me/tokens", json!({"name": "Limited", "organizations": ["grid-works"]})).await.expect(201);
    let claim = json!({"domain": "grid.example", "role": "viewer", "contact": "postmaster"});
    ada.post(&format!("{path}/domains"), claim).await.expect(201);
    let Mail::DomainCode { code, .. } = app.mail_to("postmaster@grid.example").await.mail else { panic!("no code was sent") };
    ada.post(&format!("{path}/domains/grid.example/verify"), json!({"code": code})).await.expect(200);
    app.write_mails().await;
    app.mail_to("new@people.example").await;
    world.token(app, "resources:read").await;
    ada.put(&format!("{path}/policy"), json!({"rules": [{"name": "All"}]})).await.expect(200);
    let stan = app.person("stan").await;
    ada.post(&format!("{path}/members"), json!({"members": [{"email": stan.user.email, "role": "viewer"}]})).await.expect(200);
    ada.post(&format!("{path}/delegations"), json!({"to": stan.id(), "until": "2026-05-01"})).await.expect(201);
    ada.patch(path, json!({"handle": "power"})).await.expect(200);
}

api_tests! {
    async fn nothing_but_the_ledger_is_left_in_any_table(app: &TestApp) {
        let world = World::new(app).await;
        let known: std::collections::BTreeSet<_> = ERASED.iter().chain(&LEDGER).map(|table| (*table).to_owned()).collect();
        let there: std::collections::BTreeSet<_> = tables(app).await.into_iter().collect();
        let differ: Vec<_> = there.symmetric_difference(&known).collect();
        assert!(differ.is_empty(), "name them in store/src/organizations/erasure.rs, as erased or as ledger: {differ:?}");

        furnish(app, &world).await;
        let rows = async |table: &str| count(app, &format!("select count(*) from {table} where organization_id = $1"), &world).await;
        for table in ERASED {
            assert!(rows(table).await > 0, "the test has nothing to erase in {table}");
        }
        let log = world.ada.get("/api/v1/organizations/power/events/export").await.text();
        assert!(log.contains("invited new@people.example as viewer"), "{log}");
        world.ada.delete("/api/v1/organizations/power?confirm=Grid%20Works").await.expect(204);
        app.write_mails().await;
        app.clock.advance(14 * DAY);
        while erase_next(&app.stoa, app.stoa.clock.now(), 10).await.unwrap().is_some() {}
        for table in ERASED {
            assert_eq!(rows(table).await, 0, "{table}");
        }
        assert_eq!(count(app, "select count(*) from outgoing_mails where source_organization_id = $1", &world).await, 0);
        for table in ["events", "projects", "grants", "subscriptions", "services"] {
            assert!(rows(table).await > 0, "{table} is the ledger");
        }
        assert_eq!(rows("applications").await, 1, "the one behind the service");
        let told = "select count(*) from events where organization_id = $1 and data like '%new@people.example%'";
        assert_eq!(count(app, told, &world).await, 0, "the log never held the address");
        // A token that was limited to it opens nothing, and not everything.
        let limited = app.stoa.db.read().await.unwrap().fetch_one("select count(*) from personal_tokens where limited = 1", &[]).await.unwrap();
        assert_eq!(limited.get::<i64>(0).unwrap(), 1);
        // Read anew, the log writes no mail a second time.
        app.write_mails().await;
        assert_eq!(count(app, "select count(*) from outgoing_mails where source_organization_id = $1", &world).await, 0);
    }

    async fn everything_of_a_deleted_organization_is_gone_at_once_and_its_tokens_are_dead(app: &TestApp) {
        let world = World::new(app).await;
        app.stoa.access.poll_once(app.stoa.clock.now()).await.unwrap();
        let service = world.service(app, "resources:read").await;
        let resource = "/api/v1/organizations/grid-works/projects/north/resources";
        service.get(resource).await.expect(200);
        let own = world.ada.post("/api/v1/applications", json!({"name": "Mine", "organization": "grid-works"})).await.expect(201);
        let application = own["id"].as_str().unwrap();
        let secret = world.ada.post(&format!("/api/v1/applications/{application}/secrets"), json!({})).await.expect(201);
        let form = [("client_id", application), ("client_secret", secret["secret"].as_str().unwrap()), ("grant_type", "client_credentials")];
        let client = app.anonymous();
        let token = client.send(client.request(Method::POST, "/oauth2/token").form(&form)).await.expect(200);
        let own_service = app.anonymous().with_token(token["access_token"].as_str().unwrap());

        world.ada.delete("/api/v1/organizations/grid-works?confirm=Grid%20Works").await.expect(204);
        for path in ["", "/members", "/projects", "/projects/north", "/projects/north/resources", "/services", "/subscriptions", "/grants", "/requests", "/usage", "/costs", "/events"] {
            world.ada.get(&format!("/api/v1/organizations/grid-works{path}")).await.expect_problem(404, "not_found");
        }
        world.ada.get(&format!("/api/v1/applications/{application}")).await.expect_problem(404, "not_found");
        service.get(resource).await.expect_problem(401, "unauthenticated");
        own_service.post("/api/v1/usage", json!([])).await.expect_problem(401, "unauthenticated");
        assert_eq!(client.send(client.request(Method::POST, "/oauth2/token").form(&form)).await.status, 401);
        // The partner is told in its own log, at the same instant.
        let events = world.eve.get("/api/v1/organizations/forecasters/events?type=subscription.ended").await.expect(200);
        assert_eq!(events["items"][0]["data"]["cause"], "organization_deleted");
        let own = world.eve.get(&format!("/api/v1/services/{}/subscriptions", world.service)).await.expect(200);
        assert_eq!(own["items"][0]["state"], "ended");
    }

    async fn what_ends_is_said_by_the_code_that_ends_it(app: &TestApp) {
        let world = World::new(app).await;
        let browser = app.signed_in(&app.person_with_password("mia").await).await;
        world.eve.post("/api/v1/organizations/forecasters/members", json!({"members": [{"email": "mia@people.example", "role": "maintainer"}]})).await.expect(200);
        let html = browser.get("/organizations/forecasters/delete").await.text();
        for part in ["2 members", "0 teams", "1 with their secrets and tokens", "Forecast with 1 subscriber", "Type <b>Forecasters</b>"] {
            assert!(html.contains(part), "{part}: {html}");
        }
        world.ada.post("/api/v1/organizations/grid-works/members", json!({"members": [{"email": "mia@people.example", "role": "maintainer"}]})).await.expect(200);
        app.clock.advance(DAY);
        let html = browser.get("/organizations/grid-works/delete").await.text();
        assert!(html.contains("EUR 0.6") && html.contains("<dt>Subscriptions</dt><dd>1</dd>"), "{html}");
        world.ada.delete("/api/v1/organizations/grid-works?confirm=Grid%20Works").await.expect(204);
        let data = text(app, "select data from events where organization_id = $1 and type = 'organization.deleted'", &world).await.unwrap();
        let data: Value = serde_json::from_str(&data).unwrap();
        assert_eq!((&data["members"], &data["subscriptions"], &data["projects"]), (&json!(2), &json!(1), &json!(3)));
    }

    async fn an_operator_restores_what_was_deleted_but_not_what_has_ended(app: &TestApp) {
        let world = World::new(app).await;
        let operator = app.operator("opa").await;
        let path = "/api/v1/organizations/grid-works/projects/north/resources/data.csv";
        world.ada.send(world.ada.request(Method::PUT, path).body("a,b")).await.expect(201);
        let restore = format!("/api/v1/operator/organizations/{}/restore", world.consumer);
        operator.post(&restore, json!({"reason": "x"})).await.expect_problem(409, "cannot_restore");
        world.ada.delete("/api/v1/organizations/grid-works?confirm=Grid%20Works").await.expect(204);
        world.eve.post("/api/v1/organizations", json!({"name": "Another", "handle": "grid-works"})).await.expect_problem(409, "handle_taken");
        let listed = operator.get("/api/v1/operator/organizations?q=grid&state=deleted").await.expect(200);
        assert_eq!(listed["items"][0]["state"], "deleted");
        assert!(listed["items"][0]["restorable_until"].as_str().unwrap().starts_with("2026-03-24T12:00:00"), "{listed}");
        world.ada.post(&restore, json!({"reason": "mine"})).await.expect_problem(404, "not_found");
        operator.post(&restore, json!({"reason": " "})).await.expect_problem(422, "invalid");
        app.clock.advance(13 * DAY);
        operator.post(&restore, json!({"reason": "deleted by mistake"})).await.expect(204);

        assert_eq!(world.ada.get(path).await.text(), "a,b");
        assert_eq!(world.ada.get("/api/v1/organizations/grid-works/members").await.expect(200)["items"][0]["role"], "maintainer");
        let subscriptions = world.ada.get("/api/v1/organizations/grid-works/subscriptions").await.expect(200);
        assert_eq!(subscriptions["items"][0]["state"], "ended");
        let events = world.ada.get("/api/v1/organizations/grid-works/events?type=organization.restored").await.expect(200);
        assert_eq!(events["items"][0]["data"]["reason"], "deleted by mistake");
    }

    async fn an_organization_is_never_restored_without_a_maintainer(app: &TestApp) {
        let world = World::new(app).await;
        let (operator, ben) = (app.operator("opa").await, app.person("ben").await);
        let restore = format!("/api/v1/operator/organizations/{}/restore", world.consumer);
        let delete = async || {
            let maintainers = ben.get("/api/v1/organizations/grid-works/members").await;
            let by = if maintainers.status == 200 { &ben } else { &world.ada };
            by.delete("/api/v1/organizations/grid-works?confirm=Grid%20Works").await.expect(204);
            app.write_mails().await;
        };
        delete().await;
        let named = json!({"reason": "x", "maintainer": "ben@people.example"});
        operator.post(&restore, named.clone()).await.expect_problem(409, "has_maintainer");
        // Of a deleted organization the last maintainer may go.
        world.ada.delete("/api/v1/me?confirm=ada@people.example").await.expect(204);
        app.mail_to("ada@people.example").await;
        let refused = operator.post(&restore, json!({"reason": "x"})).await.expect_problem(409, "no_maintainer");
        assert!(refused["detail"].as_str().unwrap().contains("name a person"), "{refused}");
        for (wrong, said) in [("ada@people.example", "create it first"), ("ada", "by e-mail address or by id"), (&world.ada.id().to_string(), "create it first")] {
            let refused = operator.post(&restore, json!({"reason": "x", "maintainer": wrong})).await.expect_problem(422, "invalid");
            assert_eq!(refused["errors"][0]["pointer"], "/maintainer");
            assert!(refused["errors"][0]["detail"].as_str().unwrap().contains(said), "{refused}");
        }
        operator.patch(&format!("/api/v1/operator/users/{}", ben.id()), json!({"suspended": true})).await.expect(200);
        operator.post(&restore, named.clone()).await.expect_problem(422, "invalid");
        operator.patch(&format!("/api/v1/operator/users/{}", ben.id()), json!({"suspended": false})).await.expect(200);
        operator.post(&restore, json!({"reason": " ", "maintainer": "ben@people.example"})).await.expect_problem(422, "invalid");
        assert_eq!(ben.get("/api/v1/organizations/grid-works").await.status, 404, "nothing was restored");

        operator.post(&restore, named).await.expect(204);
        let members = ben.get("/api/v1/organizations/grid-works/members").await.expect(200);
        assert_eq!((&members["items"][0]["user"]["email"], &members["items"][0]["role"]), (&json!("ben@people.example"), &json!("maintainer")));
        assert_eq!(members["items"].as_array().unwrap().len(), 1);
        let events = ben.get("/api/v1/organizations/grid-works/events").await.expect(200);
        let last: Vec<_> = events["items"].as_array().unwrap().iter().rev().take(2).map(|one| one["type"].as_str().unwrap()).collect();
        assert_eq!(last, ["member.added", "organization.restored"]);
        app.write_mails().await;
        app.mail_to("ben@people.example").await;

        // A member who is none becomes one, and the page asks for a person by itself.
        ben.post("/api/v1/organizations/grid-works/members", json!({"members": [{"email": "eve@people.example", "role": "viewer"}]})).await.expect(200);
        delete().await;
        ben.delete("/api/v1/me?confirm=ben@people.example").await.expect(204);
        let browser = app.signed_in(&operator).await;
        let path = format!("/operator/organizations/{}", world.consumer);
        assert!(browser.get(&path).await.text().contains("Who becomes its maintainer?"));
        let send = async |maintainer: &str| browser.send(browser.request(Method::POST, &format!("{path}/restore")).form(&[("reason", "asked"), ("maintainer", maintainer)])).await;
        let again = send("nobody@people.example").await;
        assert!(again.status == 422 && again.text().contains("Nobody has the account nobody@people.example"), "{again:?}");
        assert_eq!(send("").await.status, 409);
        assert_eq!(send("Eve@people.example").await.status, 303);
        let members = world.eve.get("/api/v1/organizations/grid-works/members").await.expect(200);
        assert_eq!((&members["items"][0]["user"]["email"], &members["items"][0]["role"]), (&json!("eve@people.example"), &json!("maintainer")));
        app.write_mails().await;
        app.mails().await;
    }

    async fn after_14_days_everything_but_the_ledger_is_erased_by_whichever_node_comes_first(app: &TestApp) {
        let world = World::new(app).await;
        let operator = app.operator("opa").await;
        let put = async |name: &str| {
            let path = format!("/api/v1/organizations/grid-works/projects/north/resources/{name}");
            world.ada.send(world.ada.request(Method::PUT, &path).body("a,b")).await.expect(201);
        };
        put("one.csv").await;
        put("two.csv").await;
        world.ada.patch("/api/v1/organizations/grid-works", json!({"handle": "power", "billing_email": "bills@grid.example", "description": "Power"})).await.expect(200);
        world.ada.post("/api/v1/applications", json!({"name": "Mine", "organization": "power", "description": "x"})).await.expect(201);
        let before = count(app, "select count(*) from events where organization_id = $1", &world).await;
        world.ada.delete("/api/v1/organizations/power?confirm=Grid%20Works").await.expect(204);
        app.clock.advance(14 * DAY - SECOND);
        assert_eq!(erase_next(&app.stoa, app.stoa.clock.now(), 10).await.unwrap(), None);
        app.clock.advance(SECOND);

        // A node that stops after a batch: another goes on, and nothing can be restored from the first batch on.
        let now = app.stoa.clock.now();
        let begun = erase_next(&app.stoa, now, 1).await.unwrap().unwrap();
        assert!(begun.rows > 0 && !begun.done && begun.organization == world.consumer);
        operator.post(&format!("/api/v1/operator/organizations/{}/restore", world.consumer), json!({"reason": "late"})).await.expect_problem(409, "cannot_restore");
        let swept = jobs::tick(&app.stoa, now).await.unwrap();
        assert_eq!(erase_next(&app.stoa, now, 10).await.unwrap(), None, "{swept:?}");

        for (table, left) in [("memberships", 0), ("resources", 0), ("applications", 0), ("organization_handles", 0), ("projects", 3), ("subscriptions", 1), ("grants", 2)] {
            assert_eq!(count(app, &format!("select count(*) from {table} where organization_id = $1"), &world).await, left, "{table}");
        }
        assert_eq!(count(app, "select count(*) from events where organization_id = $1", &world).await, before + 3, "the end of the organization, of its subscription, and the erasure");
        assert_eq!(text(app, "select name from organizations where id = $1", &world).await.as_deref(), Some("Grid Works"));
        assert_eq!(text(app, "select billing_email from organizations where id = $1", &world).await, None);
        assert_eq!(text(app, "select description from organizations where id = $1", &world).await.as_deref(), Some(""));
        // Its handles are free, and the provider still has what it is owed.
        world.eve.post("/api/v1/organizations", json!({"name": "Another", "handle": "power"})).await.expect(201);
        let provided = world.eve.get(&format!("/api/v1/services/{}/subscriptions", world.service)).await.expect(200);
        assert_eq!(provided["items"][0]["organization"]["name"], "Grid Works");
    }

    async fn two_nodes_erase_an_organization_once(app: &TestApp) {
        let world = World::new(app).await;
        world.ada.delete("/api/v1/organizations/grid-works?confirm=Grid%20Works").await.expect(204);
        app.clock.advance(15 * DAY);
        let now = app.stoa.clock.now();
        let nodes = futures::future::join_all((0..4).map(|_| erase_next(&app.stoa, now, 10))).await;
        let erased: Vec<_> = nodes.into_iter().filter_map(|node| node.unwrap()).collect();
        assert_eq!(erased.len(), 1, "{erased:?}");
        assert_eq!(count(app, "select count(*) from events where organization_id = $1 and type = 'organization.erased'", &world).await, 1);
    }

    async fn a_provider_that_is_erased_leaves_the_contracts_of_its_subscribers(app: &TestApp) {
        let world = World::new(app).await;
        world.eve.delete("/api/v1/organizations/forecasters?confirm=Forecasters").await.expect(204);
        app.clock.advance(15 * DAY);
        while erase_next(&app.stoa, app.stoa.clock.now(), 10).await.unwrap().is_some() {}
        let subscriptions = world.ada.get("/api/v1/organizations/grid-works/subscriptions").await.expect(200);
        assert_eq!((&subscriptions["items"][0]["state"], &subscriptions["items"][0]["service"]["name"]), (&json!("ended"), &json!("Forecast")));
        let path = format!("/api/v1/organizations/grid-works/subscriptions/{}", world.subscription);
        assert_eq!(world.ada.get(&path).await.expect(200)["permissions"], json!(["resources:read", "resources:write"]));
        let costs = world.ada.get("/api/v1/organizations/grid-works/costs?from=2026-03-01&to=2026-04-01").await.expect(200);
        assert_eq!(costs["total"]["currency"], "EUR");
        let found = world.ada.get("/api/v1/marketplace?q=forecast").await.expect(200);
        assert_eq!(found["items"], json!([]));
    }
}
