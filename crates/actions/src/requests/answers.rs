//! Questions about requests and their answers, perhaps with other wishes.

use stoa_domain::{
    events::EventKind,
    ids::RequestId,
    policies::Need,
    requests::{Approvals, CannotDecide, Decision, Request, RequestKind, RequestState, Step},
    subscriptions::ChoiceInput,
    text::{self, Faults},
};
use stoa_store::{policies, requests};

use super::{COMMENT, Locked, NONE, Right, Said, closed, decide, locked, may, permission_to_ask, tell};
use crate::{
    Act, Error, Result, level_changes,
    subscriptions::{self, Changed, Terms},
};

/// Asks whoever made a request something about it. It then waits for the answer; until that comes it can still be decided.
///
/// # Errors
/// 401, 404, 403, 422; `request_closed`, `own_request` (409).
pub async fn ask(act: &mut Act, id: RequestId, question: &str) -> Result<Request> {
    let mut faults = Faults::new();
    let question = faults.check("/question", text::block(question, COMMENT));
    if question.as_deref() == Some("") {
        faults.add("/question", "write what you want to know; the requester reads it");
    }
    let locked = locked(act, id).await?;
    let right = may(act, &locked.seen).await?;
    let said = Said { decision: Decision::Asked, comment: faults.or(question)?, changes: Vec::new(), right };
    let policy = policies::find(&mut act.tx, locked.seen.request.organization).await?;
    let request = decide(act, &locked, NONE, &said, policy.request_days).await?;
    tell(act, &locked, &request, EventKind::RequestAsked, &said);
    Ok(request)
}

/// An answer, and what it changes of what is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// What to say.
    pub text: String,
    /// Another plan, by id or name.
    pub plan: Option<String>,
    /// Another choice of projects.
    pub projects: Option<ChoiceInput>,
    /// Another project, of a service at project level.
    pub project: Option<String>,
    /// The only projects for which a contract is accepted, by handle or id, of a request for a consent: others than before, or
    /// `None` for all.
    pub consented: Option<Option<Vec<String>>>,
    /// Another note.
    pub note: Option<String>,
    /// Whether the present terms are accepted; needed where the service has a newer contract than the request.
    pub accept_terms: bool,
}

impl Answer {
    /// What it would change, at its place in the API's JSON.
    fn given(&self) -> Vec<&'static str> {
        let given = [
            ("/plan", self.plan.is_some()),
            ("/projects", self.projects.is_some()),
            ("/project", self.project.is_some()),
            ("/consented", self.consented.is_some()),
            ("/note", self.note.is_some()),
        ];
        given.into_iter().filter(|(_, given)| *given).map(|(pointer, _)| pointer).collect()
    }
}

/// Answers the question about one's own request, perhaps with other wishes, which are judged like the first ones. Where more
/// is asked for than before, approvals that were there are void, and it begins with the organization's own again.
///
/// # Errors
/// 401, 404, 403, 422; `request_closed`, `nothing_asked`, `service_not_open`, `already_subscribed`, `wrong_state`, `no_offer`,
/// `offer_changed`, `already_accepted` (409).
pub async fn answer(act: &mut Act, id: RequestId, new: &Answer) -> Result<Request> {
    let mut faults = Faults::new();
    let text = faults.check("/text", text::block(&new.text, COMMENT));
    if text.as_deref() == Some("") {
        faults.add("/text", "write the answer; whoever asked reads it");
    }
    let mut locked = locked(act, id).await?;
    let user = act.caller.user_id()?;
    let Some(seat) = locked.seen.asking.clone().filter(|_| locked.seen.request.requested_by == user) else {
        return Err(Error::NotYours { detail: "only whoever made a request answers questions about it".into() });
    };
    match locked.seen.request.state {
        RequestState::NeedsInfo => {}
        RequestState::Open => return Err(CannotDecide::NothingAsked.into()),
        _ => return Err(closed(act, &locked.seen.request).await?),
    }
    let changed = match change(act, &mut locked, new).await {
        Ok(changed) => Some(changed),
        Err(Error::Invalid(more)) => {
            more.into_vec().into_iter().for_each(|fault| faults.add(fault.pointer, fault.detail));
            None
        }
        Err(other) => return Err(other),
    };
    let (text, changed) = faults.or(text.zip(changed))?;
    let policy = policies::find(&mut act.tx, locked.seen.request.organization).await?;
    let request = &locked.seen.request;
    let verdict = stoa_domain::permissions::verdict(seat.role, permission_to_ask(request, locked.subscription.as_ref()));
    let need = policy.need(&changed.terms.wish(seat.role, verdict, request.kind));
    let approvals = approvals(act, &locked, &need, changed.exceeds).await?;
    if need.is_needed() || !changed.words.is_empty() {
        locked.seen.request.rule = need.rule();
    }
    let said = Said { decision: Decision::Answered, comment: text, changes: changed.words, right: Right::default() };
    let request = decide(act, &locked, approvals, &said, policy.request_days).await?;
    tell(act, &locked, &request, EventKind::RequestAnswered, &said);
    Ok(request)
}

