//! Requests and the decisions on them.

mod decisions;
mod inbox;

use stoa_domain::{
    ids::{OrganizationId, ProjectId, RequestId, ServiceId, SubscriptionId},
    requests::{Request, RequestKind},
    time::Ts,
};

pub use decisions::{decisions, insert_decision, insert_decisions, void_approvals};
pub use inbox::{Counts, Wanted, Whose, count_decidable_in, count_own_in, counts, decidable, list};

use crate::{Conn, Row, StoreError, Tx, Value, params, users::placeholders, values};

const COLUMNS: &str = "r.organization_id, r.id, r.provider_id, r.kind, r.state, r.step, r.service_id, r.subscription_id, r.asked, \
                       r.note, r.requested_by, r.created_at, r.decided_at, r.rule, r.expires_at, r.due_at";

/// The states in which a request waits, as they stand in SQL.
const OPEN: &str = "('open', 'needs_info')";

fn request(row: &Row) -> Result<Request, StoreError> {
    Ok(Request {
        organization: row.get(0)?,
        id: row.get(1)?,
        provider: row.get(2)?,
        kind: row.parse(3)?,
        state: row.parse(4)?,
        step: row.parse(5)?,
        service: row.get(6)?,
        subscription: row.get(7)?,
        asked: row.json(8)?,
        note: row.get(9)?,
        requested_by: row.get(10)?,
        created_at: row.get(11)?,
        decided_at: row.get(12)?,
        rule: row.get(13)?,
        expires_at: row.get(14)?,
        due_at: row.get(15)?,
    })
}

fn asked_text(request: &Request) -> Result<String, StoreError> {
    serde_json::to_string(&request.asked).map_err(|bad| StoreError::Corrupt { column: 8, reason: bad.to_string() })
}

/// Adds requests.
///
/// # Errors
/// Those of the database.
pub async fn insert_many(tx: &mut Tx, requests: &[Request]) -> Result<(), StoreError> {
    let mut rows = Vec::with_capacity(requests.len());
    for one in requests {
        rows.push(values![
            one.organization,
            one.id,
            one.provider,
            one.kind.word(),
            one.state.word(),
            one.step.word(),
            one.service,
            one.subscription,
            asked_text(one)?,
            &one.note,
            one.requested_by,
            one.created_at,
            one.decided_at,
            &one.rule,
            one.expires_at,
            one.due_at,
        ]);
    }
    let head = "insert into requests (organization_id, id, provider_id, kind, state, step, service_id, subscription_id, asked, note, \
                requested_by, created_at, decided_at, rule, expires_at, due_at)";
    tx.insert_many(head, 16, &rows, "").await?;
    Ok(())
}

/// Writes what may change of a request: state, step and times, and what is asked for.
///
/// # Errors
/// Those of the database.
pub async fn update(tx: &mut Tx, changed: &Request) -> Result<(), StoreError> {
    tx.execute(
        "update requests set state = $3, step = $4, decided_at = $5, asked = $6, note = $7, rule = $8, expires_at = $9, due_at = $10
         where organization_id = $1 and id = $2",
        params![
            changed.organization,
            changed.id,
            changed.state.word(),
            changed.step.word(),
            changed.decided_at,
            asked_text(changed)?,
            &changed.note,
            &changed.rule,
            changed.expires_at,
            changed.due_at,
        ],
    )
    .await?;
    Ok(())
}

/// Requests that wait and of which something is due, such as a reminder or the end; the longest due first.
///
/// # Errors
/// Those of the database.
pub async fn due(conn: &mut Conn, now: Ts, limit: i64) -> Result<Vec<Request>, StoreError> {
    let sql = format!("select {COLUMNS} from requests r where r.state in {OPEN} and r.due_at <= $1 order by r.due_at, r.id limit $2");
    conn.fetch_all(&sql, params![now, limit]).await?.iter().map(request).collect()
}

/// Several requests, whoever asked, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn find_many(conn: &mut Conn, ids: &[RequestId]) -> Result<Vec<Request>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!("select {COLUMNS} from requests r where r.id in ({}) order by r.id", placeholders(1, ids.len()));
    let values: Vec<Value> = ids.iter().map(Value::from).collect();
    conn.fetch_all(&sql, &values).await?.iter().map(request).collect()
}

/// Withdraws several open requests of one organization's or several organizations' at once.
///
/// # Errors
/// Those of the database.
pub async fn withdraw_many(tx: &mut Tx, requests: &[Request], now: Ts) -> Result<(), StoreError> {
    for some in requests.chunks(10_000) {
        let sql = format!("update requests set state = 'withdrawn', decided_at = $1 where id in ({})", placeholders(2, some.len()));
        let values: Vec<Value> = std::iter::once(Value::from(now)).chain(some.iter().map(|one| Value::from(one.id))).collect();
        tx.execute(&sql, &values).await?;
    }
    Ok(())
}

