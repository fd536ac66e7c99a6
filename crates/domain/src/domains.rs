//! The mail domains of organizations: whoever proves to read the mail of one of a domain's role addresses may let the
//! domain's people join by themselves.

use crate::{
    secrets::SecretHash,
    text,
    time::{HOUR, Ts},
};
use sha2::{Digest, Sha256};

/// The role addresses that stand for whoever runs a domain: the "constructed e-mail to domain contact" of the CA/Browser
/// Forum's baseline requirements.
pub const CONTACTS: [&str; 5] = ["postmaster", "hostmaster", "webmaster", "admin", "administrator"];

/// How long a mailed code counts, in microseconds.
pub const CODE_COUNTS: i64 = 24 * HOUR;

/// How often a wrong code may be typed before a new one must be sent.
pub const MOST_ATTEMPTS: i64 = 5;

/// The most domains of one organization.
pub const MOST_DOMAINS: usize = 20;

/// Domains whose addresses belong to everybody, so that they are nobody's.
const PUBLIC: [&str; 44] = [
    "aol.com",
    "duck.com",
    "fastmail.com",
    "free.fr",
    "freenet.de",
    "gmail.com",
    "gmx.at",
    "gmx.ch",
    "gmx.com",
    "gmx.de",
    "gmx.net",
    "googlemail.com",
    "hey.com",
    "hotmail.co.uk",
    "hotmail.com",
    "hotmail.fr",
    "icloud.com",
    "laposte.net",
    "libero.it",
    "live.com",
    "mac.com",
    "mail.com",
    "mail.de",
    "mail.ru",
    "mailbox.org",
    "me.com",
    "msn.com",
    "naver.com",
    "orange.fr",
    "outlook.com",
    "outlook.de",
    "pm.me",
    "posteo.de",
    "proton.me",
    "protonmail.com",
    "qq.com",
    "t-online.de",
    "tutanota.com",
    "web.de",
    "yahoo.co.jp",
    "yahoo.com",
    "yandex.ru",
    "zoho.com",
    "163.com",
];

/// Why a domain can't be an organization's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadDomain {
    /// It does not look like one.
    #[error("write a domain, such as company.example")]
    Shape,
    /// Everybody can have an address there.
    #[error("addresses of {0} are open to everybody; use a domain of your organization's own")]
    Public(String),
}

/// Why a domain can't be verified through an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("choose one of postmaster, hostmaster, webmaster, admin and administrator")]
pub struct NoContact;

/// A domain as it is written after the `@`: in lower case, without a dot at its end.
///
/// # Errors
/// [`BadDomain`].
pub fn domain(typed: &str) -> Result<String, BadDomain> {
    let bare = typed.trim().trim_start_matches('@').trim_end_matches('.');
    let address = text::email(&format!("postmaster@{bare}")).map_err(|_| BadDomain::Shape)?;
    let domain = of_address(&address).ok_or(BadDomain::Shape)?.to_owned();
    // The last label of a name is never a number: this is an address of a machine.
    if domain.rsplit('.').next().is_none_or(|label| label.bytes().all(|b| b.is_ascii_digit())) {
        return Err(BadDomain::Shape);
    }
    if PUBLIC.contains(&domain.as_str()) { Err(BadDomain::Public(domain)) } else { Ok(domain) }
}

/// The domain of an address.
pub fn of_address(email: &str) -> Option<&str> {
    email.rsplit_once('@').map(|(_, domain)| domain)
}

/// The address of a role at a domain.
///
/// # Errors
/// [`NoContact`].
pub fn contact(role: &str, domain: &str) -> Result<String, NoContact> {
    if CONTACTS.contains(&role) { Ok(format!("{role}@{domain}")) } else { Err(NoContact) }
}

/// A code from random bytes: eight letters in two groups, from which those that look alike are left out.
pub fn code(random: [u8; 8]) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let letters: Vec<char> = random.iter().map(|byte| char::from(LETTERS[usize::from(byte & 31)])).collect();
    let (first, second) = letters.split_at(4);
    first.iter().chain(std::iter::once(&'-')).chain(second).collect()
}

/// What is kept of a code: few may be typed, and it is over soon.
pub fn code_hash(domain: &str, typed: &str) -> SecretHash {
    let letters: String = typed.chars().filter(|c| c.is_alphanumeric()).map(|c| c.to_ascii_uppercase()).collect();
    Sha256::new().chain_update(b"stoa domain code").chain_update(domain).chain_update(letters).finalize().into()
}

/// Whether a code still counts.
pub fn code_counts(expires_at: Option<Ts>, attempts: i64, now: Ts) -> bool {
    attempts < MOST_ATTEMPTS && expires_at.is_some_and(|at| now < at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_domain_is_ones_own_or_refused() {
        assert_eq!(domain(" @Grid.Example. "), Ok("grid.example".into()));
        assert_eq!(domain("mail.grid.example"), Ok("mail.grid.example".into()));
        for bad in ["", "grid", "grid..example", "grid example", "a@b.example", "192.0.2.1", "-grid.example"] {
            assert_eq!(domain(bad), Err(BadDomain::Shape), "{bad}");
        }
        assert_eq!(domain("GMail.com"), Err(BadDomain::Public("gmail.com".into())));
    }

    #[test]
    fn only_role_addresses_speak_for_a_domain() {
        assert_eq!(contact("hostmaster", "grid.example"), Ok("hostmaster@grid.example".into()));
        for wrong in ["ada", "root", "", "postmaster@other.example,"] {
            assert_eq!(contact(wrong, "grid.example"), Err(NoContact));
        }
    }

    #[test]
    fn a_code_counts_for_a_day_and_five_attempts() {
        let now = Ts::from_micros(1_790_000_000_000_000);
        assert!(code_counts(Some(now.plus(1)), 4, now));
        assert!(!code_counts(Some(now), 0, now) && !code_counts(Some(now.plus(1)), 5, now) && !code_counts(None, 0, now));
    }

    proptest! {
        #[test]
        fn a_code_reads_back_however_it_is_typed(random in any::<[u8; 8]>()) {
            let code = code(random);
            prop_assert_eq!(code.len(), 9);
            let hash = code_hash("grid.example", &code);
            prop_assert_eq!(code_hash("grid.example", &code.to_lowercase().replace('-', " ")), hash);
            prop_assert_ne!(code_hash("other.example", &code), hash);
        }
    }
}
