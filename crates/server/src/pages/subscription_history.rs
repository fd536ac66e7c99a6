//! What became of a subscription: who decided what, when and why.

use std::collections::BTreeMap;

use stoa_actions::{
    consents::ConsentDetails,
    subscriptions::{Details, Held},
};
use stoa_domain::{
    consents::ConsentKind,
    ids::UserId,
    requests::RequestKind,
    services::Level,
    subscriptions::{Subscription, SubscriptionState},
    suspensions::Cause,
    time::Ts,
};

use super::{Pair, TimelineEntry, page::Page, subscriptions::PermissionsTab, times};

/// Who approved it and when, or what is waited for.
fn approval(details: &Details) -> String {
    let subscription = &details.subscription;
    match (subscription.state, subscription.activated_at) {
        (SubscriptionState::Requested, _) => "Not approved yet.".to_owned(),
        (SubscriptionState::Rejected, _) => "It was rejected.".to_owned(),
        (SubscriptionState::Provisioning, _) => "Approved; its provider sets it up.".to_owned(),
        (SubscriptionState::Failed, _) => "Approved, but its provider could not set it up.".to_owned(),
        (SubscriptionState::Expired, _) => "Nobody approved it in time.".to_owned(),
        (SubscriptionState::Withdrawn, _) => "It was taken back before it came into force.".to_owned(),
        (_, Some(at)) => {
            let by = details.grants.iter().find_map(|one| one.approved_by.as_ref()).map_or(&details.requested_by.1, |(_, name)| name);
            format!("Approved by {by}, {}.", times::moment(at))
        }
        _ => String::new(),
    }
}

/// A line of the history, with the instant to sort it by.
fn entry(icon: &'static str, tone: &'static str, who: &str, what: String, at: Ts, reason: &str) -> (Ts, TimelineEntry) {
    (at, TimelineEntry { icon, tone, who: who.to_owned(), what, when: times::moment(at), reason: reason.to_owned() })
}

/// What was agreed to and opened without a request, with the instants to sort by: those of requests are told by them.
fn unasked(details: &Details, held: &[Held], consents: &[ConsentDetails]) -> Vec<(Ts, TimelineEntry)> {
    let subscription = &details.subscription;
    let (organization, provider) = (details.concerned.organization.name.as_str(), details.concerned.provider.name.as_str());
    let mut all = Vec::new();
    for one in consents {
        let (version, plan) = (one.consent.version, &one.consent.prices.name);
        let what = match one.consent.kind {
            // A change of level is asked for all subscriptions of the service together.
            ConsentKind::LevelChanged => format!("agreed to version {version} of the contract at the other level, plan {plan}"),
            ConsentKind::Subscribed => continue,
            _ if one.consent.request.is_some() => continue,
            ConsentKind::Accepted => format!("accepted version {version} of the contract, plan {plan}"),
            ConsentKind::PlanChanged => format!("changed to plan {plan}"),
        };
        let approved = one.approved_by.as_ref().map(|(_, name)| format!("; {name} approved it")).unwrap_or_default();
        all.push(entry("file-text", "ok", &one.accepted_by.1, format!("{what}{approved}"), one.consent.at, ""));
    }
    for terms in held.iter().skip(1).filter(|terms| consents.iter().all(|one| one.consent.at != terms.since)) {
        let (version, plan) = (terms.offer.version, &terms.offer.prices.name);
        let what = format!("put version {version} of the contract in place, plan {plan}, which asks for no more than the one before");
        all.push(entry("file-text", "", provider, what, terms.since, ""));
    }
    let mut opened: BTreeMap<(Ts, &str), Vec<&str>> = BTreeMap::new();
    let mut closed: BTreeMap<Ts, Vec<&str>> = BTreeMap::new();
    for one in &details.grants {
        let later = subscription.activated_at.is_some_and(|at| one.grant.since > at);
        if later && one.grant.request.is_none() {
            let by = one.approved_by.as_ref().map_or(organization, |(_, name)| name.as_str());
            opened.entry((one.grant.since, by)).or_default().push(&one.project.name);
        }
        if let Some(until) = one.grant.until.filter(|until| subscription.ended_at.is_none_or(|ended| *until < ended)) {
            closed.entry(until).or_default().push(&one.project.name);
        }
    }
    for ((at, by), names) in opened {
        all.push(entry("folder", "ok", by, format!("gave it access to {}", names.join(", ")), at, ""));
    }
    for (at, names) in closed {
        all.push(entry("folder", "warn", organization, format!("ended its access to {}", names.join(", ")), at, ""));
    }
    all
}

