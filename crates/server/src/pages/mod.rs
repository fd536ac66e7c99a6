//! The server-rendered pages: what each page shows, as plain values already formatted for people.
//!
//! One file per noun holds the page's view (an askama template with its fields) and the handlers that fill it.
//! Every page has a [`Shell`]; pages of one organization also have an [`OrgHead`]. Addresses stand in `router.rs`.
//!
//! A page takes a [`Page`](page::Page) (somebody signed in; others are led to the sign-in and back) or a
//! [`Visitor`](page::Visitor) (anybody), reads through the actions, and shows:
//!
//! ```ignore
//! /// `GET /organizations/{org}/members`.
//! pub async fn list(page: Page, ApiPath(org): ApiPath<String>) -> PageResult {
//!     let mut conn = page.read().await?;
//!     let (seat, members) = members::list(&mut conn, &page.caller, &Key::read(&org), None, None, 51).await?;
//!     let shown = MembersPage {
//!         shell: page.shell(&mut conn, "organizations").await?,
//!         org: page.org_head(&mut conn, &seat, "members").await?,
//!         can_manage: page::may(&seat, Permission::ManageMembers),
//!         …
//!     };
//!     Ok(shown.into_response())
//! }
//! ```
//!
//! Whatever is refused with `?` becomes a page of its own (404, 403 naming who could, 409, …). A form is read with
//! [`PageForm`](form::PageForm), done with [`Page::done`](page::Page::done) (commit, message, 303), and shown again with
//! [`FormErrors`](form::FormErrors), which puts each fault at its field:
//!
//! ```ignore
//! /// `POST /organizations/new`.
//! pub async fn create(page: Page, PageForm(form): PageForm<NewForm>) -> PageResult {
//!     let mut act = page.begin().await?;
//!     match organizations::create(&mut act, form.input()).await {
//!         Ok(seat) => page.done(act, format!("/organizations/{}", seat.organization.handle), Flash::ok("…")).await,
//!         Err(error) => {
//!             drop(act);
//!             let mut errors = FormErrors::of(error)?.code_at("handle_taken", "/handle");
//!             let status = errors.status;
//!             let mut conn = page.read().await?;
//!             let shown = OrganizationNewPage {
//!                 shell: page.shell(&mut conn, "organizations").await?,
//!                 name: errors.field("/name", form.name),
//!                 errors: errors.rest(),
//!             };
//!             Ok(FormErrors::again(status, shown))
//!         }
//!     }
//! }
//! ```
//!
//! A file for download sets `Content-Disposition` itself; pages that move files are listed in the router without a time
//! limit.

pub mod account;
pub mod activity;
pub mod applications;
pub mod budgets;
pub mod chart;
pub mod consequences;
pub mod contract_form;
pub mod contracts;
pub mod costs;
pub mod delegations;
pub mod domains;
pub mod errors;
pub mod explain;
pub mod external;
pub mod figures;
pub mod forgotten;
pub mod form;
pub mod handovers;
pub mod invitations;
pub mod level_changes;
pub mod link;
pub mod lists;
pub mod locks;
pub mod map;
pub mod markdown;
pub mod marketplace;
pub mod member_lists;
pub mod members;
pub mod offers;
pub mod operator;
pub mod operator_organizations;
pub mod operator_services;
pub mod operator_users;
pub mod organization_form;
pub mod organizations;
pub mod outbox;
pub mod overview;
pub mod page;
pub mod passkeys;
pub mod policies;
pub mod projects;
pub mod reference;
pub mod request;
pub mod requests;
pub mod resources;
pub mod second_factors;
pub mod security;
pub mod service_acts;
pub mod service_audience;
pub mod service_checklist;
pub mod service_form;
pub mod service_looks;
pub mod service_pictures;
pub mod services;
pub mod settings;
pub mod setups;
pub mod sharing;
pub mod sign_in;
pub mod sign_up;
pub mod sizes;
pub mod step_up;
pub mod subscribe;
pub mod subscription_contract;
mod subscription_history;
pub mod subscriptions;
pub mod suspensions;
pub mod teams;
pub mod terms;
pub mod times;
pub mod tokens;
pub mod visit;

