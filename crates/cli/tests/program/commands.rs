//! The commands for operators: what they print, with which code they end, and what they leave in the database.

use serde_json::json;
use stoa_store::{Db, params};
use stoa_testkit::databases::{self, TestDb};

use crate::site::{Said, Site};

async fn count(db: &Db, table: &str) -> i64 {
    let mut conn = db.read().await.unwrap();
    conn.fetch_one(&format!("select count(*) from {table}"), &[]).await.unwrap().get(0).unwrap()
}

/// How much there is of all that an import writes.
async fn counts(db: &Db) -> Vec<i64> {
    let mut all = Vec::new();
    for table in ["users", "organizations", "memberships", "teams", "team_members", "events"] {
        all.push(count(db, table).await);
    }
    all
}

async fn execute(db: &Db, sql: &str) {
    let mut tx = db.begin().await.unwrap();
    tx.execute(sql, params![]).await.unwrap();
    tx.commit().await.unwrap();
}

/// An import of these lines, which a JSON list is made of.
async fn import(site: &Site, lines: &[&str], more: &[&str]) -> Said {
    let file = site.folder().join("organizations.json");
    std::fs::write(&file, lines.join("\n")).unwrap();
    let file = file.display().to_string();
    site.say(&[&["import", "organizations", file.as_str()], more].concat()).await
}

const WORKS: &str = r#"{"name": "Works", "maintainers": ["ada"], "members": ["ben"], "teams": [{"name": "Meters", "members": ["ben"]}]}"#;
const QUAY: &str = r#"{"name": "Quay", "maintainers": ["cleo@quay.example"]}"#;

async fn an_import(db: TestDb) {
    let site = Site::new(&db).await;
    let before = counts(&db.db).await;
    let lines = ["[", WORKS, ",", QUAY, "]"];

    let rehearsed = import(&site, &lines, &["--dry-run", "--email-domain", "people.example"]).await;
    assert_eq!(rehearsed.code, 0, "{rehearsed:?}");
    assert!(
        rehearsed.out.starts_with("2 organizations would be new, 0 completed, 0 unchanged, 0 refused; 3 accounts, 3 members, 1 teams"),
        "{rehearsed:?}"
    );
    assert_eq!(counts(&db.db).await, before, "a dry run leaves everything as it was");

    let done = import(&site, &lines, &["--email-domain", "people.example"]).await;
    assert_eq!(done.code, 0, "{done:?}");
    assert!(
        done.out.starts_with("2 organizations are new, 0 completed, 0 unchanged, 0 refused; 3 accounts, 3 members, 1 teams, 1 places"),
        "{done:?}"
    );
    for progress in ["1/2 Works: 2 members, 1 teams", "2/2 Quay: 1 members, 0 teams", "Works: new;"] {
        assert!(done.err.contains(progress), "{progress}: {done:?}");
    }
    let kept = counts(&db.db).await;
    assert_eq!(kept[..5], [before[0] + 3, 2, 3, 1, 1]);
    assert!(site.run(&["users", "list", "ben@people.example"]).await.contains("  user  "));

    let again = import(&site, &lines, &["--email-domain", "people.example"]).await;
    assert_eq!((again.code, again.out.as_str()), (0, "nothing to change: all 2 organizations are as in the file\n"));
    assert_eq!(counts(&db.db).await, kept);
}

async fn an_import_with_something_wrong(db: TestDb) {
    let site = Site::new(&db).await;
    let program = site.serve().await;
    program.create("/api/v1/organizations", json!({"name": "Another", "handle": "harbour"})).await;
    program.signal("TERM").await;
    assert!(program.ended().await.success());
    let wrong = r#"{"name": "Mill", "maintainers": ["dora"],
  "members": ["e mil"],
  "teams": [{"name": "Stones", "members": ["nobody"]}]}"#;
    let taken = r#"{"name": "Harbour", "maintainers": ["finn"]}"#;
    let said = import(&site, &["[", WORKS, ",", wrong, ",", taken, ",", QUAY, "]"], &[]).await;
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.starts_with("2 organizations are new, 0 completed, 0 unchanged, 2 refused;"), "{said:?}");
    for told in [
        "WRONG line 5: organization 2 (Mill), members[0]:",
        "WRONG line 6: organization 2 (Mill), teams[0].members[0]:",
        "WRONG line 8: organization 3 (Harbour), all of it:",
        "rename it in the file",
    ] {
        assert!(said.err.contains(told), "{told}: {said:?}");
    }
    let listed = site.run(&["organizations", "list"]).await;
    assert!(listed.contains("  works  ") && listed.contains("  quay  ") && !listed.contains("  mill  "), "{listed}");
    for nobody in ["dora", "finn"] {
        assert_eq!(site.run(&["users", "list", nobody]).await, "", "nothing of what was refused");
    }
}

async fn an_import_that_fails_at_its_end(db: TestDb) {
    let site = Site::new(&db).await;
    let before = counts(&db.db).await;
    // Accounts, members and teams are written before those who are in teams.
    execute(&db.db, "alter table team_members rename to team_members_away").await;
    let said = import(&site, &["[", WORKS, ",", QUAY, "]"], &[]).await;
    execute(&db.db, "alter table team_members_away rename to team_members").await;
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("WRONG line 2: organization 1 (Works), all of it:"), "{said:?}");
    assert_eq!(counts(&db.db).await, before, "all of an organization or nothing of it");
    assert_eq!(import(&site, &["[", WORKS, "]"], &[]).await.code, 0);
}

