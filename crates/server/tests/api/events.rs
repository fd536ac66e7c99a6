//! The log: gapless, ascending, whole even when many write at the same moment.

use serde_json::json;
use stoa_testkit::api_tests;

api_tests! {
    async fn many_writers_at_the_same_moment_leave_no_gap(app: &TestApp) {
        let ada = app.person("ada").await;
        ada.post("/api/v1/organizations", json!({"name": "Grid"})).await.expect(201);
        let writes = (0..24).map(|n| ada.patch("/api/v1/organizations/grid", json!({"description": format!("text {n}")})));
        // A change that finds the text it sets already there writes nothing; every other one writes one event.
        let changed = futures::future::join_all(writes).await.into_iter().filter(|answer| answer.status == 200).count();
        assert_eq!(changed, 24);
        let mut sequences = Vec::new();
        let mut after = 0;
        loop {
            let page = ada.get(&format!("/api/v1/organizations/grid/events?after={after}&limit=5")).await.expect(200);
            let items = page["items"].as_array().unwrap();
            let Some(last) = items.last() else { break };
            after = last["sequence"].as_i64().unwrap();
            sequences.extend(items.iter().map(|event| event["sequence"].as_i64().unwrap()));
        }
        let expected: Vec<i64> = (1..=26).collect();
        assert_eq!(sequences, expected);
    }

    async fn the_log_is_filtered_by_type_and_wrong_filters_are_told(app: &TestApp) {
        let ada = app.person("ada").await;
        ada.post("/api/v1/organizations", json!({"name": "Grid"})).await.expect(201);
        let added = ada.get("/api/v1/organizations/grid/events?type=member.added").await.expect(200);
        assert_eq!(added["items"].as_array().unwrap().len(), 1);
        assert_eq!(added["items"][0]["data"]["role"], "maintainer");
        ada.get("/api/v1/organizations/grid/events?type=nothing").await.expect_problem(422, "invalid");
        ada.get("/api/v1/organizations/grid/events?after=-1").await.expect_problem(422, "invalid");
        let stranger = app.person("ben").await;
        stranger.get("/api/v1/organizations/grid/events").await.expect_problem(404, "not_found");
    }
}
