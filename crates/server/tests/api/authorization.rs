//! Every operation of the API document, and who may do it: anonymous 401, stranger 404, each role what the matrix says.
//!
//! A new operation without a row here fails the test of coverage. The list of exceptions may only shrink.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use stoa_domain::mail::Mail;
use stoa_store::second_factors;
use stoa_testkit::{Client, Person, TestApp, api_tests};

use crate::providing::png;

/// Operations without a row. It may only shrink.
const EXCEPTIONS: [&str; 0] = [];

/// Who must be let through by an operation's gate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Anybody, even without credentials.
    Anybody,
    /// Any person with an account; it answers about the caller only.
    Anyone,
    /// Members of the organization with at least one of these roles: v, r, e, m. Strangers get 404.
    Roles(&'static str),
    /// Those who run the installation; for every other person there is nothing: 404.
    Operator,
    /// An application with its client credentials or access token; a person's token gets 403, nobody 401.
    Service,
    /// An application with its client credentials in the form; everybody else gets 401.
    ClientCredentials,
}

/// One operation: what to call, and who is let through.
pub(crate) struct Row {
    pub(crate) method: Method,
    /// The path of the API document.
    pub(crate) path: &'static str,
    pub(crate) gate: Gate,
    /// A query to add.
    pub(crate) query: &'static str,
    /// The body to send, from the world; `Null` for none.
    pub(crate) body: fn(&World) -> Value,
}

fn row(method: Method, path: &'static str, gate: Gate) -> Row {
    Row { method, path, gate, query: "", body: |_| Value::Null }
}

fn with(method: Method, path: &'static str, gate: Gate, body: fn(&World) -> Value) -> Row {
    Row { method, path, gate, query: "", body }
}

const ALL: Gate = Gate::Roles("vrem");
const EDIT: Gate = Gate::Roles("em");
/// Takes something away from services.
const REDUCE: Gate = Gate::Roles("rem");
const MAINTAIN: Gate = Gate::Roles("m");

