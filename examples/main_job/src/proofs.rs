//! What must be true when the job is done.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::{
    client::{Failure, id, text},
    exact,
    focus::{Charge, Index},
    say,
    work::{Made, Subscribed, content, event, send},
};

/// Proves everything; prints each proof that holds.
///
/// # Errors
/// The first one that does not.
pub async fn all(made: &Made<'_>, source: &str) -> Result<(), Failure> {
    costs(made).await?;
    quantities(made).await?;
    map(made, None).await?;
    reading(made).await?;
    outside(made, source).await?;
    taking_out(made).await?;
    // Neither a refused batch nor a project that was taken out changes what was used before.
    costs(made).await
}

fn unproved<T>(what: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::Unproved(what.into()))
}

fn inexact(error: exact::Inexact) -> Failure {
    Failure::Unproved(format!("all sums are exact: {error}"))
}

/// What the file says about a service and a project.
#[derive(Default)]
struct Expected {
    exact: Decimal,
    listed: Decimal,
    tolerance: Decimal,
}

impl Expected {
    fn add(&mut self, charge: &Charge) -> Result<(), Failure> {
        self.exact = exact::sum(self.exact, charge.cost).map_err(inexact)?;
        self.listed = exact::sum(self.listed, charge.list_cost).map_err(inexact)?;
        self.tolerance = exact::sum(self.tolerance, charge.tolerance).map_err(inexact)?;
        Ok(())
    }

    /// Whether a cost is exactly what prices and quantities give, and what the file lists up to its rounding.
    fn check(&self, what: &str, cost: Decimal) -> Result<(), Failure> {
        if cost != self.exact {
            return unproved(format!("{what} costs exactly {} (the sum of quantity × price), but the server says {cost}", self.exact));
        }
        let off = (cost - self.listed).abs();
        if off > self.tolerance {
            return unproved(format!(
                "{what} costs {} in the file, give or take {}, but the server says {cost}",
                self.listed, self.tolerance
            ));
        }
        Ok(())
    }
}

/// The decimal of a member.
fn decimal(asked: &str, item: &Value, member: &'static str) -> Result<Decimal, Failure> {
    let written = text(item, member).ok_or_else(|| Failure::lacks(asked, member, item))?;
    exact::read(&written).map_err(inexact)
}

/// The first instant of all usage of an organization.
fn beginning(made: &Made<'_>, organization: Index) -> String {
    let own = made.subscriptions.iter().filter(|one| one.used.organization == organization);
    own.flat_map(|one| one.since.values()).min().cloned().unwrap_or_default()
}

/// Costs by service and project are those of the file, and so is their total.
async fn costs(made: &Made<'_>) -> Result<(), Failure> {
    let mut groups = 0;
    for organization in 0..made.organizations.len() {
        let mut expected: BTreeMap<(&str, &str), Expected> = BTreeMap::new();
        let mut totals: BTreeMap<&str, Expected> = BTreeMap::new();
        for charge in made.focus.charges.iter().filter(|charge| made.focus.projects[charge.project].organization == organization) {
            let service = &made.focus.services[charge.service];
            expected.entry((&made.services[charge.service], &made.projects[charge.project])).or_default().add(charge)?;
            totals.entry(&service.currency).or_default().add(charge)?;
        }
        groups += expected.len();
        let path = format!("/api/v1/organizations/{}/costs", made.organizations[organization]);
        let answer = made.owner.get(&path, &[("from", &beginning(made, organization)), ("group_by", "service,project")]).await?;
        let items = answer.get("items").and_then(Value::as_array).ok_or_else(|| Failure::lacks(&path, "items", &answer))?;
        let mut found: BTreeMap<(String, String), Decimal> = BTreeMap::new();
        for item in items {
            let (Some(service), Some(project)) = (id(item, "service"), id(item, "project")) else {
                return Err(Failure::lacks(&path, "service and project", item));
            };
            let cost = decimal(&path, item, "cost")?;
            if found.insert((service, project), cost).is_some() {
                return unproved(format!("each service and project stands once in {path}, but {item} is there again"));
            }
        }
        for ((service, project), expected) in &expected {
            // What costs nothing may be left out.
            let cost = found.remove(&((*service).to_owned(), (*project).to_owned())).unwrap_or_default();
            expected.check(&format!("service {service} in project {project}"), cost)?;
        }
        if let Some((pair, cost)) = found.into_iter().find(|(_, cost)| !cost.is_zero()) {
            return unproved(format!("nothing else costs anything, but {pair:?} costs {cost}"));
        }
        for (currency, expected) in totals {
            expected.check(&format!("everything of organization {organization} in {currency}"), total(&path, &answer, currency)?)?;
        }
    }
    say(&format!("proved: the costs of {groups} pairs of service and project, and their totals, are those of the file"));
    Ok(())
}

