//! Organizations.

use stoa_domain::{
    events::{CHAIN_START, ChainHash},
    ids::OrganizationId,
    organizations::{Key, Organization},
    permissions::Role,
    time::Ts,
};

use crate::{Conn, Row, StoreError, Tx, Value, Viewer, params, users::placeholders, values};

/// An organization and the role of the user for whom it was looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// The organization.
    pub organization: Organization,
    /// The user's role in it.
    pub role: Role,
}

const COLUMNS: &str = "o.id, o.handle, o.name, o.description, o.billing_email, o.created_at, o.updated_at";

fn organization(row: &Row) -> Result<Organization, StoreError> {
    Ok(Organization {
        id: row.get(0)?,
        handle: row.get(1)?,
        name: row.get(2)?,
        description: row.get(3)?,
        billing_email: row.get(4)?,
        created_at: row.get(5)?,
        updated_at: row.get(6)?,
    })
}

fn seat(row: &Row) -> Result<Seat, StoreError> {
    Ok(Seat { organization: organization(row)?, role: row.parse(7)? })
}

/// Adds an organization with an empty log.
///
/// # Errors
/// [`StoreError::Duplicate`] of `handle` when the handle is taken.
pub async fn insert(tx: &mut Tx, organization: &Organization) -> Result<(), StoreError> {
    tx.execute(
        "insert into organizations (id, handle, name, description, billing_email, created_at, updated_at, sequence, head_hash, last_event_at)
         values ($1, $2, $3, $4, $5, $6, $7, 0, $8, $6)",
        params![
            organization.id,
            &organization.handle,
            &organization.name,
            &organization.description,
            organization.billing_email.clone(),
            organization.created_at,
            organization.updated_at,
            CHAIN_START,
        ],
    )
    .await?;
    Ok(())
}

/// Whether a handle is taken; a deleted organization keeps its handle.
///
/// # Errors
/// Those of the database.
pub async fn handle_taken(conn: &mut Conn, handle: &str) -> Result<bool, StoreError> {
    Ok(conn.fetch_optional("select id from organizations where handle = $1", params![handle]).await?.is_some())
}

/// Writes changed details.
///
/// # Errors
/// Those of the database.
pub async fn update(tx: &mut Tx, organization: &Organization, now: Ts) -> Result<(), StoreError> {
    tx.execute(
        "update organizations set name = $2, description = $3, billing_email = $4, updated_at = $5 where id = $1",
        params![organization.id, &organization.name, &organization.description, organization.billing_email.clone(), now],
    )
    .await?;
    Ok(())
}

/// Marks an organization as deleted: from now on nobody finds it.
///
/// # Errors
/// Those of the database.
pub async fn delete(tx: &mut Tx, id: OrganizationId, now: Ts) -> Result<(), StoreError> {
    tx.execute("update organizations set deleted_at = $2 where id = $1", params![id, now]).await?;
    Ok(())
}

/// The organization somebody sees under a handle or id, with the role there; `None` when there is none or who looks is
/// not a member.
///
/// # Errors
/// Those of the database.
pub async fn find_for(conn: &mut Conn, key: &Key<OrganizationId>, viewer: &Viewer) -> Result<Option<Seat>, StoreError> {
    let (filter, value) = match key {
        Key::Id(id) => ("o.id = $1", Value::from(*id)),
        Key::Handle(handle) => ("o.handle = $1", Value::from(handle)),
    };
    let sql = format!(
        "select {COLUMNS}, m.role from organizations o
         join memberships m on m.organization_id = o.id and m.user_id = $2
         where {filter} and o.deleted_at is null"
    );
    let found = conn.fetch_optional(&sql, &[value, Value::from(viewer.user)]).await?.as_ref().map(seat).transpose()?;
    Ok(found.filter(|seat| viewer.sees(seat.organization.id)))
}

/// An organization by id, whoever asks; `None` when there is none or it was deleted.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, id: OrganizationId) -> Result<Option<Organization>, StoreError> {
    let sql = format!("select {COLUMNS} from organizations o where o.id = $1 and o.deleted_at is null");
    conn.fetch_optional(&sql, params![id]).await?.as_ref().map(organization).transpose()
}

/// An organization by handle or id, whoever asks; `None` when there is none or it was deleted.
///
/// # Errors
/// Those of the database.
pub async fn find_by(conn: &mut Conn, key: &Key<OrganizationId>) -> Result<Option<Organization>, StoreError> {
    let (filter, value) = match key {
        Key::Id(id) => ("o.id = $1", Value::from(*id)),
        Key::Handle(handle) => ("o.handle = $1", Value::from(handle)),
    };
    let sql = format!("select {COLUMNS} from organizations o where {filter} and o.deleted_at is null");
    conn.fetch_optional(&sql, &[value]).await?.as_ref().map(organization).transpose()
}

/// A page of the organizations somebody belongs to, in the order of their names; `after` is name and id of the last one
/// of the page before.
///
/// # Errors
/// Those of the database.
pub async fn list_for(
    conn: &mut Conn,
    viewer: &Viewer,
    after: Option<(&str, OrganizationId)>,
    limit: i64,
) -> Result<Vec<Seat>, StoreError> {
    let mut values = values![viewer.user, limit];
    let position = match after {
        Some((name, id)) => {
            values.extend(values![name, id]);
            " and (o.name, o.id) > ($3, $4)"
        }
        None => "",
    };
    let within = viewer.only("o.id", &mut values);
    let sql = format!(
        "select {COLUMNS}, m.role from memberships m join organizations o on o.id = m.organization_id
         where m.user_id = $1 and o.deleted_at is null{position}{within} order by o.name, o.id limit $2"
    );
    conn.fetch_all(&sql, &values).await?.iter().map(seat).collect()
}