/// Filters of the templates.
pub(crate) mod filters {
    use askama::filters::Safe;

    /// The address of an asset with its version.
    ///
    /// # Errors
    ///
    /// Never; the signature is askama's.
    #[askama::filter_fn]
    pub fn asset(name: &str, _: &dyn askama::Values) -> askama::Result<Safe<String>> {
        Ok(Safe(crate::assets::address(name)))
    }

    /// The symbol of that name from the sprite `/assets/icons.svg`. Only for names written in templates.
    ///
    /// # Errors
    ///
    /// Never; the signature is askama's.
    #[askama::filter_fn]
    pub fn icon(name: &str, _: &dyn askama::Values) -> askama::Result<Safe<String>> {
        Ok(Safe(format!(r#"<svg class="i" aria-hidden="true"><use href="/assets/icons.svg#{name}"/></svg>"#)))
    }
}

/// A person as pages show them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    /// The name, or the e-mail address of somebody without one.
    pub name: String,
    /// The e-mail address.
    pub email: String,
    /// Up to two letters for the avatar.
    pub initials: String,
    /// The avatar's colour class, 0 to 11.
    pub hue: u8,
}

impl Person {
    /// A person from name and e-mail address; initials and hue follow from them.
    #[must_use]
    pub fn new(name: &str, email: &str) -> Self {
        let name = if name.trim().is_empty() { email } else { name };
        Self { name: name.to_owned(), email: email.to_owned(), initials: initials(name), hue: hue(email) }
    }
}

/// The first letters of the first and the last word, in capitals.
#[must_use]
pub fn initials(name: &str) -> String {
    let mut words = name.split(|c: char| c.is_whitespace() || c == '-' || c == '_').filter(|word| !word.is_empty());
    let first = words.next().and_then(|word| word.chars().next());
    let last = words.next_back().and_then(|word| word.chars().next());
    first.into_iter().chain(last).flat_map(char::to_uppercase).collect()
}

/// A colour class from 0 to 11, the same for the same key on every page.
#[must_use]
pub fn hue(key: &str) -> u8 {
    let sum = key.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    u8::try_from(sum % 12).unwrap_or(0)
}

/// What surrounds every page.
#[derive(Debug, Clone, Default)]
pub struct Shell {
    /// Who is signed in.
    pub user: Option<Person>,
    /// The active entry of the top navigation: `marketplace`, `organizations`, `requests`, or empty.
    pub nav: &'static str,
    /// How many requests wait for the signed-in user's decision.
    pub inbox: u64,
    /// Messages of the action just done.
    pub flash: Vec<Flash>,
    /// The theme chosen by the user (`light`, `dark`) or empty to follow the system; from the cookie `theme`.
    pub theme: String,
    /// What stands in the search field.
    pub query: String,
    /// Whether the user runs the installation.
    pub operator: bool,
}

/// A message about the action just done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flash {
    /// `ok`, `warn`, `danger` or `brand` (plain information).
    pub tone: &'static str,
    /// The sentence.
    pub text: String,
}

impl Flash {
    /// A message of success.
    pub fn ok(text: impl Into<String>) -> Self {
        Self { tone: "ok", text: text.into() }
    }

    /// A message of failure.
    pub fn danger(text: impl Into<String>) -> Self {
        Self { tone: "danger", text: text.into() }
    }

    /// The symbol that belongs to the tone, so that colour does not speak alone.
    #[must_use]
    pub fn icon(&self) -> &'static str {
        match self.tone {
            "ok" => "circle-check",
            "warn" => "triangle-alert",
            "danger" => "circle-alert",
            _ => "info",
        }
    }
}

/// A word with a place to go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Link {
    /// What it says.
    pub label: String,
    /// Where it goes; empty where it is text only.
    pub href: String,
}

impl Link {
    /// A link.
    pub fn new(label: impl Into<String>, href: impl Into<String>) -> Self {
        Self { label: label.into(), href: href.into() }
    }
}

/// A label with its value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pair {
    /// What it is.
    pub label: String,
    /// What it amounts to.
    pub value: String,
}

