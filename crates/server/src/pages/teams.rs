//! The teams of an organization, and one team with its members and what is shared with it.

use axum::{http::StatusCode, response::IntoResponse};
use serde::Deserialize;
use stoa_actions::{members, teams};
use stoa_domain::{
    ids::{OrganizationId, TeamId, UserId},
    members::Member,
    organizations::Key,
    permissions::Permission,
    teams::{NewTeam, TeamChange},
};
use stoa_store::Conn;

use super::{
    Choice, Field, Flash, Link, OrgHead, Pager, Person, Shell, filters,
    form::{FormErrors, PageForm},
    hue,
    lists::{self, ListQuery, SHOWN},
    page::{Page, PageResult, may},
    times,
};
use crate::extract::{ApiPath, ApiQuery};

/// `GET /organizations/{org}/teams`; `?open=new` opens the dialog, a refused `POST` shows it again.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "teams.html")]
pub struct TeamsPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization.
    pub org: OrgHead,
    /// What was looked for.
    pub query: String,
    /// The teams.
    pub teams: Vec<TeamRow>,
    /// Leads through a long list.
    pub pager: Pager,
    /// Whether I may create teams.
    pub can_manage: bool,
    /// Whether the dialog is open.
    pub open_new: bool,
    /// Errors of the dialog as a whole.
    pub errors: Vec<String>,
    /// The new team's name.
    pub name: Field,
    /// Its description.
    pub description: Field,
}

/// One team of the list.
#[derive(Debug, Clone, Default)]
pub struct TeamRow {
    /// Its name.
    pub name: String,
    /// Its description, may be empty.
    pub description: String,
    /// Its page.
    pub href: String,
    /// Colour class of its mark.
    pub hue: u8,
    /// How many members it has.
    pub members: i64,
    /// How many applications are shared with it.
    pub applications: i64,
}

/// `GET /organizations/{org}/teams/{team}`.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "team.html")]
pub struct TeamPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization; its crumbs are “Teams” and this team.
    pub org: OrgHead,
    /// The team's address, without a slash at the end.
    pub url: String,
    /// Its name.
    pub name: String,
    /// Its description, may be empty.
    pub description: String,
    /// Colour class of its mark.
    pub hue: u8,
    /// The day it was created.
    pub created: String,
    /// Its members.
    pub members: Vec<TeamMemberRow>,
    /// Leads through many members.
    pub pager: Pager,
    /// What is shared with it, with since when.
    pub applications: Vec<(Link, String)>,
    /// Whether I may edit and delete it and choose its members.
    pub can_manage: bool,
    /// Members of the organization who could be added.
    pub candidates: Vec<Choice>,
    /// Whether there are more of them than shown.
    pub more_candidates: bool,
    /// Whether the dialog is open.
    pub open_add: bool,
    /// The addresses typed in the dialog.
    pub emails: Field,
    /// The name in the form.
    pub edit_name: Field,
    /// The description in the form.
    pub edit_description: Field,
    /// What all members of the organization see when the team is deleted, as a sentence; empty where there is nothing.
    pub opening: String,
    /// Why the deletion was refused.
    pub delete_error: Option<String>,
}

/// One member of a team.
#[derive(Debug, Clone, Default)]
pub struct TeamMemberRow {
    /// The person.
    pub person: Person,
    /// The role's title in the organization.
    pub role: String,
    /// Since when in the team.
    pub since: String,
    /// Where to post the removal; empty where I may not.
    pub remove: String,
    /// Whether it is me.
    pub is_me: bool,
}

/// `GET /organizations/{org}/teams`.
pub async fn list(page: Page, ApiPath(org): ApiPath<String>, ApiQuery(query): ApiQuery<ListQuery>) -> PageResult {
    let mut conn = page.read().await?;
    let mut shown = teams_page(&page, &mut conn, &Key::read(&org), &query).await?;
    shown.open_new = query.open == "new" && shown.can_manage;
    Ok(shown.into_response())
}

async fn teams_page(page: &Page, conn: &mut Conn, org: &Key<OrganizationId>, query: &ListQuery) -> PageResult<TeamsPage> {
    let after: Option<String> = query.after()?;
    let (seat, mut listed) = teams::list(conn, &page.caller, org, query.search(), after.as_deref(), SHOWN + 1).await?;
    let org = page.org_head(conn, &seat, "teams").await?;
    let url = format!("{}/teams", org.url());
    let all = query.search().is_none().then_some(org.counts.teams);
    let pager = lists::pager(&mut listed, &query.address(&url), "teams", all, after.is_none(), |one: &teams::Listed| one.team.name_key());
    let rows = listed.into_iter().map(|one| TeamRow {
        href: format!("{url}/{}", one.team.id),
        hue: hue(&one.team.id.to_string()),
        name: one.team.name,
        description: one.team.description,
        members: one.members,
        applications: one.applications,
    });
    Ok(TeamsPage {
        teams: rows.collect(),
        shell: page.shell(conn, "organizations").await?,
        can_manage: may(&seat, Permission::ManageResources),
        query: query.q.trim().to_owned(),
        pager,
        org,
        ..TeamsPage::default()
    })
}

