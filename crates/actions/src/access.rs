//! Decisions: whether a token or a person may do something with an organization's data, and why.

use std::collections::{BTreeSet, HashMap};

use stoa_access::{Decision, ProjectRef, Subscribed};
use stoa_domain::{
    access::{Action, Reason, Standing, decide_within},
    ids::{ApplicationId, OrganizationId, ProjectId, ServiceId, SubscriptionId, UserId},
    organizations::Key,
    permissions::Permission,
    secrets::{Secret, SecretHash, SecretKind},
    services::DataPermission,
    sharing::{self as rules, Decided},
    time::Ts,
};
use stoa_store::{
    Conn, Viewer,
    access::{self, Place},
    projects,
    sharing::{self, Tied},
};

use crate::{Caller, Error, Result, ServiceCaller, Stoa, Who, seats, tokens};

/// What a service's token opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// Whose data it is.
    pub organization: OrganizationId,
    /// The project.
    pub project: ProjectId,
    /// Under which subscription.
    pub subscription: SubscriptionId,
    /// Of which service.
    pub service: ServiceId,
}

/// Lets a service's token use the data of a granted project. Reads through `conn` where one is held already.
///
/// # Errors
/// 404 for any project without a grant, 403 without the permission in scope and contract, 401 when the subscription is
/// not in force any more.
pub async fn open(
    stoa: &Stoa,
    conn: Option<&mut Conn>,
    service: &ServiceCaller,
    project: &ProjectRef,
    permission: DataPermission,
    now: Ts,
) -> Result<Opened> {
    let decision = stoa.access.decide(conn, &service.holder(), project, permission, now).await?;
    opened(&decision, permission)
}

fn opened(decision: &Decision, permission: DataPermission) -> Result<Opened> {
    match (decision.reason, &decision.subscription, decision.project) {
        (Reason::Granted, Some(subscribed), Some(project)) => {
            Ok(Opened { organization: subscribed.organization, project, subscription: subscribed.id, service: subscribed.service })
        }
        (Reason::NotInScope | Reason::NotInContract, ..) => Err(Error::Scope(permission.word())),
        (Reason::SubscriptionNotActive, ..) => Err(Error::InvalidToken),
        _ => Err(Error::NotFound("project")),
    }
}

/// What the gateway lets pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passed {
    /// A service.
    Service(Opened),
    /// A person.
    User {
        /// Whose data it is.
        organization: OrganizationId,
        /// The project.
        project: ProjectId,
        /// Who.
        user: UserId,
    },
}

/// Lets whoever sends a request use a project's data, or says why not.
///
/// # Errors
/// 401; those of the database. A no is in the answer.
pub async fn pass(stoa: &Stoa, caller: &Caller, project: &ProjectRef, permission: DataPermission) -> Result<Result<Passed, Reason>> {
    match &caller.who {
        Who::Anonymous | Who::System => Err(Error::Unauthenticated),
        Who::Service(service) => {
            let decision = stoa.access.decide(None, &service.holder(), project, permission, caller.now).await?;
            Ok(opened(&decision, permission).map(Passed::Service).map_err(|_| decision.reason))
        }
        Who::User(user) => {
            let mut conn = stoa.db.read().await?;
            let Some((organization, standing, project)) = place_of(&mut conn, caller, project).await? else {
                return Ok(Err(Reason::NotVisible));
            };
            let reason = Action::Data(permission).decide_in(Some(standing));
            Ok(if reason.allows() { Ok(Passed::User { organization, project, user: user.id }) } else { Err(reason) })
        }
    }
}

async fn place_of(conn: &mut Conn, caller: &Caller, project: &ProjectRef) -> Result<Option<(OrganizationId, Standing, ProjectId)>> {
    if let Some(organization) = &project.organization {
        let seat = match seats::allowed(conn, caller, organization, Permission::View).await {
            Ok(seat) => seat,
            Err(Error::NotFound(_)) => return Ok(None),
            Err(other) => return Err(other),
        };
        let found = projects::find(conn, seat.organization.id, &project.project).await?;
        return Ok(found.map(|found| (seat.organization.id, seat.standing(), found.id)));
    }
    let Key::Id(id) = project.project else { return Ok(None) };
    let viewer = caller.viewer()?;
    let places = access::places(conn, &[viewer.user], &[id]).await?;
    let seen = places.into_iter().filter(|place| viewer.sees(place.organization));
    Ok(seen.into_iter().find_map(|place| Some((place.organization, place.standing, place.project?))))
}

