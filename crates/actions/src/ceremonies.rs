//! What is half done: a sign-in that waits for its second step, a passkey being made, a visit to another provider.
//!
//! It lives in the database for some minutes, sealed, under the hash of a secret that only the browser has. It opens
//! nothing by itself: a half-done sign-in is no session.

use serde::{Serialize, de::DeserializeOwned};
use stoa_domain::{
    ids::UserId,
    secrets::{Secret, SecretKind},
    time::SECOND,
};
use stoa_store::ceremonies;

use crate::{Act, Error, Result, seal::SealingKey};

/// How long something may stay half done, in microseconds.
pub const LIFE: i64 = 10 * 60 * SECOND;

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A sign-in that waits for its second step.
    SecondStep,
    /// An authenticator app being set up.
    Totp,
    /// A passkey being made.
    PasskeyMade,
    /// A passkey asked for, by whoever has one.
    PasskeyAsked,
    /// A visit to another provider.
    External,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::SecondStep => "second_step",
            Self::Totp => "totp",
            Self::PasskeyMade => "passkey_made",
            Self::PasskeyAsked => "passkey_asked",
            Self::External => "external",
        }
    }
}

/// Something half done, as it was resumed; locked for the rest of the transaction.
pub(crate) struct Resumed<T> {
    /// By whom, if that is known.
    pub(crate) user: Option<UserId>,
    /// What it remembers.
    pub(crate) state: T,
    /// How often it failed.
    pub(crate) attempts: i64,
}

fn gone() -> Error {
    Error::Unfit { code: "begin_again", detail: "this took too long or was done already; begin again".into() }
}

/// Begins one; the answer is the secret by which the browser resumes it.
pub(crate) async fn begin<T: Serialize>(act: &mut Act, kind: Kind, user: Option<UserId>, state: &T) -> Result<Secret> {
    let secret = act.secret(SecretKind::Ceremony);
    let state = serde_json::to_vec(state).map_err(|_| Error::Sealing)?;
    let stoa = act.stoa().clone();
    let key = SealingKey::of(&stoa, &mut act.tx).await?;
    let new = ceremonies::Ceremony {
        id_hash: secret.hash(),
        kind: kind.word().to_owned(),
        user,
        sealed_state: key.seal(&stoa, &secret.hash(), &state)?,
        attempts: 0,
        expires_at: act.now().plus(LIFE),
    };
    let now = act.now();
    ceremonies::delete_expired(&mut act.tx, now).await?;
    ceremonies::insert(&mut act.tx, &new, now).await?;
    Ok(secret)
}

/// Resumes one. Of two who resume the same at once, one waits for the other.
///
/// # Errors
/// `begin_again` (422) when there is none, or it was given up.
pub(crate) async fn resume<T: DeserializeOwned>(act: &mut Act, kind: Kind, presented: &Secret) -> Result<Resumed<T>> {
    if presented.kind() != SecretKind::Ceremony {
        return Err(gone());
    }
    let now = act.now();
    let found = ceremonies::lock(&mut act.tx, presented.hash(), kind.word(), now).await?.ok_or_else(gone)?;
    let stoa = act.stoa().clone();
    let state = SealingKey::of(&stoa, &mut act.tx).await?.open(&found.id_hash, &found.sealed_state)?;
    let state = serde_json::from_slice(&state).map_err(|_| gone())?;
    Ok(Resumed { user: found.user, state, attempts: found.attempts })
}

/// Ends one: it can't be resumed again.
pub(crate) async fn end(act: &mut Act, presented: &Secret) -> Result<()> {
    Ok(ceremonies::delete(&mut act.tx, presented.hash()).await?)
}

/// Counts a failure, and ends what failed too often. The caller commits.
pub(crate) async fn failed(act: &mut Act, presented: &Secret, attempts: i64, most: i64) -> Result<()> {
    if attempts + 1 >= most {
        return end(act, presented).await;
    }
    Ok(ceremonies::count_attempt(&mut act.tx, presented.hash()).await?)
}
