//! Organizations: legal parties that consume services, provide them, or both.

use crate::{
    ids::{Id, OrganizationId},
    text::{self, Faults},
    time::Ts,
};

/// An organization as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// Its URL-safe, unique name.
    pub handle: String,
    /// Its name.
    pub name: String,
    /// What it is about; may be empty.
    pub description: String,
    /// Where bills go.
    pub billing_email: Option<String>,
    /// When it was created.
    pub created_at: Ts,
    /// When its details last changed.
    pub updated_at: Ts,
}

/// A handle or an id: what `{org}` and other path segments take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key<I> {
    /// By id.
    Id(I),
    /// By handle.
    Handle(String),
}

impl<I: Id> Key<I> {
    /// Reads a path segment; whatever is not an id is taken for a handle (which finds nothing when it is none).
    pub fn read(segment: &str) -> Self {
        segment.parse().map_or_else(|_| Self::Handle(segment.to_owned()), Self::Id)
    }
}

/// The details somebody wrote for a new organization.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewOrganization {
    /// Its name; required.
    pub name: String,
    /// Its handle; made from the name when absent.
    pub handle: Option<String>,
    /// What it is about.
    pub description: Option<String>,
    /// Where bills go.
    pub billing_email: Option<String>,
}

/// Checked details of a new organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganizationDraft {
    /// Its name.
    pub name: String,
    /// The handle that was asked for, or one made from the name.
    pub handle: String,
    /// Whether the handle was asked for, so that a taken one is a conflict rather than a reason to try another.
    pub handle_given: bool,
    /// What it is about.
    pub description: String,
    /// Where bills go.
    pub billing_email: Option<String>,
}

const NAME: usize = 120;
const DESCRIPTION: usize = 2_000;

impl NewOrganization {
    /// Checks everything at once.
    ///
    /// # Errors
    /// What is wrong, with pointers into the API's JSON.
    pub fn check(self) -> Result<OrganizationDraft, Faults> {
        let mut faults = Faults::new();
        let name = faults.check("/name", text::line(&self.name, NAME)).unwrap_or_default();
        let handle_given = self.handle.as_deref().is_some_and(|handle| !handle.trim().is_empty());
        let handle = match &self.handle {
            Some(handle) if handle_given => faults.check("/handle", text::handle(handle)).unwrap_or_default(),
            _ => text::handle_from(&name, "organization"),
        };
        let description =
            faults.check("/description", text::block(self.description.as_deref().unwrap_or(""), DESCRIPTION)).unwrap_or_default();
        let billing_email = billing(&mut faults, self.billing_email.as_deref());
        faults.or(Some(OrganizationDraft { name, handle, handle_given, description, billing_email }))
    }
}

fn billing(faults: &mut Faults, given: Option<&str>) -> Option<String> {
    match given.map(str::trim) {
        None | Some("") => None,
        Some(email) => faults.check("/billing_email", text::email(email)),
    }
}

/// A change of an organization's details; what is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrganizationChange {
    /// A new name.
    pub name: Option<String>,
    /// A new description.
    pub description: Option<String>,
    /// A new billing address; empty removes it.
    pub billing_email: Option<String>,
}

impl OrganizationChange {
    /// The organization as it would be after the change.
    ///
    /// # Errors
    /// What is wrong, with pointers into the API's JSON.
    pub fn apply(self, to: &Organization) -> Result<Organization, Faults> {
        let mut faults = Faults::new();
        let mut changed = to.clone();
        if let Some(name) = self.name {
            changed.name = faults.check("/name", text::line(&name, NAME)).unwrap_or_default();
        }
        if let Some(description) = self.description {
            changed.description = faults.check("/description", text::block(&description, DESCRIPTION)).unwrap_or_default();
        }
        if let Some(email) = self.billing_email {
            changed.billing_email = billing(&mut faults, Some(&email));
        }
        faults.or(Some(changed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_made_from_the_name_and_everything_wrong_is_said_at_once() {
        let draft = NewOrganization { name: "Grid & Works".into(), ..Default::default() }.check().unwrap();
        assert_eq!((draft.handle.as_str(), draft.handle_given), ("grid-works", false));

        let bad = NewOrganization { name: " ".into(), handle: Some("A B".into()), description: None, billing_email: Some("x".into()) };
        let pointers: Vec<_> = bad.check().unwrap_err().into_vec().into_iter().map(|fault| fault.pointer).collect();
        assert_eq!(pointers, ["/name", "/handle", "/billing_email"]);
    }
}
