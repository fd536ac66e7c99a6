//! The list of one's organizations and the form for a new one.

use axum::response::IntoResponse;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use stoa_actions::organizations::{self, Ending, Seat, Sizes};
use stoa_domain::{ids::OrganizationId, organizations::Key, permissions::Permission};
use stoa_store::Conn;

use super::{
    Badge, Flash, OrgHead, Pager, Pair, Shell,
    figures::side_by_side,
    filters,
    form::{FormErrors, PageForm},
    hue, initials,
    organization_form::{OrganizationFields, OrganizationForm},
    page::{Page, PageResult, may},
};
use crate::{
    extract::{ApiPath, ApiQuery},
    paging::{Paging, cut_off},
};

/// `GET /organizations`.
#[derive(Debug, askama::Template, askama_web::WebTemplate)]
#[template(path = "organizations.html")]
pub struct OrganizationsPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// What is searched for.
    pub query: String,
    /// The organizations I belong to.
    pub items: Vec<OrganizationRow>,
    /// Leads through a long list.
    pub pager: Pager,
}

/// One organization of the list.
#[derive(Debug, Clone)]
pub struct OrganizationRow {
    /// Its name.
    pub name: String,
    /// Its handle.
    pub handle: String,
    /// Its description, may be empty.
    pub description: String,
    /// Letters of its mark.
    pub initials: String,
    /// Colour class of its mark.
    pub hue: u8,
    /// My role, as [`Badge::plain`].
    pub role: Badge,
    /// How many members it has.
    pub members: u64,
    /// How many projects it has.
    pub projects: u64,
    /// How many live subscriptions it has.
    pub subscriptions: u64,
    /// Whether I may delete it.
    pub can_delete: bool,
}

/// `GET /organizations/new`, and again with errors.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "organization_new.html")]
pub struct OrganizationNewPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// Errors of the form as a whole.
    pub errors: Vec<String>,
    /// The fields.
    pub form: OrganizationFields,
}

/// `GET /organizations/{org}/delete`, and again with an error.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "organization_delete.html")]
pub struct OrganizationDeletePage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization.
    pub org: OrgHead,
    /// What ends.
    pub ending: Vec<Pair>,
    /// Why it was not deleted.
    pub error: Option<String>,
}

/// Which of my organizations.
#[derive(Debug, Default, Deserialize)]
pub struct Query {
    /// A part of name or handle.
    #[serde(default)]
    pub q: String,
    /// Which page.
    #[serde(flatten)]
    pub paging: Paging,
}

/// `GET /organizations`.
pub async fn list(page: Page, ApiQuery(query): ApiQuery<Query>) -> PageResult {
    let limit = query.paging.limit()?;
    let after: Option<(String, OrganizationId)> = query.paging.cursor()?;
    let mut conn = page.read().await?;
    let from = after.as_ref().map(|(name, id)| (name.as_str(), *id));
    let mut seats = organizations::list(&mut conn, &page.caller, &query.q, from, limit + 1).await?;
    let next = cut_off(&mut seats, limit, |seat| (seat.organization.name.clone(), seat.organization.id));
    let sizes = organizations::sizes(&mut conn, &seats).await?;
    let size_of = |seat: &Seat| sizes.iter().find(|(id, _)| *id == seat.organization.id).map(|(_, sizes)| *sizes).unwrap_or_default();
    let items: Vec<_> = seats.iter().map(|seat| row(seat, size_of(seat))).collect();
    let shell = page.shell(&mut conn, "organizations").await?;
    let path = match query.q.as_str() {
        "" => "/organizations".to_owned(),
        words => format!("/organizations?q={}", utf8_percent_encode(words, NON_ALPHANUMERIC)),
    };
    let pager = Pager::new(&path, "organizations", items.len(), after.is_none(), next.as_deref());
    Ok(OrganizationsPage { shell, query: query.q, items, pager }.into_response())
}

fn row(seat: &Seat, sizes: Sizes) -> OrganizationRow {
    let organization = &seat.organization;
    let number = |count: i64| u64::try_from(count).unwrap_or(0);
    OrganizationRow {
        name: organization.name.clone(),
        handle: organization.handle.clone(),
        description: organization.description.clone(),
        initials: initials(&organization.name),
        hue: hue(&organization.handle),
        role: Badge::plain(seat.role.title()),
        members: number(sizes.members),
        projects: number(sizes.projects),
        subscriptions: number(sizes.subscriptions),
        can_delete: may(seat, Permission::DeleteOrganization),
    }
}

/// `GET /organizations/new`.
pub async fn new(page: Page) -> PageResult {
    let mut conn = page.read().await?;
    let shell = page.shell(&mut conn, "organizations").await?;
    Ok(OrganizationNewPage { shell, errors: Vec::new(), form: OrganizationFields::empty() }.into_response())
}

/// `POST /organizations/new`.
pub async fn create(page: Page, PageForm(form): PageForm<OrganizationForm>) -> PageResult {
    let mut act = page.begin().await?;
    match organizations::create(&mut act, form.new_organization()).await {
        Ok(Seat { organization, .. }) => {
            let text = format!("{} was created. You are its maintainer.", organization.name);
            page.done(act, format!("/organizations/{}", organization.handle), Flash::ok(text)).await
        }
        Err(error) => {
            drop(act);
            let mut errors = FormErrors::of(error)?.code_at("handle_taken", "/handle");
            let status = errors.status;
            let mut conn = page.read().await?;
            let shown = OrganizationNewPage {
                shell: page.shell(&mut conn, "organizations").await?,
                form: OrganizationFields::empty().again(form, &mut errors),
                errors: errors.rest(),
            };
            Ok(FormErrors::again(status, shown))
        }
    }
}

