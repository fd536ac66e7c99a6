//! What operators do: accounts and organizations of the installation. For everybody else there is nothing here.

use axum::{Json, http::StatusCode, response::IntoResponse};
use serde::{Deserialize, Serialize};
use stoa_actions::{
    operators::{self, Kept, Viewed, Wanted},
    organizations as verbs, users,
};
use stoa_domain::{
    ids::{OrganizationId, SubscriptionId, UserId},
    operators::View,
    organizations::{Key, Standing},
    subscriptions::SubscriptionState,
    time::Ts,
    users::User,
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    api::{members::MemberView, organizations::SuspensionView},
    extract::{Api, ApiJson, ApiPath, ApiQuery, ApiResult, answer, done},
    paging::{Page, Paging},
    problem::Refusals,
};

/// An account.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountView {
    /// `usr_…`
    #[schema(value_type = String)]
    pub id: UserId,
    /// The address.
    pub email: String,
    /// The name.
    pub name: String,
    /// Whether the person runs this installation.
    pub operator: bool,
    /// Whether it is suspended.
    pub suspended: bool,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Ts,
}

impl From<User> for AccountView {
    fn from(user: User) -> Self {
        let User { id, email, name, operator, created_at, suspended } = user;
        Self { id, email, name, operator, suspended, created_at }
    }
}

/// Which accounts.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AccountsQuery {
    /// A part of address or name.
    #[serde(default)]
    pub q: String,
}

/// An account to create, without a password.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewAccountBody {
    /// The address.
    pub email: String,
    /// The name; made from the address when absent.
    pub name: Option<String>,
}

/// A change of an account; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
pub struct AccountChangeBody {
    /// Whether it is suspended: its sessions end, its tokens are refused, nobody signs in to it.
    pub suspended: Option<bool>,
    /// Whether the person runs this installation.
    pub operator: Option<bool>,
}

/// The accounts, by address.
#[utoipa::path(get, path = "/api/v1/operator/users", tag = "operator", params(AccountsQuery, Paging), responses((status = 200, description = "A page", body = Page<AccountView>), Refusals))]
pub async fn users(api: Api, ApiQuery(query): ApiQuery<AccountsQuery>, ApiQuery(paging): ApiQuery<Paging>) -> ApiResult {
    let limit = paging.limit()?;
    let after: Option<String> = paging.cursor()?;
    let mut conn = api.read().await?;
    let found = operators::users(&mut conn, &api.caller, &query.q, after.as_deref(), limit + 1).await?;
    Ok(Json(Page::cut(found, limit, |user| user.email.clone(), AccountView::from)).into_response())
}

/// Creates an account.
#[utoipa::path(post, path = "/api/v1/operator/users", tag = "operator", request_body = NewAccountBody, responses((status = 201, description = "The account", body = AccountView), Refusals))]
pub async fn create_user(api: Api, ApiJson(body): ApiJson<NewAccountBody>) -> ApiResult {
    operators::allowed(&api.caller)?;
    let new = users::NewUser { email: body.email, name: body.name, ..users::NewUser::default() };
    let prepared = users::prepare(&api.app.stoa, new).await?;
    let mut act = api.begin().await?;
    let user = users::create(&mut act, prepared).await?;
    answer(act, StatusCode::CREATED, &AccountView::from(user)).await
}

/// Suspends an account or makes somebody an operator, or takes that back.
#[utoipa::path(patch, path = "/api/v1/operator/users/{user}", tag = "operator", params(("user" = String, Path, description = "usr_…")), request_body = AccountChangeBody, responses((status = 200, description = "The account", body = AccountView), Refusals))]
pub async fn change_user(api: Api, ApiPath(user): ApiPath<UserId>, ApiJson(body): ApiJson<AccountChangeBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let mut changed = operators::user(&mut act, user).await?;
    if let Some(operator) = body.operator {
        changed = operators::set_operator(&mut act, user, operator).await?;
    }
    match body.suspended {
        Some(true) => changed = operators::suspend_user(&mut act, user).await?,
        Some(false) => changed = operators::unsuspend_user(&mut act, user).await?,
        None => {}
    }
    answer(act, StatusCode::OK, &AccountView::from(changed)).await
}

