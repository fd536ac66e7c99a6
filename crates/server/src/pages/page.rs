//! What the handlers of pages take and give.

use std::{convert::Infallible, ops::Deref};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Redirect, Response},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use stoa_actions::{Act, Caller, Who, organizations, requests, seats::Seat, sessions};
use stoa_domain::{
    permissions::{Permission, Verdict, verdict},
    users::User,
};
use stoa_store::Conn;

use super::{Flash, OrgHead, Shell, TabCounts, form::sentence, hue, initials, times, visit::Visit};
use crate::{App, network::ClientAddress, problem::ApiError, request_id::RequestId};

/// What a handler of a page answers; refusals become pages of their own.
pub type PageResult<T = Response> = Result<T, ApiError>;

/// Somebody who looks at a page, signed in or not.
#[derive(Clone)]
pub struct Visitor {
    /// The state.
    pub app: App,
    /// Who, and when.
    pub caller: Caller,
    /// The session and what the browser remembers.
    pub visit: Visit,
    /// Where the request comes from.
    pub from: ClientAddress,
}

impl Visitor {
    /// Who is signed in.
    pub fn user(&self) -> Option<&User> {
        self.visit.session().map(|session| &session.user)
    }

    /// A connection for reading.
    ///
    /// # Errors
    /// 503.
    pub async fn read(&self) -> PageResult<Conn> {
        Ok(self.app.stoa.db.read().await?)
    }

    /// Begins an action.
    ///
    /// # Errors
    /// 503.
    pub async fn begin(&self) -> PageResult<Act> {
        Ok(Act::begin(&self.app.stoa, self.caller.clone()).await?)
    }

    /// What surrounds the page; `nav` is the active entry of the top navigation (see [`Shell::nav`]).
    ///
    /// # Errors
    /// 503.
    pub async fn shell(&self, conn: &mut Conn, nav: &'static str) -> PageResult<Shell> {
        let mut shell = self.visit.shell(nav);
        if self.user().is_some() {
            shell.inbox = self.inbox(conn).await?;
        }
        Ok(shell)
    }

    /// How many requests wait for the visitor's decision.
    async fn inbox(&self, conn: &mut Conn) -> PageResult<u64> {
        Ok(requests::count_waiting(conn, &self.caller).await?)
    }
}

impl FromRequestParts<App> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let visit = parts.extensions.get::<Visit>().cloned().unwrap_or_default();
        let who = visit.session().map_or(Who::Anonymous, |session| Who::User(session.user.clone()));
        let request_id = parts.extensions.get::<RequestId>().map(|id| id.0.clone());
        let caller = Caller { who, within: None, now: app.stoa.clock.now(), request_id };
        let from = ClientAddress::from_request_parts(parts, app).await?;
        Ok(Self { app: app.clone(), caller, visit, from })
    }
}

/// A page for somebody who is signed in; others are led to the sign-in and back.
#[derive(Clone)]
pub struct Page {
    visitor: Visitor,
    session: sessions::Session,
}

impl Deref for Page {
    type Target = Visitor;
    fn deref(&self) -> &Visitor {
        &self.visitor
    }
}

impl FromRequestParts<App> for Page {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let visitor = match Visitor::from_request_parts(parts, app).await {
            Ok(visitor) => visitor,
            Err(never) => match never {},
        };
        match visitor.visit.session().cloned() {
            Some(session) => Ok(Self { visitor, session }),
            None => Err(to_sign_in(parts, app)),
        }
    }
}

impl Page {
    /// The session in which the person is signed in.
    pub fn session(&self) -> &sessions::Session {
        &self.session
    }

    /// Who is signed in.
    pub fn me(&self) -> &User {
        &self.session.user
    }

    /// The head of an organization's pages: name, tabs with counters, what one's role may do. One statement.
    ///
    /// # Errors
    /// 503.
    pub async fn org_head(&self, conn: &mut Conn, seat: &Seat, tab: &'static str) -> PageResult<OrgHead> {
        let counts = organizations::counts(conn, seat).await?;
        self.visit.show_organization(&seat.organization.handle);
        Ok(head(seat, tab, &counts))
    }

