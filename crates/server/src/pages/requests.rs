//! Requests: the inbox over all organizations, and those of one organization.

use axum::{extract::Query, response::IntoResponse};
use serde::Deserialize;
use stoa_actions::{
    Act, Error,
    requests::{self, Details, Standing, Wanted},
};
use stoa_domain::{
    ids::RequestId,
    organizations::Key,
    requests::{Decision, RequestKind, Step},
    subscriptions::{IncludeFuture, Mode},
    time::Ts,
};
use stoa_store::Conn;

use super::marketplace::FilterLink;
use super::{
    Badge, Field, Flash, OrgHead, Pager, Pair, PermissionLine, Shell, TimelineEntry, filters,
    form::{FormErrors, PageForm},
    offers::{permission_lines, plan_line},
    page::{Page, PageResult, local_path},
    times,
};
use crate::{
    extract::ApiPath,
    paging::{Paging, encode},
};

/// `GET /requests`.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "requests.html")]
pub struct RequestsPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// “Waiting for me”, “Made by me”, “Decided”.
    pub filters: Vec<FilterLink>,
    /// The requests.
    pub requests: Vec<RequestCard>,
    /// Leads through a long list.
    pub pager: Pager,
}

/// `GET /organizations/{org}/requests`.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "org_requests.html")]
pub struct OrgRequestsPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization.
    pub org: OrgHead,
    /// “Open”, “Decided”.
    pub filters: Vec<FilterLink>,
    /// The requests.
    pub requests: Vec<RequestCard>,
    /// Leads through a long list.
    pub pager: Pager,
}

/// One request. Its form sends `reason` and `back` to `/requests/{id}/approve` or `/reject`.
#[derive(Debug, Clone, Default)]
pub struct RequestCard {
    /// Its id.
    pub id: String,
    /// What is asked, such as “Aurelia Energy asks to subscribe Load forecast”.
    pub title: String,
    /// Who made it.
    pub by: String,
    /// When.
    pub when: String,
    /// Its state.
    pub state: Badge,
    /// Plan, projects, price, step and the like.
    pub facts: Vec<Pair>,
    /// The requester's note; may be empty.
    pub note: String,
    /// What the service would be allowed to do; may be empty.
    pub permissions: Vec<PermissionLine>,
    /// Whether I may decide it.
    pub can_decide: bool,
    /// Whether I may withdraw it.
    pub can_withdraw: bool,
    /// Who decides, for those who may not; may be empty.
    pub who_can: String,
    /// What was typed as the reason, with its error.
    pub reason: Field,
    /// What was decided so far.
    pub history: Vec<TimelineEntry>,
    /// The page to return to after the decision.
    pub back: String,
}

/// Which requests, and which page of them.
#[derive(Debug, Default, Deserialize)]
pub struct InboxQuery {
    /// `waiting` (when absent), `mine` or `decided`.
    #[serde(default)]
    pub view: String,
    /// The page after this one.
    #[serde(default)]
    pub cursor: Option<String>,
}

/// How many requests a page shows.
const SHOWN: usize = 20;

/// `GET /requests`.
pub async fn inbox(page: Page, Query(query): Query<InboxQuery>) -> PageResult {
    inbox_with(&page, &query, None).await
}

async fn inbox_with(page: &Page, query: &InboxQuery, wrong: Option<&Wrong>) -> PageResult {
    let before = Paging { limit: None, cursor: query.cursor.clone() }.cursor()?;
    let view = match query.view.as_str() {
        known @ ("mine" | "decided") => known,
        _ => "waiting",
    };
    let (requester, state) = match view {
        "mine" => (true, Wanted::Any),
        "decided" => (false, Wanted::Closed),
        _ => (false, Wanted::Open),
    };
    let mut conn = page.read().await?;
    let found = requests::list(&mut conn, &page.caller, requester, state, before, most()).await?;
    let url = |view: &str| if view == "waiting" { "/requests".to_owned() } else { format!("/requests?view={view}") };
    let waiting = requests::count_waiting(&mut conn, &page.caller).await?;
    let filter = |key: &str, label: &str| FilterLink {
        label: label.to_owned(),
        href: url(key),
        count: if key == "waiting" && waiting > 0 { waiting.to_string() } else { String::new() },
        active: key == view,
    };
    let filters = vec![filter("waiting", "Waiting for me"), filter("mine", "Made by me"), filter("decided", "Decided")];
    let (cards, pager) = cards(page, &mut conn, found, &url(view), query.cursor.is_some(), wrong).await?;
    Ok(RequestsPage { shell: page.shell(&mut conn, "requests").await?, filters, requests: cards, pager }.into_response())
}

