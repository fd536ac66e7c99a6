//! Subscriptions of an organization, and of a service.

use axum::{Json, http::StatusCode, response::IntoResponse};
use serde::{Deserialize, Serialize};
use stoa_actions::{
    Act, costs,
    subscriptions::{self, Details, Done, Filter, NewSubscription, Provided},
};
use stoa_domain::{
    groupings::{CostWord, Grouping},
    ids::{ContractId, GrantId, OrganizationId, PlanId, ProjectId, ServiceId, SubscriptionId, UserId},
    locks::TermsInput,
    meters::{Plan, PlanInput},
    organizations::Key,
    periods::Period,
    requests::Request,
    services::{DataPermission, Level},
    subscriptions::{ChoiceInput, IncludeFuture, Mode, Subscription, SubscriptionState},
    suspensions::Cause,
    time::Ts,
};
use stoa_store::{organizations::Named, subscriptions::Candidate};
use utoipa::{IntoParams, ToSchema};

use crate::{
    api::{self, costs::CostsView, requests::RequestView, setups::SetupView, suspensions::SuspensionView},
    extract::{Api, ApiJson, ApiPath, ApiQuery, ApiResult, answer},
    paging::{Page, Paging},
    problem::Refusals,
};

/// A choice of projects to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChoiceBody {
    /// `all`, `all_except` or `selected`.
    #[serde(default)]
    pub mode: String,
    /// The projects taken (`selected`) or left out (`all_except`), by handle or id.
    #[serde(default)]
    pub projects: Vec<String>,
    /// What happens with projects created later: `yes` (granted at once), `ask` (a request is opened) or `no`; `yes` when
    /// absent, and always `no` for `selected`.
    pub include_future: Option<String>,
    /// Purpose and end of some of the projects chosen; what is not named here stays as it is.
    #[serde(default)]
    pub details: Vec<GrantTermsBody>,
}

/// What a project is used for, and until when.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantTermsBody {
    /// The project, by handle or id; one that is chosen.
    pub project: String,
    /// What the service shall use it for; none when absent.
    #[serde(default)]
    pub purpose: Option<String>,
    /// The last day (`2027-03-31`, UTC) or the instant of the end (RFC 3339); no end when absent. The project closes then by
    /// itself.
    #[serde(default)]
    pub until: Option<String>,
}

impl From<ChoiceBody> for ChoiceInput {
    fn from(body: ChoiceBody) -> Self {
        let terms = |one: GrantTermsBody| TermsInput { project: one.project, purpose: one.purpose.unwrap_or_default(), until: one.until };
        let details = body.details.into_iter().map(terms).collect();
        Self { mode: body.mode, projects: body.projects, include_future: body.include_future, details }
    }
}

/// A subscription to ask for.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewSubscriptionBody {
    /// The service, by handle or id.
    pub service: String,
    /// The plan, by id or name; may be absent when there is one only.
    pub plan: Option<String>,
    /// Which projects it may use; for services at organization level.
    pub projects: Option<ChoiceBody>,
    /// The project it serves, by handle or id; for services at project level.
    pub project: Option<String>,
    /// Must be `true`.
    #[serde(default)]
    pub accept_terms: bool,
    /// What tells it apart, where the service allows several subscriptions at the same time.
    #[serde(default)]
    pub label: Option<String>,
    /// What the approvers shall read.
    #[serde(default)]
    pub note: Option<String>,
}

/// A named organization.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OrganizationRef {
    /// `org_…`
    #[schema(value_type = String)]
    pub id: OrganizationId,
    /// Its handle.
    pub handle: String,
    /// Its name.
    pub name: String,
}

impl From<Named> for OrganizationRef {
    fn from(named: Named) -> Self {
        Self { id: named.id, handle: named.handle, name: named.name }
    }
}

/// A named service.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ServiceRef {
    /// `svc_…`
    #[schema(value_type = String)]
    pub id: ServiceId,
    /// Its handle.
    pub handle: String,
    /// Its name.
    pub name: String,
}

impl From<(ServiceId, String, String)> for ServiceRef {
    fn from((id, handle, name): (ServiceId, String, String)) -> Self {
        Self { id, handle, name }
    }
}

