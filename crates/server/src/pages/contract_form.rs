//! The form of another version of a contract: plans with meters of every charge model, each price on one line of text.

use axum::response::IntoResponse;
use serde::Deserialize;
use stoa_actions::{
    contracts::{self, NewVersion, RolledOut},
    level_changes,
    services::{self, ServiceDetails},
};
use stoa_domain::{
    contracts::NewContract,
    ids::ServiceId,
    meters::{Meter, MeterInput, Plan, PlanInput, Price, TierInput},
    money::RawDecimal,
    organizations::Key,
    permissions::Permission,
};

use super::{
    Choice, Field, Flash, OrgHead, Shell,
    contracts::head,
    filters,
    form::{FormErrors, PageForm},
    level_changes::{OutlookCard, outlook_card},
    page::{Page, PageResult},
    service_form::{levels, permissions},
};
use crate::extract::ApiPath;

/// `GET /organizations/{org}/services/{service}/contracts/new`, and again with errors.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "contract_new.html")]
pub struct NewContractPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization.
    pub org: OrgHead,
    /// The service's name.
    pub name: String,
    /// The version it would be.
    pub version: String,
    /// Where the form is sent; without `/new` it is the list.
    pub url: String,
    /// Errors of the form as a whole.
    pub errors: Vec<String>,
    /// `organization`, `project`.
    pub levels: Vec<Choice>,
    /// The permissions, sent as repeated `permission`.
    pub permissions: Vec<Choice>,
    /// Where its terms are.
    pub terms_url: Field,
    /// Until when those keep theirs who don't accept it, as a day.
    pub notice_until: Field,
    /// The plans.
    pub plans: Vec<PlanDraft>,
    /// The plans that subscribers are on, with the plan that shall follow each.
    pub paths: Vec<PathDraft>,
    /// What it would come to for subscribers at the other level, where that was asked for.
    pub dry_run: Option<Vec<OutlookCard>>,
}

/// A plan of the form.
#[derive(Debug, Clone, Default)]
pub struct PlanDraft {
    /// Its position, counted from 0; rows of meters name it.
    pub index: usize,
    /// Its name.
    pub name: Field,
    /// Its currency.
    pub currency: Field,
    /// The fee paid once.
    pub one_time: Field,
    /// The fee per month.
    pub monthly: Field,
    /// The fee per project and month.
    pub monthly_per_project: Field,
    /// Its meters, with empty rows.
    pub meters: Vec<MeterRow>,
}

/// A meter of the form.
#[derive(Debug, Clone, Default)]
pub struct MeterRow {
    /// A key for the page; each row another.
    pub key: String,
    /// Its name; its error stands for the whole row.
    pub name: Field,
    /// Its unit.
    pub unit: String,
    /// The charge models.
    pub models: Vec<Choice>,
    /// Its price, as [`price_text`] writes it.
    pub price: String,
    /// Its free units a month.
    pub free_units: String,
}

/// Which plan follows which.
#[derive(Debug, Clone, Default)]
pub struct PathDraft {
    /// A key for the page; each row another.
    pub key: String,
    /// The plan that subscribers are on.
    pub from: String,
    /// The name of the plan that follows it.
    pub to: Field,
}

impl PlanDraft {
    /// The id of one of its fields on the page.
    fn field_id(&self, name: &str) -> String {
        format!("{name}-{}", self.index)
    }
}

/// Empty rows for meters that each plan gets.
const ROWS: usize = 2;

