//! Liveness, readiness, metrics, the API document, unknown addresses.

use stoa_testkit::api_tests;

api_tests! {
    async fn it_says_that_it_lives_and_is_ready(app: &TestApp) {
        let anyone = app.anonymous();
        assert_eq!(anyone.get("/health/live").await.text(), "live\n");
        assert_eq!(anyone.get("/health/ready").await.text(), "ready\n");
    }

    async fn each_answer_names_its_request_and_the_event_names_it_too(app: &TestApp) {
        let anyone = app.anonymous();
        let (first, second) = (anyone.get("/health/live").await, anyone.get("/health/live").await);
        assert_eq!(first.header("x-request-id").len(), 16);
        assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
    }

    async fn an_unknown_address_is_a_problem_document_for_programs(app: &TestApp) {
        let ada = app.person("ada").await;
        ada.get("/api/v1/nothing").await.expect_problem(404, "not_found");
        let document = app.anonymous().get("/api/openapi.json").await.expect(200);
        assert_eq!(document["openapi"], "3.1.0");
    }

    async fn requests_are_counted_by_route_and_never_by_path(app: &TestApp) {
        let ada = app.person("ada").await;
        ada.get("/api/v1/organizations/secret-name").await.expect_problem(404, "not_found");
        let measures = app.anonymous().get("/metrics").await.text();
        assert!(measures.contains(r#"stoa_http_requests_total{route="/api/v1/organizations/{org}",method="GET",status="404"}"#), "{measures}");
        assert!(measures.contains("stoa_http_request_duration_seconds_bucket"), "{measures}");
        assert!(!measures.contains("secret-name"));
    }
}
