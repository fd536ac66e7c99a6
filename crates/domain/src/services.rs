//! Services: applications offered on the marketplace, and the contracts under which they are offered.

mod listing;
mod moves;

pub use listing::{Beside, Lack, Listing, MOST_LINKS, NamedLink, NotALack, blocking, missing, support_href};
pub use moves::{Circumstances, Deprecation, NOTICE_DAYS, NotAServiceMove, ServiceMove, ServiceSuspension, deprecation_day};

use crate::{
    contracts::{ContractDraft, NewContract},
    ids::{ApplicationId, ContractId, OrganizationId, ServiceId},
    text::{self, Faults},
    time::Ts,
    words::words,
};

words! {
    /// Where a service is in its life.
    ServiceState, NotAServiceState, "a service's state" {
        /// Being written; only its provider sees it.
        Draft = "draft",
        /// Waits for the operator's review before it is published.
        InReview = "in_review",
        /// Open to new subscriptions.
        Published = "published",
        /// No new subscriptions; live ones go on.
        Paused = "paused",
        /// No new subscriptions; it will be retired.
        Deprecated = "deprecated",
        /// Over.
        Retired = "retired",
        /// Stopped by the operator.
        Suspended = "suspended",
    }
}

words! {
    /// Who may see and subscribe a service.
    Visibility, NotAVisibility, "a visibility" {
        /// Everybody sees it and subscribes at once.
        Public = "public",
        /// Everybody sees it; the provider approves each subscription.
        OnRequest = "on_request",
        /// Listed for named organizations only.
        Private = "private",
    }
}

words! {
    /// What one subscription of a service serves.
    Level, NotALevel, "a level" {
        /// All or selected projects of the organization.
        Organization = "organization",
        /// One project.
        Project = "project",
    }
}

words! {
    /// What a service may do with the data of a granted project. The words are OAuth scopes (RFC 6749, section 3.3).
    DataPermission, NotADataPermission, "a permission" {
        /// Read resources.
        ResourcesRead = "resources:read",
        /// Write and delete resources.
        ResourcesWrite = "resources:write",
    }
}

impl DataPermission {
    /// The permission in plain words, as it continues “the service may …”.
    pub const fn words(self) -> &'static str {
        match self {
            Self::ResourcesRead => "read the resources of the chosen projects",
            Self::ResourcesWrite => "write, replace and delete resources of the chosen projects",
        }
    }
}

/// How a service is subscribed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Manner {
    /// Whether an organization may have several subscriptions of it at the same time.
    pub several: bool,
    /// Whether subscriptions of it come into force only once the provider has set them up.
    pub setup: bool,
}

/// A service as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its id.
    pub id: ServiceId,
    /// Its provider.
    pub provider: OrganizationId,
    /// Its URL-safe name, unique in the installation.
    pub handle: String,
    /// The application whose credentials it uses.
    pub application: ApplicationId,
    /// Its name.
    pub name: String,
    /// What it does, in one line.
    pub summary: String,
    /// What it does, in Markdown.
    pub description: String,
    /// Where the marketplace lists it.
    pub categories: Vec<String>,
    /// Who may see and subscribe it.
    pub visibility: Visibility,
    /// Where it is in its life.
    pub state: ServiceState,
    /// The contract that new subscriptions get.
    pub contract: ContractId,
    /// When it was drafted.
    pub created_at: Ts,
    /// When it last changed.
    pub updated_at: Ts,
    /// When it was first published.
    pub published_at: Option<Ts>,
    /// The hash of its icon.
    pub icon: Option<String>,
    /// Where else to read about it.
    pub links: Vec<NamedLink>,
    /// Whom to ask: an e-mail address or a web address.
    pub support: Option<String>,
    /// How it ends, once that is announced.
    pub deprecation: Option<Deprecation>,
    /// That the operator stopped it, while that lasts.
    pub suspension: Option<ServiceSuspension>,
    /// Why the operator's last review did not publish it.
    pub review_note: Option<String>,
}

/// One immutable version of what a service offers; its plans are kept beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    /// Its id.
    pub id: ContractId,
    /// The service it is of.
    pub service: ServiceId,
    /// 1, 2, 3, …
    pub version: i64,
    /// What one subscription serves.
    pub level: Level,
    /// What the service may do with granted projects' data.
    pub permissions: Vec<DataPermission>,
    /// Where the terms are to be read.
    pub terms_url: Option<String>,
    /// When it was made.
    pub created_at: Ts,
}

