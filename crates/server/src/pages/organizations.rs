//! The list of one's organizations and the form for a new one.

use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use stoa_actions::organizations::{self, Seat, Sizes};
use stoa_domain::{
    ids::OrganizationId,
    organizations::{Key, NewOrganization},
    permissions::Permission,
};
use stoa_store::Conn;

use super::{
    Badge, Field, Flash, Pager, Shell, filters,
    form::{FormErrors, PageForm},
    hue, initials,
    page::{Page, PageResult, may},
    settings,
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

impl OrganizationsPage {
    /// Whether the dialog to delete one is needed at all.
    #[must_use]
    pub fn may_delete_any(&self) -> bool {
        self.items.iter().any(|item| item.can_delete)
    }
}

/// `GET /organizations/new`, and again with errors.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "organization_new.html")]
pub struct OrganizationNewPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// Errors of the form as a whole.
    pub errors: Vec<String>,
    /// The name.
    pub name: Field,
    /// The handle.
    pub handle: Field,
    /// The description.
    pub description: Field,
    /// Where statements go.
    pub billing_email: Field,
}

/// `GET /organizations`.
pub async fn list(page: Page, ApiQuery(paging): ApiQuery<Paging>) -> PageResult {
    let limit = paging.limit()?;
    let after: Option<(String, OrganizationId)> = paging.cursor()?;
    let mut conn = page.read().await?;
    let from = after.as_ref().map(|(name, id)| (name.as_str(), *id));
    let mut seats = organizations::list(&mut conn, &page.caller, from, limit + 1).await?;
    let next = cut_off(&mut seats, limit, |seat| (seat.organization.name.clone(), seat.organization.id));
    let sizes = organizations::sizes(&mut conn, &seats).await?;
    let size_of = |seat: &Seat| sizes.iter().find(|(id, _)| *id == seat.organization.id).map(|(_, sizes)| *sizes).unwrap_or_default();
    let items: Vec<_> = seats.iter().map(|seat| row(seat, size_of(seat))).collect();
    let shell = page.shell(&mut conn, "organizations").await?;
    let pager = Pager::new("/organizations", "organizations", items.len(), after.is_none(), next.as_deref());
    Ok(OrganizationsPage { shell, items, pager }.into_response())
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

/// The form of a new organization.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct NewOrganizationForm {
    name: String,
    handle: String,
    description: String,
    billing_email: String,
}

/// `GET /organizations/new`.
pub async fn new(page: Page) -> PageResult {
    let mut conn = page.read().await?;
    Ok(OrganizationNewPage { shell: page.shell(&mut conn, "organizations").await?, ..OrganizationNewPage::default() }.into_response())
}

/// `POST /organizations/new`.
pub async fn create(page: Page, PageForm(form): PageForm<NewOrganizationForm>) -> PageResult {
    let mut act = page.begin().await?;
    let given = |text: &str| (!text.trim().is_empty()).then(|| text.to_owned());
    let new = NewOrganization {
        name: form.name.clone(),
        handle: given(&form.handle),
        description: given(&form.description),
        billing_email: given(&form.billing_email),
    };
    match organizations::create(&mut act, new).await {
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
                name: errors.field("/name", form.name),
                handle: errors.field("/handle", form.handle),
                description: errors.field("/description", form.description),
                billing_email: errors.field("/billing_email", form.billing_email),
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

/// `POST /organizations/{org}/delete`.
pub async fn delete(page: Page, ApiPath(org): ApiPath<String>, PageForm(form): PageForm<ConfirmForm>) -> PageResult {
    let key = Key::read(&org);
    let mut act = page.begin().await?;
    match organizations::delete(&mut act, &key, form.confirm.trim()).await {
        Ok(()) => page.done(act, "/organizations", Flash::ok(format!("{} was deleted.", form.confirm.trim()))).await,
        Err(error) => {
            drop(act);
            let errors = FormErrors::of(error)?;
            let status = errors.status;
            let mut conn = page.read().await?;
            not_deleted(&page, &mut conn, &key, errors.rest()).await.map(|shown| FormErrors::again(status, shown))
        }
    }
}

async fn not_deleted(page: &Page, conn: &mut Conn, key: &Key<OrganizationId>, reasons: Vec<String>) -> PageResult<Response> {
    let mut shown = settings::page_of(page, conn, key).await?;
    shown.org.delete_error = Some(reasons.join(" "));
    Ok(shown.into_response())
}

#[cfg(test)]
mod tests {
    use super::{OrganizationNewPage, OrganizationRow, OrganizationsPage};
    use crate::pages::{Badge, Field, Pager, hue, initials, sample};

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
        let mut page = OrganizationsPage { shell: sample::shell("organizations"), items, pager: Pager::default() };
        sample::flash(&mut page.shell, "Aurelia Energy was created.");
        let html = sample::render("organizations", &page);
        assert!(html.contains("Delete Aurelia Energy") && !html.contains("Delete Borealis Grid"));
    }

    #[test]
    fn an_empty_list_says_what_to_do_next() {
        let page = OrganizationsPage { shell: sample::shell("organizations"), items: Vec::new(), pager: Pager::default() };
        assert!(sample::render("organizations-empty", &page).contains("You belong to no organization yet"));
    }

    #[test]
    fn the_form_shows_again_what_was_typed_and_what_is_wrong() {
        let page = OrganizationNewPage {
            shell: sample::shell("organizations"),
            name: Field::new("Aurelia <Energy>"),
            handle: Field::wrong("aurelia", "This handle is taken."),
            ..OrganizationNewPage::default()
        };
        let html = sample::render("organization-new", &page);
        assert!(html.contains("Aurelia &#60;Energy&#62;") && html.contains("This handle is taken."));
    }
}
