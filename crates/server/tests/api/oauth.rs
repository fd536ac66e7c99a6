//! Tokens for applications: issuing, introspecting, revoking.

use reqwest::Method;
use serde_json::json;
use stoa_domain::{ids::Id, time::HOUR};
use stoa_store::params;
use stoa_testkit::{Answer, TestApp, api_tests};

use crate::world::World;

#[track_caller]
fn refused(answer: Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store", "{answer:?}");
    if status == 401 {
        assert!(answer.header("www-authenticate").starts_with("Basic "), "{answer:?}");
    }
    let body = answer.json();
    assert_eq!(body["error"], code, "{body}");
    assert!(!body["error_description"].as_str().unwrap().is_empty());
}

async fn ask(app: &TestApp, world: &World, fields: &[(&str, &str)]) -> Answer {
    let mut form = vec![("grant_type", "client_credentials")];
    form.extend_from_slice(fields);
    world.form(app, "/oauth2/token", &form).await
}

async fn with_basic(app: &TestApp, id: &str, secret: &str, fields: &[(&str, &str)]) -> Answer {
    let client = app.anonymous();
    client.send(client.request(Method::POST, "/oauth2/token").basic_auth(id, Some(secret)).form(fields)).await
}

async fn active(app: &TestApp, world: &World, token: &str) -> bool {
    world.form(app, "/oauth2/introspect", &[("token", token)]).await.expect(200)["active"].as_bool().unwrap()
}

