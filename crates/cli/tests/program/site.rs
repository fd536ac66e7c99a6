//! An installation of one test's own, and the program that serves it.

use std::{
    path::Path,
    process::{ExitStatus, Stdio},
};

use reqwest::Client;
use serde_json::{Value, json};
use stoa_store::DatabaseUrl;
use stoa_testkit::databases::TestDb;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

/// The person who owns everything in these tests.
const OWNER: &str = "owner@stoa.example";

/// How a command ended, and what it said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// A data folder and a database.
pub struct Site {
    folder: TempDir,
    database: String,
    variables: Vec<(&'static str, String)>,
}

impl Site {
    /// An installation on this database, with one account.
    pub async fn new(db: &TestDb) -> Self {
        Self::with(db, &[]).await
    }

    /// The same with these variables set for the program.
    pub async fn with(db: &TestDb, variables: &[(&'static str, &str)]) -> Self {
        let database = match &db.url {
            DatabaseUrl::Sqlite(path) => format!("sqlite:{}", path.display()),
            DatabaseUrl::Postgres(url) => url.clone(),
        };
        let site = Self {
            folder: tempfile::tempdir().unwrap(),
            database,
            variables: variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
        };
        site.run(&["users", "create", OWNER]).await;
        site
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(self.folder.path());
        command.args(arguments).env("STOA_DATA", self.folder.path().join("data")).env("STOA_DATABASE", &self.database);
        command.envs(self.variables.iter().map(|(name, value)| (*name, value)));
        command
    }

    /// What a command prints that must succeed.
    pub async fn run(&self, arguments: &[&str]) -> String {
        let said = self.say(arguments).await;
        assert_eq!(said.code, 0, "{arguments:?}: {}", said.err);
        said.out
    }

    /// What comes of a command, whether it succeeds or not.
    pub async fn say(&self, arguments: &[&str]) -> Said {
        let output = self.command(arguments).output().await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Said { code: output.status.code().expect("it ended by itself"), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Starts the program and waits until it listens.
    pub async fn serve(&self) -> Program {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next_line().await.unwrap().expect("the program says where it listens");
        let address = line.strip_prefix("Stoa listens on http://").expect(&line).to_owned();
        let token = self.run(&["users", "token", OWNER]).await.trim().to_owned();
        Program { child, address, token }
    }
}

/// A client of this machine only.
#[expect(clippy::disallowed_methods, reason = "the client of tests, which reaches this machine only")]
pub fn client() -> Client {
    Client::builder().no_proxy().tls_certs_only([]).build().unwrap()
}

/// The program with nothing of this process's own configuration.
pub fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stoa"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("STOA_") || name.starts_with("AWS_")) {
        command.env_remove(name);
    }
    command.current_dir(folder).env("STOA_LOG", "warn");
    command
}

/// The program, running.
pub struct Program {
    child: Child,
    pub address: String,
    pub token: String,
}

impl Program {
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Sends a signal, such as `TERM`.
    pub async fn signal(&self, name: &str) {
        let id = self.child.id().expect("it runs").to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().await.unwrap().success());
    }

    /// Waits until it has ended.
    pub async fn ended(mut self) -> ExitStatus {
        self.child.wait().await.unwrap()
    }

    /// Posts JSON and expects 201.
    pub async fn create(&self, path: &str, body: Value) -> Value {
        let response = client().post(self.url(path)).bearer_auth(&self.token).json(&body).send().await.unwrap();
        let status = response.status();
        let answer: Value = response.json().await.unwrap();
        assert_eq!(status, 201, "{answer}");
        answer
    }

    /// Deletes something and expects 204.
    pub async fn delete(&self, path: &str) {
        let response = client().delete(self.url(path)).bearer_auth(&self.token).send().await.unwrap();
        assert_eq!(response.status(), 204, "{path}");
    }

    /// An organization `works` with a project `north`; the address of the project's resources.
    pub async fn project(&self) -> String {
        self.create("/api/v1/organizations", json!({"name": "Works", "handle": "works"})).await;
        self.create("/api/v1/organizations/works/projects", json!({"name": "North", "handle": "north"})).await;
        "/api/v1/organizations/works/projects/north/resources".to_owned()
    }

    /// The handles of all organizations of the owner, over all pages.
    pub async fn organizations(&self) -> Vec<String> {
        let (mut handles, mut cursor) = (Vec::new(), String::new());
        loop {
            let url = self.url(&format!("/api/v1/organizations?limit=200{cursor}"));
            let page: Value = client().get(url).bearer_auth(&self.token).send().await.unwrap().json().await.unwrap();
            let items = page["items"].as_array().expect("a list");
            handles.extend(items.iter().map(|item| item["handle"].as_str().unwrap().to_owned()));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return handles,
            }
        }
    }
}
