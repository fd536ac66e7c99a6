//! What every handler works with.

use stoa_actions::Stoa;

/// The state of the router; clones share it.
#[derive(Clone)]
pub struct App {
    /// The installation.
    pub stoa: Stoa,
}

impl App {
    /// The state over an installation.
    pub fn new(stoa: Stoa) -> Self {
        Self { stoa }
    }
}
