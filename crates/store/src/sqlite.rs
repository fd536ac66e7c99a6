//! SQLite: reads in place on a pool of connections, writes through one connection that shares commits.
//!
//! A durable commit costs a write to the disk that no other transaction can use meanwhile. So the transactions that wait
//! for the writer run one after the other as members of one *physical* transaction. It is committed when nobody
//! waits any more or when it is [`SHARED_FOR`] old, and only then are its members told that they took place.

mod statements;
mod writer;

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
    sync::{Mutex as AsyncMutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};

use crate::{
    db::Engine,
    error::{Result, StoreError},
    migrations,
    value::{Row, Value},
};
use statements::{failure, plain_failure, query};
use writer::Writer;

/// How old a physical transaction may grow while others wait to join it.
const SHARED_FOR: Duration = Duration::from_millis(10);
/// When a physical transaction is committed at the latest if those who were to do so went away.
const FLUSH_AFTER: Duration = Duration::from_millis(15);
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

impl Database {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        create_private(path)?;
        let writer = connect(path, false)?;
        let shared = Shared {
            path: path.to_owned(),
            idle: Mutex::default(),
            readers: Arc::new(Semaphore::new(MOST_READERS)),
            writer: Arc::new(AsyncMutex::new(Writer::new(writer))),
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
        let connection = guard.connection_mut()?;
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
        let Some(connection) = guard.close() else { return settled };
        blocking(|| {
            connection.busy_timeout(BUSY_FOR).map_err(|e| failure(&connection, e))?;
            // Readers may still be at work; then the next process to open the file checkpoints. No `pragma optimize`: what it
            // counts while there is little makes SQLite look through whole tables when there is much; without counts it takes the
            // keys.
            if let Err(error) = connection.execute_batch("pragma wal_checkpoint(truncate)") {
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

/// A transaction: the writer, held until it ends.
pub(crate) struct Writing {
    /// `None` once ended.
    guard: Option<OwnedMutexGuard<Writer>>,
    shared: Arc<Shared>,
}

impl Writing {
    pub(crate) fn query(&mut self, sql: &str, params: &[Value], limit: usize) -> Result<Vec<Row>> {
        self.guard.as_mut().ok_or_else(closed)?.query(sql, params, limit)
    }

    pub(crate) fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64> {
        self.guard.as_mut().ok_or_else(closed)?.execute(sql, params)
    }

    /// Runs one statement for each of the rows; answers how many rows they touched together.
    pub(crate) fn execute_each(&mut self, sql: &str, rows: &[Vec<Value>]) -> Result<u64> {
        self.guard.as_mut().ok_or_else(closed)?.execute_each(sql, rows)
    }

    pub(crate) async fn commit(mut self) -> Result<()> {
        let acknowledged = {
            let mut writer = self.guard.take().ok_or_else(closed)?;
            if !writer.is_open() {
                return Err(writer::rolled_back());
            }
            if self.shared.waiting.load(Ordering::SeqCst) == 0 || !writer.may_be_joined(SHARED_FOR) {
                return writer.settle();
            }
            // Whoever comes next commits, or a flush in case nobody does.
            let (acknowledged, first) = writer.join();
            if let Some(generation) = first {
                tokio::spawn(flush(Arc::clone(&self.shared.writer), generation));
            }
            acknowledged
        };
        acknowledged.await.unwrap_or_else(|_| Err(closed()))
    }

    pub(crate) fn rollback(mut self) -> Result<()> {
        self.undo();
        Ok(())
    }

    fn undo(&mut self) {
        let Some(mut writer) = self.guard.take() else { return };
        if !writer.is_open() {
            return;
        }
        writer.undo();
        if (self.shared.waiting.load(Ordering::SeqCst) == 0 || !writer.may_be_joined(SHARED_FOR))
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
    if writer.is_of(generation)
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

/// Applies what is missing; begins again when another process was first, which shows in the history.
fn migrate(connection: &mut Connection, runner: &refinery::Runner) -> Result<usize> {
    loop {
        // Before the first run there is no table of applied migrations, which is as good as an empty one.
        let before = runner.get_applied_migrations(connection).map_or(0, |list| list.len());
        let error = match runner.run(connection) {
            Ok(report) => return Ok(report.applied_migrations().len()),
            Err(error) => error,
        };
        let after = runner.get_applied_migrations(connection).map_or(0, |list| list.len());
        if after <= before {
            return Err(migrations::failure(error));
        }
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
        // Pages that many members write to are written back once, not each time a few of them committed.
        connection.execute_batch("pragma cache_size = -32000; pragma wal_autocheckpoint = 4000;")?;
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
