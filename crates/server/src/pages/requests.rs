//! Requests: the inbox over all organizations, and those of one organization.

use axum::response::IntoResponse;
use serde::Deserialize;
use stoa_actions::{
    Act, Error,
    level_changes::{Outlook, OutlookPart},
    requests::{self, Details, Standing, View, Wanted},
    subscriptions::{self, Offer},
};
use stoa_domain::{
    differences::ContractDifference,
    handovers::Direction,
    ids::RequestId,
    organizations::Key,
    requests::{Decision, RequestKind, RequestState, Step},
    subscriptions::{IncludeFuture, Mode},
    time::{DAY, Ts},
};
use stoa_store::Conn;

use super::handovers::{HandoverNote, waiting_for_me, waiting_in};
use super::level_changes::outlook_card;
use super::marketplace::FilterLink;
use super::{
    Badge, Choice, Field, Flash, OrgHead, Pager, Pair, PermissionLine, Shell, TimelineEntry, filters,
    form::{FormErrors, PageForm},
    offers::{permission_lines, plan_line},
    page::{Page, PageResult, local_path},
    times,
};
use crate::{
    extract::{ApiPath, ApiQuery},
    paging::{Paging, encode},
};

/// `GET /requests`.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "requests.html")]
pub struct RequestsPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// “Waiting for me”, “Questions asked”, “I asked”, “Decided”, “All”.
    pub filters: Vec<FilterLink>,
    /// The present view, as the form of the states sends it on.
    pub view: String,
    /// The states to choose from; empty where the view has one only.
    pub states: Vec<Choice>,
    /// The services that wait for me to be accepted.
    pub handovers: Vec<HandoverNote>,
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
    /// Unused here: see [`RequestsPage::view`].
    pub view: String,
    /// Unused here: see [`RequestsPage::states`].
    pub states: Vec<Choice>,
    /// The services that are offered to the organization.
    pub handovers: Vec<HandoverNote>,
    /// The requests.
    pub requests: Vec<RequestCard>,
    /// Leads through a long list.
    pub pager: Pager,
}

/// One request. Its form sends `reason` and `back` to `/requests/{id}/approve`, `/reject` or `/ask`.
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
    /// How long ago, such as “3 days ago”.
    pub age: String,
    /// Until when it waits, such as “expires in 3 days, on 12 March 2026”; empty where it waits no more.
    pub deadline: String,
    /// Whether that is soon.
    pub soon: bool,
    /// Its state.
    pub state: Badge,
    /// Plan, projects, price, step and the like.
    pub facts: Vec<Pair>,
    /// The requester's note; may be empty.
    pub note: String,
    /// The rule that makes it wait; may be empty.
    pub rule: String,
    /// The question that waits for an answer; may be empty.
    pub question: String,
    /// What the service would be allowed to do; may be empty.
    pub permissions: Vec<PermissionLine>,
    /// Whether I may decide it.
    pub can_decide: bool,
    /// Whether I may answer the question.
    pub can_answer: bool,
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
#[serde(default)]
pub struct InboxQuery {
    /// `waiting` (when empty), `asked`, `mine`, `decided` or `all`.
    pub view: String,
    /// In this state only; empty for all of the view.
    pub state: String,
    /// The page after this one.
    pub cursor: Option<String>,
}

impl InboxQuery {
    /// From the address of a list.
    fn of(address: &str) -> Self {
        let mut read = Self::default();
        let query = address.split_once('?').map_or("", |(_, query)| query);
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "view" => read.view = value.into_owned(),
                "state" => read.state = value.into_owned(),
                _ => {}
            }
        }
        read
    }

    /// The address of the list, without its page.
    fn address(view: &str, state: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let given = [("view", if view == "waiting" { "" } else { view }), ("state", state)];
        query.extend_pairs(given.into_iter().filter(|(_, value)| !value.is_empty()));
        let query = query.finish();
        if query.is_empty() { "/requests".to_owned() } else { format!("/requests?{query}") }
    }
}

/// How many requests a page shows.
const SHOWN: usize = 20;

/// `GET /requests`.
pub async fn inbox(page: Page, ApiQuery(query): ApiQuery<InboxQuery>) -> PageResult {
    inbox_with(&page, &query, None).await
}