impl Pair {
    /// A label with its value.
    pub fn new(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self { label: label.into(), value: value.into() }
    }
}

/// The head of an organization's pages.
#[derive(Debug, Clone, Default)]
pub struct OrgHead {
    /// The organization's name.
    pub name: String,
    /// Its handle, as in its address.
    pub handle: String,
    /// Its description, may be empty.
    pub description: String,
    /// Letters of its mark.
    pub initials: String,
    /// Colour class of its mark, 0 to 11.
    pub hue: u8,
    /// The day it was created, for reading.
    pub created: String,
    /// The signed-in user's role: `viewer`, `reviewer`, `editor`, `maintainer`.
    pub role: String,
    /// The active tab: `overview`, `members`, `teams`, `projects`, `applications`, `services`, `subscriptions`, `map`, `requests`,
    /// `costs`, `activity`, `settings`.
    pub tab: &'static str,
    /// The counters beside the tabs.
    pub counts: TabCounts,
    /// What follows the organization in the breadcrumb; empty on its own tabs.
    pub crumbs: Vec<Link>,
    /// Whether the user may edit the details.
    pub can_edit: bool,
    /// Whether the user may delete the organization.
    pub can_delete: bool,
    /// Why the operator suspended it; empty when it works.
    pub suspended: String,
}

/// Counters beside the tabs of an organization; 0 is not shown.
#[derive(Debug, Clone, Copy, Default)]
pub struct TabCounts {
    /// Members.
    pub members: u64,
    /// Teams.
    pub teams: u64,
    /// Projects.
    pub projects: u64,
    /// Applications of the organization.
    pub applications: u64,
    /// Services it provides.
    pub services: u64,
    /// Live subscriptions.
    pub subscriptions: u64,
    /// Open requests.
    pub requests: u64,
}

/// One tab of an organization.
#[derive(Debug, Clone, Copy)]
pub struct Tab {
    /// Its key in [`OrgHead::tab`].
    pub key: &'static str,
    /// What it says.
    pub label: &'static str,
    /// Its path below the organization's.
    pub path: &'static str,
    /// Its counter.
    pub count: u64,
}

impl OrgHead {
    /// The address of the organization's pages.
    #[must_use]
    pub fn url(&self) -> String {
        format!("/organizations/{}", self.handle)
    }

    /// The tabs in their order.
    #[must_use]
    pub fn tabs(&self) -> [Tab; 12] {
        let tab = |key, label, path, count| Tab { key, label, path, count };
        let counts = self.counts;
        [
            tab("overview", "Overview", "", 0),
            tab("members", "Members", "/members", counts.members),
            tab("teams", "Teams", "/teams", counts.teams),
            tab("projects", "Projects", "/projects", counts.projects),
            tab("applications", "Applications", "/applications", counts.applications),
            tab("services", "Services", "/services", counts.services),
            tab("subscriptions", "Marketplace", "/subscriptions", counts.subscriptions),
            tab("map", "Map", "/map", 0),
            tab("requests", "Requests", "/requests", counts.requests),
            tab("costs", "Costs", "/costs", 0),
            tab("activity", "Activity", "/activity", 0),
            tab("settings", "Settings", "/settings", 0),
        ]
    }

    /// “a maintainer”, “an editor”.
    #[must_use]
    pub fn role_with_article(&self) -> String {
        let article = if self.role.starts_with('e') { "an" } else { "a" };
        format!("{article} {}", self.role)
    }
}

/// One field of a form: what was typed and what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Field {
    /// What stands in the field.
    pub value: String,
    /// What is wrong with it.
    pub error: Option<String>,
}

impl Field {
    /// A field without an error.
    pub fn new(value: impl Into<String>) -> Self {
        Self { value: value.into(), error: None }
    }

    /// A field shown again with its error.
    pub fn wrong(value: impl Into<String>, error: impl Into<String>) -> Self {
        Self { value: value.into(), error: Some(error.into()) }
    }
}

