//! Refusals as RFC 9457 problem details, each with a stable `code`.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use stoa_actions::{Error, Refusal};
use stoa_domain::{
    limits::TooMany,
    text::{Fault, Faults},
};
use stoa_store::StoreError;
use utoipa::{IntoResponses, ToSchema};

/// A problem document (RFC 9457).
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// A URI that names the kind of problem: `urn:stoa:problem:<code>`.
    pub r#type: String,
    /// What the status means.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened here and what to do.
    pub detail: String,
    /// The stable code; programs decide by it.
    pub code: String,
    /// What is wrong with the input, each with a JSON Pointer (RFC 6901).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<ProblemFault>,
}

/// One thing wrong with the input.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProblemFault {
    /// Where, as a JSON Pointer.
    pub pointer: String,
    /// What is wrong and what to write instead.
    pub detail: String,
}

impl From<Fault> for ProblemFault {
    fn from(fault: Fault) -> Self {
        Self { pointer: fault.pointer, detail: fault.detail }
    }
}

/// Why a request was not answered as asked.
#[derive(Debug)]
pub enum ApiError {
    /// An action did not happen.
    Action(Error),
    /// The request itself can't be read.
    Request {
        /// The status.
        status: StatusCode,
        /// The stable code.
        code: &'static str,
        /// What to do.
        detail: String,
    },
    /// The request was answered before: the first answer again.
    Answered {
        /// The first status.
        status: u16,
        /// The first body.
        body: Vec<u8>,
    },
}

impl<E: Into<Error>> From<E> for ApiError {
    fn from(error: E) -> Self {
        Self::Action(error.into())
    }
}

impl ApiError {
    /// A request that can't be read.
    pub fn request(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self::Request { status, code, detail: detail.into() }
    }

    /// Status, problem and faults of an action that did not happen.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Request { status, .. } => *status,
            Self::Answered { status, .. } => StatusCode::from_u16(*status).unwrap_or(StatusCode::OK),
            Self::Action(error) => match error {
                Error::Unauthenticated | Error::InvalidToken | Error::TokenExpired(_) | Error::BadSignIn | Error::Suspended => {
                    StatusCode::UNAUTHORIZED
                }
                Error::UsersOnly | Error::ServicesOnly | Error::Scope(_) | Error::Refused(_) | Error::NotYours { .. } => {
                    StatusCode::FORBIDDEN
                }
                Error::NotFound(_) => StatusCode::NOT_FOUND,
                Error::Invalid(_) | Error::Unfit { .. } => StatusCode::UNPROCESSABLE_ENTITY,
                Error::Conflict { .. } | Error::Blocked { .. } => StatusCode::CONFLICT,
                Error::Stale => StatusCode::PRECONDITION_FAILED,
                Error::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
                Error::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
                Error::Body(_) => StatusCode::BAD_REQUEST,
                Error::Store(StoreError::Busy | StoreError::Unavailable(_)) => StatusCode::SERVICE_UNAVAILABLE,
                Error::Store(_) | Error::Hashing(_) | Error::Sealing => StatusCode::INTERNAL_SERVER_ERROR,
            },
        }
    }

    /// The problem document. What went wrong inside is logged, not told.
    pub fn problem(&self) -> Problem {
        let status = self.status();
        let (code, detail, faults) = match self {
            Self::Request { code, detail, .. } => (*code, detail.clone(), Faults::new()),
            Self::Answered { .. } => ("answered", String::new(), Faults::new()),
            Self::Action(error) => match error {
                Error::Invalid(faults) | Error::Blocked { because: faults, .. } => (error.code(), error.to_string(), faults.clone()),
                Error::Store(StoreError::Busy | StoreError::Unavailable(_)) => {
                    (error.code(), "the database is busy or out of reach; try again in a moment".to_owned(), Faults::new())
                }
                Error::Store(_) | Error::Hashing(_) | Error::Sealing => {
                    (error.code(), "something went wrong here; the log has it under this request's id".to_owned(), Faults::new())
                }
                _ => (error.code(), error.to_string(), Faults::new()),
            },
        };
        Problem {
            r#type: format!("urn:stoa:problem:{code}"),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail,
            code: code.to_owned(),
            errors: faults.into_vec().into_iter().map(ProblemFault::from).collect(),
        }
    }

    /// How a client should authenticate instead (RFC 6750, section 3).
    fn challenge(&self) -> Option<&'static str> {
        match self {
            Self::Action(Error::InvalidToken | Error::TokenExpired(_)) => Some("Bearer error=\"invalid_token\""),
            Self::Action(Error::Scope(_)) => Some("Bearer error=\"insufficient_scope\""),
            _ => (self.status() == StatusCode::UNAUTHORIZED).then_some("Bearer"),
        }
    }

    /// After how many seconds the same request may succeed.
    pub fn retry_after(&self) -> Option<u32> {
        match self {
            Self::Action(Error::TooMany(TooMany(seconds))) => Some(*seconds),
            _ => (self.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(1),
        }
    }

    /// Logs what must not be told to the caller.
    pub fn log(&self) {
        if let Self::Action(error @ (Error::Store(_) | Error::Hashing(_) | Error::Sealing)) = self {
            tracing::error!(%error, code = error.code(), "request failed");
        }
    }
}

