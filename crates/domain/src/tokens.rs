//! Access tokens: what an application presents to use the data of a subscription's projects.

use crate::{
    ids::{ApplicationId, OrganizationId, SecretId, SubscriptionId, TokenId},
    services::DataPermission,
    time::{HOUR, Ts},
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
    fn a_scope_is_never_wider_than_the_contract() {
        let read = [DataPermission::ResourcesRead];
        assert_eq!(narrow(&read, None), Ok(read.to_vec()));
        assert_eq!(narrow(&read, Some("resources:read resources:read")), Ok(read.to_vec()));
        assert_eq!(narrow(&read, Some("resources:write")), Err(BadScope("resources:write".into())));
        assert_eq!(narrow(&read, Some("everything")), Err(BadScope("everything".into())));
    }
}
