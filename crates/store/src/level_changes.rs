//! Changes of level: which subscriptions follow which, and which side holds the projects.

use std::collections::{BTreeMap, BTreeSet};

use stoa_domain::{
    ids::{LevelChangeId, OrganizationId, ProjectId, ServiceId, SubscriptionId},
    level_changes::{LevelChange, LevelChangeState, Part, Side},
    services::Service,
    time::Ts,
};

use crate::{Conn, Row, StoreError, Tx, Value, params, users::placeholders, values};

const COLUMNS: &str = "organization_id, id, provider_id, service_id, contract_id, state, until, accepted_by, accepted_at, request_id, \
                       switched_at, switched_by, undone_at, undone_by, settled_at";

/// The states in which a change still can go either way, as they stand in SQL.
const OPEN: &str = "('accepted', 'switched')";

fn change(row: &Row) -> Result<LevelChange, StoreError> {
    Ok(LevelChange {
        organization: row.get(0)?,
        id: row.get(1)?,
        provider: row.get(2)?,
        service: row.get(3)?,
        contract: row.get(4)?,
        state: row.parse(5)?,
        until: row.get(6)?,
        accepted_by: row.get(7)?,
        accepted_at: row.get(8)?,
        request: row.get(9)?,
        switched_at: row.get(10)?,
        switched_by: row.get(11)?,
        undone_at: row.get(12)?,
        undone_by: row.get(13)?,
        settled_at: row.get(14)?,
    })
}

/// Adds a change with its parts.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx, new: &LevelChange, parts: &[Part]) -> Result<(), StoreError> {
    let sql = format!("insert into level_changes ({COLUMNS}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)");
    let values = params![
        new.organization,
        new.id,
        new.provider,
        new.service,
        new.contract,
        new.state.word(),
        new.until,
        new.accepted_by,
        new.accepted_at,
        new.request,
        new.switched_at,
        new.switched_by,
        new.undone_at,
        new.undone_by,
        new.settled_at,
    ];
    tx.execute(&sql, values).await?;
    let rows: Vec<Vec<Value>> = parts.iter().map(|part| values![new.organization, new.id, part.old, part.new, part.project]).collect();
    let head = "insert into level_change_parts (organization_id, change_id, old_id, new_id, project_id)";
    tx.insert_many(head, 5, &rows, "").await?;
    Ok(())
}

/// Takes parts out of a change: their subscriptions stay as they were.
///
/// # Errors
/// Those of the database.
pub async fn drop_parts(tx: &mut Tx, of: &LevelChange, parts: &[Part]) -> Result<(), StoreError> {
    let (olds, news): (BTreeSet<_>, BTreeSet<_>) = parts.iter().map(|part| (part.old, part.new)).unzip();
    let projects: BTreeSet<_> = parts.iter().map(|part| part.project).collect();
    if parts.is_empty() {
        return Ok(());
    }
    // Within one change a project goes from one subscription to one, so that each of the three tells the part.
    let sql = format!(
        "delete from level_change_parts where organization_id = $1 and change_id = $2 and old_id in ({}) and new_id in ({})
         and project_id in ({})",
        placeholders(3, olds.len()),
        placeholders(3 + olds.len(), news.len()),
        placeholders(3 + olds.len() + news.len(), projects.len())
    );
    let mut values = values![of.organization, of.id];
    values.extend(olds.into_iter().map(Value::from));
    values.extend(news.into_iter().map(Value::from));
    values.extend(projects.into_iter().map(Value::from));
    tx.execute(&sql, &values).await?;
    Ok(())
}

/// Writes state, times and who did it.
///
/// # Errors
/// Those of the database.
pub async fn set_state(tx: &mut Tx, changed: &LevelChange) -> Result<(), StoreError> {
    tx.execute(
        "update level_changes set state = $3, switched_at = $4, switched_by = $5, undone_at = $6, undone_by = $7, settled_at = $8
         where organization_id = $1 and id = $2",
        params![
            changed.organization,
            changed.id,
            changed.state.word(),
            changed.switched_at,
            changed.switched_by,
            changed.undone_at,
            changed.undone_by,
            changed.settled_at,
        ],
    )
    .await?;
    Ok(())
}

