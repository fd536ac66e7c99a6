//! Requests and the decisions on them.

use stoa_domain::{
    ids::{OrganizationId, ProjectId, RequestId, ServiceId, SubscriptionId, UserId},
    requests::{DecisionRecord, Request, RequestKind, RequestState},
    time::Ts,
};

use crate::{Conn, Row, StoreError, Tx, Value, Viewer, params, users::placeholders, values};

const COLUMNS: &str = "r.organization_id, r.id, r.provider_id, r.kind, r.state, r.step, r.service_id, r.subscription_id, r.asked, \
                       r.note, r.requested_by, r.created_at, r.decided_at";

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
        ]);
    }
    let head = "insert into requests (organization_id, id, provider_id, kind, state, step, service_id, subscription_id, asked, note, \
                requested_by, created_at, decided_at)";
    tx.insert_many(head, 13, &rows, "").await?;
    Ok(())
}

/// Writes state, step and time of closing.
///
/// # Errors
/// Those of the database.
pub async fn set_state(tx: &mut Tx, changed: &Request) -> Result<(), StoreError> {
    tx.execute(
        "update requests set state = $3, step = $4, decided_at = $5 where organization_id = $1 and id = $2",
        params![changed.organization, changed.id, changed.state.word(), changed.step.word(), changed.decided_at],
    )
    .await?;
    Ok(())
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

/// Whose requests a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose<'a> {
    /// Those that wait for this person's decision or, once closed, those of the organizations in which the person decides.
    Approver(&'a Viewer),
    /// Those this person made.
    Requester(&'a Viewer),
    /// Those in which this organization asks or, at the provider's step, decides.
    Organization(OrganizationId),
}

/// Requests in which state a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// All.
    Any,
    /// Those that wait.
    Open,
    /// Those that are closed.
    Closed,
    /// Those in one state.
    In(RequestState),
}

/// A page of requests, newest first; `before` is the last one of the page before.
///
/// # Errors
/// Those of the database.
pub async fn list(
    conn: &mut Conn,
    whose: Whose<'_>,
    state: Wanted,
    before: Option<RequestId>,
    limit: i64,
) -> Result<Vec<Request>, StoreError> {
    let mut values = Vec::new();
    let mut sql = format!("select {COLUMNS} from requests r where ");
    match whose {
        Whose::Approver(viewer) => {
            values.push(Value::from(viewer.user));
            sql.push_str(&decidable_by(viewer, &mut values));
        }
        Whose::Requester(viewer) => {
            values.push(Value::from(viewer.user));
            sql.push_str(
                "r.requested_by = $1 and exists (select 1 from memberships m where m.organization_id = r.organization_id and m.user_id = $1)",
            );
            sql.push_str(&viewer.only("r.organization_id", &mut values));
        }
        Whose::Organization(organization) => {
            values.push(Value::from(organization));
            sql.push_str("(r.organization_id = $1 or (r.provider_id = $1 and r.step = 'provider'))");
        }
    }
    match state {
        Wanted::Any => {}
        Wanted::Open => sql.push_str(&format!(" and r.state in {OPEN}")),
        Wanted::Closed => sql.push_str(&format!(" and r.state not in {OPEN}")),
        Wanted::In(state) => {
            values.push(state.word().into());
            sql.push_str(&format!(" and r.state = ${}", values.len()));
        }
    }
    if let Some(before) = before {
        values.push(before.into());
        sql.push_str(&format!(" and r.id < ${}", values.len()));
    }
    values.push(limit.into());
    sql.push_str(&format!(" order by r.id desc limit ${}", values.len()));
    conn.fetch_all(&sql, &values).await?.iter().map(request).collect()
}

/// What user `$1` decides or decided: a reviewer or maintainer of the organization whose step it is; not one's own, unless
/// as its sole maintainer.
const DECIDABLE: &str = "exists (select 1 from memberships m join organizations o on o.id = m.organization_id
   where m.user_id = $1 and m.role in ('reviewer', 'maintainer') and o.deleted_at is null
   and m.organization_id = case when r.step = 'provider' then r.provider_id else r.organization_id end
   and (r.requested_by <> $1 or (m.role = 'maintainer' and
     (select count(*) from memberships x where x.organization_id = m.organization_id and x.role = 'maintainer') = 1)))";

