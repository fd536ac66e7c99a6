//! One transaction of the marketplace: changes, their events, and the answer kept for an `Idempotency-Key`.

use std::sync::Arc;

use serde_json::Value;
use stoa_domain::{
    events::{Event, EventKind, Subject},
    ids::{EventId, Id, OrganizationId},
    secrets::{Secret, SecretKind},
    time::{HOUR, Ts},
};
use stoa_store::{Conn, Tx, events, idempotency, logs};

use crate::{Caller, Error, Result, Stoa, once::Key};

/// SHA-256 of method, path and body: two requests with one `Idempotency-Key` must have the same.
pub type Fingerprint = [u8; 32];

/// How long the answer to an `Idempotency-Key` is kept, in microseconds.
pub const KEEP_ANSWERS: i64 = 24 * HOUR;

/// An action under way. What it changes and records becomes true with [`Act::commit`]; dropped, it never happened.
pub struct Act {
    /// The transaction.
    pub tx: Tx,
    /// Who asks, and when.
    pub caller: Caller,
    stoa: Stoa,
    recorded: Vec<Recorded>,
    key: Option<Key>,
}

struct Recorded {
    organization: OrganizationId,
    kind: EventKind,
    subject: Subject,
    /// JSON, written once for all logs.
    data: Arc<str>,
}

/// The beginning of a request that may have been answered before.
pub enum Begun {
    /// It was not: go on.
    Fresh(Box<Act>),
    /// It was: give the first answer again.
    Answered {
        /// The HTTP status.
        status: u16,
        /// The body, JSON.
        body: Vec<u8>,
    },
}

impl Act {
    /// Opens the transaction.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn begin(stoa: &Stoa, caller: Caller) -> Result<Self> {
        let tx = stoa.db.begin().await?;
        Ok(Self { tx, caller, stoa: stoa.clone(), recorded: Vec::new(), key: None })
    }

    /// Opens the transaction of a request with an `Idempotency-Key`, or finds its first answer.
    ///
    /// # Errors
    /// `idempotency_key_reused` (422) when the key came with another request before.
    pub async fn begin_once(stoa: &Stoa, caller: Caller, key: &str, fingerprint: Fingerprint) -> Result<Begun> {
        if key.is_empty() || key.len() > 255 || !key.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
            return Err(Error::Unfit {
                code: "bad_idempotency_key",
                detail: "an Idempotency-Key has 1 to 255 printable ASCII characters; a random UUID is a good one".into(),
            });
        }
        let mut act = Self::begin(stoa, caller).await?;
        let principal = act.caller.principal();
        let key = Key::new(&principal, key)?;
        if idempotency::claim(&mut act.tx, &principal, key.hash, fingerprint, act.caller.now).await? {
            act.key = Some(key);
            return Ok(Begun::Fresh(Box::new(act)));
        }
        let kept = idempotency::find(&mut act.tx, &principal, key.hash).await?;
        let kept = kept.ok_or_else(|| Error::conflict("try_again", "the same request is just being answered; send it again"))?;
        match kept.status.and_then(|status| u16::try_from(status).ok()) {
            _ if kept.fingerprint != fingerprint => Err(Error::Unfit {
                code: "idempotency_key_reused",
                detail: "this Idempotency-Key came with another request before; use a new key for a new request".into(),
            }),
            Some(status) => Ok(Begun::Answered { status, body: key.open(&kept.sealed_body)? }),
            None => Err(Error::conflict("try_again", "the same request is just being answered; send it again")),
        }
    }

    /// The installation.
    pub fn stoa(&self) -> &Stoa {
        &self.stoa
    }

    /// When.
    pub fn now(&self) -> Ts {
        self.caller.now
    }

    /// The connection, for reading, and who asks: what queries take.
    pub fn reading(&mut self) -> (&mut Conn, &Caller) {
        (&mut self.tx, &self.caller)
    }

    /// A new id.
    pub fn mint<I: Id>(&self) -> I {
        self.stoa.mint(self.caller.now)
    }

    /// A new secret.
    pub fn secret(&self, kind: SecretKind) -> Secret {
        self.stoa.secret(kind)
    }

    /// Records what happened in the log of each organization concerned. Written with [`Act::commit`].
    pub fn record(&mut self, organizations: &[OrganizationId], kind: EventKind, subject: Subject, data: Value) {
        let data: Arc<str> = data.to_string().into();
        for (index, organization) in organizations.iter().enumerate() {
            if !organizations[..index].contains(organization) {
                let (subject, data) = (subject.clone(), Arc::clone(&data));
                self.recorded.push(Recorded { organization: *organization, kind, subject, data });
            }
        }
    }

    /// Writes the recorded events, commits, and lets the access index see them before anybody is told.
    ///
    /// # Errors
    /// Those of the database; then nothing happened.
    pub async fn commit(mut self) -> Result<()> {
        let written = self.write_events().await?;
        self.tx.commit().await?;
        self.stoa.access.observe(&written);
        Ok(())
    }

    /// Like [`Act::commit`], and keeps the answer for the request's `Idempotency-Key`, if it has one.
    ///
    /// # Errors
    /// Those of the database; then nothing happened.
    pub async fn commit_answering(mut self, status: u16, body: &[u8]) -> Result<()> {
        if let Some(key) = self.key.take() {
            let principal = self.caller.principal();
            let mut nonce = [0; 12];
            self.stoa.entropy.fill(&mut nonce);
            let sealed = key.seal(nonce, body)?;
            idempotency::answer(&mut self.tx, &principal, key.hash, status, &sealed).await?;
        }
        self.commit().await
    }

    async fn write_events(&mut self) -> Result<Vec<Event>> {
        let mut recorded = std::mem::take(&mut self.recorded);
        // In the order of the organizations' ids, as all locks are; within one organization in the order they happened.
        recorded.sort_by_key(|one| one.organization);
        let mut concerned: Vec<OrganizationId> = recorded.iter().map(|one| one.organization).collect();
        concerned.dedup();
        if concerned.is_empty() {
            return Ok(Vec::new());
        }
        let mut heads = logs::lock_heads(&mut self.tx, &concerned).await?;
        let mut written: Vec<Event> = Vec::with_capacity(recorded.len());
        for one in recorded {
            let at = heads.binary_search_by_key(&one.organization, |head| head.organization);
            let Some(head) = at.ok().and_then(|at| heads.get_mut(at)) else { continue };
            let event = next_event(head, one, &self.caller, self.stoa.mint::<EventId>(self.caller.now));
            head.sequence = event.sequence;
            head.hash = event.hash;
            written.push(event);
        }
        events::append(&mut self.tx, &written).await?;
        // Those who follow the logs look for what moved since they last looked: the time of the commit, not of the request.
        logs::set_heads(&mut self.tx, &heads, self.stoa.clock.now()).await?;
        Ok(written)
    }
}

fn next_event(head: &logs::Head, recorded: Recorded, caller: &Caller, id: EventId) -> Event {
    let actor = caller.actor();
    let mut event = Event {
        organization: head.organization,
        sequence: head.sequence + 1,
        id,
        kind: recorded.kind.word().to_owned(),
        actor_kind: actor.kind().to_owned(),
        actor_id: actor.id(),
        subject: recorded.subject,
        data: recorded.data.to_string(),
        request_id: caller.request_id.clone(),
        occurred_at: caller.now,
        previous_hash: head.hash,
        hash: [0; 32],
    };
    event.hash = event.chain_hash();
    event
}
