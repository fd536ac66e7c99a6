//! The subscriptions of an organization, and one subscription with its tabs.

use axum::{
    extract::Query,
    response::{IntoResponse, Redirect},
};
use std::collections::BTreeMap;

use serde::Deserialize;
use stoa_actions::{
    locks,
    seats::Seat,
    services,
    subscriptions::{self, Candidate, Details, Filter},
};
use stoa_domain::{
    ids::SubscriptionId,
    organizations::Key,
    permissions::{Permission, Verdict, verdict},
    requests::{RequestKind, RequestState, Step},
    subscriptions::{IncludeFuture, Mode, SubscriptionState},
    suspensions::Cause,
    time::Ts,
};
use stoa_store::Conn;

use super::chart::Chart;
use super::{
    Badge, Choice, Flash, Kpi, Link, OrgHead, Pager, Pair, PermissionLine, ProjectPicker, Shell, TimelineEntry,
    budgets::{self, BudgetCard},
    costs::{of_this_month, usage_tab},
    filters,
    form::{FormErrors, PageForm},
    hue, initials,
    page::{Page, PageResult},
    service_looks::end_note,
    subscription_contract::{ContractTab, notice},
    subscription_history::permissions_tab,
    times,
};
use crate::{
    extract::ApiPath,
    paging::{Paging, encode},
};

/// `GET /organizations/{org}/subscriptions`.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "subscriptions.html")]
pub struct SubscriptionsPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization.
    pub org: OrgHead,
    /// Its subscriptions.
    pub subscriptions: Vec<SubscriptionRow>,
    /// Leads through a long list.
    pub pager: Pager,
}

/// One subscription of the list.
#[derive(Debug, Clone, Default)]
pub struct SubscriptionRow {
    /// The service's name.
    pub service: String,
    /// Its provider's name.
    pub provider: String,
    /// The subscription's page.
    pub href: String,
    /// Letters of its mark.
    pub initials: String,
    /// Colour class of its mark.
    pub hue: u8,
    /// The plan's name.
    pub plan: String,
    /// Such as “All projects” or “4 of 9 projects”.
    pub projects: String,
    /// Since when.
    pub since: String,
    /// Its state.
    pub state: Badge,
    /// What it cost this month.
    pub cost: String,
}

/// `GET /organizations/{org}/subscriptions/{subscription}[/usage|/projects|/permissions]`.
#[derive(Debug, askama::Template, askama_web::WebTemplate)]
#[template(path = "subscription.html")]
pub struct SubscriptionPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization; its crumbs are “Subscriptions” and the service's name.
    pub org: OrgHead,
    /// The subscription's address, without a slash at the end.
    pub url: String,
    /// The service's name.
    pub service: String,
    /// The service's page in the marketplace.
    pub service_href: String,
    /// Letters of its mark.
    pub initials: String,
    /// Colour class of its mark.
    pub hue: u8,
    /// Its provider's name.
    pub provider: String,
    /// The plan's name.
    pub plan: String,
    /// Since when.
    pub since: String,
    /// Its state.
    pub state: Badge,
    /// What its state means and who could go on; may be empty.
    pub state_note: String,
    /// That the service will be retired, and from when on; may be empty.
    pub end_note: String,
    /// What its provider recommends instead.
    pub successor: Option<Link>,
    /// “Cancel subscription”, “Ask to cancel” or “Withdraw request”; empty where it cannot be cancelled.
    pub cancel_label: String,
    /// Whether it is only asked for, so that it is withdrawn without more ado.
    pub is_ahead: bool,
    /// Whether I may pause it now.
    pub can_pause: bool,
    /// Whether I may resume it now.
    pub can_resume: bool,
    /// Whether I may keep it, though it was decided that it ends.
    pub can_keep: bool,
    /// How many projects it uses.
    pub project_count: u64,
    /// The subscription that it follows.
    pub follows: Option<Link>,
    /// Those that follow it.
    pub followed_by: Vec<Link>,
    /// What is to be said of a contract that waits for consent, and where it leads.
    pub contract_note: Option<(String, Link)>,
    /// What the tab shows.
    pub tab: SubscriptionTab,
}

/// The tabs of a subscription.
#[derive(Debug)]
pub enum SubscriptionTab {
    /// Usage and cost by project.
    Usage(UsageTab),
    /// The projects and their change.
    Projects(ProjectsTab),
    /// What it may do, and who decided what, when and why.
    Permissions(PermissionsTab),
    /// What it agreed to, and what waits for consent.
    Contract(Box<ContractTab>),
}

