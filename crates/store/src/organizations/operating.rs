//! Organizations as the operator meets them: all of them, deleted ones too.

use stoa_domain::{
    ids::OrganizationId,
    organizations::{Key, Organization, Standing, Suspension},
    time::Ts,
};

use super::{COLUMNS, WIDTH, named_like, organization};
use crate::{Conn, Row, StoreError, Tx, Value, params, values};

/// An organization that may be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The organization.
    pub organization: Organization,
    /// When it was deleted.
    pub deleted_at: Option<Ts>,
    /// Whether it works, and if not, why.
    pub standing: Standing,
}

/// Which organizations are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wanted {
    /// All that are not erased.
    #[default]
    All,
    /// Those that work.
    Active,
    /// Those that are suspended and not deleted.
    Suspended,
    /// Those that are deleted and not erased.
    Deleted,
}

impl Wanted {
    /// From the word of the state; all when it is empty.
    pub fn read(word: &str) -> Option<Self> {
        match word {
            "" => Some(Self::All),
            "active" => Some(Self::Active),
            "suspended" => Some(Self::Suspended),
            "deleted" => Some(Self::Deleted),
            _ => None,
        }
    }

    const fn condition(self) -> &'static str {
        match self {
            Self::All => "o.erased_at is null",
            Self::Active => "o.deleted_at is null and o.suspended_at is null",
            Self::Suspended => "o.deleted_at is null and o.suspended_at is not null",
            Self::Deleted => "o.deleted_at is not null and o.erased_at is null",
        }
    }
}

const MARKS: &str = "o.deleted_at, o.erasing_until, o.erased_at";

fn kept(row: &Row, now: Ts) -> Result<Kept, StoreError> {
    let organization = organization(row)?;
    let deleted_at: Option<Ts> = row.get(WIDTH)?;
    let erasing = row.get::<Option<Ts>>(WIDTH + 1)?.is_some() || row.get::<Option<Ts>>(WIDTH + 2)?.is_some();
    let standing = Standing::of(organization.suspension.is_some(), deleted_at, erasing, now);
    Ok(Kept { organization, deleted_at, standing })
}

/// A page of all organizations in the order of their names; `search` is a part of name or handle, `after` is name and id of
/// the last one of the page before.
///
/// # Errors
/// Those of the database.
pub async fn list_kept(
    conn: &mut Conn,
    wanted: Wanted,
    search: &str,
    after: Option<(&str, OrganizationId)>,
    limit: i64,
    now: Ts,
) -> Result<Vec<Kept>, StoreError> {
    let mut values = values![limit];
    let mut sql = format!("select {COLUMNS}, {MARKS} from organizations o where {}", wanted.condition());
    if let Some((name, id)) = after {
        values.extend(values![name, id]);
        sql.push_str(" and (o.name, o.id) > ($2, $3)");
    }
    if !search.trim().is_empty() {
        let like = named_like(search, &mut values);
        sql.push_str(&format!(" and {like}"));
    }
    sql.push_str(" order by o.name, o.id limit $1");
    conn.fetch_all(&sql, &values).await?.iter().map(|row| kept(row, now)).collect()
}

/// An organization under its id or handle, deleted or not, locked for the rest of the transaction.
///
/// # Errors
/// Those of the database.
pub async fn find_kept(tx: &mut Tx, key: &Key<OrganizationId>, now: Ts) -> Result<Option<Kept>, StoreError> {
    let (filter, value) = match key {
        Key::Id(id) => ("o.id = $1", Value::from(*id)),
        Key::Handle(handle) => ("o.handle = $1", Value::from(handle)),
    };
    let sql = format!("select {COLUMNS}, {MARKS} from organizations o where {filter}");
    tx.lock(&sql, &[value]).await?.first().map(|row| kept(row, now)).transpose()
}

/// Suspends an organization, or lifts its suspension.
///
/// # Errors
/// Those of the database.
pub async fn set_suspension(tx: &mut Tx, id: OrganizationId, suspension: Option<&Suspension>) -> Result<(), StoreError> {
    tx.execute(
        "update organizations set suspended_at = $2, suspended_reason = $3 where id = $1",
        params![id, suspension.map(|one| one.since), suspension.map(|one| one.reason.clone())],
    )
    .await?;
    Ok(())
}

/// Takes the mark of deletion off.
///
/// # Errors
/// Those of the database.
pub async fn restore(tx: &mut Tx, id: OrganizationId) -> Result<(), StoreError> {
    tx.execute("update organizations set deleted_at = null where id = $1", params![id]).await?;
    Ok(())
}
