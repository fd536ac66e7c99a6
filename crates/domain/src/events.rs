//! Events: the log of each organization, gapless and hash-chained.

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    ids::{ApplicationId, EventId, OrganizationId, UserId},
    periods::{BadMoment, Moment},
    text::Faults,
    time::Ts,
    words::words,
};

words! {
    /// What happened. The words are the event types of the API.
    EventKind, NotAnEventKind, "an event type" {
        /// An organization was created.
        OrganizationCreated = "organization.created",
        /// Its details changed.
        OrganizationUpdated = "organization.updated",
        /// It was deleted.
        OrganizationDeleted = "organization.deleted",
        /// The operator brought it back within its time.
        OrganizationRestored = "organization.restored",
        /// Its data was erased, apart from the ledger.
        OrganizationErased = "organization.erased",
        /// The operator suspended it.
        OrganizationSuspended = "organization.suspended",
        /// The operator lifted the suspension.
        OrganizationUnsuspended = "organization.unsuspended",
        /// An operator looked at it.
        OperatorViewed = "operator.viewed",
        /// An operator took the second factors of a member's account away.
        SecondFactorsReset = "operator.second_factors_reset",
        /// Whose mail domain people join by was verified.
        DomainVerified = "organization.domain_verified",
        /// It was given up.
        DomainRemoved = "organization.domain_removed",
        /// A user became a member.
        MemberAdded = "member.added",
        /// A member's role changed.
        MemberRoleChanged = "member.role_changed",
        /// A member was removed or left.
        MemberRemoved = "member.removed",
        /// A project was created.
        ProjectCreated = "project.created",
        /// Its details changed.
        ProjectUpdated = "project.updated",
        /// It was deleted.
        ProjectDeleted = "project.deleted",
        /// A service, or every one, is kept out of it.
        ProjectLocked = "project.locked",
        /// It is kept out no more.
        ProjectUnlocked = "project.unlocked",
        /// A resource was written, new or anew.
        ResourceWritten = "resource.written",
        /// A resource was deleted.
        ResourceDeleted = "resource.deleted",
        /// An application was registered.
        ApplicationCreated = "application.created",
        /// Its details changed.
        ApplicationUpdated = "application.updated",
        /// It was deleted.
        ApplicationDeleted = "application.deleted",
        /// A client secret was made.
        SecretCreated = "application.secret_created",
        /// A client secret was revoked.
        SecretRevoked = "application.secret_revoked",
        /// One of its access tokens was given back (RFC 7009).
        TokenRevoked = "application.token_revoked",
        /// An application was shared with an organization or with a team of it.
        ApplicationShared = "application.shared",
        /// An application is not shared with it any more.
        ApplicationUnshared = "application.unshared",
        /// An application became the organization's own.
        ApplicationTransferred = "application.transferred",
        /// A team was created.
        TeamCreated = "team.created",
        /// Its details changed.
        TeamUpdated = "team.updated",
        /// It was deleted.
        TeamDeleted = "team.deleted",
        /// A member was put into it.
        TeamMemberAdded = "team.member_added",
        /// A member was taken out of it.
        TeamMemberRemoved = "team.member_removed",
        /// Somebody without an account was invited.
        InvitationCreated = "invitation.created",
        /// The invitation was sent once more.
        InvitationResent = "invitation.resent",
        /// It was accepted.
        InvitationAccepted = "invitation.accepted",
        /// It was declined.
        InvitationDeclined = "invitation.declined",
        /// It was taken back.
        InvitationRevoked = "invitation.revoked",
        /// Its time is over.
        InvitationExpired = "invitation.expired",
        /// A service was drafted.
        ServiceCreated = "service.created",
        /// Its details changed.
        ServiceUpdated = "service.updated",
        /// It offers another contract to new subscriptions.
        ServiceContractAdded = "service.contract_added",
        /// It was published.
        ServicePublished = "service.published",
        /// It takes no new subscriptions for now.
        ServicePaused = "service.paused",
        /// It waits for the operator's review.
        ServiceReviewAsked = "service.review_asked",
        /// It was taken back from review.
        ServiceReviewWithdrawn = "service.review_withdrawn",
        /// The operator did not let it on the marketplace.
        ServiceReviewRejected = "service.review_rejected",
        /// It takes no new subscriptions any more and will be retired.
        ServiceDeprecated = "service.deprecated",
        /// It is over.
        ServiceRetired = "service.retired",
        /// The operator stopped it.
        ServiceSuspended = "service.suspended",
        /// The operator let it go on.
        ServiceUnsuspended = "service.unsuspended",
        /// An organization was named to see a private service.
        ServiceAudienceAdded = "service.audience_added",
        /// An organization is not named any more.
        ServiceAudienceRemoved = "service.audience_removed",
        /// It has another provider.
        ServiceHandedOver = "service.handed_over",
        /// A service was offered to another organization.
        HandoverOffered = "handover.offered",
        /// The other organization does not want it.
        HandoverDeclined = "handover.declined",
        /// The offer was taken back.
        HandoverWithdrawn = "handover.withdrawn",
        /// Nobody answered the offer in time.
        HandoverExpired = "handover.expired",
        /// A subscription was asked for.
        SubscriptionRequested = "subscription.requested",
        /// A subscription came into force.
        SubscriptionActivated = "subscription.activated",
        /// The projects of a subscription changed.
        SubscriptionProjectsChanged = "subscription.projects_changed",
        /// A subscription has another plan of the same contract.
        SubscriptionPlanChanged = "subscription.plan_changed",
        /// A new contract waits for the subscriber's consent.
        SubscriptionContractOffered = "subscription.contract_offered",
        /// A subscription has another contract: it asks for less, or it was accepted.
        SubscriptionContractChanged = "subscription.contract_changed",
        /// A new contract was refused.
        SubscriptionContractRefused = "subscription.contract_refused",
        /// The day comes near on which a subscription without consent ends.
        SubscriptionContractReminded = "subscription.contract_reminded",
        /// A subscription is approved; its provider sets it up.
        SubscriptionProvisioning = "subscription.provisioning",
        /// The provider, or the service itself, has set a subscription up.
        SubscriptionReady = "subscription.ready",
        /// The provider could not set a subscription up.
        SubscriptionFailed = "subscription.failed",
        /// A subscription was not approved.
        SubscriptionRejected = "subscription.rejected",
        /// A subscription was taken back before it came into force.
        SubscriptionWithdrawn = "subscription.withdrawn",
        /// Something holds a subscription up.
        SubscriptionPaused = "subscription.paused",
        /// It does not hold it up any more.
        SubscriptionResumed = "subscription.resumed",
        /// What a subscription may cost in a month was set.
        SubscriptionBudgetSet = "subscription.budget_set",
        /// It may cost whatever it comes to.
        SubscriptionBudgetRemoved = "subscription.budget_removed",
        /// The end of a subscription was decided for later.
        SubscriptionEnding = "subscription.ending",
        /// It will not end after all.
        SubscriptionKept = "subscription.kept",
        /// Nobody approved a subscription in time.
        SubscriptionExpired = "subscription.expired",
        /// A subscription ended.
        SubscriptionEnded = "subscription.ended",
        /// A contract at the other level was accepted; both ways of access work.
        LevelChangeAccepted = "level_change.accepted",
        /// The subscriptions at the new level took over.
        LevelChangeSwitched = "level_change.switched",
        /// It was taken back: the subscriptions of before go on.
        LevelChangeUndone = "level_change.undone",
        /// The announced day has come: the subscriptions of before are over.
        LevelChangeSettled = "level_change.settled",
        /// A request was made.
        RequestOpened = "request.opened",
        /// A step of a request was approved and the next one is waited for.
        RequestForwarded = "request.forwarded",
        /// A request was approved.
        RequestApproved = "request.approved",
        /// A request was rejected.
        RequestRejected = "request.rejected",
        /// A request was taken back.
        RequestWithdrawn = "request.withdrawn",
        /// Whoever made a request was asked something about it.
        RequestAsked = "request.asked",
        /// The question was answered, perhaps with other wishes.
        RequestAnswered = "request.answered",
        /// Whoever a request waits for was reminded of it.
        RequestReminded = "request.reminded",
        /// Nobody decided a request in time.
        RequestExpired = "request.expired",
        /// What the organization wants to be approved changed.
        PolicyChanged = "policy.changed",
        /// Somebody decides in another's stead for a while.
        DelegationCreated = "delegation.created",
        /// That ended before its time.
        DelegationEnded = "delegation.ended",
    }
}

