//! The provider's side: the services of an organization, their forms, and one service with its subscribers.

use axum::{extract::Query, response::IntoResponse};
use serde::{Deserialize, Serialize};
use stoa_actions::{
    contracts,
    services::{self, OfferedService, ServiceDetails},
    subscriptions::{self, Filter, Provided},
};
use stoa_domain::{
    ids::ServiceId,
    offers::{ContractOffer, OfferState},
    organizations::Key,
    permissions::{Permission, Verdict, verdict},
    services::{Manner, ServiceState},
    subscriptions::SubscriptionState,
    suspensions::Cause,
    time::Ts,
};

use super::handovers::{HandoverNote, waiting_in, waiting_of};
use super::marketplace::{level_label, visibility_label};
use super::requests::RequestCard;
use super::service_acts::{ActLink, acts, notes};
use super::service_checklist::{LackRow, lack_row, summary};
use super::service_looks::icon;
use super::{
    Badge, Choice, Field, Kpi, Link, OrgHead, Pager, Pair, PermissionLine, PlanView, Shell, filters, hue, initials,
    offers::{permission_lines, plan_view},
    page::{Page, PageResult, may},
    times,
};
use crate::{
    extract::ApiPath,
    paging::{Paging, encode},
};

/// `GET /organizations/{org}/services`.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "services.html")]
pub struct ServicesPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization.
    pub org: OrgHead,
    /// What is offered to the organization, and what it offers to others.
    pub handovers: Vec<HandoverNote>,
    /// Its services.
    pub services: Vec<ServiceRow>,
    /// Whether I may draft services.
    pub can_draft: bool,
    /// Leads through a long list.
    pub pager: Pager,
}

/// One service of the list.
#[derive(Debug, Clone, Default)]
pub struct ServiceRow {
    /// Its name.
    pub name: String,
    /// Its page.
    pub href: String,
    /// Letters of its mark.
    pub initials: String,
    /// Colour class of its mark.
    pub hue: u8,
    /// The address of its icon; may be empty.
    pub icon: String,
    /// Its summary.
    pub summary: String,
    /// Its state.
    pub state: Badge,
    /// Such as “On request”.
    pub visibility: String,
    /// How many live subscriptions it has.
    pub subscribers: u64,
    /// How many requests wait for the provider.
    pub waiting: u64,
}

/// `GET /organizations/{org}/services/new` and `…/{service}/edit`, and again with errors.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "service_edit.html")]
pub struct ServiceEditPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization; its crumbs are “Services” and the heading.
    pub org: OrgHead,
    /// “New service” or “Edit …”.
    pub heading: String,
    /// Where the form is sent.
    pub action: String,
    /// Where “Cancel” leads.
    pub cancel: String,
    /// Whether it is a new one; only then application, contract and plan are asked for.
    pub is_new: bool,
    /// Errors of the form as a whole.
    pub errors: Vec<String>,
    /// Its name.
    pub name: Field,
    /// Its handle.
    pub handle: Field,
    /// The organization's applications.
    pub applications: Vec<Choice>,
    /// Its summary.
    pub summary: Field,
    /// Its description in Markdown.
    pub description: Field,
    /// Its categories, separated by commas.
    pub categories: Field,
    /// Links, sent as repeated `link_name, link_url`.
    pub links: Vec<LinkDraft>,
    /// Whom to ask.
    pub support: Field,
    /// `public`, `on_request`, …
    pub visibilities: Vec<Choice>,
    /// `organization`, `project`.
    pub levels: Vec<Choice>,
    /// The permissions, sent as repeated `permission`.
    pub permissions: Vec<Choice>,
    /// Where its terms are.
    pub terms_url: Field,
    /// The plan's name.
    pub plan_name: Field,
    /// The plan's currency.
    pub currency: Field,
    /// The fee paid once.
    pub one_time: Field,
    /// The fee per month.
    pub monthly: Field,
    /// The fee per project and month.
    pub monthly_per_project: Field,
    /// The meters, sent as repeated `meter_name, meter_unit, meter_unit_price, meter_free_units`.
    pub meters: Vec<MeterDraft>,
}

/// One link of the form.
#[derive(Debug, Clone, Default)]
pub struct LinkDraft {
    /// A key for the page, such as `link-url-1`; each row another.
    pub key: String,
    /// Its name.
    pub name: String,
    /// Its address; its error stands for the whole row.
    pub url: Field,
}

