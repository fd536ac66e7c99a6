//! Erasing deleted organizations once their time to be restored is over.

use serde_json::json;
use stoa_domain::{
    events::{EventKind, Subject},
    ids::OrganizationId,
    organizations::RESTORABLE,
    time::{SECOND, Ts},
};
use stoa_store::organizations;

use crate::{Act, Caller, Result, Stoa};

/// How many rows of each kind one transaction erases, so that none takes long.
const BATCH: i64 = 500;

/// How long a node keeps an erasure after its last batch; another goes on with it then.
const LEASE: i64 = 300 * SECOND;

/// What one erasure did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erased {
    /// Of which organization.
    pub organization: OrganizationId,
    /// How many rows were erased by this call.
    pub rows: u64,
    /// Whether nothing is left.
    pub done: bool,
}

/// Erases one organization that was deleted more than 14 days ago, in batches of which each is a transaction: any node may
/// run it, and go on where another one stopped. `most` bounds the batches. `None` when there is none to erase.
///
/// What stays is the ledger: see `docs/decisions/0014`.
///
/// # Errors
/// Those of the database; the next call goes on.
pub async fn erase_next(stoa: &Stoa, now: Ts, most: usize) -> Result<Option<Erased>> {
    let mut tx = stoa.db.begin().await?;
    let claimed = organizations::claim_erasure(&mut tx, now.plus(-RESTORABLE), now, now.plus(LEASE)).await?;
    tx.commit().await?;
    let Some(organization) = claimed else { return Ok(None) };
    let mut rows = 0;
    for _ in 0..most {
        let mut act = Act::begin(stoa, Caller::system(stoa.clock.now())).await?;
        let until = act.now().plus(LEASE);
        // The first statement takes the row's lock, so that batches of two nodes never overlap.
        organizations::renew_erasure(&mut act.tx, organization, until).await?;
        let erased = organizations::erase_some(&mut act.tx, organization, now, BATCH).await?;
        rows += erased;
        if erased > 0 {
            act.commit().await?;
            continue;
        }
        if organizations::finish_erasure(&mut act.tx, organization, now).await? {
            act.record(&[organization], EventKind::OrganizationErased, Subject::new("organization", organization), json!({}));
        }
        act.commit().await?;
        tracing::info!(%organization, rows, "erased a deleted organization");
        return Ok(Some(Erased { organization, rows, done: true }));
    }
    // What is left is not kept waiting for the lease to end.
    let mut tx = stoa.db.begin().await?;
    organizations::renew_erasure(&mut tx, organization, now).await?;
    tx.commit().await?;
    Ok(Some(Erased { organization, rows, done: false }))
}
