//! What all pages of the operator have in common. For everybody else there are no such pages.

use axum::response::Redirect;

use super::{
    Tab,
    page::{Page, PageResult},
};

/// The head of the operator's pages.
#[derive(Debug, Clone, Copy, Default)]
pub struct OperatorHead {
    /// The active tab.
    pub tab: &'static str,
}

impl OperatorHead {
    /// The tabs in their order.
    #[must_use]
    pub fn tabs(&self) -> [Tab; 4] {
        let tab = |key, label, path| Tab { key, label, path, count: 0 };
        [
            tab("users", "Users", "/operator/users"),
            tab("organizations", "Organizations", "/operator/organizations"),
            tab("services", "Services", "/operator/services"),
            tab("outbox", "Outbox", "/operator/outbox"),
        ]
    }
}

/// `GET /operator`.
pub async fn home(page: Page) -> PageResult<Redirect> {
    stoa_actions::operators::allowed(&page.caller)?;
    Ok(Redirect::to("/operator/users"))
}