/// The confirmation of a deletion.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ConfirmForm {
    confirm: String,
}

/// `GET /organizations/{org}/delete`: what would end, and the confirmation.
pub async fn confirm(page: Page, ApiPath(org): ApiPath<String>) -> PageResult {
    let mut conn = page.read().await?;
    Ok(delete_page(&page, &mut conn, &Key::read(&org), None).await?.into_response())
}

async fn delete_page(page: &Page, conn: &mut Conn, key: &Key<OrganizationId>, error: Option<String>) -> PageResult<OrganizationDeletePage> {
    let (seat, ending) = organizations::ending(conn, &page.caller, key).await?;
    let org = page.org_head(conn, &seat, "settings").await?;
    let shell = page.shell(conn, "organizations").await?;
    Ok(OrganizationDeletePage { shell, org, ending: lines(&ending), error })
}

/// What ends, in words.
fn lines(ending: &Ending) -> Vec<Pair> {
    let count = |number: i64, one: &str, many: &str| format!("{number} {}", if number == 1 { one } else { many });
    let consumed = i64::try_from(ending.consumed()).unwrap_or(i64::MAX);
    let services: Vec<String> = ending
        .services
        .iter()
        .map(|service| {
            let subscribers = i64::try_from(service.subscribers).unwrap_or(i64::MAX);
            format!("{} with {}", service.name, count(subscribers, "subscriber", "subscribers"))
        })
        .collect();
    let spent = if ending.costs.is_empty() { "nothing".to_owned() } else { side_by_side(&ending.costs) };
    vec![
        Pair::new("Access of", count(ending.counts.members, "member", "members")),
        Pair::new("Teams", count(ending.counts.teams, "team with what is shared with it", "teams with what is shared with them")),
        Pair::new("Projects", ending.counts.projects.to_string()),
        Pair::new("Applications", format!("{} with their secrets and tokens", ending.counts.applications)),
        Pair::new("Subscriptions", consumed.to_string()),
        Pair::new("Costs this month so far", spent),
        Pair::new("Services in use", if services.is_empty() { "none".to_owned() } else { services.join(", ") }),
    ]
}

/// `POST /organizations/{org}/delete`.
pub async fn delete(page: Page, ApiPath(org): ApiPath<String>, PageForm(form): PageForm<ConfirmForm>) -> PageResult {
    let key = Key::read(&org);
    let mut act = page.begin().await?;
    match organizations::delete(&mut act, &key, form.confirm.trim()).await {
        Ok(_) => {
            let text = format!("{} was deleted. An operator can restore it for 14 days.", form.confirm.trim());
            page.done(act, "/organizations", Flash::ok(text)).await
        }
        Err(error) => {
            drop(act);
            let errors = FormErrors::of(error)?;
            let status = errors.status;
            let mut conn = page.read().await?;
            let shown = delete_page(&page, &mut conn, &key, Some(errors.rest().join(" "))).await?;
            Ok(FormErrors::again(status, shown))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{OrganizationDeletePage, OrganizationNewPage, OrganizationRow, OrganizationsPage};
    use crate::pages::{Badge, Field, Pager, Pair, hue, initials, organization_form::OrganizationFields, sample};

    fn row(name: &str, handle: &str, role: &str) -> OrganizationRow {
        OrganizationRow {
            name: name.into(),
            handle: handle.into(),
            description: String::new(),
            initials: initials(name),
            hue: hue(handle),
            role: Badge::plain(role),
            members: 8,
            projects: 9,
            subscriptions: 4,
            can_delete: role == "Maintainer",
        }
    }

    #[test]
    fn only_maintainers_are_offered_the_bin() {
        let items = vec![row("Aurelia Energy", "aurelia", "Maintainer"), row("Borealis Grid", "borealis", "Viewer")];
        let mut page = OrganizationsPage { shell: sample::shell("organizations"), query: String::new(), items, pager: Pager::default() };
        sample::flash(&mut page.shell, "Aurelia Energy was created.");
        let html = sample::render("organizations", &page);
        assert!(html.contains("Delete Aurelia Energy") && !html.contains("Delete Borealis Grid"));
    }

    #[test]
    fn an_empty_list_says_what_to_do_next() {
        let page =
            OrganizationsPage { shell: sample::shell("organizations"), query: String::new(), items: Vec::new(), pager: Pager::default() };
        assert!(sample::render("organizations-empty", &page).contains("You belong to no organization yet"));
    }

    #[test]
    fn the_form_shows_again_what_was_typed_and_what_is_wrong() {
        let page = OrganizationNewPage {
            shell: sample::shell("organizations"),
            errors: Vec::new(),
            form: OrganizationFields {
                name: Field::new("Aurelia <Energy>"),
                handle: Field::wrong("aurelia", "This handle is taken."),
                ..OrganizationFields::empty()
            },
        };
        let html = sample::render("organization-new", &page);
        assert!(html.contains("Aurelia &#60;Energy&#62;") && html.contains("This handle is taken."));
    }

    #[test]
    fn what_ends_is_said_before_the_name_is_asked_for() {
        let page = OrganizationDeletePage {
            shell: sample::shell("organizations"),
            org: sample::org("settings"),
            ending: vec![
                Pair::new("Access of", "8 members"),
                Pair::new("Teams", "2 teams"),
                Pair::new("Services in use", "Load Forecast with 3 subscribers"),
            ],
            error: None,
        };
        let html = sample::render("organization-delete", &page);
        assert!(html.contains("Load Forecast with 3 subscribers") && html.contains("Type <b>Aurelia Energy</b>"));
    }
}
