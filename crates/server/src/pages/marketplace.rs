//! The marketplace: the list of services, one service's page, and subscribing it.

use axum::{extract::Query, response::IntoResponse};
use serde::Deserialize;
use stoa_actions::{
    marketplace::{self, Facets, ListedService, Results, Subscribed},
    services::{self, ServiceDetails},
    subscriptions,
};
use stoa_domain::{
    marketplace::{Place, SearchInput, Sort},
    organizations::Key,
    services::{Level, Service, Visibility, support_href},
    subscriptions::Mode,
};
use stoa_store::Conn;

use super::{
    Badge, Choice, Field, Link, Pager, Pair, PermissionLine, PlanView, ProjectPicker, Shell, filters,
    form::{sentence, sentence_start},
    hue, initials, markdown,
    offers::{permission_lines, plan_view},
    page::{Page, PageResult},
    service_looks::{Shot, end_note, icon, shots},
    subscribe, times,
};
use crate::{
    api::marketplace::{SuggestionView, SuggestionsQuery, SuggestionsView},
    extract::{ApiPath, ApiQuery},
    paging::{Paging, encode},
};

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
    /// What was looked for instead of mistyped words, or beside them.
    pub corrected: Option<Corrected>,
    /// Whether anything narrows the list.
    pub is_filtered: bool,
    /// The services.
    pub services: Vec<ServiceTile>,
    /// Leads through a long list.
    pub pager: Pager,
}

/// Tells that words were taken for mistyped.
#[derive(Debug, Clone, Default)]
pub struct Corrected {
    /// Whether something has the words as they were typed.
    pub found_as_typed: bool,
    /// What was typed.
    pub typed: String,
    /// What was looked for.
    pub meant: String,
    /// The search for what was looked for.
    pub href: String,
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
    /// The address of its icon; may be empty.
    pub icon: String,
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
    /// The address of its icon; may be empty.
    pub icon: String,
    /// The provider's name where it is a preview for members of the provider; otherwise empty.
    pub preview_of: String,
    /// That it will be retired, and from when on; may be empty.
    pub end_note: String,
    /// What its provider recommends instead.
    pub successor: Option<Link>,
    /// Its screenshots.
    pub screenshots: Vec<Shot>,
    /// Where else to read about it.
    pub links: Vec<Link>,
    /// Whom to ask.
    pub support: Option<Link>,
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
    /// The subscription's name, where there may be several of the service.
    pub label: Option<Field>,
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

/// What is looked for, as the address has it.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct MarketQuery {
    /// Words.
    #[serde(default)]
    pub q: String,
    /// A category.
    #[serde(default)]
    pub category: String,
    /// A level.
    #[serde(default)]
    pub level: String,
    /// A provider's handle.
    #[serde(default)]
    pub provider: String,
    /// The order.
    #[serde(default)]
    pub sort: String,
    /// The page after this one.
    #[serde(default)]
    pub cursor: Option<String>,
}

/// How many services a page shows.
const SHOWN: i64 = 24;

impl MarketQuery {
    fn input(&self) -> SearchInput {
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        SearchInput {
            q: given(&self.q),
            category: given(&self.category),
            level: given(&self.level),
            provider: given(&self.provider),
            sort: given(&self.sort),
        }
    }

    /// The address of this search from its first page, with one parameter changed.
    fn url_with(&self, name: &str, value: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let all =
            [("q", &self.q), ("category", &self.category), ("level", &self.level), ("provider", &self.provider), ("sort", &self.sort)];
        for (key, kept) in all {
            let shown = if key == name { value } else { kept.as_str() };
            if !shown.is_empty() {
                query.append_pair(key, shown);
            }
        }
        let query = query.finish();
        if query.is_empty() { "/marketplace".to_owned() } else { format!("/marketplace?{query}") }
    }

    fn url(&self) -> String {
        self.url_with("", "")
    }
}

/// `GET /marketplace`.
pub async fn search(page: Page, Query(query): Query<MarketQuery>) -> PageResult {
    let paging = Paging { limit: None, cursor: query.cursor.clone() };
    let after = paging.cursor::<Place>()?;
    let mut conn = page.read().await?;
    let mut found = marketplace::search(&mut conn, &page.caller, query.input(), after.as_ref(), SHOWN + 1).await?;
    let more = found.services.len() > usize::try_from(SHOWN).unwrap_or(usize::MAX);
    found.services.truncate(usize::try_from(SHOWN).unwrap_or(usize::MAX));
    let join = if query.url().contains('?') { '&' } else { '?' };
    let next = found.services.last().filter(|_| more).map(|last| format!("{}{join}cursor={}", query.url(), encode(&last.place)));
    let total = found.facets.total(&found.search);
    let filters = [("category", &query.category), ("level", &query.level), ("provider", &query.provider)];
    let kept =
        filters.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| Pair::new(*name, value.as_str())).collect::<Vec<_>>();
    let mut shell = page.shell(&mut conn, "marketplace").await?;
    shell.query.clone_from(&query.q);
    let shown = MarketplacePage {
        shell,
        sorts: sorts(found.search.sort),
        facets: facets(&query, &found.facets),
        summary: if total == 1 { "1 service".to_owned() } else { format!("{total} services") },
        corrected: corrected(&query, &found),
        is_filtered: !kept.is_empty() || !query.q.is_empty(),
        kept,
        services: found.services.iter().map(tile).collect(),
        pager: Pager {
            summary: String::new(),
            first: if query.cursor.is_some() { query.url() } else { String::new() },
            next: next.unwrap_or_default(),
        },
        query: query.q,
    };
    Ok(shown.into_response())
}

