//! How a service presents itself beside its texts: links and support; and what is missing before it is published.

use serde::{Deserialize, Serialize};

use super::{Service, Visibility};
use crate::{
    text::{self, Fault, Faults},
    words::words,
};

/// The most links of a service.
pub const MOST_LINKS: usize = 8;

/// The longest name of a link, in characters.
const LINK_NAME: usize = 40;

/// A named address, such as the documentation or the status page of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedLink {
    /// What it leads to.
    pub name: String,
    /// Where.
    pub url: String,
}

/// Links and support as somebody wrote them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Where else to read.
    pub links: Vec<NamedLink>,
    /// Whom to ask: an e-mail address or a web address; empty for nobody.
    pub support: Option<String>,
}

impl Listing {
    /// Checks everything at once, noting what is wrong in `faults`.
    #[must_use]
    pub fn check(self, faults: &mut Faults) -> Self {
        if self.links.len() > MOST_LINKS {
            faults.add("/links", format!("a service has at most {MOST_LINKS} links"));
        }
        let mut links: Vec<NamedLink> = Vec::with_capacity(self.links.len());
        for (index, link) in self.links.into_iter().enumerate() {
            let name = faults.check(format!("/links/{index}/name"), text::line(&link.name, LINK_NAME));
            let url = faults.check(format!("/links/{index}/url"), text::url(&link.url));
            let Some((name, url)) = name.zip(url) else { continue };
            if links.iter().any(|other| other.name == name) {
                faults.add(format!("/links/{index}/name"), "another link has this name");
            }
            links.push(NamedLink { name, url });
        }
        let support = self.support.filter(|text| !text.trim().is_empty());
        let support = support.and_then(|text| faults.check("/support", check_support(&text)));
        Self { links, support }
    }
}

/// An e-mail address or an absolute web address.
fn check_support(text: &str) -> Result<String, &'static str> {
    let checked = if text.contains("://") { text::url(text) } else { text::email(text) };
    checked.map_err(|_| "write an e-mail address, or an address that starts with https://")
}

/// Where a support contact leads.
pub fn support_href(support: &str) -> String {
    if support.contains("://") { support.to_owned() } else { format!("mailto:{support}") }
}

words! {
    /// What a service lacks.
    Lack, NotALack, "what a service lacks" {
        /// The application it works with was deleted.
        Application = "application",
        /// No plan.
        Plans = "plans",
        /// No line that says what it does.
        Summary = "summary",
        /// No description.
        Description = "description",
        /// In no category.
        Categories = "categories",
        /// No icon.
        Icon = "icon",
        /// No picture of it.
        Screenshots = "screenshots",
        /// Nobody to ask.
        Support = "support",
        /// No terms to read.
        Terms = "terms",
        /// Private, and for nobody but its provider.
        Audience = "audience",
    }
}

impl Lack {
    /// Whether a service is not published without it; the others are advice.
    pub const fn blocks(self) -> bool {
        matches!(self, Self::Application | Self::Plans | Self::Summary)
    }

    /// What to do about it.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Application => {
                "Its application was deleted; a service needs one to sign in with. Draft it anew with another application."
            }
            Self::Plans => "Offer a contract with at least one plan; a free service has a plan without prices.",
            Self::Summary => "Say in one line what it does; the marketplace shows it in the list.",
            Self::Description => "Describe what it does, what it needs and what it leaves behind.",
            Self::Categories => "Name categories, under which people look for it.",
            Self::Icon => "Add an icon, by which people recognise it.",
            Self::Screenshots => "Add a screenshot, so that people see what they get.",
            Self::Support => "Say whom to ask: an e-mail address or a page.",
            Self::Terms => "Name where the terms are to be read; subscribers accept them.",
            Self::Audience => "It is private and listed for nobody but your organization. Name the organizations it is for.",
        }
    }

    /// Where in the JSON of a service it belongs.
    pub const fn pointer(self) -> &'static str {
        match self {
            Self::Application => "/application",
            Self::Plans => "/contract/plans",
            Self::Summary => "/summary",
            Self::Description => "/description",
            Self::Categories => "/categories",
            Self::Icon => "/icon",
            Self::Screenshots => "/screenshots",
            Self::Support => "/support",
            Self::Terms => "/contract/terms_url",
            Self::Audience => "/audience",
        }
    }
}