/// One choice of a select, a radio group or a list of checkboxes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// What is sent.
    pub value: String,
    /// What is read.
    pub label: String,
    /// A second line, may be empty.
    pub hint: String,
    /// Whether it is chosen.
    pub checked: bool,
}

impl Choice {
    /// A choice without a second line.
    pub fn new(value: impl Into<String>, label: impl Into<String>, checked: bool) -> Self {
        Self { value: value.into(), label: label.into(), hint: String::new(), checked }
    }
}

/// The four roles as choices.
#[must_use]
pub fn role_choices(chosen: &str) -> Vec<Choice> {
    use stoa_domain::permissions::Role;
    Role::ALL.into_iter().map(|role| Choice::new(role.word(), role.title(), role.word() == chosen)).collect()
}

/// A state as a coloured word with a symbol.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Badge {
    /// The word.
    pub text: String,
    /// `ok`, `warn`, `danger`, `brand` or empty.
    pub tone: &'static str,
    /// The symbol, may be empty.
    pub icon: &'static str,
}

impl Badge {
    /// A plain word.
    pub fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), tone: "", icon: "" }
    }

    /// The badge of a state word of any state machine (`active`, `requested`, `draft`, …).
    #[must_use]
    pub fn state(word: &str) -> Self {
        let (tone, icon) = match word {
            "active" | "approved" | "published" | "accepted" | "added" | "sent" => ("ok", "circle-check"),
            "requested" | "open" | "pending" | "waiting" | "provisioning" | "invited" | "in_review" | "needs_info" => ("warn", "clock"),
            "suspended" | "paused" | "deprecated" | "ending" => ("warn", "pause"),
            "rejected" | "failed" | "declined" | "revoked" | "invalid" => ("danger", "ban"),
            "draft" => ("brand", "pencil"),
            _ => ("", "circle-dot"),
        };
        let mut text = word.replace('_', " ");
        if let Some(first) = text.get_mut(0..1) {
            first.make_ascii_uppercase();
        }
        Self { text, tone, icon }
    }
}

/// One figure of a row of figures.
#[derive(Debug, Clone, Default)]
pub struct Kpi {
    /// What it is.
    pub label: String,
    /// The figure.
    pub value: String,
    /// Smaller text behind the figure, such as “of 9”.
    pub suffix: String,
    /// The change, such as “▲ 6.1 %”; may be empty.
    pub trend: String,
    /// `up` (costs more), `down` (costs less) or empty.
    pub trend_tone: &'static str,
    /// The line below.
    pub note: String,
    /// Where it leads; empty for nowhere.
    pub href: String,
}

/// A permission in plain words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PermissionLine {
    /// Its name, such as `resources:read`.
    pub name: String,
    /// What it allows, in plain words.
    pub words: String,
    /// A second sentence, may be empty.
    pub detail: String,
    /// Whether it allows changes.
    pub writes: bool,
}

/// One step of a history.
#[derive(Debug, Clone, Default)]
pub struct TimelineEntry {
    /// The symbol.
    pub icon: &'static str,
    /// `ok`, `warn`, `danger`, `brand` or empty.
    pub tone: &'static str,
    /// Who did it.
    pub who: String,
    /// What was done, following the name.
    pub what: String,
    /// When, for reading.
    pub when: String,
    /// The reason, comment or note given; may be empty.
    pub reason: String,
}

/// A plan with its prices.
#[derive(Debug, Clone, Default)]
pub struct PlanView {
    /// What a form sends.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its leading price, such as “€ 49.00” or “Free”.
    pub amount: String,
    /// What the leading price is for, such as “per month”; may be empty.
    pub per: String,
    /// Further fees and meters.
    pub lines: Vec<Pair>,
    /// Whether it is chosen in a form.
    pub checked: bool,
}

/// The choice of projects of a subscription.
#[derive(Debug, Clone, Default)]
pub struct ProjectPicker {
    /// `all`, `all_except` or `selected`.
    pub mode: String,
    /// `yes`, `ask` or `no`.
    pub include_future: String,
    /// Whether “ask each time” is offered.
    pub offers_ask: bool,
    /// The organization's projects.
    pub projects: Vec<Choice>,
    /// What is wrong with the choice.
    pub error: Option<String>,
}

