//! A PostgreSQL server for one run of the tests: its own cluster in a temporary folder, on a free port of the loopback.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::commands::{Failure, Outcome, answer};
use crate::tools;

/// How often another port is tried when somebody else took the free one in between.
const TRIES: usize = 3;

/// Makes the cluster, starts the server, says so, and waits until its standard input closes; then ends the server by its
/// process id and removes the folder. However the tests end, crash and Ctrl-C included, the operating
/// system closes that input, so no server and no folder is left behind.
///
/// The collation is that of a usual server (ICU, en-US), not of C: what relies on the order of bytes must say so.
const KEEPER: &str = r#"
set -eu
umask 077
bin=$1 port=$2
shift 2
read -r password
dir=$(mktemp -d "${TMPDIR:-/tmp}/stoa-postgres.XXXXXX")
server=
finish() { if [ -n "$server" ]; then kill -QUIT "$server" 2>/dev/null || true; wait "$server" || true; fi; rm -rf "$dir"; }
trap finish EXIT
trap '' HUP INT TERM
printf '%s\n' "$password" >"$dir/password"
icu=
if "$bin/initdb" --help | grep -q icu-locale; then icu="--locale-provider=icu --icu-locale=en-US"; fi
"$bin/initdb" -D "$dir/data" -U stoa -E UTF8 --locale=C.UTF-8 $icu --auth=password --pwfile="$dir/password" --no-sync \
  >"$dir/log" 2>&1 || { cat "$dir/log" >&2; exit 1; }
"$bin/postgres" -D "$dir/data" -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
  -c max_connections=300 -c max_wal_size=1GB "$@" >"$dir/log" 2>&1 </dev/null &
server=$!
until "$bin/pg_isready" -q -h 127.0.0.1 -p "$port"; do
  kill -0 "$server" 2>/dev/null || { cat "$dir/log" >&2; exit 1; }
  sleep 0.05
done
echo ready
cat >/dev/null
"#;

/// What a server need not do whose data nobody wants back after a crash.
const CARELESS: [&str; 6] = ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"];

/// A running server; it ends when this is dropped, or when the process that holds it ends.
#[derive(Debug)]
pub struct Postgres {
    keeper: Child,
    url: String,
    bin: PathBuf,
}

impl Postgres {
    /// Starts a server for tests and waits until it accepts connections: fast, and not durable.
    pub fn start() -> Outcome<Self> {
        Self::start_with(&CARELESS)
    }

    /// Starts a server that makes commits durable, as one in use does.
    pub fn start_durable() -> Outcome<Self> {
        Self::start_with(&[])
    }

    fn start_with(settings: &[&str]) -> Outcome<Self> {
        let bin = tools::postgres().ok_or_else(|| {
            Failure::new("no PostgreSQL server found; run `cargo xtask check --only tools` or install the package postgresql")
        })?;
        let mut last = Failure::new("PostgreSQL did not start");
        for _ in 0..TRIES {
            match Self::start_on(&bin, free_port()?, settings) {
                Ok(server) => return Ok(server),
                Err(failure) => last = failure,
            }
        }
        Err(last)
    }

    /// Where it is reached, with an account that may create databases.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The client of the same version.
    pub fn psql(&self) -> PathBuf {
        self.bin.join("psql")
    }

    /// Makes a database of this name and says where it is reached.
    pub fn database(&self, name: &str) -> Outcome<String> {
        let mut command = Command::new(self.psql());
        command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", &format!("create database {name}")]).arg(&self.url);
        let made = command.stdin(Stdio::null()).status().map_err(|error| Failure::new(format!("psql did not start: {error}")))?;
        let place = self.url.rsplit_once('/').map_or(self.url.as_str(), |(server, _)| server);
        if made.success() { Ok(format!("{place}/{name}")) } else { Err(Failure::new(format!("the database {name} could not be made"))) }
    }

    fn start_on(bin: &Path, port: u16, settings: &[&str]) -> Outcome<Self> {
        let password = random_word()?;
        let mut command = as_server_user();
        command.args(["sh", "-c", KEEPER, "postgres-keeper"]).arg(bin).arg(port.to_string()).args(settings);
        command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped());
        // Its own process group: Ctrl-C in the terminal must reach the tests, not the keeper that cleans up after them.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let keeper = command.spawn().map_err(|error| Failure::new(format!("PostgreSQL's keeper did not start: {error}")))?;
        let mut server = Self { keeper, url: format!("postgres://stoa:{password}@127.0.0.1:{port}/postgres"), bin: bin.to_path_buf() };
        server.wait_until_ready(&password).map(|()| server)
    }

    fn wait_until_ready(&mut self, password: &str) -> Outcome {
        let broken = |error: std::io::Error| Failure::new(format!("PostgreSQL's keeper: {error}"));
        if let Some(stdin) = self.keeper.stdin.as_mut() {
            writeln!(stdin, "{password}").map_err(broken)?;
        }
        let mut said = String::new();
        if let Some(stdout) = self.keeper.stdout.take() {
            BufReader::new(stdout).read_line(&mut said).map_err(broken)?;
        }
        if said.trim() == "ready" { Ok(()) } else { Err(Failure::new("PostgreSQL did not start; its own words stand above")) }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        if let Err(error) = self.keeper.wait() {
            eprintln!("the end of the PostgreSQL server could not be awaited: {error}");
        }
    }
}

/// PostgreSQL refuses to run as root, so root hands it to the user that the package made.
fn as_server_user() -> Command {
    let root = answer(Command::new("id").arg("-u")).is_some_and(|id| id.trim() == "0");
    let mut command = Command::new(if root { "runuser" } else { "env" });
    if root {
        command.args(["-u", "postgres", "--"]);
    }
    command
}

fn free_port() -> Outcome<u16> {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| Failure::new(format!("no free port on 127.0.0.1: {error}")))
}

/// A password for one run, so that nobody else on the machine gets in meanwhile.
fn random_word() -> Outcome<String> {
    let mut bytes = [0_u8; 16];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .map_err(|error| Failure::new(format!("/dev/urandom: {error}")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
