//! A PostgreSQL cluster for tests: in a temporary folder, on a socket that only its user can reach.

use std::{
    env, fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use tokio::sync::OnceCell;
use tokio_postgres::NoTls;

use crate::databases::{given_server, locked, read, until};

/// How many seconds a cluster stays without being asked for.
const IDLE: u32 = 180;

/// Starts a cluster and ends it when its folder's `used` file has not been touched for a while.
///
/// `$1` is the folder, `$2` the folder of the programs, `$3` the seconds.
const SUPERVISOR: &str = r#"
set -eu
umask 077
rm -rf "$1"
mkdir -p "$1/socket"
touch "$1/used"
"$2/initdb" --pgdata "$1/data" --username postgres --auth trust --encoding UTF8 --locale C --no-sync >"$1/log"
"$2/postgres" -D "$1/data" -k "$1/socket" -c listen_addresses='' -c fsync=off -c synchronous_commit=off \
    -c full_page_writes=off -c max_connections=400 -c shared_buffers=128MB -c autovacuum=off >>"$1/log" 2>&1 &
server=$!
trap 'kill -INT $server; wait $server || true; rm -rf "$1"; exit 0' INT TERM
while kill -0 $server 2>/dev/null; do
    sleep 5 & wait $! || true
    [ -e "$1/used" ] || break
    age=$(( $(date +%s) - $(date -r "$1/used" +%s) ))
    [ "$age" -lt "$3" ] || break
done
kill -INT $server 2>/dev/null || true
wait $server || true
rm -rf "$1"
"#;

/// The URL of a superuser of a running server.
pub(crate) async fn url() -> String {
    static URL: OnceCell<String> = OnceCell::const_new();
    let url = URL
        .get_or_init(|| async {
            match given_server() {
                Some(url) => url,
                None => own_cluster().await,
            }
        })
        .await;
    touch(&cluster_folder());
    url.clone()
}

async fn own_cluster() -> String {
    let folder = cluster_folder();
    let url = format!("postgres://postgres@{}/postgres", folder.join("socket").display().to_string().replace('/', "%2F"));
    let _lock = locked("cluster");
    touch(&folder);
    if answers(&url).await {
        return url;
    }
    start(&folder);
    let ready = until(Duration::from_secs(60), || async { answers(&url).await.then_some(()) }).await;
    if ready.is_none() {
        let log = read(&folder.join("log")).unwrap_or_default();
        panic!("the PostgreSQL cluster in {} did not start:\n{log}", folder.display());
    }
    url
}

fn start(folder: &Path) {
    let programs = programs().unwrap_or_else(|| {
        panic!(
            "These tests need PostgreSQL 14 or newer: install it (Debian, Ubuntu: apt install postgresql; macOS: brew \
             install postgresql) or name a server in STOA_TEST_POSTGRES=postgres://superuser@host/postgres"
        )
    });
    // PostgreSQL refuses to run as root.
    let mut command = if whoami() == "root" {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--", "sh"]);
        command
    } else {
        Command::new("sh")
    };
    command.args(["-c", SUPERVISOR, "stoa-test-postgres"]).arg(folder).arg(programs).arg(IDLE.to_string());
    // It outlives this process, so it must hold none of its streams and not die with its group.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/").process_group(0);
    let mut supervisor = command.spawn().expect("start the supervisor of PostgreSQL");
    // It ends long after this process; should it end before, it is not left a zombie.
    thread::spawn(move || supervisor.wait());
}

#[expect(clippy::disallowed_methods, reason = "a file's time must be the system's")]
fn touch(folder: &Path) {
    // As root the folder is another user's, yet writable; where it is missing the cluster is not there either.
    if let Ok(file) = fs::OpenOptions::new().write(true).open(folder.join("used")) {
        drop(file.set_modified(std::time::SystemTime::now()));
    }
}

async fn answers(url: &str) -> bool {
    administer(url, "select 1").await.is_ok()
}

/// Where the newest installed PostgreSQL keeps its programs.
fn programs() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = env::split_paths(&path).collect();
    for root in ["/usr/lib/postgresql", "/usr/pgsql", "/opt/homebrew/opt", "/usr/local/opt", "/usr/local/pgsql"] {
        let mut found: Vec<PathBuf> = fs::read_dir(root)
            .map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).collect())
            .unwrap_or_default();
        found.sort();
        folders.extend(found.into_iter().rev());
    }
    folders.into_iter().find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file())
}

fn whoami() -> String {
    let output = Command::new("id").arg("-un").output().expect("run id");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The folder of what the test processes of this user share.
pub(crate) fn shared_folder() -> PathBuf {
    let folder = env::temp_dir().join(format!("stoa-tests-{}", whoami()));
    fs::create_dir_all(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    folder
}

fn cluster_folder() -> PathBuf {
    env::temp_dir().join(format!("stoa-postgres-{}", whoami()))
}

/// Runs one statement as the superuser.
pub(crate) async fn administer(server: &str, sql: &str) -> Result<(), tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(server, NoTls).await?;
    let connection = tokio::spawn(connection);
    let result = client.batch_execute(sql).await;
    drop(client);
    // Waits for the server to see us leave; a failure is that of the statement.
    drop(connection.await);
    result
}

/// Whether there is a database of that name.
pub(crate) async fn has_database(server: &str, name: &str) -> bool {
    let (client, connection) = tokio_postgres::connect(server, NoTls).await.expect("connect to PostgreSQL");
    let connection = tokio::spawn(connection);
    let row = client.query_opt("select 1 from pg_database where datname = $1", &[&name]).await;
    drop(client);
    drop(connection.await);
    row.expect("look for a database").is_some()
}

/// The same server's URL with another database.
pub(crate) fn with_database(server: &str, name: &str) -> String {
    let (base, query) = server.split_once('?').map_or((server, None), |(base, query)| (base, Some(query)));
    let authority = base.find("://").map_or(0, |at| at + 3);
    let end = base[authority..].find('/').map_or(base.len(), |at| authority + at);
    let url = format!("{}/{name}", &base[..end]);
    query.map_or(url.clone(), |query| format!("{url}?{query}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_database_of_the_same_server_is_named_in_its_url() {
        assert_eq!(with_database("postgres://a:b@h:1/x?sslmode=disable", "y"), "postgres://a:b@h:1/y?sslmode=disable");
        assert_eq!(with_database("postgres://a@%2Ftmp%2Fs", "y"), "postgres://a@%2Ftmp%2Fs/y");
    }
}
