//! `stoa doctor`: what is wrong with this installation, if anything.

use std::process::ExitCode;

use stoa_domain::{
    events::{Broken, ChainCheck, EventFilter},
    time::Ts,
};
use stoa_store::{Conn, Db, Engine, StoreError, events, logs};

use super::{Outcome, failure::print, install};
use crate::config::Config;

/// How many events are read at a time.
const PAGE: i64 = 1_000;

/// Looks at everything and says what it found; fails when something is wrong.
pub async fn run(config: &Config) -> Outcome {
    let db = install::database(config).await?;
    let mut findings = 0;
    let pending = db.pending_migrations().await?;
    if pending.is_empty() {
        let engine = match db.engine() {
            Engine::Sqlite => "SQLite",
            Engine::Postgres => "PostgreSQL",
        };
        print(&format!("ok       database: {engine}, at this version"))?;
        findings += look_at_logs(&db).await?;
    } else {
        findings += 1;
        print(&format!("WRONG    database: not at this version; pending: {}; run: stoa migrate", pending.join(", ")))?;
    }
    db.close().await?;
    if findings == 0 {
        print("nothing is wrong")?;
        return Ok(ExitCode::SUCCESS);
    }
    print(&format!("{findings} findings"))?;
    Ok(ExitCode::FAILURE)
}

async fn look_at_logs(db: &Db) -> Result<usize, super::Failure> {
    let mut conn = db.read().await?;
    let heads = logs::heads_since(&mut conn, Ts::from_micros(i64::MIN)).await?;
    let mut findings = 0;
    let mut events = 0;
    for head in &heads {
        let (read, broken) = check(&mut conn, head).await?;
        events += read;
        findings += broken.len();
        for what in broken {
            print(&format!("WRONG    log of {}: {what}", head.organization))?;
        }
    }
    if findings == 0 {
        print(&format!("ok       logs: {events} events of {} organizations, each chain whole", heads.len()))?;
    }
    Ok(findings)
}

async fn check(conn: &mut Conn, head: &logs::Head) -> Result<(usize, Vec<Broken>), StoreError> {
    let mut chain = ChainCheck::default();
    let (mut after, mut read) = (0, 0);
    loop {
        let page = events::after(conn, head.organization, after, &EventFilter::default(), PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.sequence;
        read += page.len();
        page.iter().for_each(|event| chain.see(event));
    }
    Ok((read, chain.finish(head.sequence, head.hash)))
}
