//! The overview of an organization.

use axum::response::IntoResponse;
use stoa_actions::{
    costs, events, organizations,
    seats::Seat,
    subscriptions::{self, Details},
};
use stoa_domain::{
    groupings::{CostSummary, CostWord, Grouping},
    organizations::Key,
    periods::Period,
    permissions::Permission,
    subscriptions::Mode,
    time::Ts,
};
use stoa_store::subscriptions::Filter;

use super::{
    Badge, Kpi, OrgHead, Shell, TimelineEntry, activity, filters,
    page::{Page, PageResult, may},
    times,
};
use crate::extract::ApiPath;

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

/// How many subscriptions and events the overview shows.
const FEW: i64 = 8;

/// `GET /organizations/{org}`.
pub async fn show(page: Page, ApiPath(org): ApiPath<String>) -> PageResult {
    let key = Key::read(&org);
    let mut conn = page.read().await?;
    let seat = organizations::get(&mut conn, &page.caller, &key).await?;
    let org = page.org_head(&mut conn, &seat, "overview").await?;
    let (_, subscriptions) = subscriptions::list(&mut conn, &page.caller, &key, Filter::default(), FEW).await?;
    let month = Period::month_of(page.caller.now.day());
    let (_, costs) = costs::of_organization(&mut conn, &page.caller, &key, month).await?;
    let costs = costs.summary(&Grouping::by(&[CostWord::Subscription]))?;
    let latest = events::latest(&mut conn, &seat, FEW).await?;
    let people = events::people(&mut conn, &latest).await?;
    let shown = OverviewPage {
        shell: page.shell(&mut conn, "organizations").await?,
        kpis: kpis(&org, &costs, &times::month_of(month.from)),
        steps: steps(&seat, &org),
        services: subscriptions
            .iter()
            .filter(|one| one.subscription.state.is_live())
            .map(|one| running(one, &org, &costs, page.caller.now))
            .collect(),
        events: latest.iter().map(|event| activity::line(event, &people)).collect(),
        org,
    };
    Ok(shown.into_response())
}

fn kpis(org: &OrgHead, costs: &CostSummary, month: &str) -> Vec<Kpi> {
    let counts = org.counts;
    let totals: Vec<String> = costs.totals.iter().map(|(currency, cost)| cost.shown(*currency)).collect();
    let total = if totals.is_empty() { "–".to_owned() } else { totals.join(" · ") };
    let kpi = |label: &str, value: String, path: &str, note: &str| Kpi {
        label: label.to_owned(),
        value,
        note: note.to_owned(),
        href: format!("{}{path}", org.url()),
        ..Kpi::default()
    };
    vec![
        kpi("Costs so far", total, "/costs", month),
        kpi("Subscriptions", counts.subscriptions.to_string(), "/subscriptions", "services that may use this organization’s data"),
        kpi("Projects", counts.projects.to_string(), "/projects", "hold the data"),
        kpi("Open requests", counts.requests.to_string(), "/requests", "wait for a decision"),
    ]
}

/// What is still to do; empty when everything is done.
fn steps(seat: &Seat, org: &OrgHead) -> Vec<Step> {
    let counts = org.counts;
    let step = |title: &str, text: &str, action: &str, path: String, permission: Permission, done: bool| {
        let allowed = may(seat, permission);
        let who: Vec<_> = permission.allowed_roles().into_iter().map(|role| format!("a {role}")).collect();
        Step {
            title: title.to_owned(),
            text: text.to_owned(),
            action: if allowed { action.to_owned() } else { format!("Ask {}", who.join(" or ").replace("a editor", "an editor")) },
            href: if allowed { path } else { String::new() },
            done,
        }
    };
    let url = org.url();
    let all = vec![
        step(
            "Create a project",
            "Projects hold the data that services work on.",
            "New project",
            format!("{url}/projects?open=new"),
            Permission::ManageResources,
            counts.projects > 0,
        ),
        step(
            "Add a second person",
            "So that others can decide requests while you are away.",
            "Add members",
            format!("{url}/members?open=add"),
            Permission::ManageMembers,
            counts.members > 1,
        ),
        step(
            "Subscribe a service",
            "Choose which projects it may use, and see at any time what it does there.",
            "Find a service",
            "/marketplace".to_owned(),
            Permission::View,
            counts.subscriptions > 0 || counts.services > 0,
        ),
    ];
    if all.iter().all(|step| step.done) { Vec::new() } else { all }
}

fn running(one: &Details, org: &OrgHead, costs: &CostSummary, now: Ts) -> RunningService {
    let subscription = &one.subscription;
    let open = one.grants.iter().filter(|details| details.grant.is_live(now)).count();
    let projects = match (&subscription.project, subscription.choice.mode) {
        (None, Mode::All) => "All projects".to_owned(),
        _ => format!("{open} of {} projects", org.counts.projects),
    };
    let rows = costs.rows.iter().filter(|row| row.key.subscription == Some(subscription.id));
    let cost: Vec<String> = rows.map(|row| row.cost.shown(row.key.currency)).collect();
    RunningService {
        service: one.concerned.offer.service_name.clone(),
        provider: one.concerned.provider.name.clone(),
        href: format!("{}/subscriptions/{}", org.url(), subscription.id),
        projects,
        state: Badge::state(one.state_at(now).word()),
        cost: if cost.is_empty() { "–".to_owned() } else { cost.join(" · ") },
    }
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
