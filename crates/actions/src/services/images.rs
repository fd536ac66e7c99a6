//! The icon and the screenshots of a service.

use std::fmt::Display;

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _, stream::BoxStream};
use serde_json::json;
use sha2::{Digest, Sha256};
use stoa_domain::{
    events::{EventKind, Subject},
    ids::ServiceId,
    images::{ALT, Image, ImageUse, MOST_SCREENSHOTS},
    organizations::Key,
    permissions::Permission,
    services::Service,
    text::{self, Faults},
};
use stoa_store::{
    Conn, StoreError, blobs,
    services::images::{self, ICON, KeptImage},
};

use super::{own_at_once, own_locked, seen};
use crate::{Act, Caller, Error, Result, Stoa, resources};

/// Which picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// The icon.
    Icon,
    /// A screenshot, counted from 1; one more than there are adds one. Its text tells what it shows.
    Screenshot {
        /// Its number.
        number: usize,
        /// What it shows.
        alt: String,
    },
}

impl Which {
    fn used(&self) -> ImageUse {
        match self {
            Self::Icon => ImageUse::Icon,
            Self::Screenshot { .. } => ImageUse::Screenshot,
        }
    }

    /// The most bytes it may have.
    pub fn most_bytes(&self) -> u64 {
        self.used().most_bytes()
    }
}

/// Puts a picture in its place; the one that was there goes.
///
/// The bytes go to the object store before the transaction, as those of a resource do, and are noted as abandoned until the
/// transaction refers to them.
///
/// # Errors
/// 401, 404, 403; `bad_image` (422) for bytes that are no picture or of a wrong size, 422 for the text; `too_large` (413);
/// `bad_body` (400) when the bytes break off.
pub async fn put<S, E>(stoa: &Stoa, caller: &Caller, key: &Key<ServiceId>, which: Which, length: Option<u64>, body: S) -> Result<Service>
where
    S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
    E: Display,
{
    let service = own_at_once(&mut stoa.db.read().await?, caller, key, Permission::DraftServices).await?;
    let (position, alt) = place(&which)?;
    let bytes = collect(body, length, which.most_bytes()).await?;
    let image = which.used().check(&bytes).map_err(|bad| Error::Unfit { code: "bad_image", detail: bad.to_string() })?;
    let blob_key = resources::note_key(stoa, caller, service.provider).await?;
    let kept = kept(position, alt, image, &bytes, &blob_key, caller);
    if let Err(error) = store(stoa, &blob_key, bytes).await {
        resources::discard(stoa, &blob_key).await;
        return Err(error);
    }
    let mut act = Act::begin(stoa, caller.clone()).await?;
    match refer(&mut act, key, kept).await {
        Ok(service) => {
            act.commit().await?;
            Ok(service)
        }
        Err(error) => {
            drop(act);
            resources::discard(stoa, &blob_key).await;
            Err(error)
        }
    }
}

fn place(which: &Which) -> Result<(i64, String)> {
    match which {
        Which::Icon => Ok((ICON, String::new())),
        Which::Screenshot { number, alt } => {
            let mut faults = Faults::new();
            if !(1..=MOST_SCREENSHOTS).contains(number) {
                faults.add("/number", format!("screenshots are numbered from 1 to {MOST_SCREENSHOTS}"));
            }
            let alt = faults.check("/alt", check_alt(alt));
            let position = i64::try_from(*number).unwrap_or(i64::MAX);
            Ok(faults.or(alt.map(|alt| (position, alt)))?)
        }
    }
}

fn check_alt(alt: &str) -> std::result::Result<String, String> {
    text::line(alt, ALT).map_err(|bad| match bad {
        text::BadText::Empty => "say what the screenshot shows, for those who do not see it".to_owned(),
        other => other.to_string(),
    })
}

