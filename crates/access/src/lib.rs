//! What may be used: the in-memory index of credentials and grants that answers decisions, kept current from the event log.
//!
//! An entry is read from the database when it is first asked for. It carries a mark, a point in the order of changes
//! taken before it was read, and counts as true only while nothing it depends on changed after that mark. So an entry
//! that was read before a change and inserted after it is out of date from its first moment on, and no reader can bring
//! back what was closed. Changes of this node are noted before the caller is told of them ([`Access::observe`]); those of
//! other nodes when the logs are next looked at ([`Access::follow`]). While nobody looks, the database is asked.

mod cache;
mod changes;
mod decision;
mod follow;

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use stoa_domain::{
    access::Reason,
    events::Event,
    ids::{ApplicationId, SubscriptionId},
    secrets::SecretHash,
    services::DataPermission,
    time::Ts,
};
use stoa_store::{Conn, Db, StoreError, access};
use tokio::sync::Mutex;

pub use decision::{Decision, Holder, LiveClient, LiveToken, ProjectRef, Subscribed};
pub use follow::{EVERY, TRUSTED};

use cache::Cache;
use changes::{Changes, Dependency};
use decision::TokenEntry;
use follow::Positions;

/// How much each kind of entry may weigh together, in units of about a hundred bytes: some hundred megabytes in all.
const TOKENS: usize = 400_000;
const CLIENTS: usize = 100_000;
const SUBSCRIPTIONS: usize = 1_000_000;

/// The index; clones share it.
#[derive(Clone)]
pub struct Access {
    inner: Arc<Inner>,
}

struct Inner {
    db: Db,
    changes: Changes,
    tokens: Cache<SecretHash, TokenEntry>,
    clients: Cache<(ApplicationId, SecretHash), LiveClient>,
    subscriptions: Cache<SubscriptionId, Subscribed>,
    positions: Mutex<Positions>,
    /// When the logs were last looked at.
    contact: AtomicI64,
}

impl Access {
    /// An empty index over a database; it fills with what is asked for.
    pub fn new(db: Db) -> Self {
        let inner = Inner {
            db,
            changes: Changes::default(),
            tokens: Cache::new(TOKENS),
            clients: Cache::new(CLIENTS),
            subscriptions: Cache::new(SUBSCRIPTIONS),
            positions: Mutex::default(),
            contact: AtomicI64::new(i64::MIN),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Takes note of events that were just committed on this node, before they are acknowledged.
    pub fn observe(&self, events: &[Event]) {
        self.inner.changes.note(events.iter().filter_map(|event| Dependency::of(event.organization, &event.kind, &event.subject.id)));
    }

    /// Whether what the index keeps may be relied on: the logs were looked at within the last second.
    pub fn is_trusted(&self, now: Ts) -> bool {
        let contact = self.inner.contact.load(Ordering::Acquire);
        // A clock that was set back says nothing about how long ago it was.
        (-TRUSTED..=TRUSTED).contains(&now.micros().saturating_sub(contact))
    }

    fn set_contact(&self, now: Ts) {
        self.inner.contact.store(now.micros(), Ordering::Release);
    }

    /// The application with this id, if it has a live secret with this hash.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn client(&self, application: ApplicationId, hash: SecretHash, now: Ts) -> Result<Option<Arc<LiveClient>>, StoreError> {
        let key = (application, hash);
        if self.is_trusted(now)
            && let Some(kept) = self.inner.clients.get(&key, &self.inner.changes)
        {
            return Ok(Some(kept));
        }
        let mark = self.inner.changes.mark();
        let mut conn = self.inner.db.read().await?;
        let Some(found) = access::find_client(&mut conn, application, hash).await? else { return Ok(None) };
        let client = Arc::new(LiveClient::from(found));
        // What ends a person's own application stands in no organization's log.
        if client.owner.is_some() {
            self.inner.clients.put(key, &client, mark, &self.inner.changes, now);
        }
        Ok(Some(client))
    }

    async fn token(&self, hash: SecretHash, now: Ts) -> Result<Option<Arc<TokenEntry>>, StoreError> {
        if self.is_trusted(now)
            && let Some(kept) = self.inner.tokens.get(&hash, &self.inner.changes)
        {
            return Ok(Some(kept));
        }
        let mark = self.inner.changes.mark();
        let mut conn = self.inner.db.read().await?;
        let Some(found) = access::find_token(&mut conn, hash).await? else { return Ok(None) };
        let token = Arc::new(TokenEntry::from(found));
        if token.is_followed() {
            self.inner.tokens.put(hash, &token, mark, &self.inner.changes, now);
        }
        Ok(Some(token))
    }

    /// A subscription with what it opens. Reads through `conn` where one is held already; what is read so is not kept,
    /// for it may be of a transaction that never comes true.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn subscribed(&self, conn: Option<&mut Conn>, id: SubscriptionId, now: Ts) -> Result<Option<Arc<Subscribed>>, StoreError> {
        if self.is_trusted(now)
            && let Some(kept) = self.inner.subscriptions.get(&id, &self.inner.changes)
        {
            return Ok(Some(kept));
        }
        if let Some(conn) = conn {
            return Ok(access::find_subscription(conn, id, now).await?.map(|found| Arc::new(Subscribed::from(found))));
        }
        let mark = self.inner.changes.mark();
        let mut conn = self.inner.db.read().await?;
        let Some(found) = access::find_subscription(&mut conn, id, now).await? else { return Ok(None) };
        let subscribed = Arc::new(Subscribed::from(found));
        self.inner.subscriptions.put(id, &subscribed, mark, &self.inner.changes, now);
        Ok(Some(subscribed))
    }

    /// The access token with this hash, or why it opens nothing.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn look_up(&self, hash: SecretHash, now: Ts) -> Result<Result<LiveToken, Reason>, StoreError> {
        let Some(found) = self.token(hash, now).await? else { return Ok(Err(Reason::UnknownToken)) };
        let token = found.token.clone();
        if token.expires_at <= now {
            return Ok(Err(Reason::TokenExpired));
        }
        let Some((_, id)) = token.subscription else { return Ok(Ok(LiveToken { token, subscription: None, at: now })) };
        let subscribed = self.subscribed(None, id, now).await?;
        match subscribed.filter(|subscribed| subscribed.opens(now) && subscribed.application == token.application) {
            Some(subscribed) => Ok(Ok(LiveToken { token, subscription: Some(subscribed), at: now })),
            None => Ok(Err(Reason::SubscriptionNotActive)),
        }
    }

    /// The access token with this hash, if it opens anything now.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn authenticate(&self, hash: SecretHash, now: Ts) -> Result<Option<LiveToken>, StoreError> {
        Ok(self.look_up(hash, now).await?.ok())
    }

    /// Whether the holder of a token may do something with a project's data. Reads through `conn` where one is held already.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn decide(
        &self,
        conn: Option<&mut Conn>,
        holder: &Holder<'_>,
        project: &ProjectRef,
        permission: DataPermission,
        now: Ts,
    ) -> Result<Decision, StoreError> {
        let Some((_, id)) = holder.subscription else { return Ok(Decision::no(Reason::NoSubscription)) };
        let subscribed = self.subscribed(conn, id, now).await?;
        match subscribed.filter(|subscribed| subscribed.opens(now) && subscribed.application == holder.application) {
            Some(subscribed) => Ok(Decision::of(&subscribed, holder.scope, project, permission, now)),
            None => Ok(Decision::no(Reason::SubscriptionNotActive)),
        }
    }
}
