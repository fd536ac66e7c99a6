//! Every URL on one page.

use std::{sync::LazyLock, time::Duration};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{Method, StatusCode},
    middleware,
    response::IntoResponse,
    routing::{MethodRouter, get, post},
};
use tower_http::{catch_panic::CatchPanicLayer, timeout::TimeoutLayer};
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{App, api, assets, gateway, guard, health, metrics, oauth, once, pages, problem::ApiError, request_id};

#[derive(OpenApi)]
#[openapi(
    info(title = "Stoa", description = "A self-hosted marketplace of services for organizations that keep their data in projects."),
    servers((url = "/"))
)]
struct Document;

/// The JSON API with its OpenAPI 3.1 document.
fn api() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        // account
        .routes(routes!(api::me::get, api::me::update, api::me::delete))
        .routes(routes!(api::me::tokens_list, api::me::tokens_create))
        .routes(routes!(api::me::tokens_revoke))
        .routes(routes!(api::sessions::list, api::sessions::end_all))
        .routes(routes!(api::sessions::end))
        // organizations
        .routes(routes!(api::organizations::list, api::organizations::create))
        .routes(routes!(api::organizations::get, api::organizations::update, api::organizations::delete))
        .routes(routes!(api::operator::users, api::operator::create_user))
        .routes(routes!(api::operator::change_user))
        .routes(routes!(api::operator::reset_second_factors))
        .routes(routes!(api::operator::organizations))
        .routes(routes!(api::operator::suspend))
        .routes(routes!(api::operator::unsuspend))
        .routes(routes!(api::operator::restore))
        .routes(routes!(api::operator::view))
        .routes(routes!(api::members::list, api::members::add))
        .routes(routes!(api::members::change_role, api::members::remove))
        .routes(routes!(api::domains::list, api::domains::claim))
        .routes(routes!(api::domains::set_role, api::domains::remove))
        .routes(routes!(api::domains::verify))
        .routes(routes!(api::consequences::of_member))
        .routes(routes!(api::invitations::list))
        .routes(routes!(api::invitations::revoke))
        .routes(routes!(api::invitations::resend))
        .routes(routes!(api::invitations::accept))
        .routes(routes!(api::invitations::decline))
        .routes(routes!(api::teams::list, api::teams::create))
        .routes(routes!(api::teams::get, api::teams::update, api::teams::delete))
        .routes(routes!(api::teams::list_members))
        .routes(routes!(api::teams::add_member, api::teams::remove_member))
        // subscriptions
        .routes(routes!(api::subscriptions::list, api::subscriptions::create))
        .routes(routes!(api::subscriptions::get))
        .routes(routes!(api::subscriptions::set_projects))
        .routes(routes!(api::budgets::get, api::budgets::set, api::budgets::remove))
        .routes(routes!(api::suspensions::cancel))
        .routes(routes!(api::suspensions::keep))
        .routes(routes!(api::suspensions::pause))
        .routes(routes!(api::suspensions::resume))
        .routes(routes!(api::consequences::of_subscription))
        .routes(routes!(api::terms::get))
        .routes(routes!(api::terms::accept))
        .routes(routes!(api::terms::refuse))
        .routes(routes!(api::terms::change_plan))
        .routes(routes!(api::level_changes::list, api::level_changes::accept))
        .routes(routes!(api::level_changes::own_outlook))
        .routes(routes!(api::level_changes::get))
        .routes(routes!(api::level_changes::switch))
        .routes(routes!(api::level_changes::undo))
        .routes(routes!(api::level_changes::list_of_service))
        .routes(routes!(api::level_changes::outlook, api::level_changes::draft_outlook))
        .routes(routes!(api::consents::list))
        .routes(routes!(api::consents::get))
        .routes(routes!(api::subscriptions::list_of_service))
        .routes(routes!(api::suspensions::pause_provided))
        .routes(routes!(api::suspensions::resume_provided))
        .routes(routes!(api::suspensions::pause_operated))
        .routes(routes!(api::suspensions::resume_operated))
        .routes(routes!(api::map::list))
        // requests
        .routes(routes!(api::requests::list))
        .routes(routes!(api::requests::list_of_organization))
        .routes(routes!(api::requests::get))
        .routes(routes!(api::requests::approve))
        .routes(routes!(api::requests::reject))
        .routes(routes!(api::requests::ask))
        .routes(routes!(api::requests::answer))
        .routes(routes!(api::requests::withdraw))
        .routes(routes!(api::policies::get, api::policies::set))
        .routes(routes!(api::delegations::list, api::delegations::create))
        .routes(routes!(api::delegations::end))
        .routes(routes!(api::events::list))
        .routes(routes!(api::events::export))
        // usage and costs
        .routes(routes!(api::usage::report))
        .routes(routes!(api::usage::list))
        .routes(routes!(api::costs::list))
        // projects
        .routes(routes!(api::projects::list, api::projects::create))
        .routes(routes!(api::projects::get, api::projects::update, api::projects::delete))
        .routes(routes!(api::consequences::of_project))
        .routes(routes!(api::locks::list, api::locks::create))
        .routes(routes!(api::locks::lift))
        .routes(routes!(api::resources::list))
        .routes(routes!(api::resources::get, api::resources::head, api::resources::put, api::resources::delete))
        // applications
        .routes(routes!(api::applications::list, api::applications::create))
        .routes(routes!(api::applications::get, api::applications::update, api::applications::delete))
        .routes(routes!(api::applications::deletion))
        .routes(routes!(api::applications::transfer))
        .routes(routes!(api::sharing::with_organization, api::sharing::not_with_organization))
        .routes(routes!(api::sharing::with_team, api::sharing::not_with_team))
        .routes(routes!(api::applications::create_secret))
        .routes(routes!(api::applications::revoke_secret))
        // services and the marketplace
        .routes(routes!(api::services::list, api::services::create))
        .routes(routes!(api::services::get, api::services::update))
        .routes(routes!(api::contracts::list, api::contracts::offer))
        .routes(routes!(api::services::publish))
        .routes(routes!(api::services::pause))
        .routes(routes!(api::services::moves::deprecate))
        .routes(routes!(api::services::moves::retire))
        .routes(routes!(api::services::moves::withdraw))
        .routes(routes!(api::services::moves::consequences))
        .routes(routes!(api::services::images::put_icon, api::services::images::remove_icon))
        .routes(routes!(
            api::services::images::put_screenshot,
            api::services::images::change_screenshot,
            api::services::images::remove_screenshot
        ))
        .routes(routes!(api::services::images::get))
        .routes(routes!(api::services::audience::list))
        .routes(routes!(api::services::audience::add, api::services::audience::remove))
        .routes(routes!(api::handovers::list_of_service, api::handovers::offer))
        .routes(routes!(api::handovers::list))
        .routes(routes!(api::handovers::get))
        .routes(routes!(api::handovers::accept))
        .routes(routes!(api::handovers::decline))
        .routes(routes!(api::handovers::withdraw))
        .routes(routes!(api::services::operating::list))
        .routes(routes!(api::services::operating::get))
        .routes(routes!(api::services::operating::approve))
        .routes(routes!(api::services::operating::reject))
        .routes(routes!(api::services::operating::suspend))
        .routes(routes!(api::services::operating::unsuspend))
        .routes(routes!(api::manner::several, api::manner::set_several))
        .routes(routes!(api::manner::setup, api::manner::set_setup))
        .routes(routes!(api::setups::ready))
        .routes(routes!(api::setups::fail))
        .routes(routes!(api::marketplace::search))
        .routes(routes!(api::marketplace::suggestions))
        .routes(routes!(api::marketplace::get))
        // tokens and decisions
        .routes(routes!(oauth::token))
        .routes(routes!(oauth::introspect))
        .routes(routes!(oauth::revoke))
        .routes(routes!(oauth::metadata))
        .routes(routes!(api::access::evaluation))
        .routes(routes!(api::access::evaluations))
        .routes(routes!(api::access::metadata))
        .routes(routes!(api::explain::get))
        .routes(routes!(gateway::authorize))
}

