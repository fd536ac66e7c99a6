//! The settings of an organization: details, roles, deletion.

use stoa_domain::permissions::{Permission, Role, Verdict, verdict};

use super::{Field, OrgHead, Shell, filters};

/// `GET /organizations/{org}/settings`, and again with errors.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "settings.html")]
pub struct SettingsPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization.
    pub org: OrgHead,
    /// Its id.
    pub id: String,
    /// Errors of the form as a whole.
    pub errors: Vec<String>,
    /// Its name.
    pub name: Field,
    /// Its description.
    pub description: Field,
    /// Where statements go.
    pub billing_email: Field,
    /// The titles of the roles; see [`role_titles`].
    pub roles: Vec<String>,
    /// What each role may do; see [`role_matrix`].
    pub matrix: Vec<MatrixRow>,
}

/// One action of the matrix.
#[derive(Debug, Clone, Default)]
pub struct MatrixRow {
    /// The action in words.
    pub action: String,
    /// For each role `allowed`, `request` or `refused`.
    pub verdicts: Vec<&'static str>,
}

/// The titles of the roles, in the order of the matrix.
#[must_use]
pub fn role_titles() -> Vec<String> {
    Role::ALL.into_iter().map(|role| role.title().to_owned()).collect()
}

/// The matrix of roles, from the rules themselves.
#[must_use]
pub fn role_matrix() -> Vec<MatrixRow> {
    let word = |role, permission| match verdict(role, permission) {
        Verdict::Allowed => "allowed",
        Verdict::Request => "request",
        Verdict::Refused => "refused",
    };
    let row = |permission: Permission| {
        let words = permission.words();
        let mut letters = words.chars();
        let action = letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect());
        MatrixRow { action, verdicts: Role::ALL.into_iter().map(|role| word(role, permission)).collect() }
    };
    Permission::ALL.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::{SettingsPage, role_matrix, role_titles};
    use crate::pages::{Field, sample};

    #[test]
    fn settings_can_be_changed_by_those_who_may() {
        let mut page = SettingsPage {
            shell: sample::shell("organizations"),
            org: sample::org("settings"),
            id: "org_01h455vb4pex5vsknk084sn02q".into(),
            name: Field::new("Aurelia Energy"),
            billing_email: Field::wrong("billing@", "This does not look like an e-mail address."),
            roles: role_titles(),
            matrix: role_matrix(),
            ..SettingsPage::default()
        };
        let html = sample::render("settings", &page);
        assert!(html.contains("Maintainer (you)") && html.contains("settings-confirm"));
        page.org.can_edit = false;
        page.org.can_delete = false;
        page.org.role = "viewer".into();
        let html = sample::render("settings-viewer", &page);
        assert!(html.contains("Editors and maintainers can change this.") && !html.contains("settings-confirm"));
    }
}
