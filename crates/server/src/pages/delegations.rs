//! Who decides requests in whose stead while somebody is away.

use axum::response::IntoResponse;
use serde::Deserialize;
use stoa_actions::{
    delegations::{self, Details, NewDelegation},
    members,
};
use stoa_domain::{
    delegations::Span,
    ids::{DelegationId, OrganizationId},
    organizations::Key,
    permissions::Permission,
};
use stoa_store::Conn;

use super::{
    Badge, Choice, Field, Flash, OrgHead, Shell, filters,
    form::{FormErrors, PageForm},
    page::{self, Page, PageResult},
    times,
};
use crate::extract::ApiPath;

/// `GET /organizations/{org}/delegations`, and again with errors.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "delegations.html")]
pub struct DelegationsPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization.
    pub org: OrgHead,
    /// Those that hold now or will.
    pub delegations: Vec<DelegationRow>,
    /// Whether I decide requests, so that I can name somebody.
    pub can_delegate: bool,
    /// Errors of the form as a whole.
    pub errors: Vec<String>,
    /// The members to choose from, by address.
    pub members: Vec<Choice>,
    /// What is wrong with the member.
    pub to_error: Option<String>,
    /// The first day.
    pub from: Field,
    /// The last day.
    pub until: Field,
}

/// One delegation.
#[derive(Debug, Clone, Default)]
pub struct DelegationRow {
    /// Its id.
    pub id: String,
    /// Who is away.
    pub absent: String,
    /// Who decides meanwhile.
    pub delegate: String,
    /// From when.
    pub from: String,
    /// Until when.
    pub until: String,
    /// “Now” or “Later”.
    pub state: Badge,
    /// Whether I may end it.
    pub can_end: bool,
}

/// The form as it was sent.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Sent {
    to: String,
    from: String,
    until: String,
}

/// How many members the form offers; others are named by their address over the API.
const OFFERED: i64 = 200;

async fn page_of(page: &Page, conn: &mut Conn, key: &Key<OrganizationId>, sent: &Sent) -> PageResult<DelegationsPage> {
    let (seat, found) = delegations::list(conn, &page.caller, key).await?;
    let (me, now) = (page.me().id, page.caller.now);
    let manages = page::may(&seat, Permission::ManageMembers);
    let row = |one: Details| DelegationRow {
        id: one.delegation.id.to_string(),
        can_end: manages || [one.delegation.absent, one.delegation.delegate].contains(&me),
        absent: one.absent,
        delegate: one.delegate,
        from: times::moment(one.delegation.starts_at),
        until: times::moment(one.delegation.ends_at),
        state: if one.delegation.holds(now) {
            Badge { text: "Now".into(), tone: "ok", icon: "circle-check" }
        } else {
            Badge { text: "Later".into(), tone: "", icon: "clock" }
        },
    };
    let can_delegate = page::may(&seat, Permission::DecideRequests);
    let members = if can_delegate {
        let (_, members) = members::list(conn, &page.caller, key, None, None, OFFERED).await?;
        let others = members.into_iter().filter(|member| member.user != me);
        let label = |name: &str, role: &str| format!("{name} ({role})");
        let choices = others.map(|one| Choice::new(&one.email, label(&one.name, one.role.word()), one.email == sent.to));
        std::iter::once(Choice::new("", "Choose a member", sent.to.is_empty())).chain(choices).collect()
    } else {
        Vec::new()
    };
    Ok(DelegationsPage {
        delegations: found.into_iter().map(row).collect(),
        can_delegate,
        members,
        from: Field::new(&sent.from),
        until: Field::new(&sent.until),
        org: page.org_head(conn, &seat, "requests").await?,
        shell: page.shell(conn, "organizations").await?,
        ..DelegationsPage::default()
    })
}

/// `GET /organizations/{org}/delegations`.
pub async fn list(page: Page, ApiPath(org): ApiPath<String>) -> PageResult {
    let mut conn = page.read().await?;
    Ok(page_of(&page, &mut conn, &Key::read(&org), &Sent::default()).await?.into_response())
}

/// `POST /organizations/{org}/delegations`.
pub async fn create(page: Page, ApiPath(org): ApiPath<String>, PageForm(sent): PageForm<Sent>) -> PageResult {
    let key = Key::read(&org);
    let mut act = page.begin().await?;
    let span = Span { from: Some(sent.from.clone()), until: sent.until.clone() };
    match delegations::create(&mut act, &key, &NewDelegation { to: sent.to.clone(), span }).await {
        Ok(made) => {
            let said = format!("{} decides in your stead until {}.", made.delegate, times::moment(made.delegation.ends_at));
            page.done(act, format!("/organizations/{org}/delegations"), Flash::ok(said)).await
        }
        Err(error) => {
            drop(act);
            let mut errors = FormErrors::of(error)?;
            let status = errors.status;
            let mut conn = page.read().await?;
            let mut shown = page_of(&page, &mut conn, &key, &sent).await?;
            shown.to_error = errors.take("/to");
            shown.from = errors.field("/from", sent.from);
            shown.until = errors.field("/until", sent.until);
            shown.errors = errors.rest();
            Ok(FormErrors::again(status, shown))
        }
    }
}

/// `POST /organizations/{org}/delegations/{delegation}/end`.
pub async fn end(page: Page, ApiPath((org, id)): ApiPath<(String, DelegationId)>) -> PageResult {
    let to = format!("/organizations/{org}/delegations");
    let mut act = page.begin().await?;
    match delegations::end(&mut act, &Key::read(&org), id).await {
        Ok(()) => page.done(act, to, Flash::ok("It is ended. From now on everybody decides for themself again.")).await,
        Err(error) => {
            drop(act);
            page.say(to, Flash::danger(FormErrors::of(error)?.rest().join(" "))).await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{DelegationRow, DelegationsPage};
    use crate::pages::{Badge, Choice, Field, sample};

    #[test]
    fn whoever_decides_names_somebody_and_others_look() {
        let mut page = DelegationsPage {
            shell: sample::shell("organizations"),
            org: sample::org("requests"),
            delegations: vec![DelegationRow {
                id: "dlg_1".into(),
                absent: "Ola Birke".into(),
                delegate: "Tomas Reed".into(),
                from: "9 November 2026, 08:00 UTC".into(),
                until: "23 November 2026, 00:00 UTC".into(),
                state: Badge { text: "Now".into(), tone: "ok", icon: "circle-check" },
                can_end: true,
            }],
            can_delegate: true,
            members: vec![Choice::new("t@aurelia.example", "Tomas Reed (editor)", false)],
            until: Field::wrong("", "Write a day."),
            ..DelegationsPage::default()
        };
        let html = sample::render("delegations", &page);
        assert!(html.contains("Ola Birke") && html.contains("/delegations/dlg_1/end") && html.contains("Write a day."));
        page.can_delegate = false;
        page.delegations.clear();
        let html = sample::render("delegations-viewer", &page);
        assert!(html.contains("Nobody stands in") && !html.contains("Tomas Reed (editor)"));
    }
}
