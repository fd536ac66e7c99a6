//! Members: users in an organization, each with exactly one role.

use crate::{ids::UserId, permissions::Role, time::Ts};

/// A user in an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The user's id.
    pub user: UserId,
    /// The user's address.
    pub email: String,
    /// The user's name.
    pub name: String,
    /// The one role.
    pub role: Role,
    /// When the user became a member.
    pub since: Ts,
}

/// The organization would be left without a maintainer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an organization keeps at least one maintainer; make somebody else a maintainer first")]
pub struct LastMaintainer;

/// The guard on every path that changes or ends a membership: given how many maintainers there are now, may a member
/// whose role is `from` get the role `to` (`None`: no longer be a member)?
///
/// # Errors
/// [`LastMaintainer`].
pub fn keep_a_maintainer(maintainers: usize, from: Role, to: Option<Role>) -> Result<(), LastMaintainer> {
    let loses_one = from == Role::Maintainer && to != Some(Role::Maintainer);
    if loses_one && maintainers <= 1 { Err(LastMaintainer) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn role() -> impl Strategy<Value = Role> {
        prop::sample::select(Role::ALL.to_vec())
    }

    proptest! {
        #[test]
        fn random_changes_never_leave_an_organization_without_a_maintainer(
            moves in prop::collection::vec((0_usize..6, prop::option::of(role())), 0..60)
        ) {
            let mut members = [Some(Role::Maintainer), Some(Role::Viewer), Some(Role::Editor), None, None, Some(Role::Reviewer)];
            for (who, to) in moves {
                let maintainers = members.iter().filter(|role| **role == Some(Role::Maintainer)).count();
                match members[who] {
                    Some(from) if keep_a_maintainer(maintainers, from, to).is_ok() => members[who] = to,
                    None => members[who] = to,
                    Some(_) => {}
                }
                prop_assert!(members.contains(&Some(Role::Maintainer)));
            }
        }
    }
}