/// `GET /organizations/{org}/requests`.
pub async fn of_organization(page: Page, ApiPath(org): ApiPath<String>, Query(query): Query<InboxQuery>) -> PageResult {
    of_organization_with(&page, &org, &query, None).await
}

async fn of_organization_with(page: &Page, org: &str, query: &InboxQuery, wrong: Option<&Wrong>) -> PageResult {
    let before = Paging { limit: None, cursor: query.cursor.clone() }.cursor()?;
    let decided = query.view == "decided";
    let state = if decided { Wanted::Closed } else { Wanted::Open };
    let mut conn = page.read().await?;
    let (seat, found) = requests::of_organization(&mut conn, &page.caller, &Key::read(org), state, before, most()).await?;
    let url = format!("/organizations/{}/requests", seat.organization.handle);
    let closed = format!("{url}?view=decided");
    let filter =
        |label: &str, href: &str, active| FilterLink { label: label.to_owned(), href: href.to_owned(), count: String::new(), active };
    let filters = vec![filter("Open", &url, !decided), filter("Decided", &closed, decided)];
    let here = if decided { &closed } else { &url };
    let (cards, pager) = cards(page, &mut conn, found, here, query.cursor.is_some(), wrong).await?;
    let head = page.org_head(&mut conn, &seat, "requests").await?;
    Ok(OrgRequestsPage { shell: page.shell(&mut conn, "organizations").await?, org: head, filters, requests: cards, pager }.into_response())
}

fn most() -> i64 {
    i64::try_from(SHOWN + 1).unwrap_or(i64::MAX)
}

/// A rejection without a reason, to be shown at its request.
struct Wrong {
    request: RequestId,
    field: Field,
}

async fn cards(
    page: &Page,
    conn: &mut Conn,
    mut found: Vec<Details>,
    url: &str,
    later: bool,
    wrong: Option<&Wrong>,
) -> PageResult<(Vec<RequestCard>, Pager)> {
    let more = found.len() > SHOWN;
    found.truncate(SHOWN);
    let join = if url.contains('?') { '&' } else { '?' };
    let next = found.last().filter(|_| more).map(|last| format!("{url}{join}cursor={}", encode(&last.request.id)));
    let standing = requests::standing(conn, &page.caller, &found).await?;
    let cards = found.iter().zip(standing).map(|(one, standing)| card(one, &standing, url, wrong)).collect();
    let pager = Pager { summary: String::new(), first: if later { url.to_owned() } else { String::new() }, next: next.unwrap_or_default() };
    Ok((cards, pager))
}

fn card(one: &Details, standing: &Standing, back: &str, wrong: Option<&Wrong>) -> RequestCard {
    let request = &one.request;
    let mut facts = Vec::new();
    if let Some(offer) = &one.offer {
        facts.push(Pair::new("Plan", plan_line(&offer.prices)));
    }
    if let Some(projects) = projects_words(one) {
        facts.push(Pair::new("Projects", projects));
    }
    if request.state.is_open() {
        facts.push(Pair::new("Waits for", whose(one)));
    }
    let permissions = match (&one.offer, request.kind) {
        (Some(offer), RequestKind::Subscribe | RequestKind::AddProjects) => permission_lines(&offer.permissions),
        _ => Vec::new(),
    };
    let mut history = history(one);
    history.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    RequestCard {
        id: request.id.to_string(),
        title: title(one),
        by: one.requested_by.1.clone(),
        when: times::moment(request.created_at),
        state: Badge::state(request.state.word()),
        facts,
        note: request.note.clone(),
        permissions,
        can_decide: standing.may_decide,
        can_withdraw: standing.may_withdraw,
        who_can: if request.state.is_open() && !standing.may_decide {
            let own = if standing.own { "Nobody decides their own request. " } else { "" };
            format!("{own}A reviewer or maintainer of {} decides this.", whose(one))
        } else {
            String::new()
        },
        reason: wrong.filter(|wrong| wrong.request == request.id).map(|wrong| wrong.field.clone()).unwrap_or_default(),
        history: history.into_iter().map(|(_, entry)| entry).collect(),
        back: back.to_owned(),
    }
}

