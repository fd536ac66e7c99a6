//! What the access index reads: live credentials, open subscriptions with their grants, and what changed since.

use std::collections::BTreeSet;

use stoa_domain::{
    access::Standing,
    ids::{ApplicationId, OrganizationId, ProjectId, SecretId, ServiceId, SubscriptionId, UserId},
    secrets::SecretHash,
    services::{DataPermission, ServiceState},
    subscriptions::SubscriptionState,
    time::Ts,
    tokens::AccessToken,
};

use crate::{Conn, Row, StoreError, Value, level_changes, params, tokens::access_token, users::placeholders};

/// An access token whose secret, application and owning organization are live; it may have expired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptToken {
    /// The token.
    pub token: AccessToken,
    /// The organization that owns its application; `None` when a person does.
    pub owner: Option<OrganizationId>,
}

/// The access token with this hash, unless its secret was revoked, its application deleted, or the owner of it deleted or
/// suspended.
///
/// # Errors
/// Those of the database.
pub async fn find_token(conn: &mut Conn, hash: SecretHash) -> Result<Option<KeptToken>, StoreError> {
    conn.fetch_optional(
        "select t.id, t.application_id, t.secret_id, t.organization_id, t.subscription_id, t.scope, t.created_at, t.expires_at,
                a.organization_id
         from access_tokens t
         join applications a on a.id = t.application_id and a.deleted_at is null
         join application_secrets s on s.application_id = t.application_id and s.id = t.secret_id and s.revoked_at is null
         left join organizations o on o.id = a.organization_id
         left join users u on u.id = a.user_id
         where t.token_hash = $1 and o.deleted_at is null and o.suspended_at is null and u.suspended_at is null",
        params![hash],
    )
    .await?
    .map(|row| Ok(KeptToken { token: access_token(&row)?, owner: row.get(8)? }))
    .transpose()
}

/// An application that showed one of its live secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptClient {
    /// The application.
    pub application: ApplicationId,
    /// The secret.
    pub secret: SecretId,
    /// The organization that owns the application; `None` when a person does.
    pub owner: Option<OrganizationId>,
    /// When the secret was last used, to the hour.
    pub last_used_at: Option<Ts>,
}

/// The application and its live secret with this hash, unless the application was deleted, or the owner of it deleted or
/// suspended.
///
/// # Errors
/// Those of the database.
pub async fn find_client(conn: &mut Conn, application: ApplicationId, hash: SecretHash) -> Result<Option<KeptClient>, StoreError> {
    conn.fetch_optional(
        "select s.id, a.organization_id, s.last_used_at
         from applications a
         join application_secrets s on s.application_id = a.id and s.secret_hash = $2 and s.revoked_at is null
         left join organizations o on o.id = a.organization_id
         left join users u on u.id = a.user_id
         where a.id = $1 and a.deleted_at is null and o.deleted_at is null and o.suspended_at is null and u.suspended_at is null",
        params![application, hash],
    )
    .await?
    .map(|row| Ok(KeptClient { application, secret: row.get(0)?, owner: row.get(1)?, last_used_at: row.get(2)? }))
    .transpose()
}

/// What a subscription opens, as far as the database tells now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptSubscription {
    /// Its id.
    pub id: SubscriptionId,
    /// Who subscribed.
    pub organization: OrganizationId,
    /// The handle of who subscribed, and those it had within a year.
    pub organization_handles: Vec<String>,
    /// Who provides.
    pub provider: OrganizationId,
    /// What is subscribed.
    pub service: ServiceId,
    /// The application whose tokens it takes.
    pub application: ApplicationId,
    /// Where the subscription is in its life.
    pub state: SubscriptionState,
    /// Where the service is in its life.
    pub service_state: ServiceState,
    /// When it ends, where that was decided; from then on it opens nothing.
    pub ends_at: Option<Ts>,
    /// What the accepted contract allows.
    pub permissions: Vec<DataPermission>,
    /// The projects with a live grant, with their handles and the ends of the grants.
    pub projects: Vec<(ProjectId, String, Option<Ts>)>,
    /// The subscriptions that hold its projects, where it is an alias of others by a change of level.
    pub holders: Vec<SubscriptionId>,
}

