//! Consents: evidence of who agreed to what. Rows are added and never changed.

use stoa_domain::{
    consents::{Consent, TextHash},
    ids::{ConsentId, ContractId, OrganizationId, SubscriptionId},
    time::Ts,
};

use crate::{
    Conn, Row, StoreError, Tx, Value, params,
    users::{columns_of, placeholders},
    values,
};

const COLUMNS: &str = "organization_id, subscription_id, id, kind, accepted_by, approved_by, consented_at, provider_id, contract_id, version, \
                       text_hash, permissions, plan_id, prices, projects, request_id";

fn consent(row: &Row) -> Result<Consent, StoreError> {
    Ok(Consent {
        organization: row.get(0)?,
        subscription: row.get(1)?,
        id: row.get(2)?,
        kind: row.parse(3)?,
        accepted_by: row.get(4)?,
        approved_by: row.get(5)?,
        at: row.get(6)?,
        provider: row.get(7)?,
        contract: row.get(8)?,
        version: row.get(9)?,
        text_hash: row.get(10)?,
        permissions: row.json(11)?,
        plan: row.get(12)?,
        prices: row.json(13)?,
        projects: row.json(14)?,
        request: row.get(15)?,
    })
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|bad| StoreError::database(format!("a value does not write as JSON: {bad}")))
}

/// Keeps a consent.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx, new: &Consent) -> Result<(), StoreError> {
    let sql = format!("insert into consents ({COLUMNS}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)");
    let values = params![
        new.organization,
        new.subscription,
        new.id,
        new.kind.word(),
        new.accepted_by,
        new.approved_by,
        new.at,
        new.provider,
        new.contract,
        new.version,
        new.text_hash,
        json(&new.permissions)?,
        new.plan,
        json(&new.prices)?,
        json(&new.projects)?,
        new.request,
    ];
    tx.send(&sql, values).await
}

/// The consents of a subscription, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list(
    conn: &mut Conn,
    organization: OrganizationId,
    subscription: SubscriptionId,
    after: Option<ConsentId>,
    limit: i64,
) -> Result<Vec<Consent>, StoreError> {
    let select = format!("select {COLUMNS} from consents where organization_id = $1 and subscription_id = $2");
    let rows = match after {
        None => conn.fetch_all(&format!("{select} order by id limit $3"), params![organization, subscription, limit]).await?,
        Some(after) => {
            let sql = format!("{select} and id > $4 order by id limit $3");
            conn.fetch_all(&sql, params![organization, subscription, limit, after]).await?
        }
    };
    rows.iter().map(consent).collect()
}

/// The latest consent to another version of the contract that each of some subscriptions had at an instant, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn latest_accepted(
    conn: &mut Conn,
    organization: OrganizationId,
    subscriptions: &[SubscriptionId],
    at: Ts,
) -> Result<Vec<Consent>, StoreError> {
    if subscriptions.is_empty() {
        return Ok(Vec::new());
    }
    let columns = columns_of("c", COLUMNS);
    let sql = format!(
        "select {columns} from consents c where c.organization_id = $1 and c.kind = 'accepted' and c.consented_at <= $2
         and c.subscription_id in ({}) and not exists (select 1 from consents d where d.organization_id = c.organization_id
           and d.subscription_id = c.subscription_id and d.kind = 'accepted' and d.consented_at <= $2 and d.id > c.id)",
        placeholders(3, subscriptions.len())
    );
    let mut values = values![organization, at];
    values.extend(subscriptions.iter().map(Value::from));
    conn.fetch_all(&sql, &values).await?.iter().map(consent).collect()
}

/// One consent of a subscription.
///
/// # Errors
/// Those of the database.
pub async fn find(
    conn: &mut Conn,
    organization: OrganizationId,
    subscription: SubscriptionId,
    id: ConsentId,
) -> Result<Option<Consent>, StoreError> {
    let sql = format!("select {COLUMNS} from consents where organization_id = $1 and subscription_id = $2 and id = $3");
    conn.fetch_optional(&sql, params![organization, subscription, id]).await?.as_ref().map(consent).transpose()
}

/// Keeps the words of a contract, once.
///
/// # Errors
/// Those of the database.
pub async fn keep_text(tx: &mut Tx, provider: OrganizationId, contract: ContractId, hash: TextHash, text: &str) -> Result<(), StoreError> {
    tx.execute(
        "insert into contract_texts (organization_id, contract_id, hash, text) values ($1, $2, $3, $4)
         on conflict (organization_id, contract_id) do nothing",
        params![provider, contract, hash, text],
    )
    .await?;
    Ok(())
}

/// The words of a contract with their hash, as they were kept with the first consent to it.
///
/// # Errors
/// Those of the database.
pub async fn find_text(conn: &mut Conn, provider: OrganizationId, contract: ContractId) -> Result<Option<(TextHash, String)>, StoreError> {
    let sql = "select hash, text from contract_texts where organization_id = $1 and contract_id = $2";
    conn.fetch_optional(sql, params![provider, contract]).await?.map(|row| Ok((row.get(0)?, row.get(1)?))).transpose()
}
