//! Second factors: setting up an authenticator app, recovery codes, and accepting a code of either.

use stoa_domain::{
    ids::{Id, UserId},
    second_factors::{RECOVERY_BYTES, RECOVERY_CODES, SECRET_BYTES, STEP, digits, recovery_code, recovery_hash, steps},
    secrets::Secret,
    users::User,
};
use stoa_store::{Conn, Tx, second_factors, second_factors::TotpRow};
use subtle::ConstantTimeEq;
use totp_rs::{Algorithm, TOTP};

pub use stoa_store::second_factors::Factors;

use crate::{
    Act, Caller, Error, Result,
    ceremonies::{self, Kind},
    seal::SealingKey,
};

/// Whether the password alone does not open the account.
pub fn has_any(factors: &Factors) -> bool {
    factors.totp_since.is_some() || factors.passkeys > 0
}

/// What a sign-in is told whose second step failed too often.
pub fn too_many_attempts() -> Error {
    Error::Unfit { code: "begin_again", detail: "the second step failed too often or took too long; begin again".into() }
}

/// What second factors the caller has.
///
/// # Errors
/// 401.
pub async fn get(conn: &mut Conn, caller: &Caller) -> Result<Factors> {
    Ok(second_factors::factors(conn, caller.user_id()?).await?)
}

/// An authenticator app being set up.
#[derive(Debug, Clone)]
pub struct Enrolment {
    /// By which it is resumed.
    pub ceremony: Secret,
    /// What the QR code says (`otpauth://totp/…`).
    pub url: String,
    /// The secret in base32, for those who type it.
    pub text: String,
}

fn totp(secret: Vec<u8>, issuer: &str, account: &str) -> Result<TOTP> {
    // A colon would end the issuer in the address that the QR code carries.
    let clean = |text: &str| text.replace(':', " ");
    let step = u64::try_from(STEP).unwrap_or(30);
    TOTP::new(Algorithm::SHA1, 6, 0, step, secret, Some(clean(issuer)), clean(account)).map_err(|_| Error::Sealing)
}

fn enrolment(act: &Act, user: &User, ceremony: Secret, secret: Vec<u8>) -> Result<Enrolment> {
    let host = act.stoa().public_url.split("://").last().unwrap_or_default().to_owned();
    let totp = totp(secret, &format!("Stoa {host}"), &user.email)?;
    Ok(Enrolment { ceremony, url: totp.get_url(), text: totp.get_secret_base32() })
}

/// Begins to set up an authenticator app: makes a secret, which counts once a right code was given.
///
/// # Errors
/// 401; `totp_enabled` (409) when there is one.
pub async fn begin_totp(act: &mut Act) -> Result<Enrolment> {
    let user = act.caller.whole_person()?.clone();
    if second_factors::factors(&mut act.tx, user.id).await?.totp_since.is_some() {
        return Err(Error::conflict("totp_enabled", "an authenticator app is set up already; turn it off first to set up another"));
    }
    let mut secret = vec![0; SECRET_BYTES];
    act.stoa().entropy.fill(&mut secret);
    let ceremony = ceremonies::begin(act, Kind::Totp, Some(user.id), &secret).await?;
    enrolment(act, &user, ceremony, secret)
}

/// How the setting up of an authenticator app ended.
#[derive(Debug, Clone)]
pub enum Confirmed {
    /// It counts from now on. New recovery codes, shown this once, unless the person had some already.
    Done(Vec<String>),
    /// The code was wrong: the same secret, to try again.
    Wrong(Box<Enrolment>),
}

/// Ends the setting up: the app counts when the code is right.
///
/// # Errors
/// 401; `begin_again` (422); `totp_enabled` (409).
pub async fn confirm_totp(act: &mut Act, ceremony: &Secret, code: &str) -> Result<Confirmed> {
    let user = act.caller.whole_person()?.clone();
    let begun = ceremonies::resume::<Vec<u8>>(act, Kind::Totp, ceremony).await?;
    if begun.user != Some(user.id) {
        return Err(Error::NotFound("set-up"));
    }
    if second_factors::lock_totp(&mut act.tx, user.id).await?.is_some() {
        return Err(Error::conflict("totp_enabled", "an authenticator app is set up already; turn it off first to set up another"));
    }
    let Some(step) = fitting_step(&totp(begun.state.clone(), "", &user.email)?, code, act, 0) else {
        return Ok(Confirmed::Wrong(Box::new(enrolment(act, &user, ceremony.clone(), begun.state)?)));
    };
    let stoa = act.stoa().clone();
    let sealed_secret = SealingKey::of(&stoa, &mut act.tx).await?.seal(&stoa, &user.id.bytes(), &begun.state)?;
    let kept = TotpRow { sealed_secret, last_step: step, created_at: act.now() };
    second_factors::set_totp(&mut act.tx, user.id, &kept).await?;
    ceremonies::end(act, ceremony).await?;
    Ok(Confirmed::Done(first_recovery_codes(act, user.id).await?))
}

