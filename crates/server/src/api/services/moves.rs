//! The moves of a service through its life, and what each brings about.

use axum::{Json, http::StatusCode, response::IntoResponse};
use serde::{Deserialize, Serialize};
use stoa_actions::{
    Act,
    services::{
        self,
        moves::{self, Affected, Consequences, NewDeprecation},
    },
};
use stoa_domain::{
    ids::{OrganizationId, RequestId, SubscriptionId},
    organizations::Key,
    requests::{Request, RequestKind},
    services::{Service, ServiceMove, ServiceState},
    subscriptions::SubscriptionState,
    text,
};
use utoipa::{IntoParams, ToSchema};

use super::ServiceView;
use crate::{
    extract::{Api, ApiMaybe, ApiPath, ApiQuery, ApiResult, answer},
    problem::{ApiError, Problem, ProblemFault, Refusals},
};

/// How a service shall end.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct DeprecationBody {
    /// From which day on it will be retired, such as `2027-03-31`; 90 days from now when absent. What was announced moves later
    /// only.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Date)]
    pub date: Option<String>,
    /// What to use instead: handle or id of a published service.
    #[serde(default)]
    pub successor: Option<String>,
}

async fn moved(mut act: Act, service: Service) -> ApiResult {
    let details = services::details(&mut act.tx, service).await?;
    answer(act, StatusCode::OK, &ServiceView::from(details)).await
}

/// Announces the end of a service: no new subscriptions any more; what is only asked for is taken back; subscribers are told.
#[utoipa::path(post, path = "/api/v1/services/{service}/deprecate", tag = "services", params(("service" = String, Path, description = "Handle or id")), request_body = Option<DeprecationBody>, responses((status = 200, description = "Deprecated", body = ServiceView), Refusals))]
pub async fn deprecate(api: Api, ApiPath(service): ApiPath<String>, ApiMaybe(body): ApiMaybe<DeprecationBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let new = NewDeprecation { date: body.date, successor: body.successor };
    let service = moves::deprecate(&mut act, &Key::read(&service), new).await?;
    moved(act, service).await
}

/// Ends a service for good: a draft, a paused or a deprecated one of which nothing live is left. What stands in the way is told
/// as `errors`.
#[utoipa::path(post, path = "/api/v1/services/{service}/retire", tag = "services", params(("service" = String, Path, description = "Handle or id")), responses((status = 200, description = "Retired", body = ServiceView), Refusals))]
pub async fn retire(api: Api, ApiPath(service): ApiPath<String>) -> ApiResult {
    let mut act = api.begin().await?;
    let service = moves::retire(&mut act, &Key::read(&service)).await?;
    moved(act, service).await
}

/// Takes a service back from the operator's review: it is a draft again.
#[utoipa::path(post, path = "/api/v1/services/{service}/withdraw", tag = "services", params(("service" = String, Path, description = "Handle or id")), responses((status = 200, description = "A draft", body = ServiceView), Refusals))]
pub async fn withdraw(api: Api, ApiPath(service): ApiPath<String>) -> ApiResult {
    let mut act = api.begin().await?;
    let service = moves::withdraw(&mut act, &Key::read(&service)).await?;
    moved(act, service).await
}

/// Which move.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ConsequencesQuery {
    /// `publish`, `withdraw`, `pause`, `deprecate` or `retire`; for operators `approve`, `reject`, `suspend` or `unsuspend`.
    pub act: String,
}

/// A subscription that a move concerns.
#[derive(Debug, Serialize, ToSchema)]
pub struct AffectedView {
    /// `sub_…`
    #[schema(value_type = String)]
    pub subscription: SubscriptionId,
    /// `org_…`
    #[schema(value_type = String)]
    pub organization: OrganizationId,
    /// The organization's name.
    pub name: String,
    /// The subscription's state now.
    #[schema(value_type = String)]
    pub state: SubscriptionState,
}

impl From<&Affected> for AffectedView {
    fn from((subscription, concerned): &Affected) -> Self {
        Self {
            subscription: subscription.id,
            organization: subscription.organization,
            name: concerned.organization.name.clone(),
            state: subscription.state,
        }
    }
}

/// A request that a move closes.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClosedRequestView {
    /// `req_…`
    #[schema(value_type = String)]
    pub request: RequestId,
    /// `subscribe`, `publish`, …
    #[schema(value_type = String)]
    pub kind: RequestKind,
}

impl From<&Request> for ClosedRequestView {
    fn from(request: &Request) -> Self {
        Self { request: request.id, kind: request.kind }
    }
}

/// What a move of a service brings about.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConsequencesView {
    /// The move.
    #[schema(value_type = String)]
    pub act: ServiceMove,
    /// The state now.
    #[schema(value_type = String)]
    pub from: ServiceState,
    /// The state after; `null` when the move is not possible.
    #[schema(value_type = Option<String>)]
    pub to: Option<ServiceState>,
    /// The code of the refusal, when it is not possible.
    pub code: Option<String>,
    /// Why it is not possible.
    pub detail: Option<String>,
    /// What stands in the way, one by one.
    pub errors: Vec<ProblemFault>,
    /// What happens, in sentences.
    pub says: Vec<String>,
    /// The subscriptions in force, which go on unless the move says otherwise.
    pub live: Vec<AffectedView>,
    /// The subscriptions that end.
    pub ends: Vec<AffectedView>,
    /// The requests that are closed.
    pub closes: Vec<ClosedRequestView>,
}

