//! Mails about requests: each log tells its own people, and nobody what they did themselves.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use stoa_domain::{
    events::{Event, EventKind},
    ids::{OrganizationId, RequestId, UserId},
    mail::{Mail, RequestNews},
    permissions::Role,
    requests::{Request, RequestState, Step},
    time::Ts,
};
use stoa_store::{
    Conn,
    delegations::{self, Decider},
    members, organizations, requests, services,
};

use crate::Result;

/// How many of those who may decide are told.
const MOST_TOLD: i64 = 500;

/// What is known of the requests of some events, as far as one organization is concerned.
pub(super) struct Requests {
    organization: OrganizationId,
    known: BTreeMap<RequestId, Known>,
    deciders: Vec<Decider>,
    /// Addresses of members who made the requests or decided on them.
    members: BTreeMap<UserId, String>,
}

struct Known {
    request: Request,
    title: String,
    asking: String,
    providing: String,
    /// Who decided at which step.
    decided: Vec<(Step, UserId)>,
}

impl Known {
    /// Whose decision a step is.
    fn side(&self, step: Step) -> Option<OrganizationId> {
        match step {
            Step::Internal => Some(self.request.organization),
            Step::Provider => self.request.provider,
        }
    }

    fn name(&self, step: Step) -> &str {
        if step == Step::Provider { &self.providing } else { &self.asking }
    }
}

impl Requests {
    /// Reads what the mails need, in a fixed number of statements; nothing where no event is of a request.
    pub(super) async fn of(conn: &mut Conn, organization: OrganizationId, events: &[&Event], now: Ts) -> Result<Self> {
        let ids: BTreeSet<RequestId> = events.iter().filter_map(|event| event.subject.id.parse().ok()).collect();
        let mut found = Self { organization, known: BTreeMap::new(), deciders: Vec::new(), members: BTreeMap::new() };
        if ids.is_empty() {
            return Ok(found);
        }
        let all = requests::find_many(conn, &Vec::from_iter(ids.iter().copied())).await?;
        let parties: BTreeSet<_> = all.iter().flat_map(|one| [Some(one.organization), one.provider]).flatten().collect();
        let names = organizations::names(conn, &Vec::from_iter(parties)).await?;
        let name = |id: Option<OrganizationId>| names.iter().find(|one| Some(one.id) == id).map(|one| one.name.clone()).unwrap_or_default();
        let about: BTreeSet<_> = all.iter().map(|one| one.service).collect();
        let about = services::names(conn, &Vec::from_iter(about)).await?;
        let mut decided: BTreeMap<RequestId, Vec<(Step, UserId)>> = BTreeMap::new();
        for (id, record) in requests::decisions(conn, &Vec::from_iter(ids)).await? {
            decided.entry(id).or_default().push((record.step, record.decided_by));
        }
        let people = all.iter().map(|one| one.requested_by).chain(decided.values().flatten().map(|(_, user)| *user));
        let people: BTreeSet<UserId> = people.collect();
        let present = members::find_many(conn, organization, &Vec::from_iter(people)).await?;
        found.members = present.into_iter().map(|member| (member.user, member.email)).collect();
        found.deciders = delegations::deciders(conn, organization, now, MOST_TOLD).await?;
        for request in all {
            let service = about.iter().find(|(id, ..)| *id == request.service).map_or("a service", |(_, _, name)| name.as_str());
            let known = Known {
                title: request.kind.title(&name(Some(request.organization)), service),
                asking: name(Some(request.organization)),
                providing: name(request.provider),
                decided: decided.remove(&request.id).unwrap_or_default(),
                request,
            };
            found.known.insert(known.request.id, known);
        }
        Ok(found)
    }

    /// The mails of an event, each with its recipient.
    pub(super) fn mails(&self, event: &Event, by: &str, public_url: &str) -> Vec<(String, Mail)> {
        let known = event.subject.id.parse::<RequestId>().ok().and_then(|id| self.known.get(&id));
        let (Some(known), Ok(kind)) = (known, event.kind.parse::<EventKind>()) else { return Vec::new() };
        let data = event.json();
        let mut told: BTreeMap<String, Mail> = BTreeMap::new();
        for (user, email, news) in self.recipients(known, kind, &data) {
            if event.actor_id.as_deref() != Some(user.to_string().as_str()) {
                told.entry(email).or_insert_with(|| self.mail(known, news, &data, by, public_url));
            }
        }
        told.into_iter().collect()
    }

