//! Signing in and out, and the browser sessions in between.

use serde::{Deserialize, Serialize};
use stoa_domain::{
    ids::SessionId,
    limits::{Attempt, Door},
    secrets::{Secret, SecretHash, SecretKind},
    sessions as rules, text,
    time::{DAY, HOUR, Ts},
    users::User,
};
use stoa_store::{
    Conn, Db, Tx, second_factors, sessions,
    sessions::{NewSession, SessionRow},
    users,
};

use crate::{Act, Caller, Error, Result, Stoa, limits, passwords, proofs};

/// How long a session lasts after its last use, in microseconds.
pub const LIFE: i64 = 14 * DAY;

/// How much of its life must be over before a use moves its end on: a page view does not write each time.
pub const REFRESH: i64 = DAY;

/// A message for the next page, about the action just done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// `ok`, `warn`, `danger` or `brand`.
    pub tone: String,
    /// The sentence.
    pub text: String,
}

/// What a session holds.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Held {
    #[serde(default)]
    messages: Vec<Message>,
}

/// In what somebody signs in, and from where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Device {
    /// The browser, in a person's words.
    pub browser: String,
    /// The network address.
    pub address: String,
}

/// A session that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// By what its owner tells it from others.
    pub id: SessionId,
    /// SHA-256 of its secret.
    pub id_hash: SecretHash,
    /// In what and from where it began.
    pub device: Device,
    /// When it began.
    pub created_at: Ts,
    /// When it was last used, to the hour.
    pub last_used_at: Ts,
    /// When the person last proved who they are.
    pub proved_at: Ts,
    /// Who is signed in.
    pub user: User,
    /// What is to be said on the next page.
    pub messages: Vec<Message>,
    /// When it ends.
    pub expires_at: Ts,
}

/// The account of an address and a password, for somebody in that network.
///
/// # Errors
/// [`Error::BadSignIn`], the same and after the same work for known and unknown addresses; [`Error::Suspended`] with the
/// right password only; [`Error::TooMany`]. Whoever is let in gives the attempt back with [`limits::give_back`], after the
/// second step where there is one.
pub async fn sign_in(stoa: &Stoa, email: &str, password: &str, network: &str, now: Ts) -> Result<User> {
    let attempt = Attempt { door: Door::SignIn, account: email, network };
    limits::take(stoa, attempt, now).await?;
    check(&stoa.db, email, password).await
}

async fn check(db: &Db, email: &str, password: &str) -> Result<User> {
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
    match user {
        // Told only to who knows the password.
        Some(user) if passwords::verify(password, hash).await? => {
            if user.suspended {
                Err(Error::Suspended)
            } else {
                Ok(user)
            }
        }
        Some(_) => Err(Error::BadSignIn),
        None => {
            passwords::verify(password, None).await?;
            Err(Error::BadSignIn)
        }
    }
}

/// Where a sign-in leads whose first step is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FirstStep {
    /// In: the session's secret.
    In(Secret),
    /// To the second step: the secret of the half-done sign-in, which is no session.
    SecondStep(Secret),
}

/// Goes on after the first step of a sign-in: straight in, or to the second step of somebody with a second factor.
///
/// # Errors
/// Those of the database.
pub async fn after_first_step(act: &mut Act, user: &User, device: &Device, before: Option<&Secret>) -> Result<FirstStep> {
    if user.suspended {
        return Err(Error::Suspended);
    }
    if crate::second_factors::has_any(&second_factors::factors(&mut act.tx, user.id).await?) {
        return Ok(FirstStep::SecondStep(proofs::begin_second_step(act, user.id).await?));
    }
    Ok(FirstStep::In(begin(act, user, device, before).await?))
}

/// Begins the session of somebody who has just signed in, always under a new id, and ends the one the browser
/// presented. Sessions that are over are removed by the way, so that they do not pile up.
///
/// # Errors
/// Those of the database.
pub async fn begin(act: &mut Act, user: &User, device: &Device, before: Option<&Secret>) -> Result<Secret> {
    if user.suspended {
        return Err(Error::Suspended);
    }
    let now = act.now();
    sessions::delete_expired(&mut act.tx, now).await?;
    if let Some(before) = before {
        sessions::delete(&mut act.tx, before.hash()).await?;
    }
    let secret = act.secret(SecretKind::Session);
    let Device { browser, address } = device;
    let new = NewSession { id: act.mint(), id_hash: secret.hash(), user: user.id, browser, address };
    sessions::insert(&mut act.tx, &new, now, now.plus(LIFE)).await?;
    Ok(secret)
}

