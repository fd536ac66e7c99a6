//! The figures, one file each.

pub mod costs;
pub mod finding;
pub mod footprint;
pub mod importing;
pub mod map;
pub mod members;
pub mod reading;
pub mod reporting;
pub mod subscribing;

use crate::{
    Failure,
    report::{Line, Plan},
    stage::Stage,
    yardsticks::Hello,
};

/// What a figure may use.
pub struct Bench<'a> {
    /// The server.
    pub stage: &'a mut Stage,
    /// A server that does nothing.
    pub hello: &'a Hello,
    /// How long and how often.
    pub plan: Plan,
    /// Where PostgreSQL is, if it runs.
    pub postgres: Option<&'a str>,
}

/// The names of all figures, in the order in which they are measured.
pub const NAMES: [&str; 9] = ["footprint", "reading", "importing", "members", "map", "subscribing", "usage", "costs", "finding"];

/// Measures one figure.
///
/// # Errors
/// The first unexpected answer.
pub async fn measure(name: &str, bench: &mut Bench<'_>) -> Result<Vec<Line>, Failure> {
    match name {
        "footprint" => footprint::measure(bench).await,
        "reading" => reading::measure(bench).await,
        "importing" => importing::measure(bench).await,
        "members" => members::measure(bench).await,
        "map" => map::measure(bench).await,
        "subscribing" => subscribing::measure(bench).await,
        "usage" => reporting::measure(bench).await,
        "costs" => costs::measure(bench).await,
        "finding" => finding::measure(bench).await,
        unknown => Err(Failure::new(format!("no figure is called {unknown}; the figures are {}", NAMES.join(", ")))),
    }
}
