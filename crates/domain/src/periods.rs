//! Periods of whole days for which usage and costs are asked.

use crate::{
    text::Faults,
    time::{Day, NotATime, Ts},
};

/// Days that a period may have where it is shown day by day.
pub const MOST_DAYS: i64 = 400;
/// Days that a period may have otherwise: ten years.
pub const MOST_DAYS_TOGETHER: i64 = 3_660;

/// Whole UTC days, from one until (not including) another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The first day.
    pub from: Day,
    /// The day after the last one.
    pub to: Day,
}

impl Period {
    /// The calendar month a day is in.
    pub fn month_of(day: Day) -> Self {
        Self { from: day.month_start(), to: day.next_month() }
    }

    /// How many days it has.
    pub fn days(self) -> i64 {
        self.to.number() - self.from.number()
    }

    /// Reads the ends of a period: days (`2026-03-12`) or instants (RFC 3339), of which `to` is the first that does not
    /// belong to it. An instant within a day takes in that whole day, since costs are told by day. What is missing is the
    /// beginning or the end of the current month; a missing beginning goes by the last day when only the end is given.
    ///
    /// # Errors
    /// What is wrong, under `/from` and `/to`.
    pub fn read(from: Option<&str>, to: Option<&str>, now: Ts, most_days: i64) -> Result<Self, Faults> {
        let mut faults = Faults::new();
        let given = |text: Option<&str>| text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        let from = given(from).map(|text| faults.check("/from", read_day(&text, false)));
        let to = given(to).map(|text| faults.check("/to", read_day(&text, true)));
        if !faults.is_empty() {
            return Err(faults);
        }
        let to = to.flatten();
        let from = from.flatten().unwrap_or_else(|| to.map_or(now.day(), |to| Day::from_number(to.number() - 1)).month_start());
        let to = to.unwrap_or_else(|| now.day().next_month());
        let period = Self { from, to };
        if period.days() <= 0 {
            faults.add("/to", format!("the end ({to}, which is not included) must lie after the beginning ({from})"));
        } else if period.days() > most_days {
            faults.add("/to", format!("these are {} days; ask for at most {most_days} at once", period.days()));
        }
        faults.or(Some(period))
    }
}

/// The day of a text; as an end, the day after the last one that is touched.
fn read_day(text: &str, end: bool) -> Result<Day, BadMoment> {
    Ok(match text.parse()? {
        Moment::Day(day) => day,
        Moment::Instant(instant) if end && instant != instant.day().start() => instant.day().next(),
        Moment::Instant(instant) => instant.day(),
    })
}

/// The instant that a text means: a day means its end, and today means now.
///
/// # Errors
/// [`BadMoment`] unless it is a day or an instant.
pub fn instant(text: &str, now: Ts) -> Result<Ts, BadMoment> {
    Ok(match text.parse()? {
        Moment::Day(day) if day == now.day() => now,
        Moment::Day(day) => day.next().start().plus(-1),
        Moment::Instant(instant) => instant,
    })
}

/// A day or an instant, as people and programs write either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// A day, such as `2026-03-12`.
    Day(Day),
    /// An instant (RFC 3339).
    Instant(Ts),
}

/// The text is neither a day nor an instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write a day such as 2026-03-12 or a time as RFC 3339, such as 2026-03-12T00:00:00Z")]
pub struct BadMoment;

impl std::str::FromStr for Moment {
    type Err = BadMoment;

    fn from_str(text: &str) -> Result<Self, BadMoment> {
        if text.len() <= 10 {
            return text.parse().map(Self::Day).map_err(|NotATime| BadMoment);
        }
        // A plus that was not escaped arrives as a space.
        text.replace(' ', "+").parse().map(Self::Instant).map_err(|NotATime| BadMoment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(from: &str, to: &str) -> String {
        let now = "2026-03-12T12:00:00Z".parse().unwrap();
        match Period::read(Some(from), Some(to), now, MOST_DAYS) {
            Ok(period) => format!("{} {}", period.from, period.to),
            Err(faults) => faults.into_vec().into_iter().map(|fault| fault.pointer).collect::<Vec<_>>().join(" "),
        }
    }

    #[test]
    fn a_period_is_the_current_month_unless_told_otherwise() {
        assert_eq!(read("", ""), "2026-03-01 2026-04-01");
        assert_eq!(read("2026-02-10", ""), "2026-02-10 2026-04-01");
        assert_eq!(read("", "2026-02-01"), "2026-01-01 2026-02-01");
        assert_eq!(read("2026-01-01", "2026-02-01"), "2026-01-01 2026-02-01");
    }

    #[test]
    fn instants_take_in_the_days_they_touch() {
        assert_eq!(read("2026-03-02T00:00:00Z", "2026-03-05T00:00:00Z"), "2026-03-02 2026-03-05");
        assert_eq!(read("2026-03-02T23:59:59Z", "2026-03-05T00:00:01Z"), "2026-03-02 2026-03-06");
        assert_eq!(read("2026-03-02T01:00:00+02:00", "2026-03-05T01:00:00 02:00"), "2026-03-01 2026-03-05");
    }

    #[test]
    fn a_day_means_its_end_and_today_means_now() {
        let now = "2026-03-12T12:00:00Z".parse().unwrap();
        let at = |text| instant(text, now).map(|at| at.to_string());
        assert_eq!(at("2026-03-11").unwrap(), "2026-03-11T23:59:59.999999Z");
        assert_eq!(at("2026-03-12").unwrap(), "2026-03-12T12:00:00.000000Z");
        assert_eq!(at("2026-03-12T09:00:00Z").unwrap(), "2026-03-12T09:00:00.000000Z");
        assert!(at("yesterday").is_err());
    }

    #[test]
    fn what_is_no_period_is_refused_at_its_place() {
        assert_eq!(read("yesterday", "2026-02-30"), "/from /to");
        assert_eq!(read("2026-03-02", "2026-03-02"), "/to");
        assert_eq!(read("2026-03-02", "2026-03-01"), "/to");
        assert_eq!(read("2026-05-01", ""), "/to");
        assert_eq!(read("2024-01-01", "2026-03-01"), "/to");
    }
}
