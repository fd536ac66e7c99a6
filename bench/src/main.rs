//! Measures Stoa against yardsticks of the same run: `cargo xtask bench`.
//!
//! A figure says little on another machine; a ratio says more. So each subject and its yardstick are measured in turns in
//! one run, several rounds each, and what is printed is the ratio of their medians, and the CPU time one answer takes.
#![expect(clippy::float_arithmetic, reason = "medians and ratios of measurements, no money")]

mod bulk;
mod figures;
mod load;
mod machine;
mod report;
mod stage;
mod yardsticks;

use std::{fmt::Display, process::ExitCode, time::Duration};

use clap::Parser;
use figures::Bench;
use report::Plan;
use stage::{Engine, Stage};
use yardsticks::Hello;

/// Why there is no figure.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failure(String);

impl Failure {
    /// A failure with this message.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

macro_rules! from {
    ($($error:ty),* $(,)?) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self { Self(causes(&error)) }
        }
    )*};
}

from!(std::io::Error, hyper::Error, reqwest::Error, rusqlite::Error, tokio_postgres::Error, stoa_store::StoreError);

fn causes(error: &dyn std::error::Error) -> String {
    let source = error.source().map(|source| format!(": {}", causes(source))).unwrap_or_default();
    format!("{error}{source}")
}

/// Measure Stoa against yardsticks of the same run; prints a table in Markdown.
#[derive(Debug, Parser)]
#[command(name = "stoa-bench")]
struct Arguments {
    /// Measure this figure only (may be given several times): footprint, reading, importing, members, map, subscribing,
    /// usage, costs, finding
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Measure on this engine only
    #[arg(long, value_name = "sqlite|postgres", value_parser = engine)]
    engine: Option<Engine>,
    /// Few short rounds on a tenth of the data: to see whether it works
    #[arg(long)]
    quick: bool,
    /// The PostgreSQL server to measure on
    #[arg(long, env = "STOA_TEST_POSTGRES", hide_env_values = true)]
    postgres: Option<String>,
}

fn engine(text: &str) -> Result<Engine, String> {
    match text {
        "sqlite" => Ok(Engine::Sqlite),
        "postgres" => Ok(Engine::Postgres),
        _ => Err("write sqlite or postgres".to_owned()),
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = if std::env::args().nth(1).is_some_and(|word| word == yardsticks::HELLO) {
        yardsticks::serve_hello().await
    } else {
        run(Arguments::parse()).await
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Failure> {
    if let Some(unknown) = arguments.only.iter().find(|name| !figures::NAMES.contains(&name.as_str())) {
        return Err(Failure::new(format!("no figure is called {unknown}; the figures are {}", figures::NAMES.join(", "))));
    }
    let plan = if arguments.quick {
        Plan { rounds: 3, lasts: Duration::from_millis(300), divide: 10 }
    } else {
        Plan { rounds: 7, lasts: Duration::from_secs(1), divide: 1 }
    };
    let machine = machine::description();
    let hello = Hello::start()?;
    let mut lines = Vec::new();
    for engine in [Engine::Sqlite, Engine::Postgres] {
        if arguments.engine.is_some_and(|only| only != engine) {
            continue;
        }
        if engine == Engine::Postgres && arguments.postgres.is_none() {
            progress("STOA_TEST_POSTGRES is not set: SQLite only");
            continue;
        }
        let postgres = arguments.postgres.as_deref();
        let mut stage = Stage::start(engine, postgres).await?;
        for name in figures::NAMES.iter().filter(|name| arguments.only.is_empty() || arguments.only.iter().any(|only| only == *name)) {
            progress(format!("{name} on {}", engine.name()));
            let mut bench = Bench { stage: &mut stage, hello: &hello, plan, postgres };
            let measured = figures::measure(name, &mut bench).await;
            lines.extend(measured.map_err(|failure| Failure::new(format!("{name} on {}: {failure}", engine.name())))?);
        }
    }
    say(format!("{machine}; {} rounds of {} ms, medians [lowest–highest]\n", plan.rounds, plan.lasts.as_millis()));
    say(report::table(&lines));
    Ok(())
}

/// Words for whoever waits.
fn progress(line: impl Display) {
    eprintln!("{line}");
}

#[expect(clippy::print_stdout, reason = "a command of the terminal prints")]
fn say(text: impl Display) {
    println!("{text}");
}
