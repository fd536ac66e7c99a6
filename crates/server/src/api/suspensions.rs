//! Pausing, resuming, cancelling and keeping subscriptions, on each side.

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use stoa_actions::{
    Act,
    subscriptions::{self, Done, SuspensionDetails},
};
use stoa_domain::{
    ids::SubscriptionId,
    organizations::Key,
    subscriptions::Subscription,
    suspensions::{Cause, NotAWhen, When},
    time::Ts,
};
use utoipa::ToSchema;

use crate::{
    api::subscriptions::{ProvidedView, SubscriptionView, UserRef, answer_done},
    extract::{Api, ApiMaybe, ApiPath, ApiResult, answer},
    problem::Refusals,
};

/// When and why a subscription shall end.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct CancelBody {
    /// `now` (when absent) or `period_end`: with the calendar month (UTC), and taken back until then with `keep`.
    #[serde(default)]
    pub when: Option<String>,
    /// What the approvers shall read.
    #[serde(default)]
    pub note: Option<String>,
}

/// Why a subscription is paused.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct PauseBody {
    /// Why. The provider and the operator must say so; the other side reads it.
    #[serde(default)]
    pub reason: Option<String>,
}

/// What holds a subscription up.
#[derive(Debug, Serialize, ToSchema)]
pub struct SuspensionView {
    /// On whose side the cause lies: `consumer`, `provider`, `operator`, `budget`, or `level_change` where another
    /// subscription stands in for it. Only that side lifts it.
    #[schema(value_type = String)]
    pub cause: Cause,
    /// Why; may be empty.
    pub reason: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub since: Ts,
    /// Until when; `null` while it goes on.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Ts>,
    /// Who set it.
    pub set_by: Option<UserRef>,
    /// Who lifted it.
    pub lifted_by: Option<UserRef>,
}

impl From<&SuspensionDetails> for SuspensionView {
    fn from(one: &SuspensionDetails) -> Self {
        Self {
            cause: one.suspension.cause,
            reason: one.suspension.reason.clone(),
            since: one.suspension.since,
            until: one.suspension.until,
            set_by: one.set_by.clone().map(UserRef::from),
            lifted_by: one.lifted_by.clone().map(UserRef::from),
        }
    }
}

/// Cancels a subscription, at once or with the calendar month; one that is only asked for is withdrawn.
#[utoipa::path(post, path = "/api/v1/organizations/{org}/subscriptions/{subscription}/cancel", tag = "subscriptions", params(("org" = String, Path, description = "Handle or id"), ("subscription" = String, Path, description = "sub_…")), request_body = Option<CancelBody>, responses((status = 200, description = "The subscription, over or ending", body = SubscriptionView), (status = 202, description = "The end waits for the request", body = SubscriptionView), Refusals))]
pub async fn cancel(api: Api, ApiPath((org, id)): ApiPath<(String, SubscriptionId)>, ApiMaybe(body): ApiMaybe<CancelBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let note = body.note.unwrap_or_default();
    let when = read_when(body.when.as_deref())?;
    let done = subscriptions::cancel(&mut act, &Key::read(&org), id, when, &note).await?;
    answer_done(&api, act, done, StatusCode::OK, StatusCode::ACCEPTED).await
}

/// When a subscription shall end; at once where nothing is said.
pub(crate) fn read_when(given: Option<&str>) -> Result<When, stoa_actions::Error> {
    let given = given.filter(|word| !word.is_empty());
    given.map_or(Ok(When::Now), |word| word.parse().map_err(|bad: NotAWhen| stoa_actions::Error::fault("/when", bad.to_string())))
}

/// Keeps a subscription that was cancelled to end with the calendar month; possible until then.
#[utoipa::path(post, path = "/api/v1/organizations/{org}/subscriptions/{subscription}/keep", tag = "subscriptions", params(("org" = String, Path, description = "Handle or id"), ("subscription" = String, Path, description = "sub_…")), responses((status = 200, description = "The subscription, going on", body = SubscriptionView), Refusals))]
pub async fn keep(api: Api, ApiPath((org, id)): ApiPath<(String, SubscriptionId)>) -> ApiResult {
    let mut act = api.begin().await?;
    let subscription = subscriptions::keep(&mut act, &Key::read(&org), id).await?;
    answer_done(&api, act, Done { subscription, request: None }, StatusCode::OK, StatusCode::OK).await
}

