//! What is true in Stoa: the pure types and rules of the marketplace.
//!
//! Nothing here is asynchronous, knows SQL or HTTP, reads a clock or draws a random number.

pub mod access;
pub mod amounts;
pub mod applications;
pub mod contracts;
pub mod costs;
pub mod countries;
pub mod domains;
pub mod events;
pub mod groupings;
pub mod ids;
pub mod images;
pub mod imports;
pub mod invitations;
pub mod limits;
pub mod links;
pub mod locks;
pub mod mail;
pub mod marketplace;
pub mod member_lists;
pub mod members;
pub mod meters;
pub mod money;
pub mod naming;
pub mod operators;
pub mod organizations;
pub mod periods;
pub mod permissions;
pub mod projects;
pub mod requests;
pub mod resources;
pub mod second_factors;
pub mod secrets;
pub mod services;
pub mod sessions;
pub mod sharing;
pub mod subscriptions;
pub mod suspensions;
pub mod teams;
pub mod text;
pub mod time;
pub mod tokens;
pub mod usage;
pub mod users;
mod words;
