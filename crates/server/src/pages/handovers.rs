//! Handing a service over: the page on which both sides see the offer and answer it, and where else it is told.

mod offering;

use axum::response::IntoResponse;
use stoa_actions::{
    Act, Error,
    handovers::{self, Details, Standing, Wanted},
    seats,
    services::ServiceDetails,
};
use stoa_domain::{
    handovers::{Direction, Handover, HandoverState},
    ids::HandoverId,
    organizations::Key,
    permissions::Permission,
};
use stoa_store::{Conn, handovers::Load};

pub use offering::{ask, offer};

use super::{
    Badge, Flash, Link, OrgHead, Pair, Shell, filters,
    form::FormErrors,
    page::{Page, PageResult},
    times,
};
use crate::extract::ApiPath;

/// `GET /organizations/{org}/handovers/{handover}`, and again when an answer was refused.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "handover.html")]
pub struct HandoverPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization; its crumbs are “Services” and this.
    pub org: OrgHead,
    /// Such as “Load forecast for Borealis Grid”.
    pub heading: String,
    /// What it does, in one line.
    pub summary: String,
    /// Its state.
    pub state: Badge,
    /// Why an answer was refused.
    pub errors: Vec<String>,
    /// What it means for this side, or what became of it.
    pub lead: String,
    /// Who, to whom, until when.
    pub facts: Vec<Pair>,
    /// What whoever offers it wrote; may be empty.
    pub note: String,
    /// What comes with it, in sentences; empty once it is closed.
    pub says: Vec<String>,
    /// Where the answers are sent, without the verb.
    pub action: String,
    /// Whether I may accept or decline it.
    pub may_decide: bool,
    /// Whether I may take it back.
    pub may_withdraw: bool,
    /// Who could, where I may not; may be empty.
    pub who_can: String,
}

/// A hand-over that waits, in a list.
#[derive(Debug, Clone, Default)]
pub struct HandoverNote {
    /// Such as “Aurelia Energy offers Load forecast to Borealis Grid”.
    pub text: String,
    /// Such as “expires in 3 days, on 12 March 2026”.
    pub until: String,
    /// Its page.
    pub href: String,
    /// Whether it is offered to the organization whose page this is.
    pub incoming: bool,
}