/// Takes away the authenticator app, recovery codes and passkeys of somebody who has lost them. Their sessions end, they are
/// told by mail, and the logs of their organizations tell it with the reason. 409 `no_second_factor` where there is none.
#[utoipa::path(post, path = "/api/v1/operator/users/{user}/reset-second-factors", tag = "operator", params(("user" = String, Path, description = "usr_…")), request_body = ReasonBody, responses((status = 204, description = "Reset"), Refusals))]
pub async fn reset_second_factors(api: Api, ApiPath(user): ApiPath<UserId>, ApiJson(body): ApiJson<ReasonBody>) -> ApiResult {
    let mut act = api.begin().await?;
    operators::reset_second_factors(&mut act, user, &body.reason).await?;
    done(act).await
}

/// An organization as operators meet it before they look into it.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeptOrganizationView {
    /// `org_…`
    #[schema(value_type = String)]
    pub id: OrganizationId,
    /// Its URL-safe name.
    pub handle: String,
    /// Its name.
    pub name: String,
    /// `active`, `suspended`, `deleted` or `erased`.
    pub state: &'static str,
    /// That it is suspended.
    pub suspension: Option<SuspensionView>,
    /// When it was deleted.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub deleted_at: Option<Ts>,
    /// Until when it can be restored.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub restorable_until: Option<Ts>,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Ts,
}

impl From<Kept> for KeptOrganizationView {
    fn from(kept: Kept) -> Self {
        let organization = kept.organization;
        Self {
            id: organization.id,
            handle: organization.handle,
            name: organization.name,
            state: kept.standing.word(),
            suspension: organization.suspension.map(SuspensionView::from),
            deleted_at: kept.deleted_at,
            restorable_until: match kept.standing {
                Standing::Deleted { until } => Some(until),
                Standing::Live | Standing::Suspended | Standing::Erased => None,
            },
            created_at: organization.created_at,
        }
    }
}

/// Which organizations.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct KeptQuery {
    /// A part of name or handle.
    #[serde(default)]
    pub q: String,
    /// `active`, `suspended` or `deleted`; all that are not erased when absent.
    #[serde(default)]
    pub state: String,
}

/// The organizations, by name, deleted ones too.
#[utoipa::path(get, path = "/api/v1/operator/organizations", tag = "operator", params(KeptQuery, Paging), responses((status = 200, description = "A page", body = Page<KeptOrganizationView>), Refusals))]
pub async fn organizations(api: Api, ApiQuery(query): ApiQuery<KeptQuery>, ApiQuery(paging): ApiQuery<Paging>) -> ApiResult {
    let limit = paging.limit()?;
    let after: Option<(String, OrganizationId)> = paging.cursor()?;
    let wanted = Wanted::read(&query.state).ok_or_else(|| stoa_actions::Error::fault("/state", "write active, suspended or deleted"))?;
    let mut conn = api.read().await?;
    let after = after.as_ref().map(|(name, id)| (name.as_str(), *id));
    let found = operators::organizations(&mut conn, &api.caller, wanted, &query.q, after, limit + 1).await?;
    let cursor = |kept: &Kept| (kept.organization.name.clone(), kept.organization.id);
    Ok(Json(Page::cut(found, limit, cursor, KeptOrganizationView::from)).into_response())
}

/// Why an operator does it; the members read it.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ReasonBody {
    /// Why.
    pub reason: String,
}

/// Suspends an organization: its members look but change nothing, its services' tokens and its grants are closed.
#[utoipa::path(post, path = "/api/v1/operator/organizations/{org}/suspend", tag = "operator", params(("org" = String, Path, description = "Handle or id")), request_body = ReasonBody, responses((status = 204, description = "Suspended"), Refusals))]
pub async fn suspend(api: Api, ApiPath(org): ApiPath<String>, ApiJson(body): ApiJson<ReasonBody>) -> ApiResult {
    let mut act = api.begin().await?;
    operators::suspend_organization(&mut act, &Key::read(&org), &body.reason).await?;
    done(act).await
}

