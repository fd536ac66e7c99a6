//! Mail: written by the logs, sent once over SMTP, and shown to the operator.

use std::sync::Arc;

use reqwest::Method;
use serde_json::json;
use stoa_actions::{Act, Caller, mail as outbox, users};
use stoa_domain::{
    mail::{KEEP, LEASE, Mail, MailState},
    time::{DAY, SECOND},
};
use stoa_server::mail::{Delivered, Mailer};
use stoa_testkit::{
    Client, PASSWORD, Person, Setup, TestApp, api_tests,
    mailbox::{Mailbox, Manner},
};

const MEMBERS: &str = "/api/v1/organizations/grid/members";

/// Ada's organization with Ben in it.
async fn grid(app: &TestApp) -> (Person, Person) {
    let (ada, ben) = (app.person("ada").await, app.person("ben").await);
    ada.post("/api/v1/organizations", json!({"name": "Grid"})).await.expect(201);
    ada.post(MEMBERS, json!({"members": [{"email": ben.user.email, "role": "editor"}]})).await.expect(200);
    (ada, ben)
}

/// Puts mails to these people into the outbox.
async fn enqueue(app: &TestApp, names: &[&str]) {
    let mut act = Act::begin(&app.stoa, Caller::system(app.stoa.clock.now())).await.unwrap();
    for name in names {
        let mail = Mail::NoAccount { link: format!("{}/sign-in", app.url) };
        outbox::send(&mut act, &format!("{name}@people.example"), mail).await.unwrap();
    }
    act.commit().await.unwrap();
}

fn mailer(mailbox: &Mailbox, who: &str) -> Mailer {
    Mailer::new(&mailbox.url(who), "Stoa <stoa@stoa.example>").unwrap()
}

async fn deliver(app: &TestApp, mailer: &Mailer) -> Delivered {
    mailer.deliver(&app.stoa, || true).await.unwrap()
}

const fn delivered(sent: u64, deferred: u64, failed: u64) -> Delivered {
    Delivered { sent, deferred, failed }
}

/// The browser of somebody who runs the installation.
async fn operator(app: &TestApp) -> Client {
    let new =
        users::NewUser { email: "olga@people.example".into(), name: Some("Olga".into()), password: Some(PASSWORD.into()), operator: true };
    let prepared = users::prepare(&app.stoa, new).await.unwrap();
    let mut act = Act::begin(&app.stoa, Caller::system(app.stoa.clock.now())).await.unwrap();
    let user = users::create(&mut act, prepared).await.unwrap();
    act.commit().await.unwrap();
    app.signed_in(&Person { user, client: app.anonymous() }).await
}

