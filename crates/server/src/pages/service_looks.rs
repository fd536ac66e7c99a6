//! How a service looks on pages, its pictures and the note of its end: the same on every page that speaks of it.

use axum::http::HeaderMap;
use stoa_actions::services::{self, KeptImage};
use stoa_domain::{
    organizations::Key,
    services::{Service, ServiceState},
};

use super::{
    page::{Page, PageResult},
    times,
};
use crate::{api::services::images::represent, extract::ApiPath};

/// A screenshot.
#[derive(Debug, Clone, Default)]
pub struct Shot {
    /// 1, 2, 3, …
    pub number: i64,
    /// Its address.
    pub src: String,
    /// What it shows.
    pub alt: String,
    /// Its width in pixels.
    pub width: i64,
    /// Its height in pixels.
    pub height: i64,
}

/// The address of a service's icon for pages; empty without one.
#[must_use]
pub fn icon(service: &Service) -> String {
    service.icon.as_ref().map(|hash| format!("/marketplace/{}/images/{hash}", service.handle)).unwrap_or_default()
}

/// The screenshots of a service for pages.
#[must_use]
pub fn shots(service: &Service, images: &[KeptImage]) -> Vec<Shot> {
    let shot = |one: &KeptImage| Shot {
        number: one.position,
        src: format!("/marketplace/{}/images/{}", service.handle, one.hash),
        alt: one.alt.clone(),
        width: one.width,
        height: one.height,
    };
    images.iter().filter(|one| one.position > 0).map(shot).collect()
}

/// That a service will be retired, and from when on; empty when it is not announced.
#[must_use]
pub fn end_note(service: &Service) -> String {
    match (&service.deprecation, service.state) {
        (Some(_), ServiceState::Retired) => format!("{} is retired.", service.name),
        (Some(end), _) => {
            let day = times::long_day(end.on);
            format!(
                "{} takes no new subscriptions and will be retired on {day} or later, once nobody subscribes it any more.",
                service.name
            )
        }
        (None, _) => String::new(),
    }
}

/// `GET /marketplace/{service}/images/{hash}`.
pub async fn picture(page: Page, ApiPath((key, hash)): ApiPath<(String, String)>, headers: HeaderMap) -> PageResult {
    let image = services::images::find(&mut page.read().await?, &page.caller, &Key::read(&key), &hash).await?;
    represent(&page.app.stoa, &image, &headers).await
}
