//! Changes of level: what one would come to, accepting it, and its way; for those who subscribe and for those who provide.

use axum::{extract::Query, response::IntoResponse};
use serde::Deserialize;
use stoa_actions::level_changes::{self, Accepting, Details, Outlook, OutlookPart};
use stoa_domain::{
    ids::{LevelChangeId, OrganizationId},
    level_changes::LevelChangeState,
    organizations::Key,
    permissions::{Permission, Verdict},
    services::Level,
    subscriptions::SubscriptionState,
};
use stoa_store::Conn;

use super::{
    Badge, Choice, Flash, Link, OrgHead, Pager, Pair, Shell, filters,
    form::{FormErrors, PageForm},
    offers::plan_line,
    page::{Page, PageResult},
    services::ListQuery,
    times,
};
use crate::{
    extract::ApiPath,
    paging::{Paging, encode},
};

/// How many organizations, and how many changes, a page shows.
const SHOWN: i64 = 20;

/// `GET /organizations/{org}/level-changes/{service}`, and again with errors.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "level_change.html")]
pub struct LevelChangePage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization.
    pub org: OrgHead,
    /// The page's own address.
    pub url: String,
    /// The service's name.
    pub service: String,
    /// “organization” or “project”: the level that is offered.
    pub level: &'static str,
    /// What waits for consent.
    pub offer: Option<OfferCard>,
    /// The changes of this service, the newest first.
    pub changes: Vec<ChangeCard>,
    /// Errors of the form that was sent.
    pub errors: Vec<String>,
}

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

/// What a change would come to for an organization.
#[derive(Debug, Clone, Default)]
pub struct OutlookCard {
    /// A key for the page.
    pub key: String,
    /// The organization's name.
    pub organization: String,
    /// “3 subscriptions become 1”.
    pub summary: String,
    /// Costs before and after, permissions, meters.
    pub facts: Vec<Pair>,
    /// The projects.
    pub parts: Vec<PartRow>,
}

/// A project that would go along.
#[derive(Debug, Clone, Default)]
pub struct PartRow {
    /// What is sent when it is marked: the project's id.
    pub id: String,
    /// The project's name.
    pub project: String,
    /// The plan before, and the one that follows.
    pub plan: String,
    /// “Goes along”, or why not.
    pub badge: Badge,
    /// Whether it can be marked.
    pub goes: bool,
    /// Whether it is marked.
    pub checked: bool,
}

/// A change of level that waits for consent.
#[derive(Debug, Clone, Default)]
pub struct OfferCard {
    /// The contract that is read with this page.
    pub contract: String,
    /// The day until which it can be accepted and undone.
    pub until: String,
    /// What it would come to.
    pub outlook: OutlookCard,
    /// The plans to choose from.
    pub plans: Vec<Choice>,
    /// “Accept the change of level” or “Ask to accept it”.
    pub accept_label: &'static str,
    /// What accepting takes, where it is not at once; may be empty.
    pub accept_note: &'static str,
    /// What becomes of projects that are not marked.
    pub rest: &'static str,
}

/// A change that was accepted.
#[derive(Debug, Clone, Default)]
pub struct ChangeCard {
    /// Its id.
    pub id: String,
    /// Who subscribes.
    pub organization: String,
    /// Where it is.
    pub badge: Badge,
    /// What that means.
    pub note: String,
    /// Who accepted it when, and so on.
    pub facts: Vec<Pair>,
    /// Project, subscription before, subscription that follows; with links for those who subscribe.
    pub parts: Vec<PartLine>,
    /// Whether I may switch it now.
    pub can_switch: bool,
    /// Whether I may undo it now.
    pub can_undo: bool,
    /// Where both are sent, without the verb.
    pub url: String,
}

/// One project of a change.
#[derive(Debug, Clone, Default)]
pub struct PartLine {
    /// Its name.
    pub project: String,
    /// The subscription of before.
    pub from: Link,
    /// The one that follows.
    pub to: Link,
}

fn level_word(level: Level) -> &'static str {
    match level {
        Level::Organization => "organization",
        Level::Project => "project",
    }
}

