//! Signing in and out.

use axum::{
    extract::Query,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use stoa_actions::{Error, sessions};

use super::{
    Shell, filters,
    form::{FormErrors, PageForm, sentence},
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
    SignInPage { shell: visitor.visit.shell("sign-in"), email: String::new(), next, error: None }.into_response()
}

/// `POST /sign-in`.
pub async fn submit(visitor: Visitor, PageForm(form): PageForm<SignInForm>) -> PageResult {
    let next = local_path(&form.next);
    let user = match sessions::sign_in(&visitor.app.stoa.db, &form.email, &form.password).await {
        Ok(user) => user,
        Err(error @ Error::BadSignIn) => {
            let mut shell = visitor.visit.shell("sign-in");
            shell.user = None;
            let next = next.unwrap_or_default().to_owned();
            let page = SignInPage { shell, email: form.email, next, error: Some(sentence(&error.to_string())) };
            return Ok(FormErrors::again(StatusCode::UNPROCESSABLE_ENTITY, page));
        }
        Err(other) => return Err(other.into()),
    };
    let mut act = visitor.begin().await?;
    let secret = sessions::begin(&mut act, &user, visitor.visit.presented()).await?;
    act.commit().await?;
    let mut response = Redirect::to(next.unwrap_or("/organizations")).into_response();
    visit::set_cookie(&mut response, visit::cookie(&visitor.app, &secret));
    Ok(response)
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
    use super::SignInPage;
    use crate::pages::{Shell, sample};

    #[test]
    fn the_page_keeps_the_address_and_says_what_failed() {
        let shell = Shell { nav: "sign-in", ..Shell::default() };
        let page = SignInPage {
            shell,
            email: "mira@aurelia.example".into(),
            next: "/requests".into(),
            error: Some("E-mail address or password is wrong.".into()),
        };
        let html = sample::render("sign-in", &page);
        assert!(html.contains("mira@aurelia.example") && html.contains("is wrong"));
    }
}
