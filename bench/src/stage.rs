//! A server of the program as it is published, with its own database, and what a figure needs to be there before it is measured.

use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Failure, load::Make, machine, yardsticks};

/// Who owns everything.
const EMAIL: &str = "keeper@bench.example";
const PASSWORD: &str = "a long enough passphrase";
/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// The engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// SQLite in Stoa's own process.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

impl Engine {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// A server and everything around it; all of it goes when this is dropped.
pub struct Stage {
    /// What it keeps its data in.
    pub engine: Engine,
    /// Its data folder; a SQLite file lies in it.
    pub folder: TempDir,
    /// The database as `--database` names it.
    pub database: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// The personal token of the keeper.
    pub token: String,
    /// The keeper's id.
    pub user: String,
    http: reqwest::Client,
    child: Option<Child>,
}

/// A service on the marketplace.
pub struct Service {
    /// Its id.
    pub id: String,
    client_id: String,
    secret: String,
}

/// A subscription in force.
pub struct Subscription {
    /// Its id.
    pub id: String,
    /// A token of the service for it.
    pub token: String,
}

/// The program that is measured: the one beside this one.
///
/// # Errors
/// When it is not built.
pub fn program() -> Result<PathBuf, Failure> {
    let own = std::env::current_exe()?;
    let stoa = own.with_file_name("stoa");
    if stoa.is_file() { Ok(stoa) } else { Err(Failure::new(format!("{} is not built: cargo build --profile dist", stoa.display()))) }
}

impl Stage {
    /// A fresh database with one person, and a running server.
    ///
    /// # Errors
    /// When something does not start.
    pub async fn start(engine: Engine, postgres: Option<&str>) -> Result<Self, Failure> {
        let folder = TempDir::new()?;
        let database = match (engine, postgres) {
            (Engine::Sqlite, _) => format!("sqlite:{}", folder.path().join("stoa.db").display()),
            (Engine::Postgres, Some(server)) => fresh_database(server).await?,
            (Engine::Postgres, None) => return Err(Failure::new("STOA_TEST_POSTGRES names no server")),
        };
        #[expect(clippy::disallowed_methods, reason = "a program of its own, which has its own client")]
        let http = reqwest::Client::builder().timeout(Duration::from_secs(60)).redirect(reqwest::redirect::Policy::none()).build()?;
        let mut stage = Self {
            engine,
            folder,
            database,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            token: String::new(),
            user: String::new(),
            http,
            child: None,
        };
        let created = stage.told(&["users", "create", EMAIL, "--name", "Keeper", "--password-stdin"], PASSWORD)?;
        stage.user = created.split_whitespace().next().unwrap_or_default().to_owned();
        stage.token = stage.told(&["users", "token", EMAIL], "")?;
        stage.restart().await?;
        Ok(stage)
    }

    /// Ends the server and starts it again; the time until it was ready.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn restart(&mut self) -> Result<Duration, Failure> {
        self.stop()?;
        // The port is free again by the time the server takes it; nobody else starts servers here.
        self.address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        let began = machine::now();
        let mut command = Command::new(program()?);
        command.args(["serve", "--listen", &self.address.to_string(), "--log", "warn"]).args(self.place());
        self.child = Some(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?);
        let ready = format!("http://{}/health/ready", self.address);
        loop {
            if self.http.get(&ready).send().await.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(began.elapsed());
            }
            if began.elapsed() > PATIENCE {
                return Err(Failure::new("the server did not get ready"));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// The process of the server.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    fn stop(&mut self) -> Result<(), Failure> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    fn place(&self) -> [String; 4] {
        ["--data".to_owned(), self.folder.path().display().to_string(), "--database".to_owned(), self.database.clone()]
    }

