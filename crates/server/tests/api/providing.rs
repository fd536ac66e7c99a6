//! Providing: pictures, links, the checklist, whom a private service is for, its end, the operator's review, and what each
//! move brings about.

use reqwest::Method;
use serde_json::{Value, json};
use stoa_domain::organizations::Key;
use stoa_store::params;
use stoa_testkit::{Answer, Client, Person, Setup, TestApp, api_tests};

use crate::{
    services::{draft, provider, published, service},
    trade::{Trade, decide, events, id},
    world::World,
};

/// A PNG of this size, as far as its header tells; `more` makes it larger.
pub fn png(width: u32, height: u32, more: usize) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes.extend([8, 6, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 1]);
    bytes.extend(b"IDAT");
    bytes.extend(vec![7; more]);
    bytes
}

async fn put(who: &Client, path: &str, bytes: Vec<u8>) -> Answer {
    who.send(who.request(Method::PUT, path).header("content-type", "image/png").body(bytes)).await
}

fn pointers(problem: &Value) -> Vec<&str> {
    problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect()
}

fn strings(of: &Value) -> Vec<&str> {
    of.as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect()
}

fn all() -> Value {
    json!({"mode": "all", "include_future": "yes"})
}

async fn consequences(who: &Client, service: &str, step: &str) -> Value {
    who.get(&format!("/api/v1/services/{service}/consequences?act={step}")).await.expect(200)
}

/// A test of its own on an installation whose operators review services.
async fn reviewed(app: &TestApp) -> TestApp {
    TestApp::start_with(app.database().fresh().await, Setup { review_services: true, ..Setup::default() }).await
}

