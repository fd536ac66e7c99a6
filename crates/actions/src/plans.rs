//! The plans of contracts, kept in memory: a contract never changes, so what was read once is true for good.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use stoa_domain::ids::{ContractId, OrganizationId};
use stoa_store::{
    Conn,
    services::{self, KeptPlan},
};

use crate::Result;

/// So many contracts are kept before those not asked for lately begin to go.
const MOST: usize = 2_000;

/// The plans of contracts that were asked for lately. Clones share them.
///
/// A contract that is read in a transaction and never comes true does no harm: nothing will ever bear its id.
#[derive(Clone, Default)]
pub struct Plans {
    kept: Arc<Mutex<Kept>>,
}

/// Two generations: what is asked for goes into the younger one, and when that is full, the older one goes.
#[derive(Default)]
struct Kept {
    younger: HashMap<ContractId, Arc<[KeptPlan]>>,
    older: HashMap<ContractId, Arc<[KeptPlan]>>,
}

impl Plans {
    /// The plans of a contract, in the order in which they were written.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn of(&self, conn: &mut Conn, provider: OrganizationId, contract: ContractId) -> Result<Arc<[KeptPlan]>> {
        if let Some(kept) = self.kept.lock().get(contract) {
            return Ok(kept);
        }
        let plans: Arc<[KeptPlan]> = services::list_plans(conn, provider, contract).await?.into();
        // A contract without plans is none that can be subscribed; it is not worth the room.
        if !plans.is_empty() {
            self.kept.lock().put(contract, Arc::clone(&plans));
        }
        Ok(plans)
    }
}

impl Kept {
    fn get(&mut self, contract: ContractId) -> Option<Arc<[KeptPlan]>> {
        if let Some(found) = self.younger.get(&contract) {
            return Some(Arc::clone(found));
        }
        let found = self.older.remove(&contract)?;
        self.put(contract, Arc::clone(&found));
        Some(found)
    }

    fn put(&mut self, contract: ContractId, plans: Arc<[KeptPlan]>) {
        if self.younger.len() >= MOST {
            self.older = std::mem::take(&mut self.younger);
        }
        self.younger.insert(contract, plans);
    }
}

#[cfg(test)]
mod tests {
    use stoa_domain::{ids::Id, time::Ts};

    use super::*;

    #[test]
    fn what_is_asked_for_stays_and_the_rest_goes() {
        let id = |number: u32| {
            let mut random = [0; 10];
            random[..4].copy_from_slice(&number.to_be_bytes());
            ContractId::mint(Ts::from_micros(1), random)
        };
        let mut kept = Kept::default();
        let most = u32::try_from(MOST).unwrap();
        for number in 0..5 * most {
            kept.put(id(number), Arc::new([]));
            assert!(kept.get(id(0)).is_some(), "it was asked for all the time");
        }
        assert!(kept.get(id(1)).is_none(), "it was not asked for since");
        assert!(kept.younger.len() + kept.older.len() <= 2 * MOST);
    }
}
