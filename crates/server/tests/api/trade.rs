//! An organization with projects and a provider with services: what tests of subscriptions, requests and grants begin with.

use reqwest::Method;
use serde_json::{Value, json};
use stoa_testkit::{Answer, Client, Person, TestApp};

/// Grid consumes, Borealis provides.
pub struct Trade {
    /// Maintainer of Grid.
    pub mia: Person,
    /// Editor of Grid.
    pub eva: Person,
    /// Reviewer of Grid.
    pub rob: Person,
    /// Viewer of Grid.
    pub vic: Person,
    /// Maintainer of Borealis.
    pub pia: Person,
    /// Reviewer of Borealis.
    pub pat: Person,
    /// Viewer of Borealis.
    pub pol: Person,
    /// Member of nothing.
    pub sam: Person,
    application: String,
}

impl Trade {
    /// Both organizations with their members, and the projects `north`, `south`, `east` of Grid.
    pub async fn new(app: &TestApp) -> Self {
        let (mia, eva, rob, vic) = tokio::join!(app.person("mia"), app.person("eva"), app.person("rob"), app.person("vic"));
        let (pia, pat, pol, sam) = tokio::join!(app.person("pia"), app.person("pat"), app.person("pol"), app.person("sam"));
        mia.post("/api/v1/organizations", json!({"name": "Grid"})).await.expect(201);
        pia.post("/api/v1/organizations", json!({"name": "Borealis"})).await.expect(201);
        let member = |person: &Person, role: &str| json!({"email": person.user.email, "role": role});
        let members = json!({"members": [member(&eva, "editor"), member(&rob, "reviewer"), member(&vic, "viewer")]});
        mia.post("/api/v1/organizations/grid/members", members).await.expect(200);
        let members = json!({"members": [member(&pat, "reviewer"), member(&pol, "viewer")]});
        pia.post("/api/v1/organizations/borealis/members", members).await.expect(200);
        let body = json!({"name": "Engine", "organization": "borealis"});
        let application = id(&pia.post("/api/v1/applications", body).await.expect(201));
        let trade = Self { mia, eva, rob, vic, pia, pat, pol, sam, application };
        for name in ["North", "South", "East"] {
            trade.project(name).await;
        }
        trade
    }

    /// A new project of Grid; answers its id.
    pub async fn project(&self, name: &str) -> String {
        id(&self.mia.post("/api/v1/organizations/grid/projects", json!({"name": name})).await.expect(201))
    }

    /// A secret of the application of all services of Borealis; answers the application's id and the secret.
    pub async fn credentials(&self) -> (String, String) {
        let path = format!("/api/v1/applications/{}/secrets", self.application);
        let made = self.pia.post(&path, json!({})).await.expect(201);
        (self.application.clone(), made["secret"].as_str().unwrap().to_owned())
    }

    /// A published service of Borealis with the plan `Basic`; answers its id.
    pub async fn service(&self, name: &str, visibility: &str) -> String {
        let service = self.draft(name, visibility, "organization", &["Basic"]).await;
        self.pia.post(&format!("/api/v1/services/{service}/publish"), json!({})).await.expect(200);
        service
    }

    /// A service of Borealis that is not published yet; answers its id.
    pub async fn draft(&self, name: &str, visibility: &str, level: &str, plans: &[&str]) -> String {
        let plans: Vec<_> = plans.iter().map(|name| json!({"name": name, "currency": "EUR", "monthly": "10"})).collect();
        let body = json!({"application": self.application, "name": name, "summary": "Reads", "description": "Reads data",
            "categories": ["energy"], "visibility": visibility,
            "contract": {"level": level, "permissions": ["resources:read"], "plans": plans}});
        id(&self.pia.post("/api/v1/organizations/borealis/services", body).await.expect(201))
    }

    /// Asks to subscribe for Grid.
    pub async fn subscribe(&self, who: &Person, service: &str, projects: Value) -> Answer {
        let body = json!({"service": service, "projects": projects, "accept_terms": true});
        who.post("/api/v1/organizations/grid/subscriptions", body).await
    }

    /// An active subscription of Grid; answers its id.
    pub async fn active(&self, service: &str, projects: Value) -> String {
        let made = self.subscribe(&self.mia, service, projects).await.expect(201);
        assert_eq!(made["state"], "active", "{made}");
        id(&made)
    }

    /// A subscription as the viewer sees it.
    pub async fn read(&self, subscription: &str) -> Value {
        self.vic.get(&format!("/api/v1/organizations/grid/subscriptions/{subscription}")).await.expect(200)
    }

    /// The handles of the projects granted now, sorted.
    pub async fn granted(&self, subscription: &str) -> Vec<String> {
        let read = self.read(subscription).await;
        let live = read["grants"].as_array().unwrap().iter().filter(|grant| grant["until"].is_null());
        let mut handles: Vec<_> = live.map(|grant| grant["project"]["handle"].as_str().unwrap().to_owned()).collect();
        handles.sort();
        handles
    }

    /// Sets the choice of projects.
    pub async fn choose(&self, who: &Person, subscription: &str, projects: Value) -> Answer {
        who.put(&format!("/api/v1/organizations/grid/subscriptions/{subscription}/projects"), projects).await
    }

    /// Cancels a subscription.
    pub async fn cancel(&self, who: &Person, subscription: &str) -> Answer {
        who.post(&format!("/api/v1/organizations/grid/subscriptions/{subscription}/cancel"), json!({})).await
    }
}

/// The id of an answered object.
pub fn id(of: &Value) -> String {
    of["id"].as_str().unwrap_or_else(|| panic!("no id in {of}")).to_owned()
}

/// Decides a request: `approve`, `reject`, `withdraw`.
pub async fn decide(who: &Client, request: &str, verb: &str) -> Answer {
    let body = if verb == "reject" { json!({"reason": "too much"}) } else { json!({}) };
    who.send(who.request(Method::POST, &format!("/api/v1/requests/{request}/{verb}")).json(&body)).await
}

/// The events of an organization after a sequence: type and data.
pub async fn events(who: &Person, organization: &str, kind: &str) -> Vec<Value> {
    let page = who.get(&format!("/api/v1/organizations/{organization}/events?type={kind}&limit=200")).await.expect(200);
    page["items"].as_array().unwrap().clone()
}

/// Names of a list of objects.
pub fn names(of: &Value) -> Vec<&str> {
    of.as_array().unwrap_or_else(|| panic!("no list: {of}")).iter().map(|one| one["name"].as_str().unwrap()).collect()
}
