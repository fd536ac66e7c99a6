//! The overview of an organization.

use super::{Badge, Kpi, OrgHead, Shell, TimelineEntry, filters};

/// `GET /organizations/{org}`.
#[derive(Debug, askama::Template, askama_web::WebTemplate)]
#[template(path = "overview.html")]
pub struct OverviewPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization.
    pub org: OrgHead,
    /// Figures such as costs of this month, services, projects, open requests.
    pub kpis: Vec<Kpi>,
    /// What is still to do in a young organization; empty hides the card.
    pub steps: Vec<Step>,
    /// Live subscriptions.
    pub services: Vec<RunningService>,
    /// The latest events.
    pub events: Vec<TimelineEntry>,
}

/// One step of a young organization.
#[derive(Debug, Clone)]
pub struct Step {
    /// What to do.
    pub title: String,
    /// Why.
    pub text: String,
    /// The button's text, or who could do it where `href` is empty.
    pub action: String,
    /// Where to do it; empty where one's role does not allow it.
    pub href: String,
    /// Whether it is done.
    pub done: bool,
}

/// A live subscription in the overview.
#[derive(Debug, Clone)]
pub struct RunningService {
    /// The service's name.
    pub service: String,
    /// Its provider's name.
    pub provider: String,
    /// The subscription's page.
    pub href: String,
    /// Such as “All projects” or “4 of 9 projects”.
    pub projects: String,
    /// The subscription's state.
    pub state: Badge,
    /// Its costs of this month, such as “€ 412.20”.
    pub cost: String,
}

#[cfg(test)]
mod tests {
    use super::{OverviewPage, RunningService, Step};
    use crate::pages::{Badge, Kpi, TimelineEntry, sample};

    fn kpi(label: &str, value: &str, suffix: &str, note: &str) -> Kpi {
        Kpi { label: label.into(), value: value.into(), suffix: suffix.into(), note: note.into(), ..Kpi::default() }
    }

    #[test]
    fn the_overview_shows_services_steps_and_events() {
        let mut costs = kpi("This month", "€ 4,218.36", "", "against October");
        costs.trend = "▲ 6.1 %".into();
        costs.trend_tone = "up";
        costs.href = "/organizations/aurelia/costs".into();
        let event = |icon, tone, what: &str| TimelineEntry {
            icon,
            tone,
            who: "Mira Sand".into(),
            what: what.into(),
            when: "20 November 2026, 14:02 UTC".into(),
            reason: String::new(),
        };
        let service = |name: &str, state: &str| RunningService {
            service: name.into(),
            provider: "Borealis Grid".into(),
            href: "/organizations/aurelia/subscriptions/sub_1".into(),
            projects: "4 of 9 projects".into(),
            state: Badge::state(state),
            cost: "€ 412.20".into(),
        };
        let step = |title: &str, done| Step {
            title: title.into(),
            text: "So that others can decide requests while you are away.".into(),
            action: "Add members".into(),
            href: "/organizations/aurelia/members?open=add".into(),
            done,
        };
        let page = OverviewPage {
            shell: sample::shell("organizations"),
            org: sample::org("overview"),
            kpis: vec![
                costs,
                kpi("Subscribed services", "4", "", "2 on organization level"),
                kpi("Projects with costs", "7", "of 9", ""),
                kpi("Open requests", "2", "", "1 waits for you"),
            ],
            steps: vec![step("Create a project", true), step("Add a second maintainer", false)],
            services: vec![service("Load forecast", "active"), service("Geo tiles", "requested")],
            events: vec![
                event("plug", "ok", "subscribed Load forecast"),
                event("user-plus", "", "added Tomas Reed as editor"),
                event("undo-2", "warn", "took Wind park Delta out of Geo tiles"),
            ],
        };
        assert!(sample::render("overview", &page).contains("Load forecast"));
    }
}