/// One meter of the form.
#[derive(Debug, Clone, Default)]
pub struct MeterDraft {
    /// A key for the page, such as `meter-1`; each row another.
    pub key: String,
    /// Its name; its error stands for the whole row.
    pub name: Field,
    /// Its unit.
    pub unit: String,
    /// Its price a unit.
    pub unit_price: String,
    /// Its free units a month.
    pub free_units: String,
}

/// `GET /organizations/{org}/services/{service}`.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "service.html")]
pub struct ServicePage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization; its crumbs are “Services” and this service.
    pub org: OrgHead,
    /// The service's address, without a slash at the end.
    pub url: String,
    /// Its name.
    pub name: String,
    /// Letters of its mark.
    pub initials: String,
    /// Colour class of its mark.
    pub hue: u8,
    /// The address of its icon; may be empty.
    pub icon: String,
    /// Its summary.
    pub summary: String,
    /// Its state.
    pub state: Badge,
    /// What its state means and who could go on; may be empty.
    pub state_note: String,
    /// Its page in the marketplace; empty where it is not published.
    pub market_href: String,
    /// Whether I may edit it.
    pub can_edit: bool,
    /// What I may do with it now.
    pub acts: Vec<ActLink>,
    /// Its end, its stop, what the operator's review said.
    pub notes: Vec<String>,
    /// That it is offered to another organization.
    pub handover: Option<HandoverNote>,
    /// Whether I may take that back.
    pub can_take_back: bool,
    /// What it lacks, for those who could add it.
    pub checklist: Vec<LackRow>,
    /// What the checklist amounts to.
    pub checklist_note: String,
    /// How it is subscribed.
    pub manner: Manner,
    /// Figures such as subscribers, projects, income of this month.
    pub kpis: Vec<Kpi>,
    /// Requests waiting for the provider.
    pub pending: Vec<RequestCard>,
    /// Its subscriptions.
    pub subscribers: Vec<SubscriberRow>,
    /// Leads through a long list.
    pub pager: Pager,
    /// Level, visibility, version, application and the like.
    pub facts: Vec<Pair>,
    /// What it may do.
    pub permissions: Vec<PermissionLine>,
    /// Its plans.
    pub plans: Vec<PlanView>,
}

/// One subscriber.
#[derive(Debug, Clone, Default)]
pub struct SubscriberRow {
    /// The subscription's id.
    pub id: String,
    /// The organization's name.
    pub organization: String,
    /// The plan's name.
    pub plan: String,
    /// The version of the contract it has, and what it says to the current one.
    pub version: String,
    /// Such as “4 projects”.
    pub projects: String,
    /// Since when.
    pub since: String,
    /// The subscription's state.
    pub state: Badge,
    /// Why it is paused or that it ends; may be empty.
    pub note: String,
    /// Where it is paused; empty where I may not, or it is paused by us already.
    pub pause_href: String,
    /// Where it is resumed; empty where I may not, or it is not paused by us.
    pub resume_action: String,
    /// Where it is said that it is set up; empty where I may not, or it is not being set up.
    pub ready_action: String,
    /// Where it is said that it can't be set up.
    pub fail_href: String,
}

/// Which page of a list.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct ListQuery {
    /// The page after this one.
    #[serde(default)]
    pub cursor: Option<String>,
}

/// How many rows a page shows.
const SHOWN: i64 = 50;

/// `GET /organizations/{org}/services`.
pub async fn list(page: Page, ApiPath(org): ApiPath<String>, Query(query): Query<ListQuery>) -> PageResult {
    let after: Option<(String, ServiceId)> = Paging { limit: None, cursor: query.cursor.clone() }.cursor()?;
    let after = after.as_ref().map(|(name, id)| (name.as_str(), *id));
    let mut conn = page.read().await?;
    let (seat, mut found) = services::list(&mut conn, &page.caller, &Key::read(&org), after, SHOWN + 1).await?;
    let demand = services::demand(&mut conn, &seat, None).await?;
    let url = format!("/organizations/{}/services", seat.organization.handle);
    let next = cut(&mut found, &url, |(name, offered)| (name.clone(), offered.service.id));
    let row = |offered: &OfferedService| {
        let service = &offered.service;
        let demand = demand.get(&service.id).copied().unwrap_or_default();
        ServiceRow {
            name: service.name.clone(),
            href: format!("{url}/{}", service.handle),
            initials: initials(&service.name),
            hue: hue(&service.handle),
            icon: icon(service),
            summary: service.summary.clone(),
            state: Badge::state(service.state.word()),
            visibility: visibility_label(service.visibility).to_owned(),
            subscribers: demand.live,
            waiting: demand.waiting,
        }
    };
    let shown = ServicesPage {
        shell: page.shell(&mut conn, "organizations").await?,
        org: page.org_head(&mut conn, &seat, "services").await?,
        handovers: waiting_in(&page, &mut conn, &org, None).await?,
        services: found.iter().map(|(_, offered)| row(offered)).collect(),
        can_draft: may(&seat, Permission::DraftServices),
        pager: pager(&url, query.cursor.is_some(), next),
    };
    Ok(shown.into_response())
}

