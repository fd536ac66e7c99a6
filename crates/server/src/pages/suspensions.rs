//! Pausing, resuming, cancelling and keeping subscriptions, on the consumer's and on the provider's side.

use axum::response::IntoResponse;
use serde::Deserialize;
use stoa_actions::{
    services as offered,
    subscriptions::{self, Details, SuspensionDetails},
};
use stoa_domain::{
    ids::SubscriptionId,
    organizations::Key,
    permissions::Permission,
    subscriptions::SubscriptionState,
    suspensions::{Cause, When},
};

use super::{
    Field, Flash, Link,
    consequences::AskPage,
    form::{FormErrors, PageForm},
    page::{Page, PageResult},
    times,
};
use crate::{api::suspensions::read_when, extract::ApiPath};

/// The form of a cancellation.
#[derive(Debug, Default, Deserialize)]
pub struct CancelForm {
    /// `now` or `period_end`.
    #[serde(default)]
    pub when: String,
    /// What the approvers shall read.
    #[serde(default)]
    pub reason: String,
}

/// `POST /organizations/{org}/subscriptions/{subscription}/cancel`.
pub async fn cancel(page: Page, ApiPath((org, id)): ApiPath<(String, SubscriptionId)>, PageForm(form): PageForm<CancelForm>) -> PageResult {
    let when = read_when(Some(&form.when))?;
    let mut act = page.begin().await?;
    let done = subscriptions::cancel(&mut act, &Key::read(&org), id, when, &form.reason).await?;
    let flash = match (done.request, done.subscription.state, when) {
        (Some(_), ..) => Flash::ok("Your wish to cancel waits for the decision of a reviewer or maintainer."),
        (None, SubscriptionState::Withdrawn, _) => Flash::ok("The request is withdrawn."),
        (None, _, When::PeriodEnd) => Flash::ok("The subscription ends with this month. Until then you can keep it."),
        (None, ..) => Flash::ok("The subscription is over. The service has no access any more."),
    };
    page.done(act, format!("/organizations/{org}/subscriptions/{id}/permissions"), flash).await
}

/// `POST /organizations/{org}/subscriptions/{subscription}/keep`.
pub async fn keep(page: Page, ApiPath((org, id)): ApiPath<(String, SubscriptionId)>) -> PageResult {
    let mut act = page.begin().await?;
    subscriptions::keep(&mut act, &Key::read(&org), id).await?;
    let to = format!("/organizations/{org}/subscriptions/{id}/permissions");
    page.done(act, to, Flash::ok("The subscription goes on.")).await
}

/// The form of a pause.
#[derive(Debug, Default, Deserialize)]
pub struct PauseForm {
    /// Why.
    #[serde(default)]
    pub reason: String,
}

/// `GET /organizations/{org}/subscriptions/{subscription}/pause`.
pub async fn ask(page: Page, ApiPath((org, id)): ApiPath<(String, SubscriptionId)>) -> PageResult {
    Ok(asked(&page, &org, id, Field::default(), Vec::new()).await?.into_response())
}

async fn asked(page: &Page, org: &str, id: SubscriptionId, reason: Field, errors: Vec<String>) -> PageResult<AskPage> {
    let mut conn = page.read().await?;
    let (seat, details) = subscriptions::get(&mut conn, &page.caller, &Key::read(org), id).await?;
    let mut head = page.org_head(&mut conn, &seat, "subscriptions").await?;
    let service = details.concerned.offer.service_name;
    let list = format!("{}/subscriptions", head.url());
    let url = format!("{list}/{id}");
    head.crumbs = vec![Link::new("Subscriptions", list), Link::new(service.as_str(), url.as_str()), Link::new("Pause", "")];
    Ok(AskPage {
        shell: page.shell(&mut conn, "organizations").await?,
        org: head,
        heading: format!("Pause {service}"),
        intro: "From this moment on the service can’t use any project’s data, and no fee accrues for days on which it is paused."
            .to_owned(),
        action: format!("{url}/pause"),
        back: url,
        back_label: "Back",
        errors,
        reason: Some(reason),
        reason_hint: "Members of your organization and the provider read it.".to_owned(),
        note: "A reviewer, editor or maintainer of your organization can resume it. Its projects and permissions stay as they are."
            .to_owned(),
        button: "Pause".to_owned(),
        tone: "primary",
        ..AskPage::default()
    })
}

/// `POST /organizations/{org}/subscriptions/{subscription}/pause`.
pub async fn pause(page: Page, ApiPath((org, id)): ApiPath<(String, SubscriptionId)>, PageForm(form): PageForm<PauseForm>) -> PageResult {
    let mut act = page.begin().await?;
    match subscriptions::pause(&mut act, &Key::read(&org), id, &form.reason).await {
        Ok(_) => {
            let to = format!("/organizations/{org}/subscriptions/{id}/permissions");
            page.done(act, to, Flash::ok("The subscription is paused. Nothing is open to the service.")).await
        }
        Err(error) => {
            drop(act);
            let mut errors = FormErrors::of(error)?;
            let status = errors.status;
            let reason = errors.field("/reason", form.reason);
            let again = asked(&page, &org, id, reason, errors.rest()).await?;
            Ok(FormErrors::again(status, again))
        }
    }
}

/// `POST /organizations/{org}/subscriptions/{subscription}/resume`.
pub async fn resume(page: Page, ApiPath((org, id)): ApiPath<(String, SubscriptionId)>) -> PageResult {
    let mut act = page.begin().await?;
    let subscription = subscriptions::resume(&mut act, &Key::read(&org), id).await?;
    let flash = match subscription.state {
        SubscriptionState::Suspended => Flash { tone: "warn", text: "Your pause is lifted; another side still holds it up.".to_owned() },
        _ => Flash::ok("The subscription is resumed."),
    };
    page.done(act, format!("/organizations/{org}/subscriptions/{id}/permissions"), flash).await
}

