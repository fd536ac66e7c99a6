//! Days and instants as people read them, in UTC.

use stoa_domain::time::{Day, HOUR, SECOND, Ts};

const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];

fn month(day: Day) -> (&'static str, i16) {
    let (year, month) = day.year_month();
    let index = usize::try_from(month - 1).unwrap_or(0);
    (MONTHS.get(index).copied().unwrap_or("January"), year)
}

/// “12 March 2026”.
#[must_use]
pub fn long_day(day: Day) -> String {
    let (name, year) = month(day);
    format!("{} {name} {year}", day.day_of_month())
}

/// “12 Mar 2026”.
#[must_use]
pub fn short_day(day: Day) -> String {
    let (name, year) = month(day);
    format!("{} {} {year}", day.day_of_month(), &name[..3])
}

/// “March 2026”.
#[must_use]
pub fn month_of(day: Day) -> String {
    let (name, year) = month(day);
    format!("{name} {year}")
}

/// “14:02 UTC”.
#[must_use]
pub fn clock(at: Ts) -> String {
    let seconds = (at.micros() - at.day().start().micros()) / SECOND;
    format!("{:02}:{:02} UTC", seconds / (HOUR / SECOND), seconds / 60 % 60)
}

/// “12 March 2026, 14:02 UTC”.
#[must_use]
pub fn moment(at: Ts) -> String {
    format!("{}, {}", long_day(at.day()), clock(at))
}

/// “today”, “yesterday” or “12 Mar 2026”.
#[must_use]
pub fn ago(at: Ts, now: Ts) -> String {
    match now.day().number() - at.day().number() {
        0 => "today".to_owned(),
        1 => "yesterday".to_owned(),
        _ => short_day(at.day()),
    }
}

#[cfg(test)]
mod tests {
    use super::{ago, long_day, moment, month_of, short_day};
    use stoa_domain::time::{DAY, Ts};

    #[test]
    fn days_and_instants_read_as_people_write_them() {
        let at: Ts = "2026-03-09T14:02:59Z".parse().unwrap();
        assert_eq!(long_day(at.day()), "9 March 2026");
        assert_eq!(short_day(at.day()), "9 Mar 2026");
        assert_eq!(month_of(at.day()), "March 2026");
        assert_eq!(moment(at), "9 March 2026, 14:02 UTC");
        assert_eq!(ago(at, at.plus(1)), "today");
        assert_eq!(ago(at, at.plus(DAY)), "yesterday");
        assert_eq!(ago(at, at.plus(9 * DAY)), "9 Mar 2026");
    }
}
