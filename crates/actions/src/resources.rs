//! Writing, reading and deleting resources, by people and by services; and sweeping up bytes that nothing refers to.

use std::{fmt::Display, ops::Range};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream::BoxStream};
use serde_json::json;
use sha2::{Digest, Sha256};
use stoa_access::ProjectRef;
use stoa_domain::{
    events::{EventKind, Subject},
    ids::{OrganizationId, ProjectId},
    organizations::Key,
    permissions::Permission,
    projects::Project,
    resources::{Conditions, Resource, check_media_type, check_name},
    services::DataPermission,
    time::{HOUR, Ts},
};
use stoa_store::{
    Conn, StoreError,
    blobs::{self, Upload},
    organizations, projects, resources,
};

use crate::{Act, Caller, Error, Result, ServiceCaller, Stoa, Who, access, seats};

/// How long bytes stay after nothing refers to them any more, in microseconds: readers that began before may end.
pub const KEEP_ABANDONED: i64 = HOUR;

/// How often an upload that takes long says so, in microseconds, so that the sweep does not take it for a failed one.
const RENEW: i64 = HOUR / 4;

/// How many blobs a sweep removes at a time.
const SWEPT_AT_ONCE: i64 = 500;

/// A project whose data the caller may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its organization.
    pub organization: OrganizationId,
    /// The project.
    pub project: ProjectId,
}

impl Place {
    fn keys(self) -> (Key<OrganizationId>, Key<ProjectId>) {
        (Key::Id(self.organization), Key::Id(self.project))
    }
}

/// The project, if the caller may use its data in this way: a person by role, a service by grant and scope. Reads
/// through `conn` where one is held already.
///
/// # Errors
/// 401; 404 when the person is not a member, or the service has no grant; 403 when the role or the scope does not allow
/// it.
pub async fn authorize(
    stoa: &Stoa,
    conn: Option<&mut Conn>,
    caller: &Caller,
    org: &Key<OrganizationId>,
    project: &Key<ProjectId>,
    permission: DataPermission,
) -> Result<Place> {
    if let Who::Service(service) = &caller.who {
        let opened = access::open(stoa, conn, service, &ProjectRef::within(org, project), permission, caller.now).await?;
        return Ok(Place { organization: opened.organization, project: opened.project });
    }
    let needed = match permission {
        DataPermission::ResourcesRead => Permission::View,
        DataPermission::ResourcesWrite => Permission::ManageResources,
    };
    let mut own;
    let conn = match conn {
        Some(conn) => conn,
        None => {
            own = stoa.db.read().await?;
            &mut own
        }
    };
    let organization = seats::allowed(conn, caller, org, needed).await?.organization.id;
    let project = projects::find(conn, organization, project).await?.ok_or(Error::NotFound("project"))?;
    Ok(Place { organization, project: project.id })
}

/// What somebody writes under a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewResource {
    /// The name.
    pub name: String,
    /// The media type; `application/octet-stream` when absent.
    pub media_type: Option<String>,
    /// How many bytes will come, where that is known before.
    pub length: Option<u64>,
    /// Which version it may replace.
    pub conditions: Conditions,
}

/// What came of writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The resource as it is now.
    pub resource: Resource,
    /// Whether there was none of that name before.
    pub created: bool,
}

/// Writes a resource from bytes as they come; a resource of the same name is replaced, whole or not at all.
///
/// The bytes go to the object store before the transaction, which must not wait for them; what the request may and what
/// it is conditional on is asked before them, to refuse early, and again within the transaction, where it counts.
///
/// # Errors
/// 401, 404, 403, 422; `too_large` (413), `precondition_failed` (412), `bad_body` (400) when the bytes break off.
pub async fn write<S, E>(
    stoa: &Stoa,
    caller: &Caller,
    org: &Key<OrganizationId>,
    project: &Key<ProjectId>,
    new: NewResource,
    body: S,
) -> Result<Written>
where
    S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
    E: Display,
{
    let place = may_begin(stoa, caller, org, project, &new).await?;
    let media_type = check_media_type(new.media_type.as_deref()).map_err(|bad| Error::fault("/media_type", bad.to_string()))?;
    let key = note_key(stoa, caller, place.organization).await?;
    let received = match receive(stoa, &key, body).await {
        Ok(received) => received,
        Err(error) => {
            discard(stoa, &key).await;
            return Err(error);
        }
    };
    // The bytes may have taken long; what follows happens when they are there.
    let caller = Caller { now: stoa.clock.now().max(caller.now), ..caller.clone() };
    let mut act = Act::begin(stoa, caller).await?;
    let bytes = Stored { key, media_type, received };
    match refer(&mut act, place, &new, &bytes).await {
        Ok(written) => {
            // Should the commit fail, it is not known here whether it took place: only the note in the database knows.
            act.commit().await?;
            Ok(written)
        }
        Err(error) => {
            drop(act);
            discard(stoa, &bytes.key).await;
            Err(error)
        }
    }
}

