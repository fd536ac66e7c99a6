//! The forms by which an application is shared, taken back and given away.

use serde::Deserialize;
use stoa_actions::{
    applications,
    sharing::{self, With},
};
use stoa_domain::{ids::ApplicationId, organizations::Key};

use super::{
    Flash,
    applications::{address, refused},
    form::{FormErrors, PageForm},
    page::{Page, PageResult},
};
use crate::extract::ApiPath;

/// With whom to share: `organization:<handle>` or `team:<id>`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ShareForm {
    with: String,
}

fn read(kind: &str, which: &str) -> Result<With, FormErrors> {
    let wrong = || FormErrors::at_field("/with", "choose an organization or a team");
    match kind {
        "organization" => Ok(With::Organization(Key::read(which))),
        "team" => which.parse().map(With::Team).map_err(|_| wrong()),
        _ => Err(wrong()),
    }
}

/// `POST /applications/{application}/share`.
pub async fn share(page: Page, ApiPath(application): ApiPath<ApplicationId>, PageForm(form): PageForm<ShareForm>) -> PageResult {
    let (kind, which) = form.with.split_once(':').unwrap_or_default();
    let with = match read(kind, which) {
        Ok(with) => with,
        Err(errors) => return refused(&page, application, errors).await,
    };
    let mut act = page.begin().await?;
    match sharing::share(&mut act, application, &with).await {
        Ok(seen) => {
            let text = match with {
                With::Organization(_) => format!("{} is shared with the organization.", seen.application.name),
                With::Team(_) => format!("{} is shared with the team.", seen.application.name),
            };
            page.done(act, address(&seen, None), Flash::ok(text)).await
        }
        Err(error) => {
            drop(act);
            refused(&page, application, FormErrors::of(error)?).await
        }
    }
}

/// `POST /applications/{application}/unshare/{kind}/{which}`.
pub async fn unshare(page: Page, ApiPath((application, kind, which)): ApiPath<(ApplicationId, String, String)>) -> PageResult {
    let with = match read(&kind, &which) {
        Ok(with) => with,
        Err(errors) => return refused(&page, application, errors).await,
    };
    let mut act = page.begin().await?;
    let seen = sharing::unshare(&mut act, application, &with).await?;
    // Whoever saw it by this share alone finds nothing on its page any more.
    let (conn, caller) = act.reading();
    let (to, now_open) = match applications::get(conn, caller, application).await {
        Ok(whole) => {
            let open_to = whole.seen.organization.as_ref().filter(|_| whole.shares.is_empty()).map(|(_, name)| name.clone());
            (address(&whole.seen, whole.shares.first().map(|share| share.handle.as_str())), open_to)
        }
        Err(stoa_actions::Error::NotFound(_)) => ("/applications".to_owned(), None),
        Err(other) => return Err(other.into()),
    };
    let mut said = format!("{} is not shared there any more.", seen.application.name);
    if let Some(organization) = now_open {
        said.push_str(&format!(" It belongs to {organization} and is shared with no team: all its members see it."));
    }
    page.done(act, to, Flash::ok(said)).await
}

/// To whom to give it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct TransferForm {
    organization: String,
}

/// `POST /applications/{application}/transfer`.
pub async fn transfer(page: Page, ApiPath(application): ApiPath<ApplicationId>, PageForm(form): PageForm<TransferForm>) -> PageResult {
    let mut act = page.begin().await?;
    match applications::transfer(&mut act, application, &Key::read(&form.organization)).await {
        Ok(seen) => {
            let name = seen.organization.as_ref().map_or("the organization", |(_, name)| name.as_str());
            let text = format!("{} belongs to {name} now.", seen.application.name);
            page.done(act, address(&seen, None), Flash::ok(text)).await
        }
        Err(error) => {
            drop(act);
            refused(&page, application, FormErrors::of(error)?).await
        }
    }
}
