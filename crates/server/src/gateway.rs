//! What reverse proxies ask before they let a request through: nginx `auth_request`, Traefik `ForwardAuth`, Envoy
//! `ext_authz`.

use axum::{
    http::{HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use stoa_access::ProjectRef;
use stoa_actions::{
    Error, Who,
    access::{self, Passed},
};
use stoa_domain::{
    access::Reason,
    organizations::Key,
    services::{DataPermission, NotADataPermission},
};
use utoipa::IntoParams;

use crate::{
    extract::{Api, ApiQuery, ApiResult},
    problem::{ApiError, Refusals},
};

/// What is asked for. The proxy sets it; it must not let its callers do so.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct GatewayQuery {
    /// The project's id; or its handle, for a service's token or together with `organization`.
    pub project: String,
    /// `resources:read` or `resources:write`.
    pub permission: String,
    /// Whose project it is, by handle or id. A token of another organization's subscription is then refused.
    pub organization: Option<String>,
}

/// Lets a request through to a project's data, or not, by the token of its `Authorization` header.
///
/// A service passes with an access token of a subscription that has a grant for the project; a person with a personal
/// token whose owner's role allows it. Answers to all methods alike, because some proxies pass on that of the request.
#[utoipa::path(get, path = "/gateway/authorize", tag = "access", params(GatewayQuery),
    responses(
        (status = 200, description = "Let it through", headers(
            ("x-stoa-organization" = String, description = "Whose data it is, `org_…`"),
            ("x-stoa-project" = String, description = "The project, `prj_…`"),
            ("x-stoa-subscription" = String, description = "For a service: under which subscription, `sub_…`"),
            ("x-stoa-service" = String, description = "For a service: which, `svc_…`"),
            ("x-stoa-user" = String, description = "For a person: who, `usr_…`"),
        )),
        Refusals,
    ))]
pub async fn authorize(api: Api, ApiQuery(query): ApiQuery<GatewayQuery>) -> ApiResult {
    if api.caller.who == Who::Anonymous {
        return Err(Error::Unauthenticated.into());
    }
    let permission: DataPermission =
        query.permission.parse().map_err(|wrong: NotADataPermission| Error::fault("/permission", wrong.to_string()))?;
    let project = ProjectRef { organization: query.organization.as_deref().map(Key::read), project: Key::read(&query.project) };
    match access::pass(&api.app.stoa, &api.caller, &project, permission).await? {
        Ok(passed) => Ok(pass(passed)),
        Err(reason) => Ok(refuse(reason, permission)),
    }
}

fn pass(passed: Passed) -> Response {
    let headers = match passed {
        Passed::Service(opened) => vec![
            ("x-stoa-organization", opened.organization.to_string()),
            ("x-stoa-project", opened.project.to_string()),
            ("x-stoa-subscription", opened.subscription.to_string()),
            ("x-stoa-service", opened.service.to_string()),
        ],
        Passed::User { organization, project, user } => vec![
            ("x-stoa-organization", organization.to_string()),
            ("x-stoa-project", project.to_string()),
            ("x-stoa-user", user.to_string()),
        ],
    };
    let mut response = StatusCode::OK.into_response();
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// A proxy knows 401 and 403 only; the reason stands in a header and in the problem document.
fn refuse(reason: Reason, permission: DataPermission) -> Response {
    let error = match reason {
        Reason::SubscriptionNotActive => ApiError::from(Error::InvalidToken),
        Reason::NotInScope | Reason::NotInContract => ApiError::from(Error::Scope(permission.word())),
        Reason::RoleRefuses | Reason::NeedsRequest => {
            ApiError::request(StatusCode::FORBIDDEN, "forbidden", "your role in the organization does not allow this")
        }
        Reason::OrganizationSuspended => {
            let detail = "the organization is suspended by the operator of this installation: it can be looked at but not changed";
            ApiError::request(StatusCode::FORBIDDEN, "forbidden", detail)
        }
        _ => ApiError::request(StatusCode::FORBIDDEN, "forbidden", "this token opens no such project"),
    };
    let mut response = error.into_response();
    response.headers_mut().insert(HeaderName::from_static("x-stoa-reason"), HeaderValue::from_static(reason.word()));
    response
}