fn corrected(query: &MarketQuery, found: &Results) -> Option<Corrected> {
    if found.corrections.is_empty() {
        return None;
    }
    let meant = |word: &String| {
        let correction = found.corrections.iter().find(|one| one.typed == *word);
        correction.and_then(|one| one.read_as.first()).unwrap_or(word).clone()
    };
    let meant = found.search.words.iter().map(meant).collect::<Vec<_>>().join(" ");
    Some(Corrected { found_as_typed: found.found_as_typed, typed: query.q.trim().to_owned(), href: query.url_with("q", &meant), meant })
}

/// `GET /marketplace/suggestions?q=`: what may be meant, as a piece of a page.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "suggestions.html")]
pub struct SuggestionsPart {
    /// Services, providers and categories.
    pub items: Vec<SuggestionView>,
}

/// `GET /marketplace/suggestions`.
pub async fn suggestions(page: Page, ApiQuery(query): ApiQuery<SuggestionsQuery>) -> PageResult {
    let mut conn = page.read().await?;
    let found = marketplace::suggestions(&mut conn, &page.caller, query.q).await?;
    Ok(SuggestionsPart { items: SuggestionsView::from(found).items }.into_response())
}

fn sorts(chosen: Sort) -> Vec<Choice> {
    let choice = |sort: Sort, label: &str| Choice::new(sort.word(), label, sort == chosen);
    vec![choice(Sort::Relevance, "Best match"), choice(Sort::Name, "Name"), choice(Sort::Newest, "Newest")]
}

/// A filter's entries, the first of which takes it back.
fn facet(query: &MarketQuery, title: &str, name: &str, chosen: &str, values: Vec<(String, String, i64)>) -> Facet {
    let all = FilterLink { label: "All".to_owned(), href: query.url_with(name, ""), count: String::new(), active: chosen.is_empty() };
    let entry = |(value, label, count): (String, String, i64)| FilterLink {
        href: query.url_with(name, &value),
        count: count.to_string(),
        active: value == chosen,
        label,
    };
    Facet { title: title.to_owned(), entries: std::iter::once(all).chain(values.into_iter().map(entry)).collect() }
}

fn facets(query: &MarketQuery, counted: &Facets) -> Vec<Facet> {
    let categories = counted.categories.iter().map(|(name, count)| (name.clone(), name.clone(), *count)).collect();
    let levels = counted.levels.iter().map(|(level, count)| (level.word().to_owned(), level_label(*level).to_owned(), *count)).collect();
    let providers = counted.providers.iter().map(|(handle, name, count)| (handle.clone(), name.clone(), *count)).collect();
    vec![
        facet(query, "Categories", "category", &query.category, categories),
        facet(query, "Level", "level", &query.level, levels),
        facet(query, "Providers", "provider", &query.provider, providers),
    ]
}

/// What one subscription serves, as a title.
pub(crate) const fn level_label(level: Level) -> &'static str {
    match level {
        Level::Organization => "Organization level",
        Level::Project => "Project level",
    }
}

/// Who may subscribe, as a title.
pub(crate) const fn visibility_label(visibility: Visibility) -> &'static str {
    match visibility {
        Visibility::Public => "Public",
        Visibility::OnRequest => "On request",
        Visibility::Private => "Private",
    }
}

fn badges(service: &Service) -> Vec<Badge> {
    let closed =
        (service.visibility != Visibility::Public).then(|| Badge { tone: "brand", ..Badge::plain(visibility_label(service.visibility)) });
    service.categories.iter().map(Badge::plain).chain(closed).collect()
}

fn tile(listed: &ListedService) -> ServiceTile {
    let service = &listed.service;
    ServiceTile {
        name: service.name.clone(),
        provider: listed.provider_name.clone(),
        href: format!("/marketplace/{}", service.handle),
        initials: initials(&service.name),
        hue: hue(&service.handle),
        icon: icon(service),
        summary: service.summary.clone(),
        badges: badges(service),
        price: sentence_start(&listed.price.words()),
        level: level_label(listed.contract.level).to_owned(),
    }
}

/// `GET /marketplace/{service}`.
pub async fn show(page: Page, ApiPath(key): ApiPath<String>) -> PageResult {
    let key = Key::read(&key);
    let mut conn = page.read().await?;
    let details = marketplace::get(&mut conn, &page.caller, &key).await?;
    Ok(service_page(&page, &mut conn, details, "").await?.into_response())
}

