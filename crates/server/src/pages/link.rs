//! Links of mails. A page shows what a link does before it does it, so that a program that looks into mails and opens what
//! it finds does nothing.

use axum::{extract::Query, response::IntoResponse};
use serde::Deserialize;
use stoa_actions::{
    Error, limits,
    users::{address, links},
};
use stoa_domain::{
    limits::{Attempt, Door},
    links::{Link, Purpose},
};

use super::{
    Shell, filters,
    form::PageForm,
    page::{PageResult, Visitor},
};

/// The secret of a link.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Token {
    /// The secret.
    pub token: String,
}

/// `GET /confirm-address?token=…`, `GET /undo-address?token=…`.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "link.html")]
pub struct LinkPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// What it is about.
    pub title: &'static str,
    /// What happens.
    pub text: String,
    /// Where the form is sent.
    pub action: &'static str,
    /// The secret of the link.
    pub token: String,
    /// What does it.
    pub button: &'static str,
    /// Whether that is a warning.
    pub danger: bool,
}

/// What was done, with one way on.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "done.html")]
pub struct DonePage {
    /// What surrounds the page.
    pub shell: Shell,
    /// What was done.
    pub title: &'static str,
    /// What that means.
    pub text: String,
    /// Where to go.
    pub href: &'static str,
    /// What is there.
    pub label: &'static str,
}

/// The link that a visitor opened. What is none counts as an attempt to guess one.
///
/// # Errors
/// `link_not_valid` (422), 429.
pub(super) async fn looked(visitor: &Visitor, token: &str, purpose: Purpose) -> PageResult<Link> {
    let mut conn = visitor.read().await?;
    match links::look(&mut conn, token, purpose, visitor.caller.now).await {
        Err(error @ Error::Unfit { .. }) => {
            drop(conn);
            let network = visitor.from.network();
            let attempt = Attempt { door: Door::Link, account: &network, network: &network };
            limits::take(&visitor.app.stoa, attempt, visitor.caller.now).await?;
            Err(error.into())
        }
        other => Ok(other?),
    }
}

/// `GET /confirm-address`.
pub async fn confirm_address(visitor: Visitor, Query(Token { token }): Query<Token>) -> PageResult {
    let link = looked(&visitor, &token, Purpose::ConfirmAddress).await?;
    let page = LinkPage {
        shell: visitor.visit.shell("sign-in"),
        title: "Confirm your new address",
        text: format!("Your account gets the address {}. You sign in with it from then on.", link.email),
        action: "/confirm-address",
        token,
        button: "Confirm this address",
        danger: false,
    };
    Ok(page.into_response())
}

/// `POST /confirm-address`.
pub async fn confirmed_address(visitor: Visitor, PageForm(form): PageForm<Token>) -> PageResult {
    looked(&visitor, &form.token, Purpose::ConfirmAddress).await?;
    let mut act = visitor.begin().await?;
    let user = address::confirm(&mut act, &form.token).await?;
    act.commit().await?;
    let page = DonePage {
        shell: visitor.visit.shell("sign-in"),
        title: "Your address is changed",
        text: format!("Your account has the address {} now.", user.email),
        href: "/account",
        label: "To your account",
    };
    Ok(page.into_response())
}

/// `GET /undo-address`.
pub async fn undo_address(visitor: Visitor, Query(Token { token }): Query<Token>) -> PageResult {
    let link = looked(&visitor, &token, Purpose::UndoAddress).await?;
    let page = LinkPage {
        shell: visitor.visit.shell("sign-in"),
        title: "Take the change of address back",
        text: format!(
            "Your account keeps the address {}, or gets it back. Everybody is signed out, and no password, second factor, passkey or token \
             counts any more: you get a mail to set a new password.",
            link.email
        ),
        action: "/undo-address",
        token,
        button: "Take it back",
        danger: true,
    };
    Ok(page.into_response())
}

/// `POST /undo-address`.
pub async fn undone_address(visitor: Visitor, PageForm(form): PageForm<Token>) -> PageResult {
    looked(&visitor, &form.token, Purpose::UndoAddress).await?;
    let mut act = visitor.begin().await?;
    let user = address::undo(&mut act, &form.token).await?;
    act.commit().await?;
    let mut shell = visitor.visit.shell("sign-in");
    shell.user = None;
    let page = DonePage {
        shell,
        title: "The change was taken back",
        text: format!("Your account has the address {}. Set a new password with the link that was just sent there.", user.email),
        href: "/sign-in",
        label: "To the sign-in",
    };
    Ok(page.into_response())
}

/// `GET /account-deleted`.
pub async fn account_deleted(visitor: Visitor) -> DonePage {
    DonePage {
        shell: visitor.visit.shell("sign-in"),
        title: "Your account is deleted",
        text: "You belong to no organization any more, your tokens open nothing, and your name and address are erased.".to_owned(),
        href: "/sign-in",
        label: "To the sign-in",
    }
}

#[cfg(test)]
mod tests {
    use super::{DonePage, LinkPage};
    use crate::pages::{Shell, sample};

    #[test]
    fn a_link_says_what_it_does_before_it_does_it() {
        let page = LinkPage {
            shell: Shell { nav: "sign-in", ..Shell::default() },
            title: "Take the change of address back",
            text: "Your account keeps the address mira@aurelia.example.".into(),
            action: "/undo-address",
            token: "stoa_lnk_sample".into(),
            button: "Take it back",
            danger: true,
        };
        assert!(sample::render("link", &page).contains("action=\"/undo-address\""));
        let page = DonePage { shell: page.shell, title: "Done", text: "It is done.".into(), href: "/sign-in", label: "To the sign-in" };
        assert!(sample::render("done", &page).contains("It is done."));
    }
}
