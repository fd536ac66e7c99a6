//! Signing in and out, and the browser sessions in between.

use serde::{Deserialize, Serialize};
use stoa_domain::{
    secrets::{Secret, SecretHash, SecretKind},
    text,
    time::{DAY, Ts},
    users::User,
};
use stoa_store::{Conn, Db, Tx, sessions, users};

use crate::{Act, Error, Result, passwords};

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

/// A session that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// SHA-256 of its id.
    pub id_hash: SecretHash,
    /// Who is signed in.
    pub user: User,
    /// What is to be said on the next page.
    pub messages: Vec<Message>,
    /// When it ends.
    pub expires_at: Ts,
}

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

/// Begins the session of somebody who has just signed in, always under a new id, and ends the one the browser
/// presented. Sessions that are over are removed by the way, so that they do not pile up.
///
/// # Errors
/// Those of the database.
pub async fn begin(act: &mut Act, user: &User, before: Option<&Secret>) -> Result<Secret> {
    let now = act.now();
    sessions::delete_expired(&mut act.tx, now).await?;
    if let Some(before) = before {
        sessions::delete(&mut act.tx, before.hash()).await?;
    }
    let secret = act.secret(SecretKind::Session);
    sessions::insert(&mut act.tx, secret.hash(), user.id, "{}", now, now.plus(LIFE)).await?;
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
    let row = sessions::find(conn, presented.hash(), now).await?;
    Ok(row.map(|row| {
        // What cannot be read was written by another version: the session stays, its messages are lost.
        let held: Held = serde_json::from_str(&row.data).unwrap_or_default();
        Session { id_hash: row.id_hash, user: row.user, messages: held.messages, expires_at: row.expires_at }
    }))
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

/// Notes that the session was used: its messages were shown, or its end moves on, or both. Answers whether it moved.
///
/// # Errors
/// Those of the database.
pub async fn keep(db: &Db, session: &Session, shown: bool, now: Ts) -> Result<bool> {
    let due = is_due(session, now);
    let clear = shown && !session.messages.is_empty();
    if !due && !clear {
        return Ok(false);
    }
    let mut tx = db.begin().await?;
    if clear {
        set_messages(&mut tx, session, Vec::new()).await?;
    }
    if due {
        sessions::set_expiry(&mut tx, session.id_hash, now.plus(LIFE)).await?;
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
