//! What Stoa does by itself from time to time.

use stoa_domain::time::Ts;
use stoa_store::{ceremonies, idempotency, limits, links, organizations, sessions, tokens};

use crate::{
    KEEP_ANSWERS, Result, Stoa, budgets, contracts, handovers, invitations, level_changes, mail, marketplace, members,
    organizations::erase_next, requests, resources, subscriptions,
};

/// How many batches of an erasure one round does; the next round goes on.
const MOST_BATCHES: usize = 200;

/// What a round of [`tick`] removed, ended or noted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Access tokens whose time is over.
    pub access_tokens: u64,
    /// Answers kept for an `Idempotency-Key`.
    pub answers: u64,
    /// Browser sessions that have ended.
    pub sessions: u64,
    /// Mails whose time is over.
    pub mails: u64,
    /// What was begun and given up, such as a sign-in before its second step.
    pub ceremonies: u64,
    /// Handles that organizations had before and that lead to them no more.
    pub old_handles: u64,
    /// Rows of deleted organizations whose time to be restored is over.
    pub erased: u64,
    /// Links of mails whose time is over.
    pub links: u64,
    /// Counts of attempts that are regained.
    pub attempts: u64,
    /// Invitations that nobody answered in time.
    pub invitations: u64,
    /// Offers of services that nobody answered in time.
    pub handovers: u64,
    /// Services that were indexed anew.
    pub indexed: u64,
    /// Subscriptions that were not set up in time.
    pub setups: u64,
    /// Members who are found by their words from now on.
    pub worded: u64,
    /// Subscriptions whose decided end has come.
    pub subscriptions: u64,
    /// Grants whose end has come.
    pub grants: u64,
    /// Requests that nobody decided in time.
    pub requests: u64,
    /// Reminders of requests that were noted.
    pub reminders: u64,
    /// Subscriptions that a budget held up, or lets go on.
    pub budgets: u64,
    /// Changes of level whose announced day has come.
    pub level_changes: u64,
    /// Subscriptions that ended because a new contract was not accepted in time.
    pub unaccepted: u64,
    /// Bytes in the object store to which nothing refers any more.
    pub blobs: u64,
}

/// Removes or ends what has expired, and notes reminders. Meant to run every minute; any number of nodes may do so at once, since removing twice is
/// the same as once.
///
/// # Errors
/// Those of the database; the next round does what was left.
pub async fn tick(stoa: &Stoa, now: Ts) -> Result<Swept> {
    let mut tx = stoa.db.begin().await?;
    let mut swept = Swept {
        access_tokens: tokens::delete_expired_access(&mut tx, now).await?,
        answers: idempotency::delete_before(&mut tx, now.plus(-KEEP_ANSWERS)).await?,
        sessions: sessions::delete_expired(&mut tx, now).await?,
        mails: mail::sweep(&mut tx, now).await?,
        ceremonies: ceremonies::delete_expired(&mut tx, now).await?,
        old_handles: organizations::delete_old_handles(&mut tx, now).await?,
        erased: 0,
        links: links::delete_expired(&mut tx, now).await?,
        attempts: limits::delete_regained(&mut tx, now).await?,
        invitations: 0,
        handovers: 0,
        indexed: 0,
        worded: 0,
        subscriptions: 0,
        setups: 0,
        grants: 0,
        requests: 0,
        reminders: 0,
        budgets: 0,
        level_changes: 0,
        unaccepted: 0,
        blobs: 0,
    };
    tx.commit().await?;
    while let Some(erased) = erase_next(stoa, now, MOST_BATCHES).await? {
        swept.erased += erased.rows;
        if !erased.done {
            break;
        }
    }
    swept.invitations = invitations::expire(stoa, now).await?;
    swept.handovers = handovers::expire(stoa, now).await?;
    swept.indexed = marketplace::index_queued(stoa).await?;
    swept.worded = members::keep_words(stoa).await?;
    swept.subscriptions = subscriptions::end_due(stoa, now).await?;
    swept.setups = subscriptions::fail_due(stoa, now).await?;
    swept.grants = subscriptions::close_due(stoa, now).await?;
    let due = requests::act_on_due(stoa, now).await?;
    (swept.requests, swept.reminders) = (due.expired, due.reminded);
    swept.budgets = budgets::tick(stoa, now).await?;
    // First those that were accepted, so that what is left of them is not taken for refused.
    swept.level_changes = level_changes::tick(stoa, now).await?;
    swept.unaccepted = contracts::tick(stoa, now).await?.ended;
    swept.blobs = resources::sweep(stoa, now).await?;
    if swept != Swept::default() {
        tracing::debug!(?swept, "did what was due");
    }
    Ok(swept)
}
