//! Subscriptions and the projects their choices name.

mod ground;
mod holding;
mod of_service;

pub use ground::{Ground, Offered, Party, ground};
pub use holding::lock;
pub(crate) use holding::lock_where;
pub use of_service::{list_at_other_level, list_of_service, list_unmoved, subscribers, withdraw_requested};

use std::collections::{BTreeMap, BTreeSet};

use stoa_domain::{
    ids::{ContractId, OrganizationId, PlanId, ProjectId, ServiceId, SubscriptionId},
    meters::Plan,
    services::{DataPermission, Level},
    subscriptions::{Mode, ProjectChoice, Subscription, SubscriptionState},
    time::Ts,
};

use crate::{Conn, Row, StoreError, Tx, Value, params, users::placeholders, values};

const COLUMNS: &str = "organization_id, id, provider_id, service_id, contract_id, plan_id, project_id, state, mode, include_future, \
                       note, requested_by, approved_by, created_at, activated_at, ends_at, ended_at, label, previous_id";

/// The states in which a subscription has not come into force yet, as they stand in SQL.
const AHEAD: &str = "('requested', 'provisioning')";

/// The states in which a subscription is not over, as they stand in SQL.
const LIVE: &str = "('requested', 'provisioning', 'active', 'suspended', 'ending')";

/// The most ids of one `in (…)`: both engines take more bind values, but not without limit.
const MOST_IDS: usize = 10_000;

fn subscription(row: &Row) -> Result<Subscription, StoreError> {
    Ok(Subscription {
        organization: row.get(0)?,
        id: row.get(1)?,
        provider: row.get(2)?,
        service: row.get(3)?,
        contract: row.get(4)?,
        plan: row.get(5)?,
        project: row.get(6)?,
        state: row.parse(7)?,
        choice: ProjectChoice { mode: row.parse(8)?, projects: BTreeSet::new(), include_future: row.parse(9)? },
        note: row.get(10)?,
        requested_by: row.get(11)?,
        approved_by: row.get(12)?,
        created_at: row.get(13)?,
        activated_at: row.get(14)?,
        ends_at: row.get(15)?,
        ended_at: row.get(16)?,
        label: row.get(17)?,
        previous: row.get(18)?,
    })
}

/// Adds a subscription with its choice.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx, new: &Subscription) -> Result<(), StoreError> {
    insert_many(tx, std::slice::from_ref(new)).await
}

fn row_of(new: &Subscription) -> Vec<Value> {
    values![
        new.organization,
        new.id,
        new.provider,
        new.service,
        new.contract,
        new.plan,
        new.project,
        new.state.word(),
        new.choice.mode.word(),
        new.choice.include_future.word(),
        &new.note,
        new.requested_by,
        new.approved_by,
        new.created_at,
        new.activated_at,
        new.ends_at,
        new.ended_at,
        &new.label,
        new.previous,
    ]
}

/// Adds several subscriptions with their choices, in as many statements as one.
///
/// # Errors
/// Those of the database.
pub async fn insert_many(tx: &mut Tx, new: &[Subscription]) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value>> = new.iter().map(row_of).collect();
    tx.send_many(&format!("insert into subscriptions ({COLUMNS})"), 19, &rows, "").await?;
    insert_named(tx, new).await
}

/// Writes one state of several subscriptions of an organization, and when they ended. The caller holds their [`lock`].
///
/// # Errors
/// Those of the database.
pub async fn set_states(
    tx: &mut Tx,
    organization: OrganizationId,
    of: &[SubscriptionId],
    state: SubscriptionState,
    ended_at: Option<Ts>,
) -> Result<(), StoreError> {
    for some in of.chunks(MOST_IDS) {
        let sql = format!(
            "update subscriptions set state = $2, ended_at = $3 where organization_id = $1 and id in ({})",
            placeholders(4, some.len())
        );
        let mut values = values![organization, state.word(), ended_at];
        values.extend(some.iter().map(Value::from));
        tx.execute(&sql, &values).await?;
    }
    Ok(())
}