async fn collect<S, E>(mut body: S, length: Option<u64>, limit: u64) -> Result<Bytes>
where
    S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
    E: Display,
{
    if length.is_some_and(|length| length > limit) {
        return Err(Error::TooLarge { limit });
    }
    let mut bytes = BytesMut::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|broken| Error::Body(broken.to_string()))?;
        if (bytes.len() + chunk.len()) as u64 > limit {
            return Err(Error::TooLarge { limit });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

fn kept(position: i64, alt: String, image: Image, bytes: &Bytes, blob_key: &str, caller: &Caller) -> KeptImage {
    KeptImage {
        position,
        hash: Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect(),
        blob_key: blob_key.to_owned(),
        media_type: image.kind.word().to_owned(),
        size: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
        width: image.width.into(),
        height: image.height.into(),
        alt,
        created_at: caller.now,
    }
}

async fn store(stoa: &Stoa, key: &str, bytes: Bytes) -> Result<()> {
    let mut upload = stoa.blobs.upload(key);
    upload.write(bytes).await?;
    Ok(upload.finish().await?)
}

async fn refer(act: &mut Act, key: &Key<ServiceId>, new: KeptImage) -> Result<Service> {
    let service = own_locked(act, key, Permission::DraftServices).await?;
    let before = images::list(&mut act.tx, service.provider, service.id).await?;
    let screenshots = before.iter().filter(|one| one.position != ICON).count();
    if usize::try_from(new.position).unwrap_or(usize::MAX) > screenshots + 1 {
        return Err(Error::fault("/number", format!("there are {screenshots} screenshots; the next is number {}", screenshots + 1)));
    }
    if !blobs::adopt(&mut act.tx, &new.blob_key).await? {
        return Err(resources::swept());
    }
    let mut after: Vec<KeptImage> = before.iter().filter(|one| one.position != new.position).cloned().collect();
    after.push(new);
    arrange(act, service, &before, after).await
}

/// Keeps these pictures instead of those before: screenshots are counted anew, bytes without a picture are abandoned, and the
/// log tells what changed.
async fn arrange(act: &mut Act, mut service: Service, before: &[KeptImage], mut after: Vec<KeptImage>) -> Result<Service> {
    after.sort_by_key(|one| one.position);
    let mut number = ICON;
    for one in after.iter_mut().filter(|one| one.position != ICON) {
        number += 1;
        one.position = number;
    }
    let icon = |all: &[KeptImage]| all.iter().find(|one| one.position == ICON).map(|one| one.hash.clone());
    let shots = |all: &[KeptImage]| {
        let shots = all.iter().filter(|one| one.position != ICON);
        shots.map(|one| json!({"hash": one.hash, "alt": one.alt})).collect::<Vec<_>>()
    };
    let mut changes = serde_json::Map::new();
    if icon(before) != icon(&after) {
        changes.insert("icon".into(), json!({"from": icon(before), "to": icon(&after)}));
    }
    if shots(before) != shots(&after) {
        changes.insert("screenshots".into(), json!({"from": shots(before), "to": shots(&after)}));
    }
    let now = act.now();
    for gone in before.iter().filter(|old| after.iter().all(|one| one.blob_key != old.blob_key)) {
        blobs::abandon(&mut act.tx, &gone.blob_key, now).await?;
    }
    service.icon = icon(&after);
    service.updated_at = now;
    images::replace(&mut act.tx, &service, &after).await?;
    if !changes.is_empty() {
        let data = json!({"service": service.name, "changes": changes});
        act.record(&[service.provider], EventKind::ServiceUpdated, Subject::new("service", service.id), data);
    }
    Ok(service)
}

/// Removes the icon, or a screenshot; those after it move up.
///
/// # Errors
/// 401, 404, 403.
pub async fn remove(act: &mut Act, key: &Key<ServiceId>, number: Option<usize>) -> Result<Service> {
    let service = own_locked(act, key, Permission::DraftServices).await?;
    let before = images::list(&mut act.tx, service.provider, service.id).await?;
    let position = number.map_or(Some(ICON), |number| i64::try_from(number).ok().filter(|number| *number > ICON));
    let Some(position) = position.filter(|position| before.iter().any(|one| one.position == *position)) else {
        return Err(Error::NotFound("picture"));
    };
    let after = before.iter().filter(|one| one.position != position).cloned().collect();
    arrange(act, service, &before, after).await
}

/// A change of a screenshot; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScreenshotChange {
    /// Another text.
    pub alt: Option<String>,
    /// Another place among the screenshots, counted from 1.
    pub number: Option<usize>,
}

/// Changes what a screenshot's text says, or its place among the others.
///
/// # Errors
/// 401, 404, 403, 422.
pub async fn change(act: &mut Act, key: &Key<ServiceId>, number: usize, change: ScreenshotChange) -> Result<Service> {
    let service = own_locked(act, key, Permission::DraftServices).await?;
    let before = images::list(&mut act.tx, service.provider, service.id).await?;
    let (icon, mut shots): (Vec<KeptImage>, Vec<KeptImage>) = before.iter().cloned().partition(|one| one.position == ICON);
    let index = number.checked_sub(1).filter(|index| *index < shots.len()).ok_or(Error::NotFound("picture"))?;
    let mut faults = Faults::new();
    let mut moved = shots.remove(index);
    if let Some(alt) = change.alt {
        moved.alt = faults.check("/alt", check_alt(&alt)).unwrap_or_default();
    }
    let to = change.number.unwrap_or(number);
    if !(1..=shots.len() + 1).contains(&to) {
        faults.add("/number", format!("there are {} screenshots", shots.len() + 1));
    }
    faults.or(Some(()))?;
    shots.insert(to - 1, moved);
    for (position, one) in (1..).zip(&mut shots) {
        one.position = position;
    }
    arrange(act, service, &before, [icon, shots].concat()).await
}

/// A picture of a service that the caller sees, by the hash of its bytes.
///
/// # Errors
/// 401, 404.
pub async fn find(conn: &mut Conn, caller: &Caller, key: &Key<ServiceId>, hash: &str) -> Result<KeptImage> {
    let service = if caller.operator().is_ok() {
        super::operating::find(conn, caller, key).await.map(|found| found.service)
    } else {
        Err(Error::NotFound("service"))
    };
    let service = match service {
        Ok(service) => service,
        Err(_) => seen(conn, caller, key).await?.service,
    };
    images::find(conn, service.provider, service.id, hash).await?.ok_or(Error::NotFound("picture"))
}

/// The bytes of a picture that was just found.
///
/// # Errors
/// 503 when the object store does not hand them out.
pub async fn bytes(stoa: &Stoa, image: &KeptImage) -> Result<BoxStream<'static, Result<Bytes, StoreError>>> {
    Ok(stoa.blobs.read(&image.blob_key, None).await?)
}
