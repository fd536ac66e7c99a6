//! How requests are read: credentials, paths, queries, bodies; every refusal is a problem document.

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{FromRequest, FromRequestParts, OptionalFromRequestParts, Path, Query, Request, rejection::JsonRejection},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{Serialize, de::DeserializeOwned};
use stoa_actions::{Act, Begun, Caller, Error, Who, tokens};
use stoa_domain::{
    ids::OrganizationId,
    secrets::{Secret, SecretKind},
    time::Ts,
};
use stoa_store::Conn;

use crate::{App, once::OnceKey, problem::ApiError, request_id::RequestId};

/// What a handler of the API answers.
pub type ApiResult<T = Response> = Result<T, ApiError>;

/// Who calls the API, by the `Authorization: Bearer` header, with the application's state.
pub struct Api {
    /// The state.
    pub app: App,
    /// Who, and when.
    pub caller: Caller,
    once: Option<OnceKey>,
}

impl Api {
    /// A connection for reading.
    ///
    /// # Errors
    /// 503.
    pub async fn read(&self) -> ApiResult<Conn> {
        Ok(self.app.stoa.db.read().await?)
    }

    /// Begins the request's action; a request that was answered before ends here with its first answer.
    ///
    /// # Errors
    /// 401, 409, 422, 503, and the first answer.
    pub async fn begin(&self) -> ApiResult<Act> {
        if self.caller.who == Who::Anonymous {
            return Err(Error::Unauthenticated.into());
        }
        let Some(once) = &self.once else { return Ok(Act::begin(&self.app.stoa, self.caller.clone()).await?) };
        match Act::begin_once(&self.app.stoa, self.caller.clone(), &once.key, once.fingerprint).await? {
            Begun::Fresh(act) => Ok(*act),
            Begun::Answered { status, body } => Err(ApiError::Answered { status, body }),
        }
    }
}

/// Commits an action and answers with a JSON body, which is kept for the request's `Idempotency-Key`.
///
/// # Errors
/// 503; then nothing happened.
pub async fn answer<T: Serialize>(act: Act, status: StatusCode, body: &T) -> ApiResult {
    let bytes =
        serde_json::to_vec(body).map_err(|bad| ApiError::request(StatusCode::INTERNAL_SERVER_ERROR, "internal", bad.to_string()))?;
    act.commit_answering(status.as_u16(), &bytes).await?;
    Ok((status, [(header::CONTENT_TYPE, "application/json")], bytes).into_response())
}

/// Commits an action and answers 204 without a body.
///
/// # Errors
/// 503; then nothing happened.
pub async fn done(act: Act) -> ApiResult {
    act.commit_answering(StatusCode::NO_CONTENT.as_u16(), &[]).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Commits an action that counts although it was refused, such as a wrong code, and answers with the refusal, which is kept for
/// the request's `Idempotency-Key`.
///
/// # Errors
/// The refusal; 503, then nothing happened.
pub async fn refuse(act: Act, error: Error) -> ApiResult {
    let refusal = ApiError::from(error);
    let body = serde_json::to_vec(&refusal.problem())
        .map_err(|bad| ApiError::request(StatusCode::INTERNAL_SERVER_ERROR, "internal", bad.to_string()))?;
    act.commit_answering(refusal.status().as_u16(), &body).await?;
    Err(refusal)
}

impl FromRequestParts<App> for Api {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let now = app.stoa.clock.now();
        let (who, within) = match bearer(&parts.headers)? {
            None => (Who::Anonymous, None),
            Some(secret) => authenticate(app, &secret, now).await?,
        };
        let request_id = parts.extensions.get::<RequestId>().map(|id| id.0.clone());
        let once = parts.extensions.get::<OnceKey>().cloned();
        Ok(Self { app: app.clone(), caller: Caller { who, within, now, request_id }, once })
    }
}

