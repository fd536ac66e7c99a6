//! The operator's list of organizations, and what can be done with one.

use axum::response::IntoResponse;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use stoa_actions::{
    operators::{self, Kept, Viewed, Wanted},
    organizations,
};
use stoa_domain::{
    ids::OrganizationId,
    operators::View,
    organizations::{Key, Standing},
};

use super::{
    Badge, Choice, Field, Flash, Pager, Pair, Shell, filters,
    form::{FormErrors, PageForm, sentence},
    hue, initials,
    operator::OperatorHead,
    page::{Page, PageResult},
    times,
};
use crate::{
    extract::{ApiPath, ApiQuery},
    paging::{Paging, cut_off},
};

/// `GET /operator/organizations?q=&state=`.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "operator_organizations.html")]
pub struct OperatorOrganizationsPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The operator's tabs.
    pub head: OperatorHead,
    /// What is searched for.
    pub query: String,
    /// The states to choose from.
    pub states: Vec<Choice>,
    /// The organizations.
    pub rows: Vec<KeptRow>,
    /// Leads through a long list.
    pub pager: Pager,
}

/// One organization.
#[derive(Debug, Clone, Default)]
pub struct KeptRow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its handle.
    pub handle: String,
    /// Letters of its mark.
    pub initials: String,
    /// Colour class of its mark.
    pub hue: u8,
    /// Its state.
    pub state: Badge,
    /// What the state means for it; may be empty.
    pub note: String,
    /// When it was created.
    pub created: String,
}

fn row(kept: &Kept) -> KeptRow {
    let organization = &kept.organization;
    let note = match (kept.standing, &organization.suspension) {
        (Standing::Deleted { until }, _) => format!("Can be restored until {}", times::moment(until)),
        (Standing::Suspended, Some(suspension)) => sentence(&suspension.reason),
        _ => String::new(),
    };
    KeptRow {
        id: organization.id.to_string(),
        name: organization.name.clone(),
        handle: organization.handle.clone(),
        initials: initials(&organization.name),
        hue: hue(&organization.handle),
        state: match kept.standing {
            Standing::Deleted { .. } | Standing::Erased => Badge { tone: "danger", icon: "trash-2", ..Badge::state(kept.standing.word()) },
            Standing::Live | Standing::Suspended => Badge::state(kept.standing.word()),
        },
        note,
        created: times::short_day(organization.created_at.day()),
    }
}

/// Which organizations.
#[derive(Debug, Default, Deserialize)]
pub struct Query {
    /// A part of name or handle.
    #[serde(default)]
    pub q: String,
    /// In which state.
    #[serde(default)]
    pub state: String,
    /// Which page.
    #[serde(flatten)]
    pub paging: Paging,
}

/// `GET /operator/organizations`.
pub async fn list(page: Page, ApiQuery(query): ApiQuery<Query>) -> PageResult {
    let limit = query.paging.limit()?;
    let after: Option<(String, OrganizationId)> = query.paging.cursor()?;
    let wanted = Wanted::read(&query.state).unwrap_or_default();
    let mut conn = page.read().await?;
    let from = after.as_ref().map(|(name, id)| (name.as_str(), *id));
    let mut found = operators::organizations(&mut conn, &page.caller, wanted, &query.q, from, limit + 1).await?;
    let next = cut_off(&mut found, limit, |kept| (kept.organization.name.clone(), kept.organization.id));
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let path = format!("/operator/organizations?q={}&state={}", encoded(&query.q), encoded(&query.state));
    let states = [("", "All"), ("active", "Active"), ("suspended", "Suspended"), ("deleted", "Deleted")];
    let shown = OperatorOrganizationsPage {
        shell: page.shell(&mut conn, "").await?,
        head: OperatorHead { tab: "organizations" },
        states: states.iter().map(|(word, label)| Choice::new(*word, *label, *word == query.state)).collect(),
        query: query.q,
        pager: Pager::new(&path, "organizations", found.len(), after.is_none(), next.as_deref()),
        rows: found.iter().map(row).collect(),
    };
    Ok(shown.into_response())
}

/// `GET /operator/organizations/{org}`, and what a look shows.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "operator_organization.html")]
pub struct OperatorOrganizationPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The operator's tabs.
    pub head: OperatorHead,
    /// The organization.
    pub row: KeptRow,
    /// Whether it can be suspended.
    pub can_suspend: bool,
    /// Whether its suspension can be lifted.
    pub can_unsuspend: bool,
    /// Whether it can be restored.
    pub can_restore: bool,
    /// Whether somebody must be named who becomes its maintainer.
    pub needs_maintainer: bool,
    /// Who was named.
    pub maintainer: Field,
    /// Why it is to be restored, as it was typed before.
    pub reason: String,
    /// What there is to look at.
    pub views: Vec<Choice>,
    /// What was seen; empty before a look.
    pub seen: Vec<Pair>,
    /// What was looked at, in words.
    pub seen_what: String,
    /// Errors of a form.
    pub errors: Vec<String>,
}

