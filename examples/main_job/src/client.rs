//! The server as somebody with a token sees it.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;

/// Why the job stopped.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The server did not answer, or not in HTTP.
    #[error("{0}: {1}")]
    Unanswered(String, reqwest::Error),
    /// The server answered something else than the contract says.
    #[error("{asked} answered {status}: {said}")]
    Refused {
        /// What was asked.
        asked: String,
        /// What came back.
        status: StatusCode,
        /// The problem in words, or the body.
        said: String,
    },
    /// An answer without what the contract says is in it.
    #[error("{asked}: the answer has no {missing}: {answer}")]
    Incomplete {
        /// What was asked.
        asked: String,
        /// What should be in it.
        missing: &'static str,
        /// What came.
        answer: String,
    },
    /// A proof that does not hold.
    #[error("this does not hold: {0}")]
    Unproved(String),
    /// Anything about the file.
    #[error("{0}")]
    File(String),
}

impl Failure {
    /// The answer `answer` lacks something.
    pub fn lacks(asked: impl Into<String>, missing: &'static str, answer: &Value) -> Self {
        Self::Incomplete { asked: asked.into(), missing, answer: shortened(&answer.to_string()) }
    }
}

/// What an answer was.
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body.
    pub body: Vec<u8>,
    asked: String,
}

impl Answer {
    /// The JSON of an answer with one of these statuses.
    pub fn with(self, statuses: &[u16]) -> Result<Value, Failure> {
        if !statuses.contains(&self.status.as_u16()) {
            return Err(Failure::Refused { said: problem(&self.body), asked: self.asked, status: self.status });
        }
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&self.body).map_err(|_| Failure::Refused {
            asked: self.asked,
            status: self.status,
            said: format!("no JSON: {}", shortened(&String::from_utf8_lossy(&self.body))),
        })
    }
}

/// Somebody with a token.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

impl Client {
    /// Somebody with a personal token.
    ///
    /// # Errors
    /// When TLS can't be set up.
    pub fn new(base: &str, token: &str) -> Result<Self, Failure> {
        #[expect(clippy::disallowed_methods, reason = "a program of its own, which has its own client")]
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(60))
            .redirect(reqwest::redirect::Policy::none())
            .user_agent("main_job")
            .build()
            .map_err(|error| Failure::Unanswered("the HTTP client".to_owned(), error))?;
        Ok(Self { http, base: base.trim_end_matches('/').to_owned(), token: Some(token.to_owned()) })
    }

    /// Somebody else on the same connections.
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// Sends what `complete` makes of a request.
    ///
    /// # Errors
    /// [`Failure::Unanswered`] only; the status is the caller's affair.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        complete: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<Answer, Failure> {
        let asked = format!("{method} {path}");
        let request = self.http.request(method, format!("{}{path}", self.base));
        let request = match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let unanswered = |error| Failure::Unanswered(asked.clone(), error);
        let response = complete(request).send().await.map_err(unanswered)?;
        let status = response.status();
        let body = response.bytes().await.map_err(unanswered)?.to_vec();
        Ok(Answer { status, body, asked })
    }

    /// `GET`, which must succeed.
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, Failure> {
        self.send(Method::GET, path, |request| request.query(query)).await?.with(&[200])
    }

    /// `POST` with a JSON body, which must succeed.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.send(Method::POST, path, |request| request.json(body)).await?.with(&[200, 201])
    }

    /// `POST` with a JSON body that makes something; its id.
    pub async fn create(&self, path: &str, body: &Value) -> Result<String, Failure> {
        let answer = self.post(path, body).await?;
        text(&answer, "id").ok_or_else(|| Failure::lacks(format!("POST {path}"), "id", &answer))
    }

    /// All items of a list, page by page.
    pub async fn list(&self, path: &str, query: &[(&str, &str)]) -> Result<Vec<Value>, Failure> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut query = query.to_vec();
            query.push(("limit", "200"));
            if let Some(cursor) = &cursor {
                query.push(("cursor", cursor));
            }
            let mut page = self.get(path, &query).await?;
            match page.get_mut("items").map(Value::take) {
                Some(Value::Array(more)) => items.extend(more),
                _ => return Err(Failure::lacks(format!("GET {path}"), "items", &page)),
            }
            cursor = text(&page, "next_cursor");
            if cursor.is_none() {
                return Ok(items);
            }
        }
    }

    /// A token of an application for one subscription (OAuth 2 client credentials with a resource indicator).
    pub async fn service_token(&self, client_id: &str, secret: &str, resource: &str) -> Result<Self, Failure> {
        let anonymous = Self { token: None, ..self.clone() };
        let form = [("grant_type", "client_credentials"), ("resource", resource)];
        let path = "/oauth2/token";
        let answer =
            anonymous.send(Method::POST, path, |request| request.basic_auth(client_id, Some(secret)).form(&form)).await?.with(&[200])?;
        text(&answer, "access_token").map(|token| self.with_token(&token)).ok_or_else(|| Failure::lacks(path, "access_token", &answer))
    }
}

/// A member that is a text.
pub fn text(answer: &Value, member: &str) -> Option<String> {
    answer.get(member).and_then(Value::as_str).map(str::to_owned)
}

/// The id a member names: itself, or that of the object it is.
pub fn id(answer: &Value, member: &str) -> Option<String> {
    let value = answer.get(member)?;
    value.as_str().map(str::to_owned).or_else(|| text(value, "id"))
}

fn problem(body: &[u8]) -> String {
    let Ok(problem) = serde_json::from_slice::<Value>(body) else { return shortened(&String::from_utf8_lossy(body)) };
    let Some(detail) = text(&problem, "detail").or_else(|| text(&problem, "title")) else { return shortened(&problem.to_string()) };
    let errors = problem.get("errors").and_then(Value::as_array).into_iter().flatten().take(3);
    let errors: Vec<String> = errors
        .map(|error| format!("{} {}", text(error, "pointer").unwrap_or_default(), text(error, "detail").unwrap_or_default()))
        .collect();
    if errors.is_empty() { detail } else { format!("{detail} ({})", errors.join("; ")) }
}

fn shortened(text: &str) -> String {
    text.chars().take(400).collect()
}
