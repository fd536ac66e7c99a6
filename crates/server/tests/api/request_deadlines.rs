//! Deadlines of requests: reminders and the end.

use serde_json::{Value, json};
use stoa_actions::jobs;
use stoa_domain::time::{DAY, SECOND};
use stoa_testkit::{TestApp, api_tests};

use crate::trade::{Trade, decide, events, id};

fn all() -> Value {
    json!({"mode": "all", "include_future": "no"})
}

/// Runs the jobs as several nodes at the same moment: how many requests expired, how many reminders were noted.
async fn tick(app: &TestApp) -> (u64, u64) {
    let now = app.stoa.clock.now();
    let (one, other) = tokio::join!(jobs::tick(&app.stoa, now), jobs::tick(&app.stoa, now));
    let (one, other) = (one.unwrap(), other.unwrap());
    (one.requests + other.requests, one.reminders + other.reminders)
}

api_tests! {
    async fn deciders_are_reminded_twice_and_then_it_expires_with_its_subscription(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "on_request").await;
        let asked = trade.subscribe(&trade.mia, &service, all()).await.expect(201);
        let request = id(&asked["request"]);
        let created: stoa_domain::time::Ts = asked["request"]["created_at"].as_str().unwrap().parse().unwrap();
        assert_eq!(asked["request"]["expires_at"], created.plus(30 * DAY).to_string());
        assert_eq!(tick(app).await, (0, 0));
        app.clock.advance(15 * DAY);
        assert_eq!(tick(app).await, (0, 1), "once, however many nodes there are");
        assert_eq!(tick(app).await, (0, 0));
        app.clock.advance(12 * DAY);
        assert_eq!(tick(app).await, (0, 1));
        // It is the provider's turn, so the provider is reminded.
        assert_eq!(events(&trade.pia, "borealis", "request.reminded").await.len(), 2);
        assert_eq!(events(&trade.mia, "grid", "request.reminded").await.len(), 0);
        app.clock.advance(3 * DAY - SECOND);
        assert_eq!(tick(app).await, (0, 0));
        app.clock.advance(SECOND);
        assert_eq!(tick(app).await, (1, 0));
        let read = trade.read(&id(&asked)).await;
        assert_eq!((read["state"].as_str(), read["requests"][0]["state"].as_str()), (Some("expired"), Some("expired")));
        for (who, organization) in [(&trade.mia, "grid"), (&trade.pia, "borealis")] {
            for kind in ["request.expired", "subscription.expired"] {
                let told = events(who, organization, kind).await;
                assert_eq!((told.len(), told[0]["actor"]["kind"].as_str()), (1, Some("system")), "{kind} of {organization}: {told:?}");
            }
        }
        let problem = decide(&trade.pat, &request, "approve").await.expect_problem(409, "request_closed");
        assert!(problem["detail"].as_str().unwrap().contains("expired at"), "{problem}");
        trade.subscribe(&trade.mia, &service, all()).await.expect(201);
    }

    async fn the_organization_says_for_how_long_its_requests_wait(app: &TestApp) {
        let trade = Trade::new(app).await;
        trade.mia.put("/api/v1/organizations/grid/policy", json!({"request_days": 2})).await.expect(200);
        let service = trade.service("Forecast", "public").await;
        let asked = trade.subscribe(&trade.vic, &service, all()).await.expect(201);
        app.clock.advance(DAY);
        assert_eq!(tick(app).await, (0, 1));
        app.clock.advance(DAY);
        assert_eq!(tick(app).await, (1, 0));
        assert_eq!(trade.read(&id(&asked)).await["state"], "expired");
        // What asks for something of a subscription that is there leaves it as it is.
        let subscription = trade.active(&service, json!({"mode": "selected", "projects": ["north"]})).await;
        trade.choose(&trade.vic, &subscription, all()).await.expect(202);
        trade.cancel(&trade.vic, &subscription).await.expect(202);
        app.clock.advance(2 * DAY);
        assert_eq!(tick(app).await, (2, 0));
        assert_eq!((trade.read(&subscription).await["state"].as_str(), trade.granted(&subscription).await), (Some("active"), vec!["north".to_owned()]));
    }

    async fn whose_turn_it_becomes_late_has_a_week(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "on_request").await;
        let asked = trade.subscribe(&trade.vic, &service, all()).await.expect(201);
        let request = id(&asked["request"]);
        app.clock.advance(29 * DAY);
        let expires = |days: i64| app.stoa.clock.now().plus(days * DAY).to_string();
        let forwarded = decide(&trade.rob, &request, "approve").await.expect(200);
        assert_eq!(forwarded["expires_at"], expires(7));
        app.clock.advance(6 * DAY);
        let body = json!({"question": "which winter?"});
        let asked = trade.pat.post(&format!("/api/v1/requests/{request}/ask"), body).await.expect(200);
        assert_eq!(asked["expires_at"], expires(7));
        app.clock.advance(4 * DAY);
        assert_eq!(tick(app).await, (0, 1));
        // It waits for the requester, so the log of the requester's organization tells it.
        let reminded = events(&trade.mia, "grid", "request.reminded").await;
        assert_eq!(reminded.last().unwrap()["data"]["state"], "needs_info");
        app.clock.advance(3 * DAY);
        assert_eq!(tick(app).await, (1, 0));
    }

    async fn a_decision_and_the_end_at_the_same_moment_are_one_of_both(app: &TestApp) {
        let trade = Trade::new(app).await;
        for round in 0..4 {
            let service = trade.service(&format!("Forecast {round}"), "on_request").await;
            let asked = trade.subscribe(&trade.mia, &service, all()).await.expect(201);
            let request = id(&asked["request"]);
            app.clock.advance(30 * DAY);
            let (approved, (expired, _)) = tokio::join!(decide(&trade.pat, &request, "approve"), tick(app));
            let state = trade.read(&id(&asked)).await["state"].clone();
            match expired {
                0 => assert_eq!((approved.status, state.as_str()), (200, Some("active"))),
                _ => {
                    approved.expect_problem(409, "request_closed");
                    assert_eq!((expired, state.as_str()), (1, Some("expired")));
                }
            }
        }
    }
}
