//! Services, their contracts and plans.

pub mod audience;
pub mod images;
mod manner;
mod operating;

pub(crate) use manner::manner_at;
pub use manner::{manner, set_manner};
pub use operating::{Operated, OperatedFilter, list_operated};

use std::collections::{BTreeMap, HashMap};

use serde::{Serialize, de::DeserializeOwned};
use stoa_domain::{
    contracts::PriceHint,
    ids::{ContractId, OrganizationId, PlanId, ServiceId},
    marketplace,
    meters::Plan,
    organizations::Key,
    permissions::Role,
    services::{Beside, Contract, Deprecation, Level, Service, ServiceState, ServiceSuspension},
    time::{Day, Ts},
};

use crate::{Conn, Row, StoreError, Tx, Value, Viewer, params, users::placeholders, values};

/// A plan as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptPlan {
    /// Its id.
    pub id: PlanId,
    /// What it costs.
    pub plan: Plan,
}

/// A service with the role of the user for whom it was looked up in its provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenService {
    /// The service.
    pub service: Service,
    /// The name of its provider.
    pub provider_name: String,
    /// The role; `None` for whoever is not a member of the provider.
    pub role: Option<Role>,
    /// Whether one of the user's organizations is among those that a private service is for.
    pub named: bool,
    /// Whether one of the user's organizations has a live subscription of it.
    pub subscribed: bool,
}

/// A service with what new subscriptions get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedService {
    /// The service.
    pub service: Service,
    /// The contract that new subscriptions get.
    pub contract: Contract,
    /// The price it is advertised with.
    pub price: PriceHint,
}

pub(crate) const COLUMNS: &str = "s.id, s.organization_id, s.handle, s.application_id, s.name, s.summary, s.description, s.categories, \
                                  s.visibility, s.state, s.contract_id, s.created_at, s.updated_at, s.published_at, \
                                  s.icon, s.links, s.support, s.retires_on, s.successor_id, s.suspended_from, s.suspended_reason, \
                                  s.review_note";
/// How many columns [`COLUMNS`] names.
pub(crate) const WIDTH: usize = 22;

pub(crate) const CONTRACT: &str = "c.id, c.service_id, c.version, c.level, c.permissions, c.terms_url, c.created_at";
/// How many columns [`CONTRACT`] names.
pub(crate) const CONTRACT_WIDTH: usize = 7;

pub(crate) fn service(row: &Row) -> Result<Service, StoreError> {
    Ok(Service {
        id: row.get(0)?,
        provider: row.get(1)?,
        handle: row.get(2)?,
        application: row.get(3)?,
        name: row.get(4)?,
        summary: row.get(5)?,
        description: row.get(6)?,
        categories: row.json(7)?,
        visibility: row.parse(8)?,
        state: row.parse(9)?,
        contract: row.get(10)?,
        created_at: row.get(11)?,
        updated_at: row.get(12)?,
        published_at: row.get(13)?,
        icon: row.get(14)?,
        links: row.json(15)?,
        support: row.get(16)?,
        deprecation: deprecation(row)?,
        suspension: suspension(row)?,
        review_note: row.get(21)?,
    })
}

fn deprecation(row: &Row) -> Result<Option<Deprecation>, StoreError> {
    let on = row.get::<Option<i64>>(17)?.map(Day::from_number);
    let successor = row.get(18)?;
    Ok(on.map(|on| Deprecation { on, successor }))
}

fn suspension(row: &Row) -> Result<Option<ServiceSuspension>, StoreError> {
    let from: Option<ServiceState> = row.parse_optional(19)?;
    let reason: Option<String> = row.get(20)?;
    Ok(from.map(|from| ServiceSuspension { from, reason: reason.unwrap_or_default() }))
}

pub(crate) fn contract(row: &Row, from: usize) -> Result<Contract, StoreError> {
    Ok(Contract {
        id: row.get(from)?,
        service: row.get(from + 1)?,
        version: row.get(from + 2)?,
        level: row.parse(from + 3)?,
        permissions: row.json(from + 4)?,
        terms_url: row.get(from + 5)?,
        created_at: row.get(from + 6)?,
    })
}