/// The details of a team.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct TeamForm {
    name: String,
    description: String,
}

/// `POST /organizations/{org}/teams`.
pub async fn create(page: Page, ApiPath(org): ApiPath<String>, PageForm(form): PageForm<TeamForm>) -> PageResult {
    let org = Key::read(&org);
    let mut act = page.begin().await?;
    let new = NewTeam { name: form.name.clone(), description: Some(form.description.clone()) };
    match teams::create(&mut act, &org, new).await {
        Ok((seat, made)) => {
            let to = format!("/organizations/{}/teams/{}", seat.organization.handle, made.team.id);
            page.done(act, to, Flash::ok(format!("{} is created. Choose who is in it.", made.team.name))).await
        }
        Err(error) => {
            drop(act);
            let mut errors = FormErrors::of(error)?.code_at("name_taken", "/name");
            let status = errors.status;
            let mut conn = page.read().await?;
            let mut shown = teams_page(&page, &mut conn, &org, &ListQuery::default()).await?;
            shown.open_new = true;
            shown.name = errors.field("/name", form.name);
            shown.description = errors.field("/description", form.description);
            shown.errors = errors.rest();
            Ok(FormErrors::again(status, shown))
        }
    }
}

/// `GET /organizations/{org}/teams/{team}`; `?open=add` opens the dialog.
pub async fn show(page: Page, ApiPath((org, team)): ApiPath<(String, TeamId)>, ApiQuery(query): ApiQuery<ListQuery>) -> PageResult {
    let mut conn = page.read().await?;
    let mut shown = team_page(&page, &mut conn, &Key::read(&org), team, &query).await?;
    shown.open_add = query.open == "add" && shown.can_manage;
    Ok(shown.into_response())
}

/// How many members the dialog offers to choose from; more are named by their addresses.
const CANDIDATES: i64 = 200;

async fn team_page(page: &Page, conn: &mut Conn, org: &Key<OrganizationId>, team: TeamId, query: &ListQuery) -> PageResult<TeamPage> {
    let after: Option<UserId> = query.after()?;
    let (seat, listed, mut found) = teams::list_members(conn, &page.caller, org, team, after, SHOWN + 1).await?;
    let shared = teams::shared_with(conn, &page.caller, &seat, team).await?;
    let mut org = page.org_head(conn, &seat, "teams").await?;
    org.crumbs = vec![Link::new("Teams", format!("{}/teams", org.url())), Link::new(&listed.team.name, "")];
    let url = format!("{}/teams/{team}", org.url());
    let total = u64::try_from(listed.members).ok();
    let pager = lists::pager(&mut found, &url, "members", total, after.is_none(), |one: &Member| one.user);
    let can_manage = may(&seat, Permission::ManageResources);
    let mut candidates = Vec::new();
    let mut more_candidates = false;
    let mut opens = String::new();
    if can_manage {
        opens = opening(&teams::opening(conn, &seat, team, &shared).await?, &org.name);
        let (_, mut people) = members::list(conn, &page.caller, &Key::Id(seat.organization.id), None, None, CANDIDATES + 1).await?;
        more_candidates = people.len() > usize::try_from(CANDIDATES).unwrap_or(usize::MAX);
        people.truncate(usize::try_from(CANDIDATES).unwrap_or(usize::MAX));
        let ids: Vec<UserId> = people.iter().map(|one| one.user).collect();
        let present = teams::present(conn, &seat, team, &ids).await?;
        people.retain(|one| !present.contains(&one.user));
        candidates = people
            .into_iter()
            .map(|one| Choice { value: one.user.to_string(), label: one.name, hint: one.email, checked: false })
            .collect();
    }
    let me = page.me().id;
    let applications =
        shared.into_iter().map(|(id, name, at)| (Link::new(name, format!("{}/applications/{id}", org.url())), times::short_day(at.day())));
    Ok(TeamPage {
        applications: applications.collect(),
        members: found.iter().map(|one| member_row(one, me, can_manage, &url)).collect(),
        shell: page.shell(conn, "organizations").await?,
        hue: hue(&team.to_string()),
        created: times::long_day(listed.team.created_at.day()),
        edit_name: Field::new(&listed.team.name),
        edit_description: Field::new(&listed.team.description),
        name: listed.team.name,
        description: listed.team.description,
        pager,
        can_manage,
        candidates,
        more_candidates,
        opening: opens,
        url,
        org,
        ..TeamPage::default()
    })
}

