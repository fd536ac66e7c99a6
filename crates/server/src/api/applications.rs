//! Applications and their secrets.

use axum::{Json, http::StatusCode, response::IntoResponse};
use serde::{Deserialize, Serialize};
use stoa_actions::{
    Error,
    applications::{self, Deletion, Filter, Seen, Uses, Whole},
};
use stoa_domain::{
    applications::{ApplicationChange, ApplicationSecret, NewApplication, Owner},
    ids::{ApplicationId, SecretId, ServiceId},
    organizations::Key,
    permissions::Role,
    time::Ts,
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    api::sharing::{PathView, ShareView},
    extract::{Api, ApiJson, ApiPath, ApiQuery, ApiResult, answer, done},
    paging::{Page, Paging},
    problem::Refusals,
};

/// Whose an application is.
#[derive(Debug, Serialize, ToSchema)]
pub struct OwnerView {
    /// `user` or `organization`.
    pub kind: &'static str,
    /// `usr_…` or `org_…`
    pub id: String,
    /// The organization's handle.
    pub handle: Option<String>,
    /// The organization's name.
    pub name: Option<String>,
}

/// An application.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApplicationView {
    /// `app_…`
    #[schema(value_type = String)]
    pub id: ApplicationId,
    /// Its OAuth `client_id`; the same as its id.
    #[schema(value_type = String)]
    pub client_id: ApplicationId,
    /// Whose it is.
    pub owner: OwnerView,
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: String,
    /// Where authorization responses may be sent.
    pub redirect_uris: Vec<String>,
    /// Your role in the organization that owns it or with which it is shared; absent for your own application.
    #[schema(value_type = Option<String>)]
    pub role: Option<Role>,
    /// How many of its secrets are live.
    pub live_secrets: i64,
    /// When it was registered.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Ts,
    /// When it last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Ts,
}

impl From<Seen> for ApplicationView {
    fn from(seen: Seen) -> Self {
        let role = seen.role();
        let application = seen.application;
        let (handle, name) = seen.organization.unzip();
        let (kind, id) = match application.owner {
            Owner::User(id) => ("user", id.to_string()),
            Owner::Organization(id) => ("organization", id.to_string()),
        };
        Self {
            id: application.id,
            client_id: application.id,
            owner: OwnerView { kind, id, handle, name },
            name: application.name,
            description: application.description,
            redirect_uris: application.redirect_uris,
            role,
            live_secrets: seen.live_secrets,
            created_at: application.created_at,
            updated_at: application.updated_at,
        }
    }
}

/// A live secret without its text.
#[derive(Debug, Serialize, ToSchema)]
pub struct SecretView {
    /// `sec_…`
    #[schema(value_type = String)]
    pub id: SecretId,
    /// Its last four characters.
    pub hint: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Ts,
    /// When it was last used, to the hour; absent when never.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<Ts>,
}

impl From<ApplicationSecret> for SecretView {
    fn from(secret: ApplicationSecret) -> Self {
        Self { id: secret.id, hint: secret.hint, created_at: secret.created_at, last_used_at: secret.last_used_at }
    }
}

/// A service that an application stands behind.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsedByView {
    /// `svc_…`
    #[schema(value_type = String)]
    pub id: ServiceId,
    /// Its handle.
    pub handle: String,
    /// Its name.
    pub name: String,
}

impl From<Uses> for UsedByView {
    fn from(uses: Uses) -> Self {
        Self { id: uses.service, handle: uses.handle, name: uses.name }
    }
}

/// An application with its secrets and services.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApplicationDetailView {
    /// The application.
    #[serde(flatten)]
    pub application: ApplicationView,
    /// Its live secrets, oldest first, without their texts.
    pub secrets: Vec<SecretView>,
    /// The services, not retired, that it stands behind.
    pub services: Vec<UsedByView>,
    /// With whom it is shared.
    pub shares: Vec<ShareView>,
    /// The ways on which you see it, the most direct first.
    pub seen_as: Vec<PathView>,
}

impl From<Whole> for ApplicationDetailView {
    fn from(whole: Whole) -> Self {
        Self {
            seen_as: stoa_domain::sharing::paths(&whole.seen.ties).into_iter().map(PathView::from).collect(),
            application: whole.seen.into(),
            secrets: whole.secrets.into_iter().map(SecretView::from).collect(),
            services: whole.services.into_iter().map(UsedByView::from).collect(),
            shares: whole.shares.into_iter().map(ShareView::from).collect(),
        }
    }
}

