//! The change of level of a service with fifty subscribers, while usage keeps arriving: nothing lost, nothing counted twice, and
//! tokens work throughout.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use reqwest::Method;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use stoa_domain::{amounts::Quantity, time::SECOND};
use stoa_testkit::{Client, Person, TestApp, api_tests};

use crate::{trade::id, usage::token};

const ORGANIZATIONS: usize = 50;

/// How many projects the organization at an index has: from 1 to 20.
fn size(index: usize) -> usize {
    (index * 7) % 20 + 1
}

/// Whether a project's subscription has the dearer plan.
fn has_plus(index: usize, number: usize) -> bool {
    (index + number).is_multiple_of(3)
}

/// Whether only some projects of the organization go along, and how many.
fn going(index: usize) -> usize {
    if index % 7 == 3 { size(index).div_ceil(2) } else { size(index) }
}

/// Whether the change is undone, or never switched.
fn is_as_before(index: usize) -> bool {
    matches!(index % 5, 0 | 4)
}

/// What a day of an organization costs by fees, in tenths: one for Basic, two for Plus.
fn tenths(index: usize) -> usize {
    let of = |numbers: std::ops::Range<usize>| numbers.map(|number| if has_plus(index, number) { 2 } else { 1 }).sum::<usize>();
    if is_as_before(index) {
        return of(0..size(index));
    }
    // The plan that follows is that of most of those before.
    let dearer = (0..size(index)).filter(|number| has_plus(index, *number)).count();
    (if dearer * 2 > size(index) { 2 } else { 1 }) + of(going(index)..size(index))
}

/// A token of a subscription with what it has to open and what it must not.
struct Held {
    opens: Vec<String>,
    shut: Vec<String>,
    client: Client,
}

impl Held {
    async fn judge(&self, when: &str) {
        for path in &self.opens {
            let answer = self.client.get(path).await;
            assert_eq!(answer.status, 200, "{when} {path}: {answer:?}");
        }
        for path in &self.shut {
            let answer = self.client.get(path).await;
            assert!(matches!(answer.status, 403 | 404), "{when} {path}: {answer:?}");
        }
    }
}

/// A project of an organization with its subscription.
#[derive(Clone)]
struct Place {
    organization: usize,
    project: String,
    old: String,
    /// The one that follows, once it is known; reports go to either.
    new: Option<String>,
}

struct Many {
    ada: Person,
    pia: Person,
    service: String,
    application: String,
    secret: String,
    anonymous: Client,
    places: Mutex<Vec<Place>>,
}

fn org(index: usize) -> String {
    format!("consumer-{index}")
}

async fn subscribe_all(app: &TestApp) -> Many {
    let (ada, pia) = (app.person("ada").await, app.person("pia").await);
    pia.post("/api/v1/organizations", json!({"name": "Borealis"})).await.expect(201);
    let application = id(&pia.post("/api/v1/applications", json!({"name": "Engine", "organization": "borealis"})).await.expect(201));
    let secret = pia.post(&format!("/api/v1/applications/{application}/secrets"), json!({})).await.expect(201)["secret"].clone();
    let body = json!({"application": application, "name": "Forecast", "summary": "Reads", "description": "Reads data", "categories": ["energy"],
        "visibility": "public", "contract": contract("project")});
    let service = id(&pia.post("/api/v1/organizations/borealis/services", body).await.expect(201));
    pia.post(&format!("/api/v1/services/{service}/publish"), json!({})).await.expect(200);
    let mut places = Vec::new();
    for index in 0..ORGANIZATIONS {
        ada.post("/api/v1/organizations", json!({"name": format!("Consumer {index}"), "handle": org(index)})).await.expect(201);
        for number in 0..size(index) {
            let project = format!("p{number}");
            let path = format!("/api/v1/organizations/{}", org(index));
            ada.post(&format!("{path}/projects"), json!({"name": project, "handle": project})).await.expect(201);
            let plan = if has_plus(index, number) { "Plus" } else { "Basic" };
            let body = json!({"service": service, "project": project, "plan": plan, "accept_terms": true});
            let old = id(&ada.post(&format!("{path}/subscriptions"), body).await.expect(201));
            places.push(Place { organization: index, project, old, new: None });
        }
    }
    let (anonymous, secret) = (app.anonymous(), secret.as_str().unwrap().to_owned());
    Many { ada, pia, service, application, secret, anonymous, places: Mutex::new(places) }
}

