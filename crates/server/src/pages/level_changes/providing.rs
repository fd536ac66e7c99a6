//! The provider's side of changes of level: what the present contract would come to for each subscriber, and what runs.

use axum::{extract::Query, response::IntoResponse};
use stoa_actions::{level_changes, services};
use stoa_domain::{
    ids::{LevelChangeId, OrganizationId},
    organizations::Key,
    permissions::Permission,
};

use super::{
    MOST_CHANGES, Step,
    cards::{ChangeCard, OutlookCard, change_cards, level_word, outlook_card},
};
use crate::{
    extract::ApiPath,
    pages::{
        Link, OrgHead, Pager, Shell, filters,
        form::FormErrors,
        page::{Page, PageResult},
        services::ListQuery,
    },
    paging::{Paging, encode},
};

/// How many organizations a page shows.
const SHOWN: i64 = 20;

/// `GET /organizations/{org}/services/{service}/level-changes`.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "level_changes.html")]
pub struct LevelChangesPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization.
    pub org: OrgHead,
    /// The service's name.
    pub service: String,
    /// “organization” or “project”: the level of the present contract.
    pub level: &'static str,
    /// The subscribers at the other level.
    pub outlooks: Vec<OutlookCard>,
    /// Leads through the subscribers.
    pub pager: Pager,
    /// The changes that were accepted, the newest first.
    pub changes: Vec<ChangeCard>,
    /// Errors of what was tried.
    pub errors: Vec<String>,
}

async fn provider_page(page: &Page, org: &str, key: &str, cursor: Option<String>, errors: FormErrors) -> PageResult<LevelChangesPage> {
    let after: Option<OrganizationId> = Paging { limit: None, cursor: cursor.clone() }.cursor()?;
    let mut conn = page.read().await?;
    let (org, key) = (Key::read(org), Key::read(key));
    let (seat, details) = services::of_organization(&mut conn, &page.caller, &org, &key, Permission::View).await?;
    let (contract, mut found) = level_changes::outlooks(&mut conn, &page.caller, &key, after, SHOWN + 1).await?;
    let shown = usize::try_from(SHOWN).unwrap_or(usize::MAX);
    let more = found.len() > shown;
    found.truncate(shown);
    let (_, running) = level_changes::of_service(&mut conn, &page.caller, &key, None, MOST_CHANGES).await?;
    let mut head = page.org_head(&mut conn, &seat, "services").await?;
    let list = format!("{}/services", head.url());
    let service = format!("{list}/{}", details.service.handle);
    let url = format!("{service}/level-changes");
    head.crumbs = vec![
        Link::new("Services", list.as_str()),
        Link::new(details.service.name.as_str(), service.as_str()),
        Link::new("Changes of level", ""),
    ];
    let next = found.last().filter(|_| more).map(|last| format!("{url}?cursor={}", encode(&last.organization.id)));
    Ok(LevelChangesPage {
        shell: page.shell(&mut conn, "organizations").await?,
        service: details.service.name.clone(),
        level: level_word(contract.level),
        outlooks: found.iter().map(|one| outlook_card(one, None)).collect(),
        pager: Pager {
            summary: String::new(),
            first: if cursor.is_some() { url.clone() } else { String::new() },
            next: next.unwrap_or_default(),
        },
        changes: change_cards(page, &mut conn, &running, &url, None).await?,
        errors: errors.rest(),
        org: head,
    })
}

/// `GET /organizations/{org}/services/{service}/level-changes`.
pub async fn list(page: Page, ApiPath((org, key)): ApiPath<(String, String)>, Query(query): Query<ListQuery>) -> PageResult {
    Ok(provider_page(&page, &org, &key, query.cursor, FormErrors::none()).await?.into_response())
}

async fn provider_step(page: Page, org: &str, key: &str, id: LevelChangeId, step: Step) -> PageResult {
    match step.take(&page, id, format!("/organizations/{org}/services/{key}/level-changes")).await? {
        Ok(done) => Ok(done),
        Err(error) => {
            let errors = FormErrors::of(error)?;
            let status = errors.status;
            Ok(FormErrors::again(status, provider_page(&page, org, key, None, errors).await?))
        }
    }
}

/// `POST /organizations/{org}/services/{service}/level-changes/{change}/switch`.
pub async fn switch_provided(page: Page, ApiPath((org, key, id)): ApiPath<(String, String, LevelChangeId)>) -> PageResult {
    provider_step(page, &org, &key, id, Step::Switch).await
}

/// `POST /organizations/{org}/services/{service}/level-changes/{change}/undo`.
pub async fn undo_provided(page: Page, ApiPath((org, key, id)): ApiPath<(String, String, LevelChangeId)>) -> PageResult {
    provider_step(page, &org, &key, id, Step::Undo).await
}

#[cfg(test)]
mod tests {
    use super::LevelChangesPage;
    use crate::pages::{
        Link, OrgHead,
        level_changes::tests::{change, outlook},
        sample,
    };

    #[test]
    fn a_provider_sees_each_subscriber() {
        let page = LevelChangesPage {
            shell: sample::shell("organizations"),
            org: OrgHead { crumbs: vec![Link::new("Services", ""), Link::new("Changes of level", "")], ..sample::org("services") },
            service: "Forecast".into(),
            level: "organization",
            outlooks: vec![outlook()],
            changes: vec![change()],
            ..LevelChangesPage::default()
        };
        let html = sample::render("level-changes", &page);
        assert!(html.contains("2 subscriptions become 1") && html.contains("Aurelia"), "{html}");
    }
}