/// A move of a service that its present state does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the service is {}; it can't be {verb}", state.words())]
pub struct WrongServiceState {
    /// Where it is.
    pub state: ServiceState,
    /// What was asked, as a participle.
    pub verb: &'static str,
}

impl ServiceState {
    /// After `publish`: a draft goes live, a paused service takes new subscriptions again.
    ///
    /// # Errors
    /// [`WrongServiceState`] from any other state.
    pub fn publish(self) -> Result<Self, WrongServiceState> {
        match self {
            Self::Draft | Self::Paused => Ok(Self::Published),
            state => Err(WrongServiceState { state, verb: "published" }),
        }
    }

    /// After `pause`.
    ///
    /// # Errors
    /// [`WrongServiceState`] unless published.
    pub fn pause(self) -> Result<Self, WrongServiceState> {
        match self {
            Self::Published => Ok(Self::Paused),
            state => Err(WrongServiceState { state, verb: "paused" }),
        }
    }

    /// Whether another contract may be offered; the state stays.
    ///
    /// # Errors
    /// [`WrongServiceState`] when it takes no new subscriptions any more.
    pub fn offer(self) -> Result<(), WrongServiceState> {
        match self {
            Self::Draft | Self::InReview | Self::Published | Self::Paused | Self::Suspended => Ok(()),
            state => Err(WrongServiceState { state, verb: "offered with a new contract" }),
        }
    }

    /// Whether new subscriptions may be made.
    pub fn takes_subscriptions(self) -> bool {
        self == Self::Published
    }

    /// Whether the marketplace lists it.
    pub fn listed(self) -> bool {
        self == Self::Published
    }

    /// Whether the marketplace has a page of it: also of one that is to be retired, which says until when.
    pub fn has_page(self) -> bool {
        matches!(self, Self::Published | Self::Deprecated)
    }
}

impl Service {
    /// Whether the marketplace lists it for everybody.
    pub fn listed_for_all(&self) -> bool {
        self.state.listed() && self.visibility != Visibility::Private
    }

    /// Whether somebody who is not a member of its provider sees it; `named` is whether one of that person's organizations
    /// is among those that a private service is for.
    pub fn seen_by(&self, named: bool) -> bool {
        self.state.has_page() && (named || self.visibility != Visibility::Private)
    }
}

/// The longest name, in characters.
pub const NAME: usize = 200;

/// The longest Markdown description, in characters.
pub const DESCRIPTION: usize = 20_000;

/// What a provider wrote about a service, apart from its contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceText {
    /// Its name; required.
    pub name: String,
    /// Its handle; made from the name when absent.
    pub handle: Option<String>,
    /// What it does, in one line; required.
    pub summary: String,
    /// What it does, in Markdown.
    pub description: String,
    /// Where the marketplace lists it; lower-case words.
    pub categories: Vec<String>,
}

impl ServiceText {
    /// Checks everything at once, noting what is wrong in `faults`.
    #[must_use]
    pub fn check(self, faults: &mut Faults) -> Self {
        let name = faults.check("/name", text::line(&self.name, NAME)).unwrap_or_default();
        let summary = faults.check("/summary", text::line(&self.summary, 200)).unwrap_or_default();
        let description = faults.check("/description", text::block(&self.description, DESCRIPTION)).unwrap_or_default();
        let handle = self.handle.filter(|handle| !handle.trim().is_empty());
        let handle = handle.and_then(|handle| faults.check("/handle", text::handle(&handle)));
        let mut categories: Vec<String> = Vec::new();
        if self.categories.len() > 10 {
            faults.add("/categories", "a service has at most 10 categories");
        }
        for (index, category) in self.categories.iter().enumerate() {
            let checked = check_category(category);
            if let Some(category) = faults.check(format!("/categories/{index}"), checked).filter(|one| !categories.contains(one)) {
                categories.push(category);
            }
        }
        Self { name, handle, summary, description, categories }
    }
}

/// A category: a word of at most 40 characters, folded to lower case; spaces and underscores become hyphens.
fn check_category(category: &str) -> Result<String, &'static str> {
    let folded: String = category.trim().to_lowercase().chars().map(|c| if c == ' ' || c == '_' { '-' } else { c }).collect();
    let fits = (1..=40).contains(&folded.chars().count()) && folded.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '&');
    if fits { Ok(folded) } else { Err("a category is a word of at most 40 letters, digits and hyphens") }
}

