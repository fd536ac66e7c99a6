//! Reading requests: one, the inbox, those of an organization.

use std::collections::{BTreeMap, BTreeSet};

use stoa_domain::{
    ids::{OrganizationId, RequestId, ServiceId, SubscriptionId, UserId},
    organizations::Key,
    permissions::Permission,
    requests::{Decision, DecisionRecord, Request, RequestKind, RequestState, Step},
    subscriptions::{Subscription, SubscriptionState},
};
use stoa_store::{
    Conn, grants, organizations,
    requests::{self, Counts, Wanted, Whose},
    services::{self, KeptPlan},
    subscriptions::{self, Candidate, Offer},
    users,
};

pub use stoa_store::organizations::Named;

use crate::{
    Caller, Error, Result,
    level_changes::{self, Outlook},
    seats,
    seats::Seat,
};

/// A request with names and decisions.
#[derive(Debug, Clone)]
pub struct Details {
    /// The request.
    pub request: Request,
    /// Who asks.
    pub organization: Named,
    /// The provider whose decision is needed too.
    pub provider: Option<Named>,
    /// The service's id, handle and name.
    pub service: (ServiceId, String, String),
    /// Who made it.
    pub requested_by: (UserId, String),
    /// The subscription it is about.
    pub subscription: Option<Subscription>,
    /// What that subscription accepts.
    pub offer: Option<Offer>,
    /// The contract and plan that are asked for, where another plan or contract is.
    pub asked: Option<Offer>,
    /// What a change of level that waits would come to now, for members of the organization that asks.
    pub outlook: Option<Outlook>,
    /// The projects it speaks of: those it adds, those the choice that is asked for names.
    pub projects: Vec<Candidate>,
    /// Who decided what, when and why.
    pub decisions: Vec<DecisionRecord>,
}

/// One request, for members of the organizations it concerns.
///
/// # Errors
/// 401, 404.
pub async fn get(conn: &mut Conn, caller: &Caller, id: RequestId) -> Result<Details> {
    let seen = super::seen(conn, caller, id).await?;
    of_one(conn, caller, seen.request).await
}

/// Everything about a request that an action has just answered.
///
/// # Errors
/// Those of the database.
pub async fn of_one(conn: &mut Conn, caller: &Caller, request: Request) -> Result<Details> {
    seen_by(conn, caller, vec![request]).await?.pop().ok_or(Error::NotFound("request"))
}

/// Which of the requests that the caller may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Those that wait for the caller: to be decided or, of the caller's own, to be explained.
    Waiting,
    /// Those that the caller may decide or, once closed, could have decided.
    Approver,
    /// Those that the caller made.
    Requester,
    /// All.
    All,
}

/// A page of the caller's requests over all organizations, newest first.
///
/// # Errors
/// 401.
pub async fn list(
    conn: &mut Conn,
    caller: &Caller,
    view: View,
    state: Wanted,
    before: Option<RequestId>,
    limit: i64,
) -> Result<Vec<Details>> {
    let viewer = caller.viewer()?;
    let whose = match view {
        View::Waiting => Whose::Waiting(&viewer, caller.now),
        View::Approver => Whose::Approver(&viewer, caller.now),
        View::Requester => Whose::Requester(&viewer),
        View::All => Whose::Member(&viewer),
    };
    let page = requests::list(conn, whose, state, before, limit).await?;
    seen_by(conn, caller, page).await
}

/// A page of the requests in which an organization asks or, as provider, decides; newest first.
///
/// # Errors
/// 401, 404.
pub async fn of_organization(
    conn: &mut Conn,
    caller: &Caller,
    org: &Key<OrganizationId>,
    state: Wanted,
    before: Option<RequestId>,
    limit: i64,
) -> Result<(Seat, Vec<Details>)> {
    let seat = seats::allowed(conn, caller, org, Permission::View).await?;
    let page = requests::list(conn, Whose::Organization(seat.organization.id), state, before, limit).await?;
    let details = seen_by(conn, caller, page).await?;
    Ok((seat, details))
}

/// The requests of several subscriptions of an organization, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn of_subscriptions(conn: &mut Conn, organization: OrganizationId, ids: &[SubscriptionId]) -> Result<Vec<Details>> {
    let found = requests::of_subscriptions(conn, organization, ids).await?;
    details(conn, found).await
}

/// What the caller may do with a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// Approve or reject it, or ask about it.
    pub may_decide: bool,
    /// Answer the question about it.
    pub may_answer: bool,
    /// Take it back.
    pub may_withdraw: bool,
    /// Whether the caller made it.
    pub own: bool,
}