/// Locks organizations for the rest of the transaction, in the order of their ids so that two transactions never wait
/// for each other, and answers which of them exist and are not deleted. Whoever changes something that a rule over
/// several rows protects (the last maintainer, a choice of projects) locks first.
///
/// # Errors
/// Those of the database.
pub async fn lock(tx: &mut Tx, ids: &[OrganizationId]) -> Result<Vec<OrganizationId>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut sorted = ids.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let sql = format!("select id, deleted_at from organizations where id in ({}) order by id", placeholders(1, sorted.len()));
    let values: Vec<Value> = sorted.into_iter().map(Value::from).collect();
    let rows = tx.lock(&sql, &values).await?;
    let mut live = Vec::with_capacity(rows.len());
    for row in &rows {
        if row.get::<Option<Ts>>(1)?.is_none() {
            live.push(row.get(0)?);
        }
    }
    Ok(live)
}

/// An organization's name and handle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its id.
    pub id: OrganizationId,
    /// Its handle.
    pub handle: String,
    /// Its name.
    pub name: String,
}

/// The names of several organizations, deleted ones included, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn names(conn: &mut Conn, ids: &[OrganizationId]) -> Result<Vec<Named>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!("select id, handle, name from organizations where id in ({})", placeholders(1, ids.len()));
    let values: Vec<Value> = ids.iter().copied().map(Value::from).collect();
    let rows = conn.fetch_all(&sql, &values).await?;
    rows.iter().map(|row| Ok(Named { id: row.get(0)?, handle: row.get(1)?, name: row.get(2)? })).collect()
}

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

/// The head of an organization's log, locked for the rest of the transaction.
///
/// # Errors
/// Those of the database; [`StoreError::MissingReference`] when there is no such organization.
pub async fn lock_head(tx: &mut Tx, id: OrganizationId) -> Result<Head, StoreError> {
    let rows = tx.lock("select id, sequence, head_hash from organizations where id = $1", params![id]).await?;
    rows.first().map(head).transpose()?.ok_or(StoreError::MissingReference)
}

/// Moves the head of a log on.
///
/// # Errors
/// Those of the database.
pub async fn set_head(tx: &mut Tx, head: &Head, now: Ts) -> Result<(), StoreError> {
    tx.execute(
        "update organizations set sequence = $2, head_hash = $3, last_event_at = $4 where id = $1",
        params![head.organization, head.sequence, head.hash, now],
    )
    .await?;
    Ok(())
}

/// The heads of all logs that moved at or after an instant, deleted organizations included.
///
/// # Errors
/// Those of the database.
pub async fn heads_since(conn: &mut Conn, since: Ts) -> Result<Vec<Head>, StoreError> {
    let rows =
        conn.fetch_all("select id, sequence, head_hash from organizations where last_event_at >= $1 order by id", params![since]).await?;
    rows.iter().map(head).collect()
}

/// How many there are of what an organization's tabs count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Members.
    pub members: i64,
    /// Projects that are not deleted.
    pub projects: i64,
    /// Applications that are not deleted.
    pub applications: i64,
    /// Services provided.
    pub services: i64,
    /// Subscriptions that are not over.
    pub subscriptions: i64,
    /// Open requests, as asking organization or as provider.
    pub requests: i64,
}

/// Counts what an organization's tabs show, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn counts(conn: &mut Conn, id: OrganizationId) -> Result<Counts, StoreError> {
    let row = conn
        .fetch_one(
            "select
               (select count(*) from memberships where organization_id = $1),
               (select count(*) from projects where organization_id = $1 and deleted_at is null),
               (select count(*) from applications where organization_id = $1 and deleted_at is null),
               (select count(*) from services where organization_id = $1),
               (select count(*) from subscriptions where organization_id = $1
                 and state in ('requested', 'provisioning', 'active', 'suspended', 'ending')),
               (select count(*) from requests where state in ('open', 'needs_info')
                 and ((organization_id = $1 and step = 'internal') or (provider_id = $1 and step = 'provider')))",
            params![id],
        )
        .await?;
    Ok(Counts {
        members: row.get(0)?,
        projects: row.get(1)?,
        applications: row.get(2)?,
        services: row.get(3)?,
        subscriptions: row.get(4)?,
        requests: row.get(5)?,
    })
}

/// How much is in an organization, for lists of organizations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Members.
    pub members: i64,
    /// Projects that are not deleted.
    pub projects: i64,
    /// Subscriptions that are not over.
    pub subscriptions: i64,
}

/// Counts members, projects and subscriptions of several organizations, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn sizes(conn: &mut Conn, ids: &[OrganizationId]) -> Result<Vec<(OrganizationId, Sizes)>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "select o.id,
           (select count(*) from memberships m where m.organization_id = o.id),
           (select count(*) from projects p where p.organization_id = o.id and p.deleted_at is null),
           (select count(*) from subscriptions s where s.organization_id = o.id
             and s.state in ('requested', 'provisioning', 'active', 'suspended', 'ending'))
         from organizations o where o.id in ({})",
        placeholders(1, ids.len())
    );
    let values: Vec<Value> = ids.iter().copied().map(Value::from).collect();
    let rows = conn.fetch_all(&sql, &values).await?;
    rows.iter().map(|row| Ok((row.get(0)?, Sizes { members: row.get(1)?, projects: row.get(2)?, subscriptions: row.get(3)? }))).collect()
}
