//! The marketplace: the list of services, one service's page, and subscribing it.

use super::{Badge, Choice, Field, Pager, Pair, PermissionLine, PlanView, ProjectPicker, Shell, filters};

/// `GET /marketplace?q=&category=&level=&sort=&cursor=`.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "marketplace.html")]
pub struct MarketplacePage {
    /// What surrounds the page.
    pub shell: Shell,
    /// What is searched for.
    pub query: String,
    /// Filters kept while searching again, by parameter name.
    pub kept: Vec<Pair>,
    /// The ways to sort.
    pub sorts: Vec<Choice>,
    /// Groups of filters, such as categories and levels.
    pub facets: Vec<Facet>,
    /// Such as “12 services”.
    pub summary: String,
    /// Whether anything narrows the list.
    pub is_filtered: bool,
    /// The services.
    pub services: Vec<ServiceTile>,
    /// Leads through a long list.
    pub pager: Pager,
}

/// A group of filters.
#[derive(Debug, Clone, Default)]
pub struct Facet {
    /// Its title.
    pub title: String,
    /// Its entries; the first is “All”.
    pub entries: Vec<FilterLink>,
}

/// A link that narrows a list.
#[derive(Debug, Clone, Default)]
pub struct FilterLink {
    /// What it says.
    pub label: String,
    /// Where it goes.
    pub href: String,
    /// How many there are; may be empty.
    pub count: String,
    /// Whether it is the present view.
    pub active: bool,
}

/// A service in the list.
#[derive(Debug, Clone, Default)]
pub struct ServiceTile {
    /// Its name.
    pub name: String,
    /// Its provider's name.
    pub provider: String,
    /// Its page.
    pub href: String,
    /// Letters of its mark.
    pub initials: String,
    /// Colour class of its mark.
    pub hue: u8,
    /// Its summary.
    pub summary: String,
    /// Categories, and “On request” or “Subscribed” where it applies.
    pub badges: Vec<Badge>,
    /// Its lowest price, such as “from € 49.00 per month”.
    pub price: String,
    /// Such as “Organization level”.
    pub level: String,
}

/// `GET /marketplace/{service}`.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "marketplace_service.html")]
pub struct MarketplaceServicePage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The service's address in the marketplace, without a slash at the end.
    pub url: String,
    /// Its name.
    pub name: String,
    /// Letters of its mark.
    pub initials: String,
    /// Colour class of its mark.
    pub hue: u8,
    /// Its provider's name.
    pub provider: String,
    /// Its summary.
    pub summary: String,
    /// State, visibility, categories.
    pub badges: Vec<Badge>,
    /// Its description: Markdown rendered and cleaned, written as it is.
    pub description_html: String,
    /// Its plans.
    pub plans: Vec<PlanView>,
    /// What it may do.
    pub permissions: Vec<PermissionLine>,
    /// Level, visibility, version of the contract and the like.
    pub facts: Vec<Pair>,
    /// Where its terms are; may be empty.
    pub terms_url: String,
    /// The provider's page of it, for members of the provider; otherwise empty.
    pub manage_href: String,
    /// Live subscriptions of my organizations.
    pub subscriptions: Vec<OwnSubscription>,
    /// Why nobody can subscribe at present; may be empty.
    pub no_subscribe: String,
    /// The form of the dialog; none where there is nothing to subscribe for.
    pub form: Option<SubscribeForm>,
}

/// A live subscription of one of my organizations.
#[derive(Debug, Clone, Default)]
pub struct OwnSubscription {
    /// The organization's name.
    pub organization: String,
    /// The subscription's page.
    pub href: String,
    /// Such as “All projects”.
    pub projects: String,
    /// Its state.
    pub state: Badge,
}

/// The form to subscribe. It sends `organization, plan, mode, project…, include_future, accept_terms, note`;
/// `include_future` is missing where the mode is `selected`.
#[derive(Debug, Clone, Default)]
pub struct SubscribeForm {
    /// The service's address in the marketplace, without a slash at the end.
    pub url: String,
    /// Errors of the form as a whole.
    pub errors: Vec<String>,
    /// My organizations.
    pub organizations: Vec<Choice>,
    /// What my role in the chosen one means, such as “You are a viewer there: a maintainer decides your request.”
    pub role_note: String,
    /// The plans.
    pub plans: Vec<PlanView>,
    /// Whether it is subscribed for one project; then `picker.projects` are the choices and one `project` is sent.
    pub is_project_level: bool,
    /// The choice of projects of the chosen organization.
    pub picker: ProjectPicker,
    /// What it may do.
    pub permissions: Vec<PermissionLine>,
    /// The note.
    pub note: Field,
    /// Where the terms are; may be empty.
    pub terms_url: String,
    /// Whether the terms are accepted.
    pub accepted: bool,
    /// What is wrong with the acceptance.
    pub terms_error: Option<String>,
    /// Who will have to approve; empty where it starts at once.
    pub approval_note: String,
    /// The button: “Subscribe” or “Send request”.
    pub button: String,
}

