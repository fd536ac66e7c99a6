//! Signing in and out.

use axum::{
    extract::Query,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use stoa_actions::{
    Act, Error, limits, passkeys,
    proofs::{self, Proof},
    second_factors,
    sessions::{self, FirstStep},
};
use stoa_domain::{
    limits::{Attempt, Door},
    secrets::Secret,
    users::{SignUp, User},
};

use super::{
    Choice, Shell, filters,
    form::{FormErrors, PageForm, Shown, sentence},
    page::{PageResult, Visitor, local_path},
    visit,
};

/// `GET /sign-in`, and again when the sign-in failed.
#[derive(Debug, askama::Template, askama_web::WebTemplate)]
#[template(path = "sign_in.html")]
pub struct SignInPage {
    /// What surrounds the page; `nav` is `sign-in`.
    pub shell: Shell,
    /// The address typed before.
    pub email: String,
    /// Where to go afterwards; a path of this installation or empty. Sent back as `next`.
    pub next: String,
    /// The same as the query of a link, or empty.
    pub next_query: String,
    /// Why it failed.
    pub error: Option<String>,
    /// Whether browsers make passkeys for this installation.
    pub passkeys: bool,
    /// Other providers whose accounts open accounts here.
    pub providers: Vec<Choice>,
    /// Whether one can make an account oneself.
    pub sign_up: bool,
}

impl SignInPage {
    pub(super) fn of(visitor: &Visitor, email: String, next: String, error: Option<String>) -> Self {
        let mut shell = visitor.visit.shell("sign-in");
        shell.user = None;
        let passkeys = passkeys::are_possible(&visitor.app.stoa.public_url);
        let next_query = next_query(&next);
        Self {
            shell,
            email,
            next,
            next_query,
            error,
            passkeys,
            providers: provider_choices(visitor),
            sign_up: visitor.app.stoa.sign_up != SignUp::Closed,
        }
    }

    /// The page shown again because something failed.
    pub(super) fn again(visitor: &Visitor, email: String, next: &str, error: &Error) -> Response {
        Self::told(visitor, email, next, StatusCode::UNPROCESSABLE_ENTITY.into(), sentence(&error.to_string()))
    }

    fn told(visitor: &Visitor, email: String, next: &str, status: Shown, error: String) -> Response {
        let next = local_path(next).unwrap_or_default().to_owned();
        FormErrors::again(status, Self::of(visitor, email, next, Some(error)))
    }
}

/// `?next=…`, or nothing.
fn next_query(next: &str) -> String {
    if next.is_empty() { String::new() } else { format!("?next={}", utf8_percent_encode(next, NON_ALPHANUMERIC)) }
}

fn provider_choices(visitor: &Visitor) -> Vec<Choice> {
    visitor.app.stoa.providers.iter().map(|provider| Choice::new(&provider.handle, &provider.name, false)).collect()
}

/// `GET /sign-in/second-step`, and again after a wrong code.
#[derive(Debug, askama::Template, askama_web::WebTemplate)]
#[template(path = "second_step.html")]
pub struct SecondStepPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// Where to go afterwards.
    pub next: String,
    /// Whether there is an authenticator app.
    pub has_totp: bool,
    /// Whether there is a passkey.
    pub has_passkeys: bool,
    /// Why it failed.
    pub error: Option<String>,
}

/// Where to go afterwards.
#[derive(Debug, Default, Deserialize)]
pub struct Next {
    /// A path of this installation.
    #[serde(default)]
    pub next: String,
}

/// The form.
#[derive(Deserialize)]
pub struct SignInForm {
    /// The address.
    #[serde(default)]
    pub email: String,
    /// The password.
    #[serde(default)]
    pub password: String,
    /// Where to go afterwards.
    #[serde(default)]
    pub next: String,
}

/// `GET /`.
pub async fn home(visitor: Visitor) -> Redirect {
    Redirect::to(if visitor.user().is_some() { "/organizations" } else { "/sign-in" })
}

