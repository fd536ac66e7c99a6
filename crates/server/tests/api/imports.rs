//! Taking over organizations from a file: the sample of the tree, and the real file where `STOA_SHARED_DATA` names it.

use std::path::PathBuf;

use serde_json::json;
use stoa_actions::{Act, Caller, imports};
use stoa_domain::{
    imports::{Entry, ImportRules, read},
    permissions::Role,
};
use stoa_testkit::{TestApp, api_tests};

fn entries(text: &str) -> Vec<Entry> {
    read(text, &ImportRules { email_domain: "example.org".into(), member_role: Role::Viewer }).expect("a list of organizations")
}

/// The file, and whether it is the real one.
fn file() -> (String, bool) {
    let (path, real) = match std::env::var_os("STOA_SHARED_DATA") {
        Some(folder) => (PathBuf::from(folder).join("organizations.json"), true),
        None => (PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/api/data/organizations.json"), false),
    };
    (std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())), real)
}

async fn import(app: &TestApp, text: &str) -> Vec<imports::Imported> {
    let mut done = Vec::new();
    for entry in entries(text) {
        let mut act = Act::begin(&app.stoa, Caller::system(app.stoa.clock.now())).await.unwrap();
        done.push(imports::organization(&mut act, &entry.expect("a fit organization")).await.unwrap());
        act.commit().await.unwrap();
    }
    done
}

async fn count(app: &TestApp, table: &str) -> usize {
    let mut conn = app.stoa.db.read().await.unwrap();
    let counted: i64 = conn.fetch_one(&format!("select count(*) from {table}"), &[]).await.unwrap().get(0).unwrap();
    usize::try_from(counted).unwrap()
}

fn sum(all: &[imports::Imported], of: impl Fn(&imports::Imported) -> usize) -> usize {
    all.iter().map(of).sum()
}

