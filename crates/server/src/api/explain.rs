//! Why somebody can or cannot do something.

use axum::{Json, response::IntoResponse};
use serde::{Deserialize, Serialize};
use stoa_actions::{
    Error,
    explain::{self, Explanation, Question, Subject},
};
use stoa_domain::{organizations::Key, permissions::Role};
use utoipa::{IntoParams, ToSchema};

use crate::{
    api::{me::PersonView, sharing::PathView},
    extract::{Api, ApiPath, ApiQuery, ApiResult},
    problem::Refusals,
};

/// A question.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ExplainQuery {
    /// Whom it is about: `usr_…` or an e-mail address.
    pub user: String,
    /// `organization` (when absent), `application:app_…` or `project:` with id or handle.
    pub subject: Option<String>,
    /// A permission of the role table, such as `view` (when absent) or `manage_resources`, or of data, such as `resources:write`.
    pub permission: Option<String>,
}

/// What it is about.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubjectView {
    /// `organization`, `application` or `project`.
    pub r#type: &'static str,
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// An answer with the rule and the way by which it was found.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExplanationView {
    /// Whether the person may.
    pub allowed: bool,
    /// A stable word: `role_allows`, `owner`, `needs_request`, `role_refuses`, `not_a_member`, `not_shared`, `not_in_team`,
    /// `organization_suspended` or `account_suspended`.
    pub reason: &'static str,
    /// The rule and by what it decided, as a sentence.
    pub rule: String,
    /// Whom it is about; absent for somebody who is not a member.
    pub user: Option<PersonView>,
    /// The role in the organization; absent for somebody who is not a member.
    #[schema(value_type = Option<String>)]
    pub role: Option<Role>,
    /// The permission.
    pub permission: String,
    /// With what.
    pub subject: SubjectView,
    /// The way on which an application is reached; absent where there is none.
    pub path: Option<PathView>,
}

impl From<Explanation> for ExplanationView {
    fn from(answer: Explanation) -> Self {
        Self {
            allowed: answer.reason.allows(),
            reason: answer.reason.word(),
            rule: answer.rule(),
            role: answer.member.as_ref().map(|member| member.role),
            permission: answer.action.to_string(),
            user: answer.member.map(|member| PersonView { id: member.user, email: member.email, name: member.name }),
            subject: SubjectView { r#type: answer.kind, id: answer.id, name: answer.name },
            path: answer.path.map(PathView::from),
        }
    }
}

/// Why a person can or cannot do something with the organization, an application or a project: decided by the same rules as
/// the thing itself.
#[utoipa::path(get, path = "/api/v1/organizations/{org}/access/explain", tag = "access", params(("org" = String, Path, description = "Handle or id"), ExplainQuery), responses((status = 200, description = "The answer", body = ExplanationView), Refusals))]
pub async fn get(api: Api, ApiPath(org): ApiPath<String>, ApiQuery(query): ApiQuery<ExplainQuery>) -> ApiResult {
    let subject: Subject = query
        .subject
        .as_deref()
        .unwrap_or_default()
        .parse()
        .map_err(|bad: explain::NotASubject| Error::fault("/subject", bad.to_string()))?;
    let permission = query.permission.as_deref().filter(|word| !word.is_empty()).unwrap_or("view");
    let action = permission.parse().map_err(|bad: stoa_domain::access::NotAnAction| Error::fault("/permission", bad.to_string()))?;
    let mut conn = api.read().await?;
    let question = Question { user: query.user, action, subject };
    let answer = explain::explain(&mut conn, &api.caller, &Key::read(&org), question).await?;
    Ok(Json(ExplanationView::from(answer)).into_response())
}
