//! Deciding in somebody's stead while they are away.

use serde_json::{Value, json};
use stoa_domain::time::DAY;
use stoa_testkit::{Person, api_tests};

use crate::trade::{Trade, decide, events, id};

const DELEGATIONS: &str = "/api/v1/organizations/grid/delegations";

fn all() -> Value {
    json!({"mode": "all", "include_future": "no"})
}

async fn waiting(who: &Person) -> usize {
    who.get("/api/v1/requests?as=waiting").await.expect(200)["items"].as_array().unwrap().len()
}

api_tests! {
    async fn a_delegate_decides_in_the_stead_of_who_is_away_and_the_record_says_so(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "public").await;
        let asked = trade.subscribe(&trade.vic, &service, all()).await.expect(201);
        let request = id(&asked["request"]);
        decide(&trade.eva, &request, "approve").await.expect_problem(403, "forbidden");
        let body = json!({"to": trade.eva.user.email, "from": "2026-03-11", "until": "2026-03-20"});
        for (who, status) in [(&trade.vic, 403), (&trade.eva, 403), (&trade.pia, 404)] {
            assert_eq!(who.post(DELEGATIONS, body.clone()).await.status, status, "{}", who.user.name);
        }
        assert_eq!(app.anonymous().post(DELEGATIONS, body.clone()).await.status, 401);
        let made = trade.rob.post(DELEGATIONS, body.clone()).await.expect(201);
        assert_eq!((made["absent"]["name"].as_str(), made["delegate"]["name"].as_str(), made["until"].as_str()), (Some("rob"), Some("eva"), Some("2026-03-21T00:00:00.000000Z")));
        trade.rob.post(DELEGATIONS, body).await.expect_problem(409, "already_delegated");
        assert_eq!(trade.vic.get(DELEGATIONS).await.expect(200)["items"][0]["id"], made["id"]);

        // Not before its time.
        assert_eq!(waiting(&trade.eva).await, 0);
        decide(&trade.eva, &request, "approve").await.expect_problem(403, "forbidden");
        app.clock.advance(DAY);
        assert_eq!(waiting(&trade.eva).await, 1);
        let done = decide(&trade.eva, &request, "approve").await.expect(200);
        assert_eq!((done["decisions"][0]["decided_by"]["name"].as_str(), done["decisions"][0]["on_behalf_of"]["name"].as_str()), (Some("eva"), Some("rob")));
        let told = events(&trade.mia, "grid", "request.approved").await;
        assert_eq!(told[0]["data"]["on_behalf_of"]["name"], "rob");
        assert_eq!(events(&trade.mia, "grid", "delegation.created").await.len(), 1);

        // It ends by itself.
        let second = trade.service("Second", "public").await;
        let asked = trade.subscribe(&trade.vic, &second, all()).await.expect(201);
        app.clock.advance(10 * DAY);
        assert_eq!(waiting(&trade.eva).await, 0);
        decide(&trade.eva, &id(&asked["request"]), "approve").await.expect_problem(403, "forbidden");
        assert_eq!(trade.vic.get(DELEGATIONS).await.expect(200)["items"], json!([]));
    }

    async fn nobody_decides_their_own_request_through_a_delegate(app: &TestApp) {
        let trade = Trade::new(app).await;
        trade.rob.post(DELEGATIONS, json!({"to": trade.eva.id().to_string(), "until": "2026-04-01"})).await.expect(201);
        let service = trade.service("Forecast", "public").await;
        let own = id(&trade.subscribe(&trade.eva, &service, all()).await.expect(201)["request"]);
        decide(&trade.eva, &own, "approve").await.expect_problem(409, "own_request");
        let second = trade.service("Second", "public").await;
        let absent = id(&trade.subscribe(&trade.rob, &second, all()).await.expect(201)["request"]);
        let problem = decide(&trade.eva, &absent, "reject").await.expect_problem(409, "own_request");
        assert!(problem["detail"].as_str().unwrap().contains("stands in"), "{problem}");
        assert_eq!(waiting(&trade.eva).await, 0);
        decide(&trade.mia, &absent, "approve").await.expect(200);
        decide(&trade.mia, &own, "approve").await.expect(200);
        // The right is no more than that of who is away: it ends with that role.
        let third = trade.service("Third", "public").await;
        let asked = id(&trade.subscribe(&trade.vic, &third, all()).await.expect(201)["request"]);
        assert_eq!(waiting(&trade.eva).await, 1);
        trade.mia.patch(&format!("/api/v1/organizations/grid/members/{}", trade.rob.id()), json!({"role": "editor"})).await.expect(200);
        decide(&trade.eva, &asked, "approve").await.expect_problem(403, "forbidden");
        let ended = events(&trade.mia, "grid", "delegation.ended").await;
        assert_eq!((ended.len(), ended[0]["data"]["cause"].as_str()), (1, Some("role_changed")));
    }

    async fn it_ends_when_either_leaves_and_when_somebody_ends_it(app: &TestApp) {
        let trade = Trade::new(app).await;
        let away = |to: &Person| json!({"to": to.user.email, "until": "2026-04-01"});
        let remove = async |who: &Person| trade.mia.delete(&format!("/api/v1/organizations/grid/members/{}", who.id())).await.expect(204);
        trade.rob.post(DELEGATIONS, away(&trade.eva)).await.expect(201);
        remove(&trade.eva).await;
        assert_eq!(trade.vic.get(DELEGATIONS).await.expect(200)["items"], json!([]));
        let made = id(&trade.rob.post(DELEGATIONS, away(&trade.vic)).await.expect(201));
        let path = format!("{DELEGATIONS}/{made}");
        assert_eq!(trade.sam.delete(&path).await.status, 404);
        assert_eq!(app.anonymous().delete(&path).await.status, 401);
        trade.vic.delete(&path).await.expect(204);
        trade.rob.delete(&path).await.expect_problem(409, "delegation_over");
        let made = id(&trade.mia.post(DELEGATIONS, away(&trade.rob)).await.expect(201));
        let path = format!("{DELEGATIONS}/{made}");
        trade.vic.delete(&path).await.expect_problem(403, "forbidden");
        remove(&trade.rob).await;
        assert_eq!(events(&trade.mia, "grid", "delegation.ended").await.len(), 3);
        trade.mia.delete(&format!("{DELEGATIONS}/dlg_01h455vb4pex5vsknk084sn02q")).await.expect_problem(404, "not_found");
    }

    async fn what_is_wrong_with_it_is_said_at_its_place(app: &TestApp) {
        let trade = Trade::new(app).await;
        for (body, pointers) in [
            (json!({}), vec!["/to", "/until"]),
            (json!({"to": trade.rob.user.email, "until": "2026-03-12"}), vec!["/to"]),
            (json!({"to": trade.pia.user.email, "until": "2026-03-12"}), vec!["/to"]),
            (json!({"to": trade.eva.user.email, "from": "soon", "until": "2026-03-12"}), vec!["/from"]),
            (json!({"to": trade.eva.user.email, "until": "2026-03-01"}), vec!["/until"]),
        ] {
            let problem = trade.rob.post(DELEGATIONS, body).await.expect_problem(422, "invalid");
            let found: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|one| one["pointer"].as_str().unwrap().to_owned()).collect();
            assert_eq!(found, pointers);
        }
    }

    async fn the_provider_has_delegates_too_and_they_ask_and_reject(app: &TestApp) {
        let trade = Trade::new(app).await;
        trade.pat.post("/api/v1/organizations/borealis/delegations", json!({"to": trade.pol.user.email, "until": "2026-04-01"})).await.expect(201);
        let service = trade.service("Forecast", "on_request").await;
        let request = id(&trade.subscribe(&trade.mia, &service, all()).await.expect(201)["request"]);
        assert_eq!(waiting(&trade.pol).await, 1);
        trade.pol.post(&format!("/api/v1/requests/{request}/ask"), json!({"question": "what for?"})).await.expect(200);
        let done = decide(&trade.pol, &request, "reject").await.expect(200);
        let stead: Vec<_> = done["decisions"].as_array().unwrap().iter().map(|said| said["on_behalf_of"]["name"].as_str().unwrap()).collect();
        assert_eq!(stead, ["pat", "pat"]);
    }
}
