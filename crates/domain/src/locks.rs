//! Locks of projects, and what a grant is given for: the consumer's say over single projects.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    ids::{LockId, OrganizationId, ProjectId, ServiceId, UserId},
    periods::Moment,
    text::{self, Faults},
    time::Ts,
};

/// The longest purpose of a grant, in characters.
pub const PURPOSE: usize = 300;

/// A lock of a project: it keeps a service, or every service, out, whatever subscriptions say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// Its id.
    pub id: LockId,
    /// Whose project.
    pub organization: OrganizationId,
    /// The project.
    pub project: ProjectId,
    /// The service kept out; `None` for every service.
    pub service: Option<ServiceId>,
    /// Why.
    pub reason: String,
    /// Who set it.
    pub set_by: UserId,
    /// When.
    pub since: Ts,
    /// When it was lifted.
    pub until: Option<Ts>,
    /// By whom.
    pub lifted_by: Option<UserId>,
}

impl Lock {
    /// Whether it keeps this service out.
    pub fn keeps_out(&self, service: ServiceId) -> bool {
        self.until.is_none() && self.service.is_none_or(|one| one == service)
    }
}

/// What a project is granted for, and until when.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantTerms {
    /// What the service shall use the project for; may be empty.
    #[serde(default)]
    pub purpose: String,
    /// The first instant at which it may not any more.
    #[serde(default)]
    pub until: Option<Ts>,
}

impl GrantTerms {
    /// Whether the grant would last longer or serve another purpose than before, which takes an approval; everything else
    /// only reduces.
    pub fn widens(&self, before: &Self) -> bool {
        let longer = match (before.until, self.until) {
            (Some(before), Some(now)) => now > before,
            (Some(_), None) => true,
            (None, _) => false,
        };
        longer || self.purpose != before.purpose
    }
}

/// The terms of a project as somebody wrote them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TermsInput {
    /// The project, by handle or id.
    pub project: String,
    /// What it is used for.
    pub purpose: String,
    /// The last day (`2027-03-31`) or the first instant after the end (RFC 3339); absent or empty, there is no end.
    pub until: Option<String>,
}

/// Judges the terms of several projects. Faults are noted under `at`, such as `/details`; `find` looks a project up.
pub fn check_terms(
    given: &[TermsInput],
    at: &str,
    now: Ts,
    find: impl Fn(&str) -> Option<ProjectId>,
    faults: &mut Faults,
) -> BTreeMap<ProjectId, GrantTerms> {
    let mut terms = BTreeMap::new();
    for (index, one) in given.iter().enumerate() {
        let purpose = faults.check(format!("{at}/{index}/purpose"), text::optional_line(&one.purpose, PURPOSE)).unwrap_or_default();
        let place = format!("{at}/{index}/until");
        let until = one.until.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let until = until.and_then(|text| faults.check(place.as_str(), text.parse::<Moment>())).map(|moment| match moment {
            Moment::Day(day) => day.next().start(),
            Moment::Instant(instant) => instant,
        });
        if until.is_some_and(|until| until <= now) {
            faults.add(place, "this is over already; take the project out instead");
        }
        let Some(project) = find(one.project.trim()) else {
            faults.add(format!("{at}/{index}/project"), "the organization has no such project; write its handle or id");
            continue;
        };
        if terms.insert(project, GrantTerms { purpose, until }).is_some() {
            faults.add(format!("{at}/{index}/project"), "this project stands in the list before");
        }
    }
    terms
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Id;

    fn project() -> ProjectId {
        ProjectId::mint(Ts::from_micros(1_000_000), [1; 10])
    }

    fn check(purpose: &str, until: &str) -> Result<GrantTerms, Vec<String>> {
        let mut faults = Faults::new();
        let given = TermsInput { project: "north".into(), purpose: purpose.into(), until: Some(until.into()) };
        let now = "2026-03-12T12:00:00Z".parse().unwrap();
        let terms = check_terms(&[given], "/details", now, |key| (key == "north").then(project), &mut faults);
        let found = faults.is_empty().then(|| terms.into_values().next()).flatten();
        found.ok_or_else(|| faults.into_vec().into_iter().map(|fault| fault.pointer).collect())
    }

    #[test]
    fn a_day_is_meant_as_a_whole_and_an_instant_as_it_is() {
        let until = |text| check("", text).unwrap().until.map(|until| until.to_string());
        assert_eq!(until("2026-03-12").as_deref(), Some("2026-03-13T00:00:00.000000Z"), "today is not over");
        assert_eq!(until("2026-03-12T12:30:00Z").as_deref(), Some("2026-03-12T12:30:00.000000Z"));
        assert_eq!(until(""), None);
        assert_eq!(check("", "2026-03-11").unwrap_err(), ["/details/0/until"]);
        assert_eq!(check(&"x".repeat(301), "soon").unwrap_err(), ["/details/0/purpose", "/details/0/until"]);
    }

    #[test]
    fn a_later_end_and_another_purpose_need_an_approval_and_an_earlier_end_does_not() {
        let terms = |purpose: &str, until: Option<i64>| GrantTerms { purpose: purpose.into(), until: until.map(Ts::from_micros) };
        let before = terms("winter", Some(10));
        assert!(terms("winter", Some(11)).widens(&before));
        assert!(terms("winter", None).widens(&before));
        assert!(terms("summer", Some(9)).widens(&before));
        assert!(!terms("winter", Some(9)).widens(&before));
        assert!(!terms("winter", Some(9)).widens(&terms("winter", None)));
    }
}
