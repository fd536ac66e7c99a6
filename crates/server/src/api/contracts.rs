//! Contracts of a service: its versions, and offering another one.

use std::collections::BTreeMap;

use axum::{Json, http::StatusCode, response::IntoResponse};
use serde::{Deserialize, Serialize};
use stoa_actions::contracts::{self, NewVersion, Offered, VersionDetails};
use stoa_domain::{
    contracts::NewContract,
    costs::Component,
    differences::{ContractDifference, Direction, PriceChange, Weight},
    meters::PlanInput,
    organizations::Key,
    services::{DataPermission, Level},
    time::Ts,
};
use utoipa::ToSchema;

use crate::{
    api::services::{ContractView, PlanDocument},
    extract::{Api, ApiJson, ApiPath, ApiQuery, ApiResult, answer},
    paging::{Page, Paging},
    problem::Refusals,
};

/// A contract to offer.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct NewVersionBody {
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
    /// Until when subscribers who don't accept it keep theirs: their subscriptions end then. At least 30 days from now; absent,
    /// they keep theirs for good.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub notice_until: Option<String>,
    /// Which of these plans follows which plan that subscribers are on, by name. Namesakes follow each other by themselves,
    /// and an only plan follows all.
    #[serde(default)]
    pub plan_paths: BTreeMap<String, String>,
}

impl From<NewVersionBody> for NewVersion {
    fn from(body: NewVersionBody) -> Self {
        let contract = NewContract { level: body.level, permissions: body.permissions, terms_url: body.terms_url, plans: body.plans };
        Self { contract, notice_until: body.notice_until, plan_paths: body.plan_paths }
    }
}

/// What became of a contract for those who subscribed before.
#[derive(Debug, Serialize, ToSchema)]
pub struct RolledOutView {
    /// Subscriptions that have it now, because it asks them for nothing more.
    pub applied: usize,
    /// Subscriptions whose consent it waits for.
    pub offered: usize,
    /// Subscriptions that keep theirs, because it is at another level.
    pub kept: usize,
    /// Whether there are more, which are reached within minutes.
    pub more: bool,
}

/// A contract that was offered.
#[derive(Debug, Serialize, ToSchema)]
pub struct OfferedView {
    /// The contract.
    #[serde(flatten)]
    pub contract: ContractView,
    /// Until when subscribers who don't accept it keep theirs.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub notice_until: Option<Ts>,
    /// What became of it for those who subscribed before.
    pub subscribers: RolledOutView,
}

impl From<Offered> for OfferedView {
    fn from(offered: Offered) -> Self {
        let done = offered.rolled_out;
        Self {
            contract: ContractView::new(offered.details.contract, Some(offered.details.plans)),
            notice_until: offered.notice_until,
            subscribers: RolledOutView { applied: done.applied, offered: done.offered, kept: done.kept, more: done.more },
        }
    }
}

/// A change in words.
#[derive(Debug, Serialize, ToSchema)]
pub struct SentenceView {
    /// The sentence.
    pub text: String,
    /// `less`, `other` or `more` than before.
    #[schema(value_type = String)]
    pub weight: Weight,
}

/// A price that changes.
#[derive(Debug, Serialize, ToSchema)]
pub struct PriceChangeView {
    /// `monthly`, `monthly_per_project` or `meter:` and the meter's name.
    #[schema(value_type = String)]
    pub component: Component,
    /// `lower`, `higher`, `added`, `removed`, or `other` where it depends on the quantity.
    #[schema(value_type = String)]
    pub direction: Direction,
    /// The price before, in words.
    pub before: Option<String>,
    /// The price after, in words.
    pub after: Option<String>,
    /// Whether it may cost more for some quantity.
    pub may_cost_more: bool,
}

impl From<PriceChange> for PriceChangeView {
    fn from(change: PriceChange) -> Self {
        let PriceChange { component, direction, before, after, may_cost_more } = change;
        Self { component, direction, before, after, may_cost_more }
    }
}

/// A level before and after.
#[derive(Debug, Serialize, ToSchema)]
pub struct LevelDifferenceView {
    /// Before.
    #[schema(value_type = String)]
    pub from: Level,
    /// After.
    #[schema(value_type = String)]
    pub to: Level,
}

/// A text before and after.
#[derive(Debug, Serialize, ToSchema)]
pub struct TextChangeView {
    /// Before.
    pub from: Option<String>,
    /// After.
    pub to: Option<String>,
}

