//! The projects of an organization, and one project with its resources.

use axum::{http::StatusCode, response::IntoResponse};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use stoa_actions::{
    consequences,
    map::{self, MapLine, MapQuery},
    organizations,
    projects::{self, Listed},
    resources,
};
use stoa_domain::{
    ids::{OrganizationId, ProjectId},
    naming::NewNaming,
    organizations::Key,
    permissions::Permission,
    projects::ProjectChange,
    resources::Resource,
    time::Ts,
};
use stoa_store::Conn;

use super::{
    Badge, Field, Flash, Link, OrgHead, Pager, Pair, Shell,
    consequences::lines,
    costs::of_projects_this_month,
    filters,
    form::{FormErrors, PageForm},
    hue,
    lists::{self, ListQuery, SHOWN},
    locks::{self, LocksCard},
    page::{Page, PageResult, may},
    sizes::size,
    times,
};
use crate::{
    extract::{ApiPath, ApiQuery},
    paging::Paging,
};

/// `GET /organizations/{org}/projects`; `?open=new` opens the dialog, a refused `POST` shows it again.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "projects.html")]
pub struct ProjectsPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization.
    pub org: OrgHead,
    /// The projects.
    pub projects: Vec<ProjectRow>,
    /// Leads through a long list.
    pub pager: Pager,
    /// Whether I may create projects.
    pub can_manage: bool,
    /// Whether the dialog is open.
    pub open_new: bool,
    /// Errors of the dialog as a whole.
    pub errors: Vec<String>,
    /// The new project's name.
    pub name: Field,
    /// Its handle.
    pub handle: Field,
    /// Its description.
    pub description: Field,
    /// Which services will use a new project at once; may be empty.
    pub future_note: String,
}

/// One project of the list.
#[derive(Debug, Clone, Default)]
pub struct ProjectRow {
    /// Its name.
    pub name: String,
    /// Its handle.
    pub handle: String,
    /// Its description, may be empty.
    pub description: String,
    /// Its page.
    pub href: String,
    /// Colour class of its mark.
    pub hue: u8,
    /// How many resources it has.
    pub resources: u64,
    /// The services that use it, such as “Load forecast, Geo tiles”; may be empty.
    pub services: String,
    /// What it cost this month.
    pub cost: String,
}

/// `GET /organizations/{org}/projects/{project}`.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "project.html")]
pub struct ProjectPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization; its crumbs are “Projects” and this project.
    pub org: OrgHead,
    /// The project's address, without a slash at the end.
    pub url: String,
    /// Its name.
    pub name: String,
    /// Its handle.
    pub handle: String,
    /// Its description, may be empty.
    pub description: String,
    /// Colour class of its mark.
    pub hue: u8,
    /// The day it was created.
    pub created: String,
    /// Such as “3 resources, 1.2 MB”.
    pub resources_summary: String,
    /// Its resources.
    pub resources: Vec<ResourceRow>,
    /// Leads through many resources.
    pub pager: Pager,
    /// Which services use it.
    pub grants: Vec<GrantRow>,
    /// Whether I may upload, edit and delete.
    pub can_manage: bool,
    /// The largest upload, such as “5 GB”.
    pub size_limit: String,
    /// Why the upload was refused.
    pub upload_error: Option<String>,
    /// The name in the form.
    pub edit_name: Field,
    /// The description in the form.
    pub edit_description: Field,
    /// Why the deletion was refused.
    pub delete_error: Option<String>,
    /// What its deletion would end.
    pub ending: Vec<Pair>,
    /// The locks that keep services out.
    pub locks: LocksCard,
}

/// One resource.
#[derive(Debug, Clone, Default)]
pub struct ResourceRow {
    /// Its name.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// Its size, such as “1.2 MB”.
    pub size: String,
    /// When it changed.
    pub updated: String,
    /// Where to download it.
    pub href: String,
    /// Where to post its deletion.
    pub delete_action: String,
}

/// One service that uses the project.
#[derive(Debug, Clone, Default)]
pub struct GrantRow {
    /// The service's name.
    pub service: String,
    /// The subscription's page.
    pub href: String,
    /// What it may do, in plain words.
    pub permissions: String,
    /// Since when.
    pub since: String,
    /// By whose approval.
    pub approved_by: String,
    /// The subscription's state.
    pub state: Badge,
}

