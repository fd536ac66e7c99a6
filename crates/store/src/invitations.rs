//! Invitations. Of the secret of a link only its hash is kept.

use stoa_domain::{
    ids::{InvitationId, OrganizationId},
    invitations::{Invitation, InvitationState},
    secrets::SecretHash,
    time::Ts,
};

use crate::{Conn, Row, StoreError, Tx, Value, params, users::placeholders, values};

const COLUMNS: &str = "i.id, i.organization_id, i.email, i.name, i.role, i.state, i.invited_by, i.created_at, i.sent_at, i.expires_at, \
                       i.closed_at";

fn invitation(row: &Row) -> Result<Invitation, StoreError> {
    Ok(Invitation {
        id: row.get(0)?,
        organization: row.get(1)?,
        email: row.get(2)?,
        name: row.get(3)?,
        role: row.parse(4)?,
        state: row.parse(5)?,
        invited_by: row.get(6)?,
        created_at: row.get(7)?,
        sent_at: row.get(8)?,
        expires_at: row.get(9)?,
        closed_at: row.get(10)?,
    })
}

/// Adds invitations, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn insert_many(tx: &mut Tx, invitations: &[Invitation]) -> Result<(), StoreError> {
    let row = |one: &Invitation| {
        values![
            one.organization,
            one.id,
            &one.email,
            &one.name,
            one.role.word(),
            one.state.word(),
            one.invited_by,
            one.created_at,
            one.sent_at,
            one.expires_at
        ]
    };
    let rows: Vec<Vec<Value>> = invitations.iter().map(row).collect();
    let head = "insert into invitations (organization_id, id, email, name, role, state, invited_by, created_at, sent_at, expires_at)";
    tx.insert_many(head, 10, &rows, "").await?;
    Ok(())
}

/// Writes state and times of an invitation. The secret of its link, whatever it was, opens nothing any more.
///
/// # Errors
/// Those of the database.
pub async fn update(tx: &mut Tx, changed: &Invitation) -> Result<(), StoreError> {
    tx.execute(
        "update invitations set state = $3, sent_at = $4, expires_at = $5, closed_at = $6, token_hash = null
         where organization_id = $1 and id = $2",
        params![changed.organization, changed.id, changed.state.word(), changed.sent_at, changed.expires_at, changed.closed_at],
    )
    .await?;
    Ok(())
}

/// Takes invitations back at once.
///
/// # Errors
/// Those of the database.
pub async fn revoke_many(tx: &mut Tx, organization: OrganizationId, ids: &[InvitationId], now: Ts) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "update invitations set state = 'revoked', closed_at = $2, token_hash = null
         where organization_id = $1 and state = 'pending' and id in ({})",
        placeholders(3, ids.len())
    );
    let values: Vec<Value> = [organization.into(), now.into()].into_iter().chain(ids.iter().map(Value::from)).collect();
    tx.execute(&sql, &values).await?;
    Ok(())
}

/// Binds the secret of a link to an invitation that is still pending; answers whether it is.
///
/// # Errors
/// Those of the database.
pub async fn set_token(tx: &mut Tx, organization: OrganizationId, id: InvitationId, hash: SecretHash) -> Result<bool, StoreError> {
    let sql = "update invitations set token_hash = $3 where organization_id = $1 and id = $2 and state = 'pending'";
    Ok(tx.execute(sql, params![organization, id, hash]).await? > 0)
}

/// An invitation of an organization.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, organization: OrganizationId, id: InvitationId) -> Result<Option<Invitation>, StoreError> {
    let sql = format!("select {COLUMNS} from invitations i where i.organization_id = $1 and i.id = $2");
    conn.fetch_optional(&sql, params![organization, id]).await?.as_ref().map(invitation).transpose()
}

/// The addresses of several invitations of an organization, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn addresses(
    conn: &mut Conn,
    organization: OrganizationId,
    ids: &[InvitationId],
) -> Result<Vec<(InvitationId, String)>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!("select id, email from invitations where organization_id = $1 and id in ({})", placeholders(2, ids.len()));
    let values: Vec<Value> = std::iter::once(Value::from(organization)).chain(ids.iter().map(Value::from)).collect();
    conn.fetch_all(&sql, &values).await?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// The invitation whose link has this secret, unless its organization was deleted.
///
/// # Errors
/// Those of the database.
pub async fn find_by_token(conn: &mut Conn, hash: SecretHash) -> Result<Option<Invitation>, StoreError> {
    let sql = format!(
        "select {COLUMNS} from invitations i join organizations o on o.id = i.organization_id and o.deleted_at is null
         where i.token_hash = $1"
    );
    conn.fetch_optional(&sql, params![hash]).await?.as_ref().map(invitation).transpose()
}

/// The pending invitations of an organization for some addresses, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn pending_for(conn: &mut Conn, organization: OrganizationId, emails: &[String]) -> Result<Vec<Invitation>, StoreError> {
    if emails.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "select {COLUMNS} from invitations i where i.organization_id = $1 and i.state = 'pending' and i.email in ({})",
        placeholders(2, emails.len())
    );
    let values: Vec<Value> = std::iter::once(Value::from(organization)).chain(emails.iter().map(Value::from)).collect();
    conn.fetch_all(&sql, &values).await?.iter().map(invitation).collect()
}

/// The pending invitations for an address into organizations that are not deleted, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn pending_of(conn: &mut Conn, email: &str) -> Result<Vec<Invitation>, StoreError> {
    let sql = format!(
        "select {COLUMNS} from invitations i join organizations o on o.id = i.organization_id and o.deleted_at is null
         where i.email = $1 and i.state = 'pending' order by i.id"
    );
    conn.fetch_all(&sql, params![email]).await?.iter().map(invitation).collect()
}

/// A page of an organization's invitations, newest first, all or those in one state; `before` is the last one of the page
/// before.
///
/// # Errors
/// Those of the database.
pub async fn list(
    conn: &mut Conn,
    organization: OrganizationId,
    state: Option<InvitationState>,
    before: Option<InvitationId>,
    limit: i64,
) -> Result<Vec<Invitation>, StoreError> {
    let mut values = values![organization, limit];
    let mut filter = String::new();
    if let Some(state) = state {
        values.push(state.word().into());
        filter.push_str(&format!(" and i.state = ${}", values.len()));
    }
    if let Some(before) = before {
        values.push(before.into());
        filter.push_str(&format!(" and i.id < ${}", values.len()));
    }
    let sql = format!("select {COLUMNS} from invitations i where i.organization_id = $1{filter} order by i.id desc limit $2");
    conn.fetch_all(&sql, &values).await?.iter().map(invitation).collect()
}

/// Pending invitations whose time is over, the longest over first.
///
/// # Errors
/// Those of the database.
pub async fn overdue(conn: &mut Conn, now: Ts, limit: i64) -> Result<Vec<Invitation>, StoreError> {
    let sql =
        format!("select {COLUMNS} from invitations i where i.state = 'pending' and i.expires_at <= $1 order by i.expires_at limit $2");
    conn.fetch_all(&sql, params![now, limit]).await?.iter().map(invitation).collect()
}
