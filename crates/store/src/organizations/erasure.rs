//! Erasing what a deleted organization leaves behind, apart from the ledger.
//!
//! Nothing remembers how far an erasure came: each statement finds what is still there, so whoever goes on begins where the
//! last batch ended.

use stoa_domain::{ids::OrganizationId, time::Ts};

use crate::{StoreError, Tx, marketplace, params, subscriptions};

/// The tables of which nothing is left of an erased organization. Each table with an `organization_id` stands here or in
/// [`LEDGER`]; a test compares both with the database.
pub const ERASED: [&str; 19] = [
    "access_tokens",
    "delegations",
    "invitations",
    "member_words",
    "memberships",
    "organization_domains",
    "organization_handles",
    "organization_shares",
    "personal_token_organizations",
    "policies",
    "resources",
    "search_queue",
    "service_audience",
    "service_categories",
    "service_images",
    "team_members",
    "team_shares",
    "teams",
    "verified_domains",
];

/// The tables of which rows stay under the organization's id: the ledger, what its rows refer to, and how far the log was
/// read. Texts that people wrote into them are erased.
pub const LEDGER: [&str; 28] = [
    "applications",
    "budgets",
    "consents",
    "contract_offers",
    "contract_rollouts",
    "contract_texts",
    "contracts",
    "events",
    "grants",
    "handovers",
    "level_change_parts",
    "level_changes",
    "logs",
    "mail_positions",
    "plans",
    "project_locks",
    "projects",
    "request_decisions",
    "requests",
    "services",
    "subscription_endings",
    "subscription_projects",
    "subscription_setups",
    "subscription_suspensions",
    "subscription_terms",
    "subscriptions",
    "usage_days",
    "usage_events",
];

/// What is erased, as statements with the organization as `$1` and the number of rows as `$2`, in an order that keeps
/// references. Kept are: the organization's id and name, names of projects and services, contracts and plans, subscriptions
/// with their grants, requests with who decided, usage, and the event log.
const STEPS: [&str; 33] = [
    "delete from team_shares where organization_id = $1 and application_id in
       (select application_id from team_shares where organization_id = $1 limit $2)",
    "delete from organization_shares where organization_id = $1 and application_id in
       (select application_id from organization_shares where organization_id = $1 limit $2)",
    "delete from team_members where organization_id = $1 and user_id in
       (select user_id from team_members where organization_id = $1 limit $2)",
    "delete from teams where organization_id = $1 and id in (select id from teams where organization_id = $1 limit $2)",
    "delete from invitations where organization_id = $1 and id in (select id from invitations where organization_id = $1 limit $2)",
    "delete from access_tokens where token_hash in (select t.token_hash from access_tokens t
       join applications a on a.id = t.application_id where a.organization_id = $1 limit $2)",
    "delete from access_tokens where organization_id = $1 and token_hash in
       (select token_hash from access_tokens where organization_id = $1 limit $2)",
    "delete from personal_token_organizations where organization_id = $1 and token_id in
       (select token_id from personal_token_organizations where organization_id = $1 limit $2)",
    "delete from verified_domains where domain in (select domain from verified_domains where organization_id = $1 limit $2)",
    "delete from organization_domains where organization_id = $1 and domain in
       (select domain from organization_domains where organization_id = $1 limit $2)",
    "delete from outgoing_mails where id in (select id from outgoing_mails where source_organization_id = $1 limit $2)",
    "delete from application_secrets where id in (select s.id from application_secrets s
       join applications a on a.id = s.application_id where a.organization_id = $1 limit $2)",
    "delete from service_categories where organization_id = $1 and service_id in
       (select service_id from service_categories where organization_id = $1 limit $2)",
    "delete from service_audience where organization_id = $1 and audience_id in
       (select audience_id from service_audience where organization_id = $1 limit $2)",
    "delete from service_audience where audience_id = $1 and service_id in
       (select service_id from service_audience where audience_id = $1 limit $2)",
    "update services set summary = '', description = '', categories = '[]', links = '[]', support = null, icon = null, review_note = null,
       suspended_reason = null where organization_id = $1 and id in
       (select id from services where organization_id = $1 and (summary <> '' or description <> '' or categories <> '[]' or links <> '[]'
          or support is not null or icon is not null or review_note is not null or suspended_reason is not null) limit $2)",
    "delete from applications where organization_id = $1 and id in
       (select a.id from applications a where a.organization_id = $1
        and not exists (select 1 from services s where s.application_id = a.id)
        and not exists (select 1 from application_secrets x where x.application_id = a.id)
        and not exists (select 1 from access_tokens t where t.application_id = a.id) limit $2)",
    "update applications set description = '', redirect_uris = '[]' where organization_id = $1 and id in
       (select id from applications where organization_id = $1 and (description <> '' or redirect_uris <> '[]') limit $2)",
    "update projects set description = '' where organization_id = $1 and id in
       (select id from projects where organization_id = $1 and description <> '' limit $2)",
    "update subscription_suspensions set reason = '' where organization_id = $1 and id in
       (select id from subscription_suspensions where organization_id = $1 and reason <> '' limit $2)",
    "update subscription_setups set terms = '{}', failed = case when failed is null then null else '' end where organization_id = $1
       and subscription_id in (select subscription_id from subscription_setups
         where organization_id = $1 and (terms <> '{}' or failed <> '') limit $2)",
    "update grants set purpose = '' where organization_id = $1 and id in
       (select id from grants where organization_id = $1 and purpose <> '' limit $2)",
    "update project_locks set reason = '' where organization_id = $1 and id in
       (select id from project_locks where organization_id = $1 and reason <> '' limit $2)",
    "delete from search_queue where organization_id = $1 and service_id in
       (select service_id from search_queue where organization_id = $1 limit $2)",
    "update handovers set note = '' where id in
       (select id from handovers where (organization_id = $1 or receiver_id = $1) and note <> '' limit $2)",
    "update requests set note = '' where organization_id = $1 and id in
       (select id from requests where organization_id = $1 and note <> '' limit $2)",
    "update requests set asked = '{}' where organization_id = $1 and id in
       (select id from requests where organization_id = $1 and asked like '%\"purpose\"%' limit $2)",
    "update request_decisions set comment = '', changes = '[]' where organization_id = $1 and request_id in
       (select request_id from request_decisions where organization_id = $1 and (comment <> '' or changes <> '[]') limit $2)",
    "update requests set rule = '' where organization_id = $1 and id in
       (select id from requests where organization_id = $1 and rule <> '' limit $2)",
    "delete from policies where organization_id in (select organization_id from policies where organization_id = $1 limit $2)",
    "delete from delegations where organization_id = $1 and id in
       (select id from delegations where organization_id = $1 limit $2)",
    "delete from memberships where organization_id = $1 and user_id in
       (select user_id from memberships where organization_id = $1 limit $2)",
    "delete from organization_handles where handle in
       (select handle from organization_handles where organization_id = $1 limit $2)",
];

