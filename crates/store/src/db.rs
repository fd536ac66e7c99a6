//! The database as the rest of Stoa sees it: one handle, connections that read and transactions that write.
//!
//! Which engine runs is asked here and in the two driver files only. Every statement is written once, with `$1`
//! placeholders, for both.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    path::PathBuf,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{
    error::{Result, StoreError},
    given, migrations, postgres, sqlite,
    value::{Row, Value},
};

/// Where the data is kept.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL connection URL.
    Postgres(String),
}

/// Why a text does not name a database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("name the database as sqlite:FILE or postgres://USER:PASSWORD@HOST:PORT/NAME")]
pub struct NotADatabase;

impl FromStr for DatabaseUrl {
    type Err = NotADatabase;

    fn from_str(text: &str) -> std::result::Result<Self, NotADatabase> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(text.to_owned()));
        }
        let file = text.strip_prefix("sqlite:").ok_or(NotADatabase)?;
        // sqlite:///var/lib/stoa.db is a common way to write an absolute path.
        let file = file.strip_prefix("//").unwrap_or(file);
        // A database in memory is another one for each connection, so it cannot serve.
        if file.is_empty() || file == ":memory:" {
            return Err(NotADatabase);
        }
        Ok(Self::Sqlite(PathBuf::from(file)))
    }
}

impl fmt::Display for DatabaseUrl {
    /// Writes it without the password, fit for logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => f.write_str(&postgres::without_secrets(url)),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Which engine runs below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Engine {
    /// SQLite, in this process.
    Sqlite,
    /// PostgreSQL, over the network.
    Postgres,
}

/// A handle on the database; clones share connections and counters.
#[derive(Clone)]
pub struct Db {
    driver: Driver,
    statements: Arc<AtomicU64>,
}

#[derive(Clone)]
enum Driver {
    Sqlite(sqlite::Database),
    Postgres(Arc<postgres::Database>),
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Db").field("engine", &self.engine()).finish_non_exhaustive()
    }
}

impl Db {
    /// Opens the database; a SQLite file is created when there is none.
    pub async fn open(url: &DatabaseUrl) -> Result<Self> {
        let driver = match url {
            DatabaseUrl::Sqlite(path) => Driver::Sqlite(sqlite::Database::open(path)?),
            DatabaseUrl::Postgres(url) => Driver::Postgres(Arc::new(postgres::Database::open(url).await?)),
        };
        Ok(Self { driver, statements: Arc::default() })
    }

    /// Which engine it is.
    pub fn engine(&self) -> Engine {
        match self.driver {
            Driver::Sqlite(_) => Engine::Sqlite,
            Driver::Postgres(_) => Engine::Postgres,
        }
    }

    /// Applies the migrations that are missing and returns how many there were.
    ///
    /// Safe to call from several processes at once: one applies them, the others wait.
    pub async fn migrate(&self) -> Result<usize> {
        if migrations::are_applied(&mut self.read().await?).await? {
            return Ok(0);
        }
        match &self.driver {
            Driver::Sqlite(database) => database.migrate().await,
            Driver::Postgres(database) => database.migrate().await,
        }
    }

    /// The names of the migrations that are not applied yet.
    pub async fn pending_migrations(&self) -> Result<Vec<String>> {
        migrations::pending(&mut self.read().await?).await
    }

    /// A connection to read with. Each statement sees what is committed when it starts.
    pub async fn read(&self) -> Result<Conn> {
        let session = match &self.driver {
            Driver::Sqlite(database) => Session::Reader(database.read().await?),
            Driver::Postgres(database) => Session::Postgres(database.client().await?),
        };
        Ok(self.conn(session))
    }

    /// Begins a transaction. On SQLite there is one at a time: what takes long belongs before or after it.
    ///
    /// Read through the transaction while one is held; a second `begin` in the same task would wait for the first.
    pub async fn begin(&self) -> Result<Tx> {
        let session = match &self.driver {
            Driver::Sqlite(database) => Session::Writer(database.begin().await?),
            Driver::Postgres(database) => {
                let mut client = database.client().await?;
                client.begin();
                Session::Postgres(client)
            }
        };
        Ok(Tx { conn: self.conn(session) })
    }

    fn conn(&self, session: Session) -> Conn {
        Conn { session, statements: Arc::clone(&self.statements), failed: None }
    }

    /// How many statements ran through this handle and its clones, without those that begin and end transactions.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Whether the database answers.
    pub async fn check(&self) -> Result<()> {
        self.read().await?.fetch_one("select 1", &[]).await.map(drop)
    }

    /// Finishes what is being committed and closes all connections; clones of the handle are of no use afterwards.
    pub async fn close(self) -> Result<()> {
        match &self.driver {
            Driver::Sqlite(database) => database.close().await,
            Driver::Postgres(database) => {
                database.close();
                Ok(())
            }
        }
    }
}

/// A connection that reads.
pub struct Conn {
    session: Session,
    statements: Arc<AtomicU64>,
    /// The first failure within a transaction; PostgreSQL refuses all that follows, so SQLite does as well.
    failed: Option<StoreError>,
}