/// A secret with its text, shown this once.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewSecretView {
    /// `sec_…`
    #[schema(value_type = String)]
    pub id: SecretId,
    /// The text. It is not shown again.
    pub secret: String,
    /// Its last four characters, by which lists name it.
    pub hint: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Ts,
}

/// An application to register.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewApplicationBody {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// Where authorization responses may be sent.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// The organization that owns it, by handle or id; you when absent.
    pub organization: Option<String>,
}

/// A change of an application; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ApplicationChangeBody {
    /// A new name.
    pub name: Option<String>,
    /// A new description.
    pub description: Option<String>,
    /// New redirect URIs, in place of all present ones.
    pub redirect_uris: Option<Vec<String>>,
}

/// Which applications.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ApplicationsQuery {
    /// Only those of this organization and those shared with it or with its teams, by handle or id.
    pub organization: Option<String>,
    /// `me` for your own only.
    pub owner: Option<String>,
    /// Only those whose name has this in it.
    pub q: Option<String>,
    /// How many items, at most 200; 50 when absent.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    pub limit: Option<String>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Registers an application, yours or an organization's.
#[utoipa::path(post, path = "/api/v1/applications", tag = "applications", request_body = NewApplicationBody, responses((status = 201, description = "The application", body = ApplicationView), Refusals))]
pub async fn create(api: Api, ApiJson(body): ApiJson<NewApplicationBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let owner = body.organization.as_deref().map(Key::read);
    let new = NewApplication { name: body.name, description: body.description, redirect_uris: body.redirect_uris };
    let seen = applications::create(&mut act, owner.as_ref(), new).await?;
    answer(act, StatusCode::CREATED, &ApplicationView::from(seen)).await
}

/// The applications you see, by name: yours, those of your organizations, and those shared with them or with your teams.
#[utoipa::path(get, path = "/api/v1/applications", tag = "applications", params(ApplicationsQuery), responses((status = 200, description = "A page", body = Page<ApplicationView>), Refusals))]
pub async fn list(api: Api, ApiQuery(query): ApiQuery<ApplicationsQuery>) -> ApiResult {
    let paging = Paging { limit: query.limit, cursor: query.cursor };
    let limit = paging.limit()?;
    let after: Option<(String, ApplicationId)> = paging.cursor()?;
    let mut conn = api.read().await?;
    let after = after.as_ref().map(|(name, id)| (name.as_str(), *id));
    let organization = query.organization.as_deref().map(Key::read);
    let own = match query.owner.as_deref() {
        None => false,
        Some("me") => true,
        Some(_) => return Err(Error::fault("/owner", "owner is me, or left out").into()),
    };
    let search = query.q.as_deref().map(str::trim).filter(|text| !text.is_empty());
    let filter = Filter { own, organization: organization.as_ref(), search };
    let page = applications::list(&mut conn, &api.caller, filter, after, limit + 1).await?;
    let cursor = |seen: &Seen| (seen.application.name.clone(), seen.application.id);
    Ok(Json(Page::cut(page, limit, cursor, ApplicationView::from)).into_response())
}

/// One application, with its live secrets.
#[utoipa::path(get, path = "/api/v1/applications/{application}", tag = "applications", params(("application" = String, Path, description = "app_…")), responses((status = 200, description = "The application", body = ApplicationDetailView), Refusals))]
pub async fn get(api: Api, ApiPath(application): ApiPath<ApplicationId>) -> ApiResult {
    let mut conn = api.read().await?;
    let whole = applications::get(&mut conn, &api.caller, application).await?;
    Ok(Json(ApplicationDetailView::from(whole)).into_response())
}

/// Changes an application's details.
#[utoipa::path(patch, path = "/api/v1/applications/{application}", tag = "applications", params(("application" = String, Path, description = "app_…")), request_body = ApplicationChangeBody, responses((status = 200, description = "The application", body = ApplicationDetailView), Refusals))]
pub async fn update(api: Api, ApiPath(application): ApiPath<ApplicationId>, ApiJson(body): ApiJson<ApplicationChangeBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let change = ApplicationChange { name: body.name, description: body.description, redirect_uris: body.redirect_uris };
    let whole = applications::update(&mut act, application, change).await?;
    answer(act, StatusCode::OK, &ApplicationDetailView::from(whole)).await
}

