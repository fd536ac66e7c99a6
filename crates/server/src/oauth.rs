//! OAuth 2 for applications: tokens (RFC 6749), introspection (RFC 7662), revocation (RFC 7009), metadata (RFC 8414).

use std::{collections::HashSet, sync::Arc};

use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::{Value, json};
use stoa_access::LiveClient;
use stoa_actions::oauth::{self, Credentials, Refused};
use stoa_domain::{
    services::DataPermission,
    time::{SECOND, Ts},
    tokens::scope_text,
};
use url::form_urlencoded;
use utoipa::ToSchema;

use crate::{App, network::ClientAddress, problem::ApiError, request_id::RequestId};

/// No answer of these endpoints may be kept by anybody in between.
const NO_STORE: [(HeaderName, &str); 2] = [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")];

/// Why an OAuth request was refused, as RFC 6749 writes it.
#[derive(Debug, Serialize, ToSchema)]
pub struct OAuthError {
    /// The code, such as `invalid_client`.
    pub error: String,
    /// What to do.
    pub error_description: String,
}

/// A refusal on its way out.
pub struct RefusedAnswer(Refused);

impl<E: Into<Refused>> From<E> for RefusedAnswer {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for RefusedAnswer {
    fn into_response(self) -> Response {
        let error = self.0.code().to_owned();
        let mut retry_after = None;
        let (status, error_description) = match self.0 {
            Refused::Failed(failure) => {
                let failure = ApiError::from(failure);
                failure.log();
                retry_after = failure.retry_after();
                (failure.status(), failure.problem().detail)
            }
            Refused::InvalidClient => (StatusCode::UNAUTHORIZED, Refused::InvalidClient.to_string()),
            refused => (StatusCode::BAD_REQUEST, refused.to_string()),
        };
        let mut response = (status, NO_STORE, Json(OAuthError { error, error_description })).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"stoa\", charset=\"UTF-8\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// The fields of a form, each at most once.
struct Fields(Vec<(String, String)>);

impl Fields {
    fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, Refused> {
        let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        let media = media.split(';').next().unwrap_or("").trim();
        if !media.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(Refused::InvalidRequest("send a form: Content-Type: application/x-www-form-urlencoded".into()));
        }
        // A parameter without a value counts as left out (RFC 6749, section 3.1).
        let fields: Vec<(String, String)> = form_urlencoded::parse(body).into_owned().filter(|(_, value)| !value.is_empty()).collect();
        let mut seen = HashSet::new();
        if let Some((twice, _)) = fields.iter().find(|(name, _)| !seen.insert(name.as_str())) {
            // Several resources would be legal (RFC 8707), but one token is for one subscription.
            return Err(match twice.as_str() {
                "resource" => Refused::InvalidTarget,
                name => Refused::InvalidRequest(format!("the parameter {name:?} stands there twice")),
            });
        }
        Ok(Self(fields))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    fn required(&self, name: &str) -> Result<&str, Refused> {
        self.get(name).ok_or_else(|| Refused::InvalidRequest(format!("the parameter {name} is missing")))
    }
}

/// A request by an application that showed who it is.
struct Authenticated {
    client: Arc<LiveClient>,
    fields: Fields,
    now: Ts,
}

async fn authenticated(app: &App, from: ClientAddress, headers: &HeaderMap, body: &[u8]) -> Result<Authenticated, Refused> {
    let fields = Fields::read(headers, body)?;
    let now = app.stoa.clock.now();
    let basic = basic(headers)?;
    let credentials = match (&basic, fields.get("client_id"), fields.get("client_secret")) {
        (Some(_), _, Some(_)) => {
            return Err(Refused::InvalidRequest("send the client secret in the header or in the form, not in both".into()));
        }
        (Some((id, _)), Some(other), None) if id != other => return Err(Refused::InvalidClient),
        (Some((id, secret)), _, None) => Credentials { client_id: id, client_secret: secret },
        (None, Some(id), Some(secret)) => Credentials { client_id: id, client_secret: secret },
        (None, _, _) => return Err(Refused::InvalidClient),
    };
    let client = oauth::authenticate(&app.stoa, &credentials, &from.network(), now).await?;
    Ok(Authenticated { client, fields, now })
}

/// Id and secret of an `Authorization: Basic` header, each form-encoded within it (RFC 6749, section 2.3.1).
fn basic(headers: &HeaderMap) -> Result<Option<(String, String)>, Refused> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let read = || {
        let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
        let decoded = STANDARD.decode(encoded.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
        let text = String::from_utf8(decoded).ok()?;
        let (id, secret) = text.split_once(':')?;
        let decode = |part: &str| percent_decode_str(&part.replace('+', " ")).decode_utf8().ok().map(|text| text.into_owned());
        Some((decode(id)?, decode(secret)?))
    };
    read().map(Some).ok_or(Refused::InvalidClient)
}

/// The form of a token request. The application shows who it is by `Authorization: Basic` or in the form.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it stands for the form in the API document; the form itself is read field by field")]
pub struct TokenForm {
    /// `client_credentials`.
    #[schema(example = "client_credentials")]
    grant_type: String,
    /// The `resource` of a subscription (RFC 8707); without it the token is the application's own.
    resource: Option<String>,
    /// Permissions with a space between, not more than the contract has; all of them when absent.
    #[schema(example = "resources:read")]
    scope: Option<String>,
    /// Where not in the header: the application's id.
    client_id: Option<String>,
    /// Where not in the header: one of its secrets.
    client_secret: Option<String>,
}

/// The form of a request about a token.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it stands for the form in the API document; the form itself is read field by field")]
pub struct AboutTokenForm {
    /// The access token.
    token: String,
    /// Not needed: each token says what it is.
    token_type_hint: Option<String>,
    /// Where not in the header: the application's id.
    client_id: Option<String>,
    /// Where not in the header: one of its secrets.
    client_secret: Option<String>,
}

/// An access token.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenView {
    /// What to send as `Authorization: Bearer …`; shown this once.
    pub access_token: String,
    /// `Bearer`
    pub token_type: &'static str,
    /// How many seconds it lives.
    pub expires_in: i64,
    /// Its permissions, with a space between.
    pub scope: String,
}

/// Issues an access token to an application.
///
/// An `Idempotency-Key` has no effect here: the text of a token is kept nowhere, so a repeated request gets a token of
/// its own.
#[utoipa::path(post, path = "/oauth2/token", tag = "oauth",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The token", body = TokenView),
        (status = 400, description = "invalid_request, invalid_scope, invalid_target or unsupported_grant_type", body = OAuthError),
        (status = 401, description = "invalid_client", body = OAuthError),
        (status = 429, description = "Too many wrong credentials; `Retry-After` says when to try again", body = OAuthError),
        (status = 503, description = "Try again in a moment", body = OAuthError),
    ))]
