//! Operators: people who run the installation.

use crate::{ids::UserId, words::words};

words! {
    /// What of an organization an operator looks at.
    View, NotAView, "what an operator looks at" {
        /// Name, addresses and how much there is.
        Details = "details",
        /// Who belongs to it.
        Members = "members",
        /// What it subscribes.
        Subscriptions = "subscriptions",
    }
}

/// The installation would be left without an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an installation keeps at least one operator who can sign in; make somebody else an operator first")]
pub struct LastOperator;

/// The guard on every path that takes somebody's place as operator: given those who are operators and not suspended now.
///
/// # Errors
/// [`LastOperator`].
pub fn keep_an_operator(operators: &[UserId], without: UserId) -> Result<(), LastOperator> {
    let is_one = operators.contains(&without);
    if is_one && operators.iter().all(|one| *one == without) { Err(LastOperator) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{ids::Id, time::Ts};

    proptest! {
        #[test]
        fn random_changes_never_leave_the_installation_without_an_operator(moves in prop::collection::vec((0_u8..4, any::<bool>()), 0..60)) {
            let user = |number: u8| UserId::mint(Ts::from_micros(1_000_000 * i64::from(number)), [number; 10]);
            let mut operators = vec![user(0)];
            for (who, makes) in moves {
                let who = user(who);
                if makes && !operators.contains(&who) {
                    operators.push(who);
                } else if !makes && keep_an_operator(&operators, who).is_ok() {
                    operators.retain(|one| *one != who);
                }
                prop_assert!(!operators.is_empty());
            }
        }
    }
}
