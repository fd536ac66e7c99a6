//! How Stoa is tried: databases of one test's own on both engines, and the whole server over them.

mod app;
mod client;
mod cluster;
pub mod databases;
pub mod mailbox;
mod membership;
mod openid;
pub mod rows;
mod totp;

pub use app::{Frozen, Node, PASSWORD, Person, Setup, TakenMail, TestApp, TestClock};
pub use client::{Answer, Client};
pub use databases::TestDb;
pub use membership::{Members, replay_members};
pub use openid::{Manners, OpenIdProvider};
pub use totp::totp_code;