/// The step whose code this is, if it may still be used.
fn fitting_step(totp: &TOTP, typed: &str, act: &Act, last_step: i64) -> Option<i64> {
    let typed = digits(typed)?;
    // All are compared, so that the time taken tells nothing.
    let fitting = steps(act.now(), last_step).filter(|step| {
        let code = totp.generate(u64::try_from(step * STEP).unwrap_or(0));
        bool::from(code.as_bytes().ct_eq(typed.as_bytes()))
    });
    fitting.last()
}

/// Turns the authenticator app off. Without any second factor left, the recovery codes go too.
///
/// # Errors
/// 401; 404 when there is none.
pub async fn disable_totp(act: &mut Act) -> Result<()> {
    let user = act.caller.whole_person()?.id;
    if !second_factors::delete_totp(&mut act.tx, user).await? {
        return Err(Error::NotFound("authenticator app"));
    }
    forget_codes_of_nothing(&mut act.tx, act.caller.now, user).await
}

/// Recovery codes stand for a second factor; without one there is nothing to recover.
pub(crate) async fn forget_codes_of_nothing(tx: &mut Tx, now: stoa_domain::time::Ts, user: UserId) -> Result<()> {
    if !has_any(&second_factors::factors(tx, user).await?) {
        second_factors::replace_recovery_codes(tx, user, &[], now).await?;
    }
    Ok(())
}

/// The recovery codes that come with the first second factor; none when the person has some.
pub(crate) async fn first_recovery_codes(act: &mut Act, user: UserId) -> Result<Vec<String>> {
    if second_factors::factors(&mut act.tx, user).await?.recovery_codes > 0 {
        return Ok(Vec::new());
    }
    new_codes(act, user).await
}

async fn new_codes(act: &mut Act, user: UserId) -> Result<Vec<String>> {
    let codes: Vec<String> = (0..RECOVERY_CODES)
        .map(|_| {
            let mut random = [0; RECOVERY_BYTES];
            act.stoa().entropy.fill(&mut random);
            recovery_code(random)
        })
        .collect();
    let hashes: Vec<_> = codes.iter().filter_map(|code| recovery_hash(user, code)).collect();
    let now = act.now();
    second_factors::replace_recovery_codes(&mut act.tx, user, &hashes, now).await?;
    Ok(codes)
}

/// Makes new recovery codes in place of all that there were; shown this once.
///
/// # Errors
/// 401; `no_second_factor` (409) when there is nothing to recover.
pub async fn renew_recovery_codes(act: &mut Act) -> Result<Vec<String>> {
    let user = act.caller.whole_person()?.id;
    if !has_any(&second_factors::factors(&mut act.tx, user).await?) {
        return Err(Error::conflict("no_second_factor", "recovery codes come with a second factor; set up one first"));
    }
    new_codes(act, user).await
}

/// Whether somebody typed a code that counts: of the authenticator app, or a recovery code. It is used up by that.
pub(crate) async fn accept_code(act: &mut Act, user: UserId, typed: &str) -> Result<bool> {
    if let Some(hash) = recovery_hash(user, typed) {
        let now = act.now();
        return Ok(second_factors::use_recovery_code(&mut act.tx, user, hash, now).await?);
    }
    let Some(kept) = second_factors::lock_totp(&mut act.tx, user).await? else { return Ok(false) };
    let stoa = act.stoa().clone();
    let secret = SealingKey::of(&stoa, &mut act.tx).await?.open(&user.bytes(), &kept.sealed_secret)?;
    let Some(step) = fitting_step(&totp(secret, "", "")?, typed, act, kept.last_step) else { return Ok(false) };
    second_factors::set_last_step(&mut act.tx, user, step).await?;
    Ok(true)
}
