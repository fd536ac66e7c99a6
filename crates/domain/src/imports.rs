//! Organizations read from a file of another system: what is in it, checked, with what is wrong and where.

pub mod catalogue;
mod lines;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::Deserialize;
use serde_json::Value;

use lines::Lines;

use crate::{
    naming,
    permissions::Role,
    teams::{NewTeam, TeamDraft},
    text::{self, Faults},
};

/// An organization of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedOrganization {
    /// On which line of the file it begins.
    pub line: usize,
    /// Its name.
    pub name: String,
    /// Its handle, made from the name.
    pub handle: String,
    /// What it is about.
    pub description: String,
    /// Who belongs to it, by address, each once.
    pub members: BTreeMap<String, Role>,
    /// Its teams.
    pub teams: Vec<ImportedTeam>,
}

/// A team of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedTeam {
    /// Its name; of a nested one with those above it, as `parent/child`.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// Who is in it, by address: its members and its maintainers, between whom teams here make no difference.
    pub members: BTreeSet<String>,
}

/// One thing wrong with one entry of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryFault {
    /// On which line of the file.
    pub line: usize,
    /// Which organization, counted from 1.
    pub number: usize,
    /// Its name, as far as it can be read.
    pub organization: String,
    /// Which entry of it, such as `teams[3].members[0]`.
    pub entry: String,
    /// What is wrong and what to do.
    pub detail: String,
}

impl fmt::Display for EntryFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: organization {} ({}), {}: {}", self.line, self.number, self.organization, self.entry, self.detail)
    }
}

/// The file as a whole can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the file is not a JSON list of organizations: {0}")]
pub struct NotAList(String);

/// How entries become accounts and members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportRules {
    /// What follows the `@` of an entry that is no address.
    pub email_domain: String,
    /// The role of those who are not maintainers.
    pub member_role: Role,
}

#[derive(Deserialize)]
struct Written {
    name: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    maintainers: Vec<String>,
    #[serde(default)]
    members: Vec<String>,
    #[serde(default)]
    teams: Vec<WrittenTeam>,
}

#[derive(Deserialize)]
struct WrittenTeam {
    name: String,
    #[serde(default)]
    parent: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    maintainers: Vec<String>,
    #[serde(default)]
    members: Vec<String>,
}

/// An organization of the file, or all that is wrong with it.
pub type Entry = Result<ImportedOrganization, Vec<EntryFault>>;

/// Reads a file: a JSON list of `{name, description, maintainers, members, teams: [{name, parent, description, maintainers,
/// members}]}`, where people are handles or addresses. Each organization is fit or told what is wrong with it.
///
/// # Errors
/// [`NotAList`], with line and column.
pub fn read(text: &str, rules: &ImportRules) -> Result<Vec<Entry>, NotAList> {
    let all: Vec<Value> = serde_json::from_str(text).map_err(|bad| NotAList(bad.to_string()))?;
    let lines = Lines::of(text);
    Ok(all.into_iter().enumerate().map(|(index, one)| Reader::new(index, &one, rules, &lines).read(one)).collect())
}

struct Reader<'a> {
    index: usize,
    name: String,
    rules: &'a ImportRules,
    lines: &'a Lines,
    faults: Vec<EntryFault>,
}

impl<'a> Reader<'a> {
    fn new(index: usize, one: &Value, rules: &'a ImportRules, lines: &'a Lines) -> Self {
        let name = one["name"].as_str().unwrap_or("without a name").to_owned();
        Self { index, name, rules, lines, faults: Vec::new() }
    }

    fn fault(&mut self, entry: impl Into<String>, detail: impl Into<String>) {
        let entry = entry.into();
        let (line, organization) = (self.lines.find(self.index, &entry), self.name.clone());
        self.faults.push(EntryFault { line, number: self.index + 1, organization, entry, detail: detail.into() });
    }