api_tests! {
    async fn an_icon_and_screenshots_are_put_ordered_and_removed(app: &TestApp) {
        let ada = app.person("ada").await;
        let (org, application) = provider(&ada, "Grid").await;
        let handle = draft(&ada, &org, &service(&application, "Load")).await;
        let url = format!("/api/v1/services/{handle}");
        let shown = put(&ada, &format!("{url}/icon"), png(128, 128, 10)).await.expect(200);
        let icon = shown["icon"].as_str().unwrap().to_owned();
        let picture = ada.get(&icon).await;
        assert_eq!((picture.status, picture.bytes.clone()), (200, png(128, 128, 10)));
        assert_eq!(picture.header("content-type"), "image/png");
        assert_eq!(picture.header("cache-control"), "private, max-age=31536000, immutable");
        assert_eq!(picture.header("x-content-type-options"), "nosniff");
        assert_eq!(picture.header("content-security-policy"), "sandbox; default-src 'none'");
        let again = ada.request(Method::GET, &icon).header("if-none-match", picture.header("etag"));
        assert_eq!(ada.send(again).await.status, 304);
        ada.get(&format!("{url}/images/none")).await.expect_problem(404, "not_found");

        for (number, side) in [(1, 400), (2, 500), (3, 600)] {
            put(&ada, &format!("{url}/screenshots/{number}?alt=View%20{number}"), png(side, side, 10)).await.expect(200);
        }
        let alts = |of: &Value| of["screenshots"].as_array().unwrap().iter().map(|one| (one["number"].as_i64().unwrap(), one["alt"].as_str().unwrap().to_owned())).collect::<Vec<_>>();
        let pair = |number: i64, alt: &str| (number, alt.to_owned());
        let moved = ada.patch(&format!("{url}/screenshots/3"), json!({"number": 1, "alt": "First view"})).await.expect(200);
        assert_eq!(alts(&moved), [pair(1, "First view"), pair(2, "View 1"), pair(3, "View 2")]);
        assert_eq!((&moved["screenshots"][0]["width"], moved["icon"].as_str()), (&json!(600), Some(icon.as_str())));
        let less = ada.delete(&format!("{url}/screenshots/2")).await.expect(200);
        assert_eq!(alts(&less), [pair(1, "First view"), pair(2, "View 2")]);
        ada.delete(&format!("{url}/screenshots/3")).await.expect_problem(404, "not_found");
        let replaced = put(&ada, &format!("{url}/screenshots/1?alt=Anew"), png(700, 400, 10)).await.expect(200);
        assert_eq!(alts(&replaced), [pair(1, "Anew"), pair(2, "View 2")]);
        let bare = ada.delete(&format!("{url}/icon")).await.expect(200);
        assert_eq!(bare["icon"], Value::Null);
        ada.get(&icon).await.expect_problem(404, "not_found");
        let told = events(&ada, &org, "service.updated").await;
        assert!(told.iter().any(|one| one["data"]["changes"]["icon"]["to"].is_string()), "{told:?}");
        assert!(told.iter().any(|one| one["data"]["changes"]["screenshots"].is_object()));
        assert_eq!(ada.get(&url).await.expect(200)["screenshots"].as_array().unwrap().len(), 2);
    }

    async fn what_is_no_fitting_picture_is_refused_and_leaves_nothing(app: &TestApp) {
        let ada = app.person("ada").await;
        let (org, application) = provider(&ada, "Grid").await;
        let handle = draft(&ada, &org, &service(&application, "Load")).await;
        let (icon, shot) = (format!("/api/v1/services/{handle}/icon"), format!("/api/v1/services/{handle}/screenshots"));
        for bytes in [b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec(), b"GIF89a".to_vec(), Vec::new(), png(128, 64, 1), png(16, 16, 1)] {
            put(&ada, &icon, bytes).await.expect_problem(422, "bad_image");
        }
        put(&ada, &icon, png(128, 128, 600 * 1024)).await.expect_problem(413, "too_large");
        put(&ada, &format!("{shot}/1?alt=x"), png(128, 128, 1)).await.expect_problem(422, "bad_image");
        assert_eq!(pointers(&put(&ada, &format!("{shot}/1"), png(400, 400, 1)).await.expect_problem(422, "invalid")), ["/alt"]);
        assert_eq!(pointers(&put(&ada, &format!("{shot}/2?alt=x"), png(400, 400, 1)).await.expect_problem(422, "invalid")), ["/number"]);
        assert_eq!(pointers(&put(&ada, &format!("{shot}/9?alt=x"), png(400, 400, 1)).await.expect_problem(422, "invalid")), ["/number"]);
        ada.delete(&icon).await.expect_problem(404, "not_found");
        assert!(app.blob_keys().await.is_empty());
    }

    async fn pictures_are_seen_with_the_service_and_put_by_its_editors(app: &TestApp) {
        let (ada, eve, vic) = (app.person("ada").await, app.person("eve").await, app.person("vic").await);
        let (org, application) = provider(&ada, "Grid").await;
        ada.post(&format!("/api/v1/organizations/{org}/members"), json!({"members": [{"email": vic.user.email, "role": "viewer"}]})).await.expect(200);
        let handle = draft(&ada, &org, &service(&application, "Load")).await;
        let url = format!("/api/v1/services/{handle}");
        let icon = put(&ada, &format!("{url}/icon"), png(128, 128, 1)).await.expect(200)["icon"].as_str().unwrap().to_owned();
        put(&vic, &format!("{url}/icon"), png(128, 128, 2)).await.expect_problem(403, "forbidden");
        put(&eve, &format!("{url}/icon"), png(128, 128, 2)).await.expect_problem(404, "not_found");
        put(&app.anonymous(), &format!("{url}/icon"), png(128, 128, 2)).await.expect_problem(401, "unauthenticated");
        assert_eq!(vic.get(&icon).await.status, 200);
        eve.get(&icon).await.expect_problem(404, "not_found");
        ada.post(&format!("{url}/publish"), json!({})).await.expect(200);
        assert_eq!(eve.get(&icon).await.status, 200);
        assert_eq!(eve.get("/api/v1/marketplace").await.expect(200)["items"][0]["icon"], icon.as_str());
        put(&eve, &format!("{url}/icon"), png(128, 128, 2)).await.expect_problem(403, "forbidden");
    }

    async fn links_support_and_the_checklist(app: &TestApp) {
        let (ada, eve) = (app.person("ada").await, app.person("eve").await);
        let (org, application) = provider(&ada, "Grid").await;
        let mut body = service(&application, "Load");
        body["links"] = json!([{"name": "Docs", "url": "nowhere"}]);
        body["support"] = json!("call us");
        let problem = ada.post(&format!("/api/v1/organizations/{org}/services"), body.clone()).await.expect_problem(422, "invalid");
        assert_eq!(pointers(&problem), ["/links/0/url", "/support"]);
        body["links"] = json!([{"name": "Docs", "url": "https://docs.example"}]);
        body["support"] = json!("help@grid.example");
        let made = ada.post(&format!("/api/v1/organizations/{org}/services"), body).await.expect(201);
        assert_eq!((&made["links"][0]["name"], &made["support"]), (&json!("Docs"), &json!("help@grid.example")));
        let url = format!("/api/v1/services/{}", made["handle"].as_str().unwrap());
        let whats = |of: &Value| of["checklist"].as_array().unwrap().iter().map(|one| one["what"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        assert_eq!(whats(&made), ["icon", "screenshots"]);
        let changed = ada.patch(&url, json!({"links": [], "support": "", "description": "", "visibility": "private"})).await.expect(200);
        assert_eq!((&changed["links"], &changed["support"]), (&json!([]), &Value::Null));
        assert_eq!(whats(&changed), ["description", "icon", "screenshots", "support", "audience"]);
        assert!(changed["checklist"].as_array().unwrap().iter().all(|one| one["blocks"] == json!(false)), "advice blocks nothing");
        ada.patch(&url, json!({"visibility": "public"})).await.expect(200);
        ada.post(&format!("{url}/publish"), json!({})).await.expect(200);
        assert_eq!(eve.get(&url).await.expect(200).get("checklist"), None, "what is missing is the provider's matter");
    }

    async fn what_is_needed_blocks_the_publication_and_is_listed(app: &TestApp) {
        let ada = app.person("ada").await;
        let (org, application) = provider(&ada, "Grid").await;
        let handle = draft(&ada, &org, &service(&application, "Load")).await;
        let mut tx = app.stoa.db.begin().await.unwrap();
        tx.execute("update applications set deleted_at = 1", params![]).await.unwrap();
        tx.execute("update services set summary = ''", params![]).await.unwrap();
        tx.commit().await.unwrap();
        let url = format!("/api/v1/services/{handle}");
        let problem = ada.post(&format!("{url}/publish"), json!({})).await.expect_problem(409, "not_ready");
        assert_eq!(pointers(&problem), ["/application", "/summary"]);
        let seen = consequences(&ada, &handle, "publish").await;
        assert_eq!((&seen["to"], &seen["code"]), (&Value::Null, &json!("not_ready")));
        assert_eq!(ada.get(&url).await.expect(200)["state"], "draft");
    }

    async fn a_private_service_is_for_its_provider_and_the_organizations_it_names(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.draft("Secret", "private", "organization", &["Basic"]).await;
        trade.service("Open", "public").await;
        trade.pia.post(&format!("/api/v1/services/{service}/publish"), json!({})).await.expect(200);
        let url = format!("/api/v1/services/{service}");
        let market = format!("/api/v1/marketplace/{service}");
        let audience = format!("{url}/audience");
        let names = async |who: &Person| {
            let found = who.get("/api/v1/marketplace?sort=name").await.expect(200);
            let names: Vec<_> = found["items"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect();
            let counted = found["facets"]["levels"][0]["count"].as_i64().unwrap();
            assert_eq!((names.len() as i64, found["total"].as_i64().unwrap()), (counted, counted), "facets count what is seen");
            names
        };
        assert_eq!(names(&trade.vic).await, ["Open"]);
        assert_eq!(names(&trade.pol).await, ["Open", "Secret"], "members of the provider see it");
        trade.mia.get(&market).await.expect_problem(404, "not_found");
        trade.subscribe(&trade.mia, &service, all()).await.expect_problem(404, "not_found");

        trade.pol.send(trade.pol.request(Method::PUT, &format!("{audience}/grid"))).await.expect_problem(403, "forbidden");
        trade.mia.send(trade.mia.request(Method::PUT, &format!("{audience}/grid"))).await.expect_problem(404, "not_found");
        trade.pia.send(trade.pia.request(Method::PUT, &format!("{audience}/nobody"))).await.expect_problem(404, "not_found");
        for _ in 0..2 {
            trade.pia.send(trade.pia.request(Method::PUT, &format!("{audience}/grid"))).await.expect(204);
        }
        assert_eq!(trade.pol.get(&audience).await.expect(200)["items"][0]["handle"], "grid");
        assert_eq!(events(&trade.pia, "borealis", "service.audience_added").await.len(), 1);
        assert_eq!(names(&trade.vic).await, ["Open", "Secret"]);
        assert_eq!(names(&trade.sam).await, ["Open"]);
        trade.vic.get(&market).await.expect(200);
        trade.sam.get(&market).await.expect_problem(404, "not_found");
        trade.vic.get(&audience).await.expect_problem(403, "forbidden");
        let words = trade.vic.get("/api/v1/marketplace?q=secret").await.expect(200);
        assert_eq!((&words["total"], &words["facets"]["providers"][0]["count"]), (&json!(1), &json!(1)));

        // Only the named organization subscribes it, not every organization of whoever sees it.
        trade.mia.post("/api/v1/organizations", json!({"name": "Other"})).await.expect(201);
        let new = json!({"service": service, "projects": {"mode": "all", "include_future": "yes"}, "accept_terms": true});
        trade.mia.post("/api/v1/organizations/other/subscriptions", new).await.expect_problem(409, "not_offered");
        let subscription = trade.active(&service, all()).await;
        trade.pia.delete(&format!("{audience}/grid")).await.expect(204);
        assert_eq!(names(&trade.vic).await, ["Open"], "it is no longer listed");
        trade.vic.get(&market).await.expect(200);
        assert_eq!(trade.read(&subscription).await["state"], "active", "a live subscription stays");
        trade.cancel(&trade.mia, &subscription).await.expect(200);
        trade.vic.get(&market).await.expect_problem(404, "not_found");
    }

    async fn an_approval_after_the_list_changed_is_refused(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Secret", "private").await;
        let audience = format!("/api/v1/services/{service}/audience/grid");
        trade.pia.send(trade.pia.request(Method::PUT, &audience)).await.expect(204);
        let asked = trade.subscribe(&trade.vic, &service, all()).await.expect(201);
        let request = id(&asked["request"]);
        trade.pia.delete(&audience).await.expect(204);
        decide(&trade.rob, &request, "approve").await.expect_problem(409, "not_offered");
    }

    async fn the_end_of_a_service_is_announced_and_reached(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "public").await;
        let other = trade.service("Forecast 2", "public").await;
        let url = format!("/api/v1/services/{service}");
        let subscription = trade.active(&service, all()).await;
        app.clock.advance(1_000_000);
        let asked = trade.subscribe(&trade.vic, &other, all()).await.expect(201);

        trade.pia.post(&format!("{url}/retire"), json!({})).await.expect_problem(409, "wrong_state");
        let wrong = json!({"date": "2026-03-09", "successor": "forecast"});
        let problem = trade.pia.post(&format!("{url}/deprecate"), wrong).await.expect_problem(422, "invalid");
        assert_eq!(pointers(&problem), ["/date", "/successor"]);
        for who in [&trade.pat, &trade.pol] {
            who.post(&format!("{url}/deprecate"), json!({})).await.expect_problem(403, "forbidden");
        }
        trade.sam.post(&format!("{url}/deprecate"), json!({})).await.expect_problem(403, "forbidden");
        let before = consequences(&trade.pol, &service, "deprecate").await;
        assert_eq!(before["live"][0]["name"], "Grid");
        let says = strings(&before["says"]).join(" ");
        assert!(says.contains("takes no new subscriptions any more") && says.contains("1 organization is told"), "{says}");

        let done = trade.pia.post(&format!("{url}/deprecate"), json!({"date": "2026-06-30", "successor": "forecast-2"})).await.expect(200);
        assert_eq!((&done["state"], &done["deprecation"]["date"], &done["deprecation"]["successor"]), (&json!("deprecated"), &json!("2026-06-30"), &json!(other)));
        let told = events(&trade.vic, "grid", "service.deprecated").await;
        assert_eq!(told[0]["data"]["deprecation"]["successor"]["name"], "Forecast 2");
        app.write_mails().await;
        let mails: Vec<_> = app.mails().await.into_iter().filter(|mail| mail.rendered.text.contains("will retire Forecast")).collect();
        assert_eq!(mails.iter().map(|mail| mail.to.as_str()).collect::<Vec<_>>(), ["mia@people.example"], "maintainers of the subscriber");
        assert!(mails[0].rendered.text.contains("Borealis will retire Forecast, which Grid subscribes, on 30 June 2026 or later."), "{}", mails[0].rendered.text);
        assert!(mails[0].rendered.text.contains("recommends Forecast 2 instead"));
        // It has a page for everybody, is found by nobody, and is subscribed by nobody.
        trade.sam.get(&format!("/api/v1/marketplace/{service}")).await.expect(200);
        assert_eq!(trade.sam.get("/api/v1/marketplace?q=forecast").await.expect(200)["total"], 1);
        trade.subscribe(&trade.mia, &service, all()).await.expect_problem(409, "service_not_open");
        trade.pia.post(&format!("{url}/publish"), json!({})).await.expect_problem(409, "wrong_state");
        let earlier = trade.pia.post(&format!("{url}/deprecate"), json!({"date": "2026-06-29"})).await.expect_problem(422, "invalid");
        assert_eq!(pointers(&earlier), ["/date"]);
        trade.pia.post(&format!("{url}/deprecate"), json!({"date": "2026-07-31"})).await.expect(200);

        let refused = trade.pia.post(&format!("{url}/retire"), json!({})).await.expect_problem(409, "in_use");
        assert_eq!(refused["errors"], json!([{"pointer": format!("/subscriptions/{subscription}"), "detail": "Grid: active"}]));
        assert_eq!(consequences(&trade.pia, &service, "retire").await["errors"], refused["errors"], "what was said is what is refused");
        trade.cancel(&trade.mia, &subscription).await.expect(200);
        assert_eq!(trade.pia.post(&format!("{url}/retire"), json!({})).await.expect(200)["state"], "retired");
        trade.sam.get(&format!("/api/v1/marketplace/{service}")).await.expect_problem(404, "not_found");
        trade.pol.get(&url).await.expect(200);
        for step in ["publish", "pause", "deprecate", "retire"] {
            trade.pia.post(&format!("{url}/{step}"), json!({})).await.expect_problem(409, "wrong_state");
        }
        assert_eq!(trade.read(&id(&asked)).await["state"], "requested", "another service's request is nobody's matter here");
        app.write_mails().await;
        app.mails().await;
    }

    async fn what_ends_with_a_service_is_what_was_said_before(app: &TestApp) {
        let trade = Trade::new(app).await;
        for step in ["deprecate", "retire"] {
            let service = trade.service(&format!("To {step}"), "on_request").await;
            let asked = trade.subscribe(&trade.mia, &service, all()).await.expect(201);
            trade.pia.post(&format!("/api/v1/services/{service}/pause"), json!({})).await.expect(200);
            let (subscription, request) = (id(&asked), id(&asked["request"]));
            let said = consequences(&trade.pol, &service, step).await;
            assert_eq!(said["ends"][0]["subscription"], subscription.as_str());
            assert_eq!((said["ends"].as_array().unwrap().len(), said["closes"].as_array().unwrap().len()), (1, 1));
            assert_eq!(said["closes"][0]["request"], request.as_str());
            trade.pia.post(&format!("/api/v1/services/{service}/{step}"), json!({})).await.expect(200);
            let ended = trade.read(&subscription).await;
            assert_eq!((&ended["state"], &ended["requests"][0]["state"]), (&json!("withdrawn"), &json!("withdrawn")));
            decide(&trade.pat, &request, "approve").await.expect_problem(409, "request_closed");
        }
        app.write_mails().await;
        app.mails().await;
    }

    async fn a_wish_to_publish_is_closed_by_what_makes_it_needless(app: &TestApp) {
        let trade = Trade::new(app).await;
        let member = |email: &str| json!({"members": [{"email": email, "role": "editor"}]});
        trade.pia.post("/api/v1/organizations/borealis/members", member(&trade.sam.user.email)).await.expect(200);
        for step in ["publish", "retire"] {
            let service = trade.draft(&format!("To {step}"), "public", "organization", &["Basic"]).await;
            let asked = trade.sam.post(&format!("/api/v1/services/{service}/publish"), json!({})).await.expect(202);
            trade.pia.post(&format!("/api/v1/services/{service}/{step}"), json!({})).await.expect(200);
            let request = trade.sam.get(&format!("/api/v1/requests/{}", id(&asked["request"]))).await.expect(200);
            assert_eq!(request["state"], "withdrawn");
        }
    }

    async fn of_publishing_and_retiring_at_once_one_wins_and_the_other_is_told_why(app: &TestApp) {
        let trade = Trade::new(app).await;
        let mut won = [0, 0];
        for round in 0..12 {
            let service = trade.draft(&format!("Race {round}"), "public", "organization", &["Basic"]).await;
            let path = |step: &str| format!("/api/v1/services/{service}/{step}");
            let (publish, retire) = (path("publish"), path("retire"));
            // Whoever begins is not always the same.
            let (published, retired) = if round % 2 == 0 {
                tokio::join!(trade.pia.post(&publish, json!({})), trade.pia.post(&retire, json!({})))
            } else {
                let (retired, published) = tokio::join!(trade.pia.post(&retire, json!({})), trade.pia.post(&publish, json!({})));
                (published, retired)
            };
            let state = trade.pol.get(&format!("/api/v1/services/{service}")).await.expect(200)["state"].clone();
            match (published.status, retired.status) {
                (200, 409) => {
                    won[0] += 1;
                    assert_eq!(state, "published");
                    let told = retired.expect_problem(409, "wrong_state");
                    assert_eq!(told["detail"], "the service is published; it can't be retired before it is paused or deprecated");
                }
                (409, 200) => {
                    won[1] += 1;
                    assert_eq!(state, "retired");
                    assert_eq!(published.expect_problem(409, "wrong_state")["detail"], "the service is retired; it can't be published");
                }
                other => panic!("{other:?}: {published:?} {retired:?}"),
            }
        }
        assert_eq!(won[0] + won[1], 12);
    }

    async fn a_subscription_and_a_retirement_at_once_leave_nothing_live_behind(app: &TestApp) {
        let trade = Trade::new(app).await;
        for round in 0..6 {
            let service = trade.service(&format!("Race {round}"), "public").await;
            let url = format!("/api/v1/services/{service}");
            let deprecate = async {
                trade.pia.post(&format!("{url}/deprecate"), json!({})).await.expect(200);
                trade.pia.post(&format!("{url}/retire"), json!({})).await
            };
            let (retired, subscribed) = tokio::join!(deprecate, trade.subscribe(&trade.mia, &service, all()));
            let state = trade.pol.get(&url).await.expect(200)["state"].clone();
            match (retired.status, subscribed.status) {
                (200, 409) => assert_eq!(state, "retired"),
                (409, 201) => assert_eq!(state, "deprecated"),
                other => panic!("{other:?}"),
            }
        }
        app.write_mails().await;
        app.mails().await;
    }

    async fn a_reviewed_service_waits_for_an_operator(app: &TestApp) {
        let app = reviewed(app).await;
        let (trade, opa) = (Trade::new(&app).await, app.operator("opa").await);
        app.write_mails().await;
        app.mails().await;
        let service = trade.draft("Forecast", "public", "organization", &["Basic"]).await;
        let url = format!("/api/v1/services/{service}");
        let operated = format!("/api/v1/operator/services/{service}");
        opa.get(&operated).await.expect_problem(404, "not_found");
        let waits = trade.pia.post(&format!("{url}/publish"), json!({})).await.expect(202);
        assert_eq!((&waits["state"], waits.get("request")), (&json!("in_review"), None));
        app.write_mails().await;
        let mail = app.mail_to("opa@people.example").await;
        assert_eq!(mail.rendered.subject, "Forecast of Borealis waits for your review");
        assert!(mail.rendered.text.contains(&format!("/operator/services/{service}")));
        trade.sam.get(&format!("/api/v1/marketplace/{service}")).await.expect_problem(404, "not_found");
        assert_eq!(opa.get("/api/v1/operator/services?state=in_review&q=fore").await.expect(200)["items"][0]["provider"]["name"], "Borealis");
        opa.get("/api/v1/operator/services?state=nowhere").await.expect_problem(422, "invalid");
        trade.pia.post(&format!("{operated}/approve"), json!({})).await.expect_problem(404, "not_found");

        opa.post(&format!("{operated}/reject"), json!({"reason": ""})).await.expect_problem(422, "invalid");
        let back = opa.post(&format!("{operated}/reject"), json!({"reason": "say what it reads"})).await.expect(200);
        assert_eq!(back["state"], "draft");
        app.write_mails().await;
        let mail = app.mail_to("pia@people.example").await;
        assert!(mail.rendered.subject == "Forecast was not published" && mail.rendered.text.contains("say what it reads"), "{}", mail.rendered.text);
        assert_eq!(trade.pol.get(&url).await.expect(200)["review_note"], "say what it reads");

        trade.pia.post(&format!("{url}/publish"), json!({})).await.expect(202);
        trade.pia.post(&format!("{url}/publish"), json!({})).await.expect_problem(409, "wrong_state");
        assert_eq!(trade.pia.post(&format!("{url}/withdraw"), json!({})).await.expect(200)["state"], "draft");
        trade.pia.post(&format!("{url}/withdraw"), json!({})).await.expect_problem(409, "wrong_state");
        trade.pia.post(&format!("{url}/publish"), json!({})).await.expect(202);
        let read = opa.get(&operated).await.expect(200)["updated_at"].clone();
        app.clock.advance(1_000_000);
        trade.pia.patch(&url, json!({"summary": "Reads the meters"})).await.expect(200);
        // What is approved is what was read.
        opa.post(&format!("{operated}/approve"), json!({"updated_at": read})).await.expect_problem(409, "service_changed");
        let read = opa.get(&operated).await.expect(200)["updated_at"].clone();
        let published = opa.post(&format!("{operated}/approve"), json!({"comment": "well done", "updated_at": read})).await.expect(200);
        assert_eq!((&published["state"], &published["summary"]), (&json!("published"), &json!("Reads the meters")));
        opa.post(&format!("{operated}/approve"), json!({})).await.expect_problem(409, "wrong_state");
        app.write_mails().await;
        let mails = app.mails().await;
        assert_eq!(mails.iter().filter(|mail| mail.to == "pia@people.example").map(|mail| mail.rendered.subject.as_str()).collect::<Vec<_>>(), ["Forecast is published"]);
        let kinds: Vec<_> = events(&trade.pia, "borealis", "service").await.iter().map(|one| one["type"].as_str().unwrap().to_owned()).collect();
        assert_eq!(
            kinds,
            ["service.created", "service.review_asked", "service.review_rejected", "service.review_asked", "service.review_withdrawn",
             "service.review_asked", "service.updated", "service.published"]
        );
        // Paused and published again, it needs no other review.
        trade.pia.post(&format!("{url}/pause"), json!({})).await.expect(200);
        assert_eq!(trade.pia.post(&format!("{url}/publish"), json!({})).await.expect(200)["state"], "published");
        app.finish().await;
    }

    async fn an_editors_wish_to_publish_leads_to_the_review(app: &TestApp) {
        let app = reviewed(app).await;
        let trade = Trade::new(&app).await;
        trade.pia.post("/api/v1/organizations/borealis/members", json!({"members": [{"email": trade.sam.user.email, "role": "editor"}]})).await.expect(200);
        let service = trade.draft("Forecast", "public", "organization", &["Basic"]).await;
        let asked = trade.sam.post(&format!("/api/v1/services/{service}/publish"), json!({})).await.expect(202);
        assert_eq!(asked["state"], "draft");
        decide(&trade.pat, &id(&asked["request"]), "approve").await.expect(200);
        assert_eq!(trade.pol.get(&format!("/api/v1/services/{service}")).await.expect(200)["state"], "in_review");
        trade.sam.post(&format!("/api/v1/services/{service}/withdraw"), json!({})).await.expect_problem(403, "forbidden");
        app.finish().await;
    }

    async fn a_suspended_service_opens_nothing_at_once_and_goes_on_where_it_was(app: &TestApp) {
        let (world, opa) = (World::new(app).await, app.operator("opa").await);
        app.stoa.access.poll_once(app.stoa.clock.now()).await.unwrap();
        let service = world.service(app, "resources:read").await;
        let resources = "/api/v1/organizations/grid-works/projects/north/resources";
        service.get(resources).await.expect(200);
        let operated = format!("/api/v1/operator/services/{}", world.service);
        world.eve.post(&format!("{operated}/suspend"), json!({"reason": "x"})).await.expect_problem(404, "not_found");
        opa.post(&format!("{operated}/suspend"), json!({"reason": " "})).await.expect_problem(422, "invalid");
        let said = consequences(&opa, &world.service.to_string(), "suspend").await;
        assert!(strings(&said["says"]).join(" ").contains("1 subscription in force loses all access to data at once"), "{said}");
        world.eve.get(&format!("/api/v1/services/{}/consequences?act=suspend", world.service)).await.expect_problem(404, "not_found");
        let stopped = opa.post(&format!("{operated}/suspend"), json!({"reason": "reads too much"})).await.expect(200);
        assert_eq!((&stopped["state"], &stopped["suspension"]), (&json!("suspended"), &json!("reads too much")));
        service.get(resources).await.expect_problem(401, "unauthenticated");
        let resource = world.resource(app);
        let fields = [("grant_type", "client_credentials"), ("resource", resource.as_str())];
        assert_eq!(world.form(app, "/oauth2/token", &fields).await.json()["error"], "invalid_target");
        for step in ["publish", "pause", "deprecate", "retire"] {
            world.eve.post(&format!("/api/v1/services/{}/{step}", world.service), json!({})).await.expect_problem(409, "wrong_state");
        }
        assert_eq!(events(&world.ada, "grid-works", "service.suspended").await[0]["data"]["reason"], "reads too much");
        assert_eq!(world.ada.get(&format!("/api/v1/marketplace/{}", world.service)).await.expect(200)["state"], "suspended", "its subscribers see it");
        app.write_mails().await;
        let mut told: Vec<_> = app.mails().await.into_iter().map(|mail| (mail.to, mail.rendered.subject)).collect();
        told.sort();
        let expected = |who: &str| (format!("{who}@people.example"), "Forecast was suspended".to_owned());
        assert_eq!(told, [expected("ada"), expected("eve")]);

        opa.post(&format!("{operated}/unsuspend"), json!({})).await.expect(200);
        opa.post(&format!("{operated}/unsuspend"), json!({})).await.expect_problem(409, "wrong_state");
        service.get(resources).await.expect(200);
        app.write_mails().await;
        assert_eq!(app.mails().await.len(), 2);
    }

    async fn consequences_are_said_to_members_only(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "public").await;
        let path = format!("/api/v1/services/{service}/consequences");
        trade.sam.get(&format!("{path}?act=pause")).await.expect_problem(403, "forbidden");
        app.anonymous().get(&format!("{path}?act=pause")).await.expect_problem(401, "unauthenticated");
        trade.pol.get(&format!("{path}?act=explode")).await.expect_problem(422, "invalid");
        let said = trade.pol.get(&format!("{path}?act=pause")).await.expect(200);
        assert_eq!((&said["from"], &said["to"]), (&json!("published"), &json!("paused")));
        let said = trade.pol.get(&format!("{path}?act=retire")).await.expect(200);
        assert_eq!((&said["to"], &said["code"], said["says"].as_array().unwrap().len()), (&Value::Null, &json!("wrong_state"), 0));
    }

    async fn a_project_level_service_is_subscribed_for_one_project_by_an_editor(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.draft("Meter check", "public", "project", &["Basic"]).await;
        trade.pia.post(&format!("/api/v1/services/{service}/publish"), json!({})).await.expect(200);
        let subscribe = async |who: &Person, project: Value| {
            who.post("/api/v1/organizations/grid/subscriptions", json!({"service": service, "project": project, "accept_terms": true})).await
        };
        assert_eq!(pointers(&subscribe(&trade.eva, Value::Null).await.expect_problem(422, "invalid")), ["/project"]);
        let made = subscribe(&trade.eva, json!("north")).await.expect(201);
        assert_eq!(made["state"], "active", "an editor subscribes for a project at once");
        assert_eq!(trade.granted(&id(&made)).await, ["north"]);
        subscribe(&trade.eva, json!("north")).await.expect_problem(409, "already_subscribed");
        assert_eq!(subscribe(&trade.eva, json!("south")).await.expect(201)["state"], "active", "another project is another subscription");
        let asked = subscribe(&trade.vic, json!("east")).await.expect(201);
        assert_eq!(asked["state"], "requested", "a viewer asks");
        decide(&trade.rob, &id(&asked["request"]), "approve").await.expect(200);
        assert_eq!(trade.granted(&id(&asked)).await, ["east"]);
        trade.choose(&trade.mia, &id(&made), all()).await.expect_problem(409, "project_level");
        assert_eq!(consequences(&trade.pol, &service, "pause").await["live"].as_array().unwrap().len(), 3);
    }

    async fn what_a_deleted_provider_showed_is_erased(app: &TestApp) {
        let ada = app.person("ada").await;
        let (org, application) = provider(&ada, "Grid").await;
        let handle = published(&ada, &org, &service(&application, "Load")).await;
        put(&ada, &format!("/api/v1/services/{handle}/icon"), png(128, 128, 1)).await.expect(200);
        ada.post("/api/v1/organizations", json!({"name": "Named"})).await.expect(201);
        ada.send(ada.request(Method::PUT, &format!("/api/v1/services/{handle}/audience/named"))).await.expect(204);
        ada.delete(&format!("/api/v1/organizations/{org}?confirm=Grid")).await.expect(204);
        app.clock.advance(stoa_domain::organizations::RESTORABLE + 1);
        stoa_actions::jobs::tick(&app.stoa, app.stoa.clock.now()).await.unwrap();
        let mut conn = app.stoa.db.read().await.unwrap();
        let kept = stoa_store::services::find(&mut conn, &Key::read(&handle)).await.unwrap().unwrap();
        assert_eq!((kept.icon, kept.support, kept.links.len()), (None, None, 0));
        assert_eq!(stoa_store::services::audience::list(&mut conn, kept.provider, kept.id).await.unwrap(), []);
    }
}