/// What a response tells as a problem document, kept beside it so that a page can tell the same to a person.
#[derive(Debug, Clone)]
pub struct Told {
    /// The document.
    pub problem: Problem,
    /// Who could do it, where a role was refused.
    pub refusal: Option<Refusal>,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if let Self::Answered { status, body } = self {
            return answered(status, body);
        }
        self.log();
        let refusal = match &self {
            Self::Action(Error::Refused(refusal)) => Some(refusal.clone()),
            _ => None,
        };
        let status = self.status();
        let retry_after = self.retry_after();
        let problem = self.problem();
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        let headers = response.headers_mut();
        if let Some(challenge) = self.challenge() {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(Told { problem, refusal });
        response
    }
}

fn answered(status: u16, body: Vec<u8>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let kind = if status.is_client_error() { "application/problem+json" } else { "application/json" };
    let mut response =
        if body.is_empty() { status.into_response() } else { (status, [(header::CONTENT_TYPE, kind)], body).into_response() };
    response.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
    response
}

/// The refusals that any operation may answer, for the API document.
#[derive(IntoResponses)]
pub enum Refusals {
    /// Malformed request.
    #[response(status = 400, description = "The request is malformed", content_type = "application/problem+json")]
    BadRequest(#[to_schema] Problem),
    /// No or bad credentials.
    #[response(status = 401, description = "No or bad credentials", content_type = "application/problem+json")]
    Unauthenticated(#[to_schema] Problem),
    /// Seen, but refused.
    #[response(status = 403, description = "Your role may not do this", content_type = "application/problem+json")]
    Refused(#[to_schema] Problem),
    /// Nothing the caller may see.
    #[response(status = 404, description = "There is no such thing, or you may not see it", content_type = "application/problem+json")]
    NotFound(#[to_schema] Problem),
    /// It stands against what is there.
    #[response(status = 409, description = "It conflicts with the present state", content_type = "application/problem+json")]
    Conflict(#[to_schema] Problem),
    /// Invalid input.
    #[response(status = 422, description = "The input is not valid", content_type = "application/problem+json")]
    Invalid(#[to_schema] Problem),
    /// So many attempts that they may be guesses.
    #[response(
        status = 429,
        description = "Too many attempts; `Retry-After` says when to try again",
        content_type = "application/problem+json"
    )]
    TooMany(#[to_schema] Problem),
    /// The database is out of reach.
    #[response(status = 503, description = "Try again in a moment", content_type = "application/problem+json")]
    Unavailable(#[to_schema] Problem),
}
