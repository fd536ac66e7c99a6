//! The page to which the link of an invitation leads, and what maintainers do with invitations.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use stoa_actions::{
    Error,
    invitations::{self, Opened},
};
use stoa_domain::{
    ids::InvitationId,
    invitations::{InvitationState, Step},
    organizations::Key,
};

use super::{
    Flash, Shell, filters,
    form::{FormErrors, PageForm, sentence},
    page::{Page, PageResult, Visitor},
    times,
};
use crate::extract::{ApiPath, ApiQuery};

/// `GET /invitations?token=`.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "invitation.html")]
pub struct InvitationPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization's name.
    pub organization: String,
    /// Who invites.
    pub by: String,
    /// The role, such as “an editor”.
    pub role: String,
    /// The address it is for.
    pub email: String,
    /// Until when it can be answered.
    pub until: String,
    /// The secret of the link, which the forms send back.
    pub token: String,
    /// Why it cannot be answered; empty where it can.
    pub closed: String,
    /// Whether I may answer: signed in with this address.
    pub is_mine: bool,
    /// The address I am signed in with, where it is another one; otherwise empty.
    pub signed_in_as: String,
    /// Where signing in leads back here.
    pub sign_in: String,
    /// Where to sign up with the address.
    pub sign_up: String,
}

/// The link of an invitation.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct TokenForm {
    token: String,
}

/// `GET /invitations?token=`: for whoever has the link, signed in or not.
pub async fn show(visitor: Visitor, ApiQuery(query): ApiQuery<TokenForm>) -> PageResult {
    let mut conn = visitor.read().await?;
    let opened = invitations::open(&mut conn, &query.token).await?;
    let shell = visitor.shell(&mut conn, "").await?;
    let me = visitor.user().map(|user| user.email.as_str()).unwrap_or_default();
    Ok(kept_nowhere(page_of(&visitor, shell, opened, query.token, me)))
}

/// The page is kept by no cache, and its address, which has a secret, is told to nobody.
fn kept_nowhere(page: InvitationPage) -> Response {
    ([(header::CACHE_CONTROL, "no-store"), (header::REFERRER_POLICY, "no-referrer")], page).into_response()
}

fn page_of(visitor: &Visitor, shell: Shell, opened: Opened, token: String, me: &str) -> InvitationPage {
    let invitation = opened.invitation;
    let closed = invitation.after(Step::Accept, visitor.caller.now).err();
    let back = utf8_percent_encode(&format!("/invitations?token={token}"), NON_ALPHANUMERIC).to_string();
    let article = if invitation.role == stoa_domain::permissions::Role::Editor { "an" } else { "a" };
    InvitationPage {
        shell,
        organization: opened.organization.name,
        by: opened.by,
        role: format!("{article} {}", invitation.role),
        until: times::long_day(invitation.expires_at.day()),
        closed: closed.map(|reason| sentence(&reason.to_string())).unwrap_or_default(),
        is_mine: me == invitation.email,
        signed_in_as: if me.is_empty() || me == invitation.email { String::new() } else { me.to_owned() },
        sign_in: format!("/sign-in?next={back}"),
        sign_up: format!("/sign-up?email={}", utf8_percent_encode(&invitation.email, NON_ALPHANUMERIC)),
        email: invitation.email,
        token,
    }
}

/// `POST /invitations/accept`.
pub async fn accept(page: Page, PageForm(form): PageForm<TokenForm>) -> PageResult {
    let mut act = page.begin().await?;
    match invitations::accept(&mut act, &form.token).await {
        Ok((organization, member)) => {
            let to = format!("/organizations/{}", organization.handle);
            page.done(act, to, Flash::ok(format!("Welcome to {}. Your role is {}.", organization.name, member.role))).await
        }
        Err(error) => {
            drop(act);
            again(&page, form.token, error).await
        }
    }
}

/// `POST /invitations/decline`.
pub async fn decline(page: Page, PageForm(form): PageForm<TokenForm>) -> PageResult {
    let mut act = page.begin().await?;
    match invitations::decline(&mut act, &form.token).await {
        Ok(organization) => {
            page.done(act, "/organizations", Flash::ok(format!("You turned down the invitation of {}.", organization.name))).await
        }
        Err(error) => {
            drop(act);
            again(&page, form.token, error).await
        }
    }
}

