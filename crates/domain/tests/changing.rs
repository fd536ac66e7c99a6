//! Contracts and plans that change: what applies at once never costs more, and costs go on without a gap or a second charge.

#![expect(clippy::unwrap_used, reason = "a test says by failing what went wrong")]

use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use stoa_domain::{
    amounts::{Cost, Quantity},
    costs::{Component, CostLine, DailyQuantity, PlanSince, SubscriptionTerms, rate, rate_by_plan},
    differences::{ContractDifference, Direction, Side},
    ids::{Id as _, ProjectId},
    meters::Plan,
    services::{DataPermission, Level},
    time::{DAY, Day, HOUR, Span, Ts},
};

fn ts(text: &str) -> Ts {
    text.parse().unwrap()
}

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn project(n: u8) -> ProjectId {
    ProjectId::mint(Ts::from_micros(0), [n; 10])
}

fn plan(fields: Value) -> Plan {
    let mut plan = json!({"name": "Standard", "currency": "EUR"});
    plan.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    serde_json::from_value(plan).unwrap()
}

fn since(at: Ts, plan: &Plan) -> PlanSince {
    PlanSince { since: at, plan: plan.clone().into() }
}

fn used(project_number: u8, meter: &str, on: Day, quantity: &str) -> DailyQuantity {
    DailyQuantity { project: project(project_number), meter: meter.into(), day: on, quantity: quantity.parse().unwrap() }
}

fn terms(plans: Vec<PlanSince>) -> SubscriptionTerms {
    let whole = Span::new(ts("2026-01-01T00:00:00Z"), None);
    SubscriptionTerms { plans, active: vec![whole], grants: vec![(project(1), whole)], usage: vec![], elsewhere: vec![], follows: false }
}

fn two_months(terms: &SubscriptionTerms) -> Vec<CostLine> {
    rate(terms, ts("2026-12-31T00:00:00Z"), day("2026-01-01"), day("2026-03-01")).unwrap()
}

fn total<'a>(lines: impl IntoIterator<Item = &'a CostLine>) -> Cost {
    Cost::sum(lines.into_iter().map(|line| line.cost)).unwrap()
}

#[test]
fn a_day_belongs_to_the_plan_that_holds_at_its_end_and_once_is_once() {
    let basic = plan(json!({"one_time": "5", "monthly": "31"}));
    let plus = plan(json!({"one_time": "50", "monthly": "62", "monthly_per_project": "31"}));
    let terms = terms(vec![
        since(ts("2026-01-01T00:00:00Z"), &basic),
        since(ts("2026-01-10T23:59:00Z"), &plus),
        since(ts("2026-01-12T00:00:00Z"), &basic),
        since(ts("2026-01-12T10:00:00Z"), &plus),
        since(ts("2026-01-12T11:00:00Z"), &basic),
    ]);
    let lines = rate(&terms, ts("2026-12-31T00:00:00Z"), day("2026-01-01"), day("2026-02-01")).unwrap();
    let of = |component: &Component| total(lines.iter().filter(|line| line.component == *component)).to_string();
    assert_eq!(of(&Component::OneTime), "5");
    // Two days at 2, all others at 1.
    assert_eq!(of(&Component::Monthly), "33");
    assert_eq!(of(&Component::MonthlyPerProject), "2");
}

#[test]
fn tiers_look_at_the_whole_month_and_each_day_pays_by_its_plan() {
    let tiers = |price: &str| {
        json!({"meters": [{"name": "m", "unit": "u", "charge_model": "graduated",
            "tiers": [{"up_to": "10", "unit_price": price}, {"unit_price": "0"}]}]})
    };
    let (dear, cheap) = (plan(tiers("4")), plan(tiers("2")));
    let mut changing = terms(vec![since(ts("2026-01-01T00:00:00Z"), &dear), since(ts("2026-01-16T09:00:00Z"), &cheap)]);
    changing.usage = vec![used(1, "m", day("2026-01-03"), "15"), used(1, "m", day("2026-01-20"), "5")];
    let costs: Vec<_> = two_months(&changing).iter().map(|line| line.cost.to_string()).collect();
    // 20 units come to 40 or to 20: three quarters of the first, one quarter of the second.
    assert_eq!(costs, ["30", "5"]);
}