    /// Runs a command of the program and gives what it printed.
    ///
    /// # Errors
    /// When the command fails.
    pub fn told(&self, arguments: &[&str], input: &str) -> Result<String, Failure> {
        let mut command = Command::new(program()?);
        let mut child = command.args(arguments).args(self.place()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            std::io::Write::write_all(&mut stdin, input.as_bytes())?;
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            return Err(Failure::new(format!("stoa {} failed ({})", arguments.join(" "), output.status)));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// The header with the keeper's token.
    pub fn keeper(&self) -> (&'static str, String) {
        ("authorization", format!("Bearer {}", self.token))
    }

    /// A `GET` of the load, with the keeper's token.
    pub fn get(&self, path: &str) -> Make {
        crate::load::get(self.address, path, self.keeper())
    }

    /// Asks something while preparing; what is not a success is a failure.
    ///
    /// # Errors
    /// [`Failure`] with the answer.
    pub async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, Failure> {
        let request = self.http.request(method.clone(), format!("http://{}{path}", self.address)).bearer_auth(&self.token);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        let answer = request.send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            return Err(Failure::new(format!("{method} {path} answered {status}: {text}")));
        }
        if text.is_empty() {
            Ok(Value::Null)
        } else {
            serde_json::from_str(&text).map_err(|error| Failure::new(format!("{path}: {error}")))
        }
    }

    /// Makes something; its id.
    ///
    /// # Errors
    /// [`Failure`] with the answer.
    pub async fn create(&self, path: &str, body: Value) -> Result<String, Failure> {
        member(&self.ask(Method::POST, path, Some(body)).await?, "id")
    }

    /// A new organization of the keeper.
    ///
    /// # Errors
    /// [`Failure`] with the answer.
    pub async fn organization(&self, name: &str) -> Result<String, Failure> {
        self.create("/api/v1/organizations", json!({"name": name})).await
    }

    /// A new project.
    ///
    /// # Errors
    /// [`Failure`] with the answer.
    pub async fn project(&self, organization: &str, name: &str) -> Result<String, Failure> {
        self.create(&format!("/api/v1/organizations/{organization}/projects"), json!({"name": name})).await
    }

    /// A new public service with this many meters, of a provider of its own.
    ///
    /// # Errors
    /// [`Failure`] with the answer.
    pub async fn service(&self, name: &str, meters: usize) -> Result<Service, Failure> {
        let provider = self.organization(&format!("{name} provider")).await?;
        let application = self.ask(Method::POST, "/api/v1/applications", Some(json!({"name": name, "organization": provider}))).await?;
        let (id, client_id) = (member(&application, "id")?, member(&application, "client_id")?);
        let secret = self.ask(Method::POST, &format!("/api/v1/applications/{id}/secrets"), Some(json!({}))).await?;
        let meters: Vec<Value> =
            (0..meters).map(|number| json!({"name": format!("meter-{number}"), "unit": "requests", "unit_price": "0.0000025"})).collect();
        let body = json!({
            "application": id, "name": name, "summary": name, "description": name, "categories": ["storage"], "visibility": "public",
            "contract": {"level": "organization", "permissions": ["resources:read"],
                "plans": [{"name": "Standard", "currency": "EUR", "meters": meters}]},
        });
        let id = self.create(&format!("/api/v1/organizations/{provider}/services"), body).await?;
        self.ask(Method::POST, &format!("/api/v1/services/{id}/publish"), Some(json!({}))).await?;
        Ok(Service { id, client_id, secret: member(&secret, "secret")? })
    }

    /// Subscribes a service for all projects of an organization and gets the service a token.
    ///
    /// # Errors
    /// [`Failure`] with the answer.
    pub async fn subscribe(&self, organization: &str, service: &Service) -> Result<Subscription, Failure> {
        let path = format!("/api/v1/organizations/{organization}/subscriptions");
        let subscription = self.ask(Method::POST, &path, Some(subscribing(&service.id))).await?;
        let form = [("grant_type", "client_credentials"), ("resource", &member(&subscription, "resource")?)];
        let request = self.http.post(format!("http://{}/oauth2/token", self.address)).basic_auth(&service.client_id, Some(&service.secret));
        let answer: Value = request.form(&form).send().await?.error_for_status()?.json().await?;
        Ok(Subscription { id: member(&subscription, "id")?, token: member(&answer, "access_token")? })
    }

    /// Uploads a resource of this size; its path.
    ///
    /// # Errors
    /// [`Failure`] with the answer.
    pub async fn resource(&self, organization: &str, project: &str, size: usize) -> Result<String, Failure> {
        let path = format!("/api/v1/organizations/{organization}/projects/{project}/resources/readings.csv");
        let request = self.http.put(format!("http://{}{path}", self.address)).bearer_auth(&self.token).header("content-type", "text/csv");
        request.body(vec![b'7'; size]).send().await?.error_for_status()?;
        Ok(path)
    }

    /// Signs the keeper in as a browser does; the cookie.
    ///
    /// # Errors
    /// When there is none.
    pub async fn session(&self) -> Result<String, Failure> {
        let form = [("email", EMAIL), ("password", PASSWORD), ("next", "")];
        let base = format!("http://{}", self.address);
        let answer = self.http.post(format!("{base}/sign-in")).header("origin", &base).form(&form).send().await?;
        let cookies = answer.headers().get_all("set-cookie").iter().filter_map(|cookie| cookie.to_str().ok()?.split(';').next());
        let cookies: Vec<&str> = cookies.collect();
        if cookies.is_empty() {
            Err(Failure::new(format!("signing in answered {} without a cookie", answer.status())))
        } else {
            Ok(cookies.join("; "))
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("the server did not end: {error}");
        }
    }
}

/// The body that subscribes a service for all projects.
pub fn subscribing(service: &str) -> Value {
    json!({"service": service, "projects": {"mode": "all", "projects": [], "include_future": "yes"}, "accept_terms": true})
}

/// A text of an answer.
///
/// # Errors
/// When it is not there.
pub fn member(answer: &Value, name: &str) -> Result<String, Failure> {
    let text = answer.get(name).and_then(Value::as_str).map(str::to_owned);
    text.ok_or_else(|| Failure::new(format!("no {name} in {answer}")))
}

/// A new database on a PostgreSQL server, named after this process.
async fn fresh_database(server: &str) -> Result<String, Failure> {
    let name = format!("stoa_bench_{}", std::process::id());
    let client = yardsticks::postgres(server).await?;
    client.batch_execute(&format!("drop database if exists {name}")).await?;
    client.batch_execute(&format!("create database {name}")).await?;
    let (place, _) = server.rsplit_once('/').ok_or_else(|| Failure::new("STOA_TEST_POSTGRES names no database"))?;
    Ok(format!("{place}/{name}"))
}