enum Session {
    Reader(sqlite::Reader),
    Writer(sqlite::Writing),
    Postgres(postgres::Client),
}

impl fmt::Debug for Conn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conn").field("engine", &self.engine()).finish_non_exhaustive()
    }
}

impl Conn {
    /// Which engine it is connected to; for the few statements that cannot be the same on both.
    pub fn engine(&self) -> Engine {
        match self.session {
            Session::Reader(_) | Session::Writer(_) => Engine::Sqlite,
            Session::Postgres(_) => Engine::Postgres,
        }
    }

    /// The first row; that there is none is an error.
    pub async fn fetch_one(&mut self, sql: &str, params: &[Value]) -> Result<Row> {
        self.fetch_optional(sql, params)
            .await?
            .ok_or_else(|| StoreError::Corrupt { column: 0, reason: "there is no row where one must be".to_owned() })
    }

    /// The first row, if there is one.
    pub async fn fetch_optional(&mut self, sql: &str, params: &[Value]) -> Result<Option<Row>> {
        Ok(self.query(sql, params, 1).await?.into_iter().next())
    }

    /// All rows.
    pub async fn fetch_all(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>> {
        self.query(sql, params, usize::MAX).await
    }

    /// All rows of a query about many given rows, in one statement: `{rows}` in `sql` becomes a table of them, as in
    /// `with given (a, b) as ({rows}) select … from given cross join t where t.a = given.a`. Written with `cross join`,
    /// SQLite goes through the given rows first and finds each by its key.
    ///
    /// The table is filled up with repetitions to a power of two, so that the caches of prepared statements keep only a
    /// handful of texts: what is found may repeat itself.
    pub async fn fetch_given(&mut self, sql: &str, rows: &[Vec<Value>]) -> Result<Vec<Row>> {
        match given::table(self.engine(), rows)? {
            Some((table, values)) => self.fetch_all(&sql.replace("{rows}", &table), &values).await,
            None => Ok(Vec::new()),
        }
    }

    /// All rows of each of several queries, in their order. PostgreSQL is sent all of them at once, so that many take hardly
    /// longer than one.
    pub async fn fetch_each(&mut self, queries: Vec<(String, Vec<Value>)>) -> Result<Vec<Vec<Row>>> {
        for _ in &queries {
            self.count()?;
        }
        let result = match &mut self.session {
            Session::Reader(reader) => queries.iter().map(|(sql, values)| reader.query(sql, values, usize::MAX)).collect(),
            Session::Writer(writing) => queries.iter().map(|(sql, values)| writing.query(sql, values, usize::MAX)).collect(),
            Session::Postgres(client) => client.query_each(queries).await,
        };
        self.note(result)
    }

    async fn query(&mut self, sql: &str, params: &[Value], limit: usize) -> Result<Vec<Row>> {
        self.count()?;
        let result = match &mut self.session {
            Session::Reader(reader) => reader.query(sql, params, limit),
            Session::Writer(writing) => writing.query(sql, params, limit),
            Session::Postgres(client) => client.query(sql, params).await,
        };
        self.note(result)
    }

    async fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64> {
        self.count()?;
        let result = match &mut self.session {
            Session::Reader(_) => Err(read_only()),
            Session::Writer(writing) => writing.execute(sql, params),
            Session::Postgres(client) => client.execute(sql, params).await,
        };
        self.note(result)
    }

    async fn send(&mut self, sql: &str, params: &[Value]) -> Result<()> {
        self.count()?;
        let result = match &mut self.session {
            Session::Reader(_) => Err(read_only()),
            Session::Writer(writing) => writing.execute(sql, params).map(drop),
            Session::Postgres(client) => client.send(sql, params).await,
        };
        self.note(result)
    }

    async fn send_insert(&mut self, head: &str, columns: usize, rows: &[Vec<Value>], tail: &str) -> Result<()> {
        self.count()?;
        let result = match &mut self.session {
            Session::Reader(_) => Err(read_only()),
            Session::Writer(writing) => writing.execute_each(&one_row(head, columns, tail), rows).map(drop),
            Session::Postgres(client) => client.send_insert(head, columns, rows, tail).await,
        };
        self.note(result)
    }

    async fn insert(&mut self, head: &str, columns: usize, rows: &[Vec<Value>], tail: &str) -> Result<u64> {
        self.count()?;
        let result = match &mut self.session {
            Session::Reader(_) => Err(read_only()),
            Session::Writer(writing) => writing.execute_each(&one_row(head, columns, tail), rows),
            Session::Postgres(client) => client.insert(head, columns, rows, tail).await,
        };
        self.note(result)
    }

    fn count(&self) -> Result<()> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.statements.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn note<T>(&mut self, result: Result<T>) -> Result<T> {
        let in_transaction = match &self.session {
            Session::Reader(_) => false,
            Session::Writer(_) => true,
            Session::Postgres(client) => client.in_transaction(),
        };
        if in_transaction && let Err(error) = &result {
            self.failed = Some(error.clone());
        }
        result
    }
}

/// How rows are held until a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Nobody else holds them meanwhile.
    Alone,
    /// Others may hold them as well as long as they share them too; nobody changes them.
    Shared,
}

