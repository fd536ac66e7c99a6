//! Decisions: whether a token or a person may do something with an organization's data, and why.

use std::{fmt, str::FromStr};

use crate::{
    permissions::{Permission, Role, Verdict, verdict},
    services::DataPermission,
    words::words,
};

words! {
    /// Why a decision is what it is. The words are stable: gateways and audit logs rely on them.
    Reason, NotAReason, "a reason" {
        /// The token's subscription has a grant for the project, and its scope includes the permission.
        Granted = "granted",
        /// The person's role allows it.
        RoleAllows = "role_allows",
        /// It is the person's own.
        Owner = "owner",
        /// The token is unknown, or it was revoked, or its secret or application was.
        UnknownToken = "unknown_token",
        /// The token's time is over.
        TokenExpired = "token_expired",
        /// The token's subscription is not in force, or no more.
        SubscriptionNotActive = "subscription_not_active",
        /// The token is of the service itself, and of no subscription.
        NoSubscription = "no_subscription",
        /// The subscription has no grant for this project, or this is not its organization.
        NotGranted = "not_granted",
        /// The contract of the subscription does not include the permission.
        NotInContract = "permission_not_in_contract",
        /// The token's scope does not include the permission.
        NotInScope = "permission_not_in_scope",
        /// The person's role may not do it.
        RoleRefuses = "role_refuses",
        /// The person's role may only request it.
        NeedsRequest = "needs_request",
        /// The person is not a member of the organization.
        NotAMember = "not_a_member",
        /// The operator suspended the organization: it can be looked at but not changed.
        OrganizationSuspended = "organization_suspended",
        /// The operator suspended the person's account: it may do nothing.
        AccountSuspended = "account_suspended",
        /// The application is neither the person's own nor shared with an organization or team of theirs.
        NotShared = "not_shared",
        /// The application is shared with teams only, and the person is in none of them.
        NotInTeam = "not_in_team",
        /// There is no such organization or project, or who asks may not see it.
        NotVisible = "not_visible",
        /// Subjects of this type, or such an id, are not known.
        UnknownSubject = "unknown_subject",
        /// There is no such permission.
        UnknownAction = "unknown_action",
        /// Resources of this type, or such an id, are not known.
        UnknownResource = "unknown_resource",
    }
}

impl Reason {
    /// Whether it is a yes.
    pub const fn allows(self) -> bool {
        matches!(self, Self::Granted | Self::RoleAllows | Self::Owner)
    }

    /// What becomes of a decision about a person whose account may be suspended: then no yes is left, nor anything to ask for.
    #[must_use]
    pub const fn of_account(self, suspended: bool) -> Self {
        match self {
            Self::Owner | Self::RoleAllows | Self::NeedsRequest | Self::OrganizationSuspended if suspended => Self::AccountSuspended,
            decided => decided,
        }
    }
}

/// As what somebody stands in an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The role.
    pub role: Role,
    /// Whether the operator suspended the organization.
    pub suspended: bool,
}

/// What is asked about: a permission on project data, which services and people may have, or one of the role matrix,
/// which only people may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// A permission on project data.
    Data(DataPermission),
    /// A permission of the role matrix.
    Role(Permission),
}

/// The word names no permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such permission")]
pub struct NotAnAction;

impl FromStr for Action {
    type Err = NotAnAction;

    fn from_str(word: &str) -> Result<Self, NotAnAction> {
        let data = word.parse().map(Self::Data).ok();
        let role = || Permission::ALL.into_iter().find(|permission| permission.word() == word).map(Self::Role);
        data.or_else(role).ok_or(NotAnAction)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Data(permission) => permission.word(),
            Self::Role(permission) => permission.word(),
        })
    }
}

impl Action {
    /// The permission of the role matrix that a person needs for it.
    pub const fn for_people(self) -> Permission {
        match self {
            Self::Data(DataPermission::ResourcesRead) => Permission::View,
            Self::Data(DataPermission::ResourcesWrite) => Permission::ManageResources,
            Self::Role(permission) => permission,
        }
    }