/// `GET /sign-in`.
pub async fn show(visitor: Visitor, Query(Next { next }): Query<Next>) -> Response {
    if visitor.user().is_some() {
        return Redirect::to(local_path(&next).unwrap_or("/organizations")).into_response();
    }
    let next = local_path(&next).unwrap_or_default().to_owned();
    SignInPage::of(&visitor, String::new(), next, None).into_response()
}

/// `POST /sign-in`.
pub async fn submit(visitor: Visitor, PageForm(form): PageForm<SignInForm>) -> PageResult {
    let user = match sessions::sign_in(&visitor.app.stoa, &form.email, &form.password, &visitor.from.network(), visitor.caller.now).await {
        Ok(user) => user,
        Err(error @ (Error::BadSignIn | Error::Suspended)) => return Ok(SignInPage::again(&visitor, form.email, &form.next, &error)),
        Err(other) => {
            let errors = FormErrors::of(other)?;
            return Ok(SignInPage::told(&visitor, form.email, &form.next, errors.status, errors.rest().join(" ")));
        }
    };
    let act = visitor.begin().await?;
    after_first_step(&visitor, act, &user, &form.next).await
}

/// Goes on after the first step: in, or to the second step.
pub(super) async fn after_first_step(visitor: &Visitor, mut act: Act, user: &User, next: &str) -> PageResult {
    let first = sessions::after_first_step(&mut act, user, visitor.visit.device(), visitor.visit.presented()).await?;
    act.commit().await?;
    match first {
        FirstStep::In(secret) => {
            regain(visitor, user).await?;
            Ok(signed_in(visitor, &secret, next))
        }
        FirstStep::SecondStep(half) => {
            let to = format!("/sign-in/second-step{}", next_query(local_path(next).unwrap_or_default()));
            let mut response = Redirect::to(&to).into_response();
            visit::set_cookie(&mut response, visit::half_cookie(&visitor.app, &half));
            Ok(response)
        }
    }
}

/// Whoever got in was no guesser. Before the second step that is not known, so that a password alone does not give new
/// attempts at codes.
async fn regain(visitor: &Visitor, user: &User) -> PageResult<()> {
    let attempt = Attempt { door: Door::SignIn, account: &user.email, network: &visitor.from.network() };
    Ok(limits::give_back(&visitor.app.stoa, attempt).await?)
}

/// Leads in, with the session's cookie.
fn signed_in(visitor: &Visitor, secret: &Secret, next: &str) -> Response {
    let mut response = Redirect::to(local_path(next).unwrap_or("/organizations")).into_response();
    visit::set_cookie(&mut response, visit::cookie(&visitor.app, secret));
    if visitor.visit.half().is_some() {
        visit::set_cookie(&mut response, visit::no_half_cookie(&visitor.app));
    }
    response
}

async fn second_step_page(visitor: &Visitor, next: &str, error: Option<String>) -> PageResult<Option<SecondStepPage>> {
    let Some(half) = visitor.visit.half() else { return Ok(None) };
    let mut act = visitor.begin().await?;
    let (_, factors) = match proofs::second_step(&mut act, half).await {
        Ok(found) => found,
        Err(Error::Unfit { .. }) => return Ok(None),
        Err(other) => return Err(other.into()),
    };
    let mut shell = visitor.visit.shell("sign-in");
    shell.user = None;
    Ok(Some(SecondStepPage {
        shell,
        next: local_path(next).unwrap_or_default().to_owned(),
        has_totp: factors.totp_since.is_some(),
        has_passkeys: factors.passkeys > 0 && passkeys::are_possible(&visitor.app.stoa.public_url),
        error,
    }))
}

/// `GET /sign-in/second-step`.
pub async fn show_second_step(visitor: Visitor, Query(Next { next }): Query<Next>) -> PageResult {
    Ok(match second_step_page(&visitor, &next, None).await? {
        Some(page) => page.into_response(),
        None => Redirect::to("/sign-in").into_response(),
    })
}

/// A code, or the answer of a passkey.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct ProofForm {
    code: String,
    ceremony: String,
    answer: String,
    next: String,
}

