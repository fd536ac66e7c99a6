//! Projects: units of work of an organization, which hold resources.

use crate::{
    ids::ProjectId,
    text::{self, Faults},
    time::Ts,
};

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

/// The details somebody wrote for a new project.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewProject {
    /// Its name; required.
    pub name: String,
    /// Its handle; made from the name when absent.
    pub handle: Option<String>,
    /// What it is about.
    pub description: Option<String>,
}

/// Checked details of a new project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectDraft {
    /// Its name.
    pub name: String,
    /// The handle that was asked for, or one made from the name.
    pub handle: String,
    /// Whether the handle was asked for.
    pub handle_given: bool,
    /// What it is about.
    pub description: String,
}

const NAME: usize = 120;
const DESCRIPTION: usize = 2_000;

impl NewProject {
    /// Checks everything at once.
    ///
    /// # Errors
    /// What is wrong, with pointers into the API's JSON.
    pub fn check(self) -> Result<ProjectDraft, Faults> {
        let mut faults = Faults::new();
        let name = faults.check("/name", text::line(&self.name, NAME)).unwrap_or_default();
        let handle_given = self.handle.as_deref().is_some_and(|handle| !handle.trim().is_empty());
        let handle = match &self.handle {
            Some(handle) if handle_given => faults.check("/handle", text::handle(handle)).unwrap_or_default(),
            _ => text::handle_from(&name, "project"),
        };
        let description =
            faults.check("/description", text::block(self.description.as_deref().unwrap_or(""), DESCRIPTION)).unwrap_or_default();
        faults.or(Some(ProjectDraft { name, handle, handle_given, description }))
    }
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
            changed.name = faults.check("/name", text::line(&name, NAME)).unwrap_or_default();
        }
        if let Some(description) = self.description {
            changed.description = faults.check("/description", text::block(&description, DESCRIPTION)).unwrap_or_default();
        }
        faults.or(Some(changed))
    }
}
