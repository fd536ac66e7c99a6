//! The applications of an organization and one's own, and one application with its secrets and with whom it is shared.

use axum::{
    http::header,
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use stoa_actions::{
    Error,
    applications::{self, Deletion, Filter, Seen, Share, Uses, Whole},
    organizations,
    seats::Seat,
    sharing,
};
use stoa_domain::{
    applications::{ApplicationChange, NewApplication, Owner},
    ids::{ApplicationId, OrganizationId, SecretId},
    organizations::Key,
    permissions::Permission,
    secrets::SecretKind,
    sharing::{Path, paths},
    time::Ts,
};
use stoa_store::Conn;

use super::{
    Choice, Field, Flash, Link, OrgHead, Pager, Shell, filters,
    form::{FormErrors, PageForm},
    hue,
    lists::{self, ListQuery, SHOWN},
    page::{Page, PageResult, may},
    times,
};
use crate::extract::{ApiPath, ApiQuery};

/// `GET /organizations/{org}/applications`; `?open=new` opens the dialog, a refused `POST` shows it again.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "applications.html")]
pub struct ApplicationsPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization.
    pub org: OrgHead,
    /// The list.
    pub list: ApplicationList,
}

/// `GET /applications`: those I see, wherever they belong.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "applications_mine.html")]
pub struct MyApplicationsPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The list.
    pub list: ApplicationList,
}

/// A list of applications.
#[derive(Debug, Default)]
pub struct ApplicationList {
    /// The list's address.
    pub url: String,
    /// What was looked for.
    pub query: String,
    /// The applications.
    pub applications: Vec<ApplicationRow>,
    /// Leads through a long list.
    pub pager: Pager,
    /// Whether I may create applications.
    pub can_manage: bool,
    /// Whether the dialog is open.
    pub open_new: bool,
    /// Errors of the dialog as a whole.
    pub errors: Vec<String>,
    /// The new application's name.
    pub name: Field,
    /// Its description.
    pub description: Field,
    /// Its redirect addresses, a line each.
    pub redirect_uris: Field,
}

/// One application of the list.
#[derive(Debug, Clone, Default)]
pub struct ApplicationRow {
    /// Its name.
    pub name: String,
    /// Its description, may be empty.
    pub description: String,
    /// Its page.
    pub href: String,
    /// Colour class of its mark.
    pub hue: u8,
    /// Its client id.
    pub client_id: String,
    /// The services it stands behind; may be empty.
    pub services: String,
    /// Why I see it, such as “by the team Meters”.
    pub seen_as: String,
    /// How many secrets live.
    pub secrets: u64,
}

/// `GET /organizations/{org}/applications/{application}`.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "application.html")]
pub struct ApplicationPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization; its crumbs are “Applications” and this application.
    pub org: OrgHead,
    /// The application.
    pub app: ApplicationBody,
}

/// `GET /applications/{application}`: an application of mine.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "application_mine.html")]
pub struct MyApplicationPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The application.
    pub app: ApplicationBody,
}

/// What the page of an application shows, wherever it belongs.
#[derive(Debug, Default)]
pub struct ApplicationBody {
    /// Where its forms are sent, without a slash at the end.
    pub url: String,
    /// Its name.
    pub name: String,
    /// Its description, may be empty.
    pub description: String,
    /// Colour class of its mark.
    pub hue: u8,
    /// The day it was created.
    pub created: String,
    /// Its client id.
    pub client_id: String,
    /// Where it asks for tokens.
    pub token_url: String,
    /// Where authorization responses may be sent.
    pub redirect_uris: Vec<String>,
    /// The services it stands behind.
    pub services: Vec<Link>,
    /// Its live secrets.
    pub secrets: Vec<CredentialRow>,
    /// The secret just made, shown this once; otherwise empty.
    pub new_secret: String,
    /// Whether I may change it and make and revoke secrets.
    pub can_manage: bool,
    /// Who sees it, and why.
    pub viewers: Vec<ViewerRow>,
    /// Why I see it.
    pub seen_as: String,
    /// With whom it can be shared: `organization:…` or `team:…`.
    pub share_with: Vec<Choice>,
    /// Where to ask why somebody can or cannot see it; empty for an application of mine that is not shared.
    pub why: String,
    /// The organizations to which I could give it.
    pub transfer_to: Vec<Choice>,
    /// What its deletion takes along; `None` where I may not delete it.
    pub deletion: Option<DeletionNote>,
    /// The name in the form.
    pub edit_name: Field,
    /// The description in the form.
    pub edit_description: Field,
    /// The redirect addresses in the form, a line each.
    pub edit_redirect_uris: Field,
}

