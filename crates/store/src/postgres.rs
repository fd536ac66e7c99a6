//! PostgreSQL: a pool of connections, prepared statements, `read committed` transactions.

mod client;

use std::{error::Error, sync::Arc, time::Duration};

use bytes::BytesMut;
use deadpool_postgres::{Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime};
use percent_encoding::percent_decode_str;
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use tokio_postgres::{
    Config,
    config::SslMode,
    error::{DbError, SqlState},
    types::{FromSql, IsNull, ToSql, Type, to_sql_checked},
};
use tokio_postgres_rustls::MakeRustlsConnect;

pub(crate) use client::Client;

use crate::{
    db::Engine,
    error::{Result, StoreError, chain},
    migrations,
    value::{Row, Value},
};

/// The most connections of one process.
const MOST_CONNECTIONS: usize = 32;
/// How long to wait for a free connection.
const WAIT_FOR: Duration = Duration::from_secs(10);
/// How long making a connection may take.
const CONNECT_FOR: Duration = Duration::from_secs(5);

/// A PostgreSQL database.
#[derive(Clone)]
pub(crate) struct Database {
    pool: Pool,
    config: Config,
    tls: MakeRustlsConnect,
}

impl Database {
    pub(crate) async fn open(url: &str) -> Result<Self> {
        let (config, tls) = parse(url)?;
        let manager_config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let pool = Pool::builder(Manager::from_config(config.clone(), tls.clone(), manager_config))
            .max_size(MOST_CONNECTIONS)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(WAIT_FOR))
            .create_timeout(Some(CONNECT_FOR))
            .build()
            .map_err(|e| StoreError::database(e.to_string()))?;
        let database = Self { pool, config, tls };
        // A wrong password or address is told at once, not at the first request.
        database.client().await?;
        Ok(database)
    }

    pub(crate) async fn client(&self) -> Result<Client> {
        let object = self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => failure(&error),
            other => StoreError::Unavailable(Arc::new(other)),
        })?;
        Ok(Client::new(object))
    }

    pub(crate) async fn migrate(&self) -> Result<usize> {
        let lock = self.lock_migrations().await?;
        let (mut client, connection) = self.config.connect(self.tls.clone()).await.map_err(|e| failure(&e))?;
        let connection = tokio::spawn(connection);
        let report = migrations::runner(Engine::Postgres)?.run_async(&mut client).await;
        drop(client);
        // Its only failure would be that of the statements above, which is told already.
        drop(connection.await);
        // Prepared statements may no longer fit the tables.
        self.pool.manager().statement_caches.clear();
        let report = report.map_err(migrations::failure)?;
        lock.finish().await?;
        Ok(report.applied_migrations().len())
    }

    /// Waits until no other node migrates, by a row that is locked until the transaction ends.
    async fn lock_migrations(&self) -> Result<Client> {
        let mut client = self.client().await?;
        let create = "create table if not exists stoa_migration_lock (id bigint primary key)";
        if let Err(error) = client.execute(create, &[]).await {
            // Two nodes creating it at once collide in the catalogue; either way it then exists.
            tracing::debug!(%error, "the lock table was created by another node");
        }
        client.execute("insert into stoa_migration_lock (id) values (1) on conflict do nothing", &[]).await?;
        client.begin();
        client.query("select id from stoa_migration_lock where id = 1 for update", &[]).await?;
        Ok(client)
    }

    pub(crate) fn close(&self) {
        self.pool.close();
    }
}

type Failure = Box<dyn Error + Sync + Send>;

