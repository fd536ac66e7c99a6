//! What every action works with.

use std::sync::Arc;

use stoa_access::Access;
use stoa_domain::{ids::Id, secrets::Secret, secrets::SecretKind, time::Ts, users::SignUp};
use stoa_store::{Db, blobs::Blobs};

use crate::{Plans, providers::Provider};

/// Where the time comes from.
pub trait Clock: Send + Sync + 'static {
    /// The present instant.
    fn now(&self) -> Ts;
}

/// Where randomness comes from; cryptographically secure outside tests.
pub trait Entropy: Send + Sync + 'static {
    /// Fills `bytes` with random ones.
    fn fill(&self, bytes: &mut [u8]);
}

/// Limits that the operator may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest resource, in bytes.
    pub resource_bytes: u64,
}

/// One installation: its database, object store, index, clock and randomness. Clones share them.
#[derive(Clone)]
pub struct Stoa {
    /// The database.
    pub db: Db,
    /// Where the bytes of resources lie.
    pub blobs: Blobs,
    /// The index that answers decisions.
    pub access: Access,
    /// The plans of contracts that were asked for lately.
    pub plans: Plans,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The randomness.
    pub entropy: Arc<dyn Entropy>,
    /// The address under which users reach it, without a slash at the end.
    pub public_url: Arc<str>,
    /// Other providers whose accounts open accounts here.
    pub providers: Arc<[Provider]>,
    /// What the operator limits.
    pub limits: Limits,
    /// Who may make an account without the operator.
    pub sign_up: SignUp,
    /// Whether operators review services before they are published.
    pub review_services: bool,
}

impl Stoa {
    /// A new id.
    pub fn mint<I: Id>(&self, now: Ts) -> I {
        let mut random = [0; 10];
        self.entropy.fill(&mut random);
        I::mint(now, random)
    }

    /// A new secret.
    pub fn secret(&self, kind: SecretKind) -> Secret {
        let mut random = [0; 32];
        self.entropy.fill(&mut random);
        Secret::mint(kind, random)
    }
}