/// `GET /organizations/{org}/projects`.
pub async fn list(page: Page, ApiPath(org): ApiPath<String>, ApiQuery(query): ApiQuery<ListQuery>) -> PageResult {
    let mut conn = page.read().await?;
    let mut shown = projects_page(&page, &mut conn, &Key::read(&org), &query).await?;
    shown.open_new = query.open == "new" && shown.can_manage;
    Ok(shown.into_response())
}

async fn projects_page(page: &Page, conn: &mut Conn, org: &Key<OrganizationId>, query: &ListQuery) -> PageResult<ProjectsPage> {
    let after: Option<(String, ProjectId)> = query.after()?;
    let position = after.as_ref().map(|(name, id)| (name.as_str(), *id));
    let (seat, mut listed) = projects::list(conn, &page.caller, org, position, SHOWN + 1).await?;
    let shell = page.shell(conn, "organizations").await?;
    let head = page.org_head(conn, &seat, "projects").await?;
    let url = format!("{}/projects", head.url());
    let cursor = |one: &Listed| (one.project.name.clone(), one.project.id);
    let pager = lists::pager(&mut listed, &url, "projects", Some(head.counts.projects), after.is_none(), cursor);
    let spent = of_projects_this_month(conn, &page.caller, &Key::Id(seat.organization.id)).await?;
    let using = projects::services_using(conn, &seat, &listed, page.caller.now).await?;
    let services = |id: ProjectId| using.iter().filter(|(project, _)| *project == id).map(|(_, name)| name.as_str()).collect::<Vec<_>>();
    let rows = listed.iter().map(|one| ProjectRow {
        name: one.project.name.clone(),
        handle: one.project.handle.clone(),
        description: one.project.description.clone(),
        href: format!("{url}/{}", one.project.handle),
        hue: hue(&one.project.handle),
        resources: u64::try_from(one.resources).unwrap_or(0),
        services: services(one.project.id).join(", "),
        cost: spent.get(&one.project.id).cloned().unwrap_or_else(|| "–".to_owned()),
    });
    let projects = rows.collect();
    let can_manage = may(&seat, Permission::ManageResources);
    Ok(ProjectsPage { shell, org: head, projects, pager, can_manage, ..ProjectsPage::default() })
}

/// A new project.
#[derive(Debug, Deserialize)]
pub struct NewForm {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Its handle, may be empty.
    #[serde(default)]
    pub handle: String,
    /// Its description.
    #[serde(default)]
    pub description: String,
}

/// `POST /organizations/{org}/projects`.
pub async fn create(page: Page, ApiPath(org): ApiPath<String>, PageForm(form): PageForm<NewForm>) -> PageResult {
    let org = Key::read(&org);
    let mut act = page.begin().await?;
    let new = NewNaming { name: form.name.clone(), handle: Some(form.handle.clone()), description: Some(form.description.clone()) };
    match projects::create(&mut act, &org, new).await {
        Ok((seat, project)) => {
            let to = format!("/organizations/{}/projects/{}", seat.organization.handle, project.handle);
            page.done(act, to, Flash::ok(format!("{} is created.", project.name))).await
        }
        Err(error) => {
            drop(act);
            let mut errors = FormErrors::of(error)?.code_at("handle_taken", "/handle");
            let status = errors.status;
            let mut conn = page.read().await?;
            let mut shown = projects_page(&page, &mut conn, &org, &ListQuery::default()).await?;
            shown.open_new = true;
            shown.name = errors.field("/name", form.name);
            shown.handle = errors.field("/handle", form.handle);
            shown.description = errors.field("/description", form.description);
            shown.errors = errors.rest();
            Ok(FormErrors::again(status, shown))
        }
    }
}

/// `GET /organizations/{org}/projects/{project}`.
pub async fn show(page: Page, ApiPath((org, project)): ApiPath<(String, String)>, ApiQuery(query): ApiQuery<ListQuery>) -> PageResult {
    let mut conn = page.read().await?;
    Ok(project_page(&page, &mut conn, &Key::read(&org), &Key::read(&project), query.cursor).await?.into_response())
}

