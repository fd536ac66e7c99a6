//! Locks that keep services out of a project, as its page shows and changes them.

use serde::Deserialize;
use stoa_actions::{
    locks::{self, LockDetails},
    map,
    seats::Seat,
};
use stoa_domain::{
    ids::{LockId, ProjectId},
    organizations::Key,
    permissions::Permission,
    time::Ts,
};
use stoa_store::Conn;

use super::{
    Choice, Field, Flash,
    form::{FormErrors, PageForm},
    page::{Page, PageResult, may},
    projects::project_page,
    times,
};
use crate::extract::ApiPath;

/// The locks of a project, and the form for another one.
#[derive(Debug, Clone, Default)]
pub struct LocksCard {
    /// The locks.
    pub locks: Vec<LockRow>,
    /// The services to choose from; empty where I may not lock.
    pub services: Vec<Choice>,
    /// Whether I may lift locks.
    pub can_lift: bool,
    /// Errors of the form as a whole.
    pub errors: Vec<String>,
    /// Why.
    pub reason: Field,
}

/// One lock.
#[derive(Debug, Clone, Default)]
pub struct LockRow {
    /// Whom it keeps out.
    pub whom: String,
    /// Since when and by whom.
    pub since: String,
    /// Why; may be empty.
    pub reason: String,
    /// Where it is lifted.
    pub action: String,
}

/// The locks of a project for its page; `url` is the project's address.
pub(super) async fn card(conn: &mut Conn, page: &Page, seat: &Seat, project: ProjectId, url: &str) -> PageResult<LocksCard> {
    let (_, all) = locks::list(conn, &page.caller, &Key::Id(seat.organization.id), &Key::Id(project)).await?;
    let mut services = Vec::new();
    if may(seat, Permission::ReduceSubscription) {
        services.push(Choice::new("", "Every service", false));
        let (columns, _) = map::choices(conn, seat, page.caller.now).await?;
        for one in columns {
            if services.iter().all(|choice| choice.value != one.service_handle) {
                services.push(Choice::new(one.service_handle, one.service_name, false));
            }
        }
    }
    Ok(LocksCard {
        locks: all.iter().map(|one| row(one, url, page.caller.now)).collect(),
        services,
        can_lift: may(seat, Permission::AddProjects),
        ..LocksCard::default()
    })
}

fn row(one: &LockDetails, url: &str, now: Ts) -> LockRow {
    LockRow {
        whom: one.service.as_ref().map_or_else(|| "Every service".to_owned(), |(_, name)| name.clone()),
        since: format!("{}, by {}", times::ago(one.lock.since, now), one.set_by),
        reason: one.lock.reason.clone(),
        action: format!("{url}/locks/{}/lift", one.lock.id),
    }
}

/// A lock to set.
#[derive(Debug, Default, Deserialize)]
pub struct LockForm {
    /// The service's handle; empty for every service.
    #[serde(default)]
    pub service: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

/// `POST /organizations/{org}/projects/{project}/locks`.
pub async fn create(page: Page, ApiPath((org, project)): ApiPath<(String, String)>, PageForm(form): PageForm<LockForm>) -> PageResult {
    let (org, project) = (Key::read(&org), Key::read(&project));
    let service = Some(form.service.trim()).filter(|key| !key.is_empty()).map(Key::read);
    let mut act = page.begin().await?;
    match locks::lock(&mut act, &org, &project, service.as_ref(), &form.reason).await {
        Ok((locked, lock)) => {
            let whom = lock.service.map_or_else(|| "every service".to_owned(), |(_, name)| name);
            let (conn, caller) = act.reading();
            let seat = stoa_actions::organizations::get(conn, caller, &org).await?;
            let to = format!("/organizations/{}/projects/{}", seat.organization.handle, locked.handle);
            page.done(act, to, Flash::ok(format!("{} is locked for {whom}.", locked.name))).await
        }
        Err(error) => {
            drop(act);
            let mut errors = FormErrors::of(error)?;
            let status = errors.status;
            let mut conn = page.read().await?;
            let mut shown = project_page(&page, &mut conn, &org, &project, None).await?;
            for choice in &mut shown.locks.services {
                choice.checked = choice.value == form.service;
            }
            shown.locks.reason = errors.field("/reason", form.reason);
            shown.locks.errors = errors.rest();
            Ok(FormErrors::again(status, shown))
        }
    }
}

/// `POST /organizations/{org}/projects/{project}/locks/{lock}/lift`.
pub async fn lift(page: Page, ApiPath((org, project, lock)): ApiPath<(String, String, LockId)>) -> PageResult {
    let key = Key::read(&org);
    let mut act = page.begin().await?;
    let unlocked = locks::unlock(&mut act, &key, &Key::read(&project), lock).await?;
    let to = format!("/organizations/{org}/projects/{}", unlocked.handle);
    let flash =
        Flash::ok("The lock is lifted. Subscriptions of all projects treat it like a new one; others open it when somebody adds it.");
    page.done(act, to, flash).await
}
