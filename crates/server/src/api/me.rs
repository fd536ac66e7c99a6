//! The person who calls, and the person's tokens.

use axum::{http::StatusCode, response::IntoResponse};
use serde::{Deserialize, Serialize};
use stoa_actions::tokens;
use stoa_domain::{
    ids::{TokenId, UserId},
    time::Ts,
    tokens::PersonalToken,
};
use utoipa::ToSchema;

use crate::{
    extract::{Api, ApiJson, ApiPath, ApiResult, answer, done},
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
}

impl From<PersonalToken> for TokenView {
    fn from(token: PersonalToken) -> Self {
        Self { id: token.id, name: token.name, hint: token.hint, created_at: token.created_at, last_used_at: token.last_used_at }
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
}

/// My personal tokens.
#[utoipa::path(get, path = "/api/v1/me/tokens", tag = "account", responses((status = 200, description = "My tokens", body = Page<TokenView>), Refusals))]
pub async fn tokens_list(api: Api) -> ApiResult {
    let mut conn = api.read().await?;
    let tokens = tokens::list(&mut conn, &api.caller).await?;
    Ok(axum::Json(Page::whole(tokens.into_iter().map(TokenView::from).collect())).into_response())
}

/// Makes a personal token.
#[utoipa::path(post, path = "/api/v1/me/tokens", tag = "account", request_body = NewTokenBody, responses((status = 201, description = "The token with its secret", body = NewTokenView), Refusals))]
pub async fn tokens_create(api: Api, ApiJson(body): ApiJson<NewTokenBody>) -> ApiResult {
    let mut act = api.begin().await?;
    let (token, secret) = tokens::create(&mut act, &body.name).await?;
    let view = NewTokenView { token: token.into(), secret: secret.expose().to_owned() };
    answer(act, StatusCode::CREATED, &view).await
}

/// Revokes a personal token.
#[utoipa::path(delete, path = "/api/v1/me/tokens/{token}", tag = "account", params(("token" = String, Path, description = "tok_…")), responses((status = 204, description = "Revoked"), Refusals))]
pub async fn tokens_revoke(api: Api, ApiPath(token): ApiPath<TokenId>) -> ApiResult {
    let mut act = api.begin().await?;
    tokens::revoke(&mut act, token).await?;
    done(act).await
}
