//! Why an action did not happen. Internal reasons are many and precise; public codes are few and stable.

use stoa_domain::{
    ids::OrganizationId,
    level_changes::CannotChangeLevel,
    limits::TooMany,
    members::LastMaintainer,
    offers::NotOpen,
    operators::LastOperator,
    permissions::{Permission, Role},
    requests::CannotDecide,
    services::WrongServiceState,
    subscriptions::WrongState,
    suspensions::CannotTurn,
    text::Faults,
    time::Ts,
};
use stoa_store::StoreError;

/// The result of an action.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Seen, but refused: who asked, for what, and who could do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("as {} of {organization} you may not {}; {} may", role.with_article(), permission.words(), who(*permission))]
pub struct Refusal {
    /// The role of who asked.
    pub role: Role,
    /// The name of the organization.
    pub organization: String,
    /// Its id.
    pub organization_id: OrganizationId,
    /// What it would take.
    pub permission: Permission,
}

fn who(permission: Permission) -> String {
    let roles: Vec<_> = permission.allowed_roles().into_iter().map(Role::with_article).collect();
    match roles.as_slice() {
        [] => "nobody".to_owned(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

/// Why an action did not happen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No or bad credentials.
    #[error("sign in or send a valid token in the Authorization header")]
    Unauthenticated,
    /// A token was presented, but it is unknown, expired or revoked, or what it was for is over.
    #[error("the token is unknown, expired or revoked, or its subscription is not in force")]
    InvalidToken,
    /// A personal token was presented whose time is over.
    #[error("the token expired at {0}; make a new one and use that")]
    TokenExpired(Ts),
    /// Wrong e-mail or password; the same for known and unknown addresses.
    #[error("e-mail or password are wrong")]
    BadSignIn,
    /// The right credentials of an account that an operator suspended.
    #[error("this account is suspended; ask an operator of this installation to lift that")]
    Suspended,
    /// A service's token where a person's is needed.
    #[error("this needs a person's token or session; a service's access token does not open it")]
    UsersOnly,
    /// A person's token where a service's is needed.
    #[error("this needs an access token of the service, from /oauth2/token")]
    ServicesOnly,
    /// A service's token without the permission.
    #[error("the token's scope does not include {0}")]
    Scope(&'static str),
    /// Nothing the caller may see.
    #[error("there is no such {0}, or you may not see it")]
    NotFound(&'static str),
    /// Seen, but refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Seen, but it is for others to do.
    #[error("{detail}")]
    NotYours {
        /// Who could do it.
        detail: String,
    },
    /// Something in the input is wrong.
    #[error("some of the input is not valid")]
    Invalid(Faults),
    /// The input as a whole does not fit, for a reason with a code of its own.
    #[error("{detail}")]
    Unfit {
        /// The stable code.
        code: &'static str,
        /// What to do.
        detail: String,
    },
    /// It stands against what is there.
    #[error("{detail}")]
    Conflict {
        /// The stable code.
        code: &'static str,
        /// What to do.
        detail: String,
    },
    /// It stands against what is there, in ways that are told one by one.
    #[error("{detail}")]
    Blocked {
        /// The stable code.
        code: &'static str,
        /// What to do.
        detail: String,
        /// What stands in the way.
        because: Faults,
    },
    /// A condition of the request (`If-Match`, `If-None-Match`) does not hold.
    #[error("the version is another than the request's conditions ask for; read it again")]
    Stale,
    /// So many attempts that they may be guesses.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// More bytes than allowed.
    #[error("too large: at most {limit} bytes are taken here")]
    TooLarge {
        /// How many are allowed.
        limit: u64,
    },
    /// The bytes of a request broke off.
    #[error("the body could not be read to its end: {0}")]
    Body(String),
    /// The database or the object store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A password could not be hashed.
    #[error("a password could not be hashed: {0}")]
    Hashing(String),
    /// A kept answer could not be sealed or opened.
    #[error("the answer kept for an Idempotency-Key does not open")]
    Sealing,
}

/// An error with all its causes, for the log.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

impl Error {
    /// A conflict with a code of its own.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::Conflict { code, detail: detail.into() }
    }

    /// One fault at one place of the input.
    pub fn fault(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let mut faults = Faults::new();
        faults.add(pointer, detail);
        Self::Invalid(faults)
    }

    /// The stable code that clients may rely on.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unauthenticated | Self::InvalidToken => "unauthenticated",
            Self::TokenExpired(_) => "token_expired",
            Self::BadSignIn => "bad_sign_in",
            Self::Suspended => "account_suspended",
            Self::UsersOnly => "users_only",
            Self::ServicesOnly => "services_only",
            Self::Scope(_) => "insufficient_scope",
            Self::NotFound(_) => "not_found",
            Self::Refused(_) | Self::NotYours { .. } => "forbidden",
            Self::Invalid(_) => "invalid",
            Self::Unfit { code, .. } | Self::Conflict { code, .. } | Self::Blocked { code, .. } => code,
            Self::Stale => "precondition_failed",
            Self::TooMany(_) => "too_many_attempts",
            Self::TooLarge { .. } => "too_large",
            Self::Body(_) => "bad_body",
            Self::Store(StoreError::Busy | StoreError::Unavailable(_)) => "unavailable",
            Self::Store(_) | Self::Hashing(_) | Self::Sealing => "internal",
        }
    }
}

impl From<Faults> for Error {
    fn from(faults: Faults) -> Self {
        Self::Invalid(faults)
    }
}

impl From<LastMaintainer> for Error {
    fn from(reason: LastMaintainer) -> Self {
        Self::conflict("last_maintainer", reason.to_string())
    }
}

impl From<LastOperator> for Error {
    fn from(reason: LastOperator) -> Self {
        Self::conflict("last_operator", reason.to_string())
    }
}

impl From<WrongState> for Error {
    fn from(reason: WrongState) -> Self {
        Self::conflict("wrong_state", reason.to_string())
    }
}

impl From<CannotTurn> for Error {
    fn from(reason: CannotTurn) -> Self {
        let code = match reason {
            CannotTurn::State(_) => "wrong_state",
            CannotTurn::Paused(_) => "already_paused",
            CannotTurn::NotPaused { .. } => "not_paused",
            CannotTurn::Ending(_) => "already_ending",
            CannotTurn::NotEnding => "not_ending",
        };
        Self::conflict(code, reason.to_string())
    }
}

impl From<CannotChangeLevel> for Error {
    fn from(reason: CannotChangeLevel) -> Self {
        let code = match reason {
            CannotChangeLevel::State { .. } => "wrong_state",
            CannotChangeLevel::TooLate(_) => "too_late",
            CannotChangeLevel::TooEarly(_) => "too_early",
        };
        Self::conflict(code, reason.to_string())
    }
}

impl From<NotOpen> for Error {
    fn from(refusal: NotOpen) -> Self {
        Self::conflict("wrong_state", refusal.to_string())
    }
}

impl From<WrongServiceState> for Error {
    fn from(reason: WrongServiceState) -> Self {
        Self::conflict("wrong_state", reason.to_string())
    }
}

impl From<CannotDecide> for Error {
    fn from(reason: CannotDecide) -> Self {
        let code = match reason {
            CannotDecide::Closed(_) => "request_closed",
            CannotDecide::Own | CannotDecide::OwnOfAbsent => "own_request",
            CannotDecide::NothingAsked => "nothing_asked",
        };
        Self::conflict(code, reason.to_string())
    }
}
