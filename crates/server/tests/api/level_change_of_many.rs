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
use serde_json::{Value, json};
use stoa_domain::{amounts::Quantity, time::SECOND};
use stoa_testkit::{Client, Person, TestApp, api_tests};

use crate::{trade::id, usage::token};

const ORGANIZATIONS: usize = 50;

/// How many projects the organization at an index has: from 1 to 20.
fn size(index: usize) -> usize {
    (index * 7) % 20 + 1
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
            let plan = if (index + number).is_multiple_of(3) { "Plus" } else { "Basic" };
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
        {"name": "Basic", "currency": "EUR", "monthly": "10", "meters": meters},
        {"name": "Plus", "currency": "EUR", "monthly": "20", "meters": meters}]})
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

    /// A token of the first subscription of some organizations.
    async fn tokens(&self, app: &TestApp) -> Vec<(String, Client)> {
        let places = self.places.lock().unwrap().clone();
        let mut tokens = Vec::new();
        for place in places.iter().filter(|place| place.project == "p0" && place.organization % 5 < 3) {
            let resource = format!("{}/subscriptions/{}", app.stoa.public_url.trim_end_matches('/'), place.old);
            let token = token(&self.anonymous, &self.application, &self.secret, Some(resource)).await;
            let path = format!("/api/v1/organizations/{}/projects/p0/resources", org(place.organization));
            tokens.push((path, self.anonymous.with_token(&token)));
        }
        tokens
    }

    /// Accepts, switches and undoes, by what the index of each organization says. Answers which were undone.
    async fn change(&self, app: &TestApp, tokens: &[(String, Client)]) -> BTreeSet<usize> {
        let mut body = contract("organization");
        body["notice_until"] = json!("2026-06-01T00:00:00Z");
        self.pia.post(&format!("/api/v1/services/{}/contracts", self.service), body).await.expect(201);
        let mut undone = BTreeSet::new();
        for index in 0..ORGANIZATIONS {
            app.clock.advance(SECOND);
            let path = format!("/api/v1/organizations/{}/level-changes", org(index));
            // Every seventh accepts for some projects only.
            let some: Vec<_> = (0..size(index).div_ceil(2)).map(|number| format!("p{number}")).collect();
            let body = if index % 7 == 3 { json!({"service": self.service, "projects": some}) } else { json!({"service": self.service}) };
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
                self.pia.post(&format!("/api/v1/level-changes/{}/undo", id(&change)), json!({})).await.expect(200);
                undone.insert(index);
            }
            for (path, client) in tokens {
                client.get(path).await.expect(200);
            }
        }
        undone
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
        let tokens = many.tokens(app).await;
        let over = AtomicBool::new(false);
        let changing = async {
            let undone = many.change(app, &tokens).await;
            over.store(true, Ordering::SeqCst);
            undone
        };
        let (undone, sent) = tokio::join!(changing, many.report(app, &over));

        let places = many.places.lock().unwrap().clone();
        for index in 0..ORGANIZATIONS {
            let after = many.map(index).await;
            // No subscription is lost: each project has exactly one that holds it.
            let projects: Vec<_> = after.iter().map(|line| line.0.clone()).collect();
            let expected: Vec<_> = before[&index].iter().map(|line| line.0.clone()).collect();
            assert_eq!(projects, expected, "{}", org(index));
            if undone.contains(&index) || index % 5 == 4 {
                assert_eq!(after, before[&index], "{}", org(index));
            } else {
                let moved = after.iter().filter(|line| places.iter().any(|place| place.new.as_deref() == Some(line.1.as_str())));
                let expected = if index % 7 == 3 { size(index).div_ceil(2) } else { size(index) };
                assert_eq!(moved.count(), expected, "{}", org(index));
            }
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