/// A named project; deleted ones keep their names.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProjectRef {
    /// `prj_…`
    #[schema(value_type = String)]
    pub id: ProjectId,
    /// Its handle.
    pub handle: String,
    /// Its name.
    pub name: String,
}

impl From<Candidate> for ProjectRef {
    fn from(project: Candidate) -> Self {
        Self { id: project.id, handle: project.handle, name: project.name }
    }
}

/// A named person.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UserRef {
    /// `usr_…`
    #[schema(value_type = String)]
    pub id: UserId,
    /// The name.
    pub name: String,
}

impl From<(UserId, String)> for UserRef {
    fn from((id, name): (UserId, String)) -> Self {
        Self { id, name }
    }
}

/// The contract that was accepted.
#[derive(Debug, Serialize, ToSchema)]
pub struct AcceptedContractView {
    /// `ctr_…`
    #[schema(value_type = String)]
    pub id: ContractId,
    /// 1, 2, 3, …
    pub version: i64,
    /// `organization` or `project`.
    #[schema(value_type = String)]
    pub level: Level,
    /// What the service may do with granted projects' data.
    #[schema(value_type = Vec<String>)]
    pub permissions: Vec<DataPermission>,
    /// Where the terms are to be read.
    pub terms_url: Option<String>,
}

/// The plan that was accepted.
#[derive(Debug, Serialize, ToSchema)]
pub struct AcceptedPlanView {
    /// `pln_…`
    #[schema(value_type = String)]
    pub id: PlanId,
    /// Its prices.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub prices: PlanInput,
}

impl AcceptedPlanView {
    fn new(id: PlanId, prices: Plan) -> Self {
        Self { id, prices: prices.into() }
    }
}

/// A choice of projects.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ChoiceView {
    /// `all`, `all_except` or `selected`.
    #[schema(value_type = String)]
    pub mode: Mode,
    /// The projects taken (`selected`) or left out (`all_except`).
    pub projects: Vec<ProjectRef>,
    /// What happens with projects created later: `yes`, `ask` or `no`.
    #[schema(value_type = String)]
    pub include_future: IncludeFuture,
}

/// The right to use one project's data.
#[derive(Debug, Serialize, ToSchema)]
pub struct GrantView {
    /// `gra_…`
    #[schema(value_type = String)]
    pub id: GrantId,
    /// The project.
    pub project: ProjectRef,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub since: Ts,
    /// Until when, in the past or to come; `null` while no end is set.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Ts>,
    /// What the service uses the project for; may be empty.
    pub purpose: String,
    /// By whose approval.
    pub approved_by: Option<UserRef>,
    /// The request that was approved, `req_…`.
    #[schema(value_type = Option<String>)]
    pub request: Option<stoa_domain::ids::RequestId>,
}

/// A subscription.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubscriptionView {
    /// `sub_…`
    #[schema(value_type = String)]
    pub id: SubscriptionId,
    /// `requested`, `active`, `suspended`, `ending`, `ended`, …
    #[schema(value_type = String)]
    pub state: SubscriptionState,
    /// On which sides a cause holds it up now: `consumer`, `provider`, `operator`, `budget`; it is `suspended` while there is
    /// any.
    #[schema(value_type = Vec<String>)]
    pub paused_by: Vec<Cause>,
    /// The subscriptions that hold its projects, `sub_…`, where this one is their alias by a change of level: its tokens go on
    /// working, and its usage is counted for them.
    #[schema(value_type = Vec<String>)]
    pub replaced_by: Vec<SubscriptionId>,
    /// What tells it apart from others of the same service; mostly empty.
    pub label: String,
    /// The URI to name as `resource` when asking for a token of this subscription.
    pub resource: String,
    /// Who subscribes.
    pub organization: OrganizationRef,
    /// Who provides.
    pub provider: OrganizationRef,
    /// The service.
    pub service: ServiceRef,
    /// The contract that was accepted.
    pub contract: AcceptedContractView,
    /// The plan that was accepted.
    pub plan: AcceptedPlanView,
    /// The one project it serves, at project level.
    pub project: Option<ProjectRef>,
    /// Which projects it may use.
    pub projects: ChoiceView,
    /// What the service may do with granted projects' data.
    #[schema(value_type = Vec<String>)]
    pub permissions: Vec<DataPermission>,
    /// The same in plain words, as it continues “the service may …”.
    pub permissions_in_words: Vec<&'static str>,
    /// Its grants, those that are over too.
    pub grants: Vec<GrantView>,
    /// What it cost in the present calendar month, with the quantities used, by project and component; told of one
    /// subscription, left out of lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub costs: Option<CostsView>,
    /// The request that the action just done waits for.
    pub request: Option<RequestView>,
    /// Its requests, oldest first, with who decided what and when.
    pub requests: Vec<RequestView>,
    /// What held it up, oldest first.
    pub suspensions: Vec<SuspensionView>,
    /// Its setting up by the provider, while it is `provisioning` and where it `failed`.
    pub setup: Option<SetupView>,
    /// What the requester wrote.
    pub note: String,
    /// Who asked for it.
    pub requested_by: UserRef,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Ts,
    /// When it came into force.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub activated_at: Option<Ts>,
    /// When it will end, where that was decided.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ends_at: Option<Ts>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Ts>,
    /// The subscription of the same service that it follows.
    #[schema(value_type = Option<String>)]
    pub previous: Option<SubscriptionId>,
}

