//! Instants and days, always UTC and always given, never read from a clock.

use std::{fmt, str::FromStr};

use jiff::{
    Timestamp,
    civil::Date,
    fmt::rfc2822::{DateTimeParser, DateTimePrinter},
    tz::TimeZone,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Microseconds in a second.
pub const SECOND: i64 = 1_000_000;
/// Microseconds in an hour.
pub const HOUR: i64 = 3_600 * SECOND;
/// Microseconds in a UTC day.
pub const DAY: i64 = 24 * HOUR;

/// An instant: microseconds since 1970-01-01T00:00:00Z, written as RFC 3339 in UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ts(i64);

/// Why a text is not an instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write a time as RFC 3339, such as 2026-03-12T09:30:00Z")]
pub struct NotATime;

impl Ts {
    /// From microseconds since the Unix epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The instant `micros` later (or earlier when negative); saturates at the ends of the range.
    #[must_use]
    pub const fn plus(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// The UTC day it falls on.
    pub const fn day(self) -> Day {
        Day(self.0.div_euclid(DAY))
    }

    /// As HTTP headers write it (RFC 9110, section 5.6.7), to the second.
    pub fn http_date(self) -> String {
        DateTimePrinter::new().timestamp_to_rfc9110_string(&self.timestamp()).unwrap_or_default()
    }

    /// From the text of an HTTP header; `None` when it is not a date.
    pub fn from_http_date(text: &str) -> Option<Self> {
        DateTimeParser::new().parse_timestamp(text.trim()).ok().map(|at| Self(at.as_microsecond()))
    }

    fn timestamp(self) -> Timestamp {
        Timestamp::from_microsecond(self.0).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

impl fmt::Display for Ts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A fixed number of digits, so that the texts sort as the instants do.
        write!(f, "{:.6}", self.timestamp())
    }
}

impl fmt::Debug for Ts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Ts {
    type Err = NotATime;
    fn from_str(text: &str) -> Result<Self, NotATime> {
        text.parse::<Timestamp>().map(|t| Self(t.as_microsecond())).map_err(|_| NotATime)
    }
}

impl Serialize for Ts {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Ts {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(D::Error::custom)
    }
}

/// A UTC calendar day: days since 1970-01-01, written as `2026-03-12`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i64);

impl Day {
    /// From days since 1970-01-01.
    pub const fn from_number(days: i64) -> Self {
        Self(days)
    }

    /// Days since 1970-01-01.
    pub const fn number(self) -> i64 {
        self.0
    }

    /// From a calendar date; `None` when there is no such date.
    pub fn from_date(year: i16, month: i8, day: i8) -> Option<Self> {
        let date = Date::new(year, month, day).ok()?;
        let zoned = date.to_zoned(TimeZone::UTC).ok()?;
        Some(Ts(zoned.timestamp().as_microsecond()).day())
    }

    /// Its first instant.
    pub const fn start(self) -> Ts {
        Ts(self.0 * DAY)
    }

    /// The next day.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// Year and month (1–12).
    pub fn year_month(self) -> (i16, i8) {
        let date = self.date();
        (date.year(), date.month())
    }

    /// Day of the month, 1–31.
    pub fn day_of_month(self) -> u8 {
        u8::try_from(self.date().day()).unwrap_or(1)
    }

    /// Number of days in its month, 28–31.
    pub fn days_in_month(self) -> u8 {
        u8::try_from(self.date().days_in_month()).unwrap_or(31)
    }

    /// The first day of its month.
    #[must_use]
    pub fn month_start(self) -> Self {
        Self(self.0 - i64::from(self.day_of_month()) + 1)
    }

    /// The first day of the month after its own.
    #[must_use]
    pub fn next_month(self) -> Self {
        Self(self.month_start().0 + i64::from(self.days_in_month()))
    }

    fn date(self) -> Date {
        self.start().timestamp().to_zoned(TimeZone::UTC).date()
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.date(), f)
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Day {
    type Err = NotATime;
    fn from_str(text: &str) -> Result<Self, NotATime> {
        let date: Date = text.parse().map_err(|_| NotATime)?;
        Self::from_date(date.year(), date.month(), date.day()).ok_or(NotATime)
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(D::Error::custom)
    }
}

/// A stretch of time from an instant until (not including) another, or still going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Its first instant.
    pub from: Ts,
    /// The first instant after it; `None` while it goes on.
    pub to: Option<Ts>,
}

impl Span {
    /// A stretch of time.
    pub const fn new(from: Ts, to: Option<Ts>) -> Self {
        Self { from, to }
    }

    /// Whether it holds no instant at all.
    pub fn is_empty(self) -> bool {
        self.to.is_some_and(|to| to <= self.from)
    }

    /// Whether it holds that instant.
    pub fn contains(self, at: Ts) -> bool {
        self.from <= at && self.to.is_none_or(|to| at < to)
    }

    /// What it has in common with another, which may be empty.
    #[must_use]
    pub fn within(self, other: Self) -> Self {
        let to = match (self.to, other.to) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Self { from: self.from.max(other.from), to }
    }

    /// What is left of it without these, in order.
    #[must_use]
    pub fn without(self, holes: &[Self]) -> Vec<Self> {
        let mut holes = holes.to_vec();
        holes.sort_unstable();
        let mut left = Vec::new();
        let mut from = self.from;
        for hole in holes {
            left.push(Self::new(from, Some(hole.from)).within(self));
            match hole.to {
                Some(to) => from = from.max(to),
                None => return left.into_iter().filter(|one| !one.is_empty()).collect(),
            }
        }
        left.push(Self::new(from, self.to));
        left.into_iter().filter(|one| !one.is_empty()).collect()
    }

    /// The last day it touches, at most `latest`; `None` when it is empty or begins after `latest`.
    pub fn last_day(self, latest: Day) -> Option<Day> {
        let last = self.to.map_or(latest, |to| to.plus(-1).day().min(latest));
        (!self.is_empty() && self.from.day() <= last).then_some(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_dates_are_written_to_the_second_and_read_back() {
        let at: Ts = "1994-11-06T08:49:37.5Z".parse().unwrap();
        assert_eq!(at.http_date(), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(Ts::from_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(at.plus(-500_000)));
        assert_eq!(Ts::from_http_date("yesterday"), None);
    }

    #[test]
    fn an_instant_reads_back_and_knows_its_day_and_month() {
        let ts: Ts = "2026-02-12T23:59:59.5Z".parse().unwrap();
        assert_eq!(ts.to_string(), "2026-02-12T23:59:59.500000Z");
        assert_eq!(ts.day().to_string(), "2026-02-12");
        assert_eq!(ts.day().days_in_month(), 28);
        assert_eq!(ts.day().month_start().to_string(), "2026-02-01");
        assert_eq!(ts.day().next_month().to_string(), "2026-03-01");
        assert_eq!("2026-02-12".parse::<Day>().unwrap(), ts.day());
    }

    #[test]
    fn holes_are_cut_out_of_a_span() {
        let span = |from, to: i64| Span::new(Ts::from_micros(from), (to > 0).then(|| Ts::from_micros(to)));
        assert_eq!(span(10, 0).without(&[]), [span(10, 0)]);
        assert_eq!(span(10, 0).without(&[span(40, 50), span(20, 30)]), [span(10, 20), span(30, 40), span(50, 0)]);
        assert_eq!(span(10, 60).without(&[span(5, 12), span(20, 40), span(30, 35), span(50, 70)]), [span(12, 20), span(40, 50)]);
        assert_eq!(span(10, 60).without(&[span(20, 0)]), [span(10, 20)]);
        assert_eq!(span(10, 60).without(&[span(10, 0)]), []);
        assert_eq!(span(10, 60).without(&[span(70, 80)]), [span(10, 60)]);
    }

    #[test]
    fn an_offset_is_turned_into_utc_and_nonsense_is_refused() {
        let ts: Ts = "2026-02-12T01:00:00+02:00".parse().unwrap();
        assert_eq!(ts.day().to_string(), "2026-02-11");
        assert!("yesterday".parse::<Ts>().is_err());
        assert!("2026-02-30".parse::<Day>().is_err());
    }
}