/// [`DECIDABLE`] within the organizations that count for who looks.
fn decidable_by(viewer: &Viewer, values: &mut Vec<Value>) -> String {
    let step = "case when r.step = 'provider' then r.provider_id else r.organization_id end";
    format!("{DECIDABLE}{}", viewer.only(step, values))
}

/// Those of several open requests that somebody may decide.
///
/// # Errors
/// Those of the database.
pub async fn decidable(conn: &mut Conn, viewer: &Viewer, ids: &[RequestId]) -> Result<Vec<RequestId>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut values: Vec<Value> = std::iter::once(Value::from(viewer.user)).chain(ids.iter().map(Value::from)).collect();
    let decidable = decidable_by(viewer, &mut values);
    let sql = format!("select r.id from requests r where r.id in ({}) and r.state in {OPEN} and {decidable}", placeholders(2, ids.len()));
    conn.fetch_all(&sql, &values).await?.iter().map(|row| row.get(0)).collect()
}

/// How many requests wait for somebody's decision.
///
/// # Errors
/// Those of the database.
pub async fn count_waiting(conn: &mut Conn, viewer: &Viewer) -> Result<u64, StoreError> {
    let mut values = values![viewer.user];
    let decidable = decidable_by(viewer, &mut values);
    let sql = format!("select count(*) from requests r where r.state in {OPEN} and {decidable}");
    conn.fetch_one(&sql, &values).await?.get(0)
}

/// How many open requests of one organization, as asking one or as provider, a user may decide.
///
/// # Errors
/// Those of the database.
pub async fn count_decidable_in(conn: &mut Conn, user: UserId, organization: OrganizationId) -> Result<i64, StoreError> {
    let sql = format!(
        "select count(*) from requests r where r.state in {OPEN}
           and ((r.organization_id = $2 and r.step = 'internal') or (r.provider_id = $2 and r.step = 'provider')) and {DECIDABLE}"
    );
    conn.fetch_one(&sql, params![user, organization]).await?.get(0)
}

/// Keeps a decision; its position follows the last one's.
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
    for some in requests.chunks(10_000) {
        // A CASE in the column list keeps the step of each request where the decision is on several.
        let sql = format!(
            "insert into request_decisions (organization_id, request_id, position, step, decision, decided_by, comment, decided_at)
             select r.organization_id, r.id,
               1 + (select count(*) from request_decisions d where d.organization_id = r.organization_id and d.request_id = r.id),
               r.step, $1, $2, $3, $4
             from requests r where r.id in ({})",
            placeholders(5, some.len())
        );
        let mut values = values![decision.decision.word(), decision.decided_by, &decision.comment, decision.decided_at];
        values.extend(some.iter().map(|one| Value::from(one.id)));
        tx.execute(&sql, &values).await?;
    }
    Ok(())
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
        "select d.request_id, d.step, d.decision, d.decided_by, u.name, d.comment, d.decided_at
         from requests r join request_decisions d on d.organization_id = r.organization_id and d.request_id = r.id
         join users u on u.id = d.decided_by
         where r.id in ({}) order by d.request_id, d.position",
        placeholders(1, requests.len())
    );
    let values: Vec<Value> = requests.iter().map(Value::from).collect();
    let rows = conn.fetch_all(&sql, &values).await?;
    rows.iter()
        .map(|row| {
            let record = DecisionRecord {
                step: row.parse(1)?,
                decision: row.parse(2)?,
                decided_by: row.get(3)?,
                decided_by_name: row.get(4)?,
                comment: row.get(5)?,
                decided_at: row.get(6)?,
            };
            Ok((row.get(0)?, record))
        })
        .collect()
}
