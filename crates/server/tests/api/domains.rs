//! The mail domains of organizations: claimed, verified by a mailed code, and joined through.

use reqwest::Method;
use serde_json::json;
use stoa_actions::{Act, Caller, users};
use stoa_domain::{mail::Mail, time::DAY};
use stoa_testkit::{Answer, Client, OpenIdProvider, PASSWORD, Person, TestApp, api_tests};

const PATH: &str = "/organizations/grid/settings/domains";

async fn submit(browser: &Client, path: &str, form: &[(&str, &str)]) -> Answer {
    browser.send(browser.request(Method::POST, path).form(form)).await
}

#[track_caller]
fn leads_to(answer: &Answer, path: &str) {
    assert_eq!((answer.status, answer.header("location")), (303, path), "{answer:?}");
}

/// Ada's organization, and her browser.
async fn grid(app: &TestApp) -> (Person, Client) {
    let ada = app.person_with_password("ada").await;
    ada.post("/api/v1/organizations", json!({"name": "Grid"})).await.expect(201);
    let browser = app.signed_in(&ada).await;
    (ada, browser)
}

/// Claims a domain; answers the code that was mailed to its postmaster.
async fn claim(app: &TestApp, browser: &Client, path: &str, domain: &str, role: &str) -> String {
    leads_to(&submit(browser, path, &[("domain", domain), ("role", role), ("contact", "postmaster")]).await, path);
    let mut mails = app.mails().await;
    assert_eq!(mails.len(), 1);
    let taken = mails.remove(0);
    assert_eq!(taken.to, format!("postmaster@{domain}"));
    let Mail::DomainCode { code, .. } = taken.mail else { panic!("{:?}", taken.mail) };
    assert!(taken.rendered.text.contains(&code) && taken.rendered.html.contains(&code));
    code
}

/// Somebody proves an address, as by signing up.
async fn prove(app: &TestApp, email: &str) -> Person {
    // Accounts sort by the time of their creation, so each gets a millisecond of its own.
    app.clock.advance(1_000);
    let new = users::NewUser { email: email.to_owned(), name: None, password: None, operator: false };
    let prepared = users::prepare(&app.stoa, new).await.unwrap();
    let caller = Caller { who: stoa_actions::Who::Anonymous, ..Caller::system(app.stoa.clock.now()) };
    let mut act = Act::begin(&app.stoa, caller).await.unwrap();
    let user = users::create(&mut act, prepared).await.unwrap();
    users::address_verified(&mut act, &user).await.unwrap();
    act.commit().await.unwrap();
    Person { user, client: app.anonymous() }
}

/// Somebody sets a forgotten password anew, which proves the address.
async fn reset(app: &TestApp, email: &str) {
    let browser = app.browser();
    assert_eq!(submit(&browser, "/forgot-password", &[("email", email)]).await.status, 200);
    let link = app.mail_to(email).await.link();
    let token = link.split_once("token=").unwrap().1;
    assert_eq!(submit(&browser, "/set-password", &[("token", token), ("password", PASSWORD)]).await.status, 200);
    app.mail_to(email).await;
}

async fn members(ada: &Person) -> Vec<(String, String)> {
    let listed = ada.get("/api/v1/organizations/grid/members").await.expect(200);
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    listed["items"].as_array().unwrap().iter().map(|one| (text(&one["user"]["email"]), text(&one["role"]))).collect()
}

