//! Locks of projects: a service, or every service, is kept out, whatever subscriptions say.
//!
//! No grant is ever live in a project that is locked for its service: setting a lock closes them, and nothing opens them
//! while it is set. A lifted lock makes the project like one that was just created: subscriptions of all projects take it in,
//! ask for it or leave it out, as they do with future projects; what selected it selects it no more.

use std::collections::BTreeSet;

use serde_json::json;
use stoa_domain::{
    events::{EventKind, Subject},
    ids::{LockId, OrganizationId, ProjectId, ServiceId},
    locks::Lock,
    organizations::Key,
    permissions::Permission,
    projects::Project,
    services::Service,
    subscriptions::Subscription,
    text::{self, Faults},
};
use stoa_store::{
    Conn, grants, locks, projects, services,
    subscriptions::{self as kept, Candidate},
};

use crate::{Act, Caller, Error, Result, seats, seats::Seat, subscriptions};

/// The longest reason for a lock, in characters.
pub const REASON: usize = 500;

/// A lock with names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockDetails {
    /// The lock.
    pub lock: Lock,
    /// The name of who set it.
    pub set_by: String,
    /// Handle and name of the service kept out; `None` for every service.
    pub service: Option<(String, String)>,
}

/// The projects that are not locked for a subscription's service.
pub(crate) async fn open_projects(conn: &mut Conn, of: &Subscription, candidates: &[Candidate]) -> Result<BTreeSet<ProjectId>> {
    let locked = locks::keeping_out(conn, of.organization, &[of.service]).await?.remove(&of.service).unwrap_or_default();
    Ok(candidates.iter().map(|one| one.id).filter(|id| !locked.contains(id)).collect())
}

/// `project_locked` when one of these projects, which somebody names, is locked for the subscription's service.
///
/// # Errors
/// `project_locked` (409).
pub(crate) async fn not_locked(conn: &mut Conn, of: &Subscription, named: impl IntoIterator<Item = ProjectId>) -> Result<()> {
    let locked = locks::keeping_out(conn, of.organization, &[of.service]).await?.remove(&of.service).unwrap_or_default();
    let hit: Vec<_> = named.into_iter().filter(|id| locked.contains(id)).collect();
    if hit.is_empty() {
        return Ok(());
    }
    let names = kept::project_names(conn, &[of.organization], &hit).await?;
    Err(keeps_out(&names))
}

/// `project_locked`, of these projects.
pub(crate) fn keeps_out(projects: &[Candidate]) -> Error {
    let names: Vec<_> = projects.iter().map(|one| one.name.as_str()).collect();
    let detail = format!("{} is locked for this service; a maintainer can lift the lock on the project's page", names.join(", "));
    Error::conflict("project_locked", detail)
}

/// The locks of a project, the oldest first.
///
/// # Errors
/// 401, 404.
pub async fn list(
    conn: &mut Conn,
    caller: &Caller,
    org: &Key<OrganizationId>,
    project: &Key<ProjectId>,
) -> Result<(Seat, Vec<LockDetails>)> {
    let seat = seats::allowed(conn, caller, org, Permission::View).await?;
    let project = projects::find(conn, seat.organization.id, project).await?.ok_or(Error::NotFound("project"))?;
    let all = locks::of_project(conn, seat.organization.id, project.id).await?;
    let details = details(conn, seat.organization.id, project.id, all).await?;
    Ok((seat, details))
}

/// The locks that keep a service out of an organization's projects, with handle and name of each project and the name of who
/// set it; for those who were let see the organization.
///
/// # Errors
/// Those of the database.
pub async fn keeping_out(conn: &mut Conn, seat: &Seat, service: ServiceId) -> Result<Vec<(Lock, String, String, String)>> {
    Ok(locks::of_service(conn, seat.organization.id, service).await?)
}

async fn details(conn: &mut Conn, organization: OrganizationId, project: ProjectId, all: Vec<Lock>) -> Result<Vec<LockDetails>> {
    let mut names = locks::names(conn, organization, project).await?;
    let named = all.into_iter().map(|lock| {
        let (set_by, service) = names.remove(&lock.id).unwrap_or_default();
        LockDetails { lock, set_by, service }
    });
    Ok(named.collect())
}

/// A service that the caller may name: on the marketplace, or subscribed by the organization.
async fn nameable(act: &mut Act, organization: OrganizationId, key: &Key<ServiceId>) -> Result<Service> {
    match subscriptions::seen(&mut act.tx, &act.caller, key).await {
        Ok(service) => Ok(service),
        Err(Error::NotFound(what)) => {
            let service = services::find(&mut act.tx, key).await?.ok_or(Error::NotFound(what))?;
            let subscribed = kept::last_of_service(&mut act.tx, organization, service.id, None).await?;
            subscribed.map(|_| service).ok_or(Error::NotFound(what))
        }
        Err(other) => Err(other),
    }
}

