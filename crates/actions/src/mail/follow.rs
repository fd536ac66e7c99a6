//! Mails about organizations come from their logs: what is not in the log is told to nobody, and what is, once to each.

use std::collections::BTreeSet;

use serde_json::Value;
use stoa_domain::{
    events::{Event, EventFilter, EventKind},
    ids::{InvitationId, MailId, OrganizationId, UserId},
    level_changes::LevelChangeState,
    mail::{Mail, Source},
    permissions::Role,
    secrets::{Secret, SecretHash, SecretKind},
    services::Level,
    suspensions::Cause,
    time::Ts,
    users::User,
};
use stoa_store::{
    Conn, events, invitations,
    mail::{self, Behind, NewMail},
    members, organizations,
    organizations::Named,
    users,
};

use super::{of_services, requests::Requests, setups};
use crate::{Result, Stoa};

/// How many events are read at a time.
const PAGE: i64 = 200;

/// How many members of one organization are told of its end.
const MOST_TOLD: i64 = 10_000;

/// How many logs are looked through at a time for something to tell.
const LOGS: usize = 500;

/// The events that somebody is told of by mail.
const TOLD: [EventKind; 37] = [
    EventKind::InvitationCreated,
    EventKind::InvitationResent,
    EventKind::MemberAdded,
    EventKind::MemberRoleChanged,
    EventKind::MemberRemoved,
    EventKind::OrganizationDeleted,
    EventKind::ServicePublished,
    EventKind::ServiceReviewAsked,
    EventKind::ServiceReviewRejected,
    EventKind::ServiceDeprecated,
    EventKind::ServiceSuspended,
    EventKind::ServiceUnsuspended,
    EventKind::ServiceHandedOver,
    EventKind::HandoverOffered,
    EventKind::HandoverDeclined,
    EventKind::HandoverWithdrawn,
    EventKind::HandoverExpired,
    EventKind::DelegationCreated,
    EventKind::RequestOpened,
    EventKind::RequestAsked,
    EventKind::RequestAnswered,
    EventKind::RequestForwarded,
    EventKind::RequestApproved,
    EventKind::RequestRejected,
    EventKind::RequestExpired,
    EventKind::RequestReminded,
    EventKind::SubscriptionContractOffered,
    EventKind::SubscriptionContractReminded,
    EventKind::SubscriptionEnded,
    EventKind::SubscriptionPaused,
    EventKind::SubscriptionProvisioning,
    EventKind::SubscriptionReady,
    EventKind::SubscriptionFailed,
    EventKind::LevelChangeAccepted,
    EventKind::LevelChangeSwitched,
    EventKind::LevelChangeUndone,
    EventKind::LevelChangeSettled,
];

/// Reads on in the logs that moved at or after `since`, and writes the mails that their events call for. Any number of
/// nodes may do so at once: a log's position moves on with the mails, in one transaction. Answers how many were written.
///
/// # Errors
/// Those of the database; what was not read is read the next time.
pub async fn follow(stoa: &Stoa, since: Ts, now: Ts) -> Result<u64> {
    let mut conn = stoa.db.read().await?;
    let behind = mail::behind(&mut conn, since).await?;
    let mut written = 0;
    for logs in behind.chunks(LOGS) {
        let telling = mail::telling(&mut conn, logs, &TOLD).await?;
        // Most logs tell nobody anything; they take one transaction together.
        let quiet: Vec<&Behind> = logs.iter().filter(|log| !telling.contains(&log.organization)).collect();
        if !quiet.is_empty() {
            let mut tx = stoa.db.begin().await?;
            mail::advance_to_end(&mut tx, quiet).await?;
            tx.commit().await?;
        }
        let loud: Vec<&Behind> = logs.iter().filter(|log| telling.contains(&log.organization)).collect();
        for log in loud {
            written += read_on(stoa, &mut conn, log.organization, log.position, now).await?;
        }
    }
    Ok(written)
}

/// Reads one log to its end.
async fn read_on(stoa: &Stoa, conn: &mut Conn, organization: OrganizationId, mut position: i64, now: Ts) -> Result<u64> {
    let mut written = 0;
    loop {
        let page = events::after(conn, organization, position, &EventFilter::default(), PAGE).await?;
        let Some(last) = page.last().map(|event| event.sequence) else { return Ok(written) };
        let (mut letters, invited) = letters(stoa, conn, organization, &page, now).await?;
        let mut tx = stoa.db.begin().await?;
        if !mail::advance(&mut tx, organization, position, last).await? {
            // Another node reads this log just now.
            return Ok(written);
        }
        for one in invited {
            // An invitation that was answered or taken back in the meantime needs no mail any more.
            if !invitations::set_token(&mut tx, organization, one.invitation, one.secret).await? {
                letters.retain(|letter| letter.id != one.mail);
            }
        }
        written += mail::insert(&mut tx, &letters, now).await?;
        tx.commit().await?;
        position = last;
    }
}

