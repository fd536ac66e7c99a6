//! Why somebody can or cannot do something: the same rules that decide, with what they decided by.

use stoa_domain::{
    access::{Action, Reason, Standing},
    applications::Owner,
    ids::{ApplicationId, OrganizationId, ProjectId, UserId},
    members::Member,
    organizations::{Key, Organization},
    permissions::{Permission, Role},
    sharing::Path,
    text,
};
use stoa_store::{Conn, members, projects, sharing as shares, users};

use crate::{
    Caller, Error, Result, access,
    applications::{self, Share},
    seats,
};

/// What is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The organization itself.
    Organization,
    /// An application of it, or shared with it.
    Application(ApplicationId),
    /// A project of it.
    Project(Key<ProjectId>),
}

/// The text names none of the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a subject is organization, application:app_… or project:prj_…")]
pub struct NotASubject;

impl std::str::FromStr for Subject {
    type Err = NotASubject;

    fn from_str(text: &str) -> Result<Self, NotASubject> {
        match text.split_once(':') {
            None if text == "organization" || text.is_empty() => Ok(Self::Organization),
            Some(("application", id)) => id.parse().map(Self::Application).map_err(|_| NotASubject),
            Some(("project", key)) if !key.is_empty() => Ok(Self::Project(Key::read(key))),
            _ => Err(NotASubject),
        }
    }
}

/// A question: may this person do this with that?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Whom it is about, by id or by address.
    pub user: String,
    /// To do what.
    pub action: Action,
    /// With what.
    pub subject: Subject,
}

/// An answer, with the rule and the way by which it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Within which organization.
    pub organization: Organization,
    /// The member; `None` for anybody else, of whom nothing is told.
    pub member: Option<Member>,
    /// Whom it is about, as the question named them.
    pub asked: String,
    /// To do what.
    pub action: Action,
    /// `organization`, `application` or `project`.
    pub kind: &'static str,
    /// The id of what it is about.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Why; it also says whether it is a yes.
    pub reason: Reason,
    /// As what the person stands in the organization; `None` for anybody who is not a member.
    pub standing: Option<Standing>,
    /// Whether the person's account is suspended.
    pub account_suspended: bool,
    /// The way on which an application is reached.
    pub path: Option<Path>,
    /// With whom the application is shared.
    pub shares: Vec<Share>,
}

/// Explains to a member of an organization whether another one can do something there.
///
/// # Errors
/// 401, 404 for what the caller does not see, 422 for a user that is neither id nor address.
pub async fn explain(conn: &mut Conn, caller: &Caller, org: &Key<OrganizationId>, question: Question) -> Result<Explanation> {
    let seat = seats::allowed(conn, caller, org, Permission::View).await?;
    let organization = seat.organization;
    let (member, account_suspended) = find_member(conn, organization.id, &question.user).await?.unzip();
    let account_suspended = account_suspended.unwrap_or_default();
    let standing = member.as_ref().map(|member: &Member| Standing { role: member.role, suspended: organization.suspension.is_some() });
    let mut answer = Explanation {
        kind: "organization",
        id: organization.id.to_string(),
        name: organization.name.clone(),
        reason: access::in_organization(question.action, standing, account_suspended),
        standing,
        account_suspended,
        path: None,
        shares: Vec::new(),
        member,
        asked: question.user,
        action: question.action,
        organization,
    };
    match question.subject {
        Subject::Organization => {}
        Subject::Project(key) => {
            let found = projects::find(conn, answer.organization.id, &key).await?.ok_or(Error::NotFound("project"))?;
            (answer.kind, answer.id, answer.name) = ("project", found.id.to_string(), found.name);
        }
        Subject::Application(id) => of_application(conn, caller, id, &mut answer).await?,
    }
    Ok(answer)
}

/// The member, and whether the account is suspended.
async fn find_member(conn: &mut Conn, organization: OrganizationId, named: &str) -> Result<Option<(Member, bool)>> {
    let named = named.trim();
    let found = match named.parse::<UserId>() {
        Ok(id) => users::find_many(conn, &[id]).await?,
        Err(_) => {
            let email = text::email(named).map_err(|_| Error::fault("/user", "name a person by id (usr_…) or by e-mail address"))?;
            users::find_by_emails(conn, &[email]).await?
        }
    };
    let Some(user) = found.first() else { return Ok(None) };
    Ok(members::find(conn, organization, user.id).await?.map(|member| (member, user.suspended)))
}

