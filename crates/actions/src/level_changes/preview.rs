//! The dry run of a change of level: what would merge or split, at which prices, and what it would have cost.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use stoa_domain::{
    amounts::Cost,
    budgets::CarriedBudget,
    contracts::NewContract,
    costs::{DailyQuantity, PlanSince, RatingError, SubscriptionTerms, rate},
    ids::{ContractId, OrganizationId, PlanId, ProjectId, RequestId, ServiceId, SubscriptionId},
    meters::Plan,
    money::Currency,
    offers::PlanPaths,
    organizations::Key,
    periods::Period,
    permissions::Permission,
    requests::Request,
    services::{Contract, DataPermission, Level, Service},
    subscriptions::{Subscription, SubscriptionState},
    text::Faults,
    time::{Day, Span, Ts},
};
use stoa_store::{
    Conn, budgets,
    grants::{self, KeptGrant},
    offers,
    organizations::{self, Named},
    services::{self, KeptPlan},
    subscriptions::{self, Candidate, Offer},
    usage::{self, Daily},
};

use super::{budgets::carried, leads_to};
use crate::{
    Act, Caller, Error, Result,
    costs::too_large,
    seats::{self, Seat},
    subscriptions::{check_plan, find_all, state_at},
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
    /// The plan to which that leads, or the one that was chosen; `None` where the provider has not said it.
    pub to: Option<String>,
    /// Whether it goes along: its subscription is active, and it is chosen where some are.
    pub goes: bool,
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

/// What somebody would choose of a change of level, as it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choosing {
    /// The plan, by id or name; the one to which those of before lead when absent.
    pub plan: Option<String>,
    /// The only projects that go along, by handle or id; all when absent.
    pub projects: Option<Vec<String>>,
}

/// What of a change of level is chosen.
#[derive(Default)]
struct Chosen {
    plan: Option<KeptPlan>,
    projects: Option<BTreeSet<ProjectId>>,
}

/// A contract at the other level as it is looked at: offered, or only drafted.
#[derive(Clone, Copy)]
struct Proposed<'a> {
    /// `None` where it is only drafted.
    contract: Option<ContractId>,
    level: Level,
    permissions: &'a [DataPermission],
    plans: &'a [KeptPlan],
    paths: &'a PlanPaths,
    until: Option<Ts>,
}

impl<'a> Proposed<'a> {
    fn new(contract: &'a Contract, plans: &'a [KeptPlan], paths: &'a PlanPaths, until: Option<Ts>) -> Self {
        Self { contract: Some(contract.id), level: contract.level, permissions: &contract.permissions, plans, paths, until }
    }
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
    let proposed = Proposed::new(&contract, &plans, &terms.paths, terms.notice_until);
    let at_other = subscriptions::list_at_other_level(conn, service, contract.level, None, after, limit).await?;
    let found = of_subscriptions(conn, caller.now, proposed, at_other).await?;
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
    let proposed = Proposed { contract: None, ..Proposed::new(&contract, &plans, &paths, None) };
    let at_other = subscriptions::list_at_other_level(&mut act.tx, &service, contract.level, None, after, limit).await?;
    let now = act.now();
    let found = of_subscriptions(&mut act.tx, now, proposed, at_other).await?;
    Ok((contract, found))
}

/// What waits for the consent of an organization to the change of level of a service, and what it would come to with a
/// choice of plan and projects.
///
/// # Errors
/// 401, 404, 422; `amount_too_large` (422).
pub async fn own_outlooks(
    conn: &mut Conn,
    caller: &Caller,
    org: &Key<OrganizationId>,
    service: &Key<ServiceId>,
    choosing: &Choosing,
) -> Result<Own> {
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
    let proposed = Proposed::new(&contract, &plans, &terms.paths, until);
    let read = Read::of(conn, caller.now, &[service.provider], at_other).await?;
    let mut outlook = match read.parties(conn).await?.pop() {
        Some(party) => Some(read.outlook(proposed, party, |_, _| true, choosing.check(&plans, &read.projects)?)?),
        None => None,
    };
    if let Some(outlook) = &mut outlook {
        outlook.budgets = budgets_of(conn, outlook, contract.level, &plans).await?;
    }
    Ok(Own { seat, service, contract, plans, outlook })
}

/// What would become of the budgets of what goes along, in sentences.
async fn budgets_of(conn: &mut Conn, outlook: &Outlook, level: Level, plans: &[KeptPlan]) -> Result<Vec<String>> {
    let mut going: BTreeMap<SubscriptionId, usize> = BTreeMap::new();
    for part in outlook.parts.iter().filter(|part| part.goes) {
        *going.entry(part.subscription).or_default() += 1;
    }
    let budgets = budgets::of(conn, outlook.organization.id, &Vec::from_iter(going.keys().copied())).await?;
    let budgets = budgets.into_iter().map(|one| (one.subscription, one.amount)).collect();
    let Some(prices) = outlook.plan.as_ref().or_else(|| plans.first()) else { return Ok(Vec::new()) };
    let carried = carried(level, &going, &budgets, prices.plan.currency);
    Ok(carried.values().map(CarriedBudget::words).collect())
}

