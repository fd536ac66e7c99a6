//! The event log of each organization.

use stoa_domain::{
    events::{Event, Subject},
    ids::OrganizationId,
};

use crate::{Conn, Row, StoreError, Tx, Value, params};

const COLUMNS: &str = "organization_id, sequence, id, type, actor_kind, actor_id, subject_kind, subject_id, data, request_id, \
                       occurred_at, previous_hash, hash";

fn event(row: &Row) -> Result<Event, StoreError> {
    Ok(Event {
        organization: row.get(0)?,
        sequence: row.get(1)?,
        id: row.get(2)?,
        kind: row.get(3)?,
        actor_kind: row.get(4)?,
        actor_id: row.get(5)?,
        subject: Subject { kind: row.get(6)?, id: row.get(7)? },
        data: row.get(8)?,
        request_id: row.get(9)?,
        occurred_at: row.get(10)?,
        previous_hash: row.get(11)?,
        hash: row.get(12)?,
    })
}

/// Appends events; their sequences and hashes are set by the caller, who holds the lock on the head.
///
/// # Errors
/// Those of the database.
pub async fn append(tx: &mut Tx, events: &[Event]) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value>> = events
        .iter()
        .map(|event| {
            vec![
                event.organization.into(),
                event.sequence.into(),
                event.id.into(),
                (&event.kind).into(),
                (&event.actor_kind).into(),
                event.actor_id.clone().into(),
                (&event.subject.kind).into(),
                (&event.subject.id).into(),
                (&event.data).into(),
                event.request_id.clone().into(),
                event.occurred_at.into(),
                event.previous_hash.into(),
                event.hash.into(),
            ]
        })
        .collect();
    tx.insert_many(&format!("insert into events ({COLUMNS})"), 13, &rows, "").await?;
    Ok(())
}

/// Events after a sequence, ascending; of one type when given.
///
/// # Errors
/// Those of the database.
pub async fn after(
    conn: &mut Conn,
    organization: OrganizationId,
    sequence: i64,
    kind: Option<&str>,
    limit: i64,
) -> Result<Vec<Event>, StoreError> {
    let rows = match kind {
        None => {
            let sql = format!("select {COLUMNS} from events where organization_id = $1 and sequence > $2 order by sequence limit $3");
            conn.fetch_all(&sql, params![organization, sequence, limit]).await?
        }
        Some(kind) => {
            let sql = format!(
                "select {COLUMNS} from events where organization_id = $1 and type = $4 and sequence > $2 order by sequence limit $3"
            );
            conn.fetch_all(&sql, params![organization, sequence, limit, kind]).await?
        }
    };
    rows.iter().map(event).collect()
}

/// Events before a sequence, newest first: the order of the activity page. With a noun only those whose type begins with
/// it, such as `member` for `member.added`.
///
/// # Errors
/// Those of the database.
pub async fn before(
    conn: &mut Conn,
    organization: OrganizationId,
    sequence: i64,
    noun: Option<&str>,
    limit: i64,
) -> Result<Vec<Event>, StoreError> {
    let rows = match noun {
        None => {
            let sql = format!("select {COLUMNS} from events where organization_id = $1 and sequence < $2 order by sequence desc limit $3");
            conn.fetch_all(&sql, params![organization, sequence, limit]).await?
        }
        Some(noun) => {
            let sql = format!(
                "select {COLUMNS} from events where organization_id = $1 and sequence < $2 and type like $4 order by sequence desc limit $3"
            );
            conn.fetch_all(&sql, params![organization, sequence, limit, format!("{noun}.%")]).await?
        }
    };
    rows.iter().map(event).collect()
}
