//! `stoa users`

use std::{io::Read as _, process::ExitCode};

use clap::Subcommand;
use stoa_actions::{Act, Caller, Stoa, operators, tokens, users};
use stoa_domain::{
    ids::UserId,
    text,
    tokens::{Lifetime, USUAL_DAYS},
};

use super::{Failure, Outcome, failure::print, install};
use crate::config::Config;

/// How many accounts are read at a time.
const PAGE: i64 = 200;

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
    /// List accounts: id, address, what it is, name
    List {
        /// A part of address or name
        #[arg(default_value = "")]
        search: String,
    },
    /// Suspend an account: nobody signs in to it, and its tokens are refused
    Suspend {
        /// The address of the account
        email: String,
    },
    /// Lift the suspension of an account
    Unsuspend {
        /// The address of the account
        email: String,
    },
    /// Make somebody an operator, who runs this installation
    MakeOperator {
        /// The address of the account
        email: String,
    },
    /// Take that back; an installation keeps at least one operator
    UnmakeOperator {
        /// The address of the account
        email: String,
    },
    /// Take away the authenticator app, recovery codes and passkeys of somebody who has lost them
    ResetSecondFactors {
        /// The address of the account
        email: String,
        /// Why; the person and their organizations read it
        #[arg(long)]
        reason: String,
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
        Users::List { search } => list(&stoa, &caller, &search).await?,
        Users::Suspend { email } => {
            act = Act::begin(&stoa, caller).await?;
            let id = account(&mut act, &email).await?;
            let user = operators::suspend_user(&mut act, id).await?;
            act.commit().await?;
            print(&format!("{} is suspended", user.email))?;
        }
        Users::Unsuspend { email } => {
            act = Act::begin(&stoa, caller).await?;
            let id = account(&mut act, &email).await?;
            let user = operators::unsuspend_user(&mut act, id).await?;
            act.commit().await?;
            print(&format!("{} is not suspended", user.email))?;
        }
        Users::MakeOperator { email } => {
            act = Act::begin(&stoa, caller).await?;
            let id = account(&mut act, &email).await?;
            let user = operators::set_operator(&mut act, id, true).await?;
            act.commit().await?;
            print(&format!("{} is an operator", user.email))?;
        }
        Users::UnmakeOperator { email } => {
            act = Act::begin(&stoa, caller).await?;
            let id = account(&mut act, &email).await?;
            let user = operators::set_operator(&mut act, id, false).await?;
            act.commit().await?;
            print(&format!("{} is no operator", user.email))?;
        }
        Users::ResetSecondFactors { email, reason } => {
            act = Act::begin(&stoa, caller).await?;
            let id = account(&mut act, &email).await?;
            let user = operators::reset_second_factors(&mut act, id, &reason).await?;
            act.commit().await?;
            print(&format!("{} has no second factors any more; their sessions have ended, and they are told by mail", user.email))?;
        }
        Users::Token { email, name, expires_in_days } => {
            let new = tokens::NewToken { name, lifetime: Lifetime::Days(expires_in_days), organizations: None };
            act = Act::begin(&stoa, caller).await?;
            let id = account(&mut act, &email).await?;
            let (_, secret) = tokens::create_for(&mut act, id, new).await?;
            act.commit().await?;
            print(secret.expose())?;
        }
    }
    stoa.db.close().await?;
    Ok(ExitCode::SUCCESS)
}

async fn account(act: &mut Act, email: &str) -> Result<UserId, Failure> {
    let email = text::email(email).map_err(Failure::new)?;
    let user = users::find_by_email(&mut act.tx, &email).await?.ok_or_else(|| {
        Failure::new(format!("nobody has an account with the address {email}; create it with: stoa users create {email}"))
    })?;
    Ok(user.id)
}

async fn list(stoa: &Stoa, caller: &Caller, search: &str) -> Result<(), Failure> {
    let mut conn = stoa.db.read().await?;
    let mut after: Option<String> = None;
    loop {
        let page = operators::users(&mut conn, caller, search, after.as_deref(), PAGE).await?;
        for user in &page {
            let what = match (user.operator, user.suspended) {
                (_, true) => "suspended",
                (true, false) => "operator",
                (false, false) => "user",
            };
            print(&format!("{}  {}  {what}  {}", user.id, user.email, user.name))?;
        }
        match page.last() {
            Some(last) => after = Some(last.email.clone()),
            None => return Ok(()),
        }
    }
}

fn read_password() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin().take(4_096).read_to_string(&mut text).map_err(|error| Failure::because("standard input", &error))?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}
