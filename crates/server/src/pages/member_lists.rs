//! Adding many people at once: a pasted list or a file, a look at what each line will do, and only then the doing.

use axum::{extract::Multipart, http::StatusCode, response::IntoResponse};
use serde::Deserialize;
use stoa_actions::{
    members::{self, Added, NewMember, Planned},
    organizations, seats,
};
use stoa_domain::{
    ids::OrganizationId,
    member_lists::{self, MOST_LINES},
    organizations::Key,
    permissions::{Permission, Role},
};
use stoa_store::Conn;

use super::{
    Badge, Choice, Field, Flash, Link, OrgHead, Shell, filters,
    form::{FormErrors, PageForm, sentence},
    page::{Page, PageResult, may},
    role_choices,
};
use crate::{extract::ApiPath, problem::ApiError};

/// `GET /organizations/{org}/members/import`, and the preview of what was sent there.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "members_import.html")]
pub struct ImportPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization; its crumbs are “Members” and “Import”.
    pub org: OrgHead,
    /// The list as it was pasted.
    pub text: Field,
    /// The roles for lines that name none.
    pub roles: Vec<Choice>,
    /// What is wrong as a whole.
    pub errors: Vec<String>,
    /// What each line will do; empty before a list was sent.
    pub lines: Vec<LineRow>,
    /// “3 will be added, 2 invited, 1 is left out”.
    pub summary: String,
    /// How many lines will do something.
    pub effective: usize,
}

/// One line of the list.
#[derive(Debug, Clone, Default)]
pub struct LineRow {
    /// Its number in the list.
    pub line: u64,
    /// The address.
    pub email: String,
    /// The name.
    pub name: String,
    /// The roles to choose from; empty where nothing will be done.
    pub roles: Vec<Choice>,
    /// What will be done.
    pub effect: Badge,
    /// Why not, or more about it; may be empty.
    pub detail: String,
}

/// `GET /organizations/{org}/members/import`.
pub async fn show(page: Page, ApiPath(org): ApiPath<String>) -> PageResult {
    let mut conn = page.read().await?;
    Ok(page_of(&page, &mut conn, &Key::read(&org), "viewer").await?.into_response())
}

async fn page_of(page: &Page, conn: &mut Conn, key: &Key<OrganizationId>, role: &str) -> PageResult<ImportPage> {
    let seat = organizations::get(conn, &page.caller, key).await?;
    if !may(&seat, Permission::ManageMembers) {
        return Err(seats::refusal(&seat, Permission::ManageMembers).into());
    }
    let mut org = page.org_head(conn, &seat, "members").await?;
    org.crumbs = vec![Link::new("Members", format!("{}/members", org.url())), Link::new("Paste or import", "")];
    Ok(ImportPage { shell: page.shell(conn, "organizations").await?, org, roles: role_choices(role), ..ImportPage::default() })
}

/// The list as it was sent.
#[derive(Debug, Default)]
struct Sent {
    text: String,
    file: String,
    role: String,
    /// The file is no UTF-8.
    unread: bool,
}

async fn read(mut form: Multipart) -> PageResult<Sent> {
    let broken = |bad: axum::extract::multipart::MultipartError| ApiError::request(bad.status(), "bad_form", bad.body_text());
    let mut sent = Sent { role: "viewer".to_owned(), ..Sent::default() };
    while let Some(field) = form.next_field().await.map_err(broken)? {
        let name = field.name().unwrap_or_default().to_owned();
        let bytes = field.bytes().await.map_err(broken)?;
        // What is no UTF-8 is told with the page, which keeps what was typed.
        match (name.as_str(), String::from_utf8(bytes.to_vec())) {
            ("text", Ok(text)) => sent.text = text,
            ("file", Ok(text)) => sent.file = text,
            ("role", Ok(text)) => sent.role = text,
            ("file", Err(_)) => sent.unread = true,
            _ => {}
        }
    }
    Ok(sent)
}

