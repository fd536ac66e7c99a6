//! Changes of level: the dry run, the consent, the switch and the way back.

use std::collections::BTreeMap;

use axum::{Json, http::StatusCode, response::IntoResponse};
use serde::{Deserialize, Serialize};
use stoa_actions::level_changes::{self, Accepting, Choosing, Details, Outlook, OutlookPart};
use stoa_domain::{
    ids::{ContractId, LevelChangeId, OrganizationId, RequestId, SubscriptionId},
    level_changes::LevelChangeState,
    organizations::Key,
    services::{Contract, DataPermission, Level},
    subscriptions::SubscriptionState,
    time::{Day, Ts},
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    api::{
        contracts::NewVersionBody,
        costs::AmountView,
        services::PlanView,
        subscriptions::{OrganizationRef, ServiceRef},
    },
    extract::{Api, ApiJson, ApiPath, ApiQuery, ApiResult, answer},
    paging::{Page, Paging},
    problem::Refusals,
};

/// A project that goes from one subscription to another.
#[derive(Debug, Serialize, ToSchema)]
pub struct PartView {
    /// The subscription of before, `sub_…`.
    #[schema(value_type = String)]
    pub from: SubscriptionId,
    /// The one that follows it, `sub_…`.
    #[schema(value_type = String)]
    pub to: SubscriptionId,
    /// The project's id, `prj_…`.
    pub project: String,
    /// The project's name.
    pub project_name: String,
}

/// A change of level that was accepted.
#[derive(Debug, Serialize, ToSchema)]
pub struct LevelChangeView {
    /// `lvl_…`
    #[schema(value_type = String)]
    pub id: LevelChangeId,
    /// `accepted`: both ways of access work, the subscriptions of before hold the projects; `switched`: those that follow do;
    /// `undone`; `settled`: switched for good.
    #[schema(value_type = String)]
    pub state: LevelChangeState,
    /// The service.
    pub service: ServiceRef,
    /// Who subscribes.
    pub organization: OrganizationRef,
    /// Who provides.
    pub provider: OrganizationRef,
    /// The contract at the new level, `ctr_…`.
    #[schema(value_type = String)]
    pub contract: ContractId,
    /// Its version.
    pub version: i64,
    /// The new level.
    #[schema(value_type = String)]
    pub level: Level,
    /// Until when either side can undo it. What is accepted by then is switched, and the subscriptions of before end.
    #[schema(value_type = String, format = DateTime)]
    pub until: Ts,
    /// Which project goes from which subscription to which. Whichever does not hold the project answers as the other's alias.
    pub parts: Vec<PartView>,
    /// When it was accepted.
    #[schema(value_type = String, format = DateTime)]
    pub accepted_at: Ts,
    /// By whom.
    pub accepted_by: String,
    /// When it was switched.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub switched_at: Option<Ts>,
    /// When it was undone.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub undone_at: Option<Ts>,
    /// When it was settled.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub settled_at: Option<Ts>,
}

impl From<Details> for LevelChangeView {
    fn from(details: Details) -> Self {
        let Details { change, organization, provider, service, level, version, parts, accepted_by } = details;
        Self {
            id: change.id,
            state: change.state,
            service: (change.service, service.0, service.1).into(),
            organization: organization.into(),
            provider: provider.into(),
            contract: change.contract,
            version,
            level,
            until: change.until,
            parts: parts
                .into_iter()
                .map(|(part, name)| PartView { from: part.old, to: part.new, project: part.project.to_string(), project_name: name })
                .collect(),
            accepted_at: change.accepted_at,
            accepted_by,
            switched_at: change.switched_at,
            undone_at: change.undone_at,
            settled_at: change.settled_at,
        }
    }
}

/// A project as it would go along.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OutlookPartView {
    /// The subscription it has now, `sub_…`.
    #[schema(value_type = String)]
    pub subscription: SubscriptionId,
    /// What tells that apart from others of the service; mostly empty.
    pub label: String,
    /// Where that is: what is not `active` stays behind.
    #[schema(value_type = String)]
    pub state: SubscriptionState,
    /// The project's id, `prj_…`.
    pub project: String,
    /// The project's name.
    pub project_name: String,
    /// The plan it has now.
    pub from_plan: String,
    /// The plan to which that leads, or the one that is chosen; `null` where the provider has not said it.
    pub to_plan: Option<String>,
    /// Whether it goes along: its subscription is active, and it is chosen where some are.
    pub goes: bool,
}

