//! The job itself: everything a consumer and a provider do, up to the usage that is reported.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    client::{Client, Failure, id, text},
    focus::{Charge, Focus, Index, Use},
    say,
};

/// The resource that each project gets.
pub const RESOURCE: &str = "readings.csv";
/// How many events one report holds.
const BATCH: usize = 100;

/// Everything that was made, at the positions it has in the file.
pub struct Made<'a> {
    /// What is in the file.
    pub focus: &'a Focus,
    /// Who owns the organizations that pay.
    pub owner: Client,
    /// The organizations' ids.
    pub organizations: Vec<String>,
    /// The projects' ids.
    pub projects: Vec<String>,
    /// The services' ids.
    pub services: Vec<String>,
    /// The subscriptions.
    pub subscriptions: Vec<Subscribed>,
}

/// A subscription that is in force, and the service that uses it.
pub struct Subscribed {
    /// What it is for.
    pub used: Use,
    /// Its id.
    pub id: String,
    /// The service, with a token for this subscription only.
    pub service: Client,
    /// Since when each project is granted, as the server says.
    pub since: BTreeMap<Index, String>,
}

/// The credentials of a provider's application.
struct Application {
    id: String,
    client_id: String,
    secret: String,
}

impl Made<'_> {
    /// The path of a project.
    pub fn project_path(&self, project: Index) -> String {
        let organization = &self.organizations[self.focus.projects[project].organization];
        format!("/api/v1/organizations/{organization}/projects/{}", self.projects[project])
    }

    /// The path of the resource of a project.
    pub fn resource_path(&self, project: Index) -> String {
        format!("{}/resources/{RESOURCE}", self.project_path(project))
    }
}

/// Does everything.
///
/// # Errors
/// [`Failure`] with what was asked and answered.
pub async fn run<'a>(focus: &'a Focus, source: &str, owner: &Client, provider: &Client) -> Result<Made<'a>, Failure> {
    let me = |answer: Value| text(&answer, "id").ok_or_else(|| Failure::lacks("GET /api/v1/me", "id", &answer));
    if me(owner.get("/api/v1/me", &[]).await?)? == me(provider.get("/api/v1/me", &[]).await?)? {
        say("owner and provider are one person, who decides on their own requests as the sole maintainer");
    }
    let (organizations, projects) = organizations(focus, owner).await?;
    let mut made = Made { focus, owner: owner.clone(), organizations, projects, services: Vec::new(), subscriptions: Vec::new() };
    resources(&made).await?;
    let applications = services(&mut made, provider).await?;
    subscribe(&mut made, provider, &applications).await?;
    report(&made, source).await?;
    Ok(made)
}

async fn organizations(focus: &Focus, owner: &Client) -> Result<(Vec<String>, Vec<String>), Failure> {
    let mut organizations = Vec::new();
    for name in &focus.organizations {
        organizations.push(owner.create("/api/v1/organizations", &json!({"name": name})).await?);
    }
    let mut projects = Vec::new();
    for project in &focus.projects {
        let path = format!("/api/v1/organizations/{}/projects", organizations[project.organization]);
        projects.push(owner.create(&path, &json!({"name": project.name})).await?);
    }
    say(&format!("{} organizations with {} projects", organizations.len(), projects.len()));
    Ok((organizations, projects))
}

/// What the resource of a project holds: no two are the same, so that reading the wrong one shows.
pub fn content(focus: &Focus, project: Index) -> String {
    let project = &focus.projects[project];
    format!("organization,project,reading\n{},{},1\n", focus.organizations[project.organization], project.name)
}

async fn resources(made: &Made<'_>) -> Result<(), Failure> {
    for project in 0..made.projects.len() {
        let body = content(made.focus, project);
        let path = made.resource_path(project);
        let upload = |request: reqwest::RequestBuilder| request.header("content-type", "text/csv").header("if-none-match", "*").body(body);
        made.owner.send(Method::PUT, &path, upload).await?.with(&[201])?;
    }
    say(&format!("{} resources uploaded, one to each project", made.projects.len()));
    Ok(())
}