/// Somebody who sees an application.
#[derive(Debug, Clone, Default)]
pub struct ViewerRow {
    /// Who.
    pub who: String,
    /// Where they are shown; may be empty.
    pub href: String,
    /// Why.
    pub why: String,
    /// Where to post that it is not shared any more; empty where there is no share or I may not.
    pub unshare: String,
}

/// What a deletion takes along, in words.
#[derive(Debug, Clone, Default)]
pub struct DeletionNote {
    /// Why it cannot be deleted; empty where it can.
    pub blocked: String,
    /// What stops working, a line each.
    pub lines: Vec<String>,
}

/// A secret or token, without its secret part.
#[derive(Debug, Clone, Default)]
pub struct CredentialRow {
    /// Its id.
    pub id: String,
    /// Its name, where it has one.
    pub name: String,
    /// What may be shown of it, such as `stoa_sec_4f9a…`.
    pub hint: String,
    /// When it was made.
    pub created: String,
    /// When it was last used, or “never”.
    pub last_used: String,
}

/// `GET /organizations/{org}/applications`.
pub async fn list(page: Page, ApiPath(org): ApiPath<String>, ApiQuery(query): ApiQuery<ListQuery>) -> PageResult {
    let mut conn = page.read().await?;
    let mut shown = applications_page(&page, &mut conn, &Key::read(&org), &query).await?;
    shown.list.open_new = query.open == "new" && shown.list.can_manage;
    Ok(shown.into_response())
}

/// `GET /applications`.
pub async fn list_mine(page: Page, ApiQuery(query): ApiQuery<ListQuery>) -> PageResult {
    let mut conn = page.read().await?;
    let mut shown = my_applications_page(&page, &mut conn, &query).await?;
    shown.list.open_new = query.open == "new";
    Ok(shown.into_response())
}

async fn applications_page(page: &Page, conn: &mut Conn, org: &Key<OrganizationId>, query: &ListQuery) -> PageResult<ApplicationsPage> {
    let seat = organizations::get(conn, &page.caller, org).await?;
    let filter = Filter { organization: Some(org), search: query.search(), ..Filter::default() };
    let head = page.org_head(conn, &seat, "applications").await?;
    let url = format!("{}/applications", head.url());
    let list = application_list(page, conn, filter, query, url).await?;
    let can_manage = may(&seat, Permission::ManageResources);
    let shell = page.shell(conn, "organizations").await?;
    Ok(ApplicationsPage { shell, org: head, list: ApplicationList { can_manage, ..list } })
}

async fn my_applications_page(page: &Page, conn: &mut Conn, query: &ListQuery) -> PageResult<MyApplicationsPage> {
    let filter = Filter { search: query.search(), ..Filter::default() };
    let list = application_list(page, conn, filter, query, "/applications".to_owned()).await?;
    Ok(MyApplicationsPage { shell: page.shell(conn, "").await?, list: ApplicationList { can_manage: true, ..list } })
}

