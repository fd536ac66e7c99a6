//! The subscriptions of an organization, and one subscription with its tabs.

use super::chart::Chart;
use super::{Badge, Kpi, OrgHead, Pager, Pair, PermissionLine, ProjectPicker, Shell, TimelineEntry, filters};

/// `GET /organizations/{org}/subscriptions`.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "subscriptions.html")]
pub struct SubscriptionsPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization.
    pub org: OrgHead,
    /// Its subscriptions.
    pub subscriptions: Vec<SubscriptionRow>,
    /// Leads through a long list.
    pub pager: Pager,
}

/// One subscription of the list.
#[derive(Debug, Clone, Default)]
pub struct SubscriptionRow {
    /// The service's name.
    pub service: String,
    /// Its provider's name.
    pub provider: String,
    /// The subscription's page.
    pub href: String,
    /// Letters of its mark.
    pub initials: String,
    /// Colour class of its mark.
    pub hue: u8,
    /// The plan's name.
    pub plan: String,
    /// Such as “All projects” or “4 of 9 projects”.
    pub projects: String,
    /// Since when.
    pub since: String,
    /// Its state.
    pub state: Badge,
    /// What it cost this month.
    pub cost: String,
}

/// `GET /organizations/{org}/subscriptions/{subscription}[/usage|/projects|/permissions]`.
#[derive(Debug, askama::Template, askama_web::WebTemplate)]
#[template(path = "subscription.html")]
pub struct SubscriptionPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization; its crumbs are “Subscriptions” and the service's name.
    pub org: OrgHead,
    /// The subscription's address, without a slash at the end.
    pub url: String,
    /// The service's name.
    pub service: String,
    /// The service's page in the marketplace.
    pub service_href: String,
    /// Letters of its mark.
    pub initials: String,
    /// Colour class of its mark.
    pub hue: u8,
    /// Its provider's name.
    pub provider: String,
    /// The plan's name.
    pub plan: String,
    /// Since when.
    pub since: String,
    /// Its state.
    pub state: Badge,
    /// What its state means and who could go on; may be empty.
    pub state_note: String,
    /// “Cancel subscription” or “Ask to cancel”; empty where it cannot be cancelled.
    pub cancel_label: String,
    /// How many projects it uses.
    pub project_count: u64,
    /// What the tab shows.
    pub tab: SubscriptionTab,
}

/// The tabs of a subscription.
#[derive(Debug)]
pub enum SubscriptionTab {
    /// Usage and cost by project.
    Usage(UsageTab),
    /// The projects and their change.
    Projects(ProjectsTab),
    /// What it may do, and who decided what, when and why.
    Permissions(PermissionsTab),
}

impl SubscriptionTab {
    /// Whether it is the tab of usage.
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        matches!(self, Self::Usage(_))
    }

    /// Whether it is the tab of projects.
    #[must_use]
    pub const fn is_projects(&self) -> bool {
        matches!(self, Self::Projects(_))
    }

    /// Whether it is the tab of permissions.
    #[must_use]
    pub const fn is_permissions(&self) -> bool {
        matches!(self, Self::Permissions(_))
    }
}

/// Usage and cost by project.
#[derive(Debug, Clone, Default)]
pub struct UsageTab {
    /// Figures such as this month, last month, projects.
    pub kpis: Vec<Kpi>,
    /// Such as “November 2026 so far, without tax”.
    pub period: String,
    /// The chart: a series for each project.
    pub chart: Chart,
    /// The same as rows.
    pub rows: Vec<UsageRow>,
    /// The sum.
    pub total: String,
}

/// One line of usage or a fee.
#[derive(Debug, Clone, Default)]
pub struct UsageRow {
    /// The project's name, or “All projects” for fees of the whole.
    pub project: String,
    /// The meter or fee.
    pub component: String,
    /// The quantity with its unit; empty for fees.
    pub quantity: String,
    /// The cost.
    pub cost: String,
}

/// The projects of a subscription and their change. The form sends `mode, project…, include_future`;
/// `include_future` is missing where the mode is `selected`.
#[derive(Debug, Clone, Default)]
pub struct ProjectsTab {
    /// Such as “All projects except 2; new ones are included”.
    pub summary: String,
    /// The projects with access.
    pub grants: Vec<GrantedProject>,
    /// The choice; none where I may change nothing.
    pub picker: Option<ProjectPicker>,
    /// Errors of the form as a whole.
    pub errors: Vec<String>,
    /// What adding means for me, such as “Adding sends a request.”; may be empty.
    pub adding_note: String,
    /// Who could change it, where I may not.
    pub who_can: String,
}

/// One project with access.
#[derive(Debug, Clone, Default)]
pub struct GrantedProject {
    /// Its name.
    pub project: String,
    /// Its page.
    pub href: String,
    /// Since when.
    pub since: String,
    /// By whose approval.
    pub approved_by: String,
    /// The grant's state.
    pub state: Badge,
}

