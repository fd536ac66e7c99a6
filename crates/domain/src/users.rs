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

/// Who may make an account without the operator.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SignUp {
    /// Nobody.
    Closed,
    /// Everybody who has an address.
    #[default]
    Open,
    /// Those with an address of one of these domains, in lower case.
    Domains(Vec<String>),
}

/// The address is of a domain that gets no accounts here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("accounts here are for addresses of {}", .0.join(", "))]
pub struct OtherDomain(Vec<String>);

impl SignUp {
    /// Whether an address may become an account.
    ///
    /// # Errors
    /// [`OtherDomain`], for a closed sign-up too.
    pub fn admits(&self, email: &str) -> Result<(), OtherDomain> {
        let host = email.rsplit_once('@').map_or("", |(_, host)| host);
        match self {
            Self::Open => Ok(()),
            Self::Closed => Err(OtherDomain(Vec::new())),
            Self::Domains(domains) if domains.iter().any(|domain| domain == host) => Ok(()),
            Self::Domains(domains) => Err(OtherDomain(domains.clone())),
        }
    }
}

impl std::str::FromStr for SignUp {
    type Err = &'static str;

    fn from_str(words: &str) -> Result<Self, &'static str> {
        match words.trim() {
            "open" => Ok(Self::Open),
            "closed" => Ok(Self::Closed),
            words => {
                let domains: Vec<String> = words.split(',').map(|domain| domain.trim().to_lowercase()).collect();
                let fits = domains.iter().all(|domain| text::email(&format!("a@{domain}")).is_ok());
                if fits { Ok(Self::Domains(domains)) } else { Err("write open, closed, or domains such as grid.example, works.example") }
            }
        }
    }
}

impl std::fmt::Display for SignUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Open => f.write_str("open"),
            Self::Closed => f.write_str("closed"),
            Self::Domains(domains) => f.write_str(&domains.join(", ")),
        }
    }
}

/// What a person is called whose account was deleted.
pub const DELETED: &str = "Deleted account";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sign_up_is_open_closed_or_for_whole_domains() {
        assert_eq!("open".parse(), Ok(SignUp::Open));
        assert_eq!("closed".parse(), Ok(SignUp::Closed));
        let limited: SignUp = "Grid.example, works.example".parse().unwrap();
        assert_eq!(limited.to_string(), "grid.example, works.example");
        assert!(limited.admits("ada@grid.example").is_ok());
        for other in ["ada@sub.grid.example", "ada@evil-grid.example", "ada@grid.example.evil.example"] {
            assert!(limited.admits(other).is_err(), "{other}");
        }
        assert!(SignUp::Closed.admits("ada@grid.example").is_err());
        for wrong in ["", "everybody", "@grid.example", "grid.example,"] {
            assert!(wrong.parse::<SignUp>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn passwords_are_judged_by_length_alone() {
        assert_eq!(check_password("correct hors"), Ok(()));
        assert_eq!(check_password("short"), Err(BadPassword::TooShort));
        assert_eq!(check_password(&"x".repeat(513)), Err(BadPassword::TooLong));
    }
}