#[test]
fn a_meter_that_the_days_plan_lost_is_priced_by_the_one_before() {
    let old = plan(json!({"meters": [{"name": "rows", "unit": "row", "unit_price": "2"}]}));
    let new = plan(json!({"meters": [{"name": "calls", "unit": "call", "unit_price": "3"}]}));
    let mut terms = terms(vec![since(ts("2026-01-01T00:00:00Z"), &old), since(ts("2026-01-16T09:00:00Z"), &new)]);
    let on = day("2026-01-16");
    terms.usage = vec![used(1, "rows", on, "1"), used(1, "calls", on, "1")];
    let lines = rate_by_plan(&terms, ts("2026-12-31T00:00:00Z"), day("2026-01-01"), day("2026-02-01")).unwrap();
    let shown: Vec<_> = lines.iter().map(|(turn, line)| format!("{turn} {} {}", line.component, line.cost)).collect();
    assert_eq!(shown, ["1 meter:calls 3", "0 meter:rows 2"]);
    terms.usage = vec![used(1, "rows", on.next(), "1")];
    assert!(rate(&terms, ts("2026-12-31T00:00:00Z"), day("2026-01-01"), day("2026-02-01")).is_err());
}

fn amount() -> impl Strategy<Value = Decimal> {
    (0_i64..2_000, 0_u32..=3).prop_map(|(n, places)| Decimal::new(n, places))
}

/// A meter `m` of any charge model.
fn meter() -> impl Strategy<Value = Value> {
    let tiers = (amount(), amount(), amount(), 1_u32..30)
        .prop_map(|(a, b, fee, first)| {
            json!([{"up_to": first.to_string(), "unit_price": a.to_string(), "flat_fee": fee.to_string()}, {"unit_price": b.to_string()}])
        })
        .boxed();
    let model = prop_oneof![
        amount().prop_map(|price| json!({"unit_price": price.to_string()})),
        tiers.clone().prop_map(|tiers| json!({"charge_model": "graduated", "tiers": tiers})),
        tiers.prop_map(|tiers| json!({"charge_model": "volume", "tiers": tiers})),
        (amount(), 1_u32..20)
            .prop_map(|(p, size)| json!({"charge_model": "package", "package_size": size.to_string(), "package_price": p.to_string()})),
    ];
    (model, 0_u32..12).prop_map(|(mut meter, free)| {
        let fields = meter.as_object_mut().unwrap();
        fields.extend([
            ("name".to_owned(), json!("m")),
            ("unit".to_owned(), json!("u")),
            ("free_units".to_owned(), json!(free.to_string())),
        ]);
        meter
    })
}

fn any_plan() -> impl Strategy<Value = Plan> {
    (amount(), amount(), amount(), meter()).prop_map(|(once, monthly, each, meter)| {
        plan(json!({"one_time": once.to_string(), "monthly": monthly.to_string(), "monthly_per_project": each.to_string(), "meters": [meter]}))
    })
}

/// The same plan with every price and fee lowered by so many per cent, and more free units where that is surely cheaper.
fn cheaper(of: &Plan, by: u32) -> Plan {
    let mut value = serde_json::to_value(of).unwrap();
    let lower = |price: &mut Value| {
        let was: Decimal = price.as_str().unwrap().parse().unwrap();
        *price = json!((was * Decimal::new(i64::from(100 - by), 2)).to_string());
    };
    for fee in ["monthly", "monthly_per_project"] {
        lower(&mut value[fee]);
    }
    let meter = &mut value["meters"][0];
    for price in ["unit_price", "package_price"] {
        if meter[price].is_string() {
            lower(&mut meter[price]);
        }
    }
    if let Some(tiers) = meter["tiers"].as_array_mut() {
        for tier in tiers {
            lower(&mut tier["unit_price"]);
            if tier["flat_fee"].is_string() {
                lower(&mut tier["flat_fee"]);
            }
        }
    }
    if meter["charge_model"] != "volume" && by.is_multiple_of(2) {
        meter["free_units"] = json!("12");
    }
    serde_json::from_value(value).unwrap()
}

fn permissions() -> impl Strategy<Value = Vec<DataPermission>> {
    prop::sample::subsequence(DataPermission::ALL.to_vec(), 1..=DataPermission::ALL.len())
}

fn side<'a>(permissions: &'a [DataPermission], plan: &'a Plan) -> Side<'a> {
    Side { level: Level::Organization, permissions, terms_url: Some("https://terms.example"), plan }
}

