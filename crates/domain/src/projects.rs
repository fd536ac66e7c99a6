//! Projects: units of work of an organization, which hold resources.

use crate::{ids::ProjectId, naming, text::Faults, time::Ts};

/// A project as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// Its URL-safe name, unique within its organization.
    pub handle: String,
    /// Its name.
    pub name: String,
    /// What it is about; may be empty.
    pub description: String,
    /// When it was created.
    pub created_at: Ts,
    /// When its details last changed.
    pub updated_at: Ts,
}

/// A change of a project's details; what is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProjectChange {
    /// A new name.
    pub name: Option<String>,
    /// A new description.
    pub description: Option<String>,
}

impl ProjectChange {
    /// The project as it would be after the change.
    ///
    /// # Errors
    /// What is wrong, with pointers into the API's JSON.
    pub fn apply(self, to: &Project) -> Result<Project, Faults> {
        let mut faults = Faults::new();
        let mut changed = to.clone();
        if let Some(name) = self.name {
            changed.name = naming::check_name(&name, &mut faults);
        }
        if let Some(description) = self.description {
            changed.description = naming::check_description(&description, &mut faults);
        }
        faults.or(Some(changed))
    }
}
