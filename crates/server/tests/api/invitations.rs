//! Invitations: people without an account are asked by mail, and become members when they take it up, once.

use reqwest::Method;
use serde_json::{Value, json};
use stoa_actions::jobs;
use stoa_domain::time::DAY;
use stoa_testkit::{Client, PASSWORD, Person, TestApp, api_tests};

const GRID: &str = "/api/v1/organizations/grid";

async fn grid(app: &TestApp) -> Person {
    let mira = app.person("mira").await;
    mira.post("/api/v1/organizations", json!({"name": "Grid"})).await.expect(201);
    mira
}

async fn invite(by: &Person, email: &str, role: &str) -> String {
    let answer = by.post(&format!("{GRID}/members"), json!({"members": [{"email": email, "role": role}]})).await.expect(200);
    assert_eq!(answer["results"][0]["status"], "invited", "{answer}");
    answer["results"][0]["invitation"]["id"].as_str().unwrap().to_owned()
}

/// The secret of the link in the latest mail to an address.
async fn token(app: &TestApp, email: &str) -> String {
    app.write_mails().await;
    let mails = app.mails().await;
    let link = mails.iter().rfind(|mail| mail.to == email).expect("a mail to this address").link();
    link.split_once("/invitations?token=").expect("the link of an invitation").1.to_owned()
}

/// Somebody sets a forgotten password anew, which proves the address.
async fn reset(app: &TestApp, email: &str) {
    let browser = app.browser();
    let submit = async |path: &str, form: &[(&str, &str)]| browser.send(browser.request(Method::POST, path).form(form)).await;
    assert_eq!(submit("/forgot-password", &[("email", email)]).await.status, 200);
    let link = app.mail_to(email).await.link();
    assert_eq!(submit("/set-password", &[("token", link.split_once("token=").unwrap().1), ("password", PASSWORD)]).await.status, 200);
    app.mail_to(email).await;
}

async fn accept(by: &Client, token: &str) -> stoa_testkit::Answer {
    by.post("/api/v1/invitations/accept", json!({"token": token})).await
}

async fn states(by: &Person) -> Vec<String> {
    let page = by.get(&format!("{GRID}/invitations")).await.expect(200);
    page["items"].as_array().unwrap().iter().map(|one| one["state"].as_str().unwrap().to_owned()).collect()
}

