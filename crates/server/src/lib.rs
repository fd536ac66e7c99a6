//! How Stoa is reached: the JSON API, the pages, OAuth and the gateway, over one router.

pub mod api;
mod app;
pub mod extract;
mod health;
mod once;
pub mod pages;
pub mod paging;
pub mod problem;
mod request_id;
pub mod router;

pub use app::App;
pub use router::{openapi, router};