/// `GET /marketplace/{service}/subscribe?organization=`, and again with errors.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "subscribe.html")]
pub struct SubscribePage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The service's address in the marketplace, without a slash at the end.
    pub url: String,
    /// The service's name.
    pub name: String,
    /// Letters of its mark.
    pub initials: String,
    /// Colour class of its mark.
    pub hue: u8,
    /// Its provider's name.
    pub provider: String,
    /// The form.
    pub form: SubscribeForm,
}

#[cfg(test)]
mod tests {
    use super::{Facet, FilterLink, MarketplacePage, MarketplaceServicePage, OwnSubscription, ServiceTile, SubscribeForm, SubscribePage};
    use crate::pages::{Badge, Choice, Pair, hue, initials, sample};

    fn tile(name: &str) -> ServiceTile {
        ServiceTile {
            name: name.into(),
            provider: "Borealis Grid".into(),
            href: "/marketplace/load-forecast".into(),
            initials: initials(name),
            hue: hue(name),
            summary: "Forecasts the load of each project for the next 48 hours, every quarter of an hour.".into(),
            badges: vec![Badge::plain("forecasting"), Badge::state("requested")],
            price: "from € 49.00 per month".into(),
            level: "Organization level".into(),
        }
    }

    fn form() -> SubscribeForm {
        SubscribeForm {
            url: "/marketplace/load-forecast".into(),
            organizations: vec![Choice::new("aurelia", "Aurelia Energy", true), Choice::new("borealis", "Borealis Grid", false)],
            role_note: "You are a maintainer there: no approval of your own organization is needed.".into(),
            plans: vec![sample::plan("Standard", true), sample::plan("Large", false)],
            picker: sample::picker("selected"),
            permissions: sample::permissions(),
            terms_url: "https://borealis.example/terms".into(),
            approval_note: "Borealis Grid approves each subscription of this service.".into(),
            button: "Send request".into(),
            ..SubscribeForm::default()
        }
    }

    #[test]
    fn the_list_with_facets_and_its_empty_states() {
        let entry = |label: &str, active| FilterLink {
            label: label.into(),
            href: "/marketplace?category=forecasting".into(),
            count: "4".into(),
            active,
        };
        let mut page = MarketplacePage {
            shell: sample::shell("marketplace"),
            sorts: vec![Choice::new("relevance", "Best match", true), Choice::new("name", "Name", false)],
            kept: vec![Pair::new("category", "forecasting")],
            facets: vec![
                Facet { title: "Category".into(), entries: vec![entry("All", true), entry("forecasting", false)] },
                Facet { title: "Level".into(), entries: vec![entry("Organization", false)] },
            ],
            summary: "4 services".into(),
            services: ["Load forecast", "Geo tiles", "Document OCR", "Object storage"].map(tile).into(),
            ..MarketplacePage::default()
        };
        assert!(sample::render("marketplace", &page).contains("Object storage"));
        page.services.clear();
        assert!(sample::render("marketplace-empty", &page).contains("still empty"));
        page.is_filtered = true;
        assert!(sample::render("marketplace-nothing", &page).contains("Nothing fits"));
    }

    #[test]
    fn a_service_says_what_it_may_do_and_what_it_costs() {
        let page = MarketplaceServicePage {
            shell: sample::shell("marketplace"),
            url: "/marketplace/load-forecast".into(),
            name: "Load forecast".into(),
            initials: "LF".into(),
            provider: "Borealis Grid".into(),
            summary: "Forecasts the load of each project for the next 48 hours.".into(),
            badges: vec![Badge::plain("On request")],
            description_html: "<p>Reads meter readings and writes a forecast.</p><ul><li>CSV or JSON</li></ul>".into(),
            plans: vec![sample::plan("Standard", false), sample::plan("Large", false)],
            permissions: sample::permissions(),
            facts: vec![Pair::new("Level", "Organization"), Pair::new("Contract", "Version 1, 12 March 2026")],
            terms_url: "https://borealis.example/terms".into(),
            manage_href: "/organizations/borealis/services/load-forecast".into(),
            subscriptions: vec![OwnSubscription {
                organization: "Aurelia Energy".into(),
                href: "/organizations/aurelia/subscriptions/sub_1".into(),
                projects: "4 of 9 projects".into(),
                state: Badge::state("active"),
            }],
            form: Some(form()),
            ..MarketplaceServicePage::default()
        };
        let html = sample::render("marketplace-service", &page);
        assert!(html.contains("<li>CSV or JSON</li>") && html.contains("dlg-subscribe"));
    }

    #[test]
    fn the_form_shows_again_what_is_wrong() {
        let mut form = form();
        form.picker.error = Some("Choose at least one project.".into());
        form.terms_error = Some("Accept the terms to go on.".into());
        let mut page = SubscribePage {
            shell: sample::shell("marketplace"),
            url: "/marketplace/load-forecast".into(),
            name: "Load forecast".into(),
            initials: "LF".into(),
            hue: 2,
            provider: "Borealis Grid".into(),
            form,
        };
        let html = sample::render("subscribe", &page);
        assert!(html.contains("Choose at least one project.") && html.contains("Accept the terms to go on."));
        page.form.is_project_level = true;
        assert!(sample::render("subscribe-project", &page).contains("for one project"));
        page.form.organizations.clear();
        assert!(sample::render("subscribe-nobody", &page).contains("No organization to subscribe for"));
    }
}