/// `POST /organizations/{org}/members/import`: says what each line will do; changes nothing.
pub async fn preview(page: Page, ApiPath(org): ApiPath<String>, form: Multipart) -> PageResult {
    let key = Key::read(&org);
    let sent = read(form).await?;
    let list = if sent.file.trim().is_empty() { &sent.text } else { &sent.file };
    let mut conn = page.read().await?;
    let mut shown = page_of(&page, &mut conn, &key, &sent.role).await?;
    shown.text = Field::new(&sent.text);
    if sent.unread {
        shown.errors = vec!["The file is not UTF-8 text; save it as CSV in UTF-8.".to_owned()];
        return Ok(FormErrors::again(StatusCode::UNPROCESSABLE_ENTITY, shown));
    }
    let listed = match member_lists::read(list) {
        Ok(listed) => listed,
        Err(bad) => {
            shown.text.error = Some(sentence(&bad.to_string()));
            return Ok(FormErrors::again(StatusCode::UNPROCESSABLE_ENTITY, shown));
        }
    };
    let role = |given: &str| if given.is_empty() { sent.role.clone() } else { given.to_owned() };
    let new: Vec<NewMember> =
        listed.iter().map(|one| NewMember { email: one.email.clone(), name: one.name.clone(), role: role(&one.role) }).collect();
    let planned = members::preview(&page.app.stoa, &mut conn, &page.caller, &key, &new, MOST_LINES).await?;
    shown.tell(listed.iter().map(|one| one.line), &new, &planned);
    Ok(shown.into_response())
}

impl ImportPage {
    /// Says what each line will do.
    fn tell(&mut self, numbers: impl Iterator<Item = u64>, new: &[NewMember], planned: &[Planned]) {
        self.lines = numbers.zip(new).zip(planned).map(|((line, new), planned)| row(line, new, planned)).collect();
        (self.summary, self.effective) = summary(planned);
    }
}

fn row(line: u64, new: &NewMember, planned: &Planned) -> LineRow {
    let badge = |text: &str, tone, icon| Badge { text: text.to_owned(), tone, icon };
    let (effect, detail) = match planned {
        Planned::Add(member) => (badge("Becomes a member", "ok", "user-plus"), format!("has an account, as {}", member.name)),
        Planned::Invite { again, obstacle, .. } => {
            let (effect, detail) = match again {
                true => ("Is invited again", "takes the place of the invitation that waits"),
                false => ("Is invited", "has no account yet"),
            };
            let more = obstacle.as_ref().map(|obstacle| format!(": {obstacle}")).unwrap_or_default();
            (badge(effect, "brand", "send"), format!("{detail}{more}"))
        }
        Planned::AlreadyMember(member) => (badge("Nothing", "", "circle-dot"), format!("is a member already, as {}", member.role)),
        Planned::Invalid { reason } => (badge("Left out", "danger", "ban"), reason.clone()),
    };
    let acts = matches!(planned, Planned::Add(_) | Planned::Invite { .. });
    LineRow {
        line,
        email: new.email.clone(),
        name: new.name.clone(),
        roles: if acts { role_choices(&new.role) } else { Vec::new() },
        effect,
        detail: sentence(&detail),
    }
}

fn summary(planned: &[Planned]) -> (String, usize) {
    let count = |which: fn(&Planned) -> bool| planned.iter().filter(|one| which(one)).count();
    let added = count(|one| matches!(one, Planned::Add(_)));
    let invited = count(|one| matches!(one, Planned::Invite { .. }));
    let nothing = count(|one| matches!(one, Planned::AlreadyMember(_)));
    let invalid = count(|one| matches!(one, Planned::Invalid { .. }));
    let parts = [(added, "will be added"), (invited, "will be invited"), (nothing, "already in"), (invalid, "left out")];
    let said: Vec<String> = parts.iter().filter(|(number, _)| *number > 0).map(|(number, words)| format!("{number} {words}")).collect();
    (said.join(", "), added + invited)
}

