//! The Rust tests.

use super::Run;
use crate::commands::{Outcome, answer, cargo, run as run_command};

/// The tests in the documentation of the code.
pub(super) fn documentation(run: &mut Run) -> Outcome {
    run_command(cargo(run.root()).args(["test", "--workspace", "--doc", "--locked", "--quiet"]))
}

/// All other tests, each on both engines; with nextest where it is installed.
pub(super) fn all(run: &mut Run) -> Outcome {
    run.build()?;
    let url = run.postgres()?.url().to_owned();
    let root = run.root();
    let mut command = cargo(root);
    if answer(cargo(root).args(["nextest", "--version"])).is_some() {
        command.args(["nextest", "run", "--workspace", "--locked", "--no-fail-fast"]);
        command.args(["--status-level", "slow", "--final-status-level", "flaky", "--show-progress", "none"]);
    } else {
        println!("cargo-nextest is not installed: cargo test runs the tests");
        command.args(["test", "--workspace", "--locked", "--no-fail-fast", "--lib", "--bins", "--tests"]);
    }
    run_command(command.env("STOA_TEST_POSTGRES", url))
}
