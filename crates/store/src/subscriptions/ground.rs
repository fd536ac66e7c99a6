//! What a new subscription stands on: both organizations, held, and what its rules decide by, read at once.

use std::collections::BTreeSet;

use stoa_domain::{
    consents::TextHash,
    deadlines::USUAL_DAYS,
    ids::{OrganizationId, ProjectId, ServiceId, SubscriptionId},
    policies::Policy,
    services::{Contract, Manner, Service},
    subscriptions::SubscriptionState,
    time::Ts,
};

use super::Candidate;
use crate::{
    Hold, Row, StoreError, Tx, Value,
    organizations::Named,
    services::{COLUMNS, CONTRACT, CONTRACT_WIDTH, WIDTH, contract, manner_at, service},
    values,
};

/// An organization that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// Its names.
    pub named: Named,
    /// Whether it is neither deleted nor suspended.
    pub live: bool,
}

/// What is offered by a service now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// The service.
    pub service: Service,
    /// The contract that new subscriptions get.
    pub contract: Contract,
    /// The hash of the contract's words, if somebody consented to it before.
    pub text: Option<TextHash>,
    /// How it is subscribed.
    pub manner: Manner,
}

/// What a new subscription stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ground {
    /// Who subscribes.
    pub own: Party,
    /// Who provides.
    pub provider: Party,
    /// What is offered; `None` when there is no such service.
    pub offered: Option<Offered>,
    /// What the organization wants to be approved.
    pub policy: Policy,
    /// The projects that a choice may name, by name.
    pub candidates: Vec<Candidate>,
    /// Those of them that are locked for the service.
    pub locked: BTreeSet<ProjectId>,
    /// For the organization as a whole, what [`last_of_service`](super::last_of_service) finds.
    pub last: Option<(SubscriptionId, SubscriptionState)>,
}

/// Holds an organization against every other change and a provider against changes of its own (other organizations may
/// subscribe meanwhile), in the order of their ids, and reads under these locks what subscribing a service is decided by.
///
/// # Errors
/// Those of the database; [`StoreError::MissingReference`] when there is no such organization.
pub async fn ground(tx: &mut Tx, organization: OrganizationId, provider: OrganizationId, service: ServiceId) -> Result<Ground, StoreError> {
    let party = "select id, handle, name, coalesce(deleted_at, suspended_at) from organizations where id = $1";
    let mut parties = vec![(organization, Hold::Alone)];
    if provider != organization {
        parties.push((provider, Hold::Shared));
        parties.sort_unstable_by_key(|one| one.0);
    }
    let mut queries: Vec<(String, Vec<Value>)> = parties.iter().map(|(id, hold)| (tx.holding(party, *hold), values![*id])).collect();
    queries.push((offered_sql(), values![organization, service]));
    queries.push((CANDIDATES.to_owned(), values![organization, service]));
    queries.push((super::last_sql("project_id is null"), values![organization, service]));
    let mut answers = tx.fetch_each(queries).await?.into_iter();
    let mut next = || answers.next().unwrap_or_default();
    let held: Vec<Row> = parties.iter().filter_map(|_| next().into_iter().next()).collect();
    let held = held.iter().map(party_of).collect::<Result<Vec<_>, _>>()?;
    let find = |id| held.iter().find(|one| one.named.id == id).cloned().ok_or(StoreError::MissingReference);
    let (own, provider) = (find(organization)?, find(provider)?);
    let offered = next();
    let (candidates, locked) = candidates_of(&next())?;
    let last = next().first().map(super::last_of).transpose()?;
    let policy = match offered.first() {
        Some(row) => policy_of(row)?,
        None => Policy::default(),
    };
    let offered = offered.first().map(offered_of).transpose()?;
    Ok(Ground { own, provider, offered, policy, candidates, locked, last })
}

/// The service `$2` with its contract, and what of both it takes to subscribe for the organization `$1`.
fn offered_sql() -> String {
    format!(
        "select {COLUMNS}, {CONTRACT}, s.several, s.setup, t.hash, y.request_days, y.rules from services s
         join contracts c on c.organization_id = s.organization_id and c.id = s.contract_id
         left join contract_texts t on t.organization_id = c.organization_id and t.contract_id = c.id
         left join policies y on y.organization_id = $1
         where s.id = $2"
    )
}

/// Where the columns after those of service and contract begin.
const AFTER: usize = WIDTH + CONTRACT_WIDTH;

fn offered_of(row: &Row) -> Result<Offered, StoreError> {
    Ok(Offered { service: service(row)?, contract: contract(row, WIDTH)?, manner: manner_at(row, AFTER)?, text: row.get(AFTER + 2)? })
}

fn policy_of(row: &Row) -> Result<Policy, StoreError> {
    let days: Option<u16> = row.get(AFTER + 3)?;
    Ok(Policy { request_days: days.unwrap_or(USUAL_DAYS), rules: row.json_optional(AFTER + 4)?.unwrap_or_default() })
}

/// The projects of the organization `$1`, each with whether it is locked for the service `$2`.
const CANDIDATES: &str = "select p.id, p.handle, p.name, p.created_at,
      case when exists (select 1 from project_locks l where l.organization_id = p.organization_id and l.project_id = p.id
        and l.until is null and (l.service_id is null or l.service_id = $2)) then 1 else 0 end
    from projects p where p.organization_id = $1 and p.deleted_at is null order by p.name, p.id";

fn candidates_of(rows: &[Row]) -> Result<(Vec<Candidate>, BTreeSet<ProjectId>), StoreError> {
    let mut locked = BTreeSet::new();
    let mut candidates = Vec::with_capacity(rows.len());
    for row in rows {
        let one = super::candidate(row)?;
        if row.get::<i64>(4)? == 1 {
            locked.insert(one.id);
        }
        candidates.push(one);
    }
    Ok((candidates, locked))
}

fn party_of(row: &Row) -> Result<Party, StoreError> {
    let named = Named { id: row.get(0)?, handle: row.get(1)?, name: row.get(2)? };
    Ok(Party { named, live: row.get::<Option<Ts>>(3)?.is_none() })
}
