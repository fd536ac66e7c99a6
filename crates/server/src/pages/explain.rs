//! Why somebody can or cannot do something in an organization.

use axum::response::IntoResponse;
use serde::Deserialize;
use stoa_actions::{
    applications::{self, Filter},
    explain::{self, Explanation, Question, Subject},
    organizations, projects, teams,
};
use stoa_domain::{
    access::{Action, Reason},
    organizations::Key,
    permissions::Permission,
};

use super::{
    Badge, Choice, Field, Link, OrgHead, Person, Shell, filters,
    form::{FormErrors, sentence},
    page::{Page, PageResult},
};
use crate::extract::{ApiPath, ApiQuery};

/// `GET /organizations/{org}/access?user=&subject=&permission=`.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "access.html")]
pub struct AccessPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization; its crumb is “Access”.
    pub org: OrgHead,
    /// Whom it is about.
    pub user: Field,
    /// What can be asked about.
    pub subjects: Vec<Choice>,
    /// What can be asked for.
    pub permissions: Vec<Choice>,
    /// What is wrong with the question.
    pub errors: Vec<String>,
    /// The answer.
    pub answer: Option<AnswerView>,
}

/// An answer.
#[derive(Debug, Default)]
pub struct AnswerView {
    /// Whether it is a yes.
    pub allowed: bool,
    /// “Ola Birke can see Forecast engine”.
    pub heading: String,
    /// The rule and the way.
    pub rule: String,
    /// Who it is, where it is a member.
    pub person: Option<Person>,
    /// The role's title.
    pub role: String,
    /// The teams the person is in.
    pub teams: Vec<Link>,
    /// All that the role allows, where the question was about the organization.
    pub all: Vec<(String, Badge)>,
}

/// The question.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Query {
    user: String,
    subject: String,
    permission: String,
}

/// How many applications and how many projects can be chosen.
const OFFERED: i64 = 200;

/// `GET /organizations/{org}/access`.
pub async fn show(page: Page, ApiPath(org): ApiPath<String>, ApiQuery(query): ApiQuery<Query>) -> PageResult {
    let key = Key::read(&org);
    let mut conn = page.read().await?;
    let seat = organizations::get(&mut conn, &page.caller, &key).await?;
    let mut org = page.org_head(&mut conn, &seat, "members").await?;
    org.crumbs = vec![Link::new("Members", format!("{}/members", org.url())), Link::new("Access", "")];
    let filter = Filter { organization: Some(&key), ..Filter::default() };
    let listed = applications::list(&mut conn, &page.caller, filter, None, OFFERED).await?;
    let (_, owned) = projects::list(&mut conn, &page.caller, &key, None, OFFERED).await?;
    let choice = |value: String, label: String| Choice { checked: value == query.subject, value, label, hint: String::new() };
    let mut subjects = vec![choice("organization".into(), format!("The organization {}", org.name))];
    subjects.extend(
        listed.iter().map(|one| choice(format!("application:{}", one.application.id), format!("Application {}", one.application.name))),
    );
    subjects.extend(owned.iter().map(|one| choice(format!("project:{}", one.project.handle), format!("Project {}", one.project.name))));
    let wanted = if query.permission.is_empty() { "view" } else { &query.permission };
    let permission = |one: Permission| Choice::new(one.word(), sentence(one.words()).trim_end_matches('.'), one.word() == wanted);
    let mut shown = AccessPage {
        shell: page.shell(&mut conn, "organizations").await?,
        user: Field::new(&query.user),
        permissions: Permission::ALL.into_iter().map(permission).collect(),
        subjects,
        org,
        ..AccessPage::default()
    };
    if query.user.trim().is_empty() {
        return Ok(shown.into_response());
    }
    let (Ok(subject), Ok(action)) = (query.subject.parse::<Subject>(), wanted.parse::<Action>()) else {
        shown.errors = vec!["Choose what it is about from the list.".to_owned()];
        return Ok(shown.into_response());
    };
    match explain::explain(&mut conn, &page.caller, &key, Question { user: query.user.clone(), action, subject }).await {
        Ok(answer) => {
            let mut view = view(&answer);
            if let Some(member) = &answer.member {
                let places = teams::of_member(&mut conn, &seat, member.user).await?;
                view.teams =
                    places.into_iter().map(|team| Link::new(team.name, format!("{}/teams/{}", shown.org.url(), team.id))).collect();
                shown.user = Field::new(&member.email);
            }
            shown.answer = Some(view);
            Ok(shown.into_response())
        }
        Err(error) => {
            let mut errors = FormErrors::of(error)?;
            let status = errors.status;
            shown.user = errors.field("/user", &query.user);
            shown.errors = errors.rest();
            Ok(FormErrors::again(status, shown))
        }
    }
}

fn view(answer: &Explanation) -> AnswerView {
    let allowed = answer.reason.allows();
    let can = if allowed { "can" } else { "cannot" };
    let what = match (answer.action, answer.kind) {
        (Action::Role(Permission::View), "organization") => format!("{can} see {}", answer.name),
        (Action::Role(Permission::View), kind) => format!("{can} see the {kind} {}", answer.name),
        (action, "organization") => format!("{can} {}", action.for_people().words()),
        (action, kind) => format!("{can} {} (the {kind} {})", action.for_people().words(), answer.name),
    };
    let all = answer.member.as_ref().filter(|_| answer.kind == "organization").map(|_| {
        let line = |permission: Permission| {
            let badge = match answer.in_organization(permission) {
                Reason::RoleAllows => Badge { text: "Yes".into(), tone: "ok", icon: "circle-check" },
                Reason::NeedsRequest => Badge { text: "On request".into(), tone: "warn", icon: "clock" },
                _ => Badge { text: "No".into(), tone: "", icon: "ban" },
            };
            (sentence(permission.words()).trim_end_matches('.').to_owned(), badge)
        };
        Permission::ALL.into_iter().map(line).collect()
    });
    AnswerView {
        allowed,
        heading: format!("{} {what}", answer.who()),
        rule: sentence(&answer.rule()),
        person: answer.member.as_ref().map(|member| Person::new(&member.name, &member.email)),
        role: answer.member.as_ref().map(|member| member.role.title().to_owned()).unwrap_or_default(),
        teams: Vec::new(),
        all: all.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::{AccessPage, AnswerView};
    use crate::pages::{Badge, Choice, Field, Link, Person, sample};

    #[test]
    fn the_answer_names_the_rule_and_the_way() {
        let mut page = AccessPage {
            shell: sample::shell("organizations"),
            org: sample::org("members"),
            user: Field::new("ola@aurelia.example"),
            subjects: vec![Choice::new("organization", "The organization Aurelia Energy", true)],
            permissions: vec![Choice::new("view", "View details", true)],
            ..AccessPage::default()
        };
        page.org.crumbs = vec![Link::new("Members", "/organizations/aurelia/members"), Link::new("Access", "")];
        assert!(sample::render("access-empty", &page).contains("Why can or can’t"));
        page.answer = Some(AnswerView {
            allowed: true,
            heading: "Ola Birke can see Aurelia Energy".into(),
            rule: "Ola Birke is reviewer of Aurelia Energy. By the role table a reviewer may view details.".into(),
            person: Some(Person::new("Ola Birke", "ola@aurelia.example")),
            role: "Reviewer".into(),
            teams: vec![Link::new("Meters", "/organizations/aurelia/teams/tea_1")],
            all: vec![("View details".into(), Badge { text: "Yes".into(), tone: "ok", icon: "circle-check" })],
        });
        assert!(sample::render("access", &page).contains("By the role table"));
    }
}
