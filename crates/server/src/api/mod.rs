//! The JSON API, one file per noun. What api's contract fixes stays so; everything stands in the OpenAPI document.

pub mod events;
pub mod me;
pub mod members;
pub mod organizations;