/// A transaction. Dropped without [`Tx::commit`], it leaves no trace.
///
/// After a failed statement only rolling back is possible, on both engines; `commit` then returns that failure.
#[derive(Debug)]
pub struct Tx {
    conn: Conn,
}

fn same_width(columns: usize, rows: &[Vec<Value>]) -> Result<()> {
    match rows.iter().find(|row| row.len() != columns) {
        Some(row) => Err(StoreError::database(format!("a row has {} values for {columns} columns", row.len()))),
        None => Ok(()),
    }
}

fn read_only() -> StoreError {
    StoreError::database("a connection that reads cannot write")
}

/// The statement that inserts one row, for SQLite.
fn one_row(head: &str, columns: usize, tail: &str) -> String {
    let marks = vec!["?"; columns].join(", ");
    format!("{head} values ({marks}) {tail}")
}

impl Tx {
    /// Runs a statement and returns how many rows it touched.
    pub async fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64> {
        self.conn.execute(sql, params).await
    }

    /// Inserts many rows: `head` is `insert into t (a, b)`, `tail` may be `on conflict do nothing` or nothing.
    ///
    /// Returns how many rows were inserted. It is one statement, prepared once, whose text does not depend on the number of
    /// rows: PostgreSQL takes each column as an array, SQLite the rows one after the other.
    pub async fn insert_many(&mut self, head: &str, columns: usize, rows: &[Vec<Value>], tail: &str) -> Result<u64> {
        same_width(columns, rows)?;
        if rows.is_empty() {
            return Ok(0);
        }
        self.conn.insert(head, columns, rows, tail).await
    }

    /// Runs a statement of which nothing is expected but that it succeeds. On PostgreSQL it travels with the next statement
    /// that is waited for, or with the commit, and so does its failure; both come before anything else is done.
    pub async fn send(&mut self, sql: &str, params: &[Value]) -> Result<()> {
        self.conn.send(sql, params).await
    }

    /// [`Tx::insert_many`] as [`Tx::send`] does it.
    pub async fn send_many(&mut self, head: &str, columns: usize, rows: &[Vec<Value>], tail: &str) -> Result<()> {
        same_width(columns, rows)?;
        if rows.is_empty() { Ok(()) } else { self.conn.send_insert(head, columns, rows, tail).await }
    }

    /// Selects rows of one table and keeps others from changing them until the transaction ends.
    ///
    /// `sql` is a `select` without a locking clause. On SQLite no other transaction writes meanwhile anyway.
    pub async fn lock(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>> {
        let sql = self.holding(sql, Hold::Alone);
        self.conn.fetch_all(&sql, params).await
    }

    /// A `select` that holds its rows until the transaction ends, for [`Conn::fetch_each`].
    pub fn holding(&self, sql: &str, hold: Hold) -> String {
        match (self.engine(), hold) {
            (Engine::Sqlite, _) => sql.to_owned(),
            // Not `for update`, which would also wait for every insert of a row that refers to this one.
            (Engine::Postgres, Hold::Alone) => format!("{sql} for no key update"),
            (Engine::Postgres, Hold::Shared) => format!("{sql} for share"),
        }
    }

    /// Makes it durable. Returns only when it is: on SQLite perhaps together with its neighbours.
    ///
    /// When the future is dropped while it waits, the transaction may or may not have taken place.
    pub async fn commit(mut self) -> Result<()> {
        if let Some(error) = self.conn.failed.take() {
            return Err(error);
        }
        match self.conn.session {
            Session::Writer(writing) => writing.commit().await,
            Session::Postgres(mut client) => client.commit().await,
            Session::Reader(_) => Ok(()),
        }
    }

    /// Takes it back.
    pub async fn rollback(self) -> Result<()> {
        match self.conn.session {
            Session::Writer(writing) => writing.rollback(),
            Session::Postgres(mut client) => client.rollback().await,
            Session::Reader(_) => Ok(()),
        }
    }
}

impl Deref for Tx {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        &self.conn
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Conn {
        &mut self.conn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_named_by_a_file_or_a_url_and_nothing_else() {
        assert_eq!("sqlite:stoa.db".parse(), Ok(DatabaseUrl::Sqlite(PathBuf::from("stoa.db"))));
        assert_eq!("sqlite:///var/stoa.db".parse(), Ok(DatabaseUrl::Sqlite(PathBuf::from("/var/stoa.db"))));
        assert!(matches!("postgresql://a@b/c".parse(), Ok(DatabaseUrl::Postgres(_))));
        for wrong in ["", "sqlite:", "sqlite::memory:", "mysql://a", "stoa.db"] {
            assert_eq!(wrong.parse::<DatabaseUrl>(), Err(NotADatabase), "{wrong}");
        }
    }

    #[test]
    fn a_database_url_does_not_print_its_password() {
        let url: DatabaseUrl = "postgres://stoa:hush@db.example:5432/stoa?sslmode=require&password=hush".parse().unwrap();
        assert_eq!(format!("{url} {url:?}").matches("hush").count(), 0);
        assert!(url.to_string().contains("db.example"));
    }
}
