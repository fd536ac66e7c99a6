//! One request: what is asked for, who said what about it, and the answer to a question.

use axum::response::IntoResponse;
use serde::Deserialize;
use stoa_actions::{
    requests::{self, Answer, Details},
    subscriptions::{self, Candidate},
};
use stoa_domain::{
    ids::{OrganizationId, RequestId},
    organizations::Key,
    requests::RequestKind,
    services::Level,
    subscriptions::{Mode, ProjectChoice},
};
use stoa_store::Conn;

use super::{
    Choice, Field, Flash, PlanView, ProjectPicker, Shell, filters,
    form::{FormErrors, PageForm},
    offers::plan_view,
    page::{Page, PageResult},
    requests::{RequestCard, Wrong, card, title},
    subscribe::choice,
};
use crate::extract::ApiPath;

/// `GET /requests/{request}`, and again with errors.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "request.html")]
pub struct RequestPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// What is asked for.
    pub title: String,
    /// The subscription's page, for those who may see it; may be empty.
    pub subscription: String,
    /// The request.
    pub request: RequestCard,
    /// The form to answer, where I may.
    pub answer: Option<AnswerForm>,
}

/// The answer to a question. It sends `text, plan, mode, project…, include_future, scope, consented…, note, accept_terms`.
#[derive(Debug, Clone, Default)]
pub struct AnswerForm {
    /// Where it is sent.
    pub action: String,
    /// Errors of the form as a whole.
    pub errors: Vec<String>,
    /// The answer.
    pub text: Field,
    /// Whether something else can be asked for.
    pub changes: bool,
    /// Whether the part for that is open.
    pub open: bool,
    /// The plans to choose from; empty where there is nothing to choose.
    pub plans: Vec<PlanView>,
    /// Whether it is for one project.
    pub is_project_level: bool,
    /// The choice of projects; none where that can't be changed.
    pub picker: Option<ProjectPicker>,
    /// The projects for which a contract is accepted, to be marked; empty where there is nothing to choose.
    pub consented: Vec<Choice>,
    /// Whether it can be for all, without naming them.
    pub offers_all: bool,
    /// Whether it is for the marked ones only.
    pub only: bool,
    /// What is wrong with those marked.
    pub consented_error: Option<String>,
    /// The note; none where that can't be changed.
    pub note: Option<Field>,
    /// Whether a newer contract must be accepted.
    pub new_terms: bool,
    /// Where its terms are; may be empty.
    pub terms_url: String,
    /// What is wrong with the acceptance.
    pub terms_error: Option<String>,
}

/// The answer as it was sent.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Sent {
    text: String,
    plan: String,
    mode: String,
    project: Vec<String>,
    include_future: String,
    scope: String,
    consented: Vec<String>,
    note: Option<String>,
    accept_terms: String,
}

impl Sent {
    fn answer(&self) -> Answer {
        let organization_level = !self.mode.is_empty();
        Answer {
            text: self.text.clone(),
            plan: Some(self.plan.clone()).filter(|plan| !plan.is_empty()),
            projects: organization_level.then(|| choice(&self.mode, &self.project, &self.include_future)),
            project: self.project.first().filter(|_| !organization_level).cloned(),
            consented: match self.scope.as_str() {
                "all" => Some(None),
                "some" => Some(Some(self.consented.clone())),
                _ => None,
            },
            note: self.note.clone(),
            accept_terms: self.accept_terms == "true",
        }
    }
}

/// `GET /requests/{request}`.
pub async fn show(page: Page, ApiPath(id): ApiPath<RequestId>) -> PageResult {
    Ok(shown(&page, id, None, None).await?.into_response())
}

/// The page, with what was sent and what is wrong with it.
pub(super) async fn shown(page: &Page, id: RequestId, sent: Option<(Sent, FormErrors)>, wrong: Option<&Wrong>) -> PageResult<RequestPage> {
    let mut conn = page.read().await?;
    let details = requests::get(&mut conn, &page.caller, id).await?;
    let standing = requests::standing(&mut conn, &page.caller, std::slice::from_ref(&details)).await?.pop().unwrap_or_default();
    let member = requests::is_of_asking(&mut conn, &page.caller, &details.request).await?;
    let subscription = details.request.subscription.filter(|_| member);
    let answer = if standing.may_answer { Some(answer_form(page, &mut conn, &details, sent).await?) } else { None };
    Ok(RequestPage {
        title: title(&details),
        subscription: subscription
            .map(|id| format!("/organizations/{}/subscriptions/{id}/permissions", details.organization.handle))
            .unwrap_or_default(),
        request: card(&details, &standing, &format!("/requests/{id}"), page.caller.now, wrong),
        answer,
        shell: page.shell(&mut conn, "requests").await?,
    })
}

fn picker(choice: &ProjectChoice, projects: &[Candidate]) -> ProjectPicker {
    let named = |one: &Candidate| Choice::new(one.handle.as_str(), one.name.as_str(), choice.projects.contains(&one.id));
    ProjectPicker {
        mode: choice.mode.word().to_owned(),
        include_future: choice.for_new_project().word().to_owned(),
        offers_ask: true,
        projects: projects.iter().map(named).collect(),
        error: None,
    }
}

