//! `stoa organizations`

use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use stoa_actions::{
    Act, Caller,
    operators::{self, Kept, Wanted},
    organizations as verbs,
};
use stoa_domain::organizations::{Key, Standing};

use super::{Outcome, failure::print, install};
use crate::config::Config;

/// How many are read at a time.
const PAGE: i64 = 200;

/// What can be done with organizations.
#[derive(Subcommand)]
pub enum Organizations {
    /// List organizations: id, handle, state, name
    List {
        /// A part of name or handle
        #[arg(default_value = "")]
        search: String,
        /// Only those in this state
        #[arg(long)]
        state: Option<State>,
    },
    /// Suspend an organization: its members may look but change nothing, its tokens and grants are closed
    Suspend {
        /// Its handle or id
        organization: String,
        /// Why; its members read it
        #[arg(long)]
        reason: String,
    },
    /// Lift the suspension of an organization
    Unsuspend {
        /// Its handle or id
        organization: String,
    },
    /// Restore a deleted organization, within 14 days
    Restore {
        /// Its handle or id
        organization: String,
        /// Why; its members read it
        #[arg(long)]
        reason: String,
        /// Who becomes its maintainer, where nobody who maintained it has an account any more
        #[arg(long, value_name = "EMAIL")]
        maintainer: Option<String>,
    },
}

/// A state of organizations.
#[derive(Clone, Copy, ValueEnum)]
pub enum State {
    /// Those that work
    Active,
    /// Those that are suspended
    Suspended,
    /// Those that are deleted and not erased
    Deleted,
}

/// Does it.
pub async fn run(config: &Config, command: Organizations) -> Outcome {
    let stoa = install::stoa(config).await?;
    let caller = Caller::system(stoa.clock.now());
    match command {
        Organizations::List { search, state } => {
            let wanted = match state {
                None => Wanted::All,
                Some(State::Active) => Wanted::Active,
                Some(State::Suspended) => Wanted::Suspended,
                Some(State::Deleted) => Wanted::Deleted,
            };
            let mut conn = stoa.db.read().await?;
            let mut after = None;
            loop {
                let from = after.as_ref().map(|(name, id): &(String, _)| (name.as_str(), *id));
                let page = operators::organizations(&mut conn, &caller, wanted, &search, from, PAGE).await?;
                for kept in &page {
                    print(&line(kept))?;
                }
                match page.last() {
                    Some(last) => after = Some((last.organization.name.clone(), last.organization.id)),
                    None => break,
                }
            }
        }
        Organizations::Suspend { organization, reason } => {
            let mut act = Act::begin(&stoa, caller).await?;
            let organization = operators::suspend_organization(&mut act, &Key::read(&organization), &reason).await?;
            act.commit().await?;
            print(&format!("{} is suspended", organization.name))?;
        }
        Organizations::Unsuspend { organization } => {
            let mut act = Act::begin(&stoa, caller).await?;
            let organization = operators::unsuspend_organization(&mut act, &Key::read(&organization)).await?;
            act.commit().await?;
            print(&format!("{} is not suspended", organization.name))?;
        }
        Organizations::Restore { organization, reason, maintainer } => {
            let mut act = Act::begin(&stoa, caller).await?;
            let restoring = verbs::Restoring { reason: &reason, maintainer: maintainer.as_deref() };
            let organization = verbs::restore(&mut act, &Key::read(&organization), restoring).await?;
            act.commit().await?;
            print(&format!(
                "{} is there again: members, projects with their resources, applications and services; \
                 its subscriptions stay ended and its secrets revoked",
                organization.name
            ))?;
        }
    }
    stoa.db.close().await?;
    Ok(ExitCode::SUCCESS)
}

fn line(kept: &Kept) -> String {
    let organization = &kept.organization;
    let until = match kept.standing {
        Standing::Deleted { until } => format!(" (restorable until {until})"),
        Standing::Live | Standing::Suspended | Standing::Erased => String::new(),
    };
    format!("{}  {}  {}{until}  {}", organization.id, organization.handle, kept.standing.word(), organization.name)
}