/// Refuses what can be refused before any byte is taken.
async fn may_begin(stoa: &Stoa, caller: &Caller, org: &Key<OrganizationId>, project: &Key<ProjectId>, new: &NewResource) -> Result<Place> {
    let mut conn = stoa.db.read().await?;
    let place = authorize(stoa, Some(&mut conn), caller, org, project, DataPermission::ResourcesWrite).await?;
    check_name(&new.name).map_err(|bad| Error::fault("/name", bad.to_string()))?;
    let limit = stoa.limits.resource_bytes;
    if new.length.is_some_and(|length| length > limit) {
        return Err(Error::TooLarge { limit });
    }
    if new.conditions != Conditions::default() {
        let current = resources::find(&mut conn, place.organization, place.project, &new.name).await?;
        if !new.conditions.allow_write(current.as_ref().map(|current| current.etag.as_str())) {
            return Err(Error::Stale);
        }
    }
    Ok(place)
}

/// A new key in the object store, noted as abandoned until something refers to it.
pub(crate) async fn note_key(stoa: &Stoa, caller: &Caller, organization: OrganizationId) -> Result<String> {
    let mut random = [0; 16];
    stoa.entropy.fill(&mut random);
    let key = format!("{organization}/{:032x}", u128::from_be_bytes(random));
    let mut tx = stoa.db.begin().await?;
    blobs::abandon(&mut tx, &key, caller.now).await?;
    tx.commit().await?;
    Ok(key)
}

/// Bytes in the object store, and what is known of them.
struct Stored {
    key: String,
    media_type: String,
    received: Received,
}

struct Received {
    size: i64,
    etag: String,
}

async fn receive<S, E>(stoa: &Stoa, key: &str, body: S) -> Result<Received>
where
    S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
    E: Display,
{
    let mut upload = stoa.blobs.upload(key);
    match fill(stoa, key, &mut upload, body).await {
        Ok(received) => {
            upload.finish().await?;
            Ok(received)
        }
        Err(error) => {
            if let Err(left) = upload.abort().await {
                tracing::warn!(error = %left, key, "an upload could not be taken back");
            }
            Err(error)
        }
    }
}

async fn fill<S, E>(stoa: &Stoa, key: &str, upload: &mut Upload, mut body: S) -> Result<Received>
where
    S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
    E: Display,
{
    let limit = stoa.limits.resource_bytes;
    let mut hasher = Sha256::new();
    let mut size: u64 = 0;
    let mut noted = stoa.clock.now();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|broken| Error::Body(broken.to_string()))?;
        size = size.saturating_add(chunk.len() as u64);
        if size > limit {
            return Err(Error::TooLarge { limit });
        }
        hasher.update(&chunk);
        upload.write(chunk).await?;
        let now = stoa.clock.now();
        if now.micros() - noted.micros() >= RENEW {
            renew(stoa, key, now).await?;
            noted = now;
        }
    }
    let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(hasher.finalize()));
    Ok(Received { size: i64::try_from(size).map_err(|_| Error::TooLarge { limit })?, etag })
}

async fn renew(stoa: &Stoa, key: &str, now: Ts) -> Result<()> {
    let mut tx = stoa.db.begin().await?;
    let kept = blobs::renew(&mut tx, key, now).await?;
    tx.commit().await?;
    if kept { Ok(()) } else { Err(swept()) }
}

pub(crate) fn swept() -> Error {
    Error::conflict("try_again", "the upload stood still for too long and its bytes were removed; send it again")
}

/// Removes bytes of a write that did not happen. What fails here is left to the sweep, which the note leads to it.
pub(crate) async fn discard(stoa: &Stoa, key: &str) {
    let keys = [key.to_owned()];
    let removed = async {
        stoa.blobs.delete(&keys).await?;
        let mut tx = stoa.db.begin().await?;
        blobs::forget(&mut tx, &keys).await?;
        tx.commit().await
    };
    if let Err(error) = removed.await {
        tracing::warn!(%error, key, "bytes nothing refers to are left to the sweep");
    }
}

/// The project for a change, with the organization locked: of two conditional writes the second sees the first, and a
/// grant or a project that went away just before refuses.
async fn locked(act: &mut Act, place: Place) -> Result<Project> {
    let stoa = act.stoa().clone();
    organizations::lock(&mut act.tx, &[place.organization]).await?;
    let (org, project) = place.keys();
    authorize(&stoa, Some(&mut act.tx), &act.caller, &org, &project, DataPermission::ResourcesWrite).await?;
    projects::find(&mut act.tx, place.organization, &project).await?.ok_or(Error::NotFound("project"))
}

