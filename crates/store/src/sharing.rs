//! With whom applications are shared, and what ties people to them.

use stoa_domain::{
    ids::{ApplicationId, OrganizationId, TeamId, UserId},
    permissions::Role,
    sharing::Tie,
    time::Ts,
};

use crate::{Conn, Row, StoreError, Tx, Value, Viewer, params, users::placeholders, values};

/// What ties users to applications, a row each: user, application, organization, kind of tie, role, whether it is open, whether the
/// user registered it as the member they are now (who was removed and is added again begins anew), team, name of the team,
/// whether the organization is suspended. `{users}` and `{only}` are lists of placeholders; `{only}` may be left out.
const TIES: &str = "
    select a.user_id, a.id as application_id, cast(null as bytea) as organization_id, 'owner' as kind, cast(null as text) as role, cast(0 as bigint) as open,
        cast(0 as bigint) as creator, cast(null as bytea) as team_id, cast(null as text) as team, cast(null as bigint) as suspended_at
      from applications a where a.user_id in ({users}) {only:a.id}
    union all
    select m.user_id, a.id, m.organization_id, 'member', m.role,
        cast(case when exists (select 1 from organization_shares y where y.organization_id = a.organization_id and y.application_id = a.id)
          or not exists (select 1 from team_shares y where y.application_id = a.id and y.organization_id = a.organization_id)
          then 1 else 0 end as bigint),
        cast(case when a.created_by = m.user_id and a.created_at >= m.since then 1 else 0 end as bigint), null, null, o.suspended_at
      from memberships m join organizations o on o.id = m.organization_id and o.deleted_at is null
      join applications a on a.organization_id = m.organization_id
      where m.user_id in ({users}) {only:a.id}
    union all
    select m.user_id, s.application_id, m.organization_id, 'organization', m.role, 0, 0, null, null, o.suspended_at
      from memberships m join organizations o on o.id = m.organization_id and o.deleted_at is null
      join organization_shares s on s.organization_id = m.organization_id
      join applications a on a.id = s.application_id and a.organization_id is null
      where m.user_id in ({users}) {only:s.application_id}
    union all
    select p.user_id, s.application_id, p.organization_id, 'team', m.role, 0, 0, t.id, t.name, o.suspended_at
      from team_members p join organizations o on o.id = p.organization_id and o.deleted_at is null
      join memberships m on m.organization_id = p.organization_id and m.user_id = p.user_id
      join team_shares s on s.organization_id = p.organization_id and s.team_id = p.team_id
      join teams t on t.organization_id = p.organization_id and t.id = p.team_id
      where p.user_id in ({users}) {only:s.application_id}";

/// The ties of users whose placeholders are given, to all applications or to those whose placeholders are given.
fn ties_sql(users: &str, only: Option<&str>) -> String {
    let mut sql = TIES.replace("{users}", users);
    for column in ["a.id", "s.application_id"] {
        let filter = only.map(|only| format!("and {column} in ({only})")).unwrap_or_default();
        sql = sql.replace(&format!("{{only:{column}}}"), &filter);
    }
    sql
}

/// The ids of all applications that somebody, who is `$1`, reaches: what `sharing::paths` makes of the ties, as a query.
/// Binds further values after those there are.
pub(crate) fn reached(viewer: &Viewer, values: &mut Vec<Value>) -> String {
    let ties = ties_sql("$1", None);
    let within = viewer.only("organization_id", values);
    format!(
        "select application_id from ({ties}) reached where (kind <> 'member' or open = 1 or creator = 1 or role = 'maintainer'){within}"
    )
}

/// What ties a user to an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tied {
    /// Who.
    pub user: UserId,
    /// To which application.
    pub application: ApplicationId,
    /// Through which organization; `None` for the user's own.
    pub organization: Option<OrganizationId>,
    /// How.
    pub tie: Tie,
    /// Whether the user's account is suspended.
    pub account_suspended: bool,
}

impl Tied {
    /// Whether the tie counts for somebody whose token may be limited to some organizations.
    pub fn counts_for(&self, viewer: &Viewer) -> bool {
        self.organization.map_or_else(|| viewer.sees_own(), |organization| viewer.sees(organization))
    }
}

