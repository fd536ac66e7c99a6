//! Setting subscriptions up, on the provider's side, and whether a service needs it.

use axum::response::IntoResponse;
use serde::Deserialize;
use stoa_actions::subscriptions::{self, Details, MannerChange};
use stoa_domain::{ids::SubscriptionId, organizations::Key, setups::Setup};

use super::{
    Field, Flash,
    consequences::AskPage,
    form::{FormErrors, PageForm},
    page::{Page, PageResult},
    suspensions::about_provided,
    times,
};
use crate::extract::ApiPath;

/// Until when a subscription is set up, or why it was not; as it continues a list of notes.
#[must_use]
pub fn note(setup: &Setup) -> String {
    match setup.outcome.as_ref().and_then(|outcome| outcome.failed.as_ref()) {
        Some(reason) => format!("not set up: {reason}"),
        None => format!("to be set up until {}", times::long_day(setup.due_at.day())),
    }
}

/// What a subscriber reads of the setting up of a subscription; empty where there is none.
#[must_use]
pub fn sentence(details: &Details) -> String {
    let Some(setup) = details.setup.as_ref() else { return String::new() };
    let provider = &details.concerned.provider.name;
    match setup.setup.outcome.as_ref().and_then(|outcome| outcome.failed.as_ref()) {
        Some(reason) => format!("It could not be set up: {reason}. Nothing was granted; it can be subscribed again."),
        None => {
            let day = times::long_day(setup.setup.due_at.day());
            format!("It is approved, and {provider} sets it up until {day}. Nothing is granted and no fee accrues before that.")
        }
    }
}

/// `POST /organizations/{org}/services/{service}/subscriptions/{subscription}/ready`.
pub async fn ready(page: Page, ApiPath((org, service, id)): ApiPath<(String, String, SubscriptionId)>) -> PageResult {
    let mut act = page.begin().await?;
    subscriptions::ready(&mut act, &Key::read(&service), id).await?;
    let flash = Flash::ok("The subscription is in force: the projects that were chosen are open from now on.");
    page.done(act, format!("/organizations/{org}/services/{service}"), flash).await
}

/// Why a subscription can't be set up.
#[derive(Debug, Default, Deserialize)]
pub struct FailForm {
    /// What the subscriber reads.
    #[serde(default)]
    pub reason: String,
}

/// `GET /organizations/{org}/services/{service}/subscriptions/{subscription}/fail`.
pub async fn ask_fail(page: Page, ApiPath((org, service, id)): ApiPath<(String, String, SubscriptionId)>) -> PageResult {
    Ok(asked(&page, &org, &service, id, Field::default(), Vec::new()).await?.into_response())
}

async fn asked(page: &Page, org: &str, service: &str, id: SubscriptionId, reason: Field, errors: Vec<String>) -> PageResult<AskPage> {
    let (about, whom) = about_provided(page, org, service, id, "Not set up").await?;
    Ok(AskPage {
        heading: format!("Say that the subscription of {whom} can’t be set up"),
        intro: format!("It is closed without having been in force. {whom} can subscribe again."),
        action: format!("{}/subscriptions/{id}/fail", about.back),
        errors,
        reason: Some(reason),
        reason_hint: format!("{whom} reads it."),
        reason_required: true,
        button: "Close it".to_owned(),
        tone: "danger",
        ..about
    })
}

/// `POST /organizations/{org}/services/{service}/subscriptions/{subscription}/fail`.
pub async fn fail(
    page: Page,
    ApiPath((org, service, id)): ApiPath<(String, String, SubscriptionId)>,
    PageForm(form): PageForm<FailForm>,
) -> PageResult {
    let mut act = page.begin().await?;
    match subscriptions::fail(&mut act, &Key::read(&service), id, &form.reason).await {
        Ok(_) => page.done(act, format!("/organizations/{org}/services/{service}"), Flash::ok("The subscription is closed.")).await,
        Err(error) => {
            drop(act);
            let mut errors = FormErrors::of(error)?;
            let status = errors.status;
            let reason = errors.field("/reason", form.reason);
            let again = asked(&page, &org, &service, id, reason, errors.rest()).await?;
            Ok(FormErrors::again(status, again))
        }
    }
}

/// How a service is subscribed: what is sent changes.
#[derive(Debug, Default, Deserialize)]
pub struct MannerForm {
    /// `true` when one organization may have several subscriptions at the same time.
    pub several: Option<bool>,
    /// `true` when the provider sets subscriptions up.
    pub setup: Option<bool>,
}

/// `POST /organizations/{org}/services/{service}/manner`.
pub async fn set_manner(page: Page, ApiPath((org, key)): ApiPath<(String, String)>, PageForm(form): PageForm<MannerForm>) -> PageResult {
    let mut act = page.begin().await?;
    let change = MannerChange { several: form.several, setup: form.setup };
    subscriptions::set_manner(&mut act, &Key::read(&key), change).await?;
    page.done(act, format!("/organizations/{org}/services/{key}"), Flash::ok("It is saved.")).await
}
