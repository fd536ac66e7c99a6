//! The API and the pages over real HTTP, on SQLite and on PostgreSQL.

#![cfg(test)]

mod access;
mod applications;
mod authorization;
mod catalogue;
mod costs;
mod domains;
mod ending;
mod events;
mod explain;
mod finding;
mod grants;
mod health;
mod idempotency;
mod identities;
mod imports;
mod invitations;
mod mail;
mod marketplace;
mod matrix;
mod members;
mod membership;
mod oauth;
mod operator;
mod organizations;
mod pages;
mod projects;
mod requests;
mod resources;
mod second_factors;
mod services;
mod sessions;
mod sharing;
mod statements;
mod step_up;
mod storefront;
mod subscription_pages;
mod subscriptions;
mod teams;
mod tokens;
mod trade;
mod usage;
mod users;
mod world;
