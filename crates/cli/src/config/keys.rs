//! The keys of the configuration, from which their reference is made.

/// One key.
pub struct Key {
    /// Its name in `stoa.toml`; the variable is `STOA_` and the name in capitals, the option `--` and the name with hyphens.
    pub name: &'static str,
    /// What it is when nobody says otherwise.
    pub usual: &'static str,
    /// What it means and what is allowed.
    pub meaning: &'static str,
}

/// All keys.
pub const KEYS: [Key; 13] = [
    Key { name: "listen", usual: "127.0.0.1:8080", meaning: "The IP address and port to listen on." },
    Key { name: "data", usual: "data", meaning: "The folder of everything that lies in files. It is made when it is missing." },
    Key {
        name: "database",
        usual: "sqlite:DATA/stoa.db",
        meaning: "`sqlite:FILE`, or `postgres://USER:PASSWORD@HOST/NAME` for any number of processes on one PostgreSQL (13 or later). \
                  `sslmode=disable`, `prefer` or `require` is honoured.",
    },
    Key {
        name: "public_url",
        usual: "http://LISTEN",
        meaning: "The address under which users and services reach it. It stands in tokens' resource indicators, so it should not change. \
                  With `https` the session cookie is `Secure`.",
    },
    Key {
        name: "storage",
        usual: "DATA/blobs",
        meaning: "Where the bytes of resources lie: a folder, or `s3://BUCKET/PREFIX` in an S3-compatible store, whose credentials, region and \
                  endpoint are read from the usual variables (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT`).",
    },
    Key {
        name: "resource_limit",
        usual: "1GiB",
        meaning: "The largest resource. A larger upload is refused with 413 while it streams, and leaves nothing behind. A number of bytes, or one \
                  with kB, MB, GB, KiB, MiB or GiB.",
    },
    Key {
        name: "smtp",
        usual: "",
        meaning: "The server that takes the mails: `smtps://USER:PASSWORD@HOST` (TLS), `smtp://USER:PASSWORD@HOST:587?tls=required` (STARTTLS) or \
                  `smtp://HOST:25` (plain), with %-encoding in user and password. Without one no mail is sent; operators see at \
                  `/operator/outbox` what would have been.",
    },
    Key {
        name: "mail_from",
        usual: "Stoa <stoa@HOST>",
        meaning: "The address mails come from, with or without a name. `HOST` is that of `public_url`.",
    },
    Key {
        name: "sign_up",
        usual: "open",
        meaning: "Who may make an account: `open` (whoever has an address), `closed` (nobody; operators create accounts), or domains such as \
                  `grid.example, works.example`, whose addresses may.",
    },
    Key {
        name: "review_services",
        usual: "no",
        meaning: "`yes`: an operator approves a service before it is published for the first time, at `/operator/services`. `no`: maintainers \
                  publish at once.",
    },
    Key {
        name: "address_header",
        usual: "",
        meaning: "The header in which the proxy in front writes the client's IP address, such as `X-Forwarded-For` (its last address counts) or \
                  `X-Real-IP`. Set it only when nobody reaches Stoa but through that proxy; otherwise the address of the connection counts.",
    },
    Key {
        name: "log",
        usual: "info",
        meaning: "What to log: `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,stoa_store=debug`.",
    },
    Key { name: "log_format", usual: "text", meaning: "`text` for people or `json` for machines, one object a line." },
];

/// The reference as Markdown: the body of `docs/configuration.md`.
pub fn reference() -> String {
    let mut text = String::from(
        "# Configuration\n\nGenerated from `crates/cli/src/config/keys.rs`; change it there.\n\n\
         Each key can be given in `stoa.toml` (in the folder where Stoa is started, or the file that `--config` or `STOA_CONFIG` names), as a \
         variable, and as an option of the command line; the later wins. `stoa configuration` shows what is in force. A wrong value stops the \
         program before it does anything, and names the key, the value and what is allowed.\n\n\
         | key | variable | option | default | meaning |\n|---|---|---|---|---|\n",
    );
    for key in KEYS {
        let (variable, option) = (key.name.to_uppercase(), key.name.replace('_', "-"));
        let (name, usual, meaning) = (key.name, key.usual, key.meaning);
        text.push_str(&format!("| `{name}` | `STOA_{variable}` | `--{option}` | `{usual}` | {meaning} |\n"));
    }
    text.push_str(super::oidc::REFERENCE);
    text
}
