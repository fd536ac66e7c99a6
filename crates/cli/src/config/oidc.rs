//! Other providers of accounts (OpenID Connect): `[[oidc]]` in `stoa.toml`, or numbered variables.

use std::path::Path;

use figment::{Figment, value::Dict};
use stoa_actions::providers::Provider;
use stoa_domain::text;

use super::BadConfig;

/// The key of the list.
pub(super) const KEY: &str = "oidc";

/// The most providers that variables may name.
const MOST: usize = 20;

const FIELDS: [&str; 4] = ["name", "issuer", "client_id", "client_secret"];

/// What the reference says of it.
pub(super) const REFERENCE: &str = "\n## Providers of accounts\n\n\
    Each `[[oidc]]` in `stoa.toml` names an OpenID provider whose accounts open accounts here; in variables they are numbered from 1 \
    (`STOA_OIDC_1_ISSUER`, …) and come after those of the file.\n\n\
    | key | variable | meaning |\n|---|---|---|\n\
    | `name` | `STOA_OIDC_1_NAME` | What the button says. Addresses are made from it, so it should not change. |\n\
    | `issuer` | `STOA_OIDC_1_ISSUER` | The provider's issuer, an `https` address; its description is read from `/.well-known/openid-configuration` below it. |\n\
    | `client_id` | `STOA_OIDC_1_CLIENT_ID` | How the provider knows this installation. |\n\
    | `client_secret` | `STOA_OIDC_1_CLIENT_SECRET` | What this installation proves itself with; leave it out for a public client. |\n";

/// One provider as it was written, and where.
struct Written {
    fields: Vec<(String, String)>,
    origin: String,
}

/// The providers of the file, then those of the variables.
///
/// # Errors
/// [`BadConfig`] for the first thing that does not fit.
pub(super) fn read(layers: &Figment, path: &Path, variable: &dyn Fn(&str) -> Option<String>) -> Result<Vec<Provider>, BadConfig> {
    let mut written = Vec::new();
    if layers.contains(KEY) {
        let tables: Vec<Dict> =
            layers.extract_inner(KEY).map_err(|bad| BadConfig::File(format!("{}: write [[oidc]] tables: {bad}", path.display())))?;
        for table in tables {
            let fields = table.into_iter().map(|(key, value)| (key, value.into_string().unwrap_or_default())).collect();
            written.push(Written { fields, origin: path.display().to_string() });
        }
    }
    for number in 1..=MOST {
        let name = |field: &str| format!("STOA_OIDC_{number}_{}", field.to_uppercase());
        let fields: Vec<_> = FIELDS.iter().filter_map(|field| Some(((*field).to_owned(), variable(&name(field))?))).collect();
        if !fields.is_empty() {
            written.push(Written { fields, origin: format!("STOA_OIDC_{number}_…") });
        }
    }
    let mut providers: Vec<Provider> = Vec::with_capacity(written.len());
    for one in written {
        let provider = one.check()?;
        if providers.iter().any(|other| other.handle == provider.handle || other.issuer == provider.issuer) {
            return Err(one.wrong("name", &provider.name, "each provider has a name and an issuer of its own"));
        }
        providers.push(provider);
    }
    Ok(providers)
}

impl Written {
    fn wrong(&self, field: &str, value: &str, allowed: &str) -> BadConfig {
        let key = format!("{KEY}.{field}");
        BadConfig::Value { key, value: value.to_owned(), origin: self.origin.clone(), allowed: allowed.to_owned() }
    }

    fn field(&self, name: &str) -> &str {
        self.fields.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.trim())
    }

    fn check(&self) -> Result<Provider, BadConfig> {
        if let Some((key, _)) = self.fields.iter().find(|(key, _)| !FIELDS.contains(&key.as_str())) {
            return Err(self.wrong(key, "…", "known keys are name, issuer, client_id and client_secret"));
        }
        let name = text::line(self.field("name"), 60).map_err(|_| self.wrong("name", self.field("name"), "write what the button says"))?;
        let issuer = text::url(self.field("issuer"))
            .map_err(|_| self.wrong("issuer", self.field("issuer"), "write the provider's issuer, such as https://id.example"))?;
        let client_id = self.field("client_id");
        if client_id.is_empty() {
            return Err(self.wrong("client_id", client_id, "write how the provider knows this installation"));
        }
        let client_secret = Some(self.field("client_secret").to_owned()).filter(|secret| !secret.is_empty());
        Ok(Provider { handle: text::handle_from(&name, "provider"), name, issuer, client_id: client_id.to_owned(), client_secret })
    }
}

#[cfg(test)]
mod tests {
    use figment::providers::{Format as _, Toml};

    use super::*;

    fn read_text(toml: &str, variables: &[(&str, &str)]) -> Result<Vec<Provider>, BadConfig> {
        let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        read(&Figment::from(Toml::string(toml)), Path::new("stoa.toml"), &variable)
    }

    const ONE: &str = "[[oidc]]\nname = \"Example ID\"\nissuer = \"https://id.example\"\nclient_id = \"stoa\"\nclient_secret = \"s\"\n";

    #[test]
    fn providers_come_from_the_file_and_from_variables() {
        let variables =
            [("STOA_OIDC_1_NAME", "Other"), ("STOA_OIDC_1_ISSUER", "https://other.example/realm"), ("STOA_OIDC_1_CLIENT_ID", "x")];
        let read = read_text(ONE, &variables).unwrap();
        assert_eq!(read.iter().map(|one| one.handle.as_str()).collect::<Vec<_>>(), ["example-id", "other"]);
        assert_eq!((read[0].issuer.as_str(), read[0].client_secret.as_deref()), ("https://id.example", Some("s")));
        assert_eq!((read[1].issuer.as_str(), read[1].client_secret.as_deref()), ("https://other.example/realm", None));
        assert_eq!(format!("{:?}", read[0]), "Provider(Example ID at https://id.example)");
        assert!(read_text("", &[]).unwrap().is_empty());
    }

    #[test]
    fn what_does_not_fit_is_named_with_its_key() {
        for (toml, told) in [
            (ONE.replace("https://id.example", "id.example"), "oidc.issuer = \"id.example\""),
            (ONE.replace("client_id = \"stoa\"\n", ""), "oidc.client_id"),
            (ONE.replace("name = \"Example ID\"\n", ""), "oidc.name"),
            (ONE.replace("client_id", "clientid"), "known keys are"),
            (format!("{ONE}{ONE}"), "of its own"),
            ("oidc = 3".to_owned(), "[[oidc]]"),
        ] {
            let error = read_text(&toml, &[]).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
