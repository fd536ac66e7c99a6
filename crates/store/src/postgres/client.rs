//! A pooled connection, and what travels over it together.
//!
//! A transaction's `begin`, statements whose outcome nobody waits for, the query that somebody does wait for, and the
//! `commit` at its end are sent one behind the other without waiting for each answer (PostgreSQL answers them in their
//! order), so that a transaction takes few ways over the network and holds its locks for as few of them.

use deadpool_postgres::Object;
use futures::future::join_all;
use tokio::runtime::Handle;
use tokio_postgres::{Statement, error::SqlState, types::ToSql};

use super::{failure, row};
use crate::{
    error::{Result, StoreError},
    value::{Row, Value},
};

/// So many statements whose outcome nobody waits for are sent without waiting for a query.
const MOST_WAITING: usize = 16;

/// A pooled connection, perhaps with an open transaction.
pub(crate) struct Client {
    /// `None` only while dropping.
    object: Option<Object>,
    /// Whether a transaction was begun here.
    open: bool,
    /// Whether PostgreSQL knows of it.
    begun: bool,
    /// What is sent with the next statement that somebody waits for.
    waiting: Vec<Asked>,
}

/// A statement with its values.
struct Asked {
    sql: String,
    values: Values,
}

/// The values of a statement: one each, or a column of many.
enum Values {
    Each(Vec<Value>),
    Columns(Vec<Column>),
}

/// A column of many rows.
enum Column {
    Int(Vec<Option<i64>>),
    Text(Vec<Option<String>>),
    Bytes(Vec<Option<Vec<u8>>>),
}

impl Values {
    fn bound(&self) -> Vec<&(dyn ToSql + Sync)> {
        match self {
            Self::Each(values) => values.iter().map(|value| value as &(dyn ToSql + Sync)).collect(),
            Self::Columns(columns) => columns
                .iter()
                .map(|column| match column {
                    Column::Int(values) => values as &(dyn ToSql + Sync),
                    Column::Text(values) => values,
                    Column::Bytes(values) => values,
                })
                .collect(),
        }
    }
}

