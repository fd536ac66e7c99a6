//! Secrets that people and programs hold: personal tokens, access tokens, application secrets.
//!
//! A secret's text is a prefix that says what it is (so that scanners find a leaked one), 32 random bytes and a
//! checksum (so that a mistyped one is refused without asking anybody). Only its SHA-256 is ever stored.

use std::fmt;

use sha2::{Digest, Sha256};

/// What a secret opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecretKind {
    /// A person's token for the API.
    PersonalToken,
    /// An access token issued to an application (RFC 6749).
    AccessToken,
    /// A client secret of an application.
    ApplicationSecret,
    /// A browser session.
    Session,
    /// Something half done: a sign-in before its second step, a passkey being made.
    Ceremony,
    /// A link of a mail.
    Link,
    /// The link of an invitation.
    Invitation,
}

impl SecretKind {
    const ALL: [Self; 7] =
        [Self::PersonalToken, Self::AccessToken, Self::ApplicationSecret, Self::Session, Self::Ceremony, Self::Link, Self::Invitation];

    /// The text every secret of this kind begins with.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::PersonalToken => "stoa_pat_",
            Self::AccessToken => "stoa_at_",
            Self::ApplicationSecret => "stoa_sec_",
            Self::Session => "stoa_ses_",
            Self::Ceremony => "stoa_cer_",
            Self::Link => "stoa_lnk_",
            Self::Invitation => "stoa_inv_",
        }
    }
}

/// SHA-256 of a secret's text: the form in which it is stored and looked up.
pub type SecretHash = [u8; 32];

/// A secret in the clear. It never prints.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    kind: SecretKind,
    text: String,
}

impl Secret {
    /// Makes a secret from 32 random bytes.
    pub fn mint(kind: SecretKind, random: [u8; 32]) -> Self {
        let body = hex::encode(random);
        let check = crc32fast::hash(body.as_bytes());
        Self { kind, text: format!("{}{body}{check:08x}", kind.prefix()) }
    }

    /// Reads a secret that somebody presented; `None` when prefix, length or checksum are wrong.
    pub fn read(text: &str) -> Option<Self> {
        let (kind, rest) = SecretKind::ALL.into_iter().find_map(|kind| Some((kind, text.strip_prefix(kind.prefix())?)))?;
        if rest.len() != 72 || !rest.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase()) {
            return None;
        }
        let (body, check) = rest.split_at(64);
        (u32::from_str_radix(check, 16) == Ok(crc32fast::hash(body.as_bytes()))).then(|| Self { kind, text: text.to_owned() })
    }

    /// What it opens.
    pub fn kind(&self) -> SecretKind {
        self.kind
    }

    /// The text to hand to its owner, once.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// Its SHA-256, to store or to look up.
    pub fn hash(&self) -> SecretHash {
        Sha256::digest(self.text.as_bytes()).into()
    }

    /// Its last four characters, by which its owner tells it from others.
    pub fn hint(&self) -> String {
        self.text[self.text.len() - 4..].to_owned()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", self.kind.prefix())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_reads_back_never_prints_and_refuses_a_typing_mistake() {
        let secret = Secret::mint(SecretKind::PersonalToken, [0xa5; 32]);
        assert!(secret.expose().starts_with("stoa_pat_"));
        assert_eq!(Secret::read(secret.expose()), Some(secret.clone()));
        assert_eq!(format!("{secret:?}"), "stoa_pat_…");
        let mistyped = secret.expose().replacen('a', "b", 3);
        assert_eq!(Secret::read(&mistyped), None);
        assert_eq!(Secret::read("stoa_pat_"), None);
        assert_eq!(Secret::read("Ünïcode"), None);
    }
}