/// The states that a view of the inbox offers.
fn states(view: &str, chosen: &str) -> Vec<Choice> {
    let offered = |state: &&RequestState| match view {
        "mine" | "all" => true,
        "decided" => !state.is_open(),
        _ => false,
    };
    let words: Vec<_> = RequestState::ALL.iter().filter(offered).map(|state| state.word()).collect();
    if words.is_empty() {
        return Vec::new();
    }
    let choice = |word: &str| Choice::new(word, Badge::state(word).text, word == chosen);
    std::iter::once(Choice::new("", "Any state", chosen.is_empty())).chain(words.into_iter().map(choice)).collect()
}

async fn inbox_with(page: &Page, query: &InboxQuery, wrong: Option<&Wrong>) -> PageResult {
    let before = Paging { limit: None, cursor: query.cursor.clone() }.cursor()?;
    let view = match query.view.as_str() {
        known @ ("asked" | "mine" | "decided" | "all") => known,
        _ => "waiting",
    };
    let states = states(view, &query.state);
    let state = states.iter().find(|choice| choice.checked && !choice.value.is_empty()).map_or("", |choice| choice.value.as_str());
    let (which, all) = match view {
        "asked" => (View::Approver, Wanted::In(RequestState::NeedsInfo)),
        "mine" => (View::Requester, Wanted::Any),
        "decided" => (View::Approver, Wanted::Closed),
        "all" => (View::All, Wanted::Any),
        _ => (View::Waiting, Wanted::Open),
    };
    let wanted = state.parse().map_or(all, Wanted::In);
    let mut conn = page.read().await?;
    let found = requests::list(&mut conn, &page.caller, which, wanted, before, most()).await?;
    let counts = requests::counts(&mut conn, &page.caller).await?;
    let filter = |key: &str, label: &str, count: u64| FilterLink {
        label: label.to_owned(),
        href: InboxQuery::address(key, ""),
        count: if count > 0 { count.to_string() } else { String::new() },
        active: key == view,
    };
    let filters = vec![
        filter("waiting", "Waiting for me", counts.waiting),
        filter("asked", "Questions asked", counts.asked),
        filter("mine", "Made by me", counts.mine),
        filter("decided", "Decided", 0),
        filter("all", "All", 0),
    ];
    let here = InboxQuery::address(view, state);
    let (cards, pager) = cards(page, &mut conn, found, &here, query.cursor.is_some(), wrong).await?;
    let shell = page.shell(&mut conn, "requests").await?;
    let handovers = if view == "waiting" { waiting_for_me(page, &mut conn).await? } else { Vec::new() };
    Ok(RequestsPage { shell, filters, view: view.to_owned(), states, handovers, requests: cards, pager }.into_response())
}

/// `GET /organizations/{org}/requests`.
pub async fn of_organization(page: Page, ApiPath(org): ApiPath<String>, ApiQuery(query): ApiQuery<InboxQuery>) -> PageResult {
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
    let handovers = if decided { Vec::new() } else { waiting_in(page, &mut conn, org, Some(Direction::Incoming)).await? };
    let org = page.org_head(&mut conn, &seat, "requests").await?;
    let shell = page.shell(&mut conn, "organizations").await?;
    Ok(OrgRequestsPage { shell, org, filters, handovers, requests: cards, pager, ..OrgRequestsPage::default() }.into_response())
}

fn most() -> i64 {
    i64::try_from(SHOWN + 1).unwrap_or(i64::MAX)
}

/// A decision without a reason, to be shown at its request.
pub(super) struct Wrong {
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
    let cards = found.iter().zip(standing).map(|(one, standing)| card(one, &standing, url, page.caller.now, wrong)).collect();
    let pager = Pager { summary: String::new(), first: if later { url.to_owned() } else { String::new() }, next: next.unwrap_or_default() };
    Ok((cards, pager))
}

