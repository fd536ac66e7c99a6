//! Mail on its way, and how far each log was read for mails.

use std::collections::BTreeSet;

use stoa_domain::{
    events::EventKind,
    ids::{MailId, OrganizationId},
    mail::{Mail, MailState, Outgoing, Source},
    time::Ts,
};

use crate::{Conn, Row, StoreError, Tx, Value, params, values};

const COLUMNS: &str = "id, recipient, data, state, created_at, due_at, attempts, sent_at, last_error";

fn outgoing(row: &Row) -> Result<Outgoing, StoreError> {
    Ok(Outgoing {
        id: row.get(0)?,
        recipient: row.get(1)?,
        mail: row.json(2)?,
        state: row.parse(3)?,
        created_at: row.get(4)?,
        due_at: row.get(5)?,
        attempts: row.get(6)?,
        sent_at: row.get(7)?,
        last_error: row.get(8)?,
    })
}

fn json(mail: &Mail) -> Result<String, StoreError> {
    serde_json::to_string(mail).map_err(|bad| StoreError::Corrupt { column: 2, reason: bad.to_string() })
}

/// A mail to write into the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMail {
    /// Its id.
    pub id: MailId,
    /// The address it goes to.
    pub recipient: String,
    /// What it says.
    pub mail: Mail,
    /// The event it tells of, if it comes from a log.
    pub source: Option<Source>,
}

/// Writes mails into the outbox, due at once. A mail about an event that stands there already is not written again.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx, mails: &[NewMail], now: Ts) -> Result<u64, StoreError> {
    let mut rows: Vec<Vec<Value>> = Vec::with_capacity(mails.len());
    for new in mails {
        rows.push(values![
            new.id,
            &new.recipient,
            new.mail.kind(),
            json(&new.mail)?,
            MailState::Waiting.word(),
            now,
            now,
            0_i64,
            "",
            new.source.map(|source| source.organization),
            new.source.map(|source| source.sequence),
        ]);
    }
    tx.insert_many(
        "insert into outgoing_mails (id, recipient, kind, data, state, created_at, due_at, attempts, last_error, source_organization_id,
         source_sequence)",
        11,
        &rows,
        "on conflict (source_organization_id, source_sequence, recipient, kind) do nothing",
    )
    .await
}

/// Mails that are due, those that wait longest first.
///
/// # Errors
/// Those of the database.
pub async fn due(conn: &mut Conn, now: Ts, limit: i64) -> Result<Vec<Outgoing>, StoreError> {
    let sql = format!("select {COLUMNS} from outgoing_mails where state = 'waiting' and due_at <= $1 order by due_at, id limit $2");
    conn.fetch_all(&sql, params![now, limit]).await?.iter().map(outgoing).collect()
}

/// Takes a mail that was read as due for one attempt: no other node finds it due before `until`. Answers `false` when
/// another was faster.
///
/// # Errors
/// Those of the database.
pub async fn claim(tx: &mut Tx, seen: &Outgoing, until: Ts) -> Result<bool, StoreError> {
    let rows = tx
        .execute(
            "update outgoing_mails set due_at = $4, attempts = attempts + 1 where id = $1 and state = 'waiting' and due_at = $2 and attempts = $3",
            params![seen.id, seen.due_at, seen.attempts, until],
        )
        .await?;
    Ok(rows > 0)
}

/// Notes what an attempt came to: when the mail is tried again, or that it is over. Only the latest attempt counts.
///
/// # Errors
/// Those of the database.
pub async fn settle(tx: &mut Tx, mail: &Outgoing) -> Result<bool, StoreError> {
    let rows = tx
        .execute(
            "update outgoing_mails set state = $3, due_at = $4, sent_at = $5, last_error = $6, data = $7
             where id = $1 and attempts = $2 and state = 'waiting'",
            params![mail.id, mail.attempts, mail.state.word(), mail.due_at, mail.sent_at, &mail.last_error, json(&mail.mail)?],
        )
        .await?;
    Ok(rows > 0)
}

/// Puts a mail that was given up, or waits for its next attempt, to the front again; answers whether there was one.
///
/// # Errors
/// Those of the database.
pub async fn retry(tx: &mut Tx, id: MailId, now: Ts) -> Result<bool, StoreError> {
    let rows = tx
        .execute(
            "update outgoing_mails set state = 'waiting', due_at = $2, attempts = 0 where id = $1 and state in ('waiting', 'failed')",
            params![id, now],
        )
        .await?;
    Ok(rows > 0)
}

/// One mail.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, id: MailId) -> Result<Option<Outgoing>, StoreError> {
    let sql = format!("select {COLUMNS} from outgoing_mails where id = $1");
    conn.fetch_optional(&sql, params![id]).await?.as_ref().map(outgoing).transpose()
}