/// Takes the erasure of one organization upon this node until `until`: one deleted at or before `before` that no other node
/// is erasing at `now`.
///
/// # Errors
/// Those of the database.
pub async fn claim_erasure(tx: &mut Tx, before: Ts, now: Ts, until: Ts) -> Result<Option<OrganizationId>, StoreError> {
    // A node that waited for this row reads it again and finds it taken.
    let rows = tx
        .lock(
            "select id from organizations where deleted_at <= $1 and erased_at is null and (erasing_until is null or erasing_until <= $2)
             order by deleted_at limit 1",
            params![before, now],
        )
        .await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let id: OrganizationId = row.get(0)?;
    tx.execute("update organizations set erasing_until = $2 where id = $1", params![id, until]).await?;
    Ok(Some(id))
}

/// Keeps the erasure with this node for longer.
///
/// # Errors
/// Those of the database.
pub async fn renew_erasure(tx: &mut Tx, id: OrganizationId, until: Ts) -> Result<(), StoreError> {
    tx.execute("update organizations set erasing_until = $2 where id = $1 and erased_at is null", params![id, until]).await?;
    Ok(())
}

/// Erases up to so many rows of each kind; answers how many were changed, 0 when nothing is left.
///
/// # Errors
/// Those of the database.
pub async fn erase_some(tx: &mut Tx, id: OrganizationId, now: Ts, limit: i64) -> Result<u64, StoreError> {
    // Bytes are noted as abandoned before what names them goes; the sweep removes them.
    let noted = "insert into abandoned_blobs (blob_key, abandoned_at)
                 select blob_key, cast($2 as bigint) from resources where organization_id = $1 order by blob_key limit $3
                 on conflict (blob_key) do nothing";
    tx.execute(noted, params![id, now, limit]).await?;
    let pictures = "insert into abandoned_blobs (blob_key, abandoned_at)
                    select blob_key, cast($2 as bigint) from service_images where organization_id = $1 order by blob_key limit $3
                    on conflict (blob_key) do nothing";
    tx.execute(pictures, params![id, now, limit]).await?;
    let mut changed = tx
        .execute(
            "delete from service_images where organization_id = $1 and blob_key in
               (select blob_key from service_images where organization_id = $1 order by blob_key limit $2)",
            params![id, limit],
        )
        .await?;
    changed += tx
        .execute(
            "delete from resources where organization_id = $1 and blob_key in
               (select blob_key from resources where organization_id = $1 order by blob_key limit $2)",
            params![id, limit],
        )
        .await?;
    changed += marketplace::unindex_some(tx, id, limit).await?;
    changed += subscriptions::forget_words(tx, id, limit).await?;
    for step in STEPS {
        changed += tx.execute(step, params![id, limit]).await?;
    }
    Ok(changed)
}

/// Removes what the organization's own row tells of people, sets its handle free, and marks it as erased; answers whether
/// it was not before.
///
/// # Errors
/// Those of the database.
pub async fn finish_erasure(tx: &mut Tx, id: OrganizationId, now: Ts) -> Result<bool, StoreError> {
    // No handle has the form of an id, so this one is nobody's.
    let rows = tx
        .execute(
            "update organizations set erased_at = $2, handle = $3, description = '', billing_email = null, legal_name = null,
               address = null, country = null, tax_id = null, contact_email = null, contact_phone = null, website = null,
               suspended_reason = null, members = 0
             where id = $1 and erased_at is null",
            params![id, now, id.to_string()],
        )
        .await?;
    Ok(rows > 0)
}
