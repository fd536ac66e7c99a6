//! Offers: new contracts and what became of them for the subscriptions that were there.

use std::collections::BTreeSet;

use stoa_domain::{
    ids::{ContractId, OrganizationId, PlanId, ServiceId, SubscriptionId, UserId},
    offers::{ContractOffer, OfferState, PlanPaths},
    services::{Contract, Service},
    time::Ts,
};

use crate::{
    Conn, Row, StoreError, Tx, Value, params,
    services::{CONTRACT, CONTRACT_WIDTH, contract},
    users::placeholders,
    values,
};

const COLUMNS: &str = "f.organization_id, f.subscription_id, f.contract_id, f.provider_id, f.service_id, f.state, f.offered_at, f.until, \
                       f.decided_by, f.decided_at";

/// The states in which an offer waits, as they stand in SQL.
const WAITING: &str = "('open', 'refused')";
/// The states in which a subscription is not over, as they stand in SQL.
const LIVE: &str = "('requested', 'provisioning', 'active', 'suspended', 'ending')";

fn offer(row: &Row) -> Result<ContractOffer, StoreError> {
    Ok(ContractOffer {
        organization: row.get(0)?,
        subscription: row.get(1)?,
        contract: row.get(2)?,
        provider: row.get(3)?,
        service: row.get(4)?,
        state: row.parse(5)?,
        offered_at: row.get(6)?,
        until: row.get(7)?,
        decided_by: row.get(8)?,
        decided_at: row.get(9)?,
    })
}

/// How a contract is offered to subscriptions that are there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// Until when those keep their contract who don't accept it; `None` for good.
    pub notice_until: Option<Ts>,
    /// Which plan follows which.
    pub paths: PlanPaths,
}

/// Notes how a contract is offered.
///
/// # Errors
/// Those of the database.
pub async fn set_terms(tx: &mut Tx, provider: OrganizationId, contract: ContractId, terms: &Terms) -> Result<(), StoreError> {
    let paths = serde_json::to_string(&terms.paths).map_err(|bad| StoreError::Corrupt { column: 3, reason: bad.to_string() })?;
    tx.execute(
        "update contracts set notice_until = $3, plan_paths = $4 where organization_id = $1 and id = $2",
        params![provider, contract, terms.notice_until, paths],
    )
    .await?;
    Ok(())
}

/// How a contract is offered.
///
/// # Errors
/// Those of the database.
pub async fn terms(conn: &mut Conn, provider: OrganizationId, contract: ContractId) -> Result<Terms, StoreError> {
    let sql = "select notice_until, plan_paths from contracts where organization_id = $1 and id = $2";
    let row = conn.fetch_optional(sql, params![provider, contract]).await?;
    row.map_or_else(
        || Ok(Terms::default()),
        |row| Ok(Terms { notice_until: row.get(0)?, paths: row.json_optional(1)?.unwrap_or_default() }),
    )
}

/// A live subscription that a contract has not reached yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreached {
    /// Who subscribes.
    pub organization: OrganizationId,
    /// The subscription.
    pub subscription: SubscriptionId,
    /// Its plan, which tells its contract.
    pub plan: PlanId,
}

/// Live subscriptions of a service that its contract has not reached yet.
///
/// # Errors
/// Those of the database.
pub async fn unreached(conn: &mut Conn, service: &Service, limit: i64) -> Result<Vec<Unreached>, StoreError> {
    let sql = format!(
        "select s.organization_id, s.id, s.plan_id from subscriptions s
         where s.provider_id = $1 and s.service_id = $2 and s.state in {LIVE} and s.contract_id <> $3
           and not exists (select 1 from contract_offers f where f.organization_id = s.organization_id
                           and f.subscription_id = s.id and f.contract_id = $3)
           and not exists (select 1 from level_change_parts p join level_changes l on l.organization_id = p.organization_id
             and l.id = p.change_id where p.organization_id = s.organization_id and p.old_id = s.id and l.state in ('accepted', 'switched'))
         order by s.organization_id, s.id limit $4"
    );
    let rows = conn.fetch_all(&sql, params![service.provider, service.id, service.contract, limit]).await?;
    rows.iter().map(|row| Ok(Unreached { organization: row.get(0)?, subscription: row.get(1)?, plan: row.get(2)? })).collect()
}