/// The lines to carry out.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ImportForm {
    email: Vec<String>,
    name: Vec<String>,
    role: Vec<String>,
}

/// `POST /organizations/{org}/members/import/done`.
pub async fn import(page: Page, ApiPath(org): ApiPath<String>, PageForm(form): PageForm<ImportForm>) -> PageResult {
    let key = Key::read(&org);
    let names = form.name.into_iter().chain(std::iter::repeat(String::new()));
    let roles = form.role.into_iter().chain(std::iter::repeat(Role::Viewer.word().to_owned()));
    let new: Vec<NewMember> =
        form.email.into_iter().zip(names).zip(roles).map(|((email, name), role)| NewMember { email, name, role }).collect();
    let mut act = page.begin().await?;
    match members::add(&mut act, &key, &new, MOST_LINES).await {
        Ok(results) => page.done(act, format!("/organizations/{org}/members"), told(&results)).await,
        Err(error) => {
            drop(act);
            let errors = FormErrors::of(error)?;
            let status = errors.status;
            let mut conn = page.read().await?;
            let mut shown = page_of(&page, &mut conn, &key, "viewer").await?;
            let planned = members::preview(&page.app.stoa, &mut conn, &page.caller, &key, &new, MOST_LINES).await?;
            shown.tell(1.., &new, &planned);
            shown.errors = errors.rest();
            Ok(FormErrors::again(status, shown))
        }
    }
}

/// What was done with a list, in a sentence.
pub(super) fn told(results: &[Added]) -> Flash {
    let count = |which: fn(&Added) -> bool| results.iter().filter(|one| which(one)).count();
    let people = |number: usize| if number == 1 { "1 person was".to_owned() } else { format!("{number} people were") };
    let added = count(|one| matches!(one, Added::Added(_)));
    let invited = count(|one| matches!(one, Added::Invited { .. }));
    let obstacles = results.iter().filter_map(|one| if let Added::Invited { obstacle, .. } = one { obstacle.as_ref() } else { None });
    let obstacles: Vec<_> = obstacles.collect();
    let left = count(|one| matches!(one, Added::Invalid { .. }));
    let mut said = Vec::new();
    if added > 0 {
        said.push(format!("{} added.", people(added)));
    }
    if invited > 0 {
        said.push(format!("{} invited by mail.", people(invited)));
    }
    if let Some(obstacle) = obstacles.first() {
        said.push(format!("{} of them can’t sign up: {obstacle}.", obstacles.len()));
    }
    if left > 0 {
        said.push(format!("{} left out.", people(left)));
    }
    match said.is_empty() {
        true => Flash { tone: "brand", text: "They were members already; nothing changed.".to_owned() },
        false => Flash { tone: if left > 0 || !obstacles.is_empty() { "warn" } else { "ok" }, text: said.join(" ") },
    }
}

#[cfg(test)]
mod tests {
    use super::{ImportPage, LineRow};
    use crate::pages::{Badge, Link, role_choices, sample};

    #[test]
    fn a_list_is_looked_over_before_anything_is_done() {
        let mut page = ImportPage {
            shell: sample::shell("organizations"),
            org: sample::org("members"),
            roles: role_choices("viewer"),
            ..ImportPage::default()
        };
        page.org.crumbs = vec![Link::new("Members", "/organizations/aurelia/members"), Link::new("Paste or import", "")];
        assert!(sample::render("members-import", &page).contains("Look at what will happen"));
        let line = |line, email: &str, effect: &str| LineRow {
            line,
            email: email.into(),
            effect: Badge { text: effect.into(), tone: "ok", icon: "user-plus" },
            roles: role_choices("editor"),
            ..LineRow::default()
        };
        page.lines = vec![line(1, "ola@aurelia.example", "Becomes a member"), line(2, "ben@aurelia.example", "Is invited")];
        page.effective = 2;
        page.summary = "1 will be added, 1 will be invited".into();
        assert!(sample::render("members-import-preview", &page).contains("1 will be invited"));
    }
}