    /// Commits an action and leads on to `to` (303), where `flash` is shown. The message is written in the same
    /// transaction, so it is there exactly when the change is.
    ///
    /// # Errors
    /// 503; then nothing happened.
    pub async fn done(&self, mut act: Act, to: impl AsRef<str>, flash: Flash) -> PageResult {
        sessions::leave_message(&mut act.tx, &self.session, flash.into()).await?;
        act.commit().await?;
        Ok(Redirect::to(to.as_ref()).into_response())
    }

    /// Leads on to `to` (303) with a message about something that was not done.
    ///
    /// # Errors
    /// 503.
    pub async fn say(&self, to: impl AsRef<str>, flash: Flash) -> PageResult {
        let act = self.begin().await?;
        self.done(act, to, flash).await
    }
}

/// The head of an organization's pages from what was read before; see [`Page::org_head`].
#[must_use]
pub fn head(seat: &Seat, tab: &'static str, counts: &organizations::Counts) -> OrgHead {
    let organization = &seat.organization;
    let number = |count: i64| u64::try_from(count).unwrap_or(0);
    OrgHead {
        name: organization.name.clone(),
        handle: organization.handle.clone(),
        description: organization.description.clone(),
        initials: initials(&organization.name),
        hue: hue(&organization.handle),
        created: times::long_day(organization.created_at.day()),
        role: seat.role.word().to_owned(),
        tab,
        counts: TabCounts {
            members: number(counts.members),
            teams: number(counts.teams),
            projects: number(counts.projects),
            applications: number(counts.applications),
            services: number(counts.services),
            subscriptions: number(counts.subscriptions),
            requests: number(counts.requests),
        },
        crumbs: Vec::new(),
        can_edit: may(seat, Permission::EditOrganization),
        can_delete: may(seat, Permission::DeleteOrganization),
        suspended: organization.suspension.as_ref().map(|one| sentence(&one.reason)).unwrap_or_default(),
    }
}

/// Whether a seat's role allows something at once, and its organization is not suspended; what is not allowed is not offered.
#[must_use]
pub fn may(seat: &Seat, permission: Permission) -> bool {
    let open = permission.only_looks() || seat.organization.suspension.is_none();
    open && verdict(seat.role, permission) == Verdict::Allowed
}

/// Leads to the sign-in and from there back: to the page itself, or to the page whose form was sent.
fn to_sign_in(parts: &Parts, app: &App) -> Response {
    let path = if parts.method == Method::GET {
        parts.uri.path_and_query().map(|path| path.as_str().to_owned())
    } else {
        referring_path(&parts.headers, &app.stoa.public_url)
    };
    let to = match path.as_deref().and_then(local_path) {
        None | Some("/") => "/sign-in".to_owned(),
        Some(path) => format!("/sign-in?next={}", utf8_percent_encode(path, NON_ALPHANUMERIC)),
    };
    if parts.headers.contains_key("hx-request") {
        // A redirect would put the sign-in page into a corner of this one.
        return (StatusCode::OK, [("hx-redirect", to)]).into_response();
    }
    Redirect::to(&to).into_response()
}

fn referring_path(headers: &HeaderMap, public_url: &str) -> Option<String> {
    let referrer = headers.get(header::REFERER)?.to_str().ok()?;
    referrer.strip_prefix(public_url).map(str::to_owned)
}

/// A path of this installation, fit to lead to; `None` for anything a browser could take for another site.
#[must_use]
pub fn local_path(path: &str) -> Option<&str> {
    let fits = path.starts_with('/') && !path.starts_with("//") && !path.contains('\\') && path.bytes().all(|b| b.is_ascii_graphic());
    fits.then_some(path)
}

#[cfg(test)]
mod tests {
    use super::local_path;

    #[test]
    fn only_paths_of_this_installation_are_led_to() {
        assert_eq!(local_path("/organizations?cursor=a%20b"), Some("/organizations?cursor=a%20b"));
        for bad in ["", "organizations", "//evil.example", "/\\evil.example", "https://evil.example", "/a\nb", "/\t/evil.example"] {
            assert_eq!(local_path(bad), None, "{bad:?}");
        }
    }
}