impl Choosing {
    fn check(&self, plans: &[KeptPlan], projects: &[Candidate]) -> Result<Chosen> {
        let mut faults = Faults::new();
        let plan = self.plan.as_deref().filter(|plan| !plan.trim().is_empty());
        let plan = plan.and_then(|plan| check_plan(Some(plan), plans, &mut faults));
        let all: BTreeSet<_> = projects.iter().map(|one| one.id).collect();
        let only = |given: &Vec<String>| {
            find_all(projects, given, "/projects", &all, "no subscription of the service has such a project", &mut faults)
        };
        let only = self.projects.as_ref().map(only);
        let plan = plan.and_then(|id| plans.iter().find(|kept| kept.id == id)).cloned();
        Ok(faults.or(Some(Chosen { plan, projects: only }))?)
    }
}

/// What a request for a change of level asks for.
#[derive(Debug, Clone)]
pub(crate) struct Foreseen {
    /// Contract and plan.
    pub asked: Offer,
    /// What it would come to now, as long as it waits; `None` where that can't be told.
    pub outlook: Option<Outlook>,
}

/// What requests for changes of level ask for and would come to, in a fixed number of statements.
pub(crate) async fn of_requests(conn: &mut Conn, now: Ts, all: &[&Request]) -> Result<BTreeMap<RequestId, Foreseen>> {
    if all.is_empty() {
        return Ok(BTreeMap::new());
    }
    let about: BTreeSet<_> = all.iter().map(|one| one.service).collect();
    let providers: BTreeSet<_> =
        services::providers(conn, &Vec::from_iter(about)).await?.into_iter().map(|(_, provider)| provider).collect();
    let providers = Vec::from_iter(providers);
    let plans: BTreeSet<_> = all.iter().filter_map(|one| one.asked.plan).collect();
    let asked = subscriptions::offers(conn, &providers, &Vec::from_iter(plans)).await?;
    let open: Vec<_> = all.iter().filter(|one| one.state.is_open()).collect();
    let asking: BTreeSet<_> = open.iter().map(|one| one.organization).collect();
    let about: BTreeSet<_> = open.iter().map(|one| one.service).collect();
    let unmoved = subscriptions::list_unmoved(conn, &Vec::from_iter(asking), &Vec::from_iter(about)).await?;
    let read = Read::of(conn, now, &providers, unmoved).await?;
    let parties = read.parties(conn).await?;
    let mut found = BTreeMap::new();
    for request in all {
        let Some(offer) = asked.iter().find(|offer| request.asked.plan == Some(offer.plan)) else { continue };
        let party = parties.iter().find(|party| party.id == request.organization && request.state.is_open());
        let outlook = party.and_then(|party| {
            let paths = PlanPaths::default();
            let (contract, permissions) = (Some(offer.contract), offer.permissions.as_slice());
            let proposed = Proposed { contract, level: offer.level, permissions, plans: &[], paths: &paths, until: None };
            let plan = Some(KeptPlan { id: offer.plan, plan: offer.prices.clone() });
            let concerned = |one: &Subscription, held: &Offer| one.service == request.service && held.level != offer.level;
            let chosen = Chosen { plan, projects: request.asked.consented.clone() };
            // A cost that is too large to be told hides no other request.
            read.outlook(proposed, party.clone(), concerned, chosen).ok()
        });
        found.insert(request.id, Foreseen { asked: offer.clone(), outlook });
    }
    Ok(found)
}

/// The outlooks of all organizations whose subscriptions these are, in a fixed number of statements.
async fn of_subscriptions(conn: &mut Conn, now: Ts, proposed: Proposed<'_>, all: Vec<Subscription>) -> Result<Vec<Outlook>> {
    let providers: BTreeSet<_> = all.iter().map(|one| one.provider).collect();
    let read = Read::of(conn, now, &Vec::from_iter(providers), all).await?;
    let parties = read.parties(conn).await?;
    parties.into_iter().map(|party| read.outlook(proposed, party, |_, _| true, Chosen::default())).collect()
}

/// All that comparisons of some subscriptions look at.
struct Read {
    now: Ts,
    all: Vec<Subscription>,
    held: HashMap<PlanId, Offer>,
    live: Vec<KeptGrant>,
    projects: Vec<Candidate>,
    reported: Vec<Daily>,
    /// The last whole month, and the present one.
    months: [Period; 2],
}