/// Who presented a token, and the only organizations it opens, if it is limited to some.
///
/// # Errors
/// 401 when it opens nothing; 503.
pub async fn authenticate(app: &App, secret: &Secret, now: Ts) -> ApiResult<(Who, Option<Vec<OrganizationId>>)> {
    match secret.kind() {
        SecretKind::PersonalToken => {
            let presented = tokens::authenticate(&app.stoa.db, secret, now).await?;
            Ok((Who::User(presented.user), presented.organizations))
        }
        SecretKind::AccessToken => match app.stoa.access.authenticate(secret.hash(), now).await? {
            Some(live) => Ok((Who::Service(live.into()), None)),
            None => Err(Error::InvalidToken.into()),
        },
        SecretKind::ApplicationSecret | SecretKind::Session | SecretKind::Invitation | SecretKind::Ceremony | SecretKind::Link => {
            Err(Error::InvalidToken.into())
        }
    }
}

/// The token of an `Authorization: Bearer` header (RFC 6750); `None` without the header.
///
/// # Errors
/// 401 when the header is there but is not a well-formed token of ours.
pub fn bearer(headers: &HeaderMap) -> ApiResult<Option<Secret>> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let text = value.to_str().map_err(|_| Error::Unauthenticated)?;
    let (scheme, token) = text.split_once(' ').ok_or(Error::Unauthenticated)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Error::Unauthenticated.into());
    }
    Ok(Some(Secret::read(token.trim()).ok_or(Error::InvalidToken)?))
}

/// A JSON body: 400 when it is not JSON, 415 without the media type, 422 when it does not have the shape.
pub struct ApiJson<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for ApiJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(value)) => Ok(Self(value)),
            Err(JsonRejection::JsonDataError(bad)) => {
                let text = bad.body_text();
                let detail = text.split_once(": ").map_or(text.as_str(), |(_, detail)| detail);
                let (pointer, detail) = match detail.split_once(": ") {
                    Some((path, detail)) if !path.contains(' ') => (pointer(path), detail.to_owned()),
                    _ => (String::new(), detail.to_owned()),
                };
                Err(Error::fault(pointer, detail).into())
            }
            Err(JsonRejection::MissingJsonContentType(_)) => Err(ApiError::request(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "send JSON with the header Content-Type: application/json",
            )),
            Err(JsonRejection::BytesRejection(bad)) => Err(ApiError::request(bad.status(), "bad_body", bad.body_text())),
            Err(bad) => Err(ApiError::request(StatusCode::BAD_REQUEST, "malformed_json", bad.body_text())),
        }
    }
}

/// A JSON body that may be absent; the rest is as with [`ApiJson`].
pub struct ApiMaybe<T>(pub T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for ApiMaybe<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let bytes = Bytes::from_request(Request::from_parts(parts.clone(), body), state).await;
        let bytes = bytes.map_err(|bad| ApiError::request(bad.status(), "bad_body", bad.body_text()))?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        let ApiJson(value) = ApiJson::from_request(Request::from_parts(parts, Body::from(bytes)), state).await?;
        Ok(Self(value))
    }
}

/// `members[0].email` as the JSON Pointer `/members/0/email`.
fn pointer(path: &str) -> String {
    if path == "." {
        return String::new();
    }
    format!("/{}", path.replace('[', ".").replace(']', "").replace("..", ".").replace('.', "/"))
}

/// A query string; 422 when it does not have the shape.
pub struct ApiQuery<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for ApiQuery<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match <Query<T> as FromRequestParts<S>>::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(bad) => Err(Error::fault("", bad.body_text()).into()),
        }
    }
}

/// Path segments; what does not read as the id it should be is not found.
pub struct ApiPath<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for ApiPath<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match <Path<T> as FromRequestParts<S>>::from_request_parts(parts, state).await {
            Ok(Path(value)) => Ok(Self(value)),
            Err(_) => Err(Error::NotFound("page or object").into()),
        }
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for RequestId {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Option<Self>, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}
