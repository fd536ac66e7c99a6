//! What can be done with a service, after the page has said what that brings about.

use axum::response::IntoResponse;
use serde::Deserialize;
use stoa_actions::{
    Error,
    services::{
        self, Published,
        moves::{self, Affected, Consequences, NewDeprecation},
    },
};
use stoa_domain::{
    ids::ServiceId,
    organizations::Key,
    permissions::{Permission, Verdict, verdict},
    services::{Circumstances, NOTICE_DAYS, Service, ServiceMove, ServiceState},
    time::Day,
};
use stoa_store::Conn;

use super::{
    Field, Flash, Link, OrgHead, Shell, filters,
    form::{FormErrors, PageForm, sentence},
    page::{Page, PageResult},
    service_looks::end_note,
    times,
};
use crate::{api::services::moves::says, extract::ApiPath};

/// `GET /organizations/{org}/services/{service}/{publish|withdraw|pause|deprecate|retire}`, and again with errors.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "service_act.html")]
pub struct ServiceActPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization.
    pub org: OrgHead,
    /// Such as “Retire Load forecast”.
    pub heading: String,
    /// What is asked.
    pub lead: String,
    /// Where the form is sent.
    pub action: String,
    /// Where “Cancel” leads.
    pub back: String,
    /// Errors of the form.
    pub errors: Vec<String>,
    /// What happens, in sentences.
    pub says: Vec<String>,
    /// Why it is not possible; empty when it is.
    pub refusal: String,
    /// What stands in the way, one by one.
    pub blocks: Vec<String>,
    /// The subscriptions concerned, and what happens to each.
    pub affected: Vec<AffectedRow>,
    /// How many more there are.
    pub more: usize,
    /// Whether a day and a successor are asked for.
    pub asks_day: bool,
    /// The day.
    pub day: Field,
    /// The successor's handle.
    pub successor: Field,
    /// Whether a note to whoever decides is asked for.
    pub asks_note: bool,
    /// The note.
    pub note: Field,
    /// What the button says.
    pub button: &'static str,
    /// Whether it can't be undone.
    pub danger: bool,
}

/// Something that can be done with the service; it leads to what would happen.
#[derive(Debug, Clone, Default)]
pub struct ActLink {
    /// The last part of its address.
    pub path: &'static str,
    /// What it says.
    pub label: &'static str,
    /// The symbol.
    pub icon: &'static str,
    /// Whether it is the next thing to do.
    pub primary: bool,
    /// Whether it can't be undone.
    pub danger: bool,
}

/// A subscription concerned.
#[derive(Debug, Clone, Default)]
pub struct AffectedRow {
    /// Who subscribes.
    pub organization: String,
    /// Its id.
    pub subscription: String,
    /// What happens to it.
    pub what: String,
}

/// How many subscriptions the page names.
const SHOWN: usize = 50;

/// The form as it was sent.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Sent {
    /// The day of the end.
    pub date: String,
    /// The successor.
    pub successor: String,
    /// A note to whoever decides.
    pub note: String,
}

/// What somebody may do with a service now.
#[must_use]
pub fn acts(service: &Service, publishes: Verdict) -> Vec<ActLink> {
    let possible = |step: ServiceMove| service.state.after(step, Circumstances::default()).is_ok();
    let mut acts = Vec::new();
    if possible(ServiceMove::Publish) && publishes != Verdict::Refused {
        let label = if publishes == Verdict::Allowed { "Publish" } else { "Ask to publish" };
        acts.push(ActLink { path: "publish", label, icon: "rocket", primary: true, danger: false });
    }
    if publishes != Verdict::Allowed {
        return acts;
    }
    let others = [
        (ServiceMove::Withdraw, "withdraw", "Take back", "undo-2"),
        (ServiceMove::Pause, "pause", "Pause", "pause"),
        (ServiceMove::Deprecate, "deprecate", "Deprecate", "clock"),
        (ServiceMove::Retire, "retire", "Retire", "circle-x"),
    ];
    for (step, path, label, icon) in others {
        if possible(step) {
            let label = if step == ServiceMove::Deprecate && service.state == ServiceState::Deprecated { "Move the end" } else { label };
            acts.push(ActLink { path, label, icon, primary: false, danger: step == ServiceMove::Retire });
        }
    }
    acts
}