pub(crate) fn rows() -> Vec<Row> {
    let (get, post, patch, put, delete) = (Method::GET, Method::POST, Method::PATCH, Method::PUT, Method::DELETE);
    vec![
        // account
        row(get.clone(), "/api/v1/me", Gate::Anyone),
        with(patch.clone(), "/api/v1/me", Gate::Anyone, |_| json!({"name": "Somebody else"})),
        // Without the confirmation, so that whoever asks stays for the rows that follow.
        row(delete.clone(), "/api/v1/me", Gate::Anyone),
        row(get.clone(), "/api/v1/me/tokens", Gate::Anyone),
        with(post.clone(), "/api/v1/me/tokens", Gate::Anyone, |_| json!({"name": "x"})),
        row(delete.clone(), "/api/v1/me/tokens/{token}", Gate::Roles("-")),
        row(get.clone(), "/api/v1/me/sessions", Gate::Anyone),
        row(delete.clone(), "/api/v1/me/sessions", Gate::Anyone),
        row(delete.clone(), "/api/v1/me/sessions/{session}", Gate::Roles("-")),
        // organizations
        row(get.clone(), "/api/v1/organizations", Gate::Anyone),
        with(post.clone(), "/api/v1/organizations", Gate::Anyone, |_| json!({"name": "Another"})),
        row(get.clone(), "/api/v1/organizations/{org}", ALL),
        with(patch.clone(), "/api/v1/organizations/{org}", EDIT, |_| json!({"description": "x"})),
        Row { query: "?confirm=Grid", ..row(delete.clone(), "/api/v1/organizations/{org}", MAINTAIN) },
        row(get.clone(), "/api/v1/organizations/{org}/members", ALL),
        with(
            post.clone(),
            "/api/v1/organizations/{org}/members",
            MAINTAIN,
            |world| json!({"members": [{"email": world.stranger.user.email, "role": "viewer"}]}),
        ),
        with(patch.clone(), "/api/v1/organizations/{org}/members/{user}", MAINTAIN, |_| json!({"role": "viewer"})),
        row(get.clone(), "/api/v1/organizations/{org}/members/{user}/consequences", MAINTAIN),
        row(delete.clone(), "/api/v1/organizations/{org}/members/{user}", MAINTAIN),
        row(get.clone(), "/api/v1/organizations/{org}/events", ALL),
        row(get.clone(), "/api/v1/organizations/{org}/events/export", MAINTAIN),
        // the installation
        row(get.clone(), "/api/v1/operator/users", Gate::Operator),
        with(post.clone(), "/api/v1/operator/users", Gate::Operator, |_| json!({"email": "new@people.example"})),
        with(patch.clone(), "/api/v1/operator/users/{user}", Gate::Operator, |_| json!({"suspended": true})),
        with(post.clone(), "/api/v1/operator/users/{user}/reset-second-factors", Gate::Operator, |_| json!({"reason": "lost"})),
        row(get.clone(), "/api/v1/operator/organizations", Gate::Operator),
        with(post.clone(), "/api/v1/operator/organizations/{org}/views", Gate::Operator, |_| json!({"what": "members", "reason": "help"})),
        with(post.clone(), "/api/v1/operator/organizations/{org}/suspend", Gate::Operator, |_| json!({"reason": "unpaid"})),
        row(post.clone(), "/api/v1/operator/organizations/{org}/unsuspend", Gate::Operator),
        with(post.clone(), "/api/v1/operator/organizations/{org}/restore", Gate::Operator, |_| json!({"reason": "by mistake"})),
        // mail domains
        row(get.clone(), "/api/v1/organizations/{org}/domains", ALL),
        with(
            post.clone(),
            "/api/v1/organizations/{org}/domains",
            MAINTAIN,
            |_| json!({"domain": "works.example", "role": "viewer", "contact": "postmaster"}),
        ),
        with(patch.clone(), "/api/v1/organizations/{org}/domains/{domain}", MAINTAIN, |_| json!({"role": "viewer"})),
        with(post.clone(), "/api/v1/organizations/{org}/domains/{domain}/verify", MAINTAIN, |world| json!({"code": world.code})),
        row(delete.clone(), "/api/v1/organizations/{org}/domains/{domain}", MAINTAIN),
        // invitations
        row(get.clone(), "/api/v1/organizations/{org}/invitations", MAINTAIN),
        row(delete.clone(), "/api/v1/organizations/{org}/invitations/{invitation}", MAINTAIN),
        row(post.clone(), "/api/v1/organizations/{org}/invitations/{invitation}/resend", MAINTAIN),
        // Whoever has the link, which nobody here has.
        with(post.clone(), "/api/v1/invitations/accept", Gate::Roles("-"), |_| json!({"token": "stoa_inv_none"})),
        with(post.clone(), "/api/v1/invitations/decline", Gate::Roles("-"), |_| json!({"token": "stoa_inv_none"})),
        // teams
        row(get.clone(), "/api/v1/organizations/{org}/teams", ALL),
        with(post.clone(), "/api/v1/organizations/{org}/teams", EDIT, |_| json!({"name": "New"})),
        row(get.clone(), "/api/v1/organizations/{org}/teams/{team}", ALL),
        with(patch.clone(), "/api/v1/organizations/{org}/teams/{team}", EDIT, |_| json!({"description": "x"})),
        row(delete.clone(), "/api/v1/organizations/{org}/teams/{team}", EDIT),
        row(get.clone(), "/api/v1/organizations/{org}/teams/{team}/members", ALL),
        row(put.clone(), "/api/v1/organizations/{org}/teams/{team}/members/{user}", EDIT),
        row(delete.clone(), "/api/v1/organizations/{org}/teams/{team}/members/{user}", EDIT),
        // projects and their data
        row(get.clone(), "/api/v1/organizations/{org}/projects", ALL),
        with(post.clone(), "/api/v1/organizations/{org}/projects", EDIT, |_| json!({"name": "New"})),
        row(get.clone(), "/api/v1/organizations/{org}/projects/{project}/consequences", EDIT),
        row(get.clone(), "/api/v1/organizations/{org}/projects/{project}/locks", ALL),
        row(post.clone(), "/api/v1/organizations/{org}/projects/{project}/locks", REDUCE),
        row(delete.clone(), "/api/v1/organizations/{org}/projects/{project}/locks/{lock}", MAINTAIN),
        row(get.clone(), "/api/v1/organizations/{org}/projects/{project}", ALL),
        with(patch.clone(), "/api/v1/organizations/{org}/projects/{project}", EDIT, |_| json!({"description": "x"})),
        row(delete.clone(), "/api/v1/organizations/{org}/projects/{project}", EDIT),
        row(get.clone(), "/api/v1/organizations/{org}/projects/{project}/resources", ALL),
        row(get.clone(), "/api/v1/organizations/{org}/projects/{project}/resources/{name}", ALL),
        row(Method::HEAD, "/api/v1/organizations/{org}/projects/{project}/resources/{name}", ALL),
        with(put.clone(), "/api/v1/organizations/{org}/projects/{project}/resources/{name}", EDIT, |_| json!({"some": "bytes"})),
        row(delete.clone(), "/api/v1/organizations/{org}/projects/{project}/resources/{name}", EDIT),
        // applications
        row(get.clone(), "/api/v1/applications", Gate::Anyone),
        with(post.clone(), "/api/v1/applications", EDIT, |_| json!({"name": "New", "organization": "grid"})),
        row(get.clone(), "/api/v1/applications/{application}", ALL),
        with(patch.clone(), "/api/v1/applications/{application}", EDIT, |_| json!({"description": "x"})),
        row(delete.clone(), "/api/v1/applications/{application}", EDIT),
        row(get.clone(), "/api/v1/applications/{application}/deletion", EDIT),
        with(post.clone(), "/api/v1/applications/{application}/transfer", EDIT, |_| json!({"organization": "grid"})),
        row(put.clone(), "/api/v1/applications/{application}/shares/organizations/{org}", EDIT),
        row(delete.clone(), "/api/v1/applications/{application}/shares/organizations/{org}", EDIT),
        row(put.clone(), "/api/v1/applications/{application}/shares/teams/{team}", EDIT),
        row(delete.clone(), "/api/v1/applications/{application}/shares/teams/{team}", EDIT),
        row(post.clone(), "/api/v1/applications/{application}/secrets", EDIT),
        row(delete.clone(), "/api/v1/applications/{application}/secrets/{secret}", EDIT),
        // services
        row(get.clone(), "/api/v1/organizations/{org}/services", ALL),
        with(post.clone(), "/api/v1/organizations/{org}/services", EDIT, |world| world.new_service("Another")),
        row(get.clone(), "/api/v1/services/{service}", ALL),
        with(patch.clone(), "/api/v1/services/{service}", EDIT, |_| json!({"summary": "x"})),
        // Whoever sees the service, on the marketplace or as a member; all versions only members.
        row(get.clone(), "/api/v1/services/{service}/contracts", ALL),
        with(post.clone(), "/api/v1/services/{service}/contracts", EDIT, |world| world.new_contract()),
        row(post.clone(), "/api/v1/services/{service}/publish", EDIT),
        // A service on the marketplace is seen by strangers, so they are refused and not told that there is none.
        row(post.clone(), "/api/v1/services/{service}/pause", Gate::Roles("m!403")),
        row(post.clone(), "/api/v1/services/{service}/deprecate", Gate::Roles("m!403")),
        row(post.clone(), "/api/v1/services/{service}/retire", MAINTAIN),
        row(post.clone(), "/api/v1/services/{service}/withdraw", MAINTAIN),
        Row { query: "?act=pause", ..row(get.clone(), "/api/v1/services/{service}/consequences", Gate::Roles("vrem!403")) },
        row(put.clone(), "/api/v1/services/{service}/icon", EDIT),
        row(delete.clone(), "/api/v1/services/{service}/icon", EDIT),
        Row { query: "?alt=A%20chart", ..row(put.clone(), "/api/v1/services/{service}/screenshots/{number}", EDIT) },
        with(patch.clone(), "/api/v1/services/{service}/screenshots/{number}", EDIT, |_| json!({"alt": "Another chart"})),
        row(delete.clone(), "/api/v1/services/{service}/screenshots/{number}", EDIT),
        row(get.clone(), "/api/v1/services/{service}/images/{hash}", ALL),
        row(get.clone(), "/api/v1/services/{service}/audience", ALL),
        row(put.clone(), "/api/v1/services/{service}/audience/{org}", EDIT),
        row(delete.clone(), "/api/v1/services/{service}/audience/{org}", EDIT),
        row(get.clone(), "/api/v1/services/{service}/handovers", ALL),
        with(post.clone(), "/api/v1/services/{service}/handovers", MAINTAIN, |_| json!({"organization": "outside", "note": "yours"})),
        row(get.clone(), "/api/v1/organizations/{org}/handovers", ALL),
        row(get.clone(), "/api/v1/handovers/{handover}", ALL),
        row(post.clone(), "/api/v1/handovers/{handover}/accept", MAINTAIN),
        row(post.clone(), "/api/v1/handovers/{handover}/decline", MAINTAIN),
        row(post.clone(), "/api/v1/handovers/{handover}/withdraw", MAINTAIN),
        row(get.clone(), "/api/v1/operator/services", Gate::Operator),
        row(get.clone(), "/api/v1/operator/services/{service}", Gate::Operator),
        row(post.clone(), "/api/v1/operator/services/{service}/approve", Gate::Operator),
        with(post.clone(), "/api/v1/operator/services/{service}/reject", Gate::Operator, |_| json!({"reason": "too little said"})),
        with(post.clone(), "/api/v1/operator/services/{service}/suspend", Gate::Operator, |_| json!({"reason": "reads too much"})),
        row(post.clone(), "/api/v1/operator/services/{service}/unsuspend", Gate::Operator),
        row(get.clone(), "/api/v1/services/{service}/subscriptions", ALL),
        row(get.clone(), "/api/v1/marketplace", Gate::Anyone),
        row(get.clone(), "/api/v1/marketplace/suggestions", Gate::Anyone),
        row(get.clone(), "/api/v1/marketplace/{service}", ALL),
        // subscriptions
        row(get.clone(), "/api/v1/organizations/{org}/subscriptions", ALL),
        with(post.clone(), "/api/v1/organizations/{org}/subscriptions", ALL, |world| world.new_subscription()),
        row(get.clone(), "/api/v1/organizations/{org}/subscriptions/{subscription}", ALL),
        with(
            put.clone(),
            "/api/v1/organizations/{org}/subscriptions/{subscription}/projects",
            ALL,
            |_| json!({"mode": "all", "include_future": "yes"}),
        ),
        row(post.clone(), "/api/v1/organizations/{org}/subscriptions/{subscription}/cancel", ALL),
        row(post.clone(), "/api/v1/organizations/{org}/subscriptions/{subscription}/pause", REDUCE),
        row(post.clone(), "/api/v1/organizations/{org}/subscriptions/{subscription}/resume", REDUCE),
        row(post.clone(), "/api/v1/organizations/{org}/subscriptions/{subscription}/keep", MAINTAIN),
        row(get.clone(), "/api/v1/organizations/{org}/subscriptions/{subscription}/consequences", ALL),
        row(get.clone(), "/api/v1/services/{service}/several", ALL),
        with(put.clone(), "/api/v1/services/{service}/several", EDIT, |_| json!({"several": true})),
        row(get.clone(), "/api/v1/services/{service}/setup", ALL),
        with(put.clone(), "/api/v1/services/{service}/setup", EDIT, |_| json!({"setup": false})),
        row(post.clone(), "/api/v1/services/{service}/subscriptions/{subscription}/ready", Gate::Roles("rm")),
        with(post.clone(), "/api/v1/services/{service}/subscriptions/{subscription}/fail", Gate::Roles("rm"), |_| json!({"reason": "x"})),
        with(post.clone(), "/api/v1/services/{service}/subscriptions/{subscription}/pause", Gate::Roles("rm"), |_| json!({"reason": "x"})),
        row(post.clone(), "/api/v1/services/{service}/subscriptions/{subscription}/resume", Gate::Roles("rm")),
        with(post.clone(), "/api/v1/operator/subscriptions/{subscription}/pause", Gate::Operator, |_| json!({"reason": "x"})),
        row(post.clone(), "/api/v1/operator/subscriptions/{subscription}/resume", Gate::Operator),
        row(get.clone(), "/api/v1/organizations/{org}/subscriptions/{subscription}/contract", ALL),
        with(
            post.clone(),
            "/api/v1/organizations/{org}/subscriptions/{subscription}/contract/accept",
            ALL,
            |world| json!({"contract": world.offered}),
        ),
        with(
            post.clone(),
            "/api/v1/organizations/{org}/subscriptions/{subscription}/contract/refuse",
            MAINTAIN,
            |world| json!({"contract": world.offered}),
        ),
        with(post.clone(), "/api/v1/organizations/{org}/subscriptions/{subscription}/plan", ALL, |_| json!({"plan": "Plus"})),
        row(get.clone(), "/api/v1/organizations/{org}/subscriptions/{subscription}/budget", ALL),
        with(put.clone(), "/api/v1/organizations/{org}/subscriptions/{subscription}/budget", REDUCE, |_| json!({"amount": "1000"})),
        row(delete.clone(), "/api/v1/organizations/{org}/subscriptions/{subscription}/budget", MAINTAIN),
        row(get.clone(), "/api/v1/organizations/{org}/level-changes", ALL),
        Row { query: "?service={moving}", ..row(get.clone(), "/api/v1/organizations/{org}/level-changes/outlook", ALL) },
        with(
            post.clone(),
            "/api/v1/organizations/{org}/level-changes",
            ALL,
            |world| json!({"service": world.moving, "contract": world.moved_to}),
        ),
        row(get.clone(), "/api/v1/level-changes/{change}", ALL),
        row(post.clone(), "/api/v1/level-changes/{change}/switch", MAINTAIN),
        row(post.clone(), "/api/v1/level-changes/{change}/undo", MAINTAIN),
        row(get.clone(), "/api/v1/services/{service}/level-changes", ALL),
        row(get.clone(), "/api/v1/services/{service}/level-changes/outlook", ALL),
        with(post.clone(), "/api/v1/services/{service}/level-changes/outlook", EDIT, |world| world.new_contract()),
        row(get.clone(), "/api/v1/organizations/{org}/subscriptions/{subscription}/consents", ALL),
        row(get.clone(), "/api/v1/organizations/{org}/subscriptions/{subscription}/consents/{consent}", ALL),
        row(get.clone(), "/api/v1/organizations/{org}/grants", ALL),
        row(get.clone(), "/api/v1/organizations/{org}/requests", ALL),
        row(get.clone(), "/api/v1/organizations/{org}/requests", ALL),
        row(get.clone(), "/api/v1/requests", Gate::Anyone),
        row(get.clone(), "/api/v1/requests/{request}", ALL),
        with(post.clone(), "/api/v1/requests/{request}/approve", Gate::Roles("rm"), |_| json!({})),
        with(post.clone(), "/api/v1/requests/{request}/reject", Gate::Roles("rm"), |_| json!({"reason": "no"})),
        with(post.clone(), "/api/v1/requests/{request}/ask", Gate::Roles("rm"), |_| json!({"question": "why?"})),
        with(post.clone(), "/api/v1/requests/{request}/answer", Gate::Roles("-"), |_| json!({"text": "because"})),
        row(post.clone(), "/api/v1/requests/{request}/withdraw", Gate::Roles("-")),
        row(get.clone(), "/api/v1/organizations/{org}/policy", ALL),
        with(put.clone(), "/api/v1/organizations/{org}/policy", MAINTAIN, |_| json!({"rules": [{"name": "All"}]})),
        row(get.clone(), "/api/v1/organizations/{org}/delegations", ALL),
        with(
            post.clone(),
            "/api/v1/organizations/{org}/delegations",
            Gate::Roles("rm"),
            |world| json!({"to": world.other, "until": "2026-05-01"}),
        ),
        // The maintainer's own, so that whoever is named is none of the others.
        row(delete.clone(), "/api/v1/organizations/{org}/delegations/{delegation}", MAINTAIN),
        // usage and costs
        with(post.clone(), "/api/v1/usage", Gate::Service, |_| json!([])),
        row(get.clone(), "/api/v1/organizations/{org}/usage", ALL),
        row(get.clone(), "/api/v1/organizations/{org}/costs", ALL),
        // tokens and decisions
        row(post.clone(), "/oauth2/token", Gate::ClientCredentials),
        row(post.clone(), "/oauth2/introspect", Gate::ClientCredentials),
        row(post.clone(), "/oauth2/revoke", Gate::ClientCredentials),
        row(get.clone(), "/.well-known/oauth-authorization-server", Gate::Anybody),
        with(post.clone(), "/access/v1/evaluation", Gate::Anyone, |world| world.evaluation()),
        with(post.clone(), "/access/v1/evaluations", Gate::Anyone, |world| json!({"evaluations": [world.evaluation()]})),
        row(get.clone(), "/.well-known/authzen-configuration", Gate::Anybody),
        Row {
            query: "?user={user}&subject=application:{application}",
            ..row(get.clone(), "/api/v1/organizations/{org}/access/explain", ALL)
        },
        Row {
            query: "?project={project}&organization=grid&permission=resources:read",
            ..row(get.clone(), "/gateway/authorize", Gate::Roles("vrem!403"))
        },
    ]
}

