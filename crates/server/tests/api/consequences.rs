//! What if: what is told before an act is exactly what the act then does.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use stoa_testkit::api_tests;

use crate::trade::{Trade, decide, events, id};

fn ids(of: &Value, key: &str) -> BTreeSet<String> {
    of.as_array().unwrap().iter().map(|one| one[key].as_str().unwrap().to_owned()).collect()
}

fn subjects(events: &[Value]) -> BTreeSet<String> {
    events.iter().map(|event| event["subject"]["id"].as_str().unwrap().to_owned()).collect()
}

api_tests! {
    async fn a_deleted_project_ends_exactly_what_was_told(app: &TestApp) {
        let trade = Trade::new(app).await;
        let path = "/api/v1/organizations/grid/projects/north";
        let one = trade.service("One", "public").await;
        trade.active(&one, json!({"mode": "all"})).await;
        let two = trade.service("Two", "public").await;
        let elsewhere = trade.active(&two, json!({"mode": "selected", "projects": ["south"]})).await;
        trade.choose(&trade.eva, &elsewhere, json!({"mode": "selected", "projects": ["north", "south"]})).await.expect(202);
        let cam = trade.draft("Cam", "public", "project", &["Basic"]).await;
        trade.pia.post(&format!("/api/v1/services/{cam}/publish"), json!({})).await.expect(200);
        let body = json!({"service": cam, "project": "north", "accept_terms": true});
        let alone = id(&trade.mia.post("/api/v1/organizations/grid/subscriptions", body).await.expect(201));
        let upload = trade.mia.request(Method::PUT, &format!("{path}/resources/a.csv")).header("content-type", "text/csv").body("a,b");
        trade.mia.send(upload).await.expect(201);

        for who in [&trade.vic, &trade.rob] {
            who.get(&format!("{path}/consequences")).await.expect_problem(403, "forbidden");
        }
        trade.sam.get(&format!("{path}/consequences")).await.expect_problem(404, "not_found");
        app.anonymous().get(&format!("{path}/consequences")).await.expect_problem(401, "unauthenticated");
        let told = trade.eva.get(&format!("{path}/consequences")).await.expect(200);
        assert_eq!((told["resources"].as_i64(), told["bytes"].as_i64(), told["needs_request"].as_bool()), (Some(1), Some(3), Some(false)));
        assert_eq!(ids(&told["ended"], "subscription"), BTreeSet::from([alone]));
        assert_eq!(told["reduced"][0]["projects"][0]["handle"], "north");

        let before = events(&trade.mia, "grid", "subscription.projects_changed").await.len();
        trade.eva.delete(path).await.expect(204);
        assert_eq!(subjects(&events(&trade.mia, "grid", "subscription.ended").await), ids(&told["ended"], "subscription"));
        let changed = events(&trade.mia, "grid", "subscription.projects_changed").await;
        assert_eq!(subjects(&changed[before..]), ids(&told["reduced"], "subscription"));
        assert_eq!(subjects(&events(&trade.mia, "grid", "request.withdrawn").await), ids(&told["requests"], "id"));
    }

    async fn a_cancelled_subscription_ends_exactly_what_was_told(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "public").await;
        let subscription = trade.active(&service, json!({"mode": "selected", "projects": ["north", "south"]})).await;
        trade.choose(&trade.eva, &subscription, json!({"mode": "all", "include_future": "no"})).await.expect(202);
        let path = format!("/api/v1/organizations/grid/subscriptions/{subscription}/consequences");
        let told = trade.mia.get(&path).await.expect(200);
        assert_eq!(ids(&told["ended"][0]["projects"], "handle"), BTreeSet::from(["north".into(), "south".into()]));
        assert_eq!((told["at"].clone(), told["needs_request"].as_bool()), (Value::Null, Some(false)));
        assert_eq!(told["spent"][0]["currency"], "EUR");
        let asked = trade.vic.get(&format!("{path}?when=period_end")).await.expect(200);
        assert_eq!((asked["at"].as_str(), asked["needs_request"].as_bool()), (Some("2026-04-01T00:00:00.000000Z"), Some(true)));
        trade.vic.get(&format!("{path}?when=soon")).await.expect_problem(422, "invalid");
        trade.sam.get(&path).await.expect_problem(404, "not_found");

        trade.cancel(&trade.mia, &subscription).await.expect(200);
        let ended = events(&trade.mia, "grid", "subscription.ended").await;
        assert_eq!(ended[0]["data"]["projects"].as_array().unwrap().len(), 2);
        assert_eq!(subjects(&events(&trade.mia, "grid", "request.withdrawn").await), ids(&told["requests"], "id"));
        assert_eq!(trade.granted(&subscription).await, Vec::<String>::new());
    }

    async fn a_removed_member_loses_what_was_told(app: &TestApp) {
        let trade = Trade::new(app).await;
        let member = trade.eva.user.id;
        let team = id(&trade.mia.post("/api/v1/organizations/grid/teams", json!({"name": "Meters"})).await.expect(201));
        let put = trade.mia.request(Method::PUT, &format!("/api/v1/organizations/grid/teams/{team}/members/{member}"));
        trade.mia.send(put).await.expect(204);
        let path = format!("/api/v1/organizations/grid/members/{member}");
        let told = trade.mia.get(&format!("{path}/consequences")).await.expect(200);
        assert_eq!((told["role"].as_str(), told["teams"][0]["name"].as_str()), (Some("editor"), Some("Meters")));
        assert_eq!(told, trade.eva.get(&format!("{path}/consequences")).await.expect(200), "one's own leaving too");
        trade.rob.get(&format!("{path}/consequences")).await.expect_problem(403, "forbidden");
        trade.sam.get(&format!("{path}/consequences")).await.expect_problem(404, "not_found");
        trade.mia.delete(&path).await.expect(204);
        let removed = events(&trade.mia, "grid", "member.removed").await;
        assert_eq!(removed[0]["data"]["teams"].as_u64(), Some(1), "{removed:?}");
    }

    async fn what_is_told_before_a_member_goes_is_what_ends(app: &TestApp) {
        let trade = Trade::new(app).await;
        let eva = &trade.eva;
        let grid = "/api/v1/organizations/grid";
        let service = trade.service("Forecast", "public").await;
        let own = id(&trade.subscribe(eva, &service, json!({"mode": "all", "include_future": "no"})).await.expect(201)["request"]);
        let second = trade.service("Second", "public").await;
        let other = trade.subscribe(&trade.vic, &second, json!({"mode": "all", "include_future": "no"})).await.expect(201);
        let other = id(&other["request"]);
        trade.mia.patch(&format!("{grid}/members/{}", eva.id()), json!({"role": "maintainer"})).await.expect(200);
        let team = id(&trade.mia.post(&format!("{grid}/teams"), json!({"name": "Meters"})).await.expect(201));
        trade.mia.send(trade.mia.request(Method::PUT, &format!("{grid}/teams/{team}/members/{}", eva.id()))).await.expect(204);
        let reader = id(&eva.post("/api/v1/applications", json!({"name": "Reader"})).await.expect(201));
        eva.send(eva.request(Method::PUT, &format!("/api/v1/applications/{reader}/shares/organizations/grid"))).await.expect(204);
        eva.post("/api/v1/applications", json!({"name": "Own"})).await.expect(201);
        // One in which she is away, one in which she stands in, and one that is over.
        let delegate = async |from: &stoa_testkit::Person, to: &stoa_testkit::Person, until: &str| {
            id(&from.post(&format!("{grid}/delegations"), json!({"to": to.user.email, "until": until})).await.expect(201))
        };
        let over = delegate(&trade.rob, eva, "2026-03-12").await;
        trade.rob.delete(&format!("{grid}/delegations/{over}")).await.expect(204);
        let ahead = BTreeSet::from([delegate(eva, &trade.rob, "2026-04-01").await, delegate(&trade.mia, eva, "2026-04-01").await]);
        // Of her tokens, that of the test and the first of these open Grid.
        eva.post("/api/v1/organizations", json!({"name": "Water"})).await.expect(201);
        let limited = eva.post("/api/v1/me/tokens", json!({"name": "grid", "organizations": ["grid", "water"]})).await.expect(201);
        eva.post("/api/v1/me/tokens", json!({"name": "water", "organizations": ["water"]})).await.expect(201);
        eva.post("/api/v1/me/tokens", json!({"name": "over", "expires_at": "2026-03-10T13:00:00Z"})).await.expect(201);
        app.clock.advance(2 * stoa_domain::time::HOUR);

        let path = format!("{grid}/members/{}", eva.id());
        let told = trade.mia.get(&format!("{path}/consequences")).await.expect(200);
        assert_eq!((&told["requests"], &told["own_requests"], &told["tokens"]), (&json!(1), &json!(1), &json!(2)), "{told}");
        assert_eq!(ids(&told["delegations"], "id"), ahead);
        assert_eq!((ids(&told["teams"], "id"), ids(&told["applications"], "id")), (BTreeSet::from([team]), BTreeSet::from([reader])));
        let browser = crate::sharing::browser(app, &trade.mia).await;
        let page = browser.get(&format!("/organizations/grid/members?remove={}", eva.id())).await.text();
        for line in ["That rob decides for eva until", "That eva decides for mia until", "1 open request made for this organization", "with 2 personal tokens"] {
            assert!(page.contains(line), "{line}: {page}");
        }

        let before = events(&trade.mia, "grid", "delegation.ended").await.len();
        trade.mia.delete(&path).await.expect(204);
        let removed = events(&trade.mia, "grid", "member.removed").await;
        let count = |key: &str| (removed[0]["data"][key].as_u64(), Some(told[key].as_array().unwrap().len() as u64));
        for key in ["teams", "applications", "delegations"] {
            let (ended, told) = count(key);
            assert_eq!(ended, told, "{key}");
        }
        assert_eq!(subjects(&events(&trade.mia, "grid", "delegation.ended").await[before..]), ids(&told["delegations"], "id"));
        assert_eq!(subjects(&events(&trade.mia, "grid", "application.transferred").await), ids(&told["applications"], "id"));
        decide(eva, &other, "approve").await.expect_problem(404, "not_found");
        decide(&trade.mia, &own, "approve").await.expect_problem(409, "requester_gone");
        decide(&trade.mia, &other, "approve").await.expect(200);
        let limited = app.anonymous().with_token(limited["secret"].as_str().unwrap());
        for client in [&eva.client, &limited] {
            client.get(grid).await.expect_problem(404, "not_found");
            client.get("/api/v1/organizations/water").await.expect(200);
        }
    }
}
