//! Teams of an organization.

use axum::{Json, http::StatusCode, response::IntoResponse};
use serde::{Deserialize, Serialize};
use stoa_actions::teams::{self, Listed};
use stoa_domain::{
    ids::{TeamId, UserId},
    organizations::Key,
    teams::{NewTeam, TeamChange},
    time::Ts,
};
use utoipa::ToSchema;

use crate::{
    api::members::MemberView,
    extract::{Api, ApiJson, ApiPath, ApiQuery, ApiResult, answer, done},
    paging::{Finding, Page, Paging},
    problem::Refusals,
};

/// A team.
#[derive(Debug, Serialize, ToSchema)]
pub struct TeamView {
    /// `tea_…`
    #[schema(value_type = String)]
    pub id: TeamId,
    /// Its name, unique within its organization.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// How many members it has.
    pub members: i64,
    /// How many applications are shared with it.
    pub applications: i64,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Ts,
    /// When its details last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Ts,
}

impl From<Listed> for TeamView {
    fn from(listed: Listed) -> Self {
        let team = listed.team;
        Self {
            id: team.id,
            name: team.name,
            description: team.description,
            members: listed.members,
            applications: listed.applications,
            created_at: team.created_at,
            updated_at: team.updated_at,
        }
    }
}

/// A team to create.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewTeamBody {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
}

/// A change of a team; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
pub struct TeamChangeBody {
    /// A new name.
    pub name: Option<String>,
    /// A new description.
    pub description: Option<String>,
}

/// Creates a team without members.
#[utoipa::path(post, path = "/api/v1/organizations/{org}/teams", tag = "teams", params(("org" = String, Path, description = "Handle or id")), request_body = NewTeamBody, responses((status = 201, description = "The team", body = TeamView), Refusals))]
pub async fn create(api: Api, ApiPath(org): ApiPath<String>, ApiJson(body): ApiJson<NewTeamBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let new = NewTeam { name: body.name, description: body.description };
    let (_, listed) = teams::create(&mut act, &Key::read(&org), new).await?;
    answer(act, StatusCode::CREATED, &TeamView::from(listed)).await
}

/// The teams, by name.
#[utoipa::path(get, path = "/api/v1/organizations/{org}/teams", tag = "teams", params(("org" = String, Path, description = "Handle or id"), Finding), responses((status = 200, description = "A page", body = Page<TeamView>), Refusals))]
pub async fn list(api: Api, ApiPath(org): ApiPath<String>, ApiQuery(finding): ApiQuery<Finding>) -> ApiResult {
    let paging = finding.paging();
    let limit = paging.limit()?;
    let after: Option<String> = paging.cursor()?;
    let mut conn = api.read().await?;
    let (_, page) = teams::list(&mut conn, &api.caller, &Key::read(&org), finding.search(), after.as_deref(), limit + 1).await?;
    Ok(Json(Page::cut(page, limit, |listed| listed.team.name_key(), TeamView::from)).into_response())
}

/// One team.
#[utoipa::path(get, path = "/api/v1/organizations/{org}/teams/{team}", tag = "teams", params(("org" = String, Path, description = "Handle or id"), ("team" = String, Path, description = "tea_…")), responses((status = 200, description = "The team", body = TeamView), Refusals))]
pub async fn get(api: Api, ApiPath((org, team)): ApiPath<(String, TeamId)>) -> ApiResult {
    let mut conn = api.read().await?;
    let (_, listed) = teams::get(&mut conn, &api.caller, &Key::read(&org), team).await?;
    Ok(Json(TeamView::from(listed)).into_response())
}

/// Changes a team's details.
#[utoipa::path(patch, path = "/api/v1/organizations/{org}/teams/{team}", tag = "teams", params(("org" = String, Path, description = "Handle or id"), ("team" = String, Path, description = "tea_…")), request_body = TeamChangeBody, responses((status = 200, description = "The team", body = TeamView), Refusals))]
pub async fn update(api: Api, ApiPath((org, team)): ApiPath<(String, TeamId)>, ApiJson(body): ApiJson<TeamChangeBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let change = TeamChange { name: body.name, description: body.description };
    let (_, listed) = teams::update(&mut act, &Key::read(&org), team, change).await?;
    answer(act, StatusCode::OK, &TeamView::from(listed)).await
}

/// Deletes a team. Its members stay in the organization; what was shared with it is not any more.
#[utoipa::path(delete, path = "/api/v1/organizations/{org}/teams/{team}", tag = "teams", params(("org" = String, Path, description = "Handle or id"), ("team" = String, Path, description = "tea_…")), responses((status = 204, description = "Deleted"), Refusals))]
pub async fn delete(api: Api, ApiPath((org, team)): ApiPath<(String, TeamId)>) -> ApiResult {
    let mut act = api.begin().await?;
    teams::delete(&mut act, &Key::read(&org), team).await?;
    done(act).await
}

/// The members of a team, with their roles in the organization; `since` is when each came into the team.
#[utoipa::path(get, path = "/api/v1/organizations/{org}/teams/{team}/members", tag = "teams", params(("org" = String, Path, description = "Handle or id"), ("team" = String, Path, description = "tea_…"), Paging), responses((status = 200, description = "A page", body = Page<MemberView>), Refusals))]
pub async fn list_members(api: Api, ApiPath((org, team)): ApiPath<(String, TeamId)>, ApiQuery(paging): ApiQuery<Paging>) -> ApiResult {
    let limit = paging.limit()?;
    let after: Option<UserId> = paging.cursor()?;
    let mut conn = api.read().await?;
    let (_, _, page) = teams::list_members(&mut conn, &api.caller, &Key::read(&org), team, after, limit + 1).await?;
    Ok(Json(Page::cut(page, limit, |member| member.user, MemberView::from)).into_response())
}

/// Puts a member of the organization into a team. Who is in it already stays.
#[utoipa::path(put, path = "/api/v1/organizations/{org}/teams/{team}/members/{user}", tag = "teams", params(("org" = String, Path, description = "Handle or id"), ("team" = String, Path, description = "tea_…"), ("user" = String, Path, description = "usr_…")), responses((status = 204, description = "In the team"), Refusals))]
pub async fn add_member(api: Api, ApiPath((org, team, user)): ApiPath<(String, TeamId, UserId)>) -> ApiResult {
    let mut act = api.begin().await?;
    teams::add_members(&mut act, &Key::read(&org), team, &[user]).await?;
    done(act).await
}

/// Takes a member out of a team; members may take themselves out.
#[utoipa::path(delete, path = "/api/v1/organizations/{org}/teams/{team}/members/{user}", tag = "teams", params(("org" = String, Path, description = "Handle or id"), ("team" = String, Path, description = "tea_…"), ("user" = String, Path, description = "usr_…")), responses((status = 204, description = "Not in the team any more"), Refusals))]
pub async fn remove_member(api: Api, ApiPath((org, team, user)): ApiPath<(String, TeamId, UserId)>) -> ApiResult {
    let mut act = api.begin().await?;
    teams::remove_member(&mut act, &Key::read(&org), team, user).await?;
    done(act).await
}
