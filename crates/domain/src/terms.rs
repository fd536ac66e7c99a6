//! Terms in time: which contract and plan a subscription had from when on.

use crate::{
    ids::{ContractId, PlanId},
    time::Ts,
};

/// A contract and a plan that hold from an instant on, until the next ones do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TermsSince {
    /// Their first instant.
    pub since: Ts,
    /// The contract.
    pub contract: ContractId,
    /// The plan, which is one of the contract's.
    pub plan: PlanId,
}

/// Which of several terms, ordered by their beginnings, hold at an instant: the last that began. Before the first it is
/// the first, so that there are always some.
pub fn at(history: &[TermsSince], at: Ts) -> Option<&TermsSince> {
    let begun = history.partition_point(|terms| terms.since <= at);
    history.get(begun.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Id as _;

    #[test]
    fn the_last_that_began_hold_and_the_first_before_all() {
        let terms = |second: i64| TermsSince {
            since: Ts::from_micros(second),
            contract: ContractId::mint(Ts::from_micros(1), [1; 10]),
            plan: PlanId::mint(Ts::from_micros(1), [u8::try_from(second).unwrap(); 10]),
        };
        let history = [terms(10), terms(20), terms(30)];
        let since = |micros| at(&history, Ts::from_micros(micros)).map(|terms| terms.since.micros());
        assert_eq!([0, 10, 19, 20, 99].map(since), [Some(10), Some(10), Some(10), Some(20), Some(30)]);
        assert_eq!(at(&[], Ts::from_micros(1)), None);
    }
}