async fn again(page: &Page, token: String, error: Error) -> PageResult {
    let errors = FormErrors::of(error)?;
    let status = errors.status;
    let mut conn = page.read().await?;
    let opened = invitations::open(&mut conn, &token).await?;
    let shell = page.shell(&mut conn, "").await?;
    let mut shown = page_of(page, shell, opened, token, &page.me().email);
    errors.tell(&mut shown.shell);
    Ok(FormErrors::again(status, kept_nowhere(shown)))
}

/// `POST /organizations/{org}/invitations/{invitation}/revoke`.
pub async fn revoke(page: Page, ApiPath((org, invitation)): ApiPath<(String, InvitationId)>) -> PageResult {
    let to = format!("/organizations/{org}/members");
    let mut act = page.begin().await?;
    match invitations::revoke(&mut act, &Key::read(&org), invitation).await {
        Ok(revoked) => page.done(act, to, Flash::ok(format!("The invitation of {} is taken back.", revoked.email))).await,
        Err(error) => {
            drop(act);
            page.say(to, Flash::danger(FormErrors::of(error)?.rest().join(" "))).await
        }
    }
}

/// `POST /organizations/{org}/invitations/{invitation}/resend`.
pub async fn resend(page: Page, ApiPath((org, invitation)): ApiPath<(String, InvitationId)>) -> PageResult {
    let to = format!("/organizations/{org}/members");
    let mut act = page.begin().await?;
    match invitations::resend(&mut act, &Key::read(&org), invitation).await {
        Ok(sent) => page.done(act, to, Flash::ok(format!("The invitation is sent to {} again.", sent.email))).await,
        Err(error) => {
            drop(act);
            page.say(to, Flash::danger(FormErrors::of(error)?.rest().join(" "))).await
        }
    }
}

/// One pending invitation on the page of the members.
#[derive(Debug, Clone, Default)]
pub struct InvitationRow {
    /// Its id.
    pub id: String,
    /// The address.
    pub email: String,
    /// The role's title.
    pub role: String,
    /// When it was last sent.
    pub sent: String,
    /// When it expires.
    pub until: String,
}

/// The most pending invitations that the page of the members shows.
const SHOWN: i64 = 100;

/// The pending invitations of an organization, for those who manage members.
pub(super) async fn pending(
    page: &Page,
    conn: &mut stoa_store::Conn,
    org: &Key<stoa_domain::ids::OrganizationId>,
) -> PageResult<Vec<InvitationRow>> {
    let found = invitations::list(conn, &page.caller, org, Some(InvitationState::Pending), None, SHOWN).await?;
    let row = |one: stoa_domain::invitations::Invitation| InvitationRow {
        id: one.id.to_string(),
        email: one.email,
        role: one.role.title().to_owned(),
        sent: times::short_day(one.sent_at.day()),
        until: times::short_day(one.expires_at.day()),
    };
    Ok(found.into_iter().map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::InvitationPage;
    use crate::pages::sample;

    #[test]
    fn whoever_is_signed_in_with_another_address_is_told_so() {
        let mut page = InvitationPage {
            shell: sample::shell(""),
            organization: "Aurelia Energy".into(),
            by: "Mira Sand".into(),
            role: "an editor".into(),
            email: "ben@aurelia.example".into(),
            until: "24 March 2026".into(),
            token: "stoa_inv_x".into(),
            is_mine: true,
            sign_in: "/sign-in?next=x".into(),
            sign_up: "/sign-up?email=ben%40aurelia.example".into(),
            ..InvitationPage::default()
        };
        assert!(sample::render("invitation", &page).contains("Accept"));
        page.is_mine = false;
        page.signed_in_as = "mira@aurelia.example".into();
        let html = sample::render("invitation-other", &page);
        assert!(html.contains("You are signed in as") && !html.contains("/invitations/accept"));
        page.signed_in_as.clear();
        page.shell.user = None;
        assert!(sample::render("invitation-nobody", &page).contains("Sign up"));
        page.closed = "This invitation has expired; ask for a new one.".into();
        assert!(!sample::render("invitation-over", &page).contains("Sign up"));
    }
}