impl SubscriptionTab {
    /// Whether it is the tab of usage.
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        matches!(self, Self::Usage(_))
    }

    /// Whether it is the tab of projects.
    #[must_use]
    pub const fn is_projects(&self) -> bool {
        matches!(self, Self::Projects(_))
    }

    /// Whether it is the tab of the contract.
    #[must_use]
    pub const fn is_contract(&self) -> bool {
        matches!(self, Self::Contract(_))
    }

    /// Whether it is the tab of permissions.
    #[must_use]
    pub const fn is_permissions(&self) -> bool {
        matches!(self, Self::Permissions(_))
    }
}

/// Usage and cost by project.
#[derive(Debug, Clone, Default)]
pub struct UsageTab {
    /// Figures such as this month, last month, projects.
    pub kpis: Vec<Kpi>,
    /// Such as “November 2026 so far, without tax”.
    pub period: String,
    /// The months to choose from.
    pub months: Vec<Choice>,
    /// The chart: a series for each project.
    pub chart: Chart,
    /// The same as rows.
    pub rows: Vec<UsageRow>,
    /// The sum.
    pub total: String,
    /// What a month may cost.
    pub budget: BudgetCard,
}

/// One line of usage or a fee.
#[derive(Debug, Clone, Default)]
pub struct UsageRow {
    /// The project's name, or “All projects” for fees of the whole.
    pub project: String,
    /// The meter or fee.
    pub component: String,
    /// The quantity with its unit; empty for fees.
    pub quantity: String,
    /// The cost.
    pub cost: String,
}

/// The projects of a subscription and their change. The form sends `mode, project…, include_future`;
/// `include_future` is missing where the mode is `selected`.
#[derive(Debug, Clone, Default)]
pub struct ProjectsTab {
    /// Such as “All projects except 2; new ones are included”.
    pub summary: String,
    /// The projects with access.
    pub grants: Vec<GrantedProject>,
    /// The projects that a lock keeps it out of, each with who set it, when and why.
    pub locked: Vec<LockedProject>,
    /// The choice; none where I may change nothing.
    pub picker: Option<ProjectPicker>,
    /// Errors of the form as a whole.
    pub errors: Vec<String>,
    /// What adding means for me, such as “Adding sends a request.”; may be empty.
    pub adding_note: String,
    /// Who could change it, where I may not.
    pub who_can: String,
}

/// A project that a lock keeps the service out of.
#[derive(Debug, Clone, Default)]
pub struct LockedProject {
    /// Its name.
    pub project: String,
    /// Its page.
    pub href: String,
    /// Who set the lock, when and why.
    pub why: String,
}

/// One project with access.
#[derive(Debug, Clone, Default)]
pub struct GrantedProject {
    /// Its name.
    pub project: String,
    /// Its page.
    pub href: String,
    /// Since when.
    pub since: String,
    /// Until when; empty where no end is set.
    pub until: String,
    /// What for; may be empty.
    pub purpose: String,
    /// Where purpose and end are changed; empty where I may not.
    pub edit_href: String,
    /// By whose approval.
    pub approved_by: String,
    /// The grant's state.
    pub state: Badge,
}

/// What it may do, and who decided what, when and why.
#[derive(Debug, Clone, Default)]
pub struct PermissionsTab {
    /// What it may do.
    pub list: Vec<PermissionLine>,
    /// The approval's state: who approved it and when, or what is waited for.
    pub approval: String,
    /// Every decision, the latest first.
    pub history: Vec<TimelineEntry>,
    /// Version of the contract, level, id, resource address and the like.
    pub facts: Vec<Pair>,
}

/// Which page of the list.
#[derive(Debug, Default, Deserialize)]
pub struct ListQuery {
    /// The page after this one.
    #[serde(default)]
    pub cursor: Option<String>,
}

/// How many subscriptions a page shows.
const SHOWN: i64 = 50;

