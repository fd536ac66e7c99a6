//! The configuration: defaults, then `stoa.toml`, then variables `STOA_…`, then options; the later wins.
//!
//! A wrong value names the key, the value, where it came from and what is allowed.

mod keys;
mod mail;
mod oidc;
mod storage;

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
};

use figment::{
    Figment,
    providers::{Env, Format as _, Serialized, Toml},
    value::{Dict, Value},
};
use stoa_actions::providers::Provider;
use stoa_domain::users::SignUp;
use stoa_server::HeaderName;
use stoa_store::DatabaseUrl;

pub use keys::{KEYS, reference};
pub use mail::MailServer;
pub use storage::Storage;

/// Something in the configuration that does not fit.
#[derive(Debug, thiserror::Error)]
pub enum BadConfig {
    /// A value is not allowed.
    #[error("{key} = {value:?} (from {origin}): {allowed}")]
    Value {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// Where it came from.
        origin: String,
        /// What is allowed.
        allowed: String,
    },
    /// A key is not known.
    #[error("{origin} has the unknown key {key:?}; known keys are {}", KEYS.map(|key| key.name).join(", "))]
    Key {
        /// The key.
        key: String,
        /// The file.
        origin: String,
    },
    /// The file can't be read.
    #[error("{0}")]
    File(String),
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("write text or json"),
        }
    }
}

/// The options of the command line that are keys of the configuration.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Options {
    /// The configuration file [default: stoa.toml, if there is one] [variable: STOA_CONFIG]
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// The address to listen on [default: 127.0.0.1:8080] [variable: STOA_LISTEN]
    #[arg(long, value_name = "ADDRESS", global = true)]
    pub listen: Option<String>,
    /// The folder of the database and the resources [default: data] [variable: STOA_DATA]
    #[arg(long, value_name = "DIR", global = true)]
    pub data: Option<String>,
    /// The database: sqlite:FILE or postgres://… [default: sqlite:DATA/stoa.db] [variable: STOA_DATABASE]
    #[arg(long, value_name = "URL", global = true)]
    pub database: Option<String>,
    /// The address under which users reach it [default: http://LISTEN] [variable: STOA_PUBLIC_URL]
    #[arg(long, value_name = "URL", global = true)]
    pub public_url: Option<String>,
    /// Where the resources' bytes lie: a folder or s3://BUCKET/PREFIX [default: DATA/blobs] [variable: STOA_STORAGE]
    #[arg(long, value_name = "PLACE", global = true)]
    pub storage: Option<String>,
    /// The largest resource, such as 500MB [default: 1GiB] [variable: STOA_RESOURCE_LIMIT]
    #[arg(long, value_name = "SIZE", global = true)]
    pub resource_limit: Option<String>,
    /// The mail server: smtps://USER:PASSWORD@HOST [variable: STOA_SMTP]
    #[arg(long, value_name = "URL", global = true)]
    pub smtp: Option<String>,
    /// The address mails come from [default: stoa@ the host of the public URL] [variable: STOA_MAIL_FROM]
    #[arg(long, value_name = "ADDRESS", global = true)]
    pub mail_from: Option<String>,
    /// Who may make an account: open, closed, or domains such as grid.example [default: open] [variable: STOA_SIGN_UP]
    #[arg(long, value_name = "WHO", global = true)]
    pub sign_up: Option<String>,
    /// Whether an operator approves services before they are published: yes or no [default: no] [variable: STOA_REVIEW_SERVICES]
    #[arg(long, value_name = "YES/NO", global = true)]
    pub review_services: Option<String>,
    /// The header in which the proxy in front writes the client's IP address [variable: STOA_ADDRESS_HEADER]
    #[arg(long, value_name = "NAME", global = true)]
    pub address_header: Option<String>,
    /// What to log [default: info] [variable: STOA_LOG]
    #[arg(long, value_name = "FILTER", global = true)]
    pub log: Option<String>,
    /// How to log: text or json [default: text] [variable: STOA_LOG_FORMAT]
    #[arg(long, value_name = "FORMAT", global = true)]
    pub log_format: Option<String>,
}

impl Options {
    fn given(&self) -> Dict {
        let all = [
            ("listen", &self.listen),
            ("data", &self.data),
            ("database", &self.database),
            ("public_url", &self.public_url),
            ("storage", &self.storage),
            ("resource_limit", &self.resource_limit),
            ("smtp", &self.smtp),
            ("mail_from", &self.mail_from),
            ("sign_up", &self.sign_up),
            ("review_services", &self.review_services),
            ("address_header", &self.address_header),
            ("log", &self.log),
            ("log_format", &self.log_format),
        ];
        all.into_iter().filter_map(|(key, value)| Some((key.to_owned(), Value::from(value.clone()?)))).collect()
    }
}

