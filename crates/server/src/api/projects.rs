//! Projects of an organization.

use axum::{Json, http::StatusCode, response::IntoResponse};
use serde::{Deserialize, Serialize};
use stoa_actions::projects::{self, Listed};
use stoa_domain::{
    ids::ProjectId,
    naming::NewNaming,
    organizations::Key,
    projects::{Project, ProjectChange},
    time::Ts,
};
use utoipa::ToSchema;

use crate::{
    extract::{Api, ApiJson, ApiPath, ApiQuery, ApiResult, answer, done},
    paging::{Page, Paging},
    problem::Refusals,
};

/// A project.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectView {
    /// `prj_…`
    #[schema(value_type = String)]
    pub id: ProjectId,
    /// Its URL-safe name, unique within its organization.
    pub handle: String,
    /// Its name.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Ts,
    /// When its details last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Ts,
}

impl From<Project> for ProjectView {
    fn from(project: Project) -> Self {
        Self {
            id: project.id,
            handle: project.handle,
            name: project.name,
            description: project.description,
            created_at: project.created_at,
            updated_at: project.updated_at,
        }
    }
}

/// A project with how much it holds.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectWithTotalsView {
    /// The project.
    #[serde(flatten)]
    pub project: ProjectView,
    /// How many resources it holds.
    pub resources: i64,
    /// How many bytes they have together.
    pub bytes: i64,
}

impl From<Listed> for ProjectWithTotalsView {
    fn from(listed: Listed) -> Self {
        Self { project: listed.project.into(), resources: listed.resources, bytes: listed.bytes }
    }
}

/// A project to create.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewProjectBody {
    /// Its name.
    pub name: String,
    /// Its URL-safe name; made from the name when absent.
    pub handle: Option<String>,
    /// What it is about.
    pub description: Option<String>,
}

/// A change of a project; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ProjectChangeBody {
    /// A new name.
    pub name: Option<String>,
    /// A new description.
    pub description: Option<String>,
}

/// Creates a project. Subscriptions that include future projects take it in.
#[utoipa::path(post, path = "/api/v1/organizations/{org}/projects", tag = "projects", params(("org" = String, Path, description = "Handle or id")), request_body = NewProjectBody, responses((status = 201, description = "The project", body = ProjectView), Refusals))]
pub async fn create(api: Api, ApiPath(org): ApiPath<String>, ApiJson(body): ApiJson<NewProjectBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let new = NewNaming { name: body.name, handle: body.handle, description: body.description };
    let (_, project) = projects::create(&mut act, &Key::read(&org), new).await?;
    answer(act, StatusCode::CREATED, &ProjectView::from(project)).await
}

/// The projects, by name.
#[utoipa::path(get, path = "/api/v1/organizations/{org}/projects", tag = "projects", params(("org" = String, Path, description = "Handle or id"), Paging), responses((status = 200, description = "A page", body = Page<ProjectWithTotalsView>), Refusals))]
pub async fn list(api: Api, ApiPath(org): ApiPath<String>, ApiQuery(paging): ApiQuery<Paging>) -> ApiResult {
    let limit = paging.limit()?;
    let after: Option<(String, ProjectId)> = paging.cursor()?;
    let mut conn = api.read().await?;
    let after = after.as_ref().map(|(name, id)| (name.as_str(), *id));
    let (_, page) = projects::list(&mut conn, &api.caller, &Key::read(&org), after, limit + 1).await?;
    let cursor = |listed: &Listed| (listed.project.name.clone(), listed.project.id);
    Ok(Json(Page::cut(page, limit, cursor, ProjectWithTotalsView::from)).into_response())
}

/// One project.
#[utoipa::path(get, path = "/api/v1/organizations/{org}/projects/{project}", tag = "projects", params(("org" = String, Path, description = "Handle or id"), ("project" = String, Path, description = "Handle or id")), responses((status = 200, description = "The project", body = ProjectWithTotalsView), Refusals))]
pub async fn get(api: Api, ApiPath((org, project)): ApiPath<(String, String)>) -> ApiResult {
    let mut conn = api.read().await?;
    let (_, listed) = projects::get(&mut conn, &api.caller, &Key::read(&org), &Key::read(&project)).await?;
    Ok(Json(ProjectWithTotalsView::from(listed)).into_response())
}

/// Changes a project's details.
#[utoipa::path(patch, path = "/api/v1/organizations/{org}/projects/{project}", tag = "projects", params(("org" = String, Path, description = "Handle or id"), ("project" = String, Path, description = "Handle or id")), request_body = ProjectChangeBody, responses((status = 200, description = "The project", body = ProjectView), Refusals))]
pub async fn update(api: Api, ApiPath((org, project)): ApiPath<(String, String)>, ApiJson(body): ApiJson<ProjectChangeBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let change = ProjectChange { name: body.name, description: body.description };
    let (_, project) = projects::update(&mut act, &Key::read(&org), &Key::read(&project), change).await?;
    answer(act, StatusCode::OK, &ProjectView::from(project)).await
}

/// Deletes a project with its resources; its costs stay under its name.
#[utoipa::path(delete, path = "/api/v1/organizations/{org}/projects/{project}", tag = "projects", params(("org" = String, Path, description = "Handle or id"), ("project" = String, Path, description = "Handle or id")), responses((status = 204, description = "Deleted"), Refusals))]
pub async fn delete(api: Api, ApiPath((org, project)): ApiPath<(String, String)>) -> ApiResult {
    let mut act = api.begin().await?;
    projects::delete(&mut act, &Key::read(&org), &Key::read(&project)).await?;
    done(act).await
}