/// Leads through a long list.
#[derive(Debug, Clone, Default)]
pub struct Pager {
    /// What is shown, such as “50 of 10,000”.
    pub summary: String,
    /// Address of the first page; empty on the first page.
    pub first: String,
    /// Address of the next page; empty on the last page.
    pub next: String,
}

impl Pager {
    /// The pager of a list at `path` (with a query, if it has one, but without the cursor), which shows a page of
    /// `shown` rows of `what`; `first` says whether it is the first page.
    #[must_use]
    pub fn new(path: &str, what: &str, shown: usize, is_first: bool, next_cursor: Option<&str>) -> Self {
        let separator = if path.contains('?') { '&' } else { '?' };
        Self {
            summary: format!("{shown} {what} on this page"),
            first: if is_first { String::new() } else { path.to_owned() },
            next: next_cursor.map(|cursor| format!("{path}{separator}cursor={cursor}")).unwrap_or_default(),
        }
    }

    /// Whether there is more than one page.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        !self.first.is_empty() || !self.next.is_empty()
    }
}

#[cfg(test)]
pub(crate) mod sample {
    //! Values for the rendering tests of all pages.
    use super::chart::{Chart, ChartData, ChartSeries};
    use super::requests::RequestCard;
    use super::{
        Badge, Choice, Flash, OrgHead, Pair, PermissionLine, Person, PlanView, ProjectPicker, Shell, TabCounts, TimelineEntry, hue,
        initials,
    };

    pub fn shell(nav: &'static str) -> Shell {
        Shell {
            user: Some(Person::new("Mira Sand", "mira@aurelia.example")),
            nav,
            inbox: 3,
            flash: Vec::new(),
            theme: String::new(),
            query: String::new(),
            operator: false,
        }
    }

    pub fn flash(shell: &mut Shell, text: &str) {
        shell.flash.push(Flash::ok(text));
    }

    pub fn org(tab: &'static str) -> OrgHead {
        let counts = TabCounts { members: 8, teams: 3, projects: 9, applications: 2, services: 1, subscriptions: 4, requests: 2 };
        OrgHead {
            name: "Aurelia Energy".into(),
            handle: "aurelia".into(),
            description: "Shared data services for the northern plants".into(),
            initials: initials("Aurelia Energy"),
            hue: hue("aurelia"),
            created: "12 March 2026".into(),
            role: "maintainer".into(),
            tab,
            counts,
            crumbs: Vec::new(),
            can_edit: true,
            can_delete: true,
            suspended: String::new(),
        }
    }

    pub fn plan(name: &str, checked: bool) -> PlanView {
        PlanView {
            id: format!("pln_{name}"),
            name: name.into(),
            amount: "€ 49.00".into(),
            per: "per month".into(),
            lines: vec![Pair::new("Per project and month", "€ 5.00"), Pair::new("forecasts", "€ 0.012 a forecast, 1,000 free")],
            checked,
        }
    }

    pub fn permissions() -> Vec<PermissionLine> {
        let line = |name: &str, words: &str, writes| PermissionLine {
            name: name.into(),
            words: words.into(),
            detail: "In the chosen projects only.".into(),
            writes,
        };
        vec![
            line("resources:read", "Read the projects’ resources", false),
            line("resources:write", "Add, change and delete the projects’ resources", true),
        ]
    }

    pub fn picker(mode: &str) -> ProjectPicker {
        let names = ["Wind park Delta", "Grid planning", "Meter data hub", "Invoices 2026", "Substations"];
        let projects = names
            .into_iter()
            .map(|name| Choice {
                value: name.to_lowercase().replace(' ', "-"),
                label: name.into(),
                hint: "12 resources".into(),
                checked: name.starts_with('G'),
            })
            .collect();
        ProjectPicker { mode: mode.into(), include_future: "no".into(), offers_ask: false, projects, error: None }
    }