/// The total in a currency: `total`, or one of `totals` where an organization pays in several.
fn total(path: &str, answer: &Value, currency: &str) -> Result<Decimal, Failure> {
    let several = answer.get("totals").and_then(Value::as_array).into_iter().flatten();
    let amount = answer.get("total").into_iter().chain(several).find_map(|total| match total {
        Value::String(amount) => Some(amount.clone()),
        money if text(money, "currency").as_deref() == Some(currency) => text(money, "amount"),
        _ => None,
    });
    let amount = amount.ok_or_else(|| Failure::lacks(path, "total in the currency of the costs", answer))?;
    exact::read(&amount).map_err(inexact)
}

/// Usage by service, project and meter is what was reported.
async fn quantities(made: &Made<'_>) -> Result<(), Failure> {
    let mut meters = 0;
    for organization in 0..made.organizations.len() {
        let mut expected: BTreeMap<(String, String, String), Decimal> = BTreeMap::new();
        for charge in made.focus.charges.iter().filter(|charge| made.focus.projects[charge.project].organization == organization) {
            let meter = made.focus.services[charge.service].meters[charge.meter].name.clone();
            let sum = expected.entry((made.services[charge.service].clone(), made.projects[charge.project].clone(), meter)).or_default();
            *sum = exact::sum(*sum, exact::read(&charge.quantity).map_err(inexact)?).map_err(inexact)?;
        }
        meters += expected.len();
        let path = format!("/api/v1/organizations/{}/usage", made.organizations[organization]);
        let items = made.owner.get(&path, &[("from", &beginning(made, organization)), ("group_by", "service,project,meter")]).await?;
        let items = items.get("items").and_then(Value::as_array).cloned().ok_or_else(|| Failure::lacks(&path, "items", &items))?;
        let mut found = BTreeMap::new();
        for item in &items {
            let (Some(service), Some(project), Some(meter)) = (id(item, "service"), id(item, "project"), text(item, "meter")) else {
                return Err(Failure::lacks(&path, "service, project and meter", item));
            };
            found.insert((service, project, meter), decimal(&path, item, "quantity")?);
        }
        if let Some((key, sum)) = expected.iter().find(|(key, sum)| found.get(*key) != Some(*sum)) {
            return unproved(format!("{key:?} used {sum}, but the server says {:?}", found.get(key)));
        }
        if found.len() != expected.len() {
            return unproved(format!("{} meters were used, but the server says {}", expected.len(), found.len()));
        }
    }
    say(&format!("proved: the quantities on {meters} meters of projects are those of the file"));
    Ok(())
}

/// The map of grants is the file's pairs of service and project, but for one that was taken out.
async fn map(made: &Made<'_>, without: Option<(Index, Index)>) -> Result<(), Failure> {
    let mut pairs = 0;
    for organization in 0..made.organizations.len() {
        let own = made.subscriptions.iter().filter(|one| one.used.organization == organization);
        let expected: BTreeSet<(&str, &str)> = own
            .flat_map(|one| one.used.projects.iter().map(|&project| (one.used.service, project)))
            .filter(|&pair| Some(pair) != without)
            .map(|(service, project)| (made.services[service].as_str(), made.projects[project].as_str()))
            .collect();
        let path = format!("/api/v1/organizations/{}/grants", made.organizations[organization]);
        let items = made.owner.list(&path, &[]).await?;
        let found: Option<Vec<(String, String)>> = items.iter().map(|item| Some((id(item, "service")?, id(item, "project")?))).collect();
        let Some(found) = found else { return Err(Failure::lacks(path, "service and project", &Value::from(items))) };
        let set: BTreeSet<(&str, &str)> = found.iter().map(|(service, project)| (service.as_str(), project.as_str())).collect();
        if set != expected || set.len() != found.len() {
            let off: Vec<_> = set.symmetric_difference(&expected).take(5).collect();
            return unproved(format!("the map of {path} is the file's pairs; different: {off:?}"));
        }
        for item in &items {
            let approved = item.get("approved_by").is_some_and(|by| !by.is_null());
            if !approved || text(item, "since").is_none() || item.get("permissions") != Some(&json!(["resources:read"])) {
                return unproved(format!("the map says since when, by whose approval and with which permissions, but {item}"));
            }
        }
        pairs += expected.len();
    }
    say(&format!("proved: the map of grants has exactly the {pairs} pairs that should be there"));
    Ok(())
}

