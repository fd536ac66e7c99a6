//! What an organization wants to be approved: a page of its settings.

use axum::response::IntoResponse;
use serde::Deserialize;
use stoa_actions::policies;
use stoa_domain::{
    ids::OrganizationId,
    organizations::Key,
    permissions::{Permission, Role},
    policies::{AmountInput, Policy, PolicyInput, Rule, RuleInput},
    requests::RequestKind,
    services::DataPermission,
};
use stoa_store::Conn;

use super::{
    Choice, Field, Flash, OrgHead, Shell, filters,
    form::{FormErrors, PageForm, sentence, sentence_start},
    page::{self, Page, PageResult},
};
use crate::extract::ApiPath;

/// `GET /organizations/{org}/settings/approvals`, and again with errors.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "policies.html")]
pub struct PolicyPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization.
    pub org: OrgHead,
    /// Whether I may change it.
    pub can_manage: bool,
    /// For how many days requests wait.
    pub days: Field,
    /// The rules, as sentences.
    pub rules: Vec<RuleRow>,
    /// Errors of the form as a whole.
    pub errors: Vec<String>,
    /// The form of a new rule.
    pub new: RuleForm,
}

/// A rule of the list.
#[derive(Debug, Clone, Default)]
pub struct RuleRow {
    /// What it is called.
    pub name: String,
    /// The rule in words.
    pub words: String,
}

/// The form of a new rule.
#[derive(Debug, Clone, Default)]
pub struct RuleForm {
    /// What it is called.
    pub name: Field,
    /// The roles.
    pub roles: Vec<Choice>,
    /// What it concerns.
    pub kinds: Vec<Choice>,
    /// From which fees on, such as “500 EUR, 550 USD”.
    pub monthly: Field,
    /// The permissions.
    pub permissions: Vec<Choice>,
}

/// A change: a new rule, another time, or a rule to remove.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Sent {
    /// `days`, `add` or `remove`.
    change: String,
    days: String,
    name: String,
    role: Vec<String>,
    kind: Vec<String>,
    monthly: String,
    permission: Vec<String>,
}

impl Sent {
    /// The policy after the change, with the index of a new rule.
    fn apply(&self, now: &Policy) -> PolicyInput {
        let mut input = PolicyInput { request_days: Some(i64::from(now.request_days)), rules: now.rules.iter().map(written).collect() };
        match self.change.as_str() {
            "days" => input.request_days = Some(self.days.trim().parse().unwrap_or(0)),
            "remove" => input.rules.retain(|rule| rule.name != self.name),
            _ => input.rules.push(RuleInput {
                name: self.name.clone(),
                roles: self.role.clone(),
                kinds: self.kind.clone(),
                monthly_from: amounts(&self.monthly),
                permissions: self.permission.clone(),
            }),
        }
        input
    }
}

fn written(rule: &Rule) -> RuleInput {
    let amount =
        |from: &stoa_domain::money::Money| AmountInput { amount: from.amount().to_string(), currency: from.currency().to_string() };
    RuleInput {
        name: rule.name.clone(),
        roles: rule.roles.iter().map(ToString::to_string).collect(),
        kinds: rule.kinds.iter().map(ToString::to_string).collect(),
        monthly_from: rule.monthly_from.iter().map(amount).collect(),
        permissions: rule.permissions.iter().map(ToString::to_string).collect(),
    }
}

/// Reads “500 EUR, 550 USD”; each part may also begin with the currency.
fn amounts(text: &str) -> Vec<AmountInput> {
    let parts = text.split([',', ';']).map(str::trim).filter(|part| !part.is_empty());
    let read = |part: &str| {
        let (first, second) = part.split_once(char::is_whitespace).unwrap_or((part, ""));
        let (amount, currency) = if first.starts_with(|c: char| c.is_ascii_alphabetic()) { (second, first) } else { (first, second) };
        AmountInput { amount: amount.trim().to_owned(), currency: currency.trim().to_uppercase() }
    };
    parts.map(read).collect()
}

fn form(sent: &Sent) -> RuleForm {
    let role = |role: Role| Choice::new(role.word(), role.title(), sent.role.iter().any(|word| word == role.word()));
    let kinds = RequestKind::ALL.iter().filter(|kind| kind.is_governed());
    let kind =
        |kind: &RequestKind| Choice::new(kind.word(), sentence_start(kind.words()), sent.kind.iter().any(|word| word == kind.word()));
    let permission =
        |one: &DataPermission| Choice::new(one.word(), sentence_start(one.words()), sent.permission.iter().any(|word| word == one.word()));
    RuleForm {
        name: Field::new(&sent.name),
        roles: Role::ALL.into_iter().map(role).collect(),
        kinds: kinds.map(kind).collect(),
        monthly: Field::new(&sent.monthly),
        permissions: DataPermission::ALL.iter().map(permission).collect(),
    }
}

