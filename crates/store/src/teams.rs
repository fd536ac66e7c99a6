//! Teams and who is in them.

use stoa_domain::{
    ids::{ApplicationId, OrganizationId, TeamId, UserId},
    members::Member,
    teams::Team,
    time::Ts,
};

use crate::{Conn, Row, StoreError, Tx, Value, members::member, params, users::placeholders, value::contains, values};

const COLUMNS: &str = "t.id, t.name, t.description, t.created_at, t.updated_at";

fn team(row: &Row) -> Result<Team, StoreError> {
    Ok(Team { id: row.get(0)?, name: row.get(1)?, description: row.get(2)?, created_at: row.get(3)?, updated_at: row.get(4)? })
}

/// Adds a team.
///
/// # Errors
/// [`StoreError::Duplicate`] when another team of the organization has the name.
pub async fn insert(tx: &mut Tx, organization: OrganizationId, team: &Team) -> Result<(), StoreError> {
    insert_many(tx, organization, std::slice::from_ref(team)).await
}

/// Adds teams, in one statement.
///
/// # Errors
/// [`StoreError::Duplicate`] when a name is taken in the organization.
pub async fn insert_many(tx: &mut Tx, organization: OrganizationId, teams: &[Team]) -> Result<(), StoreError> {
    let row =
        |team: &Team| values![organization, team.id, &team.name, team.name_key(), &team.description, team.created_at, team.updated_at];
    let rows: Vec<Vec<Value>> = teams.iter().map(row).collect();
    let head = "insert into teams (organization_id, id, name, name_key, description, created_at, updated_at)";
    tx.insert_many(head, 7, &rows, "").await?;
    Ok(())
}

/// Writes changed details.
///
/// # Errors
/// [`StoreError::Duplicate`] when another team of the organization has the name.
pub async fn update(tx: &mut Tx, organization: OrganizationId, team: &Team) -> Result<(), StoreError> {
    tx.execute(
        "update teams set name = $3, name_key = $4, description = $5, updated_at = $6 where organization_id = $1 and id = $2",
        params![organization, team.id, &team.name, team.name_key(), &team.description, team.updated_at],
    )
    .await?;
    Ok(())
}

/// Removes a team with its places and with what is shared with it.
///
/// # Errors
/// Those of the database.
pub async fn delete(tx: &mut Tx, organization: OrganizationId, id: TeamId) -> Result<(), StoreError> {
    for table in ["team_shares", "team_members"] {
        tx.execute(&format!("delete from {table} where organization_id = $1 and team_id = $2"), params![organization, id]).await?;
    }
    tx.execute("delete from teams where organization_id = $1 and id = $2", params![organization, id]).await?;
    Ok(())
}

/// A team with how much belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The team.
    pub team: Team,
    /// How many members it has.
    pub members: i64,
    /// How many applications are shared with it.
    pub applications: i64,
}

const COUNTS: &str = ", (select count(*) from team_members p where p.organization_id = t.organization_id and p.team_id = t.id),
    (select count(*) from team_shares s join applications a on a.id = s.application_id and a.deleted_at is null
      where s.organization_id = t.organization_id and s.team_id = t.id)";

fn listed(row: &Row) -> Result<Listed, StoreError> {
    Ok(Listed { team: team(row)?, members: row.get(5)?, applications: row.get(6)? })
}

/// A team of an organization.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, organization: OrganizationId, id: TeamId) -> Result<Option<Listed>, StoreError> {
    let sql = format!("select {COLUMNS}{COUNTS} from teams t where t.organization_id = $1 and t.id = $2");
    conn.fetch_optional(&sql, params![organization, id]).await?.as_ref().map(listed).transpose()
}

/// The organization that has a team; `None` when there is none.
///
/// # Errors
/// Those of the database.
pub async fn organization_of(conn: &mut Conn, id: TeamId) -> Result<Option<OrganizationId>, StoreError> {
    conn.fetch_optional("select organization_id from teams where id = $1", params![id]).await?.map(|row| row.get(0)).transpose()
}

/// Those of an organization's teams that have one of the names, as [`Team::name_key`] writes them.
///
/// # Errors
/// Those of the database.
pub async fn find_by_names(conn: &mut Conn, organization: OrganizationId, keys: &[String]) -> Result<Vec<Team>, StoreError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!("select {COLUMNS} from teams t where t.organization_id = $1 and t.name_key in ({})", placeholders(2, keys.len()));
    let values: Vec<Value> = std::iter::once(Value::from(organization)).chain(keys.iter().map(Value::from)).collect();
    conn.fetch_all(&sql, &values).await?.iter().map(team).collect()
}

