//! The costs of a quarter, of organizations with little and with much usage.

use stoa_domain::ids::{OrganizationId, ProjectId, SubscriptionId};

use super::Bench;
use crate::{
    Failure,
    bulk::{Bulk, Used},
    load::Load,
    report::{Line, Subject, measure as measured},
    stage::{Service, Stage},
};

/// Connections of the load.
const CONNECTIONS: usize = 4;
const PROJECTS: usize = 20;
const METERS: usize = 5;
const DAYS: usize = 90;

pub(super) async fn measure(bench: &mut Bench<'_>) -> Result<Vec<Line>, Failure> {
    let stage = &bench.stage;
    let (few, many) = (1_000, 1_000_000 / bench.plan.divide);
    let service = stage.service("Metered", METERS).await?;
    let little = prepare(stage, &service, few).await?;
    let much = prepare(stage, &service, many).await?;
    let subjects = [little, much, Subject::Http(bench.hello.load(CONNECTIONS))];
    let [little, much, hello] = measured(&bench.plan, subjects).await?;
    let what = |events: usize| format!("costs of {DAYS} days by service and project, {events} events, a second");
    let line = |events, of, yardstick: &str, by| Line::rates(stage.engine.name(), what(events), of, yardstick, by);
    Ok(vec![
        line(few, &little, "hello world", &hello),
        line(many, &much, "hello world", &hello),
        line(many, &much, "the same of 1000 events", &little),
    ])
}

async fn prepare(stage: &Stage, service: &Service, events: usize) -> Result<Subject, Failure> {
    let organization = stage.organization(&format!("Using {events}")).await?;
    let id: OrganizationId = read(&organization)?;
    let bulk = Bulk::open(&stage.database).await?;
    let projects: Vec<ProjectId> = bulk.projects(id, PROJECTS).await?;
    let subscription: SubscriptionId = read(&stage.subscribe(&organization, service).await?.id)?;
    let used = Used { organization: id, subscription, projects: &projects, meters: METERS, days: DAYS };
    bulk.usage(&used, events).await?;
    let (from, to) = bulk.last_days(DAYS);
    bulk.close().await?;
    let path = format!("/api/v1/organizations/{organization}/costs?from={from}&to={to}&group_by=service,project");
    let answer = stage.ask(reqwest::Method::GET, &path, None).await?;
    let groups = answer["items"].as_array().map_or(0, Vec::len);
    if groups != PROJECTS {
        return Err(Failure::new(format!("costs of {PROJECTS} projects were expected: {answer}")));
    }
    Ok(Subject::Http(Load::new(stage.address, stage.pid(), CONNECTIONS, &[200], stage.get(&path))))
}

fn read<I: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<I, Failure> {
    text.parse().map_err(|error| Failure::new(format!("{text}: {error}")))
}
