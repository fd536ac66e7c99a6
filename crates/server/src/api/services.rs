//! Services and their contracts.

pub mod audience;
pub mod images;
mod listing;
pub mod moves;
pub mod operating;

use axum::{Json, http::StatusCode, response::IntoResponse};
use serde::{Deserialize, Serialize};
use stoa_actions::services::{self, KeptPlan, OfferedService, Published, ServiceDetails};
use stoa_domain::{
    contracts::{NewContract, PriceHint},
    ids::{ApplicationId, ContractId, OrganizationId, PlanId, RequestId, ServiceId},
    meters::{Plan, PlanInput},
    money::Money,
    organizations::{Key, Organization},
    requests::{Request, RequestState},
    services::{
        Contract, DataPermission, Lack, Level, Listing, NamedLink, NewService, Service, ServiceChange, ServiceState, ServiceText,
        Visibility,
    },
    time::Ts,
};
use utoipa::ToSchema;

pub use listing::{DeprecationView, LackView, LinkView};

use crate::{
    extract::{Api, ApiJson, ApiMaybe, ApiPath, ApiQuery, ApiResult, answer},
    paging::{Page, Paging},
    problem::Refusals,
};

/// Who provides a service.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProviderView {
    /// `org_…`
    #[schema(value_type = String)]
    pub id: OrganizationId,
    /// Its URL-safe name.
    pub handle: String,
    /// Its name.
    pub name: String,
}

impl From<&Organization> for ProviderView {
    fn from(organization: &Organization) -> Self {
        Self { id: organization.id, handle: organization.handle.clone(), name: organization.name.clone() }
    }
}

/// An amount in a currency, for the API document.
#[derive(ToSchema)]
#[schema(as = Money)]
pub struct MoneyDocument {
    /// A decimal string, such as `12.50`.
    pub amount: String,
    /// ISO 4217.
    pub currency: String,
}

/// A step of a tiered price, for the API document.
#[derive(ToSchema)]
#[schema(as = Tier)]
pub struct TierDocument {
    /// The last quantity it covers; `null` in the last tier.
    pub up_to: Option<String>,
    /// Price of one unit.
    pub unit_price: String,
    /// Charged once when the tier is reached.
    pub flat_fee: Option<String>,
}

/// What a plan counts and charges for, for the API document.
#[derive(ToSchema)]
#[schema(as = Meter)]
pub struct MeterDocument {
    /// Its name, unique in the plan; usage is reported under it.
    pub name: String,
    /// What is counted.
    pub unit: String,
    /// `standard` (default), `graduated`, `volume` or `package`.
    pub charge_model: Option<String>,
    /// For `standard`: a decimal string.
    pub unit_price: Option<String>,
    /// For `graduated` and `volume`.
    pub tiers: Option<Vec<TierDocument>>,
    /// For `package`: units in a package.
    pub package_size: Option<String>,
    /// For `package`: price of a package.
    pub package_price: Option<String>,
    /// The part of each month's quantity that is not charged.
    pub free_units: Option<String>,
}

/// What subscribers pay, for the API document.
#[derive(ToSchema)]
#[schema(as = NewPlan)]
pub struct PlanDocument {
    /// Its name, unique in the contract.
    pub name: String,
    /// The currency of all its prices, by ISO 4217.
    pub currency: String,
    /// Charged once: a decimal string.
    pub one_time: Option<String>,
    /// Base fee of a calendar month.
    pub monthly: Option<String>,
    /// Fee of a calendar month for each granted project.
    pub monthly_per_project: Option<String>,
    /// What is charged by quantity; at most 500.
    pub meters: Option<Vec<MeterDocument>>,
}

/// A plan.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PlanView {
    /// `pln_…`
    #[schema(value_type = String)]
    pub id: PlanId,
    /// What it costs.
    #[serde(flatten)]
    #[schema(value_type = PlanDocument)]
    pub plan: Plan,
}

impl From<KeptPlan> for PlanView {
    fn from(kept: KeptPlan) -> Self {
        Self { id: kept.id, plan: kept.plan }
    }
}

/// One immutable version of what a service offers.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ContractView {
    /// `ctr_…`
    #[schema(value_type = String)]
    pub id: ContractId,
    /// 1, 2, 3, …
    pub version: i64,
    /// `organization` or `project`.
    #[schema(value_type = String)]
    pub level: Level,
    /// What the service may do with granted projects' data.
    #[schema(value_type = Vec<String>)]
    pub permissions: Vec<DataPermission>,
    /// Where the terms are to be read.
    pub terms_url: Option<String>,
    /// What subscribers choose from; left out in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub plans: Option<Vec<PlanView>>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Ts,
}

