//! What if: dialogs that say what ends before it is ended.

use axum::response::IntoResponse;
use stoa_actions::{
    consequences::{self, Consequences, Hit},
    subscriptions,
};
use stoa_domain::{ids::SubscriptionId, organizations::Key, requests::RequestKind, suspensions::When};

use super::{
    Choice, Field, Link, OrgHead, Pair, Shell, filters,
    page::{Page, PageResult},
    sizes::size,
    times,
};
use crate::extract::ApiPath;

/// A page with a dialog that asks before something happens, and says what it means.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "ask.html")]
pub struct AskPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization.
    pub org: OrgHead,
    /// What is about to happen.
    pub heading: String,
    /// What it means, as a sentence.
    pub intro: String,
    /// Where the form is sent.
    pub action: String,
    /// Where “back” leads.
    pub back: String,
    /// What “back” says.
    pub back_label: &'static str,
    /// Errors of the form as a whole.
    pub errors: Vec<String>,
    /// What ends.
    pub lines: Vec<Pair>,
    /// When it can happen; none where there is no choice.
    pub whens: Vec<Choice>,
    /// The reason, where one is asked for.
    pub reason: Option<Field>,
    /// Who reads the reason.
    pub reason_hint: String,
    /// Whether it must be given.
    pub reason_required: bool,
    /// What else there is to know; may be empty.
    pub note: String,
    /// What the button says.
    pub button: String,
    /// `danger` or `primary`.
    pub tone: &'static str,
}

fn count(number: usize, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

/// At most so many names are told; the rest is counted.
const NAMED: usize = 12;

fn names<'a>(all: impl ExactSizeIterator<Item = &'a str>) -> String {
    let rest = all.len().saturating_sub(NAMED);
    let mut told: Vec<String> = all.take(NAMED).map(str::to_owned).collect();
    if rest > 0 {
        told.push(format!("and {rest} more"));
    }
    told.join(", ")
}

/// What ends, as lines.
#[must_use]
pub fn lines(all: &Consequences) -> Vec<Pair> {
    let mut lines = Vec::new();
    let services = |hits: &[Hit]| names(hits.iter().map(|hit| hit.service.as_str()));
    if let Some((resources, bytes)) = all.resources {
        let resources = usize::try_from(resources).unwrap_or(0);
        lines.push(Pair::new("Data", format!("{}, {}", count(resources, "resource"), size(u64::try_from(bytes).unwrap_or(0)))));
    }
    if !all.ended.is_empty() {
        lines.push(Pair::new("Subscriptions that end", services(&all.ended)));
    }
    let lost: Vec<&str> = all.ended.iter().flat_map(|hit| &hit.projects).map(|project| project.name.as_str()).collect();
    if all.resources.is_none() {
        let told = if lost.is_empty() { "none".to_owned() } else { names(lost.into_iter()) };
        lines.push(Pair::new("Projects it can’t use any more", told));
    }
    if !all.reduced.is_empty() {
        lines.push(Pair::new("Services that lose it", services(&all.reduced)));
    }
    if !all.requests.is_empty() {
        let request = |kind: RequestKind| match kind {
            RequestKind::Subscribe => "the subscription",
            RequestKind::AddProjects => "more projects",
            RequestKind::ChangePlan => "another plan",
            RequestKind::AcceptContract => "the new contract",
            RequestKind::ChangeLevel => "the change of level",
            RequestKind::Cancel => "the end",
            RequestKind::Publish => "the publication",
        };
        let told: Vec<String> = all.requests.iter().map(|one| format!("{} of {}", request(one.kind), one.service)).collect();
        lines.push(Pair::new("Requests withdrawn", names(told.iter().map(String::as_str))));
    }
    let spent: Vec<String> = all.spent.iter().map(|(currency, cost)| cost.shown(*currency)).collect();
    if !spent.is_empty() {
        lines.push(Pair::new("Spent this month", format!("{}; it stays in the costs", spent.join(" · "))));
    }
    lines
}

/// `GET /organizations/{org}/subscriptions/{subscription}/cancel`: what cancelling it would end.
pub async fn of_subscription(page: Page, ApiPath((org, id)): ApiPath<(String, SubscriptionId)>) -> PageResult {
    let key = Key::read(&org);
    let mut conn = page.read().await?;
    let all = consequences::of_subscription(&mut conn, &page.caller, &key, id, When::PeriodEnd).await?;
    let (seat, details) = subscriptions::get(&mut conn, &page.caller, &key, id).await?;
    let mut head = page.org_head(&mut conn, &seat, "subscriptions").await?;
    let service = details.concerned.offer.service_name.clone();
    let url = format!("{}/subscriptions/{id}", head.url());
    head.crumbs = vec![
        Link::new("Subscriptions", format!("{}/subscriptions", head.url())),
        Link::new(service.as_str(), url.as_str()),
        Link::new("Cancel", ""),
    ];
    let ending = details.subscription.ends_at;
    let mut whens = vec![Choice::new("now", "At once", ending.is_none())];
    if let Some(choice) = whens.first_mut() {
        choice.hint = "The service loses access in this moment; no fee accrues from tomorrow on".to_owned();
        choice.checked = true;
    }
    if let (Some(at), None) = (all.at, ending) {
        let day = times::long_day(at.plus(-1).day());
        let mut later = Choice::new("period_end", "With the month", false);
        later.hint = format!("Everything goes on until the end of {day} (UTC); until then you can keep it after all");
        whens.push(later);
    }
    let asks = all.needs_request;
    let shown = AskPage {
        shell: page.shell(&mut conn, "organizations").await?,
        heading: format!("Cancel {service}"),
        intro: if asks {
            "You can ask for it; a reviewer or maintainer decides. When it is approved, this ends:".to_owned()
        } else {
            "This ends:".to_owned()
        },
        action: format!("{url}/cancel"),
        back: url,
        back_label: "Back",
        lines: lines(&all),
        whens,
        reason: asks.then(Field::default),
        reason_hint: "Whoever decides reads it.".to_owned(),
        note: "What was used until then stays in the costs. To use it again, subscribe again.".to_owned(),
        button: if asks { "Ask to cancel" } else { "Cancel subscription" }.to_owned(),
        tone: "danger",
        org: head,
        ..AskPage::default()
    };
    Ok(shown.into_response())
}
