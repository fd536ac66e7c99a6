//! Where the bytes of resources lie: a directory or an S3-compatible store.
//!
//! A database and an object store share no transaction, so a blob is noted as abandoned before its upload begins and
//! taken off the notes by the transaction that refers to it. Whatever fails in between, the note leads the sweep to it.

use std::{ops::Range, path::Path as FilePath, sync::Arc};

use bytes::Bytes;
use futures::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use object_store::{
    Error, GetOptions, ObjectStore,
    aws::{AmazonS3Builder, S3ConditionalPut},
    buffered::BufWriter,
    local::LocalFileSystem,
    path::Path as ObjectPath,
    prefix::PrefixStore,
};
use stoa_domain::{
    ids::{OrganizationId, ProjectId},
    time::Ts,
};
use tokio::io::AsyncWriteExt as _;

use crate::{Conn, StoreError, Tx, Value, params, users::placeholders};

/// What an upload holds in memory before it goes on as a part of its own. S3 takes no parts below 5 MiB.
const PART: usize = 5 * 1024 * 1024;

/// How many parts of one upload are under way at a time.
const PARTS_AT_ONCE: usize = 3;

/// The object store; clones share it.
#[derive(Clone)]
pub struct Blobs {
    store: Arc<dyn ObjectStore>,
}

impl Blobs {
    /// Over any object store.
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { store }
    }

    /// Over a directory, which must exist.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it can't be used.
    pub fn directory(path: &FilePath) -> Result<Self, StoreError> {
        let store = LocalFileSystem::new_with_prefix(path).map_err(unavailable)?;
        Ok(Self::new(Arc::new(store.with_fsync(true))))
    }

    /// Over a bucket of an S3-compatible store, under a prefix; credentials, region and endpoint are read from the usual
    /// variables (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT`).
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the variables do not suffice.
    pub fn s3(bucket: &str, prefix: &str) -> Result<Self, StoreError> {
        let store = AmazonS3Builder::from_env()
            .with_bucket_name(bucket)
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            .build()
            .map_err(unavailable)?;
        Ok(if prefix.is_empty() { Self::new(Arc::new(store)) } else { Self::new(Arc::new(PrefixStore::new(store, prefix))) })
    }

    /// The object store itself.
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// Begins an upload. Nothing can be read under the key before [`Upload::finish`].
    pub fn upload(&self, key: &str) -> Upload {
        let writer = BufWriter::with_capacity(Arc::clone(&self.store), ObjectPath::from(key), PART);
        Upload { writer: writer.with_max_concurrency(PARTS_AT_ONCE) }
    }

    /// The bytes under a key, all of them or a range, as they come.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the object store does not hand them out.
    pub async fn read(&self, key: &str, range: Option<Range<u64>>) -> Result<BoxStream<'static, Result<Bytes, StoreError>>, StoreError> {
        let options = GetOptions { range: range.map(Into::into), ..GetOptions::default() };
        let found = self.store.get_opts(&ObjectPath::from(key), options).await.map_err(unavailable)?;
        Ok(found.into_stream().map_err(unavailable).boxed())
    }

    /// Removes blobs; that one is not there is fine.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete(&self, keys: &[String]) -> Result<(), StoreError> {
        let paths: Vec<_> = keys.iter().map(|key| Ok(ObjectPath::from(key.as_str()))).collect();
        let mut deleted = self.store.delete_stream(stream::iter(paths).boxed());
        while let Some(result) = deleted.next().await {
            match result {
                Ok(_) | Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(unavailable(error)),
            }
        }
        Ok(())
    }
}

fn unavailable(error: Error) -> StoreError {
    StoreError::Unavailable(Arc::new(error))
}

/// An upload under way: small bodies are put at once, large ones in parts. Dropped, it leaves nothing to read.
pub struct Upload {
    writer: BufWriter,
}

impl Upload {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.writer.put(bytes).await.map_err(unavailable)
    }

    /// Makes the whole readable under its key, and durable.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn finish(mut self) -> Result<(), StoreError> {
        self.writer.shutdown().await.map_err(|error| StoreError::Unavailable(Arc::new(error)))
    }

    /// Throws away what was uploaded so far.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn abort(mut self) -> Result<(), StoreError> {
        self.writer.abort().await.map_err(unavailable)
    }
}