/// What it may do, and who decided what, when and why.
#[derive(Debug, Clone, Default)]
pub struct PermissionsTab {
    /// What it may do.
    pub list: Vec<PermissionLine>,
    /// Every decision, the latest first.
    pub history: Vec<TimelineEntry>,
    /// Version of the contract, level, id, resource address and the like.
    pub facts: Vec<Pair>,
}

#[cfg(test)]
mod tests {
    use super::{
        GrantedProject, PermissionsTab, ProjectsTab, SubscriptionPage, SubscriptionRow, SubscriptionTab, SubscriptionsPage, UsageRow,
        UsageTab,
    };
    use crate::pages::{Badge, Kpi, Link, Pair, sample};

    fn page(tab: SubscriptionTab) -> SubscriptionPage {
        let mut org = sample::org("subscriptions");
        org.crumbs = vec![Link::new("Subscriptions", "/organizations/aurelia/subscriptions"), Link::new("Load forecast", "")];
        SubscriptionPage {
            shell: sample::shell("organizations"),
            org,
            url: "/organizations/aurelia/subscriptions/sub_1".into(),
            service: "Load forecast".into(),
            service_href: "/marketplace/load-forecast".into(),
            initials: "LF".into(),
            hue: 2,
            provider: "Borealis Grid".into(),
            plan: "Standard".into(),
            since: "1 November 2026".into(),
            state: Badge::state("active"),
            state_note: String::new(),
            cancel_label: "Cancel subscription".into(),
            project_count: 4,
            tab,
        }
    }

    #[test]
    fn the_list_and_its_empty_state() {
        let mut page =
            SubscriptionsPage { shell: sample::shell("organizations"), org: sample::org("subscriptions"), ..SubscriptionsPage::default() };
        assert!(sample::render("subscriptions-empty", &page).contains("No subscriptions yet"));
        let row = |service: &str, state: &str| SubscriptionRow {
            service: service.into(),
            provider: "Borealis Grid".into(),
            href: "/organizations/aurelia/subscriptions/sub_1".into(),
            initials: "LF".into(),
            hue: 2,
            plan: "Standard".into(),
            projects: "4 of 9 projects".into(),
            since: "1 Nov 2026".into(),
            state: Badge::state(state),
            cost: "€ 412.20".into(),
        };
        page.subscriptions = vec![row("Load forecast", "active"), row("Geo tiles", "requested"), row("OCR", "ended")];
        assert!(sample::render("subscriptions", &page).contains("Requested"));
    }

    #[test]
    fn usage_stands_by_project_with_its_cost() {
        let kpi = |label: &str, value: &str| Kpi { label: label.into(), value: value.into(), ..Kpi::default() };
        let row = |project: &str| UsageRow {
            project: project.into(),
            component: "forecasts".into(),
            quantity: "12,400 forecasts".into(),
            cost: "€ 148.80".into(),
        };
        let usage = UsageTab {
            kpis: vec![kpi("This month", "€ 412.20"), kpi("Last month", "€ 398.10")],
            period: "November 2026 so far, without tax".into(),
            chart: sample::chart(),
            rows: vec![row("Wind park Delta"), row("Grid planning")],
            total: "€ 297.60".into(),
        };
        assert!(sample::render("subscription-usage", &page(SubscriptionTab::Usage(usage))).contains("€ 297.60"));
        let none = page(SubscriptionTab::Usage(UsageTab::default()));
        assert!(sample::render("subscription-usage-empty", &none).contains("No usage yet"));
    }

    #[test]
    fn projects_can_be_changed_by_those_who_may() {
        let mut projects = ProjectsTab {
            summary: "4 of 9 projects".into(),
            grants: vec![GrantedProject {
                project: "Wind park Delta".into(),
                href: "/organizations/aurelia/projects/delta".into(),
                since: "1 Nov 2026".into(),
                approved_by: "Ola Birke".into(),
                state: Badge::state("active"),
            }],
            picker: Some(sample::picker("all_except")),
            adding_note: "Adding sends a request.".into(),
            ..ProjectsTab::default()
        };
        let html = sample::render("subscription-projects", &page(SubscriptionTab::Projects(projects.clone())));
        assert!(html.contains("value=\"all_except\" data-mode checked"));
        projects.picker = None;
        projects.who_can = "A reviewer, editor or maintainer can take projects out.".into();
        let html = sample::render("subscription-projects-viewer", &page(SubscriptionTab::Projects(projects)));
        assert!(html.contains("can take projects out"));
    }

    #[test]
    fn permissions_say_who_decided_what_when_and_why() {
        let permissions = PermissionsTab {
            list: sample::permissions(),
            history: sample::history(),
            facts: vec![Pair::new("Contract", "Version 1"), Pair::new("Id", "sub_01h455vb4pex5vsknk084sn02q")],
        };
        let html = sample::render("subscription-permissions", &page(SubscriptionTab::Permissions(permissions)));
        assert!(html.contains("Welcome aboard."));
    }
}