/// Pauses a subscription as the organization that subscribed: nothing is open and no fee accrues until it is resumed.
#[utoipa::path(post, path = "/api/v1/organizations/{org}/subscriptions/{subscription}/pause", tag = "subscriptions", params(("org" = String, Path, description = "Handle or id"), ("subscription" = String, Path, description = "sub_…")), request_body = Option<PauseBody>, responses((status = 200, description = "The subscription, suspended", body = SubscriptionView), Refusals))]
pub async fn pause(api: Api, ApiPath((org, id)): ApiPath<(String, SubscriptionId)>, ApiMaybe(body): ApiMaybe<PauseBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let subscription = subscriptions::pause(&mut act, &Key::read(&org), id, &body.reason.unwrap_or_default()).await?;
    answer_done(&api, act, Done { subscription, request: None }, StatusCode::OK, StatusCode::OK).await
}

/// Resumes a subscription that the organization itself paused; it stays suspended while another side holds it up.
#[utoipa::path(post, path = "/api/v1/organizations/{org}/subscriptions/{subscription}/resume", tag = "subscriptions", params(("org" = String, Path, description = "Handle or id"), ("subscription" = String, Path, description = "sub_…")), responses((status = 200, description = "The subscription", body = SubscriptionView), Refusals))]
pub async fn resume(api: Api, ApiPath((org, id)): ApiPath<(String, SubscriptionId)>) -> ApiResult {
    let mut act = api.begin().await?;
    let subscription = subscriptions::resume(&mut act, &Key::read(&org), id).await?;
    answer_done(&api, act, Done { subscription, request: None }, StatusCode::OK, StatusCode::OK).await
}

pub(crate) async fn answer_provided(api: &Api, mut act: Act, subscription: Subscription) -> ApiResult {
    let provided = subscriptions::provided(&mut act.tx, subscription, api.caller.now).await?;
    let view = ProvidedView::new(&api.app.stoa.public_url, provided);
    answer(act, StatusCode::OK, &view).await
}

/// Pauses a subscription as the provider of its service, with a reason that the subscriber reads.
#[utoipa::path(post, path = "/api/v1/services/{service}/subscriptions/{subscription}/pause", tag = "subscriptions", params(("service" = String, Path, description = "Handle or id"), ("subscription" = String, Path, description = "sub_…")), request_body = PauseBody, responses((status = 200, description = "The subscription, suspended", body = ProvidedView), Refusals))]
pub async fn pause_provided(
    api: Api,
    ApiPath((service, id)): ApiPath<(String, SubscriptionId)>,
    ApiMaybe(body): ApiMaybe<PauseBody>,
) -> ApiResult {
    let mut act = api.begin().await?;
    let reason = body.reason.unwrap_or_default();
    let subscription = subscriptions::pause_as_provider(&mut act, &Key::read(&service), id, &reason).await?;
    answer_provided(&api, act, subscription).await
}

/// Resumes a subscription that the provider of its service paused.
#[utoipa::path(post, path = "/api/v1/services/{service}/subscriptions/{subscription}/resume", tag = "subscriptions", params(("service" = String, Path, description = "Handle or id"), ("subscription" = String, Path, description = "sub_…")), responses((status = 200, description = "The subscription", body = ProvidedView), Refusals))]
pub async fn resume_provided(api: Api, ApiPath((service, id)): ApiPath<(String, SubscriptionId)>) -> ApiResult {
    let mut act = api.begin().await?;
    let subscription = subscriptions::resume_as_provider(&mut act, &Key::read(&service), id).await?;
    answer_provided(&api, act, subscription).await
}

/// Pauses a subscription as operator of the installation, with a reason that both sides read.
#[utoipa::path(post, path = "/api/v1/operator/subscriptions/{subscription}/pause", tag = "operator", params(("subscription" = String, Path, description = "sub_…")), request_body = PauseBody, responses((status = 200, description = "The subscription, suspended", body = ProvidedView), Refusals))]
pub async fn pause_operated(api: Api, ApiPath(id): ApiPath<SubscriptionId>, ApiMaybe(body): ApiMaybe<PauseBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let subscription = subscriptions::pause_as_operator(&mut act, id, &body.reason.unwrap_or_default()).await?;
    answer_provided(&api, act, subscription).await
}

/// Resumes a subscription that an operator paused.
#[utoipa::path(post, path = "/api/v1/operator/subscriptions/{subscription}/resume", tag = "operator", params(("subscription" = String, Path, description = "sub_…")), responses((status = 200, description = "The subscription", body = ProvidedView), Refusals))]
pub async fn resume_operated(api: Api, ApiPath(id): ApiPath<SubscriptionId>) -> ApiResult {
    let mut act = api.begin().await?;
    let subscription = subscriptions::resume_as_operator(&mut act, id).await?;
    answer_provided(&api, act, subscription).await
}
