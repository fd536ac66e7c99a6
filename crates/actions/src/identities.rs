//! Signing in with an account of another provider, and linking such accounts to one's own.

use serde::{Deserialize, Serialize};
use stoa_domain::{
    ids::{IdentityId, UserId},
    secrets::Secret,
    users::{User, check_name, name_from_email},
};
use stoa_store::{Conn, StoreError, identities, identities::Identity, second_factors, users};
use subtle::ConstantTimeEq;

use crate::{
    Act, Caller, Error, Result, Stoa,
    ceremonies::{self, Kind},
    providers::{self, Provider, Sent, Told},
    users::sign_up,
};

/// What a visit to another provider remembers.
#[derive(Serialize, Deserialize)]
struct Visit {
    provider: String,
    sent: Sent,
    next: String,
}

/// A visit to another provider that begins.
#[derive(Debug, Clone)]
pub struct Begun {
    /// By which the browser is known when it comes back.
    pub half: Secret,
    /// Where the person goes.
    pub address: String,
}

/// The caller's linked accounts, oldest first.
///
/// # Errors
/// 401.
pub async fn list(conn: &mut Conn, caller: &Caller) -> Result<Vec<Identity>> {
    Ok(identities::list(conn, caller.user_id()?).await?)
}

/// Sends a person to a provider: to sign in, or, with `link`, to link the account there to the caller's.
///
/// # Errors
/// 404 for an unknown provider; `provider_failed` (422); 401 to link without being signed in.
pub async fn begin(stoa: &Stoa, caller: &Caller, handle: &str, link: bool, next: &str) -> Result<Begun> {
    let provider = providers::find(stoa, handle)?;
    let user = if link { Some(caller.whole_person()?.id) } else { None };
    let reached = providers::reach(stoa, provider).await?;
    let sent = Sent::new(stoa);
    let mut act = Act::begin(stoa, caller.clone()).await?;
    let visit = Visit { provider: provider.handle.clone(), sent: sent.clone(), next: next.to_owned() };
    let half = ceremonies::begin(&mut act, Kind::External, user, &visit).await?;
    let address = reached.address(half.expose(), &sent)?;
    act.commit().await?;
    Ok(Begun { half, address })
}

/// What a browser brings back from a provider.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Brought {
    /// What this installation sent along.
    pub state: String,
    /// What the provider tells for.
    pub code: String,
    /// Why it tells nothing.
    pub error: String,
}

/// How a visit to another provider ended.
#[derive(Debug, Clone)]
pub enum Ended {
    /// The account of this person is open; the first step of the sign-in is done.
    SignedIn(User),
    /// The account there is linked to the caller's.
    Linked,
}

/// Ends a visit: checks that it is the browser that left, asks the provider what it tells, and finds, links or makes the
/// account. Answers where the person wanted to go, too.
///
/// # Errors
/// `begin_again`, `provider_refused`, `provider_failed`, `address_not_verified`, `sign_up_closed`, `address_not_admitted` (422);
/// `sign_in_to_link`, `identity_taken` (409).
pub async fn finish(stoa: &Stoa, caller: &Caller, half: &Secret, handle: &str, brought: &Brought) -> Result<(Ended, String)> {
    let provider = providers::find(stoa, handle)?;
    if !bool::from(half.expose().as_bytes().ct_eq(brought.state.as_bytes())) {
        return Err(Error::Unfit { code: "begin_again", detail: "this answer belongs to another browser or sign-in; begin again".into() });
    }
    let mut act = Act::begin(stoa, caller.clone()).await?;
    let begun = ceremonies::resume::<Visit>(&mut act, Kind::External, half).await?;
    ceremonies::end(&mut act, half).await?;
    act.commit().await?;
    if begun.state.provider != provider.handle {
        return Err(Error::Unfit { code: "begin_again", detail: "this answer is another provider's; begin again".into() });
    }
    if brought.code.is_empty() {
        tracing::info!(provider = provider.name, error = brought.error, "a provider refused");
        return Err(Error::Unfit { code: "provider_refused", detail: format!("{} did not let you in, or you cancelled", provider.name) });
    }
    let told = providers::reach(stoa, provider).await?.exchange(&brought.code, &begun.state.sent, caller.now).await?;
    let mut act = Act::begin(stoa, caller.clone()).await?;
    let ended = match begun.user {
        Some(user) if caller.user_id().is_ok_and(|me| me == user) => link(&mut act, user, &told).await?,
        Some(_) => return Err(Error::Unfit { code: "begin_again", detail: "somebody else is signed in now; begin again".into() }),
        None => Ended::SignedIn(sign_in(&mut act, provider, &told).await?),
    };
    act.commit().await?;
    Ok((ended, begun.state.next))
}