async fn insert_named(tx: &mut Tx, of: &[Subscription]) -> Result<(), StoreError> {
    let named = of.iter().flat_map(|one| one.choice.projects.iter().map(move |project| (one, project)));
    let rows: Vec<Vec<Value>> = named.map(|(one, project)| values![one.organization, one.id, *project]).collect();
    tx.send_many("insert into subscription_projects (organization_id, subscription_id, project_id)", 3, &rows, "").await
}

/// Writes state, approver and times.
///
/// # Errors
/// Those of the database.
pub async fn set_state(tx: &mut Tx, changed: &Subscription) -> Result<(), StoreError> {
    tx.execute(
        "update subscriptions set state = $3, approved_by = $4, activated_at = $5, ends_at = $6, ended_at = $7
         where organization_id = $1 and id = $2",
        params![
            changed.organization,
            changed.id,
            changed.state.word(),
            changed.approved_by,
            changed.activated_at,
            changed.ends_at,
            changed.ended_at,
        ],
    )
    .await?;
    Ok(())
}

/// Writes the terms of a subscription that is only asked for: contract, plan, project and note.
///
/// # Errors
/// Those of the database.
pub async fn set_terms(tx: &mut Tx, changed: &Subscription) -> Result<(), StoreError> {
    tx.execute(
        "update subscriptions set contract_id = $3, plan_id = $4, project_id = $5, note = $6 where organization_id = $1 and id = $2",
        params![changed.organization, changed.id, changed.contract, changed.plan, changed.project, &changed.note],
    )
    .await?;
    Ok(())
}

/// Writes the choice and its approver.
///
/// # Errors
/// Those of the database.
pub async fn set_choice(tx: &mut Tx, changed: &Subscription) -> Result<(), StoreError> {
    tx.execute(
        "update subscriptions set mode = $3, include_future = $4, approved_by = $5 where organization_id = $1 and id = $2",
        params![changed.organization, changed.id, changed.choice.mode.word(), changed.choice.include_future.word(), changed.approved_by],
    )
    .await?;
    tx.execute(
        "delete from subscription_projects where organization_id = $1 and subscription_id = $2",
        params![changed.organization, changed.id],
    )
    .await?;
    insert_named(tx, std::slice::from_ref(changed)).await
}

/// Takes a deleted project out of all choices that name it.
///
/// # Errors
/// Those of the database.
pub async fn forget_project(tx: &mut Tx, organization: OrganizationId, project: ProjectId) -> Result<(), StoreError> {
    tx.execute("delete from subscription_projects where organization_id = $1 and project_id = $2", params![organization, project]).await?;
    Ok(())
}

/// Removes what people wrote of some subscriptions of an erased organization; answers of how many, at most `limit`.
pub(crate) async fn forget_words(tx: &mut Tx, organization: OrganizationId, limit: i64) -> Result<u64, StoreError> {
    let worded = "organization_id = $1 and id in
        (select id from subscriptions where organization_id = $1 and (note <> '' or label <> '') order by id limit $2)";
    lock_where(tx, worded, params![organization, limit]).await?;
    tx.execute(&format!("update subscriptions set note = '', label = '' where {worded}"), params![organization, limit]).await
}

/// One subscription of an organization.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, organization: OrganizationId, id: SubscriptionId) -> Result<Option<Subscription>, StoreError> {
    let sql = format!("select {COLUMNS} from subscriptions where organization_id = $1 and id = $2");
    let row = conn.fetch_optional(&sql, params![organization, id]).await?;
    one(conn, row.as_ref()).await
}

/// One subscription, whoever subscribed.
///
/// # Errors
/// Those of the database.
pub async fn find_by_id(conn: &mut Conn, id: SubscriptionId) -> Result<Option<Subscription>, StoreError> {
    let sql = format!("select {COLUMNS} from subscriptions where id = $1");
    let row = conn.fetch_optional(&sql, params![id]).await?;
    one(conn, row.as_ref()).await
}

async fn one(conn: &mut Conn, row: Option<&Row>) -> Result<Option<Subscription>, StoreError> {
    let Some(row) = row else { return Ok(None) };
    let mut found = subscription(row)?;
    if found.choice.mode != Mode::All {
        let rows = conn
            .fetch_all(
                "select project_id from subscription_projects where organization_id = $1 and subscription_id = $2",
                params![found.organization, found.id],
            )
            .await?;
        found.choice.projects = rows.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?;
    }
    Ok(Some(found))
}