pub(super) fn card(one: &Details, standing: &Standing, back: &str, now: Ts, wrong: Option<&Wrong>) -> RequestCard {
    let request = &one.request;
    let mut facts = Vec::new();
    match (&one.offer, &one.asked) {
        (Some(offer), Some(asked)) => {
            facts.push(Pair::new("Plan now", plan_line(&offer.prices)));
            facts.push(Pair::new("Plan asked for", plan_line(&asked.prices)));
            facts.extend(changes(offer, asked));
        }
        (Some(offer), None) => facts.push(Pair::new("Plan", plan_line(&offer.prices))),
        (None, Some(asked)) => facts.push(Pair::new("Plan asked for", plan_line(&asked.prices))),
        (None, None) => {}
    }
    if let Some(outlook) = &one.outlook {
        facts.extend(level_facts(outlook));
    }
    if let Some(projects) = projects_words(one) {
        facts.push(Pair::new("Projects", projects));
    }
    if request.state.is_open() {
        facts.push(Pair::new("Waits for", if request.state == RequestState::NeedsInfo { &one.requested_by.1 } else { whose(one) }));
    }
    let permissions = match (&one.offer, request.kind) {
        (Some(offer), RequestKind::Subscribe | RequestKind::AddProjects) => permission_lines(&offer.permissions),
        (_, RequestKind::ChangeLevel) => one.asked.as_ref().map(|asked| permission_lines(&asked.permissions)).unwrap_or_default(),
        _ => Vec::new(),
    };
    let mut history = history(one);
    // The latest first; of what happened at the same instant what came later.
    history.reverse();
    history.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let asked = one.decisions.iter().rev().find(|said| said.decision == Decision::Asked);
    RequestCard {
        id: request.id.to_string(),
        title: title(one),
        by: one.requested_by.1.clone(),
        when: times::moment(request.created_at),
        age: times::since(request.created_at, now),
        deadline: if request.state.is_open() { times::until(request.expires_at, now) } else { String::new() },
        soon: request.state.is_open() && request.expires_at < now.plus(3 * DAY),
        state: Badge::state(request.state.word()),
        facts,
        note: request.note.clone(),
        rule: if request.state.is_open() { request.rule.clone() } else { String::new() },
        question: asked.filter(|_| request.state == RequestState::NeedsInfo).map(|said| said.comment.clone()).unwrap_or_default(),
        permissions,
        can_decide: standing.may_decide,
        can_answer: standing.may_answer,
        can_withdraw: standing.may_withdraw,
        who_can: if request.state.is_open() && !standing.may_decide && !standing.may_answer {
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

/// What a change of level would come to: what becomes of the subscriptions, what it costs, and what the service may do.
fn level_facts(outlook: &Outlook) -> Vec<Pair> {
    let card = outlook_card(outlook, None);
    let mut facts = vec![Pair::new("Subscriptions", card.summary)];
    facts.extend(card.facts.into_iter().filter(|fact| fact.label != "Plan"));
    let parts = |goes: bool| {
        let part = |part: &OutlookPart| match &part.to {
            Some(to) if goes => format!("{} ({} → {to})", part.project.1, part.from),
            _ => format!("{} ({})", part.project.1, part.from),
        };
        outlook.parts.iter().filter(|part| part.goes == goes).map(part).collect::<Vec<_>>().join(", ")
    };
    for (label, parts) in [("Goes along", parts(true)), ("Stays behind", parts(false))] {
        facts.extend((!parts.is_empty()).then(|| Pair::new(label, parts)));
    }
    facts
}

/// What another plan or contract would change, in words.
fn changes(now: &Offer, asked: &Offer) -> Vec<Pair> {
    let side = |offer| subscriptions::side_of(offer);
    let sentences = ContractDifference::between(side(now), side(asked)).sentences();
    let text: Vec<_> = sentences.into_iter().map(|one| one.text).collect();
    if text.is_empty() { vec![Pair::new("Changes", "Nothing changes.")] } else { vec![Pair::new("Changes", text.join(" "))] }
}

fn whose(one: &Details) -> &str {
    match (&one.provider, one.request.step) {
        (Some(provider), Step::Provider) => &provider.name,
        _ => &one.organization.name,
    }
}

pub(super) fn title(one: &Details) -> String {
    one.request.kind.title(&one.organization.name, &one.service.2)
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
        RequestKind::AcceptContract | RequestKind::ChangeLevel => {
            return one.request.asked.consented.as_ref().map(|only| format!("Only {}", names(only)));
        }
        RequestKind::ChangePlan | RequestKind::Cancel | RequestKind::Publish => return None,
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
        RequestKind::ChangePlan => format!("asked for the plan {}", one.asked.as_ref().map_or("", |offer| &offer.prices.name)),
        RequestKind::AcceptContract => match &one.asked {
            Some(offer) => format!("asked to accept version {} of the contract", offer.version),
            None => "asked to accept the new contract".to_owned(),
        },
        RequestKind::ChangeLevel => format!("asked to change the level: {}", projects_words(one).unwrap_or_default()),
        RequestKind::Cancel => "asked to cancel".to_owned(),
        RequestKind::Publish => "asked to publish".to_owned(),
    };
    let mut all = vec![entry("send", "", &one.requested_by.1, asked, request.created_at, &request.note)];
    for decision in &one.decisions {
        let side = match (&one.provider, decision.step) {
            (Some(provider), Step::Provider) => &provider.name,
            _ => &one.organization.name,
        };
        let stead = decision.on_behalf_of.as_ref().map(|(_, name)| format!(", in the stead of {name}")).unwrap_or_default();
        let void = if decision.void { "; this counts no more, because more is asked for since" } else { "" };
        let subject = match request.kind {
            RequestKind::Subscribe => "the subscription",
            RequestKind::AddProjects => "the additional projects",
            RequestKind::ChangePlan => "the other plan",
            RequestKind::AcceptContract => "the consent to the new contract",
            RequestKind::ChangeLevel => "the change of level",
            RequestKind::Cancel => "the cancellation",
            RequestKind::Publish => "the publication",
        };
        let changes =
            if decision.changes.is_empty() { String::new() } else { format!(" and changed the request: {}", decision.changes.join("; ")) };
        let (icon, tone, what) = match decision.decision {
            Decision::Approved => ("circle-check", "ok", format!("approved {subject} for {side}{stead}{void}")),
            Decision::Rejected => ("ban", "danger", format!("rejected {subject} for {side}{stead}")),
            Decision::Withdrawn => ("undo-2", "", format!("withdrew {subject} for {side}")),
            Decision::Asked => ("message-square", "warn", format!("asked for {side}{stead}")),
            Decision::Answered => ("message-square", "", format!("answered{changes}")),
        };
        all.push(entry(icon, tone, &decision.decided_by_name, what, decision.decided_at, &decision.comment));
    }
    if let (RequestState::Expired, Some(at)) = (request.state, request.decided_at) {
        all.push(entry("clock", "warn", "Stoa", "closed the request, because nobody decided it in time".to_owned(), at, ""));
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
        Ok(request) if request.state.is_open() => {
            let (conn, caller) = act.reading();
            let details = requests::of_one(conn, caller, request).await?;
            page.done(act, back(&sent), Flash::ok(format!("Approved. Now {} decides.", whose(&details)))).await
        }
        Ok(_) => page.done(act, back(&sent), Flash::ok("Approved.")).await,
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

/// `POST /requests/{request}/ask`.
pub async fn ask(page: Page, ApiPath(id): ApiPath<RequestId>, PageForm(sent): PageForm<DecisionSent>) -> PageResult {
    let mut act = page.begin().await?;
    match requests::ask(&mut act, id, &sent.reason).await {
        Ok(_) => page.done(act, back(&sent), Flash::ok("Asked. The request waits for the answer.")).await,
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
    let at_field = ["/reason", "/comment", "/question"].into_iter().filter_map(|pointer| errors.take(pointer)).next();
    let to = back(sent);
    let detail = match at_field {
        Some(detail) => detail,
        // What can be sent again as it is keeps its reason.
        None if status.is_for_later() => errors.rest().join(" "),
        None => return page.say(to, Flash::danger(errors.rest().join(" "))).await,
    };
    let wrong = Wrong { request: id, field: Field::wrong(sent.reason.as_str(), detail) };
    let path = to.split_once('?').map_or(to, |(path, _)| path);
    let query = InboxQuery::of(to);
    let org = path.strip_prefix("/organizations/").and_then(|rest| rest.strip_suffix("/requests"));
    let response = match org {
        Some(org) => of_organization_with(page, org, &query, Some(&wrong)).await?,
        None if path == format!("/requests/{id}") => super::request::shown(page, id, None, Some(&wrong)).await?.into_response(),
        None => inbox_with(page, &query, Some(&wrong)).await?,
    };
    Ok(FormErrors::again(status, response))
}

#[cfg(test)]
mod tests {
    use super::{InboxQuery, OrgRequestsPage, RequestsPage, states};
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
        assert!(html.contains("/requests/req_1/reject") && html.contains("/requests/req_1/ask") && html.contains("Say why"));
    }

    #[test]
    fn views_offer_the_states_that_they_can_have_and_addresses_read_back() {
        assert!(states("waiting", "").is_empty() && states("asked", "open").is_empty());
        let words = |view: &str| states(view, "rejected").into_iter().map(|choice| choice.value).collect::<Vec<_>>();
        assert_eq!(words("decided"), ["", "approved", "rejected", "withdrawn", "expired"]);
        assert_eq!(words("mine").len(), 7);
        assert_eq!(InboxQuery::address("waiting", ""), "/requests");
        let address = InboxQuery::address("mine", "needs_info");
        assert_eq!(address, "/requests?view=mine&state=needs_info");
        let read = InboxQuery::of(&address);
        assert_eq!((read.view.as_str(), read.state.as_str()), ("mine", "needs_info"));
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
