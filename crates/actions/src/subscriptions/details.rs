//! Reading subscriptions, as those who subscribe and as those who provide.

use std::collections::{BTreeMap, BTreeSet};

use stoa_domain::{
    ids::{OrganizationId, ServiceId, SubscriptionId, UserId},
    organizations::Key,
    permissions::Permission,
    services::Service,
    setups::Setup,
    subscriptions::{Subscription, SubscriptionState},
    suspensions::{Ending, Suspension},
    time::Ts,
};
use stoa_store::{
    Conn,
    grants::{self, KeptGrant},
    level_changes, services, setups,
    subscriptions::{self, Candidate, Filter},
    suspensions, users,
};

use super::{
    Concerned,
    effects::{concerned_all, state_at},
};
use crate::{Act, Caller, Error, Result, Who, requests, seats, seats::Seat};

/// A grant with names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantDetails {
    /// The grant.
    pub grant: KeptGrant,
    /// The project, deleted or not.
    pub project: Candidate,
    /// The name of who approved it.
    pub approved_by: Option<(UserId, String)>,
}

/// A subscription with everything its page shows.
#[derive(Debug, Clone)]
pub struct Details {
    /// The subscription.
    pub subscription: Subscription,
    /// Who, whose and what, by name.
    pub concerned: Concerned,
    /// Who asked for it.
    pub requested_by: (UserId, String),
    /// The projects that the choice names.
    pub named: Vec<Candidate>,
    /// Its grants, in the order in which they were opened.
    pub grants: Vec<GrantDetails>,
    /// Its requests, oldest first.
    pub requests: Vec<requests::Details>,
    /// What held it up, the oldest first.
    pub suspensions: Vec<SuspensionDetails>,
    /// Ends that were decided for later, the oldest first.
    pub endings: Vec<EndingDetails>,
    /// The subscriptions that hold its projects, where it is their alias by a change of level.
    pub replaced_by: Vec<SubscriptionId>,
    /// Its setting up, as long as that goes on and where it failed.
    pub setup: Option<SetupDetails>,
}

impl Details {
    /// What holds it up now, where it is in force.
    pub fn held_by(&self) -> impl Iterator<Item = &SuspensionDetails> {
        let in_force = self.subscription.state.in_force();
        self.suspensions.iter().filter(move |one| in_force && one.suspension.until.is_none())
    }

    /// Whether it is in force as an alias of others by a change of level.
    pub fn is_alias(&self) -> bool {
        self.subscription.state.in_force() && !self.replaced_by.is_empty()
    }

    /// The same at an instant at which its decided end may have come without being written down yet: it is over then.
    #[must_use]
    fn seen_at(mut self, now: Ts) -> Self {
        if let Some(end) = end_come(&mut self.subscription, now) {
            for one in &mut self.grants {
                one.grant.until = Some(one.grant.end().map_or(end, |until| until.min(end)));
            }
        }
        self
    }

    /// The state at an instant: over from the decided end on.
    pub fn state_at(&self, now: Ts) -> SubscriptionState {
        state_at(&self.subscription, now)
    }
}

/// What held a subscription up, with names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuspensionDetails {
    /// The suspension.
    pub suspension: Suspension,
    /// Who set it; `None` when Stoa itself did.
    pub set_by: Option<(UserId, String)>,
    /// Who lifted it.
    pub lifted_by: Option<(UserId, String)>,
}

/// The setting up of a subscription, with names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetupDetails {
    /// The setting up.
    pub setup: Setup,
    /// Who said how it went; `None` for the service itself, and where the time was over.
    pub by: Option<(UserId, String)>,
}

/// An end that was decided for later, with names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndingDetails {
    /// The end.
    pub ending: Ending,
    /// Who decided it.
    pub set_by: Option<(UserId, String)>,
    /// Who took it back.
    pub undone_by: Option<(UserId, String)>,
}

