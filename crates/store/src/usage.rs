//! Usage: the events services report and their sums by day. A ledger of its own, apart from the event log.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use stoa_domain::{
    amounts::Quantity,
    ids::{ApplicationId, ContractId, OrganizationId, PlanId, ProjectId, SubscriptionId},
    time::{Day, Span, Ts},
    usage::{ProjectRef, UsageEvent},
};

use crate::{Conn, Row, StoreError, Tx, Value, services, users::placeholders, values};

/// A subscription for which an application may report usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reportable {
    /// Who subscribed.
    pub organization: OrganizationId,
    /// The subscription.
    pub id: SubscriptionId,
    /// Who provides.
    pub provider: OrganizationId,
    /// Under which contract now.
    pub contract: ContractId,
    /// Its plan now.
    pub plan: PlanId,
    /// When it ended, or will end where that was decided.
    pub end: Option<Ts>,
}

/// Those of the subscriptions that are of a service of this application, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn reportable(conn: &mut Conn, application: ApplicationId, ids: &[SubscriptionId]) -> Result<Vec<Reportable>, StoreError> {
    let given: Vec<Vec<Value>> = ids.iter().map(|id| values![id, application]).collect();
    let rows = conn
        .fetch_given(
            "with given (id, application_id) as ({rows})
             select s.organization_id, s.id, s.provider_id, s.contract_id, s.plan_id, coalesce(s.ended_at, s.ends_at)
             from given cross join subscriptions s cross join services v
             where s.id = given.id and v.organization_id = s.provider_id and v.id = s.service_id
               and v.application_id = given.application_id",
            &given,
        )
        .await?;
    let read = |row: &Row| {
        Ok(Reportable {
            organization: row.get(0)?,
            id: row.get(1)?,
            provider: row.get(2)?,
            contract: row.get(3)?,
            plan: row.get(4)?,
            end: row.get(5)?,
        })
    };
    rows.iter().map(read).collect()
}

/// The names of a plan's meters, without what they cost.
#[derive(Deserialize)]
struct MeterNames {
    #[serde(default)]
    meters: Vec<MeterName>,
}

#[derive(Deserialize)]
struct MeterName {
    name: String,
}

/// The names of the meters of some plans, by their providers and contracts, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn meter_names(
    conn: &mut Conn,
    of: impl IntoIterator<Item = (OrganizationId, ContractId, PlanId)>,
) -> Result<HashMap<PlanId, Vec<String>>, StoreError> {
    let plans = services::plans_named::<MeterNames>(conn, of).await?;
    Ok(plans.into_iter().map(|(plan, read)| (plan, read.meters.into_iter().map(|meter| meter.name).collect())).collect())
}

/// What tells events apart.
pub type EventKey = (SubscriptionId, String, String);

/// For how many events or subscriptions one statement looks.
const LOOKED_FOR: usize = 4_000;

/// The body hashes of those of the events that were received before, in one statement for so many.
///
/// # Errors
/// Those of the database.
pub async fn known(conn: &mut Conn, events: &[(OrganizationId, &UsageEvent)]) -> Result<HashMap<EventKey, [u8; 32]>, StoreError> {
    let given: Vec<Vec<Value>> =
        events.iter().map(|(organization, event)| values![organization, event.subscription, &event.source, &event.id]).collect();
    let mut found = HashMap::new();
    for some in given.chunks(LOOKED_FOR) {
        let rows = conn
            .fetch_given(
                "with given (organization_id, subscription_id, source, event_id) as ({rows})
                 select e.subscription_id, e.source, e.event_id, e.body_hash from given cross join usage_events e
                 where e.organization_id = given.organization_id and e.subscription_id = given.subscription_id
                   and e.source = given.source and e.event_id = given.event_id",
                some,
            )
            .await?;
        for row in &rows {
            found.insert((row.get(0)?, row.get(1)?, row.get(2)?), row.get(3)?);
        }
    }
    Ok(found)
}

/// A project as an event names it, and all the times for which it was granted to the event's subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// The project.
    pub project: ProjectId,
    /// When, in no particular order, ended grants included.
    pub spans: Vec<Span>,
}

