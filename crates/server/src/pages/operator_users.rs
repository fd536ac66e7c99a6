//! The operator's list of accounts.

use axum::response::IntoResponse;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use stoa_actions::{Error, operators, users};
use stoa_domain::{ids::UserId, users::User};
use stoa_store::Conn;

use super::{
    Badge, Field, Flash, Pager, Person, Shell, filters,
    form::{FormErrors, PageForm, sentence},
    operator::OperatorHead,
    page::{Page, PageResult},
    times,
};
use crate::{
    extract::{ApiPath, ApiQuery},
    paging::{Paging, cut_off},
};

/// `GET /operator/users?q=`, and again with errors.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "operator_users.html")]
pub struct OperatorUsersPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The operator's tabs.
    pub head: OperatorHead,
    /// What is searched for.
    pub query: String,
    /// The accounts.
    pub users: Vec<UserRow>,
    /// Leads through a long list.
    pub pager: Pager,
    /// Whether the dialog of a new account is open.
    pub open_new: bool,
    /// Errors of the new account as a whole.
    pub errors: Vec<String>,
    /// The new account's address.
    pub email: Field,
    /// The new account's name.
    pub name: Field,
    /// Whose second factors are to be reset, where that is asked.
    pub reset: Option<Reset>,
}

/// The dialog that asks before second factors are reset.
#[derive(Debug, Clone, Default)]
pub struct Reset {
    /// Whose.
    pub id: String,
    /// Their name.
    pub name: String,
    /// What is taken away; empty where there is nothing.
    pub lines: Vec<String>,
    /// Why.
    pub reason: Field,
    /// What was wrong otherwise.
    pub errors: Vec<String>,
}

/// One account.
#[derive(Debug, Clone, Default)]
pub struct UserRow {
    /// Its id.
    pub id: String,
    /// Who.
    pub person: Person,
    /// What it is, besides an account.
    pub badges: Vec<Badge>,
    /// When it was made.
    pub created: String,
    /// Whether the person runs this installation.
    pub operator: bool,
    /// Whether it is suspended.
    pub suspended: bool,
    /// Whether it is one's own.
    pub is_me: bool,
}

/// Which accounts.
#[derive(Debug, Default, Deserialize)]
pub struct Query {
    /// A part of address or name.
    #[serde(default)]
    pub q: String,
    /// The dialog to open: `new`.
    #[serde(default)]
    pub open: String,
    /// Whose second factors are to be reset: opens the dialog that asks.
    #[serde(default)]
    pub reset: String,
    /// Which page.
    #[serde(flatten)]
    pub paging: Paging,
}

/// `GET /operator/users`.
pub async fn list(page: Page, ApiQuery(query): ApiQuery<Query>) -> PageResult {
    let mut conn = page.read().await?;
    let mut shown = users_page(&page, &mut conn, &query).await?;
    if let Ok(user) = query.reset.parse() {
        shown.reset = Some(reset(&page, &mut conn, user).await?);
    }
    Ok(shown.into_response())
}

async fn reset(page: &Page, conn: &mut Conn, user: UserId) -> PageResult<Reset> {
    let (user, factors) = operators::second_factors(conn, &page.caller, user).await?;
    let count = |number: i64, one: &str, many: &str| match number {
        0 => None,
        1 => Some(format!("1 {one}")),
        number => Some(format!("{number} {many}")),
    };
    let app = factors.totp_since.map(|since| format!("the authenticator app, set up on {}", times::long_day(since.day())));
    let lines = [app, count(factors.passkeys, "passkey", "passkeys"), count(factors.recovery_codes, "recovery code", "recovery codes")];
    Ok(Reset { id: user.id.to_string(), name: user.name, lines: lines.into_iter().flatten().collect(), ..Reset::default() })
}

async fn users_page(page: &Page, conn: &mut Conn, query: &Query) -> PageResult<OperatorUsersPage> {
    let limit = query.paging.limit()?;
    let after: Option<String> = query.paging.cursor()?;
    let mut found = operators::users(conn, &page.caller, &query.q, after.as_deref(), limit + 1).await?;
    let next = cut_off(&mut found, limit, |user| user.email.clone());
    let path = match query.q.as_str() {
        "" => "/operator/users".to_owned(),
        words => format!("/operator/users?q={}", utf8_percent_encode(words, NON_ALPHANUMERIC)),
    };
    Ok(OperatorUsersPage {
        shell: page.shell(conn, "").await?,
        head: OperatorHead { tab: "users" },
        query: query.q.clone(),
        pager: Pager::new(&path, "accounts", found.len(), after.is_none(), next.as_deref()),
        users: found.iter().map(|user| row(user, page.me().id)).collect(),
        open_new: query.open == "new",
        ..OperatorUsersPage::default()
    })
}

fn row(user: &User, me: UserId) -> UserRow {
    let mut badges = Vec::new();
    if user.operator {
        badges.push(Badge { text: "Operator".into(), tone: "brand", icon: "shield-check" });
    }
    if user.suspended {
        badges.push(Badge::state("suspended"));
    }
    UserRow {
        id: user.id.to_string(),
        person: Person::new(&user.name, &user.email),
        badges,
        created: times::short_day(user.created_at.day()),
        operator: user.operator,
        suspended: user.suspended,
        is_me: user.id == me,
    }
}

/// The form of a new account.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct NewUserForm {
    email: String,
    name: String,
}