/// A change by its id.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, id: LevelChangeId) -> Result<Option<LevelChange>, StoreError> {
    let sql = format!("select {COLUMNS} from level_changes where id = $1");
    conn.fetch_optional(&sql, params![id]).await?.as_ref().map(change).transpose()
}

/// The change of an organization's subscriptions of a service that still can go either way.
///
/// # Errors
/// Those of the database.
pub async fn find_open(conn: &mut Conn, organization: OrganizationId, service: ServiceId) -> Result<Option<LevelChange>, StoreError> {
    let sql = format!("select {COLUMNS} from level_changes where organization_id = $1 and service_id = $2 and state in {OPEN}");
    conn.fetch_optional(&sql, params![organization, service]).await?.as_ref().map(change).transpose()
}

/// The changes of an organization, of one service or of all, the newest first; `before` is the id of the last one before.
///
/// # Errors
/// Those of the database.
pub async fn list(
    conn: &mut Conn,
    organization: OrganizationId,
    service: Option<ServiceId>,
    before: Option<LevelChangeId>,
    limit: i64,
) -> Result<Vec<LevelChange>, StoreError> {
    let sql = format!(
        "select {COLUMNS} from level_changes where organization_id = $1 and (cast($2 as bytea) is null or id < $2)
         and (cast($3 as bytea) is null or service_id = $3) order by id desc limit $4"
    );
    conn.fetch_all(&sql, params![organization, before, service, limit]).await?.iter().map(change).collect()
}

/// All changes of the subscribers of a service, the newest first; `before` is the id of the last one before.
///
/// # Errors
/// Those of the database.
pub async fn list_of_service(
    conn: &mut Conn,
    service: &Service,
    before: Option<LevelChangeId>,
    limit: i64,
) -> Result<Vec<LevelChange>, StoreError> {
    let sql = format!(
        "select {COLUMNS} from level_changes where provider_id = $1 and service_id = $2 and (cast($3 as bytea) is null or id < $3)
         order by id desc limit $4"
    );
    conn.fetch_all(&sql, params![service.provider, service.id, before, limit]).await?.iter().map(change).collect()
}

/// The changes whose announced day has come and that still can go either way, those that waited longest first.
///
/// # Errors
/// Those of the database.
pub async fn due(conn: &mut Conn, now: Ts, limit: i64) -> Result<Vec<LevelChange>, StoreError> {
    let sql = format!("select {COLUMNS} from level_changes where state in {OPEN} and until <= $1 order by until, id limit $2");
    conn.fetch_all(&sql, params![now, limit]).await?.iter().map(change).collect()
}

const PART: &str = "p.old_id, p.new_id, p.project_id";

fn part(row: &Row) -> Result<Part, StoreError> {
    Ok(Part { old: row.get(0)?, new: row.get(1)?, project: row.get(2)? })
}

/// The parts of some changes, each with its change, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn parts(conn: &mut Conn, of: &[LevelChange]) -> Result<Vec<(LevelChangeId, Part)>, StoreError> {
    let organizations: BTreeSet<_> = of.iter().map(|one| one.organization).collect();
    if of.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "select {PART}, p.change_id from level_change_parts p where p.organization_id in ({}) and p.change_id in ({})
         order by p.old_id, p.new_id, p.project_id",
        placeholders(1, organizations.len()),
        placeholders(1 + organizations.len(), of.len())
    );
    let values: Vec<Value> = organizations.into_iter().map(Value::from).chain(of.iter().map(|one| Value::from(one.id))).collect();
    conn.fetch_all(&sql, &values).await?.iter().map(|row| Ok((row.get(3)?, part(row)?))).collect()
}

/// All parts of an organization's changes of level, undone ones included, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn parts_of_organization(conn: &mut Conn, organization: OrganizationId) -> Result<Vec<Part>, StoreError> {
    let sql = format!("select {PART} from level_change_parts p where p.organization_id = $1");
    conn.fetch_all(&sql, params![organization]).await?.iter().map(part).collect()
}

