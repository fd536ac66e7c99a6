//! The forms of a service: drafting it with its contract, and editing its texts.

use axum::response::IntoResponse;
use serde::Deserialize;
use stoa_actions::{
    applications::{self, Filter},
    seats::{self, Seat},
    services,
};
use stoa_domain::{
    applications::Owner,
    contracts::NewContract,
    ids::{OrganizationId, ServiceId},
    meters::{MeterInput, PlanInput},
    money::RawDecimal,
    organizations::Key,
    permissions::Permission,
    services::{DataPermission, Level, Listing, MOST_LINKS, NamedLink, NewService, ServiceChange, ServiceText, Visibility},
};
use stoa_store::Conn;

use super::{
    Choice, Field, Flash, Link,
    form::{FormErrors, PageForm},
    offers::permission_lines,
    page::{Page, PageResult},
    services::{LinkDraft, MeterDraft, ServiceEditPage},
};
use crate::extract::ApiPath;

/// Rows for meters that are offered at first, and that “More rows” adds.
const ROWS: usize = 4;
/// The most applications to choose from.
const MOST_APPLICATIONS: i64 = 200;

/// The form as it was sent. A draft has all of it, an edit the texts only.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Sent {
    /// Its name.
    pub name: String,
    /// Its handle.
    pub handle: String,
    /// The application's id.
    pub application: String,
    /// Its summary.
    pub summary: String,
    /// Its description in Markdown.
    pub description: String,
    /// Its categories, separated by commas.
    pub categories: String,
    /// Who may subscribe.
    pub visibility: String,
    /// The names of the links.
    pub link_name: Vec<String>,
    /// The addresses of the links.
    pub link_url: Vec<String>,
    /// Whom to ask.
    pub support: String,
    /// The level of the contract.
    pub level: String,
    /// The permissions marked.
    pub permission: Vec<String>,
    /// Where the terms are.
    pub terms_url: String,
    /// The plan's name.
    pub plan_name: String,
    /// The plan's currency.
    pub currency: String,
    /// The fee paid once.
    pub one_time: String,
    /// The fee per month.
    pub monthly: String,
    /// The fee per project and month.
    pub monthly_per_project: String,
    /// The meters' names.
    pub meter_name: Vec<String>,
    /// The meters' units.
    pub meter_unit: Vec<String>,
    /// The meters' prices a unit.
    pub meter_unit_price: Vec<String>,
    /// The meters' free units.
    pub meter_free_units: Vec<String>,
    /// Sent by the button that asks for more rows instead of saving.
    pub more: String,
}

fn decimal(text: &str) -> Option<RawDecimal> {
    Some(text.trim()).filter(|text| !text.is_empty()).map(RawDecimal::from)
}

fn nth(all: &[String], row: usize) -> &str {
    all.get(row).map_or("", |text| text.trim())
}

impl Sent {
    fn categories(&self) -> Vec<String> {
        self.categories.split(',').map(str::trim).filter(|one| !one.is_empty()).map(str::to_owned).collect()
    }

    /// The rows of links in which something is written.
    fn linked(&self) -> Vec<usize> {
        let rows = self.link_name.len().max(self.link_url.len());
        (0..rows).filter(|row| !nth(&self.link_name, *row).is_empty() || !nth(&self.link_url, *row).is_empty()).collect()
    }

    fn listing(&self) -> Listing {
        let link = |row: usize| NamedLink { name: nth(&self.link_name, row).to_owned(), url: nth(&self.link_url, row).to_owned() };
        Listing { links: self.linked().into_iter().map(link).collect(), support: Some(self.support.clone()) }
    }

    fn rows(&self) -> usize {
        let columns = [&self.meter_name, &self.meter_unit, &self.meter_unit_price, &self.meter_free_units];
        columns.iter().map(|column| column.len()).max().unwrap_or(0)
    }

    /// The rows in which something is written; the others are left out.
    fn filled(&self) -> Vec<usize> {
        let columns = [&self.meter_name, &self.meter_unit, &self.meter_unit_price, &self.meter_free_units];
        (0..self.rows()).filter(|row| columns.iter().any(|column| !nth(column, *row).is_empty())).collect()
    }

