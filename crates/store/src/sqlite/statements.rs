//! Running a statement on a SQLite connection, and what its failures mean.

use std::sync::Arc;

use rusqlite::{
    Connection, ErrorCode, Statement, ToSql, ffi,
    types::{ToSqlOutput, ValueRef},
};

use crate::{
    error::{Result, StoreError},
    value::{Row, Value},
};

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(v) => ValueRef::Integer(*v),
            Self::Text(v) => ValueRef::Text(v.as_bytes()),
            Self::Bytes(v) => ValueRef::Blob(v),
        }))
    }
}

/// Runs a statement and reads at most `limit` rows.
pub(super) fn query(connection: &Connection, sql: &str, params: &[Value], limit: usize) -> Result<Vec<Row>> {
    query_noting(connection, sql, params, limit).map(|(rows, _)| rows)
}

/// Like [`query`]; tells as well whether the statement may have changed anything.
pub(super) fn query_noting(connection: &Connection, sql: &str, params: &[Value], limit: usize) -> Result<(Vec<Row>, bool)> {
    let failed = |e| failure(connection, e);
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let changes = !statement.readonly();
    bind(connection, &mut statement, params)?;
    let columns = statement.column_count();
    let mut rows = statement.raw_query();
    let mut read = Vec::new();
    while read.len() < limit
        && let Some(row) = rows.next().map_err(failed)?
    {
        let mut values = Vec::with_capacity(columns);
        for column in 0..columns {
            values.push(value(row.get_ref(column).map_err(failed)?, column)?);
        }
        read.push(Row::new(values));
    }
    Ok((read, changes))
}

/// Runs a statement and tells how many rows it touched.
pub(super) fn execute(connection: &Connection, sql: &str, params: &[Value]) -> Result<u64> {
    let mut statement = connection.prepare_cached(sql).map_err(|e| failure(connection, e))?;
    run(connection, &mut statement, params)
}

/// Runs a statement, prepared once, for each of the rows and tells how many rows they touched together.
pub(super) fn execute_each(connection: &Connection, sql: &str, rows: &[Vec<Value>]) -> Result<u64> {
    let mut statement = connection.prepare_cached(sql).map_err(|e| failure(connection, e))?;
    rows.iter().try_fold(0, |touched, params| Ok(touched + run(connection, &mut statement, params)?))
}

fn run(connection: &Connection, statement: &mut Statement<'_>, params: &[Value]) -> Result<u64> {
    bind(connection, statement, params)?;
    let rows = statement.raw_execute().map_err(|e| failure(connection, e))?;
    Ok(rows as u64)
}

/// Binds `$n` to the n-th value wherever it stands, and bare marks in their order.
fn bind(connection: &Connection, statement: &mut Statement<'_>, params: &[Value]) -> Result<()> {
    let count = statement.parameter_count();
    if count != params.len() {
        return Err(StoreError::database(format!("the statement has {count} parameters, {} are given", params.len())));
    }
    for index in 1..=count {
        let position = match statement.parameter_name(index) {
            None => index,
            Some(name) => name
                .strip_prefix('$')
                .and_then(|digits| digits.parse().ok())
                .ok_or_else(|| StoreError::database(format!("{name} is no parameter: write $1 and cast($1 as bigint)")))?,
        };
        let value = position
            .checked_sub(1)
            .and_then(|position| params.get(position))
            .ok_or_else(|| StoreError::database(format!("there is no value for ${position}")))?;
        statement.raw_bind_parameter(index, value).map_err(|e| failure(connection, e))?;
    }
    Ok(())
}

fn value(value: ValueRef<'_>, column: usize) -> Result<Value> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(v) => Value::Int(v),
        ValueRef::Text(v) => match std::str::from_utf8(v) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(error) => return Err(StoreError::Corrupt { column, reason: error.to_string() }),
        },
        ValueRef::Blob(v) => Value::Bytes(v.to_vec()),
        ValueRef::Real(_) => {
            return Err(StoreError::Corrupt { column, reason: "floating point is not portable".to_owned() });
        }
    })
}

/// What a failure means; asks the connection for the name of a violated index.
pub(super) fn failure(connection: &Connection, error: rusqlite::Error) -> StoreError {
    let rusqlite::Error::SqliteFailure(code, Some(message)) = &error else { return plain_failure(error) };
    match code.extended_code {
        ffi::SQLITE_CONSTRAINT_UNIQUE => StoreError::Duplicate { constraint: constraint(connection, message) },
        ffi::SQLITE_CONSTRAINT_PRIMARYKEY => {
            let columns = message.rsplit_once(": ").map_or(message.as_str(), |(_, columns)| columns);
            let table = columns.split('.').next().unwrap_or(columns);
            StoreError::Duplicate { constraint: format!("{table}_pkey") }
        }
        _ => plain_failure(error),
    }
}

/// What a failure means that violates no unique key.
pub(super) fn plain_failure(error: rusqlite::Error) -> StoreError {
    let rusqlite::Error::SqliteFailure(code, _) = &error else { return StoreError::Database(Arc::new(error)) };
    match code.code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Busy,
        ErrorCode::ConstraintViolation if code.extended_code == ffi::SQLITE_CONSTRAINT_FOREIGNKEY => StoreError::MissingReference,
        ErrorCode::DiskFull
        | ErrorCode::SystemIoFailure
        | ErrorCode::CannotOpen
        | ErrorCode::ReadOnly
        | ErrorCode::PermissionDenied
        | ErrorCode::OutOfMemory => StoreError::Unavailable(Arc::new(error)),
        _ => StoreError::Database(Arc::new(error)),
    }
}

/// The name PostgreSQL would give for `UNIQUE constraint failed: t.a, t.b`: the index's, or `t_a_b_key`.
fn constraint(connection: &Connection, message: &str) -> String {
    let subject = message.rsplit_once(": ").map_or(message, |(_, subject)| subject);
    // An index on an expression is told by its name already.
    if let Some(name) = subject.strip_prefix("index '") {
        return name.trim_end_matches('\'').to_owned();
    }
    let mut table = "";
    let mut columns = Vec::new();
    for column in subject.split(", ") {
        let (of, name) = column.split_once('.').unwrap_or(("", column));
        table = of;
        columns.push(name);
    }
    index_on(connection, table, &columns).unwrap_or_else(|| format!("{table}_{}_key", columns.join("_")))
}

fn index_on(connection: &Connection, table: &str, columns: &[&str]) -> Option<String> {
    let sql = "select l.name from pragma_index_list($1) l where l.\"unique\" = 1 and l.origin = 'c' and $2 =
        (select group_concat(i.name, ', ') from (select name from pragma_index_info(l.name) order by seqno) i)";
    let found = connection.query_row(sql, (table, columns.join(", ")), |row| row.get(0));
    // Only the wording of an error is at stake, and the derived name serves as well.
    found.ok()
}
