//! The signed-in user's own page with the personal tokens.

use axum::{http::StatusCode, response::IntoResponse};
use serde::Deserialize;
use stoa_actions::tokens;
use stoa_domain::{ids::TokenId, secrets::SecretKind, time::Ts, tokens::PersonalToken};
use stoa_store::Conn;

use super::applications::CredentialRow;
use super::{
    Field, Flash, Person, Shell, filters,
    form::{FormErrors, PageForm},
    page::{Page, PageResult},
    times,
};
use crate::extract::ApiPath;

/// `GET /account`, and the answer to a new token.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "account.html")]
pub struct AccountPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// Myself.
    pub person: Person,
    /// My live tokens.
    pub tokens: Vec<CredentialRow>,
    /// The token just made, shown this once; otherwise empty.
    pub new_token: String,
    /// The new token's name.
    pub name: Field,
}

/// `GET /account`.
pub async fn show(page: Page) -> PageResult {
    let mut conn = page.read().await?;
    Ok(page_of(&page, &mut conn).await?.into_response())
}

async fn page_of(page: &Page, conn: &mut Conn) -> PageResult<AccountPage> {
    let now = page.caller.now;
    let tokens = tokens::list(conn, &page.caller).await?;
    Ok(AccountPage {
        shell: page.shell(conn, "").await?,
        person: Person::new(&page.me().name, &page.me().email),
        tokens: tokens.iter().map(|token| row(token, now)).collect(),
        ..AccountPage::default()
    })
}

fn row(token: &PersonalToken, now: Ts) -> CredentialRow {
    CredentialRow {
        id: token.id.to_string(),
        name: token.name.clone(),
        hint: format!("{}…{}", SecretKind::PersonalToken.prefix(), token.hint),
        created: times::short_day(token.created_at.day()),
        last_used: token.last_used_at.map_or_else(|| "never".to_owned(), |used| times::ago(used, now)),
    }
}

/// The form of a new token.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct NewTokenForm {
    name: String,
}

/// `POST /account/tokens`. The answer is the page with the secret itself: nowhere else is it kept, so that no reload and
/// no other page shows it again.
pub async fn create_token(page: Page, PageForm(form): PageForm<NewTokenForm>) -> PageResult {
    let mut act = page.begin().await?;
    match tokens::create(&mut act, &form.name).await {
        Ok((_, secret)) => {
            act.commit().await?;
            let mut conn = page.read().await?;
            let mut shown = page_of(&page, &mut conn).await?;
            secret.expose().clone_into(&mut shown.new_token);
            Ok(FormErrors::again(StatusCode::CREATED, shown))
        }
        Err(error) => {
            drop(act);
            let mut errors = FormErrors::of(error)?;
            let status = errors.status;
            let mut conn = page.read().await?;
            let mut shown = page_of(&page, &mut conn).await?;
            shown.name = errors.field("/name", form.name);
            Ok(FormErrors::again(status, shown))
        }
    }
}

/// `POST /account/tokens/{token}/revoke`.
pub async fn revoke_token(page: Page, ApiPath(token): ApiPath<TokenId>) -> PageResult {
    let mut act = page.begin().await?;
    tokens::revoke(&mut act, token).await?;
    page.done(act, "/account", Flash::ok("The token was revoked. Programs that use it are refused from now on.")).await
}

#[cfg(test)]
mod tests {
    use super::AccountPage;
    use crate::pages::applications::CredentialRow;
    use crate::pages::{Person, sample};

    #[test]
    fn tokens_can_be_made_and_revoked() {
        let page = AccountPage {
            shell: sample::shell(""),
            person: Person::new("Mira Sand", "mira@aurelia.example"),
            tokens: vec![CredentialRow {
                id: "tok_1".into(),
                name: "Nightly export".into(),
                hint: "stoa_pat_4f9a…".into(),
                created: "12 Mar 2026".into(),
                last_used: "today".into(),
            }],
            new_token: "stoa_pat_sample_that_opens_nothing".into(),
            ..AccountPage::default()
        };
        assert!(sample::render("account", &page).contains("/account/tokens/tok_1/revoke"));
    }
}
