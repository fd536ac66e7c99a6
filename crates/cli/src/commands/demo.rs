//! `stoa demo`: a fresh temporary installation with sample data.

use std::path::Path;

use stoa_actions::Stoa;

use super::{Failure, Outcome, failure::print, install, serve};
use crate::{
    config::{Config, Storage},
    sample,
};

/// Serves a fresh temporary installation with sample data; it is gone when the program ends.
pub async fn run(config: &Config) -> Outcome {
    let folder = tempfile::tempdir().map_err(|error| Failure::because("a temporary folder", &error))?;
    let listener = serve::bind(config.listen).await?;
    let address = listener.local_addr().map_err(Failure::new)?;
    let config = temporary(config, folder.path(), &format!("http://{address}"))?;
    let stoa: Stoa = install::stoa(&config).await?;
    let now = stoa.clock.now();
    sample::fill(&stoa, now).await?;
    introduce(&config)?;
    let outcome = serve::serve(install::app(&config, stoa), listener, serve::told_to_stop()).await;
    folder.close().map_err(|error| Failure::because("the temporary folder", &error))?;
    outcome
}

fn temporary(config: &Config, folder: &Path, url: &str) -> Result<Config, Failure> {
    let database = format!("sqlite:{}", folder.join("stoa.db").display()).parse().map_err(Failure::new)?;
    Ok(Config {
        data: folder.to_path_buf(),
        database,
        storage: Storage::Folder(folder.join("blobs")),
        public_url: url.to_owned(),
        ..config.clone()
    })
}

fn introduce(config: &Config) -> Result<(), Failure> {
    print(&format!("Stoa is ready: {}", config.public_url))?;
    print("")?;
    print(&format!("Sign in with one of these addresses and the password: {}", sample::PASSWORD))?;
    for sign_in in &sample::SIGN_INS {
        print(&format!("  {:<11} {}", sign_in.what, sign_in.email))?;
    }
    print("")?;
    print("Everything lies in a temporary folder and is gone when you press Ctrl-C.")
}
