//! The activity of an organization: its event log, for reading.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use stoa_actions::{Error, events};
use stoa_domain::{
    events::{Event, EventKind},
    organizations::Key,
    permissions::Permission,
    time::Ts,
};
use stoa_store::Conn;

use super::{
    Choice, Field, OrgHead, Pager, Shell, TimelineEntry, filters,
    form::{FormErrors, sentence_start},
    page::{Page, PageResult},
    times,
};
use crate::{
    api::events::{EventFilterQuery, exported},
    extract::{ApiPath, ApiQuery},
    paging::{Paging, cut_off},
};

/// `GET /organizations/{org}/activity?type=&person=&subject=&from=&to=`.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "activity.html")]
pub struct ActivityPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization.
    pub org: OrgHead,
    /// What the filter as a whole lacks.
    pub errors: Vec<String>,
    /// The kinds of events; the first is “Everything” with an empty value.
    pub types: Vec<Choice>,
    /// Who did it: an address, or the id of a user or an application.
    pub person: Field,
    /// To what it was done: an id.
    pub subject: Field,
    /// The first day.
    pub from: Field,
    /// The last day.
    pub to: Field,
    /// Whether anything is filtered.
    pub filtered: bool,
    /// Where the same events are offered as files, without the format; empty for those who may not take them.
    pub export: String,
    /// The days, the latest first.
    pub days: Vec<ActivityDay>,
    /// Leads to older events.
    pub pager: Pager,
}

/// The events of one day.
#[derive(Debug, Clone, Default)]
pub struct ActivityDay {
    /// The day.
    pub label: String,
    /// Its events, the latest first.
    pub events: Vec<TimelineEntry>,
}

/// Which events, as the form and links give them.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Query {
    /// A type, or the noun of several; empty for all.
    pub r#type: String,
    /// An address, or the id of a user or an application.
    pub person: String,
    /// The id of a subject.
    pub subject: String,
    /// The first day.
    pub from: String,
    /// The last day.
    pub to: String,
    /// `csv` or `jsonl`, for a file.
    pub format: Option<String>,
    /// Which page; the cursor is a sequence.
    #[serde(flatten)]
    pub paging: Paging,
}

impl Query {
    /// The same in the words of the API, once the person is known by an id.
    async fn of_api(&self, conn: &mut Conn) -> Result<EventFilterQuery, Error> {
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let actor = match given(&self.person) {
            Some(person) if person.contains('@') => Some(events::actor_of_address(conn, &person).await?),
            other => other,
        };
        Ok(EventFilterQuery {
            r#type: given(&self.r#type),
            actor,
            subject: given(&self.subject),
            from: given(&self.from),
            to: given(&self.to),
        })
    }

