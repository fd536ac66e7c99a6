//! How fast it starts, how much memory it takes at idle, how large it is.

use std::time::Duration;

use super::Bench;
use crate::{
    Failure, machine,
    report::{Line, median},
    stage::{Stage, program},
};

pub(super) async fn measure(bench: &mut Bench<'_>) -> Result<Vec<Line>, Failure> {
    let engine = bench.stage.engine;
    // A server of its own: one that has served nothing yet.
    let mut fresh = match engine {
        crate::stage::Engine::Sqlite => Some(Stage::start(engine, bench.postgres).await?),
        crate::stage::Engine::Postgres => None,
    };
    let stage = fresh.as_mut().unwrap_or(bench.stage);
    let (mut starts, mut memory) = (Vec::new(), Vec::new());
    for _ in 0..bench.plan.rounds {
        starts.push(stage.restart().await?.as_secs_f64() * 1e3);
        // What the start leaves behind has time to go back to the system.
        tokio::time::sleep(Duration::from_secs(4)).await;
        memory.push(machine::resident_mib(stage.pid())?);
    }
    let mut lines = vec![
        Line::aim(engine.name(), "from start until /health/ready answers", median(starts), 50.0, "ms"),
        Line::aim(engine.name(), "resident memory at idle", median(memory), 30.0, "MiB"),
    ];
    if fresh.is_some() {
        let bytes = std::fs::metadata(program()?)?.len();
        let megabytes = f64::from(u32::try_from(bytes / 1_000).unwrap_or(u32::MAX)) / 1e3;
        lines.push(Line::aim("both", "size of the program", megabytes, 30.0, "MB"));
    }
    Ok(lines)
}