    fn plan(&self) -> PlanInput {
        let meter = |row: usize| MeterInput {
            name: nth(&self.meter_name, row).to_owned(),
            unit: nth(&self.meter_unit, row).to_owned(),
            unit_price: decimal(nth(&self.meter_unit_price, row)),
            free_units: decimal(nth(&self.meter_free_units, row)),
            ..MeterInput::default()
        };
        PlanInput {
            name: self.plan_name.clone(),
            currency: self.currency.trim().to_uppercase(),
            one_time: decimal(&self.one_time),
            monthly: decimal(&self.monthly),
            monthly_per_project: decimal(&self.monthly_per_project),
            meters: self.filled().into_iter().map(meter).collect(),
        }
    }

    fn new_service(&self) -> NewService {
        NewService {
            application: self.application.clone(),
            text: ServiceText {
                name: self.name.clone(),
                handle: Some(self.handle.clone()),
                summary: self.summary.clone(),
                description: self.description.clone(),
                categories: self.categories(),
            },
            visibility: self.visibility.clone(),
            contract: NewContract {
                level: self.level.clone(),
                permissions: self.permission.clone(),
                terms_url: Some(self.terms_url.clone()),
                plans: vec![self.plan()],
            },
        }
    }

    fn change(&self) -> ServiceChange {
        ServiceChange {
            name: Some(self.name.clone()),
            summary: Some(self.summary.clone()),
            description: Some(self.description.clone()),
            categories: Some(self.categories()),
            visibility: Some(self.visibility.clone()),
            links: Some(self.listing().links),
            support: Some(self.support.clone()),
        }
    }
}

/// The rows of links, with empty ones to fill in; the fault of a row stands at its address.
fn links(sent: &Sent, wrong: &mut Wrong) -> Vec<LinkDraft> {
    let filled = sent.linked();
    let count = (filled.len() + 2).min(MOST_LINKS);
    (0..count)
        .map(|index| {
            let row = filled.get(index).copied().unwrap_or(usize::MAX);
            let name = wrong.at(&format!("/links/{index}/name")).map(|error| format!("Name: {error}"));
            let error = name.or(wrong.at(&format!("/links/{index}/url")));
            LinkDraft {
                key: format!("link-url-{}", index + 1),
                name: nth(&sent.link_name, row).to_owned(),
                url: Field { value: nth(&sent.link_url, row).to_owned(), error },
            }
        })
        .collect()
}

/// What is wrong with a form, or nothing.
struct Wrong(Option<FormErrors>);

impl Wrong {
    fn at(&mut self, pointer: &str) -> Option<String> {
        self.0.as_mut().and_then(|errors| errors.take(pointer))
    }

    fn field(&mut self, pointer: &str, typed: &str) -> Field {
        Field { value: typed.to_owned(), error: self.at(pointer) }
    }

    fn rest(self) -> Vec<String> {
        self.0.map(FormErrors::rest).unwrap_or_default()
    }
}

fn visibilities(chosen: &str) -> Vec<Choice> {
    let choice = |one: Visibility, label: &str, hint: &str| Choice {
        value: one.word().to_owned(),
        label: label.to_owned(),
        hint: hint.to_owned(),
        checked: one.word() == chosen,
    };
    vec![
        choice(Visibility::Public, "Everybody, at once", "It is listed for all and subscribed without asking you."),
        choice(Visibility::OnRequest, "Everybody, after your approval", "It is listed for all; you approve each subscription."),
        choice(Visibility::Private, "Named organizations", "It is listed for your organization and for those you name afterwards."),
    ]
}

pub(crate) fn levels(chosen: &str) -> Vec<Choice> {
    let choice = |one: Level, label: &str, hint: &str| Choice {
        value: one.word().to_owned(),
        label: label.to_owned(),
        hint: hint.to_owned(),
        checked: one.word() == chosen,
    };
    vec![
        choice(Level::Organization, "Organization", "One subscription serves all or selected projects of an organization."),
        choice(Level::Project, "Project", "One subscription serves one project."),
    ]
}

pub(crate) fn permissions(chosen: &[String]) -> Vec<Choice> {
    let lines = permission_lines(DataPermission::ALL);
    lines
        .into_iter()
        .map(|line| Choice { checked: chosen.contains(&line.name), value: line.name.clone(), label: line.words, hint: line.name })
        .collect()
}

