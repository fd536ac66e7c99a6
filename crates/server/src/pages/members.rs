//! The members of an organization.

use axum::response::IntoResponse;
use serde::Deserialize;
use stoa_actions::members::{self, Added, Ending, Leaving, MOST_ADDED, NewMember};
use stoa_domain::{
    ids::{OrganizationId, UserId},
    members::Member,
    organizations::Key,
    permissions::{Permission, Role},
};
use stoa_store::Conn;

use super::{
    Choice, Field, Flash, OrgHead, Pager, Person, Shell, filters,
    form::{FormErrors, PageForm, sentence},
    invitations::{self, InvitationRow},
    lists::{self, ListQuery, SHOWN},
    member_lists,
    page::{Page, PageResult, may},
    role_choices, times,
};
use crate::extract::{ApiPath, ApiQuery};

/// `GET /organizations/{org}/members`; `?open=add` opens the dialog, a refused `POST` shows it again.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "members.html")]
pub struct MembersPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization.
    pub org: OrgHead,
    /// The members.
    pub members: Vec<MemberRow>,
    /// Leads through a long list.
    pub pager: Pager,
    /// Whether I may add members, change roles and remove members.
    pub can_manage: bool,
    /// Names of the maintainers, for those who may not.
    pub maintainers: String,
    /// Whether the dialog is open.
    pub open_add: bool,
    /// Errors of the dialog as a whole.
    pub errors: Vec<String>,
    /// What was looked for.
    pub query: String,
    /// Invitations that wait for an answer.
    pub invitations: Vec<InvitationRow>,
    /// Whose removal is to be confirmed.
    pub leaving: Option<LeavingView>,
    /// The dialog's rows; [`MemberDraft::blank`] three times at first. Sent as repeated `email` and `role`.
    pub drafts: Vec<MemberDraft>,
}

/// One member.
#[derive(Debug, Clone, Default)]
pub struct MemberRow {
    /// The user's id.
    pub id: String,
    /// The person.
    pub person: Person,
    /// The role's title.
    pub role: String,
    /// The roles to choose from.
    pub roles: Vec<Choice>,
    /// The day they became a member.
    pub since: String,
    /// Whether it is me.
    pub is_me: bool,
    /// Whether I may change the role.
    pub can_change_role: bool,
    /// Whether I may remove them (or leave).
    pub can_remove: bool,
    /// Why the role is fixed, such as “Last maintainer”; may be empty.
    pub locked: String,
}

/// Somebody whose removal, or leaving, is to be confirmed.
#[derive(Debug, Clone, Default)]
pub struct LeavingView {
    /// The name.
    pub name: String,
    /// Where the confirmation is sent.
    pub action: String,
    /// Whether it is me.
    pub is_me: bool,
    /// What they lose, a line each.
    pub lines: Vec<String>,
}

/// One row of the dialog.
#[derive(Debug, Clone, Default)]
pub struct MemberDraft {
    /// The address.
    pub email: Field,
    /// The roles to choose from.
    pub roles: Vec<Choice>,
    /// What was done with this row, such as “Added”; may be empty.
    pub done: String,
}

impl MemberDraft {
    /// An empty row with the role viewer.
    #[must_use]
    pub fn blank() -> Self {
        Self { roles: super::role_choices("viewer"), ..Self::default() }
    }
}

/// Which members, and which dialog is open.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Query {
    cursor: Option<String>,
    q: String,
    open: String,
    remove: Option<UserId>,
}

/// `GET /organizations/{org}/members`; `?open=add` and `?remove=usr_…` open the dialogs.
pub async fn list(page: Page, ApiPath(org): ApiPath<String>, ApiQuery(query): ApiQuery<Query>) -> PageResult {
    let key = Key::read(&org);
    let list = ListQuery { open: query.open, cursor: query.cursor, q: query.q };
    let mut conn = page.read().await?;
    let mut shown = page_of(&page, &mut conn, &key, &list).await?;
    shown.open_add = shown.can_manage && list.open == "add";
    if let Some(user) = query.remove {
        let leaving = members::leaving(&mut conn, &page.caller, &key, user).await?;
        shown.leaving = Some(leaving_view(&leaving, &shown.org, page.me().id));
    }
    Ok(shown.into_response())
}

