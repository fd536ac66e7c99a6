//! The Contract tab of a subscription: what it agreed to, the contract that waits for consent, and another plan.

use axum::response::IntoResponse;
use serde::Deserialize;
use stoa_actions::{
    consents::ConsentDetails,
    seats::Seat,
    subscriptions::{self, Acceptance, ContractStanding, Details, Waiting},
};
use stoa_domain::{
    consents::{ConsentKind, digits},
    differences::{Sentence, Weight},
    ids::{ContractId, SubscriptionId},
    offers::OfferState,
    organizations::Key,
    permissions::Verdict,
    subscriptions::SubscriptionState,
};
use stoa_store::Conn;

use super::{
    Choice, Flash, Link, Pair, PermissionLine, PlanView,
    form::{FormErrors, PageForm},
    offers::{permission_lines, plan_line, plan_view},
    page::{Page, PageResult},
    subscriptions::{SubscriptionTab, whole},
    times,
};
use crate::extract::ApiPath;

/// A change in words, with how it looks.
#[derive(Debug, Clone, Default)]
pub struct ChangeLine {
    /// The sentence.
    pub text: String,
    /// “More”, “Less” or “Other”.
    pub label: &'static str,
    /// The class of its badge.
    pub tone: &'static str,
    /// Its icon.
    pub icon: &'static str,
}

impl From<Sentence> for ChangeLine {
    fn from(sentence: Sentence) -> Self {
        let (label, tone, icon) = match sentence.weight {
            Weight::More => ("More", "warn", "triangle-alert"),
            Weight::Other => ("Other", "", "info"),
            Weight::Less => ("Less", "ok", "check"),
        };
        Self { text: sentence.text, label, tone, icon }
    }
}

/// What it agreed to, what waits for consent, and who consented to what.
#[derive(Debug, Clone, Default)]
pub struct ContractTab {
    /// The contract that waits for consent.
    pub waiting: Option<WaitingContract>,
    /// The present version.
    pub version: String,
    /// The present plan in one line.
    pub plan: String,
    /// The plans to choose from; empty where there is no other, or it cannot be changed now.
    pub plans: Vec<PlanView>,
    /// “Change plan” or “Ask for this plan”.
    pub plan_label: &'static str,
    /// Errors of the form that was sent.
    pub errors: Vec<String>,
    /// What it may do.
    pub permissions: Vec<PermissionLine>,
    /// Version, level, terms and the like.
    pub facts: Vec<Pair>,
    /// What it had since when, the latest first.
    pub held: Vec<Pair>,
    /// The consents, the latest first.
    pub consents: Vec<ConsentRow>,
    /// Whether the first agreement is older than the evidence.
    pub unproven: bool,
}

/// A contract that waits for consent.
#[derive(Debug, Clone, Default)]
pub struct WaitingContract {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// The present version.
    pub present: String,
    /// Who offers it.
    pub provider: String,
    /// When it was offered.
    pub offered: String,
    /// The day on which the subscription ends without it; may be empty.
    pub until: String,
    /// Whether it was refused.
    pub refused: bool,
    /// What would change.
    pub changes: Vec<ChangeLine>,
    /// Whether nothing would change but the version.
    pub nothing: bool,
    /// The plan that follows, in one line; empty where one has to be chosen.
    pub plan: String,
    /// The plans to choose from, where none follows by itself.
    pub plans: Vec<Choice>,
    /// The projects for which it may be accepted alone; empty where there are not several.
    pub projects: Vec<Choice>,
    /// Whether the choice of some projects was sent.
    pub some: bool,
    /// “Accept version 2” or “Ask to accept version 2”.
    pub accept_label: String,
    /// What accepting takes, where it is not at once; may be empty.
    pub accept_note: String,
    /// Whether I may refuse it.
    pub can_refuse: bool,
    /// What a refusal means.
    pub refusal: String,
    /// Whether a request to accept it waits already.
    pub asked: bool,
    /// Where it is accepted for all subscriptions of the service together, because it is at another level; may be empty.
    pub level_href: String,
}