fn counted(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// An outlook in words; `marked` are the projects that were marked in the form that was sent.
pub(super) fn outlook_card(outlook: &Outlook, marked: Option<&[String]>) -> OutlookCard {
    let before: Vec<_> = outlook.before.iter().map(|(currency, cost)| cost.shown(*currency)).collect();
    let after = outlook.after.as_ref().map(|(currency, cost)| cost.shown(*currency));
    let month = times::month_of(outlook.month.from);
    let mut facts = vec![
        Pair::new(format!("{month}, as it is"), if before.is_empty() { "–".to_owned() } else { before.join(" + ") }),
        Pair::new(format!("{month}, after it"), after.unwrap_or_else(|| "depends on the plan".to_owned())),
    ];
    facts.extend(outlook.plan.as_ref().map(|kept| Pair::new("Plan", plan_line(&kept.plan))));
    let words = |list: &[stoa_domain::services::DataPermission]| list.iter().map(|one| one.word()).collect::<Vec<_>>().join(", ");
    for (label, list) in [("Permissions gained", &outlook.gained), ("Permissions lost", &outlook.lost)] {
        facts.push(Pair::new(label, if list.is_empty() { "none".to_owned() } else { words(list) }));
    }
    if !outlook.meters_lost.is_empty() {
        facts.push(Pair::new("Meters it does not have", outlook.meters_lost.join(", ")));
    }
    let olds: std::collections::BTreeSet<_> =
        outlook.parts.iter().filter(|part| part.state == SubscriptionState::Active).map(|part| part.subscription).collect();
    let summary = match (olds.len(), outlook.follow) {
        (0, _) => "Nothing active goes along".to_owned(),
        (before, after) => format!("{} become{} {after}", counted(before, "subscription"), if before == 1 { "s" } else { "" }),
    };
    OutlookCard {
        key: format!("of-{}", outlook.organization.handle),
        organization: outlook.organization.name.clone(),
        summary,
        facts,
        parts: outlook.parts.iter().map(|part| part_row(part, marked)).collect(),
    }
}

fn part_row(part: &OutlookPart, marked: Option<&[String]>) -> PartRow {
    let goes = part.state == SubscriptionState::Active;
    let id = part.project.0.to_string();
    PartRow {
        project: part.project.1.clone(),
        plan: format!("{} → {}", part.from, part.to.as_deref().unwrap_or("to be chosen")),
        badge: if goes {
            Badge { tone: "ok", icon: "check", text: "Goes along".into() }
        } else {
            Badge { tone: "warn", icon: "pause", text: format!("Stays behind: {}", part.state) }
        },
        checked: goes && marked.is_none_or(|marked| marked.contains(&id)),
        goes,
        id,
    }
}

fn change_card(one: &Details, may: bool, url: &str, links: Option<&str>) -> ChangeCard {
    let change = &one.change;
    let until = times::long_day(change.until.day());
    let (badge, note) = match change.state {
        LevelChangeState::Accepted => (
            Badge { tone: "brand", icon: "clock", text: "Accepted".into() },
            format!(
                "Both ways of access work; the subscriptions of before hold the projects and are charged. It is switched on {until}, \
                 unless somebody does so before or undoes it."
            ),
        ),
        LevelChangeState::Switched => (
            Badge { tone: "ok", icon: "check", text: "Switched".into() },
            format!(
                "Both ways of access work; the subscriptions at {} level hold the projects and are charged. Either side can undo it until \
                 {until}; then it holds for good.",
                level_word(one.level)
            ),
        ),
        LevelChangeState::Undone => (
            Badge { tone: "warn", icon: "undo-2", text: "Undone".into() },
            "The subscriptions of before go on. What was taken out or paused meanwhile stayed so.".to_owned(),
        ),
        LevelChangeState::Settled => (
            Badge { tone: "", icon: "check", text: "Settled".into() },
            "The subscriptions of before are over; their ids answer as aliases.".to_owned(),
        ),
    };
    let mut facts = vec![Pair::new("Accepted", format!("{}, {}", one.accepted_by, times::moment(change.accepted_at)))];
    facts.extend(change.switched_at.map(|at| Pair::new("Switched", times::moment(at))));
    facts.extend(change.undone_at.map(|at| Pair::new("Undone", times::moment(at))));
    facts.extend(change.settled_at.map(|at| Pair::new("Settled", times::moment(at))));
    let link = |id: stoa_domain::ids::SubscriptionId| {
        let text = id.to_string();
        let href = links.map(|links| format!("{links}/{text}")).unwrap_or_default();
        Link::new(text, href)
    };
    ChangeCard {
        id: change.id.to_string(),
        organization: one.organization.name.clone(),
        badge,
        note,
        facts,
        parts: one.parts.iter().map(|(part, name)| PartLine { project: name.clone(), from: link(part.old), to: link(part.new) }).collect(),
        can_switch: may && change.state == LevelChangeState::Accepted,
        can_undo: may && change.state.is_open(),
        url: format!("{url}/{}", change.id),
    }
}

async fn cards(page: &Page, conn: &mut Conn, found: &[Details], url: &str, links: Option<&str>) -> PageResult<Vec<ChangeCard>> {
    let mut cards = Vec::with_capacity(found.len());
    for one in found {
        let may = level_changes::may_move(conn, &page.caller, one).await?;
        cards.push(change_card(one, may, url, links));
    }
    Ok(cards)
}

/// The form of a consent as it was sent.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct AcceptSent {
    /// The contract that was read.
    pub contract: String,
    /// The projects marked, by id.
    pub project: Vec<String>,
    /// The plan chosen.
    pub plan: String,
    /// What the approvers shall read.
    pub note: String,
}

