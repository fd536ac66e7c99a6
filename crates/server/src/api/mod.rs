//! The JSON API, one file per noun. What api's contract fixes stays so; everything stands in the OpenAPI document.

pub mod access;
pub mod applications;
pub mod consequences;
pub mod costs;
pub mod domains;
pub mod events;
pub mod explain;
pub mod invitations;
pub mod locks;
pub mod map;
pub mod marketplace;
pub mod me;
pub mod members;
pub mod operator;
pub mod organizations;
pub mod projects;
pub mod requests;
pub mod resources;
pub mod services;
pub mod sessions;
pub mod several;
pub mod sharing;
pub mod subscriptions;
pub mod suspensions;
pub mod teams;
pub mod usage;
