//! Personal tokens: making, listing, revoking them, and reading the one a request presents.

use stoa_domain::{
    ids::{TokenId, UserId},
    secrets::{Secret, SecretKind},
    text::{self, Faults},
    time::Ts,
    tokens::PersonalToken,
    users::User,
};
use stoa_store::{Conn, Db, tokens};

use crate::{Act, Caller, Error, Result};

/// Makes a personal token for the caller. The secret is shown once.
///
/// # Errors
/// 401, 422.
pub async fn create(act: &mut Act, name: &str) -> Result<(PersonalToken, Secret)> {
    let user = act.caller.user_id()?;
    create_for(act, user, name).await
}

/// Makes a personal token for a user, as the operator does at the command line.
///
/// # Errors
/// 422.
pub async fn create_for(act: &mut Act, user: UserId, name: &str) -> Result<(PersonalToken, Secret)> {
    let mut faults = Faults::new();
    let name = faults.check("/name", text::line(name, 100));
    let name = faults.or(name)?;
    let secret = act.secret(SecretKind::PersonalToken);
    let token = PersonalToken { id: act.mint(), name, hint: secret.hint(), created_at: act.now(), last_used_at: None };
    tokens::insert_personal(&mut act.tx, user, &token, secret.hash()).await?;
    Ok((token, secret))
}

/// The caller's personal tokens, oldest first.
///
/// # Errors
/// 401.
pub async fn list(conn: &mut Conn, caller: &Caller) -> Result<Vec<PersonalToken>> {
    Ok(tokens::list_personal(conn, caller.user_id()?).await?)
}

/// Revokes one of the caller's personal tokens; the next request with it is 401.
///
/// # Errors
/// 401, 404.
pub async fn revoke(act: &mut Act, id: TokenId) -> Result<()> {
    let user = act.caller.user_id()?;
    if tokens::revoke_personal(&mut act.tx, user, id, act.caller.now).await? { Ok(()) } else { Err(Error::NotFound("token")) }
}

/// Whose personal token a request presents. Notes the use, hourly at most.
///
/// # Errors
/// [`Error::Unauthenticated`] when it is unknown or revoked.
pub async fn authenticate(db: &Db, secret: &Secret, now: Ts) -> Result<User> {
    let mut conn = db.read().await?;
    let (id, user, last_used) = tokens::find_personal(&mut conn, secret.hash()).await?.ok_or(Error::Unauthenticated)?;
    drop(conn);
    if tokens::is_stale_use(last_used, now) {
        let mut tx = db.begin().await?;
        tokens::touch_personal(&mut tx, id, now).await?;
        tx.commit().await?;
    }
    Ok(user)
}