async fn answer_form(page: &Page, conn: &mut Conn, details: &Details, sent: Option<(Sent, FormErrors)>) -> PageResult<AnswerForm> {
    let request = &details.request;
    let mut form = AnswerForm { action: format!("/requests/{}/answer", request.id), ..AnswerForm::default() };
    let organization = Key::<OrganizationId>::Id(request.organization);
    match (request.kind, &details.subscription, &request.asked.choice) {
        (RequestKind::Subscribe, Some(subscription), _) => {
            let offering = subscriptions::offering(conn, &page.caller, &Key::Id(request.service), Some(&organization)).await?;
            let name = details.offer.as_ref().map(|offer| offer.prices.name.as_str());
            let same = |id, plan: &str| id == subscription.plan || (offering.contract.id != subscription.contract && Some(plan) == name);
            form.plans = offering.plans.iter().map(|kept| plan_view(kept.id, &kept.plan, same(kept.id, &kept.plan.name))).collect();
            form.is_project_level = offering.contract.level == Level::Project;
            form.picker = Some(picker(&subscription.choice, &offering.projects));
            form.note = Some(Field::new(&subscription.note));
            form.new_terms = offering.contract.id != subscription.contract;
            form.terms_url = offering.contract.terms_url.clone().unwrap_or_default();
            form.errors = offering.closed.iter().map(|cause| super::form::sentence(cause)).collect();
        }
        (RequestKind::AddProjects, _, Some(asked)) => {
            let found = requests::alternatives(conn, &page.caller, details).await?;
            form.picker = Some(picker(asked, &found.projects));
        }
        (RequestKind::ChangePlan | RequestKind::AcceptContract | RequestKind::ChangeLevel, ..) => {
            let found = requests::alternatives(conn, &page.caller, details).await?;
            form.plans = found.plans.iter().map(|kept| plan_view(kept.id, &kept.plan, request.asked.plan == Some(kept.id))).collect();
            let only = request.asked.consented.as_ref();
            let marked = |one: &Candidate| only.is_none_or(|only| only.contains(&one.id));
            form.consented = found.projects.iter().map(|one| Choice::new(one.handle.as_str(), one.name.as_str(), marked(one))).collect();
            form.offers_all = request.kind == RequestKind::AcceptContract;
            form.only = only.is_some();
            form.note = Some(Field::new(&request.note));
        }
        _ => {}
    }
    form.changes = form.picker.is_some() || form.note.is_some();
    form.open = form.new_terms;
    if let Some((sent, errors)) = sent {
        put(&mut form, &sent, errors);
    }
    Ok(form)
}

/// Puts what was sent into the form, with what is wrong with it.
fn put(form: &mut AnswerForm, sent: &Sent, mut errors: FormErrors) {
    form.text = errors.field("/text", sent.text.as_str());
    for plan in &mut form.plans {
        plan.checked = plan.id == sent.plan;
    }
    if let Some(picker) = &mut form.picker {
        for project in &mut picker.projects {
            project.checked = sent.project.contains(&project.value);
        }
        if !sent.mode.is_empty() {
            picker.mode.clone_from(&sent.mode);
        }
        if !sent.include_future.is_empty() && sent.mode != Mode::Selected.word() {
            picker.include_future.clone_from(&sent.include_future);
        }
        let places = ["/projects/projects", "/projects/mode", "/projects/include_future", "/project", "/projects"];
        picker.error = places.into_iter().filter_map(|pointer| errors.take(pointer)).next();
    }
    for project in &mut form.consented {
        project.checked = sent.consented.contains(&project.value);
    }
    form.only = sent.scope == "some";
    form.consented_error = errors.take("/consented");
    if let (Some(note), Some(sent)) = (&mut form.note, &sent.note) {
        *note = errors.field("/note", sent.as_str());
    }
    form.terms_error = errors.take("/accept_terms");
    form.open = true;
    form.errors.extend(errors.rest());
}

/// `POST /requests/{request}/answer`.
pub async fn answer(page: Page, ApiPath(id): ApiPath<RequestId>, PageForm(sent): PageForm<Sent>) -> PageResult {
    let mut act = page.begin().await?;
    match requests::answer(&mut act, id, &sent.answer()).await {
        Ok(_) => {
            page.done(act, format!("/requests/{id}"), Flash::ok("Your answer is on its way. The request waits for a decision again.")).await
        }
        Err(error) => {
            drop(act);
            let errors = FormErrors::of(error)?;
            let status = errors.status;
            let page = shown(&page, id, Some((sent, errors)), None).await?;
            Ok(FormErrors::again(status, page))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AnswerForm, RequestPage};
    use crate::pages::{Field, sample};

    #[test]
    fn whoever_asked_answers_and_may_ask_for_something_else() {
        let mut request = sample::request("req_1", false);
        request.can_answer = true;
        request.question = "Which winter?".into();
        let mut page = RequestPage {
            shell: sample::shell("requests"),
            title: request.title.clone(),
            subscription: "/organizations/aurelia/subscriptions/sub_1/permissions".into(),
            request,
            answer: Some(AnswerForm {
                action: "/requests/req_1/answer".into(),
                text: Field::wrong("", "Write the answer."),
                changes: true,
                plans: vec![sample::plan("Standard", true)],
                picker: Some(sample::picker("selected")),
                note: Some(Field::new("For the winter plan.")),
                new_terms: true,
                ..AnswerForm::default()
            }),
        };
        let html = sample::render("request", &page);
        for part in ["Which winter?", "Write the answer.", "/requests/req_1/answer", "accept_terms", "Grid planning"] {
            assert!(html.contains(part), "{part}: {html}");
        }
        page.answer = None;
        page.request = sample::request("req_1", true);
        assert!(sample::render("request-decider", &page).contains("/requests/req_1/ask"));
    }
}
