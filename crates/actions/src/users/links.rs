//! Making and using the links that prove an address.

use stoa_domain::{
    ids::UserId,
    links::{Link, Purpose},
    mail::SecretLink,
    secrets::{Secret, SecretKind},
    time::Ts,
    users::User,
};
use stoa_store::{Conn, links, users};

use crate::{Act, Error, Result, mail};

/// Makes a link for an address and answers what stands in its mail.
pub(super) async fn make(act: &mut Act, purpose: Purpose, email: &str, user: Option<UserId>) -> Result<SecretLink> {
    let now = act.now();
    let secret = act.secret(SecretKind::Link);
    let link = Link { purpose, email: email.to_owned(), user, expires_at: now.plus(purpose.life()) };
    links::insert(&mut act.tx, secret.hash(), &link, now).await?;
    Ok(mail::secret_link(act.stoa(), purpose.path(), &secret))
}

fn not_valid() -> Error {
    let detail = "this link was used already, or its time is over; ask for a new one".to_owned();
    Error::Unfit { code: "link_not_valid", detail }
}

/// The link that somebody opened, if it still works.
///
/// # Errors
/// `link_not_valid` (422).
pub async fn look(conn: &mut Conn, token: &str, purpose: Purpose, now: Ts) -> Result<Link> {
    let secret = Secret::read(token).filter(|secret| secret.kind() == SecretKind::Link).ok_or_else(not_valid)?;
    links::find(conn, secret.hash(), purpose, now).await?.ok_or_else(not_valid)
}

/// Uses a link up.
pub(super) async fn take(act: &mut Act, token: &str, purpose: Purpose) -> Result<Link> {
    let now = act.now();
    let link = look(&mut act.tx, token, purpose, now).await?;
    let secret = Secret::read(token).ok_or_else(not_valid)?;
    if links::delete(&mut act.tx, secret.hash()).await? { Ok(link) } else { Err(not_valid()) }
}

/// Uses a link up that is about an account, and answers the account, locked: what comes of the link changes it.
pub(super) async fn take_of(act: &mut Act, token: &str, purpose: Purpose) -> Result<(Link, User)> {
    let link = take(act, token, purpose).await?;
    let user = link.user.ok_or_else(not_valid)?;
    let user = users::lock(&mut act.tx, user).await?.ok_or_else(not_valid)?;
    Ok((link, user))
}