impl ContractView {
    /// A contract, with its plans where they are shown.
    pub fn new(contract: Contract, plans: Option<Vec<KeptPlan>>) -> Self {
        Self {
            id: contract.id,
            version: contract.version,
            level: contract.level,
            permissions: contract.permissions,
            terms_url: contract.terms_url,
            plans: plans.map(|plans| plans.into_iter().map(PlanView::from).collect()),
            created_at: contract.created_at,
        }
    }
}

/// The price a service is advertised with.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PriceView {
    /// `free`, `unit`, `project_month`, `month` or `once`.
    pub basis: &'static str,
    /// The price; zero when free.
    #[schema(value_type = MoneyDocument)]
    pub price: Money,
    /// The unit, where it is for one.
    pub unit: Option<String>,
    /// Whether there are other prices beside it.
    pub from: bool,
    /// In words.
    pub text: String,
}

impl From<PriceHint> for PriceView {
    fn from(hint: PriceHint) -> Self {
        Self { basis: hint.basis.word(), text: hint.words(), price: hint.price, unit: hint.unit, from: hint.from }
    }
}

/// A service.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ServiceView {
    /// `svc_…`
    #[schema(value_type = String)]
    pub id: ServiceId,
    /// Its URL-safe name.
    pub handle: String,
    /// Who provides it.
    pub provider: ProviderView,
    /// The application whose credentials it uses.
    #[schema(value_type = String)]
    pub application: ApplicationId,
    /// Its name.
    pub name: String,
    /// What it does, in one line.
    pub summary: String,
    /// What it does, in Markdown.
    pub description: String,
    /// Where the marketplace lists it.
    pub categories: Vec<String>,
    /// `public`, `on_request` or `private`.
    #[schema(value_type = String)]
    pub visibility: Visibility,
    /// `draft`, `in_review`, `published`, `paused`, `deprecated`, `retired` or `suspended`.
    #[schema(value_type = String)]
    pub state: ServiceState,
    /// The contract that new subscriptions get.
    pub contract: ContractView,
    /// The price it is advertised with.
    pub price: Option<PriceView>,
    /// The address of its icon.
    pub icon: Option<String>,
    /// Its screenshots in their order; left out in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub screenshots: Option<Vec<images::ScreenshotView>>,
    /// Where else to read about it.
    pub links: Vec<LinkView>,
    /// Whom to ask: an e-mail address or a web address.
    pub support: Option<String>,
    /// How it ends, once that is announced.
    pub deprecation: Option<DeprecationView>,
    /// Why the operator stopped it, while that lasts.
    pub suspension: Option<String>,
    /// Why the operator's last review did not publish it; for members of its provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub review_note: Option<String>,
    /// What it lacks, what blocks its publication first; for members of its provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub checklist: Option<Vec<LackView>>,
    /// When it was drafted.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Ts,
    /// When it last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Ts,
    /// When it was first published.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub published_at: Option<Ts>,
}

impl ServiceView {
    /// A service with what is beside it.
    pub fn new(service: Service, provider: ProviderView, contract: ContractView, price: Option<PriceHint>) -> Self {
        Self {
            id: service.id,
            handle: service.handle,
            provider,
            application: service.application,
            name: service.name,
            summary: service.summary,
            description: service.description,
            categories: service.categories,
            visibility: service.visibility,
            state: service.state,
            contract,
            price: price.map(PriceView::from),
            icon: service.icon.map(|hash| images::address(service.id, &hash)),
            screenshots: None,
            links: service.links.into_iter().map(LinkView::from).collect(),
            support: service.support,
            deprecation: service.deprecation.map(|end| DeprecationView { date: end.on, successor: end.successor }),
            suspension: service.suspension.map(|suspension| suspension.reason),
            review_note: None,
            checklist: None,
            created_at: service.created_at,
            updated_at: service.updated_at,
            published_at: service.published_at,
        }
    }
}

impl From<ServiceDetails> for ServiceView {
    fn from(details: ServiceDetails) -> Self {
        let plans: Vec<_> = details.plans.iter().map(|kept| kept.plan.clone()).collect();
        let contract = ContractView::new(details.contract, Some(details.plans));
        let screenshots = images::screenshots(details.service.id, &details.images);
        let view = Self::new(details.service, ProviderView::from(&details.provider), contract, PriceHint::of(&plans));
        Self { screenshots: Some(screenshots), ..view }
    }
}