async fn application_list(page: &Page, conn: &mut Conn, filter: Filter<'_>, query: &ListQuery, url: String) -> PageResult<ApplicationList> {
    let after: Option<(String, ApplicationId)> = query.after()?;
    let position = after.as_ref().map(|(name, id)| (name.as_str(), *id));
    let mut listed = applications::list(conn, &page.caller, filter, position, SHOWN + 1).await?;
    let cursor = |seen: &Seen| (seen.application.name.clone(), seen.application.id);
    let pager = lists::pager(&mut listed, &query.address(&url), "applications", None, after.is_none(), cursor);
    let uses = applications::services_of(conn, &listed).await?;
    let services = |id: ApplicationId| uses.iter().filter(|one| one.application == id).map(|one| one.name.as_str()).collect::<Vec<_>>();
    let rows = listed.iter().map(|seen| ApplicationRow {
        name: seen.application.name.clone(),
        description: seen.application.description.clone(),
        href: format!("{url}/{}", seen.application.id),
        hue: hue(&seen.application.id.to_string()),
        client_id: seen.application.id.to_string(),
        services: services(seen.application.id).join(", "),
        seen_as: seen_as(seen),
        secrets: u64::try_from(seen.live_secrets).unwrap_or(0),
    });
    let applications = rows.collect();
    Ok(ApplicationList { query: query.q.trim().to_owned(), applications, pager, url, ..ApplicationList::default() })
}

/// Why somebody sees an application, in a few words.
fn seen_as(seen: &Seen) -> String {
    let organization = seen.organization.as_ref().map_or("its organization", |(_, name)| name.as_str());
    match paths(&seen.ties).first() {
        Some(Path::Owner) => "Yours".to_owned(),
        Some(Path::Member(role)) => format!("Belongs to {organization}, where you are {role}"),
        Some(Path::Maintainer) => format!("Belongs to {organization}, where you are maintainer"),
        Some(Path::Creator(role)) => format!("You registered it for {organization}, where you are {role}"),
        Some(Path::Organization(role)) => format!("Shared with the organization, where you are {role}"),
        Some(Path::Team(role, _, team)) => format!("Shared with the team {team}; your role is {role}"),
        None => String::new(),
    }
}

/// A new application, or the details of one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct DetailsForm {
    name: String,
    description: String,
    redirect_uris: String,
}