impl From<OutlookPart> for OutlookPartView {
    fn from(part: OutlookPart) -> Self {
        let OutlookPart { subscription, label, state, project, from, to, goes } = part;
        Self { subscription, label, state, project: project.0.to_string(), project_name: project.1, from_plan: from, to_plan: to, goes }
    }
}

/// What a change of level would come to for one organization. Costs are those of one month with the same usage, without
/// one-time fees.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OutlookView {
    /// The organization.
    pub organization: OrganizationRef,
    /// The contract, `ctr_…`, which a consent names; `null` where it is only drafted.
    #[schema(value_type = Option<String>)]
    pub contract: Option<ContractId>,
    /// Until when it may be accepted, and undone; `null` for a contract that is not offered yet, and with a request.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Ts>,
    /// What would go along.
    pub parts: Vec<OutlookPartView>,
    /// How many subscriptions there would be.
    pub subscriptions_after: usize,
    /// The plan of those; `null` where the organization has to choose one.
    pub plan: Option<PlanView>,
    /// What the service might do then that it may not do now with every project.
    #[schema(value_type = Vec<String>)]
    pub permissions_gained: Vec<DataPermission>,
    /// What it may do now with some project, and not then.
    #[schema(value_type = Vec<String>)]
    pub permissions_lost: Vec<DataPermission>,
    /// The first day of the month of the comparison.
    #[schema(value_type = String, format = Date)]
    pub month: Day,
    /// What that month comes to now, by currency.
    pub cost_before: Vec<AmountView>,
    /// What it would come to; `null` where a plan has to be chosen.
    pub cost_after: Option<AmountView>,
    /// Meters on which something was reported in that month and that the plan does not have.
    pub meters_lost: Vec<String>,
    /// What becomes of budgets if all goes along, a sentence each; told to the organization alone.
    pub budgets: Vec<String>,
}

impl From<Outlook> for OutlookView {
    fn from(outlook: Outlook) -> Self {
        Self {
            organization: outlook.organization.into(),
            contract: outlook.contract,
            until: outlook.until,
            parts: outlook.parts.into_iter().map(OutlookPartView::from).collect(),
            subscriptions_after: outlook.follow,
            plan: outlook.plan.map(PlanView::from),
            permissions_gained: outlook.gained,
            permissions_lost: outlook.lost,
            month: outlook.month.from,
            cost_before: outlook.before.into_iter().map(|(currency, amount)| AmountView { amount, currency }).collect(),
            cost_after: outlook.after.map(|(currency, amount)| AmountView { amount, currency }),
            meters_lost: outlook.meters_lost,
            budgets: outlook.budgets,
        }
    }
}

/// What a contract would change for a page of subscribers.
#[derive(Debug, Serialize, ToSchema)]
pub struct OutlooksView {
    /// The level of the contract.
    #[schema(value_type = String)]
    pub level: Level,
    /// The organizations with subscriptions at the other level, in the order of their ids.
    pub items: Vec<OutlookView>,
    /// Where the next page begins; `null` on the last one.
    pub next_cursor: Option<String>,
}

impl OutlooksView {
    fn of(contract: &Contract, found: Vec<Outlook>, limit: i64) -> Self {
        let page = Page::cut(found, limit, |one: &Outlook| one.organization.id, OutlookView::from);
        Self { level: contract.level, items: page.items, next_cursor: page.next_cursor }
    }
}

/// The consent to a change of level.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct AcceptBody {
    /// The service, by handle or id.
    #[serde(default)]
    pub service: String,
    /// The contract that was read and is accepted, `ctr_…`; required, and refused when another one is offered meanwhile.
    #[serde(default)]
    pub contract: Option<String>,
    /// The only projects that go along, by handle or id; all when absent. What does not go along keeps its subscription until
    /// the announced day (to organization level), or is taken out with the switch (to project level).
    #[serde(default)]
    pub projects: Option<Vec<String>>,
    /// The plan of the subscriptions that follow, by name or id; the one to which the present ones lead when absent.
    #[serde(default)]
    pub plan: Option<String>,
    /// What the approvers shall read.
    #[serde(default)]
    pub note: Option<String>,
}

