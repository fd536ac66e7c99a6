//! Does the main job of a Stoa server from a file of usage, over its HTTP contract only, and proves that it was done.
//!
//! The file has the columns of FinOps FOCUS 1.0. Each billing account becomes an organization, each sub account a
//! project, each service a service with a meter per price. The services are subscribed for the projects that used them,
//! approved, given tokens, and report the file's lines as usage. Then costs, grants and access are compared with the file.
//! It may run again and again on the same server: everything it makes is new.
#![expect(clippy::print_stdout, reason = "a command of the terminal prints")]

mod client;
mod exact;
mod focus;
mod proofs;
mod work;

use std::{fs::File, path::PathBuf, process::ExitCode};

use clap::Parser;
use client::{Client, Failure};
use focus::Focus;

/// The file that is used when none is given.
const SAMPLE: &str = include_str!("../sample.csv");

/// Do the main job of a Stoa server from a FOCUS file and prove that it was done.
#[derive(Debug, Parser)]
#[command(name = "main_job")]
struct Arguments {
    /// Where the server is, such as https://stoa.company.example
    #[arg(long, env = "MAIN_JOB_URL")]
    url: String,
    /// A personal token of the person who owns the organizations that subscribe
    #[arg(long, env = "MAIN_JOB_OWNER_TOKEN", hide_env_values = true)]
    owner_token: String,
    /// A personal token of the person who provides the services; may be the same person
    #[arg(long, env = "MAIN_JOB_PROVIDER_TOKEN", hide_env_values = true)]
    provider_token: String,
    /// A file with the columns of FinOps FOCUS 1.0; without it, a small sample
    #[arg(long, env = "MAIN_JOB_USAGE")]
    usage: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(done) => {
            say(&done);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("main job failed: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<String, Failure> {
    let (focus, source) = read(arguments.usage)?;
    let owner = Client::new(&arguments.url, &arguments.owner_token)?;
    let provider = owner.with_token(&arguments.provider_token);
    let made = work::run(&focus, &source, &owner, &provider).await?;
    proofs::all(&made, &source).await?;
    Ok(format!(
        "main job: {} organizations, {} projects, {} services, {} subscriptions, {} lines of usage: all proofs hold",
        made.organizations.len(),
        made.projects.len(),
        made.services.len(),
        made.subscriptions.len(),
        focus.charges.len()
    ))
}

/// Reads the file, and the name under which its lines are reported.
fn read(path: Option<PathBuf>) -> Result<(Focus, String), Failure> {
    let (name, focus) = match &path {
        None => ("sample.csv".to_owned(), Focus::read(SAMPLE.as_bytes())),
        Some(path) => {
            let file = File::open(path).map_err(|error| Failure::File(format!("{}: {error}", path.display())))?;
            (path.file_name().unwrap_or_default().to_string_lossy().into_owned(), Focus::read(file))
        }
    };
    let checked = focus.and_then(|focus| focus.suffices().map(|()| focus));
    let focus = checked.map_err(|error| Failure::File(format!("{name}: {error}")))?;
    let other = if focus.other_lines == 0 { String::new() } else { format!("; {} lines are no usage", focus.other_lines) };
    say(&format!("{name}: {} lines of usage{other}", focus.charges.len()));
    let source: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '-' }).collect();
    Ok((focus, format!("/focus/{source}")))
}

/// One short line for whoever watches.
fn say(line: &str) {
    println!("{line}");
}