/// The form as it was sent: a column for each field of plans, and one for each field of meters.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Sent {
    /// The level.
    pub level: String,
    /// The permissions marked.
    pub permission: Vec<String>,
    /// Where the terms are.
    pub terms_url: String,
    /// Until when those keep theirs who don't accept it, as a day.
    pub notice_until: String,
    /// The plans' names.
    pub plan_name: Vec<String>,
    /// The plans' currencies.
    pub currency: Vec<String>,
    /// The fees paid once.
    pub one_time: Vec<String>,
    /// The fees per month.
    pub monthly: Vec<String>,
    /// The fees per project and month.
    pub monthly_per_project: Vec<String>,
    /// Of which plan a meter is, by its position.
    pub meter_plan: Vec<String>,
    /// The meters' names.
    pub meter_name: Vec<String>,
    /// The meters' units.
    pub meter_unit: Vec<String>,
    /// The meters' charge models.
    pub meter_model: Vec<String>,
    /// The meters' prices.
    pub meter_price: Vec<String>,
    /// The meters' free units.
    pub meter_free_units: Vec<String>,
    /// The plans that subscribers are on.
    pub path_from: Vec<String>,
    /// The plans that shall follow them.
    pub path_to: Vec<String>,
    /// Sent by the buttons that ask for more rows instead of saving: `plan` or `meters`; `outlook` asks for the dry run.
    pub more: String,
}

fn nth(all: &[String], row: usize) -> &str {
    all.get(row).map_or("", |text| text.trim())
}

fn decimal(text: &str) -> Option<RawDecimal> {
    Some(text.trim()).filter(|text| !text.is_empty()).map(RawDecimal::from)
}

/// A meter's price as one line of text: `0.02`, `2.50 for 1000`, or `1000: 0.01 + 5, beyond: 0.005`.
fn price_text(price: &Price) -> String {
    match price {
        Price::Standard { unit_price } => unit_price.to_string(),
        Price::Package { size, price } => format!("{price} for {size}"),
        Price::Graduated { tiers } | Price::Volume { tiers } => {
            let tier = |tier: &stoa_domain::meters::Tier| {
                let reach = tier.up_to.map_or_else(|| "beyond".to_owned(), |end| end.to_string());
                let flat = if tier.flat_fee.is_zero() { String::new() } else { format!(" + {}", tier.flat_fee) };
                format!("{reach}: {}{flat}", tier.unit_price)
            };
            tiers.iter().map(tier).collect::<Vec<_>>().join(", ")
        }
    }
}

/// Reads a price back; what does not read is a fault that the rules of meters find.
fn read_price(model: &str, text: &str, meter: &mut MeterInput) {
    match model {
        "package" => {
            let (price, size) = text.split_once("for").unwrap_or((text, ""));
            (meter.package_price, meter.package_size) = (decimal(price), decimal(size));
        }
        "graduated" | "volume" => {
            let tier = |part: &str| {
                let (reach, rest) = part.split_once(':').unwrap_or(("beyond", part));
                let (price, flat) = rest.split_once('+').unwrap_or((rest, ""));
                TierInput {
                    up_to: decimal(reach).filter(|_| reach.trim() != "beyond"),
                    unit_price: decimal(price),
                    flat_fee: decimal(flat),
                }
            };
            meter.tiers = Some(text.split(',').filter(|part| !part.trim().is_empty()).map(tier).collect());
        }
        _ => meter.unit_price = decimal(text),
    }
}

const MODELS: [(&str, &str); 4] = [("standard", "Standard"), ("graduated", "Graduated"), ("volume", "Volume"), ("package", "Package")];

impl Sent {
    /// The form filled with the contract of now.
    fn of(details: &ServiceDetails) -> Self {
        let contract = &details.contract;
        let mut sent = Self {
            level: contract.level.word().to_owned(),
            permission: contract.permissions.iter().map(|one| one.word().to_owned()).collect(),
            terms_url: contract.terms_url.clone().unwrap_or_default(),
            ..Self::default()
        };
        for (index, kept) in details.plans.iter().enumerate() {
            sent.fill(index, &kept.plan);
        }
        sent
    }

    fn fill(&mut self, index: usize, plan: &Plan) {
        let fee = |fee: &rust_decimal::Decimal| if fee.is_zero() { String::new() } else { fee.to_string() };
        self.plan_name.push(plan.name.clone());
        self.currency.push(plan.currency.code().to_owned());
        self.one_time.push(fee(&plan.one_time));
        self.monthly.push(fee(&plan.monthly));
        self.monthly_per_project.push(fee(&plan.monthly_per_project));
        for meter in &plan.meters {
            self.fill_meter(index, meter);
        }
    }