/// Who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Actor {
    /// A person.
    User(UserId),
    /// An application with its own credentials.
    Application(ApplicationId),
    /// Stoa itself, such as a job.
    System,
}

impl Actor {
    /// `user`, `application` or `system`.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Application(_) => "application",
            Self::System => "system",
        }
    }

    /// The id, where there is one.
    pub fn id(self) -> Option<String> {
        match self {
            Self::User(id) => Some(id.to_string()),
            Self::Application(id) => Some(id.to_string()),
            Self::System => None,
        }
    }
}

/// What it was done to: a noun and an id (or, for resources, a name).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The noun, such as `project`.
    pub kind: String,
    /// The id.
    pub id: String,
}

impl Subject {
    /// A subject.
    pub fn new(kind: &str, id: impl ToString) -> Self {
        Self { kind: kind.to_owned(), id: id.to_string() }
    }
}

/// SHA-256 of an event and of all before it.
pub type ChainHash = [u8; 32];

/// What the chain of an organization without events starts from.
pub const CHAIN_START: ChainHash = [0; 32];

/// One line of an organization's log.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Whose log.
    pub organization: OrganizationId,
    /// 1, 2, 3, … without gaps, per organization.
    pub sequence: i64,
    /// Its id.
    pub id: EventId,
    /// What happened: a word of [`EventKind`].
    pub kind: String,
    /// `user`, `application` or `system`.
    pub actor_kind: String,
    /// Who.
    pub actor_id: Option<String>,
    /// To what.
    pub subject: Subject,
    /// The details, as JSON text exactly as kept (the chain covers its bytes).
    pub data: String,
    /// The HTTP request in which it happened.
    pub request_id: Option<String>,
    /// When.
    pub occurred_at: Ts,
    /// The chain up to the event before.
    pub previous_hash: ChainHash,
    /// The chain up to this event.
    pub hash: ChainHash,
}

