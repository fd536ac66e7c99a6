//! What may be used: the in-memory index of credentials and grants that answers decisions, kept current from the event log.

use stoa_domain::events::Event;
use stoa_store::Db;

/// The index; clones share it.
#[derive(Clone)]
pub struct Access {
    db: Db,
}

impl Access {
    /// An empty index over a database; it fills with what is asked for.
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// Takes note of events that were just committed on this node, before they are acknowledged.
    pub fn observe(&self, events: &[Event]) {
        tracing::trace!(engine = ?self.db.engine(), events = events.len(), "observed");
    }
}