/// The grants of the projects that events name, ended ones included, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn granted(
    conn: &mut Conn,
    named: &[(OrganizationId, SubscriptionId, &ProjectRef)],
) -> Result<HashMap<(SubscriptionId, ProjectRef), Granted>, StoreError> {
    // No id is empty and no handle is, so what is not named matches nothing.
    let given: Vec<Vec<Value>> = named
        .iter()
        .map(|(organization, subscription, project)| match project {
            ProjectRef::Id(id) => values![organization, subscription, id, ""],
            ProjectRef::Handle(handle) => values![organization, subscription, Vec::new(), handle],
        })
        .collect();
    let columns = "given.subscription_id, given.project_id, given.handle, g.project_id, g.since, coalesce(g.until, g.ends_at)";
    let joined = "given cross join projects p cross join grants g";
    let of_project = "g.organization_id = p.organization_id and g.project_id = p.id and g.subscription_id = given.subscription_id";
    let sql = format!(
        "with given (organization_id, subscription_id, project_id, handle) as ({{rows}})
         select {columns} from {joined} where p.organization_id = given.organization_id and p.id = given.project_id and {of_project}
         union select {columns} from {joined} where p.organization_id = given.organization_id and p.handle = given.handle and {of_project}"
    );
    let mut found: HashMap<(SubscriptionId, ProjectRef), Granted> = HashMap::new();
    for row in &conn.fetch_given(&sql, &given).await? {
        let handle: String = row.get(2)?;
        let named = if handle.is_empty() { ProjectRef::Id(row.get(1)?) } else { ProjectRef::Handle(handle) };
        let project = row.get(3)?;
        let of = found.entry((row.get(0)?, named)).or_insert_with(|| Granted { project, spans: Vec::new() });
        of.spans.push(Span::new(row.get(4)?, row.get(5)?));
    }
    Ok(found)
}

/// The projects that handles mean, deleted ones included, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn projects_by_handle(
    conn: &mut Conn,
    named: &[(OrganizationId, &str)],
) -> Result<HashMap<(OrganizationId, String), ProjectId>, StoreError> {
    let given: Vec<Vec<Value>> = named.iter().map(|(organization, handle)| values![*organization, *handle]).collect();
    let rows = conn
        .fetch_given(
            "with given (organization_id, handle) as ({rows})
             select distinct p.organization_id, p.handle, p.id from given cross join projects p
             where p.organization_id = given.organization_id and p.handle = given.handle",
            &given,
        )
        .await?;
    rows.iter().map(|row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?))).collect()
}

/// An event that is to be counted.
#[derive(Debug, Clone, Copy)]
pub struct Counted<'a> {
    /// Who subscribed.
    pub organization: OrganizationId,
    /// The project it named.
    pub project: ProjectId,
    /// What was reported.
    pub event: &'a UsageEvent,
}

/// Keeps new events.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx, counted: &[Counted<'_>], now: Ts) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value>> = counted
        .iter()
        .map(|one| {
            values![
                one.organization,
                one.event.subscription,
                &one.event.source,
                &one.event.id,
                one.event.body_hash,
                one.project,
                &one.event.meter,
                one.event.quantity.to_string(),
                one.event.time.at,
                now,
            ]
        })
        .collect();
    let head = "insert into usage_events (organization_id, subscription_id, source, event_id, body_hash, project_id, meter, quantity, \
                occurred_at, recorded_at)";
    tx.insert_many(head, 10, &rows, "").await?;
    Ok(())
}

/// What tells daily sums apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DayKey {
    /// Who subscribed.
    pub organization: OrganizationId,
    /// Which subscription.
    pub subscription: SubscriptionId,
    /// With which project's data.
    pub project: ProjectId,
    /// On which meter.
    pub meter: String,
    /// On which UTC day.
    pub day: Day,
}

impl DayKey {
    fn values(&self) -> Vec<Value> {
        values![self.organization, self.subscription, self.project, &self.meter, self.day]
    }
}

