//! The pages of the marketplace and of an organization's services, as browsers use them, without scripts.

use stoa_testkit::{Client, api_tests};

use crate::{
    forms::{member, send},
    services::{draft, provider, published, service},
};

async fn page(browser: &Client, path: &str) -> String {
    let answer = browser.get(path).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.text()
}

fn filled<'a>(application: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut form = vec![
        ("name", "Load forecast"),
        ("application", application),
        ("summary", "Tomorrow's load"),
        ("description", "# How\n\nIt *reads*.<script>alert(1)</script>"),
        ("categories", "Energy, forecasting"),
        ("visibility", "on_request"),
        ("level", "organization"),
        ("permission", "resources:read"),
        ("permission", "resources:write"),
        ("plan_name", "Standard"),
        ("currency", "eur"),
        ("monthly", "49.00"),
    ];
    form.extend_from_slice(more);
    form
}

const METERS: [(&str, &str); 8] = [
    ("meter_name", ""),
    ("meter_unit", ""),
    ("meter_unit_price", ""),
    ("meter_free_units", ""),
    ("meter_name", "calls"),
    ("meter_unit", "call"),
    ("meter_unit_price", "0.012"),
    ("meter_free_units", "1000"),
];

api_tests! {
    async fn a_service_is_drafted_published_and_found_with_forms_alone(app: &TestApp) {
        let ada = app.person_with_password("ada").await;
        let (org, application) = provider(&ada, "Grid Works").await;
        let browser = app.signed_in(&ada).await;
        let list = format!("/organizations/{org}/services");
        assert!(page(&browser, &list).await.contains("No services yet"));
        assert!(page(&browser, &format!("{list}/new")).await.contains("Engine"));

        let made = send(&browser, &format!("{list}/new"), &filled(&application, &METERS)).await;
        assert_eq!(made.status, 303, "{made:?}");
        assert_eq!(made.header("location"), format!("{list}/load-forecast"));
        let own = page(&browser, &format!("{list}/load-forecast")).await;
        for shown in ["is drafted", "Draft", "EUR 49.00", "EUR 0.012 per call, 1,000 free each month", "Publish</a>", "No subscribers yet"] {
            assert!(own.contains(shown), "{shown} is not in {own}");
        }
        assert!(!page(&browser, "/marketplace").await.contains("Load forecast"));

        assert_eq!(send(&browser, &format!("{list}/load-forecast/publish"), &[]).await.status, 303);
        let own = page(&browser, &format!("{list}/load-forecast")).await;
        assert!(own.contains("is published") && own.contains("Pause</a>") && !own.contains("Publish</a>"));

        let market = page(&browser, "/marketplace?q=fore&category=energy").await;
        assert!(market.contains("Load forecast") && market.contains("From EUR 49.00 a month") && market.contains("On request"));
        assert!(page(&browser, "/marketplace?q=nothing").await.contains("Nothing fits"));
        let detail = page(&browser, "/marketplace/load-forecast").await;
        for shown in ["<h3>How</h3>", "<em>reads</em>", "Write, replace and delete", "/marketplace/load-forecast/subscribe", "Manage"] {
            assert!(detail.contains(shown), "{shown} is not in {detail}");
        }
        assert!(!detail.contains("alert(1)"));

        assert_eq!(send(&browser, &format!("{list}/load-forecast/pause"), &[]).await.status, 303);
        assert_eq!(browser.get("/marketplace/load-forecast").await.status, 404);
        assert!(page(&browser, &list).await.contains("Paused"));
    }

    async fn a_form_with_faults_is_shown_again_with_all_that_was_typed(app: &TestApp) {
        let ada = app.person_with_password("ada").await;
        let (org, application) = provider(&ada, "Grid").await;
        let browser = app.signed_in(&ada).await;
        let new = format!("/organizations/{org}/services/new");
        let wrong = [("meter_name", "rows"), ("meter_unit", "row"), ("meter_unit_price", "cheap"), ("meter_free_units", ""), ("terms_url", "nowhere")];
        let answer = send(&browser, &new, &filled(&application, &wrong)).await;
        assert_eq!(answer.status, 422);
        let shown = answer.text();
        for text in ["Price: &#34;cheap&#34;", "Tomorrow&#39;s load", "value=\"cheap\"", "Write an absolute address"] {
            assert!(shown.replace("&quot;", "&#34;").contains(text), "{text} is not in {shown}");
        }
        let more = send(&browser, &new, &filled(&application, &[("more", "1"), ("meter_name", "a"), ("meter_name", "b")])).await;
        assert_eq!(more.status, 200);
        assert_eq!(more.text().matches("name=\"meter_name\"").count(), 6);

        draft(&ada, &org, &service(&application, "Load forecast")).await;
        let taken = send(&browser, &new, &filled(&application, &[("handle", "load-forecast")])).await;
        assert_eq!(taken.status, 409);
        assert!(taken.text().contains("This handle is taken"));
    }

    async fn texts_are_edited_and_the_contract_is_not(app: &TestApp) {
        let ada = app.person_with_password("ada").await;
        let (org, application) = provider(&ada, "Grid").await;
        let handle = published(&ada, &org, &service(&application, "Load")).await;
        let browser = app.signed_in(&ada).await;
        let url = format!("/organizations/{org}/services/{handle}");
        let form = page(&browser, &format!("{url}/edit")).await;
        assert!(form.contains("value=\"Load\"") && form.contains("analytics") && !form.contains("plan_name"));
        let texts = [("name", "Load 2"), ("summary", "Better"), ("description", "x"), ("categories", "maps"), ("visibility", "public")];
        assert_eq!(send(&browser, &format!("{url}/edit"), &texts).await.status, 303);
        assert!(page(&browser, &url).await.contains("Load 2"));
        let wrong = [("name", ""), ("summary", "Better"), ("categories", "a/b"), ("visibility", "public")];
        let answer = send(&browser, &format!("{url}/edit"), &wrong).await;
        assert_eq!(answer.status, 422);
        assert!(answer.text().contains("must not be empty") && answer.text().contains("A category is a word"));
    }

    async fn what_a_role_may_not_do_is_not_offered_and_refused(app: &TestApp) {
        let ada = app.person("ada").await;
        let (org, application) = provider(&ada, "Grid").await;
        let handle = draft(&ada, &org, &service(&application, "Load")).await;
        let url = format!("/organizations/{org}/services/{handle}");
        let (_, viewer) = member(app, &ada, &org, "viewer", "viewer").await;
        let shown = page(&viewer, &url).await;
        assert!(!shown.contains("/publish\"") && !shown.contains("/edit\"") && shown.contains("A maintainer publishes it"));
        assert_eq!(viewer.get(&format!("/organizations/{org}/services/new")).await.status, 403);
        assert_eq!(send(&viewer, &format!("{url}/publish"), &[]).await.status, 403);

        let (_, editor) = member(app, &ada, &org, "editor", "editor").await;
        assert!(page(&editor, &url).await.contains("Ask to publish"));
        assert_eq!(send(&editor, &format!("{url}/publish"), &[]).await.status, 303);
        let shown = page(&editor, &url).await;
        assert!(shown.contains("decides whether it is published") && shown.contains(&format!("/organizations/{org}/requests")));

        let stranger = app.signed_in(&app.person_with_password("eve").await).await;
        assert_eq!(stranger.get(&url).await.status, 404);
        assert_eq!(stranger.get(&format!("/marketplace/{handle}")).await.status, 404);
        assert!(page(&stranger, "/marketplace").await.contains("The marketplace is still empty"));
        let nobody = app.browser();
        assert_eq!(nobody.get("/marketplace").await.header("location"), "/sign-in?next=%2Fmarketplace");
    }

    async fn the_marketplace_is_walked_page_by_page_and_filtered_by_links(app: &TestApp) {
        let ada = app.person_with_password("ada").await;
        let (org, application) = provider(&ada, "Grid").await;
        for number in 0..26 {
            published(&ada, &org, &service(&application, &format!("Service {number:02}"))).await;
        }
        let browser = app.signed_in(&ada).await;
        let first = page(&browser, "/marketplace?sort=name").await;
        assert!(first.contains("26 services") && first.contains("Service 23") && !first.contains("Service 24"));
        let next = first.split("href=\"").find_map(|rest| rest.split('"').next().filter(|href| href.contains("cursor="))).unwrap();
        let second = page(&browser, &next.replace("&#38;", "&").replace("&amp;", "&")).await;
        assert!(second.contains("Service 25") && !second.contains("Service 23"));
        assert!(first.contains("category=analytics") && first.contains("provider=grid"));
    }
}
