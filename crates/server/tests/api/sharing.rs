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

/// What the decision endpoint answers to one person about another and an application: the decision with its reason.
async fn decided(by: &Client, subject: Value, action: &str, application: &str) -> (bool, String) {
    let id = application.rsplit('/').next().unwrap();
    let question = json!({"subject": subject, "action": {"name": action}, "resource": {"type": "application", "id": id}});
    let answer = by.post("/access/v1/evaluation", question).await.expect(200);
    (answer["decision"].as_bool().unwrap(), answer["context"]["reason"].as_str().unwrap().to_owned())
}

fn user(person: &Person) -> Value {
    json!({"type": "user", "id": person.id()})
}

api_tests! {
    async fn decisions_about_applications_are_those_of_the_api(app: &TestApp) {
        let [vera, rolf, edda, mira] = grid(app).await;
        let stranger = app.person("sten").await;
        let meters = team(&edda, "Meters", &[&vera]).await;
        let own = application(&edda, json!({"name": "Own"})).await;
        let with_all = application(&edda, json!({"name": "With all"})).await;
        put(&edda, &format!("{with_all}/shares/organizations/grid")).await.expect(204);
        let with_team = application(&edda, json!({"name": "With a team"})).await;
        put(&edda, &format!("{with_team}/shares/teams/{meters}")).await.expect(204);
        let everybodys = application(&edda, json!({"name": "Everybody's", "organization": "grid"})).await;
        let teams = application(&edda, json!({"name": "The team's", "organization": "grid"})).await;
        put(&edda, &format!("{teams}/shares/teams/{meters}")).await.expect(204);
        // Who asks about themself learns what the API then does; who reaches it on no way learns nothing.
        for one in [&own, &with_all, &with_team, &everybodys, &teams] {
            for person in [&vera, &rolf, &edda, &mira, &stranger] {
                let sees = person.get(one).await.status == 200;
                let changes = person.patch(one, json!({"description": "x"})).await.status == 200;
                for (actions, allowed) in [(["view", "resources:read"], sees), (["manage_resources", "resources:write"], changes)] {
                    for action in actions {
                        let (decision, reason) = decided(person, user(person), action, one).await;
                        assert_eq!(decision, allowed, "{} {action} {one}: {reason}", person.user.name);
                        assert_eq!(reason == "not_visible", !sees, "{} {action} {one}: {reason}", person.user.name);
                    }
                }
            }
        }
        // About others is told by which rule, to those who see the application.
        let asked = [
            (&edda, &own, "manage_resources", "owner"),
            (&vera, &own, "view", "not_shared"),
            (&vera, &with_all, "view", "role_allows"),
            (&vera, &with_all, "manage_resources", "role_refuses"),
            (&rolf, &with_team, "view", "not_shared"),
            (&rolf, &teams, "view", "not_in_team"),
            (&mira, &teams, "manage_resources", "role_allows"),
            (&vera, &everybodys, "subscribe_organization", "needs_request"),
            (&stranger, &everybodys, "view", "not_shared"),
        ];
        for (person, one, action, reason) in asked {
            assert_eq!(decided(&edda, user(person), action, one).await.1, reason, "{} {action} {one}", person.user.name);
            assert_eq!(decided(&stranger, user(person), action, one).await, (false, "not_visible".into()));
        }
        let context = edda.post("/access/v1/evaluation", json!({"subject": user(&vera), "action": {"name": "view"},
            "resource": {"type": "application", "id": teams.rsplit('/').next().unwrap()}})).await.expect(200);
        assert_eq!(context["context"]["organization"], mira.get(GRID).await.expect(200)["id"]);

        // A personal token speaks for its owner, as far as it goes.
        let text = async |organizations: Value| {
            let mut new = json!({"name": "x"});
            if !organizations.is_null() {
                new["organizations"] = organizations;
            }
            vera.post("/api/v1/me/tokens", new).await.expect(201)["secret"].clone()
        };
        vera.post("/api/v1/organizations", json!({"name": "Elsewhere"})).await.expect(201);
        let (all, limited) = (text(Value::Null).await, text(json!(["elsewhere"])).await);
        assert_eq!(decided(&stranger, json!({"type": "token", "id": all}), "view", &teams).await, (true, "role_allows".into()));
        assert_eq!(decided(&stranger, json!({"type": "token", "id": limited}), "view", &teams).await, (false, "not_visible".into()));
        assert_eq!(decided(&edda, user(&vera), "view", &format!("{APPS}/app_01h455vb4pex5vsknk084sn02q")).await, (false, "not_visible".into()));
        assert_eq!(decided(&edda, user(&vera), "view", "nonsense").await, (false, "unknown_resource".into()));
        assert_eq!(decided(&edda, user(&vera), "dance", &teams).await, (false, "unknown_action".into()));
        // What is deleted, or was shared, is decided by what is now.
        edda.delete(&format!("{with_all}/shares/organizations/grid")).await.expect(204);
        assert_eq!(decided(&edda, user(&vera), "view", &with_all).await, (false, "not_shared".into()));
        edda.delete(&with_all).await.expect(204);
        assert_eq!(decided(&edda, user(&edda), "view", &with_all).await, (false, "not_visible".into()));
    }

    async fn many_questions_about_applications_cost_no_more_statements_than_few(app: &TestApp) {
        let [vera, _, edda, _] = grid(app).await;
        let mut asked = Vec::new();
        for number in 0..10 {
            let made = application(&edda, json!({"name": format!("Application {number}"), "organization": "grid"})).await;
            asked.push(json!({"subject": user(&vera), "action": {"name": "view"}, "resource": {"type": "application", "id": made.rsplit('/').next().unwrap()}}));
        }
        let cost = async |questions: &[Value]| {
            let before = app.statements();
            let answer = edda.post("/access/v1/evaluations", json!({"evaluations": questions})).await.expect(200);
            assert!(answer["evaluations"].as_array().unwrap().iter().all(|one| one["decision"] == true), "{answer}");
            app.statements() - before
        };
        assert_eq!(cost(&asked[..1]).await, cost(&asked).await);
    }

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

    async fn the_pages_say_before_what_all_members_see_when_the_last_team_goes(app: &TestApp) {
        let [vera, rolf, edda, mira] = grid(app).await;
        let engine = application(&edda, json!({"name": "Engine", "organization": "grid"})).await;
        let meters = team(&edda, "Meters", &[&vera]).await;
        let pumps = team(&edda, "Pumps", &[&vera]).await;
        let of_team = format!("/organizations/grid/teams/{meters}");
        let of_engine = format!("/organizations/grid/applications/{}", engine.rsplit('/').next().unwrap());
        let browser = browser(app, &edda).await;
        let opens = "all members of Grid see it";
        let said = async || (browser.get(&of_team).await.text().contains(opens), browser.get(&of_engine).await.text().contains(opens));
        put(&edda, &format!("{engine}/shares/teams/{meters}")).await.expect(204);
        assert_eq!(said().await, (true, true));
        put(&edda, &format!("{engine}/shares/teams/{pumps}")).await.expect(204);
        assert_eq!(said().await, (false, false), "the other team keeps it hidden");
        edda.delete(&format!("{engine}/shares/teams/{pumps}")).await.expect(204);
        put(&edda, &format!("{engine}/shares/organizations/grid")).await.expect(204);
        assert_eq!(said().await, (false, false), "all see it already");
        edda.delete(&format!("{engine}/shares/organizations/grid")).await.expect(204);

        // An editor who does not see it learns that there is one, and not which.
        let emil = app.person("emil").await;
        mira.post(&format!("{GRID}/members"), json!({"members": [{"email": emil.user.email, "role": "editor"}]})).await.expect(200);
        let other = crate::sharing::browser(app, &emil).await;
        let page = other.get(&of_team).await.text();
        assert!(page.contains("1 application belongs to Grid") && !page.contains("Engine"), "{page}");

        let unshare = format!("/applications/{}/unshare/team/{meters}", engine.rsplit('/').next().unwrap());
        assert_eq!(browser.send(browser.request(Method::POST, &unshare)).await.status, 303);
        assert!(browser.get(&of_engine).await.text().contains("shared with no team: all its members see it"));
        assert!(sees(&rolf, &engine).await);
    }

    async fn whoever_registered_an_application_and_was_removed_begins_anew(app: &TestApp) {
        let [vera, _, edda, mira] = grid(app).await;
        let engine = application(&edda, json!({"name": "Engine", "organization": "grid"})).await;
        let meters = team(&edda, "Meters", &[&vera]).await;
        put(&edda, &format!("{engine}/shares/teams/{meters}")).await.expect(204);
        assert_eq!(seen_as(&edda, &engine).await[0]["kind"], "creator");
        mira.delete(&format!("{GRID}/members/{}", edda.id())).await.expect(204);
        app.clock.advance(1_000);
        let again = json!({"members": [{"email": edda.user.email, "role": "editor"}]});
        mira.post(&format!("{GRID}/members"), again).await.expect(200);
        assert!(!sees(&edda, &engine).await && sees(&vera, &engine).await);
        let (allowed, reason) = decided(&mira, user(&edda), "view", &engine).await;
        assert!(!allowed, "{reason}");
        let second = application(&edda, json!({"name": "Second", "organization": "grid"})).await;
        put(&edda, &format!("{second}/shares/teams/{meters}")).await.expect(204);
        assert_eq!(seen_as(&edda, &second).await[0]["kind"], "creator");
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

    async fn what_is_shared_follows_the_role_of_the_member(app: &TestApp) {
        let [vera, _, edda, mira] = grid(app).await;
        let reader = application(&edda, json!({"name": "Reader"})).await;
        put(&edda, &format!("{reader}/shares/organizations/grid")).await.expect(204);
        let member = format!("{GRID}/members/{}", vera.id());
        for (role, status) in [("viewer", 403), ("editor", 200), ("reviewer", 403), ("maintainer", 200)] {
            mira.patch(&member, json!({"role": role})).await.expect(200);
            assert_eq!(vera.get(&reader).await.expect(200)["role"], role);
            assert_eq!(vera.patch(&reader, json!({"description": role})).await.status, status, "{role}");
        }
        mira.delete(&member).await.expect(204);
        vera.patch(&reader, json!({"description": "gone"})).await.expect_problem(404, "not_found");
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