fn whose(one: &Details) -> String {
    match (&one.provider, one.request.step) {
        (Some(provider), Step::Provider) => provider.name.clone(),
        _ => one.organization.name.clone(),
    }
}

fn title(one: &Details) -> String {
    let (who, service) = (&one.organization.name, &one.service.2);
    match one.request.kind {
        RequestKind::Subscribe => format!("{who} asks to subscribe {service}"),
        RequestKind::AddProjects => format!("{who} asks to add projects to {service}"),
        RequestKind::Cancel => format!("{who} asks to cancel {service}"),
        RequestKind::Publish => format!("{who} asks to publish {service}"),
    }
}

fn projects_words(one: &Details) -> Option<String> {
    let names = |wanted: &std::collections::BTreeSet<_>| {
        let names: Vec<_> =
            one.projects.iter().filter(|project| wanted.contains(&project.id)).map(|project| project.name.as_str()).collect();
        names.join(", ")
    };
    let choice = match one.request.kind {
        RequestKind::Subscribe => one.subscription.as_ref().map(|subscription| &subscription.choice)?,
        RequestKind::AddProjects if !one.request.asked.add.is_empty() => return Some(names(&one.request.asked.add)),
        RequestKind::AddProjects => one.request.asked.choice.as_ref()?,
        RequestKind::Cancel | RequestKind::Publish => return None,
    };
    let future = match choice.for_new_project() {
        IncludeFuture::Yes => "; future ones too",
        IncludeFuture::Ask => "; future ones are asked for",
        IncludeFuture::No => "",
    };
    Some(match choice.mode {
        Mode::All => format!("All{future}"),
        Mode::AllExcept => format!("All except {}{future}", names(&choice.projects)),
        Mode::Selected => names(&choice.projects),
    })
}

/// What was asked and decided, with the instants to sort by.
pub(crate) fn history(one: &Details) -> Vec<(Ts, TimelineEntry)> {
    let request = &one.request;
    let entry = |icon, tone, who: &str, what: String, at: Ts, reason: &str| {
        (at, TimelineEntry { icon, tone, who: who.to_owned(), what, when: times::moment(at), reason: reason.to_owned() })
    };
    let asked = match request.kind {
        RequestKind::Subscribe => "asked to subscribe".to_owned(),
        RequestKind::AddProjects => format!("asked to add projects: {}", projects_words(one).unwrap_or_default()),
        RequestKind::Cancel => "asked to cancel".to_owned(),
        RequestKind::Publish => "asked to publish".to_owned(),
    };
    let mut all = vec![entry("send", "", &one.requested_by.1, asked, request.created_at, &request.note)];
    for decision in &one.decisions {
        let side = match (&one.provider, decision.step) {
            (Some(provider), Step::Provider) => &provider.name,
            _ => &one.organization.name,
        };
        let (icon, tone, verb) = match decision.decision {
            Decision::Approved => ("circle-check", "ok", "approved"),
            Decision::Rejected => ("ban", "danger", "rejected"),
            Decision::Withdrawn => ("undo-2", "", "withdrew"),
        };
        let what = match request.kind {
            RequestKind::Subscribe => format!("{verb} the subscription for {side}"),
            RequestKind::AddProjects => format!("{verb} the additional projects for {side}"),
            RequestKind::Cancel => format!("{verb} the cancellation for {side}"),
            RequestKind::Publish => format!("{verb} the publication for {side}"),
        };
        all.push(entry(icon, tone, &decision.decided_by_name, what, decision.decided_at, &decision.comment));
    }
    all
}

/// The form of a decision.
#[derive(Debug, Default, Deserialize)]
pub struct DecisionSent {
    /// The reason, or a comment.
    #[serde(default)]
    pub reason: String,
    /// The page to return to.
    #[serde(default)]
    pub back: String,
}

