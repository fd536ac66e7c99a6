//! Carrying a service from one provider to another: every row that says whose it is.
//!
//! Keys begin with the provider, and some rows refer to the service by such a key. No row may refer to nothing, not even in
//! between, and no two services have the same id. So a stand-in takes the place of the service at the new provider: what
//! refers to the service goes over to the stand-in, the service follows, takes it back, and the stand-in goes. Rows are
//! changed in place, so that a column added later goes along by itself; the number of statements is the same for any number
//! of rows.

use stoa_domain::{
    handovers::TIME_TO_DECIDE,
    ids::{OrganizationId, ServiceId},
    time::Ts,
};

use crate::{StoreError, Tx, params, subscriptions};

/// A table of which rows go along with a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// Its name.
    pub table: &'static str,
    /// The column that says whose they are.
    pub column: &'static str,
    /// What finds those of the service `$2` at the provider `$1`.
    pub of: &'static str,
}

const fn moved(table: &'static str, column: &'static str, of: &'static str) -> Moved {
    Moved { table, column, of }
}

/// The tables of which rows go along, in an order in which each still finds its rows by those after it. Each table with a
/// column that names a provider, a service, a contract, a plan or an application stands here or in [`STAYING`]; a test
/// compares both with the database.
pub const MOVED: [Moved; 15] = [
    moved(
        "plans",
        "organization_id",
        "organization_id = $1 and contract_id in (select id from contracts where organization_id = $1 and service_id = $2)",
    ),
    moved(
        "contract_texts",
        "organization_id",
        "organization_id = $1 and contract_id in (select id from contracts where organization_id = $1 and service_id = $2)",
    ),
    moved(
        "consents",
        "provider_id",
        "provider_id = $1 and (organization_id, subscription_id) in
           (select organization_id, id from subscriptions where provider_id = $1 and service_id = $2)",
    ),
    moved("contract_offers", "provider_id", "provider_id = $1 and service_id = $2"),
    moved("contract_rollouts", "organization_id", "organization_id = $1 and service_id = $2"),
    moved("level_changes", "provider_id", "provider_id = $1 and service_id = $2"),
    moved("requests", "provider_id", "provider_id = $1 and service_id = $2"),
    moved("search_queue", "organization_id", "organization_id = $1 and service_id = $2"),
    moved("service_categories", "organization_id", "organization_id = $1 and service_id = $2"),
    moved("subscriptions", "provider_id", "provider_id = $1 and service_id = $2"),
    // What refers to the service by its provider, and the service itself; see [`carry`].
    moved("contracts", "organization_id", "organization_id = $1 and service_id = $2"),
    moved("service_images", "organization_id", "organization_id = $1 and service_id = $2"),
    moved("service_audience", "organization_id", "organization_id = $1 and service_id = $2"),
    moved("services", "organization_id", "organization_id = $1 and id = $2"),
    // Where only this service signs in with it; see `sharing::transfer`.
    moved("applications", "organization_id", "organization_id = $1 and id in (select application_id from services where id = $2)"),
];

/// The tables of [`MOVED`] whose rows refer to the service by its provider.
const REFERRING: [&str; 3] = ["contracts", "service_images", "service_audience"];

/// The tables that name one of these things and stay as they are, each with the reason.
pub const STAYING: [(&str, &str); 9] = [
    ("access_tokens", "tokens are of an application and of the subscriber, and go on"),
    ("application_secrets", "secrets are of an application, whoever owns it"),
    ("handovers", "who offered it to whom stays true"),
    ("organization_shares", "shares of the application end"),
    ("project_locks", "locks are the subscriber's, against a service whoever provides it"),
    ("service_search", "what is searched is written anew"),
    ("service_search_rows", "what is searched is written anew"),
    ("subscription_terms", "they name contract and plan, which keep their ids"),
    ("team_shares", "shares of the application end"),
];

/// Carries a service with all that is its own from one provider to another; not its application. `stand_in` is an id that
/// nothing has. The caller holds the locks of both and of all who subscribe.
///
/// # Errors
/// Those of the database.
pub async fn carry(
    tx: &mut Tx,
    service: ServiceId,
    (from, to): (OrganizationId, OrganizationId),
    stand_in: ServiceId,
    now: Ts,
) -> Result<(), StoreError> {
    // In the order in which whoever reports usage locks them, so that neither waits for the other.
    subscriptions::lock_where(tx, "provider_id = $1 and service_id = $2", params![from, service]).await?;
    for Moved { table, column, of } in MOVED.iter().filter(|one| !is_keyed(one.table)) {
        tx.execute(&format!("update {table} set {column} = $3 where {of}"), params![from, service, to]).await?;
    }
    tx.execute(
        "insert into services (organization_id, id, handle, application_id, name, name_key, summary, description, categories, visibility, \
           state, contract_id, created_at, updated_at)
         values ($3, $4, $5, (select application_id from services where organization_id = $1 and id = $2), '', '', '', '', '[]', 'private', \
           'draft', $2, $6, $6)",
        // No handle has the form of an id, so this one is nobody's.
        params![from, service, to, stand_in, stand_in.to_string(), now],
    )
    .await?;
    for table in REFERRING {
        let sql = format!("update {table} set organization_id = $3, service_id = $4 where organization_id = $1 and service_id = $2");
        tx.execute(&sql, params![from, service, to, stand_in]).await?;
    }
    tx.execute(
        "update services set organization_id = $3, updated_at = $4 where organization_id = $1 and id = $2",
        params![from, service, to, now],
    )
    .await?;
    for table in REFERRING {
        let sql = format!("update {table} set service_id = $3 where organization_id = $1 and service_id = $2");
        tx.execute(&sql, params![to, stand_in, service]).await?;
    }
    tx.execute("delete from services where organization_id = $1 and id = $2", params![to, stand_in]).await?;
    Ok(())
}

/// Whether a table's rows are moved by statements of their own.
fn is_keyed(table: &str) -> bool {
    table == "services" || table == "applications" || REFERRING.contains(&table)
}

/// Gives whoever provides a service now time to decide the requests that wait for it; those that wait for less than that in
/// all keep their end.
///
/// # Errors
/// Those of the database.
pub async fn give_time(tx: &mut Tx, provider: OrganizationId, service: ServiceId, now: Ts) -> Result<(), StoreError> {
    tx.execute(
        "update requests set expires_at = $3 where provider_id = $1 and service_id = $2 and step = 'provider' and state = 'open'
           and expires_at < $3 and expires_at - created_at >= $4",
        params![provider, service, now.plus(TIME_TO_DECIDE), TIME_TO_DECIDE],
    )
    .await?;
    Ok(())
}
