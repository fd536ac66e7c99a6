//! What contracts and plans offer, in words: the same on every page that speaks of them.

use stoa_domain::{ids::PlanId, meters::Plan, money::Money, services::DataPermission};

use super::{Pair, PermissionLine, PlanView};

/// What a service may do, in plain words.
#[must_use]
pub fn permission_lines(permissions: &[DataPermission]) -> Vec<PermissionLine> {
    let line = |permission: &DataPermission| {
        let words = permission.words();
        let (first, rest) = words.split_at(1);
        PermissionLine {
            name: permission.word().to_owned(),
            words: format!("{}{rest}", first.to_uppercase()),
            detail: String::new(),
            writes: *permission == DataPermission::ResourcesWrite,
        }
    };
    permissions.iter().map(line).collect()
}

/// A plan with its leading price and all others below.
#[must_use]
pub fn plan_view(id: PlanId, plan: &Plan, checked: bool) -> PlanView {
    let (amount, per, lines) = prices(plan);
    PlanView { id: id.to_string(), name: plan.name.clone(), amount, per: per.to_owned(), lines, checked }
}

/// The leading price, what it is for, and all other prices.
fn prices(plan: &Plan) -> (String, &'static str, Vec<Pair>) {
    let money = |amount| Money::new(amount, plan.currency).exact();
    let mut lines = Vec::new();
    let mut fees = Vec::new();
    for (amount, per) in [(plan.monthly, "per month"), (plan.monthly_per_project, "per project and month"), (plan.one_time, "once")] {
        if !amount.is_zero() {
            fees.push((money(amount), per));
        }
    }
    lines.extend(fees.iter().skip(1).map(|(amount, per)| Pair::new(first_upper(per), amount.as_str())));
    lines.extend(plan.meters.iter().map(|meter| Pair::new(meter.name.as_str(), meter.words(plan.currency))));
    match fees.into_iter().next() {
        Some((amount, per)) => (amount, per, lines),
        None if plan.is_free() => ("Free".to_owned(), "", lines),
        None => ("By usage".to_owned(), "", lines),
    }
}

/// A plan in one line: `Standard, EUR 49.00 per month`.
#[must_use]
pub fn plan_line(plan: &Plan) -> String {
    let (amount, per, _) = prices(plan);
    format!("{}, {amount} {per}", plan.name).trim_end().to_owned()
}

fn first_upper(text: &str) -> String {
    let (first, rest) = text.split_at(1);
    format!("{}{rest}", first.to_uppercase())
}

#[cfg(test)]
mod tests {
    use stoa_domain::{
        ids::{Id, PlanId},
        meters::PlanInput,
        text::Faults,
        time::Ts,
    };

    use super::{plan_line, plan_view};

    #[test]
    fn a_plan_leads_with_what_is_paid_each_month() {
        let input: PlanInput =
            serde_json::from_value(serde_json::json!({"name": "Standard", "currency": "EUR", "one_time": "100", "monthly": "49",
            "meters": [{"name": "calls", "unit": "call", "unit_price": "0.012", "free_units": "1000"}]}))
            .unwrap();
        let plan = input.validate("", &mut Faults::new()).unwrap();
        let view = plan_view(PlanId::mint(Ts::from_micros(1), [1; 10]), &plan, true);
        assert_eq!((view.amount.as_str(), view.per.as_str()), ("EUR 49.00", "per month"));
        let lines: Vec<_> = view.lines.iter().map(|line| format!("{}: {}", line.label, line.value)).collect();
        assert_eq!(lines, ["Once: EUR 100.00", "calls: EUR 0.012 per call, 1,000 free each month"]);
        assert_eq!(plan_line(&plan), "Standard, EUR 49.00 per month");
    }
}
