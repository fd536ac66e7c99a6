//! The icon and the screenshots of a service, for those who edit it.

use axum::{
    extract::{Multipart, multipart::MultipartError},
    response::IntoResponse,
};
use serde::Deserialize;
use stoa_actions::{
    Error,
    services::{
        self,
        images::{self, ScreenshotChange, Which},
    },
};
use stoa_domain::{ids::ServiceId, images::MOST_SCREENSHOTS, organizations::Key, permissions::Permission, services::Service};
use stoa_store::Conn;

use super::{
    Field, Flash, Link, OrgHead, Shell, filters,
    form::{FormErrors, PageForm},
    hue, initials,
    page::{Page, PageResult},
    service_looks::{Shot, icon, shots},
};
use crate::{api::resources::drain, extract::ApiPath, problem::ApiError};

/// `GET /organizations/{org}/services/{service}/pictures`, and again with errors.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "service_pictures.html")]
pub struct ServicePicturesPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization.
    pub org: OrgHead,
    /// The service's address, without a slash at the end.
    pub url: String,
    /// The service's name.
    pub name: String,
    /// Letters of its mark.
    pub initials: String,
    /// Colour class of its mark.
    pub hue: u8,
    /// The address of its icon; may be empty.
    pub icon: String,
    /// Its screenshots.
    pub shots: Vec<Shot>,
    /// Whether there is room for another one.
    pub can_add: bool,
    /// What a new one shows.
    pub alt: Field,
    /// Errors of the form that was sent.
    pub errors: Vec<String>,
}

async fn pictures_page(page: &Page, conn: &mut Conn, org: &str, key: &str) -> PageResult<ServicePicturesPage> {
    let (org, key) = (Key::read(org), Key::<ServiceId>::read(key));
    let (seat, details) = services::of_organization(conn, &page.caller, &org, &key, Permission::DraftServices).await?;
    let service = &details.service;
    let mut org = page.org_head(conn, &seat, "services").await?;
    let list = format!("{}/services", org.url());
    let url = format!("{list}/{}", service.handle);
    org.crumbs = vec![Link::new("Services", list.as_str()), Link::new(service.name.as_str(), url.as_str()), Link::new("Pictures", "")];
    let shots = shots(service, &details.images);
    Ok(ServicePicturesPage {
        shell: page.shell(conn, "organizations").await?,
        url,
        name: service.name.clone(),
        initials: initials(&service.name),
        hue: hue(&service.handle),
        icon: icon(service),
        can_add: shots.len() < MOST_SCREENSHOTS,
        shots,
        org,
        ..ServicePicturesPage::default()
    })
}

fn home(org: &str, key: &str) -> String {
    format!("/organizations/{org}/services/{key}/pictures")
}

/// `GET /organizations/{org}/services/{service}/pictures`.
pub async fn show(page: Page, ApiPath((org, key)): ApiPath<(String, String)>) -> PageResult {
    let mut conn = page.read().await?;
    Ok(pictures_page(&page, &mut conn, &org, &key).await?.into_response())
}

/// The page again, with why a picture was not taken.
async fn refused(page: &Page, org: &str, key: &str, alt: &str, error: Error) -> PageResult {
    let mut conn = page.read().await?;
    let mut shown = pictures_page(page, &mut conn, org, key).await?;
    let mut errors = FormErrors::of(error)?;
    shown.alt = errors.field("/alt", alt);
    let status = errors.status;
    shown.errors = errors.rest();
    Ok(FormErrors::again(status, shown))
}

/// Reads a form with a text and a file, and puts the file where it belongs. The text comes before the file.
async fn upload(page: &Page, org: &str, key: &str, screenshot: Option<usize>, mut form: Multipart) -> PageResult {
    let unread = |bad: MultipartError| ApiError::request(bad.status(), "bad_form", bad.body_text());
    let mut alt = String::new();
    while let Some(mut field) = form.next_field().await.map_err(unread)? {
        match field.name() {
            Some("alt") => alt = field.text().await.map_err(unread)?,
            Some("file") if field.file_name().is_some_and(|name| !name.is_empty()) => {
                let which = match screenshot {
                    Some(number) => Which::Screenshot { number, alt: alt.clone() },
                    None => Which::Icon,
                };
                return match images::put(&page.app.stoa, &page.caller, &Key::read(key), which, None, &mut field).await {
                    Ok(service) => {
                        let what = if screenshot.is_some() { "screenshot" } else { "icon" };
                        page.done(page.begin().await?, home(org, key), Flash::ok(format!("The {what} of {} is there.", service.name))).await
                    }
                    Err(error) => {
                        drain(&mut field).await;
                        refused(page, org, key, &alt, error).await
                    }
                };
            }
            _ => {}
        }
    }
    refused(page, org, key, &alt, Error::fault("/file", "choose a file first")).await
}

