//! The mail domains of an organization: its settings' page about who may join by address alone.

use axum::{http::StatusCode, response::IntoResponse};
use serde::Deserialize;
use stoa_actions::domains;
use stoa_domain::{
    domains::{CONTACTS, code_counts},
    ids::OrganizationId,
    organizations::Key,
    permissions::Permission,
};
use stoa_store::Conn;

use super::{
    Choice, Field, Flash, OrgHead, Shell, filters,
    form::{FormErrors, PageForm},
    page::{self, Page, PageResult},
    role_choices,
};
use crate::extract::ApiPath;

/// A domain.
#[derive(Debug, Clone, Default)]
pub struct DomainRow {
    /// Its name.
    pub name: String,
    /// As what its people join, as choices.
    pub roles: Vec<Choice>,
    /// The same in a word.
    pub role: String,
    /// To which address the code was sent.
    pub contact: String,
    /// Whether it is verified.
    pub verified: bool,
    /// Whether a code waits to be typed.
    pub waits: bool,
    /// What is wrong with the code that was typed.
    pub error: Option<String>,
}

/// `GET /organizations/{org}/settings/domains`, and again with errors.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "domains.html")]
pub struct DomainsPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization.
    pub org: OrgHead,
    /// Whether I may change something.
    pub can_manage: bool,
    /// The domains.
    pub domains: Vec<DomainRow>,
    /// Errors of the form as a whole.
    pub errors: Vec<String>,
    /// The domain to add.
    pub domain: Field,
    /// As what its people join.
    pub roles: Vec<Choice>,
    /// To which address the code is sent.
    pub contacts: Vec<Choice>,
}

/// The form of a new domain, of a code, or of a role.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct DomainForm {
    domain: String,
    role: String,
    contact: String,
    code: String,
}

fn contacts(chosen: &str) -> Vec<Choice> {
    CONTACTS.into_iter().map(|role| Choice::new(role, format!("{role}@"), role == chosen)).collect()
}

async fn page_of(page: &Page, conn: &mut Conn, key: &Key<OrganizationId>, form: &DomainForm) -> PageResult<DomainsPage> {
    let (seat, found) = domains::list(conn, &page.caller, key).await?;
    let row = |one: domains::Domain| DomainRow {
        roles: role_choices(one.role.word()),
        role: one.role.word().to_owned(),
        contact: one.contact,
        verified: one.verified_at.is_some(),
        waits: code_counts(one.code_expires_at, one.attempts, page.caller.now),
        name: one.domain,
        error: None,
    };
    Ok(DomainsPage {
        can_manage: page::may(&seat, Permission::ManageMembers),
        domains: found.into_iter().map(row).collect(),
        errors: Vec::new(),
        domain: Field::new(&form.domain),
        roles: role_choices(if form.role.is_empty() { "viewer" } else { &form.role }),
        contacts: contacts(&form.contact),
        org: page.org_head(conn, &seat, "settings").await?,
        shell: page.shell(conn, "organizations").await?,
    })
}

fn address(org: &str) -> String {
    format!("/organizations/{org}/settings/domains")
}

/// `GET /organizations/{org}/settings/domains`.
pub async fn list(page: Page, ApiPath(org): ApiPath<String>) -> PageResult {
    let mut conn = page.read().await?;
    Ok(page_of(&page, &mut conn, &Key::read(&org), &DomainForm::default()).await?.into_response())
}

/// `POST /organizations/{org}/settings/domains`: a new domain, or a new code for one.
pub async fn claim(page: Page, ApiPath(org): ApiPath<String>, PageForm(form): PageForm<DomainForm>) -> PageResult {
    let key = Key::read(&org);
    let mut act = page.begin().await?;
    let new = domains::NewDomain { domain: form.domain.clone(), role: form.role.clone(), contact: form.contact.clone() };
    match domains::claim(&mut act, &key, &new).await {
        Ok(one) => {
            let said = format!("A code was sent to {}. Type it here to verify {}.", one.contact, one.domain);
            page.done(act, address(&org), Flash::ok(said)).await
        }
        Err(error) => {
            drop(act);
            let mut errors = FormErrors::of(error)?;
            let status = errors.status;
            let mut conn = page.read().await?;
            let mut shown = page_of(&page, &mut conn, &key, &form).await?;
            shown.domain = errors.field("/domain", form.domain);
            shown.errors = errors.rest();
            Ok(FormErrors::again(status, shown))
        }
    }
}

