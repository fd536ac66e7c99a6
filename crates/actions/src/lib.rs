//! What can be done in Stoa: one public function per verb.
//!
//! An action reads as the sentence it implements: look the subject up through its organization and for this permission,
//! apply the domain's rule, store, record the event; all in one transaction, the [`Act`]. Pages, API, command line and
//! jobs call the same actions, so they cannot drift. Queries take a [`Conn`](stoa_store::Conn) and a [`Caller`].

pub mod access;
mod act;
pub mod applications;
pub mod budgets;
mod caller;
pub mod ceremonies;
pub mod consents;
pub mod consequences;
pub mod contracts;
pub mod costs;
pub mod delegations;
pub mod domains;
mod error;
pub mod events;
pub mod explain;
pub mod handovers;
pub mod identities;
pub mod imports;
pub mod invitations;
pub mod jobs;
pub mod level_changes;
pub mod limits;
pub mod locks;
pub mod mail;
pub mod map;
pub mod marketplace;
pub mod members;
pub mod oauth;
mod once;
pub mod operators;
pub mod organizations;
pub mod passkeys;
pub mod passwords;
mod plans;
pub mod policies;
pub mod projects;
pub mod proofs;
pub mod providers;
pub mod requests;
pub mod resources;
mod seal;
pub mod seats;
pub mod second_factors;
pub mod services;
pub mod sessions;
pub mod sharing;
mod stoa;
pub mod subscriptions;
pub mod teams;
pub mod tokens;
pub mod usage;
pub mod users;

pub use act::{Act, Begun, Fingerprint, KEEP_ANSWERS};
pub use caller::{Caller, ServiceCaller, Who};
pub use error::{Error, Refusal, Result};
pub use plans::Plans;
pub use stoa::{Clock, Entropy, Limits, Stoa};
