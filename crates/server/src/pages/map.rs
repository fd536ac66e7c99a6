//! The map: which service runs on which project's data, as a matrix and as a list, at any day.

use std::collections::BTreeSet;

use axum::response::IntoResponse;
use serde::Deserialize;
use stoa_actions::{
    map::{self, MapColumn, MapLine, MapProject, MapQuery, Matrix},
    organizations,
};
use stoa_domain::{
    ids::{GrantId, ProjectId, SubscriptionId},
    organizations::Key,
    services::DataPermission,
    subscriptions::SubscriptionState,
    time::Ts,
};

use super::{
    Badge, Choice, Field, OrgHead, Pager, Shell, filters,
    form::{FormErrors, sentence_start},
    page::{Page, PageResult},
    times,
};
use crate::{
    api::map::{MapParams, exported},
    extract::{ApiPath, ApiQuery},
    paging::{Paging, cut_off},
};

/// `GET /organizations/{org}/map?view=&at=&service=&provider=&project=&permission=&state=`.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "map.html")]
pub struct MapPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization.
    pub org: OrgHead,
    /// What the map is of, such as “As it is now” or “As it was at the end of 31 March 2026”.
    pub summary: String,
    /// `matrix` or `list`.
    pub view: &'static str,
    /// The same map as a matrix.
    pub matrix_href: String,
    /// The same map as a list.
    pub list_href: String,
    /// The same map as CSV.
    pub csv_href: String,
    /// The day.
    pub at: Field,
    /// The services to choose from.
    pub services: Vec<Choice>,
    /// The providers to choose from.
    pub providers: Vec<Choice>,
    /// The projects to choose from.
    pub projects: Vec<Choice>,
    /// The permissions to choose from.
    pub permissions: Vec<Choice>,
    /// The states to choose from.
    pub states: Vec<Choice>,
    /// Errors of the filters.
    pub errors: Vec<String>,
    /// Whether something is filtered out.
    pub filtered: bool,
    /// The columns of the matrix.
    pub columns: Vec<ColumnHead>,
    /// Whether there are more columns than shown.
    pub more_columns: bool,
    /// The rows of the matrix.
    pub rows: Vec<MatrixRow>,
    /// The lines of the list.
    pub lines: Vec<MapRow>,
    /// Which month the costs are of, such as “March 2026”.
    pub month: String,
    /// Leads through a long map.
    pub pager: Pager,
}

/// A subscription as a column of the matrix.
#[derive(Debug, Clone, Default)]
pub struct ColumnHead {
    /// The service's name.
    pub service: String,
    /// What tells it apart, or the provider's name.
    pub small: String,
    /// The subscription's page.
    pub href: String,
    /// Its state, where that is not active.
    pub state: Option<Badge>,
}

/// A project as a row of the matrix.
#[derive(Debug, Clone, Default)]
pub struct MatrixRow {
    /// Its name.
    pub project: String,
    /// Its page; empty where it is deleted.
    pub href: String,
    /// A cell for each column.
    pub cells: Vec<Option<Cell>>,
}

/// A service that runs on a project's data.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    /// The service's name, for narrow screens.
    pub service: String,
    /// Where the subscription's permissions stand.
    pub href: String,
    /// What it may do, such as “reads, writes”.
    pub may: String,
    /// Since when, by whom, what for, until when.
    pub tip: String,
    /// `ok`, `warn`.
    pub tone: &'static str,
    /// What it cost.
    pub cost: String,
}

/// One line of the list.
#[derive(Debug, Clone, Default)]
pub struct MapRow {
    /// The service's name.
    pub service: String,
    /// Its provider, and what tells the subscription apart.
    pub small: String,
    /// The subscription's page.
    pub href: String,
    /// The project's name.
    pub project: String,
    /// The project's page; empty where it is deleted.
    pub project_href: String,
    /// What it may do.
    pub permissions: String,
    /// The subscription's state.
    pub state: Badge,
    /// Since when.
    pub since: String,
    /// Until when; may be empty.
    pub until: String,
    /// By whose approval.
    pub approved_by: String,
    /// What for; may be empty.
    pub purpose: String,
    /// What it cost.
    pub cost: String,
}