/// The OpenAPI document: served at `/api/openapi.json`, printed by `stoa openapi`.
pub fn openapi() -> utoipa::openapi::OpenApi {
    api().into_openapi()
}

/// The pages. What they answer is HTML; whoever must sign in is led there and back.
fn pages() -> Router<App> {
    Router::new()
        .route("/", get(pages::sign_in::home))
        .route("/sign-in", get(pages::sign_in::show).post(pages::sign_in::submit))
        .route("/sign-in/second-step", get(pages::sign_in::show_second_step).post(pages::sign_in::submit_second_step))
        .route("/sign-in/second-step/passkey", post(pages::passkeys::ask_half))
        .route("/sign-in/passkey", post(pages::sign_in::submit_passkey))
        .route("/sign-in/passkey/options", post(pages::passkeys::ask_anybody))
        .route("/sign-in/external/{provider}", get(pages::external::begin))
        .route("/sign-in/external/{provider}/callback", get(pages::external::finish))
        .route("/sign-out", post(pages::sign_in::sign_out))
        // projects
        .route("/organizations/{org}/projects", get(pages::projects::list).post(pages::projects::create))
        .route("/organizations/{org}/projects/{project}", get(pages::projects::show))
        .route("/organizations/{org}/projects/{project}/edit", post(pages::projects::edit))
        .route("/organizations/{org}/projects/{project}/delete", post(pages::projects::delete))
        .route("/organizations/{org}/projects/{project}/locks", post(pages::locks::create))
        .route("/organizations/{org}/projects/{project}/locks/{lock}/lift", post(pages::locks::lift))
        .route("/organizations/{org}/projects/{project}/resources/{name}/delete", post(pages::resources::delete))
        // applications
        .route("/organizations/{org}/applications", get(pages::applications::list).post(pages::applications::create))
        .route("/organizations/{org}/applications/{application}", get(pages::applications::show))
        .route("/applications", get(pages::applications::list_mine).post(pages::applications::create_mine))
        .route("/applications/{application}", get(pages::applications::show_mine))
        .route("/applications/{application}/edit", post(pages::applications::edit))
        .route("/applications/{application}/secrets/{secret}/revoke", post(pages::applications::revoke_secret))
        .route("/applications/{application}/share", post(pages::sharing::share))
        .route("/applications/{application}/unshare/{kind}/{which}", post(pages::sharing::unshare))
        // account
        .route("/account", get(pages::account::show))
        .route("/account/prove/passkey", post(pages::passkeys::ask_me))
        .route("/account/security", get(pages::security::show))
        .route("/account/security/sessions/end-others", post(pages::security::end_other_sessions))
        .route("/account/security/sessions/{session}/end", post(pages::security::end_session))
        .route("/account/security/totp/confirm", post(pages::second_factors::confirm_totp))
        .route("/account/security/passkeys/finish", post(pages::passkeys::finish))
        .route("/account/tokens", get(pages::tokens::list))
        .route("/account/tokens/{token}/revoke", post(pages::tokens::revoke))
        .route("/account/name", post(pages::account::rename))
        .route("/account-deleted", get(pages::link::account_deleted))
        .route("/sign-up", get(pages::sign_up::show).post(pages::sign_up::submit))
        .route("/sign-up/confirm", get(pages::sign_up::confirm).post(pages::sign_up::finish))
        .route("/forgot-password", get(pages::forgotten::show).post(pages::forgotten::submit))
        .route("/set-password", get(pages::forgotten::set).post(pages::forgotten::finish))
        .route("/confirm-address", get(pages::link::confirm_address).post(pages::link::confirmed_address))
        .route("/undo-address", get(pages::link::undo_address).post(pages::link::undone_address))
        // organizations
        .route("/organizations", get(pages::organizations::list))
        .route("/organizations/handle", get(pages::organization_form::handle_state))
        .route("/organizations/new", get(pages::organizations::new).post(pages::organizations::create))
        .route("/organizations/{org}", get(pages::overview::show))
        .route("/organizations/{org}/delete", get(pages::organizations::confirm))
        .route("/organizations/{org}/members", get(pages::members::list).post(pages::members::add))
        .route("/organizations/{org}/members/{user}/role", post(pages::members::change_role))
        .route("/organizations/{org}/members/{user}/remove", post(pages::members::remove))
        .route("/organizations/{org}/members/import", get(pages::member_lists::show).post(pages::member_lists::preview))
        .route("/organizations/{org}/members/import/done", post(pages::member_lists::import))
        .route("/organizations/{org}/invitations/{invitation}/revoke", post(pages::invitations::revoke))
        .route("/organizations/{org}/invitations/{invitation}/resend", post(pages::invitations::resend))
        .route("/invitations", get(pages::invitations::show))
        .route("/invitations/accept", post(pages::invitations::accept))
        .route("/invitations/decline", post(pages::invitations::decline))
        .route("/organizations/{org}/teams", get(pages::teams::list).post(pages::teams::create))
        .route("/organizations/{org}/teams/{team}", get(pages::teams::show))
        .route("/organizations/{org}/teams/{team}/edit", post(pages::teams::edit))
        .route("/organizations/{org}/teams/{team}/delete", post(pages::teams::delete))
        .route("/organizations/{org}/teams/{team}/members", post(pages::teams::add_members))
        .route("/organizations/{org}/teams/{team}/members/{user}/remove", post(pages::teams::remove_member))
        .route("/organizations/{org}/access", get(pages::explain::show))
        .route("/organizations/{org}/activity", get(pages::activity::list))
        .route("/organizations/{org}/activity/export", get(pages::activity::export))
        .route("/organizations/{org}/settings", get(pages::settings::show).post(pages::settings::save))
        .route("/organizations/{org}/settings/approvals", get(pages::policies::show).post(pages::policies::save))
        .route("/organizations/{org}/delegations", get(pages::delegations::list).post(pages::delegations::create))
        .route("/organizations/{org}/delegations/{delegation}/end", post(pages::delegations::end))
        .route("/organizations/{org}/settings/domains", get(pages::domains::list).post(pages::domains::claim))
        .route("/organizations/{org}/settings/domains/{domain}/verify", post(pages::domains::verify))
        .route("/organizations/{org}/settings/domains/{domain}/role", post(pages::domains::set_role))
        .route("/organizations/{org}/settings/domains/{domain}/remove", post(pages::domains::remove))
        // subscriptions
        .route("/marketplace/{service}/subscribe", get(pages::subscribe::show).post(pages::subscribe::submit))
        .route("/organizations/{org}/subscriptions", get(pages::subscriptions::list))
        .route("/organizations/{org}/subscriptions/{subscription}", get(pages::subscriptions::show))
        .route("/organizations/{org}/subscriptions/{subscription}/usage", get(pages::subscriptions::usage))
        .route(
            "/organizations/{org}/subscriptions/{subscription}/projects",
            get(pages::subscriptions::projects).post(pages::subscriptions::set_projects),
        )
        .route("/organizations/{org}/subscriptions/{subscription}/projects/{project}", get(pages::terms::ask).post(pages::terms::set))
        .route("/organizations/{org}/subscriptions/{subscription}/permissions", get(pages::subscriptions::permissions))
        .route(
            "/organizations/{org}/subscriptions/{subscription}/cancel",
            get(pages::consequences::of_subscription).post(pages::suspensions::cancel),
        )
        .route("/organizations/{org}/subscriptions/{subscription}/keep", post(pages::suspensions::keep))
        .route("/organizations/{org}/subscriptions/{subscription}/budget", post(pages::budgets::set))
        .route("/organizations/{org}/subscriptions/{subscription}/budget/remove", post(pages::budgets::remove))
        .route("/organizations/{org}/subscriptions/{subscription}/pause", get(pages::suspensions::ask).post(pages::suspensions::pause))
        .route("/organizations/{org}/subscriptions/{subscription}/resume", post(pages::suspensions::resume))
        .route(
            "/organizations/{org}/services/{service}/subscriptions/{subscription}/pause",
            get(pages::suspensions::ask_provided).post(pages::suspensions::pause_provided),
        )
        .route("/organizations/{org}/services/{service}/subscriptions/{subscription}/resume", post(pages::suspensions::resume_provided))
        .route("/organizations/{org}/services/{service}/subscriptions/{subscription}/ready", post(pages::setups::ready))
        .route(
            "/organizations/{org}/services/{service}/subscriptions/{subscription}/fail",
            get(pages::setups::ask_fail).post(pages::setups::fail),
        )
        .route("/organizations/{org}/map", get(pages::map::show))
        .route("/organizations/{org}/map/export", get(pages::map::export))
        .route("/organizations/{org}/subscriptions/{subscription}/contract", get(pages::subscription_contract::show))
        .route("/organizations/{org}/subscriptions/{subscription}/contract/{contract}/accept", post(pages::subscription_contract::accept))
        .route("/organizations/{org}/subscriptions/{subscription}/contract/{contract}/refuse", post(pages::subscription_contract::refuse))
        .route("/organizations/{org}/subscriptions/{subscription}/plan", post(pages::subscription_contract::change_plan))
        // requests
        .route("/organizations/{org}/requests", get(pages::requests::of_organization))
        .route("/requests", get(pages::requests::inbox))
        .route("/requests/{request}", get(pages::request::show))
        .route("/requests/{request}/ask", post(pages::requests::ask))
        .route("/requests/{request}/answer", post(pages::request::answer))
        .route("/requests/{request}/approve", post(pages::requests::approve))
        .route("/requests/{request}/reject", post(pages::requests::reject))
        .route("/requests/{request}/withdraw", post(pages::requests::withdraw))
        // operator
        .route("/operator/outbox", get(pages::outbox::list))
        .route("/operator/outbox/{mail}", get(pages::outbox::show))
        .route("/operator/outbox/{mail}/retry", post(pages::outbox::retry))
        .route("/operator", get(pages::operator::home))
        .route("/operator/users", get(pages::operator_users::list).post(pages::operator_users::create))
        .route("/operator/organizations", get(pages::operator_organizations::list))
        .route("/operator/organizations/{org}", get(pages::operator_organizations::show))
        .route("/operator/organizations/{org}/view", post(pages::operator_organizations::view))
        .route("/operator/services", get(pages::operator_services::list))
        .route("/operator/services/{service}", get(pages::operator_services::show))
        .route("/operator/services/{service}/approve", post(pages::operator_services::approve))
        .route("/operator/services/{service}/reject", post(pages::operator_services::reject))
        .route("/operator/services/{service}/suspend", post(pages::operator_services::suspend))
        .route("/operator/services/{service}/unsuspend", post(pages::operator_services::unsuspend))
        // API reference
        .route("/api/docs", get(pages::reference::show))
        // services and the marketplace
        .route("/marketplace", get(pages::marketplace::search))
        .route("/marketplace/suggestions", get(pages::marketplace::suggestions))
        .route("/marketplace/{service}", get(pages::marketplace::show))
        .route("/marketplace/{service}/images/{hash}", get(pages::service_looks::picture))
        .route("/organizations/{org}/services", get(pages::services::list))
        .route("/organizations/{org}/services/new", get(pages::service_form::new).post(pages::service_form::create))
        .route("/organizations/{org}/services/{service}", get(pages::services::show))
        .route("/organizations/{org}/services/{service}/edit", get(pages::service_form::edit).post(pages::service_form::update))
        .route("/organizations/{org}/services/{service}/preview", get(pages::marketplace::preview))
        .route("/organizations/{org}/services/{service}/publish", get(pages::service_acts::ask_publish).post(pages::service_acts::publish))
        .route(
            "/organizations/{org}/services/{service}/withdraw",
            get(pages::service_acts::ask_withdraw).post(pages::service_acts::withdraw),
        )
        .route("/organizations/{org}/services/{service}/pause", get(pages::service_acts::ask_pause).post(pages::service_acts::pause))
        .route(
            "/organizations/{org}/services/{service}/deprecate",
            get(pages::service_acts::ask_deprecate).post(pages::service_acts::deprecate),
        )
        .route("/organizations/{org}/services/{service}/retire", get(pages::service_acts::ask_retire).post(pages::service_acts::retire))
        .route("/organizations/{org}/services/{service}/hand-over", get(pages::handovers::ask).post(pages::handovers::offer))
        .route("/organizations/{org}/handovers/{handover}", get(pages::handovers::show))
        .route("/organizations/{org}/handovers/{handover}/accept", post(pages::handovers::accept))
        .route("/organizations/{org}/handovers/{handover}/decline", post(pages::handovers::decline))
        .route("/organizations/{org}/handovers/{handover}/withdraw", post(pages::handovers::withdraw))
        .route("/organizations/{org}/services/{service}/pictures", get(pages::service_pictures::show))
        .route("/organizations/{org}/services/{service}/icon/remove", post(pages::service_pictures::remove_icon))
        .route("/organizations/{org}/services/{service}/screenshots/{number}", post(pages::service_pictures::change_screenshot))
        .route("/organizations/{org}/services/{service}/screenshots/{number}/remove", post(pages::service_pictures::remove_screenshot))
        .route("/organizations/{org}/services/{service}/audience", get(pages::service_audience::show).post(pages::service_audience::add))
        .route("/organizations/{org}/services/{service}/audience/{named}/remove", post(pages::service_audience::remove))
        .route("/organizations/{org}/services/{service}/manner", post(pages::setups::set_manner))
        .route("/organizations/{org}/services/{service}/contracts", get(pages::contracts::list))
        .route("/organizations/{org}/services/{service}/level-changes", get(pages::level_changes::list))
        .route("/organizations/{org}/services/{service}/level-changes/{change}/switch", post(pages::level_changes::switch_provided))
        .route("/organizations/{org}/services/{service}/level-changes/{change}/undo", post(pages::level_changes::undo_provided))
        .route("/organizations/{org}/level-changes/{service}", get(pages::level_changes::show).post(pages::level_changes::accept))
        .route("/organizations/{org}/level-changes/{service}/{change}/switch", post(pages::level_changes::switch))
        .route("/organizations/{org}/level-changes/{service}/{change}/undo", post(pages::level_changes::undo))
        .route("/organizations/{org}/services/{service}/contracts/new", get(pages::contract_form::new).post(pages::contract_form::offer))
        // costs
        .route("/organizations/{org}/costs", get(pages::costs::show))
        .route("/organizations/{org}/costs.csv", get(pages::costs::file))
}

