//! Hand-overs: services offered to other organizations, and what moves when one accepts.

mod carrying;

use std::collections::BTreeMap;

use stoa_domain::{
    handovers::{Direction, Handover, HandoverState},
    ids::{ApplicationId, HandoverId, OrganizationId, ServiceId, UserId},
    services::ServiceState,
    time::Ts,
};

pub use carrying::{MOVED, Moved, STAYING, carry, give_time};

use crate::{Conn, Row, StoreError, Tx, Value, params, values};

const COLUMNS: &str = "h.id, h.organization_id, h.receiver_id, h.service_id, h.state, h.note, h.offered_by, h.offered_at, h.expires_at, \
                       h.decided_by, h.decided_at";

fn handover(row: &Row) -> Result<Handover, StoreError> {
    Ok(Handover {
        id: row.get(0)?,
        from: row.get(1)?,
        to: row.get(2)?,
        service: row.get(3)?,
        state: row.parse(4)?,
        note: row.get(5)?,
        offered_by: row.get(6)?,
        offered_at: row.get(7)?,
        expires_at: row.get(8)?,
        decided_by: row.get(9)?,
        decided_at: row.get(10)?,
    })
}

/// Adds a hand-over.
///
/// # Errors
/// [`StoreError::Duplicate`] when the service has an open one already.
pub async fn insert(tx: &mut Tx, new: &Handover) -> Result<(), StoreError> {
    tx.execute(
        "insert into handovers (organization_id, id, receiver_id, service_id, state, note, offered_by, offered_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        params![new.from, new.id, new.to, new.service, new.state.word(), &new.note, new.offered_by, new.offered_at, new.expires_at],
    )
    .await?;
    Ok(())
}

/// Writes what became of a hand-over.
///
/// # Errors
/// Those of the database.
pub async fn update(tx: &mut Tx, decided: &Handover) -> Result<(), StoreError> {
    tx.execute(
        "update handovers set state = $3, decided_by = $4, decided_at = $5 where organization_id = $1 and id = $2",
        params![decided.from, decided.id, decided.state.word(), decided.decided_by, decided.decided_at],
    )
    .await?;
    Ok(())
}

/// Closes all open hand-overs of an organization that is being deleted: what it offers is taken back, what it is offered
/// declined, unless their time is over; see [`Handover::when_deleted`].
///
/// # Errors
/// Those of the database.
pub async fn close_of(tx: &mut Tx, organization: OrganizationId, by: Option<UserId>, now: Ts) -> Result<(), StoreError> {
    tx.execute(
        "update handovers set decided_at = $2, decided_by = case when expires_at <= $2 then decided_by else $3 end,
           state = case when expires_at <= $2 then 'expired' when organization_id = $1 then 'withdrawn' else 'declined' end
         where state = 'open' and (organization_id = $1 or receiver_id = $1)",
        params![organization, now, by],
    )
    .await?;
    Ok(())
}

/// A hand-over, whoever asks.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, id: HandoverId) -> Result<Option<Handover>, StoreError> {
    let sql = format!("select {COLUMNS} from handovers h where h.id = $1");
    conn.fetch_optional(&sql, params![id]).await?.as_ref().map(handover).transpose()
}

/// The open hand-over of a service.
///
/// # Errors
/// Those of the database.
pub async fn find_open(conn: &mut Conn, service: ServiceId) -> Result<Option<Handover>, StoreError> {
    let sql = format!("select {COLUMNS} from handovers h where h.service_id = $1 and h.state = 'open'");
    conn.fetch_optional(&sql, params![service]).await?.as_ref().map(handover).transpose()
}

/// All open hand-overs in which an organization offers or is offered something.
///
/// # Errors
/// Those of the database.
pub async fn list_open_of(conn: &mut Conn, organization: OrganizationId) -> Result<Vec<Handover>, StoreError> {
    let sql = format!(
        "select {COLUMNS} from handovers h where (h.organization_id = $1 or h.receiver_id = $1) and h.state = 'open' order by h.id"
    );
    conn.fetch_all(&sql, params![organization]).await?.iter().map(handover).collect()
}

/// Open hand-overs whose time is over, the longest over first.
///
/// # Errors
/// Those of the database.
pub async fn overdue(conn: &mut Conn, now: Ts, limit: i64) -> Result<Vec<Handover>, StoreError> {
    let sql = format!("select {COLUMNS} from handovers h where h.state = 'open' and h.expires_at <= $1 order by h.expires_at limit $2");
    conn.fetch_all(&sql, params![now, limit]).await?.iter().map(handover).collect()
}

/// Which hand-overs a list shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Those on this side only.
    pub direction: Option<Direction>,
    /// Those of this service only.
    pub service: Option<ServiceId>,
    /// Those in this state only.
    pub state: Option<HandoverState>,
    /// Older than this one, the last of the page before.
    pub before: Option<HandoverId>,
}