/// Its end, its stop, and what the operator's review said.
#[must_use]
pub fn notes(service: &Service) -> Vec<String> {
    let mut notes = Vec::new();
    notes.extend(Some(end_note(service)).filter(|note| !note.is_empty() && service.state != ServiceState::Retired));
    notes.extend(
        service.suspension.as_ref().map(|suspension| format!("The operator says why it is suspended: {}", sentence(&suspension.reason))),
    );
    let rejected = service.review_note.as_ref().filter(|_| service.state == ServiceState::Draft);
    notes.extend(rejected.map(|note| format!("The operator's review did not publish it: {}", sentence(note))));
    notes
}

const fn words(step: ServiceMove, asks: bool) -> (&'static str, &'static str) {
    match step {
        ServiceMove::Publish if asks => ("Ask to publish", "A reviewer or maintainer of your organization decides. Then this happens:"),
        ServiceMove::Publish => ("Publish", "This happens:"),
        ServiceMove::Withdraw => ("Take back", "This happens:"),
        ServiceMove::Pause => ("Pause", "This happens:"),
        ServiceMove::Deprecate => ("Deprecate", "This happens:"),
        ServiceMove::Retire => ("Retire", "This happens:"),
        ServiceMove::Approve | ServiceMove::Reject | ServiceMove::Suspend | ServiceMove::Unsuspend => ("Go on", "This happens:"),
    }
}

/// The subscriptions that a move concerns, and what happens to each.
fn rows(seen: &Consequences) -> Vec<AffectedRow> {
    let row = |(one, concerned): &Affected, what: &str| AffectedRow {
        organization: concerned.organization.name.clone(),
        subscription: one.id.to_string(),
        what: what.to_owned(),
    };
    let goes_on = match seen.step {
        ServiceMove::Retire => "in force: stands in the way",
        ServiceMove::Publish | ServiceMove::Withdraw => return Vec::new(),
        _ => "goes on",
    };
    let live = seen.live.iter().map(|one| row(one, goes_on));
    let ending = seen.ending().iter().map(|one| row(one, "was asked for: is taken back"));
    live.chain(ending).collect()
}

async fn act_page(
    page: &Page,
    conn: &mut Conn,
    key: &str,
    step: ServiceMove,
    sent: Option<(&Sent, FormErrors)>,
) -> PageResult<ServiceActPage> {
    let key = Key::<ServiceId>::read(key);
    let (service, seat) = moves::member(conn, &page.caller, &key).await?;
    let may = verdict(seat.role, Permission::PublishServices);
    let asks = may == Verdict::Request && step == ServiceMove::Publish;
    if may != Verdict::Allowed && !asks {
        return Err(stoa_actions::seats::refusal(&seat, Permission::PublishServices).into());
    }
    let seen = moves::consequences(conn, &page.caller, &key, step, page.app.stoa.review_services).await?;
    let mut org = page.org_head(conn, &seat, "services").await?;
    let list = format!("{}/services", org.url());
    let url = format!("{list}/{}", service.handle);
    let (button, lead) = words(step, asks);
    org.crumbs = vec![Link::new("Services", list.as_str()), Link::new(service.name.as_str(), url.as_str()), Link::new(button, "")];
    let (refusal, blocks) = match seen.check() {
        Ok(_) => (String::new(), Vec::new()),
        Err(Error::Blocked { detail, because, .. }) => {
            (sentence(&detail), because.into_vec().into_iter().map(|fault| sentence(&fault.detail)).collect())
        }
        Err(other) => (sentence(&other.to_string()), Vec::new()),
    };
    let mut affected = rows(&seen);
    let more = affected.len().saturating_sub(SHOWN);
    affected.truncate(SHOWN);
    let usual = service.deprecation.map_or(Day::from_number(page.caller.now.day().number() + NOTICE_DAYS), |end| end.on);
    let mut shown = ServiceActPage {
        shell: page.shell(conn, "organizations").await?,
        heading: format!("{button} {}", service.name),
        lead: if refusal.is_empty() { lead.to_owned() } else { String::new() },
        action: format!("{url}/{step}"),
        back: url,
        says: if refusal.is_empty() { says(&seen) } else { Vec::new() },
        refusal,
        blocks,
        affected,
        more,
        asks_day: step == ServiceMove::Deprecate,
        day: Field::new(usual.to_string()),
        asks_note: asks,
        button,
        danger: matches!(step, ServiceMove::Deprecate | ServiceMove::Retire),
        org,
        ..ServiceActPage::default()
    };
    if let Some((sent, mut errors)) = sent {
        shown.day = errors.field("/date", sent.date.as_str());
        shown.successor = errors.field("/successor", sent.successor.as_str());
        shown.note = errors.field("/note", sent.note.as_str());
        // What stands in the way is told above already.
        shown.errors = if shown.refusal.is_empty() { errors.rest() } else { Vec::new() };
    }
    Ok(shown)
}