/// `POST /organizations/{org}/settings/domains/{domain}/verify`.
pub async fn verify(page: Page, ApiPath((org, domain)): ApiPath<(String, String)>, PageForm(form): PageForm<DomainForm>) -> PageResult {
    let key = Key::read(&org);
    let mut act = page.begin().await?;
    let (status, wrong) = match domains::verify(&mut act, &key, &domain, &form.code).await {
        Ok(Some(one)) => {
            let said = format!("{} is verified. People with such an address become members when they sign up or sign in.", one.domain);
            return page.done(act, address(&org), Flash::ok(said)).await;
        }
        Ok(None) => {
            act.commit().await?;
            let wrong = "That is not the code. After five wrong ones a new code must be sent.".to_owned();
            (StatusCode::UNPROCESSABLE_ENTITY.into(), wrong)
        }
        Err(error) => {
            drop(act);
            let errors = FormErrors::of(error)?;
            (errors.status, errors.rest().join(" "))
        }
    };
    let mut conn = page.read().await?;
    let mut shown = page_of(&page, &mut conn, &key, &DomainForm::default()).await?;
    match shown.domains.iter_mut().find(|row| row.name == domain && row.waits) {
        Some(row) => row.error = Some(wrong),
        None => shown.errors = vec![wrong],
    }
    Ok(FormErrors::again(status, shown))
}

/// `POST /organizations/{org}/settings/domains/{domain}/role`.
pub async fn set_role(page: Page, ApiPath((org, domain)): ApiPath<(String, String)>, PageForm(form): PageForm<DomainForm>) -> PageResult {
    let mut act = page.begin().await?;
    let one = domains::set_role(&mut act, &Key::read(&org), &domain, &form.role).await?;
    let said = format!("People of {} become {}s from now on. Those who are members keep their role.", one.domain, one.role);
    page.done(act, address(&org), Flash::ok(said)).await
}

/// `POST /organizations/{org}/settings/domains/{domain}/remove`.
pub async fn remove(page: Page, ApiPath((org, domain)): ApiPath<(String, String)>) -> PageResult {
    let mut act = page.begin().await?;
    domains::remove(&mut act, &Key::read(&org), &domain).await?;
    page.done(act, address(&org), Flash::ok(format!("{domain} was removed. Who joined through it stays a member."))).await
}

#[cfg(test)]
mod tests {
    use super::{DomainRow, DomainsPage, contacts};
    use crate::pages::{role_choices, sample};

    #[test]
    fn maintainers_add_and_verify_and_others_look() {
        let row = |name: &str, verified| DomainRow {
            name: name.into(),
            roles: role_choices("viewer"),
            role: "viewer".into(),
            contact: format!("postmaster@{name}"),
            verified,
            waits: !verified,
            error: None,
        };
        let mut page = DomainsPage {
            shell: sample::shell("organizations"),
            org: sample::org("settings"),
            can_manage: true,
            domains: vec![row("aurelia.example", true), row("plants.example", false)],
            roles: role_choices("viewer"),
            contacts: contacts("hostmaster"),
            ..DomainsPage::default()
        };
        let html = sample::render("domains", &page);
        assert!(html.contains("plants.example/verify") && html.contains("aurelia.example/remove") && html.contains("hostmaster@"));
        page.can_manage = false;
        let html = sample::render("domains-viewer", &page);
        assert!(html.contains("aurelia.example") && !html.contains("/verify") && !html.contains("/remove"));
    }
}