/// Takes the row beyond the page away and answers the address of the page that begins with it.
fn cut<T, C: Serialize>(rows: &mut Vec<T>, url: &str, cursor: impl Fn(&T) -> C) -> String {
    let most = usize::try_from(SHOWN).unwrap_or(usize::MAX);
    let more = rows.len() > most;
    rows.truncate(most);
    rows.last().filter(|_| more).map(|last| format!("{url}?cursor={}", encode(&cursor(last)))).unwrap_or_default()
}

fn pager(url: &str, later: bool, next: String) -> Pager {
    Pager { summary: String::new(), first: if later { url.to_owned() } else { String::new() }, next }
}

/// `GET /organizations/{org}/services/{service}`.
pub async fn show(page: Page, ApiPath((org, key)): ApiPath<(String, String)>, Query(query): Query<ListQuery>) -> PageResult {
    let before = Paging { limit: None, cursor: query.cursor.clone() }.cursor()?;
    let mut conn = page.read().await?;
    let (seat, details) = services::of_organization(&mut conn, &page.caller, &Key::read(&org), &Key::read(&key), Permission::View).await?;
    let service = &details.service;
    let demand = services::demand(&mut conn, &seat, Some(service.id)).await?.get(&service.id).copied().unwrap_or_default();
    let filter = Filter { before, ..Filter::default() };
    let mut subscribers = subscriptions::of_service(&mut conn, service, filter, page.caller.now, SHOWN + 1).await?;
    let manner = subscriptions::manner(&mut conn, &page.caller, &Key::Id(service.id)).await?;
    let shown: Vec<_> = subscribers.iter().map(|one| one.subscription.id).collect();
    let waiting = contracts::waiting_for(&mut conn, service, &shown).await?;
    let mut org = page.org_head(&mut conn, &seat, "services").await?;
    let list = format!("{}/services", org.url());
    let url = format!("{list}/{}", service.handle);
    let next = cut(&mut subscribers, &url, |one| one.subscription.id);
    org.crumbs = vec![Link::new("Services", list.as_str()), Link::new(service.name.as_str(), "")];
    let (publishes, drafts) = (verdict(seat.role, Permission::PublishServices), may(&seat, Permission::DraftServices));
    let requests = format!("{}/requests", org.url());
    let missing = if drafts && service.state != ServiceState::Retired { services::missing(&mut conn, service).await? } else { Vec::new() };
    let handover = waiting_of(&page, &mut conn, &details).await?;
    let hands_over = may(&seat, Permission::HandOverServices);
    let mut acts = acts(service, publishes);
    if hands_over && handover.is_none() && service.state.hand_over().is_ok() {
        acts.push(ActLink { path: "hand-over", label: "Hand over", icon: "send", primary: false, danger: false });
    }
    let shown = ServicePage {
        shell: page.shell(&mut conn, "organizations").await?,
        name: service.name.clone(),
        initials: initials(&service.name),
        hue: hue(&service.handle),
        icon: icon(service),
        summary: service.summary.clone(),
        state: Badge::state(service.state.word()),
        state_note: state_note(service.state, publishes),
        market_href: if service.state.has_page() { format!("/marketplace/{}", service.handle) } else { String::new() },
        can_edit: drafts && service.state != ServiceState::Retired,
        acts,
        can_take_back: hands_over,
        handover,
        notes: notes(service),
        checklist_note: summary(&missing).to_owned(),
        checklist: missing.iter().map(|lack| lack_row(*lack, &url)).collect(),
        manner,
        kpis: vec![
            Kpi { label: "Subscribers".into(), value: demand.live.to_string(), note: "subscriptions in force".into(), ..Kpi::default() },
            Kpi {
                label: "Waiting".into(),
                value: demand.waiting.to_string(),
                note: "requests to decide".into(),
                href: if demand.waiting > 0 { requests } else { String::new() },
                ..Kpi::default()
            },
        ],
        pending: Vec::new(),
        subscribers: subscribers
            .iter()
            .map(|one| subscriber(one, &url, &waiting, may(&seat, Permission::DecideSubscriptions), page.caller.now))
            .collect(),
        pager: pager(&url, query.cursor.is_some(), next),
        facts: facts(&details),
        permissions: permission_lines(&details.contract.permissions),
        plans: details.plans.iter().map(|kept| plan_view(kept.id, &kept.plan, false)).collect(),
        url,
        org,
    };
    Ok(shown.into_response())
}