/// The organizations with live subscriptions of a service, in the order of their ids.
///
/// # Errors
/// Those of the database.
pub async fn subscribers(conn: &mut Conn, service: &Service, limit: i64) -> Result<Vec<OrganizationId>, StoreError> {
    let sql = format!(
        "select distinct organization_id from subscriptions where provider_id = $1 and service_id = $2 and state in {LIVE}
         order by organization_id limit $3"
    );
    conn.fetch_all(&sql, params![service.provider, service.id, limit]).await?.iter().map(|row| row.get(0)).collect()
}

/// The plans that live subscriptions of a service are on.
///
/// # Errors
/// Those of the database.
pub async fn plans_in_use(conn: &mut Conn, service: &Service) -> Result<Vec<PlanId>, StoreError> {
    let sql = format!("select distinct plan_id from subscriptions where provider_id = $1 and service_id = $2 and state in {LIVE}");
    conn.fetch_all(&sql, params![service.provider, service.id]).await?.iter().map(|row| row.get(0)).collect()
}

/// Keeps what became of a contract for several subscriptions.
///
/// # Errors
/// Those of the database.
pub async fn insert_many(tx: &mut Tx, offers: &[ContractOffer]) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value>> = offers
        .iter()
        .map(|one| {
            values![
                one.organization,
                one.subscription,
                one.contract,
                one.provider,
                one.service,
                one.state.word(),
                one.offered_at,
                one.until,
                one.decided_by,
                one.decided_at,
            ]
        })
        .collect();
    let head = "insert into contract_offers (organization_id, subscription_id, contract_id, provider_id, service_id, state, offered_at, \
                until, decided_by, decided_at)";
    tx.insert_many(head, 10, &rows, "").await?;
    Ok(())
}

/// Writes state and decision.
///
/// # Errors
/// Those of the database.
pub async fn set_state(tx: &mut Tx, changed: &ContractOffer) -> Result<(), StoreError> {
    let decided = changed.decided_by.zip(changed.decided_at);
    set_states(tx, changed.organization, &[changed.subscription], changed.contract, changed.state, decided).await
}

/// Writes one state and decision of a contract's offers to several subscriptions of an organization.
///
/// # Errors
/// Those of the database.
pub async fn set_states(
    tx: &mut Tx,
    organization: OrganizationId,
    of: &[SubscriptionId],
    contract: ContractId,
    state: OfferState,
    decided: Option<(UserId, Ts)>,
) -> Result<(), StoreError> {
    if of.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "update contract_offers set state = $3, decided_by = $4, decided_at = $5
         where organization_id = $1 and contract_id = $2 and subscription_id in ({})",
        placeholders(6, of.len())
    );
    let mut values = values![organization, contract, state.word(), decided.map(|one| one.0), decided.map(|one| one.1)];
    values.extend(of.iter().map(Value::from));
    tx.execute(&sql, &values).await?;
    Ok(())
}

/// What waits for the consent of an organization's subscriptions of a service.
///
/// # Errors
/// Those of the database.
pub async fn waiting_in(conn: &mut Conn, organization: OrganizationId, service: ServiceId) -> Result<Vec<ContractOffer>, StoreError> {
    let sql = format!(
        "select {COLUMNS} from contract_offers f where f.organization_id = $1 and f.service_id = $2 and f.state in {WAITING}
         order by f.subscription_id"
    );
    conn.fetch_all(&sql, params![organization, service]).await?.iter().map(offer).collect()
}

/// Takes back what waits of a service's earlier contracts.
///
/// # Errors
/// Those of the database.
pub async fn supersede(tx: &mut Tx, service: &Service, by: ContractId) -> Result<(), StoreError> {
    let sql = format!(
        "update contract_offers set state = 'superseded' where provider_id = $1 and service_id = $2 and contract_id <> $3 and state in {WAITING}"
    );
    tx.execute(&sql, params![service.provider, service.id, by]).await?;
    Ok(())
}

