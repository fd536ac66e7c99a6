//! What if: what ends before it is ended.

use axum::{Json, response::IntoResponse};
use serde::{Deserialize, Serialize};
use stoa_actions::{
    consequences::{self, Consequences, Hit, WithdrawnRequest},
    delegations::Details,
};
use stoa_domain::{
    ids::{ApplicationId, DelegationId, RequestId, SubscriptionId, TeamId, UserId},
    organizations::Key,
    requests::RequestKind,
    subscriptions::SubscriptionState,
    time::Ts,
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    api::{costs::AmountView, subscriptions::ProjectRef, suspensions::read_when},
    extract::{Api, ApiPath, ApiQuery, ApiResult},
    problem::Refusals,
};

/// A subscription that ends or loses projects.
#[derive(Debug, Serialize, ToSchema)]
pub struct HitView {
    /// `sub_…`
    #[schema(value_type = String)]
    pub subscription: SubscriptionId,
    /// The service's name.
    pub service: String,
    /// The provider's name.
    pub provider: String,
    /// Where the subscription is now.
    #[schema(value_type = String)]
    pub state: SubscriptionState,
    /// The projects to which it has no access any more.
    pub projects: Vec<ProjectRef>,
}

impl From<Hit> for HitView {
    fn from(hit: Hit) -> Self {
        let projects = hit.projects.into_iter().map(ProjectRef::from).collect();
        Self { subscription: hit.subscription, service: hit.service, provider: hit.provider, state: hit.state, projects }
    }
}

/// A request that is withdrawn.
#[derive(Debug, Serialize, ToSchema)]
pub struct WithdrawnRequestView {
    /// `req_…`
    #[schema(value_type = String)]
    pub id: RequestId,
    /// What it asks for.
    #[schema(value_type = String)]
    pub kind: RequestKind,
    /// The service's name.
    pub service: String,
}

impl From<WithdrawnRequest> for WithdrawnRequestView {
    fn from(one: WithdrawnRequest) -> Self {
        Self { id: one.id, kind: one.kind, service: one.service }
    }
}

/// What ends with an act.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConsequencesView {
    /// Subscriptions that end, with the projects to which they lose access.
    pub ended: Vec<HitView>,
    /// Subscriptions that go on without some projects.
    pub reduced: Vec<HitView>,
    /// Open requests that are withdrawn.
    pub requests: Vec<WithdrawnRequestView>,
    /// How many resources are gone.
    pub resources: i64,
    /// How many bytes they have.
    pub bytes: i64,
    /// When it takes effect; `null` for at once.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<Ts>,
    /// What was spent on it in this calendar month; it stays in the costs.
    pub spent: Vec<AmountView>,
    /// Whether it would wait for somebody’s approval.
    pub needs_request: bool,
}

impl From<Consequences> for ConsequencesView {
    fn from(all: Consequences) -> Self {
        let (resources, bytes) = all.resources.unwrap_or_default();
        Self {
            ended: all.ended.into_iter().map(HitView::from).collect(),
            reduced: all.reduced.into_iter().map(HitView::from).collect(),
            requests: all.requests.into_iter().map(WithdrawnRequestView::from).collect(),
            resources,
            bytes,
            at: all.at,
            spent: all.spent.into_iter().map(|(currency, amount)| AmountView { amount, currency }).collect(),
            needs_request: all.needs_request,
        }
    }
}

/// What would end with a project, by the same code that ends it.
#[utoipa::path(get, path = "/api/v1/organizations/{org}/projects/{project}/consequences", tag = "projects", params(("org" = String, Path, description = "Handle or id"), ("project" = String, Path, description = "Handle or id")), responses((status = 200, description = "What its deletion would end", body = ConsequencesView), Refusals))]
pub async fn of_project(api: Api, ApiPath((org, project)): ApiPath<(String, String)>) -> ApiResult {
    let mut conn = api.read().await?;
    let all = consequences::of_project(&mut conn, &api.caller, &Key::read(&org), &Key::read(&project)).await?;
    Ok(Json(ConsequencesView::from(all)).into_response())
}

/// When it would be cancelled.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WhenQuery {
    /// `now` (when absent) or `period_end`.
    pub when: Option<String>,
}