/// `POST /organizations/{org}/services/{service}/icon`.
pub async fn put_icon(page: Page, ApiPath((org, key)): ApiPath<(String, String)>, form: Multipart) -> PageResult {
    upload(&page, &org, &key, None, form).await
}

/// `POST /organizations/{org}/services/{service}/screenshots`: one more.
pub async fn add_screenshot(page: Page, ApiPath((org, key)): ApiPath<(String, String)>, form: Multipart) -> PageResult {
    let mut conn = page.read().await?;
    let next = pictures_page(&page, &mut conn, &org, &key).await?.shots.len() + 1;
    drop(conn);
    upload(&page, &org, &key, Some(next), form).await
}

/// What is changed of a screenshot.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ScreenshotForm {
    alt: String,
    r#move: String,
}

async fn done(page: &Page, act: stoa_actions::Act, org: &str, key: &str, service: &Service) -> PageResult {
    page.done(act, home(org, key), Flash::ok(format!("{} is saved.", service.name))).await
}

/// `POST /organizations/{org}/services/{service}/screenshots/{number}`.
pub async fn change_screenshot(
    page: Page,
    ApiPath((org, key, number)): ApiPath<(String, String, usize)>,
    PageForm(form): PageForm<ScreenshotForm>,
) -> PageResult {
    let to = match form.r#move.as_str() {
        "up" => Some(number.saturating_sub(1)),
        "down" => Some(number + 1),
        _ => None,
    };
    let mut act = page.begin().await?;
    match images::change(&mut act, &Key::read(&key), number, ScreenshotChange { alt: Some(form.alt), number: to }).await {
        Ok(service) => done(&page, act, &org, &key, &service).await,
        Err(error) => {
            drop(act);
            let mut errors = FormErrors::of(error)?;
            let status = errors.status;
            let mut conn = page.read().await?;
            let mut shown = pictures_page(&page, &mut conn, &org, &key).await?;
            let of_text = errors.take("/alt").map(|error| format!("Screenshot {number}: {error}"));
            shown.errors = of_text.into_iter().chain(errors.rest()).collect();
            Ok(FormErrors::again(status, shown))
        }
    }
}

/// `POST /organizations/{org}/services/{service}/screenshots/{number}/remove`.
pub async fn remove_screenshot(page: Page, ApiPath((org, key, number)): ApiPath<(String, String, usize)>) -> PageResult {
    let mut act = page.begin().await?;
    let service = images::remove(&mut act, &Key::read(&key), Some(number)).await?;
    done(&page, act, &org, &key, &service).await
}

/// `POST /organizations/{org}/services/{service}/icon/remove`.
pub async fn remove_icon(page: Page, ApiPath((org, key)): ApiPath<(String, String)>) -> PageResult {
    let mut act = page.begin().await?;
    let service = images::remove(&mut act, &Key::read(&key), None).await?;
    done(&page, act, &org, &key, &service).await
}

#[cfg(test)]
mod tests {
    use super::ServicePicturesPage;
    use crate::pages::{Link, OrgHead, sample, service_looks::Shot};

    #[test]
    fn pictures_are_shown_with_their_texts() {
        let mut page = ServicePicturesPage {
            shell: sample::shell("organizations"),
            org: OrgHead { crumbs: vec![Link::new("Services", ""), Link::new("Load forecast", "")], ..sample::org("services") },
            url: "/organizations/aurelia/services/load-forecast".into(),
            name: "Load forecast".into(),
            initials: "LF".into(),
            can_add: true,
            ..ServicePicturesPage::default()
        };
        assert!(sample::render("service-pictures-empty", &page).contains("No screenshots yet"));
        page.shots.push(Shot { number: 1, src: "/assets/favicon.svg".into(), alt: "A chart".into(), width: 320, height: 200 });
        page.icon = "/assets/favicon.svg".into();
        let html = sample::render("service-pictures", &page);
        assert!(html.contains("alt=\"A chart\"") && html.contains("Replace icon") && html.contains("Remove screenshot 1"));
    }
}