/// Reads the projects that the choices of several subscriptions name, in one statement.
async fn with_named(conn: &mut Conn, rows: &[Row]) -> Result<Vec<Subscription>, StoreError> {
    let mut found = rows.iter().map(subscription).collect::<Result<Vec<_>, _>>()?;
    let naming: Vec<(OrganizationId, SubscriptionId)> =
        found.iter().filter(|one| one.choice.mode != Mode::All).map(|one| (one.organization, one.id)).collect();
    let mut named: BTreeMap<SubscriptionId, BTreeSet<ProjectId>> = BTreeMap::new();
    for some in naming.chunks(MOST_IDS) {
        let organizations: BTreeSet<_> = some.iter().map(|one| one.0).collect();
        let sql = format!(
            "select subscription_id, project_id from subscription_projects where organization_id in ({}) and subscription_id in ({})",
            placeholders(1, organizations.len()),
            placeholders(1 + organizations.len(), some.len())
        );
        let values: Vec<Value> = organizations.into_iter().map(Value::from).chain(some.iter().map(|one| Value::from(one.1))).collect();
        for row in conn.fetch_all(&sql, &values).await? {
            named.entry(row.get(0)?).or_default().insert(row.get(1)?);
        }
    }
    for one in &mut found {
        one.choice.projects = named.remove(&one.id).unwrap_or_default();
    }
    Ok(found)
}

/// Which subscriptions of a list are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this service only.
    pub service: Option<ServiceId>,
    /// In this state only.
    pub state: Option<SubscriptionState>,
    /// Older than this one, the last of the page before.
    pub before: Option<SubscriptionId>,
}

/// A page of an organization's subscriptions, newest first.
///
/// # Errors
/// Those of the database.
pub async fn list(conn: &mut Conn, organization: OrganizationId, filter: Filter, limit: i64) -> Result<Vec<Subscription>, StoreError> {
    page(conn, "organization_id", organization, filter, limit).await
}

/// A page of the subscriptions of a provider's services, newest first.
///
/// # Errors
/// Those of the database.
pub async fn list_provided(conn: &mut Conn, provider: OrganizationId, filter: Filter, limit: i64) -> Result<Vec<Subscription>, StoreError> {
    page(conn, "provider_id", provider, filter, limit).await
}

async fn page(conn: &mut Conn, side: &str, of: OrganizationId, filter: Filter, limit: i64) -> Result<Vec<Subscription>, StoreError> {
    let mut sql = format!("select {COLUMNS} from subscriptions where {side} = $1");
    let mut values = values![of];
    let mut and = |condition: &str, value: Option<Value>| {
        if let Some(value) = value {
            values.push(value);
            sql.push_str(&format!(" and {condition} ${}", values.len()));
        }
    };
    and("service_id =", filter.service.map(Value::from));
    and("state =", filter.state.map(|state| Value::from(state.word())));
    and("id <", filter.before.map(Value::from));
    values.push(limit.into());
    sql.push_str(&format!(" order by id desc limit ${}", values.len()));
    let rows = conn.fetch_all(&sql, &values).await?;
    with_named(conn, &rows).await
}

/// The subscription of a service that stands in the way of another one (it is live), or else the one that another one
/// would follow (the last that was ever active): for the whole organization or, at project level, for one project.
///
/// # Errors
/// Those of the database.
pub async fn last_of_service(
    conn: &mut Conn,
    organization: OrganizationId,
    service: ServiceId,
    project: Option<ProjectId>,
) -> Result<Option<(SubscriptionId, SubscriptionState)>, StoreError> {
    let (which, values) = match project {
        None => ("project_id is null", values![organization, service]),
        Some(project) => ("(project_id is null or project_id = $3)", values![organization, service, project]),
    };
    conn.fetch_optional(&last_sql(which), &values).await?.as_ref().map(last_of).transpose()
}

/// The query of [`last_of_service`] for those of the organization `$1` and the service `$2` that fit a condition.
fn last_sql(which: &str) -> String {
    format!(
        "select id, state from subscriptions where organization_id = $1 and service_id = $2 and {which}
         and (state in {LIVE} or activated_at is not null)
         order by case when state in {LIVE} then 0 else 1 end, id desc limit 1"
    )
}

