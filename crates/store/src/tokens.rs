//! Personal tokens and access tokens. Only their hashes are kept.

use stoa_domain::{
    ids::{ApplicationId, OrganizationId, SecretId, TokenId, UserId},
    secrets::SecretHash,
    time::{HOUR, Ts},
    tokens::{AccessToken, PersonalToken, scope_text},
    users::User,
};

use crate::{
    Conn, Row, StoreError, Tx, Value, params,
    users::{COLUMNS, placeholders, user},
    values,
};

/// Adds a personal token.
///
/// # Errors
/// Those of the database.
pub async fn insert_personal(tx: &mut Tx, user: UserId, token: &PersonalToken, hash: SecretHash) -> Result<(), StoreError> {
    tx.execute(
        "insert into personal_tokens (id, user_id, name, token_hash, hint, created_at, expires_at, limited)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        params![token.id, user, &token.name, hash, &token.hint, token.created_at, token.expires_at, token.organizations.is_some()],
    )
    .await?;
    let Some(organizations) = token.organizations.as_ref().filter(|organizations| !organizations.is_empty()) else { return Ok(()) };
    let rows: Vec<_> = organizations.iter().map(|organization| values![*organization, token.id]).collect();
    tx.insert_many("insert into personal_token_organizations (organization_id, token_id)", 2, &rows, "").await?;
    Ok(())
}

/// A personal token that somebody presented; it may have expired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presented {
    /// Its id.
    pub id: TokenId,
    /// Whose it is.
    pub user: User,
    /// When it was last used.
    pub last_used_at: Option<Ts>,
    /// When it stops.
    pub expires_at: Ts,
    /// The only organizations it opens; `None` for all.
    pub organizations: Option<Vec<OrganizationId>>,
}

/// The personal token with this hash, if it is not revoked. One statement, and a second for a limited one.
///
/// # Errors
/// Those of the database.
pub async fn find_personal(conn: &mut Conn, hash: SecretHash) -> Result<Option<Presented>, StoreError> {
    let sql = format!(
        "select t.id, t.last_used_at, t.expires_at, t.limited, {COLUMNS} from personal_tokens t join users u on u.id = t.user_id
         where t.token_hash = $1 and t.revoked_at is null"
    );
    let Some(row) = conn.fetch_optional(&sql, params![hash]).await? else { return Ok(None) };
    let user = user(&row, 4)?;
    let id = row.get(0)?;
    let organizations = match row.get(3)? {
        true => Some(organizations_of(conn, &[id]).await?.into_iter().map(|(_, organization)| organization).collect()),
        false => None,
    };
    Ok(Some(Presented { id, user, last_used_at: row.get(1)?, expires_at: row.get(2)?, organizations }))
}

/// The organizations to which tokens are limited.
async fn organizations_of(conn: &mut Conn, ids: &[TokenId]) -> Result<Vec<(TokenId, OrganizationId)>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "select token_id, organization_id from personal_token_organizations where token_id in ({}) order by token_id, organization_id",
        placeholders(1, ids.len())
    );
    let values: Vec<Value> = ids.iter().map(Value::from).collect();
    conn.fetch_all(&sql, &values).await?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Whether a last use is old enough to be written again; hourly is exact enough for an owner who looks for unused ones.
pub fn is_stale_use(last: Option<Ts>, now: Ts) -> bool {
    last.is_none_or(|last| now.micros() - last.micros() >= HOUR)
}

/// Notes that a personal token was used.
///
/// # Errors
/// Those of the database.
pub async fn touch_personal(tx: &mut Tx, id: TokenId, now: Ts) -> Result<(), StoreError> {
    tx.execute("update personal_tokens set last_used_at = $2 where id = $1", params![id, now]).await?;
    Ok(())
}

/// A user's personal tokens that are not revoked, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list_personal(conn: &mut Conn, user: UserId) -> Result<Vec<PersonalToken>, StoreError> {
    let rows = conn
        .fetch_all(
            "select id, name, hint, created_at, last_used_at, expires_at, limited from personal_tokens
             where user_id = $1 and revoked_at is null order by id",
            params![user],
        )
        .await?;
    let mut tokens = Vec::with_capacity(rows.len());
    for row in &rows {
        let limited: bool = row.get(6)?;
        tokens.push(PersonalToken {
            id: row.get(0)?,
            name: row.get(1)?,
            hint: row.get(2)?,
            created_at: row.get(3)?,
            last_used_at: row.get(4)?,
            expires_at: row.get(5)?,
            organizations: limited.then(Vec::new),
        });
    }
    let limited: Vec<_> = tokens.iter().filter(|token| token.organizations.is_some()).map(|token| token.id).collect();
    for (id, organization) in organizations_of(conn, &limited).await? {
        if let Some(organizations) = tokens.iter_mut().find(|token| token.id == id).and_then(|token| token.organizations.as_mut()) {
            organizations.push(organization);
        }
    }
    Ok(tokens)
}