api_tests! {
    async fn the_log_tells_each_person_concerned_once(app: &TestApp) {
        let (ada, ben) = grid(app).await;
        app.write_mails().await;
        let told = app.mail_to("ben@people.example").await;
        assert_eq!(told.rendered.subject, "You are now a member of Grid");
        assert!(told.rendered.text.contains("ada added you to Grid as an editor."), "{}", told.rendered.text);
        assert!(told.rendered.text.contains(&format!("{}/organizations/grid", app.url)));

        ada.patch(&format!("{MEMBERS}/{}", ben.id()), json!({"role": "viewer"})).await.expect(200);
        app.write_mails().await;
        assert_eq!(app.mail_to("ben@people.example").await.rendered.subject, "You are now a viewer of Grid");
        ada.delete(&format!("{MEMBERS}/{}", ben.id())).await.expect(204);
        app.write_mails().await;
        app.write_mails().await;
        assert_eq!(app.mail_to("ben@people.example").await.rendered.subject, "You are no longer a member of Grid");
    }

    async fn nobody_is_told_what_they_did_themselves_and_all_are_told_of_the_end(app: &TestApp) {
        let (ada, ben) = grid(app).await;
        let cleo = app.person("cleo").await;
        ada.post(MEMBERS, json!({"members": [{"email": cleo.user.email, "role": "viewer"}]})).await.expect(200);
        app.write_mails().await;
        assert_eq!(app.mails().await.len(), 2);
        ben.delete(&format!("{MEMBERS}/{}", ben.id())).await.expect(204);
        app.write_mails().await;
        assert_eq!(app.mails().await.len(), 0, "who leaves knows it");
        ada.delete("/api/v1/organizations/grid?confirm=Grid").await.expect(204);
        app.write_mails().await;
        assert_eq!(app.mail_to("cleo@people.example").await.rendered.subject, "Grid was deleted");
    }

    async fn several_nodes_that_read_a_log_at_the_same_moment_write_each_mail_once(app: &TestApp) {
        let ada = app.person("ada").await;
        ada.post("/api/v1/organizations", json!({"name": "Grid"})).await.expect(201);
        let mut members = Vec::new();
        for number in 0..20 {
            members.push(json!({"email": app.person(&format!("person{number}")).await.user.email, "role": "viewer"}));
        }
        ada.post(MEMBERS, json!({"members": members})).await.expect(200);
        tokio::join!(app.write_mails(), app.write_mails(), app.write_mails(), app.write_mails());
        let mut told: Vec<_> = app.mails().await.into_iter().map(|mail| mail.to).collect();
        told.sort();
        told.dedup();
        assert_eq!(told.len(), 20);
        app.write_mails().await;
        assert_eq!(app.mails().await.len(), 0);
    }

    async fn logs_that_tell_nobody_anything_are_passed_over_together_and_what_comes_then_is_told(app: &TestApp) {
        let (ada, ben) = (app.person("ada").await, app.person("ben").await);
        for number in 0..12 {
            ada.post("/api/v1/organizations", json!({"name": format!("Grid {number}")})).await.expect(201);
        }
        app.write_mails().await;
        let mut runs = Vec::new();
        for moved in [0..1, 1..12] {
            for number in moved {
                ada.post(&format!("/api/v1/organizations/grid-{number}/projects"), json!({"name": "North"})).await.expect(201);
            }
            let before = app.stoa.db.statements();
            app.write_mails().await;
            runs.push(app.stoa.db.statements() - before);
        }
        assert_eq!(runs[0], runs[1], "one log and eleven take as many statements");
        assert_eq!(app.mails().await.len(), 0);
        let member = json!({"members": [{"email": ben.user.email, "role": "viewer"}]});
        ada.post("/api/v1/organizations/grid-3/members", member).await.expect(200);
        app.write_mails().await;
        assert_eq!(app.mail_to("ben@people.example").await.rendered.subject, "You are now a member of Grid 3");
    }

    async fn a_server_gets_both_bodies_and_the_headers_that_belong_to_a_mail(app: &TestApp) {
        let mailbox = Mailbox::start(Manner::Takes).await;
        grid(app).await;
        app.write_mails().await;
        let rendered = app.mail_to("ben@people.example").await.rendered;
        assert_eq!(deliver(app, &mailer(&mailbox, "")).await, delivered(1, 0, 0));
        let received = mailbox.take().remove(0);
        assert_eq!((received.from.as_str(), received.to), ("stoa@stoa.example", vec!["ben@people.example".to_owned()]));
        assert_eq!(received.headers["subject"], "You are now a member of Grid");
        assert_eq!(received.headers["from"], "Stoa <stoa@stoa.example>");
        assert_eq!(received.headers["auto-submitted"], "auto-generated");
        assert_eq!(received.headers["date"], "Tue, 10 Mar 2026 12:00:00 +0000");
        assert!(received.headers["message-id"].starts_with("<mai_") && received.headers["message-id"].ends_with("@stoa.example>"));
        let bare = |text: &str| text.replace("\r\n", "\n").trim_end().to_owned();
        assert_eq!(bare(&received.text), bare(&rendered.text));
        assert_eq!(bare(&received.html), bare(&rendered.html));
        assert_eq!(deliver(app, &mailer(&mailbox, "")).await, Delivered::default(), "a mail is sent once");
    }

    async fn a_server_may_ask_who_sends(app: &TestApp) {
        let manner = Manner::Asks { user: "stoa@stoa.example".into(), password: "p@ss word".into() };
        let mailbox = Mailbox::start(manner).await;
        enqueue(app, &["ada"]).await;
        assert_eq!(app.mails().await.len(), 1);
        assert_eq!(deliver(app, &mailer(&mailbox, "stoa%40stoa.example:wrong@")).await, delivered(0, 1, 0));
        assert_eq!(deliver(app, &mailer(&mailbox, "stoa%40stoa.example:wrong@")).await, delivered(0, 0, 0), "not before it is due");
        app.clock.advance(60 * SECOND);
        assert_eq!(deliver(app, &mailer(&mailbox, "stoa%40stoa.example:p%40ss%20word@")).await, delivered(1, 0, 0));
        assert_eq!(mailbox.take().len(), 1);
    }

    async fn a_server_that_defers_is_asked_again_and_one_that_refuses_is_not(app: &TestApp) {
        let mailbox = Mailbox::start(Manner::Refuses { reply: 451 }).await;
        let mailer = mailer(&mailbox, "");
        enqueue(app, &["ada", "ben"]).await;
        assert_eq!(app.mails().await.len(), 2);
        assert_eq!(deliver(app, &mailer).await, delivered(0, 2, 0));
        app.clock.advance(60 * SECOND);
        assert_eq!(deliver(app, &mailer).await, delivered(0, 2, 0));
        app.clock.advance(60 * SECOND);
        assert_eq!(deliver(app, &mailer).await, Delivered::default(), "the second wait is longer");
        app.clock.advance(240 * SECOND);
        mailbox.change(Manner::Refuses { reply: 550 });
        assert_eq!(deliver(app, &mailer).await, delivered(0, 0, 2));
        mailbox.change(Manner::Takes);
        app.clock.advance(DAY);
        assert_eq!(deliver(app, &mailer).await, Delivered::default());
    }

    async fn a_mail_is_given_up_when_no_server_takes_it_for_two_days(app: &TestApp) {
        let mailer = Mailer::new("smtp://127.0.0.1:1", "stoa@stoa.example").unwrap();
        enqueue(app, &["ada"]).await;
        assert_eq!(app.mails().await.len(), 1);
        let mut attempts = 0;
        loop {
            attempts += 1;
            match deliver(app, &mailer).await {
                Delivered { failed: 1, .. } => break,
                round => assert_eq!(round, delivered(0, 1, 0)),
            }
            app.clock.advance(DAY / 2);
        }
        assert_eq!(attempts, 10);
    }

    async fn two_nodes_never_send_the_same_mail(app: &TestApp) {
        let mailbox = Mailbox::start(Manner::Takes).await;
        let names: Vec<String> = (0..12).map(|number| format!("person{number}")).collect();
        enqueue(app, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
        assert_eq!(app.mails().await.len(), 12);
        let (one, other) = (mailer(&mailbox, ""), mailer(&mailbox, ""));
        let (first, second, third) = tokio::join!(deliver(app, &one), deliver(app, &other), deliver(app, &one));
        assert_eq!(first.sent + second.sent + third.sent, 12);
        let mut to: Vec<_> = mailbox.take().into_iter().flat_map(|received| received.to).collect();
        to.sort();
        to.dedup();
        assert_eq!(to.len(), 12);
    }

    async fn what_a_dead_node_had_claimed_is_sent_when_its_lease_is_over(app: &TestApp) {
        let mailbox = Mailbox::start(Manner::Takes).await;
        enqueue(app, &["ada"]).await;
        assert_eq!(app.mails().await.len(), 1);
        let claimed = outbox::claim(&app.stoa, app.stoa.clock.now()).await.unwrap().unwrap();
        assert_eq!(deliver(app, &mailer(&mailbox, "")).await, Delivered::default());
        app.clock.advance(LEASE);
        assert_eq!(deliver(app, &mailer(&mailbox, "")).await, delivered(1, 0, 0));
        // The dead node wakes up: what it has to say no longer counts.
        outbox::settle(&app.stoa, claimed, Err((stoa_domain::mail::Failure::Final, "late".into())), app.stoa.clock.now()).await.unwrap();
        let browser = operator(app).await;
        assert!(browser.get("/operator/outbox?state=sent").await.text().contains("ada@people.example"));
    }

    async fn the_outbox_shows_operators_what_would_be_sent_and_there_is_none_for_others(app: &TestApp) {
        grid(app).await;
        app.write_mails().await;
        assert_eq!(app.mails().await.len(), 1);
        let olga = operator(app).await;
        let html = olga.get("/operator/outbox").await.text();
        for part in ["No mail server is configured", "You are now a member of Grid", "ben@people.example", "would be sent if there were"] {
            assert!(html.contains(part), "{part}: {html}");
        }
        let path = html.split("href=\"").map(|rest| rest.split('"').next().unwrap()).find(|path| path.starts_with("/operator/outbox/mai_")).unwrap();
        assert!(olga.get(path).await.text().contains("ada added you to Grid as an editor."));

        let ada = app.signed_in(&app.person_with_password("dora").await).await;
        for address in ["/operator/outbox", path] {
            assert_eq!(ada.get(address).await.status, 404);
            assert_eq!(app.browser().get(address).await.header("location").split('?').next(), Some("/sign-in"));
        }
        assert_eq!(ada.send(ada.request(Method::POST, &format!("{path}/retry"))).await.status, 404);
        assert!(!ada.get("/organizations").await.text().contains("/operator/"));
        assert!(olga.get("/organizations").await.text().contains("href=\"/operator\""));
        assert_eq!(olga.get("/operator/outbox/mai_01h455vb4pex5vsknk084sn02q").await.status, 404);
    }

    async fn the_operator_can_have_a_mail_tried_again(app: &TestApp) {
        let mailbox = Mailbox::start(Manner::Refuses { reply: 550 }).await;
        let mailer = Arc::new(mailer(&mailbox, ""));
        let setup = Setup { mailer: Some(Arc::clone(&mailer)), ..Setup::default() };
        let own = TestApp::start_with(app.database().fresh().await, setup).await;
        let app = &own;
        enqueue(app, &["ada"]).await;
        assert_eq!(app.mails().await.len(), 1);
        assert_eq!(deliver(app, &mailer).await, delivered(0, 0, 1));
        let olga = operator(app).await;
        let html = olga.get("/operator/outbox?state=failed").await.text();
        assert!(html.contains("given up after 1 attempts") && html.contains("550"), "{html}");
        assert!(!olga.get("/operator/outbox?state=sent").await.text().contains("ada@people.example"));
        let path = html.split("href=\"").map(|rest| rest.split('"').next().unwrap()).find(|path| path.starts_with("/operator/outbox/mai_")).unwrap().to_owned();
        let answer = olga.send(olga.request(Method::POST, &format!("{path}/retry"))).await;
        assert_eq!((answer.status, answer.header("location")), (303, path.as_str()));
        assert!(olga.get(&path).await.text().contains("The mail is tried again."));
        mailbox.change(Manner::Takes);
        assert_eq!(deliver(app, &mailer).await, delivered(1, 0, 0));
        olga.send(olga.request(Method::POST, &format!("{path}/retry"))).await;
        assert!(olga.get(&path).await.text().contains("can&#39;t be sent again"));
        own.finish().await;
    }

    async fn mails_are_forgotten_after_a_month(app: &TestApp) {
        enqueue(app, &["ada"]).await;
        assert_eq!(app.mails().await.len(), 1);
        app.clock.advance(KEEP + SECOND);
        assert_eq!(stoa_actions::jobs::tick(&app.stoa, app.stoa.clock.now()).await.unwrap().mails, 1);
        let olga = operator(app).await;
        assert!(olga.get("/operator/outbox").await.text().contains("No mails"));
    }

    async fn the_secret_of_a_link_is_forgotten_when_the_mail_is_sent(app: &TestApp) {
        let mailbox = Mailbox::start(Manner::Takes).await;
        let mut act = Act::begin(&app.stoa, Caller::system(app.stoa.clock.now())).await.unwrap();
        outbox::send(&mut act, "ada@people.example", Mail::ResetPassword { link: format!("{}/x?token=hush", app.url) }).await.unwrap();
        act.commit().await.unwrap();
        assert_eq!(app.mail_to("ada@people.example").await.link(), "/x?token=hush");
        assert_eq!(deliver(app, &mailer(&mailbox, "")).await, delivered(1, 0, 0));
        let received = mailbox.take().remove(0);
        assert!(received.text.contains("token=hush") && received.html.contains("token=hush"));
        let olga = operator(app).await;
        let html = olga.get("/operator/outbox").await.text();
        let path = html.split("href=\"").map(|rest| rest.split('"').next().unwrap()).find(|path| path.starts_with("/operator/outbox/mai_")).unwrap();
        let html = olga.get(path).await.text();
        assert!(!html.contains("hush") && html.contains("the link stands in the mail only"), "{html}");
        let kept = stoa_store::mail::list(&mut app.stoa.db.read().await.unwrap(), Some(MailState::Sent), None, 10).await.unwrap();
        assert!(!format!("{kept:?}").contains("hush"));
    }
}
