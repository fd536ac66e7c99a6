//! Where the bytes of resources lie: a directory or an S3-compatible store.

use std::{path::Path, sync::Arc};

use object_store::{ObjectStore, local::LocalFileSystem};

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