fn contract(level: &str) -> Value {
    let meters = json!([{"name": "calls", "unit": "call", "unit_price": "0.01"}]);
    json!({"level": level, "permissions": ["resources:read"], "plans": [
        {"name": "Basic", "currency": "EUR", "monthly": "3", "meters": meters},
        {"name": "Plus", "currency": "EUR", "monthly": "6", "meters": meters}]})
}

impl Many {
    /// Reports until the changes are over: each batch twice, under the old or the new name of each subscription.
    async fn report(&self, app: &TestApp, over: &AtomicBool) -> BTreeMap<(usize, String), u64> {
        let reporter = self.anonymous.with_token(&token(&self.anonymous, &self.application, &self.secret, None).await);
        let mut sent: BTreeMap<(usize, String), u64> = BTreeMap::new();
        let mut round = 0_usize;
        while !over.load(Ordering::SeqCst) || round < 5 {
            let places = self.places.lock().unwrap().clone();
            let batch: Vec<Value> = places
                .iter()
                .enumerate()
                .filter(|(index, _)| (index + round).is_multiple_of(5))
                .map(|(index, place)| {
                    *sent.entry((place.organization, place.project.clone())).or_default() += 1;
                    let name = place.new.as_ref().filter(|_| (index / 5 + round).is_multiple_of(2)).unwrap_or(&place.old);
                    json!({"specversion": "1.0", "id": format!("{round}-{index}"), "source": "/c", "type": "stoa.usage.v1",
                        "time": app.stoa.clock.now(), "subject": name,
                        "data": {"project": place.project, "meter": "calls", "quantity": "1"}})
                })
                .collect();
            let body = json!(batch).to_string();
            for (accepted, duplicates) in [(batch.len(), 0), (0, batch.len())] {
                let request = reporter.request(Method::POST, "/api/v1/usage");
                let request = request.header("content-type", "application/cloudevents-batch+json").body(body.clone());
                let answer = reporter.send(request).await.expect(200);
                assert_eq!(answer, json!({"accepted": accepted, "duplicates": duplicates}));
            }
            round += 1;
        }
        sent
    }

    async fn held(&self, app: &TestApp, subscription: &str, organization: usize, opens: &[usize], shut: &[usize]) -> Held {
        let resource = format!("{}/subscriptions/{subscription}", app.stoa.public_url.trim_end_matches('/'));
        let client = self.anonymous.with_token(&token(&self.anonymous, &self.application, &self.secret, Some(resource)).await);
        let path = |number: &usize| format!("/api/v1/organizations/{}/projects/p{number}/resources", org(organization));
        Held { opens: opens.iter().map(path).collect(), shut: shut.iter().map(path).collect(), client }
    }

