//! The pages of requests: the inbox, one request, questions and answers, rules, and who stands in.

use serde_json::json;
use stoa_testkit::api_tests;

use crate::{
    forms::{member, send, shows},
    trade::{Trade, decide, id},
};

api_tests! {
    async fn a_question_is_asked_and_answered_by_plain_forms(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "public").await;
        let (una, viewer) = member(app, &trade.mia, "grid", "una", "viewer").await;
        let (_, reviewer) = member(app, &trade.mia, "grid", "ria", "reviewer").await;
        let asked = trade.subscribe(&una, &service, json!({"mode": "selected", "projects": ["north"]})).await.expect(201);
        let url = format!("/requests/{}", id(&asked["request"]));
        shows(&reviewer.get("/requests").await, 200, &["Grid asks to subscribe Forecast", "expires in 30 days", "just now", "/ask", "Decide by keyboard", "requests.js"]);
        shows(&reviewer.get(&url).await, 200, &["Grid asks to subscribe Forecast", "Approve"]);
        shows(&send(&reviewer, &format!("{url}/ask"), &[("reason", ""), ("back", &url)]).await, 422, &["Write what you want to know"]);
        let done = send(&reviewer, &format!("{url}/ask"), &[("reason", "which winter?"), ("back", "/requests")]).await;
        assert_eq!((done.status, done.header("location")), (303, "/requests"));
        shows(&reviewer.get("/requests").await, 200, &["Asked. The request waits for the answer.", "Nothing here"]);
        shows(&reviewer.get("/requests?view=asked").await, 200, &["which winter?", "Needs info"]);

        shows(&viewer.get("/requests").await, 200, &["Grid asks to subscribe Forecast", "which winter?", "#answer"]);
        shows(&viewer.get(&format!("/organizations/grid/subscriptions/{}/permissions", id(&asked))).await, 200, &["waits for an answer of una", "which winter?"]);
        shows(&viewer.get(&url).await, 200, &["Answer the question", "Ask for something else", "Basic", "North"]);
        let wrong = send(&viewer, &format!("{url}/answer"), &[("text", ""), ("mode", "selected")]).await;
        shows(&wrong, 422, &["Write the answer; whoever asked reads it.", "Choose at least one project."]);
        let form = [("text", "the next"), ("mode", "selected"), ("project", "south"), ("project", "north"), ("note", "for two")];
        let sent = send(&viewer, &format!("{url}/answer"), &form).await;
        assert_eq!((sent.status, sent.header("location")), (303, url.as_str()));
        shows(&viewer.get(&url).await, 200, &["Your answer is on its way.", "with South; another note", "Nobody decides their own request"]);
        let refused = send(&reviewer, &format!("{url}/answer"), &[("text", "x")]).await;
        shows(&refused, 403, &[]);
        assert_eq!(send(&reviewer, &format!("{url}/approve"), &[("back", url.as_str())]).await.status, 303);
        shows(&reviewer.get(&url).await, 200, &["Approved."]);
        shows(&viewer.get("/requests?view=mine&state=approved").await, 200, &["Grid asks to subscribe Forecast", "Any state"]);
        shows(&viewer.get("/requests?view=mine&state=rejected").await, 200, &["Nothing here"]);
        shows(&viewer.get("/requests?view=all").await, 200, &["Grid asks to subscribe Forecast"]);

        let stranger = app.signed_in(&app.person_with_password("stan").await).await;
        shows(&stranger.get(&url).await, 404, &[]);
        shows(&send(&stranger, &format!("{url}/ask"), &[("reason", "x")]).await, 404, &[]);
        assert_eq!(app.browser().get(&url).await.status, 303);
    }

    async fn rules_are_set_on_a_page_and_told_before_and_after_subscribing(app: &TestApp) {
        let trade = Trade::new(app).await;
        trade.service("Forecast", "public").await;
        let (_, maintainer) = member(app, &trade.mia, "grid", "una", "maintainer").await;
        let (_, editor) = member(app, &trade.mia, "grid", "edi", "editor").await;
        let url = "/organizations/grid/settings/approvals";
        shows(&maintainer.get("/organizations/grid/settings").await, 200, &[url]);
        shows(&maintainer.get(url).await, 200, &["No rules", "Add rule", "Deadline"]);
        let wrong = send(&maintainer, url, &[("change", "add"), ("name", ""), ("monthly", "10 EURO")]).await;
        shows(&wrong, 422, &["This must not be empty.", "three-letter code"]);
        let rule = [("change", "add"), ("name", "Large purchases"), ("role", "maintainer"), ("kind", "subscribe"), ("monthly", "10 EUR, 11 USD")];
        assert_eq!(send(&maintainer, url, &rule).await.status, 303);
        shows(&maintainer.get(url).await, 200, &["A maintainer who subscribes a service, for fees of EUR 10.00 or USD 11.00 a month or more."]);
        shows(&send(&editor, url, &rule).await, 403, &["You are an editor of Grid", "mia, una"]);
        shows(&editor.get(url).await, 200, &["Large purchases", "Only maintainers change the rules"]);
        shows(&send(&maintainer, url, &[("change", "days"), ("days", "soon")]).await, 422, &["Requests wait for 1 to 365 days."]);
        assert_eq!(send(&maintainer, url, &[("change", "days"), ("days", "12")]).await.status, 303);

        shows(&maintainer.get("/marketplace/forecast/subscribe").await, 200, &["Another person approves", "EUR 10.00 a month or more needs another person", "Send request"]);
        let form = [("organization", "grid"), ("mode", "selected"), ("project", "north"), ("accept_terms", "true")];
        let sent = send(&maintainer, "/marketplace/forecast/subscribe", &form).await;
        shows(&maintainer.get(sent.header("location")).await, 200, &["It waits because of a rule. Large purchases", "Requested"]);
        shows(&maintainer.get("/requests?view=mine").await, 200, &["It waits because of a rule. Large purchases", "expires in 12 days"]);
        // The provider's deciders read neither the rule nor that there is one.
        let second = trade.service("Second", "on_request").await;
        let asked = trade.subscribe(&trade.mia, &second, json!({"mode": "selected", "projects": ["north"]})).await.expect(201);
        let provider = app.person_with_password("ben").await;
        let member = json!({"members": [{"email": provider.user.email, "role": "reviewer"}]});
        trade.pia.post("/api/v1/organizations/borealis/members", member).await.expect(200);
        let provider = app.signed_in(&provider).await;
        let card = format!("/requests/{}", id(&asked["request"]));
        for turn in ["Grid", "Borealis"] {
            let text = provider.get(&card).await.text();
            assert!(text.contains(&format!("<dd>{turn}</dd>")) && !text.contains("because of a rule") && !text.contains("Large purchases"), "{text}");
            decide(&trade.rob, &id(&asked["request"]), "approve").await;
        }
        let text = maintainer.get(&card).await.text();
        assert!(!text.contains("because of a rule"), "{text}");
        assert_eq!(send(&maintainer, url, &[("change", "remove"), ("name", "Large purchases")]).await.status, 303);
        shows(&maintainer.get(url).await, 200, &["is removed", "No rules"]);
        shows(&maintainer.get("/organizations/grid/activity").await, 200, &["changed what the organization wants to be approved"]);
    }

    async fn whoever_is_away_names_somebody_on_a_page(app: &TestApp) {
        let trade = Trade::new(app).await;
        let (_, reviewer) = member(app, &trade.mia, "grid", "ria", "reviewer").await;
        let (edi, editor) = member(app, &trade.mia, "grid", "edi", "editor").await;
        let url = "/organizations/grid/delegations";
        shows(&reviewer.get("/organizations/grid/requests").await, 200, &[url]);
        shows(&editor.get(url).await, 200, &["Nobody stands in", "Reviewers and maintainers decide requests"]);
        shows(&send(&editor, url, &[("to", "mia@people.example"), ("until", "2026-03-12")]).await, 403, &[]);
        shows(&send(&reviewer, url, &[("to", ""), ("until", "2026-03-01")]).await, 422, &["Name a member of the organization", "The end must lie after the beginning"]);
        assert_eq!(send(&reviewer, url, &[("to", &edi.user.email), ("until", "2026-03-12")]).await.status, 303);
        shows(&editor.get(url).await, 200, &["edi", "Now", "13 March 2026, 00:00 UTC"]);
        let text = editor.get(url).await.text();
        let path = text.split("action=\"").find(|rest| rest.contains("/delegations/dlg_")).unwrap().split('"').next().unwrap().to_owned();
        let service = trade.service("Forecast", "public").await;
        trade.subscribe(&trade.vic, &service, json!({"mode": "all", "include_future": "no"})).await.expect(201);
        shows(&editor.get("/requests").await, 200, &["Grid asks to subscribe Forecast", "Approve"]);
        assert_eq!(send(&editor, &path, &[]).await.status, 303);
        shows(&editor.get("/requests").await, 200, &["Nothing here"]);
        assert_eq!(send(&reviewer, &path, &[]).await.status, 303);
        shows(&reviewer.get(url).await, 200, &["This delegation is over already."]);
        shows(&reviewer.get("/organizations/grid/activity").await, 200, &["let edi decide requests in the stead of ria"]);
    }
}