impl Event {
    /// The chain hash: SHA-256 over the previous hash and each field, each preceded by its length in bytes (64 bits,
    /// big-endian), so that no two different events hash the same text.
    pub fn chain_hash(&self) -> ChainHash {
        let mut hasher = Sha256::new();
        let mut field = |bytes: &[u8]| {
            hasher.update((bytes.len() as u64).to_be_bytes());
            hasher.update(bytes);
        };
        field(&self.previous_hash);
        field(self.organization.to_string().as_bytes());
        field(&self.sequence.to_be_bytes());
        field(self.id.to_string().as_bytes());
        field(self.kind.as_bytes());
        field(self.actor_kind.as_bytes());
        field(self.actor_id.as_deref().unwrap_or("").as_bytes());
        field(self.subject.kind.as_bytes());
        field(self.subject.id.as_bytes());
        field(self.data.as_bytes());
        field(self.request_id.as_deref().unwrap_or("").as_bytes());
        field(&self.occurred_at.micros().to_be_bytes());
        hasher.finalize().into()
    }

    /// The details as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or(Value::Null)
    }
}

/// Which events of a log are wanted: all that fit every condition given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Of this kind.
    pub kind: Option<EventKind>,
    /// Of a kind that begins with this noun, such as `member` for `member.added`.
    pub noun: Option<String>,
    /// Done by the user or application with this id.
    pub actor: Option<String>,
    /// Done to the subject with this id (of a resource, its name).
    pub subject: Option<String>,
    /// At this time or later.
    pub from: Option<Ts>,
    /// Before this time.
    pub to: Option<Ts>,
}