/// Deletes an application; its secrets and tokens stop working at once.
#[utoipa::path(delete, path = "/api/v1/applications/{application}", tag = "applications", params(("application" = String, Path, description = "app_…")), responses((status = 204, description = "Deleted"), Refusals))]
pub async fn delete(api: Api, ApiPath(application): ApiPath<ApplicationId>) -> ApiResult {
    let mut act = api.begin().await?;
    applications::delete(&mut act, application).await?;
    done(act).await
}

/// What the deletion of an application takes along.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeletionView {
    /// Whether it can happen now.
    pub possible: bool,
    /// Why not, and what to do first; absent where it can.
    pub blocked_by: Option<String>,
    /// The services, not retired, that stand in its way.
    pub services: Vec<UsedByView>,
    /// How many live subscriptions those have.
    pub subscriptions: i64,
    /// The secrets that open nothing any more.
    pub secrets: Vec<SecretView>,
    /// How many access tokens open nothing any more.
    pub tokens: i64,
    /// Who does not see it any more.
    pub shares: Vec<ShareView>,
}

impl From<Deletion> for DeletionView {
    fn from(deletion: Deletion) -> Self {
        let blocked_by = deletion.blocked();
        Self {
            possible: blocked_by.is_none(),
            blocked_by,
            services: deletion.services.into_iter().map(UsedByView::from).collect(),
            subscriptions: deletion.subscriptions,
            secrets: deletion.secrets.into_iter().map(SecretView::from).collect(),
            tokens: deletion.tokens,
            shares: deletion.shares.into_iter().map(ShareView::from).collect(),
        }
    }
}

/// What would break if the application were deleted. Changes nothing.
#[utoipa::path(get, path = "/api/v1/applications/{application}/deletion", tag = "applications", params(("application" = String, Path, description = "app_…")), responses((status = 200, description = "What it would take along", body = DeletionView), Refusals))]
pub async fn deletion(api: Api, ApiPath(application): ApiPath<ApplicationId>) -> ApiResult {
    let mut conn = api.read().await?;
    let deletion = applications::deletion(&mut conn, &api.caller, application).await?;
    Ok(Json(DeletionView::from(deletion)).into_response())
}

/// To whom to give an application.
#[derive(Debug, Deserialize, ToSchema)]
pub struct TransferBody {
    /// The organization, by handle or id.
    pub organization: String,
}

/// Gives your application to an organization in which you manage applications, for good.
#[utoipa::path(post, path = "/api/v1/applications/{application}/transfer", tag = "applications", params(("application" = String, Path, description = "app_…")), request_body = TransferBody, responses((status = 200, description = "The application", body = ApplicationView), Refusals))]
pub async fn transfer(api: Api, ApiPath(application): ApiPath<ApplicationId>, ApiJson(body): ApiJson<TransferBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let seen = applications::transfer(&mut act, application, &Key::read(&body.organization)).await?;
    answer(act, StatusCode::OK, &ApplicationView::from(seen)).await
}

/// Makes a secret. Its text is shown this once; several may be live at a time.
#[utoipa::path(post, path = "/api/v1/applications/{application}/secrets", tag = "applications", params(("application" = String, Path, description = "app_…")), responses((status = 201, description = "The secret", body = NewSecretView), Refusals))]
pub async fn create_secret(api: Api, ApiPath(application): ApiPath<ApplicationId>) -> ApiResult {
    let mut act = api.begin().await?;
    let (_, secret, text) = applications::create_secret(&mut act, application).await?;
    let view = NewSecretView { id: secret.id, secret: text.expose().to_owned(), hint: secret.hint, created_at: secret.created_at };
    answer(act, StatusCode::CREATED, &view).await
}

/// Revokes a secret and the tokens issued with it.
#[utoipa::path(delete, path = "/api/v1/applications/{application}/secrets/{secret}", tag = "applications", params(("application" = String, Path, description = "app_…"), ("secret" = String, Path, description = "sec_…")), responses((status = 204, description = "Revoked"), Refusals))]
pub async fn revoke_secret(api: Api, ApiPath((application, secret)): ApiPath<(ApplicationId, SecretId)>) -> ApiResult {
    let mut act = api.begin().await?;
    applications::revoke_secret(&mut act, application, secret).await?;
    done(act).await
}