async fn organization_page(page: &Page, key: &Key<OrganizationId>) -> PageResult<OperatorOrganizationPage> {
    // Reading the state takes the same lock as changing it, so nothing is kept of this transaction.
    let mut act = page.begin().await?;
    let kept = operators::kept(&mut act, key).await?;
    drop(act);
    let mut conn = page.read().await?;
    let mut shown = page_with(page.shell(&mut conn, "").await?, &kept);
    shown.needs_maintainer = shown.can_restore && !operators::is_maintained(&mut conn, &kept).await?;
    Ok(shown)
}

fn page_with(shell: Shell, kept: &Kept) -> OperatorOrganizationPage {
    let views = [("details", "Details"), ("members", "Members"), ("subscriptions", "Subscriptions")];
    OperatorOrganizationPage {
        shell,
        head: OperatorHead { tab: "organizations" },
        row: row(kept),
        can_suspend: kept.standing == Standing::Live,
        can_unsuspend: kept.standing == Standing::Suspended,
        can_restore: kept.standing.restore().is_ok(),
        views: views.iter().enumerate().map(|(index, (word, label))| Choice::new(*word, *label, index == 0)).collect(),
        ..OperatorOrganizationPage::default()
    }
}

/// `GET /operator/organizations/{org}`.
pub async fn show(page: Page, ApiPath(org): ApiPath<String>) -> PageResult {
    Ok(organization_page(&page, &Key::read(&org)).await?.into_response())
}

/// A look.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ViewForm {
    what: String,
    reason: String,
}

/// `POST /operator/organizations/{org}/view`: the answer is what there is to see, so that no address shows it without a
/// reason.
pub async fn view(page: Page, ApiPath(org): ApiPath<String>, PageForm(form): PageForm<ViewForm>) -> PageResult {
    let key = Key::read(&org);
    let what = form.what.parse::<View>().unwrap_or(View::Details);
    let mut act = page.begin().await?;
    match operators::view(&mut act, &key, what, &form.reason).await {
        Ok(viewed) => {
            act.commit().await?;
            let mut conn = page.read().await?;
            let mut shown = page_with(page.shell(&mut conn, "").await?, &viewed.kept);
            shown.needs_maintainer = shown.can_restore && !operators::is_maintained(&mut conn, &viewed.kept).await?;
            shown.seen = seen(&viewed, what);
            shown.seen_what = what.word().to_owned();
            for choice in &mut shown.views {
                choice.checked = choice.value == what.word();
            }
            Ok(shown.into_response())
        }
        Err(error) => {
            drop(act);
            let errors = FormErrors::of(error)?;
            let status = errors.status;
            let mut shown = organization_page(&page, &key).await?;
            shown.errors = errors.rest();
            Ok(FormErrors::again(status, shown))
        }
    }
}

fn seen(viewed: &Viewed, what: View) -> Vec<Pair> {
    let organization = &viewed.kept.organization;
    let details = &organization.details;
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "–".to_owned());
    let nothing = |what: &str| vec![Pair::new(what, "none")];
    match what {
        View::Details => vec![
            Pair::new("Description", if organization.description.is_empty() { "–" } else { &organization.description }),
            Pair::new("Contact e-mail address", or_none(&details.contact_email)),
            Pair::new("Telephone", or_none(&details.contact_phone)),
            Pair::new("Billing e-mail address", or_none(&details.billing_email)),
            Pair::new("Legal name", or_none(&details.legal_name)),
            Pair::new("Postal address", or_none(&details.address)),
            Pair::new("Country", details.country.map_or("–", |country| country.name())),
            Pair::new("Members", viewed.counts.members.to_string()),
            Pair::new("Projects", viewed.counts.projects.to_string()),
            Pair::new("Subscriptions", viewed.counts.subscriptions.to_string()),
        ],
        View::Members if viewed.members.is_empty() => nothing("Members"),
        View::Members => viewed.members.iter().map(|one| Pair::new(one.role.title(), format!("{} <{}>", one.name, one.email))).collect(),
        View::Subscriptions if viewed.subscriptions.is_empty() => nothing("Subscriptions"),
        View::Subscriptions => viewed
            .subscriptions
            .iter()
            .map(|(one, service)| Pair::new(service, format!("{} since {}", one.state, times::moment(one.created_at))))
            .collect(),
    }
}

/// Why it is done.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ReasonForm {
    reason: String,
}

