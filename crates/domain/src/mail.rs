//! E-mail: what is told to whom, and what becomes of a mail that a server does not take.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{MailId, OrganizationId},
    level_changes::LevelChangeState,
    permissions::Role,
    services::Level,
    time::{DAY, Day, HOUR, SECOND, Ts},
    words::words,
};

/// A link within this installation that carries a secret: whoever opens it is whom the mail was sent to.
pub type SecretLink = String;

words! {
    /// What is told of a request.
    RequestNews, NotRequestNews, "news of a request" {
        /// It waits for whom the mail goes to.
        Waits = "waits",
        /// Whoever made it is asked something.
        Asked = "asked",
        /// The question was answered.
        Answered = "answered",
        /// A step was approved; somebody else decides next.
        Forwarded = "forwarded",
        /// It was approved.
        Approved = "approved",
        /// It was rejected.
        Rejected = "rejected",
        /// Nobody decided it in time.
        Expired = "expired",
        /// It still waits for whom the mail goes to.
        Reminded = "reminded",
    }
}

words! {
    /// What is told of a hand-over.
    HandoverNews, NotHandoverNews, "news of a hand-over" {
        /// It waits for whom the mail goes to.
        Offered = "offered",
        /// The service has another provider: told to both sides.
        Accepted = "accepted",
        /// The service has another provider: told to its subscribers.
        Subscribed = "subscribed",
        /// It was declined.
        Declined = "declined",
        /// It was taken back.
        Withdrawn = "withdrawn",
        /// Nobody answered in time.
        Expired = "expired",
    }
}

/// What is new of a subscription that its provider sets up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SetupNews {
    /// It waits for the provider.
    Waits,
    /// It is in force.
    Ready,
    /// It could not be set up.
    Failed,
}