fn plan(row: &Row) -> Result<KeptPlan, StoreError> {
    Ok(KeptPlan { id: row.get(0)?, plan: row.json(1)? })
}

fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|bad| StoreError::database(format!("a value does not write as JSON: {bad}")))
}

fn filter(key: &Key<ServiceId>) -> (&'static str, Value) {
    match key {
        Key::Id(id) => ("s.id = $1", Value::from(*id)),
        Key::Handle(handle) => ("s.handle = $1", Value::from(handle)),
    }
}

/// Adds a service; its contract and plans are added beside it.
///
/// # Errors
/// [`StoreError::Duplicate`] of `handle` when the handle is taken.
pub async fn insert(tx: &mut Tx, service: &Service) -> Result<(), StoreError> {
    tx.execute(
        "insert into services (organization_id, id, handle, application_id, name, name_key, summary, description, categories, \
                               visibility, state, contract_id, created_at, updated_at, published_at, links, support)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
        params![
            service.provider,
            service.id,
            &service.handle,
            service.application,
            &service.name,
            name_key(service),
            &service.summary,
            &service.description,
            json(&service.categories)?,
            service.visibility.word(),
            service.state.word(),
            service.contract,
            service.created_at,
            service.updated_at,
            service.published_at,
            json(&service.links)?,
            service.support.clone(),
        ],
    )
    .await?;
    insert_categories(tx, service).await
}

/// What services are sorted by where they are sorted by name: folded, so that case and accents do not matter.
pub(crate) fn name_key(service: &Service) -> String {
    marketplace::folded(&[&service.name])
}

async fn insert_categories(tx: &mut Tx, service: &Service) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value>> = service.categories.iter().map(|one| values![one, service.id, service.provider]).collect();
    tx.insert_many("insert into service_categories (category, service_id, organization_id)", 3, &rows, "").await?;
    Ok(())
}

/// Whether a handle is taken.
///
/// # Errors
/// Those of the database.
pub async fn handle_taken(conn: &mut Conn, handle: &str) -> Result<bool, StoreError> {
    Ok(conn.fetch_optional("select id from services where handle = $1", params![handle]).await?.is_some())
}

/// Writes changed texts, categories, visibility, links and support.
///
/// # Errors
/// Those of the database.
pub async fn update(tx: &mut Tx, service: &Service) -> Result<(), StoreError> {
    tx.execute(
        "update services set name = $3, name_key = $4, summary = $5, description = $6, categories = $7, visibility = $8, updated_at = $9,
           links = $10, support = $11
         where organization_id = $1 and id = $2",
        params![
            service.provider,
            service.id,
            &service.name,
            name_key(service),
            &service.summary,
            &service.description,
            json(&service.categories)?,
            service.visibility.word(),
            service.updated_at,
            json(&service.links)?,
            service.support.clone(),
        ],
    )
    .await?;
    tx.execute("delete from service_categories where service_id = $1", params![service.id]).await?;
    insert_categories(tx, service).await
}

/// Writes the state of a service and what belongs to it: when it was published, how it ends, why it is stopped.
///
/// # Errors
/// Those of the database.
pub async fn set_state(tx: &mut Tx, changed: &Service) -> Result<(), StoreError> {
    tx.execute(
        "update services set state = $3, updated_at = $4, published_at = $5, retires_on = $6, successor_id = $7, suspended_from = $8,
           suspended_reason = $9, review_note = $10
         where organization_id = $1 and id = $2",
        params![
            changed.provider,
            changed.id,
            changed.state.word(),
            changed.updated_at,
            changed.published_at,
            changed.deprecation.map(|end| end.on.number()),
            changed.deprecation.and_then(|end| end.successor),
            changed.suspension.as_ref().map(|suspension| suspension.from.word()),
            changed.suspension.as_ref().map(|suspension| suspension.reason.clone()),
            changed.review_note.clone(),
        ],
    )
    .await?;
    Ok(())
}

