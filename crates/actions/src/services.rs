//! Services: drafting and editing them, offering new contracts; in the rooms below, moving them through their lives,
//! their pictures, whom a private one is for, and what operators do with them.

pub mod audience;
pub mod images;
pub mod moves;
pub mod operating;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stoa_domain::{
    applications::Owner,
    contracts::{ContractDraft, PriceHint},
    events::{EventKind, Subject},
    ids::{ApplicationId, OrganizationId, ServiceId},
    naming,
    organizations::{Key, Organization},
    permissions::{Permission, Verdict},
    services::{Contract, Lack, Listing, NewService, Service, ServiceChange, ServiceState},
    subscriptions::Subscription,
    text::{self, Faults},
};
use stoa_store::{Conn, StoreError, applications, marketplace, organizations, services};

pub use moves::{Published, pause, publish, publish_now};
pub use stoa_store::services::{Demand, KeptPlan, OfferedService, SeenService, images::KeptImage};

use crate::{
    Act, Caller, Error, Result, handovers,
    seats::{self, Seat},
};

/// A service with its provider and what new subscriptions get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceDetails {
    /// The service.
    pub service: Service,
    /// Its provider.
    pub provider: Organization,
    /// The contract that new subscriptions get.
    pub contract: Contract,
    /// Its plans.
    pub plans: Vec<KeptPlan>,
    /// Its pictures, the icon first.
    pub images: Vec<KeptImage>,
}

/// Drafts a service with its first contract.
///
/// # Errors
/// 401, 404, 403; what is wrong with the input; `handle_taken` (409) when the handle that was asked for is taken.
pub async fn create(act: &mut Act, organization: &Key<OrganizationId>, new: NewService) -> Result<ServiceDetails> {
    create_listed(act, organization, new, Listing::default()).await
}

/// Like [`create`], with links and support.
///
/// # Errors
/// As [`create`].
pub async fn create_listed(act: &mut Act, organization: &Key<OrganizationId>, new: NewService, listing: Listing) -> Result<ServiceDetails> {
    // The organization before the application, in the order of whoever deletes the application at the same moment.
    let provider = seats::locked(act, organization, Permission::DraftServices).await?.organization;
    let mut faults = Faults::new();
    let application = new.application.parse().ok();
    let draft = new.check(&mut faults);
    let listing = listing.check(&mut faults);
    if let Some(application) = application
        && !lock_application(act, provider.id, application).await?
    {
        faults.add("/application", "write the id of an application that belongs to this organization");
    }
    let draft = faults.or(draft)?;
    let handle = free_handle(act, draft.text.handle.as_deref(), &draft.text.name).await?;
    let now = act.now();
    let id = act.mint();
    let (contract, plans) = mint_contract(act, id, 1, draft.contract);
    let service = Service {
        id,
        provider: provider.id,
        handle,
        application: draft.application,
        name: draft.text.name,
        summary: draft.text.summary,
        description: draft.text.description,
        categories: draft.text.categories,
        visibility: draft.visibility,
        state: ServiceState::Draft,
        contract: contract.id,
        created_at: now,
        updated_at: now,
        published_at: None,
        icon: None,
        links: listing.links,
        support: listing.support,
        deprecation: None,
        suspension: None,
        review_note: None,
    };
    services::insert(&mut act.tx, &service).await.map_err(|error| match error {
        StoreError::Duplicate { .. } => taken(),
        other => other.into(),
    })?;
    keep_contract(act, &service, &contract, &plans).await?;
    marketplace::index(&mut act.tx, &service, &provider).await?;
    let data = json!({
        "name": service.name, "handle": service.handle, "application": service.application, "summary": service.summary,
        "description": service.description, "categories": service.categories, "visibility": service.visibility,
        "links": service.links, "support": service.support, "contract": contract_data(&contract, &plans),
    });
    act.record(&[provider.id], EventKind::ServiceCreated, Subject::new("service", id), data);
    Ok(ServiceDetails { service, provider, contract, plans, images: Vec::new() })
}

/// Whether an application is there, belongs to the organization and, where a person asks, is seen by that person. Locked,
/// so that it is not deleted before what needs it is written.
pub(crate) async fn lock_application(act: &mut Act, organization: OrganizationId, application: ApplicationId) -> Result<bool> {
    if !applications::lock(&mut act.tx, application).await? {
        return Ok(false);
    }
    let found = applications::find(&mut act.tx, application).await?;
    Ok(found.is_some_and(|found| found.owner == Owner::Organization(organization)))
}

async fn free_handle(act: &mut Act, given: Option<&str>, name: &str) -> Result<String> {
    let wanted = given.map_or_else(|| text::handle_from(name, "service"), str::to_owned);
    if !services::handle_taken(&mut act.tx, &wanted).await? {
        return Ok(wanted);
    }
    if given.is_some() {
        return Err(taken());
    }
    Ok(naming::with_suffix(&wanted, act.mint::<ServiceId>()))
}