/// The page of a draft's form, filled with what was sent and what is wrong with it.
async fn new_page(page: &Page, conn: &mut Conn, seat: &Seat, sent: &Sent, errors: Option<FormErrors>) -> PageResult<ServiceEditPage> {
    let mut wrong = Wrong(errors);
    let mut org = page.org_head(conn, seat, "services").await?;
    let list = format!("{}/services", org.url());
    org.crumbs = vec![Link::new("Services", list.as_str()), Link::new("New service", "")];
    let provider = Key::Id(seat.organization.id);
    let filter = Filter { organization: Some(&provider), ..Filter::default() };
    let listed = applications::list(conn, &page.caller, filter, None, MOST_APPLICATIONS).await?;
    let applications = listed
        .iter()
        .filter(|one| one.application.owner == Owner::Organization(seat.organization.id))
        .map(|one| (one.application.id.to_string(), one.application.name.as_str()))
        .map(|(id, name)| Choice { checked: id == sent.application, value: id, label: name.to_owned(), hint: String::new() })
        .collect();
    let plan = "/contract/plans/0";
    let meters = meters(sent, &mut wrong);
    let links = links(sent, &mut wrong);
    let mut category = wrong.at("/categories");
    for index in 0..sent.categories().len() {
        category = category.or(wrong.at(&format!("/categories/{index}")));
    }
    Ok(ServiceEditPage {
        shell: page.shell(conn, "organizations").await?,
        heading: "New service".to_owned(),
        action: format!("{list}/new"),
        cancel: list,
        is_new: true,
        name: wrong.field("/name", &sent.name),
        handle: wrong.field("/handle", &sent.handle),
        applications,
        summary: wrong.field("/summary", &sent.summary),
        description: wrong.field("/description", &sent.description),
        categories: Field { value: sent.categories.clone(), error: category },
        visibilities: visibilities(&sent.visibility),
        links,
        support: wrong.field("/support", &sent.support),
        levels: levels(&sent.level),
        permissions: permissions(&sent.permission),
        terms_url: wrong.field("/contract/terms_url", &sent.terms_url),
        plan_name: wrong.field(&format!("{plan}/name"), &sent.plan_name),
        currency: wrong.field(&format!("{plan}/currency"), &sent.currency),
        one_time: wrong.field(&format!("{plan}/one_time"), &sent.one_time),
        monthly: wrong.field(&format!("{plan}/monthly"), &sent.monthly),
        monthly_per_project: wrong.field(&format!("{plan}/monthly_per_project"), &sent.monthly_per_project),
        meters,
        errors: wrong.rest(),
        org,
    })
}

/// The rows of the meters, with empty ones to fill in; the fault of a row stands at its name.
fn meters(sent: &Sent, wrong: &mut Wrong) -> Vec<MeterDraft> {
    let filled = sent.filled();
    let more = if sent.more.is_empty() { 0 } else { ROWS };
    let count = (sent.rows() + more).clamp(ROWS, stoa_domain::meters::MAX_METERS);
    (0..count)
        .map(|row| {
            let error = filled.iter().position(|one| *one == row).and_then(|index| {
                let fields = [("name", ""), ("unit", "Unit: "), ("unit_price", "Price: "), ("free_units", "Free units: ")];
                let at = |field: &str| format!("/contract/plans/0/meters/{index}/{field}");
                fields.iter().find_map(|(field, what)| wrong.at(&at(field)).map(|error| format!("{what}{error}")))
            });
            MeterDraft {
                key: format!("meter-{}", row + 1),
                name: Field { value: nth(&sent.meter_name, row).to_owned(), error },
                unit: nth(&sent.meter_unit, row).to_owned(),
                unit_price: nth(&sent.meter_unit_price, row).to_owned(),
                free_units: nth(&sent.meter_free_units, row).to_owned(),
            }
        })
        .collect()
}

async fn drafting(conn: &mut Conn, page: &Page, org: &str) -> PageResult<Seat> {
    Ok(seats::allowed(conn, &page.caller, &Key::<OrganizationId>::read(org), Permission::DraftServices).await?)
}

/// `GET /organizations/{org}/services/new`.
pub async fn new(page: Page, ApiPath(org): ApiPath<String>) -> PageResult {
    let mut conn = page.read().await?;
    let seat = drafting(&mut conn, &page, &org).await?;
    let blank = Sent {
        visibility: Visibility::Public.word().to_owned(),
        level: Level::Organization.word().to_owned(),
        permission: vec![DataPermission::ResourcesRead.word().to_owned()],
        currency: "EUR".to_owned(),
        ..Sent::default()
    };
    Ok(new_page(&page, &mut conn, &seat, &blank, None).await?.into_response())
}

