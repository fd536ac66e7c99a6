//! The applications of an organization, and one application with its secrets.

use axum::{http::header, response::IntoResponse};
use serde::Deserialize;
use stoa_actions::{
    Error,
    applications::{self, Seen, Uses},
    organizations,
};
use stoa_domain::{
    applications::{NewApplication, Owner},
    ids::{ApplicationId, OrganizationId, SecretId},
    organizations::Key,
    permissions::Permission,
    secrets::SecretKind,
};
use stoa_store::Conn;

use super::{
    Field, Flash, Link, OrgHead, Pager, Shell, filters,
    form::{FormErrors, PageForm},
    hue,
    page::{Page, PageResult, may},
    times,
};
use crate::{
    extract::{ApiPath, ApiQuery},
    paging::{self, Paging},
};

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
    /// Leads through a long list.
    pub pager: Pager,
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

/// What a list is asked for by its address.
#[derive(Debug, Default, Deserialize)]
pub struct ListQuery {
    /// The dialog to open: `new`.
    #[serde(default)]
    pub open: String,
    /// The page of the list.
    pub cursor: Option<String>,
}

/// How many applications a page shows.
const SHOWN: i64 = 50;

/// `GET /organizations/{org}/applications`.
pub async fn list(page: Page, ApiPath(org): ApiPath<String>, ApiQuery(query): ApiQuery<ListQuery>) -> PageResult {
    let mut conn = page.read().await?;
    let mut shown = applications_page(&page, &mut conn, &Key::read(&org), query.cursor).await?;
    shown.open_new = query.open == "new" && shown.can_manage;
    Ok(shown.into_response())
}

async fn applications_page(
    page: &Page,
    conn: &mut Conn,
    org: &Key<OrganizationId>,
    cursor: Option<String>,
) -> PageResult<ApplicationsPage> {
    let paging = Paging { limit: None, cursor };
    let after: Option<(String, ApplicationId)> = paging.cursor()?;
    let seat = organizations::get(conn, &page.caller, org).await?;
    let position = after.as_ref().map(|(name, id)| (name.as_str(), *id));
    let mut listed = applications::list(conn, &page.caller, Some(org), position, SHOWN + 1).await?;
    let cut = usize::try_from(SHOWN).unwrap_or(usize::MAX);
    let more = listed.len() > cut;
    listed.truncate(cut);
    let uses = applications::services_of(conn, &listed).await?;
    let shell = page.shell(conn, "organizations").await?;
    let head = page.org_head(conn, &seat, "applications").await?;
    let url = format!("{}/applications", head.url());
    let next = match listed.last().filter(|_| more) {
        Some(last) => format!("{url}?cursor={}", paging::encode(&(&last.application.name, last.application.id))),
        None => String::new(),
    };
    let pager = Pager {
        summary: format!("{} of {}", listed.len(), head.counts.applications),
        first: if after.is_some() { url.clone() } else { String::new() },
        next,
    };
    let services = |id: ApplicationId| uses.iter().filter(|one| one.application == id).map(|one| one.name.as_str()).collect::<Vec<_>>();
    let rows = listed.iter().map(|seen| ApplicationRow {
        name: seen.application.name.clone(),
        description: seen.application.description.clone(),
        href: format!("{url}/{}", seen.application.id),
        hue: hue(&seen.application.id.to_string()),
        client_id: seen.application.id.to_string(),
        services: services(seen.application.id).join(", "),
        secrets: u64::try_from(seen.live_secrets).unwrap_or(0),
    });
    let applications = rows.collect();
    let can_manage = may(&seat, Permission::ManageResources);
    Ok(ApplicationsPage { shell, org: head, applications, pager, can_manage, ..ApplicationsPage::default() })
}

/// A new application.
#[derive(Debug, Deserialize)]
pub struct NewForm {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Its description.
    #[serde(default)]
    pub description: String,
}

/// `POST /organizations/{org}/applications`.
pub async fn create(page: Page, ApiPath(org): ApiPath<String>, PageForm(form): PageForm<NewForm>) -> PageResult {
    let org = Key::read(&org);
    let mut act = page.begin().await?;
    let new = NewApplication { name: form.name.clone(), description: Some(form.description.clone()), redirect_uris: Vec::new() };
    match applications::create(&mut act, Some(&org), new).await {
        Ok(seen) => {
            let handle = seen.organization.map(|(handle, _)| handle).unwrap_or_default();
            let to = format!("/organizations/{handle}/applications/{}", seen.application.id);
            page.done(act, to, Flash::ok(format!("{} is created. Make a secret to sign in with.", seen.application.name))).await
        }
        Err(error) => {
            drop(act);
            let mut errors = FormErrors::of(error)?;
            let status = errors.status;
            let mut conn = page.read().await?;
            let mut shown = applications_page(&page, &mut conn, &org, None).await?;
            shown.open_new = true;
            shown.name = errors.field("/name", form.name);
            shown.description = errors.field("/description", form.description);
            shown.errors = errors.rest();
            Ok(FormErrors::again(status, shown))
        }
    }
}

/// `GET /organizations/{org}/applications/{application}`.
pub async fn show(page: Page, ApiPath((org, application)): ApiPath<(String, ApplicationId)>) -> PageResult {
    let mut conn = page.read().await?;
    Ok(application_page(&page, &mut conn, &Key::read(&org), application).await?.into_response())
}

