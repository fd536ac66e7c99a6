//! Applications: OAuth 2 clients, owned by a user or by an organization.

use url::Url;

use crate::{
    ids::{ApplicationId, OrganizationId, SecretId, UserId},
    text::{self, Faults},
    time::Ts,
};

/// Who owns an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    /// A person.
    User(UserId),
    /// An organization.
    Organization(OrganizationId),
}

/// An application as it is kept. Its id is its `client_id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// Its id, which is also its OAuth `client_id`.
    pub id: ApplicationId,
    /// Whose it is.
    pub owner: Owner,
    /// Its name.
    pub name: String,
    /// What it does; may be empty.
    pub description: String,
    /// Where authorization responses may be sent.
    pub redirect_uris: Vec<String>,
    /// When it was registered.
    pub created_at: Ts,
    /// When it last changed.
    pub updated_at: Ts,
    /// Who registered it; unknown of those registered before this was kept.
    pub created_by: Option<UserId>,
}

/// A client secret without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationSecret {
    /// Its id.
    pub id: SecretId,
    /// Its last four characters.
    pub hint: String,
    /// When it was made.
    pub created_at: Ts,
    /// When it last opened something.
    pub last_used_at: Option<Ts>,
}

/// How many secrets of one application may be live at a time: enough to rotate in several deployments.
pub const MOST_LIVE_SECRETS: usize = 10;

/// The longest name of an application, in characters.
pub const NAME: usize = 120;

/// What somebody wrote for a new application.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewApplication {
    /// Its name; required.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// Where authorization responses may be sent.
    pub redirect_uris: Vec<String>,
}

/// Checked details of a new application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationDraft {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: String,
    /// Where authorization responses may be sent.
    pub redirect_uris: Vec<String>,
}

impl NewApplication {
    /// Checks everything at once.
    ///
    /// # Errors
    /// What is wrong, with pointers into the API's JSON.
    pub fn check(self) -> Result<ApplicationDraft, Faults> {
        let mut faults = Faults::new();
        let name = faults.check("/name", text::line(&self.name, NAME)).unwrap_or_default();
        let description = faults.check("/description", text::block(self.description.as_deref().unwrap_or(""), 2_000)).unwrap_or_default();
        let redirect_uris = check_redirect_uris(&mut faults, &self.redirect_uris);
        faults.or(Some(ApplicationDraft { name, description, redirect_uris }))
    }
}

fn check_redirect_uris(faults: &mut Faults, given: &[String]) -> Vec<String> {
    if given.len() > 20 {
        faults.add("/redirect_uris", "an application has at most 20 redirect URIs");
    }
    let mut checked: Vec<String> = Vec::with_capacity(given.len());
    for (index, uri) in given.iter().enumerate() {
        if let Some(uri) = faults.check(format!("/redirect_uris/{index}"), redirect_uri(uri))
            && !checked.contains(&uri)
        {
            checked.push(uri);
        }
    }
    checked
}

/// Why a redirect URI is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRedirect {
    /// Not an absolute URI, too long, or with characters that no URI has.
    #[error("write an absolute address, such as https://app.company.example/callback")]
    NotAbsolute,
    /// With a fragment.
    #[error("a redirect address has no fragment (#)")]
    Fragment,
    /// With a wildcard: addresses are compared exactly.
    #[error("a redirect address has no wildcard (*): write each address exactly")]
    Wildcard,
    /// With a user name or password.
    #[error("a redirect address names no user or password")]
    Credentials,
    /// `http` elsewhere than on the machine itself.
    #[error("use https; http is for this machine only (127.0.0.1, [::1] or localhost)")]
    Insecure,
    /// Another scheme that is not a private-use one.
    #[error("use https, or for an app on a device a scheme made of a domain name of yours, such as example.company.app:/callback")]
    Scheme,
}

