//! Signing in.

use stoa_domain::{text, users::User};
use stoa_store::{Db, users};

use crate::{Error, Result, passwords};

/// The account of an address and a password.
///
/// # Errors
/// [`Error::BadSignIn`], the same and after the same work for known and unknown addresses.
pub async fn sign_in(db: &Db, email: &str, password: &str) -> Result<User> {
    let found = match text::email(email) {
        Ok(email) => {
            let mut conn = db.read().await?;
            users::find_by_email(&mut conn, &email).await?
        }
        Err(_) => None,
    };
    let (user, hash) = match found {
        Some((user, hash)) => (Some(user), hash),
        None => (None, None),
    };
    if passwords::verify(password, hash).await? { user.ok_or(Error::BadSignIn) } else { Err(Error::BadSignIn) }
}