/// Acts that only the person themself may do, by their addresses: whoever has not proved who they are for a while is asked again.
fn dangerous_acts() -> Vec<(&'static str, MethodRouter<App>)> {
    vec![
        ("/account/security/totp", post(pages::second_factors::begin_totp)),
        ("/account/security/totp/disable", post(pages::second_factors::disable_totp)),
        ("/account/security/recovery-codes", post(pages::second_factors::renew_recovery_codes)),
        ("/account/security/passkeys", post(pages::passkeys::begin)),
        ("/account/security/passkeys/{passkey}/remove", post(pages::passkeys::remove)),
        ("/account/security/providers/{provider}/link", post(pages::external::link)),
        ("/account/security/identities/{identity}/unlink", post(pages::external::unlink)),
        ("/account/tokens", post(pages::tokens::create)),
        ("/account/address", post(pages::account::change_address)),
        ("/account/password", post(pages::account::change_password)),
        ("/account/delete", post(pages::account::delete)),
        ("/applications/{application}/secrets", post(pages::applications::create_secret)),
        ("/applications/{application}/transfer", post(pages::sharing::transfer)),
        ("/applications/{application}/delete", post(pages::applications::delete)),
        ("/organizations/{org}/delete", post(pages::organizations::delete)),
        ("/operator/users/{user}", post(pages::operator_users::change)),
        ("/operator/users/{user}/reset-second-factors", post(pages::operator_users::reset_second_factors)),
        ("/operator/organizations/{org}/suspend", post(pages::operator_organizations::suspend)),
        ("/operator/organizations/{org}/unsuspend", post(pages::operator_organizations::unsuspend)),
        ("/operator/organizations/{org}/restore", post(pages::operator_organizations::restore)),
    ]
}