impl KeptSubscription {
    /// Whether its grants open projects at an instant.
    pub fn opens(&self, now: Ts) -> bool {
        self.state.opens() && self.service_state != ServiceState::Suspended && self.ends_at.is_none_or(|end| end > now)
    }
}

/// How often a subscription is read again that changed its level while it was read.
const MOST_READS: usize = 4;

/// What a subscription opens, itself or as an alias of those that hold its projects; `None` when there is none, or one of
/// its two organizations was deleted or is suspended. Four statements, and two more for each that it is an alias of.
///
/// # Errors
/// Those of the database.
pub async fn find_subscription(conn: &mut Conn, id: SubscriptionId, now: Ts) -> Result<Option<KeptSubscription>, StoreError> {
    let mut held = level_changes::holders(conn, id).await?;
    for _ in 1..MOST_READS {
        let found = find_held(conn, id, &held, now).await?;
        // Each statement sees the database of its own instant. Where a change of level was switched or undone between them, the
        // projects would be found with neither side.
        let holding = level_changes::holders(conn, id).await?;
        if holding == held {
            return Ok(found);
        }
        held = holding;
    }
    find_held(conn, id, &held, now).await
}

/// What a subscription opens whose projects these hold; itself, where there are none.
async fn find_held(
    conn: &mut Conn,
    id: SubscriptionId,
    held: &[(SubscriptionId, ProjectId)],
    now: Ts,
) -> Result<Option<KeptSubscription>, StoreError> {
    if held.is_empty() {
        return find_own(conn, id, now).await;
    }
    let holders: BTreeSet<SubscriptionId> = held.iter().map(|(holder, _)| *holder).collect();
    let mut found = Vec::with_capacity(holders.len());
    for holder in &holders {
        if let Some(mut kept) = find_own(conn, *holder, now).await? {
            let opens = kept.opens(now);
            let ends_at = kept.ends_at;
            kept.projects.retain(|(project, _, _)| opens && held.contains(&(*holder, *project)));
            for (_, _, end) in &mut kept.projects {
                *end = [*end, ends_at].into_iter().flatten().min();
            }
            found.push((opens, kept));
        }
    }
    Ok(alias(id, Vec::from_iter(holders), found))
}

/// What an alias opens: together what those open that hold its projects, and no more than each of them allows.
fn alias(id: SubscriptionId, holders: Vec<SubscriptionId>, found: Vec<(bool, KeptSubscription)>) -> Option<KeptSubscription> {
    let any_opens = found.iter().any(|(opens, _)| *opens);
    let mut found = found.into_iter().filter(|(opens, _)| *opens || !any_opens).map(|(_, kept)| kept);
    let mut whole = found.next()?;
    for other in found {
        whole.permissions.retain(|one| other.permissions.contains(one));
        whole.projects.extend(other.projects);
    }
    // Each project has its own end by now.
    let ends_at = if any_opens { None } else { whole.ends_at };
    Some(KeptSubscription { id, holders, ends_at, ..whole })
}

/// What a subscription opens by its own grants. Two statements.
async fn find_own(conn: &mut Conn, id: SubscriptionId, now: Ts) -> Result<Option<KeptSubscription>, StoreError> {
    let row = conn
        .fetch_optional(
            "select s.organization_id, o.handle, s.provider_id, s.service_id, v.application_id, s.state, v.state, c.permissions, s.ends_at
             from subscriptions s
             join organizations o on o.id = s.organization_id and o.deleted_at is null and o.suspended_at is null
             join organizations p on p.id = s.provider_id and p.deleted_at is null and p.suspended_at is null
             join services v on v.organization_id = s.provider_id and v.id = s.service_id
             join contracts c on c.organization_id = s.provider_id and c.id = s.contract_id
             where s.id = $1",
            params![id],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let organization: OrganizationId = row.get(0)?;
    let rows = conn
        .fetch_all(
            "select p.id, p.handle, g.ends_at from grants g
             join projects p on p.organization_id = g.organization_id and p.id = g.project_id and p.deleted_at is null
             where g.organization_id = $1 and g.subscription_id = $2 and g.until is null
               and (g.ends_at is null or g.ends_at > $3)
             union all
             select null, h.handle, null from organization_handles h where h.organization_id = $1 and h.until > $3",
            params![organization, id, now],
        )
        .await?;
    let mut projects = Vec::with_capacity(rows.len());
    let mut organization_handles = vec![row.get(1)?];
    for row in &rows {
        match row.get::<Option<ProjectId>>(0)? {
            Some(project) => projects.push((project, row.get(1)?, row.get(2)?)),
            None => organization_handles.push(row.get(1)?),
        }
    }
    Ok(Some(KeptSubscription {
        id,
        organization,
        organization_handles,
        provider: row.get(2)?,
        service: row.get(3)?,
        application: row.get(4)?,
        state: row.parse(5)?,
        service_state: row.parse(6)?,
        ends_at: row.get(8)?,
        permissions: permissions(&row, 7)?,
        projects,
        holders: Vec::new(),
    }))
}

fn permissions(row: &Row, column: usize) -> Result<Vec<DataPermission>, StoreError> {
    row.json(column)
}

/// A user's role in an organization and, if it was asked for, one of the organization's projects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The user.
    pub user: UserId,
    /// An organization the user belongs to.
    pub organization: OrganizationId,
    /// As what.
    pub standing: Standing,
    /// One of the projects asked for, when the organization has it.
    pub project: Option<ProjectId>,
    /// Whether the operator suspended the user's account.
    pub account_suspended: bool,
}

