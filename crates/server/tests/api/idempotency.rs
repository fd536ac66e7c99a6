//! `Idempotency-Key`: the first answer again, and the effect once.

use reqwest::Method;
use serde_json::json;
use stoa_testkit::{Answer, Person, api_tests};

async fn create(person: &Person, key: &str, name: &str) -> Answer {
    let request = person.request(Method::POST, "/api/v1/organizations").header("idempotency-key", key).json(&json!({"name": name}));
    person.send(request).await
}

api_tests! {
    async fn the_same_request_again_gets_the_first_answer_and_has_one_effect(app: &TestApp) {
        let ada = app.person("ada").await;
        let first = create(&ada, "k-1", "Grid").await.expect(201);
        let again = create(&ada, "k-1", "Grid").await;
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(again.expect(201), first);
        assert_eq!(ada.get("/api/v1/organizations").await.expect(200)["items"].as_array().unwrap().len(), 1);
    }

    async fn another_body_under_the_same_key_is_refused(app: &TestApp) {
        let ada = app.person("ada").await;
        create(&ada, "k-1", "Grid").await.expect(201);
        create(&ada, "k-1", "Other").await.expect_problem(422, "idempotency_key_reused");
        create(&ada, "", "Other").await.expect_problem(422, "bad_idempotency_key");
    }

    async fn keys_belong_to_who_sends_them_and_a_refusal_keeps_none(app: &TestApp) {
        let ada = app.person("ada").await;
        let ben = app.person("ben").await;
        create(&ada, "k-1", "").await.expect_problem(422, "invalid");
        let first = create(&ada, "k-1", "Grid").await.expect(201);
        let other = create(&ben, "k-1", "Grid").await.expect(201);
        assert_ne!(first["id"], other["id"]);
    }

    async fn many_at_the_same_moment_have_one_effect(app: &TestApp) {
        let ada = app.person("ada").await;
        let answers = futures::future::join_all((0..8).map(|_| create(&ada, "k-1", "Grid"))).await;
        let ids: Vec<_> = answers.into_iter().map(|answer| answer.expect(201)["id"].clone()).collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        assert_eq!(ada.get("/api/v1/organizations").await.expect(200)["items"].as_array().unwrap().len(), 1);
    }
}
