//! A service reads a resource with its token.

use super::Bench;
use crate::{
    Failure,
    load::{Load, get},
    report::{Line, Subject, measure as measured},
};

/// Connections of the load.
const CONNECTIONS: usize = 8;

pub(super) async fn measure(bench: &mut Bench<'_>) -> Result<Vec<Line>, Failure> {
    let stage = &bench.stage;
    let organization = stage.organization("Reading").await?;
    let project = stage.project(&organization, "Field").await?;
    let path = stage.resource(&organization, &project, 1_024).await?;
    let service = stage.service("Reader", 1).await?;
    let token = stage.subscribe(&organization, &service).await?.token;
    let make = get(stage.address, &path, ("authorization", format!("Bearer {token}")));
    let stoa = Load::new(stage.address, stage.pid(), CONNECTIONS, &[200], make);
    let [stoa, hello] = measured(&bench.plan, [Subject::Http(stoa), Subject::Http(bench.hello.load(CONNECTIONS))]).await?;
    let what = format!("a service reads a resource of 1 KiB, {CONNECTIONS} connections, a second");
    Ok(vec![Line::rates(stage.engine.name(), what, &stoa, "hello world", &hello)])
}