/// Whose right is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// Whoever holds an access token or a personal token; with the token itself.
    Token(Option<Secret>),
    /// A person.
    User(UserId),
    /// A type or an id that is not known.
    Unknown,
}

/// On what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Object {
    /// A project.
    Project(ProjectId),
    /// An organization.
    Organization(OrganizationId),
    /// An application.
    Application(ApplicationId),
    /// A type or an id that is not known.
    Unknown,
}

/// One question: may this subject do this on that?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Whose right is asked about.
    pub subject: Subject,
    /// To do what; `None` for a word that is no permission.
    pub action: Option<Action>,
    /// On what.
    pub object: Object,
}

/// An answer, with what it was found in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Why; it also says whether it is a yes.
    pub reason: Reason,
    /// Under which subscription, where a service's token was asked about.
    pub subscription: Option<SubscriptionId>,
    /// Of which service.
    pub service: Option<ServiceId>,
    /// Of which organization.
    pub organization: Option<OrganizationId>,
}

impl From<Reason> for Answer {
    fn from(reason: Reason) -> Self {
        Self { reason, subscription: None, service: None, organization: None }
    }
}

/// What a question turns on, once its subject is known.
enum Weighed {
    Answered(Answer),
    /// A person's role decides, where a limited token does not hide it.
    Person(Viewer),
}

/// Answers questions in their order.
///
/// Who holds a token's text may ask about it. About a person may ask: everybody about themself and about the
/// organizations they belong to, and a service about the projects that its token opens.
///
/// People's roles are read for all questions in one statement, and what ties them to applications in another; tokens are
/// answered by the index.
///
/// # Errors
/// 401; those of the database.
pub async fn evaluate(stoa: &Stoa, caller: &Caller, questions: &[Question]) -> Result<Vec<Answer>> {
    if matches!(caller.who, Who::Anonymous) {
        return Err(Error::Unauthenticated);
    }
    let mut owners = HashMap::new();
    let mut weighed = Vec::with_capacity(questions.len());
    for question in questions {
        weighed.push(weigh(stoa, caller, question, &mut owners).await?);
    }
    let known = read_known(stoa, caller, questions, &weighed).await?;
    let mut answers = Vec::with_capacity(questions.len());
    for (question, weighed) in questions.iter().zip(weighed) {
        answers.push(match weighed {
            Weighed::Answered(answer) => answer,
            Weighed::Person(viewer) => match question.object {
                Object::Application(id) => by_ties(caller, question, id, &viewer, &known.ties)?,
                _ => by_role(stoa, caller, question, &viewer, &known.places).await?,
            },
        });
    }
    Ok(answers)
}

/// Whose the personal tokens of a request's questions are, so that each is looked up once.
type Owners = HashMap<SecretHash, Option<Viewer>>;

async fn weigh(stoa: &Stoa, caller: &Caller, question: &Question, owners: &mut Owners) -> Result<Weighed> {
    let answered = |reason: Reason| Ok(Weighed::Answered(reason.into()));
    if question.subject == Subject::Unknown {
        return answered(Reason::UnknownSubject);
    }
    let Some(action) = question.action else { return answered(Reason::UnknownAction) };
    if question.object == Object::Unknown {
        return answered(Reason::UnknownResource);
    }
    match &question.subject {
        Subject::User(user) => Ok(Weighed::Person(Viewer::from(*user))),
        Subject::Token(Some(secret)) => match secret.kind() {
            SecretKind::AccessToken => Ok(Weighed::Answered(by_token(stoa, caller.now, secret, action, question.object).await?)),
            SecretKind::PersonalToken => match owner_of(stoa, caller.now, secret, owners).await? {
                Some(viewer) => Ok(Weighed::Person(viewer)),
                None => answered(Reason::UnknownToken),
            },
            SecretKind::ApplicationSecret | SecretKind::Session | SecretKind::Invitation | SecretKind::Ceremony | SecretKind::Link => {
                answered(Reason::UnknownToken)
            }
        },
        Subject::Token(None) => answered(Reason::UnknownToken),
        Subject::Unknown => answered(Reason::UnknownSubject),
    }
}

