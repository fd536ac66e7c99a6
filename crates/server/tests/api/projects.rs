//! Projects: create, read, edit, delete, list.

use serde_json::{Value, json};
use stoa_testkit::{Person, TestApp, api_tests};

const GRID: &str = "/api/v1/organizations/grid";

/// An organization `grid` with one member of each role: viewer, reviewer, editor, maintainer.
pub async fn grid(app: &TestApp) -> [Person; 4] {
    let people = [app.person("vera").await, app.person("rolf").await, app.person("edda").await, app.person("mira").await];
    people[3].post("/api/v1/organizations", json!({"name": "Grid"})).await.expect(201);
    let members: Vec<Value> = people[..3]
        .iter()
        .zip(["viewer", "reviewer", "editor"])
        .map(|(person, role)| json!({"email": person.user.email, "role": role}))
        .collect();
    people[3].post(&format!("{GRID}/members"), json!({"members": members})).await.expect(200);
    people
}

fn names(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

async fn last_event(person: &Person) -> Value {
    let events = person.get(&format!("{GRID}/events")).await.expect(200);
    events["items"].as_array().unwrap().last().unwrap().clone()
}

api_tests! {
    async fn a_project_is_created_found_edited_and_deleted(app: &TestApp) {
        let [.., mira] = grid(app).await;
        let made = mira.post(&format!("{GRID}/projects"), json!({"name": "Wind park Delta", "description": "North"})).await.expect(201);
        assert_eq!(made["handle"], "wind-park-delta");
        assert!(made["id"].as_str().unwrap().starts_with("prj_"));
        let event = last_event(&mira).await;
        assert_eq!((&event["type"], &event["subject"]["id"]), (&json!("project.created"), &made["id"]));
        assert_eq!(event["data"]["name"], "Wind park Delta");

        let by_id = format!("{GRID}/projects/{}", made["id"].as_str().unwrap());
        for address in [&by_id, &format!("{GRID}/projects/wind-park-delta")] {
            let found = mira.get(address).await.expect(200);
            assert_eq!((&found["id"], &found["resources"], &found["bytes"]), (&made["id"], &json!(0), &json!(0)));
        }
        let changed = mira.patch(&by_id, json!({"name": "Delta"})).await.expect(200);
        assert_eq!((&changed["name"], &changed["handle"], &changed["description"]), (&json!("Delta"), &json!("wind-park-delta"), &json!("North")));
        assert_eq!(last_event(&mira).await["data"]["name"], json!({"from": "Wind park Delta", "to": "Delta"}));
        mira.patch(&by_id, json!({"name": ""})).await.expect_problem(422, "invalid");

        mira.delete(&by_id).await.expect(204);
        assert_eq!(last_event(&mira).await["type"], "project.deleted");
        mira.get(&by_id).await.expect_problem(404, "not_found");
        mira.delete(&by_id).await.expect_problem(404, "not_found");
        assert_eq!(mira.get(&format!("{GRID}/projects")).await.expect(200)["items"], json!([]));
    }

    async fn a_handle_is_unique_in_its_organization_and_free_again_after_deletion(app: &TestApp) {
        let [.., mira] = grid(app).await;
        let first = mira.post(&format!("{GRID}/projects"), json!({"name": "Delta"})).await.expect(201);
        mira.post(&format!("{GRID}/projects"), json!({"name": "Other", "handle": "delta"})).await.expect_problem(409, "handle_taken");
        let second = mira.post(&format!("{GRID}/projects"), json!({"name": "Delta"})).await.expect(201);
        assert!(second["handle"].as_str().unwrap().starts_with("delta-"), "{second}");

        mira.post("/api/v1/organizations", json!({"name": "Tide"})).await.expect(201);
        mira.post("/api/v1/organizations/tide/projects", json!({"name": "Delta", "handle": "delta"})).await.expect(201);

        mira.delete(&format!("{GRID}/projects/delta")).await.expect(204);
        let third = mira.post(&format!("{GRID}/projects"), json!({"name": "New", "handle": "delta"})).await.expect(201);
        assert_ne!(first["id"], third["id"]);
        assert_eq!(mira.get(&format!("{GRID}/projects/delta")).await.expect(200)["id"], third["id"]);
    }

    async fn a_deleted_project_keeps_its_name_for_its_costs(app: &TestApp) {
        let [.., mira] = grid(app).await;
        let made = mira.post(&format!("{GRID}/projects"), json!({"name": "Delta"})).await.expect(201);
        mira.delete(&format!("{GRID}/projects/delta")).await.expect(204);
        let mut conn = app.stoa.db.read().await.unwrap();
        let organization = mira.get(GRID).await.expect(200)["id"].as_str().unwrap().parse().unwrap();
        let id = made["id"].as_str().unwrap().parse().unwrap();
        let names = stoa_store::projects::names(&mut conn, organization, &[id]).await.unwrap();
        assert_eq!(names, [(id, made["id"].as_str().unwrap().to_owned(), "Delta".to_owned())]);
        assert!(stoa_store::projects::list_ids(&mut conn, organization).await.unwrap().is_empty());
    }

    async fn projects_are_for_members_and_changes_for_editors_and_maintainers(app: &TestApp) {
        let [vera, rolf, edda, mira] = grid(app).await;
        let stranger = app.person("sten").await;
        let new = || json!({"name": "Delta"});
        let list = format!("{GRID}/projects");
        app.anonymous().get(&list).await.expect_problem(401, "unauthenticated");
        app.anonymous().post(&list, new()).await.expect_problem(401, "unauthenticated");
        stranger.get(&list).await.expect_problem(404, "not_found");
        stranger.post(&list, new()).await.expect_problem(404, "not_found");
        vera.post(&list, new()).await.expect_problem(403, "forbidden");
        rolf.post(&list, new()).await.expect_problem(403, "forbidden");
        edda.post(&list, new()).await.expect(201);
        mira.post(&list, json!({"name": "Echo"})).await.expect(201);
        for reader in [&vera, &rolf, &edda, &mira] {
            assert_eq!(names(&reader.get(&list).await.expect(200)), ["Delta", "Echo"]);
            reader.get(&format!("{list}/delta")).await.expect(200);
        }
        for other in [&vera, &rolf] {
            other.patch(&format!("{list}/delta"), new()).await.expect_problem(403, "forbidden");
            other.delete(&format!("{list}/delta")).await.expect_problem(403, "forbidden");
        }
        app.anonymous().patch(&format!("{list}/delta"), new()).await.expect_problem(401, "unauthenticated");
        app.anonymous().delete(&format!("{list}/delta")).await.expect_problem(401, "unauthenticated");
        stranger.get(&format!("{list}/delta")).await.expect_problem(404, "not_found");
        stranger.patch(&format!("{list}/delta"), new()).await.expect_problem(404, "not_found");
        stranger.delete(&format!("{list}/delta")).await.expect_problem(404, "not_found");
        mira.post(&list, json!({"name": "", "handle": "A B"})).await.expect_problem(422, "invalid");
    }

    async fn the_list_is_paged_by_name_in_as_many_statements_for_few_as_for_many(app: &TestApp) {
        let [.., mira] = grid(app).await;
        let list = format!("{GRID}/projects");
        mira.post(&list, json!({"name": "Delta"})).await.expect(201);
        mira.get(&list).await.expect(200);
        let before = app.statements();
        mira.get(&list).await.expect(200);
        let few = app.statements() - before;
        for name in ["Alpha", "Charlie", "Bravo", "Alpha"] {
            mira.post(&list, json!({"name": name})).await.expect(201);
        }
        let before = app.statements();
        mira.get(&list).await.expect(200);
        assert_eq!(app.statements() - before, few);

        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = mira.get(&format!("{list}?limit=2&cursor={cursor}")).await.expect(200);
            seen.extend(names(&page));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        assert_eq!(seen, ["Alpha", "Alpha", "Bravo", "Charlie", "Delta"]);
    }

    async fn the_pages_create_edit_and_delete(app: &TestApp) {
        let mira = app.person_with_password("mira").await;
        mira.post("/api/v1/organizations", json!({"name": "Grid"})).await.expect(201);
        let browser = app.signed_in(&mira).await;
        let send = async |path: &str, form: &[(&str, &str)]| browser.send(browser.request(reqwest::Method::POST, path).form(form)).await;

        let empty = browser.get("/organizations/grid/projects?open=new").await;
        assert!(empty.status == 200 && empty.text().contains("No projects yet") && empty.text().contains("dialog id=\"dlg-new\""), "{empty:?}");
        let refused = send("/organizations/grid/projects", &[("name", ""), ("handle", "A B")]).await;
        assert!(refused.status == 422 && refused.text().contains("value=\"A B\""), "{refused:?}");
        let made = send("/organizations/grid/projects", &[("name", "Delta <b>"), ("handle", "delta"), ("description", "North")]).await;
        assert_eq!((made.status, made.header("location")), (303, "/organizations/grid/projects/delta"));
        let shown = browser.get(made.header("location")).await;
        assert!(shown.text().contains("Delta &#60;b&#62; is created.") && shown.text().contains("0 resources, 0 B"), "{shown:?}");
        assert_eq!(send("/organizations/grid/projects", &[("name", "Other"), ("handle", "delta")]).await.status, 409);

        let edited = send("/organizations/grid/projects/delta/edit", &[("name", "Delta"), ("description", "")]).await;
        assert_eq!(edited.status, 303);
        let wrong = send("/organizations/grid/projects/delta/delete", &[("confirm", "delta")]).await;
        assert!(wrong.status == 422 && wrong.text().contains("Type the exact name"), "{wrong:?}");
        mira.get(&format!("{GRID}/projects/delta")).await.expect(200);
        let deleted = send("/organizations/grid/projects/delta/delete", &[("confirm", "Delta")]).await;
        assert_eq!((deleted.status, deleted.header("location")), (303, "/organizations/grid/projects"));
        mira.get(&format!("{GRID}/projects/delta")).await.expect_problem(404, "not_found");
    }

    async fn the_pages_offer_a_viewer_nothing_to_change_and_a_stranger_nothing(app: &TestApp) {
        let [.., mira] = grid(app).await;
        let vic = app.person_with_password("vic").await;
        let sten = app.person_with_password("sten").await;
        mira.post(&format!("{GRID}/members"), json!({"members": [{"email": vic.user.email, "role": "viewer"}]})).await.expect(200);
        mira.post(&format!("{GRID}/projects"), json!({"name": "Delta"})).await.expect(201);
        let browser = app.signed_in(&vic).await;
        for path in ["/organizations/grid/projects?open=new", "/organizations/grid/projects/delta"] {
            let shown = browser.get(path).await;
            assert!(shown.status == 200 && !shown.text().contains("projects/delta/edit") && !shown.text().contains("id=\"dlg-new\""), "{shown:?}");
        }
        let refused = browser.send(browser.request(reqwest::Method::POST, "/organizations/grid/projects").form(&[("name", "X")])).await;
        assert_eq!(refused.status, 403);
        let stranger = app.signed_in(&sten).await;
        assert_eq!(stranger.get("/organizations/grid/projects").await.status, 404);
        let nobody = app.browser().get("/organizations/grid/projects").await;
        assert_eq!((nobody.status, nobody.header("location").starts_with("/sign-in?next=")), (303, true));
    }
}
