//! SQLite: reads in place on a pool of connections, writes through one connection that shares commits.
//!
//! A durable commit costs a write to the disk that no other transaction can use meanwhile. So the transactions that wait
//! for the writer run one after the other as savepoints of one *physical* transaction. It is committed when nobody
//! waits any more or when it is [`SHARED_FOR`] old, and only then are its members told that they took place.

mod statements;

use std::{
    fs::OpenOptions,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags, config::DbConfig};
use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::{Mutex as AsyncMutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore, oneshot},
    time::{sleep, timeout},
};

use crate::{
    db::Engine,
    error::{Result, StoreError},
    migrations,
    value::{Row, Value},
};
use statements::{execute, execute_each, failure, plain_failure, query};

/// How old a physical transaction may grow while others wait to join it.
const SHARED_FOR: Duration = Duration::from_millis(3);
/// When a physical transaction is committed at the latest if those who were to do so went away.
const FLUSH_AFTER: Duration = Duration::from_millis(5);
/// How long another process may keep the file locked before we give up.
const BUSY_FOR: Duration = Duration::from_secs(5);
/// How long to wait for the writer or a free reader.
const WAIT_FOR: Duration = Duration::from_secs(30);
/// The most connections that read.
const MOST_READERS: usize = 32;
/// How many prepared statements a connection keeps.
const STATEMENTS: usize = 256;

/// An open database file.
#[derive(Clone)]
pub(crate) struct Database {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    readers: Arc<Semaphore>,
    writer: Arc<AsyncMutex<Writer>>,
    /// How many transactions wait for the writer.
    waiting: AtomicUsize,
}

/// The one connection that writes.
struct Writer {
    /// `None` once closed.
    connection: Option<Connection>,
    physical: Option<Physical>,
    /// Counts physical transactions, so that a late flush recognises its own.
    generation: u64,
}

/// An open physical transaction.
struct Physical {
    began: Instant,
    /// Those whose savepoint is released and who wait for the commit.
    pending: Vec<oneshot::Sender<Result<()>>>,
}

impl Database {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        create_private(path)?;
        let writer = connect(path, false)?;
        let shared = Shared {
            path: path.to_owned(),
            idle: Mutex::default(),
            readers: Arc::new(Semaphore::new(MOST_READERS)),
            writer: Arc::new(AsyncMutex::new(Writer { connection: Some(writer), physical: None, generation: 0 })),
            waiting: AtomicUsize::new(0),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    pub(crate) async fn read(&self) -> Result<Reader> {
        let acquire = Arc::clone(&self.shared.readers).acquire_owned();
        let permit = match timeout(WAIT_FOR, acquire).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) => return Err(closed()),
            Err(_) => return Err(StoreError::unavailable("no connection for reading came free")),
        };
        let idle = self.shared.idle.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => connect(&self.shared.path, true)?,
        };
        Ok(Reader { connection: Some(connection), shared: Arc::clone(&self.shared), _permit: permit })
    }

    pub(crate) async fn begin(&self) -> Result<Writing> {
        let mut guard = self.writer().await?;
        let asked = now();
        // Waits without blocking the thread: the lock may be another process's.
        loop {
            match guard.enter() {
                Err(StoreError::Busy) if asked.elapsed() < BUSY_FOR => sleep(Duration::from_millis(5)).await,
                Err(error) => return Err(error),
                Ok(()) => break,
            }
        }
        Ok(Writing { guard: Some(guard), shared: Arc::clone(&self.shared) })
    }

    async fn writer(&self) -> Result<OwnedMutexGuard<Writer>> {
        let _waiting = Waiting::new(&self.shared.waiting);
        timeout(WAIT_FOR, Arc::clone(&self.shared.writer).lock_owned())
            .await
            .map_err(|_| StoreError::unavailable("the connection for writing did not come free"))
    }

    pub(crate) async fn migrate(&self) -> Result<usize> {
        let mut guard = self.writer().await?;
        guard.settle()?;
        let runner = migrations::runner(Engine::Sqlite)?;
        let connection = guard.connection.as_mut().ok_or_else(closed)?;
        blocking(|| {
            connection.busy_timeout(BUSY_FOR).map_err(|e| failure(connection, e))?;
            let applied = migrate(connection, &runner);
            connection.busy_timeout(Duration::ZERO).map_err(|e| failure(connection, e))?;
            applied
        })
    }

    pub(crate) async fn close(&self) -> Result<()> {
        let mut guard = self.writer().await?;
        let settled = guard.settle();
        self.shared.readers.close();
        self.shared.idle.lock().clear();
        let Some(connection) = guard.connection.take() else { return settled };
        blocking(|| {
            connection.busy_timeout(BUSY_FOR).map_err(|e| failure(&connection, e))?;
            // Readers may still be at work; then the next process to open the file checkpoints.
            if let Err(error) = connection.execute_batch("pragma optimize; pragma wal_checkpoint(truncate)") {
                tracing::debug!(%error, "could not checkpoint before closing");
            }
            connection.close().map_err(|(connection, e)| failure(&connection, e))
        })?;
        settled
    }
}