impl SubscriptionView {
    fn new(public_url: &str, now: Ts, details: Details) -> Self {
        let state = details.state_at(now);
        let paused_by = details.held_by().map(|one| one.suspension.cause).collect();
        let Details { subscription, concerned, requested_by, named, grants, requests, suspensions, .. } = details;
        let offer = concerned.offer;
        let named: Vec<_> = named.into_iter().map(ProjectRef::from).collect();
        Self {
            id: subscription.id,
            state,
            paused_by,
            replaced_by: details.replaced_by,
            suspensions: suspensions.iter().map(SuspensionView::from).collect(),
            setup: details.setup.map(SetupView::from),
            label: subscription.label,
            ends_at: subscription.ends_at,
            resource: Subscription::resource(public_url, subscription.id),
            organization: concerned.organization.into(),
            provider: concerned.provider.into(),
            service: (offer.service, offer.service_handle, offer.service_name).into(),
            permissions: offer.permissions.clone(),
            permissions_in_words: offer.permissions.iter().map(|one| one.words()).collect(),
            contract: AcceptedContractView {
                id: offer.contract,
                version: offer.version,
                level: offer.level,
                permissions: offer.permissions,
                terms_url: offer.terms_url,
            },
            plan: AcceptedPlanView::new(offer.plan, offer.prices),
            project: subscription.project.and_then(|id| named.iter().find(|one| one.id == id).cloned()),
            projects: ChoiceView { mode: subscription.choice.mode, projects: named, include_future: subscription.choice.for_new_project() },
            grants: grants
                .into_iter()
                .map(|one| GrantView {
                    id: one.grant.id,
                    project: one.project.into(),
                    since: one.grant.since,
                    until: one.grant.end(),
                    purpose: one.grant.purpose,
                    approved_by: one.approved_by.map(UserRef::from),
                    request: one.grant.request,
                })
                .collect(),
            costs: None,
            request: None,
            requests: requests.into_iter().map(RequestView::from).collect(),
            note: subscription.note,
            requested_by: requested_by.into(),
            created_at: subscription.created_at,
            activated_at: subscription.activated_at,
            ended_at: subscription.ended_at,
            previous: subscription.previous,
        }
    }
}

/// A subscription as its provider sees it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProvidedView {
    /// `sub_…`
    #[schema(value_type = String)]
    pub id: SubscriptionId,
    /// `requested`, `active`, `suspended`, `ending`, `ended`, …
    #[schema(value_type = String)]
    pub state: SubscriptionState,
    /// On which sides a cause holds it up now; the provider lifts `provider`.
    #[schema(value_type = Vec<String>)]
    pub paused_by: Vec<Cause>,
    /// The subscriptions that hold its projects, `sub_…`, where this one is their alias by a change of level: its tokens go on
    /// working, and its usage is counted for them.
    #[schema(value_type = Vec<String>)]
    pub replaced_by: Vec<SubscriptionId>,
    /// The URI to name as `resource` when asking for a token of this subscription.
    pub resource: String,
    /// Who subscribes.
    pub organization: OrganizationRef,
    /// The service.
    pub service: ServiceRef,
    /// The contract that was accepted.
    pub contract: AcceptedContractView,
    /// The plan that was accepted.
    pub plan: AcceptedPlanView,
    /// The projects granted now.
    pub projects: Vec<ProjectRef>,
    /// Its setting up by the provider, while it is `provisioning` and where it `failed`.
    pub setup: Option<SetupView>,
    /// What the requester wrote.
    pub note: String,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Ts,
    /// When it came into force.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub activated_at: Option<Ts>,
    /// When it will end, where that was decided.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ends_at: Option<Ts>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Ts>,
}