impl ProofForm {
    fn proof(self) -> Proof {
        match Secret::read(&self.ceremony) {
            Some(ceremony) => Proof::Passkey { ceremony, answer: self.answer },
            None => Proof::Code(self.code),
        }
    }
}

/// `POST /sign-in/second-step`.
pub async fn submit_second_step(visitor: Visitor, PageForm(form): PageForm<ProofForm>) -> PageResult {
    let Some(half) = visitor.visit.half() else { return Ok(Redirect::to("/sign-in").into_response()) };
    let next = form.next.clone();
    let mut act = visitor.begin().await?;
    let (status, wrong) = match proofs::take_second_step(&mut act, half, &form.proof()).await {
        Ok(Some(user)) => {
            let secret = sessions::begin(&mut act, &user, visitor.visit.device(), visitor.visit.presented()).await?;
            act.commit().await?;
            regain(&visitor, &user).await?;
            return Ok(signed_in(&visitor, &secret, &next));
        }
        Ok(None) => {
            act.commit().await?;
            (StatusCode::UNPROCESSABLE_ENTITY.into(), "That code is wrong, or it was used already.".to_owned())
        }
        Err(error) => {
            drop(act);
            let errors = FormErrors::of(error)?;
            (errors.status, errors.rest().join(" "))
        }
    };
    Ok(match second_step_page(&visitor, &next, Some(wrong)).await? {
        Some(page) => FormErrors::again(status, page),
        None => SignInPage::again(&visitor, String::new(), &next, &second_factors::too_many_attempts()),
    })
}

/// `POST /sign-in/passkey`: a passkey is both steps at once.
pub async fn submit_passkey(visitor: Visitor, PageForm(form): PageForm<ProofForm>) -> PageResult {
    let next = form.next.clone();
    let mut act = visitor.begin().await?;
    match proofs::sign_in_by_passkey(&mut act, &form.proof()).await {
        Ok(user) => {
            let secret = sessions::begin(&mut act, &user, visitor.visit.device(), visitor.visit.presented()).await?;
            act.commit().await?;
            Ok(signed_in(&visitor, &secret, &next))
        }
        Err(error @ (Error::Unfit { .. } | Error::BadSignIn | Error::Suspended)) => {
            Ok(SignInPage::again(&visitor, String::new(), &next, &error))
        }
        Err(other) => Err(other.into()),
    }
}

/// `POST /sign-out`.
pub async fn sign_out(visitor: Visitor) -> PageResult {
    if let Some(presented) = visitor.visit.presented() {
        let mut act = visitor.begin().await?;
        sessions::end(&mut act, presented).await?;
        act.commit().await?;
    }
    let mut response = Redirect::to("/sign-in").into_response();
    visit::set_cookie(&mut response, visit::no_cookie(&visitor.app));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::{SecondStepPage, SignInPage};
    use crate::pages::{Choice, Shell, sample};

    #[test]
    fn the_second_step_takes_a_code_or_a_passkey() {
        let shell = Shell { nav: "sign-in", ..Shell::default() };
        let page = SecondStepPage { shell, next: "/requests".into(), has_totp: true, has_passkeys: true, error: Some("Wrong.".into()) };
        let html = sample::render("second-step", &page);
        assert!(html.contains("name=\"code\"") && html.contains("data-passkey-get"));
    }

    #[test]
    fn the_page_keeps_the_address_and_says_what_failed() {
        let shell = Shell { nav: "sign-in", ..Shell::default() };
        let page = SignInPage {
            shell,
            email: "mira@aurelia.example".into(),
            next: "/requests".into(),
            next_query: "?next=%2Frequests".into(),
            error: Some("E-mail address or password is wrong.".into()),
            passkeys: true,
            providers: vec![Choice::new("example", "Example", false)],
            sign_up: true,
        };
        let html = sample::render("sign-in", &page);
        assert!(html.contains("mira@aurelia.example") && html.contains("is wrong"));
    }
}
