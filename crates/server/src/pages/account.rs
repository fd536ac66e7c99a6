//! One's own account: name, address, password, and its end.

use axum::response::{IntoResponse, Redirect};
use serde::Deserialize;
use stoa_actions::{
    Act, Error, limits,
    users::{self, address, password},
};
use stoa_domain::limits::{Attempt, Door};
use stoa_store::Conn;

use super::{
    Field, Flash, Person, Shell, filters,
    form::{FormErrors, PageForm},
    page::{Page, PageResult},
    visit,
};

/// The head of the account's pages.
#[derive(Debug, Clone, Default)]
pub struct AccountHead {
    /// Myself.
    pub person: Person,
    /// The active tab: `profile`, `security`, `tokens`.
    pub tab: &'static str,
}

impl AccountHead {
    /// The head for whoever is signed in.
    #[must_use]
    pub fn of(page: &Page, tab: &'static str) -> Self {
        Self { person: Person::new(&page.me().name, &page.me().email), tab }
    }
}

/// `GET /account`, and again with errors.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "account.html")]
pub struct AccountPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The head of the account's pages.
    pub head: AccountHead,
    /// Whether I have a password.
    pub has_password: bool,
    /// My name.
    pub name: Field,
    /// The address I want.
    pub email: Field,
    /// The password I want.
    pub new_password: Field,
    /// Why the account was not deleted.
    pub deletion: Vec<String>,
}

async fn page_of(page: &Page, conn: &mut Conn) -> PageResult<AccountPage> {
    Ok(AccountPage {
        shell: page.shell(conn, "").await?,
        head: AccountHead::of(page, "profile"),
        has_password: password::is_set(conn, &page.caller).await?,
        name: Field::new(&page.me().name),
        ..AccountPage::default()
    })
}

/// `GET /account`.
pub async fn show(page: Page) -> PageResult {
    let mut conn = page.read().await?;
    Ok(page_of(&page, &mut conn).await?.into_response())
}

/// Shows the page again with what is wrong.
async fn again(page: &Page, error: Error, put: impl FnOnce(&mut AccountPage, FormErrors)) -> PageResult {
    let errors = FormErrors::of(error)?;
    let status = errors.status;
    let mut conn = page.read().await?;
    let mut shown = page_of(page, &mut conn).await?;
    put(&mut shown, errors);
    Ok(FormErrors::again(status, shown))
}

/// Another name.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct NameForm {
    name: String,
}

/// `POST /account/name`.
pub async fn rename(page: Page, PageForm(form): PageForm<NameForm>) -> PageResult {
    let mut act = page.begin().await?;
    match users::rename(&mut act, &form.name).await {
        Ok(_) => page.done(act, "/account", Flash::ok("Saved.")).await,
        Err(error) => {
            drop(act);
            again(&page, error, |shown, mut errors| {
                shown.name = errors.field("/name", form.name);
                errors.tell(&mut shown.shell);
            })
            .await
        }
    }
}

/// Another address.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct AddressForm {
    email: String,
}

/// `POST /account/address`, after a fresh proof of who asks.
pub async fn change_address(page: Page, PageForm(form): PageForm<AddressForm>) -> PageResult {
    match ask_for_address(&page, &form.email).await {
        Ok(act) => {
            let text = format!("A mail was sent to {}. Open its link, and the address is changed.", form.email.trim());
            page.done(act, "/account", Flash::ok(text)).await
        }
        Err(error) => {
            again(&page, error, |shown, mut errors| {
                shown.email = errors.field("/email", form.email);
                errors.tell(&mut shown.shell);
            })
            .await
        }
    }
}

/// Counts the attempt, and asks for the confirmation of another address.
async fn ask_for_address(page: &Page, email: &str) -> Result<Act, Error> {
    let attempt = Attempt { door: Door::AddressChange, account: &page.me().email, network: &page.from.network() };
    limits::take(&page.app.stoa, attempt, page.caller.now).await?;
    let mut act = Act::begin(&page.app.stoa, page.caller.clone()).await?;
    address::ask(&mut act, email).await?;
    Ok(act)
}

/// Another password.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct PasswordForm {
    password: String,
}

/// `POST /account/password`, after a fresh proof of who asks.
pub async fn change_password(page: Page, PageForm(form): PageForm<PasswordForm>) -> PageResult {
    let hash = match password::choose(&page.app.stoa, &form.password).await {
        Ok(hash) => hash,
        Err(error) => {
            return again(&page, error, |shown, mut errors| {
                shown.new_password = errors.field("/password", "");
                errors.tell(&mut shown.shell);
            })
            .await;
        }
    };
    let mut act = page.begin().await?;
    password::change(&mut act, &hash, page.session().id_hash).await?;
    page.done(act, "/account", Flash::ok("Your password was changed. Your other sessions have ended.")).await
}

/// The end.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct DeleteForm {
    confirm: String,
}

/// `POST /account/delete`, after a fresh proof of who asks.
pub async fn delete(page: Page, PageForm(form): PageForm<DeleteForm>) -> PageResult {
    let mut act = page.begin().await?;
    match users::delete(&mut act, &form.confirm).await {
        Ok(()) => {
            act.commit().await?;
            let mut response = Redirect::to("/account-deleted").into_response();
            visit::set_cookie(&mut response, visit::no_cookie(&page.app));
            Ok(response)
        }
        Err(error) => {
            drop(act);
            again(&page, error, |shown, errors| shown.deletion = errors.rest()).await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AccountHead, AccountPage};
    use crate::pages::{Field, Person, sample};

    #[test]
    fn who_may_not_go_is_told_why() {
        let page = AccountPage {
            shell: sample::shell(""),
            head: AccountHead { person: Person::new("Mira Sand", "mira@aurelia.example"), tab: "profile" },
            has_password: true,
            name: Field::new("Mira Sand"),
            deletion: vec!["You are the only maintainer of Aurelia Energy.".into()],
            ..AccountPage::default()
        };
        let html = sample::render("account", &page);
        assert!(html.contains("only maintainer of Aurelia Energy") && html.contains("Change password"));
        assert!(sample::render("account-without-password", &AccountPage { has_password: false, ..page }).contains("Set password"));
    }
}
