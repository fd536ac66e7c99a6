//! Who asks.

use stoa_access::{Holder, LiveToken};
use stoa_domain::{
    events::Actor,
    ids::{ApplicationId, OrganizationId, SubscriptionId, UserId},
    services::{DataPermission, Service},
    time::Ts,
    users::User,
};

use stoa_store::Viewer;

use crate::{Error, Result};

/// An application that presented an access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceCaller {
    /// The application.
    pub application: ApplicationId,
    /// The subscription its token is for, with the subscribing organization; `None` for a token of the service itself.
    pub subscription: Option<(OrganizationId, SubscriptionId)>,
    /// The token's scope.
    pub scope: Vec<DataPermission>,
}

impl From<LiveToken> for ServiceCaller {
    fn from(live: LiveToken) -> Self {
        Self { application: live.token.application, subscription: live.token.subscription, scope: live.token.scope }
    }
}

impl ServiceCaller {
    /// Whether it speaks for a service as a whole: with a token of the service itself, not of one of its subscriptions.
    ///
    /// # Errors
    /// 404 for the service of another application; 403 with the token of a subscription.
    pub(crate) fn speaks_for(&self, service: &Service) -> Result<()> {
        if self.application != service.application {
            return Err(Error::NotFound("service"));
        }
        if self.subscription.is_some() {
            let detail = "this takes a token of the service itself: ask /oauth2/token without naming a resource".to_owned();
            return Err(Error::NotYours { detail });
        }
        Ok(())
    }

    /// What the access index asks of who presented a token.
    pub fn holder(&self) -> Holder<'_> {
        Holder { application: self.application, subscription: self.subscription, scope: &self.scope }
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Nobody that could be told.
    Anonymous,
    /// A person, by session or personal token.
    User(User),
    /// An application, by access token.
    Service(ServiceCaller),
    /// The operator at the command line, or a job.
    System,
}

/// Who asks, when, and in which HTTP request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who.
    pub who: Who,
    /// The only organizations that count, for a personal token that is limited to some; `None` for all.
    pub within: Option<Vec<OrganizationId>>,
    /// When; the one time of everything that comes of it.
    pub now: Ts,
    /// The HTTP request's id, for the log.
    pub request_id: Option<String>,
}

impl Caller {
    /// The command line, or a job.
    pub fn system(now: Ts) -> Self {
        Self { who: Who::System, within: None, now, request_id: None }
    }

    /// A person.
    pub fn user(user: User, now: Ts) -> Self {
        Self { who: Who::User(user), within: None, now, request_id: None }
    }

    /// The person who asks.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for nobody; [`Error::UsersOnly`] for a service.
    pub fn person(&self) -> Result<&User> {
        match &self.who {
            Who::User(user) => Ok(user),
            Who::Anonymous => Err(Error::Unauthenticated),
            Who::Service(_) | Who::System => Err(Error::UsersOnly),
        }
    }

    /// The id of the person who asks.
    ///
    /// # Errors
    /// As [`Caller::person`].
    pub fn user_id(&self) -> Result<UserId> {
        Ok(self.person()?.id)
    }

    /// The person who asks, if it is one who runs the installation.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for nobody; [`Error::NotFound`] for everybody else: what is the operator's is not seen.
    pub fn operator(&self) -> Result<&User> {
        match &self.who {
            Who::User(user) if user.operator && self.within.is_none() => Ok(user),
            Who::Anonymous => Err(Error::Unauthenticated),
            Who::User(_) | Who::Service(_) | Who::System => Err(Error::NotFound("page")),
        }
    }

    /// For whom queries look: the person who asks, within the organizations that count.
    ///
    /// # Errors
    /// As [`Caller::person`].
    pub fn viewer(&self) -> Result<Viewer> {
        Ok(Viewer { user: self.user_id()?, within: self.within.clone() })
    }

    /// The person who asks, for what concerns the person and not one organization: a personal token that is limited to
    /// some organizations does not speak for the person as a whole.
    ///
    /// # Errors
    /// As [`Caller::person`]; [`Error::NotYours`] for a limited token.
    pub fn whole_person(&self) -> Result<&User> {
        let person = self.person()?;
        if self.within.is_some() {
            let detail = "this token is limited to some organizations; use one that is not, or sign in, to do this".to_owned();
            return Err(Error::NotYours { detail });
        }
        Ok(person)
    }

    /// How an event names who asks.
    pub fn actor(&self) -> Actor {
        match &self.who {
            Who::User(user) => Actor::User(user.id),
            Who::Service(service) => Actor::Application(service.application),
            Who::Anonymous | Who::System => Actor::System,
        }
    }

    /// To whom idempotency keys belong.
    pub fn principal(&self) -> String {
        let actor = self.actor();
        actor.id().unwrap_or_else(|| actor.kind().to_owned())
    }
}
