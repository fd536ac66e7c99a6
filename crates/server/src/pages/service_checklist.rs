//! What a service lacks before it is published, and where that is added.

use stoa_domain::services::Lack;

/// Something the service lacks.
#[derive(Debug, Clone, Default)]
pub struct LackRow {
    /// What to do about it.
    pub text: &'static str,
    /// Whether it is not published without it.
    pub blocks: bool,
    /// Where that is done; empty where it is not.
    pub href: String,
    /// What leads there.
    pub label: &'static str,
}

/// What the checklist amounts to.
#[must_use]
pub fn summary(missing: &[Lack]) -> &'static str {
    if missing.iter().any(|lack| lack.blocks()) {
        "It can't be published before what is needed is there."
    } else if missing.is_empty() {
        "Nothing is missing."
    } else {
        "Nothing is needed. This would help people who look for it."
    }
}

/// One line of the checklist, with where to go for it.
#[must_use]
pub fn lack_row(lack: Lack, url: &str) -> LackRow {
    let (path, label) = match lack {
        Lack::Summary | Lack::Description | Lack::Categories | Lack::Support => ("edit", "Edit"),
        Lack::Icon | Lack::Screenshots => ("pictures", "Add"),
        Lack::Audience => ("audience", "Name"),
        Lack::Application | Lack::Plans | Lack::Terms => ("", ""),
    };
    let href = if path.is_empty() { String::new() } else { format!("{url}/{path}") };
    LackRow { text: lack.advice(), blocks: lack.blocks(), href, label }
}