/// A consent.
#[derive(Debug, Clone, Default)]
pub struct ConsentRow {
    /// When.
    pub when: String,
    /// Who; and who approved it.
    pub who: String,
    /// To what.
    pub what: String,
    /// At what price.
    pub price: String,
    /// With which permissions.
    pub permissions: String,
    /// For which projects.
    pub projects: String,
    /// The hash of the contract's words.
    pub hash: String,
}

/// What a page says of a contract that waits for consent, and where it leads.
#[must_use]
pub fn notice(waiting: &Waiting, url: &str) -> (String, Link) {
    let version = waiting.contract.version;
    let first = match waiting.offer.state {
        OfferState::Refused => format!("Version {version} of the contract was refused."),
        _ => format!("Version {version} of the contract waits for your consent."),
    };
    let then = match waiting.offer.until {
        Some(until) => format!("Unless it is accepted, this subscription ends on {}.", times::long_day(until.day())),
        None => "Until it is accepted, this subscription keeps the contract it has.".to_owned(),
    };
    (format!("{first} {then}"), Link::new("See what changes", format!("{url}/contract")))
}

fn contract_tab(details: &Details, standing: &ContractStanding, sent: Option<(&AcceptSent, FormErrors)>) -> ContractTab {
    let offer = &details.concerned.offer;
    let at_once = standing.verdict == Verdict::Allowed;
    let in_force = matches!(details.subscription.state, SubscriptionState::Active | SubscriptionState::Suspended);
    let level = match offer.level {
        stoa_domain::services::Level::Organization => "Organization",
        stoa_domain::services::Level::Project => "Project",
    };
    let mut facts =
        vec![Pair::new("Version", offer.version.to_string()), Pair::new("Level", level), Pair::new("Contract", offer.contract.to_string())];
    facts.extend(offer.terms_url.as_ref().map(|url| Pair::new("Terms", url.as_str())));
    let held = |held: &subscriptions::Held| {
        Pair::new(times::moment(held.since), format!("Version {}, plan {}", held.offer.version, held.offer.prices.name))
    };
    let (accept, errors) = match sent {
        Some((accept, errors)) => (Some(accept), errors.rest()),
        None => (None, Vec::new()),
    };
    let waiting = standing.waiting.as_ref().filter(|_| in_force).map(|waiting| waiting_contract(details, waiting, at_once, accept));
    let several = in_force && standing.plans.len() > 1;
    let first_kept = standing.consents.iter().any(|one| one.consent.kind == ConsentKind::Subscribed);
    ContractTab {
        waiting,
        version: offer.version.to_string(),
        plan: plan_line(&offer.prices),
        plans: standing.plans.iter().filter(|_| several).map(|kept| plan_view(kept.id, &kept.plan, kept.id == offer.plan)).collect(),
        plan_label: if at_once { "Change plan" } else { "Ask for this plan" },
        errors,
        permissions: permission_lines(&offer.permissions),
        facts,
        held: standing.held.iter().rev().map(held).collect(),
        consents: standing.consents.iter().rev().map(consent_row).collect(),
        unproven: details.subscription.activated_at.is_some() && !first_kept,
    }
}

/// Where a contract at another level is accepted; empty for one at the same level.
fn level_href(details: &Details, waiting: &Waiting) -> String {
    let offer = &details.concerned.offer;
    if offer.level == waiting.contract.level {
        return String::new();
    }
    format!("/organizations/{}/level-changes/{}", details.concerned.organization.handle, offer.service_handle)
}