/// A message with all it tells. Names and links are those of the moment at which it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Mail {
    /// An address wants an account: whoever reads this may make it.
    SignUp {
        /// Where.
        link: SecretLink,
    },
    /// An address that has an account wants another.
    HaveAccount {
        /// Where a new password can be set.
        link: SecretLink,
    },
    /// A forgotten password is to be set anew.
    ResetPassword {
        /// Where.
        link: SecretLink,
    },
    /// A new password was asked for, but the address has no account.
    NoAccount {
        /// The page where one signs in or up.
        link: String,
    },
    /// The password was set.
    PasswordChanged {
        /// When.
        at: Ts,
        /// Where a new one is asked for.
        link: String,
    },
    /// An account wants this address.
    ConfirmAddress {
        /// The address it has now.
        from: String,
        /// Where it is confirmed.
        link: SecretLink,
    },
    /// An account wants this address, which has an account of its own.
    AddressTaken {
        /// The address it has now.
        from: String,
    },
    /// The account of this address is to get another.
    AddressChangeAsked {
        /// The address it shall get.
        to: String,
        /// Where that is stopped, or taken back.
        link: SecretLink,
    },
    /// The account of this address got another.
    AddressChanged {
        /// The address it has now.
        to: String,
        /// Where that is taken back.
        link: SecretLink,
    },
    /// A new contract of a service waits for the consent of an organization whose maintainer this is.
    ContractOffered {
        /// The organization's name.
        organization: String,
        /// The service's name.
        service: String,
        /// The provider's name.
        provider: String,
        /// Its version.
        version: i64,
        /// When the subscription ends if nobody accepts it.
        until: Option<Ts>,
        /// Whether this is said once more, because the day comes near.
        again: bool,
        /// Where it is accepted or refused.
        link: String,
    },
    /// A change of level went on: for maintainers of both sides.
    LevelChanged {
        /// The name of the organization of who reads it.
        organization: String,
        /// The service's name.
        service: String,
        /// The name of the organization that subscribes it.
        subscriber: String,
        /// Where the change is now.
        state: LevelChangeState,
        /// The level to which it leads.
        level: Level,
        /// Until when it can be undone.
        until: Option<Ts>,
        /// What became of budgets, a sentence each; for those who subscribe.
        #[serde(default)]
        budgets: Vec<String>,
        /// Who did it.
        by: String,
        /// Where it is looked at.
        link: String,
    },
    /// A subscription is held up because its budget is used up.
    BudgetUsedUp {
        /// The organization's name.
        organization: String,
        /// The service's name.
        service: String,
        /// Which budget.
        reason: String,
        /// The page of the subscription.
        link: String,
    },
    /// A subscription waits to be set up, or that is done.
    Setup {
        /// The organization that is told, by name.
        organization: String,
        /// The service's name.
        service: String,
        /// The other side, by name: who subscribed for the provider, the provider for who subscribed.
        other: String,
        /// What is new.
        news: SetupNews,
        /// Why it failed.
        reason: String,
        /// Until when the provider has time.
        until: Option<Ts>,
        /// Where it is looked at.
        link: String,
    },
    /// A subscription ended because a new contract was not accepted.
    ContractLapsed {
        /// The organization's name.
        organization: String,
        /// The service's name.
        service: String,
        /// The provider's name.
        provider: String,
        /// The page of the subscription.
        link: String,
    },
    /// The account of this address is deleted.
    AccountDeleted {
        /// When.
        at: Ts,
    },
    /// An operator took the second factors of the account of this address away.
    SecondFactorsReset {
        /// When.
        at: Ts,
        /// Why.
        reason: String,
        /// Where others are set up.
        link: String,
    },
    /// An organization claims the domain of this role address.
    DomainCode {
        /// The organization's name.
        organization: String,
        /// The domain.
        domain: String,
        /// What verifies it.
        code: String,
        /// Who claims it.
        by: String,
    },
    /// Somebody became a member of an organization.
    MemberAdded {
        /// The organization's name.
        organization: String,
        /// Its page.
        link: String,
        /// The role.
        role: Role,
        /// Who did it.
        by: String,
    },
    /// A member's role changed.
    RoleChanged {
        /// The organization's name.
        organization: String,
        /// Its page.
        link: String,
        /// The role before.
        from: Role,
        /// The role now.
        to: Role,
        /// Who did it.
        by: String,
    },
    /// A member was removed by somebody else.
    MemberRemoved {
        /// The organization's name.
        organization: String,
        /// Who did it.
        by: String,
    },
    /// Somebody without an account is invited into an organization.
    Invitation {
        /// The organization's name.
        organization: String,
        /// Who invites.
        by: String,
        /// The role.
        role: Role,
        /// Where it is answered.
        link: SecretLink,
    },
    /// Something became of a request.
    Request {
        /// What.
        news: RequestNews,
        /// What is asked for, as a sentence without its end.
        title: String,
        /// Who did it.
        by: String,
        /// What was written: a note, question, answer, comment or reason; may be empty.
        text: String,
        /// The rule that makes it wait, or what changed about it; may be empty.
        detail: String,
        /// Whose decision is waited for, where one is.
        side: String,
        /// Until when it waits, where it does.
        until: Option<Ts>,
        /// Its page.
        link: String,
    },
    /// Somebody decides in another's stead for a while.
    Delegated {
        /// The organization's name.
        organization: String,
        /// Who is away.
        by: String,
        /// From when.
        from: Ts,
        /// Until when.
        until: Ts,
        /// The page of requests.
        link: String,
    },
    /// Something became of the hand-over of a service.
    Handover {
        /// What.
        news: HandoverNews,
        /// The organization that is told.
        organization: String,
        /// The service's name.
        service: String,
        /// Who provides it, or did.
        from: String,
        /// To whom it is offered, or who provides it now.
        to: String,
        /// Who did it.
        by: String,
        /// What whoever offers it wrote; may be empty.
        note: String,
        /// Until when it waits, where it does.
        until: Option<Ts>,
        /// The organization's page of it.
        link: String,
    },
    /// An organization was deleted.
    OrganizationDeleted {
        /// Its name.
        organization: String,
        /// Who did it.
        by: String,
    },
    /// A service waits for the operator's review.
    ServiceReviewAsked {
        /// The provider's name.
        organization: String,
        /// The service's name.
        service: String,
        /// The operator's page of it.
        link: String,
        /// Who asked.
        by: String,
    },
    /// The operator reviewed a service.
    ServiceReviewed {
        /// The provider's name.
        organization: String,
        /// The service's name.
        service: String,
        /// Whether it is published.
        published: bool,
        /// What the operator said; may be empty.
        reason: String,
        /// The provider's page of it.
        link: String,
    },
    /// A subscribed service will be retired.
    ServiceDeprecated {
        /// The subscriber's name.
        organization: String,
        /// The service's name.
        service: String,
        /// The provider's name.
        provider: String,
        /// From which day on.
        on: Day,
        /// What the provider recommends instead.
        successor: Option<String>,
        /// The subscriber's page of it.
        link: String,
    },
    /// The operator stopped a service, or let it go on: told to its provider and its subscribers.
    ServiceSuspended {
        /// The organization that is told.
        organization: String,
        /// The service's name.
        service: String,
        /// Whether it is stopped; otherwise it goes on.
        suspended: bool,
        /// Why.
        reason: String,
        /// The organization's page of it.
        link: String,
    },
}