fn leaving_view(leaving: &Leaving, org: &OrgHead, me: UserId) -> LeavingView {
    let names = |names: Vec<&str>| names.join(", ");
    let mut lines = vec![format!("The role {} in {}: every project, application and subscription of it", leaving.member.role, org.name)];
    let Ending { teams, applications, delegations } = &leaving.ending;
    if !teams.is_empty() {
        lines.push(format!("The teams {}", names(teams.iter().map(|team| team.name.as_str()).collect())));
    }
    if !applications.is_empty() {
        let applications = names(applications.iter().map(|(_, name)| name.as_str()).collect());
        lines.push(format!(
            "The applications {applications}, which stay here and become the organization’s. Their secrets are known: make new ones"
        ));
    }
    for one in delegations {
        let until = times::short_day(one.delegation.ends_at.day());
        lines.push(format!("That {} decides for {} until {until}", one.delegate, one.absent));
    }
    match leaving.requests {
        0 => {}
        1 => lines.push("1 open request to decide, which others decide then".to_owned()),
        many => lines.push(format!("{many} open requests to decide, which others decide then")),
    }
    match leaving.own_requests {
        0 => {}
        1 => lines.push("1 open request made for this organization, which nobody can approve any more".to_owned()),
        many => lines.push(format!("{many} open requests made for this organization, which nobody can approve any more")),
    }
    match leaving.tokens {
        0 => {}
        1 => lines.push("This organization with 1 personal token, from its next request on".to_owned()),
        many => lines.push(format!("This organization with {many} personal tokens, from their next request on")),
    }
    LeavingView {
        name: leaving.member.name.clone(),
        action: format!("{}/members/{}/remove", org.url(), leaving.member.user),
        is_me: leaving.member.user == me,
        lines,
    }
}

async fn page_of(page: &Page, conn: &mut Conn, key: &Key<OrganizationId>, query: &ListQuery) -> PageResult<MembersPage> {
    let after: Option<UserId> = query.after()?;
    let (seat, mut found) = members::list(conn, &page.caller, key, query.search(), after, SHOWN + 1).await?;
    let maintainers = members::who_may(conn, seat.organization.id, Permission::ManageMembers).await?;
    let can_manage = may(&seat, Permission::ManageMembers);
    let me = page.me().id;
    let org = page.org_head(conn, &seat, "members").await?;
    let address = query.address(&format!("{}/members", org.url()));
    let all = query.search().is_none().then_some(org.counts.members);
    let pager = lists::pager(&mut found, &address, "members", all, after.is_none(), |member: &Member| member.user);
    let pending = if can_manage { invitations::pending(page, conn, key).await? } else { Vec::new() };
    Ok(MembersPage {
        shell: page.shell(conn, "organizations").await?,
        members: found.iter().map(|member| row(member, me, can_manage, maintainers.len() == 1)).collect(),
        query: query.q.trim().to_owned(),
        invitations: pending,
        leaving: None,
        pager,
        can_manage,
        maintainers: maintainers.join(", "),
        open_add: false,
        errors: Vec::new(),
        drafts: vec![MemberDraft::blank(); 3],
        org,
    })
}

fn row(member: &Member, me: UserId, can_manage: bool, one_maintainer: bool) -> MemberRow {
    let is_me = member.user == me;
    let is_last = one_maintainer && member.role == Role::Maintainer;
    MemberRow {
        id: member.user.to_string(),
        person: Person::new(&member.name, &member.email),
        role: member.role.title().to_owned(),
        roles: role_choices(member.role.word()),
        since: times::short_day(member.since.day()),
        is_me,
        can_change_role: can_manage && !is_last,
        can_remove: (can_manage || is_me) && !is_last,
        locked: if is_last { "Last maintainer".to_owned() } else { String::new() },
    }
}

/// The rows of the dialog.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct AddForm {
    email: Vec<String>,
    role: Vec<String>,
}

