//! The mail domains of organizations.

use stoa_domain::{
    ids::{OrganizationId, UserId},
    permissions::Role,
    secrets::SecretHash,
    time::Ts,
};

use crate::{Conn, Row, StoreError, Tx, params, users::columns_of};

/// A mail domain that an organization claims or has verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// Whose.
    pub organization: OrganizationId,
    /// The domain, in lower case.
    pub domain: String,
    /// As what its people join.
    pub role: Role,
    /// To which address of the domain the last code was sent.
    pub contact: String,
    /// SHA-256 of the code that waits to be typed.
    pub code_hash: Option<SecretHash>,
    /// Until when the code counts.
    pub code_expires_at: Option<Ts>,
    /// How often a wrong code was typed.
    pub attempts: i64,
    /// Who added it.
    pub added_by: UserId,
    /// When.
    pub created_at: Ts,
    /// Since when it is verified.
    pub verified_at: Option<Ts>,
}

const COLUMNS: &str = "organization_id, domain, role, contact, code_hash, code_expires_at, attempts, added_by, created_at, verified_at";

fn domain(row: &Row) -> Result<Domain, StoreError> {
    Ok(Domain {
        organization: row.get(0)?,
        domain: row.get(1)?,
        role: row.parse(2)?,
        contact: row.get(3)?,
        code_hash: row.get(4)?,
        code_expires_at: row.get(5)?,
        attempts: row.get(6)?,
        added_by: row.get(7)?,
        created_at: row.get(8)?,
        verified_at: row.get(9)?,
    })
}

/// Adds a domain, or writes it anew.
///
/// # Errors
/// Those of the database.
pub async fn save(tx: &mut Tx, one: &Domain) -> Result<(), StoreError> {
    tx.execute(
        "insert into organization_domains
           (organization_id, domain, role, contact, code_hash, code_expires_at, attempts, added_by, created_at, verified_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         on conflict (organization_id, domain) do update set role = excluded.role, contact = excluded.contact,
           code_hash = excluded.code_hash, code_expires_at = excluded.code_expires_at, attempts = excluded.attempts,
           verified_at = excluded.verified_at",
        params![
            one.organization,
            &one.domain,
            one.role.word(),
            &one.contact,
            one.code_hash,
            one.code_expires_at,
            one.attempts,
            one.added_by,
            one.created_at,
            one.verified_at,
        ],
    )
    .await?;
    Ok(())
}

/// The domains of an organization, by name.
///
/// # Errors
/// Those of the database.
pub async fn list(conn: &mut Conn, organization: OrganizationId) -> Result<Vec<Domain>, StoreError> {
    let sql = format!("select {COLUMNS} from organization_domains where organization_id = $1 order by domain");
    conn.fetch_all(&sql, params![organization]).await?.iter().map(domain).collect()
}

/// One domain of an organization.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, organization: OrganizationId, name: &str) -> Result<Option<Domain>, StoreError> {
    let sql = format!("select {COLUMNS} from organization_domains where organization_id = $1 and domain = $2");
    conn.fetch_optional(&sql, params![organization, name]).await?.as_ref().map(domain).transpose()
}

/// Makes a domain an organization's own.
///
/// # Errors
/// [`StoreError::Duplicate`] when it is another's already.
pub async fn verify(tx: &mut Tx, organization: OrganizationId, name: &str) -> Result<(), StoreError> {
    tx.execute("insert into verified_domains (domain, organization_id) values ($1, $2)", params![name, organization]).await?;
    Ok(())
}

/// Whose a domain is, once verified, unless that organization was deleted.
///
/// # Errors
/// Those of the database.
pub async fn owner(conn: &mut Conn, name: &str) -> Result<Option<Domain>, StoreError> {
    let columns = columns_of("d", COLUMNS);
    let sql = format!(
        "select {columns} from verified_domains v
         join organization_domains d on d.organization_id = v.organization_id and d.domain = v.domain
         join organizations o on o.id = v.organization_id and o.deleted_at is null
         where v.domain = $1"
    );
    conn.fetch_optional(&sql, params![name]).await?.as_ref().map(domain).transpose()
}

/// Removes a domain of an organization; answers whether there was one.
///
/// # Errors
/// Those of the database.
pub async fn delete(tx: &mut Tx, organization: OrganizationId, name: &str) -> Result<bool, StoreError> {
    tx.execute("delete from verified_domains where domain = $2 and organization_id = $1", params![organization, name]).await?;
    Ok(tx.execute("delete from organization_domains where organization_id = $1 and domain = $2", params![organization, name]).await? > 0)
}

/// Removes all domains of an organization, so that others may have them.
///
/// # Errors
/// Those of the database.
pub async fn delete_of(tx: &mut Tx, organization: OrganizationId) -> Result<(), StoreError> {
    tx.execute("delete from verified_domains where organization_id = $1", params![organization]).await?;
    tx.execute("delete from organization_domains where organization_id = $1", params![organization]).await?;
    Ok(())
}