impl RequestNews {
    /// The word for a mail of it.
    const fn mail(self) -> &'static str {
        match self {
            Self::Waits => "request_waits",
            Self::Asked => "request_asked",
            Self::Answered => "request_answered",
            Self::Forwarded => "request_forwarded",
            Self::Approved => "request_approved",
            Self::Rejected => "request_rejected",
            Self::Expired => "request_expired",
            Self::Reminded => "request_reminded",
        }
    }

    fn subject(self, title: &str) -> String {
        let what = match self {
            Self::Waits => "Waits for you",
            Self::Asked => "A question to you",
            Self::Answered => "Answered",
            Self::Forwarded => "One approval is there",
            Self::Approved => "Approved",
            Self::Rejected => "Rejected",
            Self::Expired => "Expired",
            Self::Reminded => "Still waits for you",
        };
        format!("{what}: {title}")
    }
}

impl HandoverNews {
    /// The word for a mail of it.
    const fn mail(self) -> &'static str {
        match self {
            Self::Offered => "handover_offered",
            Self::Accepted => "handover_accepted",
            Self::Subscribed => "service_handed_over",
            Self::Declined => "handover_declined",
            Self::Withdrawn => "handover_withdrawn",
            Self::Expired => "handover_expired",
        }
    }

    fn subject(self, service: &str, organization: &str, to: &str) -> String {
        match self {
            Self::Offered => format!("{service} is offered to {organization}"),
            Self::Accepted | Self::Subscribed => format!("{to} provides {service} now"),
            Self::Declined => format!("{to} declined {service}"),
            Self::Withdrawn => format!("{service} is no longer offered to {to}"),
            Self::Expired => format!("The offer of {service} to {to} has expired"),
        }
    }
}

