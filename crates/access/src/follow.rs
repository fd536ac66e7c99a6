//! Following the logs of all organizations, so that what another node changed closes here too.

use std::{collections::HashMap, future::Future, pin::pin, time::Duration};

use stoa_domain::{
    ids::OrganizationId,
    time::{SECOND, Ts},
};
use stoa_store::{StoreError, access, logs};
use tokio::time::{MissedTickBehavior, interval};

use crate::{Access, changes::Dependency};

/// How often the logs are looked at.
pub const EVERY: Duration = Duration::from_millis(250);

/// How long after the last look the index is still trusted, in microseconds.
pub const TRUSTED: i64 = SECOND;

/// How far back each look reaches. Heads carry the time at which their change was about to be committed, by the clock of
/// the node that made it, so this covers slow commits and clocks that differ a little; positions make reading twice
/// harmless. Each look reads the heads of so much time, so it must not be long.
const NEAR: i64 = 5 * SECOND;

/// How far back a look reaches every [`FAR_EVERY`], for nodes whose clocks differ by more.
const FAR: i64 = 120 * SECOND;

/// How often a look reaches far back.
const FAR_EVERY: i64 = 10 * SECOND;

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
    /// The last successful look that reached far back.
    looked_far: Option<Ts>,
    /// The last successful look at all heads.
    looked_at_all: Option<Ts>,
}

/// How far a look reaches back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// To a little before the last look.
    Near(Ts),
    /// To well before the last look that did so.
    Far(Ts),
    /// To the beginning.
    Whole,
}

impl Positions {
    /// From when on heads are to be looked at.
    fn reach(&self, now: Ts) -> Reach {
        let lately = |last: Ts, every: i64| (0..every).contains(&(now.micros() - last.micros()));
        let (Some(looked), Some(far), Some(whole)) = (self.looked, self.looked_far, self.looked_at_all) else { return Reach::Whole };
        if !lately(whole, WHOLE) {
            return Reach::Whole;
        }
        if lately(far, FAR_EVERY) { Reach::Near(looked.min(now).plus(-NEAR)) } else { Reach::Far(far.min(now).plus(-FAR)) }
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
        let reach = positions.reach(now);
        let first = positions.looked.is_none();
        let since = match reach {
            Reach::Near(since) | Reach::Far(since) => since,
            Reach::Whole => Ts::from_micros(i64::MIN),
        };
        let heads = logs::sequences_since(&mut conn, since).await?;
        let mut behind = Vec::new();
        let mut changed = Vec::new();
        for (organization, sequence) in &heads {
            match positions.logs.get(organization) {
                Some(position) if position >= sequence => {}
                Some(position) if sequence - position <= MANY => behind.push((*organization, *position)),
                None if first => {}
                // A log not met before, or one with too much in it.
                _ => changed.push(Dependency::Organization(*organization)),
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
        positions.logs.extend(heads);
        match reach {
            Reach::Near(_) => {}
            Reach::Far(_) => positions.looked_far = Some(now),
            Reach::Whole => (positions.looked_far, positions.looked_at_all) = (Some(now), Some(now)),
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
    fn a_look_reaches_a_little_back_now_and_then_far_and_sometimes_to_the_beginning() {
        let at = |seconds: i64| Ts::from_micros(seconds * SECOND);
        let mut positions = Positions::default();
        assert_eq!(positions.reach(at(1_000)), Reach::Whole);
        positions.looked = Some(at(1_008));
        positions.looked_far = Some(at(1_000));
        positions.looked_at_all = Some(at(960));
        assert_eq!(positions.reach(at(1_009)), Reach::Near(at(1_003)));
        assert_eq!(positions.reach(at(1_010)), Reach::Far(at(880)));
        assert_eq!(positions.reach(at(950)), Reach::Whole, "a clock that was set back is not relied on");
        assert_eq!(positions.reach(at(1_020)), Reach::Whole);
    }
}