/// What is known when the mails of a page of events are written.
struct Context<'a> {
    stoa: &'a Stoa,
    organization: Named,
    /// Read where a contract waits for them.
    maintainers: Vec<UserId>,
    people: Vec<User>,
    /// The addresses of who is invited.
    invited: Vec<(InvitationId, String)>,
    /// Who belongs to the organization, where all are told of its end.
    members: BTreeSet<UserId>,
    /// The requests that events tell of.
    requests: Requests,
}

/// The secret that the mail of an invitation carries.
struct Invited {
    invitation: InvitationId,
    secret: SecretHash,
    mail: MailId,
}

type Letters = (Vec<NewMail>, Vec<Invited>);

async fn letters(stoa: &Stoa, conn: &mut Conn, organization: OrganizationId, page: &[Event], now: Ts) -> Result<Letters> {
    let told: Vec<&Event> = page.iter().filter(|event| is_told(event)).collect();
    let Some(named) = (match told.is_empty() {
        true => None,
        false => organizations::names(conn, &[organization]).await?.into_iter().next(),
    }) else {
        return Ok(Letters::default());
    };
    let mut ids: Vec<UserId> = Vec::new();
    for event in &told {
        ids.extend(
            [event.actor_id.as_deref().unwrap_or_default(), &event.subject.id].into_iter().filter_map(|id| id.parse::<UserId>().ok()),
        );
        ids.extend(event.json()["delegate"]["id"].as_str().and_then(|id| id.parse::<UserId>().ok()));
        ids.extend(setups::requester(event));
    }
    let ended = told.iter().any(|event| event.kind == EventKind::OrganizationDeleted.word());
    let members: BTreeSet<UserId> = match ended {
        true => members::list(conn, organization, None, None, MOST_TOLD).await?.iter().map(|member| member.user).collect(),
        false => BTreeSet::new(),
    };
    ids.extend(&members);
    let told_of_services = of_services::recipients(conn, organization, of_services::wanted(&told)).await?;
    ids.extend(told_of_services.maintainers.iter().copied());
    let maintainers = match told.iter().any(|event| is_about_a_contract(event)) {
        true => members::maintainers(conn, organization).await?,
        false => Vec::new(),
    };
    ids.extend(&maintainers);
    ids.sort_unstable();
    ids.dedup();
    let asked: Vec<InvitationId> = told.iter().filter_map(|event| event.subject.id.parse().ok()).collect();
    let context = Context {
        stoa,
        organization: named,
        maintainers,
        people: users::find_many(conn, &ids).await?,
        invited: invitations::addresses(conn, organization, &asked).await?,
        members,
        requests: Requests::of(conn, organization, &told, now).await?,
    };
    let mut letters = Vec::new();
    let mut invited = Vec::new();
    for event in told {
        let source = Some(Source { organization, sequence: event.sequence });
        if let Some((invitation, recipient, mail, secret)) = context.invitation(event) {
            let id = stoa.mint(now);
            invited.push(Invited { invitation, secret: secret.hash(), mail: id });
            letters.push(NewMail { id, recipient, mail, source });
            continue;
        }
        let mails = context.mails(event).into_iter().chain(context.of_service(event, &told_of_services));
        letters.extend(mails.map(|(recipient, mail)| NewMail { id: stoa.mint(now), recipient, mail, source }));
    }
    Ok((letters, invited))
}

/// Whether somebody is told of an event. Whom an import made a member knows nothing of this installation yet.
fn is_told(event: &Event) -> bool {
    match event.kind.parse::<EventKind>() {
        Ok(
            EventKind::SubscriptionContractOffered
            | EventKind::SubscriptionContractReminded
            | EventKind::SubscriptionEnded
            | EventKind::SubscriptionPaused
            | EventKind::SubscriptionProvisioning
            | EventKind::SubscriptionReady
            | EventKind::SubscriptionFailed,
        ) => is_about_a_contract(event),
        Ok(kind) => TOLD.contains(&kind) && of_services::is_told(event).unwrap_or(true) && event.json()["imported"] != true,
        Err(_) => false,
    }
}

