//! People with accounts.

use crate::{
    ids::UserId,
    text::{self, BadText},
    time::Ts,
};

/// A person with an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The account's id.
    pub id: UserId,
    /// The address that identifies the account, in lower case.
    pub email: String,
    /// What the person is called.
    pub name: String,
    /// Whether the person runs the installation.
    pub operator: bool,
    /// When the account was made.
    pub created_at: Ts,
    /// Whether an operator suspended it: nobody signs in to it, and its tokens are refused.
    pub suspended: bool,
}

/// Why a password is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPassword {
    /// Too few characters to withstand guessing (NIST SP 800-63B asks for a minimum length and nothing else).
    #[error("a password has at least 12 characters")]
    TooShort,
    /// More than can reasonably be hashed.
    #[error("a password has at most 512 characters")]
    TooLong,
}

/// Checks a new password: length alone, as NIST SP 800-63B advises.
///
/// # Errors
/// [`BadPassword`].
pub fn check_password(password: &str) -> Result<(), BadPassword> {
    match password.chars().count() {
        0..12 => Err(BadPassword::TooShort),
        12..=512 => Ok(()),
        _ => Err(BadPassword::TooLong),
    }
}

/// A person's name: one line of at most 120 characters.
///
/// # Errors
/// [`BadText`].
pub fn check_name(name: &str) -> Result<String, BadText> {
    text::line(name, 120)
}

/// The name of a person who gave none: what stands before the `@` of the address.
pub fn name_from_email(email: &str) -> String {
    email.split('@').next().unwrap_or(email).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_judged_by_length_alone() {
        assert_eq!(check_password("correct hors"), Ok(()));
        assert_eq!(check_password("short"), Err(BadPassword::TooShort));
        assert_eq!(check_password(&"x".repeat(513)), Err(BadPassword::TooLong));
    }
}
