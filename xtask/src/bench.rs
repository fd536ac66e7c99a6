//! `cargo xtask bench`: the program as it is published, and a PostgreSQL server that makes commits durable.

use std::process::Command;

use crate::commands::{Outcome, cargo, root, run as run_command};
use crate::generate;
use crate::postgres::Postgres;

/// How the program is built that is published.
const PROFILE: &str = "dist";

/// The variable that names a PostgreSQL server to measure on.
const SERVER: &str = "STOA_TEST_POSTGRES";

/// Builds and measures; the options are those of the benchmark.
pub fn run(options: &[String]) -> Outcome {
    let root = root()?;
    run_command(cargo(&root).args(["build", "--profile", PROFILE, "--locked", "-p", "stoa-cli", "-p", "stoa-bench"]))?;
    let mut command = Command::new(generate::programs_of(&root, PROFILE).join("stoa-bench"));
    command.args(options).current_dir(&root);
    if std::env::var_os(SERVER).is_some_and(|server| !server.is_empty()) {
        return run_command(&mut command);
    }
    let postgres = Postgres::start_durable()?;
    run_command(command.env(SERVER, postgres.url()))
}
