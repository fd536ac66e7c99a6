//! How mail goes out: its words, and the server that takes it.

mod letter;
mod smtp;

use std::time::Duration;

use stoa_actions::{Result, Stoa, mail};
use stoa_domain::{looks::Looks, mail::MailState};

pub use letter::{Letter, Rendered, render};
pub use smtp::{BadMailer, Mailer};

/// How often due mails are looked for.
pub const EVERY: Duration = Duration::from_secs(2);

/// What a round of [`Mailer::deliver`] came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Mails that the server took.
    pub sent: u64,
    /// Mails that are tried again later.
    pub deferred: u64,
    /// Mails that were given up.
    pub failed: u64,
}

impl Mailer {
    /// Sends what is due, one mail after the other, while `go_on` says so, until nothing is left or the server is out of
    /// reach. Each mail is claimed before it is sent, so any number of nodes may do so at once.
    ///
    /// # Errors
    /// Those of the database; the next round does what was left.
    pub async fn deliver(&self, stoa: &Stoa, go_on: impl Fn() -> bool) -> Result<Delivered> {
        let mut delivered = Delivered::default();
        while go_on()
            && let Some(claimed) = mail::claim(stoa, stoa.clock.now()).await?
        {
            let rendered = render(&claimed.mail, &stoa.public_url);
            let outcome = self.send(&claimed, &rendered).await;
            let out_of_reach = matches!(&outcome, Err(refused) if refused.out_of_reach);
            if let Err(refused) = &outcome {
                tracing::warn!(mail = %claimed.id, attempt = claimed.attempts, reason = refused.reason, "a mail was not sent");
            }
            let outcome = outcome.map_err(|refused| (refused.failure, refused.reason));
            match mail::settle(stoa, claimed, outcome, stoa.clock.now()).await? {
                MailState::Sent => delivered.sent += 1,
                MailState::Waiting => delivered.deferred += 1,
                MailState::Failed => delivered.failed += 1,
            }
            if out_of_reach {
                break;
            }
        }
        Ok(delivered)
    }
}

/// Follows the logs as far as mails come of them; see [`mail::follow`].
///
/// # Errors
/// Those of the database; then the next look reaches as far back.
pub async fn write(stoa: &Stoa, looks: &mut Looks) -> Result<u64> {
    let now = stoa.clock.now();
    let reach = looks.reach(now);
    let written = mail::follow(stoa, reach.since(), now).await?;
    looks.looked(reach, now);
    Ok(written)
}
