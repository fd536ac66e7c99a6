//! Decisions, by the OpenID AuthZEN Authorization API 1.0.

use axum::{Json, extract::State, response::IntoResponse};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use stoa_actions::{
    Error,
    access::{self, Answer, Object, Question, Subject},
};
use stoa_domain::secrets::Secret;
use utoipa::ToSchema;

use crate::{
    App,
    extract::{Api, ApiJson, ApiResult},
    problem::Refusals,
};

/// The most evaluations of one request.
const MOST: usize = 100;

/// A subject or a resource.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct EntityBody {
    /// Of a subject `token` or `user`; of a resource `project`, `organization` or `application`.
    pub r#type: String,
    /// Of a token its text; otherwise the id.
    pub id: String,
    /// Not used.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    #[expect(dead_code, reason = "part of the standard's request; no decision depends on it")]
    properties: Option<Map<String, Value>>,
}

/// What is to be done.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct ActionBody {
    /// A permission: `resources:read`, `resources:write`, or for people one of the role matrix, such as
    /// `manage_members`.
    pub name: String,
    /// Not used.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    #[expect(dead_code, reason = "part of the standard's request; no decision depends on it")]
    properties: Option<Map<String, Value>>,
}

/// May this subject do this on that resource?
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct EvaluationBody {
    /// Who.
    pub subject: EntityBody,
    /// What.
    pub action: ActionBody,
    /// On what.
    pub resource: EntityBody,
    /// Not used.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    #[expect(dead_code, reason = "part of the standard's request; no decision depends on it")]
    context: Option<Map<String, Value>>,
}

/// Several questions; what stands outside `evaluations` holds for each that does not say otherwise.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct EvaluationsBody {
    /// Who.
    pub subject: Option<EntityBody>,
    /// What.
    pub action: Option<ActionBody>,
    /// On what.
    pub resource: Option<EntityBody>,
    /// Not used.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    #[expect(dead_code, reason = "part of the standard's request; no decision depends on it")]
    context: Option<Map<String, Value>>,
    /// At most 100.
    #[serde(default)]
    pub evaluations: Vec<PartBody>,
    /// How far to go.
    #[serde(default)]
    pub options: OptionsBody,
}

/// One of several questions.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct PartBody {
    /// Who.
    pub subject: Option<EntityBody>,
    /// What.
    pub action: Option<ActionBody>,
    /// On what.
    pub resource: Option<EntityBody>,
    /// Not used.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    #[expect(dead_code, reason = "part of the standard's request; no decision depends on it")]
    context: Option<Map<String, Value>>,
}

/// How far to go with several questions.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
pub struct OptionsBody {
    /// `execute_all` (when absent), `deny_on_first_deny` or `permit_on_first_permit`.
    #[serde(default)]
    pub evaluations_semantic: Semantic,
}

/// How far to go with several questions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Semantic {
    /// Answer all.
    #[default]
    ExecuteAll,
    /// Stop after the first no.
    DenyOnFirstDeny,
    /// Stop after the first yes.
    PermitOnFirstPermit,
}

/// Yes or no.
#[derive(Debug, Serialize, ToSchema)]
pub struct DecisionView {
    /// Whether it is a yes.
    pub decision: bool,
    /// Why.
    pub context: ReasonView,
}

/// Why a decision is what it is.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReasonView {
    /// A stable word: `granted`, `role_allows`, `unknown_token`, `token_expired`, `subscription_not_active`,
    /// `no_subscription`, `not_granted`, `permission_not_in_contract`, `permission_not_in_scope`, `role_refuses`,
    /// `needs_request`, `not_a_member`, `owner`, `not_shared`, `not_in_team`, `organization_suspended`, `account_suspended`, `not_visible`,
    /// `unknown_subject`, `unknown_action` or `unknown_resource`.
    pub reason: &'static str,
    /// Of which organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// For a service: under which subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<String>,
    /// For a service: which.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

impl From<Answer> for DecisionView {
    fn from(answer: Answer) -> Self {
        Self {
            decision: answer.reason.allows(),
            context: ReasonView {
                reason: answer.reason.word(),
                organization: answer.organization.map(|id| id.to_string()),
                subscription: answer.subscription.map(|id| id.to_string()),
                service: answer.service.map(|id| id.to_string()),
            },
        }
    }
}

/// Answers in the order of the questions.
#[derive(Debug, Serialize, ToSchema)]
pub struct DecisionsView {
    /// The answers; fewer than there were questions when it was to stop.
    pub evaluations: Vec<DecisionView>,
}

