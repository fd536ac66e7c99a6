//! What subscriptions cost: examples one can check by hand, and properties that hold for any input.

#![expect(clippy::unwrap_used, reason = "a test says by failing what went wrong")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use stoa_domain::{
    amounts::{Cost, Quantity},
    costs::{Component, CostLine, DailyQuantity, PlanSince, RatingError, SubscriptionTerms, rate, usage_needed},
    ids::{Id as _, ProjectId},
    meters::{Meter, Plan},
    time::{DAY, Day, Span, Ts},
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

fn terms(plan: Plan) -> SubscriptionTerms {
    SubscriptionTerms {
        plans: vec![since("2026-01-01T00:00:00Z", plan)],
        active: vec![],
        grants: vec![],
        usage: vec![],
        elsewhere: vec![],
        follows: false,
    }
}

fn since(at: &str, plan: Plan) -> PlanSince {
    PlanSince { since: ts(at), plan: plan.into() }
}

fn used(project_number: u8, on: &str, quantity: &str) -> DailyQuantity {
    DailyQuantity { project: project(project_number), meter: "m".into(), day: day(on), quantity: quantity.parse().unwrap() }
}

fn year(terms: &SubscriptionTerms) -> Vec<CostLine> {
    rate(terms, ts("2026-12-31T23:00:00Z"), day("2026-01-01"), day("2027-01-01")).unwrap()
}

fn total(lines: &[CostLine]) -> Cost {
    Cost::sum(lines.iter().map(|line| line.cost)).unwrap()
}

fn shown(lines: &[CostLine]) -> Vec<String> {
    let name = |p: ProjectId| (1..9).find(|&n| project(n) == p).map_or("?".to_owned(), |n| format!("p{n}"));
    let line = |l: &CostLine| format!("{} {} {} {}", l.day, l.component, l.project.map_or("-".to_owned(), name), l.cost);
    lines.iter().map(line).collect()
}

#[test]
fn fees_accrue_on_the_days_a_subscription_is_active_and_stop_today() {
    let mut terms = terms(plan(json!({"one_time": "5.00", "monthly": "31.00", "monthly_per_project": "3.10"})));
    terms.active =
        vec![Span::new(ts("2026-01-02T23:59:59Z"), Some(ts("2026-01-04T00:00:00Z"))), Span::new(ts("2026-01-05T10:00:00Z"), None)];
    // Twice on the same day, once while the subscription was suspended, once without length.
    terms.grants = vec![
        (project(1), Span::new(ts("2026-01-03T01:00:00Z"), Some(ts("2026-01-03T02:00:00Z")))),
        (project(1), Span::new(ts("2026-01-03T05:00:00Z"), Some(ts("2026-01-05T00:00:00Z")))),
        (project(2), Span::new(ts("2026-01-05T12:00:00Z"), Some(ts("2026-01-05T12:00:00Z")))),
        (project(2), Span::new(ts("2026-01-06T09:00:00Z"), None)),
    ];
    let lines = rate(&terms, ts("2026-01-06T08:00:00Z"), day("2026-01-01"), day("2026-02-01")).unwrap();
    assert_eq!(
        shown(&lines),
        [
            "2026-01-02 one_time - 5",
            "2026-01-02 monthly - 1",
            "2026-01-03 monthly - 1",
            "2026-01-03 monthly_per_project p1 0.1",
            "2026-01-05 monthly - 1",
            "2026-01-06 monthly - 1",
        ]
    );
    // A part of the days is that part of the lines; the one-time fee is on its day only.
    let part = rate(&terms, ts("2026-01-06T08:00:00Z"), day("2026-01-05"), day("2026-01-06")).unwrap();
    assert_eq!(shown(&part), ["2026-01-05 monthly - 1"]);
    assert!(rate(&terms, ts("2026-01-02T00:00:00Z"), day("2026-01-01"), day("2026-02-01")).unwrap().is_empty());
}