impl EventFilter {
    /// Reads the conditions as people and programs write them; empty ones are none.
    ///
    /// A day means the whole of it, as a beginning and as an end.
    ///
    /// # Errors
    /// [`Faults`] with the pointers `/type`, `/actor`, `/from` and `/to`.
    pub fn read(given: &EventConditions<'_>) -> Result<Self, Faults> {
        let mut faults = Faults::new();
        let some = |text: Option<&str>| text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        let kind = some(given.kind);
        let noun = kind.clone().filter(|kind| EventKind::nouns().contains(&kind.as_str()));
        let kind = kind.filter(|_| noun.is_none()).and_then(|kind| faults.check("/type", kind.parse::<EventKind>()));
        let actor = some(given.actor);
        if actor.as_ref().is_some_and(|id| id.parse::<UserId>().is_err() && id.parse::<ApplicationId>().is_err()) {
            faults.add("/actor", "give the id of a user (usr_…) or of an application (app_…)");
        }
        let from = some(given.from).and_then(|text| faults.check("/from", boundary(&text, false)));
        let to = some(given.to).and_then(|text| faults.check("/to", boundary(&text, true)));
        if let (Some(from), Some(to)) = (from, to)
            && from >= to
        {
            faults.add("/to", "the end must not lie before the beginning");
        }
        faults.or(Some(Self { kind, noun, actor, subject: some(given.subject), from, to }))
    }
}

/// The conditions of an [`EventFilter`] as they were written.
#[derive(Debug, Clone, Copy, Default)]
pub struct EventConditions<'a> {
    /// A type such as `member.added`, or its noun `member`.
    pub kind: Option<&'a str>,
    /// The id of a user or an application.
    pub actor: Option<&'a str>,
    /// The id of a subject.
    pub subject: Option<&'a str>,
    /// The first day, or an instant (RFC 3339).
    pub from: Option<&'a str>,
    /// The last day, or the instant after the last one.
    pub to: Option<&'a str>,
}

fn boundary(text: &str, end: bool) -> Result<Ts, BadMoment> {
    Ok(match text.parse()? {
        Moment::Day(day) if end => day.next().start(),
        Moment::Day(day) => day.start(),
        Moment::Instant(instant) => instant,
    })
}

impl EventKind {
    /// The noun its word begins with.
    pub fn noun(self) -> &'static str {
        self.word().split('.').next().unwrap_or_default()
    }

    /// All nouns, each once, in the order of the declaration.
    pub fn nouns() -> Vec<&'static str> {
        let mut nouns: Vec<&'static str> = Vec::new();
        for kind in Self::ALL {
            if !nouns.contains(&kind.noun()) {
                nouns.push(kind.noun());
            }
        }
        nouns
    }
}

/// Where a log is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A row is missing.
    #[error("event {0} is missing")]
    Missing(i64),
    /// A row is not what was written.
    #[error("event {0} was changed")]
    Changed(i64),
    /// The last rows are missing: the organization knows of more events than there are.
    #[error("events {0} to {1} are missing at the end")]
    Truncated(i64, i64),
    /// The last row is not the one the organization knows.
    #[error("event {0} is not the one that was last written")]
    WrongHead(i64),
}

/// Walks a log in ascending order and names what is wrong with it.
#[derive(Debug, Clone)]
pub struct ChainCheck {
    sequence: i64,
    hash: ChainHash,
    broken: Vec<Broken>,
}

impl Default for ChainCheck {
    fn default() -> Self {
        Self { sequence: 0, hash: CHAIN_START, broken: Vec::new() }
    }
}

impl ChainCheck {
    /// Looks at the next event.
    pub fn see(&mut self, event: &Event) {
        let gap = (self.sequence + 1)..event.sequence;
        let linked = gap.is_empty() && event.previous_hash == self.hash;
        self.broken.extend(gap.clone().map(Broken::Missing));
        if event.chain_hash() != event.hash || (gap.is_empty() && !linked) {
            self.broken.push(Broken::Changed(event.sequence));
        }
        self.sequence = event.sequence;
        self.hash = event.hash;
    }

