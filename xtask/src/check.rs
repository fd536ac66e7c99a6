//! `cargo xtask check`: the steps of CI, in order. A new step is a new line in [`STEPS`].

mod browser;
mod licences;
mod main_job;
mod tests;
mod words;

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::commands::{Failure, Outcome, cargo, root, run as run_command};
use crate::postgres::Postgres;
use crate::{generate, tools};

/// One part of the check.
struct Step {
    name: &'static str,
    about: &'static str,
    run: fn(&mut Run) -> Outcome,
}

/// The steps. Cheap ones first; the test runners last, so that the last lines of a good run are their own counts.
const STEPS: [Step; 11] = [
    Step { name: "tools", about: "what the system must have beside Rust", run: |run| tools::ensure(run.root()) },
    Step {
        name: "format",
        about: "every Rust file is as rustfmt writes it",
        run: |run| run_command(cargo(run.root()).args(["fmt", "--all", "--check"])),
    },
    Step {
        name: "words",
        about: "nothing is left open, and no machine's own paths and hosts stand in the tree",
        run: |run| words::check(run.root()),
    },
    Step { name: "licences", about: "licences, sources and banned crates, after deny.toml", run: |run| licences::check(run.root()) },
    Step {
        name: "lints",
        about: "clippy over all targets, no warning allowed",
        run: |run| run_command(cargo(run.root()).args(["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])),
    },
    Step { name: "build", about: "every program, test and example", run: Run::build },
    Step {
        name: "generated",
        about: "generated files are what the code generates",
        run: |run| run.build().and_then(|()| generate::compare(run.root())),
    },
    Step { name: "examples", about: "the examples in the documentation of the code", run: tests::documentation },
    Step { name: "main_job", about: "the main job over HTTP against the real program, on both engines", run: main_job::run },
    Step { name: "tests", about: "all Rust tests, on SQLite and on PostgreSQL", run: tests::all },
    Step { name: "browser", about: "the pages of the real program in Chromium", run: browser::tests },
];

/// What the steps of one run share: built and started when first needed.
struct Run {
    root: PathBuf,
    built: bool,
    postgres: Option<Postgres>,
}

impl Run {
    fn root(&self) -> &Path {
        &self.root
    }

    /// Builds the workspace, once in a run.
    fn build(&mut self) -> Outcome {
        if !self.built {
            generate::build(&self.root)?;
            self.built = true;
        }
        Ok(())
    }

    /// The PostgreSQL server of this run.
    fn postgres(&mut self) -> Outcome<&Postgres> {
        if self.postgres.is_none() {
            self.postgres = Some(Postgres::start()?);
        }
        self.postgres.as_ref().ok_or_else(|| Failure::new("PostgreSQL did not start"))
    }
}

/// Prints the steps.
pub fn list() {
    for step in &STEPS {
        println!("{:10} {}", step.name, step.about);
    }
}

/// Runs all steps, or those named. Nothing is printed after the last one, so that its test runner has the last word.
pub fn run(only: &[String]) -> Outcome {
    if let Some(unknown) = only.iter().find(|name| !STEPS.iter().any(|step| step.name == name.as_str())) {
        let known: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        return Err(Failure::new(format!("no step is called {unknown}; the steps are {}", known.join(", "))));
    }
    let mut run = Run { root: root()?, built: false, postgres: None };
    let chosen = STEPS.iter().filter(|step| only.is_empty() || only.iter().any(|name| name == step.name));
    let mut before: Option<(&str, Instant)> = None;
    for step in chosen {
        if let Some((name, since)) = before {
            println!("-- {name}: {:.1} s", since.elapsed().as_secs_f32());
        }
        println!("\n== {}: {}", step.name, step.about);
        before = Some((step.name, now()));
        (step.run)(&mut run).map_err(|failure| {
            let again = format!("cargo xtask check --only {}", step.name);
            Failure::new(format!("{failure}\n\ncheck failed in step `{}`; again alone: {again}", step.name))
        })?;
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the time a step takes is what is reported here")]
fn now() -> Instant {
    Instant::now()
}
