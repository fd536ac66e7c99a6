//! Access tokens: what an application presents to use the data of a subscription's projects.

use crate::{
    ids::{ApplicationId, OrganizationId, SecretId, SubscriptionId, TokenId},
    services::DataPermission,
    time::{DAY, HOUR, Ts},
};

/// How long an access token lives, in microseconds.
pub const LIFETIME: i64 = HOUR;

/// An access token as it is kept (without its text).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessToken {
    /// Its id.
    pub id: TokenId,
    /// To whom it was issued.
    pub application: ApplicationId,
    /// With which client secret; revoking the secret revokes the token.
    pub secret: SecretId,
    /// The subscription it is for; `None` for a token of the service itself (the provider API).
    pub subscription: Option<(OrganizationId, SubscriptionId)>,
    /// What it was asked for, a subset of the contract's permissions.
    pub scope: Vec<DataPermission>,
    /// When it was issued.
    pub created_at: Ts,
    /// When it stops.
    pub expires_at: Ts,
}

/// A person's token for the API, without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonalToken {
    /// Its id.
    pub id: TokenId,
    /// What its owner calls it.
    pub name: String,
    /// Its last four characters.
    pub hint: String,
    /// When it was made.
    pub created_at: Ts,
    /// When it was last used, to the hour.
    pub last_used_at: Option<Ts>,
    /// When it stops.
    pub expires_at: Ts,
    /// The only organizations it opens; `None` for all its owner belongs to.
    pub organizations: Option<Vec<OrganizationId>>,
}

impl PersonalToken {
    /// Whether it opens an organization to which its owner belongs.
    pub fn opens(&self, organization: OrganizationId, now: Ts) -> bool {
        self.expires_at > now && self.organizations.as_ref().is_none_or(|only| only.contains(&organization))
    }
}

/// How long a personal token lives when its owner does not say, in days.
pub const USUAL_DAYS: i64 = 90;

/// How long a personal token lives at most, in days.
pub const LONGEST_DAYS: i64 = 365;

/// The most organizations that a token is limited to; more than that is all of them.
pub const MOST_ORGANIZATIONS: usize = 100;

/// How long a personal token shall live.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Lifetime {
    /// [`USUAL_DAYS`].
    #[default]
    Usual,
    /// So many days.
    Days(i64),
    /// Until an instant.
    Until(Ts),
}

/// Why a personal token can't live as long as was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadLifetime {
    /// It would be over at once.
    #[error("a token lives at least until tomorrow; write 1 day or more")]
    TooShort,
    /// It would live too long.
    #[error("a token lives at most {LONGEST_DAYS} days; make a new one when it ends")]
    TooLong,
}

/// When a personal token made at `now` stops.
///
/// # Errors
/// [`BadLifetime`].
pub fn expiry(now: Ts, lifetime: Lifetime) -> Result<Ts, BadLifetime> {
    let longest = now.plus(LONGEST_DAYS * DAY);
    match lifetime {
        Lifetime::Usual => Ok(now.plus(USUAL_DAYS * DAY)),
        Lifetime::Days(days) if days < 1 => Err(BadLifetime::TooShort),
        Lifetime::Days(days) if days > LONGEST_DAYS => Err(BadLifetime::TooLong),
        Lifetime::Days(days) => Ok(now.plus(days * DAY)),
        Lifetime::Until(at) if at <= now => Err(BadLifetime::TooShort),
        Lifetime::Until(at) if at > longest => Err(BadLifetime::TooLong),
        Lifetime::Until(at) => Ok(at),
    }
}

/// What is wrong with a scope (RFC 6749, section 3.3).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the scope {0:?} is not among the permissions of the contract")]
pub struct BadScope(pub String);

/// The scope of a token: what was asked for, or all the contract allows when nothing was.
///
/// # Errors
/// [`BadScope`] for the first word that the contract does not allow.
pub fn narrow(allowed: &[DataPermission], asked: Option<&str>) -> Result<Vec<DataPermission>, BadScope> {
    let asked = asked.map(str::trim).filter(|asked| !asked.is_empty());
    let Some(asked) = asked else { return Ok(allowed.to_vec()) };
    let mut scope = Vec::new();
    for word in asked.split_ascii_whitespace() {
        let permission = word.parse().ok().filter(|permission| allowed.contains(permission)).ok_or_else(|| BadScope(word.to_owned()))?;
        if !scope.contains(&permission) {
            scope.push(permission);
        }
    }
    Ok(scope)
}

/// A scope as OAuth writes it: words with a space between.
pub fn scope_text(scope: &[DataPermission]) -> String {
    scope.iter().map(|permission| permission.word()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_personal_token_always_ends_within_a_year() {
        let now = Ts::from_micros(1_790_000_000_000_000);
        assert_eq!(expiry(now, Lifetime::Usual), Ok(now.plus(90 * DAY)));
        assert_eq!(expiry(now, Lifetime::Days(1)), Ok(now.plus(DAY)));
        assert_eq!(expiry(now, Lifetime::Days(365)), Ok(now.plus(365 * DAY)));
        assert_eq!(expiry(now, Lifetime::Days(0)), Err(BadLifetime::TooShort));
        assert_eq!(expiry(now, Lifetime::Days(i64::MAX)), Err(BadLifetime::TooLong));
        assert_eq!(expiry(now, Lifetime::Until(now.plus(1))), Ok(now.plus(1)));
        assert_eq!(expiry(now, Lifetime::Until(now)), Err(BadLifetime::TooShort));
        assert_eq!(expiry(now, Lifetime::Until(now.plus(365 * DAY + 1))), Err(BadLifetime::TooLong));
    }

    #[test]
    fn a_scope_is_never_wider_than_the_contract() {
        let read = [DataPermission::ResourcesRead];
        assert_eq!(narrow(&read, None), Ok(read.to_vec()));
        assert_eq!(narrow(&read, Some("resources:read resources:read")), Ok(read.to_vec()));
        assert_eq!(narrow(&read, Some("resources:write")), Err(BadScope("resources:write".into())));
        assert_eq!(narrow(&read, Some("everything")), Err(BadScope("everything".into())));
    }
}
