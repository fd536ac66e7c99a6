//! The browser sessions of the person who calls.

use axum::response::IntoResponse;
use serde::Serialize;
use stoa_actions::sessions::{self, Session};
use stoa_domain::{ids::SessionId, time::Ts};
use utoipa::ToSchema;

use crate::{
    extract::{Api, ApiPath, ApiResult, done},
    paging::Page,
    problem::Refusals,
};

/// A browser session.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionView {
    /// `ses_…`
    #[schema(value_type = String)]
    pub id: SessionId,
    /// In which browser, such as `Firefox on Linux`.
    pub browser: String,
    /// From which network address it began.
    pub address: String,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Ts,
    /// When it was last used, to the hour.
    #[schema(value_type = String, format = DateTime)]
    pub last_used_at: Ts,
    /// When it ends by itself unless it is used.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Ts,
}

impl From<Session> for SessionView {
    fn from(session: Session) -> Self {
        Self {
            id: session.id,
            browser: session.device.browser,
            address: session.device.address,
            created_at: session.created_at,
            last_used_at: session.last_used_at,
            expires_at: session.expires_at,
        }
    }
}

/// My browser sessions, the last used first.
#[utoipa::path(get, path = "/api/v1/me/sessions", tag = "account", responses((status = 200, description = "My sessions", body = Page<SessionView>), Refusals))]
pub async fn list(api: Api) -> ApiResult {
    let mut conn = api.read().await?;
    let sessions = sessions::list(&mut conn, &api.caller).await?;
    Ok(axum::Json(Page::whole(sessions.into_iter().map(SessionView::from).collect())).into_response())
}

/// Ends one of my browser sessions.
#[utoipa::path(delete, path = "/api/v1/me/sessions/{session}", tag = "account", params(("session" = String, Path, description = "ses_…")), responses((status = 204, description = "Ended"), Refusals))]
pub async fn end(api: Api, ApiPath(session): ApiPath<SessionId>) -> ApiResult {
    let mut act = api.begin().await?;
    sessions::end_one(&mut act, session).await?;
    done(act).await
}

/// Signs me out everywhere: ends all my browser sessions. Tokens stay.
#[utoipa::path(delete, path = "/api/v1/me/sessions", tag = "account", responses((status = 204, description = "Ended"), Refusals))]
pub async fn end_all(api: Api) -> ApiResult {
    let mut act = api.begin().await?;
    sessions::end_others(&mut act, None).await?;
    done(act).await
}
