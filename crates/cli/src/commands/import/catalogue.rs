//! `stoa import catalogue`

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use stoa_actions::{
    Act, Caller, Stoa,
    imports::catalogue::{self, Taken},
    users,
};
use stoa_domain::{
    imports::catalogue::{ImportedProvider, UnfitProvider, read},
    text,
    users::User,
};

use crate::{
    commands::{Failure, Outcome, failure::print, install},
    config::Config,
};

/// Which file, in whose name.
#[derive(Args)]
pub struct Catalogue {
    /// Lines of {name, provider, service, version, description, categories, license, terms, contact}
    file: PathBuf,
    /// Who becomes the maintainer of the providers' organizations: the address of an account that is there
    #[arg(long, value_name = "EMAIL")]
    maintainer: String,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Takes over.
pub(super) async fn run(config: &Config, how: Catalogue) -> Outcome {
    let text = std::fs::read_to_string(&how.file).map_err(|error| Failure::because(&how.file.display().to_string(), &error))?;
    let providers = read(&text);
    if providers.is_empty() {
        return Err(Failure::new(format!("{} has no lines", how.file.display())));
    }
    let stoa = install::stoa(config).await?;
    let maintainer = maintainer(&stoa, &how.maintainer).await?;
    let outcome =
        if how.dry_run { rehearse(&stoa, &maintainer, providers).await? } else { take_over(&stoa, &maintainer, providers).await? };
    stoa.db.close().await?;
    outcome.tell(how.dry_run)
}

async fn maintainer(stoa: &Stoa, email: &str) -> Result<User, Failure> {
    let email = text::email(email).map_err(|bad| Failure::new(format!("--maintainer: {bad}")))?;
    match users::find_by_email(&mut stoa.db.read().await?, &email).await? {
        Some(user) if user.suspended => {
            Err(Failure::new(format!("the account {email} is suspended; lift that with: stoa users unsuspend {email}")))
        }
        Some(user) => Ok(user),
        None => Err(Failure::new(format!("nobody has an account with the address {email}; create it with: stoa users create {email}"))),
    }
}

/// What became of the file.
#[derive(Default)]
struct Total {
    created: usize,
    sum: Taken,
    failed: usize,
}

impl Total {
    fn add(&mut self, name: &str, one: Taken) {
        self.created += usize::from(one.created);
        self.sum.added += one.added;
        self.sum.changed += one.changed;
        self.sum.unchanged += one.unchanged;
        let what = if one.created { "new" } else { "there" };
        eprintln!("  {name}: {what}; {}", counts(&one));
    }

    fn fail(&mut self, name: &str, reasons: impl IntoIterator<Item = String>) {
        self.failed += 1;
        eprintln!("  WRONG nothing of {} is taken over:", if name.is_empty() { "lines without a provider" } else { name });
        for reason in reasons {
            eprintln!("    {reason}");
        }
    }

    fn tell(&self, rehearsed: bool) -> Outcome {
        let did = if rehearsed { "would be" } else { "are" };
        let Self { created, sum, failed } = self;
        if sum.is_nothing() && *created == 0 && *failed == 0 {
            print(&format!("nothing to change: all {} services are as in the file", sum.unchanged))?;
        } else {
            print(&format!("{created} providers {did} new, {failed} refused; {}", counts(sum)))?;
        }
        Ok(if self.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn counts(one: &Taken) -> String {
    format!("{} services new, {} changed, {} unchanged", one.added, one.changed, one.unchanged)
}

fn progress(number: usize, all: usize, one: &ImportedProvider) {
    eprintln!("{number}/{all} {}: {} services", one.name, one.services.len());
}

type Providers = Vec<Result<ImportedProvider, UnfitProvider>>;

/// Each provider in a transaction of its own: all of it or nothing.
async fn take_over(stoa: &Stoa, maintainer: &User, providers: Providers) -> Result<Total, Failure> {
    let mut total = Total::default();
    let all = providers.len();
    for (index, provider) in providers.into_iter().enumerate() {
        let one = match provider {
            Ok(one) => one,
            Err(unfit) => {
                total.fail(&unfit.name, unfit.faults.iter().map(ToString::to_string));
                continue;
            }
        };
        progress(index + 1, all, &one);
        let mut act = Act::begin(stoa, Caller::user(maintainer.clone(), stoa.clock.now())).await?;
        match catalogue::provider(&mut act, &one).await {
            Ok(taken) => {
                act.commit().await?;
                total.add(&one.name, taken);
            }
            Err(error) => total.fail(&one.name, [Failure::from(error).to_string()]),
        }
    }
    Ok(total)
}

/// Everything in one transaction that never comes true.
async fn rehearse(stoa: &Stoa, maintainer: &User, providers: Providers) -> Result<Total, Failure> {
    let mut total = Total::default();
    let all = providers.len();
    let mut act = Act::begin(stoa, Caller::user(maintainer.clone(), stoa.clock.now())).await?;
    for (index, provider) in providers.into_iter().enumerate() {
        match provider {
            Ok(one) => {
                progress(index + 1, all, &one);
                match catalogue::provider(&mut act, &one).await {
                    Ok(taken) => total.add(&one.name, taken),
                    Err(error) => total.fail(&one.name, [Failure::from(error).to_string()]),
                }
            }
            Err(unfit) => total.fail(&unfit.name, unfit.faults.iter().map(ToString::to_string)),
        }
    }
    Ok(total)
}
