//! A fresh, migrated database for each test, on SQLite and on PostgreSQL.
//!
//! PostgreSQL is taken from `STOA_TEST_POSTGRES` (the URL of a superuser); without it a cluster is started, which all
//! test processes of this user share and which ends by itself when it has been idle for a while.

use std::{
    env,
    fs::{self, File},
    future::Future,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use stoa_store::{DatabaseUrl, Db, migrations};
use tempfile::TempDir;
use tokio::runtime;

use crate::cluster;

/// A database of one test's own; dropping it removes it.
pub struct TestDb {
    /// The open handle.
    pub db: Db,
    /// Where it is, for a second handle or a real server.
    pub url: DatabaseUrl,
    cleanup: Cleanup,
}

enum Cleanup {
    /// The folder of a SQLite file.
    Folder { _folder: TempDir },
    /// A database of the cluster.
    Database(Database),
}

impl TestDb {
    /// Another fresh, migrated database on the same engine.
    pub async fn fresh(&self) -> Self {
        match self.url {
            DatabaseUrl::Sqlite(_) => sqlite().await,
            DatabaseUrl::Postgres(_) => postgres().await,
        }
    }

    /// Closes the handle, so that the database can be copied.
    pub async fn close(&self) {
        self.db.clone().close().await.expect("close the database");
        if let Cleanup::Database(database) = &self.cleanup {
            end_connections(&database.server, &database.name).await;
        }
    }

    /// Another database with what is in this one, which must be closed.
    pub async fn copy(&self) -> Self {
        match (&self.cleanup, &self.url) {
            (Cleanup::Database(database), _) => open_postgres(&database.server, &format!("template {}", database.name)).await,
            (Cleanup::Folder { .. }, DatabaseUrl::Sqlite(path)) => copy_sqlite(path).await,
            (Cleanup::Folder { .. }, DatabaseUrl::Postgres(_)) => unreachable!("a database of a server has no folder"),
        }
    }
}

/// A migrated SQLite file.
pub async fn sqlite() -> TestDb {
    copy_sqlite(&sqlite_template().await).await
}

async fn copy_sqlite(from: &Path) -> TestDb {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("stoa.db");
    fs::copy(from, &path).expect("copy a SQLite file");
    open_sqlite(folder, path).await
}

/// A SQLite file without any table.
pub async fn empty_sqlite() -> TestDb {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("stoa.db");
    open_sqlite(folder, path).await
}

async fn open_sqlite(folder: TempDir, path: PathBuf) -> TestDb {
    let url = DatabaseUrl::Sqlite(path);
    let db = Db::open(&url).await.expect("open SQLite");
    TestDb { db, url, cleanup: Cleanup::Folder { _folder: folder } }
}

/// A migrated PostgreSQL database.
pub async fn postgres() -> TestDb {
    let server = cluster::url().await;
    let template = postgres_template(&server).await;
    open_postgres(&server, &format!("template {template}")).await
}

/// A PostgreSQL database without any table.
pub async fn empty_postgres() -> TestDb {
    let server = cluster::url().await;
    open_postgres(&server, "template template0").await
}

async fn open_postgres(server: &str, template: &str) -> TestDb {
    let name = unique_name();
    cluster::administer(server, &format!("create database {name} {template}")).await.expect("create a database");
    let database = Database { server: server.to_owned(), name };
    let url = DatabaseUrl::Postgres(cluster::with_database(server, &database.name));
    let db = Db::open(&url).await.expect("open PostgreSQL");
    TestDb { db, url, cleanup: Cleanup::Database(database) }
}

/// Runs a test's body on a SQLite database; what [`both_engines!`](crate::both_engines) calls.
pub fn on_sqlite<F: Future<Output = ()>>(body: impl FnOnce(Db) -> F) {
    run(async {
        let test = sqlite().await;
        body(test.db.clone()).await;
    });
}

/// Runs a test's body on a PostgreSQL database; what [`both_engines!`](crate::both_engines) calls.
pub fn on_postgres<F: Future<Output = ()>>(body: impl FnOnce(Db) -> F) {
    run(async {
        let test = postgres().await;
        body(test.db.clone()).await;
    });
}

/// Runs a future on several threads.
pub fn run<F: Future>(body: F) -> F::Output {
    let runtime = runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(body)
}

/// Makes two tests of each function, `name::sqlite` and `name::postgres`, which get a migrated database of their own.
///
/// ```ignore
/// both_engines! {
///     async fn an_organization_is_found_by_its_handle(db: Db) { … }
/// }
/// ```
#[macro_export]
macro_rules! both_engines {
    ($($(#[$attribute:meta])* async fn $name:ident($db:ident : $type:ty) $body:block)+) => {$(
        #[cfg(test)]
        mod $name {
            use super::*;

            $(#[$attribute])*
            async fn body($db: $type) $body

            #[test]
            fn sqlite() {
                $crate::databases::on_sqlite(body);
            }

            #[test]
            fn postgres() {
                $crate::databases::on_postgres(body);
            }
        }
    )+};
}

/// A migrated file that tests copy, made once for each set of migrations.
async fn sqlite_template() -> PathBuf {
    let path = cluster::shared_folder().join(format!("template-{}.db", migrations::fingerprint()));
    let _lock = locked("sqlite");
    if !path.exists() {
        let making = path.with_extension("making");
        for leftover in ["making", "making-wal", "making-shm"] {
            drop(fs::remove_file(path.with_extension(leftover)));
        }
        let db = Db::open(&DatabaseUrl::Sqlite(making.clone())).await.expect("open the template");
        db.migrate().await.expect("migrate the template");
        db.close().await.expect("close the template");
        fs::rename(making, &path).expect("publish the template");
    }
    path
}

/// A migrated database that tests clone, made once for each set of migrations.
async fn postgres_template(server: &str) -> String {
    let name = format!("stoa_template_{}", migrations::fingerprint());
    if cluster::has_database(server, &name).await {
        return name;
    }
    let _lock = locked("postgres-template");
    if cluster::has_database(server, &name).await {
        return name;
    }
    let making = format!("{name}_making");
    let administer = |sql: String| async move { cluster::administer(server, &sql).await.expect("make the template") };
    administer(format!("drop database if exists {making} with (force)")).await;
    administer(format!("create database {making} template template0")).await;
    let url = DatabaseUrl::Postgres(cluster::with_database(server, &making));
    let db = Db::open(&url).await.expect("open the template");
    db.migrate().await.expect("migrate the template");
    db.close().await.expect("close the template");
    end_connections(server, &making).await;
    administer(format!("alter database {making} rename to {name}")).await;
    name
}

/// Ends what is still connected to a database, and waits for it: neither is a database in use renamed nor copied.
async fn end_connections(server: &str, name: &str) {
    let end = format!("select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = '{name}'");
    cluster::administer(server, &end).await.expect("end connections");
}

/// Keeps other test processes out until dropped.
pub(crate) fn locked(name: &str) -> File {
    let path = cluster::shared_folder().join(format!("{name}.lock"));
    let file = File::create(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    file.lock().expect("lock a file");
    file
}

/// Unique on a server that outlives this process and its number.
fn unique_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("t_{}_{}_{}", std::process::id(), now().as_micros(), COUNT.fetch_add(1, Ordering::Relaxed))
}

#[expect(clippy::disallowed_methods, reason = "names and waiting times of tests, nothing that is under test")]
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970")
}

/// A database that is removed when dropped.
struct Database {
    server: String,
    name: String,
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // A thread of its own, because a runtime cannot be entered twice.
        let removal = thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let drop_it = format!("drop database if exists {name} with (force)");
            runtime.block_on(async { cluster::administer(&server, &drop_it).await })
        });
        match removal.join() {
            Ok(Ok(())) => {}
            // Not worth failing a test for: the cluster is a temporary one.
            Ok(Err(error)) => eprintln!("could not drop {}: {error}", self.name),
            Err(_) => eprintln!("could not drop {}", self.name),
        }
    }
}

/// Waits until `probe` gives something; gives up after `limit`.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(limit: Duration, probe: impl Fn() -> F) -> Option<T> {
    let asking = async {
        loop {
            if let Some(found) = probe().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(limit, asking).await.ok()
}

/// Reads a small file, if it is there.
pub(crate) fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// The superuser's URL, if one is given from outside.
pub(crate) fn given_server() -> Option<String> {
    env::var("STOA_TEST_POSTGRES").ok().filter(|url| !url.is_empty())
}
