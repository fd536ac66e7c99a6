//! The pages of contracts: the provider offers versions, the subscriber sees what changes, accepts, refuses, changes the plan.

use serde_json::json;
use stoa_testkit::{Answer, api_tests};

use crate::{
    forms::{member, send, shows},
    trade::{Trade, decide, id},
};

/// The action of the form whose address ends so.
fn action(page: &Answer, end: &str) -> String {
    let text = page.text();
    let found = text.split("action=\"").skip(1).filter_map(|rest| rest.split('"').next()).find(|one| one.ends_with(end));
    found.unwrap_or_else(|| panic!("no form for {end} in {text}")).to_owned()
}

/// The fields of a new version: plan `Basic` at a price, with or without writing.
fn version(monthly: &str, writes: bool) -> Vec<(&'static str, &str)> {
    let mut form = vec![
        ("level", "organization"),
        ("permission", "resources:read"),
        ("plan_name", "Basic"),
        ("currency", "EUR"),
        ("one_time", ""),
        ("monthly", monthly),
        ("monthly_per_project", ""),
    ];
    if writes {
        form.push(("permission", "resources:write"));
    }
    form
}

api_tests! {
    async fn a_version_that_asks_for_less_is_offered_and_one_that_asks_for_more_is_accepted(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "public").await;
        let subscription = trade.active(&service, json!({"mode": "selected", "projects": ["north", "south"]})).await;
        let (_, editor) = member(app, &trade.pia, "borealis", "eddy", "editor").await;
        let (_, viewer) = member(app, &trade.pia, "borealis", "vera", "viewer").await;
        let url = "/organizations/borealis/services/forecast/contracts";
        shows(&viewer.get("/organizations/borealis/services/forecast").await, 200, &["Versions"]);
        let list = viewer.get(url).await;
        shows(&list, 200, &["Contract of Forecast", "Version 1", "Current", "Subscriptions on it"]);
        assert!(!list.text().contains("New version"));
        shows(&viewer.get(&format!("{url}/new")).await, 403, &["You are a viewer of Borealis"]);
        assert_eq!(send(&viewer, &format!("{url}/new"), &version("9", false)).await.status, 403);
        let form = editor.get(&format!("{url}/new")).await;
        shows(&form, 200, &["Version 2 of the contract of Forecast", "value=\"Basic\"", "value=\"10\"", "Plan Basic is followed by"]);

        let mut more = version("9", false);
        more.push(("more", "plan"));
        shows(&send(&editor, &format!("{url}/new"), &more).await, 200, &["Plan 2"]);
        let mut wrong = version("nine", false);
        wrong.extend([("meter_plan", "0"), ("meter_name", "calls"), ("meter_unit", ""), ("meter_model", "package"), ("meter_price", "5"), ("meter_free_units", "")]);
        shows(&send(&editor, &format!("{url}/new"), &wrong).await, 422, &["is not a plain decimal number", "Unit:", "value=\"calls\""]);
        let done = send(&editor, &format!("{url}/new"), &version("9", false)).await;
        assert_eq!((done.status, done.header("location")), (303, url));
        shows(&editor.get(url).await, 200, &["It applies to 1 subscription at once.", "Version 2", "Applies at once", "The monthly fee is lower"]);
        assert_eq!(trade.read(&subscription).await["plan"]["monthly"], "9");

        let done = send(&editor, &format!("{url}/new"), &version("9", true)).await;
        assert_eq!(done.status, 303);
        shows(&editor.get(url).await, 200, &["It waits for the consent of 1 subscription.", "Needs consent", "Not decided yet"]);

        let (_, maintainer) = member(app, &trade.mia, "grid", "moni", "maintainer").await;
        let page = format!("/organizations/grid/subscriptions/{subscription}");
        shows(&maintainer.get(&format!("{page}/usage")).await, 200, &["Version 3 of the contract waits for your consent.", "See what changes"]);
        let tab = maintainer.get(&format!("{page}/contract")).await;
        shows(&tab, 200, &["What would change", "The service may also write", "Only the projects marked below", "All others are taken out", "Accept version 3", "Refuse"]);
        let accept = action(&tab, "/accept");
        let none = send(&maintainer, &accept, &[("scope", "some")]).await;
        shows(&none, 422, &["Choose at least one project"]);
        let done = send(&maintainer, &accept, &[("scope", "some"), ("project", "south")]).await;
        assert_eq!((done.status, done.header("location")), (303, format!("{page}/contract").as_str()));
        let tab = maintainer.get(&format!("{page}/contract")).await;
        shows(&tab, 200, &["The new contract is accepted", "Accepted version 3", "moni", "SHA-256", "Version 2, plan Basic"]);
        assert!(!tab.text().contains("What would change"));
        assert_eq!(trade.granted(&subscription).await, ["south"]);
        shows(&maintainer.get("/organizations/grid/activity").await, 200, &["accepted version 3 of the contract of Forecast", "brought version 2 of the contract"]);
    }

    async fn others_ask_and_a_maintainer_refuses(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "public").await;
        let subscription = trade.active(&service, json!({"mode": "all"})).await;
        let until = app.stoa.clock.now().plus(60 * stoa_domain::time::DAY);
        let body = json!({"level": "organization", "permissions": ["resources:read"], "notice_until": until,
            "plans": [{"name": "Basic", "currency": "EUR", "monthly": "20"}, {"name": "Plus", "currency": "EUR", "monthly": "30"}]});
        trade.pia.post(&format!("/api/v1/services/{service}/contracts"), body).await.expect(201);
        let (_, editor) = member(app, &trade.mia, "grid", "eddy", "editor").await;
        let (_, maintainer) = member(app, &trade.mia, "grid", "moni", "maintainer").await;
        let page = format!("/organizations/grid/subscriptions/{subscription}");
        let tab = editor.get(&format!("{page}/contract")).await;
        shows(&tab, 200, &["Ask to accept version 2", "A reviewer or maintainer decides", "The monthly fee is higher"]);
        assert!(!tab.text().contains("Refuse"));
        let accept = action(&tab, "/accept");
        let refuse = accept.replace("/accept", "/refuse");
        assert_eq!(send(&editor, &refuse, &[]).await.status, 403);
        assert_eq!(send(&maintainer, &refuse, &[]).await.status, 303);
        shows(&maintainer.get(&format!("{page}/contract")).await, 200, &["The new contract is refused.", "It was refused; it can still be accepted.", "it ends on that day"]);
        assert_eq!(send(&editor, &accept, &[("scope", "all")]).await.status, 303);
        let tab = editor.get(&format!("{page}/contract")).await;
        shows(&tab, 200, &["Your consent waits for the decision", "The consent was asked for"]);
        let inbox = maintainer.get("/requests").await;
        shows(&inbox, 200, &["Grid asks to accept the new contract of Forecast", "Plan asked for", "The monthly fee is higher"]);
        let approve = action(&inbox, "/approve");
        assert_eq!(send(&maintainer, &approve, &[("reason", "fine"), ("back", "/requests")]).await.status, 303);

        // Another plan: the editor asks, the maintainer does it at once.
        let tab = editor.get(&format!("{page}/contract")).await;
        shows(&tab, 200, &["Accepted version 2", "eddy, approved by moni", "Ask for this plan", "EUR 30.00"]);
        let plans = trade.vic.get(&format!("/api/v1/organizations/grid/subscriptions/{subscription}/contract")).await.expect(200)["plans"].clone();
        let plus = id(&plans[1]);
        let sent = send(&editor, &format!("{page}/plan"), &[("plan", &plus)]).await;
        assert_eq!(sent.status, 303);
        shows(&editor.get("/organizations/grid/requests").await, 200, &["Grid asks for another plan of Forecast", "Plus, EUR 30.00 per month"]);
        let open = trade.rob.get("/api/v1/requests").await.expect(200);
        decide(&trade.rob, open["items"][0]["id"].as_str().unwrap(), "reject").await.expect(200);
        assert_eq!(send(&maintainer, &format!("{page}/plan"), &[("plan", &plus)]).await.status, 303);
        shows(&maintainer.get(&format!("{page}/contract")).await, 200, &["The plan is changed.", "Another plan, version 2", "Plus (now)"]);
        shows(&send(&maintainer, &format!("{page}/plan"), &[("plan", "")]).await, 422, &["Choose one of the service"]);
        let stranger = app.signed_in(&app.person_with_password("stan").await).await;
        shows(&stranger.get(&format!("{page}/contract")).await, 404, &[]);
        assert_eq!(send(&stranger, &format!("{page}/plan"), &[("plan", &plus)]).await.status, 404);
        assert_eq!(app.browser().get(&format!("{page}/contract")).await.status, 303);
        shows(&maintainer.get("/organizations/grid/activity").await, 200, &["changed the plan of Forecast from Basic to Plus", "refused version 2 of the contract"]);
    }
}