/// What became of a consent.
#[derive(Debug, Serialize, ToSchema)]
pub struct AcceptedView {
    /// The change; `null` while the request waits.
    pub change: Option<LevelChangeView>,
    /// The request that waits for a decision, `req_…`; `null` when it happened at once.
    #[schema(value_type = Option<String>)]
    pub request: Option<RequestId>,
}

/// Which service, and what is chosen of its change of level.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ServiceQuery {
    /// The service, by handle or id.
    pub service: String,
    /// The plan of the subscriptions that follow, by name or id; the one to which the present ones lead when absent.
    pub plan: Option<String>,
    /// The only projects that go along, by handle or id, separated by commas; all when absent.
    pub projects: Option<String>,
}

/// What the change of level that a service offers would come to for the organization: a dry run.
#[utoipa::path(get, path = "/api/v1/organizations/{org}/level-changes/outlook", tag = "level changes", params(("org" = String, Path, description = "Handle or id"), ServiceQuery), responses((status = 200, description = "The dry run; `null` where nothing is offered", body = Option<OutlookView>), Refusals))]
pub async fn own_outlook(api: Api, ApiPath(org): ApiPath<String>, ApiQuery(query): ApiQuery<ServiceQuery>) -> ApiResult {
    let projects = query.projects.as_deref().filter(|list| !list.trim().is_empty());
    let choosing = Choosing { plan: query.plan, projects: projects.map(|list| list.split(',').map(str::to_owned).collect()) };
    let mut conn = api.read().await?;
    let own = level_changes::own_outlooks(&mut conn, &api.caller, &Key::read(&org), &Key::read(&query.service), &choosing).await?;
    Ok(Json(own.outlook.map(OutlookView::from)).into_response())
}

/// The changes of level of an organization's subscriptions, the newest first.
#[utoipa::path(get, path = "/api/v1/organizations/{org}/level-changes", tag = "level changes", params(("org" = String, Path, description = "Handle or id"), Paging), responses((status = 200, description = "A page", body = Page<LevelChangeView>), Refusals))]
pub async fn list(api: Api, ApiPath(org): ApiPath<String>, ApiQuery(paging): ApiQuery<Paging>) -> ApiResult {
    let (limit, before) = (paging.limit()?, paging.cursor()?);
    let mut conn = api.read().await?;
    let (_, page) = level_changes::list(&mut conn, &api.caller, &Key::read(&org), None, before, limit + 1).await?;
    Ok(Json(Page::cut(page, limit, |one: &Details| one.change.id, LevelChangeView::from)).into_response())
}

/// Accepts the change of level that a service offers, for all or some projects. From then on both ways of access work: the
/// tokens of the subscriptions of before and of those that follow open the same projects.
#[utoipa::path(post, path = "/api/v1/organizations/{org}/level-changes", tag = "level changes", params(("org" = String, Path, description = "Handle or id")), request_body = AcceptBody, responses((status = 201, description = "The change", body = AcceptedView), (status = 202, description = "It waits for the request", body = AcceptedView), Refusals))]
pub async fn accept(api: Api, ApiPath(org): ApiPath<String>, ApiJson(body): ApiJson<AcceptBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let given = Accepting {
        service: body.service,
        contract: body.contract,
        projects: body.projects,
        plan: body.plan,
        note: body.note.unwrap_or_default(),
    };
    let done = level_changes::accept(&mut act, &Key::read(&org), &given).await?;
    let change = done.change.map(LevelChangeView::from);
    let status = if change.is_some() { StatusCode::CREATED } else { StatusCode::ACCEPTED };
    answer(act, status, &AcceptedView { change, request: done.request.map(|request| request.id) }).await
}

/// One change of level, for members of both organizations.
#[utoipa::path(get, path = "/api/v1/level-changes/{change}", tag = "level changes", params(("change" = String, Path, description = "lvl_…")), responses((status = 200, description = "The change", body = LevelChangeView), Refusals))]
pub async fn get(api: Api, ApiPath(id): ApiPath<LevelChangeId>) -> ApiResult {
    let mut conn = api.read().await?;
    let details = level_changes::get(&mut conn, &api.caller, id).await?;
    Ok(Json(LevelChangeView::from(details)).into_response())
}

