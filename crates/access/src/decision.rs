//! What the index answers: live credentials and decisions.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use stoa_domain::{
    access::{Reason, decide_within},
    ids::{ApplicationId, OrganizationId, ProjectId, SecretId, ServiceId, SubscriptionId},
    organizations::Key,
    services::DataPermission,
    time::Ts,
    tokens::AccessToken,
};
use stoa_store::{
    access::{KeptClient, KeptSubscription, KeptToken},
    tokens::is_stale_use,
};

use crate::{cache::Entry, changes::Dependency};

/// A token as the index keeps it.
pub(crate) struct TokenEntry {
    pub(crate) token: AccessToken,
    owner: Option<OrganizationId>,
}

impl From<KeptToken> for TokenEntry {
    fn from(kept: KeptToken) -> Self {
        Self { token: kept.token, owner: kept.owner }
    }
}

impl TokenEntry {
    /// Whether a log tells of everything that ends it. An application of a person is in no organization's log.
    pub(crate) fn is_followed(&self) -> bool {
        self.owner.is_some()
    }
}

impl Entry for TokenEntry {
    fn dependencies(&self) -> Vec<Dependency> {
        let mut dependencies = vec![Dependency::Application(self.token.application)];
        dependencies.extend(self.owner.map(Dependency::Organization));
        dependencies
    }

    fn weight(&self) -> usize {
        4
    }

    fn is_over(&self, now: Ts) -> bool {
        self.token.expires_at <= now
    }
}

/// An application that authenticated with one of its live secrets.
#[derive(Debug)]
pub struct LiveClient {
    /// The application.
    pub application: ApplicationId,
    /// The secret.
    pub secret: SecretId,
    /// The organization that owns the application; `None` when a person does.
    pub owner: Option<OrganizationId>,
    last_used: AtomicI64,
}

impl From<KeptClient> for LiveClient {
    fn from(kept: KeptClient) -> Self {
        let last_used = AtomicI64::new(kept.last_used_at.map_or(i64::MIN, Ts::micros));
        Self { application: kept.application, secret: kept.secret, owner: kept.owner, last_used }
    }
}

