//! Members: adding, roles, removing, leaving, and the guard of the last maintainer.

use serde_json::{Value, json};
use stoa_testkit::{Person, Setup, TestApp, api_tests};

const MEMBERS: &str = "/api/v1/organizations/grid/members";

async fn grid(app: &TestApp) -> Person {
    let ada = app.person("ada").await;
    ada.post("/api/v1/organizations", json!({"name": "Grid"})).await.expect(201);
    ada
}

async fn add(by: &Person, who: &Person, role: &str) -> Value {
    by.post(MEMBERS, json!({"members": [{"email": who.user.email, "role": role}]})).await.expect(200)
}

api_tests! {
    async fn several_people_are_added_in_one_call_with_a_result_for_each(app: &TestApp) {
        let ada = grid(app).await;
        let ben = app.person("ben").await;
        let answer = ada.post(MEMBERS, json!({"members": [
            {"email": " Ben@People.Example ", "role": "editor"},
            {"email": "ada@people.example", "role": "viewer"},
            {"email": "nobody@people.example", "role": "viewer"},
            {"email": "ben@people", "role": "viewer"},
            {"email": "ben@people.example", "role": "owner"},
            {"email": "ben@people.example", "role": "viewer"},
        ]})).await.expect(200);
        let statuses: Vec<_> = answer["results"].as_array().unwrap().iter().map(|one| one["status"].as_str().unwrap()).collect();
        assert_eq!(statuses, ["added", "already_member", "invited", "invalid", "invalid", "already_member"]);
        assert_eq!(answer["results"][0]["member"]["user"]["id"], json!(ben.id()));
        assert_eq!(answer["results"][4]["detail"], "a role is one of viewer, reviewer, editor, maintainer");

        let listed = ada.get(MEMBERS).await.expect(200);
        assert_eq!(listed["items"].as_array().unwrap().len(), 2);
        assert_eq!(listed["items"][1]["role"], "editor");
        let events = ben.get("/api/v1/organizations/grid/events?type=member.added&after=2").await.expect(200);
        assert_eq!(events["items"].as_array().unwrap().len(), 1);
        assert_eq!(events["items"][0]["subject"]["id"], json!(ben.id()));
    }

    async fn where_people_cannot_sign_up_an_invitation_says_so(app: &TestApp) {
        for (who, email, said) in [
            ("open", "ben@grid.example", None),
            ("closed", "ben@grid.example", Some("nobody signs up here by themselves")),
            ("grid.example", "ben@grid.example", None),
            ("works.example", "ben@grid.example", Some("accounts here are for addresses of works.example")),
        ] {
            let setup = Setup { sign_up: who.parse().unwrap(), ..Setup::default() };
            let other = TestApp::start_with(app.database().fresh().await, setup).await;
            let mira = grid(&other).await;
            let browser = crate::sharing::browser(&other, &mira).await;
            let list = reqwest::multipart::Form::new().text("text", email).text("role", "viewer");
            let request = browser.request(reqwest::Method::POST, "/organizations/grid/members/import").multipart(list);
            let page = browser.send(request).await.text();
            let body = json!({"members": [{"email": email, "role": "viewer"}]});
            let one = mira.post("/api/v1/organizations/grid/members", body).await.expect(200)["results"][0].clone();
            assert_eq!(one["status"], "invited", "{one}");
            match said {
                None => assert!(one["detail"].is_null() && !page.contains("waits for an account"), "{who}: {one}"),
                Some(said) => assert!(one["detail"].as_str().unwrap().contains(said) && page.contains(said), "{who}: {one} {page}"),
            }
            other.finish().await;
        }
    }

    async fn one_to_a_hundred_people_may_be_given(app: &TestApp) {
        let ada = grid(app).await;
        ada.post(MEMBERS, json!({"members": []})).await.expect_problem(422, "invalid");
        let many: Vec<_> = (0..101).map(|n| json!({"email": format!("p{n}@people.example"), "role": "viewer"})).collect();
        ada.post(MEMBERS, json!({"members": many})).await.expect_problem(422, "invalid");
        ada.post(MEMBERS, json!({"members": [{"email": 7}]})).await.expect_problem(422, "invalid");
    }

    async fn the_last_maintainer_stays_on_every_path(app: &TestApp) {
        let ada = grid(app).await;
        let ben = app.person("ben").await;
        add(&ada, &ben, "editor").await;
        let me = format!("{MEMBERS}/{}", ada.id());
        ada.patch(&me, json!({"role": "viewer"})).await.expect_problem(409, "last_maintainer");
        ada.delete(&me).await.expect_problem(409, "last_maintainer");
        ada.patch(&me, json!({"role": "maintainer"})).await.expect(200);

        ada.patch(&format!("{MEMBERS}/{}", ben.id()), json!({"role": "maintainer"})).await.expect(200);
        ada.delete(&me).await.expect(204);
        ada.get("/api/v1/organizations/grid").await.expect_problem(404, "not_found");
        ben.delete(&format!("{MEMBERS}/{}", ben.id())).await.expect_problem(409, "last_maintainer");
    }

    async fn a_member_may_leave_and_a_removed_one_sees_nothing_any_more(app: &TestApp) {
        let ada = grid(app).await;
        let ben = app.person("ben").await;
        let cleo = app.person("cleo").await;
        add(&ada, &ben, "viewer").await;
        add(&ada, &cleo, "viewer").await;
        ben.delete(&format!("{MEMBERS}/{}", cleo.id())).await.expect_problem(403, "forbidden");
        ben.delete(&format!("{MEMBERS}/{}", ben.id())).await.expect(204);
        ben.get(MEMBERS).await.expect_problem(404, "not_found");
        ada.delete(&format!("{MEMBERS}/{}", ben.id())).await.expect_problem(404, "not_found");
        ada.delete(&format!("{MEMBERS}/{}", cleo.id())).await.expect(204);
        cleo.get(MEMBERS).await.expect_problem(404, "not_found");
    }

    async fn a_refusal_says_who_could_do_it(app: &TestApp) {
        let ada = grid(app).await;
        let ben = app.person("ben").await;
        add(&ada, &ben, "editor").await;
        let problem = ben.patch(&format!("{MEMBERS}/{}", ada.id()), json!({"role": "viewer"})).await.expect_problem(403, "forbidden");
        assert_eq!(
            problem["detail"],
            "as an editor of Grid you may not add members, change roles and remove members; a maintainer may"
        );
    }

    async fn the_list_is_paged(app: &TestApp) {
        let ada = grid(app).await;
        for name in ["ben", "cleo", "dora", "emil"] {
            let person = app.person(name).await;
            add(&ada, &person, "viewer").await;
        }
        let first = ada.get(&format!("{MEMBERS}?limit=3")).await.expect(200);
        let next = first["next_cursor"].as_str().unwrap();
        let second = ada.get(&format!("{MEMBERS}?limit=3&cursor={next}")).await.expect(200);
        let names: Vec<_> = [&first, &second]
            .iter()
            .flat_map(|page| page["items"].as_array().unwrap())
            .map(|member| member["user"]["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["ada", "ben", "cleo", "dora", "emil"]);
        assert_eq!(second["next_cursor"], Value::Null);
    }
}
