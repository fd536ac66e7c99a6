//! What Stoa is compared with, measured in the same run: a server that does nothing, and databases that do nothing else.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tokio_postgres::NoTls;

use crate::{
    Failure,
    load::{Load, Round, get},
    machine,
};

/// The word that makes this program the server that does nothing.
pub const HELLO: &str = "hello-server";

/// Serves `hello` under every path with the HTTP library that Stoa uses, until its standard input closes.
///
/// # Errors
/// When it can't listen.
#[expect(clippy::print_stdout, reason = "its parent reads where it listens")]
pub async fn serve_hello() -> Result<(), Failure> {
    let router = axum::Router::new().fallback(|| async { "hello, world" });
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("{}", listener.local_addr()?);
    // The end of the parent closes it.
    let closed = tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink()));
    tokio::select! {
        served = std::future::IntoFuture::into_future(axum::serve(listener, router)) => served?,
        ended = closed => drop(ended),
    }
    Ok(())
}

/// A running server that does nothing.
pub struct Hello {
    child: Child,
    address: SocketAddr,
}

impl Hello {
    /// Starts it as a process of its own, as Stoa is.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start() -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?).arg(HELLO).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut said = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut said)?;
        }
        let address = said.trim().parse().map_err(|_| Failure::new(format!("the server that does nothing said: {said}")))?;
        Ok(Self { child, address })
    }

    /// The load on it.
    pub fn load(&self, connections: usize) -> Load {
        Load::new(self.address, self.child.id(), connections, &[200], get(self.address, "/", ("accept", "*/*".to_owned())))
    }
}

impl Drop for Hello {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait().map(drop)) {
            eprintln!("the server that does nothing did not end: {error}");
        }
    }
}

/// A database that commits rows and does nothing else, on one connection.
pub struct Commits {
    rows: usize,
    next: u64,
    on: On,
}

enum On {
    Sqlite(rusqlite::Connection),
    Postgres(Box<tokio_postgres::Client>),
}

/// A table with the columns of one report of usage.
const TABLE: &str = "create table bare_rows (id BYTEA not null primary key, parent BYTEA not null, name TEXT not null,
    quantity TEXT not null, at BIGINT not null)";

impl Commits {
    /// On a SQLite file in this folder, with the settings of Stoa's own.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn sqlite(folder: &Path, rows: usize) -> Result<Self, Failure> {
        let connection = rusqlite::Connection::open(folder.join(format!("bare-{rows}.db")))?;
        connection.execute_batch("pragma journal_mode = wal; pragma synchronous = full; pragma mmap_size = 268435456;")?;
        connection.execute_batch(TABLE)?;
        Ok(Self { rows, next: 0, on: On::Sqlite(connection) })
    }

    /// On a database of a PostgreSQL server.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn postgres(url: &str, rows: usize) -> Result<Self, Failure> {
        let client = postgres(url).await?;
        client.batch_execute(&format!("drop table if exists bare_rows; {TABLE}")).await?;
        Ok(Self { rows, next: 0, on: On::Postgres(Box::new(client)) })
    }

    /// Commits for a while; the rate is that of commits.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn round(&mut self, lasts: Duration) -> Result<Round, Failure> {
        let pid = std::process::id();
        let cpu = machine::cpu_seconds(pid)?;
        let began = machine::now();
        let mut done = 0;
        while began.elapsed() < lasts {
            self.commit().await?;
            done += 1;
        }
        let seconds = began.elapsed().as_secs_f64();
        Ok(Round::new(done, seconds, machine::cpu_seconds(pid)? - cpu))
    }

    async fn commit(&mut self) -> Result<(), Failure> {
        const INSERT: &str = "insert into bare_rows (id, parent, name, quantity, at) values ($1, $2, $3, $4, $5)";
        let parent = [7_u8; 16].to_vec();
        match &mut self.on {
            On::Sqlite(connection) => {
                let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
                {
                    let mut insert = transaction.prepare_cached(INSERT)?;
                    for _ in 0..self.rows {
                        self.next += 1;
                        insert.execute((key(self.next), &parent, "requests", "12.5", 1_790_000_000_i64))?;
                    }
                }
                transaction.commit()?;
            }
            On::Postgres(client) => {
                // All rows in one statement, as one would write it with care for the way over the network.
                let first = self.next + 1;
                self.next += self.rows as u64;
                let keys: Vec<Vec<u8>> = (first..=self.next).map(key).collect();
                let sql = "insert into bare_rows (id, parent, name, quantity, at)
                    select id, $2, $3, $4, $5 from unnest(cast($1 as bytea[])) as t (id)";
                let insert = client.prepare_typed(sql, &[]).await?;
                client.execute(&insert, &[&keys, &parent, &"requests", &"12.5", &1_790_000_000_i64]).await?;
            }
        }
        Ok(())
    }
}

/// Keys in the order in which they come, as Stoa's ids are.
fn key(number: u64) -> Vec<u8> {
    let mut key = vec![0_u8; 8];
    key.extend(number.to_be_bytes());
    key
}

/// A connection to PostgreSQL.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn postgres(url: &str) -> Result<tokio_postgres::Client, Failure> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            eprintln!("the connection to PostgreSQL broke: {error}");
        }
    });
    Ok(client)
}
