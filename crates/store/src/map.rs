//! The map: which service runs on which project's data, at any instant.

use stoa_domain::{
    ids::{GrantId, OrganizationId, PlanId, ProjectId, ServiceId, SubscriptionId},
    subscriptions::SubscriptionState,
    time::Ts,
};

use crate::{
    Conn, Row, StoreError, Value,
    grants::{self, KeptGrant},
    params,
    users::placeholders,
};

/// Which part of the map of an organization is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapFilter {
    /// What was in force at this instant.
    pub at: Ts,
    /// Of this service only.
    pub service: Option<ServiceId>,
    /// Of this provider only.
    pub provider: Option<OrganizationId>,
    /// Of these projects only.
    pub projects: Option<Vec<ProjectId>>,
    /// Of these plans only, which is how permissions are told apart.
    pub plans: Option<Vec<PlanId>>,
    /// Of subscriptions that were in this state.
    pub state: Option<SubscriptionState>,
    /// After this one, the last of the page before.
    pub after: Option<(SubscriptionId, GrantId)>,
}

impl MapFilter {
    /// All of the map at an instant.
    pub fn at(at: Ts) -> Self {
        Self { at, service: None, provider: None, projects: None, plans: None, state: None, after: None }
    }
}

/// One line of the map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapRow {
    /// The grant.
    pub grant: KeptGrant,
    /// The service that may use the project.
    pub service: ServiceId,
    /// Its provider.
    pub provider: OrganizationId,
    /// The plan, which tells the contract that names the permissions.
    pub plan: PlanId,
    /// What tells the subscription apart from others of the same service.
    pub label: String,
    /// When the subscription ends or ended, as far as that is known now.
    pub ends_at: Option<Ts>,
    /// Where the subscription was at that instant.
    pub state: SubscriptionState,
}

/// Whether something held the subscription up at `$2`.
const HELD: &str = "exists (select 1 from subscription_suspensions x where x.organization_id = s.organization_id \
                    and x.subscription_id = s.id and x.since <= $2 and (x.until is null or x.until > $2))";

/// Whether the subscription's end was decided at `$2`.
const ENDING: &str = "exists (select 1 from subscription_endings e where e.organization_id = s.organization_id \
                      and e.subscription_id = s.id and e.since <= $2 and (e.undone_at is null or e.undone_at > $2))";

/// The plan that the subscription had at `$2`.
const PLAN: &str = "coalesce((select t.plan_id from subscription_terms t where t.organization_id = s.organization_id \
                    and t.subscription_id = s.id and t.since <= $2 order by t.since desc limit 1), s.plan_id)";

/// Whether the subscription was in force at `$2`, and no alias of another one.
const IN_FORCE: &str = "s.organization_id = $1 and s.activated_at <= $2 and (s.ended_at is null or s.ended_at > $2) \
                        and (s.ends_at is null or s.ends_at > $2) \
                        and not exists (select 1 from subscription_suspensions x where x.organization_id = s.organization_id \
                          and x.subscription_id = s.id and x.cause = 'level_change' and x.since <= $2 \
                          and (x.until is null or x.until > $2))";

/// The state of a subscription that was in force at `$2`, as a column.
fn state_column() -> String {
    format!("case when {HELD} then 'suspended' when {ENDING} then 'ending' else 'active' end")
}

/// The condition on the state at `$2`; one that nothing on the map has finds nothing.
fn state_condition(state: SubscriptionState) -> String {
    match state {
        SubscriptionState::Active => format!("not {HELD} and not {ENDING}"),
        SubscriptionState::Suspended => HELD.to_owned(),
        SubscriptionState::Ending => format!("not {HELD} and {ENDING}"),
        _ => "1 = 0".to_owned(),
    }
}

/// Conditions with the values they name.
struct Conditions {
    sql: String,
    values: Vec<Value>,
}

impl Conditions {
    fn new(organization: OrganizationId, filter: &MapFilter) -> Self {
        let mut all = Self { sql: IN_FORCE.to_owned(), values: vec![organization.into(), filter.at.into()] };
        all.one("s.service_id =", filter.service.map(Value::from));
        all.one("s.provider_id =", filter.provider.map(Value::from));
        all.among(PLAN, filter.plans.as_ref().map(|plans| plans.iter().map(Value::from).collect()));
        if let Some(state) = filter.state {
            all.sql.push_str(&format!(" and {}", state_condition(state)));
        }
        all
    }

    fn one(&mut self, condition: &str, value: Option<Value>) {
        if let Some(value) = value {
            self.values.push(value);
            self.sql.push_str(&format!(" and {condition} ${}", self.values.len()));
        }
    }

    fn among(&mut self, column: &str, values: Option<Vec<Value>>) {
        let Some(values) = values else { return };
        if values.is_empty() {
            self.sql.push_str(" and 1 = 0");
        } else {
            self.sql.push_str(&format!(" and {column} in ({})", placeholders(self.values.len() + 1, values.len())));
            self.values.extend(values);
        }
    }
}