async fn link(act: &mut Act, user: UserId, told: &Told) -> Result<Ended> {
    match identities::find(&mut act.tx, &told.issuer, &told.subject).await? {
        Some(known) if known.user == user => Ok(Ended::Linked),
        Some(_) => Err(Error::conflict("identity_taken", "that account is linked to another account here; unlink it there first")),
        None => {
            insert(act, user, told, None).await?;
            Ok(Ended::Linked)
        }
    }
}

async fn insert(act: &mut Act, user: UserId, told: &Told, last_used_at: Option<stoa_domain::time::Ts>) -> Result<()> {
    let new = Identity {
        id: act.mint(),
        user,
        issuer: told.issuer.clone(),
        subject: told.subject.clone(),
        email: told.verified_email.clone().unwrap_or_default(),
        created_at: act.now(),
        last_used_at,
    };
    match identities::insert(&mut act.tx, &new).await {
        Ok(()) => Ok(()),
        Err(StoreError::Duplicate { .. }) => Err(Error::conflict("identity_taken", "that account was just linked; try again")),
        Err(other) => Err(other.into()),
    }
}

/// The account that a provider's account opens. One that is not linked yet is linked by its address, which the provider
/// must have verified; an account that has a password or a second factor is linked so only when its own address is
/// verified too, because else whoever made it could have taken somebody's address. Somebody new gets an account if the operator
/// lets people with such an address sign up.
async fn sign_in(act: &mut Act, provider: &Provider, told: &Told) -> Result<User> {
    let now = act.now();
    if let Some(known) = identities::find(&mut act.tx, &told.issuer, &told.subject).await? {
        identities::set_used(&mut act.tx, &told.issuer, &told.subject, now).await?;
        return users::find(&mut act.tx, known.user).await?.ok_or(Error::BadSignIn);
    }
    let Some(email) = &told.verified_email else {
        let detail =
            format!("{} does not say that it has verified your address; sign in another way and link it under Security", provider.name);
        return Err(Error::Unfit { code: "address_not_verified", detail });
    };
    let user = match users::find_by_email(&mut act.tx, email).await? {
        Some((user, password)) => {
            let kept = password.is_some() || crate::second_factors::has_any(&second_factors::factors(&mut act.tx, user.id).await?);
            if kept && !users::email_is_verified(&mut act.tx, user.id).await? {
                let detail = format!("there is an account with your address; sign in to it and link {} under Security", provider.name);
                return Err(Error::conflict("sign_in_to_link", detail));
            }
            user
        }
        None => {
            sign_up::admits_verified(act.stoa(), email)?;
            create(act, email, told).await?
        }
    };
    insert(act, user.id, told, Some(now)).await?;
    crate::users::address_verified(act, &user).await?;
    Ok(user)
}

async fn create(act: &mut Act, email: &str, told: &Told) -> Result<User> {
    let name = told.name.as_deref().and_then(|name| check_name(name).ok()).unwrap_or_else(|| name_from_email(email));
    let user = User { id: act.mint(), email: email.to_owned(), name, operator: false, created_at: act.now(), suspended: false };
    match users::insert(&mut act.tx, &user, None).await {
        Ok(()) => Ok(user),
        Err(StoreError::Duplicate { .. }) => Err(Error::conflict("email_taken", "an account with your address was just made; try again")),
        Err(other) => Err(other.into()),
    }
}

/// Unlinks one of the caller's accounts of other providers.
///
/// # Errors
/// 401, 404; `last_way_in` (409) when nothing else opens the caller's account.
pub async fn unlink(act: &mut Act, id: IdentityId) -> Result<()> {
    let user = act.caller.whole_person()?.id;
    let linked = identities::list(&mut act.tx, user).await?;
    if !linked.iter().any(|one| one.id == id) {
        return Err(Error::NotFound("linked account"));
    }
    let password = users::password_hash(&mut act.tx, user).await?.is_some();
    let passkeys = second_factors::factors(&mut act.tx, user).await?.passkeys;
    if linked.len() == 1 && !password && passkeys == 0 {
        let detail = "nothing else opens your account; set a password or add a passkey first";
        return Err(Error::conflict("last_way_in", detail));
    }
    identities::delete(&mut act.tx, user, id).await?;
    Ok(())
}