    /// The query of a link to the same events; empty or beginning with a question mark.
    fn text(&self) -> String {
        let fields = [("type", &self.r#type), ("person", &self.person), ("subject", &self.subject), ("from", &self.from), ("to", &self.to)];
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(fields.into_iter().filter(|(_, value)| !value.trim().is_empty()));
        let query = query.finish();
        if query.is_empty() { query } else { format!("?{query}") }
    }
}

/// The nouns of events as choices; the first is everything.
fn types(chosen: &str) -> Vec<Choice> {
    let label = |noun: &str| format!("{}s", sentence_start(&noun.replace('_', " ")));
    let nouns = EventKind::nouns().into_iter().map(|noun| Choice::new(noun, label(noun), noun == chosen));
    // A single type comes by a link; the form keeps it.
    let single = chosen.parse::<EventKind>().ok().map(|kind| Choice::new(kind.word(), kind.word(), true));
    std::iter::once(Choice::new("", "Everything", chosen.is_empty())).chain(nouns).chain(single).collect()
}

/// `GET /organizations/{org}/activity`.
pub async fn list(page: Page, ApiPath(org): ApiPath<String>, ApiQuery(query): ApiQuery<Query>) -> PageResult {
    let limit = query.paging.limit()?;
    let before: Option<i64> = query.paging.cursor()?;
    let mut conn = page.read().await?;
    let key = Key::read(&org);
    let (filter, mut errors) = match query.of_api(&mut conn).await?.filter() {
        Ok(filter) => (Some(filter), FormErrors::none()),
        Err(error) => (None, FormErrors::of(error)?),
    };
    let from = before.unwrap_or(i64::MAX);
    // What can't be read as a filter shows nothing, but still only to those who may read the log.
    let shown = if filter.is_some() { limit + 1 } else { 0 };
    let (seat, mut found) = events::before(&mut conn, &page.caller, &key, from, &filter.unwrap_or_default(), shown).await?;
    let next = cut_off(&mut found, limit, |event| event.sequence);
    let people = events::people(&mut conn, &found).await?;
    let org = page.org_head(&mut conn, &seat, "activity").await?;
    let (text, status) = (query.text(), errors.status);
    let path = format!("{}/activity{text}", org.url());
    let may_export = super::page::may(&seat, Permission::ExportActivity);
    let shown = ActivityPage {
        shell: page.shell(&mut conn, "organizations").await?,
        types: types(&query.r#type),
        person: errors.field("/actor", query.person),
        subject: Field::new(query.subject),
        from: errors.field("/from", query.from),
        to: errors.field("/to", query.to),
        errors: errors.rest(),
        filtered: !text.is_empty(),
        export: if may_export {
            format!("{}/activity/export{}", org.url(), if text.is_empty() { "?" } else { &text })
        } else {
            String::new()
        },
        days: days(&found, &people, page.caller.now),
        pager: Pager::new(&path, "events", found.len(), before.is_none(), next.as_deref()),
        org,
    };
    Ok(FormErrors::again(status, shown))
}

/// `GET /organizations/{org}/activity/export?format=`, with the filter of the page.
pub async fn export(page: Page, ApiPath(org): ApiPath<String>, ApiQuery(query): ApiQuery<Query>) -> PageResult {
    let mut conn = page.read().await?;
    let filter = query.of_api(&mut conn).await?;
    drop(conn);
    exported(&page.app.stoa, &page.caller, &Key::read(&org), query.format.as_deref(), &filter).await
}

fn days(events: &[Event], people: &People, now: Ts) -> Vec<ActivityDay> {
    let mut days: Vec<ActivityDay> = Vec::new();
    for group in events.chunk_by(|one, other| one.occurred_at.day() == other.occurred_at.day()) {
        let Some(first) = group.first() else { continue };
        let day = first.occurred_at.day();
        let label = match now.day().number() - day.number() {
            0 => format!("Today, {}", times::long_day(day)),
            1 => format!("Yesterday, {}", times::long_day(day)),
            _ => times::long_day(day),
        };
        let events = group.iter().map(|event| TimelineEntry { when: times::clock(event.occurred_at), ..line(event, people) }).collect();
        days.push(ActivityDay { label, events });
    }
    days
}

/// Names of people and of applications by their ids.
pub type People = BTreeMap<String, String>;

/// What an event looks like in a history: who did what, when, and why.
#[must_use]
pub fn line(event: &Event, people: &People) -> TimelineEntry {
    let data = event.json();
    let who = match (event.actor_kind.as_str(), event.actor_id.as_ref().and_then(|id| people.get(id))) {
        ("user" | "application", Some(name)) => name.clone(),
        ("user", None) => "Somebody".to_owned(),
        ("application", _) => "An application".to_owned(),
        _ => "Stoa".to_owned(),
    };
    let told = match event.kind.parse::<EventKind>() {
        Ok(kind) => Sentence { event, data: &data, people }.of(kind),
        // Written by a later version than this one.
        Err(_) => told("circle-dot", "", format!("did “{}”", event.kind)),
    };
    TimelineEntry { icon: told.icon, tone: told.tone, who, what: told.what, when: times::moment(event.occurred_at), reason: reason(&data) }
}

struct Told {
    icon: &'static str,
    tone: &'static str,
    what: String,
}

fn told(icon: &'static str, tone: &'static str, what: impl Into<String>) -> Told {
    Told { icon, tone, what: what.into() }
}

/// What somebody wrote or what caused it, where the event says so.
fn reason(data: &Value) -> String {
    let text = |key: &str| data[key].as_str().unwrap_or_default().to_owned();
    let said = [text("comment"), text("reason"), text("note")].into_iter().find(|said| !said.is_empty());
    said.unwrap_or_else(|| match data["cause"].as_str() {
        Some("project_created") => "The project is new, and the subscription includes new projects.".to_owned(),
        Some("project_deleted") => "The project was deleted.".to_owned(),
        Some("project_locked") => "The project was locked for the service.".to_owned(),
        Some("project_unlocked") => "The lock was lifted, and the subscription includes such projects.".to_owned(),
        Some("grant_ended") => "The end that was set for it has come.".to_owned(),
        Some("period_end") => "It was decided to end with the month.".to_owned(),
        Some("organization_deleted") => "The organization was deleted.".to_owned(),
        Some("contract_not_accepted") => "The new contract was not accepted until the announced day.".to_owned(),
        _ => String::new(),
    })
}

/// Makes the sentence of one event.
struct Sentence<'a> {
    event: &'a Event,
    data: &'a Value,
    people: &'a People,
}

impl Sentence<'_> {
    /// Each kind of event as it continues the name of who did it.
    fn of(&self, kind: EventKind) -> Told {
        use EventKind as K;
        match kind {
            K::OrganizationCreated => told("building-2", "ok", format!("created the organization {}", self.name("name"))),
            K::OrganizationUpdated => told("pencil", "", format!("changed {} of the organization", self.changes())),
            K::OrganizationDeleted => told("trash-2", "danger", format!("deleted the organization {}", self.name("name"))),
            K::OrganizationRestored => told("undo-2", "ok", format!("restored the organization {}", self.name("name"))),
            K::OrganizationErased => told("trash-2", "danger", "erased what the deleted organization left behind"),
            K::OrganizationSuspended => told("pause", "danger", "suspended the organization, as operator of the installation"),
            K::OrganizationUnsuspended => told("circle-check", "ok", "lifted the suspension, as operator of the installation"),
            K::OperatorViewed => told("eye", "warn", format!("looked at {} as operator of the installation", self.text("what"))),
            K::SecondFactorsReset => {
                told("shield", "warn", format!("reset the second factors of {}, as operator of the installation", self.person()))
            }
            K::DomainVerified => told("badge-check", "ok", format!("verified the domain {}", self.name("domain"))),
            K::DomainRemoved => told("globe", "warn", format!("removed the domain {}", self.name("domain"))),
            K::MemberAdded if self.is_about_the_actor() && self.data["domain"].is_string() => {
                told("user-plus", "", format!("joined as {}, by the domain {}", self.text("role"), self.text("domain")))
            }
            K::MemberAdded if self.is_about_the_actor() => told("user-plus", "", format!("joined as {}", self.text("role"))),
            K::MemberAdded => told("user-plus", "", format!("added {} as {}", self.person(), self.text("role"))),
            K::MemberRoleChanged => {
                told("users", "", format!("changed the role of {} from {} to {}", self.person(), self.text("from"), self.text("to")))
            }
            K::MemberRemoved if self.is_about_the_actor() => told("user-minus", "warn", "left the organization"),
            K::MemberRemoved => told("user-minus", "warn", format!("removed {}, who was {}", self.person(), self.text("role"))),
            K::ProjectCreated => told("folder-plus", "ok", format!("created the project {}", self.name("name"))),
            K::ProjectUpdated => told("pencil", "", format!("changed {} of the project {}", self.changes(), self.name("project"))),
            K::ProjectDeleted => told("trash-2", "danger", format!("deleted the project {}", self.name("name"))),
            K::ProjectLocked => told("lock", "warn", format!("locked the project {} for {}", self.name("name"), self.locked_out())),
            K::ProjectUnlocked => {
                told("lock", "ok", format!("lifted the lock of the project {} for {}", self.name("name"), self.locked_out()))
            }
            K::ResourceWritten => told("upload", "", format!("wrote {}{}", self.resource(), self.in_project())),
            K::ResourceDeleted => told("trash-2", "warn", format!("deleted {}{}", self.resource(), self.in_project())),
            K::ApplicationCreated => told("box", "ok", format!("registered the application {}", self.name("name"))),
            K::ApplicationUpdated => {
                told("pencil", "", format!("changed {} of the application {}", self.changes(), self.name("application")))
            }
            K::ApplicationDeleted => told("trash-2", "danger", format!("deleted the application {}", self.name("name"))),
            K::SecretCreated => told("key-round", "", format!("made a secret of {}{}", self.name("application"), self.hint())),
            K::SecretRevoked => told("key-round", "warn", format!("revoked a secret of {}{}", self.name("application"), self.hint())),
            K::TokenRevoked => told("key-round", "", "gave back one of its access tokens"),
            K::ApplicationShared => told("users", "", format!("shared the application {} with {}", self.name("application"), self.with())),
            K::ApplicationUnshared => {
                told("users", "warn", format!("took back that the application {} is shared with {}", self.name("application"), self.with()))
            }
            K::ApplicationTransferred if self.data["cause"] == "member_gone" => {
                told("box", "", format!("left the application {} to the organization", self.name("name")))
            }
            K::ApplicationTransferred if self.data["cause"] == "handed_over" => {
                told("box", "", format!("took the application {} over with the service {}", self.name("name"), self.name("service")))
            }
            K::ApplicationTransferred => told("box", "ok", format!("gave the application {} to the organization", self.name("name"))),
            K::TeamCreated => told("users", "ok", format!("created the team {}", self.name("name"))),
            K::TeamUpdated => told("pencil", "", format!("changed {} of the team {}", self.changes(), self.name("team"))),
            K::TeamDeleted => told("trash-2", "danger", format!("deleted the team {}", self.name("name"))),
            K::TeamMemberAdded => told("user-plus", "", format!("put {} into the team {}", self.somebody(), self.name("team"))),
            K::TeamMemberRemoved => told("user-minus", "", format!("took {} out of the team {}", self.somebody(), self.name("team"))),
            K::InvitationCreated => told("send", "", format!("invited {} as {}", self.invited(), self.text("role"))),
            K::InvitationResent => told("send", "", format!("sent the invitation of {} again", self.invited())),
            K::InvitationAccepted => told("user-plus", "ok", format!("accepted the invitation as {}", self.text("role"))),
            K::InvitationDeclined => told("ban", "", "declined the invitation"),
            K::InvitationRevoked if self.data["cause"] == "member_added" => {
                told("undo-2", "", format!("closed the invitation of {}, who is a member now", self.invited()))
            }
            K::InvitationRevoked if self.data["cause"] == "member_gone" => {
                told("undo-2", "", format!("closed the invitation of {} with the membership", self.invited()))
            }
            K::InvitationRevoked => told("undo-2", "warn", format!("took back the invitation of {}", self.invited())),
            K::InvitationExpired => told("clock", "", format!("let the invitation of {} expire", self.invited())),
            K::ServiceCreated => told("package", "brand", format!("drafted the service {}", self.name("name"))),
            K::ServiceUpdated => told("pencil", "", format!("changed {} of the service {}", self.changes(), self.name("service"))),
            K::ServiceContractAdded => {
                let version = &self.data["contract"]["version"];
                let which = if version.is_number() { format!("version {version}") } else { "a new version".to_owned() };
                told("file-text", "brand", format!("added {which} of the contract of {}", self.name("service")))
            }
            K::ServicePublished if self.data["reviewed"] == Value::Bool(true) => {
                told("rocket", "ok", format!("approved the service {} as operator; it is published", self.name("name")))
            }
            K::ServicePublished => told("rocket", "ok", format!("published the service {}", self.name("name"))),
            K::ServicePaused => told("pause", "warn", format!("paused the service {}", self.name("name"))),
            K::ServiceReviewAsked => told("send", "", format!("asked the operator to review the service {}", self.name("name"))),
            K::ServiceReviewWithdrawn => told("undo-2", "", format!("took the service {} back from review", self.name("name"))),
            K::ServiceReviewRejected => {
                told("ban", "danger", format!("did not approve the service {} as operator; it is a draft again", self.name("name")))
            }
            K::ServiceDeprecated => told("clock", "warn", format!("announced the end of the service {}{}", self.name("name"), self.end())),
            K::ServiceRetired => told("circle-x", "danger", format!("retired the service {}", self.name("name"))),
            K::ServiceSuspended => told("pause", "danger", format!("stopped the service {} as operator", self.name("name"))),
            K::ServiceUnsuspended => told("play", "ok", format!("let the service {} go on as operator", self.name("name"))),
            K::ServiceAudienceAdded => {
                told("user-plus", "", format!("listed the service {} for {}", self.name("service"), self.name("organization")))
            }
            K::ServiceAudienceRemoved => {
                told("user-minus", "warn", format!("lists the service {} for {} no more", self.name("service"), self.name("organization")))
            }
            K::ServiceHandedOver => {
                let (service, from, to) = (self.name("service"), self.name("from"), self.name("to"));
                told("arrow-right", "brand", format!("accepted the service {service}: {to} provides it now, instead of {from}"))
            }
            K::HandoverOffered => {
                let (service, from, to) = (self.name("service"), self.name("from"), self.name("to"));
                told("send", "brand", format!("offered the service {service}, which {from} provides, to {to}"))
            }
            K::HandoverDeclined => {
                told("ban", "warn", format!("declined to take the service {} over from {}", self.name("service"), self.name("from")))
            }
            K::HandoverWithdrawn => {
                told("undo-2", "warn", format!("took back that the service {} is offered to {}", self.name("service"), self.name("to")))
            }
            K::HandoverExpired => {
                let (service, to) = (self.name("service"), self.name("to"));
                told("clock", "", format!("closed the offer of the service {service} to {to}, because nobody answered in time"))
            }
            K::SubscriptionRequested => told("send", "", format!("asked to subscribe {}{}", self.name("service"), self.parties())),
            K::SubscriptionActivated => told("plug", "ok", format!("subscribed {}{}", self.name("service"), self.parties())),
            K::SubscriptionProjectsChanged => self.projects(),
            K::SubscriptionPlanChanged => told(
                "tag",
                "",
                format!(
                    "changed the plan of {} from {} to {}",
                    self.name("service"),
                    self.within("from", "name"),
                    self.within("to", "name")
                ),
            ),
            K::SubscriptionContractOffered => {
                let (service, version) = (self.name("service"), self.within("contract", "version"));
                told("file-text", "warn", format!("offered version {version} of the contract of {service}, which waits for consent"))
            }
            K::SubscriptionContractChanged if self.data["accepted"] == Value::Bool(true) => told(
                "file-text",
                "ok",
                format!("accepted version {} of the contract of {}{}", self.within("to", "version"), self.name("service"), self.parties()),
            ),
            K::SubscriptionContractChanged => {
                let (service, version) = (self.name("service"), self.within("to", "version"));
                told(
                    "file-text",
                    "",
                    format!(
                        "brought version {version} of the contract of {service} into force{}: it asks for nothing more",
                        self.parties()
                    ),
                )
            }
            K::SubscriptionContractRefused => {
                let (service, version) = (self.name("service"), self.within("contract", "version"));
                told("ban", "warn", format!("refused version {version} of the contract of {service}{}", self.until()))
            }
            K::SubscriptionContractReminded => {
                let (service, version) = (self.name("service"), self.within("contract", "version"));
                told(
                    "clock",
                    "warn",
                    format!("reminded that version {version} of the contract of {service} waits for consent{}", self.until()),
                )
            }
            K::SubscriptionProvisioning => {
                told("clock", "warn", format!("approved {}{}, which its provider sets up now", self.name("service"), self.parties()))
            }
            K::SubscriptionReady => told("circle-check", "ok", format!("has set up {}{}", self.name("service"), self.parties())),
            K::SubscriptionFailed => {
                told("circle-x", "danger", format!("could not set up {}{}: {}", self.name("service"), self.parties(), self.text("reason")))
            }
            K::SubscriptionRejected => told("ban", "danger", format!("rejected the subscription of {}", self.name("service"))),
            K::SubscriptionWithdrawn => told("undo-2", "", format!("took back the subscription of {}", self.name("service"))),
            K::SubscriptionPaused => told("pause", "warn", format!("paused the subscription of {}{}", self.name("service"), self.side())),
            K::SubscriptionResumed => told("play", "ok", format!("resumed the subscription of {}{}", self.name("service"), self.side())),
            K::SubscriptionBudgetSet => told(
                "wallet",
                "",
                format!(
                    "set the budget of {} to {} {} a month",
                    self.name("service"),
                    self.within("amount", "currency"),
                    self.within("amount", "amount")
                ),
            ),
            K::SubscriptionBudgetRemoved => told("wallet", "", format!("removed the budget of {}", self.name("service"))),
            K::SubscriptionEnding => {
                let day = self.data["ends_at"].as_str().and_then(|text| text.parse::<Ts>().ok());
                let day = day.map_or_else(String::new, |at| format!(", at the end of {}", times::long_day(at.plus(-1).day())));
                told("clock", "warn", format!("decided to end the subscription of {}{}{day}", self.name("service"), self.parties()))
            }
            K::SubscriptionKept => told("undo-2", "ok", format!("kept the subscription of {} after all", self.name("service"))),
            K::SubscriptionExpired => {
                told("clock", "warn", format!("closed the subscription of {} that nobody approved in time", self.name("service")))
            }
            K::SubscriptionEnded => {
                told("circle-x", "warn", format!("ended the subscription of {}{}", self.name("service"), self.parties()))
            }
            K::LevelChangeAccepted => told(
                "layers",
                "brand",
                format!("accepted to go to {} level with {}{}{}", self.text("level"), self.name("service"), self.parties(), self.way()),
            ),
            K::LevelChangeSwitched => told(
                "layers",
                "ok",
                format!("switched {} to {} level{}{}", self.name("service"), self.text("level"), self.parties(), self.way()),
            ),
            K::LevelChangeUndone => told(
                "undo-2",
                "warn",
                format!("undid the change of {} to {} level{}", self.name("service"), self.text("level"), self.parties()),
            ),
            K::LevelChangeSettled => told(
                "check",
                "ok",
                format!("settled the change of {} to {} level{}", self.name("service"), self.text("level"), self.parties()),
            ),
            K::RequestOpened => told("send", "", format!("asked for {}", self.asked())),
            K::RequestForwarded => {
                let next = if self.data["next"] == "internal" { "the organization itself" } else { "the provider" };
                told("check", "", format!("approved {}{}; {next} decides next", self.asked(), self.stead()))
            }
            K::RequestApproved if self.data["own"] == Value::Bool(true) => {
                told("circle-check", "ok", format!("approved {}, their own request, as the only maintainer", self.asked()))
            }
            K::RequestApproved => told("circle-check", "ok", format!("approved {}{}", self.asked(), self.stead())),
            K::RequestRejected => told("ban", "danger", format!("rejected {}{}", self.asked(), self.stead())),
            K::RequestAsked => told("message-square", "warn", format!("asked something about {}{}", self.asked(), self.stead())),
            K::RequestAnswered => told("message-square", "", format!("answered about {}{}", self.asked(), self.changed())),
            K::RequestReminded => told("bell", "", format!("reminded of {}, which still waits", self.asked())),
            K::RequestExpired => told("clock", "warn", format!("closed {}, because nobody decided it in time", self.asked())),
            K::PolicyChanged => told("shield-check", "brand", "changed what the organization wants to be approved"),
            K::DelegationCreated => {
                told("users", "brand", format!("let {} decide requests in the stead of {}", self.name("delegate"), self.name("absent")))
            }
            K::DelegationEnded => {
                told("users", "", format!("ended that {} decides requests in the stead of {}", self.name("delegate"), self.name("absent")))
            }
            K::RequestWithdrawn => told("undo-2", "", format!("took back the request for {}", self.asked())),
        }
    }

    /// How many projects go with a change of level.
    fn way(&self) -> String {
        let projects: std::collections::BTreeSet<_> =
            self.data["parts"].as_array().into_iter().flatten().filter_map(|part| part["project"]["id"].as_str()).collect();
        match projects.len() {
            0 => String::new(),
            1 => ", with one project".to_owned(),
            count => format!(", with {count} projects"),
        }
    }

    /// From when on a service will be retired, and what is recommended instead.
    fn end(&self) -> String {
        let end = &self.data["deprecation"];
        let on = end["date"].as_str().map(|day| format!(" from {day} on")).unwrap_or_default();
        let instead = end["successor"]["name"].as_str().map(|name| format!(" and recommends {name} instead")).unwrap_or_default();
        format!("{on}{instead}")
    }

    /// Whom a lock keeps out.
    fn locked_out(&self) -> String {
        if self.data["service"].is_null() { "every service".to_owned() } else { self.name("service") }
    }

    /// On whose side a pause was set or lifted.
    fn side(&self) -> &'static str {
        match self.data["by"].as_str() {
            Some("provider") => ", as its provider",
            Some("operator") => ", as operator of the installation",
            Some("budget") => ", because of its budget",
            _ => "",
        }
    }

