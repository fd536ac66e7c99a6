//! Setting subscriptions up: what the provider, or the service itself, says of it.

use serde::{Deserialize, Serialize};
use stoa_actions::subscriptions::{self, SetupDetails};
use stoa_domain::{ids::SubscriptionId, organizations::Key, time::Ts};
use utoipa::ToSchema;

use crate::{
    api::{
        subscriptions::{ProvidedView, UserRef},
        suspensions::answer_provided,
    },
    extract::{Api, ApiJson, ApiPath, ApiResult},
    problem::Refusals,
};

/// The setting up of a subscription.
#[derive(Debug, Serialize, ToSchema)]
pub struct SetupView {
    /// Since when the provider sets it up.
    #[schema(value_type = String, format = DateTime)]
    pub since: Ts,
    /// Until when the provider has time; after that it failed.
    #[schema(value_type = String, format = DateTime)]
    pub due_at: Ts,
    /// When it failed.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub failed_at: Option<Ts>,
    /// Who said that it failed; `null` for the service itself, and where the time was over.
    pub failed_by: Option<UserRef>,
    /// Why it failed.
    pub reason: Option<String>,
}

impl From<SetupDetails> for SetupView {
    fn from(details: SetupDetails) -> Self {
        let SetupDetails { setup, by } = details;
        Self {
            since: setup.since,
            due_at: setup.due_at,
            failed_at: setup.outcome.as_ref().map(|outcome| outcome.at),
            failed_by: by.map(UserRef::from),
            reason: setup.outcome.and_then(|outcome| outcome.failed),
        }
    }
}

/// Why a subscription could not be set up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FailBody {
    /// What the subscriber reads; 1 to 500 characters.
    pub reason: String,
}

/// Brings a subscription into force that its provider has set up: the approved projects are granted from now on. For the
/// provider's reviewers and maintainers, and for the service itself with a token without `resource`.
#[utoipa::path(post, path = "/api/v1/services/{service}/subscriptions/{subscription}/ready", tag = "subscriptions", params(("service" = String, Path, description = "Handle or id"), ("subscription" = String, Path, description = "sub_…")), responses((status = 200, description = "The subscription, in force", body = ProvidedView), Refusals))]
pub async fn ready(api: Api, ApiPath((service, id)): ApiPath<(String, SubscriptionId)>) -> ApiResult {
    let mut act = api.begin().await?;
    let subscription = subscriptions::ready(&mut act, &Key::read(&service), id).await?;
    answer_provided(&api, act, subscription).await
}

/// Closes a subscription that can't be set up, with a reason that the subscriber reads. For the provider's reviewers and
/// maintainers, and for the service itself with a token without `resource`.
#[utoipa::path(post, path = "/api/v1/services/{service}/subscriptions/{subscription}/fail", tag = "subscriptions", params(("service" = String, Path, description = "Handle or id"), ("subscription" = String, Path, description = "sub_…")), request_body = FailBody, responses((status = 200, description = "The subscription, failed", body = ProvidedView), Refusals))]
pub async fn fail(api: Api, ApiPath((service, id)): ApiPath<(String, SubscriptionId)>, ApiJson(body): ApiJson<FailBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let subscription = subscriptions::fail(&mut act, &Key::read(&service), id, &body.reason).await?;
    answer_provided(&api, act, subscription).await
}
