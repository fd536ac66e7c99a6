//! Sharing applications with an organization and with teams: who sees them, as what, and who does not any more.

use reqwest::Method;
use serde_json::{Value, json};
use stoa_testkit::{Answer, Client, PASSWORD, Person, TestApp, api_tests};

use crate::projects::grid;

const APPS: &str = "/api/v1/applications";
const GRID: &str = "/api/v1/organizations/grid";

/// A browser in which a person without a password has signed in.
pub async fn browser(app: &TestApp, person: &Person) -> Client {
    // People of the tests without a password get one by the shortest way there is.
    let hash = stoa_actions::passwords::hash(&app.stoa, PASSWORD).await.unwrap();
    let mut tx = app.stoa.db.begin().await.unwrap();
    tx.execute("update users set password_hash = $2 where id = $1", stoa_store::params![person.id(), hash]).await.unwrap();
    tx.commit().await.unwrap();
    app.signed_in(person).await
}

async fn put(by: &Person, path: &str) -> Answer {
    by.send(by.request(Method::PUT, path)).await
}

async fn application(by: &Person, new: Value) -> String {
    format!("{APPS}/{}", by.post(APPS, new).await.expect(201)["id"].as_str().unwrap())
}

async fn team(by: &Person, name: &str, members: &[&Person]) -> String {
    let made = by.post(&format!("{GRID}/teams"), json!({"name": name})).await.expect(201);
    let id = made["id"].as_str().unwrap().to_owned();
    for member in members {
        put(by, &format!("{GRID}/teams/{id}/members/{}", member.id())).await.expect(204);
    }
    id
}

async fn sees(person: &Person, application: &str) -> bool {
    let direct = person.get(application).await;
    assert!(direct.status == 200 || direct.status == 404, "{direct:?}");
    let listed = person.get(&format!("{APPS}?limit=200")).await.expect(200);
    let found = listed["items"].as_array().unwrap().iter().any(|one| application.ends_with(one["id"].as_str().unwrap()));
    assert_eq!(found, direct.status == 200, "the list and the application itself agree");
    found
}

async fn seen_as(person: &Person, application: &str) -> Value {
    person.get(application).await.expect(200)["seen_as"].clone()
}