async fn ask(page: Page, key: &str, step: ServiceMove) -> PageResult {
    let mut conn = page.read().await?;
    Ok(act_page(&page, &mut conn, key, step, None).await?.into_response())
}

async fn again(page: &Page, key: &str, step: ServiceMove, sent: &Sent, error: Error) -> PageResult {
    let errors = FormErrors::of(error)?;
    let status = errors.status;
    let mut conn = page.read().await?;
    Ok(FormErrors::again(status, act_page(page, &mut conn, key, step, Some((sent, errors))).await?))
}

fn home(org: &str, key: &str) -> String {
    format!("/organizations/{org}/services/{key}")
}

type Names = ApiPath<(String, String)>;

/// `GET /organizations/{org}/services/{service}/publish`.
pub async fn ask_publish(page: Page, ApiPath((_org, key)): Names) -> PageResult {
    ask(page, &key, ServiceMove::Publish).await
}

/// `GET /organizations/{org}/services/{service}/withdraw`.
pub async fn ask_withdraw(page: Page, ApiPath((_org, key)): Names) -> PageResult {
    ask(page, &key, ServiceMove::Withdraw).await
}

/// `GET /organizations/{org}/services/{service}/pause`.
pub async fn ask_pause(page: Page, ApiPath((_org, key)): Names) -> PageResult {
    ask(page, &key, ServiceMove::Pause).await
}

/// `GET /organizations/{org}/services/{service}/deprecate`.
pub async fn ask_deprecate(page: Page, ApiPath((_org, key)): Names) -> PageResult {
    ask(page, &key, ServiceMove::Deprecate).await
}

/// `GET /organizations/{org}/services/{service}/retire`.
pub async fn ask_retire(page: Page, ApiPath((_org, key)): Names) -> PageResult {
    ask(page, &key, ServiceMove::Retire).await
}

/// `POST /organizations/{org}/services/{service}/publish`.
pub async fn publish(page: Page, ApiPath((org, key)): Names, PageForm(sent): PageForm<Sent>) -> PageResult {
    let mut act = page.begin().await?;
    let told = match services::publish(&mut act, &Key::read(&key), &sent.note).await {
        Ok(Published::Now(service)) if service.state == ServiceState::InReview => {
            Flash::ok(format!("{} is in review: an operator decides whether it is published.", service.name))
        }
        Ok(Published::Now(service)) => Flash::ok(format!("{} is published.", service.name)),
        Ok(Published::Requested(_)) => Flash::ok("A reviewer or maintainer of your organization decides whether it is published."),
        Err(error) => {
            drop(act);
            return again(&page, &key, ServiceMove::Publish, &sent, error).await;
        }
    };
    page.done(act, home(&org, &key), told).await
}