/// All parts that name one of the subscriptions, or a subscription that such a part names, and so on: one statement, and one
/// more for each step that finds another.
///
/// # Errors
/// Those of the database.
pub async fn kin(conn: &mut Conn, ids: &[SubscriptionId]) -> Result<Vec<Part>, StoreError> {
    let mut known: BTreeSet<SubscriptionId> = ids.iter().copied().collect();
    let mut next: Vec<SubscriptionId> = known.iter().copied().collect();
    let mut parts: BTreeSet<Part> = BTreeSet::new();
    while !next.is_empty() {
        let given: Vec<Vec<Value>> = next.iter().map(|id| values![*id]).collect();
        let sql = format!(
            "with given (id) as ({{rows}})
             select {PART} from given cross join level_change_parts p where p.old_id = given.id
             union select {PART} from given cross join level_change_parts p where p.new_id = given.id"
        );
        for row in conn.fetch_given(&sql, &given).await? {
            parts.insert(part(&row)?);
        }
        let tied: BTreeSet<_> = parts.iter().flat_map(|part| [part.old, part.new]).collect();
        next = tied.difference(&known).copied().collect();
        known.extend(next.iter().copied());
    }
    Ok(parts.into_iter().collect())
}

/// The states in which one side holds the projects, as they stand in SQL.
fn held_by(side: Side) -> String {
    let states: Vec<_> = LevelChangeState::ALL.iter().filter(|state| state.holder() == side).map(|state| format!("'{state}'")).collect();
    format!("({})", states.join(", "))
}

/// From some subscriptions, for which project, to those that stand in for them at present by one change of level; always in one
/// statement.
async fn ways(
    conn: &mut Conn,
    from: impl IntoIterator<Item = SubscriptionId>,
) -> Result<Vec<(SubscriptionId, SubscriptionId, ProjectId)>, StoreError> {
    let given: Vec<Vec<Value>> = from.into_iter().map(|id| values![id]).collect();
    let tied = "level_change_parts p cross join level_changes c";
    let same = "c.organization_id = p.organization_id and c.id = p.change_id";
    let sql = format!(
        "with given (id) as ({{rows}})
         select p.old_id, p.new_id, p.project_id from given cross join {tied} where p.old_id = given.id and {same} and c.state in {}
         union select p.new_id, p.old_id, p.project_id from given cross join {tied} where p.new_id = given.id and {same} and c.state in {}",
        held_by(Side::New),
        held_by(Side::Old)
    );
    conn.fetch_given(&sql, &given).await?.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).collect()
}

/// Which subscriptions stand in for some others at present, so that those are their aliases; always in one statement.
///
/// # Errors
/// Those of the database.
pub async fn stand_ins(conn: &mut Conn, of: &[SubscriptionId]) -> Result<BTreeMap<SubscriptionId, BTreeSet<SubscriptionId>>, StoreError> {
    let mut found: BTreeMap<SubscriptionId, BTreeSet<SubscriptionId>> = BTreeMap::new();
    for (from, to, _) in ways(conn, of.iter().copied()).await? {
        found.entry(from).or_default().insert(to);
    }
    Ok(found)
}

/// The most changes of level that one subscription may have gone through one after the other; no more are followed.
const MOST_STEPS: usize = 16;

/// Which subscriptions hold the projects that one answers for as an alias; empty when it holds its own. One statement, and
/// one more for each step on the way.
///
/// # Errors
/// Those of the database.
pub async fn holders(conn: &mut Conn, id: SubscriptionId) -> Result<Vec<(SubscriptionId, ProjectId)>, StoreError> {
    let mut found: BTreeSet<(SubscriptionId, ProjectId)> = BTreeSet::new();
    let mut open: BTreeSet<(SubscriptionId, Option<ProjectId>)> = BTreeSet::from([(id, None)]);
    for _ in 0..MOST_STEPS {
        if open.is_empty() {
            break;
        }
        let asked: BTreeSet<_> = open.iter().map(|(id, _)| *id).collect();
        let ways = ways(conn, asked).await?;
        let mut next = BTreeSet::new();
        for (at, project) in open {
            let on: Vec<_> = ways.iter().filter(|(from, _, of)| *from == at && project.is_none_or(|project| project == *of)).collect();
            if let (true, Some(project)) = (on.is_empty(), project) {
                found.insert((at, project));
            }
            next.extend(on.into_iter().map(|(_, to, of)| (*to, Some(*of))));
        }
        open = next;
    }
    Ok(found.into_iter().collect())
}
