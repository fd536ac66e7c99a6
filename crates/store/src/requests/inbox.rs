//! Whose turn requests are: the inbox of a person over all organizations.

use stoa_domain::{
    ids::{OrganizationId, RequestId, UserId},
    requests::{Request, RequestState},
    time::Ts,
};

use super::{COLUMNS, OPEN, request};
use crate::{Conn, StoreError, Value, Viewer, users::placeholders, values};

/// Whose requests a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose<'a> {
    /// Those that this person may decide at that time or, once closed, those of the organizations in which the person decides.
    Approver(&'a Viewer, Ts),
    /// Those that wait for this person at that time: to be decided or, of the person's own, to be explained.
    Waiting(&'a Viewer, Ts),
    /// Those this person made.
    Requester(&'a Viewer),
    /// Those this person may see.
    Member(&'a Viewer),
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
    let condition = match whose {
        Whose::Approver(viewer, now) => {
            values.push(Value::from(viewer.user));
            decidable_by(viewer, now, &mut values)
        }
        Whose::Waiting(viewer, now) => {
            values.push(Value::from(viewer.user));
            waiting(viewer, now, &mut values)
        }
        Whose::Requester(viewer) => {
            values.push(Value::from(viewer.user));
            requested_by(viewer, &mut values)
        }
        Whose::Member(viewer) => {
            values.push(Value::from(viewer.user));
            seen_by(viewer, &mut values)
        }
        Whose::Organization(organization) => {
            values.push(Value::from(organization));
            "(r.organization_id = $1 or (r.provider_id = $1 and r.step = 'provider'))".to_owned()
        }
    };
    let mut sql = format!("select {COLUMNS} from requests r where {condition}");
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

/// The organization whose turn it is.
const STEP: &str = "case when r.step = 'provider' then r.provider_id else r.organization_id end";

/// What user `$1` decides or decided: a reviewer or maintainer of the organization whose step it is, or whoever stands in
/// for one at that time; not one's own nor the absent one's, unless as its sole maintainer.
fn decidable_by(viewer: &Viewer, now: Ts, values: &mut Vec<Value>) -> String {
    values.push(now.into());
    let now = values.len();
    let only = viewer.only(STEP, values);
    format!(
        "(exists (select 1 from memberships m join organizations o on o.id = m.organization_id
           where m.user_id = $1 and m.role in ('reviewer', 'maintainer') and o.deleted_at is null and m.organization_id = {STEP}
           and (r.requested_by <> $1 or (m.role = 'maintainer' and
             (select count(*) from memberships x where x.organization_id = m.organization_id and x.role = 'maintainer') = 1)))
         or (r.requested_by <> $1 and exists (select 1 from delegations d
           join organizations o on o.id = d.organization_id and o.deleted_at is null
           join memberships m on m.organization_id = d.organization_id and m.user_id = d.delegate_id
           join memberships a on a.organization_id = d.organization_id and a.user_id = d.absent_id
           where d.delegate_id = $1 and d.organization_id = {STEP} and d.ended_at is null and d.starts_at <= ${now} and d.ends_at > ${now}
           and a.role in ('reviewer', 'maintainer') and d.absent_id <> r.requested_by))){only}"
    )
}

/// What user `$1` asked for, in organizations to which the user still belongs.
fn requested_by(viewer: &Viewer, values: &mut Vec<Value>) -> String {
    let only = viewer.only("r.organization_id", values);
    format!(
        "r.requested_by = $1 and exists (select 1 from memberships m where m.organization_id = r.organization_id and m.user_id = $1){only}"
    )
}

/// What waits for user `$1`.
fn waiting(viewer: &Viewer, now: Ts, values: &mut Vec<Value>) -> String {
    let decidable = decidable_by(viewer, now, values);
    let own = requested_by(viewer, values);
    format!("((r.state = 'open' and {decidable}) or (r.state = 'needs_info' and {own}))")
}

/// What user `$1` may see: of the organizations that ask, and of providers whose turn it is or was.
fn seen_by(viewer: &Viewer, values: &mut Vec<Value>) -> String {
    let only = viewer.only("m.organization_id", values);
    format!(
        "exists (select 1 from memberships m join organizations o on o.id = m.organization_id and o.deleted_at is null
         where m.user_id = $1 and (m.organization_id = r.organization_id or (m.organization_id = r.provider_id and r.step = 'provider')){only})"
    )
}

/// Those of several open requests that somebody may decide.
///
/// # Errors
/// Those of the database.
pub async fn decidable(conn: &mut Conn, viewer: &Viewer, ids: &[RequestId], now: Ts) -> Result<Vec<RequestId>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut values: Vec<Value> = std::iter::once(Value::from(viewer.user)).chain(ids.iter().map(Value::from)).collect();
    let decidable = decidable_by(viewer, now, &mut values);
    let sql = format!("select r.id from requests r where r.id in ({}) and r.state in {OPEN} and {decidable}", placeholders(2, ids.len()));
    conn.fetch_all(&sql, &values).await?.iter().map(|row| row.get(0)).collect()
}

/// How many requests somebody's inbox has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Those that wait for the person: to be decided, or to be explained.
    pub waiting: u64,
    /// Those the person could decide and whose requester was asked something.
    pub asked: u64,
    /// Those the person made that still wait for somebody.
    pub mine: u64,
}

/// How many requests somebody's inbox has at a time, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn counts(conn: &mut Conn, viewer: &Viewer, now: Ts) -> Result<Counts, StoreError> {
    let mut values = values![viewer.user];
    let waiting = waiting(viewer, now, &mut values);
    let decidable = decidable_by(viewer, now, &mut values);
    let own = requested_by(viewer, &mut values);
    let sql = format!(
        "select (select count(*) from requests r where r.state in {OPEN} and {waiting}),
           (select count(*) from requests r where r.state = 'needs_info' and {decidable}),
           (select count(*) from requests r where r.state in {OPEN} and {own})"
    );
    let row = conn.fetch_one(&sql, &values).await?;
    Ok(Counts { waiting: row.get(0)?, asked: row.get(1)?, mine: row.get(2)? })
}

/// How many open requests a member made for an organization.
///
/// # Errors
/// Those of the database.
pub async fn count_own_in(conn: &mut Conn, user: UserId, organization: OrganizationId) -> Result<i64, StoreError> {
    let sql = format!("select count(*) from requests r where r.organization_id = $2 and r.requested_by = $1 and r.state in {OPEN}");
    conn.fetch_one(&sql, &values![user, organization]).await?.get(0)
}

/// How many open requests of one organization, as asking one or as provider, a user may decide.
///
/// # Errors
/// Those of the database.
pub async fn count_decidable_in(conn: &mut Conn, user: UserId, organization: OrganizationId, now: Ts) -> Result<i64, StoreError> {
    let mut values = values![user, organization];
    let decidable = decidable_by(&Viewer::from(user), now, &mut values);
    let sql = format!(
        "select count(*) from requests r where r.state in {OPEN}
           and ((r.organization_id = $2 and r.step = 'internal') or (r.provider_id = $2 and r.step = 'provider')) and {decidable}"
    );
    conn.fetch_one(&sql, &values).await?.get(0)
}