/// What the state means and who could go on.
fn state_note(state: ServiceState, publishes: Verdict) -> String {
    let who = match publishes {
        Verdict::Allowed => "You can publish it.",
        Verdict::Request => "You can ask to publish it; a reviewer or maintainer decides.",
        Verdict::Refused => "A maintainer publishes it; an editor can ask for it.",
    };
    match state {
        ServiceState::Draft => format!("A draft: only members of this organization see it. {who}"),
        ServiceState::InReview => "In review: an operator of this installation decides whether it is published.".to_owned(),
        ServiceState::Paused => format!("Paused: it takes no new subscriptions, those in force go on. {who}"),
        ServiceState::Retired => "Retired: it is over.".to_owned(),
        ServiceState::Suspended => "Suspended by the operator of this installation.".to_owned(),
        // When a deprecated one ends is told beside.
        ServiceState::Published | ServiceState::Deprecated => String::new(),
    }
}

fn subscriber(one: &Provided, url: &str, waiting: &[ContractOffer], decides: bool, now: Ts) -> SubscriberRow {
    let count = one.granted.len();
    let action = format!("{url}/subscriptions/{}", one.subscription.id);
    let ours = one.held_by.iter().any(|held| held.cause == Cause::Provider);
    let in_force = decides && one.subscription.state.in_force();
    let mut notes: Vec<String> = one.held_by.iter().map(|held| format!("paused by {}", held.cause.who())).collect();
    let sets_up = decides && one.subscription.state == SubscriptionState::Provisioning;
    notes.extend(one.setup.as_ref().map(|setup| super::setups::note(&setup.setup)));
    let ends = one.subscription.ends_at.map(|at| format!("ends at the end of {}", times::long_day(at.plus(-1).day())));
    notes.extend(ends);
    let version = one.concerned.offer.version;
    let said = match waiting.iter().find(|offer| offer.subscription == one.subscription.id).map(|offer| offer.state) {
        Some(OfferState::Refused) => ", refused the new one",
        Some(_) => ", not decided yet",
        None => "",
    };
    SubscriberRow {
        id: one.subscription.id.to_string(),
        organization: one.concerned.organization.name.clone(),
        plan: one.concerned.offer.prices.name.clone(),
        version: format!("{version}{said}"),
        projects: if count == 1 { "1 project".to_owned() } else { format!("{count} projects") },
        since: one.subscription.activated_at.map_or_else(|| "–".to_owned(), |at| times::ago(at, now)),
        state: Badge::state(one.subscription.state.word()),
        note: notes.join(", "),
        pause_href: if in_force && !ours { format!("{action}/pause") } else { String::new() },
        resume_action: if in_force && ours { format!("{action}/resume") } else { String::new() },
        ready_action: if sets_up { format!("{action}/ready") } else { String::new() },
        fail_href: if sets_up { format!("{action}/fail") } else { String::new() },
    }
}

fn facts(details: &ServiceDetails) -> Vec<Pair> {
    let (service, contract) = (&details.service, &details.contract);
    let mut facts = vec![
        Pair::new("Version", contract.version.to_string()),
        Pair::new("Level", level_label(contract.level)),
        Pair::new("Visibility", visibility_label(service.visibility)),
        Pair::new("Handle", service.handle.as_str()),
        Pair::new("Application", service.application.to_string()),
        Pair::new("Drafted", times::long_day(service.created_at.day())),
    ];
    facts.extend(service.published_at.map(|at| Pair::new("Published", times::long_day(at.day()))));
    facts.extend(contract.terms_url.as_ref().map(|url| Pair::new("Terms", url.as_str())));
    facts
}

