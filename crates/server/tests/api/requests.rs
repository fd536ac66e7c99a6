//! Asking, deciding, taking back; the inbox.

use serde_json::{Value, json};
use stoa_testkit::api_tests;

use crate::trade::{Trade, decide, events, id, names};

fn all() -> Value {
    json!({"mode": "all", "include_future": "no"})
}

api_tests! {
    async fn a_viewers_wish_goes_through_the_organization_and_then_the_provider(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "on_request").await;
        let body = json!({"service": service, "projects": {"mode": "selected", "projects": ["north"]}, "accept_terms": true, "note": "for the winter"});
        let asked = trade.vic.post("/api/v1/organizations/grid/subscriptions", body).await.expect(201);
        assert_eq!((asked["state"].as_str(), asked["request"]["step"].as_str()), (Some("requested"), Some("internal")));
        assert_eq!(asked["grants"], json!([]));
        let request = id(&asked["request"]);

        // Each side sees it in its inbox when it is its turn.
        let inbox = |who: stoa_testkit::Person| async move { who.get("/api/v1/requests?as=approver&state=open").await.expect(200)["items"].as_array().unwrap().len() };
        assert_eq!((inbox(trade.rob.clone()).await, inbox(trade.mia.clone()).await, inbox(trade.pat.clone()).await), (1, 1, 0));
        assert_eq!((inbox(trade.eva.clone()).await, inbox(trade.vic.clone()).await), (0, 0));
        let mine = trade.vic.get("/api/v1/requests?as=requester&state=open").await.expect(200);
        assert_eq!(mine["items"][0]["note"], "for the winter");
        assert_eq!(names(&mine["items"][0]["projects"]["projects"]), ["North"]);

        for (who, status) in [(&trade.vic, 403), (&trade.eva, 403), (&trade.pat, 403), (&trade.pia, 403), (&trade.sam, 404)] {
            assert_eq!(decide(who, &request, "approve").await.status, status, "{}", who.user.name);
        }
        decide(&app.anonymous(), &request, "approve").await.expect_problem(401, "unauthenticated");
        let path = format!("/api/v1/requests/{request}");
        let forwarded = trade.rob.post(&format!("{path}/approve"), json!({"comment": "we need it"})).await.expect(200);
        assert_eq!((forwarded["state"].as_str(), forwarded["step"].as_str()), (Some("open"), Some("provider")));
        assert_eq!((inbox(trade.rob.clone()).await, inbox(trade.pat.clone()).await, inbox(trade.pia.clone()).await), (0, 1, 1));

        for (who, status) in [(&trade.rob, 403), (&trade.mia, 403), (&trade.pol, 403), (&trade.sam, 404)] {
            assert_eq!(decide(who, &request, "approve").await.status, status, "{}", who.user.name);
        }
        let approved = trade.pat.post(&format!("{path}/approve"), json!({"comment": "welcome"})).await.expect(200);
        assert_eq!(approved["state"], "approved");
        let decisions: Vec<_> = approved["decisions"].as_array().unwrap().iter()
            .map(|one| (one["step"].as_str().unwrap(), one["decision"].as_str().unwrap(), one["decided_by"]["name"].as_str().unwrap(), one["comment"].as_str().unwrap()))
            .collect();
        assert_eq!(decisions, [("internal", "approved", "rob", "we need it"), ("provider", "approved", "pat", "welcome")]);
        let read = trade.read(&id(&asked)).await;
        assert_eq!((read["state"].as_str(), read["grants"][0]["approved_by"]["name"].as_str()), (Some("active"), Some("pat")));
        assert_eq!(read["requests"][0]["decisions"][0]["decided_by"]["name"], "rob");
        for (who, organization) in [(&trade.mia, "grid"), (&trade.pia, "borealis")] {
            for kind in ["request.opened", "request.forwarded", "request.approved", "subscription.requested", "subscription.activated"] {
                assert_eq!(events(who, organization, kind).await.len(), 1, "{kind} of {organization}");
            }
        }
    }

    async fn a_maintainers_wish_waits_for_the_provider_only(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "on_request").await;
        let asked = trade.subscribe(&trade.mia, &service, all()).await.expect(201);
        assert_eq!((asked["state"].as_str(), asked["request"]["step"].as_str()), (Some("requested"), Some("provider")));
        let request = id(&asked["request"]);
        decide(&trade.pia, &request, "approve").await.expect(200);
        assert_eq!(trade.granted(&id(&asked)).await, ["east", "north", "south"]);
        let problem = decide(&trade.pat, &request, "approve").await.expect_problem(409, "request_closed");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("approved, by pia at 2026-03-10T12:00:00"), "{detail}");
        decide(&trade.mia, &request, "withdraw").await.expect_problem(409, "request_closed");
    }

    async fn a_rejection_takes_a_reason_and_is_told(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "on_request").await;
        let asked = trade.subscribe(&trade.mia, &service, all()).await.expect(201);
        let path = format!("/api/v1/requests/{}/reject", id(&asked["request"]));
        let problem = trade.pat.post(&path, json!({"reason": "  "})).await.expect_problem(422, "invalid");
        assert_eq!(problem["errors"][0]["pointer"], "/reason");
        trade.pat.post(&path, json!({"reason": "no capacity"})).await.expect(200);
        let read = trade.read(&id(&asked)).await;
        assert_eq!((read["state"].as_str(), read["requests"][0]["decisions"][0]["comment"].as_str()), (Some("rejected"), Some("no capacity")));
        let told = events(&trade.mia, "grid", "request.rejected").await;
        assert_eq!(told[0]["data"]["comment"], "no capacity");
        assert_eq!(events(&trade.pia, "borealis", "subscription.rejected").await.len(), 1);
        trade.subscribe(&trade.mia, &service, all()).await.expect(201);
    }

    async fn nobody_decides_their_own_request_but_a_sole_maintainer_and_the_log_says_so(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "public").await;
        let asked = trade.subscribe(&trade.rob, &service, all()).await.expect(201);
        decide(&trade.rob, &id(&asked["request"]), "approve").await.expect_problem(409, "own_request");
        assert_eq!(trade.rob.get("/api/v1/requests?as=approver&state=open").await.expect(200)["items"], json!([]));
        decide(&trade.rob, &id(&asked["request"]), "withdraw").await.expect(200);

        // The sole maintainer of the provider asks as a viewer of Grid.
        let member = json!({"members": [{"email": trade.pia.user.email, "role": "viewer"}]});
        trade.mia.post("/api/v1/organizations/grid/members", member).await.expect(200);
        let service = trade.service("Second", "on_request").await;
        let asked = trade.subscribe(&trade.pia, &service, all()).await.expect(201);
        let request = id(&asked["request"]);
        decide(&trade.rob, &request, "approve").await.expect(200);
        assert_eq!(trade.pia.get("/api/v1/requests?as=approver&state=open").await.expect(200)["items"][0]["id"], request);
        decide(&trade.pia, &request, "approve").await.expect(200);
        let told = events(&trade.mia, "grid", "request.approved").await;
        assert_eq!(told[0]["data"]["own"], true);

        // With a second maintainer she may no longer.
        let service = trade.service("Third", "on_request").await;
        let asked = trade.subscribe(&trade.pia, &service, all()).await.expect(201);
        decide(&trade.rob, &id(&asked["request"]), "approve").await.expect(200);
        let path = format!("/api/v1/organizations/borealis/members/{}", trade.pat.id());
        trade.pia.patch(&path, json!({"role": "maintainer"})).await.expect(200);
        decide(&trade.pia, &id(&asked["request"]), "approve").await.expect_problem(409, "own_request");
        decide(&trade.pat, &id(&asked["request"]), "approve").await.expect(200);
    }

    async fn an_approval_after_the_service_was_paused_is_refused_with_the_cause(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "public").await;
        let asked = trade.subscribe(&trade.eva, &service, all()).await.expect(201);
        trade.pia.post(&format!("/api/v1/services/{service}/pause"), json!({})).await.expect(200);
        let request = id(&asked["request"]);
        let problem = decide(&trade.rob, &request, "approve").await.expect_problem(409, "service_not_open");
        assert!(problem["detail"].as_str().unwrap().contains("paused"), "{problem}");
        assert_eq!(trade.vic.get(&format!("/api/v1/requests/{request}")).await.expect(200)["state"], "open");
        decide(&trade.rob, &request, "reject").await.expect(200);
    }

    async fn an_editor_asks_to_publish_and_a_reviewer_approves(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.draft("Forecast", "public", "organization", &["Basic"]).await;
        let path = format!("/api/v1/organizations/borealis/members/{}", trade.pol.id());
        trade.pia.patch(&path, json!({"role": "editor"})).await.expect(200);
        trade.pol.post(&format!("/api/v1/services/{service}/publish"), json!({})).await.expect(202);
        trade.pol.post(&format!("/api/v1/services/{service}/publish"), json!({})).await.expect_problem(409, "already_requested");
        let inbox = trade.pat.get("/api/v1/requests?as=approver&state=open").await.expect(200);
        assert_eq!(inbox["items"][0]["kind"], "publish");
        decide(&trade.mia, &id(&inbox["items"][0]), "approve").await.expect_problem(404, "not_found");
        decide(&trade.pat, &id(&inbox["items"][0]), "approve").await.expect(200);
        assert_eq!(trade.sam.get(&format!("/api/v1/marketplace/{service}")).await.expect(200)["name"], "Forecast");
    }

    async fn of_many_deciders_at_once_the_first_wins_and_the_others_are_told(app: &TestApp) {
        let trade = Trade::new(app).await;
        for round in 0..4 {
            let service = trade.service(&format!("Forecast {round}"), "on_request").await;
            let asked = trade.subscribe(&trade.mia, &service, all()).await.expect(201);
            let request = id(&asked["request"]);
            let (approve, reject, again, withdraw) = tokio::join!(
                decide(&trade.pia, &request, "approve"),
                decide(&trade.pat, &request, "reject"),
                decide(&trade.pat, &request, "approve"),
                decide(&trade.mia, &request, "withdraw"),
            );
            let all = [&approve, &reject, &again, &withdraw];
            assert_eq!(all.iter().filter(|answer| answer.status == 200).count(), 1, "{all:?}");
            let won = all.iter().find(|answer| answer.status == 200).unwrap().json();
            for lost in [approve, reject, again, withdraw].into_iter().filter(|answer| answer.status != 200) {
                let problem = lost.expect_problem(409, "request_closed");
                assert!(problem["detail"].as_str().unwrap().contains(won["state"].as_str().unwrap()), "{problem}");
            }
            let read = trade.read(&id(&asked)).await;
            let expected = if won["state"] == "approved" { "active" } else { won["state"].as_str().unwrap() };
            assert_eq!(read["state"], expected);
            assert_eq!(read["requests"][0]["decisions"].as_array().unwrap().len(), 1);
            assert_eq!(read["grants"].as_array().unwrap().len(), if expected == "active" { 3 } else { 0 });
        }
    }

    async fn changes_on_both_sides_at_once_do_not_wait_for_each_other(app: &TestApp) {
        let trade = Trade::new(app).await;
        let one = trade.service("One", "public").await;
        let subscription = trade.active(&one, json!({"mode": "all", "include_future": "yes"})).await;
        let two = trade.service("Two", "public").await;
        let pause = format!("/api/v1/services/{two}/pause");
        let (a, b, c, d, e) = tokio::join!(
            trade.mia.post("/api/v1/organizations/grid/projects", json!({"name": "West"})),
            trade.subscribe(&trade.mia, &two, all()),
            trade.mia.delete("/api/v1/organizations/grid/projects/south"),
            trade.choose(&trade.rob, &subscription, json!({"mode": "all_except", "projects": ["north"], "include_future": "yes"})),
            trade.pia.post(&pause, json!({})),
        );
        assert_eq!((a.status, c.status, d.status, e.status), (201, 204, 200, 200), "{a:?} {c:?} {d:?} {e:?}");
        assert!(matches!(b.status, 201 | 409), "{b:?}");
    }

    async fn requests_are_seen_by_both_organizations_and_nobody_else(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "on_request").await;
        let asked = trade.subscribe(&trade.eva, &service, all()).await.expect(201);
        let path = format!("/api/v1/requests/{}", id(&asked["request"]));
        trade.vic.get(&path).await.expect(200);
        trade.pol.get(&path).await.expect(200);
        trade.sam.get(&path).await.expect_problem(404, "not_found");
        app.anonymous().get(&path).await.expect_problem(401, "unauthenticated");
        trade.vic.get("/api/v1/requests?as=owner").await.expect_problem(422, "invalid");
        trade.vic.get("/api/v1/requests?state=odd").await.expect_problem(422, "invalid");
        let listed = trade.vic.get("/api/v1/organizations/grid/requests").await.expect(200);
        assert_eq!(listed["items"][0]["id"], asked["request"]["id"]);
        let provider = trade.pol.get("/api/v1/organizations/borealis/requests").await.expect(200);
        assert_eq!(provider["items"], json!([]), "not before it is the provider's turn");
        trade.sam.get("/api/v1/organizations/grid/requests").await.expect_problem(404, "not_found");
        decide(&trade.vic, &id(&asked["request"]), "withdraw").await.expect_problem(403, "forbidden");
    }
}