impl ProvidedView {
    pub(crate) fn new(public_url: &str, provided: Provided) -> Self {
        let Provided { subscription, concerned, granted, held_by, replaced_by, setup } = provided;
        let offer = concerned.offer;
        Self {
            id: subscription.id,
            state: subscription.state,
            paused_by: held_by.iter().map(|one| one.cause).collect(),
            replaced_by,
            setup: setup.map(SetupView::from),
            ends_at: subscription.ends_at,
            resource: Subscription::resource(public_url, subscription.id),
            organization: concerned.organization.into(),
            service: (offer.service, offer.service_handle, offer.service_name).into(),
            contract: AcceptedContractView {
                id: offer.contract,
                version: offer.version,
                level: offer.level,
                permissions: offer.permissions,
                terms_url: offer.terms_url,
            },
            plan: AcceptedPlanView::new(offer.plan, offer.prices),
            projects: granted.into_iter().map(ProjectRef::from).collect(),
            note: subscription.note,
            created_at: subscription.created_at,
            activated_at: subscription.activated_at,
            ended_at: subscription.ended_at,
        }
    }
}

/// Which subscriptions of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SubscriptionsQuery {
    /// In this state only.
    pub state: Option<String>,
    /// How many, at most 200; 50 when absent.
    #[param(value_type = Option<i64>)]
    pub limit: Option<String>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

impl SubscriptionsQuery {
    fn read(self) -> Result<(i64, Filter), stoa_actions::Error> {
        let paging = Paging { limit: self.limit, cursor: self.cursor };
        let state = match self.state.as_deref().filter(|state| !state.is_empty()) {
            None => None,
            Some(word) => {
                let read = word.parse::<SubscriptionState>();
                Some(read.map_err(|bad| stoa_actions::Error::fault("/state", bad.to_string()))?)
            }
        };
        Ok((paging.limit()?, Filter { service: None, state, before: paging.cursor()? }))
    }
}

pub(crate) async fn answer_done(api: &Api, mut act: Act, done: Done, at_once: StatusCode, waiting: StatusCode) -> ApiResult {
    let details = subscriptions::of_one(&mut act.tx, done.subscription).await?;
    answer_details(api, act, details, done.request, at_once, waiting).await
}

async fn answer_details(
    api: &Api,
    act: Act,
    details: Details,
    request: Option<Request>,
    at_once: StatusCode,
    waiting: StatusCode,
) -> ApiResult {
    let request = request.map(|request| request.id);
    let mut view = SubscriptionView::new(&api.app.stoa.public_url, api.caller.now, details);
    view.request = view.requests.iter().find(|one| Some(one.id) == request).cloned();
    let status = if request.is_some() { waiting } else { at_once };
    answer(act, status, &view).await
}

/// Subscribes a service. Where an approval is needed, the state is `requested` and `request` says what is waited for.
#[utoipa::path(post, path = "/api/v1/organizations/{org}/subscriptions", tag = "subscriptions", params(("org" = String, Path, description = "Handle or id")), request_body = NewSubscriptionBody, responses((status = 201, description = "The subscription", body = SubscriptionView), Refusals))]
pub async fn create(api: Api, ApiPath(org): ApiPath<String>, ApiJson(body): ApiJson<NewSubscriptionBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let new = NewSubscription {
        service: body.service,
        plan: body.plan,
        projects: body.projects.map(ChoiceInput::from),
        project: body.project,
        accept_terms: body.accept_terms,
        label: body.label.unwrap_or_default(),
        note: body.note.unwrap_or_default(),
    };
    let (done, details) = subscriptions::subscribe_in_full(&mut act, &Key::read(&org), new).await?;
    match details {
        Some(details) => answer_details(&api, act, details, done.request, StatusCode::CREATED, StatusCode::CREATED).await,
        None => answer_done(&api, act, done, StatusCode::CREATED, StatusCode::CREATED).await,
    }
}

