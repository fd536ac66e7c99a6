//! Personal tokens: making, listing, revoking them, and reading the one a request presents.

use stoa_domain::{
    ids::{OrganizationId, TokenId, UserId},
    organizations::Key,
    secrets::{Secret, SecretKind},
    text::{self, Faults},
    time::Ts,
    tokens::{Lifetime, MOST_ORGANIZATIONS, PersonalToken, expiry},
};
use stoa_store::{
    Conn, Db, Viewer, organizations,
    organizations::Named,
    tokens::{self, Presented},
};

use crate::{Act, Caller, Error, Result};

/// A personal token to make.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewToken {
    /// What its owner calls it.
    pub name: String,
    /// How long it shall live.
    pub lifetime: Lifetime,
    /// The only organizations it shall open, each by handle or id; `None` for all.
    pub organizations: Option<Vec<String>>,
}

/// Makes a personal token for the caller. The secret is shown once.
///
/// # Errors
/// 401, 403 with a limited token, 422.
pub async fn create(act: &mut Act, new: NewToken) -> Result<(PersonalToken, Secret)> {
    let user = act.caller.whole_person()?.id;
    create_for(act, user, new).await
}

/// Makes a personal token for a user, as the operator does at the command line.
///
/// # Errors
/// 422.
pub async fn create_for(act: &mut Act, user: UserId, new: NewToken) -> Result<(PersonalToken, Secret)> {
    let mut faults = Faults::new();
    let name = faults.check("/name", text::line(&new.name, 100));
    let pointer = if matches!(new.lifetime, Lifetime::Until(_)) { "/expires_at" } else { "/expires_in_days" };
    let expires_at = faults.check(pointer, expiry(act.now(), new.lifetime));
    let organizations = match new.organizations {
        Some(keys) => Some(chosen(act, user, &keys, &mut faults).await?),
        None => None,
    };
    let (name, expires_at) = faults.or(name.zip(expires_at))?;
    let secret = act.secret(SecretKind::PersonalToken);
    let token =
        PersonalToken { id: act.mint(), name, hint: secret.hint(), created_at: act.now(), last_used_at: None, expires_at, organizations };
    tokens::insert_personal(&mut act.tx, user, &token, secret.hash()).await?;
    Ok((token, secret))
}

/// The organizations of a user to which a token is to be limited.
async fn chosen(act: &mut Act, user: UserId, keys: &[String], faults: &mut Faults) -> Result<Vec<OrganizationId>> {
    if keys.is_empty() {
        faults.add("/organizations", "choose at least one organization, or leave this out for all of them");
    }
    if keys.len() > MOST_ORGANIZATIONS {
        faults.add("/organizations", format!("choose at most {MOST_ORGANIZATIONS} organizations, or leave this out for all of them"));
        return Ok(Vec::new());
    }
    let viewer = Viewer::from(user);
    let mut chosen = Vec::with_capacity(keys.len());
    for (index, key) in keys.iter().enumerate() {
        match organizations::find_for(&mut act.tx, &Key::read(key), &viewer, act.caller.now).await? {
            Some(seat) if !chosen.contains(&seat.organization.id) => chosen.push(seat.organization.id),
            Some(_) => {}
            None => faults.add(format!("/organizations/{index}"), "there is no such organization, or you are not a member of it"),
        }
    }
    chosen.sort_unstable();
    Ok(chosen)
}

/// The names of the organizations to which tokens are limited.
///
/// # Errors
/// Those of the database.
pub async fn organizations_of(conn: &mut Conn, listed: &[PersonalToken]) -> Result<Vec<Named>> {
    let mut ids: Vec<_> = listed.iter().filter_map(|token| token.organizations.as_ref()).flatten().copied().collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(organizations::names(conn, &ids).await?)
}

/// The caller's personal tokens, oldest first.
///
/// # Errors
/// 401.
pub async fn list(conn: &mut Conn, caller: &Caller) -> Result<Vec<PersonalToken>> {
    Ok(tokens::list_personal(conn, caller.whole_person()?.id).await?)
}

/// Revokes one of the caller's personal tokens; the next request with it is 401.
///
/// # Errors
/// 401, 404.
pub async fn revoke(act: &mut Act, id: TokenId) -> Result<()> {
    let user = act.caller.whole_person()?.id;
    if tokens::revoke_personal(&mut act.tx, user, id, act.caller.now).await? { Ok(()) } else { Err(Error::NotFound("token")) }
}

/// The personal token a request presents, with whose it is. Notes the use, hourly at most.
///
/// # Errors
/// [`Error::InvalidToken`] when it is unknown or revoked, [`Error::TokenExpired`] when its time is over,
/// [`Error::Suspended`] when its owner is suspended.
pub async fn authenticate(db: &Db, secret: &Secret, now: Ts) -> Result<Presented> {
    let mut conn = db.read().await?;
    let presented = tokens::find_personal(&mut conn, secret.hash()).await?.ok_or(Error::InvalidToken)?;
    drop(conn);
    if presented.expires_at <= now {
        return Err(Error::TokenExpired(presented.expires_at));
    }
    if presented.user.suspended {
        return Err(Error::Suspended);
    }
    if tokens::is_stale_use(presented.last_used_at, now) {
        let mut tx = db.begin().await?;
        tokens::touch_personal(&mut tx, presented.id, now).await?;
        tx.commit().await?;
    }
    Ok(presented)
}