/// `GET /organizations/{org}/subscriptions`.
pub async fn list(page: Page, ApiPath(org): ApiPath<String>, Query(query): Query<ListQuery>) -> PageResult {
    let before = Paging { limit: None, cursor: query.cursor.clone() }.cursor()?;
    let filter = Filter { before, ..Filter::default() };
    let mut conn = page.read().await?;
    let (seat, mut found) = subscriptions::list(&mut conn, &page.caller, &Key::read(&org), filter, SHOWN + 1).await?;
    let more = found.len() > usize::try_from(SHOWN).unwrap_or(usize::MAX);
    found.truncate(usize::try_from(SHOWN).unwrap_or(usize::MAX));
    let url = format!("/organizations/{}/subscriptions", seat.organization.handle);
    let next = found.last().filter(|_| more).map(|last| format!("{url}?cursor={}", encode(&last.subscription.id)));
    let now = page.caller.now;
    let total = page.org_head(&mut conn, &seat, "subscriptions").await?;
    let costs = of_this_month(&mut conn, &page.caller, &seat).await?;
    Ok(SubscriptionsPage {
        shell: page.shell(&mut conn, "organizations").await?,
        subscriptions: found.iter().map(|one| row(one, &url, total.counts.projects, &costs, now)).collect(),
        org: total,
        pager: Pager {
            summary: String::new(),
            first: if query.cursor.is_some() { url } else { String::new() },
            next: next.unwrap_or_default(),
        },
    }
    .into_response())
}

fn row(one: &Details, url: &str, projects: u64, costs: &BTreeMap<SubscriptionId, String>, now: Ts) -> SubscriptionRow {
    let offer = &one.concerned.offer;
    SubscriptionRow {
        service: labelled(one),
        provider: one.concerned.provider.name.clone(),
        href: format!("{url}/{}", one.subscription.id),
        initials: initials(&offer.service_name),
        hue: hue(&offer.service_handle),
        plan: offer.prices.name.clone(),
        projects: choice_words(one, projects, now),
        since: one.subscription.activated_at.map_or_else(|| "–".to_owned(), |at| times::ago(at, now)),
        state: Badge::state(one.state_at(now).word()),
        cost: costs.get(&one.subscription.id).cloned().unwrap_or_default(),
    }
}

/// The service's name, with what tells the subscription apart.
fn labelled(one: &Details) -> String {
    match one.subscription.label.as_str() {
        "" => one.concerned.offer.service_name.clone(),
        label => format!("{} · {label}", one.concerned.offer.service_name),
    }
}

fn live(one: &Details, now: Ts) -> u64 {
    u64::try_from(one.grants.iter().filter(|grant| grant.grant.is_live(now)).count()).unwrap_or(0)
}

/// “All projects”, “4 of 9 projects”.
fn choice_words(one: &Details, all: u64, now: Ts) -> String {
    let plural = |count: u64| if count == 1 { "project" } else { "projects" };
    let choice = &one.subscription.choice;
    if one.subscription.activated_at.is_some() && one.subscription.state.is_live() {
        let live = live(one, now);
        return if live == all && choice.mode == Mode::All {
            "All projects".to_owned()
        } else {
            format!("{live} of {all} {}", plural(all))
        };
    }
    let named = one.named.len();
    match choice.mode {
        Mode::All => "All projects".to_owned(),
        Mode::AllExcept => format!("All projects except {named}"),
        Mode::Selected => format!("{named} {}", plural(u64::try_from(named).unwrap_or(0))),
    }
}

/// `GET /organizations/{org}/subscriptions/{subscription}`: the first tab.
pub async fn show(ApiPath((org, id)): ApiPath<(String, String)>) -> Redirect {
    Redirect::to(&format!("/organizations/{org}/subscriptions/{id}/usage"))
}

/// Which month of usage.
#[derive(Debug, Deserialize)]
pub struct UsageQuery {
    /// `2026-03`; the last one when absent.
    month: Option<String>,
}

/// `GET /organizations/{org}/subscriptions/{subscription}/usage?month=`.
pub async fn usage(page: Page, ApiPath((org, id)): ApiPath<(String, SubscriptionId)>, Query(query): Query<UsageQuery>) -> PageResult {
    let mut conn = page.read().await?;
    let (seat, details) = subscriptions::get(&mut conn, &page.caller, &Key::read(&org), id).await?;
    let mut tab = usage_tab(&mut conn, &details.subscription, page.caller.now, query.month.as_deref()).await?;
    tab.budget = budgets::card(&page, &mut conn, &seat, &details).await?;
    let tab = SubscriptionTab::Usage(tab);
    Ok(whole(&page, &mut conn, &seat, &details, tab).await?.into_response())
}

