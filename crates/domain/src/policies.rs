//! Policies of approval: what an organization wants somebody else to approve, beyond what the roles ask for.
//!
//! A policy tightens the table of roles and never loosens it: see [`Policy::need`], the one place that decides.

use std::collections::BTreeSet;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{
    deadlines::{MOST_DAYS, USUAL_DAYS},
    meters::Plan,
    money::{Currency, Money},
    permissions::{Role, Verdict},
    requests::RequestKind,
    services::DataPermission,
    text::{self, Faults},
};

/// Rules a policy may have.
pub const MOST_RULES: usize = 50;

/// Characters a rule's name may have.
const NAME: usize = 120;

/// When another person has to approve. All conditions must hold; an empty one always does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// What it is called; requesters and approvers read it.
    pub name: String,
    /// The roles it concerns; empty for all.
    pub roles: BTreeSet<Role>,
    /// What it concerns; empty for everything that can wait for an approval.
    pub kinds: BTreeSet<RequestKind>,
    /// From which fees a month on, one amount for each currency; empty for any.
    pub monthly_from: Vec<Money>,
    /// Any of these permissions; empty for any or none.
    pub permissions: BTreeSet<DataPermission>,
}

/// What an organization wants to be approved, and for how long its requests wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// For how many days a request waits before it expires.
    pub request_days: u16,
    /// The rules, in the order in which they are shown; the first that fits is named.
    pub rules: Vec<Rule>,
}

impl Default for Policy {
    fn default() -> Self {
        Self { request_days: USUAL_DAYS, rules: Vec::new() }
    }
}

/// What a month costs by fees alone: what is charged by quantity is not known before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Monthly {
    /// The currency.
    pub currency: Currency,
    /// The amount; `None` when it is beyond what can be counted.
    pub amount: Option<Decimal>,
}

impl Monthly {
    /// The fees of a month of a plan with so many projects.
    pub fn of(plan: &Plan, projects: usize) -> Self {
        let by_project = plan.monthly_per_project.checked_mul(Decimal::from(projects));
        Self { currency: plan.currency, amount: by_project.and_then(|fees| fees.checked_add(plan.monthly)) }
    }

    /// The fees of a month of a plan for so many projects, each with a subscription of its own.
    pub fn of_each(plan: &Plan, projects: usize) -> Self {
        let one = Self::of(plan, 1);
        Self { amount: one.amount.and_then(|fees| fees.checked_mul(Decimal::from(projects))), ..one }
    }

    fn words(self) -> String {
        match self.amount {
            Some(amount) => format!("this comes to {} a month", Money::new(amount, self.currency).exact()),
            None => "this comes to more than can be counted".to_owned(),
        }
    }
}

/// What somebody wants to do.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// The role of whoever wants it.
    pub role: Role,
    /// What the table of roles says of it.
    pub verdict: Verdict,
    /// What it is.
    pub kind: RequestKind,
    /// What it costs a month, where it costs something.
    pub monthly: Option<Monthly>,
    /// What a service may do with data by it.
    pub permissions: &'a [DataPermission],
}

/// Whether a wish needs an approval, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// It happens at once.
    Nothing,
    /// The role may only ask for it.
    Role,
    /// A rule of the policy wants another person to approve.
    Rule {
        /// The rule's name.
        name: String,
        /// Why it fits, in words.
        why: String,
    },
}

impl Need {
    /// Whether somebody has to approve.
    pub fn is_needed(&self) -> bool {
        *self != Self::Nothing
    }

    /// The rule in words; empty where there is none.
    pub fn rule(&self) -> String {
        match self {
            Self::Rule { name, why } => format!("{name}: {why}"),
            Self::Nothing | Self::Role => String::new(),
        }
    }
}

impl Policy {
    /// Whether a wish needs an approval, and by which rule. What the role may only ask for stays asked for, whatever the
    /// rules say; what it may do at once waits where a rule fits.
    pub fn need(&self, wish: &Wish<'_>) -> Need {
        if wish.verdict != Verdict::Allowed {
            return Need::Role;
        }
        let fitting = self.rules.iter().find_map(|rule| Some((rule, rule.fits(wish)?)));
        fitting.map_or(Need::Nothing, |(rule, why)| Need::Rule { name: rule.name.clone(), why })
    }
}

