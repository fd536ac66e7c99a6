//! The event log of each organization.

use stoa_domain::{
    events::{Event, EventFilter, EventKind, Subject},
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
    tx.send_many(&format!("insert into events ({COLUMNS})"), 13, &rows, "").await
}

/// The conditions of a filter in SQL, with their values after those given.
fn conditions(filter: &EventFilter, values: &mut Vec<Value>) -> String {
    let mut sql = String::new();
    let mut and = |condition: &str, value: Option<Value>| {
        if let Some(value) = value {
            values.push(value);
            sql.push_str(&format!(" and {condition} ${}", values.len()));
        }
    };
    and("type =", filter.kind.map(|kind| kind.word().into()));
    and("type like", filter.noun.as_ref().map(|noun| format!("{noun}.%").into()));
    and("actor_id =", filter.actor.as_ref().map(Into::into));
    and("subject_id =", filter.subject.as_ref().map(Into::into));
    and("occurred_at >=", filter.from.map(Into::into));
    and("occurred_at <", filter.to.map(Into::into));
    sql
}

/// Whether something of a kind ever happened to a subject in an organization.
///
/// # Errors
/// Those of the database.
pub async fn has(conn: &mut Conn, organization: OrganizationId, kind: EventKind, subject: &str) -> Result<bool, StoreError> {
    let sql = "select id from events where organization_id = $1 and subject_id = $2 and type = $3 limit 1";
    Ok(conn.fetch_optional(sql, params![organization, subject, kind.word()]).await?.is_some())
}

/// Events after a sequence that fit a filter, ascending.
///
/// # Errors
/// Those of the database.
pub async fn after(
    conn: &mut Conn,
    organization: OrganizationId,
    sequence: i64,
    filter: &EventFilter,
    limit: i64,
) -> Result<Vec<Event>, StoreError> {
    let mut values = params![organization, sequence, limit].to_vec();
    let conditions = conditions(filter, &mut values);
    let sql = format!("select {COLUMNS} from events where organization_id = $1 and sequence > $2{conditions} order by sequence limit $3");
    conn.fetch_all(&sql, &values).await?.iter().map(event).collect()
}

/// Events before a sequence that fit a filter, newest first: the order of the activity page.
///
/// # Errors
/// Those of the database.
pub async fn before(
    conn: &mut Conn,
    organization: OrganizationId,
    sequence: i64,
    filter: &EventFilter,
    limit: i64,
) -> Result<Vec<Event>, StoreError> {
    let mut values = params![organization, sequence, limit].to_vec();
    let conditions = conditions(filter, &mut values);
    let sql =
        format!("select {COLUMNS} from events where organization_id = $1 and sequence < $2{conditions} order by sequence desc limit $3");
    conn.fetch_all(&sql, &values).await?.iter().map(event).collect()
}