/// Whether a service reads the resource of a project: the very bytes, or 404.
async fn reads(made: &Made<'_>, one: &Subscribed, project: Index, open: bool) -> Result<(), Failure> {
    let path = made.resource_path(project);
    let answer = one.service.send(Method::GET, &path, |request| request).await?;
    let what = format!("service {} and {path}", made.services[one.used.service]);
    match (open, answer.status.as_u16()) {
        (true, 200) if answer.body == content(made.focus, project).as_bytes() => Ok(()),
        (true, 200) => unproved(format!("{what}: the service reads what was uploaded")),
        (false, 404) => Ok(()),
        (true, status) => unproved(format!("{what}: granted, so 200, but {status}")),
        (false, status) => unproved(format!("{what}: not granted, so 404, but {status}")),
    }
}

/// Each service reads each granted project and none of the others; none writes.
async fn reading(made: &Made<'_>) -> Result<(), Failure> {
    let (mut open, mut closed) = (0, 0);
    for one in &made.subscriptions {
        for &project in &one.used.projects {
            reads(made, one, project, true).await?;
            open += 1;
        }
        for project in made.focus.ungranted(&one.used) {
            reads(made, one, project, false).await?;
            closed += 1;
        }
        if let Some(&project) = one.used.projects.first() {
            let path = made.resource_path(project);
            let answer = one.service.send(Method::PUT, &path, |request| request.body("overwritten")).await?;
            if answer.status.as_u16() != 403 {
                return unproved(format!("{path}: the service may read but not write, so 403, but {}", answer.status));
            }
        }
    }
    say(&format!("proved: services read the {open} resources they are granted; {closed} others are 404 to them, and none writes"));
    Ok(())
}

/// Usage of a time without grant is refused, and with it the whole batch.
async fn outside(made: &Made<'_>, source: &str) -> Result<(), Failure> {
    let source = format!("{source}#outside");
    for one in &made.subscriptions {
        let Some(charge) = made.focus.charges_of(&one.used).next() else { continue };
        let good = event(made, &source, one, charge);
        let mut bad = good.clone();
        bad["id"] = json!("of another time");
        bad["time"] = json!(charge.start);
        let answer = send(&one.service, &[good, bad]).await?;
        if answer.status.as_u16() != 422 {
            return unproved(format!("usage of {} (before the grant) is refused with 422, but {}", charge.start, answer.status));
        }
    }
    say(&format!("proved: {} batches with usage of a time before the grant were refused as a whole", made.subscriptions.len()));
    Ok(())
}

/// Taking a project out closes it with the next request, and no other.
async fn taking_out(made: &Made<'_>) -> Result<(), Failure> {
    let most = made.subscriptions.iter().max_by_key(|one| one.used.projects.len());
    let Some((one, &out)) = most.and_then(|one| Some((one, one.used.projects.last()?))) else {
        return unproved("there is a subscription");
    };
    let path = format!("/api/v1/organizations/{}/subscriptions/{}/projects", made.organizations[one.used.organization], one.id);
    let kept: Vec<Index> = one.used.projects.iter().copied().filter(|&project| project != out).collect();
    let ids: Vec<&str> = kept.iter().map(|&project| made.projects[project].as_str()).collect();
    let body = json!({"mode": "selected", "projects": ids, "include_future": "no"});
    made.owner.send(Method::PUT, &path, |request| request.json(&body)).await?.with(&[200])?;
    reads(made, one, out, false).await?;
    for &project in &kept {
        reads(made, one, project, true).await?;
    }
    map(made, Some((one.used.service, out))).await?;
    say(&format!("proved: the project that was taken out is 404 to the service with the next request; {} others stay open", kept.len()));
    Ok(())
}
