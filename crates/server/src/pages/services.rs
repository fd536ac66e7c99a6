//! The provider's side: the services of an organization, their forms, and one service with its subscribers.

use super::requests::RequestCard;
use super::{Badge, Choice, Field, Kpi, OrgHead, Pager, Pair, PermissionLine, PlanView, Shell, filters};

/// `GET /organizations/{org}/services`.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "services.html")]
pub struct ServicesPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization.
    pub org: OrgHead,
    /// Its services.
    pub services: Vec<ServiceRow>,
    /// Whether I may draft services.
    pub can_draft: bool,
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
    /// Whether I may publish it and its state allows it.
    pub can_publish: bool,
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
    /// Such as “4 projects”.
    pub projects: String,
    /// Since when.
    pub since: String,
    /// The subscription's state.
    pub state: Badge,
}

#[cfg(test)]
mod tests {
    use super::{MeterDraft, ServiceEditPage, ServicePage, ServiceRow, ServicesPage, SubscriberRow};
    use crate::pages::{Badge, Choice, Field, Kpi, Link, Pair, sample};

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
            kpis: vec![Kpi { label: "Subscribers".into(), value: "12".into(), ..Kpi::default() }],
            pending: vec![sample::request("req_1", true)],
            subscribers: vec![SubscriberRow {
                id: "sub_01h455vb4pex5vsknk084sn02q".into(),
                organization: "Borealis Grid".into(),
                plan: "Standard".into(),
                projects: "4 projects".into(),
                since: "1 Nov 2026".into(),
                state: Badge::state("active"),
            }],
            facts: vec![Pair::new("Level", "Organization"), Pair::new("Version", "1")],
            permissions: sample::permissions(),
            plans: vec![sample::plan("Standard", false)],
            ..ServicePage::default()
        };
        assert!(sample::render("service", &page).contains("/requests/req_1/approve"));
    }
}
