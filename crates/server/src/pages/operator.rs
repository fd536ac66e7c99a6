//! What all pages of the operator have in common. For everybody else there are no such pages.

use super::Tab;

/// The head of the operator's pages.
#[derive(Debug, Clone, Copy, Default)]
pub struct OperatorHead {
    /// The active tab.
    pub tab: &'static str,
}

impl OperatorHead {
    /// The tabs in their order.
    #[must_use]
    pub fn tabs(&self) -> [Tab; 1] {
        let tab = |key, label, path| Tab { key, label, path, count: 0 };
        [tab("outbox", "Outbox", "/operator/outbox")]
    }
}
