//! What every handler works with.

use std::sync::Arc;

use axum::http::HeaderName;
use stoa_actions::Stoa;

use crate::mail::Mailer;

/// The state of the router; clones share it.
#[derive(Clone)]
pub struct App {
    /// The installation.
    pub stoa: Stoa,
    /// What sends mails; without it they stay in the outbox.
    pub mailer: Option<Arc<Mailer>>,
    /// The header in which the proxy in front writes where a request comes from.
    pub address_header: Option<HeaderName>,
}

impl App {
    /// The state over an installation that sends no mail.
    pub fn new(stoa: Stoa) -> Self {
        Self { stoa, mailer: None, address_header: None }
    }

    /// The same with what sends mails.
    #[must_use]
    pub fn with_mailer(self, mailer: Option<Arc<Mailer>>) -> Self {
        Self { mailer, ..self }
    }

    /// The same behind a proxy that writes this header.
    #[must_use]
    pub fn with_address_header(self, address_header: Option<HeaderName>) -> Self {
        Self { address_header, ..self }
    }
}
