//! The log of an organization as CSV and as JSON lines, written as it is read: a log has no largest size.

use std::collections::BTreeMap;

use axum::{
    body::{Body, Bytes},
    http::header,
    response::{IntoResponse, Response},
};
use futures::stream;
use stoa_actions::{Error, events, seats::Seat};
use stoa_domain::{
    events::{Event, EventFilter},
    time::Day,
};
use stoa_store::Db;

use super::{Cell, Table, failed, figure, maybe, text};
use crate::{api::events::EventView, pages::activity};

/// How many events are read at a time.
const PART: i64 = 1_000;

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// A table with a sentence for each event; texts that a spreadsheet would take for formulas are made harmless.
    Csv,
    /// The API's JSON of each event on a line of its own (<https://jsonlines.org>).
    JsonLines,
}

impl LogFormat {
    /// By `?format=`; CSV when absent.
    ///
    /// # Errors
    /// 422 for another word.
    pub fn of(asked: Option<&str>) -> Result<Self, Error> {
        match asked.unwrap_or_default() {
            "" | "csv" => Ok(Self::Csv),
            "jsonl" => Ok(Self::JsonLines),
            _ => Err(Error::fault("/format", "a format is one of csv, jsonl")),
        }
    }

    const fn suffix(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
        }
    }

    const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::JsonLines => "application/jsonl; charset=utf-8",
        }
    }

    fn write(self, part: &[Event], people: &BTreeMap<String, String>, first: bool) -> Result<Vec<u8>, Error> {
        match self {
            Self::Csv => table(part, people, first).map_err(|bad| failed(&bad)),
            Self::JsonLines => part.iter().try_fold(Vec::new(), |mut lines, event| {
                let bad = |bad: serde_json::Error| Error::Unfit { code: "not_exportable", detail: bad.to_string() };
                serde_json::to_writer(&mut lines, &EventView::from(event.clone())).map_err(bad)?;
                lines.push(b'\n');
                Ok(lines)
            }),
        }
    }
}

fn table(part: &[Event], people: &BTreeMap<String, String>, first: bool) -> Result<Vec<u8>, csv::Error> {
    let columns =
        ["sequence", "occurred_at", "type", "actor_kind", "actor_id", "actor", "what", "reason", "subject_kind", "subject_id", "data"];
    let mut table = Table::new(if first { &columns } else { &[] })?;
    for event in part {
        let line = activity::line(event, people);
        let cells = [
            figure(event.sequence),
            figure(event.occurred_at),
            figure(&event.kind),
            figure(&event.actor_kind),
            maybe(event.actor_id.as_ref()),
            text(line.who),
            text(line.what),
            text(line.reason),
            figure(&event.subject.kind),
            // The subject of a resource's event is its name, which people choose.
            text(&event.subject.id),
            Cell::Text(event.data.clone()),
        ];
        table.row(&cells)?;
    }
    table.finish()
}

/// Where an export has come to.
struct Export {
    db: Db,
    seat: Seat,
    filter: EventFilter,
    format: LogFormat,
    after: i64,
    first: bool,
    ended: bool,
}

impl Export {
    async fn part(&mut self) -> Result<Bytes, Error> {
        let mut conn = self.db.read().await?;
        let (part, people) = events::export_part(&mut conn, &self.seat, self.after, &self.filter, PART).await?;
        self.after = part.last().map_or(self.after, |event| event.sequence);
        self.ended = part.len() < usize::try_from(PART).unwrap_or(usize::MAX);
        let written = self.format.write(&part, &people, self.first)?;
        self.first = false;
        Ok(written.into())
    }
}

/// The answer: a file whose first part is read already, so that what fails at once is told by the status.
///
/// # Errors
/// Those of the database.
pub async fn download(db: Db, seat: Seat, filter: EventFilter, format: LogFormat, today: Day) -> Result<Response, Error> {
    let name = format!("activity-{}-{today}.{}", seat.organization.handle, format.suffix());
    let mut export = Export { db, seat, filter, format, after: 0, first: true, ended: false };
    let first = export.part().await?;
    let rest = stream::try_unfold(export, |mut export| async move {
        if export.ended {
            return Ok::<_, Error>(None);
        }
        let part = export.part().await.inspect_err(|error| tracing::warn!(%error, "an export was cut off"))?;
        Ok(Some((part, export)))
    });
    let body = Body::from_stream(stream::StreamExt::chain(stream::iter([Ok(first)]), rest));
    let headers =
        [(header::CONTENT_TYPE, format.media_type().to_owned()), (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\""))];
    Ok((headers, body).into_response())
}