    fn text(&self, key: &str) -> &str {
        self.data[key].as_str().unwrap_or("?")
    }

    /// The name under a key: a text, or an object with a name, or (where it changed) the new one.
    fn name(&self, key: &str) -> String {
        let value = &self.data[key];
        let name = value.as_str().or_else(|| value["name"].as_str()).or_else(|| value["to"].as_str());
        name.unwrap_or(&self.event.subject.id).to_owned()
    }

    /// With whom an application is shared.
    fn with(&self) -> String {
        let with = &self.data["with"];
        let name = with["name"].as_str().unwrap_or("?");
        if with["kind"] == "team" { format!("the team {name}") } else { format!("all of {name}") }
    }

    /// The person whom the data names.
    fn somebody(&self) -> &str {
        let id = self.data["user"].as_str().unwrap_or_default();
        if self.event.actor_id.as_deref() == Some(id) { "themself" } else { self.people.get(id).map_or("somebody", String::as_str) }
    }

    fn person(&self) -> &str {
        self.people.get(&self.event.subject.id).map_or("somebody", String::as_str)
    }

    /// The address of who was invited.
    fn invited(&self) -> &str {
        self.people.get(&self.event.subject.id).map_or("somebody", String::as_str)
    }

    fn is_about_the_actor(&self) -> bool {
        self.event.actor_id.as_deref() == Some(self.event.subject.id.as_str())
    }

