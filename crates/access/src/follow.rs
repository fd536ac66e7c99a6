//! Following the logs of all organizations, so that what another node changed closes here too.

use std::{collections::HashMap, future::Future, pin::pin, time::Duration};

use stoa_domain::{
    ids::OrganizationId,
    looks::Looks,
    time::{SECOND, Ts},
};
use stoa_store::{StoreError, access, logs};
use tokio::time::{MissedTickBehavior, interval};

use crate::{Access, changes::Dependency};

/// How often the logs are looked at.
pub const EVERY: Duration = Duration::from_millis(250);

/// How long after the last look the index is still trusted, in microseconds.
pub const TRUSTED: i64 = SECOND;

/// So many new events of one log are not read; everything of its organization counts as changed instead.
const MANY: i64 = 1_000;

/// How far each log was read.
#[derive(Default)]
pub(crate) struct Positions {
    logs: HashMap<OrganizationId, i64>,
    looks: Looks,
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
        let (reach, first) = (positions.looks.reach(now), positions.looks.is_first());
        let heads = logs::sequences_since(&mut conn, reach.since()).await?;
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
        positions.looks.looked(reach, now);
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