/// Lets the subscriptions that follow take over, in one transaction: by either side. Those of before answer as their aliases.
#[utoipa::path(post, path = "/api/v1/level-changes/{change}/switch", tag = "level changes", params(("change" = String, Path, description = "lvl_…")), responses((status = 200, description = "The change, switched", body = LevelChangeView), Refusals))]
pub async fn switch(api: Api, ApiPath(id): ApiPath<LevelChangeId>) -> ApiResult {
    let mut act = api.begin().await?;
    let changed = level_changes::switch(&mut act, id).await?;
    answer(act, StatusCode::OK, &LevelChangeView::from(changed)).await
}

/// Takes a change of level back, until the announced day: by either side. The subscriptions of before go on as they were; what
/// was taken out or paused meanwhile stays so.
#[utoipa::path(post, path = "/api/v1/level-changes/{change}/undo", tag = "level changes", params(("change" = String, Path, description = "lvl_…")), responses((status = 200, description = "The change, undone", body = LevelChangeView), Refusals))]
pub async fn undo(api: Api, ApiPath(id): ApiPath<LevelChangeId>) -> ApiResult {
    let mut act = api.begin().await?;
    let changed = level_changes::undo(&mut act, id).await?;
    answer(act, StatusCode::OK, &LevelChangeView::from(changed)).await
}

/// The changes of level of a service's subscribers, the newest first: for members of its provider.
#[utoipa::path(get, path = "/api/v1/services/{service}/level-changes", tag = "level changes", params(("service" = String, Path, description = "Handle or id"), Paging), responses((status = 200, description = "A page", body = Page<LevelChangeView>), Refusals))]
pub async fn list_of_service(api: Api, ApiPath(service): ApiPath<String>, ApiQuery(paging): ApiQuery<Paging>) -> ApiResult {
    let (limit, before) = (paging.limit()?, paging.cursor()?);
    let mut conn = api.read().await?;
    let (_, page) = level_changes::of_service(&mut conn, &api.caller, &Key::read(&service), before, limit + 1).await?;
    Ok(Json(Page::cut(page, limit, |one: &Details| one.change.id, LevelChangeView::from)).into_response())
}

/// What the present contract changes for each organization with subscriptions at the other level: for members of the provider.
#[utoipa::path(get, path = "/api/v1/services/{service}/level-changes/outlook", tag = "level changes", params(("service" = String, Path, description = "Handle or id"), Paging), responses((status = 200, description = "A page", body = OutlooksView), Refusals))]
pub async fn outlook(api: Api, ApiPath(service): ApiPath<String>, ApiQuery(paging): ApiQuery<Paging>) -> ApiResult {
    let limit = paging.limit()?;
    let after: Option<OrganizationId> = paging.cursor()?;
    let mut conn = api.read().await?;
    let (contract, found) = level_changes::outlooks(&mut conn, &api.caller, &Key::read(&service), after, limit + 1).await?;
    Ok(Json(OutlooksView::of(&contract, found, limit)).into_response())
}

/// What a contract that is only drafted would change for each organization with subscriptions at the other level. Nothing is
/// kept and nobody is asked.
#[utoipa::path(post, path = "/api/v1/services/{service}/level-changes/outlook", tag = "level changes", params(("service" = String, Path, description = "Handle or id"), Paging), request_body = NewVersionBody, responses((status = 200, description = "A page", body = OutlooksView), Refusals))]
pub async fn draft_outlook(
    api: Api,
    ApiPath(service): ApiPath<String>,
    ApiQuery(paging): ApiQuery<Paging>,
    ApiJson(body): ApiJson<NewVersionBody>,
) -> ApiResult {
    let limit = paging.limit()?;
    let after: Option<OrganizationId> = paging.cursor()?;
    let new = stoa_actions::contracts::NewVersion::from(body);
    let paths: BTreeMap<String, String> = new.plan_paths;
    // Dropped without being committed, so that the draft never was.
    let mut act = api.begin().await?;
    let (contract, found) = level_changes::draft_outlooks(&mut act, &Key::read(&service), new.contract, paths, after, limit + 1).await?;
    Ok(Json(OutlooksView::of(&contract, found, limit)).into_response())
}