/// The addresses of the acts before which somebody is asked again who they are.
pub fn dangerous_paths() -> Vec<&'static str> {
    dangerous_acts().into_iter().map(|(path, _)| path).collect()
}

fn dangerous(app: &App) -> Router<App> {
    let routes = dangerous_acts().into_iter().fold(Router::new(), |routes, (path, act)| routes.route(path, act));
    routes.route_layer(middleware::from_fn_with_state(app.clone(), pages::step_up::layer))
}

/// Pages that move files: like [`pages`], without a time limit.
fn transfers() -> Router<App> {
    // What a file may have is counted as it comes.
    let upload = post(pages::resources::upload).layer(DefaultBodyLimit::disable());
    Router::new()
        .route("/organizations/{org}/projects/{project}/resources", upload)
        .route("/organizations/{org}/services/{service}/icon", post(pages::service_pictures::put_icon).layer(DefaultBodyLimit::disable()))
        .route(
            "/organizations/{org}/services/{service}/screenshots",
            post(pages::service_pictures::add_screenshot).layer(DefaultBodyLimit::disable()),
        )
        .route("/organizations/{org}/projects/{project}/resources/{name}", get(pages::resources::download))
}

/// How long a page may take before its work is given up.
const PAGE_TIME: Duration = Duration::from_secs(30);