/// Takes an organization out of a user's tokens that are limited to some, for good.
///
/// # Errors
/// Those of the database.
pub async fn leave(tx: &mut Tx, organization: OrganizationId, user: UserId) -> Result<u64, StoreError> {
    let sql = "delete from personal_token_organizations
               where organization_id = $1 and token_id in (select id from personal_tokens where user_id = $2)";
    tx.execute(sql, params![organization, user]).await
}

/// Revokes a user's personal token; answers whether there was one.
///
/// # Errors
/// Those of the database.
pub async fn revoke_personal(tx: &mut Tx, user: UserId, id: TokenId, now: Ts) -> Result<bool, StoreError> {
    let rows = tx
        .execute("update personal_tokens set revoked_at = $3 where id = $1 and user_id = $2 and revoked_at is null", params![id, user, now])
        .await?;
    Ok(rows > 0)
}

/// Removes all personal tokens of a user.
///
/// # Errors
/// Those of the database.
pub async fn delete_personal_of(tx: &mut Tx, user: UserId) -> Result<u64, StoreError> {
    let limits = "delete from personal_token_organizations where token_id in (select id from personal_tokens where user_id = $1)";
    tx.execute(limits, params![user]).await?;
    tx.execute("delete from personal_tokens where user_id = $1", params![user]).await
}

/// Adds an access token.
///
/// # Errors
/// Those of the database.
pub async fn insert_access(tx: &mut Tx, token: &AccessToken, hash: SecretHash) -> Result<(), StoreError> {
    tx.execute(
        "insert into access_tokens (token_hash, id, application_id, secret_id, organization_id, subscription_id, scope, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        params![
            hash,
            token.id,
            token.application,
            token.secret,
            token.subscription.map(|(organization, _)| organization),
            token.subscription.map(|(_, subscription)| subscription),
            scope_text(&token.scope),
            token.created_at,
            token.expires_at,
        ],
    )
    .await?;
    Ok(())
}

/// Reads the first eight columns: id, application, secret, organization, subscription, scope, made, expires.
pub(crate) fn access_token(row: &Row) -> Result<AccessToken, StoreError> {
    let organization: Option<_> = row.get(3)?;
    let subscription: Option<_> = row.get(4)?;
    let scope: String = row.get(5)?;
    Ok(AccessToken {
        id: row.get(0)?,
        application: row.get(1)?,
        secret: row.get(2)?,
        subscription: organization.zip(subscription),
        scope: scope.split(' ').filter_map(|word| word.parse().ok()).collect(),
        created_at: row.get(6)?,
        expires_at: row.get(7)?,
    })
}

/// Removes one access token of an application (RFC 7009); answers whether there was one.
///
/// # Errors
/// Those of the database.
pub async fn delete_access(tx: &mut Tx, application: ApplicationId, hash: SecretHash) -> Result<bool, StoreError> {
    let rows = tx.execute("delete from access_tokens where token_hash = $1 and application_id = $2", params![hash, application]).await?;
    Ok(rows > 0)
}

/// Removes the access tokens that were issued with a secret, or all of an application.
///
/// # Errors
/// Those of the database.
pub async fn delete_access_of(tx: &mut Tx, application: ApplicationId, secret: Option<SecretId>) -> Result<u64, StoreError> {
    match secret {
        Some(secret) => {
            tx.execute("delete from access_tokens where application_id = $1 and secret_id = $2", params![application, secret]).await
        }
        None => tx.execute("delete from access_tokens where application_id = $1", params![application]).await,
    }
}

/// How many access tokens of an application open something now.
///
/// # Errors
/// Those of the database.
pub async fn count_access_of(conn: &mut Conn, application: ApplicationId, now: Ts) -> Result<i64, StoreError> {
    let sql = "select count(*) from access_tokens where application_id = $1 and expires_at > $2";
    conn.fetch_one(sql, params![application, now]).await?.get(0)
}

/// Removes access tokens that stopped before an instant.
///
/// # Errors
/// Those of the database.
pub async fn delete_expired_access(tx: &mut Tx, before: Ts) -> Result<u64, StoreError> {
    tx.execute("delete from access_tokens where expires_at < $1", params![before]).await
}
