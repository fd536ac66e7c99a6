//! Dangerous acts ask again who sits there, when the last proof is older than a quarter of an hour.

use reqwest::Method;
use serde_json::json;
use stoa_domain::time::SECOND;
use stoa_server::router::dangerous_paths;
use stoa_testkit::{Answer, Client, PASSWORD, TestApp, api_tests};

const MINUTE: i64 = 60 * SECOND;

async fn submit(browser: &Client, path: &str, form: &[(&str, &str)]) -> Answer {
    browser.send(browser.request(Method::POST, path).form(form)).await
}

/// The address of an act, with something in each of its places.
fn filled(path: &str) -> String {
    let filled = path.split('/').map(|part| match part {
        "{org}" => "grid-works",
        "{user}" => "usr_01h455vb4pex5vsknk084sn02q",
        "{application}" => "app_01h455vb4pex5vsknk084sn02q",
        "{passkey}" => "psk_01h455vb4pex5vsknk084sn02q",
        other => other.trim_matches(['{', '}']),
    });
    filled.collect::<Vec<_>>().join("/")
}

async fn old_session(app: &TestApp) -> Client {
    let ada = app.person_with_password("ada").await;
    ada.post("/api/v1/organizations", json!({"name": "Grid Works"})).await.expect(201);
    let browser = app.signed_in(&ada).await;
    app.clock.advance(15 * MINUTE + 1);
    browser
}

api_tests! {
    async fn each_dangerous_act_asks_after_a_quarter_of_an_hour_and_does_nothing_till_then(app: &TestApp) {
        let browser = old_session(app).await;
        // Among what is sent is what each of them would do something with.
        let form = [("name", "Midnight"), ("confirm", "Grid Works"), ("change", "suspend"), ("reason", "Lost"), ("organization", "grid-works")];
        for path in dangerous_paths().into_iter().map(filled) {
            let asked = submit(&browser, &path, &form).await;
            assert_eq!(asked.status, 403, "{path}: {asked:?}");
            let html = asked.text();
            assert!(html.contains("Confirm that it is you") && html.contains(&format!("action=\"{path}\"")), "{path}: {html}");
            for (name, value) in form {
                assert!(html.contains(&format!("name=\"{name}\" value=\"{value}\"")), "{path}: {html}");
            }
        }
        assert!(!browser.get("/account/tokens").await.text().contains("Midnight"));
        assert_eq!(browser.get("/organizations/grid-works").await.status, 200);
    }

    async fn what_gives_power_over_others_or_takes_something_for_good_is_among_them(app: &TestApp) {
        let acts = [
            "/operator/users/{user}", "/operator/organizations/{org}/suspend", "/operator/organizations/{org}/restore", "/organizations/{org}/delete",
            "/applications/{application}/secrets", "/applications/{application}/transfer", "/applications/{application}/delete",
            "/account/tokens", "/account/password", "/account/delete",
        ];
        let known = dangerous_paths();
        assert!(acts.iter().all(|act| known.contains(act)), "{known:?}");
        let browser = old_session(app).await;
        assert_eq!(browser.get("/applications").await.status, 200, "looking is not dangerous");
    }

    async fn an_operator_proves_it_before_somebody_becomes_an_operator(app: &TestApp) {
        let (opa, ada) = (app.operator("opa").await, app.person("ada").await);
        let browser = app.signed_in(&opa).await;
        app.clock.advance(15 * MINUTE + 1);
        let path = format!("/operator/users/{}", ada.id());
        assert_eq!(submit(&browser, &path, &[("change", "make_operator")]).await.status, 403);
        ada.get("/api/v1/operator/users").await.expect_problem(404, "not_found");
        assert_eq!(submit(&browser, &path, &[("change", "make_operator"), ("proof_password", PASSWORD)]).await.status, 303);
        ada.get("/api/v1/operator/users").await.expect(200);
    }

    async fn a_young_session_is_not_asked(app: &TestApp) {
        let ada = app.person_with_password("ada").await;
        let browser = app.signed_in(&ada).await;
        app.clock.advance(15 * MINUTE);
        assert_eq!(submit(&browser, "/account/tokens", &[("name", "Nightly")]).await.status, 201);
    }

    async fn the_password_lets_it_go_on_with_everything_that_was_typed(app: &TestApp) {
        let browser = old_session(app).await;
        let typed = [("name", "Nightly & \"more\""), ("days", "30"), ("scope", "all")];
        let wrong: Vec<_> = typed.into_iter().chain([("proof_password", "not the password")]).collect();
        let again = submit(&browser, "/account/tokens", &wrong).await;
        assert_eq!(again.status, 422);
        let html = again.text();
        assert!(html.contains("That was not right") && html.contains("Nightly &#38; &#34;more&#34;") && !html.contains("not the password"), "{html}");
        let right: Vec<_> = typed.into_iter().chain([("proof_password", PASSWORD)]).collect();
        let done = submit(&browser, "/account/tokens", &right).await;
        assert_eq!(done.status, 201, "{done:?}");
        assert!(done.text().contains("Nightly &#38; &#34;more&#34;") && done.text().contains("9 Apr 2026"));
        // Now it is known for another quarter of an hour, and then no longer.
        app.clock.advance(15 * MINUTE);
        assert_eq!(submit(&browser, "/account/tokens", &[("name", "Second")]).await.status, 201);
        app.clock.advance(1);
        assert_eq!(submit(&browser, "/account/tokens", &[("name", "Third")]).await.status, 403);
    }

    async fn the_proof_counts_for_the_session_that_gave_it_alone(app: &TestApp) {
        let ada = app.person_with_password("ada").await;
        let (one, two) = (app.signed_in(&ada).await, app.signed_in(&ada).await);
        app.clock.advance(16 * MINUTE);
        assert_eq!(submit(&one, "/account/tokens", &[("name", "x"), ("proof_password", PASSWORD)]).await.status, 201);
        assert_eq!(submit(&two, "/account/tokens", &[("name", "x")]).await.status, 403);
        assert_eq!(submit(&app.browser(), "/account/tokens", &[("name", "x"), ("proof_password", PASSWORD)]).await.status, 303);
    }
}
