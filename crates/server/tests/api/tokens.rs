//! Personal tokens.

use serde_json::json;
use stoa_testkit::api_tests;

api_tests! {
    async fn a_token_is_shown_once_opens_the_api_and_closes_when_revoked(app: &TestApp) {
        let ada = app.person("ada").await;
        let made = ada.post("/api/v1/me/tokens", json!({"name": "deploy"})).await.expect(201);
        let secret = made["secret"].as_str().unwrap();
        assert!(secret.starts_with("stoa_pat_"));
        let other = app.anonymous().with_token(secret);
        assert_eq!(other.get("/api/v1/me").await.expect(200)["email"], "ada@people.example");

        let listed = ada.get("/api/v1/me/tokens").await.expect(200);
        assert_eq!(listed["items"][1]["name"], "deploy");
        assert_eq!(listed["items"][1]["last_used_at"], "2026-03-10T12:00:00.001000Z");
        assert!(!listed.to_string().contains(secret));

        let id = made["id"].as_str().unwrap();
        ada.delete(&format!("/api/v1/me/tokens/{id}")).await.expect(204);
        other.get("/api/v1/me").await.expect_problem(401, "unauthenticated");
        ada.delete(&format!("/api/v1/me/tokens/{id}")).await.expect_problem(404, "not_found");
    }

    async fn nobody_revokes_another_persons_token_or_presents_a_wrong_one(app: &TestApp) {
        let ada = app.person("ada").await;
        let ben = app.person("ben").await;
        let made = ada.post("/api/v1/me/tokens", json!({"name": "deploy"})).await.expect(201);
        ben.delete(&format!("/api/v1/me/tokens/{}", made["id"].as_str().unwrap())).await.expect_problem(404, "not_found");
        ada.post("/api/v1/me/tokens", json!({"name": ""})).await.expect_problem(422, "invalid");
        for wrong in ["stoa_pat_0000", "Ünïcode", ""] {
            let answer = app.anonymous().with_token(wrong).get("/api/v1/me").await;
            assert!(answer.header("www-authenticate").starts_with("Bearer"));
            answer.expect_problem(401, "unauthenticated");
        }
    }
}