fn taken() -> Error {
    Error::conflict("handle_taken", "this handle is taken; choose another")
}

pub(crate) fn mint_contract(act: &Act, service: ServiceId, version: i64, draft: ContractDraft) -> (Contract, Vec<KeptPlan>) {
    let contract = Contract {
        id: act.mint(),
        service,
        version,
        level: draft.level,
        permissions: draft.permissions,
        terms_url: draft.terms_url,
        created_at: act.now(),
    };
    (contract, draft.plans.into_iter().map(|plan| KeptPlan { id: act.mint(), plan }).collect())
}

pub(crate) async fn keep_contract(act: &mut Act, service: &Service, contract: &Contract, plans: &[KeptPlan]) -> Result<()> {
    let bare: Vec<_> = plans.iter().map(|kept| kept.plan.clone()).collect();
    let price = PriceHint::of(&bare).ok_or_else(|| Error::fault("/plans", "write at least one plan"))?;
    Ok(services::insert_contract(&mut act.tx, service.provider, contract, &price, plans).await?)
}

pub(crate) fn contract_data(contract: &Contract, plans: &[KeptPlan]) -> Value {
    json!({
        "id": contract.id, "version": contract.version, "level": contract.level, "permissions": contract.permissions,
        "terms_url": contract.terms_url,
        "plans": plans.iter().map(|kept| json!({"id": kept.id, "plan": kept.plan})).collect::<Vec<_>>(),
    })
}

/// A page of the services an organization provides, by name; `after` is the sort key and id of the last one before.
///
/// # Errors
/// 401, 404.
pub async fn list(
    conn: &mut Conn,
    caller: &Caller,
    organization: &Key<OrganizationId>,
    after: Option<(&str, ServiceId)>,
    limit: i64,
) -> Result<(Seat, Vec<(String, OfferedService)>)> {
    let seat = seats::allowed(conn, caller, organization, Permission::View).await?;
    let page = services::list(conn, seat.organization.id, after, limit).await?;
    Ok((seat, page))
}

/// A service that the caller sees: any of the caller's own organizations and any that one of them subscribes, of others only
/// what has a page on the marketplace; a private one when one of the caller's organizations is named.
///
/// # Errors
/// 401, 404.
pub async fn seen(conn: &mut Conn, caller: &Caller, key: &Key<ServiceId>) -> Result<SeenService> {
    let seen = services::find_for(conn, key, &caller.viewer()?).await?;
    let sees = |seen: &SeenService| seen.role.is_some() || seen.subscribed || seen.service.seen_by(seen.named);
    seen.filter(sees).ok_or(Error::NotFound("service"))
}

/// Like [`seen`], the service alone.
///
/// # Errors
/// 401, 404.
pub async fn visible(conn: &mut Conn, caller: &Caller, key: &Key<ServiceId>) -> Result<Service> {
    Ok(seen(conn, caller, key).await?.service)
}

/// The service for a member of its provider whose role may do (or ask for) `permission`, with what the role may.
async fn own(conn: &mut Conn, caller: &Caller, key: &Key<ServiceId>, permission: Permission) -> Result<(Service, Verdict)> {
    let SeenService { service, provider_name, role, .. } = seen(conn, caller, key).await?;
    if role.is_none() {
        let detail = format!("you are not a member of {provider_name}; ask one of its maintainers to do this or to add you");
        return Err(Error::NotYours { detail });
    }
    let (_, verdict) = seats::at_least_request(conn, caller, &Key::Id(service.provider), permission).await?;
    Ok((service, verdict))
}

/// Like [`own`], for roles that may do it at once.
pub(crate) async fn own_at_once(conn: &mut Conn, caller: &Caller, key: &Key<ServiceId>, permission: Permission) -> Result<Service> {
    let (service, verdict) = own(conn, caller, key, permission).await?;
    if verdict != Verdict::Allowed {
        seats::allowed(conn, caller, &Key::Id(service.provider), permission).await?;
    }
    Ok(service)
}

/// Like [`own_at_once`], read under the provider's lock so that two changes at the same moment see each other.
async fn own_locked(act: &mut Act, key: &Key<ServiceId>, permission: Permission) -> Result<Service> {
    let (conn, caller) = act.reading();
    let service = own_at_once(conn, caller, key, permission).await?;
    organizations::lock(&mut act.tx, &[service.provider]).await?;
    own_again(act, &service, permission).await
}

/// The service read under its provider's lock.
pub(crate) async fn locked(act: &mut Act, service: &Service) -> Result<Service> {
    organizations::lock(&mut act.tx, &[service.provider]).await?;
    again(act, service).await
}

