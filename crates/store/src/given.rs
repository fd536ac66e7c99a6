//! Given rows as a table within a query.

use crate::{
    db::Engine,
    error::{Result, StoreError},
    value::Value,
};

/// The most bind values of given rows: what both engines take, down to a power of two.
const MOST: usize = 16_384;

/// A table expression of some rows, filled up with repetitions to a power of two, and its values; nothing for no rows.
pub(crate) fn table(engine: Engine, rows: &[Vec<Value>]) -> Result<Option<(String, Vec<Value>)>> {
    let Some(last) = rows.last() else { return Ok(None) };
    let size = rows.len().next_power_of_two();
    if size * last.len() > MOST || rows.iter().any(|row| row.len() != last.len()) {
        return Err(StoreError::database(format!("{} given rows are too many or of different length", rows.len())));
    }
    let mut values = rows.concat();
    (rows.len()..size).for_each(|_| values.extend_from_slice(last));
    Ok(Some((text(engine, rows, size), values)))
}

/// A table expression of `size` rows. PostgreSQL takes the types of its columns from the first row; a column without any
/// value is TEXT.
fn text(engine: Engine, rows: &[Vec<Value>], size: usize) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let type_of = |column: usize| match rows.iter().filter_map(|row| row.get(column)).find(|value| **value != Value::Null) {
        Some(Value::Int(_)) => "bigint",
        Some(Value::Bytes(_)) => "bytea",
        Some(Value::Text(_) | Value::Null) | None => "text",
    };
    let mut sql = String::with_capacity(size * columns * 8 + 8);
    for row in 0..size {
        sql.push_str(if row == 0 { "values (" } else { ", (" });
        for column in 0..columns {
            if column > 0 {
                sql.push_str(", ");
            }
            match engine {
                Engine::Sqlite => sql.push('?'),
                Engine::Postgres if row == 0 => sql.push_str(&format!("cast(${} as {})", column + 1, type_of(column))),
                Engine::Postgres => sql.push_str(&format!("${}", row * columns + column + 1)),
            }
        }
        sql.push(')');
    }
    sql
}