    /// Reads with tokens of both sides until the changes are over, also while a switch or an undo is under way: tokens of the
    /// first subscription of some organizations, and of the one that follows it as soon as there is one.
    async fn read(&self, app: &TestApp, over: &AtomicBool) -> usize {
        let firsts = self.places.lock().unwrap().clone();
        let firsts: Vec<_> = firsts.into_iter().filter(|place| place.project == "p0" && place.organization % 5 < 3).collect();
        let mut held = Vec::new();
        for place in &firsts {
            let shut = if size(place.organization) > 1 { &[1][..] } else { &[] };
            held.push(self.held(app, &place.old, place.organization, &[0], shut).await);
        }
        let (mut known, mut read) = (BTreeSet::new(), 0);
        let mut last = false;
        while !last {
            last = over.load(Ordering::SeqCst);
            let followed: Vec<_> = self.places.lock().unwrap().iter().filter(|place| place.project == "p0").cloned().collect();
            for place in followed.iter().filter(|place| place.organization % 5 < 3) {
                let Some(new) = place.new.as_ref().filter(|new| known.insert((*new).clone())) else { continue };
                let both = BTreeSet::from([0, size(place.organization) - 1]);
                let (goes, stays): (Vec<usize>, Vec<usize>) = both.into_iter().partition(|one| *one < going(place.organization));
                held.push(self.held(app, new, place.organization, &goes, &stays).await);
            }
            // The tokens of both sides of the organization that is changing, and a few others in turn.
            for one in held.iter().rev().take(3).chain(held.iter().cycle().skip(read % held.len()).take(if last { held.len() } else { 4 }))
            {
                one.judge("meanwhile").await;
            }
            read += 4;
        }
        known.len()
    }

    /// What an undo has to bring back: the subscriptions with plan, contract, permissions and grants, the offers that wait, and
    /// what is charged for the day.
    async fn snapshot(&self, index: usize) -> Value {
        let path = format!("/api/v1/organizations/{}", org(index));
        let of = |what: &str| {
            let (ada, path) = (&self.ada, format!("{path}/{what}"));
            async move { ada.get(&path).await.expect(200) }
        };
        let without = |mut one: Value, keys: &[&str]| {
            if let Some(fields) = one.as_object_mut() {
                fields.retain(|key, _| !keys.contains(&key.as_str()));
            }
            one
        };
        let by_id = |page: &Value, keys: &[&str]| -> BTreeMap<String, Value> {
            page["items"].as_array().unwrap().iter().map(|one| (id(one), without(one.clone(), keys))).collect()
        };
        // What was over in between is told by the history alone.
        let subscriptions = by_id(&of("subscriptions?state=active&limit=200").await, &["suspensions"]);
        let grants = by_id(&of("grants?limit=200").await, &["costs"]);
        let offer = without(of(&format!("level-changes/outlook?service={}", self.service)).await, &["cost_before", "cost_after"]);
        let costs = of("costs?from=2026-04-01&to=2026-05-01&group_by=subscription,project,component").await;
        let fees = costs["items"].as_array().unwrap().iter().filter(|row| row["component"] == "monthly");
        let fees: BTreeMap<String, String> = fees.map(|row| (row["subscription"].to_string(), row["cost"].to_string())).collect();
        json!({"subscriptions": subscriptions, "grants": grants, "offer": offer, "fees": fees})
    }

    /// Accepts, switches and undoes, by what the index of each organization says.
    async fn change(&self, app: &TestApp) {
        let mut body = contract("organization");
        body["notice_until"] = json!("2026-06-01T00:00:00Z");
        let contract = id(&self.pia.post(&format!("/api/v1/services/{}/contracts", self.service), body).await.expect(201));
        for index in 0..ORGANIZATIONS {
            app.clock.advance(SECOND);
            let path = format!("/api/v1/organizations/{}/level-changes", org(index));
            // Every seventh accepts for some projects only.
            let some: Vec<_> = (0..going(index)).map(|number| format!("p{number}")).collect();
            let mut body = json!({"service": self.service, "contract": contract});
            if index % 7 == 3 {
                body["projects"] = json!(some);
            }
            let before = if index % 5 == 0 { self.snapshot(index).await } else { Value::Null };
            let change = self.ada.post(&path, body).await.expect(201)["change"].clone();
            {
                let mut places = self.places.lock().unwrap();
                for part in change["parts"].as_array().unwrap() {
                    let place = places.iter_mut().find(|place| part["from"] == place.old.as_str()).unwrap();
                    place.new = Some(part["to"].as_str().unwrap().to_owned());
                }
            }
            app.clock.advance(SECOND);
            if index % 5 != 4 {
                let who = if index % 2 == 0 { &self.ada } else { &self.pia };
                who.post(&format!("/api/v1/level-changes/{}/switch", id(&change)), json!({})).await.expect(200);
            }
            app.clock.advance(SECOND);
            if index % 5 == 0 {
                assert_ne!(self.snapshot(index).await, before, "{}", org(index));
                self.pia.post(&format!("/api/v1/level-changes/{}/undo", id(&change)), json!({})).await.expect(200);
                assert_eq!(self.snapshot(index).await, before, "{}", org(index));
            }
        }
    }

