//! How the signed-in user proves who they are: second factors, passkeys, accounts of other providers, sessions.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use stoa_actions::{identities, passkeys, providers::Provider, second_factors, sessions};
use stoa_domain::{ids::SessionId, time::Ts};
use stoa_store::{Conn, identities::Identity};

use super::{
    Choice, Field, Flash, Shell,
    account::AccountHead,
    filters,
    form::FormErrors,
    page::{Page, PageResult},
    times, visit,
};
use crate::extract::ApiPath;

/// A passkey.
#[derive(Debug, Clone, Default)]
pub struct PasskeyLine {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created: String,
    /// When it was last used.
    pub last_used: String,
}

/// A linked account of another provider.
#[derive(Debug, Clone, Default)]
pub struct IdentityLine {
    /// Its id.
    pub id: String,
    /// The provider's name.
    pub provider: String,
    /// The address there.
    pub email: String,
    /// When it was last used.
    pub last_used: String,
}

/// A session.
#[derive(Debug, Clone, Default)]
pub struct SessionLine {
    /// Its id.
    pub id: String,
    /// In which browser.
    pub browser: String,
    /// From which address.
    pub address: String,
    /// When it began.
    pub created: String,
    /// When it was last used.
    pub last_used: String,
    /// Whether it is the one that asks.
    pub is_this: bool,
}

/// `GET /account/security`, and the answer to whatever makes recovery codes.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "security.html")]
pub struct SecurityPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The head with the tabs.
    pub head: AccountHead,
    /// Recovery codes just made, shown this once.
    pub recovery_codes: Vec<String>,
    /// Whether a sign-in takes a second step.
    pub two_steps: bool,
    /// Since when there is an authenticator app; empty without one.
    pub totp_since: String,
    /// How many recovery codes are left.
    pub recovery_left: i64,
    /// My passkeys.
    pub passkeys: Vec<PasskeyLine>,
    /// Whether browsers make passkeys for this installation.
    pub passkeys_possible: bool,
    /// The name of a new one.
    pub passkey_name: Field,
    /// Linked accounts of other providers.
    pub identities: Vec<IdentityLine>,
    /// Providers with which no account is linked.
    pub providers: Vec<Choice>,
    /// Where I am signed in.
    pub sessions: Vec<SessionLine>,
}

/// `GET /account/security`.
pub async fn show(page: Page) -> PageResult {
    let mut conn = page.read().await?;
    Ok(page_of(&page, &mut conn).await?.into_response())
}

pub(super) async fn page_of(page: &Page, conn: &mut Conn) -> PageResult<SecurityPage> {
    let now = page.caller.now;
    let used = |at: Option<Ts>| at.map_or_else(|| "never".to_owned(), |at| times::ago(at, now));
    let factors = second_factors::get(conn, &page.caller).await?;
    let passkeys = passkeys::list(conn, &page.caller).await?;
    let passkeys = passkeys.into_iter().map(|key| PasskeyLine {
        id: key.id.to_string(),
        name: key.name,
        created: times::short_day(key.created_at.day()),
        last_used: used(key.last_used_at),
    });
    let sessions = sessions::list(conn, &page.caller).await?;
    let sessions = sessions.into_iter().map(|session| SessionLine {
        is_this: session.id == page.session().id,
        id: session.id.to_string(),
        browser: session.device.browser,
        address: session.device.address,
        created: times::ago(session.created_at, now),
        last_used: times::ago(session.last_used_at, now),
    });
    let identities = identities::list(conn, &page.caller).await?;
    let linked = |provider: &&Provider| identities.iter().any(|one| one.issuer == provider.issuer);
    let providers = page.app.stoa.providers.iter().filter(|provider| !linked(provider));
    Ok(SecurityPage {
        head: AccountHead::of(page, "security"),
        recovery_codes: Vec::new(),
        two_steps: second_factors::has_any(&factors),
        totp_since: factors.totp_since.map(|at| times::long_day(at.day())).unwrap_or_default(),
        recovery_left: factors.recovery_codes,
        passkeys: passkeys.collect(),
        passkeys_possible: passkeys::are_possible(&page.app.stoa.public_url),
        passkey_name: Field::default(),
        identities: identities.iter().map(|one| identity(page, one)).collect(),
        providers: providers.map(|provider| Choice::new(&provider.handle, &provider.name, false)).collect(),
        sessions: sessions.collect(),
        shell: page.shell(conn, "").await?,
    })
}