/// The configuration, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The folder of everything that lies in files.
    pub data: PathBuf,
    /// The database.
    pub database: DatabaseUrl,
    /// The address under which users reach it, without a slash at the end.
    pub public_url: String,
    /// Where the bytes of resources lie.
    pub storage: Storage,
    /// The largest resource, in bytes.
    pub resource_limit: u64,
    /// The server that takes the mails.
    pub mail: MailServer,
    /// Other providers whose accounts open accounts here.
    pub oidc: Vec<Provider>,
    /// Who may make an account.
    pub sign_up: SignUp,
    /// Whether an operator approves services before they are published.
    pub review_services: bool,
    /// The header in which the proxy in front writes the client's IP address.
    pub address_header: Option<HeaderName>,
    /// What to log, in the syntax of `tracing`'s `EnvFilter`.
    pub log: String,
    /// How to log.
    pub log_format: LogFormat,
}

/// A value with the key it is of and where it came from.
struct Given {
    key: &'static str,
    value: String,
    origin: String,
}

impl Given {
    fn read<T, E: fmt::Display>(&self, read: impl FnOnce(&str) -> Result<T, E>) -> Result<T, BadConfig> {
        read(&self.value).map_err(|allowed| BadConfig::Value {
            key: self.key.to_owned(),
            value: hide_password(&self.value),
            origin: self.origin.clone(),
            allowed: allowed.to_string(),
        })
    }
}

/// A URL without user and password, fit for messages.
fn hide_password(value: &str) -> String {
    match value.split_once("://").zip(value.rsplit_once('@')) {
        Some(((scheme, rest), (_, host))) if rest.contains('@') => format!("{scheme}://…@{host}"),
        _ => value.to_owned(),
    }
}

impl Config {
    /// Reads and checks the configuration.
    ///
    /// # Errors
    /// [`BadConfig`] for the first thing that does not fit.
    pub fn load(options: &Options) -> Result<Self, BadConfig> {
        let file = config_file(options);
        if let Some(path) = &file
            && !path.is_file()
        {
            return Err(BadConfig::File(format!("there is no configuration file {}", path.display())));
        }
        let path = file.unwrap_or_else(|| PathBuf::from("stoa.toml"));
        let toml = if path.is_file() { Figment::from(Toml::file_exact(&path)) } else { Figment::new() };
        check_keys(&toml, &path)?;
        let names: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
        let layers = toml.merge(Env::prefixed("STOA_").only(&names)).merge(Serialized::globals(options.given()));
        let config = Self::check(&|key| given(&layers, &path, options, key))?;
        Ok(Self { oidc: oidc::read(&layers, &path, &|name| std::env::var(name).ok())?, ..config })
    }

    fn check(given: &dyn Fn(&'static str) -> Option<Given>) -> Result<Self, BadConfig> {
        let or = |key: &'static str, usual: String| given(key).unwrap_or(Given { key, value: usual, origin: "the default".to_owned() });
        let listen = or("listen", "127.0.0.1:8080".to_owned())
            .read(|text| text.parse::<SocketAddr>().map_err(|_| "write an IP address and a port, such as 127.0.0.1:8080 or [::]:8080"))?;
        let data = PathBuf::from(or("data", "data".to_owned()).read(|text| match text {
            "" => Err("write the path of a folder"),
            path => Ok(path.to_owned()),
        })?);
        let database = or("database", format!("sqlite:{}", data.join("stoa.db").display())).read(str::parse)?;
        let public_url = or("public_url", format!("http://{listen}")).read(read_public_url)?;
        let storage = or("storage", data.join("blobs").display().to_string()).read(str::parse)?;
        let resource_limit = or("resource_limit", "1GiB".to_owned()).read(read_size)?;
        let mail = MailServer::read(&or("smtp", String::new()), &or("mail_from", mail::usual_sender(&public_url)))?;
        let sign_up = or("sign_up", "open".to_owned()).read(str::parse)?;
        let review_services = or("review_services", "no".to_owned()).read(|text| match text {
            "yes" | "true" => Ok(true),
            "no" | "false" => Ok(false),
            _ => Err("write yes or no"),
        })?;
        let address_header = or("address_header", String::new()).read(|name| match name {
            "" => Ok(None),
            name => HeaderName::from_bytes(name.as_bytes()).map(Some).map_err(|_| "write the name of one header, such as X-Forwarded-For"),
        })?;
        let log = or("log", "info".to_owned()).read(|text| {
            tracing_subscriber::EnvFilter::try_new(text)
                .map(|_| text.to_owned())
                .map_err(|_| "write a level (error, warn, info, debug, trace) or a filter such as info,stoa_store=debug")
        })?;
        let log_format = or("log_format", "text".to_owned()).read(str::parse)?;
        Ok(Self {
            listen,
            data,
            database,
            public_url,
            storage,
            resource_limit,
            mail,
            sign_up,
            review_services,
            address_header,
            oidc: Vec::new(),
            log,
            log_format,
        })
    }
}

fn config_file(options: &Options) -> Option<PathBuf> {
    options.config.clone().or_else(|| std::env::var_os("STOA_CONFIG").map(PathBuf::from))
}

fn check_keys(toml: &Figment, path: &Path) -> Result<(), BadConfig> {
    let dict: Dict = toml.extract().map_err(|bad| BadConfig::File(bad.to_string()))?;
    match dict.keys().find(|key| *key != oidc::KEY && KEYS.iter().all(|known| known.name != key.as_str())) {
        Some(key) => Err(BadConfig::Key { key: key.clone(), origin: path.display().to_string() }),
        None => Ok(()),
    }
}

fn given(layers: &Figment, path: &Path, options: &Options, key: &'static str) -> Option<Given> {
    let value = layers.find_value(key).ok()?;
    let text = match &value {
        Value::String(_, text) => text.clone(),
        Value::Num(_, number) => {
            number.to_u128().map(|n| n.to_string()).or_else(|| number.to_f64().map(|n| n.to_string())).unwrap_or_default()
        }
        Value::Bool(_, flag) => flag.to_string(),
        other => format!("{other:?}"),
    };
    let variable = format!("STOA_{}", key.to_uppercase());
    let origin = if options.given().contains_key(key) {
        format!("--{}", key.replace('_', "-"))
    } else if std::env::var_os(&variable).is_some() {
        variable
    } else {
        path.display().to_string()
    };
    Some(Given { key, value: text, origin })
}

fn read_public_url(text: &str) -> Result<String, &'static str> {
    let allowed = "write the address users type, such as https://stoa.example, without a path";
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or(allowed)?;
    let host = rest.trim_end_matches('/');
    if host.is_empty() || host.contains(['/', '?', '#', '@', ' ']) { Err(allowed) } else { Ok(text.trim_end_matches('/').to_owned()) }
}

