//! The list of sessions, and ending them.

use reqwest::Method;
use serde_json::json;
use stoa_actions::limits;
use stoa_domain::{
    limits::{Attempt, Door},
    time::{HOUR, SECOND},
};
use stoa_testkit::{Client, PASSWORD, Person, Setup, TestApp, api_tests};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
const SAFARI: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1";

async fn sign_in_with(app: &TestApp, person: &Person, agent: &str, from: &str) -> Client {
    let browser = app.browser();
    let form = [("email", person.user.email.as_str()), ("password", PASSWORD)];
    let request = browser.request(Method::POST, "/sign-in").header("user-agent", agent).header("x-forwarded-for", from);
    assert_eq!(browser.send(request.form(&form)).await.status, 303);
    browser
}

async fn submit(browser: &Client, path: &str) -> stoa_testkit::Answer {
    browser.send(browser.request(Method::POST, path).form(&[("x", "")])).await
}

api_tests! {
    async fn sessions_say_in_what_and_from_where_and_can_be_ended(plain: &TestApp) {
        let header = Some(reqwest::header::HeaderName::from_static("x-forwarded-for"));
        let behind = TestApp::start_with(plain.database().fresh().await, Setup { address_header: header, ..Setup::default() }).await;
        let app = &behind;
        let ada = app.person_with_password("ada").await;
        let laptop = sign_in_with(app, &ada, FIREFOX, "192.0.2.7").await;
        app.clock.advance(2 * HOUR);
        let phone = sign_in_with(app, &ada, SAFARI, "198.51.100.1, 192.0.2.8").await;
        let listed = ada.get("/api/v1/me/sessions").await.expect(200);
        assert_eq!((&listed["items"][0]["browser"], &listed["items"][0]["address"]), (&json!("Safari on iPhone"), &json!("192.0.2.8")));
        assert_eq!((&listed["items"][1]["browser"], &listed["items"][1]["address"]), (&json!("Firefox on Linux"), &json!("192.0.2.7")));
        assert_eq!(listed["items"][1]["last_used_at"], listed["items"][1]["created_at"]);

        app.clock.advance(1);
        let html = laptop.get("/account/security").await.text();
        assert!(html.contains("Safari on iPhone") && html.contains("192.0.2.8"));
        assert_eq!(html.matches("This one").count(), 1);
        let listed = ada.get("/api/v1/me/sessions").await.expect(200);
        assert_eq!(listed["items"][0]["browser"], "Firefox on Linux", "its use was noted: {listed}");

        let id = listed["items"][1]["id"].as_str().unwrap().to_owned();
        assert_eq!(submit(&laptop, &format!("/account/security/sessions/{id}/end")).await.status, 303);
        assert!(phone.get("/account").await.header("location").starts_with("/sign-in"));
        assert_eq!(laptop.get("/account").await.status, 200);
        ada.delete(&format!("/api/v1/me/sessions/{id}")).await.expect_problem(404, "not_found");
        behind.finish().await;
    }

    async fn what_a_client_writes_of_its_address_is_not_believed(app: &TestApp) {
        let ada = app.person_with_password("ada").await;
        sign_in_with(app, &ada, FIREFOX, "192.0.2.7").await;
        let listed = ada.get("/api/v1/me/sessions").await.expect(200);
        assert_eq!(listed["items"][0]["address"], "127.0.0.1", "no header was named in which a proxy writes it");
    }

    async fn a_session_shows_the_address_by_which_limits_count(app: &TestApp) {
        let header = Some(reqwest::header::HeaderName::from_static("x-real-ip"));
        let behind = TestApp::start_with(app.database().fresh().await, Setup { address_header: header, ..Setup::default() }).await;
        let ada = behind.person_with_password("ada").await;
        let send = async |path: &str, email: &str, from: &str| {
            let browser = behind.browser();
            let form = [("email", email), ("password", PASSWORD)];
            let request = browser.request(Method::POST, path).header("x-real-ip", from).header("x-forwarded-for", "198.51.100.1");
            browser.send(request.form(&form)).await.status
        };
        assert_eq!(send("/sign-in", "ada@people.example", "::ffff:192.0.2.7").await, 303);
        assert_eq!(ada.get("/api/v1/me/sessions").await.expect(200)["items"][0]["address"], "192.0.2.7");
        for number in 0..30 {
            assert_eq!(send("/forgot-password", &format!("person{number}@people.example"), "::ffff:192.0.2.7").await, 200);
        }
        assert_eq!(send("/forgot-password", "ada@people.example", "192.0.2.7").await, 429, "the network is used up");
        assert_eq!(send("/forgot-password", "ada@people.example", "192.0.2.8").await, 200);
        assert_eq!(behind.mails().await.len(), 31);
        behind.finish().await;
    }

    async fn proofs_count_for_the_network_they_come_from(app: &TestApp) {
        let header = Some(reqwest::header::HeaderName::from_static("x-real-ip"));
        let behind = TestApp::start_with(app.database().fresh().await, Setup { address_header: header, ..Setup::default() }).await;
        let ada = behind.person_with_password("ada").await;
        let browser = behind.browser();
        let send = async |path: &str, from: &str, form: &[(&str, &str)]| {
            browser.send(browser.request(Method::POST, path).header("x-real-ip", from).form(form)).await.status
        };
        assert_eq!(send("/sign-in", "192.0.2.7", &[("email", &ada.user.email), ("password", PASSWORD)]).await, 303);
        behind.clock.advance(20 * 60 * SECOND);
        for number in 0..100 {
            let account = format!("person{number}@people.example");
            let attempt = Attempt { door: Door::SignIn, account: &account, network: "192.0.2.9" };
            limits::take(&behind.stoa, attempt, behind.stoa.clock.now()).await.unwrap();
        }
        let token = [("name", "Nightly"), ("proof_password", PASSWORD)];
        assert_eq!(send("/account/tokens", "192.0.2.9", &token).await, 429, "whoever guesses elsewhere does not guess on here");
        assert_eq!(send("/account/tokens", "192.0.2.8", &token).await, 201);
        behind.finish().await;
    }

    async fn everywhere_else_is_signed_out_and_this_one_stays(app: &TestApp) {
        let (ada, ben) = (app.person_with_password("ada").await, app.person_with_password("ben").await);
        let (one, two, three) = (app.signed_in(&ada).await, app.signed_in(&ada).await, app.signed_in(&ada).await);
        let bens = app.signed_in(&ben).await;
        assert_eq!(submit(&one, "/account/security/sessions/end-others").await.status, 303);
        assert!(one.get("/account/security").await.text().contains("2 other sessions have ended."));
        for other in [&two, &three] {
            assert_eq!(other.get("/account").await.status, 303);
        }
        assert_eq!(bens.get("/account").await.status, 200);
        ada.delete("/api/v1/me/sessions").await.expect(204);
        assert_eq!(one.get("/account").await.status, 303);
        assert_eq!(bens.get("/account").await.status, 200);
    }

    async fn nobody_ends_another_persons_session(app: &TestApp) {
        let (ada, ben) = (app.person_with_password("ada").await, app.person_with_password("ben").await);
        let (adas, bens) = (app.signed_in(&ada).await, app.signed_in(&ben).await);
        let id = ada.get("/api/v1/me/sessions").await.expect(200)["items"][0]["id"].as_str().unwrap().to_owned();
        ben.delete(&format!("/api/v1/me/sessions/{id}")).await.expect_problem(404, "not_found");
        assert_eq!(submit(&bens, &format!("/account/security/sessions/{id}/end")).await.status, 404);
        assert_eq!(adas.get("/account").await.status, 200);
        app.anonymous().get("/api/v1/me/sessions").await.expect_problem(401, "unauthenticated");
        assert!(bens.get("/account/security").await.text().contains("This one"));
        let own = ben.get("/api/v1/me/sessions").await.expect(200)["items"][0]["id"].as_str().unwrap().to_owned();
        let answer = submit(&bens, &format!("/account/security/sessions/{own}/end")).await;
        assert_eq!((answer.status, answer.header("location")), (303, "/sign-in"));
    }
}