/// `POST /requests/{request}/approve`.
pub async fn approve(page: Page, ApiPath(id): ApiPath<RequestId>, PageForm(sent): PageForm<DecisionSent>) -> PageResult {
    let mut act = page.begin().await?;
    match requests::approve(&mut act, id, &sent.reason).await {
        Ok(request) => {
            let text = if request.state.is_open() { "Approved. Now the provider decides." } else { "Approved." };
            page.done(act, back(&sent), Flash::ok(text)).await
        }
        Err(error) => again(&page, act, id, &sent, error).await,
    }
}

/// `POST /requests/{request}/reject`.
pub async fn reject(page: Page, ApiPath(id): ApiPath<RequestId>, PageForm(sent): PageForm<DecisionSent>) -> PageResult {
    let mut act = page.begin().await?;
    match requests::reject(&mut act, id, &sent.reason).await {
        Ok(_) => page.done(act, back(&sent), Flash::ok("Rejected. Whoever asked is told why.")).await,
        Err(error) => again(&page, act, id, &sent, error).await,
    }
}

/// `POST /requests/{request}/withdraw`.
pub async fn withdraw(page: Page, ApiPath(id): ApiPath<RequestId>, PageForm(sent): PageForm<DecisionSent>) -> PageResult {
    let mut act = page.begin().await?;
    match requests::withdraw(&mut act, id).await {
        Ok(_) => page.done(act, back(&sent), Flash::ok("The request is withdrawn.")).await,
        Err(error) => again(&page, act, id, &sent, error).await,
    }
}

fn back(sent: &DecisionSent) -> &str {
    local_path(&sent.back).unwrap_or("/requests")
}

/// A conflict (somebody was faster, the service is closed) is told on the list as it is now; what is wrong with the
/// reason stands at its field.
async fn again(page: &Page, act: Act, id: RequestId, sent: &DecisionSent, error: Error) -> PageResult {
    drop(act);
    let mut errors = FormErrors::of(error)?;
    let status = errors.status;
    let at_field = errors.take("/reason").or_else(|| errors.take("/comment"));
    let Some(detail) = at_field else {
        let act = page.begin().await?;
        let text = errors.rest().join(" ");
        return page.done(act, back(sent), Flash::danger(text)).await;
    };
    let wrong = Wrong { request: id, field: Field::wrong(sent.reason.as_str(), detail) };
    let to = back(sent);
    let (path, view) = to.split_once("?view=").unwrap_or((to, ""));
    let query = InboxQuery { view: view.to_owned(), cursor: None };
    let org = path.strip_prefix("/organizations/").and_then(|rest| rest.strip_suffix("/requests"));
    let response = match org {
        Some(org) => of_organization_with(page, org, &query, Some(&wrong)).await?,
        None => inbox_with(page, &query, Some(&wrong)).await?,
    };
    Ok(FormErrors::again(status, response))
}

#[cfg(test)]
mod tests {
    use super::{OrgRequestsPage, RequestsPage};
    use crate::pages::marketplace::FilterLink;
    use crate::pages::{Field, sample};

    fn filters() -> Vec<FilterLink> {
        let filter = |label: &str, active| FilterLink {
            label: label.into(),
            href: "/requests".into(),
            count: if active { "2".into() } else { String::new() },
            active,
        };
        vec![filter("Waiting for me", true), filter("Made by me", false), filter("Decided", false)]
    }

    #[test]
    fn the_inbox_offers_decisions_where_they_are_mine() {
        let mut refused = sample::request("req_2", true);
        refused.reason = Field::wrong("", "Say why, so that they can mend it.");
        let page = RequestsPage {
            shell: sample::shell("requests"),
            filters: filters(),
            requests: vec![sample::request("req_1", true), refused],
            ..RequestsPage::default()
        };
        let html = sample::render("requests", &page);
        assert!(html.contains("/requests/req_1/reject") && html.contains("Say why"));
    }

    #[test]
    fn others_are_told_who_decides() {
        let mut page = OrgRequestsPage {
            shell: sample::shell("organizations"),
            org: sample::org("requests"),
            filters: filters(),
            requests: vec![sample::request("req_1", false)],
            ..OrgRequestsPage::default()
        };
        let html = sample::render("org-requests", &page);
        assert!(html.contains("Ola Birke can decide this") && html.contains("/requests/req_1/withdraw"));
        page.requests.clear();
        assert!(sample::render("org-requests-empty", &page).contains("Nothing here"));
    }
}