impl Mail {
    /// The word for what it is, as the outbox lists it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::SignUp { .. } => "sign_up",
            Self::HaveAccount { .. } => "have_account",
            Self::ResetPassword { .. } => "reset_password",
            Self::NoAccount { .. } => "no_account",
            Self::PasswordChanged { .. } => "password_changed",
            Self::ConfirmAddress { .. } => "confirm_address",
            Self::AddressTaken { .. } => "address_taken",
            Self::AddressChangeAsked { .. } => "address_change_asked",
            Self::AddressChanged { .. } => "address_changed",
            Self::AccountDeleted { .. } => "account_deleted",
            Self::SecondFactorsReset { .. } => "second_factors_reset",
            Self::DomainCode { .. } => "domain_code",
            Self::MemberAdded { .. } => "member_added",
            Self::RoleChanged { .. } => "role_changed",
            Self::MemberRemoved { .. } => "member_removed",
            Self::Invitation { .. } => "invitation",
            Self::Request { news, .. } => news.mail(),
            Self::Delegated { .. } => "delegated",
            Self::Handover { news, .. } => news.mail(),
            Self::ContractOffered { .. } => "contract_offered",
            Self::ContractLapsed { .. } => "contract_lapsed",
            Self::LevelChanged { .. } => "level_changed",
            Self::BudgetUsedUp { .. } => "budget_used_up",
            Self::Setup { news: SetupNews::Waits, .. } => "setup_waits",
            Self::Setup { news: SetupNews::Ready, .. } => "setup_ready",
            Self::Setup { news: SetupNews::Failed, .. } => "setup_failed",
            Self::OrganizationDeleted { .. } => "organization_deleted",
            Self::ServiceReviewAsked { .. } => "service_review_asked",
            Self::ServiceReviewed { .. } => "service_reviewed",
            Self::ServiceDeprecated { .. } => "service_deprecated",
            Self::ServiceSuspended { .. } => "service_suspended",
        }
    }

    /// The line by which it is found in a mailbox.
    pub fn subject(&self) -> String {
        match self {
            Self::SignUp { .. } => "Your account at Stoa".to_owned(),
            Self::HaveAccount { .. } => "You have an account at Stoa already".to_owned(),
            Self::ResetPassword { .. } => "A new password for Stoa".to_owned(),
            Self::NoAccount { .. } => "There is no account with this address".to_owned(),
            Self::PasswordChanged { .. } => "Your password was changed".to_owned(),
            Self::ConfirmAddress { .. } => "Confirm your new address".to_owned(),
            Self::AddressTaken { .. } => "This address has an account already".to_owned(),
            Self::AddressChangeAsked { .. } => "Your account is to get another address".to_owned(),
            Self::AddressChanged { .. } => "Your account has another address now".to_owned(),
            Self::AccountDeleted { .. } => "Your account was deleted".to_owned(),
            Self::SecondFactorsReset { .. } => "Your second factors were reset".to_owned(),
            Self::DomainCode { organization, domain, .. } => format!("{organization} wants to verify {domain}"),
            Self::MemberAdded { organization, .. } => format!("You are now a member of {organization}"),
            Self::RoleChanged { organization, to, .. } => format!("You are now {} of {organization}", to.with_article()),
            Self::MemberRemoved { organization, .. } => format!("You are no longer a member of {organization}"),
            Self::Invitation { organization, .. } => format!("You are invited to {organization}"),
            Self::Request { news, title, .. } => news.subject(title),
            Self::Handover { news, service, organization, to, .. } => news.subject(service, organization, to),
            Self::Delegated { organization, by, .. } => format!("You decide for {by} in {organization}"),
            Self::ContractOffered { service, organization, again: false, .. } => {
                format!("A new contract of {service} waits for {organization}")
            }
            Self::ContractOffered { service, organization, .. } => {
                format!("{organization} loses {service} soon unless it accepts a contract")
            }
            Self::LevelChanged { service, subscriber, state: LevelChangeState::Accepted, .. } => {
                format!("{subscriber} changes the level of {service}")
            }
            Self::LevelChanged { service, subscriber, state: LevelChangeState::Undone, .. } => {
                format!("The change of level of {service} for {subscriber} was undone")
            }
            Self::LevelChanged { service, subscriber, level, .. } => format!("{service} runs at {level} level for {subscriber} now"),
            Self::BudgetUsedUp { service, organization, .. } => format!("The budget of {service} for {organization} is used up"),
            Self::Setup { service, other, news: SetupNews::Waits, .. } => format!("{other} waits for you to set up {service}"),
            Self::Setup { service, organization, news: SetupNews::Ready, .. } => format!("{service} is set up for {organization}"),
            Self::Setup { service, organization, .. } => format!("{service} could not be set up for {organization}"),
            Self::ContractLapsed { service, organization, .. } => format!("{organization} no longer subscribes {service}"),
            Self::OrganizationDeleted { organization, .. } => format!("{organization} was deleted"),
            Self::ServiceReviewAsked { organization, service, .. } => format!("{service} of {organization} waits for your review"),
            Self::ServiceReviewed { service, published: true, .. } => format!("{service} is published"),
            Self::ServiceReviewed { service, .. } => format!("{service} was not published"),
            Self::ServiceDeprecated { service, on, .. } => format!("{service} ends on {on}"),
            Self::ServiceSuspended { service, suspended: true, .. } => format!("{service} was suspended"),
            Self::ServiceSuspended { service, .. } => format!("{service} goes on"),
        }
    }

    /// The link whose secret must not be kept longer than needed, if it has one.
    pub fn secret_link(&mut self) -> Option<&mut SecretLink> {
        match self {
            Self::SignUp { link }
            | Self::HaveAccount { link }
            | Self::ResetPassword { link }
            | Self::ConfirmAddress { link, .. }
            | Self::AddressChangeAsked { link, .. }
            | Self::Invitation { link, .. }
            | Self::AddressChanged { link, .. } => Some(link),
            Self::DomainCode { code, .. } => Some(code),
            Self::NoAccount { .. }
            | Self::AddressTaken { .. }
            | Self::PasswordChanged { .. }
            | Self::AccountDeleted { .. }
            | Self::SecondFactorsReset { .. }
            | Self::MemberAdded { .. }
            | Self::RoleChanged { .. }
            | Self::MemberRemoved { .. }
            | Self::OrganizationDeleted { .. }
            | Self::ServiceReviewAsked { .. }
            | Self::ServiceReviewed { .. }
            | Self::ServiceDeprecated { .. }
            | Self::ServiceSuspended { .. }
            | Self::Request { .. }
            | Self::Delegated { .. }
            | Self::Handover { .. }
            | Self::ContractOffered { .. }
            | Self::LevelChanged { .. }
            | Self::BudgetUsedUp { .. }
            | Self::Setup { .. }
            | Self::ContractLapsed { .. } => None,
        }
    }

    /// The same mail without the secret of its link.
    #[must_use]
    pub fn without_secret(mut self) -> Self {
        if let Some(link) = self.secret_link() {
            link.clear();
        }
        self
    }
}