fn last_of(row: &Row) -> Result<(SubscriptionId, SubscriptionState), StoreError> {
    Ok((row.get(0)?, row.parse(1)?))
}

/// The subscriptions of an organization that are in force and do something (grant or ask) with projects created later.
///
/// # Errors
/// Those of the database.
pub async fn list_awaiting_projects(conn: &mut Conn, organization: OrganizationId, now: Ts) -> Result<Vec<Subscription>, StoreError> {
    let sql = format!(
        "select {COLUMNS} from subscriptions where organization_id = $1 and project_id is null and mode in ('all', 'all_except')
         and include_future in ('yes', 'ask') and state in ('active', 'suspended', 'ending') and (ends_at is null or ends_at > $2)
         order by id"
    );
    let rows = conn.fetch_all(&sql, params![organization, now]).await?;
    with_named(conn, &rows).await
}

/// The live subscriptions that serve one project: those that are granted it and those at project level for it. Their
/// choices are without the projects they name.
///
/// # Errors
/// Those of the database.
pub async fn list_serving(
    conn: &mut Conn,
    organization: OrganizationId,
    project: ProjectId,
    now: Ts,
) -> Result<Vec<Subscription>, StoreError> {
    let sql = format!(
        "select {COLUMNS} from subscriptions where organization_id = $1 and state in {LIVE}
         and (project_id = $2 or id in
           (select subscription_id from grants where organization_id = $1 and project_id = $2 and until is null
            and (ends_at is null or ends_at > $3)))
         order by id"
    );
    conn.fetch_all(&sql, params![organization, project, now]).await?.iter().map(subscription).collect()
}

/// All live subscriptions that an organization consumes or provides. Their choices are without the projects they name.
///
/// # Errors
/// Those of the database.
pub async fn list_live(conn: &mut Conn, organization: OrganizationId) -> Result<Vec<Subscription>, StoreError> {
    let sql = format!(
        "select {COLUMNS} from subscriptions where (organization_id = $1 or provider_id = $1) and state in {LIVE}
         order by organization_id, id"
    );
    conn.fetch_all(&sql, params![organization]).await?.iter().map(subscription).collect()
}

/// The other organizations of an organization's live subscriptions: its providers and its services' subscribers.
///
/// # Errors
/// Those of the database.
pub async fn partners(conn: &mut Conn, organization: OrganizationId) -> Result<Vec<OrganizationId>, StoreError> {
    let sql = format!(
        "select provider_id from subscriptions where organization_id = $1 and state in {LIVE}
         union select organization_id from subscriptions where provider_id = $1 and state in {LIVE}"
    );
    conn.fetch_all(&sql, params![organization]).await?.iter().map(|row| row.get(0)).collect()
}

/// Ends all live subscriptions that an organization consumes or provides; those only asked for are withdrawn.
///
/// # Errors
/// Those of the database.
pub async fn end_all(tx: &mut Tx, organization: OrganizationId, now: Ts) -> Result<(), StoreError> {
    let concerned = format!("(organization_id = $1 or provider_id = $1) and state in {LIVE}");
    lock_where(tx, &concerned, params![organization]).await?;
    let sql = format!(
        "update subscriptions set ended_at = $2, state = case when state in {AHEAD} then 'withdrawn' else 'ended' end where {concerned}"
    );
    tx.execute(&sql, params![organization, now]).await?;
    Ok(())
}

/// Ends the live subscriptions at project level of one project; those only asked for are withdrawn.
///
/// # Errors
/// Those of the database.
pub async fn end_of_project(tx: &mut Tx, organization: OrganizationId, project: ProjectId, now: Ts) -> Result<(), StoreError> {
    let concerned = format!("organization_id = $1 and project_id = $2 and state in {LIVE}");
    lock_where(tx, &concerned, params![organization, project]).await?;
    let sql = format!(
        "update subscriptions set ended_at = $3, state = case when state in {AHEAD} then 'withdrawn' else 'ended' end where {concerned}"
    );
    tx.execute(&sql, params![organization, project, now]).await?;
    Ok(())
}

