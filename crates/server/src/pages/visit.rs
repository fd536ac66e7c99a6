//! The layer around all pages: who visits, by the session cookie, and refusals shown as pages.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use stoa_actions::{
    Error, ceremonies, members,
    sessions::{self, Device, Session},
};
use stoa_domain::{ids::OrganizationId, organizations::Key, permissions::Role, secrets::Secret, sessions::browser, time::SECOND};

use super::{Flash, Link, Person, Shell, errors::ErrorPage, form::sentence};
use crate::{
    App, guard,
    network::ClientAddress,
    problem::{ApiError, Told},
};

/// The cookie of the theme, which the page's script writes.
const THEME: &str = "theme";

/// What is known of a visit before its handler runs.
#[derive(Debug, Clone, Default)]
pub struct Visit(Arc<Known>);

#[derive(Debug, Default)]
struct Known {
    presented: Option<Secret>,
    half: Option<Secret>,
    session: Option<Session>,
    device: Device,
    theme: &'static str,
    shown: AtomicBool,
    organization: OnceLock<String>,
}

impl Visit {
    /// The session, of a visitor who is signed in.
    pub fn session(&self) -> Option<&Session> {
        self.0.session.as_ref()
    }

    /// The session id that the browser sent, valid or not.
    pub fn presented(&self) -> Option<&Secret> {
        self.0.presented.as_ref()
    }

    /// What the browser is half done with: a sign-in before its second step, or a visit to another provider.
    pub fn half(&self) -> Option<&Secret> {
        self.0.half.as_ref()
    }

    /// In what somebody visits, and from where.
    pub fn device(&self) -> &Device {
        &self.0.device
    }

    /// Notes the present handle of the organization that the page is about.
    pub fn show_organization(&self, handle: &str) {
        self.0.organization.get_or_init(|| handle.to_owned());
    }

    /// What surrounds a page, without what must be read from the database. Takes the messages: they count as shown.
    pub fn shell(&self, nav: &'static str) -> Shell {
        self.0.shown.store(true, Ordering::Relaxed);
        let session = self.session();
        Shell {
            user: session.map(|session| Person::new(&session.user.name, &session.user.email)),
            nav,
            inbox: 0,
            flash: session.map(|session| session.messages.iter().map(Flash::from).collect()).unwrap_or_default(),
            theme: self.0.theme.to_owned(),
            query: String::new(),
            operator: session.is_some_and(|session| session.user.operator),
        }
    }
}

impl From<&sessions::Message> for Flash {
    fn from(message: &sessions::Message) -> Self {
        let tone = ["ok", "warn", "danger"].into_iter().find(|tone| *tone == message.tone).unwrap_or("brand");
        Self { tone, text: message.text.clone() }
    }
}

impl From<Flash> for sessions::Message {
    fn from(flash: Flash) -> Self {
        Self { tone: flash.tone.to_owned(), text: flash.text }
    }
}

/// Finds out who visits, runs the handler, keeps the session alive and shows refusals as pages.
pub async fn layer(State(app): State<App>, mut request: Request, next: Next) -> Response {
    // An address without a route may be meant for the API; only who asks for HTML gets a page.
    let wants_page = request.extensions().get::<MatchedPath>().is_some() || accepts_html(request.headers());
    let from = ClientAddress::of(&app, request.headers(), request.extensions());
    let visit = match look(&app, request.headers(), from).await {
        Ok(visit) => visit,
        Err(error) => return as_page(&app, &Visit::default(), ApiError::from(error).into_response()).await,
    };
    request.extensions_mut().insert(visit.clone());
    let asked = (request.method() == Method::GET).then(|| request.uri().clone());
    let mut response = next.run(request).await;
    if let Some(to) = asked.as_ref().and_then(|asked| renamed(asked, visit.0.organization.get()?)) {
        return (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, to), (header::CACHE_CONTROL, "no-store".to_owned())]).into_response();
    }
    let status = response.status();
    if wants_page && (status.is_client_error() || status.is_server_error()) && !guard::is_html(&response) {
        response = as_page(&app, &visit, response).await;
    }
    if let (Some(session), Some(presented)) = (visit.session(), visit.presented()) {
        let shown = visit.0.shown.load(Ordering::Relaxed);
        match sessions::keep(&app.stoa.db, session, shown, app.stoa.clock.now()).await {
            Ok(true) if !response.headers().contains_key(header::SET_COOKIE) => set_cookie(&mut response, cookie(&app, presented)),
            Ok(_) => {}
            // The page is made; that a message shows twice or the session ends a day early is the smaller harm.
            Err(error) => tracing::warn!(%error, "a session was not kept alive"),
        }
    }
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Where a page of an organization is, if it was asked for under a handle that the organization had before.
fn renamed(asked: &Uri, handle: &str) -> Option<String> {
    let path = asked.path().strip_prefix("/organizations/")?;
    let (segment, rest) = path.split_once('/').map_or((path, String::new()), |(segment, rest)| (segment, format!("/{rest}")));
    if segment == handle || matches!(Key::<OrganizationId>::read(segment), Key::Id(_)) {
        return None;
    }
    let query = asked.query().map(|query| format!("?{query}")).unwrap_or_default();
    Some(format!("/organizations/{handle}{rest}{query}"))
}