/// Parts of the paths that take a service on the marketplace; the others take a draft.
const OPEN: [&str; 4] = ["marketplace", "pause", "deprecate", "operator"];

/// An organization with everything in it, four members with one role each, and a stranger.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) maintainer: Person,
    pub(crate) operator: Person,
    editor: Person,
    reviewer: Person,
    viewer: Person,
    stranger: Person,
    other: String,
    project: String,
    team: String,
    invitation: String,
    pub(crate) application: String,
    secret: String,
    service: String,
    open_service: String,
    picture: String,
    /// Its subscription is in force.
    subscribed: String,
    pub(crate) subscription: String,
    /// Its subscription is paused by all sides, and ends.
    held_service: String,
    /// A service whose subscriptions are set up first, and two of them that wait.
    made_service: String,
    made: Vec<String>,
    held: String,
    lock: String,
    /// A contract that waits for the consent of the subscription.
    offered: String,
    consent: String,
    request: String,
    /// The code of its mail domain, grid.example, which is not verified yet.
    code: String,
    delegation: String,
    /// A service that changes its level, and the contract at the other one.
    moving: String,
    moved_to: String,
    change: String,
    /// A service with an application of its own, which can be handed over.
    given: String,
    /// A service of another organization that is offered to this one, and the offer.
    pub(crate) taken: String,
    incoming: String,
    /// What this organization offers to the other.
    outgoing: String,
}

