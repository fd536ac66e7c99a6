//! Usage in batches of 100, answered when it is durable.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use http_body_util::Full;
use hyper::Request;
use serde_json::{Value, json};

use super::Bench;
use crate::{
    Failure,
    load::{Load, Make},
    report::{Line, Subject, measure as measured},
    stage::{Engine, Stage, Subscription, member},
    yardsticks::Commits,
};

/// Events of a batch.
const BATCH: u64 = 100;

pub(super) async fn measure(bench: &mut Bench<'_>) -> Result<Vec<Line>, Failure> {
    let stage = &bench.stage;
    let organization = stage.organization("Reporting").await?;
    let mut projects = Vec::new();
    for number in 0..10 {
        projects.push(stage.project(&organization, &format!("Field {number}")).await?);
    }
    let service = stage.service("Reporter", 5).await?;
    let subscription = stage.subscribe(&organization, &service).await?;
    let grants = stage.ask(reqwest::Method::GET, &format!("/api/v1/organizations/{organization}/grants"), None).await?;
    let since = grants["items"].get(0).map(|grant| member(grant, "since")).transpose()?.unwrap_or_default();
    let make = make(stage, subscription, projects, since);
    let load = |connections| Subject::Http(Load::new(stage.address, stage.pid(), connections, &[200], Arc::clone(&make)));
    let commits = match stage.engine {
        Engine::Sqlite => Commits::sqlite(stage.folder.path(), BATCH as usize)?,
        Engine::Postgres => Commits::postgres(&stage.database, BATCH as usize).await?,
    };
    let [one, many, commits] = measured(&bench.plan, [load(1), load(8), Subject::Commits(Box::new(commits))]).await?;
    let line = |connections, of| {
        let what = format!("usage in batches of {BATCH}, {connections}, batches a second");
        Line::rates(stage.engine.name(), what, of, "100 bare inserts a commit, 1 connection", &commits)
    };
    Ok(vec![line("1 connection", &one), line("8 connections", &many)])
}

fn make(stage: &Stage, subscription: Subscription, projects: Vec<String>, since: String) -> Make {
    let address = stage.address.to_string();
    let token = format!("Bearer {}", subscription.token);
    let next = AtomicU64::new(0);
    Arc::new(move |_| {
        let first = next.fetch_add(BATCH, Ordering::Relaxed);
        let events: Vec<Value> = (first..first + BATCH)
            .map(|number| {
                let project = &projects[(number % 10) as usize];
                json!({
                    "specversion": "1.0", "type": "stoa.usage.v1", "source": "/bench", "id": format!("event-{number}"),
                    "time": since, "subject": subscription.id,
                    "data": {"project": project, "meter": format!("meter-{}", number / 10 % 5), "quantity": "12.5"},
                })
            })
            .collect();
        let request = Request::post("/api/v1/usage").header("host", &address).header("authorization", &token);
        let request = request.header("content-type", "application/cloudevents-batch+json");
        request.body(Full::from(Value::from(events).to_string())).ok()
    })
}
