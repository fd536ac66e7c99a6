//! The provider's workspace and the operator's pages of services, as browsers use them, without scripts.

use reqwest::{
    Method,
    multipart::{Form, Part},
};
use serde_json::json;
use stoa_testkit::{Answer, Client, Person, Setup, TestApp, api_tests};

use crate::{
    forms::{member, send},
    providing::png,
    services::{draft, provider, published, service},
};

async fn upload(browser: &Client, path: &str, alt: Option<&str>, bytes: Vec<u8>) -> Answer {
    let mut form = Form::new();
    if let Some(alt) = alt {
        form = form.text("alt", alt.to_owned());
    }
    let file = Part::bytes(bytes).file_name("picture.png").mime_str("image/png").unwrap();
    browser.send(browser.request(Method::POST, path).multipart(form.part("file", file))).await
}

async fn page(browser: &Client, path: &str) -> String {
    let answer = browser.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.text()
}

/// Subscribes a service for an organization of the same person.
async fn subscribe(who: &Person, org: &str, service: &str) -> String {
    let new = json!({"service": service, "projects": {"mode": "all", "include_future": "yes"}, "accept_terms": true});
    let made = who.post(&format!("/api/v1/organizations/{org}/subscriptions"), new).await.expect(201);
    made["id"].as_str().unwrap().to_owned()
}