/// Which approvals count after an answer: those there were, unless more is asked for than they were given for.
async fn approvals(act: &mut Act, locked: &Locked, need: &Need, exceeds: bool) -> Result<Approvals> {
    let request = &locked.seen.request;
    let mut internal = request.step == Step::Internal || need.is_needed();
    let mut approved = Vec::new();
    for (_, record) in requests::decisions(&mut act.tx, &[request.id]).await? {
        if record.decision == Decision::Approved {
            internal |= record.step == Step::Internal;
            approved.extend((!record.void && !exceeds).then_some(record.step));
        }
    }
    if exceeds {
        for step in Step::ALL {
            requests::void_approvals(&mut act.tx, request.organization, request.id, *step).await?;
        }
    }
    let needed = Approvals::needed(internal, request.provider.is_some());
    Ok(approved.into_iter().fold(needed, Approvals::with))
}

/// Changes what is asked for, as far as the answer says so.
async fn change(act: &mut Act, locked: &mut Locked, new: &Answer) -> Result<Changed> {
    let request = &mut locked.seen.request;
    let given = new.given();
    let (may, detail) = changeable(request.kind);
    let mut faults = Faults::new();
    given.iter().filter(|pointer| !may.contains(pointer)).for_each(|pointer| faults.add(*pointer, detail));
    faults.or(Some(()))?;
    let (asked, changed) = match (request.kind, &locked.subscription) {
        (RequestKind::Subscribe, Some(subscription)) => {
            let (subscription, asked, changed) = subscriptions::resubmit(act, subscription, &locked.service, &request.asked, new).await?;
            request.note.clone_from(&subscription.note);
            request.asked = asked;
            locked.subscription = Some(subscription);
            return Ok(changed);
        }
        (RequestKind::AddProjects, Some(subscription)) => subscriptions::reask(act, request, subscription, new.projects.as_ref()).await?,
        _ if given.is_empty() => return Ok(Changed { terms: Terms::default(), words: Vec::new(), exceeds: false }),
        (RequestKind::ChangePlan, Some(subscription)) => subscriptions::reask_plan(act, request, subscription, new).await?,
        (RequestKind::AcceptContract, Some(subscription)) => subscriptions::reask_contract(act, request, subscription, new).await?,
        (RequestKind::ChangeLevel, _) => level_changes::reask(act, request, new).await?,
        _ => return Err(Error::NotFound("subscription")),
    };
    request.asked = asked;
    renote(request, new.note.as_deref(), changed)
}

/// What an answer may change of a request, at its place in the API's JSON, and what it says of all else.
const fn changeable(kind: RequestKind) -> (&'static [&'static str], &'static str) {
    match kind {
        RequestKind::Subscribe => (
            &["/plan", "/projects", "/project", "/note"],
            "a new subscription chooses its projects in projects; this is for consents to a contract",
        ),
        RequestKind::AddProjects => (&["/projects"], "a request of more projects can be changed in its projects only"),
        RequestKind::ChangePlan => (&["/plan", "/note"], "a request for another plan can be changed in its plan and note only"),
        RequestKind::AcceptContract | RequestKind::ChangeLevel => {
            let detail = "a consent can be changed in its plan, its note and the projects it is for; name those in consented";
            (&["/plan", "/consented", "/note"], detail)
        }
        RequestKind::Cancel | RequestKind::Publish => (&[], "there is nothing to change about this request; take it back and ask anew"),
    }
}

/// Another note of the requester, where the answer has one.
fn renote(request: &mut Request, note: Option<&str>, mut changed: Changed) -> Result<Changed> {
    let Some(note) = note else { return Ok(changed) };
    let mut faults = Faults::new();
    let note = faults.check("/note", text::block(note, subscriptions::NOTE));
    let note = faults.or(note)?;
    if note != request.note {
        changed.words.push("another note".to_owned());
        request.note = note;
    }
    Ok(changed)
}
