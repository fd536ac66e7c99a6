//! What is kept: every SQL statement of Stoa, once, for SQLite and PostgreSQL.

pub mod access;
pub mod applications;
pub mod blobs;
pub mod costs;
mod db;
mod error;
pub mod events;
pub mod grants;
pub mod idempotency;
pub mod mail;
pub mod marketplace;
pub mod members;
pub mod migrations;
pub mod organizations;
mod postgres;
pub mod projects;
pub mod requests;
pub mod resources;
pub mod services;
pub mod sessions;
mod sqlite;
pub mod subscriptions;
pub mod tokens;
pub mod usage;
pub mod users;
mod value;

pub use db::{Conn, DatabaseUrl, Db, Engine, NotADatabase, Tx};
pub use error::{Cause, Result, StoreError};
pub use value::{FromValue, Row, Value};