/// A page of the map of an organization: which service might use which project's data at an instant.
///
/// # Errors
/// Those of the database.
pub async fn list(conn: &mut Conn, organization: OrganizationId, filter: &MapFilter, limit: i64) -> Result<Vec<MapRow>, StoreError> {
    let mut all = Conditions::new(organization, filter);
    all.among("g.project_id", filter.projects.as_ref().map(|projects| projects.iter().map(Value::from).collect()));
    if let Some((subscription, grant)) = filter.after {
        all.values.extend([subscription.into(), grant.into()]);
        all.sql.push_str(&format!(" and (g.subscription_id, g.id) > (${}, ${})", all.values.len() - 1, all.values.len()));
    }
    all.values.push(limit.into());
    let sql = format!(
        "select g.id, g.subscription_id, g.project_id, g.since, g.until, g.approved_by, g.request_id, g.ends_at, g.purpose,
                s.service_id, s.provider_id, {PLAN}, s.label, coalesce(s.ended_at, s.ends_at), {}
         from grants g join subscriptions s on s.organization_id = g.organization_id and s.id = g.subscription_id
         where g.organization_id = $1 and g.since <= $2 and (g.until is null or g.until > $2) and (g.ends_at is null or g.ends_at > $2)
           and {}
         order by g.subscription_id, g.id limit ${}",
        state_column(),
        all.sql,
        all.values.len()
    );
    let read = |row: &Row| {
        Ok(MapRow {
            grant: grants::grant(row)?,
            service: row.get(9)?,
            provider: row.get(10)?,
            plan: row.get(11)?,
            label: row.get(12)?,
            ends_at: row.get(13)?,
            state: row.parse(14)?,
        })
    };
    conn.fetch_all(&sql, &all.values).await?.iter().map(read).collect()
}

/// A subscription that was in force at an instant: a column of the matrix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapColumn {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// What tells it apart from others of the same service.
    pub label: String,
    /// The service.
    pub service: ServiceId,
    /// Its handle.
    pub service_handle: String,
    /// Its name.
    pub service_name: String,
    /// Its provider.
    pub provider: OrganizationId,
    /// The provider's handle.
    pub provider_handle: String,
    /// The provider's name.
    pub provider_name: String,
    /// The plan.
    pub plan: PlanId,
    /// Where the subscription was.
    pub state: SubscriptionState,
}

/// The subscriptions of an organization that were in force at an instant, by the name of the service.
///
/// # Errors
/// Those of the database.
pub async fn columns(conn: &mut Conn, organization: OrganizationId, filter: &MapFilter, limit: i64) -> Result<Vec<MapColumn>, StoreError> {
    let mut all = Conditions::new(organization, filter);
    all.values.push(limit.into());
    let sql = format!(
        "select s.id, s.label, v.id, v.handle, v.name, o.id, o.handle, o.name, {PLAN}, {}
         from subscriptions s join services v on v.organization_id = s.provider_id and v.id = s.service_id
         join organizations o on o.id = s.provider_id
         where {} order by v.name_key, s.id limit ${}",
        state_column(),
        all.sql,
        all.values.len()
    );
    let read = |row: &Row| {
        Ok(MapColumn {
            subscription: row.get(0)?,
            label: row.get(1)?,
            service: row.get(2)?,
            service_handle: row.get(3)?,
            service_name: row.get(4)?,
            provider: row.get(5)?,
            provider_handle: row.get(6)?,
            provider_name: row.get(7)?,
            plan: row.get(8)?,
            state: row.parse(9)?,
        })
    };
    conn.fetch_all(&sql, &all.values).await?.iter().map(read).collect()
}

/// The organization with this handle.
///
/// # Errors
/// Those of the database.
pub async fn provider_by_handle(conn: &mut Conn, handle: &str) -> Result<Option<OrganizationId>, StoreError> {
    conn.fetch_optional("select id from organizations where handle = $1", params![handle]).await?.map(|row| row.get(0)).transpose()
}

/// The providers and plans of all subscriptions that an organization ever had, each once.
///
/// # Errors
/// Those of the database.
pub async fn plans(conn: &mut Conn, organization: OrganizationId) -> Result<Vec<(OrganizationId, PlanId)>, StoreError> {
    let sql = "select distinct s.provider_id, t.plan_id from subscription_terms t
               join subscriptions s on s.organization_id = t.organization_id and s.id = t.subscription_id where t.organization_id = $1";
    conn.fetch_all(sql, params![organization]).await?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// A project that was there at an instant: a row of the matrix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapProject {
    /// The project.
    pub id: ProjectId,
    /// Its handle.
    pub handle: String,
    /// Its name.
    pub name: String,
    /// Whether it is deleted now.
    pub deleted: bool,
}

/// A page of the projects that an organization had at an instant, by name.
///
/// # Errors
/// Those of the database.
pub async fn projects(
    conn: &mut Conn,
    organization: OrganizationId,
    at: Ts,
    only: Option<ProjectId>,
    after: Option<(&str, ProjectId)>,
    limit: i64,
) -> Result<Vec<MapProject>, StoreError> {
    let mut sql = String::from(
        "select id, handle, name, deleted_at from projects
         where organization_id = $1 and created_at <= $2 and (deleted_at is null or deleted_at > $2)",
    );
    let mut values: Vec<Value> = vec![organization.into(), at.into()];
    if let Some(only) = only {
        values.push(only.into());
        sql.push_str(&format!(" and id = ${}", values.len()));
    }
    if let Some((name, id)) = after {
        values.extend([name.into(), id.into()]);
        sql.push_str(&format!(" and (name, id) > (${}, ${})", values.len() - 1, values.len()));
    }
    values.push(limit.into());
    sql.push_str(&format!(" order by name, id limit ${}", values.len()));
    let read = |row: &Row| {
        Ok(MapProject { id: row.get(0)?, handle: row.get(1)?, name: row.get(2)?, deleted: row.get::<Option<Ts>>(3)?.is_some() })
    };
    conn.fetch_all(&sql, &values).await?.iter().map(read).collect()
}