/// “Forecast engine and 2 more applications belong to Aurelia Energy and are shared with no other team: …”
fn opening(of: &teams::Opening, organization: &str) -> String {
    let mut what = of.names.clone();
    match (what.is_empty(), of.more) {
        (_, 0) => {}
        (true, 1) => what.push("1 application".to_owned()),
        (true, more) => what.push(format!("{more} applications")),
        (false, 1) => what.push("1 more application".to_owned()),
        (false, more) => what.push(format!("{more} more applications")),
    }
    let one = of.names.len() + of.more == 1;
    let (belong, are, them) = if one { ("belongs", "is", "it") } else { ("belong", "are", "them") };
    let what = match what.as_slice() {
        [] => return String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    };
    format!("{what} {belong} to {organization} and {are} shared with no other team: all members of {organization} see {them} then.")
}

fn member_row(member: &Member, me: UserId, can_manage: bool, url: &str) -> TeamMemberRow {
    let is_me = member.user == me;
    TeamMemberRow {
        person: Person::new(&member.name, &member.email),
        role: member.role.title().to_owned(),
        since: times::short_day(member.since.day()),
        remove: if can_manage || is_me { format!("{url}/members/{}/remove", member.user) } else { String::new() },
        is_me,
    }
}

/// `POST /organizations/{org}/teams/{team}/edit`.
pub async fn edit(page: Page, ApiPath((org, team)): ApiPath<(String, TeamId)>, PageForm(form): PageForm<TeamForm>) -> PageResult {
    let org = Key::read(&org);
    let mut act = page.begin().await?;
    let change = TeamChange { name: Some(form.name.clone()), description: Some(form.description.clone()) };
    match teams::update(&mut act, &org, team, change).await {
        Ok((seat, _)) => {
            let to = format!("/organizations/{}/teams/{team}", seat.organization.handle);
            page.done(act, to, Flash::ok("The details are saved.")).await
        }
        Err(error) => {
            drop(act);
            let mut errors = FormErrors::of(error)?.code_at("name_taken", "/name");
            let status = errors.status;
            let mut conn = page.read().await?;
            let mut shown = team_page(&page, &mut conn, &org, team, &ListQuery::default()).await?;
            shown.edit_name = errors.field("/name", form.name);
            shown.edit_description = errors.field("/description", form.description);
            errors.tell(&mut shown.shell);
            Ok(FormErrors::again(status, shown))
        }
    }
}

/// The confirmation of a deletion.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ConfirmForm {
    confirm: String,
}

/// `POST /organizations/{org}/teams/{team}/delete`.
pub async fn delete(page: Page, ApiPath((org, team)): ApiPath<(String, TeamId)>, PageForm(form): PageForm<ConfirmForm>) -> PageResult {
    let org = Key::read(&org);
    let mut act = page.begin().await?;
    // The action says first whether it may happen at all; without the confirmation it is not committed.
    let (seat, deleted) = teams::delete(&mut act, &org, team).await?;
    if form.confirm.trim() == deleted.name {
        let to = format!("/organizations/{}/teams", seat.organization.handle);
        return page.done(act, to, Flash::ok(format!("{} is deleted. Its members stay in the organization.", deleted.name))).await;
    }
    drop(act);
    let mut conn = page.read().await?;
    let mut shown = team_page(&page, &mut conn, &org, team, &ListQuery::default()).await?;
    shown.delete_error = Some("Type the exact name of the team.".to_owned());
    Ok(FormErrors::again(StatusCode::UNPROCESSABLE_ENTITY, shown))
}

/// Who to put into a team: those chosen, and those named by address.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct AddForm {
    member: Vec<UserId>,
    emails: String,
}

/// `POST /organizations/{org}/teams/{team}/members`.
pub async fn add_members(page: Page, ApiPath((org, team)): ApiPath<(String, TeamId)>, PageForm(form): PageForm<AddForm>) -> PageResult {
    let org = Key::read(&org);
    let mut act = page.begin().await?;
    let mut users = form.member;
    let refused = match add_named(&mut act, &org, &form.emails, &mut users).await {
        Ok(()) => match teams::add_members(&mut act, &org, team, &users).await {
            Ok((seat, added)) => {
                let to = format!("/organizations/{}/teams/{team}", seat.organization.handle);
                return page.done(act, to, told(&added)).await;
            }
            Err(error) => FormErrors::of(error)?,
        },
        Err(error) => FormErrors::of(error)?,
    };
    drop(act);
    let status = refused.status;
    let mut conn = page.read().await?;
    let mut shown = team_page(&page, &mut conn, &org, team, &ListQuery::default()).await?;
    shown.open_add = true;
    shown.candidates.iter_mut().for_each(|one| one.checked = users.iter().any(|user| user.to_string() == one.value));
    shown.emails = Field { value: form.emails, error: Some(refused.rest().join(" ")) };
    Ok(FormErrors::again(status, shown))
}