#[test]
fn tiny_usage_costs_exactly_quantity_times_price() {
    let mut terms = terms(plan(json!({"meters": [{"name": "m", "unit": "GB", "unit_price": "0.0000004"}]})));
    terms.usage =
        vec![used(1, "2026-03-01", "0.0000001453"), used(2, "2026-03-01", "2.000000000000000"), used(1, "2026-03-02", "-0.00019")];
    assert_eq!(
        shown(&year(&terms)),
        ["2026-03-01 meter:m p1 0.00000000000005812", "2026-03-01 meter:m p2 0.0000008", "2026-03-02 meter:m p1 -0.000000000076"]
    );
}

#[test]
fn free_units_are_used_up_through_the_month_and_come_back_with_the_next() {
    let mut terms = terms(plan(json!({"meters": [{"name": "m", "unit": "GB", "unit_price": "2", "free_units": "10"}]})));
    terms.usage = vec![
        used(1, "2026-03-01", "6"),
        used(2, "2026-03-02", "6"),
        used(1, "2026-03-03", "1"),
        used(1, "2026-03-04", "-2"),
        used(1, "2026-04-01", "11"),
        used(1, "2026-05-01", "-4"),
    ];
    assert_eq!(
        shown(&year(&terms)),
        [
            "2026-03-01 meter:m p1 0",
            "2026-03-02 meter:m p2 4",
            "2026-03-03 meter:m p1 2",
            "2026-03-04 meter:m p1 -4",
            "2026-04-01 meter:m p1 2",
            "2026-05-01 meter:m p1 0",
        ]
    );
}

#[test]
fn tiers_look_at_the_month_over_all_projects_and_each_pays_its_share() {
    let tiers = json!([{"up_to": "10", "unit_price": "1"}, {"up_to": null, "unit_price": "0.5"}]);
    let mut terms = terms(plan(json!({"meters": [{"name": "m", "unit": "GB", "charge_model": "graduated", "tiers": tiers}]})));
    terms.usage = vec![
        used(1, "2026-03-01", "5"),
        used(2, "2026-03-01", "10"),
        used(1, "2026-03-20", "5"),
        used(3, "2026-03-21", "-1"),
        used(3, "2026-03-22", "1"),
    ];
    // 20 units cost 10 + 5: project 1 and 2 used 10 each, project 3 nothing in the end.
    assert_eq!(
        shown(&year(&terms)),
        [
            "2026-03-01 meter:m p1 3.75",
            "2026-03-01 meter:m p2 7.5",
            "2026-03-20 meter:m p1 3.75",
            "2026-03-21 meter:m p3 0",
            "2026-03-22 meter:m p3 0",
        ]
    );
    // Asking for a few days gives the same lines: the shares are those of the whole month.
    let part = rate(&terms, ts("2026-12-31T00:00:00Z"), day("2026-03-20"), day("2026-03-21")).unwrap();
    assert_eq!(shown(&part), ["2026-03-20 meter:m p1 3.75"]);
    assert_eq!(usage_needed(day("2026-03-20"), day("2026-04-01")), (day("2026-03-01"), day("2026-04-01")));
    assert_eq!(usage_needed(day("2026-03-20"), day("2026-04-02")), (day("2026-03-01"), day("2026-05-01")));
}

#[test]
fn a_third_of_a_package_price_loses_nothing() {
    let meter = json!({"name": "m", "unit": "mails", "charge_model": "package", "package_size": "1000", "package_price": "10"});
    let mut terms = terms(plan(json!({"meters": [meter]})));
    terms.usage = vec![used(1, "2026-03-01", "1"), used(2, "2026-03-01", "1"), used(3, "2026-03-01", "1")];
    let lines = year(&terms);
    assert_eq!(lines.iter().map(|l| l.cost.to_string()).collect::<Vec<_>>(), ["3.333333333333", "3.333333333333", "3.333333333334"]);
}

#[test]
fn an_unknown_meter_and_an_overflow_are_errors() {
    let mut unknown = terms(plan(json!({})));
    unknown.usage = vec![used(1, "2026-03-01", "1")];
    let rated = |terms: &SubscriptionTerms| rate(terms, ts("2026-12-31T00:00:00Z"), day("2026-01-01"), day("2027-01-01"));
    assert_eq!(rated(&unknown), Err(RatingError::UnknownMeter("m".into())));
    let most = "9999999999999999999999";
    let mut huge = terms(plan(json!({"meters": [{"name": "m", "unit": "u", "unit_price": "999999999999"}]})));
    huge.usage = (0..100).map(|_| used(1, "2026-03-01", most)).collect();
    assert!(matches!(rated(&huge), Err(RatingError::Overflow(_))));
}

