//! Where the log of each organization ends: sequence and hash of its last event.
//!
//! The head is a row of its own, apart from the organization's, and is locked last: from then on until the commit nobody
//! else numbers an event of that log, and before that nobody waits for it.

use stoa_domain::{
    events::{CHAIN_START, ChainHash},
    ids::OrganizationId,
    time::Ts,
};

use crate::{Conn, Row, StoreError, Tx, Value, params, users::placeholders, values};

/// Sequence and hash of an organization's last event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Whose log.
    pub organization: OrganizationId,
    /// The last event's sequence; 0 when there is none.
    pub sequence: i64,
    /// The last event's hash.
    pub hash: ChainHash,
}

fn head(row: &Row) -> Result<Head, StoreError> {
    Ok(Head { organization: row.get(0)?, sequence: row.get(1)?, hash: row.get(2)? })
}

/// Begins the log of a new organization.
///
/// # Errors
/// Those of the database.
pub async fn begin(tx: &mut Tx, organization: OrganizationId, now: Ts) -> Result<(), StoreError> {
    let sql = "insert into logs (organization_id, sequence, head_hash, last_event_at) values ($1, 0, $2, $3)";
    tx.send(sql, params![organization, CHAIN_START, now]).await
}

/// So many heads are locked by one statement.
const TOGETHER: usize = 1_000;

/// The heads of several logs, in the order of their organizations' ids, locked for the rest of the transaction. Whoever holds one
/// locks nothing else any more, so that nobody waits in a circle. `organizations` are in the order of their ids, each once.
///
/// # Errors
/// Those of the database; [`StoreError::MissingReference`] when one of the organizations has no log.
pub async fn lock_heads(tx: &mut Tx, organizations: &[OrganizationId]) -> Result<Vec<Head>, StoreError> {
    let mut heads = Vec::with_capacity(organizations.len());
    for some in organizations.chunks(TOGETHER) {
        let sql = format!(
            "select organization_id, sequence, head_hash from logs where organization_id in ({}) order by organization_id",
            placeholders(1, some.len())
        );
        let values: Vec<Value> = some.iter().map(Value::from).collect();
        for row in tx.lock(&sql, &values).await? {
            heads.push(head(&row)?);
        }
    }
    if heads.len() == organizations.len() { Ok(heads) } else { Err(StoreError::MissingReference) }
}

/// Moves the heads of several logs on, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn set_heads(tx: &mut Tx, heads: &[Head], now: Ts) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value>> = heads.iter().map(|head| values![head.organization, head.sequence, head.hash, now]).collect();
    let head = "insert into logs (organization_id, sequence, head_hash, last_event_at)";
    let tail = "on conflict (organization_id) do update set sequence = excluded.sequence, head_hash = excluded.head_hash,
                last_event_at = excluded.last_event_at";
    tx.send_many(head, 4, &rows, tail).await
}

/// The heads of all logs that moved at or after an instant, deleted organizations included.
///
/// # Errors
/// Those of the database.
pub async fn heads_since(conn: &mut Conn, since: Ts) -> Result<Vec<Head>, StoreError> {
    let sql = "select organization_id, sequence, head_hash from logs where last_event_at >= $1 order by organization_id";
    conn.fetch_all(sql, params![since]).await?.iter().map(head).collect()
}

/// How far all logs go that moved at or after an instant, deleted organizations included: each log's last sequence.
///
/// # Errors
/// Those of the database.
pub async fn sequences_since(conn: &mut Conn, since: Ts) -> Result<Vec<(OrganizationId, i64)>, StoreError> {
    let rows = conn.fetch_all("select organization_id, sequence from logs where last_event_at >= $1", params![since]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}
