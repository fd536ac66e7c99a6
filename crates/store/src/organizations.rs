//! Organizations.

mod erasure;
mod operating;

use stoa_domain::{
    access::Standing,
    ids::OrganizationId,
    marketplace::folded,
    organizations::{Details, Key, Organization, Suspension},
    permissions::Role,
    time::Ts,
};

pub use erasure::{ERASED, LEDGER, claim_erasure, erase_some, finish_erasure, renew_erasure};
pub use operating::{Kept, Wanted, find_kept, list_kept, restore, set_suspension};

use crate::{Conn, Row, StoreError, Tx, Value, Viewer, logs, params, users::placeholders, value::contains, values};

/// An organization and the role of the user for whom it was looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// The organization.
    pub organization: Organization,
    /// The user's role in it.
    pub role: Role,
}

impl Seat {
    /// As what the user stands in it.
    pub fn standing(&self) -> Standing {
        Standing { role: self.role, suspended: self.organization.suspension.is_some() }
    }
}

const COLUMNS: &str = "o.id, o.handle, o.name, o.description, o.billing_email, o.legal_name, o.address, o.country, o.tax_id, \
                       o.contact_email, o.contact_phone, o.website, o.created_at, o.updated_at, o.suspended_at, o.suspended_reason";

/// How many columns [`COLUMNS`] has.
const WIDTH: usize = 16;

fn organization(row: &Row) -> Result<Organization, StoreError> {
    let details = Details {
        billing_email: row.get(4)?,
        legal_name: row.get(5)?,
        address: row.get(6)?,
        country: row.parse_optional(7)?,
        tax_id: row.get(8)?,
        contact_email: row.get(9)?,
        contact_phone: row.get(10)?,
        website: row.get(11)?,
    };
    let since: Option<Ts> = row.get(14)?;
    let reason: Option<String> = row.get(15)?;
    Ok(Organization {
        id: row.get(0)?,
        handle: row.get(1)?,
        name: row.get(2)?,
        description: row.get(3)?,
        details,
        created_at: row.get(12)?,
        updated_at: row.get(13)?,
        suspension: since.map(|since| Suspension { since, reason: reason.unwrap_or_default() }),
    })
}

fn seat(row: &Row) -> Result<Seat, StoreError> {
    Ok(Seat { organization: organization(row)?, role: row.parse(WIDTH)? })
}

/// What is written of an organization: `$1` to `$13`.
fn written(organization: &Organization) -> Vec<Value> {
    let details = &organization.details;
    values![
        organization.id,
        &organization.handle,
        &organization.name,
        folded(&[&organization.name]),
        &organization.description,
        details.billing_email.clone(),
        details.legal_name.clone(),
        details.address.clone(),
        details.country.map(|country| country.code()),
        details.tax_id.clone(),
        details.contact_email.clone(),
        details.contact_phone.clone(),
        details.website.clone(),
    ]
}

/// Adds an organization with an empty log.
///
/// # Errors
/// [`StoreError::Duplicate`] of `handle` when the handle is taken.
pub async fn insert(tx: &mut Tx, organization: &Organization) -> Result<(), StoreError> {
    let mut values = written(organization);
    values.extend(values![organization.created_at, organization.updated_at]);
    tx.execute(
        "insert into organizations (id, handle, name, name_key, description, billing_email, legal_name, address, country, tax_id,
           contact_email, contact_phone, website, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        &values,
    )
    .await?;
    logs::begin(tx, organization.id, organization.created_at).await
}

/// Whether an organization other than `own` has a handle, or had it within a year; a deleted organization keeps its
/// handle until it is erased. One statement, so that a handle on its way from present to past is seen on either side.
///
/// # Errors
/// Those of the database.
pub async fn handle_taken(conn: &mut Conn, handle: &str, own: Option<OrganizationId>, now: Ts) -> Result<bool, StoreError> {
    let rows = conn
        .fetch_all(
            "select id from organizations where handle = $1
             union all select organization_id from organization_handles where handle = $1 and until > $2",
            params![handle, now],
        )
        .await?;
    let owners = rows.iter().map(|row| row.get(0)).collect::<Result<Vec<OrganizationId>, _>>()?;
    Ok(owners.iter().any(|owner| Some(*owner) != own))
}

