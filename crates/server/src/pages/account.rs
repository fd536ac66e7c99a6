//! The signed-in user's own page with the personal tokens.

use super::applications::CredentialRow;
use super::{Field, Person, Shell, filters};

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