/// What changes from one contract and plan to another.
#[derive(Debug, Serialize, ToSchema)]
pub struct DifferenceView {
    /// Whether it needs nobody's consent: it asks for less, or for nothing else.
    pub applies_at_once: bool,
    /// What one subscription serves, where that changes.
    pub level: Option<LevelDifferenceView>,
    /// What the service may do that it might not before.
    #[schema(value_type = Vec<String>)]
    pub permissions_gained: Vec<DataPermission>,
    /// What it may do no longer.
    #[schema(value_type = Vec<String>)]
    pub permissions_lost: Vec<DataPermission>,
    /// Where the terms are, where that changes.
    pub terms_url: Option<TextChangeView>,
    /// The currency, where it changes.
    pub currency: Option<TextChangeView>,
    /// The prices that change. What is paid once is not paid again.
    pub prices: Vec<PriceChangeView>,
    /// All of it in words, what asks for more first.
    pub in_words: Vec<SentenceView>,
}

impl From<ContractDifference> for DifferenceView {
    fn from(difference: ContractDifference) -> Self {
        let words = difference.sentences();
        Self {
            applies_at_once: difference.applies_at_once(),
            level: difference.level.map(|(from, to)| LevelDifferenceView { from, to }),
            permissions_gained: difference.gained,
            permissions_lost: difference.lost,
            terms_url: difference.terms.map(|(from, to)| TextChangeView { from, to }),
            currency: difference
                .currency
                .map(|(from, to)| TextChangeView { from: Some(from.code().to_owned()), to: Some(to.code().to_owned()) }),
            prices: difference.prices.into_iter().map(PriceChangeView::from).collect(),
            in_words: words.into_iter().map(|one| SentenceView { text: one.text, weight: one.weight }).collect(),
        }
    }
}

/// What changes for the subscribers of a plan.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlanChangeView {
    /// The plan they were on.
    pub plan: String,
    /// What changes.
    pub difference: DifferenceView,
}

/// A version of a service's contract.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionView {
    /// The contract with its plans.
    #[serde(flatten)]
    pub contract: ContractView,
    /// Whether new subscriptions get it.
    pub current: bool,
    /// Until when subscribers who don't accept it keep theirs.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub notice_until: Option<Ts>,
    /// Live subscriptions that have it.
    pub subscriptions: u64,
    /// Subscriptions whose consent it waits for.
    pub undecided: u64,
    /// Subscriptions for which it was refused.
    pub refused: u64,
    /// What it changes against the version before, for the subscribers of each of its plans.
    pub changes: Vec<PlanChangeView>,
}

impl VersionView {
    fn new(details: VersionDetails, current: stoa_domain::ids::ContractId) -> Self {
        let VersionDetails { version, plans, changes } = details;
        Self {
            current: version.contract.id == current,
            contract: ContractView::new(version.contract, Some(plans)),
            notice_until: version.terms.notice_until,
            subscriptions: version.live,
            undecided: version.open,
            refused: version.refused,
            changes: changes.into_iter().map(|(plan, difference)| PlanChangeView { plan, difference: difference.into() }).collect(),
        }
    }
}

/// The versions of a service's contract, the newest first, with how many subscriptions have each: for members of its provider.
#[utoipa::path(get, path = "/api/v1/services/{service}/contracts", tag = "services", params(("service" = String, Path, description = "Handle or id"), Paging), responses((status = 200, description = "A page", body = Page<VersionView>), Refusals))]
pub async fn list(api: Api, ApiPath(service): ApiPath<String>, ApiQuery(paging): ApiQuery<Paging>) -> ApiResult {
    let limit = paging.limit()?;
    let before: Option<i64> = paging.cursor()?;
    let mut conn = api.read().await?;
    let (service, page) = contracts::versions(&mut conn, &api.caller, &Key::read(&service), before, limit + 1).await?;
    let show = |one| VersionView::new(one, service.contract);
    Ok(Json(Page::cut(page, limit, |one: &VersionDetails| one.version.contract.version, show)).into_response())
}

/// Offers another contract. New subscriptions get it at once. For those that are there it applies at once where it asks for
/// less, or for nothing else; otherwise it waits for each subscriber's consent. Subscriptions at another level keep theirs.
#[utoipa::path(post, path = "/api/v1/services/{service}/contracts", tag = "services", params(("service" = String, Path, description = "Handle or id")), request_body = NewVersionBody, responses((status = 201, description = "The contract, and what became of it for those who subscribed before", body = OfferedView), Refusals))]
pub async fn offer(api: Api, ApiPath(service): ApiPath<String>, ApiJson(body): ApiJson<NewVersionBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let offered = contracts::offer(&mut act, &Key::read(&service), body.into()).await?;
    answer(act, StatusCode::CREATED, &OfferedView::from(offered)).await
}