impl Rule {
    /// Why it fits a wish, in words; `None` where it does not.
    fn fits(&self, wish: &Wish<'_>) -> Option<String> {
        let role = self.roles.is_empty() || self.roles.contains(&wish.role);
        let kind = wish.kind.is_governed() && (self.kinds.is_empty() || self.kinds.contains(&wish.kind));
        let permitted: Vec<_> = wish.permissions.iter().filter(|one| self.permissions.contains(one)).map(|one| one.words()).collect();
        if !role || !kind || (!self.permissions.is_empty() && permitted.is_empty()) {
            return None;
        }
        let mut why = Vec::new();
        if !self.monthly_from.is_empty() {
            why.push(self.price(wish.monthly?)?);
        }
        if !permitted.is_empty() {
            why.push(format!("the service may {}", permitted.join(" and ")));
        }
        if why.is_empty() {
            why.push("another person approves this here".to_owned());
        }
        Some(why.join("; "))
    }

    /// Why a price reaches the rule's; `None` where it does not. A price in a currency that the rule does not name can't be
    /// compared, so somebody has to look at it, unless it is nothing.
    fn price(&self, monthly: Monthly) -> Option<String> {
        if monthly.amount.is_some_and(|amount| amount.is_zero()) {
            return self.monthly_from.iter().any(|from| from.amount().is_zero()).then(|| monthly.words());
        }
        let words = |from: String| format!("{from}; {}", monthly.words());
        match self.monthly_from.iter().find(|from| from.currency() == monthly.currency) {
            Some(from) if monthly.amount.is_none_or(|amount| amount >= from.amount()) => {
                Some(words(format!("{} a month or more needs another person's approval", from.exact())))
            }
            Some(_) => None,
            None => Some(words(format!("prices in {} can't be compared with this rule's", monthly.currency))),
        }
    }

    /// The rule in words, as a sentence without its end: “an editor or a maintainer who subscribes a service for EUR 500 a
    /// month or more”.
    pub fn words(&self) -> String {
        let any = |words: Vec<String>, nothing: &str| if words.is_empty() { nothing.to_owned() } else { words.join(" or ") };
        let who = any(self.roles.iter().map(|role| role.with_article().to_owned()).collect(), "anybody");
        let what = any(
            self.kinds.iter().map(|kind| kind.words().to_owned()).collect(),
            "subscribes, adds projects, changes a plan, accepts a contract, changes the level of a service or publishes",
        );
        let mut text = format!("{who} who {what}");
        if !self.monthly_from.is_empty() {
            let prices = self.monthly_from.iter().map(|from| from.exact()).collect();
            text.push_str(&format!(", for fees of {} a month or more", any(prices, "")));
        }
        if !self.permissions.is_empty() {
            let may = self.permissions.iter().map(|one| one.words().to_owned()).collect();
            text.push_str(&format!(", where the service may {}", any(may, "")));
        }
        text
    }
}

impl RequestKind {
    /// Whether a policy may ask for an approval of it. What only reduces does not wait for more than the roles ask.
    pub const fn is_governed(self) -> bool {
        !matches!(self, Self::Cancel)
    }

    /// What it is, as it continues “who …”.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribes a service",
            Self::AddProjects => "adds projects to a subscription",
            Self::ChangePlan => "changes the plan of a subscription",
            Self::AcceptContract => "accepts a new contract",
            Self::ChangeLevel => "changes the level of a service",
            Self::Cancel => "cancels a subscription",
            Self::Publish => "publishes a service",
        }
    }
}

/// An amount with its currency as somebody wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AmountInput {
    /// The number.
    pub amount: String,
    /// The code of the currency.
    pub currency: String,
}

/// A rule as somebody wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleInput {
    /// What it is called; required.
    pub name: String,
    /// The roles it concerns.
    pub roles: Vec<String>,
    /// What it concerns.
    pub kinds: Vec<String>,
    /// From which fees on.
    pub monthly_from: Vec<AmountInput>,
    /// Any of these permissions.
    pub permissions: Vec<String>,
}

