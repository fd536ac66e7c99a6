//! For whom a query looks.

use stoa_domain::ids::{OrganizationId, UserId};

use crate::Value;

/// For whom a query looks: a person, by all memberships, or by those of some organizations only (as a personal token may
/// be limited). What such a query finds, that person may see; so every query that joins memberships takes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewer {
    /// The person.
    pub user: UserId,
    /// The only organizations that count; `None` for all.
    pub within: Option<Vec<OrganizationId>>,
}

impl Viewer {
    /// Whether an organization counts, if the person belongs to it.
    pub fn sees(&self, organization: OrganizationId) -> bool {
        self.within.as_ref().is_none_or(|within| within.contains(&organization))
    }

    /// Whether what belongs to the person alone counts, such as the person's own applications.
    pub fn sees_own(&self) -> bool {
        self.within.is_none()
    }

    /// ` and <column> in (…)` for the organizations that count, bound after the values there are; empty when all do.
    pub(crate) fn only(&self, column: &str, values: &mut Vec<Value>) -> String {
        let Some(within) = &self.within else { return String::new() };
        if within.is_empty() {
            return " and 1 = 0".to_owned();
        }
        let from = values.len() + 1;
        values.extend(within.iter().map(Value::from));
        format!(" and {column} in ({})", crate::users::placeholders(from, within.len()))
    }
}

impl From<UserId> for Viewer {
    fn from(user: UserId) -> Self {
        Self { user, within: None }
    }
}