fn tied(row: &Row) -> Result<Tied, StoreError> {
    let kind: String = row.get(3)?;
    let suspended = row.get::<Option<Ts>>(9)?.is_some();
    let tie = match kind.as_str() {
        "owner" => Tie::Owner,
        "member" => Tie::Member { role: row.parse(4)?, open: row.get(5)?, creator: row.get(6)?, suspended },
        "organization" => Tie::Organization { role: row.parse(4)?, suspended },
        _ => Tie::Team { role: row.parse(4)?, team: row.get(7)?, name: row.get(8)?, suspended },
    };
    let account_suspended = row.get::<Option<Ts>>(10)?.is_some();
    Ok(Tied { user: row.get(0)?, application: row.get(1)?, organization: row.get(2)?, tie, account_suspended })
}

/// What ties users to applications that are not deleted; in one statement.
///
/// # Errors
/// Those of the database.
pub async fn ties(conn: &mut Conn, users: &[UserId], applications: &[ApplicationId]) -> Result<Vec<Tied>, StoreError> {
    if users.is_empty() || applications.is_empty() {
        return Ok(Vec::new());
    }
    let ties = ties_sql(&placeholders(1, users.len()), Some(&placeholders(users.len() + 1, applications.len())));
    let sql = format!(
        "select y.user_id, y.application_id, y.organization_id, y.kind, y.role, y.open, y.creator, y.team_id, y.team, y.suspended_at, u.suspended_at
         from ({ties}) y join users u on u.id = y.user_id
         join applications x on x.id = y.application_id and x.deleted_at is null order by y.application_id, y.kind, y.team"
    );
    let values: Vec<Value> = users.iter().map(Value::from).chain(applications.iter().map(Value::from)).collect();
    conn.fetch_all(&sql, &values).await?.iter().map(tied).collect()
}

/// With whom an application is shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The organization, or that of the team.
    pub organization: OrganizationId,
    /// Its handle.
    pub handle: String,
    /// Its name.
    pub name: String,
    /// The team with its name; `None` for the organization as a whole.
    pub team: Option<(TeamId, String)>,
    /// How many people that is.
    pub members: i64,
    /// When.
    pub shared_at: Ts,
    /// The name of who shared it.
    pub shared_by: String,
}

/// With whom an application is shared: the organization as a whole first, then the teams by name.
///
/// # Errors
/// Those of the database.
pub async fn list(conn: &mut Conn, application: ApplicationId) -> Result<Vec<Share>, StoreError> {
    conn.fetch_all(
        "select o.id, o.handle, o.name, cast(null as bytea) as team_id, cast(null as text) as team, s.shared_at, u.name,
           (select count(*) from memberships m where m.organization_id = s.organization_id), cast(0 as bigint) as rank, '' as name_key
         from organization_shares s join organizations o on o.id = s.organization_id and o.deleted_at is null
         join users u on u.id = s.shared_by where s.application_id = $1
         union all
         select o.id, o.handle, o.name, t.id, t.name, s.shared_at, u.name,
           (select count(*) from team_members p where p.organization_id = s.organization_id and p.team_id = s.team_id), 1, t.name_key
         from team_shares s join organizations o on o.id = s.organization_id and o.deleted_at is null
         join teams t on t.organization_id = s.organization_id and t.id = s.team_id
         join users u on u.id = s.shared_by where s.application_id = $1
         order by rank, name_key",
        params![application],
    )
    .await?
    .iter()
    .map(|row| {
        let team: Option<TeamId> = row.get(3)?;
        let team_name: Option<String> = row.get(4)?;
        Ok(Share {
            organization: row.get(0)?,
            handle: row.get(1)?,
            name: row.get(2)?,
            team: team.zip(team_name),
            members: row.get(7)?,
            shared_at: row.get(5)?,
            shared_by: row.get(6)?,
        })
    })
    .collect()
}

/// Shares an application with an organization (`team: None`) or with one of its teams; answers whether it was not before.
///
/// # Errors
/// Those of the database.
pub async fn insert(
    tx: &mut Tx,
    application: ApplicationId,
    organization: OrganizationId,
    team: Option<TeamId>,
    by: UserId,
    now: Ts,
) -> Result<bool, StoreError> {
    let rows = match team {
        None => {
            let sql = "insert into organization_shares (organization_id, application_id, shared_at, shared_by) values ($1, $2, $3, $4)
                       on conflict do nothing";
            tx.execute(sql, params![organization, application, now, by]).await?
        }
        Some(team) => {
            let sql = "insert into team_shares (organization_id, team_id, application_id, shared_at, shared_by)
                       values ($1, $2, $3, $4, $5) on conflict do nothing";
            tx.execute(sql, params![organization, team, application, now, by]).await?
        }
    };
    Ok(rows > 0)
}