/// A linked account; of a provider that is not configured any more, its issuer.
fn identity(page: &Page, one: &Identity) -> IdentityLine {
    let provider = page.app.stoa.providers.iter().find(|provider| provider.issuer == one.issuer);
    IdentityLine {
        id: one.id.to_string(),
        provider: provider.map_or(&one.issuer, |provider| &provider.name).clone(),
        email: one.email.clone(),
        last_used: one.last_used_at.map_or_else(|| "never".to_owned(), |at| times::ago(at, page.caller.now)),
    }
}

/// The page with recovery codes that were just made: nowhere else are they kept, so that no reload shows them again.
pub(super) async fn with_codes(page: &Page, codes: Vec<String>) -> PageResult {
    let mut conn = page.read().await?;
    let mut shown = page_of(page, &mut conn).await?;
    shown.recovery_codes = codes;
    Ok(FormErrors::again(StatusCode::CREATED, shown))
}

/// `POST /account/security/sessions/{session}/end`.
pub async fn end_session(page: Page, ApiPath(session): ApiPath<SessionId>) -> PageResult {
    let mut act = page.begin().await?;
    sessions::end_one(&mut act, session).await?;
    if session == page.session().id {
        act.commit().await?;
        return Ok(signed_out(&page));
    }
    page.done(act, "/account/security#sessions", Flash::ok("That session has ended.")).await
}

fn signed_out(page: &Page) -> Response {
    let mut response = Redirect::to("/sign-in").into_response();
    visit::set_cookie(&mut response, visit::no_cookie(&page.app));
    response
}

/// `POST /account/security/sessions/end-others`.
pub async fn end_other_sessions(page: Page) -> PageResult {
    let mut act = page.begin().await?;
    let ended = sessions::end_others(&mut act, Some(page.session())).await?;
    let said = if ended == 1 { "1 other session has ended.".to_owned() } else { format!("{ended} other sessions have ended.") };
    page.done(act, "/account/security#sessions", Flash::ok(said)).await
}

#[cfg(test)]
mod tests {
    use super::{IdentityLine, PasskeyLine, SecurityPage, SessionLine};
    use crate::pages::{Choice, sample};

    #[test]
    fn everything_that_opens_the_account_is_listed_and_can_be_ended() {
        let page = SecurityPage {
            shell: sample::shell(""),
            recovery_codes: vec!["0000-1111-2222-3333".into(), "4444-5555-6666-7777".into()],
            two_steps: true,
            totp_since: "12 March 2026".into(),
            recovery_left: 2,
            passkeys: vec![PasskeyLine { id: "psk_1".into(), name: "Laptop".into(), created: "today".into(), last_used: "never".into() }],
            passkeys_possible: true,
            identities: vec![IdentityLine { id: "idn_1".into(), provider: "Example".into(), ..IdentityLine::default() }],
            providers: vec![Choice::new("other", "Other", false)],
            sessions: vec![
                SessionLine { id: "ses_1".into(), browser: "Firefox on Linux".into(), is_this: true, ..SessionLine::default() },
                SessionLine { id: "ses_2".into(), browser: "Safari on iPhone".into(), ..SessionLine::default() },
            ],
            ..SecurityPage::default()
        };
        let html = sample::render("security", &page);
        for part in ["0000-1111", "passkeys/psk_1/remove", "sessions/ses_2/end", "end-others", "idn_1/unlink", "providers/other/link"] {
            assert!(html.contains(part), "{part}");
        }
    }
}
