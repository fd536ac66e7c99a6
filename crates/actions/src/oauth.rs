//! OAuth 2: access tokens for applications with their own credentials; issuing, introspecting and revoking them.

use std::sync::Arc;

use serde_json::json;
use stoa_access::LiveClient;
use stoa_domain::{
    events::{EventKind, Subject},
    ids::{ApplicationId, TokenId},
    limits::{Attempt, Door},
    secrets::{Secret, SecretKind},
    services::DataPermission,
    subscriptions::Subscription,
    time::Ts,
    tokens::{self as rules, AccessToken, BadScope},
};
use stoa_store::{StoreError, access, applications, tokens};

use crate::{Act, Caller, Error, ServiceCaller, Stoa, Who, limits};

/// Why an OAuth request was refused. The codes are those of RFC 6749, 7009 and 8707.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The request lacks a parameter, has one twice, or is not a form.
    #[error("{0}")]
    InvalidRequest(String),
    /// No such application, or not with this secret.
    #[error("there is no application with this client_id and client_secret")]
    InvalidClient,
    /// The application may not do this.
    #[error("{0}")]
    UnauthorizedClient(&'static str),
    /// Another way of getting a token than there is.
    #[error("grant_type is client_credentials")]
    UnsupportedGrantType,
    /// The scope is wider than the contract.
    #[error(transparent)]
    InvalidScope(#[from] BadScope),
    /// The resource is none that this application may name.
    #[error("resource is not a subscription, in force, of a service of this application")]
    InvalidTarget,
    /// The database failed.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl Refused {
    /// The code of the error body.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidRequest(_) => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::UnauthorizedClient(_) => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope(_) => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::Failed(Error::TooMany(_) | Error::Store(StoreError::Busy | StoreError::Unavailable(_))) => "temporarily_unavailable",
            Self::Failed(_) => "server_error",
        }
    }
}

/// What an application presents to be recognised.
pub struct Credentials<'a> {
    /// Its `client_id`.
    pub client_id: &'a str,
    /// One of its live secrets.
    pub client_secret: &'a str,
}

/// The application with these credentials. Notes the use of the secret, hourly at most. Wrong credentials count as attempts;
/// right ones never wait, so nobody can shut an application out by guessing.
///
/// # Errors
/// [`Refused::InvalidClient`]; [`Error::TooMany`] after many wrong ones.
pub async fn authenticate(stoa: &Stoa, credentials: &Credentials<'_>, network: &str, now: Ts) -> Result<Arc<LiveClient>, Refused> {
    match recognize(stoa, credentials, now).await {
        Err(Refused::InvalidClient) => {
            let attempt = Attempt { door: Door::ApplicationSecret, account: credentials.client_id, network };
            limits::take(stoa, attempt, now).await?;
            Err(Refused::InvalidClient)
        }
        outcome => outcome,
    }
}

async fn recognize(stoa: &Stoa, credentials: &Credentials<'_>, now: Ts) -> Result<Arc<LiveClient>, Refused> {
    let id: ApplicationId = credentials.client_id.parse().map_err(|_| Refused::InvalidClient)?;
    let secret = Secret::read(credentials.client_secret).ok_or(Refused::InvalidClient)?;
    if secret.kind() != SecretKind::ApplicationSecret {
        return Err(Refused::InvalidClient);
    }
    let client = stoa.access.client(id, secret.hash(), now).await?.ok_or(Refused::InvalidClient)?;
    if client.is_stale_use(now) {
        let mut tx = stoa.db.begin().await?;
        applications::touch_secret(&mut tx, client.application, client.secret, now).await?;
        tx.commit().await?;
    }
    Ok(client)
}

/// A token that was just issued.
#[derive(Debug)]
pub struct Issued {
    /// Its text, shown this once.
    pub secret: Secret,
    /// How many seconds it lives.
    pub expires_in: i64,
    /// Its scope.
    pub scope: Vec<DataPermission>,
}

