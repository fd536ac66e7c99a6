//! The dry run of a change of level: what would merge or split, at which prices, and what it would have cost.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use stoa_domain::{
    amounts::Cost,
    budgets::CarriedBudget,
    contracts::NewContract,
    costs::{DailyQuantity, PlanSince, RatingError, SubscriptionTerms, rate},
    ids::{ContractId, OrganizationId, PlanId, ProjectId, ServiceId, SubscriptionId},
    meters::Plan,
    money::Currency,
    offers::PlanPaths,
    organizations::Key,
    periods::Period,
    permissions::Permission,
    services::{Contract, DataPermission, Level, Service},
    subscriptions::{Subscription, SubscriptionState},
    text::Faults,
    time::{Day, Span, Ts},
};
use stoa_store::{
    Conn, budgets, grants, offers,
    organizations::{self, Named},
    services::{self, KeptPlan},
    subscriptions::{self, Offer},
    usage::{self, Daily},
};

use super::{budgets::carried, leads_to};
use crate::{
    Act, Caller, Error, Result,
    costs::too_large,
    seats::{self, Seat},
    subscriptions::state_at,
};

/// A project as it would go along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutlookPart {
    /// The subscription it has now.
    pub subscription: SubscriptionId,
    /// What tells that apart from others of the service.
    pub label: String,
    /// Where that is in its life; what is not active stays behind.
    pub state: SubscriptionState,
    /// The project.
    pub project: (ProjectId, String),
    /// The plan it has now.
    pub from: String,
    /// The plan to which that leads; `None` where the provider has not said it.
    pub to: Option<String>,
}

/// What a change of level would come to for one organization. Costs are those of the same month with the same usage, under
/// the present plans and under the plan of the subscriptions that follow, without one-time fees.
#[derive(Debug, Clone)]
pub struct Outlook {
    /// The organization.
    pub organization: Named,
    /// The contract; `None` where it is only drafted.
    pub contract: Option<ContractId>,
    /// Until when it may be accepted, and undone; `None` for a contract that is not offered yet.
    pub until: Option<Ts>,
    /// What would go along.
    pub parts: Vec<OutlookPart>,
    /// How many subscriptions there would be.
    pub follow: usize,
    /// The plan of those; `None` where the organization has to choose.
    pub plan: Option<KeptPlan>,
    /// What the service might do then that it may not do now with every project.
    pub gained: Vec<DataPermission>,
    /// What it may do now with some project, and not then.
    pub lost: Vec<DataPermission>,
    /// The month of the comparison.
    pub month: Period,
    /// What it comes to now, by currency.
    pub before: BTreeMap<Currency, Cost>,
    /// What it would come to; `None` where the plan is not told.
    pub after: Option<(Currency, Cost)>,
    /// Meters on which something was reported in that month and that the plan does not have.
    pub meters_lost: Vec<String>,
    /// What becomes of budgets if all goes along, in sentences; told to the organization alone.
    pub budgets: Vec<String>,
}

/// The change of level that a service offers to an organization.
#[derive(Debug, Clone)]
pub struct Own {
    /// The organization and the caller's role.
    pub seat: Seat,
    /// The service.
    pub service: Service,
    /// The contract it offers at present.
    pub contract: Contract,
    /// Its plans.
    pub plans: Vec<KeptPlan>,
    /// The dry run; `None` where no change of level waits for the organization's consent.
    pub outlook: Option<Outlook>,
}

/// A contract at the other level as it is looked at: offered, or only drafted.
struct Proposed<'a> {
    service: &'a Service,
    contract: &'a Contract,
    plans: &'a [KeptPlan],
    paths: &'a PlanPaths,
    until: Option<Ts>,
    drafted: bool,
}

