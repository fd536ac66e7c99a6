//! Subscribing a public service, answered when it is durable.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use stoa_domain::ids::{OrganizationId, UserId};

use super::Bench;
use crate::{
    Failure,
    bulk::Bulk,
    load::{Load, Make},
    report::{Line, Subject, measure as measured},
    stage::{Engine, Stage, subscribing},
    yardsticks::Commits,
};

/// Organizations that have not subscribed yet; each subscribes once.
const ORGANIZATIONS: usize = 100_000;

pub(super) async fn measure(bench: &mut Bench<'_>) -> Result<Vec<Line>, Failure> {
    let stage = &bench.stage;
    let service = stage.service("Subscribed", 1).await?;
    let owner: UserId = stage.user.parse().map_err(|error| Failure::new(format!("{error}")))?;
    let bulk = Bulk::open(&stage.database).await?;
    let organizations = Arc::new(bulk.organizations(owner, ORGANIZATIONS / bench.plan.divide).await?);
    bulk.close().await?;
    let make = make(stage, &service.id, organizations);
    let load = |connections| Subject::Http(Load::new(stage.address, stage.pid(), connections, &[201], Arc::clone(&make)));
    let commits = match stage.engine {
        Engine::Sqlite => Commits::sqlite(stage.folder.path(), 1)?,
        Engine::Postgres => Commits::postgres(&stage.database, 1).await?,
    };
    let [one, many, commits] = measured(&bench.plan, [load(1), load(64), Subject::Commits(Box::new(commits))]).await?;
    let line = |connections, of| {
        let what = format!("subscribing, {connections}, a second");
        Line::rates(stage.engine.name(), what, of, "single inserts, each committed, 1 connection", &commits)
    };
    Ok(vec![line("1 connection", &one), line("64 connections", &many)])
}

/// Each request is of an organization of its own, also when two loads take turns.
fn make(stage: &Stage, service: &str, organizations: Arc<Vec<OrganizationId>>) -> Make {
    let (address, keeper) = (stage.address.to_string(), stage.keeper());
    let body = Bytes::from(subscribing(service).to_string());
    let next = AtomicUsize::new(0);
    Arc::new(move |_| {
        let organization = organizations.get(next.fetch_add(1, Ordering::Relaxed))?;
        let request = Request::post(format!("/api/v1/organizations/{organization}/subscriptions"));
        let request = request.header("host", &address).header(keeper.0, &keeper.1).header("content-type", "application/json");
        request.body(Full::new(body.clone())).ok()
    })
}
