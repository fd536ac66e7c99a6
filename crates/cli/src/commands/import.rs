//! `stoa import`

mod catalogue;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};
use stoa_actions::{
    Act, Caller, Stoa,
    imports::{self, Imported},
};
use stoa_domain::{
    imports::{Entry, ImportRules, ImportedOrganization, read},
    permissions::Role,
};

use super::{Failure, Outcome, failure::print, install};
use crate::config::Config;

/// What can be taken over.
#[derive(Subcommand)]
pub enum Import {
    /// Organizations with their members and teams, from a JSON file; may be repeated
    Organizations(Organizations),
    /// Services of a catalogue, one organization per provider, from a file of JSON lines; may be repeated
    Catalogue(catalogue::Catalogue),
}

/// Which file, and how.
#[derive(Args)]
pub struct Organizations {
    /// A JSON list of {name, description, maintainers, members, teams}
    file: PathBuf,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// What follows the @ of people who are written without an address
    #[arg(long, default_value = "example.org")]
    email_domain: String,
    /// The role of those who are not maintainers: viewer, reviewer or editor
    #[arg(long, default_value = "viewer")]
    member_role: String,
}

/// Takes over.
pub async fn run(config: &Config, command: Import) -> Outcome {
    match command {
        Import::Organizations(how) => organizations(config, how).await,
        Import::Catalogue(how) => catalogue::run(config, how).await,
    }
}

async fn organizations(config: &Config, how: Organizations) -> Outcome {
    let member_role: Role = how.member_role.parse().map_err(Failure::new)?;
    let rules = ImportRules { email_domain: how.email_domain, member_role };
    let text = std::fs::read_to_string(&how.file).map_err(|error| Failure::because(&how.file.display().to_string(), &error))?;
    let entries = read(&text, &rules).map_err(Failure::new)?;
    let stoa = install::stoa(config).await?;
    let outcome = if how.dry_run { rehearse(&stoa, entries).await? } else { take_over(&stoa, entries).await? };
    stoa.db.close().await?;
    outcome.tell(how.dry_run)
}

/// What became of the file.
#[derive(Default)]
struct Total {
    sum: Imported,
    created: usize,
    changed: usize,
    unchanged: usize,
    failed: usize,
}

impl Total {
    fn add(&mut self, name: &str, one: Imported) {
        self.sum.accounts += one.accounts;
        self.sum.members += one.members;
        self.sum.teams += one.teams;
        self.sum.places += one.places;
        let what = match (one.created, one.is_nothing()) {
            (true, _) => {
                self.created += 1;
                "new"
            }
            (false, true) => {
                self.unchanged += 1;
                "as in the file"
            }
            (false, false) => {
                self.changed += 1;
                "completed"
            }
        };
        eprintln!("  {name}: {what}; {}", counts(&one));
    }

    fn fail(&mut self, reasons: impl IntoIterator<Item = String>) {
        self.failed += 1;
        for reason in reasons {
            eprintln!("  WRONG {reason}");
        }
    }

    fn tell(&self, rehearsed: bool) -> Outcome {
        let did = if rehearsed { "would be" } else { "are" };
        if self.created + self.changed + self.failed == 0 {
            print(&format!("nothing to change: all {} organizations are as in the file", self.unchanged))?;
            return Ok(ExitCode::SUCCESS);
        }
        let Self { created, changed, unchanged, failed, sum } = self;
        print(&format!(
            "{created} organizations {did} new, {changed} completed, {unchanged} unchanged, {failed} refused; {}",
            counts(sum)
        ))?;
        Ok(if self.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn counts(one: &Imported) -> String {
    format!("{} accounts, {} members, {} teams, {} places in teams", one.accounts, one.members, one.teams, one.places)
}

fn progress(number: usize, all: usize, one: &ImportedOrganization) {
    eprintln!("{number}/{all} {}: {} members, {} teams", one.name, one.members.len(), one.teams.len());
}

/// Each organization in a transaction of its own: all of it or nothing.
async fn take_over(stoa: &Stoa, entries: Vec<Entry>) -> Result<Total, Failure> {
    let mut total = Total::default();
    let all = entries.len();
    for (index, entry) in entries.into_iter().enumerate() {
        let one = match entry {
            Ok(one) => one,
            Err(faults) => {
                total.fail(faults.iter().map(ToString::to_string));
                continue;
            }
        };
        progress(index + 1, all, &one);
        let mut act = Act::begin(stoa, Caller::system(stoa.clock.now())).await?;
        match imports::organization(&mut act, &one).await {
            Ok(imported) => {
                act.commit().await?;
                total.add(&one.name, imported);
            }
            Err(error) => total.fail([refused(index, &one, error)]),
        }
    }
    Ok(total)
}

/// Everything in one transaction that never comes true, so that what one organization brings is known to the next.
async fn rehearse(stoa: &Stoa, entries: Vec<Entry>) -> Result<Total, Failure> {
    let mut total = Total::default();
    let all = entries.len();
    let mut act = Act::begin(stoa, Caller::system(stoa.clock.now())).await?;
    for (index, entry) in entries.into_iter().enumerate() {
        match entry {
            Ok(one) => {
                progress(index + 1, all, &one);
                match imports::organization(&mut act, &one).await {
                    Ok(imported) => total.add(&one.name, imported),
                    Err(error) => total.fail([refused(index, &one, error)]),
                }
            }
            Err(faults) => total.fail(faults.iter().map(ToString::to_string)),
        }
    }
    Ok(total)
}

fn refused(index: usize, one: &ImportedOrganization, error: stoa_actions::Error) -> String {
    format!("line {}: organization {} ({}), all of it: {}", one.line, index + 1, one.name, Failure::from(error))
}
