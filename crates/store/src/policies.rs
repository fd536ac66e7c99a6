//! What organizations want to be approved, beyond what the roles ask for.

use std::collections::BTreeMap;

use stoa_domain::{
    deadlines::USUAL_DAYS,
    ids::{OrganizationId, UserId},
    policies::Policy,
    time::Ts,
};

use crate::{Conn, StoreError, Tx, Value, params, users::placeholders};

/// The policy of an organization; the usual one where it has set none.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, organization: OrganizationId) -> Result<Policy, StoreError> {
    let row = conn.fetch_optional("select request_days, rules from policies where organization_id = $1", params![organization]).await?;
    match row {
        Some(row) => Ok(Policy { request_days: row.get(0)?, rules: row.json(1)? }),
        None => Ok(Policy::default()),
    }
}

/// For how many days requests of several organizations wait, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn request_days(conn: &mut Conn, organizations: &[OrganizationId]) -> Result<BTreeMap<OrganizationId, u16>, StoreError> {
    let mut days: BTreeMap<_, _> = organizations.iter().map(|one| (*one, USUAL_DAYS)).collect();
    if organizations.is_empty() {
        return Ok(days);
    }
    let sql =
        format!("select organization_id, request_days from policies where organization_id in ({})", placeholders(1, organizations.len()));
    let values: Vec<Value> = organizations.iter().map(Value::from).collect();
    for row in conn.fetch_all(&sql, &values).await? {
        days.insert(row.get(0)?, row.get(1)?);
    }
    Ok(days)
}

/// Sets the policy of an organization.
///
/// # Errors
/// Those of the database.
pub async fn set(tx: &mut Tx, organization: OrganizationId, policy: &Policy, by: UserId, now: Ts) -> Result<(), StoreError> {
    let rules = serde_json::to_string(&policy.rules).map_err(|bad| StoreError::Corrupt { column: 1, reason: bad.to_string() })?;
    tx.execute(
        "insert into policies (organization_id, request_days, rules, updated_at, updated_by) values ($1, $2, $3, $4, $5)
         on conflict (organization_id) do update set request_days = excluded.request_days, rules = excluded.rules,
           updated_at = excluded.updated_at, updated_by = excluded.updated_by",
        params![organization, policy.request_days, rules, now, by],
    )
    .await?;
    Ok(())
}