/// `GET /organizations/{org}/subscriptions/{subscription}/projects`.
pub async fn projects(page: Page, ApiPath((org, id)): ApiPath<(String, SubscriptionId)>) -> PageResult {
    let mut conn = page.read().await?;
    let (seat, details) = subscriptions::get(&mut conn, &page.caller, &Key::read(&org), id).await?;
    let tab = SubscriptionTab::Projects(projects_tab(&page, &mut conn, &seat, &details, None).await?);
    Ok(whole(&page, &mut conn, &seat, &details, tab).await?.into_response())
}

/// `GET /organizations/{org}/subscriptions/{subscription}/permissions`.
pub async fn permissions(page: Page, ApiPath((org, id)): ApiPath<(String, SubscriptionId)>) -> PageResult {
    let mut conn = page.read().await?;
    let (seat, details) = subscriptions::get(&mut conn, &page.caller, &Key::read(&org), id).await?;
    let (held, consents) = subscriptions::agreed(&mut conn, &details.subscription).await?;
    let tab = SubscriptionTab::Permissions(permissions_tab(&page, &details, &held, &consents));
    Ok(whole(&page, &mut conn, &seat, &details, tab).await?.into_response())
}

pub(crate) async fn whole(
    page: &Page,
    conn: &mut Conn,
    seat: &Seat,
    details: &Details,
    tab: SubscriptionTab,
) -> PageResult<SubscriptionPage> {
    let mut org = page.org_head(conn, seat, "subscriptions").await?;
    let offer = &details.concerned.offer;
    let list = format!("{}/subscriptions", org.url());
    org.crumbs = vec![Link::new("Marketplace", list.as_str()), Link::new(offer.service_name.as_str(), "")];
    let subscription = &details.subscription;
    let since = subscription.activated_at.unwrap_or(subscription.created_at);
    let service = services::of_subscription(conn, subscription).await?;
    let successor = match &service {
        Some(service) => services::moves::successor_of(conn, &page.caller, service).await?,
        None => None,
    };
    let cancels = verdict(seat.role, Permission::CancelSubscription) == Verdict::Allowed;
    let now = page.caller.now;
    let state = details.state_at(now);
    let paused = details.held_by().any(|one| one.suspension.cause == Cause::Consumer);
    // An alias is changed where its projects are.
    let alias = details.is_alias();
    let reduces = super::page::may(seat, Permission::ReduceSubscription) && !alias;
    let cancel_label = match state {
        state if !state.is_live() || alias => "",
        SubscriptionState::Requested if cancels || subscription.requested_by == page.me().id => "Withdraw request",
        SubscriptionState::Requested => "",
        SubscriptionState::Provisioning if cancels || subscription.requested_by == page.me().id => "Withdraw",
        SubscriptionState::Provisioning => "",
        _ if cancels => "Cancel subscription",
        _ => "Ask to cancel",
    };
    let url = format!("{list}/{}", subscription.id);
    let contract_note = match alias {
        true => Some(alias_notice(details)),
        false => subscriptions::waiting_of(conn, details).await?.map(|waiting| notice(&waiting, &url)),
    };
    let link = |id: SubscriptionId| Link::new(id.to_string(), format!("{list}/{id}/permissions"));
    let followed_by = subscriptions::followers(conn, subscription).await?.into_iter().map(link).collect();
    Ok(SubscriptionPage {
        shell: page.shell(conn, "organizations").await?,
        follows: subscription.previous.map(link),
        followed_by,
        url,
        org,
        service: labelled(details),
        service_href: format!("/marketplace/{}", offer.service_handle),
        initials: initials(&offer.service_name),
        hue: hue(&offer.service_handle),
        provider: details.concerned.provider.name.clone(),
        plan: offer.prices.name.clone(),
        since: times::long_day(since.day()),
        state: Badge::state(state.word()),
        state_note: state_note(details, now),
        end_note: service.as_ref().map(end_note).unwrap_or_default(),
        successor: successor.map(|other| Link::new(other.name, format!("/marketplace/{}", other.handle))),
        cancel_label: cancel_label.to_owned(),
        is_ahead: state.is_ahead(),
        can_pause: reduces && state.in_force() && !paused,
        can_resume: reduces && state.in_force() && paused,
        can_keep: state.in_force() && !alias && subscription.ends_at.is_some() && super::page::may(seat, Permission::CancelSubscription),
        project_count: live(details, now),
        contract_note,
        tab,
    })
}