pub async fn token(State(app): State<App>, from: ClientAddress, headers: HeaderMap, body: Bytes) -> Result<Response, RefusedAnswer> {
    let Authenticated { client, fields, now } = authenticated(&app, from, &headers, &body).await?;
    if fields.required("grant_type")? != "client_credentials" {
        return Err(Refused::UnsupportedGrantType.into());
    }
    let issued = oauth::issue(&app.stoa, &client, fields.get("resource"), fields.get("scope"), now).await?;
    let view = TokenView {
        access_token: issued.secret.expose().to_owned(),
        token_type: "Bearer",
        expires_in: issued.expires_in,
        scope: scope_text(&issued.scope),
    };
    Ok((NO_STORE, Json(view)).into_response())
}

/// What a token is. Everything but `active` is absent when it is not active.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct IntrospectionView {
    /// Whether it opens anything now.
    pub active: bool,
    /// Its permissions, with a space between.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The application it was issued to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// `Bearer`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_type: Option<&'static str>,
    /// When it stops, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exp: Option<i64>,
    /// When it was issued, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iat: Option<i64>,
    /// For whom it speaks: the application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// For what it is: the `resource` of its subscription, or this installation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aud: Option<String>,
    /// Who issued it: this installation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// Its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// The organization that subscribed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// The subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<String>,
}