/// What the map is asked for by its address.
#[derive(Debug, Default, Deserialize)]
pub struct MapAddress {
    /// `matrix` or `list`.
    #[serde(default)]
    view: String,
    #[serde(default)]
    at: String,
    #[serde(default)]
    service: String,
    #[serde(default)]
    provider: String,
    #[serde(default)]
    project: String,
    #[serde(default)]
    permission: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    cursor: String,
}

impl MapAddress {
    fn params(&self) -> MapParams {
        let given = |text: &String| Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned);
        MapParams {
            at: given(&self.at),
            service: given(&self.service),
            provider: given(&self.provider),
            project: given(&self.project),
            permission: given(&self.permission),
            state: given(&self.state),
            ..MapParams::default()
        }
    }

    /// A query with the filters, beginning with a question mark.
    fn query(&self, view: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::from("?"));
        query.append_pair("view", view);
        let all = [
            ("at", &self.at),
            ("service", &self.service),
            ("provider", &self.provider),
            ("project", &self.project),
            ("permission", &self.permission),
            ("state", &self.state),
        ];
        query.extend_pairs(all.into_iter().filter(|(_, value)| !value.trim().is_empty()));
        query.finish()
    }
}

/// How many projects a matrix and how many lines a list shows.
const PROJECTS: i64 = 25;
const LINES: i64 = 50;

/// `GET /organizations/{org}/map`.
pub async fn show(page: Page, ApiPath(org): ApiPath<String>, ApiQuery(address): ApiQuery<MapAddress>) -> PageResult {
    let now = page.caller.now;
    let key = Key::read(&org);
    let (query, mut errors) = match address.params().query(now) {
        Ok(query) => (query, FormErrors::none()),
        Err(error) => (MapQuery::default(), FormErrors::of(error)?),
    };
    let mut conn = page.read().await?;
    let seat = organizations::get(&mut conn, &page.caller, &key).await?;
    let head = page.org_head(&mut conn, &seat, "map").await?;
    let at = query.at.unwrap_or(now);
    let (columns, projects) = map::choices(&mut conn, &seat, at).await?;
    let path = format!("{}/map", head.url());
    let view = if address.view == "list" { "list" } else { "matrix" };
    let paging = Paging { limit: None, cursor: Some(address.cursor.clone()) };
    let here = format!("{path}{}", address.query(view));
    let mut shown = MapPage { view, filtered: query.is_filtered(), month: times::month_of(at.day()), ..MapPage::default() };
    if view == "list" {
        let after: Option<(SubscriptionId, GrantId)> = paging.cursor()?;
        let (_, mut lines) = map::list(&mut conn, &page.caller, &key, &query, after, LINES + 1).await?;
        let next = cut_off(&mut lines, LINES, |line| (line.grant.subscription, line.grant.id));
        shown.pager = Pager::new(&here, "lines", lines.len(), after.is_none(), next.as_deref());
        let deleted: BTreeSet<_> = projects.iter().filter(|one| one.deleted).map(|one| one.id).collect();
        shown.lines = lines.iter().map(|line| row(line, deleted.contains(&line.project.id), &head, now)).collect();
    } else {
        let after: Option<(String, ProjectId)> = paging.cursor()?;
        let position = after.as_ref().map(|(name, id)| (name.as_str(), *id));
        let (_, mut matrix) = map::matrix(&mut conn, &page.caller, &key, &query, position, PROJECTS + 1).await?;
        let next = cut_off(&mut matrix.projects, PROJECTS, |one| (one.name.clone(), one.id));
        shown.pager = Pager::new(&here, "projects", matrix.projects.len(), after.is_none(), next.as_deref());
        shown.more_columns = matrix.more_columns;
        shown.columns = matrix.columns.iter().map(|one| column(one, &head)).collect();
        shown.rows = matrix_rows(&matrix, &head, now);
    }
    shown.summary = match query.at {
        Some(at) if at.day() != now.day() => format!("As it was at {}. Costs are those of {}.", times::moment(at), shown.month),
        _ => format!("As it is now. Costs are those of {} so far.", shown.month),
    };
    shown.matrix_href = format!("{path}{}", address.query("matrix"));
    shown.list_href = format!("{path}{}", address.query("list"));
    shown.csv_href = format!("{path}/export{}", address.query("list"));
    choices(&mut shown, &address, &columns, &projects);
    let status = errors.status;
    shown.at = errors.field("/at", address.at);
    shown.errors = errors.rest();
    shown.shell = page.shell(&mut conn, "organizations").await?;
    shown.org = head;
    Ok(FormErrors::again(status, shown))
}