/// The subscriptions of an organization, newest first.
#[utoipa::path(get, path = "/api/v1/organizations/{org}/subscriptions", tag = "subscriptions", params(("org" = String, Path, description = "Handle or id"), SubscriptionsQuery), responses((status = 200, description = "A page", body = Page<SubscriptionView>), Refusals))]
pub async fn list(api: Api, ApiPath(org): ApiPath<String>, ApiQuery(query): ApiQuery<SubscriptionsQuery>) -> ApiResult {
    let (limit, filter) = query.read()?;
    let mut conn = api.read().await?;
    let (_, page) = subscriptions::list(&mut conn, &api.caller, &Key::read(&org), filter, limit + 1).await?;
    let show = |one| SubscriptionView::new(&api.app.stoa.public_url, api.caller.now, one);
    Ok(Json(Page::cut(page, limit, |one: &Details| one.subscription.id, show)).into_response())
}

/// One subscription, with its grants and who decided what, when and why.
#[utoipa::path(get, path = "/api/v1/organizations/{org}/subscriptions/{subscription}", tag = "subscriptions", params(("org" = String, Path, description = "Handle or id"), ("subscription" = String, Path, description = "sub_…")), responses((status = 200, description = "The subscription", body = SubscriptionView), Refusals))]
pub async fn get(api: Api, ApiPath((org, id)): ApiPath<(String, SubscriptionId)>) -> ApiResult {
    let mut conn = api.read().await?;
    let (_, details) = subscriptions::get(&mut conn, &api.caller, &Key::read(&org), id).await?;
    let month = Period::month_of(api.caller.now.day());
    let costs = costs::of_subscription(&mut conn, &details.subscription, api.caller.now, month).await?;
    drop(conn);
    let by = Grouping::<CostWord>::by(&[CostWord::Project, CostWord::Component]);
    let summary = costs.summary(&by)?;
    let mut view = SubscriptionView::new(&api.app.stoa.public_url, api.caller.now, details);
    view.costs = Some(api::costs::view(&costs, &by, summary));
    Ok(Json(view).into_response())
}

/// Sets which projects a subscription may use. What is taken out is out at once; what is added may wait for a request,
/// which `request` then tells.
#[utoipa::path(put, path = "/api/v1/organizations/{org}/subscriptions/{subscription}/projects", tag = "subscriptions", params(("org" = String, Path, description = "Handle or id"), ("subscription" = String, Path, description = "sub_…")), request_body = ChoiceBody, responses((status = 200, description = "The subscription, changed", body = SubscriptionView), (status = 202, description = "The additions wait for the request", body = SubscriptionView), Refusals))]
pub async fn set_projects(
    api: Api,
    ApiPath((org, id)): ApiPath<(String, SubscriptionId)>,
    ApiJson(body): ApiJson<ChoiceBody>,
) -> ApiResult {
    let mut act = api.begin().await?;
    let done = subscriptions::change_projects(&mut act, &Key::read(&org), id, &body.into()).await?;
    answer_done(&api, act, done, StatusCode::OK, StatusCode::ACCEPTED).await
}

/// The subscriptions of a service, newest first: for its provider, and for the service with a token of its own.
#[utoipa::path(get, path = "/api/v1/services/{service}/subscriptions", tag = "subscriptions", params(("service" = String, Path, description = "Handle or id"), SubscriptionsQuery), responses((status = 200, description = "A page", body = Page<ProvidedView>), Refusals))]
pub async fn list_of_service(api: Api, ApiPath(service): ApiPath<String>, ApiQuery(query): ApiQuery<SubscriptionsQuery>) -> ApiResult {
    let (limit, filter) = query.read()?;
    let mut conn = api.read().await?;
    let (_, page) = subscriptions::list_of_service(&mut conn, &api.caller, &Key::read(&service), filter, limit + 1).await?;
    let show = |one| ProvidedView::new(&api.app.stoa.public_url, one);
    Ok(Json(Page::cut(page, limit, |one: &Provided| one.subscription.id, show)).into_response())
}