api_tests! {
    async fn a_persons_application_is_shared_with_a_team_and_then_with_the_organization(app: &TestApp) {
        let [vera, rolf, edda, mira] = grid(app).await;
        let stranger = app.person("sten").await;
        let reader = application(&edda, json!({"name": "Reader"})).await;
        let meters = team(&edda, "Meters", &[&vera]).await;
        let with_team = format!("{reader}/shares/teams/{meters}");
        let with_all = format!("{reader}/shares/organizations/grid");
        assert!(!sees(&vera, &reader).await && !sees(&mira, &reader).await);

        app.anonymous().put(&with_team, json!({})).await.expect_problem(401, "unauthenticated");
        put(&mira, &with_team).await.expect_problem(404, "not_found");
        put(&edda, &with_team).await.expect(204);
        put(&edda, &with_team).await.expect(204);
        assert!(sees(&vera, &reader).await && !sees(&rolf, &reader).await && !sees(&mira, &reader).await && !sees(&stranger, &reader).await);
        assert_eq!(seen_as(&vera, &reader).await, json!([{"kind": "team_share", "role": "viewer", "team": {"id": meters, "name": "Meters"}}]));
        assert_eq!(seen_as(&edda, &reader).await[0]["kind"], "owner");
        vera.patch(&reader, json!({"name": "X"})).await.expect_problem(403, "forbidden");
        put(&vera, &with_all).await.expect_problem(403, "forbidden");

        put(&edda, &with_all).await.expect(204);
        for member in [&vera, &rolf, &edda, &mira] {
            assert!(sees(member, &reader).await);
        }
        assert!(!sees(&stranger, &reader).await);
        mira.patch(&reader, json!({"description": "By role"})).await.expect(200);
        mira.post(&format!("{reader}/secrets"), json!({})).await.expect(201);
        // Using it is shared, giving it away is not.
        mira.delete(&reader).await.expect_problem(403, "forbidden");
        mira.get(&format!("{reader}/deletion")).await.expect_problem(403, "forbidden");
        mira.post(&format!("{reader}/transfer"), json!({"organization": "grid"})).await.expect_problem(403, "forbidden");
        let page = mira.get(&format!("{APPS}?organization=grid")).await.expect(200);
        assert_eq!((page["items"][0]["name"].clone(), page["items"][0]["role"].clone()), (json!("Reader"), json!("maintainer")));

        mira.delete(&with_all).await.expect(204);
        mira.delete(&with_all).await.expect_problem(404, "not_found");
        assert!(sees(&vera, &reader).await && !sees(&mira, &reader).await);
        edda.delete(&with_team).await.expect(204);
        edda.delete(&with_team).await.expect_problem(404, "not_found");
        assert!(!sees(&vera, &reader).await && sees(&edda, &reader).await);
        let events = mira.get(&format!("{GRID}/events?type=application.shared")).await.expect(200);
        assert_eq!(events["items"][0]["data"]["with"], json!({"kind": "team", "id": meters, "name": "Meters"}));
        assert_eq!(events["items"].as_array().unwrap().len(), 2);
    }

    async fn an_organizations_application_shared_with_a_team_is_seen_by_the_team_maintainers_and_who_registered_it(app: &TestApp) {
        let [vera, rolf, edda, mira] = grid(app).await;
        let emil = app.person("emil").await;
        let members = json!({"members": [{"email": emil.user.email, "role": "editor"}]});
        mira.post(&format!("{GRID}/members"), members).await.expect(200);
        let engine = application(&edda, json!({"name": "Engine", "organization": "grid"})).await;
        let meters = team(&edda, "Meters", &[&vera]).await;
        put(&edda, &format!("{engine}/shares/teams/{meters}")).await.expect(204);
        assert!(sees(&vera, &engine).await && sees(&edda, &engine).await && sees(&mira, &engine).await);
        assert!(!sees(&rolf, &engine).await && !sees(&emil, &engine).await);
        assert_eq!(seen_as(&edda, &engine).await[0]["kind"], "creator");
        assert_eq!(seen_as(&mira, &engine).await[0]["kind"], "maintainer");
        put(&emil, &format!("{GRID}/teams/{meters}/members/{}", emil.id())).await.expect(204);
        emil.patch(&engine, json!({"description": "An editor of the team manages it"})).await.expect(200);
        put(&edda, &format!("{engine}/shares/organizations/grid")).await.expect(204);
        assert!(sees(&rolf, &engine).await);
        rolf.patch(&engine, json!({"description": "A reviewer looks"})).await.expect_problem(403, "forbidden");
        edda.delete(&format!("{engine}/shares/organizations/grid")).await.expect(204);
        assert!(!sees(&rolf, &engine).await);
        // The team goes, and with it what hid the application.
        edda.delete(&format!("{GRID}/teams/{meters}")).await.expect(204);
        assert!(sees(&rolf, &engine).await);
    }

    async fn an_application_is_shared_within_one_organization(app: &TestApp) {
        let [vera, _, edda, mira] = grid(app).await;
        edda.post("/api/v1/organizations", json!({"name": "Other"})).await.expect(201);
        let reader = application(&edda, json!({"name": "Reader"})).await;
        put(&edda, &format!("{reader}/shares/organizations/other")).await.expect(204);
        put(&edda, &format!("{reader}/shares/organizations/grid")).await.expect_problem(409, "shared_elsewhere");
        edda.post(&format!("{reader}/transfer"), json!({"organization": "grid"})).await.expect_problem(409, "shared_elsewhere");
        let engine = application(&edda, json!({"name": "Engine", "organization": "grid"})).await;
        put(&edda, &format!("{engine}/shares/organizations/other")).await.expect_problem(409, "other_organization");
        put(&edda, &format!("{engine}/shares/organizations/nowhere")).await.expect_problem(404, "not_found");
        put(&edda, &format!("{engine}/shares/teams/tea_01h455vb4pex5vsknk084sn02q")).await.expect_problem(404, "not_found");
        // A viewer brings nothing into an organization, not even what is their own.
        let own = application(&vera, json!({"name": "Own"})).await;
        put(&vera, &format!("{own}/shares/organizations/grid")).await.expect_problem(403, "forbidden");
        vera.post(&format!("{own}/transfer"), json!({"organization": "grid"})).await.expect_problem(403, "forbidden");
        assert!(!sees(&mira, &own).await);
    }

    async fn a_persons_application_is_given_to_an_organization_for_good(app: &TestApp) {
        let [vera, _, edda, mira] = grid(app).await;
        let reader = application(&edda, json!({"name": "Reader"})).await;
        edda.post(&format!("{reader}/transfer"), json!({"organization": "nowhere"})).await.expect_problem(404, "not_found");
        let given = edda.post(&format!("{reader}/transfer"), json!({"organization": "grid"})).await.expect(200);
        assert_eq!((&given["owner"]["kind"], &given["owner"]["handle"], &given["role"]), (&json!("organization"), &json!("grid"), &json!("editor")));
        assert!(sees(&vera, &reader).await);
        edda.post(&format!("{reader}/transfer"), json!({"organization": "grid"})).await.expect_problem(409, "transferred");
        mira.delete(&reader).await.expect(204);
    }

    async fn the_creator_who_leaves_loses_what_is_shared_and_the_organization_keeps_it(app: &TestApp) {
        let [vera, rolf, edda, mira] = grid(app).await;
        let meters = team(&edda, "Meters", &[&vera, &edda]).await;
        let for_all = application(&edda, json!({"name": "For all"})).await;
        let for_team = application(&edda, json!({"name": "For the team"})).await;
        let own = application(&edda, json!({"name": "Own"})).await;
        let engine = application(&edda, json!({"name": "Engine", "organization": "grid"})).await;
        put(&edda, &format!("{for_all}/shares/organizations/grid")).await.expect(204);
        put(&edda, &format!("{for_team}/shares/teams/{meters}")).await.expect(204);

        edda.delete(&format!("{GRID}/members/{}", edda.id())).await.expect(204);
        assert!(!sees(&edda, &for_all).await && !sees(&edda, &for_team).await && !sees(&edda, &engine).await && sees(&edda, &own).await);
        assert!(sees(&rolf, &for_all).await && sees(&mira, &for_team).await && sees(&vera, &for_team).await && !sees(&rolf, &for_team).await);
        let kept = mira.get(&for_all).await.expect(200);
        assert_eq!((&kept["owner"]["kind"], &kept["owner"]["handle"]), (&json!("organization"), &json!("grid")));
        assert_eq!(mira.get(&format!("{GRID}/teams/{meters}")).await.expect(200)["members"], 1);
        mira.delete(&for_team).await.expect(204);
        let events = mira.get(&format!("{GRID}/events?type=application.transferred")).await.expect(200);
        assert_eq!(events["items"].as_array().unwrap().len(), 2);
        assert_eq!(events["items"][0]["data"]["cause"], "member_gone");
    }

    async fn what_a_deletion_takes_along_is_said_before_and_done_after(app: &TestApp) {
        let [.., edda, mira] = grid(app).await;
        let engine = application(&edda, json!({"name": "Engine", "organization": "grid"})).await;
        let meters = team(&edda, "Meters", &[&edda]).await;
        put(&edda, &format!("{engine}/shares/teams/{meters}")).await.expect(204);
        mira.post(&format!("{engine}/secrets"), json!({})).await.expect(201);
        let contract = json!({"level": "organization", "permissions": ["resources:read"], "plans": [{"name": "Basic", "currency": "EUR"}]});
        let new = json!({"application": engine.rsplit('/').next(), "name": "Forecast", "summary": "x", "description": "x", "categories": ["energy"],
            "visibility": "public", "contract": contract});
        let service = edda.post(&format!("{GRID}/services"), new).await.expect(201);
        mira.post(&format!("/api/v1/services/{}/publish", service["id"].as_str().unwrap()), json!({})).await.expect(200);
        let subscribe = json!({"service": service["id"], "projects": {"mode": "all", "include_future": "no"}, "accept_terms": true});
        mira.post(&format!("{GRID}/subscriptions"), subscribe).await.expect(201);

        let would = mira.get(&format!("{engine}/deletion")).await.expect(200);
        assert_eq!((&would["possible"], &would["subscriptions"], &would["tokens"]), (&json!(false), &json!(1), &json!(0)));
        assert_eq!((would["services"][0]["name"].clone(), would["secrets"].as_array().unwrap().len(), would["shares"][0]["team"]["name"].clone()), (json!("Forecast"), 1, json!("Meters")));
        let problem = mira.delete(&engine).await.expect_problem(409, "in_use");
        assert_eq!(problem["detail"], would["blocked_by"]);

        let reader = application(&edda, json!({"name": "Reader", "organization": "grid"})).await;
        put(&edda, &format!("{reader}/shares/teams/{meters}")).await.expect(204);
        assert_eq!(edda.get(&format!("{reader}/deletion")).await.expect(200)["possible"], true);
        edda.delete(&reader).await.expect(204);
        let deleted = mira.get(&format!("{GRID}/events?type=application.deleted")).await.expect(200);
        assert_eq!(deleted["items"][0]["data"], json!({"name": "Reader", "secrets": 0, "tokens": 0, "shares": 1}));
        assert_eq!(mira.get(&format!("{GRID}/teams/{meters}")).await.expect(200)["applications"], 1);
    }

    async fn a_service_and_the_deletion_of_its_application_at_the_same_moment_do_not_both_happen(app: &TestApp) {
        let [.., edda, mira] = grid(app).await;
        for round in 0..8 {
            let engine = application(&edda, json!({"name": "Engine", "organization": "grid"})).await;
            let contract = json!({"level": "organization", "permissions": ["resources:read"], "plans": [{"name": "Basic", "currency": "EUR"}]});
            let new = json!({"application": engine.rsplit('/').next(), "name": format!("Forecast {round}"), "summary": "x", "description": "x",
                "categories": ["energy"], "visibility": "public", "contract": contract});
            let services = format!("{GRID}/services");
            let (made, deleted) = tokio::join!(edda.post(&services, new), mira.delete(&engine));
            match (made.status, deleted.status) {
                (201, 409) | (422, 204) => {}
                other => panic!("{other:?}: {made:?} {deleted:?}"),
            }
        }
    }

    async fn sharing_works_on_the_pages(app: &TestApp) {
        let [vera, _, edda, _] = grid(app).await;
        let meters = team(&edda, "Meters", &[&vera]).await;
        let browser = browser(app, &edda).await;
        let send = async |path: &str, form: &[(&str, &str)]| browser.send(browser.request(Method::POST, path).form(form)).await;
        let refused = send("/applications", &[("name", "Reader"), ("redirect_uris", "https://a.example/\nhttp://b.example/")]).await;
        assert!(refused.status == 422 && refused.text().contains("http://b.example/: Use https"), "{refused:?}");
        let made = send("/applications", &[("name", "Reader"), ("redirect_uris", "https://a.example/")]).await;
        let address = made.header("location").to_owned();
        assert!(made.status == 303 && address.starts_with("/applications/app_"), "{made:?}");
        let page = browser.get(&address).await.text();
        assert!(page.contains("Yours") && page.contains("team Meters") && page.contains("Give to an organization"), "{page}");
        assert_eq!(send(&format!("{address}/share"), &[("with", &format!("team:{meters}"))]).await.status, 303);
        assert!(browser.get(&address).await.text().contains("Team Meters"));
        assert_eq!(send(&format!("{address}/share"), &[("with", "organization:grid")]).await.status, 303);
        let theirs = crate::sharing::browser(app, &vera).await;
        let seen = theirs.get(&address).await;
        assert_eq!((seen.status, seen.header("location")), (303, format!("/organizations/grid{address}").as_str()), "{seen:?}");
        let page = theirs.get(&format!("/organizations/grid{address}")).await.text();
        assert!(page.contains("Shared with the organization, where you are viewer") && !page.contains("Stop sharing"), "{page}");
        assert_eq!(theirs.send(theirs.request(Method::POST, &format!("{address}/share")).form(&[("with", "organization:grid")])).await.status, 403);
        assert_eq!(send(&format!("{address}/unshare/team/{meters}"), &[]).await.status, 303);
        assert_eq!(send(&format!("{address}/share"), &[("with", "nobody")]).await.status, 422);
        let given = send(&format!("{address}/transfer"), &[("organization", "grid")]).await;
        assert_eq!(given.header("location"), format!("/organizations/grid{address}"), "{given:?}");
        assert!(browser.get("/applications?q=READ").await.text().contains("Belongs to Grid"));
    }

    async fn the_list_of_applications_is_what_one_may_open_whatever_is_shared(app: &TestApp) {
        // A world made by chance, the same in each run: the query of the list and the rule for one agree on all of it.
        let people = grid(app).await;
        let mut random = 12_345_u64;
        let mut next = move |below: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(random >> 33).unwrap() % below
        };
        let mira = &people[3];
        let mut teams = Vec::new();
        for name in ["A", "B", "C"] {
            let members: Vec<&Person> = people.iter().filter(|_| next(2) == 0).collect();
            teams.push(team(mira, name, &members).await);
        }
        let mut applications = Vec::new();
        for number in 0..12 {
            let owner = if next(2) == 0 { &people[2] } else { mira };
            let new = if next(2) == 0 { json!({"name": format!("P{number}")}) } else { json!({"name": format!("O{number}"), "organization": "grid"}) };
            let made = application(owner, new).await;
            for team in &teams {
                if next(3) == 0 {
                    put(owner, &format!("{made}/shares/teams/{team}")).await.expect(204);
                }
            }
            if next(4) == 0 {
                put(owner, &format!("{made}/shares/organizations/grid")).await.expect(204);
            }
            applications.push(made);
        }
        let mut seen = 0;
        for person in &people {
            for application in &applications {
                seen += usize::from(sees(person, application).await);
            }
        }
        assert!((8..48).contains(&seen), "{seen} of 48: the world is neither empty nor open to all");
    }
}