    fn recipients(&self, known: &Known, kind: EventKind, data: &Value) -> Vec<(UserId, String, RequestNews)> {
        let (before, state) = (step(data, "step"), known.request.state);
        let next = step(data, "next").or(before);
        // What has gone on in the meantime needs no mail any more.
        let waits = state == RequestState::Open && next == Some(known.request.step);
        let mut told = Vec::new();
        match kind {
            EventKind::RequestOpened if waits => told.extend(self.deciding(known, next, RequestNews::Waits)),
            EventKind::RequestForwarded => {
                told.extend(waits.then(|| self.deciding(known, next, RequestNews::Waits)).into_iter().flatten());
                told.extend(self.requester(known, RequestNews::Forwarded));
            }
            EventKind::RequestAsked if state == RequestState::NeedsInfo => told.extend(self.requester(known, RequestNews::Asked)),
            EventKind::RequestAnswered if waits => told.extend(self.deciding(known, next, RequestNews::Answered)),
            EventKind::RequestApproved => told.extend(self.concerned(known, RequestNews::Approved)),
            EventKind::RequestRejected => told.extend(self.concerned(known, RequestNews::Rejected)),
            EventKind::RequestExpired => {
                told.extend(self.requester(known, RequestNews::Expired));
                told.extend(self.deciding(known, before, RequestNews::Expired));
            }
            EventKind::RequestReminded if data["state"] == RequestState::NeedsInfo.word() && state == RequestState::NeedsInfo => {
                told.extend(self.requester(known, RequestNews::Asked));
            }
            EventKind::RequestReminded if waits => told.extend(self.deciding(known, next, RequestNews::Reminded)),
            _ => {}
        }
        told
    }

    /// Those of this organization who may decide a request at a step, if that is this organization's.
    fn deciding(&self, known: &Known, step: Option<Step>, news: RequestNews) -> Vec<(UserId, String, RequestNews)> {
        if step.and_then(|step| known.side(step)) != Some(self.organization) {
            return Vec::new();
        }
        let own = |one: &Decider| one.absent.is_none() && one.role == Role::Maintainer;
        let sole = self.deciders.iter().filter(|one| own(one)).count() == 1;
        let requester = known.request.requested_by;
        let may = |one: &&Decider| one.absent != Some(requester) && (one.user != requester || (sole && own(one)));
        self.deciders.iter().filter(may).map(|one| (one.user, one.email.clone(), news)).collect()
    }

    /// Whoever made the request, told by the log of the organization that asks, as far as still a member.
    fn requester(&self, known: &Known, news: RequestNews) -> Option<(UserId, String, RequestNews)> {
        let user = known.request.requested_by;
        let email = self.members.get(&user).filter(|_| known.request.organization == self.organization)?;
        Some((user, email.clone(), news))
    }

    /// Whoever made the request, and those of this organization who decided on it.
    fn concerned(&self, known: &Known, news: RequestNews) -> Vec<(UserId, String, RequestNews)> {
        let ours =
            known.decided.iter().filter(|(step, user)| known.side(*step) == Some(self.organization) && *user != known.request.requested_by);
        let deciders = ours.filter_map(|(_, user)| Some((*user, self.members.get(user)?.clone(), news)));
        deciders.chain(self.requester(known, news)).collect()
    }

    fn mail(&self, known: &Known, news: RequestNews, data: &Value, by: &str, public_url: &str) -> Mail {
        let text = |key: &str| data[key].as_str().unwrap_or_default().to_owned();
        let by = match data["on_behalf_of"]["name"].as_str() {
            Some(absent) => format!("{by}, in the stead of {absent},"),
            None => by.to_owned(),
        };
        // A rule is told to those whose rule it is.
        let own = known.request.step == Step::Internal && known.request.organization == self.organization;
        let changes: Vec<&str> = data["changes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let detail = match (news, changes.as_slice()) {
            (RequestNews::Waits, _) if own && !known.request.rule.is_empty() => {
                format!("It waits because of a rule of {}. {}", known.asking, known.request.rule)
            }
            (RequestNews::Answered, [_, ..]) => format!("Something else is asked for now: {}.", changes.join("; ")),
            _ => String::new(),
        };
        Mail::Request {
            news,
            title: known.title.clone(),
            by,
            text: Some(text("comment")).filter(|said| !said.is_empty()).unwrap_or_else(|| text("note")),
            detail,
            side: known.name(known.request.step).to_owned(),
            until: known.request.state.is_open().then_some(known.request.expires_at),
            link: format!("{public_url}/requests/{}", known.request.id),
        }
    }
}

fn step(data: &Value, key: &str) -> Option<Step> {
    data[key].as_str().and_then(|word| word.parse().ok())
}