/// A subscription as its provider sees it.
#[derive(Debug, Clone)]
pub struct Provided {
    /// The subscription.
    pub subscription: Subscription,
    /// Who, whose and what, by name.
    pub concerned: Concerned,
    /// The projects granted now.
    pub granted: Vec<Candidate>,
    /// What holds it up now.
    pub held_by: Vec<Suspension>,
    /// The subscriptions that hold its projects, where it is their alias by a change of level.
    pub replaced_by: Vec<SubscriptionId>,
    /// Its setting up, as long as that goes on and where it failed.
    pub setup: Option<SetupDetails>,
}

/// Takes a subscription for ended whose decided end has come by now without being written down yet; answers that end.
fn end_come(subscription: &mut Subscription, now: Ts) -> Option<Ts> {
    let state = state_at(subscription, now);
    if state == subscription.state {
        return None;
    }
    (subscription.state, subscription.ended_at) = (state, subscription.ends_at.take());
    subscription.ended_at
}

/// The setting up of those of some subscriptions that are not past it.
async fn setups_of(conn: &mut Conn, all: &[Subscription]) -> Result<BTreeMap<SubscriptionId, SetupDetails>> {
    let concerned = |one: &&Subscription| matches!(one.state, SubscriptionState::Provisioning | SubscriptionState::Failed);
    let ids: Vec<_> = all.iter().filter(concerned).map(|one| (one.organization, one.id)).collect();
    let found = setups::of(conn, &ids).await?;
    Ok(found.into_iter().map(|(id, (setup, by))| (id, SetupDetails { setup, by })).collect())
}

/// A page of an organization's subscriptions, newest first.
///
/// # Errors
/// 401, 404.
pub async fn list(conn: &mut Conn, caller: &Caller, org: &Key<OrganizationId>, filter: Filter, limit: i64) -> Result<(Seat, Vec<Details>)> {
    let seat = seats::allowed(conn, caller, org, Permission::View).await?;
    let page = subscriptions::list(conn, seat.organization.id, filter, limit).await?;
    let details = details(conn, seat.organization.id, page).await?;
    Ok((seat, details.into_iter().map(|one| one.seen_at(caller.now)).collect()))
}

/// One subscription of an organization.
///
/// # Errors
/// 401, 404.
pub async fn get(conn: &mut Conn, caller: &Caller, org: &Key<OrganizationId>, id: SubscriptionId) -> Result<(Seat, Details)> {
    let seat = seats::allowed(conn, caller, org, Permission::View).await?;
    let found = subscriptions::find(conn, seat.organization.id, id).await?.ok_or(Error::NotFound("subscription"))?;
    let details = of_one(conn, found).await?.seen_at(caller.now);
    Ok((seat, details))
}

/// The most subscriptions that are told to follow one.
const MOST_FOLLOWERS: i64 = 20;

/// The subscriptions that follow one, the oldest first, for those who were let see it: those of a change of level, and
/// subscribing again.
///
/// # Errors
/// Those of the database.
pub async fn followers(conn: &mut Conn, of: &Subscription) -> Result<Vec<SubscriptionId>> {
    Ok(subscriptions::followers(conn, of.organization, of.id, MOST_FOLLOWERS).await?)
}

/// Everything about a subscription that an action has just answered.
///
/// # Errors
/// Those of the database.
pub async fn of_one(conn: &mut Conn, subscription: Subscription) -> Result<Details> {
    let mut all = details(conn, subscription.organization, vec![subscription]).await?;
    all.pop().ok_or(Error::NotFound("subscription"))
}