/// What the present contract of a service would change for a page of the organizations with subscriptions at the other
/// level, in the order of their ids; for members of its provider.
///
/// # Errors
/// 401, 404, 403; `amount_too_large` (422).
pub async fn outlooks(
    conn: &mut Conn,
    caller: &Caller,
    key: &Key<ServiceId>,
    after: Option<OrganizationId>,
    limit: i64,
) -> Result<(Contract, Vec<Outlook>)> {
    let service = &super::details::provided(conn, caller, key).await?;
    let contract = services::find_contract(conn, service.provider, service.contract).await?.ok_or(Error::NotFound("contract"))?;
    let plans = services::list_plans(conn, service.provider, contract.id).await?;
    let terms = offers::terms(conn, service.provider, contract.id).await?;
    let proposed = Proposed { service, contract: &contract, plans: &plans, paths: &terms.paths, until: terms.notice_until, drafted: false };
    let at_other = subscriptions::list_at_other_level(conn, service, contract.level, None, after, limit).await?;
    let found = of_subscriptions(conn, caller.now, &proposed, at_other).await?;
    Ok((contract, found))
}

/// What a contract that is only drafted would change for the first organizations, so that the provider sees it before
/// anybody is asked. Nothing of it is kept: the caller drops the transaction.
///
/// # Errors
/// 401, 404, 403, 422; `amount_too_large` (422).
pub async fn draft_outlooks(
    act: &mut Act,
    key: &Key<ServiceId>,
    draft: NewContract,
    paths: BTreeMap<String, String>,
    after: Option<OrganizationId>,
    limit: i64,
) -> Result<(Contract, Vec<Outlook>)> {
    let (conn, caller) = act.reading();
    let service = crate::services::own_at_once(conn, caller, key, Permission::DraftServices).await?;
    let mut faults = Faults::new();
    let draft = draft.check("", &mut faults);
    let draft = faults.or(draft)?;
    let (contract, plans) = crate::services::mint_contract(act, service.id, 0, draft);
    let paths = PlanPaths(paths);
    let proposed = Proposed { service: &service, contract: &contract, plans: &plans, paths: &paths, until: None, drafted: true };
    let at_other = subscriptions::list_at_other_level(&mut act.tx, &service, contract.level, None, after, limit).await?;
    let now = act.now();
    let found = of_subscriptions(&mut act.tx, now, &proposed, at_other).await?;
    Ok((contract, found))
}

/// What waits for the consent of an organization to the change of level of a service.
///
/// # Errors
/// 401, 404; `amount_too_large` (422).
pub async fn own_outlooks(conn: &mut Conn, caller: &Caller, org: &Key<OrganizationId>, service: &Key<ServiceId>) -> Result<Own> {
    let seat = seats::allowed(conn, caller, org, Permission::View).await?;
    let service = crate::subscriptions::seen(conn, caller, service).await?;
    let contract = services::find_contract(conn, service.provider, service.contract).await?.ok_or(Error::NotFound("contract"))?;
    let plans = services::list_plans(conn, service.provider, contract.id).await?;
    let terms = offers::terms(conn, service.provider, contract.id).await?;
    let mut waiting = offers::waiting_in(conn, seat.organization.id, service.id).await?;
    waiting.retain(|offer| offer.contract == contract.id);
    let mut at_other = subscriptions::list_at_other_level(conn, &service, contract.level, Some(seat.organization.id), None, 1).await?;
    at_other.retain(|one| waiting.iter().any(|offer| offer.subscription == one.id));
    let until = waiting.iter().filter_map(|offer| offer.until).min();
    let proposed = Proposed { service: &service, contract: &contract, plans: &plans, paths: &terms.paths, until, drafted: false };
    let mut outlook = of_subscriptions(conn, caller.now, &proposed, at_other).await?.pop();
    if let Some(outlook) = &mut outlook {
        outlook.budgets = budgets_of(conn, outlook, contract.level, &plans).await?;
    }
    Ok(Own { seat, service, contract, plans, outlook })
}