#[test]
fn a_year_of_many_projects_and_meters_is_rated_completely() {
    let meters: Vec<_> = (0..20).map(|i| json!({"name": format!("m{i}"), "unit": "u", "unit_price": "0.01"})).collect();
    let mut terms = terms(plan(json!({"meters": meters, "monthly_per_project": "1"})));
    terms.active = vec![Span::new(ts("2026-01-01T00:00:00Z"), None)];
    terms.grants = (0..10).map(|n| (project(n), Span::new(ts("2026-01-01T00:00:00Z"), None))).collect();
    let plan = terms.plans[0].plan.clone();
    for meter in &plan.meters {
        let name: std::sync::Arc<str> = meter.name.as_str().into();
        for n in 0..10 {
            let daily =
                |d| DailyQuantity { project: project(n), meter: name.clone(), day: Day::from_number(d), quantity: "1".parse().unwrap() };
            terms.usage.extend((day("2026-01-01").number()..day("2027-01-01").number()).map(daily));
        }
    }
    let lines = year(&terms);
    assert_eq!(lines.len(), 365 * 10 * 20 + 365 * 10);
    assert_eq!(total(&lines).to_string(), "850");
}

fn prices() -> impl Strategy<Value = String> {
    (0_u64..1_000_000_000_000, 0_u32..=12).prop_map(|(n, places)| Decimal::from_i128_with_scale(n.into(), places).to_string())
}

fn quantities() -> impl Strategy<Value = Quantity> {
    (-1_000_000_i64..4_000_000, 0_u32..=15)
        .prop_map(|(n, places)| Decimal::from_i128_with_scale(n.into(), places).to_string().parse().unwrap())
}

fn meters() -> impl Strategy<Value = Meter> {
    let tiers = (prices(), prices(), prices(), prices(), 1_u32..50, 1_u32..5_000)
        .prop_map(|(a, b, c, fee, first, more)| {
            json!([
                {"up_to": first.to_string(), "unit_price": a},
                {"up_to": (first + more).to_string(), "unit_price": b, "flat_fee": fee},
                {"up_to": null, "unit_price": c},
            ])
        })
        .boxed();
    let model = prop_oneof![
        prices().prop_map(|price| json!({"unit_price": price})),
        tiers.clone().prop_map(|tiers| json!({"charge_model": "graduated", "tiers": tiers})),
        tiers.prop_map(|tiers| json!({"charge_model": "volume", "tiers": tiers})),
        (prices(), 1_u32..700)
            .prop_map(|(price, size)| json!({"charge_model": "package", "package_size": size.to_string(), "package_price": price})),
    ];
    (model, 0_u32..30, any::<bool>()).prop_map(|(mut meter, free, with)| {
        let fields = meter.as_object_mut().unwrap();
        fields.extend([("name".to_owned(), json!("m")), ("unit".to_owned(), json!("u"))]);
        if with {
            fields.insert("free_units".to_owned(), json!(free.to_string()));
        }
        serde_json::from_value(meter).unwrap()
    })
}

fn usage() -> impl Strategy<Value = Vec<DailyQuantity>> {
    let row = (0_u8..5, 0_i64..59, quantities()).prop_map(|(n, offset, quantity)| DailyQuantity {
        project: project(n),
        meter: "m".into(),
        day: Day::from_number(day("2026-01-01").number() + offset),
        quantity,
    });
    prop::collection::vec(row, 0..60)
}

/// What each month must cost, straight from the definition.
fn expected(meter: &Meter, usage: &[DailyQuantity]) -> Cost {
    let mut months: BTreeMap<Day, Quantity> = BTreeMap::new();
    for row in usage {
        let sum = months.entry(row.day.month_start()).or_default();
        *sum = sum.plus(row.quantity).unwrap();
    }
    let of = |used: Quantity| match meter.free_units {
        free if free.is_zero() => meter.price.of(used).unwrap(),
        free => meter.price.of(used.minus(free).unwrap().or_nothing()).unwrap(),
    };
    Cost::sum(months.into_values().map(of)).unwrap()
}