/// `POST /organizations/{org}/services/new`.
pub async fn create(page: Page, ApiPath(org): ApiPath<String>, PageForm(sent): PageForm<Sent>) -> PageResult {
    if !sent.more.is_empty() {
        let mut conn = page.read().await?;
        let seat = drafting(&mut conn, &page, &org).await?;
        return Ok(new_page(&page, &mut conn, &seat, &sent, None).await?.into_response());
    }
    let mut act = page.begin().await?;
    match services::create_listed(&mut act, &Key::read(&org), sent.new_service(), sent.listing()).await {
        Ok(made) => {
            let to = format!("/organizations/{}/services/{}", made.provider.handle, made.service.handle);
            page.done(act, to, Flash::ok(format!("{} is drafted. Publish it when it is ready.", made.service.name))).await
        }
        Err(error) => {
            drop(act);
            let errors = FormErrors::of(error)?.code_at("handle_taken", "/handle");
            let status = errors.status;
            let mut conn = page.read().await?;
            let seat = drafting(&mut conn, &page, &org).await?;
            Ok(FormErrors::again(status, new_page(&page, &mut conn, &seat, &sent, Some(errors)).await?))
        }
    }
}

/// `GET /organizations/{org}/services/{service}/edit`.
pub async fn edit(page: Page, ApiPath((org, key)): ApiPath<(String, String)>) -> PageResult {
    Ok(edit_page(&page, &org, &key, None, None).await?.into_response())
}

async fn edit_page(page: &Page, org: &str, key: &str, sent: Option<&Sent>, errors: Option<FormErrors>) -> PageResult<ServiceEditPage> {
    let mut conn = page.read().await?;
    let (org, key) = (Key::read(org), Key::<ServiceId>::read(key));
    let (seat, details) = services::of_organization(&mut conn, &page.caller, &org, &key, Permission::DraftServices).await?;
    let service = &details.service;
    let kept = Sent {
        name: service.name.clone(),
        summary: service.summary.clone(),
        description: service.description.clone(),
        categories: service.categories.join(", "),
        visibility: service.visibility.word().to_owned(),
        link_name: service.links.iter().map(|link| link.name.clone()).collect(),
        link_url: service.links.iter().map(|link| link.url.clone()).collect(),
        support: service.support.clone().unwrap_or_default(),
        ..Sent::default()
    };
    let sent = sent.unwrap_or(&kept);
    let mut wrong = Wrong(errors);
    let mut org = page.org_head(&mut conn, &seat, "services").await?;
    let list = format!("{}/services", org.url());
    let url = format!("{list}/{}", service.handle);
    org.crumbs = vec![Link::new("Services", list.as_str()), Link::new(service.name.as_str(), url.as_str()), Link::new("Edit", "")];
    let category = (0..=10).map(|index| format!("/categories/{index}")).find_map(|pointer| wrong.at(&pointer));
    Ok(ServiceEditPage {
        shell: page.shell(&mut conn, "organizations").await?,
        heading: format!("Edit {}", service.name),
        action: format!("{url}/edit"),
        cancel: url,
        name: wrong.field("/name", &sent.name),
        summary: wrong.field("/summary", &sent.summary),
        description: wrong.field("/description", &sent.description),
        categories: Field { value: sent.categories.clone(), error: category.or(wrong.at("/categories")) },
        visibilities: visibilities(&sent.visibility),
        links: links(sent, &mut wrong),
        support: wrong.field("/support", &sent.support),
        errors: wrong.rest(),
        org,
        ..ServiceEditPage::default()
    })
}

/// `POST /organizations/{org}/services/{service}/edit`.
pub async fn update(page: Page, ApiPath((org, key)): ApiPath<(String, String)>, PageForm(sent): PageForm<Sent>) -> PageResult {
    let mut act = page.begin().await?;
    match services::update(&mut act, &Key::read(&key), sent.change()).await {
        Ok(changed) => {
            let to = format!("/organizations/{}/services/{}", changed.provider.handle, changed.service.handle);
            page.done(act, to, Flash::ok(format!("{} is saved.", changed.service.name))).await
        }
        Err(error) => {
            drop(act);
            let errors = FormErrors::of(error)?;
            let status = errors.status;
            Ok(FormErrors::again(status, edit_page(&page, &org, &key, Some(&sent), Some(errors)).await?))
        }
    }
}