pub(super) fn permissions_tab(page: &Page, details: &Details, held: &[Held], consents: &[ConsentDetails]) -> PermissionsTab {
    let offer = &details.concerned.offer;
    let subscription = &details.subscription;
    let mut history: Vec<(Ts, TimelineEntry)> = Vec::new();
    for request in &details.requests {
        history.extend(super::requests::history(request));
    }
    history.extend(unasked(details, held, consents));
    let asked = details.requests.iter().any(|one| one.request.kind == RequestKind::Subscribe);
    if let (false, Some(at)) = (asked, subscription.activated_at) {
        let first = held.first().map_or(offer, |first| &first.offer);
        let what = format!("subscribed plan {} and accepted version {} of the contract", first.prices.name, first.version);
        history.push(entry("circle-check", "ok", &details.requested_by.1, what, at, &subscription.note));
    }
    if let Some(at) = subscription.ended_at.filter(|_| subscription.activated_at.is_some()) {
        history.push(entry("circle-dot", "", &details.concerned.organization.name, "no longer subscribes it".to_owned(), at, ""));
    }
    if let Some(setup) = &details.setup {
        let provider = details.concerned.provider.name.as_str();
        history.push(entry("clock", "warn", provider, "began to set it up".to_owned(), setup.setup.since, ""));
        if let Some((at, reason)) = setup.setup.outcome.as_ref().and_then(|outcome| Some((outcome.at, outcome.failed.as_ref()?))) {
            let who = setup.by.as_ref().map_or(provider, |(_, name)| name);
            history.push(entry("circle-x", "danger", who, "could not set it up".to_owned(), at, reason));
        }
    }
    for one in &details.suspensions {
        let side = |who: &Option<(UserId, String)>| who.as_ref().map_or_else(|| "Stoa".to_owned(), |(_, name)| name.clone());
        let whose = match one.suspension.cause {
            Cause::Consumer => "",
            Cause::Provider => ", as its provider",
            Cause::Operator => ", as operator of the installation",
            Cause::Budget => ", because of its budget",
            Cause::LevelChange => ", because another subscription stands in for it by a change of level",
        };
        history.push(entry("pause", "warn", &side(&one.set_by), format!("paused it{whose}"), one.suspension.since, &one.suspension.reason));
        if let Some(until) = one.suspension.until {
            history.push(entry("play", "ok", &side(&one.lifted_by), format!("resumed it{whose}"), until, ""));
        }
    }
    for one in &details.endings {
        let who = |who: &Option<(UserId, String)>| who.as_ref().map(|(_, name)| name.clone()).unwrap_or_default();
        let what = format!("decided to end it at the end of {}", times::long_day(one.ending.ends_at.plus(-1).day()));
        history.push(entry("clock", "warn", &who(&one.set_by), what, one.ending.since, ""));
        if let Some(at) = one.ending.undone_at {
            history.push(entry("undo-2", "ok", &who(&one.undone_by), "kept it after all".to_owned(), at, ""));
        }
    }
    history.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let level = if offer.level == Level::Organization { "Organization" } else { "Project" };
    let mut facts = vec![
        Pair::new("Contract", format!("Version {}", offer.version)),
        Pair::new("Level", level),
        Pair::new("Plan", super::offers::plan_line(&offer.prices)),
        Pair::new("Subscription", subscription.id.to_string()),
        Pair::new("Resource address", Subscription::resource(&page.app.stoa.public_url, subscription.id)),
    ];
    facts.extend(offer.terms_url.as_ref().map(|url| Pair::new("Terms", url.as_str())));
    PermissionsTab {
        list: super::offers::permission_lines(&offer.permissions),
        approval: approval(details),
        history: history.into_iter().map(|(_, entry)| entry).collect(),
        facts,
    }
}