/// What would end with a subscription, by the same code that ends it.
#[utoipa::path(get, path = "/api/v1/organizations/{org}/subscriptions/{subscription}/consequences", tag = "subscriptions", params(("org" = String, Path, description = "Handle or id"), ("subscription" = String, Path, description = "sub_…"), WhenQuery), responses((status = 200, description = "What cancelling it would end", body = ConsequencesView), Refusals))]
pub async fn of_subscription(
    api: Api,
    ApiPath((org, id)): ApiPath<(String, SubscriptionId)>,
    ApiQuery(query): ApiQuery<WhenQuery>,
) -> ApiResult {
    let when = read_when(query.when.as_deref())?;
    let mut conn = api.read().await?;
    let all = consequences::of_subscription(&mut conn, &api.caller, &Key::read(&org), id, when).await?;
    Ok(Json(ConsequencesView::from(all)).into_response())
}

/// A team that a member is taken out of.
#[derive(Debug, Serialize, ToSchema)]
pub struct LeftTeamView {
    /// `tea_…`
    #[schema(value_type = String)]
    pub id: TeamId,
    /// Its name.
    pub name: String,
}

/// An application that stays with the organization.
#[derive(Debug, Serialize, ToSchema)]
pub struct StayingApplicationView {
    /// `app_…`
    #[schema(value_type = String)]
    pub id: ApplicationId,
    /// Its name.
    pub name: String,
}

/// A delegation that ends.
#[derive(Debug, Serialize, ToSchema)]
pub struct EndedDelegationView {
    /// `dlg_…`
    #[schema(value_type = String)]
    pub id: DelegationId,
    /// The name of who is away.
    pub absent: String,
    /// The name of who stands in.
    pub delegate: String,
    /// From when.
    #[schema(value_type = String, format = DateTime)]
    pub from: Ts,
    /// Until when.
    #[schema(value_type = String, format = DateTime)]
    pub until: Ts,
}

impl From<Details> for EndedDelegationView {
    fn from(one: Details) -> Self {
        let Details { delegation, absent, delegate } = one;
        Self { id: delegation.id, absent, delegate, from: delegation.starts_at, until: delegation.ends_at }
    }
}

/// What a member loses by going.
#[derive(Debug, Serialize, ToSchema)]
pub struct LeavingView {
    /// The role.
    pub role: String,
    /// The teams in which the member is.
    pub teams: Vec<LeftTeamView>,
    /// The member’s own applications that are shared with the organization; they stay there.
    pub applications: Vec<StayingApplicationView>,
    /// The delegations in which the member is away or stands in.
    pub delegations: Vec<EndedDelegationView>,
    /// How many open requests the member could decide; others decide them then.
    pub requests: i64,
    /// How many open requests the member made; nobody can approve them any more.
    pub own_requests: i64,
    /// How many of the member’s personal tokens open the organization and lose it.
    pub tokens: usize,
}

/// What a member would lose by being removed, or by leaving.
#[utoipa::path(get, path = "/api/v1/organizations/{org}/members/{user}/consequences", tag = "members", params(("org" = String, Path, description = "Handle or id"), ("user" = String, Path, description = "usr_…")), responses((status = 200, description = "What a removal would end", body = LeavingView), Refusals))]
pub async fn of_member(api: Api, ApiPath((org, user)): ApiPath<(String, UserId)>) -> ApiResult {
    let mut conn = api.read().await?;
    let leaving = consequences::of_member(&mut conn, &api.caller, &Key::read(&org), user).await?;
    let ending = leaving.ending;
    let view = LeavingView {
        role: leaving.member.role.word().to_owned(),
        teams: ending.teams.into_iter().map(|team| LeftTeamView { id: team.id, name: team.name }).collect(),
        applications: ending.applications.into_iter().map(|(id, name)| StayingApplicationView { id, name }).collect(),
        delegations: ending.delegations.into_iter().map(EndedDelegationView::from).collect(),
        requests: leaving.requests,
        own_requests: leaving.own_requests,
        tokens: leaving.tokens,
    };
    Ok(Json(view).into_response())
}
