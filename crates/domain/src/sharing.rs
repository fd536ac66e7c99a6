//! Sharing: who sees an application, as what, and why.
//!
//! An application is its owner's. A person's is shared with one organization as a whole or with teams of it. An
//! organization's own is seen by all its members until it is shared with teams: then only they see it, and those who
//! must be able to (maintainers, and whoever registered it), until it is shared with the organization as a whole again.

use crate::{
    access::{Action, Reason, Standing},
    ids::TeamId,
    permissions::{Permission, Role},
};

/// With how many teams an application may be shared.
pub const MOST_SHARES: usize = 100;

/// A fact that ties a person to an application. Facts decide nothing; [`decide`] does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tie {
    /// It is the person's own.
    Owner,
    /// The person is a member of the organization that owns it.
    Member {
        /// As what.
        role: Role,
        /// Whether it is shared with no team, or with the organization as a whole too.
        open: bool,
        /// Whether the person registered it.
        creator: bool,
        /// Whether that organization is suspended.
        suspended: bool,
    },
    /// It is a person's, shared with an organization to which the person belongs.
    Organization {
        /// As what.
        role: Role,
        /// Whether that organization is suspended.
        suspended: bool,
    },
    /// It is shared with a team in which the person is.
    Team {
        /// As what in the organization.
        role: Role,
        /// Which team.
        team: TeamId,
        /// Its name.
        name: String,
        /// Whether its organization is suspended.
        suspended: bool,
    },
}

/// A way on which a person reaches an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Path {
    /// As its owner.
    Owner,
    /// As a member of the organization that owns it.
    Member(Role),
    /// As a maintainer of the organization that owns it, from whom nothing of it is hidden.
    Maintainer,
    /// As the member who registered it for the organization.
    Creator(Role),
    /// As a member of the organization with which it is shared.
    Organization(Role),
    /// As a member of a team with which it is shared.
    Team(Role, TeamId, String),
}

impl Path {
    /// The role that counts on this way; `None` for the owner, who may do everything.
    pub const fn role(&self) -> Option<Role> {
        match self {
            Self::Owner => None,
            Self::Maintainer => Some(Role::Maintainer),
            Self::Member(role) | Self::Creator(role) | Self::Organization(role) | Self::Team(role, ..) => Some(*role),
        }
    }

    /// A stable word for the way.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Member(_) => "member",
            Self::Maintainer => "maintainer",
            Self::Creator(_) => "creator",
            Self::Organization(_) => "organization_share",
            Self::Team(..) => "team_share",
        }
    }

    fn decide(&self, permission: Permission, suspended: bool) -> Reason {
        match self {
            Self::Owner => Reason::Owner,
            other => Action::Role(permission).decide_in(other.role().map(|role| Standing { role, suspended })),
        }
    }
}

/// The ways that ties open, the most direct first.
pub fn paths(ties: &[Tie]) -> Vec<Path> {
    ways(ties).into_iter().map(|(path, _)| path).collect()
}

/// The ways, each with whether it leads through a suspended organization.
fn ways(ties: &[Tie]) -> Vec<(Path, bool)> {
    let mut ways: Vec<(Path, bool)> = ties
        .iter()
        .filter_map(|tie| match tie {
            Tie::Owner => Some((Path::Owner, false)),
            Tie::Member { role, open: true, suspended, .. } => Some((Path::Member(*role), *suspended)),
            Tie::Member { role: Role::Maintainer, suspended, .. } => Some((Path::Maintainer, *suspended)),
            Tie::Member { role, creator: true, suspended, .. } => Some((Path::Creator(*role), *suspended)),
            Tie::Member { .. } => None,
            Tie::Organization { role, suspended } => Some((Path::Organization(*role), *suspended)),
            Tie::Team { role, team, name, suspended } => Some((Path::Team(*role, *team, name.clone()), *suspended)),
        })
        .collect();
    let rank = |path: &Path| match path {
        Path::Owner => 0,
        Path::Member(_) => 1,
        Path::Organization(_) => 2,
        Path::Team(..) => 3,
        Path::Creator(_) => 4,
        Path::Maintainer => 5,
    };
    ways.sort_by_key(|(path, _)| rank(path));
    ways
}

/// Whether a person may do something with an application, why, and on which way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// Why; it also says whether it is a yes.
    pub reason: Reason,
    /// The way that decided; `None` for whoever does not see it.
    pub path: Option<Path>,
}