/// What became of budgets with a change of level, where the log is that of the organization whose they are.
fn budgets_told(event: &Event, data: &Value) -> Vec<String> {
    let own = data["organization"]["id"] == event.organization.to_string();
    let told = data["budgets"].as_array().into_iter().flatten().filter(|_| own);
    told.filter_map(|words| words.as_str().map(str::to_owned)).collect()
}

/// Whether the maintainers of an organization are told of an event of a subscription: a contract waits for them or they missed
/// it, a change of level goes on, a budget is used up, it waits to be set up or that is done.
fn is_about_a_contract(event: &Event) -> bool {
    match event.kind.parse::<EventKind>() {
        // For a change of level one subscription of the organization speaks for all.
        Ok(EventKind::SubscriptionContractOffered | EventKind::SubscriptionContractReminded) => {
            event.json()["change_of_level"]["first"] != false
        }
        Ok(kind) if kind.noun() == "level_change" => true,
        Ok(EventKind::SubscriptionPaused) => {
            let data = event.json();
            data["by"] == Cause::Budget.word() && data["organization"]["id"] == event.organization.to_string()
        }
        Ok(EventKind::SubscriptionEnded) => {
            let data = event.json();
            data["cause"] == "contract_not_accepted" && data["organization"]["id"] == event.organization.to_string()
        }
        _ => setups::news(event).is_some(),
    }
}