async fn owner_of(stoa: &Stoa, now: Ts, secret: &Secret, owners: &mut Owners) -> Result<Option<Viewer>> {
    if let Some(owner) = owners.get(&secret.hash()) {
        return Ok(owner.clone());
    }
    let owner = match tokens::authenticate(&stoa.db, secret, now).await {
        Ok(presented) => Some(Viewer { user: presented.user.id, within: presented.organizations }),
        Err(Error::InvalidToken | Error::TokenExpired(_) | Error::Suspended) => None,
        Err(other) => return Err(other),
    };
    owners.insert(secret.hash(), owner.clone());
    Ok(owner)
}

async fn by_token(stoa: &Stoa, now: Ts, secret: &Secret, action: Action, object: Object) -> Result<Answer> {
    let live = match stoa.access.look_up(secret.hash(), now).await? {
        Ok(live) => live,
        Err(reason) => return Ok(reason.into()),
    };
    let Some(subscribed) = &live.subscription else { return Ok(Reason::NoSubscription.into()) };
    // Roles are people's; no contract includes them.
    let Action::Data(permission) = action else { return Ok(Reason::NotInContract.into()) };
    let reason = match object {
        Object::Project(id) => live.decide(&ProjectRef { organization: None, project: Key::Id(id) }, permission).reason,
        Object::Organization(id) if id == subscribed.organization => decide_within(&subscribed.permissions, &live.token.scope, permission),
        // A subscription opens data of projects, and no applications.
        Object::Organization(_) | Object::Application(_) => Reason::NotGranted,
        Object::Unknown => Reason::UnknownResource,
    };
    Ok(if reason == Reason::NotGranted { reason.into() } else { found_in(reason, subscribed) })
}

fn found_in(reason: Reason, subscribed: &Subscribed) -> Answer {
    Answer { reason, subscription: Some(subscribed.id), service: Some(subscribed.service), organization: Some(subscribed.organization) }
}

/// What is known of everybody the questions turn on, and of who asks.
#[derive(Default)]
struct Known {
    /// Their places in organizations.
    places: Vec<Place>,
    /// What ties them to the applications that are asked about.
    ties: Vec<Tied>,
}

/// Reads it, in one statement for organizations and projects and one for applications.
async fn read_known(stoa: &Stoa, caller: &Caller, questions: &[Question], weighed: &[Weighed]) -> Result<Known> {
    let mut users = BTreeSet::new();
    let (mut projects, mut applications, mut places) = (BTreeSet::new(), BTreeSet::new(), false);
    for (question, weighed) in questions.iter().zip(weighed) {
        let Weighed::Person(viewer) = weighed else { continue };
        users.insert(viewer.user);
        match question.object {
            Object::Application(application) => {
                applications.insert(application);
            }
            Object::Project(project) => {
                projects.insert(project);
                places = true;
            }
            Object::Organization(_) | Object::Unknown => places = true,
        }
    }
    if users.is_empty() {
        return Ok(Known::default());
    }
    if let Who::User(user) = &caller.who {
        users.insert(user.id);
    }
    let (users, projects): (Vec<_>, Vec<_>) = (users.into_iter().collect(), projects.into_iter().collect());
    let applications: Vec<_> = applications.into_iter().collect();
    let mut conn = stoa.db.read().await?;
    let places = if places { access::places(&mut conn, &users, &projects).await? } else { Vec::new() };
    Ok(Known { places, ties: sharing::ties(&mut conn, &users, &applications).await? })
}