async fn consumer_page(page: &Page, org: &str, key: &str, sent: Option<&AcceptSent>, errors: FormErrors) -> PageResult<LevelChangePage> {
    let mut conn = page.read().await?;
    let own = level_changes::own_outlooks(&mut conn, &page.caller, &Key::read(org), &Key::read(key)).await?;
    let mut head = page.org_head(&mut conn, &own.seat, "subscriptions").await?;
    let list = format!("{}/subscriptions", head.url());
    let url = format!("{}/level-changes/{}", head.url(), own.service.handle);
    head.crumbs = vec![Link::new("Subscriptions", list.as_str()), Link::new(format!("Level of {}", own.service.name), "")];
    let (_, found) = level_changes::list(&mut conn, &page.caller, &Key::read(org), None, 200).await?;
    let found: Vec<_> = found.into_iter().filter(|one| one.change.service == own.service.id).collect();
    let changes = cards(page, &mut conn, &found, &url, Some(&list)).await?;
    let offer = own.outlook.as_ref().map(|outlook| {
        let at_once = level_changes::may_accept(&own.seat, own.contract.level) == Verdict::Allowed;
        let chosen = match sent {
            Some(sent) => sent.plan.clone(),
            None => outlook.plan.as_ref().map(|kept| kept.id.to_string()).unwrap_or_default(),
        };
        OfferCard {
            contract: own.contract.id.to_string(),
            until: outlook.until.map(|until| times::long_day(until.day())).unwrap_or_default(),
            outlook: outlook_card(outlook, sent.map(|sent| sent.project.as_slice())),
            plans: own
                .plans
                .iter()
                .map(|kept| Choice::new(kept.id.to_string(), plan_line(&kept.plan), kept.id.to_string() == chosen))
                .collect(),
            accept_label: if at_once { "Accept the change of level" } else { "Ask to accept it" },
            accept_note: if at_once { "" } else { "A reviewer or maintainer decides; until then nothing changes." },
            rest: match own.contract.level {
                Level::Organization => "What is not marked keeps its own subscription until that day, on which it ends.",
                Level::Project => "What is not marked is taken out with the switch.",
            },
        }
    });
    Ok(LevelChangePage {
        shell: page.shell(&mut conn, "organizations").await?,
        service: own.service.name.clone(),
        level: level_word(own.contract.level),
        offer,
        changes,
        errors: errors.rest(),
        url,
        org: head,
    })
}

/// `GET /organizations/{org}/level-changes/{service}`.
pub async fn show(page: Page, ApiPath((org, key)): ApiPath<(String, String)>) -> PageResult {
    Ok(consumer_page(&page, &org, &key, None, FormErrors::none()).await?.into_response())
}

async fn consumer_again(page: &Page, org: &str, key: &str, sent: Option<&AcceptSent>, error: stoa_actions::Error) -> PageResult {
    let errors = FormErrors::of(error)?;
    let status = errors.status;
    Ok(FormErrors::again(status, consumer_page(page, org, key, sent, errors).await?))
}

/// `POST /organizations/{org}/level-changes/{service}`.
pub async fn accept(page: Page, ApiPath((org, key)): ApiPath<(String, String)>, PageForm(sent): PageForm<AcceptSent>) -> PageResult {
    let mut act = page.begin().await?;
    let given = Accepting {
        service: key.clone(),
        contract: Some(sent.contract.clone()),
        projects: Some(sent.project.clone()),
        plan: Some(sent.plan.clone()),
        note: sent.note.clone(),
    };
    match level_changes::accept(&mut act, &Key::read(&org), &given).await {
        Ok(done) => {
            let flash = match done.request {
                None => Flash::ok("The change of level is accepted. Both ways of access work from now on."),
                Some(_) => Flash::ok("Your consent waits for the decision of a reviewer or maintainer. Until then nothing changes."),
            };
            page.done(act, format!("/organizations/{org}/level-changes/{key}"), flash).await
        }
        Err(error) => {
            drop(act);
            consumer_again(&page, &org, &key, Some(&sent), error).await
        }
    }
}

/// What is done with a change that was accepted.
#[derive(Clone, Copy)]
enum Step {
    Switch,
    Undo,
}

impl Step {
    async fn take(self, page: &Page, id: LevelChangeId, to: String) -> PageResult<Result<axum::response::Response, stoa_actions::Error>> {
        let mut act = page.begin().await?;
        let done = match self {
            Self::Switch => level_changes::switch(&mut act, id).await,
            Self::Undo => level_changes::undo(&mut act, id).await,
        };
        let flash = match self {
            Self::Switch => Flash::ok("Switched. The subscriptions of before answer as aliases."),
            Self::Undo => Flash::ok("Undone. The subscriptions of before go on."),
        };
        match done {
            Ok(_) => Ok(Ok(page.done(act, to, flash).await?)),
            Err(error) => Ok(Err(error)),
        }
    }
}