    fn read(mut self, one: Value) -> Entry {
        let written: Written = match serde_json::from_value(one) {
            Ok(written) => written,
            Err(bad) => {
                self.fault("all of it", format!("{bad}; see the guide for the form of an organization"));
                return Err(self.faults);
            }
        };
        let mut faults = Faults::new();
        let name = naming::check_name(&written.name, &mut faults);
        let handle = naming::check_handle(&text::handle_from(&name, "organization"), &mut faults);
        let description = naming::check_description(written.description.as_deref().unwrap_or(""), &mut faults);
        for fault in faults.into_vec() {
            self.fault(fault.pointer.trim_start_matches('/').to_owned(), fault.detail);
        }
        if written.maintainers.is_empty() {
            self.fault("maintainers", "an organization keeps at least one maintainer; name one");
        }
        let mut members = BTreeMap::new();
        for (list, role, people) in
            [("members", self.rules.member_role, &written.members), ("maintainers", Role::Maintainer, &written.maintainers)]
        {
            for (index, person) in people.iter().enumerate() {
                if let Some(email) = self.email(&format!("{list}[{index}]"), person) {
                    members.insert(email, role);
                }
            }
        }
        let teams = self.teams(&written.teams, &members);
        let line = self.lines.find(self.index, "");
        if self.faults.is_empty() { Ok(ImportedOrganization { line, name, handle, description, members, teams }) } else { Err(self.faults) }
    }

    fn email(&mut self, entry: &str, person: &str) -> Option<String> {
        let address = if person.contains('@') { person.to_owned() } else { format!("{}@{}", person.trim(), self.rules.email_domain) };
        match text::email(&address) {
            Ok(email) => Some(email),
            Err(_) => {
                self.fault(entry, format!("{person:?} makes no e-mail address; write a handle without spaces, or an address"));
                None
            }
        }
    }

    fn teams(&mut self, written: &[WrittenTeam], members: &BTreeMap<String, Role>) -> Vec<ImportedTeam> {
        let mut teams: Vec<ImportedTeam> = Vec::with_capacity(written.len());
        let mut names = BTreeSet::new();
        for (index, team) in written.iter().enumerate() {
            let at = format!("teams[{index}]");
            let Some(name) = self.full_name(&at, team, written) else { continue };
            if !names.insert(name.to_lowercase()) {
                self.fault(format!("{at}.name"), format!("there are two teams {name}; leave one out"));
            }
            let mut inside = BTreeSet::new();
            for (list, people) in [("maintainers", &team.maintainers), ("members", &team.members)] {
                for (index, person) in people.iter().enumerate() {
                    let entry = format!("{at}.{list}[{index}]");
                    let Some(email) = self.email(&entry, person) else { continue };
                    if members.contains_key(&email) {
                        inside.insert(email);
                    } else {
                        self.fault(
                            entry,
                            format!("{person:?} is not a member of the organization; add it to members, or take it out here"),
                        );
                    }
                }
            }
            let name = if team.name.trim().is_empty() { String::new() } else { name };
            if let Some(draft) = self.draft(&at, NewTeam { name, description: team.description.clone() }) {
                teams.push(ImportedTeam { name: draft.name, description: draft.description, members: inside });
            }
        }
        teams
    }

    /// The team's name and description, by the rules for teams that people write.
    fn draft(&mut self, at: &str, team: NewTeam) -> Option<TeamDraft> {
        match team.check() {
            Ok(draft) => Some(draft),
            Err(faults) => {
                for fault in faults.into_vec() {
                    self.fault(format!("{at}.{}", fault.pointer.trim_start_matches('/')), fault.detail);
                }
                None
            }
        }
    }

