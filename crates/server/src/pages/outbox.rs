//! The operator's outbox: every mail, what became of it, and what it says.

use axum::response::IntoResponse;
use serde::Deserialize;
use stoa_actions::{Error, mail};
use stoa_domain::{
    ids::MailId,
    mail::{Mail, MailState, Outgoing},
};

use super::{
    Badge, Choice, Flash, Pager, Shell, filters,
    operator::OperatorHead,
    page::{Page, PageResult},
    times,
};
use crate::{
    extract::{ApiPath, ApiQuery},
    mail::render,
    paging::{Paging, cut_off},
};

/// `GET /operator/outbox`.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "outbox.html")]
pub struct OutboxPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The operator's tabs.
    pub head: OperatorHead,
    /// Whether mails are sent at all.
    pub sends: bool,
    /// The states to choose from.
    pub states: Vec<Choice>,
    /// The mails, newest first.
    pub mails: Vec<MailRow>,
    /// Leads through a long list.
    pub pager: Pager,
}

/// One mail.
#[derive(Debug, Clone, Default)]
pub struct MailRow {
    /// Its id.
    pub id: String,
    /// What became of it.
    pub state: Badge,
    /// The address it goes to.
    pub recipient: String,
    /// Its subject.
    pub subject: String,
    /// What it says, as plain text.
    pub text: String,
    /// When it was written.
    pub written: String,
    /// What happens next, or happened last.
    pub note: String,
    /// Why the last attempt failed; may be empty.
    pub error: String,
    /// Whether it can be tried again.
    pub can_retry: bool,
}

/// `GET /operator/outbox/{mail}`.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "outbox_mail.html")]
pub struct MailPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The operator's tabs.
    pub head: OperatorHead,
    /// The mail.
    pub mail: MailRow,
}

/// Which mails.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Filter {
    state: String,
}

/// `GET /operator/outbox`.
pub async fn list(page: Page, ApiQuery(filter): ApiQuery<Filter>, ApiQuery(paging): ApiQuery<Paging>) -> PageResult {
    let limit = paging.limit()?;
    let before: Option<MailId> = paging.cursor()?;
    let state = filter.state.parse::<MailState>().ok();
    let mut conn = page.read().await?;
    let mut mails = mail::outbox(&mut conn, &page.caller, state, before, limit + 1).await?;
    let next = cut_off(&mut mails, limit, |mail| mail.id);
    let sends = page.app.mailer.is_some();
    let path = state.map_or_else(|| "/operator/outbox".to_owned(), |state| format!("/operator/outbox?state={state}"));
    let pager = Pager::new(&path, "mails", mails.len(), before.is_none(), next.as_deref());
    let mails = mails.into_iter().map(|mail| row(&page, mail)).collect();
    let shell = page.shell(&mut conn, "").await?;
    Ok(OutboxPage { shell, head: OperatorHead { tab: "outbox" }, sends, states: states(state), mails, pager }.into_response())
}

fn states(chosen: Option<MailState>) -> Vec<Choice> {
    let one = |state: &MailState| Choice::new(state.word(), Badge::state(state.word()).text, chosen == Some(*state));
    std::iter::once(Choice::new("", "All", chosen.is_none())).chain(MailState::ALL.iter().map(one)).collect()
}

fn row(page: &Page, mut outgoing: Outgoing) -> MailRow {
    let now = page.caller.now;
    let sends = page.app.mailer.is_some();
    let forgotten = outgoing.mail.secret_link().is_some_and(|link| link.is_empty());
    // Where mails are sent, their links are for whom they are sent to, and not for the operator.
    let shown: Mail = if sends { outgoing.mail.clone().without_secret() } else { outgoing.mail.clone() };
    let rendered = render(&shown, &page.app.stoa.public_url);
    let note = match outgoing.state {
        MailState::Sent => outgoing.sent_at.map(|at| format!("sent {}", times::moment(at))).unwrap_or_default(),
        MailState::Failed => format!("given up after {} attempts", outgoing.attempts),
        MailState::Waiting if !sends => "would be sent if there were a mail server".to_owned(),
        MailState::Waiting if outgoing.due_at <= now => "is sent in a moment".to_owned(),
        MailState::Waiting => format!("tried {} times, next {}", outgoing.attempts, times::moment(outgoing.due_at)),
    };
    MailRow {
        id: outgoing.id.to_string(),
        state: Badge::state(outgoing.state.word()),
        recipient: outgoing.recipient,
        subject: rendered.subject,
        text: rendered.text,
        written: times::moment(outgoing.created_at),
        note,
        error: outgoing.last_error,
        can_retry: outgoing.state != MailState::Sent && outgoing.attempts > 0 && !forgotten,
    }
}

/// `GET /operator/outbox/{mail}`.
pub async fn show(page: Page, ApiPath(id): ApiPath<MailId>) -> PageResult {
    let mut conn = page.read().await?;
    let outgoing = mail::get(&mut conn, &page.caller, id).await?;
    let shell = page.shell(&mut conn, "").await?;
    Ok(MailPage { shell, head: OperatorHead { tab: "outbox" }, mail: row(&page, outgoing) }.into_response())
}

/// `POST /operator/outbox/{mail}/retry`.
pub async fn retry(page: Page, ApiPath(id): ApiPath<MailId>) -> PageResult {
    let mut act = page.begin().await?;
    let to = format!("/operator/outbox/{id}");
    match mail::retry(&mut act, id).await {
        Ok(_) => page.done(act, to, Flash::ok("The mail is tried again.")).await,
        Err(Error::Conflict { detail, .. }) => {
            drop(act);
            page.say(to, Flash::danger(super::form::sentence(&detail))).await
        }
        Err(other) => Err(other.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::{MailPage, MailRow, OutboxPage, states};
    use crate::pages::{Badge, Pager, operator::OperatorHead, sample};

    fn row(state: &str, can_retry: bool) -> MailRow {
        MailRow {
            id: "mai_01h455vb4pex5vsknk084sn02q".into(),
            state: Badge::state(state),
            recipient: "mira@aurelia.example".into(),
            subject: "You are now a member of Aurelia Energy".into(),
            text: "Tomas Reed added you to Aurelia Energy as an editor.\n".into(),
            written: "20 November 2026, 14:02 UTC".into(),
            note: "tried 3 times, next 20 November 2026, 15:02 UTC".into(),
            error: if can_retry { "transient error (451): try again later".into() } else { String::new() },
            can_retry,
        }
    }

    #[test]
    fn each_mail_says_what_became_of_it() {
        let page = OutboxPage {
            shell: sample::shell(""),
            head: OperatorHead { tab: "outbox" },
            sends: false,
            states: states(None),
            mails: vec![row("waiting", true), row("sent", false)],
            pager: Pager::default(),
        };
        let html = sample::render("outbox", &page);
        assert!(html.contains("No mail server is configured") && html.contains("transient error (451)"));
        let html = sample::render("outbox-empty", &OutboxPage { sends: true, mails: Vec::new(), ..page });
        assert!(html.contains("No mails") && !html.contains("No mail server"));
    }

    #[test]
    fn a_mail_that_waits_can_be_tried_again() {
        let page = MailPage { shell: sample::shell(""), head: OperatorHead { tab: "outbox" }, mail: row("waiting", true) };
        assert!(sample::render("outbox-mail", &page).contains("/retry"));
        let page = MailPage { mail: row("sent", false), ..page };
        assert!(!sample::render("outbox-mail-sent", &page).contains("/retry"));
    }
}