/// A service whose provider was locked, for who may still do this at once.
pub(crate) async fn own_again(act: &mut Act, seen: &Service, permission: Permission) -> Result<Service> {
    let (conn, caller) = act.reading();
    let service = own_at_once(conn, caller, &Key::Id(seen.id), permission).await?;
    if service.provider == seen.provider { Ok(service) } else { Err(handovers::moved()) }
}

/// A service whose provider was locked, read once more.
async fn again(act: &mut Act, seen: &Service) -> Result<Service> {
    let service = services::find(&mut act.tx, &Key::Id(seen.id)).await?.ok_or(Error::NotFound("service"))?;
    if service.provider == seen.provider { Ok(service) } else { Err(handovers::moved()) }
}

/// A service with its provider, contract and plans.
///
/// # Errors
/// 401, 404.
pub async fn get(conn: &mut Conn, caller: &Caller, key: &Key<ServiceId>) -> Result<ServiceDetails> {
    let service = visible(conn, caller, key).await?;
    details(conn, service).await
}

/// The service of a subscription that the caller was let see.
///
/// # Errors
/// Those of the database.
pub async fn of_subscription(conn: &mut Conn, subscription: &Subscription) -> Result<Option<Service>> {
    Ok(services::find(conn, &Key::Id(subscription.service)).await?)
}

/// The provider, contract and plans of a service that the caller was let see.
///
/// # Errors
/// 404 when its provider was deleted.
pub async fn details(conn: &mut Conn, service: Service) -> Result<ServiceDetails> {
    let provider = organizations::find(conn, service.provider).await?.ok_or(Error::NotFound("service"))?;
    let contract = services::find_contract(conn, service.provider, service.contract).await?.ok_or(Error::NotFound("contract"))?;
    let plans = services::list_plans(conn, service.provider, service.contract).await?;
    let images = services::images::list(conn, service.provider, service.id).await?;
    Ok(ServiceDetails { service, provider, contract, plans, images })
}

/// What a service lacks, for those who were let see its provider's side of it.
///
/// # Errors
/// Those of the database.
pub async fn missing(conn: &mut Conn, service: &Service) -> Result<Vec<Lack>> {
    let beside = services::beside(conn, service).await?;
    Ok(stoa_domain::services::missing(service, beside))
}

/// Changes a service's texts, categories, visibility, links and support.
///
/// # Errors
/// 401, 404, 403, 422.
pub async fn update(act: &mut Act, key: &Key<ServiceId>, change: ServiceChange) -> Result<ServiceDetails> {
    let before = own_locked(act, key, Permission::DraftServices).await?;
    let mut service = change.apply(&before)?;
    if service != before {
        service.updated_at = act.now();
        services::update(&mut act.tx, &service).await?;
        let subject = Subject::new("service", service.id);
        act.record(&[service.provider], EventKind::ServiceUpdated, subject, difference(&before, &service));
    }
    let details = details(&mut act.tx, service).await?;
    marketplace::index(&mut act.tx, &details.service, &details.provider).await?;
    Ok(details)
}

fn difference(from: &Service, to: &Service) -> Value {
    let mut changes = serde_json::Map::new();
    let mut note = |what: &str, from: Value, to: Value| {
        if from != to {
            changes.insert(what.to_owned(), json!({"from": from, "to": to}));
        }
    };
    note("name", json!(from.name), json!(to.name));
    note("summary", json!(from.summary), json!(to.summary));
    note("description", json!(from.description), json!(to.description));
    note("categories", json!(from.categories), json!(to.categories));
    note("visibility", json!(from.visibility), json!(to.visibility));
    note("links", json!(from.links), json!(to.links));
    note("support", json!(from.support), json!(to.support));
    json!({"service": to.name, "changes": changes})
}

/// The demand for the services of an organization (or for one of them), for those who were let see it.
///
/// # Errors
/// Those of the database.
pub async fn demand(conn: &mut Conn, seat: &Seat, service: Option<ServiceId>) -> Result<BTreeMap<ServiceId, Demand>> {
    Ok(services::demand(conn, seat.organization.id, service).await?.into_iter().collect())
}

/// A service of an organization with what is beside it, for a member whose role may do `permission` (or ask for it).
///
/// # Errors
/// 401, 404, 403.
pub async fn of_organization(
    conn: &mut Conn,
    caller: &Caller,
    organization: &Key<OrganizationId>,
    key: &Key<ServiceId>,
    permission: Permission,
) -> Result<(Seat, ServiceDetails)> {
    let (seat, _) = seats::at_least_request(conn, caller, organization, permission).await?;
    let service = services::find(conn, key).await?.filter(|service| service.provider == seat.organization.id);
    let details = details(conn, service.ok_or(Error::NotFound("service"))?).await?;
    Ok((seat, details))
}
