//! Teams: create, edit, delete, who is in them, and what is shared with them.

use serde_json::{Value, json};
use stoa_testkit::{Person, api_tests};

use crate::projects::grid;

const TEAMS: &str = "/api/v1/organizations/grid/teams";

async fn team(by: &Person, name: &str) -> String {
    let made = by.post(TEAMS, json!({"name": name})).await.expect(201);
    format!("{TEAMS}/{}", made["id"].as_str().unwrap())
}

async fn put(by: &Person, path: &str) -> stoa_testkit::Answer {
    by.send(by.request(reqwest::Method::PUT, path)).await
}

fn names(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect()
}

async fn kinds(person: &Person) -> Vec<String> {
    let events = person.get("/api/v1/organizations/grid/events?limit=200").await.expect(200);
    events["items"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
}

api_tests! {
    async fn a_team_is_created_found_edited_and_deleted(app: &TestApp) {
        let [vera, rolf, edda, mira] = grid(app).await;
        let stranger = app.person("sten").await;
        app.anonymous().post(TEAMS, json!({"name": "Meters"})).await.expect_problem(401, "unauthenticated");
        stranger.post(TEAMS, json!({"name": "Meters"})).await.expect_problem(404, "not_found");
        vera.post(TEAMS, json!({"name": "Meters"})).await.expect_problem(403, "forbidden");
        rolf.post(TEAMS, json!({"name": "Meters"})).await.expect_problem(403, "forbidden");
        edda.post(TEAMS, json!({"name": " "})).await.expect_problem(422, "invalid");
        let made = edda.post(TEAMS, json!({"name": "Meters", "description": "Reads them"})).await.expect(201);
        assert!(made["id"].as_str().unwrap().starts_with("tea_"));
        assert_eq!((&made["members"], &made["applications"]), (&json!(0), &json!(0)));
        mira.post(TEAMS, json!({"name": "METERS"})).await.expect_problem(409, "name_taken");

        let path = format!("{TEAMS}/{}", made["id"].as_str().unwrap());
        assert_eq!(vera.get(&path).await.expect(200)["description"], "Reads them");
        stranger.get(&path).await.expect_problem(404, "not_found");
        vera.patch(&path, json!({"name": "X"})).await.expect_problem(403, "forbidden");
        edda.patch(&path, json!({"name": ""})).await.expect_problem(422, "invalid");
        let other = team(&mira, "Wind").await;
        mira.patch(&other, json!({"name": "meters"})).await.expect_problem(409, "name_taken");
        let changed = mira.patch(&path, json!({"name": "Metering"})).await.expect(200);
        assert_eq!((&changed["name"], &changed["description"]), (&json!("Metering"), &json!("Reads them")));
        vera.delete(&path).await.expect_problem(403, "forbidden");
        edda.delete(&path).await.expect(204);
        edda.get(&path).await.expect_problem(404, "not_found");
        edda.delete(&path).await.expect_problem(404, "not_found");
        assert_eq!(kinds(&mira).await[5..], ["team.created", "team.created", "team.updated", "team.deleted"]);
    }

    async fn only_members_of_the_organization_are_in_its_teams(app: &TestApp) {
        let [vera, rolf, edda, mira] = grid(app).await;
        let stranger = app.person("sten").await;
        let meters = team(&edda, "Meters").await;
        let place = |person: &Person| format!("{meters}/members/{}", person.id());
        put(&app.person("olga").await, &place(&vera)).await.expect_problem(404, "not_found");
        put(&vera, &place(&vera)).await.expect_problem(403, "forbidden");
        put(&edda, &place(&stranger)).await.expect_problem(404, "not_found");
        put(&edda, &place(&vera)).await.expect(204);
        put(&edda, &place(&vera)).await.expect(204);
        put(&mira, &place(&rolf)).await.expect(204);
        let listed = vera.get(&format!("{meters}/members")).await.expect(200);
        let in_it: Vec<_> = listed["items"].as_array().unwrap().iter().map(|one| (one["user"]["name"].clone(), one["role"].clone())).collect();
        assert_eq!(in_it, [(json!("vera"), json!("viewer")), (json!("rolf"), json!("reviewer"))]);
        assert_eq!(mira.get(&meters).await.expect(200)["members"], 2);
        rolf.delete(&place(&vera)).await.expect_problem(403, "forbidden");
        rolf.delete(&place(&rolf)).await.expect(204);
        rolf.delete(&place(&rolf)).await.expect_problem(404, "not_found");
        edda.delete(&place(&vera)).await.expect(204);
        assert_eq!(kinds(&mira).await[6..], ["team.member_added", "team.member_added", "team.member_removed", "team.member_removed"]);
    }

    async fn teams_are_found_by_name_and_paged(app: &TestApp) {
        let [vera, .., mira] = grid(app).await;
        for name in ["Wind", "meters", "Billing", "100 % green"] {
            team(&mira, name).await;
        }
        let first = vera.get(&format!("{TEAMS}?limit=3")).await.expect(200);
        assert_eq!(names(&first), ["100 % green", "Billing", "meters"]);
        let next = first["next_cursor"].as_str().unwrap();
        assert_eq!(names(&vera.get(&format!("{TEAMS}?limit=3&cursor={next}")).await.expect(200)), ["Wind"]);
        assert_eq!(names(&vera.get(&format!("{TEAMS}?q=IN")).await.expect(200)), ["Billing", "Wind"]);
        assert_eq!(names(&vera.get(&format!("{TEAMS}?q=%25")).await.expect(200)), ["100 % green"]);
        assert!(names(&vera.get(&format!("{TEAMS}?q=_")).await.expect(200)).is_empty());
        vera.get(&format!("{TEAMS}?cursor=x")).await.expect_problem(422, "invalid");
        let found = mira.get("/api/v1/organizations/grid/members?q=ED").await.expect(200);
        assert_eq!(found["items"].as_array().unwrap().len(), 1);
        assert_eq!(found["items"][0]["user"]["name"], "edda");
    }

    async fn a_team_of_another_organization_is_not_found_here(app: &TestApp) {
        let [.., mira] = grid(app).await;
        let meters = team(&mira, "Meters").await;
        mira.post("/api/v1/organizations", json!({"name": "Other"})).await.expect(201);
        mira.get(&meters.replace("/grid/", "/other/")).await.expect_problem(404, "not_found");
        mira.delete(&meters.replace("/grid/", "/other/")).await.expect_problem(404, "not_found");
    }

    async fn a_team_is_kept_on_its_pages(app: &TestApp) {
        let [vera, .., mira] = grid(app).await;
        let browser = crate::sharing::browser(app, &mira).await;
        let send = async |path: &str, form: &[(&str, &str)]| browser.send(browser.request(reqwest::Method::POST, path).form(form)).await;
        assert!(browser.get("/organizations/grid/teams").await.text().contains("No teams yet"));
        let refused = send("/organizations/grid/teams", &[("name", "")]).await;
        assert_eq!(refused.status, 422, "{refused:?}");
        let made = send("/organizations/grid/teams", &[("name", "Meters")]).await;
        let address = made.header("location").to_owned();
        assert!(made.status == 303 && address.starts_with("/organizations/grid/teams/tea_"), "{made:?}");
        let taken = send("/organizations/grid/teams", &[("name", "meters")]).await;
        assert!(taken.status == 409 && taken.text().contains("choose another"), "{taken:?}");
        let added = send(&format!("{address}/members"), &[("member", vera.id().to_string().as_str()), ("emails", "edda@people.example; rolf@people.example")]).await;
        assert_eq!(added.status, 303, "{added:?}");
        assert!(browser.get(&address).await.text().contains("3 people are in the team now."));
        let unknown = send(&format!("{address}/members"), &[("emails", "nobody@people.example")]).await;
        assert!(unknown.status == 422 && unknown.text().contains("not a member of Grid"), "{unknown:?}");
        assert_eq!(send(&format!("{address}/members/{}/remove", vera.id()), &[]).await.status, 303);
        assert_eq!(send(&format!("{address}/edit"), &[("name", "Metering"), ("description", "Reads")]).await.status, 303);
        let wrong = send(&format!("{address}/delete"), &[("confirm", "Meters")]).await;
        assert!(wrong.status == 422 && wrong.text().contains("exact name"), "{wrong:?}");
        assert_eq!(send(&format!("{address}/delete"), &[("confirm", "Metering")]).await.status, 303);
        assert_eq!(browser.get(&address).await.status, 404);
    }
}
