//! Operators: accounts and organizations of the whole installation.

use serde_json::json;
use stoa_testkit::api_tests;

use crate::world::World;

api_tests! {
    async fn accounts_are_listed_searched_and_created(app: &TestApp) {
        let operator = app.operator("opa").await;
        for name in ["ada", "ben", "cleo"] {
            app.person(name).await;
        }
        let first = operator.get("/api/v1/operator/users?limit=2").await.expect(200);
        let next = operator.get(&format!("/api/v1/operator/users?limit=2&cursor={}", first["next_cursor"].as_str().unwrap())).await.expect(200);
        let emails: Vec<_> = [&first, &next].iter().flat_map(|page| page["items"].as_array().unwrap()).map(|one| one["email"].as_str().unwrap()).collect();
        assert_eq!(emails, ["ada@people.example", "ben@people.example", "cleo@people.example", "opa@people.example"]);
        let found = operator.get("/api/v1/operator/users?q=CLE").await.expect(200);
        assert_eq!(found["items"][0]["email"], "cleo@people.example");
        let made = operator.post("/api/v1/operator/users", json!({"email": "Dora@people.example"})).await.expect(201);
        assert_eq!((&made["email"], &made["operator"]), (&json!("dora@people.example"), &json!(false)));
        operator.post("/api/v1/operator/users", json!({"email": "dora@people.example"})).await.expect_problem(409, "email_taken");
        operator.post("/api/v1/operator/users", json!({"email": "nowhere"})).await.expect_problem(422, "invalid");
    }

    async fn a_suspended_account_is_refused_everywhere(app: &TestApp) {
        let (operator, ada) = (app.operator("opa").await, app.person_with_password("ada").await);
        let browser = app.signed_in(&ada).await;
        let path = format!("/api/v1/operator/users/{}", ada.id());
        assert_eq!(operator.patch(&path, json!({"suspended": true})).await.expect(200)["suspended"], true);
        ada.get("/api/v1/me").await.expect_problem(401, "account_suspended");
        assert_eq!(browser.get("/organizations").await.status, 303);
        let form = [("email", "ada@people.example"), ("password", stoa_testkit::PASSWORD)];
        let refused = browser.send(browser.request(reqwest::Method::POST, "/sign-in").form(&form)).await;
        assert!(refused.status == 422 && refused.text().contains("suspended"), "{refused:?}");
        let wrong = browser.send(browser.request(reqwest::Method::POST, "/sign-in").form(&[("email", "ada@people.example"), ("password", "wrong")])).await;
        assert!(wrong.status == 422 && !wrong.text().contains("suspended"), "{wrong:?}");
        operator.patch(&path, json!({"suspended": false})).await.expect(200);
        ada.get("/api/v1/me").await.expect(200);
        assert_eq!(browser.get("/organizations").await.status, 303, "its sessions ended");
    }

    async fn the_last_operator_stays(app: &TestApp) {
        let (opa, ada) = (app.operator("opa").await, app.person("ada").await);
        let (of_opa, of_ada) = (format!("/api/v1/operator/users/{}", opa.id()), format!("/api/v1/operator/users/{}", ada.id()));
        opa.patch(&of_opa, json!({"operator": false})).await.expect_problem(409, "last_operator");
        opa.patch(&of_opa, json!({"suspended": true})).await.expect_problem(409, "last_operator");
        ada.patch(&of_opa, json!({"operator": false})).await.expect_problem(404, "not_found");
        opa.patch(&of_ada, json!({"operator": true})).await.expect(200);
        // A suspended operator does not count.
        opa.patch(&of_ada, json!({"suspended": true})).await.expect(200);
        opa.patch(&of_opa, json!({"operator": false})).await.expect_problem(409, "last_operator");
        opa.patch(&of_ada, json!({"suspended": false})).await.expect(200);
        ada.patch(&of_opa, json!({"operator": false})).await.expect(200);
        opa.get("/api/v1/operator/users").await.expect_problem(404, "not_found");
    }

    async fn of_operators_who_take_the_role_from_each_other_at_once_one_stays(app: &TestApp) {
        let mut operators = Vec::new();
        for number in 0..5 {
            operators.push(app.operator(&format!("operator{number}")).await);
        }
        let asked = (0..5).map(|number| {
            let (who, whom) = (&operators[number], &operators[(number + 1) % 5]);
            async move { who.patch(&format!("/api/v1/operator/users/{}", whom.id()), json!({"operator": false})).await.status }
        });
        futures::future::join_all(asked).await;
        let mut conn = app.stoa.db.read().await.unwrap();
        let left: i64 = conn.fetch_one("select count(*) from users where operator = 1", &[]).await.unwrap().get(0).unwrap();
        assert!(left >= 1);
    }

    async fn a_suspended_organization_is_looked_at_but_not_changed_and_its_access_is_closed(app: &TestApp) {
        let world = World::new(app).await;
        let operator = app.operator("opa").await;
        app.stoa.access.poll_once(app.stoa.clock.now()).await.unwrap();
        let service = world.service(app, "resources:read").await;
        let resources = "/api/v1/organizations/grid-works/projects/north/resources";
        service.get(resources).await.expect(200);
        operator.post("/api/v1/operator/organizations/grid-works/suspend", json!({"reason": ""})).await.expect_problem(422, "invalid");
        operator.post("/api/v1/operator/organizations/grid-works/suspend", json!({"reason": "unpaid since May"})).await.expect(204);

        let seen = world.ada.get("/api/v1/organizations/grid-works").await.expect(200);
        assert_eq!(seen["suspension"]["reason"], "unpaid since May");
        for path in ["/members", "/projects", "/subscriptions", "/costs", "/events", "/projects/north/resources"] {
            world.ada.get(&format!("/api/v1/organizations/grid-works{path}")).await.expect(200);
        }
        let refused = world.ada.post("/api/v1/organizations/grid-works/projects", json!({"name": "East"})).await.expect_problem(409, "organization_suspended");
        assert!(refused["detail"].as_str().unwrap().contains("until an operator lifts that"), "{refused}");
        world.ada.patch("/api/v1/organizations/grid-works", json!({"name": "x"})).await.expect_problem(409, "organization_suspended");
        // A gateway is told the same.
        for (action, reason) in [("resources:read", "role_allows"), ("resources:write", "organization_suspended")] {
            let question = json!({"subject": {"type": "user", "id": world.ada.user.id}, "action": {"name": action},
                "resource": {"type": "project", "id": world.north}});
            let answer = world.ada.post("/access/v1/evaluation", question).await.expect(200);
            assert_eq!((&answer["decision"], &answer["context"]["reason"]), (&json!(reason == "role_allows"), &json!(reason)), "{action}");
            let passed = world.ada.get(&format!("/gateway/authorize?project={}&permission={action}", world.north)).await;
            assert_eq!(passed.status, if reason == "role_allows" { 200 } else { 403 }, "{passed:?}");
            if passed.status == 403 {
                assert_eq!(passed.header("x-stoa-reason"), reason);
            }
        }
        world.ada.post("/api/v1/organizations/grid-works/members", json!({"members": [{"email": "eve@people.example", "role": "viewer"}]})).await.expect_problem(409, "organization_suspended");
        world.ada.post("/api/v1/applications", json!({"name": "x", "organization": "grid-works"})).await.expect_problem(409, "organization_suspended");
        world.ada.post(&format!("/api/v1/organizations/grid-works/subscriptions/{}/cancel", world.subscription), json!({})).await.expect_problem(409, "organization_suspended");
        world.ada.delete("/api/v1/organizations/grid-works?confirm=Grid%20Works").await.expect_problem(409, "organization_suspended");
        service.get(resources).await.expect_problem(401, "unauthenticated");

        operator.post("/api/v1/operator/organizations/grid-works/unsuspend", json!({})).await.expect(204);
        service.get(resources).await.expect(200);
        world.ada.post("/api/v1/organizations/grid-works/projects", json!({"name": "East"})).await.expect(201);
    }

    async fn a_suspended_provider_serves_nobody_and_is_not_on_the_marketplace(app: &TestApp) {
        let world = World::new(app).await;
        let operator = app.operator("opa").await;
        app.stoa.access.poll_once(app.stoa.clock.now()).await.unwrap();
        let service = world.service(app, "resources:read").await;
        let resources = "/api/v1/organizations/grid-works/projects/north/resources";
        service.get(resources).await.expect(200);
        operator.post("/api/v1/operator/organizations/forecasters/suspend", json!({"reason": "abuse"})).await.expect(204);
        service.get(resources).await.expect_problem(401, "unauthenticated");
        assert_eq!(world.form(app, "/oauth2/token", &[("grant_type", "client_credentials")]).await.status, 401);
        assert_eq!(world.ada.get("/api/v1/marketplace?q=forecast").await.expect(200)["items"], json!([]));
        world.eve.patch(&format!("/api/v1/services/{}", world.service), json!({"summary": "x"})).await.expect_problem(409, "organization_suspended");
        world.eve.post(&format!("/api/v1/applications/{}/secrets", world.application), json!({})).await.expect_problem(409, "organization_suspended");
        let other = json!({"name": "Others"});
        world.ada.post("/api/v1/organizations", other).await.expect(201);
        let new = json!({"service": world.service, "projects": {"mode": "all", "include_future": "no"}, "accept_terms": true});
        world.ada.post("/api/v1/organizations/others/subscriptions", new).await.expect_problem(409, "service_not_open");
    }

    async fn every_look_stands_in_the_log_with_its_reason(app: &TestApp) {
        let world = World::new(app).await;
        let operator = app.operator("opa").await;
        operator.get("/api/v1/organizations/grid-works").await.expect_problem(404, "not_found");
        let path = "/api/v1/operator/organizations/grid-works/views";
        operator.post(path, json!({"what": "members", "reason": "  "})).await.expect_problem(422, "invalid");
        operator.post(path, json!({"what": "everything", "reason": "x"})).await.expect_problem(422, "invalid");
        world.ada.post(path, json!({"what": "members", "reason": "x"})).await.expect_problem(404, "not_found");
        let seen = operator.post(path, json!({"what": "members", "reason": "asked for help"})).await.expect(200);
        assert_eq!((&seen["members"][0]["user"]["email"], &seen["subscriptions"]), (&json!("ada@people.example"), &json!([])));
        let seen = operator.post(path, json!({"what": "subscriptions", "reason": "asked for help"})).await.expect(200);
        assert_eq!((&seen["members"], &seen["subscriptions"][0]["service"]), (&json!([]), &json!("Forecast")));
        let events = world.ada.get("/api/v1/organizations/grid-works/events?type=operator.viewed").await.expect(200);
        let told: Vec<_> = events["items"].as_array().unwrap().iter().map(|one| (one["data"]["what"].clone(), one["data"]["reason"].clone(), one["actor"]["id"].clone())).collect();
        let by = json!(operator.id());
        assert_eq!(told, [(json!("members"), json!("asked for help"), by.clone()), (json!("subscriptions"), json!("asked for help"), by)]);
    }

    async fn operator_pages_are_there_for_operators_only(app: &TestApp) {
        let world = World::new(app).await;
        let opa = app.operator("opa").await;
        let (operator, somebody) = (app.signed_in(&opa).await, app.signed_in(&app.person_with_password("sam").await).await);
        let one = format!("/operator/organizations/{}", world.consumer);
        for path in ["/operator/users", "/operator/organizations", &one] {
            assert_eq!(operator.get(path).await.status, 200, "{path}");
            assert_eq!(somebody.get(path).await.status, 404, "{path}");
            assert_eq!(app.browser().get(path).await.status, 303, "{path}");
        }
        assert_eq!(operator.get("/operator").await.header("location"), "/operator/users");
        assert_eq!(somebody.get("/operator").await.status, 404);
        let send = async |browser: &stoa_testkit::Client, path: &str, form: &[(&str, &str)]| {
            browser.send(browser.request(reqwest::Method::POST, path).form(form)).await
        };
        let look = format!("{one}/view");
        assert!(!operator.get(&one).await.text().contains("ada@people.example"));
        assert_eq!(send(&operator, &look, &[("what", "members"), ("reason", "")]).await.status, 422);
        assert!(send(&operator, &look, &[("what", "members"), ("reason", "help")]).await.text().contains("ada@people.example"));
        assert_eq!(send(&somebody, &look, &[("what", "members"), ("reason", "help")]).await.status, 404);
        assert_eq!(send(&operator, &format!("{one}/suspend"), &[("reason", "unpaid")]).await.status, 303);
        assert!(operator.get(&one).await.text().contains("Lift suspension"));
        assert_eq!(send(&operator, &format!("{one}/unsuspend"), &[]).await.status, 303);
        let own = format!("/operator/users/{}", opa.id());
        assert_eq!(send(&operator, &own, &[("change", "unmake_operator")]).await.status, 303);
        assert!(operator.get("/operator/users").await.text().contains("keeps at least one operator"));
        assert_eq!(send(&operator, "/operator/users", &[("email", "new@people.example"), ("name", "")]).await.status, 303);
        assert!(operator.get("/operator/users?q=new").await.text().contains("new@people.example"));
        assert_eq!(send(&operator, "/operator/users", &[("email", "new@people.example"), ("name", "")]).await.status, 409);
    }

    async fn the_last_operator_stays_on_every_path(app: &TestApp) {
        let (opa, olga) = (app.operator("opa").await, app.operator("olga").await);
        olga.delete("/api/v1/me?confirm=olga@people.example").await.expect(204);
        app.mail_to("olga@people.example").await;
        let refused = opa.delete("/api/v1/me?confirm=opa@people.example").await.expect_problem(409, "last_operator");
        assert!(refused["detail"].as_str().unwrap().contains("make somebody else an operator first"), "{refused}");
        let browser = app.signed_in(&opa).await;
        let answer = browser.send(browser.request(reqwest::Method::POST, "/account/delete").form(&[("confirm", "opa@people.example")])).await;
        assert!(answer.status == 409 && answer.text().contains("keeps at least one operator"), "{answer:?}");
        let own = format!("/api/v1/operator/users/{}", opa.id());
        for change in [json!({"suspended": true}), json!({"operator": false})] {
            opa.patch(&own, change).await.expect_problem(409, "last_operator");
        }
        // A suspended operator is none who could go on.
        let ben = app.person("ben").await;
        let bens = format!("/api/v1/operator/users/{}", ben.id());
        opa.patch(&bens, json!({"operator": true})).await.expect(200);
        opa.patch(&bens, json!({"suspended": true})).await.expect(200);
        opa.delete("/api/v1/me?confirm=opa@people.example").await.expect_problem(409, "last_operator");
        opa.patch(&bens, json!({"suspended": false})).await.expect(200);
        opa.delete("/api/v1/me?confirm=opa@people.example").await.expect(204);
        app.mail_to("opa@people.example").await;
        ben.get("/api/v1/operator/users").await.expect(200);
        ben.patch(&own, json!({"suspended": true})).await.expect_problem(404, "not_found");
    }

    async fn of_two_operators_who_go_at_the_same_moment_one_stays(app: &TestApp) {
        let (opa, olga) = (app.operator("opa").await, app.operator("olga").await);
        let (one, two) = tokio::join!(
            opa.delete("/api/v1/me?confirm=opa@people.example"),
            olga.delete("/api/v1/me?confirm=olga@people.example"),
        );
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 409]);
        app.mails().await;
    }

    async fn members_leave_a_suspended_organization_but_not_its_last_maintainer(app: &TestApp) {
        let world = World::new(app).await;
        let operator = app.operator("opa").await;
        let (ben, cleo, dora) = (app.person_with_password("ben").await, app.person("cleo").await, app.person("dora").await);
        let path = "/api/v1/organizations/grid-works";
        let row = |person: &stoa_testkit::Person, role: &str| json!({"email": person.user.email, "role": role});
        world.ada.post(&format!("{path}/members"), json!({"members": [row(&ben, "viewer"), row(&cleo, "editor"), row(&dora, "editor")]})).await.expect(200);
        let team = world.ada.post(&format!("{path}/teams"), json!({"name": "Meters"})).await.expect(201)["id"].as_str().unwrap().to_owned();
        world.ada.put(&format!("{path}/teams/{team}/members/{}", cleo.id()), json!({})).await.expect(204);
        world.ada.post(&format!("{path}/members"), json!({"members": [{"email": "late@people.example", "role": "viewer"}]})).await.expect(200);
        app.write_mails().await;
        let invited = app.mails().await.into_iter().find(|mail| mail.to == "late@people.example").unwrap().link();
        operator.post("/api/v1/operator/organizations/grid-works/suspend", json!({"reason": "unpaid"})).await.expect(204);

        // Nobody comes in.
        let late = app.person("late").await;
        let token = invited.split("token=").nth(1).unwrap();
        late.post("/api/v1/invitations/accept", json!({"token": token})).await.expect_problem(409, "organization_suspended");
        // Everybody may leave, a team too, and delete the account, except the last maintainer.
        world.ada.delete(&format!("{path}/members/{}", cleo.id())).await.expect_problem(409, "organization_suspended");
        cleo.delete(&format!("{path}/teams/{team}/members/{}", cleo.id())).await.expect(204);
        cleo.delete(&format!("{path}/members/{}", cleo.id())).await.expect(204);
        cleo.get(path).await.expect_problem(404, "not_found");
        dora.delete("/api/v1/me?confirm=dora@people.example").await.expect(204);
        let browser = app.signed_in(&ben).await;
        let leave = format!("/organizations/grid-works/members?remove={}", ben.id());
        assert!(browser.get("/organizations/grid-works/members").await.text().contains(&leave));
        let path_of_ben = format!("/organizations/grid-works/members/{}/remove", ben.id());
        assert_eq!(browser.send(browser.request(reqwest::Method::POST, &path_of_ben).form(&[("x", "")])).await.status, 303);
        world.ada.delete(&format!("{path}/members/{}", world.ada.id())).await.expect_problem(409, "last_maintainer");
        world.ada.delete("/api/v1/me?confirm=ada@people.example").await.expect_problem(409, "last_maintainer");

        operator.post("/api/v1/operator/organizations/grid-works/unsuspend", json!({})).await.expect(204);
        assert_eq!(world.ada.get(&format!("{path}/members")).await.expect(200)["items"].as_array().unwrap().len(), 1);
        late.post("/api/v1/invitations/accept", json!({"token": token})).await.expect(200);
        app.mails().await;
    }

    async fn an_operator_resets_the_second_factors_of_somebody_who_lost_them(app: &TestApp) {
        let world = World::new(app).await;
        let opa = app.operator("opa").await;
        let ben = app.person_with_password("ben").await;
        world.ada.post("/api/v1/organizations/grid-works/members", json!({"members": [{"email": "ben@people.example", "role": "viewer"}]})).await.expect(200);
        let path = format!("/api/v1/operator/users/{}/reset-second-factors", ben.id());
        let why = json!({"reason": "lost the telephone"});
        opa.post(&path, why.clone()).await.expect_problem(409, "no_second_factor");
        let bens = app.signed_in(&ben).await;
        let send = async |browser: &stoa_testkit::Client, path: &str, form: &[(&str, &str)]| {
            browser.send(browser.request(reqwest::Method::POST, path).form(form)).await
        };
        let enrol = async |browser: &stoa_testkit::Client| {
            let html = send(browser, "/account/security/totp", &[]).await.text();
            let field = |from: &str, to: &str| html.split(from).nth(1).unwrap().split(to).next().unwrap().to_owned();
            let (ceremony, secret) = (field("name=\"ceremony\" value=\"", "\""), field("id=\"totp-secret\">", "<"));
            let code = stoa_testkit::totp_code(&secret, app.stoa.clock.now());
            assert_eq!(send(browser, "/account/security/totp/confirm", &[("ceremony", &ceremony), ("code", &code)]).await.status, 201);
        };
        enrol(&bens).await;
        let sign_in = async || {
            let browser = app.browser();
            let answer = send(&browser, "/sign-in", &[("email", "ben@people.example"), ("password", stoa_testkit::PASSWORD)]).await;
            (browser, answer.header("location").to_owned())
        };
        assert!(sign_in().await.1.starts_with("/sign-in/second-step"));

        ben.post(&path, why.clone()).await.expect_problem(404, "not_found");
        world.ada.post(&path, why.clone()).await.expect_problem(404, "not_found");
        app.anonymous().post(&path, why.clone()).await.expect_problem(401, "unauthenticated");
        opa.post(&path, json!({"reason": " "})).await.expect_problem(422, "invalid");
        opa.post("/api/v1/operator/users/usr_01h455vb4pex5vsknk084sn02q/reset-second-factors", why.clone()).await.expect_problem(404, "not_found");
        opa.post(&format!("/api/v1/operator/users/{}/reset-second-factors", opa.id()), why.clone()).await.expect_problem(409, "own_account");
        assert_eq!(bens.get("/account").await.status, 200, "nothing happened yet");

        opa.post(&path, why).await.expect(204);
        let told = app.mail_to("ben@people.example").await;
        assert!(told.rendered.text.contains("lost the telephone") && told.rendered.text.contains("/account/security"), "{}", told.rendered.text);
        assert_eq!(bens.get("/account").await.status, 303, "the session has ended");
        let (again, to) = sign_in().await;
        assert_eq!(to, "/organizations");
        let events = world.ada.get("/api/v1/organizations/grid-works/events?type=operator.second_factors_reset").await.expect(200);
        let event = &events["items"][0];
        assert_eq!((&event["subject"]["id"], &event["data"]["reason"], &event["actor"]["id"]), (&json!(ben.id()), &json!("lost the telephone"), &json!(opa.id())));
        assert!(again.get("/organizations/grid-works/activity").await.text().contains("reset the second factors of ben, as operator of the installation"));

        // On the page: what is lost is said, a reason is asked for, and, after a while, who sits there.
        enrol(&again).await;
        let operator = app.signed_in(&opa).await;
        let html = operator.get(&format!("/operator/users?reset={}", ben.id())).await.text();
        assert!(html.contains("the authenticator app, set up on 10 March 2026") && html.contains("recovery codes"), "{html}");
        let form = format!("/operator/users/{}/reset-second-factors", ben.id());
        assert_eq!(send(&operator, &form, &[("reason", "")]).await.status, 422);
        assert_eq!(send(&again, &form, &[("reason", "x")]).await.status, 404);
        app.clock.advance(16 * 60 * stoa_domain::time::SECOND);
        assert_eq!(send(&operator, &form, &[("reason", "again")]).await.status, 403, "step up");
        assert_eq!(send(&operator, &form, &[("reason", "again"), ("proof_password", stoa_testkit::PASSWORD)]).await.status, 303);
        app.mail_to("ben@people.example").await;
        assert!(operator.get("/operator/users").await.text().contains("has no second factors any more"));
        let nothing = operator.get(&format!("/operator/users?reset={}", ben.id())).await.text();
        assert!(nothing.contains("has no second factor:") && !nothing.contains(&format!("action=\"{form}\"")));
    }
}
