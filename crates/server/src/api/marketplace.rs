//! The marketplace.

use axum::{Json, response::IntoResponse};
use serde::{Deserialize, Serialize};
use stoa_actions::marketplace::{self, Facets, ListedService, Suggestions};
use stoa_domain::{
    ids::ServiceId,
    marketplace::{Place, SearchInput, spelling::Correction},
    organizations::Key,
    services::{Level, Visibility},
    time::Ts,
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    api::services::{PriceView, ServiceView, images::address},
    extract::{Api, ApiPath, ApiQuery, ApiResult},
    paging::{Page, Paging},
    problem::Refusals,
};

/// What to look for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MarketplaceQuery {
    /// Words, at most 200 characters. A service must have all of them, or words that begin with them, in its name,
    /// provider, categories, summary or description; case, accents and punctuation do not matter. Words that nobody wrote
    /// are taken for mistyped and read as words that differ by a letter; the answer's `corrections` say so.
    pub q: Option<String>,
    /// Services of this category only.
    pub category: Option<String>,
    /// `organization` or `project`
    pub level: Option<String>,
    /// Services of the provider with this handle only.
    pub provider: Option<String>,
    /// `relevance` (default; newest first where no words are given), `name` or `newest`.
    pub sort: Option<String>,
    /// How many, at most 200; 50 when absent.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    pub limit: Option<String>,
    /// The `next_cursor` of the page before, in the same order. By relevance it names the rank of the last service, which
    /// shifts when the catalogue changes; by name and newest pages stay exact whatever changes.
    pub cursor: Option<String>,
}

/// Who provides a service on the marketplace.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListedProviderView {
    /// Its URL-safe name.
    pub handle: String,
    /// Its name.
    pub name: String,
}

/// A service on the marketplace.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListedServiceView {
    /// `svc_…`
    #[schema(value_type = String)]
    pub id: ServiceId,
    /// Its URL-safe name.
    pub handle: String,
    /// Its name.
    pub name: String,
    /// What it does, in one line.
    pub summary: String,
    /// Who provides it.
    pub provider: ListedProviderView,
    /// Where it is listed.
    pub categories: Vec<String>,
    /// `organization` or `project`
    #[schema(value_type = String)]
    pub level: Level,
    /// `public`, `on_request` or `private`
    #[schema(value_type = String)]
    pub visibility: Visibility,
    /// The price it is advertised with.
    pub price: PriceView,
    /// The address of its icon.
    pub icon: Option<String>,
    /// When it was first published.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub published_at: Option<Ts>,
}

impl From<ListedService> for ListedServiceView {
    fn from(listed: ListedService) -> Self {
        Self {
            icon: listed.service.icon.as_deref().map(|hash| address(listed.service.id, hash)),
            id: listed.service.id,
            handle: listed.service.handle,
            name: listed.service.name,
            summary: listed.service.summary,
            provider: ListedProviderView { handle: listed.provider_handle, name: listed.provider_name },
            categories: listed.service.categories,
            level: listed.contract.level,
            visibility: listed.service.visibility,
            price: listed.price.into(),
            published_at: listed.service.published_at,
        }
    }
}

/// How many services of the search have a value.
#[derive(Debug, Serialize, ToSchema)]
pub struct FacetView {
    /// The value to filter by.
    pub name: String,
    /// How many.
    pub count: i64,
}

/// How many services of the search a provider has.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProviderFacetView {
    /// The handle to filter by.
    pub handle: String,
    /// The provider's name.
    pub name: String,
    /// How many.
    pub count: i64,
}

/// How many services of the search there are. Each facet is counted with the filters of the others but without its own.
#[derive(Debug, Serialize, ToSchema)]
pub struct FacetsView {
    /// By category, most first.
    pub categories: Vec<FacetView>,
    /// By level.
    pub levels: Vec<FacetView>,
    /// By provider, most first.
    pub providers: Vec<ProviderFacetView>,
}

impl From<Facets> for FacetsView {
    fn from(facets: Facets) -> Self {
        let providers = facets.providers.into_iter();
        Self {
            categories: facets.categories.into_iter().map(|(name, count)| FacetView { name, count }).collect(),
            levels: facets.levels.into_iter().map(|(level, count)| FacetView { name: level.word().to_owned(), count }).collect(),
            providers: providers.map(|(handle, name, count)| ProviderFacetView { handle, name, count }).collect(),
        }
    }
}

/// A word of the search that was taken for mistyped.
#[derive(Debug, Serialize, ToSchema)]
pub struct CorrectionView {
    /// As it was typed, in lower case and without accents.
    pub typed: String,
    /// The words it was read as that stand in the services of this page, the likeliest first.
    pub read_as: Vec<String>,
}