    fn fill_meter(&mut self, index: usize, meter: &Meter) {
        let model = match meter.price {
            Price::Standard { .. } => "standard",
            Price::Graduated { .. } => "graduated",
            Price::Volume { .. } => "volume",
            Price::Package { .. } => "package",
        };
        self.meter_plan.push(index.to_string());
        self.meter_name.push(meter.name.clone());
        self.meter_unit.push(meter.unit.clone());
        self.meter_model.push(model.to_owned());
        self.meter_price.push(price_text(&meter.price));
        self.meter_free_units.push(if meter.free_units.is_zero() { String::new() } else { meter.free_units.to_string() });
    }

    /// The positions of the plans in which something is written.
    fn written(&self) -> Vec<usize> {
        let all = self.plan_name.len();
        let empty = |plan: &usize| {
            nth(&self.plan_name, *plan).is_empty() && self.meters_of(*plan).is_empty() && nth(&self.monthly, *plan).is_empty()
        };
        (0..all).filter(|plan| *plan == 0 || !empty(plan)).collect()
    }

    /// The rows of a plan's meters in which something is written.
    fn meters_of(&self, plan: usize) -> Vec<usize> {
        let columns = [&self.meter_name, &self.meter_unit, &self.meter_price, &self.meter_free_units];
        let of_plan = |row: &usize| nth(&self.meter_plan, *row) == plan.to_string();
        (0..self.meter_plan.len()).filter(of_plan).filter(|row| columns.iter().any(|column| !nth(column, *row).is_empty())).collect()
    }

    fn plan(&self, plan: usize) -> PlanInput {
        let meter = |row: usize| {
            let model = nth(&self.meter_model, row);
            let mut meter = MeterInput {
                name: nth(&self.meter_name, row).to_owned(),
                unit: nth(&self.meter_unit, row).to_owned(),
                charge_model: Some(model.to_owned()).filter(|model| !model.is_empty()),
                free_units: decimal(nth(&self.meter_free_units, row)),
                ..MeterInput::default()
            };
            read_price(model, nth(&self.meter_price, row), &mut meter);
            meter
        };
        PlanInput {
            name: nth(&self.plan_name, plan).to_owned(),
            currency: nth(&self.currency, plan).to_uppercase(),
            one_time: decimal(nth(&self.one_time, plan)),
            monthly: decimal(nth(&self.monthly, plan)),
            monthly_per_project: decimal(nth(&self.monthly_per_project, plan)),
            meters: self.meters_of(plan).into_iter().map(meter).collect(),
        }
    }

    fn version(&self) -> NewVersion {
        let day = self.notice_until.trim();
        let paths = self.path_from.iter().zip(&self.path_to).filter(|(_, to)| !to.trim().is_empty());
        NewVersion {
            contract: NewContract {
                level: self.level.clone(),
                permissions: self.permission.clone(),
                terms_url: Some(self.terms_url.clone()),
                plans: self.written().into_iter().map(|plan| self.plan(plan)).collect(),
            },
            notice_until: (!day.is_empty()).then(|| format!("{day}T00:00:00Z")),
            plan_paths: paths.map(|(from, to)| (from.clone(), to.trim().to_owned())).collect(),
        }
    }
}