impl World {
    /// The same world before a server that began where the one it was made with stood.
    pub(crate) fn at(&self, app: &TestApp) -> Self {
        let people = [&self.maintainer, &self.operator, &self.editor, &self.reviewer, &self.viewer, &self.stranger];
        let [maintainer, operator, editor, reviewer, viewer, stranger] = people.map(|person| person.at(app));
        Self { maintainer, operator, editor, reviewer, viewer, stranger, ..self.clone() }
    }

    pub(crate) async fn new(app: &TestApp) -> Self {
        let people = tokio::join!(app.person("mia"), app.person("eva"), app.person("rob"), app.person("vic"), app.person("sam"));
        let (maintainer, editor, reviewer, viewer, stranger) = people;
        let m = &maintainer.client;
        m.post("/api/v1/organizations", json!({"name": "Grid"})).await.expect(201);
        let member = |person: &Person, role: &str| json!({"email": person.user.email, "role": role});
        let members = json!({"members": [member(&editor, "editor"), member(&reviewer, "reviewer"), member(&viewer, "viewer")]});
        m.post("/api/v1/organizations/grid/members", members).await.expect(200);
        let other = app.person("oda").await;
        m.post("/api/v1/organizations/grid/members", json!({"members": [member(&other, "viewer")]})).await.expect(200);
        let invited = json!({"members": [{"email": "invited@people.example", "role": "viewer"}]});
        let invited = m.post("/api/v1/organizations/grid/members", invited).await.expect(200);
        let invitation = text(&invited["results"][0]["invitation"], "id");
        let project = m.post("/api/v1/organizations/grid/projects", json!({"name": "North"})).await.expect(201)["handle"].clone();
        let resource = m.request(Method::PUT, "/api/v1/organizations/grid/projects/north/resources/data.csv").body("a,b");
        m.send(resource.header("content-type", "text/csv")).await.expect(201);
        let application = text(&m.post("/api/v1/applications", json!({"name": "Reader", "organization": "grid"})).await.expect(201), "id");
        let secret = text(&m.post(&format!("/api/v1/applications/{application}/secrets"), json!({})).await.expect(201), "id");
        let team = text(&m.post("/api/v1/organizations/grid/teams", json!({"name": "Meters"})).await.expect(201), "id");
        for share in ["organizations/grid".to_owned(), format!("teams/{team}")] {
            m.send(m.request(Method::PUT, &format!("/api/v1/applications/{application}/shares/{share}"))).await.expect(204);
        }
        m.send(m.request(Method::PUT, &format!("/api/v1/organizations/grid/teams/{team}/members/{}", other.id()))).await.expect(204);
        let code = domain_code(app, m).await;
        second_factor(app, &other).await;
        let mut world = Self {
            maintainer,
            operator: app.operator("opa").await,
            editor,
            reviewer,
            viewer,
            stranger,
            other: other.id().to_string(),
            project: project.as_str().unwrap().to_owned(),
            team,
            invitation,
            application,
            secret,
            service: String::new(),
            open_service: String::new(),
            picture: String::new(),
            subscribed: String::new(),
            subscription: String::new(),
            held_service: String::new(),
            made_service: String::new(),
            made: Vec::new(),
            held: String::new(),
            lock: String::new(),
            offered: String::new(),
            consent: String::new(),
            request: String::new(),
            code,
            delegation: String::new(),
            moving: String::new(),
            moved_to: String::new(),
            change: String::new(),
            given: String::new(),
            taken: String::new(),
            incoming: String::new(),
            outgoing: String::new(),
        };
        world.service = world.draft("Draft service").await;
        world.open_service = world.draft("Open service").await;
        for place in ["icon", "screenshots/1?alt=A%20chart"] {
            let m = &world.maintainer.client;
            let request = m.request(Method::PUT, &format!("/api/v1/services/{}/{place}", world.service)).body(png(320, 320, 1));
            let shown = m.send(request).await.expect(200);
            world.picture = text(&shown, "icon").rsplit('/').next().unwrap().to_owned();
        }
        let subscribed = world.draft("Subscribed service").await;
        for service in [&world.open_service, &subscribed] {
            world.maintainer.post(&format!("/api/v1/services/{service}/publish"), json!({})).await.expect(200);
        }
        // Before it is subscribed, so that what is offered next waits for consent.
        let plans = json!([{"name": "Basic", "currency": "EUR", "monthly": "10"}, {"name": "Plus", "currency": "EUR", "monthly": "20"}]);
        let contract = |permissions: Value| json!({"level": "organization", "permissions": permissions, "plans": plans});
        let contracts = format!("/api/v1/services/{subscribed}/contracts");
        world.maintainer.post(&contracts, contract(json!(["resources:read"]))).await.expect(201);
        let subscribe =
            json!({"service": subscribed, "plan": "Basic", "projects": {"mode": "selected", "projects": ["north"]}, "accept_terms": true});
        let subscription = world.maintainer.post("/api/v1/organizations/grid/subscriptions", subscribe).await.expect(201);
        world.subscription = text(&subscription, "id");
        let offered = world.maintainer.post(&contracts, contract(json!(["resources:read", "resources:write"]))).await.expect(201);
        assert_eq!(offered["subscribers"]["offered"], 1, "{offered}");
        world.offered = text(&offered, "id");
        let consents = format!("/api/v1/organizations/grid/subscriptions/{}/consents", world.subscription);
        world.consent = text(&world.maintainer.get(&consents).await.expect(200)["items"][0], "id");
        let cancel = format!("/api/v1/organizations/grid/subscriptions/{}/cancel", world.subscription);
        let request = world.editor.post(&cancel, json!({})).await.expect(202);
        world.request = text(&request["request"], "id");
        world.hold().await;
        world.set_up().await;
        (world.moving, world.moved_to) = world.moving("Moving service").await;
        let (moved, contract) = world.moving("Moved service").await;
        let accepted = world
            .maintainer
            .post("/api/v1/organizations/grid/level-changes", json!({"service": moved, "contract": contract}))
            .await
            .expect(201);
        world.change = text(&accepted["change"], "id");
        let lock = json!({"service": world.open_service});
        world.lock = text(&world.maintainer.post("/api/v1/organizations/grid/projects/north/locks", lock).await.expect(201), "id");
        world.subscribed = subscribed;
        let away = json!({"to": world.other, "from": "2026-05-20", "until": "2026-05-21"});
        world.delegation = text(&world.maintainer.post("/api/v1/organizations/grid/delegations", away).await.expect(201), "id");
        world.offer().await;
        world
    }