/// What of a service lies beside it, counted in one statement.
///
/// # Errors
/// Those of the database.
pub async fn beside(conn: &mut Conn, service: &Service) -> Result<Beside, StoreError> {
    let row = conn
        .fetch_one(
            "select (select count(*) from applications a where a.id = $3 and a.organization_id = $1 and a.deleted_at is null),
                    (select count(*) from plans p where p.organization_id = $1 and p.contract_id = $4),
                    (select count(*) from contracts c where c.organization_id = $1 and c.id = $4 and c.terms_url is not null),
                    (select count(*) from service_images i where i.organization_id = $1 and i.service_id = $2 and i.position > 0),
                    (select count(*) from service_audience u where u.organization_id = $1 and u.service_id = $2)",
            params![service.provider, service.id, service.application, service.contract],
        )
        .await?;
    let count = |column: usize| Ok::<_, StoreError>(usize::try_from(row.get::<i64>(column)?).unwrap_or(0));
    Ok(Beside { application: count(0)? > 0, plans: count(1)?, terms: count(2)? > 0, screenshots: count(3)?, audience: count(4)? })
}

/// Makes another contract the one that new subscriptions get.
///
/// # Errors
/// Those of the database.
pub async fn set_contract(tx: &mut Tx, service: &Service, contract: ContractId, now: Ts) -> Result<(), StoreError> {
    tx.execute(
        "update services set contract_id = $3, updated_at = $4 where organization_id = $1 and id = $2",
        params![service.provider, service.id, contract, now],
    )
    .await?;
    Ok(())
}

/// A service, whoever asks and wherever it is in its life.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, key: &Key<ServiceId>) -> Result<Option<Service>, StoreError> {
    let (filter, value) = filter(key);
    let sql = format!("select {COLUMNS} from services s where {filter}");
    conn.fetch_optional(&sql, &[value]).await?.as_ref().map(service).transpose()
}

/// A service with somebody's role in its provider; `None` when there is none or its provider was deleted.
///
/// # Errors
/// Those of the database.
pub async fn find_for(conn: &mut Conn, key: &Key<ServiceId>, viewer: &Viewer) -> Result<Option<SeenService>, StoreError> {
    find_seen(conn, key, viewer, "").await
}

/// Like [`find_for`], without looking whether a service that everybody sees anyway is named or subscribed: for whoever is a
/// member of very many organizations, that takes long.
///
/// # Errors
/// Those of the database.
pub async fn find_open_for(conn: &mut Conn, key: &Key<ServiceId>, viewer: &Viewer) -> Result<Option<SeenService>, StoreError> {
    find_seen(conn, key, viewer, "when s.published_at is not null and s.visibility <> 'private' then 0 ").await
}

async fn find_seen(conn: &mut Conn, key: &Key<ServiceId>, viewer: &Viewer, first: &str) -> Result<Option<SeenService>, StoreError> {
    let (filter, value) = filter(key);
    let mut values = vec![value, Value::from(viewer.user)];
    let within = viewer.only("n.organization_id", &mut values);
    let sql = format!(
        "select {COLUMNS}, o.name, m.role,
           case {first}when exists (select 1 from service_audience a
             join memberships n on n.organization_id = a.audience_id and n.user_id = $2{within}
             join organizations g on g.id = a.audience_id and g.deleted_at is null
             where a.organization_id = s.organization_id and a.service_id = s.id) then 1 else 0 end,
           case {first}when exists (select 1 from memberships n
             join subscriptions b on b.organization_id = n.organization_id and b.service_id = s.id
             where n.user_id = $2{within} and b.state in ('requested', 'provisioning', 'active', 'suspended', 'ending')) then 1 else 0 end
         from services s
         join organizations o on o.id = s.organization_id and o.deleted_at is null
         left join memberships m on m.organization_id = s.organization_id and m.user_id = $2
         where {filter}"
    );
    let row = conn.fetch_optional(&sql, &values).await?;
    row.map(|row| {
        let service = service(&row)?;
        let role = if viewer.sees(service.provider) { row.parse_optional(WIDTH + 1)? } else { None };
        let is = |column: usize| Ok::<_, StoreError>(row.get::<i64>(column)? == 1);
        Ok(SeenService { service, provider_name: row.get(WIDTH)?, role, named: is(WIDTH + 2)?, subscribed: is(WIDTH + 3)? })
    })
    .transpose()
}