/// Notes that nothing refers to a blob (yet, or any more).
///
/// # Errors
/// Those of the database.
pub async fn abandon(tx: &mut Tx, key: &str, now: Ts) -> Result<(), StoreError> {
    tx.execute("insert into abandoned_blobs (blob_key, abandoned_at) values ($1, $2)", params![key, now]).await?;
    Ok(())
}

/// Notes that a project's resources will refer to their blobs no more.
///
/// # Errors
/// Those of the database.
pub async fn abandon_project(tx: &mut Tx, organization: OrganizationId, project: ProjectId, now: Ts) -> Result<(), StoreError> {
    tx.execute(
        "insert into abandoned_blobs (blob_key, abandoned_at)
         select blob_key, cast($3 as bigint) from resources where organization_id = $1 and project_id = $2",
        params![organization, project, now],
    )
    .await?;
    Ok(())
}

/// Moves the time of a note on, for an upload that takes long; answers `false` when the sweep was faster.
///
/// # Errors
/// Those of the database.
pub async fn renew(tx: &mut Tx, key: &str, now: Ts) -> Result<bool, StoreError> {
    let rows =
        tx.execute("update abandoned_blobs set abandoned_at = $2 where blob_key = $1 and swept_at is null", params![key, now]).await?;
    Ok(rows > 0)
}

/// Takes a blob off the notes in the transaction that refers to it; answers `false` when the sweep was faster and the
/// bytes must not be relied on.
///
/// # Errors
/// Those of the database.
pub async fn adopt(tx: &mut Tx, key: &str) -> Result<bool, StoreError> {
    let rows = tx.execute("delete from abandoned_blobs where blob_key = $1 and swept_at is null", params![key]).await?;
    Ok(rows > 0)
}

/// Claims blobs that were abandoned before an instant, or claimed by a sweep that did not end, for removal: from the
/// commit on nothing can refer to them again.
///
/// # Errors
/// Those of the database.
pub async fn claim_abandoned(tx: &mut Tx, before: Ts, now: Ts, limit: i64) -> Result<Vec<String>, StoreError> {
    let rows = tx
        .lock(
            "select blob_key from abandoned_blobs where abandoned_at < $1 order by abandoned_at, blob_key limit $2",
            params![before, limit],
        )
        .await?;
    let keys: Vec<String> = rows.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?;
    if !keys.is_empty() {
        let sql = format!("update abandoned_blobs set swept_at = $1 where blob_key in ({})", placeholders(2, keys.len()));
        let values: Vec<Value> = std::iter::once(Value::from(now)).chain(keys.iter().map(Value::from)).collect();
        tx.execute(&sql, &values).await?;
    }
    Ok(keys)
}

/// Forgets blobs that are removed.
///
/// # Errors
/// Those of the database.
pub async fn forget(tx: &mut Tx, keys: &[String]) -> Result<(), StoreError> {
    if keys.is_empty() {
        return Ok(());
    }
    let sql = format!("delete from abandoned_blobs where blob_key in ({})", placeholders(1, keys.len()));
    let values: Vec<Value> = keys.iter().map(Value::from).collect();
    tx.execute(&sql, &values).await?;
    Ok(())
}

/// How many blobs wait to be removed.
///
/// # Errors
/// Those of the database.
pub async fn count_abandoned(conn: &mut Conn) -> Result<i64, StoreError> {
    conn.fetch_one("select count(*) from abandoned_blobs", params![]).await?.get(0)
}

/// A page of the keys that resources and pictures of services refer to, in their order; `after` is the last key of the page
/// before.
///
/// # Errors
/// Those of the database.
pub async fn referenced(conn: &mut Conn, after: &str, limit: i64) -> Result<Vec<String>, StoreError> {
    let sql = "select blob_key from resources where blob_key > $1
               union all select blob_key from service_images where blob_key > $1 order by blob_key limit $2";
    conn.fetch_all(sql, params![after, limit]).await?.iter().map(|row| row.get(0)).collect()
}
