//! What every handler works with.

use std::sync::Arc;

use stoa_actions::Stoa;

use crate::mail::Mailer;

/// The state of the router; clones share it.
#[derive(Clone)]
pub struct App {
    /// The installation.
    pub stoa: Stoa,
    /// What sends mails; without it they stay in the outbox.
    pub mailer: Option<Arc<Mailer>>,
}

impl App {
    /// The state over an installation that sends no mail.
    pub fn new(stoa: Stoa) -> Self {
        Self { stoa, mailer: None }
    }

    /// The same with what sends mails.
    #[must_use]
    pub fn with_mailer(self, mailer: Option<Arc<Mailer>>) -> Self {
        Self { mailer, ..self }
    }
}
