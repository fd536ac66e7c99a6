//! Passkeys: making and removing them, and what a browser is asked when one signs in.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::json;
use stoa_actions::{
    Error,
    passkeys::{self, Asked},
    proofs,
};
use stoa_domain::{ids::PasskeyId, secrets::Secret, text};

use super::{
    Field, Flash, Shell,
    account::AccountHead,
    filters,
    form::{FormErrors, PageForm, sentence},
    page::{Page, PageResult, Visitor},
    security,
};
use crate::extract::ApiPath;

/// The answer to the wish to make a passkey.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "passkey_new.html")]
pub struct PasskeyPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The head with the tabs.
    pub head: AccountHead,
    /// The passkey's name.
    pub name: String,
    /// By which the making is resumed.
    pub ceremony: String,
    /// What the browser is asked to do, as JSON.
    pub options: String,
}

/// The name of a new passkey; with the browser's answer, once there is one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct PasskeyForm {
    name: String,
    ceremony: String,
    answer: String,
}

/// `POST /account/security/passkeys`.
pub async fn begin(page: Page, PageForm(form): PageForm<PasskeyForm>) -> PageResult {
    let name = match text::line(&form.name, 60) {
        Ok(name) => name,
        Err(bad) => {
            let mut conn = page.read().await?;
            let mut shown = security::page_of(&page, &mut conn).await?;
            shown.passkey_name = Field::wrong(form.name, sentence(&bad.to_string()));
            return Ok(FormErrors::again(StatusCode::UNPROCESSABLE_ENTITY, shown));
        }
    };
    let mut act = page.begin().await?;
    let Asked { ceremony, options } = passkeys::begin_making(&mut act).await?;
    act.commit().await?;
    let mut conn = page.read().await?;
    let shown = PasskeyPage {
        shell: page.shell(&mut conn, "").await?,
        head: AccountHead::of(&page, "security"),
        name,
        ceremony: ceremony.expose().to_owned(),
        options: options.to_string(),
    };
    Ok(shown.into_response())
}

/// `POST /account/security/passkeys/finish`.
pub async fn finish(page: Page, PageForm(form): PageForm<PasskeyForm>) -> PageResult {
    let ceremony = Secret::read(&form.ceremony).ok_or(Error::NotFound("passkey"))?;
    let mut act = page.begin().await?;
    let codes = passkeys::finish_making(&mut act, &ceremony, &form.answer, &form.name).await?;
    if codes.is_empty() {
        return page.done(act, "/account/security#passkeys", Flash::ok("The passkey is ready.")).await;
    }
    act.commit().await?;
    security::with_codes(&page, codes).await
}

/// `POST /account/security/passkeys/{passkey}/remove`.
pub async fn remove(page: Page, ApiPath(passkey): ApiPath<PasskeyId>) -> PageResult {
    let mut act = page.begin().await?;
    passkeys::remove(&mut act, passkey).await?;
    page.done(act, "/account/security#passkeys", Flash::ok("The passkey was removed. Delete it on your device too.")).await
}

fn question(asked: &Asked) -> Response {
    Json(json!({"ceremony": asked.ceremony.expose(), "options": asked.options})).into_response()
}

/// `POST /sign-in/passkey/options`: what any passkey of this installation is asked.
pub async fn ask_anybody(visitor: Visitor) -> PageResult {
    let mut act = visitor.begin().await?;
    let asked = passkeys::ask(&mut act, None).await?;
    act.commit().await?;
    Ok(question(&asked))
}

/// `POST /sign-in/second-step/passkey`: what a passkey of whoever is half signed in is asked.
pub async fn ask_half(visitor: Visitor) -> PageResult {
    let half = visitor.visit.half().ok_or(Error::Unauthenticated)?;
    let mut act = visitor.begin().await?;
    let (user, _) = proofs::second_step(&mut act, half).await?;
    let asked = passkeys::ask(&mut act, Some(user.id)).await?;
    act.commit().await?;
    Ok(question(&asked))
}

/// `POST /account/prove/passkey`: what a passkey of whoever is signed in is asked.
pub async fn ask_me(page: Page) -> PageResult {
    let mut act = page.begin().await?;
    let asked = passkeys::ask(&mut act, Some(page.me().id)).await?;
    act.commit().await?;
    Ok(question(&asked))
}

#[cfg(test)]
mod tests {
    use super::PasskeyPage;
    use crate::pages::sample;

    #[test]
    fn what_the_browser_is_asked_stands_in_the_form() {
        let page = PasskeyPage { shell: sample::shell(""), name: "Laptop".into(), options: "{\"a\":1}".into(), ..PasskeyPage::default() };
        let html = sample::render("passkey", &page);
        assert!(html.contains("data-passkey-make=") && html.contains("passkeys.js") && !html.contains("{\"a\""));
    }
}