/// A page of the services an organization provides, in the order of their names; `after` is the name key and id of the
/// last one of the page before.
///
/// # Errors
/// Those of the database.
pub async fn list(
    conn: &mut Conn,
    provider: OrganizationId,
    after: Option<(&str, ServiceId)>,
    limit: i64,
) -> Result<Vec<(String, OfferedService)>, StoreError> {
    let select = format!(
        "select {COLUMNS}, {CONTRACT}, c.price_hint, s.name_key from services s
         join contracts c on c.organization_id = s.organization_id and c.id = s.contract_id
         where s.organization_id = $1"
    );
    let rows = match after {
        None => conn.fetch_all(&format!("{select} order by s.name_key, s.id limit $2"), params![provider, limit]).await?,
        Some((name, id)) => {
            let sql = format!("{select} and (s.name_key, s.id) > ($3, $4) order by s.name_key, s.id limit $2");
            conn.fetch_all(&sql, params![provider, limit, name, id]).await?
        }
    };
    rows.iter()
        .map(|row| {
            let price = row.json(WIDTH + CONTRACT_WIDTH)?;
            let offered = OfferedService { service: service(row)?, contract: contract(row, WIDTH)?, price };
            Ok((row.get(WIDTH + CONTRACT_WIDTH + 1)?, offered))
        })
        .collect()
}

/// Handles and names of several services, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn names(conn: &mut Conn, ids: &[ServiceId]) -> Result<Vec<(ServiceId, String, String)>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!("select id, handle, name from services where id in ({})", placeholders(1, ids.len()));
    let values: Vec<Value> = ids.iter().copied().map(Value::from).collect();
    conn.fetch_all(&sql, &values).await?.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).collect()
}

/// Who provides several services, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn providers(conn: &mut Conn, ids: &[ServiceId]) -> Result<Vec<(ServiceId, OrganizationId)>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!("select id, organization_id from services where id in ({})", placeholders(1, ids.len()));
    let values: Vec<Value> = ids.iter().copied().map(Value::from).collect();
    conn.fetch_all(&sql, &values).await?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Adds a contract with its plans, in their order.
///
/// # Errors
/// Those of the database.
pub async fn insert_contract(
    tx: &mut Tx,
    provider: OrganizationId,
    contract: &Contract,
    price: &PriceHint,
    plans: &[KeptPlan],
) -> Result<(), StoreError> {
    tx.execute(
        "insert into contracts (organization_id, id, service_id, version, level, permissions, terms_url, price_hint, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        params![
            provider,
            contract.id,
            contract.service,
            contract.version,
            contract.level.word(),
            json(&contract.permissions)?,
            contract.terms_url.clone(),
            json(price)?,
            contract.created_at,
        ],
    )
    .await?;
    let mut rows = Vec::with_capacity(plans.len());
    for (position, kept) in plans.iter().enumerate() {
        let (name, currency) = (&kept.plan.name, kept.plan.currency.code());
        rows.push(values![provider, contract.id, kept.id, position, name, currency, json(&kept.plan)?]);
    }
    let head = "insert into plans (organization_id, contract_id, id, position, name, currency, prices)";
    tx.insert_many(head, 7, &rows, "").await?;
    Ok(())
}

/// The version of a service's latest contract.
///
/// # Errors
/// Those of the database.
pub async fn latest_version(conn: &mut Conn, provider: OrganizationId, service: ServiceId) -> Result<i64, StoreError> {
    let sql = "select coalesce(max(version), 0) from contracts where organization_id = $1 and service_id = $2";
    conn.fetch_one(sql, params![provider, service]).await?.get(0)
}

/// A contract of a provider.
///
/// # Errors
/// Those of the database.
pub async fn find_contract(conn: &mut Conn, provider: OrganizationId, id: ContractId) -> Result<Option<Contract>, StoreError> {
    let sql = format!("select {CONTRACT} from contracts c where c.organization_id = $1 and c.id = $2");
    conn.fetch_optional(&sql, params![provider, id]).await?.as_ref().map(|row| contract(row, 0)).transpose()
}

