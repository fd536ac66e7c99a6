//! Purpose and end of one project's grant.

use axum::response::IntoResponse;
use serde::Deserialize;
use stoa_actions::{Error, subscriptions};
use stoa_domain::{
    ids::SubscriptionId,
    locks::TermsInput,
    organizations::Key,
    permissions::{Permission, Verdict, verdict},
};

use super::{
    Field, Flash, Link, OrgHead, Shell, filters,
    form::{FormErrors, PageForm},
    page::{Page, PageResult},
};
use crate::extract::ApiPath;

/// `GET /organizations/{org}/subscriptions/{subscription}/projects/{project}`.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "terms.html")]
pub struct TermsPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization.
    pub org: OrgHead,
    /// The service's name.
    pub service: String,
    /// The project's name.
    pub project: String,
    /// Where the form is sent.
    pub action: String,
    /// Where “back” leads.
    pub back: String,
    /// Errors of the form as a whole.
    pub errors: Vec<String>,
    /// What the project is used for.
    pub purpose: Field,
    /// The last day.
    pub until: Field,
    /// What changing it means for me; may be empty.
    pub note: String,
}

/// The form.
#[derive(Debug, Default, Deserialize)]
pub struct TermsForm {
    /// What the project is used for.
    #[serde(default)]
    pub purpose: String,
    /// The last day; empty for no end.
    #[serde(default)]
    pub until: String,
}

/// `GET /organizations/{org}/subscriptions/{subscription}/projects/{project}`.
pub async fn ask(page: Page, ApiPath((org, id, project)): ApiPath<(String, SubscriptionId, String)>) -> PageResult {
    Ok(terms_page(&page, &org, id, &project).await?.into_response())
}

async fn terms_page(page: &Page, org: &str, id: SubscriptionId, project: &str) -> PageResult<TermsPage> {
    let mut conn = page.read().await?;
    let (seat, details) = subscriptions::get(&mut conn, &page.caller, &Key::read(org), id).await?;
    let mut live = details.grants.iter().filter(|one| one.grant.is_live(page.caller.now));
    let found = live.find(|one| one.project.handle == project).ok_or(Error::NotFound("project"))?;
    let mut head = page.org_head(&mut conn, &seat, "subscriptions").await?;
    let service = details.concerned.offer.service_name.clone();
    let list = format!("{}/subscriptions", head.url());
    let back = format!("{list}/{id}/projects");
    head.crumbs =
        vec![Link::new("Subscriptions", list), Link::new(service.as_str(), back.as_str()), Link::new(found.project.name.as_str(), "")];
    let adds = verdict(seat.role, Permission::AddProjects) == Verdict::Allowed;
    Ok(TermsPage {
        shell: page.shell(&mut conn, "organizations").await?,
        org: head,
        project: found.project.name.clone(),
        action: format!("{back}/{project}"),
        back,
        purpose: Field::new(found.grant.purpose.as_str()),
        until: Field::new(found.grant.ends_at.map(|end| end.plus(-1).day().to_string()).unwrap_or_default()),
        note: if adds {
            String::new()
        } else {
            "An earlier end works at once. A later end or another purpose sends a request, which a reviewer or maintainer decides."
                .to_owned()
        },
        service,
        ..TermsPage::default()
    })
}

/// `POST /organizations/{org}/subscriptions/{subscription}/projects/{project}`.
pub async fn set(
    page: Page,
    ApiPath((org, id, project)): ApiPath<(String, SubscriptionId, String)>,
    PageForm(form): PageForm<TermsForm>,
) -> PageResult {
    let mut act = page.begin().await?;
    let input = TermsInput { project: project.clone(), purpose: form.purpose.clone(), until: Some(form.until.clone()) };
    match subscriptions::change_terms(&mut act, &Key::read(&org), id, &[input]).await {
        Ok(done) => {
            let flash = match done.request {
                None => Flash::ok("Purpose and end are saved."),
                Some(_) => Flash::ok("The change waits for the decision of a reviewer or maintainer."),
            };
            page.done(act, format!("/organizations/{org}/subscriptions/{id}/projects"), flash).await
        }
        Err(error) => {
            drop(act);
            let mut errors = FormErrors::of(error)?;
            let status = errors.status;
            let mut shown = terms_page(&page, &org, id, &project).await?;
            shown.purpose = errors.field("/details/0/purpose", form.purpose);
            shown.until = errors.field("/details/0/until", form.until);
            shown.errors = errors.rest();
            Ok(FormErrors::again(status, shown))
        }
    }
}
