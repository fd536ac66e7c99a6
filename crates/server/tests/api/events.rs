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

    async fn the_log_is_filtered_by_person_subject_and_time(app: &TestApp) {
        let (ada, ben) = (app.person("ada").await, app.person("ben").await);
        ada.post("/api/v1/organizations", json!({"name": "Grid"})).await.expect(201);
        let members = json!({"members": [{"email": ben.user.email, "role": "editor"}]});
        ada.post("/api/v1/organizations/grid/members", members).await.expect(200);
        let made = ben.post("/api/v1/organizations/grid/projects", json!({"name": "North"})).await.expect(201);
        let types = async |filter: &str| {
            let found = ada.get(&format!("/api/v1/organizations/grid/events?{filter}")).await.expect(200);
            found["items"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(types(&format!("actor={}", ben.user.id)).await, ["project.created"]);
        assert_eq!(types(&format!("subject={}", made["id"].as_str().unwrap())).await, ["project.created"]);
        assert_eq!(types(&format!("subject={}", ben.user.id)).await, ["member.added"]);
        assert_eq!(types("type=member").await, ["member.added", "member.added"]);
        assert_eq!(types("from=2026-03-10&to=2026-03-10").await.len(), 4);
        assert!(types("from=2026-03-11").await.is_empty());
        assert!(types("to=2026-03-09").await.is_empty());
        assert!(types(&format!("actor={}&type=member", ben.user.id)).await.is_empty());
        for wrong in ["actor=ben", "from=yesterday", "from=2026-03-10&to=2026-03-09"] {
            ada.get(&format!("/api/v1/organizations/grid/events?{wrong}")).await.expect_problem(422, "invalid");
        }
    }

    async fn a_maintainer_takes_the_log_away_as_csv_and_as_json_lines(app: &TestApp) {
        let (ada, ben) = (app.person("ada").await, app.person("ben").await);
        ada.post("/api/v1/organizations", json!({"name": "=1+2", "handle": "grid"})).await.expect(201);
        let members = json!({"members": [{"email": ben.user.email, "role": "editor"}]});
        ada.post("/api/v1/organizations/grid/members", members).await.expect(200);
        ada.post("/api/v1/organizations/grid/projects", json!({"name": "+North"})).await.expect(201);
        let path = "/api/v1/organizations/grid/events/export";
        let file = ada.get(path).await;
        assert_eq!((file.status, file.header("content-type")), (200, "text/csv; charset=utf-8"));
        assert!(file.header("content-disposition").starts_with("attachment; filename=\"activity-grid-2026-03-10.csv\""));
        let text = file.text();
        let lines: Vec<&str> = text.trim_end().split("\r\n").collect();
        assert_eq!(lines.len(), 5, "{text}");
        assert!(lines[0].starts_with("sequence,occurred_at,type,actor_kind,actor_id,actor,what"));
        assert!(lines[1].starts_with("1,2026-03-10T12:00:00") && lines[1].contains(",organization.created,user,usr_") && lines[1].contains(",ada,created the organization =1+2,"));
        // No cell begins as a formula, whatever people call themselves and their things and write as reasons.
        ada.patch("/api/v1/me", json!({"name": "=cmd"})).await.expect(200);
        ada.put("/api/v1/organizations/grid/projects/north/resources/+x", json!({})).await.expect(201);
        let operator = app.operator("opa").await;
        operator.post("/api/v1/operator/organizations/grid/suspend", json!({"reason": "=2+3"})).await.expect(204);
        operator.post("/api/v1/operator/organizations/grid/unsuspend", json!({})).await.expect(204);
        let text = ada.get(path).await.text();
        for made_harmless in [",'=cmd,", ",'=2+3,", ",'+x,"] {
            assert!(text.contains(made_harmless), "{made_harmless}: {text}");
        }
        let cells = text.split(['\n', ',']).map(|cell| cell.trim_start_matches('"'));
        assert!(cells.into_iter().all(|cell| !cell.starts_with(['=', '+', '-', '@'])), "{text}");

        let lines = ada.get(&format!("{path}?format=jsonl&type=member")).await;
        assert_eq!(lines.header("content-type"), "application/jsonl; charset=utf-8");
        let events: Vec<serde_json::Value> = lines.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(events.iter().map(|event| event["sequence"].as_i64().unwrap()).collect::<Vec<_>>(), [2, 3]);

        ada.get(&format!("{path}?format=xls")).await.expect_problem(422, "invalid");
        ben.get(path).await.expect_problem(403, "forbidden");
        app.person("eve").await.get(path).await.expect_problem(404, "not_found");
    }

    async fn an_export_of_many_parts_is_whole(app: &TestApp) {
        let ada = app.person("ada").await;
        ada.post("/api/v1/organizations", json!({"name": "Grid"})).await.expect(201);
        // One request writes one event; a thousand of them make more than one part.
        let writes = (0..1_010).map(|n| ada.patch("/api/v1/organizations/grid", json!({"description": format!("text {n}")})));
        futures::stream::StreamExt::for_each_concurrent(futures::stream::iter(writes), 16, async |write| { write.await.expect(200); }).await;
        let file = ada.get("/api/v1/organizations/grid/events/export").await.text();
        let sequences: Vec<i64> = file.trim_end().split("\r\n").skip(1).map(|line| line.split(',').next().unwrap().parse().unwrap()).collect();
        assert_eq!(sequences, (1..=1_012).collect::<Vec<i64>>());
    }
}