/// What the caller may do with each of several requests that the caller was let see, in their order; in one statement.
///
/// # Errors
/// 401.
pub async fn standing(conn: &mut Conn, caller: &Caller, of: &[Details]) -> Result<Vec<Standing>> {
    let user = caller.user_id()?;
    let ids: Vec<_> = of.iter().map(|one| one.request.id).collect();
    let decidable = requests::decidable(conn, &caller.viewer()?, &ids, caller.now).await?;
    let standing = |one: &Details| {
        let own = one.request.requested_by == user;
        let state = one.request.state;
        Standing {
            may_decide: decidable.contains(&one.request.id),
            may_answer: own && state == RequestState::NeedsInfo,
            may_withdraw: own && state.is_open(),
            own,
        }
    };
    Ok(of.iter().map(standing).collect())
}

/// How many requests the caller's inbox has.
///
/// # Errors
/// 401.
pub async fn counts(conn: &mut Conn, caller: &Caller) -> Result<Counts> {
    Ok(requests::counts(conn, &caller.viewer()?, caller.now).await?)
}

/// How many requests wait for the caller: to be decided, or to be explained.
///
/// # Errors
/// 401.
pub async fn count_waiting(conn: &mut Conn, caller: &Caller) -> Result<u64> {
    Ok(counts(conn, caller).await?.waiting)
}

/// Whether the caller is a member of the organization that asks; for those who were let see the request.
///
/// # Errors
/// 401.
pub async fn is_of_asking(conn: &mut Conn, caller: &Caller, request: &Request) -> Result<bool> {
    Ok(!organizations::of_member(conn, &caller.viewer()?, &[request.organization]).await?.is_empty())
}

/// What an answer may choose instead of what is asked for.
#[derive(Debug, Clone, Default)]
pub struct Alternatives {
    /// The plans.
    pub plans: Vec<KeptPlan>,
    /// The projects, by name.
    pub projects: Vec<Candidate>,
}

/// What an answer to a question about a request may choose, for those who made it; of a new subscription the offering says it.
///
/// # Errors
/// Those of the database.
pub async fn alternatives(conn: &mut Conn, caller: &Caller, of: &Details) -> Result<Alternatives> {
    let request = &of.request;
    if caller.user_id()? != request.requested_by {
        return Ok(Alternatives::default());
    }
    let all = subscriptions::candidates(conn, request.organization).await?;
    let contract = match request.kind {
        RequestKind::AddProjects => return Ok(Alternatives { plans: Vec::new(), projects: all }),
        RequestKind::ChangePlan => of.subscription.as_ref().map(|one| one.contract),
        RequestKind::AcceptContract | RequestKind::ChangeLevel => request.asked.contract,
        RequestKind::Subscribe | RequestKind::Cancel | RequestKind::Publish => None,
    };
    let Some(contract) = contract else { return Ok(Alternatives::default()) };
    let provider = match &of.subscription {
        Some(subscription) => subscription.provider,
        None => services::find(conn, &Key::Id(request.service)).await?.ok_or(Error::NotFound("service"))?.provider,
    };
    let plans = services::list_plans(conn, provider, contract).await?;
    let concerned = match (request.kind, &of.subscription) {
        // A subscription of one project is accepted for it or not.
        (RequestKind::AcceptContract, Some(subscription)) if subscription.project.is_none() => {
            vec![(request.organization, subscription.id)]
        }
        (RequestKind::ChangeLevel, _) => {
            let parts = of.outlook.iter().flat_map(|outlook| &outlook.parts).filter(|part| part.state == SubscriptionState::Active);
            parts.map(|part| (request.organization, part.subscription)).collect()
        }
        _ => Vec::new(),
    };
    let live = grants::live_of(conn, &concerned, caller.now).await?;
    let granted: BTreeSet<_> = live.iter().map(|grant| grant.project).collect();
    Ok(Alternatives { plans, projects: all.into_iter().filter(|one| granted.contains(&one.id)).collect() })
}