/// What is sent: a command without values, or a prepared statement.
enum Sent<'a> {
    Command(&'static str),
    Statement(Statement, &'a Values),
}

/// What came of it.
struct Outcome {
    rows: Vec<tokio_postgres::Row>,
    touched: u64,
}

impl Client {
    pub(super) fn new(object: Object) -> Self {
        Self { object: Some(object), open: false, begun: false, waiting: Vec::new() }
    }

    fn object(&self) -> Result<&Object> {
        self.object.as_ref().ok_or_else(|| StoreError::unavailable("the connection is closed"))
    }

    pub(crate) fn in_transaction(&self) -> bool {
        self.open
    }

    /// Opens a transaction; PostgreSQL hears of it with its first statement.
    pub(crate) fn begin(&mut self) {
        self.open = true;
    }

    pub(crate) async fn commit(&mut self) -> Result<()> {
        if self.begun || !self.waiting.is_empty() {
            // After a failed statement among those that waited, PostgreSQL takes this for a rollback; the failure is told.
            self.run(Vec::new(), Some("commit")).await?;
        }
        (self.open, self.begun) = (false, false);
        Ok(())
    }

    pub(super) async fn finish(mut self) -> Result<()> {
        self.commit().await
    }

    pub(crate) async fn rollback(&mut self) -> Result<()> {
        self.waiting.clear();
        if self.begun {
            self.object()?.batch_execute("rollback").await.map_err(|e| failure(&e))?;
        }
        (self.open, self.begun) = (false, false);
        Ok(())
    }

    pub(crate) async fn query(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>> {
        let mut outcomes = self.run(vec![Asked { sql: sql.to_owned(), values: Values::Each(params.to_vec()) }], None).await?;
        outcomes.pop().map_or(Ok(Vec::new()), |outcome| rows(&outcome))
    }

    /// Several queries, sent together.
    pub(crate) async fn query_each(&mut self, queries: Vec<(String, Vec<Value>)>) -> Result<Vec<Vec<Row>>> {
        let asked = queries.into_iter().map(|(sql, values)| Asked { sql, values: Values::Each(values) }).collect();
        self.run(asked, None).await?.iter().map(rows).collect()
    }

    pub(crate) async fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64> {
        let asked = Asked { sql: sql.to_owned(), values: Values::Each(params.to_vec()) };
        Ok(self.run(vec![asked], None).await?.pop().map_or(0, |outcome| outcome.touched))
    }

    /// Inserts rows in one statement whose text depends on the kinds of the columns only, each of which is bound as an array.
    pub(crate) async fn insert(&mut self, head: &str, columns: usize, rows: &[Vec<Value>], tail: &str) -> Result<u64> {
        let asked = inserting(head, columns, rows, tail)?;
        Ok(self.run(vec![asked], None).await?.pop().map_or(0, |outcome| outcome.touched))
    }

    /// Sends a statement with the next one that somebody waits for.
    pub(crate) async fn send(&mut self, sql: &str, params: &[Value]) -> Result<()> {
        self.wait_with(Asked { sql: sql.to_owned(), values: Values::Each(params.to_vec()) }).await
    }

    /// Like [`Client::insert`], sent with the next statement that somebody waits for.
    pub(crate) async fn send_insert(&mut self, head: &str, columns: usize, rows: &[Vec<Value>], tail: &str) -> Result<()> {
        self.wait_with(inserting(head, columns, rows, tail)?).await
    }

    async fn wait_with(&mut self, asked: Asked) -> Result<()> {
        self.waiting.push(asked);
        if self.waiting.len() >= MOST_WAITING {
            self.run(Vec::new(), None).await?;
        }
        Ok(())
    }

    /// Sends what waits, then `asked`, then a command, and gives what came of each of `asked`. The first failure counts;
    /// after it PostgreSQL refuses the rest.
    async fn run(&mut self, asked: Vec<Asked>, last: Option<&'static str>) -> Result<Vec<Outcome>> {
        let waiting = std::mem::take(&mut self.waiting);
        let object = self.object()?;
        let mut sent = Vec::with_capacity(waiting.len() + asked.len() + 2);
        if self.open && !self.begun {
            sent.push(Sent::Command("begin isolation level read committed"));
        }
        for one in waiting.iter().chain(&asked) {
            sent.push(Sent::Statement(prepare(object, one).await?, &one.values));
        }
        sent.extend(last.map(Sent::Command));
        let first = sent.len() - asked.len() - usize::from(last.is_some());
        // Set first, so that a wait that is given up half-way is cleaned up as well.
        self.begun = self.open;
        let object = self.object()?;
        // Each is sent when it is first polled, which happens in this order.
        let came = join_all(sent.iter().map(|one| one.to(object))).await;
        let mut outcomes = Vec::with_capacity(asked.len());
        for (index, outcome) in came.into_iter().enumerate() {
            let outcome = outcome.map_err(|error| self.failed(&error))?;
            if (first..first + asked.len()).contains(&index) {
                outcomes.push(outcome);
            }
        }
        Ok(outcomes)
    }

    fn failed(&self, error: &tokio_postgres::Error) -> StoreError {
        // Another node changed the table under a prepared statement: prepared anew, it works.
        let stale =
            error.as_db_error().is_some_and(|e| *e.code() == SqlState::FEATURE_NOT_SUPPORTED && e.message().contains("cached plan"));
        if !stale {
            return failure(error);
        }
        if let Some(object) = &self.object {
            object.statement_cache.clear();
        }
        StoreError::Busy
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let Some(object) = self.object.take() else { return };
        if !self.begun {
            return;
        }
        // A connection with an open transaction must not go back to the pool.
        match Handle::try_current() {
            Ok(runtime) => {
                runtime.spawn(async move {
                    if object.batch_execute("rollback").await.is_err() {
                        drop(Object::take(object));
                    }
                });
            }
            Err(_) => drop(Object::take(object)),
        }
    }
}

impl Sent<'_> {
    async fn to(&self, object: &Object) -> std::result::Result<Outcome, tokio_postgres::Error> {
        match self {
            Self::Command(sql) => object.batch_execute(sql).await.map(|()| Outcome { rows: Vec::new(), touched: 0 }),
            // What gives no rows tells how many it touched.
            Self::Statement(statement, values) if statement.columns().is_empty() => {
                object.execute(statement, &values.bound()).await.map(|touched| Outcome { rows: Vec::new(), touched })
            }
            Self::Statement(statement, values) => {
                object.query(statement, &values.bound()).await.map(|rows| Outcome { touched: rows.len() as u64, rows })
            }
        }
    }
}

fn rows(outcome: &Outcome) -> Result<Vec<Row>> {
    outcome.rows.iter().map(row).collect()
}

async fn prepare(object: &Object, asked: &Asked) -> Result<Statement> {
    let statement = object.prepare_cached(&asked.sql).await.map_err(|e| failure(&e))?;
    let (count, given) = (statement.params().len(), asked.values.bound().len());
    if count == given {
        return Ok(statement);
    }
    Err(StoreError::database(format!("the statement has {count} parameters, {given} are given")))
}

/// The statement that inserts rows, each column as an array.
fn inserting(head: &str, columns: usize, rows: &[Vec<Value>], tail: &str) -> Result<Asked> {
    let (mut taken, mut given, mut arrays) = (Vec::new(), Vec::new(), Vec::new());
    for column in 0..columns {
        match array(rows, column)? {
            Some(array) => {
                let kind = array.kind();
                arrays.push(array);
                given.push(format!("cast(${} as {kind}[])", arrays.len()));
                taken.push(format!("c{}", arrays.len()));
            }
            // A bare null takes the type of the column it goes to.
            None => taken.push("null".to_owned()),
        }
    }
    let names: Vec<String> = (1..=arrays.len()).map(|number| format!("c{number}")).collect();
    let sql = format!("{head} select {} from unnest({}) as given ({}) {tail}", taken.join(", "), given.join(", "), names.join(", "));
    Ok(Asked { sql, values: Values::Columns(arrays) })
}

impl Column {
    /// The name of its elements' type.
    fn kind(&self) -> &'static str {
        match self {
            Self::Int(_) => "bigint",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytea",
        }
    }
}

/// One column of the rows; nothing where no row has a value.
fn array(rows: &[Vec<Value>], column: usize) -> Result<Option<Column>> {
    fn all<T>(cells: impl Iterator<Item = Value>, of: impl Fn(Value) -> Option<T>) -> Result<Vec<Option<T>>> {
        let mixed = || StoreError::database("a column has values of two kinds");
        cells.map(|cell| if cell == Value::Null { Ok(None) } else { of(cell).map(Some).ok_or_else(mixed) }).collect()
    }
    let cells = || rows.iter().filter_map(|row| row.get(column)).cloned();
    Ok(match cells().find(|cell| *cell != Value::Null) {
        None | Some(Value::Null) => None,
        Some(Value::Int(_)) => Some(Column::Int(all(cells(), |cell| if let Value::Int(v) = cell { Some(v) } else { None })?)),
        Some(Value::Text(_)) => Some(Column::Text(all(cells(), |cell| if let Value::Text(v) = cell { Some(v) } else { None })?)),
        Some(Value::Bytes(_)) => Some(Column::Bytes(all(cells(), |cell| if let Value::Bytes(v) = cell { Some(v) } else { None })?)),
    })
}