    /// Compares with what the organization knows of its log, and answers all that was found.
    pub fn finish(mut self, head_sequence: i64, head_hash: ChainHash) -> Vec<Broken> {
        if head_sequence > self.sequence {
            self.broken.push(Broken::Truncated(self.sequence + 1, head_sequence));
        } else if head_hash != self.hash {
            self.broken.push(Broken::WrongHead(self.sequence));
        }
        self.broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Id;

    fn filter(kind: &str, actor: &str, from: &str, to: &str) -> Result<EventFilter, Vec<String>> {
        let given = EventConditions { kind: Some(kind), actor: Some(actor), subject: Some(" "), from: Some(from), to: Some(to) };
        EventFilter::read(&given).map_err(|faults| faults.into_vec().into_iter().map(|fault| fault.pointer).collect())
    }

    #[test]
    fn a_filter_takes_kinds_nouns_days_and_instants() {
        assert_eq!(filter("", "", "", ""), Ok(EventFilter::default()));
        assert_eq!(filter("member", "", "", "").unwrap().noun.as_deref(), Some("member"));
        assert_eq!(filter("member.added", "", "", "").unwrap().kind, Some(EventKind::MemberAdded));
        let day = filter("", "", "2026-03-12", "2026-03-12").unwrap();
        assert_eq!(day.to.unwrap().micros() - day.from.unwrap().micros(), crate::time::DAY);
        assert_eq!(filter("", "", "2026-03-12T01:00:00 01:00", "").unwrap().from, Some("2026-03-12T00:00:00Z".parse().unwrap()));
        assert_eq!(filter("nothing", "ada", "today", "2026"), Err(["/type", "/actor", "/from", "/to"].map(str::to_owned).to_vec()));
        assert_eq!(filter("", "", "2026-03-12", "2026-03-11"), Err(vec!["/to".to_owned()]));
    }

    fn log(length: i64) -> Vec<Event> {
        let organization = OrganizationId::mint(Ts::from_micros(1), [1; 10]);
        let mut previous_hash = CHAIN_START;
        (1..=length)
            .map(|sequence| {
                let mut event = Event {
                    organization,
                    sequence,
                    id: EventId::mint(Ts::from_micros(sequence), [2; 10]),
                    kind: EventKind::ProjectCreated.word().into(),
                    actor_kind: "system".into(),
                    actor_id: None,
                    subject: Subject::new("project", "prj_x"),
                    data: "{}".into(),
                    request_id: None,
                    occurred_at: Ts::from_micros(sequence),
                    previous_hash,
                    hash: CHAIN_START,
                };
                event.hash = event.chain_hash();
                previous_hash = event.hash;
                event
            })
            .collect()
    }

    fn check(events: &[Event], head: &Event) -> Vec<Broken> {
        let mut chain = ChainCheck::default();
        events.iter().for_each(|event| chain.see(event));
        chain.finish(head.sequence, head.hash)
    }

    #[test]
    fn a_changed_or_missing_row_is_named() {
        let whole = log(6);
        let head = whole[5].clone();
        assert_eq!(check(&whole, &head), []);

        let mut changed = whole.clone();
        changed[2].data = r#"{"name":"another"}"#.into();
        assert_eq!(check(&changed, &head), [Broken::Changed(3)]);

        let mut missing = whole.clone();
        missing.remove(3);
        assert_eq!(check(&missing, &head), [Broken::Missing(4)]);

        assert_eq!(check(&whole[..4], &head), [Broken::Truncated(5, 6)]);
    }

    #[test]
    fn a_row_rewritten_with_a_fitting_hash_breaks_the_link_of_the_next() {
        let whole = log(4);
        let head = whole[3].clone();
        let mut forged = whole;
        forged[1].data = r#"{"forged":true}"#.into();
        forged[1].hash = forged[1].chain_hash();
        assert_eq!(check(&forged, &head), [Broken::Changed(3)]);
    }
}
