//! A real OpenID provider on loopback: discovery, keys, authorization with PKCE, and id tokens signed with RS256. It signs
//! in whom the test says, and misbehaves as the test says.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::{
    Form, Json, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use stoa_actions::{Clock, providers::Provider};
use stoa_domain::time::SECOND;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::TestClock;

/// How the provider behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manners {
    /// As it should.
    Honest,
    /// The id token has another nonce than was sent.
    WrongNonce,
    /// The id token is for another client.
    WrongAudience,
    /// The id token is over.
    Expired,
    /// The id token names another issuer.
    WrongIssuer,
    /// The person comes back with another state than was sent.
    WrongState,
    /// The id token is signed with a key that the provider does not publish.
    UnknownKey,
    /// The person is not let in.
    Refuses,
}

/// Whom the provider signs in.
#[derive(Debug, Clone)]
pub struct Somebody {
    /// How the provider knows the person.
    pub subject: String,
    /// The person's address.
    pub email: String,
    /// Whether the provider says that it has verified it.
    pub verified: bool,
}

struct Key {
    id: String,
    key: EncodingKey,
}

struct Held {
    manners: Manners,
    somebody: Somebody,
    key: Key,
    codes: HashMap<String, HashMap<String, String>>,
    count: usize,
}

struct Shared {
    issuer: String,
    clock: Arc<TestClock>,
    held: Mutex<Held>,
}

/// The provider, running until it is dropped.
pub struct OpenIdProvider {
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

fn new_key(number: usize) -> Key {
    let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).expect("a key");
    let der = aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair).expect("its form");
    // PKCS #8 of an RSA key is 26 bytes that say so, the last four an OCTET STRING's head, and the PKCS #1 form.
    let (head, pkcs1) = der.as_ref().split_at(26);
    assert_eq!(head[22], 0x04, "an OCTET STRING");
    Key { id: format!("key-{number}"), key: EncodingKey::from_rsa_der(pkcs1) }
}

impl OpenIdProvider {
    /// Starts it.
    pub async fn start(clock: Arc<TestClock>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let issuer = format!("http://{}", listener.local_addr().expect("an address"));
        let somebody = Somebody { subject: "ada-there".into(), email: "ada@people.example".into(), verified: true };
        let held = Held { manners: Manners::Honest, somebody, key: new_key(1), codes: HashMap::new(), count: 1 };
        let shared = Arc::new(Shared { issuer, clock, held: Mutex::new(held) });
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(description))
            .route("/keys", get(keys))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.expect("the provider runs") });
        Self { shared, server }
    }

    /// How an installation is told of it.
    pub fn configured(&self, name: &str) -> Provider {
        Provider {
            handle: name.to_lowercase(),
            name: name.to_owned(),
            issuer: self.shared.issuer.clone(),
            client_id: "stoa".into(),
            client_secret: Some("client secret".into()),
        }
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.shared.held.lock().expect("no panic before")
    }

    /// Changes how it behaves.
    pub fn behave(&self, manners: Manners) {
        self.held().manners = manners;
    }

    /// Changes whom it signs in.
    pub fn sign_in(&self, subject: &str, email: &str, verified: bool) {
        self.held().somebody = Somebody { subject: subject.to_owned(), email: email.to_owned(), verified };
    }

    /// Takes a new key; the one before is not published any more.
    pub fn rotate_keys(&self) {
        let mut held = self.held();
        held.count += 1;
        held.key = new_key(held.count);
    }
}

impl Drop for OpenIdProvider {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn description(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let at = |path: &str| format!("{}{path}", shared.issuer);
    Json(json!({
        "issuer": shared.issuer,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "jwks_uri": at("/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        "code_challenge_methods_supported": ["S256"],
    }))
}

async fn keys(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let held = shared.held.lock().expect("no panic before");
    let mut jwk = Jwk::from_encoding_key(&held.key.key, Algorithm::RS256).expect("a public key");
    jwk.common.key_id = Some(held.key.id.clone());
    let mut jwk = serde_json::to_value(jwk).expect("a public key");
    jwk["use"] = "sig".into();
    Json(json!({"keys": [jwk]}))
}

async fn authorize(State(shared): State<Arc<Shared>>, Query(asked): Query<HashMap<String, String>>) -> Response {
    let fits = asked.get("client_id").is_some_and(|id| id == "stoa")
        && asked.get("response_type").is_some_and(|kind| kind == "code")
        && asked.get("code_challenge_method").is_some_and(|method| method == "S256")
        && asked.get("scope").is_some_and(|scope| scope.split(' ').any(|one| one == "openid"));
    let (Some(back), Some(state), true) = (asked.get("redirect_uri").cloned(), asked.get("state").cloned(), fits) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let mut held = shared.held.lock().expect("no panic before");
    let state = if held.manners == Manners::WrongState { "another".to_owned() } else { state };
    if held.manners == Manners::Refuses {
        return Redirect::to(&format!("{back}?error=access_denied&state={state}")).into_response();
    }
    let code = format!("code-{}", held.codes.len() + 1);
    held.codes.insert(code.clone(), asked);
    Redirect::to(&format!("{back}?code={code}&state={state}")).into_response()
}

async fn token(State(shared): State<Arc<Shared>>, headers: HeaderMap, Form(form): Form<HashMap<String, String>>) -> Response {
    let refused = |error: &str| (StatusCode::BAD_REQUEST, Json(json!({"error": error}))).into_response();
    let expected = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode("stoa:client+secret"));
    if headers.get("authorization").is_none_or(|given| *given != *expected) {
        return refused("invalid_client");
    }
    let mut held = shared.held.lock().expect("no panic before");
    let Some(asked) = form.get("code").and_then(|code| held.codes.remove(code)) else { return refused("invalid_grant") };
    let challenge = form.get("code_verifier").map(|verifier| BASE64.encode(Sha256::digest(verifier)));
    if challenge.as_ref() != asked.get("code_challenge") || form.get("redirect_uri") != asked.get("redirect_uri") {
        return refused("invalid_grant");
    }
    let claims = claims(&shared, &held, asked.get("nonce").cloned().unwrap_or_default());
    let mut header = Header::new(Algorithm::RS256);
    header.kid = Some(held.key.id.clone());
    let unknown;
    let key = if held.manners == Manners::UnknownKey {
        unknown = new_key(99);
        &unknown.key
    } else {
        &held.key.key
    };
    let id_token = jsonwebtoken::encode(&header, &claims, key).expect("a token");
    Json(json!({"access_token": "opens nothing", "token_type": "Bearer", "expires_in": 60, "id_token": id_token})).into_response()
}

fn claims(shared: &Shared, held: &Held, nonce: String) -> Value {
    let now = shared.clock.now().micros() / SECOND;
    let is = |manners| held.manners == manners;
    json!({
        "iss": if is(Manners::WrongIssuer) { "https://other.example" } else { shared.issuer.as_str() },
        "sub": held.somebody.subject,
        "aud": if is(Manners::WrongAudience) { "another client" } else { "stoa" },
        "nonce": if is(Manners::WrongNonce) { "another".to_owned() } else { nonce },
        "iat": now - 10,
        "exp": if is(Manners::Expired) { now - 1 } else { now + 60 },
        "email": held.somebody.email,
        "email_verified": held.somebody.verified,
        "name": "Ada There",
    })
}
