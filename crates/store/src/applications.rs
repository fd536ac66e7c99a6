//! Applications and their secrets. Of a secret only its hash is kept.

use stoa_domain::{
    applications::{Application, ApplicationSecret, Owner},
    ids::{ApplicationId, OrganizationId, SecretId, ServiceId, UserId},
    permissions::{Permission, Role},
    secrets::SecretHash,
    sharing::{self, Tie},
    time::Ts,
};

use crate::{
    Conn, Row, StoreError, Tx, Value, Viewer, params,
    sharing::{reached, ties},
    users::placeholders,
    value::contains,
    values,
};

const COLUMNS: &str = "a.id, a.user_id, a.organization_id, a.name, a.description, a.redirect_uris, a.created_at, a.updated_at, \
                       a.created_by";

/// Applications that are not deleted, nor their organizations.
const LIVE: &str = "applications a left join organizations o on o.id = a.organization_id
     where a.deleted_at is null and o.deleted_at is null";

/// Whose an application is, from the two columns that say it.
fn owner(row: &Row, from: usize) -> Result<Owner, StoreError> {
    match (row.get::<Option<UserId>>(from)?, row.get::<Option<OrganizationId>>(from + 1)?) {
        (Some(user), None) => Ok(Owner::User(user)),
        (None, Some(organization)) => Ok(Owner::Organization(organization)),
        _ => Err(StoreError::Corrupt { column: from, reason: "an application belongs to a user or to an organization".into() }),
    }
}

fn application(row: &Row) -> Result<Application, StoreError> {
    Ok(Application {
        id: row.get(0)?,
        owner: owner(row, 1)?,
        name: row.get(3)?,
        description: row.get(4)?,
        redirect_uris: row.json(5)?,
        created_at: row.get(6)?,
        updated_at: row.get(7)?,
        created_by: row.get(8)?,
    })
}

fn json(uris: &[String]) -> String {
    serde_json::Value::from(uris).to_string()
}

/// Adds an application.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx, application: &Application) -> Result<(), StoreError> {
    let (user, organization) = match application.owner {
        Owner::User(user) => (Some(user), None),
        Owner::Organization(organization) => (None, Some(organization)),
    };
    tx.execute(
        "insert into applications (id, user_id, organization_id, name, description, redirect_uris, created_at, updated_at, created_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        params![
            application.id,
            user,
            organization,
            &application.name,
            &application.description,
            json(&application.redirect_uris),
            application.created_at,
            application.updated_at,
            application.created_by,
        ],
    )
    .await?;
    Ok(())
}

/// Writes changed details.
///
/// # Errors
/// Those of the database.
pub async fn update(tx: &mut Tx, application: &Application) -> Result<(), StoreError> {
    tx.execute(
        "update applications set name = $2, description = $3, redirect_uris = $4, updated_at = $5 where id = $1",
        params![application.id, &application.name, &application.description, json(&application.redirect_uris), application.updated_at,],
    )
    .await?;
    Ok(())
}

/// Marks an application as deleted and revokes all its secrets.
///
/// # Errors
/// Those of the database.
pub async fn delete(tx: &mut Tx, id: ApplicationId, now: Ts) -> Result<(), StoreError> {
    tx.execute("update applications set deleted_at = $2 where id = $1", params![id, now]).await?;
    tx.execute("update application_secrets set revoked_at = $2 where application_id = $1 and revoked_at is null", params![id, now]).await?;
    Ok(())
}

/// Revokes all live secrets of an organization's applications and removes their access tokens.
///
/// # Errors
/// Those of the database.
pub async fn revoke_secrets_of(tx: &mut Tx, organization: OrganizationId, now: Ts) -> Result<(), StoreError> {
    let own = "(select id from applications where organization_id = $1)";
    let revoke = format!("update application_secrets set revoked_at = $2 where revoked_at is null and application_id in {own}");
    tx.execute(&revoke, params![organization, now]).await?;
    tx.execute(&format!("delete from access_tokens where application_id in {own}"), params![organization]).await?;
    Ok(())
}

/// An application, whoever asks; `None` when there is none or it, or its organization, was deleted.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, id: ApplicationId) -> Result<Option<Application>, StoreError> {
    let sql = format!("select {COLUMNS} from {LIVE} and a.id = $1");
    conn.fetch_optional(&sql, params![id]).await?.as_ref().map(application).transpose()
}

/// Keeps others from changing an application, or from counting its secrets or services, until the transaction ends;
/// answers whether it is there and not deleted.
///
/// # Errors
/// Those of the database.
pub async fn lock(tx: &mut Tx, id: ApplicationId) -> Result<bool, StoreError> {
    Ok(lock_owned(tx, id).await?.is_some())
}

/// Like [`lock`]; answers whose it is at that moment.
///
/// # Errors
/// Those of the database.
pub async fn lock_owned(tx: &mut Tx, id: ApplicationId) -> Result<Option<Owner>, StoreError> {
    let rows = tx.lock("select deleted_at, user_id, organization_id from applications where id = $1", params![id]).await?;
    match rows.first() {
        Some(row) if row.get::<Option<Ts>>(0)?.is_none() => owner(row, 1).map(Some),
        _ => Ok(None),
    }
}