/// `POST /operator/users`.
pub async fn create(page: Page, PageForm(form): PageForm<NewUserForm>) -> PageResult {
    operators::allowed(&page.caller)?;
    let name = Some(form.name.clone()).filter(|name| !name.trim().is_empty());
    let made = match users::prepare(&page.app.stoa, users::NewUser { email: form.email.clone(), name, ..Default::default() }).await {
        Ok(prepared) => {
            let mut act = page.begin().await?;
            users::create(&mut act, prepared).await.map(|user| (act, user))
        }
        Err(error) => Err(error),
    };
    match made {
        Ok((act, user)) => page.done(act, "/operator/users", Flash::ok(format!("{} has an account now.", user.email))).await,
        Err(error) => {
            let mut errors = FormErrors::of(error)?.code_at("email_taken", "/email");
            let status = errors.status;
            let mut conn = page.read().await?;
            let mut shown = users_page(&page, &mut conn, &Query::default()).await?;
            shown.open_new = true;
            shown.email = errors.field("/email", form.email);
            shown.name = errors.field("/name", form.name);
            shown.errors = errors.rest();
            Ok(FormErrors::again(status, shown))
        }
    }
}

/// What is done with an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Suspend it.
    Suspend,
    /// Lift its suspension.
    Unsuspend,
    /// Make the person an operator.
    MakeOperator,
    /// Take that back.
    UnmakeOperator,
}

/// Which change.
#[derive(Debug, Deserialize)]
pub struct ChangeForm {
    change: Change,
}

/// `POST /operator/users/{user}`.
pub async fn change(page: Page, ApiPath(user): ApiPath<UserId>, PageForm(form): PageForm<ChangeForm>) -> PageResult {
    let mut act = page.begin().await?;
    let done = match form.change {
        Change::Suspend => operators::suspend_user(&mut act, user).await.map(|user| format!("{} is suspended.", user.email)),
        Change::Unsuspend => operators::unsuspend_user(&mut act, user).await.map(|user| format!("{} is no longer suspended.", user.email)),
        Change::MakeOperator => {
            operators::set_operator(&mut act, user, true).await.map(|user| format!("{} is an operator now.", user.email))
        }
        Change::UnmakeOperator => {
            operators::set_operator(&mut act, user, false).await.map(|user| format!("{} is no longer an operator.", user.email))
        }
    };
    match done {
        Ok(text) => page.done(act, "/operator/users", Flash::ok(text)).await,
        Err(Error::Conflict { detail, .. }) => {
            drop(act);
            page.say("/operator/users", Flash::danger(sentence(&detail))).await
        }
        Err(other) => Err(other.into()),
    }
}

/// Why second factors are reset.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ResetForm {
    reason: String,
}

/// `POST /operator/users/{user}/reset-second-factors`, after a fresh proof of who asks.
pub async fn reset_second_factors(page: Page, ApiPath(user): ApiPath<UserId>, PageForm(form): PageForm<ResetForm>) -> PageResult {
    let mut act = page.begin().await?;
    match operators::reset_second_factors(&mut act, user, &form.reason).await {
        Ok(user) => {
            let text = format!("{} has no second factors any more. Their sessions have ended, and they are told by mail.", user.email);
            page.done(act, "/operator/users", Flash::ok(text)).await
        }
        Err(error) => {
            drop(act);
            let mut errors = FormErrors::of(error)?;
            let status = errors.status;
            let mut conn = page.read().await?;
            let mut shown = users_page(&page, &mut conn, &Query::default()).await?;
            let mut asked = reset(&page, &mut conn, user).await?;
            asked.reason = errors.field("/reason", form.reason);
            asked.errors = errors.rest();
            shown.reset = Some(asked);
            Ok(FormErrors::again(status, shown))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{OperatorUsersPage, Reset, UserRow};
    use crate::pages::{Badge, Person, operator::OperatorHead, sample};

    #[test]
    fn accounts_are_listed_with_what_can_be_done() {
        let row = |name: &str, email: &str, operator, suspended, is_me| UserRow {
            id: format!("usr_{name}"),
            person: Person::new(name, email),
            badges: if suspended { vec![Badge::state("suspended")] } else { Vec::new() },
            created: "12 Mar 2026".into(),
            operator,
            suspended,
            is_me,
        };
        let mut page = OperatorUsersPage {
            shell: sample::shell(""),
            head: OperatorHead { tab: "users" },
            users: vec![
                row("Mira Sand", "mira@aurelia.example", true, false, true),
                row("Tomas Reed", "tomas@aurelia.example", false, true, false),
                row("Ola Birke", "ola@aurelia.example", false, false, false),
            ],
            ..OperatorUsersPage::default()
        };
        let html = sample::render("operator-users", &page);
        assert!(html.contains("/operator/users/usr_Tomas Reed") && html.contains("Lift suspension"));
        assert_eq!(html.matches("Reset second factors").count(), 2, "not of oneself");
        page.reset = Some(Reset {
            id: "usr_1".into(),
            name: "Ola Birke".into(),
            lines: vec!["the authenticator app, set up on 12 March 2026".into(), "8 recovery codes".into()],
            ..Reset::default()
        });
        let html = sample::render("operator-users-reset", &page);
        assert!(html.contains("8 recovery codes") && html.contains("/operator/users/usr_1/reset-second-factors"));
        page.reset = Some(Reset { id: "usr_1".into(), name: "Ola Birke".into(), ..Reset::default() });
        assert!(!sample::render("operator-users-reset-nothing", &page).contains("usr_1/reset-second-factors"));
    }
}