fn count(number: u64, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

/// What goes along with a service, in sentences, as `you` reads it: whoever takes it, or whoever gives it away.
fn along(name: &str, state: &str, application: Option<&str>, load: &Load, taking: bool) -> Vec<String> {
    let mut says = vec![format!("{name} stays {state}. Its address, contracts, prices, texts and pictures stay as they are.")];
    if load.subscriptions > 0 {
        let (orgs, subs) = (
            count(load.subscribers, "organization", "organizations"),
            count(load.subscriptions, "subscription in force", "subscriptions in force"),
        );
        let go = if load.subscribers == 1 { "goes" } else { "go" };
        says.push(format!("{orgs} with {subs} {go} along. For subscribers nothing changes but who provides it, of which they are told."));
    } else {
        says.push("Nobody subscribes it now.".to_owned());
    }
    if load.requests > 0 {
        let requests = count(load.requests, "open request", "open requests");
        says.push(format!("{requests} about it: the new provider decides, and has at least a week."));
    }
    says.push(format!("{} of its contract, with all plans and consents.", count(load.contracts, "version", "versions")));
    if load.audience > 0 {
        says.push(format!("Whom it is for: {}.", count(load.audience, "named organization", "named organizations")));
    }
    if let Some(application) = application {
        says.push(if taking {
            format!(
                "The application {application} with its secrets, which work on. Whoever ran it until now may know them: make new ones \
                 afterwards."
            )
        } else {
            format!(
                "The application {application} with its secrets, which work on. It is shared with nobody in your organization any more."
            )
        });
    }
    says
}

/// What a hand-over means for the organization whose page it is, or what became of it.
fn lead(details: &Details, direction: Direction) -> String {
    let (from, to, service) = (&details.from.name, &details.to.name, &details.service.name);
    let by = details.decided_by.as_ref().map_or("Somebody", |(_, name)| name.as_str());
    match (details.handover.state, direction) {
        (HandoverState::Open, Direction::Incoming) => {
            format!("{from} offers {service} to {to}. Accepted, {to} is its provider at once, with all that comes with it:")
        }
        (HandoverState::Open, Direction::Outgoing) => {
            format!("{service} is offered to {to}. Until it is accepted, nothing changes. What goes along:")
        }
        (HandoverState::Accepted, _) => format!("{by} accepted it: {to} provides {service} since then."),
        (HandoverState::Declined, _) => format!("{by} declined it: {from} went on providing {service}."),
        (HandoverState::Withdrawn, _) => format!("{by} took the offer back: {from} went on providing {service}."),
        (HandoverState::Expired, _) => format!("Nobody answered in time: {from} went on providing {service}."),
    }
}

fn facts(details: &Details) -> Vec<Pair> {
    let Details { handover, from, to, offered_by, .. } = details;
    let mut facts = vec![
        Pair::new("From", from.name.as_str()),
        Pair::new("To", to.name.as_str()),
        Pair::new("Offered", format!("{}, by {}", times::moment(handover.offered_at), offered_by.1)),
    ];
    if handover.state == HandoverState::Open {
        facts.push(Pair::new("Waits until", times::moment(handover.expires_at)));
    }
    facts.extend(handover.decided_at.map(|at| Pair::new("Closed", times::moment(at))));
    facts
}

fn who_can(details: &Details, standing: Standing, direction: Direction) -> String {
    match direction {
        _ if details.handover.state != HandoverState::Open => String::new(),
        Direction::Incoming if !standing.may_decide => format!("A maintainer of {} accepts or declines it.", details.to.name),
        Direction::Outgoing if !standing.may_withdraw => format!("A maintainer of {} can take it back.", details.from.name),
        _ => String::new(),
    }
}

async fn handover_page(page: &Page, conn: &mut Conn, org: &str, id: HandoverId) -> PageResult<HandoverPage> {
    let (details, standing) = handovers::get(conn, &page.caller, id).await?;
    let seat = seats::allowed(conn, &page.caller, &Key::read(org), Permission::View).await?;
    let direction = details.handover.direction(seat.organization.id).ok_or(Error::NotFound("hand-over"))?;
    let mut org = page.org_head(conn, &seat, "services").await?;
    let list = format!("{}/services", org.url());
    org.crumbs = vec![Link::new("Services", list), Link::new(format!("Hand-over of {}", details.service.name), "")];
    let open = details.handover.state == HandoverState::Open;
    let application = details.service.application.as_ref().map(|(_, name)| name.as_str());
    let service = &details.service;
    let taking = direction == Direction::Incoming;
    Ok(HandoverPage {
        shell: page.shell(conn, "organizations").await?,
        heading: format!("{} for {}", service.name, details.to.name),
        summary: service.summary.clone(),
        state: Badge::state(details.handover.state.word()),
        lead: lead(&details, direction),
        facts: facts(&details),
        note: details.handover.note.clone(),
        says: if open { along(&service.name, service.state.words(), application, &service.load, taking) } else { Vec::new() },
        action: format!("{}/handovers/{id}", org.url()),
        may_decide: standing.may_decide && taking,
        may_withdraw: standing.may_withdraw && !taking,
        who_can: who_can(&details, standing, direction),
        org,
        ..HandoverPage::default()
    })
}

/// `GET /organizations/{org}/handovers/{handover}`.
pub async fn show(page: Page, ApiPath((org, id)): ApiPath<(String, HandoverId)>) -> PageResult {
    let mut conn = page.read().await?;
    Ok(handover_page(&page, &mut conn, &org, id).await?.into_response())
}

async fn refused(page: &Page, org: &str, id: HandoverId, error: Error) -> PageResult {
    let errors = FormErrors::of(error)?;
    let status = errors.status;
    let mut conn = page.read().await?;
    let mut shown = handover_page(page, &mut conn, org, id).await?;
    shown.errors = errors.rest();
    Ok(FormErrors::again(status, shown))
}

/// Leads on to where the service is for whoever answered.
async fn finish(page: &Page, mut act: Act, org: &str, done: Handover) -> PageResult {
    let details = handovers::of_one(&mut act.tx, done).await?;
    let (service, from, to) = (&details.service, &details.from, &details.to);
    let (told, place) = match details.handover.state {
        HandoverState::Accepted => (
            format!("{} provides {} now. Make new secrets for its application.", to.name, service.name),
            format!("/organizations/{}/services/{}", to.handle, service.handle),
        ),
        HandoverState::Declined => (format!("{} stays with {}.", service.name, from.name), format!("/organizations/{org}/services")),
        _ => (
            format!("{} is no longer offered to {}.", service.name, to.name),
            format!("/organizations/{}/services/{}", from.handle, service.handle),
        ),
    };
    page.done(act, place, Flash::ok(told)).await
}

/// Where a decision leads, or the page again with why it was refused.
async fn answered(page: &Page, act: Act, (org, id): (&str, HandoverId), done: Result<Handover, Error>) -> PageResult {
    match done {
        Ok(done) => finish(page, act, org, done).await,
        Err(error) => {
            drop(act);
            refused(page, org, id, error).await
        }
    }
}

/// `POST /organizations/{org}/handovers/{handover}/accept`.
pub async fn accept(page: Page, ApiPath((org, id)): ApiPath<(String, HandoverId)>) -> PageResult {
    let mut act = page.begin().await?;
    let done = handovers::accept(&mut act, id).await;
    answered(&page, act, (&org, id), done).await
}

/// `POST /organizations/{org}/handovers/{handover}/decline`.
pub async fn decline(page: Page, ApiPath((org, id)): ApiPath<(String, HandoverId)>) -> PageResult {
    let mut act = page.begin().await?;
    let done = handovers::decline(&mut act, id).await;
    answered(&page, act, (&org, id), done).await
}

/// `POST /organizations/{org}/handovers/{handover}/withdraw`.
pub async fn withdraw(page: Page, ApiPath((org, id)): ApiPath<(String, HandoverId)>) -> PageResult {
    let mut act = page.begin().await?;
    let done = handovers::withdraw(&mut act, id).await;
    answered(&page, act, (&org, id), done).await
}

fn note_of(page: &Page, one: &Details, org: &str, incoming: bool) -> HandoverNote {
    HandoverNote {
        text: format!("{} offers {} to {}", one.from.name, one.service.name, one.to.name),
        until: times::until(one.handover.expires_at, page.caller.now),
        href: format!("/organizations/{org}/handovers/{}", one.handover.id),
        incoming,
    }
}

/// The most hand-overs that a page names.
const MOST: i64 = 20;

/// What waits on an organization's side or its partner's, for its page of services; what is offered to it first.
///
/// # Errors
/// 401, 404.
pub async fn waiting_in(page: &Page, conn: &mut Conn, org: &str, direction: Option<Direction>) -> PageResult<Vec<HandoverNote>> {
    let wanted = Wanted { state: Some(HandoverState::Open), direction, ..Wanted::default() };
    let (seat, mut open) = handovers::list(conn, &page.caller, &Key::read(org), wanted, MOST).await?;
    open.retain(|one| one.handover.expires_at > page.caller.now);
    let id = seat.organization.id;
    let mut notes: Vec<_> = open.iter().map(|one| note_of(page, one, &seat.organization.handle, one.to.id == id)).collect();
    notes.sort_by_key(|one| !one.incoming);
    Ok(notes)
}

/// What waits for the visitor to be accepted, over all organizations.
///
/// # Errors
/// 401.
pub async fn waiting_for_me(page: &Page, conn: &mut Conn) -> PageResult<Vec<HandoverNote>> {
    let waiting = handovers::waiting_for(conn, &page.caller).await?;
    Ok(waiting.iter().map(|one| note_of(page, one, &one.to.handle, true)).collect())
}

/// The offer of a service that waits, for its provider's page of it.
///
/// # Errors
/// 503.
pub async fn waiting_of(page: &Page, conn: &mut Conn, details: &ServiceDetails) -> PageResult<Option<HandoverNote>> {
    let open = handovers::open_of_service(conn, &details.service).await?;
    let open = open.filter(|open| open.handover.expires_at > page.caller.now);
    Ok(open.map(|open| HandoverNote {
        text: format!("Offered to {} by {}. Nothing changes until it is accepted", open.to.name, open.offered_by.1),
        ..note_of(page, &open, &details.provider.handle, false)
    }))
}

#[cfg(test)]
pub(in crate::pages) mod tests {
    use stoa_store::handovers::Load;

    use super::{HandoverPage, along};
    use crate::pages::{Badge, Link, OrgHead, Pair, sample};

    pub(super) const LOAD: Load = Load { subscribers: 2, subscriptions: 3, requests: 1, contracts: 1, audience: 0 };

    pub(super) fn org() -> OrgHead {
        OrgHead { crumbs: vec![Link::new("Services", ""), Link::new("Load forecast", "")], ..sample::org("services") }
    }

    #[test]
    fn each_side_sees_what_it_may_do() {
        let mut page = HandoverPage {
            shell: sample::shell("organizations"),
            org: org(),
            heading: "Load forecast for Borealis Grid".into(),
            summary: "Forecasts the load of each project.".into(),
            state: Badge::state("open"),
            lead: "Aurelia Energy offers Load forecast to Borealis Grid.".into(),
            facts: vec![Pair::new("From", "Aurelia Energy")],
            note: "You run the meters anyway.".into(),
            says: along("Load forecast", "published", Some("Engine"), &LOAD, true),
            action: "/organizations/borealis/handovers/hov_1".into(),
            may_decide: true,
            ..HandoverPage::default()
        };
        let html = sample::render("handover-incoming", &page);
        assert!(html.contains("/hov_1/accept") && html.contains("/hov_1/decline") && !html.contains("/hov_1/withdraw"));
        assert!(html.contains("make new ones afterwards") && html.contains("You run the meters anyway."));
        (page.may_decide, page.may_withdraw) = (false, true);
        let html = sample::render("handover-outgoing", &page);
        assert!(html.contains("/hov_1/withdraw") && !html.contains("/hov_1/accept"));
        (page.may_withdraw, page.who_can) = (false, "A maintainer of Borealis Grid accepts or declines it.".into());
        let html = sample::render("handover-viewer", &page);
        assert!(html.contains("A maintainer of Borealis Grid accepts") && !html.contains("<button class=\"btn primary\">"));
    }
}
