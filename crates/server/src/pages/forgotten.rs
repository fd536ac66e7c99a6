//! A forgotten password, set anew through a link.

use axum::{extract::Query, response::IntoResponse};
use serde::Deserialize;
use stoa_actions::{Act, Error, limits, users::password};
use stoa_domain::{
    limits::{Attempt, Door},
    links::Purpose,
};

use super::{
    Field, Shell, filters,
    form::{FormErrors, PageForm},
    link::{DonePage, Token, looked},
    page::{PageResult, Visitor},
    sign_up::{EmailForm, look_into_mailbox},
    visit,
};

/// `GET /forgot-password`, and again with errors.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "forgot_password.html")]
pub struct ForgotPasswordPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// Errors of the form as a whole.
    pub errors: Vec<String>,
    /// The address.
    pub email: Field,
}

/// `GET /set-password?token=…`, and again with errors.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "set_password.html")]
pub struct SetPasswordPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The secret of the link.
    pub token: String,
    /// Whose password it is.
    pub email: String,
    /// Errors of the form as a whole.
    pub errors: Vec<String>,
    /// The password; never filled in.
    pub password: Field,
}

/// `GET /forgot-password`.
pub async fn show(visitor: Visitor) -> ForgotPasswordPage {
    ForgotPasswordPage { shell: visitor.visit.shell("sign-in"), ..ForgotPasswordPage::default() }
}

/// `POST /forgot-password`.
pub async fn submit(visitor: Visitor, PageForm(form): PageForm<EmailForm>) -> PageResult {
    match ask(&visitor, &form.email).await {
        Ok(()) => Ok(look_into_mailbox(&visitor, form.email).into_response()),
        Err(error) => {
            let mut errors = FormErrors::of(error)?;
            let status = errors.status;
            let shell = visitor.visit.shell("sign-in");
            let shown = ForgotPasswordPage { shell, email: errors.field("/email", form.email), errors: errors.rest() };
            Ok(FormErrors::again(status, shown))
        }
    }
}

/// Counts the attempt, and sends the link.
async fn ask(visitor: &Visitor, email: &str) -> Result<(), Error> {
    let attempt = Attempt { door: Door::ForgottenPassword, account: email, network: &visitor.from.network() };
    limits::take(&visitor.app.stoa, attempt, visitor.caller.now).await?;
    let mut act = Act::begin(&visitor.app.stoa, visitor.caller.clone()).await?;
    password::ask(&mut act, email).await?;
    act.commit().await
}

/// `GET /set-password`.
pub async fn set(visitor: Visitor, Query(Token { token }): Query<Token>) -> PageResult {
    let link = looked(&visitor, &token, Purpose::SetPassword).await?;
    let shell = visitor.visit.shell("sign-in");
    Ok(SetPasswordPage { shell, token, email: link.email, ..SetPasswordPage::default() }.into_response())
}

/// The new password.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct PasswordForm {
    token: String,
    password: String,
}

/// `POST /set-password`. All sessions of the account end; one signs in with the new password, and with the second factor
/// where there is one.
pub async fn finish(visitor: Visitor, PageForm(form): PageForm<PasswordForm>) -> PageResult {
    let link = looked(&visitor, &form.token, Purpose::SetPassword).await?;
    let hash = match password::choose(&visitor.app.stoa, &form.password).await {
        Ok(hash) => hash,
        Err(error) => {
            let mut errors = FormErrors::of(error)?;
            let status = errors.status;
            let shown = SetPasswordPage {
                shell: visitor.visit.shell("sign-in"),
                token: form.token,
                email: link.email,
                password: errors.field("/password", ""),
                errors: errors.rest(),
            };
            return Ok(FormErrors::again(status, shown));
        }
    };
    let mut act = visitor.begin().await?;
    password::reset(&mut act, &form.token, &hash).await?;
    act.commit().await?;
    let mut shell = visitor.visit.shell("sign-in");
    shell.user = None;
    let page = DonePage {
        shell,
        title: "Your password is set",
        text: "Whoever was signed in with the old one is signed out. Sign in with the new one.".to_owned(),
        href: "/sign-in",
        label: "Sign in",
    };
    let mut response = page.into_response();
    visit::set_cookie(&mut response, visit::no_cookie(&visitor.app));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::{ForgotPasswordPage, SetPasswordPage};
    use crate::pages::{Field, Shell, sample};

    #[test]
    fn the_pages_keep_the_address_and_never_the_password() {
        let shell = Shell { nav: "sign-in", ..Shell::default() };
        let page = ForgotPasswordPage { shell: shell.clone(), email: Field::wrong("mira@", "Not an address."), errors: Vec::new() };
        assert!(sample::render("forgot-password", &page).contains("mira@"));
        let page = SetPasswordPage {
            shell,
            token: "stoa_lnk_sample".into(),
            email: "mira@aurelia.example".into(),
            errors: Vec::new(),
            password: Field::wrong("hush", "A password has at least 12 characters."),
        };
        let html = sample::render("set-password", &page);
        assert!(html.contains("at least 12") && !html.contains("hush"));
    }
}