/// `POST /operator/organizations/{org}/suspend`.
pub async fn suspend(page: Page, ApiPath(org): ApiPath<String>, PageForm(form): PageForm<ReasonForm>) -> PageResult {
    let key = Key::read(&org);
    let mut act = page.begin().await?;
    match operators::suspend_organization(&mut act, &key, &form.reason).await {
        Ok(organization) => {
            let text = format!("{} is suspended.", organization.name);
            page.done(act, format!("/operator/organizations/{}", organization.id), Flash::ok(text)).await
        }
        Err(error) => {
            drop(act);
            refused(&page, &key, error).await
        }
    }
}

/// `POST /operator/organizations/{org}/unsuspend`.
pub async fn unsuspend(page: Page, ApiPath(org): ApiPath<String>) -> PageResult {
    let key = Key::read(&org);
    let mut act = page.begin().await?;
    let organization = operators::unsuspend_organization(&mut act, &key).await?;
    let text = format!("{} is no longer suspended.", organization.name);
    page.done(act, format!("/operator/organizations/{}", organization.id), Flash::ok(text)).await
}

/// Why it is restored, and who becomes its maintainer where none is left.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct RestoreForm {
    reason: String,
    maintainer: String,
}

/// `POST /operator/organizations/{org}/restore`.
pub async fn restore(page: Page, ApiPath(org): ApiPath<String>, PageForm(form): PageForm<RestoreForm>) -> PageResult {
    let key = Key::read(&org);
    let mut act = page.begin().await?;
    let restoring = organizations::Restoring { reason: &form.reason, maintainer: Some(&form.maintainer) };
    match organizations::restore(&mut act, &key, restoring).await {
        Ok(organization) => {
            let text = format!("{} is there again. Its subscriptions stay ended, and its secrets must be made anew.", organization.name);
            page.done(act, format!("/operator/organizations/{}", organization.id), Flash::ok(text)).await
        }
        Err(error) => {
            drop(act);
            let mut errors = FormErrors::of(error)?.code_at("no_maintainer", "/maintainer");
            let status = errors.status;
            let mut shown = organization_page(&page, &key).await?;
            shown.maintainer = errors.field("/maintainer", form.maintainer);
            shown.reason = form.reason;
            shown.errors = errors.rest();
            Ok(FormErrors::again(status, shown))
        }
    }
}

async fn refused(page: &Page, key: &Key<OrganizationId>, error: stoa_actions::Error) -> PageResult {
    let errors = FormErrors::of(error)?;
    let status = errors.status;
    let mut shown = organization_page(page, key).await?;
    shown.errors = errors.rest();
    Ok(FormErrors::again(status, shown))
}

#[cfg(test)]
mod tests {
    use super::{KeptRow, OperatorOrganizationPage, OperatorOrganizationsPage};
    use crate::pages::{Badge, Choice, Field, Pair, operator::OperatorHead, sample};

    fn row(name: &str, state: &str) -> KeptRow {
        KeptRow {
            id: "org_1".into(),
            name: name.into(),
            handle: name.to_lowercase(),
            initials: "A".into(),
            hue: 3,
            state: Badge::state(state),
            note: "Can be restored until 3 December 2026, 14:02 UTC".into(),
            created: "12 Mar 2026".into(),
        }
    }

    #[test]
    fn organizations_are_listed_with_their_state() {
        let page = OperatorOrganizationsPage {
            shell: sample::shell(""),
            head: OperatorHead { tab: "organizations" },
            states: vec![Choice::new("", "All", true)],
            rows: vec![row("Aurelia", "active"), row("Borealis", "deleted")],
            ..OperatorOrganizationsPage::default()
        };
        let html = sample::render("operator-organizations", &page);
        assert!(html.contains("/operator/organizations/org_1") && html.contains("Can be restored until"));
    }

    #[test]
    fn a_look_takes_a_reason_and_only_what_fits_the_state_is_offered() {
        let mut page = OperatorOrganizationPage {
            shell: sample::shell(""),
            head: OperatorHead { tab: "organizations" },
            row: row("Borealis", "deleted"),
            can_restore: true,
            views: vec![Choice::new("details", "Details", true)],
            ..OperatorOrganizationPage::default()
        };
        let html = sample::render("operator-organization-deleted", &page);
        assert!(html.contains("Restore organization") && !html.contains("Suspend organization") && html.contains("Why do you look"));
        assert!(!html.contains("Who becomes its maintainer"));
        page.needs_maintainer = true;
        page.maintainer = Field::wrong("nobody@grid.example", "Nobody has the account nobody@grid.example.");
        let html = sample::render("operator-organization-without-maintainer", &page);
        assert!(html.contains("Who becomes its maintainer") && html.contains("Nobody has the account"));
        page.can_restore = false;
        page.can_suspend = true;
        page.seen = vec![Pair::new("Members", "8")];
        page.seen_what = "details".into();
        assert!(sample::render("operator-organization", &page).contains("Suspend organization"));
    }
}