/// What would become of the budgets of what goes along, in sentences.
async fn budgets_of(conn: &mut Conn, outlook: &Outlook, level: Level, plans: &[KeptPlan]) -> Result<Vec<String>> {
    let mut going: BTreeMap<SubscriptionId, usize> = BTreeMap::new();
    for part in outlook.parts.iter().filter(|part| part.state == SubscriptionState::Active) {
        *going.entry(part.subscription).or_default() += 1;
    }
    let budgets = budgets::of(conn, outlook.organization.id, &Vec::from_iter(going.keys().copied())).await?;
    let budgets = budgets.into_iter().map(|one| (one.subscription, one.amount)).collect();
    let Some(prices) = outlook.plan.as_ref().or_else(|| plans.first()) else { return Ok(Vec::new()) };
    let carried = carried(level, &going, &budgets, prices.plan.currency);
    Ok(carried.values().map(CarriedBudget::words).collect())
}

/// The outlooks of all organizations whose subscriptions these are, in a fixed number of statements.
async fn of_subscriptions(conn: &mut Conn, now: Ts, proposed: &Proposed<'_>, all: Vec<Subscription>) -> Result<Vec<Outlook>> {
    let ids: Vec<_> = all.iter().map(|one| (one.organization, one.id)).collect();
    let held: BTreeSet<_> = all.iter().map(|one| one.plan).collect();
    let held = subscriptions::offers(conn, &[proposed.service.provider], &Vec::from_iter(held)).await?;
    let held: HashMap<PlanId, Offer> = held.into_iter().map(|offer| (offer.plan, offer)).collect();
    let live = grants::live_of(conn, &ids, now).await?;
    let parties: BTreeSet<_> = all.iter().map(|one| one.organization).collect();
    let parties = Vec::from_iter(parties);
    let names = organizations::names(conn, &parties).await?;
    let projects: BTreeSet<_> = live.iter().map(|grant| grant.project).collect();
    let projects = subscriptions::project_names(conn, &parties, &Vec::from_iter(projects)).await?;
    let this = Period::month_of(now.day());
    let last = Period::month_of(Day::from_number(this.from.number() - 1));
    let reported = usage::daily_of(conn, &ids, last.from, this.to).await?;
    let mut found = Vec::with_capacity(parties.len());
    for party in parties {
        let own: Vec<_> = all.iter().filter(|one| one.organization == party).collect();
        let is_own = |id: SubscriptionId| own.iter().any(|one| one.id == id);
        let reported: Vec<_> = reported.iter().filter(|one| is_own(one.subscription)).collect();
        // A whole month says most; without one, this one says something.
        let month = if reported.iter().any(|one| one.day < this.from) { last } else { this };
        let mut parts = Vec::new();
        for grant in live.iter().filter(|grant| is_own(grant.subscription)) {
            let Some(one) = own.iter().find(|one| one.id == grant.subscription) else { continue };
            let Some(before) = held.get(&one.plan) else { continue };
            let next = proposed.paths.next(&before.prices.name, proposed.plans, |kept| &kept.plan);
            parts.push(OutlookPart {
                subscription: one.id,
                label: one.label.clone(),
                state: state_at(one, now),
                project: (
                    grant.project,
                    projects.iter().find(|named| named.id == grant.project).map_or_else(String::new, |named| named.name.clone()),
                ),
                from: before.prices.name.clone(),
                to: next.map(|kept| kept.plan.name.clone()),
            });
        }
        parts.sort_by(|a, b| (&a.project.1, a.subscription).cmp(&(&b.project.1, b.subscription)));
        let Some(organization) = names.iter().find(|one| one.id == party).cloned() else { continue };
        found.push(Compared { proposed, own: &own, held: &held, reported: &reported, month }.outlook(organization, parts)?);
    }
    Ok(found)
}

/// All that the comparison of one organization looks at.
struct Compared<'a> {
    proposed: &'a Proposed<'a>,
    own: &'a [&'a Subscription],
    held: &'a HashMap<PlanId, Offer>,
    reported: &'a [&'a Daily],
    month: Period,
}