proptest! {
    #[test]
    fn a_full_month_is_exactly_the_fee_however_it_is_cut(fee in prices(), month in 0_i64..48, cuts in prop::collection::vec(0_i64..31 * DAY, 0..6)) {
        let first = (0..month).fold(day("2024-01-01"), |day, _| day.next_month());
        let (start, end) = (first.start(), first.next_month().start());
        let mut at: Vec<_> = cuts.into_iter().map(|cut| start.plus(cut).min(end)).chain([start, end]).collect();
        at.sort_unstable();
        let spans: Vec<_> = at.windows(2).map(|w| Span::new(w[0], Some(w[1]))).rev().collect();
        let mut terms = terms(plan(json!({"monthly": fee, "monthly_per_project": fee})));
        terms.grants = spans.iter().map(|span| (project(1), *span)).collect();
        terms.active = spans;
        let lines = rate(&terms, end.plus(DAY), first, first.next_month()).unwrap();
        for component in [Component::Monthly, Component::MonthlyPerProject] {
            let of: Vec<_> = lines.iter().filter(|line| line.component == component).cloned().collect();
            prop_assert_eq!(total(&of), fee.parse().unwrap());
            prop_assert!(of.iter().all(|line| !line.cost.is_negative()));
        }
    }

    #[test]
    fn the_lines_of_a_meter_add_up_exactly_to_what_its_months_cost(meter in meters(), usage in usage()) {
        let mut terms = terms(Plan { meters: vec![meter.clone()], ..plan(json!({})) });
        terms.usage = usage;
        prop_assert_eq!(total(&year(&terms)), expected(&meter, &terms.usage));
    }

    #[test]
    fn neither_the_order_of_rows_nor_how_they_are_split_matters(meter in meters(), usage in usage(), seed in any::<u64>()) {
        let mut terms = terms(Plan { meters: vec![meter], ..plan(json!({})) });
        terms.usage = usage;
        let lines = year(&terms);
        let mut split: Vec<_> = terms.usage.iter().flat_map(|row| {
            let more = Quantity::ZERO.minus(row.quantity).unwrap();
            let twice = row.quantity.plus(row.quantity).unwrap();
            [DailyQuantity { quantity: more, ..row.clone() }, DailyQuantity { quantity: twice, ..row.clone() }]
        }).collect();
        let turn = usize::try_from(seed % 61).unwrap() % split.len().max(1);
        split.rotate_left(turn);
        split.reverse();
        terms.usage = split;
        prop_assert_eq!(year(&terms), lines);
    }

    #[test]
    fn moving_usage_between_projects_and_days_does_not_change_what_a_month_costs(meter in meters(), usage in usage()) {
        let mut terms = terms(Plan { meters: vec![meter], ..plan(json!({})) });
        terms.usage = usage;
        let before = total(&year(&terms));
        for row in &mut terms.usage {
            row.project = project(7);
            row.day = row.day.month_start().next();
        }
        prop_assert_eq!(total(&year(&terms)), before);
    }

    #[test]
    fn days_asked_for_one_by_one_are_the_days_of_the_whole(meter in meters(), usage in usage(), cut in 0_i64..59) {
        let mut terms = terms(Plan { meters: vec![meter], ..plan(json!({"monthly": "9.99"})) });
        terms.usage = usage;
        terms.active = vec![Span::new(ts("2026-01-10T10:00:00Z"), None)];
        let (from, to) = (day("2026-01-01"), day("2026-03-01"));
        let middle = Day::from_number(from.number() + cut);
        let now = ts("2026-03-05T00:00:00Z");
        let mut parts = rate(&terms, now, from, middle).unwrap();
        parts.extend(rate(&terms, now, middle, to).unwrap());
        prop_assert_eq!(parts, rate(&terms, now, from, to).unwrap());
    }

    #[test]
    fn without_corrections_nobody_pays_less_than_nothing_and_shares_follow_quantities(meter in meters(), usage in usage()) {
        let mut terms = terms(Plan { meters: vec![meter], ..plan(json!({})) });
        terms.usage = usage.into_iter().filter(|row| !row.quantity.is_negative()).collect();
        prop_assert!(year(&terms).iter().all(|line| !line.cost.is_negative()));
    }
}