/// What a page says of an alias, and where the change of level is.
fn alias_notice(details: &Details) -> (String, Link) {
    let text = "A change of level is under way: another subscription stands in for this one.".to_owned();
    let (org, service) = (&details.concerned.organization.handle, &details.concerned.offer.service_handle);
    (text, Link::new("Look at the change", format!("/organizations/{org}/level-changes/{service}")))
}

/// What holds it up, that it ends, and what is waited for.
fn state_note(details: &Details, now: Ts) -> String {
    let waiting: Vec<_> = details
        .requests
        .iter()
        .filter(|one| one.request.state.is_open())
        .map(|one| {
            let whose = if one.request.step == Step::Provider { &details.concerned.provider } else { &details.concerned.organization };
            let what = match one.request.kind {
                RequestKind::Subscribe => "The subscription",
                RequestKind::AddProjects => "The additional projects",
                RequestKind::ChangePlan => "The other plan",
                RequestKind::AcceptContract => "The consent to the new contract",
                RequestKind::ChangeLevel => "The change of level",
                RequestKind::Cancel => "The wish to cancel",
                RequestKind::Publish => "This",
            };
            if one.request.state == RequestState::NeedsInfo {
                return format!("{what} asked for by {0} waits for an answer of {0} to a question.", one.requested_by.1);
            }
            let rule =
                if one.request.rule.is_empty() { String::new() } else { format!(" It waits because of a rule. {}.", one.request.rule) };
            format!("{what} asked for by {} waits for a reviewer or maintainer of {}.{rule}", one.requested_by.1, whose.name)
        })
        .collect();
    let held = if details.state_at(now).in_force() { super::suspensions::notes(details) } else { Vec::new() };
    let setup = Some(super::setups::sentence(details)).filter(|sentence| !sentence.is_empty());
    held.into_iter().chain(waiting).chain(setup).collect::<Vec<_>>().join(" ")
}

async fn projects_tab(
    page: &Page,
    conn: &mut Conn,
    seat: &Seat,
    details: &Details,
    sent: Option<(&ChoiceSent, FormErrors)>,
) -> PageResult<ProjectsTab> {
    let subscription = &details.subscription;
    let all = subscriptions::projects(conn, seat).await?;
    let url = format!("/organizations/{}/projects", seat.organization.handle);
    let adds = verdict(seat.role, Permission::AddProjects) == Verdict::Allowed;
    let reduces = verdict(seat.role, Permission::ReduceSubscription) == Verdict::Allowed;
    let now = page.caller.now;
    let open = details.state_at(now).in_force() && subscription.project.is_none() && !details.is_alias();
    let locked = locks::keeping_out(conn, seat, subscription.service).await?;
    let named = |one: &Candidate| Choice::new(one.handle.as_str(), one.name.as_str(), subscription.choice.projects.contains(&one.id));
    let mut picker = ProjectPicker {
        mode: subscription.choice.mode.word().to_owned(),
        include_future: subscription.choice.for_new_project().word().to_owned(),
        offers_ask: true,
        projects: all.iter().map(named).collect(),
        error: None,
    };
    let mut errors = Vec::new();
    if let Some((sent, mut wrong)) = sent {
        picker.mode.clone_from(&sent.mode);
        for project in &mut picker.projects {
            project.checked = sent.project.contains(&project.value);
        }
        picker.error = ["/projects", "/mode", "/include_future"].into_iter().filter_map(|pointer| wrong.take(pointer)).next();
        errors = wrong.rest();
    }
    let future = match subscription.choice.for_new_project() {
        IncludeFuture::Yes => "; new ones are included",
        IncludeFuture::Ask => "; new ones are asked for",
        IncludeFuture::No => "",
    };
    Ok(ProjectsTab {
        summary: format!("{}{future}", choice_words(details, u64::try_from(all.len()).unwrap_or(0), now)),
        locked: locked
            .into_iter()
            .map(|(lock, handle, name, who)| LockedProject {
                project: name,
                href: format!("{url}/{handle}"),
                why: match lock.reason.as_str() {
                    "" => format!("locked by {who} {}", times::ago(lock.since, now)),
                    reason => format!("locked by {who} {}: {reason}", times::ago(lock.since, now)),
                },
            })
            .collect(),
        grants: details
            .grants
            .iter()
            .filter(|one| one.grant.is_live(now))
            .map(|one| GrantedProject {
                until: one.grant.ends_at.map_or_else(String::new, |end| times::long_day(end.plus(-1).day())),
                purpose: one.grant.purpose.clone(),
                edit_href: if open {
                    format!("/organizations/{}/subscriptions/{}/projects/{}", seat.organization.handle, subscription.id, one.project.handle)
                } else {
                    String::new()
                },
                project: one.project.name.clone(),
                href: format!("{url}/{}", one.project.handle),
                since: times::ago(one.grant.since, now),
                approved_by: one.approved_by.as_ref().map(|(_, name)| name.clone()).unwrap_or_default(),
                state: Badge::state(details.state_at(now).word()),
            })
            .collect(),
        picker: open.then_some(picker),
        errors,
        adding_note: match (adds, reduces) {
            (true, _) => String::new(),
            (false, true) => "Adding sends a request, which a reviewer or maintainer decides.".to_owned(),
            (false, false) => {
                "You can ask for more projects; a reviewer or maintainer decides. A reviewer, editor or maintainer can take projects out."
                    .to_owned()
            }
        },
        who_can: if open {
            String::new()
        } else if subscription.project.is_some() {
            "This subscription serves one project. To use the service for another one, subscribe it for that one.".to_owned()
        } else {
            format!("The subscription is {}; its projects can’t be changed.", details.state_at(now))
        },
    })
}

