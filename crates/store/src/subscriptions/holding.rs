//! Locks on subscriptions. Whoever reports usage locks the subscriptions of a batch without those of their organizations, in the
//! order of their ids; whoever changes several of them in one transaction does the same first, so that neither waits for the other.

use stoa_domain::ids::{OrganizationId, SubscriptionId};

use super::MOST_IDS;
use crate::{StoreError, Tx, Value, users::placeholders};

/// Keeps others from changing subscriptions, and from counting usage for them, until the transaction ends. Answers who provides
/// each at that moment: one may just have gone to another provider.
///
/// # Errors
/// Those of the database.
pub async fn lock(tx: &mut Tx, ids: impl IntoIterator<Item = SubscriptionId>) -> Result<Vec<(SubscriptionId, OrganizationId)>, StoreError> {
    let mut sorted = Vec::from_iter(ids);
    sorted.sort_unstable();
    sorted.dedup();
    let mut held = Vec::with_capacity(sorted.len());
    for some in sorted.chunks(MOST_IDS) {
        let size = some.len().next_power_of_two();
        let mut filled: Vec<Value> = some.iter().map(Value::from).collect();
        if let Some(last) = some.last() {
            filled.resize(size, Value::from(last));
        }
        let sql = format!("select id, provider_id from subscriptions where id in ({}) order by id", placeholders(1, size));
        for row in tx.lock(&sql, &filled).await? {
            held.push((row.get(0)?, row.get(1)?));
        }
    }
    Ok(held)
}

/// [`lock`] of those that a condition over their columns names.
pub(crate) async fn lock_where(tx: &mut Tx, condition: &str, values: &[Value]) -> Result<(), StoreError> {
    tx.lock(&format!("select id from subscriptions where {condition} order by id"), values).await.map(drop)
}