impl DetailsForm {
    fn redirect_uris(&self) -> Vec<String> {
        self.redirect_uris.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    fn new_application(&self) -> NewApplication {
        NewApplication { name: self.name.clone(), description: Some(self.description.clone()), redirect_uris: self.redirect_uris() }
    }

    /// The field of the redirect addresses with what is wrong with any of them.
    fn redirect_field(&self, errors: &mut FormErrors) -> Field {
        let uris = self.redirect_uris();
        let mut wrong: Vec<String> = errors.take("/redirect_uris").into_iter().collect();
        for (index, uri) in uris.iter().enumerate() {
            wrong.extend(errors.take(&format!("/redirect_uris/{index}")).map(|error| format!("{uri}: {error}")));
        }
        Field { value: self.redirect_uris.clone(), error: Some(wrong.join(" ")).filter(|error| !error.is_empty()) }
    }
}

/// `POST /organizations/{org}/applications`.
pub async fn create(page: Page, ApiPath(org): ApiPath<String>, PageForm(form): PageForm<DetailsForm>) -> PageResult {
    let org = Key::read(&org);
    let mut act = page.begin().await?;
    match applications::create(&mut act, Some(&org), form.new_application()).await {
        Ok(seen) => page.done(act, address(&seen, None), created(&seen)).await,
        Err(error) => {
            drop(act);
            let mut errors = FormErrors::of(error)?;
            let status = errors.status;
            let mut conn = page.read().await?;
            let mut shown = applications_page(&page, &mut conn, &org, &ListQuery::default()).await?;
            refill(&mut shown.list, &form, &mut errors);
            shown.list.errors = errors.rest();
            Ok(FormErrors::again(status, shown))
        }
    }
}

/// `POST /applications`.
pub async fn create_mine(page: Page, PageForm(form): PageForm<DetailsForm>) -> PageResult {
    let mut act = page.begin().await?;
    match applications::create(&mut act, None, form.new_application()).await {
        Ok(seen) => page.done(act, address(&seen, None), created(&seen)).await,
        Err(error) => {
            drop(act);
            let mut errors = FormErrors::of(error)?;
            let status = errors.status;
            let mut conn = page.read().await?;
            let mut shown = my_applications_page(&page, &mut conn, &ListQuery::default()).await?;
            refill(&mut shown.list, &form, &mut errors);
            shown.list.errors = errors.rest();
            Ok(FormErrors::again(status, shown))
        }
    }
}

fn created(seen: &Seen) -> Flash {
    Flash::ok(format!("{} is created. Make a secret to sign in with.", seen.application.name))
}

fn refill(list: &mut ApplicationList, form: &DetailsForm, errors: &mut FormErrors) {
    list.open_new = true;
    list.name = errors.field("/name", &form.name);
    list.description = errors.field("/description", &form.description);
    list.redirect_uris = form.redirect_field(errors);
}

/// Where the page of an application is: with the organization that owns it, or with which it is shared (`home`), or, of
/// one's own, apart from all organizations.
pub(super) fn address(seen: &Seen, home: Option<&str>) -> String {
    let own = seen.ties.contains(&stoa_domain::sharing::Tie::Owner);
    let handle = seen.organization.as_ref().map(|(handle, _)| handle.as_str()).or(home.filter(|_| !own));
    match handle {
        Some(handle) => format!("/organizations/{handle}/applications/{}", seen.application.id),
        None => format!("/applications/{}", seen.application.id),
    }
}

/// `GET /organizations/{org}/applications/{application}`.
pub async fn show(page: Page, ApiPath((org, application)): ApiPath<(String, ApplicationId)>) -> PageResult {
    let mut conn = page.read().await?;
    let whole = applications::get(&mut conn, &page.caller, application).await?;
    let seat = organizations::get(&mut conn, &page.caller, &Key::read(&org)).await?;
    let id = seat.organization.id;
    let here = whole.seen.application.owner == Owner::Organization(id) || whole.shares.iter().any(|share| share.organization == id);
    if !here {
        return Err(Error::NotFound("application").into());
    }
    Ok(Shown::of(&page, &mut conn, whole, Some(seat)).await?.into_response())
}

/// `GET /applications/{application}`: leads on to the organization, unless the application is mine.
pub async fn show_mine(page: Page, ApiPath(application): ApiPath<ApplicationId>) -> PageResult {
    let mut conn = page.read().await?;
    let whole = applications::get(&mut conn, &page.caller, application).await?;
    let to = address(&whole.seen, whole.shares.first().map(|share| share.handle.as_str()));
    if to.starts_with("/organizations/") {
        return Ok(Redirect::to(&to).into_response());
    }
    Ok(Shown::of(&page, &mut conn, whole, None).await?.into_response())
}

/// The page of an application, in its surroundings.
pub(super) enum Shown {
    /// Within an organization.
    There(Box<ApplicationPage>),
    /// Mine.
    Mine(Box<MyApplicationPage>),
}

impl Shown {
    /// The page of an application by id, where it belongs.
    pub(super) async fn find(page: &Page, conn: &mut Conn, id: ApplicationId) -> PageResult<Self> {
        let whole = applications::get(conn, &page.caller, id).await?;
        let own = whole.seen.ties.contains(&stoa_domain::sharing::Tie::Owner);
        let home = match whole.seen.application.owner {
            Owner::Organization(id) => Some(id),
            Owner::User(_) if own => None,
            Owner::User(_) => whole.shares.first().map(|share| share.organization),
        };
        let seat = match home {
            Some(id) => Some(organizations::get(conn, &page.caller, &Key::Id(id)).await?),
            None => None,
        };
        Self::of(page, conn, whole, seat).await
    }

