//! The provider's side of contracts: the versions of a service's contract, with what each changes and who has it.

use axum::{extract::Query, response::IntoResponse};
use stoa_actions::{
    contracts::{self, VersionDetails},
    seats::Seat,
    services::{self, ServiceDetails},
};
use stoa_domain::{organizations::Key, permissions::Permission};
use stoa_store::Conn;

use super::{
    Badge, Link, OrgHead, Pager, Pair, Shell, filters,
    marketplace::level_label,
    offers::plan_line,
    page::{Page, PageResult, may},
    services::ListQuery,
    subscription_contract::ChangeLine,
    times,
};
use crate::{
    extract::ApiPath,
    paging::{Paging, encode},
};

/// `GET /organizations/{org}/services/{service}/contracts`.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "contracts.html")]
pub struct ContractsPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization; its crumbs are “Services”, the service and “Contract”.
    pub org: OrgHead,
    /// The service's name.
    pub name: String,
    /// Where another version is offered; empty where I may not or its state does not allow it.
    pub offer_href: String,
    /// Where changes of level are looked at.
    pub level_href: String,
    /// The versions, the newest first.
    pub versions: Vec<VersionCard>,
    /// Leads through a long list.
    pub pager: Pager,
}

/// One version.
#[derive(Debug, Clone, Default)]
pub struct VersionCard {
    /// Its number.
    pub version: String,
    /// “Current”, or what became of it.
    pub badge: Badge,
    /// When it was offered.
    pub since: String,
    /// Level, permissions, terms, plans, day of notice.
    pub facts: Vec<Pair>,
    /// How many subscriptions have it, wait, refused.
    pub figures: Vec<Pair>,
    /// For each plan before: its name, whether it applied at once, and what changes.
    pub changes: Vec<PlanChanges>,
}

/// What a version changes for the subscribers of a plan.
#[derive(Debug, Clone, Default)]
pub struct PlanChanges {
    /// The plan.
    pub plan: String,
    /// “Applies at once” or “Needs consent”.
    pub badge: Badge,
    /// The changes; empty where nothing changes.
    pub lines: Vec<ChangeLine>,
}

/// How many versions a page shows.
const SHOWN: i64 = 20;

pub(super) async fn head(page: &Page, conn: &mut Conn, seat: &Seat, details: &ServiceDetails, last: &str) -> PageResult<(OrgHead, String)> {
    let mut org = page.org_head(conn, seat, "services").await?;
    let list = format!("{}/services", org.url());
    let service = format!("{list}/{}", details.service.handle);
    let url = format!("{service}/contracts");
    org.crumbs = vec![Link::new("Services", list.as_str()), Link::new(details.service.name.as_str(), service.as_str())];
    if !last.is_empty() {
        org.crumbs.push(Link::new("Contract", url.as_str()));
    }
    org.crumbs.push(Link::new(if last.is_empty() { "Contract" } else { last }, ""));
    Ok((org, url))
}

/// `GET /organizations/{org}/services/{service}/contracts`.
pub async fn list(page: Page, ApiPath((org, key)): ApiPath<(String, String)>, Query(query): Query<ListQuery>) -> PageResult {
    let before: Option<i64> = Paging { limit: None, cursor: query.cursor.clone() }.cursor()?;
    let mut conn = page.read().await?;
    let (seat, details) = services::of_organization(&mut conn, &page.caller, &Key::read(&org), &Key::read(&key), Permission::View).await?;
    let mut found = contracts::versions_of(&mut conn, &details.service, before, SHOWN + 1).await?;
    let more = found.len() > usize::try_from(SHOWN).unwrap_or(usize::MAX);
    found.truncate(usize::try_from(SHOWN).unwrap_or(usize::MAX));
    let (org, url) = head(&page, &mut conn, &seat, &details, "").await?;
    let next = found.last().filter(|_| more).map(|last| format!("{url}?cursor={}", encode(&last.version.contract.version)));
    let offers = may(&seat, Permission::DraftServices) && details.service.state.offer().is_ok();
    let shown = ContractsPage {
        shell: page.shell(&mut conn, "organizations").await?,
        name: details.service.name.clone(),
        offer_href: if offers { format!("{url}/new") } else { String::new() },
        level_href: url.replace("/contracts", "/level-changes"),
        versions: found.iter().map(|one| card(one, &details)).collect(),
        pager: Pager {
            summary: String::new(),
            first: if query.cursor.is_some() { url } else { String::new() },
            next: next.unwrap_or_default(),
        },
        org,
    };
    Ok(shown.into_response())
}