fn waiting_contract(details: &Details, waiting: &Waiting, at_once: bool, sent: Option<&AcceptSent>) -> WaitingContract {
    let present = &details.concerned.offer;
    let version = waiting.contract.version;
    let until = waiting.offer.until.map(|until| times::long_day(until.day())).unwrap_or_default();
    let granted = details.grants.iter().filter(|one| one.grant.until.is_none());
    let mut projects: Vec<_> = granted
        .map(|one| {
            let checked = sent.is_none_or(|sent| sent.project.contains(&one.project.handle));
            Choice::new(one.project.handle.as_str(), one.project.name.as_str(), checked)
        })
        .collect();
    if details.subscription.project.is_some() || projects.len() < 2 {
        projects.clear();
    }
    let changes: Vec<ChangeLine> =
        waiting.difference.as_ref().map(|one| one.sentences().into_iter().map(ChangeLine::from).collect()).unwrap_or_default();
    let refusal = if until.is_empty() {
        format!("The subscription keeps version {} of the contract for good.", present.version)
    } else {
        format!(
            "The subscription keeps version {} of the contract until {until} and ends on that day, unless version {version} is accepted \
             before. The service then loses access to all projects:",
            present.version
        )
    };
    WaitingContract {
        id: waiting.contract.id.to_string(),
        version: version.to_string(),
        present: present.version.to_string(),
        provider: details.concerned.provider.name.clone(),
        offered: times::long_day(waiting.offer.offered_at.day()),
        refused: waiting.offer.state == OfferState::Refused,
        nothing: changes.is_empty() && waiting.difference.is_some(),
        changes,
        plan: waiting.next.as_ref().map(|kept| plan_line(&kept.plan)).unwrap_or_default(),
        plans: match waiting.next {
            Some(_) => Vec::new(),
            None => waiting.plans.iter().map(|kept| Choice::new(kept.id.to_string(), plan_line(&kept.plan), false)).collect(),
        },
        projects,
        some: sent.is_some_and(|sent| sent.scope == "some"),
        accept_label: if at_once { format!("Accept version {version}") } else { format!("Ask to accept version {version}") },
        accept_note: if at_once { String::new() } else { "A reviewer or maintainer decides; until then nothing changes.".to_owned() },
        can_refuse: at_once && waiting.offer.state != OfferState::Refused,
        refusal,
        asked: waiting.request.is_some(),
        level_href: level_href(details, waiting),
        until,
    }
}

fn consent_row(one: &ConsentDetails) -> ConsentRow {
    let consent = &one.consent;
    let names: Vec<_> = consent.projects.iter().map(|(_, name)| name.as_str()).collect();
    let approved = one.approved_by.as_ref().filter(|by| by.0 != one.accepted_by.0).map(|by| format!(", approved by {}", by.1));
    ConsentRow {
        when: times::moment(consent.at),
        who: format!("{}{}", one.accepted_by.1, approved.unwrap_or_default()),
        what: match consent.kind {
            ConsentKind::Subscribed => format!("Subscribed, version {}", consent.version),
            ConsentKind::Accepted => format!("Accepted version {}", consent.version),
            ConsentKind::LevelChanged => format!("Accepted the change of level, version {}", consent.version),
            ConsentKind::PlanChanged => format!("Another plan, version {}", consent.version),
        },
        price: plan_line(&consent.prices),
        permissions: consent.permissions.iter().map(|one| one.word()).collect::<Vec<_>>().join(", "),
        projects: if names.is_empty() { "No project".to_owned() } else { names.join(", ") },
        hash: digits(&consent.text_hash),
    }
}

/// `GET /organizations/{org}/subscriptions/{subscription}/contract`.
pub async fn show(page: Page, ApiPath((org, id)): ApiPath<(String, SubscriptionId)>) -> PageResult {
    let mut conn = page.read().await?;
    let (seat, details, standing) = subscriptions::standing(&mut conn, &page.caller, &Key::read(&org), id).await?;
    let tab = contract_tab(&details, &standing, None);
    shown(&page, &mut conn, &seat, &details, tab).await
}