fn read_size(text: &str) -> Result<u64, &'static str> {
    let allowed = "write a number of bytes, or one with kB, MB, GB, KiB, MiB or GiB, such as 500MB";
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let factor: u64 = match text[digits.len()..].trim() {
        "" | "B" => 1,
        "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(allowed),
    };
    let size = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)).ok_or(allowed)?;
    if (1..=1 << 50).contains(&size) { Ok(size) } else { Err(allowed) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn config(values: &[(&'static str, &str)]) -> Result<Config, BadConfig> {
        let values: BTreeMap<_, _> = values.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        Config::check(&|key| values.get(key).map(|value| Given { key, value: value.clone(), origin: "stoa.toml".into() }))
    }

    #[test]
    fn the_defaults_keep_everything_in_one_folder() {
        let config = config(&[]).unwrap();
        assert_eq!(config.public_url, "http://127.0.0.1:8080");
        assert_eq!(config.database, DatabaseUrl::Sqlite("data/stoa.db".into()));
        assert_eq!(config.storage, Storage::Folder("data/blobs".into()));
        assert_eq!(config.resource_limit, 1 << 30);
    }

    #[test]
    fn a_wrong_value_names_the_key_the_value_and_what_is_allowed() {
        let told = |key, value| config(&[(key, value)]).unwrap_err().to_string();
        assert_eq!(
            told("listen", "localhost"),
            "listen = \"localhost\" (from stoa.toml): write an IP address and a port, such as 127.0.0.1:8080 or [::]:8080"
        );
        assert_eq!(told("log_format", "xml"), "log_format = \"xml\" (from stoa.toml): write text or json");
        for (key, value) in [
            ("database", "mysql://x"),
            ("public_url", "stoa.example"),
            ("public_url", "https://stoa.example/path"),
            ("resource_limit", "many"),
            ("resource_limit", "0"),
            ("storage", "s3://"),
            ("log", "a=b=c"),
            ("smtp", "mail.example"),
            ("mail_from", "nobody"),
            ("sign_up", "everybody"),
            ("review_services", "sometimes"),
            ("address_header", "x forwarded for"),
        ] {
            let told = told(key, value);
            assert!(told.starts_with(&format!("{key} = {value:?}")), "{told}");
        }
    }

    #[test]
    fn a_password_is_not_repeated_in_a_message() {
        assert_eq!(hide_password("postgres://stoa:secret@db.example/stoa"), "postgres://…@db.example/stoa");
        assert_eq!(hide_password("smtp://stoa:se@cret@mail.example"), "smtp://…@mail.example");
        let told = config(&[("smtp", "smtp://stoa:secret@mail.example?tls=never")]).unwrap_err().to_string();
        assert!(told.starts_with("smtp = \"smtp://…@mail.example?tls=never\"") && !told.contains("secret"), "{told}");
    }

    #[test]
    fn mail_comes_from_the_host_that_users_type() {
        assert_eq!(mail::usual_sender("https://stoa.example:8443"), "Stoa <stoa@stoa.example>");
        let config = config(&[("smtp", "smtps://stoa:secret@mail.example"), ("mail_from", "hub@grid.example")]).unwrap();
        assert!(config.mail.mailer().is_some() && config.mail.from == "hub@grid.example");
        assert!(!format!("{config:?}").contains("secret"));
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(read_size("500MB"), Ok(500_000_000));
        assert_eq!(read_size("2 MiB"), Ok(2_097_152));
        assert_eq!(read_size("42"), Ok(42));
    }
}