/// The page of a project as it is, to be shown or to be shown again with what was refused.
///
/// # Errors
/// 404, 422 for a cursor that is none of ours.
pub(super) async fn project_page(
    page: &Page,
    conn: &mut Conn,
    org: &Key<OrganizationId>,
    project: &Key<ProjectId>,
    cursor: Option<String>,
) -> PageResult<ProjectPage> {
    let paging = Paging { limit: None, cursor };
    let after: Option<String> = paging.cursor()?;
    let (seat, Listed { project, resources: count, bytes }) = projects::get(conn, &page.caller, org, project).await?;
    let (org, id) = (Key::Id(seat.organization.id), Key::Id(project.id));
    let (_, mut kept) = resources::list(&page.app.stoa, conn, &page.caller, &org, &id, after.as_deref(), SHOWN + 1).await?;
    let query = MapQuery { project: Some(id.clone()), ..MapQuery::default() };
    let (_, map) = map::list(conn, &page.caller, &org, &query, None, 200).await?;
    let shell = page.shell(conn, "organizations").await?;
    let mut head = page.org_head(conn, &seat, "projects").await?;
    head.crumbs = vec![Link::new("Projects", format!("{}/projects", head.url())), Link::new(&project.name, "")];
    let url = format!("{}/projects/{}", head.url(), project.handle);
    let total = u64::try_from(count).ok();
    let pager = lists::pager(&mut kept, &url, "resources", total, after.is_none(), |one: &Resource| one.name.clone());
    let resources = kept.iter().map(|one| resource_row(one, &url, page.caller.now)).collect();
    let grants = map.iter().map(|line| grant_row(line, &head, page.caller.now)).collect();
    let can_manage = may(&seat, Permission::ManageResources);
    let ending = if can_manage { lines(&consequences::of_project(conn, &page.caller, &org, &id).await?) } else { Vec::new() };
    let locks = locks::card(conn, page, &seat, project.id, &url).await?;
    let word = if count == 1 { "resource" } else { "resources" };
    Ok(ProjectPage {
        shell,
        org: head,
        url,
        hue: hue(&project.handle),
        created: times::long_day(project.created_at.day()),
        resources_summary: format!("{count} {word}, {}", size(u64::try_from(bytes).unwrap_or(0))),
        resources,
        pager,
        grants,
        can_manage,
        ending,
        locks,
        size_limit: size(page.app.stoa.limits.resource_bytes),
        edit_name: Field::new(&project.name),
        edit_description: Field::new(&project.description),
        name: project.name,
        handle: project.handle,
        description: project.description,
        ..ProjectPage::default()
    })
}

fn resource_row(resource: &Resource, url: &str, now: Ts) -> ResourceRow {
    let href = format!("{url}/resources/{}", utf8_percent_encode(&resource.name, NON_ALPHANUMERIC));
    ResourceRow {
        name: resource.name.clone(),
        media_type: resource.media_type.clone(),
        size: size(u64::try_from(resource.size).unwrap_or(0)),
        updated: times::ago(resource.updated_at, now),
        delete_action: format!("{href}/delete"),
        href,
    }
}

fn grant_row(line: &MapLine, org: &OrgHead, now: Ts) -> GrantRow {
    let (_, _, name) = &line.service;
    let words: Vec<_> = line.permissions.iter().map(|permission| permission.words()).collect();
    GrantRow {
        service: name.clone(),
        href: format!("{}/subscriptions/{}", org.url(), line.grant.subscription),
        permissions: words.join(", "),
        since: times::ago(line.grant.since, now),
        approved_by: line.approved_by.as_ref().map_or_else(|| "nobody in particular".to_owned(), |(_, name)| name.clone()),
        state: Badge::state(line.state.word()),
    }
}

/// The details of a project.
#[derive(Debug, Deserialize)]
pub struct EditForm {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Its description.
    #[serde(default)]
    pub description: String,
}

/// `POST /organizations/{org}/projects/{project}/edit`.
pub async fn edit(page: Page, ApiPath((org, project)): ApiPath<(String, String)>, PageForm(form): PageForm<EditForm>) -> PageResult {
    let (org, project) = (Key::read(&org), Key::read(&project));
    let mut act = page.begin().await?;
    let change = ProjectChange { name: Some(form.name.clone()), description: Some(form.description.clone()) };
    match projects::update(&mut act, &org, &project, change).await {
        Ok((seat, project)) => {
            let to = format!("/organizations/{}/projects/{}", seat.organization.handle, project.handle);
            page.done(act, to, Flash::ok("The details are saved.")).await
        }
        Err(error) => {
            drop(act);
            let mut errors = FormErrors::of(error)?;
            let status = errors.status;
            let mut conn = page.read().await?;
            let mut shown = project_page(&page, &mut conn, &org, &project, None).await?;
            shown.edit_name = errors.field("/name", form.name);
            shown.edit_description = errors.field("/description", form.description);
            errors.tell(&mut shown.shell);
            Ok(FormErrors::again(status, shown))
        }
    }
}

/// The confirmation of a deletion.
#[derive(Debug, Deserialize)]
pub struct ConfirmForm {
    /// The exact name.
    #[serde(default)]
    pub confirm: String,
}

