//! How a service presents itself, how it ends, and what it lacks.

use serde::{Deserialize, Serialize};
use stoa_domain::{
    ids::ServiceId,
    services::{Lack, NamedLink},
    time::Day,
};
use utoipa::ToSchema;

/// A named address.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct LinkView {
    /// What it leads to.
    #[serde(default)]
    pub name: String,
    /// Where: an absolute https address.
    #[serde(default)]
    pub url: String,
}

impl From<NamedLink> for LinkView {
    fn from(link: NamedLink) -> Self {
        Self { name: link.name, url: link.url }
    }
}

impl From<LinkView> for NamedLink {
    fn from(link: LinkView) -> Self {
        Self { name: link.name, url: link.url }
    }
}

/// How a service ends.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DeprecationView {
    /// From that day on its provider means to retire it.
    #[schema(value_type = String, format = Date)]
    pub date: Day,
    /// What its provider recommends instead, `svc_…`.
    #[schema(value_type = Option<String>)]
    pub successor: Option<ServiceId>,
}

/// Something a service lacks.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LackView {
    /// What: `application`, `plans`, `summary`, `description`, `categories`, `icon`, `screenshots`, `support`, `terms` or
    /// `audience`.
    pub what: &'static str,
    /// Whether it is not published without it; otherwise it is advice.
    pub blocks: bool,
    /// What to do about it.
    pub advice: &'static str,
}

impl From<Lack> for LackView {
    fn from(lack: Lack) -> Self {
        Self { what: lack.word(), blocks: lack.blocks(), advice: lack.advice() }
    }
}
