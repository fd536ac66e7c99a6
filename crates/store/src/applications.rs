//! Applications and their secrets. Of a secret only its hash is kept.

use stoa_domain::{
    applications::{Application, ApplicationSecret, Owner},
    ids::{ApplicationId, OrganizationId, SecretId, ServiceId, UserId},
    permissions::Role,
    secrets::SecretHash,
    time::Ts,
};

use crate::{Conn, Row, StoreError, Tx, Value, Viewer, params, users::placeholders, values};

const COLUMNS: &str = "a.id, a.user_id, a.organization_id, a.name, a.description, a.redirect_uris, a.created_at, a.updated_at";

/// Applications that are not deleted, nor their organizations.
const LIVE: &str = "applications a left join organizations o on o.id = a.organization_id
     where a.deleted_at is null and o.deleted_at is null";

fn application(row: &Row) -> Result<Application, StoreError> {
    let owner = match (row.get::<Option<UserId>>(1)?, row.get::<Option<OrganizationId>>(2)?) {
        (Some(user), None) => Owner::User(user),
        (None, Some(organization)) => Owner::Organization(organization),
        _ => return Err(StoreError::Corrupt { column: 1, reason: "an application belongs to a user or to an organization".into() }),
    };
    Ok(Application {
        id: row.get(0)?,
        owner,
        name: row.get(3)?,
        description: row.get(4)?,
        redirect_uris: row.json(5)?,
        created_at: row.get(6)?,
        updated_at: row.get(7)?,
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
        "insert into applications (id, user_id, organization_id, name, description, redirect_uris, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        params![
            application.id,
            user,
            organization,
            &application.name,
            &application.description,
            json(&application.redirect_uris),
            application.created_at,
            application.updated_at,
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
    let rows = tx.lock("select deleted_at from applications where id = $1", params![id]).await?;
    match rows.first() {
        Some(row) => Ok(row.get::<Option<Ts>>(0)?.is_none()),
        None => Ok(false),
    }
}

/// An application as a user sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The application.
    pub application: Application,
    /// The user's role in the owning organization; `None` for the user's own application.
    pub role: Option<Role>,
    /// The owning organization's handle and name; `None` for the user's own application.
    pub organization: Option<(String, String)>,
    /// How many of its secrets are live.
    pub live_secrets: i64,
}

const SEEN: &str = ", m.role, o.handle, o.name,
    (select count(*) from application_secrets s where s.application_id = a.id and s.revoked_at is null)";

fn seen(row: &Row) -> Result<Seen, StoreError> {
    let handle: Option<String> = row.get(9)?;
    let name: Option<String> = row.get(10)?;
    Ok(Seen { application: application(row)?, role: row.parse_optional(8)?, organization: handle.zip(name), live_secrets: row.get(11)? })
}

/// The application somebody sees under an id: one's own, or one of an organization one belongs to.
///
/// # Errors
/// Those of the database.
pub async fn find_for(conn: &mut Conn, id: ApplicationId, viewer: &Viewer) -> Result<Option<Seen>, StoreError> {
    let sql = format!(
        "select {COLUMNS}{SEEN} from applications a
         left join organizations o on o.id = a.organization_id
         left join memberships m on m.organization_id = a.organization_id and m.user_id = $2
         where a.id = $1 and a.deleted_at is null and o.deleted_at is null and (a.user_id = $2 or m.user_id is not null)"
    );
    let found = conn.fetch_optional(&sql, params![id, viewer.user]).await?.as_ref().map(seen).transpose()?;
    Ok(found.filter(|seen| match seen.application.owner {
        Owner::User(_) => viewer.sees_own(),
        Owner::Organization(organization) => viewer.sees(organization),
    }))
}

/// A page of the applications a user sees, all or those of one organization, in the order of their names; `after` is
/// name and id of the last one of the page before.
///
/// # Errors
/// Those of the database.
pub async fn list_for(
    conn: &mut Conn,
    viewer: &Viewer,
    organization: Option<OrganizationId>,
    after: Option<(&str, ApplicationId)>,
    limit: i64,
) -> Result<Vec<Seen>, StoreError> {
    let mut values = values![viewer.user, limit];
    let within = viewer.only("a.organization_id", &mut values);
    let mut next = |value: Value| {
        values.push(value);
        values.len()
    };
    let ids = match organization {
        Some(organization) => format!("select id from applications where organization_id = ${}", next(organization.into())),
        None => "select id from applications where user_id = $1 union all
                 select x.id from memberships y join applications x on x.organization_id = y.organization_id where y.user_id = $1"
            .to_owned(),
    };
    let position = match after {
        Some((name, id)) => format!("and (a.name, a.id) > (${}, ${})", next(name.into()), next(id.into())),
        None => String::new(),
    };
    let sql = format!(
        "select {COLUMNS}{SEEN} from applications a
         left join organizations o on o.id = a.organization_id
         left join memberships m on m.organization_id = a.organization_id and m.user_id = $1
         where a.id in ({ids}) and a.deleted_at is null and o.deleted_at is null and (a.user_id = $1 or m.user_id is not null) {within} {position}
         order by a.name, a.id limit $2"
    );
    conn.fetch_all(&sql, &values).await?.iter().map(seen).collect()
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
