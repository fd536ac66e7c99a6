//! Reading changes of level, as those who subscribe and as those who provide.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use stoa_domain::{
    ids::{LevelChangeId, OrganizationId, ServiceId},
    level_changes::{LevelChange, Part},
    organizations::Key,
    permissions::{Permission, Verdict, verdict},
    services::{Level, Service},
};
use stoa_store::{
    Conn, access, level_changes as kept,
    organizations::{self, Named},
    services, subscriptions,
};

use super::moves;
use crate::{
    Caller, Error, Result,
    seats::{self, Seat},
    subscriptions::permission_of,
};

/// A change with the names it is told by.
#[derive(Debug, Clone)]
pub struct Details {
    /// The change.
    pub change: LevelChange,
    /// Who subscribes.
    pub organization: Named,
    /// Who provides.
    pub provider: Named,
    /// The service's handle and name.
    pub service: (String, String),
    /// What one subscription serves from then on.
    pub level: Level,
    /// The contract's version.
    pub version: i64,
    /// What goes where, with the project's name.
    pub parts: Vec<(Part, String)>,
    /// The name of who accepted it.
    pub accepted_by: String,
}

impl Details {
    /// What an event of the change tells: whose it is, and what goes where.
    pub(super) fn told(&self) -> Value {
        let change = &self.change;
        let part =
            |(part, project): &(Part, String)| json!({"from": part.old, "to": part.new, "project": {"id": part.project, "name": project}});
        json!({
            "service": {"id": change.service, "name": self.service.1},
            "organization": {"id": self.organization.id, "name": self.organization.name},
            "provider": {"id": self.provider.id, "name": self.provider.name},
            "contract": {"id": change.contract, "version": self.version},
            "level": self.level,
            "state": change.state,
            "until": change.until,
            "parts": self.parts.iter().map(part).collect::<Vec<_>>(),
        })
    }
}

/// A page of an organization's changes of level, of one service or of all, the newest first.
///
/// # Errors
/// 401, 404.
pub async fn list(
    conn: &mut Conn,
    caller: &Caller,
    org: &Key<OrganizationId>,
    service: Option<ServiceId>,
    before: Option<LevelChangeId>,
    limit: i64,
) -> Result<(Seat, Vec<Details>)> {
    let seat = seats::allowed(conn, caller, org, Permission::View).await?;
    let page = kept::list(conn, seat.organization.id, service, before, limit).await?;
    Ok((seat, details(conn, page).await?))
}

/// A service, for members of its provider.
pub(super) async fn provided(conn: &mut Conn, caller: &Caller, key: &Key<ServiceId>) -> Result<Service> {
    let seen = crate::services::seen(conn, caller, key).await?;
    if seen.role.is_none() {
        let detail = format!("only members of {} see which subscribers change their level", seen.provider_name);
        return Err(Error::NotYours { detail });
    }
    seats::allowed(conn, caller, &Key::Id(seen.service.provider), Permission::View).await?;
    Ok(seen.service)
}

/// A page of the changes of level of a service's subscribers, the newest first; for members of its provider.
///
/// # Errors
/// 401, 404, 403.
pub async fn of_service(
    conn: &mut Conn,
    caller: &Caller,
    key: &Key<ServiceId>,
    before: Option<LevelChangeId>,
    limit: i64,
) -> Result<(Service, Vec<Details>)> {
    let service = provided(conn, caller, key).await?;
    let page = kept::list_of_service(conn, &service, before, limit).await?;
    let found = details(conn, page).await?;
    Ok((service, found))
}

/// A change of level, for members of both organizations.
///
/// # Errors
/// 401, 404.
pub async fn get(conn: &mut Conn, caller: &Caller, id: LevelChangeId) -> Result<Details> {
    let viewer = caller.viewer()?;
    let change = kept::find(conn, id).await?.ok_or(Error::NotFound("change of level"))?;
    let consumer = organizations::find_for(conn, &Key::Id(change.organization), &viewer, caller.now).await?;
    let provider = organizations::find_for(conn, &Key::Id(change.provider), &viewer, caller.now).await?;
    if consumer.is_none() && provider.is_none() {
        return Err(Error::NotFound("change of level"));
    }
    of_one(conn, change).await
}