impl Context<'_> {
    /// The mails of an event, each with its recipient. Nobody is told what they did themselves.
    fn mails(&self, event: &Event) -> Vec<(String, Mail)> {
        if is_about_a_contract(event) {
            return self.about_a_contract(event);
        }
        let organization = self.organization.name.clone();
        let (link, by) = (self.link(""), self.by(event));
        let data = event.json();
        let role = |key: &str| data[key].as_str().and_then(|word| word.parse::<Role>().ok());
        let subject = self.person(&event.subject.id).filter(|user| event.actor_id.as_deref() != Some(user.id.to_string().as_str()));
        let mail = match event.kind.parse::<EventKind>() {
            Ok(EventKind::MemberAdded) => role("role").map(|role| Mail::MemberAdded { organization, link, role, by }),
            Ok(EventKind::MemberRoleChanged) => {
                role("from").zip(role("to")).map(|(from, to)| Mail::RoleChanged { organization, link, from, to, by })
            }
            Ok(EventKind::MemberRemoved) => Some(Mail::MemberRemoved { organization, by }),
            Ok(EventKind::DelegationCreated) => return self.delegated(event).into_iter().collect(),
            Ok(kind) if kind.noun() == "request" => return self.requests.mails(event, &by, &self.stoa.public_url),
            Ok(EventKind::OrganizationDeleted) => return self.to_all(event, &Mail::OrganizationDeleted { organization, by }),
            _ => None,
        };
        subject.zip(mail).map(|(user, mail)| (user.email.clone(), mail)).into_iter().collect()
    }

    /// The mail of an invitation, with a secret made for it: it is written nowhere else.
    fn invitation(&self, event: &Event) -> Option<(InvitationId, String, Mail, Secret)> {
        let kinds = [EventKind::InvitationCreated, EventKind::InvitationResent];
        let id: InvitationId = event.subject.id.parse().ok().filter(|_| kinds.iter().any(|kind| kind.word() == event.kind))?;
        let role = event.json()["role"].as_str()?.parse().ok()?;
        // Without the invitation there is nobody to write to.
        let (_, address) = self.invited.iter().find(|(one, _)| *one == id)?;
        let secret = self.stoa.secret(SecretKind::Invitation);
        let link = super::secret_link(self.stoa, "/invitations", &secret);
        let mail = Mail::Invitation { organization: self.organization.name.clone(), by: self.by(event), role, link };
        Some((id, address.clone(), mail, secret))
    }

    /// The mails of an event of a service.
    fn of_service(&self, event: &Event, to: &of_services::Recipients) -> Vec<(String, Mail)> {
        let Some(mail) = of_services::mail(event, &self.organization, &self.stoa.public_url, &self.by(event)) else { return Vec::new() };
        let maintainers = self.people.iter().filter(|user| to.maintainers.contains(&user.id));
        let people: Vec<&User> =
            if matches!(mail, Mail::ServiceReviewAsked { .. }) { to.operators.iter().collect() } else { maintainers.collect() };
        let others = people.into_iter().filter(|user| event.actor_id.as_deref() != Some(user.id.to_string().as_str()));
        others.map(|user| (user.email.clone(), mail.clone())).collect()
    }

    /// The mail to whoever is to decide in the actor's stead.
    fn delegated(&self, event: &Event) -> Option<(String, Mail)> {
        let data = event.json();
        let time = |key: &str| data[key].as_str().and_then(|at| at.parse::<Ts>().ok());
        let delegate = self.person(data["delegate"]["id"].as_str()?)?;
        let mail = Mail::Delegated {
            organization: self.organization.name.clone(),
            by: data["absent"]["name"].as_str()?.to_owned(),
            from: time("from")?,
            until: time("until")?,
            link: self.link("/delegations"),
        };
        Some((delegate.email.clone(), mail))
    }

    /// What maintainers are told of a contract that waits for them, or that they missed.
    fn about_a_contract(&self, event: &Event) -> Vec<(String, Mail)> {
        let data = event.json();
        let name = |key: &str| data[key]["name"].as_str().unwrap_or_default().to_owned();
        let (organization, service, provider) = (self.organization.name.clone(), name("service"), name("provider"));
        let of_level = data["service"]["id"].as_str().filter(|_| !data["change_of_level"].is_null() || !data["level"].is_null());
        let link = match of_level {
            Some(service)
                if data["provider"]["id"] == event.organization.to_string()
                    && data["organization"]["id"] != event.organization.to_string() =>
            {
                self.link(&format!("/services/{service}/level-changes"))
            }
            Some(service) => self.link(&format!("/level-changes/{service}")),
            None => self.link(&format!("/subscriptions/{}/contract", event.subject.id)),
        };
        let mail = match event.kind.parse::<EventKind>() {
            _ if setups::news(event).is_some() => setups::mail(event, &organization, |path| self.link(path)),
            Ok(EventKind::SubscriptionEnded) => Mail::ContractLapsed { organization, service, provider, link },
            Ok(EventKind::SubscriptionPaused) => {
                let reason = data["reason"].as_str().unwrap_or_default().to_owned();
                Mail::BudgetUsedUp { organization, service, reason, link: self.link(&format!("/subscriptions/{}", event.subject.id)) }
            }
            Ok(kind) if kind.noun() == "level_change" => Mail::LevelChanged {
                organization,
                service,
                subscriber: name("organization"),
                state: data["state"].as_str().and_then(|word| word.parse().ok()).unwrap_or(LevelChangeState::Accepted),
                level: data["level"].as_str().and_then(|word| word.parse().ok()).unwrap_or(Level::Organization),
                until: data["until"].as_str().and_then(|until| until.parse().ok()),
                budgets: budgets_told(event, &data),
                by: self.by(event),
                link,
            },
            kind => Mail::ContractOffered {
                organization,
                service,
                provider,
                version: data["contract"]["version"].as_i64().unwrap_or_default(),
                until: data["until"].as_str().and_then(|until| until.parse().ok()),
                again: kind == Ok(EventKind::SubscriptionContractReminded),
                link,
            },
        };
        let requester = setups::requester(event);
        let told = self.people.iter().filter(|user| self.maintainers.contains(&user.id) || requester == Some(user.id));
        told.filter(|user| event.actor_id.as_deref() != Some(user.id.to_string().as_str()))
            .map(|user| (user.email.clone(), mail.clone()))
            .collect()
    }

    fn to_all(&self, event: &Event, mail: &Mail) -> Vec<(String, Mail)> {
        let is_other = |user: &&User| event.actor_id.as_deref() != Some(user.id.to_string().as_str());
        let others = self.people.iter().filter(|user| self.members.contains(&user.id)).filter(is_other);
        others.map(|user| (user.email.clone(), mail.clone())).collect()
    }

    fn person(&self, id: &str) -> Option<&User> {
        let id: UserId = id.parse().ok()?;
        self.people.iter().find(|user| user.id == id)
    }

    fn by(&self, event: &Event) -> String {
        match self.person(event.actor_id.as_deref().unwrap_or_default()) {
            Some(user) => user.name.clone(),
            None if event.actor_kind == "user" => "somebody who is no longer here".to_owned(),
            None => "the operator of this installation".to_owned(),
        }
    }

    /// A page of the organization.
    fn link(&self, path: &str) -> String {
        format!("{}/organizations/{}{path}", self.stoa.public_url, self.organization.handle)
    }
}
