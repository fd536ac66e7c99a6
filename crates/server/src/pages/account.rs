//! The signed-in user's own pages: their head with tabs, and the profile.

use axum::response::IntoResponse;

use super::{
    Person, Shell, filters,
    page::{Page, PageResult},
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

/// `GET /account`.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "account.html")]
pub struct AccountPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The head with the tabs.
    pub head: AccountHead,
}

/// `GET /account`.
pub async fn show(page: Page) -> PageResult {
    let mut conn = page.read().await?;
    Ok(AccountPage { shell: page.shell(&mut conn, "").await?, head: AccountHead::of(&page, "profile") }.into_response())
}

#[cfg(test)]
mod tests {
    use super::{AccountHead, AccountPage};
    use crate::pages::{Person, sample};

    #[test]
    fn the_profile_names_its_owner() {
        let head = AccountHead { person: Person::new("Mira Sand", "mira@aurelia.example"), tab: "profile" };
        assert!(sample::render("account", &AccountPage { shell: sample::shell(""), head }).contains("mira@aurelia.example"));
    }
}