/// Counts somebody who waits for the writer, also when the wait is given up.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Writer {
    fn connection(&self) -> Result<&Connection> {
        self.connection.as_ref().ok_or_else(closed)
    }

    /// Opens a savepoint, and a physical transaction around it if there is none.
    fn enter(&mut self) -> Result<()> {
        if self.physical.is_none() {
            self.run("begin immediate")?;
            self.physical = Some(Physical { began: now(), pending: Vec::new() });
            self.generation += 1;
        }
        self.run("savepoint member").inspect_err(|error| self.abandon(error))
    }

    /// Releases the savepoint.
    fn leave(&mut self) -> Result<()> {
        self.run("release member").inspect_err(|_| self.undo())
    }

    /// Undoes the savepoint; ends the physical transaction if nobody else is part of it.
    fn undo(&mut self) {
        if let Err(error) = self.run("rollback to member").and_then(|()| self.run("release member")) {
            self.abandon(&error);
        }
        if self.physical.as_ref().is_some_and(|physical| physical.pending.is_empty()) {
            self.abandon(&StoreError::Busy);
        }
    }

    /// Commits the physical transaction, if there is one, and tells its members.
    fn settle(&mut self) -> Result<()> {
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

    fn is_young(&self) -> bool {
        self.physical.as_ref().is_some_and(|physical| physical.began.elapsed() < SHARED_FOR)
    }
}

/// A transaction: the writer, held until it ends.
pub(crate) struct Writing {
    /// `None` once ended.
    guard: Option<OwnedMutexGuard<Writer>>,
    shared: Arc<Shared>,
}

impl Writing {
    pub(crate) fn query(&mut self, sql: &str, params: &[Value], limit: usize) -> Result<Vec<Row>> {
        self.on_connection(|connection| query(connection, sql, params, limit))
    }

    pub(crate) fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64> {
        self.on_connection(|connection| execute(connection, sql, params))
    }

    /// Runs one statement for each of the rows; answers how many rows they touched together.
    pub(crate) fn execute_each(&mut self, sql: &str, rows: &[Vec<Value>]) -> Result<u64> {
        self.on_connection(|connection| execute_each(connection, sql, rows))
    }

    fn on_connection<T>(&mut self, run: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let writer = self.guard.as_mut().ok_or_else(closed)?;
        if writer.physical.is_none() {
            return Err(StoreError::database("the transaction was rolled back"));
        }
        let result = run(writer.connection()?);
        if let Err(error) = &result {
            writer.notice(error);
        }
        result
    }

