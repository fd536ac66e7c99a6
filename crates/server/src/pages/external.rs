//! Signing in with an account of another provider, and linking such accounts.

use axum::{
    extract::{Path, Query},
    response::{IntoResponse, Redirect, Response},
};
use stoa_actions::{
    Error,
    identities::{self, Begun, Brought, Ended},
    providers, sessions,
};
use stoa_domain::ids::IdentityId;

use super::{
    Flash, Shell,
    account::AccountHead,
    filters,
    page::{Page, PageResult, Visitor, local_path},
    sign_in::{self, Next, SignInPage},
    visit,
};
use crate::{App, extract::ApiPath};

/// The answer to the wish to link an account: leads to the provider. Not a redirect, because a form may send nobody to
/// another site.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "external.html")]
pub struct ExternalPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The head with the tabs.
    pub head: AccountHead,
    /// The provider's name.
    pub provider: String,
    /// Where it goes on.
    pub address: String,
}

fn with_half(app: &App, begun: &Begun, mut response: Response) -> Response {
    visit::set_cookie(&mut response, visit::half_cookie(app, &begun.half));
    response
}

/// `GET /sign-in/external/{provider}`.
pub async fn begin(visitor: Visitor, Path(provider): Path<String>, Query(Next { next }): Query<Next>) -> PageResult {
    let next = local_path(&next).unwrap_or_default();
    match identities::begin(&visitor.app.stoa, &visitor.caller, &provider, false, next).await {
        Ok(begun) => Ok(with_half(&visitor.app, &begun, Redirect::to(&begun.address).into_response())),
        Err(error @ Error::Unfit { .. }) => Ok(SignInPage::again(&visitor, String::new(), next, &error)),
        Err(other) => Err(other.into()),
    }
}

/// `POST /account/security/providers/{provider}/link`.
pub async fn link(page: Page, Path(provider): Path<String>) -> PageResult {
    let named = providers::find(&page.app.stoa, &provider)?.name.clone();
    let begun = identities::begin(&page.app.stoa, &page.caller, &provider, true, "").await?;
    let mut conn = page.read().await?;
    let head = AccountHead::of(&page, "security");
    let shown = ExternalPage { shell: page.shell(&mut conn, "").await?, head, provider: named, address: begun.address.clone() };
    Ok(with_half(&page.app, &begun, shown.into_response()))
}

/// `GET /sign-in/external/{provider}/callback`.
pub async fn finish(visitor: Visitor, Path(provider): Path<String>, Query(brought): Query<Brought>) -> PageResult {
    let ended = match visitor.visit.half() {
        Some(half) => identities::finish(&visitor.app.stoa, &visitor.caller, half, &provider, &brought).await,
        None => {
            Err(Error::Unfit { code: "begin_again", detail: "this took too long, or the browser keeps no cookies; begin again".into() })
        }
    };
    match ended {
        Ok((Ended::SignedIn(user), next)) => {
            let act = visitor.begin().await?;
            sign_in::after_first_step(&visitor, act, &user, &next).await
        }
        Ok((Ended::Linked, _)) => said(&visitor, Flash::ok("The account is linked. It opens this one from now on.")).await,
        Err(error @ (Error::Unfit { .. } | Error::Conflict { .. })) => match visitor.user() {
            Some(_) => said(&visitor, Flash::danger(super::form::sentence(&error.to_string()))).await,
            None => Ok(SignInPage::again(&visitor, String::new(), "", &error)),
        },
        Err(other) => Err(other.into()),
    }
}

/// Leads to the account's security with a message.
async fn said(visitor: &Visitor, flash: Flash) -> PageResult {
    let mut act = visitor.begin().await?;
    if let Some(session) = visitor.visit.session() {
        sessions::leave_message(&mut act.tx, session, flash.into()).await?;
    }
    act.commit().await?;
    let mut response = Redirect::to("/account/security#external").into_response();
    visit::set_cookie(&mut response, visit::no_half_cookie(&visitor.app));
    Ok(response)
}

/// `POST /account/security/identities/{identity}/unlink`.
pub async fn unlink(page: Page, ApiPath(identity): ApiPath<IdentityId>) -> PageResult {
    let mut act = page.begin().await?;
    match identities::unlink(&mut act, identity).await {
        Ok(()) => page.done(act, "/account/security#external", Flash::ok("The account is not linked any more.")).await,
        Err(error @ Error::Conflict { .. }) => {
            drop(act);
            page.say("/account/security#external", Flash::danger(super::form::sentence(&error.to_string()))).await
        }
        Err(other) => Err(other.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::ExternalPage;
    use crate::pages::sample;

    #[test]
    fn the_page_leads_on_by_itself_and_by_a_link() {
        let page = ExternalPage {
            shell: sample::shell(""),
            provider: "Example".into(),
            address: "https://id.example/authorize?a=1&b=2".into(),
            ..ExternalPage::default()
        };
        let html = sample::render("external", &page);
        assert_eq!(html.matches("https://id.example/authorize?a=1&#38;b=2").count(), 2);
    }
}
