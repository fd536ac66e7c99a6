//! Sample data: what `stoa demo` shows. Everything is made by the same actions as everywhere else, at instants of the past.

mod plan;

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};
use stoa_actions::{
    Act, Caller, Error, Result, ServiceCaller, Stoa, Who, applications, members, organizations, projects, requests, resources, services,
    subscriptions, usage, users,
};
use stoa_domain::{
    applications::NewApplication,
    contracts::NewContract,
    ids::{ApplicationId, SubscriptionId},
    naming::NewNaming,
    organizations::{DetailsInput, Key, NewOrganization},
    resources::Conditions,
    services::{NewService, ServiceText},
    subscriptions::ChoiceInput,
    time::{DAY, HOUR, Ts},
    usage::parse_batch,
    users::User,
};

use self::plan::{Plan, SampleOrganization, SampleService, SampleSubscription};

/// The password of everybody in the sample.
pub const PASSWORD: &str = "a sample password";

/// How long ago the sample begins, in days.
const BEGINS: i64 = 100;

/// Somebody who can sign in to the sample.
pub struct SignIn {
    /// What the person is in it.
    pub what: &'static str,
    /// The address.
    pub email: &'static str,
}

/// The ready-made sign-ins.
pub const SIGN_INS: [SignIn; 5] = [
    SignIn { what: "maintainer", email: "maintainer@grid.example" },
    SignIn { what: "editor", email: "editor@grid.example" },
    SignIn { what: "reviewer", email: "reviewer@grid.example" },
    SignIn { what: "viewer", email: "viewer@grid.example" },
    SignIn { what: "provider", email: "provider@forecasts.example" },
];

struct Sample<'a> {
    stoa: &'a Stoa,
    now: Ts,
    people: BTreeMap<String, User>,
    applications: BTreeMap<String, ApplicationId>,
}

/// Fills a fresh installation.
///
/// # Errors
/// What an action refuses, which would be a mistake in the sample.
pub async fn fill(stoa: &Stoa, now: Ts) -> Result<()> {
    let plan = Plan::read().map_err(|bad| Error::Unfit { code: "bad_sample", detail: bad.to_string() })?;
    let mut sample = Sample { stoa, now, people: BTreeMap::new(), applications: BTreeMap::new() };
    sample.people(&plan).await?;
    for organization in &plan.organizations {
        sample.organization(organization).await?;
    }
    for service in &plan.services {
        sample.service(service).await?;
    }
    for [organization, project, name, media_type, text] in &plan.resources {
        sample.resource(organization, project, name, media_type, text).await?;
    }
    for subscription in &plan.subscriptions {
        sample.subscription(subscription, &plan).await?;
    }
    Ok(())
}

