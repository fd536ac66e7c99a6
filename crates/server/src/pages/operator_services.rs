//! The operator's list of services, and what can be done with one.

use axum::response::IntoResponse;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use stoa_actions::{
    Error,
    services::{
        ServiceDetails, moves,
        operating::{self, Operated, OperatedFilter},
    },
};
use stoa_domain::{
    ids::ServiceId,
    organizations::Key,
    services::{Service, ServiceMove, ServiceState, support_href},
    time::Ts,
};

use super::{
    Badge, Choice, Flash, Link, Pager, Pair, PermissionLine, PlanView, Shell, filters,
    form::{FormErrors, PageForm, sentence},
    hue, initials, markdown,
    marketplace::{level_label, visibility_label},
    offers::{permission_lines, plan_view},
    operator::OperatorHead,
    page::{Page, PageResult},
    service_looks::{Shot, end_note, icon, shots},
    times,
};
use crate::{
    api::services::moves::says,
    extract::{ApiPath, ApiQuery},
    paging::{Paging, cut_off},
};

/// `GET /operator/services?q=&state=`.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "operator_services.html")]
pub struct OperatorServicesPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The operator's tabs.
    pub head: OperatorHead,
    /// Whether services are reviewed here.
    pub lead: &'static str,
    /// What is searched for.
    pub query: String,
    /// The states to choose from.
    pub states: Vec<Choice>,
    /// The services.
    pub rows: Vec<OperatedRow>,
    /// Leads through a long list.
    pub pager: Pager,
}

/// One service.
#[derive(Debug, Clone, Default)]
pub struct OperatedRow {
    /// Its name.
    pub name: String,
    /// The operator's page of it.
    pub href: String,
    /// Letters of its mark.
    pub initials: String,
    /// Colour class of its mark.
    pub hue: u8,
    /// The address of its icon; may be empty.
    pub icon: String,
    /// Its summary.
    pub summary: String,
    /// Its provider's name.
    pub provider: String,
    /// Its state.
    pub state: Badge,
    /// When it last changed.
    pub changed: String,
}

/// Which services.
#[derive(Debug, Default, Deserialize)]
pub struct Query {
    /// A part of the name.
    #[serde(default)]
    pub q: String,
    /// In which state.
    #[serde(default)]
    pub state: String,
    /// Which page.
    #[serde(flatten)]
    pub paging: Paging,
}

/// `GET /operator/services`.
pub async fn list(page: Page, ApiQuery(query): ApiQuery<Query>) -> PageResult {
    let limit = query.paging.limit()?;
    let after: Option<(String, ServiceId)> = query.paging.cursor()?;
    let from = after.as_ref().map(|(name, id)| (name.as_str(), *id));
    let filter = OperatedFilter { state: query.state.parse().ok(), search: &query.q, after: from };
    let mut conn = page.read().await?;
    let mut found = operating::list(&mut conn, &page.caller, filter, limit + 1).await?;
    let next = cut_off(&mut found, limit, |one: &Operated| (one.name_key.clone(), one.service.id));
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let path = format!("/operator/services?q={}&state={}", encoded(&query.q), encoded(&query.state));
    let states = ServiceState::ALL.iter().filter(|state| **state != ServiceState::Draft);
    let states = states.map(|state| Choice::new(state.word(), Badge::state(state.word()).text, state.word() == query.state));
    let row = |one: &Operated| OperatedRow {
        name: one.service.name.clone(),
        href: format!("/operator/services/{}", one.service.id),
        initials: initials(&one.service.name),
        hue: hue(&one.service.handle),
        icon: icon(&one.service),
        summary: one.service.summary.clone(),
        provider: one.provider.name.clone(),
        state: Badge::state(one.service.state.word()),
        changed: times::ago(one.service.updated_at, page.caller.now),
    };
    let shown = OperatorServicesPage {
        shell: page.shell(&mut conn, "").await?,
        head: OperatorHead { tab: "services" },
        lead: if page.app.stoa.review_services {
            "All of this installation but drafts. New ones wait here for your review before they are published."
        } else {
            "All of this installation but drafts. Maintainers publish them without review."
        },
        states: std::iter::once(Choice::new("", "All", query.state.is_empty())).chain(states).collect(),
        pager: Pager::new(&path, "services", found.len(), after.is_none(), next.as_deref()),
        rows: found.iter().map(row).collect(),
        query: query.q,
    };
    Ok(shown.into_response())
}