/// Tells an application what an access token is. Any application may ask about a token whose text it holds.
#[utoipa::path(post, path = "/oauth2/introspect", tag = "oauth",
    request_body(content = AboutTokenForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "What it is; not active for anything unknown, expired, revoked or closed", body = IntrospectionView),
        (status = 400, description = "invalid_request", body = OAuthError),
        (status = 401, description = "invalid_client", body = OAuthError),
        (status = 429, description = "Too many wrong credentials; `Retry-After` says when to try again", body = OAuthError),
        (status = 503, description = "Try again in a moment", body = OAuthError),
    ))]
pub async fn introspect(State(app): State<App>, from: ClientAddress, headers: HeaderMap, body: Bytes) -> Result<Response, RefusedAnswer> {
    let Authenticated { fields, now, .. } = authenticated(&app, from, &headers, &body).await?;
    let view = match oauth::introspect(&app.stoa, fields.required("token")?, now).await? {
        None => IntrospectionView::default(),
        Some(found) => IntrospectionView {
            active: true,
            scope: Some(scope_text(&found.token.scope)),
            client_id: Some(found.token.application.to_string()),
            token_type: Some("Bearer"),
            exp: Some(found.token.expires_at.micros().div_euclid(SECOND)),
            iat: Some(found.token.created_at.micros().div_euclid(SECOND)),
            sub: Some(found.token.application.to_string()),
            aud: Some(found.audience),
            iss: Some(app.stoa.public_url.to_string()),
            jti: Some(found.token.id.to_string()),
            organization: found.token.subscription.map(|(organization, _)| organization.to_string()),
            subscription: found.token.subscription.map(|(_, subscription)| subscription.to_string()),
        },
    };
    Ok((NO_STORE, Json(view)).into_response())
}

/// Revokes an access token of the application. The next request with it is refused.
#[utoipa::path(post, path = "/oauth2/revoke", tag = "oauth",
    request_body(content = AboutTokenForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "It opens nothing any more"),
        (status = 400, description = "invalid_request, or unauthorized_client for a token of another application", body = OAuthError),
        (status = 401, description = "invalid_client", body = OAuthError),
        (status = 429, description = "Too many wrong credentials; `Retry-After` says when to try again", body = OAuthError),
        (status = 503, description = "Try again in a moment", body = OAuthError),
    ))]
pub async fn revoke(
    State(app): State<App>,
    from: ClientAddress,
    request_id: Option<RequestId>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, RefusedAnswer> {
    let Authenticated { client, fields, now } = authenticated(&app, from, &headers, &body).await?;
    let token = fields.required("token")?;
    oauth::revoke(&app.stoa, &client, token, now, request_id.map(|id| id.0)).await?;
    Ok((StatusCode::OK, NO_STORE).into_response())
}

/// What there is of OAuth here, and where (RFC 8414).
#[utoipa::path(get, path = "/.well-known/oauth-authorization-server", tag = "oauth",
    responses((status = 200, description = "The metadata", body = Object)))]
pub async fn metadata(State(app): State<App>) -> Json<Value> {
    let url = &app.stoa.public_url;
    let methods = ["client_secret_basic", "client_secret_post"];
    let scopes: Vec<_> = DataPermission::ALL.iter().map(|permission| permission.word()).collect();
    Json(json!({
        "issuer": &**url,
        "token_endpoint": format!("{url}/oauth2/token"),
        "introspection_endpoint": format!("{url}/oauth2/introspect"),
        "revocation_endpoint": format!("{url}/oauth2/revoke"),
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
        "scopes_supported": scopes,
        "token_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": methods,
        "service_documentation": format!("{url}/api/docs"),
    }))
}
