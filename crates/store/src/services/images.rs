//! Icons and screenshots of services; their bytes lie in [`blobs`](crate::blobs).

use stoa_domain::{
    ids::{OrganizationId, ServiceId},
    services::Service,
    time::Ts,
};

use crate::{Conn, Row, StoreError, Tx, Value, params, values};

/// The position of the icon; screenshots come after it.
pub const ICON: i64 = 0;

/// A picture of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptImage {
    /// 0 for the icon, 1, 2, … for the screenshots in their order.
    pub position: i64,
    /// SHA-256 of its bytes, in hexadecimal digits: its name in addresses.
    pub hash: String,
    /// Where its bytes lie.
    pub blob_key: String,
    /// Its media type, as its bytes tell.
    pub media_type: String,
    /// How many bytes it has.
    pub size: i64,
    /// Its width in pixels.
    pub width: i64,
    /// Its height in pixels.
    pub height: i64,
    /// What it shows, for those who do not see it; empty for an icon.
    pub alt: String,
    /// When it came.
    pub created_at: Ts,
}

const COLUMNS: &str = "position, hash, blob_key, media_type, size, width, height, alt, created_at";

fn image(row: &Row) -> Result<KeptImage, StoreError> {
    Ok(KeptImage {
        position: row.get(0)?,
        hash: row.get(1)?,
        blob_key: row.get(2)?,
        media_type: row.get(3)?,
        size: row.get(4)?,
        width: row.get(5)?,
        height: row.get(6)?,
        alt: row.get(7)?,
        created_at: row.get(8)?,
    })
}

/// The pictures of a service, the icon first.
///
/// # Errors
/// Those of the database.
pub async fn list(conn: &mut Conn, provider: OrganizationId, service: ServiceId) -> Result<Vec<KeptImage>, StoreError> {
    let sql = format!("select {COLUMNS} from service_images where organization_id = $1 and service_id = $2 order by position");
    conn.fetch_all(&sql, params![provider, service]).await?.iter().map(image).collect()
}

/// The picture of a service whose bytes have this hash.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, provider: OrganizationId, service: ServiceId, hash: &str) -> Result<Option<KeptImage>, StoreError> {
    let sql = format!(
        "select {COLUMNS} from service_images where organization_id = $1 and service_id = $2 and hash = $3 order by position limit 1"
    );
    conn.fetch_optional(&sql, params![provider, service, hash]).await?.as_ref().map(image).transpose()
}

/// Writes all pictures of a service anew, and its icon and the time of the change with them. What of their bytes nothing
/// refers to any more is abandoned by whoever calls.
///
/// # Errors
/// Those of the database.
pub async fn replace(tx: &mut Tx, service: &Service, images: &[KeptImage]) -> Result<(), StoreError> {
    tx.execute("delete from service_images where organization_id = $1 and service_id = $2", params![service.provider, service.id]).await?;
    let row = |one: &KeptImage| {
        let mut row = values![service.provider, service.id];
        row.extend::<Vec<Value>>(values![
            one.position,
            &one.hash,
            &one.blob_key,
            &one.media_type,
            one.size,
            one.width,
            one.height,
            &one.alt,
            one.created_at
        ]);
        row
    };
    let rows: Vec<Vec<Value>> = images.iter().map(row).collect();
    tx.insert_many(&format!("insert into service_images (organization_id, service_id, {COLUMNS})"), 11, &rows, "").await?;
    tx.execute(
        "update services set icon = $3, updated_at = $4 where organization_id = $1 and id = $2",
        params![service.provider, service.id, service.icon.clone(), service.updated_at],
    )
    .await?;
    Ok(())
}
