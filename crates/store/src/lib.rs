//! What is kept: every SQL statement of Stoa, once, for SQLite and PostgreSQL.

pub mod blobs;
mod db;
mod error;
pub mod events;
pub mod idempotency;
pub mod members;
pub mod migrations;
pub mod organizations;
mod postgres;
pub mod sessions;
mod sqlite;
pub mod tokens;
pub mod users;
mod value;

pub use db::{Conn, DatabaseUrl, Db, Engine, NotADatabase, Tx};
pub use error::{Cause, Result, StoreError};
pub use value::{FromValue, Row, Value};
