//! Typed identifiers: UUIDv7 inside, TypeID (`org_…`) outside.
//!
//! Each noun has its own type, so that an organization's id can never be passed for a project's. The text form follows
//! the TypeID specification 0.3: a prefix, an underscore and 26 characters of Crockford base32.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use typeid_suffix::prelude::TypeIdSuffix;
use uuid::Uuid;

use crate::time::Ts;

/// Why a text is not the id it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is not an id of the form {prefix}_…")]
pub struct NotAnId {
    /// The prefix that was expected, without the underscore.
    pub prefix: &'static str,
}

/// What all typed ids have in common.
pub trait Id: Copy + Eq + fmt::Display + FromStr<Err = NotAnId> {
    /// The text prefix, without the underscore.
    const PREFIX: &'static str;
    /// Wraps a raw UUID.
    fn from_uuid(uuid: Uuid) -> Self;
    /// The raw UUID.
    fn uuid(self) -> Uuid;

    /// Makes a new UUIDv7 (RFC 9562) from a time and ten random bytes.
    fn mint(now: Ts, random: [u8; 10]) -> Self {
        let millis = u64::try_from(now.micros().div_euclid(1_000)).unwrap_or(0);
        Self::from_uuid(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// The 16 bytes in which databases keep it; they sort by time of creation.
    fn bytes(self) -> [u8; 16] {
        *self.uuid().as_bytes()
    }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl Id for $name {
            const PREFIX: &'static str = $prefix;
            fn from_uuid(uuid: Uuid) -> Self { Self(uuid) }
            fn uuid(self) -> Uuid { self.0 }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), TypeIdSuffix::from(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Display::fmt(self, f) }
        }

        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(|suffix| TypeIdSuffix::from_str(suffix).ok())
                    .map(|suffix| Self(suffix.to_uuid()))
                    .ok_or(NotAnId { prefix: $prefix })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> { s.collect_str(self) }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(D::Error::custom)
            }
        }
    )*};
}

ids! {
    /// A person with an account.
    UserId = "usr";
    /// A legal party that consumes or provides services.
    OrganizationId = "org";
    /// A named group of members of one organization.
    TeamId = "tea";
    /// A unit of work of an organization.
    ProjectId = "prj";
    /// A named piece of project data.
    ResourceId = "res";
    /// An OAuth 2 client.
    ApplicationId = "app";
    /// A live secret of an application.
    SecretId = "sec";
    /// A service offered on the marketplace.
    ServiceId = "svc";
    /// One immutable version of what a service offers.
    ContractId = "ctr";
    /// The prices of a contract.
    PlanId = "pln";
    /// A service subscribed by an organization or by one of its projects.
    SubscriptionId = "sub";
    /// The right of a service to use one project's data.
    GrantId = "gra";
    /// A change that waits for somebody's approval.
    RequestId = "req";
    /// A service that one organization offers to another.
    HandoverId = "hov";
    /// Something that holds a subscription up, or an end that was decided for later.
    SuspensionId = "sus";
    /// An organization's way from subscriptions at one level to subscriptions at the other.
    LevelChangeId = "lvl";
    /// A lock that keeps services out of a project.
    LockId = "lck";
    /// Somebody who decides in another's stead for a while.
    DelegationId = "dlg";
    /// A consent to a contract and a price.
    ConsentId = "con";
    /// One line of an organization's log.
    EventId = "evt";
    /// An invitation to an organization.
    InvitationId = "inv";
    /// A personal token or an access token.
    TokenId = "tok";
    /// A mail on its way.
    MailId = "mai";
    /// A browser session.
    SessionId = "ses";
    /// A passkey.
    PasskeyId = "psk";
    /// An account at another provider, linked to one's own.
    IdentityId = "idn";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_from_its_text_and_refuses_another_nouns_prefix() {
        let id = OrganizationId::mint(Ts::from_micros(1_790_000_000_000_000), [7; 10]);
        let text = id.to_string();
        assert!(text.starts_with("org_"));
        assert_eq!(text.parse::<OrganizationId>(), Ok(id));
        assert_eq!(text.parse::<ProjectId>(), Err(NotAnId { prefix: "prj" }));
        assert!("org_".parse::<OrganizationId>().is_err());
    }

    #[test]
    fn ids_sort_by_time_of_creation() {
        let earlier = UserId::mint(Ts::from_micros(1_000_000), [255; 10]);
        let later = UserId::mint(Ts::from_micros(2_000_000), [0; 10]);
        assert!(earlier < later);
        assert!(earlier.bytes() < later.bytes());
    }
}