/// The form of the projects as it was sent.
#[derive(Debug, Default, Deserialize)]
pub struct ChoiceSent {
    /// How the choice is meant.
    #[serde(default)]
    pub mode: String,
    /// The projects marked.
    #[serde(default)]
    pub project: Vec<String>,
    /// What happens with future projects.
    #[serde(default)]
    pub include_future: String,
}

/// `POST /organizations/{org}/subscriptions/{subscription}/projects`.
pub async fn set_projects(
    page: Page,
    ApiPath((org, id)): ApiPath<(String, SubscriptionId)>,
    PageForm(sent): PageForm<ChoiceSent>,
) -> PageResult {
    let mut act = page.begin().await?;
    let input = super::subscribe::choice(&sent.mode, &sent.project, &sent.include_future);
    let done = match subscriptions::change_projects(&mut act, &Key::read(&org), id, &input).await {
        Ok(done) => done,
        Err(error) => {
            drop(act);
            let errors = FormErrors::of(error)?;
            let status = errors.status;
            let mut conn = page.read().await?;
            let (seat, details) = subscriptions::get(&mut conn, &page.caller, &Key::read(&org), id).await?;
            let tab = projects_tab(&page, &mut conn, &seat, &details, Some((&sent, errors))).await?;
            let again = whole(&page, &mut conn, &seat, &details, SubscriptionTab::Projects(tab)).await?;
            return Ok(FormErrors::again(status, again));
        }
    };
    let flash = match done.request {
        None => Flash::ok("The projects are saved."),
        Some(_) => Flash::ok("What was taken out is out. What was added waits for the decision of a reviewer or maintainer."),
    };
    page.done(act, format!("/organizations/{org}/subscriptions/{id}/projects"), flash).await
}

#[cfg(test)]
mod tests {
    use super::{
        BudgetCard, GrantedProject, PermissionsTab, ProjectsTab, SubscriptionPage, SubscriptionRow, SubscriptionTab, SubscriptionsPage,
        UsageRow, UsageTab,
    };
    use crate::pages::{Badge, Choice, Kpi, Link, Pair, sample};

    fn page(tab: SubscriptionTab) -> SubscriptionPage {
        let mut org = sample::org("subscriptions");
        org.crumbs = vec![Link::new("Subscriptions", "/organizations/aurelia/subscriptions"), Link::new("Load forecast", "")];
        SubscriptionPage {
            follows: Some(Link::new("sub_0", "/organizations/aurelia/subscriptions/sub_0/permissions")),
            followed_by: Vec::new(),
            shell: sample::shell("organizations"),
            org,
            url: "/organizations/aurelia/subscriptions/sub_1".into(),
            service: "Load forecast".into(),
            service_href: "/marketplace/load-forecast".into(),
            initials: "LF".into(),
            hue: 2,
            provider: "Borealis Grid".into(),
            plan: "Standard".into(),
            since: "1 November 2026".into(),
            state: Badge::state("active"),
            state_note: String::new(),
            end_note: String::new(),
            successor: None,
            cancel_label: "Cancel subscription".into(),
            is_ahead: false,
            can_pause: true,
            can_resume: false,
            can_keep: false,
            project_count: 4,
            contract_note: None,
            tab,
        }
    }