api_tests! {
    async fn pictures_are_added_and_shown_in_the_preview_and_on_the_marketplace(app: &TestApp) {
        let ada = app.person_with_password("ada").await;
        let (org, application) = provider(&ada, "Grid").await;
        let handle = draft(&ada, &org, &service(&application, "Load")).await;
        let browser = app.signed_in(&ada).await;
        let url = format!("/organizations/{org}/services/{handle}");
        let own = page(&browser, &url).await;
        for shown in ["Checklist", "Add an icon, by which people recognise it.", "/pictures\"", "/preview\""] {
            assert!(own.contains(shown), "{shown} is not in {own}");
        }
        assert_eq!(upload(&browser, &format!("{url}/icon"), None, png(128, 128, 1)).await.status, 303);
        assert_eq!(upload(&browser, &format!("{url}/screenshots"), Some("The forecast as a chart"), png(640, 400, 1)).await.status, 303);
        assert_eq!(upload(&browser, &format!("{url}/screenshots"), Some("A table"), png(640, 480, 1)).await.status, 303);
        assert_eq!(send(&browser, &format!("{url}/screenshots/2"), &[("alt", "The table"), ("move", "up")]).await.status, 303);
        let pictures = page(&browser, &format!("{url}/pictures")).await;
        assert!(pictures.find("alt=\"The table\"").unwrap() < pictures.find("alt=\"The forecast as a chart\"").unwrap());
        let preview = page(&browser, &format!("{url}/preview")).await;
        for shown in ["<b>Preview.</b>", "only members of Grid see this page", "alt=\"The table\"", "/marketplace/load/images/"] {
            assert!(preview.contains(shown), "{shown} is not in {preview}");
        }
        assert!(!preview.contains("/marketplace/load/subscribe"), "nobody subscribes a preview");
        let source = preview.split("src=\"").find_map(|rest| rest.split('"').next().filter(|src| src.contains("/images/"))).unwrap().to_owned();
        let picture = browser.get(&source).await;
        assert_eq!((picture.status, picture.header("content-type")), (200, "image/png"));
        assert_eq!(picture.header("cache-control"), "private, max-age=31536000, immutable");

        for (bytes, alt, status, told) in [
            (b"<svg/>".to_vec(), "x", 422, "Send a picture as PNG, JPEG or WebP"),
            (png(640, 400, 4 * 1024 * 1024), "x", 413, "bytes are taken here"),
            (png(640, 400, 1), "", 422, "Say what the screenshot shows"),
        ] {
            let refused = upload(&browser, &format!("{url}/screenshots"), Some(alt), bytes).await;
            assert_eq!(refused.status, status);
            assert!(refused.text().contains(told), "{told} is not in {}", refused.text());
        }
        assert_eq!(send(&browser, &format!("{url}/screenshots/1"), &[("alt", "")]).await.status, 422);
        assert_eq!(send(&browser, &format!("{url}/screenshots/1/remove"), &[]).await.status, 303);
        ada.post(&format!("/api/v1/services/{handle}/publish"), json!({})).await.expect(200);
        let market = page(&browser, "/marketplace").await;
        assert!(market.contains("<img class=\"mark sm\" src=\"/marketplace/load/images/"));
        assert_eq!(send(&browser, &format!("{url}/icon/remove"), &[]).await.status, 303);
        assert!(!page(&browser, "/marketplace").await.contains("<img class=\"mark"));

        let stranger = app.signed_in(&app.person_with_password("eve").await).await;
        for path in [format!("{url}/preview"), format!("{url}/pictures")] {
            assert_eq!(stranger.get(&path).await.status, 404, "{path}");
        }
        let (_, viewer) = member(app, &ada, &org, "viewer", "viewer").await;
        assert_eq!(viewer.get(&format!("{url}/pictures")).await.status, 403);
        assert_eq!(viewer.get(&format!("{url}/preview")).await.status, 200);
        assert_eq!(upload(&viewer, &format!("{url}/icon"), None, png(128, 128, 1)).await.status, 403);
    }

    async fn links_and_support_are_edited_with_each_fault_at_its_row(app: &TestApp) {
        let ada = app.person_with_password("ada").await;
        let (org, application) = provider(&ada, "Grid").await;
        let handle = published(&ada, &org, &service(&application, "Load")).await;
        let browser = app.signed_in(&ada).await;
        let edit = format!("/organizations/{org}/services/{handle}/edit");
        let form = |url: &'static str, support: &'static str| {
            [
                ("name", "Load"), ("summary", "Reads"), ("description", ""), ("categories", ""), ("visibility", "public"), ("link_name", ""),
                ("link_url", ""), ("link_name", "Docs"), ("link_url", url), ("support", support),
            ]
        };
        let refused = send(&browser, &edit, &form("nowhere", "call us")).await;
        assert_eq!(refused.status, 422);
        assert!(refused.text().contains("Write an absolute address") && refused.text().contains("Write an e-mail address, or an address that starts"));
        assert_eq!(send(&browser, &edit, &form("https://docs.example", "help@grid.example")).await.status, 303);
        let shown = page(&browser, &format!("/marketplace/{handle}")).await;
        assert!(shown.contains("href=\"https://docs.example\"") && shown.contains("href=\"mailto:help@grid.example\""));
        let again = page(&browser, &edit).await;
        assert!(again.contains("value=\"Docs\"") && again.contains("value=\"help@grid.example\""));
    }

    async fn each_act_says_first_what_happens(app: &TestApp) {
        let ada = app.person_with_password("ada").await;
        let (org, application) = provider(&ada, "Grid").await;
        let handle = draft(&ada, &org, &service(&application, "Load")).await;
        let successor = published(&ada, &org, &service(&application, "Load 2")).await;
        ada.post("/api/v1/organizations", json!({"name": "Consumer"})).await.expect(201);
        let browser = app.signed_in(&ada).await;
        let url = format!("/organizations/{org}/services/{handle}");
        assert!(page(&browser, &format!("{url}/publish")).await.contains("is on the marketplace and takes subscriptions"));
        assert_eq!(send(&browser, &format!("{url}/publish"), &[]).await.status, 303);
        let subscription = subscribe(&ada, "consumer", &handle).await;
        let pause = page(&browser, &format!("{url}/pause")).await;
        assert!(pause.contains("1 subscription in force goes on as it is now.") && pause.contains("<b>Consumer</b>"), "{pause}");
        let retire = page(&browser, &format!("{url}/retire")).await;
        assert!(retire.contains("before it is paused or deprecated") && !retire.contains("Retire</button>"));
        let deprecate = page(&browser, &format!("{url}/deprecate")).await;
        assert!(deprecate.contains("value=\"2026-06-08\"") && deprecate.contains("1 organization is told"), "{deprecate}");
        let refused = send(&browser, &format!("{url}/deprecate"), &[("date", "2026-01-01"), ("successor", "nobody")]).await;
        assert_eq!(refused.status, 422);
        assert!(refused.text().contains("or a later day") && refused.text().contains("another service that is published"));
        assert_eq!(send(&browser, &format!("{url}/deprecate"), &[("date", "2026-06-30"), ("successor", &successor)]).await.status, 303);
        let own = page(&browser, &url).await;
        assert!(own.contains("will be retired on 30 June 2026 or later") && own.contains("Move the end"));
        for path in [format!("/marketplace/{handle}"), format!("/organizations/consumer/subscriptions/{subscription}/usage")] {
            let shown = page(&browser, &path).await;
            assert!(shown.contains("will be retired on 30 June 2026 or later"), "{path}: {shown}");
            assert!(shown.contains(&format!("href=\"/marketplace/{successor}\"")), "{path} leads to the successor");
        }
        let retire = send(&browser, &format!("{url}/retire"), &[]).await;
        assert_eq!(retire.status, 409);
        assert!(retire.text().contains("1 subscription is in force") && retire.text().contains("Consumer: active."), "{}", retire.text());
        ada.post(&format!("/api/v1/organizations/consumer/subscriptions/{subscription}/cancel"), json!({})).await.expect(200);
        assert!(page(&browser, &format!("{url}/retire")).await.contains("Retire</button>"));
        assert_eq!(send(&browser, &format!("{url}/retire"), &[]).await.status, 303);
        let own = page(&browser, &url).await;
        assert!(own.contains("Retired: it is over.") && !own.contains("dlg-service-act"));

        let other = format!("/organizations/{org}/services/{successor}");
        for role in ["viewer", "reviewer", "editor"] {
            let (_, browser) = member(app, &ada, &org, role, role).await;
            assert!(!page(&browser, &other).await.contains("dlg-service-act"), "{role} is offered nothing");
            for step in ["pause", "deprecate", "retire", "withdraw"] {
                assert_eq!(browser.get(&format!("{other}/{step}")).await.status, 403, "{role} {step}");
                assert_eq!(send(&browser, &format!("{other}/{step}"), &[]).await.status, 403, "{role} {step}");
            }
        }
        app.write_mails().await;
        app.mails().await;
    }

    async fn an_editor_asks_to_publish_with_a_note(app: &TestApp) {
        let ada = app.person("ada").await;
        let (org, application) = provider(&ada, "Grid").await;
        let handle = draft(&ada, &org, &service(&application, "Load")).await;
        let (_, editor) = member(app, &ada, &org, "editor", "editor").await;
        let url = format!("/organizations/{org}/services/{handle}");
        let asked = page(&editor, &format!("{url}/publish")).await;
        assert!(asked.contains("A reviewer or maintainer of your organization decides.") && asked.contains("Note to whoever decides"));
        assert_eq!(send(&editor, &format!("{url}/publish"), &[("note", "It is ready.")]).await.status, 303);
        assert_eq!(send(&editor, &format!("{url}/publish"), &[("note", "")]).await.status, 409);
        let found = ada.get(&format!("/api/v1/organizations/{org}/requests")).await.expect(200);
        assert_eq!(found["items"][0]["note"], "It is ready.");
    }

    async fn organizations_are_named_on_a_page(app: &TestApp) {
        let (ada, eve) = (app.person_with_password("ada").await, app.person_with_password("eve").await);
        let (org, application) = provider(&ada, "Grid").await;
        eve.post("/api/v1/organizations", json!({"name": "Works"})).await.expect(201);
        let mut body = service(&application, "Load");
        body["visibility"] = json!("private");
        let handle = published(&ada, &org, &body).await;
        let (browser, hers) = (app.signed_in(&ada).await, app.signed_in(&eve).await);
        let url = format!("/organizations/{org}/services/{handle}/audience");
        assert!(page(&browser, &url).await.contains("Nobody is named yet"));
        assert_eq!(hers.get(&format!("/marketplace/{handle}")).await.status, 404);
        let wrong = send(&browser, &url, &[("organization", "nobody")]).await;
        assert!(wrong.status == 422 && wrong.text().contains("There is no such organization"), "{wrong:?}");
        assert_eq!(send(&browser, &url, &[("organization", "works")]).await.status, 303);
        assert!(page(&browser, &url).await.contains("<b>Works</b>"));
        assert!(page(&hers, "/marketplace").await.contains("Load") && page(&hers, &format!("/marketplace/{handle}")).await.contains("Subscribe"));
        assert_eq!(send(&browser, &format!("{url}/works/remove"), &[]).await.status, 303);
        assert_eq!(hers.get(&format!("/marketplace/{handle}")).await.status, 404);
        let (_, viewer) = member(app, &ada, &org, "viewer", "viewer").await;
        assert!(!page(&viewer, &url).await.contains("Add to the list"));
        assert_eq!(send(&viewer, &url, &[("organization", "works")]).await.status, 403);
        assert_eq!(hers.get(&url).await.status, 404);
    }

    async fn operators_review_and_stop_services_on_their_pages(app: &TestApp) {
        let app = TestApp::start_with(app.database().fresh().await, Setup { review_services: true, ..Setup::default() }).await;
        let (ada, opa) = (app.person_with_password("ada").await, app.operator("opa").await);
        let (org, application) = provider(&ada, "Grid").await;
        let handle = draft(&ada, &org, &service(&application, "Load")).await;
        let (browser, operator) = (app.signed_in(&ada).await, app.signed_in(&opa).await);
        let url = format!("/organizations/{org}/services/{handle}");
        assert!(page(&browser, &format!("{url}/publish")).await.contains("An operator reviews Load"));
        assert_eq!(send(&browser, &format!("{url}/publish"), &[]).await.status, 303);
        let own = page(&browser, &url).await;
        assert!(own.contains("is in review: an operator decides") && own.contains("Take back"), "{own}");
        let list = page(&operator, "/operator/services?state=in_review").await;
        assert!(list.contains("Load in one line") && list.contains("wait here for your review"));
        let operated = format!("/operator/services/{}", ada.get(&format!("/api/v1/services/{handle}")).await.expect(200)["id"].as_str().unwrap());
        assert!(page(&operator, &operated).await.contains("Approve and publish"));
        assert_eq!(send(&operator, &format!("{operated}/reject"), &[("reason", "")]).await.status, 422);
        assert_eq!(send(&operator, &format!("{operated}/reject"), &[("reason", "say more")]).await.status, 303);
        assert_eq!(operator.get(&operated).await.status, 404, "a draft is its provider's alone");
        let own = page(&browser, &url).await;
        assert!(own.contains("The operator&#39;s review did not publish it: Say more."), "{own}");
        assert_eq!(send(&browser, &format!("{url}/publish"), &[]).await.status, 303);
        assert_eq!(send(&browser, &format!("{url}/withdraw"), &[]).await.status, 303);
        assert_eq!(send(&browser, &format!("{url}/publish"), &[]).await.status, 303);
        let read = |text: &str| text.split("name=\"updated_at\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let before = read(&page(&operator, &operated).await);
        app.clock.advance(1_000_000);
        ada.patch(&format!("/api/v1/services/{handle}"), json!({"summary": "Load, told anew"})).await.expect(200);
        let approve = async |read: &str| send(&operator, &format!("{operated}/approve"), &[("comment", "fine"), ("updated_at", read)]).await;
        let refused = approve(&before).await;
        assert!(refused.status == 409 && refused.text().contains("has changed the service since you read it"), "{refused:?}");
        let now = read(&refused.text());
        assert_eq!(approve(&now).await.status, 303);
        let shown = page(&operator, &operated).await;
        assert!(shown.contains("leaves the marketplace, and its tokens open no project") && !shown.contains("Approve and publish"), "{shown}");
        assert_eq!(send(&operator, &format!("{operated}/suspend"), &[("reason", "reads too much")]).await.status, 303);
        assert!(page(&browser, &url).await.contains("Reads too much."));
        assert_eq!(send(&operator, &format!("{operated}/unsuspend"), &[]).await.status, 303);
        assert_eq!(browser.get(&format!("/marketplace/{handle}")).await.status, 200);
        for path in ["/operator/services", operated.as_str()] {
            assert_eq!(browser.get(path).await.status, 404, "{path}");
        }
        assert_eq!(send(&browser, &format!("{operated}/suspend"), &[("reason", "x")]).await.status, 404);
        app.finish().await;
    }
}