    /// The map of an organization: project and subscription of each line, and what opens it.
    async fn map(&self, index: usize) -> Vec<(String, String, String)> {
        let page = self.ada.get(&format!("/api/v1/organizations/{}/grants?limit=200", org(index))).await.expect(200);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let line = |one: &Value| (text(&one["project"]["handle"]), text(&one["subscription"]), text(&one["state"]));
        let mut lines: Vec<_> = page["items"].as_array().unwrap().iter().map(line).collect();
        lines.sort();
        lines
    }
}

api_tests! {
    async fn fifty_subscribers_change_their_level_while_usage_arrives(app: &TestApp) {
        app.clock.set("2026-04-10T12:00:00Z");
        let many = subscribe_all(app).await;
        let mut before = BTreeMap::new();
        for index in 0..ORGANIZATIONS {
            before.insert(index, many.map(index).await);
        }
        let over = AtomicBool::new(false);
        let changing = async {
            many.change(app).await;
            over.store(true, Ordering::SeqCst);
        };
        let ((), sent, followed) = tokio::join!(changing, many.report(app, &over), many.read(app, &over));
        assert_eq!(followed, (0..ORGANIZATIONS).filter(|index| index % 5 < 3).count(), "tokens of what follows were read with");

        let places = many.places.lock().unwrap().clone();
        for index in 0..ORGANIZATIONS {
            let after = many.map(index).await;
            // No subscription is lost: each project has exactly one that holds it.
            let projects: Vec<_> = after.iter().map(|line| line.0.clone()).collect();
            let expected: Vec<_> = before[&index].iter().map(|line| line.0.clone()).collect();
            assert_eq!(projects, expected, "{}", org(index));
            if is_as_before(index) {
                assert_eq!(after, before[&index], "{}", org(index));
            } else {
                let moved = after.iter().filter(|line| places.iter().any(|place| place.new.as_deref() == Some(line.1.as_str())));
                assert_eq!(moved.count(), going(index), "{}", org(index));
            }
            // Each plan charges its own fee for the day, once, on the side that holds.
            let costs = many.ada.get(&format!("/api/v1/organizations/{}/costs?group_by=component", org(index))).await.expect(200);
            let monthly = costs["items"].as_array().unwrap().iter().find(|row| row["component"] == "monthly").unwrap();
            let fee: Decimal = monthly["cost"].as_str().unwrap().parse().unwrap();
            assert_eq!(fee, Decimal::new(i64::try_from(tenths(index)).unwrap(), 1), "{}", org(index));
            // No unit is dropped or counted twice.
            let usage = many.ada.get(&format!("/api/v1/organizations/{}/usage?group_by=project", org(index))).await.expect(200);
            for item in usage["items"].as_array().unwrap() {
                let project = item["project"]["handle"].as_str().unwrap().to_owned();
                let counted: Quantity = item["quantity"].as_str().unwrap().parse().unwrap();
                assert_eq!(counted.to_string(), sent[&(index, project)].to_string(), "{}", org(index));
            }
            let counted = sent.keys().filter(|(organization, _)| *organization == index).count();
            assert_eq!(usage["items"].as_array().unwrap().len(), counted, "{}", org(index));
        }
    }
}
