//! Mail: written into the outbox by the transaction of what it tells about, or from the logs of organizations; then handed
//! to whoever sends it, one attempt at a time on all nodes together.

mod follow;
mod handovers;
mod of_services;
mod requests;
mod setups;

use stoa_domain::{
    ids::MailId,
    mail::{Failure, KEEP, LEASE, Mail, MailState, Outgoing, next_attempt},
    secrets::Secret,
    time::Ts,
};
use stoa_store::{
    Conn,
    mail::{self, NewMail},
};

pub use follow::follow;

use crate::{Act, Caller, Error, Result, Stoa};

/// How many due mails are looked at to find one that no other node takes.
const LOOKED_AT: i64 = 16;

/// Writes a mail into the outbox. It is sent exactly when the action takes place.
///
/// # Errors
/// Those of the database.
pub async fn send(act: &mut Act, to: &str, mail: Mail) -> Result<()> {
    let new = NewMail { id: act.mint(), recipient: to.to_owned(), mail, source: None };
    let now = act.now();
    mail::insert(&mut act.tx, &[new], now).await?;
    Ok(())
}

/// The address of a page that takes the secret of a mail. It stands in the query, which no log of requests has.
pub fn secret_link(stoa: &Stoa, path: &str, secret: &Secret) -> String {
    format!("{}{path}?token={}", stoa.public_url, secret.expose())
}

/// Takes the next due mail for one attempt. Nobody else gets it until the attempt is settled or its lease is over, which
/// is when the node that had it must be gone.
///
/// # Errors
/// Those of the database.
pub async fn claim(stoa: &Stoa, now: Ts) -> Result<Option<Outgoing>> {
    let mut conn = stoa.db.read().await?;
    let due = mail::due(&mut conn, now, LOOKED_AT).await?;
    drop(conn);
    if due.is_empty() {
        return Ok(None);
    }
    let until = now.plus(LEASE);
    let mut tx = stoa.db.begin().await?;
    for seen in due {
        if mail::claim(&mut tx, &seen, until).await? {
            tx.commit().await?;
            return Ok(Some(Outgoing { attempts: seen.attempts + 1, due_at: until, ..seen }));
        }
    }
    Ok(None)
}

/// Notes what an attempt came to. The secret of a link is forgotten with the last attempt. Answers the mail's state.
///
/// # Errors
/// Those of the database; then the mail is tried again when its lease is over.
pub async fn settle(stoa: &Stoa, claimed: Outgoing, outcome: Result<(), (Failure, String)>, now: Ts) -> Result<MailState> {
    let settled = match outcome {
        Ok(()) => Outgoing {
            state: MailState::Sent,
            sent_at: Some(now),
            last_error: String::new(),
            mail: claimed.mail.without_secret(),
            ..claimed
        },
        Err((failure, reason)) => match next_attempt(claimed.attempts, failure, now) {
            Some(due_at) => Outgoing { due_at, last_error: reason, ..claimed },
            None => Outgoing { state: MailState::Failed, last_error: reason, mail: claimed.mail.without_secret(), ..claimed },
        },
    };
    let mut tx = stoa.db.begin().await?;
    mail::settle(&mut tx, &settled).await?;
    tx.commit().await?;
    Ok(settled.state)
}

/// A page of the outbox for the operator, newest first.
///
/// # Errors
/// 401; 404 for everybody else.
pub async fn outbox(
    conn: &mut Conn,
    caller: &Caller,
    state: Option<MailState>,
    before: Option<MailId>,
    limit: i64,
) -> Result<Vec<Outgoing>> {
    caller.operator()?;
    Ok(mail::list(conn, state, before, limit).await?)
}

/// One mail of the outbox, for the operator.
///
/// # Errors
/// 401; 404.
pub async fn get(conn: &mut Conn, caller: &Caller, id: MailId) -> Result<Outgoing> {
    caller.operator()?;
    mail::find(conn, id).await?.ok_or(Error::NotFound("mail"))
}

/// Tries a mail again at once.
///
/// # Errors
/// 401; 404 for everybody but the operator; `not_retried` (409) when it was sent, or when its link was forgotten.
pub async fn retry(act: &mut Act, id: MailId) -> Result<Outgoing> {
    act.caller.operator()?;
    let mut found = mail::find(&mut act.tx, id).await?.ok_or(Error::NotFound("mail"))?;
    let now = act.now();
    let forgotten = found.mail.secret_link().is_some_and(|link| link.is_empty());
    if forgotten || !mail::retry(&mut act.tx, id, now).await? {
        return Err(Error::conflict("not_retried", "this mail was sent, or its link is not valid any more; it can't be sent again"));
    }
    Ok(found)
}

/// Forgets mails whose time is over.
pub(crate) async fn sweep(tx: &mut stoa_store::Tx, now: Ts) -> Result<u64> {
    Ok(mail::delete_before(tx, now.plus(-KEEP)).await?)
}