api_tests! {
    async fn a_file_is_taken_over_and_a_second_time_changes_nothing(app: &TestApp) {
        let (text, real) = file();
        let first = import(app, &text).await;
        assert!(first.iter().all(|one| one.created));
        let expected = if real { (7, 1196, 1390) } else { (2, 5, 7) };
        assert_eq!((first.len(), sum(&first, |one| one.accounts), sum(&first, |one| one.members)), expected);
        let in_teams = if real { (482, 1925) } else { (4, 6) };
        assert_eq!((sum(&first, |one| one.teams), sum(&first, |one| one.places)), in_teams);
        let counts = async || (count(app, "users").await, count(app, "memberships").await, count(app, "teams").await, count(app, "team_members").await, count(app, "events").await);
        let kept = counts().await;
        // An event for each organization, member, team and place.
        assert_eq!(kept, (expected.1, expected.2, in_teams.0, in_teams.1, expected.0 + expected.2 + in_teams.0 + in_teams.1));
        let second = import(app, &text).await;
        assert!(second.iter().all(imports::Imported::is_nothing), "{second:?}");
        assert_eq!(counts().await, kept);
        app.write_mails().await;
        assert!(app.mails().await.is_empty(), "nobody is told");
    }

    async fn who_is_taken_over_as_a_member_leaves_no_invitation_waiting(app: &TestApp) {
        let ada = app.person("ada").await;
        let quay = "/api/v1/organizations/quay";
        import(app, r#"[{"name": "Quay", "maintainers": ["ada@people.example"], "members": ["cleo"], "teams": []}]"#).await;
        let invited = json!({"members": [{"email": "ben@people.example", "role": "maintainer"}]});
        ada.post(&format!("{quay}/members"), invited).await.expect(200);
        import(app, r#"[{"name": "Quay", "maintainers": ["ada@people.example"], "members": ["ben@people.example"], "teams": []}]"#).await;
        assert_eq!(ada.get(&format!("{quay}/members")).await.expect(200)["items"].as_array().unwrap().len(), 3);
        let invitations = ada.get(&format!("{quay}/invitations")).await.expect(200);
        assert_eq!(invitations["items"][0]["state"], "revoked", "{invitations}");
    }

    async fn nested_teams_are_told_by_their_path_with_maintainers_and_members_alike(app: &TestApp) {
        let ada = app.person("ada").await;
        let text = r#"[{"name": "Quay", "maintainers": ["ada@people.example"], "members": ["ben", "cleo"], "teams": [
            {"name": "Cranes", "description": "Lifts", "maintainers": ["ben"], "members": ["cleo", "ben"]},
            {"name": "night", "parent": "Cranes", "maintainers": ["ada@people.example"]}]}]"#;
        import(app, text).await;
        let teams = "/api/v1/organizations/quay/teams";
        let seen = async || {
            let listed = ada.get(teams).await.expect(200);
            let mut seen = Vec::new();
            for team in listed["items"].as_array().unwrap() {
                let members = ada.get(&format!("{teams}/{}/members", team["id"].as_str().unwrap())).await.expect(200);
                let mut names: Vec<_> = members["items"].as_array().unwrap().iter().map(|one| one["user"]["name"].as_str().unwrap().to_owned()).collect();
                names.sort();
                seen.push((team["name"].as_str().unwrap().to_owned(), team["description"].as_str().unwrap().to_owned(), names.join(" ")));
            }
            seen
        };
        let named = |name: &str, description: &str, members: &str| (name.to_owned(), description.to_owned(), members.to_owned());
        assert_eq!(seen().await, [named("Cranes", "Lifts", "ben cleo"), named("Cranes/night", "", "ada")]);
        // What was changed since stays, and only what is missing comes.
        let cranes = ada.get(teams).await.expect(200)["items"][0]["id"].as_str().unwrap().to_owned();
        ada.patch(&format!("{teams}/{cranes}"), serde_json::json!({"name": "CRANES", "description": "Heavy"})).await.expect(200);
        let more = text.replace(r#""maintainers": ["ada@people.example"]}]"#, r#""members": ["cleo"]}, {"name": "Tugs"}]"#);
        let made = import(app, &more).await;
        assert_eq!((made[0].teams, made[0].places, made[0].members), (1, 1, 0));
        assert_eq!(seen().await, [named("CRANES", "Heavy", "ben cleo"), named("Cranes/night", "", "ada cleo"), named("Tugs", "", "")]);
    }

    async fn an_import_runs_as_many_statements_for_many_teams_as_for_few(app: &TestApp) {
        let file = |name: &str, size: usize| {
            let people: Vec<_> = (0..size).map(|number| format!("person{number}")).collect();
            let teams: Vec<_> = (0..size).map(|number| serde_json::json!({"name": format!("team{number}"), "members": people})).collect();
            serde_json::json!([{"name": name, "maintainers": ["ada"], "members": people, "teams": teams}]).to_string()
        };
        let mut counted = Vec::new();
        for (name, size) in [("Few", 2), ("Many", 20)] {
            let before = app.statements();
            import(app, &file(name, size)).await;
            counted.push(app.statements() - before);
        }
        assert_eq!(counted[0], counted[1]);
    }

    async fn what_is_missing_is_added_and_what_is_there_stays(app: &TestApp) {
        let ada = app.person("ada").await;
        let before = r#"[{"name": "Quay", "maintainers": ["ada@people.example"], "members": ["ben"]}]"#;
        let made = import(app, before).await;
        assert_eq!((made[0].accounts, made[0].members), (1, 2), "ada has an account");
        let role = serde_json::json!({"role": "editor"});
        let members = ada.get("/api/v1/organizations/quay/members").await.expect(200);
        let ben = members["items"].as_array().unwrap().iter().find(|one| one["user"]["email"] == "ben@example.org").unwrap()["user"]["id"].clone();
        ada.patch(&format!("/api/v1/organizations/quay/members/{}", ben.as_str().unwrap()), role).await.expect(200);
        let after = r#"[{"name": "Quay", "maintainers": ["ada@people.example"], "members": ["ben", "cleo"]}]"#;
        let made = import(app, after).await;
        assert_eq!((made[0].created, made[0].accounts, made[0].members), (false, 1, 1));
        let members = ada.get("/api/v1/organizations/quay/members").await.expect(200);
        let name = |one: &serde_json::Value| one["user"]["name"].as_str().unwrap().to_owned();
        let mut roles: Vec<_> = members["items"].as_array().unwrap().iter().map(|one| (name(one), one["role"].clone())).collect();
        roles.sort_by(|one, other| one.0.cmp(&other.0));
        let said = |name: &str, role: &str| (name.to_owned(), serde_json::json!(role));
        assert_eq!(roles, [said("ada", "maintainer"), said("ben", "editor"), said("cleo", "viewer")]);
    }

    async fn an_organization_is_taken_over_whole_or_not_at_all(app: &TestApp) {
        let ada = app.person("ada").await;
        ada.post("/api/v1/organizations", serde_json::json!({"name": "Another", "handle": "quay"})).await.expect(201);
        let text = r#"[{"name": "Quay", "maintainers": ["ben"], "members": ["cleo"]}]"#;
        for entry in entries(text) {
            let mut act = Act::begin(&app.stoa, Caller::system(app.stoa.clock.now())).await.unwrap();
            let refused = imports::organization(&mut act, &entry.unwrap()).await.unwrap_err();
            assert_eq!(refused.code(), "handle_taken");
            assert!(refused.to_string().contains("rename it in the file"));
        }
        assert_eq!(count(app, "users").await, 1);
        let mut act = Act::begin(&app.stoa, Caller::user(ada.user.clone(), app.stoa.clock.now())).await.unwrap();
        let refused = imports::organization(&mut act, &entries(text).pop().unwrap().unwrap()).await.unwrap_err();
        assert_eq!(refused.code(), "not_found", "only operators import");
    }
}