/// `POST /organizations/{org}/members`. Whoever can be added is added; if some can't, the dialog comes again with the
/// result of each row.
pub async fn add(page: Page, ApiPath(org): ApiPath<String>, PageForm(form): PageForm<AddForm>) -> PageResult {
    let key = Key::read(&org);
    let roles = form.role.into_iter().chain(std::iter::repeat("viewer".to_owned()));
    let new: Vec<NewMember> = form
        .email
        .into_iter()
        .zip(roles)
        .filter(|(email, _)| !email.trim().is_empty())
        .map(|(email, role)| NewMember { email, name: String::new(), role })
        .collect();
    let mut act = page.begin().await?;
    let results = match members::add(&mut act, &key, &new, MOST_ADDED).await {
        Ok(results) => results,
        Err(error) => {
            drop(act);
            let errors = FormErrors::of(error)?;
            let status = errors.status;
            let mut conn = page.read().await?;
            let mut shown = page_of(&page, &mut conn, &key, &ListQuery::default()).await?;
            shown.open_add = true;
            if !new.is_empty() {
                shown.drafts = new.iter().map(|new| draft(new, None)).collect();
            }
            shown.errors = errors.rest();
            return Ok(FormErrors::again(status, shown));
        }
    };
    if results.iter().any(|result| matches!(result, Added::Invalid { .. })) {
        act.commit().await?;
        let mut conn = page.read().await?;
        let mut shown = page_of(&page, &mut conn, &key, &ListQuery::default()).await?;
        shown.open_add = true;
        shown.drafts = new.iter().zip(&results).map(|(new, result)| draft(new, Some(result))).collect();
        return Ok(FormErrors::again(axum::http::StatusCode::UNPROCESSABLE_ENTITY, shown));
    }
    page.done(act, format!("/organizations/{org}/members"), told(&results)).await
}

/// A row as it was sent, with what was done with it.
fn draft(new: &NewMember, result: Option<&Added>) -> MemberDraft {
    let mut draft = MemberDraft { email: Field::new(&new.email), roles: role_choices(&new.role), done: String::new() };
    match result {
        None => {}
        Some(Added::Added(member)) => draft.done = format!("Added as {}", member.role),
        Some(Added::Invited { invitation, obstacle }) => {
            draft.done = format!("Invited as {}", invitation.role);
            if let Some(obstacle) = obstacle {
                draft.done.push_str(&format!("; {obstacle}"));
            }
        }
        Some(Added::AlreadyMember(member)) => draft.done = format!("Was a member already, as {}", member.role),
        Some(Added::Invalid { reason }) => draft.email.error = Some(sentence(reason)),
    }
    draft
}

/// Names those who were added, where nothing else is to be told.
fn told(results: &[Added]) -> Flash {
    let names: Vec<&str> =
        results.iter().filter_map(|result| if let Added::Added(member) = result { Some(member.name.as_str()) } else { None }).collect();
    match names.as_slice() {
        [one] if results.len() == 1 => Flash::ok(format!("{one} was added.")),
        [most @ .., last] if names.len() == results.len() && (2..=5).contains(&names.len()) => {
            Flash::ok(format!("{} and {last} were added.", most.join(", ")))
        }
        _ => member_lists::told(results),
    }
}

/// The role to give.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct RoleForm {
    role: String,
}

/// `POST /organizations/{org}/members/{user}/role`.
pub async fn change_role(page: Page, ApiPath((org, user)): ApiPath<(String, UserId)>, PageForm(form): PageForm<RoleForm>) -> PageResult {
    let to = format!("/organizations/{org}/members");
    let mut act = page.begin().await?;
    match members::change_role(&mut act, &Key::read(&org), user, &form.role).await {
        Ok(member) => {
            let article = if member.role == Role::Editor { "an" } else { "a" };
            page.done(act, to, Flash::ok(format!("{} is {article} {} now.", member.name, member.role))).await
        }
        Err(error) => {
            drop(act);
            page.say(to, Flash::danger(FormErrors::of(error)?.rest().join(" "))).await
        }
    }
}

