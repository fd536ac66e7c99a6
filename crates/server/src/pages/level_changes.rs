//! Changes of level: what one would come to, accepting it, and its way; for those who subscribe and for those who provide.

mod cards;
mod providing;

use axum::response::IntoResponse;
use serde::Deserialize;
use stoa_actions::{
    Error,
    level_changes::{self, Accepting, Choosing},
};
use stoa_domain::{ids::LevelChangeId, organizations::Key, permissions::Verdict, services::Level};

pub(super) use cards::{OutlookCard, outlook_card};
pub use providing::{LevelChangesPage, list, switch_provided, undo_provided};

use cards::{ChangeCard, change_cards, level_word};

use super::{
    Choice, Flash, Link, OrgHead, Shell, filters,
    form::{FormErrors, PageForm},
    offers::plan_line,
    page::{Page, PageResult},
    times,
};
use crate::{extract::ApiPath, problem::ApiError};

/// The most changes of a service that a page shows, the newest first.
const MOST_CHANGES: i64 = 200;

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
    /// What was typed for the approvers.
    pub note: String,
    /// “Accept the change of level” or “Ask to accept it”.
    pub accept_label: &'static str,
    /// What accepting takes, where it is not at once; may be empty.
    pub accept_note: &'static str,
    /// What becomes of projects that are not marked.
    pub rest: &'static str,
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

impl AcceptSent {
    /// What is chosen.
    fn choosing(&self) -> Choosing {
        Choosing { plan: Some(self.plan.clone()), projects: Some(self.project.clone()) }
    }
}

async fn consumer_page(
    page: &Page,
    org: &str,
    key: &str,
    sent: Option<&AcceptSent>,
    errors: Option<FormErrors>,
) -> PageResult<LevelChangePage> {
    let mut conn = page.read().await?;
    // What was refused may name what is not there.
    let choosing = sent.filter(|_| errors.is_none()).map(AcceptSent::choosing).unwrap_or_default();
    let own = level_changes::own_outlooks(&mut conn, &page.caller, &Key::read(org), &Key::read(key), &choosing).await?;
    let mut head = page.org_head(&mut conn, &own.seat, "subscriptions").await?;
    let list = format!("{}/subscriptions", head.url());
    let url = format!("{}/level-changes/{}", head.url(), own.service.handle);
    head.crumbs = vec![Link::new("Subscriptions", list.as_str()), Link::new(format!("Level of {}", own.service.name), "")];
    let (_, found) = level_changes::list(&mut conn, &page.caller, &Key::read(org), Some(own.service.id), None, MOST_CHANGES).await?;
    let changes = change_cards(page, &mut conn, &found, &url, Some(&list)).await?;
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
            note: sent.map(|sent| sent.note.clone()).unwrap_or_default(),
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
        errors: errors.map(FormErrors::rest).unwrap_or_default(),
        url,
        org: head,
    })
}

/// `GET /organizations/{org}/level-changes/{service}`; with what is chosen in its form, what that would come to.
pub async fn show(page: Page, ApiPath((org, key)): ApiPath<(String, String)>, PageForm(sent): PageForm<AcceptSent>) -> PageResult {
    let chosen = Some(&sent).filter(|sent| !sent.contract.is_empty());
    match consumer_page(&page, &org, &key, chosen, None).await {
        // An address with a plan or project that is not there any more shows the offer as it is.
        Err(ApiError::Action(Error::Invalid(_))) if chosen.is_some() => {
            Ok(consumer_page(&page, &org, &key, None, None).await?.into_response())
        }
        shown => Ok(shown?.into_response()),
    }
}

async fn consumer_again(page: &Page, org: &str, key: &str, sent: Option<&AcceptSent>, error: Error) -> PageResult {
    let errors = FormErrors::of(error)?;
    let status = errors.status;
    Ok(FormErrors::again(status, consumer_page(page, org, key, sent, Some(errors)).await?))
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

#[cfg(test)]
mod tests {
    use super::{LevelChangePage, OfferCard};
    use crate::pages::{
        Badge, Choice, Link, OrgHead, Pair,
        level_changes::cards::{ChangeCard, OutlookCard, PartLine, PartRow},
        sample,
    };

    pub(super) fn outlook() -> OutlookCard {
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

    pub(super) fn change() -> ChangeCard {
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
}