/// The labels of the live subscriptions of a service.
///
/// # Errors
/// Those of the database.
pub async fn live_labels(conn: &mut Conn, organization: OrganizationId, service: ServiceId) -> Result<Vec<String>, StoreError> {
    let sql = format!("select label from subscriptions where organization_id = $1 and service_id = $2 and state in {LIVE} order by id");
    conn.fetch_all(&sql, params![organization, service]).await?.iter().map(|row| row.get(0)).collect()
}

/// The subscription that a new one of a service with several follows: the last of its label that was ever active and is over,
/// for the whole organization or, at project level, for one project.
///
/// # Errors
/// Those of the database.
pub async fn last_labelled(
    conn: &mut Conn,
    organization: OrganizationId,
    service: ServiceId,
    label: &str,
    project: Option<ProjectId>,
) -> Result<Option<SubscriptionId>, StoreError> {
    let sql = format!(
        "select id from subscriptions where organization_id = $1 and service_id = $2 and label = $3
         and (project_id is null or project_id = $4) and state not in {LIVE} and activated_at is not null order by id desc limit 1"
    );
    conn.fetch_optional(&sql, params![organization, service, label, project]).await?.map(|row| row.get(0)).transpose()
}

/// The subscriptions that follow one, the oldest first: those that came into force and those that still may, so many at most.
///
/// # Errors
/// Those of the database.
pub async fn followers(
    conn: &mut Conn,
    organization: OrganizationId,
    of: SubscriptionId,
    limit: i64,
) -> Result<Vec<SubscriptionId>, StoreError> {
    let sql = format!(
        "select id from subscriptions where organization_id = $1 and previous_id = $2
         and (state in {LIVE} or activated_at is not null) order by id limit $3"
    );
    conn.fetch_all(&sql, params![organization, of, limit]).await?.iter().map(|row| row.get(0)).collect()
}

/// Which subscriptions have come to the end that was decided for them, the longest over first.
///
/// # Errors
/// Those of the database.
pub async fn due(conn: &mut Conn, now: Ts, limit: i64) -> Result<Vec<(OrganizationId, SubscriptionId)>, StoreError> {
    let sql = "select organization_id, id from subscriptions
               where ends_at <= $1 and state in ('active', 'suspended', 'ending') order by ends_at, id limit $2";
    conn.fetch_all(sql, params![now, limit]).await?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Takes one project out of the choices that select it, of the subscriptions of one service or of all services that serve
/// the organization as a whole.
///
/// # Errors
/// Those of the database.
pub async fn deselect(tx: &mut Tx, organization: OrganizationId, project: ProjectId, service: Option<ServiceId>) -> Result<(), StoreError> {
    tx.execute(
        "delete from subscription_projects where organization_id = $1 and project_id = $2 and subscription_id in
           (select id from subscriptions where organization_id = $1 and mode = 'selected' and project_id is null
            and (cast($3 as bytea) is null or service_id = $3))",
        params![organization, project, service],
    )
    .await?;
    Ok(())
}

/// The subscriptions of one service, or of all, that are in force and whose choice still takes a project in: those of all
/// projects that do not leave it out, and those that serve it alone.
///
/// # Errors
/// Those of the database.
pub async fn list_choosing(
    conn: &mut Conn,
    organization: OrganizationId,
    project: ProjectId,
    service: Option<ServiceId>,
    now: Ts,
) -> Result<Vec<Subscription>, StoreError> {
    let sql = format!(
        "select {COLUMNS} from subscriptions where organization_id = $1 and state in ('active', 'suspended', 'ending')
         and (ends_at is null or ends_at > $4) and (cast($3 as bytea) is null or service_id = $3)
         and (project_id = $2 or (project_id is null and (mode = 'all' or (mode = 'all_except' and id not in
           (select subscription_id from subscription_projects where organization_id = $1 and project_id = $2)))))
         order by id"
    );
    let rows = conn.fetch_all(&sql, params![organization, project, service, now]).await?;
    with_named(conn, &rows).await
}

/// A project that a choice may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its id.
    pub id: ProjectId,
    /// Its handle.
    pub handle: String,
    /// Its name.
    pub name: String,
    /// When it was created.
    pub created_at: Ts,
}