    /// Makes what can be handed over, what is offered to this organization, and what it offers to another.
    async fn offer(&mut self) {
        let m = &self.maintainer.client;
        m.post("/api/v1/organizations", json!({"name": "Outside"})).await.expect(201);
        let draft = async |organization: &str, name: &str| {
            let application = json!({"name": format!("Engine of {name}"), "organization": organization});
            let application = text(&m.post("/api/v1/applications", application).await.expect(201), "id");
            let mut new = self.new_service(name);
            new["application"] = json!(application);
            text(&m.post(&format!("/api/v1/organizations/{organization}/services"), new).await.expect(201), "id")
        };
        let given = draft("grid", "Given service").await;
        let out = draft("grid", "Outgoing service").await;
        let taken = draft("outside", "Incoming service").await;
        let offer = async |service: &str, to: &str| {
            text(&m.post(&format!("/api/v1/services/{service}/handovers"), json!({"organization": to})).await.expect(201), "id")
        };
        let outgoing = offer(&out, "outside").await;
        m.post(&format!("/api/v1/services/{taken}/publish"), json!({})).await.expect(200);
        m.put(&format!("/api/v1/services/{taken}/several"), json!({"several": true})).await.expect(200);
        let incoming = offer(&taken, "grid").await;
        (self.given, self.taken, self.incoming, self.outgoing) = (given, taken, incoming, outgoing);
    }

