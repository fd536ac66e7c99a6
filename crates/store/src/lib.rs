//! What is kept: every SQL statement of Stoa, once, for SQLite and PostgreSQL.

mod db;
mod error;
pub mod migrations;
mod postgres;
mod sqlite;
mod value;

pub use db::{Conn, DatabaseUrl, Db, Engine, NotADatabase, Tx};
pub use error::{Cause, Result, StoreError};
pub use value::{FromValue, Row, Value};
