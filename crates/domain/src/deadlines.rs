//! Deadlines of requests: until when one waits, and when those it waits for are reminded.

use crate::time::{DAY, Ts};

/// For how many days a request waits where its organization says nothing else.
pub const USUAL_DAYS: u16 = 30;

/// The most days an organization may let its requests wait.
pub const MOST_DAYS: u16 = 365;

/// The last reminder comes so long before the end, in microseconds.
const SOON: i64 = 3 * DAY;

/// Whoever it is the turn of has at least so long, in microseconds, unless the organization's requests wait for less.
const AT_LEAST: i64 = 7 * DAY;

/// The end of a request that is made now and waits for so many days.
pub fn expiry(now: Ts, days: u16) -> Ts {
    now.plus(i64::from(days) * DAY)
}

/// The end of a request whose turn passes to somebody else now: the same, or later, so that there is time to act.
pub fn prolonged(expires_at: Ts, now: Ts, days: u16) -> Ts {
    let enough = AT_LEAST.min(i64::from(days) * DAY);
    expires_at.max(now.plus(enough))
}

/// When something is due next after `now`: a reminder when half the time is over, one three days before the end, or the
/// end itself. The last reminder is left out where it would come before the first.
pub fn next_due(created_at: Ts, expires_at: Ts, now: Ts) -> Ts {
    let life = expires_at.micros().saturating_sub(created_at.micros());
    let half = created_at.plus(life / 2);
    let soon = expires_at.plus(-SOON);
    [half, soon.max(half)].into_iter().filter(|at| *at > now && *at < expires_at).min().unwrap_or(expires_at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(number: i64) -> Ts {
        Ts::from_micros(number * DAY)
    }

    #[test]
    fn reminders_come_at_half_the_time_and_three_days_before_the_end() {
        let (created, expires) = (day(0), expiry(day(0), 30));
        assert_eq!(next_due(created, expires, created), day(15));
        assert_eq!(next_due(created, expires, day(15)), day(27));
        assert_eq!(next_due(created, expires, day(27)), day(30));
        assert_eq!(next_due(created, expires, day(40)), day(30));
        // Of a short one only the half is told.
        assert_eq!(next_due(created, day(4), created), day(2));
        assert_eq!(next_due(created, day(4), day(2)), day(4));
    }

    #[test]
    fn whose_turn_it_becomes_has_a_week_or_what_there_is() {
        assert_eq!(prolonged(day(30), day(2), 30), day(30));
        assert_eq!(prolonged(day(30), day(29), 30), day(36));
        assert_eq!(prolonged(day(2), day(1), 2), day(3));
    }

    proptest! {
        #[test]
        fn what_is_due_lies_ahead_until_the_end_and_at_most_two_reminders_come(days in 1_u16..=MOST_DAYS, created in 0_i64..1_000_000_000_000) {
            let created = Ts::from_micros(created);
            let expires = expiry(created, days);
            let (mut now, mut reminders) = (created, 0);
            while now < expires {
                let next = next_due(created, expires, now);
                prop_assert!(next > now && next <= expires);
                reminders += usize::from(next < expires);
                now = next;
            }
            prop_assert!((1..=2).contains(&reminders));
            prop_assert!(prolonged(expires, now, days) >= expires);
        }
    }
}