/// One request, whoever asked.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, id: RequestId) -> Result<Option<Request>, StoreError> {
    let sql = format!("select {COLUMNS} from requests r where r.id = $1");
    conn.fetch_optional(&sql, params![id]).await?.as_ref().map(request).transpose()
}

/// An open request of that kind for the same service and subscription, so that nobody asks twice.
///
/// # Errors
/// Those of the database.
pub async fn find_open(
    conn: &mut Conn,
    organization: OrganizationId,
    kind: RequestKind,
    service: ServiceId,
    subscription: Option<SubscriptionId>,
) -> Result<Option<Request>, StoreError> {
    let mut sql = format!(
        "select {COLUMNS} from requests r where r.organization_id = $1 and r.state in {OPEN} and r.kind = $2 and r.service_id = $3"
    );
    let mut values = values![organization, kind.word(), service];
    if let Some(subscription) = subscription {
        values.push(subscription.into());
        sql.push_str(" and r.subscription_id = $4");
    }
    sql.push_str(" order by r.id limit 1");
    conn.fetch_optional(&sql, &values).await?.as_ref().map(request).transpose()
}

/// The open requests of several subscriptions of an organization.
///
/// # Errors
/// Those of the database.
pub async fn list_open_of(
    conn: &mut Conn,
    organization: OrganizationId,
    subscriptions: &[SubscriptionId],
) -> Result<Vec<Request>, StoreError> {
    let mut found = Vec::new();
    for some in subscriptions.chunks(10_000) {
        let sql = format!(
            "select {COLUMNS} from requests r where r.organization_id = $1 and r.state in {OPEN} and r.subscription_id in ({}) order by r.id",
            placeholders(2, some.len())
        );
        let values: Vec<Value> = std::iter::once(Value::from(organization)).chain(some.iter().map(Value::from)).collect();
        for row in conn.fetch_all(&sql, &values).await? {
            found.push(request(&row)?);
        }
    }
    Ok(found)
}

/// The open requests of an organization that ask for more projects and name one project.
///
/// # Errors
/// Those of the database.
pub async fn list_open_adding(conn: &mut Conn, organization: OrganizationId, project: ProjectId) -> Result<Vec<Request>, StoreError> {
    let sql = format!(
        "select {COLUMNS} from requests r where r.organization_id = $1 and r.state in {OPEN} and r.kind = 'add_projects'
         and r.asked like $2 order by r.id"
    );
    conn.fetch_all(&sql, params![organization, format!("%{project}%")]).await?.iter().map(request).collect()
}

/// All open requests in which an organization asks, decides or whose service it provides.
///
/// # Errors
/// Those of the database.
pub async fn list_open_concerning(conn: &mut Conn, organization: OrganizationId) -> Result<Vec<Request>, StoreError> {
    let sql = format!(
        "select {COLUMNS} from requests r where r.state in {OPEN} and (r.organization_id = $1 or r.provider_id = $1
           or (r.organization_id, r.subscription_id) in (select s.organization_id, s.id from subscriptions s where s.provider_id = $1))
         order by r.id"
    );
    conn.fetch_all(&sql, params![organization]).await?.iter().map(request).collect()
}

/// The open requests that the end of a service would close: those for a subscription of it that is not in force yet, and
/// those for its publication.
///
/// # Errors
/// Those of the database.
pub async fn list_open_about(conn: &mut Conn, provider: OrganizationId, service: ServiceId) -> Result<Vec<Request>, StoreError> {
    let sql = format!(
        "select {COLUMNS} from requests r where r.state in {OPEN} and ((r.organization_id = $1 and r.service_id = $2 and r.kind = 'publish')
           or (r.organization_id, r.subscription_id) in
             (select s.organization_id, s.id from subscriptions s where s.provider_id = $1 and s.service_id = $2 and s.state = 'requested'))
         order by r.id"
    );
    conn.fetch_all(&sql, params![provider, service]).await?.iter().map(request).collect()
}

/// All requests of a subscription, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn of_subscriptions(
    conn: &mut Conn,
    organization: OrganizationId,
    subscriptions: &[SubscriptionId],
) -> Result<Vec<Request>, StoreError> {
    if subscriptions.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "select {COLUMNS} from requests r where r.organization_id = $1 and r.subscription_id in ({}) order by r.id",
        placeholders(2, subscriptions.len())
    );
    let values: Vec<Value> = std::iter::once(Value::from(organization)).chain(subscriptions.iter().map(Value::from)).collect();
    conn.fetch_all(&sql, &values).await?.iter().map(request).collect()
}
