//! How Stoa is tried: databases of one test's own, on both engines.

mod cluster;
pub mod databases;

pub use databases::TestDb;
