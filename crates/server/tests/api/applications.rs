//! Applications and their secrets.

use reqwest::Method;
use serde_json::{Value, json};
use stoa_domain::secrets::Secret;
use stoa_store::{applications, params};
use stoa_testkit::{Person, api_tests};

use crate::projects::grid;

const APPS: &str = "/api/v1/applications";

fn address(application: &Value) -> String {
    format!("{APPS}/{}", application["id"].as_str().unwrap())
}

async fn kinds(person: &Person) -> Vec<String> {
    let events = person.get("/api/v1/organizations/grid/events").await.expect(200);
    events["items"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
}

async fn names(person: &Person, query: &str) -> Vec<String> {
    let page = person.get(&format!("{APPS}{query}")).await.expect(200);
    page["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

api_tests! {
    async fn an_application_of_mine_is_mine_alone(app: &TestApp) {
        let ada = app.person("ada").await;
        let ben = app.person("ben").await;
        let new = json!({"name": "Reader", "redirect_uris": ["https://reader.example/callback"]});
        let made = ada.post(APPS, new).await.expect(201);
        assert_eq!(made["client_id"], made["id"]);
        assert_eq!(made["owner"]["kind"], "user");
        assert_eq!(made["owner"]["id"], json!(ada.id()));
        let found = ada.get(&address(&made)).await.expect(200);
        assert_eq!((&found["secrets"], &found["services"], &found["role"]), (&json!([]), &json!([]), &Value::Null));
        assert_eq!(names(&ada, "").await, ["Reader"]);
        assert!(names(&ben, "").await.is_empty());
        ben.get(&address(&made)).await.expect_problem(404, "not_found");
        ben.patch(&address(&made), json!({"name": "Mine"})).await.expect_problem(404, "not_found");
        ben.post(&format!("{}/secrets", address(&made)), json!({})).await.expect_problem(404, "not_found");
        ben.delete(&address(&made)).await.expect_problem(404, "not_found");

        let changed = ada.patch(&address(&made), json!({"description": "Reads meters", "redirect_uris": []})).await.expect(200);
        assert_eq!((&changed["name"], &changed["description"], &changed["redirect_uris"]), (&json!("Reader"), &json!("Reads meters"), &json!([])));
        ada.patch(&address(&made), json!({"redirect_uris": ["http://reader.example/#x"]})).await.expect_problem(422, "invalid");
        ada.delete(&address(&made)).await.expect(204);
        ada.get(&address(&made)).await.expect_problem(404, "not_found");
    }

    async fn an_organizations_application_is_seen_by_members_and_managed_by_editors_and_maintainers(app: &TestApp) {
        let [vera, rolf, edda, mira] = grid(app).await;
        let stranger = app.person("sten").await;
        let new = || json!({"name": "Forecast engine", "organization": "grid"});
        app.anonymous().post(APPS, new()).await.expect_problem(401, "unauthenticated");
        stranger.post(APPS, new()).await.expect_problem(404, "not_found");
        vera.post(APPS, new()).await.expect_problem(403, "forbidden");
        rolf.post(APPS, new()).await.expect_problem(403, "forbidden");
        edda.post(APPS, json!({"name": "", "organization": "grid"})).await.expect_problem(422, "invalid");
        let made = edda.post(APPS, new()).await.expect(201);
        assert_eq!((&made["owner"]["kind"], &made["owner"]["handle"]), (&json!("organization"), &json!("grid")));

        for member in [&vera, &rolf, &edda, &mira] {
            assert_eq!(names(member, "").await, ["Forecast engine"]);
            assert_eq!(names(member, "?organization=grid").await, ["Forecast engine"]);
            member.get(&address(&made)).await.expect(200);
        }
        stranger.get(&address(&made)).await.expect_problem(404, "not_found");
        stranger.get(&format!("{APPS}?organization=grid")).await.expect_problem(404, "not_found");
        app.anonymous().get(&address(&made)).await.expect_problem(401, "unauthenticated");
        app.anonymous().get(APPS).await.expect_problem(401, "unauthenticated");

        let secret = mira.post(&format!("{}/secrets", address(&made)), json!({})).await.expect(201);
        let secret = format!("{}/secrets/{}", address(&made), secret["id"].as_str().unwrap());
        for other in [&vera, &rolf] {
            other.patch(&address(&made), json!({"name": "X"})).await.expect_problem(403, "forbidden");
            other.post(&format!("{}/secrets", address(&made)), json!({})).await.expect_problem(403, "forbidden");
            other.delete(&secret).await.expect_problem(403, "forbidden");
            other.delete(&address(&made)).await.expect_problem(403, "forbidden");
        }
        for (method, path) in [(Method::PATCH, address(&made)), (Method::DELETE, address(&made)), (Method::POST, format!("{}/secrets", address(&made))), (Method::DELETE, secret.clone())] {
            let nobody = app.anonymous();
            nobody.send(nobody.request(method.clone(), &path).json(&json!({"name": "X"}))).await.expect_problem(401, "unauthenticated");
            stranger.send(stranger.request(method, &path).json(&json!({"name": "X"}))).await.expect_problem(404, "not_found");
        }
        edda.delete(&secret).await.expect(204);
        mira.patch(&address(&made), json!({"name": "Forecaster"})).await.expect(200);
        edda.delete(&address(&made)).await.expect(204);
        assert_eq!(kinds(&mira).await[5..], [
            "application.created", "application.secret_created", "application.secret_revoked", "application.updated", "application.deleted",
        ]);
    }

    async fn secrets_are_shown_once_several_live_and_a_revoked_one_is_gone(app: &TestApp) {
        let ada = app.person("ada").await;
        let made = ada.post(APPS, json!({"name": "Reader"})).await.expect(201);
        let secrets = format!("{}/secrets", address(&made));
        let first = ada.post(&secrets, json!({})).await.expect(201);
        let second = ada.send(ada.request(Method::POST, &secrets)).await.expect(201);
        let text = first["secret"].as_str().unwrap();
        let secret = Secret::read(text).unwrap();
        assert_ne!(first["secret"], second["secret"]);

        let id = made["id"].as_str().unwrap().parse().unwrap();
        let mut conn = app.stoa.db.read().await.unwrap();
        let kept = applications::find_secret(&mut conn, id, secret.hash()).await.unwrap().unwrap();
        assert_eq!(json!(kept.id), first["id"]);
        let found = ada.get(&address(&made)).await.expect(200);
        assert_eq!(found["live_secrets"], 2);
        assert_eq!(found["secrets"][0]["hint"], json!(&text[text.len() - 4..]));
        assert!(!found.to_string().contains(text));

        ada.delete(&format!("{secrets}/{}", first["id"].as_str().unwrap())).await.expect(204);
        ada.delete(&format!("{secrets}/{}", first["id"].as_str().unwrap())).await.expect_problem(404, "not_found");
        let mut conn = app.stoa.db.read().await.unwrap();
        assert_eq!(applications::find_secret(&mut conn, id, secret.hash()).await.unwrap(), None);

        for _ in 1..10 {
            ada.post(&secrets, json!({})).await.expect(201);
        }
        ada.post(&secrets, json!({})).await.expect_problem(409, "too_many_secrets");
        ada.delete(&address(&made)).await.expect(204);
        let second = Secret::read(second["secret"].as_str().unwrap()).unwrap();
        let mut conn = app.stoa.db.read().await.unwrap();
        assert_eq!(applications::find_secret(&mut conn, id, second.hash()).await.unwrap(), None);
    }

    async fn the_same_request_for_a_secret_gets_it_again_and_the_database_alone_opens_nothing(app: &TestApp) {
        let ada = app.person("ada").await;
        let made = ada.post(APPS, json!({"name": "Reader"})).await.expect(201);
        let ask = async || {
            let request = ada.request(Method::POST, &format!("{}/secrets", address(&made))).header("idempotency-key", "deploy-2026-03");
            ada.send(request).await.expect(201)
        };
        let first = ask().await;
        assert_eq!(ask().await, first);
        assert_eq!(ada.get(&address(&made)).await.expect(200)["live_secrets"], 1);

        let mut conn = app.stoa.db.read().await.unwrap();
        let rows = conn.fetch_all("select principal, key_hash, fingerprint, sealed_body from idempotency_keys", params![]).await.unwrap();
        assert_eq!(rows.len(), 1);
        let kept = format!("{:?} {}", rows, String::from_utf8_lossy(&rows[0].get::<Vec<u8>>(3).unwrap()));
        for clear in ["deploy-2026-03", "stoa_sec_", "secret"] {
            assert!(!kept.contains(clear), "{clear} lies in the clear");
        }
    }

    async fn the_list_is_paged_over_mine_and_my_organizations(app: &TestApp) {
        let [.., mira] = grid(app).await;
        for (name, organization) in [("Delta", None), ("Alpha", Some("grid")), ("Charlie", None), ("Bravo", Some("grid"))] {
            mira.post(APPS, json!({"name": name, "organization": organization})).await.expect(201);
        }
        let first = mira.get(&format!("{APPS}?limit=3")).await.expect(200);
        let rest = names(&mira, &format!("?limit=3&cursor={}", first["next_cursor"].as_str().unwrap())).await;
        assert_eq!(first["items"][1]["name"], "Bravo");
        assert_eq!(rest, ["Delta"]);
        assert_eq!(names(&mira, "?organization=grid").await, ["Alpha", "Bravo"]);
        mira.delete("/api/v1/organizations/grid?confirm=Grid").await.expect(204);
        assert_eq!(names(&mira, "").await, ["Charlie", "Delta"]);
    }

    async fn the_pages_make_a_secret_that_is_shown_once(app: &TestApp) {
        let mira = app.person_with_password("mira").await;
        mira.post("/api/v1/organizations", json!({"name": "Grid"})).await.expect(201);
        let browser = app.signed_in(&mira).await;
        let send = async |path: &str, form: &[(&str, &str)]| browser.send(browser.request(Method::POST, path).form(form)).await;
        assert!(browser.get("/organizations/grid/applications").await.text().contains("No applications yet"));
        let refused = send("/organizations/grid/applications", &[("name", "")]).await;
        assert_eq!(refused.status, 422, "{refused:?}");
        let made = send("/organizations/grid/applications", &[("name", "Forecast engine")]).await;
        let address = made.header("location").to_owned();
        assert!(made.status == 303 && address.starts_with("/organizations/grid/applications/app_"), "{made:?}");
        assert!(browser.get(&address).await.text().contains("Forecast engine is created."));

        let id = address.rsplit('/').next().unwrap().to_owned();
        let forms = format!("/applications/{id}");
        let shown = send(&format!("{forms}/secrets"), &[]).await;
        assert_eq!((shown.status, shown.header("cache-control")), (200, "no-store"), "{shown:?}");
        assert!(shown.text().contains("Copy this secret now."));
        let again = browser.get(&address).await.text();
        assert!(!again.contains("Copy this secret now.") && again.contains("stoa_sec_…"), "{again}");
        let secret = mira.get(&format!("{APPS}/{id}")).await.expect(200)["secrets"][0]["id"].as_str().unwrap().to_owned();
        assert_eq!(send(&format!("{forms}/secrets/{secret}/revoke"), &[]).await.status, 303);
        assert!(browser.get(&address).await.text().contains("The secret is revoked"));

        let wrong = send(&format!("{forms}/delete"), &[("confirm", "forecast")]).await;
        assert!(wrong.status == 422 && wrong.text().contains("exact name"), "{wrong:?}");
        let deleted = send(&format!("{forms}/delete"), &[("confirm", "Forecast engine")]).await;
        assert_eq!((deleted.status, deleted.header("location")), (303, "/organizations/grid/applications"));
        assert_eq!(browser.get(&address).await.status, 404);
        let other = mira.post(APPS, json!({"name": "Mine"})).await.expect(201);
        let of_nobodys = format!("/organizations/grid/applications/{}", other["id"].as_str().unwrap());
        assert_eq!(browser.get(&of_nobodys).await.status, 404);
    }
}