    /// Which details changed: “the name and the description”.
    fn changes(&self) -> String {
        let changes = if self.data["changes"].is_object() { &self.data["changes"] } else { self.data };
        let known = [
            ("name", "the name"),
            ("handle", "the handle"),
            ("summary", "the summary"),
            ("description", "the description"),
            ("billing_email", "the billing address"),
            ("legal_name", "the legal name"),
            ("address", "the postal address"),
            ("country", "the country"),
            ("tax_id", "the tax number"),
            ("contact_email", "the contact address"),
            ("contact_phone", "the telephone number"),
            ("website", "the website"),
            ("redirect_uris", "the redirect addresses"),
            ("categories", "the categories"),
            ("several", "how many subscriptions one organization may have"),
            ("setup", "whether the provider sets subscriptions up"),
            ("visibility", "the visibility"),
            ("links", "the links"),
            ("support", "the support contact"),
            ("icon", "the icon"),
            ("screenshots", "the screenshots"),
        ];
        let changed: Vec<&str> = known.into_iter().filter(|(key, _)| changes[*key].is_object()).map(|(_, words)| words).collect();
        if changed.is_empty() { "details".to_owned() } else { listed(&changed) }
    }

    fn resource(&self) -> String {
        let name = self.data["resource"].as_str().or_else(|| self.data["name"].as_str());
        name.unwrap_or(&self.event.subject.id).to_owned()
    }

