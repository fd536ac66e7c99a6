//! Who may do what: four roles, one matrix.
//!
//! The matrix is one exhaustive `match`. Pages, API, documentation and tests are generated from it, so none can drift.

use serde::{Deserialize, Serialize};

/// What a member is in an organization. The roles form a diamond, not a ladder: a reviewer approves but does not edit,
/// an editor edits but does not approve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sees everything, changes nothing.
    Viewer,
    /// Sees everything and decides requests.
    Reviewer,
    /// Sees everything and manages shared resources.
    Editor,
    /// May do everything an organization may.
    Maintainer,
}

impl Role {
    /// All roles, in the order in which tables show them.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Reviewer, Self::Editor, Self::Maintainer];

    /// The word used in API and database.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Reviewer => "reviewer",
            Self::Editor => "editor",
            Self::Maintainer => "maintainer",
        }
    }

    /// The word as a title, for pages.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Viewer => "Viewer",
            Self::Reviewer => "Reviewer",
            Self::Editor => "Editor",
            Self::Maintainer => "Maintainer",
        }
    }

    /// The word as it stands in a sentence.
    pub const fn with_article(self) -> &'static str {
        match self {
            Self::Viewer => "a viewer",
            Self::Reviewer => "a reviewer",
            Self::Editor => "an editor",
            Self::Maintainer => "a maintainer",
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// The word is none of the four roles.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a role is one of viewer, reviewer, editor, maintainer")]
pub struct NotARole;

impl std::str::FromStr for Role {
    type Err = NotARole;
    fn from_str(text: &str) -> Result<Self, NotARole> {
        Self::ALL.into_iter().find(|role| role.word() == text).ok_or(NotARole)
    }
}

/// An action on an organization or on what belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Permission {
    /// View details, members, projects, applications, subscriptions, grants and costs.
    View,
    /// Read the activity log.
    ReadActivity,
    /// Export the activity log.
    ExportActivity,
    /// Approve or reject the organization's own requests (not one's own).
    DecideRequests,
    /// Change what the organization wants to be approved.
    ManagePolicies,
    /// Edit the organization's details.
    EditOrganization,
    /// Manage applications, projects and resources.
    ManageResources,
    /// Add members, change roles, remove members.
    ManageMembers,
    /// Delete the organization.
    DeleteOrganization,
    /// Subscribe a service at organization level.
    SubscribeOrganization,
    /// Subscribe a project-level service for a project.
    SubscribeProject,
    /// Add projects to a subscription.
    AddProjects,
    /// Take a project out of a subscription or pause the subscription.
    ReduceSubscription,
    /// Cancel a subscription.
    CancelSubscription,
    /// Draft a service, its contracts and plans.
    DraftServices,
    /// Publish, deprecate or retire a service.
    PublishServices,
    /// Hand a service over to another organization, or take one over.
    HandOverServices,
    /// Approve or decline subscription requests as the provider.
    DecideSubscriptions,
}

/// What the matrix says of a role and a permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// May do it at once.
    Allowed,
    /// May ask for it: the change waits for somebody's approval.
    Request,
    /// May not do it.
    Refused,
}

impl Permission {
    /// All permissions, in the order in which tables show them.
    pub const ALL: [Self; 18] = [
        Self::View,
        Self::ReadActivity,
        Self::ExportActivity,
        Self::DecideRequests,
        Self::ManagePolicies,
        Self::EditOrganization,
        Self::ManageResources,
        Self::ManageMembers,
        Self::DeleteOrganization,
        Self::SubscribeOrganization,
        Self::SubscribeProject,
        Self::AddProjects,
        Self::ReduceSubscription,
        Self::CancelSubscription,
        Self::DraftServices,
        Self::PublishServices,
        Self::HandOverServices,
        Self::DecideSubscriptions,
    ];

    /// The word by which decisions are asked for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::ReadActivity => "read_activity",
            Self::ExportActivity => "export_activity",
            Self::DecideRequests => "decide_requests",
            Self::ManagePolicies => "manage_policies",
            Self::EditOrganization => "edit_organization",
            Self::ManageResources => "manage_resources",
            Self::ManageMembers => "manage_members",
            Self::DeleteOrganization => "delete_organization",
            Self::SubscribeOrganization => "subscribe_organization",
            Self::SubscribeProject => "subscribe_project",
            Self::AddProjects => "add_projects",
            Self::ReduceSubscription => "reduce_subscription",
            Self::CancelSubscription => "cancel_subscription",
            Self::DraftServices => "draft_services",
            Self::PublishServices => "publish_services",
            Self::HandOverServices => "hand_over_services",
            Self::DecideSubscriptions => "decide_subscriptions",
        }
    }

    /// The action in plain words, as it continues “you may …”.
    pub const fn words(self) -> &'static str {
        match self {
            Self::View => "view details, members, projects, applications, subscriptions, grants and costs",
            Self::ReadActivity => "read the activity log",
            Self::ExportActivity => "export the activity log",
            Self::DecideRequests => "approve or reject requests of the organization",
            Self::ManagePolicies => "change what the organization wants to be approved",
            Self::EditOrganization => "edit the organization's details",
            Self::ManageResources => "manage applications, projects and resources",
            Self::ManageMembers => "add members, change roles and remove members",
            Self::DeleteOrganization => "delete the organization",
            Self::SubscribeOrganization => "subscribe a service at organization level",
            Self::SubscribeProject => "subscribe a project-level service for a project",
            Self::AddProjects => "add projects to a subscription",
            Self::ReduceSubscription => "take a project out of a subscription or pause it",
            Self::CancelSubscription => "cancel a subscription",
            Self::DraftServices => "draft services, their contracts and plans",
            Self::PublishServices => "publish, deprecate or retire a service",
            Self::HandOverServices => "hand a service over to another organization, or take one over",
            Self::DecideSubscriptions => "approve or decline subscription requests as the provider",
        }
    }

    /// Whether it only looks, so that it stays possible in a suspended organization.
    pub const fn only_looks(self) -> bool {
        matches!(self, Self::View | Self::ReadActivity | Self::ExportActivity)
    }

    /// The roles that may do it at once, in the order of [`Role::ALL`].
    pub fn allowed_roles(self) -> Vec<Role> {
        Role::ALL.into_iter().filter(|role| verdict(*role, self) == Verdict::Allowed).collect()
    }
}