/// All projects of an organization that a choice may name, by name.
///
/// # Errors
/// Those of the database.
pub async fn candidates(conn: &mut Conn, organization: OrganizationId) -> Result<Vec<Candidate>, StoreError> {
    let sql = "select id, handle, name, created_at from projects where organization_id = $1 and deleted_at is null order by name, id";
    conn.fetch_all(sql, params![organization]).await?.iter().map(candidate).collect()
}

fn candidate(row: &Row) -> Result<Candidate, StoreError> {
    Ok(Candidate { id: row.get(0)?, handle: row.get(1)?, name: row.get(2)?, created_at: row.get(3)? })
}

/// The names of projects of several organizations, deleted ones included, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn project_names(conn: &mut Conn, organizations: &[OrganizationId], ids: &[ProjectId]) -> Result<Vec<Candidate>, StoreError> {
    let mut found = Vec::new();
    if organizations.is_empty() {
        return Ok(found);
    }
    for some in ids.chunks(MOST_IDS) {
        let sql = format!(
            "select id, handle, name, created_at from projects where organization_id in ({}) and id in ({}) order by name, id",
            placeholders(1, organizations.len()),
            placeholders(1 + organizations.len(), some.len())
        );
        let values: Vec<Value> = organizations.iter().map(Value::from).chain(some.iter().map(Value::from)).collect();
        for row in conn.fetch_all(&sql, &values).await? {
            found.push(candidate(&row)?);
        }
    }
    Ok(found)
}

/// What a subscription accepted, by its plan: the plan, the contract and the service of both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The plan's id.
    pub plan: PlanId,
    /// What it costs.
    pub prices: Plan,
    /// The contract's id.
    pub contract: ContractId,
    /// The contract's version.
    pub version: i64,
    /// What one subscription serves.
    pub level: Level,
    /// What the service may do.
    pub permissions: Vec<DataPermission>,
    /// Where the terms are to be read.
    pub terms_url: Option<String>,
    /// The service's id.
    pub service: ServiceId,
    /// The service's handle.
    pub service_handle: String,
    /// The service's name.
    pub service_name: String,
}

/// What several subscriptions accepted, by their providers and plans, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn offers(conn: &mut Conn, providers: &[OrganizationId], plans: &[PlanId]) -> Result<Vec<Offer>, StoreError> {
    if providers.is_empty() || plans.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "select p.id, p.prices, c.id, c.version, c.level, c.permissions, c.terms_url, v.id, v.handle, v.name
         from plans p join contracts c on c.organization_id = p.organization_id and c.id = p.contract_id
         join services v on v.organization_id = c.organization_id and v.id = c.service_id
         where p.organization_id in ({}) and p.id in ({})",
        placeholders(1, providers.len()),
        placeholders(1 + providers.len(), plans.len())
    );
    let values: Vec<Value> = providers.iter().map(Value::from).chain(plans.iter().map(Value::from)).collect();
    let rows = conn.fetch_all(&sql, &values).await?;
    rows.iter()
        .map(|row| {
            Ok(Offer {
                plan: row.get(0)?,
                prices: row.json(1)?,
                contract: row.get(2)?,
                version: row.get(3)?,
                level: row.parse(4)?,
                permissions: row.json(5)?,
                terms_url: row.get(6)?,
                service: row.get(7)?,
                service_handle: row.get(8)?,
                service_name: row.get(9)?,
            })
        })
        .collect()
}

/// Several subscriptions, in one statement more than their choices take.
///
/// # Errors
/// Those of the database.
pub async fn find_many(conn: &mut Conn, ids: &[SubscriptionId]) -> Result<Vec<Subscription>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!("select {COLUMNS} from subscriptions where id in ({}) order by id", placeholders(1, ids.len()));
    let values: Vec<Value> = ids.iter().map(Value::from).collect();
    let rows = conn.fetch_all(&sql, &values).await?;
    with_named(conn, &rows).await
}

/// The project of an organization with this handle, deleted or not.
///
/// # Errors
/// Those of the database.
pub async fn project_by_handle(conn: &mut Conn, organization: OrganizationId, handle: &str) -> Result<Option<ProjectId>, StoreError> {
    let sql = "select id from projects where organization_id = $1 and handle = $2";
    conn.fetch_optional(sql, params![organization, handle]).await?.map(|row| row.get(0)).transpose()
}