/// Where users belong, with those of the named projects that lie there; in one statement.
///
/// # Errors
/// Those of the database.
pub async fn places(conn: &mut Conn, users: &[UserId], projects: &[ProjectId]) -> Result<Vec<Place>, StoreError> {
    if users.is_empty() {
        return Ok(Vec::new());
    }
    let wanted = match projects.len() {
        0 => String::new(),
        count => format!("and p.id in ({})", placeholders(users.len() + 1, count)),
    };
    let (column, join) = match projects {
        [] => ("cast(null as bytea)", String::new()),
        _ => ("p.id", format!("left join projects p on p.organization_id = m.organization_id and p.deleted_at is null {wanted}")),
    };
    let sql = format!(
        "select m.user_id, m.organization_id, m.role, {column}, o.suspended_at, u.suspended_at from memberships m
         join users u on u.id = m.user_id join organizations o on o.id = m.organization_id and o.deleted_at is null {join}
         where m.user_id in ({})",
        placeholders(1, users.len())
    );
    let values: Vec<Value> = users.iter().map(Value::from).chain(projects.iter().map(Value::from)).collect();
    conn.fetch_all(&sql, &values)
        .await?
        .iter()
        .map(|row| {
            let standing = Standing { role: row.parse(2)?, suspended: row.get::<Option<Ts>>(4)?.is_some() };
            let account_suspended = row.get::<Option<Ts>>(5)?.is_some();
            Ok(Place { user: row.get(0)?, organization: row.get(1)?, standing, project: row.get(3)?, account_suspended })
        })
        .collect()
}

/// What the index needs to know of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Whose log.
    pub organization: OrganizationId,
    /// What happened.
    pub kind: String,
    /// The subject's id.
    pub subject: String,
}

/// How many logs one statement of [`changes_after`] reads.
const LOGS: usize = 16;

/// What happened in several logs after a position in each, apart from the coming and going of resources, which opens and
/// closes nothing. One statement for every sixteen logs.
///
/// # Errors
/// Those of the database.
pub async fn changes_after(conn: &mut Conn, positions: &[(OrganizationId, i64)]) -> Result<Vec<Change>, StoreError> {
    // Always the same text, so that it is prepared once: a short batch repeats its last log.
    let logs: Vec<_> = (0..LOGS).map(|log| format!("(organization_id = ${} and sequence > ${})", 2 * log + 1, 2 * log + 2)).collect();
    let sql = format!("select organization_id, type, subject_id from events where ({}) and type not like 'resource.%'", logs.join(" or "));
    let mut changes = Vec::new();
    for batch in positions.chunks(LOGS) {
        let padded = batch.iter().chain(batch.last().into_iter().cycle()).take(LOGS);
        let values: Vec<Value> = padded.flat_map(|(organization, sequence)| [organization.into(), (*sequence).into()]).collect();
        for row in conn.fetch_all(&sql, &values).await? {
            changes.push(Change { organization: row.get(0)?, kind: row.get(1)?, subject: row.get(2)? });
        }
    }
    Ok(changes)
}
