//! Who is told what of a request.

use serde_json::{Value, json};
use stoa_actions::jobs;
use stoa_domain::time::DAY;
use stoa_testkit::{TestApp, api_tests};

use crate::trade::{Trade, decide, id};

fn all() -> Value {
    json!({"mode": "all", "include_future": "no"})
}

/// Writes the mails and takes them: to whom, and about what; sorted.
async fn told(app: &TestApp) -> Vec<(String, String)> {
    app.write_mails().await;
    let short = |mail: stoa_testkit::TakenMail| {
        let to = mail.to.split('@').next().unwrap().to_owned();
        (to, mail.rendered.subject.split(':').next().unwrap().to_owned())
    };
    let mut mails: Vec<_> = app.mails().await.into_iter().map(short).collect();
    mails.sort();
    mails
}

fn to(who: &str, what: &str) -> (String, String) {
    (who.to_owned(), what.to_owned())
}

api_tests! {
    async fn each_turn_tells_those_whose_it_is_and_the_outcome_all_who_took_part(app: &TestApp) {
        let trade = Trade::new(app).await;
        told(app).await;
        let service = trade.service("Forecast", "on_request").await;
        let asked = trade.subscribe(&trade.vic, &service, all()).await.expect(201);
        let request = id(&asked["request"]);
        let say = async |who: &stoa_testkit::Person, verb: &str, body: Value| who.post(&format!("/api/v1/requests/{request}/{verb}"), body).await.expect(200);
        assert_eq!(told(app).await, [to("mia", "Waits for you"), to("rob", "Waits for you")]);
        say(&trade.rob, "ask", json!({"question": "which winter?"})).await;
        app.write_mails().await;
        let mail = app.mail_to("vic@people.example").await.rendered;
        assert_eq!(mail.subject, "A question to you: Grid asks to subscribe Forecast");
        for part in ["rob wants to know", "which winter?", &format!("{}/requests/{request}", app.url)] {
            assert!(mail.text.contains(part), "no {part} in {}", mail.text);
        }
        say(&trade.vic, "answer", json!({"text": "this one", "projects": {"mode": "selected", "projects": ["north"]}})).await;
        app.write_mails().await;
        let mails = app.mails().await;
        assert!(mails.iter().all(|mail| mail.rendered.text.contains("without East, South")), "{mails:#?}");
        assert_eq!(mails.len(), 2);
        say(&trade.rob, "approve", json!({"comment": "we need it"})).await;
        // Those of the provider whose turn it is, and whoever asked; not who approved, and not mere viewers.
        assert_eq!(told(app).await, [to("pat", "Waits for you"), to("pia", "Waits for you"), to("vic", "One approval is there")]);
        decide(&trade.pat, &request, "reject").await.expect(200);
        app.write_mails().await;
        let mails = app.mails().await;
        let mut who: Vec<_> = mails.iter().map(|mail| mail.to.as_str()).collect();
        who.sort_unstable();
        assert_eq!(who, ["rob@people.example", "vic@people.example"]);
        assert!(mails.iter().all(|mail| mail.rendered.text.contains("pat rejected it") && mail.rendered.text.contains("too much")), "{mails:#?}");
    }

    async fn an_approval_a_reminder_and_an_end_are_told_once_and_only_to_members(app: &TestApp) {
        let trade = Trade::new(app).await;
        told(app).await;
        let service = trade.service("Forecast", "public").await;
        let first = id(&trade.subscribe(&trade.eva, &service, all()).await.expect(201)["request"]);
        decide(&trade.rob, &first, "approve").await.expect(200);
        // What waits no more by the time the mails are written is not asked for.
        assert_eq!(told(app).await, [to("eva", "Approved")]);
        let second = trade.service("Second", "public").await;
        trade.subscribe(&trade.vic, &second, all()).await.expect(201);
        assert_eq!(told(app).await.len(), 2);
        app.clock.advance(15 * DAY);
        jobs::tick(&app.stoa, app.stoa.clock.now()).await.unwrap();
        tokio::join!(app.write_mails(), app.write_mails());
        assert_eq!(told(app).await, [to("mia", "Still waits for you"), to("rob", "Still waits for you")]);
        trade.mia.delete(&format!("/api/v1/organizations/grid/members/{}", trade.rob.id())).await.expect(204);
        told(app).await;
        app.clock.advance(15 * DAY);
        jobs::tick(&app.stoa, app.stoa.clock.now()).await.unwrap();
        assert_eq!(told(app).await, [to("mia", "Expired"), to("vic", "Expired")]);
    }

    async fn whoever_stands_in_is_told_and_so_are_they_of_what_waits(app: &TestApp) {
        let trade = Trade::new(app).await;
        told(app).await;
        trade.rob.post("/api/v1/organizations/grid/delegations", json!({"to": trade.eva.user.email, "until": "2026-04-01"})).await.expect(201);
        app.write_mails().await;
        let mail = app.mail_to("eva@people.example").await.rendered;
        assert_eq!(mail.subject, "You decide for rob in Grid");
        assert!(mail.text.contains("until 2 April 2026, 00:00 UTC"), "{}", mail.text);
        let service = trade.service("Forecast", "public").await;
        let request = id(&trade.subscribe(&trade.vic, &service, all()).await.expect(201)["request"]);
        assert_eq!(told(app).await, [to("eva", "Waits for you"), to("mia", "Waits for you"), to("rob", "Waits for you")]);
        decide(&trade.eva, &request, "approve").await.expect(200);
        app.write_mails().await;
        let mail = app.mail_to("vic@people.example").await.rendered;
        assert!(mail.text.contains("eva, in the stead of rob, approved it"), "{}", mail.text);
        // Of the absent one's own request the delegate is not told, for it is not theirs to decide.
        let second = trade.service("Second", "public").await;
        trade.subscribe(&trade.rob, &second, all()).await.expect(201);
        assert_eq!(told(app).await, [to("mia", "Waits for you")]);
    }
}
