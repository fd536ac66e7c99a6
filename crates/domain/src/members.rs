//! Members: users in an organization, each with exactly one role.

use std::collections::BTreeSet;

use crate::{ids::UserId, marketplace::words_of, permissions::Role, time::Ts, users::User};

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

/// The most characters of a word by which members are found; what is longer is found by its beginning.
const LONGEST_WORD: usize = 40;

/// The most words by which one member is found.
const MOST_WORDS: usize = 32;

/// The most words that a search for members regards.
const MOST_TYPED: usize = 6;

impl Member {
    /// A person as a member.
    pub fn new(user: &User, role: Role, since: Ts) -> Self {
        Self { user: user.id, email: user.email.clone(), name: user.name.clone(), role, since }
    }
}

fn cut(word: &str) -> String {
    word.chars().take(LONGEST_WORD).collect()
}

/// The words by which somebody is found among members: those of the name and those of the address, folded.
pub fn words(name: &str, email: &str) -> BTreeSet<String> {
    words_of(name).iter().chain(&words_of(email)).map(|word| cut(word)).take(MOST_WORDS).collect()
}

/// The words of a search for members. Whoever has words that begin with each of them is found; none finds nobody.
pub fn typed(search: &str) -> Vec<String> {
    let words: BTreeSet<String> = words_of(search).iter().map(|word| cut(word)).collect();
    // What begins another word that was typed, that other word tells too.
    let told = |word: &String| words.iter().any(|other| other != word && other.starts_with(word.as_str()));
    words.iter().filter(|word| !told(word)).take(MOST_TYPED).cloned().collect()
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

    #[test]
    fn members_are_found_by_words_of_name_and_address() {
        let words = words("Zoë Bauer-Groß", "zoe.bauer@grid.example");
        assert_eq!(words.iter().map(String::as_str).collect::<Vec<_>>(), ["bauer", "example", "grid", "gross", "zoe"]);
        assert_eq!(typed("  Zo bau zo"), ["bau", "zo"]);
        assert_eq!(typed("Bau bauer"), ["bauer"], "bauer begins with bau");
        assert_eq!(typed("zoe.bauer@grid.example"), ["bauer", "example", "grid", "zoe"]);
        assert!(typed(" @ ").is_empty());
        assert_eq!(typed(&"x".repeat(50)), ["x".repeat(LONGEST_WORD)]);
    }

    proptest! {
        #[test]
        fn whoever_has_a_name_is_found_by_any_beginning_of_it(name in "\\PC{1,60}", end in 1_usize..60) {
            let words = words(&name, "a@grid.example");
            let typed = typed(&name.chars().take(end).collect::<String>());
            for word in &typed {
                prop_assert!(words.iter().any(|kept| kept.starts_with(word.as_str())), "{word:?} of {words:?}");
            }
        }

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