/// A page of the hand-overs that concern an organization, newest first.
///
/// # Errors
/// Those of the database.
pub async fn list(conn: &mut Conn, organization: OrganizationId, wanted: Wanted, limit: i64) -> Result<Vec<Handover>, StoreError> {
    let side = match wanted.direction {
        None => "(h.organization_id = $1 or h.receiver_id = $1)",
        Some(Direction::Incoming) => "h.receiver_id = $1",
        Some(Direction::Outgoing) => "h.organization_id = $1",
    };
    let mut sql = format!("select {COLUMNS} from handovers h where {side}");
    let mut values = values![organization];
    let mut and = |condition: &str, value: Option<Value>| {
        if let Some(value) = value {
            values.push(value);
            sql.push_str(&format!(" and {condition} ${}", values.len()));
        }
    };
    and("h.service_id =", wanted.service.map(Value::from));
    and("h.state =", wanted.state.map(|state| Value::from(state.word())));
    and("h.id <", wanted.before.map(Value::from));
    values.push(limit.into());
    sql.push_str(&format!(" order by h.id desc limit ${}", values.len()));
    conn.fetch_all(&sql, &values).await?.iter().map(handover).collect()
}

/// The open hand-overs to organizations of which somebody is a maintainer, the soonest over first.
///
/// # Errors
/// Those of the database.
pub async fn waiting_for(conn: &mut Conn, user: UserId, now: Ts, limit: i64) -> Result<Vec<Handover>, StoreError> {
    let sql = format!(
        "select {COLUMNS} from memberships m
         join organizations o on o.id = m.organization_id and o.deleted_at is null and o.suspended_at is null
         join handovers h on h.receiver_id = m.organization_id and h.state = 'open' and h.expires_at > $2
         where m.user_id = $1 and m.role = 'maintainer' order by h.expires_at, h.id limit $3"
    );
    conn.fetch_all(&sql, params![user, now, limit]).await?.iter().map(handover).collect()
}

/// What goes along with a service, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Organizations with a subscription in force.
    pub subscribers: u64,
    /// Subscriptions in force, paused ones included.
    pub subscriptions: u64,
    /// Open requests that its provider decides, or will.
    pub requests: u64,
    /// Versions of its contract.
    pub contracts: u64,
    /// Organizations that it is listed for while it is private.
    pub audience: u64,
}

/// A service as far as those read of it to whom it is offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// Its id.
    pub id: ServiceId,
    /// Its handle.
    pub handle: String,
    /// Its name.
    pub name: String,
    /// What it does, in one line.
    pub summary: String,
    /// Where it is in its life.
    pub state: ServiceState,
    /// The application it signs in with, and that one's name.
    pub application: Option<(ApplicationId, String)>,
    /// What goes along with it.
    pub load: Load,
}

/// Several services with what goes along with each, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn offered(conn: &mut Conn, services: &[ServiceId]) -> Result<BTreeMap<ServiceId, Offered>, StoreError> {
    let given: Vec<Vec<Value>> = services.iter().map(|service| values![*service]).collect();
    let rows = conn
        .fetch_given(
            "with given (id) as ({rows})
             select v.id, v.handle, v.name, v.summary, v.state, a.id, a.name,
               (select count(distinct s.organization_id) from subscriptions s where s.provider_id = v.organization_id
                 and s.service_id = v.id and s.state in ('provisioning', 'active', 'suspended', 'ending')),
               (select count(*) from subscriptions s where s.provider_id = v.organization_id
                 and s.service_id = v.id and s.state in ('provisioning', 'active', 'suspended', 'ending')),
               (select count(*) from requests r where r.provider_id = v.organization_id and r.service_id = v.id
                 and r.state in ('open', 'needs_info')),
               (select count(*) from contracts c where c.organization_id = v.organization_id and c.service_id = v.id),
               (select count(*) from service_audience u where u.organization_id = v.organization_id and u.service_id = v.id)
             from given cross join services v left join applications a on a.id = v.application_id and a.deleted_at is null
             where v.id = given.id",
            &given,
        )
        .await?;
    rows.iter().map(|row| Ok((row.get(0)?, read_offered(row)?))).collect()
}

fn read_offered(row: &Row) -> Result<Offered, StoreError> {
    let (application, name): (Option<ApplicationId>, Option<String>) = (row.get(5)?, row.get(6)?);
    Ok(Offered {
        id: row.get(0)?,
        handle: row.get(1)?,
        name: row.get(2)?,
        summary: row.get(3)?,
        state: row.parse(4)?,
        application: application.zip(name),
        load: Load {
            subscribers: row.get(7)?,
            subscriptions: row.get(8)?,
            requests: row.get(9)?,
            contracts: row.get(10)?,
            audience: row.get(11)?,
        },
    })
}