async fn page_of(page: &Page, conn: &mut Conn, key: &Key<OrganizationId>, sent: &Sent) -> PageResult<PolicyPage> {
    let (seat, policy) = policies::get(conn, &page.caller, key).await?;
    let rule = |rule: &Rule| RuleRow { name: rule.name.clone(), words: sentence(&rule.words()) };
    Ok(PolicyPage {
        can_manage: page::may(&seat, Permission::ManagePolicies),
        days: Field::new(policy.request_days.to_string()),
        rules: policy.rules.iter().map(rule).collect(),
        errors: Vec::new(),
        new: form(sent),
        org: page.org_head(conn, &seat, "settings").await?,
        shell: page.shell(conn, "organizations").await?,
    })
}

/// `GET /organizations/{org}/settings/approvals`.
pub async fn show(page: Page, ApiPath(org): ApiPath<String>) -> PageResult {
    let mut conn = page.read().await?;
    Ok(page_of(&page, &mut conn, &Key::read(&org), &Sent::default()).await?.into_response())
}

/// `POST /organizations/{org}/settings/approvals`.
pub async fn save(page: Page, ApiPath(org): ApiPath<String>, PageForm(sent): PageForm<Sent>) -> PageResult {
    let key = Key::read(&org);
    let mut act = page.begin().await?;
    let (conn, caller) = act.reading();
    let (_, now) = policies::get(conn, caller, &key).await?;
    let error = match policies::set(&mut act, &key, &sent.apply(&now)).await {
        Ok(_) => {
            let said = match sent.change.as_str() {
                "days" => "Saved. It counts for requests from now on.".to_owned(),
                "remove" => format!("The rule “{}” is removed.", sent.name),
                _ => format!("The rule “{}” counts from now on.", sent.name.trim()),
            };
            return page.done(act, format!("/organizations/{org}/settings/approvals"), Flash::ok(said)).await;
        }
        Err(error) => error,
    };
    drop(act);
    let mut errors = FormErrors::of(error)?;
    let status = errors.status;
    let mut conn = page.read().await?;
    let mut shown = page_of(&page, &mut conn, &key, &sent).await?;
    if sent.change == "days" {
        shown.days = errors.field("/request_days", sent.days);
    }
    let at = |what: &str| format!("/rules/{}/{what}", now.rules.len());
    shown.new.name.error = errors.take(&at("name"));
    for number in 0..amounts(&sent.monthly).len() {
        let wrong = ["amount", "currency"].into_iter().filter_map(|part| errors.take(&at(&format!("monthly_from/{number}/{part}")))).next();
        shown.new.monthly.error = shown.new.monthly.error.or(wrong);
    }
    shown.errors = errors.rest();
    Ok(FormErrors::again(status, shown))
}

#[cfg(test)]
mod tests {
    use super::{PolicyPage, RuleRow, Sent, amounts, form};
    use crate::pages::{Field, sample};

    #[test]
    fn amounts_are_read_with_their_currency_on_either_side() {
        let read: Vec<_> = amounts("500 EUR, usd 550.50;700").into_iter().map(|one| (one.amount, one.currency)).collect();
        let expected = [("500", "EUR"), ("550.50", "USD"), ("700", "")].map(|(a, c)| (a.to_owned(), c.to_owned()));
        assert_eq!(read, expected);
        assert!(amounts(" , ").is_empty());
    }

    #[test]
    fn maintainers_change_the_rules_and_others_read_them() {
        let mut page = PolicyPage {
            shell: sample::shell("organizations"),
            org: sample::org("settings"),
            can_manage: true,
            days: Field::new("30"),
            rules: vec![RuleRow { name: "Large".into(), words: "Anybody who subscribes a service.".into() }],
            new: form(&Sent { role: vec!["editor".into()], ..Sent::default() }),
            ..PolicyPage::default()
        };
        let html = sample::render("policies", &page);
        assert!(html.contains("Anybody who subscribes") && html.contains("Add rule") && html.contains("value=\"editor\" checked"));
        page.can_manage = false;
        let html = sample::render("policies-viewer", &page);
        assert!(html.contains("Anybody who subscribes") && !html.contains("Add rule"));
        page.rules.clear();
        assert!(sample::render("policies-empty", &page).contains("No rules"));
    }
}
