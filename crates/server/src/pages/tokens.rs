//! The signed-in user's personal tokens.

use axum::{http::StatusCode, response::IntoResponse};
use serde::Deserialize;
use stoa_actions::{organizations, tokens};
use stoa_domain::{
    ids::TokenId,
    secrets::SecretKind,
    time::Ts,
    tokens::{LONGEST_DAYS, Lifetime, PersonalToken, USUAL_DAYS},
};
use stoa_store::{Conn, organizations::Named};

use super::{
    Choice, Field, Flash, Shell,
    account::AccountHead,
    filters,
    form::{FormErrors, PageForm},
    page::{Page, PageResult},
    times,
};
use crate::extract::ApiPath;

/// A live token.
#[derive(Debug, Clone, Default)]
pub struct TokenRow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// By what its owner knows it.
    pub hint: String,
    /// Which organizations it opens.
    pub opens: String,
    /// When it was last used.
    pub last_used: String,
    /// When it ends or ended.
    pub ends: String,
    /// Whether it has ended.
    pub over: bool,
}

/// `GET /account/tokens`, and the answer to a new token.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "tokens.html")]
pub struct TokensPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The head with the tabs.
    pub head: AccountHead,
    /// My live tokens.
    pub tokens: Vec<TokenRow>,
    /// The token just made, shown this once; otherwise empty.
    pub new_token: String,
    /// Errors of the form as a whole.
    pub errors: Vec<String>,
    /// The new token's name.
    pub name: Field,
    /// How long it may live.
    pub days: Vec<Choice>,
    /// Whether it is limited to some organizations.
    pub limited: bool,
    /// My organizations.
    pub organizations: Vec<Choice>,
    /// What is wrong with the choice.
    pub organizations_error: Option<String>,
}

/// The lifetimes on offer, in days.
const DAYS: [i64; 5] = [7, 30, USUAL_DAYS, 180, LONGEST_DAYS];

/// The most organizations that the form offers.
const MOST_OFFERED: i64 = 200;

fn days(chosen: i64) -> Vec<Choice> {
    DAYS.into_iter().map(|days| Choice::new(days.to_string(), format!("{days} days"), days == chosen)).collect()
}

/// `GET /account/tokens`.
pub async fn list(page: Page) -> PageResult {
    let mut conn = page.read().await?;
    Ok(page_of(&page, &mut conn, &NewTokenForm::default()).await?.into_response())
}

async fn page_of(page: &Page, conn: &mut Conn, form: &NewTokenForm) -> PageResult<TokensPage> {
    let now = page.caller.now;
    let tokens = tokens::list(conn, &page.caller).await?;
    let names = tokens::organizations_of(conn, &tokens).await?;
    let seats = organizations::list(conn, &page.caller, "", None, MOST_OFFERED).await?;
    let organizations = seats.iter().map(|seat| {
        let id = seat.organization.id.to_string();
        let chosen = form.organization.contains(&id);
        Choice::new(id, &seat.organization.name, chosen)
    });
    Ok(TokensPage {
        shell: page.shell(conn, "").await?,
        head: AccountHead::of(page, "tokens"),
        tokens: tokens.iter().map(|token| row(token, &names, now)).collect(),
        days: days(form.days()),
        limited: form.scope == "some",
        organizations: organizations.collect(),
        ..TokensPage::default()
    })
}

fn row(token: &PersonalToken, names: &[Named], now: Ts) -> TokenRow {
    let opens = match &token.organizations {
        None => "All organizations".to_owned(),
        Some(ids) => {
            let named: Vec<_> = names.iter().filter(|one| ids.contains(&one.id)).map(|one| one.name.as_str()).collect();
            named.join(", ")
        }
    };
    TokenRow {
        id: token.id.to_string(),
        name: token.name.clone(),
        hint: format!("{}…{}", SecretKind::PersonalToken.prefix(), token.hint),
        opens,
        last_used: token.last_used_at.map_or_else(|| "never".to_owned(), |used| times::ago(used, now)),
        ends: times::short_day(token.expires_at.day()),
        over: token.expires_at <= now,
    }
}

/// The form of a new token.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct NewTokenForm {
    name: String,
    days: String,
    scope: String,
    organization: Vec<String>,
}

impl NewTokenForm {
    fn days(&self) -> i64 {
        if self.days.is_empty() { USUAL_DAYS } else { self.days.parse().unwrap_or(0) }
    }

    fn input(&self) -> tokens::NewToken {
        tokens::NewToken {
            name: self.name.clone(),
            lifetime: Lifetime::Days(self.days()),
            organizations: (self.scope == "some").then(|| self.organization.clone()),
        }
    }
}

/// `POST /account/tokens`. The answer is the page with the secret itself: nowhere else is it kept, so that no reload and
/// no other page shows it again.
pub async fn create(page: Page, PageForm(form): PageForm<NewTokenForm>) -> PageResult {
    let mut act = page.begin().await?;
    match tokens::create(&mut act, form.input()).await {
        Ok((_, secret)) => {
            act.commit().await?;
            let mut conn = page.read().await?;
            let mut shown = page_of(&page, &mut conn, &NewTokenForm::default()).await?;
            secret.expose().clone_into(&mut shown.new_token);
            Ok(FormErrors::again(StatusCode::CREATED, shown))
        }
        Err(error) => {
            drop(act);
            let mut errors = FormErrors::of(error)?;
            let status = errors.status;
            let mut conn = page.read().await?;
            let mut shown = page_of(&page, &mut conn, &form).await?;
            shown.name = errors.field("/name", form.name);
            shown.organizations_error = errors.take("/organizations");
            shown.errors = errors.rest();
            Ok(FormErrors::again(status, shown))
        }
    }
}

/// `POST /account/tokens/{token}/revoke`.
pub async fn revoke(page: Page, ApiPath(token): ApiPath<TokenId>) -> PageResult {
    let mut act = page.begin().await?;
    tokens::revoke(&mut act, token).await?;
    page.done(act, "/account/tokens", Flash::ok("The token was revoked. Programs that use it are refused from now on.")).await
}

#[cfg(test)]
mod tests {
    use super::{TokenRow, TokensPage, days};
    use crate::pages::{Choice, sample};

    #[test]
    fn tokens_can_be_made_and_revoked() {
        let page = TokensPage {
            shell: sample::shell(""),
            tokens: vec![TokenRow {
                id: "tok_1".into(),
                name: "Nightly export".into(),
                hint: "stoa_pat_…4f9a".into(),
                opens: "Aurelia Energy".into(),
                last_used: "today".into(),
                ends: "12 Jun 2026".into(),
                over: true,
            }],
            new_token: "stoa_pat_sample_that_opens_nothing".into(),
            days: days(90),
            organizations: vec![Choice::new("org_1", "Aurelia Energy", true)],
            ..TokensPage::default()
        };
        let html = sample::render("tokens", &page);
        assert!(html.contains("/account/tokens/tok_1/revoke") && html.contains("Expired"));
    }
}
