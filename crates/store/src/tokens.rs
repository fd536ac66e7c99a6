//! Personal tokens and access tokens. Only their hashes are kept.

use stoa_domain::{
    ids::{ApplicationId, SecretId, TokenId, UserId},
    secrets::SecretHash,
    time::{HOUR, Ts},
    tokens::{AccessToken, PersonalToken, scope_text},
    users::User,
};

use crate::{Conn, Row, StoreError, Tx, params};

/// Adds a personal token.
///
/// # Errors
/// Those of the database.
pub async fn insert_personal(tx: &mut Tx, user: UserId, token: &PersonalToken, hash: SecretHash) -> Result<(), StoreError> {
    tx.execute(
        "insert into personal_tokens (id, user_id, name, token_hash, hint, created_at) values ($1, $2, $3, $4, $5, $6)",
        params![token.id, user, &token.name, hash, &token.hint, token.created_at],
    )
    .await?;
    Ok(())
}

/// Whose personal token has this hash, if it is not revoked, and when it was last used.
///
/// # Errors
/// Those of the database.
pub async fn find_personal(conn: &mut Conn, hash: SecretHash) -> Result<Option<(TokenId, User, Option<Ts>)>, StoreError> {
    conn.fetch_optional(
        "select t.id, t.last_used_at, u.id, u.email, u.name, u.operator, u.created_at
         from personal_tokens t join users u on u.id = t.user_id where t.token_hash = $1 and t.revoked_at is null",
        params![hash],
    )
    .await?
    .map(|row| {
        let user = User { id: row.get(2)?, email: row.get(3)?, name: row.get(4)?, operator: row.get(5)?, created_at: row.get(6)? };
        Ok((row.get(0)?, user, row.get(1)?))
    })
    .transpose()
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
    conn.fetch_all(
        "select id, name, hint, created_at, last_used_at from personal_tokens where user_id = $1 and revoked_at is null order by id",
        params![user],
    )
    .await?
    .iter()
    .map(|row| {
        Ok(PersonalToken { id: row.get(0)?, name: row.get(1)?, hint: row.get(2)?, created_at: row.get(3)?, last_used_at: row.get(4)? })
    })
    .collect()
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

/// Removes access tokens that stopped before an instant.
///
/// # Errors
/// Those of the database.
pub async fn delete_expired_access(tx: &mut Tx, before: Ts) -> Result<u64, StoreError> {
    tx.execute("delete from access_tokens where expires_at < $1", params![before]).await
}