/// Usage without corrections in January and February.
fn usage() -> impl Strategy<Value = Vec<DailyQuantity>> {
    let row = (0_u8..3, 0_i64..59, 0_i64..400).prop_map(|(n, offset, quantity)| DailyQuantity {
        project: project(n),
        meter: "m".into(),
        day: Day::from_number(day("2026-01-01").number() + offset),
        quantity: Decimal::new(quantity, 1).to_string().parse().unwrap(),
    });
    prop::collection::vec(row, 0..40)
}

/// When plans change, within January and February.
fn changes(most: usize) -> impl Strategy<Value = Vec<Ts>> {
    prop::collection::btree_set(0_i64..59 * 24, 0..most)
        .prop_map(|hours| hours.into_iter().map(|hour| ts("2026-01-01T00:00:00Z").plus(hour * HOUR)).collect())
}

fn in_turn(plans: &[Plan], at: &[Ts]) -> Vec<PlanSince> {
    let begins = std::iter::once(ts("2025-12-01T00:00:00Z")).chain(at.iter().copied());
    begins.zip(plans.iter().cycle()).map(|(at, plan)| since(at, plan)).collect()
}

fn tolerance(lines: usize) -> Cost {
    // Shares are cut at twelve decimals, so the share of a part may differ by one unit of the last for each of its lines.
    Cost::flat(Decimal::new(i64::try_from(lines).unwrap() * 4 + 4, 12)).unwrap()
}

