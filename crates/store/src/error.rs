//! What can go wrong with a database, told apart by what a caller can do about it.

use std::{error::Error, fmt, sync::Arc};

/// The result of everything the store does.
pub type Result<T> = std::result::Result<T, StoreError>;

/// What lies below a failure; shared, because one failed commit fails several transactions.
pub type Cause = Arc<dyn Error + Send + Sync>;

/// Why the store did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// A unique key exists already.
    ///
    /// `constraint` names the constraint or index on PostgreSQL (`organizations_handle_key`, `members_pkey`). SQLite
    /// only tells columns, from which the name PostgreSQL would have given is made; an index with a name of its own
    /// may therefore read differently. Look for the distinguishing column: `constraint.contains("handle")`.
    #[error("there is a row with the same key already ({constraint})")]
    Duplicate {
        /// The violated constraint.
        constraint: String,
    },
    /// A row refers to another one that does not exist, or is still referred to.
    #[error("a row refers to one that does not exist")]
    MissingReference,
    /// Somebody else was in the way; doing the whole transaction again is safe and may succeed.
    #[error("the database was busy; try again")]
    Busy,
    /// The database cannot be reached or cannot write: a lost connection, no free connection, a full disk.
    #[error("the database is unavailable: {0}")]
    Unavailable(#[source] Cause),
    /// A stored row does not read as what it should be.
    #[error("column {column} of a row does not read: {reason}")]
    Corrupt {
        /// The position of the column, from 0.
        column: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// Anything else the database refuses: a mistake in a statement, a violated check.
    #[error("the database refused a statement: {0}")]
    Database(#[source] Cause),
}

impl StoreError {
    /// Whether doing the same transaction again may succeed.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Busy)
    }

    pub(crate) fn unavailable(text: impl Into<String>) -> Self {
        Self::Unavailable(Arc::new(Text(text.into())))
    }

    pub(crate) fn database(text: impl Into<String>) -> Self {
        Self::Database(Arc::new(Text(text.into())))
    }
}

/// A failure that has no error type of its own.
#[derive(Debug)]
struct Text(String);

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Text {}

/// The text of an error with all that lies below: the driver's own says only "db error".
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(error) = below {
        text.push_str(": ");
        text.push_str(&error.to_string());
        below = error.source();
    }
    text
}
