//! What a provider does between the approval of a subscription and its coming into force, where the service needs it.

use std::collections::BTreeMap;

use crate::{
    ids::{OrganizationId, ProjectId, RequestId, SubscriptionId, UserId},
    locks::GrantTerms,
    time::{DAY, Ts},
};

/// How long a provider has to set a subscription up, in microseconds; after that it failed.
pub const TIME_TO_SET_UP: i64 = 14 * DAY;

/// The setting up of one subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// Who subscribed.
    pub organization: OrganizationId,
    /// The subscription.
    pub subscription: SubscriptionId,
    /// The request by which it was approved, if it took one.
    pub request: Option<RequestId>,
    /// Purpose and end of projects, as they were approved.
    pub terms: BTreeMap<ProjectId, GrantTerms>,
    /// Since when the provider sets it up.
    pub since: Ts,
    /// Until when the provider has time.
    pub due_at: Ts,
    /// How it went; `None` as long as it goes on, and where the subscription was taken back.
    pub outcome: Option<Outcome>,
}

/// How the setting up of a subscription went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// When.
    pub at: Ts,
    /// Who said so; `None` for the service itself, and where the time was over.
    pub by: Option<UserId>,
    /// Why it failed; `None` where it is set up.
    pub failed: Option<String>,
}
