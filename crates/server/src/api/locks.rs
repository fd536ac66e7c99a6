//! Locks that keep services out of a project.

use axum::{Json, http::StatusCode, response::IntoResponse};
use serde::{Deserialize, Serialize};
use stoa_actions::locks::{self, LockDetails};
use stoa_domain::{
    ids::{LockId, ServiceId},
    organizations::Key,
    time::Ts,
};
use utoipa::ToSchema;

use crate::{
    api::subscriptions::{ServiceRef, UserRef},
    extract::{Api, ApiMaybe, ApiPath, ApiResult, answer, done},
    paging::Page,
    problem::Refusals,
};

/// A lock of a project.
#[derive(Debug, Serialize, ToSchema)]
pub struct LockView {
    /// `lck_…`
    #[schema(value_type = String)]
    pub id: LockId,
    /// The service kept out; `null` for every service.
    pub service: Option<ServiceRef>,
    /// Why; may be empty.
    pub reason: String,
    /// Who set it.
    pub set_by: UserRef,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub since: Ts,
}

impl From<LockDetails> for LockView {
    fn from(details: LockDetails) -> Self {
        let LockDetails { lock, set_by, service } = details;
        let named = |id: ServiceId| {
            let (handle, name) = service.unwrap_or_default();
            ServiceRef { id, handle, name }
        };
        Self {
            id: lock.id,
            service: lock.service.map(named),
            reason: lock.reason,
            set_by: UserRef { id: lock.set_by, name: set_by },
            since: lock.since,
        }
    }
}

/// A lock to set.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct NewLockBody {
    /// The service to keep out, by handle or id; every service when absent.
    #[serde(default)]
    pub service: Option<String>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
}

/// The locks of a project, oldest first.
#[utoipa::path(get, path = "/api/v1/organizations/{org}/projects/{project}/locks", tag = "projects", params(("org" = String, Path, description = "Handle or id"), ("project" = String, Path, description = "Handle or id")), responses((status = 200, description = "All of them", body = Page<LockView>), Refusals))]
pub async fn list(api: Api, ApiPath((org, project)): ApiPath<(String, String)>) -> ApiResult {
    let mut conn = api.read().await?;
    let (_, all) = locks::list(&mut conn, &api.caller, &Key::read(&org), &Key::read(&project)).await?;
    Ok(Json(Page::whole(all.into_iter().map(LockView::from).collect())).into_response())
}

/// Keeps a service, or every service, out of a project, whatever subscriptions say: its grants close at once.
#[utoipa::path(post, path = "/api/v1/organizations/{org}/projects/{project}/locks", tag = "projects", params(("org" = String, Path, description = "Handle or id"), ("project" = String, Path, description = "Handle or id")), request_body = Option<NewLockBody>, responses((status = 201, description = "The lock", body = LockView), Refusals))]
pub async fn create(api: Api, ApiPath((org, project)): ApiPath<(String, String)>, ApiMaybe(body): ApiMaybe<NewLockBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let service = body.service.as_deref().map(str::trim).filter(|key| !key.is_empty()).map(Key::read);
    let reason = body.reason.unwrap_or_default();
    let (_, lock) = locks::lock(&mut act, &Key::read(&org), &Key::read(&project), service.as_ref(), &reason).await?;
    answer(act, StatusCode::CREATED, &LockView::from(lock)).await
}

/// Lifts a lock. Subscriptions of all projects then take the project in, ask for it or leave it out, as they do with future
/// projects; those that selected it do not select it any more.
#[utoipa::path(delete, path = "/api/v1/organizations/{org}/projects/{project}/locks/{lock}", tag = "projects", params(("org" = String, Path, description = "Handle or id"), ("project" = String, Path, description = "Handle or id"), ("lock" = String, Path, description = "lck_…")), responses((status = 204, description = "Lifted"), Refusals))]
pub async fn lift(api: Api, ApiPath((org, project, lock)): ApiPath<(String, String, LockId)>) -> ApiResult {
    let mut act = api.begin().await?;
    locks::unlock(&mut act, &Key::read(&org), &Key::read(&project), lock).await?;
    done(act).await
}
