//! The map: which service runs on which project's data, with which permissions, since when and by whose approval.

use std::collections::{BTreeMap, BTreeSet};

use stoa_domain::{
    ids::{OrganizationId, ProjectId, ServiceId, UserId},
    organizations::Key,
    permissions::Permission,
    services::DataPermission,
    subscriptions::SubscriptionState,
    time::Ts,
};
use stoa_store::{
    Conn,
    grants::{self, KeptGrant, MapFilter},
    services,
    subscriptions::{self, Candidate},
    users,
};

use crate::{Caller, Error, Result, seats, seats::Seat};

/// Which part of the map.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MapQuery {
    /// As it was at this instant; now when absent.
    pub at: Option<Ts>,
    /// Of this service only.
    pub service: Option<Key<ServiceId>>,
    /// Of this project only.
    pub project: Option<Key<ProjectId>>,
}

/// One line of the map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapLine {
    /// The grant.
    pub grant: KeptGrant,
    /// The service's id, handle and name.
    pub service: (ServiceId, String, String),
    /// The project, deleted or not.
    pub project: Candidate,
    /// What the service may do with it.
    pub permissions: Vec<DataPermission>,
    /// Where the subscription was at that instant.
    pub state: SubscriptionState,
    /// Who approved it.
    pub approved_by: Option<(UserId, String)>,
}

/// A page of the map of an organization; `after` is subscription and grant of the last line of the page before.
///
/// # Errors
/// 401, 404.
pub async fn map(
    conn: &mut Conn,
    caller: &Caller,
    org: &Key<OrganizationId>,
    query: &MapQuery,
    after: Option<(stoa_domain::ids::SubscriptionId, stoa_domain::ids::GrantId)>,
    limit: i64,
) -> Result<(Seat, Vec<MapLine>)> {
    let seat = seats::allowed(conn, caller, org, Permission::View).await?;
    let organization = seat.organization.id;
    let service = match &query.service {
        None => None,
        Some(key) => match services::find(conn, key).await? {
            Some(service) => Some(service.id),
            None => return Ok((seat, Vec::new())),
        },
    };
    let project = match &query.project {
        None => None,
        Some(Key::Id(id)) => Some(*id),
        Some(Key::Handle(handle)) => match subscriptions::project_by_handle(conn, organization, handle).await? {
            Some(id) => Some(id),
            None => return Ok((seat, Vec::new())),
        },
    };
    let at = query.at.unwrap_or(caller.now);
    let rows = grants::map(conn, organization, MapFilter { at, service, project, after }, limit).await?;
    let lines = lines(conn, organization, caller.now, at, rows).await?;
    Ok((seat, lines))
}

async fn lines(conn: &mut Conn, organization: OrganizationId, now: Ts, at: Ts, rows: Vec<grants::MapRow>) -> Result<Vec<MapLine>> {
    let providers: BTreeSet<_> = rows.iter().map(|row| row.provider).collect();
    let plans: BTreeSet<_> = rows.iter().map(|row| row.plan).collect();
    let offers = subscriptions::offers(conn, &Vec::from_iter(providers), &Vec::from_iter(plans)).await?;
    let offers: BTreeMap<_, _> = offers.into_iter().map(|offer| (offer.plan, offer)).collect();
    let ids: BTreeSet<_> = rows.iter().map(|row| row.grant.project).collect();
    let projects = subscriptions::project_names(conn, &[organization], &Vec::from_iter(ids)).await?;
    let projects: BTreeMap<_, _> = projects.into_iter().map(|one| (one.id, one)).collect();
    let ids: BTreeSet<_> = rows.iter().filter_map(|row| row.grant.approved_by).collect();
    let people: BTreeMap<_, _> = users::names(conn, &Vec::from_iter(ids)).await?.into_iter().collect();
    rows.into_iter()
        .map(|row| {
            let offer = offers.get(&row.plan).ok_or(Error::NotFound("plan"))?;
            let over = at < now && !row.state.is_live();
            Ok(MapLine {
                service: (offer.service, offer.service_handle.clone(), offer.service_name.clone()),
                project: projects.get(&row.grant.project).cloned().ok_or(Error::NotFound("project"))?,
                permissions: offer.permissions.clone(),
                // A grant that is over now was in force then, whatever became of its subscription since.
                state: if over { SubscriptionState::Active } else { row.state },
                approved_by: row.grant.approved_by.map(|id| (id, people.get(&id).cloned().unwrap_or_default())),
                grant: row.grant,
            })
        })
        .collect()
}