impl ServiceView {
    /// A service as members of its provider see it: also what it lacks.
    pub fn own(details: ServiceDetails, missing: Vec<Lack>) -> Self {
        let review_note = details.service.review_note.clone();
        Self { checklist: Some(missing.into_iter().map(LackView::from).collect()), review_note, ..Self::from(details) }
    }
}

/// A wish to publish that waits for somebody's approval.
#[derive(Debug, Serialize, ToSchema)]
pub struct PublishRequestView {
    /// `req_…`
    #[schema(value_type = String)]
    pub id: RequestId,
    /// `publish`
    pub kind: &'static str,
    /// `open`
    #[schema(value_type = String)]
    pub state: RequestState,
    /// Whose decision is waited for: `internal`.
    pub step: &'static str,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Ts,
}

/// A service, and the request that waits where the caller may not publish at once.
#[derive(Debug, Serialize, ToSchema)]
pub struct PublishedView {
    /// The service.
    #[serde(flatten)]
    pub service: ServiceView,
    /// The request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub request: Option<PublishRequestView>,
}

impl From<Request> for PublishRequestView {
    fn from(request: Request) -> Self {
        Self { id: request.id, kind: request.kind.word(), state: request.state, step: request.step.word(), created_at: request.created_at }
    }
}

/// A contract to offer.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct NewContractBody {
    /// `organization`: one subscription serves all or selected projects; `project`: one subscription serves one project.
    #[serde(default)]
    pub level: String,
    /// `resources:read`, `resources:write`
    #[serde(default)]
    pub permissions: Vec<String>,
    /// Where the terms are to be read.
    #[serde(default)]
    pub terms_url: Option<String>,
    /// 1 to 20 plans.
    #[serde(default)]
    #[schema(value_type = Vec<PlanDocument>, min_items = 1, max_items = 20)]
    pub plans: Vec<PlanInput>,
}

impl From<NewContractBody> for NewContract {
    fn from(body: NewContractBody) -> Self {
        Self { level: body.level, permissions: body.permissions, terms_url: body.terms_url, plans: body.plans }
    }
}

/// A service to draft.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewServiceBody {
    /// An application of this organization; the service uses its credentials.
    #[serde(default)]
    pub application: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Its URL-safe name, unique in the installation; made from the name when absent.
    #[serde(default)]
    pub handle: Option<String>,
    /// What it does, in one line.
    #[serde(default)]
    pub summary: String,
    /// What it does, in Markdown.
    #[serde(default)]
    pub description: String,
    /// Where the marketplace lists it; at most 10.
    #[serde(default)]
    pub categories: Vec<String>,
    /// `public`, `on_request` or `private`.
    #[serde(default)]
    pub visibility: String,
    /// Its first contract.
    #[serde(default)]
    pub contract: NewContractBody,
    /// Where else to read about it; at most 8.
    #[serde(default)]
    pub links: Vec<LinkView>,
    /// Whom to ask: an e-mail address or a web address.
    #[serde(default)]
    pub support: Option<String>,
}

/// A change of a service; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ServiceChangeBody {
    /// A new name.
    pub name: Option<String>,
    /// A new summary.
    pub summary: Option<String>,
    /// A new description.
    pub description: Option<String>,
    /// Other categories.
    pub categories: Option<Vec<String>>,
    /// Another visibility.
    pub visibility: Option<String>,
    /// Other links.
    pub links: Option<Vec<LinkView>>,
    /// Another support contact; empty for none.
    pub support: Option<String>,
}

/// A word for whoever decides.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct PublishBody {
    /// Why it should be published; shown with the request.
    #[serde(default)]
    pub note: String,
}

/// Drafts a service with its first contract.
#[utoipa::path(post, path = "/api/v1/organizations/{org}/services", tag = "services", params(("org" = String, Path, description = "Handle or id")), request_body = NewServiceBody, responses((status = 201, description = "The draft", body = ServiceView), Refusals))]
pub async fn create(api: Api, ApiPath(org): ApiPath<String>, ApiJson(body): ApiJson<NewServiceBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let text = ServiceText {
        name: body.name,
        handle: body.handle,
        summary: body.summary,
        description: body.description,
        categories: body.categories,
    };
    let new = NewService { application: body.application, text, visibility: body.visibility, contract: body.contract.into() };
    let listing = Listing { links: body.links.into_iter().map(NamedLink::from).collect(), support: body.support };
    let details = services::create_listed(&mut act, &Key::read(&org), new, listing).await?;
    let missing = services::missing(&mut act.tx, &details.service).await?;
    answer(act, StatusCode::CREATED, &ServiceView::own(details, missing)).await
}