/// What somebody may do in an organization; `None` is somebody who is not a member. Questions and explanations are answered by it.
pub(crate) fn in_organization(action: Action, standing: Option<Standing>, account_suspended: bool) -> Reason {
    action.decide_in(standing).of_account(account_suspended)
}

/// What somebody may do with an application, by what ties them to it. Questions and explanations are answered by it.
pub(crate) fn with_application(action: Action, ties: &[&Tied]) -> Decided {
    let facts: Vec<_> = ties.iter().map(|one| one.tie.clone()).collect();
    let decided = rules::decide(&facts, action.for_people());
    let account_suspended = ties.iter().any(|one| one.account_suspended);
    Decided { reason: decided.reason.of_account(account_suspended), ..decided }
}

/// Answers about an application by what ties the person to it: the rule by which the API lets people see and change it.
/// About others, only who sees the application themself learns anything.
fn by_ties(caller: &Caller, question: &Question, id: ApplicationId, viewer: &Viewer, ties: &[Tied]) -> Result<Answer> {
    let Some(action) = question.action else { return Ok(Reason::UnknownAction.into()) };
    let of = |viewer: &Viewer| {
        let is_of = |one: &&Tied| one.application == id && one.user == viewer.user && one.counts_for(viewer);
        let counting: Vec<&Tied> = ties.iter().filter(is_of).collect();
        (with_application(action, &counting), counting.iter().find_map(|one| one.organization))
    };
    let (decided, organization) = of(viewer);
    let visible = match (&question.subject, &caller.who) {
        // Whoever holds a personal token speaks for its owner.
        (Subject::Token(_), _) => decided.path.is_some(),
        (_, Who::System) => true,
        (_, Who::User(_)) => of(&caller.viewer()?).0.path.is_some(),
        (_, Who::Anonymous | Who::Service(_)) => false,
    };
    if !visible {
        return Ok(Reason::NotVisible.into());
    }
    Ok(Answer { organization, ..Answer::from(decided.reason) })
}

async fn by_role(stoa: &Stoa, caller: &Caller, question: &Question, viewer: &Viewer, places: &[Place]) -> Result<Answer> {
    let Some(action) = question.action else { return Ok(Reason::UnknownAction.into()) };
    let is_there = |place: &&Place| match question.object {
        Object::Project(id) => place.project == Some(id),
        Object::Organization(id) => place.organization == id,
        Object::Application(_) | Object::Unknown => false,
    };
    let place = places.iter().filter(|place| place.user == viewer.user && viewer.sees(place.organization)).find(is_there);
    // Whoever holds a personal token speaks for its owner; about others, only who sees the object learns anything.
    let visible = match question.subject {
        Subject::Token(_) => place.is_some(),
        Subject::User(_) | Subject::Unknown => may_ask(stoa, caller, question.object, places, &is_there).await?,
    };
    if !visible {
        return Ok(Reason::NotVisible.into());
    }
    let account_suspended = place.is_some_and(|place| place.account_suspended);
    let reason = in_organization(action, place.map(|place| place.standing), account_suspended);
    Ok(Answer { organization: place.map(|place| place.organization), ..Answer::from(reason) })
}

async fn may_ask(stoa: &Stoa, caller: &Caller, object: Object, places: &[Place], is_there: &impl Fn(&&Place) -> bool) -> Result<bool> {
    match &caller.who {
        Who::Anonymous => Ok(false),
        Who::System => Ok(true),
        Who::User(_) => {
            let me = caller.viewer()?;
            Ok(places.iter().filter(|place| place.user == me.user && me.sees(place.organization)).any(|place| is_there(&place)))
        }
        Who::Service(service) => {
            let Object::Project(id) = object else { return Ok(false) };
            let Some((_, subscription)) = service.subscription else { return Ok(false) };
            let subscribed = stoa.access.subscribed(None, subscription, caller.now).await?;
            let project = ProjectRef { organization: None, project: Key::Id(id) };
            Ok(subscribed.is_some_and(|one| one.opens(caller.now) && one.granted(&project, caller.now).is_some()))
        }
    }
}