async fn services(made: &mut Made<'_>, provider: &Client) -> Result<Vec<Application>, Failure> {
    let mut organizations = Vec::new();
    let mut applications = Vec::new();
    for name in &made.focus.providers {
        let organization = provider.create("/api/v1/organizations", &json!({"name": name})).await?;
        applications.push(application(provider, name, &organization).await?);
        organizations.push(organization);
    }
    for service in &made.focus.services {
        let meters: Vec<Value> = service
            .meters
            .iter()
            .map(|meter| json!({"name": meter.name, "unit": meter.unit, "unit_price": meter.unit_price.to_string()}))
            .collect();
        let body = json!({
            "application": applications[service.provider].id,
            "name": service.name,
            "summary": format!("{} at list prices", service.name),
            "description": format!("{} with {} prices.", service.name, meters.len()),
            "categories": service.categories.iter().map(|one| one.to_lowercase().replace(' ', "-")).collect::<Vec<_>>(),
            "visibility": "on_request",
            "contract": {
                "level": "organization",
                "permissions": ["resources:read"],
                "plans": [{"name": "List prices", "currency": service.currency, "meters": meters}],
            },
        });
        let id = provider.create(&format!("/api/v1/organizations/{}/services", organizations[service.provider]), &body).await?;
        provider.post(&format!("/api/v1/services/{id}/publish"), &json!({})).await?;
        made.services.push(id);
    }
    let meters: usize = made.focus.services.iter().map(|service| service.meters.len()).sum();
    say(&format!("{} providers with {} services and {meters} meters, published on request", organizations.len(), made.services.len()));
    Ok(applications)
}

async fn application(provider: &Client, name: &str, organization: &str) -> Result<Application, Failure> {
    let path = "/api/v1/applications";
    let answer = provider.post(path, &json!({"name": format!("{name} services"), "organization": organization})).await?;
    let (Some(id), Some(client_id)) = (text(&answer, "id"), text(&answer, "client_id")) else {
        return Err(Failure::lacks(path, "id and client_id", &answer));
    };
    let path = format!("{path}/{id}/secrets");
    let answer = provider.post(&path, &json!({})).await?;
    let secret = text(&answer, "secret").ok_or_else(|| Failure::lacks(path, "secret", &answer))?;
    Ok(Application { id, client_id, secret })
}

async fn subscribe(made: &mut Made<'_>, provider: &Client, applications: &[Application]) -> Result<(), Failure> {
    let mut asked = Vec::new();
    for used in made.focus.uses() {
        let path = format!("/api/v1/organizations/{}/subscriptions", made.organizations[used.organization]);
        let projects: Vec<&str> = used.projects.iter().map(|&project| made.projects[project].as_str()).collect();
        let body = json!({
            "service": made.services[used.service],
            "projects": {"mode": "selected", "projects": projects, "include_future": "no"},
            "accept_terms": true,
        });
        let answer = made.owner.post(&path, &body).await?;
        let (Some(id), Some(resource)) = (text(&answer, "id"), text(&answer, "resource")) else {
            return Err(Failure::lacks(path, "id and resource", &answer));
        };
        let Some(request) = self::id(&answer, "request") else { return Err(Failure::lacks(path, "request", &answer)) };
        if text(&answer, "state").as_deref() != Some("requested") {
            return Err(Failure::Unproved(format!("a subscription on request waits for the provider, but {answer}")));
        }
        asked.push((used, id, resource, request));
    }
    approve(provider, asked.iter().map(|(_, _, _, request)| request.as_str()).collect()).await?;
    for (used, id, resource, _) in asked {
        let path = format!("/api/v1/organizations/{}/subscriptions/{id}", made.organizations[used.organization]);
        let now = made.owner.get(&path, &[]).await?;
        if text(&now, "state").as_deref() != Some("active") {
            return Err(Failure::Unproved(format!("an approved subscription is active, but {now}")));
        }
        let application = &applications[made.focus.services[used.service].provider];
        let service = provider.service_token(&application.client_id, &application.secret, &resource).await?;
        let since = since(made, &used).await?;
        made.subscriptions.push(Subscribed { used, id, service, since });
    }
    say(&format!("{} subscriptions asked for, approved by their providers and in force", made.subscriptions.len()));
    Ok(())
}