/// Refers to stored bytes under the name.
async fn refer(act: &mut Act, place: Place, new: &NewResource, bytes: &Stored) -> Result<Written> {
    let Place { organization, project } = place;
    let within = locked(act, place).await?;
    let current = resources::find(&mut act.tx, organization, project, &new.name).await?;
    if !new.conditions.allow_write(current.as_ref().map(|current| current.etag.as_str())) {
        return Err(Error::Stale);
    }
    if !blobs::adopt(&mut act.tx, &bytes.key).await? {
        return Err(swept());
    }
    let now = act.now();
    let resource = Resource {
        id: current.as_ref().map_or_else(|| act.mint(), |current| current.id),
        name: new.name.clone(),
        media_type: bytes.media_type.clone(),
        size: bytes.received.size,
        etag: bytes.received.etag.clone(),
        blob_key: bytes.key.clone(),
        created_at: current.as_ref().map_or(now, |current| current.created_at),
        updated_at: now,
    };
    resources::put(&mut act.tx, organization, project, &resource).await?;
    if let Some(current) = &current {
        blobs::abandon(&mut act.tx, &current.blob_key, now).await?;
    }
    let mut data = described(act, &within, &resource);
    data["created"] = json!(current.is_none());
    act.record(&[organization], EventKind::ResourceWritten, Subject::new("resource", &resource.name), data);
    Ok(Written { resource, created: current.is_none() })
}

/// What the log says of a resource, and for which subscription a service acted.
fn described(act: &Act, project: &Project, resource: &Resource) -> serde_json::Value {
    let mut data = json!({
        "project": project.id, "project_name": project.name, "resource": resource.id,
        "media_type": resource.media_type, "size": resource.size, "etag": resource.etag,
    });
    if let Who::Service(ServiceCaller { subscription: Some((_, subscription)), .. }) = &act.caller.who {
        data["subscription"] = json!(subscription);
    }
    data
}

/// Deletes a resource.
///
/// # Errors
/// 401, 404, 403; `precondition_failed` (412).
pub async fn delete(
    act: &mut Act,
    org: &Key<OrganizationId>,
    project: &Key<ProjectId>,
    name: &str,
    conditions: &Conditions,
) -> Result<Resource> {
    let stoa = act.stoa().clone();
    let place = authorize(&stoa, Some(&mut act.tx), &act.caller, org, project, DataPermission::ResourcesWrite).await?;
    let within = locked(act, place).await?;
    let found = resources::find(&mut act.tx, place.organization, place.project, name).await?;
    let resource = found.ok_or(Error::NotFound("resource"))?;
    if !conditions.allow_write(Some(&resource.etag)) {
        return Err(Error::Stale);
    }
    let now = act.now();
    resources::delete(&mut act.tx, place.organization, place.project, name).await?;
    blobs::abandon(&mut act.tx, &resource.blob_key, now).await?;
    let data = described(act, &within, &resource);
    act.record(&[place.organization], EventKind::ResourceDeleted, Subject::new("resource", name), data);
    Ok(resource)
}

/// What is known of a resource without its bytes.
///
/// # Errors
/// 401, 404, 403 for a service whose scope does not include reading.
pub async fn find(stoa: &Stoa, caller: &Caller, org: &Key<OrganizationId>, project: &Key<ProjectId>, name: &str) -> Result<Resource> {
    // Without a connection held: for services the answer is in memory, most of the time.
    let place = authorize(stoa, None, caller, org, project, DataPermission::ResourcesRead).await?;
    let mut conn = stoa.db.read().await?;
    let found = resources::find(&mut conn, place.organization, place.project, name).await?;
    found.ok_or(Error::NotFound("resource"))
}

/// The bytes of a resource that was just found, all or a range, as they come.
///
/// # Errors
/// 503 when the object store does not hand them out.
pub async fn bytes(stoa: &Stoa, resource: &Resource, range: Option<Range<u64>>) -> Result<BoxStream<'static, Result<Bytes, StoreError>>> {
    Ok(stoa.blobs.read(&resource.blob_key, range).await?)
}

/// A page of a project's resources in the order of their names; `after` is the last name of the page before.
///
/// # Errors
/// 401, 404, 403 for a service whose scope does not include reading.
pub async fn list(
    stoa: &Stoa,
    conn: &mut Conn,
    caller: &Caller,
    org: &Key<OrganizationId>,
    project: &Key<ProjectId>,
    after: Option<&str>,
    limit: i64,
) -> Result<(Place, Vec<Resource>)> {
    let place = authorize(stoa, Some(&mut *conn), caller, org, project, DataPermission::ResourcesRead).await?;
    let page = resources::list(conn, place.organization, place.project, after, limit).await?;
    Ok((place, page))
}

/// Removes bytes that nothing has referred to for [`KEEP_ABANDONED`]; answers how many blobs.
///
/// Several sweeps may run at once, and one that breaks off is finished by the next.
///
/// # Errors
/// Those of the database and the object store.
pub async fn sweep(stoa: &Stoa, now: Ts) -> Result<u64> {
    let mut swept = 0;
    loop {
        let mut tx = stoa.db.begin().await?;
        let keys = blobs::claim_abandoned(&mut tx, now.plus(-KEEP_ABANDONED), now, SWEPT_AT_ONCE).await?;
        tx.commit().await?;
        if keys.is_empty() {
            return Ok(swept);
        }
        stoa.blobs.delete(&keys).await?;
        let mut tx = stoa.db.begin().await?;
        blobs::forget(&mut tx, &keys).await?;
        tx.commit().await?;
        swept += keys.len() as u64;
    }
}