/// Some plans by provider and contract, each read once, in one statement, as whatever part of them `T` takes.
///
/// # Errors
/// Those of the database.
pub async fn plans_named<T: DeserializeOwned>(
    conn: &mut Conn,
    keys: impl IntoIterator<Item = (OrganizationId, ContractId, PlanId)>,
) -> Result<HashMap<PlanId, T>, StoreError> {
    let keys: BTreeMap<PlanId, Vec<Value>> =
        keys.into_iter().map(|(provider, contract, plan)| (plan, values![provider, contract, plan])).collect();
    let given: Vec<Vec<Value>> = keys.into_values().collect();
    let rows = conn
        .fetch_given(
            "with given (organization_id, contract_id, id) as ({rows})
             select distinct p.id, p.prices from given cross join plans p
             where p.organization_id = given.organization_id and p.contract_id = given.contract_id and p.id = given.id",
            &given,
        )
        .await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.json(1)?))).collect()
}

/// Level and version of some contracts, by their providers, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn contracts_named(
    conn: &mut Conn,
    keys: impl IntoIterator<Item = (OrganizationId, ContractId)>,
) -> Result<HashMap<ContractId, (Level, i64)>, StoreError> {
    let given: Vec<Vec<Value>> = keys.into_iter().map(|(provider, contract)| values![provider, contract]).collect();
    let rows = conn
        .fetch_given(
            "with given (organization_id, id) as ({rows})
             select distinct c.id, c.level, c.version from given cross join contracts c
             where c.organization_id = given.organization_id and c.id = given.id",
            &given,
        )
        .await?;
    rows.iter().map(|row| Ok((row.get(0)?, (row.parse(1)?, row.get(2)?)))).collect()
}

/// The plans of a contract, in the order in which they were written.
///
/// # Errors
/// Those of the database.
pub async fn list_plans(conn: &mut Conn, provider: OrganizationId, contract: ContractId) -> Result<Vec<KeptPlan>, StoreError> {
    let sql = "select id, prices from plans where organization_id = $1 and contract_id = $2 order by position";
    conn.fetch_all(sql, params![provider, contract]).await?.iter().map(plan).collect()
}

/// One plan of a contract.
///
/// # Errors
/// Those of the database.
pub async fn find_plan(
    conn: &mut Conn,
    provider: OrganizationId,
    contract: ContractId,
    id: PlanId,
) -> Result<Option<KeptPlan>, StoreError> {
    let sql = "select id, prices from plans where organization_id = $1 and contract_id = $2 and id = $3";
    conn.fetch_optional(sql, params![provider, contract, id]).await?.as_ref().map(plan).transpose()
}

/// How many live subscriptions a service has, and how many requests about it wait for its provider.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Demand {
    /// Subscriptions in force, paused ones included.
    pub live: u64,
    /// Open requests that its provider decides.
    pub waiting: u64,
}

/// The demand for each of a provider's services that has any, in one statement; for one service when given.
///
/// # Errors
/// Those of the database.
pub async fn demand(conn: &mut Conn, provider: OrganizationId, service: Option<ServiceId>) -> Result<Vec<(ServiceId, Demand)>, StoreError> {
    let mut values = values![provider];
    let mut only = "";
    if let Some(service) = service {
        values.push(service.into());
        only = " and service_id = $2";
    }
    let sql = format!(
        "select service_id, cast(sum(live) as bigint), cast(sum(waiting) as bigint) from (
           select service_id, 1 as live, 0 as waiting from subscriptions
           where provider_id = $1{only} and state in ('active', 'suspended', 'ending')
           union all
           select service_id, 0 as live, 1 as waiting from requests
           where provider_id = $1{only} and step = 'provider' and state in ('open', 'needs_info')
           union all
           select service_id, 0 as live, 1 as waiting from requests
           where organization_id = $1{only} and kind = 'publish' and state in ('open', 'needs_info')
         ) d group by service_id"
    );
    let rows = conn.fetch_all(&sql, &values).await?;
    rows.iter().map(|row| Ok((row.get(0)?, Demand { live: row.get(1)?, waiting: row.get(2)? }))).collect()
}
