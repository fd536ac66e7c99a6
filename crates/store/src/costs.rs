//! What decides the costs of an organization: its subscriptions with their plans, and their grants.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use stoa_domain::{
    ids::{ContractId, OrganizationId, PlanId, ProjectId, ServiceId, SubscriptionId},
    meters::Plan,
    time::{Span, Ts},
};

use crate::{Conn, Row, StoreError, Value, params, services, terms, users::placeholders};

/// A subscription that came into force, with the service and the provider it pays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Billed {
    /// The subscription.
    pub id: SubscriptionId,
    /// The service.
    pub service: ServiceId,
    /// The service's handle.
    pub service_handle: String,
    /// The service's name.
    pub service_name: String,
    /// The service's categories.
    pub categories: Vec<String>,
    /// The provider.
    pub provider: OrganizationId,
    /// The provider's name.
    pub provider_name: String,
    /// The contract.
    pub contract: ContractId,
    /// The plan.
    pub plan: PlanId,
    /// From when until when it was in force, whether or not it was held up in between.
    pub active: Span,
    /// When it had this contract and plan.
    pub held: Span,
    /// Whether it goes on where subscriptions at another level stopped.
    pub follows: bool,
}

const BILLED: &str = "select s.id, s.service_id, v.handle, v.name, v.categories, s.provider_id, o.name, s.contract_id, s.plan_id,
                        s.activated_at, coalesce(s.ended_at, s.ends_at),
                        case when exists (select 1 from level_change_parts p
                          where p.organization_id = s.organization_id and p.new_id = s.id) then 1 else 0 end
                      from subscriptions s
                      join services v on v.organization_id = s.provider_id and v.id = s.service_id
                      join organizations o on o.id = s.provider_id
                      where s.organization_id = $1 and s.activated_at is not null";

fn billed(row: &Row) -> Result<Billed, StoreError> {
    Ok(Billed {
        id: row.get(0)?,
        service: row.get(1)?,
        service_handle: row.get(2)?,
        service_name: row.get(3)?,
        categories: row.json(4)?,
        provider: row.get(5)?,
        provider_name: row.get(6)?,
        contract: row.get(7)?,
        plan: row.get(8)?,
        active: Span::new(row.get(9)?, row.get(10)?),
        held: Span::new(row.get(9)?, row.get(10)?),
        follows: row.get::<i64>(11)? != 0,
    })
}

/// The subscriptions of an organization (or some of them) that were in force at or after an instant and before another, each
/// with its present plan.
///
/// # Errors
/// Those of the database.
pub async fn subscriptions(
    conn: &mut Conn,
    organization: OrganizationId,
    only: Option<&[SubscriptionId]>,
    from: Ts,
    to: Ts,
) -> Result<Vec<Billed>, StoreError> {
    let rows = match only {
        None => {
            let sql = format!("{BILLED} and s.activated_at < $3 and (s.ended_at is null or s.ended_at > $2) order by s.id");
            conn.fetch_all(&sql, params![organization, from, to]).await?
        }
        Some(ids) => {
            let sql = format!("{BILLED} and s.id in ({}) order by s.id", placeholders(2, ids.len()));
            let values: Vec<Value> = std::iter::once(Value::from(organization)).chain(ids.iter().map(Value::from)).collect();
            conn.fetch_all(&sql, &values).await?
        }
    };
    rows.iter().map(billed).collect()
}

/// The same subscriptions once for each contract and plan they had, in turn.
///
/// # Errors
/// Those of the database.
pub async fn stretches(
    conn: &mut Conn,
    organization: OrganizationId,
    only: Option<&[SubscriptionId]>,
    from: Ts,
    to: Ts,
) -> Result<Vec<Billed>, StoreError> {
    let subscriptions = subscriptions(conn, organization, only, from, to).await?;
    let history = terms::of_organization(conn, organization, only).await?;
    let mut stretches = Vec::with_capacity(subscriptions.len());
    for one in subscriptions {
        let held = history.get(&one.id).map_or(&[][..], Vec::as_slice);
        let ends = held.iter().skip(1).map(|next| Some(next.since)).chain([None]);
        for (terms, end) in held.iter().zip(ends) {
            stretches.push(Billed { contract: terms.contract, plan: terms.plan, held: Span::new(terms.since, end), ..one.clone() });
        }
        if held.is_empty() {
            stretches.push(one);
        }
    }
    Ok(stretches)
}

/// The plans of some subscriptions, each read once, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn plans(conn: &mut Conn, of: &[Billed]) -> Result<HashMap<PlanId, Arc<Plan>>, StoreError> {
    let plans = services::plans_named(conn, of.iter().map(|one| (one.provider, one.contract, one.plan))).await?;
    Ok(plans.into_iter().map(|(id, plan)| (id, Arc::new(plan))).collect())
}

/// The grants of an organization's subscriptions (or of some of them, of some projects) that were in force at or after an
/// instant and before another.
///
/// # Errors
/// Those of the database.
pub async fn grants(
    conn: &mut Conn,
    organization: OrganizationId,
    only: Option<&[SubscriptionId]>,
    projects: Option<&[ProjectId]>,
    from: Ts,
    to: Ts,
) -> Result<Vec<(SubscriptionId, ProjectId, Span)>, StoreError> {
    let mut sql = String::from(
        "select subscription_id, project_id, since, coalesce(until, ends_at) from grants
         where organization_id = $1 and since < $3 and (until is null or until > $2)",
    );
    let mut values: Vec<Value> = vec![organization.into(), from.into(), to.into()];
    if let Some(ids) = only {
        sql.push_str(&format!(" and subscription_id in ({})", placeholders(values.len() + 1, ids.len())));
        values.extend(ids.iter().map(Value::from));
    }
    if let Some(ids) = projects {
        sql.push_str(&format!(" and project_id in ({})", placeholders(values.len() + 1, ids.len())));
        values.extend(ids.iter().map(Value::from));
    }
    let rows = conn.fetch_all(&sql, &values).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?, Span::new(row.get(2)?, row.get(3)?)))).collect()
}

/// Handle and name of an organization's projects, deleted ones included, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn project_names(conn: &mut Conn, organization: OrganizationId) -> Result<BTreeMap<ProjectId, (String, String)>, StoreError> {
    let rows = conn.fetch_all("select id, handle, name from projects where organization_id = $1", params![organization]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?)))).collect()
}
