//! `stoa migrate`

use std::process::ExitCode;

use super::{Outcome, failure::print, install};
use crate::config::Config;

/// Brings the database to this version.
pub async fn run(config: &Config) -> Outcome {
    let db = install::database(config).await?;
    let applied = db.migrate().await?;
    db.close().await?;
    print(&match applied {
        0 => "the database is at this version already".to_owned(),
        1 => "1 migration applied".to_owned(),
        many => format!("{many} migrations applied"),
    })?;
    Ok(ExitCode::SUCCESS)
}
