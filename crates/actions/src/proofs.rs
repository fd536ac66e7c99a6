//! Proving again who one is: before dangerous acts (step-up), and as the second step of a sign-in.

use stoa_domain::{
    ids::UserId,
    limits::{Attempt, Door},
    second_factors::MOST_ATTEMPTS,
    secrets::Secret,
    users::User,
};
use stoa_store::{Conn, sessions as kept, users};

use crate::{
    Act, Caller, Error, Result, Stoa,
    ceremonies::{self, Kind},
    limits, passkeys, passwords,
    second_factors::{self, Factors},
    sessions::Session,
};

/// How somebody proves who they are.
#[derive(Clone, PartialEq, Eq)]
pub enum Proof {
    /// By the password.
    Password(String),
    /// By a code of the authenticator app, or a recovery code.
    Code(String),
    /// By a passkey.
    Passkey {
        /// What was asked for.
        ceremony: Secret,
        /// The browser's answer.
        answer: String,
    },
}

/// What somebody can prove themself by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ways {
    /// Whether there is a password.
    pub password: bool,
    /// The second factors.
    pub factors: Factors,
}

/// What the caller can prove themself by.
///
/// # Errors
/// 401.
pub async fn ways(conn: &mut Conn, caller: &Caller) -> Result<Ways> {
    let user = caller.user_id()?;
    let password = users::password_hash(conn, user).await?.is_some();
    Ok(Ways { password, factors: second_factors::get(conn, caller).await? })
}

fn wrong() -> Error {
    Error::Unfit { code: "wrong_proof", detail: "that was not right; try again".into() }
}

/// Proves for a session who sits there now, in that network: dangerous acts are not asked about again for a quarter of an hour.
///
/// # Errors
/// `wrong_proof`, `begin_again`, `passkey_refused` (422); [`Error::TooMany`].
pub async fn renew(stoa: &Stoa, caller: &Caller, session: &Session, network: &str, proof: &Proof) -> Result<()> {
    let user = caller.user_id()?;
    // As a sign-in counts, so that a session left alone does not help to guess.
    let attempt = Attempt { door: Door::SignIn, account: &session.user.email, network };
    limits::take(stoa, attempt, caller.now).await?;
    let mut act;
    match proof {
        Proof::Password(password) => {
            let mut conn = stoa.db.read().await?;
            let hash = users::password_hash(&mut conn, user).await?;
            drop(conn);
            if !passwords::verify(password, hash).await? {
                return Err(wrong());
            }
            act = Act::begin(stoa, caller.clone()).await?;
        }
        Proof::Code(code) => {
            act = Act::begin(stoa, caller.clone()).await?;
            if !second_factors::accept_code(&mut act, user, code).await? {
                return Err(wrong());
            }
        }
        Proof::Passkey { ceremony, answer } => {
            act = Act::begin(stoa, caller.clone()).await?;
            if passkeys::answered(&mut act, ceremony, answer).await? != user {
                return Err(wrong());
            }
        }
    }
    let now = act.now();
    kept::set_proved(&mut act.tx, session.id_hash, now).await?;
    act.commit().await?;
    limits::give_back(stoa, attempt).await
}

/// Whose passkey it is that signs in; it is both steps at once.
///
/// # Errors
/// `begin_again`, `passkey_refused` (422); [`Error::BadSignIn`].
pub async fn sign_in_by_passkey(act: &mut Act, proof: &Proof) -> Result<User> {
    let Proof::Passkey { ceremony, answer } = proof else { return Err(Error::BadSignIn) };
    let user = passkeys::answered(act, ceremony, answer).await?;
    users::find(&mut act.tx, user).await?.ok_or(Error::BadSignIn)
}

/// Begins a sign-in that waits for its second step. It is no session: it opens nothing but the second step.
///
/// # Errors
/// Those of the database.
pub(crate) async fn begin_second_step(act: &mut Act, user: UserId) -> Result<Secret> {
    ceremonies::begin(act, Kind::SecondStep, Some(user), &()).await
}

/// Whose sign-in waits for its second step, and what they can prove themself by.
///
/// # Errors
/// `begin_again` (422).
pub async fn second_step(act: &mut Act, half: &Secret) -> Result<(User, Factors)> {
    let begun = ceremonies::resume::<()>(act, Kind::SecondStep, half).await?;
    let user = begun.user.ok_or_else(wrong)?;
    let user = users::find(&mut act.tx, user).await?.ok_or(Error::BadSignIn)?;
    let factors = stoa_store::second_factors::factors(&mut act.tx, user.id).await?;
    Ok((user, factors))
}

/// Takes the second step of a sign-in. `None` for a wrong code: the failure is counted, so commit either way; after
/// [`MOST_ATTEMPTS`] the sign-in begins anew.
///
/// # Errors
/// `begin_again`, `passkey_refused` (422).
pub async fn take_second_step(act: &mut Act, half: &Secret, proof: &Proof) -> Result<Option<User>> {
    let begun = ceremonies::resume::<()>(act, Kind::SecondStep, half).await?;
    let user = begun.user.ok_or_else(wrong)?;
    let proved = match proof {
        Proof::Code(code) => second_factors::accept_code(act, user, code).await?,
        Proof::Passkey { ceremony, answer } => passkeys::answered(act, ceremony, answer).await? == user,
        // The password was the first step.
        Proof::Password(_) => false,
    };
    if !proved {
        ceremonies::failed(act, half, begun.attempts, MOST_ATTEMPTS).await?;
        return Ok(None);
    }
    ceremonies::end(act, half).await?;
    Ok(users::find(&mut act.tx, user).await?)
}
