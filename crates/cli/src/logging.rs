//! The log: to standard error, as text or as JSON lines.

use std::io::IsTerminal as _;

use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{Config, LogFormat};

/// Starts the log.
pub fn start(config: &Config) {
    // The migrations' library tells each step it takes at each start.
    let filter = EnvFilter::new(format!("refinery_core=warn,{}", config.log));
    let log = fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    // A second start (in one process there is none) would change nothing, so that its error means nothing.
    let _started = match config.log_format {
        LogFormat::Text => log.with_target(false).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
}