/// The daily sums that are kept for these keys, in one statement. Whoever adds to them holds the [`lock`] on their
/// subscriptions.
///
/// # Errors
/// Those of the database.
pub async fn sums(conn: &mut Conn, keys: &[&DayKey]) -> Result<BTreeMap<DayKey, Quantity>, StoreError> {
    let given: Vec<Vec<Value>> = keys.iter().map(|key| key.values()).collect();
    let rows = conn
        .fetch_given(
            "with given (organization_id, subscription_id, project_id, meter, day) as ({rows})
             select d.organization_id, d.subscription_id, d.project_id, d.meter, d.day, d.quantity
             from given cross join usage_days d
             where d.organization_id = given.organization_id and d.subscription_id = given.subscription_id
               and d.project_id = given.project_id and d.meter = given.meter and d.day = given.day",
            &given,
        )
        .await?;
    let read = |row: &Row| {
        let key =
            DayKey { organization: row.get(0)?, subscription: row.get(1)?, project: row.get(2)?, meter: row.get(3)?, day: row.get(4)? };
        Ok((key, row.parse(5)?))
    };
    rows.iter().map(read).collect()
}

/// Writes daily sums over those that are kept.
///
/// # Errors
/// Those of the database.
pub async fn set_sums(tx: &mut Tx, sums: &BTreeMap<DayKey, Quantity>) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value>> = sums
        .iter()
        .map(|(key, quantity)| {
            let mut row = key.values();
            row.push(quantity.to_string().into());
            row
        })
        .collect();
    let head = "insert into usage_days (organization_id, subscription_id, project_id, meter, day, quantity)";
    let tail = "on conflict (organization_id, subscription_id, project_id, meter, day) do update set quantity = excluded.quantity";
    tx.insert_many(head, 6, &rows, tail).await?;
    Ok(())
}

/// What was reported for a project on a meter on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Daily {
    /// For which subscription.
    pub subscription: SubscriptionId,
    /// With which project's data.
    pub project: ProjectId,
    /// On which meter.
    pub meter: String,
    /// On which UTC day.
    pub day: Day,
    /// How much.
    pub quantity: Quantity,
}

/// What was reported for an organization's subscriptions (or some of them) on the days from `from` until (not including)
/// `to`, in one statement whose work follows the days and not the events.
///
/// # Errors
/// Those of the database.
pub async fn daily(
    conn: &mut Conn,
    organization: OrganizationId,
    only: Option<&[SubscriptionId]>,
    from: Day,
    to: Day,
) -> Result<Vec<Daily>, StoreError> {
    let some = only.map_or_else(String::new, |ids| format!(" and subscription_id in ({})", placeholders(4, ids.len())));
    let sql = format!(
        "select subscription_id, project_id, meter, day, quantity from usage_days
         where organization_id = $1 and day >= $2 and day < $3{some}"
    );
    let values = [Value::from(organization), from.into(), to.into()].into_iter();
    let values: Vec<Value> = values.chain(only.unwrap_or_default().iter().map(Value::from)).collect();
    conn.fetch_all(&sql, &values).await?.iter().map(daily_row).collect()
}

/// What was reported for some subscriptions, whoever subscribed, on the days from `from` until (not including) `to`.
///
/// # Errors
/// Those of the database.
pub async fn daily_of(conn: &mut Conn, of: &[(OrganizationId, SubscriptionId)], from: Day, to: Day) -> Result<Vec<Daily>, StoreError> {
    let given: Vec<Vec<Value>> = of.iter().map(|(organization, id)| values![organization, id, from, to]).collect();
    let mut found = Vec::new();
    for some in given.chunks(LOOKED_FOR) {
        let rows = conn
            .fetch_given(
                "with given (organization_id, subscription_id, first_day, end_day) as ({rows})
                 select distinct d.subscription_id, d.project_id, d.meter, d.day, d.quantity from given cross join usage_days d
                 where d.organization_id = given.organization_id and d.subscription_id = given.subscription_id
                   and d.day >= given.first_day and d.day < given.end_day",
                some,
            )
            .await?;
        for row in &rows {
            found.push(daily_row(row)?);
        }
    }
    Ok(found)
}

fn daily_row(row: &Row) -> Result<Daily, StoreError> {
    Ok(Daily { subscription: row.get(0)?, project: row.get(1)?, meter: row.get(2)?, day: row.get(3)?, quantity: row.parse(4)? })
}