/// Everything about a subscription that its person has just made and that is in force, from what is known of it.
pub(super) fn of_new(
    act: &Act,
    subscription: Subscription,
    concerned: Concerned,
    grants: Vec<KeptGrant>,
    candidates: &[Candidate],
) -> Result<Details> {
    let person = act.caller.person()?;
    let by = (person.id, person.name.clone());
    let mut grants: Vec<_> = grants
        .into_iter()
        .filter_map(|grant| {
            let project = candidates.iter().find(|one| one.id == grant.project)?.clone();
            let approved_by = grant.approved_by.map(|_| by.clone());
            Some(GrantDetails { grant, project, approved_by })
        })
        .collect();
    grants.sort_by_key(|one| one.grant.id);
    Ok(Details {
        setup: None,
        replaced_by: Vec::new(),
        named: candidates.iter().filter(|one| subscription.choice.projects.contains(&one.id)).cloned().collect(),
        subscription,
        concerned,
        requested_by: by,
        grants,
        requests: Vec::new(),
        suspensions: Vec::new(),
        endings: Vec::new(),
    })
}

/// Everything about several subscriptions of one organization, in a fixed number of statements.
async fn details(conn: &mut Conn, organization: OrganizationId, all: Vec<Subscription>) -> Result<Vec<Details>> {
    let ids: Vec<_> = all.iter().map(|one| one.id).collect();
    let mut concerned = concerned_all(conn, &all).await?;
    let history = grants::history(conn, organization, &ids).await?;
    let mut requests = requests::of_subscriptions(conn, organization, &ids).await?;
    let projects: BTreeSet<_> =
        history.iter().map(|one| one.project).chain(all.iter().flat_map(|one| one.choice.projects.iter().copied())).collect();
    let projects = subscriptions::project_names(conn, &[organization], &Vec::from_iter(projects)).await?;
    let suspensions = suspensions::history(conn, organization, &ids).await?;
    let endings = suspensions::endings(conn, organization, &ids).await?;
    let mut stand_ins = level_changes::stand_ins(conn, &ids).await?;
    let mut setups = setups_of(conn, &all).await?;
    let people: BTreeSet<_> = history
        .iter()
        .filter_map(|one| one.approved_by)
        .chain(all.iter().map(|one| one.requested_by))
        .chain(suspensions.iter().flat_map(|one| [one.set_by, one.lifted_by]).flatten())
        .chain(endings.iter().flat_map(|one| [one.set_by, one.undone_by]).flatten())
        .collect();
    let people: BTreeMap<_, _> = users::names(conn, &Vec::from_iter(people)).await?.into_iter().collect();
    let person = |id: UserId| (id, people.get(&id).cloned().unwrap_or_default());
    let by_id: BTreeMap<_, _> = projects.iter().map(|one| (one.id, one)).collect();
    let mut of: BTreeMap<SubscriptionId, Vec<GrantDetails>> = BTreeMap::new();
    for grant in history {
        if let Some(project) = by_id.get(&grant.project) {
            let approved_by = grant.approved_by.map(person);
            of.entry(grant.subscription).or_default().push(GrantDetails { grant, project: (*project).clone(), approved_by });
        }
    }
    let suspension = |one: &Suspension| SuspensionDetails {
        suspension: one.clone(),
        set_by: one.set_by.map(person),
        lifted_by: one.lifted_by.map(person),
    };
    let ending = |one: &Ending| EndingDetails { ending: one.clone(), set_by: one.set_by.map(person), undone_by: one.undone_by.map(person) };
    all.into_iter()
        .map(|one| {
            Ok(Details {
                suspensions: suspensions.iter().filter(|held| held.subscription == one.id).map(suspension).collect(),
                endings: endings.iter().filter(|end| end.subscription == one.id).map(ending).collect(),
                concerned: concerned.remove(&one.id).ok_or(Error::NotFound("subscription"))?,
                requested_by: person(one.requested_by),
                named: projects.iter().filter(|project| one.choice.projects.contains(&project.id)).cloned().collect(),
                grants: of.remove(&one.id).unwrap_or_default(),
                setup: setups.remove(&one.id),
                replaced_by: stand_ins.remove(&one.id).into_iter().flatten().collect(),
                requests: requests.extract_if(.., |request| request.request.subscription == Some(one.id)).collect(),
                subscription: one,
            })
        })
        .collect()
}