#[cfg(test)]
mod tests {
    use super::{MeterDraft, ServiceEditPage, ServicePage, ServiceRow, ServicesPage, SubscriberRow};
    use crate::pages::{Badge, Choice, Field, Kpi, Link, Pair, sample, service_acts::ActLink, service_checklist::LackRow};

    #[test]
    fn the_list_and_its_empty_states() {
        let mut page = ServicesPage { shell: sample::shell("organizations"), org: sample::org("services"), ..ServicesPage::default() };
        assert!(sample::render("services-empty-viewer", &page).contains("a maintainer publishes it"));
        page.can_draft = true;
        page.services.push(ServiceRow {
            name: "Load forecast".into(),
            href: "/organizations/aurelia/services/load-forecast".into(),
            initials: "LF".into(),
            summary: "Forecasts the load of each project.".into(),
            state: Badge::state("draft"),
            visibility: "On request".into(),
            subscribers: 12,
            waiting: 1,
            ..ServiceRow::default()
        });
        assert!(sample::render("services", &page).contains("Load forecast"));
    }

    #[test]
    fn the_form_asks_for_the_contract_only_once() {
        let choice = |value: &str, label: &str| Choice {
            value: value.into(),
            label: label.into(),
            hint: "What that means.".into(),
            checked: value == "public",
        };
        let mut org = sample::org("services");
        org.crumbs = vec![Link::new("Services", "/organizations/aurelia/services"), Link::new("New service", "")];
        let mut page = ServiceEditPage {
            shell: sample::shell("organizations"),
            org,
            heading: "New service".into(),
            action: "/organizations/aurelia/services/new".into(),
            cancel: "/organizations/aurelia/services".into(),
            is_new: true,
            applications: vec![Choice::new("app_1", "Forecast engine", true)],
            summary: Field::wrong("", "Say in one sentence what it does."),
            visibilities: vec![choice("public", "Everybody, at once"), choice("on_request", "After your approval")],
            levels: vec![choice("organization", "Organization"), choice("project", "Project")],
            permissions: vec![choice("resources:read", "Read resources"), choice("resources:write", "Write resources")],
            meters: (1..=2).map(|row| MeterDraft { key: format!("meter-{row}"), ..MeterDraft::default() }).collect(),
            ..ServiceEditPage::default()
        };
        page.meters[0].name = Field::wrong("forecasts", "Give it a price.");
        assert!(sample::render("service-new", &page).contains("meter_unit_price"));
        page.is_new = false;
        page.heading = "Edit Load forecast".into();
        assert!(!sample::render("service-edit", &page).contains("meter_unit_price"));
    }

    #[test]
    fn the_providers_page_shows_subscribers_and_what_waits() {
        let mut org = sample::org("services");
        org.crumbs = vec![Link::new("Services", "/organizations/aurelia/services"), Link::new("Load forecast", "")];
        let page = ServicePage {
            shell: sample::shell("organizations"),
            org,
            url: "/organizations/aurelia/services/load-forecast".into(),
            name: "Load forecast".into(),
            initials: "LF".into(),
            summary: "Forecasts the load of each project.".into(),
            state: Badge::state("published"),
            market_href: "/marketplace/load-forecast".into(),
            can_edit: true,
            acts: vec![ActLink { path: "pause", label: "Pause", icon: "pause", ..ActLink::default() }],
            checklist: vec![LackRow { text: "Add an icon, by which people recognise it.", ..LackRow::default() }],
            kpis: vec![Kpi { label: "Subscribers".into(), value: "12".into(), ..Kpi::default() }],
            pending: vec![sample::request("req_1", true)],
            subscribers: vec![SubscriberRow {
                id: "sub_01h455vb4pex5vsknk084sn02q".into(),
                organization: "Borealis Grid".into(),
                plan: "Standard".into(),
                version: "1, not decided yet".into(),
                projects: "4 projects".into(),
                since: "1 Nov 2026".into(),
                state: Badge::state("active"),
                ..SubscriberRow::default()
            }],
            facts: vec![Pair::new("Level", "Organization"), Pair::new("Version", "1")],
            permissions: sample::permissions(),
            plans: vec![sample::plan("Standard", false)],
            ..ServicePage::default()
        };
        assert!(sample::render("service", &page).contains("/requests/req_1/approve"));
    }
}