impl Sample<'_> {
    /// The instant so many days ago, at nine in the morning, but never in the future.
    fn ago(&self, days: i64) -> Ts {
        Ts::from_micros((self.now.day().start().micros() - days * DAY + 9 * HOUR).min(self.now.micros()))
    }

    async fn act(&self, who: &str, at: Ts) -> Result<Act> {
        let user = self.people.get(who).ok_or(Error::NotFound("person of the sample"))?;
        Act::begin(self.stoa, Caller::user(user.clone(), at)).await
    }

    async fn people(&mut self, plan: &Plan) -> Result<()> {
        let new = plan.people.iter().map(|person| {
            let (email, name) = (person.email.clone(), Some(person.name.clone()));
            users::prepare(self.stoa, users::NewUser { email, name, password: Some(PASSWORD.to_owned()), operator: false })
        });
        let prepared = futures::future::try_join_all(new).await?;
        let mut act = Act::begin(self.stoa, Caller::system(self.ago(BEGINS))).await?;
        for (person, prepared) in plan.people.iter().zip(prepared) {
            let user = users::create(&mut act, prepared).await?;
            self.people.insert(person.key.clone(), user);
        }
        act.commit().await
    }

    async fn organization(&self, plan: &SampleOrganization) -> Result<()> {
        let mut act = self.act(&plan.maintainer, self.ago(BEGINS)).await?;
        let naming = NewNaming { name: plan.name.clone(), handle: Some(plan.handle.clone()), description: Some(plan.description.clone()) };
        let details = DetailsInput { billing_email: Some(plan.billing_email.clone()), ..DetailsInput::default() };
        organizations::create(&mut act, NewOrganization { naming, details }).await?;
        let key = Key::read(&plan.handle);
        let added: Vec<_> = plan
            .members
            .iter()
            .filter_map(|[who, role]| {
                Some(members::NewMember { email: self.people.get(who)?.email.clone(), name: String::new(), role: role.clone() })
            })
            .collect();
        if !added.is_empty() {
            members::add(&mut act, &key, &added, members::MOST_ADDED).await?;
        }
        for [name, handle, description] in &plan.projects {
            let new = NewNaming { name: name.clone(), handle: Some(handle.clone()), description: Some(description.clone()) };
            projects::create(&mut act, &key, new).await?;
        }
        act.commit().await
    }

    async fn service(&mut self, plan: &SampleService) -> Result<()> {
        let mut act = self.act("provider", self.ago(BEGINS - 1)).await?;
        let key = Key::read(&plan.provider);
        let new = NewApplication { name: format!("{} backend", plan.name), description: None, redirect_uris: Vec::new() };
        let application = applications::create(&mut act, Some(&key), new).await?.application.id;
        self.applications.insert(plan.key.clone(), application);
        let new = NewService {
            application: application.to_string(),
            text: ServiceText {
                name: plan.name.clone(),
                handle: Some(plan.key.clone()),
                summary: plan.summary.clone(),
                description: plan.description.clone(),
                categories: plan.categories.clone(),
            },
            visibility: plan.visibility.clone(),
            contract: NewContract {
                level: "organization".to_owned(),
                permissions: plan.permissions.clone(),
                terms_url: plan.terms_url.clone(),
                plans: plan.plans.clone(),
            },
        };
        services::create(&mut act, &key, new).await?;
        if plan.publish {
            services::publish(&mut act, &Key::read(&plan.key), "").await?;
        }
        act.commit().await
    }

    async fn resource(&self, organization: &str, project: &str, name: &str, media_type: &str, text: &str) -> Result<()> {
        let user = self.people.get("maintainer").ok_or(Error::NotFound("person of the sample"))?;
        let caller = Caller::user(user.clone(), self.ago(BEGINS - 3));
        let new = resources::NewResource {
            name: name.to_owned(),
            media_type: Some(media_type.to_owned()),
            length: None,
            conditions: Conditions::default(),
        };
        let body = futures::stream::iter([Ok::<_, Error>(Bytes::from(text.to_owned()))]);
        resources::write(self.stoa, &caller, &Key::read(organization), &Key::read(project), new, body).await?;
        Ok(())
    }

    async fn subscription(&self, plan: &SampleSubscription, all: &Plan) -> Result<()> {
        let asked = self.ago(plan.days_ago);
        let mut act = self.act(&plan.by, asked).await?;
        let new = subscriptions::NewSubscription {
            service: plan.service.clone(),
            plan: Some(plan.plan.clone()),
            projects: Some(ChoiceInput {
                mode: plan.mode.clone(),
                projects: plan.projects.clone(),
                include_future: Some(plan.include_future.clone()),
                ..ChoiceInput::default()
            }),
            project: None,
            accept_terms: true,
            label: String::new(),
            note: plan.note.clone(),
        };
        let done = subscriptions::subscribe(&mut act, &Key::read(&plan.organization), new).await?;
        act.commit().await?;
        let decided = Ts::from_micros((asked.micros() + 3 * HOUR).min(self.now.micros()));
        if let (Some(request), Some(approver)) = (&done.request, plan.approve.as_ref().or(plan.provider_approves.as_ref())) {
            let mut act = self.act(approver, decided).await?;
            requests::approve(&mut act, request.id, plan.comment.as_deref().unwrap_or("")).await?;
            act.commit().await?;
        }
        self.usage(plan, all, done.subscription.id, decided).await
    }

    /// A daily figure for each granted project: less at weekends, growing slowly, never the same.
    async fn usage(&self, plan: &SampleSubscription, all: &Plan, subscription: SubscriptionId, since: Ts) -> Result<()> {
        let granted = all.granted(plan);
        let mut events: Vec<Value> = Vec::new();
        for (meter, base, step) in plan.usage.iter().filter(|(meter, ..)| !meter.is_empty()) {
            for (index, project) in (0_i64..).zip(&granted) {
                let mut day = since.day().next();
                while day.start().plus(12 * HOUR) < self.now {
                    let number = day.number();
                    let weekend = matches!(number.rem_euclid(7), 2 | 3);
                    let usual =
                        base / (index + 1) + step * (number * 7 + index * 5).rem_euclid(11) + (number - since.day().number()) * step / 3;
                    let quantity = if weekend { usual / 3 } else { usual };
                    events.push(json!({
                        "specversion": "1.0", "id": format!("{meter}-{project}-{day}"), "source": format!("/{}", plan.service),
                        "type": "stoa.usage.v1", "time": day.start().plus(12 * HOUR), "subject": subscription,
                        "data": {"project": project, "meter": meter, "quantity": quantity.to_string()},
                    }));
                    day = day.next();
                }
            }
        }
        let application = *self.applications.get(&plan.service).ok_or(Error::NotFound("service of the sample"))?;
        let who = Who::Service(ServiceCaller { application, subscription: None, scope: Vec::new() });
        for batch in events.chunks(1_000) {
            let batch = parse_batch(batch, self.now)?;
            let caller = Caller { who: who.clone(), within: None, now: self.now, request_id: None };
            let mut act = Act::begin(self.stoa, caller).await?;
            usage::report(&mut act, &batch).await?;
            act.commit().await?;
        }
        Ok(())
    }
}