impl ConsequencesView {
    /// What a move brings about, as it was foreseen.
    pub fn new(seen: &Consequences) -> Self {
        let checked = seen.check();
        let (to, problem) = match checked {
            Ok(to) => (Some(to), None),
            Err(error) => (None, Some(ApiError::from(error).problem())),
        };
        let (code, detail, errors) = match problem {
            Some(Problem { code, detail, errors, .. }) => (Some(code), Some(detail), errors),
            None => (None, None, Vec::new()),
        };
        Self {
            act: seen.step,
            from: seen.service.state,
            to,
            code,
            detail,
            errors,
            says: if to.is_some() { says(seen) } else { Vec::new() },
            live: seen.live.iter().map(AffectedView::from).collect(),
            ends: seen.ending().iter().map(AffectedView::from).collect(),
            closes: seen.withdrawn().into_iter().map(ClosedRequestView::from).collect(),
        }
    }
}

fn count(number: usize, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

/// What a move brings about, in sentences: the same for the API and the pages.
pub fn says(seen: &Consequences) -> Vec<String> {
    let mut said = first(seen);
    let live = seen.live.len();
    let in_force = count(live, "subscription in force", "subscriptions in force");
    let one = live == 1;
    match seen.step {
        ServiceMove::Pause | ServiceMove::Deprecate if live > 0 => {
            said.push(format!("{in_force} {} on as {} now.", if one { "goes" } else { "go" }, if one { "it is" } else { "they are" }));
        }
        ServiceMove::Suspend if live > 0 => {
            said.push(format!(
                "{in_force} {} all access to data at once; {} otherwise.",
                if one { "loses" } else { "lose" },
                if one { "it stays" } else { "they stay" }
            ));
        }
        ServiceMove::Unsuspend if live > 0 => said.push(format!("{in_force} {} access again.", if one { "has" } else { "have" })),
        _ => {}
    }
    let told = seen.told().len();
    if told > 0 {
        said.push(format!("{} told, in their logs and by mail to their maintainers.", count(told, "organization is", "organizations are")));
    }
    let ending = seen.ending().len();
    if ending > 0 {
        said.push(format!(
            "{} for and not in force yet {} taken back.",
            count(ending, "subscription asked", "subscriptions asked"),
            if ending == 1 { "is" } else { "are" }
        ));
    }
    let withdrawn = seen.withdrawn().len();
    if withdrawn > 0 {
        said.push(format!("{} closed.", count(withdrawn, "open request is", "open requests are")));
    }
    if seen.waiting() > 0 {
        said.push(format!("{} open and can't be approved meanwhile.", count(seen.waiting(), "request stays", "requests stay")));
    }
    said
}

fn first(seen: &Consequences) -> Vec<String> {
    let name = &seen.service.name;
    let said = match (seen.step, seen.to) {
        (ServiceMove::Publish, Ok(ServiceState::InReview)) => {
            format!("An operator reviews {name}; it is on the marketplace as soon as one approves it. You can edit it meanwhile.")
        }
        (ServiceMove::Publish | ServiceMove::Approve, _) => format!("{name} is on the marketplace and takes subscriptions."),
        (ServiceMove::Withdraw, _) => format!("{name} is a draft again, and no operator reviews it."),
        (ServiceMove::Pause, _) => format!("{name} leaves the marketplace and takes no new subscriptions until it is published again."),
        (ServiceMove::Deprecate, _) => {
            format!("{name} leaves the list of the marketplace and takes no new subscriptions any more. That can't be undone.")
        }
        (ServiceMove::Retire, _) => format!("{name} is over. That can't be undone; its name, its contracts and the past costs are kept."),
        (ServiceMove::Reject, _) => format!("{name} is a draft again, and its provider reads why."),
        (ServiceMove::Suspend, _) => format!("{name} leaves the marketplace, and its tokens open no project from the next request on."),
        (ServiceMove::Unsuspend, _) => format!("{name} goes on where it was."),
    };
    vec![said]
}

/// What a move would bring about now, found by the same code that does it. For members of the provider; the operator's moves for
/// operators.
#[utoipa::path(get, path = "/api/v1/services/{service}/consequences", tag = "services", params(("service" = String, Path, description = "Handle or id"), ConsequencesQuery), responses((status = 200, description = "What happens, or why it can't", body = ConsequencesView), Refusals))]
pub async fn consequences(api: Api, ApiPath(service): ApiPath<String>, ApiQuery(query): ApiQuery<ConsequencesQuery>) -> ApiResult {
    let mut faults = text::Faults::new();
    let step = faults.check("/act", query.act.parse::<ServiceMove>());
    let step = faults.or(step)?;
    let review = api.app.stoa.review_services;
    let seen = moves::consequences(&mut api.read().await?, &api.caller, &Key::read(&service), step, review).await?;
    Ok(Json(ConsequencesView::new(&seen)).into_response())
}