impl Read {
    async fn of(conn: &mut Conn, now: Ts, providers: &[OrganizationId], all: Vec<Subscription>) -> Result<Self> {
        let ids: Vec<_> = all.iter().map(|one| (one.organization, one.id)).collect();
        let held: BTreeSet<_> = all.iter().map(|one| one.plan).collect();
        let held = subscriptions::offers(conn, providers, &Vec::from_iter(held)).await?;
        let held: HashMap<PlanId, Offer> = held.into_iter().map(|offer| (offer.plan, offer)).collect();
        let live = grants::live_of(conn, &ids, now).await?;
        let parties: BTreeSet<_> = all.iter().map(|one| one.organization).collect();
        let projects: BTreeSet<_> = live.iter().map(|grant| grant.project).collect();
        let projects = subscriptions::project_names(conn, &Vec::from_iter(parties), &Vec::from_iter(projects)).await?;
        let this = Period::month_of(now.day());
        let last = Period::month_of(Day::from_number(this.from.number() - 1));
        let reported = usage::daily_of(conn, &ids, last.from, this.to).await?;
        Ok(Self { now, all, held, live, projects, reported, months: [last, this] })
    }

    /// Whose subscriptions these are, in the order of their ids.
    async fn parties(&self, conn: &mut Conn) -> Result<Vec<Named>> {
        let parties: BTreeSet<_> = self.all.iter().map(|one| one.organization).collect();
        let names = organizations::names(conn, &Vec::from_iter(parties.iter().copied())).await?;
        Ok(parties.into_iter().filter_map(|party| names.iter().find(|one| one.id == party).cloned()).collect())
    }

    /// What a change of those subscriptions of an organization that it concerns would come to.
    fn outlook(
        &self,
        proposed: Proposed<'_>,
        organization: Named,
        concerns: impl Fn(&Subscription, &Offer) -> bool,
        chosen: Chosen,
    ) -> Result<Outlook> {
        let concerned =
            |one: &&Subscription| one.organization == organization.id && self.held.get(&one.plan).is_some_and(|held| concerns(one, held));
        let own: Vec<_> = self.all.iter().filter(concerned).collect();
        let is_own = |id: SubscriptionId| own.iter().any(|one| one.id == id);
        let reported: Vec<_> = self.reported.iter().filter(|one| is_own(one.subscription)).collect();
        // A whole month says most; without one, this one says something.
        let [last, this] = self.months;
        let month = if reported.iter().any(|one| one.day < this.from) { last } else { this };
        let mut parts = Vec::new();
        for grant in self.live.iter().filter(|grant| is_own(grant.subscription)) {
            let Some(one) = own.iter().find(|one| one.id == grant.subscription) else { continue };
            let Some(before) = self.held.get(&one.plan) else { continue };
            let next = proposed.paths.next(&before.prices.name, proposed.plans, |kept| &kept.plan);
            let name = self.projects.iter().find(|named| named.id == grant.project).map_or_else(String::new, |named| named.name.clone());
            let state = state_at(one, self.now);
            parts.push(OutlookPart {
                subscription: one.id,
                label: one.label.clone(),
                state,
                project: (grant.project, name),
                from: before.prices.name.clone(),
                to: chosen.plan.as_ref().or(next).map(|kept| kept.plan.name.clone()),
                goes: state == SubscriptionState::Active && chosen.projects.as_ref().is_none_or(|only| only.contains(&grant.project)),
            });
        }
        parts.sort_by(|a, b| (&a.project.1, a.subscription).cmp(&(&b.project.1, b.subscription)));
        Compared { proposed, own: &own, held: &self.held, reported: &reported, month }.outlook(organization, parts, chosen)
    }
}

/// All that the comparison of one organization looks at.
struct Compared<'a> {
    proposed: Proposed<'a>,
    own: &'a [&'a Subscription],
    held: &'a HashMap<PlanId, Offer>,
    reported: &'a [&'a Daily],
    month: Period,
}

impl Compared<'_> {
    fn outlook(&self, organization: Named, parts: Vec<OutlookPart>, chosen: Chosen) -> Result<Outlook> {
        let going: Vec<_> = parts.iter().filter(|part| part.goes).collect();
        let leading: BTreeMap<_, _> = going.iter().map(|part| (part.subscription, part.from.as_str())).collect();
        let plan = chosen.plan.or_else(|| leads_to(leading.into_values(), self.proposed.paths, self.proposed.plans).cloned());
        // What nobody chose changes nothing for the service.
        let changes = |one: &&&Subscription| chosen.projects.is_none() || going.iter().any(|part| part.subscription == one.id);
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
        let new = self.proposed.permissions;
        for offer in self.own.iter().filter(changes).filter_map(|one| self.held.get(&one.plan)) {
            gained.extend(new.iter().copied().filter(|one| !offer.permissions.contains(one)));
            lost.extend(offer.permissions.iter().copied().filter(|one| !new.contains(one)));
        }
        let follow = match self.proposed.level {
            Level::Organization => usize::from(!projects.is_empty()),
            Level::Project => going.len(),
        };
        let meters_lost = plan.as_ref().map(|kept| self.meters_lost(&kept.plan)).unwrap_or_default();
        Ok(Outlook {
            organization,
            contract: self.proposed.contract,
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
        match self.proposed.level {
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
