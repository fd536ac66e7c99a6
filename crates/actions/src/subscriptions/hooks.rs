//! What subscriptions do when projects come and go and when organizations are deleted.

use std::collections::BTreeSet;

use serde_json::json;
use stoa_domain::{
    events::EventKind,
    ids::{OrganizationId, ProjectId},
    organizations::Organization,
    permissions::Permission,
    projects::Project,
    requests::Request,
    services::Service,
    subscriptions::{IncludeFuture, Subscription, SubscriptionState},
    time::Ts,
};
use stoa_store::{
    Conn,
    grants::{self, KeptGrant},
    organizations, requests as kept_requests, subscriptions,
};

use super::{effects::concerned_all, ending};
use crate::{
    Act, Result, Stoa, requests,
    seats::{self, Seat},
};

/// Locks an organization together with all its providers and subscribers, for changes that end up in the logs of all of
/// them. Comes before any other lock of the transaction, so that the order of the ids is kept. The seat is looked up again
/// under the locks, as by [`seats::locked`].
///
/// # Errors
/// Those of [`seats::allowed`].
pub async fn lock_partners(act: &mut Act, seat: &Seat, permission: Permission) -> Result<Seat> {
    lock_partners_and(act, seat, permission, &[]).await
}

/// Like [`lock_partners`], with others beside.
pub(crate) async fn lock_partners_and(act: &mut Act, seat: &Seat, permission: Permission, others: &[OrganizationId]) -> Result<Seat> {
    let organization = seat.organization.id;
    let mut parties = subscriptions::partners(&mut act.tx, organization).await?;
    parties.extend(others);
    parties.push(organization);
    organizations::lock(&mut act.tx, &parties).await?;
    seats::still(act, seat, permission).await
}

/// A project was created: subscriptions of future projects take it in, or ask for it.
///
/// # Errors
/// Those of the database.
pub async fn project_created(act: &mut Act, organization: &Organization, project: &Project) -> Result<()> {
    let now = act.now();
    let awaiting = subscriptions::list_awaiting_projects(&mut act.tx, organization.id, now).await?;
    take_in(act, organization.id, project, &awaiting, "project_created").await
}

/// Subscriptions whose choice a project has come to be in, though nobody named it, grant it, ask for it, or leave it out, as
/// they do with future projects. Those that serve one project alone grant it.
pub(crate) async fn take_in(
    act: &mut Act,
    organization: OrganizationId,
    project: &Project,
    awaiting: &[Subscription],
    cause: &str,
) -> Result<()> {
    if awaiting.is_empty() {
        return Ok(());
    }
    let names = concerned_all(&mut act.tx, awaiting).await?;
    let new = json!([{"id": project.id, "name": project.name}]);
    let mut opened = Vec::new();
    let mut asks = Vec::new();
    for one in awaiting {
        let Some(concerned) = names.get(&one.id) else { continue };
        let future = if one.project.is_some() { IncludeFuture::Yes } else { one.choice.for_new_project() };
        match future {
            IncludeFuture::Yes => {
                opened.push(KeptGrant {
                    id: act.mint(),
                    subscription: one.id,
                    project: project.id,
                    since: act.now(),
                    until: None,
                    ends_at: None,
                    purpose: String::new(),
                    approved_by: one.approved_by,
                    request: None,
                });
                let data = concerned.data(json!({"added": new, "removed": [], "cause": cause}));
                concerned.record(act, EventKind::SubscriptionProjectsChanged, data);
            }
            IncludeFuture::Ask => {
                let user = act.caller.user_id()?;
                asks.push((requests::for_projects(one, BTreeSet::from([project.id])), user));
            }
            IncludeFuture::No => {}
        }
    }
    grants::insert_many(&mut act.tx, organization, &opened).await?;
    requests::open_all(act, asks).await?;
    Ok(())
}

/// What the deletion of a project takes with it; [`project_deleted`] does exactly this.
#[derive(Debug, Clone)]
pub(crate) struct ProjectEnd {
    /// The subscriptions that serve it alone, which end.
    pub ended: Vec<Subscription>,
    /// The subscriptions that lose it.
    pub losing: Vec<Subscription>,
    /// The open requests that ask for nothing else, or are of what ends; they are withdrawn.
    pub requests: Vec<Request>,
}

/// What the deletion of a project would take with it at an instant.
pub(crate) async fn project_end(conn: &mut Conn, organization: OrganizationId, project: ProjectId, now: Ts) -> Result<ProjectEnd> {
    let serving = subscriptions::list_serving(conn, organization, project, now).await?;
    let (ended, losing): (Vec<_>, Vec<_>) = serving.into_iter().partition(|one| one.project.is_some());
    let mut over = kept_requests::list_open_adding(conn, organization, project).await?;
    over.retain(|request| request.asked.add.iter().all(|id| *id == project) && request.asked.include_future.is_none());
    let ids: Vec<_> = ended.iter().map(|one| one.id).collect();
    over.extend(kept_requests::list_open_of(conn, organization, &ids).await?);
    Ok(ProjectEnd { ended, losing, requests: over })
}

