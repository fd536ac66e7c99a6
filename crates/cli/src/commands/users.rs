//! `stoa users`

use std::{io::Read as _, process::ExitCode};

use clap::Subcommand;
use stoa_actions::{Act, Caller, tokens, users};
use stoa_domain::{
    text,
    tokens::{Lifetime, USUAL_DAYS},
};

use super::{Failure, Outcome, failure::print, install};
use crate::config::Config;

/// What can be done with accounts.
#[derive(Subcommand)]
pub enum Users {
    /// Create an account
    Create {
        /// The address that identifies it
        email: String,
        /// What the person is called
        #[arg(long)]
        name: Option<String>,
        /// The person runs this installation
        #[arg(long)]
        operator: bool,
        /// Read the password from standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Print a new personal token and nothing else
    Token {
        /// The address of the account
        email: String,
        /// What to call the token
        #[arg(long, default_value = "command line")]
        name: String,
        /// How many days the token lives, at most 365
        #[arg(long, value_name = "DAYS", default_value_t = USUAL_DAYS)]
        expires_in_days: i64,
    },
}

/// Does it.
pub async fn run(config: &Config, command: Users) -> Outcome {
    let stoa = install::stoa(config).await?;
    let caller = Caller::system(stoa.clock.now());
    let mut act;
    match command {
        Users::Create { email, name, operator, password_stdin } => {
            let password = if password_stdin { Some(read_password()?) } else { None };
            let prepared = users::prepare(&stoa, users::NewUser { email, name, password, operator }).await?;
            act = Act::begin(&stoa, caller).await?;
            let user = users::create(&mut act, prepared).await?;
            act.commit().await?;
            print(&format!("{} {}", user.id, user.email))?;
        }
        Users::Token { email, name, expires_in_days } => {
            let email = text::email(&email).map_err(Failure::new)?;
            let new = tokens::NewToken { name, lifetime: Lifetime::Days(expires_in_days), organizations: None };
            act = Act::begin(&stoa, caller).await?;
            let user = users::find_by_email(&mut act.tx, &email).await?;
            let user = user.ok_or_else(|| {
                Failure::new(format!("nobody has an account with the address {email}; create it with: stoa users create {email}"))
            })?;
            let (_, secret) = tokens::create_for(&mut act, user.id, new).await?;
            act.commit().await?;
            print(secret.expose())?;
        }
    }
    stoa.db.close().await?;
    Ok(ExitCode::SUCCESS)
}

fn read_password() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin().take(4_096).read_to_string(&mut text).map_err(|error| Failure::because("standard input", &error))?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}
