//! The browser tests: node's own test runner drives Chromium against the real program.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Run;
use crate::commands::{Failure, Outcome, run as run_command};
use crate::{generate, tools};

/// Runs every `e2e/tests/*.test.mjs`.
pub(super) fn tests(run: &mut Run) -> Outcome {
    run.build()?;
    let missing = |what: &str| Failure::new(format!("{what} is missing; `cargo xtask check --only tools` installs it"));
    let chromium = tools::chromium().ok_or_else(|| missing("Chromium"))?;
    let node = tools::node(run.root()).ok_or_else(|| missing("Node.js 20 or newer"))?;
    let npm = tools::npm().ok_or_else(|| missing("npm"))?;
    let folder = run.root().join("e2e");
    packages(&folder, &npm)?;
    let files = files(&folder)?;
    let stoa = std::env::var_os("STOA_BIN").map_or_else(|| generate::programs(run.root()).join("stoa"), PathBuf::from);
    // A terminal gets the readable report, a log the one whose last lines are plain counts.
    let reporter = if std::io::stdout().is_terminal() { "spec" } else { "tap" };
    let postgres = run.postgres()?;
    let mut command = Command::new(node);
    command.current_dir(&folder).stdin(Stdio::null());
    command.arg("--test").arg(format!("--test-reporter={reporter}")).arg("--test-concurrency=2").args(files);
    command.env("STOA_BIN", stoa).env("STOA_CHROMIUM", chromium);
    command.env("STOA_TEST_POSTGRES", postgres.url()).env("STOA_PSQL", postgres.psql());
    run_command(&mut command)
}

/// `npm ci`, unless what is installed is already what the lock file says.
fn packages(folder: &Path, npm: &Path) -> Outcome {
    let changed = |name: &str| std::fs::metadata(folder.join(name)).and_then(|data| data.modified()).ok();
    let installed = changed("node_modules/.package-lock.json");
    if installed.is_some() && installed >= changed("package-lock.json") && installed >= changed("package.json") {
        return Ok(());
    }
    run_command(Command::new(npm).args(["ci", "--no-audit", "--no-fund"]).current_dir(folder).stdin(Stdio::null()))
}

fn files(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let tests = folder.join("tests");
    let entries = std::fs::read_dir(&tests).map_err(|error| Failure::new(format!("{}: {error}", tests.display())))?;
    let mut files: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.to_string_lossy().ends_with(".test.mjs")).collect();
    files.sort();
    if files.is_empty() { Err(Failure::new(format!("no browser test in {}", tests.display()))) } else { Ok(files) }
}