/// A project was deleted: nothing uses it any more, nothing asks for it, and subscriptions that served only it end.
///
/// # Errors
/// Those of the database.
pub async fn project_deleted(act: &mut Act, organization: OrganizationId, project: &Project) -> Result<()> {
    let now = act.now();
    let end = project_end(&mut act.tx, organization, project.id, now).await?;
    let mut names = concerned_all(&mut act.tx, &[end.ended.as_slice(), end.losing.as_slice()].concat()).await?;
    let gone = json!([{"id": project.id, "name": project.name}]);
    for one in &end.ended {
        if let Some(concerned) = names.remove(&one.id) {
            record_end(act, one, &concerned, "project_deleted");
        }
    }
    for one in &end.losing {
        if let Some(concerned) = names.remove(&one.id) {
            let data = concerned.data(json!({"added": [], "removed": gone, "cause": "project_deleted"}));
            concerned.record(act, EventKind::SubscriptionProjectsChanged, data);
        }
    }
    grants::close_project(&mut act.tx, organization, project.id, now).await?;
    subscriptions::end_of_project(&mut act.tx, organization, project.id, now).await?;
    subscriptions::forget_project(&mut act.tx, organization, project.id).await?;
    requests::withdraw_all(act, end.requests, "the project was deleted").await
}

/// How many subscriptions one round of [`close_due`] looks at.
const ROUND: i64 = 200;

/// Closes the grants whose end has come, and says so in both logs. Any node may do so; each is closed once, because it is
/// looked at again under the locks of both organizations. Answers how many.
///
/// # Errors
/// Those of the database; the next round does what was left.
pub async fn close_due(stoa: &Stoa, now: Ts) -> Result<u64> {
    let mut conn = stoa.db.read().await?;
    let due = grants::due(&mut conn, now, ROUND).await?;
    drop(conn);
    let mut closed = 0;
    for (organization, id) in due {
        let Some((mut act, found)) = ending::begin_due(stoa, now, organization, id).await? else { continue };
        let mut over = grants::unclosed(&mut act.tx, organization, id).await?;
        over.retain(|grant| !grant.is_live(now));
        if over.is_empty() {
            continue;
        }
        closed += u64::try_from(over.len()).unwrap_or(0);
        close_over(&mut act, found, &over).await?;
        act.commit().await?;
    }
    Ok(closed)
}

async fn close_over(act: &mut Act, mut subscription: Subscription, over: &[KeptGrant]) -> Result<()> {
    let now = act.now();
    let gone: BTreeSet<_> = over.iter().map(|grant| grant.project).collect();
    let out = Vec::from_iter(gone.iter().copied());
    grants::close(&mut act.tx, subscription.organization, subscription.id, &out, now).await?;
    if subscription.project.is_none() {
        subscription.choice = subscription.choice.without(&gone);
        subscriptions::set_choice(&mut act.tx, &subscription).await?;
    }
    let names = subscriptions::project_names(&mut act.tx, &[subscription.organization], &out).await?;
    let removed: Vec<_> = names.iter().map(|one| json!({"id": one.id, "name": one.name})).collect();
    let concerned = super::concerned(&mut act.tx, &subscription).await?;
    let data = concerned.data(json!({"added": [], "removed": removed, "cause": "grant_ended"}));
    concerned.record(act, EventKind::SubscriptionProjectsChanged, data);
    Ok(())
}

fn record_end(act: &mut Act, one: &Subscription, concerned: &super::Concerned, cause: &str) {
    let (kind, state) = match one.state {
        state if state.is_ahead() => (EventKind::SubscriptionWithdrawn, SubscriptionState::Withdrawn),
        _ => (EventKind::SubscriptionEnded, SubscriptionState::Ended),
    };
    concerned.record(act, kind, concerned.data(json!({"state": state, "cause": cause})));
}

/// The subscriptions of a service that were only asked for are taken back, because it takes none any more.
///
/// # Errors
/// Those of the database.
pub(crate) async fn end_requested(act: &mut Act, service: &Service, ended: &[(Subscription, super::Concerned)], cause: &str) -> Result<()> {
    if ended.is_empty() {
        return Ok(());
    }
    let now = act.now();
    for (one, concerned) in ended {
        record_end(act, one, concerned, cause);
    }
    Ok(subscriptions::withdraw_requested(&mut act.tx, service.provider, service.id, now).await?)
}

/// An organization is being deleted: its live subscriptions, what it consumes and what others consume of it, end, and
/// nothing of it is asked for any more. Its partners are told in their logs.
///
/// # Errors
/// Those of the database.
pub async fn organization_deleted(act: &mut Act, organization: &Organization, live: &[Subscription]) -> Result<()> {
    let now = act.now();
    let names = concerned_all(&mut act.tx, live).await?;
    for one in live {
        if let Some(concerned) = names.get(&one.id) {
            let cause = if one.organization == organization.id { "organization_deleted" } else { "provider_deleted" };
            record_end(act, one, concerned, cause);
        }
    }
    let open = kept_requests::list_open_concerning(&mut act.tx, organization.id).await?;
    requests::withdraw_all(act, open, "the organization was deleted").await?;
    grants::close_organization(&mut act.tx, organization.id, now).await?;
    subscriptions::end_all(&mut act.tx, organization.id, now).await?;
    Ok(())
}