    /// `grandparent/parent/child`.
    fn full_name(&mut self, at: &str, team: &WrittenTeam, all: &[WrittenTeam]) -> Option<String> {
        let mut name = team.name.trim().to_owned();
        let mut above = team.parent.as_deref();
        // Longer than there are teams is a circle.
        for _ in 0..=all.len() {
            let Some(parent) = above else { return Some(name) };
            let Some(found) = all.iter().find(|one| one.name == parent) else {
                self.fault(format!("{at}.parent"), format!("there is no team {parent:?} in this organization; write it, or null"));
                return None;
            };
            name = format!("{}/{name}", found.name.trim());
            above = found.parent.as_deref();
        }
        self.fault(format!("{at}.parent"), "the team is above itself; write another parent, or null");
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_one(text: &str) -> Entry {
        let rules = ImportRules { email_domain: "people.example".into(), member_role: Role::Viewer };
        read(text, &rules).unwrap().pop().unwrap()
    }

    #[test]
    fn people_become_addresses_and_nested_teams_paths() {
        let one = read_one(
            r#"[{"name": "Grid Works", "description": "Power", "maintainers": ["ada"], "members": ["ben", "ada", "cleo@grid.example"],
                "teams": [{"name": "ops", "parent": null, "members": ["ben"]},
                          {"name": "night", "parent": "ops", "description": "Nights", "maintainers": ["ada"], "members": ["cleo@grid.example"]}]}]"#,
        )
        .unwrap();
        assert_eq!((one.handle.as_str(), one.description.as_str()), ("grid-works", "Power"));
        let roles: Vec<_> = one.members.iter().map(|(email, role)| (email.as_str(), *role)).collect();
        assert_eq!(
            roles,
            [("ada@people.example", Role::Maintainer), ("ben@people.example", Role::Viewer), ("cleo@grid.example", Role::Viewer)]
        );
        let teams: Vec<_> = one.teams.iter().map(|team| (team.name.as_str(), team.members.len())).collect();
        assert_eq!(teams, [("ops", 1), ("ops/night", 2)]);
    }

    #[test]
    fn each_fault_names_the_organization_and_the_entry() {
        let faults = read_one(
            r#"[{"name": "Grid", "maintainers": [], "members": ["a b"],
                "teams": [{"name": "x", "parent": "y", "members": []}, {"name": "z", "parent": "z"}, {"name": "t", "members": ["stranger"]}]}]"#,
        )
        .unwrap_err();
        let entries: Vec<_> = faults.iter().map(|fault| fault.entry.as_str()).collect();
        assert_eq!(entries, ["maintainers", "members[0]", "teams[0].parent", "teams[1].parent", "teams[2].members[0]"]);
        assert!(faults[1].to_string().starts_with("line 1: organization 1 (Grid), members[0]: \"a b\" makes no e-mail address"));
        assert_eq!(faults[2].line, 2);
        assert_eq!(read_one(r#"[{"name": 7}]"#).unwrap_err()[0].entry, "all of it");
    }

    #[test]
    fn teams_keep_the_rules_of_teams_that_people_write() {
        let long = "x".repeat(70);
        let one = format!(
            r#"[{{"name": "Grid", "maintainers": ["ada"], "teams": [
                {{"name": "{long}"}}, {{"name": "{long}", "parent": "{long}"}}, {{"name": " "}}, {{"name": "a", "description": "\u0000"}},
                {{"name": "B"}}, {{"name": "b"}}, {{"name": " ", "parent": "B"}}]}}]"#
        );
        let faults = read_one(&one).unwrap_err();
        let entries: Vec<_> = faults.iter().map(|fault| fault.entry.as_str()).collect();
        assert_eq!(entries, ["teams[1].name", "teams[2].name", "teams[3].description", "teams[5].name", "teams[6].name"]);
        assert!(faults[3].detail.contains("two teams"), "{faults:?}");
    }

    #[test]
    fn a_file_that_is_no_list_is_refused_with_its_line() {
        let rules = ImportRules { email_domain: "people.example".into(), member_role: Role::Viewer };
        assert!(read("[\n {]", &rules).unwrap_err().to_string().contains("line 2"));
    }
}