api_tests! {
    async fn an_application_gets_a_token_for_a_subscription_by_form_or_by_header(app: &TestApp) {
        let world = World::new(app).await;
        let resource = world.resource(app);
        let answer = ask(app, &world, &[("resource", &resource)]).await;
        assert_eq!(answer.header("cache-control"), "no-store");
        let body = answer.expect(200);
        assert!(body["access_token"].as_str().unwrap().starts_with("stoa_at_"));
        assert_eq!((&body["token_type"], &body["expires_in"], &body["scope"]), (&json!("Bearer"), &json!(3600), &json!("resources:read resources:write")));

        let fields = [("grant_type", "client_credentials"), ("resource", resource.as_str()), ("scope", "resources:read")];
        let body = with_basic(app, &world.application.to_string(), world.secret.expose(), &fields).await.expect(200);
        assert_eq!(body["scope"], "resources:read");
    }

    async fn without_a_resource_the_token_is_the_services_own_and_reaches_no_project(app: &TestApp) {
        let world = World::new(app).await;
        let body = ask(app, &world, &[]).await.expect(200);
        assert_eq!(body["scope"], "");
        let token = body["access_token"].as_str().unwrap();
        let seen = world.form(app, "/oauth2/introspect", &[("token", token)]).await.expect(200);
        assert_eq!((&seen["active"], &seen["aud"], &seen["subscription"]), (&json!(true), &json!(app.url), &json!(null)));
        let service = app.anonymous().with_token(token);
        service.get(&format!("/gateway/authorize?project={}&permission=resources:read", world.north)).await.expect_problem(403, "forbidden");
        refused(ask(app, &world, &[("scope", "resources:read")]).await, 400, "invalid_scope");
    }

    async fn credentials_that_are_wrong_are_refused_alike(app: &TestApp) {
        let world = World::new(app).await;
        let id = world.application.to_string();
        let grant = [("grant_type", "client_credentials")];
        let wrong = stoa_domain::secrets::Secret::mint(stoa_domain::secrets::SecretKind::ApplicationSecret, [9; 32]);
        refused(with_basic(app, &id, wrong.expose(), &grant).await, 401, "invalid_client");
        refused(with_basic(app, &id, "guess", &grant).await, 401, "invalid_client");
        refused(with_basic(app, &world.subscription.to_string(), world.secret.expose(), &grant).await, 401, "invalid_client");
        let client = app.anonymous();
        refused(client.send(client.request(Method::POST, "/oauth2/token").form(&grant)).await, 401, "invalid_client");
        refused(client.send(client.request(Method::POST, "/oauth2/token").bearer_auth("x").form(&grant)).await, 401, "invalid_client");
        let personal = world.ada.token().unwrap().to_owned();
        refused(with_basic(app, &id, &personal, &grant).await, 401, "invalid_client");
        world.revoke_secret(&app.stoa).await;
        refused(ask(app, &world, &[]).await, 401, "invalid_client");
    }

    async fn a_request_that_is_not_right_says_what_is_wrong(app: &TestApp) {
        let world = World::new(app).await;
        let resource = world.resource(app);
        refused(world.form(app, "/oauth2/token", &[]).await, 400, "invalid_request");
        refused(world.form(app, "/oauth2/token", &[("grant_type", "password")]).await, 400, "unsupported_grant_type");
        refused(ask(app, &world, &[("grant_type", "client_credentials")]).await, 400, "invalid_request");
        refused(ask(app, &world, &[("resource", &resource), ("scope", "resources:read everything")]).await, 400, "invalid_scope");
        refused(ask(app, &world, &[("resource", &resource), ("resource", &resource)]).await, 400, "invalid_target");
        let client = app.anonymous();
        refused(client.post("/oauth2/token", json!({"grant_type": "client_credentials"})).await, 400, "invalid_request");
        let id = world.application.to_string();
        let both = [("grant_type", "client_credentials"), ("client_secret", world.secret.expose())];
        refused(with_basic(app, &id, world.secret.expose(), &both).await, 400, "invalid_request");
        refused(world.form(app, "/oauth2/introspect", &[]).await, 400, "invalid_request");
    }

    async fn a_resource_is_the_uri_of_an_open_subscription_of_ones_own_service(app: &TestApp) {
        let world = World::new(app).await;
        let resource = world.resource(app);
        let other = format!("{}/subscriptions/{}", app.url, stoa_domain::ids::SubscriptionId::from_uuid(world.service.uuid()));
        for wrong in [world.subscription.to_string(), format!("{resource}/"), resource.replace("http", "https"), other, "nonsense".into()] {
            refused(ask(app, &world, &[("resource", &wrong)]).await, 400, "invalid_target");
        }
        for (state, opens) in [("suspended", false), ("ending", true), ("requested", false), ("ended", false)] {
            world.set_state(&app.stoa, state).await;
            let answer = ask(app, &world, &[("resource", &resource)]).await;
            if opens { drop(answer.expect(200)) } else { refused(answer, 400, "invalid_target") }
        }
        world.set_state(&app.stoa, "active").await;
        world.ada.delete("/api/v1/organizations/grid-works?confirm=Grid%20Works").await.expect(204);
        refused(ask(app, &world, &[("resource", &resource)]).await, 400, "invalid_target");
    }

    async fn introspection_tells_what_a_token_is_and_of_others_nothing_but_that_they_are_not(app: &TestApp) {
        let world = World::new(app).await;
        let token = world.token(app, "resources:read").await;
        let seen = world.form(app, "/oauth2/introspect", &[("token", &token)]).await.expect(200);
        let start = 1_773_144_000;
        assert_eq!(seen["scope"], "resources:read");
        assert_eq!(seen["client_id"], json!(world.application));
        assert_eq!(seen["sub"], json!(world.application));
        assert_eq!((&seen["iat"], &seen["exp"]), (&json!(start), &json!(start + 3600)));
        assert_eq!(seen["aud"], json!(world.resource(app)));
        assert_eq!(seen["iss"], json!(app.url));
        assert_eq!(seen["organization"], json!(world.consumer));
        assert_eq!(seen["subscription"], json!(world.subscription));

        let unknown = stoa_domain::secrets::Secret::mint(stoa_domain::secrets::SecretKind::AccessToken, [9; 32]);
        for nothing in [unknown.expose(), "nonsense", world.ada.token().unwrap(), world.secret.expose()] {
            let seen = world.form(app, "/oauth2/introspect", &[("token", nothing)]).await.expect(200);
            assert_eq!(seen, json!({"active": false}));
        }
        let client = app.anonymous();
        refused(client.send(client.request(Method::POST, "/oauth2/introspect").form(&[("token", token.as_str())])).await, 401, "invalid_client");

        app.clock.advance(HOUR - 1);
        assert!(active(app, &world, &token).await);
        app.clock.advance(1);
        assert!(!active(app, &world, &token).await);
    }

    async fn a_revoked_token_opens_nothing_from_the_next_request_on(app: &TestApp) {
        let world = World::new(app).await;
        app.stoa.access.poll_once(app.stoa.clock.now()).await.unwrap();
        let (token, other) = (world.token(app, "").await, world.token(app, "").await);
        assert!(active(app, &world, &token).await);
        let answer = world.form(app, "/oauth2/revoke", &[("token", &token), ("token_type_hint", "access_token")]).await;
        assert_eq!((answer.status, answer.bytes.len()), (200, 0));
        assert!(!active(app, &world, &token).await);
        assert!(active(app, &world, &other).await);
        for again in [token.as_str(), "nonsense"] {
            assert_eq!(world.form(app, "/oauth2/revoke", &[("token", again)]).await.status, 200);
        }
        let kinds = world.eve.get("/api/v1/organizations/forecasters/events?type=application.token_revoked").await.expect(200);
        assert_eq!(kinds["items"].as_array().unwrap().len(), 1);
    }

    async fn nobody_revokes_the_token_of_another_application(app: &TestApp) {
        let world = World::new(app).await;
        let token = world.token(app, "").await;
        let secret = stoa_domain::secrets::Secret::mint(stoa_domain::secrets::SecretKind::ApplicationSecret, [7; 32]);
        let other = stoa_domain::ids::ApplicationId::from_uuid(world.service.uuid());
        let mut tx = app.stoa.db.begin().await.unwrap();
        tx.execute(
            "insert into applications (id, user_id, name, description, redirect_uris, created_at, updated_at) values ($1, $2, 'X', '', '[]', 0, 0)",
            params![other, world.ada.id()],
        ).await.unwrap();
        tx.execute(
            "insert into application_secrets (application_id, id, secret_hash, hint, created_at) values ($1, $2, $3, 'abcd', 0)",
            params![other, world.secret_id, secret.hash()],
        ).await.unwrap();
        tx.commit().await.unwrap();
        let client = app.anonymous();
        let form = [("token", token.as_str())];
        let send = |path: &str| client.send(client.request(Method::POST, path).basic_auth(other, Some(secret.expose())).form(&form));
        refused(send("/oauth2/revoke").await, 400, "unauthorized_client");
        assert_eq!(send("/oauth2/introspect").await.expect(200)["active"], true);
        let resource = world.resource(app);
        let fields = [("grant_type", "client_credentials"), ("resource", resource.as_str())];
        refused(with_basic(app, &other.to_string(), secret.expose(), &fields).await, 400, "invalid_target");
    }

    async fn the_use_of_a_secret_is_written_down_once_an_hour(app: &TestApp) {
        let world = World::new(app).await;
        let last_use = async || {
            let mut conn = app.stoa.db.read().await.unwrap();
            let sql = "select last_used_at from application_secrets where id = $1";
            conn.fetch_one(sql, params![world.secret_id]).await.unwrap().get::<Option<i64>>(0).unwrap()
        };
        assert_eq!(last_use().await, None);
        world.token(app, "").await;
        let first = last_use().await.unwrap();
        app.clock.advance(HOUR - 1);
        world.token(app, "").await;
        assert_eq!(last_use().await, Some(first));
        app.clock.advance(1);
        world.token(app, "").await;
        assert_eq!(last_use().await, Some(first + HOUR));
    }

    async fn the_metadata_names_what_there_is(app: &TestApp) {
        let found = app.anonymous().get("/.well-known/oauth-authorization-server").await.expect(200);
        assert_eq!(found["issuer"], json!(app.url));
        assert_eq!(found["token_endpoint"], json!(format!("{}/oauth2/token", app.url)));
        assert_eq!(found["grant_types_supported"], json!(["client_credentials"]));
        let document = app.anonymous().get("/api/openapi.json").await.expect(200);
        for path in ["/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"] {
            let form = &document["paths"][path]["post"]["requestBody"]["content"]["application/x-www-form-urlencoded"];
            assert!(form["schema"].is_object(), "{path}: {document}");
        }
    }

    async fn what_has_expired_is_removed(app: &TestApp) {
        let world = World::new(app).await;
        world.token(app, "").await;
        let tick = async || stoa_actions::jobs::tick(&app.stoa, app.stoa.clock.now()).await.unwrap();
        assert_eq!(tick().await.access_tokens, 0);
        let once = world.ada.request(Method::POST, "/api/v1/organizations").header("idempotency-key", "k").json(&json!({"name": "X"}));
        world.ada.send(once).await.expect(201);
        app.clock.advance(HOUR + 1);
        let swept = tick().await;
        assert_eq!((swept.access_tokens, swept.answers), (1, 0));
        app.clock.advance(23 * HOUR);
        assert_eq!(tick().await.answers, 1);
        assert_eq!(tick().await, stoa_actions::jobs::Swept::default());
    }
}