    fn in_project(&self) -> String {
        if self.data["project"].is_null() { String::new() } else { format!(" in {}", self.name("project")) }
    }

    fn hint(&self) -> String {
        self.data["hint"].as_str().map(|hint| format!(" (…{hint})")).unwrap_or_default()
    }

    /// Who subscribes at whom; said in both logs.
    fn parties(&self) -> String {
        match (self.data["provider"]["name"].as_str(), self.data["organization"]["name"].as_str()) {
            (Some(provider), Some(organization)) => format!(" of {provider} for {organization}"),
            _ => String::new(),
        }
    }

    fn projects(&self) -> Told {
        let names = |key: &str| -> Vec<&str> {
            self.data[key].as_array().into_iter().flatten().filter_map(|one| one["name"].as_str().or_else(|| one.as_str())).collect()
        };
        let (added, removed) = (names("added"), names("removed"));
        let service = self.name("service");
        match (added.is_empty(), removed.is_empty()) {
            (false, true) => told("folder-open", "ok", format!("opened {} to {service}", listed(&added))),
            (true, false) => told("undo-2", "warn", format!("took {} out of {service}", listed(&removed))),
            (false, false) => {
                told("folder-open", "", format!("opened {} to {service} and took {} out of it", listed(&added), listed(&removed)))
            }
            (true, true) => told("sliders-horizontal", "", format!("changed which projects {service} may use")),
        }
    }