/// A page of the outbox, newest first, of one state when given; `before` is the last mail of the page before.
///
/// # Errors
/// Those of the database.
pub async fn list(conn: &mut Conn, state: Option<MailState>, before: Option<MailId>, limit: i64) -> Result<Vec<Outgoing>, StoreError> {
    let mut values = values![limit];
    let mut filter = String::from("1 = 1");
    if let Some(state) = state {
        values.push(state.word().into());
        filter.push_str(&format!(" and state = ${}", values.len()));
    }
    if let Some(before) = before {
        values.push(before.into());
        filter.push_str(&format!(" and id < ${}", values.len()));
    }
    let sql = format!("select {COLUMNS} from outgoing_mails where {filter} order by id desc limit $1");
    conn.fetch_all(&sql, &values).await?.iter().map(outgoing).collect()
}

/// Forgets mails written before an instant.
///
/// # Errors
/// Those of the database.
pub async fn delete_before(tx: &mut Tx, before: Ts) -> Result<u64, StoreError> {
    tx.execute("delete from outgoing_mails where created_at < $1", params![before]).await
}

/// Forgets all mails to an address, and those to others that name it.
///
/// # Errors
/// Those of the database.
pub async fn delete_about(tx: &mut Tx, address: &str) -> Result<u64, StoreError> {
    let literal = address.replace('!', "!!").replace('_', "!_").replace('%', "!%");
    let sql = "delete from outgoing_mails where recipient = $1 or data like $2 escape '!'";
    tx.execute(sql, params![address, format!("%\"{literal}\"%")]).await
}

/// A log that goes on beyond what was read for mails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Behind {
    /// Whose log.
    pub organization: OrganizationId,
    /// The last event that was read.
    pub position: i64,
    /// The last event there is.
    pub sequence: i64,
}

/// The logs that go on beyond what was read for mails, of those that moved at or after an instant.
///
/// # Errors
/// Those of the database.
pub async fn behind(conn: &mut Conn, since: Ts) -> Result<Vec<Behind>, StoreError> {
    // Without an order, which would make SQLite go through all logs by their key instead of the last ones by their time.
    let rows = conn
        .fetch_all(
            "select l.organization_id, coalesce(p.sequence, 0), l.sequence
             from logs l left join mail_positions p on p.organization_id = l.organization_id
             where l.last_event_at >= $1 and l.sequence > coalesce(p.sequence, 0)",
            params![since],
        )
        .await?;
    rows.iter().map(|row| Ok(Behind { organization: row.get(0)?, position: row.get(1)?, sequence: row.get(2)? })).collect()
}

/// Those of several logs in which an event of one of these kinds follows the position; in one statement.
///
/// # Errors
/// Those of the database.
pub async fn telling(conn: &mut Conn, logs: &[Behind], kinds: &[EventKind]) -> Result<BTreeSet<OrganizationId>, StoreError> {
    let words: Vec<String> = kinds.iter().map(|kind| format!("'{}'", kind.word())).collect();
    let sql = format!(
        "with given (organization_id, position) as ({{rows}})
         select distinct e.organization_id from given cross join events e
         where e.organization_id = given.organization_id and e.sequence > given.position and e.type in ({})",
        words.join(", ")
    );
    let given: Vec<Vec<Value>> = logs.iter().map(|log| values![log.organization, log.position]).collect();
    conn.fetch_given(&sql, &given).await?.iter().map(|row| row.get(0)).collect()
}

/// Moves the positions of several logs on to their ends, unless another node has read further; in one statement.
///
/// # Errors
/// Those of the database.
pub async fn advance_to_end<'a>(tx: &mut Tx, logs: impl IntoIterator<Item = &'a Behind>) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value>> = logs.into_iter().map(|log| values![log.organization, log.sequence]).collect();
    let further =
        "on conflict (organization_id) do update set sequence = excluded.sequence where mail_positions.sequence < excluded.sequence";
    tx.insert_many("insert into mail_positions (organization_id, sequence)", 2, &rows, further).await?;
    Ok(())
}

/// Moves a log's position on from where it was read; answers `false` when another node was faster.
///
/// # Errors
/// Those of the database.
pub async fn advance(tx: &mut Tx, organization: OrganizationId, from: i64, to: i64) -> Result<bool, StoreError> {
    let rows = if from == 0 {
        tx.execute(
            "insert into mail_positions (organization_id, sequence) values ($1, $2)
             on conflict (organization_id) do update set sequence = excluded.sequence where mail_positions.sequence = 0",
            params![organization, to],
        )
        .await?
    } else {
        tx.execute("update mail_positions set sequence = $3 where organization_id = $1 and sequence = $2", params![organization, from, to])
            .await?
    };
    Ok(rows > 0)
}
