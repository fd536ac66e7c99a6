//! How Stoa is reached: the JSON API, the pages, OAuth and the gateway, over one router.

pub mod api;
mod app;
mod assets;
pub mod exports;
pub mod extract;
mod gateway;
mod guard;
mod health;
pub mod mail;
mod metrics;
pub mod network;
mod oauth;
mod once;
pub mod pages;
pub mod paging;
pub mod problem;
mod request_id;
pub mod router;

use axum::serve::ListenerExt as _;

pub use app::App;
pub use axum::{Router, http::HeaderName};
pub use router::{openapi, router};

/// Serves a router on a listener until `shutdown` is over; requests under way then end first.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: tokio::net::TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let service = router.into_make_service_with_connect_info::<std::net::SocketAddr>();
    // An answer that is sent in two pieces would wait 40 ms for the client to acknowledge the first one.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
    });
    axum::serve(listener, service).with_graceful_shutdown(shutdown).await
}