    async fn of(page: &Page, conn: &mut Conn, whole: Whole, seat: Option<Seat>) -> PageResult<Self> {
        let app = body(page, conn, whole, seat.as_ref()).await?;
        let Some(seat) = seat else {
            return Ok(Self::Mine(Box::new(MyApplicationPage { shell: page.shell(conn, "").await?, app })));
        };
        let mut org = page.org_head(conn, &seat, "applications").await?;
        org.crumbs = vec![Link::new("Applications", format!("{}/applications", org.url())), Link::new(&app.name, "")];
        Ok(Self::There(Box::new(ApplicationPage { shell: page.shell(conn, "organizations").await?, org, app })))
    }

    /// What the page shows of the application.
    pub(super) fn app(&mut self) -> &mut ApplicationBody {
        match self {
            Self::There(page) => &mut page.app,
            Self::Mine(page) => &mut page.app,
        }
    }

    /// What surrounds it.
    pub(super) fn shell(&mut self) -> &mut Shell {
        match self {
            Self::There(page) => &mut page.shell,
            Self::Mine(page) => &mut page.shell,
        }
    }
}

impl IntoResponse for Shown {
    fn into_response(self) -> Response {
        match self {
            Self::There(page) => page.into_response(),
            Self::Mine(page) => page.into_response(),
        }
    }
}

async fn body(page: &Page, conn: &mut Conn, whole: Whole, seat: Option<&Seat>) -> PageResult<ApplicationBody> {
    let now = page.caller.now;
    let can_manage = whole.seen.allows(Permission::ManageResources);
    let id = whole.seen.application.id;
    let url = format!("/applications/{id}");
    let deletion = match applications::deletion(conn, &page.caller, id).await {
        Ok(deletion) => Some(deletion_note(&deletion)),
        Err(Error::Refused(_) | Error::NotYours { .. }) => None,
        Err(other) => return Err(other.into()),
    };
    let places = if can_manage { sharing::places(conn, &page.caller, &whole).await? } else { Vec::new() };
    let own = whole.seen.ties.contains(&stoa_domain::sharing::Tie::Owner);
    let transfer_to = if own {
        places.iter().filter(|place| place.team.is_none()).map(|place| Choice::new(&place.handle, &place.name, false)).collect()
    } else {
        Vec::new()
    };
    let home =
        whole.shares.first().map(|share| share.handle.clone()).or(whole.seen.organization.as_ref().map(|(handle, _)| handle.clone()));
    let application = &whole.seen.application;
    let provider = |one: &Uses| seat.filter(|seat| seat.organization.id == one.provider).map(|seat| seat.organization.handle.clone());
    let services = |one: &Uses| {
        let href = provider(one)
            .map_or_else(|| format!("/marketplace/{}", one.handle), |handle| format!("/organizations/{handle}/services/{}", one.handle));
        Link::new(&one.name, href)
    };
    Ok(ApplicationBody {
        viewers: viewers(&whole, &url, can_manage),
        seen_as: seen_as(&whole.seen),
        share_with: places.iter().filter(|place| !is_shared(&whole.shares, place)).map(place_choice).collect(),
        why: home.map(|handle| format!("/organizations/{handle}/access?subject=application%3A{id}")).unwrap_or_default(),
        transfer_to,
        deletion,
        hue: hue(&id.to_string()),
        created: times::long_day(application.created_at.day()),
        client_id: id.to_string(),
        token_url: format!("{}/oauth2/token", page.app.stoa.public_url),
        services: whole.services.iter().map(services).collect(),
        secrets: secret_rows(&whole, now),
        can_manage,
        edit_name: Field::new(&application.name),
        edit_description: Field::new(&application.description),
        edit_redirect_uris: Field::new(application.redirect_uris.join("\n")),
        redirect_uris: application.redirect_uris.clone(),
        name: application.name.clone(),
        description: application.description.clone(),
        new_secret: String::new(),
        url,
    })
}

fn secret_rows(whole: &Whole, now: Ts) -> Vec<CredentialRow> {
    let row = |secret: &stoa_domain::applications::ApplicationSecret| CredentialRow {
        id: secret.id.to_string(),
        name: String::new(),
        hint: format!("{}…{}", SecretKind::ApplicationSecret.prefix(), secret.hint),
        created: times::ago(secret.created_at, now),
        last_used: secret.last_used_at.map_or_else(|| "never".to_owned(), |at| times::ago(at, now)),
    };
    whole.secrets.iter().map(row).collect()
}

fn is_shared(shares: &[Share], place: &sharing::Place) -> bool {
    let team = place.team.as_ref().map(|(id, _)| *id);
    shares.iter().any(|share| share.organization == place.organization && share.team.as_ref().map(|(id, _)| *id) == team)
}

fn place_choice(place: &sharing::Place) -> Choice {
    match &place.team {
        Some((id, name)) => Choice::new(format!("team:{id}"), format!("{}: team {name}", place.name), false),
        None => Choice::new(format!("organization:{}", place.handle), format!("{}: all members", place.name), false),
    }
}

/// Who sees an application, as the rules of sharing say it.
fn viewers(whole: &Whole, url: &str, can_manage: bool) -> Vec<ViewerRow> {
    let mut rows = Vec::new();
    let whole_organization = whole.shares.iter().any(|share| share.team.is_none());
    let for_teams = whole.shares.iter().any(|share| share.team.is_some()) && !whole_organization;
    match &whole.seen.organization {
        None => {
            rows.push(ViewerRow { who: whole.owner_name.clone(), why: "owns it and may do everything".to_owned(), ..ViewerRow::default() })
        }
        Some((handle, name)) if for_teams => rows.push(ViewerRow {
            who: format!("Maintainers of {name}"),
            href: format!("/organizations/{handle}/members"),
            why: "see all that belongs to it, and so does who registered it".to_owned(),
            unshare: String::new(),
        }),
        Some((handle, name)) if !whole_organization => rows.push(ViewerRow {
            who: format!("All members of {name}"),
            href: format!("/organizations/{handle}/members"),
            why: "it belongs to the organization and is shared with no team; editors and maintainers manage it".to_owned(),
            unshare: String::new(),
        }),
        Some(_) => {}
    }
    let last = whole.shares.len() == 1;
    let opens = whole.seen.organization.as_ref().filter(|_| last && for_teams).map(|(_, name)| name.as_str());
    rows.extend(whole.shares.iter().map(|share| share_row(share, url, can_manage, opens)));
    rows
}

/// `opens` is the organization all of whose members see the application when this share ends.
fn share_row(share: &Share, url: &str, can_manage: bool, opens: Option<&str>) -> ViewerRow {
    let people = if share.members == 1 { "1 person".to_owned() } else { format!("{} people", share.members) };
    let (who, href, unshare) = match &share.team {
        Some((id, name)) => (format!("Team {name}"), format!("/organizations/{}/teams/{id}", share.handle), format!("team/{id}")),
        None => (
            format!("All members of {}", share.name),
            format!("/organizations/{}/members", share.handle),
            format!("organization/{}", share.handle),
        ),
    };
    let why = format!("{people}, each by role; shared by {} on {}", share.shared_by, times::short_day(share.shared_at.day()));
    ViewerRow {
        who,
        href,
        why: match opens.filter(|_| can_manage) {
            Some(organization) => format!("{why}. When you stop sharing it, all members of {organization} see it"),
            None => why,
        },
        unshare: if can_manage { format!("{url}/unshare/{unshare}") } else { String::new() },
    }
}

fn deletion_note(deletion: &Deletion) -> DeletionNote {
    let count = |number: usize, one: &str, many: &str| match number {
        0 => None,
        1 => Some(format!("1 {one}")),
        more => Some(format!("{more} {many}")),
    };
    let tokens = usize::try_from(deletion.tokens).unwrap_or(0);
    let lines = [
        count(deletion.secrets.len(), "secret opens nothing any more", "secrets open nothing any more"),
        count(tokens, "access token opens nothing any more", "access tokens open nothing any more"),
        count(deletion.shares.len(), "share ends", "shares end"),
    ];
    DeletionNote {
        blocked: deletion.blocked().map(|text| super::form::sentence(&text)).unwrap_or_default(),
        lines: lines.into_iter().flatten().collect(),
    }
}

/// `POST /applications/{application}/edit`.
pub async fn edit(page: Page, ApiPath(application): ApiPath<ApplicationId>, PageForm(form): PageForm<DetailsForm>) -> PageResult {
    let mut act = page.begin().await?;
    let change = ApplicationChange {
        name: Some(form.name.clone()),
        description: Some(form.description.clone()),
        redirect_uris: Some(form.redirect_uris()),
    };
    match applications::update(&mut act, application, change).await {
        Ok(whole) => {
            let to = address(&whole.seen, whole.shares.first().map(|share| share.handle.as_str()));
            page.done(act, to, Flash::ok("The details are saved.")).await
        }
        Err(error) => {
            drop(act);
            let mut errors = FormErrors::of(error)?;
            let status = errors.status;
            let mut conn = page.read().await?;
            let mut shown = Shown::find(&page, &mut conn, application).await?;
            let app = shown.app();
            app.edit_name = errors.field("/name", &form.name);
            app.edit_description = errors.field("/description", &form.description);
            app.edit_redirect_uris = form.redirect_field(&mut errors);
            errors.tell(shown.shell());
            Ok(FormErrors::again(status, shown))
        }
    }
}

/// `POST /applications/{application}/secrets`: the answer shows the secret, this once, so it leads nowhere and is kept by
/// no cache.
pub async fn create_secret(page: Page, ApiPath(application): ApiPath<ApplicationId>) -> PageResult {
    let mut act = page.begin().await?;
    match applications::create_secret(&mut act, application).await {
        Ok((_, _, text)) => {
            act.commit().await?;
            let mut conn = page.read().await?;
            let mut shown = Shown::find(&page, &mut conn, application).await?;
            text.expose().clone_into(&mut shown.app().new_secret);
            Ok(([(header::CACHE_CONTROL, "no-store")], shown).into_response())
        }
        Err(error) => {
            drop(act);
            refused(&page, application, FormErrors::of(error)?).await
        }
    }
}

/// The application's page again, with why something was refused.
pub(super) async fn refused(page: &Page, application: ApplicationId, errors: FormErrors) -> PageResult {
    let status = errors.status;
    let mut conn = page.read().await?;
    let mut shown = Shown::find(page, &mut conn, application).await?;
    errors.tell(shown.shell());
    Ok(FormErrors::again(status, shown))
}

/// `POST /applications/{application}/secrets/{secret}/revoke`.
pub async fn revoke_secret(page: Page, ApiPath((application, secret)): ApiPath<(ApplicationId, SecretId)>) -> PageResult {
    let mut act = page.begin().await?;
    applications::revoke_secret(&mut act, application, secret).await?;
    let to = format!("/applications/{application}");
    page.done(act, to, Flash::ok("The secret is revoked, and with it the tokens it was exchanged for.")).await
}

/// The confirmation of a deletion.
#[derive(Debug, Deserialize)]
pub struct ConfirmForm {
    /// The exact name.
    #[serde(default)]
    pub confirm: String,
}

/// `POST /applications/{application}/delete`.
pub async fn delete(page: Page, ApiPath(application): ApiPath<ApplicationId>, PageForm(form): PageForm<ConfirmForm>) -> PageResult {
    let mut act = page.begin().await?;
    // The action says first whether it may happen at all; without the confirmation it is not committed.
    let refusal = match applications::delete(&mut act, application).await {
        Ok(seen) if form.confirm.trim() == seen.application.name => {
            let list = address(&seen, None).rsplit_once('/').map(|(list, _)| list.to_owned()).unwrap_or_default();
            return page.done(act, list, Flash::ok(format!("{} is deleted.", seen.application.name))).await;
        }
        Ok(_) => FormErrors::at_field("/confirm", "type the exact name of the application to delete it"),
        Err(error) => FormErrors::of(error)?,
    };
    drop(act);
    refused(&page, application, refusal).await
}

#[cfg(test)]
mod tests {
    use super::{
        ApplicationBody, ApplicationList, ApplicationPage, ApplicationRow, ApplicationsPage, CredentialRow, DeletionNote,
        MyApplicationPage, MyApplicationsPage, ViewerRow,
    };
    use crate::pages::{Choice, Field, Link, sample};

