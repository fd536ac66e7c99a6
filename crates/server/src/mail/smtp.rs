//! The SMTP server that takes the mails.

use std::{
    fmt,
    time::{Duration, UNIX_EPOCH},
};

use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{
        Mailbox, MultiPart,
        header::{Header, HeaderName, HeaderValue},
    },
    transport::smtp,
};
use stoa_domain::mail::{Failure, Outgoing};
use url::Url;

use super::Rendered;

/// How long the server may take for one step of the conversation; well below the lease of a mail.
const PATIENCE: Duration = Duration::from_secs(20);

/// What sends mails: a server and the address they come from.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// Without the password.
impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailer").field("from", &self.from).finish_non_exhaustive()
    }
}

/// Why a server or an address can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadMailer {
    /// Not the address of a server.
    #[error(
        "write smtps://USER:PASSWORD@HOST (TLS), smtp://USER:PASSWORD@HOST:587?tls=required (STARTTLS) or smtp://HOST:25 (plain), with \
         %-encoding in user and password"
    )]
    Server,
    /// Not an address to send from.
    #[error("write an address such as stoa@company.example, or one with a name: Stoa <stoa@company.example>")]
    From,
}

/// Why a mail was not sent.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) failure: Failure,
    pub(super) reason: String,
    /// The next mail would fare the same.
    pub(super) out_of_reach: bool,
}

impl Mailer {
    /// Sends through the server at an address such as `smtps://user:password@mail.company.example`.
    ///
    /// # Errors
    /// [`BadMailer`].
    pub fn new(server: &str, from: &str) -> Result<Self, BadMailer> {
        let url = Url::parse(server).map_err(|_| BadMailer::Server)?;
        if !matches!(url.scheme(), "smtp" | "smtps") || url.host_str().is_none_or(str::is_empty) {
            return Err(BadMailer::Server);
        }
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(server).map_err(|_| BadMailer::Server)?;
        let from = from.parse().map_err(|_| BadMailer::From)?;
        Ok(Self { transport: builder.timeout(Some(PATIENCE)).build(), from })
    }

    pub(super) async fn send(&self, outgoing: &Outgoing, rendered: &Rendered) -> Result<(), Refused> {
        let message =
            self.message(outgoing, rendered).map_err(|reason| Refused { failure: Failure::Final, reason, out_of_reach: false })?;
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            Err(error) => Err(refused(&error)),
        }
    }

    fn message(&self, outgoing: &Outgoing, rendered: &Rendered) -> Result<Message, String> {
        let to = outgoing.recipient.parse().map_err(|_| format!("{} is no address that mail can be sent to", outgoing.recipient))?;
        // The same for each attempt, so that a mailbox that got it twice can tell.
        let id = format!("<{}@{}>", outgoing.id, self.from.email.domain());
        let written = UNIX_EPOCH + Duration::from_micros(u64::try_from(outgoing.created_at.micros()).unwrap_or(0));
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(rendered.subject.clone())
            .message_id(Some(id))
            .date(written)
            .header(AutoSubmitted)
            .multipart(MultiPart::alternative_plain_html(rendered.text.clone(), rendered.html.clone()))
            .map_err(|bad| bad.to_string())
    }
}

/// Refusals of the mail itself are final (RFC 3463, classes X.1 to X.3 and X.6); those of this installation, such as a wrong
/// password, are not: the operator mends them.
fn refused(error: &smtp::Error) -> Refused {
    let code = error.status().map(u16::from);
    let failure = match code {
        Some(550..=554) => Failure::Final,
        _ => Failure::Passing,
    };
    let mut reason = error.to_string();
    let mut below = std::error::Error::source(error);
    while let Some(cause) = below {
        let text = cause.to_string();
        if !reason.contains(&text) {
            reason.push_str(": ");
            reason.push_str(&text);
        }
        below = cause.source();
    }
    Refused { failure, reason, out_of_reach: code.is_none_or(|code| matches!(code, 421 | 454 | 500..=549)) }
}

/// `Auto-Submitted: auto-generated` (RFC 3834): keeps out-of-office replies away.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_and_a_sender_are_checked_and_the_password_does_not_print() {
        for server in ["smtp://127.0.0.1:2525", "smtp://a:b%40c@mail.example:587?tls=required", "smtps://a:hush@mail.example"] {
            let mailer = Mailer::new(server, "Stoa <stoa@grid.example>").unwrap();
            assert!(!format!("{mailer:?}").contains("hush"));
        }
        for server in ["", "mail.example", "http://mail.example", "smtp://", "smtp://mail.example?tls=perhaps"] {
            assert_eq!(Mailer::new(server, "stoa@grid.example").unwrap_err(), BadMailer::Server, "{server}");
        }
        assert_eq!(Mailer::new("smtp://mail.example", "Stoa").unwrap_err(), BadMailer::From);
    }
}
