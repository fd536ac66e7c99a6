//! Applications: OAuth 2 clients, owned by a user or by an organization.

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
        let name = faults.check("/name", text::line(&self.name, 120)).unwrap_or_default();
        let description = faults.check("/description", text::block(self.description.as_deref().unwrap_or(""), 2_000)).unwrap_or_default();
        let redirect_uris = check_redirect_uris(&mut faults, &self.redirect_uris);
        faults.or(Some(ApplicationDraft { name, description, redirect_uris }))
    }
}

/// Redirect URIs by the OAuth security practice (RFC 9700): absolute, https (http on loopback only), no fragment.
fn check_redirect_uris(faults: &mut Faults, given: &[String]) -> Vec<String> {
    if given.len() > 20 {
        faults.add("/redirect_uris", "an application has at most 20 redirect URIs");
    }
    given
        .iter()
        .enumerate()
        .filter_map(|(index, uri)| {
            let pointer = format!("/redirect_uris/{index}");
            let uri = faults.check(pointer.clone(), text::url(uri))?;
            if uri.contains(['#', '*']) {
                faults.add(pointer, "a redirect URI has no fragment and no wildcard");
                return None;
            }
            Some(uri)
        })
        .collect()
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
    fn redirect_uris_are_exact_https_addresses() {
        let app = |uri: &str| NewApplication { name: "Reader".into(), description: None, redirect_uris: vec![uri.into()] }.check();
        assert!(app("https://reader.example/callback").is_ok());
        assert!(app("http://127.0.0.1:3000/callback").is_ok());
        for bad in ["http://reader.example/callback", "https://reader.example/#x", "https://*.reader.example/", "/callback"] {
            assert!(app(bad).is_err(), "{bad}");
        }
    }
}
