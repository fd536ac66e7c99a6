//! What somebody may do, and what there is to change, is asked when the organization is locked: a request that waited for the
//! lock goes by what holds then, not by what it read before.

use std::{fmt::Debug, future::Future, pin::pin};

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use stoa_actions::{Act, Caller};
use stoa_domain::{
    ids::{OrganizationId, SubscriptionId},
    members::Member,
    permissions::Role,
};
use stoa_store::{Engine, members, organizations, subscriptions};
use stoa_testkit::{Answer, Person, TestApp, api_tests};

use crate::trade::{Trade, id};

const GRID: &str = "/api/v1/organizations/grid";

/// Waits until so many others wait for a lock. SQLite lets nobody begin who would have to wait, so there is nothing to wait for.
async fn until_waiting(app: &TestApp, others: usize) {
    if app.stoa.db.engine() == Engine::Sqlite {
        return;
    }
    let sql = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    let mut conn = app.stoa.db.read().await.unwrap();
    while conn.fetch_one(sql, &[]).await.unwrap().get::<i64>(0).unwrap() < others as i64 {
        tokio::task::yield_now().await;
    }
}

/// Begins the first, and when it makes so many wait for a lock, also does the second, which has the lock.
async fn beside<A: Debug>(app: &TestApp, others: usize, waiting: impl Future<Output = A>, other: impl Future<Output = ()>) -> A {
    let mut waiting = pin!(waiting);
    tokio::select! {
        () = until_waiting(app, others) => {}
        early = &mut waiting => panic!("it was answered without waiting for a lock: {early:?}"),
    }
    tokio::join!(waiting, other).0
}

/// Sends requests while an organization is locked; what `meanwhile` does is true when they get the lock.
async fn overtaken<A: Debug>(
    app: &TestApp,
    id: OrganizationId,
    requests: Vec<impl Future<Output = A>>,
    meanwhile: impl AsyncFnOnce(&mut Act),
) -> Vec<A> {
    let mut act = Act::begin(&app.stoa, Caller::system(app.stoa.clock.now())).await.unwrap();
    organizations::lock(&mut act.tx, &[id]).await.unwrap();
    let others = requests.len();
    let overtake = async move {
        meanwhile(&mut act).await;
        act.commit().await.unwrap();
    };
    beside(app, others, join_all(requests), overtake).await
}

type Sent = (Method, String, Value);

/// Sends requests of a maintainer who loses the seat while each waits for the lock; afterwards it is there again.
async fn refused_without_a_seat(
    app: &TestApp,
    organization: OrganizationId,
    who: &Person,
    status: u16,
    all: impl IntoIterator<Item = Sent>,
) {
    for (method, path, body) in all {
        let request = who.send(who.request(method.clone(), &path).json(&body));
        let leave = async |act: &mut Act| members::delete(&mut act.tx, organization, who.id()).await.unwrap();
        let answer = overtaken(app, organization, vec![request], leave).await.remove(0);
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        let mut tx = app.stoa.db.begin().await.unwrap();
        members::insert(&mut tx, organization, &[Member::new(&who.user, Role::Maintainer, app.stoa.clock.now())]).await.unwrap();
        tx.commit().await.unwrap();
    }
}

/// Sends a request while usage is counted for some subscriptions: of these the first is held already, and the others are taken
/// while the request waits for it.
async fn beside_usage(app: &TestApp, ids: &[String], request: impl Future<Output = Answer>) -> Answer {
    let mut ids: Vec<SubscriptionId> = ids.iter().map(|id| id.parse().unwrap()).collect();
    ids.sort();
    let mut tx = app.stoa.db.begin().await.unwrap();
    // What was written last stands last in the table, where a change of several in the table's order comes to it last. In this
    // order PostgreSQL goes through a table that it knows to be small.
    tx.execute("update subscriptions set note = note where id = $1", &[ids[0].into()]).await.unwrap();
    tx.execute("analyze subscriptions", &[]).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = app.stoa.db.begin().await.unwrap();
    subscriptions::lock(&mut tx, [ids[0]]).await.unwrap();
    let count = async move {
        let held = subscriptions::lock(&mut tx, ids.iter().copied()).await.unwrap();
        assert_eq!(held.len(), ids.len());
        tx.commit().await.unwrap();
    };
    beside(app, 1, request, count).await
}