fn accepts_html(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|accepted| accepted.contains("text/html"))
}

async fn look(app: &App, headers: &HeaderMap, from: ClientAddress) -> Result<Visit, Error> {
    let jar = CookieJar::from_headers(headers);
    let theme = match jar.get(THEME).map(Cookie::value) {
        Some("dark") => "dark",
        Some("light") => "light",
        _ => "",
    };
    let presented = jar.get(name(app)).and_then(|cookie| Secret::read(cookie.value()));
    let session = match &presented {
        None => None,
        Some(secret) => {
            let mut conn = app.stoa.db.read().await?;
            sessions::find(&mut conn, secret, app.stoa.clock.now()).await?
        }
    };
    let half = jar.get(half_name(app)).and_then(|cookie| Secret::read(cookie.value()));
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let device = Device { browser: browser(agent), address: from.text() };
    let (shown, organization) = (AtomicBool::new(false), OnceLock::new());
    Ok(Visit(Arc::new(Known { presented, half, session, device, theme, shown, organization })))
}

fn is_https(app: &App) -> bool {
    app.stoa.public_url.starts_with("https://")
}

/// With `__Host-` a browser takes the cookie over https only, from this host only and for no other.
fn name(app: &App) -> &'static str {
    if is_https(app) { "__Host-stoa_session" } else { "stoa_session" }
}

fn half_name(app: &App) -> &'static str {
    if is_https(app) { "__Host-stoa_half" } else { "stoa_half" }
}

fn bare(app: &App, name: &'static str, value: String) -> Cookie<'static> {
    Cookie::build((name, value)).path("/").http_only(true).same_site(SameSite::Lax).secure(is_https(app)).build()
}

/// The cookie of a session.
pub fn cookie(app: &App, secret: &Secret) -> Cookie<'static> {
    let mut cookie = bare(app, name(app), secret.expose().to_owned());
    cookie.set_max_age(time::Duration::seconds(sessions::LIFE / SECOND));
    cookie
}

/// The cookie that removes the session's from the browser.
pub fn no_cookie(app: &App) -> Cookie<'static> {
    let mut cookie = bare(app, name(app), String::new());
    cookie.set_max_age(time::Duration::ZERO);
    cookie
}

/// The cookie of something half done.
pub fn half_cookie(app: &App, secret: &Secret) -> Cookie<'static> {
    let mut cookie = bare(app, half_name(app), secret.expose().to_owned());
    cookie.set_max_age(time::Duration::seconds(ceremonies::LIFE / SECOND));
    cookie
}

/// The cookie that removes it.
pub fn no_half_cookie(app: &App) -> Cookie<'static> {
    let mut cookie = bare(app, half_name(app), String::new());
    cookie.set_max_age(time::Duration::ZERO);
    cookie
}

/// Sends a cookie along.
pub fn set_cookie(response: &mut Response, cookie: Cookie<'static>) {
    if let Ok(value) = HeaderValue::from_str(&cookie.to_string()) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// A refusal as a page: what happened, what to do, and who could do it.
async fn as_page(app: &App, visit: &Visit, response: Response) -> Response {
    let status = response.status();
    let mut page = ErrorPage::of_status(visit.shell(""), status.as_u16());
    if let Some(told) = response.extensions().get::<Told>() {
        tell(app, &mut page, told).await;
    }
    if visit.session().is_none() && !page.links.iter().any(|link| link.href == "/sign-in") {
        page.links = vec![Link::new("Sign in", "/sign-in")];
    }
    let mut shown = page.into_response();
    *shown.status_mut() = status;
    for kept in [header::RETRY_AFTER, header::ALLOW] {
        if let Some(value) = response.headers().get(&kept) {
            shown.headers_mut().insert(kept, value.clone());
        }
    }
    shown
}

async fn tell(app: &App, page: &mut ErrorPage, told: &Told) {
    let problem = &told.problem;
    page.code.clone_from(&problem.code);
    let mut sentences = vec![sentence(&problem.detail)];
    sentences.extend(problem.errors.iter().map(|fault| sentence(&fault.detail)));
    page.detail = sentences.join(" ");
    let Some(refusal) = &told.refusal else { return };
    page.detail = sentence(&format!(
        "you are {} of {} and may not {}",
        refusal.role.with_article(),
        refusal.organization,
        refusal.permission.words()
    ));
    let names = match app.stoa.db.read().await {
        Ok(mut conn) => members::who_may(&mut conn, refusal.organization_id, refusal.permission).await.unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    let roles: Vec<&str> = refusal.permission.allowed_roles().into_iter().map(Role::with_article).collect();
    page.who = match names.as_slice() {
        [] => format!("{} of {} could do this.", roles.join(" or "), refusal.organization),
        names => format!("These could do this for you: {}.", names.join(", ")),
    };
    page.who = sentence(&page.who);
}

/// The status to which a time limit leads; answered as a page like all others.
pub const TOO_SLOW: StatusCode = StatusCode::SERVICE_UNAVAILABLE;
