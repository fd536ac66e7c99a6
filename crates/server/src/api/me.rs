//! The person who calls, and the person's tokens.

use axum::{http::StatusCode, response::IntoResponse};
use serde::{Deserialize, Serialize};
use stoa_actions::{Error, tokens, users};
use stoa_domain::{
    ids::{OrganizationId, TokenId, UserId},
    time::Ts,
    tokens::{Lifetime, PersonalToken},
};
use stoa_store::organizations::Named;
use utoipa::{IntoParams, ToSchema};

use crate::{
    extract::{Api, ApiJson, ApiPath, ApiQuery, ApiResult, answer, done},
    paging::Page,
    problem::Refusals,
};

/// A person.
#[derive(Debug, Serialize, ToSchema)]
pub struct PersonView {
    /// `usr_…`
    #[schema(value_type = String)]
    pub id: UserId,
    /// The address.
    pub email: String,
    /// The name.
    pub name: String,
}

/// Who I am.
#[utoipa::path(get, path = "/api/v1/me", tag = "account", responses((status = 200, description = "Who I am", body = PersonView), Refusals))]
pub async fn get(api: Api) -> ApiResult {
    let me = api.caller.person()?;
    Ok(axum::Json(PersonView { id: me.id, email: me.email.clone(), name: me.name.clone() }).into_response())
}

/// What to change about me.
#[derive(Debug, Deserialize, ToSchema)]
pub struct MeChange {
    /// What I am called.
    pub name: Option<String>,
}

/// Changes my name. Address and password are changed on the account's page, which asks for the present password.
#[utoipa::path(patch, path = "/api/v1/me", tag = "account", request_body = MeChange, responses((status = 200, description = "Who I am", body = PersonView), Refusals))]
pub async fn update(api: Api, ApiJson(body): ApiJson<MeChange>) -> ApiResult {
    let mut act = api.begin().await?;
    let me = match &body.name {
        Some(name) => users::rename(&mut act, name).await?,
        None => act.caller.person()?.clone(),
    };
    answer(act, StatusCode::OK, &PersonView { id: me.id, email: me.email, name: me.name }).await
}

/// The address again.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DeleteQuery {
    /// The address of the account, as a confirmation.
    #[serde(default)]
    pub confirm: String,
}

/// Deletes my account: memberships, tokens, sessions and my own applications end, name and address are erased. 409
/// `last_maintainer` while an organization would lose its last one.
#[utoipa::path(delete, path = "/api/v1/me", tag = "account", params(DeleteQuery), responses((status = 204, description = "Deleted"), Refusals))]
pub async fn delete(api: Api, ApiQuery(query): ApiQuery<DeleteQuery>) -> ApiResult {
    let mut act = api.begin().await?;
    users::delete(&mut act, &query.confirm).await?;
    done(act).await
}

/// A personal token without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenView {
    /// `tok_…`
    #[schema(value_type = String)]
    pub id: TokenId,
    /// What its owner calls it.
    pub name: String,
    /// Its last four characters.
    pub hint: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Ts,
    /// When it was last used, to the hour.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<Ts>,
    /// When it stops.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Ts,
    /// The only organizations it opens; null for all I belong to.
    pub organizations: Option<Vec<TokenOrganization>>,
}

/// An organization that a token opens.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenOrganization {
    /// `org_…`
    #[schema(value_type = String)]
    pub id: OrganizationId,
    /// Its handle.
    pub handle: String,
    /// Its name.
    pub name: String,
}

impl TokenView {
    fn new(token: PersonalToken, names: &[Named]) -> Self {
        let named = |id: &OrganizationId| {
            let found = names.iter().find(|named| named.id == *id);
            found.map(|named| TokenOrganization { id: *id, handle: named.handle.clone(), name: named.name.clone() })
        };
        Self {
            id: token.id,
            name: token.name,
            hint: token.hint,
            created_at: token.created_at,
            last_used_at: token.last_used_at,
            expires_at: token.expires_at,
            organizations: token.organizations.map(|ids| ids.iter().filter_map(named).collect()),
        }
    }
}

/// A new personal token; the secret is shown this once.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewTokenView {
    /// The token.
    #[serde(flatten)]
    pub token: TokenView,
    /// What to send as `Authorization: Bearer …`.
    pub secret: String,
}

/// A personal token to make.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewTokenBody {
    /// What to call it.
    pub name: String,
    /// How many days it lives, 1 to 365; 90 when neither this nor `expires_at` is given.
    #[serde(default)]
    pub expires_in_days: Option<i64>,
    /// When it stops, instead of `expires_in_days`; within a year.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Ts>,
    /// The only organizations it opens, each by handle or id; all I belong to when absent.
    #[serde(default)]
    pub organizations: Option<Vec<String>>,
}

impl NewTokenBody {
    fn input(self) -> Result<tokens::NewToken, Error> {
        let lifetime = match (self.expires_in_days, self.expires_at) {
            (None, None) => Lifetime::Usual,
            (Some(days), None) => Lifetime::Days(days),
            (None, Some(at)) => Lifetime::Until(at),
            (Some(_), Some(_)) => return Err(Error::fault("/expires_at", "give expires_in_days or expires_at, not both")),
        };
        Ok(tokens::NewToken { name: self.name, lifetime, organizations: self.organizations })
    }
}

/// My personal tokens.
#[utoipa::path(get, path = "/api/v1/me/tokens", tag = "account", responses((status = 200, description = "My tokens", body = Page<TokenView>), Refusals))]
pub async fn tokens_list(api: Api) -> ApiResult {
    let mut conn = api.read().await?;
    let tokens = tokens::list(&mut conn, &api.caller).await?;
    let names = tokens::organizations_of(&mut conn, &tokens).await?;
    Ok(axum::Json(Page::whole(tokens.into_iter().map(|token| TokenView::new(token, &names)).collect())).into_response())
}

/// Makes a personal token.
#[utoipa::path(post, path = "/api/v1/me/tokens", tag = "account", request_body = NewTokenBody, responses((status = 201, description = "The token with its secret", body = NewTokenView), Refusals))]
pub async fn tokens_create(api: Api, ApiJson(body): ApiJson<NewTokenBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let (token, secret) = tokens::create(&mut act, body.input()?).await?;
    let names = tokens::organizations_of(&mut act.tx, std::slice::from_ref(&token)).await?;
    let view = NewTokenView { token: TokenView::new(token, &names), secret: secret.expose().to_owned() };
    answer(act, StatusCode::CREATED, &view).await
}

/// Revokes a personal token.
#[utoipa::path(delete, path = "/api/v1/me/tokens/{token}", tag = "account", params(("token" = String, Path, description = "tok_…")), responses((status = 204, description = "Revoked"), Refusals))]
pub async fn tokens_revoke(api: Api, ApiPath(token): ApiPath<TokenId>) -> ApiResult {
    let mut act = api.begin().await?;
    tokens::revoke(&mut act, token).await?;
    done(act).await
}
