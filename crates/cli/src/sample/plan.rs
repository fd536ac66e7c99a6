//! The sample as it is written down.

use serde::Deserialize;
use stoa_domain::meters::PlanInput;

/// The sample.
#[derive(Deserialize)]
pub struct Plan {
    /// Who can sign in.
    pub people: Vec<SamplePerson>,
    /// Consumers and providers.
    pub organizations: Vec<SampleOrganization>,
    /// What is offered.
    pub services: Vec<SampleService>,
    /// What is subscribed.
    pub subscriptions: Vec<SampleSubscription>,
    /// Organization, project, name, media type, text.
    pub resources: Vec<[String; 5]>,
}

/// Who can sign in.
#[derive(Deserialize)]
pub struct SamplePerson {
    /// How the rest of the sample names the person.
    pub key: String,
    /// The address.
    pub email: String,
    /// The name.
    pub name: String,
}

/// A consumer or provider.
#[derive(Deserialize)]
pub struct SampleOrganization {
    /// Its name.
    pub name: String,
    /// Its handle.
    pub handle: String,
    /// What it is about.
    pub description: String,
    /// Where bills go.
    pub billing_email: String,
    /// Who creates it.
    pub maintainer: String,
    /// Who and as what.
    pub members: Vec<[String; 2]>,
    /// Name, handle, description.
    pub projects: Vec<[String; 3]>,
}

/// What is offered.
#[derive(Deserialize)]
pub struct SampleService {
    /// Its handle.
    pub key: String,
    /// Its provider's handle.
    pub provider: String,
    /// Its name.
    pub name: String,
    /// What it does, in one line.
    pub summary: String,
    /// What it does, in Markdown.
    pub description: String,
    /// Where it is listed.
    pub categories: Vec<String>,
    /// Who may subscribe.
    pub visibility: String,
    /// What it may do.
    pub permissions: Vec<String>,
    /// Where the terms are.
    pub terms_url: Option<String>,
    /// At which prices.
    pub plans: Vec<PlanInput>,
    /// Whether it is published.
    pub publish: bool,
}

/// What is subscribed.
#[derive(Deserialize)]
pub struct SampleSubscription {
    /// By whom, as a handle.
    pub organization: String,
    /// By which person.
    pub by: String,
    /// The service's handle.
    pub service: String,
    /// The plan's name.
    pub plan: String,
    /// How the choice is meant.
    pub mode: String,
    /// Which projects it names.
    pub projects: Vec<String>,
    /// What happens with later ones.
    pub include_future: String,
    /// Why.
    pub note: String,
    /// When.
    pub days_ago: i64,
    /// Who approves it in the organization; nobody: it waits.
    pub approve: Option<String>,
    /// Who approves it at the provider; nobody: it waits.
    pub provider_approves: Option<String>,
    /// What the approver says.
    pub comment: Option<String>,
    /// Meter, daily quantity, step of its growth.
    pub usage: Vec<(String, i64, i64)>,
}

impl Plan {
    /// Reads it.
    ///
    /// # Errors
    /// A mistake in the sample.
    pub fn read() -> Result<Self, serde_json::Error> {
        serde_json::from_str(include_str!("sample.json"))
    }

    /// The projects that a subscription is granted, by handle.
    pub fn granted(&self, subscription: &SampleSubscription) -> Vec<String> {
        let projects = self.organizations.iter().filter(|one| one.handle == subscription.organization).flat_map(|one| &one.projects);
        let named = |handle: &String| subscription.projects.contains(handle);
        projects
            .map(|[_, handle, _]| handle)
            .filter(|handle| match subscription.mode.as_str() {
                "selected" => named(handle),
                "all_except" => !named(handle),
                _ => true,
            })
            .cloned()
            .collect()
    }
}