/// Gives several subscriptions of one plan the contract and plan that follow it, in their own rows. The caller holds their lock
/// ([`crate::subscriptions::lock`]).
///
/// # Errors
/// Those of the database.
pub async fn apply(tx: &mut Tx, to: &[Unreached], contract: ContractId, plan: PlanId) -> Result<(), StoreError> {
    for some in to.chunks(5_000) {
        let organizations: BTreeSet<_> = some.iter().map(|one| one.organization).collect();
        let sql = format!(
            "update subscriptions set contract_id = $1, plan_id = $2 where organization_id in ({}) and id in ({})",
            placeholders(3, organizations.len()),
            placeholders(3 + organizations.len(), some.len())
        );
        let mut values = values![contract, plan];
        values.extend(organizations.into_iter().map(Value::from));
        values.extend(some.iter().map(|one| Value::from(one.subscription)));
        tx.execute(&sql, &values).await?;
    }
    Ok(())
}

/// Notes that a contract has not reached all subscriptions yet, or that it has.
///
/// # Errors
/// Those of the database.
pub async fn set_rollout(tx: &mut Tx, service: &Service, going_on: bool, now: Ts) -> Result<(), StoreError> {
    if going_on {
        tx.execute(
            "insert into contract_rollouts (organization_id, service_id, contract_id, started_at) values ($1, $2, $3, $4)
             on conflict (organization_id, service_id) do update set contract_id = excluded.contract_id",
            params![service.provider, service.id, service.contract, now],
        )
        .await?;
    } else {
        tx.execute("delete from contract_rollouts where organization_id = $1 and service_id = $2", params![service.provider, service.id])
            .await?;
    }
    Ok(())
}

/// Services whose contract has not reached all subscriptions yet, the oldest first.
///
/// # Errors
/// Those of the database.
pub async fn rollouts(conn: &mut Conn, limit: i64) -> Result<Vec<ServiceId>, StoreError> {
    let sql = "select service_id from contract_rollouts order by started_at, service_id limit $1";
    conn.fetch_all(sql, params![limit]).await?.iter().map(|row| row.get(0)).collect()
}

/// The offer that waits for a subscription's consent.
///
/// # Errors
/// Those of the database.
pub async fn waiting(
    conn: &mut Conn,
    organization: OrganizationId,
    subscription: SubscriptionId,
) -> Result<Option<ContractOffer>, StoreError> {
    let sql = format!(
        "select {COLUMNS} from contract_offers f where f.organization_id = $1 and f.subscription_id = $2 and f.state in {WAITING}
         order by f.offered_at desc limit 1"
    );
    conn.fetch_optional(&sql, params![organization, subscription]).await?.as_ref().map(offer).transpose()
}

/// What waits for the consent of some subscriptions of a service, always in one statement.
///
/// # Errors
/// Those of the database.
pub async fn waiting_of(conn: &mut Conn, service: &Service, of: &[SubscriptionId]) -> Result<Vec<ContractOffer>, StoreError> {
    let ids = if of.is_empty() { "null".to_owned() } else { placeholders(3, of.len()) };
    let sql = format!(
        "select {COLUMNS} from contract_offers f where f.provider_id = $1 and f.service_id = $2 and f.state in {WAITING}
         and f.subscription_id in ({ids})"
    );
    let values: Vec<Value> = values![service.provider, service.id].into_iter().chain(of.iter().map(Value::from)).collect();
    conn.fetch_all(&sql, &values).await?.iter().map(offer).collect()
}

/// Offers whose day has come by an instant, those that waited longest first.
///
/// # Errors
/// Those of the database.
pub async fn due(conn: &mut Conn, by: Ts, limit: i64) -> Result<Vec<ContractOffer>, StoreError> {
    let sql = format!("select {COLUMNS} from contract_offers f where f.state in {WAITING} and f.until <= $1 order by f.until limit $2");
    conn.fetch_all(&sql, params![by, limit]).await?.iter().map(offer).collect()
}