    /// Makes a subscription that each side paused and that ends with the month.
    async fn hold(&mut self) {
        self.held_service = self.draft("Held service").await;
        let m = &self.maintainer.client;
        m.post(&format!("/api/v1/services/{}/publish", self.held_service), json!({})).await.expect(200);
        let subscribe =
            json!({"service": self.held_service, "projects": {"mode": "selected", "projects": ["north"]}, "accept_terms": true});
        self.held = text(&m.post("/api/v1/organizations/grid/subscriptions", subscribe).await.expect(201), "id");
        let (own, why) = (format!("/api/v1/organizations/grid/subscriptions/{}", self.held), json!({"reason": "x"}));
        m.post(&format!("{own}/pause"), why.clone()).await.expect(200);
        m.post(&format!("{own}/cancel"), json!({"when": "period_end"})).await.expect(200);
        m.post(&format!("/api/v1/services/{}/subscriptions/{}/pause", self.held_service, self.held), why.clone()).await.expect(200);
        self.operator.post(&format!("/api/v1/operator/subscriptions/{}/pause", self.held), why).await.expect(200);
    }

    /// Makes two subscriptions of one service that wait to be set up.
    async fn set_up(&mut self) {
        self.made_service = self.draft("Made service").await;
        let (m, path) = (&self.maintainer.client, format!("/api/v1/services/{}", self.made_service));
        m.post(&format!("{path}/publish"), json!({})).await.expect(200);
        m.put(&format!("{path}/setup"), json!({"setup": true})).await.expect(200);
        m.put(&format!("{path}/several"), json!({"several": true})).await.expect(200);
        for label in ["One", "Two"] {
            let subscribe = json!({"service": self.made_service, "projects": {"mode": "selected", "projects": ["north"]}, "accept_terms": true,
                "label": label});
            self.made.push(text(&m.post("/api/v1/organizations/grid/subscriptions", subscribe).await.expect(201), "id"));
        }
    }

