//! The map: which service runs on which project's data, with which permissions, since when, by whose approval and at what
//! cost; now and at any time.

use std::collections::{BTreeMap, BTreeSet};

use stoa_domain::{
    amounts::Cost,
    groupings::{CostWord, Grouping},
    ids::{GrantId, OrganizationId, PlanId, ProjectId, ServiceId, SubscriptionId, UserId},
    money::Currency,
    organizations::Key,
    periods::Period,
    permissions::Permission,
    services::DataPermission,
    subscriptions::SubscriptionState,
    time::Ts,
};
use stoa_store::{
    Conn, consents,
    grants::KeptGrant,
    map::{self as kept, MapFilter, MapRow},
    organizations::{self, Named},
    services,
    subscriptions::{self, Candidate, Offer},
    users,
};

pub use stoa_store::map::{MapColumn, MapProject};

use crate::{Caller, Error, Result, costs, seats, seats::Seat};

/// Which part of the map.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MapQuery {
    /// As it was at this instant; now when absent.
    pub at: Option<Ts>,
    /// Of this service only.
    pub service: Option<Key<ServiceId>>,
    /// Of this provider only.
    pub provider: Option<Key<OrganizationId>>,
    /// Of this project only.
    pub project: Option<Key<ProjectId>>,
    /// Of services that may do this only.
    pub permission: Option<DataPermission>,
    /// Of subscriptions that were in this state only.
    pub state: Option<SubscriptionState>,
}

impl MapQuery {
    /// Whether it asks for less than everything.
    pub fn is_filtered(&self) -> bool {
        *self != Self { at: self.at, ..Self::default() }
    }
}

/// What a service costs for a project in the calendar month of the instant asked for, as far as it is known.
pub type Costs = BTreeMap<Currency, Cost>;

/// One line of the map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapLine {
    /// The grant.
    pub grant: KeptGrant,
    /// What tells the subscription apart from others of the same service.
    pub label: String,
    /// The service's id, handle and name.
    pub service: (ServiceId, String, String),
    /// Who provides it.
    pub provider: Named,
    /// The project, deleted or not.
    pub project: Candidate,
    /// What the service may do with it.
    pub permissions: Vec<DataPermission>,
    /// Where the subscription was at that instant.
    pub state: SubscriptionState,
    /// When it ended or will end, as far as that is known now.
    pub until: Option<Ts>,
    /// Who approved it.
    pub approved_by: Option<(UserId, String)>,
    /// What the service costs for this project in the calendar month.
    pub costs: Costs,
}

/// A filter with all it names looked up; `None` when it names something that is not there, so that nothing fits.
async fn filter(conn: &mut Conn, organization: OrganizationId, now: Ts, query: &MapQuery) -> Result<Option<MapFilter>> {
    let mut filter = MapFilter { state: query.state, ..MapFilter::at(query.at.unwrap_or(now)) };
    if let Some(key) = &query.service {
        let Some(service) = services::find(conn, key).await? else { return Ok(None) };
        filter.service = Some(service.id);
    }
    if let Some(key) = &query.provider {
        let id = match key {
            Key::Id(id) => Some(*id),
            Key::Handle(handle) => kept::provider_by_handle(conn, handle).await?,
        };
        let Some(id) = id else { return Ok(None) };
        filter.provider = Some(id);
    }
    if let Some(key) = &query.project {
        let id = match key {
            Key::Id(id) => Some(*id),
            Key::Handle(handle) => subscriptions::project_by_handle(conn, organization, handle).await?,
        };
        let Some(id) = id else { return Ok(None) };
        filter.projects = Some(vec![id]);
    }
    if let Some(permission) = query.permission {
        let all = kept::plans(conn, organization).await?;
        let offers = offers(conn, all).await?;
        let allowing = offers.into_values().filter(|offer| offer.permissions.contains(&permission));
        filter.plans = Some(allowing.map(|offer| offer.plan).collect());
    }
    Ok(Some(filter))
}