api_tests! {
    async fn an_invitation_becomes_a_membership_once_and_only_with_its_address(app: &TestApp) {
        let mira = grid(app).await;
        invite(&mira, "Ben@people.example", "editor").await;
        let secret = token(app, "ben@people.example").await;
        let told = app.mails().await;
        assert!(told.iter().all(|mail| mail.to != "mira@people.example"), "who invites is not told");
        app.anonymous().post("/api/v1/invitations/accept", json!({"token": secret})).await.expect_problem(401, "unauthenticated");
        let other = app.person("other").await;
        accept(&other, &secret).await.expect_problem(403, "forbidden");
        other.post("/api/v1/invitations/decline", json!({"token": secret})).await.expect_problem(403, "forbidden");
        accept(&other, "stoa_inv_x").await.expect_problem(404, "not_found");

        let ben = app.person("ben").await;
        ben.get(GRID).await.expect_problem(404, "not_found");
        let joined = accept(&ben, &secret).await.expect(200);
        assert_eq!((&joined["organization"]["handle"], &joined["role"]), (&json!("grid"), &json!("editor")));
        assert_eq!(ben.get(GRID).await.expect(200)["role"], "editor");
        accept(&ben, &secret).await.expect_problem(404, "not_found");
        assert_eq!(states(&mira).await, ["accepted"]);
        let events = mira.get(&format!("{GRID}/events?after=2")).await.expect(200);
        let kinds: Vec<&str> = events["items"].as_array().unwrap().iter().map(|one| one["type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["invitation.created", "invitation.accepted", "member.added"]);
        assert!(!events.to_string().contains("stoa_inv_"), "no secret is in the log");
    }

    async fn it_can_be_declined_taken_back_sent_again_and_replaced(app: &TestApp) {
        let mira = grid(app).await;
        let vic = app.person("vic").await;
        mira.post(&format!("{GRID}/members"), json!({"members": [{"email": vic.user.email, "role": "editor"}]})).await.expect(200);
        let id = invite(&mira, "ben@people.example", "viewer").await;
        vic.get(&format!("{GRID}/invitations")).await.expect_problem(403, "forbidden");
        vic.delete(&format!("{GRID}/invitations/{id}")).await.expect_problem(403, "forbidden");
        let first = token(app, "ben@people.example").await;
        mira.post(&format!("{GRID}/invitations/{id}/resend"), json!({})).await.expect(200);
        let second = token(app, "ben@people.example").await;
        let ben = app.person("ben").await;
        accept(&ben, &first).await.expect_problem(404, "not_found");

        // Ben has an account now and would be a member at once; somebody else is asked twice.
        let before = invite(&mira, "cleo@people.example", "viewer").await;
        let old = token(app, "cleo@people.example").await;
        app.clock.advance(1_000);
        invite(&mira, "cleo@people.example", "reviewer").await;
        let new = token(app, "cleo@people.example").await;
        let cleo = app.person("cleo").await;
        accept(&cleo, &old).await.expect_problem(404, "not_found");
        assert_eq!(accept(&cleo, &new).await.expect(200)["role"], "reviewer");
        mira.delete(&format!("{GRID}/invitations/{before}")).await.expect_problem(409, "invitation_closed");

        ben.post("/api/v1/invitations/decline", json!({"token": second})).await.expect(204);
        accept(&ben, &second).await.expect_problem(404, "not_found");
        let third = invite(&mira, "dora@people.example", "viewer").await;
        let taken = token(app, "dora@people.example").await;
        mira.delete(&format!("{GRID}/invitations/{third}")).await.expect(204);
        mira.delete(&format!("{GRID}/invitations/{third}")).await.expect_problem(409, "invitation_closed");
        mira.post(&format!("{GRID}/invitations/{third}/resend"), json!({})).await.expect_problem(409, "invitation_closed");
        accept(&app.person("dora").await.client, &taken).await.expect_problem(404, "not_found");
        assert_eq!(states(&mira).await, ["revoked", "accepted", "revoked", "declined"]);
        let pending = mira.get(&format!("{GRID}/invitations?state=pending")).await.expect(200);
        assert_eq!(pending["items"], json!([]));
        mira.get(&format!("{GRID}/invitations?state=lost")).await.expect_problem(422, "invalid");
    }

    async fn whoever_is_added_in_another_way_does_not_come_back_by_the_invitation(app: &TestApp) {
        let mira = grid(app).await;
        invite(&mira, "ben@people.example", "maintainer").await;
        let secret = token(app, "ben@people.example").await;
        let ben = app.person_with_password("ben").await;
        let add = json!({"members": [{"email": ben.user.email, "role": "viewer"}]});
        assert_eq!(mira.post(&format!("{GRID}/members"), add).await.expect(200)["results"][0]["status"], "added");
        assert_eq!(states(&mira).await, ["revoked"]);
        accept(&ben, &secret).await.expect_problem(404, "not_found");
        let browser = crate::sharing::browser(app, &mira).await;
        let activity = browser.get("/organizations/grid/activity").await.text();
        assert!(activity.contains("closed the invitation of ben@people.example, who is a member now"), "{activity}");
        mira.delete(&format!("{GRID}/members/{}", ben.id())).await.expect(204);
        accept(&ben, &secret).await.expect_problem(404, "not_found");
        reset(app, "ben@people.example").await;
        ben.get(GRID).await.expect_problem(404, "not_found");
    }

    async fn an_invitation_that_waits_for_a_member_ends_with_the_membership(app: &TestApp) {
        let mira = grid(app).await;
        let (ben, cleo) = (app.person_with_password("ben").await, app.person_with_password("cleo").await);
        // They are over when the members get their addresses, and then they are sent again.
        let mut waiting = Vec::new();
        for (person, new) in [(&ben, "ben2@people.example"), (&cleo, "cleo2@people.example")] {
            let add = json!({"members": [{"email": person.user.email, "role": "viewer"}]});
            mira.post(&format!("{GRID}/members"), add).await.expect(200);
            waiting.push((person, new, invite(&mira, new, "maintainer").await));
        }
        app.clock.advance(14 * DAY);
        for (person, new, invitation) in waiting {
            let browser = app.signed_in(person).await;
            let submit = async |path: &str, form: &[(&str, &str)]| browser.send(browser.request(Method::POST, path).form(form)).await;
            assert_eq!(submit("/account/address", &[("email", new)]).await.status, 303);
            let mails = app.mails().await;
            let link = mails.iter().find(|mail| mail.to == new).unwrap().link();
            assert_eq!(submit("/confirm-address", &[("token", link.split_once("token=").unwrap().1)]).await.status, 200);
            assert_eq!(app.mails().await.len(), 1, "the old address is told");
            mira.post(&format!("{GRID}/invitations/{invitation}/resend"), json!({})).await.expect(200);
        }
        assert_eq!(states(&mira).await, ["pending", "pending"]);
        let secret = token(app, "ben2@people.example").await;
        mira.delete(&format!("{GRID}/members/{}", ben.id())).await.expect(204);
        assert_eq!(states(&mira).await, ["pending", "revoked"]);
        cleo.delete(&format!("{GRID}/members/{}", cleo.id())).await.expect(204);
        assert_eq!(states(&mira).await, ["revoked", "revoked"]);
        accept(&ben, &secret).await.expect_problem(404, "not_found");
        reset(app, "ben2@people.example").await;
        ben.get(GRID).await.expect_problem(404, "not_found");
    }

    async fn a_token_for_one_organization_joins_no_other(app: &TestApp) {
        let mira = grid(app).await;
        invite(&mira, "ben@people.example", "viewer").await;
        let secret = token(app, "ben@people.example").await;
        let ben = app.person("ben").await;
        ben.post("/api/v1/organizations", json!({"name": "Water"})).await.expect(201);
        let made = ben.post("/api/v1/me/tokens", json!({"name": "water", "organizations": ["water"]})).await.expect(201);
        let limited = app.anonymous().with_token(made["secret"].as_str().unwrap());
        let problem = accept(&limited, &secret).await.expect_problem(403, "forbidden");
        assert!(problem["detail"].as_str().unwrap().contains("limited to some organizations"), "{problem}");
        limited.post("/api/v1/invitations/decline", json!({"token": secret})).await.expect_problem(403, "forbidden");
        assert_eq!(states(&mira).await, ["pending"]);
        accept(&ben, &secret).await.expect(200);
    }

    async fn nobody_is_sent_more_than_ten_invitations_a_day(app: &TestApp) {
        let mira = grid(app).await;
        let id = invite(&mira, "ben@people.example", "viewer").await;
        for _ in 1..10 {
            mira.post(&format!("{GRID}/invitations/{id}/resend"), json!({})).await.expect(200);
        }
        mira.post("/api/v1/organizations", json!({"name": "Water"})).await.expect(201);
        let row = |email: &str| json!({"members": [{"email": email, "role": "viewer"}]});
        let refused = mira.post(&format!("{GRID}/invitations/{id}/resend"), json!({})).await;
        assert_eq!(refused.header("retry-after"), "8641");
        refused.expect_problem(429, "too_many_attempts");
        for path in [GRID, "/api/v1/organizations/water"] {
            mira.post(&format!("{path}/members"), row("Ben@People.example")).await.expect_problem(429, "too_many_attempts");
        }
        mira.post(&format!("{GRID}/members"), row("cleo@people.example")).await.expect(200);
        app.clock.advance(DAY / 10 + 1_000_000);
        mira.post(&format!("{GRID}/invitations/{id}/resend"), json!({})).await.expect(200);
    }

    async fn two_of_the_longest_lists_are_invited_in_a_day(app: &TestApp) {
        let mira = grid(app).await;
        let browser = crate::sharing::browser(app, &mira).await;
        for list in ["a", "b"] {
            let form: Vec<_> = (0..1_000).map(|number| ("email", format!("{list}{number}@people.example"))).collect();
            let done = browser.send(browser.request(Method::POST, "/organizations/grid/members/import/done").form(&form)).await;
            assert_eq!(done.status, 303, "{done:?}");
            assert!(browser.get("/organizations/grid/members").await.text().contains("1000 people were invited by mail."));
        }
        let row = |email: &str| json!({"members": [{"email": email, "role": "viewer"}]});
        mira.post(&format!("{GRID}/members"), row("more@people.example")).await.expect_problem(429, "too_many_attempts");
        // Nothing that was typed or pasted is lost.
        for path in ["members", "members/import/done"] {
            let form = [("email", "more@people.example"), ("name", "More"), ("role", "reviewer")];
            let refused = browser.send(browser.request(Method::POST, &format!("/organizations/grid/{path}")).form(&form)).await;
            let page = refused.text();
            assert_eq!((refused.status, refused.header("retry-after").parse::<u32>().is_ok()), (429, true), "{page}");
            let kept = ["Too many attempts; try again in", "value=\"more@people.example\"", "<option value=\"reviewer\" selected"];
            assert!(kept.iter().all(|kept| page.contains(kept)), "{path}: {page}");
        }
        // Whoever has an account is sent no invitation.
        let ben = app.person("ben").await;
        assert_eq!(mira.post(&format!("{GRID}/members"), row(&ben.user.email)).await.expect(200)["results"][0]["status"], "added");
    }

    async fn it_expires_after_two_weeks_and_says_so(app: &TestApp) {
        let mira = grid(app).await;
        let id = invite(&mira, "ben@people.example", "viewer").await;
        let secret = token(app, "ben@people.example").await;
        let ben = app.person("ben").await;
        app.clock.advance(14 * DAY);
        accept(&ben, &secret).await.expect_problem(409, "invitation_expired");
        assert_eq!(jobs::tick(&app.stoa, stoa_actions::Clock::now(&*app.clock)).await.unwrap().invitations, 1);
        assert_eq!(states(&mira).await, ["expired"]);
        mira.post(&format!("{GRID}/invitations/{id}/resend"), json!({})).await.expect_problem(409, "invitation_closed");
        assert_eq!(mira.post(&format!("{GRID}/members"), json!({"members": [{"email": "ben@people.example", "role": "viewer"}]})).await.expect(200)["results"][0]["status"], "added");
    }

    async fn whoever_signs_up_with_an_invited_address_becomes_a_member(app: &TestApp) {
        let mira = grid(app).await;
        invite(&mira, "ben@people.example", "reviewer").await;
        token(app, "ben@people.example").await;
        let browser = app.browser();
        let submit = async |path: &str, form: &[(&str, &str)]| browser.send(browser.request(Method::POST, path).form(form)).await;
        assert_eq!(submit("/sign-up", &[("email", "Ben@people.example")]).await.status, 200);
        let link = app.mail_to("ben@people.example").await.link();
        assert_eq!(states(&mira).await, ["pending"], "the address is not proved yet");
        let secret = link.split_once("token=").unwrap().1;
        let done = submit("/sign-up/confirm", &[("token", secret), ("name", "Ben"), ("password", PASSWORD)]).await;
        assert_eq!(done.status, 303, "{done:?}");
        assert_eq!(browser.get("/organizations/grid").await.status, 200);
        assert_eq!(states(&mira).await, ["accepted"]);
        let members = mira.get(&format!("{GRID}/members")).await.expect(200);
        let ben = members["items"].as_array().unwrap().iter().find(|member| member["user"]["name"] == "Ben").expect("Ben");
        assert_eq!(ben["role"], "reviewer");
    }

    async fn two_clicks_at_the_same_moment_make_one_member(app: &TestApp) {
        let mira = grid(app).await;
        invite(&mira, "ben@people.example", "viewer").await;
        let secret = token(app, "ben@people.example").await;
        let ben = app.person("ben").await;
        let (one, other) = tokio::join!(accept(&ben, &secret), accept(&ben, &secret));
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 404], "{one:?} {other:?}");
        let (gone, taken) = (mira.delete(&format!("{GRID}/members/{}", ben.id())).await, accept(&ben, &secret).await);
        assert_eq!((gone.status, taken.status), (204, 404));
    }

    async fn the_link_leads_through_signing_in_and_tells_who_is_meant(app: &TestApp) {
        let mira = grid(app).await;
        invite(&mira, "ben@people.example", "editor").await;
        let secret = token(app, "ben@people.example").await;
        let address = format!("/invitations?token={secret}");
        let nobody = app.browser();
        let shown = nobody.get(&address).await;
        assert_eq!((shown.header("cache-control"), shown.header("referrer-policy")), ("no-store", "no-referrer"));
        let page = shown.text();
        assert!(page.contains("Join Grid") && page.contains("mira invites ben@people.example to be an editor") && page.contains("/sign-up?email=ben"), "{page}");
        assert!(nobody.get("/sign-up?email=ben%40people.example").await.text().contains("value=\"ben@people.example\""));
        let other = crate::sharing::browser(app, &app.person("other").await).await;
        assert!(other.get(&address).await.text().contains("You are signed in as <b>other@people.example</b>"));
        let forced = other.send(other.request(Method::POST, "/invitations/accept").form(&[("token", secret.as_str())])).await;
        assert_eq!(forced.status, 403);
        let ben = app.person_with_password("ben").await;
        let form = [("email", ben.user.email.as_str()), ("password", PASSWORD), ("next", address.as_str())];
        let back = nobody.send(nobody.request(Method::POST, "/sign-in").form(&form)).await;
        assert_eq!(back.header("location"), address);
        let joined = nobody.send(nobody.request(Method::POST, "/invitations/accept").form(&[("token", secret.as_str())])).await;
        assert_eq!((joined.status, joined.header("location")), (303, "/organizations/grid"));
        assert_eq!(nobody.get(&address).await.status, 404);
    }

    async fn a_list_is_looked_over_and_then_carried_out(app: &TestApp) {
        let mira = grid(app).await;
        let ben = app.person("ben").await;
        let browser = crate::sharing::browser(app, &mira).await;
        let list = "\u{feff}Email;Role;Name\nben@people.example;Editor;\nCleo Lo <cleo@people.example>;;\nmira@people.example;viewer;\nnobody;;\ndora@people.example;boss;";
        let send = async |text: &str| {
            let form = reqwest::multipart::Form::new().text("text", text.to_owned()).text("role", "reviewer");
            browser.send(browser.request(Method::POST, "/organizations/grid/members/import").multipart(form)).await
        };
        let before = app.stoa.db.statements();
        let page = send(list).await.text();
        assert!(app.stoa.db.statements() - before < 20, "as many statements for a line as for a thousand");
        for expected in ["Becomes a member", "Is invited", "is a member already", "1 will be added, 1 will be invited, 1 already in, 2 left out"] {
            assert!(page.contains(expected) || page.contains(&expected.replace("is a", "Is a")), "{expected}: {page}");
        }
        assert_eq!(mira.get(&format!("{GRID}/members")).await.expect(200)["items"].as_array().unwrap().len(), 1, "nothing is done yet");
        assert_eq!(send(",;").await.status, 422);
        let form = [("email", "ben@people.example"), ("name", ""), ("role", "editor"), ("email", "cleo@people.example"), ("name", "Cleo Lo"), ("role", "reviewer")];
        let done = browser.send(browser.request(Method::POST, "/organizations/grid/members/import/done").form(&form)).await;
        assert_eq!(done.status, 303, "{done:?}");
        let page = browser.get("/organizations/grid/members").await.text();
        assert!(page.contains("1 person was added. 1 person was invited by mail.") && page.contains("cleo@people.example"), "{page}");
        assert_eq!(ben.get(GRID).await.expect(200)["role"], "editor");
        let members: Value = mira.get(&format!("{GRID}/invitations")).await.expect(200);
        assert_eq!((&members["items"][0]["name"], &members["items"][0]["role"]), (&json!("Cleo Lo"), &json!("reviewer")));
        let theirs = crate::sharing::browser(app, &ben).await;
        assert_eq!(theirs.get("/organizations/grid/members/import").await.status, 403);
        assert!(!theirs.get("/organizations/grid/members").await.text().contains("cleo@people.example"));
    }

    async fn the_removal_says_what_is_lost_and_loses_it(app: &TestApp) {
        let mira = grid(app).await;
        let ben = app.person("ben").await;
        mira.post(&format!("{GRID}/members"), json!({"members": [{"email": ben.user.email, "role": "maintainer"}]})).await.expect(200);
        let team = mira.post(&format!("{GRID}/teams"), json!({"name": "Meters"})).await.expect(201)["id"].as_str().unwrap().to_owned();
        mira.send(mira.request(Method::PUT, &format!("{GRID}/teams/{team}/members/{}", ben.id()))).await.expect(204);
        let reader = ben.post("/api/v1/applications", json!({"name": "Reader"})).await.expect(201)["id"].as_str().unwrap().to_owned();
        ben.send(ben.request(Method::PUT, &format!("/api/v1/applications/{reader}/shares/organizations/grid"))).await.expect(204);
        let engine = mira.post("/api/v1/applications", json!({"name": "Engine", "organization": "grid"})).await.expect(201)["id"].clone();
        let contract = json!({"level": "organization", "permissions": ["resources:read"], "plans": [{"name": "Basic", "currency": "EUR"}]});
        let new = json!({"application": engine, "name": "Forecast", "summary": "x", "description": "x", "categories": ["energy"], "visibility": "public", "contract": contract});
        let service = mira.post(&format!("{GRID}/services"), new).await.expect(201);
        mira.post(&format!("/api/v1/services/{}/publish", service["id"].as_str().unwrap()), json!({})).await.expect(200);
        let vic = app.person("vic").await;
        mira.post(&format!("{GRID}/members"), json!({"members": [{"email": vic.user.email, "role": "viewer"}]})).await.expect(200);
        let subscribe = json!({"service": service["id"], "projects": {"mode": "all", "include_future": "no"}, "accept_terms": true});
        vic.post(&format!("{GRID}/subscriptions"), subscribe).await.expect(201);
        let inbox = "/api/v1/requests?as=approver&state=open";
        assert_eq!(ben.get(inbox).await.expect(200)["items"].as_array().unwrap().len(), 1);

        let theirs = crate::sharing::browser(app, &ben).await;
        let browser = crate::sharing::browser(app, &mira).await;
        let page = browser.get(&format!("/organizations/grid/members?remove={}", ben.id())).await.text();
        for expected in ["Remove ben", "The teams Meters", "Reader, which stay here", "1 open request to decide, which", "with 1 personal token, from its next request on"] {
            assert!(page.contains(expected), "{expected}: {page}");
        }
        let removed = browser.send(browser.request(Method::POST, &format!("/organizations/grid/members/{}/remove", ben.id()))).await;
        assert_eq!(removed.status, 303);
        // Team place, share, token, session and inbox: nothing is left behind.
        assert_eq!(mira.get(&format!("{GRID}/teams/{team}/members")).await.expect(200)["items"], json!([]));
        ben.get(&format!("/api/v1/applications/{reader}")).await.expect_problem(404, "not_found");
        assert_eq!(mira.get(&format!("/api/v1/applications/{reader}")).await.expect(200)["owner"]["handle"], "grid");
        ben.get(GRID).await.expect_problem(404, "not_found");
        assert_eq!(ben.get("/api/v1/organizations").await.expect(200)["items"], json!([]));
        assert_eq!(theirs.get("/organizations/grid").await.status, 404);
        assert_eq!(ben.get(inbox).await.expect(200)["items"], json!([]));
        assert_eq!(mira.get(inbox).await.expect(200)["items"].as_array().unwrap().len(), 1);
        // And back again: nothing of before comes back by itself.
        mira.post(&format!("{GRID}/members"), json!({"members": [{"email": ben.user.email, "role": "viewer"}]})).await.expect(200);
        assert_eq!(mira.get(&format!("{GRID}/teams/{team}/members")).await.expect(200)["items"], json!([]));
        ben.patch(&format!("/api/v1/applications/{reader}"), json!({"name": "Mine"})).await.expect_problem(403, "forbidden");
    }
}