words! {
    /// What became of a mail.
    MailState, NotAMailState, "a state of a mail" {
        /// It waits to be sent, for the first time or again.
        Waiting = "waiting",
        /// A server took it.
        Sent = "sent",
        /// It is not tried any more.
        Failed = "failed",
    }
}

/// Which event a mail tells of: an organization and the event's sequence in its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// Whose log.
    pub organization: OrganizationId,
    /// Which event.
    pub sequence: i64,
}

/// A mail on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Its id; also the left half of its `Message-ID`, the same for each attempt.
    pub id: MailId,
    /// The address it goes to.
    pub recipient: String,
    /// What it says.
    pub mail: Mail,
    /// What became of it.
    pub state: MailState,
    /// When it was written.
    pub created_at: Ts,
    /// When it is tried (again).
    pub due_at: Ts,
    /// How often it was tried.
    pub attempts: u32,
    /// When a server took it.
    pub sent_at: Option<Ts>,
    /// Why the last attempt failed; may be empty.
    pub last_error: String,
}

/// How long an attempt may take before another node may try, in microseconds; longer than any timeout of an attempt.
pub const LEASE: i64 = 5 * 60 * SECOND;

/// How long mails are kept after they were sent or given up, in microseconds.
pub const KEEP: i64 = 30 * DAY;

/// How long after a failed attempt the next one comes: in all about two days.
const WAITS: [i64; 9] = [60 * SECOND, 5 * 60 * SECOND, 15 * 60 * SECOND, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, 12 * HOUR, 12 * HOUR];

/// What a failed attempt means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Perhaps later: the server is out of reach, says so (4xx), or does not let this installation in.
    Passing,
    /// Never: the server refuses this mail (5xx).
    Final,
}

/// When a mail is tried again after its `attempts`-th attempt failed; `None` when it is given up.
pub fn next_attempt(attempts: u32, failure: Failure, now: Ts) -> Option<Ts> {
    match failure {
        Failure::Final => None,
        Failure::Passing => {
            let index = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
            WAITS.get(index).map(|wait| now.plus(*wait))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_reads_back_from_its_json_under_its_kind() {
        let mail = Mail::MemberAdded {
            organization: "Grid".into(),
            link: "https://stoa.example/organizations/grid".into(),
            role: Role::Editor,
            by: "Ada".into(),
        };
        let text = serde_json::to_string(&mail).unwrap();
        assert!(text.contains(r#""kind":"member_added""#), "{text}");
        assert_eq!(serde_json::from_str::<Mail>(&text).unwrap(), mail);
        assert_eq!(mail.subject(), "You are now a member of Grid");
    }

    #[test]
    fn a_refused_mail_is_given_up_and_others_are_tried_less_and_less_often() {
        let now = Ts::from_micros(0);
        assert_eq!(next_attempt(1, Failure::Final, now), None);
        let waits: Vec<_> = (1..).map_while(|attempt| next_attempt(attempt, Failure::Passing, now)).collect();
        assert!(waits.is_sorted());
        assert_eq!(waits.len(), WAITS.len());
        assert_eq!(next_attempt(1, Failure::Passing, now), Some(now.plus(60 * SECOND)));
    }
}