/// A change with its names, for those who were let see or make it.
pub(super) async fn of_one(conn: &mut Conn, change: LevelChange) -> Result<Details> {
    details(conn, vec![change]).await?.pop().ok_or(Error::NotFound("change of level"))
}

/// The names, in a fixed number of statements.
async fn details(conn: &mut Conn, page: Vec<LevelChange>) -> Result<Vec<Details>> {
    let parts = kept::parts(conn, &page).await?;
    let parties: BTreeSet<_> = page.iter().flat_map(|one| [one.organization, one.provider]).collect();
    let parties = organizations::names(conn, &Vec::from_iter(parties)).await?;
    let service_ids: BTreeSet<_> = page.iter().map(|one| one.service).collect();
    let services = services::names(conn, &Vec::from_iter(service_ids)).await?;
    let contracts = services::contracts_named(conn, page.iter().map(|one| (one.provider, one.contract))).await?;
    let organizations: BTreeSet<_> = page.iter().map(|one| one.organization).collect();
    let projects: BTreeSet<_> = parts.iter().map(|(_, part)| part.project).collect();
    let projects = subscriptions::project_names(conn, &Vec::from_iter(organizations), &Vec::from_iter(projects)).await?;
    let projects: BTreeMap<_, _> = projects.into_iter().map(|one| (one.id, one.name)).collect();
    let people: BTreeSet<_> = page.iter().map(|one| one.accepted_by).collect();
    let people: BTreeMap<_, _> = stoa_store::users::names(conn, &Vec::from_iter(people)).await?.into_iter().collect();
    let party = |id: OrganizationId| parties.iter().find(|one| one.id == id).cloned().ok_or(Error::NotFound("organization"));
    page.into_iter()
        .map(|change| {
            let (level, version) = contracts.get(&change.contract).copied().ok_or(Error::NotFound("contract"))?;
            let of = parts.iter().filter(|(id, _)| *id == change.id);
            Ok(Details {
                organization: party(change.organization)?,
                provider: party(change.provider)?,
                service: services
                    .iter()
                    .find(|(id, _, _)| *id == change.service)
                    .map(|(_, handle, name)| (handle.clone(), name.clone()))
                    .ok_or(Error::NotFound("service"))?,
                level,
                version,
                parts: of.map(|(_, part)| (*part, projects.get(&part.project).cloned().unwrap_or_default())).collect(),
                accepted_by: people.get(&change.accepted_by).cloned().unwrap_or_default(),
                change,
            })
        })
        .collect()
}

/// Which of some changes the caller may move, for pages: nothing that would be refused is offered. In one statement.
///
/// # Errors
/// Those of the database.
pub async fn movable(conn: &mut Conn, caller: &Caller, of: &[Details]) -> Result<BTreeSet<LevelChangeId>> {
    let viewer = caller.viewer()?;
    let places = access::places(conn, &[viewer.user], &[]).await?;
    let may = |organization: OrganizationId, permission: Permission| {
        places.iter().any(|place| {
            place.organization == organization
                && viewer.sees(organization)
                && !place.standing.suspended
                && verdict(place.standing.role, permission) == Verdict::Allowed
        })
    };
    let movable = |one: &&Details| {
        let sides = moves::sides(&one.change, one.level);
        one.change.state.is_open() && sides.into_iter().any(|(organization, permission)| may(organization, permission))
    };
    Ok(of.iter().filter(movable).map(|one| one.change.id).collect())
}

/// Whether a role may accept at once, may only ask, or neither.
pub fn may_accept(seat: &Seat, level: Level) -> Verdict {
    verdict(seat.role, permission_of(level))
}