/// Several requests as the caller sees them: what an organization asked and answered itself before the provider's turn is
/// read by its members only, and so is the rule that makes it wait.
async fn seen_by(conn: &mut Conn, caller: &Caller, all: Vec<Request>) -> Result<Vec<Details>> {
    let viewer = caller.viewer()?;
    let asking: BTreeSet<_> = all.iter().map(|one| one.organization).collect();
    let mine = organizations::of_member(conn, &viewer, &Vec::from_iter(asking)).await?;
    let levels: Vec<_> = all.iter().filter(|one| one.kind == RequestKind::ChangeLevel && mine.contains(&one.organization)).collect();
    let mut foreseen = level_changes::of_requests(conn, caller.now, &levels).await?;
    let mut found = details(conn, all).await?;
    for one in &mut found {
        if let Some(foreseen) = foreseen.remove(&one.request.id) {
            (one.asked, one.outlook) = (Some(foreseen.asked), foreseen.outlook);
        }
        if !mine.contains(&one.request.organization) {
            let own = |said: &DecisionRecord| said.step == Step::Internal && matches!(said.decision, Decision::Asked | Decision::Answered);
            one.decisions.retain(|said| !own(said));
            one.request.rule.clear();
        }
    }
    Ok(found)
}

/// Names and decisions of several requests, in a fixed number of statements.
async fn details(conn: &mut Conn, all: Vec<Request>) -> Result<Vec<Details>> {
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let parties: BTreeSet<_> = all.iter().flat_map(|one| [Some(one.organization), one.provider]).flatten().collect();
    let names: BTreeMap<_, _> = organizations::names(conn, &Vec::from_iter(parties)).await?.into_iter().map(|one| (one.id, one)).collect();
    let ids: BTreeSet<_> = all.iter().map(|one| one.service).collect();
    let services: BTreeMap<_, _> = services::names(conn, &Vec::from_iter(ids)).await?.into_iter().map(|one| (one.0, one)).collect();
    let ids: BTreeSet<_> = all.iter().map(|one| one.requested_by).collect();
    let people: BTreeMap<_, _> = users::names(conn, &Vec::from_iter(ids)).await?.into_iter().collect();
    let ids: BTreeSet<_> = all.iter().filter_map(|one| one.subscription).collect();
    let about = subscriptions::find_many(conn, &Vec::from_iter(ids)).await?;
    let providers: BTreeSet<_> = about.iter().map(|one| one.provider).collect();
    let plans: BTreeSet<_> = about.iter().map(|one| one.plan).chain(all.iter().filter_map(|one| one.asked.plan)).collect();
    let offers = subscriptions::offers(conn, &Vec::from_iter(providers), &Vec::from_iter(plans)).await?;
    let about: BTreeMap<_, _> = about.into_iter().map(|one| (one.id, one)).collect();
    let asking: BTreeSet<_> = all.iter().map(|one| one.organization).collect();
    let ids: BTreeSet<_> = all.iter().flat_map(|one| spoken_of(one, &about)).collect();
    let projects = subscriptions::project_names(conn, &Vec::from_iter(asking), &Vec::from_iter(ids)).await?;
    let ids: Vec<_> = all.iter().map(|one| one.id).collect();
    let mut decisions: BTreeMap<RequestId, Vec<DecisionRecord>> = BTreeMap::new();
    for (id, decision) in requests::decisions(conn, &ids).await? {
        decisions.entry(id).or_default().push(decision);
    }
    all.into_iter()
        .map(|request| {
            let spoken: BTreeSet<_> = spoken_of(&request, &about).into_iter().collect();
            let subscription = request.subscription.and_then(|id| about.get(&id).cloned());
            Ok(Details {
                organization: names.get(&request.organization).cloned().ok_or(Error::NotFound("organization"))?,
                provider: request.provider.and_then(|id| names.get(&id).cloned()),
                service: services.get(&request.service).cloned().ok_or(Error::NotFound("service"))?,
                requested_by: (request.requested_by, people.get(&request.requested_by).cloned().unwrap_or_default()),
                offer: subscription.as_ref().and_then(|one| offers.iter().find(|offer| offer.plan == one.plan).cloned()),
                asked: request.asked.plan.and_then(|plan| offers.iter().find(|offer| offer.plan == plan).cloned()),
                outlook: None,
                subscription,
                projects: projects.iter().filter(|one| spoken.contains(&one.id)).cloned().collect(),
                decisions: decisions.remove(&request.id).unwrap_or_default(),
                request,
            })
        })
        .collect()
}

fn spoken_of(request: &Request, about: &BTreeMap<SubscriptionId, Subscription>) -> Vec<stoa_domain::ids::ProjectId> {
    let asked = &request.asked;
    let choice = asked.choice.as_ref().or_else(|| request.subscription.and_then(|id| about.get(&id)).map(|one| &one.choice));
    asked.add.iter().chain(asked.consented.iter().flatten()).chain(choice.iter().flat_map(|choice| &choice.projects)).copied().collect()
}