async fn form(page: &Page, org: &str, key: &str, sent: Option<&Sent>, mut errors: FormErrors) -> PageResult<NewContractPage> {
    let mut conn = page.read().await?;
    let (org, key) = (Key::read(org), Key::<ServiceId>::read(key));
    let (seat, details) = services::of_organization(&mut conn, &page.caller, &org, &key, Permission::DraftServices).await?;
    let kept = Sent::of(&details);
    let sent = sent.unwrap_or(&kept);
    let version = details.contract.version + 1;
    let (org, url) = head(page, &mut conn, &seat, &details, &format!("Version {version}")).await?;
    let used = contracts::plans_in_use(&mut conn, &details.service).await?;
    let paths = used.into_iter().enumerate().map(|(row, from)| {
        let typed = sent.path_from.iter().position(|one| *one == from).map(|index| nth(&sent.path_to, index).to_owned());
        let to = typed.unwrap_or_else(|| from.clone());
        let pointer = format!("/plan_paths/{}", from.replace('~', "~0").replace('/', "~1"));
        PathDraft { key: format!("path-{row}"), to: errors.field(&pointer, to), from }
    });
    let paths: Vec<PathDraft> = paths.collect();
    let positions: Vec<usize> =
        if sent.more == "plan" { (0..=sent.plan_name.len()).collect() } else { (0..sent.plan_name.len().max(1)).collect() };
    let written = sent.written();
    let plans = positions.into_iter().map(|plan| plan_draft(sent, plan, &written, &mut errors)).collect();
    Ok(NewContractPage {
        shell: page.shell(&mut conn, "organizations").await?,
        name: details.service.name.clone(),
        version: version.to_string(),
        levels: levels(&sent.level),
        permissions: permissions(&sent.permission),
        terms_url: errors.field("/terms_url", sent.terms_url.as_str()),
        notice_until: errors.field("/notice_until", sent.notice_until.as_str()),
        plans,
        paths,
        errors: errors.rest(),
        dry_run: None,
        url,
        org,
    })
}

/// How many subscribers a dry run shows; the provider's page of changes leads through all.
const OUTLOOKS: i64 = 50;

/// The form again, with what the contract would come to for subscribers at the other level.
async fn dry_run(page: &Page, org: &str, key: &str, sent: &Sent) -> PageResult {
    let version = sent.version();
    let mut act = page.begin().await?;
    let found = level_changes::draft_outlooks(&mut act, &Key::read(key), version.contract, version.plan_paths, None, OUTLOOKS).await;
    drop(act);
    match found {
        Ok((_, found)) => {
            let mut form = form(page, org, key, Some(sent), FormErrors::none()).await?;
            form.dry_run = Some(found.iter().map(|one| outlook_card(one, None)).collect());
            Ok(form.into_response())
        }
        Err(error) => {
            let errors = FormErrors::of(error)?;
            let status = errors.status;
            Ok(FormErrors::again(status, form(page, org, key, Some(sent), errors).await?))
        }
    }
}

fn plan_draft(sent: &Sent, plan: usize, written: &[usize], errors: &mut FormErrors) -> PlanDraft {
    // Faults name the plans and meters that were sent, among which the empty ones are not.
    let at = written.iter().position(|one| *one == plan).map_or_else(|| "/none".to_owned(), |index| format!("/plans/{index}"));
    let mut field = |name: &str, column: &[String]| errors.field(&format!("{at}/{name}"), nth(column, plan));
    let (name, currency) = (field("name", &sent.plan_name), field("currency", &sent.currency));
    let (one_time, monthly) = (field("one_time", &sent.one_time), field("monthly", &sent.monthly));
    let monthly_per_project = field("monthly_per_project", &sent.monthly_per_project);
    let filled = sent.meters_of(plan);
    let spare = if sent.more == "meters" { 2 * ROWS } else { ROWS };
    let rows = filled.iter().copied().map(Some).chain(std::iter::repeat_n(None, spare));
    let meters = rows
        .enumerate()
        .map(|(index, row)| {
            let pointer = format!("{at}/meters/{index}/");
            let text = |column: &[String]| row.map_or("", |row| nth(column, row)).to_owned();
            let model = text(&sent.meter_model);
            MeterRow {
                key: format!("meter-{plan}-{index}"),
                name: Field { value: text(&sent.meter_name), error: row.and_then(|_| errors.take_under(&pointer)) },
                unit: text(&sent.meter_unit),
                models: MODELS.iter().map(|(word, label)| Choice::new(*word, *label, *word == model)).collect(),
                price: text(&sent.meter_price),
                free_units: text(&sent.meter_free_units),
            }
        })
        .collect();
    PlanDraft { index: plan, name, currency, one_time, monthly, monthly_per_project, meters }
}

/// `GET /organizations/{org}/services/{service}/contracts/new`.
pub async fn new(page: Page, ApiPath((org, key)): ApiPath<(String, String)>) -> PageResult {
    Ok(form(&page, &org, &key, None, FormErrors::none()).await?.into_response())
}