/// The matrix: what `role` may do of `permission`.
pub const fn verdict(role: Role, permission: Permission) -> Verdict {
    use Permission as P;
    use Role::{Editor, Maintainer, Reviewer, Viewer};
    use Verdict::{Allowed, Refused, Request};
    match (permission, role) {
        (P::View | P::ReadActivity, _) => Allowed,
        (P::ExportActivity | P::ManagePolicies | P::ManageMembers | P::DeleteOrganization, Maintainer) => Allowed,
        (P::ExportActivity | P::ManagePolicies | P::ManageMembers | P::DeleteOrganization, Viewer | Reviewer | Editor) => Refused,
        (P::DecideRequests | P::DecideSubscriptions, Reviewer | Maintainer) => Allowed,
        (P::DecideRequests | P::DecideSubscriptions, Viewer | Editor) => Refused,
        (P::EditOrganization | P::ManageResources | P::DraftServices, Editor | Maintainer) => Allowed,
        (P::EditOrganization | P::ManageResources | P::DraftServices, Viewer | Reviewer) => Refused,
        (P::SubscribeOrganization | P::AddProjects | P::CancelSubscription, Maintainer) => Allowed,
        (P::SubscribeOrganization | P::AddProjects | P::CancelSubscription, Viewer | Reviewer | Editor) => Request,
        (P::SubscribeProject, Editor | Maintainer) => Allowed,
        (P::SubscribeProject, Viewer | Reviewer) => Request,
        (P::ReduceSubscription, Reviewer | Editor | Maintainer) => Allowed,
        (P::ReduceSubscription, Viewer) => Refused,
        (P::PublishServices, Maintainer) => Allowed,
        (P::PublishServices, Editor) => Request,
        (P::PublishServices, Viewer | Reviewer) => Refused,
        (P::HandOverServices, Maintainer) => Allowed,
        (P::HandOverServices, Viewer | Reviewer | Editor) => Refused,
    }
}

/// The matrix as a Markdown table: the body of `docs/permissions.md`.
pub fn markdown() -> String {
    let mut text = String::from(
        "# Roles and permissions\n\nGenerated from the one `match` in `crates/domain/src/permissions.rs`; change it there.\n\n\
         A **request** waits for the approval of somebody who may do it at once.\n\n\
         | A member may … | Viewer | Reviewer | Editor | Maintainer |\n|---|---|---|---|---|\n",
    );
    for permission in Permission::ALL {
        text.push_str("| ");
        text.push_str(permission.words());
        for role in Role::ALL {
            text.push_str(match verdict(role, permission) {
                Verdict::Allowed => " | ✓",
                Verdict::Request => " | request",
                Verdict::Refused => " | –",
            });
        }
        text.push_str(" |\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_maintainer_may_do_everything_and_a_viewer_changes_nothing_at_once() {
        for permission in Permission::ALL {
            assert_eq!(verdict(Role::Maintainer, permission), Verdict::Allowed);
            let reading = matches!(permission, Permission::View | Permission::ReadActivity);
            assert_eq!(verdict(Role::Viewer, permission) == Verdict::Allowed, reading, "{permission:?}");
        }
    }

    #[test]
    fn reviewer_and_editor_form_the_middle_of_a_diamond() {
        assert_eq!(verdict(Role::Reviewer, Permission::DecideRequests), Verdict::Allowed);
        assert_eq!(verdict(Role::Editor, Permission::DecideRequests), Verdict::Refused);
        assert_eq!(verdict(Role::Reviewer, Permission::ManageResources), Verdict::Refused);
        assert_eq!(verdict(Role::Editor, Permission::ManageResources), Verdict::Allowed);
    }

    #[test]
    fn each_permission_stands_in_the_table() {
        let table = markdown();
        for permission in Permission::ALL {
            assert!(table.contains(permission.words()));
        }
    }
}
