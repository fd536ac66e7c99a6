//! Following the logs of all organizations, so that what another node changed closes here too.

use std::{collections::HashMap, future::Future, pin::pin, time::Duration};

use stoa_domain::{
    ids::OrganizationId,
    time::{SECOND, Ts},
};
use stoa_store::{StoreError, access, organizations};
use tokio::time::{MissedTickBehavior, interval};

use crate::{Access, changes::Dependency};

/// How often the logs are looked at.
pub const EVERY: Duration = Duration::from_millis(250);

/// How long after the last look the index is still trusted, in microseconds.
pub const TRUSTED: i64 = SECOND;

/// How far back each look reaches. Heads carry the time at which their change was asked for, by the clock of the node
/// that made it, so this covers slow transactions and clocks that differ; positions make reading twice harmless.
const OVERLAP: i64 = 120 * SECOND;

/// How often all heads are looked at, however old they say they are: the bound for a node whose clock is far behind.
const WHOLE: i64 = 60 * SECOND;

/// So many new events of one log are not read; everything of its organization counts as changed instead.
const MANY: i64 = 1_000;

/// How far each log was read.
#[derive(Default)]
pub(crate) struct Positions {
    logs: HashMap<OrganizationId, i64>,
    /// The last successful look.
    looked: Option<Ts>,
    /// The last successful look at all heads.
    looked_at_all: Option<Ts>,
}

impl Positions {
    /// From when on heads are to be looked at.
    fn since(&self, now: Ts) -> Ts {
        match (self.looked, self.looked_at_all) {
            (Some(looked), Some(whole)) if (0..WHOLE).contains(&(now.micros() - whole.micros())) => looked.min(now).plus(-OVERLAP),
            _ => Ts::from_micros(i64::MIN),
        }
    }
}

impl Access {
    /// Looks once at what changed in the logs of all organizations.
    ///
    /// The index is trusted for a second after `now`; `now` must have been read before the call.
    ///
    /// # Errors
    /// Those of the database; then nothing is taken note of and the next look reaches as far back.
    pub async fn poll_once(&self, now: Ts) -> Result<(), StoreError> {
        let mut positions = self.inner.positions.lock().await;
        let mut conn = self.inner.db.read().await?;
        let since = positions.since(now);
        let first = positions.looked.is_none();
        let heads = organizations::heads_since(&mut conn, since).await?;
        let mut behind = Vec::new();
        let mut changed = Vec::new();
        for head in &heads {
            match positions.logs.get(&head.organization) {
                Some(position) if *position >= head.sequence => {}
                Some(position) if head.sequence - position <= MANY => behind.push((head.organization, *position)),
                None if first => {}
                // A log not met before, or one with too much in it.
                _ => changed.push(Dependency::Organization(head.organization)),
            }
        }
        let new = access::changes_after(&mut conn, &behind).await?;
        drop(conn);
        changed.extend(new.iter().filter_map(|change| Dependency::of(change.organization, &change.kind, &change.subject)));
        if first {
            // What was read before nobody followed may have changed unseen.
            self.inner.changes.note_all();
        }
        self.inner.changes.note(changed);
        positions.logs.extend(heads.iter().map(|head| (head.organization, head.sequence)));
        if since.micros() == i64::MIN {
            positions.looked_at_all = Some(now);
        }
        positions.looked = Some(now);
        self.set_contact(now);
        Ok(())
    }

    /// Looks at the logs four times a second until `stop` completes.
    pub async fn follow(&self, clock: impl Fn() -> Ts, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut out_of_contact = false;
        loop {
            tokio::select! {
                () = &mut stop => return,
                _ = ticks.tick() => {}
            }
            match self.poll_once(clock()).await {
                Ok(()) if out_of_contact => {
                    out_of_contact = false;
                    tracing::info!("the access index follows the event logs again");
                }
                Ok(()) => {}
                Err(error) if out_of_contact => tracing::debug!(%error, "the event logs are still out of reach"),
                Err(error) => {
                    out_of_contact = true;
                    tracing::warn!(%error, "the event logs are out of reach; decisions ask the database until they are back");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_reaches_back_before_the_last_one_and_now_and_then_to_the_beginning() {
        let at = |seconds: i64| Ts::from_micros(seconds * SECOND);
        let everything = Ts::from_micros(i64::MIN);
        let mut positions = Positions::default();
        assert_eq!(positions.since(at(1_000)), everything);
        positions.looked = Some(at(1_000));
        positions.looked_at_all = Some(at(1_000));
        assert_eq!(positions.since(at(1_010)), at(880));
        assert_eq!(positions.since(at(999)), everything, "a clock that was set back is not relied on");
        assert_eq!(positions.since(at(1_060)), everything);
    }
}
