//! The settings of an organization: details, roles, deletion.

use stoa_domain::permissions::{Permission, Role, Verdict, verdict};

use axum::response::IntoResponse;
use stoa_actions::organizations;
use stoa_domain::{ids::OrganizationId, organizations::Key};
use stoa_store::Conn;

use super::{
    Flash, OrgHead, Pair, Shell, filters,
    form::{FormErrors, PageForm, sentence_start},
    organization_form::{OrganizationFields, OrganizationForm},
    page::{Page, PageResult},
    times,
};
use crate::extract::ApiPath;

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
    /// The details.
    pub form: OrganizationFields,
    /// Handles it had, each with the day until which it leads here.
    pub old_handles: Vec<Pair>,
    /// The titles of the roles; see [`role_titles`].
    pub roles: Vec<String>,
    /// What each role may do; see [`role_matrix`].
    pub matrix: Vec<MatrixRow>,
}

impl SettingsPage {
    /// The details, for those who may only read them.
    #[must_use]
    pub fn facts(&self) -> Vec<Pair> {
        let form = &self.form;
        vec![
            Pair::new("Name", &form.name.value),
            Pair::new("Description", &form.description.value),
            Pair::new("Contact e-mail address", &form.contact_email.value),
            Pair::new("Telephone", &form.contact_phone.value),
            Pair::new("Website", &form.website.value),
            Pair::new("Billing e-mail address", &form.billing_email.value),
            Pair::new("Legal name", &form.legal_name.value),
            Pair::new("Postal address", &form.address.value),
            Pair::new("Country", form.country_name()),
            Pair::new("VAT or tax number", &form.tax_id.value),
        ]
    }
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
        let action = sentence_start(permission.words());
        MatrixRow { action, verdicts: Role::ALL.into_iter().map(|role| word(role, permission)).collect() }
    };
    Permission::ALL.into_iter().map(row).collect()
}

/// `GET /organizations/{org}/settings`.
pub async fn show(page: Page, ApiPath(org): ApiPath<String>) -> PageResult {
    let mut conn = page.read().await?;
    Ok(page_of(&page, &mut conn, &Key::read(&org)).await?.into_response())
}

/// The page with the details as they are.
pub(super) async fn page_of(page: &Page, conn: &mut Conn, key: &Key<OrganizationId>) -> PageResult<SettingsPage> {
    let seat = organizations::get(conn, &page.caller, key).await?;
    let organization = &seat.organization;
    let old = organizations::old_handles(conn, &seat, page.caller.now).await?;
    Ok(SettingsPage {
        id: organization.id.to_string(),
        form: OrganizationFields::of(organization),
        old_handles: old.into_iter().map(|(handle, until)| Pair::new(handle, times::long_day(until.day()))).collect(),
        errors: Vec::new(),
        roles: role_titles(),
        matrix: role_matrix(),
        org: page.org_head(conn, &seat, "settings").await?,
        shell: page.shell(conn, "organizations").await?,
    })
}

/// `POST /organizations/{org}/settings`.
pub async fn save(page: Page, ApiPath(org): ApiPath<String>, PageForm(form): PageForm<OrganizationForm>) -> PageResult {
    let key = Key::read(&org);
    let mut act = page.begin().await?;
    match organizations::update(&mut act, &key, form.change()).await {
        Ok(seat) => page.done(act, format!("/organizations/{}/settings", seat.organization.handle), Flash::ok("Saved.")).await,
        Err(error) => {
            drop(act);
            let mut errors = FormErrors::of(error)?.code_at("handle_taken", "/handle");
            let status = errors.status;
            let mut conn = page.read().await?;
            let mut shown = page_of(&page, &mut conn, &key).await?;
            shown.form = shown.form.again(form, &mut errors);
            shown.errors = errors.rest();
            Ok(FormErrors::again(status, shown))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{SettingsPage, role_matrix, role_titles};
    use crate::pages::{Field, Pair, organization_form::OrganizationFields, sample};

    #[test]
    fn settings_can_be_changed_by_those_who_may() {
        let mut page = SettingsPage {
            shell: sample::shell("organizations"),
            org: sample::org("settings"),
            id: "org_01h455vb4pex5vsknk084sn02q".into(),
            form: OrganizationFields {
                name: Field::new("Aurelia Energy"),
                billing_email: Field::wrong("billing@", "This does not look like an e-mail address."),
                ..OrganizationFields::empty()
            },
            old_handles: vec![Pair::new("aurelia-power", "12 March 2027")],
            roles: role_titles(),
            matrix: role_matrix(),
            ..SettingsPage::default()
        };
        let html = sample::render("settings", &page);
        assert!(html.contains("Maintainer (you)") && html.contains("/organizations/aurelia/delete"));
        page.org.can_edit = false;
        page.org.can_delete = false;
        page.org.role = "viewer".into();
        let html = sample::render("settings-viewer", &page);
        assert!(html.contains("Editors and maintainers can change this.") && !html.contains("/organizations/aurelia/delete"));
    }
}
