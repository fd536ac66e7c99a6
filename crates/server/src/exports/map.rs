//! The map as CSV: one line for each service and project.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use stoa_actions::{Error, map::MapLine, seats::Seat};
use stoa_domain::time::Ts;

use super::{Cell, Table, failed, figure, maybe, text};

const COLUMNS: [&str; 17] = [
    "service",
    "service_name",
    "provider",
    "provider_name",
    "subscription",
    "label",
    "project",
    "project_name",
    "permissions",
    "state",
    "purpose",
    "since",
    "until",
    "approved_by",
    "request",
    "cost",
    "currency",
];

/// The file to download.
///
/// # Errors
/// Never in practice: writing to memory does not fail.
pub(crate) fn file(seat: &Seat, lines: &[MapLine], at: Ts) -> Result<Response, Error> {
    let bytes = write(lines).map_err(|bad| failed(&bad))?;
    let disposition = format!("attachment; filename=\"map-{}-{}.csv\"", seat.organization.handle, at.day());
    let head = [(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, disposition)];
    Ok((head, bytes).into_response())
}

fn write(lines: &[MapLine]) -> Result<Vec<u8>, csv::Error> {
    let mut table = Table::new(&COLUMNS)?;
    for line in lines {
        // What costs in several currencies has a line for each.
        let costs: Vec<_> = if line.costs.is_empty() { vec![None] } else { line.costs.iter().map(Some).collect() };
        for cost in costs {
            table.row(&cells(line, cost.map(|(currency, cost)| (currency.to_string(), cost.to_string()))))?;
        }
    }
    table.finish()
}

fn cells(line: &MapLine, cost: Option<(String, String)>) -> Vec<Cell> {
    let (_, handle, name) = &line.service;
    let permissions: Vec<_> = line.permissions.iter().map(|one| one.word()).collect();
    let (currency, cost) = cost.unzip();
    vec![
        text(handle),
        text(name),
        text(&line.provider.handle),
        text(&line.provider.name),
        figure(line.grant.subscription),
        text(&line.label),
        text(&line.project.handle),
        text(&line.project.name),
        figure(permissions.join(" ")),
        figure(line.state),
        text(&line.grant.purpose),
        figure(line.grant.since),
        maybe(line.until),
        line.approved_by.as_ref().map_or(Cell::Empty, |(_, name)| text(name)),
        maybe(line.grant.request),
        maybe(cost),
        maybe(currency),
    ]
}
