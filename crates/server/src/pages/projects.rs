//! The projects of an organization, and one project with its resources.

use super::{Badge, Field, OrgHead, Pager, Shell, filters};

/// `GET /organizations/{org}/projects`; `?open=new` opens the dialog, a refused `POST` shows it again.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "projects.html")]
pub struct ProjectsPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization.
    pub org: OrgHead,
    /// The projects.
    pub projects: Vec<ProjectRow>,
    /// Leads through a long list.
    pub pager: Pager,
    /// Whether I may create projects.
    pub can_manage: bool,
    /// Whether the dialog is open.
    pub open_new: bool,
    /// Errors of the dialog as a whole.
    pub errors: Vec<String>,
    /// The new project's name.
    pub name: Field,
    /// Its handle.
    pub handle: Field,
    /// Its description.
    pub description: Field,
    /// Which services will use a new project at once; may be empty.
    pub future_note: String,
}

/// One project of the list.
#[derive(Debug, Clone, Default)]
pub struct ProjectRow {
    /// Its name.
    pub name: String,
    /// Its handle.
    pub handle: String,
    /// Its description, may be empty.
    pub description: String,
    /// Its page.
    pub href: String,
    /// Colour class of its mark.
    pub hue: u8,
    /// How many resources it has.
    pub resources: u64,
    /// The services that use it, such as “Load forecast, Geo tiles”; may be empty.
    pub services: String,
    /// What it cost this month.
    pub cost: String,
}

/// `GET /organizations/{org}/projects/{project}`.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "project.html")]
pub struct ProjectPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization; its crumbs are “Projects” and this project.
    pub org: OrgHead,
    /// The project's address, without a slash at the end.
    pub url: String,
    /// Its name.
    pub name: String,
    /// Its handle.
    pub handle: String,
    /// Its description, may be empty.
    pub description: String,
    /// Colour class of its mark.
    pub hue: u8,
    /// The day it was created.
    pub created: String,
    /// Such as “3 resources, 1.2 MB”.
    pub resources_summary: String,
    /// Its resources.
    pub resources: Vec<ResourceRow>,
    /// Leads through many resources.
    pub pager: Pager,
    /// Which services use it.
    pub grants: Vec<GrantRow>,
    /// Whether I may upload, edit and delete.
    pub can_manage: bool,
    /// The largest upload, such as “5 GB”.
    pub size_limit: String,
    /// Why the upload was refused.
    pub upload_error: Option<String>,
    /// The name in the form.
    pub edit_name: Field,
    /// The description in the form.
    pub edit_description: Field,
    /// Why the deletion was refused.
    pub delete_error: Option<String>,
}

/// One resource.
#[derive(Debug, Clone, Default)]
pub struct ResourceRow {
    /// Its name.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// Its size, such as “1.2 MB”.
    pub size: String,
    /// When it changed.
    pub updated: String,
    /// Where to download it.
    pub href: String,
    /// Where to post its deletion.
    pub delete_action: String,
}

/// One service that uses the project.
#[derive(Debug, Clone, Default)]
pub struct GrantRow {
    /// The service's name.
    pub service: String,
    /// The subscription's page.
    pub href: String,
    /// What it may do, in plain words.
    pub permissions: String,
    /// Since when.
    pub since: String,
    /// By whose approval.
    pub approved_by: String,
    /// The subscription's state.
    pub state: Badge,
}

#[cfg(test)]
mod tests {
    use super::{GrantRow, ProjectPage, ProjectRow, ProjectsPage, ResourceRow};
    use crate::pages::{Badge, Field, Link, hue, sample};

    #[test]
    fn the_list_shows_services_and_costs() {
        let row = |name: &str| ProjectRow {
            name: name.into(),
            handle: name.to_lowercase().replace(' ', "-"),
            href: "/organizations/aurelia/projects/delta".into(),
            hue: hue(name),
            resources: 12,
            services: "Load forecast, Geo tiles".into(),
            cost: "€ 1,604.12".into(),
            ..ProjectRow::default()
        };
        let page = ProjectsPage {
            shell: sample::shell("organizations"),
            org: sample::org("projects"),
            projects: vec![row("Wind park Delta"), row("Grid planning")],
            can_manage: true,
            ..ProjectsPage::default()
        };
        assert!(sample::render("projects", &page).contains("€ 1,604.12"));
    }

    #[test]
    fn an_empty_list_says_who_could_act() {
        let mut page = ProjectsPage { shell: sample::shell("organizations"), org: sample::org("projects"), ..ProjectsPage::default() };
        assert!(sample::render("projects-empty-viewer", &page).contains("Ask an editor or a maintainer"));
        page.can_manage = true;
        page.open_new = true;
        page.name = Field::wrong("", "Give it a name.");
        page.future_note = "Load forecast will use it at once.".into();
        assert!(sample::render("projects-new", &page).contains("Give it a name."));
    }

    #[test]
    fn a_project_shows_its_resources_and_who_uses_them() {
        let mut org = sample::org("projects");
        org.crumbs = vec![Link::new("Projects", "/organizations/aurelia/projects"), Link::new("Wind park Delta", "")];
        let resource = |name: &str, media: &str| ResourceRow {
            name: name.into(),
            media_type: media.into(),
            size: "1.2 MB".into(),
            updated: "20 Nov 2026, 14:02".into(),
            href: format!("/organizations/aurelia/projects/delta/resources/{name}"),
            delete_action: format!("/organizations/aurelia/projects/delta/resources/{name}/delete"),
        };
        let mut page = ProjectPage {
            shell: sample::shell("organizations"),
            org,
            url: "/organizations/aurelia/projects/delta".into(),
            name: "Wind park Delta".into(),
            handle: "delta".into(),
            hue: 1,
            created: "12 March 2026".into(),
            resources_summary: "2 resources, 2.4 MB".into(),
            resources: vec![resource("readings-2026-11.csv", "text/csv"), resource("layout.json", "application/json")],
            grants: vec![GrantRow {
                service: "Load forecast".into(),
                href: "/organizations/aurelia/subscriptions/sub_1".into(),
                permissions: "reads resources".into(),
                since: "1 Nov 2026".into(),
                approved_by: "Ola Birke".into(),
                state: Badge::state("active"),
            }],
            can_manage: true,
            size_limit: "5 GB".into(),
            edit_name: Field::new("Wind park Delta"),
            ..ProjectPage::default()
        };
        assert!(sample::render("project", &page).contains("readings-2026-11.csv"));
        page.can_manage = false;
        page.resources.clear();
        page.grants.clear();
        let html = sample::render("project-empty-viewer", &page);
        assert!(html.contains("Ask an editor") && !html.contains("type=\"file\""));
    }
}