/// A page of an organization's teams in the order of their names, all or those whose name has some text in it; `after` is
/// the sort key of the last one of the page before.
///
/// # Errors
/// Those of the database.
pub async fn list(
    conn: &mut Conn,
    organization: OrganizationId,
    search: Option<&str>,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Listed>, StoreError> {
    let mut values = values![organization, limit];
    let mut filter = String::new();
    if let Some(search) = search {
        values.push(Value::from(contains(&search.to_lowercase())));
        filter.push_str(&format!(" and t.name_key like ${} escape '!'", values.len()));
    }
    if let Some(after) = after {
        values.push(Value::from(after));
        filter.push_str(&format!(" and t.name_key > ${}", values.len()));
    }
    let sql = format!("select {COLUMNS}{COUNTS} from teams t where t.organization_id = $1{filter} order by t.name_key limit $2");
    conn.fetch_all(&sql, &values).await?.iter().map(listed).collect()
}

/// Puts members into a team, in one statement; those who are in it stay. Answers how many came.
///
/// # Errors
/// [`StoreError::MissingReference`] when one is not a member of the organization.
pub async fn add_members(tx: &mut Tx, organization: OrganizationId, team: TeamId, users: &[UserId], now: Ts) -> Result<u64, StoreError> {
    let rows: Vec<Vec<Value>> = users.iter().map(|user| values![organization, team, *user, now]).collect();
    tx.insert_many("insert into team_members (organization_id, team_id, user_id, since)", 4, &rows, "on conflict do nothing").await
}

/// All places in the teams of an organization: which team, and who is in it.
///
/// # Errors
/// Those of the database.
pub async fn places(conn: &mut Conn, organization: OrganizationId) -> Result<Vec<(TeamId, UserId)>, StoreError> {
    let rows = conn.fetch_all("select team_id, user_id from team_members where organization_id = $1", params![organization]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Puts members into teams, in one statement.
///
/// # Errors
/// [`StoreError::MissingReference`] when one is not a member of the organization, [`StoreError::Duplicate`] when one is in the
/// team already.
pub async fn add_places(tx: &mut Tx, organization: OrganizationId, places: &[(TeamId, UserId)], now: Ts) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value>> = places.iter().map(|(team, user)| values![organization, *team, *user, now]).collect();
    tx.insert_many("insert into team_members (organization_id, team_id, user_id, since)", 4, &rows, "").await?;
    Ok(())
}

/// Takes a member out of a team; answers whether the member was in it.
///
/// # Errors
/// Those of the database.
pub async fn remove_member(tx: &mut Tx, organization: OrganizationId, team: TeamId, user: UserId) -> Result<bool, StoreError> {
    let sql = "delete from team_members where organization_id = $1 and team_id = $2 and user_id = $3";
    Ok(tx.execute(sql, params![organization, team, user]).await? > 0)
}

/// Takes a member out of all teams of an organization.
///
/// # Errors
/// Those of the database.
pub async fn remove_from_all(tx: &mut Tx, organization: OrganizationId, user: UserId) -> Result<u64, StoreError> {
    tx.execute("delete from team_members where organization_id = $1 and user_id = $2", params![organization, user]).await
}

/// A page of the members of a team in the order in which they joined the organization; `since` is when each came into
/// the team, `after` the last user of the page before.
///
/// # Errors
/// Those of the database.
pub async fn members(
    conn: &mut Conn,
    organization: OrganizationId,
    team: TeamId,
    after: Option<UserId>,
    limit: i64,
) -> Result<Vec<Member>, StoreError> {
    let mut values = values![organization, team, limit];
    let position = match after {
        Some(after) => {
            values.push(after.into());
            "and p.user_id > $4"
        }
        None => "",
    };
    let sql = format!(
        "select u.id, u.email, u.name, m.role, p.since from team_members p
         join memberships m on m.organization_id = p.organization_id and m.user_id = p.user_id
         join users u on u.id = p.user_id
         where p.organization_id = $1 and p.team_id = $2 {position} order by p.user_id limit $3"
    );
    conn.fetch_all(&sql, &values).await?.iter().map(member).collect()
}

/// The teams of an organization in which a member is, by name.
///
/// # Errors
/// Those of the database.
pub async fn of_member(conn: &mut Conn, organization: OrganizationId, user: UserId) -> Result<Vec<Team>, StoreError> {
    let sql = format!(
        "select {COLUMNS} from team_members p join teams t on t.organization_id = p.organization_id and t.id = p.team_id
         where p.organization_id = $1 and p.user_id = $2 order by t.name_key"
    );
    conn.fetch_all(&sql, params![organization, user]).await?.iter().map(team).collect()
}

/// What is shared with a team: an application, its name, and when it was shared; by name.
///
/// # Errors
/// Those of the database.
pub async fn shared_with(
    conn: &mut Conn,
    organization: OrganizationId,
    team: TeamId,
    limit: i64,
) -> Result<Vec<(ApplicationId, String, Ts)>, StoreError> {
    conn.fetch_all(
        "select a.id, a.name, s.shared_at from team_shares s join applications a on a.id = s.application_id and a.deleted_at is null
         where s.organization_id = $1 and s.team_id = $2 order by a.name, a.id limit $3",
        params![organization, team, limit],
    )
    .await?
    .iter()
    .map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
    .collect()
}

/// The organization's own applications that are shared with this team and with nobody else, so that all its members see them
/// once that ends: each with its name.
///
/// # Errors
/// Those of the database.
pub async fn hidden_by(
    conn: &mut Conn,
    organization: OrganizationId,
    team: TeamId,
    limit: i64,
) -> Result<Vec<(ApplicationId, String)>, StoreError> {
    conn.fetch_all(
        "select a.id, a.name from team_shares s
         join applications a on a.id = s.application_id and a.organization_id = s.organization_id and a.deleted_at is null
         where s.organization_id = $1 and s.team_id = $2
           and not exists (select 1 from team_shares y where y.organization_id = $1 and y.application_id = a.id and y.team_id <> $2)
           and not exists (select 1 from organization_shares y where y.organization_id = $1 and y.application_id = a.id)
         order by a.name, a.id limit $3",
        params![organization, team, limit],
    )
    .await?
    .iter()
    .map(|row| Ok((row.get(0)?, row.get(1)?)))
    .collect()
}

/// Those of several users who are in a team.
///
/// # Errors
/// Those of the database.
pub async fn present(conn: &mut Conn, organization: OrganizationId, team: TeamId, users: &[UserId]) -> Result<Vec<UserId>, StoreError> {
    if users.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "select user_id from team_members where organization_id = $1 and team_id = $2 and user_id in ({})",
        placeholders(3, users.len())
    );
    let values: Vec<Value> = [organization.into(), team.into()].into_iter().chain(users.iter().map(Value::from)).collect();
    conn.fetch_all(&sql, &values).await?.iter().map(|row| row.get(0)).collect()
}