/// The services an organization provides, by name, without their plans.
#[utoipa::path(get, path = "/api/v1/organizations/{org}/services", tag = "services", params(("org" = String, Path, description = "Handle or id"), Paging), responses((status = 200, description = "A page", body = Page<ServiceView>), Refusals))]
pub async fn list(api: Api, ApiPath(org): ApiPath<String>, ApiQuery(paging): ApiQuery<Paging>) -> ApiResult {
    let limit = paging.limit()?;
    let after: Option<(String, ServiceId)> = paging.cursor()?;
    let mut conn = api.read().await?;
    let after = after.as_ref().map(|(name, id)| (name.as_str(), *id));
    let (seat, page) = services::list(&mut conn, &api.caller, &Key::read(&org), after, limit + 1).await?;
    let provider = ProviderView::from(&seat.organization);
    let cursor = |(name, offered): &(String, OfferedService)| (name.clone(), offered.service.id);
    let show = |(_, offered): (String, OfferedService)| {
        ServiceView::new(offered.service, provider.clone(), ContractView::new(offered.contract, None), Some(offered.price))
    };
    Ok(Json(Page::cut(page, limit, cursor, show)).into_response())
}

/// One service: any of your own organizations and any they subscribe, of others what the marketplace lists.
#[utoipa::path(get, path = "/api/v1/services/{service}", tag = "services", params(("service" = String, Path, description = "Handle or id")), responses((status = 200, description = "The service", body = ServiceView), Refusals))]
pub async fn get(api: Api, ApiPath(service): ApiPath<String>) -> ApiResult {
    let mut conn = api.read().await?;
    let seen = services::seen(&mut conn, &api.caller, &Key::read(&service)).await?;
    let missing = match seen.role {
        Some(_) => Some(services::missing(&mut conn, &seen.service).await?),
        None => None,
    };
    let details = services::details(&mut conn, seen.service).await?;
    let view = match missing {
        Some(missing) => ServiceView::own(details, missing),
        None => ServiceView::from(details),
    };
    Ok(Json(view).into_response())
}

/// Changes a service's texts, categories, visibility, links and support.
#[utoipa::path(patch, path = "/api/v1/services/{service}", tag = "services", params(("service" = String, Path, description = "Handle or id")), request_body = ServiceChangeBody, responses((status = 200, description = "The service", body = ServiceView), Refusals))]
pub async fn update(api: Api, ApiPath(service): ApiPath<String>, ApiJson(body): ApiJson<ServiceChangeBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let change = ServiceChange {
        name: body.name,
        summary: body.summary,
        description: body.description,
        categories: body.categories,
        visibility: body.visibility,
        links: body.links.map(|links| links.into_iter().map(NamedLink::from).collect()),
        support: body.support,
    };
    let details = services::update(&mut act, &Key::read(&service), change).await?;
    let missing = services::missing(&mut act.tx, &details.service).await?;
    answer(act, StatusCode::OK, &ServiceView::own(details, missing)).await
}

/// Publishes a draft or a paused service; an editor asks for it. Where operators review services, a draft goes to review first.
#[utoipa::path(post, path = "/api/v1/services/{service}/publish", tag = "services", params(("service" = String, Path, description = "Handle or id")), request_body = Option<PublishBody>, responses((status = 200, description = "Published", body = PublishedView), (status = 202, description = "A request waits for a reviewer or maintainer, or the service for the operator's review", body = PublishedView), Refusals))]
pub async fn publish(api: Api, ApiPath(service): ApiPath<String>, ApiMaybe(body): ApiMaybe<PublishBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let key = Key::read(&service);
    let (status, request) = match services::publish(&mut act, &key, &body.note).await? {
        Published::Now(service) if service.state == ServiceState::InReview => (StatusCode::ACCEPTED, None),
        Published::Now(_) => (StatusCode::OK, None),
        Published::Requested(request) => (StatusCode::ACCEPTED, Some(PublishRequestView::from(*request))),
    };
    let (conn, caller) = act.reading();
    let details = services::get(conn, &caller.clone(), &key).await?;
    answer(act, status, &PublishedView { service: details.into(), request }).await
}

/// Takes a service off the marketplace for now: no new subscriptions, live ones go on.
#[utoipa::path(post, path = "/api/v1/services/{service}/pause", tag = "services", params(("service" = String, Path, description = "Handle or id")), responses((status = 200, description = "Paused", body = ServiceView), Refusals))]
pub async fn pause(api: Api, ApiPath(service): ApiPath<String>) -> ApiResult {
    let mut act = api.begin().await?;
    let service = services::pause(&mut act, &Key::read(&service)).await?;
    let details = services::details(&mut act.tx, service).await?;
    answer(act, StatusCode::OK, &ServiceView::from(details)).await
}
