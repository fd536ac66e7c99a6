//! What is kept: every SQL statement of Stoa, once, for SQLite and PostgreSQL.