    pub(crate) async fn commit(mut self) -> Result<()> {
        let acknowledged = {
            let mut writer = self.guard.take().ok_or_else(closed)?;
            if writer.physical.is_none() {
                return Err(StoreError::database("the transaction was rolled back"));
            }
            writer.leave()?;
            if self.shared.waiting.load(Ordering::SeqCst) == 0 || !writer.is_young() {
                return writer.settle();
            }
            self.join(&mut writer)
        };
        acknowledged.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Leaves the commit to whoever comes next, and to a flush in case nobody does.
    fn join(&self, writer: &mut Writer) -> oneshot::Receiver<Result<()>> {
        let (member, acknowledged) = oneshot::channel();
        let generation = writer.generation;
        if let Some(physical) = &mut writer.physical {
            if physical.pending.is_empty() {
                tokio::spawn(flush(Arc::clone(&self.shared.writer), generation));
            }
            physical.pending.push(member);
        }
        acknowledged
    }

    pub(crate) fn rollback(mut self) -> Result<()> {
        self.undo();
        Ok(())
    }

    fn undo(&mut self) {
        let Some(mut writer) = self.guard.take() else { return };
        if writer.physical.is_none() {
            return;
        }
        writer.undo();
        if (self.shared.waiting.load(Ordering::SeqCst) == 0 || !writer.is_young())
            && let Err(error) = writer.settle()
        {
            // Its members are told; this transaction wanted to leave nothing anyway.
            tracing::error!(%error, "could not commit the neighbours of a rolled back transaction");
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.undo();
    }
}

async fn flush(writer: Arc<AsyncMutex<Writer>>, generation: u64) {
    sleep(FLUSH_AFTER).await;
    let mut writer = writer.lock_owned().await;
    if writer.generation == generation
        && let Err(error) = writer.settle()
    {
        tracing::error!(%error, "could not commit");
    }
}

/// A connection that reads, given back when dropped.
pub(crate) struct Reader {
    /// `None` only while dropping.
    connection: Option<Connection>,
    shared: Arc<Shared>,
    _permit: OwnedSemaphorePermit,
}

impl Reader {
    pub(crate) fn query(&mut self, sql: &str, params: &[Value], limit: usize) -> Result<Vec<Row>> {
        query(self.connection.as_ref().ok_or_else(closed)?, sql, params, limit)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && !self.shared.readers.is_closed()
        {
            self.shared.idle.lock().push(connection);
        }
    }
}

/// Applies what is missing; begins again when another process got ahead with a part of it.
fn migrate(connection: &mut Connection, runner: &refinery::Runner) -> Result<usize> {
    let mut applied = 0;
    loop {
        // Before the first run there is no table of applied migrations, which is as good as an empty one.
        let before = runner.get_applied_migrations(connection).map_or(0, |list| list.len());
        let error = match runner.run(connection) {
            Ok(report) => return Ok(applied + report.applied_migrations().len()),
            Err(error) => error,
        };
        let own = error.report().map_or(0, |report| report.applied_migrations().len());
        let after = runner.get_applied_migrations(connection).map_or(0, |list| list.len());
        if after <= before + own {
            return Err(migrations::failure(error));
        }
        applied += own;
    }
}

/// Creates the file readable by its owner only; SQLite gives its companions the same rights.
fn create_private(path: &Path) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(StoreError::unavailable(format!("{}: {error}", path.display()))),
    }
}

fn connect(path: &Path, reads_only: bool) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(plain_failure)?;
    let set_up = |connection: &Connection| -> rusqlite::Result<()> {
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        // Otherwise SQLite plans a prepared statement anew whenever another value is bound to it, which takes longer than
        // running it.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.busy_timeout(BUSY_FOR)?;
        connection.execute_batch(
            "pragma journal_mode = wal;
             pragma synchronous = full;
             pragma foreign_keys = on;
             pragma temp_store = memory;
             pragma mmap_size = 268435456;
             pragma journal_size_limit = 67108864;",
        )?;
        if reads_only {
            return connection.execute_batch("pragma cache_size = -4000; pragma query_only = on;");
        }
        connection.execute_batch("pragma cache_size = -32000;")?;
        // The writer waits for other processes by itself, without blocking the thread.
        connection.busy_timeout(Duration::ZERO)
    };
    set_up(&connection).map_err(|e| failure(&connection, e))?;
    connection.set_transaction_behavior(rusqlite::TransactionBehavior::Immediate);
    Ok(connection)
}

fn closed() -> StoreError {
    StoreError::unavailable("the database is closed")
}

/// Runs what waits for the disk without holding up the other tasks of this thread, where the runtime can.
fn blocking<T>(run: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(run),
        _ => run(),
    }
}

/// How long the lock was waited for and a commit has been open is measured; nothing stored depends on it.
#[expect(clippy::disallowed_methods, reason = "measures waiting, not the time of what is stored")]
fn now() -> Instant {
    Instant::now()
}
