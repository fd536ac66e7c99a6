//! The whole server on loopback, over a database of the test's own, with a clock that stands still until it is moved.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use axum::http::HeaderName;
use sha2::{Digest, Sha256};
use stoa_access::Access;
use stoa_actions::{Act, Caller, Clock, Entropy, Limits, Plans, Stoa, providers::Provider, resources, tokens, users};
use stoa_domain::{
    events::{ChainCheck, EventFilter},
    ids::{MailId, UserId},
    looks::Looks,
    mail::{Mail, Outgoing},
    time::Ts,
    tokens::{LONGEST_DAYS, Lifetime},
    users::{SignUp, User},
};
use stoa_server::{
    App,
    mail::{self as letters, Mailer, Rendered},
};
use stoa_store::{
    blobs::{self, Blobs},
    events, logs, mail,
};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{TestDb, client::Client};

/// The password of every person in tests.
pub const PASSWORD: &str = "correct horse battery";

/// A clock that stands still until it is moved.
pub struct TestClock(AtomicI64);

impl TestClock {
    /// Moves it on by so many microseconds.
    pub fn advance(&self, micros: i64) {
        self.0.fetch_add(micros, Ordering::SeqCst);
    }

    /// Sets it to an RFC 3339 instant.
    pub fn set(&self, instant: &str) {
        self.0.store(instant.parse::<Ts>().expect("an instant").micros(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Ts {
        Ts::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// Randomness that is the same in every run of a test.
struct TestEntropy(AtomicU64);

impl Entropy for TestEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let number = self.0.fetch_add(1, Ordering::SeqCst);
            chunk.copy_from_slice(&Sha256::digest(number.to_be_bytes())[..chunk.len()]);
        }
    }
}

/// A running server.
pub struct TestApp {
    /// Its address, such as `http://127.0.0.1:40123`.
    pub url: String,
    /// What it works with.
    pub stoa: Stoa,
    /// Its clock; begins at 2026-03-10T12:00:00Z.
    pub clock: Arc<TestClock>,
    entropy: Arc<TestEntropy>,
    http: reqwest::Client,
    server: JoinHandle<()>,
    database: TestDb,
    folder: tempfile::TempDir,
    taken: Mutex<BTreeSet<MailId>>,
    finished: bool,
}

/// What an operator may configure.
#[derive(Default)]
pub struct Setup {
    /// What sends mails.
    pub mailer: Option<Arc<Mailer>>,
    /// Who may make an account.
    pub sign_up: SignUp,
    /// Whether operators review services before they are published.
    pub review_services: bool,
    /// The header in which a proxy writes where a request comes from.
    pub address_header: Option<HeaderName>,
}

/// A mail of the outbox, as a test takes it.
#[derive(Debug, Clone)]
pub struct TakenMail {
    /// The address it goes to.
    pub to: String,
    /// What it says.
    pub mail: Mail,
    /// Its words.
    pub rendered: Rendered,
}

impl TakenMail {
    /// Path and query of its link that carries a secret.
    #[track_caller]
    pub fn link(&self) -> String {
        let link = self.mail.clone().secret_link().cloned().unwrap_or_else(|| panic!("{:?} has no such link", self.mail));
        let path = link.splitn(4, '/').nth(3).expect("an absolute address");
        format!("/{path}")
    }
}

/// A person in a test: the account and a client with its token.
#[derive(Clone)]
pub struct Person {
    /// The account.
    pub user: User,
    /// The client.
    pub client: Client,
}

impl std::ops::Deref for Person {
    type Target = Client;
    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Person {
    /// The account's id.
    pub fn id(&self) -> UserId {
        self.user.id
    }

    /// The same person before another server that knows the token.
    #[must_use]
    pub fn at(&self, app: &TestApp) -> Self {
        let token = self.client.token().expect("a person's client has a token");
        Self { user: self.user.clone(), client: app.anonymous().with_token(token) }
    }
}

impl TestApp {
    /// Starts a server over a database.
    pub async fn start(database: TestDb) -> Self {
        Self::start_with(database, Setup::default()).await
    }

    /// Starts a server as an operator configured it.
    pub async fn start_with(database: TestDb, setup: Setup) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let clock = TestClock(AtomicI64::new(0));
        clock.set("2026-03-10T12:00:00Z");
        Self::serve(database, folder, clock, TestEntropy(AtomicU64::new(0)), setup).await
    }

    async fn serve(database: TestDb, folder: tempfile::TempDir, clock: TestClock, entropy: TestEntropy, setup: Setup) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (clock, entropy) = (Arc::new(clock), Arc::new(entropy));
        let stoa = Stoa {
            db: database.db.clone(),
            blobs: Blobs::directory(folder.path()).expect("a folder for blobs"),
            access: Access::new(database.db.clone()),
            plans: Plans::default(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            public_url: url.as_str().into(),
            providers: Arc::new([]),
            limits: Limits { resource_bytes: 1024 * 1024 },
            sign_up: setup.sign_up,
            review_services: setup.review_services,
        };
        let router = stoa_server::router(App::new(stoa.clone()).with_mailer(setup.mailer).with_address_header(setup.address_header));
        let server = tokio::spawn(async move {
            axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await.expect("the server runs");
        });
        Self { url, stoa, clock, entropy, http: http(), server, database, folder, taken: Mutex::default(), finished: false }
    }

    /// A client without credentials.
    pub fn anonymous(&self) -> Client {
        Client::new(&self.url, self.http.clone(), None)
    }

    /// A person with an account, `<name>@people.example`, and a personal token.
    pub async fn person(&self, name: &str) -> Person {
        let new = users::NewUser { email: format!("{name}@people.example"), name: Some(name.to_owned()), ..Default::default() };
        self.account(new).await
    }

    /// A person with a [`PASSWORD`] too, who can sign in.
    pub async fn person_with_password(&self, name: &str) -> Person {
        let email = format!("{name}@people.example");
        self.account(users::NewUser { email, name: Some(name.to_owned()), password: Some(PASSWORD.into()), operator: false }).await
    }

    /// A person with a [`PASSWORD`] who runs the installation.
    pub async fn operator(&self, name: &str) -> Person {
        let email = format!("{name}@people.example");
        self.account(users::NewUser { email, name: Some(name.to_owned()), password: Some(PASSWORD.into()), operator: true }).await
    }

    async fn account(&self, new: users::NewUser) -> Person {
        // Accounts sort by the time of their creation, so each gets a millisecond of its own.
        self.clock.advance(1_000);
        let prepared = users::prepare(&self.stoa, new).await.expect("a valid account");
        let mut act = Act::begin(&self.stoa, Caller::system(self.stoa.clock.now())).await.expect("a transaction");
        let user = users::create(&mut act, prepared).await.expect("an account");
        act.commit().await.expect("a commit");
        let client = self.token_of(&user).await;
        Person { user, client }
    }

    /// A client with a new personal token of somebody, which lives as long as one may: for tests that let it become late.
    pub async fn token_of(&self, user: &User) -> Client {
        let mut act = Act::begin(&self.stoa, Caller::system(self.clock.now())).await.expect("a transaction");
        let token = tokens::NewToken { name: "test".into(), lifetime: Lifetime::Days(LONGEST_DAYS), ..Default::default() };
        let (_, secret) = tokens::create_for(&mut act, user.id, token).await.expect("a token");
        act.commit().await.expect("a commit");
        self.anonymous().with_token(secret.expose())
    }

    /// Another server on the same installation, which knows other providers of accounts.
    pub async fn with_providers(&self, providers: Vec<Provider>) -> Node {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let stoa = Stoa { public_url: url.as_str().into(), providers: providers.into(), ..self.stoa.clone() };
        let router = stoa_server::router(App::new(stoa));
        let server = tokio::spawn(async move {
            axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await.expect("the server runs");
        });
        Node { url, server }
    }

    /// A browser without a session: follows no redirects, keeps cookies.
    pub fn browser(&self) -> Client {
        let http = builder().cookie_store(true).redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        Client::new(&self.url, http, None)
    }

    /// A browser in which a person (made by [`TestApp::person_with_password`]) has signed in.
    pub async fn signed_in(&self, person: &Person) -> Client {
        let browser = self.browser();
        let form = [("email", person.user.email.as_str()), ("password", PASSWORD)];
        let answer = browser.send(browser.request(reqwest::Method::POST, "/sign-in").form(&form)).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        browser
    }

    /// Writes the mails that the logs call for; nothing else does in a test.
    pub async fn write_mails(&self) {
        letters::write(&self.stoa, &mut Looks::default()).await.expect("the logs");
    }

    /// Takes all mails of the outbox that were not taken before, oldest first. What nobody takes fails the test.
    pub async fn mails(&self) -> Vec<TakenMail> {
        let taken = self.untaken().await;
        let mut known = self.taken.lock().expect("no test panics while it holds this");
        known.extend(taken.iter().map(|outgoing| outgoing.id));
        let show = |outgoing: Outgoing| TakenMail {
            to: outgoing.recipient,
            rendered: letters::render(&outgoing.mail, &self.stoa.public_url),
            mail: outgoing.mail,
        };
        taken.into_iter().map(show).collect()
    }

    /// Takes the one mail there is, which must go to this address.
    #[track_caller]
    pub fn mail_to<'a>(&'a self, address: &'a str) -> impl Future<Output = TakenMail> + 'a {
        let asked = std::panic::Location::caller();
        async move {
            let mut mails = self.mails().await;
            let fits = mails.len() == 1 && mails[0].to == address;
            assert!(fits, "{asked}: expected one mail to {address}, found {mails:#?}");
            mails.remove(0)
        }
    }

    async fn untaken(&self) -> Vec<Outgoing> {
        let mut conn = self.stoa.db.read().await.expect("a connection");
        let mut mails = mail::list(&mut conn, None, None, i64::MAX).await.expect("the outbox");
        let known = self.taken.lock().expect("no test panics while it holds this");
        mails.retain(|outgoing| !known.contains(&outgoing.id));
        mails.sort_by_key(|outgoing| (outgoing.created_at, outgoing.id));
        mails
    }

    /// How many SQL statements have run; the difference around a request is what the request cost.
    pub fn statements(&self) -> u64 {
        self.stoa.db.statements()
    }

    /// The keys of all bytes in the object store, in their order; half-finished uploads too.
    pub async fn blob_keys(&self) -> Vec<String> {
        let root = self.folder.path().to_owned();
        let walk = move || {
            let mut keys = Vec::new();
            let mut folders = vec![root.clone()];
            while let Some(folder) = folders.pop() {
                for entry in std::fs::read_dir(folder).expect("a folder") {
                    let path = entry.expect("an entry").path();
                    if path.is_dir() {
                        folders.push(path);
                    } else {
                        keys.push(path.strip_prefix(&root).expect("a path within").to_string_lossy().replace('\\', "/"));
                    }
                }
            }
            keys.sort();
            keys
        };
        tokio::task::spawn_blocking(walk).await.expect("a walk")
    }

    /// Ends the test: each log must be whole, and nothing may be left to do.
    pub async fn finish(mut self) {
        self.finished = true;
        let mut conn = self.stoa.db.read().await.expect("a connection");
        for head in logs::heads_since(&mut conn, Ts::from_micros(0)).await.expect("heads") {
            let mut check = ChainCheck::default();
            let mut after = 0;
            loop {
                let page = events::after(&mut conn, head.organization, after, &EventFilter::default(), 1_000).await.expect("events");
                let Some(last) = page.last() else { break };
                after = last.sequence;
                page.iter().for_each(|event| check.see(event));
            }
            assert_eq!(check.finish(head.sequence, head.hash), [], "the log of {} is broken", head.organization);
        }
        resources::sweep(&self.stoa, self.stoa.clock.now().plus(2 * resources::KEEP_ABANDONED)).await.expect("a sweep");
        let left = blobs::count_abandoned(&mut conn).await.expect("abandoned blobs");
        assert_eq!(left, 0, "blobs were abandoned and not swept");
        let referenced = blobs::referenced(&mut conn, "", i64::MAX).await.expect("blobs of resources");
        assert_eq!(self.blob_keys().await, referenced, "the bytes kept are not those of the resources");
        drop(conn);
        let unexpected: Vec<_> = self.untaken().await.into_iter().map(|outgoing| (outgoing.recipient, outgoing.mail)).collect();
        assert!(unexpected.is_empty(), "mails that the test did not expect (take them with TestApp::mails): {unexpected:#?}");
        self.server.abort();
    }

    /// Stops the server, so that others can begin where it stood.
    pub async fn freeze(mut self) -> Frozen {
        self.finished = true;
        self.server.abort();
        self.database.close().await;
        Frozen(self)
    }

    /// The database under it.
    pub fn database(&self) -> &TestDb {
        &self.database
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.server.abort();
        if !self.finished && !std::thread::panicking() {
            panic!("call TestApp::finish at the end of the test (api_tests! does)");
        }
    }
}

/// A stopped server. What is slow to make is made once, and each of the servers that begin here has it for itself.
pub struct Frozen(TestApp);

impl Frozen {
    /// A server with a copy of all there was: the database, the files, the clock and the mails taken.
    pub async fn thaw(&self) -> TestApp {
        let Self(app) = self;
        let folder = tempfile::tempdir().expect("a temporary folder");
        for key in app.blob_keys().await {
            let (from, to) = (app.folder.path().join(&key), folder.path().join(&key));
            std::fs::create_dir_all(to.parent().expect("a folder")).expect("make a folder");
            std::fs::copy(from, to).expect("copy a file");
        }
        let clock = TestClock(AtomicI64::new(app.clock.now().micros()));
        let entropy = TestEntropy(AtomicU64::new(app.entropy.0.load(Ordering::SeqCst)));
        let copy = TestApp::serve(app.database.copy().await, folder, clock, entropy, Setup::default()).await;
        let taken = app.taken.lock().expect("no test panics while it holds this").clone();
        *copy.taken.lock().expect("no test panics while it holds this") = taken;
        copy
    }
}

/// Another server on a test's installation, running until it is dropped.
pub struct Node {
    /// Its address.
    pub url: String,
    server: JoinHandle<()>,
}

impl Node {
    /// A browser without a session: follows no redirects, keeps cookies.
    pub fn browser(&self) -> Client {
        let http = builder().cookie_store(true).redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        Client::new(&self.url, http, None)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where tests make their HTTP client; it talks to loopback only")]
fn builder() -> reqwest::ClientBuilder {
    // Nothing here speaks TLS; reading the system's certificates would take longer than most tests.
    reqwest::Client::builder().no_proxy().tls_certs_only([])
}

fn http() -> reqwest::Client {
    builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client")
}

/// Tests of the whole server: each `async fn name(app: &TestApp) { … }` becomes a module with a test per engine, which
/// checks at its end that each log is whole and nothing is left to do.
#[macro_export]
macro_rules! api_tests {
    ($($(#[$attribute:meta])* async fn $name:ident($app:ident : &TestApp) $body:block)+) => {$(
        mod $name {
            use super::*;

            $(#[$attribute])*
            async fn body($app: &$crate::TestApp) $body

            #[test]
            fn sqlite() {
                $crate::databases::run(async {
                    let app = $crate::TestApp::start($crate::databases::sqlite().await).await;
                    body(&app).await;
                    app.finish().await;
                });
            }

            #[test]
            fn postgres() {
                $crate::databases::run(async {
                    let app = $crate::TestApp::start($crate::databases::postgres().await).await;
                    body(&app).await;
                    app.finish().await;
                });
            }
        }
    )+};
}