fn question(subject: &EntityBody, action: &ActionBody, resource: &EntityBody) -> Question {
    let subject = match subject.r#type.as_str() {
        "token" => Subject::Token(Secret::read(&subject.id)),
        "user" => subject.id.parse().map_or(Subject::Unknown, Subject::User),
        _ => Subject::Unknown,
    };
    let object = match resource.r#type.as_str() {
        "project" => resource.id.parse().map_or(Object::Unknown, Object::Project),
        "organization" => resource.id.parse().map_or(Object::Unknown, Object::Organization),
        "application" => resource.id.parse().map_or(Object::Unknown, Object::Application),
        _ => Object::Unknown,
    };
    Question { subject, action: action.name.parse().ok(), object }
}

/// Whether a token or a person may do something with a project, an organization or an application.
///
/// About a token may ask whoever is authenticated and holds its text. About a person may ask: everybody about themself
/// and about the organizations they belong to, and a service about the projects that its token opens; to others the
/// answer is no, for the reason `not_visible`.
///
/// Of an organization, a token is granted a permission when its subscription is this organization's and its scope and
/// contract include it; which projects it reaches is told project by project.
///
/// Of an application, people are told by what decides in the rest of this API: whose it is, their role in the organization it
/// belongs to or is shared with, and their teams. Services have no rights on applications.
#[utoipa::path(post, path = "/access/v1/evaluation", tag = "access", request_body = EvaluationBody,
    responses((status = 200, description = "The decision", body = DecisionView), Refusals))]
pub async fn evaluation(api: Api, ApiJson(body): ApiJson<EvaluationBody>) -> ApiResult {
    let question = question(&body.subject, &body.action, &body.resource);
    let mut answers = access::evaluate(&api.app.stoa, &api.caller, &[question]).await?;
    let answer = answers.pop().ok_or(Error::NotFound("answer"))?;
    Ok(Json(DecisionView::from(answer)).into_response())
}

/// Several decisions at once.
///
/// Without `evaluations` it is a single question, with a single answer.
#[utoipa::path(post, path = "/access/v1/evaluations", tag = "access", request_body = EvaluationsBody,
    responses((status = 200, description = "The decisions", body = DecisionsView), Refusals))]
pub async fn evaluations(api: Api, ApiJson(body): ApiJson<EvaluationsBody>) -> ApiResult {
    if body.evaluations.len() > MOST {
        return Err(Error::fault("/evaluations", format!("ask at most {MOST} questions at once")).into());
    }
    let single = body.evaluations.is_empty();
    let alone = PartBody { subject: None, action: None, resource: None, context: None };
    let parts = if single { std::slice::from_ref(&alone) } else { &body.evaluations };
    let mut questions = Vec::with_capacity(parts.len());
    for (index, part) in parts.iter().enumerate() {
        let at = if single { String::new() } else { format!("/evaluations/{index}") };
        let missing = |what: &str| Error::fault(format!("{at}/{what}"), format!("say the {what} here, or once for all questions"));
        let subject = part.subject.as_ref().or(body.subject.as_ref()).ok_or_else(|| missing("subject"))?;
        let action = part.action.as_ref().or(body.action.as_ref()).ok_or_else(|| missing("action"))?;
        let resource = part.resource.as_ref().or(body.resource.as_ref()).ok_or_else(|| missing("resource"))?;
        questions.push(question(subject, action, resource));
    }
    let mut answers: Vec<DecisionView> =
        access::evaluate(&api.app.stoa, &api.caller, &questions).await?.into_iter().map(DecisionView::from).collect();
    if single && let Some(answer) = answers.pop() {
        return Ok(Json(answer).into_response());
    }
    let last = match body.options.evaluations_semantic {
        Semantic::ExecuteAll => None,
        Semantic::DenyOnFirstDeny => answers.iter().position(|answer| !answer.decision),
        Semantic::PermitOnFirstPermit => answers.iter().position(|answer| answer.decision),
    };
    if let Some(last) = last {
        answers.truncate(last + 1);
    }
    Ok(Json(DecisionsView { evaluations: answers }).into_response())
}

/// Where decisions are made (AuthZEN 1.0, section 9).
#[utoipa::path(get, path = "/.well-known/authzen-configuration", tag = "access",
    responses((status = 200, description = "The metadata", body = Object)))]
pub async fn metadata(State(app): State<App>) -> Json<Value> {
    let url = &app.stoa.public_url;
    Json(json!({
        "policy_decision_point": &**url,
        "access_evaluation_endpoint": format!("{url}/access/v1/evaluation"),
        "access_evaluations_endpoint": format!("{url}/access/v1/evaluations"),
    }))
}