async fn add_named(
    act: &mut stoa_actions::Act,
    org: &Key<OrganizationId>,
    emails: &str,
    users: &mut Vec<UserId>,
) -> stoa_actions::Result<()> {
    let emails: Vec<&str> = emails.split([',', ';', '\n', ' ']).map(str::trim).filter(|text| !text.is_empty()).collect();
    if emails.is_empty() {
        return Ok(());
    }
    let (conn, caller) = act.reading();
    users.extend(members::by_emails(conn, caller, org, &emails).await?.into_iter().map(|member| member.user));
    users.sort_unstable();
    users.dedup();
    Ok(())
}

fn told(added: &[Member]) -> Flash {
    match added {
        [] => Flash { tone: "brand", text: "They were in the team already; nothing changed.".to_owned() },
        [one] => Flash::ok(format!("{} is in the team now.", one.name)),
        more => Flash::ok(format!("{} people are in the team now.", more.len())),
    }
}

/// `POST /organizations/{org}/teams/{team}/members/{user}/remove`.
pub async fn remove_member(page: Page, ApiPath((org, team, user)): ApiPath<(String, TeamId, UserId)>) -> PageResult {
    let mut act = page.begin().await?;
    let seat = teams::remove_member(&mut act, &Key::read(&org), team, user).await?;
    let text = if user == page.me().id { "You left the team." } else { "The member was taken out of the team." };
    page.done(act, format!("/organizations/{}/teams/{team}", seat.organization.handle), Flash::ok(text)).await
}

#[cfg(test)]
mod tests {
    use super::{TeamMemberRow, TeamPage, TeamRow, TeamsPage, opening, teams};
    use crate::pages::{Choice, Field, Link, Person, sample};

    #[test]
    fn the_list_and_its_empty_state() {
        let mut page =
            TeamsPage { shell: sample::shell("organizations"), org: sample::org("teams"), can_manage: true, ..TeamsPage::default() };
        assert!(sample::render("teams-empty", &page).contains("No teams yet"));
        page.teams.push(TeamRow {
            name: "Meters".into(),
            href: "/organizations/aurelia/teams/tea_1".into(),
            members: 3,
            ..TeamRow::default()
        });
        assert!(sample::render("teams", &page).contains("Meters"));
        page.can_manage = false;
        assert!(!sample::render("teams-viewer", &page).contains("New team"));
    }

    #[test]
    fn a_team_shows_its_members_and_what_is_shared_with_it() {
        let mut org = sample::org("teams");
        org.crumbs = vec![Link::new("Teams", "/organizations/aurelia/teams"), Link::new("Meters", "")];
        let mut page = TeamPage {
            shell: sample::shell("organizations"),
            org,
            url: "/organizations/aurelia/teams/tea_1".into(),
            name: "Meters".into(),
            created: "12 March 2026".into(),
            members: vec![TeamMemberRow {
                person: Person::new("Mira Sand", "mira@aurelia.example"),
                role: "Maintainer".into(),
                since: "9 Nov 2026".into(),
                remove: "/organizations/aurelia/teams/tea_1/members/usr_1/remove".into(),
                is_me: true,
            }],
            applications: vec![(Link::new("Forecast engine", "/organizations/aurelia/applications/app_1"), "9 Nov 2026".into())],
            can_manage: true,
            candidates: vec![Choice::new("usr_2", "Ola Birke", false)],
            edit_name: Field::new("Meters"),
            opening: opening(&teams::Opening { names: vec!["Forecast engine".into()], more: 0 }, "Aurelia Energy"),
            ..TeamPage::default()
        };
        let html = sample::render("team", &page);
        assert!(html.contains("Forecast engine") && html.contains("Ola Birke"));
        assert!(html.contains("all members of Aurelia Energy see it then"), "{html}");
        let two = opening(&teams::Opening { names: vec!["Engine".into(), "Reader".into()], more: 3 }, "Grid");
        assert_eq!(
            two,
            "Engine, Reader and 3 more applications belong to Grid and are shared with no other team: all members of Grid see them then."
        );
        page.can_manage = false;
        page.members.clear();
        page.applications.clear();
        let html = sample::render("team-viewer", &page);
        assert!(html.contains("Nobody is in this team yet") && !html.contains("Delete team"));
    }
}
