//! The pages to subscribe, to see and change subscriptions, and to decide requests.

use serde_json::json;
use stoa_testkit::api_tests;

use crate::{
    forms::{member, send, shows},
    trade::Trade,
};

api_tests! {
    async fn the_map_of_a_past_day_leads_to_no_other_project_of_the_same_handle(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "public").await;
        trade.active(&service, json!({"mode": "selected", "projects": ["north", "south"]})).await;
        app.clock.set("2026-05-01T12:00:00Z");
        let (_, viewer) = member(app, &trade.mia, "grid", "una", "viewer").await;
        trade.mia.delete("/api/v1/organizations/grid/projects/south").await.expect(204);
        trade.project("South").await;
        for view in ["list", "matrix"] {
            let shown = viewer.get(&format!("/organizations/grid/map?view={view}&at=2026-04-01")).await;
            shows(&shown, 200, &["North", "South", "/organizations/grid/projects/north\""]);
            assert!(!shown.text().contains("/organizations/grid/projects/south\""), "{view}");
        }
    }

    async fn a_viewer_subscribes_by_request_and_a_reviewer_decides_it_in_the_inbox(app: &TestApp) {
        let trade = Trade::new(app).await;
        trade.service("Forecast", "public").await;
        let (_, viewer) = member(app, &trade.mia, "grid", "una", "viewer").await;
        let (_, reviewer) = member(app, &trade.mia, "grid", "ria", "reviewer").await;
        let form = viewer.get("/marketplace/forecast/subscribe").await;
        shows(&form, 200, &["Subscribe Forecast", "Basic", "EUR 10.00", "Read the resources", "North", "Send request", "a reviewer or maintainer decides"]);

        let again = send(&viewer, "/marketplace/forecast/subscribe", &[("organization", "grid"), ("mode", "selected"), ("note", "for winter")]).await;
        shows(&again, 422, &["Choose at least one project.", "for winter"]);
        let sent = send(
            &viewer,
            "/marketplace/forecast/subscribe",
            &[("organization", "grid"), ("mode", "selected"), ("project", "north"), ("project", "south"), ("accept_terms", "true"), ("note", "for winter")],
        )
        .await;
        assert_eq!(sent.status, 303, "{sent:?}");
        let url = sent.header("location").trim_end_matches("/permissions").to_owned();
        shows(&viewer.get(&format!("{url}/permissions")).await, 200, &["is on its way", "Requested", "for winter", "waits for a reviewer or maintainer of Grid", "Withdraw request"]);

        let inbox = reviewer.get("/requests").await;
        shows(&inbox, 200, &["Grid asks to subscribe Forecast", "North, South", "Approve"]);
        let text = inbox.text();
        let action = text.split("action=\"").find(|rest| rest.starts_with("/requests/req_")).unwrap();
        let approve = action.split('"').next().unwrap().to_owned();
        let reject = approve.replace("/approve", "/reject");
        shows(&send(&reviewer, &reject, &[("reason", ""), ("back", "/requests")]).await, 422, &["Say why"]);
        shows(&viewer.get("/organizations/grid/requests").await, 200, &["Nobody decides their own request", "Withdraw"]);
        let approved = send(&reviewer, &approve, &[("reason", "fine"), ("back", "/organizations/grid/requests")]).await;
        assert_eq!((approved.status, approved.header("location")), (303, "/organizations/grid/requests"));
        let late = send(&reviewer, &approve, &[("back", "/requests")]).await;
        assert_eq!(late.status, 303);
        shows(&reviewer.get("/requests").await, 200, &["already approved, by ria"]);

        shows(&viewer.get("/organizations/grid/subscriptions").await, 200, &["Forecast", "Borealis", "2 of 3 projects", "Active"]);
        shows(&viewer.get(&format!("{url}/projects")).await, 200, &["North", "South", "ria", "can take projects out"]);
        shows(&viewer.get(&format!("{url}/permissions")).await, 200, &["approved the subscription for Grid", "fine", "Version 1", "/subscriptions/sub_"]);
        shows(&viewer.get(&format!("{url}/usage")).await, 200, &["Usage and cost by project", "Ask to cancel"]);
        assert_eq!(viewer.get(&url).await.header("location"), format!("{url}/usage"));
        shows(&viewer.get("/organizations/grid/requests?view=decided").await, 200, &["Approved"]);
        shows(&viewer.get("/requests?view=mine").await, 200, &["Grid asks to subscribe Forecast"]);
    }

    async fn a_maintainer_changes_projects_and_cancels_and_others_are_kept_out(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "public").await;
        let (_, maintainer) = member(app, &trade.mia, "grid", "una", "maintainer").await;
        let (_, viewer) = member(app, &trade.mia, "grid", "vera", "viewer").await;
        let subscription = trade.active(&service, json!({"mode": "selected", "projects": ["north"]})).await;
        let url = format!("/organizations/grid/subscriptions/{subscription}");
        shows(&maintainer.get(&format!("{url}/projects")).await, 200, &["Change the projects", "1 of 3 projects"]);
        // Without scripts the list and the future are sent along with every mode.
        let saved = send(&maintainer, &format!("{url}/projects"), &[("mode", "all"), ("project", "north"), ("include_future", "yes")]).await;
        assert_eq!((saved.status, saved.header("location")), (303, format!("{url}/projects").as_str()));
        shows(&maintainer.get(&format!("{url}/projects")).await, 200, &["The projects are saved.", "All projects; new ones are included"]);
        shows(&send(&maintainer, &format!("{url}/projects"), &[("mode", "selected"), ("include_future", "yes")]).await, 422, &["Choose at least one project."]);
        let refused = send(&viewer, &format!("{url}/projects"), &[("mode", "selected"), ("project", "north")]).await;
        shows(&refused, 403, &["You are a viewer of Grid"]);
        let cancelled = send(&maintainer, &format!("{url}/cancel"), &[]).await;
        assert_eq!(cancelled.status, 303);
        shows(&maintainer.get(&format!("{url}/permissions")).await, 200, &["The subscription is over.", "Ended", "no longer subscribes it"]);

        let stranger = app.signed_in(&app.person_with_password("stan").await).await;
        shows(&stranger.get(&format!("{url}/usage")).await, 404, &[]);
        shows(&stranger.get("/marketplace/forecast/subscribe").await, 200, &["No organization to subscribe for"]);
        assert_eq!(app.browser().get(&format!("{url}/usage")).await.status, 303);
        shows(&maintainer.get("/organizations/grid/subscriptions/nonsense/usage").await, 404, &[]);
    }
}