fn card(one: &VersionDetails, details: &ServiceDetails) -> VersionCard {
    let version = &one.version;
    let contract = &version.contract;
    let current = contract.id == details.service.contract;
    let permissions: Vec<_> = contract.permissions.iter().map(|one| one.word()).collect();
    let mut facts = vec![Pair::new("Level", level_label(contract.level)), Pair::new("Permissions", permissions.join(", "))];
    facts.extend(contract.terms_url.as_ref().map(|url| Pair::new("Terms", url.as_str())));
    facts.extend(one.plans.iter().map(|kept| Pair::new("Plan", plan_line(&kept.plan))));
    facts.extend(version.terms.notice_until.map(|until| Pair::new("Kept until", times::long_day(until.day()))));
    let mut figures = vec![Pair::new("Subscriptions on it", version.live.to_string())];
    if version.open > 0 || version.refused > 0 {
        figures.push(Pair::new("Not decided yet", version.open.to_string()));
        figures.push(Pair::new("Refused", version.refused.to_string()));
    }
    let plan = |(plan, difference): &(String, stoa_domain::differences::ContractDifference)| PlanChanges {
        plan: plan.clone(),
        badge: if difference.level.is_some() && version.terms.notice_until.is_none() {
            Badge { tone: "", icon: "", text: "Not offered".into() }
        } else if difference.level.is_some() {
            Badge { tone: "warn", icon: "layers", text: "Changes the level".into() }
        } else if difference.applies_at_once() {
            Badge { tone: "ok", icon: "check", text: "Applies at once".into() }
        } else {
            Badge { tone: "warn", icon: "clock", text: "Needs consent".into() }
        },
        lines: difference.sentences().into_iter().map(ChangeLine::from).collect(),
    };
    VersionCard {
        version: contract.version.to_string(),
        badge: if current { Badge { tone: "brand", icon: "", text: "Current".into() } } else { Badge::default() },
        since: times::long_day(contract.created_at.day()),
        facts,
        figures,
        changes: one.changes.iter().map(plan).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::{ContractsPage, PlanChanges, VersionCard};
    use crate::pages::{Badge, Link, OrgHead, Pair, sample, subscription_contract::ChangeLine};

    #[test]
    fn versions_say_what_they_change_and_who_has_them() {
        let mut page = ContractsPage {
            shell: sample::shell("organizations"),
            org: OrgHead { crumbs: vec![Link::new("Services", ""), Link::new("Load forecast", "")], ..sample::org("services") },
            name: "Load forecast".into(),
            offer_href: "/organizations/aurelia/services/load-forecast/contracts/new".into(),
            ..ContractsPage::default()
        };
        page.versions = vec![VersionCard {
            version: "2".into(),
            badge: Badge { tone: "brand", icon: "", text: "Current".into() },
            since: "1 November 2026".into(),
            facts: vec![Pair::new("Level", "Organization"), Pair::new("Plan", "Basic, EUR 10.00 per month")],
            figures: vec![Pair::new("Subscriptions on it", "3"), Pair::new("Not decided yet", "2")],
            changes: vec![PlanChanges {
                plan: "Basic".into(),
                badge: Badge { tone: "warn", icon: "clock", text: "Needs consent".into() },
                lines: vec![ChangeLine { text: "The monthly fee is higher.".into(), label: "More", tone: "warn", icon: "triangle-alert" }],
            }],
        }];
        assert!(sample::render("contracts", &page).contains("Not decided yet"));
    }
}
