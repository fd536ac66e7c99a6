//! The one connection that writes, and how the members of a physical transaction take themselves back.
//!
//! A savepoint for each member would make SQLite copy every page that the member is the first to touch, and all members
//! touch the same pages. So there is one savepoint for many members, together with what they wrote. A member that takes itself
//! back is always the last one: everything since the savepoint is undone, and what the others wrote is written again.

use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{
    blocking, closed, now,
    statements::{self, failure},
};
use crate::{
    error::{Result, StoreError},
    value::{Row, Value},
};

/// How much is kept to be written again, in bytes. A member with more is committed at once.
const MOST_KEPT: usize = 4 * 1024 * 1024;

/// The one connection that writes.
pub(super) struct Writer {
    /// `None` once closed.
    connection: Option<Connection>,
    physical: Option<Physical>,
    /// Counts physical transactions, so that a late flush recognises its own.
    generation: u64,
}

/// An open physical transaction.
struct Physical {
    began: Instant,
    /// Those who have run and wait for the commit.
    pending: Vec<oneshot::Sender<Result<()>>>,
    /// The savepoint that a member can go back to; the first one needs none.
    savepoint: Option<Savepoint>,
}

/// What was written since a savepoint.
#[derive(Default)]
struct Savepoint {
    writes: Vec<Write>,
    /// How many of them were there when the present member came.
    before: usize,
    bytes: usize,
}

/// A statement that changed something.
enum Write {
    Once(String, Vec<Value>),
    Each(String, Vec<Vec<Value>>),
}

impl Savepoint {
    fn note(&mut self, write: impl FnOnce() -> Write) {
        if self.is_whole() {
            let write = write();
            self.bytes += write.bytes();
            self.writes.push(write);
        }
    }

    /// Whether everything since the savepoint is kept.
    fn is_whole(&self) -> bool {
        self.bytes <= MOST_KEPT
    }
}

impl Write {
    fn bytes(&self) -> usize {
        fn of(values: &[Value]) -> usize {
            values.iter().map(Value::bytes).sum()
        }
        match self {
            Self::Once(sql, values) => sql.len() + of(values),
            Self::Each(sql, rows) => sql.len() + rows.iter().map(|row| of(row)).sum::<usize>(),
        }
    }

    fn run(&self, connection: &Connection) -> Result<()> {
        match self {
            Self::Once(sql, values) => statements::query(connection, sql, values, usize::MAX).map(drop),
            Self::Each(sql, rows) => statements::execute_each(connection, sql, rows).map(drop),
        }
    }
}

/// Why nothing can be done in a transaction any more.
pub(super) fn rolled_back() -> StoreError {
    StoreError::database("the transaction was rolled back")
}

