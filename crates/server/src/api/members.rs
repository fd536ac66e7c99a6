//! Members of an organization.

use axum::{Json, http::StatusCode, response::IntoResponse};
use serde::{Deserialize, Serialize};
use stoa_actions::members::{self, Added, MOST_ADDED, NewMember};
use stoa_domain::{ids::UserId, members::Member, organizations::Key, permissions::Role, time::Ts};
use utoipa::ToSchema;

use crate::{
    api::{invitations::InvitationView, me::PersonView},
    extract::{Api, ApiJson, ApiPath, ApiQuery, ApiResult, answer, done},
    paging::{Finding, Page},
    problem::Refusals,
};

/// A member.
#[derive(Debug, Serialize, ToSchema)]
pub struct MemberView {
    /// Who.
    pub user: PersonView,
    /// `viewer`, `reviewer`, `editor` or `maintainer`.
    #[schema(value_type = String)]
    pub role: Role,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub since: Ts,
}

impl From<Member> for MemberView {
    fn from(member: Member) -> Self {
        Self { user: PersonView { id: member.user, email: member.email, name: member.name }, role: member.role, since: member.since }
    }
}

/// People to add.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewMembersBody {
    /// 1 to 100 people.
    #[schema(min_items = 1, max_items = 100)]
    pub members: Vec<NewMemberBody>,
}

/// One person to add.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewMemberBody {
    /// The address of the person's account.
    pub email: String,
    /// `viewer`, `reviewer`, `editor` or `maintainer`.
    pub role: String,
    /// What the person is called, for the invitation of somebody without an account.
    pub name: Option<String>,
}

/// What became of each person, in the order given.
#[derive(Debug, Serialize, ToSchema)]
pub struct AddedView {
    /// One result per person.
    pub results: Vec<AddedOneView>,
}

/// What became of one person.
#[derive(Debug, Serialize, ToSchema)]
pub struct AddedOneView {
    /// The address as given.
    pub email: String,
    /// `added`, `invited`, `already_member` or `invalid`.
    pub status: &'static str,
    /// The membership.
    pub member: Option<MemberView>,
    /// The invitation, of somebody without an account.
    pub invitation: Option<InvitationView>,
    /// Why not, and what to do; of somebody invited, why they can’t make an account by themselves.
    pub detail: Option<String>,
}

/// A role to give.
#[derive(Debug, Deserialize, ToSchema)]
pub struct RoleBody {
    /// `viewer`, `reviewer`, `editor` or `maintainer`.
    pub role: String,
}

/// The members in the order in which they came, all or those who have words in name or address that begin with each word of what
/// is looked for.
#[utoipa::path(get, path = "/api/v1/organizations/{org}/members", tag = "members", params(("org" = String, Path, description = "Handle or id"), Finding), responses((status = 200, description = "A page", body = Page<MemberView>), Refusals))]
pub async fn list(api: Api, ApiPath(org): ApiPath<String>, ApiQuery(finding): ApiQuery<Finding>) -> ApiResult {
    let paging = finding.paging();
    let limit = paging.limit()?;
    let after: Option<UserId> = paging.cursor()?;
    let mut conn = api.read().await?;
    let (_, page) = members::list(&mut conn, &api.caller, &Key::read(&org), finding.search(), after, limit + 1).await?;
    Ok(Json(Page::cut(page, limit, |member| member.user, MemberView::from)).into_response())
}

/// Adds people, each with a role: who has an account is a member at once, others are invited by mail.
#[utoipa::path(post, path = "/api/v1/organizations/{org}/members", tag = "members", params(("org" = String, Path, description = "Handle or id")), request_body = NewMembersBody, responses((status = 200, description = "What became of each", body = AddedView), Refusals))]
pub async fn add(api: Api, ApiPath(org): ApiPath<String>, ApiJson(body): ApiJson<NewMembersBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let emails: Vec<String> = body.members.iter().map(|one| one.email.clone()).collect();
    let new: Vec<NewMember> =
        body.members.into_iter().map(|one| NewMember { email: one.email, name: one.name.unwrap_or_default(), role: one.role }).collect();
    let results = members::add(&mut act, &Key::read(&org), &new, MOST_ADDED).await?;
    let results = emails.into_iter().zip(results).map(|(email, added)| show(email, added)).collect();
    answer(act, StatusCode::OK, &AddedView { results }).await
}

fn show(email: String, added: Added) -> AddedOneView {
    let (status, member, invitation, detail) = match added {
        Added::Added(member) => ("added", Some(member.into()), None, None),
        Added::Invited { invitation, obstacle } => ("invited", None, Some(invitation.into()), obstacle),
        Added::AlreadyMember(member) => ("already_member", Some(member.into()), None, None),
        Added::Invalid { reason } => ("invalid", None, None, Some(reason)),
    };
    AddedOneView { email, status, member, invitation, detail }
}

/// Gives a member another role.
#[utoipa::path(patch, path = "/api/v1/organizations/{org}/members/{user}", tag = "members", params(("org" = String, Path, description = "Handle or id"), ("user" = String, Path, description = "usr_…")), request_body = RoleBody, responses((status = 200, description = "The member", body = MemberView), Refusals))]
pub async fn change_role(api: Api, ApiPath((org, user)): ApiPath<(String, UserId)>, ApiJson(body): ApiJson<RoleBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let member = members::change_role(&mut act, &Key::read(&org), user, &body.role).await?;
    answer(act, StatusCode::OK, &MemberView::from(member)).await
}

/// Removes a member; members may remove themselves.
#[utoipa::path(delete, path = "/api/v1/organizations/{org}/members/{user}", tag = "members", params(("org" = String, Path, description = "Handle or id"), ("user" = String, Path, description = "usr_…")), responses((status = 204, description = "Removed"), Refusals))]
pub async fn remove(api: Api, ApiPath((org, user)): ApiPath<(String, UserId)>) -> ApiResult {
    let mut act = api.begin().await?;
    members::remove(&mut act, &Key::read(&org), user).await?;
    done(act).await
}
