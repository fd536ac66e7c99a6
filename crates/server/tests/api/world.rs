//! A consumer with three projects and a subscription that opens two of them, and the service's application.

use std::str::FromStr;

use reqwest::Method;
use serde_json::{Value, json};
use stoa_actions::{Act, Caller, Stoa, applications, subscriptions};
use stoa_domain::{
    events::{EventKind, Subject},
    ids::{ApplicationId, OrganizationId, ProjectId, SecretId, ServiceId, SubscriptionId},
    organizations::Key,
    secrets::Secret,
    subscriptions::{ChoiceInput, Subscription},
};
use stoa_store::{grants, params};
use stoa_testkit::{Answer, Client, Person, TestApp};

/// What the builder made.
pub struct World {
    /// The consumer's maintainer.
    pub ada: Person,
    /// The provider's maintainer.
    pub eve: Person,
    pub consumer: OrganizationId,
    pub provider: OrganizationId,
    pub application: ApplicationId,
    pub secret_id: SecretId,
    pub secret: Secret,
    pub service: ServiceId,
    pub subscription: SubscriptionId,
    /// Granted.
    pub north: ProjectId,
    /// Granted.
    pub south: ProjectId,
    /// Not granted.
    pub west: ProjectId,
}

fn id<I: FromStr<Err: std::fmt::Debug>>(made: &Value) -> I {
    made["id"].as_str().unwrap().parse().unwrap()
}

impl World {
    /// Makes it, with permission to read and to write.
    pub async fn new(app: &TestApp) -> Self {
        let (ada, eve) = (app.person("ada").await, app.person("eve").await);
        let consumer = id(&ada.post("/api/v1/organizations", json!({"name": "Grid Works"})).await.expect(201));
        let provider = id(&eve.post("/api/v1/organizations", json!({"name": "Forecasters"})).await.expect(201));
        let project =
            async |name: &str| id(&ada.post("/api/v1/organizations/grid-works/projects", json!({"name": name})).await.expect(201));
        let (north, south, west) = (project("North").await, project("South").await, project("West").await);

        let new = json!({"name": "Forecast", "organization": "forecasters"});
        let application: ApplicationId = id(&eve.post("/api/v1/applications", new).await.expect(201));
        let secret = eve.post(&format!("/api/v1/applications/{application}/secrets"), json!({})).await.expect(201);
        let contract = json!({"level": "organization", "permissions": ["resources:read", "resources:write"],
            "plans": [{"name": "Basic", "currency": "EUR", "monthly": "10"}]});
        let new = json!({"application": application, "name": "Forecast", "summary": "Tomorrow", "description": "Tomorrow's values",
            "categories": ["energy"], "visibility": "public", "contract": contract});
        let service: ServiceId = id(&eve.post("/api/v1/organizations/forecasters/services", new).await.expect(201));
        eve.post(&format!("/api/v1/services/{service}/publish"), json!({})).await.expect(200);
        let projects = json!({"mode": "selected", "projects": [north, south]});
        let new = json!({"service": service, "projects": projects, "accept_terms": true});
        let subscribed = ada.post("/api/v1/organizations/grid-works/subscriptions", new).await.expect(201);
        assert_eq!(subscribed["state"], "active");
        Self {
            consumer,
            provider,
            application,
            secret_id: id(&secret),
            secret: Secret::read(secret["secret"].as_str().unwrap()).unwrap(),
            service,
            subscription: id(&subscribed),
            north,
            south,
            west,
            ada,
            eve,
        }
    }

    /// The same, with an application that belongs to a person.
    pub async fn with_personal_application(app: &TestApp) -> Self {
        let world = Self::new(app).await;
        let mut act = world.by_nobody(&app.stoa).await;
        act.tx
            .execute(
                "update applications set organization_id = null, user_id = $2 where id = $1",
                params![world.application, world.eve.id()],
            )
            .await
            .unwrap();
        act.commit().await.unwrap();
        world
    }

    async fn by_nobody(&self, stoa: &Stoa) -> Act {
        Act::begin(stoa, Caller::system(stoa.clock.now())).await.unwrap()
    }

    async fn by(&self, stoa: &Stoa, person: &Person) -> Act {
        Act::begin(stoa, Caller::user(person.user.clone(), stoa.clock.now())).await.unwrap()
    }

    /// Grants a project, on a node.
    pub async fn grant(&self, stoa: &Stoa, project: ProjectId) {
        self.choose(stoa, |granted| granted.push(project)).await;
    }

    /// Takes a project out, on a node.
    pub async fn take_out(&self, stoa: &Stoa, project: ProjectId) {
        self.choose(stoa, |granted| granted.retain(|one| *one != project)).await;
    }

    async fn choose(&self, stoa: &Stoa, change: impl FnOnce(&mut Vec<ProjectId>)) {
        let mut act = self.by(stoa, &self.ada).await;
        let live = grants::live(&mut act.tx, self.consumer, self.subscription, stoa.clock.now()).await.unwrap();
        let mut projects: Vec<_> = live.iter().map(|grant| grant.project).collect();
        change(&mut projects);
        let projects = projects.iter().map(ToString::to_string).collect();
        let input = ChoiceInput { mode: "selected".into(), projects, ..ChoiceInput::default() };
        subscriptions::change_projects(&mut act, &Key::Id(self.consumer), self.subscription, &input).await.unwrap();
        act.commit().await.unwrap();
    }

    /// Puts the subscription into a state, which may be one that no action leads to yet.
    pub async fn set_state(&self, stoa: &Stoa, state: &str) {
        let mut act = self.by_nobody(stoa).await;
        act.tx
            .execute(
                "update subscriptions set state = $3 where organization_id = $1 and id = $2",
                params![self.consumer, self.subscription, state],
            )
            .await
            .unwrap();
        let subject = Subject::new("subscription", self.subscription);
        act.record(&[self.consumer, self.provider], EventKind::SubscriptionEnded, subject, json!({}));
        act.commit().await.unwrap();
    }

    /// Revokes the application's secret, on a node.
    pub async fn revoke_secret(&self, stoa: &Stoa) {
        let mut act = self.by(stoa, &self.eve).await;
        applications::revoke_secret(&mut act, self.application, self.secret_id).await.unwrap();
        act.commit().await.unwrap();
    }

    /// The subscription's resource URI.
    pub fn resource(&self, app: &TestApp) -> String {
        Subscription::resource(&app.stoa.public_url, self.subscription)
    }

    /// Asks for something of OAuth with the application's credentials in the form.
    pub async fn form(&self, app: &TestApp, path: &str, fields: &[(&str, &str)]) -> Answer {
        let id = self.application.to_string();
        let mut form = vec![("client_id", id.as_str()), ("client_secret", self.secret.expose())];
        form.extend_from_slice(fields);
        let client = app.anonymous();
        client.send(client.request(Method::POST, path).form(&form)).await
    }

    /// A token of the subscription.
    pub async fn token(&self, app: &TestApp, scope: &str) -> String {
        let resource = self.resource(app);
        let fields = [("grant_type", "client_credentials"), ("resource", &resource), ("scope", scope)];
        let answer: Value = self.form(app, "/oauth2/token", &fields).await.expect(200);
        answer["access_token"].as_str().unwrap().to_owned()
    }

    /// A client with a token of the subscription.
    pub async fn service(&self, app: &TestApp, scope: &str) -> Client {
        app.anonymous().with_token(&self.token(app, scope).await)
    }
}