    /// In whose stead.
    fn stead(&self) -> String {
        self.data["on_behalf_of"]["name"].as_str().map(|name| format!(" in the stead of {name}")).unwrap_or_default()
    }

    /// What an answer changed.
    fn changed(&self) -> String {
        let words: Vec<&str> = self.data["changes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if words.is_empty() { String::new() } else { format!(" and asks for something else: {}", words.join("; ")) }
    }

    /// A text or number within an object.
    fn within(&self, key: &str, inner: &str) -> String {
        let value = &self.data[key][inner];
        value.as_str().map_or_else(|| value.to_string(), str::to_owned)
    }

    /// When a subscription ends unless a contract is accepted.
    fn until(&self) -> String {
        let until = self.data["until"].as_str().and_then(|until| until.parse::<Ts>().ok());
        until.map(|until| format!("; without it the subscription ends on {}", times::long_day(until.day()))).unwrap_or_default()
    }

    /// What a request asks for.
    fn asked(&self) -> String {
        let service = self.name("service");
        match self.data["kind"].as_str() {
            Some("subscribe") => format!("the subscription of {service}"),
            Some("add_projects") => format!("more projects for {service}"),
            Some("change_plan") => format!("another plan of {service}"),
            Some("change_level") => format!("the change of the level of {service}"),
            Some("accept_contract") => format!("the consent to the new contract of {service}"),
            Some("cancel") => format!("the end of the subscription of {service}"),
            Some("publish") => format!("the publication of {service}"),
            _ => format!("a change of {service}"),
        }
    }
}

/// “a, b and c”; beyond five “a, b, c, d and 7 more”.
fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [most @ .., last] if names.len() <= 5 => format!("{} and {last}", most.join(", ")),
        names => format!("{} and {} more", names[..4].join(", "), names.len() - 4),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use stoa_domain::{
        events::{CHAIN_START, Event, EventKind, Subject},
        ids::{EventId, Id, OrganizationId},
        time::Ts,
    };

