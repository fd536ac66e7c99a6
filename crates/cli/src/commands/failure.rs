//! Why a command did not succeed, in words for people.

use std::{error::Error, fmt, io::Write as _, process::ExitCode};

use crate::config::BadConfig;

/// What a command ends with.
pub type Outcome = Result<ExitCode, Failure>;

/// Why a command did not succeed.
#[derive(Debug)]
pub struct Failure(String);

impl Failure {
    /// From anything that can be told.
    pub fn new(reason: impl fmt::Display) -> Self {
        Self(reason.to_string())
    }

    /// From an error below what was tried.
    pub fn because(what: &str, reason: &dyn Error) -> Self {
        let mut text = format!("{what}: {reason}");
        let mut below = reason.source();
        while let Some(cause) = below {
            let cause_text = cause.to_string();
            if !text.contains(&cause_text) {
                text.push_str(&format!(": {cause_text}"));
            }
            below = cause.source();
        }
        Self(text)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<BadConfig> for Failure {
    fn from(bad: BadConfig) -> Self {
        Self::new(bad)
    }
}

impl From<stoa_store::StoreError> for Failure {
    fn from(error: stoa_store::StoreError) -> Self {
        Self::because("the database", &error)
    }
}

impl From<stoa_actions::Error> for Failure {
    fn from(error: stoa_actions::Error) -> Self {
        match &error {
            stoa_actions::Error::Invalid(faults) => {
                Self(faults.clone().into_vec().into_iter().map(|fault| fault.detail).collect::<Vec<_>>().join("; "))
            }
            _ => Self::because("refused", &error),
        }
    }
}

/// Writes a line to standard output. A reader who has seen enough and closed the pipe is no failure.
///
/// # Errors
/// When it can't be written for another reason.
pub fn print(line: &str) -> Result<(), Failure> {
    match writeln!(std::io::stdout().lock(), "{line}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::because("standard output", &error)),
        Ok(()) | Err(_) => Ok(()),
    }
}
