//! Where the bytes of resources lie: a directory or an S3-compatible store.

use std::{path::Path, sync::Arc};

use object_store::{
    ObjectStore,
    aws::{AmazonS3Builder, S3ConditionalPut},
    local::LocalFileSystem,
    prefix::PrefixStore,
};

use crate::{Conn, StoreError, params};

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
    pub fn directory(path: &Path) -> Result<Self, StoreError> {
        let store = LocalFileSystem::new_with_prefix(path).map_err(|error| StoreError::Unavailable(Arc::new(error)))?;
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
            .map_err(|error| StoreError::Unavailable(Arc::new(error)))?;
        Ok(if prefix.is_empty() { Self::new(Arc::new(store)) } else { Self::new(Arc::new(PrefixStore::new(store, prefix))) })
    }

    /// The object store itself.
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }
}

/// How many blobs wait to be removed.
///
/// # Errors
/// Those of the database.
pub async fn count_abandoned(conn: &mut Conn) -> Result<i64, StoreError> {
    conn.fetch_one("select count(*) from abandoned_blobs", params![]).await?.get(0)
}