    /// A service at project level that is subscribed for a project and offers to change its level.
    async fn moving(&self, name: &str) -> (String, String) {
        let m = &self.maintainer.client;
        let mut body = self.new_service(name);
        body["contract"]["level"] = json!("project");
        let service = text(&m.post("/api/v1/organizations/grid/services", body).await.expect(201), "id");
        m.post(&format!("/api/v1/services/{service}/publish"), json!({})).await.expect(200);
        let subscribe = json!({"service": service, "project": "north", "accept_terms": true});
        m.post("/api/v1/organizations/grid/subscriptions", subscribe).await.expect(201);
        let mut contract = self.new_contract();
        contract["notice_until"] = json!("2027-01-01T00:00:00Z");
        let contract = text(&m.post(&format!("/api/v1/services/{service}/contracts"), contract).await.expect(201), "id");
        (service, contract)
    }

    pub(crate) async fn draft(&self, name: &str) -> String {
        text(&self.maintainer.post("/api/v1/organizations/grid/services", self.new_service(name)).await.expect(201), "id")
    }

    fn new_service(&self, name: &str) -> Value {
        json!({"application": self.application, "name": name, "summary": "Reads", "description": "Reads data", "categories": ["energy"],
            "visibility": "public", "contract": self.new_contract()})
    }

    fn new_contract(&self) -> Value {
        json!({"level": "organization", "permissions": ["resources:read"],
            "plans": [{"name": "Basic", "currency": "EUR", "monthly": "10", "meters": [{"name": "calls", "unit": "call", "unit_price": "0.01"}]}]})
    }

    fn new_subscription(&self) -> Value {
        json!({"service": self.open_service, "projects": {"mode": "all", "include_future": "no"}, "accept_terms": true})
    }

    fn evaluation(&self) -> Value {
        json!({"subject": {"type": "user", "id": self.viewer.id()}, "action": {"name": "resources:read"},
            "resource": {"type": "organization", "id": "grid"}})
    }

    fn fill(&self, path: &str) -> String {
        let (service, subscription) = match path {
            _ if path.ends_with("/handovers") => (&self.given, &self.subscription),
            _ if path.ends_with("/ready") => (&self.made_service, &self.made[0]),
            _ if path.ends_with("/fail") => (&self.made_service, &self.made[1]),
            _ if path.ends_with("/resume") || path.ends_with("/keep") => (&self.held_service, &self.held),
            _ if path.contains("/subscriptions/{subscription}/pause") => (&self.subscribed, &self.subscription),
            _ if OPEN.iter().any(|part| path.contains(part)) => (&self.open_service, &self.subscription),
            _ => (&self.service, &self.subscription),
        };
        path.replace("{org}", "grid")
            .replace("{project}", &self.project)
            .replace("{name}", "data.csv")
            .replace("{user}", &self.other)
            .replace("{team}", &self.team)
            .replace("{invitation}", &self.invitation)
            .replace("{domain}", "grid.example")
            .replace("{application}", &self.application)
            .replace("{secret}", &self.secret)
            .replace("{number}", "1")
            .replace("{hash}", &self.picture)
            .replace("{service}", service)
            .replace("{subscription}", subscription)
            .replace("{lock}", &self.lock)
            .replace("{request}", &self.request)
            .replace("{delegation}", &self.delegation)
            .replace("{handover}", if path.ends_with("/withdraw") { &self.outgoing } else { &self.incoming })
            .replace("{consent}", &self.consent)
            .replace("{moving}", &self.moving)
            .replace("{change}", &self.change)
            .replace("{token}", "tok_01h455vb4pex5vsknk084sn02q")
            .replace("{session}", "ses_01h455vb4pex5vsknk084sn02q")
    }

    pub(crate) async fn ask(&self, row: &Row, client: &Client) -> u16 {
        let mut request = client.request(row.method.clone(), &self.fill(&format!("{}{}", row.path, row.query)));
        let body = (row.body)(self);
        if !body.is_null() {
            request = request.json(&body);
        } else if row.method == Method::PUT && (row.path.ends_with("/icon") || row.path.contains("/screenshots/")) {
            request = request.body(png(640, 640, 1));
        } else if row.path.starts_with("/oauth2/") {
            request = request.form(&[("grant_type", "client_credentials"), ("token", "x")]);
        } else if row.method == Method::POST {
            request = request.json(&json!({}));
        }
        client.send(request).await.status
    }
}

/// Claims a mail domain; answers the code that was mailed.
async fn domain_code(app: &TestApp, maintainer: &Client) -> String {
    let claim = json!({"domain": "grid.example", "role": "viewer", "contact": "postmaster"});
    maintainer.post("/api/v1/organizations/grid/domains", claim).await.expect(201);
    match app.mail_to("postmaster@grid.example").await.mail {
        Mail::DomainCode { code, .. } => code,
        other => panic!("no code was sent, but {other:?}"),
    }
}

