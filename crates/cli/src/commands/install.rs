//! From the configuration to a working installation.

use std::sync::Arc;

use stoa_access::Access;
use stoa_actions::{Limits, Plans, Stoa};
use stoa_server::App;
use stoa_store::{DatabaseUrl, Db, blobs::Blobs};

use super::Failure;
use crate::{
    config::{Config, Storage},
    system::{SystemClock, SystemEntropy},
};

/// Chooses the one provider of cryptography for TLS.
pub fn crypto() {
    // Fails only when one was chosen before, which would be this one.
    let _chosen = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// Opens the database, making its folder if it is a file.
///
/// # Errors
/// [`Failure`].
pub async fn database(config: &Config) -> Result<Db, Failure> {
    if let DatabaseUrl::Sqlite(path) = &config.database
        && let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder).map_err(|error| Failure::because(&format!("the folder {}", folder.display()), &error))?;
    }
    Ok(Db::open(&config.database).await?)
}

fn blobs(config: &Config) -> Result<Blobs, Failure> {
    match &config.storage {
        Storage::Folder(folder) => {
            std::fs::create_dir_all(folder).map_err(|error| Failure::because(&format!("the folder {}", folder.display()), &error))?;
            Ok(Blobs::directory(folder)?)
        }
        Storage::S3 { bucket, prefix } => Ok(Blobs::s3(bucket, prefix)?),
    }
}

/// The installation, with its database at this version.
///
/// # Errors
/// [`Failure`].
pub async fn stoa(config: &Config) -> Result<Stoa, Failure> {
    let db = database(config).await?;
    db.migrate().await?;
    Ok(Stoa {
        blobs: blobs(config)?,
        access: Access::new(db.clone()),
        plans: Plans::default(),
        db,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        public_url: config.public_url.as_str().into(),
        providers: config.oidc.clone().into(),
        limits: Limits { resource_bytes: config.resource_limit },
        sign_up: config.sign_up.clone(),
        review_services: config.review_services,
    })
}

/// What serves an installation.
pub fn app(config: &Config, stoa: Stoa) -> App {
    App::new(stoa).with_mailer(config.mail.mailer()).with_address_header(config.address_header.clone())
}
