//! What somebody may do, and what there is to change, is asked when the organization is locked: a request that waited for the
//! lock goes by what holds then, not by what it read before.

use std::future::Future;

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use stoa_actions::{Act, Caller};
use stoa_domain::{ids::OrganizationId, members::Member, permissions::Role};
use stoa_store::{Engine, members, organizations};
use stoa_testkit::{TestApp, api_tests};

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

/// Sends requests while an organization is locked; what `meanwhile` does is true when they get the lock.
async fn overtaken<A>(
    app: &TestApp,
    id: OrganizationId,
    requests: Vec<impl Future<Output = A>>,
    meanwhile: impl AsyncFnOnce(&mut Act),
) -> Vec<A> {
    let mut act = Act::begin(&app.stoa, Caller::system(app.stoa.clock.now())).await.unwrap();
    organizations::lock(&mut act.tx, &[id]).await.unwrap();
    let others = requests.len();
    let overtake = async move {
        until_waiting(app, others).await;
        meanwhile(&mut act).await;
        act.commit().await.unwrap();
    };
    tokio::join!(join_all(requests), overtake).0
}

api_tests! {
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
            (Method::PATCH, engine.clone(), json!({"name": "Other"})),
            (Method::POST, format!("{engine}/secrets"), json!({})),
            (Method::DELETE, engine.clone(), json!({})),
            (Method::PUT, format!("{engine}/shares/organizations/grid"), json!({})),
            (Method::POST, format!("{own}/transfer"), json!({"organization": "grid"})),
        ];
        for (method, path, body) in all {
            let request = mira.send(mira.request(method.clone(), &path).json(&body));
            let leave = async |act: &mut Act| members::delete(&mut act.tx, organization, mira.id()).await.unwrap();
            let answer = overtaken(app, organization, vec![request], leave).await.remove(0);
            assert_eq!(answer.status, 404, "{method} {path}: {answer:?}");
            let mut tx = app.stoa.db.begin().await.unwrap();
            members::insert(&mut tx, organization, &[Member::new(&mira.user, Role::Maintainer, app.stoa.clock.now())]).await.unwrap();
            tx.commit().await.unwrap();
        }
        assert_eq!(ada.get(&format!("{GRID}/events?limit=200")).await.expect(200), log, "nothing was done");
        mira.get(&engine).await.expect(200);
    }
}