impl LiveClient {
    /// Whether this use of the secret is to be written down; the last one that was is an hour ago.
    pub fn is_stale_use(&self, now: Ts) -> bool {
        let last = self.last_used.load(Ordering::Relaxed);
        let stale = is_stale_use((last != i64::MIN).then(|| Ts::from_micros(last)), now);
        // Of several uses at the same moment one writes.
        stale && self.last_used.compare_exchange(last, now.micros(), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

impl Entry for LiveClient {
    fn dependencies(&self) -> Vec<Dependency> {
        let mut dependencies = vec![Dependency::Application(self.application)];
        dependencies.extend(self.owner.map(Dependency::Organization));
        dependencies
    }

    fn weight(&self) -> usize {
        3
    }
}

/// A subscription as the index keeps it: what it opens now.
#[derive(Debug)]
pub struct Subscribed {
    /// Its id.
    pub id: SubscriptionId,
    /// Who subscribed.
    pub organization: OrganizationId,
    /// The handle of who subscribed, and those it had within a year.
    pub organization_handles: Vec<String>,
    /// Who provides.
    pub provider: OrganizationId,
    /// What is subscribed.
    pub service: ServiceId,
    /// The application whose tokens it takes.
    pub application: ApplicationId,
    /// What the accepted contract allows.
    pub permissions: Vec<DataPermission>,
    /// Whether its state lets its grants open projects.
    opens: bool,
    /// When it ends, where that was decided.
    ends_at: Option<Ts>,
    /// The granted projects, with the ends of their grants.
    projects: HashMap<ProjectId, Option<Ts>>,
    /// The subscriptions it is an alias of.
    holders: Vec<SubscriptionId>,
    handles: HashMap<String, ProjectId>,
}

impl From<KeptSubscription> for Subscribed {
    fn from(kept: KeptSubscription) -> Self {
        Self {
            opens: kept.opens(Ts::from_micros(i64::MIN)),
            ends_at: kept.ends_at,
            id: kept.id,
            organization: kept.organization,
            organization_handles: kept.organization_handles,
            provider: kept.provider,
            service: kept.service,
            application: kept.application,
            permissions: kept.permissions,
            projects: kept.projects.iter().map(|(id, _, ends_at)| (*id, *ends_at)).collect(),
            holders: kept.holders,
            handles: kept.projects.into_iter().map(|(id, handle, _)| (handle, id)).collect(),
        }
    }
}

impl Subscribed {
    /// Whether its grants open projects at an instant.
    pub fn opens(&self, now: Ts) -> bool {
        self.opens && self.ends_at.is_none_or(|end| end > now)
    }

    /// The project that a reference means, if it is granted at an instant.
    pub fn granted(&self, project: &ProjectRef, now: Ts) -> Option<ProjectId> {
        if let Some(organization) = &project.organization
            && !self.is_of(organization)
        {
            return None;
        }
        let id = match &project.project {
            Key::Id(id) => *id,
            Key::Handle(handle) => *self.handles.get(handle)?,
        };
        self.projects.get(&id)?.is_none_or(|end| end > now).then_some(id)
    }

    /// Whether it is this organization's.
    pub fn is_of(&self, organization: &Key<OrganizationId>) -> bool {
        match organization {
            Key::Id(id) => *id == self.organization,
            Key::Handle(handle) => self.organization_handles.contains(handle),
        }
    }
}

impl Entry for Subscribed {
    fn dependencies(&self) -> Vec<Dependency> {
        let mut dependencies = vec![
            Dependency::Subscription(self.id),
            Dependency::Organization(self.organization),
            Dependency::Projects(self.organization),
            Dependency::Organization(self.provider),
            Dependency::Service(self.service),
        ];
        dependencies.extend(self.holders.iter().map(|holder| Dependency::Subscription(*holder)));
        dependencies
    }

    fn weight(&self) -> usize {
        8 + self.handles.len() * 2
    }
}

/// Which project is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectRef {
    /// Whose, where it was said; a handle means nothing to a person without it, and to a token its own organization's.
    pub organization: Option<Key<OrganizationId>>,
    /// Which.
    pub project: Key<ProjectId>,
}

impl ProjectRef {
    /// A project by its id or, where the organization follows from the credentials, by its handle.
    pub fn read(text: &str) -> Self {
        Self { organization: None, project: Key::read(text) }
    }

    /// A project of an organization.
    pub fn within(organization: &Key<OrganizationId>, project: &Key<ProjectId>) -> Self {
        Self { organization: Some(organization.clone()), project: project.clone() }
    }
}

/// Who presented a token that was authenticated before.
#[derive(Debug, Clone, Copy)]
pub struct Holder<'a> {
    /// The application.
    pub application: ApplicationId,
    /// The token's subscription.
    pub subscription: Option<(OrganizationId, SubscriptionId)>,
    /// The token's scope.
    pub scope: &'a [DataPermission],
}

/// An access token that opens something now.
#[derive(Debug, Clone)]
pub struct LiveToken {
    /// The token.
    pub token: AccessToken,
    /// Its subscription, which is in force; `None` for a token of the service itself.
    pub subscription: Option<Arc<Subscribed>>,
    /// The instant for which it was looked up.
    pub at: Ts,
}

impl LiveToken {
    /// What it opens, for [`crate::Access::decide`].
    pub fn decide(&self, project: &ProjectRef, permission: DataPermission) -> Decision {
        match &self.subscription {
            None => Decision::no(Reason::NoSubscription),
            Some(subscribed) => Decision::of(subscribed, &self.token.scope, project, permission, self.at),
        }
    }
}

/// Yes or no, and why.
#[derive(Debug, Clone)]
pub struct Decision {
    /// Why; it also says whether it is a yes.
    pub reason: Reason,
    /// The subscription that was looked at, if it is in force.
    pub subscription: Option<Arc<Subscribed>>,
    /// The project, if it is granted.
    pub project: Option<ProjectId>,
}

impl Decision {
    /// Whether it is a yes.
    pub fn allowed(&self) -> bool {
        self.reason.allows()
    }

    pub(crate) fn no(reason: Reason) -> Self {
        Self { reason, subscription: None, project: None }
    }

    pub(crate) fn of(
        subscribed: &Arc<Subscribed>,
        scope: &[DataPermission],
        project: &ProjectRef,
        permission: DataPermission,
        now: Ts,
    ) -> Self {
        let project = subscribed.granted(project, now);
        let reason = match project {
            None => Reason::NotGranted,
            Some(_) => decide_within(&subscribed.permissions, scope, permission),
        };
        Self { reason, subscription: Some(Arc::clone(subscribed)), project }
    }
}