/// `POST /organizations/{org}/members/{user}/remove`: removes somebody else, or leaves.
pub async fn remove(page: Page, ApiPath((org, user)): ApiPath<(String, UserId)>) -> PageResult {
    let to = format!("/organizations/{org}/members");
    let mut act = page.begin().await?;
    match members::remove(&mut act, &Key::read(&org), user).await {
        Ok(_) if user == page.me().id => page.done(act, "/organizations", Flash::ok("You left the organization.")).await,
        Ok(member) => page.done(act, to, Flash::ok(format!("{} was removed.", member.name))).await,
        Err(error) => {
            drop(act);
            page.say(to, Flash::danger(FormErrors::of(error)?.rest().join(" "))).await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LeavingView, MemberDraft, MemberRow, MembersPage};
    use crate::pages::{Field, Pager, Person, invitations::InvitationRow, role_choices, sample};

    fn member(name: &str, role: &str) -> MemberRow {
        let me = name == "Mira Sand";
        MemberRow {
            id: format!("usr_{}", name.len()),
            person: Person::new(name, &format!("{}@aurelia.example", name.to_lowercase().replace(' ', "."))),
            role: role.into(),
            roles: role_choices(&role.to_lowercase()),
            since: "9 Nov 2026".into(),
            is_me: me,
            can_change_role: !me,
            can_remove: !me,
            locked: if me { "Last maintainer".into() } else { String::new() },
        }
    }

    fn page() -> MembersPage {
        MembersPage {
            shell: sample::shell("organizations"),
            org: sample::org("members"),
            members: vec![member("Mira Sand", "Maintainer"), member("Tomas Reed", "Editor"), member("Ola Birke", "Reviewer")],
            pager: Pager { summary: "50 of 10,000".into(), first: String::new(), next: "?cursor=abc".into() },
            can_manage: true,
            drafts: vec![MemberDraft::blank(), MemberDraft::blank(), MemberDraft::blank()],
            ..MembersPage::default()
        }
    }

    #[test]
    fn a_maintainer_is_offered_changes() {
        let html = sample::render("members", &page());
        assert!(html.contains("Add members") && html.contains("Role of Tomas Reed"));
        assert!(!html.contains("Role of Mira Sand"));
    }

    #[test]
    fn a_row_with_an_error_opens_the_dialog_again() {
        let mut page = page();
        page.open_add = true;
        page.drafts[0].email = Field::new("lena@aurelia.example");
        page.drafts[0].done = "Added as viewer".into();
        page.drafts[1].email = Field::wrong("t.reed@aurelia", "This does not look like an e-mail address.");
        let html = sample::render("members-add", &page);
        assert!(html.contains("does not look like") && html.contains(" open><form"));
    }

    #[test]
    fn a_removal_names_the_person_and_what_they_lose_and_invitations_wait_below() {
        let mut page = page();
        page.leaving = Some(LeavingView {
            name: "Tomas Reed".into(),
            action: "/organizations/aurelia/members/usr_1/remove".into(),
            is_me: false,
            lines: vec!["The teams Meters".into()],
        });
        page.invitations = vec![InvitationRow {
            id: "inv_1".into(),
            email: "ben@aurelia.example".into(),
            role: "Editor".into(),
            sent: "9 Nov 2026".into(),
            until: "23 Nov 2026".into(),
        }];
        let html = sample::render("members-remove", &page);
        assert!(html.contains("Remove Tomas Reed") && html.contains("The teams Meters"));
        assert!(html.contains("/invitations/inv_1/revoke") && html.contains("/invitations/inv_1/resend"));
    }

    #[test]
    fn others_are_told_who_may() {
        let mut page = page();
        page.can_manage = false;
        page.maintainers = "Mira Sand".into();
        page.org.can_delete = false;
        page.members.iter_mut().for_each(|member| {
            member.can_change_role = false;
            member.can_remove = false;
        });
        let html = sample::render("members-viewer", &page);
        assert!(html.contains("Only maintainers add members") && !html.contains("dlg-add"));
    }
}