impl ToSql for Value {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, Failure> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(v) => match *ty {
                Type::INT8 => v.to_sql(ty, out),
                Type::INT4 => i32::try_from(*v)?.to_sql(ty, out),
                Type::INT2 => i16::try_from(*v)?.to_sql(ty, out),
                _ => Err(unfit("an integer", ty)),
            },
            Self::Text(v) => match *ty {
                Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN => v.to_sql(ty, out),
                _ => Err(unfit("a text", ty)),
            },
            Self::Bytes(v) => match *ty {
                Type::BYTEA => v.to_sql(ty, out),
                _ => Err(unfit("bytes", ty)),
            },
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn unfit(kind: &str, ty: &Type) -> Failure {
    format!("{kind} is bound where PostgreSQL expects {ty}; write a cast around the parameter").into()
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> std::result::Result<Self, Failure> {
        Ok(match *ty {
            Type::INT8 => Self::Int(i64::from_sql(ty, raw)?),
            Type::INT4 => Self::Int(i32::from_sql(ty, raw)?.into()),
            Type::INT2 => Self::Int(i16::from_sql(ty, raw)?.into()),
            Type::BOOL => Self::Int(bool::from_sql(ty, raw)?.into()),
            Type::BYTEA => Self::Bytes(raw.to_vec()),
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN => Self::Text(String::from_sql(ty, raw)?),
            _ => return Err(format!("{ty} is not portable; write cast(… as bigint) or cast(… as text)").into()),
        })
    }

    fn from_sql_null(_: &Type) -> std::result::Result<Self, Failure> {
        Ok(Self::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn row(row: &tokio_postgres::Row) -> Result<Row> {
    let read = |column| row.try_get(column).map_err(|error| StoreError::Corrupt { column, reason: chain(&error) });
    (0..row.len()).map(read).collect::<Result<Vec<Value>>>().map(Row::new)
}

fn failure(error: &tokio_postgres::Error) -> StoreError {
    if let Some(db) = error.as_db_error() {
        return refusal(db);
    }
    // The driver does not tell the kinds of its failures apart otherwise: "error connecting to server", "timeout waiting …".
    let text = error.to_string();
    let below = error.source().is_some_and(|source| source.is::<std::io::Error>());
    if error.is_closed() || below || text.contains("connect") || text.contains("timeout") {
        return StoreError::unavailable(chain(error));
    }
    StoreError::database(chain(error))
}

fn refusal(db: &DbError) -> StoreError {
    let code = db.code();
    let cause = Arc::new(db.clone());
    if *code == SqlState::UNIQUE_VIOLATION {
        return StoreError::Duplicate { constraint: db.constraint().unwrap_or(db.message()).to_owned() };
    }
    if *code == SqlState::FOREIGN_KEY_VIOLATION {
        return StoreError::MissingReference;
    }
    if [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED, SqlState::LOCK_NOT_AVAILABLE].contains(code) {
        return StoreError::Busy;
    }
    match code.code().get(..2) {
        // Connection failures, exhausted resources, operator intervention, system errors.
        Some("08" | "53" | "57" | "58") => StoreError::Unavailable(cause),
        // A standby after a failover.
        Some("25") if *code == SqlState::READ_ONLY_SQL_TRANSACTION => StoreError::Unavailable(cause),
        _ => StoreError::Database(cause),
    }
}

/// What a URL says about encryption, in the words of libpq.
#[derive(Debug, Default, PartialEq, Eq)]
struct Encryption {
    mode: Option<String>,
    root: Option<String>,
}

/// Takes out of a URL what the driver does not know.
fn encryption(url: &str) -> (String, Encryption) {
    let Some((base, query)) = url.split_once('?') else { return (url.to_owned(), Encryption::default()) };
    let mut encryption = Encryption::default();
    let mut rest = Vec::new();
    for pair in query.split('&') {
        let decoded = |value| percent_decode_str(value).decode_utf8_lossy().into_owned();
        match pair.split_once('=') {
            Some(("sslmode", value)) => encryption.mode = Some(decoded(value)),
            Some(("sslrootcert", value)) => encryption.root = Some(decoded(value)),
            _ => rest.push(pair),
        }
    }
    let rest = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
    (rest, encryption)
}

fn parse(url: &str) -> Result<(Config, MakeRustlsConnect)> {
    let wrong = |text: String| StoreError::database(format!("the database's URL: {text}"));
    let (url, encryption) = encryption(url);
    let mut config: Config = url.parse().map_err(|e: tokio_postgres::Error| wrong(chain(&e)))?;
    let mode = encryption.mode.as_deref().unwrap_or("prefer");
    let (ssl, verify) = match mode {
        "disable" => (SslMode::Disable, false),
        "allow" | "prefer" => (SslMode::Prefer, false),
        // As in libpq: with a root certificate at hand it is used.
        "require" => (SslMode::Require, encryption.root.is_some()),
        "verify-full" => (SslMode::Require, true),
        other => {
            return Err(wrong(format!("sslmode is disable, prefer, require or verify-full, not {other}")));
        }
    };
    config.ssl_mode(ssl).connect_timeout(CONNECT_FOR);
    if config.get_application_name().is_none() {
        config.application_name("stoa");
    }
    let tls = tls(verify, encryption.root.as_deref()).map_err(|e| wrong(chain(e.as_ref())))?;
    Ok((config, tls))
}

fn tls(verify: bool, root: Option<&str>) -> std::result::Result<MakeRustlsConnect, Failure> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = if verify {
        let mut roots = RootCertStore::empty();
        match root {
            None | Some("system") => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Some(file) => {
                for certificate in CertificateDer::pem_file_iter(file)? {
                    roots.add(certificate?)?;
                }
            }
        }
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build()?
    } else {
        Arc::new(Unverified(Arc::clone(&provider)))
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// Encrypts without asking who the server is, which is what `prefer` and `require` mean in PostgreSQL.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// A URL as it may stand in a log: without password and query.
pub(crate) fn without_secrets(url: &str) -> String {
    let base = url.split('?').next().unwrap_or(url);
    let (scheme, rest) = base.split_once("://").unwrap_or(("postgres", base));
    match rest.rsplit_once('@') {
        None => format!("{scheme}://{rest}"),
        Some((user, host)) => format!("{scheme}://{}@{host}", user.split(':').next().unwrap_or(user)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encryption_is_read_from_the_url_in_libpqs_words() {
        let (url, found) = encryption("postgres://a@b/c?sslmode=verify-full&connect_timeout=3&sslrootcert=%2Fetc%2Fca.pem");
        assert_eq!(url, "postgres://a@b/c?connect_timeout=3");
        assert_eq!(found, Encryption { mode: Some("verify-full".into()), root: Some("/etc/ca.pem".into()) });
        assert!(parse("postgres://a@b/c?sslmode=sometimes").is_err_and(|e| e.to_string().contains("sometimes")));
        for mode in ["disable", "prefer", "require", "verify-full"] {
            assert!(parse(&format!("postgres://a@b/c?sslmode={mode}")).is_ok(), "{mode}");
        }
    }
}