/// All of Stoa over HTTP.
pub fn router(app: App) -> Router {
    let (api, _) = api().split_for_parts();
    let api = api
        .route("/gateway/authorize", post(gateway::authorize).put(gateway::authorize).patch(gateway::authorize).delete(gateway::authorize))
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn(once::layer))
        .layer(CatchPanicLayer::custom(guard::panicked));
    let pages = pages()
        .merge(dangerous(&app))
        .layer(TimeoutLayer::with_status_code(pages::visit::TOO_SLOW, PAGE_TIME))
        .merge(transfers())
        .method_not_allowed_fallback(wrong_method)
        .fallback(|| async { ApiError::from(stoa_actions::Error::NotFound("page")) })
        .layer(CatchPanicLayer::custom(guard::panicked))
        .layer(guard::same_site(&app.stoa.public_url))
        .layer(middleware::from_fn_with_state(app.clone(), pages::visit::layer));
    Router::new()
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/metrics", get(metrics::get))
        .route("/api/openapi.json", get(document))
        .route("/assets/{*path}", get(assets::get))
        .route("/favicon.ico", get(assets::favicon))
        .merge(api)
        .merge(pages)
        .layer(DefaultBodyLimit::max(once::LARGEST_BODY))
        .layer(guard::compression())
        .layer(middleware::map_response(guard::headers))
        .layer(middleware::from_fn_with_state(app.clone(), metrics::layer))
        .layer(middleware::from_fn_with_state(app.clone(), request_id::layer))
        .with_state(app)
}

/// `GET /api/openapi.json`. The text is written when it is first asked for.
async fn document() -> impl IntoResponse {
    static TEXT: LazyLock<String> = LazyLock::new(|| openapi().to_pretty_json().unwrap_or_default());
    ([("content-type", "application/json")], TEXT.as_str())
}

async fn wrong_method(method: Method) -> ApiError {
    ApiError::request(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", format!("there is no {method} at this address"))
}
