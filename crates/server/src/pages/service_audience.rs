//! Whom a private service is listed for.

use axum::response::IntoResponse;
use serde::Deserialize;
use stoa_actions::{
    Error,
    services::{audience, moves},
};
use stoa_domain::{ids::ServiceId, organizations::Key, permissions::Permission, services::Visibility};
use stoa_store::Conn;

use super::{
    Field, Flash, Link, OrgHead, Shell, filters,
    form::{FormErrors, PageForm},
    page::{Page, PageResult, may},
    times,
};
use crate::extract::ApiPath;

/// `GET /organizations/{org}/services/{service}/audience`, and again with errors.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "service_audience.html")]
pub struct ServiceAudiencePage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization.
    pub org: OrgHead,
    /// The service's address, without a slash at the end.
    pub url: String,
    /// The service's name.
    pub name: String,
    /// Whether the list counts.
    pub is_private: bool,
    /// The named organizations.
    pub rows: Vec<NamedRow>,
    /// Whether I may change the list.
    pub can_edit: bool,
    /// The organization to name.
    pub organization: Field,
    /// Errors of the form.
    pub errors: Vec<String>,
}

/// A named organization.
#[derive(Debug, Clone, Default)]
pub struct NamedRow {
    /// Its name.
    pub name: String,
    /// Its handle.
    pub handle: String,
    /// Since when.
    pub since: String,
}

async fn audience_page(page: &Page, conn: &mut Conn, key: &str) -> PageResult<ServiceAudiencePage> {
    let key = Key::<ServiceId>::read(key);
    let (_, seat) = moves::member(conn, &page.caller, &key).await?;
    let (service, named) = audience::list(conn, &page.caller, &key).await?;
    let mut org = page.org_head(conn, &seat, "services").await?;
    let list = format!("{}/services", org.url());
    let url = format!("{list}/{}", service.handle);
    org.crumbs =
        vec![Link::new("Services", list.as_str()), Link::new(service.name.as_str(), url.as_str()), Link::new("Whom it is for", "")];
    let row = |(one, since): (stoa_store::organizations::Named, stoa_domain::time::Ts)| NamedRow {
        name: one.name,
        handle: one.handle,
        since: times::ago(since, page.caller.now),
    };
    Ok(ServiceAudiencePage {
        shell: page.shell(conn, "organizations").await?,
        url,
        name: service.name.clone(),
        is_private: service.visibility == Visibility::Private,
        rows: named.into_iter().map(row).collect(),
        can_edit: may(&seat, Permission::DraftServices),
        org,
        ..ServiceAudiencePage::default()
    })
}

/// `GET /organizations/{org}/services/{service}/audience`.
pub async fn show(page: Page, ApiPath((_org, key)): ApiPath<(String, String)>) -> PageResult {
    let mut conn = page.read().await?;
    Ok(audience_page(&page, &mut conn, &key).await?.into_response())
}

/// The organization to name.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct NamedForm {
    organization: String,
}

/// `POST /organizations/{org}/services/{service}/audience`.
pub async fn add(page: Page, ApiPath((org, key)): ApiPath<(String, String)>, PageForm(form): PageForm<NamedForm>) -> PageResult {
    let mut act = page.begin().await?;
    let error = match audience::add(&mut act, &Key::read(&key), &Key::read(form.organization.trim())).await {
        Ok(named) => {
            let told = Flash::ok(format!("{} is on the list.", named.name));
            return page.done(act, format!("/organizations/{org}/services/{key}/audience"), told).await;
        }
        Err(Error::NotFound("organization")) => Error::fault("/organization", "there is no such organization; write its handle or id"),
        Err(other) => other,
    };
    drop(act);
    let mut errors = FormErrors::of(error)?;
    let status = errors.status;
    let mut conn = page.read().await?;
    let mut shown = audience_page(&page, &mut conn, &key).await?;
    shown.organization = errors.field("/organization", form.organization);
    shown.errors = errors.rest();
    Ok(FormErrors::again(status, shown))
}

/// `POST /organizations/{org}/services/{service}/audience/{named}/remove`.
pub async fn remove(page: Page, ApiPath((org, key, named)): ApiPath<(String, String, String)>) -> PageResult {
    let mut act = page.begin().await?;
    let named = audience::remove(&mut act, &Key::read(&key), &Key::read(&named)).await?;
    let told = Flash::ok(format!("{} is no longer on the list. A live subscription of it goes on.", named.name));
    page.done(act, format!("/organizations/{org}/services/{key}/audience"), told).await
}

#[cfg(test)]
mod tests {
    use super::{NamedRow, ServiceAudiencePage};
    use crate::pages::{Link, OrgHead, sample};

    #[test]
    fn the_list_says_when_it_does_not_count() {
        let mut page = ServiceAudiencePage {
            shell: sample::shell("organizations"),
            org: OrgHead { crumbs: vec![Link::new("Services", ""), Link::new("Load forecast", "")], ..sample::org("services") },
            url: "/organizations/aurelia/services/load-forecast".into(),
            name: "Load forecast".into(),
            can_edit: true,
            ..ServiceAudiencePage::default()
        };
        assert!(sample::render("service-audience-empty", &page).contains("is not private"));
        page.is_private = true;
        page.rows.push(NamedRow { name: "Borealis Grid".into(), handle: "borealis".into(), since: "today".into() });
        let html = sample::render("service-audience", &page);
        assert!(!html.contains("is not private") && html.contains("Take off Borealis Grid"));
    }
}