async fn offers(conn: &mut Conn, of: impl IntoIterator<Item = (OrganizationId, PlanId)>) -> Result<BTreeMap<PlanId, Offer>> {
    let (providers, plans): (BTreeSet<_>, BTreeSet<_>) = of.into_iter().unzip();
    let offers = subscriptions::offers(conn, &Vec::from_iter(providers), &Vec::from_iter(plans)).await?;
    Ok(offers.into_iter().map(|offer| (offer.plan, offer)).collect())
}

/// A page of the map of an organization; `after` is subscription and grant of the last line of the page before.
///
/// # Errors
/// 401, 404; `amount_too_large` (422).
pub async fn list(
    conn: &mut Conn,
    caller: &Caller,
    org: &Key<OrganizationId>,
    query: &MapQuery,
    after: Option<(SubscriptionId, GrantId)>,
    limit: i64,
) -> Result<(Seat, Vec<MapLine>)> {
    let seat = seats::allowed(conn, caller, org, Permission::View).await?;
    let organization = seat.organization.id;
    let Some(filter) = filter(conn, organization, caller.now, query).await? else { return Ok((seat, Vec::new())) };
    let filter = MapFilter { after, ..filter };
    let rows = kept::list(conn, organization, &filter, limit).await?;
    let lines = lines(conn, organization, caller.now, filter.at, rows).await?;
    Ok((seat, lines))
}

/// The lines with names and costs, in a fixed number of statements.
async fn lines(conn: &mut Conn, organization: OrganizationId, now: Ts, at: Ts, mut rows: Vec<MapRow>) -> Result<Vec<MapLine>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let subscribed: BTreeSet<_> = rows.iter().map(|row| row.grant.subscription).collect();
    let subscribed = Vec::from_iter(subscribed);
    let accepted = consents::latest_accepted(conn, organization, &subscribed, at).await?;
    for grant in rows.iter_mut().map(|row| &mut row.grant) {
        // What the service may do since another contract was accepted is by the approval of that.
        if let Some(consent) = accepted.iter().find(|one| one.subscription == grant.subscription && one.at > grant.since) {
            (grant.approved_by, grant.request) = (consent.approved_by.or(Some(consent.accepted_by)), consent.request);
        }
    }
    let offers = offers(conn, rows.iter().map(|row| (row.provider, row.plan))).await?;
    let ids: BTreeSet<_> = rows.iter().map(|row| row.provider).collect();
    let providers: BTreeMap<_, _> = organizations::names(conn, &Vec::from_iter(ids)).await?.into_iter().map(|one| (one.id, one)).collect();
    let ids: BTreeSet<_> = rows.iter().map(|row| row.grant.project).collect();
    let ids = Vec::from_iter(ids);
    let projects = subscriptions::project_names(conn, &[organization], &ids).await?;
    let projects: BTreeMap<_, _> = projects.into_iter().map(|one| (one.id, one)).collect();
    let people: BTreeSet<_> = rows.iter().filter_map(|row| row.grant.approved_by).collect();
    let people: BTreeMap<_, _> = users::names(conn, &Vec::from_iter(people)).await?.into_iter().collect();
    let part = costs::Part { subscriptions: Some(&subscribed), projects: Some(&ids) };
    let mut spent = spent(conn, organization, part, now, at).await?;
    rows.into_iter()
        .map(|row| {
            let offer = offers.get(&row.plan).ok_or(Error::NotFound("plan"))?;
            let until = [row.grant.end(), row.ends_at].into_iter().flatten().min();
            Ok(MapLine {
                label: row.label,
                service: (offer.service, offer.service_handle.clone(), offer.service_name.clone()),
                provider: providers.get(&row.provider).cloned().ok_or(Error::NotFound("organization"))?,
                project: projects.get(&row.grant.project).cloned().ok_or(Error::NotFound("project"))?,
                permissions: offer.permissions.clone(),
                state: row.state,
                until,
                approved_by: row.grant.approved_by.map(|id| (id, people.get(&id).cloned().unwrap_or_default())),
                costs: spent.remove(&(row.grant.subscription, row.grant.project)).unwrap_or_default(),
                grant: row.grant,
            })
        })
        .collect()
}