/// `GET /organizations/{org}/map/export`: the same map as CSV.
pub async fn export(page: Page, ApiPath(org): ApiPath<String>, ApiQuery(address): ApiQuery<MapAddress>) -> PageResult {
    let mut conn = page.read().await?;
    Ok(exported(&mut conn, &page.caller, &Key::read(&org), &address.params()).await?.into_response())
}

fn choices(shown: &mut MapPage, address: &MapAddress, columns: &[MapColumn], projects: &[MapProject]) {
    let all = |label: &str, chosen: &str| vec![Choice::new("", label, chosen.is_empty())];
    shown.services = all("All services", &address.service);
    shown.providers = all("All providers", &address.provider);
    for one in columns {
        if shown.services.iter().all(|choice| choice.value != one.service_handle) {
            let chosen = one.service_handle == address.service;
            shown.services.push(Choice::new(one.service_handle.as_str(), one.service_name.as_str(), chosen));
        }
        if shown.providers.iter().all(|choice| choice.value != one.provider_handle) {
            let chosen = one.provider_handle == address.provider;
            shown.providers.push(Choice::new(one.provider_handle.as_str(), one.provider_name.as_str(), chosen));
        }
    }
    shown.projects = all("All projects", &address.project);
    shown.projects.extend(projects.iter().map(|one| Choice::new(one.handle.as_str(), one.name.as_str(), one.handle == address.project)));
    shown.permissions = all("All permissions", &address.permission);
    let permission = |one: &DataPermission| Choice::new(one.word(), one.word(), one.word() == address.permission);
    shown.permissions.extend(DataPermission::ALL.iter().map(permission));
    shown.states = all("All states", &address.state);
    let states = [SubscriptionState::Active, SubscriptionState::Suspended, SubscriptionState::Ending];
    let state = |one: SubscriptionState| Choice::new(one.word(), sentence_start(one.word()), one.word() == address.state);
    shown.states.extend(states.into_iter().map(state));
}

fn column(one: &MapColumn, org: &OrgHead) -> ColumnHead {
    ColumnHead {
        service: one.service_name.clone(),
        small: if one.label.is_empty() { one.provider_name.clone() } else { one.label.clone() },
        href: format!("{}/subscriptions/{}/permissions", org.url(), one.subscription),
        state: (one.state != SubscriptionState::Active).then(|| Badge::state(one.state.word())),
    }
}

fn matrix_rows(matrix: &Matrix, org: &OrgHead, now: Ts) -> Vec<MatrixRow> {
    let row = |project: &MapProject| MatrixRow {
        project: project.name.clone(),
        href: project_href(&project.handle, project.deleted, org),
        cells: matrix
            .columns
            .iter()
            .map(|column| matrix.cells.get(&(project.id, column.subscription)).map(|line| cell(line, org, now)))
            .collect(),
    };
    matrix.projects.iter().map(row).collect()
}

/// What it may do, in one word for each permission.
fn may(permissions: &[DataPermission]) -> String {
    let word = |one: &DataPermission| match one {
        DataPermission::ResourcesRead => "reads",
        DataPermission::ResourcesWrite => "writes",
    };
    permissions.iter().map(word).collect::<Vec<_>>().join(", ")
}

fn cost(line: &MapLine) -> String {
    let all: Vec<_> = line.costs.iter().map(|(currency, cost)| cost.shown(*currency)).collect();
    all.join(" · ")
}

