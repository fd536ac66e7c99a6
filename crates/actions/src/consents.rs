//! Consents: keeping the evidence of what somebody agreed to, and reading it.

use serde_json::{Value, json};
use stoa_domain::{
    consents::{Consent, ConsentKind, TextHash, canonical_text, digits, text_hash},
    ids::{ConsentId, ContractId, OrganizationId, ProjectId, RequestId, SubscriptionId, UserId},
    organizations::Key,
    permissions::Permission,
    subscriptions::Subscription,
};
use stoa_store::{
    Conn, Tx, consents, services,
    subscriptions::{self, Offer},
    users,
};

use crate::{Act, Caller, Error, Result, seats};

/// What is consented to, and by whom.
pub(crate) struct Given {
    /// To what.
    pub kind: ConsentKind,
    /// Who did it, or asked for it.
    pub accepted_by: UserId,
    /// The request that was approved.
    pub request: Option<RequestId>,
    /// Who approved it; `None` where nothing had to be approved.
    pub approved_by: Option<UserId>,
}

impl Given {
    /// A consent that the caller gives, or that stands in the request that the caller approves.
    ///
    /// # Errors
    /// `users_only` (403) for an approval by anything but a person.
    pub(crate) fn now(act: &Act, kind: ConsentKind, accepted_by: UserId, request: Option<RequestId>) -> Result<Self> {
        let approved_by = request.map(|_| act.caller.user_id()).transpose()?;
        Ok(Self { kind, accepted_by, request, approved_by })
    }
}

/// Keeps a consent to the contract and plan that a subscription now has; answers what the event tells of it.
///
/// # Errors
/// Those of the database.
pub(crate) async fn keep(
    act: &mut Act,
    subscription: &Subscription,
    offer: &Offer,
    given: Given,
    projects: Vec<(ProjectId, String)>,
) -> Result<Value> {
    let text_hash = text_of(&mut act.tx, subscription.provider, subscription.contract).await?;
    keep_of(act, subscription, offer, given, projects, text_hash).await
}

/// Like [`keep`], where the hash of the contract's words was read already.
///
/// # Errors
/// Those of the database.
pub(crate) async fn keep_of(
    act: &mut Act,
    subscription: &Subscription,
    offer: &Offer,
    given: Given,
    projects: Vec<(ProjectId, String)>,
    text_hash: TextHash,
) -> Result<Value> {
    let consent = Consent {
        id: act.mint(),
        organization: subscription.organization,
        subscription: subscription.id,
        kind: given.kind,
        accepted_by: given.accepted_by,
        approved_by: given.approved_by,
        at: act.now(),
        provider: subscription.provider,
        contract: subscription.contract,
        version: offer.version,
        text_hash,
        permissions: offer.permissions.clone(),
        plan: subscription.plan,
        prices: offer.prices.clone(),
        projects,
        request: given.request,
    };
    consents::insert(&mut act.tx, &consent).await?;
    Ok(data(&consent))
}

/// The hash of a contract's text, which is kept with the first consent to it.
pub(crate) async fn text_of(tx: &mut Tx, provider: OrganizationId, id: ContractId) -> Result<TextHash> {
    if let Some((hash, _)) = consents::find_text(tx, provider, id).await? {
        return Ok(hash);
    }
    let contract = services::find_contract(tx, provider, id).await?.ok_or(Error::NotFound("contract"))?;
    let plans = services::list_plans(tx, provider, id).await?;
    let plans: Vec<_> = plans.into_iter().map(|kept| (kept.id, kept.plan)).collect();
    let text = canonical_text(&contract, &plans);
    let hash = text_hash(&text);
    consents::keep_text(tx, provider, id, hash, &text).await?;
    Ok(hash)
}

fn data(consent: &Consent) -> Value {
    let projects: Vec<_> = consent.projects.iter().map(|(id, name)| json!({"id": id, "name": name})).collect();
    json!({
        "id": consent.id, "kind": consent.kind, "accepted_by": consent.accepted_by, "approved_by": consent.approved_by,
        "contract": {"id": consent.contract, "version": consent.version, "text_sha256": digits(&consent.text_hash)},
        "permissions": consent.permissions, "plan": {"id": consent.plan, "prices": consent.prices}, "projects": projects,
    })
}

/// A consent with the names of who gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentDetails {
    /// The consent.
    pub consent: Consent,
    /// Who did it, or asked for it.
    pub accepted_by: (UserId, String),
    /// Who approved it.
    pub approved_by: Option<(UserId, String)>,
}

/// The consents of a subscription, oldest first. Before evidence was kept there is none.
///
/// # Errors
/// 401, 404.
pub async fn list(
    conn: &mut Conn,
    caller: &Caller,
    org: &Key<OrganizationId>,
    id: SubscriptionId,
    after: Option<ConsentId>,
    limit: i64,
) -> Result<Vec<ConsentDetails>> {
    let seat = seats::allowed(conn, caller, org, Permission::View).await?;
    let found = subscriptions::find(conn, seat.organization.id, id).await?.ok_or(Error::NotFound("subscription"))?;
    of_subscription(conn, &found, after, limit).await
}

/// The consents of a subscription, for those who were let see it.
///
/// # Errors
/// Those of the database.
pub(crate) async fn of_subscription(
    conn: &mut Conn,
    of: &Subscription,
    after: Option<ConsentId>,
    limit: i64,
) -> Result<Vec<ConsentDetails>> {
    let page = consents::list(conn, of.organization, of.id, after, limit).await?;
    with_names(conn, page).await
}

async fn with_names(conn: &mut Conn, page: Vec<Consent>) -> Result<Vec<ConsentDetails>> {
    let mut people: Vec<UserId> = page.iter().flat_map(|one| [Some(one.accepted_by), one.approved_by]).flatten().collect();
    people.sort_unstable();
    people.dedup();
    let names = users::names(conn, &people).await?;
    let person = |id: UserId| (id, names.iter().find(|(one, _)| *one == id).map(|(_, name)| name.clone()).unwrap_or_default());
    let details = |consent: Consent| ConsentDetails {
        accepted_by: person(consent.accepted_by),
        approved_by: consent.approved_by.map(person),
        consent,
    };
    Ok(page.into_iter().map(details).collect())
}

/// One consent with the words that were consented to, as they were hashed.
///
/// # Errors
/// 401, 404.
pub async fn get(
    conn: &mut Conn,
    caller: &Caller,
    org: &Key<OrganizationId>,
    subscription: SubscriptionId,
    id: ConsentId,
) -> Result<(ConsentDetails, String)> {
    let seat = seats::allowed(conn, caller, org, Permission::View).await?;
    let found = consents::find(conn, seat.organization.id, subscription, id).await?.ok_or(Error::NotFound("consent"))?;
    let text = consents::find_text(conn, found.provider, found.contract).await?.ok_or(Error::NotFound("contract"))?.1;
    let details = with_names(conn, vec![found]).await?.pop().ok_or(Error::NotFound("consent"))?;
    Ok((details, text))
}
