//! The schema and its history: one folder of SQL files for both engines, applied by refinery.
//!
//! A file is `V<n>__<name>.sql`, or `V<n>__<name>.sqlite.sql` and `V<n>__<name>.postgres.sql` where one text cannot
//! serve both. Once released, a file never changes: its checksum is compared.

use refinery::{Migration, Runner};
use sha2::{Digest, Sha256};

use crate::{
    db::{Conn, Engine},
    error::{Result, StoreError, chain},
    params,
};

/// The names (without `.sql`) and texts of all files, embedded by the build script.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

/// The table in which refinery keeps what was applied.
pub(crate) const HISTORY: &str = "refinery_schema_history";

/// The names and texts that are meant for an engine.
fn for_engine(engine: Engine) -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.iter().filter_map(move |(stem, text)| match stem.rsplit_once('.') {
        None => Some((*stem, *text)),
        Some((name, "sqlite")) => (engine == Engine::Sqlite).then_some((name, *text)),
        Some((name, "postgres")) => (engine == Engine::Postgres).then_some((name, *text)),
        Some(_) => Some((*stem, *text)),
    })
}

fn list(engine: Engine) -> Result<Vec<Migration>> {
    for_engine(engine).map(|(name, text)| Migration::unapplied(name, text).map_err(failure)).collect()
}

/// What applies them: all that are missing in one transaction, with their notes in the history. Otherwise a node that is
/// ended between a migration and its note could never start again.
pub(crate) fn runner(engine: Engine) -> Result<Runner> {
    Ok(Runner::new(&list(engine)?).set_grouped(true))
}

/// Turns refinery's error into ours, with the database's reason: refinery tells only the driver's "db error".
pub(crate) fn failure(error: refinery::Error) -> StoreError {
    StoreError::database(chain(&error))
}

/// The names of those that are not applied.
pub(crate) async fn pending(conn: &mut Conn) -> Result<Vec<String>> {
    let engine = conn.engine();
    let mut applied = Vec::new();
    if has_history(conn).await? {
        for row in conn.fetch_all(&format!("select version from {HISTORY}"), &[]).await? {
            applied.push(row.get::<i64>(0)?);
        }
    }
    let mut missing: Vec<Migration> = list(engine)?.into_iter().filter(|m| !applied.contains(&i64::from(m.version()))).collect();
    missing.sort();
    Ok(missing.iter().map(ToString::to_string).collect())
}

async fn has_history(conn: &mut Conn) -> Result<bool> {
    let known = match conn.engine() {
        Engine::Sqlite => "select count(*) from sqlite_master where type = 'table' and name = $1",
        Engine::Postgres => "select count(*) from information_schema.tables where table_schema = current_schema() and table_name = $1",
    };
    Ok(conn.fetch_one(known, params![HISTORY]).await?.get::<i64>(0)? > 0)
}

/// Whether these migrations are applied with these texts, and no others. Then a start need not wait for its turn to migrate.
pub(crate) async fn are_applied(conn: &mut Conn) -> Result<bool> {
    if !has_history(conn).await? {
        return Ok(false);
    }
    let mut applied: Vec<(i64, String, String)> = Vec::new();
    for row in conn.fetch_all(&format!("select version, name, checksum from {HISTORY}"), &[]).await? {
        applied.push((row.get(0)?, row.get(1)?, row.get(2)?));
    }
    let known = list(conn.engine())?;
    let mut known: Vec<_> = known.iter().map(|m| (i64::from(m.version()), m.name().to_owned(), m.checksum().to_string())).collect();
    applied.sort();
    known.sort();
    Ok(applied == known)
}

/// A short text that differs whenever any migration differs.
pub fn fingerprint() -> String {
    let mut hash = Sha256::new();
    for (name, text) in FILES {
        hash.update(name.len().to_le_bytes());
        hash.update(name);
        hash.update(text.len().to_le_bytes());
        hash.update(text);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_engines_get_the_same_versions_in_a_gapless_order() {
        let versions = |engine| {
            let mut versions: Vec<_> = list(engine).unwrap().iter().map(|m| (m.version(), m.name().to_owned())).collect();
            versions.sort();
            versions
        };
        let sqlite = versions(Engine::Sqlite);
        assert_eq!(sqlite, versions(Engine::Postgres));
        let numbers: Vec<i64> = sqlite.iter().map(|(version, _)| i64::from(*version)).collect();
        assert_eq!(numbers, (1..).take(numbers.len()).collect::<Vec<i64>>());
    }

    #[test]
    fn every_file_is_named_as_it_must_be() {
        for (stem, _) in FILES {
            let engine = stem.rsplit_once('.').map(|(_, engine)| engine);
            assert!(matches!(engine, None | Some("sqlite" | "postgres")), "{stem}");
        }
    }
}