/// Issues an access token: for the subscription whose resource URI is named (RFC 8707), or without one for the
/// application itself.
///
/// # Errors
/// [`Refused::InvalidTarget`], [`Refused::InvalidScope`].
pub async fn issue(stoa: &Stoa, client: &LiveClient, resource: Option<&str>, scope: Option<&str>, now: Ts) -> Result<Issued, Refused> {
    let (subscription, scope) = match resource {
        // The application's own token reaches no project, so that there is no permission to ask for.
        None => (None, rules::narrow(&[], scope)?),
        Some(resource) => {
            let id = Subscription::from_resource(&stoa.public_url, resource).ok_or(Refused::InvalidTarget)?;
            let found = access::find_subscription(&mut stoa.db.read().await?, id, now).await?;
            let found = found.filter(|found| found.opens(now) && found.application == client.application).ok_or(Refused::InvalidTarget)?;
            (Some((found.organization, id)), rules::narrow(&found.permissions, scope)?)
        }
    };
    let secret = stoa.secret(SecretKind::AccessToken);
    let token = AccessToken {
        id: stoa.mint::<TokenId>(now),
        application: client.application,
        secret: client.secret,
        subscription,
        scope: scope.clone(),
        created_at: now,
        expires_at: now.plus(rules::LIFETIME),
    };
    let mut tx = stoa.db.begin().await?;
    tokens::insert_access(&mut tx, &token, secret.hash()).await?;
    tx.commit().await?;
    Ok(Issued { secret, expires_in: rules::LIFETIME / stoa_domain::time::SECOND, scope })
}

/// What a resource server is told of a token (RFC 7662).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introspected {
    /// The token.
    pub token: AccessToken,
    /// For what it is: its subscription's resource URI, or this installation's address.
    pub audience: String,
}

/// A token that opens something now; `None` for anything else, whatever is the matter with it. Any application may ask
/// about a token whose text it holds, as a resource server must.
///
/// # Errors
/// Those of the database.
pub async fn introspect(stoa: &Stoa, token: &str, now: Ts) -> Result<Option<Introspected>, Refused> {
    let Some(secret) = Secret::read(token).filter(|secret| secret.kind() == SecretKind::AccessToken) else { return Ok(None) };
    let Some(live) = stoa.access.authenticate(secret.hash(), now).await? else { return Ok(None) };
    let audience = match live.token.subscription {
        Some((_, subscription)) => Subscription::resource(&stoa.public_url, subscription),
        None => stoa.public_url.to_string(),
    };
    Ok(Some(Introspected { token: live.token, audience }))
}

/// Revokes an access token (RFC 7009). What is no live token needs no revoking.
///
/// # Errors
/// [`Refused::UnauthorizedClient`] when it was issued to another application.
pub async fn revoke(stoa: &Stoa, client: &LiveClient, token: &str, now: Ts, request_id: Option<String>) -> Result<(), Refused> {
    let Some(secret) = Secret::read(token).filter(|secret| secret.kind() == SecretKind::AccessToken) else { return Ok(()) };
    let service = ServiceCaller { application: client.application, subscription: None, scope: Vec::new() };
    let mut act = Act::begin(stoa, Caller { who: Who::Service(service), within: None, now, request_id }).await?;
    let Some(found) = access::find_token(&mut act.tx, secret.hash()).await? else { return Ok(()) };
    if found.token.application != client.application {
        return Err(Refused::UnauthorizedClient("the token was issued to another application"));
    }
    tokens::delete_access(&mut act.tx, client.application, secret.hash()).await?;
    // The log tells the other nodes. An application of a person is in no log, nor are its tokens kept by any node.
    if let Some(owner) = client.owner {
        let data = json!({"token": found.token.id, "subscription": found.token.subscription.map(|(_, subscription)| subscription)});
        act.record(&[owner], EventKind::TokenRevoked, Subject::new("application", client.application), data);
    }
    act.commit().await?;
    Ok(())
}