async fn application_page(page: &Page, conn: &mut Conn, org: &Key<OrganizationId>, id: ApplicationId) -> PageResult<ApplicationPage> {
    let seat = organizations::get(conn, &page.caller, org).await?;
    let whole = applications::get(conn, &page.caller, id).await?;
    let application = whole.seen.application;
    if application.owner != Owner::Organization(seat.organization.id) {
        return Err(Error::NotFound("application").into());
    }
    let shell = page.shell(conn, "organizations").await?;
    let mut head = page.org_head(conn, &seat, "applications").await?;
    head.crumbs = vec![Link::new("Applications", format!("{}/applications", head.url())), Link::new(&application.name, "")];
    let now = page.caller.now;
    let secrets = whole.secrets.iter().map(|secret| CredentialRow {
        id: secret.id.to_string(),
        name: String::new(),
        hint: format!("{}…{}", SecretKind::ApplicationSecret.prefix(), secret.hint),
        created: times::ago(secret.created_at, now),
        last_used: secret.last_used_at.map_or_else(|| "never".to_owned(), |at| times::ago(at, now)),
    });
    let services = |one: &Uses| Link::new(&one.name, format!("{}/services/{}", head.url(), one.handle));
    let delete_blocked = match whole.services.as_slice() {
        [] => String::new(),
        [one] => format!("{} signs in with it: retire the service first.", one.name),
        more => format!("{} services sign in with it: retire them first.", more.len()),
    };
    Ok(ApplicationPage {
        shell,
        url: format!("{}/applications/{id}", head.url()),
        hue: hue(&id.to_string()),
        created: times::long_day(application.created_at.day()),
        client_id: id.to_string(),
        token_url: format!("{}/oauth2/token", page.app.stoa.public_url),
        services: whole.services.iter().map(services).collect(),
        secrets: secrets.collect(),
        can_manage: may(&seat, Permission::ManageResources),
        delete_blocked,
        name: application.name,
        description: application.description,
        org: head,
        ..ApplicationPage::default()
    })
}

/// Where the page of an organization's application is.
fn address(seen: &Seen) -> String {
    let handle = seen.organization.as_ref().map_or("", |(handle, _)| handle);
    format!("/organizations/{handle}/applications/{}", seen.application.id)
}

/// `POST /organizations/{org}/applications/{application}/secrets`: the answer shows the secret, this once, so it leads
/// nowhere and is kept by no cache.
pub async fn create_secret(page: Page, ApiPath((org, application)): ApiPath<(String, ApplicationId)>) -> PageResult {
    let mut act = page.begin().await?;
    match applications::create_secret(&mut act, application).await {
        Ok((_, _, text)) => {
            act.commit().await?;
            let mut conn = page.read().await?;
            let mut shown = application_page(&page, &mut conn, &Key::read(&org), application).await?;
            shown.new_secret = text.expose().to_owned();
            Ok(([(header::CACHE_CONTROL, "no-store")], shown).into_response())
        }
        Err(error) => {
            drop(act);
            let errors = FormErrors::of(error)?;
            let status = errors.status;
            let mut conn = page.read().await?;
            let mut shown = application_page(&page, &mut conn, &Key::read(&org), application).await?;
            shown.shell.flash.extend(errors.rest().into_iter().map(Flash::danger));
            Ok(FormErrors::again(status, shown))
        }
    }
}

/// `POST /organizations/{org}/applications/{application}/secrets/{secret}/revoke`.
pub async fn revoke_secret(page: Page, ApiPath((_, application, secret)): ApiPath<(String, ApplicationId, SecretId)>) -> PageResult {
    let mut act = page.begin().await?;
    let seen = applications::revoke_secret(&mut act, application, secret).await?;
    page.done(act, address(&seen), Flash::ok("The secret is revoked, and with it the tokens it was exchanged for.")).await
}

/// The confirmation of a deletion.
#[derive(Debug, Deserialize)]
pub struct ConfirmForm {
    /// The exact name.
    #[serde(default)]
    pub confirm: String,
}

/// `POST /organizations/{org}/applications/{application}/delete`.
pub async fn delete(
    page: Page,
    ApiPath((org, application)): ApiPath<(String, ApplicationId)>,
    PageForm(form): PageForm<ConfirmForm>,
) -> PageResult {
    let mut act = page.begin().await?;
    // The action says first whether it may happen at all; without the confirmation it is not committed.
    let refusal = match applications::delete(&mut act, application).await {
        Ok(seen) if form.confirm.trim() == seen.application.name => {
            let list = address(&seen).rsplit_once('/').map(|(list, _)| list.to_owned()).unwrap_or_default();
            return page.done(act, list, Flash::ok(format!("{} is deleted.", seen.application.name))).await;
        }
        Ok(_) => FormErrors::at_field("/confirm", "type the exact name of the application to delete it"),
        Err(error) => FormErrors::of(error)?,
    };
    drop(act);
    let status = refusal.status;
    let mut conn = page.read().await?;
    let mut shown = application_page(&page, &mut conn, &Key::read(&org), application).await?;
    shown.shell.flash.extend(refusal.rest().into_iter().map(Flash::danger));
    Ok(FormErrors::again(status, shown))
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