/// The session a request presents, if it has not ended.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, presented: &Secret, now: Ts) -> Result<Option<Session>> {
    if presented.kind() != SecretKind::Session {
        return Ok(None);
    }
    Ok(sessions::find(conn, presented.hash(), now).await?.map(session))
}

fn session(row: SessionRow) -> Session {
    // What cannot be read was written by another version: the session stays, its messages are lost.
    let held: Held = serde_json::from_str(&row.data).unwrap_or_default();
    Session {
        id: row.id,
        id_hash: row.id_hash,
        device: Device { browser: row.browser, address: row.address },
        created_at: row.created_at,
        last_used_at: row.last_used_at,
        proved_at: row.proved_at,
        user: row.user,
        messages: held.messages,
        expires_at: row.expires_at,
    }
}

/// The caller's sessions that have not ended, the last used first.
///
/// # Errors
/// 401.
pub async fn list(conn: &mut Conn, caller: &Caller) -> Result<Vec<Session>> {
    let user = caller.whole_person()?.id;
    Ok(sessions::list(conn, user, caller.now).await?.into_iter().map(session).collect())
}

/// Ends one of the caller's sessions: its browser's next request leads to the sign-in.
///
/// # Errors
/// 401, 404.
pub async fn end_one(act: &mut Act, id: SessionId) -> Result<()> {
    let user = act.caller.whole_person()?.id;
    if sessions::delete_one_of(&mut act.tx, user, id).await? { Ok(()) } else { Err(Error::NotFound("session")) }
}

/// Ends all of the caller's sessions but the one given, if any. Answers how many ended.
///
/// # Errors
/// 401.
pub async fn end_others(act: &mut Act, keep: Option<&Session>) -> Result<u64> {
    let user = act.caller.whole_person()?.id;
    Ok(match keep {
        Some(keep) => sessions::delete_others_of(&mut act.tx, user, keep.id_hash).await?,
        None => sessions::delete_of(&mut act.tx, user).await?,
    })
}

/// Whether the person in front of a session has proved who they are a short while ago.
pub fn is_proved(session: &Session, now: Ts) -> bool {
    rules::proof_counts(session.proved_at, now)
}

/// Leaves a message for the next page, in the transaction of what it tells about.
///
/// # Errors
/// Those of the database.
pub async fn leave_message(tx: &mut Tx, session: &Session, message: Message) -> Result<()> {
    let mut messages = session.messages.clone();
    messages.push(message);
    set_messages(tx, session, messages).await
}

async fn set_messages(tx: &mut Tx, session: &Session, messages: Vec<Message>) -> Result<()> {
    let data = serde_json::to_string(&Held { messages }).unwrap_or_else(|_| "{}".to_owned());
    Ok(sessions::set_data(tx, session.id_hash, &data).await?)
}

/// Whether a use of the session at `now` moves its end on.
pub fn is_due(session: &Session, now: Ts) -> bool {
    session.expires_at.micros() - now.micros() <= LIFE - REFRESH
}

/// How long ago a session was noted as used before that is noted again; hourly is exact enough for its owner.
const NOTE_USE: i64 = HOUR;

/// Notes that the session was used: its messages were shown, or its last use is noted, or its end moves on. Answers
/// whether the end moved.
///
/// # Errors
/// Those of the database.
pub async fn keep(db: &Db, session: &Session, shown: bool, now: Ts) -> Result<bool> {
    let due = is_due(session, now);
    let used = due || now.micros() - session.last_used_at.micros() >= NOTE_USE;
    let clear = shown && !session.messages.is_empty();
    if !used && !clear {
        return Ok(false);
    }
    let mut tx = db.begin().await?;
    if clear {
        set_messages(&mut tx, session, Vec::new()).await?;
    }
    if used {
        let ends = if due { now.plus(LIFE) } else { session.expires_at };
        sessions::set_used(&mut tx, session.id_hash, now, ends).await?;
    }
    tx.commit().await?;
    Ok(due)
}

/// Ends the session a browser presents.
///
/// # Errors
/// Those of the database.
pub async fn end(act: &mut Act, presented: &Secret) -> Result<()> {
    Ok(sessions::delete(&mut act.tx, presented.hash()).await?)
}
