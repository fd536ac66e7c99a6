//! Accounts: signing up, forgotten passwords, another address, limits against guessing, and the end.

use reqwest::Method;
use serde_json::json;
use stoa_actions::passwords;
use stoa_domain::{
    limits::{Attempt, Door},
    mail::Mail,
    time::{DAY, HOUR, SECOND},
};
use stoa_store::{limits, params};
use stoa_testkit::{Answer, Client, PASSWORD, Person, Setup, TestApp, api_tests};

const NEW: &str = "another good passphrase";

async fn submit(browser: &Client, path: &str, form: &[(&str, &str)]) -> Answer {
    browser.send(browser.request(Method::POST, path).form(form)).await
}

/// The answer's page; fails the test for another status.
#[track_caller]
fn page(answer: &Answer, status: u16) -> String {
    assert_eq!(answer.status, status, "{answer:?}");
    answer.text()
}

#[track_caller]
fn leads_to(answer: &Answer, path: &str) {
    assert_eq!((answer.status, answer.header("location")), (303, path), "{answer:?}");
}

/// The secret at the end of a link.
fn token(link: &str) -> &str {
    link.split("token=").nth(1).unwrap()
}

async fn sign_in(app: &TestApp, email: &str, password: &str) -> u16 {
    submit(&app.browser(), "/sign-in", &[("email", email), ("password", password)]).await.status
}

async fn grid(app: &TestApp) -> Person {
    let ada = app.person_with_password("ada").await;
    ada.post("/api/v1/organizations", json!({"name": "Grid"})).await.expect(201);
    ada
}

/// How often a text stands somewhere in the database of accounts.
async fn kept(app: &TestApp, text: &str) -> i64 {
    let mut conn = app.stoa.db.read().await.unwrap();
    let sql = "select (select count(*) from users where email = $1 or name = $1)
        + (select count(*) from personal_tokens where name = $1) + (select count(*) from account_links where email = $1)
        + (select count(*) from outgoing_mails where kind <> 'account_deleted' and (recipient = $1 or data like '%' || $1 || '%'))";
    conn.fetch_one(sql, params![text]).await.unwrap().get(0).unwrap()
}

fn statement_of(answer: &str, email: &str) -> String {
    answer.replace(email, "…")
}