/// What each subscription costs for each project in the calendar month of an instant, from the same lines as all costs.
async fn spent(
    conn: &mut Conn,
    organization: OrganizationId,
    part: costs::Part<'_>,
    now: Ts,
    at: Ts,
) -> Result<BTreeMap<(SubscriptionId, ProjectId), Costs>> {
    let month = Period::month_of(at.day());
    let costs = costs::of_part(conn, organization, part, now, month).await?;
    let summary = costs.summary(&Grouping::by(&[CostWord::Subscription, CostWord::Project]))?;
    let mut spent: BTreeMap<_, Costs> = BTreeMap::new();
    for row in summary.rows {
        if let (Some(subscription), Some(project)) = (row.key.subscription, row.key.project) {
            spent.entry((subscription, project)).or_default().insert(row.key.currency, row.cost);
        }
    }
    Ok(spent)
}

/// The map as a matrix: a page of projects by all subscriptions.
#[derive(Debug, Clone)]
pub struct Matrix {
    /// The projects of the page, by name; one more than asked for when there are more.
    pub projects: Vec<MapProject>,
    /// The subscriptions that were in force, by the name of the service.
    pub columns: Vec<MapColumn>,
    /// Whether there are more subscriptions than that.
    pub more_columns: bool,
    /// What runs where.
    pub cells: BTreeMap<(ProjectId, SubscriptionId), MapLine>,
}

/// The most subscriptions that a matrix shows.
pub const MOST_COLUMNS: i64 = 200;

/// A page of the map as a matrix; `after` is name and id of the last project of the page before.
///
/// # Errors
/// 401, 404; `amount_too_large` (422).
pub async fn matrix(
    conn: &mut Conn,
    caller: &Caller,
    org: &Key<OrganizationId>,
    query: &MapQuery,
    after: Option<(&str, ProjectId)>,
    limit: i64,
) -> Result<(Seat, Matrix)> {
    let seat = seats::allowed(conn, caller, org, Permission::View).await?;
    let organization = seat.organization.id;
    let mut matrix = Matrix { projects: Vec::new(), columns: Vec::new(), more_columns: false, cells: BTreeMap::new() };
    let Some(filter) = filter(conn, organization, caller.now, query).await? else { return Ok((seat, matrix)) };
    let only = filter.projects.as_ref().and_then(|projects| projects.first().copied());
    matrix.projects = kept::projects(conn, organization, filter.at, only, after, limit).await?;
    matrix.columns = kept::columns(conn, organization, &filter, MOST_COLUMNS + 1).await?;
    let most = usize::try_from(MOST_COLUMNS).unwrap_or(usize::MAX);
    matrix.more_columns = matrix.columns.len() > most;
    matrix.columns.truncate(most);
    let shown = matrix.projects.iter().map(|one| one.id).collect();
    let filter = MapFilter { projects: Some(shown), ..filter };
    let rows = kept::list(conn, organization, &filter, i64::MAX).await?;
    let lines = lines(conn, organization, caller.now, filter.at, rows).await?;
    matrix.cells = lines.into_iter().map(|line| ((line.grant.project, line.grant.subscription), line)).collect();
    Ok((seat, matrix))
}

/// What the map of an instant can be filtered by: the subscriptions that were in force and the projects that were there; for
/// those who were let see it.
///
/// # Errors
/// Those of the database.
pub async fn choices(conn: &mut Conn, seat: &Seat, at: Ts) -> Result<(Vec<MapColumn>, Vec<MapProject>)> {
    let organization = seat.organization.id;
    let columns = kept::columns(conn, organization, &MapFilter::at(at), i64::MAX).await?;
    let projects = kept::projects(conn, organization, at, None, None, i64::MAX).await?;
    Ok((columns, projects))
}
