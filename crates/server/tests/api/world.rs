//! A consumer with three projects and a subscription that opens two of them, and the service's application.

use reqwest::Method;
use serde_json::{Value, json};
use stoa_actions::{Act, Caller, Stoa};
use stoa_domain::{
    events::{EventKind, Subject},
    ids::{ApplicationId, ContractId, GrantId, OrganizationId, PlanId, ProjectId, SecretId, ServiceId, SubscriptionId},
    organizations::Key,
    secrets::{Secret, SecretKind},
    subscriptions::Subscription,
};
use stoa_store::{organizations, params};
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

async fn organization(app: &TestApp, person: &Person, name: &str) -> OrganizationId {
    let made = person.post("/api/v1/organizations", json!({"name": name})).await.expect(201);
    let key = Key::read(made["id"].as_str().unwrap());
    let mut conn = app.stoa.db.read().await.unwrap();
    organizations::find_by(&mut conn, &key).await.unwrap().unwrap().id
}

fn begin(stoa: &Stoa) -> impl Future<Output = Act> + use<> {
    let (stoa, caller) = (stoa.clone(), Caller::system(stoa.clock.now()));
    async move { Act::begin(&stoa, caller).await.unwrap() }
}

impl World {
    /// Makes it, with permission to read and to write.
    pub async fn new(app: &TestApp) -> Self {
        let (ada, eve) = (app.person("ada").await, app.person("eve").await);
        let consumer = organization(app, &ada, "Grid Works").await;
        let provider = organization(app, &eve, "Forecasters").await;
        let mut act = begin(&app.stoa).await;
        let world = Self {
            consumer,
            provider,
            application: act.mint(),
            secret_id: act.mint(),
            secret: act.secret(SecretKind::ApplicationSecret),
            service: act.mint(),
            subscription: act.mint(),
            north: act.mint(),
            south: act.mint(),
            west: act.mint(),
            ada,
            eve,
        };
        world.projects(&mut act).await;
        world.offer(&mut act, Some(provider)).await;
        world.subscribe(&mut act).await;
        act.commit().await.unwrap();
        for project in [world.north, world.south] {
            world.grant(&app.stoa, project).await;
        }
        world
    }

    async fn projects(&self, act: &mut Act) {
        for (id, handle) in [(self.north, "north"), (self.south, "south"), (self.west, "west")] {
            act.tx
                .execute(
                    "insert into projects (organization_id, id, handle, name, description, created_at, updated_at)
                     values ($1, $2, $3, $3, '', $4, $4)",
                    params![self.consumer, id, handle, act.caller.now],
                )
                .await
                .unwrap();
        }
    }

    async fn offer(&self, act: &mut Act, owner: Option<OrganizationId>) {
        let now = act.caller.now;
        let person = owner.is_none().then_some(self.eve.id());
        let (contract, tx) = (act.mint::<ContractId>(), &mut act.tx);
        tx.execute(
            "insert into applications (id, organization_id, user_id, name, description, redirect_uris, created_at, updated_at)
             values ($1, $2, $3, 'Forecast', '', '[]', $4, $4)",
            params![self.application, owner, person, now],
        )
        .await
        .unwrap();
        tx.execute(
            "insert into application_secrets (application_id, id, secret_hash, hint, created_at) values ($1, $2, $3, 'abcd', $4)",
            params![self.application, self.secret_id, self.secret.hash(), now],
        )
        .await
        .unwrap();
        tx.execute(
            "insert into services (organization_id, id, handle, application_id, name, name_key, summary, description, categories,
                                   visibility, state, contract_id, created_at, updated_at, published_at)
             values ($1, $2, 'forecast', $3, 'Forecast', 'forecast', '', '', '[]', 'public', 'published', $4, $5, $5, $5)",
            params![self.provider, self.service, self.application, contract, now],
        )
        .await
        .unwrap();
        tx.execute(
            "insert into contracts (organization_id, id, service_id, version, level, permissions, price_hint, created_at)
             values ($1, $2, $3, 1, 'organization', $4, '', $5)",
            params![self.provider, contract, self.service, r#"["resources:read","resources:write"]"#, now],
        )
        .await
        .unwrap();
    }

    async fn subscribe(&self, act: &mut Act) {
        let plan: PlanId = act.mint();
        act.tx
            .execute(
                "insert into subscriptions (organization_id, id, provider_id, service_id, contract_id, plan_id, state, mode,
                                            include_future, note, requested_by, created_at, activated_at)
                 select $1, $2, s.organization_id, s.id, s.contract_id, $3, 'active', 'selected', 'no', '', $4, $5, $5
                 from services s where s.id = $6",
                params![self.consumer, self.subscription, plan, self.ada.id(), act.caller.now, self.service],
            )
            .await
            .unwrap();
    }

    /// Another service's world beside it: the application belongs to a person.
    pub async fn with_personal_application(app: &TestApp) -> Self {
        let world = Self::new(app).await;
        let mut act = begin(&app.stoa).await;
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

    /// Grants a project.
    pub async fn grant(&self, stoa: &Stoa, project: ProjectId) {
        let mut act = begin(stoa).await;
        let id: GrantId = act.mint();
        act.tx
            .execute(
                "insert into grants (organization_id, subscription_id, id, project_id, since) values ($1, $2, $3, $4, $5)",
                params![self.consumer, self.subscription, id, project, act.caller.now],
            )
            .await
            .unwrap();
        self.record(&mut act, EventKind::SubscriptionProjectsChanged);
        act.commit().await.unwrap();
    }

    /// Takes a project out.
    pub async fn take_out(&self, stoa: &Stoa, project: ProjectId) {
        let mut act = begin(stoa).await;
        act.tx
            .execute(
                "update grants set until = $4 where organization_id = $1 and subscription_id = $2 and project_id = $3 and until is null",
                params![self.consumer, self.subscription, project, act.caller.now],
            )
            .await
            .unwrap();
        self.record(&mut act, EventKind::SubscriptionProjectsChanged);
        act.commit().await.unwrap();
    }

    /// Puts the subscription into a state.
    pub async fn set_state(&self, stoa: &Stoa, state: &str) {
        let mut act = begin(stoa).await;
        act.tx
            .execute(
                "update subscriptions set state = $3 where organization_id = $1 and id = $2",
                params![self.consumer, self.subscription, state],
            )
            .await
            .unwrap();
        self.record(&mut act, EventKind::SubscriptionEnded);
        act.commit().await.unwrap();
    }

    fn record(&self, act: &mut Act, kind: EventKind) {
        act.record(&[self.consumer, self.provider], kind, Subject::new("subscription", self.subscription), json!({}));
    }

    /// Revokes the application's secret.
    pub async fn revoke_secret(&self, stoa: &Stoa) {
        let mut act = begin(stoa).await;
        let now = act.caller.now;
        act.tx
            .execute("update application_secrets set revoked_at = $2 where application_id = $1", params![self.application, now])
            .await
            .unwrap();
        stoa_store::tokens::delete_access_of(&mut act.tx, self.application, Some(self.secret_id)).await.unwrap();
        act.record(&[self.provider], EventKind::SecretRevoked, Subject::new("application", self.application), json!({}));
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