/// Takes a share back; answers whether there was one.
///
/// # Errors
/// Those of the database.
pub async fn delete(
    tx: &mut Tx,
    application: ApplicationId,
    organization: OrganizationId,
    team: Option<TeamId>,
) -> Result<bool, StoreError> {
    let rows = match team {
        None => {
            let sql = "delete from organization_shares where organization_id = $1 and application_id = $2";
            tx.execute(sql, params![organization, application]).await?
        }
        Some(team) => {
            let sql = "delete from team_shares where organization_id = $1 and team_id = $2 and application_id = $3";
            tx.execute(sql, params![organization, team, application]).await?
        }
    };
    Ok(rows > 0)
}

/// Takes all shares of an application back.
///
/// # Errors
/// Those of the database.
pub async fn delete_all(tx: &mut Tx, application: ApplicationId) -> Result<(), StoreError> {
    tx.execute("delete from organization_shares where application_id = $1", params![application]).await?;
    tx.execute("delete from team_shares where application_id = $1", params![application]).await?;
    Ok(())
}

/// The applications of a user that are shared with an organization or with teams of it, with their names.
///
/// # Errors
/// Those of the database.
pub async fn of_owner(conn: &mut Conn, organization: OrganizationId, user: UserId) -> Result<Vec<(ApplicationId, String)>, StoreError> {
    conn.fetch_all(
        "select a.id, a.name from applications a where a.user_id = $2 and a.deleted_at is null
           and (exists (select 1 from organization_shares s where s.organization_id = $1 and s.application_id = a.id)
             or exists (select 1 from team_shares s where s.organization_id = $1 and s.application_id = a.id))
         order by a.name, a.id",
        params![organization, user],
    )
    .await?
    .iter()
    .map(|row| Ok((row.get(0)?, row.get(1)?)))
    .collect()
}

/// Gives applications to an organization, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn transfer(tx: &mut Tx, organization: OrganizationId, applications: &[ApplicationId], now: Ts) -> Result<(), StoreError> {
    if applications.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "update applications set organization_id = $1, user_id = null, updated_at = $2 where id in ({})",
        placeholders(3, applications.len())
    );
    let values: Vec<Value> =
        [Value::from(organization), Value::from(now)].into_iter().chain(applications.iter().map(Value::from)).collect();
    tx.execute(&sql, &values).await?;
    Ok(())
}

/// Where a person may share applications: an organization as a whole, or one of its teams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The organization.
    pub organization: OrganizationId,
    /// Its handle.
    pub handle: String,
    /// Its name.
    pub name: String,
    /// The team with its name; `None` for the organization as a whole.
    pub team: Option<(TeamId, String)>,
}

/// The organizations in which a user has one of the roles, or one of them, with their teams; by name, the organization as a
/// whole before its teams.
///
/// # Errors
/// Those of the database.
pub async fn places(
    conn: &mut Conn,
    user: UserId,
    roles: &[Role],
    only: Option<OrganizationId>,
    limit: i64,
) -> Result<Vec<Place>, StoreError> {
    let mut values = values![user, limit];
    let filter = match only {
        Some(only) => {
            values.push(only.into());
            "and o.id = $3"
        }
        None => "",
    };
    let roles_at = placeholders(values.len() + 1, roles.len());
    values.extend(roles.iter().map(|role| Value::from(role.word())));
    let mine = format!(
        "memberships m join organizations o on o.id = m.organization_id and o.deleted_at is null {filter}
         where m.user_id = $1 and m.role in ({roles_at})"
    );
    let mine_with_teams = mine.replace(" where ", " join teams t on t.organization_id = o.id where ");
    let sql = format!(
        "select o.id as id, o.handle, o.name as name, cast(null as bytea) as team_id, cast(null as text) as team, '' as team_key from {mine}
         union all
         select o.id, o.handle, o.name, t.id, t.name, t.name_key from {mine_with_teams}
         order by name, id, team_key limit $2"
    );
    let rows = conn.fetch_all(&sql, &values).await?;
    let place = |row: &Row| {
        let team: Option<TeamId> = row.get(3)?;
        let team_name: Option<String> = row.get(4)?;
        Ok(Place { organization: row.get(0)?, handle: row.get(1)?, name: row.get(2)?, team: team.zip(team_name) })
    };
    rows.iter().map(place).collect()
}
