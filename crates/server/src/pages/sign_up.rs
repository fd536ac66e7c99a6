//! Making an account oneself.

use axum::{
    extract::Query,
    response::{IntoResponse, Redirect},
};
use serde::Deserialize;
use stoa_actions::{Act, Error, limits, sessions, users::sign_up};
use stoa_domain::{
    limits::{Attempt, Door},
    links::Purpose,
    users::SignUp,
};

use super::{
    Field, Shell, filters,
    form::{FormErrors, PageForm},
    link::{Token, looked},
    page::{PageResult, Visitor},
    visit,
};

/// `GET /sign-up`, and again with errors.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "sign_up.html")]
pub struct SignUpPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// Whether anybody may.
    pub open: bool,
    /// Whose addresses may, where only some do.
    pub hint: String,
    /// Errors of the form as a whole.
    pub errors: Vec<String>,
    /// The address.
    pub email: Field,
}

/// What was sent, for whom it was, and what to do: the same whatever is known of the address.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "look_into_mailbox.html")]
pub struct LookIntoMailboxPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The address.
    pub email: String,
    /// Whether mails are sent at all.
    pub sends: bool,
}

/// `GET /sign-up/confirm?token=…`, and again with errors.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "sign_up_confirm.html")]
pub struct SignUpConfirmPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The secret of the link.
    pub token: String,
    /// The address that the link proves.
    pub email: String,
    /// Errors of the form as a whole.
    pub errors: Vec<String>,
    /// The name.
    pub name: Field,
    /// The password; never filled in.
    pub password: Field,
}

fn page_of(visitor: &Visitor) -> SignUpPage {
    let policy = &visitor.app.stoa.sign_up;
    let hint = match policy {
        SignUp::Domains(_) => format!("An address of {policy}."),
        SignUp::Open | SignUp::Closed => String::new(),
    };
    SignUpPage { shell: visitor.visit.shell("sign-in"), open: *policy != SignUp::Closed, hint, ..SignUpPage::default() }
}

/// `GET /sign-up`, with the address filled in where a link names it.
pub async fn show(visitor: Visitor, Query(given): Query<EmailForm>) -> PageResult {
    if visitor.user().is_some() {
        return Ok(Redirect::to("/organizations").into_response());
    }
    Ok(SignUpPage { email: Field::new(given.email), ..page_of(&visitor) }.into_response())
}

/// An address.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct EmailForm {
    /// The address.
    pub email: String,
}

/// `POST /sign-up`.
pub async fn submit(visitor: Visitor, PageForm(form): PageForm<EmailForm>) -> PageResult {
    match ask(&visitor, &form.email).await {
        Ok(()) => Ok(look_into_mailbox(&visitor, form.email).into_response()),
        Err(error) => {
            let mut errors = FormErrors::of(error)?;
            let status = errors.status;
            let shown = SignUpPage { email: errors.field("/email", form.email), errors: errors.rest(), ..page_of(&visitor) };
            Ok(FormErrors::again(status, shown))
        }
    }
}

/// Counts the attempt of an address that may sign up, and sends the link.
async fn ask(visitor: &Visitor, email: &str) -> Result<(), Error> {
    sign_up::admits(&visitor.app.stoa, email)?;
    let attempt = Attempt { door: Door::SignUp, account: email, network: &visitor.from.network() };
    limits::take(&visitor.app.stoa, attempt, visitor.caller.now).await?;
    let mut act = Act::begin(&visitor.app.stoa, visitor.caller.clone()).await?;
    sign_up::ask(&mut act, email).await?;
    act.commit().await
}

/// The page that follows whatever was sent to an address.
pub(super) fn look_into_mailbox(visitor: &Visitor, email: String) -> LookIntoMailboxPage {
    LookIntoMailboxPage { shell: visitor.visit.shell("sign-in"), email: email.trim().to_owned(), sends: visitor.app.mailer.is_some() }
}

/// `GET /sign-up/confirm`.
pub async fn confirm(visitor: Visitor, Query(Token { token }): Query<Token>) -> PageResult {
    let link = looked(&visitor, &token, Purpose::SignUp).await?;
    let shell = visitor.visit.shell("sign-in");
    Ok(SignUpConfirmPage { shell, token, email: link.email, ..SignUpConfirmPage::default() }.into_response())
}

/// Name and password of the new account.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct ChosenForm {
    token: String,
    name: String,
    password: String,
}

/// `POST /sign-up/confirm`. Whoever opened the link is signed in.
pub async fn finish(visitor: Visitor, PageForm(form): PageForm<ChosenForm>) -> PageResult {
    let link = looked(&visitor, &form.token, Purpose::SignUp).await?;
    match sign_up::choose(&visitor.app.stoa, &link.email, &form.name, &form.password).await {
        Ok(prepared) => {
            let mut act = visitor.begin().await?;
            let user = sign_up::finish(&mut act, &form.token, prepared).await?;
            let secret = sessions::begin(&mut act, &user, visitor.visit.device(), visitor.visit.presented()).await?;
            act.commit().await?;
            let mut response = Redirect::to("/organizations").into_response();
            visit::set_cookie(&mut response, visit::cookie(&visitor.app, &secret));
            Ok(response)
        }
        Err(error) => {
            let mut errors = FormErrors::of(error)?;
            let status = errors.status;
            let shown = SignUpConfirmPage {
                shell: visitor.visit.shell("sign-in"),
                token: form.token,
                email: link.email,
                name: errors.field("/name", form.name),
                password: errors.field("/password", ""),
                errors: errors.rest(),
            };
            Ok(FormErrors::again(status, shown))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LookIntoMailboxPage, SignUpConfirmPage, SignUpPage};
    use crate::pages::{Field, Shell, sample};

    fn shell() -> Shell {
        Shell { nav: "sign-in", ..Shell::default() }
    }

    #[test]
    fn the_page_says_who_may() {
        let page = SignUpPage { shell: shell(), open: true, hint: "An address of grid.example.".into(), ..SignUpPage::default() };
        assert!(sample::render("sign-up", &page).contains("grid.example"));
        let html = sample::render("sign-up-closed", &SignUpPage { open: false, ..page });
        assert!(!html.contains("name=\"email\"") && html.contains("whoever runs this installation"));
    }

    #[test]
    fn a_password_is_never_filled_in() {
        let page = SignUpConfirmPage {
            shell: shell(),
            token: "stoa_lnk_sample".into(),
            email: "mira@aurelia.example".into(),
            name: Field::new("Mira Sand"),
            password: Field::wrong("hush", "A password has at least 12 characters."),
            errors: Vec::new(),
        };
        let html = sample::render("sign-up-confirm", &page);
        assert!(html.contains("at least 12 characters.") && html.contains("Mira Sand") && !html.contains("hush"));
        let page = LookIntoMailboxPage { shell: shell(), email: "mira@aurelia.example".into(), sends: false };
        assert!(sample::render("look-into-mailbox", &page).contains("sends no mail"));
    }
}
