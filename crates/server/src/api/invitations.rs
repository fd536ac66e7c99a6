//! Invitations: those of an organization, and answering one's own.

use axum::{Json, http::StatusCode, response::IntoResponse};
use serde::{Deserialize, Serialize};
use stoa_actions::{Error, invitations};
use stoa_domain::{
    ids::InvitationId,
    invitations::{Invitation, InvitationState},
    organizations::Key,
    permissions::Role,
    time::Ts,
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    api::{members::MemberView, sharing::NamedOrganizationView},
    extract::{Api, ApiJson, ApiPath, ApiQuery, ApiResult, answer, done},
    paging::{Page, Paging},
    problem::Refusals,
};

/// An invitation.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvitationView {
    /// `inv_…`
    #[schema(value_type = String)]
    pub id: InvitationId,
    /// The address it is for.
    pub email: String,
    /// What whoever invites calls the person; may be empty.
    pub name: String,
    /// The role the person gets.
    #[schema(value_type = String)]
    pub role: Role,
    /// `pending`, `accepted`, `declined`, `revoked` or `expired`.
    #[schema(value_type = String)]
    pub state: InvitationState,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Ts,
    /// When it was last sent.
    #[schema(value_type = String, format = DateTime)]
    pub sent_at: Ts,
    /// When it can no longer be answered.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Ts,
    /// When it was answered, taken back or over.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub closed_at: Option<Ts>,
}

impl From<Invitation> for InvitationView {
    fn from(one: Invitation) -> Self {
        Self {
            id: one.id,
            email: one.email,
            name: one.name,
            role: one.role,
            state: one.state,
            created_at: one.created_at,
            sent_at: one.sent_at,
            expires_at: one.expires_at,
            closed_at: one.closed_at,
        }
    }
}

/// Which invitations.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct InvitationsQuery {
    /// `pending`, `accepted`, `declined`, `revoked` or `expired`; all when absent.
    pub state: Option<String>,
    /// How many items, at most 200; 50 when absent.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    pub limit: Option<String>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// The invitations, newest first.
#[utoipa::path(get, path = "/api/v1/organizations/{org}/invitations", tag = "members", params(("org" = String, Path, description = "Handle or id"), InvitationsQuery), responses((status = 200, description = "A page", body = Page<InvitationView>), Refusals))]
pub async fn list(api: Api, ApiPath(org): ApiPath<String>, ApiQuery(query): ApiQuery<InvitationsQuery>) -> ApiResult {
    let paging = Paging { limit: query.limit, cursor: query.cursor };
    let limit = paging.limit()?;
    let before: Option<InvitationId> = paging.cursor()?;
    let state = match query.state.as_deref().filter(|word| !word.is_empty()) {
        None => None,
        Some(word) => Some(word.parse::<InvitationState>().map_err(|bad| Error::fault("/state", bad.to_string()))?),
    };
    let mut conn = api.read().await?;
    let page = invitations::list(&mut conn, &api.caller, &Key::read(&org), state, before, limit + 1).await?;
    Ok(Json(Page::cut(page, limit, |one| one.id, InvitationView::from)).into_response())
}

/// Takes an invitation back.
#[utoipa::path(delete, path = "/api/v1/organizations/{org}/invitations/{invitation}", tag = "members", params(("org" = String, Path, description = "Handle or id"), ("invitation" = String, Path, description = "inv_…")), responses((status = 204, description = "Taken back"), Refusals))]
pub async fn revoke(api: Api, ApiPath((org, invitation)): ApiPath<(String, InvitationId)>) -> ApiResult {
    let mut act = api.begin().await?;
    invitations::revoke(&mut act, &Key::read(&org), invitation).await?;
    done(act).await
}

/// Sends an invitation once more; the link of the mail before opens nothing any more.
#[utoipa::path(post, path = "/api/v1/organizations/{org}/invitations/{invitation}/resend", tag = "members", params(("org" = String, Path, description = "Handle or id"), ("invitation" = String, Path, description = "inv_…")), responses((status = 200, description = "The invitation", body = InvitationView), Refusals))]
pub async fn resend(api: Api, ApiPath((org, invitation)): ApiPath<(String, InvitationId)>) -> ApiResult {
    let mut act = api.begin().await?;
    let sent = invitations::resend(&mut act, &Key::read(&org), invitation).await?;
    answer(act, StatusCode::OK, &InvitationView::from(sent)).await
}

/// The secret of an invitation's link.
#[derive(Debug, Deserialize, ToSchema)]
pub struct TokenBody {
    /// `stoa_inv_…`, from the mail.
    pub token: String,
}

/// A membership that came of an invitation.
#[derive(Debug, Serialize, ToSchema)]
pub struct JoinedView {
    /// The organization.
    pub organization: NamedOrganizationView,
    /// The role.
    #[schema(value_type = String)]
    pub role: Role,
    /// The membership.
    pub member: MemberView,
}

/// Takes an invitation up, with the address it was sent to.
#[utoipa::path(post, path = "/api/v1/invitations/accept", tag = "members", request_body = TokenBody, responses((status = 200, description = "The membership", body = JoinedView), Refusals))]
pub async fn accept(api: Api, ApiJson(body): ApiJson<TokenBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let (organization, member) = invitations::accept(&mut act, &body.token).await?;
    let organization = NamedOrganizationView { id: organization.id, handle: organization.handle, name: organization.name };
    answer(act, StatusCode::OK, &JoinedView { organization, role: member.role, member: member.into() }).await
}

/// Turns an invitation down.
#[utoipa::path(post, path = "/api/v1/invitations/decline", tag = "members", request_body = TokenBody, responses((status = 204, description = "Turned down"), Refusals))]
pub async fn decline(api: Api, ApiJson(body): ApiJson<TokenBody>) -> ApiResult {
    let mut act = api.begin().await?;
    invitations::decline(&mut act, &body.token).await?;
    done(act).await
}
