//! The project's own commands: `cargo xtask check` is the whole of CI, `cargo xtask generate` rewrites what is generated,
//! `cargo xtask bench` measures.
#![expect(clippy::print_stdout, reason = "a command of the terminal prints")]

mod bench;
mod check;
mod commands;
mod generate;
mod postgres;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Commands for those who work on Stoa.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything CI runs, in the same order; stops at the first step that fails.
    Check {
        /// Run this step only (may be given several times).
        #[arg(long, value_name = "STEP")]
        only: Vec<String>,
        /// Print the steps and what they do, and run none.
        #[arg(long)]
        list: bool,
    },
    /// Write the generated files of the tree anew.
    Generate,
    /// Measure the program as it is published (profile `dist`) against yardsticks of the same run, on SQLite and on PostgreSQL.
    Bench {
        /// Options of the benchmark, such as `--quick`, `--only reading`, `--engine sqlite`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
        options: Vec<String>,
    },
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Check { list: true, .. } => {
            check::list();
            Ok(())
        }
        Command::Check { only, list: false } => check::run(&only),
        Command::Bench { options } => bench::run(&options),
        Command::Generate => commands::root().and_then(|root| generate::write(&root)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\n{failure}");
            ExitCode::FAILURE
        }
    }
}