async fn finish(page: &Page, act: stoa_actions::Act, org: &str, key: &str, told: String) -> PageResult {
    page.done(act, home(org, key), Flash::ok(told)).await
}

/// `POST /organizations/{org}/services/{service}/withdraw`.
pub async fn withdraw(page: Page, ApiPath((org, key)): Names) -> PageResult {
    let mut act = page.begin().await?;
    match moves::withdraw(&mut act, &Key::read(&key)).await {
        Ok(service) => finish(&page, act, &org, &key, format!("{} is a draft again.", service.name)).await,
        Err(error) => {
            drop(act);
            again(&page, &key, ServiceMove::Withdraw, &Sent::default(), error).await
        }
    }
}

/// `POST /organizations/{org}/services/{service}/pause`.
pub async fn pause(page: Page, ApiPath((org, key)): Names) -> PageResult {
    let mut act = page.begin().await?;
    match services::pause(&mut act, &Key::read(&key)).await {
        Ok(service) => {
            let told = format!("{} is paused: subscriptions in force go on, new ones are not taken.", service.name);
            finish(&page, act, &org, &key, told).await
        }
        Err(error) => {
            drop(act);
            again(&page, &key, ServiceMove::Pause, &Sent::default(), error).await
        }
    }
}

/// `POST /organizations/{org}/services/{service}/deprecate`.
pub async fn deprecate(page: Page, ApiPath((org, key)): Names, PageForm(sent): PageForm<Sent>) -> PageResult {
    let mut act = page.begin().await?;
    let new = NewDeprecation { date: Some(sent.date.clone()), successor: Some(sent.successor.clone()) };
    match moves::deprecate(&mut act, &Key::read(&key), new).await {
        Ok(service) => finish(&page, act, &org, &key, deprecated(&service)).await,
        Err(error) => {
            drop(act);
            again(&page, &key, ServiceMove::Deprecate, &sent, error).await
        }
    }
}

fn deprecated(service: &Service) -> String {
    let day = service.deprecation.map(|end| times::long_day(end.on)).unwrap_or_default();
    format!("{} is deprecated: its subscribers are told that it ends on {day} or later.", service.name)
}

/// `POST /organizations/{org}/services/{service}/retire`.
pub async fn retire(page: Page, ApiPath((org, key)): Names) -> PageResult {
    let mut act = page.begin().await?;
    match moves::retire(&mut act, &Key::read(&key)).await {
        Ok(service) => finish(&page, act, &org, &key, format!("{} is retired.", service.name)).await,
        Err(error) => {
            drop(act);
            again(&page, &key, ServiceMove::Retire, &Sent::default(), error).await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AffectedRow, ServiceActPage};
    use crate::pages::{Field, sample};

    #[test]
    fn what_happens_is_said_before_the_button() {
        let row = AffectedRow { organization: "Borealis Grid".into(), subscription: "sub_1".into(), what: "goes on".into() };
        let mut page = ServiceActPage {
            shell: sample::shell("organizations"),
            org: sample::org("services"),
            heading: "Deprecate Load forecast".into(),
            lead: "This happens:".into(),
            action: "/organizations/aurelia/services/load-forecast/deprecate".into(),
            back: "/organizations/aurelia/services/load-forecast".into(),
            says: vec!["Load forecast takes no new subscriptions any more.".into()],
            affected: vec![row],
            asks_day: true,
            day: Field::new("2027-03-31"),
            button: "Deprecate",
            danger: true,
            ..ServiceActPage::default()
        };
        let html = sample::render("service-act", &page);
        assert!(html.contains("takes no new subscriptions") && html.contains("Borealis Grid") && html.contains("Deprecate</button>"));
        page.refusal = "It can't be retired.".into();
        page.blocks = vec!["Borealis Grid: active.".into()];
        let html = sample::render("service-act-refused", &page);
        assert!(html.contains("Borealis Grid: active.") && !html.contains("Deprecate</button>"));
    }
}