    pub fn history() -> Vec<TimelineEntry> {
        let entry = |icon, tone, who: &str, what: &str, reason: &str| TimelineEntry {
            icon,
            tone,
            who: who.into(),
            what: what.into(),
            when: "20 November 2026, 14:02 UTC".into(),
            reason: reason.into(),
        };
        vec![
            entry("circle-check", "ok", "Nils Falk", "approved for Borealis Grid", "Welcome aboard."),
            entry("check", "ok", "Ola Birke", "approved for Aurelia Energy", ""),
            entry("send", "", "Tomas Reed", "asked to subscribe with 4 projects", "For the winter plan."),
        ]
    }

    pub fn request(id: &str, can_decide: bool) -> RequestCard {
        RequestCard {
            id: id.into(),
            title: "Aurelia Energy asks to subscribe Load forecast".into(),
            by: "Tomas Reed".into(),
            when: "20 November 2026, 14:02 UTC".into(),
            age: "3 days ago".into(),
            deadline: "expires in 2 days, on 25 November 2026".into(),
            soon: true,
            rule: "Large purchases: EUR 40.00 a month or more needs another person's approval".into(),
            state: Badge::state("open"),
            facts: vec![Pair::new("Projects", "4 of 9"), Pair::new("Plan", "Standard, € 49.00 per month")],
            note: "For the winter plan.".into(),
            permissions: permissions(),
            can_decide,
            can_withdraw: !can_decide,
            who_can: if can_decide { String::new() } else { "Ola Birke can decide this.".into() },
            history: history(),
            back: "/requests".into(),
            ..RequestCard::default()
        }
    }

    pub fn chart() -> Chart {
        let series = |label: &str, first: i64, step: i64| ChartSeries {
            label: label.into(),
            values: (0..12).map(|month| first + month * step).collect(),
        };
        Chart::stacked(&ChartData {
            columns: ["Dec", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov"].map(String::from).into(),
            series: vec![
                series("Load forecast", 91_000, 9_500),
                series("Geo tiles", 70_000, 3_100),
                series("Document OCR", 0, 6_900),
                series("Object storage", 31_000, 1_400),
                series("Quality checks", 12_000, 1_100),
                series("Archive", 9_000, 300),
            ],
            prefix: "€ ".into(),
            decimals: 2,
        })
    }

    /// Renders a page, checks what holds for all pages and, where `STOA_RENDERED_PAGES` names a directory, keeps it
    /// there for the browser checks.
    pub fn render(name: &str, page: &impl askama::Template) -> String {
        let html = page.render().expect("samples render");
        assert!(!html.contains(" style="), "{name}: inline styles are refused by the content security policy");
        assert!(!html.contains("<style"), "{name}: inline styles are refused by the content security policy");
        assert!(!html.contains(" onclick="), "{name}: inline handlers are refused by the content security policy");
        assert_eq!(
            html.matches("<script").count(),
            html.matches("<script src=\"/assets/").count(),
            "{name}: scripts come from /assets only"
        );
        assert_eq!(html.matches("<h1").count(), 1, "{name}: one main heading");
        let mut ids: Vec<&str> = html.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "{name}: every id is given once");
        if let Ok(directory) = std::env::var("STOA_RENDERED_PAGES") {
            std::fs::write(std::path::Path::new(&directory).join(format!("{name}.html")), &html).expect("writable");
        }
        html
    }
}

#[cfg(test)]
mod tests {
    use super::{Badge, hue, initials};

    #[test]
    fn initials_are_the_first_and_the_last_word() {
        assert_eq!(initials("Mira Sand"), "MS");
        assert_eq!(initials("mira von der sand"), "MS");
        assert_eq!(initials("Aurelia"), "A");
        assert_eq!(initials("  "), "");
    }

    #[test]
    fn a_hue_stays_within_its_classes() {
        assert!((0..500).all(|n| hue(&format!("key{n}")) < 12));
        assert_eq!(hue("aurelia"), hue("aurelia"));
    }

    #[test]
    fn a_state_reads_as_a_word() {
        assert_eq!(Badge::state("needs_info").text, "Needs info");
        assert_eq!(Badge::state("active").tone, "ok");
        assert_eq!(Badge::state("").text, "");
    }
}