/// Keeps the handle that an organization had until now, and forgets that it had its present one before. A handle whose time
/// with another organization is over goes with it.
///
/// # Errors
/// Those of the database.
pub async fn keep_old_handle(tx: &mut Tx, renamed: &Organization, old: &str, until: Ts) -> Result<(), StoreError> {
    tx.execute("delete from organization_handles where handle = $1", params![&renamed.handle]).await?;
    tx.execute(
        "insert into organization_handles (handle, organization_id, until) values ($1, $2, $3)
         on conflict (handle) do update set organization_id = excluded.organization_id, until = excluded.until",
        params![old, renamed.id, until],
    )
    .await?;
    Ok(())
}

/// Forgets old handles whose time is over.
///
/// # Errors
/// Those of the database.
pub async fn delete_old_handles(tx: &mut Tx, now: Ts) -> Result<u64, StoreError> {
    tx.execute("delete from organization_handles where until <= $1", params![now]).await
}

/// The old handles of an organization that still lead to it, by handle.
///
/// # Errors
/// Those of the database.
pub async fn old_handles(conn: &mut Conn, id: OrganizationId, now: Ts) -> Result<Vec<(String, Ts)>, StoreError> {
    conn.fetch_all(
        "select handle, until from organization_handles where organization_id = $1 and until > $2 order by handle",
        params![id, now],
    )
    .await?
    .iter()
    .map(|row| Ok((row.get(0)?, row.get(1)?)))
    .collect()
}