    #[test]
    fn the_list_and_its_empty_state() {
        let list = ApplicationList { can_manage: true, url: "/organizations/aurelia/applications".into(), ..ApplicationList::default() };
        let mut page = ApplicationsPage { shell: sample::shell("organizations"), org: sample::org("applications"), list };
        assert!(sample::render("applications-empty", &page).contains("No applications yet"));
        page.list.applications.push(ApplicationRow {
            name: "Forecast engine".into(),
            href: "/organizations/aurelia/applications/app_1".into(),
            client_id: "app_01h455vb4pex5vsknk084sn02q".into(),
            services: "Load forecast".into(),
            seen_as: "Belongs to Aurelia, where you are editor".into(),
            secrets: 2,
            ..ApplicationRow::default()
        });
        assert!(sample::render("applications", &page).contains("Forecast engine"));
        let mine = MyApplicationsPage { shell: sample::shell(""), list: page.list };
        assert!(sample::render("applications-mine", &mine).contains("Forecast engine"));
    }

    #[test]
    fn a_new_secret_is_shown_once() {
        let mut org = sample::org("applications");
        org.crumbs = vec![Link::new("Applications", "/organizations/aurelia/applications"), Link::new("Forecast engine", "")];
        let app = ApplicationBody {
            url: "/applications/app_1".into(),
            name: "Forecast engine".into(),
            created: "12 March 2026".into(),
            client_id: "app_01h455vb4pex5vsknk084sn02q".into(),
            token_url: "https://stoa.example/oauth2/token".into(),
            services: vec![Link::new("Load forecast", "/organizations/aurelia/services/load-forecast")],
            secrets: vec![CredentialRow {
                id: "sec_1".into(),
                hint: "stoa_sec_4f9a…".into(),
                created: "12 Mar 2026".into(),
                last_used: "never".into(),
                ..CredentialRow::default()
            }],
            new_secret: "stoa_sec_sample_of_a_secret_that_opens_nothing".into(),
            can_manage: true,
            viewers: vec![ViewerRow {
                who: "Team Meters".into(),
                href: "/organizations/aurelia/teams/tea_1".into(),
                why: "3 people, each by role".into(),
                unshare: "/applications/app_1/unshare/team/tea_1".into(),
            }],
            seen_as: "Yours".into(),
            share_with: vec![Choice::new("organization:aurelia", "Aurelia: all members", false)],
            transfer_to: vec![Choice::new("aurelia", "Aurelia", false)],
            deletion: Some(DeletionNote { blocked: String::new(), lines: vec!["1 secret opens nothing any more".into()] }),
            edit_name: Field::new("Forecast engine"),
            ..ApplicationBody::default()
        };
        let page = ApplicationPage { shell: sample::shell("organizations"), org, app };
        assert!(sample::render("application", &page).contains("Copy this secret now."));
        let mine = MyApplicationPage { shell: sample::shell(""), app: page.app };
        let html = sample::render("application-mine", &mine);
        assert!(html.contains("Give to an organization") && html.contains("Team Meters"));
    }
}