/// A policy as somebody wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicyInput {
    /// For how many days requests wait; the usual 30 when absent.
    pub request_days: Option<i64>,
    /// The rules.
    pub rules: Vec<RuleInput>,
}

impl PolicyInput {
    /// Checks everything at once.
    ///
    /// # Errors
    /// What is wrong, with pointers into the API's JSON.
    pub fn check(&self) -> Result<Policy, Faults> {
        let mut faults = Faults::new();
        let days = self.request_days.unwrap_or(i64::from(USUAL_DAYS));
        let request_days = u16::try_from(days).ok().filter(|days| (1..=MOST_DAYS).contains(days));
        if request_days.is_none() {
            faults.add("/request_days", format!("requests wait for 1 to {MOST_DAYS} days"));
        }
        if self.rules.len() > MOST_RULES {
            faults.add("/rules", format!("a policy has at most {MOST_RULES} rules"));
        }
        let rules: Vec<_> = self.rules.iter().enumerate().filter_map(|(index, rule)| rule.check(index, &mut faults)).collect();
        for (index, rule) in rules.iter().enumerate() {
            if rules[..index].iter().any(|before| before.name.eq_ignore_ascii_case(&rule.name)) {
                faults.add(format!("/rules/{index}/name"), "another rule has this name");
            }
        }
        faults.or(request_days.map(|request_days| Policy { request_days, rules }))
    }
}

impl RuleInput {
    fn check(&self, index: usize, faults: &mut Faults) -> Option<Rule> {
        let at = |what: &str| format!("/rules/{index}/{what}");
        let name = faults.check(at("name"), text::line(&self.name, NAME));
        let roles = words(&self.roles, &at("roles"), faults);
        let kinds: BTreeSet<RequestKind> = words(&self.kinds, &at("kinds"), faults);
        if kinds.iter().any(|kind| !kind.is_governed()) {
            faults.add(at("kinds"), "a cancellation reduces, so no rule can make it wait");
        }
        let permissions = words(&self.permissions, &at("permissions"), faults);
        let mut monthly_from: Vec<Money> = Vec::new();
        for (number, given) in self.monthly_from.iter().enumerate() {
            let at = at(&format!("monthly_from/{number}"));
            let currency = faults.check(format!("{at}/currency"), given.currency.trim().parse::<Currency>());
            let Some(currency) = currency else { continue };
            let price = faults.check(format!("{at}/amount"), Money::price(given.amount.trim(), currency));
            if monthly_from.iter().any(|before| before.currency() == currency) {
                faults.add(format!("{at}/currency"), "there is an amount in this currency already");
            }
            monthly_from.extend(price);
        }
        Some(Rule { name: name?, roles, kinds, monthly_from, permissions })
    }
}