/// `GET /organizations/{org}/services/{service}/preview`: the same page before the service is published.
pub async fn preview(page: Page, ApiPath((_org, key)): ApiPath<(String, String)>) -> PageResult {
    let mut conn = page.read().await?;
    let details = marketplace::preview(&mut conn, &page.caller, &Key::read(&key)).await?;
    let provider = details.provider.name.clone();
    Ok(service_page(&page, &mut conn, details, &provider).await?.into_response())
}

async fn service_page(page: &Page, conn: &mut Conn, details: ServiceDetails, preview_of: &str) -> PageResult<MarketplaceServicePage> {
    let key = Key::Id(details.service.id);
    let seen = services::seen(conn, &page.caller, &key).await?;
    let successor = services::moves::successor_of(conn, &page.caller, &details.service).await?;
    let offering = subscriptions::offering(conn, &page.caller, &key, None).await?;
    let own = marketplace::subscribed(conn, &page.caller, details.service.id).await?;
    let (service, contract, provider) = (&details.service, &details.contract, &details.provider);
    let no_subscribe = match &offering.closed {
        // A draft takes no subscriptions, which is what a preview is about.
        Some(cause) if preview_of.is_empty() => sentence(cause),
        _ if offering.seats.is_empty() => "To subscribe it, create an organization or ask to be added to one.".to_owned(),
        _ => String::new(),
    };
    Ok(MarketplaceServicePage {
        shell: page.shell(conn, "marketplace").await?,
        url: format!("/marketplace/{}", service.handle),
        name: service.name.clone(),
        initials: initials(&service.name),
        hue: hue(&service.handle),
        icon: icon(service),
        preview_of: preview_of.to_owned(),
        end_note: end_note(service),
        successor: successor.map(|other| Link::new(other.name, format!("/marketplace/{}", other.handle))),
        screenshots: shots(service, &details.images),
        links: service.links.iter().map(|link| Link::new(link.name.as_str(), link.url.as_str())).collect(),
        support: service.support.as_ref().map(|support| Link::new(support.as_str(), support_href(support))),
        provider: provider.name.clone(),
        summary: service.summary.clone(),
        badges: badges(service),
        description_html: markdown::html(&service.description),
        plans: details.plans.iter().map(|kept| plan_view(kept.id, &kept.plan, false)).collect(),
        permissions: permission_lines(&contract.permissions),
        facts: vec![
            Pair::new("Level", level_label(contract.level)),
            Pair::new("Access", access(service)),
            Pair::new("Contract", format!("Version {}", contract.version)),
            Pair::new("Provider", provider.name.as_str()),
            Pair::new("Published", service.published_at.map_or_else(String::new, |at| times::long_day(at.day()))),
        ],
        terms_url: contract.terms_url.clone().unwrap_or_default(),
        manage_href: match seen.role {
            Some(_) => format!("/organizations/{}/services/{}", provider.handle, service.handle),
            None => String::new(),
        },
        subscriptions: own.iter().map(own_subscription).collect(),
        form: (no_subscribe.is_empty() && preview_of.is_empty()).then(|| subscribe::form(&offering)),
        no_subscribe,
    })
}

fn access(service: &Service) -> &'static str {
    match service.visibility {
        Visibility::Public => "Public: subscribed at once",
        Visibility::OnRequest => "On request: the provider approves each subscription",
        Visibility::Private => "Private: for named organizations only",
    }
}

fn own_subscription(one: &Subscribed) -> OwnSubscription {
    OwnSubscription {
        organization: one.organization_name.clone(),
        href: format!("/organizations/{}/subscriptions/{}", one.organization_handle, one.subscription),
        projects: match one.mode {
            Mode::All => "All projects".to_owned(),
            Mode::AllExcept => "All projects but some".to_owned(),
            Mode::Selected => "Selected projects".to_owned(),
        },
        state: Badge::state(one.state.word()),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Corrected, Facet, FilterLink, MarketplacePage, MarketplaceServicePage, OwnSubscription, ServiceTile, SubscribeForm, SubscribePage,
    };
    use crate::pages::{Badge, Choice, Pair, hue, initials, sample};

    fn tile(name: &str) -> ServiceTile {
        ServiceTile {
            name: name.into(),
            provider: "Borealis Grid".into(),
            href: "/marketplace/load-forecast".into(),
            initials: initials(name),
            hue: hue(name),
            icon: String::new(),
            summary: "Forecasts the load of each project for the next 48 hours, every quarter of an hour.".into(),
            badges: vec![Badge::plain("forecasting"), Badge::state("requested")],
            price: "from € 49.00 per month".into(),
            level: "Organization level".into(),
        }
    }

    fn form() -> SubscribeForm {
        SubscribeForm {
            label: None,
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
        page.corrected = Some(Corrected {
            found_as_typed: false,
            typed: "object storge".into(),
            meant: "object storage".into(),
            href: "/marketplace?q=object+storage".into(),
        });
        assert!(sample::render("marketplace-corrected", &page).contains("Nothing has “object storge”"));
        page.corrected = None;
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