impl Writer {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection: Some(connection), physical: None, generation: 0 }
    }

    fn connection(&self) -> Result<&Connection> {
        self.connection.as_ref().ok_or_else(closed)
    }

    pub(super) fn connection_mut(&mut self) -> Result<&mut Connection> {
        self.connection.as_mut().ok_or_else(closed)
    }

    /// Takes the connection away for good.
    pub(super) fn close(&mut self) -> Option<Connection> {
        self.connection.take()
    }

    /// Whether a physical transaction is open.
    pub(super) fn is_open(&self) -> bool {
        self.physical.is_some()
    }

    /// Whether the present physical transaction, if any, is that one.
    pub(super) fn is_of(&self, generation: u64) -> bool {
        self.generation == generation
    }

    /// Opens a physical transaction if there is none, or a savepoint for those who follow its first member.
    pub(super) fn enter(&mut self) -> Result<()> {
        match &mut self.physical {
            None => {
                self.run("begin immediate")?;
                self.physical = Some(Physical { began: now(), pending: Vec::new(), savepoint: None });
                self.generation += 1;
                return Ok(());
            }
            Some(Physical { savepoint: Some(savepoint), .. }) => {
                savepoint.before = savepoint.writes.len();
                return Ok(());
            }
            Some(Physical { savepoint: None, .. }) => {}
        }
        self.run("savepoint members").inspect_err(|error| self.abandon(error))?;
        if let Some(physical) = &mut self.physical {
            physical.savepoint = Some(Savepoint::default());
        }
        Ok(())
    }

    pub(super) fn query(&mut self, sql: &str, params: &[Value], limit: usize) -> Result<Vec<Row>> {
        let wrote = || Write::Once(sql.to_owned(), params.to_vec());
        self.on_connection(|connection| statements::query_noting(connection, sql, params, limit), wrote)
    }

    pub(super) fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64> {
        let wrote = || Write::Once(sql.to_owned(), params.to_vec());
        self.on_connection(|connection| Ok((statements::execute(connection, sql, params)?, true)), wrote)
    }

    pub(super) fn execute_each(&mut self, sql: &str, rows: &[Vec<Value>]) -> Result<u64> {
        let wrote = || Write::Each(sql.to_owned(), rows.to_vec());
        self.on_connection(|connection| Ok((statements::execute_each(connection, sql, rows)?, true)), wrote)
    }

    /// Runs something that tells whether it may have changed anything. What failed half-way is noted as well, so that it is
    /// undone with the rest of its member; its member ends with that.
    fn on_connection<T>(&mut self, run: impl FnOnce(&Connection) -> Result<(T, bool)>, wrote: impl FnOnce() -> Write) -> Result<T> {
        if self.physical.is_none() {
            return Err(rolled_back());
        }
        let result = run(self.connection()?);
        if let Err(error) = &result {
            self.notice(error);
        }
        if result.as_ref().map_or(true, |(_, changed)| *changed)
            && let Some(savepoint) = self.physical.as_mut().and_then(|physical| physical.savepoint.as_mut())
        {
            savepoint.note(wrote);
        }
        result.map(|(value, _)| value)
    }

    /// Undoes what the present member wrote; ends the physical transaction if nobody else is part of it.
    pub(super) fn undo(&mut self) {
        let undone = match self.physical.as_mut().map(|physical| (physical.pending.is_empty(), physical.savepoint.take())) {
            None => return,
            Some((true, _)) => Err(StoreError::Busy),
            Some((false, Some(savepoint))) if savepoint.writes.len() == savepoint.before && savepoint.is_whole() => {
                if let Some(physical) = &mut self.physical {
                    physical.savepoint = Some(savepoint);
                }
                Ok(())
            }
            Some((false, Some(savepoint))) => self.redo(&savepoint),
            Some((false, None)) => Err(rolled_back()),
        };
        if let Err(error) = undone {
            self.abandon(&error);
        }
    }

    /// Goes back to the savepoint and writes again what was written before the present member came.
    fn redo(&self, savepoint: &Savepoint) -> Result<()> {
        self.run("rollback to members")?;
        self.run("release members")?;
        let connection = self.connection()?;
        savepoint.writes.iter().take(savepoint.before).try_for_each(|write| write.run(connection))
    }

    /// Leaves the commit to those who come next. Answers what tells of it, and the generation if nobody waited before.
    pub(super) fn join(&mut self) -> (oneshot::Receiver<Result<()>>, Option<u64>) {
        let (member, acknowledged) = oneshot::channel();
        let Some(physical) = &mut self.physical else { return (acknowledged, None) };
        let first = physical.pending.is_empty().then_some(self.generation);
        physical.pending.push(member);
        (acknowledged, first)
    }

    /// Whether the physical transaction is younger than that, and others may still join it.
    pub(super) fn may_be_joined(&self, young: Duration) -> bool {
        self.physical
            .as_ref()
            .is_some_and(|physical| physical.began.elapsed() < young && physical.savepoint.as_ref().is_none_or(Savepoint::is_whole))
    }

    /// Commits the physical transaction, if there is one, and tells its members.
    pub(super) fn settle(&mut self) -> Result<()> {
        if self.physical.is_none() {
            return Ok(());
        }
        if let Err(error) = blocking(|| self.run("commit")) {
            self.abandon(&error);
            return Err(error);
        }
        for member in self.physical.take().map(|physical| physical.pending).unwrap_or_default() {
            // A member that went away no longer wants to know.
            drop(member.send(Ok(())));
        }
        Ok(())
    }

    /// Rolls the physical transaction back and tells its members why.
    fn abandon(&mut self, error: &StoreError) {
        if self.connection.as_ref().is_some_and(|connection| !connection.is_autocommit())
            && let Err(error) = self.run("rollback")
        {
            tracing::error!(%error, "could not roll back");
        }
        for member in self.physical.take().map(|physical| physical.pending).unwrap_or_default() {
            drop(member.send(Err(error.clone())));
        }
    }

    /// After a failed statement: SQLite may have rolled back everything (a full disk), members included.
    fn notice(&mut self, error: &StoreError) {
        if self.connection.as_ref().is_none_or(Connection::is_autocommit) {
            self.abandon(error);
        }
    }

    fn run(&self, sql: &str) -> Result<()> {
        let connection = self.connection()?;
        connection.prepare_cached(sql).and_then(|mut statement| statement.raw_execute()).map(drop).map_err(|e| failure(connection, e))
    }
}