    #[test]
    fn the_list_and_its_empty_state() {
        let mut page =
            SubscriptionsPage { shell: sample::shell("organizations"), org: sample::org("subscriptions"), ..SubscriptionsPage::default() };
        assert!(sample::render("subscriptions-empty", &page).contains("No subscriptions yet"));
        let row = |service: &str, state: &str| SubscriptionRow {
            service: service.into(),
            provider: "Borealis Grid".into(),
            href: "/organizations/aurelia/subscriptions/sub_1".into(),
            initials: "LF".into(),
            hue: 2,
            plan: "Standard".into(),
            projects: "4 of 9 projects".into(),
            since: "1 Nov 2026".into(),
            state: Badge::state(state),
            cost: "€ 412.20".into(),
        };
        page.subscriptions = vec![row("Load forecast", "active"), row("Geo tiles", "requested"), row("OCR", "ended")];
        assert!(sample::render("subscriptions", &page).contains("Requested"));
    }

    #[test]
    fn usage_stands_by_project_with_its_cost() {
        let kpi = |label: &str, value: &str| Kpi { label: label.into(), value: value.into(), ..Kpi::default() };
        let row = |project: &str| UsageRow {
            project: project.into(),
            component: "forecasts".into(),
            quantity: "12,400 forecasts".into(),
            cost: "€ 148.80".into(),
        };
        let usage = UsageTab {
            kpis: vec![kpi("This month", "€ 412.20"), kpi("Last month", "€ 398.10")],
            period: "November 2026 so far, without tax".into(),
            months: vec![Choice::new("2026-11", "November 2026", true), Choice::new("2026-10", "October 2026", false)],
            chart: sample::chart(),
            rows: vec![row("Wind park Delta"), row("Grid planning")],
            total: "€ 297.60".into(),
            budget: BudgetCard {
                text: "EUR 40.00 of EUR 100.00 this month.".into(),
                currency: "EUR".into(),
                can_set: true,
                ..BudgetCard::default()
            },
        };
        assert!(sample::render("subscription-usage", &page(SubscriptionTab::Usage(usage))).contains("€ 297.60"));
        let none = page(SubscriptionTab::Usage(UsageTab::default()));
        assert!(sample::render("subscription-usage-empty", &none).contains("No usage yet"));
    }

    #[test]
    fn projects_can_be_changed_by_those_who_may() {
        let mut projects = ProjectsTab {
            summary: "4 of 9 projects".into(),
            grants: vec![GrantedProject {
                project: "Wind park Delta".into(),
                href: "/organizations/aurelia/projects/delta".into(),
                since: "1 Nov 2026".into(),
                approved_by: "Ola Birke".into(),
                purpose: "winter forecast".into(),
                until: "31 March 2027".into(),
                edit_href: "/organizations/aurelia/subscriptions/sub_1/projects/delta".into(),
                state: Badge::state("active"),
            }],
            picker: Some(sample::picker("all_except")),
            adding_note: "Adding sends a request.".into(),
            ..ProjectsTab::default()
        };
        let html = sample::render("subscription-projects", &page(SubscriptionTab::Projects(projects.clone())));
        assert!(html.contains("value=\"all_except\" data-mode checked"));
        projects.picker = None;
        projects.who_can = "A reviewer, editor or maintainer can take projects out.".into();
        let html = sample::render("subscription-projects-viewer", &page(SubscriptionTab::Projects(projects)));
        assert!(html.contains("can take projects out"));
    }

    #[test]
    fn permissions_say_who_decided_what_when_and_why() {
        let permissions = PermissionsTab {
            list: sample::permissions(),
            approval: "Approved by Ola Birke.".into(),
            history: sample::history(),
            facts: vec![Pair::new("Contract", "Version 1"), Pair::new("Id", "sub_01h455vb4pex5vsknk084sn02q")],
        };
        let html = sample::render("subscription-permissions", &page(SubscriptionTab::Permissions(permissions)));
        assert!(html.contains("Welcome aboard."));
    }
}