/// An application as a user sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The application.
    pub application: Application,
    /// What ties the user to it.
    pub ties: Vec<Tie>,
    /// The owning organization's handle and name; `None` for a person's application.
    pub organization: Option<(String, String)>,
    /// How many of its secrets are live.
    pub live_secrets: i64,
}

impl Seen {
    /// The role that counts: one that may manage it, where there is one. `None` for the owner, who may do everything.
    pub fn role(&self) -> Option<Role> {
        sharing::decide(&self.ties, Permission::ManageResources).path.and_then(|path| path.role())
    }

    /// Whether the user may do something with it.
    pub fn allows(&self, permission: Permission) -> bool {
        sharing::decide(&self.ties, permission).reason.allows()
    }
}

const SEEN: &str = ", o.handle, o.name,
    (select count(*) from application_secrets s where s.application_id = a.id and s.revoked_at is null)";

fn seen(row: &Row) -> Result<Seen, StoreError> {
    let handle: Option<String> = row.get(9)?;
    let name: Option<String> = row.get(10)?;
    Ok(Seen { application: application(row)?, ties: Vec::new(), organization: handle.zip(name), live_secrets: row.get(11)? })
}

/// Fills in what ties somebody to each; in one statement.
async fn tie(conn: &mut Conn, viewer: &Viewer, mut seen: Vec<Seen>) -> Result<Vec<Seen>, StoreError> {
    let ids: Vec<_> = seen.iter().map(|one| one.application.id).collect();
    for tied in ties(conn, &[viewer.user], &ids).await?.into_iter().filter(|tied| tied.counts_for(viewer)) {
        seen.iter_mut().filter(|one| one.application.id == tied.application).for_each(|one| one.ties.push(tied.tie.clone()));
    }
    Ok(seen)
}

/// The application a user sees under an id; two statements.
///
/// # Errors
/// Those of the database.
pub async fn find_for(conn: &mut Conn, id: ApplicationId, viewer: &Viewer) -> Result<Option<Seen>, StoreError> {
    let found = find_seen(conn, id).await?.into_iter().collect();
    let seen = tie(conn, viewer, found).await?.pop();
    Ok(seen.filter(|seen| !sharing::paths(&seen.ties).is_empty()))
}

/// An application as nobody in particular sees it: without ties.
///
/// # Errors
/// Those of the database.
pub async fn find_seen(conn: &mut Conn, id: ApplicationId) -> Result<Option<Seen>, StoreError> {
    let sql = format!("select {COLUMNS}{SEEN} from {LIVE} and a.id = $1");
    conn.fetch_optional(&sql, params![id]).await?.as_ref().map(seen).transpose()
}

/// Which of the applications a user sees a list shows; all, when nothing is said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Which<'a> {
    /// Only the user's own.
    pub own: bool,
    /// Only those of an organization and those shared with it or with its teams.
    pub organization: Option<OrganizationId>,
    /// Only those whose name has this in it.
    pub search: Option<&'a str>,
}

/// A page of the applications a user sees, in the order of their names; `after` is name and id of the last one of the
/// page before. Two statements.
///
/// # Errors
/// Those of the database.
pub async fn list_for(
    conn: &mut Conn,
    viewer: &Viewer,
    which: Which<'_>,
    after: Option<(&str, ApplicationId)>,
    limit: i64,
) -> Result<Vec<Seen>, StoreError> {
    let mut values = values![viewer.user, limit];
    let reached = reached(viewer, &mut values);
    let mut next = |value: Value| {
        values.push(value);
        values.len()
    };
    let mut filter = String::new();
    if which.own {
        filter.push_str(" and a.user_id = $1");
    }
    if let Some(organization) = which.organization {
        filter.push_str(&format!(
            " and (a.organization_id = ${0}
               or exists (select 1 from organization_shares y where y.organization_id = ${0} and y.application_id = a.id)
               or exists (select 1 from team_shares y where y.organization_id = ${0} and y.application_id = a.id))",
            next(organization.into())
        ));
    }
    if let Some(search) = which.search {
        filter.push_str(&format!(" and lower(a.name) like ${} escape '!'", next(contains(&search.to_lowercase()).into())));
    }
    let position = match after {
        Some((name, id)) => format!("and (a.name, a.id) > (${}, ${})", next(name.into()), next(id.into())),
        None => String::new(),
    };
    let sql = format!("select {COLUMNS}{SEEN} from {LIVE} and a.id in ({reached}){filter} {position} order by a.name, a.id limit $2");
    let page = conn.fetch_all(&sql, &values).await?.iter().map(seen).collect::<Result<Vec<_>, _>>()?;
    tie(conn, viewer, page).await
}