async fn accounts(db: TestDb) {
    let site = Site::new(&db).await;
    site.run(&["users", "create", "ada@people.example", "--name", "Ada"]).await;
    let standing = async || {
        let listed = site.run(&["users", "list", "ada@"]).await;
        listed.split("  ").nth(2).unwrap().to_owned()
    };
    assert_eq!(standing().await, "user");
    assert_eq!(site.run(&["users", "suspend", "ada@people.example"]).await, "ada@people.example is suspended\n");
    assert_eq!(standing().await, "suspended");
    assert_eq!(site.run(&["users", "unsuspend", "ada@people.example"]).await, "ada@people.example is not suspended\n");
    assert_eq!(site.run(&["users", "make-operator", "ada@people.example"]).await, "ada@people.example is an operator\n");
    assert_eq!(standing().await, "operator");
    let last = site.say(&["users", "unmake-operator", "ada@people.example"]).await;
    assert!(last.code == 1 && last.err.contains("keeps at least one operator"), "{last:?}");
    site.run(&["users", "create", "opa@people.example", "--operator"]).await;
    assert_eq!(site.run(&["users", "unmake-operator", "ada@people.example"]).await, "ada@people.example is no operator\n");
    assert_eq!(standing().await, "user");
    let nothing = site.say(&["users", "reset-second-factors", "ada@people.example", "--reason", "lost"]).await;
    assert!(nothing.code == 1 && nothing.err.contains("has no second factor"), "{nothing:?}");
    for arguments in [["users", "suspend", "nobody@people.example"], ["users", "token", "nobody@people.example"]] {
        let unknown = site.say(&arguments).await;
        assert!(unknown.code == 1 && unknown.err.contains("stoa users create nobody@people.example"), "{unknown:?}");
    }
    let twice = site.say(&["users", "create", "ada@people.example"]).await;
    assert!(twice.code == 1 && !twice.err.is_empty(), "{twice:?}");
    assert!(site.run(&["users", "token", "ada@people.example"]).await.starts_with("stoa_"));
}

async fn organizations(db: TestDb) {
    let site = Site::new(&db).await;
    assert_eq!(import(&site, &["[", WORKS, ",", QUAY, "]"], &[]).await.code, 0);
    let in_state = async |state: &str| site.run(&["organizations", "list", "--state", state]).await;
    assert_eq!(site.run(&["organizations", "suspend", "works", "--reason", "unpaid"]).await, "Works is suspended\n");
    assert!(in_state("suspended").await.contains("  works  suspended  Works"));
    assert!(!in_state("active").await.contains("works"));
    assert_eq!(site.run(&["organizations", "unsuspend", "works"]).await, "Works is not suspended\n");
    assert_eq!(in_state("suspended").await, "");
    assert!(site.run(&["organizations", "list", "wor"]).await.contains("  works  "));
    let without = site.say(&["organizations", "suspend", "works", "--reason", " "]).await;
    assert!(without.code == 1 && in_state("suspended").await.is_empty(), "{without:?}");
    let unknown = site.say(&["organizations", "suspend", "nowhere", "--reason", "unpaid"]).await;
    assert!(unknown.code == 1 && !unknown.err.is_empty(), "{unknown:?}");
    let live = site.say(&["organizations", "restore", "works", "--reason", "asked"]).await;
    assert!(live.code == 1 && !live.err.is_empty(), "{live:?}");

    let program = site.serve().await;
    let made = program.create("/api/v1/organizations", json!({"name": "Mill"})).await;
    program.delete("/api/v1/organizations/mill?confirm=Mill").await;
    program.signal("TERM").await;
    assert!(program.ended().await.success());
    assert!(in_state("deleted").await.contains("  mill  deleted (restorable until "));
    let id = made["id"].as_str().unwrap();
    let restored = site.run(&["organizations", "restore", id, "--reason", "asked"]).await;
    assert!(restored.starts_with("Mill is there again"), "{restored}");
    assert!(in_state("active").await.contains("  mill  "));
    // What the command line did stands in the log.
    assert!(
        count(&db.db, "events where type in ('organization.suspended', 'organization.unsuspended', 'organization.restored')").await == 3
    );
}

/// Runs each on both engines.
macro_rules! on_both {
    ($($name:ident, $sqlite:ident, $postgres:ident;)+) => {$(
        #[test]
        fn $sqlite() {
            databases::run(async { $name(databases::sqlite().await).await });
        }

        #[test]
        fn $postgres() {
            databases::run(async { $name(databases::postgres().await).await });
        }
    )+};
}

on_both! {
    an_import, an_import_is_rehearsed_done_and_repeated_sqlite, an_import_is_rehearsed_done_and_repeated_postgres;
    an_import_with_something_wrong, what_is_wrong_is_told_by_line_and_the_rest_is_imported_sqlite,
        what_is_wrong_is_told_by_line_and_the_rest_is_imported_postgres;
    an_import_that_fails_at_its_end, an_import_that_fails_after_accounts_were_written_leaves_nothing_sqlite,
        an_import_that_fails_after_accounts_were_written_leaves_nothing_postgres;
    accounts, accounts_are_suspended_and_made_operators_and_back_sqlite, accounts_are_suspended_and_made_operators_and_back_postgres;
    organizations, organizations_are_suspended_and_restored_sqlite, organizations_are_suspended_and_restored_postgres;
}