fn until(line: &MapLine) -> String {
    line.until.map_or_else(String::new, |at| times::long_day(at.plus(-1).day()))
}

fn cell(line: &MapLine, org: &OrgHead, now: Ts) -> Cell {
    let mut tip = format!("Since {}", times::ago(line.grant.since, now));
    if let Some((_, name)) = &line.approved_by {
        tip.push_str(&format!(", approved by {name}"));
    }
    if !line.grant.purpose.is_empty() {
        tip.push_str(&format!(", for {}", line.grant.purpose));
    }
    if line.until.is_some() {
        tip.push_str(&format!(", until {}", until(line)));
    }
    Cell {
        service: line.service.2.clone(),
        href: format!("{}/subscriptions/{}/permissions", org.url(), line.grant.subscription),
        may: if line.state == SubscriptionState::Suspended { "paused".to_owned() } else { may(&line.permissions) },
        tip,
        tone: if line.state == SubscriptionState::Active { "ok" } else { "warn" },
        cost: cost(line),
    }
}

/// A project's page; none where it is deleted, since another one may have its handle by now.
fn project_href(handle: &str, deleted: bool, org: &OrgHead) -> String {
    if deleted { String::new() } else { format!("{}/projects/{handle}", org.url()) }
}

fn row(line: &MapLine, deleted: bool, org: &OrgHead, now: Ts) -> MapRow {
    MapRow {
        service: line.service.2.clone(),
        small: if line.label.is_empty() { line.provider.name.clone() } else { format!("{} · {}", line.label, line.provider.name) },
        href: format!("{}/subscriptions/{}/permissions", org.url(), line.grant.subscription),
        project: line.project.name.clone(),
        project_href: project_href(&line.project.handle, deleted, org),
        permissions: may(&line.permissions),
        state: Badge::state(line.state.word()),
        since: times::ago(line.grant.since, now),
        until: until(line),
        approved_by: line.approved_by.as_ref().map_or_else(|| "–".to_owned(), |(_, name)| name.clone()),
        purpose: line.grant.purpose.clone(),
        cost: cost(line),
    }
}

#[cfg(test)]
mod tests {
    use super::{Cell, ColumnHead, MapPage, MapRow, MatrixRow};
    use crate::pages::{Badge, sample};

    #[test]
    fn the_map_is_a_matrix_a_list_and_says_so_when_it_is_empty() {
        let cell = Cell {
            service: "Load forecast".into(),
            href: "/organizations/aurelia/subscriptions/sub_1/permissions".into(),
            may: "reads".into(),
            tip: "Since 1 Nov 2026, approved by Ola Birke".into(),
            tone: "ok",
            cost: "€ 3.20".into(),
        };
        let column = |service: &str, state: Option<&str>| ColumnHead {
            service: service.into(),
            small: "Borealis Grid".into(),
            href: "/organizations/aurelia/subscriptions/sub_1/permissions".into(),
            state: state.map(Badge::state),
        };
        let mut page = MapPage {
            shell: sample::shell("organizations"),
            org: sample::org("map"),
            summary: "As it is now.".into(),
            view: "matrix",
            columns: vec![column("Load forecast", None), column("Geo tiles", Some("suspended"))],
            rows: vec![MatrixRow {
                project: "Wind park Delta".into(),
                href: "/organizations/aurelia/projects/delta".into(),
                cells: vec![Some(cell), None],
            }],
            ..MapPage::default()
        };
        let html = sample::render("map-matrix", &page);
        assert!(html.contains("approved by Ola Birke") && html.contains("Suspended"));
        page.view = "list";
        page.lines = vec![MapRow {
            service: "Load forecast".into(),
            project: "Wind park Delta".into(),
            purpose: "winter forecast".into(),
            until: "31 March 2027".into(),
            state: Badge::state("active"),
            ..MapRow::default()
        }];
        assert!(sample::render("map-list", &page).contains("winter forecast"));
        page.lines.clear();
        assert!(sample::render("map-empty", &page).contains("Nothing runs"));
    }
}