/// A service that an application stands behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uses {
    /// The application.
    pub application: ApplicationId,
    /// The service.
    pub service: ServiceId,
    /// Its provider.
    pub provider: OrganizationId,
    /// Its handle.
    pub handle: String,
    /// Its name.
    pub name: String,
}

/// The services, not retired, that applications stand behind.
///
/// # Errors
/// Those of the database.
pub async fn services_of(conn: &mut Conn, applications: &[ApplicationId]) -> Result<Vec<Uses>, StoreError> {
    if applications.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "select application_id, id, organization_id, handle, name from services
         where application_id in ({}) and state <> 'retired' order by name, id",
        placeholders(1, applications.len())
    );
    let values: Vec<Value> = applications.iter().map(Value::from).collect();
    conn.fetch_all(&sql, &values)
        .await?
        .iter()
        .map(|row| {
            Ok(Uses { application: row.get(0)?, service: row.get(1)?, provider: row.get(2)?, handle: row.get(3)?, name: row.get(4)? })
        })
        .collect()
}

/// How many live subscriptions the services have, not retired, that an application stands behind.
///
/// # Errors
/// Those of the database.
pub async fn count_subscriptions(conn: &mut Conn, application: ApplicationId) -> Result<i64, StoreError> {
    let sql = "select count(*) from services v join subscriptions s on s.provider_id = v.organization_id and s.service_id = v.id
               where v.application_id = $1 and v.state <> 'retired'
                 and s.state in ('requested', 'provisioning', 'active', 'suspended', 'ending')";
    conn.fetch_one(sql, params![application]).await?.get(0)
}

/// Adds a secret.
///
/// # Errors
/// Those of the database.
pub async fn insert_secret(
    tx: &mut Tx,
    application: ApplicationId,
    secret: &ApplicationSecret,
    hash: SecretHash,
) -> Result<(), StoreError> {
    tx.execute(
        "insert into application_secrets (application_id, id, secret_hash, hint, created_at) values ($1, $2, $3, $4, $5)",
        params![application, secret.id, hash, &secret.hint, secret.created_at],
    )
    .await?;
    Ok(())
}

fn secret(row: &Row) -> Result<ApplicationSecret, StoreError> {
    Ok(ApplicationSecret { id: row.get(0)?, hint: row.get(1)?, created_at: row.get(2)?, last_used_at: row.get(3)? })
}

/// The live secrets of an application, oldest first. There are few, by rule.
///
/// # Errors
/// Those of the database.
pub async fn list_secrets(conn: &mut Conn, application: ApplicationId) -> Result<Vec<ApplicationSecret>, StoreError> {
    conn.fetch_all(
        "select id, hint, created_at, last_used_at from application_secrets
         where application_id = $1 and revoked_at is null order by id",
        params![application],
    )
    .await?
    .iter()
    .map(secret)
    .collect()
}

/// The live secret of an application with this hash; `None` too when the application or its organization was deleted.
///
/// # Errors
/// Those of the database.
pub async fn find_secret(conn: &mut Conn, application: ApplicationId, hash: SecretHash) -> Result<Option<ApplicationSecret>, StoreError> {
    conn.fetch_optional(
        "select s.id, s.hint, s.created_at, s.last_used_at from application_secrets s
         join applications a on a.id = s.application_id left join organizations o on o.id = a.organization_id
         where s.application_id = $1 and s.secret_hash = $2 and s.revoked_at is null
           and a.deleted_at is null and o.deleted_at is null",
        params![application, hash],
    )
    .await?
    .as_ref()
    .map(secret)
    .transpose()
}

/// Notes that a secret was used.
///
/// # Errors
/// Those of the database.
pub async fn touch_secret(tx: &mut Tx, application: ApplicationId, secret: SecretId, now: Ts) -> Result<(), StoreError> {
    tx.execute("update application_secrets set last_used_at = $3 where application_id = $1 and id = $2", params![application, secret, now])
        .await?;
    Ok(())
}

/// Revokes a live secret; answers whether there was one.
///
/// # Errors
/// Those of the database.
pub async fn revoke_secret(tx: &mut Tx, application: ApplicationId, secret: SecretId, now: Ts) -> Result<bool, StoreError> {
    let rows = tx
        .execute(
            "update application_secrets set revoked_at = $3 where application_id = $1 and id = $2 and revoked_at is null",
            params![application, secret, now],
        )
        .await?;
    Ok(rows > 0)
}

/// The applications, not deleted, that a person owns.
///
/// # Errors
/// Those of the database.
pub async fn own(conn: &mut Conn, user: UserId) -> Result<Vec<ApplicationId>, StoreError> {
    let rows = conn.fetch_all("select id from applications where user_id = $1 and deleted_at is null order by id", params![user]).await?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// The names of several applications, deleted ones included, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn names(conn: &mut Conn, ids: &[ApplicationId]) -> Result<Vec<(ApplicationId, String)>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!("select id, name from applications where id in ({})", placeholders(1, ids.len()));
    let values: Vec<Value> = ids.iter().copied().map(Value::from).collect();
    conn.fetch_all(&sql, &values).await?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}