/// Checks permissions: at least one, each once.
pub fn check_permissions(faults: &mut Faults, pointer: &str, given: &[String]) -> Vec<DataPermission> {
    let mut permissions = Vec::new();
    for (index, word) in given.iter().enumerate() {
        if let Some(permission) =
            faults.check(format!("{pointer}/{index}"), word.parse::<DataPermission>()).filter(|one| !permissions.contains(one))
        {
            permissions.push(permission);
        }
    }
    if given.is_empty() {
        faults.add(pointer, "name at least one permission: resources:read, resources:write");
    }
    permissions
}

/// What somebody wrote for a new service, apart from its contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewService {
    /// The application whose credentials it uses.
    pub application: String,
    /// Its texts.
    pub text: ServiceText,
    /// Who may see and subscribe it.
    pub visibility: String,
    /// Its first contract.
    pub contract: NewContract,
}

/// A checked new service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceDraft {
    /// The application whose credentials it uses; whose it is remains to be looked up.
    pub application: ApplicationId,
    /// Its texts.
    pub text: ServiceText,
    /// Who may see and subscribe it.
    pub visibility: Visibility,
    /// Its first contract.
    pub contract: ContractDraft,
}

impl NewService {
    /// Checks everything at once, noting what is wrong in `faults`; `None` when what is wrong leaves no service.
    pub fn check(self, faults: &mut Faults) -> Option<ServiceDraft> {
        let application = faults.check("/application", self.application.parse());
        let text = self.text.check(faults);
        let visibility = faults.check("/visibility", self.visibility.parse());
        let contract = self.contract.check("/contract", faults);
        Some(ServiceDraft { application: application?, text, visibility: visibility?, contract: contract? })
    }
}

/// A change of a service's texts and visibility; what is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceChange {
    /// A new name.
    pub name: Option<String>,
    /// A new summary.
    pub summary: Option<String>,
    /// A new description.
    pub description: Option<String>,
    /// Other categories.
    pub categories: Option<Vec<String>>,
    /// Another visibility.
    pub visibility: Option<String>,
    /// Other links.
    pub links: Option<Vec<NamedLink>>,
    /// Another support contact; empty for none.
    pub support: Option<String>,
}

impl ServiceChange {
    /// The service as it is after the change.
    ///
    /// # Errors
    /// What is wrong, with pointers into the API's JSON.
    pub fn apply(self, to: &Service) -> Result<Service, Faults> {
        let mut faults = Faults::new();
        let text = ServiceText {
            name: self.name.unwrap_or_else(|| to.name.clone()),
            handle: None,
            summary: self.summary.unwrap_or_else(|| to.summary.clone()),
            description: self.description.unwrap_or_else(|| to.description.clone()),
            categories: self.categories.unwrap_or_else(|| to.categories.clone()),
        };
        let text = text.check(&mut faults);
        let listing =
            Listing { links: self.links.unwrap_or_else(|| to.links.clone()), support: self.support.or_else(|| to.support.clone()) };
        let listing = listing.check(&mut faults);
        let visibility = match self.visibility {
            Some(word) => faults.check("/visibility", word.parse()),
            None => Some(to.visibility),
        };
        let changed = visibility.map(|visibility| Service {
            name: text.name,
            summary: text.summary,
            description: text.description,
            categories: text.categories,
            visibility,
            links: listing.links,
            support: listing.support,
            ..to.clone()
        });
        faults.or(changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_draft_or_a_paused_service_is_published() {
        for state in ServiceState::ALL.iter().copied() {
            let may = matches!(state, ServiceState::Draft | ServiceState::Paused);
            assert_eq!(state.publish().is_ok(), may, "{state}");
        }
        assert_eq!(ServiceState::Retired.publish().unwrap_err().to_string(), "the service is retired; it can't be published");
    }

    #[test]
    fn categories_are_folded_and_counted_once() {
        let mut faults = Faults::new();
        let text = ServiceText {
            name: "Load forecast".into(),
            handle: None,
            summary: "Forecasts load".into(),
            description: String::new(),
            categories: vec!["Machine Learning".into(), "machine_learning".into(), "energy".into()],
        };
        assert_eq!(text.check(&mut faults).categories, ["machine-learning", "energy"]);
        assert!(faults.is_empty());
    }

    #[test]
    fn a_permission_must_be_known_and_one_is_needed() {
        let mut faults = Faults::new();
        check_permissions(&mut faults, "/contract/permissions", &["resources:admin".into()]);
        check_permissions(&mut faults, "/contract/permissions", &[]);
        let faults = faults.into_vec();
        assert_eq!(faults[0].pointer, "/contract/permissions/0");
        assert_eq!(faults[0].detail, "a permission is one of resources:read, resources:write");
        assert_eq!(faults[1].pointer, "/contract/permissions");
    }
}