impl Compared<'_> {
    fn outlook(&self, organization: Named, parts: Vec<OutlookPart>) -> Result<Outlook> {
        let going: Vec<_> = parts.iter().filter(|part| part.state == SubscriptionState::Active).collect();
        let leading: BTreeMap<_, _> = going.iter().map(|part| (part.subscription, part.from.as_str())).collect();
        let plan = leads_to(leading.into_values(), self.proposed.paths, self.proposed.plans).cloned();
        let mut before: BTreeMap<Currency, Cost> = BTreeMap::new();
        for one in self.own {
            let Some(offer) = self.held.get(&one.plan) else { continue };
            let projects: BTreeSet<_> = going.iter().filter(|part| part.subscription == one.id).map(|part| part.project.0).collect();
            if !projects.is_empty() {
                let cost = self.cost(&offer.prices, &projects)?;
                let sum = before.entry(offer.prices.currency).or_default();
                *sum = sum.plus(cost).map_err(too_large)?;
            }
        }
        let projects: BTreeSet<_> = going.iter().map(|part| part.project.0).collect();
        let after = match &plan {
            Some(kept) => Some((kept.plan.currency, self.after(&kept.plan, &projects)?)),
            None => None,
        };
        let (mut gained, mut lost) = (BTreeSet::new(), BTreeSet::new());
        let new = &self.proposed.contract.permissions;
        for offer in self.own.iter().filter_map(|one| self.held.get(&one.plan)) {
            gained.extend(new.iter().copied().filter(|one| !offer.permissions.contains(one)));
            lost.extend(offer.permissions.iter().copied().filter(|one| !new.contains(one)));
        }
        let follow = match self.proposed.contract.level {
            Level::Organization => usize::from(!projects.is_empty()),
            Level::Project => going.len(),
        };
        let meters_lost = plan.as_ref().map(|kept| self.meters_lost(&kept.plan)).unwrap_or_default();
        Ok(Outlook {
            organization,
            contract: (!self.proposed.drafted).then_some(self.proposed.contract.id),
            until: self.proposed.until,
            follow,
            gained: gained.into_iter().collect(),
            lost: lost.into_iter().collect(),
            month: self.month,
            before,
            after,
            meters_lost,
            budgets: Vec::new(),
            plan,
            parts,
        })
    }

    /// What the subscriptions that follow would have cost.
    fn after(&self, plan: &Plan, projects: &BTreeSet<ProjectId>) -> Result<Cost> {
        match self.proposed.contract.level {
            Level::Organization if projects.is_empty() => Ok(Cost::ZERO),
            Level::Organization => self.cost(plan, projects),
            Level::Project => {
                let each: Result<Vec<_>> = projects.iter().map(|project| self.cost(plan, &BTreeSet::from([*project]))).collect();
                Cost::sum(each?).map_err(too_large)
            }
        }
    }

    fn meters_lost(&self, plan: &Plan) -> Vec<String> {
        let used: BTreeSet<_> = self.in_month().map(|one| one.meter.as_str()).collect();
        used.into_iter().filter(|name| plan.meter(name).is_none()).map(str::to_owned).collect()
    }

    fn in_month(&self) -> impl Iterator<Item = &Daily> {
        self.reported.iter().copied().filter(|one| (self.month.from..self.month.to).contains(&one.day))
    }

    /// What one subscription of these projects would have cost in the month with what was reported for them.
    fn cost(&self, plan: &Plan, projects: &BTreeSet<ProjectId>) -> Result<Cost> {
        let whole = Span::new(self.month.from.start(), Some(self.month.to.start()));
        let used = self.in_month().filter(|one| projects.contains(&one.project) && plan.meter(&one.meter).is_some());
        let usage =
            used.map(|one| DailyQuantity { project: one.project, meter: one.meter.as_str().into(), day: one.day, quantity: one.quantity });
        let terms = SubscriptionTerms {
            plans: vec![PlanSince { since: whole.from, plan: plan.clone().into() }],
            active: vec![whole],
            grants: projects.iter().map(|project| (*project, whole)).collect(),
            usage: usage.collect(),
            elsewhere: Vec::new(),
            follows: true,
        };
        let lines = rate(&terms, self.month.to.start(), self.month.from, self.month.to).map_err(|error| match error {
            RatingError::Overflow(overflow) => too_large(overflow),
            // Only meters of the plan were given.
            RatingError::UnknownMeter(_) => Error::NotFound("meter"),
        })?;
        Cost::sum(lines.into_iter().map(|line| line.cost)).map_err(too_large)
    }
}
