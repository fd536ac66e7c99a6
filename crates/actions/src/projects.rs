//! Creating, reading, editing and deleting projects.

use serde_json::json;
use stoa_domain::{
    events::{EventKind, Subject},
    ids::{OrganizationId, ProjectId},
    naming::{self, NewNaming},
    organizations::Key,
    permissions::Permission,
    projects::{Project, ProjectChange},
    time::Ts,
};
use stoa_store::{Conn, StoreError, blobs, projects, resources};

pub use stoa_store::projects::Listed;

use crate::{Act, Caller, Error, Result, seats, seats::Seat, subscriptions};

/// Creates a project. Subscriptions that include future projects take it in at once.
///
/// # Errors
/// 401, 404, 403, 422; `handle_taken` (409) when the handle that was asked for is taken.
pub async fn create(act: &mut Act, org: &Key<OrganizationId>, new: NewNaming) -> Result<(Seat, Project)> {
    let seat = seats::allowed(&mut act.tx, &act.caller, org, Permission::ManageResources).await?;
    let draft = new.checked("project")?;
    let seat = subscriptions::lock_partners(act, &seat, Permission::ManageResources).await?;
    let organization = seat.organization.id;
    let handle = free_handle(act, organization, &draft.handle, draft.handle_given).await?;
    let now = act.now();
    let project = Project { id: act.mint(), handle, name: draft.name, description: draft.description, created_at: now, updated_at: now };
    projects::insert(&mut act.tx, organization, &project).await.map_err(|error| match error {
        StoreError::Duplicate { .. } => taken(),
        other => other.into(),
    })?;
    let data = json!({"name": project.name, "handle": project.handle, "description": project.description});
    act.record(&[organization], EventKind::ProjectCreated, Subject::new("project", project.id), data);
    subscriptions::project_created(act, &seat.organization, &project).await?;
    Ok((seat, project))
}

async fn free_handle(act: &mut Act, organization: OrganizationId, wanted: &str, given: bool) -> Result<String> {
    if !projects::handle_taken(&mut act.tx, organization, wanted).await? {
        return Ok(wanted.to_owned());
    }
    if given {
        return Err(taken());
    }
    Ok(naming::with_suffix(wanted, act.mint::<ProjectId>()))
}

fn taken() -> Error {
    Error::conflict("handle_taken", "another project of this organization has this handle; choose another")
}

/// A project of an organization the caller belongs to, with how much it holds.
///
/// # Errors
/// 401, 404.
pub async fn get(conn: &mut Conn, caller: &Caller, org: &Key<OrganizationId>, project: &Key<ProjectId>) -> Result<(Seat, Listed)> {
    let seat = seats::allowed(conn, caller, org, Permission::View).await?;
    let project = projects::find(conn, seat.organization.id, project).await?.ok_or(Error::NotFound("project"))?;
    let (resources, bytes) = resources::totals(conn, seat.organization.id, project.id).await?;
    Ok((seat, Listed { project, resources, bytes }))
}

/// A page of an organization's projects in the order of their names.
///
/// # Errors
/// 401, 404.
pub async fn list(
    conn: &mut Conn,
    caller: &Caller,
    org: &Key<OrganizationId>,
    after: Option<(&str, ProjectId)>,
    limit: i64,
) -> Result<(Seat, Vec<Listed>)> {
    let seat = seats::allowed(conn, caller, org, Permission::View).await?;
    let page = projects::list(conn, seat.organization.id, after, limit).await?;
    Ok((seat, page))
}

/// The names of the services that may use each of some projects; for those who were let see the projects.
///
/// # Errors
/// Those of the database.
pub async fn services_using(conn: &mut Conn, seat: &Seat, listed: &[Listed], now: Ts) -> Result<Vec<(ProjectId, String)>> {
    let ids: Vec<_> = listed.iter().map(|one| one.project.id).collect();
    Ok(projects::services_using(conn, seat.organization.id, &ids, now).await?)
}

/// Changes a project's details.
///
/// # Errors
/// 401, 404, 403, 422.
pub async fn update(act: &mut Act, org: &Key<OrganizationId>, project: &Key<ProjectId>, change: ProjectChange) -> Result<(Seat, Project)> {
    let seat = seats::locked(act, org, Permission::ManageResources).await?;
    let organization = seat.organization.id;
    let before = projects::find(&mut act.tx, organization, project).await?.ok_or(Error::NotFound("project"))?;
    let mut changed = change.apply(&before)?;
    if changed == before {
        return Ok((seat, before));
    }
    changed.updated_at = act.now();
    projects::update(&mut act.tx, organization, &changed).await?;
    let mut data = json!({"project": changed.name});
    for (what, from, to) in [("name", &before.name, &changed.name), ("description", &before.description, &changed.description)] {
        if from != to {
            data[what] = json!({"from": from, "to": to});
        }
    }
    act.record(&[organization], EventKind::ProjectUpdated, Subject::new("project", changed.id), data);
    Ok((seat, changed))
}

/// Deletes a project: from the next request on nobody finds it, its resources are gone and no service can use it. Its
/// costs stay, under its name.
///
/// # Errors
/// 401, 404, 403.
pub async fn delete(act: &mut Act, org: &Key<OrganizationId>, project: &Key<ProjectId>) -> Result<Project> {
    let seat = seats::allowed(&mut act.tx, &act.caller, org, Permission::ManageResources).await?;
    let organization = subscriptions::lock_partners(act, &seat, Permission::ManageResources).await?.organization.id;
    let project = projects::find(&mut act.tx, organization, project).await?.ok_or(Error::NotFound("project"))?;
    let now = act.now();
    blobs::abandon_project(&mut act.tx, organization, project.id, now).await?;
    let resources = resources::delete_all(&mut act.tx, organization, project.id).await?;
    projects::delete(&mut act.tx, organization, project.id, now).await?;
    let data = json!({"name": project.name, "handle": project.handle, "resources": resources});
    act.record(&[organization], EventKind::ProjectDeleted, Subject::new("project", project.id), data);
    subscriptions::project_deleted(act, organization, &project).await?;
    Ok(project)
}