/// Lifts the suspension of an organization.
#[utoipa::path(post, path = "/api/v1/operator/organizations/{org}/unsuspend", tag = "operator", params(("org" = String, Path, description = "Handle or id")), responses((status = 204, description = "Lifted"), Refusals))]
pub async fn unsuspend(api: Api, ApiPath(org): ApiPath<String>) -> ApiResult {
    let mut act = api.begin().await?;
    operators::unsuspend_organization(&mut act, &Key::read(&org)).await?;
    done(act).await
}

/// How to restore an organization.
#[derive(Debug, Deserialize, ToSchema)]
pub struct RestoreBody {
    /// Why; its members read it.
    pub reason: String,
    /// Who becomes its maintainer, by e-mail address or `usr_…`; needed where nobody who maintained it has an account any more,
    /// and refused otherwise.
    pub maintainer: Option<String>,
}

/// Restores a deleted organization, within 14 days. Its subscriptions stay ended and its applications' secrets revoked. 409
/// `no_maintainer` when it would be without one.
#[utoipa::path(post, path = "/api/v1/operator/organizations/{org}/restore", tag = "operator", params(("org" = String, Path, description = "Handle or id")), request_body = RestoreBody, responses((status = 204, description = "Restored"), Refusals))]
pub async fn restore(api: Api, ApiPath(org): ApiPath<String>, ApiJson(body): ApiJson<RestoreBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let restoring = verbs::Restoring { reason: &body.reason, maintainer: body.maintainer.as_deref() };
    verbs::restore(&mut act, &Key::read(&org), restoring).await?;
    done(act).await
}

/// A look into an organization.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ViewBody {
    /// `details`, `members` or `subscriptions`.
    #[schema(value_type = String)]
    pub what: View,
    /// Why; the organization's members read it in their log.
    pub reason: String,
}

/// What an operator saw.
#[derive(Debug, Serialize, ToSchema)]
pub struct ViewedView {
    /// The organization.
    pub organization: KeptOrganizationView,
    /// What it is about.
    pub description: String,
    /// Where bills go.
    pub billing_email: Option<String>,
    /// Whom to write to.
    pub contact_email: Option<String>,
    /// How many members it has.
    pub member_count: i64,
    /// How many live subscriptions it has.
    pub subscription_count: i64,
    /// Its members, at most 200, where they were looked at.
    pub members: Vec<MemberView>,
    /// Its subscriptions, at most 200, where they were looked at.
    pub subscriptions: Vec<ViewedSubscription>,
}

/// A subscription that an operator saw.
#[derive(Debug, Serialize, ToSchema)]
pub struct ViewedSubscription {
    /// `sub_…`
    #[schema(value_type = String)]
    pub id: SubscriptionId,
    /// The service's name.
    pub service: String,
    /// Its state.
    #[schema(value_type = String)]
    pub state: SubscriptionState,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Ts,
}

impl From<Viewed> for ViewedView {
    fn from(viewed: Viewed) -> Self {
        let details = viewed.kept.organization.details.clone();
        Self {
            description: viewed.kept.organization.description.clone(),
            billing_email: details.billing_email,
            contact_email: details.contact_email,
            member_count: viewed.counts.members,
            subscription_count: viewed.counts.subscriptions,
            members: viewed.members.into_iter().map(MemberView::from).collect(),
            subscriptions: viewed
                .subscriptions
                .into_iter()
                .map(|(one, service)| ViewedSubscription { id: one.id, service, state: one.state, created_at: one.created_at })
                .collect(),
            organization: viewed.kept.into(),
        }
    }
}

/// Looks into an organization. Its log tells who looked, at what and why.
#[utoipa::path(post, path = "/api/v1/operator/organizations/{org}/views", tag = "operator", params(("org" = String, Path, description = "Handle or id")), request_body = ViewBody, responses((status = 200, description = "What there is to see", body = ViewedView), Refusals))]
pub async fn view(api: Api, ApiPath(org): ApiPath<String>, ApiJson(body): ApiJson<ViewBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let viewed = operators::view(&mut act, &Key::read(&org), body.what, &body.reason).await?;
    answer(act, StatusCode::OK, &ViewedView::from(viewed)).await
}