async fn consumer_step(page: Page, org: &str, key: &str, id: LevelChangeId, step: Step) -> PageResult {
    match step.take(&page, id, format!("/organizations/{org}/level-changes/{key}")).await? {
        Ok(done) => Ok(done),
        Err(error) => consumer_again(&page, org, key, None, error).await,
    }
}

/// `POST /organizations/{org}/level-changes/{service}/{change}/switch`.
pub async fn switch(page: Page, ApiPath((org, key, id)): ApiPath<(String, String, LevelChangeId)>) -> PageResult {
    consumer_step(page, &org, &key, id, Step::Switch).await
}

/// `POST /organizations/{org}/level-changes/{service}/{change}/undo`.
pub async fn undo(page: Page, ApiPath((org, key, id)): ApiPath<(String, String, LevelChangeId)>) -> PageResult {
    consumer_step(page, &org, &key, id, Step::Undo).await
}

async fn provider_page(page: &Page, org: &str, key: &str, cursor: Option<String>, errors: FormErrors) -> PageResult<LevelChangesPage> {
    let after: Option<OrganizationId> = Paging { limit: None, cursor: cursor.clone() }.cursor()?;
    let mut conn = page.read().await?;
    let (org, key) = (Key::read(org), Key::read(key));
    let (seat, details) = stoa_actions::services::of_organization(&mut conn, &page.caller, &org, &key, Permission::View).await?;
    let (contract, mut found) = level_changes::outlooks(&mut conn, &page.caller, &key, after, SHOWN + 1).await?;
    let shown = usize::try_from(SHOWN).unwrap_or(usize::MAX);
    let more = found.len() > shown;
    found.truncate(shown);
    let (_, running) = level_changes::of_service(&mut conn, &page.caller, &key, None, 200).await?;
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
        changes: cards(page, &mut conn, &running, &url, None).await?,
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
    use super::{Badge, ChangeCard, LevelChangePage, LevelChangesPage, Link, OfferCard, OutlookCard, Pair, PartLine, PartRow};
    use crate::pages::{Choice, OrgHead, sample};

    fn outlook() -> OutlookCard {
        let part = |project: &str, goes: bool| PartRow {
            id: format!("prj_{project}"),
            project: project.into(),
            plan: "Basic → Basic".into(),
            badge: Badge { tone: if goes { "ok" } else { "warn" }, icon: "check", text: "Goes along".into() },
            goes,
            checked: goes,
        };
        OutlookCard {
            key: "of-aurelia".into(),
            organization: "Aurelia".into(),
            summary: "2 subscriptions become 1".into(),
            facts: vec![Pair::new("March 2026, as it is", "EUR 122.40"), Pair::new("March 2026, after it", "EUR 141.00")],
            parts: vec![part("north", true), part("south", false)],
        }
    }

    fn change() -> ChangeCard {
        ChangeCard {
            id: "lvl_x".into(),
            organization: "Aurelia".into(),
            badge: Badge { tone: "ok", icon: "check", text: "Switched".into() },
            note: "Both ways of access work.".into(),
            facts: vec![Pair::new("Accepted", "mia")],
            parts: vec![PartLine { project: "North".into(), from: Link::new("sub_a", "/a"), to: Link::new("sub_b", "") }],
            can_switch: false,
            can_undo: true,
            url: "/organizations/aurelia/level-changes/forecast/lvl_x".into(),
        }
    }

    #[test]
    fn what_waits_shows_its_dry_run_and_what_runs_shows_the_way_back() {
        let page = LevelChangePage {
            shell: sample::shell("organizations"),
            org: OrgHead {
                crumbs: vec![Link::new("Subscriptions", ""), Link::new("Level of Forecast", "")],
                ..sample::org("subscriptions")
            },
            service: "Forecast".into(),
            level: "organization",
            offer: Some(OfferCard {
                until: "1 June 2026".into(),
                outlook: outlook(),
                plans: vec![Choice::new("pln_a", "Basic", true)],
                accept_label: "Accept the change of level",
                rest: "What is not marked keeps its own subscription.",
                ..OfferCard::default()
            }),
            changes: vec![change()],
            ..LevelChangePage::default()
        };
        let html = sample::render("level-change", &page);
        assert!(html.contains("EUR 141.00") && html.contains("/lvl_x/undo") && !html.contains("/lvl_x/switch"), "{html}");
        let nothing = LevelChangePage { offer: None, changes: Vec::new(), ..page };
        assert!(sample::render("level-change-none", &nothing).contains("No change of level"));
    }

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