async fn shown(page: &Page, conn: &mut Conn, seat: &Seat, details: &Details, tab: ContractTab) -> PageResult {
    Ok(whole(page, conn, seat, details, SubscriptionTab::Contract(Box::new(tab))).await?.into_response())
}

/// The form of a consent as it was sent.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct AcceptSent {
    /// `all` or `some` projects.
    pub scope: String,
    /// The projects marked.
    pub project: Vec<String>,
    /// The plan, where one has to be chosen.
    pub plan: String,
}

/// The tab again, with what is wrong.
async fn again(page: &Page, org: &str, id: SubscriptionId, sent: &AcceptSent, error: stoa_actions::Error) -> PageResult {
    let errors = FormErrors::of(error)?;
    let status = errors.status;
    let mut conn = page.read().await?;
    let (seat, details, standing) = subscriptions::standing(&mut conn, &page.caller, &Key::read(org), id).await?;
    let tab = contract_tab(&details, &standing, Some((sent, errors)));
    Ok(FormErrors::again(status, shown(page, &mut conn, &seat, &details, tab).await?))
}

/// `POST /organizations/{org}/subscriptions/{subscription}/contract/{contract}/accept`.
pub async fn accept(
    page: Page,
    ApiPath((org, id, contract)): ApiPath<(String, SubscriptionId, ContractId)>,
    PageForm(sent): PageForm<AcceptSent>,
) -> PageResult {
    let mut act = page.begin().await?;
    let given = Acceptance {
        contract: contract.to_string(),
        plan: Some(sent.plan.clone()),
        projects: (sent.scope == "some").then(|| sent.project.clone()),
        note: String::new(),
    };
    match subscriptions::accept(&mut act, &Key::read(&org), id, &given).await {
        Ok(done) => {
            let flash = match done.request {
                None => Flash::ok("The new contract is accepted and holds from now on."),
                Some(_) => Flash::ok("Your consent waits for the decision of a reviewer or maintainer. Until then nothing changes."),
            };
            page.done(act, format!("/organizations/{org}/subscriptions/{id}/contract"), flash).await
        }
        Err(error) => {
            drop(act);
            again(&page, &org, id, &sent, error).await
        }
    }
}

/// `POST /organizations/{org}/subscriptions/{subscription}/contract/{contract}/refuse`.
pub async fn refuse(page: Page, ApiPath((org, id, contract)): ApiPath<(String, SubscriptionId, ContractId)>) -> PageResult {
    let mut act = page.begin().await?;
    match subscriptions::refuse(&mut act, &Key::read(&org), id, &contract.to_string()).await {
        Ok(_) => {
            let flash = Flash::ok("The new contract is refused. The subscription keeps the one it has.");
            page.done(act, format!("/organizations/{org}/subscriptions/{id}/contract"), flash).await
        }
        Err(error) => {
            drop(act);
            again(&page, &org, id, &AcceptSent::default(), error).await
        }
    }
}

/// The form of another plan.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct PlanSent {
    /// The plan's id.
    pub plan: String,
}

/// `POST /organizations/{org}/subscriptions/{subscription}/plan`.
pub async fn change_plan(
    page: Page,
    ApiPath((org, id)): ApiPath<(String, SubscriptionId)>,
    PageForm(sent): PageForm<PlanSent>,
) -> PageResult {
    let mut act = page.begin().await?;
    match subscriptions::change_plan(&mut act, &Key::read(&org), id, &sent.plan, "").await {
        Ok(done) => {
            let flash = match done.request {
                None => Flash::ok("The plan is changed. Its prices hold from today on."),
                Some(_) => Flash::ok("The other plan waits for the decision of a reviewer or maintainer."),
            };
            page.done(act, format!("/organizations/{org}/subscriptions/{id}/contract"), flash).await
        }
        Err(error) => {
            drop(act);
            again(&page, &org, id, &AcceptSent::default(), error).await
        }
    }
}