/// Keeps a service, or every service, out of a project: its grants close at once and none opens while the lock is set.
///
/// # Errors
/// 401, 404, 403, 422; `already_locked` (409).
pub async fn lock(
    act: &mut Act,
    org: &Key<OrganizationId>,
    project: &Key<ProjectId>,
    service: Option<&Key<ServiceId>>,
    reason: &str,
) -> Result<(Project, LockDetails)> {
    let seat = seats::allowed(&mut act.tx, &act.caller, org, Permission::ReduceSubscription).await?;
    let mut faults = Faults::new();
    let reason = faults.check("/reason", text::optional_line(reason, REASON));
    let reason = faults.or(reason)?;
    let organization = subscriptions::lock_partners(act, &seat, Permission::ReduceSubscription).await?.organization.id;
    let project = projects::find(&mut act.tx, organization, project).await?.ok_or(Error::NotFound("project"))?;
    let service = match service {
        Some(key) => Some(nameable(act, organization, key).await?),
        None => None,
    };
    let id = service.as_ref().map(|service| service.id);
    let there = locks::of_project(&mut act.tx, organization, project.id).await?;
    if there.iter().any(|lock| lock.service == id) {
        let whom = service.as_ref().map_or("every service", |service| &service.name);
        return Err(Error::conflict("already_locked", format!("{} is locked for {whom} already", project.name)));
    }
    let set_by = act.caller.person()?.clone();
    let lock = Lock {
        id: act.mint(),
        organization,
        project: project.id,
        service: id,
        reason,
        set_by: set_by.id,
        since: act.now(),
        until: None,
        lifted_by: None,
    };
    locks::insert(&mut act.tx, &lock).await?;
    let named = service.as_ref().map(|service| json!({"id": service.id, "name": service.name}));
    let data = json!({"name": project.name, "lock": lock.id, "service": named, "reason": lock.reason});
    act.record(&[organization], EventKind::ProjectLocked, Subject::new("project", project.id), data);
    close_grants(act, &project, &lock).await?;
    kept::deselect(&mut act.tx, organization, project.id, id).await?;
    let service = service.map(|service| (service.handle, service.name));
    Ok((project, LockDetails { lock, set_by: set_by.name, service }))
}

/// Closes the live grants that a lock keeps out, and says so in the logs of both sides.
async fn close_grants(act: &mut Act, project: &Project, lock: &Lock) -> Result<()> {
    let now = act.now();
    let live = grants::live_of_project(&mut act.tx, lock.organization, project.id, now).await?;
    let ids: BTreeSet<_> = live.iter().map(|grant| grant.subscription).collect();
    let serving = kept::find_many(&mut act.tx, &Vec::from_iter(ids)).await?;
    let serving: Vec<_> = serving.into_iter().filter(|one| lock.keeps_out(one.service)).collect();
    let names = subscriptions::concerned_all(&mut act.tx, &serving).await?;
    let gone = json!([{"id": project.id, "name": project.name}]);
    for one in &serving {
        let Some(concerned) = names.get(&one.id) else { continue };
        let data = concerned.data(json!({"added": [], "removed": gone, "cause": "project_locked"}));
        concerned.record(act, EventKind::SubscriptionProjectsChanged, data);
    }
    let ids: Vec<_> = serving.iter().map(|one| one.id).collect();
    Ok(grants::close_project_of(&mut act.tx, lock.organization, project.id, &ids, now).await?)
}

/// Lifts a lock. It may open the project to services, so it takes what adding projects takes.
///
/// # Errors
/// 401, 404, 403.
pub async fn unlock(act: &mut Act, org: &Key<OrganizationId>, project: &Key<ProjectId>, id: LockId) -> Result<Project> {
    let seat = seats::allowed(&mut act.tx, &act.caller, org, Permission::AddProjects).await?;
    let organization = subscriptions::lock_partners(act, &seat, Permission::AddProjects).await?.organization.id;
    let project = projects::find(&mut act.tx, organization, project).await?.ok_or(Error::NotFound("project"))?;
    let lock = locks::find(&mut act.tx, organization, project.id, id).await?.ok_or(Error::NotFound("lock"))?;
    let by = act.caller.user_id()?;
    let now = act.now();
    let name = locks::names(&mut act.tx, organization, project.id).await?.remove(&id).and_then(|(_, service)| service);
    locks::lift(&mut act.tx, &lock, now, by).await?;
    let named = lock.service.map(|id| json!({"id": id, "name": name.map(|(_, name)| name)}));
    let data = json!({"name": project.name, "lock": lock.id, "service": named});
    act.record(&[organization], EventKind::ProjectUnlocked, Subject::new("project", project.id), data);
    let choosing = kept::list_choosing(&mut act.tx, organization, project.id, lock.service, now).await?;
    let services: BTreeSet<_> = choosing.iter().map(|one| one.service).collect();
    let still = locks::keeping_out(&mut act.tx, organization, &Vec::from_iter(services)).await?;
    let live = grants::live_of_project(&mut act.tx, organization, project.id, now).await?;
    let open = |one: &Subscription| {
        let locked = still.get(&one.service).is_some_and(|projects| projects.contains(&project.id));
        !locked && live.iter().all(|grant| grant.subscription != one.id)
    };
    let awaiting: Vec<_> = choosing.into_iter().filter(open).collect();
    subscriptions::take_in(act, organization, &project, &awaiting, "project_unlocked").await?;
    Ok(project)
}