/// Writes changed details.
///
/// # Errors
/// [`StoreError::Duplicate`] of `handle` when the handle is taken.
pub async fn update(tx: &mut Tx, organization: &Organization) -> Result<(), StoreError> {
    let mut values = written(organization);
    values.push(organization.updated_at.into());
    tx.execute(
        "update organizations set handle = $2, name = $3, name_key = $4, description = $5, billing_email = $6, legal_name = $7,
           address = $8, country = $9, tax_id = $10, contact_email = $11, contact_phone = $12, website = $13, updated_at = $14
         where id = $1",
        &values,
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

/// The organization somebody sees under an id, its handle, or a handle it had within a year, with the role there; `None`
/// when there is none, it was deleted, or who looks is no member. An old handle takes a second statement.
///
/// # Errors
/// Those of the database.
pub async fn find_for(conn: &mut Conn, key: &Key<OrganizationId>, viewer: &Viewer, now: Ts) -> Result<Option<Seat>, StoreError> {
    let found = |filter: &str| {
        format!(
            "select {COLUMNS}, m.role from organizations o
             join memberships m on m.organization_id = o.id and m.user_id = $2
             where {filter} and o.deleted_at is null"
        )
    };
    let user = viewer.user;
    let row = match key {
        Key::Id(id) => conn.fetch_optional(&found("o.id = $1"), params![*id, user]).await?,
        Key::Handle(handle) => match conn.fetch_optional(&found("o.handle = $1"), params![handle, user]).await? {
            Some(row) => Some(row),
            None => {
                let was = "o.id in (select organization_id from organization_handles where handle = $1 and until > $3)";
                conn.fetch_optional(&found(was), params![handle, user, now]).await?
            }
        },
    };
    let found = row.as_ref().map(seat).transpose()?;
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

/// A condition that name or handle contain what is searched for, as the parameters after `values`.
fn named_like(search: &str, values: &mut Vec<Value>) -> String {
    let typed = contains(&search.trim().to_lowercase());
    let words = folded(&[search]);
    values.push(if words.is_empty() { typed.clone() } else { contains(&words).replace(' ', "%") }.into());
    values.push(typed.into());
    format!("(o.name_key like ${} escape '!' or o.handle like ${} escape '!')", values.len() - 1, values.len())
}

/// A page of the organizations somebody belongs to, in the order of their names; `search` is a part of name or handle, `after`
/// is name and id of the last one of the page before.
///
/// # Errors
/// Those of the database.
pub async fn list_for(
    conn: &mut Conn,
    viewer: &Viewer,
    search: &str,
    after: Option<(&str, OrganizationId)>,
    limit: i64,
) -> Result<Vec<Seat>, StoreError> {
    let mut values = values![viewer.user, limit];
    let mut sql = format!(
        "select {COLUMNS}, m.role from memberships m join organizations o on o.id = m.organization_id
         where m.user_id = $1 and o.deleted_at is null"
    );
    if let Some((name, id)) = after {
        values.extend(values![name, id]);
        sql.push_str(" and (o.name, o.id) > ($3, $4)");
    }
    if !search.trim().is_empty() {
        let like = named_like(search, &mut values);
        sql.push_str(&format!(" and {like}"));
    }
    sql.push_str(&viewer.only("o.id", &mut values));
    sql.push_str(" order by o.name, o.id limit $2");
    conn.fetch_all(&sql, &values).await?.iter().map(seat).collect()
}

/// Locks organizations for the rest of the transaction, in the order of their ids so that two transactions never wait
/// for each other, and answers which of them are neither deleted nor suspended. Whoever changes something that a rule over
/// several rows protects (the last maintainer, a choice of projects) locks first.
///
/// # Errors
/// Those of the database.
pub async fn lock(tx: &mut Tx, ids: &[OrganizationId]) -> Result<Vec<OrganizationId>, StoreError> {
    lock_without(tx, ids, "coalesce(deleted_at, suspended_at)").await
}

/// Like [`lock`], but answers which of them are not deleted, whether they are suspended or not.
///
/// # Errors
/// Those of the database.
pub async fn lock_there(tx: &mut Tx, ids: &[OrganizationId]) -> Result<Vec<OrganizationId>, StoreError> {
    lock_without(tx, ids, "deleted_at").await
}

/// Locks organizations, and answers which of them have no such mark.
async fn lock_without(tx: &mut Tx, ids: &[OrganizationId], mark: &str) -> Result<Vec<OrganizationId>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut sorted = ids.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let sql = format!("select id, {mark} from organizations where id in ({}) order by id", placeholders(1, sorted.len()));
    let values: Vec<Value> = sorted.into_iter().map(Value::from).collect();
    let rows = tx.lock(&sql, &values).await?;
    let mut without = Vec::with_capacity(rows.len());
    for row in &rows {
        if row.get::<Option<Ts>>(1)?.is_none() {
            without.push(row.get(0)?);
        }
    }
    Ok(without)
}

/// Those of several organizations of which somebody is a member.
///
/// # Errors
/// Those of the database.
pub async fn of_member(conn: &mut Conn, viewer: &Viewer, ids: &[OrganizationId]) -> Result<Vec<OrganizationId>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!("select organization_id from memberships where user_id = $1 and organization_id in ({})", placeholders(2, ids.len()));
    let values: Vec<Value> = std::iter::once(Value::from(viewer.user)).chain(ids.iter().map(Value::from)).collect();
    let found: Vec<OrganizationId> = conn.fetch_all(&sql, &values).await?.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?;
    Ok(found.into_iter().filter(|id| viewer.sees(*id)).collect())
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

/// How many there are of what an organization's tabs count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Members.
    pub members: i64,
    /// Teams.
    pub teams: i64,
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
               (select members from organizations where id = $1),
               (select count(*) from teams where organization_id = $1),
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
        teams: row.get(1)?,
        projects: row.get(2)?,
        applications: row.get(3)?,
        services: row.get(4)?,
        subscriptions: row.get(5)?,
        requests: row.get(6)?,
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
           o.members,
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
