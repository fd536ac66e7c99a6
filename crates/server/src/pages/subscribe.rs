//! Subscribing from the marketplace: the form, and what becomes of it.

use axum::{
    extract::Query,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use stoa_actions::{
    services::KeptPlan,
    subscriptions::{self, NeedOfPlan, NewSubscription, Offering},
};
use stoa_domain::{
    ids::{OrganizationId, ServiceId},
    organizations::Key,
    permissions::{Verdict, verdict},
    services::Level,
    setups::TIME_TO_SET_UP,
    subscriptions::{ChoiceInput, Mode, SubscriptionState},
    time::DAY,
};
use stoa_store::Conn;

use crate::extract::ApiPath;

use super::{
    Choice, Field, Flash, Pair, PlanView, ProjectPicker,
    form::{FormErrors, PageForm},
    hue, initials,
    marketplace::{SubscribeForm, SubscribePage},
    offers::{permission_lines, plan_view},
    page::{Page, PageResult},
};

/// For which organization.
#[derive(Debug, Default, Deserialize)]
pub struct For {
    /// Its handle; the first fitting one when absent.
    #[serde(default)]
    pub organization: String,
}

/// The form as it was sent.
#[derive(Debug, Default, Deserialize)]
pub struct Sent {
    /// For which organization, by handle.
    #[serde(default)]
    pub organization: String,
    /// The plan.
    #[serde(default)]
    pub plan: String,
    /// How the choice of projects is meant.
    #[serde(default)]
    pub mode: String,
    /// The projects marked.
    #[serde(default)]
    pub project: Vec<String>,
    /// What happens with future projects.
    #[serde(default)]
    pub include_future: String,
    /// `true` when the terms are accepted.
    #[serde(default)]
    pub accept_terms: String,
    /// What tells it apart from others of the same service.
    #[serde(default)]
    pub label: String,
    /// What the approvers shall read.
    #[serde(default)]
    pub note: String,
}

/// The choice of projects that a form sent. Without JavaScript it sends the list and what happens with future projects
/// even where the mode has no use for them.
#[must_use]
pub fn choice(mode: &str, projects: &[String], include_future: &str) -> ChoiceInput {
    let projects = if mode == Mode::All.word() { Vec::new() } else { projects.to_vec() };
    let future = Some(include_future.to_owned()).filter(|word| !word.is_empty() && mode != Mode::Selected.word());
    ChoiceInput { mode: mode.to_owned(), projects, include_future: future, ..ChoiceInput::default() }
}

/// `GET /marketplace/{service}/subscribe?organization=`.
pub async fn show(page: Page, ApiPath(service): ApiPath<String>, Query(query): Query<For>) -> PageResult {
    let mut conn = page.read().await?;
    let offering = offered(&mut conn, &page, &service, &query.organization).await?;
    let form = form(&offering);
    Ok(shown(&page, &mut conn, &offering, form).await?.into_response())
}

async fn offered(conn: &mut Conn, page: &Page, service: &str, organization: &str) -> PageResult<Offering> {
    let organization = Some(organization).filter(|key| !key.is_empty()).map(Key::<OrganizationId>::read);
    Ok(subscriptions::offering(conn, &page.caller, &Key::<ServiceId>::read(service), organization.as_ref()).await?)
}

async fn shown(page: &Page, conn: &mut Conn, offering: &Offering, form: SubscribeForm) -> PageResult<SubscribePage> {
    Ok(SubscribePage {
        shell: page.shell(conn, "marketplace").await?,
        url: format!("/marketplace/{}", offering.service.handle),
        name: offering.service.name.clone(),
        initials: initials(&offering.service.name),
        hue: hue(&offering.service.handle),
        provider: offering.provider.name.clone(),
        form,
    })
}

/// The empty form; also of the dialog on the service's page.
#[must_use]
pub fn form(offering: &Offering) -> SubscribeForm {
    let chosen = offering.chosen.as_ref();
    let is_project_level = offering.contract.level == Level::Project;
    let (internal, provider) = (offering.internal(), offering.provider_approves());
    let roles: Vec<_> = offering.permission().allowed_roles().into_iter().map(|role| format!("a {role}")).collect();
    let project = |one: &subscriptions::Candidate| Choice::new(one.handle.as_str(), one.name.as_str(), false);
    SubscribeForm {
        label: offering.manner.several.then(super::Field::default),
        url: format!("/marketplace/{}", offering.service.handle),
        errors: offering.closed.iter().map(|cause| super::form::sentence(cause)).collect(),
        organizations: offering
            .seats
            .iter()
            .map(|seat| &seat.organization)
            .map(|one| Choice::new(one.handle.as_str(), one.name.as_str(), chosen.is_some_and(|seat| seat.organization.id == one.id)))
            .collect(),
        role_note: match chosen {
            Some(seat) if verdict(seat.role, offering.permission()) != Verdict::Allowed => {
                let article = if seat.role.word().starts_with('e') { "an" } else { "a" };
                format!(
                    "You are {article} {} there: a reviewer or maintainer decides your request. At once could {}.",
                    seat.role,
                    roles.join(" or ")
                )
            }
            _ => String::new(),
        },
        plans: offering.plans.iter().enumerate().map(|(index, kept)| plan(offering, kept, index == 0)).collect(),
        is_project_level,
        picker: ProjectPicker {
            mode: Mode::Selected.word().to_owned(),
            include_future: "no".to_owned(),
            offers_ask: true,
            projects: offering.projects.iter().map(project).collect(),
            error: None,
        },
        permissions: permission_lines(&offering.contract.permissions),
        note: Field::default(),
        terms_url: offering.contract.terms_url.clone().unwrap_or_default(),
        accepted: false,
        terms_error: None,
        approval_note: approval_note(&offering.provider.name, provider, offering.manner.setup),
        button: if internal || provider { "Send request" } else { "Subscribe" }.to_owned(),
    }
}

/// What the provider does before a subscription comes into force.
fn approval_note(provider: &str, approves: bool, sets_up: bool) -> String {
    let days = TIME_TO_SET_UP / DAY;
    match (approves, sets_up) {
        (true, true) => format!("{provider} approves each subscription of this service and then sets it up, within {days} days."),
        (true, false) => format!("{provider} approves each subscription of this service."),
        (false, true) => format!("{provider} sets each subscription of this service up, within {days} days. Until then it costs nothing."),
        (false, false) => String::new(),
    }
}

/// A plan with what it takes in the chosen organization: from how many projects on a rule makes it wait.
fn plan(offering: &Offering, kept: &KeptPlan, checked: bool) -> PlanView {
    let mut view = plan_view(kept.id, &kept.plan, checked);
    if let Some(NeedOfPlan { projects, need, .. }) = offering.need(kept.id)
        && !need.rule().is_empty()
    {
        let from = if *projects > 1 { format!(" from {projects} projects on") } else { String::new() };
        view.lines.push(Pair::new(format!("Another person approves{from}:"), need.rule()));
    }
    view
}

/// `POST /marketplace/{service}/subscribe`.
pub async fn submit(page: Page, ApiPath(service): ApiPath<String>, PageForm(sent): PageForm<Sent>) -> PageResult {
    let mut act = page.begin().await?;
    let offering = offered(&mut act.tx, &page, &service, &sent.organization).await?;
    let Some(seat) = &offering.chosen else {
        let refused = FormErrors::at_field("/organization", "a service is subscribed by an organization; create one first");
        drop(act);
        return again(&page, &offering, &sent, refused).await;
    };
    let project_level = offering.contract.level == Level::Project;
    let new = NewSubscription {
        service: offering.service.id.to_string(),
        plan: Some(sent.plan.clone()),
        projects: (!project_level).then(|| choice(&sent.mode, &sent.project, &sent.include_future)),
        project: if project_level { sent.project.first().cloned() } else { None },
        accept_terms: sent.accept_terms == "true",
        label: sent.label.clone(),
        note: sent.note.clone(),
    };
    let organization = Key::Id(seat.organization.id);
    let done = match subscriptions::subscribe(&mut act, &organization, new).await {
        Ok(done) => done,
        Err(error) => {
            drop(act);
            return again(&page, &offering, &sent, FormErrors::of(error)?).await;
        }
    };
    let name = &offering.service.name;
    let flash = match &done.request {
        None if done.subscription.state == SubscriptionState::Provisioning => Flash::ok(format!(
            "{} sets {name} up for {}. It is in force once that is done.",
            offering.provider.name, seat.organization.name
        )),
        None => Flash::ok(format!("{name} is active for {}.", seat.organization.name)),
        Some(_) => Flash::ok(format!("Your request for {name} is on its way. This page tells who decides it.")),
    };
    let tab = if done.subscription.state.in_force() { "projects" } else { "permissions" };
    let to = format!("/organizations/{}/subscriptions/{}/{tab}", seat.organization.handle, done.subscription.id);
    page.done(act, to, flash).await
}

/// The form again with what was sent and what is wrong with it.
async fn again(page: &Page, offering: &Offering, sent: &Sent, mut errors: FormErrors) -> PageResult<Response> {
    let mut form = form(offering);
    for plan in &mut form.plans {
        plan.checked = plan.id == sent.plan;
    }
    for project in &mut form.picker.projects {
        project.checked = sent.project.contains(&project.value);
    }
    form.picker.mode.clone_from(&sent.mode);
    if !sent.include_future.is_empty() {
        form.picker.include_future.clone_from(&sent.include_future);
    }
    form.picker.error = ["/projects/projects", "/projects/mode", "/projects/include_future", "/project", "/projects"]
        .into_iter()
        .filter_map(|pointer| errors.take(pointer))
        .next();
    form.accepted = sent.accept_terms == "true";
    form.terms_error = errors.take("/accept_terms");
    form.note = errors.field("/note", sent.note.as_str());
    form.label = offering.manner.several.then(|| errors.field("/label", sent.label.as_str()));
    let status = errors.status;
    form.errors = errors.rest();
    let mut conn = page.read().await?;
    Ok(FormErrors::again(status, shown(page, &mut conn, offering, form).await?))
}
