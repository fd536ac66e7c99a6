//! Setting up an authenticator app, and recovery codes.

use axum::{http::StatusCode, response::IntoResponse};
use qrcode::{EcLevel, QrCode, render::svg};
use serde::Deserialize;
use stoa_actions::{
    Error,
    second_factors::{self, Confirmed, Enrolment},
};
use stoa_domain::secrets::Secret;

use super::{
    Flash, Shell,
    account::AccountHead,
    filters,
    form::{FormErrors, PageForm},
    page::{Page, PageResult},
    security,
};

/// The answer to the wish to set up an authenticator app.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "totp_new.html")]
pub struct TotpPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The head with the tabs.
    pub head: AccountHead,
    /// By which the set-up is resumed.
    pub ceremony: String,
    /// The QR code, an SVG made here.
    pub qr: String,
    /// The secret in base32, in groups of four.
    pub secret: String,
    /// What is wrong with the code that was typed.
    pub code_error: Option<String>,
}

/// The QR code of a text, as SVG without a prolog, fit to stand in a page.
fn qr(text: &str) -> Result<String, Error> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).map_err(|_| Error::Sealing)?;
    let svg = code.render::<svg::Color<'_>>().min_dimensions(220, 220).quiet_zone(true).build();
    Ok(svg.split_once("?>").map_or(svg.as_str(), |(_, svg)| svg).to_owned())
}

async fn page_of(page: &Page, enrolment: &Enrolment, code_error: Option<String>) -> PageResult<TotpPage> {
    let mut conn = page.read().await?;
    let groups: Vec<String> = enrolment.text.chars().collect::<Vec<_>>().chunks(4).map(|group| group.iter().collect()).collect();
    Ok(TotpPage {
        shell: page.shell(&mut conn, "").await?,
        head: AccountHead::of(page, "security"),
        ceremony: enrolment.ceremony.expose().to_owned(),
        qr: qr(&enrolment.url)?,
        secret: groups.join(" "),
        code_error,
    })
}

/// `POST /account/security/totp`.
pub async fn begin_totp(page: Page) -> PageResult {
    let mut act = page.begin().await?;
    let enrolment = second_factors::begin_totp(&mut act).await?;
    act.commit().await?;
    Ok(page_of(&page, &enrolment, None).await?.into_response())
}

/// The code that ends the set-up.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct CodeForm {
    ceremony: String,
    code: String,
}

/// `POST /account/security/totp/confirm`.
pub async fn confirm_totp(page: Page, PageForm(form): PageForm<CodeForm>) -> PageResult {
    let ceremony = Secret::read(&form.ceremony).ok_or(Error::NotFound("set-up"))?;
    let mut act = page.begin().await?;
    match second_factors::confirm_totp(&mut act, &ceremony, &form.code).await? {
        Confirmed::Done(codes) if codes.is_empty() => {
            page.done(act, "/account/security", Flash::ok("The authenticator app is set up.")).await
        }
        Confirmed::Done(codes) => {
            act.commit().await?;
            security::with_codes(&page, codes).await
        }
        Confirmed::Wrong(enrolment) => {
            drop(act);
            let wrong = "That is not the code it shows now. Check that the clock of your phone is right.".to_owned();
            Ok(FormErrors::again(StatusCode::UNPROCESSABLE_ENTITY, page_of(&page, &enrolment, Some(wrong)).await?))
        }
    }
}

/// `POST /account/security/totp/disable`.
pub async fn disable_totp(page: Page) -> PageResult {
    let mut act = page.begin().await?;
    second_factors::disable_totp(&mut act).await?;
    page.done(act, "/account/security", Flash::ok("The authenticator app is turned off.")).await
}

/// `POST /account/security/recovery-codes`.
pub async fn renew_recovery_codes(page: Page) -> PageResult {
    let mut act = page.begin().await?;
    let codes = second_factors::renew_recovery_codes(&mut act).await?;
    act.commit().await?;
    security::with_codes(&page, codes).await
}

#[cfg(test)]
mod tests {
    use super::{TotpPage, qr};
    use crate::pages::sample;

    #[test]
    fn the_qr_code_stands_in_the_page_without_inline_styles() {
        let page = TotpPage {
            shell: sample::shell(""),
            qr: qr("otpauth://totp/Stoa:mira@aurelia.example?secret=JBSWY3DPEHPK3PXP").unwrap(),
            secret: "JBSW Y3DP EHPK 3PXP".into(),
            code_error: Some("Wrong.".into()),
            ..TotpPage::default()
        };
        let html = sample::render("totp", &page);
        assert!(html.contains("<svg xmlns") && html.contains("JBSW Y3DP") && !html.contains("<?xml"));
    }
}
