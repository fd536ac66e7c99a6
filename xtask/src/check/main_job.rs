//! The main job against the real program, over HTTP, on both engines.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::Run;
use crate::commands::{Failure, Outcome, run as run_command};
use crate::generate;

/// The file of real usage in the folder that `STOA_SHARED_DATA` names.
const USAGE: &str = "usage-focus.csv";
/// Who pays and who provides.
const PEOPLE: [&str; 2] = ["owner@job.example", "provider@job.example"];

/// Starts a server on each engine and does the job with the sample, and with real usage where there is some.
pub(super) fn run(run: &mut Run) -> Outcome {
    let usage = usage()?;
    run.build()?;
    let programs = generate::programs(run.root());
    let folder = Folder::new(&programs)?;
    let sqlite = format!("sqlite:{}", folder.0.join("stoa.db").display());
    let postgres = run.postgres()?.database("main_job")?;
    for (name, database) in [("sqlite", sqlite), ("postgres", postgres)] {
        println!("-- {name}");
        let data = folder.0.join(name);
        let server = Server::start(&programs, &data, &database)?;
        server.job(usage.as_deref())?;
        server.refuses(&altered(run.root(), &folder.0)?)?;
    }
    Ok(())
}

/// The real file: none without the variable; a variable that names nothing is an error.
fn usage() -> Outcome<Option<PathBuf>> {
    let Some(folder) = std::env::var_os("STOA_SHARED_DATA").filter(|folder| !folder.is_empty()) else {
        println!("STOA_SHARED_DATA is not set: only the sample of the tree is used");
        return Ok(None);
    };
    let file = PathBuf::from(folder).join(USAGE);
    if file.is_file() { Ok(Some(file)) } else { Err(Failure::new(format!("STOA_SHARED_DATA is set, but {} is missing", file.display()))) }
}

/// The sample with another cost in one line, which quantity and price do not make.
fn altered(root: &Path, folder: &Path) -> Outcome<PathBuf> {
    let sample = root.join("examples/main_job/sample.csv");
    let failure = |error: std::io::Error| Failure::new(format!("{}: {error}", sample.display()));
    let text = std::fs::read_to_string(&sample).map_err(failure)?;
    let changed = text.replacen(",0.04600000000,", ",0.04700000000,", 1);
    if changed == text {
        return Err(Failure::new("the sample has no line of 0.046 any more: alter another one"));
    }
    let file = folder.join("altered.csv");
    std::fs::write(&file, changed).map_err(failure)?;
    Ok(file)
}

/// A folder for one run, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(programs: &Path) -> Outcome<Self> {
        let folder = programs.join(format!("main-job-{}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(|error| Failure::new(format!("{}: {error}", folder.display())))?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("{} could not be removed: {error}", self.0.display());
        }
    }
}

/// A running server with two people; it ends when this is dropped.
struct Server {
    child: Child,
    programs: PathBuf,
    address: String,
    tokens: [String; 2],
}

impl Server {
    fn start(programs: &Path, data: &Path, database: &str) -> Outcome<Self> {
        let place: [&std::ffi::OsStr; 4] = ["--data".as_ref(), data.as_os_str(), "--database".as_ref(), database.as_ref()];
        let stoa = || Command::new(programs.join("stoa"));
        let mut command = stoa();
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(place).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| Failure::new(format!("stoa did not start: {error}")))?;
        let output = child.stdout.take();
        let mut server = Self { child, programs: programs.to_path_buf(), address: String::new(), tokens: [const { String::new() }; 2] };
        let mut said = String::new();
        if let Some(output) = output {
            BufReader::new(output).read_line(&mut said).map_err(|error| Failure::new(format!("stoa serve: {error}")))?;
        }
        let address = said.split_whitespace().find(|word| word.starts_with("http://"));
        server.address = address.ok_or_else(|| Failure::new(format!("stoa serve did not say where it listens: {said}")))?.to_owned();
        for (email, token) in PEOPLE.iter().zip(&mut server.tokens) {
            silently(stoa().args(["users", "create", email, "--name", email]).args(place))?;
            *token = silently(stoa().args(["users", "token", email]).args(place))?;
        }
        Ok(server)
    }

    /// The sample by two people, real usage by two people, and the sample once more by one person alone.
    fn job(&self, usage: Option<&Path>) -> Outcome {
        let [owner, provider] = &self.tokens;
        self.once(owner, provider, None)?;
        if usage.is_some() {
            self.once(owner, provider, usage)?;
        }
        self.once(owner, owner, None)
    }

    /// The job must end with a failure when what is billed is not what the file says: the proofs are able to fail.
    fn refuses(&self, usage: &Path) -> Outcome {
        let [owner, provider] = &self.tokens;
        let output = self.command(owner, provider, Some(usage)).output().map_err(|error| Failure::new(format!("main_job: {error}")))?;
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.code() == Some(1) && said.contains("main job failed") {
            println!("an altered file is refused, as it must be: {}", said.trim());
            return Ok(());
        }
        Err(Failure::new(format!("an altered file was not refused ({}): {said}", output.status)))
    }

    fn once(&self, owner: &str, provider: &str, usage: Option<&Path>) -> Outcome {
        run_command(&mut self.command(owner, provider, usage))
    }

    fn command(&self, owner: &str, provider: &str, usage: Option<&Path>) -> Command {
        let mut command = Command::new(self.programs.join("main_job"));
        command.env("MAIN_JOB_OWNER_TOKEN", owner).env("MAIN_JOB_PROVIDER_TOKEN", provider).env_remove("MAIN_JOB_USAGE");
        command.args(["--url", &self.address]).stdin(Stdio::null());
        if let Some(usage) = usage {
            command.arg("--usage").arg(usage);
        }
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            eprintln!("the server of the main job could not be ended: {error}");
        }
    }
}

/// Runs to the end and gives what it printed, without showing it: it may be a secret.
fn silently(command: &mut Command) -> Outcome<String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| Failure::new(format!("stoa did not start: {error}")))?;
    if !output.status.success() {
        // What it says about its failure holds no secret.
        let mut errors = std::io::stderr();
        errors.write_all(&output.stderr).map_err(|error| Failure::new(error.to_string()))?;
        return Err(Failure::new(format!("stoa users failed ({})", output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
