//! The server that takes the mails.

use std::{fmt, sync::Arc};

use stoa_server::mail::{BadMailer, Mailer};

use super::{BadConfig, Given};

/// The server that takes the mails, and the address they come from.
#[derive(Clone)]
pub struct MailServer {
    /// Without the password.
    pub shown: String,
    /// The address they come from.
    pub from: String,
    mailer: Option<Arc<Mailer>>,
}

impl fmt::Debug for MailServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailServer").field("shown", &self.shown).field("from", &self.from).finish_non_exhaustive()
    }
}

impl MailServer {
    /// From the keys `smtp` (empty: no mail is sent) and `mail_from`.
    pub(super) fn read(smtp: &Given, from: &Given) -> Result<Self, BadConfig> {
        /// Fits together with whatever is checked.
        const SERVER: &str = "smtp://127.0.0.1";
        const FROM: &str = "stoa@stoa.example";
        from.read(|from| Mailer::new(SERVER, from).map(drop))?;
        let mailer = smtp.read(|smtp| match smtp {
            "" => Ok(None),
            // The sender was checked, so what does not fit is the server.
            smtp => Mailer::new(smtp, FROM).and_then(|_| Mailer::new(smtp, &from.value)).map(|mailer| Some(Arc::new(mailer))),
        })?;
        Ok(Self { shown: super::hide_password(&smtp.value), from: from.value.clone(), mailer })
    }

    /// What sends the mails; `None` where no server is configured.
    pub fn mailer(&self) -> Option<Arc<Mailer>> {
        self.mailer.clone()
    }
}

/// The sender when nobody names one: an address of the host that users type, where that can have one.
pub(super) fn usual_sender(public_url: &str) -> String {
    let host = public_url.split("://").nth(1).unwrap_or(public_url).trim_start_matches('[');
    let host = host.split([':', ']']).next().unwrap_or(host);
    let named = format!("Stoa <stoa@{host}>");
    match Mailer::new("smtp://127.0.0.1", &named) {
        Err(BadMailer::From) => "Stoa <stoa@localhost>".to_owned(),
        _ => named,
    }
}