impl From<Correction> for CorrectionView {
    fn from(correction: Correction) -> Self {
        Self { typed: correction.typed, read_as: correction.read_as }
    }
}

/// A page of the marketplace.
#[derive(Debug, Serialize, ToSchema)]
pub struct MarketplaceView {
    /// The services.
    #[serde(flatten)]
    pub page: Page<ListedServiceView>,
    /// How many services the search has, on all pages.
    pub total: i64,
    /// How many there are of each.
    pub facets: FacetsView,
    /// The words that were taken for mistyped, where that led to services of this page.
    pub corrections: Vec<CorrectionView>,
}

/// The published services you may see.
#[utoipa::path(get, path = "/api/v1/marketplace", tag = "marketplace", params(MarketplaceQuery), responses((status = 200, description = "A page", body = MarketplaceView), Refusals))]
pub async fn search(api: Api, ApiQuery(query): ApiQuery<MarketplaceQuery>) -> ApiResult {
    let paging = Paging { limit: query.limit, cursor: query.cursor };
    let (limit, after) = (paging.limit()?, paging.cursor::<Place>()?);
    let input = SearchInput { q: query.q, category: query.category, level: query.level, provider: query.provider, sort: query.sort };
    let mut conn = api.read().await?;
    let results = marketplace::search(&mut conn, &api.caller, input, after.as_ref(), limit + 1).await?;
    let total = results.facets.total(&results.search);
    let page = Page::cut(results.services, limit, |listed: &ListedService| listed.place.clone(), ListedServiceView::from);
    let corrections = results.corrections.into_iter().map(CorrectionView::from).collect();
    Ok(Json(MarketplaceView { page, total, facets: results.facets.into(), corrections }).into_response())
}

/// What was typed so far.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SuggestionsQuery {
    /// Words, at most 200 characters; the last may be half written. Nothing is suggested for a single letter.
    #[serde(default)]
    pub q: String,
}

/// Something that may be meant.
#[derive(Debug, Serialize, ToSchema)]
pub struct SuggestionView {
    /// `service`, `provider` or `category`
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// A service's provider; absent otherwise.
    pub provider: Option<String>,
    /// Its page: an address within this installation, such as `/marketplace/load-forecast`.
    pub path: String,
}

/// What may be meant: services first, then providers, then categories.
#[derive(Debug, Serialize, ToSchema)]
pub struct SuggestionsView {
    /// At most twelve.
    pub items: Vec<SuggestionView>,
}

impl From<Suggestions> for SuggestionsView {
    fn from(all: Suggestions) -> Self {
        let filtered = |name: &str, value: &str| {
            let query = url::form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish();
            format!("/marketplace?{query}")
        };
        let services = all.services.into_iter().map(|listed| SuggestionView {
            kind: "service",
            path: format!("/marketplace/{}", listed.service.handle),
            name: listed.service.name,
            provider: Some(listed.provider_name),
        });
        let providers = all.providers.into_iter().map(|(handle, name)| SuggestionView {
            kind: "provider",
            path: filtered("provider", &handle),
            name,
            provider: None,
        });
        let categories = all.categories.into_iter().map(|category| SuggestionView {
            kind: "category",
            path: filtered("category", &category),
            name: category,
            provider: None,
        });
        Self { items: services.chain(providers).chain(categories).collect() }
    }
}

/// Services, providers and categories that may be meant by what was typed so far.
#[utoipa::path(get, path = "/api/v1/marketplace/suggestions", tag = "marketplace", params(SuggestionsQuery), responses((status = 200, description = "What may be meant", body = SuggestionsView), Refusals))]
pub async fn suggestions(api: Api, ApiQuery(query): ApiQuery<SuggestionsQuery>) -> ApiResult {
    let mut conn = api.read().await?;
    let suggestions = marketplace::suggestions(&mut conn, &api.caller, query.q).await?;
    Ok(Json(SuggestionsView::from(suggestions)).into_response())
}

/// One service of the marketplace.
#[utoipa::path(get, path = "/api/v1/marketplace/{service}", tag = "marketplace", params(("service" = String, Path, description = "Handle or id")), responses((status = 200, description = "The service", body = ServiceView), Refusals))]
pub async fn get(api: Api, ApiPath(service): ApiPath<String>) -> ApiResult {
    let mut conn = api.read().await?;
    let details = marketplace::get(&mut conn, &api.caller, &Key::read(&service)).await?;
    Ok(Json(ServiceView::from(details)).into_response())
}
