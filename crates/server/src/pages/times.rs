//! Days and instants as people read them, in UTC.

use stoa_domain::time::{DAY, Day, HOUR, SECOND, Ts};

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

/// How long ago something was: “just now”, “5 hours ago”, “3 days ago”.
#[must_use]
pub fn since(at: Ts, now: Ts) -> String {
    match now.micros().saturating_sub(at.micros()) {
        past if past < HOUR => "just now".to_owned(),
        past if past < DAY => counted(past / HOUR, "hour", " ago"),
        past => counted(past / DAY, "day", " ago"),
    }
}

/// When something ends: “expires in 3 days, on 12 March 2026”.
#[must_use]
pub fn until(at: Ts, now: Ts) -> String {
    let left = at.micros().saturating_sub(now.micros());
    let day = long_day(at.day());
    match left {
        left if left < HOUR => format!("expires within the hour, on {day}"),
        left if left < DAY => format!("expires in {}, on {day}", counted(left / HOUR, "hour", "")),
        left => format!("expires in {}, on {day}", counted(left / DAY, "day", "")),
    }
}

fn counted(number: i64, what: &str, after: &str) -> String {
    format!("{number} {what}{}{after}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::{ago, long_day, moment, month_of, short_day, since, until};
    use stoa_domain::time::{DAY, HOUR, Ts};

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

    #[test]
    fn what_was_and_what_ends_is_told_by_how_long() {
        let at: Ts = "2026-03-09T14:02:59Z".parse().unwrap();
        assert_eq!([since(at, at), since(at, at.plus(HOUR)), since(at, at.plus(50 * HOUR))], ["just now", "1 hour ago", "2 days ago"]);
        assert_eq!(until(at, at.plus(-30 * DAY)), "expires in 30 days, on 9 March 2026");
        assert_eq!(until(at, at.plus(-HOUR)), "expires in 1 hour, on 9 March 2026");
        assert_eq!(until(at, at.plus(-1)), "expires within the hour, on 9 March 2026");
    }
}