/// Gives somebody an authenticator app.
async fn second_factor(app: &TestApp, person: &Person) {
    let mut tx = app.stoa.db.begin().await.unwrap();
    let kept = second_factors::TotpRow { sealed_secret: vec![1], last_step: 0, created_at: app.stoa.clock.now() };
    second_factors::set_totp(&mut tx, person.id(), &kept).await.unwrap();
    tx.commit().await.unwrap();
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}")).to_owned()
}

/// Whether a status says that the gate let the caller through; what the action then says of the state is not the gate's.
fn passed(status: u16) -> bool {
    !matches!(status, 401 | 403 | 404) && status < 500
}

async fn judge(app: &TestApp, world: &World, row: &Row) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut note = |who: &str, status: u16, right: bool, expected: &str| {
        if !right {
            wrong.push(format!("{} {}: {who} got {status}, expected {expected}", row.method, row.path));
        }
    };
    let anonymous = world.ask(row, &app.anonymous()).await;
    match row.gate {
        Gate::Anybody => note("nobody", anonymous, anonymous == 200, "200"),
        Gate::ClientCredentials => {
            note("nobody", anonymous, anonymous == 401, "401");
            let person = world.ask(row, &world.maintainer.client).await;
            note("a person", person, person == 401, "401");
        }
        _ => note("nobody", anonymous, anonymous == 401, "401"),
    }
    match row.gate {
        Gate::Anybody | Gate::ClientCredentials => {}
        Gate::Anyone => {
            let status = world.ask(row, &world.stranger.client).await;
            note("anyone", status, passed(status) || (row.path.starts_with("/access/") && status == 200), "to pass");
        }
        Gate::Operator => {
            for (who, person) in [("a stranger", &world.stranger), ("a maintainer", &world.maintainer)] {
                let status = world.ask(row, &person.client).await;
                note(who, status, status == 404, "404");
            }
            let status = world.ask(row, &world.operator.client).await;
            note("an operator", status, passed(status), "to pass");
        }
        Gate::Service => {
            let status = world.ask(row, &world.maintainer.client).await;
            note("a person", status, status == 403, "403");
        }
        Gate::Roles(roles) => {
            let unseen = if roles.ends_with("!403") { 403 } else { 404 };
            // What is on the marketplace is seen by everybody.
            if row.path.starts_with("/api/v1/marketplace/") {
                return wrong;
            }
            let status = world.ask(row, &world.stranger.client).await;
            note("a stranger", status, status == unseen, &unseen.to_string());
            let everyone = [
                ('v', "a viewer", &world.viewer),
                ('r', "a reviewer", &world.reviewer),
                ('e', "an editor", &world.editor),
                ('m', "a maintainer", &world.maintainer),
            ];
            // First those who are refused, who change nothing; then the one with the least rights who may, who changes it.
            for (letter, who, person) in everyone.iter().filter(|(letter, ..)| !roles.contains(*letter)) {
                let status = world.ask(row, &person.client).await;
                let own = (row.path.ends_with("/withdraw") || row.path.ends_with("/answer")) && *letter == 'e'
                    || row.path.contains("/me/tokens/")
                    || row.path.contains("/me/sessions/")
                    || row.path.starts_with("/api/v1/invitations/");
                note(who, status, own || status == 403, "403");
            }
            if let Some((_, who, person)) = everyone.iter().find(|(letter, ..)| roles.contains(*letter)) {
                let status = world.ask(row, &person.client).await;
                note(who, status, passed(status), "to pass");
            }
        }
    }
    wrong
}

api_tests! {
    async fn every_operation_of_the_document_has_a_row(app: &TestApp) {
        let document = app.anonymous().get("/api/openapi.json").await.expect(200);
        let mut operations = BTreeSet::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for method in methods.as_object().unwrap().keys().filter(|key| ["get", "post", "put", "patch", "delete", "head"].contains(&key.as_str())) {
                operations.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
        let listed: BTreeSet<_> = rows().iter().map(|row| format!("{} {}", row.method, row.path)).collect();
        let missing: Vec<_> = operations.difference(&listed).filter(|one| !EXCEPTIONS.contains(&one.as_str())).collect();
        let gone: Vec<_> = listed.difference(&operations).collect();
        assert!(missing.is_empty() && gone.is_empty(), "without a row: {missing:#?}\nno longer in the document: {gone:#?}");
    }
}

macro_rules! judged {
    ($($part:ident: $number:literal;)+) => {$(
        api_tests! {
            async fn $part(app: &TestApp) {
                let mut wrong = Vec::new();
                let first = TestApp::start(app.database().fresh().await).await;
                let world = World::new(&first).await;
                let frozen = first.freeze().await;
                // Each row has a world of its own, and with it a server of its own, so that no row sees what another did.
                for row in rows().iter().skip($number).step_by(4) {
                    let fresh = frozen.thaw().await;
                    wrong.extend(judge(&fresh, &world.at(&fresh), row).await);
                    // Who is told what is the matter of other tests.
                    fresh.mails().await;
                    fresh.finish().await;
                }
                assert!(wrong.is_empty(), "{wrong:#?}");
            }
        }
    )+};
}

judged! {
    every_gate_lets_through_whom_it_should_first_part: 0;
    every_gate_lets_through_whom_it_should_second_part: 1;
    every_gate_lets_through_whom_it_should_third_part: 2;
    every_gate_lets_through_whom_it_should_fourth_part: 3;
}
