//! What subscriptions do when projects come and go and when organizations are deleted.

use std::collections::BTreeSet;

use serde_json::json;
use stoa_domain::{
    events::EventKind,
    ids::OrganizationId,
    organizations::Organization,
    projects::Project,
    services::Service,
    subscriptions::{IncludeFuture, Subscription, SubscriptionState},
};
use stoa_store::{
    grants::{self, KeptGrant},
    organizations, requests as kept_requests, subscriptions,
};

use super::effects::concerned_all;
use crate::{Act, Error, Result, requests};

/// Locks an organization together with all its providers and subscribers, for changes that end up in the logs of all of
/// them. Comes before any other lock of the transaction, so that the order of the ids is kept.
///
/// # Errors
/// 404 when the organization is deleted.
pub async fn lock_partners(act: &mut Act, organization: OrganizationId) -> Result<()> {
    let mut parties = subscriptions::partners(&mut act.tx, organization).await?;
    parties.push(organization);
    let live = organizations::lock(&mut act.tx, &parties).await?;
    if live.contains(&organization) { Ok(()) } else { Err(Error::NotFound("organization")) }
}

/// A project was created: subscriptions of future projects take it in, or ask for it.
///
/// # Errors
/// Those of the database.
pub async fn project_created(act: &mut Act, organization: &Organization, project: &Project) -> Result<()> {
    let awaiting = subscriptions::list_awaiting_projects(&mut act.tx, organization.id).await?;
    if awaiting.is_empty() {
        return Ok(());
    }
    let names = concerned_all(&mut act.tx, &awaiting).await?;
    let new = json!([{"id": project.id, "name": project.name}]);
    let mut opened = Vec::new();
    let mut asks = Vec::new();
    for one in &awaiting {
        let Some(concerned) = names.get(&one.id) else { continue };
        match one.choice.for_new_project() {
            IncludeFuture::Yes => {
                opened.push(KeptGrant {
                    id: act.mint(),
                    subscription: one.id,
                    project: project.id,
                    since: act.now(),
                    until: None,
                    approved_by: one.approved_by,
                    request: None,
                });
                let data = concerned.data(json!({"added": new, "removed": [], "cause": "project_created"}));
                concerned.record(act, EventKind::SubscriptionProjectsChanged, data);
            }
            IncludeFuture::Ask => {
                let user = act.caller.user_id()?;
                asks.push((requests::for_projects(one, BTreeSet::from([project.id])), user));
            }
            IncludeFuture::No => {}
        }
    }
    grants::insert_many(&mut act.tx, organization.id, &opened).await?;
    requests::open_all(act, asks).await?;
    Ok(())
}

/// A project was deleted: nothing uses it any more, nothing asks for it, and subscriptions that served only it end.
///
/// # Errors
/// Those of the database.
pub async fn project_deleted(act: &mut Act, organization: OrganizationId, project: &Project) -> Result<()> {
    let now = act.now();
    let serving = subscriptions::list_serving(&mut act.tx, organization, project.id).await?;
    let names = concerned_all(&mut act.tx, &serving).await?;
    let gone = json!([{"id": project.id, "name": project.name}]);
    for one in &serving {
        let Some(concerned) = names.get(&one.id) else { continue };
        if one.project.is_some() {
            record_end(act, one, concerned, "project_deleted");
        } else {
            let data = concerned.data(json!({"added": [], "removed": gone, "cause": "project_deleted"}));
            concerned.record(act, EventKind::SubscriptionProjectsChanged, data);
        }
    }
    grants::close_project(&mut act.tx, organization, project.id, now).await?;
    subscriptions::end_of_project(&mut act.tx, organization, project.id, now).await?;
    subscriptions::forget_project(&mut act.tx, organization, project.id).await?;

    let mut over = kept_requests::list_open_adding(&mut act.tx, organization, project.id).await?;
    over.retain(|request| request.asked.add.iter().all(|id| *id == project.id) && request.asked.include_future.is_none());
    let ended: Vec<_> = serving.iter().filter(|one| one.project.is_some()).map(|one| one.id).collect();
    over.extend(kept_requests::list_open_of(&mut act.tx, organization, &ended).await?);
    requests::withdraw_all(act, over, "the project was deleted").await
}

fn record_end(act: &mut Act, one: &Subscription, concerned: &super::Concerned, cause: &str) {
    let (kind, state) = match one.state {
        SubscriptionState::Requested => (EventKind::SubscriptionWithdrawn, SubscriptionState::Withdrawn),
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