/// The provider approves what stands in their inbox and was asked for here.
async fn approve(provider: &Client, requests: Vec<&str>) -> Result<(), Failure> {
    let inbox = provider.list("/api/v1/requests", &[("as", "approver"), ("state", "open")]).await?;
    let inbox: Vec<String> = inbox.iter().filter_map(|item| text(item, "id")).collect();
    for request in requests {
        if !inbox.iter().any(|waiting| waiting == request) {
            return Err(Failure::Unproved(format!("the request {request} stands in the provider's inbox")));
        }
        provider.post(&format!("/api/v1/requests/{request}/approve"), &json!({"comment": "Welcome"})).await?;
    }
    Ok(())
}

/// Since when each project of a subscription is granted. Usage is reported for that instant, because a server refuses
/// usage of a time without grant, and the times in the file lie long before.
async fn since(made: &Made<'_>, used: &Use) -> Result<BTreeMap<Index, String>, Failure> {
    let path = format!("/api/v1/organizations/{}/grants", made.organizations[used.organization]);
    let items = made.owner.list(&path, &[("service", &made.services[used.service])]).await?;
    let since: BTreeMap<String, String> = items.iter().filter_map(|item| Some((id(item, "project")?, text(item, "since")?))).collect();
    let of = |&project: &Index| {
        let id = &made.projects[project];
        let known =
            since.get(id).ok_or_else(|| Failure::Unproved(format!("project {id} is granted to service {}", made.services[used.service])));
        known.map(|since| (project, since.clone()))
    };
    used.projects.iter().map(of).collect()
}

/// A line as a CloudEvent; the time it was really used in goes along as extension attributes.
pub fn event(made: &Made<'_>, source: &str, to: &Subscribed, charge: &Charge) -> Value {
    json!({
        "specversion": "1.0",
        "type": "stoa.usage.v1",
        "source": source,
        "id": format!("line-{}", charge.line),
        "time": to.since.get(&charge.project),
        "subject": to.id,
        "chargeperiodstart": charge.start,
        "chargeperiodend": charge.end,
        "data": {
            "project": made.projects[charge.project],
            "meter": made.focus.services[charge.service].meters[charge.meter].name,
            "quantity": charge.quantity,
        },
    })
}

/// Sends a batch of events.
pub async fn send(service: &Client, events: &[Value]) -> Result<crate::client::Answer, Failure> {
    let body = Value::from(events).to_string();
    let complete = |request: reqwest::RequestBuilder| request.header("content-type", "application/cloudevents-batch+json").body(body);
    service.send(Method::POST, "/api/v1/usage", complete).await
}

async fn report(made: &Made<'_>, source: &str) -> Result<(), Failure> {
    let (mut reported, mut batches) = (0, 0);
    for to in &made.subscriptions {
        let events: Vec<Value> = made.focus.charges_of(&to.used).map(|charge| event(made, source, to, charge)).collect();
        for batch in events.chunks(BATCH) {
            let first = send(&to.service, batch).await?.with(&[200])?;
            counted(&first, batch.len(), 0)?;
            let again = send(&to.service, batch).await?.with(&[200])?;
            counted(&again, 0, batch.len())?;
            (reported, batches) = (reported + batch.len(), batches + 1);
        }
    }
    if reported != made.focus.charges.len() {
        return Err(Failure::Unproved(format!("each of the {} lines is reported once, but {reported} were", made.focus.charges.len())));
    }
    say(&format!("{reported} lines of usage reported in {batches} batches by the services; each batch sent twice and counted once"));
    Ok(())
}

fn counted(answer: &Value, accepted: usize, duplicates: usize) -> Result<(), Failure> {
    let is = |member: &str, number: usize| answer.get(member).and_then(Value::as_u64) == u64::try_from(number).ok();
    if is("accepted", accepted) && is("duplicates", duplicates) {
        return Ok(());
    }
    Err(Failure::Unproved(format!("a batch is accepted once: expected {accepted} accepted and {duplicates} duplicates, got {answer}")))
}
