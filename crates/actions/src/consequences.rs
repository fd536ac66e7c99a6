//! What if: what ends before somebody deletes a project, removes a member or cancels a subscription. Each list is read by the
//! code that the act itself then goes by.

use std::collections::{BTreeMap, BTreeSet};

use stoa_domain::{
    amounts::Cost,
    groupings::{CostWord, Grouping},
    ids::{OrganizationId, ProjectId, RequestId, SubscriptionId, UserId},
    money::Currency,
    organizations::Key,
    periods::Period,
    permissions::{Permission, Verdict},
    requests::{Request, RequestKind},
    subscriptions::{Subscription, SubscriptionState},
    suspensions::{When, period_end},
    time::Ts,
};
use stoa_store::{
    Conn, projects, resources, services,
    subscriptions::{self as kept, Candidate},
};

use crate::{
    Caller, Error, Result, costs,
    members::{self, Leaving},
    seats, subscriptions,
};

/// A subscription that ends, or that loses projects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// The service's name.
    pub service: String,
    /// The provider's name.
    pub provider: String,
    /// Where the subscription is now.
    pub state: SubscriptionState,
    /// The projects it has no access to any more.
    pub projects: Vec<Candidate>,
}

/// A request that is withdrawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithdrawnRequest {
    /// The request.
    pub id: RequestId,
    /// What it asks for.
    pub kind: RequestKind,
    /// The service's name.
    pub service: String,
}

/// What ends with an act.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Consequences {
    /// Subscriptions that end.
    pub ended: Vec<Hit>,
    /// Subscriptions that go on without some projects.
    pub reduced: Vec<Hit>,
    /// Open requests that are withdrawn.
    pub requests: Vec<WithdrawnRequest>,
    /// Resources that are gone, and their bytes.
    pub resources: Option<(i64, i64)>,
    /// When it takes effect, where that is not at once.
    pub at: Option<Ts>,
    /// What was spent in this calendar month on what ends; it stays in the costs.
    pub spent: BTreeMap<Currency, Cost>,
    /// Whether the caller may do it at once or can only ask for it.
    pub needs_request: bool,
}

/// What the deletion of a project would end.
///
/// # Errors
/// 401, 404, 403.
pub async fn of_project(conn: &mut Conn, caller: &Caller, org: &Key<OrganizationId>, project: &Key<ProjectId>) -> Result<Consequences> {
    let seat = seats::allowed(conn, caller, org, Permission::ManageResources).await?;
    let organization = seat.organization.id;
    let project = projects::find(conn, organization, project).await?.ok_or(Error::NotFound("project"))?;
    let end = subscriptions::project_end(conn, organization, project.id, caller.now).await?;
    let lost = vec![Candidate { id: project.id, handle: project.handle, name: project.name, created_at: project.created_at }];
    let lost = |_: &Subscription| lost.clone();
    let part = costs::Part { subscriptions: None, projects: None };
    let costs = costs::of_part(conn, organization, part, caller.now, Period::month_of(caller.now.day())).await?;
    let mut spent = BTreeMap::new();
    for row in costs.summary(&Grouping::by(&[CostWord::Project]))?.rows {
        if row.key.project == Some(project.id) {
            spent.insert(row.key.currency, row.cost);
        }
    }
    Ok(Consequences {
        ended: hits(conn, &end.ended, lost).await?,
        reduced: hits(conn, &end.losing, lost).await?,
        requests: withdrawn(conn, end.requests).await?,
        resources: Some(resources::totals(conn, organization, project.id).await?),
        spent,
        ..Consequences::default()
    })
}

/// What the end of a subscription would take with it, at once or with the calendar month.
///
/// # Errors
/// 401, 404; 403 for who may not even ask for it.
pub async fn of_subscription(
    conn: &mut Conn,
    caller: &Caller,
    org: &Key<OrganizationId>,
    id: SubscriptionId,
    when: When,
) -> Result<Consequences> {
    let (seat, may) = seats::at_least_request(conn, caller, org, Permission::CancelSubscription).await?;
    let organization = seat.organization.id;
    let found = kept::find(conn, organization, id).await?.ok_or(Error::NotFound("subscription"))?;
    let (grants, open) = subscriptions::final_of(conn, &found, caller.now).await?;
    let ids: Vec<_> = grants.iter().map(|grant| grant.project).collect();
    let lost = kept::project_names(conn, &[organization], &ids).await?;
    let costs = costs::of_subscription(conn, &found, caller.now, Period::month_of(caller.now.day())).await?;
    Ok(Consequences {
        ended: hits(conn, std::slice::from_ref(&found), |_| lost.clone()).await?,
        requests: withdrawn(conn, open).await?,
        at: (when == When::PeriodEnd).then(|| period_end(caller.now)),
        spent: costs.summary(&Grouping::by(&[]))?.totals.into_iter().collect(),
        needs_request: may != Verdict::Allowed,
        ..Consequences::default()
    })
}

/// What a member would lose by going; for the member, and for those who may remove members.
///
/// # Errors
/// 401, 404, 403.
pub async fn of_member(conn: &mut Conn, caller: &Caller, org: &Key<OrganizationId>, user: UserId) -> Result<Leaving> {
    members::leaving(conn, caller, org, user).await
}

async fn hits(conn: &mut Conn, of: &[Subscription], lost: impl Fn(&Subscription) -> Vec<Candidate>) -> Result<Vec<Hit>> {
    let names = subscriptions::concerned_all(conn, of).await?;
    let hit = |one: &Subscription| {
        let concerned = names.get(&one.id)?;
        Some(Hit {
            subscription: one.id,
            service: concerned.offer.service_name.clone(),
            provider: concerned.provider.name.clone(),
            state: one.state,
            projects: lost(one),
        })
    };
    Ok(of.iter().filter_map(hit).collect())
}

async fn withdrawn(conn: &mut Conn, open: Vec<Request>) -> Result<Vec<WithdrawnRequest>> {
    let ids: BTreeSet<_> = open.iter().map(|request| request.service).collect();
    let names = services::names(conn, &Vec::from_iter(ids)).await?;
    let name = |request: &Request| names.iter().find(|(id, ..)| *id == request.service).map(|(_, _, name)| name.clone());
    let one = |request: Request| WithdrawnRequest { id: request.id, kind: request.kind, service: name(&request).unwrap_or_default() };
    Ok(open.into_iter().map(one).collect())
}
