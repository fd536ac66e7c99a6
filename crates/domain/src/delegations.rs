//! Delegations: who decides requests in whose stead while somebody is away.

use crate::{
    ids::{DelegationId, OrganizationId, UserId},
    periods::Moment,
    text::Faults,
    time::{DAY, Ts},
};

/// The longest a delegation may last, in microseconds.
pub const LONGEST: i64 = 366 * DAY;

/// Somebody who decides in another member's stead for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegation {
    /// Its id.
    pub id: DelegationId,
    /// In which organization.
    pub organization: OrganizationId,
    /// Who is away.
    pub absent: UserId,
    /// Who decides meanwhile.
    pub delegate: UserId,
    /// From when.
    pub starts_at: Ts,
    /// Until when (exclusive).
    pub ends_at: Ts,
    /// When it was ended before its time.
    pub ended_at: Option<Ts>,
    /// When it was made.
    pub created_at: Ts,
}

impl Delegation {
    /// Whether it holds at an instant. It ends by itself.
    pub fn holds(&self, at: Ts) -> bool {
        self.starts_at <= at && at < self.ends_at && self.ended_at.is_none()
    }

    /// Whether it is not over: it holds or is still to come.
    pub fn is_ahead(&self, now: Ts) -> bool {
        now < self.ends_at && self.ended_at.is_none()
    }

    /// Whether both hold at some instant.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.starts_at < other.ends_at && other.starts_at < self.ends_at
    }
}

/// The time of a delegation as somebody wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Span {
    /// The first day, or an instant (RFC 3339); at once when absent.
    pub from: Option<String>,
    /// The last day, or the instant of the end.
    pub until: String,
}

impl Span {
    /// The instants it means: a last day is meant as a whole.
    pub fn check(&self, now: Ts, faults: &mut Faults) -> Option<(Ts, Ts)> {
        let read = |text: &str| text.trim().parse::<Moment>();
        let given = self.from.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let from = match given {
            Some(text) => faults.check("/from", read(text)).map(|moment| match moment {
                Moment::Day(day) => day.start(),
                Moment::Instant(at) => at,
            })?,
            None => now,
        };
        let until = faults.check("/until", read(&self.until)).map(|moment| match moment {
            Moment::Day(day) => day.next().start(),
            Moment::Instant(at) => at,
        })?;
        // Whoever says today means from now on.
        let from = from.max(now);
        if until <= from {
            faults.add("/until", "the end must lie after the beginning, and ahead");
        } else if until.micros().saturating_sub(from.micros()) > LONGEST {
            faults.add("/until", "a delegation lasts a year at most");
        }
        Some((from, until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Id;

    fn delegation(from: i64, until: i64) -> Delegation {
        Delegation {
            id: DelegationId::mint(Ts::from_micros(1), [1; 10]),
            organization: OrganizationId::mint(Ts::from_micros(1), [2; 10]),
            absent: UserId::mint(Ts::from_micros(1), [3; 10]),
            delegate: UserId::mint(Ts::from_micros(1), [4; 10]),
            starts_at: Ts::from_micros(from),
            ends_at: Ts::from_micros(until),
            ended_at: None,
            created_at: Ts::from_micros(0),
        }
    }

    #[test]
    fn it_holds_from_its_beginning_to_its_end_unless_ended_before() {
        let one = delegation(10, 20);
        let at = |micros| one.holds(Ts::from_micros(micros));
        assert_eq!([at(9), at(10), at(19), at(20)], [false, true, true, false]);
        let ended = Delegation { ended_at: Some(Ts::from_micros(12)), ..one.clone() };
        assert!(!ended.holds(Ts::from_micros(15)) && !ended.is_ahead(Ts::from_micros(15)));
        assert!(one.is_ahead(Ts::from_micros(0)) && one.overlaps(&delegation(19, 30)) && !one.overlaps(&delegation(20, 30)));
    }

    #[test]
    fn a_span_takes_days_and_instants_and_lies_ahead() {
        let now: Ts = "2026-03-10T12:00:00Z".parse().unwrap();
        let check = |from: Option<&str>, until: &str| {
            let mut faults = Faults::new();
            let span = Span { from: from.map(str::to_owned), until: until.to_owned() }.check(now, &mut faults);
            (span, faults.into_vec().into_iter().map(|fault| fault.pointer).collect::<Vec<_>>())
        };
        let (span, faults) = check(Some("2026-03-10"), "2026-03-12");
        assert_eq!((span, faults.len()), (Some((now, "2026-03-13T00:00:00Z".parse().unwrap())), 0));
        assert_eq!(check(None, "2026-03-10T12:00:01Z").0.unwrap().0, now);
        assert_eq!(check(None, "2026-03-09").1, ["/until"]);
        assert_eq!(check(Some("tomorrow"), "2026-03-12").1, ["/from"]);
        assert_eq!(check(None, "").1, ["/until"]);
        assert_eq!(check(None, "2027-06-01").1, ["/until"]);
    }
}