/// Decides by the ties of a person: on any way that allows it, it is allowed; whoever reaches it on none does not see it.
pub fn decide(ties: &[Tie], permission: Permission) -> Decided {
    let ways = ways(ties);
    let allowing = ways.iter().find(|(path, suspended)| path.decide(permission, *suspended).allows());
    match allowing.or(ways.first()) {
        Some((path, suspended)) => Decided { reason: path.decide(permission, *suspended), path: Some(path.clone()) },
        None if ties.iter().any(|tie| matches!(tie, Tie::Member { .. })) => Decided { reason: Reason::NotInTeam, path: None },
        None => Decided { reason: Reason::NotShared, path: None },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        ids::Id,
        permissions::{Verdict, verdict},
        time::Ts,
    };

    fn tie() -> impl Strategy<Value = Tie> {
        let role = || prop::sample::select(Role::ALL.to_vec());
        prop_oneof![
            Just(Tie::Owner),
            (role(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(role, open, creator, suspended)| Tie::Member {
                role,
                open,
                creator,
                suspended
            }),
            (role(), any::<bool>()).prop_map(|(role, suspended)| Tie::Organization { role, suspended }),
            (role(), any::<bool>()).prop_map(|(role, suspended)| {
                let team = TeamId::mint(Ts::from_micros(1), [1; 10]);
                Tie::Team { role, team, name: "Meters".into(), suspended }
            }),
        ]
    }

    #[test]
    fn an_organizations_application_that_teams_share_is_hidden_from_other_members() {
        let member = |role, open, creator| decide(&[Tie::Member { role, open, creator, suspended: false }], Permission::View);
        assert_eq!(member(Role::Viewer, true, false).path, Some(Path::Member(Role::Viewer)));
        assert_eq!(member(Role::Editor, false, false).reason, Reason::NotInTeam);
        assert_eq!(member(Role::Editor, false, true).path, Some(Path::Creator(Role::Editor)));
        assert_eq!(member(Role::Maintainer, false, false).path, Some(Path::Maintainer));
        assert_eq!(decide(&[], Permission::View).reason, Reason::NotShared);
    }

    #[test]
    fn a_share_gives_what_the_role_gives() {
        let shared = |role, permission| decide(&[Tie::Organization { role, suspended: false }], permission).reason;
        assert_eq!(shared(Role::Viewer, Permission::View), Reason::RoleAllows);
        assert_eq!(shared(Role::Viewer, Permission::ManageResources), Reason::RoleRefuses);
        assert_eq!(shared(Role::Editor, Permission::ManageResources), Reason::RoleAllows);
    }

    #[test]
    fn what_is_shared_with_a_suspended_organization_is_seen_there_and_changed_by_its_owner_alone() {
        let shared = Tie::Organization { role: Role::Maintainer, suspended: true };
        assert_eq!(decide(std::slice::from_ref(&shared), Permission::View).reason, Reason::RoleAllows);
        assert_eq!(decide(std::slice::from_ref(&shared), Permission::ManageResources).reason, Reason::OrganizationSuspended);
        assert_eq!(decide(&[shared, Tie::Owner], Permission::ManageResources).reason, Reason::Owner);
    }

    proptest! {
        #[test]
        fn nobody_may_more_than_the_owner_or_a_role_on_some_way(
            ties in prop::collection::vec(tie(), 0..6),
            permission in prop::sample::select(Permission::ALL.to_vec()),
        ) {
            let decided = decide(&ties, permission);
            let ways = ways(&ties);
            let allows = |(path, suspended): &(Path, bool)| {
                path.role().is_none_or(|role| verdict(role, permission) == Verdict::Allowed && (!suspended || permission.only_looks()))
            };
            let expected = ways.iter().any(allows);
            prop_assert_eq!(decided.reason.allows(), expected);
            prop_assert_eq!(decided.path.is_some(), !ways.is_empty());
        }

        #[test]
        fn one_more_tie_never_takes_anything_away(
            ties in prop::collection::vec(tie(), 0..6),
            more in tie(),
            permission in prop::sample::select(Permission::ALL.to_vec()),
        ) {
            let before = decide(&ties, permission).reason.allows();
            let mut with = ties;
            with.push(more);
            prop_assert!(!before || decide(&with, permission).reason.allows());
        }
    }
}