/// Offers whose day comes by an instant and of which nobody was reminded yet.
///
/// # Errors
/// Those of the database.
pub async fn unreminded(conn: &mut Conn, by: Ts, limit: i64) -> Result<Vec<ContractOffer>, StoreError> {
    let sql = format!(
        "select {COLUMNS} from contract_offers f where f.state in {WAITING} and f.until <= $1 and f.reminded_at is null
         order by f.until limit $2"
    );
    conn.fetch_all(&sql, params![by, limit]).await?.iter().map(offer).collect()
}

/// Notes that somebody was reminded of an offer; answers whether nobody was before.
///
/// # Errors
/// Those of the database.
pub async fn set_reminded(tx: &mut Tx, of: &ContractOffer, now: Ts) -> Result<bool, StoreError> {
    let sql = format!(
        "update contract_offers set reminded_at = $4 where organization_id = $1 and subscription_id = $2 and contract_id = $3
         and reminded_at is null and state in {WAITING}"
    );
    Ok(tx.execute(&sql, params![of.organization, of.subscription, of.contract, now]).await? > 0)
}

/// A version of a service's contract with how many are on it and what became of its offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The contract.
    pub contract: Contract,
    /// How it is offered.
    pub terms: Terms,
    /// Live subscriptions that have it.
    pub live: u64,
    /// Subscriptions whose consent it waits for.
    pub open: u64,
    /// Subscriptions for which it was refused.
    pub refused: u64,
}

/// A page of the versions of a service's contract, the newest first; `before` is the version of the last one before.
///
/// # Errors
/// Those of the database.
pub async fn versions(conn: &mut Conn, service: &Service, before: Option<i64>, limit: i64) -> Result<Vec<Version>, StoreError> {
    let select = format!(
        "select {CONTRACT}, c.notice_until, c.plan_paths,
           (select count(*) from subscriptions s where s.provider_id = c.organization_id and s.service_id = c.service_id
             and s.contract_id = c.id and s.state in {LIVE}),
           (select count(*) from contract_offers f where f.provider_id = c.organization_id and f.service_id = c.service_id
             and f.contract_id = c.id and f.state = 'open'),
           (select count(*) from contract_offers f where f.provider_id = c.organization_id and f.service_id = c.service_id
             and f.contract_id = c.id and f.state = 'refused')
         from contracts c where c.organization_id = $1 and c.service_id = $2"
    );
    let rows = match before {
        None => {
            let sql = format!("{select} order by c.version desc limit $3");
            conn.fetch_all(&sql, params![service.provider, service.id, limit]).await?
        }
        Some(before) => {
            let sql = format!("{select} and c.version < $4 order by c.version desc limit $3");
            conn.fetch_all(&sql, params![service.provider, service.id, limit, before]).await?
        }
    };
    let version = |row: &Row| {
        Ok(Version {
            contract: contract(row, 0)?,
            terms: Terms { notice_until: row.get(CONTRACT_WIDTH)?, paths: row.json_optional(CONTRACT_WIDTH + 1)?.unwrap_or_default() },
            live: row.get(CONTRACT_WIDTH + 2)?,
            open: row.get(CONTRACT_WIDTH + 3)?,
            refused: row.get(CONTRACT_WIDTH + 4)?,
        })
    };
    rows.iter().map(version).collect()
}

/// The plans of several contracts of a provider, in one statement, each contract's in the order in which they were written.
///
/// # Errors
/// Those of the database.
pub async fn plans_of(
    conn: &mut Conn,
    provider: OrganizationId,
    contracts: &[ContractId],
) -> Result<Vec<(ContractId, crate::services::KeptPlan)>, StoreError> {
    if contracts.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "select contract_id, id, prices from plans where organization_id = $1 and contract_id in ({}) order by contract_id, position",
        placeholders(2, contracts.len())
    );
    let values: Vec<Value> = std::iter::once(Value::from(provider)).chain(contracts.iter().map(Value::from)).collect();
    let rows = conn.fetch_all(&sql, &values).await?;
    rows.iter().map(|row| Ok((row.get(0)?, crate::services::KeptPlan { id: row.get(1)?, plan: row.json(2)? }))).collect()
}