/// What of a service lies beside it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Beside {
    /// Whether its application is there.
    pub application: bool,
    /// How many plans its contract has.
    pub plans: usize,
    /// Whether its contract names terms.
    pub terms: bool,
    /// How many screenshots it has.
    pub screenshots: usize,
    /// How many organizations it is named to be for.
    pub audience: usize,
}

/// What a service lacks, what blocks its publication first.
pub fn missing(service: &Service, beside: Beside) -> Vec<Lack> {
    let lacks = |lack: Lack| match lack {
        Lack::Application => !beside.application,
        Lack::Plans => beside.plans == 0,
        Lack::Summary => service.summary.is_empty(),
        Lack::Description => service.description.is_empty(),
        Lack::Categories => service.categories.is_empty(),
        Lack::Icon => service.icon.is_none(),
        Lack::Screenshots => beside.screenshots == 0,
        Lack::Support => service.support.is_none(),
        Lack::Terms => !beside.terms,
        Lack::Audience => service.visibility == Visibility::Private && beside.audience == 0,
    };
    Lack::ALL.iter().copied().filter(|lack| lacks(*lack)).collect()
}

/// What blocks the publication, as faults of a refusal.
pub fn blocking(missing: &[Lack]) -> Vec<Fault> {
    let fault = |lack: &Lack| Fault { pointer: lack.pointer().to_owned(), detail: lack.advice().to_owned() };
    missing.iter().filter(|lack| lack.blocks()).map(fault).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ids::{ApplicationId, ContractId, Id, OrganizationId, ServiceId},
        services::ServiceState,
        time::Ts,
    };

    fn link(name: &str, url: &str) -> NamedLink {
        NamedLink { name: name.into(), url: url.into() }
    }

    #[test]
    fn links_are_named_once_and_support_is_an_address_of_either_kind() {
        let mut faults = Faults::new();
        let links = vec![link("Docs", "https://docs.example"), link("Docs", "https://other.example"), link("", "javascript:alert(1)")];
        let checked = Listing { links, support: Some("call us".into()) }.check(&mut faults);
        let pointers: Vec<_> = faults.into_vec().into_iter().map(|fault| fault.pointer).collect();
        assert_eq!(pointers, ["/links/1/name", "/links/2/name", "/links/2/url", "/support"]);
        assert_eq!(checked.support, None);
        let mut faults = Faults::new();
        let support = |text: &str, faults: &mut Faults| Listing { links: Vec::new(), support: Some(text.into()) }.check(faults).support;
        assert_eq!(support(" Help@Grid.example", &mut faults).as_deref(), Some("help@grid.example"));
        assert_eq!(support("https://help.example/x", &mut faults).as_deref(), Some("https://help.example/x"));
        assert_eq!(support(" ", &mut faults), None);
        assert!(faults.is_empty());
        assert_eq!(support_href("help@grid.example"), "mailto:help@grid.example");
        assert_eq!(support_href("https://help.example"), "https://help.example");
    }

    fn service() -> Service {
        let now = Ts::from_micros(1);
        Service {
            id: ServiceId::mint(now, [1; 10]),
            provider: OrganizationId::mint(now, [2; 10]),
            handle: "load".into(),
            application: ApplicationId::mint(now, [3; 10]),
            name: "Load".into(),
            summary: "Reads".into(),
            description: "Reads data".into(),
            categories: vec!["energy".into()],
            visibility: Visibility::Public,
            state: ServiceState::Draft,
            contract: ContractId::mint(now, [4; 10]),
            created_at: now,
            updated_at: now,
            published_at: None,
            icon: Some("hash".into()),
            links: Vec::new(),
            support: Some("help@grid.example".into()),
            deprecation: None,
            suspension: None,
            review_note: None,
        }
    }

    #[test]
    fn what_blocks_and_what_is_only_advised() {
        let whole = Beside { application: true, plans: 1, terms: true, screenshots: 1, audience: 0 };
        assert_eq!(missing(&service(), whole), []);
        let mut bare = service();
        bare.summary.clear();
        bare.description.clear();
        bare.categories.clear();
        (bare.icon, bare.support, bare.visibility) = (None, None, Visibility::Private);
        let lacks = missing(&bare, Beside::default());
        assert_eq!(lacks, Lack::ALL, "everything is missing");
        let blocked: Vec<_> = blocking(&lacks).into_iter().map(|fault| fault.pointer).collect();
        assert_eq!(blocked, ["/application", "/contract/plans", "/summary"]);
        assert!(!missing(&bare, Beside { audience: 1, ..whole }).contains(&Lack::Audience));
    }
}
