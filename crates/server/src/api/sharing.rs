//! With whom applications are shared.

use serde::Serialize;
use stoa_actions::{
    applications::Share,
    sharing::{self, With},
};
use stoa_domain::{
    ids::{ApplicationId, OrganizationId, TeamId},
    organizations::Key,
    permissions::Role,
    sharing::Path,
    time::Ts,
};
use utoipa::ToSchema;

use crate::{
    extract::{Api, ApiPath, ApiResult, done},
    problem::Refusals,
};

/// The team of a share.
#[derive(Debug, Serialize, ToSchema)]
pub struct NamedTeamView {
    /// `tea_…`
    #[schema(value_type = String)]
    pub id: TeamId,
    /// Its name.
    pub name: String,
}

/// The organization of a share.
#[derive(Debug, Serialize, ToSchema)]
pub struct NamedOrganizationView {
    /// `org_…`
    #[schema(value_type = String)]
    pub id: OrganizationId,
    /// Its handle.
    pub handle: String,
    /// Its name.
    pub name: String,
}

/// With whom an application is shared.
#[derive(Debug, Serialize, ToSchema)]
pub struct ShareView {
    /// `organization` or `team`.
    pub kind: &'static str,
    /// The organization, or that of the team.
    pub organization: NamedOrganizationView,
    /// The team; absent for the organization as a whole.
    pub team: Option<NamedTeamView>,
    /// How many people that is.
    pub members: i64,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub shared_at: Ts,
    /// The name of who shared it.
    pub shared_by: String,
}

impl From<Share> for ShareView {
    fn from(share: Share) -> Self {
        Self {
            kind: if share.team.is_some() { "team" } else { "organization" },
            organization: NamedOrganizationView { id: share.organization, handle: share.handle, name: share.name },
            team: share.team.map(|(id, name)| NamedTeamView { id, name }),
            members: share.members,
            shared_at: share.shared_at,
            shared_by: share.shared_by,
        }
    }
}

/// A way on which somebody sees an application.
#[derive(Debug, Serialize, ToSchema)]
pub struct PathView {
    /// `owner`, `member` (of the organization that owns it), `organization_share`, `team_share`, `creator` (who registered it
    /// for the organization) or `maintainer`.
    pub kind: &'static str,
    /// The role that counts; absent for the owner.
    #[schema(value_type = Option<String>)]
    pub role: Option<Role>,
    /// The team, on the way of a team.
    pub team: Option<NamedTeamView>,
}

impl From<Path> for PathView {
    fn from(path: Path) -> Self {
        let (kind, role) = (path.word(), path.role());
        let team = if let Path::Team(_, id, name) = path { Some(NamedTeamView { id, name }) } else { None };
        Self { kind, role, team }
    }
}

/// Shares an application with an organization: every member sees it, by role.
#[utoipa::path(put, path = "/api/v1/applications/{application}/shares/organizations/{org}", tag = "applications", params(("application" = String, Path, description = "app_…"), ("org" = String, Path, description = "Handle or id")), responses((status = 204, description = "Shared"), Refusals))]
pub async fn with_organization(api: Api, ApiPath((application, org)): ApiPath<(ApplicationId, String)>) -> ApiResult {
    let mut act = api.begin().await?;
    sharing::share(&mut act, application, &With::Organization(Key::read(&org))).await?;
    done(act).await
}

/// Takes the share with an organization back; what is shared with teams of it stays so.
#[utoipa::path(delete, path = "/api/v1/applications/{application}/shares/organizations/{org}", tag = "applications", params(("application" = String, Path, description = "app_…"), ("org" = String, Path, description = "Handle or id")), responses((status = 204, description = "Taken back"), Refusals))]
pub async fn not_with_organization(api: Api, ApiPath((application, org)): ApiPath<(ApplicationId, String)>) -> ApiResult {
    let mut act = api.begin().await?;
    sharing::unshare(&mut act, application, &With::Organization(Key::read(&org))).await?;
    done(act).await
}

/// Shares an application with a team: only the team's members see it, by role. An organization's own application is then
/// hidden from its other members, except maintainers and whoever registered it, unless it is shared with the organization too.
#[utoipa::path(put, path = "/api/v1/applications/{application}/shares/teams/{team}", tag = "applications", params(("application" = String, Path, description = "app_…"), ("team" = String, Path, description = "tea_…")), responses((status = 204, description = "Shared"), Refusals))]
pub async fn with_team(api: Api, ApiPath((application, team)): ApiPath<(ApplicationId, TeamId)>) -> ApiResult {
    let mut act = api.begin().await?;
    sharing::share(&mut act, application, &With::Team(team)).await?;
    done(act).await
}

/// Takes the share with a team back.
#[utoipa::path(delete, path = "/api/v1/applications/{application}/shares/teams/{team}", tag = "applications", params(("application" = String, Path, description = "app_…"), ("team" = String, Path, description = "tea_…")), responses((status = 204, description = "Taken back"), Refusals))]
pub async fn not_with_team(api: Api, ApiPath((application, team)): ApiPath<(ApplicationId, TeamId)>) -> ApiResult {
    let mut act = api.begin().await?;
    sharing::unshare(&mut act, application, &With::Team(team)).await?;
    done(act).await
}