/// `POST /organizations/{org}/projects/{project}/delete`.
pub async fn delete(page: Page, ApiPath((org, project)): ApiPath<(String, String)>, PageForm(form): PageForm<ConfirmForm>) -> PageResult {
    let (org, project) = (Key::read(&org), Key::read(&project));
    let mut act = page.begin().await?;
    // The action says first whether it may happen at all; without the confirmation it is not committed.
    let deleted = projects::delete(&mut act, &org, &project).await?;
    if form.confirm.trim() != deleted.name {
        drop(act);
        let mut conn = page.read().await?;
        let mut shown = project_page(&page, &mut conn, &org, &project, None).await?;
        shown.delete_error = Some("Type the exact name of the project.".to_owned());
        return Ok(FormErrors::again(StatusCode::UNPROCESSABLE_ENTITY, shown));
    }
    let (conn, caller) = act.reading();
    let seat = organizations::get(conn, caller, &org).await?;
    let to = format!("/organizations/{}/projects", seat.organization.handle);
    page.done(act, to, Flash::ok(format!("{} is deleted.", deleted.name))).await
}

#[cfg(test)]
mod tests {
    use super::{GrantRow, ProjectPage, ProjectRow, ProjectsPage, ResourceRow};
    use crate::pages::{Badge, Field, Link, hue, sample};

    #[test]
    fn the_list_shows_services_and_costs() {
        let row = |name: &str| ProjectRow {
            name: name.into(),
            handle: name.to_lowercase().replace(' ', "-"),
            href: "/organizations/aurelia/projects/delta".into(),
            hue: hue(name),
            resources: 12,
            services: "Load forecast, Geo tiles".into(),
            cost: "€ 1,604.12".into(),
            ..ProjectRow::default()
        };
        let page = ProjectsPage {
            shell: sample::shell("organizations"),
            org: sample::org("projects"),
            projects: vec![row("Wind park Delta"), row("Grid planning")],
            can_manage: true,
            ..ProjectsPage::default()
        };
        assert!(sample::render("projects", &page).contains("€ 1,604.12"));
    }

    #[test]
    fn an_empty_list_says_who_could_act() {
        let mut page = ProjectsPage { shell: sample::shell("organizations"), org: sample::org("projects"), ..ProjectsPage::default() };
        assert!(sample::render("projects-empty-viewer", &page).contains("Ask an editor or a maintainer"));
        page.can_manage = true;
        page.open_new = true;
        page.name = Field::wrong("", "Give it a name.");
        page.future_note = "Load forecast will use it at once.".into();
        assert!(sample::render("projects-new", &page).contains("Give it a name."));
    }

    #[test]
    fn a_project_shows_its_resources_and_who_uses_them() {
        let mut org = sample::org("projects");
        org.crumbs = vec![Link::new("Projects", "/organizations/aurelia/projects"), Link::new("Wind park Delta", "")];
        let resource = |name: &str, media: &str| ResourceRow {
            name: name.into(),
            media_type: media.into(),
            size: "1.2 MB".into(),
            updated: "20 Nov 2026, 14:02".into(),
            href: format!("/organizations/aurelia/projects/delta/resources/{name}"),
            delete_action: format!("/organizations/aurelia/projects/delta/resources/{name}/delete"),
        };
        let mut page = ProjectPage {
            shell: sample::shell("organizations"),
            org,
            url: "/organizations/aurelia/projects/delta".into(),
            name: "Wind park Delta".into(),
            handle: "delta".into(),
            hue: 1,
            created: "12 March 2026".into(),
            resources_summary: "2 resources, 2.4 MB".into(),
            resources: vec![resource("readings-2026-11.csv", "text/csv"), resource("layout.json", "application/json")],
            grants: vec![GrantRow {
                service: "Load forecast".into(),
                href: "/organizations/aurelia/subscriptions/sub_1".into(),
                permissions: "reads resources".into(),
                since: "1 Nov 2026".into(),
                approved_by: "Ola Birke".into(),
                state: Badge::state("active"),
            }],
            can_manage: true,
            size_limit: "5 GB".into(),
            edit_name: Field::new("Wind park Delta"),
            ..ProjectPage::default()
        };
        assert!(sample::render("project", &page).contains("readings-2026-11.csv"));
        page.can_manage = false;
        page.resources.clear();
        page.grants.clear();
        let html = sample::render("project-empty-viewer", &page);
        assert!(html.contains("Ask an editor") && !html.contains("type=\"file\""));
    }
}