/// `GET /organizations/{org}/services/{service}/subscriptions/{subscription}/pause`: the provider's side.
pub async fn ask_provided(page: Page, ApiPath((org, service, id)): ApiPath<(String, String, SubscriptionId)>) -> PageResult {
    Ok(asked_provided(&page, &org, &service, id, Field::default(), Vec::new()).await?.into_response())
}

async fn asked_provided(
    page: &Page,
    org: &str,
    service: &str,
    id: SubscriptionId,
    reason: Field,
    errors: Vec<String>,
) -> PageResult<AskPage> {
    let (about, whom) = about_provided(page, org, service, id, "Pause").await?;
    Ok(AskPage {
        heading: format!("Pause the subscription of {whom}"),
        intro: format!("Nothing of {whom} is open to the service from this moment on, and no fee accrues while it is paused."),
        action: format!("{}/subscriptions/{id}/pause", about.back),
        errors,
        reason: Some(reason),
        reason_hint: format!("{whom} reads it."),
        reason_required: true,
        note: "A reviewer or maintainer of your organization can resume it; the subscriber can’t.".to_owned(),
        button: "Pause".to_owned(),
        tone: "primary",
        ..about
    })
}

/// A page that asks something about one subscription of a service, for those who decide on the provider's side: what surrounds
/// it, and the name of whoever subscribes.
pub(super) async fn about_provided(
    page: &Page,
    org: &str,
    service: &str,
    id: SubscriptionId,
    crumb: &str,
) -> PageResult<(AskPage, String)> {
    let mut conn = page.read().await?;
    let (seat, found) =
        offered::of_organization(&mut conn, &page.caller, &Key::read(org), &Key::read(service), Permission::DecideSubscriptions).await?;
    let one = subscriptions::one_of_service(&mut conn, &found.service, id, page.caller.now).await?;
    let mut head = page.org_head(&mut conn, &seat, "services").await?;
    let list = format!("{}/services", head.url());
    let url = format!("{list}/{}", found.service.handle);
    head.crumbs = vec![Link::new("Services", list), Link::new(found.service.name.as_str(), url.as_str()), Link::new(crumb, "")];
    let shell = page.shell(&mut conn, "organizations").await?;
    let about = AskPage { shell, org: head, back: url, back_label: "Back", ..AskPage::default() };
    Ok((about, one.concerned.organization.name))
}

/// `POST /organizations/{org}/services/{service}/subscriptions/{subscription}/pause`.
pub async fn pause_provided(
    page: Page,
    ApiPath((org, service, id)): ApiPath<(String, String, SubscriptionId)>,
    PageForm(form): PageForm<PauseForm>,
) -> PageResult {
    let mut act = page.begin().await?;
    match subscriptions::pause_as_provider(&mut act, &Key::read(&service), id, &form.reason).await {
        Ok(_) => page.done(act, format!("/organizations/{org}/services/{service}"), Flash::ok("The subscription is paused.")).await,
        Err(error) => {
            drop(act);
            let mut errors = FormErrors::of(error)?;
            let status = errors.status;
            let reason = errors.field("/reason", form.reason);
            let again = asked_provided(&page, &org, &service, id, reason, errors.rest()).await?;
            Ok(FormErrors::again(status, again))
        }
    }
}

/// `POST /organizations/{org}/services/{service}/subscriptions/{subscription}/resume`.
pub async fn resume_provided(page: Page, ApiPath((org, service, id)): ApiPath<(String, String, SubscriptionId)>) -> PageResult {
    let mut act = page.begin().await?;
    let subscription = subscriptions::resume_as_provider(&mut act, &Key::read(&service), id).await?;
    let flash = match subscription.state {
        SubscriptionState::Suspended => Flash { tone: "warn", text: "Your pause is lifted; another side still holds it up.".to_owned() },
        _ => Flash::ok("The subscription is resumed."),
    };
    page.done(act, format!("/organizations/{org}/services/{service}"), flash).await
}

/// Who and what holds a subscription up, as sentences, and that it will end; empty when it just runs.
#[must_use]
pub fn notes(details: &Details) -> Vec<String> {
    let held = details.held_by().map(|one| held_note(one, details));
    let ends = details.subscription.ends_at.filter(|_| details.subscription.state.in_force());
    let ends = ends.map(|at| format!("It ends at the end of {} (UTC).", times::long_day(at.plus(-1).day())));
    held.chain(ends).collect()
}

fn held_note(one: &SuspensionDetails, details: &Details) -> String {
    let (side, lifts) = match one.suspension.cause {
        Cause::Consumer => (details.concerned.organization.name.as_str(), "A reviewer, editor or maintainer can resume it."),
        Cause::Provider => (details.concerned.provider.name.as_str(), "Only the provider can resume it."),
        Cause::Operator => ("the operator of this installation", "Only the operator can resume it."),
        Cause::Budget => ("a budget that is used up", "It goes on when the budget is raised."),
        Cause::LevelChange => return alias_note(details),
    };
    let reason = match one.suspension.reason.as_str() {
        "" => String::new(),
        reason => format!(": “{reason}”"),
    };
    format!("Paused by {side} since {}{reason}. Nothing is open to the service. {lifts}", times::moment(one.suspension.since))
}

/// Where the projects of an alias are.
fn alias_note(details: &Details) -> String {
    match details.replaced_by.as_slice() {
        [one] => format!("By a change of level {one} holds its projects: this one answers as its alias, and nothing is charged here."),
        many => format!("By a change of level {} subscriptions hold its projects: this one answers as their alias.", many.len()),
    }
}
