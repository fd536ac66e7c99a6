//! `stoa configuration`

use std::process::ExitCode;

use clap::Args;
use stoa_store::DatabaseUrl;

use super::{Outcome, failure::print};
use crate::config::{Config, LogFormat, Storage};

/// How to show it.
#[derive(Args)]
pub struct Show {
    /// Print the reference of all keys as Markdown instead
    #[arg(long)]
    pub reference: bool,
}

/// Shows the configuration in force, without passwords, as a `stoa.toml`.
pub fn run(config: &Config) -> Outcome {
    let database = match &config.database {
        DatabaseUrl::Sqlite(path) => format!("sqlite:{}", path.display()),
        DatabaseUrl::Postgres(_) => "postgres://…".to_owned(),
    };
    let storage = match &config.storage {
        Storage::Folder(path) => path.display().to_string(),
        Storage::S3 { bucket, prefix } => format!("s3://{bucket}/{prefix}"),
    };
    let format = match config.log_format {
        LogFormat::Text => "text",
        LogFormat::Json => "json",
    };
    print(&format!("listen = \"{}\"", config.listen))?;
    print(&format!("data = {:?}", config.data))?;
    print(&format!("database = {database:?}"))?;
    print(&format!("public_url = {:?}", config.public_url))?;
    print(&format!("storage = {storage:?}"))?;
    print(&format!("resource_limit = {}", config.resource_limit))?;
    print(&format!("smtp = {:?}", config.mail.shown))?;
    print(&format!("mail_from = {:?}", config.mail.from))?;
    print(&format!("sign_up = {:?}", config.sign_up.to_string()))?;
    print(&format!("address_header = {:?}", config.address_header.as_ref().map_or("", |name| name.as_str())))?;
    print(&format!("log = {:?}", config.log))?;
    print(&format!("log_format = {format:?}"))?;
    Ok(ExitCode::SUCCESS)
}
