//! Making an account oneself: first the address is proved, then name and password are chosen.
//!
//! Nobody can prepare an account for somebody else's address this way, with a password of their own.

use stoa_domain::{
    links::Purpose,
    mail::Mail,
    text::{self, Faults},
    users::{SignUp, User},
};
use stoa_store::{links as rows, users};

use super::{NewUser, PreparedUser, create, links, prepare};
use crate::{Act, Error, Result, Stoa, mail};

/// Whether people may make accounts here at all.
///
/// # Errors
/// `sign_up_closed` (422) where the operator creates all accounts.
fn is_not_closed(stoa: &Stoa) -> Result<()> {
    if stoa.sign_up == SignUp::Closed {
        let detail = "accounts are created by whoever runs this installation; ask them for one".to_owned();
        return Err(Error::Unfit { code: "sign_up_closed", detail });
    }
    Ok(())
}

/// Whether an address that another provider has verified may become an account here: by the same rule as for whoever signs
/// up. See `docs/decisions/0016`.
///
/// # Errors
/// `sign_up_closed` (422) where the operator creates all accounts; `address_not_admitted` (422) for an address of another
/// domain.
pub(crate) fn admits_verified(stoa: &Stoa, email: &str) -> Result<()> {
    is_not_closed(stoa)?;
    stoa.sign_up.admits(email).map_err(|other| Error::Unfit {
        code: "address_not_admitted",
        detail: format!("{email} has no account here, and {other}; ask whoever runs this installation for an account"),
    })
}

/// Whether an address may become an account here.
///
/// # Errors
/// `sign_up_closed` (422) where the operator creates all accounts; 422 for an address of another domain.
pub fn admits(stoa: &Stoa, email: &str) -> Result<String> {
    is_not_closed(stoa)?;
    let mut faults = Faults::new();
    let email = faults.check("/email", text::email(email)).and_then(|email| {
        let admitted = stoa.sign_up.admits(&email);
        faults.check("/email", admitted).map(|()| email)
    });
    Ok(faults.or(email)?)
}

/// Sends a link to an address that wants an account; an address that has one is told so. Both are the same work and the
/// same answer, so that nobody learns who has an account.
///
/// # Errors
/// As [`admits`].
pub async fn ask(act: &mut Act, email: &str) -> Result<()> {
    let email = admits(act.stoa(), email)?;
    let known = users::find_by_email(&mut act.tx, &email).await?.map(|(user, _)| user.id);
    let purpose = if known.is_some() { Purpose::SetPassword } else { Purpose::SignUp };
    let link = links::make(act, purpose, &email, known).await?;
    let mail = if known.is_some() { Mail::HaveAccount { link } } else { Mail::SignUp { link } };
    mail::send(act, &email, mail).await
}

/// Checks the name and the password that were chosen for the account of a link.
///
/// # Errors
/// 422.
pub async fn choose(stoa: &Stoa, email: &str, name: &str, password: &str) -> Result<PreparedUser> {
    let new = NewUser { email: email.to_owned(), name: Some(name.to_owned()), password: Some(password.to_owned()), operator: false };
    prepare(stoa, new).await
}

/// Makes the account of a link.
///
/// # Errors
/// `link_not_valid` (422); `email_taken` (409).
pub async fn finish(act: &mut Act, token: &str, prepared: PreparedUser) -> Result<User> {
    let link = links::take(act, token, Purpose::SignUp).await?;
    rows::delete_to(&mut act.tx, &link.email, Purpose::SignUp).await?;
    let user = create(act, PreparedUser { email: link.email, ..prepared }).await?;
    super::address_verified(act, &user).await?;
    Ok(user)
}