async fn of_application(conn: &mut Conn, caller: &Caller, id: ApplicationId, answer: &mut Explanation) -> Result<()> {
    let seen = applications::allowed(conn, caller, id, Permission::View).await?;
    let shared = shares::list(conn, id).await?;
    let here = answer.organization.id;
    if seen.application.owner != Owner::Organization(here) && shared.iter().all(|share| share.organization != here) {
        return Err(Error::NotFound("application"));
    }
    (answer.kind, answer.id, answer.name) = ("application", id.to_string(), seen.application.name);
    if let Some(member) = &answer.member {
        let ties = shares::ties(conn, &[member.user], &[id]).await?;
        let decided = access::with_application(answer.action, &ties.iter().collect::<Vec<_>>());
        (answer.reason, answer.path) = (decided.reason, decided.path);
    }
    answer.shares = shared;
    Ok(())
}

impl Explanation {
    /// The name of the person, or how the question named somebody who is not a member.
    pub fn who(&self) -> &str {
        self.member.as_ref().map_or(&self.asked, |member| &member.name)
    }

    /// What the person may do in the organization itself.
    pub fn in_organization(&self, permission: Permission) -> Reason {
        access::in_organization(Action::Role(permission), self.standing, self.account_suspended)
    }

    /// The rule that decided, and by what, as a sentence.
    pub fn rule(&self) -> String {
        let who = self.who();
        let organization = &self.organization.name;
        match (self.reason, &self.path, &self.member) {
            (Reason::AccountSuspended, ..) => {
                format!(
                    "an operator of this installation suspended the account of {who}, which can do nothing until an operator lifts that"
                )
            }
            (Reason::Owner, ..) => format!("{who} owns {} and may do everything with it", self.name),
            (Reason::NotShared, ..) => format!("{} is not shared with {who}", self.name),
            (Reason::NotInTeam, ..) => {
                let teams: Vec<_> = self.shares.iter().filter_map(|share| share.team.as_ref().map(|(_, name)| name.as_str())).collect();
                format!(
                    "{} is shared with teams only ({}), and {who} is in none of them; maintainers and whoever registered it see it too",
                    self.name,
                    teams.join(", ")
                )
            }
            (_, _, None) => format!("{who} is not a member of {organization}; only members see or do anything here"),
            (reason, path, Some(member)) => {
                let role = path.as_ref().and_then(Path::role).unwrap_or(member.role);
                let way = path.as_ref().map(|path| format!("; {}", self.way(path))).unwrap_or_default();
                format!("{who} is {role} of {organization}{way}. {}", self.verdict(reason, role))
            }
        }
    }

    /// How the person reaches the application.
    fn way(&self, path: &Path) -> String {
        match path {
            Path::Owner => "the application is their own".to_owned(),
            Path::Member(_) => "the application belongs to the organization".to_owned(),
            Path::Maintainer => "the application belongs to the organization, from whose maintainers nothing is hidden".to_owned(),
            Path::Creator(_) => "they registered the application for the organization".to_owned(),
            Path::Organization(_) => "the application is shared with the organization".to_owned(),
            Path::Team(_, _, team) => format!("the application is shared with the team {team}, in which they are"),
        }
    }

    fn verdict(&self, reason: Reason, role: Role) -> String {
        let permission = self.action.for_people();
        let words = permission.words();
        let roles: Vec<_> = permission.allowed_roles().into_iter().map(|role| format!("{role}s")).collect();
        match reason {
            Reason::RoleAllows => format!("By the role table {} may {words}", role.with_article()),
            Reason::OrganizationSuspended => format!(
                "An operator of this installation suspended {}: it can be looked at but not changed until an operator lifts that",
                self.organization.name
            ),
            Reason::NeedsRequest => {
                format!("By the role table {} may only ask to {words}; {} may at once", role.with_article(), roles.join(" and "))
            }
            _ => format!("By the role table {} may not {words}; {} may", role.with_article(), roles.join(" and ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_read_from_their_texts() {
        assert_eq!("".parse(), Ok(Subject::Organization));
        assert_eq!("project:north".parse(), Ok(Subject::Project(Key::Handle("north".into()))));
        for bad in ["application:north", "project:", "team:tea_1", "x"] {
            assert_eq!(bad.parse::<Subject>(), Err(NotASubject), "{bad}");
        }
    }
}