    /// What a role decides of it; `None` is somebody who is not a member.
    pub fn decide_for(self, role: Option<Role>) -> Reason {
        match role.map(|role| verdict(role, self.for_people())) {
            None => Reason::NotAMember,
            Some(Verdict::Allowed) => Reason::RoleAllows,
            Some(Verdict::Request) => Reason::NeedsRequest,
            Some(Verdict::Refused) => Reason::RoleRefuses,
        }
    }

    /// What is decided where somebody stands so: what the role decides, but no change of a suspended organization. It is the one
    /// rule for what happens, for questions, and for explanations.
    pub fn decide_in(self, standing: Option<Standing>) -> Reason {
        let suspended = standing.is_some_and(|standing| standing.suspended);
        match self.decide_for(standing.map(|standing| standing.role)) {
            Reason::RoleAllows | Reason::NeedsRequest if suspended && !self.for_people().only_looks() => Reason::OrganizationSuspended,
            decided => decided,
        }
    }
}

/// What a token decides of a permission on data that its subscription reaches: both the contract and the scope must
/// include it, because a contract may be narrowed after a token was issued.
pub fn decide_within(contract: &[DataPermission], scope: &[DataPermission], asked: DataPermission) -> Reason {
    if !contract.contains(&asked) {
        Reason::NotInContract
    } else if !scope.contains(&asked) {
        Reason::NotInScope
    } else {
        Reason::Granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_takes_a_role_that_manages_resources_and_reading_any() {
        let read = Action::Data(DataPermission::ResourcesRead);
        let write = Action::Data(DataPermission::ResourcesWrite);
        for role in Role::ALL {
            assert_eq!(read.decide_for(Some(role)), Reason::RoleAllows, "{role}");
            let writes = matches!(role, Role::Editor | Role::Maintainer);
            assert_eq!(write.decide_for(Some(role)).allows(), writes, "{role}");
        }
        assert_eq!(read.decide_for(None), Reason::NotAMember);
    }

    #[test]
    fn what_may_only_be_requested_is_not_allowed() {
        assert_eq!(Action::Role(Permission::SubscribeOrganization).decide_for(Some(Role::Viewer)), Reason::NeedsRequest);
        assert!(!Reason::NeedsRequest.allows());
    }

    #[test]
    fn a_suspended_organization_is_looked_at_and_a_suspended_account_does_nothing() {
        let decide = |permission, role, suspended| Action::Role(permission).decide_in(Some(Standing { role, suspended }));
        assert_eq!(decide(Permission::ManageMembers, Role::Maintainer, false), Reason::RoleAllows);
        assert_eq!(decide(Permission::ManageMembers, Role::Maintainer, true), Reason::OrganizationSuspended);
        assert_eq!(decide(Permission::SubscribeOrganization, Role::Viewer, true), Reason::OrganizationSuspended);
        assert_eq!(decide(Permission::ManageMembers, Role::Viewer, true), Reason::RoleRefuses);
        assert_eq!(decide(Permission::View, Role::Viewer, true), Reason::RoleAllows);
        for reason in [Reason::Owner, Reason::RoleAllows, Reason::NeedsRequest] {
            assert_eq!((reason.of_account(true), reason.of_account(false)), (Reason::AccountSuspended, reason));
        }
        assert_eq!(Reason::NotAMember.of_account(true), Reason::NotAMember);
    }

    #[test]
    fn a_permission_needs_contract_and_scope() {
        let (read, write) = (DataPermission::ResourcesRead, DataPermission::ResourcesWrite);
        assert_eq!(decide_within(&[read, write], &[read], read), Reason::Granted);
        assert_eq!(decide_within(&[read, write], &[read], write), Reason::NotInScope);
        assert_eq!(decide_within(&[read], &[read, write], write), Reason::NotInContract);
    }

    #[test]
    fn every_permission_reads_back_from_its_word() {
        let all = DataPermission::ALL.iter().copied().map(Action::Data).chain(Permission::ALL.into_iter().map(Action::Role));
        for action in all {
            assert_eq!(action.to_string().parse(), Ok(action));
        }
        assert_eq!("everything".parse::<Action>(), Err(NotAnAction));
    }
}
