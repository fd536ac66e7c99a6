//! The applications of an organization, and one application with its secrets.

use super::{Field, Link, OrgHead, Shell, filters};

/// `GET /organizations/{org}/applications`; `?open=new` opens the dialog, a refused `POST` shows it again.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "applications.html")]
pub struct ApplicationsPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization.
    pub org: OrgHead,
    /// The applications.
    pub applications: Vec<ApplicationRow>,
    /// Whether I may create applications.
    pub can_manage: bool,
    /// Whether the dialog is open.
    pub open_new: bool,
    /// Errors of the dialog as a whole.
    pub errors: Vec<String>,
    /// The new application's name.
    pub name: Field,
    /// Its description.
    pub description: Field,
}

/// One application of the list.
#[derive(Debug, Clone, Default)]
pub struct ApplicationRow {
    /// Its name.
    pub name: String,
    /// Its description, may be empty.
    pub description: String,
    /// Its page.
    pub href: String,
    /// Colour class of its mark.
    pub hue: u8,
    /// Its client id.
    pub client_id: String,
    /// The services it stands behind; may be empty.
    pub services: String,
    /// How many secrets live.
    pub secrets: u64,
}

/// `GET /organizations/{org}/applications/{application}`.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "application.html")]
pub struct ApplicationPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization; its crumbs are “Applications” and this application.
    pub org: OrgHead,
    /// The application's address, without a slash at the end.
    pub url: String,
    /// Its name.
    pub name: String,
    /// Its description, may be empty.
    pub description: String,
    /// Colour class of its mark.
    pub hue: u8,
    /// The day it was created.
    pub created: String,
    /// Its client id.
    pub client_id: String,
    /// Where it asks for tokens.
    pub token_url: String,
    /// The services it stands behind.
    pub services: Vec<Link>,
    /// Its live secrets.
    pub secrets: Vec<CredentialRow>,
    /// The secret just made, shown this once; otherwise empty.
    pub new_secret: String,
    /// Whether I may make and revoke secrets and delete it.
    pub can_manage: bool,
    /// Why it cannot be deleted; empty where it can.
    pub delete_blocked: String,
}

/// A secret or token, without its secret part.
#[derive(Debug, Clone, Default)]
pub struct CredentialRow {
    /// Its id.
    pub id: String,
    /// Its name, where it has one.
    pub name: String,
    /// What may be shown of it, such as `stoa_sec_4f9a…`.
    pub hint: String,
    /// When it was made.
    pub created: String,
    /// When it was last used, or “never”.
    pub last_used: String,
}

#[cfg(test)]
mod tests {
    use super::{ApplicationPage, ApplicationRow, ApplicationsPage, CredentialRow};
    use crate::pages::{Link, sample};

    #[test]
    fn the_list_and_its_empty_state() {
        let mut page = ApplicationsPage {
            shell: sample::shell("organizations"),
            org: sample::org("applications"),
            can_manage: true,
            ..ApplicationsPage::default()
        };
        assert!(sample::render("applications-empty", &page).contains("No applications yet"));
        page.applications.push(ApplicationRow {
            name: "Forecast engine".into(),
            href: "/organizations/aurelia/applications/app_1".into(),
            client_id: "app_01h455vb4pex5vsknk084sn02q".into(),
            services: "Load forecast".into(),
            secrets: 2,
            ..ApplicationRow::default()
        });
        assert!(sample::render("applications", &page).contains("Forecast engine"));
    }

    #[test]
    fn a_new_secret_is_shown_once() {
        let mut org = sample::org("applications");
        org.crumbs = vec![Link::new("Applications", "/organizations/aurelia/applications"), Link::new("Forecast engine", "")];
        let page = ApplicationPage {
            shell: sample::shell("organizations"),
            org,
            url: "/organizations/aurelia/applications/app_1".into(),
            name: "Forecast engine".into(),
            created: "12 March 2026".into(),
            client_id: "app_01h455vb4pex5vsknk084sn02q".into(),
            token_url: "https://stoa.example/oauth2/token".into(),
            services: vec![Link::new("Load forecast", "/organizations/aurelia/services/load-forecast")],
            secrets: vec![CredentialRow {
                id: "sec_1".into(),
                hint: "stoa_sec_4f9a…".into(),
                created: "12 Mar 2026".into(),
                last_used: "never".into(),
                ..CredentialRow::default()
            }],
            new_secret: "stoa_sec_sample_of_a_secret_that_opens_nothing".into(),
            can_manage: true,
            ..ApplicationPage::default()
        };
        assert!(sample::render("application", &page).contains("Copy this secret now."));
    }
}