    use super::{ActivityDay, ActivityPage, People, line, listed};
    use crate::pages::{Choice, sample};

    fn event(kind: EventKind, actor: &str, subject: Subject, data: serde_json::Value) -> Event {
        Event {
            organization: OrganizationId::mint(Ts::from_micros(1), [1; 10]),
            sequence: 1,
            id: EventId::mint(Ts::from_micros(1), [2; 10]),
            kind: kind.word().to_owned(),
            actor_kind: "user".into(),
            actor_id: Some(actor.into()),
            subject,
            data: data.to_string(),
            request_id: None,
            occurred_at: "2026-03-12T14:02:00Z".parse().unwrap(),
            previous_hash: CHAIN_START,
            hash: CHAIN_START,
        }
    }

    fn people() -> People {
        [("usr_a", "Ada"), ("usr_b", "Ben")].into_iter().map(|(id, name)| (id.to_owned(), name.to_owned())).collect()
    }

    fn said(kind: EventKind, subject: Subject, data: serde_json::Value) -> String {
        let line = line(&event(kind, "usr_a", subject, data), &people());
        format!("{} {}", line.who, line.what)
    }

    #[test]
    fn events_read_as_sentences() {
        let ben = || Subject::new("user", "usr_b");
        assert_eq!(said(EventKind::MemberAdded, ben(), json!({"role": "editor"})), "Ada added Ben as editor");
        assert_eq!(said(EventKind::MemberAdded, Subject::new("user", "usr_a"), json!({"role": "maintainer"})), "Ada joined as maintainer");
        assert_eq!(
            said(EventKind::MemberRoleChanged, ben(), json!({"from": "viewer", "to": "editor"})),
            "Ada changed the role of Ben from viewer to editor"
        );
        let organization = Subject::new("organization", "org_1");
        let data = json!({"name": {"from": "Grid", "to": "Grid Works"}, "description": {"from": "", "to": "x"}});
        assert_eq!(
            said(EventKind::OrganizationUpdated, organization, data),
            "Ada changed the name and the description of the organization"
        );
        let data = json!({"service": {"id": "svc_1", "name": "Forecast"}, "added": [], "removed": [{"id": "prj_1", "name": "North"}]});
        assert_eq!(
            said(EventKind::SubscriptionProjectsChanged, Subject::new("subscription", "sub_1"), data),
            "Ada took North out of Forecast"
        );
        let data = json!({"kind": "subscribe", "service": {"name": "Forecast"}, "own": true, "comment": "fine"});
        let request = event(EventKind::RequestApproved, "usr_a", Subject::new("request", "req_1"), data);
        let line = line(&request, &people());
        assert_eq!(line.what, "approved the subscription of Forecast, their own request, as the only maintainer");
        assert_eq!((line.reason.as_str(), line.when.as_str()), ("fine", "12 March 2026, 14:02 UTC"));
    }

    #[test]
    fn every_kind_has_a_sentence_even_without_details() {
        for kind in EventKind::ALL {
            let line = line(&event(*kind, "usr_x", Subject::new("thing", "thi_1"), json!({})), &people());
            assert!(line.what.len() > 8 && !line.icon.is_empty(), "{kind}: {}", line.what);
            assert_eq!(line.who, "Somebody");
        }
    }

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(listed(&["a", "b", "c"]), "a, b and c");
        assert_eq!(listed(&["a", "b", "c", "d", "e", "f", "g"]), "a, b, c, d and 3 more");
    }

    #[test]
    fn events_stand_under_their_day() {
        let mut page = ActivityPage {
            shell: sample::shell("organizations"),
            org: sample::org("activity"),
            types: vec![Choice::new("", "Everything", true), Choice::new("subscription", "Subscriptions", false)],
            days: vec![
                ActivityDay { label: "Today, 21 November 2026".into(), events: sample::history() },
                ActivityDay { label: "20 November 2026".into(), events: sample::history() },
            ],
            ..ActivityPage::default()
        };
        assert!(sample::render("activity", &page).contains("Today, 21 November 2026"));
        page.days.clear();
        assert!(sample::render("activity-empty", &page).contains("Nothing fits"));
    }
}
