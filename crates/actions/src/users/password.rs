//! Passwords: changing one's own, and setting a forgotten one anew.

use stoa_domain::{
    links::Purpose,
    mail::Mail,
    secrets::SecretHash,
    text::{self, Faults},
    users::{self as rules, User},
};
use stoa_store::{Conn, ceremonies, links as rows, sessions, users};

use super::links;
use crate::{Act, Caller, Error, Result, Stoa, mail, passwords};

/// Where a new password is asked for.
pub const FORGOTTEN: &str = "/forgot-password";

/// Sends a link to the address of an account; an address without one is told that there is none. Both are the same work and
/// the same answer.
///
/// # Errors
/// 422 for what is no address.
pub async fn ask(act: &mut Act, email: &str) -> Result<()> {
    let mut faults = Faults::new();
    let email = faults.check("/email", text::email(email));
    let email = faults.or(email)?;
    let known = users::find_by_email(&mut act.tx, &email).await?.map(|(user, _)| user.id);
    let link = links::make(act, Purpose::SetPassword, &email, known).await?;
    let sign_in = format!("{}/sign-in", act.stoa().public_url);
    let mail = if known.is_some() { Mail::ResetPassword { link } } else { Mail::NoAccount { link: sign_in } };
    mail::send(act, &email, mail).await
}

/// Checks a new password and hashes it, before the transaction, which must not wait for that.
///
/// # Errors
/// 422.
pub async fn choose(stoa: &Stoa, password: &str) -> Result<String> {
    let mut faults = Faults::new();
    faults.check("/password", rules::check_password(password));
    faults.or(Some(()))?;
    passwords::hash(stoa, password).await
}

/// Sets the password of a link's account, ends its sessions and half-done sign-ins, and tells the owner.
///
/// # Errors
/// `link_not_valid` (422), also when the account has another address by now.
pub async fn reset(act: &mut Act, token: &str, password_hash: &str) -> Result<User> {
    let (link, user) = links::take_of(act, token, Purpose::SetPassword).await?;
    if link.email != user.email {
        let detail = "this link was sent to an address that the account has no more; ask for a new one".to_owned();
        return Err(Error::Unfit { code: "link_not_valid", detail });
    }
    set(act, &user, password_hash, None).await?;
    super::address_verified(act, &user).await?;
    Ok(user)
}

/// Whether the caller has a password.
///
/// # Errors
/// 401.
pub async fn is_set(conn: &mut Conn, caller: &Caller) -> Result<bool> {
    Ok(users::password_hash(conn, caller.user_id()?).await?.is_some())
}

/// Sets the caller's password, and ends half-done sign-ins and all sessions but the one in which that is done.
///
/// # Errors
/// 401.
pub async fn change(act: &mut Act, password_hash: &str, keep: SecretHash) -> Result<()> {
    let me = act.caller.whole_person()?.clone();
    set(act, &me, password_hash, Some(keep)).await
}

async fn set(act: &mut Act, user: &User, password_hash: &str, keep: Option<SecretHash>) -> Result<()> {
    users::set_password(&mut act.tx, user.id, Some(password_hash)).await?;
    rows::delete_of(&mut act.tx, user.id, Some(Purpose::SetPassword)).await?;
    // Before the sessions, so that a sign-in that is just being finished is a session by then and ends with them.
    ceremonies::delete_of(&mut act.tx, user.id).await?;
    match keep {
        Some(keep) => sessions::delete_others_of(&mut act.tx, user.id, keep).await?,
        None => sessions::delete_of(&mut act.tx, user.id).await?,
    };
    let link = format!("{}{FORGOTTEN}", act.stoa().public_url);
    let at = act.now();
    mail::send(act, &user.email, Mail::PasswordChanged { at, link }).await
}