/// `POST /organizations/{org}/services/{service}/contracts/new`.
pub async fn offer(page: Page, ApiPath((org, key)): ApiPath<(String, String)>, PageForm(sent): PageForm<Sent>) -> PageResult {
    if sent.more == "outlook" {
        return dry_run(&page, &org, &key, &sent).await;
    }
    if !sent.more.is_empty() {
        return Ok(form(&page, &org, &key, Some(&sent), FormErrors::none()).await?.into_response());
    }
    let mut act = page.begin().await?;
    match contracts::offer(&mut act, &Key::read(&key), sent.version()).await {
        Ok(offered) => {
            let details = &offered.details;
            let to = format!("/organizations/{}/services/{}/contracts", details.provider.handle, details.service.handle);
            page.done(act, to, Flash::ok(told(details.contract.version, offered.rolled_out))).await
        }
        Err(error) => {
            drop(act);
            let errors = FormErrors::of(error)?;
            let status = errors.status;
            Ok(FormErrors::again(status, form(&page, &org, &key, Some(&sent), errors).await?))
        }
    }
}

fn told(version: i64, done: RolledOut) -> String {
    let mut text = format!("Version {version} is offered. New subscriptions get it.");
    let subscriptions = |count: usize| if count == 1 { "1 subscription".to_owned() } else { format!("{count} subscriptions") };
    if done.applied > 0 {
        text.push_str(&format!(" It applies to {} at once.", subscriptions(done.applied)));
    }
    if done.offered > 0 {
        text.push_str(&format!(" It waits for the consent of {}.", subscriptions(done.offered)));
    }
    if done.kept > 0 {
        text.push_str(&format!(" It does not change {} at another level.", subscriptions(done.kept)));
    }
    if done.more {
        text.push_str(" Further subscriptions are reached within minutes.");
    }
    text
}

#[cfg(test)]
mod tests {
    use stoa_domain::{meters::MeterInput, text::Faults};

    use super::{NewContractPage, Sent, price_text, read_price};
    use crate::pages::{Link, OrgHead, sample};

    #[test]
    fn a_price_reads_back_from_its_text() {
        for (model, text) in [
            ("standard", "0.02"),
            ("graduated", "1000: 0.01 + 5, beyond: 0.005"),
            ("volume", "10: 2, 20: 1.5, beyond: 1"),
            ("package", "2.50 for 1000"),
        ] {
            let mut meter = MeterInput { name: "m".into(), unit: "u".into(), charge_model: Some(model.into()), ..MeterInput::default() };
            read_price(model, text, &mut meter);
            let read = meter.validate("", &mut Faults::new()).unwrap();
            assert_eq!(price_text(&read.price), text);
        }
    }

    #[test]
    fn empty_plans_and_meters_are_left_out() {
        let column = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let sent = Sent {
            plan_name: column(&["Basic", "", "Plus"]),
            currency: column(&["eur", "", "eur"]),
            meter_plan: column(&["0", "0", "2"]),
            meter_name: column(&["", "calls", "rows"]),
            meter_unit: column(&["", "call", "row"]),
            meter_model: column(&["standard", "package", "standard"]),
            meter_price: column(&["", "5 for 10", "1"]),
            ..Sent::default()
        };
        let plans = sent.version().contract.plans;
        let shown: Vec<_> = plans.iter().map(|plan| (plan.name.as_str(), plan.meters.len())).collect();
        assert_eq!(shown, [("Basic", 1), ("Plus", 1)]);
    }

    #[test]
    fn the_form_says_which_version_it_makes() {
        let form = NewContractPage {
            shell: sample::shell("organizations"),
            org: OrgHead { crumbs: vec![Link::new("Services", ""), Link::new("Load forecast", "")], ..sample::org("services") },
            name: "Load forecast".into(),
            version: "3".into(),
            url: "/organizations/aurelia/services/load-forecast/contracts".into(),
            ..NewContractPage::default()
        };
        assert!(sample::render("contract-new", &form).contains("Version 3"));
    }
}