proptest! {
    #[test]
    fn nothing_changes_from_a_contract_to_itself(plan in any_plan(), permissions in permissions()) {
        let difference = ContractDifference::between(side(&permissions, &plan), side(&permissions, &plan));
        prop_assert!(difference.is_nothing() && difference.applies_at_once() && difference.sentences().is_empty());
    }

    #[test]
    fn fewer_permissions_and_no_higher_price_apply_at_once(plan in any_plan(), old in permissions(), new in permissions(), by in 0_u32..100) {
        let new: Vec<_> = new.into_iter().filter(|one| old.contains(one)).collect();
        let lower = cheaper(&plan, by);
        let difference = ContractDifference::between(side(&old, &plan), side(&new, &lower));
        prop_assert!(difference.applies_at_once(), "{difference:?}");
        let only_lower = |one: &stoa_domain::differences::PriceChange| matches!(one.direction, Direction::Lower | Direction::Removed);
        prop_assert!(difference.prices.iter().all(only_lower));
    }

    #[test]
    fn what_applies_at_once_asks_for_nothing_more(old in any_plan(), new in any_plan(), by in 0_u32..100, same in any::<bool>(),
            before in permissions(), after in permissions(), quantity in 0_i64..600) {
        let new = if same { cheaper(&old, by) } else { new };
        let difference = ContractDifference::between(side(&before, &old), side(&after, &new));
        if difference.applies_at_once() {
            prop_assert!(after.iter().all(|one| before.contains(one)));
            prop_assert!(new.monthly <= old.monthly && new.monthly_per_project <= old.monthly_per_project);
            let quantity: Quantity = Decimal::new(quantity, 1).to_string().parse().unwrap();
            let cost = |plan: &Plan| {
                let meter = &plan.meters[0];
                meter.price.of(quantity.minus(meter.free_units).unwrap().or_nothing()).unwrap()
            };
            prop_assert!(cost(&new) <= cost(&old));
        }
        prop_assert_eq!(difference.gained.is_empty(), after.iter().all(|one| before.contains(one)));
        prop_assert!(!difference.is_nothing() || difference.applies_at_once());
    }

    #[test]
    fn each_line_is_the_one_that_the_month_would_have_under_the_plan_of_its_day(plans in prop::collection::vec(any_plan(), 1..4),
            at in changes(5), usage in usage()) {
        let mut changing = terms(in_turn(&plans, &at));
        changing.usage = usage.clone();
        let lines = rate_by_plan(&changing, ts("2026-12-31T00:00:00Z"), day("2026-01-01"), day("2026-03-01")).unwrap();
        let alone: Vec<_> = changing.plans.iter().map(|one| {
            let mut terms = terms(vec![one.clone()]);
            terms.usage = usage.clone();
            two_months(&terms)
        }).collect();
        for (turn, line) in &lines {
            prop_assert!(alone[*turn].contains(line), "{line:?}");
            let begun = |one: &PlanSince| one.since.day() <= line.day;
            let of_day = changing.plans.iter().rposition(begun).unwrap();
            prop_assert!(of_day == *turn || line.component == Component::OneTime);
        }
        // Of each day, component and project there is one line.
        let mut keys: Vec<_> = lines.iter().map(|(_, line)| (line.day, line.component.clone(), line.project)).collect();
        let all = keys.len();
        keys.dedup();
        prop_assert_eq!(keys.len(), all);
        prop_assert!(lines.iter().filter(|(_, line)| line.component == Component::OneTime).count() <= 1);
    }

    #[test]
    fn a_plan_that_changes_nothing_changes_no_cost(plan in any_plan(), at in changes(6), usage in usage()) {
        let (mut changing, mut staying) = (terms(in_turn(std::slice::from_ref(&plan), &at)), terms(in_turn(&[plan], &[])));
        changing.usage = usage.clone();
        staying.usage = usage;
        prop_assert_eq!(two_months(&changing), two_months(&staying));
    }

    #[test]
    fn a_full_month_under_one_plan_is_exactly_its_fee(plans in prop::collection::vec(any_plan(), 1..4), at in prop::collection::btree_set(0_i64..31 * 24, 0..4)) {
        // All changes lie in January, so February is of one plan.
        let at: Vec<_> = at.into_iter().map(|hour| ts("2026-01-01T00:00:00Z").plus(hour * HOUR)).collect();
        let changing = terms(in_turn(&plans, &at));
        let last = &changing.plans.last().unwrap().plan;
        let lines = rate(&changing, ts("2026-03-01T00:00:00Z").plus(DAY), day("2026-02-01"), day("2026-03-01")).unwrap();
        let of = |component: &Component| total(lines.iter().filter(|line| line.component == *component));
        prop_assert_eq!(of(&Component::Monthly), Cost::flat(last.monthly).unwrap());
        prop_assert_eq!(of(&Component::MonthlyPerProject), Cost::flat(last.monthly_per_project).unwrap());
        prop_assert!(of(&Component::OneTime).is_zero());
    }

    #[test]
    fn going_to_a_plan_that_applies_at_once_never_costs_more_than_staying(plan in any_plan(), by in 0_u32..100, at in changes(2), usage in usage()) {
        let lower = cheaper(&plan, by);
        let (mut changing, mut staying) = (terms(in_turn(&[plan.clone(), lower], &at)), terms(in_turn(&[plan], &[])));
        changing.usage = usage.clone();
        staying.usage = usage;
        let (after, before) = (two_months(&changing), two_months(&staying));
        prop_assert!(total(&after) <= total(&before).plus(tolerance(before.len())).unwrap(), "{} > {}", total(&after), total(&before));
    }

    #[test]
    fn what_one_subscription_stops_and_another_goes_on_with_costs_what_one_alone_would(plan in any_plan(), usage in usage(), on in 1_i64..58) {
        let switch = Day::from_number(day("2026-01-01").number() + on);
        let mut alone = terms(in_turn(std::slice::from_ref(&plan), &[]));
        alone.usage = usage.clone();
        let before = |index: usize, one: &DailyQuantity| one.day < switch || (one.day == switch && index.is_multiple_of(2));
        let (first, second): (Vec<_>, Vec<_>) = usage.into_iter().enumerate().partition(|(index, one)| before(*index, one));
        let of = |part: &[(usize, DailyQuantity)]| part.iter().map(|(_, one)| one.clone()).collect::<Vec<_>>();
        let begun = alone.active[0].from;
        let old = SubscriptionTerms {
            active: vec![Span::new(begun, Some(switch.start()))],
            usage: of(&first),
            elsewhere: of(&second),
            ..alone.clone()
        };
        let new = SubscriptionTerms {
            active: vec![Span::new(switch.start(), None)],
            usage: of(&second),
            elsewhere: of(&first),
            follows: true,
            ..alone.clone()
        };
        let (old, new, alone) = (two_months(&old), two_months(&new), two_months(&alone));
        let (shared, whole) = (total(old.iter().chain(&new)), total(&alone));
        let (most, least) = if shared > whole { (shared, whole) } else { (whole, shared) };
        prop_assert!(most.minus(least).unwrap() <= tolerance(alone.len()), "{shared} instead of {whole}");
        let quantity = |lines: &mut dyn Iterator<Item = &CostLine>| Quantity::sum(lines.filter_map(|line| line.quantity)).unwrap();
        prop_assert_eq!(quantity(&mut old.iter().chain(&new)), quantity(&mut alone.iter()));
    }
}