fn words<T: std::str::FromStr<Err: std::fmt::Display> + Ord>(given: &[String], at: &str, faults: &mut Faults) -> BTreeSet<T> {
    given.iter().enumerate().filter_map(|(index, word)| faults.check(format!("{at}/{index}"), word.trim().parse())).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn money(amount: &str, currency: &str) -> Money {
        Money::price(amount, currency.parse().unwrap()).unwrap()
    }

    fn large() -> Rule {
        Rule {
            name: "Large".into(),
            roles: BTreeSet::from([Role::Editor, Role::Maintainer]),
            kinds: BTreeSet::from([RequestKind::Subscribe]),
            monthly_from: vec![money("500", "EUR")],
            permissions: BTreeSet::new(),
        }
    }

    fn monthly(amount: i64, currency: &str) -> Monthly {
        Monthly { currency: currency.parse().unwrap(), amount: Some(Decimal::from(amount)) }
    }

    fn wish(role: Role, kind: RequestKind, monthly: Option<Monthly>) -> Wish<'static> {
        Wish { role, verdict: Verdict::Allowed, kind, monthly, permissions: &[DataPermission::ResourcesRead] }
    }

    fn roles() -> impl Strategy<Value = BTreeSet<Role>> {
        prop::collection::btree_set(prop::sample::select(Role::ALL.to_vec()), 0..4)
    }

    fn permissions() -> impl Strategy<Value = BTreeSet<DataPermission>> {
        prop::collection::btree_set(prop::sample::select(DataPermission::ALL), 0..3)
    }

    fn rule() -> impl Strategy<Value = Rule> {
        let kinds = prop::collection::btree_set(prop::sample::select(RequestKind::ALL), 0..4);
        let prices = prop::collection::vec((0_i64..1000, prop::sample::select(vec!["EUR", "USD"])), 0..2);
        (roles(), kinds, prices, permissions()).prop_map(|(roles, kinds, prices, permissions)| Rule {
            name: "Some".into(),
            roles,
            kinds,
            monthly_from: prices
                .into_iter()
                .map(|(amount, currency)| Money::new(Decimal::from(amount), currency.parse().unwrap()))
                .collect(),
            permissions,
        })
    }

    fn policy() -> impl Strategy<Value = Policy> {
        prop::collection::vec(rule(), 0..5).prop_map(|rules| Policy { rules, ..Policy::default() })
    }

    proptest! {
        #[test]
        fn rules_only_ever_tighten(
            before in policy(), more in rule(), role in prop::sample::select(Role::ALL.to_vec()),
            verdict in prop::sample::select(vec![Verdict::Allowed, Verdict::Request]),
            kind in prop::sample::select(RequestKind::ALL),
            price in prop::option::of((0_i64..2000, prop::sample::select(vec!["EUR", "USD", "CHF"]))), asked in permissions(),
        ) {
            let asked: Vec<_> = asked.into_iter().collect();
            let monthly = price.map(|(amount, currency)| monthly(amount, currency));
            let wish = Wish { role, verdict, kind, monthly, permissions: &asked };
            let need = before.need(&wish);
            prop_assert!(need.is_needed() || !Policy::default().need(&wish).is_needed(), "never less than the roles ask for");
            let mut after = before.clone();
            after.rules.push(more);
            prop_assert!(after.need(&wish).is_needed() || !need.is_needed(), "never less with one rule more");
            prop_assert!(kind != RequestKind::Cancel || need.is_needed() == (verdict != Verdict::Allowed));
        }

        #[test]
        fn what_costs_more_or_may_more_needs_no_less(policy in policy(), amount in 0_i64..2000, more in 0_i64..500, asked in permissions()) {
            let asked: Vec<_> = asked.into_iter().collect();
            let wish = |amount, permissions| Wish {
                role: Role::Maintainer,
                verdict: Verdict::Allowed,
                kind: RequestKind::Subscribe,
                monthly: Some(monthly(amount, "EUR")),
                permissions,
            };
            let less = policy.need(&wish(amount, &asked)).is_needed();
            prop_assert!(!less || amount == 0 || policy.need(&wish(amount + more, &asked)).is_needed());
            prop_assert!(!less || policy.need(&wish(amount, DataPermission::ALL)).is_needed());
        }

        #[test]
        fn a_policy_reads_back_from_what_is_kept(policy in policy()) {
            let kept = serde_json::to_string(&policy).unwrap();
            prop_assert_eq!(serde_json::from_str::<Policy>(&kept).unwrap(), policy);
        }
    }

    #[test]
    fn a_price_from_the_rules_on_waits_and_the_reason_says_so() {
        let policy = Policy { rules: vec![large()], ..Policy::default() };
        let need = |role, kind, monthly| policy.need(&wish(role, kind, monthly));
        let subscribe = RequestKind::Subscribe;
        assert_eq!(need(Role::Maintainer, subscribe, Some(monthly(499, "EUR"))), Need::Nothing);
        let found = need(Role::Maintainer, subscribe, Some(monthly(500, "EUR")));
        assert_eq!(found.rule(), "Large: EUR 500.00 a month or more needs another person's approval; this comes to EUR 500.00 a month");
        assert_eq!(need(Role::Reviewer, subscribe, Some(monthly(900, "EUR"))), Need::Nothing);
        assert_eq!(need(Role::Maintainer, RequestKind::AddProjects, Some(monthly(900, "EUR"))), Need::Nothing);
        assert!(need(Role::Maintainer, subscribe, Some(monthly(1, "USD"))).is_needed(), "another currency can't be compared");
        assert_eq!(need(Role::Maintainer, subscribe, Some(monthly(0, "USD"))), Need::Nothing);
        assert!(need(Role::Maintainer, subscribe, Some(Monthly { currency: "EUR".parse().unwrap(), amount: None })).is_needed());
        assert_eq!(need(Role::Maintainer, subscribe, None), Need::Nothing);
        let asking = Wish { verdict: Verdict::Request, ..wish(Role::Viewer, subscribe, None) };
        assert_eq!(policy.need(&asking), Need::Role);
    }

    #[test]
    fn a_permission_waits_where_the_rule_names_it() {
        let rule = Rule { monthly_from: Vec::new(), permissions: BTreeSet::from([DataPermission::ResourcesWrite]), ..large() };
        let policy = Policy { rules: vec![rule], ..Policy::default() };
        let reads = wish(Role::Maintainer, RequestKind::Subscribe, None);
        assert_eq!(policy.need(&reads), Need::Nothing);
        let writes = Wish { permissions: DataPermission::ALL, ..reads };
        assert_eq!(policy.need(&writes).rule(), "Large: the service may write, replace and delete resources of the chosen projects");
    }

    #[test]
    fn the_fees_of_a_month_count_each_project() {
        let plan = Plan {
            name: "Basic".into(),
            currency: "EUR".parse().unwrap(),
            one_time: Decimal::from(1000),
            monthly: Decimal::from(10),
            monthly_per_project: Decimal::from(5),
            meters: Vec::new(),
        };
        assert_eq!(Monthly::of(&plan, 4).amount, Some(Decimal::from(30)));
        assert_eq!(Monthly::of_each(&plan, 4).amount, Some(Decimal::from(60)), "each subscription pays the whole plan");
        let endless = Plan { monthly_per_project: Decimal::MAX, ..plan };
        assert_eq!((Monthly::of(&endless, 2).amount, Monthly::of_each(&endless, 2).amount), (None, None));
    }

    #[test]
    fn everything_wrong_with_a_policy_is_said_at_its_place() {
        let rule = |name: &str| RuleInput { name: name.into(), ..RuleInput::default() };
        let wrong = PolicyInput {
            request_days: Some(0),
            rules: vec![
                RuleInput { roles: vec!["king".into()], kinds: vec!["cancel".into()], ..rule("") },
                RuleInput {
                    monthly_from: vec![
                        AmountInput { amount: "-1".into(), currency: "EUR".into() },
                        AmountInput { amount: "1".into(), currency: "EURO".into() },
                    ],
                    permissions: vec!["all".into()],
                    ..rule("One")
                },
            ],
        };
        let pointers: Vec<_> = wrong.check().unwrap_err().into_vec().into_iter().map(|fault| fault.pointer).collect();
        assert_eq!(
            pointers,
            [
                "/request_days",
                "/rules/0/name",
                "/rules/0/roles/0",
                "/rules/0/kinds",
                "/rules/1/permissions/0",
                "/rules/1/monthly_from/0/amount",
                "/rules/1/monthly_from/1/currency"
            ]
        );
        let twice = PolicyInput { request_days: None, rules: vec![rule("One"), rule("one")] };
        assert_eq!(twice.check().unwrap_err().into_vec()[0].pointer, "/rules/1/name");
        assert_eq!(PolicyInput::default().check().unwrap(), Policy::default());
    }

    #[test]
    fn a_rule_reads_as_a_sentence() {
        let words = large().words();
        assert_eq!(words, "an editor or a maintainer who subscribes a service, for fees of EUR 500.00 a month or more");
        let all = Rule {
            name: "All".into(),
            roles: BTreeSet::new(),
            kinds: BTreeSet::new(),
            monthly_from: Vec::new(),
            permissions: BTreeSet::new(),
        };
        assert_eq!(
            all.words(),
            "anybody who subscribes, adds projects, changes a plan, accepts a contract, changes the level of a service or publishes"
        );
    }
}