api_tests! {
    async fn whoever_opens_the_link_of_a_sign_up_makes_the_account_and_is_in(app: &TestApp) {
        let browser = app.browser();
        assert!(page(&browser.get("/sign-in").await, 200).contains("/sign-up"));
        page(&browser.get("/sign-up").await, 200);
        let html = page(&submit(&browser, "/sign-up", &[("email", " Ada@Grid.example")]).await, 200);
        assert!(html.contains("Look into your mailbox"), "{html}");
        let link = app.mail_to("ada@grid.example").await.link();
        assert!(page(&browser.get(&link).await, 200).contains("ada@grid.example"));

        let form = [("token", token(&link)), ("name", ""), ("password", "short")];
        let html = page(&submit(&browser, "/sign-up/confirm", &form).await, 422);
        assert!(html.contains("This must not be empty.") && html.contains("at least 12 characters"), "{html}");
        let form = [("token", token(&link)), ("name", "Ada"), ("password", NEW)];
        leads_to(&submit(&browser, "/sign-up/confirm", &form).await, "/organizations");
        assert!(page(&browser.get("/account").await, 200).contains("ada@grid.example"));
        assert_eq!(sign_in(app, "ada@grid.example", NEW).await, 303);

        for answer in [browser.get(&link).await, submit(&browser, "/sign-up/confirm", &form).await] {
            assert!(page(&answer, 422).contains("used already"), "a link works once");
        }
    }

    async fn a_link_works_for_an_hour_and_of_two_at_once_one(app: &TestApp) {
        let browser = app.browser();
        submit(&browser, "/sign-up", &[("email", "ada@grid.example")]).await;
        let link = app.mail_to("ada@grid.example").await.link();
        app.clock.advance(HOUR);
        page(&browser.get(&link).await, 422);
        submit(&browser, "/sign-up", &[("email", "ada@grid.example")]).await;
        let link = app.mail_to("ada@grid.example").await.link();
        let form = [("token", token(&link)), ("name", "Ada"), ("password", NEW)];
        let (one, other) = (app.browser(), app.browser());
        let (one, other) = tokio::join!(submit(&one, "/sign-up/confirm", &form), submit(&other, "/sign-up/confirm", &form));
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert!(statuses == [303, 422] || statuses == [303, 409], "{one:?} {other:?}");
        // A token of another kind is no link.
        page(&app.browser().get("/set-password?token=stoa_lnk_0").await, 422);
        page(&app.browser().get(&link.replace("/sign-up/confirm", "/set-password")).await, 422);
    }

    async fn nobody_learns_from_a_form_who_has_an_account(app: &TestApp) {
        app.person_with_password("ada").await;
        for (path, known_kind, unknown_kind) in
            [("/sign-up", "have_account", "sign_up"), ("/forgot-password", "reset_password", "no_account")]
        {
            let mut seen = Vec::new();
            for (email, kind) in [("ada@people.example", known_kind), ("nobody@people.example", unknown_kind)] {
                let before = app.statements();
                let answer = submit(&app.browser(), path, &[("email", email)]).await;
                seen.push((statement_of(&page(&answer, 200), email), app.statements() - before));
                assert_eq!(app.mail_to(email).await.mail.kind(), kind);
            }
            assert_eq!(seen[0], seen[1], "the same answer after the same work");
        }
        let mut seen = Vec::new();
        for email in ["ada@people.example", "nobody@people.example"] {
            let (before, verified) = (app.statements(), passwords::verified());
            let answer = submit(&app.browser(), "/sign-in", &[("email", email), ("password", "wrong")]).await;
            seen.push((statement_of(&page(&answer, 422), email), app.statements() - before));
            assert!(passwords::verified() > verified, "{email}: what takes long is done for everybody");
        }
        assert_eq!(seen[0], seen[1]);
    }

    async fn the_operator_may_close_sign_up_or_limit_it_to_domains(app: &TestApp) {
        let setup = |who: &str| Setup { sign_up: who.parse().unwrap(), ..Setup::default() };
        let closed = TestApp::start_with(app.database().fresh().await, setup("closed")).await;
        assert!(!page(&closed.browser().get("/sign-in").await, 200).contains("/sign-up"));
        assert!(page(&closed.browser().get("/sign-up").await, 200).contains("whoever runs this installation"));
        page(&submit(&closed.browser(), "/sign-up", &[("email", "ada@grid.example")]).await, 422);
        closed.finish().await;

        let limited = TestApp::start_with(app.database().fresh().await, setup("grid.example, works.example")).await;
        let html = page(&submit(&limited.browser(), "/sign-up", &[("email", "eve@evil-grid.example")]).await, 422);
        assert!(html.contains("Accounts here are for addresses of grid.example, works.example."), "{html}");
        page(&submit(&limited.browser(), "/sign-up", &[("email", "ada@works.example")]).await, 200);
        limited.mail_to("ada@works.example").await;
        limited.finish().await;
    }

    async fn a_forgotten_password_is_set_anew_all_sessions_end_and_the_owner_is_told(app: &TestApp) {
        let ada = app.person_with_password("ada").await;
        let stolen = app.signed_in(&ada).await;
        let browser = app.browser();
        page(&submit(&browser, "/forgot-password", &[("email", "ada@people.example")]).await, 200);
        let link = app.mail_to("ada@people.example").await.link();
        submit(&browser, "/forgot-password", &[("email", "ada@people.example")]).await;
        let second = app.mail_to("ada@people.example").await.link();
        assert!(page(&browser.get(&link).await, 200).contains("ada@people.example"));
        page(&submit(&browser, "/set-password", &[("token", token(&link)), ("password", "short")]).await, 422);
        let html = page(&submit(&browser, "/set-password", &[("token", token(&link)), ("password", NEW)]).await, 200);
        assert!(html.contains("Your password is set"));
        assert_eq!(app.mail_to("ada@people.example").await.mail.kind(), "password_changed");

        leads_to(&stolen.get("/account").await, "/sign-in?next=%2Faccount");
        assert_eq!(sign_in(app, "ada@people.example", PASSWORD).await, 422);
        assert_eq!(sign_in(app, "ada@people.example", NEW).await, 303);
        for used in [&link, &second] {
            page(&submit(&browser, "/set-password", &[("token", token(used)), ("password", PASSWORD)]).await, 422);
        }
    }

    async fn the_secret_of_a_link_is_kept_as_a_hash(app: &TestApp) {
        app.person_with_password("ada").await;
        submit(&app.browser(), "/forgot-password", &[("email", "ada@people.example")]).await;
        let link = app.mail_to("ada@people.example").await.link();
        let mut conn = app.stoa.db.read().await.unwrap();
        let rows = conn.fetch_all("select token_hash, purpose, email from account_links", &[]).await.unwrap();
        assert_eq!(rows.len(), 1);
        assert!(!format!("{rows:?}").contains(token(&link)));
    }

    async fn another_address_is_confirmed_from_the_new_one_and_told_to_the_old_one(app: &TestApp) {
        let ada = app.person_with_password("ada").await;
        let browser = app.signed_in(&ada).await;
        let form = [("email", "ada@people.example")];
        assert!(page(&submit(&browser, "/account/address", &form).await, 422).contains("address of your account already"));
        let form = [("email", "Ada@Grid.example")];
        leads_to(&submit(&browser, "/account/address", &form).await, "/account");
        assert!(page(&browser.get("/account").await, 200).contains("A mail was sent to Ada@Grid.example."));
        let mails = app.mails().await;
        let to = |address: &str| mails.iter().find(|mail| mail.to == address).unwrap();
        assert_eq!(to("ada@people.example").mail.kind(), "address_change_asked");
        let confirm = to("ada@grid.example").link();
        assert_eq!(ada.get("/api/v1/me").await.expect(200)["email"], "ada@people.example", "not before it is confirmed");

        let anybody = app.browser();
        assert!(page(&anybody.get(&confirm).await, 200).contains("ada@grid.example"));
        page(&submit(&anybody, "/confirm-address", &[("token", token(&confirm))]).await, 200);
        assert_eq!(ada.get("/api/v1/me").await.expect(200)["email"], "ada@grid.example");
        assert_eq!(app.mail_to("ada@people.example").await.mail.kind(), "address_changed");
        assert_eq!(sign_in(app, "ada@grid.example", PASSWORD).await, 303);
        page(&submit(&anybody, "/confirm-address", &[("token", token(&confirm))]).await, 422);
    }

    async fn the_old_address_takes_a_change_back_and_with_it_the_password_and_all_sessions(app: &TestApp) {
        let ada = app.person_with_password("ada").await;
        let thief = app.signed_in(&ada).await;
        submit(&thief, "/account/address", &[("email", "thief@evil.example")]).await;
        let mails = app.mails().await;
        let confirm = mails.iter().find(|mail| mail.to == "thief@evil.example").unwrap().link();
        page(&submit(&thief, "/confirm-address", &[("token", token(&confirm))]).await, 200);
        let undo = app.mail_to("ada@people.example").await.link();
        // The thief goes on to a third address; what was sent to the first one still works, six days later.
        submit(&thief, "/account/address", &[("email", "thief2@evil.example")]).await;
        let mails = app.mails().await;
        let confirm = mails.iter().find(|mail| mail.to == "thief2@evil.example").unwrap().link();
        let own_undo = mails.iter().find(|mail| mail.to == "thief@evil.example").unwrap().link();
        page(&submit(&thief, "/confirm-address", &[("token", token(&confirm))]).await, 200);
        assert_eq!(app.mails().await.len(), 1);
        app.clock.advance(6 * DAY);

        let browser = app.browser();
        assert!(page(&browser.get(&undo).await, 200).contains("ada@people.example"));
        assert!(page(&submit(&browser, "/undo-address", &[("token", token(&undo))]).await, 200).contains("ada@people.example"));
        ada.get("/api/v1/me").await.expect_problem(401, "unauthenticated");
        leads_to(&thief.get("/account").await, "/sign-in?next=%2Faccount");
        assert_eq!(sign_in(app, "ada@people.example", PASSWORD).await, 422);
        page(&submit(&thief, "/undo-address", &[("token", token(&own_undo))]).await, 422);
        let set = app.mail_to("ada@people.example").await.link();
        page(&submit(&browser, "/set-password", &[("token", token(&set)), ("password", NEW)]).await, 200);
        app.mail_to("ada@people.example").await;
        assert_eq!(sign_in(app, "ada@people.example", NEW).await, 303);
    }

    async fn a_change_to_an_address_that_has_an_account_tells_only_its_owner(app: &TestApp) {
        let ada = app.person_with_password("ada").await;
        app.person("ben").await;
        let browser = app.signed_in(&ada).await;
        let mut seen = Vec::new();
        for (email, kind) in [("ben@people.example", "address_taken"), ("free@people.example", "confirm_address")] {
            let answer = submit(&browser, "/account/address", &[("email", email)]).await;
            leads_to(&answer, "/account");
            seen.push(page(&browser.get("/account").await, 200).replace(email, "…"));
            let mails = app.mails().await;
            assert_eq!(mails.iter().find(|mail| mail.to == email).unwrap().mail.kind(), kind);
            assert_eq!(mails.len(), 2);
        }
        assert_eq!(seen[0], seen[1]);
    }

    async fn name_and_password_are_changed_on_the_account_page(app: &TestApp) {
        let ada = app.person_with_password("ada").await;
        let (here, elsewhere) = (app.signed_in(&ada).await, app.signed_in(&ada).await);
        leads_to(&submit(&here, "/account/name", &[("name", "Ada Works")]).await, "/account");
        assert!(page(&here.get("/account").await, 200).contains("Ada Works"));
        assert!(page(&submit(&here, "/account/name", &[("name", " ")]).await, 422).contains("This must not be empty."));
        let form = [("password", "short")];
        assert!(page(&submit(&here, "/account/password", &form).await, 422).contains("at least 12 characters"));
        let form = [("password", NEW)];
        leads_to(&submit(&here, "/account/password", &form).await, "/account");
        let told = app.mail_to("ada@people.example").await;
        assert!(matches!(told.mail, Mail::PasswordChanged { .. }) && told.rendered.text.contains("10 March 2026"), "{told:?}");
        page(&here.get("/account").await, 200);
        leads_to(&elsewhere.get("/account").await, "/sign-in?next=%2Faccount");
        assert_eq!(sign_in(app, "ada@people.example", NEW).await, 303);
    }

    async fn the_api_changes_ones_name(app: &TestApp) {
        let ada = app.person("ada").await;
        assert_eq!(ada.patch("/api/v1/me", json!({"name": "Ada Works"})).await.expect(200)["name"], "Ada Works");
        assert_eq!(ada.get("/api/v1/me").await.expect(200)["name"], "Ada Works");
        ada.patch("/api/v1/me", json!({"name": ""})).await.expect_problem(422, "invalid");
        app.anonymous().patch("/api/v1/me", json!({"name": "x"})).await.expect_problem(401, "unauthenticated");
    }

    async fn a_deleted_account_leaves_no_name_and_no_way_in(app: &TestApp) {
        let ada = grid(app).await;
        let ben = app.person_with_password("ben").await;
        ada.post("/api/v1/organizations/grid/members", json!({"members": [{"email": ben.user.email, "role": "maintainer"}]})).await.expect(200);
        ben.post("/api/v1/me/tokens", json!({"name": "Ben's nightly export"})).await.expect(201);
        let application = ben.post("/api/v1/applications", json!({"name": "Ben's own"})).await.expect(201)["id"].clone();
        let browser = app.signed_in(&ben).await;
        submit(&browser, "/account/address", &[("email", "ben@grid.example")]).await;
        assert_eq!(app.mails().await.len(), 2);

        ben.delete("/api/v1/me").await.expect_problem(422, "not_confirmed");
        ben.delete("/api/v1/me?confirm=ada@people.example").await.expect_problem(422, "not_confirmed");
        ben.delete("/api/v1/me?confirm=ben@people.example").await.expect(204);
        assert_eq!(app.mail_to("ben@people.example").await.mail.kind(), "account_deleted");
        ben.get("/api/v1/me").await.expect_problem(401, "unauthenticated");
        leads_to(&browser.get("/account").await, "/sign-in?next=%2Faccount");
        assert_eq!(sign_in(app, "ben@people.example", PASSWORD).await, 422);
        for text in ["ben@people.example", "ben@grid.example", "ben", "Ben's nightly export"] {
            assert_eq!(kept(app, text).await, 0, "{text} is still there");
        }
        let members = ada.get("/api/v1/organizations/grid/members").await.expect(200);
        assert_eq!(members["items"].as_array().unwrap().len(), 1);
        let events = ada.get("/api/v1/organizations/grid/events?type=member.removed").await.expect(200);
        assert_eq!(events["items"][0]["subject"]["id"], json!(ben.id()), "the log keeps the id");
        assert!(!events.to_string().contains("ben@"));
        let mut conn = app.stoa.db.read().await.unwrap();
        let ended = stoa_store::applications::find(&mut conn, application.as_str().unwrap().parse().unwrap()).await.unwrap();
        assert!(ended.is_none(), "{ended:?}");
        drop(conn);
        // The address is free again.
        app.person("ben").await;
    }

    async fn the_last_maintainer_of_an_organization_stays_and_is_told_where(app: &TestApp) {
        let ada = grid(app).await;
        ada.post("/api/v1/organizations", json!({"name": "Works"})).await.expect(201);
        ada.post("/api/v1/organizations", json!({"name": "Gone"})).await.expect(201);
        ada.delete("/api/v1/organizations/gone?confirm=Gone").await.expect(204);
        let problem = ada.delete("/api/v1/me?confirm=ada@people.example").await.expect_problem(409, "last_maintainer");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("Grid") && detail.contains("Works") && !detail.contains("Gone"), "{detail}");
        let browser = app.signed_in(&ada).await;
        let form = [("confirm", "ada@people.example")];
        assert!(page(&submit(&browser, "/account/delete", &form).await, 409).contains("Works"));
        ada.get("/api/v1/me").await.expect(200);
    }

    async fn an_account_is_deleted_on_its_page_with_its_address_and_a_fresh_proof(app: &TestApp) {
        let ada = app.person_with_password("ada").await;
        let browser = app.signed_in(&ada).await;
        let form = [("confirm", "ada")];
        assert!(page(&submit(&browser, "/account/delete", &form).await, 422).contains("confirm with its address: ada@people.example"));
        app.clock.advance(HOUR);
        let form = [("confirm", "ada@people.example")];
        for path in ["/account/delete", "/account/address", "/account/password"] {
            page(&submit(&browser, path, &form).await, 403);
        }
        let form = [("confirm", "ada@people.example"), ("proof_password", PASSWORD)];
        leads_to(&submit(&browser, "/account/delete", &form).await, "/account-deleted");
        page(&browser.get("/account-deleted").await, 200);
        app.mail_to("ada@people.example").await;
    }

    async fn two_maintainers_who_delete_their_accounts_at_the_same_moment_leave_one(app: &TestApp) {
        let ada = grid(app).await;
        let ben = app.person("ben").await;
        ada.post("/api/v1/organizations/grid/members", json!({"members": [{"email": ben.user.email, "role": "maintainer"}]})).await.expect(200);
        let (one, other) =
            tokio::join!(ada.delete("/api/v1/me?confirm=ada@people.example"), ben.delete("/api/v1/me?confirm=ben@people.example"));
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 409], "{one:?} {other:?}");
        assert_eq!(app.mails().await.len(), 1);
    }

    async fn nobody_is_made_a_member_while_the_account_is_deleted(app: &TestApp) {
        let ada = grid(app).await;
        for round in 0..5 {
            let ben = app.person(&format!("ben{round}")).await;
            let add = json!({"members": [{"email": ben.user.email, "role": "viewer"}]});
            let path = format!("/api/v1/me?confirm={}", ben.user.email);
            let (added, deleted) = tokio::join!(ada.post("/api/v1/organizations/grid/members", add), ben.delete(&path));
            added.expect(200);
            assert!([204, 409].contains(&deleted.status), "{deleted:?}");
            let members = ada.get("/api/v1/organizations/grid/members").await.expect(200).to_string();
            assert_eq!(members.contains(&ben.id().to_string()), deleted.status == 409, "{members}");
        }
        app.mails().await;
    }

    async fn passwords_are_guessed_ten_times_and_then_not_for_a_while(app: &TestApp) {
        app.person_with_password("ada").await;
        for _ in 0..10 {
            assert_eq!(sign_in(app, "ada@people.example", "wrong").await, 422);
        }
        let answer = submit(&app.browser(), "/sign-in", &[("email", " ADA@people.example"), ("password", PASSWORD)]).await;
        let shown = page(&answer, 429);
        assert!(shown.contains("Too many attempts; try again in") && shown.contains("ADA@people.example"), "{shown}");
        let wait: i64 = answer.header("retry-after").parse().unwrap();
        assert!((1..=91).contains(&wait), "{wait}");
        assert_eq!(sign_in(app, "ben@people.example", "wrong").await, 422, "others are not shut out");
        app.clock.advance(wait * SECOND);
        assert_eq!(sign_in(app, "ada@people.example", PASSWORD).await, 303);
        for _ in 0..10 {
            assert_eq!(sign_in(app, "ada@people.example", "wrong").await, 422, "whoever got in starts anew");
        }
        assert_eq!(sign_in(app, "ada@people.example", "wrong").await, 429);
    }

    async fn a_session_left_alone_does_not_help_to_guess_the_password(app: &TestApp) {
        let ada = app.person_with_password("ada").await;
        let browser = app.signed_in(&ada).await;
        app.clock.advance(HOUR);
        let guess = [("confirm", "ada@people.example"), ("proof_password", "wrong")];
        for _ in 0..10 {
            page(&submit(&browser, "/account/delete", &guess).await, 422);
        }
        let shown = page(&submit(&browser, "/account/delete", &guess).await, 429);
        assert!(shown.contains("Too many attempts; try again in") && shown.contains("value=\"ada@people.example\""), "{shown}");
        assert_eq!(sign_in(app, "ada@people.example", PASSWORD).await, 429, "it is the same allowance");
    }

    async fn many_guesses_at_the_same_moment_count_together(app: &TestApp) {
        app.person_with_password("ada").await;
        let (a, b, c, d) = tokio::join!(guess(app), guess(app), guess(app), guess(app));
        let statuses = [a, b, c, d].concat();
        assert_eq!(statuses.iter().filter(|status| **status == 422).count(), 10, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 10);
    }

    async fn what_all_together_may_try_is_limited_too(app: &TestApp) {
        app.person_with_password("ada").await;
        // Others have used up all but one attempt of what the installation allows.
        let (key, limit) = Attempt { door: Door::SignIn, account: "others", network: "elsewhere" }.keys()[2];
        let spent = app.stoa.clock.now().plus(limit.within - limit.within / i64::from(limit.times));
        let mut tx = app.stoa.db.begin().await.unwrap();
        limits::set(&mut tx, &[(key, spent)]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(sign_in(app, "ada@people.example", "wrong").await, 422);
        assert_eq!(sign_in(app, "ben@people.example", "wrong").await, 429, "whoever it is");
        page(&submit(&app.browser(), "/forgot-password", &[("email", "ada@people.example")]).await, 200);
        app.mail_to("ada@people.example").await;
    }

    async fn guesses_on_two_nodes_count_together(app: &TestApp) {
        app.person_with_password("ada").await;
        let node = app.with_providers(Vec::new()).await;
        let mut statuses = Vec::new();
        for number in 0..12 {
            let browser = if number % 2 == 0 { app.browser() } else { node.browser() };
            statuses.push(submit(&browser, "/sign-in", &[("email", "ada@people.example"), ("password", "wrong")]).await.status);
        }
        assert_eq!(statuses, [[422; 10].as_slice(), &[429; 2]].concat());
    }

    async fn a_network_is_counted_by_the_header_of_the_trusted_proxy_only(app: &TestApp) {
        let guess = async |app: &TestApp, number: usize, from: &str| {
            let browser = app.browser();
            let form = [("email", format!("person{number}@people.example"))];
            browser.send(browser.request(Method::POST, "/forgot-password").header("x-forwarded-for", from).form(&form)).await.status
        };
        let (mut with, mut without) = (0, 0);
        let header = Some(reqwest::header::HeaderName::from_static("x-forwarded-for"));
        let behind = TestApp::start_with(app.database().fresh().await, Setup { address_header: header, ..Setup::default() }).await;
        for number in 0..31 {
            // What the client itself writes before the address of the proxy changes nothing.
            with = guess(&behind, number, &format!("198.51.100.{number}, 203.0.113.9")).await;
            without = guess(app, number, &format!("203.0.113.{number}")).await;
        }
        assert_eq!((with, without), (429, 429));
        assert_eq!(guess(&behind, 200, "203.0.113.10").await, 200, "another network");
        assert_eq!((app.mails().await.len(), behind.mails().await.len()), (30, 31));
        behind.finish().await;
    }

    async fn mails_that_others_can_cause_are_few(app: &TestApp) {
        for path in ["/sign-up", "/forgot-password"] {
            for _ in 0..5 {
                page(&submit(&app.browser(), path, &[("email", "ada@people.example")]).await, 200);
            }
            let answer = submit(&app.browser(), path, &[("email", "ada@people.example")]).await;
            let shown = page(&answer, 429);
            assert!(shown.contains("Too many attempts; try again in") && shown.contains("value=\"ada@people.example\""), "{shown}");
            assert!(answer.header("retry-after").parse::<u32>().is_ok());
            assert_eq!(app.mails().await.len(), 5);
        }
    }

    async fn wrong_credentials_of_applications_and_links_are_counted_and_right_ones_never_wait(app: &TestApp) {
        let ada = app.person("ada").await;
        let id = ada.post("/api/v1/applications", json!({"name": "Reader"})).await.expect(201)["id"].as_str().unwrap().to_owned();
        let secret = ada.post(&format!("/api/v1/applications/{id}/secrets"), json!({})).await.expect(201);
        let ask = async |secret: &str| {
            let form = [("grant_type", "client_credentials"), ("client_id", id.as_str()), ("client_secret", secret)];
            submit(&app.anonymous(), "/oauth2/token", &form).await
        };
        for _ in 0..30 {
            assert_eq!(ask("wrong").await.status, 401);
        }
        let answer = ask("wrong").await;
        assert_eq!((answer.status, answer.header("retry-after").is_empty()), (429, false), "{answer:?}");
        assert_eq!(ask(secret["secret"].as_str().unwrap()).await.status, 200);
        for _ in 0..30 {
            assert_eq!(app.browser().get("/set-password?token=wrong").await.status, 422);
        }
        assert_eq!(app.browser().get("/set-password?token=wrong").await.status, 429);
    }

    async fn what_is_over_is_removed(app: &TestApp) {
        app.person_with_password("ada").await;
        submit(&app.browser(), "/forgot-password", &[("email", "ada@people.example")]).await;
        assert_eq!(app.mails().await.len(), 1);
        app.clock.advance(HOUR + SECOND);
        let swept = stoa_actions::jobs::tick(&app.stoa, app.stoa.clock.now()).await.unwrap();
        assert_eq!((swept.links, swept.attempts), (1, 3));
    }
}

async fn guess(app: &TestApp) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(sign_in(app, "ada@people.example", "wrong").await);
    }
    statuses
}