api_tests! {
    async fn people_of_a_verified_domain_become_members_and_others_do_not(app: &TestApp) {
        let (ada, browser) = grid(app).await;
        let code = claim(app, &browser, PATH, "grid.example", "editor").await;
        prove(app, "early@grid.example").await;
        assert_eq!(members(&ada).await.len(), 1, "it is not verified yet");
        let typed = code.to_lowercase().replace('-', " ");
        leads_to(&submit(&browser, &format!("{PATH}/grid.example/verify"), &[("code", &typed)]).await, PATH);
        assert!(browser.get(PATH).await.text().contains("Verified"));
        prove(app, "ben@grid.example").await;
        prove(app, "eve@sub.grid.example").await;
        prove(app, "eve@grid.example.evil.example").await;
        assert_eq!(members(&ada).await[1..], [("ben@grid.example".to_owned(), "editor".to_owned())]);
        let events = ada.get("/api/v1/organizations/grid/events").await.expect(200);
        let last = events["items"].as_array().unwrap().last().unwrap().clone();
        assert_eq!((&last["type"], &last["data"]["domain"]), (&json!("member.added"), &json!("grid.example")));
        assert!(browser.get("/organizations/grid/activity").await.text().contains("joined as editor, by the domain grid.example"));
        // Another role for those who come later, and nobody after it was given up.
        leads_to(&submit(&browser, &format!("{PATH}/grid.example/role"), &[("role", "viewer")]).await, PATH);
        prove(app, "cleo@grid.example").await;
        assert_eq!(members(&ada).await[2].1, "viewer");
        leads_to(&submit(&browser, &format!("{PATH}/grid.example/remove"), &[]).await, PATH);
        prove(app, "dora@grid.example").await;
        assert_eq!(members(&ada).await.len(), 3, "who joined stays, nobody comes");
    }

    async fn whoever_signs_in_with_another_provider_joins_too(app: &TestApp) {
        let (ada, browser) = grid(app).await;
        let code = claim(app, &browser, PATH, "grid.example", "viewer").await;
        leads_to(&submit(&browser, &format!("{PATH}/grid.example/verify"), &[("code", &code)]).await, PATH);
        let provider = OpenIdProvider::start(app.clock.clone()).await;
        provider.sign_in("ben-there", "ben@grid.example", true);
        let node = app.with_providers(vec![provider.configured("Example")]).await;
        let bens = node.browser();
        let begun = bens.get("/sign-in/external/example").await;
        let there = bens.foreign(begun.header("location")).await;
        leads_to(&bens.get(there.header("location").strip_prefix(&node.url).unwrap()).await, "/organizations");
        assert_eq!(members(&ada).await[1].0, "ben@grid.example");
        assert_eq!(bens.get("/organizations/grid").await.status, 200);
    }

    async fn whoever_was_removed_or_left_is_not_brought_back_by_the_domain(app: &TestApp) {
        let (ada, browser) = grid(app).await;
        let code = claim(app, &browser, PATH, "people.example", "viewer").await;
        leads_to(&submit(&browser, &format!("{PATH}/people.example/verify"), &[("code", &code)]).await, PATH);
        let (ben, cleo) = (app.person_with_password("ben").await, app.person_with_password("cleo").await);
        let (ben_mail, cleo_mail) = (ben.user.email.as_str(), cleo.user.email.as_str());
        for email in [ben_mail, cleo_mail] {
            reset(app, email).await;
        }
        assert_eq!(members(&ada).await.len(), 3, "an account from before joins when its address is proved");
        let member = |who: &Person| format!("/api/v1/organizations/grid/members/{}", who.id());
        ada.delete(&member(&ben)).await.expect(204);
        cleo.delete(&member(&cleo)).await.expect(204);
        for email in [ben_mail, cleo_mail] {
            reset(app, email).await;
        }
        assert_eq!(members(&ada).await.len(), 1, "a new password brings nobody back");

        // Nor does another address of the domain, or taking that back.
        let bens = app.signed_in(&ben).await;
        leads_to(&submit(&bens, "/account/address", &[("email", "ben2@people.example")]).await, "/account");
        let mails = app.mails().await;
        let confirm = mails.iter().find(|mail| mail.to == "ben2@people.example").unwrap().link();
        let token = |link: &str| link.split_once("token=").unwrap().1.to_owned();
        assert_eq!(submit(&bens, "/confirm-address", &[("token", &token(&confirm))]).await.status, 200);
        assert_eq!(members(&ada).await.len(), 1, "nor does another address");
        let undo = app.mail_to(ben_mail).await.link();
        assert_eq!(submit(&bens, "/undo-address", &[("token", &token(&undo))]).await.status, 200);
        app.mail_to(ben_mail).await;
        assert_eq!(members(&ada).await.len(), 1, "nor the old one again");
        let provider = OpenIdProvider::start(app.clock.clone()).await;
        provider.sign_in("cleo-there", cleo_mail, true);
        let node = app.with_providers(vec![provider.configured("Example")]).await;
        let cleos = node.browser();
        let begun = cleos.get("/sign-in/external/example").await;
        let there = cleos.foreign(begun.header("location")).await;
        leads_to(&cleos.get(there.header("location").strip_prefix(&node.url).unwrap()).await, "/organizations");
        assert_eq!(members(&ada).await.len(), 1, "nor an account of another provider");

        // A maintainer brings them back, until they are removed again.
        let add = json!({"members": [{"email": ben_mail, "role": "editor"}]});
        ada.post("/api/v1/organizations/grid/members", add).await.expect(200);
        reset(app, ben_mail).await;
        assert_eq!(members(&ada).await[1..], [(ben_mail.to_owned(), "editor".to_owned())]);
        ada.delete(&member(&ben)).await.expect(204);
        reset(app, ben_mail).await;
        assert_eq!(members(&ada).await.len(), 1);
    }

    async fn codes_are_mailed_to_a_domain_so_often_a_day_and_then_later(app: &TestApp) {
        let (ada, _browser) = grid(app).await;
        ada.post("/api/v1/organizations", json!({"name": "Water"})).await.expect(201);
        let claim = json!({"domain": "grid.example", "role": "viewer", "contact": "postmaster"});
        let paths = ["/api/v1/organizations/grid/domains", "/api/v1/organizations/water/domains"];
        for path in [[paths[0]; 5], [paths[1]; 5]].concat() {
            ada.post(path, claim.clone()).await.expect(201);
        }
        assert_eq!(app.mails().await.len(), 10);
        for path in paths {
            let refused = ada.post(path, claim.clone()).await;
            assert!(!refused.header("retry-after").is_empty(), "{refused:?}");
            refused.expect_problem(429, "too_many_attempts");
        }
        assert!(app.mails().await.is_empty());
        ada.post(paths[0], json!({"domain": "other.example", "role": "viewer", "contact": "postmaster"})).await.expect(201);
        app.mail_to("postmaster@other.example").await;
        app.clock.advance(DAY / 10);
        ada.post(paths[0], claim).await.expect(201);
        app.mail_to("postmaster@grid.example").await;
    }

    async fn a_code_counts_for_a_day_and_five_attempts(app: &TestApp) {
        let (_ada, browser) = grid(app).await;
        let verify = format!("{PATH}/grid.example/verify");
        let code = claim(app, &browser, PATH, "grid.example", "viewer").await;
        for _ in 0..5 {
            assert_eq!(submit(&browser, &verify, &[("code", "AAAA-AAAA")]).await.status, 422);
        }
        assert!(submit(&browser, &verify, &[("code", &code)]).await.text().contains("send a new one"));
        let code = claim(app, &browser, PATH, "grid.example", "viewer").await;
        app.clock.advance(DAY);
        assert_eq!(submit(&browser, &verify, &[("code", &code)]).await.status, 409);
        let code = claim(app, &browser, PATH, "grid.example", "viewer").await;
        leads_to(&submit(&browser, &verify, &[("code", &code)]).await, PATH);
        assert_eq!(submit(&browser, &verify, &[("code", &code)]).await.status, 409);
    }

    async fn a_domain_belongs_to_one_organization_and_public_ones_to_nobody(app: &TestApp) {
        let (ada, browser) = grid(app).await;
        ada.post("/api/v1/organizations", json!({"name": "Water"})).await.expect(201);
        let waters = "/organizations/water/settings/domains";
        let first = claim(app, &browser, PATH, "grid.example", "viewer").await;
        let second = claim(app, &browser, waters, "grid.example", "viewer").await;
        leads_to(&submit(&browser, &format!("{PATH}/grid.example/verify"), &[("code", &first)]).await, PATH);
        let late = submit(&browser, &format!("{waters}/grid.example/verify"), &[("code", &second)]).await;
        assert!(late.status == 409 && late.text().contains("belongs to another organization"), "{late:?}");
        let form = |domain| [("domain", domain), ("role", "viewer"), ("contact", "postmaster")];
        assert_eq!(submit(&browser, waters, &form("grid.example")).await.status, 409);
        let public = submit(&browser, PATH, &form("gmail.com")).await;
        assert!(public.status == 422 && public.text().contains("open to everybody"), "{public:?}");
        assert_eq!(submit(&browser, PATH, &form("grid")).await.status, 422);
        let elsewhere = [("domain", "grid2.example"), ("role", "viewer"), ("contact", "ada")];
        assert_eq!(submit(&browser, PATH, &elsewhere).await.status, 422);
        let role = [("domain", "grid2.example"), ("role", "king"), ("contact", "admin")];
        assert_eq!(submit(&browser, PATH, &role).await.status, 422);
        // A deleted organization gives its domains up.
        leads_to(&submit(&browser, "/organizations/grid/delete", &[("confirm", "Grid")]).await, "/organizations");
        let code = claim(app, &browser, waters, "grid.example", "viewer").await;
        leads_to(&submit(&browser, &format!("{waters}/grid.example/verify"), &[("code", &code)]).await, waters);
    }

    async fn of_two_who_verify_the_same_domain_at_once_one_gets_it(app: &TestApp) {
        let (ada, browser) = grid(app).await;
        ada.post("/api/v1/organizations", json!({"name": "Water"})).await.expect(201);
        let waters = "/organizations/water/settings/domains";
        let first = claim(app, &browser, PATH, "grid.example", "viewer").await;
        let second = claim(app, &browser, waters, "grid.example", "viewer").await;
        let (one, two) = (format!("{PATH}/grid.example/verify"), format!("{waters}/grid.example/verify"));
        let (first, second) = ([("code", first.as_str())], [("code", second.as_str())]);
        let (one, two) = tokio::join!(submit(&browser, &one, &first), submit(&browser, &two, &second));
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [303, 409]);
    }

    async fn only_maintainers_manage_domains_and_strangers_see_none(app: &TestApp) {
        let (ada, browser) = grid(app).await;
        let (ben, eve) = (app.person_with_password("ben").await, app.person_with_password("eve").await);
        let rows = json!({"members": [{"email": "ben@people.example", "role": "editor"}]});
        ada.post("/api/v1/organizations/grid/members", rows).await.expect(200);
        let code = claim(app, &browser, PATH, "grid.example", "viewer").await;
        let (bens, eves) = (app.signed_in(&ben).await, app.signed_in(&eve).await);
        let html = bens.get(PATH).await.text();
        assert!(html.contains("grid.example") && !html.contains("/verify") && !html.contains("Send code"));
        for (path, status_of_ben) in [(PATH.to_owned(), 403), (format!("{PATH}/grid.example/verify"), 403), (format!("{PATH}/grid.example/remove"), 403), (format!("{PATH}/grid.example/role"), 403)] {
            let form = [("domain", "x.example"), ("role", "viewer"), ("contact", "admin"), ("code", code.as_str())];
            assert_eq!(submit(&bens, &path, &form).await.status, status_of_ben, "{path}");
            assert_eq!(submit(&eves, &path, &form).await.status, 404, "{path}");
            assert_eq!(submit(&app.browser(), &path, &form).await.status, 303, "{path}");
        }
        assert_eq!(eves.get(PATH).await.status, 404);
        assert_eq!(submit(&browser, &format!("{PATH}/other.example/remove"), &[]).await.status, 404);
    }

    async fn domains_are_claimed_verified_changed_and_given_up_through_the_api(app: &TestApp) {
        let (ada, eve) = (app.person("ada").await, app.person("eve").await);
        ada.post("/api/v1/organizations", json!({"name": "Grid"})).await.expect(201);
        eve.post("/api/v1/organizations", json!({"name": "Water"})).await.expect(201);
        let path = "/api/v1/organizations/grid/domains";
        assert_eq!(ada.get(path).await.expect(200), json!({"items": [], "next_cursor": null}));
        let wrong = json!({"domain": "gmail.com", "role": "king", "contact": "ada"});
        let refused = ada.post(path, wrong).await.expect_problem(422, "invalid");
        let pointers: Vec<_> = refused["errors"].as_array().unwrap().iter().map(|one| one["pointer"].as_str().unwrap()).collect();
        assert_eq!(pointers, ["/domain", "/role", "/contact"]);
        let claim = json!({"domain": "Grid.Example", "role": "editor", "contact": "hostmaster"});
        let claimed = ada.post(path, claim.clone()).await.expect(201);
        assert_eq!((&claimed["domain"], &claimed["contact"], &claimed["verified_at"]), (&json!("grid.example"), &json!("hostmaster@grid.example"), &json!(null)));
        assert!(claimed["code_expires_at"].as_str().unwrap().starts_with("2026-03-11T12:00:00"), "{claimed}");
        let Mail::DomainCode { code, .. } = app.mail_to("hostmaster@grid.example").await.mail else { panic!("no code was sent") };

        // A wrong code counts, and sent again under the same key it counts once and is answered as before.
        let verify = format!("{path}/GRID.example/verify");
        let guess = async || {
            let request = ada.request(Method::POST, &verify).header("idempotency-key", "guess").json(&json!({"code": "AAAA-AAAA"}));
            ada.send(request).await
        };
        let first = guess().await;
        let told = first.expect_problem(422, "invalid");
        assert_eq!(told["errors"][0]["pointer"], "/code");
        let again = guess().await;
        assert_eq!((again.header("idempotency-replayed"), again.header("content-type")), ("true", "application/problem+json"));
        assert_eq!(again.expect_problem(422, "invalid"), told);
        for _ in 0..3 {
            ada.post(&verify, json!({"code": "AAAA-AAAA"})).await.expect_problem(422, "invalid");
        }
        let verified = ada.post(&verify, json!({"code": code})).await.expect(200);
        assert!(verified["verified_at"].is_string() && verified["code_expires_at"].is_null(), "{verified}");
        ada.post(&verify, json!({"code": code})).await.expect_problem(409, "domain_verified");
        ada.post(path, claim.clone()).await.expect_problem(409, "domain_verified");
        eve.post("/api/v1/organizations/water/domains", claim).await.expect_problem(409, "domain_taken");
        ada.post(&format!("{path}/none.example/verify"), json!({"code": code})).await.expect_problem(404, "not_found");

        prove(app, "ben@grid.example").await;
        ada.patch(&format!("{path}/grid.example"), json!({"role": "king"})).await.expect_problem(422, "invalid");
        assert_eq!(ada.patch(&format!("{path}/grid.example"), json!({"role": "viewer"})).await.expect(200)["role"], "viewer");
        prove(app, "cleo@grid.example").await;
        assert_eq!(members(&ada).await[1..].iter().map(|(_, role)| role.as_str()).collect::<Vec<_>>(), ["editor", "viewer"]);
        assert_eq!(ada.get(path).await.expect(200)["items"][0]["domain"], "grid.example");
        ada.delete(&format!("{path}/grid.example")).await.expect(204);
        ada.delete(&format!("{path}/grid.example")).await.expect_problem(404, "not_found");
        eve.get(path).await.expect_problem(404, "not_found");
        app.anonymous().get(path).await.expect_problem(401, "unauthenticated");
    }

    async fn nobody_comes_to_a_suspended_organization_by_its_domain(app: &TestApp) {
        let (ada, browser) = grid(app).await;
        let operator = app.operator("opa").await;
        let code = claim(app, &browser, PATH, "grid.example", "viewer").await;
        leads_to(&submit(&browser, &format!("{PATH}/grid.example/verify"), &[("code", &code)]).await, PATH);
        operator.post("/api/v1/operator/organizations/grid/suspend", json!({"reason": "unpaid"})).await.expect(204);
        prove(app, "ben@grid.example").await;
        assert_eq!(members(&ada).await.len(), 1);
        operator.post("/api/v1/operator/organizations/grid/unsuspend", json!({})).await.expect(204);
        prove(app, "cleo@grid.example").await;
        assert_eq!(members(&ada).await.len(), 2);
    }
}
