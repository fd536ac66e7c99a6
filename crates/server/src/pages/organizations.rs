//! The list of one's organizations and the form for a new one.

use super::{Badge, Field, Pager, Shell, filters};

/// `GET /organizations`.
#[derive(Debug, askama::Template, askama_web::WebTemplate)]
#[template(path = "organizations.html")]
pub struct OrganizationsPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organizations I belong to.
    pub items: Vec<OrganizationRow>,
    /// Leads through a long list.
    pub pager: Pager,
}

/// One organization of the list.
#[derive(Debug, Clone)]
pub struct OrganizationRow {
    /// Its name.
    pub name: String,
    /// Its handle.
    pub handle: String,
    /// Its description, may be empty.
    pub description: String,
    /// Letters of its mark.
    pub initials: String,
    /// Colour class of its mark.
    pub hue: u8,
    /// My role, as [`Badge::plain`].
    pub role: Badge,
    /// How many members it has.
    pub members: u64,
    /// How many projects it has.
    pub projects: u64,
    /// How many live subscriptions it has.
    pub subscriptions: u64,
    /// Whether I may delete it.
    pub can_delete: bool,
}

impl OrganizationsPage {
    /// Whether the dialog to delete one is needed at all.
    #[must_use]
    pub fn may_delete_any(&self) -> bool {
        self.items.iter().any(|item| item.can_delete)
    }
}

/// `GET /organizations/new`, and again with errors.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "organization_new.html")]
pub struct OrganizationNewPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// Errors of the form as a whole.
    pub errors: Vec<String>,
    /// The name.
    pub name: Field,
    /// The handle.
    pub handle: Field,
    /// The description.
    pub description: Field,
    /// Where statements go.
    pub billing_email: Field,
}

#[cfg(test)]
mod tests {
    use super::{OrganizationNewPage, OrganizationRow, OrganizationsPage};
    use crate::pages::{Badge, Field, Pager, hue, initials, sample};

    fn row(name: &str, handle: &str, role: &str) -> OrganizationRow {
        OrganizationRow {
            name: name.into(),
            handle: handle.into(),
            description: String::new(),
            initials: initials(name),
            hue: hue(handle),
            role: Badge::plain(role),
            members: 8,
            projects: 9,
            subscriptions: 4,
            can_delete: role == "Maintainer",
        }
    }

    #[test]
    fn only_maintainers_are_offered_the_bin() {
        let items = vec![row("Aurelia Energy", "aurelia", "Maintainer"), row("Borealis Grid", "borealis", "Viewer")];
        let mut page = OrganizationsPage { shell: sample::shell("organizations"), items, pager: Pager::default() };
        sample::flash(&mut page.shell, "Aurelia Energy was created.");
        let html = sample::render("organizations", &page);
        assert!(html.contains("Delete Aurelia Energy") && !html.contains("Delete Borealis Grid"));
    }

    #[test]
    fn an_empty_list_says_what_to_do_next() {
        let page = OrganizationsPage { shell: sample::shell("organizations"), items: Vec::new(), pager: Pager::default() };
        assert!(sample::render("organizations-empty", &page).contains("You belong to no organization yet"));
    }

    #[test]
    fn the_form_shows_again_what_was_typed_and_what_is_wrong() {
        let page = OrganizationNewPage {
            shell: sample::shell("organizations"),
            name: Field::new("Aurelia <Energy>"),
            handle: Field::wrong("aurelia", "This handle is taken."),
            ..OrganizationNewPage::default()
        };
        let html = sample::render("organization-new", &page);
        assert!(html.contains("Aurelia &#60;Energy&#62;") && html.contains("This handle is taken."));
    }
}