/// A redirect URI as the OAuth security practice wants it (RFC 9700 section 2.1, RFC 8252 sections 7 and 8): absolute, to be
/// compared exactly, so without fragment and wildcard; `https`, or `http` on the machine itself, or the private-use scheme of
/// an app, which has a dot because it is a domain name turned round.
///
/// # Errors
/// [`BadRedirect`].
pub fn redirect_uri(text: &str) -> Result<String, BadRedirect> {
    let text = text.trim();
    if text.len() > 2_000 || text.bytes().any(|b| !b.is_ascii_graphic() || b"\\\"<>^`{|}".contains(&b)) {
        return Err(BadRedirect::NotAbsolute);
    }
    if text.contains('#') {
        return Err(BadRedirect::Fragment);
    }
    if text.contains('*') {
        return Err(BadRedirect::Wildcard);
    }
    let url = Url::parse(text).map_err(|_| BadRedirect::NotAbsolute)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(BadRedirect::Credentials);
    }
    match url.scheme() {
        "https" | "http" if !text.to_ascii_lowercase().starts_with(&format!("{}://", url.scheme())) => Err(BadRedirect::NotAbsolute),
        "https" => Ok(text.to_owned()),
        "http" if matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost")) => Ok(text.to_owned()),
        "http" => Err(BadRedirect::Insecure),
        scheme if is_private_use(scheme) => Ok(text.to_owned()),
        _ => Err(BadRedirect::Scheme),
    }
}

/// Whether a scheme is a domain name turned round (RFC 8252, section 7.1): labels with dots between.
fn is_private_use(scheme: &str) -> bool {
    scheme.contains('.') && scheme.split('.').all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'))
}

/// A change of an application; what is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApplicationChange {
    /// A new name.
    pub name: Option<String>,
    /// A new description.
    pub description: Option<String>,
    /// New redirect URIs, instead of all present ones.
    pub redirect_uris: Option<Vec<String>>,
}

impl ApplicationChange {
    /// The application as it would be after the change.
    ///
    /// # Errors
    /// What is wrong, with pointers into the API's JSON.
    pub fn apply(self, to: &Application) -> Result<Application, Faults> {
        let merged = NewApplication {
            name: self.name.unwrap_or_else(|| to.name.clone()),
            description: Some(self.description.unwrap_or_else(|| to.description.clone())),
            redirect_uris: self.redirect_uris.unwrap_or_else(|| to.redirect_uris.clone()),
        };
        let draft = merged.check()?;
        Ok(Application { name: draft.name, description: draft.description, redirect_uris: draft.redirect_uris, ..to.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirect_uris_follow_the_security_practice() {
        for good in [
            "https://reader.example/callback",
            "https://reader.example:8443/callback?from=stoa",
            "http://127.0.0.1:3000/callback",
            "http://[::1]/callback",
            "http://localhost:8080/",
            "example.reader.app:/oauth2redirect",
            "com.example.reader://callback",
        ] {
            assert_eq!(redirect_uri(good), Ok(good.to_owned()));
        }
        for (bad, why) in [
            ("/callback", BadRedirect::NotAbsolute),
            ("reader.example/callback", BadRedirect::NotAbsolute),
            ("https:reader.example", BadRedirect::NotAbsolute),
            ("https://", BadRedirect::NotAbsolute),
            ("https://reader.example/a b", BadRedirect::NotAbsolute),
            ("https://reader.example\\@evil.example/", BadRedirect::NotAbsolute),
            ("https://reader.example/#x", BadRedirect::Fragment),
            ("https://*.reader.example/", BadRedirect::Wildcard),
            ("https://reader.example/*", BadRedirect::Wildcard),
            ("https://ada@reader.example/", BadRedirect::Credentials),
            ("http://reader.example/callback", BadRedirect::Insecure),
            ("http://127.0.0.1.evil.example/", BadRedirect::Insecure),
            ("javascript:alert(1)", BadRedirect::Scheme),
            ("data:text/html,x", BadRedirect::Scheme),
            ("reader:/callback", BadRedirect::Scheme),
            ("ftp://reader.example/", BadRedirect::Scheme),
        ] {
            assert_eq!(redirect_uri(bad), Err(why), "{bad}");
        }
    }

    #[test]
    fn each_wrong_redirect_uri_is_named_by_its_place() {
        let uris = vec!["https://reader.example/".to_owned(), "https://reader.example/#x".to_owned(), "https://reader.example/".to_owned()];
        let new = |redirect_uris| NewApplication { name: "Reader".into(), description: None, redirect_uris };
        let faults = new(uris.clone()).check().unwrap_err().into_vec();
        assert_eq!(faults.iter().map(|fault| fault.pointer.as_str()).collect::<Vec<_>>(), ["/redirect_uris/1"]);
        assert_eq!(new(vec![uris[0].clone(), uris[2].clone()]).check().unwrap().redirect_uris.len(), 1);
    }
}