/// `GET /operator/services/{service}`, and again with errors.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "operator_service.html")]
pub struct OperatorServicePage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The operator's tabs.
    pub head: OperatorHead,
    /// The operator's address of it, without a slash at the end.
    pub url: String,
    /// Its name.
    pub name: String,
    /// Letters of its mark.
    pub initials: String,
    /// Colour class of its mark.
    pub hue: u8,
    /// The address of its icon; may be empty.
    pub icon: String,
    /// Its summary.
    pub summary: String,
    /// Its provider's name.
    pub provider: String,
    /// Its state.
    pub state: Badge,
    /// Its end, or why it is stopped; may be empty.
    pub note: String,
    /// Errors of a form.
    pub errors: Vec<String>,
    /// Its screenshots.
    pub screenshots: Vec<Shot>,
    /// Its description: Markdown rendered and cleaned, written as it is.
    pub description_html: String,
    /// Its plans.
    pub plans: Vec<PlanView>,
    /// What it may do.
    pub permissions: Vec<PermissionLine>,
    /// Level, visibility and the like.
    pub facts: Vec<Pair>,
    /// Where else to read about it.
    pub links: Vec<Link>,
    /// Whether it waits for a review.
    pub can_review: bool,
    /// When it was changed last, so that what is approved is what was read.
    pub updated_at: String,
    /// Whether it can be stopped.
    pub can_suspend: bool,
    /// What that would bring about.
    pub suspending: Vec<String>,
    /// Whether it can be let go on.
    pub can_unsuspend: bool,
}

async fn service_page(page: &Page, key: &Key<ServiceId>) -> PageResult<OperatorServicePage> {
    let mut conn = page.read().await?;
    let details = operating::find(&mut conn, &page.caller, key).await?;
    let seen = moves::consequences(&mut conn, &page.caller, key, ServiceMove::Suspend, page.app.stoa.review_services).await?;
    let ServiceDetails { service, provider, contract, plans, images } = &details;
    let links = service.links.iter().map(|link| Link::new(link.name.as_str(), link.url.as_str()));
    let support = service.support.as_ref().map(|support| Link::new(format!("Support: {support}"), support_href(support)));
    let terms = contract.terms_url.as_ref().map(|url| Link::new("Terms", url.as_str()));
    Ok(OperatorServicePage {
        shell: page.shell(&mut conn, "").await?,
        head: OperatorHead { tab: "services" },
        url: format!("/operator/services/{}", service.id),
        name: service.name.clone(),
        initials: initials(&service.name),
        hue: hue(&service.handle),
        icon: icon(service),
        summary: service.summary.clone(),
        provider: provider.name.clone(),
        state: Badge::state(service.state.word()),
        note: service.suspension.as_ref().map_or_else(|| end_note(service), |suspension| sentence(&suspension.reason)),
        screenshots: shots(service, images),
        description_html: markdown::html(&service.description),
        plans: plans.iter().map(|kept| plan_view(kept.id, &kept.plan, false)).collect(),
        permissions: permission_lines(&contract.permissions),
        facts: vec![
            Pair::new("Level", level_label(contract.level)),
            Pair::new("Visibility", visibility_label(service.visibility)),
            Pair::new("Categories", if service.categories.is_empty() { "–".to_owned() } else { service.categories.join(", ") }),
            Pair::new("Handle", service.handle.as_str()),
            Pair::new("Subscriptions in force", seen.live.len().to_string()),
        ],
        links: links.chain(support).chain(terms).collect(),
        updated_at: service.updated_at.to_string(),
        can_review: service.state == ServiceState::InReview,
        can_suspend: seen.to.is_ok(),
        suspending: says(&seen),
        can_unsuspend: service.state == ServiceState::Suspended,
        errors: Vec::new(),
    })
}

/// `GET /operator/services/{service}`.
pub async fn show(page: Page, ApiPath(key): ApiPath<String>) -> PageResult {
    Ok(service_page(&page, &Key::read(&key)).await?.into_response())
}

