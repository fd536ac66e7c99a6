//! The commands, one file per verb.

mod configuration;
mod demo;
mod doctor;
mod failure;
mod import;
mod install;
mod migrate;
mod organizations;
mod serve;
mod users;

use std::{process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};

use crate::{
    config::{Config, Options},
    logging,
};

pub use failure::{Failure, Outcome};

/// How long a thread that only blocks is kept without work.
const KEEP_THREADS: Duration = Duration::from_secs(2);

/// A self-hosted marketplace of services for organizations that keep their data in projects.
#[derive(Parser)]
#[command(name = "stoa", version, arg_required_else_help = true)]
pub struct Stoa {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the marketplace
    Serve,
    /// Serve a fresh temporary installation with sample data
    Demo,
    /// People's accounts
    Users {
        #[command(subcommand)]
        command: users::Users,
    },
    /// Organizations of all of this installation
    Organizations {
        #[command(subcommand)]
        command: organizations::Organizations,
    },
    /// Take over data from another system
    Import {
        #[command(subcommand)]
        command: import::Import,
    },
    /// Bring the database to this version
    Migrate,
    /// Look for what is wrong with this installation: configuration, database, event logs
    Doctor,
    /// Print the OpenAPI document
    Openapi,
    /// Show the configuration in force and where each value comes from
    Configuration(configuration::Show),
}

impl Stoa {
    /// Runs the command.
    ///
    /// # Errors
    /// [`Failure`], for people to read.
    pub fn run(self) -> Result<ExitCode, Failure> {
        match &self.command {
            Command::Openapi => {
                failure::print(&stoa_server::openapi().to_pretty_json().map_err(Failure::new)?)?;
                return Ok(ExitCode::SUCCESS);
            }
            Command::Configuration(show) if show.reference => {
                failure::print(crate::config::reference().trim_end())?;
                return Ok(ExitCode::SUCCESS);
            }
            _ => {}
        }
        let config = Config::load(&self.options)?;
        logging::start(&config);
        install::crypto();
        // A thread that ends lets the allocator give memory back to the system: soon, and not ten seconds later.
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.enable_all().thread_keep_alive(KEEP_THREADS).build().map_err(Failure::new)?;
        runtime.block_on(async move {
            match self.command {
                Command::Serve => serve::run(&config).await,
                Command::Demo => demo::run(&config).await,
                Command::Users { command } => users::run(&config, command).await,
                Command::Organizations { command } => organizations::run(&config, command).await,
                Command::Import { command } => import::run(&config, command).await,
                Command::Migrate => migrate::run(&config).await,
                Command::Doctor => doctor::run(&config).await,
                Command::Configuration(_) => configuration::run(&config),
                Command::Openapi => Ok(ExitCode::SUCCESS),
            }
        })
    }
}