/// A contract with a plan and a day that is announced.
fn contract(level: &str, monthly: &str) -> Value {
    json!({"level": level, "permissions": ["resources:read"], "plans": [{"name": "Basic", "currency": "EUR", "monthly": monthly}],
        "notice_until": "2026-06-01T00:00:00Z"})
}

api_tests! {
    async fn neither_usage_nor_a_change_of_several_subscriptions_fails_for_the_other(app: &TestApp) {
        let trade = Trade::new(app).await;
        let (mia, pia) = (&trade.mia, &trade.pia);
        mia.post("/api/v1/organizations", json!({"name": "Delta"})).await.expect(201);
        let mut services = Vec::new();
        // An application each, so that one of them can be handed over.
        for (name, visibility) in [("Forecast", "public"), ("Maps", "public"), ("Audit", "on_request")] {
            let application = json!({"name": format!("Engine of {name}"), "organization": "borealis"});
            let application = id(&pia.post("/api/v1/applications", application).await.expect(201));
            let mut body = json!({"application": application, "name": name, "summary": "Reads", "description": "Reads data",
                "categories": ["energy"], "visibility": visibility, "contract": contract("project", "10")});
            body["contract"].as_object_mut().unwrap().remove("notice_until");
            let service = id(&pia.post("/api/v1/organizations/borealis/services", body).await.expect(201));
            pia.post(&format!("/api/v1/services/{service}/publish"), json!({})).await.expect(200);
            services.push(service);
        }
        let mut made = Vec::new();
        for (service, project) in [(0, "north"), (0, "south"), (0, "east"), (1, "north"), (1, "south"), (2, "north"), (2, "south")] {
            let body = json!({"service": services[service], "project": project, "plan": "Basic", "accept_terms": true});
            made.push(id(&mia.post("/api/v1/organizations/grid/subscriptions", body).await.expect(201)));
        }
        let (all, asked) = made.split_at(5);
        let forecast = &all[..3];

        beside_usage(app, asked, pia.post(&format!("/api/v1/services/{}/deprecate", services[2]), json!({"until": "2026-06-01T00:00:00Z"}))).await.expect(200);
        app.clock.set("2026-03-11T12:00:00Z");
        let contracts = format!("/api/v1/services/{}/contracts", services[0]);
        let cheaper = beside_usage(app, forecast, pia.post(&contracts, contract("project", "5"))).await.expect(201);
        assert_eq!(cheaper["subscribers"]["applied"], 3);

        app.clock.set("2026-03-12T12:00:00Z");
        let offered = id(&pia.post(&contracts, contract("organization", "5")).await.expect(201));
        let accepting = json!({"service": services[0], "contract": offered, "plan": "Basic"});
        let change = mia.post("/api/v1/organizations/grid/level-changes", accepting).await.expect(201)["change"].clone();
        let both: Vec<_> = forecast.iter().cloned().chain([change["parts"][0]["to"].as_str().unwrap().to_owned()]).collect();
        for step in ["switch", "undo"] {
            app.clock.set(if step == "switch" { "2026-03-13T12:00:00Z" } else { "2026-03-14T12:00:00Z" });
            beside_usage(app, &both, mia.post(&format!("/api/v1/level-changes/{}/{step}", id(&change)), json!({}))).await.expect(200);
        }

        let handed = id(&pia.post(&format!("/api/v1/services/{}/handovers", services[1]), json!({"organization": "delta"})).await.expect(201));
        beside_usage(app, &made[3..5], mia.post(&format!("/api/v1/handovers/{handed}/accept"), json!({}))).await.expect(200);

        let north = [made[0].clone(), made[3].clone()];
        beside_usage(app, &north, mia.delete("/api/v1/organizations/grid/projects/north?confirm=North")).await.expect(204);
        beside_usage(app, all, mia.delete("/api/v1/organizations/grid?confirm=Grid")).await.expect(204);
        let rows = app.stoa.db.read().await.unwrap().fetch_all("select distinct state from subscriptions order by state", &[]).await.unwrap();
        let states: Vec<String> = rows.iter().map(|row| row.get(0).unwrap()).collect();
        assert_eq!(states, ["ended", "withdrawn"]);
    }

    async fn of_two_edits_at_the_same_moment_none_is_lost(app: &TestApp) {
        let ada = app.person("ada").await;
        let made = ada.post("/api/v1/organizations", json!({"name": "Grid", "handle": "grid"})).await.expect(201);
        let id = made["id"].as_str().unwrap().parse().unwrap();
        let edits = [json!({"description": "Power for the coast"}), json!({"billing_email": "bills@grid.example"})];
        let answers = overtaken(app, id, edits.iter().map(|edit| ada.patch(GRID, edit.clone())).collect(), async |_: &mut Act| {}).await;
        for answer in answers {
            answer.expect(200);
        }
        let read = ada.get(GRID).await.expect(200);
        assert_eq!((&read["description"], &read["billing_email"]), (&edits[0]["description"], &edits[1]["billing_email"]));
    }

    async fn whoever_lost_the_seat_while_waiting_is_refused(app: &TestApp) {
        let (ada, mira, vera) = (app.person("ada").await, app.person("mira").await, app.person("vera").await);
        let made = ada.post("/api/v1/organizations", json!({"name": "Grid", "handle": "grid"})).await.expect(201);
        let organization: OrganizationId = made["id"].as_str().unwrap().parse().unwrap();
        let people = json!([{"email": mira.user.email, "role": "maintainer"}, {"email": vera.user.email, "role": "reviewer"}]);
        ada.post(&format!("{GRID}/members"), json!({"members": people})).await.expect(200);
        ada.post(&format!("{GRID}/projects"), json!({"name": "North"})).await.expect(201);
        ada.post(&format!("{GRID}/domains"), json!({"domain": "grid.example", "role": "viewer", "contact": "postmaster"})).await.expect(201);
        app.mail_to("postmaster@grid.example").await;
        let registered = async |new: Value| mira.post("/api/v1/applications", new).await.expect(201)["id"].as_str().unwrap().to_owned();
        let engine = format!("/api/v1/applications/{}", registered(json!({"name": "Engine", "organization": "grid"})).await);
        let own = format!("/api/v1/applications/{}", registered(json!({"name": "Own"})).await);
        let log = ada.get(&format!("{GRID}/events?limit=200")).await.expect(200);

        let all = [
            (Method::PATCH, GRID.to_owned(), json!({"name": "Other"})),
            (Method::DELETE, format!("{GRID}?confirm=Grid"), json!({})),
            (Method::POST, format!("{GRID}/projects"), json!({"name": "South"})),
            (Method::PATCH, format!("{GRID}/projects/north"), json!({"name": "Other"})),
            (Method::DELETE, format!("{GRID}/projects/north"), json!({})),
            (Method::POST, format!("{GRID}/projects/north/locks"), json!({})),
            (Method::POST, format!("{GRID}/domains"), json!({"domain": "power.example", "role": "viewer", "contact": "postmaster"})),
            (Method::POST, format!("{GRID}/domains/grid.example/verify"), json!({"code": "0000-0000"})),
            (Method::PATCH, format!("{GRID}/domains/grid.example"), json!({"role": "editor"})),
            (Method::DELETE, format!("{GRID}/domains/grid.example"), json!({})),
            (Method::PUT, format!("{GRID}/policy"), json!({"rules": [{"name": "All"}]})),
            (Method::POST, format!("{GRID}/delegations"), json!({"to": vera.id(), "until": "2026-05-01"})),
            (Method::POST, "/api/v1/applications".to_owned(), json!({"name": "More", "organization": "grid"})),
            (Method::PATCH, engine.clone(), json!({"name": "Other"})),
            (Method::POST, format!("{engine}/secrets"), json!({})),
            (Method::DELETE, engine.clone(), json!({})),
            (Method::PUT, format!("{engine}/shares/organizations/grid"), json!({})),
            (Method::POST, format!("{own}/transfer"), json!({"organization": "grid"})),
        ];
        refused_without_a_seat(app, organization, &mira, 404, all).await;
        assert_eq!(ada.get(&format!("{GRID}/events?limit=200")).await.expect(200), log, "nothing was done");
        mira.get(&engine).await.expect(200);
    }

    async fn whoever_lost_the_seat_while_waiting_neither_subscribes_nor_provides(app: &TestApp) {
        let trade = Trade::new(app).await;
        let (mia, pia, mira) = (&trade.mia, &trade.pia, app.person("mira").await);
        for (who, organization) in [(mia, "grid"), (pia, "borealis")] {
            let members = json!({"members": [{"email": mira.user.email, "role": "maintainer"}]});
            who.post(&format!("/api/v1/organizations/{organization}/members"), members).await.expect(200);
        }
        let (here, there) = (trade.service("Forecast", "public").await, trade.service("Maps", "public").await);
        let moving = trade.draft("Audit", "public", "project", &["Basic"]).await;
        pia.post(&format!("/api/v1/services/{moving}/publish"), json!({})).await.expect(200);
        let subscription = trade.active(&here, json!({"mode": "selected", "projects": ["north"]})).await;
        let body = json!({"service": moving, "project": "north", "accept_terms": true});
        mia.post("/api/v1/organizations/grid/subscriptions", body).await.expect(201);
        app.clock.set("2026-03-11T12:00:00Z");
        let dearer = json!(pia.post(&format!("/api/v1/services/{here}/contracts"), contract("organization", "20")).await.expect(201)["id"]);
        let other = json!(pia.post(&format!("/api/v1/services/{moving}/contracts"), contract("organization", "10")).await.expect(201)["id"]);
        let team = id(&mia.post(&format!("{GRID}/teams"), json!({"name": "Crew"})).await.expect(201));
        mia.put(&format!("{GRID}/teams/{team}/members/{}", trade.eva.id()), json!({})).await.expect(204);
        let log = async |who: &Person, organization: &str| {
            who.get(&format!("/api/v1/organizations/{organization}/events?limit=200")).await.expect(200)["items"].clone()
        };
        let before = (log(mia, "grid").await, log(pia, "borealis").await);
        let organization = async |who: &Person, handle: &str| -> OrganizationId {
            id(&who.get(&format!("/api/v1/organizations/{handle}")).await.expect(200)).parse().unwrap()
        };
        let (grid, borealis) = (organization(mia, "grid").await, organization(pia, "borealis").await);

        let on = |verb: &str| format!("{GRID}/subscriptions/{subscription}/{verb}");
        let subscribing = [
            (Method::POST, format!("{GRID}/subscriptions"), json!({"service": there, "projects": {"mode": "all"}, "accept_terms": true})),
            (Method::PUT, on("projects"), json!({"mode": "all"})),
            (Method::POST, on("plan"), json!({"plan": "Basic"})),
            (Method::POST, on("contract/accept"), json!({"contract": dearer})),
            (Method::POST, on("contract/refuse"), json!({"contract": dearer})),
            (Method::PUT, on("budget"), json!({"amount": "5"})),
            (Method::DELETE, on("budget"), json!({})),
            (Method::POST, on("pause"), json!({})),
            (Method::POST, on("resume"), json!({})),
            (Method::POST, on("cancel"), json!({})),
            (Method::POST, on("keep"), json!({})),
            (Method::POST, format!("{GRID}/level-changes"), json!({"service": moving, "contract": other, "plan": "Basic"})),
            (Method::DELETE, format!("{GRID}/teams/{team}/members/{}", trade.eva.id()), json!({})),
        ];
        refused_without_a_seat(app, grid, &mira, 404, subscribing).await;

        let (application, _) = trade.credentials().await;
        let before = (before.0, log(pia, "borealis").await);
        let new = json!({"application": application, "name": "Tides", "summary": "Reads", "description": "Reads data", "categories": ["energy"],
            "visibility": "public", "contract": contract("project", "10")});
        let of = |verb: &str| format!("/api/v1/services/{there}/{verb}");
        // Whoever still sees the service is told that it is another's.
        let providing = [
            (Method::PATCH, format!("/api/v1/services/{there}"), json!({"summary": "Other"})),
            (Method::POST, of("contracts"), contract("organization", "30")),
            (Method::POST, of("publish"), json!({})),
            (Method::POST, of("pause"), json!({})),
            (Method::POST, of("withdraw"), json!({})),
            (Method::POST, of("deprecate"), json!({})),
            (Method::POST, of("retire"), json!({})),
            (Method::PUT, of("audience/grid"), json!({})),
            (Method::DELETE, of("audience/grid"), json!({})),
            (Method::DELETE, of("icon"), json!({})),
        ];
        refused_without_a_seat(app, borealis, &mira, 403, providing).await;
        let path = format!("/api/v1/services/{here}/subscriptions/{subscription}/pause");
        let unseen =
            [(Method::POST, "/api/v1/organizations/borealis/services".to_owned(), new), (Method::POST, path, json!({"reason": "work"}))];
        refused_without_a_seat(app, borealis, &mira, 404, unseen).await;
        assert_eq!((log(mia, "grid").await, log(pia, "borealis").await), before, "nothing was done");
    }
}