/// What the operator says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct SaidForm {
    comment: String,
    reason: String,
    updated_at: Option<Ts>,
}

/// `POST /operator/services/{service}/approve`.
pub async fn approve(page: Page, ApiPath(key): ApiPath<String>, PageForm(form): PageForm<SaidForm>) -> PageResult {
    let mut act = page.begin().await?;
    let done = operating::approve(&mut act, &Key::read(&key), &form.comment, form.updated_at).await;
    finish(&page, act, &key, done, |service| format!("{} is published.", service.name)).await
}

/// `POST /operator/services/{service}/reject`: it is a draft again, which operators do not see.
pub async fn reject(page: Page, ApiPath(key): ApiPath<String>, PageForm(form): PageForm<SaidForm>) -> PageResult {
    let mut act = page.begin().await?;
    match operating::reject(&mut act, &Key::read(&key), &form.reason).await {
        Ok(service) => {
            let told = Flash::ok(format!("{} is a draft again. Its provider reads why.", service.name));
            page.done(act, "/operator/services?state=in_review", told).await
        }
        Err(error) => {
            drop(act);
            refused(&page, &key, error).await
        }
    }
}

/// `POST /operator/services/{service}/suspend`.
pub async fn suspend(page: Page, ApiPath(key): ApiPath<String>, PageForm(form): PageForm<SaidForm>) -> PageResult {
    let mut act = page.begin().await?;
    let done = operating::suspend(&mut act, &Key::read(&key), &form.reason).await;
    finish(&page, act, &key, done, |service| format!("{} is suspended.", service.name)).await
}

/// `POST /operator/services/{service}/unsuspend`.
pub async fn unsuspend(page: Page, ApiPath(key): ApiPath<String>) -> PageResult {
    let mut act = page.begin().await?;
    let done = operating::unsuspend(&mut act, &Key::read(&key)).await;
    finish(&page, act, &key, done, |service| format!("{} goes on.", service.name)).await
}

async fn finish(
    page: &Page,
    act: stoa_actions::Act,
    key: &str,
    done: Result<Service, Error>,
    told: impl FnOnce(&Service) -> String,
) -> PageResult {
    match done {
        Ok(service) => page.done(act, format!("/operator/services/{}", service.id), Flash::ok(told(&service))).await,
        Err(error) => {
            drop(act);
            refused(page, key, error).await
        }
    }
}

async fn refused(page: &Page, key: &str, error: Error) -> PageResult {
    let errors = FormErrors::of(error)?;
    let status = errors.status;
    let mut shown = service_page(page, &Key::read(key)).await?;
    shown.errors = errors.rest();
    Ok(FormErrors::again(status, shown))
}

#[cfg(test)]
mod tests {
    use super::{OperatedRow, OperatorServicePage, OperatorServicesPage};
    use crate::pages::{Badge, Pair, operator::OperatorHead, sample};

    #[test]
    fn what_waits_for_a_review_is_found_and_decided() {
        let mut list =
            OperatorServicesPage { shell: sample::shell(""), head: OperatorHead { tab: "services" }, ..OperatorServicesPage::default() };
        assert!(sample::render("operator-services-empty", &list).contains("There is no such service"));
        list.rows.push(OperatedRow {
            name: "Load forecast".into(),
            href: "/operator/services/svc_1".into(),
            state: Badge::state("in_review"),
            ..OperatedRow::default()
        });
        assert!(sample::render("operator-services", &list).contains("In review"));
        let mut page = OperatorServicePage {
            shell: sample::shell(""),
            head: OperatorHead { tab: "services" },
            name: "Load forecast".into(),
            state: Badge::state("in_review"),
            plans: vec![sample::plan("Standard", false)],
            permissions: sample::permissions(),
            facts: vec![Pair::new("Level", "Organization level")],
            can_review: true,
            ..OperatorServicePage::default()
        };
        let html = sample::render("operator-service-review", &page);
        assert!(html.contains("Approve and publish") && !html.contains("Suspend service"));
        (page.can_review, page.can_suspend) = (false, true);
        assert!(sample::render("operator-service", &page).contains("Suspend service"));
    }
}
