//! Decisions on requests, questions about them, and answers, in their order.

use stoa_domain::{
    ids::{OrganizationId, RequestId, UserId},
    requests::{DecisionRecord, Request, Step},
};

use crate::{Conn, Row, StoreError, Tx, Value, params, users::placeholders, values};

/// Keeps a decision; its position follows the last one's, its step is the request's as it is kept.
///
/// # Errors
/// Those of the database.
pub async fn insert_decision(tx: &mut Tx, request: &Request, decision: &DecisionRecord) -> Result<(), StoreError> {
    insert_decisions(tx, std::slice::from_ref(request), decision).await
}

/// Keeps the same decision on several requests.
///
/// # Errors
/// Those of the database.
pub async fn insert_decisions(tx: &mut Tx, requests: &[Request], decision: &DecisionRecord) -> Result<(), StoreError> {
    let changes = serde_json::to_string(&decision.changes).map_err(|bad| StoreError::Corrupt { column: 7, reason: bad.to_string() })?;
    for some in requests.chunks(10_000) {
        // A CASE in the column list keeps the step of each request where the decision is on several.
        let sql = format!(
            "insert into request_decisions
               (organization_id, request_id, position, step, decision, decided_by, comment, decided_at, on_behalf_of, changes)
             select r.organization_id, r.id,
               1 + (select count(*) from request_decisions d where d.organization_id = r.organization_id and d.request_id = r.id),
               r.step, $1, $2, $3, $4, $5, $6
             from requests r where r.id in ({})",
            placeholders(7, some.len())
        );
        let absent: Option<UserId> = decision.on_behalf_of.as_ref().map(|(id, _)| *id);
        let mut values =
            values![decision.decision.word(), decision.decided_by, &decision.comment, decision.decided_at, absent, changes.as_str()];
        values.extend(some.iter().map(|one| Value::from(one.id)));
        tx.execute(&sql, &values).await?;
    }
    Ok(())
}

/// Makes the approvals of a step count no more.
///
/// # Errors
/// Those of the database.
pub async fn void_approvals(tx: &mut Tx, organization: OrganizationId, request: RequestId, step: Step) -> Result<(), StoreError> {
    tx.execute(
        "update request_decisions set void = 1 where organization_id = $1 and request_id = $2 and step = $3 and decision = 'approved'",
        params![organization, request, step.word()],
    )
    .await?;
    Ok(())
}

fn record(row: &Row) -> Result<DecisionRecord, StoreError> {
    let absent: Option<UserId> = row.get(7)?;
    let name: Option<String> = row.get(8)?;
    Ok(DecisionRecord {
        step: row.parse(1)?,
        decision: row.parse(2)?,
        decided_by: row.get(3)?,
        decided_by_name: row.get(4)?,
        comment: row.get(5)?,
        decided_at: row.get(6)?,
        on_behalf_of: absent.map(|id| (id, name.unwrap_or_default())),
        changes: row.json(9)?,
        void: row.get(10)?,
    })
}

/// The decisions on several requests of any organizations, in their order.
///
/// # Errors
/// Those of the database.
pub async fn decisions(conn: &mut Conn, requests: &[RequestId]) -> Result<Vec<(RequestId, DecisionRecord)>, StoreError> {
    if requests.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "select d.request_id, d.step, d.decision, d.decided_by, u.name, d.comment, d.decided_at, d.on_behalf_of, a.name, d.changes, d.void
         from requests r join request_decisions d on d.organization_id = r.organization_id and d.request_id = r.id
         join users u on u.id = d.decided_by left join users a on a.id = d.on_behalf_of
         where r.id in ({}) order by d.request_id, d.position",
        placeholders(1, requests.len())
    );
    let values: Vec<Value> = requests.iter().map(Value::from).collect();
    let rows = conn.fetch_all(&sql, &values).await?;
    rows.iter().map(|row| Ok((row.get(0)?, record(row)?))).collect()
}
