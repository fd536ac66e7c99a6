//! Keys that the installation itself keeps, such as the one that seals secrets.

use stoa_domain::time::Ts;

use crate::{Conn, StoreError, Tx, params};

/// A key by its name.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, name: &str) -> Result<Option<[u8; 32]>, StoreError> {
    conn.fetch_optional("select key from installation_keys where name = $1", params![name]).await?.map(|row| row.get(0)).transpose()
}

/// Keeps a key unless there is one of that name.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx, name: &str, key: [u8; 32], now: Ts) -> Result<(), StoreError> {
    tx.execute(
        "insert into installation_keys (name, key, created_at) values ($1, $2, $3) on conflict (name) do nothing",
        params![name, key, now],
    )
    .await?;
    Ok(())
}
