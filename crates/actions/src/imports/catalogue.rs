//! Taking over a catalogue: each provider an organization of the maintainer, each service published.

use stoa_domain::{
    applications::{self as rules, NewApplication},
    contracts::NewContract,
    imports::catalogue::{ImportedProvider, ImportedService},
    meters::PlanInput,
    naming::NewNaming,
    organizations::{Key, NewOrganization, Organization},
    permissions::Role,
    services::{DataPermission, Level, NewService, Service, ServiceChange, ServiceState, ServiceText, Visibility},
};
use stoa_store::services as kept;

use crate::{
    Act, Error, Result, applications,
    contracts::{self, NewVersion},
    organizations, services,
};

/// The plan of services whose prices the catalogue does not tell.
const PLAN: (&str, &str) = ("Free", "EUR");

/// What an import changed; nothing, when the file was imported before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// Whether the organization is new.
    pub created: bool,
    /// Services that are new.
    pub added: usize,
    /// Services whose texts or terms are others now.
    pub changed: usize,
    /// Services that are as in the file.
    pub unchanged: usize,
}

impl Taken {
    /// Whether everything was there.
    pub fn is_nothing(&self) -> bool {
        !self.created && self.added + self.changed == 0
    }
}

/// Takes a provider over in the name of the caller: creates the organization and publishes its services, or adds what is
/// missing and changes what the file has otherwise. Nothing is removed, and a service that was paused stays so. All of it or
/// nothing, with the act.
///
/// # Errors
/// 401, 422; 409 when a handle is somebody else's, or the caller is no maintainer of the organization that is there.
pub async fn provider(act: &mut Act, new: &ImportedProvider) -> Result<Taken> {
    let mut taken = Taken::default();
    let organization = found_or_created(act, new, &mut taken).await?;
    for service in &new.services {
        match kept::find(&mut act.tx, &Key::Handle(service.handle.clone())).await? {
            None => {
                add(act, &organization, service).await.map_err(|error| at_line(service, &error))?;
                taken.added += 1;
            }
            Some(found) if found.provider != organization.id => {
                let detail = format!("line {}: another provider has a service under the handle {}", service.line, service.handle);
                return Err(Error::conflict("handle_taken", detail));
            }
            Some(found) => {
                if change(act, &found, service).await.map_err(|error| at_line(service, &error))? {
                    taken.changed += 1;
                } else {
                    taken.unchanged += 1;
                }
            }
        }
    }
    Ok(taken)
}

fn at_line(service: &ImportedService, error: &Error) -> Error {
    let said = match error {
        Error::Invalid(faults) => {
            faults.clone().into_vec().into_iter().map(|fault| format!("{}: {}", fault.pointer, fault.detail)).collect::<Vec<_>>().join("; ")
        }
        other => other.to_string(),
    };
    Error::conflict("line_refused", format!("line {}: {said}", service.line))
}

async fn found_or_created(act: &mut Act, new: &ImportedProvider, taken: &mut Taken) -> Result<Organization> {
    let key = Key::Handle(new.handle.clone());
    match organizations::get(&mut act.tx, &act.caller, &key).await {
        Ok(seat) if seat.role != Role::Maintainer => {
            let detail = format!("{} is there already, and the maintainer of the import is only {} in it", new.name, seat.role);
            Err(Error::conflict("not_maintainer", detail))
        }
        Ok(seat) if seat.organization.name != new.name => {
            let detail = format!("the handle {} is taken by {}; rename the provider in the file", new.handle, seat.organization.name);
            Err(Error::conflict("handle_taken", detail))
        }
        Ok(seat) => Ok(seat.organization),
        Err(Error::NotFound("organization")) => {
            let naming = NewNaming { name: new.name.clone(), handle: Some(new.handle.clone()), description: None };
            let created = organizations::create(act, NewOrganization { naming, ..NewOrganization::default() }).await;
            taken.created = true;
            match created {
                Ok(seat) => Ok(seat.organization),
                Err(Error::Conflict { code: "handle_taken", .. }) => {
                    let detail = format!(
                        "the handle {} is taken by an organization of which the maintainer of the import is no maintainer; add them \
                         to it, or rename the provider in the file",
                        new.handle
                    );
                    Err(Error::conflict("handle_taken", detail))
                }
                Err(other) => Err(other),
            }
        }
        Err(other) => Err(other),
    }
}

async fn add(act: &mut Act, organization: &Organization, new: &ImportedService) -> Result<()> {
    let key = Key::Id(organization.id);
    let application = NewApplication { name: application_name(&new.name), ..NewApplication::default() };
    let application = applications::create(act, Some(&key), application).await?.application.id;
    let text = ServiceText {
        name: new.name.clone(),
        handle: Some(new.handle.clone()),
        summary: new.summary.clone(),
        description: new.description.clone(),
        categories: new.categories.clone(),
    };
    let visibility = Visibility::Public.word().to_owned();
    let service = NewService { application: application.to_string(), text, visibility, contract: contract(new) };
    let drafted = services::create(act, &key, service).await?;
    services::publish_now(act, drafted.service).await?;
    Ok(())
}

/// Names of applications are shorter than those of services.
fn application_name(name: &str) -> String {
    name.chars().take(rules::NAME).collect::<String>().trim().to_owned()
}

fn contract(new: &ImportedService) -> NewContract {
    NewContract {
        level: Level::Organization.word().to_owned(),
        permissions: vec![DataPermission::ResourcesRead.word().to_owned()],
        terms_url: new.terms_url.clone(),
        plans: vec![PlanInput { name: PLAN.0.to_owned(), currency: PLAN.1.to_owned(), ..PlanInput::default() }],
    }
}

/// Brings a service to what the file has; answers whether it was otherwise.
async fn change(act: &mut Act, found: &Service, new: &ImportedService) -> Result<bool> {
    let key = Key::Id(found.id);
    let change = ServiceChange {
        name: Some(new.name.clone()),
        summary: Some(new.summary.clone()),
        description: Some(new.description.clone()),
        categories: Some(new.categories.clone()),
        ..ServiceChange::default()
    };
    let mut changed = false;
    if change.clone().apply(found)? != *found {
        services::update(act, &key, change).await?;
        changed = true;
    }
    let offered = kept::find_contract(&mut act.tx, found.provider, found.contract).await?;
    if offered.is_some_and(|offered| offered.terms_url != new.terms_url) {
        contracts::offer(act, &key, NewVersion { contract: contract(new), ..NewVersion::default() }).await?;
        changed = true;
    }
    // Only the import itself leaves a draft, when somebody wrote it by hand under this handle.
    if found.state == ServiceState::Draft {
        let found = services::locked(act, found).await?;
        services::publish_now(act, found).await?;
        changed = true;
    }
    Ok(changed)
}
