//! Why somebody can or cannot do something: the answer is that of the thing itself, and names rule and way.

use reqwest::Method;
use serde_json::{Value, json};
use stoa_domain::permissions::Permission;
use stoa_testkit::{Person, api_tests};

use crate::projects::grid;

const GRID: &str = "/api/v1/organizations/grid";
const EXPLAIN: &str = "/api/v1/organizations/grid/access/explain";

async fn ask(by: &Person, about: &Person, subject: &str, permission: &str) -> Value {
    by.get(&format!("{EXPLAIN}?user={}&subject={subject}&permission={permission}", about.id())).await.expect(200)
}

api_tests! {
    async fn the_answer_is_what_happens(app: &TestApp) {
        let people = grid(app).await;
        let [vera, _, edda, mira] = &people;
        let new = json!({"name": "Engine", "organization": "grid"});
        let engine = edda.post("/api/v1/applications", new).await.expect(201)["id"].as_str().unwrap().to_owned();
        let team = mira.post(&format!("{GRID}/teams"), json!({"name": "Meters"})).await.expect(201)["id"].as_str().unwrap().to_owned();
        mira.send(mira.request(Method::PUT, &format!("{GRID}/teams/{team}/members/{}", vera.id()))).await.expect(204);
        mira.send(mira.request(Method::PUT, &format!("/api/v1/applications/{engine}/shares/teams/{team}"))).await.expect(204);
        let subject = format!("application:{engine}");
        for person in &people {
            let sees = ask(mira, person, &subject, "view").await;
            let real = person.get(&format!("/api/v1/applications/{engine}")).await.status == 200;
            assert_eq!(sees["allowed"], json!(real), "{sees}");
            let manages = ask(mira, person, &subject, "manage_resources").await;
            let real = person.patch(&format!("/api/v1/applications/{engine}"), json!({"name": "Engine"})).await.status == 200;
            assert_eq!(manages["allowed"], json!(real), "{manages}");
            let edits = ask(mira, person, "organization", "edit_organization").await;
            let real = person.patch(GRID, json!({"name": "Grid"})).await.status == 200;
            assert_eq!(edits["allowed"], json!(real), "{edits}");
        }
    }

    async fn the_rule_and_the_way_are_named(app: &TestApp) {
        let [vera, rolf, edda, mira] = grid(app).await;
        let stranger = app.person("sten").await;
        mira.post(&format!("{GRID}/projects"), json!({"name": "North"})).await.expect(201);
        let engine = edda.post("/api/v1/applications", json!({"name": "Engine"})).await.expect(201)["id"].as_str().unwrap().to_owned();
        let team = mira.post(&format!("{GRID}/teams"), json!({"name": "Meters"})).await.expect(201)["id"].as_str().unwrap().to_owned();
        mira.send(mira.request(Method::PUT, &format!("{GRID}/teams/{team}/members/{}", vera.id()))).await.expect(204);
        let subject = format!("application:{engine}");
        mira.get(&format!("{EXPLAIN}?user={}&subject={subject}", edda.id())).await.expect_problem(404, "not_found");
        edda.send(edda.request(Method::PUT, &format!("/api/v1/applications/{engine}/shares/teams/{team}"))).await.expect(204);

        let owner = ask(&edda, &edda, &subject, "manage_resources").await;
        assert_eq!((&owner["reason"], &owner["path"]["kind"]), (&json!("owner"), &json!("owner")));
        let by_team = ask(&edda, &vera, &subject, "view").await;
        assert_eq!((&by_team["reason"], &by_team["path"]["kind"], &by_team["path"]["team"]["name"]), (&json!("role_allows"), &json!("team_share"), &json!("Meters")));
        assert!(by_team["rule"].as_str().unwrap().starts_with("vera is viewer of Grid; the application is shared with the team Meters"), "{by_team}");
        let not = ask(&edda, &vera, &subject, "manage_resources").await;
        assert_eq!((&not["allowed"], &not["reason"], &not["role"]), (&json!(false), &json!("role_refuses"), &json!("viewer")));
        let unshared = ask(&edda, &rolf, &subject, "view").await;
        assert_eq!((&unshared["reason"], &unshared["path"]), (&json!("not_shared"), &Value::Null));
        edda.post(&format!("/api/v1/applications/{engine}/transfer"), json!({"organization": "grid"})).await.expect(200);
        let hidden = ask(&edda, &rolf, &subject, "view").await;
        assert_eq!(hidden["reason"], "not_in_team");
        assert!(hidden["rule"].as_str().unwrap().contains("(Meters)"), "{hidden}");
        let requests = ask(&rolf, &rolf, "organization", "subscribe_organization").await;
        assert_eq!((&requests["allowed"], &requests["reason"]), (&json!(false), &json!("needs_request")));
        let writes = ask(&vera, &vera, "project:north", "resources:write").await;
        assert_eq!((&writes["reason"], &writes["subject"]["name"]), (&json!("role_refuses"), &json!("North")));
        let nobody = ask(&vera, &stranger, "project:north", "view").await;
        assert_eq!((&nobody["reason"], &nobody["user"]), (&json!("not_a_member"), &Value::Null));
        let unknown = vera.get(&format!("{EXPLAIN}?user=nobody@people.example")).await.expect(200);
        assert_eq!(unknown["reason"], "not_a_member");

        vera.get(&format!("{EXPLAIN}?user=nobody")).await.expect_problem(422, "invalid");
        vera.get(&format!("{EXPLAIN}?user={}&subject=team:x", vera.id())).await.expect_problem(422, "invalid");
        vera.get(&format!("{EXPLAIN}?user={}&permission=fly", vera.id())).await.expect_problem(422, "invalid");
        vera.get(&format!("{EXPLAIN}?user={}&subject=project:nowhere", vera.id())).await.expect_problem(404, "not_found");
        stranger.get(&format!("{EXPLAIN}?user={}", vera.id())).await.expect_problem(404, "not_found");
        app.anonymous().get(&format!("{EXPLAIN}?user={}", vera.id())).await.expect_problem(401, "unauthenticated");
    }

    async fn of_what_is_suspended_the_answer_is_what_happens_too(app: &TestApp) {
        let people = grid(app).await;
        let [vera, _, edda, mira] = &people;
        let operator = app.operator("opa").await;
        let made = async |new: Value| edda.post("/api/v1/applications", new).await.expect(201)["id"].as_str().unwrap().to_owned();
        let engine = made(json!({"name": "Engine", "organization": "grid"})).await;
        let own = made(json!({"name": "Own"})).await;
        edda.send(edda.request(Method::PUT, &format!("/api/v1/applications/{own}/shares/organizations/grid"))).await.expect(204);
        let evaluated = async |about: &Person, kind: &str, id: &str, action: &str| {
            let question = json!({"subject": {"type": "user", "id": about.id()}, "action": {"name": action}, "resource": {"type": kind, "id": id}});
            mira.post("/access/v1/evaluation", question).await.expect(200)
        };
        operator.post("/api/v1/operator/organizations/grid/suspend", json!({"reason": "unpaid"})).await.expect(204);
        for person in &people {
            for id in [&engine, &own] {
                let path = format!("/api/v1/applications/{id}");
                for permission in ["view", "manage_resources"] {
                    let real = match permission {
                        "view" => person.get(&path).await,
                        _ => person.patch(&path, json!({"description": "x"})).await,
                    };
                    assert!([200, 403, 409].contains(&real.status), "{real:?}");
                    let told = ask(mira, person, &format!("application:{id}"), permission).await;
                    assert_eq!(told["allowed"], json!(real.status == 200), "{} {permission}: {told}", person.user.name);
                    assert_eq!(told["reason"] == "organization_suspended", real.status == 409, "{told}");
                    let answer = evaluated(person, "application", id, permission).await;
                    assert_eq!((&answer["decision"], &answer["context"]["reason"]), (&told["allowed"], &told["reason"]), "{told}");
                }
            }
        }
        edda.patch(&format!("/api/v1/applications/{own}"), json!({"description": "mine"})).await.expect(200);
        mira.patch(&format!("/api/v1/applications/{own}"), json!({"description": "x"})).await.expect_problem(409, "organization_suspended");
        let adds = ask(mira, mira, "organization", "manage_members").await;
        assert_eq!((&adds["allowed"], &adds["reason"]), (&json!(false), &json!("organization_suspended")));
        assert!(adds["rule"].as_str().unwrap().contains("suspended Grid"), "{adds}");
        assert_eq!(ask(mira, vera, "organization", "subscribe_organization").await["reason"], "organization_suspended");
        assert_eq!(ask(mira, vera, "organization", "manage_members").await["reason"], "role_refuses");
        assert_eq!(ask(mira, vera, "organization", "view").await["reason"], "role_allows");
        let browser = crate::sharing::browser(app, mira).await;
        let page = browser.get(&format!("/organizations/grid/access?user={}&subject=organization&permission=manage_members", mira.id())).await.text();
        assert!(page.contains("mira cannot add members") && page.contains("suspended Grid"), "{page}");
        let page = browser.get(&format!("/organizations/grid/access?user={}&subject=organization", vera.id())).await.text();
        assert!(page.contains("vera can see Grid") && !page.contains("On request"), "nothing can be asked for either: {page}");
        operator.post("/api/v1/operator/organizations/grid/unsuspend", json!({})).await.expect(204);

        let grid_id = mira.get(GRID).await.expect(200)["id"].as_str().unwrap().to_owned();
        operator.patch(&format!("/api/v1/operator/users/{}", edda.id()), json!({"suspended": true})).await.expect(200);
        for (subject, kind, id) in [("organization".to_owned(), "organization", &grid_id), (format!("application:{own}"), "application", &own)] {
            let told = ask(mira, edda, &subject, "view").await;
            assert_eq!((&told["allowed"], &told["reason"]), (&json!(false), &json!("account_suspended")));
            assert!(told["rule"].as_str().unwrap().contains("the account of edda"), "{told}");
            assert_eq!(evaluated(edda, kind, id, "view").await["context"]["reason"], "account_suspended");
        }
    }

    async fn the_page_answers_too(app: &TestApp) {
        let [vera, _, _, mira] = grid(app).await;
        let browser = crate::sharing::browser(app, &vera).await;
        assert!(browser.get("/organizations/grid/access").await.text().contains("Why can or can’t somebody?"));
        let page = browser.get(&format!("/organizations/grid/access?user={}&subject=organization&permission=manage_members", vera.id())).await.text();
        assert!(page.contains("vera cannot add members") && page.contains("By the role table a viewer may not"), "{page}");
        assert_eq!(page.matches("On request").count(), Permission::ALL.into_iter().filter(|one| stoa_domain::permissions::verdict(stoa_domain::permissions::Role::Viewer, *one) == stoa_domain::permissions::Verdict::Request).count());
        let refused = browser.get("/organizations/grid/access?user=nobody").await;
        assert!(refused.status == 422 && refused.text().contains("e-mail address"), "{refused:?}");
        assert!(browser.get(&format!("/organizations/grid/access?user={}", mira.user.email)).await.text().contains("mira can see Grid"));
    }
}
