//! The members of an organization.

use super::{Choice, Field, OrgHead, Pager, Person, Shell, filters};

/// `GET /organizations/{org}/members`; `?open=add` opens the dialog, a refused `POST` shows it again.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "members.html")]
pub struct MembersPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization.
    pub org: OrgHead,
    /// The members.
    pub members: Vec<MemberRow>,
    /// Leads through a long list.
    pub pager: Pager,
    /// Whether I may add members, change roles and remove members.
    pub can_manage: bool,
    /// Names of the maintainers, for those who may not.
    pub maintainers: String,
    /// Whether the dialog is open.
    pub open_add: bool,
    /// Errors of the dialog as a whole.
    pub errors: Vec<String>,
    /// The dialog's rows; [`MemberDraft::blank`] three times at first. Sent as repeated `email` and `role`.
    pub drafts: Vec<MemberDraft>,
}

/// One member.
#[derive(Debug, Clone, Default)]
pub struct MemberRow {
    /// The user's id.
    pub id: String,
    /// The person.
    pub person: Person,
    /// The role's title.
    pub role: String,
    /// The roles to choose from.
    pub roles: Vec<Choice>,
    /// The day they became a member.
    pub since: String,
    /// Whether it is me.
    pub is_me: bool,
    /// Whether I may change the role.
    pub can_change_role: bool,
    /// Whether I may remove them (or leave).
    pub can_remove: bool,
    /// Why the role is fixed, such as “Last maintainer”; may be empty.
    pub locked: String,
}

/// One row of the dialog.
#[derive(Debug, Clone, Default)]
pub struct MemberDraft {
    /// The address.
    pub email: Field,
    /// The roles to choose from.
    pub roles: Vec<Choice>,
    /// What was done with this row, such as “Added”; may be empty.
    pub done: String,
}

impl MemberDraft {
    /// An empty row with the role viewer.
    #[must_use]
    pub fn blank() -> Self {
        Self { roles: super::role_choices("viewer"), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::{MemberDraft, MemberRow, MembersPage};
    use crate::pages::{Field, Pager, Person, role_choices, sample};

    fn member(name: &str, role: &str) -> MemberRow {
        let me = name == "Mira Sand";
        MemberRow {
            id: format!("usr_{}", name.len()),
            person: Person::new(name, &format!("{}@aurelia.example", name.to_lowercase().replace(' ', "."))),
            role: role.into(),
            roles: role_choices(&role.to_lowercase()),
            since: "9 Nov 2026".into(),
            is_me: me,
            can_change_role: !me,
            can_remove: !me,
            locked: if me { "Last maintainer".into() } else { String::new() },
        }
    }

    fn page() -> MembersPage {
        MembersPage {
            shell: sample::shell("organizations"),
            org: sample::org("members"),
            members: vec![member("Mira Sand", "Maintainer"), member("Tomas Reed", "Editor"), member("Ola Birke", "Reviewer")],
            pager: Pager { summary: "50 of 10,000".into(), first: String::new(), next: "?cursor=abc".into() },
            can_manage: true,
            drafts: vec![MemberDraft::blank(), MemberDraft::blank(), MemberDraft::blank()],
            ..MembersPage::default()
        }
    }

    #[test]
    fn a_maintainer_is_offered_changes() {
        let html = sample::render("members", &page());
        assert!(html.contains("Add members") && html.contains("Role of Tomas Reed"));
        assert!(!html.contains("Role of Mira Sand"));
    }

    #[test]
    fn a_row_with_an_error_opens_the_dialog_again() {
        let mut page = page();
        page.open_add = true;
        page.drafts[0].email = Field::new("lena@aurelia.example");
        page.drafts[0].done = "Added as viewer".into();
        page.drafts[1].email = Field::wrong("t.reed@aurelia", "This does not look like an e-mail address.");
        let html = sample::render("members-add", &page);
        assert!(html.contains("does not look like") && html.contains(" open><form"));
    }

    #[test]
    fn others_are_told_who_may() {
        let mut page = page();
        page.can_manage = false;
        page.maintainers = "Mira Sand".into();
        page.org.can_delete = false;
        page.members.iter_mut().for_each(|member| {
            member.can_change_role = false;
            member.can_remove = false;
        });
        let html = sample::render("members-viewer", &page);
        assert!(html.contains("Only maintainers add members") && !html.contains("dlg-add"));
    }
}
