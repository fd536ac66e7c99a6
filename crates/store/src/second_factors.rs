//! Secrets of authenticator apps (sealed) and recovery codes (hashed).

use stoa_domain::{ids::UserId, secrets::SecretHash, time::Ts};

use crate::{Conn, StoreError, Tx, params, values};

/// The secret of a user's authenticator app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TotpRow {
    /// The secret, sealed.
    pub sealed_secret: Vec<u8>,
    /// The step of the last code that was accepted.
    pub last_step: i64,
    /// Since when it counts.
    pub created_at: Ts,
}

/// What second factors a user has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Factors {
    /// Since when there is an authenticator app.
    pub totp_since: Option<Ts>,
    /// How many passkeys there are.
    pub passkeys: i64,
    /// How many recovery codes are left.
    pub recovery_codes: i64,
}

/// What second factors a user has, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn factors(conn: &mut Conn, user: UserId) -> Result<Factors, StoreError> {
    let row = conn
        .fetch_one(
            "select
               (select created_at from totp_secrets where user_id = $1),
               (select count(*) from passkeys where user_id = $1),
               (select count(*) from recovery_codes where user_id = $1 and used_at is null)",
            params![user],
        )
        .await?;
    Ok(Factors { totp_since: row.get(0)?, passkeys: row.get(1)?, recovery_codes: row.get(2)? })
}

/// The secret of a user's authenticator app, locked for the rest of the transaction: a code is accepted once.
///
/// # Errors
/// Those of the database.
pub async fn lock_totp(tx: &mut Tx, user: UserId) -> Result<Option<TotpRow>, StoreError> {
    let rows = tx.lock("select sealed_secret, last_step, created_at from totp_secrets where user_id = $1", params![user]).await?;
    rows.first().map(|row| Ok(TotpRow { sealed_secret: row.get(0)?, last_step: row.get(1)?, created_at: row.get(2)? })).transpose()
}

/// Keeps the secret of a user's authenticator app, in place of the one before.
///
/// # Errors
/// Those of the database.
pub async fn set_totp(tx: &mut Tx, user: UserId, new: &TotpRow) -> Result<(), StoreError> {
    tx.execute(
        "insert into totp_secrets (user_id, sealed_secret, last_step, created_at) values ($1, $2, $3, $4)
         on conflict (user_id) do update set sealed_secret = excluded.sealed_secret, last_step = excluded.last_step,
           created_at = excluded.created_at",
        params![user, &new.sealed_secret, new.last_step, new.created_at],
    )
    .await?;
    Ok(())
}

/// Notes the step whose code was accepted.
///
/// # Errors
/// Those of the database.
pub async fn set_last_step(tx: &mut Tx, user: UserId, step: i64) -> Result<(), StoreError> {
    tx.execute("update totp_secrets set last_step = $2 where user_id = $1", params![user, step]).await?;
    Ok(())
}

/// Forgets a user's authenticator app; answers whether there was one.
///
/// # Errors
/// Those of the database.
pub async fn delete_totp(tx: &mut Tx, user: UserId) -> Result<bool, StoreError> {
    Ok(tx.execute("delete from totp_secrets where user_id = $1", params![user]).await? > 0)
}

/// Keeps new recovery codes in place of all that there were.
///
/// # Errors
/// Those of the database.
pub async fn replace_recovery_codes(tx: &mut Tx, user: UserId, hashes: &[SecretHash], now: Ts) -> Result<(), StoreError> {
    tx.execute("delete from recovery_codes where user_id = $1", params![user]).await?;
    if hashes.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = hashes.iter().map(|hash| values![user, *hash, now]).collect();
    tx.insert_many("insert into recovery_codes (user_id, code_hash, created_at)", 3, &rows, "").await?;
    Ok(())
}

/// Uses a recovery code up; answers whether it was there and unused.
///
/// # Errors
/// Those of the database.
pub async fn use_recovery_code(tx: &mut Tx, user: UserId, hash: SecretHash, now: Ts) -> Result<bool, StoreError> {
    let used = tx
        .execute(
            "update recovery_codes set used_at = $3 where user_id = $1 and code_hash = $2 and used_at is null",
            params![user, hash, now],
        )
        .await?;
    Ok(used > 0)
}