/// One subscription as its provider sees it, after an action of the provider.
///
/// # Errors
/// Those of the database.
pub async fn provided(conn: &mut Conn, one: Subscription, now: Ts) -> Result<Provided> {
    let all = provided_all(conn, vec![one], now).await?;
    all.into_iter().next().ok_or(Error::NotFound("subscription"))
}

/// One subscription of a service as its provider sees it, for those who were let see the service's subscriptions.
///
/// # Errors
/// 404.
pub async fn one_of_service(conn: &mut Conn, service: &Service, id: SubscriptionId, now: Ts) -> Result<Provided> {
    let found = subscriptions::find_by_id(conn, id).await?.filter(|found| found.service == service.id);
    provided(conn, found.ok_or(Error::NotFound("subscription"))?, now).await
}

/// A page of a service's subscriptions, newest first: for members of its provider, and for the service itself.
///
/// # Errors
/// 401, 403, 404.
pub async fn list_of_service(
    conn: &mut Conn,
    caller: &Caller,
    key: &Key<ServiceId>,
    filter: Filter,
    limit: i64,
) -> Result<(Service, Vec<Provided>)> {
    let service = services::find(conn, key).await?;
    if caller.who == Who::Anonymous {
        return Err(Error::Unauthenticated);
    }
    let service = service.ok_or(Error::NotFound("service"))?;
    match &caller.who {
        Who::Service(by) => by.speaks_for(&service)?,
        _ => drop(seats::allowed(conn, caller, &Key::Id(service.provider), Permission::View).await?),
    }
    let page = of_service(conn, &service, filter, caller.now, limit).await?;
    Ok((service, page))
}

/// A page of a service's subscriptions, newest first, for those who were let see it.
///
/// # Errors
/// Those of the database.
pub async fn of_service(conn: &mut Conn, service: &Service, filter: Filter, now: Ts, limit: i64) -> Result<Vec<Provided>> {
    let filter = Filter { service: Some(service.id), ..filter };
    let page = subscriptions::list_provided(conn, service.provider, filter, limit).await?;
    provided_all(conn, page, now).await
}

async fn provided_all(conn: &mut Conn, page: Vec<Subscription>, now: Ts) -> Result<Vec<Provided>> {
    let mut concerned = concerned_all(conn, &page).await?;
    let ids: Vec<_> = page.iter().map(|one| (one.organization, one.id)).collect();
    let live = grants::live_of(conn, &ids, now).await?;
    let held = suspensions::open_of(conn, &ids).await?;
    let mut stand_ins = level_changes::stand_ins(conn, &page.iter().map(|one| one.id).collect::<Vec<_>>()).await?;
    let organizations: BTreeSet<_> = page.iter().map(|one| one.organization).collect();
    let projects: BTreeSet<_> = live.iter().map(|one| one.project).collect();
    let projects = subscriptions::project_names(conn, &Vec::from_iter(organizations), &Vec::from_iter(projects)).await?;
    let granted: BTreeSet<_> = live.iter().map(|one| (one.subscription, one.project)).collect();
    let mut setups = setups_of(conn, &page).await?;
    let mut found = Vec::with_capacity(page.len());
    for mut one in page {
        let over = end_come(&mut one, now).is_some();
        let has = |project: &&Candidate| !over && granted.contains(&(one.id, project.id));
        found.push(Provided {
            concerned: concerned.remove(&one.id).ok_or(Error::NotFound("subscription"))?,
            granted: projects.iter().filter(has).cloned().collect(),
            replaced_by: stand_ins.remove(&one.id).into_iter().flatten().collect(),
            setup: setups.remove(&one.id),
            held_by: held.iter().filter(|held| held.subscription == one.id && one.state.in_force()).cloned().collect(),
            subscription: one,
        });
    }
    Ok(found)
}

/// The projects of an organization that a choice may name, by name; for those who were let see the organization.
///
/// # Errors
/// Those of the database.
pub async fn projects(conn: &mut Conn, seat: &Seat) -> Result<Vec<Candidate>> {
    Ok(subscriptions::candidates(conn, seat.organization.id).await?)
}
