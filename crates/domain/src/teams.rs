//! Teams: named groups of members of one organization.

use crate::{
    ids::TeamId,
    text::{self, Faults},
    time::Ts,
};

/// A team as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team {
    /// Its id.
    pub id: TeamId,
    /// Its name, unique within its organization whatever the case of its letters.
    pub name: String,
    /// What it is for; may be empty.
    pub description: String,
    /// When it was created.
    pub created_at: Ts,
    /// When its details last changed.
    pub updated_at: Ts,
}

impl Team {
    /// What its name is compared and sorted by.
    pub fn name_key(&self) -> String {
        self.name.to_lowercase()
    }
}

/// The details somebody wrote for a new team.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewTeam {
    /// Its name; required.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
}

/// Checked details of a team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamDraft {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
}

impl NewTeam {
    /// Checks everything at once.
    ///
    /// # Errors
    /// What is wrong, with pointers into the API's JSON.
    pub fn check(self) -> Result<TeamDraft, Faults> {
        let mut faults = Faults::new();
        let name = faults.check("/name", text::line(&self.name, 120)).unwrap_or_default();
        let description = faults.check("/description", text::block(self.description.as_deref().unwrap_or(""), 2_000)).unwrap_or_default();
        faults.or(Some(TeamDraft { name, description }))
    }
}

/// A change of a team's details; what is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TeamChange {
    /// A new name.
    pub name: Option<String>,
    /// A new description.
    pub description: Option<String>,
}

impl TeamChange {
    /// The team as it would be after the change.
    ///
    /// # Errors
    /// What is wrong, with pointers into the API's JSON.
    pub fn apply(self, to: &Team) -> Result<Team, Faults> {
        let merged = NewTeam {
            name: self.name.unwrap_or_else(|| to.name.clone()),
            description: Some(self.description.unwrap_or_else(|| to.description.clone())),
        };
        let draft = merged.check()?;
        Ok(Team { name: draft.name, description: draft.description, ..to.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_wrong_is_said_at_once_and_names_differ_by_more_than_case() {
        let bad = NewTeam { name: " ".into(), description: Some("\0".into()) };
        let pointers: Vec<_> = bad.check().unwrap_err().into_vec().into_iter().map(|fault| fault.pointer).collect();
        assert_eq!(pointers, ["/name", "/description"]);

        let team = |name: &str| Team {
            id: crate::ids::Id::mint(Ts::from_micros(1), [1; 10]),
            name: name.into(),
            description: String::new(),
            created_at: Ts::from_micros(1),
            updated_at: Ts::from_micros(1),
        };
        assert_eq!(team("Meters").name_key(), team("METERS").name_key());
        let changed = TeamChange { description: Some(" Reads them ".into()), ..TeamChange::default() }.apply(&team("Meters")).unwrap();
        assert_eq!((changed.name.as_str(), changed.description.as_str()), ("Meters", "Reads them"));
    }
}
